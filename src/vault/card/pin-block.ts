/**
 * PIN blocks of ISO 9564-1.
 *
 *   format 0   0 L P P P P p p p p p p p p F F   XOR   0 0 0 0 and 12 digits of the PAN, without its check digit
 *   format 1   1 L P P P P r r r r r r r r r r   r = random; no PAN
 *   format 2   2 L P P P P F ...                 towards the chip only
 *   format 3   like 0, with control 3 and random fill A to F
 *   format 4   AES: E( E(4 L P P P P A ... , 8 random bytes) XOR length and digits of the whole PAN )
 *
 * A decoder says only that a block is readable or not, never why: each reason would be an answer to a question that only a thief
 * asks.
 */
import type { AesKey } from './block-key.js';
import { nibble, packDigits, putNibble, wipe, xorInto } from './bytes.js';
import { PIN_DIGITS_MAX, PIN_DIGITS_MIN } from './pin-reference.js';

/** Formats in which a PIN travels between hosts. */
export type PinBlockFormat = 0 | 1 | 3 | 4;
export const pinBlockFormats: readonly PinBlockFormat[] = [0, 1, 3, 4];

/** Fills a buffer with random bytes. */
export type Randomize = (bytes: Uint8Array) => void;

/** Bytes of a block of a format. */
export const pinBlockBytes = (format: PinBlockFormat): 8 | 16 => (format === 4 ? 16 : 8);

/** Scratch memory, overwritten before each function returns. */
const clear = Buffer.alloc(8);
const part = Buffer.alloc(8);

/** XORs the PAN part of formats 0 and 3 into a block: the 12 digits left of the check digit, right-aligned. */
function xorPan(block: Uint8Array, pan: Uint8Array): void {
  const count = Math.min(12, pan.length - 1);
  packDigits(pan, pan.length - 1 - count, count, part, 16 - count);
  xorInto(block, part);
  wipe(part);
}

/** The PAN part of format 4: how many digits beyond 12, the digits, zeros. */
function longPanPart(pan: Uint8Array): Buffer {
  const digits = Buffer.alloc(16);
  putNibble(digits, 0, Math.max(0, pan.length - 12));
  packDigits(pan, 0, pan.length, digits, 1 + Math.max(0, 12 - pan.length));
  return digits;
}

/**
 * A clear block of format 0, 1, 2 or 3.
 * @param pin 4 to 12 ASCII digits
 * @param pan at least 2 ASCII digits; formats 1 and 2 do not use it
 */
export function encodePinBlock(format: 0 | 1 | 2 | 3, pin: Uint8Array, pan: Uint8Array, randomize: Randomize): Buffer {
  const block = Buffer.alloc(8, 0xff);
  const fill = Buffer.alloc(16);
  if (format === 1 || format === 3) randomize(fill);
  for (let i = 2 + pin.length; i < 16; i++) {
    if (format === 1) putNibble(block, i, fill[i]! & 15);
    else if (format === 3) putNibble(block, i, 10 + (fill[i]! % 6));
  }
  putNibble(block, 0, format);
  putNibble(block, 1, pin.length);
  packDigits(pin, 0, pin.length, block, 2);
  if (format === 0 || format === 3) xorPan(block, pan);
  wipe(fill);
  return block;
}

/**
 * Digits of the PIN in a clear block of format 0, 1 or 3, written to `pin` (12 bytes) as ASCII; 0 when the block is unreadable:
 * wrong control nibble, a length outside 4 to 12, something else than digits, a wrong fill.
 */
export function decodePinBlock(format: 0 | 1 | 3, block: Uint8Array, pan: Uint8Array, pin: Uint8Array): number {
  clear.set(block);
  if (format !== 1) xorPan(clear, pan);
  const fillMin = format === 0 ? 15 : format === 1 ? 0 : 10;
  const length = readPin(clear, format, fillMin, 15, pin);
  wipe(clear);
  return length;
}

/** Reads control, length, digits and fill of 16 nibbles. */
function readPin(field: Uint8Array, control: number, fillMin: number, fillMax: number, pin: Uint8Array): number {
  const length = nibble(field, 1);
  let sound = nibble(field, 0) === control && length >= PIN_DIGITS_MIN && length <= PIN_DIGITS_MAX;
  for (let i = 2; i < 16; i++) {
    const value = nibble(field, i);
    const inPin = i < 2 + length;
    sound &&= inPin ? value < 10 : value >= fillMin && value <= fillMax;
    if (i - 2 < PIN_DIGITS_MAX) pin[i - 2] = 0x30 + (value & 15);
  }
  if (sound) return length;
  wipe(pin);
  return 0;
}

/** An enciphered block of format 4 (16 bytes). */
export function encipherPinBlock4(key: AesKey, pin: Uint8Array, pan: Uint8Array, randomize: Randomize): Buffer {
  const field = Buffer.alloc(16, 0xaa);
  randomize(field.subarray(8));
  putNibble(field, 0, 4);
  putNibble(field, 1, pin.length);
  packDigits(pin, 0, pin.length, field, 2);
  const inner = key.encrypt(field);
  xorInto(inner, longPanPart(pan));
  const block = key.encrypt(inner);
  wipe(field, inner);
  return block;
}

/** Digits of the PIN in an enciphered block of format 4, as `decodePinBlock`. */
export function decipherPinBlock4(key: AesKey, block: Uint8Array, pan: Uint8Array, pin: Uint8Array): number {
  const inner = key.decrypt(block);
  xorInto(inner, longPanPart(pan));
  const field = key.decrypt(inner);
  const length = readPin(field, 4, 10, 10, pin);
  wipe(inner, field);
  return length;
}

/**
 * PCI PIN 3-3: formats 0, 3 and 4 become each other, format 1 becomes any of them or itself, and nothing becomes format 1, which
 * does not bind the PIN to its PAN.
 */
export function mayTranslate(from: PinBlockFormat, to: PinBlockFormat): boolean {
  return to !== 1 || from === 1;
}
