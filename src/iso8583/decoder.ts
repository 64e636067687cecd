/**
 * The flyweight decoder: reads a message where it lies (a socket's chunk, a slot of a shared ring) and remembers only
 * where each field starts and how long it is. No string, no object, no copy per message; one instance per thread and
 * dialect is reused for ever.
 *
 * Errors come in two sorts, and both end in `false`:
 * - Structure: an unreadable MTI, bitmap or length prefix, a value longer than its field allows, a field that ends behind
 *   the message, bytes left over. Where the next field starts is unknown, so decoding stops there.
 * - Content: a letter in a numeric field, a wrong filling nibble, a bad sign. The extent of the field is known, so the
 *   walk goes on, and the field alone counts as absent.
 * Either way the first error is reported, and every field that was read well stays readable: a format error can be
 * answered with the trace number and the terminal of the request. `errorField` 0 or 1 (MTI, bitmap) means: this is no
 * ISO 8583 message at all (`isMessage`).
 *
 * The decoder keeps a reference to the bytes, not the bytes: it is valid until they change.
 */
import { type Dialect, hexValue, Kind } from './dialects.js';
import { FIELD_MAX } from './fields.js';

/** Why a message was refused. */
export const DecodeReason = {
  none: 0,
  truncated: 1,
  mtiNotDigits: 2,
  bitmapNotHex: 3,
  notAField: 4,
  badLengthPrefix: 5,
  tooLong: 6,
  notDigits: 7,
  badFilling: 8,
  badSign: 9,
  badTrack: 10,
  notHex: 11,
  trailingBytes: 12,
} as const;
export type DecodeReason = (typeof DecodeReason)[keyof typeof DecodeReason];

const reasonTexts: Record<DecodeReason, string> = {
  0: 'no error',
  1: 'the message ends inside',
  2: 'the message type is not four digits',
  3: 'the bitmap is not hex',
  4: 'the bitmap names a field that the dialect does not have',
  5: 'the length prefix is not made of digits',
  6: 'the length exceeds the maximum of the field',
  7: 'not all digits',
  8: 'the filling nibble is wrong',
  9: 'the sign is neither C nor D',
  10: 'not track 2 data',
  11: 'not all hex digits',
  12: 'trailing bytes',
};

/** The words for a reason. */
export function decodeReasonText(reason: DecodeReason): string {
  return reasonTexts[reason];
}

const EQUALS = 0x3d;
const LETTER_C = 0x43;
const LETTER_D = 0x44;
const ZERO = 0x30;
const EMPTY = new Uint8Array(0);

export class Decoder {
  readonly dialect: Dialect;
  /** DE0 as an integer: 100, 421, 800 ... */
  mti = 0;
  /** Field of the first error; 0 the MTI, 1 a bitmap. For trailing bytes: the last field. */
  errorField = 0;
  /** Offset of the first error relative to the start of the message. */
  errorOffset = 0;
  errorReason: DecodeReason = DecodeReason.none;
  /** The bytes of the message that was decoded last. */
  bytes: Uint8Array = EMPTY;

  private origin = 0;
  private behind = 0;
  private readonly present = new Int32Array(4);
  private readonly starts = new Uint32Array(FIELD_MAX + 1);
  private readonly lengths = new Uint16Array(FIELD_MAX + 1);
  private readonly units = new Uint16Array(FIELD_MAX + 1);

  constructor(dialect: Dialect) {
    this.dialect = dialect;
  }

