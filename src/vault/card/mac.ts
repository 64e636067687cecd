/**
 * Message authentication codes: ISO/IEC 9797-1 algorithms 1 (CBC-MAC) and 3 (retail MAC, ANSI X9.19) with its padding methods,
 * CMAC (NIST SP 800-38B, RFC 4493 for AES, ISO 9797-1 algorithm 5) and key check values.
 */
import { assert } from '../../errors.js';
import type { BlockKey, TdesKey } from './block-key.js';
import { xorInto } from './bytes.js';

/** Padding methods of ISO/IEC 9797-1: zeros; 0x80 and zeros; the length in bits in a block ahead, then zeros. */
export type MacPadding = 1 | 2 | 3;

/** A copy of the data, padded to whole blocks; at least one block. */
export function pad(data: Uint8Array, method: MacPadding, blockBytes: number): Buffer {
  const ahead = method === 3 ? blockBytes : 0;
  const bytes = data.length + (method === 2 ? 1 : 0);
  const padded = Buffer.alloc(ahead + Math.max(1, Math.ceil(bytes / blockBytes)) * blockBytes);
  if (method === 3) padded.writeUInt32BE(data.length * 8, blockBytes - 4);
  padded.set(data, ahead);
  if (method === 2) padded[data.length] = 0x80;
  return padded;
}

/** Algorithm 1: CBC under the whole key. One block. */
export function cbcMac(key: BlockKey, data: Uint8Array, padding: MacPadding): Buffer {
  const padded = pad(data, padding, key.blockBytes);
  const mac = key.chain(padded);
  padded.fill(0);
  return mac;
}

/** Algorithm 3: single DES under K1 to the last block but one, TDES at the last. 8 bytes; the key has 16 bytes. */
export function retailMac(key: TdesKey, data: Uint8Array, padding: MacPadding): Buffer {
  assert(key.bits === 128, 'a retail MAC needs a double-length key');
  const padded = pad(data, padding, 8);
  const lastAt = padded.length - 8;
  const last = padded.subarray(lastAt);
  if (lastAt > 0) xorInto(last, key.left.chain(padded.subarray(0, lastAt)));
  const mac = key.encrypt(last);
  padded.fill(0);
  return mac;
}

/** CMAC: one block. */
export function cmac(key: BlockKey, data: Uint8Array): Buffer {
  const size = key.blockBytes;
  const whole = data.length > 0 && data.length % size === 0;
  const padded = pad(data, whole ? 1 : 2, size);
  const subkey = key.encrypt(Buffer.alloc(size));
  double(subkey);
  if (!whole) double(subkey);
  xorInto(padded, subkey, padded.length - size);
  const mac = key.chain(padded);
  padded.fill(0);
  subkey.fill(0);
  return mac;
}

/** Multiplication by x in GF(2^64) or GF(2^128): a shift, and the polynomial when a one falls out. */
function double(block: Uint8Array): void {
  const polynomial = block.length === 16 ? 0x87 : 0x1b;
  const carry = block[0]! >> 7;
  for (let i = 0; i < block.length; i++) block[i] = (block[i]! << 1) | ((block[i + 1] ?? 0) >> 7);
  block[block.length - 1]! ^= polynomial & -carry;
}

/**
 * Key check value in upper-case hexadecimal: 3 bytes of the encrypted zero block for TDES, 5 bytes of the CMAC of a zero block
 * for AES (X9.143).
 */
export function keyCheckValue(key: BlockKey): string {
  const zero = Buffer.alloc(key.blockBytes);
  const check = key.blockBytes === 8 ? key.encrypt(zero).subarray(0, 3) : cmac(key, zero).subarray(0, 5);
  return check.toString('hex').toUpperCase();
}
