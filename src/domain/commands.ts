/**
 * Writes and reads of the control plane and, of totals, of the ingress, as they cross the rings (msgpack). A command is validated for shape by the
 * control plane and for meaning by the shard; a refusal is a value with a code, never an exception.
 */
import type { ClearingSort } from './clearing/codes.js';
import type { ClearingAnswer, ClearingEntry, ClearingInput } from './clearing/input.js';
import type { AccountStatus, AccountType, CardStatus } from './codes.js';
import type { FieldValue } from './compare-totals.js';
import type { ControlLevel } from './controls/spec.js';
import type { Fingerprint } from './events.js';
import type { DisputeStep, StepTaken } from './ledger/dispute-steps.js';
import type { EntryKind } from './ledger/entry-kinds.js';
import type { RevisionStats } from './rule-stats.js';
import type { SuspenseState } from './suspense.js';
import type { TotalsKey } from './totals.js';
import type { WindowUnit } from './velocity/windows.js';

/** Idempotency of one API write: HMAC-SHA-256 of key and body, 32 bytes each. Both are kept in the same frame as the effect. */
export interface IdempotencyTag {
  keyHash: Uint8Array;
  bodyHash: Uint8Array;
}

/**
 * `controlsRevision`, beside `controls`: revision of the program that they were checked under. A shard that decides with an
 * older one refuses them (`shard_unavailable`): it may lack a category group that they name.
 */
export interface CreateAccount {
  op: 'create_account';
  /** 1-64 characters of [A-Za-z0-9_.-]; decides the shard (journal/placement). */
  id: string;
  program: number;
  currency: number;
  creditLimit: number;
  type: AccountType;
  /** Controls as JSON, checked by the control plane. */
  controls?: string;
  controlsRevision?: number;
  idempotency?: IdempotencyTag;
}

export interface UpdateAccount {
  op: 'update_account';
  id: string;
  creditLimit?: number;
  status?: AccountStatus;
  /** Controls as JSON, checked by the control plane; '' takes them away. */
  controls?: string;
  controlsRevision?: number;
  idempotency?: IdempotencyTag;
}

/** The PAN itself is in the vault already, under the fingerprint. */
export interface CreateCard {
  op: 'create_card';
  account: string;
  fingerprint: Fingerprint;
  bin: number;
  last4: number;
  panLength: number;
  expiry: number;
  cardSequence: number;
  serviceCode: number;
  status: CardStatus;
  /** Slot of the replaced card in the same shard; -1 for none. */
  replacesSlot: number;
  /** Controls as JSON, checked by the control plane. Absent: those of the card that it replaces. */
  controls?: string;
  controlsRevision?: number;
  /** Sealed reference value of its PIN (vault/pin-references.ts). */
  pinReference?: Uint8Array;
  idempotency?: IdempotencyTag;
}

/** A network token of a card: a number of its own that stands for it. The number is in the vault already. */
export interface CreateAlias {
  op: 'create_alias';
  cardSlot: number;
  fingerprint: Fingerprint;
  bin: number;
  last4: number;
  panLength: number;
  expiry: number;
  status: CardStatus;
  idempotency?: IdempotencyTag;
}

/** Of a card, or of a network token. */
export interface UpdateCard {
  op: 'update_card';
  cardSlot: number;
  /** Absent: nothing changes, and the card is answered as it is. */
  status?: CardStatus;
  /** Failed PINs, 0-255; 0 lets the card try again. */
  pinTries?: number;
  /** Controls as JSON, checked by the control plane; '' takes them away. */
  controls?: string;
  controlsRevision?: number;
  /** Sealed reference value of its PIN, empty: it has none any more. */
  pinReference?: Uint8Array;
  idempotency?: IdempotencyTag;
}

/** Rows of one shard; each is decided alone, in order, all in one frame. */
export interface ImportRows {
  op: 'import';
  rows: { account: Omit<CreateAccount, 'op'>; card?: Omit<CreateCard, 'op' | 'account'> }[];
}

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

