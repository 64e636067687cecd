/** Rows of the account table as the builders of entries see them. */
import type { AccountTable } from '../account-table.js';
import type { Posting } from '../events.js';
import { component } from './chart.js';
import type { AccountBalances } from './entries.js';

/** The account as it is now: read the legs before anything is posted. */
export function balancesOf(accounts: AccountTable, slot: number): AccountBalances {
  return {
    currency: accounts.currency(slot),
    balance: (glAccount) => accounts.component(slot, component(glAccount)),
  };
}

/** The same behind legs that are in the currency of the account and not posted yet. */
export function balancesBehind(accounts: AccountTable, slot: number, legs: readonly Posting[]): AccountBalances {
  const now = balancesOf(accounts, slot);
  return {
    currency: now.currency,
    balance: (gl) =>
      legs.reduce((sum, { glAccount, amount }) => (glAccount === gl ? sum + amount : sum), now.balance(gl)),
  };
}
