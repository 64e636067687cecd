/**
 * Shard time: wall-clock milliseconds that never run backwards and never jump ahead faster than the monotonic clock
 * allows: time = max(last, min(wall, last + monotonic elapsed + 2 s)). It starts from the last time in the journal, and so does
 * the time of velocity windows: neither runs backwards across a restart.
 *
 * Beside that it watches whether the two clocks agree: since the clock began (or an operator accepted the wall clock) both
 * must have gone on by the same time, within 5 s. A wall clock that was set to another day would otherwise end the holds of
 * that day, which cannot be taken back, and begin the limits of that day anew. While they differ `paused` is true, the expiry of
 * holds waits, and the windows of velocity limits stand still where the clocks last agreed.
 *
 * The 2 s guard against a clock that nobody vouches for. An operator's word does: shard time is then the accepted wall clock at once,
 * however far it leapt. An idle engine would take hours to arrive otherwise, and answer for days that are long past.
 */
import type { ShardHead } from '../journal/types.js';
import { CLOCK_DIFFERENCE_MS, CLOCK_STEP_MS } from '../limits.js';

/** Where the times of a thread's shards stood at the end of their journals, ms since 1970 UTC; 0 of shards without records. */
export interface LastTimes {
  readonly shardMs: number;
  /** Of velocity windows: up to a second later than it was, because frames say its lag in whole seconds. */
  readonly windowMs: number;
}

/** The latest of the shards: they may have been on threads of their own. */
export function lastTimesOf(heads: readonly ShardHead[]): LastTimes {
  let [shardMs, windowMs] = [0, 0];
  for (const { wallMs = 0, windowLagS = 0 } of heads) {
    shardMs = Math.max(shardMs, wallMs);
    windowMs = Math.max(windowMs, wallMs - windowLagS * 1000);
  }
  return { shardMs, windowMs };
}

export class ShardClock {
  /** Wall clock minus monotonic clock, ms, since they were last known to agree. */
  differenceMs = 0;
  #last: number;
  #wallMs: number;
  #lastMonotonicUs: number;
  /** Wall time at monotonic zero when the clocks agreed, ms. */
  #originMs: number;
  /** Time of velocity windows, ms since 1970 UTC. */
  #windowMs: number;

  constructor(last: LastTimes, wallMs: number, monotonicUs: number) {
    this.#last = Math.max(last.shardMs, wallMs);
    this.#wallMs = wallMs;
    this.#lastMonotonicUs = monotonicUs;
    this.#originMs = wallMs - monotonicUs / 1000;
    this.#windowMs = Math.max(last.windowMs, this.dueMs);
  }

  /** Shard time now, whole ms since 1970 UTC. */
  now(wallMs: number, monotonicUs: number): number {
    const elapsedMs = Math.max(0, (monotonicUs - this.#lastMonotonicUs) / 1000);
    this.#wallMs = wallMs;
    this.#lastMonotonicUs = monotonicUs;
    this.differenceMs = wallMs - monotonicUs / 1000 - this.#originMs;
    this.#last = Math.max(this.#last, Math.floor(Math.min(wallMs, this.#last + elapsedMs + CLOCK_STEP_MS)));
    if (!this.paused) this.#windowMs = Math.max(this.#windowMs, this.dueMs);
    return this.#last;
  }

  /** Shard time as of the last reading or acceptance, whole ms since 1970 UTC. */
  get timeMs(): number {
    return this.#last;
  }

  /**
   * How far behind shard time velocity windows count, ms: 0 while the two clocks agree and always did. The time of windows never
   * runs backwards. While the clocks differ it stands still, and like `dueMs` it does not follow shard time ahead of the wall clock.
   */
  get windowLagMs(): number {
    return this.#last - this.#windowMs;
  }

  /** True while the clocks differ by more than CLOCK_DIFFERENCE_MS. */
  get paused(): boolean {
    return Math.abs(this.differenceMs) > CLOCK_DIFFERENCE_MS;
  }

  /**
   * Until when holds are due, ms since 1970 UTC: shard time, but not ahead of the wall clock. Shard time that followed a wrong
   * clock stands still after it was set right, and what ends in between is not due before its time.
   */
  get dueMs(): number {
    return Math.min(this.#last, Math.floor(this.#wallMs));
  }

  /**
   * Takes the wall clock for right as it was at the last `now`: an operator has said so. Shard time and the time of windows go
   * there in one step; behind a wall clock that was set back they stand still, as nothing runs backwards.
   */
  accept(): void {
    this.#originMs = this.#wallMs - this.#lastMonotonicUs / 1000;
    this.differenceMs = 0;
    this.#last = Math.max(this.#last, Math.floor(this.#wallMs));
    this.#windowMs = Math.max(this.#windowMs, this.dueMs);
  }
}
