/**
 * The newest part of the fingerprint index, in the memory of the shard's thread: a multimap from 64-bit keys (two unsigned
 * 32-bit words) to journal sequences.
 *
 * It is a list of generations, and each generation is a log with its own hash table (the shape of a deflate window):
 *
 *   heads (one u32 per bucket)                 log (four u32 per entry, appended, never moved)
 *   +----------------------------+             +------+------+--------------------+------------------+
 *   | tag bits | newest position | ----------> | low  | high | sequence - base    | older position   |
 *   +----------------------------+             +------+------+--------------------+------------------+
 *
 * - Adding is one append and one write of a bucket: no probing, no rehash, so it costs the same whatever is in the bucket,
 *   100 000 entries of one key included. Growing is a new generation, two allocations of which only the heads are zeroed;
 *   every second one is twice as large, so 4 million entries are 8 generations and not 32.
 * - The tag bits of a bucket are the union of one bit per entry in it, so a look-up that finds nothing usually touches one
 *   word per generation and never reads the log.
 * - Entries come in journal order, so a generation covers a range of sequences and dropping old entries is forgetting whole
 *   generations.
 * - 16 bytes of log and 4 bytes of heads make 20 bytes per entry of a full generation.
 *
 * A look-up visits every generation, newest first. With segments that keep up there are one or two of them; when the builder
 * of segments does not keep up, the bound on the number of entries bounds them, and `full` then stops new work. (One table
 * that is rehashed bucket by bucket would be one probe always, but it cannot drop old entries without touching them, and
 * splitting a bucket of many equal keys is a stall.) A look-up of a key that shares a bucket with many equal keys walks all
 * of them: with keyed, well-mixed keys and as many buckets as entries that costs the average look-up nothing.
 */
import { assert } from '../errors.js';
import { INDEX_GENERATION_BITS, INDEX_RECENT_ENTRIES_MAX } from '../limits.js';

const WORDS = 4;
const LOW = 0;
const HIGH = 1;
const DELTA = 2;
const OLDER = 3;

/** Bits of one key that spread over buckets and tags. Keys are keyed hashes already; this mixes the two words. */
function mix(high: number, low: number): number {
  let h = Math.imul(high, 0x9e3779b1) ^ low;
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  return h ^ (h >>> 13);
}

class Generation {
  readonly bits: number;
  /** Selects the bucket of a hash, and the position in a head: there are as many buckets as positions. */
  readonly mask: number;
  readonly heads: Uint32Array;
  readonly log: Uint32Array;
  /** Entries in the log; positions run from 1, so that 0 ends a chain. */
  count = 0;
  /** Sequences are kept as differences to this one. */
  base = 0;
  /** Largest sequence in it. */
  last = 0;

  constructor(bits: number) {
    this.bits = bits;
    this.mask = 2 ** bits - 1;
    this.heads = new Uint32Array(2 ** bits);
    // Of the log nothing is read that was not written: zeroing megabytes would be a stall of milliseconds.
    this.log = new Uint32Array(Buffer.allocUnsafeSlow(2 ** bits * WORDS * Uint32Array.BYTES_PER_ELEMENT).buffer);
  }

  restart(base: number): void {
    if (this.count > 0) this.heads.fill(0);
    this.count = 0;
    this.base = base;
    this.last = base;
  }

  /** The bit of a bucket's tag that stands for this hash, picked by the hash bits that the bucket number does not use. */
  tag(hash: number): number {
    const bits = this.bits;
    return 1 << (bits + Math.floor(((hash >>> bits) * (32 - bits)) / (1 << (32 - bits))));
  }

  get bytes(): number {
    return this.heads.byteLength + this.log.byteLength;
  }
}

export interface RecentIndexOptions {
  /** Entries beyond which `full` is true. Default INDEX_RECENT_ENTRIES_MAX. */
  entriesMax?: number;
  /** The first generation holds 2^bits - 1 entries, the largest 8 times as many; 4 to 20. Default INDEX_GENERATION_BITS. */
  generationBits?: number;
}

export class RecentIndex {
  /** True when the last `find` or `findPrefix` left out older entries because its output was full. */
  truncated = false;
  readonly #bits: number;
  readonly #entriesMax: number;
  /** Oldest first; the last one takes the additions. */
  readonly #generations: Generation[] = [];
  #spare: Generation | undefined;
  #size = 0;
  #coveredAfter = 0;
  #last = 0;

