/**
 * Filter of a segment: "is this key certainly not in it?" without touching the disk. A blocked Bloom filter: a key selects
 * one 64-byte line and eight bits in it, one in each eighth of the line, so a question costs one cache miss and a "no"
 * usually ends at the first or second bit. With 12 bits per key about 1 in 150 absent keys gets a "maybe".
 *
 * Only kinds of keys that are asked for all the time and are in one segment or in none are worth their bits: card + DE11 + DE7, the
 * duplicate check of messages; card + DE31, that of clearing records; and what each of those and each reversal asks next, card +
 * DE63 and the elements of an authorization. Other kinds are answered "maybe".
 */
import { KeyKind } from '../domain/history.js';
import { SEGMENT_FILTER_BITS } from '../limits.js';

export const FILTER_LINE_BYTES = 64;

/** Kinds that are in the filters written today, one bit each. */
export const FILTERED_KINDS =
  (1 << KeyKind.stan) | (1 << KeyKind.clearing) | (1 << KeyKind.networkId) | (1 << KeyKind.elements);

/** True when the key's kind is one of `kinds`. */
export function isFiltered(high: number, kinds: number): boolean {
  return ((kinds >>> (high >>> 29)) & 1) === 1;
}

/** Lines for this many keys. */
export function filterLines(keys: number): number {
  return Math.ceil((keys * SEGMENT_FILTER_BITS) / (FILTER_LINE_BYTES * 8));
}

// Odd multipliers, one per eighth of the line: the top six bits of the product pick one of its 64 bits.
const SALTS = new Int32Array([
  0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
]);

export class SegmentFilter {
  readonly lines: number;
  readonly bytes: Uint8Array;
  readonly #words: Uint32Array;

  /** An empty filter, or one over the bytes of a stored one (shared memory or not), 4-byte aligned. */
  constructor(lines: number, buffer: ArrayBufferLike = new ArrayBuffer(lines * FILTER_LINE_BYTES)) {
    this.lines = lines;
    this.bytes = new Uint8Array(buffer, 0, lines * FILTER_LINE_BYTES);
    this.#words = new Uint32Array(buffer, 0, lines * 16);
  }

  add(high: number, low: number): void {
    const bits = spread(high, low);
    const line = this.#line(high, low);
    for (let i = 0; i < 8; i++) {
      const bit = Math.imul(bits, SALTS[i]!) >>> 26;
      this.#words[line + i * 2 + (bit >>> 5)]! |= 1 << (bit & 31);
    }
  }

  /** False only when the key was never added. */
  mayContain(high: number, low: number): boolean {
    if (this.lines === 0) return false;
    const bits = spread(high, low);
    const line = this.#line(high, low);
    for (let i = 0; i < 8; i++) {
      const bit = Math.imul(bits, SALTS[i]!) >>> 26;
      if ((this.#words[line + i * 2 + (bit >>> 5)]! & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }

  /** First word of the key's line. Another mix of the words than `spread`, so that line and bits are independent. */
  #line(high: number, low: number): number {
    let h = Math.imul(low, 0xcc9e2d51) ^ high;
    h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
    h ^= h >>> 15;
    return Math.floor(((h >>> 0) * this.lines) / 0x1_0000_0000) * 16;
  }
}

function spread(high: number, low: number): number {
  let h = Math.imul(high, 0x1b873593) ^ low;
  h = Math.imul(h ^ (h >>> 16), 0x846ca68b);
  return h ^ (h >>> 16);
}