  /**
   * Reads the message in `buf[start, end)` and nothing outside it. True when it is well-formed; otherwise `errorField`,
   * `errorOffset` and `errorReason` tell the first error.
   */
  decode(buf: Uint8Array, start: number, end: number): boolean {
    if (!(start >= 0 && start <= end && end <= buf.length)) {
      throw new RangeError(`decode: bytes ${start} to ${end} of a buffer of ${buf.length}`);
    }
    this.bytes = buf;
    this.origin = start;
    this.behind = end;
    this.mti = 0;
    this.errorField = 0;
    this.errorOffset = 0;
    this.errorReason = DecodeReason.none;
    const present = this.present;
    present[0] = 0;
    present[1] = 0;
    present[2] = 0;
    present[3] = 0;

    let at = this.readMti(buf, start, end);
    if (at < 0) return false;
    const hex = this.dialect.hexBitmap === 1;
    const wordBytes = hex ? 8 : 4;
    if (end - at < 2 * wordBytes) return this.fail(1, end, DecodeReason.truncated);
    const word0 = hex ? this.hexWord(buf, at) : binaryWord(buf, at);
    const word1 = hex ? this.hexWord(buf, at + 8) : binaryWord(buf, at + 4);
    at += 2 * wordBytes;
    let word2 = 0;
    let word3 = 0;
    if (word0 < 0) {
      if (end - at < 2 * wordBytes) return this.fail(1, end, DecodeReason.truncated);
      word2 = hex ? this.hexWord(buf, at) : binaryWord(buf, at);
      word3 = hex ? this.hexWord(buf, at + 8) : binaryWord(buf, at + 4);
      at += 2 * wordBytes;
    }
    if (this.errorReason !== DecodeReason.none) return false;

    at = this.walk(buf, at, end, 0, word0 & 0x7fff_ffff);
    if (at >= 0 && word1 !== 0) at = this.walk(buf, at, end, 1, word1);
    if (at >= 0 && word2 !== 0) at = this.walk(buf, at, end, 2, word2);
    if (at >= 0 && word3 !== 0) at = this.walk(buf, at, end, 3, word3);
    if (at >= 0 && at !== end) this.fail(lastField(word0, word1, word2, word3), at, DecodeReason.trailingBytes);
    return this.errorReason === DecodeReason.none;
  }

  /** A copy of the message that was decoded last. Cold paths only. */
  copy(): Uint8Array {
    return Uint8Array.from(this.bytes.subarray(this.origin, this.behind));
  }

  /**
   * False when the bytes decoded last are no ISO 8583 message at all: no readable MTI, no whole and readable bitmap, or
   * bytes behind a bitmap that names no field. True for well-formed messages, and for those with an error in a field.
   */
  get isMessage(): boolean {
    return this.errorReason === DecodeReason.none || this.errorField > 1;
  }

  /** True when the field is in the message and well-formed. */
  has(field: number): boolean {
    return ((this.present[(field - 1) >> 5]! >>> (31 - ((field - 1) & 31))) & 1) === 1;
  }

  /** Index in `bytes` of the first wire byte of the value (its length prefix excluded). Valid when `has(field)`. */
  start(field: number): number {
    return this.starts[field]!;
  }

  /** Wire bytes of the value; 0 when absent. */
  length(field: number): number {
    return this.has(field) ? this.lengths[field]! : 0;
  }

  /** Length of the value in digits, characters or bytes, whichever the field counts; 0 when absent. */
  size(field: number): number {
    return this.has(field) ? this.units[field]! : 0;
  }

  /** Value of a field that is all digits; -1 when absent, empty, not all digits, or beyond a safe integer. */
  digits(field: number): number {
    return this.has(field) ? this.readDigits(field, 0, this.units[field]!) : -1;
  }

  /** Value of `count` digits from character `from` (0 = first); -1 when they are not there or not all digits. */
  digitsAt(field: number, from: number, count: number): number {
    if (!this.has(field) || from < 0 || from + count > this.units[field]!) return -1;
    return this.readDigits(field, from, count);
  }

  /**
   * Character code of character `index`, as it would be in ASCII (BCD unpacked, track separator `=`); of a binary field,
   * byte `index`. -1 when absent or beyond the end.
   */
  byteAt(field: number, index: number): number {
    if (!this.has(field) || index < 0 || index >= this.units[field]!) return -1;
    const buf = this.bytes;
    const at = this.starts[field]!;
    switch (this.dialect.kind[field]!) {
      case Kind.bcd:
        return ZERO + nibble(buf, at, index + this.dialect.leadNibble[field]!);
      case Kind.trackBcd: {
        const value = nibble(buf, at, index);
        return value === 0xd ? EQUALS : ZERO + value;
      }
      case Kind.track: {
        const char = buf[at + index]!;
        return char === LETTER_D ? EQUALS : char;
      }
      case Kind.amountBcd:
        return index === 0 ? buf[at]! : ZERO + nibble(buf, at + 1, index - 1);
      case Kind.hex:
        return (hexValue[buf[at + 2 * index]!]! << 4) | hexValue[buf[at + 2 * index + 1]!]!;
      default:
        return buf[at + index]!;
    }
  }