/**
 * Binds an idempotency key to one body, in the shard that owns the key, before anything is done under it. A key that is
 * bound to another body is refused as `idempotency_mismatch`.
 */
export interface ClaimKey {
  op: 'claim_key';
  idempotency: IdempotencyTag;
}

/** Keeps the answer to a request that left no outcome beside an effect (a refusal, a simulation) in the key's shard. */
export interface KeepAnswer {
  op: 'keep_answer';
  idempotency: IdempotencyTag;
  answer: Uint8Array;
}

/** Ends the hold of the authorization at the sequence at once, before its time: the simulator. */
export interface ExpireHold {
  op: 'expire_hold';
  sequence: number;
}

/** The snapshot of a program as it is now (program/snapshot.ts). Ignored unless its revision is above the shard's. */
export interface ApplyProgram {
  op: 'apply_program';
  /** Index of the program in the system journal. */
  program: number;
  revision: number;
  text: string;
}

/** A read: the totals of an acquirer's business date in one shard. */
export interface AcquirerTotals extends TotalsKey {
  op: 'acquirer_totals';
}

/** Compares what an acquirer says (0500, 0520) with the sum over the shards, and journals both. */
export interface CompareTotals extends TotalsKey {
  op: 'compare_totals';
  /** DE0, DE7 and DE11 of the message. */
  mti: number;
  transmission: number;
  stan: number;
  /** False when the message named no date: then its repeat is told by the rest. */
  dated: boolean;
  theirs: FieldValue[];
  /** A row of totals (totals-table.ts). */
  sums: number[];
}

/**
 * Records of a clearing file about cards of one shard (of unknown cards: where messages of that number go), in their order, at
 * most CLEARING_COMMAND_RECORDS_MAX. The answer may be about the first of them only, at least one: the shard leaves the rest
 * when its turn has no more time. Sent again it posts nothing twice, so what was cut off is simply sent again.
 */
export interface Clear {
  op: 'clear';
  /** Names the file, 1 to 64 characters: IPM PDS0105. With the number of a record it is unique. */
  file: string;
  records: ClearingEntry[];
  /**
   * The numbers were unknown until lately: what was posted to suspense under them is found, and what takes such a record back is
   * posted there too. Every other record answers `elsewhere`, and belongs to its card.
   */
  asUnknown?: boolean;
}

/** What decide-command.ts decides. */
export type Change =
  | CreateAccount
  | UpdateAccount
  | CreateCard
  | CreateAlias
  | UpdateCard
  | ImportRows
  | PostPayment
  | EntryCommand;

export type Command = Change | Clear | Accrue | ApplyProgram | ClaimKey | KeepAnswer | ExpireHold | CompareTotals;

export type Refusal =
  | 'account_exists'
  | 'account_not_found'
  | 'account_closed'
  | 'card_exists'
  | 'card_not_found'
  | 'card_status_final'
  | 'card_replaced'
  | 'not_a_card'
  | 'currency_mismatch'
  | 'reference_exists'
  | 'entry_not_found'
  | 'already_reversed'
  | 'balance_too_low'
  | 'nothing_owed'
  | 'account_charged_off'
  | 'dispute_step_refused'
  | 'given_back'
  | 'suspense_amount'
  | 'already_resolved'
  | 'day_out_of_range'
  | 'amount_out_of_range'
  | 'capacity_exceeded'
  | 'idempotency_mismatch'
  | 'hold_not_open'
  /** It needs a record that is not in the journal any more. */
  | 'dropped'
  /** It stopped the shard once, and is not tried again. */
  | 'set_aside'
  | 'shard_unavailable';

export interface AccountView {
  slot: number;
  id: string;
  program: number;
  currency: number;
  creditLimit: number;
  type: AccountType;
  status: AccountStatus;
  posted: number;
  held: number;
  /** Its own controls as JSON, '' without. Not in the rows of a list: a page of them might not fit the ring. */
  controls?: string;
  /** Sequence of the record that set them; 0 when there never were any. */
  controlsSequence: number;
  createdMs: number;
  /** Newest record of the account in its shard: the head of its list. */
  newestSequence: number;
}

