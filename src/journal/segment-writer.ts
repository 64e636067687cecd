/**
 * Writes one segment from entries that arrive sorted by (high, low, sequence). Blocks are committed in batches as they fill,
 * so a merge of any size needs a few megabytes; nothing of it counts before the catalog names the segment, which is why a
 * crash in the middle leaves only garbage that the next start sweeps away.
 */
import { assert } from '../errors.js';
import type { Store, StoreWriter } from '../store/port.js';
import { FILTERED_KINDS, filterLines, isFiltered, SegmentFilter } from './segment-filter.js';
import {
  BLOCK_ENTRIES,
  blockKey,
  encodeFilterPart,
  encodeMeta,
  FILTER_PART_BYTES,
  filterKey,
  metaKey,
  SegmentBlock,
  type SegmentMeta,
} from './segment-format.js';

/**
 * Values per commit: 8 blocks are 128 kB. A flush holds up the journal's next one for as long as the disk writes it, and with
 * whole builds of a megabyte every sixteenth of a round cost the authorizations of that moment 10 to 20 ms.
 */
const COMMIT_VALUES = 8;

export interface SegmentRange {
  segment: number;
  firstSequence: number;
  lastSequence: number;
  firstTimeMs: number;
  lastTimeMs: number;
  /** Entries whose kind is filtered, exact. */
  filterKeys: number;
}

export class SegmentWriter {
  readonly #store: Store;
  readonly #shard: number;
  readonly #range: SegmentRange;
  readonly #pause: () => void;
  readonly #filter: SegmentFilter;
  readonly #block = new SegmentBlock();
  readonly #high = new Uint32Array(BLOCK_ENTRIES);
  readonly #low = new Uint32Array(BLOCK_ENTRIES);
  readonly #delta = new Uint32Array(BLOCK_ENTRIES);
  readonly #fenceHigh: number[] = [];
  readonly #fenceLow: number[] = [];
  #pending: [Uint8Array, Uint8Array][] = [];
  #count = 0;
  #entries = 0;
  #filtered = 0;
  #lastHigh = 0;
  #lastLow = 0;

  /** @param pause called after each commit but the last */
  constructor(store: Store, shard: number, range: SegmentRange, pause: () => void = () => undefined) {
    this.#pause = pause;
    this.#store = store;
    this.#shard = shard;
    this.#range = range;
    this.#filter = new SegmentFilter(filterLines(range.filterKeys));
  }

  /** @param delta sequence minus the range's first */
  append(high: number, low: number, delta: number): void {
    if (high < this.#lastHigh || (high === this.#lastHigh && low < this.#lastLow))
      assert(false, `segment ${this.#range.segment} of shard ${this.#shard}: entries out of order`);
    this.#lastHigh = high;
    this.#lastLow = low;
    if (this.#count === BLOCK_ENTRIES) this.#endBlock();
    const at = this.#count++;
    this.#high[at] = high;
    this.#low[at] = low;
    this.#delta[at] = delta;
    if (isFiltered(high, FILTERED_KINDS)) {
      this.#filter.add(high, low);
      this.#filtered++;
    }
  }

  /** Ends the segment; the values that are still to be committed go out by `flushTo`. */
  finish(): SegmentMeta {
    if (this.#count > 0) this.#endBlock();
    const { filterKeys, ...range } = this.#range;
    assert(this.#filtered === filterKeys, `segment ${range.segment}: ${this.#filtered} filter keys, not ${filterKeys}`);
    const bits = this.#filter.bytes;
    for (let at = 0, part = 0; at < bits.length; at += FILTER_PART_BYTES, part++)
      this.#put(
        filterKey(this.#shard, range.segment, part),
        encodeFilterPart(bits.subarray(at, at + FILTER_PART_BYTES)),
      );
    const meta: SegmentMeta = {
      ...range,
      entries: this.#entries,
      filterLines: this.#filter.lines,
      filterKeys,
      filterKinds: FILTERED_KINDS,
      fenceHigh: Uint32Array.from(this.#fenceHigh),
      fenceLow: Uint32Array.from(this.#fenceLow),
    };
    this.#put(metaKey(this.#shard, range.segment), encodeMeta(meta));
    return meta;
  }

  /** Puts what no commit has taken yet: into the transaction that publishes the segment. */
  flushTo(writer: StoreWriter): void {
    for (const [key, value] of this.#pending) writer.put(key, value);
  }

  #endBlock(): void {
    const count = this.#count;
    const block = this.#block;
    block.layOut(count);
    block.high.set(this.#high.subarray(0, count));
    block.low.set(this.#low.subarray(0, count));
    block.delta.set(this.#delta.subarray(0, count));
    const number = this.#fenceHigh.length;
    this.#fenceHigh.push(this.#high[0]!);
    this.#fenceLow.push(this.#low[0]!);
    const { segment } = this.#range;
    this.#put(blockKey(this.#shard, segment, number), block.seal(this.#shard, segment, number).slice());
    this.#entries += count;
    this.#count = 0;
  }

  #put(key: Uint8Array, value: Uint8Array): void {
    if (this.#pending.length >= COMMIT_VALUES) {
      this.#store.commit((writer) => {
        this.flushTo(writer);
      });
      this.#pending = [];
      this.#pause();
    }
    this.#pending.push([key, value]);
  }
}
