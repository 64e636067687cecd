/** Legs of ledger entries as the API shows them. */
import type { EntryLeg, Posting } from '../domain/events.js';
import { glName } from '../domain/ledger/chart.js';
import { settlementOf } from '../domain/ledger/sub-account.js';
import { currencyCode } from './currencies.js';
import { time } from './views.js';

const DAY_MS = 86_400_000;

/** Legs of an entry that may cross currencies name theirs, and the settlement that they belong to. */
export function legObjects(postings: readonly (Posting | EntryLeg)[]): object[] {
  return postings.map((leg) => ({
    account: String(leg.glAccount),
    name: glName(leg.glAccount),
    debit: Math.max(0, leg.amount),
    credit: Math.max(0, -leg.amount),
    ...('currency' in leg ? { currency: currencyCode(leg.currency) } : {}),
    ...('sub' in leg && leg.sub !== 0 ? { settlement: settlementObject(leg.sub) } : {}),
  }));
}

export function settlementObject(sub: number): { network: number; settlement_date: string; cycle: number } {
  const { network, day, cycle } = settlementOf(sub);
  return { network, settlement_date: dateOf(day), cycle };
}

/** `2026-11-26`. @param day days since 1970-01-01 */
export const dateOf = (day: number): string => time(day * DAY_MS).slice(0, 10);

/** Days since 1970-01-01 of a date as ISO 8601 writes it. */
export const dayOf = (date: string): number => Date.parse(date) / DAY_MS;
