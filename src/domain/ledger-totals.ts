/**
 * Turnovers of the ledger over a shard: debits and credits per currency and chart account. Rows exist for the currencies
 * that occur; a currency's rows lie behind each other, so the two memo rows that every hold moves cost no search.
 *
 * A turnover only grows: everything ever held and released adds to it, and in a currency of small units (a purchase is some
 * million rupiah cents) it passes 2^53 within weeks. So it is two numbers, units below 2^53 and how often they were full:
 *
 *   turnover = carries * 2^53 + units          both exact for ever, one compare more per addition
 *
 * The digest takes the units in as before and the carries as fields of their own once there are any.
 */
import { assert } from '../errors.js';
import { DirtyList, grown, type RowCursor } from './columns.js';
import type { StateDigest } from './digest.js';
import { Table } from './tables.js';

/** The chart of accounts, ascending. Append only at the end of a release's list and raise nothing: rows name the number. */
export const CHART = [
  1100, 1110, 1120, 1130, 1131, 1200, 1300, 1310, 1390, 1500, 2100, 2200, 2300, 4100, 4200, 4300, 4400, 5100, 5200,
  5300, 5400, 5900, 9100, 9199,
] as const;

/** Memo accounts of the holds: 9100 debit per account, 9199 contra. Not part of the balance sheet. */
export const MEMO_HOLDS = 9100;
export const MEMO_HOLDS_CONTRA = 9199;

const ACCOUNTS = CHART.length;
/** The sides of a row, and the fields of the digest: of the debits, the credits follow each. */
const DEBIT = 0;
const CREDIT = 1;
const SIDES = [DEBIT, CREDIT] as const;
const Field = { units: 1, carries: 3 } as const;
/** Version 1 had no carries. */
const ROW_VERSION = 2;
const ROW_BYTES = [0, 1 + 8 * 3, 1 + 8 * 5] as const;
/** What the units of a turnover stay below. */
const FULL = 2 ** 53;

export class LedgerTotals {
  /** Two cells per row: debit, credit. */
  #units = new Float64Array(0);
  #carries = new Float64Array(0);
  /** The row includes every event up to this sequence. */
  #newest = new Float64Array(0);
  /** First row of a currency + 1, by numeric code. */
  readonly #block = new Uint16Array(1000);
  readonly #currencies: number[] = [];
  readonly #digest: StateDigest;
  readonly dirty = new DirtyList();

  constructor(digest: StateDigest) {
    this.#digest = digest;
  }

  /** Row of a chart account in a currency; made when it is the currency's first. */
  row(currency: number, glAccount: number): number {
    const place = CHART.indexOf(glAccount as (typeof CHART)[number]);
    assert(place >= 0, `chart account ${glAccount} does not exist`);
    return this.#blockOf(currency) + place;
  }

