/**
 * A second reader of the three dialects, written from docs/guides/integrate.md and the field list of ISO 8583:1987, and sharing nothing
 * with src/iso8583: it turns what it reads into text and looks at that, which is slow and hard to get wrong.
 */

/** Field, content and longest value of everything that a dialect has. */
const layout = `
  2 n..19    3 n6       4 n12      5 n12      6 n12      7 n10      8 n8       9 n8       10 n8      11 n6
  12 n6      13 n4      14 n4      15 n4      16 n4      17 n4      18 n4      19 n3      20 n3      21 n3
  22 n3      23 n3      24 n3      25 n2      26 n2      27 n1      28 x8      29 x8      30 x8      31 x8
  32 n..11   33 n..11   34 a..28   35 z..37   36 a...104 37 a12     38 a6      39 a2      40 a3      41 a8
  42 a15     43 a40     44 a..25   45 a..76   46 a...999 47 a...999 48 a...999 49 a3      50 a3      51 a3
  52 b8      53 n16     54 a...120 55 b...255 56 a...999 57 a...999 58 a...999 59 a...999 60 a...999 61 a...999
  62 a...999 63 a...999 64 b8      66 n1      67 n2      68 n3      69 n3      70 n3      71 n4      72 n4
  73 n6      74 n10     75 n10     76 n10     77 n10     78 n10     79 n10     80 n10     81 n10     82 n12
  83 n12     84 n12     85 n12     86 n16     87 n16     88 n16     89 n16     90 n42     91 a1      92 a2
  93 a5      94 a7      95 a42     96 b8      97 x16     98 a25     99 n..11   100 n..11  101 a..17  102 a..28
  103 a..28  104 a...100 105 a...999 106 a...999 107 a...999 108 a...999 109 a...999 110 a...999 111 a...999
  112 a...999 113 a...999 114 a...999 115 a...999 116 a...999 117 a...999 118 a...999 119 a...999 120 a...999
  121 a...999 122 a...999 123 a...999 124 a...999 125 a...999 126 a...999 127 a...999 128 b8`;

interface Layout {
  readonly content: string;
  readonly dots: number;
  readonly max: number;
}

const fields = new Map<number, Layout>();
for (const [, field, content, dots, max] of layout.matchAll(/(\d+) ([nxzab])(\.*)(\d+)/g))
  fields.set(Number(field), { content: content!, dots: dots!.length, max: Number(max) });

export interface NaiveMessage {
  /** Four digits; undefined when unreadable. */
  mti: string | undefined;
  /** Well-formed fields: where their values lie, and what they say, one character per unit. */
  readonly values: Map<number, { readonly start: number; readonly end: number; readonly text: string }>;
  /** The first thing that is wrong. */
  error: { readonly field: number; readonly offset: number } | undefined;
}

export type NaiveDialect = 'iso87-bcd' | 'iso87-ascii' | 'iso87-ascii-bin';

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const charsOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

export function naiveDecode(dialect: NaiveDialect, bytes: Uint8Array): NaiveMessage {
  const packed = dialect === 'iso87-bcd';
  const message: NaiveMessage = { mti: undefined, values: new Map(), error: undefined };
  const wrong = (field: number, offset: number): void => {
    message.error ??= { field, offset };
  };

  const mtiBytes = packed ? 2 : 4;
  if (bytes.length < mtiBytes) {
    wrong(0, bytes.length);
    return message;
  }
  const mti = packed ? hexOf(bytes.subarray(0, 2)) : charsOf(bytes.subarray(0, 4));
  if (!/^[0-9]{4}$/.test(mti)) {
    wrong(0, 0);
    return message;
  }
  message.mti = mti;

  let at = mtiBytes;
  const bitmap = (): string | undefined => {
    const wide = dialect === 'iso87-ascii' ? 16 : 8;
    if (at + wide > bytes.length) {
      wrong(1, bytes.length);
      return undefined;
    }
    const piece = bytes.subarray(at, at + wide);
    const hex = wide === 16 ? charsOf(piece) : hexOf(piece);
    const bad = hex.search(/[^0-9A-Fa-f]/);
    if (bad >= 0) {
      wrong(1, at + bad);
      return undefined;
    }
    at += wide;
    return Array.from(hex, (digit) => Number.parseInt(digit, 16).toString(2).padStart(4, '0')).join('');
  };
  let bits = bitmap();
  if (bits?.startsWith('1')) {
    const second = bitmap();
    bits = second === undefined ? undefined : bits + second;
  }
  if (bits === undefined) return message;

  let last = 1;
  for (let field = 2; field <= bits.length; field++) {
    if (bits[field - 1] !== '1') continue;
    last = field;
    const { content, dots, max } = fields.get(field) ?? { content: '', dots: 0, max: 0 };
    if (content === '') {
      wrong(field, at);
      return message;
    }
    let units = max;
    if (dots > 0) {
      const wide = packed ? (dots === 2 ? 1 : 2) : dots;
      if (at + wide > bytes.length) {
        wrong(field, bytes.length);
        return message;
      }
      const piece = bytes.subarray(at, at + wide);
      const digits = packed ? hexOf(piece) : charsOf(piece);
      if (!/^[0-9]+$/.test(digits) || Number(digits) > max) {
        wrong(field, at);
        return message;
      }
      units = Number(digits);
      at += wide;
    }
    const size = bytesOf(content, units, packed, dots > 0);
    if (at + size > bytes.length) {
      wrong(field, bytes.length);
      return message;
    }
    const read = readValue(content, bytes.subarray(at, at + size), units, packed, dots > 0);
    if (typeof read === 'string') message.values.set(field, { start: at, end: at + size, text: read });
    else wrong(field, at + read);
    at += size;
  }
  if (at < bytes.length) wrong(last, at);
  return message;
}

