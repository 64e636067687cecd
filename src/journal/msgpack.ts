/**
 * The few MessagePack forms that records use, written and read by hand without allocation.
 *
 *   integers   the shortest of fixint, uint 8/16/32, negative fixint, int 8/16/32; beyond 32 bits float 64, which is exact
 *              to 2^53 (an uint 64 would come out of many decoders as a big integer)
 *   texts      str 8/16/32 for what is text by definition (ids, references); bin 8/16/32 for bytes of a wire message, which
 *              may be any character set
 *   arrays     fixarray, array 16/32
 *
 * This is byte for byte what msgpackr writes with `useRecords: false`; a test holds the two against each other.
 */
import { copyBytes } from '../bytes.js';
import { assert } from '../errors.js';

const TWO_32 = 2 ** 32;

/**
 * Writes a safe integer at `at` and returns the end. There is room for 9 bytes. A function on locals rather than a method:
 * a record is fifty of these, and `at` stays in a register.
 * @throws HoldfastError `invariant_violated` for anything that is no safe integer.
 */
export function putInteger(bytes: Uint8Array, view: DataView, at: number, value: number): number {
  const small = value | 0;
  if (small !== value) return putLarge(bytes, view, at, value);
  if (small >= 0) {
    if (small < 0x80) {
      bytes[at] = small;
      return at + 1;
    }
    if (small < 0x100) {
      bytes[at] = 0xcc;
      bytes[at + 1] = small;
      return at + 2;
    }
    if (small < 0x10000) {
      bytes[at] = 0xcd;
      bytes[at + 1] = small >> 8;
      bytes[at + 2] = small;
      return at + 3;
    }
    bytes[at] = 0xce;
    view.setInt32(at + 1, small);
    return at + 5;
  }
  return putNegative(bytes, view, at, small);
}

function putNegative(bytes: Uint8Array, view: DataView, at: number, small: number): number {
  if (small >= -0x20) {
    bytes[at] = small;
    return at + 1;
  }
  if (small >= -0x80) {
    bytes[at] = 0xd0;
    bytes[at + 1] = small;
    return at + 2;
  }
  if (small >= -0x8000) {
    bytes[at] = 0xd1;
    bytes[at + 1] = small >> 8;
    bytes[at + 2] = small;
    return at + 3;
  }
  bytes[at] = 0xd2;
  view.setInt32(at + 1, small);
  return at + 5;
}

function putLarge(bytes: Uint8Array, view: DataView, at: number, value: number): number {
  if (!Number.isSafeInteger(value)) assert(false, `a record holds safe integers only, not ${value}`);
  if (value > 0 && value < TWO_32) {
    bytes[at] = 0xce;
    view.setUint32(at + 1, value);
    return at + 5;
  }
  bytes[at] = 0xcb;
  view.setFloat64(at + 1, value);
  return at + 9;
}

/**
 * Writes at most 255 bytes as bin 8 and returns the end. There is room for `length` + 2. `source` is a view of the whole
 * array they come from. Four bytes at a time: byte by byte, the copy was the largest part of a record's cost.
 */
export function putShortBytes(view: DataView, at: number, source: DataView, from: number, length: number): number {
  view.setUint16(at, 0xc400 | length);
  const start = at + 2;
  const words = length & ~3;
  let i = 0;
  for (; i < words; i += 4) view.setInt32(start + i, source.getInt32(from + i));
  for (; i < length; i++) view.setUint8(start + i, source.getUint8(from + i));
  return start + length;
}

/** Appends to a growing buffer. `at` is the end of what is written; assign it to take something back. */
export class MsgpackWriter {
  bytes: Uint8Array;
  view: DataView;
  at = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `count` more bytes. The buffer may be another one afterwards. */
  reserve(count: number): void {
    const needed = this.at + count;
    if (needed <= this.bytes.length) return;
    let capacity = this.bytes.length * 2;
    while (capacity < needed) capacity *= 2;
    const grown = new Uint8Array(capacity);
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  /** A safe integer. The caller has reserved 9 bytes. */
  integer(value: number): void {
    this.at = putInteger(this.bytes, this.view, this.at, value);
  }

  arrayHeader(count: number): void {
    this.reserve(5);
    if (count < 16) this.bytes[this.at++] = 0x90 | count;
    else {
      this.bytes[this.at] = 0xdc;
      this.view.setUint16(this.at + 1, count);
      this.at += 3;
    }
  }

  binary(source: Uint8Array): void {
    this.reserve(source.length + 5);
    this.#length(source.length, 0xc4);
    this.bytes.set(source, this.at);
    this.at += source.length;
  }

  /** As `binary` for a part of an array, without an object for it. */
  binaryOf(source: Uint8Array, from: number, length: number): void {
    this.reserve(length + 5);
    this.#length(length, 0xc4);
    copyBytes(source, from, this.bytes, this.at, length);
    this.at += length;
  }

  /** Begins bytes whose number is not known yet; gives what `endBinary` wants. The caller has reserved 5 bytes and theirs. */
  beginBinary(): number {
    this.at += 2;
    return this.at;
  }

  /** Everything since `beginBinary` is a bin. More than 255 bytes make room for a longer length. */
  endBinary(start: number): void {
    const length = this.at - start;
    const shift = length < 0x100 ? 0 : length < 0x10000 ? 1 : 3;
    if (shift > 0) this.bytes.copyWithin(start + shift, start, this.at);
    this.at = start - 2;
    this.#length(length, 0xc4);
    this.at += length;
  }

  text(value: string): void {
    const source = Buffer.from(value, 'utf8');
    this.reserve(source.length + 5);
    if (source.length < 32) this.bytes[this.at++] = 0xa0 | source.length;
    else this.#length(source.length, 0xd9);
    this.bytes.set(source, this.at);
    this.at += source.length;
  }

  #length(length: number, lead: number): void {
    if (length < 0x100) {
      this.bytes[this.at] = lead;
      this.bytes[this.at + 1] = length;
      this.at += 2;
    } else if (length < 0x10000) {
      this.bytes[this.at] = lead + 1;
      this.view.setUint16(this.at + 1, length);
      this.at += 3;
    } else {
      this.bytes[this.at] = lead + 2;
      this.view.setUint32(this.at + 1, length);
      this.at += 5;
    }
  }
}

