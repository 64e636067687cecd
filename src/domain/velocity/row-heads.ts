/**
 * The heads of all counters of one row, read once and kept: the event that counts in a row usually comes right behind the check
 * that read it, and most often it only adds to newest buckets, which leaves every counter where it is.
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
} from './counter-codec.js';
import { FIXED_KEY_HIGH, TRAILING_BUCKETS } from './windows.js';

/** Where an amount of a width ends. Seven bytes would hold more than money may be. */
const AMOUNT_ENDS = [1, 2 ** 8, 2 ** 16, 2 ** 24, 2 ** 32, 2 ** 40, 2 ** 48, 2 ** 53];

export class RowHeads {
  /** Counters of the row, and by their places: key, and number of the newest bucket. */
  count = 0;
  readonly keys = new Float64Array(VELOCITY_ROW_COUNTERS_MAX);
  readonly newest = new Float64Array(VELOCITY_ROW_COUNTERS_MAX);
  /** Bits 0-2: bytes of an amount; 3-4: code of the bytes of a count; 5: fixed window; 8-12: live buckets; 16-31: their mask. */
  readonly #heads = new Uint32Array(VELOCITY_ROW_COUNTERS_MAX);
  /** Where the amounts of a counter begin, and the counts. */
  readonly #amountsAt = new Uint32Array(VELOCITY_ROW_COUNTERS_MAX);
  readonly #countsAt = new Uint32Array(VELOCITY_ROW_COUNTERS_MAX);
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;

  /** By place: what `stage` has found, done by `write`. */
  readonly #staged = new Uint8Array(VELOCITY_ROW_COUNTERS_MAX);
  readonly #amounts = new Float64Array(VELOCITY_ROW_COUNTERS_MAX);
  readonly #counts = new Float64Array(VELOCITY_ROW_COUNTERS_MAX);
  #stagedCount = 0;

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
      heads[place] = (head & 0x1f) | (fixed << 5) | (live << 8) | (mask << 16);
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
    if (past > 0) live = (head & 0x20) !== 0 ? 0 : bitsIn((head >>> 16) & lowest(TRAILING_BUCKETS - past));
    amounts[i] = sumAmounts(this.#bytes, this.#amountsAt[place]!, head & 7, live);
    counts[i] = sumCounts(this.#bytes, this.#countsAt[place]!, (head >>> 3) & 3, live);
  }

  /** True when a counter has buckets below `oldest[0]` only in part or at all: then its bytes change. */
  hasPast(place: number, oldest: Float64Array): boolean {
    const mask = this.#heads[place]! >>> 16;
    return (mask & lowest(this.newest[place]! - oldest[0]! + 1)) !== mask;
  }

  clearStaged(): void {
    this.#stagedCount = 0;
  }

  /** Stages addition `i` of `changes` to the newest bucket of a counter; false when its bytes have no room for it. */
  stage(place: number, changes: CounterChanges, i: number): boolean {
    const bytes = this.#bytes;
    const head = this.#heads[place]!;
    const amount = changes.amount[i]!;
    const uses = changes.uses[i]!;
    if (changes.bucket[i] !== this.newest[place] || (head & 0x10000) === 0 || amount < 0 || uses < 0) return false;
    const width = head & 7;
    const code = (head >>> 3) & 3;
    const sum = takeUint(bytes, this.#amountsAt[place]!, width) + amount;
    const count = (code === 0 ? 1 : takeUint(bytes, this.#countsAt[place]!, COUNT_WIDTHS[code]!)) + uses;
    if (sum >= AMOUNT_ENDS[width]! || count >= COUNT_ENDS[code]!) return false;
    const at = this.#stagedCount++;
    this.#staged[at] = place;
    this.#amounts[at] = sum;
    this.#counts[at] = count;
    return true;
  }

  /** Does what was staged, in the row's bytes. */
  write(): void {
    const bytes = this.#bytes;
    for (let i = 0; i < this.#stagedCount; i++) {
      const place = this.#staged[i]!;
      const head = this.#heads[place]!;
      putUint(bytes, this.#amountsAt[place]!, head & 7, this.#amounts[i]!);
      putUint(bytes, this.#countsAt[place]!, COUNT_WIDTHS[(head >>> 3) & 3]!, this.#counts[i]!);
    }
  }
}
