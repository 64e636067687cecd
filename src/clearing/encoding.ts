/**
 * Character encodings of clearing files. A file's texts, digits and length prefixes are Latin-1 (called ASCII by everybody) or
 * EBCDIC in code page 500 or 037; bitmaps and chip data are bytes in all of them. Inside the program a character is its Latin-1
 * code, so an encoding is a permutation of the 256 codes: a table of 256 bytes.
 *
 * The two code pages agree on letters, digits, blank and backslash and differ in seven characters of ASCII's neighbourhood
 * (`! [ ] ^ |`, the cent and the not sign), so a file does not tell which one it is in: that is a setting.
 */

export const encodingNames = ['ascii', 'cp500', 'cp037'] as const;
export type EncodingName = (typeof encodingNames)[number];

/** Latin-1 code of each EBCDIC code, 32 per row. */
const pages: Readonly<Record<Exclude<EncodingName, 'ascii'>, string>> = {
  cp500:
    '000102039c09867f978d8e0b0c0d0e0f101112139d8508871819928f1c1d1e1f' +
    '80818283840a171b88898a8b8c050607909116939495960498999a9b14159e1a' +
    '20a0e2e4e0e1e3e5e7f15b2e3c282b2126e9eaebe8edeeefecdf5d242a293b5e' +
    '2d2fc2c4c0c1c3c5c7d1a62c255f3e3ff8c9cacbc8cdcecfcc603a2340273d22' +
    'd8616263646566676869abbbf0fdfeb1b06a6b6c6d6e6f707172aabae6b8c6a4' +
    'b57e737475767778797aa1bfd0dddeaea2a3a5b7a9a7b6bcbdbeac7cafa8b4d7' +
    '7b414243444546474849adf4f6f2f3f57d4a4b4c4d4e4f505152b9fbfcf9faff' +
    '5cf7535455565758595ab2d4d6d2d3d530313233343536373839b3dbdcd9da9f',
  cp037:
    '000102039c09867f978d8e0b0c0d0e0f101112139d8508871819928f1c1d1e1f' +
    '80818283840a171b88898a8b8c050607909116939495960498999a9b14159e1a' +
    '20a0e2e4e0e1e3e5e7f1a22e3c282b7c26e9eaebe8edeeefecdf21242a293bac' +
    '2d2fc2c4c0c1c3c5c7d1a62c255f3e3ff8c9cacbc8cdcecfcc603a2340273d22' +
    'd8616263646566676869abbbf0fdfeb1b06a6b6c6d6e6f707172aabae6b8c6a4' +
    'b57e737475767778797aa1bfd0dddeae5ea3a5b7a9a7b6bcbdbe5b5dafa8b4d7' +
    '7b414243444546474849adf4f6f2f3f57d4a4b4c4d4e4f505152b9fbfcf9faff' +
    '5cf7535455565758595ab2d4d6d2d3d530313233343536373839b3dbdcd9da9f',
};

/** An encoding with its tables. */
export class Encoding {
  readonly name: EncodingName;
  /** Latin-1 code of each code of the file. */
  readonly toLatin1: Uint8Array;
  /** Code in the file of each Latin-1 code. */
  readonly fromLatin1: Uint8Array;
  /** Code in the file of the digit 0; the other digits follow it. */
  readonly zero: number;

  constructor(name: EncodingName) {
    this.name = name;
    this.toLatin1 = name === 'ascii' ? Uint8Array.from({ length: 256 }, (_, i) => i) : Buffer.from(pages[name], 'hex');
    this.fromLatin1 = new Uint8Array(256);
    for (const [code, latin1] of this.toLatin1.entries()) this.fromLatin1[latin1] = code;
    this.zero = this.fromLatin1[0x30]!;
  }

  /** Code in the file of the first character of `char`. */
  code(char: string): number {
    return this.fromLatin1[char.charCodeAt(0)]!;
  }

  /** `count` digits from `at` as an integer; -1 when one is no digit, there is none, or it is no safe integer. */
  digits(bytes: Uint8Array, at: number, count: number): number {
    if (count < 1) return -1;
    const zero = this.zero;
    let value = 0;
    for (let i = at; i < at + count; i++) {
      const digit = bytes[i]! - zero;
      if ((digit & 0xff) > 9) return -1;
      value = value * 10 + digit;
    }
    return value <= Number.MAX_SAFE_INTEGER ? value : -1;
  }

  /** The characters of `bytes[start, end)`. */
  text(bytes: Uint8Array, start: number, end: number): string {
    if (end <= start) return '';
    if (end - start > SCRATCH_BYTES)
      return this.text(bytes, start, start + SCRATCH_BYTES) + this.text(bytes, start + SCRATCH_BYTES, end);
    const table = this.toLatin1;
    for (let i = start; i < end; i++) scratch[i - start] = table[bytes[i]!]!;
    return scratch.toString('latin1', 0, end - start);
  }

  /** The same without the filling spaces behind it. */
  trimmed(bytes: Uint8Array, start: number, end: number): string {
    const space = this.fromLatin1[0x20]!;
    let stop = end;
    while (stop > start && bytes[stop - 1] === space) stop--;
    return this.text(bytes, start, stop);
  }

  /**
   * Writes the characters of `text` to `target` from `at`; they must fit. Returns how many there are.
   * @throws RangeError for a character that is not in Latin-1
   */
  put(text: string, target: Uint8Array, at: number): number {
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0xff) throw new RangeError(`character ${i} of a text cannot be written in ${this.name}`);
      target[at + i] = this.fromLatin1[code]!;
    }
    return text.length;
  }
}

/** Longest text of one field: three digits of length. */
const SCRATCH_BYTES = 1000;
const scratch = Buffer.alloc(SCRATCH_BYTES);

const encodings: Readonly<Record<EncodingName, Encoding>> = {
  ascii: new Encoding('ascii'),
  cp500: new Encoding('cp500'),
  cp037: new Encoding('cp037'),
};

/** The encoding of this name. */
export function encoding(name: EncodingName): Encoding {
  return encodings[name];
}
