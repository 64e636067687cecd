/**
 * Declines of unknown cards are journaled one by one up to a rate and then as counts, so that somebody who tries card
 * numbers cannot fill the disk. A bucket per shard and second of shard time.
 */
import { UNKNOWN_CARDS_PER_SECOND } from '../limits.js';

export class UnknownCardRate {
  #second = 0;
  #used = 0;
  #counted = 0;

  /** True when this one is journaled by itself; else it was counted. */
  take(nowMs: number): boolean {
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#used = 0;
    }
    if (this.#used < UNKNOWN_CARDS_PER_SECOND) {
      this.#used++;
      return true;
    }
    this.#counted++;
    return false;
  }

  /** Declines counted in seconds that are over, to be journaled as one record; 0 when there is nothing to say. */
  due(nowMs: number): number {
    if (this.#counted === 0 || Math.floor(nowMs / 1000) === this.#second) return 0;
    return this.takeAll();
  }

  /** Everything counted and not taken yet, the second that is under way included. */
  takeAll(): number {
    const count = this.#counted;
    this.#counted = 0;
    return count;
  }
}
