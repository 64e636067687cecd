/**
 * Interest of a day. A rate is basis points a year of 365 days, so a day's interest is a fraction of a minor unit with the
 * denominator 10 000 x 365. Whole units are posted; the rest is carried to the account's next day, so that over any time the sum of
 * what was posted is the sum of what was earned, rounded down once.
 *
 *   carry + sum over kinds of (balance x rate)  =  posted x INTEREST_UNITS  +  carry of the next day
 */
import type { InterestRates } from '../program/tables.js';
import { Gl } from './chart.js';
import { type AccountBalances, creditBalance, WATERFALL } from './entries.js';

/** Parts of a minor unit that a carry counts: 10 000 basis points x 365 days. */
export const INTEREST_UNITS = 3_650_000;

export interface DayOfInterest {
  /** Minor units, from 0. */
  readonly amount: number;
  /** Of it, what cash has earned, and the carry of the day before on a day on which cash earned something. */
  readonly cash: number;
  /** 0 to INTEREST_UNITS - 1. */
  readonly carry: number;
}

/**
 * Interest on what the account owes of purchases, cash and fees, less its credit balance, which covers what it owes in the order of
 * the waterfall. Billed interest bears none. Nothing when no rate applies: then the carry stays as it is.
 */
export function interestOfDay(account: AccountBalances, rates: InterestRates, carry: number): DayOfInterest {
  let credit = creditBalance(account);
  let earned = 0n;
  let byCash = 0n;
  for (const glAccount of WATERFALL) {
    const owed = Math.max(0, account.balance(glAccount));
    const covered = Math.min(credit, owed);
    credit -= covered;
    const units = BigInt(owed - covered) * BigInt(rateOf(glAccount, rates));
    earned += units;
    if (glAccount === Gl.cash) byCash = units;
  }
  if (earned === 0n) return { amount: 0, cash: 0, carry };
  const units = earned + BigInt(carry);
  const whole = units / BigInt(INTEREST_UNITS);
  const cash = byCash === 0n ? 0n : (byCash + BigInt(carry)) / BigInt(INTEREST_UNITS);
  return { amount: Number(whole), cash: Number(cash), carry: Number(units - whole * BigInt(INTEREST_UNITS)) };
}

function rateOf(glAccount: (typeof WATERFALL)[number], { purchases, cash, fees }: InterestRates): number {
  switch (glAccount) {
    case Gl.purchases:
      return purchases;
    case Gl.cash:
      return cash;
    case Gl.fees:
      return fees;
    case Gl.interestBilled:
      return 0;
  }
}
