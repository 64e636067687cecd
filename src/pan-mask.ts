/**
 * The one way to show a card number, and the one detector of card numbers in text that is kept or shown: the log, masked
 * descriptions, the output of commands, and the texts of a message before they are stored. What it finds and what it does
 * not: docs/decisions/0014-card-numbers-in-texts.md.
 *
 * There is one truncation format in the whole program, first 6 and last 4: two formats side by side would give the number
 * away. A text keeps its length and its separators.
 */

/** Shortest and longest PAN (ISO/IEC 7812). */
export const PAN_LENGTH_MIN = 13;
export const PAN_LENGTH_MAX = 19;

/** Digits of the message's own number in a row that count as the number: as many as fill DE37. */
const OWN_RUN_MIN = 12;
const FIRST_SHOWN = 6;
const LAST_SHOWN = 4;
const ZERO = 0x30;
const STAR = 0x2a;

/** First 6 and last 4 digits of 13 to 19 digits; anything else is hidden entirely. */
export function maskPan(pan: string): string {
  if (!/^\d{13,19}$/.test(pan)) return '*'.repeat(pan.length);
  return pan.slice(0, FIRST_SHOWN) + '*'.repeat(pan.length - FIRST_SHOWN - LAST_SHOWN) + pan.slice(-LAST_SHOWN);
}

const GROUPED = /(?<!\d)\d{4}([ +._-])(?:\d{4}\1\d{4}\1\d{1,7}|\d{6}\1\d{5})(?!\d)/g;

/**
 * Hides every run of 13 to 19 digits in a text (for messages of errors that may quote input), with or without a right check
 * digit, also in the groups in which cards show them; longer runs vanish whole.
 */
export function maskDigits(text: string): string {
  return text.replace(/\d{13,}/g, maskPan).replace(GROUPED, maskGroups);
}

/** Masks the digits of a number in groups. */
function maskGroups(groups: string): string {
  const masked = maskPan(groups.replace(/\D/g, ''));
  let place = 0;
  return groups.replace(/\d/g, () => masked[place++]!);
}

/** Masks every card number in a text: 13 to 19 digits that satisfy the Luhn check, single blanks or hyphens between them. */
export function maskPans(text: string): string {
  if (!/\d(?:[ -]?\d){12}/.test(text)) return text;
  const bytes = Buffer.from(text);
  const masked = Buffer.from(bytes);
  return maskRuns(bytes, 0, bytes.length, masked, 0) ? masked.toString() : text;
}

/** A public id (vault/public-ids.ts): 26 characters that may well hold a long run of digits. */
const PUBLIC_ID = /^[a-z]{3,5}_[0-9a-z]{26}$/;

/** What `maskJson` does with a number unless told otherwise: it is a count, a time or an amount and stays. */
const keep = (value: number): unknown => value;

/**
 * A JSON value with every string, names included, masked by `maskPans`; public ids stay. To be used before `JSON.stringify`,
 * so that what is printed is JSON whatever was masked.
 */
export function maskJson(value: unknown, ofNumber: (value: number) => unknown = keep): unknown {
  if (typeof value === 'string') return PUBLIC_ID.test(value) ? value : maskPans(value);
  if (typeof value === 'number') return ofNumber(value);
  if (Array.isArray(value)) return value.map((inner) => maskJson(inner, ofNumber));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [maskPans(key), maskJson(inner, ofNumber)]));
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= ZERO && byte <= ZERO + 9;

/** Where the next digit of a run is, behind the digit at `at`: next to it, or behind one blank or hyphen; -1 at its end. */
function nextDigit(bytes: Uint8Array, at: number, end: number): number {
  if (at + 1 < end && isDigit(bytes[at + 1])) return at + 1;
  const separator = bytes[at + 1];
  if (at + 2 < end && (separator === 0x20 || separator === 0x2d) && isDigit(bytes[at + 2])) return at + 2;
  return -1;
}

/**
 * Masks the card numbers of `bytes[at, end)` in `target`, where the text begins at `to`; true when there were any. A number
 * is any sequence of whole groups: of `12 9999 9900 0000 0014` the last four are looked at as well as all five. Where two
 * candidates overlap, what either hides is hidden.
 */
function maskRuns(bytes: Uint8Array, at: number, end: number, target: Uint8Array, to: number): boolean {
  let found = false;
  for (let start = at; start < end; start++) {
    if (!isDigit(bytes[start]) || (start > at && isDigit(bytes[start - 1]))) continue;
    // Luhn from the left: sums with every second digit doubled, beginning with the first and with the second.
    let firstDoubled = 0;
    let secondDoubled = 0;
    let count = 0;
    for (let digit = start; digit >= 0 && count < PAN_LENGTH_MAX; digit = nextDigit(bytes, digit, end)) {
      const value = bytes[digit]! - ZERO;
      const doubled = value > 4 ? 2 * value - 9 : 2 * value;
      firstDoubled += count % 2 === 0 ? doubled : value;
      secondDoubled += count % 2 === 0 ? value : doubled;
      count++;
      if (count < PAN_LENGTH_MIN || (digit + 1 < end && isDigit(bytes[digit + 1]))) continue;
      if ((count % 2 === 0 ? firstDoubled : secondDoubled) % 10 !== 0) continue;
      found = true;
      hide(bytes, start, end, target, to + start - at, count);
    }
  }
  return found;
}

