/**
 * What lies inside fields: the tags of DE48, the groups of DE54, the parts of DE90 and of DE95. These fields are ASCII in
 * every dialect except DE90, whose digits are reached through the decoder (`digitsAt`).
 *
 *   DE48   tag (2 digits) length (2 digits) value, repeated
 *   DE54   account type 2, amount type 2, currency 3, C or D, amount 12, repeated up to six times
 *   DE90   original MTI 4, STAN 6, transmission date and time 10, acquirer 11, forwarder 11
 *   DE95   transaction amount 12, settlement amount 12, fees 9 + 9
 */

/** Tags of DE48. */
export const PrivateTag = {
  /** N normal, E estimated, F final, I increment (amount is the delta), R replacement (amount is the new total). */
  function: 20,
  /** 3-D Secure level, three digits. */
  threeDSecure: 42,
  /** First character `1`: the terminal supports partial approvals. */
  terminal: 61,
  /** Network transaction id of the original. */
  originalNetworkId: 63,
  holdReference: 80,
  /** Address check request: nine characters of postal code, then up to twenty of address. */
  addressCheck: 82,
  addressResult: 83,
  /** S stand-in approved, D stand-in declined, C completion. */
  adviceReason: 84,
  /** M, N, P or U. */
  cvv2Result: 87,
  /** The CVV2 itself: never stored, logged or shown. */
  cvv2: 92,
} as const;

/** Amount types of DE54 (digits 3 and 4 of a group). */
export const AmountType = { ledger: 1, available: 2, cashBack: 40, original: 57 } as const;

const ZERO = 0x30;
const LETTER_C = 0x43;
const LETTER_D = 0x44;

/** Bytes of one group of DE54. */
export const AMOUNT_GROUP_BYTES = 20;

