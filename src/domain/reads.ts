/** Reads of the control plane and, of totals, of the ingress, as they cross the rings (msgpack). A refusal is a value with a code. */
import type { CommandResult, Refusal } from './commands.js';
import type { ControlLevel } from './controls/spec.js';
import type { StepTaken } from './ledger/dispute-steps.js';
import type { EntryKind } from './ledger/entry-kinds.js';
import type { AccountView, CardView, IdempotencyTag } from './party-commands.js';
import type { RevisionStats } from './rule-stats.js';
import type { SuspenseState } from './suspense.js';
import type { TotalsKey } from './totals.js';
import type { WindowUnit } from './velocity/windows.js';

/** A read: the totals of an acquirer's business date in one shard. */
export interface AcquirerTotals extends TotalsKey {
  op: 'acquirer_totals';
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