/** Hides the middle of the `count` digits from `start`. */
function hide(bytes: Uint8Array, start: number, end: number, target: Uint8Array, to: number, count: number): void {
  let digit = start;
  for (let i = 0; i < count; i++) {
    if (i >= FIRST_SHOWN && i < count - LAST_SHOWN) target[to + digit - start] = STAR;
    digit = nextDigit(bytes, digit, end);
  }
}

/**
 * Masks texts of one message in place: its own card number, and on demand every other one. Reused for every message;
 * nothing is allocated.
 */
export class TextMask {
  /** The digits of the message's own number, for whoever has them side by side and calls `took` then. */
  readonly own = new Uint8Array(PAN_LENGTH_MAX);
  #panLength = 0;
  readonly #copy: Uint8Array;

  /** @param textMax bytes of the longest text */
  constructor(textMax: number) {
    this.#copy = new Uint8Array(textMax);
  }

  /** Forgets the number of the last message: nothing of it stays in memory. */
  clear(): void {
    for (let i = 0; i < this.#panLength; i++) this.own[i] = 0;
    this.#panLength = 0;
  }

  /**
   * The message's own number is the `length` ASCII digits that were written to `own`, up to the first that is none.
   * @param length at most PAN_LENGTH_MAX
   */
  took(length: number): void {
    this.#panLength = 0;
    while (this.#panLength < length && isDigit(this.own[this.#panLength])) this.#panLength++;
    for (let i = this.#panLength; i < length; i++) this.own[i] = 0;
  }

  /** Adds the next digit of the message's own number, as ASCII; false when it is no digit or one too many. */
  addDigit(code: number): boolean {
    if (!isDigit(code) || this.#panLength === PAN_LENGTH_MAX) return false;
    this.own[this.#panLength++] = code;
    return true;
  }

  /**
   * Masks the message's own number, or 12 and more of its digits in a row, in `bytes[at, at + length)`: each digit is hidden
   * or shown by its place in the number. `free`: also every other card number.
   * @throws RangeError when the text is longer than `textMax`
   */
  mask(bytes: Uint8Array, at: number, length: number, free: boolean): void {
    if (!hasRun(bytes, at, at + length)) return;
    const copy = this.#copy;
    if (length > copy.length) throw new RangeError(`a text of ${length} bytes, at most ${copy.length} are masked`);
    for (let i = 0; i < length; i++) copy[i] = bytes[at + i]!;
    if (free) maskRuns(copy, 0, length, bytes, at);
    if (this.#panLength >= OWN_RUN_MIN) this.#maskOwnRuns(length, bytes, at);
    // So short a text is cleared sooner by a loop than by a call.
    for (let i = 0; i < length; i++) copy[i] = 0;
  }

  #maskOwnRuns(length: number, bytes: Uint8Array, at: number): void {
    const copy = this.#copy;
    for (let start = 0; start + OWN_RUN_MIN <= length; start++) {
      if (!isDigit(copy[start])) continue;
      for (let from = 0; from + OWN_RUN_MIN <= this.#panLength; from++) this.#maskOwn(start, length, from, bytes, at);
    }
  }

  /** Masks what begins at `start` of the copy and equals the own number from digit `from`, when it is long enough. */
  #maskOwn(start: number, length: number, from: number, target: Uint8Array, at: number): void {
    const copy = this.#copy;
    let count = 0;
    for (
      let digit = start;
      digit >= 0 && from + count < this.#panLength && copy[digit] === this.own[from + count];
      digit = nextDigit(copy, digit, length)
    )
      count++;
    if (count < OWN_RUN_MIN) return;
    const short = this.#panLength < PAN_LENGTH_MIN;
    let digit = start;
    for (let place = from; place < from + count; place++) {
      if (short || (place >= FIRST_SHOWN && place < this.#panLength - LAST_SHOWN)) target[at + digit] = STAR;
      digit = nextDigit(copy, digit, length);
    }
  }
}

/**
 * True when the text has as many digits behind each other, with blanks and hyphens between them, as make it worth a closer look. The
 * last of the places that such a run would take is looked at first: a letter there rules out all places up to it.
 */
function hasRun(bytes: Uint8Array, at: number, end: number): boolean {
  for (let start = at; start + OWN_RUN_MIN <= end; ) {
    let place = start + OWN_RUN_MIN - 1;
    while (place >= start && isOfRun(bytes[place]!)) place--;
    if (place < start) return hasDigits(bytes, start, end);
    start = place + 1;
  }
  return false;
}

const isOfRun = (byte: number): boolean => (byte >= ZERO && byte <= ZERO + 9) || byte === 0x20 || byte === 0x2d;

/** The same place by place. */
function hasDigits(bytes: Uint8Array, at: number, end: number): boolean {
  let run = 0;
  for (let i = at; i < end; i++) {
    const byte = bytes[i]!;
    if (byte >= ZERO && byte <= ZERO + 9) {
      if (++run === OWN_RUN_MIN) return true;
    } else if (byte !== 0x20 && byte !== 0x2d) run = 0;
  }
  return false;
}
