/**
 * The bytes of one counter in a row. Buckets stand newest first, so that what leaves a window is at the end.
 *
 *   key       7 bytes, least significant first (windows.ts)
 *   head      bits 0-2: bytes of an amount (0-7); 3-4: bytes of a count (0, 1, 2, 4); 5-7: bytes of the bucket number (1-5)
 *   number    of the newest bucket
 *   mask      trailing windows only, u16: bit i is set when the bucket newest - i holds something
 *   amounts   of the buckets in the mask; all of one width
 *   counts    of the same buckets; none when every count is 1
 *
 * Most purchases are below 655.36 and most buckets hold one, so that a trailing window with 16 live buckets takes 45 bytes,
 * and one with four 21.
 */
import { assert } from '../../errors.js';
import type { CounterChanges } from './counter-changes.js';
import { FIXED_KEY_HIGH, TRAILING_BUCKETS } from './windows.js';

export const KEY_BYTES = 7;
export const COUNT_WIDTHS = [0, 1, 2, 4] as const;
export const COUNT_ENDS = [2, 256, 65_536, 2 ** 32] as const;
/** Bounds of what a counter holds: 53 bits of money, 32 of a count, 40 of a bucket number. */
const COUNT_END = 2 ** 32;
const NUMBER_END = 2 ** 40;

/** True for the counter of a fixed window, false for that of a trailing one. */
export const isFixed = (key: number): boolean => key >= FIXED_KEY_HIGH * 2 ** 32;

/** Little-endian unsigned integer of 0 to 7 bytes. */
export function takeUint(bytes: Uint8Array, at: number, width: number): number {
  switch (width) {
    case 0:
      return 0;
    case 1:
      return bytes[at]!;
    case 2:
      return bytes[at]! | (bytes[at + 1]! << 8);
    case 3:
      return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    case 4:
      return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
    default: {
      const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      let high = 0;
      for (let i = width - 1; i >= 4; i--) high = high * 256 + bytes[at + i]!;
      return high * 2 ** 32 + (low >>> 0);
    }
  }
}

export function putUint(bytes: Uint8Array, at: number, width: number, value: number): void {
  switch (width) {
    case 0:
      return;
    case 1:
      bytes[at] = value;
      return;
    case 2:
      bytes[at] = value;
      bytes[at + 1] = value >>> 8;
      return;
    case 3:
      bytes[at] = value;
      bytes[at + 1] = value >>> 8;
      bytes[at + 2] = value >>> 16;
      return;
    default:
      bytes[at] = value;
      bytes[at + 1] = value >>> 8;
      bytes[at + 2] = value >>> 16;
      bytes[at + 3] = value >>> 24;
      for (let i = 4, rest = Math.floor(value / 2 ** 32); i < width; i++, rest >>>= 8) bytes[at + i] = rest;
  }
}

/** Bytes that an unsigned integer needs; 0 for 0. */
export function widthOf(value: number): number {
  if (value >= 2 ** 32) return 4 + ((39 - Math.clz32(Math.floor(value / 2 ** 32))) >> 3);
  return (39 - Math.clz32(value)) >> 3;
}

const countCode = (most: number): number => (most < 256 ? 1 : most < 65_536 ? 2 : 3);

export const bitsIn = (mask: number): number => {
  let bits = mask - ((mask >>> 1) & 0x5555);
  bits = (bits & 0x3333) + ((bits >>> 2) & 0x3333);
  bits = (bits + (bits >>> 4)) & 0x0f0f;
  return (bits + (bits >>> 8)) & 0x1f;
};

/** Lowest `bits` bits; all 16 and more for 16 or more. */
export const lowest = (bits: number): number => (bits <= 0 ? 0 : bits >= TRAILING_BUCKETS ? 0xffff : (1 << bits) - 1);

/** Places in `CounterReader.numbers`: the key, and the number of the newest bucket. */
export const KEY = 0;
export const NEWEST = 1;

