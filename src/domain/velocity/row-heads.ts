/**
 * The heads of all counters of one row, read once and kept: the event that counts in a row usually comes right behind the check
 * that read it, and most often it only adds to newest buckets or begins some.
 *
 * Such an event changes the row where it stands. `stage` and `stageUntouched` say for each counter what becomes of it and change
 * nothing, so that there is a way back to writing the row anew; `write` does it. A counter whose live buckets become more or
 * fewer moves those behind it:
 *
 *   before   head number mask | a0 a1 a2 a3 | c0 c1 c2 c3 | counters behind
 *   after    head number mask | sum a0 a1 | count c0 c1 | counters behind          two left the window, one came
 */
import { VELOCITY_ROW_COUNTERS_MAX } from '../../limits.js';
import type { CounterChanges } from './counter-changes.js';
import {
  bitsIn,
  COUNT_ENDS,
  COUNT_WIDTHS,
  KEY_BYTES,
  lowest,
  putUint,
  sumAmounts,
  sumCounts,
  takeUint,
  widthOf,
} from './counter-codec.js';
import { FIXED_KEY_HIGH, TRAILING_BUCKETS } from './windows.js';

/** Where an amount of a width ends. Seven bytes would hold more than money may be. */
const AMOUNT_ENDS = [1, 2 ** 8, 2 ** 16, 2 ** 24, 2 ** 32, 2 ** 40, 2 ** 48, 2 ** 53];

/** What becomes of a counter: nothing, more in its newest bucket, a new newest bucket, fewer buckets. */
const STAYS = 0;
const JOINS = 1;
const BEGINS = 2;
const SHORTENS = 3;
const FIXED = 0x20;
const NEWEST_LIVES = 0x10000;

export class RowHeads {
  /** Counters of the row, and by their places: key, and number of the newest bucket. */
  count = 0;
  readonly keys = new Float64Array(VELOCITY_ROW_COUNTERS_MAX);
  readonly newest = new Float64Array(VELOCITY_ROW_COUNTERS_MAX);
  /**
   * Bits 0-2: bytes of an amount; 3-4: code of the bytes of a count; 5: fixed window; 8-12: live buckets; 13-15: bytes of the
   * newest bucket's number; 16-31: mask of the live buckets.
   */
  readonly #heads = new Uint32Array(VELOCITY_ROW_COUNTERS_MAX);
  /** Where the amounts of a counter begin, and the counts. */
  readonly #amountsAt = new Uint32Array(VELOCITY_ROW_COUNTERS_MAX);
  readonly #countsAt = new Uint32Array(VELOCITY_ROW_COUNTERS_MAX);
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;

  /** By place, what is staged: one of the constants above, mask of the buckets that stay, number, amount, count of the newest. */
  readonly #staged = new Uint8Array(VELOCITY_ROW_COUNTERS_MAX);
  readonly #masks = new Uint16Array(VELOCITY_ROW_COUNTERS_MAX);
  readonly #numbers = new Float64Array(VELOCITY_ROW_COUNTERS_MAX);
  readonly #amounts = new Float64Array(VELOCITY_ROW_COUNTERS_MAX);
  readonly #counts = new Float64Array(VELOCITY_ROW_COUNTERS_MAX);
  /** Bytes by which what is staged makes the row longer, and the most it is longer while `write` goes along it. */
  growth = 0;
  growthMost = 0;

  /** Counters have moved, or became others. */
  forget(): void {
    this.#end = 0;
  }

