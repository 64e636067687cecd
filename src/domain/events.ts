/**
 * Events: what the journal keeps, each with its *results*, so that replay is a fold and never depends on today's rules,
 * clock or keys. The hot one, `MessageEvent`, is a reused object; the others are rare and plain.
 */
import { CONTROL_CASH_WINDOWS_MAX, CONTROL_WINDOWS_MAX, RULES_PER_SET_MAX } from '../limits.js';
import type { ClearingSort, MatchRung } from './clearing/codes.js';
import type { ClearingInput } from './clearing/input.js';
import {
  type AccountStatus,
  type AccountType,
  type CardStatus,
  CHECK_COUNT,
  type ElementKind,
  type EventKind,
  type Reason,
} from './codes.js';
import type { FieldValue } from './compare-totals.js';
import type { EntryKind } from './ledger/entry-kinds.js';
import { Postings } from './ledger/postings.js';
import { MessageInput } from './message.js';
import type { Counted, TotalsKey } from './totals.js';
import { CounterChanges } from './velocity/counter-changes.js';

/** Windows of a card's controls and of its account's. */
export const READINGS_MAX = 2 * (CONTROL_WINDOWS_MAX + CONTROL_CASH_WINDOWS_MAX);

/** Verdict pairs a message event can hold: 14 steps with room to grow. */
export const VERDICTS_MAX = 24;

/** Bytes of the bit map of matched rules: one bit per rule of the largest set (limits.ts). */
export const RULE_BITS_BYTES = RULES_PER_SET_MAX / 8;

/** Bytes of the issuer's answer to a chip, tag 91 (EMV Book 3: 8 to 16). */
export const ISSUER_DATA_BYTES_MAX = 16;

/** Numbers of a refused control: kind, level, source, index, limit, before, attempted (controls/verdict.ts). */
export const FINDING_NUMBERS = 7;

/** A 96-bit keyed fingerprint of a PAN, as three unsigned 32-bit words. */
export type Fingerprint = readonly [number, number, number];