function digitsAt(buf: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i++) {
    const digit = buf[i]! - ZERO;
    if ((digit & 0xff) > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function putDigits(target: Uint8Array, at: number, count: number, value: number): void {
  let rest = value;
  for (let i = at + count - 1; i >= at; i--) {
    const tens = Math.floor(rest / 10);
    target[i] = ZERO + (rest - tens * 10);
    rest = tens;
  }
  if (rest !== 0) throw new RangeError(`${value} does not fit into ${count} digits`);
}

/**
 * Walks the tags of DE48 in place. Reused: `reset` with the bytes of the field, then `next` until it is false. `broken`
 * afterwards tells that the content does not end with a tag's value, so it is not (or not only) made of tags.
 */
export class TagWalker {
  /** 0 to 99. */
  tag = -1;
  /** Where the value of the tag lies in `bytes`, and how long it is (0 to 99). */
  at = 0;
  length = 0;
  bytes: Uint8Array = new Uint8Array(0);
  broken = false;
  private position = 0;
  private end = 0;

  reset(bytes: Uint8Array, at: number, length: number): void {
    this.bytes = bytes;
    this.position = at;
    this.end = at + length;
    this.tag = -1;
    this.at = at;
    this.length = 0;
    this.broken = false;
  }

  /** Moves to the next tag; false at the end, or where the content is no tag. */
  next(): boolean {
    const at = this.position;
    if (at === this.end || this.broken) return false;
    const tag = this.end - at < 4 ? -1 : digitsAt(this.bytes, at, 2);
    const length = tag < 0 ? -1 : digitsAt(this.bytes, at + 2, 2);
    if (length < 0 || length > this.end - at - 4) {
      this.broken = true;
      return false;
    }
    this.tag = tag;
    this.at = at + 4;
    this.length = length;
    this.position = this.at + length;
    return true;
  }

  /** Moves to the first tag of this number at or behind the current position; false when there is none. */
  find(tag: number): boolean {
    while (this.next()) if (this.tag === tag) return true;
    return false;
  }

  /** The value as an integer; -1 when empty, longer than 15 digits, or not all digits. */
  digits(): number {
    return this.length === 0 || this.length > 15 ? -1 : digitsAt(this.bytes, this.at, this.length);
  }

  /** Character code at `index` of the value; -1 beyond its end. */
  byteAt(index: number): number {
    return index >= 0 && index < this.length ? this.bytes[this.at + index]! : -1;
  }
}

/**
 * Writes one tag of DE48 whose value is `source[from, from + length)` and returns the index behind it. Throws RangeError
 * when the tag or the length is not two digits, or the room is too small.
 */
export function writeTag(
  target: Uint8Array,
  at: number,
  tag: number,
  source: Uint8Array,
  from: number,
  length: number,
): number {
  if (at + 4 + length > target.length) throw new RangeError(`tag ${tag}: no room for ${length} characters`);
  if (from + length > source.length) throw new RangeError(`tag ${tag}: the source has no ${length} characters`);
  putDigits(target, at, 2, tag);
  putDigits(target, at + 2, 2, length);
  for (let i = 0; i < length; i++) target[at + 4 + i] = source[from + i]!;
  return at + 4 + length;
}

/** Writes a tag with a value of one character and returns the index behind it. */
export function writeTagByte(target: Uint8Array, at: number, tag: number, value: number): number {
  if (at + 5 > target.length) throw new RangeError(`tag ${tag}: no room for a character`);
  putDigits(target, at, 2, tag);
  putDigits(target, at + 2, 2, 1);
  target[at + 4] = value;
  return at + 5;
}

/** DE48 from tag numbers and values, in the order given. Cold paths only. */
export function privateData(tags: readonly (readonly [tag: number, value: string])[]): string {
  return tags
    .map(([tag, value]) => {
      if (tag < 0 || tag > 99 || value.length > 99) throw new RangeError(`tag ${tag}: at most 99 characters`);
      return `${String(tag).padStart(2, '0')}${String(value.length).padStart(2, '0')}${value}`;
    })
    .join('');
}

/**
 * Writes one group of DE54 and returns the index behind it. `amount` is in minor units, negative for a debit balance (D);
 * `currency` is ISO 4217 numeric. Throws RangeError when a part does not fit.
 */
export function writeAmountGroup(
  target: Uint8Array,
  at: number,
  accountType: number,
  amountType: number,
  currency: number,
  amount: number,
): number {
  if (at + AMOUNT_GROUP_BYTES > target.length) throw new RangeError('no room for a group of DE54');
  putDigits(target, at, 2, accountType);
  putDigits(target, at + 2, 2, amountType);
  putDigits(target, at + 4, 3, currency);
  target[at + 7] = amount < 0 ? LETTER_D : LETTER_C;
  putDigits(target, at + 8, 12, Math.abs(amount));
  return at + AMOUNT_GROUP_BYTES;
}

/** Walks the groups of DE54 in place; used as TagWalker is. */
export class AmountWalker {
  accountType = -1;
  amountType = -1;
  /** ISO 4217 numeric. */
  currency = -1;
  /** Minor units; negative for D. */
  amount = 0;
  broken = false;
  private bytes: Uint8Array = new Uint8Array(0);
  private position = 0;
  private end = 0;

  reset(bytes: Uint8Array, at: number, length: number): void {
    this.bytes = bytes;
    this.position = at;
    this.end = at + length;
    this.broken = false;
  }

  /** Moves to the next group; false at the end, or where the content is no group. */
  next(): boolean {
    const at = this.position;
    if (at === this.end || this.broken) return false;
    this.broken = true;
    if (this.end - at < AMOUNT_GROUP_BYTES) return false;
    const bytes = this.bytes;
    this.accountType = digitsAt(bytes, at, 2);
    this.amountType = digitsAt(bytes, at + 2, 2);
    this.currency = digitsAt(bytes, at + 4, 3);
    const sign = bytes[at + 7]!;
    const amount = digitsAt(bytes, at + 8, 12);
    if (this.accountType < 0 || this.amountType < 0 || this.currency < 0 || amount < 0) return false;
    if (sign !== LETTER_C && sign !== LETTER_D) return false;
    this.amount = sign === LETTER_D ? 0 - amount : amount;
    this.position = at + AMOUNT_GROUP_BYTES;
    this.broken = false;
    return true;
  }
}

/** Where the parts of DE90 lie, for `Decoder.digitsAt(90, at, length)`. A part of zeros means absent. */
export const OriginalPart = {
  mti: { at: 0, length: 4 },
  stan: { at: 4, length: 6 },
  transmission: { at: 10, length: 10 },
  acquirer: { at: 20, length: 11 },
  forwarder: { at: 31, length: 11 },
} as const;

/** Characters of DE90 and of DE95. */
export const ORIGINAL_DATA_LENGTH = 42;
export const REPLACEMENT_AMOUNTS_LENGTH = 42;

/**
 * Writes the 42 digits of DE90 and returns the index behind them. `transmission` is MMDDhhmmss as an integer; acquirer and
 * forwarder are integers of up to eleven digits; 0 stands for "not known" everywhere.
 */
export function writeOriginalData(
  target: Uint8Array,
  at: number,
  mti: number,
  stan: number,
  transmission: number,
  acquirer: number,
  forwarder: number,
): number {
  if (at + ORIGINAL_DATA_LENGTH > target.length) throw new RangeError('no room for DE90');
  putDigits(target, at, 4, mti);
  putDigits(target, at + 4, 6, stan);
  putDigits(target, at + 10, 10, transmission);
  putDigits(target, at + 20, 11, acquirer);
  putDigits(target, at + 31, 11, forwarder);
  return at + ORIGINAL_DATA_LENGTH;
}

/** Writes the 42 characters of DE95: what remains authorized, in minor units; settlement and fees are zero. */
export function writeReplacementAmounts(target: Uint8Array, at: number, amount: number, settlement = 0): number {
  if (at + REPLACEMENT_AMOUNTS_LENGTH > target.length) throw new RangeError('no room for DE95');
  putDigits(target, at, 12, amount);
  putDigits(target, at + 12, 12, settlement);
  for (let i = 24; i < REPLACEMENT_AMOUNTS_LENGTH; i++) target[at + i] = ZERO;
  return at + REPLACEMENT_AMOUNTS_LENGTH;
}

/** DE90 as a string. Cold paths only; see `writeOriginalData`. */
export function originalData(mti: number, stan: number, transmission: number, acquirer = 0, forwarder = 0): string {
  const target = new Uint8Array(ORIGINAL_DATA_LENGTH);
  writeOriginalData(target, 0, mti, stan, transmission, acquirer, forwarder);
  return String.fromCharCode(...target);
}

/** DE95 as a string. Cold paths only; see `writeReplacementAmounts`. */
export function replacementAmounts(amount: number, settlement = 0): string {
  const target = new Uint8Array(REPLACEMENT_AMOUNTS_LENGTH);
  writeReplacementAmounts(target, 0, amount, settlement);
  return String.fromCharCode(...target);
}
