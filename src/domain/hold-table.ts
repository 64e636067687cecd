/**
 * Open holds of a shard as columns, found by the journal sequence of their authorization. A hold whose remaining amount
 * has become zero leaves the table: the authorization stays matchable by its record. Freed slots are reused, so slots
 * mean nothing outside, and nothing of them enters the digest.
 */
import { assert } from '../errors.js';
import { capacityFor, DirtyList, grown, type RowCursor } from './columns.js';
import type { StateDigest } from './digest.js';
import { finishHash, mixInteger } from './hash.js';
import { addMoney } from './money.js';
import { SlotIndex } from './slot-index.js';
import { Table } from './tables.js';

const Field = { place: 1, original: 2, authorized: 3, remaining: 4, expires: 5 } as const;

const ROW_VERSION = 1;
const ROW_BYTES = 1 + 4 * 2 + 8 * 5;

const hashOf = (sequence: number): number => finishHash(mixInteger(0x3c6ef372, sequence));

export class HoldTable {
  /** Sequence of the authorization; 0 = free slot. */
  sequence = new Float64Array(0);
  account = new Uint32Array(0);
  card = new Uint32Array(0);
  /** What was approved first, minor units of the account's currency. */
  original = new Float64Array(0);
  /** The authorized total now: after partial reversals (and, later, increments). */
  authorized = new Float64Array(0);
  /** What is still held. */
  remaining = new Float64Array(0);
  expiresMs = new Float64Array(0);
  /** The row includes every event up to this sequence. */
  newest = new Float64Array(0);

  #dirtyMark = new Uint8Array(0);
  /** Head of the free list, slot + 1; the list runs through `account`. */
  #free = 0;
  #slots = 0;
  readonly #index = new SlotIndex((slot) => hashOf(this.sequence[slot]!));
  readonly #digest: StateDigest;
  readonly dirty = new DirtyList();

  constructor(digest: StateDigest) {
    this.#digest = digest;
  }

  /** Open holds. */
  get count(): number {
    return this.#index.count;
  }

  /** Slots ever used: the bound of a walk over `sequence`, whose zeros are free slots. */
  get slots(): number {
    return this.#slots;
  }

  /** Slot of the hold of the authorization at `sequence`, -1 when none is open. */
  find(sequence: number): number {
    const index = this.#index;
    for (let p = index.start(hashOf(sequence)); ; p = index.next(p)) {
      const slot = index.slotAt(p);
      if (slot < 0) return -1;
      if (this.sequence[slot] === sequence) return slot;
    }
  }

  place(sequence: number, accountSlot: number, cardSlot: number, amount: number, expiresMs: number): void {
    const slot = this.#take();
    this.sequence[slot] = sequence;
    this.account[slot] = accountSlot;
    this.card[slot] = cardSlot;
    this.original[slot] = amount;
    this.authorized[slot] = amount;
    this.remaining[slot] = amount;
    this.expiresMs[slot] = expiresMs;
    this.newest[slot] = sequence;
    this.#index.insert(slot);
    this.#sum(slot, 1);
    this.#touch(slot);
  }

  /** Sets the authorized total and moves the remaining amount by `delta`; the hold leaves the table at zero. */
  change(slot: number, authorized: number, delta: number, sequence: number): void {
    const remaining = addMoney(this.remaining[slot]!, delta);
    assert(remaining >= 0, `hold ${this.sequence[slot]} would keep ${remaining}`);
    this.#touch(slot);
    this.#sum(slot, -1);
    if (remaining === 0) {
      this.#index.remove(slot);
      this.sequence[slot] = 0;
      this.account[slot] = this.#free;
      this.#free = slot + 1;
      this.#dirtyMark[slot] = 0;
      return;
    }
    this.authorized[slot] = authorized;
    this.remaining[slot] = remaining;
    this.newest[slot] = sequence;
    this.#sum(slot, 1);
  }

  clearDirty(slot: number): void {
    this.#dirtyMark[slot] = 0;
  }

  writeRow(slot: number, cursor: RowCursor): void {
    cursor.putU8(ROW_VERSION);
    cursor.putU32(this.account[slot]!);
    cursor.putU32(this.card[slot]!);
    cursor.putF64(this.original[slot]!);
    cursor.putF64(this.authorized[slot]!);
    cursor.putF64(this.remaining[slot]!);
    cursor.putF64(this.expiresMs[slot]!);
    cursor.putF64(this.newest[slot]!);
  }

  readRow(sequence: number, cursor: RowCursor, length: number): void {
    assert(cursor.u8() === ROW_VERSION, `hold row ${sequence} has a version this release does not know`);
    assert(length === ROW_BYTES, `hold row ${sequence} has ${length} bytes`);
    assert(this.find(sequence) < 0, `hold ${sequence} is there already`);
    const slot = this.#take();
    this.sequence[slot] = sequence;
    this.account[slot] = cursor.u32();
    this.card[slot] = cursor.u32();
    this.original[slot] = cursor.f64();
    this.authorized[slot] = cursor.f64();
    this.remaining[slot] = cursor.f64();
    this.expiresMs[slot] = cursor.f64();
    this.newest[slot] = cursor.f64();
    this.#index.insert(slot);
    this.#sum(slot, 1);
  }

  get memoryBytes(): number {
    return this.sequence.length * (8 * 6 + 4 * 2 + 1) + this.#index.bytes + this.dirty.bytes;
  }

  /** Takes a hold into the digest or out of it. The age of the row (`newest`) is no part of the state. */
  #sum(slot: number, sign: number): void {
    const key = this.sequence[slot]!;
    const place = this.account[slot]! * 2 ** 24 + this.card[slot]!;
    const { original, authorized, remaining, expiresMs } = this;
    if (sign > 0) {
      this.#digest.add(Table.hold, key, Field.place, place);
      this.#digest.add(Table.hold, key, Field.original, original[slot]!);
      this.#digest.add(Table.hold, key, Field.authorized, authorized[slot]!);
      this.#digest.add(Table.hold, key, Field.remaining, remaining[slot]!);
      this.#digest.add(Table.hold, key, Field.expires, expiresMs[slot]!);
      return;
    }
    this.#digest.remove(Table.hold, key, Field.place, place);
    this.#digest.remove(Table.hold, key, Field.original, original[slot]!);
    this.#digest.remove(Table.hold, key, Field.authorized, authorized[slot]!);
    this.#digest.remove(Table.hold, key, Field.remaining, remaining[slot]!);
    this.#digest.remove(Table.hold, key, Field.expires, expiresMs[slot]!);
  }

  /** Enters the hold's sequence once into the dirty list; a freed hold is found there as gone. */
  #touch(slot: number): void {
    if (this.#dirtyMark[slot] === 1) return;
    this.#dirtyMark[slot] = 1;
    this.dirty.push(this.sequence[slot]!);
  }

  #take(): number {
    if (this.#free > 0) {
      const slot = this.#free - 1;
      this.#free = this.account[slot]!;
      return slot;
    }
    const slot = this.#slots;
    if (slot >= this.sequence.length) this.#ensure(capacityFor(this.sequence.length, slot + 1));
    this.#slots = slot + 1;
    return slot;
  }

  #ensure(rows: number): void {
    this.sequence = grown(this.sequence, rows);
    this.account = grown(this.account, rows);
    this.card = grown(this.card, rows);
    this.original = grown(this.original, rows);
    this.authorized = grown(this.authorized, rows);
    this.remaining = grown(this.remaining, rows);
    this.expiresMs = grown(this.expiresMs, rows);
    this.newest = grown(this.newest, rows);
    this.#dirtyMark = grown(this.#dirtyMark, rows);
  }
}
