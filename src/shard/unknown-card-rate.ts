/**
 * What of unknown cards is journaled, so that somebody who tries card numbers cannot fill the disk: declines one by one up to a rate
 * and then as counts; advices, which tell of money, up to a rate, and the rest is sent back to the network's queue.
 */
import { UNKNOWN_CARDS_PER_SECOND } from '../limits.js';

/** So many per second of shard time. */
export class RatePerSecond {
  readonly #limit: number;
  #second = 0;
  #used = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True when there is room for one more in this second. */
  take(nowMs: number): boolean {
    if (this.isOver(nowMs)) {
      this.#second = Math.floor(nowMs / 1000);
      this.#used = 0;
    }
    if (this.#used >= this.#limit) return false;
    this.#used++;
    return true;
  }

  /** True when the second of the last `take` is over. */
  isOver(nowMs: number): boolean {
    return Math.floor(nowMs / 1000) !== this.#second;
  }
}

export class UnknownCardRate {
  readonly #rate = new RatePerSecond(UNKNOWN_CARDS_PER_SECOND);
  #counted = 0;

  /** True when this one is journaled by itself; else it was counted. */
  take(nowMs: number): boolean {
    const fits = this.#rate.take(nowMs);
    if (!fits) this.#counted++;
    return fits;
  }

  /** Declines counted in seconds that are over, to be journaled as one record; 0 when there is nothing to say. */
  due(nowMs: number): number {
    return this.#counted === 0 || !this.#rate.isOver(nowMs) ? 0 : this.takeAll();
  }

  /** Everything counted and not taken yet, the second that is under way included. */
  takeAll(): number {
    const count = this.#counted;
    this.#counted = 0;
    return count;
  }
}
