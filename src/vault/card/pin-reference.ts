/**
 * What an issuer keeps instead of a PIN: the PIN verification value (PVV, Visa) and the offset of the IBM 3624 method.
 */
import type { TdesKey } from './block-key.js';
import { decimalise, nibble, packDigits, putNibble, wipe } from './bytes.js';

export const PIN_DIGITS_MIN = 4;
export const PIN_DIGITS_MAX = 12;
export const PVV_DIGITS = 4;
/** Digits of the PAN that a PVV covers: those left of the check digit. */
const PVV_PAN_DIGITS = 11;
/** Scratch memory of a PVV, overwritten at the end of each call. */
const pvvInput = Buffer.alloc(8);

/**
 * PVV of the first four digits of a PIN: 4 ASCII digits.
 * @param pan at least 12 ASCII digits
 * @param keyIndex PVKI, 0 to 9: which of the issuer's keys made it
 */
export function pvv(key: TdesKey, pan: Uint8Array, keyIndex: number, pin: Uint8Array): Buffer {
  packDigits(pan, pan.length - 1 - PVV_PAN_DIGITS, PVV_PAN_DIGITS, pvvInput, 0);
  putNibble(pvvInput, PVV_PAN_DIGITS, keyIndex);
  packDigits(pin, 0, PVV_DIGITS, pvvInput, PVV_PAN_DIGITS + 1);
  const block = key.encrypt(pvvInput);
  const digits = decimalise(block, PVV_DIGITS);
  wipe(pvvInput, block);
  return digits;
}

/** Which digits of the PAN the IBM method encrypts. */
export interface ValidationData {
  /** First digit of the PAN, from 0. */
  readonly start: number;
  /** Digits, 1 to 16. */
  readonly length: number;
  /** One hexadecimal digit that fills the rest of the block. */
  readonly pad: string;
}

/** True when the PAN has these digits and the pad is one hexadecimal digit. */
export function fitsPan(validation: ValidationData, panDigits: number): boolean {
  const { start, length, pad } = validation;
  if (!Number.isInteger(start) || !Number.isInteger(length) || start < 0 || length < 1 || length > 16) return false;
  return start + length <= panDigits && /^[0-9A-F]$/.test(pad);
}

/** Validation data as 16 nibbles. */
function validationBlock(pan: Uint8Array, { start, length, pad }: ValidationData): Buffer {
  const block = Buffer.alloc(8);
  packDigits(pan, start, length, block, 0);
  const fill = Number.parseInt(pad, 16);
  for (let i = length; i < 16; i++) putNibble(block, i, fill);
  return block;
}

/** The natural PIN of a card: `count` ASCII digits. */
function naturalPin(
  key: TdesKey,
  pan: Uint8Array,
  validation: ValidationData,
  table: Uint8Array,
  count: number,
): Buffer {
  const input = validationBlock(pan, validation);
  const block = key.encrypt(input);
  const pin = Buffer.alloc(count);
  for (let i = 0; i < count; i++) pin[i] = table[nibble(block, i)]!;
  wipe(input, block);
  return pin;
}

/** Offset that leads from the natural PIN to `pin`: as many ASCII digits as the PIN has. */
export function ibmOffset(
  key: TdesKey,
  pan: Uint8Array,
  validation: ValidationData,
  table: Uint8Array,
  pin: Uint8Array,
): Buffer {
  const offset = naturalPin(key, pan, validation, table, pin.length);
  for (let i = 0; i < offset.length; i++) offset[i] = 0x30 + ((pin[i]! - offset[i]! + 10) % 10);
  return offset;
}

/** The PIN that belongs to an offset: as many ASCII digits as the offset has. */
export function ibmPin(
  key: TdesKey,
  pan: Uint8Array,
  validation: ValidationData,
  table: Uint8Array,
  offset: Uint8Array,
): Buffer {
  const pin = naturalPin(key, pan, validation, table, offset.length);
  for (let i = 0; i < pin.length; i++) pin[i] = 0x30 + ((pin[i]! + offset[i]! - 0x60) % 10);
  return pin;
}
