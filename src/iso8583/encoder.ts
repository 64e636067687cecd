/**
 * The encoder: writes a message field by field into a given buffer (a slot of a shared ring, a socket's buffer). Nothing
 * is allocated per message; one instance per thread and dialect is reused for ever.
 *
 * The place of the bitmaps is reserved by `begin`, the fields follow in ascending order, and `finish` writes the bitmaps.
 * The secondary bitmap is sent only when a field above 64 was put: if it was reserved for nothing, the fields move down.
 *
 * A call that cannot be done throws RangeError naming the field, before it has written a byte of that field. It is the
 * caller's mistake (a value that does not belong there, a buffer too small), never the peer's.
 */
import type { Decoder } from './decoder.js';
import { bytesOf, type Dialect, hexDigit, Kind } from './dialects.js';
import { FIELD_MAX } from './fields.js';

const ZERO = 0x30;
const SPACE = 0x20;
const EQUALS = 0x3d;
const LETTER_C = 0x43;
const LETTER_D = 0x44;
const EMPTY = new Uint8Array(0);

/** Longest text: an LLL field. */
const scratch = new Uint8Array(1000);

export class Encoder {
  readonly dialect: Dialect;

  private target: Uint8Array = EMPTY;
  private limit = 0;
  private bitmapAt = 0;
  private bodyAt = 0;
  private at = 0;
  private secondary = false;
  private last = 0;
  /** Position in the dialect's list of echoed fields. */
  private echoedAt = 0;
  private readonly present = new Int32Array(4);

  constructor(dialect: Dialect) {
    this.dialect = dialect;
  }

  /**
   * Starts a message at `target[at]`. `secondaryBitmap` reserves the room that fields above 64 need; `limit` is the end of
   * the room in `target` (its length by default). `mti` is 0 to 9999.
   */
  begin(target: Uint8Array, at: number, mti: number, secondaryBitmap: boolean, limit: number = target.length): void {
    const { mtiBytes, bitmapBytes } = this.dialect;
    if (!(mti >= 0 && mti <= 9999)) throw new RangeError(`message type ${mti} is not four digits`);
    const bodyAt = at + mtiBytes + (secondaryBitmap ? 2 : 1) * bitmapBytes;
    if (!(at >= 0 && limit <= target.length && bodyAt <= limit)) throw new RangeError(`no room for MTI and bitmap`);
    this.target = target;
    this.limit = limit;
    this.secondary = secondaryBitmap;
    this.last = 0;
    this.echoedAt = 0;
    const present = this.present;
    present[0] = 0;
    present[1] = 0;
    present[2] = 0;
    present[3] = 0;
    if (this.dialect.bcd === 1) writeBcd(target, at, 4, mti);
    else writeAscii(target, at, 4, mti);
    this.bitmapAt = at + mtiBytes;
    this.bodyAt = bodyAt;
    this.at = bodyAt;
  }

  /**
   * Echo: copies the wire bytes of a field (length prefix and value) from a decoded message of the same dialect. Does
   * nothing when the message does not have the field, or has it malformed.
   */
  copy(decoder: Decoder, field: number): void {
    if (!decoder.has(field)) return;
    if (decoder.dialect !== this.dialect) throw fault(field, 'the source has another dialect');
    const wide = this.dialect.prefixBytes[field]!;
    const bytes = wide + decoder.length(field);
    const from = decoder.start(field) - wide;
    const at = this.claim(field, bytes);
    const source = decoder.bytes;
    const target = this.target;
    for (let i = 0; i < bytes; i++) target[at + i] = source[from + i]!;
  }

  /**
   * Echo of a list: copies the fields below `field` that the dialect echoes and that are still to come. A listed field that
   * was put with a value of its own stays as it was put.
   */
  echoBelow(decoder: Decoder, field: number): void {
    const { echoed } = this.dialect;
    while (this.echoedAt < echoed.length) {
      const next = echoed[this.echoedAt]!;
      if (next >= field) return;
      this.echoedAt++;
      if (next > this.last) this.copy(decoder, next);
    }
  }

  /** Echo: copies every field of the dialect's list that is still to come. */
  echoRest(decoder: Decoder): void {
    this.echoBelow(decoder, FIELD_MAX + 1);
  }

