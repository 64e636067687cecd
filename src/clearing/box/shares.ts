/** What a generated day of a network is made of, and what is planted in it. */

/** What may happen to one authorization: one of these, or it is presented as it was approved. */
export const treatments = [
  /** Not presented at all. */
  'missing',
  /** Not presented in this file: told in the plan, for a file of a later day. */
  'late',
  /** Presented with a card number that nobody has. */
  'unknownCard',
  /** Presented with more than twice its amount. */
  'alteredAmount',
  /** Presented in another currency than it was asked in, and billed as it was. */
  'alteredCurrency',
  /** Presented in two parts: a partial one and the last. */
  'splits',
  /** Restaurants and fast food only: presented with up to a fifth more. */
  'tips',
  /** Presented as a cash disbursement. */
  'cash',
] as const;
export type Treatment = (typeof treatments)[number];

/** What may come beside it, each by itself. */
export const extras = [
  /** The first record of the authorization comes again at the end of the file. */
  'duplicates',
  /** A refund of half the amount, of its own. */
  'refunds',
  /** A purchase of the same card that nobody authorized. */
  'forced',
  /** The taking back of a purchase that was never presented. */
  'strayReversals',
  /** A second presentment of what nobody has charged back. */
  'presentedAgain',
  /** A purchase with the transaction type of a fee, which cannot be posted. */
  'invalid',
] as const;
export type Extra = (typeof extras)[number];

/** Shares of the authorizations, 0 to 1 each; those of the treatments together at most 1. Absent: 0. */
export type Shares = Partial<Record<Treatment | Extra, number>>;

/** @throws RangeError naming the share */
export function checkShares(shares: Shares): void {
  let sum = 0;
  for (const name of [...treatments, ...extras]) {
    const share = shares[name] ?? 0;
    if (!(share >= 0 && share <= 1)) throw new RangeError(`the share ${name} is not 0 to 1`);
    if ((treatments as readonly string[]).includes(name)) sum += share;
  }
  if (sum > 1 + 1e-9) throw new RangeError('the shares of what happens to an authorization are more than 1 together');
}

/** The treatment that a uniform number in [0, 1) falls to; undefined: presented as it was approved. */
export function treatmentAt(shares: Shares, at: number): Treatment | undefined {
  let upTo = 0;
  for (const name of treatments) {
    upTo += shares[name] ?? 0;
    if (at < upTo) return name;
  }
  return undefined;
}

/**
 * Types of breaks that can be planted, by the names that reconciliation has for them (src/recon/breaks.ts): all but `ledger_not_file`,
 * which no network can bring about.
 */
export type PlantedType =
  | 'authorized_not_cleared'
  | 'cleared_without_authorization'
  | 'late_presentment'
  | 'amount_mismatch'
  | 'currency_mismatch'
  | 'card_mismatch'
  | 'duplicate_presentment'
  | 'reversal_without_original'
  | 'record_not_posted'
  | 'missing_file'
  | 'trailer_mismatch'
  | 'settlement_not_file';

/** A break that reconciliation has to find. */
export interface PlantedBreak {
  readonly type: PlantedType;
  /** Number of the record in the file; 0 when there is none. */
  readonly record: number;
  /** Id of the authorization as the caller names it; '' when none is concerned. */
  readonly authorization: string;
  /** At risk, minor units of `currency`. */
  readonly amount: number;
  /** ISO 4217 number. */
  readonly currency: number;
}

/** What was made of a day: deterministic, as JSON. */
export interface DayPlan {
  readonly seed: number;
  readonly fileId: string;
  readonly authorizations: number;
  readonly presentments: number;
  /** How often each thing was done, the plain ones under `plain`. */
  readonly counts: Readonly<Record<string, number>>;
  /** Breaks, in the order in which they were planted. */
  readonly breaks: readonly PlantedBreak[];
  /** Ids of authorizations that were kept back for a later day. */
  readonly heldBack: readonly string[];
}