  /**
   * Writes the value as ASCII characters (binary fields: as bytes) to `target` from `at` and returns how many it wrote, 0
   * when absent. Throws RangeError when they do not fit.
   */
  copyText(field: number, target: Uint8Array, at: number): number {
    if (!this.has(field)) return 0;
    const count = this.units[field]!;
    if (at < 0 || at + count > target.length) throw new RangeError(`field ${field}: ${count} characters do not fit`);
    const kind = this.dialect.kind[field]!;
    if (kind === Kind.text || kind === Kind.digits || kind === Kind.raw || kind === Kind.amount) {
      const from = this.starts[field]!;
      const buf = this.bytes;
      for (let i = 0; i < count; i++) target[at + i] = buf[from + i]!;
    } else if (kind === Kind.bcd) {
      const from = this.starts[field]!;
      const buf = this.bytes;
      const lead = this.dialect.leadNibble[field]!;
      for (let i = 0; i < count; i++) target[at + i] = ZERO + nibble(buf, from, i + lead);
    } else {
      for (let i = 0; i < count; i++) target[at + i] = this.byteAt(field, i);
    }
    return count;
  }

  /** The value as a string (binary fields: one character per byte); empty when absent. Cold paths only. */
  text(field: number): string {
    let out = '';
    const count = this.size(field);
    for (let i = 0; i < count; i++) out += String.fromCharCode(this.byteAt(field, i));
    return out;
  }

  /** Calls `visit` for each field that is present and well-formed, ascending. Cold paths only. */
  each(visit: (field: number) => void): void {
    for (let field = 2; field <= FIELD_MAX; field++) if (this.has(field)) visit(field);
  }

  /** The first error in words, without any content of the message; empty after a success. */
  errorText(): string {
    if (this.errorReason === DecodeReason.none) return '';
    const where = this.errorField === 0 ? 'MTI' : this.errorField === 1 ? 'bitmap' : `DE${this.errorField}`;
    return `${where}, byte ${this.errorOffset}: ${decodeReasonText(this.errorReason)}`;
  }

  /** Digits of a field that is present. */
  private readDigits(field: number, from: number, count: number): number {
    if (count <= 0) return -1;
    const buf = this.bytes;
    const kind = this.dialect.kind[field]!;
    const at = this.starts[field]!;
    switch (kind) {
      case Kind.digits:
      case Kind.track:
      case Kind.text:
      case Kind.amount:
        return asciiDigits(buf, at + from, count);
      case Kind.bcd:
        return bcdDigits(buf, at, from + this.dialect.leadNibble[field]!, count);
      case Kind.trackBcd:
        return bcdDigits(buf, at, from, count);
      case Kind.amountBcd:
        return from === 0 ? -1 : bcdDigits(buf, at + 1, from - 1, count);
      default:
        return -1;
    }
  }

