/**
 * Messages set aside because they once stopped a shard: their resends are answered 96 instead of stopping it again. A
 * message is known by a 64-bit hash of its bytes; the set is small (limits.ts) and empty in a healthy engine, so the hot
 * path pays one compare.
 */
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

export class PoisonSet {
  readonly #keys = new Set<string>();

  get size(): number {
    return this.#keys.size;
  }

  /** False when the set is full: the shard must then stay down for an operator to look at. */
  add(high: number, low: number): boolean {
    if (this.#keys.size >= POISONS_MAX) return false;
    this.#keys.add(`${high}:${low}`);
    return true;
  }

  has(bytes: Uint8Array, at: number, length: number): boolean {
    if (this.#keys.size === 0) return false;
    const hash = messageHash(bytes, at, length);
    return this.#keys.has(`${hash[0]}:${hash[1]}`);
  }
}
