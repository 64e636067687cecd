/** Breaks: what two sides of a reconciliation do not agree on (section 10 of the domain rules). */
import { createHash } from 'node:crypto';

/** Every type with its reasons, in the order in which a report has them. What is added here is documented in docs/reference/reconciliation.md. */
export const breakReasons = {
  /** A purchase or cash that nobody authorized, or whose authorization was reversed. */
  cleared_without_authorization: ['force_post', 'after_reversal'],
  /** A hold came to its end and nothing, or not all of it, was cleared. */
  authorized_not_cleared: ['aged_out', 'partly_cleared'],
  /** Cleared after its hold had ended. */
  late_presentment: ['after_expiry'],
  /** More than was authorized and the program tolerates, another amount than what it takes back, or given back once more. */
  amount_mismatch: ['over_cleared', 'other_than_original', 'given_back_twice', 'out_of_range'],
  /** In another currency than it was authorized in, or in none of the account. */
  currency_mismatch: ['other_than_authorized', 'not_of_the_account'],
  /** It fits no card of ours: in suspense. Or its authorization is of another card of the account. */
  card_mismatch: ['unknown_card', 'other_card', 'suspense_before'],
  /** The same thing was presented before: not posted again. */
  duplicate_presentment: ['same', 'same_with_other_amount'],
  /** It takes back, or presents again, what we do not know. */
  reversal_without_original: ['original_unknown', 'dispute_unknown'],
  /** A record of a posted file that could not be posted. */
  record_not_posted: ['invalid', 'refused'],
  /** A file that the network's totals, or the numbers of other files, tell of and that was not posted, or one that waits. */
  missing_file: ['named_by_totals', 'sequence_gap', 'quarantined', 'other_content', 'unfinished'],
  /** Totals of the network that are not those of its records. */
  trailer_mismatch: ['quarantined', 'network_totals', 'network_fees', 'totals_left_out'],
  ledger_not_file: ['records', 'legs'],
  settlement_not_file: ['other_amount', 'not_settled', 'sub_account_not_zero', 'stood_before'],
} as const;
export type BreakType = keyof typeof breakReasons;
export type BreakReason = (typeof breakReasons)[BreakType][number];
export const breakTypes = Object.keys(breakReasons) as readonly BreakType[];

/** Ages in days: name, and the oldest that belongs to it. */
export const ageBuckets = [
  ['0-1', 1],
  ['2-5', 5],
  ['6-10', 10],
  ['11-30', 30],
  ['30+', Number.POSITIVE_INFINITY],
] as const;
export type AgeBucket = (typeof ageBuckets)[number][0];

/** @param days from 0 */
export function ageBucket(days: number): AgeBucket {
  return ageBuckets.find(([, oldest]) => days <= oldest)![0];
}

/** One settlement with a network, in one currency: what runs are keyed by. */
export interface SettlementName {
  /** Number of the network (clearing/posting.ts); 0 where a record names no settlement. */
  readonly network: number;
  /** Settlement date, days since 1970-01-01; 0 where a record names none. */
  readonly day: number;
  readonly cycle: number;
  /** ISO 4217 number. */
  readonly currency: number;
}

/** A record of the journal. */
export interface Position {
  readonly shard: number;
  readonly sequence: number;
}

/** A record of a clearing file. */
export interface FileRecord {
  /** As the shards know the file: its PDS0105, or its hash where it has none. */
  readonly file: string;
  /** Number in the file, from 1. */
  readonly record: number;
}

/** What a break is about, both sides of it, as far as there are two. */
export interface Links {
  readonly authorization?: Position | undefined;
  readonly clearing?: FileRecord | undefined;
  /** The journal's record of the clearing record, of an expiry or of a payment. */
  readonly posted?: Position | undefined;
  /** A file as a whole. */
  readonly file?: string | undefined;
  readonly settlement?: SettlementName | undefined;
}

export interface Break extends Links {
  /** `brk_` and 26 hexadecimal digits, made of what the break is about: the same in every run that finds it. */
  readonly id: string;
  readonly type: BreakType;
  /** What exactly. */
  readonly reason: BreakReason;
  /** At risk: minor units of the currency, from zero. */
  readonly amount: bigint;
  readonly currency: number;
  /** Since when, days since 1970-01-01, and how many days before the date of the run: from 0. */
  readonly day: number;
  readonly ageDays: number;
}

/** @param day of the break @param asOf day of the run */
export function breakOf(
  type: BreakType,
  reason: BreakReason,
  at: { amount: number | bigint; currency: number; day: number },
  asOf: number,
  links: Links,
): Break {
  const amount = BigInt(at.amount);
  return {
    id: idOf(type, reason, links),
    ...{ type, reason, amount: amount < 0n ? -amount : amount, currency: at.currency },
    ...{ day: at.day, ageDays: Math.max(0, asOf - at.day) },
    ...links,
  };
}

/** Of what it is about: an authorization without a presentment, a record of a file, a file, or a settlement. */
function idOf(type: BreakType, reason: BreakReason, { authorization, clearing, file, settlement }: Links): string {
  const about =
    clearing !== undefined
      ? ['record', clearing.file, clearing.record]
      : authorization !== undefined
        ? ['authorization', authorization.shard, authorization.sequence]
        : ['totals', file ?? '', settlement?.network, settlement?.day, settlement?.cycle, settlement?.currency];
  const name = JSON.stringify([type, reason, ...about]);
  return `brk_${createHash('sha256').update(name).digest('hex').slice(0, 26)}`;
}

/** By type, then the oldest first, then by id: one order whatever the shards were read in. */
export function compareBreaks(a: Break, b: Break): number {
  const byType = breakTypes.indexOf(a.type) - breakTypes.indexOf(b.type);
  if (byType !== 0) return byType;
  if (a.day !== b.day) return a.day - b.day;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
