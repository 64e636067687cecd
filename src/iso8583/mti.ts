/**
 * Message type indicators of ISO 8583:1987 as integers: 100 is 0100. Digits: version (0), class, function, origin.
 * Functions: 0 request, 1 its response, 2 advice, 3 its response, 4 notification, 5 acknowledgement. Origins: 0 acquirer,
 * 2 issuer, 4 other; the odd number behind each is its repeat.
 */

const NOTIFICATION = 4;

/** Classes of messages. */
export const MessageClass = {
  authorization: 1,
  financial: 2,
  fileAction: 3,
  reversal: 4,
  reconciliation: 5,
  administrative: 6,
  fee: 7,
  networkManagement: 8,
} as const;
export type MessageClass = (typeof MessageClass)[keyof typeof MessageClass];

/** Class 1 to 8 of a 1987 message, -1 when it is of another version or class. */
export function classOf(mti: number): MessageClass | -1 {
  if (!(mti >= 100 && mti < 900)) return -1;
  return Math.floor(mti / 100) as MessageClass;
}

/**
 * MTI of the reply: 100 and 101 give 110, 420 and 421 give 430. -1 when the message gets none: it is itself a reply, a
 * notification or an acknowledgement, or its digits mean nothing here.
 */
export function replyMti(mti: number): number {
  if (classOf(mti) < 0) return -1;
  const origin = mti % 10;
  const kind = Math.floor(mti / 10) % 10;
  if (origin > 5 || (kind !== 0 && kind !== 2)) return -1;
  return mti - (origin & 1) + 10;
}

/** True for the replies 0x10, 0x30 and the acknowledgement 0x50: counted, never answered. */
export function isReply(mti: number): boolean {
  const kind = Math.floor(mti / 10) % 10;
  return classOf(mti) > 0 && (kind === 1 || kind === 3 || kind === 5);
}

/** True for what is never answered, of whatever version: replies (odd functions), acknowledgements and notifications (0140). */
export function isUnanswered(mti: number): boolean {
  const kind = Math.floor(mti / 10) % 10;
  return (kind & 1) === 1 || kind === NOTIFICATION;
}

/** True when the sender marked the message as a repeat (0101, 0121, 0401, 0421 ...). */
export function isRepeat(mti: number): boolean {
  return classOf(mti) > 0 && mti % 10 <= 5 && mti % 2 === 1;
}

/** True for advices (0120, 0220, 0420 and their repeats): somebody decided for us. */
export function isAdvice(mti: number): boolean {
  return classOf(mti) > 0 && Math.floor(mti / 10) % 10 === 2;
}

/**
 * True for a request that begins something (0100, 0200): refused, nothing has happened yet. False for repeats, and for what tells of
 * something that has happened or must hold: advices, reversals, file updates.
 */
export function isNewRequest(mti: number): boolean {
  if ((mti & 1) === 1 || Math.floor(mti / 10) % 10 !== 0) return false;
  const kind = classOf(mti);
  return kind !== MessageClass.reversal && kind !== MessageClass.fileAction;
}

/** True for 0100, 0200 and their repeats: somebody waits for an approval, and has gone when it comes too late. */
export function asksForApproval(mti: number): boolean {
  const kind = classOf(mti);
  return (kind === MessageClass.authorization || kind === MessageClass.financial) && Math.floor(mti / 10) % 10 === 0;
}

/** True for 0500, 0520 and their repeats: an acquirer asks for its totals. */
export function asksForTotals(mti: number): boolean {
  return mti === 500 || mti === 501 || mti === 520 || mti === 521;
}

/** True for what a listener answers itself, or with all shards: no such message is about one card. */
export function isForListener(mti: number): boolean {
  return classOf(mti) === MessageClass.networkManagement || asksForTotals(mti);
}

/** Four digits: 100 is "0100". */
export function mtiText(mti: number): string {
  return String(mti).padStart(4, '0');
}

const classNames = [
  '',
  'authorization',
  'financial',
  'file action',
  'reversal',
  'reconciliation',
  'administrative',
  'fee collection',
  'network management',
];
const functionNames = ['request', 'response', 'advice', 'advice response', 'notification', 'acknowledgement'];

/** Words for people: `authorization request, repeat`. */
export function mtiName(mti: number): string {
  const name = classNames[classOf(mti)];
  const kind = functionNames[Math.floor(mti / 10) % 10];
  if (name === undefined || kind === undefined) return 'unknown message';
  return `${name} ${kind}${isRepeat(mti) ? ', repeat' : ''}`;
}
