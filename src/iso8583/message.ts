/**
 * The cold path: whole messages as objects of strings, for the command line, the simulator, and tests. Built on the same
 * decoder and encoder as the hot path, so that there is one codec and not two.
 */

import { MESSAGE_BYTES_MAX } from '../limits.js';
import { Decoder, decodeReasonText } from './decoder.js';
import { type DialectName, dialect, hexValue } from './dialects.js';
import { Encoder } from './encoder.js';
import { fieldSpec } from './fields.js';

export { type DescribedMessage, describe, describeText } from './describe.js';

/**
 * A message by field number; '0' is the MTI. Text is one character per byte. A binary field is `hex:` and hex digits.
 * Fixed text keeps its filling spaces.
 */
export type Fields = Record<string | number, string>;

/** A message that cannot be read or written. The text holds no content of the message. */
export class IsoError extends Error {
  /** 0 the MTI, 1 a bitmap, else the field. */
  readonly field: number;
  /** Offset in the message; -1 when writing. */
  readonly offset: number;
  readonly reason: string;

  constructor(field: number, offset: number, reason: string) {
    const where = field === 0 ? 'MTI' : field === 1 ? 'bitmap' : `DE${field}`;
    super(offset < 0 ? `${where}: ${reason}` : `${where}, byte ${offset}: ${reason}`);
    this.name = 'IsoError';
    this.field = field;
    this.offset = offset;
    this.reason = reason;
  }
}

/** Writes a message. Fields may come in any order. Throws IsoError when one is unknown or does not fit. */
export function pack(name: DialectName, fields: Fields): Uint8Array {
  const mti = fields['0'] ?? '';
  if (!/^\d{4}$/.test(mti)) throw new IsoError(0, -1, 'not four digits');
  const numbers: number[] = [];
  for (const key of Object.keys(fields)) {
    const field = Number(key);
    if (field === 0) continue;
    if (String(field) !== key || fieldSpec(field) === undefined) throw new IsoError(field, -1, 'no such field');
    numbers.push(field);
  }
  numbers.sort((a, b) => a - b);
  const encoder = new Encoder(dialect(name));
  const target = new Uint8Array(MESSAGE_BYTES_MAX);
  encoder.begin(
    target,
    0,
    Number(mti),
    numbers.some((field) => field > 64),
  );
  for (const field of numbers) {
    const value = fields[field]!;
    try {
      if (fieldSpec(field)!.type === 'b') {
        const bytes = hexBytes(field, value);
        encoder.putText(field, bytes, 0, bytes.length);
      } else encoder.putString(field, value);
    } catch (error) {
      if (error instanceof RangeError) throw new IsoError(field, -1, error.message.replace(/^field \d+:? /, ''));
      throw error;
    }
  }
  return target.slice(0, encoder.finish());
}

/** Reads a message that fills `bytes`. Throws IsoError when it is malformed. */
export function unpack(name: DialectName, bytes: Uint8Array): Fields {
  const decoder = new Decoder(dialect(name));
  if (!decoder.decode(bytes, 0, bytes.length)) {
    throw new IsoError(decoder.errorField, decoder.errorOffset, decodeReasonText(decoder.errorReason));
  }
  const fields: Fields = { '0': String(decoder.mti).padStart(4, '0') };
  decoder.each((field) => {
    fields[field] = fieldSpec(field)!.type === 'b' ? `hex:${toHex(decoder, field)}` : decoder.text(field);
  });
  return fields;
}

function hexBytes(field: number, value: string): Uint8Array {
  if (!/^hex:([0-9A-Fa-f]{2})*$/.test(value)) throw new IsoError(field, -1, 'a binary field is "hex:" and hex digits');
  const bytes = new Uint8Array((value.length - 4) / 2);
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = (hexValue[value.charCodeAt(4 + 2 * i)]! << 4) | hexValue[value.charCodeAt(5 + 2 * i)]!;
  }
  return bytes;
}

function toHex(decoder: Decoder, field: number): string {
  let out = '';
  const size = decoder.size(field);
  for (let i = 0; i < size; i++) out += decoder.byteAt(field, i).toString(16).padStart(2, '0').toUpperCase();
  return out;
}
