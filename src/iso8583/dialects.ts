/**
 * Dialects: the same fields (fields.ts), written differently. A dialect says how each type looks on the wire; at start it
 * is compiled into typed-array tables indexed by field number, and the decoder and the encoder read nothing else. The
 * built-in three:
 *
 *                     MTI    bitmaps      digits, LL / LLL        track 2     52 64 96 128    55
 *   iso87-bcd         BCD    8 + 8 bytes  BCD, 1 / 2 bytes        BCD, `D`    8 bytes         bytes
 *   iso87-ascii       ASCII  16 + 16 hex  ASCII, 2 / 3 bytes      ASCII, `=`  16 hex          bytes
 *   iso87-ascii-bin   ASCII  8 + 8 bytes  ASCII, 2 / 3 bytes      ASCII, `=`  16 hex          bytes
 *
 * Odd numbers of BCD digits: a variable field has its filling nibble behind the digits, a fixed one before them. The
 * length prefix always counts digits or characters, never bytes, except for binary fields. Letters and printable
 * characters (an, ans; with them the currency codes 49 to 51) are ASCII everywhere.
 *
 * A dialect also says which fields a reply gives back as they came (`echoed`); every writer of replies reads that one list.
 */
import { FIELD_MAX, type FieldSpec, fieldSpecs } from './fields.js';

export const dialectNames = ['iso87-bcd', 'iso87-ascii', 'iso87-ascii-bin'] as const;
export type DialectName = (typeof dialectNames)[number];

/** What the wire of one dialect looks like. */
export interface DialectSpec {
  readonly name: DialectName;
  /** MTI, numeric fields, length prefixes and track 2: two digits per byte, or one. */
  readonly digits: 'bcd' | 'ascii';
  readonly bitmap: 'binary' | 'hex';
  /** Fixed binary fields: bytes, or two hex digits each. */
  readonly binary: 'raw' | 'hex';
  /**
   * Fields that the reply to a request gives back, in ascending order, 2 to 64. Neither what only the issuer says (38, 39,
   * 54) nor what must not travel twice (35, 45, 52, 55). Replies of network management have a list of their own.
   */
  readonly echoed: readonly number[];
}

/** The list of all built-in dialects: DE22 and DE25 do not come back. */
const ECHOED = [3, 4, 7, 11, 12, 13, 32, 33, 37, 41, 42, 49, 51, 63] as const;

export const dialectSpecs: readonly DialectSpec[] = [
  { name: 'iso87-bcd', digits: 'bcd', bitmap: 'binary', binary: 'raw', echoed: ECHOED },
  { name: 'iso87-ascii', digits: 'ascii', bitmap: 'hex', binary: 'hex', echoed: ECHOED },
  { name: 'iso87-ascii-bin', digits: 'ascii', bitmap: 'binary', binary: 'hex', echoed: ECHOED },
];

