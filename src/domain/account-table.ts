/**
 * Accounts of a shard: a row of 64 bytes each (rows.ts), one slot per account, no object per row. Slots are given by
 * AccountCreated events, so they are the same in every replay. Ids lie behind each other in one byte arena; the
 * components (ledger/chart.ts), which only postings touch, lie apart from the row that every authorization reads.
 *
 *   f64  0 credit limit · 1 posted · 2 held · 3 newest record · 4 created, ms
 *   u32  10 currency | program << 16 · 11 status | type << 8 | length of the id << 16 · 12 place of the id in the arena
 *        13 newest linked card's slot + 1 (derived) · 14 carry of interest · 15 free
 *
 * If you add a value here, also: take it into the digest in `#enter` and where it changes, and raise BLOCK_VERSION.
 */
import { assert } from '../errors.js';
import { AccountStatus } from './codes.js';
import { capacityFor, DirtyList, grown, type RowCursor } from './columns.js';
import type { StateDigest } from './digest.js';
import { finishHash, mixBytes } from './hash.js';
import { COMPONENTS, POSTED_COMPONENTS } from './ledger/chart.js';
import { addMoney } from './money.js';
import { BLOCK_BITS, BLOCK_ROWS, ROW_BYTES, Rows } from './rows.js';
import { SlotIndex } from './slot-index.js';
import { Table } from './tables.js';

const PARTS = COMPONENTS.length;

const Field = {
  id: 1,
  idLength: 2,
  creditLimit: 3,
  held: 4,
  facts: 5,
  created: 6,
  newest: 7,
  carry: 8,
  component: 16,
} as const;

/** 8-byte words of a row. */
const LIMIT = 0;
const POSTED = 1;
const HELD = 2;
const NEWEST = 3;
const CREATED = 4;
/** 4-byte words of a row. */
const KIND = 10;
const STATUS = 11;
const ID_AT = 12;
const FIRST_CARD = 13;
const CARRY = 14;

