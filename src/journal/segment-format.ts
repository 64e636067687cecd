/**
 * Bytes of the fingerprint segments in their store. The page docs/internals/fingerprint-segments.md describes them for a
 * second reader; all numbers are little-endian in values and big-endian in keys, because keys order by memcmp.
 *
 *   key  [1, shard u16]                               catalog: the segments that count, and how far they reach
 *   key  [2, shard u16, segment u32]                  meta: ranges, fences
 *   key  [3, shard u16, segment u32, part u32]        a part of the filter
 *   key  [4, shard u16, segment u32, block u32]       a block of entries
 *
 * What no catalog names does not exist: it is a build that was cut off, or a segment that was replaced, and is swept away.
 * Every value ends in, or carries, a CRC-32 of all its other bytes.
 */
import { crc32 } from 'node:zlib';
import { HoldfastError } from '../errors.js';

export const SEGMENT_FORMAT = 1;

const CATALOG = 1;
const META = 2;
const FILTER = 3;
const BLOCK = 4;

/** Bytes before the columns of a block: version u8, 0 u8, shard u16, segment u32, block u32, count u32, crc u32. */
export const BLOCK_HEADER_BYTES = 20;
/** Three u32 columns of 1 362 entries and the header are 16 364 bytes: with LMDB's own 16 exactly four pages. */
export const BLOCK_ENTRIES = 1362;
export const BLOCK_BYTES = BLOCK_HEADER_BYTES + BLOCK_ENTRIES * 12;
/** Filter bytes per stored part, a multiple of the 64-byte line. */
export const FILTER_PART_BYTES = 64 * 1023;

if (new Uint8Array(new Uint32Array([1]).buffer)[0] !== 1)
  throw new HoldfastError('internal', 'fingerprint segments need a little-endian machine');

function key(kind: number, shard: number, segment?: number, part?: number): Uint8Array {
  const bytes = new Uint8Array(segment === undefined ? 3 : part === undefined ? 7 : 11);
  bytes[0] = kind;
  bytes[1] = shard >>> 8;
  bytes[2] = shard;
  if (segment !== undefined) writeU32(bytes, 3, segment);
  if (part !== undefined) writeU32(bytes, 7, part);
  return bytes;
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export const catalogKey = (shard: number): Uint8Array => key(CATALOG, shard);
export const metaKey = (shard: number, segment: number): Uint8Array => key(META, shard, segment);
export const filterKey = (shard: number, segment: number, part: number): Uint8Array =>
  key(FILTER, shard, segment, part);
export const blockKey = (shard: number, segment: number, block: number): Uint8Array =>
  key(BLOCK, shard, segment, block);

/** Key ranges [start, end) that hold everything a shard's segments may have stored, published or not. */
export function shardRanges(shard: number): { start: Uint8Array; end: Uint8Array }[] {
  return [META, FILTER, BLOCK].map((kind) => ({ start: key(kind, shard), end: key(kind, shard + 1) }));
}

/** Shard number in any key. */
export function shardOfKey(bytes: Uint8Array): number {
  return (bytes[1]! << 8) | bytes[2]!;
}

/** Segment number in a key of one of the shard's ranges. */
export function segmentOfKey(bytes: Uint8Array): number {
  return ((bytes[3]! << 24) | (bytes[4]! << 16) | (bytes[5]! << 8) | bytes[6]!) >>> 0;
}

export function segmentCorrupt(what: string, shard: number, segment: number): HoldfastError {
  return new HoldfastError(
    'segment_corrupt',
    `fingerprint segment ${segment} of shard ${shard}: ${what}`,
    'the folder segments/ is derived data: stop the engine, delete it, and it is rebuilt from the journal at the next start',
  );
}

/** True for an error that is answered by discarding the segments of the shard and building them anew. */
export function isSegmentDamage(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && error.code === 'segment_corrupt';
}

/** Segments of a shard that count, and how far they reach. */
export interface Catalog {
  /** Grows with every publication. */
  version: number;
  /** Grows when all segments were discarded to be built anew. */
  generation: number;
  /** Numbers from here on were never used. */
  nextSegment: number;
  /** Every record up to this sequence is in the segments (unless it is older than the retention). */
  completeThrough: number;
  /** Marks the seeds of the keys: segments of other seeds are worthless. */
  keyCheck: number;
  /** Oldest first; their sequence ranges follow each other. */
  live: number[];
  /** Replaced or expired, still stored for readers that have not refreshed yet. */
  retired: { segment: number; atMs: number }[];
}

const CATALOG_HEADER_BYTES = 36;

export function emptyCatalog(keyCheck: number): Catalog {
  return { version: 0, generation: 0, nextSegment: 1, completeThrough: 0, keyCheck, live: [], retired: [] };
}

/**
 * Format u8, 3 zero bytes, version u32, next u32, key check u32, complete f64, live u32, retired u32, generation u32; then
 * the live numbers u32, the retired ones as u32 and f64 ms, and the checksum.
 */
export function encodeCatalog(catalog: Catalog): Uint8Array {
  const bytes = new Uint8Array(CATALOG_HEADER_BYTES + catalog.live.length * 4 + catalog.retired.length * 12 + 4);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, SEGMENT_FORMAT);
  view.setUint32(4, catalog.version, true);
  view.setUint32(8, catalog.nextSegment, true);
  view.setUint32(12, catalog.keyCheck, true);
  view.setFloat64(16, catalog.completeThrough, true);
  view.setUint32(24, catalog.live.length, true);
  view.setUint32(28, catalog.retired.length, true);
  view.setUint32(32, catalog.generation, true);
  let at = CATALOG_HEADER_BYTES;
  for (const segment of catalog.live) {
    view.setUint32(at, segment, true);
    at += 4;
  }
  for (const { segment, atMs } of catalog.retired) {
    view.setUint32(at, segment, true);
    view.setFloat64(at + 4, atMs, true);
    at += 12;
  }
  view.setUint32(at, crc32(bytes.subarray(0, at)), true);
  return bytes;
}