  constructor(options: RecentIndexOptions = {}) {
    this.#bits = options.generationBits ?? INDEX_GENERATION_BITS;
    if (!Number.isInteger(this.#bits) || this.#bits < 4 || this.#bits > 20)
      throw new RangeError(`generationBits ${this.#bits} is not between 4 and 20`);
    this.#entriesMax = options.entriesMax ?? INDEX_RECENT_ENTRIES_MAX;
  }

  /** Entries held. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of all tables, the spare one included. */
  get memoryBytes(): number {
    let bytes = this.#spare?.bytes ?? 0;
    for (const generation of this.#generations) bytes += generation.bytes;
    return bytes;
  }

  get generations(): number {
    return this.#generations.length;
  }

  /**
   * True when new work must be refused until the segments have caught up. `add` still keeps everything: the messages of the
   * turn that crossed the bound are decided already and must not be forgotten.
   */
  get full(): boolean {
    return this.#size >= this.#entriesMax;
  }

  /** Every entry with a larger sequence is here, provided that it was added; at or below it, entries may be missing. */
  get coveredAfter(): number {
    return this.#coveredAfter;
  }

  /** Largest sequence added, or `coveredAfter` when there is none. */
  get lastSequence(): number {
    return this.#last;
  }

  /** Empties the index; from now on it covers what comes after `sequence`. */
  restart(sequence: number): void {
    this.#generations.length = 0;
    this.#size = 0;
    this.#coveredAfter = sequence;
    this.#last = sequence;
  }

  /**
   * Keeps `sequence` under the key. Sequences must not go back (several keys per sequence are usual).
   * @param high unsigned 32 bits @param low unsigned 32 bits @param sequence 1 to 2^48
   */
  add(high: number, low: number, sequence: number): void {
    if (!(sequence >= this.#last)) assert(false, `recent index: sequence ${sequence} after ${this.#last}`);
    this.#last = sequence;
    let generation = this.#generations[this.#generations.length - 1];
    if (generation === undefined || generation.count === generation.mask || sequence - generation.base > 0xffffffff)
      generation = this.#grow(sequence);
    const position = ++generation.count;
    const hash = mix(high, low);
    const mask = generation.mask;
    const bucket = hash & mask;
    const head = generation.heads[bucket]!;
    const log = generation.log;
    const at = position * WORDS;
    log[at + LOW] = low;
    log[at + HIGH] = high;
    log[at + DELTA] = sequence - generation.base;
    log[at + OLDER] = head & mask;
    generation.heads[bucket] = (head & ~mask) | generation.tag(hash) | position;
    generation.last = sequence;
    this.#size++;
  }

  /**
   * Writes the sequences kept under the key to `out` from index `at`, newest first, and returns how many. When `out` is full
   * the older ones are left out and `truncated` is true.
   */
  find(high: number, low: number, out: Float64Array, at = 0): number {
    this.truncated = false;
    const hash = mix(high, low);
    const wantedLow = low >>> 0;
    const wantedHigh = high >>> 0;
    let count = at;
    for (let g = this.#generations.length - 1; g >= 0; g--) {
      const generation = this.#generations[g]!;
      const head = generation.heads[hash & generation.mask]!;
      if ((head & generation.tag(hash)) === 0) continue;
      const log = generation.log;
      for (let position = head & generation.mask; position !== 0; position = log[position * WORDS + OLDER]!) {
        const entry = position * WORDS;
        if (log[entry + LOW]! !== wantedLow || log[entry + HIGH]! !== wantedHigh) continue;
        if (count >= out.length) {
          this.truncated = true;
          return count - at;
        }
        out[count++] = generation.base + log[entry + DELTA]!;
      }
    }
    return count - at;
  }

  /**
   * Writes the sequences of all keys with this high word to `out` from index `at`, newest first, and returns how many; a
   * sequence is written once. Reads every entry (about 1 ns each): for searches, not for decisions.
   */
  findPrefix(high: number, out: Float64Array, at = 0): number {
    this.truncated = false;
    const wanted = high >>> 0;
    let count = at;
    for (let g = this.#generations.length - 1; g >= 0; g--) {
      const generation = this.#generations[g]!;
      const log = generation.log;
      for (let entry = generation.count * WORDS; entry > 0; entry -= WORDS) {
        if (log[entry + HIGH]! !== wanted) continue;
        const sequence = generation.base + log[entry + DELTA]!;
        if (count > at && out[count - 1] === sequence) continue;
        if (count >= out.length) {
          this.truncated = true;
          return count - at;
        }
        out[count++] = sequence;
      }
    }
    return count - at;
  }

  /** Forgets the generations whose entries are all at or below `sequence`; newer entries stay, and so may some older ones. */
  dropThrough(sequence: number): void {
    let dropped = 0;
    while (dropped < this.#generations.length && this.#generations[dropped]!.last <= sequence) {
      const generation = this.#generations[dropped++]!;
      this.#size -= generation.count;
      this.#coveredAfter = generation.last;
      this.#spare = generation;
    }
    if (dropped > 0) this.#generations.splice(0, dropped);
  }

  #grow(sequence: number): Generation {
    const bits = this.#bits + Math.min(3, this.#generations.length >> 1);
    const generation = this.#spare?.bits === bits ? this.#spare : new Generation(bits);
    this.#spare = undefined;
    generation.restart(sequence);
    this.#generations.push(generation);
    return generation;
  }
}