/** Bytes of a value of so many digits, characters or bytes. */
function bytesOf(content: string, units: number, packed: boolean, variable: boolean): number {
  if (content === 'x') return packed ? 1 + units / 2 : 1 + units;
  if (packed && (content === 'n' || content === 'z')) return Math.ceil(units / 2);
  if (content === 'b' && !packed && !variable) return 2 * units;
  return units;
}

/** What the value says, or the offset of its first byte that is wrong. */
function readValue(
  content: string,
  bytes: Uint8Array,
  units: number,
  packed: boolean,
  variable: boolean,
): string | number {
  switch (content) {
    case 'n': {
      if (!packed) return matched(charsOf(bytes), /[^0-9]/, 1);
      let hex = hexOf(bytes);
      if (units % 2 === 1) {
        if (variable) {
          // A filling of any other kind is made a letter, so that it is found in its place among the digits.
          const good = hex.endsWith('0') || hex.endsWith('f');
          hex = hex.slice(0, -1) + (good ? '' : 'x');
        } else if (hex.startsWith('0')) {
          const bad = hex.search(/[^0-9]/);
          return bad < 0 ? hex.slice(1) : bad >> 1;
        } else return 0;
      }
      return matched(hex, /[^0-9]/, 2);
    }
    case 'z': {
      let text = packed ? hexOf(bytes) : charsOf(bytes);
      if (packed && units % 2 === 1) {
        const good = text.endsWith('0') || text.endsWith('f');
        text = text.slice(0, -1) + (good ? '' : 'x');
      }
      const bad = wrongInTrack(text, packed ? 'd' : '=D');
      return bad < 0 ? text.replace(/[dD]/, '=') : packed ? bad >> 1 : bad;
    }
    case 'x': {
      const sign = charsOf(bytes.subarray(0, 1));
      if (sign !== 'C' && sign !== 'D') return 0;
      const rest = packed ? hexOf(bytes.subarray(1)) : charsOf(bytes.subarray(1));
      const digits = matched(rest, /[^0-9]/, packed ? 2 : 1);
      return typeof digits === 'string' ? sign + digits : 1 + digits;
    }
    case 'b': {
      if (packed || variable) return charsOf(bytes);
      const hex = charsOf(bytes);
      const bad = hex.search(/[^0-9A-Fa-f]/);
      return bad < 0 ? Buffer.from(hex, 'hex').toString('latin1') : bad;
    }
    default:
      return charsOf(bytes);
  }
}

/** The text, or the place of its first character that is wrong, in bytes of so many characters. */
function matched(text: string, wrong: RegExp, perByte: number): string | number {
  const bad = text.search(wrong);
  return bad < 0 ? text : Math.floor(bad / perByte);
}

/** Place of what is neither a digit nor the one separator, which does not come first; -1 when all is well. */
function wrongInTrack(text: string, separators: string): number {
  let seen = false;
  for (let i = 0; i < text.length; i++) {
    if (/[0-9]/.test(text[i]!)) continue;
    if (seen || i === 0 || !separators.includes(text[i]!)) return i;
    seen = true;
  }
  return -1;
}
