/**
 * Totals of acquirers by business date, the other side of a 0500: per link, acquirer (DE32), day and currency six numbers and
 * four amounts, counted by the events themselves (totals.ts). A row that is there stays until its day is older than
 * TOTALS_DAYS_KEPT; the first message that counts on a later day drops it, at the same event in every replay.
 *
 * Consecutive messages mostly belong to one row, so the last one is looked at first. An amount that would pass 2^53 stays
 * there: no acquirer's day comes near it, and a shard must not stop for a sum.
 *
 *   checkpoint row   version (1) | sequence (8), 0 = the place is free | link (4) | currency (4) | day (4) | acquirer (8)
 *                    | credits, credit reversals, debits, debit reversals, inquiries, authorizations (8 each)
 *                    | amounts of the first four (8 each)
 */
import { assert } from '../errors.js';
import { TOTALS_DAYS_KEPT } from '../limits.js';
import { capacityFor, DirtyList, grown, type RowCursor } from './columns.js';
import type { StateDigest } from './digest.js';
import { finishHash, mixInteger, mixWord } from './hash.js';
import { SlotIndex } from './slot-index.js';
import { Table } from './tables.js';
import { type Counted, TOTAL_AMOUNTS, TOTAL_COUNTS, type Total, type TotalsKey } from './totals.js';
import { utcDayOf } from './velocity/windows.js';

const ROW_VERSION = 1;
/** Values of a row: the numbers, then the amounts. */
export const TOTAL_VALUES = TOTAL_COUNTS + TOTAL_AMOUNTS;
const NONE = -1;

export class TotalsTable {
  /** The row includes every event up to this sequence; 0 = the place is free. */
  #newest = new Float64Array(0);
  #link = new Uint16Array(0);
  #currency = new Uint16Array(0);
  #day = new Uint32Array(0);
  #acquirer = new Float64Array(0);
  /** 52 bits of the hash of the key. */
  #digestKey = new Float64Array(0);
  #values = new Float64Array(0);
  #places = 0;
  readonly #free: number[] = [];
  /** Places came from a checkpoint: those between them that are free are not in the list yet. */
  #loaded = false;
  /** Place of the row that was used last. */
  #last = NONE;
  /** Rows of days before this one minus TOTALS_DAYS_KEPT are gone. */
  #droppedAt = 0;
  readonly #index = new SlotIndex((place) => this.#hashAt(place, SEED_OF_INDEX), 6);
  readonly #digest: StateDigest;
  /** Places whose latest content is not in the checkpoint. */
  readonly dirty = new DirtyList();

  constructor(digest: StateDigest) {
    this.#digest = digest;
  }

  /** Rows. */
  get count(): number {
    return this.#index.count;
  }