  /**
   * A field of digits with this value: zero-filled to a fixed length, in as few digits as it needs in a variable field.
   * `value` is a non-negative safe integer.
   */
  putDigits(field: number, value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw fault(field, 'not a non-negative integer');
    const kind = this.dialect.kind[field]!;
    if (kind !== Kind.bcd && kind !== Kind.digits && kind !== Kind.text) throw notFor(field, 'a number');
    const needed = countDigits(value);
    const max = this.dialect.max[field]!;
    if (needed > max) throw fault(field, `${needed} digits, at most ${max} fit`);
    const digits = this.dialect.prefix[field] === 0 ? max : needed;
    const at = this.room(field, kind, digits);
    if (kind !== Kind.bcd) writeAscii(this.target, at, digits, value);
    else if ((digits & 1) === 0 || this.dialect.leadNibble[field] === 1) {
      writeBcd(this.target, at, (digits + 1) & ~1, value);
    } else {
      // Filling nibble behind an odd number of digits: the last digit goes to a high nibble.
      const tens = Math.floor(value / 10);
      writeBcd(this.target, at, digits - 1, tens);
      this.target[at + (digits >> 1)] = (value - tens * 10) << 4;
    }
  }

  /**
   * A field from its characters as they are in ASCII: digits (shorter fixed ones are zero-filled), text (shorter fixed
   * ones are filled with spaces), sign and digits of x+n, track 2 with `=` or `D`. For a binary field: its bytes.
   */
  putText(field: number, source: Uint8Array, at: number, length: number): void {
    if (!(at >= 0 && length >= 0 && at + length <= source.length)) throw fault(field, 'no such text');
    const kind = this.dialect.kind[field]!;
    const max = this.dialect.max[field]!;
    if (kind === Kind.none) throw notFor(field, 'anything');
    if (length > max) throw fault(field, `${length} characters, at most ${max} fit`);
    const fixed = this.dialect.prefix[field] === 0;
    if ((kind === Kind.hex || kind === Kind.raw) && fixed && length !== max) {
      throw fault(field, `${length} bytes instead of ${max}`);
    }
    checkText(field, kind, source, at, length);
    const units = fixed ? max : length;
    const to = this.room(field, kind, units);
    switch (kind) {
      case Kind.bcd:
        this.writePacked(to, units, this.dialect.leadNibble[field]!, source, at, length);
        break;
      case Kind.trackBcd:
        this.writePacked(to, units, 0, source, at, length);
        break;
      case Kind.amountBcd:
        this.target[to] = source[at]!;
        this.writePacked(to + 1, units - 1, 0, source, at + 1, length - 1);
        break;
      case Kind.amount:
        this.target[to] = source[at]!;
        this.writeFilled(to + 1, units - 1, source, at + 1, length - 1);
        break;
      case Kind.digits:
        this.writeFilled(to, units, source, at, length);
        break;
      case Kind.hex:
        for (let i = 0; i < length; i++) {
          this.target[to + 2 * i] = hexDigit[source[at + i]! >> 4]!;
          this.target[to + 2 * i + 1] = hexDigit[source[at + i]! & 0xf]!;
        }
        break;
      case Kind.track:
        for (let i = 0; i < length; i++) this.target[to + i] = source[at + i] === LETTER_D ? EQUALS : source[at + i]!;
        break;
      default:
        for (let i = 0; i < length; i++) this.target[to + i] = source[at + i]!;
        for (let i = length; i < units; i++) this.target[to + i] = SPACE;
    }
  }

