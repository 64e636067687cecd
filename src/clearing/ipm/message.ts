/**
 * One IPM message where it lies in the file: a flyweight that remembers where each element and subelement begins and how long
 * it is. Numbers are read in place, texts are made when they are asked for, nothing is allocated per message.
 *
 *   | MTI, 4 characters | bitmap, 16 bytes, bit 1 set | elements, ascending ... |
 *
 * It is not the decoder of src/iso8583, which serves the wire: other elements, one bitmap of 16 bytes always, and characters
 * in EBCDIC. The two share the notation of the fields.
 *
 * Private data (PDS) are tag (4), length (3) and value, over all the elements that carry them read as one text: a value may
 * begin in one and end in the next. One carrier alone is walked where it lies; several are copied together first.
 */
import type { Encoding } from '../encoding.js';
import type { FindingCode } from '../findings.js';
import { IPM_FIELD_MAX, IpmKind, type IpmProfile } from './profile.js';

const MTI_BYTES = 4;
const HEAD_BYTES = 20;
const PDS_HEAD = 7;
const CARRIED_MAX = 5 * 999;
const PDS_MAX = Math.floor(CARRIED_MAX / PDS_HEAD) + 1;
const NOTHING = new Uint8Array(0);

export class IpmMessage {
  readonly profile: IpmProfile;
  readonly encoding: Encoding;
  /** The bytes that the message lies in. */
  bytes: Uint8Array = NOTHING;
  /** Message type as an integer, such as 1240. */
  mti = 0;
  /** The first error; undefined when there is none. */
  error: FindingCode | undefined;
  /** Where it shows, from the message's first byte. */
  errorOffset = 0;
  /** Element of the error; 0 the MTI, 1 the bitmap. */
  errorField = 0;
  /** Subelement of the error; -1 when it is about none. */
  errorTag = -1;
  /** Number of subelements. */
  pdsCount = 0;

  #origin = 0;
  readonly #present = new Int32Array(4);
  readonly #starts = new Uint32Array(IPM_FIELD_MAX + 1);
  readonly #lengths = new Uint16Array(IPM_FIELD_MAX + 1);
  #pdsBytes: Uint8Array = NOTHING;
  readonly #joined = new Uint8Array(CARRIED_MAX);
  readonly #tags = new Uint16Array(PDS_MAX);
  readonly #pdsStarts = new Uint32Array(PDS_MAX);
  readonly #pdsLengths = new Uint16Array(PDS_MAX);
  /** By tag: in which message it was seen last, and as which subelement. */
  readonly #seenIn = new Float64Array(10_000);
  readonly #seenAs = new Uint16Array(10_000);
  #generation = 0;

  constructor(profile: IpmProfile, encoding: Encoding) {
    this.profile = profile;
    this.encoding = encoding;
  }

  /**
   * Reads the message in `bytes[start, end)` and nothing outside it. False when it is malformed: `error` says the first error.
   * After an error in the structure nothing is present; an element with bad content alone is absent.
   */
  decode(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes;
    this.#origin = start;
    this.mti = 0;
    this.error = undefined;
    this.errorOffset = 0;
    this.errorField = 0;
    this.errorTag = -1;
    this.pdsCount = 0;
    this.#generation++;
    this.#present.fill(0);
    if (end - start < HEAD_BYTES) return this.#fail('field_truncated', end, 1);
    this.mti = this.encoding.digits(bytes, start, MTI_BYTES);
    if (this.mti < 0) return this.#fail('mti_malformed', start, 0);
    let at = start + HEAD_BYTES;
    if (bytes[start + MTI_BYTES]! < 0x80) return this.#fail('bitmap_malformed', start + MTI_BYTES, 1);
    for (let word = 0; word < 4; word++) {
      const bits = word32(bytes, start + MTI_BYTES + 4 * word);
      at = this.#walk(bytes, at, end, word, word === 0 ? bits & 0x7fff_ffff : bits);
      if (at < 0) {
        this.#present.fill(0);
        return false;
      }
    }
    if (at !== end) {
      this.#present.fill(0);
      return this.#fail('bytes_left_over', at, 0);
    }
    this.#readPds();
    return this.error === undefined;
  }