/** The decision about one wire message, with everything needed to apply, repeat and explain it. */
export class MessageEvent {
  readonly kind = 5 satisfies typeof EventKind.message;
  /** Journal sequence within the shard, from 1. */
  sequence = 0;
  /** Shard time, ms since 1970 UTC. */
  timeMs = 0;
  /** How far behind shard time the time of velocity windows stood, ms: 0 unless the clocks differed (shard/shard-clock.ts). */
  windowLagMs = 0;
  readonly input = new MessageInput();
  element: ElementKind = 1;
  /** Slots of the tables; -1 when the card is unknown. */
  accountSlot = -1;
  cardSlot = -1;
  /** Fingerprint of the PAN when the card is unknown, else zeros. */
  readonly fingerprint = new Uint32Array(3);
  /** DE39 as two ASCII bytes (codes.ts). */
  response = 0;
  reason: Reason = 0;
  /** DE38 as a number (approval-code.ts), -1 without. */
  approvalCode = -1;
  /**
   * What was approved, minor units of the account's currency; 0 for declines and inquiries. Of a reversal: the authorized
   * total of its original after it, 0 when nothing stays authorized.
   */
  approvedAmount = 0;
  /** Change of the account's held amount, minor units: positive places, negative releases. */
  holdDelta = 0;
  /** When the hold ends, ms since 1970 UTC; 0 without a hold, or when the element leaves its end as it is. */
  holdExpiresMs = 0;
  /** Authorized total of the authorization after this element, minor units of the account's currency. */
  authorizedAfter = 0;
  /** 1 when the element places the hold of its authorization anew: it had none any more. */
  holdPlaced = 0;
  /** Bits of `HoldFlag` that the element puts to the hold. */
  holdFlags = 0;
  /** Sequence of the authorization this element belongs to; 0 for a new authorization or none. */
  originalSequence = 0;
  /**
   * Sequence of the increment (or replacement, or part) that a reversal undoes or an advice tells of; of a message whose reversal came
   * first that reversal; else 0.
   */
  elementSequence = 0;
  /**
   * What the message adds to the totals of its date where that is not what its own words say (totals.ts): 1, or 0 when it corrects the amount
   * of what is counted already; -1: as its words say. `countedAmount`: minor units of DE49, below zero for a correction downwards.
   */
  countedNumber = -1;
  countedAmount = 0;
  /** Slot of the network token that the message came with, -1 when it named the card itself. */
  tokenSlot = -1;
  /** CardStatus that a file update lists the card by, active: takes it off the list; 0 without a change. */
  cardStatusAfter = 0;
  /** Revision of the program's snapshot that decided; 0 when the program had none. */
  programRevision = 0;
  /** Active rule that declined, by its place in the snapshot; -1 without. */
  decidingRule = -1;
  /** Rules asked (0 when none were), and a bit per rule that matched; what stands behind those asked means nothing. */
  rulesAsked = 0;
  readonly ruleBits = new Uint8Array(RULE_BITS_BYTES);
  /** The control that refused: FINDING_NUMBERS numbers when `findingCount` is that, none when it is 0. */
  findingCount = 0;
  readonly finding = new Float64Array(FINDING_NUMBERS);
  /** What the message counts or gives back in velocity counters. */
  readonly changes = new CounterChanges();
  /** What the windows of the card and the account held before: pairs of amount and count, the card's first. */
  cardReadings = 0;
  accountReadings = 0;
  readonly readings = new Float64Array(READINGS_MAX * 2);
  /** 1 when the program checked something that the message carries; else what follows means nothing. */
  checked = 0;
  /** CheckOutcome by Check. */
  readonly checks = new Uint8Array(CHECK_COUNT);
  /** Failed PINs of the card afterwards; -1 leaves them. */
  pinTriesAfter = -1;
  /** The chip's counter (ATC) when its cryptogram was right, and the highest one that was seen before; -1 without. */
  counter = -1;
  counterBefore = -1;
  /** How long answers of devices were waited for, us; -1 when none was asked. Behind it DeviceFailure. */
  deviceWaitUs = -1;
  deviceFailure = 0;
  /** The issuer's answer to the chip, value of tag 91: part of the reply, and so of a repeated one. */
  issuerDataLength = 0;
  readonly issuerData = new Uint8Array(ISSUER_DATA_BYTES_MAX);
  /** What a single message posts. */
  readonly postings = new Postings();
  /** 1 when a reversal found no original and stands as a tombstone. */
  tombstone = 0;
  /** Balances before the decision, minor units of the account's currency (explain, DE54). */
  creditLimitBefore = 0;
  postedBefore = 0;
  heldBefore = 0;
  /** Sequence of the previous record of the same account and of the same card; 0 for the first. */
  previousOfAccount = 0;
  previousOfCard = 0;
  /** Ordered (step, verdict) pairs. */
  readonly verdicts = new Uint8Array(VERDICTS_MAX * 2);
  verdictCount = 0;

  clear(): void {
    this.sequence = 0;
    this.timeMs = 0;
    this.element = 1;
    this.accountSlot = -1;
    this.cardSlot = -1;
    this.fingerprint.fill(0);
    this.response = 0;
    this.reason = 0;
    this.approvalCode = -1;
    this.approvedAmount = 0;
    this.holdDelta = 0;
    this.holdExpiresMs = 0;
    this.clearEffects();
    this.tombstone = 0;
    this.creditLimitBefore = 0;
    this.postedBefore = 0;
    this.heldBefore = 0;
    this.previousOfAccount = 0;
    this.previousOfCard = 0;
    this.verdictCount = 0;
  }

  /** Everything that most decisions leave as it is. */
  clearEffects(): void {
    this.windowLagMs = 0;
    this.authorizedAfter = 0;
    this.holdPlaced = 0;
    this.holdFlags = 0;
    this.originalSequence = 0;
    this.elementSequence = 0;
    this.countedNumber = -1;
    this.countedAmount = 0;
    this.tokenSlot = -1;
    this.cardStatusAfter = 0;
    this.programRevision = 0;
    this.decidingRule = -1;
    this.rulesAsked = 0;
    this.findingCount = 0;
    this.changes.clear();
    this.cardReadings = 0;
    this.accountReadings = 0;
    this.checked = 0;
    this.pinTriesAfter = -1;
    this.counter = -1;
    this.counterBefore = -1;
    this.deviceWaitUs = -1;
    this.deviceFailure = 0;
    this.issuerDataLength = 0;
    this.postings.clear();
  }

  /** The time by which velocity windows count, ms since 1970 UTC. */
  get windowMs(): number {
    return this.timeMs - this.windowLagMs;
  }