/** Walks over the counters of a row. Reused: it costs no object. */
export class CounterReader {
  bytes: Uint8Array = new Uint8Array(0);
  /** Where the current counter begins, and where the one behind it. */
  at = 0;
  next = 0;
  /** `KEY` and `NEWEST` of the counter. They are beyond 32 bits: as members they would be objects on the heap. */
  readonly numbers = new Float64Array(2);
  isFixed = false;
  width = 0;
  countCode = 0;
  mask = 0;
  /** Buckets that hold something. */
  live = 0;
  /** Where the amounts of the buckets begin, and the counts. */
  amountsAt = 0;
  countsAt = 0;
  #end = 0;
  /** Goes in front of the first counter. */
  attach(bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes;
    this.next = at;
    this.#end = end;
  }

  /** Reads the head of the next counter; false behind the last. */
  advance(): boolean {
    const at = this.next;
    if (at >= this.#end) return false;
    const { bytes } = this;
    this.at = at;
    const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    const high = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16);
    const head = bytes[at + KEY_BYTES]!;
    const numberWidth = head >>> 5;
    const numberAt = at + KEY_BYTES + 1;
    let place = numberAt + numberWidth;
    this.numbers[KEY] = high * 2 ** 32 + (low >>> 0);
    this.numbers[NEWEST] = takeUint(bytes, numberAt, numberWidth);
    this.isFixed = high >= FIXED_KEY_HIGH;
    this.width = head & 7;
    this.countCode = (head >>> 3) & 3;
    if (this.isFixed) {
      this.mask = 1;
      this.live = 1;
    } else {
      this.mask = bytes[place]! | (bytes[place + 1]! << 8);
      this.live = bitsIn(this.mask);
      place += 2;
    }
    this.amountsAt = place;
    this.countsAt = place + this.live * this.width;
    this.next = this.countsAt + this.live * COUNT_WIDTHS[this.countCode]!;
    return true;
  }

  /** Buckets that are still there when the newest one is `number`, and of those from `oldest` on: how many of the first. */
  survivors(number: number, oldest: number): number {
    const newest = this.numbers[NEWEST]!;
    const least = Math.max(oldest, this.isFixed ? number : number - (TRAILING_BUCKETS - 1));
    const mask = this.mask & lowest(newest - least + 1);
    return mask === this.mask ? this.live : bitsIn(mask);
  }

  amount(index: number): number {
    return takeUint(this.bytes, this.amountsAt + index * this.width, this.width);
  }

  count(index: number): number {
    const { countCode } = this;
    if (countCode === 0) return 1;
    const width = COUNT_WIDTHS[countCode]!;
    return takeUint(this.bytes, this.countsAt + index * width, width);
  }

  /** Sum of the first `buckets` amounts. */
  sumAmounts(buckets: number): number {
    return sumAmounts(this.bytes, this.amountsAt, this.width, buckets);
  }

  sumCounts(buckets: number): number {
    return sumCounts(this.bytes, this.countsAt, this.countCode, buckets);
  }
}

/** Sum of `buckets` amounts of `width` bytes. */
export function sumAmounts(bytes: Uint8Array, amountsAt: number, width: number, buckets: number): number {
  let at = amountsAt;
  let sum = 0;
  if (width === 2) {
    for (let i = 0; i < buckets; i++, at += 2) sum += bytes[at]! | (bytes[at + 1]! << 8);
  } else if (width === 3) {
    for (let i = 0; i < buckets; i++, at += 3) {
      sum += bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    }
  } else {
    for (let i = 0; i < buckets; i++, at += width) sum += takeUint(bytes, at, width);
  }
  return sum;
}

/** Sum of `buckets` counts. @param code of their width, as in a head */
export function sumCounts(bytes: Uint8Array, countsAt: number, code: number, buckets: number): number {
  if (code === 0) return buckets;
  let sum = 0;
  if (code === 1) {
    for (let i = 0; i < buckets; i++) sum += bytes[countsAt + i]!;
    return sum;
  }
  const width = COUNT_WIDTHS[code]!;
  for (let i = 0; i < buckets; i++) sum += takeUint(bytes, countsAt + i * width, width);
  return sum;
}

