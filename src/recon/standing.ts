/**
 * What stands in the books behind the last record of a run, and is older than the days whose records it reads: settlements that are not
 * paid and items in suspense do not leave a report because they are old. The balances are an input of the run, since records
 * alone do not tell them.
 */
import { IN_SUSPENSE } from '../domain/clearing/codes.js';
import type { ClearingPosted } from '../domain/events.js';
import { Gl } from '../domain/ledger/chart.js';
import type { Money } from '../domain/ledger/entries.js';
import { heldInSuspense } from '../domain/suspense.js';
import { type Break, breakOf, type Position, type SettlementName } from './breaks.js';
import { dayOf, settlementName } from './settlements.js';
import type { ResolvedSuspense } from './suspense.js';

/** A balance of 2100 or 1390 over all shards. */
export interface Standing {
  readonly glAccount: typeof Gl.network | typeof Gl.suspense;
  /** Of 1390 without network, day and cycle. */
  readonly settlement: SettlementName;
  /** Minor units, C positive. */
  readonly owed: bigint;
}

/** What stands on 2100 and is not older than the run, or names no settlement. */
export function newSettlements(standing: readonly Standing[], since: number): Standing[] {
  return standing.filter(
    ({ glAccount, settlement: { day } }) => glAccount === Gl.network && (day === 0 || day >= since),
  );
}

/** Settlements before `since` that are not at zero. */
export function oldSettlements(standing: readonly Standing[], since: number, asOf: number): Break[] {
  return standing.flatMap(({ glAccount, settlement, owed }) => {
    const { day, currency } = settlement;
    if (glAccount !== Gl.network || day === 0 || day >= since) return [];
    return [breakOf('settlement_not_file', 'not_settled', { amount: owed, currency, day }, asOf, { settlement })];
  });
}

/** Items that came into suspense in the days of the run. */
export class SuspenseItems {
  readonly #since: number;
  readonly #items: (Position & { readonly held: Money })[] = [];

  constructor(since: number) {
    this.#since = since;
  }

  clearing(shard: number, event: ClearingPosted): void {
    const { flags, timeMs, sequence } = event;
    if ((flags & IN_SUSPENSE) === 0 || dayOf(timeMs) < this.#since) return;
    this.#items.push({ shard, sequence, held: heldInSuspense(event) });
  }

  /** What stands in suspense beyond those of these items that are still there, by currency. */
  breaks(standing: readonly Standing[], asOf: number, resolved: Pick<ResolvedSuspense, 'isOut'>): Break[] {
    const older = new Map<number, bigint>();
    for (const { glAccount, settlement, owed } of standing)
      if (glAccount === Gl.suspense) older.set(settlement.currency, owed);
    for (const item of this.#items) {
      const { amount, currency } = item.held;
      // C positive as what stands: what an item holds is D positive.
      if (!resolved.isOut(item)) older.set(currency, (older.get(currency) ?? 0n) + BigInt(amount));
    }
    return [...older].flatMap(([currency, amount]) => {
      if (amount === 0n) return [];
      const at = { amount, currency, day: this.#since - 1 };
      return [breakOf('card_mismatch', 'suspense_before', at, asOf, { settlement: settlementName(0, currency) })];
    });
  }
}