  verdict(step: number, verdict: number): void {
    this.verdicts[this.verdictCount * 2] = step;
    this.verdicts[this.verdictCount * 2 + 1] = verdict;
    this.verdictCount++;
  }
}

/** Common head of every plain event. */
interface EventHead {
  /** Journal sequence within the shard; 0 until appended. */
  sequence: number;
  timeMs: number;
}

export interface AccountCreated extends EventHead {
  kind: typeof EventKind.accountCreated;
  accountSlot: number;
  /** Public id, 1-64 characters of [A-Za-z0-9_.-]. */
  id: string;
  /** Index of the program in the system journal. */
  program: number;
  /** ISO 4217 numeric. */
  currency: number;
  creditLimit: number;
  type: AccountType;
}

export interface AccountUpdated extends EventHead {
  kind: typeof EventKind.accountUpdated;
  accountSlot: number;
  /** The values after the change. */
  creditLimit: number;
  status: AccountStatus;
  previousOfAccount: number;
}

export interface CardCreated extends EventHead {
  kind: typeof EventKind.cardCreated;
  cardSlot: number;
  accountSlot: number;
  fingerprint: Fingerprint;
  /** First six and last four digits, as integers, and the PAN's length: all a mask needs. */
  bin: number;
  last4: number;
  panLength: number;
  /** YYMM. */
  expiry: number;
  cardSequence: number;
  serviceCode: number;
  status: CardStatus;
  /** Slot of the card it replaces, -1 for none. */
  replacesSlot: number;
  /** Slot of the card that a network token stands for, -1 for a card. */
  aliasOfSlot: number;
  previousOfAccount: number;
}

export interface CardUpdated extends EventHead {
  kind: typeof EventKind.cardUpdated;
  cardSlot: number;
  accountSlot: number;
  status: CardStatus;
  /** Failed PINs afterwards, 0-255; -1 leaves them. */
  pinTries: number;
  previousOfCard: number;
  previousOfAccount: number;
}

export interface NotDelivered extends EventHead {
  kind: typeof EventKind.notDelivered;
  accountSlot: number;
  cardSlot: number;
  /** The approval whose reply was not delivered. */
  originalSequence: number;
  /** The authorization it belongs to: itself, but for an increment. */
  authorizationSequence: number;
  /** Authorized total of that authorization afterwards, minor units. */
  authorizedAfter: number;
  /** Released amount as a change of held: zero or negative. */
  holdDelta: number;
  /** What of the approval goes out of the totals of its business date; undefined for nothing. */
  counted: Counted | undefined;
  /** Legs that undo what the approval posted. */
  postings: Posting[];
  /** Give-backs to velocity counters, packed (velocity/counter-changes.ts). */
  changes: Uint8Array;
  previousOfAccount: number;
  previousOfCard: number;
}

/** One leg of a ledger entry: an account of the chart, D positive and C negative, minor units. */
export interface Posting {
  glAccount: number;
  amount: number;
}

/** One leg of an entry that may cross currencies or touch a network's settlement. */
export interface EntryLeg extends Posting {
  /** ISO 4217 numeric. */
  currency: number;
  /** Sub-account (ledger/sub-account.ts), 0 for none. */
  sub: number;
}

/** A ledger entry that no message makes (ledger/entries.ts). */
export interface EntryPosted extends EventHead {
  kind: typeof EventKind.entryPosted;
  entry: EntryKind;
  /** -1 when no cardholder account takes part. Legs of its components are in its currency. */
  accountSlot: number;
  /** Card that the entry is about, -1 for none. */
  cardSlot: number;
  /** Day that the entry counts for, days since 1970-01-01. */
  day: number;
  /**
   * Names the entry within its kind and its account (of an entry without one: within the book): what was posted is not posted again.
   * '' of an entry of the daily accrual, which has another bar (AccrualMarked).
   */
  reference: string;
  /** Sequence of the record that the entry takes back, resolves or goes on from; 0 for none. */
  relatedSequence: number;
  /** What people say about it, such as the reason of a dispute; '' without. Holds no card number. */
  note: string;
  /** Interest that is less than a minor unit after an accrual, INTEREST_UNITS to the minor unit (ledger/interest.ts); else 0. */
  carry: number;
  /** Balanced per currency: the sum of amounts is zero. */
  legs: EntryLeg[];
  /** Of a provisional credit, a chargeback and its reversal; absent of what earlier releases wrote. */
  disputed?: Disputed;
  /** Of what ends a dispute and leaves the cardholder some of it; absent of what earlier releases wrote. */
  ended?: DisputeEnd;
  /** 0 without an account. */
  previousOfAccount: number;
  /** 0 without a card. */
  previousOfCard: number;
}

