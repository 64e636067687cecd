/** Fields of a message as the domain rules lay them out (section 4), compared with what a record keeps of them. */
import type { MessageRecord } from './records.js';
import type { WireFields } from './wire.js';

/** A field of digits; -1 when it is absent or has anything else. */
export const digitsOf = (field: string | undefined): number =>
  field !== undefined && /^\d+$/.test(field) ? Number(field) : -1;

/** 0100 -> 0110, a repeat as its first: third digit one more, fourth the even one. */
export function replyMtiOf(mti: number): number {
  return mti - (mti % 2) + 10;
}

/** Tags of DE48: number (2), length (2), value. */
export function tagsOf(text: string | undefined): Map<string, string> {
  const tags = new Map<string, string>();
  for (let at = 0; text !== undefined && at + 4 <= text.length; ) {
    const length = Number(text.slice(at + 2, at + 4));
    tags.set(text.slice(at, at + 2), text.slice(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return tags;
}

const GROUP = 20;

/** Amounts of DE54 by their type: account type 2, amount type 2, currency 3, C or D, amount 12. */
export function groupsOf(text: string): Map<string, number> {
  const groups = new Map<string, number>();
  for (let at = 0; at + GROUP <= text.length; at += GROUP) {
    const amount = Number(text.slice(at + 8, at + GROUP));
    groups.set(text.slice(at + 2, at + 4), text[at + 7] === 'D' ? 0 - amount : amount);
  }
  return groups;
}

type NumberMember = keyof { [K in keyof MessageRecord as MessageRecord[K] extends number ? K : never]: true };
type TextMember = keyof { [K in keyof MessageRecord as MessageRecord[K] extends string ? K : never]: true };

const NUMBERS: readonly [field: string, member: NumberMember][] = [
  ['49', 'currency'],
  ['6', 'billing'],
  ['51', 'billingCurrency'],
  ['3', 'processingCode'],
  ['14', 'expiry'],
  ['18', 'mcc'],
  ['19', 'country'],
  ['22', 'entryMode'],
  ['25', 'condition'],
  ['12', 'localTime'],
  ['13', 'localDate'],
];

const TEXTS: readonly [field: string, member: TextMember][] = [
  ['32', 'acquirer'],
  ['33', 'forwarder'],
  ['37', 'rrn'],
  ['38', 'approval'],
  ['41', 'terminal'],
  ['42', 'acceptor'],
  ['63', 'networkId'],
];

const TAGGED: readonly [tag: string, member: TextMember][] = [
  ['63', 'originalNetworkId'],
  ['80', 'holdReference'],
];

/** Whether the record is of this message: everything that a decision rests on is as it was sent. */
export function fieldsEqual(fields: WireFields, r: MessageRecord): boolean {
  // A field that cannot be read is absent in the record: those behind it may be, too.
  if (r.badField !== 0) return true;
  // Without DE4 nothing is asked for.
  if (digitsOf(fields['4']) !== r.amount && !(fields['4'] === undefined && r.amount === 0)) return false;
  for (const [field, member] of NUMBERS) if (digitsOf(fields[field]) !== r[member]) return false;
  for (const [field, member] of TEXTS) if ((fields[field] ?? '').trimEnd() !== r[member].trimEnd()) return false;
  const tags = tagsOf(fields['48']);
  for (const [tag, member] of TAGGED) if ((tags.get(tag) ?? '').trimEnd() !== r[member]) return false;
  if ((tags.get('20')?.charCodeAt(0) ?? 0) !== r.functionCode) return false;
  if ((tags.get('84')?.charCodeAt(0) ?? 0) !== r.adviceReason) return false;
  if ((tags.get('61')?.startsWith('1') ? 1 : 0) !== r.partial) return false;
  const remaining = fields['95'] === undefined ? -1 : digitsOf(fields['95'].slice(0, 12));
  if (remaining !== r.replacementAmount) return false;
  return originalEqual(fields['90'], r);
}

/** DE90: parts behind the MTI may be zero, which is absent. */
function originalEqual(field: string | undefined, r: MessageRecord): boolean {
  if (field === undefined) return r.originalMti === -1;
  const part = (from: number, to: number): number => Number(field.slice(from, to)) || -1;
  if (r.originalMti !== part(0, 4) || r.originalStan !== part(4, 10)) return false;
  return r.originalTransmission === part(10, 20);
}
