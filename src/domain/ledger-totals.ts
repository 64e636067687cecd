/**
 * Turnovers of the ledger over a shard: debits and credits per currency and chart account. Rows exist for the currencies
 * that occur; a currency's rows lie behind each other, so the two memo rows that every hold moves cost no search.
 */
import { assert } from '../errors.js';
import { DirtyList, grown, type RowCursor } from './columns.js';
import type { StateDigest } from './digest.js';
import { addMoney } from './money.js';
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
const Field = { debit: 1, credit: 2 } as const;
const ROW_VERSION = 1;
const ROW_BYTES = 1 + 8 * 3;

export class LedgerTotals {
  debit = new Float64Array(0);
  credit = new Float64Array(0);
  /** The row includes every event up to this sequence. */
  newest = new Float64Array(0);
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
    if (sequence <= this.newest[row]!) return;
    this.#add(row, amount);
    this.#advance(row, sequence);
  }

  /** As `post` for several legs of one event: the row is advanced by `advance` after the last of them. */
  postLeg(row: number, amount: number, sequence: number): void {
    if (sequence > this.newest[row]!) this.#add(row, amount);
  }

  advance(row: number, sequence: number): void {
    if (sequence > this.newest[row]!) this.#advance(row, sequence);
  }

  /** Moves the memo layer of the holds by `delta`: positive D 9100 / C 9199, negative the other way. */
  moveHolds(currency: number, delta: number, sequence: number): void {
    const block = this.#blockOf(currency);
    this.post(block + ACCOUNTS - 2, delta, sequence);
    this.post(block + ACCOUNTS - 1, -delta, sequence);
  }

  /** Visits every row that has moved, by currency in order of appearance, then by chart account. */
  forEach(visit: (currency: number, glAccount: number, debit: number, credit: number) => void): void {
    this.#currencies.forEach((currency, block) => {
      CHART.forEach((glAccount, place) => {
        const row = block * ACCOUNTS + place;
        if (this.debit[row] !== 0 || this.credit[row] !== 0)
          visit(currency, glAccount, this.debit[row]!, this.credit[row]!);
      });
    });
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
    cursor.putF64(this.debit[row]!);
    cursor.putF64(this.credit[row]!);
    cursor.putF64(this.newest[row]!);
  }

  readRow(key: number, cursor: RowCursor, length: number): void {
    assert(cursor.u8() === ROW_VERSION, `ledger row ${key} has a version this release does not know`);
    assert(length === ROW_BYTES, `ledger row ${key} has ${length} bytes`);
    const row = this.rowOfKey(key);
    assert(this.newest[row] === 0, `ledger row ${key} is there already`);
    const debit = cursor.f64();
    const credit = cursor.f64();
    const newest = cursor.f64();
    this.debit[row] = debit;
    this.credit[row] = credit;
    this.newest[row] = newest;
    this.#change(row, Field.debit, 0, debit);
    this.#change(row, Field.credit, 0, credit);
  }

  get memoryBytes(): number {
    return this.debit.length * 24 + this.#block.byteLength + this.dirty.bytes;
  }

  #add(row: number, amount: number): void {
    const column = amount >= 0 ? this.debit : this.credit;
    const before = column[row]!;
    const after = addMoney(before, Math.abs(amount));
    column[row] = after;
    this.#change(row, amount >= 0 ? Field.debit : Field.credit, before, after);
  }

  #advance(row: number, sequence: number): void {
    this.newest[row] = sequence;
    this.dirty.push(row);
  }

  /** A row enters the digest when it first moves: zero is taken as "not there" so that unused rows cost nothing. */
  #change(row: number, field: number, before: number, after: number): void {
    const key = this.keyOf(row);
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
    if (block + ACCOUNTS > this.debit.length) {
      const rows = Math.max(this.debit.length * 2, ACCOUNTS);
      this.debit = grown(this.debit, rows);
      this.credit = grown(this.credit, rows);
      this.newest = grown(this.newest, rows);
    }
    return block;
  }
}
