/**
 * Messages set aside because they once stopped a shard: their resends are answered 96 instead of stopping it again. A
 * message is known by a 64-bit hash of its bytes behind the message type, so that the repeat (xxx1) of a request is known
 * too. The hashes are part of the shard's state (checkpoint and all): a restart does not forget them. The set is small
 * (limits.ts) and empty in a healthy engine, so the hot path pays one compare.
 */

import type { KeySet } from '../domain/key-set.js';
import { POISONS_MAX } from '../limits.js';

const hashWords = new Uint32Array(2);

/** 64-bit hash of the bytes as two words; the array is reused by the next call. */
export function messageHash(bytes: Uint8Array, at: number, length: number): Uint32Array {
  let a = 0x811c9dc5;
  let b = 0x2f0b4a27;
  for (let i = at; i < at + length; i++) {
    a = Math.imul(a ^ bytes[i]!, 0x01000193);
    b = Math.imul(b ^ bytes[i]!, 0x85ebca6b);
    b ^= b >>> 15;
  }
  hashWords[0] = a;
  hashWords[1] = b;
  return hashWords;
}

/** The messages set aside, as the shard's state has them. */
export class Poisons {
  readonly #keys: KeySet;

  constructor(keys: KeySet) {
    this.#keys = keys;
  }

  /** True when no more can be set aside: the shard must then stay down for an operator to look at. */
  get full(): boolean {
    return this.#keys.count >= POISONS_MAX;
  }

  has(bytes: Uint8Array, at: number, length: number): boolean {
    if (this.#keys.count === 0) return false;
    const hash = messageHash(bytes, at, length);
    return this.#keys.find(hash[0]!, hash[1]!) > 0;
  }
}
