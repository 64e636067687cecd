/**
 * Turnovers of the ledger over a shard: debits and credits per currency, chart account and sub-account. Rows exist for the
 * currencies that occur; a currency's rows lie behind each other, so the two memo rows that every hold moves cost no search. A
 * sub-account has a row of its own beside them: the balance of a chart account is the sum over its rows.
 *
 * A turnover only grows: everything ever held and released adds to it, and in a currency of small units (a purchase is some
 * million rupiah cents) it passes 2^53 within weeks. So it is two numbers, units below 2^53 and how often they were full:
 *
 *   turnover = carries * 2^53 + units          both exact for ever, one compare more per addition
 *
 * The digest takes the units in as before and the carries as fields of their own once there are any.
 */
import { assert } from '../../errors.js';
import { DirtyList, grown, type RowCursor } from '../columns.js';
import type { StateDigest } from '../digest.js';
import { Table } from '../tables.js';
import { CHART, Gl } from './chart.js';
import { SUB_ACCOUNT_MAX } from './sub-account.js';

const ACCOUNTS = CHART.length;
const HOLDS_PLACE = CHART.indexOf(Gl.holds);
const CONTRA_PLACE = CHART.indexOf(Gl.holdsContra);
/** Parts of a row's key: chart account, currency, sub-account. A safe integer up to the largest sub-account. */
const CURRENCY_STEP = 10_000;
const SUB_STEP = 1000 * CURRENCY_STEP;
assert(SUB_ACCOUNT_MAX * SUB_STEP + SUB_STEP <= Number.MAX_SAFE_INTEGER, 'keys of ledger rows are safe integers');
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
  /** Checkpoint key of each row. */
  #keys = new Float64Array(0);
  #rows = 0;
  /** First row of a currency + 1, by numeric code. */
  readonly #block = new Uint32Array(1000);
  /** Row of each sub-account, by key. */
  readonly #subs = new Map<number, number>();
  readonly #digest: StateDigest;
  readonly dirty = new DirtyList();

  constructor(digest: StateDigest) {
    this.#digest = digest;
  }

  /**
   * Row of a chart account in a currency; made when it is the currency's first.
   * @param sub sub-account (sub-account.ts), 0 for none
   */
  row(currency: number, glAccount: number, sub = 0): number {
    const place = CHART.indexOf(glAccount as Gl);
    assert(place >= 0, `chart account ${glAccount} does not exist`);
    if (sub === 0) return this.#blockOf(currency) + place;
    assert(currency > 0 && currency < 1000, `currency ${currency} is no ISO 4217 number`);
    assert(sub > 0 && sub <= SUB_ACCOUNT_MAX, `${sub} is no sub-account`);
    const key = sub * SUB_STEP + currency * CURRENCY_STEP + glAccount;
    const known = this.#subs.get(key);
    if (known !== undefined) return known;
    const row = this.#newRows(1);
    this.#keys[row] = key;
    this.#subs.set(key, row);
    return row;
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
    this.post(block + HOLDS_PLACE, delta, sequence);
    this.post(block + CONTRA_PLACE, -delta, sequence);
  }

  /**
   * Visits every row that has moved, in the order in which rows appeared: those of a currency by chart account, each
   * sub-account where it came up. Turnovers are minor units and may exceed 2^53. Cold paths only.
   */
  forEach(visit: (currency: number, glAccount: number, debit: bigint, credit: bigint, sub: number) => void): void {
    for (let row = 0; row < this.#rows; row++) {
      const debit = this.#turnover(row, DEBIT);
      const credit = this.#turnover(row, CREDIT);
      if (debit === 0n && credit === 0n) continue;
      const key = this.#keys[row]!;
      const currency = Math.floor((key % SUB_STEP) / CURRENCY_STEP);
      visit(currency, key % CURRENCY_STEP, debit, credit, Math.floor(key / SUB_STEP));
    }
  }

  #turnover(row: number, side: number): bigint {
    const cell = row * 2 + side;
    return BigInt(this.#carries[cell]!) * BigInt(FULL) + BigInt(this.#units[cell]!);
  }

  /** Checkpoint key of a row: sub-account x 10 000 000 + currency x 10 000 + chart account. */
  keyOf(row: number): number {
    return this.#keys[row]!;
  }

  rowOfKey(key: number): number {
    return this.row(Math.floor((key % SUB_STEP) / CURRENCY_STEP), key % CURRENCY_STEP, Math.floor(key / SUB_STEP));
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
    const columns = this.#units.byteLength + this.#carries.byteLength + this.#newest.byteLength + this.#keys.byteLength;
    // A Map entry of two numbers takes some 40 bytes.
    return columns + this.#block.byteLength + this.#subs.size * 40 + this.dirty.bytes;
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
    const key = this.#keys[row]!;
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
    const block = this.#newRows(ACCOUNTS);
    this.#block[currency] = block + 1;
    for (let place = 0; place < ACCOUNTS; place++) this.#keys[block + place] = currency * CURRENCY_STEP + CHART[place]!;
    return block;
  }

  /** Takes rows that lie behind each other and returns the first. */
  #newRows(count: number): number {
    const first = this.#rows;
    this.#rows += count;
    if (this.#rows > this.#newest.length) {
      const rows = Math.max(this.#newest.length * 2, this.#rows);
      this.#units = grown(this.#units, rows * 2);
      this.#carries = grown(this.#carries, rows * 2);
      this.#newest = grown(this.#newest, rows);
      this.#keys = grown(this.#keys, rows);
    }
    return first;
  }
}
