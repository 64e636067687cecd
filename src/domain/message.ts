/**
 * The normalized input of a decision: what a wire message says, freed of its dialect. One instance is
 * reused for every message of a shard; nothing here is allocated per message.
 *
 * Numbers are integers; `ABSENT` (-1) means the field was not in the message. Texts (identifiers whose characters matter)
 * live as ASCII bytes in `text`; `textAt[i]` and `textLength[i]` bound text `i` of `Text`. Fixed-width texts keep their
 * padding. A length of 0 means absent.
 */
import { assert } from '../errors.js';
import { MESSAGE_TEXT_BYTES } from '../limits.js';

export const ABSENT = -1;

/** Texts a decision, a match or an explanation may need. The numbers are part of the journal's format. */
export const Text = {
  /** DE32 acquiring institution. */
  acquirer: 0,
  /** DE33 forwarding institution. */
  forwarder: 1,
  /** DE37 retrieval reference number, 12. */
  rrn: 2,
  /** DE38 of a reversal: approval code of the original, 6. */
  approval: 3,
  /** DE41 terminal, 8. */
  terminal: 4,
  /** DE42 card acceptor, 15. */
  acceptor: 5,
  /** DE43 name and location, 40. */
  acceptorName: 6,
  /** DE63 network transaction id, up to 15. */
  networkId: 7,
  /** DE48 tag 63: network transaction id of the original. */
  originalNetworkId: 8,
  /** DE90 acquirer of the original, leading zeros removed; empty when zero-filled. */
  originalAcquirer: 9,
  /** DE90 forwarder of the original, leading zeros removed; empty when zero-filled. */
  originalForwarder: 10,
  /** DE48 tag 80: the acquirer's reference of a hold, up to 40. */
  holdReference: 11,
} as const;
export type Text = (typeof Text)[keyof typeof Text];
export const TEXT_COUNT = 12;

/** Sensitive data the message carried, as bits: recorded as present, never stored. */
export const Carried = { track2: 1, track1: 2, pin: 4, chip: 8, cvv2: 16, addressCheck: 32, threeDSecure: 64 } as const;

/** Class of a message: 1 authorization, 2 financial, 3 file update, 4 reversal. */
export const classOf = (mti: number): number => Math.floor(mti / 100) % 10;

/** True for xxx1 and xxx3: the sender says that it sends this again. */
export const isMarkedRepeat = (mti: number): boolean => mti % 2 === 1;

/** Functions of served types: the tens of an MTI. */
const REQUEST = 0;
const ADVICE = 2;

/** True for an advice (0120, 0220, 0420 and their repeats): the network tells what it has decided. */
export const isAdvice = (mti: number): boolean => Math.floor(mti / 10) % 10 === ADVICE;

/**
 * True for the message types that are decided (DE0 as an integer): requests and advices of authorizations (01xx), financial
 * messages (02xx) and reversals (04xx), each also as a repeat, and file updates (0302, 0303).
 */
export function isServed(mti: number): boolean {
  if (mti === 302 || mti === 303) return true;
  const messageClass = classOf(mti);
  if (messageClass !== 1 && messageClass !== 2 && messageClass !== 4) return false;
  const kind = Math.floor(mti / 10) % 10;
  return mti < 1000 && (kind === REQUEST || kind === ADVICE) && mti % 10 <= 1;
}

