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
 * the shard adds the keys of every record after `coveredAfter` again.
 *
 * Segments can be lost: a damaged one is never a miss but an error, upon which the shard discards them all and the builder
 * begins anew. Until they reach `coveredAfter` again there is a gap between the two, the index is `incomplete`, and no
 * decision may be made from it: the shard answers new work 91, as it does when the recent part is `full`.
 */
import { KeyKind } from '../domain/history.js';
import type { HoldfastError } from '../errors.js';
import {
  INDEX_ENTRIES_WAITING_MAX,
  INDEX_FIND_MAX,
  INDEX_GENERATION_BITS,
  INDEX_RECENT_ENTRIES_MAX,
  INDEX_REPLAY_RECORDS_MAX,
} from '../limits.js';
import type { Store } from '../store/port.js';
import { RecentIndex, type RecentIndexOptions } from './recent-index.js';
import { ANY_GENERATION, IndexState, type SegmentBoard } from './segment-board.js';
import { isSegmentDamage, segmentCorrupt } from './segment-format.js';
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
  /** Records past the segments whose keys a start may take into memory. Default INDEX_REPLAY_RECORDS_MAX. */
  replayRecordsMax?: number;
  /** Last sequence that is not in the journal any more: the index names none up to it. */
  floor?: () => number;
  /** Told when segments turn out to be damaged, and when the index becomes incomplete or complete again. */
  onChange?: (change: IndexChange, detail: string) => void;
}

export type IndexChange = 'damaged' | 'incomplete' | 'complete';

export interface ShardIndexStats {
  recentEntries: number;
  recentBytes: number;
  segmentEntries: number;
  segmentBytes: number;
  segments: number;
  blocksRead: number;
  completeThrough: number;
}

/**
 * Drops what the segments at `[count, count + found)` tell of sequences after `through`: they may have taken in a newer catalog
 * while they were asked, and the recent part has told of those. Returns how many remain in all.
 */
function withoutNewer(out: Float64Array, count: number, found: number, through: number): number {
  let kept = count;
  for (let i = count; i < count + found; i++) if (out[i]! <= through) out[kept++] = out[i]!;
  return kept;
}

/** The kind of a key stands in the upper three bits of its high word (domain/index-keys.ts). */
const isOwnKey = (high: number): boolean => high >>> 29 === KeyKind.stan;

export class ShardIndex {
  readonly #shard: number;
  /** Keys that messages are looked up by to find that they repeat. */
  readonly #own: RecentIndex;
  readonly #others: RecentIndex;
  readonly #entriesMax: number;
  readonly #segments: SegmentSet;
  readonly #board: SegmentBoard | undefined;
  readonly #floor: () => number;
  readonly #onChange: (change: IndexChange, detail: string) => void;
  readonly #answer: IndexAnswer = { count: 0, sequences: new Float64Array(64), truncated: false };
  /** Keys that are not in `#others` yet, in order. */
  readonly #waitingKeys = new Uint32Array(2 * INDEX_ENTRIES_WAITING_MAX);
  readonly #waitingSequences = new Float64Array(INDEX_ENTRIES_WAITING_MAX);
  #waiting = 0;
  #incomplete = false;
  #told: IndexState | undefined;

  private constructor(shard: number, segments: SegmentSet, options: ShardIndexOptions) {
    this.#shard = shard;
    const bits = options.generationBits ?? INDEX_GENERATION_BITS;
    this.#entriesMax = options.entriesMax ?? INDEX_RECENT_ENTRIES_MAX;
    // A message has one key of its own and three others.
    this.#own = new RecentIndex({ ...options, generationBits: Math.max(4, bits - 2) });
    this.#others = new RecentIndex(options);
    this.#segments = segments;
    this.#board = options.board;
    this.#floor = options.floor ?? (() => 0);
    this.#onChange = options.onChange ?? (() => undefined);
    const behind = options.headSequence - segments.completeThrough;
    // Keys of so many records are not taken into memory: the segments have to be built first.
    this.#incomplete = behind > (options.replayRecordsMax ?? INDEX_REPLAY_RECORDS_MAX);
    const after = this.#incomplete ? options.headSequence : segments.completeThrough;
    this.#own.restart(after);
    this.#others.restart(after);
  }