/** How a value lies on the wire. The order matters: BCD kinds (two units per byte) come first. */
export const Kind = {
  /** Not a field of the dialect. */
  none: 0,
  bcd: 1,
  trackBcd: 2,
  digits: 3,
  track: 4,
  text: 5,
  raw: 6,
  hex: 7,
  /** Sign letter, then BCD or ASCII digits. */
  amountBcd: 8,
  amount: 9,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** A compiled dialect. Tables are indexed by field number, 0 to 128. */
export class Dialect {
  readonly name: DialectName;
  /** Position in `dialectNames`. */
  readonly index: number;
  readonly spec: DialectSpec;
  /** 1 when digits, prefixes and MTI are BCD. */
  readonly bcd: 0 | 1;
  /** 1 when the bitmaps are hex digits. */
  readonly hexBitmap: 0 | 1;
  /** Bytes of the MTI (2 or 4) and of one bitmap (8 or 16). */
  readonly mtiBytes: number;
  readonly bitmapBytes: number;
  /** Fields that a reply echoes, in ascending order. */
  readonly echoed: Uint8Array;
  readonly kind = new Uint8Array(FIELD_MAX + 1);
  /** Digits of the length prefix: 0 (fixed), 2 or 3. */
  readonly prefix = new Uint8Array(FIELD_MAX + 1);
  /** Bytes of the length prefix. */
  readonly prefixBytes = new Uint8Array(FIELD_MAX + 1);
  /** Longest value, or the length of a fixed one, in units: digits, characters or bytes. */
  readonly max = new Uint16Array(FIELD_MAX + 1);
  /** Bytes of a fixed value; 0 for variable fields. */
  readonly fixedBytes = new Uint16Array(FIELD_MAX + 1);
  /** 1 when a filling nibble precedes the digits (fixed BCD fields with an odd number of digits). */
  readonly leadNibble = new Uint8Array(FIELD_MAX + 1);

  constructor(spec: DialectSpec) {
    this.spec = spec;
    this.name = spec.name;
    this.index = dialectNames.indexOf(spec.name);
    this.bcd = spec.digits === 'bcd' ? 1 : 0;
    this.hexBitmap = spec.bitmap === 'hex' ? 1 : 0;
    this.mtiBytes = this.bcd ? 2 : 4;
    this.bitmapBytes = this.hexBitmap ? 16 : 8;
    this.echoed = Uint8Array.from(spec.echoed);
    for (const field of fieldSpecs) this.compile(field);
  }

  private compile(field: FieldSpec): void {
    const i = field.field;
    const kind = kindOf(field, this.spec);
    this.kind[i] = kind;
    this.max[i] = field.max;
    if (field.form === 'fixed') {
      this.fixedBytes[i] = bytesOf(kind, field.max);
      this.leadNibble[i] = kind === Kind.bcd && field.max % 2 === 1 ? 1 : 0;
    } else {
      this.prefix[i] = field.form === 'LL' ? 2 : 3;
      this.prefixBytes[i] = this.bcd ? (this.prefix[i]! + 1) >> 1 : this.prefix[i]!;
    }
  }
}

function kindOf(field: FieldSpec, spec: DialectSpec): Kind {
  const bcd = spec.digits === 'bcd';
  switch (field.type) {
    case 'n':
      return bcd ? Kind.bcd : Kind.digits;
    case 'z':
      return bcd ? Kind.trackBcd : Kind.track;
    case 'x+n':
      return bcd ? Kind.amountBcd : Kind.amount;
    case 'b':
      return spec.binary === 'hex' && field.form === 'fixed' ? Kind.hex : Kind.raw;
    case 'an':
    case 'ans':
      return Kind.text;
  }
}

/** Wire bytes of a value of `units` digits, characters or bytes. */
export function bytesOf(kind: number, units: number): number {
  switch (kind) {
    case Kind.bcd:
    case Kind.trackBcd:
      return (units + 1) >> 1;
    case Kind.hex:
      return units * 2;
    case Kind.amountBcd:
      return 1 + (units >> 1);
    default:
      return units;
  }
}

const compiled = dialectSpecs.map((spec) => new Dialect(spec));

/** The dialect of this name, compiled once. Throws RangeError for a name that is none. */
export function dialect(name: DialectName): Dialect {
  const found = compiled.find((candidate) => candidate.name === name);
  if (found === undefined) throw new RangeError(`unknown dialect ${name}: use one of ${dialectNames.join(', ')}`);
  return found;
}

/** True when `name` is a built-in dialect. */
export function isDialectName(name: string): name is DialectName {
  return (dialectNames as readonly string[]).includes(name);
}

/** Value of a hex digit by character code, either case; -1 for anything else. */
export const hexValue = new Int8Array(256).fill(-1);
for (let i = 0; i < 10; i++) hexValue[0x30 + i] = i;
for (let i = 0; i < 6; i++) {
  hexValue[0x41 + i] = 10 + i;
  hexValue[0x61 + i] = 10 + i;
}

/** Character codes of the sixteen upper-case hex digits. */
export const hexDigit = Uint8Array.from('0123456789ABCDEF', (char) => char.charCodeAt(0));
