/**
 * Bytes, nibbles and decimal digits of card cryptography. Whatever is secret or a card number is a byte array of ASCII digits,
 * never a string: a byte array can be overwritten when it is no longer needed.
 */
import { timingSafeEqual } from 'node:crypto';

const ZERO = 0x30;

/** True when there are `min` to `max` bytes and all of them are ASCII digits. */
export function areDigits(digits: Uint8Array, min: number, max = min): boolean {
  if (digits.length < min || digits.length > max) return false;
  for (const byte of digits) if (byte < ZERO || byte > ZERO + 9) return false;
  return true;
}

/** The text's ASCII bytes, memory of their own (the pool of Buffer.from is shared). */
export function digitsOf(text: string): Buffer {
  const digits = Buffer.alloc(text.length);
  digits.write(text, 'latin1');
  return digits;
}

/** Nibble `i` of packed bytes, the high one of a byte first. */
export function nibble(bytes: Uint8Array, i: number): number {
  const byte = bytes[i >> 1]!;
  return (i & 1) === 0 ? byte >> 4 : byte & 15;
}

/** Sets nibble `i`. */
export function putNibble(bytes: Uint8Array, i: number, value: number): void {
  const at = i >> 1;
  bytes[at] = (i & 1) === 0 ? (bytes[at]! & 0x0f) | (value << 4) : (bytes[at]! & 0xf0) | value;
}

/** Packs `count` ASCII digits that begin at `from` into nibbles from `at` on; the nibble behind the last one. */
export function packDigits(digits: Uint8Array, from: number, count: number, bytes: Uint8Array, at: number): number {
  for (let i = 0; i < count; i++) putNibble(bytes, at + i, digits[from + i]! & 15);
  return at + count;
}

/** `target[at + i] ^= source[i]` over the whole source. */
export function xorInto(target: Uint8Array, source: Uint8Array, at = 0): void {
  for (let i = 0; i < source.length; i++) target[at + i]! ^= source[i]!;
}

/** Equal length and equal content, in a time that does not depend on the content. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/**
 * Memory for secrets, zeros at first. V8 keeps arrays of up to 64 bytes, those of `Buffer.alloc` too, within its heap, and leaves copies of
 * them behind when it moves them, which cannot be overwritten.
 */
export function outsideHeap(bytes: number): Buffer {
  return Buffer.from(new ArrayBuffer(bytes));
}

/** Overwrites secrets with zeros. */
export function wipe(...secrets: readonly (Uint8Array | undefined)[]): void {
  for (const secret of secrets) secret?.fill(0);
}

/**
 * The first `count` decimal digits of the nibbles as ASCII: those that are digits in their order, then, when there are too
 * few, the letters A to F less 10. The rule of CVV and PVV ("scan twice").
 */
export function decimalise(bytes: Uint8Array, count: number): Buffer {
  const digits = Buffer.alloc(count);
  const nibbles = bytes.length * 2;
  let found = 0;
  for (let i = 0; i < nibbles && found < count; i++) {
    const value = nibble(bytes, i);
    if (value < 10) digits[found++] = ZERO + value;
  }
  for (let i = 0; i < nibbles && found < count; i++) {
    const value = nibble(bytes, i);
    if (value >= 10) digits[found++] = ZERO + value - 10;
  }
  return digits;
}