  /** `putText` of a string whose characters are single bytes. Cold paths only. */
  putString(field: number, value: string): void {
    if (value.length > scratch.length) throw fault(field, `${value.length} characters do not fit`);
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0xff) throw fault(field, `character ${i} is not a single byte`);
      scratch[i] = code;
    }
    this.putText(field, scratch, 0, value.length);
    scratch.fill(0, 0, value.length);
  }

  /** Writes the bitmaps and returns the index behind the message. Once per `begin`. */
  finish(): number {
    if (this.limit === 0) throw new RangeError('finish without begin');
    const present = this.present;
    const { bitmapBytes } = this.dialect;
    const wanted = (present[2]! | present[3]!) !== 0;
    if (this.secondary && !wanted) {
      this.target.copyWithin(this.bodyAt - bitmapBytes, this.bodyAt, this.at);
      this.at -= bitmapBytes;
    }
    this.writeWord(0, wanted ? present[0]! | 0x8000_0000 : present[0]!);
    this.writeWord(1, present[1]!);
    if (wanted) {
      this.writeWord(2, present[2]!);
      this.writeWord(3, present[3]!);
    }
    const end = this.at;
    this.target = EMPTY;
    this.limit = 0;
    return end;
  }

  private writeWord(index: number, word: number): void {
    const target = this.target;
    if (this.dialect.hexBitmap === 1) {
      const at = this.bitmapAt + index * 8;
      for (let i = 0; i < 8; i++) target[at + i] = hexDigit[(word >>> (28 - 4 * i)) & 0xf]!;
    } else {
      const at = this.bitmapAt + index * 4;
      target[at] = word >>> 24;
      target[at + 1] = word >>> 16;
      target[at + 2] = word >>> 8;
      target[at + 3] = word;
    }
  }

  /** Checks order and room, marks the field present, and returns where it starts. */
  private claim(field: number, bytes: number): number {
    if (field <= this.last || field > FIELD_MAX) {
      throw fault(field, `after field ${this.last}, fields go in ascending order`);
    }
    if (field > 64 && !this.secondary) throw fault(field, 'no secondary bitmap was reserved');
    const at = this.at;
    if (at + bytes > this.limit) throw fault(field, `${bytes} bytes do not fit`);
    this.last = field;
    const word = (field - 1) >> 5;
    this.present[word] = this.present[word]! | (0x8000_0000 >>> ((field - 1) & 31));
    this.at = at + bytes;
    return at;
  }

  /** Claims the room of a value of `units`, writes its length prefix, and returns where the value starts. */
  private room(field: number, kind: number, units: number): number {
    const wide = this.dialect.prefixBytes[field]!;
    const at = this.claim(field, wide + bytesOf(kind, units));
    if (wide !== 0) {
      if (this.dialect.bcd === 1) writeBcd(this.target, at, wide * 2, units);
      else writeAscii(this.target, at, wide, units);
    }
    return at + wide;
  }

  /** ASCII digits, zero-filled on the left. */
  private writeFilled(to: number, units: number, source: Uint8Array, at: number, length: number): void {
    const fill = units - length;
    for (let i = 0; i < fill; i++) this.target[to + i] = ZERO;
    for (let i = 0; i < length; i++) this.target[to + fill + i] = source[at + i]!;
  }

  /** Two characters per byte, zero-filled on the left; `lead` is 1 when a filling nibble comes first. */
  private writePacked(to: number, units: number, lead: number, source: Uint8Array, at: number, length: number): void {
    const fill = units - length + lead;
    const nibbles = units + lead;
    let byte = 0;
    for (let i = 0; i < nibbles; i++) {
      const char = i < fill ? ZERO : source[at + i - fill]!;
      const value = char === EQUALS || char === LETTER_D ? 0xd : char & 0xf;
      if ((i & 1) === 0) byte = value << 4;
      else this.target[to + (i >> 1)] = byte | value;
    }
    if ((nibbles & 1) === 1) this.target[to + (nibbles >> 1)] = byte;
  }
}

/** Throws RangeError when the characters do not belong into a field of this kind. */
function checkText(field: number, kind: number, source: Uint8Array, at: number, length: number): void {
  if (kind === Kind.text || kind === Kind.raw || kind === Kind.hex) return;
  let from = at;
  if (kind === Kind.amount || kind === Kind.amountBcd) {
    if (length < 1 || (source[at] !== LETTER_C && source[at] !== LETTER_D))
      throw notFor(field, 'a value without C or D');
    from++;
  }
  const track = kind === Kind.track || kind === Kind.trackBcd;
  let separators = 0;
  for (let i = from; i < at + length; i++) {
    const char = source[i]!;
    if (((char - ZERO) & 0xff) <= 9) continue;
    const separator = track && i > at && (char === EQUALS || char === LETTER_D) && ++separators === 1;
    if (!separator) throw notFor(field, `character ${i - at}`);
  }
}

/**
 * Made in a function of its own: V8 writes the number of a field that several errors name out as text before it knows whether there is
 * one, for each field of each message.
 */
function fault(field: number, what: string): RangeError {
  return new RangeError(`field ${field}: ${what}`);
}

function notFor(field: number, what: string): RangeError {
  return new RangeError(`field ${field} cannot hold ${what}`);
}

function countDigits(value: number): number {
  let count = 1;
  let limit = 10;
  while (value >= limit) {
    count++;
    limit *= 10;
  }
  return count;
}

/** `digits` (even) BCD digits of a value that fits. */
function writeBcd(target: Uint8Array, at: number, digits: number, value: number): void {
  let rest = value;
  for (let i = at + (digits >> 1) - 1; i >= at; i--) {
    const hundreds = Math.floor(rest / 100);
    const low = rest - hundreds * 100;
    const tens = (low * 205) >> 11; // low / 10 for 0 to 99
    target[i] = (tens << 4) | (low - tens * 10);
    rest = hundreds;
  }
}

/** `digits` ASCII digits of a value that fits. */
function writeAscii(target: Uint8Array, at: number, digits: number, value: number): void {
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const tens = Math.floor(rest / 10);
    target[i] = ZERO + (rest - tens * 10);
    rest = tens;
  }
}