/** A counter outside of its row, to be changed bucket by bucket: index 0 is the newest bucket, i the one `newest - i`. */
export class CounterBuckets {
  newest = -1;
  readonly amounts = new Float64Array(TRAILING_BUCKETS);
  readonly counts = new Float64Array(TRAILING_BUCKETS);

  clear(): void {
    this.newest = -1;
    this.amounts.fill(0);
    this.counts.fill(0);
  }

  /** Takes the reader's current counter. */
  load(from: CounterReader): void {
    this.clear();
    this.newest = from.numbers[NEWEST]!;
    let index = 0;
    for (let i = 0, mask = from.mask; mask !== 0; i++, mask >>>= 1) {
      if ((mask & 1) === 0) continue;
      this.amounts[i] = from.amount(index);
      this.counts[i] = from.count(index);
      index++;
    }
  }

  /**
   * Adds to a bucket, or gives back to it (negative): then a bucket that is past or not there takes nothing. A newer bucket
   * becomes the newest; what leaves the window by that is forgotten.
   */
  add(bucket: number, amount: number, uses: number, fixed: boolean): void {
    if (bucket > this.newest) {
      if (amount < 0 || uses < 0) return;
      this.#shift(bucket, fixed);
    }
    const index = this.newest - bucket;
    if (index >= (fixed ? 1 : TRAILING_BUCKETS)) return;
    const sum = this.amounts[index]! + amount;
    const count = this.counts[index]! + uses;
    if (sum < 0 || count < 0)
      assert(false, `a velocity counter would become ${sum} of ${count}: more given back than counted`);
    assert(
      sum <= Number.MAX_SAFE_INTEGER && count < COUNT_END && bucket < NUMBER_END,
      'a velocity counter is in range',
    );
    this.amounts[index] = sum;
    this.counts[index] = count;
  }

  /** Forgets buckets below `oldest`. */
  prune(oldest: number): void {
    for (let i = Math.max(0, this.newest - oldest + 1); i < TRAILING_BUCKETS; i++) {
      this.amounts[i] = 0;
      this.counts[i] = 0;
    }
  }

  /** Writes the counter in its shortest form and returns where it ends; nothing when no bucket holds anything. */
  write(bytes: Uint8Array, at: number, key: number): number {
    let mask = 0;
    let width = 0;
    let least = 1;
    let most = 1;
    for (let i = 0; i < TRAILING_BUCKETS; i++) {
      const amount = this.amounts[i]!;
      const count = this.counts[i]!;
      if (amount === 0 && count === 0) continue;
      mask |= 1 << i;
      width = Math.max(width, widthOf(amount));
      least = Math.min(least, count);
      most = Math.max(most, count);
    }
    if (mask === 0) return at;
    const code = least === 1 && most === 1 ? 0 : countCode(most);
    let to = putHead(bytes, at, key, width, code, this.newest, mask);
    for (let i = 0; i < TRAILING_BUCKETS; i++) {
      if (((mask >>> i) & 1) === 0) continue;
      putUint(bytes, to, width, this.amounts[i]!);
      to += width;
    }
    const wide = COUNT_WIDTHS[code]!;
    for (let i = 0; wide > 0 && i < TRAILING_BUCKETS; i++) {
      if (((mask >>> i) & 1) === 0) continue;
      putUint(bytes, to, wide, this.counts[i]!);
      to += wide;
    }
    return to;
  }

  #shift(bucket: number, fixed: boolean): void {
    const by = this.newest < 0 || fixed ? TRAILING_BUCKETS : Math.min(TRAILING_BUCKETS, bucket - this.newest);
    for (let i = TRAILING_BUCKETS - 1; i >= 0; i--) {
      this.amounts[i] = i >= by ? this.amounts[i - by]! : 0;
      this.counts[i] = i >= by ? this.counts[i - by]! : 0;
    }
    this.newest = bucket;
  }
}

