/**
 * Integers of variable length: seven bits a byte, least significant first, the eighth bit says that more follow. Exact for
 * every safe integer from 0: beyond 28 bits the arithmetic leaves 32-bit integers.
 */
import { assert } from '../../errors.js';

/** Most bytes of one integer: 53 bits in sevens. */
export const VARINT_BYTES_MAX = 8;

/** Reads and writes at a moving place; reused, so that a number costs no object. */
export class ByteCursor {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;

  attach(bytes: Uint8Array, at: number): this {
    this.bytes = bytes;
    this.at = at;
    return this;
  }

  take(): number {
    const { bytes } = this;
    let at = this.at;
    let byte = bytes[at++]!;
    let value = byte & 127;
    if (byte >= 128) {
      byte = bytes[at++]!;
      value |= (byte & 127) << 7;
      if (byte >= 128) {
        byte = bytes[at++]!;
        value |= (byte & 127) << 14;
        if (byte >= 128) {
          byte = bytes[at++]!;
          value |= (byte & 127) << 21;
          for (let scale = 2 ** 28; byte >= 128; scale *= 128) {
            byte = bytes[at++]!;
            value += (byte & 127) * scale;
          }
        }
      }
    }
    this.at = at;
    return value;
  }

  /** @param value a safe integer from 0. */
  put(value: number): void {
    assert(value >= 0 && value <= Number.MAX_SAFE_INTEGER, 'a counter is a safe integer from 0');
    const { bytes } = this;
    let at = this.at;
    let rest = value;
    while (rest >= 2 ** 28) {
      bytes[at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest >= 128) {
      bytes[at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.at = at;
  }

  /** A key of a counter (53 bits) in 7 bytes, least significant first; into an array, so that it is never boxed. */
  takeKey(into: Float64Array, index: number): void {
    const { bytes, at } = this;
    this.at = at + 7;
    const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    const high = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16);
    into[index] = high * 4_294_967_296 + (low >>> 0);
  }

  putKey(from: Float64Array, index: number): void {
    const { bytes, at } = this;
    const key = from[index]!;
    const high = Math.floor(key / 4_294_967_296);
    bytes[at] = key;
    bytes[at + 1] = key >>> 8;
    bytes[at + 2] = key >>> 16;
    bytes[at + 3] = key >>> 24;
    bytes[at + 4] = high;
    bytes[at + 5] = high >>> 8;
    bytes[at + 6] = high >>> 16;
    this.at = at + 7;
  }
}
