/**
 * Interest of a day. A rate is basis points a year of 365 days, so a day's interest is a fraction of a minor unit with the
 * denominator 10 000 x 365. Whole units are posted; the rest is carried to the account's next day, so that over any time the sum of
 * what was posted is the sum of what was earned, rounded down once.
 *
 *   carry + sum over kinds of (balance x rate)  =  posted x INTEREST_UNITS  +  carry of the next day
 */
import type { InterestTable } from '../program/tables.js';
import { Gl } from './chart.js';
import { type AccountBalances, creditBalance, WATERFALL } from './entries.js';

/** Parts of a minor unit that a carry counts: 10 000 basis points x 365 days. */
export const INTEREST_UNITS = 3_650_000;

export interface DayOfInterest {
  /** Minor units, from 0. */
  readonly amount: number;
  /** 0 to INTEREST_UNITS - 1. */
  readonly carry: number;
}

/**
 * Interest on what the account owes of purchases, cash and fees, less its credit balance, which covers what it owes in the order of
 * the waterfall. Billed interest bears none. Nothing when no rate applies: then the carry stays as it is.
 */
export function interestOfDay(account: AccountBalances, rates: InterestTable, carry: number): DayOfInterest {
  let credit = creditBalance(account);
  let earned = 0n;
  for (const glAccount of WATERFALL) {
    const owed = Math.max(0, account.balance(glAccount));
    const covered = Math.min(credit, owed);
    credit -= covered;
    earned += BigInt(owed - covered) * BigInt(rateOf(glAccount, rates));
  }
  if (earned === 0n) return { amount: 0, carry };
  const units = earned + BigInt(carry);
  const whole = units / BigInt(INTEREST_UNITS);
  return { amount: Number(whole), carry: Number(units - whole * BigInt(INTEREST_UNITS)) };
}

function rateOf(glAccount: (typeof WATERFALL)[number], { purchases, cash, fees }: InterestTable): number {
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