  /**
   * Counts a message (`sign` 1), or takes it out again (-1), unless the row includes the event.
   * @param total where it is counted
   */
  add(
    message: Omit<Counted, 'total'>,
    total: Total,
    sign: 1 | -1,
    event: { readonly sequence: number; readonly timeMs: number },
  ): void {
    const today = utcDayOf(event.timeMs);
    if (today > this.#droppedAt) this.#drop(today);
    // A message taken out again whose day is over.
    if (message.day < today - TOTALS_DAYS_KEPT) return;
    let place = this.#find(message);
    if (place === NONE) place = this.#open(message);
    if (event.sequence <= this.#newest[place]!) return;
    this.#newest[place] = event.sequence;
    this.#change(place, total, sign * message.number);
    if (total < TOTAL_AMOUNTS) this.#change(place, TOTAL_COUNTS + total, sign * message.amount);
    this.dirty.push(place);
  }

  /** Fills `into` (TOTAL_VALUES numbers) with the totals under the key; false, and zeros, when there are none. */
  read(key: TotalsKey, into: Float64Array): boolean {
    const place = this.#find(key);
    into.fill(0);
    if (place === NONE) return false;
    for (let i = 0; i < TOTAL_VALUES; i++) into[i] = this.#values[place * TOTAL_VALUES + i]!;
    return true;
  }

  writeRow(place: number, cursor: RowCursor): void {
    cursor.putU8(ROW_VERSION);
    cursor.putF64(this.#newest[place]!);
    cursor.putU32(this.#link[place]!);
    cursor.putU32(this.#currency[place]!);
    cursor.putU32(this.#day[place]!);
    cursor.putF64(this.#acquirer[place]!);
    for (let i = 0; i < TOTAL_VALUES; i++) cursor.putF64(this.#values[place * TOTAL_VALUES + i]!);
  }

  readRow(place: number, cursor: RowCursor): void {
    assert(cursor.u8() === ROW_VERSION, `totals row ${place} has a version this release does not know`);
    this.#reserve(place);
    assert(this.#newest[place] === 0, `totals row ${place} is there already`);
    this.#loaded = true;
    const newest = cursor.f64();
    const link = cursor.u32();
    const currency = cursor.u32();
    const day = cursor.u32();
    const acquirer = cursor.f64();
    if (newest > 0) this.#put(place, newest, { link, acquirer, day, currency });
    for (let i = 0; i < TOTAL_VALUES; i++) {
      const value = cursor.f64();
      if (newest > 0) this.#change(place, i, value);
    }
  }

  get memoryBytes(): number {
    return this.#newest.length * (8 + 2 + 2 + 4 + 8 + 8 + 8 * TOTAL_VALUES) + this.#index.bytes + this.dirty.bytes;
  }

  #find(key: TotalsKey): number {
    if (this.#last !== NONE && this.#is(this.#last, key)) return this.#last;
    for (let place = this.#index.first(hashOf(key, SEED_OF_INDEX)); place >= 0; place = this.#index.next()) {
      if (!this.#is(place, key)) continue;
      this.#last = place;
      return place;
    }
    return NONE;
  }

  #is(place: number, { link, acquirer, day, currency }: TotalsKey): boolean {
    return (
      this.#acquirer[place] === acquirer &&
      this.#day[place] === day &&
      this.#link[place] === link &&
      this.#currency[place] === currency
    );
  }

  #open(key: TotalsKey): number {
    if (this.#loaded) {
      this.#loaded = false;
      for (let place = this.#places - 1; place >= 0; place--) if (this.#newest[place] === 0) this.#free.push(place);
    }
    const place = this.#free.pop() ?? this.#places;
    this.#reserve(place);
    this.#put(place, 0, key);
    this.#last = place;
    return place;
  }

  #put(place: number, newest: number, { link, acquirer, day, currency }: TotalsKey): void {
    this.#newest[place] = newest;
    this.#link[place] = link;
    this.#currency[place] = currency;
    this.#day[place] = day;
    this.#acquirer[place] = acquirer;
    this.#digestKey[place] =
      this.#hashAt(place, SEED_OF_INDEX) * 2 ** 20 + (this.#hashAt(place, SEED_OF_DIGEST) >>> 12);
    this.#index.insert(place);
  }

  #reserve(place: number): void {
    if (place >= this.#newest.length) {
      const rows = capacityFor(this.#newest.length, place + 1);
      this.#newest = grown(this.#newest, rows);
      this.#link = grown(this.#link, rows);
      this.#currency = grown(this.#currency, rows);
      this.#day = grown(this.#day, rows);
      this.#acquirer = grown(this.#acquirer, rows);
      this.#digestKey = grown(this.#digestKey, rows);
      this.#values = grown(this.#values, rows * TOTAL_VALUES);
    }
    this.#places = Math.max(this.#places, place + 1);
  }

  /** Drops the rows of days that are not kept on this day. */
  #drop(today: number): void {
    this.#droppedAt = today;
    for (let place = 0; place < this.#places; place++) {
      if (this.#newest[place] === 0 || this.#day[place]! >= today - TOTALS_DAYS_KEPT) continue;
      for (let i = 0; i < TOTAL_VALUES; i++) this.#set(place, i, 0);
      this.#index.remove(place);
      this.#newest[place] = 0;
      this.#acquirer[place] = NONE;
      if (!this.#loaded) this.#free.push(place);
      this.dirty.push(place);
    }
  }

  #change(place: number, value: number, by: number): void {
    const after = this.#values[place * TOTAL_VALUES + value]! + by;
    this.#set(place, value, Math.min(after, Number.MAX_SAFE_INTEGER));
  }

  /** A value of zero leaves no trace in the digest, so that a row without any is as good as none. */
  #set(place: number, value: number, after: number): void {
    const at = place * TOTAL_VALUES + value;
    this.#digest.change(Table.totals, this.#digestKey[place]!, 1 + value, this.#values[at]!, after);
    this.#values[at] = after;
  }

  #hashAt(place: number, seed: number): number {
    return hash(seed, this.#link[place]!, this.#acquirer[place]!, this.#day[place]!, this.#currency[place]!);
  }
}

const SEED_OF_INDEX = 0x1b56c4e9;
const SEED_OF_DIGEST = 0x7f4a7c15;

function hashOf({ link, acquirer, day, currency }: TotalsKey, seed: number): number {
  return hash(seed, link, acquirer, day, currency);
}

function hash(seed: number, link: number, acquirer: number, day: number, currency: number): number {
  return finishHash(mixInteger(mixWord(mixWord(seed, link * 1024 + currency), day), acquirer));
}
