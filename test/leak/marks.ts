/**
 * Marks: secrets that a message carries and that can be told from anything else, and the search for them in whatever encoding. The
 * n-th message has marks of its own; all marks of a kind begin alike (the stem), so one search finds every one of them.
 */
import { Encoding } from '#src/clearing/encoding.js';
import { luhnCheckDigit } from '#src/vault/pan.js';

const cp500 = new Encoding('cp500');
/** Letters and digits are the same in all code pages. */
const ebcdic = (text: string): Buffer => Buffer.from(Array.from(text, (char) => cp500.code(char)));
const number = (n: number): string => String(n).padStart(4, '0');

const stems = {
  /** DE2, DE35, DE45: the first eleven of sixteen digits; what may be shown of a number are the first six and the last four. */
  pan: '99999971727',
  /** DE35: the issuer's own digits. */
  stripe: '73849516274',
  /** DE45: the name. */
  name: 'LEAKTRACKONE',
  /** DE48 tag 92; longer than a CVV2 is, which could not be told from other digits. */
  cvv2: '61524334251',
} as const;
const blocks = { pinBlock: 'C0FFEE52D1', cryptogram: 'AC55E1D2B3', linkKey: 'B10CCA5E77' } as const;

export interface Marks {
  readonly pan: string;
  readonly track2: string;
  readonly track1: string;
  readonly cvv2: string;
  /** 8 bytes in hexadecimal digits, as the following. */
  readonly pinBlock: string;
  readonly cryptogram: string;
  /** A key that comes in DE110, enciphered; 16 bytes. */
  readonly linkKey: string;
}

/** @param n 0 to 9 999 */
export function marksOf(n: number): Marks {
  const body = stems.pan + number(n);
  const pan = `${body}${luhnCheckDigit(body)}`;
  const tail = n.toString(16).toUpperCase().padStart(6, '0');
  return {
    pan,
    track2: `${pan}=3012101${stems.stripe}${String(n % 100).padStart(2, '0')}`,
    track1: `B${pan}^${stems.name}${number(n)}^3012101${stems.stripe}`,
    cvv2: stems.cvv2 + number(n),
    pinBlock: blocks.pinBlock + tail,
    cryptogram: blocks.cryptogram + tail,
    linkKey: `${blocks.linkKey}${tail}1D2C3B4A59687786`,
  };
}

/** One encoding of the stem of one kind: `bytes` is the same for every mark of the kind. */
export interface Form {
  readonly kind: string;
  readonly encoding: string;
  readonly bytes: Buffer;
}

/** What does not depend on the bytes before and behind, when these bytes are a part of what is encoded in base64. */
function base64Of(bytes: Buffer): [string, Buffer][] {
  return [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    const first = Math.ceil((offset * 8) / 6);
    const behind = Math.floor(((offset + bytes.length) * 8) / 6);
    return [`base64 at ${offset}`, Buffer.from(text.slice(first, behind))];
  });
}

function nested(encoding: string, bytes: Buffer): [string, Buffer][] {
  const hex = bytes.toString('hex');
  return [
    [encoding, bytes],
    [`hex of ${encoding}`, Buffer.from(hex)],
    [`upper-case hex of ${encoding}`, Buffer.from(hex.toUpperCase())],
    [`list of ${encoding}`, Buffer.from(bytes.join(','))],
    ...base64Of(bytes).map(([name, text]): [string, Buffer] => [`${name} of ${encoding}`, text]),
  ];
}

function textForms(kind: string, text: string): Form[] {
  const ascii = Buffer.from(text, 'latin1');
  const encodings: [string, Buffer][] = [
    ...nested('ASCII', ascii),
    ...nested('EBCDIC', ebcdic(text)),
    ['UTF-16', Buffer.from(text, 'utf16le')],
  ];
  if (/^\d+$/.test(text)) {
    encodings.push(...nested('BCD', Buffer.from(text.slice(0, text.length & ~1), 'hex')));
    // One nibble further: whole bytes only, without the first digit.
    encodings.push(...nested('BCD, shifted', Buffer.from(text.slice(1, 1 + ((text.length - 1) & ~1)), 'hex')));
  }
  return encodings.map(([encoding, bytes]) => ({ kind, encoding, bytes }));
}

function blockForms(kind: string, hex: string): Form[] {
  const upper = Buffer.from(hex);
  return [
    ...nested('raw', Buffer.from(hex, 'hex')),
    ['UTF-16 of hex', Buffer.from(hex, 'utf16le')] as const,
    ['EBCDIC of hex', ebcdic(hex)] as const,
    ...nested('hex text', upper).slice(3),
  ].map(([encoding, bytes]) => ({ kind, encoding, bytes }));
}

/** Every form there is to look for; of one kind each bytes once. */
export const forms: readonly Form[] = [
  ...Object.entries(stems).flatMap(([kind, text]) => textForms(kind, text)),
  ...Object.entries(blocks).flatMap(([kind, hex]) => blockForms(kind, hex)),
].filter(
  ({ kind, bytes }, index, all) => all.findIndex((other) => other.kind === kind && other.bytes.equals(bytes)) === index,
);

/** Without keys in use: they are in memory as long as they are. */
export const memoryForms: readonly Form[] = forms.filter(({ kind }) => kind !== 'linkKey');

/** Bytes that the longest form has: pieces of something long overlap by as much. */
export const FORM_BYTES_MAX = Math.max(...forms.map(({ bytes }) => bytes.length));

export interface Hit {
  readonly where: string;
  readonly kind: string;
  readonly encoding: string;
  readonly at: number;
  /** What lies around it, for people. */
  readonly around: string;
}

const HITS_MAX = 20;

/** What of the forms is in the bytes: of each form the first places. */
export function search(where: string, bytes: Buffer, wanted: readonly Form[] = forms): Hit[] {
  const hits: Hit[] = [];
  for (const { kind, encoding, bytes: form } of wanted) {
    for (
      let at = bytes.indexOf(form), found = 0;
      at >= 0 && found < HITS_MAX;
      at = bytes.indexOf(form, at + 1), found++
    ) {
      const around = bytes
        .subarray(Math.max(0, at - 48), at + 80)
        .toString('latin1')
        .replace(/[^ -~]/g, '.');
      hits.push({ where, kind, encoding, at, around });
    }
  }
  return hits;
}
