/**
 * Memory of rows that have few fixed columns and contents of very different lengths.
 *
 * Columns stand row by row in pages, so that a row costs one cache line and growing copies nothing:
 *   owner u32 | block u32 | hash i32 | newest sequence, low word | high word
 *
 * Contents are blocks in chunks of 64 KiB, written one behind the other. A row that outgrows its block gets a new one and
 * leaves the old one behind as waste; a chunk without live blocks is the next to be written. When more than a fifth of all
 * chunks is waste, each newly opened chunk first takes the live blocks of an emptier one, at most 48 KiB: so waste has a
 * bound and no growth ever waits for a copy of everything.
 *   block    slot u32 | units u16 | length u16 | contents, zeros up to the unit
 *   address  chunk (upper 19 bits) and unit of 8 bytes in it (lower 13); 0 = no block
 * Words are in the machine's byte order, which is little-endian wherever this runs.
 */
import { assert } from '../../errors.js';

const PAGE_BITS = 10;
const PAGE_ROWS = 2 ** PAGE_BITS;
const ROW_WORDS = 5;
const OWNER = 0;
const ADDRESS = 1;
const HASH = 2;
const NEWEST_LOW = 3;
const NEWEST_HIGH = 4;

const UNIT = 8;
const CHUNK_BITS = 13;
const CHUNK_UNITS = 2 ** CHUNK_BITS;
const CHUNKS_MAX = 2 ** (32 - CHUNK_BITS);
/** Largest contents: a block is an eighth of a chunk, so it fits behind what was moved into a new one. */
export const CONTENTS_BYTES_MAX = (CHUNK_UNITS / 8 - 1) * UNIT;
/** Chunks looked at for one that is worth emptying. */
const CANDIDATES = 64;
/** A chunk with more live units than this is not emptied. */
const WORTH_UNITS = CHUNK_UNITS * 0.75;

interface Chunk {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  live: number;
  /** Units written so far: where the walk over its blocks ends. */
  end: number;
}

/** Units of a block for contents of a length in bytes; 0 for none. */
const unitsFor = (length: number): number => (length === 0 ? 0 : 1 + ((length + UNIT - 1) >>> 3));
/** A block is right for what needs it whole, or four fifths of it. */
const fits = (units: number, had: number): boolean => had >= units && had <= units + (units >>> 2);

export class RowStore {
  readonly #pages: Uint32Array[] = [];
  #rows = 0;

  readonly #chunks: Chunk[] = [];
  readonly #empty: number[] = [];
  #head = -1;
  #live = 0;
  #candidate = 0;

  /**
   * Contents of the row that `open` found: `length` bytes from `start` on, which is a multiple of 8. Whoever changes them
   * there calls `setHash`.
   */
  bytes: Uint8Array = new Uint8Array(0);
  words: Uint32Array = new Uint32Array(0);
  start = 0;
  length = 0;

  get rows(): number {
    return this.#rows;
  }