  /** Adds a leg (D positive, C negative) unless the row includes the event at `sequence` already. */
  post(row: number, amount: number, sequence: number): void {
    if (sequence <= this.#newest[row]!) return;
    this.#add(row, amount);
    this.#advance(row, sequence);
  }

  /** As `post` for several legs of one event: the row is advanced by `advance` after the last of them. */
  postLeg(row: number, amount: number, sequence: number): void {
    if (sequence > this.#newest[row]!) this.#add(row, amount);
  }

  advance(row: number, sequence: number): void {
    if (sequence > this.#newest[row]!) this.#advance(row, sequence);
  }

  /** Moves the memo layer of the holds by `delta`: positive D 9100 / C 9199, negative the other way. */
  moveHolds(currency: number, delta: number, sequence: number): void {
    const block = this.#blockOf(currency);
    this.post(block + ACCOUNTS - 2, delta, sequence);
    this.post(block + ACCOUNTS - 1, -delta, sequence);
  }

  /**
   * Visits every row that has moved, by currency in order of appearance, then by chart account. Turnovers are minor units
   * and may exceed 2^53. Cold paths only.
   */
  forEach(visit: (currency: number, glAccount: number, debit: bigint, credit: bigint) => void): void {
    this.#currencies.forEach((currency, block) => {
      CHART.forEach((glAccount, place) => {
        const row = block * ACCOUNTS + place;
        const debit = this.#turnover(row, DEBIT);
        const credit = this.#turnover(row, CREDIT);
        if (debit !== 0n || credit !== 0n) visit(currency, glAccount, debit, credit);
      });
    });
  }

  #turnover(row: number, side: number): bigint {
    const cell = row * 2 + side;
    return BigInt(this.#carries[cell]!) * BigInt(FULL) + BigInt(this.#units[cell]!);
  }

  /** Checkpoint key of a row. */
  keyOf(row: number): number {
    return this.#currencies[Math.floor(row / ACCOUNTS)]! * 10_000 + CHART[row % ACCOUNTS]!;
  }

  rowOfKey(key: number): number {
    return this.row(Math.floor(key / 10_000), key % 10_000);
  }

  writeRow(row: number, cursor: RowCursor): void {
    cursor.putU8(ROW_VERSION);
    for (const side of SIDES) cursor.putF64(this.#units[row * 2 + side]!);
    cursor.putF64(this.#newest[row]!);
    for (const side of SIDES) cursor.putF64(this.#carries[row * 2 + side]!);
  }

  readRow(key: number, cursor: RowCursor, length: number): void {
    const version = cursor.u8();
    assert(version === 1 || version === ROW_VERSION, `ledger row ${key} has a version this release does not know`);
    assert(length === ROW_BYTES[version], `ledger row ${key} has ${length} bytes`);
    const row = this.rowOfKey(key);
    assert(this.#newest[row] === 0, `ledger row ${key} is there already`);
    for (const side of SIDES) this.#set(row, side, Field.units, this.#units, cursor.f64());
    this.#newest[row] = cursor.f64();
    if (version === 1) return;
    for (const side of SIDES) this.#set(row, side, Field.carries, this.#carries, cursor.f64());
  }

  get memoryBytes(): number {
    const columns = this.#units.byteLength + this.#carries.byteLength + this.#newest.byteLength;
    return columns + this.#block.byteLength + this.dirty.bytes;
  }

  #add(row: number, amount: number): void {
    const added = Math.abs(amount);
    if (!Number.isSafeInteger(added)) assert(false, `a leg of ${amount} is no safe integer of minor units`);
    const side = amount >= 0 ? DEBIT : CREDIT;
    const cell = row * 2 + side;
    const before = this.#units[cell]!;
    const room = FULL - before;
    if (added < room) {
      this.#set(row, side, Field.units, this.#units, before + added);
      return;
    }
    this.#set(row, side, Field.units, this.#units, added - room);
    this.#set(row, side, Field.carries, this.#carries, this.#carries[cell]! + 1);
  }

  #advance(row: number, sequence: number): void {
    this.#newest[row] = sequence;
    this.dirty.push(row);
  }

  /** A cell enters the digest when it first moves: zero is taken as "not there" so that unused rows cost nothing. */
  #set(row: number, side: number, firstField: number, column: Float64Array, after: number): void {
    const cell = row * 2 + side;
    const key = this.keyOf(row);
    const field = firstField + side;
    const before = column[cell]!;
    column[cell] = after;
    if (before !== 0) this.#digest.remove(Table.ledger, key, field, before);
    if (after !== 0) this.#digest.add(Table.ledger, key, field, after);
  }

  #blockOf(currency: number): number {
    const known = this.#block[currency]!;
    if (known > 0) return known - 1;
    assert(currency > 0 && currency < 1000, `currency ${currency} is no ISO 4217 number`);
    const block = this.#currencies.length * ACCOUNTS;
    this.#currencies.push(currency);
    this.#block[currency] = block + 1;
    if (block + ACCOUNTS > this.#newest.length) {
      const rows = Math.max(this.#newest.length * 2, ACCOUNTS);
      this.#units = grown(this.#units, rows * 2);
      this.#carries = grown(this.#carries, rows * 2);
      this.#newest = grown(this.#newest, rows);
    }
    return block;
  }
}
