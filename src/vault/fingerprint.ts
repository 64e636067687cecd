/**
 * PAN fingerprint: HMAC-SHA256 of the whole PAN (ASCII digits) under a key of its own, cut to 96 bits. It stands for the card
 * wherever a card number would otherwise be a key: the directory, the vault's rows, unknown cards.
 *
 * HMAC(k, m) = SHA256((k ^ opad) || SHA256((k ^ ipad) || m)). Both padded keys are computed once; a fingerprint is two
 * one-shot `crypto.hash` calls over preallocated buffers (about 0.9 us, where `createHmac` takes 2.6-4.7 us). `crypto.hash` with
 * the encoding `latin1` returns a one-byte string, which costs a third of the Buffer it would allocate otherwise.
 *
 * The scratch buffer holds the digits only during the call and is overwritten before it returns.
 */
import { hash } from 'node:crypto';

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
  readonly #inner = Buffer.alloc(BLOCK + PAN_DIGITS_MAX);
  /** Views of `#inner` by number of digits: a new view per message would be an allocation. */
  readonly #innerOfLength: Buffer[] = [];
  readonly #outer = Buffer.alloc(BLOCK + DIGEST);

  /** @param key 32 secret bytes (at most 64). */
  constructor(key: Uint8Array) {
    if (key.length === 0 || key.length > BLOCK) throw new RangeError('fingerprint key must have 1 to 64 bytes');
    for (let i = 0; i < BLOCK; i++) {
      const byte = i < key.length ? key[i]! : 0;
      this.#inner[i] = byte ^ 0x36;
      this.#outer[i] = byte ^ 0x5c;
    }
    for (let length = 0; length <= PAN_DIGITS_MAX; length++) {
      this.#innerOfLength.push(this.#inner.subarray(0, BLOCK + length));
    }
  }

  /**
   * Computes the fingerprint of `length` ASCII digits at `at` into f0, f1, f2.
   * @throws RangeError when there are no digits or more than 19.
   */
  compute(digits: Uint8Array, at: number, length: number): void {
    if (length < 1 || length > PAN_DIGITS_MAX) throw new RangeError('a PAN has 1 to 19 digits');
    const inner = this.#inner;
    for (let i = 0; i < length; i++) inner[BLOCK + i] = digits[at + i]!;
    const digest = oneShot(this.#innerOfLength[length]!);
    for (let i = 0; i < length; i++) inner[BLOCK + i] = 0;
    this.#outer.write(digest, BLOCK, DIGEST, 'latin1');
    const mac = oneShot(this.#outer);
    this.f0 = word(mac, 0);
    this.f1 = word(mac, 4);
    this.f2 = word(mac, 8);
  }

  /** Fingerprint of a PAN given as text. For cold paths: it allocates. */
  of(pan: string): Fingerprint {
    const digits = Buffer.from(pan, 'latin1');
    this.compute(digits, 0, digits.length);
    digits.fill(0);
    return { f0: this.f0, f1: this.f1, f2: this.f2 };
  }
}

function oneShot(data: Uint8Array): string {
  return (hash as (algorithm: string, data: Uint8Array, encoding: string) => string)('sha256', data, 'latin1');
}

function word(mac: string, at: number): number {
  return (
    ((mac.charCodeAt(at) << 24) |
      (mac.charCodeAt(at + 1) << 16) |
      (mac.charCodeAt(at + 2) << 8) |
      mac.charCodeAt(at + 3)) >>>
    0
  );
}