  /**
   * Opens the segments of the shard. The caller then adds the keys of all records after `coveredAfter`, in order, before it
   * asks anything. Damaged segments are as good as none, and are discarded.
   */
  static open(store: Store, shard: number, options: ShardIndexOptions): ShardIndex {
    const { board } = options;
    const setOptions = {
      headSequence: options.headSequence,
      ...(options.keyCheck === undefined ? {} : { keyCheck: options.keyCheck }),
      ...(board === undefined ? {} : { publishedVersion: () => board.version(shard) }),
    };
    let segments: SegmentSet;
    try {
      segments = SegmentSet.open(store, shard, setOptions);
      if (segments.ignored) board?.requestDiscard(shard, segments.generation);
    } catch (error) {
      if (!isSegmentDamage(error)) throw error;
      segments = SegmentSet.distrusted(store, shard, setOptions);
      board?.requestDiscard(shard, ANY_GENERATION);
      options.onChange?.('damaged', error.message);
    }
    const index = new ShardIndex(shard, segments, options);
    if (index.#incomplete) index.#tellIncomplete();
    index.#tellState();
    return index;
  }

  /** The segments hold every record up to here. */
  get completeThrough(): number {
    return this.#segments.completeThrough;
  }

  /** The recent part holds every record after this one; recovery adds the keys of those. */
  get coveredAfter(): number {
    return Math.max(this.#own.coveredAfter, this.#others.coveredAfter);
  }

  /** True while the segments have fallen too far behind to forget anything. */
  get full(): boolean {
    return this.#own.size + this.#others.size + this.#waiting >= this.#entriesMax;
  }

  /** True while work that can wait should: what is left of the recent part is for messages. */
  get halfFull(): boolean {
    return this.#own.size + this.#others.size + this.#waiting >= this.#entriesMax / 2;
  }

  /** True while there are records that neither part knows, because segments were lost: a miss would not count. */
  get incomplete(): boolean {
    return this.#incomplete;
  }

  /** True while new work must be answered 91. */
  get refusing(): boolean {
    return this.#incomplete || this.full;
  }

  /** True when everything recorded after `sequence` is sure to be found, even while the index is incomplete. */
  covers(sequence: number): boolean {
    return !this.#incomplete || sequence >= this.coveredAfter;
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
   * @throws HoldfastError `segment_corrupt`: the index is incomplete from then on, unless the recent part holds everything
   */
  find(high: number, low: number, sinceMs = 0): IndexAnswer {
    const answer = this.#answer;
    const recent = this.#recentOf(high);
    for (;;) {
      const out = answer.sequences;
      let count = recent.find(high, low, out);
      answer.truncated = recent.truncated;
      if (!answer.truncated) {
        const through = this.#segments.completeThrough;
        count = this.#newerThanSegments(out, count);
        let found = 0;
        try {
          found = this.#segments.find(high, low, out, count, sinceMs);
        } catch (error) {
          throw this.#afterDamage(error);
        }
        count = withoutNewer(out, count, found, through);
        this.#checkCovered();
        answer.truncated = this.#segments.truncated;
      }
      answer.count = this.#kept(out, count);
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
      const through = this.#segments.completeThrough;
      count = this.#newerThanSegments(out, count);
      let found = 0;
      try {
        found = this.#segments.findPrefix(high, out, count);
      } catch (error) {
        throw this.#afterDamage(error);
      }
      count = withoutNewer(out, count, found, through);
      this.#checkCovered();
      answer.truncated = this.#segments.truncated;
    }
    answer.count = this.#kept(out, count);
    return answer;
  }

  /** Leaves out of a newest-first answer what was dropped: a segment may hold keys that are older than the journal. */
  #kept(out: Float64Array, count: number): number {
    const floor = this.#floor();
    let kept = count;
    while (kept > 0 && out[kept - 1]! <= floor) kept--;
    return kept;
  }

  /** Once per turn, behind its replies: settles, takes in new segments in bounded steps, and forgets what they hold. */
  maintain(): void {
    if (this.#waiting > 0) this.#settle();
    try {
      if (this.#segments.refresh()) this.#compare();
    } catch (error) {
      if (!isSegmentDamage(error)) throw error;
      this.#afterDamage(error);
    }
    this.#tellState();
  }

  /** Compares the two parts after the segments have changed. */
  #compare(): void {
    const { completeThrough } = this.#segments;
    const gap = completeThrough < this.coveredAfter;
    if (gap && !this.#incomplete) {
      this.#incomplete = true;
      this.#tellIncomplete();
    }
    if (gap) return;
    if (this.#incomplete) {
      this.#incomplete = false;
      this.#onChange('complete', `the segments hold every record up to ${completeThrough}`);
    }
    this.#own.dropThrough(completeThrough);
    this.#others.dropThrough(completeThrough);
  }

  /** The look-up itself may have met segments that the builder had discarded: then its miss does not count. */
  #checkCovered(): void {
    if (this.#incomplete || this.#segments.completeThrough >= this.coveredAfter) return;
    this.#compare();
    throw segmentCorrupt('discarded while it was asked', this.#shard, 0);
  }

  /** Upon damage every segment of the shard is discarded. Answers the error, for the caller to throw. */
  #afterDamage(error: unknown): unknown {
    if (!isSegmentDamage(error)) return error;
    this.#segments.distrust();
    this.#board?.requestDiscard(this.#shard, ANY_GENERATION);
    this.#tellDamage(error);
    this.#compare();
    return error;
  }

  /** Once per loss: what fails while the index is incomplete already is the same damage. */
  #tellDamage(error: HoldfastError): void {
    if (!this.#incomplete) this.#onChange('damaged', error.message);
  }

  #tellIncomplete(): void {
    const { completeThrough } = this.#segments;
    this.#onChange('incomplete', `records ${completeThrough + 1} to ${this.coveredAfter} have to be read again`);
  }

  /** Readiness and metrics see the state on the board. */
  #tellState(): void {
    const state = this.#incomplete ? IndexState.incomplete : this.full ? IndexState.full : IndexState.usable;
    if (state === this.#told) return;
    this.#told = state;
    this.#board?.setIndexState(this.#shard, state);
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
