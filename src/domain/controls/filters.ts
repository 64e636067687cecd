/**
 * Allow and deny lists, compiled for a look-up without allocation: codes as sorted ranges, countries as bits, merchants as a
 * small hash table over bytes. A value passes when the allow list is absent or has it, and the deny list does not have it.
 * An absent value (-1, or no text) is in no list: it fails an allow list and passes a deny list.
 */
import { finishHash, mixBytes } from '../hash.js';

const MERCHANT_SEED = 0x428a2f98;

/** Hash of a merchant's bytes, without its padding. */
export const merchantHash = (bytes: Uint8Array, at: number, length: number): number =>
  finishHash(mixBytes(MERCHANT_SEED, bytes, at, length));

/** A set of integers from 0 to 65 535, given as inclusive ranges. */
export class RangeSet {
  /** First and last of each range, rising, not touching. */
  readonly #bounds: Uint16Array;

  constructor(ranges: readonly (readonly [from: number, to: number])[]) {
    const merged: [number, number][] = [];
    for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
      const last = merged.at(-1);
      if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
      else merged.push([from, to]);
    }
    this.#bounds = Uint16Array.from(merged.flat());
  }

  has(value: number): boolean {
    const bounds = this.#bounds;
    let low = 0;
    let high = bounds.length >> 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (bounds[middle * 2 + 1]! < value) low = middle + 1;
      else high = middle;
    }
    return low * 2 < bounds.length && bounds[low * 2]! <= value;
  }
}

/** Merchants by the bytes of their id (DE42) without trailing spaces. */
export class MerchantSet {
  readonly #bytes: Uint8Array;
  /** Where each id begins in the bytes, and where the last ends. */
  readonly #starts: Uint16Array;
  /** Open addressing, at most half full: number of the id + 1. */
  readonly #cells: Uint16Array;

  constructor(ids: readonly string[]) {
    this.#bytes = Uint8Array.from(ids.join(''), (character) => character.charCodeAt(0));
    this.#starts = new Uint16Array(ids.length + 1);
    this.#cells = new Uint16Array(2 ** Math.ceil(Math.log2(ids.length * 2 + 2)));
    let at = 0;
    for (const [i, id] of ids.entries()) {
      this.#starts[i] = at;
      let cell = merchantHash(this.#bytes, at, id.length) & (this.#cells.length - 1);
      while (this.#cells[cell] !== 0) cell = (cell + 1) & (this.#cells.length - 1);
      this.#cells[cell] = i + 1;
      at += id.length;
    }
    this.#starts[ids.length] = at;
  }

  has(hash: number, bytes: Uint8Array, at: number, length: number): boolean {
    const cells = this.#cells;
    for (let cell = hash & (cells.length - 1); ; cell = (cell + 1) & (cells.length - 1)) {
      const id = cells[cell]! - 1;
      if (id < 0) return false;
      if (this.#equals(id, bytes, at, length)) return true;
    }
  }

  #equals(id: number, bytes: Uint8Array, at: number, length: number): boolean {
    const start = this.#starts[id]!;
    if (this.#starts[id + 1]! - start !== length) return false;
    for (let i = 0; i < length; i++) if (this.#bytes[start + i] !== bytes[at + i]) return false;
    return true;
  }
}

/** Which half of a filter decided. */
export const FilterVerdict = { pass: 0, notAllowed: 1, denied: 2 } as const;
export type FilterVerdict = (typeof FilterVerdict)[keyof typeof FilterVerdict];

/** Allow and deny lists of codes: categories of merchants, countries. */
export class CodeFilter {
  readonly #allow: RangeSet | undefined;
  readonly #deny: RangeSet | undefined;

  constructor(allow: RangeSet | undefined, deny: RangeSet | undefined) {
    this.#allow = allow;
    this.#deny = deny;
  }

  /** @param code -1 when the message has none. */
  judge(code: number): FilterVerdict {
    if (code >= 0 && this.#deny?.has(code) === true) return FilterVerdict.denied;
    if (this.#allow !== undefined && (code < 0 || !this.#allow.has(code))) return FilterVerdict.notAllowed;
    return FilterVerdict.pass;
  }
}

export class MerchantFilter {
  readonly #allow: MerchantSet | undefined;
  readonly #deny: MerchantSet | undefined;

  constructor(allow: MerchantSet | undefined, deny: MerchantSet | undefined) {
    this.#allow = allow;
    this.#deny = deny;
  }

  /** @param length 0 when the message names no merchant. */
  judge(hash: number, bytes: Uint8Array, at: number, length: number): FilterVerdict {
    if (length > 0 && this.#deny?.has(hash, bytes, at, length) === true) return FilterVerdict.denied;
    if (this.#allow !== undefined && (length === 0 || !this.#allow.has(hash, bytes, at, length))) {
      return FilterVerdict.notAllowed;
    }
    return FilterVerdict.pass;
  }
}

/** Allow and deny masks of channels; a message may be on two (a chip at an ATM). `allow` 0 = no allow list. */
export class ChannelFilter {
  readonly #allow: number;
  readonly #deny: number;

  constructor(allow: number, deny: number) {
    this.#allow = allow;
    this.#deny = deny;
  }

  judge(channels: number): FilterVerdict {
    if ((channels & this.#deny) !== 0) return FilterVerdict.denied;
    return this.#allow !== 0 && (channels & this.#allow) === 0 ? FilterVerdict.notAllowed : FilterVerdict.pass;
  }
}