  /** A new row without contents. */
  create(owner: number): number {
    const slot = this.#rows++;
    if (slot >>> PAGE_BITS === this.#pages.length) this.#pages.push(new Uint32Array(PAGE_ROWS * ROW_WORDS));
    this.#pages[slot >>> PAGE_BITS]![(slot & (PAGE_ROWS - 1)) * ROW_WORDS + OWNER] = owner;
    return slot;
  }

  owner(slot: number): number {
    return this.#column(slot, OWNER);
  }

  /** The hash that was written last, signed. */
  hash(slot: number): number {
    return this.#pages[slot >>> PAGE_BITS]![(slot & (PAGE_ROWS - 1)) * ROW_WORDS + HASH]! | 0;
  }

  setHash(slot: number, hash: number): void {
    this.#pages[slot >>> PAGE_BITS]![(slot & (PAGE_ROWS - 1)) * ROW_WORDS + HASH] = hash;
  }

  /** Sequence of the newest event that the row includes; 0 for a new row. */
  newest(slot: number): number {
    const page = this.#pages[slot >>> PAGE_BITS]!;
    const at = (slot & (PAGE_ROWS - 1)) * ROW_WORDS;
    return page[at + NEWEST_HIGH]! * 2 ** 32 + page[at + NEWEST_LOW]!;
  }

  setNewest(slot: number, sequence: number): void {
    const page = this.#pages[slot >>> PAGE_BITS]!;
    const at = (slot & (PAGE_ROWS - 1)) * ROW_WORDS;
    page[at + NEWEST_LOW] = sequence;
    page[at + NEWEST_HIGH] = Math.floor(sequence / 2 ** 32);
  }

  /** Points `bytes`, `start` and `length` at the contents of a row; false when it has none. */
  open(slot: number): boolean {
    const address = this.#column(slot, ADDRESS);
    this.length = 0;
    if (address === 0) return false;
    const { bytes, words } = this.#chunks[address >>> CHUNK_BITS]!;
    const unit = address & (CHUNK_UNITS - 1);
    this.bytes = bytes;
    this.words = words;
    this.start = (unit + 1) * UNIT;
    this.length = words[unit * 2 + 1]! >>> 16;
    return true;
  }

  /** True when the block of the row that `open` found stays the right one for `length` bytes, and holds `most` for a moment. */
  hasRoom(length: number, most: number): boolean {
    const had = this.words[(this.start >>> 2) - 1]! & 0xffff;
    return length > 0 && fits(unitsFor(length), had) && unitsFor(most) <= had;
  }

  /** The contents of the row that `open` found have become `length` bytes long, where they stand: `hasRoom` has said so. */
  setLength(length: number): void {
    const at = (this.start >>> 2) - 1;
    this.words[at] = (this.words[at]! & 0xffff) | (length << 16);
    this.length = length;
    for (let i = length; (i & (UNIT - 1)) !== 0; i++) this.bytes[this.start + i] = 0;
  }

  /**
   * Makes `length` bytes of `contents` the contents of a row, 0 for none. The bytes behind them up to the next multiple of 8
   * must be zero. Blocks of other rows may move.
   */
  write(slot: number, contents: Uint32Array, length: number, hash: number): void {
    if (length > CONTENTS_BYTES_MAX) assert(false, `a row of ${length} bytes is too long for its block`);
    const page = this.#pages[slot >>> PAGE_BITS]!;
    const at = (slot & (PAGE_ROWS - 1)) * ROW_WORDS;
    page[at + HASH] = hash;
    const units = unitsFor(length);
    const old = page[at + ADDRESS]!;
    const had = old === 0 ? 0 : this.#unitsOf(old);
    if (units === 0 || !fits(units, had)) {
      if (had > 0) this.#release(old >>> CHUNK_BITS, had);
      // No address while chunks are emptied: the old block must not be moved along.
      page[at + ADDRESS] = 0;
      if (units > 0) page[at + ADDRESS] = this.#allocate(slot, units);
    }
    if (units === 0) return;
    const address = page[at + ADDRESS]!;
    const { words } = this.#chunks[address >>> CHUNK_BITS]!;
    let to = (address & (CHUNK_UNITS - 1)) * 2 + 1;
    words[to] = (words[to]! & 0xffff) | (length << 16);
    to++;
    const count = (units - 1) * 2;
    for (let i = 0; i < count; i++) words[to + i] = contents[i]!;
  }

  get memoryBytes(): number {
    return this.#pages.length * PAGE_ROWS * ROW_WORDS * 4 + this.#chunks.length * CHUNK_UNITS * UNIT;
  }

  #column(slot: number, which: number): number {
    return this.#pages[slot >>> PAGE_BITS]![(slot & (PAGE_ROWS - 1)) * ROW_WORDS + which]!;
  }

