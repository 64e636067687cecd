/** Writes that post ledger entries: payments, fees, settlements, disputes, suspense, and the daily accrual (commands.ts says how they travel). */
import type { ClearingSort } from './clearing/codes.js';
import type { ClearingInput } from './clearing/input.js';
import type { DisputeStep } from './ledger/dispute-steps.js';
import type { IdempotencyTag } from './party-commands.js';

export interface PostPayment {
  op: 'payment';
  account: string;
  amount: number;
  currency: number;
  reference: string;
  idempotency?: IdempotencyTag;
}

/** An amount above zero that an account is debited or credited with. */
interface AccountAmount {
  account: string;
  amount: number;
  /** ISO 4217 numeric: the account's. */
  currency: number;
  /** Unique per account and kind of entry. */
  reference: string;
  idempotency?: IdempotencyTag;
}

export interface ChargeFee extends AccountAmount {
  op: 'fee';
  note: string;
}

/** Takes a fee back in full, once. */
export interface WaiveFee {
  op: 'waive_fee';
  /** Of the fee's entry. */
  sequence: number;
  note: string;
  idempotency?: IdempotencyTag;
}

/** Takes a payment back in full, once. */
export interface ReturnPayment {
  op: 'return_payment';
  /** Of the payment. */
  sequence: number;
  /** Fee for it, minor units; 0 for none, -1 for that of the program, which an account that is charged off does not get. */
  fee: number;
  note: string;
  idempotency?: IdempotencyTag;
}

/** Pays out what the account has in credit beyond what it owes. */
export interface RefundCredit extends AccountAmount {
  op: 'refund_credit';
}

/** All that the account owes becomes a loss, and the account is closed. */
export interface ChargeOff {
  op: 'charge_off';
  account: string;
  reference: string;
  note: string;
  idempotency?: IdempotencyTag;
}

/** Money for what was charged off. */
export interface Recover extends AccountAmount {
  op: 'recovery';
}

/** Money that a network took or paid for one settlement. */
export interface Settle {
  op: 'settlement';
  /** Sub-account (ledger/sub-account.ts). */
  sub: number;
  /** ISO 4217 numeric. */
  currency: number;
  /** Minor units; above zero we paid, below zero we got. */
  amount: number;
  /** Balance of the sub-account over all shards before it, C positive: what we owe. */
  owed: number;
  /** A difference up to this, from 0, goes to 5900; a larger one stays on the sub-account. */
  roundingMax: number;
  /** Unique in the book. */
  reference: string;
  idempotency?: IdempotencyTag;
}

export interface NetworkFee {
  op: 'network_fee';
  sub: number;
  currency: number;
  /** Minor units; above zero the network takes it, below zero it gives it. */
  amount: number;
  /** Unique in the book. */
  reference: string;
  note: string;
  idempotency?: IdempotencyTag;
}

/** Begins a dispute with the provisional credit. */
export interface OpenDispute extends AccountAmount {
  op: 'open_dispute';
  /** Sequence of the authorization or entry that is disputed. */
  relatedSequence: number;
  note: string;
}

/** Takes the next step of a dispute. */
export interface StepDispute {
  op: 'dispute_step';
  /** Of the provisional credit. */
  sequence: number;
  step: DisputeStep;
  /** What the network settles, for a chargeback and a second presentment; amounts are minor units of its currency, from zero. */
  settled?: { sub: number; currency: number; amount: number; interchange: number };
  /**
   * Of a chargeback and a second presentment: how much of the dispute, minor units of the account's currency, from 1. Without it
   * all that is disputed, and all that was charged back.
   */
  amount?: number;
  /** DE25 of a chargeback: four digits. */
  reasonCode?: string;
  note: string;
  idempotency?: IdempotencyTag;
}

/** Says where an item in suspense goes, once: the shard of the record. What goes to a card is posted by `TakeFromSuspense`. */
export interface ResolveSuspense {
  op: 'resolve_suspense';
  /** Of the clearing record. */
  sequence: number;
  to: 'card' | 'loss' | 'network';
  /** Public id of the card; '' of others. */
  card: string;
  /** Of the network: sub-account of the settlement in which it takes it back; 0: that of the record. */
  sub: number;
  note: string;
  idempotency?: IdempotencyTag;
}

/** Posts an item in suspense to the account of a card, as its record would have been, once. */
export interface TakeFromSuspense {
  op: 'take_from_suspense';
  cardSlot: number;
  /** Shard and sequence of the clearing record, and what it says. */
  shard: number;
  sequence: number;
  sort: ClearingSort;
  input: ClearingInput;
  /** What is held on 1390 (suspense.ts). */
  held: { amount: number; currency: number };
  /** In the account's currency, minor units; 0: as the record says it, which must be in that currency. */
  amount: number;
  note: string;
  /** True: only says whether it could be done. */
  dry: boolean;
  idempotency?: IdempotencyTag;
}

/** The next slice of the daily accrual. */
export interface Accrue {
  op: 'accrue';
  /** Days since 1970-01-01. */
  day: number;
  /** Accounts of the slice at most. */
  limit: number;
  /** True when another shard has done this day: a shard that has done none then begins with it, however old it is. */
  isBegun?: boolean;
}

/** What decide-entry.ts decides. */
export type EntryCommand =
  | ChargeFee
  | WaiveFee
  | ReturnPayment
  | RefundCredit
  | ChargeOff
  | Recover
  | Settle
  | NetworkFee
  | OpenDispute
  | StepDispute
  | ResolveSuspense
  | TakeFromSuspense;

/** What a slice of the daily accrual did. */
export interface AccruedSlice {
  /** The day it was for, days since 1970-01-01: one before the asked one while that was not finished. */
  day: number;
  /** True when every account is done for the asked day. */
  isDone: boolean;
  accounts: number;
  entries: number;
  statements: number;
}