/** What a dispute is about, and why. */
export interface Disputed {
  /** Sequence of the record that posted it. */
  readonly posted: number;
  /** Its DE31, by which a network knows it; '' when no clearing record posted it, or one without. */
  readonly arn: string;
  /** DE25 of the chargeback, four digits; '' of a provisional credit. */
  readonly reasonCode: string;
  /** Of a provisional credit: the record that it is about, as it stood then. Not in records of earlier releases. */
  readonly charge?: DisputedCharge;
}

/**
 * What was charged and is disputed, as of the provisional credit: a dispute may end when that record is not in the journal any more. Minor
 * units of the account's currency, from 0.
 */
export interface DisputedCharge {
  /** Without mark-up and fee. */
  readonly amount: number;
  /** Of the amount. */
  readonly cash: number;
  readonly markup: number;
  readonly fee: number;
  /** What of the amount, the mark-up and the fee had gone back without a dispute. */
  readonly back: number;
  readonly markupBack: number;
  readonly feeBack: number;
}

/** How a dispute ended: what its provisional credit was for may be months behind it, so the end says it again. */
export interface DisputeEnd {
  /** Sequence of the record that posted what was disputed. */
  readonly posted: number;
  /** What of the provisional credit the cardholder keeps, minor units of the account's currency, from 1. */
  readonly kept: number;
}

/** One record of a clearing file, and what it did. */
export interface ClearingPosted extends EventHead {
  kind: typeof EventKind.clearingPosted;
  /** -1 when the card is unknown. */
  accountSlot: number;
  /** Slot of the card, -1 when it is unknown; of the network token that the record named, -1 without. */
  cardSlot: number;
  tokenSlot: number;
  /** Of the number when the card is unknown, else zeros. */
  fingerprint: Fingerprint;
  /** Names the file (IPM PDS0105); with the number of the record it is unique. */
  file: string;
  input: ClearingInput;
  sort: ClearingSort;
  rung: MatchRung;
  /** Bits of ClearingFlag (clearing/codes.ts). */
  flags: number;
  /** Sequence of the authorization that it belongs to; 0 for none. */
  originalSequence: number;
  /** Sequence of the clearing record that it takes back, refunds or presents again; 0 for none. */
  relatedSequence: number;
  /** Sequence of the dispute whose next step it is: of a second presentment; 0 for none. */
  disputeSequence: number;
  /** How far the time of velocity windows was behind `timeMs`, ms: 0 unless the clocks differed. */
  windowLagMs: number;
  /** What the cardholder is charged (positive) or given (negative), without fees; minor units of the account's currency. */
  posted: number;
  /** Authorized total of the authorization afterwards, what was cleared included; minor units of the account's currency. */
  authorizedAfter: number;
  /** What is released of the hold, as a change of held: zero or negative. */
  holdDelta: number;
  /** Bits of `HoldFlag` that the record puts to the hold. */
  holdFlags: number;
  /** Revision of the program's snapshot that decided; 0 when the program had none. */
  programRevision: number;
  /** What it counts in velocity counters or gives back to them, packed (velocity/counter-changes.ts). */
  changes: Uint8Array;
  /** Balanced per currency. */
  legs: EntryLeg[];
  /** 0 without an account. */
  previousOfAccount: number;
  /** 0 without a card. */
  previousOfCard: number;
}

/** Stands behind the entries of a slice of the daily accrual, in their frame. */
export interface AccrualMarked extends EventHead {
  kind: typeof EventKind.accrualMarked;
  /** Days since 1970-01-01. */
  day: number;
  /** Accounts below this slot are done for the day. */
  nextSlot: number;
}

export interface StatementClosed extends EventHead {
  kind: typeof EventKind.statementClosed;
  accountSlot: number;
  /** Its day, days since 1970-01-01: the last one on it. */
  day: number;
  /** Posted balance, minor units of the account's currency. */
  balance: number;
  minimumDue: number;
  /** Days since 1970-01-01. */
  dueDay: number;
  previousOfAccount: number;
}