  #unitsOf(address: number): number {
    return this.#chunks[address >>> CHUNK_BITS]!.words[(address & (CHUNK_UNITS - 1)) * 2 + 1]! & 0xffff;
  }

  /** Address of a new block behind the newest one. */
  #allocate(slot: number, units: number): number {
    if (this.#head < 0 || this.#chunks[this.#head]!.end + units > CHUNK_UNITS) this.#openChunk();
    const chunk = this.#chunks[this.#head]!;
    const unit = chunk.end;
    chunk.words[unit * 2] = slot;
    chunk.words[unit * 2 + 1] = units;
    chunk.end += units;
    chunk.live += units;
    this.#live += units;
    return this.#head * CHUNK_UNITS + unit;
  }

  #release(number: number, units: number): void {
    const chunk = this.#chunks[number]!;
    chunk.live -= units;
    this.#live -= units;
    if (chunk.live === 0 && number !== this.#head) this.#empty.push(number);
  }

  #openChunk(): void {
    const last = this.#head;
    if (last >= 0 && this.#chunks[last]!.live === 0) this.#empty.push(last);
    this.#head = this.#empty.pop() ?? this.#newChunk();
    const chunk = this.#chunks[this.#head]!;
    // Unit 0 of chunk 0 stays free: address 0 is no block.
    chunk.end = this.#head === 0 ? 1 : 0;
    const inUse = (this.#chunks.length - this.#empty.length) * CHUNK_UNITS;
    if (inUse - this.#live > inUse / 5 + CHUNK_UNITS) this.#emptyOne();
  }

  #newChunk(): number {
    assert(this.#chunks.length < CHUNKS_MAX, 'velocity counters of a shard fit into 32 GiB');
    const buffer = new ArrayBuffer(CHUNK_UNITS * UNIT);
    return this.#chunks.push({ bytes: new Uint8Array(buffer), words: new Uint32Array(buffer), live: 0, end: 0 }) - 1;
  }

  /** Moves the live blocks of the emptiest of some chunks into the newly opened one. */
  #emptyOne(): void {
    let victim = -1;
    let least = WORTH_UNITS;
    for (let i = 0; i < Math.min(CANDIDATES, this.#chunks.length); i++) {
      this.#candidate = (this.#candidate + 1) % this.#chunks.length;
      const { live } = this.#chunks[this.#candidate]!;
      if (live > 0 && live < least && this.#candidate !== this.#head) {
        victim = this.#candidate;
        least = live;
      }
    }
    if (victim < 0) return;
    const from = this.#chunks[victim]!;
    for (let unit = victim === 0 ? 1 : 0; unit < from.end; ) {
      const slot = from.words[unit * 2]!;
      const units = from.words[unit * 2 + 1]! & 0xffff;
      if (this.#column(slot, ADDRESS) === victim * CHUNK_UNITS + unit) this.#move(slot, from, unit, units);
      unit += units;
    }
    this.#release(victim, from.live);
  }

  /** Copies a block to the head, which has room for it; the old one stays counted. */
  #move(slot: number, from: Chunk, unit: number, units: number): void {
    const head = this.#chunks[this.#head]!;
    const to = head.end * 2;
    for (let i = 0; i < units * 2; i++) head.words[to + i] = from.words[unit * 2 + i]!;
    this.#pages[slot >>> PAGE_BITS]![(slot & (PAGE_ROWS - 1)) * ROW_WORDS + ADDRESS] =
      this.#head * CHUNK_UNITS + head.end;
    head.end += units;
    head.live += units;
    this.#live += units;
  }
}

/**
 * Hash of contents as `write` takes them, a signed 32-bit integer: four lanes, so that the words do not wait for one
 * another. Every step can be undone, so a change of one word always changes the hash.
 * @param first word at which they begin @param length in bytes
 */
export function contentsHash(seed: number, contents: Uint32Array, first: number, length: number): number {
  let a = seed | 0;
  let b = 0x3c6ef372;
  let c = 0x1b873593;
  let d = length;
  const end = first + ((length + 3) >>> 2);
  let i = first;
  for (; i + 4 <= end; i += 4) {
    a = mix(a, contents[i]!);
    b = mix(b, contents[i + 1]!);
    c = mix(c, contents[i + 2]!);
    d = mix(d, contents[i + 3]!);
  }
  for (; i < end; i++) a = mix(a, contents[i]!);
  return mix(mix(mix(mix(mix(length, a), b), c), d), 0);
}

function mix(hash: number, word: number): number {
  const h = Math.imul(hash ^ word, 0x9e3779b1);
  return h ^ (h >>> 15);
}
