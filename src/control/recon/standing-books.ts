/** What stands on 2100 and 1390, from the ledgers of the shards, in the words of reconciliation and of the system journal. */

import { Gl } from '../../domain/ledger/chart.js';
import type { LedgerTotal } from '../../domain/reads.js';
import type { SettlementName } from '../../recon/breaks.js';
import { settlementName } from '../../recon/settlements.js';
import type { Standing } from '../../recon/standing.js';

/** As the system journal keeps it: the balance as decimal text, since it may be larger than a number is exact. */
export interface NotedStanding {
  readonly glAccount: Standing['glAccount'];
  readonly settlement: SettlementName;
  readonly owed: string;
}

/** Balances that are not zero, in one order. */
export function standingOf(totals: readonly LedgerTotal[]): Standing[] {
  const sums = new Map<string, Standing>();
  for (const { glAccount, sub, currency, debit, credit } of totals) {
    if (glAccount !== Gl.network && glAccount !== Gl.suspense) continue;
    const settlement = settlementName(sub, currency);
    const { network, day, cycle } = settlement;
    const key = `${glAccount}/${network}/${day}/${cycle}/${currency}`;
    const owed = (sums.get(key)?.owed ?? 0n) + BigInt(credit) - BigInt(debit);
    sums.set(key, { glAccount, settlement, owed });
  }
  return [...sums]
    .filter(([, { owed }]) => owed !== 0n)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, one]) => one);
}

export const notedOf = ({ glAccount, settlement, owed }: Standing): NotedStanding => ({
  ...{ glAccount, settlement },
  owed: String(owed),
});
export const standingOfNoted = ({ glAccount, settlement, owed }: NotedStanding): Standing => ({
  ...{ glAccount, settlement },
  owed: BigInt(owed),
});
