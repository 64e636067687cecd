/**
 * The fingerprint index of one shard, as its thread sees it: the newest records in memory, the older ones in segments, one
 * answer from both.
 *
 *   sequences   1 ........ completeThrough ........ coveredAfter+1 ...... newest
 *   segments    |================|
 *   recent                  |=============================================|
 *
 * The recent part is two tables. Every message asks for its own key (card, DE11, DE7), so those keys go into a small table at
 * once. All other keys are asked for by reversals and searches only: they wait in a list until the turn's replies are out, or
 * until somebody asks, and then go into their table in one tight loop. Each insertion touches a random place in megabytes of
 * memory; in a loop of their own the processor fetches several such places at a time, between two decisions it waits for each.
 *
 * A miss is definite because the two overlap or touch: the recent part drops only what the segments hold, and after a start
 * the shard adds the keys of every record after `completeThrough` again.
 */
import { KeyKind } from '../domain/history.js';
import { assert } from '../errors.js';
import {
  INDEX_ENTRIES_WAITING_MAX,
  INDEX_FIND_MAX,
  INDEX_GENERATION_BITS,
  INDEX_RECENT_ENTRIES_MAX,
} from '../limits.js';
import type { Store } from '../store/port.js';
import { RecentIndex, type RecentIndexOptions } from './recent-index.js';
import type { SegmentBoard } from './segment-board.js';
import { SegmentSet } from './segments.js';

/** An answer; its array is reused by the next question. */
export interface IndexAnswer {
  count: number;
  sequences: Float64Array;
  /** True when older sequences were left out because there are more than INDEX_FIND_MAX. */
  truncated: boolean;
}

export interface ShardIndexOptions extends RecentIndexOptions {
  /** Mark of the keys' seeds. */
  keyCheck?: number;
  /** Last sequence of the shard's journal at this start: segments that reach further are not believed. */
  headSequence: number;
  /** Words shared with the building task; without it each `maintain` asks the store for a new catalog. */
  board?: SegmentBoard;
}

export interface ShardIndexStats {
  recentEntries: number;
  recentBytes: number;
  segmentEntries: number;
  segmentBytes: number;
  segments: number;
  blocksRead: number;
  completeThrough: number;
}

/** The kind of a key stands in the upper three bits of its high word (domain/index-keys.ts). */
const isOwnKey = (high: number): boolean => high >>> 29 === KeyKind.stan;

export class ShardIndex {
  /** Keys that messages are looked up by to find that they repeat. */
  readonly #own: RecentIndex;
  readonly #others: RecentIndex;
  readonly #entriesMax: number;
  readonly #segments: SegmentSet;
  readonly #answer: IndexAnswer = { count: 0, sequences: new Float64Array(64), truncated: false };
  /** Keys that are not in `#others` yet, in order. */
  readonly #waitingKeys = new Uint32Array(2 * INDEX_ENTRIES_WAITING_MAX);
  readonly #waitingSequences = new Float64Array(INDEX_ENTRIES_WAITING_MAX);
  #waiting = 0;

  private constructor(segments: SegmentSet, options: RecentIndexOptions) {
    const bits = options.generationBits ?? INDEX_GENERATION_BITS;
    this.#entriesMax = options.entriesMax ?? INDEX_RECENT_ENTRIES_MAX;
    // A message has one key of its own and three others.
    this.#own = new RecentIndex({ ...options, generationBits: Math.max(4, bits - 2) });
    this.#others = new RecentIndex(options);
    this.#segments = segments;
    this.#own.restart(segments.completeThrough);
    this.#others.restart(segments.completeThrough);
  }

  /**
   * Opens the segments of the shard. The caller then adds the keys of all records after `completeThrough`, in order, before
   * it asks anything.
   */
  static open(store: Store, shard: number, options: ShardIndexOptions): ShardIndex {
    const { board } = options;
    const segments = SegmentSet.open(store, shard, {
      headSequence: options.headSequence,
      ...(options.keyCheck === undefined ? {} : { keyCheck: options.keyCheck }),
      ...(board === undefined ? {} : { publishedVersion: () => board.version(shard) }),
    });
    if (segments.ignored) board?.requestDiscard(shard, segments.generation);
    return new ShardIndex(segments, options);
  }

  /** The segments hold every record up to here; recovery adds the keys of the later ones. */
  get completeThrough(): number {
    return this.#segments.completeThrough;
  }

  /** True while new work must be answered 91, because the segments have fallen too far behind to forget anything. */
  get full(): boolean {
    return this.#own.size + this.#others.size + this.#waiting >= this.#entriesMax;
  }