  /** Reads the fields of one bitmap word. Returns the offset behind them, or -1 when the structure is broken. */
  private walk(buf: Uint8Array, from: number, end: number, word: number, bits: number): number {
    const { kind: kinds, prefix: prefixes, prefixBytes, max, fixedBytes } = this.dialect;
    const packed = this.dialect.bcd === 1;
    let at = from;
    let rest = bits;
    let present = 0;
    while (rest !== 0) {
      const bit = Math.clz32(rest);
      const mask = 0x8000_0000 >>> bit;
      rest &= ~mask;
      const field = (word << 5) + bit + 1;
      const kind = kinds[field]!;
      let units = max[field]!;
      let bytes = fixedBytes[field]!;
      const prefix = prefixes[field]!;
      let broken: DecodeReason = kind === Kind.none ? DecodeReason.notAField : DecodeReason.none;
      if (prefix !== 0) {
        const wide = prefixBytes[field]!;
        if (end - at < wide) broken = DecodeReason.truncated;
        else {
          const count = packed ? bcdPrefix(buf, at, wide) : asciiDigits(buf, at, wide);
          if (count < 0) broken = DecodeReason.badLengthPrefix;
          else if (count > units) broken = DecodeReason.tooLong;
          else {
            at += wide;
            units = count;
            bytes = kind <= Kind.trackBcd ? (count + 1) >> 1 : count;
          }
        }
      }
      if (broken === DecodeReason.none && end - at < bytes) broken = DecodeReason.truncated;
      if (broken !== DecodeReason.none) {
        this.present[word] = present;
        this.fail(field, broken === DecodeReason.truncated ? end : at, broken);
        return -1;
      }
      if (kind === Kind.text || kind === Kind.raw || this.check(buf, at, bytes, units, field, kind)) {
        present |= mask;
        this.starts[field] = at;
        this.lengths[field] = bytes;
        this.units[field] = units;
      }
      at += bytes;
    }
    this.present[word] = present;
    return at;
  }

  /** Checks the content of a field that is wholly inside the message. */
  private check(buf: Uint8Array, at: number, bytes: number, units: number, field: number, kind: number): boolean {
    const stop = at + bytes;
    switch (kind) {
      case Kind.bcd:
        return this.checkBcd(buf, at, stop, units, field);
      case Kind.digits:
        for (let i = at; i < stop; i++) {
          if (((buf[i]! - ZERO) & 0xff) > 9) return this.fail(field, i, DecodeReason.notDigits);
        }
        return true;
      case Kind.trackBcd:
        return this.checkTrackBcd(buf, at, units, field);
      case Kind.track:
        return this.checkTrack(buf, at, stop, field);
      case Kind.hex:
        for (let i = at; i < stop; i++) if (hexValue[buf[i]!]! < 0) return this.fail(field, i, DecodeReason.notHex);
        return true;
      default:
        return this.checkAmount(buf, at, stop, field, kind);
    }
  }

  /** Two digits in every byte, save for the filling nibble of an odd count: 0 before the digits, 0 or F behind them. */
  private checkBcd(buf: Uint8Array, at: number, stop: number, units: number, field: number): boolean {
    const odd = (units & 1) === 1;
    const behind = odd && this.dialect.leadNibble[field] !== 1;
    if (odd && !behind && buf[at]! > 0x0f) return this.fail(field, at, DecodeReason.badFilling);
    const last = behind ? stop - 1 : stop;
    for (let i = at; i < last; i++) {
      const byte = buf[i]!;
      if (byte > 0x99 || (byte & 0xf) > 9) return this.fail(field, i, DecodeReason.notDigits);
    }
    if (!behind) return true;
    const byte = buf[last]!;
    if (byte >> 4 > 9) return this.fail(field, last, DecodeReason.notDigits);
    if ((byte & 0xf) !== 0 && (byte & 0xf) !== 0xf) return this.fail(field, last, DecodeReason.badFilling);
    return true;
  }

  /** Digits and at most one separator D (not the first character); filling 0 or F. */
  private checkTrackBcd(buf: Uint8Array, at: number, units: number, field: number): boolean {
    let separators = 0;
    for (let i = 0; i < units; i++) {
      const value = nibble(buf, at, i);
      if (value > 9 && (value !== 0xd || i === 0 || ++separators > 1)) {
        return this.fail(field, at + (i >> 1), DecodeReason.badTrack);
      }
    }
    if ((units & 1) === 1) {
      const filling = buf[at + (units >> 1)]! & 0xf;
      if (filling !== 0 && filling !== 0xf) return this.fail(field, at + (units >> 1), DecodeReason.badFilling);
    }
    return true;
  }

  private checkTrack(buf: Uint8Array, at: number, stop: number, field: number): boolean {
    let separators = 0;
    for (let i = at; i < stop; i++) {
      const char = buf[i]!;
      if (((char - ZERO) & 0xff) <= 9) continue;
      if ((char !== EQUALS && char !== LETTER_D) || i === at || ++separators > 1) {
        return this.fail(field, i, DecodeReason.badTrack);
      }
    }
    return true;
  }

