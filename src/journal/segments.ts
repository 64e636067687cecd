/**
 * Reader of the fingerprint segments of one shard. It belongs to one thread; filters and fences are in memory, blocks are
 * read from the store when they are needed.
 *
 * - A look-up asks each segment, newest first: its filter (for the kinds of keys that are filtered), then the one block in
 *   which the key must be. An absent key usually ends at the filters and touches no disk.
 * - `refresh` takes in what the builder has published, in bounded steps, and swaps to it when all of it is loaded. Until then
 *   the former segments answer; the builder keeps them stored for a grace time.
 * - `completeThrough` says how far a miss counts: every record up to it is in the segments.
 */
import { SEGMENT_FILTER_BYTES_MAX } from '../limits.js';
import type { Store } from '../store/port.js';
import { FILTER_LINE_BYTES, isFiltered, SegmentFilter } from './segment-filter.js';
import {
  blockKey,
  type Catalog,
  catalogKey,
  decodeCatalog,
  decodeFilterPart,
  decodeMeta,
  emptyCatalog,
  filterKey,
  isSegmentDamage,
  metaKey,
  SegmentBlock,
  type SegmentMeta,
  segmentCorrupt,
} from './segment-format.js';

export interface SegmentSetOptions {
  /** Mark of the keys' seeds: segments of another mark are as good as none. */
  keyCheck?: number;
  /** Bytes of filters kept in memory; 0 for a reader that only searches. */
  filterBytesMax?: number;
  /** Version of the shard's catalog, read cheaply (shared memory); without it `refresh` asks the store. */
  publishedVersion?: () => number;
  /** Where the journal of the shard ended when it was opened; segments that reach further belong to another journal. */
  headSequence?: number;
}

/** A segment whose meta and filter are in memory. */
interface Loaded {
  meta: SegmentMeta;
  filter: SegmentFilter | undefined;
}

/** Thrown inside a look-up when a block is gone because the builder replaced its segment. */
class Replaced extends Error {
  readonly segment: number;

  constructor(segment: number) {
    super(`segment ${segment} lacks a block`);
    this.segment = segment;
  }
}

export class SegmentSet {
  /** True when the last `find` or `findPrefix` left out older entries because its output was full. */
  truncated = false;
  /** Blocks read since the start, for the metrics page. */
  blocksRead = 0;
  readonly #store: Store;
  readonly #shard: number;
  readonly #options: Required<Omit<SegmentSetOptions, 'publishedVersion'>>;
  readonly #publishedVersion: (() => number) | undefined;
  /** Oldest first. */
  #segments: Loaded[] = [];
  #catalog: Catalog;
  /** Generation of the catalog whose segments reach past the journal: they belong to another one. */
  #strangeGeneration = -1;
  #storedGeneration = 0;
  #ignored = false;
  #loading: SetLoader | undefined;
  readonly #block = new SegmentBlock();
  #blockSegment = -1;
  #blockNumber = -1;
  #snapshotOpen = false;

