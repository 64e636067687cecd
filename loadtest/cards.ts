/**
 * The cards of a run. All of them are test-range numbers: BIN 9999 99, nine digits of index, Luhn check digit. The demo
 * program uses the indexes from 1; a load test's own cards live in a block of ten million indexes chosen by its seed,
 * above 100 000 000, so that the two never meet and the same seed finds the same cards again.
 */

import { DEMO_BIN, DEMO_CARDS, DEMO_EXPIRY, demoAccount, demoPan } from '#src/cli/demo-program.js';
import { panOfNumber } from '#src/vault/pan.js';

/** Indexes below this belong to the demo program. */
const OWN_CARDS_FROM = 100_000_000;
/** Cards per seed; (1e9 - 1e8) / 1e7 = 90 seeds have blocks of their own, others share one and the same accounts. */
export const OWN_CARDS_MAX = 10_000_000;
const SEED_BLOCKS = 90;
/** YYMM of the load test's own cards. */
const OWN_EXPIRY = '3512';

export { DEMO_CARDS };

/** Cards of a run by number, 0 .. count-1. */
export interface CardSet {
  readonly count: number;
  /** DE14 of all of them, YYMM. */
  readonly expiry: string;
  pan(card: number): string;
  account(card: number): string;
}

/** The first `count` cards of the engine's demo program, which numbers them from 1. */
export function demoCards(count: number): CardSet {
  return {
    count,
    expiry: DEMO_EXPIRY,
    pan: (card) => demoPan(card + 1),
    account: (card) => demoAccount(card + 1),
  };
}

/** A load test's own cards: the block of indexes that belongs to the seed. */
export function ownCards(seed: number, count: number): CardSet {
  const block = seed % SEED_BLOCKS;
  const from = OWN_CARDS_FROM + block * OWN_CARDS_MAX;
  return {
    count,
    expiry: OWN_EXPIRY,
    pan: (card) => panOfNumber(DEMO_BIN, from + card),
    account: (card) => `load-${block}-${String(card).padStart(7, '0')}`,
  };
}

/** All PANs of a run in one shared block of 16 ASCII digits each: 10 M cards are 160 MB, once for all workers. */
export function panTable(cards: CardSet): Uint8Array {
  const table = new Uint8Array(new SharedArrayBuffer(Math.max(16, cards.count * 16)));
  for (let card = 0; card < cards.count; card++) {
    const pan = cards.pan(card);
    for (let i = 0; i < 16; i++) table[card * 16 + i] = pan.charCodeAt(i);
  }
  return table;
}
