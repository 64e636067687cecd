/**
 * What the client itself knows about the money: per card the least and the most that its account's hold may have changed.
 * A decided message moves both bounds; one without an answer moves only one, because the server may or may not have done
 * it. After a run without timeouts the bounds meet and the server must agree to the cent.
 *
 * Beside it a sample of acknowledged answers, drawn evenly over the whole run (reservoir), to be asked for again by RRN.
 */
import type { Random } from './random.js';

/** Answers kept per worker. */
export const SAMPLE_MAX = 200;

export interface SampledAnswer {
  readonly rrn: string;
  readonly card: number;
  readonly amount: number;
  readonly code: string;
}

export class Model {
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly sample: SampledAnswer[] = [];
  #seen = 0;

  constructor(cards: number) {
    this.low = new Float64Array(new SharedArrayBuffer(Math.max(8, cards * 8)));
    this.high = new Float64Array(new SharedArrayBuffer(Math.max(8, cards * 8)));
  }

  /** Known: the hold changed by this. */
  add(card: number, amount: number): void {
    this.low[card]! += amount;
    this.high[card]! += amount;
  }

  /** Unknown: the hold changed by this or not at all. */
  maybe(card: number, amount: number): void {
    if (amount > 0) this.high[card]! += amount;
    else this.low[card]! += amount;
  }

  /** What `maybe` left open has been answered: it was done. */
  confirm(card: number, amount: number): void {
    if (amount > 0) this.low[card]! += amount;
    else this.high[card]! += amount;
  }

  /** What `maybe` left open has been answered: it was not done. */
  refute(card: number, amount: number): void {
    if (amount > 0) this.high[card]! -= amount;
    else this.low[card]! -= amount;
  }

  /** Index in the sample where this answer belongs, or -1: the caller then need not build it. */
  place(random: Random): number {
    const seen = this.#seen++;
    if (seen < SAMPLE_MAX) return seen;
    const at = random.below(Math.min(seen + 1, 2 ** 31));
    return at < SAMPLE_MAX ? at : -1;
  }
}
