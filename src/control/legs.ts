/** Legs of ledger entries as the API shows them. */
import { glName } from '../domain/ledger/chart.js';

export function legObjects(postings: readonly { glAccount: number; amount: number }[]): object[] {
  return postings.map(({ glAccount, amount }) => ({
    account: String(glAccount),
    name: glName(glAccount),
    debit: Math.max(0, amount),
    credit: Math.max(0, -amount),
  }));
}