  /** Reads the counters between `start` and `end`, at most VELOCITY_ROW_COUNTERS_MAX. The same row again costs nothing. */
  read(bytes: Uint8Array, start: number, end: number): void {
    if (start === this.#start && end === this.#end && bytes === this.#bytes) return;
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    const { keys, newest } = this;
    const heads = this.#heads;
    const amounts = this.#amountsAt;
    const counts = this.#countsAt;
    let place = 0;
    for (let at = start; at < end; place++) {
      const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      const high = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16);
      const head = bytes[at + KEY_BYTES]!;
      const width = head & 7;
      const code = (head >>> 3) & 3;
      const numberWidth = head >>> 5;
      at += KEY_BYTES + 1;
      keys[place] = high * 2 ** 32 + (low >>> 0);
      newest[place] = takeUint(bytes, at, numberWidth);
      at += numberWidth;
      let mask = 1;
      let live = 1;
      const fixed = high >= FIXED_KEY_HIGH ? 1 : 0;
      if (fixed === 0) {
        mask = bytes[at]! | (bytes[at + 1]! << 8);
        live = bitsIn(mask);
        at += 2;
      }
      heads[place] = (head & 0x1f) | (fixed << 5) | (live << 8) | (numberWidth << 13) | (mask << 16);
      amounts[place] = at;
      at += live * width;
      counts[place] = at;
      at += live * COUNT_WIDTHS[code]!;
    }
    this.count = place;
  }