  private checkAmount(buf: Uint8Array, at: number, stop: number, field: number, kind: number): boolean {
    const sign = buf[at]!;
    if (sign !== LETTER_C && sign !== LETTER_D) return this.fail(field, at, DecodeReason.badSign);
    for (let i = at + 1; i < stop; i++) {
      const byte = buf[i]!;
      const good = kind === Kind.amountBcd ? byte <= 0x99 && (byte & 0xf) <= 9 : ((byte - ZERO) & 0xff) <= 9;
      if (!good) return this.fail(field, i, DecodeReason.notDigits);
    }
    return true;
  }

  /** Reads the MTI. Returns the offset behind it, or -1. */
  private readMti(buf: Uint8Array, at: number, end: number): number {
    const bytes = this.dialect.mtiBytes;
    if (end - at < bytes) {
      this.fail(0, end, DecodeReason.truncated);
      return -1;
    }
    const value = this.dialect.bcd === 1 ? bcdPrefix(buf, at, 2) : asciiDigits(buf, at, 4);
    if (value < 0) {
      this.fail(0, at, DecodeReason.mtiNotDigits);
      return -1;
    }
    this.mti = value;
    return at + bytes;
  }

  /** Eight hex digits as a signed 32-bit word. */
  private hexWord(buf: Uint8Array, at: number): number {
    let word = 0;
    for (let i = at; i < at + 8; i++) {
      const value = hexValue[buf[i]!]!;
      if (value < 0) {
        this.fail(1, i, DecodeReason.bitmapNotHex);
        return 0;
      }
      word = (word << 4) | value;
    }
    return word;
  }

  /** Records the first error. Always false. */
  private fail(field: number, offset: number, reason: DecodeReason): false {
    if (this.errorReason === DecodeReason.none) {
      this.errorField = field;
      this.errorOffset = offset - this.origin;
      this.errorReason = reason;
    }
    return false;
  }
}

function binaryWord(buf: Uint8Array, at: number): number {
  return (buf[at]! << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!;
}

/** BCD in one or two bytes; -1 when a nibble is not a digit. */
function bcdPrefix(buf: Uint8Array, at: number, bytes: number): number {
  const first = buf[at]!;
  if (first > 0x99 || (first & 0xf) > 9) return -1;
  const value = (first >> 4) * 10 + (first & 0xf);
  if (bytes === 1) return value;
  const second = buf[at + 1]!;
  if (second > 0x99 || (second & 0xf) > 9) return -1;
  return value * 100 + (second >> 4) * 10 + (second & 0xf);
}

function asciiDigits(buf: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i++) {
    const digit = buf[i]! - ZERO;
    if ((digit & 0xff) > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

/** Nibble `index` (0 = high nibble of the first byte). */
function nibble(buf: Uint8Array, at: number, index: number): number {
  const byte = buf[at + (index >> 1)]!;
  return (index & 1) === 0 ? byte >> 4 : byte & 0xf;
}

/** `count` digits from nibble `from`; -1 when one is not a digit or the value is not a safe integer. */
function bcdDigits(buf: Uint8Array, at: number, from: number, count: number): number {
  const stop = from + count;
  let value = 0;
  let i = from;
  if ((i & 1) === 1) {
    value = nibble(buf, at, i);
    if (value > 9) return -1;
    i++;
  }
  for (; i + 1 < stop; i += 2) {
    const byte = buf[at + (i >> 1)]!;
    const low = byte & 0xf;
    if (byte > 0x99 || low > 9) return -1;
    value = value * 100 + (byte >> 4) * 10 + low;
  }
  if (i < stop) {
    const last = nibble(buf, at, i);
    if (last > 9) return -1;
    value = value * 10 + last;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

/** Highest field named by the bitmaps; 1 when there is none. */
function lastField(word0: number, word1: number, word2: number, word3: number): number {
  const words = [word0 & 0x7fff_ffff, word1, word2, word3];
  for (let word = 3; word >= 0; word--) {
    const bits = words[word]!;
    if (bits !== 0) return word * 32 + 1 + Math.clz32(bits & -bits);
  }
  return 1;
}