export interface PaymentPosted extends EventHead {
  kind: typeof EventKind.payment;
  accountSlot: number;
  amount: number;
  /** ISO 4217 numeric: the account's currency. */
  currency: number;
  /** Unique per account. */
  reference: string;
  /** Balanced legs: the sum of amounts is zero. */
  postings: Posting[];
  previousOfAccount: number;
}

export interface PoisonSetAside extends EventHead {
  kind: typeof EventKind.poison;
  /** 64-bit hash of the message that stopped the shard. */
  hashHigh: number;
  hashLow: number;
  /** What the shard threw, without data of the message. */
  error: string;
}

export interface UnknownCardCount extends EventHead {
  kind: typeof EventKind.unknownCardCount;
  count: number;
}

export interface IdempotencyKept extends EventHead {
  kind: typeof EventKind.idempotency;
  /** HMAC-SHA-256 of the key and of the body, 32 bytes each. */
  keyHash: Uint8Array;
  bodyHash: Uint8Array;
  /** msgpack of the CommandResult. */
  outcome: Uint8Array;
}

export interface ProgramApplied extends EventHead {
  kind: typeof EventKind.programApplied;
  /** Index of the program in the system journal. */
  program: number;
  /** Rises with every change of the program, of its default controls and of its rules. */
  revision: number;
  /** JSON of the snapshot (program/snapshot.ts). */
  text: string;
}

export interface ControlsSet extends EventHead {
  kind: typeof EventKind.controlsSet;
  accountSlot: number;
  /** Slot of the card, -1 for the controls of the account. */
  cardSlot: number;
  /** JSON as it was given, checked by the control plane; empty: none of its own. */
  text: string;
  previousOfAccount: number;
  /** 0 for the controls of an account. */
  previousOfCard: number;
}

export interface PinReferenceSet extends EventHead {
  kind: typeof EventKind.pinReferenceSet;
  accountSlot: number;
  cardSlot: number;
  /** Sealed by the vault (vault/pin-references.ts), PIN_REFERENCE_BYTES; empty: the card has no PIN any more. */
  sealed: Uint8Array;
  previousOfAccount: number;
  previousOfCard: number;
}

export interface FingerprintChanged extends EventHead {
  kind: typeof EventKind.fingerprintChanged;
  /** Of a card or of a network token. */
  cardSlot: number;
  /** Of its number, under the fingerprint key that is active now. */
  fingerprint: Fingerprint;
  /** Its PIN reference, sealed anew: a seal is bound to the fingerprint. PIN_REFERENCE_BYTES; empty: it has none. */
  sealed: Uint8Array;
  previousOfCard: number;
}

export interface HoldExpired extends EventHead {
  kind: typeof EventKind.holdExpired;
  accountSlot: number;
  cardSlot: number;
  /** The authorization whose hold ends. */
  originalSequence: number;
  /** Authorized total afterwards, minor units: what was cleared. */
  authorizedAfter: number;
  /** Released amount as a change of held: zero (of a refund authorization) or negative. */
  holdDelta: number;
  /** Give-backs to velocity counters, packed (velocity/counter-changes.ts). */
  changes: Uint8Array;
  previousOfAccount: number;
  previousOfCard: number;
}

/** The answer to a 0500 or 0520, with both sides. */
export interface TotalsCompared extends EventHead, TotalsKey {
  kind: typeof EventKind.totalsCompared;
  /** DE0, DE7 and DE11 of the message. */
  mti: number;
  transmission: number;
  stan: number;
  /** 1 when every field that the acquirer sent is as ours. */
  equal: number;
  theirs: FieldValue[];
  /** DE74 to 89 and 97, ascending. */
  ours: FieldValue[];
}

export type PlainEvent =
  | ClearingPosted
  | EntryPosted
  | AccrualMarked
  | StatementClosed
  | TotalsCompared
  | HoldExpired
  | ProgramApplied
  | ControlsSet
  | PinReferenceSet
  | FingerprintChanged
  | AccountCreated
  | AccountUpdated
  | CardCreated
  | CardUpdated
  | NotDelivered
  | PaymentPosted
  | PoisonSetAside
  | UnknownCardCount
  | IdempotencyKept;

export type DomainEvent = MessageEvent | PlainEvent;