export function decodeCatalog(bytes: Uint8Array, shard: number): Catalog {
  const view = checked(bytes, CATALOG_HEADER_BYTES + 4, 'catalog', shard, 0);
  const live = view.getUint32(24, true);
  const retired = view.getUint32(28, true);
  if (bytes.length !== CATALOG_HEADER_BYTES + live * 4 + retired * 12 + 4)
    throw segmentCorrupt('catalog of a wrong length', shard, 0);
  const catalog: Catalog = {
    version: view.getUint32(4, true),
    nextSegment: view.getUint32(8, true),
    keyCheck: view.getUint32(12, true),
    completeThrough: view.getFloat64(16, true),
    live: [],
    retired: [],
    generation: view.getUint32(32, true),
  };
  let at = CATALOG_HEADER_BYTES;
  for (let i = 0; i < live; i++, at += 4) catalog.live.push(view.getUint32(at, true));
  for (let i = 0; i < retired; i++, at += 12)
    catalog.retired.push({ segment: view.getUint32(at, true), atMs: view.getFloat64(at + 4, true) });
  return catalog;
}

/** What a reader must know of a segment before it reads a block. */
export interface SegmentMeta {
  segment: number;
  /** The records covered; sequences in blocks are differences to the first. */
  firstSequence: number;
  lastSequence: number;
  /** Shard times of the records covered, ms since 1970 UTC; 0 and 0 when there is no entry. */
  firstTimeMs: number;
  lastTimeMs: number;
  entries: number;
  /** 64-byte lines of the filter; 0 without one. */
  filterLines: number;
  /** Keys in the filter. */
  filterKeys: number;
  /** Bit k is set when all keys of kind k (the top three bits of the high word) are in the filter. */
  filterKinds: number;
  /** First key of each block. */
  fenceHigh: Uint32Array;
  fenceLow: Uint32Array;
}

const META_HEADER_BYTES = 64;

export function encodeMeta(meta: SegmentMeta): Uint8Array {
  const blocks = meta.fenceHigh.length;
  const bytes = new Uint8Array(META_HEADER_BYTES + blocks * 8 + 4);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, SEGMENT_FORMAT);
  view.setUint32(4, meta.segment, true);
  view.setFloat64(8, meta.firstSequence, true);
  view.setFloat64(16, meta.lastSequence, true);
  view.setFloat64(24, meta.firstTimeMs, true);
  view.setFloat64(32, meta.lastTimeMs, true);
  view.setUint32(40, meta.entries, true);
  view.setUint32(44, blocks, true);
  view.setUint32(48, meta.filterLines, true);
  view.setUint32(52, meta.filterKeys, true);
  view.setUint32(56, meta.filterKinds, true);
  new Uint32Array(bytes.buffer, META_HEADER_BYTES, blocks).set(meta.fenceHigh);
  new Uint32Array(bytes.buffer, META_HEADER_BYTES + blocks * 4, blocks).set(meta.fenceLow);
  view.setUint32(bytes.length - 4, crc32(bytes.subarray(0, bytes.length - 4)), true);
  return bytes;
}

export function decodeMeta(bytes: Uint8Array, shard: number, segment: number): SegmentMeta {
  const view = checked(bytes, META_HEADER_BYTES + 4, 'meta', shard, segment);
  const blocks = view.getUint32(44, true);
  if (bytes.length !== META_HEADER_BYTES + blocks * 8 + 4 || view.getUint32(4, true) !== segment)
    throw segmentCorrupt('meta of another segment or of a wrong length', shard, segment);
  // A copy, because the store's bytes live until its next call and need not be aligned.
  const fences = new Uint32Array(
    new Uint8Array(bytes.subarray(META_HEADER_BYTES, META_HEADER_BYTES + blocks * 8)).buffer,
  );
  return {
    segment,
    firstSequence: view.getFloat64(8, true),
    lastSequence: view.getFloat64(16, true),
    firstTimeMs: view.getFloat64(24, true),
    lastTimeMs: view.getFloat64(32, true),
    entries: view.getUint32(40, true),
    filterLines: view.getUint32(48, true),
    filterKeys: view.getUint32(52, true),
    filterKinds: view.getUint32(56, true),
    fenceHigh: fences.subarray(0, blocks),
    fenceLow: fences.subarray(blocks),
  };
}