/** No writer of records writes another number: an amount of 1.5 or NaN would go into sums. */
function safe(value: number, at: number): number {
  if (!Number.isSafeInteger(value)) throw new MsgpackError(`no safe integer at byte ${at}`);
  return value;
}

/** Reads `count` integers from where `reader` stands into `into`, and returns where they end. One loop, as in `putInteger`. */
export function takeIntegers(reader: MsgpackReader, into: Float64Array, first: number, count: number): number {
  const { bytes, view, end } = reader;
  let at = reader.at;
  for (let i = first; i < first + count; i++) {
    const lead = bytes[at]!;
    if (lead < 0x80) {
      into[i] = lead;
      at += 1;
    } else if (lead >= 0xe0) {
      into[i] = lead - 0x100;
      at += 1;
    } else if (lead === 0xcc) {
      into[i] = bytes[at + 1]!;
      at += 2;
    } else if (lead === 0xcd) {
      into[i] = (bytes[at + 1]! << 8) | bytes[at + 2]!;
      at += 3;
    } else if (lead === 0xce) {
      into[i] = view.getUint32(at + 1);
      at += 5;
    } else if (lead === 0xcb) {
      into[i] = safe(view.getFloat64(at + 1), at);
      at += 9;
    } else {
      reader.at = at;
      into[i] = reader.integer();
      at = reader.at;
    }
  }
  if (at > end) throw new MsgpackError(`the record ends at byte ${end}, its numbers reach to ${at}`);
  return at;
}

/** Thrown by the reader; the journal reader adds shard, sequence and file. */
export class MsgpackError extends Error {}

/** Reads forward over bytes that it does not own. After `bytesHeader`, `at` is where the bytes begin. */
export class MsgpackReader {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
  at = 0;
  end = 0;

  /** Points at `bytes[start, end)`. Cheap when `bytes` is the same array as before. */
  point(bytes: Uint8Array, start: number, end: number): void {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    this.at = start;
    this.end = end;
  }

  integer(): number {
    const bytes = this.bytes;
    const at = this.at;
    const lead = bytes[at]!;
    if (lead < 0x80) {
      this.at = at + 1;
      return lead;
    }
    if (lead >= 0xe0) {
      this.at = at + 1;
      return lead - 0x100;
    }
    switch (lead) {
      case 0xcc:
        this.at = at + 2;
        return bytes[at + 1]!;
      case 0xcd:
        this.at = at + 3;
        return (bytes[at + 1]! << 8) | bytes[at + 2]!;
      case 0xce:
        this.at = at + 5;
        return this.view.getUint32(at + 1);
      case 0xcb:
        this.at = at + 9;
        return safe(this.view.getFloat64(at + 1), at);
      case 0xd0:
        this.at = at + 2;
        return (bytes[at + 1]! << 24) >> 24;
      case 0xd1:
        this.at = at + 3;
        return (((bytes[at + 1]! << 8) | bytes[at + 2]!) << 16) >> 16;
      case 0xd2:
        this.at = at + 5;
        return this.view.getInt32(at + 1);
      default:
        throw new MsgpackError(`no integer at byte ${at} (lead ${lead})`);
    }
  }

  arrayHeader(): number {
    const lead = this.bytes[this.at++]!;
    if (lead >> 4 === 9) return lead & 15;
    if (lead === 0xdc) {
      this.at += 2;
      return this.view.getUint16(this.at - 2);
    }
    throw new MsgpackError(`no array at byte ${this.at - 1} (lead ${lead})`);
  }

  /** Length of a bin; `at` moves to its first byte. The caller skips the bytes. */
  bytesHeader(): number {
    const lead = this.bytes[this.at++]!;
    if (lead === 0xc4) return this.bytes[this.at++]!;
    return this.#length(lead, 0xc4);
  }

  binary(): Uint8Array {
    const length = this.bytesHeader();
    this.at += length;
    this.check();
    return this.bytes.slice(this.at - length, this.at);
  }

  text(): string {
    const lead = this.bytes[this.at++]!;
    const length = lead >> 5 === 5 ? lead & 31 : this.#length(lead, 0xd9);
    this.at += length;
    this.check();
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + this.at - length, length).toString('utf8');
  }

  #length(lead: number, first: number): number {
    const at = this.at;
    if (lead === first) {
      this.at = at + 1;
      return this.bytes[at]!;
    }
    if (lead === first + 1) {
      this.at = at + 2;
      return this.view.getUint16(at);
    }
    if (lead === first + 2) {
      this.at = at + 4;
      return this.view.getUint32(at);
    }
    throw new MsgpackError(`no bytes at byte ${at - 1} (lead ${lead})`);
  }

  /** Throws when reading went beyond the record. */
  check(): void {
    if (this.at > this.end) throw new MsgpackError(`the record ends at byte ${this.end}, reading came to ${this.at}`);
  }
}