  /** Sums of the buckets that are live when `buckets[i]` is today's, of the counter at `place`, into `amounts[i]` and `counts[i]`. */
  sum(place: number, buckets: Float64Array, amounts: Float64Array, counts: Float64Array, i: number): void {
    const head = this.#heads[place]!;
    let live = (head >>> 8) & 0x1f;
    const past = buckets[i]! - this.newest[place]!;
    if (past > 0) live = (head & FIXED) !== 0 ? 0 : bitsIn((head >>> 16) & lowest(TRAILING_BUCKETS - past));
    amounts[i] = sumAmounts(this.#bytes, this.#amountsAt[place]!, head & 7, live);
    counts[i] = sumCounts(this.#bytes, this.#countsAt[place]!, (head >>> 3) & 3, live);
  }

  /** Forgets what was staged. */
  clearStaged(): void {
    this.growth = 0;
    this.growthMost = 0;
  }

  /**
   * Stages what is left of a counter that the event does not touch.
   * @param oldest its oldest live bucket, in an array @returns false when none is left: then the counter goes
   */
  stageUntouched(place: number, oldest: Float64Array): boolean {
    const head = this.#heads[place]!;
    const mask = head >>> 16;
    const stays = mask & lowest(this.newest[place]! - oldest[0]! + 1);
    this.#staged[place] = stays === mask ? STAYS : SHORTENS;
    if (stays !== mask) this.#stageLive(place, head, stays, 0);
    return stays !== 0;
  }

  /** Stages addition `i` of `changes`; false when it is none, is for an older bucket, or needs wider numbers. */
  stage(place: number, changes: CounterChanges, i: number): boolean {
    const bytes = this.#bytes;
    const head = this.#heads[place]!;
    const amount = changes.amount[i]!;
    const uses = changes.uses[i]!;
    const by = changes.bucket[i]! - this.newest[place]!;
    if (by < 0 || amount < 0 || uses < 0) return false;
    const width = head & 7;
    const code = (head >>> 3) & 3;
    const joins = by === 0 && (head & NEWEST_LIVES) !== 0;
    const sum = joins ? takeUint(bytes, this.#amountsAt[place]!, width) + amount : amount;
    const held = !joins ? 0 : code === 0 ? 1 : takeUint(bytes, this.#countsAt[place]!, COUNT_WIDTHS[code]!);
    const count = held + uses;
    if (sum >= AMOUNT_ENDS[width]! || (code === 0 ? count !== 1 : count >= COUNT_ENDS[code]!)) return false;
    this.#amounts[place] = sum;
    this.#counts[place] = count;
    this.#staged[place] = joins ? JOINS : BEGINS;
    if (joins) return true;
    this.#numbers[place] = changes.bucket[i]!;
    // An older bucket moves up by as many places as the newest number does; what moves beyond the last place leaves. So does the
    // only one of a fixed window, which never is empty: what does not join it is newer.
    const leaves = by >= TRAILING_BUCKETS || (head & FIXED) !== 0;
    this.#stageLive(place, head, leaves ? 0 : ((head >>> 16) << by) & 0xffff, 1);
    return by === 0 || Math.max(1, widthOf(changes.bucket[i]!)) === ((head >>> 13) & 7);
  }

  /** Does what was staged, in the row's bytes, which have room for `growthMost` more. */
  write(): void {
    const staged = this.#staged;
    let moved = 0;
    for (let place = 0; place < this.count; place++) {
      if (moved !== 0) {
        this.#amountsAt[place] = this.#amountsAt[place]! + moved;
        this.#countsAt[place] = this.#countsAt[place]! + moved;
      }
      if (staged[place] === STAYS) continue;
      if (staged[place] !== JOINS) moved += this.#rebuild(place, staged[place] === BEGINS ? 1 : 0);
      if (staged[place] !== SHORTENS) this.#putNewest(place);
    }
  }

  #stageLive(place: number, head: number, stays: number, begins: number): void {
    this.#masks[place] = stays;
    const more = bitsIn(stays) + begins - ((head >>> 8) & 0x1f);
    this.growth += more * ((head & 7) + COUNT_WIDTHS[(head >>> 3) & 3]!);
    if (this.growth > this.growthMost) this.growthMost = this.growth;
  }

  #putNewest(place: number): void {
    const head = this.#heads[place]!;
    putUint(this.#bytes, this.#amountsAt[place]!, head & 7, this.#amounts[place]!);
    putUint(this.#bytes, this.#countsAt[place]!, COUNT_WIDTHS[(head >>> 3) & 3]!, this.#counts[place]!);
  }

  /** Gives a counter its new buckets, leaving room for the newest if one begins; returns by how much what is behind has moved. */
  #rebuild(place: number, begins: number): number {
    const bytes = this.#bytes;
    const head = this.#heads[place]!;
    const width = head & 7;
    const wide = COUNT_WIDTHS[(head >>> 3) & 3]!;
    const stays = bitsIn(this.#masks[place]!);
    const live = stays + begins;
    const amounts = this.#amountsAt[place]!;
    const counts = this.#countsAt[place]!;
    const end = counts + ((head >>> 8) & 0x1f) * wide;
    const newCounts = amounts + live * width;
    const newEnd = newCounts + live * wide;
    if (newEnd > end) this.#moveRest(end, newEnd);
    // What moves away from the other goes first.
    if (newCounts >= counts) move(bytes, counts, newCounts + begins * wide, stays * wide);
    move(bytes, amounts, amounts + begins * width, stays * width);
    if (newCounts < counts) move(bytes, counts, newCounts + begins * wide, stays * wide);
    if (newEnd < end) this.#moveRest(end, newEnd);
    this.#countsAt[place] = newCounts;
    this.#putMask(place, head, this.#masks[place]! | begins, live);
    return newEnd - end;
  }

  #putMask(place: number, head: number, mask: number, live: number): void {
    const bytes = this.#bytes;
    let at = this.#amountsAt[place]!;
    if ((head & FIXED) === 0) {
      at -= 2;
      bytes[at] = mask;
      bytes[at + 1] = mask >>> 8;
    }
    this.#heads[place] = (head & 0xe03f) | (live << 8) | (mask << 16);
    if (this.#staged[place] !== BEGINS) return;
    const numberWidth = (head >>> 13) & 7;
    putUint(bytes, at - numberWidth, numberWidth, this.#numbers[place]!);
    this.newest[place] = this.#numbers[place]!;
  }

  #moveRest(from: number, to: number): void {
    this.#bytes.copyWithin(to, from, this.#end);
    this.#end += to - from;
  }
}

/** Moves a few bytes that may overlap where they go. */
function move(bytes: Uint8Array, from: number, to: number, length: number): void {
  if (to < from) for (let i = 0; i < length; i++) bytes[to + i] = bytes[from + i]!;
  if (to > from) for (let i = length - 1; i >= 0; i--) bytes[to + i] = bytes[from + i]!;
}