/** A part of a filter: crc u32 over the rest, version u8, 3 zero bytes, bits. */
export const FILTER_HEADER_BYTES = 8;

export function encodeFilterPart(bits: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FILTER_HEADER_BYTES + bits.length);
  bytes[4] = SEGMENT_FORMAT;
  bytes.set(bits, FILTER_HEADER_BYTES);
  new DataView(bytes.buffer).setUint32(0, crc32(bytes.subarray(4)), true);
  return bytes;
}

/** Copies a part's bits to `target` at `at`; returns their number. */
export function decodeFilterPart(
  bytes: Uint8Array,
  target: Uint8Array,
  at: number,
  shard: number,
  segment: number,
): number {
  const bits = bytes.subarray(FILTER_HEADER_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < FILTER_HEADER_BYTES || view.getUint32(0, true) !== crc32(bytes.subarray(4)))
    throw segmentCorrupt('filter fails its checksum', shard, segment);
  if (bytes[4] !== SEGMENT_FORMAT) throw segmentCorrupt(`filter of format ${bytes[4]}`, shard, segment);
  if (at + bits.length > target.length) throw segmentCorrupt('filter longer than its meta says', shard, segment);
  target.set(bits, at);
  return bits.length;
}

/**
 * A block of entries as three columns in one aligned buffer; reused. Entries order by (high, low, sequence).
 */
export class SegmentBlock {
  readonly bytes = new Uint8Array(new ArrayBuffer(BLOCK_BYTES));
  readonly #view = new DataView(this.bytes.buffer);
  high = new Uint32Array(0);
  low = new Uint32Array(0);
  /** Sequence minus the segment's first. */
  delta = new Uint32Array(0);
  count = 0;

  /** Lays the columns out for `count` entries, to be filled before `seal`. */
  layOut(count: number): void {
    this.count = count;
    this.high = new Uint32Array(this.bytes.buffer, BLOCK_HEADER_BYTES, count);
    this.low = new Uint32Array(this.bytes.buffer, BLOCK_HEADER_BYTES + count * 4, count);
    this.delta = new Uint32Array(this.bytes.buffer, BLOCK_HEADER_BYTES + count * 8, count);
  }

  /** Writes the header and returns the block's bytes, a view that the next `layOut` invalidates. */
  seal(shard: number, segment: number, block: number): Uint8Array {
    const view = this.#view;
    view.setUint8(0, SEGMENT_FORMAT);
    view.setUint8(1, 0);
    view.setUint16(2, shard, true);
    view.setUint32(4, segment, true);
    view.setUint32(8, block, true);
    view.setUint32(12, this.count, true);
    const bytes = this.bytes.subarray(0, BLOCK_HEADER_BYTES + this.count * 12);
    view.setUint32(16, blockCrc(bytes), true);
    return bytes;
  }

  /** Takes a stored block. @throws HoldfastError `segment_corrupt` when it is not the block that was asked for. */
  load(stored: Uint8Array, shard: number, segment: number, block: number): void {
    const where = `block ${block}`;
    if (stored.length < BLOCK_HEADER_BYTES || stored.length > BLOCK_BYTES)
      throw segmentCorrupt(`${where} has ${stored.length} bytes`, shard, segment);
    this.bytes.set(stored);
    const view = this.#view;
    const bytes = this.bytes.subarray(0, stored.length);
    if (view.getUint32(16, true) !== blockCrc(bytes))
      throw segmentCorrupt(`${where} fails its checksum`, shard, segment);
    if (view.getUint8(0) !== SEGMENT_FORMAT)
      throw segmentCorrupt(`${where} is of format ${view.getUint8(0)}`, shard, segment);
    const count = view.getUint32(12, true);
    if (
      view.getUint16(2, true) !== shard ||
      view.getUint32(4, true) !== segment ||
      view.getUint32(8, true) !== block ||
      stored.length !== BLOCK_HEADER_BYTES + count * 12
    )
      throw segmentCorrupt(`${where} belongs elsewhere or has a wrong length`, shard, segment);
    this.layOut(count);
  }
}

function blockCrc(bytes: Uint8Array): number {
  return crc32(bytes.subarray(BLOCK_HEADER_BYTES), crc32(bytes.subarray(0, 16)));
}

function checked(bytes: Uint8Array, least: number, what: string, shard: number, segment: number): DataView {
  const end = bytes.length - 4;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < least || view.getUint32(end, true) !== crc32(bytes.subarray(0, end)))
    throw segmentCorrupt(`${what} fails its checksum`, shard, segment);
  if (view.getUint8(0) !== SEGMENT_FORMAT)
    throw segmentCorrupt(`${what} is of format ${view.getUint8(0)}`, shard, segment);
  return view;
}
