/**
 * Events: what the journal keeps, each with its *results*, so that replay is a fold and never depends on today's rules,
 * clock or keys. The hot one, `MessageEvent`, is a reused object; the others are rare and plain.
 */
import type { AccountStatus, AccountType, CardStatus, ElementKind, EventKind, Reason } from './codes.js';
import { MessageInput } from './message.js';

/** Verdict pairs a message event can hold: 14 steps with room to grow. */
export const VERDICTS_MAX = 24;

/** A 96-bit keyed fingerprint of a PAN, as three unsigned 32-bit words. */
export type Fingerprint = readonly [number, number, number];

/** The decision about one wire message, with everything needed to apply, repeat and explain it. */
export class MessageEvent {
  readonly kind = 5 satisfies typeof EventKind.message;
  /** Journal sequence within the shard, from 1. */
  sequence = 0;
  /** Shard time, ms since 1970 UTC. */
  timeMs = 0;
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
  /** DE38 as a number 0-999999, -1 without. */
  approvalCode = -1;
  /**
   * What was approved, minor units of the account's currency; 0 for declines and inquiries. Of a reversal: the authorized
   * total of its original after it, 0 when nothing stays authorized.
   */
  approvedAmount = 0;
  /** Change of the account's held amount, minor units: positive places, negative releases. */
  holdDelta = 0;
  /** When the placed hold ends, ms since 1970 UTC; 0 without a hold. */
  holdExpiresMs = 0;
  /** Sequence of the authorization this element belongs to (reversals); 0 for a new authorization or none. */
  originalSequence = 0;
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
    this.originalSequence = 0;
    this.tombstone = 0;
    this.creditLimitBefore = 0;
    this.postedBefore = 0;
    this.heldBefore = 0;
    this.previousOfAccount = 0;
    this.previousOfCard = 0;
    this.verdictCount = 0;
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
  previousOfAccount: number;
}

export interface CardUpdated extends EventHead {
  kind: typeof EventKind.cardUpdated;
  cardSlot: number;
  accountSlot: number;
  status: CardStatus;
  previousOfCard: number;
  previousOfAccount: number;
}

export interface NotDelivered extends EventHead {
  kind: typeof EventKind.notDelivered;
  accountSlot: number;
  cardSlot: number;
  /** The authorization whose reply was not delivered. */
  originalSequence: number;
  /** Released amount as a change of held: zero or negative. */
  holdDelta: number;
  previousOfAccount: number;
  previousOfCard: number;
}

/** One leg of a ledger entry: an account of the chart, D positive and C negative, minor units. */
export interface Posting {
  glAccount: number;
  amount: number;
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

export type PlainEvent =
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
