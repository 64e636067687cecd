/**
 * Words of shared memory between the task that builds the segments, the shards' threads, and the control plane (metrics,
 * event feed).
 *
 *   [0] stop: 1 asks the task to end, 2 to build what waits first; it sleeps on this word
 *   [1] segments built   [2] merges made   [3] times that the segments of a shard were discarded
 *   [4] time for the building of a stop, ms
 *   [16 + 8 x shard]  +0 version of the published catalog      +1 records that are durable but not in the segments (lag)
 *                     +2 1 + generation that a shard wants discarded, 0 for none   +3 IndexState, written by the shard
 *                     +4 low 32 bits of the shard's durable sequence, written by its thread
 *
 * Single words with Atomics and no order between them: the version is a hint to look at the store, which is the truth. Only
 * [4] is stored before [0], whose store publishes it.
 */
import { SHARDS_MAX } from '../limits.js';

const STOP = 0;
const BUILT = 1;
const MERGED = 2;
const DISCARDED = 3;
const FINISH_MS = 4;
const SHARDS = 16;
const STRIDE = 8;
const VERSION = 0;
const LAG = 1;
const DISCARD = 2;
const STATE = 3;
const DURABLE = 4;

const STOP_NOW = 1;
const STOP_AFTER_BUILD = 2;

/** What a shard can do with its index: `full` and `incomplete` mean that new work is answered 91. */
export const IndexState = {
  usable: 0,
  /** The segments are so far behind that the recent part may not grow any more. */
  full: 1,
  /** Segments were lost and are being built anew: a miss would not count. */
  incomplete: 2,
} as const;
export type IndexState = (typeof IndexState)[keyof typeof IndexState];

/** In `requestDiscard`: whatever is stored, because its generation cannot be read. */
export const ANY_GENERATION = 0xfffffffe;

export function createSegmentBoard(): SharedArrayBuffer {
  return new SharedArrayBuffer((SHARDS + SHARDS_MAX * STRIDE) * 4);
}

export class SegmentBoard {
  readonly #words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
  }

  /** True when the task shall leave what it is doing: to end, or to build what waits and then end. */
  get stopping(): boolean {
    return Atomics.load(this.#words, STOP) !== 0;
  }

  /** True when nothing shall be begun any more. */
  get stoppingNow(): boolean {
    return Atomics.load(this.#words, STOP) === STOP_NOW;
  }

  /** Time that the task has for the building of a stop, ms; 0 when none was asked for. */
  get finishMs(): number {
    return Atomics.load(this.#words, STOP) === STOP_AFTER_BUILD ? Atomics.load(this.#words, FINISH_MS) : 0;
  }

  /** Asks the task to end after the commit it is in, and wakes it. */
  requestStop(): void {
    Atomics.store(this.#words, STOP, STOP_NOW);
    Atomics.notify(this.#words, STOP);
  }

  /** Asks the task to build every record that waits, for at most `ms` milliseconds, and then to end; wakes it. */
  requestFinish(ms: number): void {
    Atomics.store(this.#words, FINISH_MS, Math.max(0, Math.floor(ms)));
    Atomics.store(this.#words, STOP, STOP_AFTER_BUILD);
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

  /** Durable records of the shard that the segments did not hold when the task last looked. */
  lag(shard: number): number {
    return Atomics.load(this.#words, SHARDS + shard * STRIDE + LAG) >>> 0;
  }

  setLag(shard: number, records: number): void {
    Atomics.store(this.#words, SHARDS + shard * STRIDE + LAG, Math.min(records, 0xffffffff));
  }

  /** A shard found the segments of this generation (or ANY_GENERATION) damaged, or of another journal. */
  requestDiscard(shard: number, generation: number): void {
    Atomics.store(this.#words, SHARDS + shard * STRIDE + DISCARD, generation + 1);
  }

  /** Generation to be discarded, -1 for none. */
  discardWanted(shard: number): number {
    return (Atomics.load(this.#words, SHARDS + shard * STRIDE + DISCARD) >>> 0) - 1;
  }

  /** Takes the request back that `discardWanted` told, unless a newer one has come. */
  clearDiscard(shard: number, generation: number): void {
    Atomics.compareExchange(this.#words, SHARDS + shard * STRIDE + DISCARD, (generation + 1) | 0, 0);
  }

  indexState(shard: number): IndexState {
    return Atomics.load(this.#words, SHARDS + shard * STRIDE + STATE) as IndexState;
  }

  setIndexState(shard: number, state: IndexState): void {
    Atomics.store(this.#words, SHARDS + shard * STRIDE + STATE, state);
  }

  /** Low 32 bits of the newest sequence that is durable: everything up to it may be shown (durable-heads.ts). */
  durableLow(shard: number): number {
    return Atomics.load(this.#words, SHARDS + shard * STRIDE + DURABLE) >>> 0;
  }

  /** Written after the commit: who sees the word finds the records in the journal. */
  setDurable(shard: number, sequence: number): void {
    Atomics.store(this.#words, SHARDS + shard * STRIDE + DURABLE, sequence % 2 ** 32);
  }

  /** Segments built, merges made and discardings since the start. */
  get built(): number {
    return Atomics.load(this.#words, BUILT) >>> 0;
  }

  get merged(): number {
    return Atomics.load(this.#words, MERGED) >>> 0;
  }

  get discarded(): number {
    return Atomics.load(this.#words, DISCARDED) >>> 0;
  }

  countDiscarded(): void {
    Atomics.add(this.#words, DISCARDED, 1);
  }

  countBuilt(): void {
    Atomics.add(this.#words, BUILT, 1);
  }

  countMerged(): void {
    Atomics.add(this.#words, MERGED, 1);
  }
}
