/**
 * The cards of a run. All of them are test-range numbers: BIN 9999 99, nine digits of index, Luhn check digit. The demo
 * program uses the indexes from 0; a load test's own cards live in a block of ten million indexes chosen by its seed,
 * above 100 000 000, so that the two never meet and the same seed finds the same cards again.
 */

const BIN = '999999';

/** Indexes below this belong to the demo program. */
const OWN_CARDS_FROM = 100_000_000;
/** Cards per seed; (1e9 - 1e8) / 1e7 = 90 seeds have blocks of their own, others share one and the same accounts. */
export const OWN_CARDS_MAX = 10_000_000;
const SEED_BLOCKS = 90;

/** Luhn check digit of a string of digits that does not hold it yet. */
export function luhnDigit(digits: string): number {
  let sum = 0;
  for (let i = digits.length - 1, double = true; i >= 0; i--, double = !double) {
    let digit = digits.charCodeAt(i) - 48;
    if (double) {
      digit *= 2;
      if (digit > 9) digit -= 9;
    }
    sum += digit;
  }
  return (10 - (sum % 10)) % 10;
}

/** PAN of an index in [0, 999 999 999]: 999999 + nine digits + check digit, 16 digits. */
export function demoPan(index: number): string {
  const body = BIN + String(index).padStart(9, '0');
  return body + String(luhnDigit(body));
}

/** Account id of a demo card. */
export function demoAccount(index: number): string {
  return `demo-${String(index).padStart(6, '0')}`;
}

/** Cards of a run by number, 0 .. count-1. */
export interface CardSet {
  readonly count: number;
  pan(card: number): string;
  account(card: number): string;
}

/** The cards the engine's demo program created at its first start. */
export function demoCards(count: number): CardSet {
  return { count, pan: demoPan, account: demoAccount };
}

/** A load test's own cards: the block of indexes that belongs to the seed. */
export function ownCards(seed: number, count: number): CardSet {
  const block = seed % SEED_BLOCKS;
  const from = OWN_CARDS_FROM + block * OWN_CARDS_MAX;
  return {
    count,
    pan: (card) => demoPan(from + card),
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
