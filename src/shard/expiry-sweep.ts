/**
 * The sweep: once per turn every shard of the thread ends holds that are due, in the order (end, sequence), a bounded number
 * of them and all shards together for a bounded time. It runs when the replies of the turn are out, so no reply waits for it;
 * its records are in the next commit. What arrives while it runs waits a quarter of a millisecond at most.
 *
 * It gives way: it does nothing while clocks differ (clock-watch.ts), while the disk is nearly full, and for a shard whose
 * index is half full (an expiry adds a key) or takes no new work. Nothing is lost by waiting: what was due stays due.
 */
import { countDue } from '../domain/due-holds.js';
import { CLOCK_DIFFERENCE_MS, EXPIRIES_PER_TURN, EXPIRY_TURN_US, START_GAP_MS } from '../limits.js';
import type { LogicalShard } from './logical-shard.js';
import type { ShardLog } from './thread-context.js';

export class ExpirySweep {
  readonly #monotonicUs: () => number;
  /** Number of the shard that is looked at first: where the time ran out in the turn before. */
  #first = 0;

  constructor(monotonicUs: () => number) {
    this.#monotonicUs = monotonicUs;
  }

  /**
   * One turn's part.
   * @param untilMs holds that end then or before are due, ms since 1970 UTC
   * @param onError told what a shard threw; the others go on
   * @returns true when records were made: there may be more to do, and the records want a commit
   */
  step(
    shards: readonly (LogicalShard | undefined)[],
    untilMs: number,
    onError: (shard: LogicalShard, error: unknown) => void,
  ): boolean {
    const endUs = this.#monotonicUs() + EXPIRY_TURN_US;
    let expired = 0;
    for (let i = 0; i < shards.length; i++) {
      const number = (this.#first + i) % shards.length;
      const shard = shards[number];
      if (shard === undefined || shard.index.refusing || shard.index.halfFull) continue;
      try {
        for (let n = 0; n < EXPIRIES_PER_TURN && !shard.journal.full && shard.expireNext(untilMs); n++) {
          // Usually 2 us of work, but one that gives back to velocity windows reads old records.
          expired++;
          if (this.#monotonicUs() < endUs) continue;
          this.#first = number + 1;
          return true;
        }
      } catch (error) {
        onError(shard, error);
      }
    }
    return expired > 0;
  }
}

/**
 * What a start finds in the clock: after a long gap it says in the log what the sweep is about to end, per shard and currency;
 * and it says when the last record is ahead of the wall clock, because shard time then stands still.
 * @param lastMs time of the last record of any of these shards, 0 without one
 */
export function logStartGap(shards: readonly LogicalShard[], lastMs: number, wallMs: number, log: ShardLog): void {
  if (lastMs - wallMs > CLOCK_DIFFERENCE_MS) {
    const ahead = Math.round((lastMs - wallMs) / 1000);
    log('error', 'the last record is ahead of the wall clock: shard time stands still until then', { ahead_s: ahead });
  }
  if (lastMs === 0 || wallMs - lastMs <= START_GAP_MS) return;
  const hours = Math.floor((wallMs - lastMs) / 3_600_000);
  log('warn', 'the last record is more than a day old: holds that ended meanwhile are counted, then released', {
    hours,
  });
  for (const shard of shards) {
    for (const { currency, count, amount } of countDue(shard.state, wallMs).due)
      log('warn', 'holds due at the start', { shard: shard.number, currency, holds: count, amount });
  }
}
