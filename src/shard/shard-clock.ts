/**
 * Shard time: wall-clock milliseconds that never run backwards and never jump ahead faster than the monotonic clock
 * allows: time = max(last, min(wall, last + monotonic elapsed + 2 s)). It starts from the last time in the journal, so it
 * does not run backwards across a restart either.
 */
import { CLOCK_STEP_MS } from '../limits.js';

export class ShardClock {
  #last: number;
  #lastMonotonicUs: number;

  /** @param lastMs last shard time in the journal, 0 without one. */
  constructor(lastMs: number, wallMs: number, monotonicUs: number) {
    this.#last = Math.max(lastMs, wallMs);
    this.#lastMonotonicUs = monotonicUs;
  }

  /** Shard time now, whole ms since 1970 UTC. */
  now(wallMs: number, monotonicUs: number): number {
    const elapsedMs = Math.max(0, (monotonicUs - this.#lastMonotonicUs) / 1000);
    this.#lastMonotonicUs = monotonicUs;
    this.#last = Math.max(this.#last, Math.floor(Math.min(wallMs, this.#last + elapsedMs + CLOCK_STEP_MS)));
    return this.#last;
  }
}