export interface CardView {
  slot: number;
  account: string;
  /** Program of the account. */
  program: number;
  /** Finds the card number in the vault. */
  fingerprint: Fingerprint;
  bin: number;
  last4: number;
  panLength: number;
  expiry: number;
  cardSequence: number;
  serviceCode: number;
  /** What decides: its own status, or of an active card the network's listing. */
  status: CardStatus;
  /** By which the network lists it, 0 when it does not. */
  listing: CardStatus | 0;
  replacesSlot: number;
  /** Slot of the card that a network token stands for, -1 for a card. */
  aliasOfSlot: number;
  /** Failed PINs, 0-255. */
  pinTries: number;
  /** Whether there is something to compare a PIN with. */
  pinSet: boolean;
  /** Its own controls as JSON, '' without. Not in the rows of a list. */
  controls?: string;
  /** Sequence of the record that set them; 0 when there never were any. */
  controlsSequence: number;
  createdMs: number;
  newestSequence: number;
}

export type CommandResult =
  | {
      ok: true;
      sequence: number;
      replayed?: boolean;
      account?: AccountView;
      card?: CardView;
      balanceAfter?: number;
      /** Of the fee for a returned payment. */
      feeSequence?: number;
      /** What a settlement left on its sub-account, C positive. */
      remaining?: number;
    }
  | {
      ok: true;
      sequence: number;
      imported: { accounts: number; cards: number; refused: { row: number; code: Refusal }[] };
    }
  | { ok: true; sequence: number; accrued: AccruedSlice }
  | { ok: true; sequence: number; claim: KeyClaim }
  /** One answer per record, in their order. */
  | { ok: true; sequence: number; cleared: ClearingAnswer[] }
  | { ok: true; sequence: number; compared: { equal: boolean; day: number; ours: FieldValue[] } }
  | { ok: false; code: Refusal; detail?: string };

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

/** A claimed idempotency key. */
export interface KeyClaim {
  /** True when an earlier request claimed it: its effect may have happened. */
  known: boolean;
  /** Shard time of the claim, ms since 1970 UTC: the same in every repeat. */
  claimedMs: number;
  /** What `keep_answer` kept. */
  answer?: Uint8Array;
}

export type Read =
  | { op: 'account'; id: string }
  | { op: 'account_slot'; slot: number }
  | { op: 'card'; slot: number }
  | { op: 'cards_of_account'; id: string }
  /** Controls that apply to a card (its own level and its account's) or to an account, and what their windows hold. */
  | { op: 'card_limits'; slot: number }
  | { op: 'account_limits'; id: string }
  /** Network tokens of a card, oldest first. */
  | { op: 'aliases'; cardSlot: number }
  /** Newest slots first, below `before` (exclusive; -1 for the newest). */
  | { op: 'accounts'; before: number; limit: number }
  | { op: 'cards'; before: number; limit: number }
  /** Sequences under an exact key, or under the 32-bit `high` word alone when `low` is absent; newest first. */
  | { op: 'index'; high: number; low?: number; limit: number }
  /** Remaining hold of the authorization at the sequence; 0 when none is open. */
  | { op: 'hold'; sequence: number }
  /** The oldest authorization with an open hold, from a row of the hold table on, over a bounded number of rows. */
  | { op: 'oldest_hold'; from: number }
  /** What is due until a time (ms since 1970 UTC, inclusive), from a slot of the hold table on, over a bounded number of rows. */
  | { op: 'holds_due'; untilMs: number; from: number }
  /** How long the stages of the message at the sequence took. */
  | { op: 'stage_times'; sequence: number }
  /** Outcome that stands beside the effect of a keyed write; none when there was no effect. */
  | { op: 'outcome'; idempotency: IdempotencyTag }
  /** Revisions of the programs that the shard decides with. */
  | { op: 'programs' }
  /** Steps of the dispute that begins at the sequence. */
  | { op: 'dispute'; accountSlot: number; sequence: number }
  /** How items in suspense stand; those that are none are left out. */
  | { op: 'suspense'; sequences: number[] }
  /** Sequence of the entry with a reference, of an account by its slot; none when there is none. */
  | { op: 'entry'; entry: EntryKind; accountSlot: number; reference: string }
  | AcquirerTotals
  /** Statistics of the rules of a program, for its revisions above `after`, at most REVISION_STATS_PER_READ of them. */
  | { op: 'rule_stats'; program: number; after: number }
  | { op: 'totals' }
  | { op: 'stats' };