  private constructor(store: Store, shard: number, options: SegmentSetOptions) {
    this.#store = store;
    this.#shard = shard;
    this.#publishedVersion = options.publishedVersion;
    this.#options = {
      keyCheck: options.keyCheck ?? 0,
      filterBytesMax: options.filterBytesMax ?? SEGMENT_FILTER_BYTES_MAX,
      headSequence: options.headSequence ?? Number.POSITIVE_INFINITY,
    };
    this.#catalog = emptyCatalog(this.#options.keyCheck);
  }

  /** Opens the shard's segments and loads all that is published. @throws HoldfastError `segment_corrupt` */
  static open(store: Store, shard: number, options: SegmentSetOptions = {}): SegmentSet {
    const set = new SegmentSet(store, shard, options);
    store.refresh();
    const catalog = set.#readCatalog();
    if (catalog.completeThrough > set.#options.headSequence) set.#strangeGeneration = catalog.generation;
    set.#reload();
    return set;
  }

  /** A set that believes nothing of what is stored now, because opening it met damage. It waits for another generation. */
  static distrusted(store: Store, shard: number, options: SegmentSetOptions = {}): SegmentSet {
    const set = new SegmentSet(store, shard, options);
    try {
      store.refresh();
      set.#storedGeneration = set.#readCatalog().generation;
    } catch (error) {
      // The catalog itself: the builder gives the next one a generation that nobody has seen.
      if (!isSegmentDamage(error)) throw error;
    }
    set.distrust();
    return set;
  }

  /** Forgets every segment, because one is damaged: `completeThrough` is 0 until another generation is published. */
  distrust(): void {
    this.#strangeGeneration = this.#storedGeneration;
    this.#ignored = true;
    this.#loading = undefined;
    // What is published now has been looked at; the builder's answer to the damage will be of another version.
    const version = this.#publishedVersion?.() ?? this.#catalog.version;
    this.#adopt({ ...emptyCatalog(this.#options.keyCheck), version }, []);
  }

  /** Every record up to this sequence is in the segments, the expired ones apart. */
  get completeThrough(): number {
    return this.#catalog.completeThrough;
  }

  /** True when the stored segments reach past the journal or were made with other keys: they must be discarded. */
  get ignored(): boolean {
    return this.#ignored;
  }

  /** Generation of the stored catalog as last read; see `Catalog.generation`. */
  get generation(): number {
    return this.#storedGeneration;
  }

  get size(): number {
    return this.#segments.reduce((sum, { meta }) => sum + meta.entries, 0);
  }

  get segmentCount(): number {
    return this.#segments.length;
  }

  /** Bytes of filters and fences in memory. */
  get memoryBytes(): number {
    let bytes = 0;
    for (const { meta, filter } of this.#segments)
      bytes += meta.fenceHigh.byteLength * 2 + (filter === undefined ? 0 : filter.lines * FILTER_LINE_BYTES);
    return bytes;
  }

  /**
   * Takes in what was published since the last call. Costs one shared-memory read when that is nothing, else at most `steps`
   * values of up to 64 KB (some 50 us each). True when the set has changed.
   * @throws HoldfastError `segment_corrupt`
   */
  refresh(steps = 4): boolean {
    // A snapshot that stays open keeps the builder from reusing the pages of what it removed.
    if (this.#snapshotOpen) {
      this.#snapshotOpen = false;
      this.#store.refresh();
    }
    if (this.#loading === undefined) {
      if (this.#publishedVersion !== undefined && this.#publishedVersion() === this.#catalog.version) return false;
      this.#store.refresh();
      this.#snapshotOpen = true;
      const catalog = this.#readCatalog();
      if (catalog.version === this.#catalog.version) return false;
      this.#loading = this.#loader(catalog);
    }
    for (let step = 0; step < steps; step++) {
      const progress = this.#loading.step();
      if (progress === 'more') continue;
      const { catalog, loaded } = this.#loading;
      this.#loading = undefined;
      if (progress === 'replaced') {
        // Published again meanwhile, and the next call starts over; else the catalog names what is not there.
        this.#store.refresh();
        if (this.#readCatalog().version === catalog.version) throw notStored(this.#shard);
        return false;
      }
      this.#adopt(catalog, loaded);
      return true;
    }
    return false;
  }

  /** False when the key is certainly in no segment with records since `sinceMs`; touches no disk. */
  mayContain(high: number, low: number, sinceMs = 0): boolean {
    for (const { meta, filter } of this.#segments) if (asks(meta, filter, high, low, sinceMs)) return true;
    return false;
  }

  /**
   * Writes the sequences kept under the key to `out` from index `at`, newest first, and returns how many. When `out` is full
   * the older ones are left out and `truncated` is true.
   * @param sinceMs segments whose newest record is older (shard time, ms since 1970 UTC) are not asked
   * @throws HoldfastError `segment_corrupt`
   */
  find(high: number, low: number, out: Float64Array, at = 0, sinceMs = 0): number {
    try {
      return this.#find(high >>> 0, low >>> 0, out, at, sinceMs);
    } catch (error) {
      this.#reloadAfter(error);
      return this.#find(high >>> 0, low >>> 0, out, at, sinceMs);
    }
  }

  /**
   * Writes the sequences of all keys with this high word to `out` from index `at`, newest first and each once, and returns
   * how many. Cost: one block per segment and 1 362 matches; for searches, not for decisions.
   */
  findPrefix(high: number, out: Float64Array, at = 0): number {
    try {
      return this.#findPrefix(high >>> 0, out, at);
    } catch (error) {
      this.#reloadAfter(error);
      return this.#findPrefix(high >>> 0, out, at);
    }
  }

  #find(high: number, low: number, out: Float64Array, at: number, sinceMs: number): number {
    this.truncated = false;
    let count = at;
    for (let s = this.#segments.length - 1; s >= 0 && !this.truncated; s--) {
      const { meta, filter } = this.#segments[s]!;
      if (asks(meta, filter, high, low, sinceMs)) count += this.#findIn(meta, high, low, out, count);
    }
    return count - at;
  }

  #findPrefix(high: number, out: Float64Array, at: number): number {
    this.truncated = false;
    let count = at;
    for (let s = this.#segments.length - 1; s >= 0 && !this.truncated; s--)
      count += this.#findPrefixIn(this.#segments[s]!.meta, high, out, count);
    return count - at;
  }

  #findIn(meta: SegmentMeta, high: number, low: number, out: Float64Array, at: number): number {
    let number = lastNotAbove(meta.fenceHigh, meta.fenceLow, meta.fenceHigh.length, high, low);
    let count = at;
    for (; number >= 0; number--) {
      const block = this.#read(meta, number);
      let i = lastNotAbove(block.high, block.low, block.count, high, low);
      for (; i >= 0 && block.low[i] === low && block.high[i] === high; i--) {
        if (count === out.length) {
          this.truncated = true;
          return count - at;
        }
        out[count++] = meta.firstSequence + block.delta[i]!;
      }
      if (i >= 0) break; // a smaller key: the run of equal keys ended inside this block
    }
    return count - at;
  }

  #findPrefixIn(meta: SegmentMeta, high: number, out: Float64Array, at: number): number {
    const found: number[] = [];
    let number = lastNotAbove(meta.fenceHigh, meta.fenceLow, meta.fenceHigh.length, high, 0xffffffff);
    for (let more = true; number >= 0 && more; number--) {
      const block = this.#read(meta, number);
      let i = lastNotAbove(block.high, block.low, block.count, high, 0xffffffff);
      for (; i >= 0 && block.high[i] === high; i--) found.push(block.delta[i]!);
      more = i < 0;
    }
    found.sort((a, b) => b - a);
    let count = at;
    for (let i = 0; i < found.length; i++) {
      if (found[i] === found[i - 1]) continue;
      if (count === out.length) {
        this.truncated = true;
        break;
      }
      out[count++] = meta.firstSequence + found[i]!;
    }
    return count - at;
  }

  #read(meta: SegmentMeta, number: number): SegmentBlock {
    const block = this.#block;
    if (this.#blockSegment === meta.segment && this.#blockNumber === number) return block;
    this.#snapshotOpen = true;
    const stored = this.#store.get(blockKey(this.#shard, meta.segment, number));
    if (stored === undefined) throw new Replaced(meta.segment);
    this.#blockSegment = -1;
    block.load(stored, this.#shard, meta.segment, number);
    this.#blockSegment = meta.segment;
    this.#blockNumber = number;
    this.blocksRead++;
    return block;
  }

  /** Goes on to what is published now when a block of the present segments is gone; any other error is the caller's. */
  #reloadAfter(error: unknown): void {
    if (!(error instanceof Replaced)) throw error;
    const before = this.#catalog.version;
    this.#reload();
    if (this.#catalog.version === before) throw segmentCorrupt('a block is missing', this.#shard, error.segment);
  }

  /** Loads everything that is published now. */
  #reload(): void {
    // A publication can overtake the loading only as often as the builder publishes; three in a row mean damage.
    for (let attempt = 0; attempt < 3; attempt++) {
      this.#store.refresh();
      const loader = this.#loader(this.#readCatalog());
      this.#loading = undefined;
      let progress = loader.step();
      while (progress === 'more') progress = loader.step();
      if (progress === 'done') {
        this.#adopt(loader.catalog, loader.loaded);
        return;
      }
    }
    throw notStored(this.#shard);
  }

  #readCatalog(): Catalog {
    const stored = this.#store.get(catalogKey(this.#shard));
    return stored === undefined ? emptyCatalog(this.#options.keyCheck) : decodeCatalog(stored, this.#shard);
  }

  #loader(catalog: Catalog): SetLoader {
    this.#storedGeneration = catalog.generation;
    this.#ignored = catalog.keyCheck !== this.#options.keyCheck || catalog.generation === this.#strangeGeneration;
    const wanted = this.#ignored ? { ...emptyCatalog(catalog.keyCheck), version: catalog.version } : catalog;
    return new SetLoader(this.#store, this.#shard, wanted, this.#segments, this.#options.filterBytesMax);
  }

  #adopt(catalog: Catalog, loaded: Loaded[]): void {
    this.#catalog = catalog;
    this.#segments = loaded;
    this.#blockSegment = -1;
  }
}

function notStored(shard: number): Error {
  return segmentCorrupt('the catalog names segments that are not stored', shard, 0);
}

/** True when the segment must be asked for the key by reading a block. */
function asks(
  meta: SegmentMeta,
  filter: SegmentFilter | undefined,
  high: number,
  low: number,
  sinceMs: number,
): boolean {
  if (meta.lastTimeMs < sinceMs) return false;
  return filter === undefined || !isFiltered(high, meta.filterKinds) || filter.mayContain(high, low);
}

/** Index of the last of the first `count` sorted keys that is not above (high, low); -1 when all are. */
function lastNotAbove(highs: Uint32Array, lows: Uint32Array, count: number, high: number, low: number): number {
  let from = 0;
  let to = count;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const h = highs[middle]!;
    if (h < high || (h === high && lows[middle]! <= low)) from = middle + 1;
    else to = middle;
  }
  return from - 1;
}

/** A filter that is being read. */
interface FilterLoad {
  meta: SegmentMeta;
  filter: SegmentFilter;
  /** Bytes read, and the next part's number. */
  at: number;
  part: number;
}

/** Loads the segments that a catalog names, one stored value per step, newest first; those already loaded are reused. */
class SetLoader {
  readonly catalog: Catalog;
  /** Oldest first, complete when a step has said `done`. */
  readonly loaded: Loaded[] = [];
  readonly #store: Store;
  readonly #shard: number;
  readonly #former: Map<number, Loaded>;
  #filterBytesLeft: number;
  #left: number;
  #current: FilterLoad | undefined;

  constructor(store: Store, shard: number, catalog: Catalog, former: readonly Loaded[], filterBytesMax: number) {
    this.catalog = catalog;
    this.#store = store;
    this.#shard = shard;
    this.#former = new Map(former.map((loaded) => [loaded.meta.segment, loaded]));
    this.#filterBytesLeft = filterBytesMax;
    this.#left = catalog.live.length;
  }

  step(): 'more' | 'done' | 'replaced' {
    if (this.#current !== undefined) return this.#loadFilterPart(this.#current);
    while (this.#left > 0) {
      const segment = this.catalog.live[this.#left - 1]!;
      const former = this.#former.get(segment);
      if (former === undefined) return this.#loadMeta(segment);
      const bytes = former.meta.filterLines * FILTER_LINE_BYTES;
      const fits = bytes <= this.#filterBytesLeft;
      // Out of the budget: the filter goes. Back in it (others expired): it is loaded again.
      if (fits && former.filter === undefined) return this.#loadMeta(segment);
      this.#take(former.meta, fits ? former.filter : undefined);
    }
    return 'done';
  }

  #loadMeta(segment: number): 'more' | 'replaced' {
    const stored = this.#store.get(metaKey(this.#shard, segment));
    if (stored === undefined) return 'replaced';
    const meta = decodeMeta(stored, this.#shard, segment);
    if (meta.filterLines * FILTER_LINE_BYTES > this.#filterBytesLeft) this.#take(meta, undefined);
    else if (meta.filterLines === 0) this.#take(meta, new SegmentFilter(0));
    else this.#current = { meta, filter: new SegmentFilter(meta.filterLines), at: 0, part: 0 };
    return 'more';
  }

  #loadFilterPart(current: FilterLoad): 'more' | 'replaced' {
    const { meta, filter } = current;
    const stored = this.#store.get(filterKey(this.#shard, meta.segment, current.part++));
    if (stored === undefined) return 'replaced';
    current.at += decodeFilterPart(stored, filter.bytes, current.at, this.#shard, meta.segment);
    if (current.at === filter.bytes.length) {
      this.#current = undefined;
      this.#take(meta, filter);
    }
    return 'more';
  }

  #take(meta: SegmentMeta, filter: SegmentFilter | undefined): void {
    this.loaded.unshift({ meta, filter });
    if (filter !== undefined) this.#filterBytesLeft -= filter.bytes.length;
    this.#left--;
  }
}
