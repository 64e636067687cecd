/**
 * Accounts of a shard as columns: one typed array per value, one slot per account, no object per row. Slots are given by
 * AccountCreated events, so they are the same in every replay. Ids lie behind each other in one byte arena.
 *
 * If you add a column here, also: grow it in `#ensure`, write and read it in `writeRow` / `readRow` (a new row version),
 * take it into the digest in `create` and `readRow`, and count it in `memoryBytes`.
 */
import { assert } from '../errors.js';
import { AccountStatus } from './codes.js';
import { capacityFor, DirtyList, grown, type RowCursor } from './columns.js';
import type { StateDigest } from './digest.js';
import { finishHash, mixBytes } from './hash.js';
import { addMoney } from './money.js';
import { SlotIndex } from './slot-index.js';
import { Table } from './tables.js';

/** Chart accounts whose balances make up the posted balance, in the order of `components`. */
export const POSTED_COMPONENTS = [1100, 1110, 1120, 1130, 2200] as const;
const COMPONENTS = POSTED_COMPONENTS.length;

/** Position of a chart account among the posted components, -1 when it is none of them. */
export function postedComponent(glAccount: number): number {
  return POSTED_COMPONENTS.indexOf(glAccount as (typeof POSTED_COMPONENTS)[number]);
}

const Field = { id: 1, idLength: 2, creditLimit: 3, held: 4, facts: 5, created: 6, newest: 7, component: 16 } as const;

const ROW_VERSION = 1;
const ID_SEED = 0x1b56c4e9;
const DIGEST_ID_SEED = 0x7feb352d;
/** Bytes of a row without its id. */
const ROW_BYTES = 1 + 1 + 1 + 2 + 2 + 8 * (5 + COMPONENTS) + 1;

export interface NewAccount {
  slot: number;
  id: string;
  program: number;
  currency: number;
  creditLimit: number;
  type: number;
  createdMs: number;
}

export class AccountTable {
  creditLimit = new Float64Array(0);
  /** What the cardholder owes, minor units; negative = in credit. The sum of the components. */
  posted = new Float64Array(0);
  held = new Float64Array(0);
  /** AccountStatus; 0 = the slot has no row. */
  status = new Uint8Array(0);
  type = new Uint8Array(0);
  /** ISO 4217 numeric. */
  currency = new Uint16Array(0);
  program = new Uint16Array(0);
  /** Newest record that names the account; the row includes every event up to it. */
  newest = new Float64Array(0);
  createdMs = new Float64Array(0);
  /** Newest linked card's slot + 1; derived, in no row. */
  firstCard = new Uint32Array(0);

  #components = new Float64Array(0);
  #idAt = new Uint32Array(0);
  #idLength = new Uint8Array(0);
  #dirtyMark = new Uint8Array(0);
  #arena = new Uint8Array(4096);
  #arenaEnd = 0;
  #count = 0;
  #rows = 0;
  #heldTotal = 0;
  readonly #index = new SlotIndex((slot) => this.#hashOfSlot(slot));
  readonly #digest: StateDigest;
  readonly dirty = new DirtyList();

  constructor(digest: StateDigest) {
    this.#digest = digest;
  }

  /** Slots given out: the slot of the next account. */
  get count(): number {
    return this.#count;
  }

  /** Accounts that have a row. */
  get rows(): number {
    return this.#rows;
  }

  /** Sum of `held` over all accounts, whatever their currency. */
  get heldTotal(): number {
    return this.#heldTotal;
  }

  exists(slot: number): boolean {
    return slot >= 0 && slot < this.#count && this.status[slot] !== 0;
  }