export type ReadResult =
  | { ok: true; account: AccountView }
  | { ok: true; card: CardView; accountView: AccountView }
  | { ok: true; accounts: AccountView[] }
  | { ok: true; cards: CardView[] }
  | { ok: true; limits: LimitsView[]; ofCard?: CardView; ofAccount: AccountView }
  | { ok: true; sequences: number[] }
  | { ok: true; remaining: number; original: number; expiresMs: number }
  | { ok: true; due: DueSum[]; next: number }
  /** `oldestHold`: sequence, 0 for none; `next`: row to go on from, -1 at the end. */
  | { ok: true; oldestHold: number; next: number }
  | { ok: true; stageTimes: StageTimesView }
  | { ok: true; outcome: CommandResult | null }
  | { ok: true; programs: { program: number; revision: number }[] }
  | { ok: true; steps: StepTaken[] }
  | { ok: true; suspense: SuspenseState[] }
  | { ok: true; ruleStats: RevisionStats[] }
  /** With all records up to `sequence`. */
  | { ok: true; totals: LedgerTotal[]; sequence: number }
  /** A row of totals (totals-table.ts); undefined when that date is not kept. */
  | { ok: true; values: number[] | undefined }
  | { ok: true; stats: ShardStats }
  | { ok: false; code: Refusal };

/** Controls of one level, compiled as decisions use them. */
export interface LimitsView {
  level: ControlLevel;
  /** Whose each member is that applies, but for the windows: the level's own, or the program's default. */
  sources: { member: ControlMember; source: ControlLevel }[];
  /** As they were written, those of cash last. */
  windows: WindowView[];
}

export type ControlMember = 'channels' | 'countries' | 'mcc' | 'merchants' | 'per_transaction' | 'cash_per_transaction';

/** A window with what it holds now. Amounts are minor units of the account's currency. */
export interface WindowView {
  source: ControlLevel;
  /** Place in the list where it was written. */
  index: number;
  /** True for a window of `cash`. */
  cash: boolean;
  /** True when it counts declines. */
  declines: boolean;
  name: string | null;
  unit: WindowUnit;
  /** Length of a trailing window, 0 otherwise. */
  seconds: number;
  zone: string;
  /** Edges of the current instance of a calendar window, ms since 1970 UTC; null for trailing and lifetime windows. */
  startMs: number | null;
  endMs: number | null;
  amount: number;
  count: number;
  amountLimit: number | null;
  countLimit: number | null;
}

/**
 * Times of one sampled message, microseconds: waiting in the ring, decoding, deciding, writing the reply, and the commit that it
 * shared with its batch. Without them: it was no sample, or its times are not in memory (any more).
 */
export type StageTimesView =
  | { queue: number; decode: number; decide: number; encode: number; journal: number }
  | 'not_sampled'
  | 'not_kept';

/**
 * Sums of one chart account in one currency over a shard. Debit and credit are non-negative turnovers in minor units, as
 * decimal text: they may exceed 2^53 and 2^64.
 */
export interface LedgerTotal {
  currency: number;
  glAccount: number;
  /** Sub-account (ledger/sub-account.ts), 0 for none. */
  sub: number;
  debit: string;
  credit: string;
}

/** Holds that are due, in one currency (ISO 4217 numeric): how many, and what remains on them, minor units as decimal text. */
export interface DueSum {
  currency: number;
  count: number;
  amount: string;
}

export interface ShardStats {
  shard: number;
  sequence: number;
  durable: number;
  accounts: number;
  cards: number;
  holdsOpen: number;
  recentKeys: number;
  /** The fingerprint segments hold every record up to here. */
  indexedThrough: number;
  tombstones: number;
  memoryBytes: number;
}