/** Writes everything of a counter but its buckets and returns where those begin. */
function putHead(
  bytes: Uint8Array,
  at: number,
  key: number,
  width: number,
  code: number,
  newest: number,
  mask: number,
): number {
  const numberWidth = Math.max(1, widthOf(newest));
  putUint(bytes, at, KEY_BYTES, key);
  bytes[at + KEY_BYTES] = width | (code << 3) | (numberWidth << 5);
  let to = at + KEY_BYTES + 1;
  putUint(bytes, to, numberWidth, newest);
  to += numberWidth;
  if (isFixed(key)) return to;
  bytes[to] = mask;
  bytes[to + 1] = mask >> 8;
  return to + 2;
}

/**
 * Writes the reader's counter with addition `i` of `changes`, whose bucket is not older than its newest one, without taking
 * it apart: the buckets that stay are copied in one piece. Returns where it ends, -1 when the new amount or count needs
 * other widths.
 */
export function writeAddition(
  from: CounterReader,
  changes: CounterChanges,
  i: number,
  bytes: Uint8Array,
  at: number,
): number {
  // Read from the columns here: a float that is handed on is an object on the heap.
  const bucket = changes.bucket[i]!;
  const amount = changes.amount[i]!;
  const uses = changes.uses[i]!;
  const by = bucket - from.numbers[NEWEST]!;
  const joins = by === 0 && (from.mask & 1) === 1;
  const sum = joins ? from.amount(0) + amount : amount;
  const count = joins ? from.count(0) + uses : uses;
  const { width, countCode: code } = from;
  if (widthOf(sum) > width || (code === 0 ? count !== 1 : count >= COUNT_ENDS[code]!)) return -1;
  if (sum > Number.MAX_SAFE_INTEGER || bucket >= NUMBER_END) return -1;
  // An older bucket moves up by as many places as the newest number does; what moves beyond the last place leaves.
  const mask = from.isFixed ? (by === 0 ? 1 : 0) : by >= TRAILING_BUCKETS ? 0 : (from.mask << by) & 0xffff;
  const survivors = bitsIn(mask);
  const stay = joins ? survivors - 1 : survivors;
  let to: number;
  if (by === 0) {
    // The head stays as it is, but for a newest bucket that was empty.
    to = copy(from.bytes, from.at, from.amountsAt - from.at, bytes, at);
    if (!from.isFixed) bytes[to - 2] = from.mask | 1;
  } else {
    to = putHead(bytes, at, from.numbers[KEY]!, width, code, bucket, mask | 1);
  }
  putUint(bytes, to, width, sum);
  to = copy(from.bytes, from.amountsAt + (joins ? width : 0), stay * width, bytes, to + width);
  if (code === 0) return to;
  const wide = COUNT_WIDTHS[code]!;
  putUint(bytes, to, wide, count);
  return copy(from.bytes, from.countsAt + (joins ? wide : 0), stay * wide, bytes, to + wide);
}

/** Writes the reader's counter with its first `survivors` buckets only, at least one, and returns where it ends. */
export function writeSurvivors(from: CounterReader, survivors: number, bytes: Uint8Array, at: number): number {
  if (survivors === from.live) return copy(from.bytes, from.at, from.next - from.at, bytes, at);
  const { width, countCode: code } = from;
  const to = putHead(
    bytes,
    at,
    from.numbers[KEY]!,
    width,
    code,
    from.numbers[NEWEST]!,
    firstBits(from.mask, survivors),
  );
  const end = copy(from.bytes, from.amountsAt, survivors * width, bytes, to);
  return copy(from.bytes, from.countsAt, survivors * COUNT_WIDTHS[code]!, bytes, end);
}

/** The lowest `count` of the set bits of a mask. */
function firstBits(mask: number, count: number): number {
  let rest = mask;
  for (let surplus = bitsIn(mask) - count; surplus > 0; surplus--) rest &= ~(0x8000_0000 >>> Math.clz32(rest));
  return rest;
}

function copy(from: Uint8Array, at: number, length: number, to: Uint8Array, start: number): number {
  for (let i = 0; i < length; i++) to[start + i] = from[at + i]!;
  return start + length;
}