  /** Slot of the account with this id, -1 when there is none. */
  find(id: string): number {
    const index = this.#index;
    for (let p = index.start(hashOfId(id)); ; p = index.next(p)) {
      const slot = index.slotAt(p);
      if (slot < 0) return -1;
      if (this.#idEquals(slot, id)) return slot;
    }
  }

  id(slot: number): string {
    const at = this.#idAt[slot]!;
    let out = '';
    for (let i = 0; i < this.#idLength[slot]!; i++) out += String.fromCharCode(this.#arena[at + i]!);
    return out;
  }

  /** Balance of one posted component (a chart account), D positive. */
  component(slot: number, which: number): number {
    return this.#components[slot * COMPONENTS + which]!;
  }

  /** credit limit - posted - held: what may still be spent, minor units; may be negative. */
  available(slot: number): number {
    return this.creditLimit[slot]! - this.posted[slot]! - this.held[slot]!;
  }

  create(row: NewAccount, sequence: number): void {
    const { slot } = row;
    this.reserve(slot);
    assert(this.status[slot] === 0, `account slot ${slot} is taken`);
    this.#setId(slot, row.id);
    this.creditLimit[slot] = row.creditLimit;
    this.type[slot] = row.type;
    this.status[slot] = AccountStatus.open;
    this.currency[slot] = row.currency;
    this.program[slot] = row.program;
    this.createdMs[slot] = row.createdMs;
    this.newest[slot] = sequence;
    this.#enter(slot);
    this.#touch(slot);
  }

  update(slot: number, creditLimit: number, status: number): void {
    this.#digest.change(Table.account, slot, Field.creditLimit, this.creditLimit[slot]!, creditLimit);
    const before = this.#facts(slot);
    this.creditLimit[slot] = creditLimit;
    this.status[slot] = status;
    this.#digest.change(Table.account, slot, Field.facts, before, this.#facts(slot));
    this.#touch(slot);
  }

  /** Marks the row as including the event at `sequence`; false when it did already, and then nothing may be applied. */
  advance(slot: number, sequence: number): boolean {
    const before = this.newest[slot]!;
    if (sequence <= before) return false;
    this.#digest.change(Table.account, slot, Field.newest, before, sequence);
    this.newest[slot] = sequence;
    this.#touch(slot);
    return true;
  }

  addHeld(slot: number, delta: number): void {
    const before = this.held[slot]!;
    const after = addMoney(before, delta);
    assert(after >= 0, `held amount of account slot ${slot} would become ${after}`);
    this.held[slot] = after;
    this.#heldTotal = addMoney(this.#heldTotal, delta);
    this.#digest.change(Table.account, slot, Field.held, before, after);
    this.#touch(slot);
  }

  /** Adds to a posted component (D positive) and so to the posted balance. */
  addPosted(slot: number, which: number, amount: number): void {
    const at = slot * COMPONENTS + which;
    const before = this.#components[at]!;
    const after = addMoney(before, amount);
    this.#components[at] = after;
    this.posted[slot] = addMoney(this.posted[slot]!, amount);
    this.#digest.change(Table.account, slot, Field.component + which, before, after);
    this.#touch(slot);
  }

  /** Makes room for a slot. */
  reserve(slot: number): void {
    if (slot >= this.status.length) this.#ensure(capacityFor(this.status.length, slot + 1));
    if (slot >= this.#count) this.#count = slot + 1;
  }

  clearDirty(slot: number): void {
    this.#dirtyMark[slot] = 0;
  }

  /** Writes the row at the cursor. */
  writeRow(slot: number, cursor: RowCursor): void {
    cursor.putU8(ROW_VERSION);
    cursor.putU8(this.status[slot]!);
    cursor.putU8(this.type[slot]!);
    cursor.putU16(this.currency[slot]!);
    cursor.putU16(this.program[slot]!);
    cursor.putF64(this.newest[slot]!);
    cursor.putF64(this.createdMs[slot]!);
    cursor.putF64(this.creditLimit[slot]!);
    cursor.putF64(this.held[slot]!);
    cursor.putF64(this.posted[slot]!);
    for (let i = 0; i < COMPONENTS; i++) cursor.putF64(this.component(slot, i));
    const length = this.#idLength[slot]!;
    const at = this.#idAt[slot]!;
    cursor.putU8(length);
    for (let i = 0; i < length; i++) cursor.putU8(this.#arena[at + i]!);
  }

  /** Takes a row of a checkpoint into an empty slot. */
  readRow(slot: number, cursor: RowCursor, length: number): void {
    assert(cursor.u8() === ROW_VERSION, `account row ${slot} has a version this release does not know`);
    this.reserve(slot);
    assert(this.status[slot] === 0, `account slot ${slot} is taken`);
    this.status[slot] = cursor.u8();
    this.type[slot] = cursor.u8();
    this.currency[slot] = cursor.u16();
    this.program[slot] = cursor.u16();
    this.newest[slot] = cursor.f64();
    this.createdMs[slot] = cursor.f64();
    this.creditLimit[slot] = cursor.f64();
    this.held[slot] = cursor.f64();
    this.posted[slot] = cursor.f64();
    let sum = 0;
    for (let i = 0; i < COMPONENTS; i++) {
      const value = cursor.f64();
      this.#components[slot * COMPONENTS + i] = value;
      sum += value;
    }
    assert(
      sum === this.posted[slot],
      `account row ${slot}: the components sum up to ${sum}, not to the posted balance`,
    );
    const idLength = cursor.u8();
    assert(length === ROW_BYTES + idLength, `account row ${slot} has ${length} bytes`);
    let id = '';
    for (let i = 0; i < idLength; i++) id += String.fromCharCode(cursor.u8());
    this.#setId(slot, id);
    this.#heldTotal = addMoney(this.#heldTotal, this.held[slot]!);
    this.#enter(slot);
  }

  get memoryBytes(): number {
    return (
      this.status.length * (8 * 5 + 8 * COMPONENTS + 4 * 2 + 2 * 2 + 4) +
      this.#arena.length +
      this.#index.bytes +
      this.dirty.bytes
    );
  }

  /** Indexes a filled row and takes it into the digest. */
  #enter(slot: number): void {
    this.#index.insert(slot);
    this.#rows++;
    const digest = this.#digest;
    const at = this.#idAt[slot]!;
    const length = this.#idLength[slot]!;
    digest.add(Table.account, slot, Field.id, this.#hashOfSlot(slot));
    digest.add(
      Table.account,
      slot,
      Field.idLength,
      finishHash(mixBytes(DIGEST_ID_SEED, this.#arena, at, length)) + length * 2 ** 32,
    );
    digest.add(Table.account, slot, Field.creditLimit, this.creditLimit[slot]!);
    digest.add(Table.account, slot, Field.held, this.held[slot]!);
    digest.add(Table.account, slot, Field.facts, this.#facts(slot));
    digest.add(Table.account, slot, Field.created, this.createdMs[slot]!);
    digest.add(Table.account, slot, Field.newest, this.newest[slot]!);
    for (let i = 0; i < COMPONENTS; i++) digest.add(Table.account, slot, Field.component + i, this.component(slot, i));
  }

  /** The small columns as one number for the digest. */
  #facts(slot: number): number {
    return (
      (this.status[slot]! * 256 + this.type[slot]!) * 2 ** 32 + this.currency[slot]! * 65_536 + this.program[slot]!
    );
  }

  #touch(slot: number): void {
    if (this.#dirtyMark[slot] === 1) return;
    this.#dirtyMark[slot] = 1;
    this.dirty.push(slot);
  }

  #setId(slot: number, id: string): void {
    if (this.#arenaEnd + id.length > this.#arena.length) {
      this.#arena = grown(this.#arena, Math.max(this.#arena.length * 2, this.#arenaEnd + id.length));
    }
    this.#idAt[slot] = this.#arenaEnd;
    this.#idLength[slot] = id.length;
    for (let i = 0; i < id.length; i++) this.#arena[this.#arenaEnd + i] = id.charCodeAt(i);
    this.#arenaEnd += id.length;
  }

  #idEquals(slot: number, id: string): boolean {
    if (this.#idLength[slot] !== id.length) return false;
    const at = this.#idAt[slot]!;
    for (let i = 0; i < id.length; i++) if (this.#arena[at + i] !== id.charCodeAt(i)) return false;
    return true;
  }

  #hashOfSlot(slot: number): number {
    let h = ID_SEED;
    const at = this.#idAt[slot]!;
    const length = this.#idLength[slot]!;
    for (let i = 0; i < length; i++) h = stepOfId(h, this.#arena[at + i]!);
    return finishHash(h ^ length);
  }

  #ensure(rows: number): void {
    this.creditLimit = grown(this.creditLimit, rows);
    this.posted = grown(this.posted, rows);
    this.held = grown(this.held, rows);
    this.status = grown(this.status, rows);
    this.type = grown(this.type, rows);
    this.currency = grown(this.currency, rows);
    this.program = grown(this.program, rows);
    this.newest = grown(this.newest, rows);
    this.createdMs = grown(this.createdMs, rows);
    this.firstCard = grown(this.firstCard, rows);
    this.#components = grown(this.#components, rows * COMPONENTS);
    this.#idAt = grown(this.#idAt, rows);
    this.#idLength = grown(this.#idLength, rows);
    this.#dirtyMark = grown(this.#dirtyMark, rows);
  }
}

const stepOfId = (h: number, byte: number): number => Math.imul(h ^ byte, 0x01000193) ^ (h >>> 15);

function hashOfId(id: string): number {
  let h = ID_SEED;
  for (let i = 0; i < id.length; i++) h = stepOfId(h, id.charCodeAt(i));
  return finishHash(h ^ id.length);
}
