/**
 * Words of shared memory between the task that builds the segments, the shards' threads and the metrics page.
 *
 *   [0] stop: 1 asks the task to end; it sleeps on this word   [1] segments built   [2] merges made
 *   [16 + 8 x shard]  +0 version of the published catalog      +1 records that are durable but not in the segments (lag)
 *                     +2 1 + generation that a shard wants discarded, 0 for none
 *
 * Single words with Atomics and no order between them: the version is a hint to look at the store, which is the truth.
 */
import { SHARDS_MAX } from '../limits.js';

const STOP = 0;
const BUILT = 1;
const MERGED = 2;
const SHARDS = 16;
const STRIDE = 8;
const VERSION = 0;
const LAG = 1;
const DISCARD = 2;

export function createSegmentBoard(): SharedArrayBuffer {
  return new SharedArrayBuffer((SHARDS + SHARDS_MAX * STRIDE) * 4);
}

export class SegmentBoard {
  readonly #words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
  }

  get stopping(): boolean {
    return Atomics.load(this.#words, STOP) !== 0;
  }

  /** Asks the task to end after the commit it is in, and wakes it. */
  requestStop(): void {
    Atomics.store(this.#words, STOP, 1);
    Atomics.notify(this.#words, STOP);
  }

  /** Blocks the task's thread until a stop is requested or the time is over. */
  sleep(ms: number): void {
    Atomics.wait(this.#words, STOP, 0, ms);
  }

  /** Version of the shard's catalog as last published in this process; 0 before the task has looked at it. */
  version(shard: number): number {
    return Atomics.load(this.#words, SHARDS + shard * STRIDE + VERSION) >>> 0;
  }

  setVersion(shard: number, version: number): void {
    Atomics.store(this.#words, SHARDS + shard * STRIDE + VERSION, version);
  }

  /** Durable records of the shard that the segments do not hold yet: `holdfast_search_lag_records`. */
  lag(shard: number): number {
    return Atomics.load(this.#words, SHARDS + shard * STRIDE + LAG) >>> 0;
  }

  setLag(shard: number, records: number): void {
    Atomics.store(this.#words, SHARDS + shard * STRIDE + LAG, Math.min(records, 0xffffffff));
  }

  /** A shard found the segments of this generation to belong to another journal. */
  requestDiscard(shard: number, generation: number): void {
    Atomics.store(this.#words, SHARDS + shard * STRIDE + DISCARD, generation + 1);
  }

  /** Generation to be discarded, -1 for none. */
  discardWanted(shard: number): number {
    return (Atomics.load(this.#words, SHARDS + shard * STRIDE + DISCARD) >>> 0) - 1;
  }

  /** Segments built and merges made since the start. */
  get built(): number {
    return Atomics.load(this.#words, BUILT) >>> 0;
  }

  get merged(): number {
    return Atomics.load(this.#words, MERGED) >>> 0;
  }

  countBuilt(): void {
    Atomics.add(this.#words, BUILT, 1);
  }

  countMerged(): void {
    Atomics.add(this.#words, MERGED, 1);
  }
}
