/**
 * The fingerprint index of one shard, as its thread sees it: the newest records in memory, the older ones in segments, one
 * answer from both.
 *
 *   sequences   1 ........ completeThrough ........ coveredAfter+1 ...... newest
 *   segments    |================|
 *   recent                  |=============================================|
 *
 * A miss is definite because the two overlap or touch: the recent part drops only what the segments hold, and after a start
 * the shard adds the keys of every record after `completeThrough` again.
 */
import { assert } from '../errors.js';
import { INDEX_FIND_MAX } from '../limits.js';
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

export class ShardIndex {
  readonly #recent: RecentIndex;
  readonly #segments: SegmentSet;
  readonly #answer: IndexAnswer = { count: 0, sequences: new Float64Array(64), truncated: false };

  constructor(recent: RecentIndex, segments: SegmentSet) {
    this.#recent = recent;
    this.#segments = segments;
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
    const recent = new RecentIndex(options);
    recent.restart(segments.completeThrough);
    return new ShardIndex(recent, segments);
  }

  /** The segments hold every record up to here; recovery adds the keys of the later ones. */
  get completeThrough(): number {
    return this.#segments.completeThrough;
  }

  /** True while new work must be answered 91, because the segments have fallen too far behind to forget anything. */
  get full(): boolean {
    return this.#recent.full;
  }

  /** Keeps a key of the record at `sequence`; sequences do not go back. Kept even when `full`. */
  add(high: number, low: number, sequence: number): void {
    this.#recent.add(high, low, sequence);
  }

  /**
   * All sequences kept under the key, oldest first, each once. Sequences of a key with more than INDEX_FIND_MAX of them are
   * the newest ones, and `truncated` says so.
   * @param sinceMs lets segments be skipped whose newest record is older (shard time, ms since 1970 UTC); 0 asks them all
   * @throws HoldfastError `segment_corrupt`
   */
  find(high: number, low: number, sinceMs = 0): IndexAnswer {
    const answer = this.#answer;
    for (;;) {
      const out = answer.sequences;
      let count = this.#recent.find(high, low, out);
      answer.truncated = this.#recent.truncated;
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
    let count = this.#recent.findPrefix(high, out);
    answer.truncated = this.#recent.truncated;
    if (!answer.truncated) {
      count = this.#newerThanSegments(out, count);
      count += this.#segments.findPrefix(high, out, count);
      answer.truncated = this.#segments.truncated;
    }
    answer.count = count;
    return answer;
  }

  /** Once per turn: takes in new segments in bounded steps, and forgets what they hold. */
  maintain(): void {
    if (!this.#segments.refresh()) return;
    assert(
      this.#segments.completeThrough >= this.#recent.coveredAfter,
      `segments go back from ${this.#recent.coveredAfter} to ${this.#segments.completeThrough}`,
    );
    this.#recent.dropThrough(this.#segments.completeThrough);
  }

  stats(): ShardIndexStats {
    return {
      recentEntries: this.#recent.size,
      recentBytes: this.#recent.memoryBytes,
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
