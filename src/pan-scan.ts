/**
 * Looks for card numbers in bytes of any origin: what must not be there (PCI DSS 12.10.7). As text in ASCII, EBCDIC and UTF-16, with
 * single blanks or hyphens between groups; as packed digits (BCD) only where the issuer's own prefixes are given, because every
 * random file has packed runs that satisfy the Luhn check.
 *
 * A number is 13 to 19 digits that stand alone, have a right check digit and begin as a network's numbers do (ISO/IEC 7812, ranges
 * as the networks publish them) or as one of `bins`. The issuer's own are found inside longer runs of digits as well.
 */
import { PAN_LENGTH_MAX, PAN_LENGTH_MIN } from './pan-mask.js';
import { isPan } from './vault/pan.js';

export const panEncodings = ['ascii', 'ebcdic', 'utf16', 'bcd'] as const;
export type PanEncoding = (typeof panEncodings)[number];

export interface PanFinding {
  /** Byte of the first digit, from 0. */
  readonly offset: number;
  readonly encoding: PanEncoding;
  /** The digits, in clear: to be masked by whoever shows them. */
  readonly pan: string;
}

export interface PanScanOptions {
  /** Prefixes of the issuer's own numbers, 4 digits at least. */
  readonly bins?: readonly string[];
  /** Prefixes of numbers that are nobody's: test ranges. */
  readonly allowed?: readonly string[];
}

/** Bytes that a number with its separators can cover at most: so much of a piece is looked at again with the next one. */
export const PAN_SCAN_OVERLAP = 160;

/** First digits (from, to) of the networks' numbers and their lengths. */
const ranges: readonly (readonly [string, string, readonly number[]])[] = [
  ['2200', '2204', [16, 17, 18, 19]],
  ['2221', '2720', [16]],
  ['300', '305', [14, 16, 17, 18, 19]],
  ['34', '34', [15]],
  ['3528', '3589', [16, 17, 18, 19]],
  ['36', '36', [14, 15, 16, 17, 18, 19]],
  ['37', '37', [15]],
  ['38', '39', [14, 15, 16, 17, 18, 19]],
  ['4', '4', [13, 16, 19]],
  ['50', '50', [13, 14, 15, 16, 17, 18, 19]],
  ['51', '55', [16]],
  ['56', '58', [13, 14, 15, 16, 17, 18, 19]],
  ['6', '6', [13, 14, 15, 16, 17, 18, 19]],
  ['81', '81', [16, 17, 18, 19]],
  ['9792', '9792', [16]],
];

const DIGIT_MAX = 9;
const SEPARATOR = 10;
const POINT = 11;
const OTHER = 12;
/** Lengths of the groups in which cards show their numbers. */
const GROUPINGS = /^(?:4,4,4,[1-7]|4,6,[45])$/;

/** What each byte is: a digit's value, a separator, or something else. */
function tableOf(zero: number, separators: readonly number[], point: number): Uint8Array {
  const table = new Uint8Array(256).fill(OTHER);
  for (let digit = 0; digit <= DIGIT_MAX; digit++) table[zero + digit] = digit;
  for (const byte of separators) table[byte] = SEPARATOR;
  table[point] = POINT;
  return table;
}

const tables = { ascii: tableOf(0x30, [0x20, 0x2d], 0x2e), ebcdic: tableOf(0xf0, [0x40, 0x60], 0x4b) };

/** Digits behind each other with at most one separator between two, and where each lies. */
class Run {
  readonly digits: number[] = [];
  readonly offsets: number[] = [];
  /** True where a group begins: the first digit, or one behind a separator. */
  readonly begins: boolean[] = [];
  /** The run is behind a decimal point: a fraction. */
  isFraction = false;
  #separated = false;
  #broken = true;

