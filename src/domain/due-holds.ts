/** What would expire until a time, counted from the rows without changing anything: the dry run of the sweep. */
import type { DueSum } from './reads.js';
import type { ShardState } from './shard-state.js';

/** Sums stay exact: two holds of the largest amount (1e15) fit below it together with this. */
const CARRY = 2 ** 52;

interface Sum {
  count: number;
  amount: number;
  carried: bigint;
}

/**
 * Looks at up to `rows` rows of the hold table from slot `from` on.
 * @param untilMs holds that end at this time or before are due
 * @returns one sum per currency (ISO 4217 numeric), and the slot to go on from; -1 after the last
 */
export function countDue(
  { holds, accounts }: ShardState,
  untilMs: number,
  from = 0,
  rows = Number.POSITIVE_INFINITY,
): { due: DueSum[]; next: number } {
  const sums = new Map<number, Sum>();
  const end = Math.min(holds.slots, from + rows);
  for (let slot = from; slot < end; slot++) {
    if (holds.sequence(slot) === 0 || holds.expiresMs(slot) > untilMs) continue;
    const currency = accounts.currency(holds.account(slot));
    let sum = sums.get(currency);
    if (sum === undefined) {
      sum = { count: 0, amount: 0, carried: 0n };
      sums.set(currency, sum);
    }
    sum.count++;
    sum.amount += holds.remaining(slot);
    if (sum.amount < CARRY) continue;
    sum.carried += BigInt(sum.amount);
    sum.amount = 0;
  }
  const due = [...sums].sort(([a], [b]) => a - b);
  return {
    due: due.map(([currency, { count, amount, carried }]) => ({
      currency,
      count,
      amount: String(carried + BigInt(amount)),
    })),
    next: end < holds.slots ? end : -1,
  };
}
