/**
 * Sub-accounts of the general ledger: what is owed to a network or by it, apart for each settlement. A sub-account is one integer,
 * so that a leg, a row of the totals and a checkpoint key can carry it.
 *
 *   sub-account = (network * 65 536 + settlement day) * 16 + cycle        0 = none
 */
import { assert } from '../../errors.js';

const DAYS = 65_536;
const CYCLES = 16;
export const NETWORK_MAX = 255;
/** Largest cycle that a sub-account has room for. */
export const SETTLEMENT_CYCLE_MAX = CYCLES - 1;
/** Largest sub-account. */
export const SUB_ACCOUNT_MAX = NETWORK_MAX * DAYS * CYCLES + DAYS * CYCLES - 1;

/** One settlement of a network. */
export interface Settlement {
  /** Number of the network, 1 to NETWORK_MAX. */
  network: number;
  /** Settlement date, days since 1970-01-01, 1 to 65 535. */
  day: number;
  /** Settlement cycle of that date, 0 to 15; 0 where the network has none. */
  cycle: number;
}

export function subAccount({ network, day, cycle }: Settlement): number {
  const fits = network >= 1 && network <= NETWORK_MAX && day >= 1 && day < DAYS && cycle >= 0 && cycle < CYCLES;
  assert(fits, `network ${network}, day ${day}, cycle ${cycle} make no sub-account`);
  return (network * DAYS + day) * CYCLES + cycle;
}

export function settlementOf(sub: number): Settlement {
  const place = Math.floor(sub / CYCLES);
  return { network: Math.floor(place / DAYS), day: place % DAYS, cycle: sub % CYCLES };
}