  /** Takes what a byte is; true when the run has ended. */
  take(value: number, offset: number): boolean {
    if (value <= DIGIT_MAX) {
      this.begins.push(this.#broken || this.#separated);
      this.digits.push(value);
      this.offsets.push(offset);
      this.#separated = false;
      this.#broken = false;
      return false;
    }
    if (value === SEPARATOR && !this.#broken && !this.#separated) {
      this.#separated = true;
      return false;
    }
    if (this.digits.length > 0) return true;
    this.isFraction = false;
    return false;
  }

  /** True for one group, or several as cards show them. */
  isGrouped(start: number, end: number): boolean {
    const lengths: number[] = [];
    for (let i = start; i < end; i++) {
      if (this.begins[i]! || i === start) lengths.push(0);
      lengths[lengths.length - 1]!++;
    }
    return lengths.length === 1 || GROUPINGS.test(lengths.join());
  }

  /** Begins anew behind what ended the run. */
  clear(value: number): void {
    this.isFraction = value === POINT && !this.#separated;
    this.digits.length = 0;
    this.offsets.length = 0;
    this.begins.length = 0;
    this.#separated = false;
    this.#broken = true;
  }
}

/** Card numbers in `bytes`, in the order of their offsets; each once, in the first encoding that shows it. */
export function findPans(bytes: Uint8Array, options: PanScanOptions = {}): PanFinding[] {
  const found = new Map<string, PanFinding>();
  const note = (encoding: PanEncoding) => (run: Run) => {
    for (const one of pansOf(run, encoding, options)) {
      const key = `${one.offset} ${one.pan}`;
      if (!found.has(key)) found.set(key, one);
    }
  };
  for (const encoding of ['ascii', 'ebcdic'] as const) {
    const table = tables[encoding];
    scan(
      bytes.length,
      (i) => table[bytes[i]!]!,
      (i) => i,
      note(encoding),
    );
  }
  for (const at of [0, 1]) {
    const unit = (i: number): number => (bytes[at + 2 * i + 1] === 0 ? tables.ascii[bytes[at + 2 * i]!]! : OTHER);
    scan((bytes.length - at) >> 1, unit, (i) => at + 2 * i, note('utf16'));
  }
  if ((options.bins ?? []).length > 0) {
    const nibble = (i: number): number => {
      const value = (i & 1) === 0 ? bytes[i >> 1]! >> 4 : bytes[i >> 1]! & 0xf;
      return value <= DIGIT_MAX ? value : OTHER;
    };
    scan(bytes.length * 2, nibble, (i) => i >> 1, note('bcd'));
  }
  return [...found.values()].sort((a, b) => a.offset - b.offset || a.pan.length - b.pan.length);
}

function scan(
  count: number,
  valueAt: (i: number) => number,
  offsetOf: (i: number) => number,
  ended: (run: Run) => void,
) {
  const run = new Run();
  for (let i = 0; i < count; i++) {
    if (!run.take(valueAt(i), offsetOf(i))) continue;
    if (run.digits.length >= PAN_LENGTH_MIN) ended(run);
    run.clear(valueAt(i));
  }
  if (run.digits.length >= PAN_LENGTH_MIN) ended(run);
}

function* pansOf(run: Run, encoding: PanEncoding, { bins = [], allowed = [] }: PanScanOptions): Generator<PanFinding> {
  const { digits, begins, offsets } = run;
  const own = bins.map((prefix) => Array.from(prefix, Number));
  for (let start = 0; start + PAN_LENGTH_MIN <= digits.length; start++) {
    // Asked first: packed zeros are a run of a million digits, each of which could begin a number otherwise.
    const isOwn = own.some((prefix) => prefix.every((digit, i) => digits[start + i] === digit));
    const isFirst = encoding !== 'bcd' && !run.isFraction && begins[start]!;
    if (!isOwn && !isFirst) continue;
    for (let length = PAN_LENGTH_MIN; length <= PAN_LENGTH_MAX && start + length <= digits.length; length++) {
      const end = start + length;
      const standsAlone = isFirst && (end === digits.length || begins[end]!) && run.isGrouped(start, end);
      if (!isOwn && !standsAlone) continue;
      const pan = digits.slice(start, end).join('');
      if (!isPan(pan) || allowed.some((prefix) => pan.startsWith(prefix)) || (!isOwn && !isOfNetwork(pan))) continue;
      yield { offset: offsets[start]!, encoding, pan };
      // Inside longer digits nobody knows where the number ends: one finding tells the place.
      if (!standsAlone) break;
    }
  }
}

function isOfNetwork(pan: string): boolean {
  // 0000..., 4444...: fillings and examples, no numbers.
  if (/^(\d)\1*$/.test(pan)) return false;
  return ranges.some(([from, to, lengths]) => {
    const first = pan.slice(0, from.length);
    return first >= from && first <= to && lengths.includes(pan.length);
  });
}