const ID_CHARACTERS_MAX = 64;
/** Version 2 had the components of the posted balance only, version 3 no credit loss. */
const BLOCK_VERSION = 4;
const PARTS_OF_VERSION: Readonly<Record<number, number>> = { 2: POSTED_COMPONENTS, 3: 7, [BLOCK_VERSION]: PARTS };
/** Most bytes of a block: version, and per row the row, its components, its id with a length. */
export const ACCOUNT_BLOCK_BYTES_MAX = 1 + BLOCK_ROWS * (ROW_BYTES + 8 * PARTS + 1 + ID_CHARACTERS_MAX);
const ID_SEED = 0x1b56c4e9;
const DIGEST_ID_SEED = 0x7feb352d;

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
  readonly #data = new Rows();
  #components = new Float64Array(0);
  #arena = new Uint8Array(4096);
  #arenaEnd = 0;
  #count = 0;
  #rows = 0;
  readonly #index = new SlotIndex((slot) => this.#hashOfSlot(slot));
  readonly #digest: StateDigest;
  readonly dirty: DirtyList;
  readonly #blockBits: number;

  /** `blockBits`: a checkpoint block has 2 to that power rows, at most BLOCK_ROWS. */
  constructor(digest: StateDigest, blockBits = BLOCK_BITS) {
    this.#digest = digest;
    this.#blockBits = blockBits;
    this.dirty = new DirtyList(blockBits);
  }

  /** Slots given out: the slot of the next account. */
  get count(): number {
    return this.#count;
  }

  /** Accounts that have a row. */
  get rows(): number {
    return this.#rows;
  }

  exists(slot: number): boolean {
    return slot >= 0 && slot < this.#count && this.status(slot) !== 0;
  }

  creditLimit(slot: number): number {
    return this.#data.f64(slot, LIMIT);
  }

  /** What the cardholder owes, minor units; negative = in credit. The sum of the components. */
  posted(slot: number): number {
    return this.#data.f64(slot, POSTED);
  }

  held(slot: number): number {
    return this.#data.f64(slot, HELD);
  }

  /** Newest record that names the account; the row includes every event up to it. */
  newest(slot: number): number {
    return this.#data.f64(slot, NEWEST);
  }

  createdMs(slot: number): number {
    return this.#data.f64(slot, CREATED);
  }

  /** As `createdMs`, to a place: a number that is handed on may be an object on the heap. */
  putCreated(slot: number, into: Float64Array, at: number): void {
    into[at] = this.#data.f64(slot, CREATED);
  }

  /** AccountStatus; 0 = the slot has no row. */
  status(slot: number): number {
    return this.#data.u32(slot, STATUS) & 0xff;
  }

  type(slot: number): number {
    return (this.#data.u32(slot, STATUS) >>> 8) & 0xff;
  }

  /** ISO 4217 numeric. */
  currency(slot: number): number {
    return this.#data.u32(slot, KIND) & 0xffff;
  }

  program(slot: number): number {
    return this.#data.u32(slot, KIND) >>> 16;
  }

  /** Newest linked card's slot + 1, 0 without; derived, not part of the row's content. */
  firstCard(slot: number): number {
    return slot < this.#count ? this.#data.u32(slot, FIRST_CARD) : 0;
  }

  setFirstCard(slot: number, link: number): void {
    this.#data.setU32(slot, FIRST_CARD, link);
  }

  /** Slot of the account with this id, -1 when there is none. */
  find(id: string): number {
    const index = this.#index;
    for (let slot = index.first(hashOfId(id)); slot >= 0; slot = index.next()) {
      if (this.#idEquals(slot, id)) return slot;
    }
    return -1;
  }

  id(slot: number): string {
    const at = this.#idAt(slot);
    let out = '';
    for (let i = 0; i < this.#idLength(slot); i++) out += String.fromCharCode(this.#arena[at + i]!);
    return out;
  }

  /** Balance of one component (its place in ledger/chart.ts), D positive. */
  component(slot: number, which: number): number {
    return this.#components[slot * PARTS + which]!;
  }

  /** credit limit - posted - held: what may still be spent, minor units; may be negative. */
  available(slot: number): number {
    return this.creditLimit(slot) - this.posted(slot) - this.held(slot);
  }

  create(row: NewAccount, sequence: number): void {
    const { slot } = row;
    this.reserve(slot);
    assert(this.status(slot) === 0, `account slot ${slot} is taken`);
    const data = this.#data;
    data.setF64(slot, LIMIT, row.creditLimit);
    data.setF64(slot, CREATED, row.createdMs);
    data.setF64(slot, NEWEST, sequence);
    data.setU32(slot, KIND, row.currency | (row.program << 16));
    data.setU32(slot, STATUS, AccountStatus.open | (row.type << 8));
    this.#setId(slot, row.id);
    this.#enter(slot);
    this.dirty.pushRow(slot);
  }

  update(slot: number, creditLimit: number, status: number): void {
    this.#digest.change(Table.account, slot, Field.creditLimit, this.creditLimit(slot), creditLimit);
    const before = this.#facts(slot);
    this.#data.setF64(slot, LIMIT, creditLimit);
    this.#data.setU32(slot, STATUS, (this.#data.u32(slot, STATUS) & ~0xff) | status);
    this.#digest.change(Table.account, slot, Field.facts, before, this.#facts(slot));
    this.dirty.pushRow(slot);
  }

  /** Marks the row as including the event at `sequence`; false when it did already, and then nothing may be applied. */
  advance(slot: number, sequence: number): boolean {
    const before = this.newest(slot);
    if (sequence <= before) return false;
    this.#digest.change(Table.account, slot, Field.newest, before, sequence);
    this.#data.setF64(slot, NEWEST, sequence);
    this.dirty.pushRow(slot);
    return true;
  }

  addHeld(slot: number, delta: number): void {
    const before = this.held(slot);
    const after = addMoney(before, delta);
    if (after < 0) assert(false, `held amount of account slot ${slot} would become ${after}`);
    this.#data.setF64(slot, HELD, after);
    this.#digest.change(Table.account, slot, Field.held, before, after);
    this.dirty.pushRow(slot);
  }

  /** Adds to a component (D positive), and to the posted balance if it is part of that. */
  addComponent(slot: number, which: number, amount: number): void {
    const at = slot * PARTS + which;
    const before = this.#components[at]!;
    const after = addMoney(before, amount);
    this.#components[at] = after;
    if (which < POSTED_COMPONENTS) this.#data.setF64(slot, POSTED, addMoney(this.posted(slot), amount));
    const field = Field.component + which;
    if (which < POSTED_COMPONENTS) {
      this.#digest.change(Table.account, slot, field, before, after);
    } else {
      if (before !== 0) this.#digest.remove(Table.account, slot, field, before);
      if (after !== 0) this.#digest.add(Table.account, slot, field, after);
    }
    this.dirty.pushRow(slot);
  }

  /** Interest that is less than a minor unit so far, INTEREST_UNITS to the minor unit (ledger/interest.ts). */
  interestCarry(slot: number): number {
    return this.#data.u32(slot, CARRY);
  }

  setInterestCarry(slot: number, carry: number): void {
    const before = this.interestCarry(slot);
    this.#data.setU32(slot, CARRY, carry);
    // Zero is taken as "not there", as of the younger components.
    if (before !== 0) this.#digest.remove(Table.account, slot, Field.carry, before);
    if (carry !== 0) this.#digest.add(Table.account, slot, Field.carry, carry);
    this.dirty.pushRow(slot);
  }

  /** Makes room for a slot. */
  reserve(slot: number): void {
    this.#data.reserve(slot);
    const needed = (slot + 1) * PARTS;
    if (needed > this.#components.length)
      this.#components = grown(this.#components, capacityFor(this.#components.length, needed));
    if (slot >= this.#count) this.#count = slot + 1;
  }

  /** Writes a block of rows at the cursor; false when it has none. */
  writeBlock(block: number, cursor: RowCursor): boolean {
    const first = block << this.#blockBits;
    const rows = 1 << this.#blockBits;
    if (first >= this.#count) return false;
    const end = Math.min(first + rows, this.#count);
    cursor.putU8(BLOCK_VERSION);
    this.#data.copyOut(first, rows, cursor.bytes, cursor.at);
    cursor.at += rows * ROW_BYTES;
    for (let slot = first; slot < end; slot++) {
      if (this.status(slot) === 0) continue;
      for (let i = 0; i < PARTS; i++) cursor.putF64(this.component(slot, i));
      const length = this.#idLength(slot);
      const at = this.#idAt(slot);
      cursor.putU8(length);
      for (let i = 0; i < length; i++) cursor.putU8(this.#arena[at + i]!);
    }
    return true;
  }

  /** Takes a block of a checkpoint into empty slots. */
  readBlock(block: number, cursor: RowCursor): void {
    const parts = PARTS_OF_VERSION[cursor.u8()] ?? 0;
    assert(parts > 0, `account block ${block} has a version this release does not know`);
    const rows = 1 << this.#blockBits;
    const rowsAt = cursor.at;
    cursor.at += rows * ROW_BYTES;
    assert(cursor.at <= cursor.bytes.length, `account block ${block} is too short`);
    for (let i = 0; i < rows; i++) {
      const slot = (block << this.#blockBits) + i;
      if (cursor.bytes[rowsAt + i * ROW_BYTES + STATUS * 4] !== 0)
        this.#readRow(slot, cursor, rowsAt + i * ROW_BYTES, parts);
    }
  }

  #readRow(slot: number, cursor: RowCursor, rowAt: number, parts: number): void {
    this.reserve(slot);
    assert(this.status(slot) === 0, `account slot ${slot} is taken`);
    const firstCard = this.firstCard(slot);
    this.#data.copyIn(slot, cursor.bytes, rowAt);
    this.setFirstCard(slot, firstCard);
    let sum = 0;
    for (let i = 0; i < parts; i++) {
      const value = cursor.f64();
      this.#components[slot * PARTS + i] = value;
      if (i < POSTED_COMPONENTS) sum += value;
    }
    assert(
      sum === this.posted(slot),
      `account row ${slot}: its posted components sum up to ${sum}, not to the posted balance`,
    );
    const idLength = cursor.u8();
    assert(idLength === this.#idLength(slot), `account row ${slot}: its id has ${idLength} characters`);
    let id = '';
    for (let i = 0; i < idLength; i++) id += String.fromCharCode(cursor.u8());
    this.#setId(slot, id);
    this.#enter(slot);
  }

  get memoryBytes(): number {
    return this.#data.bytes + this.#components.byteLength + this.#arena.length + this.#index.bytes + this.dirty.bytes;
  }

  /** Indexes a filled row and takes it into the digest. */
  #enter(slot: number): void {
    this.#index.insert(slot);
    this.#rows++;
    const digest = this.#digest;
    const at = this.#idAt(slot);
    const length = this.#idLength(slot);
    digest.add(Table.account, slot, Field.id, this.#hashOfSlot(slot));
    digest.add(
      Table.account,
      slot,
      Field.idLength,
      finishHash(mixBytes(DIGEST_ID_SEED, this.#arena, at, length)) + length * 2 ** 32,
    );
    digest.add(Table.account, slot, Field.creditLimit, this.creditLimit(slot));
    digest.add(Table.account, slot, Field.held, this.held(slot));
    digest.add(Table.account, slot, Field.facts, this.#facts(slot));
    digest.add(Table.account, slot, Field.created, this.createdMs(slot));
    digest.add(Table.account, slot, Field.newest, this.newest(slot));
    if (this.interestCarry(slot) !== 0) digest.add(Table.account, slot, Field.carry, this.interestCarry(slot));
    for (let i = 0; i < PARTS; i++) {
      const value = this.component(slot, i);
      // Zero is taken as "not there" of those that came later, so that directories of earlier releases keep their digest.
      if (i < POSTED_COMPONENTS || value !== 0) digest.add(Table.account, slot, Field.component + i, value);
    }
  }

  /** The small values as one number for the digest. */
  #facts(slot: number): number {
    return (this.status(slot) * 256 + this.type(slot)) * 2 ** 32 + this.currency(slot) * 65_536 + this.program(slot);
  }

  #setId(slot: number, id: string): void {
    if (this.#arenaEnd + id.length > this.#arena.length) {
      this.#arena = grown(this.#arena, Math.max(this.#arena.length * 2, this.#arenaEnd + id.length));
    }
    this.#data.setU32(slot, ID_AT, this.#arenaEnd);
    this.#data.setU32(slot, STATUS, (this.#data.u32(slot, STATUS) & 0xffff) | (id.length << 16));
    for (let i = 0; i < id.length; i++) this.#arena[this.#arenaEnd + i] = id.charCodeAt(i);
    this.#arenaEnd += id.length;
  }

  #idEquals(slot: number, id: string): boolean {
    if (this.#idLength(slot) !== id.length) return false;
    const at = this.#idAt(slot);
    for (let i = 0; i < id.length; i++) if (this.#arena[at + i] !== id.charCodeAt(i)) return false;
    return true;
  }

  #hashOfSlot(slot: number): number {
    let h = ID_SEED;
    const at = this.#idAt(slot);
    const length = this.#idLength(slot);
    for (let i = 0; i < length; i++) h = stepOfId(h, this.#arena[at + i]!);
    return finishHash(h ^ length);
  }

  #idAt(slot: number): number {
    return this.#data.u32(slot, ID_AT);
  }

  #idLength(slot: number): number {
    return this.#data.u32(slot, STATUS) >>> 16;
  }
}

const stepOfId = (h: number, byte: number): number => Math.imul(h ^ byte, 0x01000193) ^ (h >>> 15);

function hashOfId(id: string): number {
  let h = ID_SEED;
  for (let i = 0; i < id.length; i++) h = stepOfId(h, id.charCodeAt(i));
  return finishHash(h ^ id.length);
}
