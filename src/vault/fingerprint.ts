/**
 * PAN fingerprint: HMAC-SHA256 of the whole PAN (ASCII digits) under a key of its own, cut to 96 bits. It stands for the card
 * wherever a card number would otherwise be a key: the directory, the vault's rows, unknown cards.
 *
 * HMAC(k, m) = SHA256((k ^ opad) || SHA256((k ^ ipad) || m)). Both padded keys fill a block of their own, so the states behind
 * them are computed once, and a fingerprint is two runs of the compression function: one block with the digits, one with the
 * inner digest. Nothing is allocated (`npm run bench`: `createHmac` costs more than four times as much).
 *
 * The scratch block holds the digits only during the call and is overwritten before it returns.
 */
import { compressBlock, SHA256_INITIAL } from './sha256-block.js';

/** 96-bit keyed fingerprint of a PAN, as three unsigned 32-bit words (big-endian order of the HMAC's first 12 bytes). */
export interface Fingerprint {
  readonly f0: number;
  readonly f1: number;
  readonly f2: number;
}

const BLOCK = 64;
const DIGEST = 32;
/** DE2 holds up to 19 digits. */
export const PAN_DIGITS_MAX = 19;

export class PanFingerprinter implements Fingerprint {
  /** Words of the last `compute`. */
  f0 = 0;
  f1 = 0;
  f2 = 0;
  /** States behind the padded keys, and of the hash at hand. */
  readonly #inner: Int32Array;
  readonly #outer: Int32Array;
  readonly #state = new Int32Array(8);
  readonly #words = new Int32Array(16);

  /** @param key 32 secret bytes (at most 64). */
  constructor(key: Uint8Array) {
    if (key.length === 0 || key.length > BLOCK) throw new RangeError('fingerprint key must have 1 to 64 bytes');
    this.#inner = this.#padded(key, 0x36);
    this.#outer = this.#padded(key, 0x5c);
  }

  /**
   * Computes the fingerprint of `length` ASCII digits at `at` into f0, f1, f2.
   * @throws RangeError when there are no digits or more than 19.
   */
  compute(digits: Uint8Array, at: number, length: number): void {
    if (length < 1 || length > PAN_DIGITS_MAX) throw new RangeError('a PAN has 1 to 19 digits');
    const w = this.#words;
    const state = this.#state;
    // Some words are cleared sooner by a loop than by a call.
    for (let i = 0; i < 15; i++) w[i] = 0;
    for (let i = 0; i < length; i++) w[i >> 2]! |= digits[at + i]! << (24 - (i & 3) * 8);
    w[length >> 2]! |= 0x80 << (24 - (length & 3) * 8);
    w[15] = (BLOCK + length) * 8;
    compressBlock(this.#inner, w, state);
    for (let i = 0; i < 8; i++) w[i] = state[i]!;
    w[8] = 0x80000000 | 0;
    for (let i = 9; i < 15; i++) w[i] = 0;
    w[15] = (BLOCK + DIGEST) * 8;
    compressBlock(this.#outer, w, state);
    this.f0 = state[0]! >>> 0;
    this.f1 = state[1]! >>> 0;
    this.f2 = state[2]! >>> 0;
  }

  /** Fingerprint of a PAN given as text. For cold paths: it allocates. */
  of(pan: string): Fingerprint {
    const digits = Buffer.from(pan, 'latin1');
    this.compute(digits, 0, digits.length);
    digits.fill(0);
    return { f0: this.f0, f1: this.f1, f2: this.f2 };
  }

  #padded(key: Uint8Array, pad: number): Int32Array {
    const w = this.#words;
    for (let i = 0; i < BLOCK; i += 4) {
      let word = 0;
      for (let j = i; j < i + 4; j++) word = (word << 8) | ((j < key.length ? key[j]! : 0) ^ pad);
      w[i >> 2] = word;
    }
    const state = new Int32Array(8);
    compressBlock(SHA256_INITIAL, w, state);
    w.fill(0);
    return state;
  }
}