  /** Keeps a key of the record at `sequence`; sequences do not go back. Kept even when `full`. */
  add(high: number, low: number, sequence: number): void {
    if (isOwnKey(high)) {
      this.#own.add(high, low, sequence);
      return;
    }
    if (this.#waiting === INDEX_ENTRIES_WAITING_MAX) this.#settle();
    const at = this.#waiting++;
    this.#waitingKeys[2 * at] = high;
    this.#waitingKeys[2 * at + 1] = low;
    this.#waitingSequences[at] = sequence;
  }

  /** Puts the waiting keys into their table. */
  #settle(): void {
    const keys = this.#waitingKeys;
    for (let i = 0; i < this.#waiting; i++)
      this.#others.add(keys[2 * i]!, keys[2 * i + 1]!, this.#waitingSequences[i]!);
    this.#waiting = 0;
  }

  /** The table that a key belongs to, with all its entries in it. */
  #recentOf(high: number): RecentIndex {
    if (isOwnKey(high)) return this.#own;
    if (this.#waiting > 0) this.#settle();
    return this.#others;
  }

  /**
   * All sequences kept under the key, oldest first, each once. Sequences of a key with more than INDEX_FIND_MAX of them are
   * the newest ones, and `truncated` says so.
   * @param sinceMs lets segments be skipped whose newest record is older (shard time, ms since 1970 UTC); 0 asks them all
   * @throws HoldfastError `segment_corrupt`
   */
  find(high: number, low: number, sinceMs = 0): IndexAnswer {
    const answer = this.#answer;
    const recent = this.#recentOf(high);
    for (;;) {
      const out = answer.sequences;
      let count = recent.find(high, low, out);
      answer.truncated = recent.truncated;
      if (!answer.truncated) {
        count = this.#newerThanSegments(out, count);
        count += this.#segments.find(high, low, out, count, sinceMs);
        answer.truncated = this.#segments.truncated;
      }
      answer.count = count;
      if (!answer.truncated || !this.#enlarge()) break;
    }
    reverse(answer.sequences, answer.count);
    return answer;
  }

  /** Up to `limit` sequences of all keys with this high word, newest first, each once. For searches: reads whole tables. */
  findPrefix(high: number, limit: number): IndexAnswer {
    const answer = this.#answer;
    if (answer.sequences.length < limit) answer.sequences = new Float64Array(limit);
    const out = answer.sequences.subarray(0, limit);
    const recent = this.#recentOf(high);
    let count = recent.findPrefix(high, out);
    answer.truncated = recent.truncated;
    if (!answer.truncated) {
      count = this.#newerThanSegments(out, count);
      count += this.#segments.findPrefix(high, out, count);
      answer.truncated = this.#segments.truncated;
    }
    answer.count = count;
    return answer;
  }

  /** Once per turn, behind its replies: settles, takes in new segments in bounded steps, and forgets what they hold. */
  maintain(): void {
    if (this.#waiting > 0) this.#settle();
    if (!this.#segments.refresh()) return;
    assert(
      this.#segments.completeThrough >= Math.max(this.#own.coveredAfter, this.#others.coveredAfter),
      `segments go back from ${this.#own.coveredAfter} to ${this.#segments.completeThrough}`,
    );
    this.#own.dropThrough(this.#segments.completeThrough);
    this.#others.dropThrough(this.#segments.completeThrough);
  }

  stats(): ShardIndexStats {
    return {
      recentEntries: this.#own.size + this.#others.size + this.#waiting,
      recentBytes: this.#own.memoryBytes + this.#others.memoryBytes,
      segmentEntries: this.#segments.size,
      segmentBytes: this.#segments.memoryBytes,
      segments: this.#segments.segmentCount,
      blocksRead: this.#segments.blocksRead,
      completeThrough: this.#segments.completeThrough,
    };
  }

  /** Drops from the end of a newest-first answer what the segments hold as well. */
  #newerThanSegments(out: Float64Array, count: number): number {
    let kept = count;
    while (kept > 0 && out[kept - 1]! <= this.#segments.completeThrough) kept--;
    return kept;
  }

  #enlarge(): boolean {
    const { length } = this.#answer.sequences;
    if (length >= INDEX_FIND_MAX) return false;
    this.#answer.sequences = new Float64Array(Math.min(INDEX_FIND_MAX, length * 4));
    return true;
  }
}

function reverse(values: Float64Array, count: number): void {
  for (let i = 0, j = count - 1; i < j; i++, j--) {
    const value = values[i]!;
    values[i] = values[j]!;
    values[j] = value;
  }
}