export class MessageInput {
  /** Index of the dialect in `dialectNames` (iso8583). */
  dialect = 0;
  /** Number of the link (listener) the message came over; 0 for the simulator. */
  link = 0;
  /** DE0 as an integer: 100, 101, 400, 421 ... */
  mti = 0;
  /** DE3, six digits as an integer. */
  processingCode = ABSENT;
  /** DE4, minor units of `currency`. */
  amount = ABSENT;
  /** DE49, ISO 4217 numeric. */
  currency = ABSENT;
  /** DE6, minor units of `billingCurrency`. */
  billingAmount = ABSENT;
  /** DE51, ISO 4217 numeric. */
  billingCurrency = ABSENT;
  /** DE7 MMDDhhmmss as an integer, UTC, no year. */
  transmission = ABSENT;
  /** DE11. */
  stan = ABSENT;
  /** DE12 hhmmss, DE13 MMDD: local to the acquirer. */
  localTime = ABSENT;
  localDate = ABSENT;
  /** DE14 YYMM. */
  expiry = ABSENT;
  /** DE15 MMDD. */
  settlementDate = ABSENT;
  /** DE18 merchant category code. */
  mcc = ABSENT;
  /** DE19 country of the acquirer, ISO 3166 numeric. */
  country = ABSENT;
  /** DE22, three digits: the first two are the entry mode. */
  entryMode = ABSENT;
  /** DE23 card sequence number. */
  cardSequence = ABSENT;
  /** DE25. */
  condition = ABSENT;
  /** DE90 parts; ABSENT when DE90 is missing or the part is zero-filled. */
  originalMti = ABSENT;
  originalStan = ABSENT;
  originalTransmission = ABSENT;
  /** DE95: what remains authorized, minor units of `currency`. */
  replacementAmount = ABSENT;
  /** Business day the message belongs to, days since 1970: DE15, else the link's date, else the day of the shard time in UTC. */
  businessDay = ABSENT;
  /** DE54 amount type 40: the cash part of a purchase with cash back, minor units of `currency`. */
  cashBack = ABSENT;
  /** DE48 tag 84: the character code of S, D or C; 0 when absent. */
  adviceReason = 0;
  /** DE91 of a file update: the character code of what to do; 0 when absent. */
  fileAction = 0;
  /** DE127 of a file update: action code of the listing, two digits. */
  fileCode = ABSENT;
  /** DE48 tag 20: the character code of N, E, F, I or R; 0 when absent. */
  functionCode = 0;
  /** DE48 tag 61: 1 when the terminal supports partial approvals. */
  partialSupported = 0;
  /** DE48 tag 42: three digits. */
  threeDSecureLevel = ABSENT;
  /** Bits of `Carried`. */
  carried = 0;
  /** 0 when well-formed; else the number of the first missing or malformed field (step 1 answers 30). */
  badField = 0;
  /** 1 when `badField` is missing rather than malformed. */
  badFieldMissing = 0;

  /** Source of the texts: a scratch buffer on the live path, the frame's body when read back from the journal. */
  text: Uint8Array = new Uint8Array(MESSAGE_TEXT_BYTES);
  readonly textAt = new Uint32Array(TEXT_COUNT);
  readonly textLength = new Uint8Array(TEXT_COUNT);

  /** Sets every field to absent. The scratch buffer is kept. */
  clear(): void {
    this.dialect = 0;
    this.link = 0;
    this.mti = 0;
    this.processingCode = ABSENT;
    this.amount = ABSENT;
    this.currency = ABSENT;
    this.billingAmount = ABSENT;
    this.billingCurrency = ABSENT;
    this.transmission = ABSENT;
    this.stan = ABSENT;
    this.localTime = ABSENT;
    this.localDate = ABSENT;
    this.expiry = ABSENT;
    this.settlementDate = ABSENT;
    this.mcc = ABSENT;
    this.country = ABSENT;
    this.entryMode = ABSENT;
    this.cardSequence = ABSENT;
    this.condition = ABSENT;
    this.originalMti = ABSENT;
    this.originalStan = ABSENT;
    this.originalTransmission = ABSENT;
    this.replacementAmount = ABSENT;
    this.businessDay = ABSENT;
    this.cashBack = ABSENT;
    this.adviceReason = 0;
    this.fileAction = 0;
    this.fileCode = ABSENT;
    this.functionCode = 0;
    this.partialSupported = 0;
    this.threeDSecureLevel = ABSENT;
    this.carried = 0;
    this.badField = 0;
    this.badFieldMissing = 0;
    this.textLength.fill(0);
  }

  /** Text `which` as a string, without trailing spaces. Cold paths only. */
  textOf(which: Text): string {
    const at = this.textAt[which]!;
    let end = at + this.textLength[which]!;
    while (end > at && this.text[end - 1] === 0x20) end--;
    let out = '';
    for (let i = at; i < end; i++) out += String.fromCharCode(this.text[i]!);
    return out;
  }

  /** Puts a text (tests and the simulator). */
  setText(which: Text, value: string): void {
    let at = 0;
    // What is absent takes no room, wherever it was before `clear`.
    for (let i = 0; i < TEXT_COUNT; i++) {
      if (this.textLength[i]! > 0) at = Math.max(at, this.textAt[i]! + this.textLength[i]!);
    }
    assert(at + value.length <= this.text.length, 'the texts of a message fit its buffer');
    this.textAt[which] = at;
    this.textLength[which] = value.length;
    for (let i = 0; i < value.length; i++) this.text[at + i] = value.charCodeAt(i);
  }
}
