/** A report of any length, the same each time: every member that a break and a settlement can have. */
import { type Break, type BreakReason, breakOf, breakTypes, compareBreaks, type Links } from '#src/recon/breaks.js';
import type { ReconReport } from '#src/recon/report.js';
import { SettlementSums } from '#src/recon/settlements.js';

const DAY = 20_000;

/** @param breaks how many, from 0 */
export function largeReport(breaks: number): ReconReport {
  const rows = Array.from({ length: breaks }, (_, n) => rowOf(n)).sort(compareBreaks);
  const files = [{ id: 'clf_1', name: 'file "1"\n', state: 'posted' }] as unknown as ReconReport['inputs']['files'];
  const sums = new SettlementSums(DAY, DAY - 60);
  for (let cycle = 1; cycle <= 3; cycle++)
    sums.posted([{ glAccount: 2100, amount: -cycle, subAccount: 0 }] as never, 840 + cycle, DAY * 86_400_000);
  return {
    inputs: {
      ...{ day: DAY, since: DAY - 60, files, unfinished: ['late.ipm'] },
      waiting: [{ name: 'late.ipm', day: DAY - 2 }],
      spans: [{ shard: 0, from: 1, to: breaks }],
      standing: [{ glAccount: 1390, settlement: { network: 1, day: 0, cycle: 0, currency: 986 }, owed: 2n ** 60n }],
    },
    breaks: rows,
    leftOut: 3,
    counts: rows.length === 0 ? [] : [{ type: rows[0]!.type, age: '0-1', count: rows.length + 3 }],
    settlements: sums.states,
    balances: [{ currency: 986, debits: 10n, credits: 2n ** 60n }],
    open: [{ currency: 840, count: 2, amount: 500n }],
    ...{ authorizations: 7, records: breaks },
  };
}

function rowOf(n: number): Break {
  const links: Links = {
    ...(n % 2 === 0 ? { authorization: { shard: n % 4, sequence: n + 1 } } : {}),
    ...(n % 3 === 0 ? {} : { clearing: { file: `=f,"${n}"`, record: n } }),
    ...(n % 5 === 0 ? { posted: { shard: 1, sequence: n } } : {}),
    ...(n % 3 === 0 ? { file: `file ${n}`, settlement: { network: 1, day: DAY, cycle: n % 7, currency: 986 } } : {}),
  };
  const at = { amount: n % 11 === 0 ? 2n ** 60n : n, currency: n % 13 === 0 ? 0 : 986, day: DAY - (n % 40) };
  return breakOf(breakTypes[n % breakTypes.length]!, 'any_reason' as BreakReason, at, DAY, links);
}
