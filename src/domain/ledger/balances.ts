/** Rows of the account table as the builders of entries see them. */
import type { AccountTable } from '../account-table.js';
import { component } from './chart.js';
import type { AccountBalances } from './entries.js';

/** The account as it is now: read the legs before anything is posted. */
export function balancesOf(accounts: AccountTable, slot: number): AccountBalances {
  return {
    currency: accounts.currency(slot),
    balance: (glAccount) => accounts.component(slot, component(glAccount)),
  };
}
