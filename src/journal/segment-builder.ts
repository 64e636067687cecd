/**
 * Builds, merges, publishes and expires the fingerprint segments of one shard. It runs outside the shard's thread and is the
 * only writer of the shard's keys in the segment store.
 *
 *   durable records --add--> columns --sort--> blocks, filter, meta --+
 *                                                                     +--commit of the catalog = publication
 *   neighbouring segments ---------merge-----> blocks, filter, meta --+
 *
 * The catalog changes in one commit, so a reader sees the old segments or the new ones. Segments that a merge replaced stay
 * stored for a grace time, because a reader that has not refreshed yet still asks them.
 *
 * Damage (`segment_corrupt`) has one answer: `discardAll`, and everything is built from the journal again.
 */
import { randomInt } from 'node:crypto';
import { assert, type HoldfastError } from '../errors.js';
import {
  SEGMENT_CLASS_0_ENTRIES,
  SEGMENT_ENTRIES_MAX,
  SEGMENT_FAN_IN,
  SEGMENT_GRACE_MS,
  SEGMENT_RETENTION_MS,
} from '../limits.js';
import type { Store } from '../store/port.js';
import { FILTERED_KINDS, isFiltered } from './segment-filter.js';
import {
  blockKey,
  type Catalog,
  catalogKey,
  decodeCatalog,
  decodeMeta,
  emptyCatalog,
  encodeCatalog,
  isSegmentDamage,
  metaKey,
  SegmentBlock,
  type SegmentMeta,
  segmentCorrupt,
  segmentOfKey,
  shardRanges,
} from './segment-format.js';
import type { EntryColumns } from './segment-sort.js';
import { SegmentWriter } from './segment-writer.js';

/** Keys removed per commit when a segment is swept away. */
const REMOVE_KEYS = 512;

export interface SegmentBuilderOptions {
  /** Mark of the keys' seeds, 32 bits: segments written under another mark are discarded. */
  keyCheck?: number;
  fanIn?: number;
  class0Entries?: number;
  entriesMax?: number;
  graceMs?: number;
  retentionMs?: number;
  /** Called between the commits of one segment, so that they do not follow each other at once. */
  pause?: () => void;
}

export class SegmentBuilder {
  /** What was found damaged when the shard was opened; everything was discarded then. */
  readonly damage: HoldfastError | undefined;
  readonly #store: Store;
  readonly #shard: number;
  /** Shared by the builders of a thread: only one of them may hold unpublished entries at a time. */
  readonly #columns: EntryColumns;
  readonly #options: Required<SegmentBuilderOptions>;
  #catalog: Catalog;
  #metas: SegmentMeta[];
  #scannedThrough: number;
  #firstTimeMs = 0;
  #lastTimeMs = 0;
  #filterKeys = 0;