  has(field: number): boolean {
    return ((this.#present[(field - 1) >> 5]! >>> (31 - ((field - 1) & 31))) & 1) === 1;
  }

  /** Index in `bytes` of the value's first byte. Valid when the element is there. */
  start(field: number): number {
    return this.#starts[field]!;
  }

  /** Bytes of the value; 0 when absent. */
  length(field: number): number {
    return this.has(field) ? this.#lengths[field]! : 0;
  }

  /** The value of an element of digits; -1 when absent or no safe integer. */
  number(field: number): number {
    return this.has(field) ? this.encoding.digits(this.bytes, this.#starts[field]!, this.#lengths[field]!) : -1;
  }

  /** `count` digits from the `from`th character; -1 when they are not there. */
  digits(field: number, from: number, count: number): number {
    if (from + count > this.length(field)) return -1;
    return this.encoding.digits(this.bytes, this.#starts[field]! + from, count);
  }

  /** The value as it is, filling included; '' when absent. Of a raw element one character per byte. */
  text(field: number): string {
    if (!this.has(field)) return '';
    const start = this.#starts[field]!;
    const end = start + this.#lengths[field]!;
    if (this.profile.kind[field] !== IpmKind.raw) return this.encoding.text(this.bytes, start, end);
    return Buffer.from(this.bytes.subarray(start, end)).toString('latin1');
  }

  /** The value without filling spaces behind it; '' when absent. */
  trimmed(field: number): string {
    if (!this.has(field)) return '';
    const start = this.#starts[field]!;
    return this.encoding.trimmed(this.bytes, start, start + this.#lengths[field]!);
  }

  /** Place of a subelement, 0 to `pdsCount` - 1; -1 when it is not there. */
  pds(tag: number): number {
    return this.#seenIn[tag] === this.#generation ? this.#seenAs[tag]! : -1;
  }

  pdsTag(place: number): number {
    return this.#tags[place]!;
  }

  /** Characters of a subelement; 0 when it is not there. */
  pdsLength(tag: number): number {
    const place = this.pds(tag);
    return place < 0 ? 0 : this.#pdsLengths[place]!;
  }

  /** `count` digits of a subelement from its `from`th character; -1 when they are not there. */
  pdsDigits(tag: number, from: number, count: number): number {
    const place = this.pds(tag);
    if (place < 0 || from + count > this.#pdsLengths[place]!) return -1;
    return this.encoding.digits(this.#pdsBytes, this.#pdsStarts[place]! + from, count);
  }

  /** Characters of a subelement; '' when they are not there. `count` is cut to what there is. */
  pdsText(tag: number, from = 0, count = CARRIED_MAX): string {
    const place = this.pds(tag);
    if (place < 0) return '';
    const start = this.#pdsStarts[place]!;
    const stop = Math.min(from + count, this.#pdsLengths[place]!);
    return this.encoding.text(this.#pdsBytes, start + from, start + stop);
  }

  /** Code in the file of a character of a subelement; -1 when it is not there. */
  pdsCode(tag: number, at: number): number {
    const place = this.pds(tag);
    return place < 0 || at >= this.#pdsLengths[place]! ? -1 : this.#pdsBytes[this.#pdsStarts[place]! + at]!;
  }

  /** Calls `visit` for each element that is there, ascending. */
  each(visit: (field: number) => void): void {
    for (let field = 2; field <= IPM_FIELD_MAX; field++) if (this.has(field)) visit(field);
  }

  /** The elements of one word of the bitmap. Returns the offset behind them, or -1. */
  #walk(bytes: Uint8Array, from: number, end: number, word: number, bits: number): number {
    const { kind, prefix, max } = this.profile;
    const { encoding } = this;
    let at = from;
    let present = 0;
    for (let rest = bits; rest !== 0; ) {
      const bit = Math.clz32(rest);
      const mask = 0x8000_0000 >>> bit;
      rest &= ~mask;
      const field = (word << 5) + bit + 1;
      if (kind[field] === IpmKind.none) return this.#broken('field_unknown', at, field);
      let length = max[field]!;
      const wide = prefix[field]!;
      if (wide > 0) {
        if (end - at < wide) return this.#broken('field_truncated', end, field);
        const count = encoding.digits(bytes, at, wide);
        if (count < 0) return this.#broken('field_length', at, field);
        if (count > length) return this.#broken('field_too_long', at, field);
        at += wide;
        length = count;
      }
      if (end - at < length) return this.#broken('field_truncated', end, field);
      if (kind[field] !== IpmKind.digits || this.#allDigits(bytes, at, length, field)) {
        present |= mask;
        this.#starts[field] = at;
        this.#lengths[field] = length;
      }
      at += length;
    }
    this.#present[word] = present;
    return at;
  }

  #allDigits(bytes: Uint8Array, at: number, length: number, field: number): boolean {
    const { zero } = this.encoding;
    for (let i = at; i < at + length; i++) {
      if (((bytes[i]! - zero) & 0xff) > 9) return this.#fail('field_content', i, field);
    }
    return true;
  }

  #readPds(): void {
    let count = 0;
    let only = 0;
    for (const field of this.profile.carriers) {
      if (this.length(field) === 0) continue;
      count++;
      only = field;
    }
    if (count === 0) return;
    if (count === 1) {
      this.#walkPds(this.bytes, this.#starts[only]!, this.#starts[only]! + this.#lengths[only]!);
      return;
    }
    let length = 0;
    for (const field of this.profile.carriers) {
      const size = this.length(field);
      if (size === 0) continue;
      const start = this.#starts[field]!;
      this.#joined.set(this.bytes.subarray(start, start + size), length);
      length += size;
    }
    this.#walkPds(this.#joined, 0, length);
  }

  #walkPds(bytes: Uint8Array, start: number, end: number): void {
    this.#pdsBytes = bytes;
    const { encoding } = this;
    let count = 0;
    for (let at = start; at < end; ) {
      const tag = end - at < PDS_HEAD ? -1 : encoding.digits(bytes, at, 4);
      const length = tag < 0 ? -1 : encoding.digits(bytes, at + 4, 3);
      const bad = length < 0 || length > end - at - PDS_HEAD;
      if (bad || this.#seenIn[tag] === this.#generation) {
        this.#pdsError(bad ? 'pds_malformed' : 'pds_repeated', at - start, tag);
        return;
      }
      this.#seenIn[tag] = this.#generation;
      this.#seenAs[tag] = count;
      this.#tags[count] = tag;
      this.#pdsStarts[count] = at + PDS_HEAD;
      this.#pdsLengths[count] = length;
      count++;
      at += PDS_HEAD + length;
    }
    this.pdsCount = count;
  }

  /** @param at offset in the text of all carriers */
  #pdsError(code: FindingCode, at: number, tag: number): void {
    this.#generation++;
    let before = 0;
    for (const field of this.profile.carriers) {
      const size = this.length(field);
      if (at < before + size) {
        this.errorTag = tag;
        this.#fail(code, this.#starts[field]! + at - before, field);
        return;
      }
      before += size;
    }
  }

  #broken(code: FindingCode, at: number, field: number): -1 {
    this.#fail(code, at, field);
    return -1;
  }

  /** Notes the first error, at this index of `bytes`. */
  #fail(code: FindingCode, at: number, field: number): false {
    if (this.error !== undefined) return false;
    this.error = code;
    this.errorOffset = at - this.#origin;
    this.errorField = field;
    return false;
  }
}

function word32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}