  /**
   * Opens the shard's catalog and sweeps away what a crash left behind, or all of it when it is damaged.
   * @throws HoldfastError `segment_corrupt` when not even that is possible
   */
  constructor(store: Store, shard: number, columns: EntryColumns, options: SegmentBuilderOptions = {}) {
    this.#store = store;
    this.#shard = shard;
    this.#columns = columns;
    this.#options = {
      keyCheck: 0,
      fanIn: SEGMENT_FAN_IN,
      class0Entries: SEGMENT_CLASS_0_ENTRIES,
      entriesMax: SEGMENT_ENTRIES_MAX,
      graceMs: SEGMENT_GRACE_MS,
      retentionMs: SEGMENT_RETENTION_MS,
      pause: () => undefined,
      ...options,
    };
    store.refresh();
    this.#catalog = emptyCatalog(this.#options.keyCheck);
    this.#metas = [];
    this.#scannedThrough = 0;
    try {
      this.#open();
    } catch (error) {
      if (!isSegmentDamage(error)) throw error;
      this.damage = error;
      this.discardAll();
    }
  }

  #open(): void {
    this.#catalog = this.#readCatalog();
    this.#metas = this.#catalog.live.map((segment) => this.#readMeta(segment));
    this.#scannedThrough = this.#catalog.completeThrough;
    if (this.#catalog.keyCheck !== this.#options.keyCheck) this.discardAll();
    this.#sweep();
  }

  #readCatalog(): Catalog {
    try {
      const stored = this.#store.get(catalogKey(this.#shard));
      return stored === undefined ? emptyCatalog(this.#options.keyCheck) : decodeCatalog(stored, this.#shard);
    } catch (error) {
      // What follows an unreadable catalog has a version and a generation that no reader has seen, and segment numbers
      // behind all that are stored.
      if (isSegmentDamage(error)) {
        const nextSegment = Math.max(0, ...this.#stored()) + 1;
        const [version, generation] = [randomInt(1, 2 ** 31), randomInt(1, 2 ** 31)];
        this.#catalog = { ...this.#catalog, version, generation, nextSegment };
      }
      throw error;
    }
  }

  /** Every record up to here is in the published segments. */
  get completeThrough(): number {
    return this.#catalog.completeThrough;
  }

  /** Version of the published catalog. */
  get version(): number {
    return this.#catalog.version;
  }

  /** Grows with every discarding. */
  get generation(): number {
    return this.#catalog.generation;
  }

  get segments(): readonly SegmentMeta[] {
    return this.#metas;
  }

  /** Entries that may still be added before `publish`. */
  get room(): number {
    return this.#columns.capacity - this.#columns.count;
  }

  /** Takes one key of the record at `sequence`. Records come in order. @param timeMs the record's shard time */
  add(high: number, low: number, sequence: number, timeMs: number): void {
    const columns = this.#columns;
    const first = this.#catalog.completeThrough + 1;
    if (!(sequence >= first && sequence >= this.#scannedThrough))
      assert(false, `segment builder: sequence ${sequence} again`);
    assert(sequence - first <= 0xffffffff, 'segment builder: more than 2^32 records in one segment');
    if (columns.count === 0) {
      this.#firstTimeMs = timeMs;
      this.#lastTimeMs = timeMs;
      this.#filterKeys = 0;
    }
    columns.push(high, low, sequence - first);
    if (timeMs > this.#lastTimeMs) this.#lastTimeMs = timeMs;
    if (isFiltered(high, FILTERED_KINDS)) this.#filterKeys++;
  }

  /** Declares that all keys of all records up to `sequence` were added. */
  advance(sequence: number): void {
    if (sequence > this.#scannedThrough) this.#scannedThrough = sequence;
  }

  /** Sorts and writes what was added since the last publication and publishes it. False when there was nothing new. */
  publish(): boolean {
    const columns = this.#columns;
    const through = this.#scannedThrough;
    if (through === this.#catalog.completeThrough) {
      assert(columns.count === 0, 'segment builder: entries without an advance');
      return false;
    }
    const catalog = this.#nextCatalog();
    let writer: SegmentWriter | undefined;
    const metas = [...this.#metas];
    if (columns.count > 0) {
      columns.sort();
      writer = new SegmentWriter(
        this.#store,
        this.#shard,
        {
          segment: catalog.nextSegment++,
          firstSequence: this.#catalog.completeThrough + 1,
          lastSequence: through,
          firstTimeMs: this.#firstTimeMs,
          lastTimeMs: this.#lastTimeMs,
          filterKeys: this.#filterKeys,
        },
        this.#options.pause,
      );
      const { high, low, delta, count } = columns;
      for (let i = 0; i < count; i++) writer.append(high[i]!, low[i]!, delta[i]!);
      columns.count = 0;
      metas.push(writer.finish());
    }
    catalog.completeThrough = through;
    this.#commit(catalog, metas, writer);
    return true;
  }

  /** Forgets what was added since the last publication. */
  abandon(): void {
    this.#columns.count = 0;
    this.#scannedThrough = this.#catalog.completeThrough;
  }

  /**
   * One step of upkeep: sweeps retired segments, drops expired ones or merges one run. True when it did something and may
   * be called again.
   * @param stopping asked now and then during a merge; true abandons it
   */
  maintain(nowMs: number, stopping: () => boolean = () => false): boolean {
    return this.#removeRetired(nowMs) || this.#expire(nowMs) || this.#merge(nowMs, stopping);
  }

  /** Discards all segments: they belong to a journal or to keys that are no more. Readers find the catalog empty. */
  discardAll(): void {
    const { version, generation, nextSegment } = this.#catalog;
    this.#columns.count = 0;
    const catalog = {
      ...emptyCatalog(this.#options.keyCheck),
      version: version + 1,
      generation: generation + 1,
      nextSegment,
    };
    this.#scannedThrough = 0;
    this.#commit(catalog, []);
    this.#sweep();
  }

  #removeRetired(nowMs: number): boolean {
    const due = this.#catalog.retired.filter(({ atMs }) => atMs + this.#options.graceMs <= nowMs);
    if (due.length === 0) return false;
    const catalog = this.#nextCatalog();
    catalog.retired = this.#catalog.retired.filter((entry) => !due.includes(entry));
    // The catalog forgets them first: a crash in between leaves garbage for the sweep, never a name without a segment.
    this.#commit(catalog, this.#metas);
    for (const { segment } of due) this.#removeSegment(segment);
    return true;
  }

  #expire(nowMs: number): boolean {
    const oldest = nowMs - this.#options.retentionMs;
    let expired = 0;
    while (expired < this.#metas.length && this.#metas[expired]!.lastTimeMs < oldest) expired++;
    if (expired === 0) return false;
    const catalog = this.#nextCatalog();
    for (const { segment } of this.#metas.slice(0, expired)) catalog.retired.push({ segment, atMs: nowMs });
    this.#commit(catalog, this.#metas.slice(expired));
    return true;
  }

  #merge(nowMs: number, stopping: () => boolean): boolean {
    const [from, to] = planMerge(this.#metas, this.#options);
    if (to === from) return false;
    const inputs = this.#metas.slice(from, to);
    const catalog = this.#nextCatalog();
    const first = inputs[0]!;
    const writer = new SegmentWriter(
      this.#store,
      this.#shard,
      {
        segment: catalog.nextSegment++,
        firstSequence: first.firstSequence,
        lastSequence: inputs[inputs.length - 1]!.lastSequence,
        firstTimeMs: first.firstTimeMs,
        lastTimeMs: Math.max(...inputs.map((meta) => meta.lastTimeMs)),
        filterKeys: inputs.reduce((sum, meta) => sum + meta.filterKeys, 0),
      },
      this.#options.pause,
    );
    if (!mergeInto(writer, this.#store, this.#shard, inputs, stopping)) {
      this.#catalog.nextSegment = catalog.nextSegment; // what was written of it must not be taken for another segment
      return false;
    }
    const merged = writer.finish();
    const entries = inputs.reduce((sum, meta) => sum + meta.entries, 0);
    assert(merged.entries === entries, `merge of shard ${this.#shard}: ${merged.entries} entries of ${entries}`);
    for (const { segment } of inputs) catalog.retired.push({ segment, atMs: nowMs });
    this.#commit(catalog, [...this.#metas.slice(0, from), merged, ...this.#metas.slice(to)], writer);
    return true;
  }

  #nextCatalog(): Catalog {
    const { retired, ...rest } = this.#catalog;
    return { ...rest, version: rest.version + 1, retired: [...retired] };
  }

  #commit(catalog: Catalog, metas: SegmentMeta[], writer?: SegmentWriter): void {
    catalog.live = metas.map((meta) => meta.segment);
    this.#store.commit((transaction) => {
      writer?.flushTo(transaction);
      transaction.put(catalogKey(this.#shard), encodeCatalog(catalog));
    });
    this.#catalog = catalog;
    this.#metas = metas;
  }

  #readMeta(segment: number): SegmentMeta {
    const stored = this.#store.get(metaKey(this.#shard, segment));
    if (stored === undefined) throw segmentCorrupt('named by the catalog but not stored', this.#shard, segment);
    return decodeMeta(stored, this.#shard, segment);
  }

  /** Removes every segment that the catalog does not name. */
  #sweep(): void {
    const known = new Set([...this.#catalog.live, ...this.#catalog.retired.map(({ segment }) => segment)]);
    for (const segment of this.#stored()) if (!known.has(segment)) this.#removeSegment(segment);
  }

  /** Numbers of all segments of which something is stored, by a jump from one to the next. */
  #stored(): Set<number> {
    const found = new Set<number>();
    for (const { start, end } of shardRanges(this.#shard)) {
      let from = start;
      for (let more = true; more; ) {
        more = false;
        this.#store.scan({ start: from, end, limit: 1 }, (key) => {
          found.add(segmentOfKey(key));
          from = after(key);
          more = true;
          return false;
        });
      }
    }
    return found;
  }

  #removeSegment(segment: number): void {
    for (const { start } of shardRanges(this.#shard)) {
      const from = new Uint8Array(7);
      from.set(start);
      new DataView(from.buffer).setUint32(3, segment);
      for (let keys = this.#keys(from); keys.length > 0; keys = this.#keys(from))
        this.#store.commit((writer) => {
          for (const key of keys) writer.remove(key);
        });
    }
  }

  #keys(from: Uint8Array): Uint8Array[] {
    const keys: Uint8Array[] = [];
    this.#store.scan({ start: from, end: after(from), limit: REMOVE_KEYS }, (key) => {
      keys.push(new Uint8Array(key));
      return true;
    });
    return keys;
  }
}

/** First possible key of the segment after the key's one. */
function after(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.subarray(0, 7));
  new DataView(next.buffer).setUint32(3, segmentOfKey(key) + 1);
  return next;
}

/**
 * Which neighbouring segments become one, as [from, to): the smallest class whose run at the new end has reached the fan-in.
 * Exported for its test.
 */
export function planMerge(
  metas: readonly Pick<SegmentMeta, 'entries' | 'firstSequence' | 'lastSequence'>[],
  options: { fanIn: number; class0Entries: number; entriesMax: number },
): [number, number] {
  const none: [number, number] = [0, 0];
  const last = metas[metas.length - 1];
  for (let bound = options.class0Entries; last !== undefined && bound <= options.entriesMax; bound *= 8) {
    let from = metas.length;
    let entries = 0;
    while (from > 0 && metas[from - 1]!.entries < bound) {
      const meta = metas[from - 1]!;
      if (entries + meta.entries > options.entriesMax || last.lastSequence - meta.firstSequence > 0xffffffff) break;
      entries += meta.entries;
      from--;
    }
    if (metas.length - from >= options.fanIn) return [from, metas.length];
  }
  return none;
}

/** Reads one segment from its first entry to its last. */
class Cursor {
  high = 0;
  low = 0;
  sequence = 0;
  readonly #store: Store;
  readonly #shard: number;
  readonly #meta: SegmentMeta;
  readonly #block = new SegmentBlock();
  #number = 0;
  #at = 0;

  constructor(store: Store, shard: number, meta: SegmentMeta) {
    this.#store = store;
    this.#shard = shard;
    this.#meta = meta;
  }

  next(): boolean {
    const block = this.#block;
    if (this.#at === block.count) {
      const number = this.#number++;
      const { segment, fenceHigh } = this.#meta;
      if (number === fenceHigh.length) return false;
      const stored = this.#store.get(blockKey(this.#shard, segment, number));
      if (stored === undefined) throw segmentCorrupt(`block ${number} is missing`, this.#shard, segment);
      block.load(stored, this.#shard, segment, number);
      this.#at = 0;
    }
    this.high = block.high[this.#at]!;
    this.low = block.low[this.#at]!;
    this.sequence = this.#meta.firstSequence + block.delta[this.#at]!;
    this.#at++;
    return true;
  }
}

/** Entries between two looks at the stop word: some 5 ms of merging. */
const STOP_CHECK_ENTRIES = 65_536;

function mergeInto(
  writer: SegmentWriter,
  store: Store,
  shard: number,
  inputs: readonly SegmentMeta[],
  stopping: () => boolean,
): boolean {
  const base = inputs[0]!.firstSequence;
  const cursors = inputs.map((meta) => new Cursor(store, shard, meta)).filter((cursor) => cursor.next());
  for (let merged = 1; cursors.length > 0; merged++) {
    if (merged % STOP_CHECK_ENTRIES === 0 && stopping()) return false;
    let least = 0;
    let cursor = cursors[0]!;
    for (let i = 1; i < cursors.length; i++) {
      const other = cursors[i]!;
      // Equal keys: the older segment stays ahead, so their sequences keep their order.
      if (other.high > cursor.high || (other.high === cursor.high && other.low >= cursor.low)) continue;
      least = i;
      cursor = other;
    }
    writer.append(cursor.high, cursor.low, cursor.sequence - base);
    if (!cursor.next()) cursors.splice(least, 1);
  }
  return true;
}
