/**
 * Open holds of a shard: a row of 64 bytes each (rows.ts), found by the journal sequence of their authorization. A hold
 * leaves the table when nothing stays authorized, or at its end; one of which nothing remains because all of it was cleared
 * waits for its end, since an increment may still come. The authorization stays matchable by its record. Freed slots
 * are reused, so slots mean nothing outside, and nothing of them enters the digest.
 *
 *   f64  0 sequence of the authorization, 0 = free slot · 1 original · 2 authorized · 3 remaining · 4 expiry, ms · 5 newest
 *   u32  12 account's slot (of a free slot: the next free one + 1) · 13 card's slot · 14 place in the expiry queue
 *        (hold-queue.ts; derived: zero in a checkpoint) · 15 bits of HoldFlag
 */
import { assert } from '../errors.js';
import { DirtyList, type RowCursor } from './columns.js';
import type { StateDigest } from './digest.js';
import { mixInteger, spreadHash } from './hash.js';
import { HoldQueue } from './hold-queue.js';
import { addMoney } from './money.js';
import { BLOCK_BITS, ROW_BYTES, Rows } from './rows.js';
import { SlotIndex } from './slot-index.js';
import { Table } from './tables.js';

const Field = { place: 1, original: 2, authorized: 3, remaining: 4, expires: 5, flags: 6 } as const;

/** What a decision must know of a hold beside its amounts. Bits in rows and records: never change or reuse one (2 was one). */
export const HoldFlag = {
  /** A refund is announced: the row holds nothing and waits for its expiry. */
  refund: 1,
  /** It counted in velocity windows: what is released gives back. */
  counted: 4,
} as const;

/** 8-byte words of a row. */
const SEQUENCE = 0;
const ORIGINAL = 1;
const AUTHORIZED = 2;
const REMAINING = 3;
const EXPIRES = 4;
const NEWEST = 5;
/** 4-byte words of a row. */
const ACCOUNT = 12;
const CARD = 13;
const PLACE = 14;
const FLAGS = 15;

const BLOCK_VERSION = 2;

const hashOf = (sequence: number): number => spreadHash(mixInteger(0x3c6ef372, sequence));

export class HoldTable {
  readonly #data = new Rows();
  /** Head of the free list, slot + 1; the list runs through the rows. */
  #free = 0;
  #slots = 0;
  /** Largest sequence that was ever in the table. */
  #last = 0;
  /** Slots came from a checkpoint: those between them that are empty are not in the free list yet. */
  #loaded = false;
  readonly #index = new SlotIndex((slot) => hashOf(this.sequence(slot)));
  readonly #queue = new HoldQueue(this.#data, { expires: EXPIRES, sequence: SEQUENCE, place: PLACE });
  readonly #digest: StateDigest;
  readonly dirty: DirtyList;
  readonly #blockBits: number;

  /** `blockBits`: a checkpoint block has 2 to that power rows, at most BLOCK_ROWS. */
  constructor(digest: StateDigest, blockBits = BLOCK_BITS) {
    this.#digest = digest;
    this.#blockBits = blockBits;
    this.dirty = new DirtyList(blockBits);
  }

  /** Open holds. */
  get count(): number {
    return this.#index.count;
  }

  /** Slots ever used: the bound of a walk over `sequence`, whose zeros are free slots. */
  get slots(): number {
    return this.#slots;
  }

  /** Sequence of the authorization; 0 = free slot. */
  sequence(slot: number): number {
    return this.#data.f64(slot, SEQUENCE);
  }

  /** What was approved first, minor units of the account's currency. */
  original(slot: number): number {
    return this.#data.f64(slot, ORIGINAL);
  }

  /** The authorized total now: after partial reversals and increments. */
  authorized(slot: number): number {
    return this.#data.f64(slot, AUTHORIZED);
  }

  /** What is still held. */
  remaining(slot: number): number {
    return this.#data.f64(slot, REMAINING);
  }

  /** What of the authorized total was cleared or posted. An announced refund holds nothing, and none of it was. */
  cleared(slot: number): number {
    return (this.flags(slot) & HoldFlag.refund) !== 0 ? 0 : this.authorized(slot) - this.remaining(slot);
  }

  expiresMs(slot: number): number {
    return this.#data.f64(slot, EXPIRES);
  }

  /** The row includes every event up to this sequence. */
  newest(slot: number): number {
    return this.#data.f64(slot, NEWEST);
  }

  account(slot: number): number {
    return this.#data.u32(slot, ACCOUNT);
  }

  card(slot: number): number {
    return this.#data.u32(slot, CARD);
  }

  /** Bits of `HoldFlag`. */
  flags(slot: number): number {
    return this.#data.u32(slot, FLAGS);
  }

  /** False when no hold of this sequence or a later one was ever placed: live traffic needs no search before `place`. */
  mayHave(sequence: number): boolean {
    return sequence <= this.#last;
  }

  /** Slot of the hold of the authorization at `sequence`, -1 when none is open. */
  find(sequence: number): number {
    const index = this.#index;
    for (let slot = index.first(hashOf(sequence)); slot >= 0; slot = index.next()) {
      if (this.sequence(slot) === sequence) return slot;
    }
    return -1;
  }

  /** Makes `earliest` fast: after a recovery, before traffic (O(n); else the first question does it). */
  order(): void {
    this.#queue.order();
  }

  /** Slot of the open hold that ends first (equal ends: the older authorization), -1 without one. */
  earliest(): number {
    return this.#queue.first();
  }

  /**
   * @param sequence of the authorization @param authorized minor units, above zero @param held the same, or 0 for a refund
   * @param newest sequence of the element that places the hold
   */
  place(
    sequence: number,
    accountSlot: number,
    cardSlot: number,
    authorized: number,
    held: number,
    expiresMs: number,
    flags: number,
    newest: number,
  ): void {
    const isRefund = (flags & HoldFlag.refund) !== 0;
    if (isRefund ? authorized <= 0 || held !== 0 : held <= 0 || held > authorized)
      assert(false, `the hold of ${sequence} would hold ${held} of ${authorized}`);
    const slot = this.#take();
    this.#last = Math.max(this.#last, sequence);
    const data = this.#data;
    data.setF64(slot, SEQUENCE, sequence);
    data.setF64(slot, ORIGINAL, authorized);
    data.setF64(slot, AUTHORIZED, authorized);
    data.setF64(slot, REMAINING, held);
    data.setF64(slot, EXPIRES, expiresMs);
    data.setF64(slot, NEWEST, newest);
    data.setU32(slot, ACCOUNT, accountSlot);
    data.setU32(slot, CARD, cardSlot);
    data.setU32(slot, FLAGS, flags);
    this.#index.insert(slot);
    this.#queue.insert(slot);
    this.#sum(slot, 1);
    this.dirty.pushRow(slot);
  }

  /**
   * Sets the authorized total and moves the remaining amount by `delta`; the hold leaves the table when nothing stays
   * authorized.
   * @param expiresMs 0 leaves its end as it is @param flags are added
   */
  change(slot: number, authorized: number, delta: number, expiresMs: number, flags: number, sequence: number): void {
    const remaining = addMoney(this.remaining(slot), delta);
    if (remaining < 0) assert(false, `hold ${this.sequence(slot)} would keep ${remaining}`);
    if (remaining === 0 && authorized === 0) {
      this.close(slot);
      return;
    }
    this.dirty.pushRow(slot);
    this.#sum(slot, -1);
    this.#data.setU32(slot, FLAGS, this.flags(slot) | flags);
    if (expiresMs > 0) {
      this.#data.setF64(slot, EXPIRES, expiresMs);
      this.#queue.moved(slot);
    }
    this.#data.setF64(slot, AUTHORIZED, authorized);
    this.#data.setF64(slot, REMAINING, remaining);
    this.#data.setF64(slot, NEWEST, sequence);
    this.#sum(slot, 1);
  }

  /** Takes the hold out of the table. */
  close(slot: number): void {
    this.dirty.pushRow(slot);
    this.#sum(slot, -1);
    this.#index.remove(slot);
    this.#queue.remove(slot);
    this.#data.setF64(slot, SEQUENCE, 0);
    this.#setFree(slot);
  }

  /** Writes a block of rows at the cursor; false when it has none. */
  writeBlock(block: number, cursor: RowCursor): boolean {
    const first = block << this.#blockBits;
    const rows = 1 << this.#blockBits;
    if (first >= this.#slots) return false;
    cursor.putU8(BLOCK_VERSION);
    this.#data.copyOut(first, rows, cursor.bytes, cursor.at);
    for (let row = 0; row < rows; row++) {
      const placeAt = cursor.at + row * ROW_BYTES + PLACE * 4;
      cursor.bytes.fill(0, placeAt, placeAt + 4);
    }
    cursor.at += rows * ROW_BYTES;
    return true;
  }

  /** Takes a block of a checkpoint into empty slots. */
  readBlock(block: number, cursor: RowCursor): void {
    assert(cursor.u8() === BLOCK_VERSION, `hold block ${block} has a version this release does not know`);
    const first = block << this.#blockBits;
    const rows = 1 << this.#blockBits;
    const rowsAt = cursor.at;
    cursor.at += rows * ROW_BYTES;
    assert(cursor.at <= cursor.bytes.length, `hold block ${block} is too short`);
    this.#data.reserve(first + rows - 1);
    this.#loaded = true;
    for (let slot = first; slot < first + rows; slot++) {
      assert(slot >= this.#slots || this.sequence(slot) === 0, `hold slot ${slot} is taken`);
      this.#data.copyIn(slot, cursor.bytes, rowsAt + (slot - first) * ROW_BYTES);
      if (this.sequence(slot) === 0) continue;
      this.#last = Math.max(this.#last, this.sequence(slot));
      this.#index.insert(slot);
      this.#queue.insert(slot);
      this.#sum(slot, 1);
    }
    this.#slots = Math.max(this.#slots, first + rows);
  }

  get memoryBytes(): number {
    return this.#data.bytes + this.#index.bytes + this.#queue.bytes + this.dirty.bytes;
  }

  /** Takes a hold into the digest or out of it. The age of the row (`newest`) is no part of the state. */
  #sum(slot: number, sign: number): void {
    const key = this.sequence(slot);
    const digest = this.#digest;
    digest.sum(Table.hold, key, Field.place, this.account(slot) * 2 ** 24 + this.card(slot), sign);
    digest.sum(Table.hold, key, Field.original, this.original(slot), sign);
    digest.sum(Table.hold, key, Field.authorized, this.authorized(slot), sign);
    digest.sum(Table.hold, key, Field.remaining, this.remaining(slot), sign);
    digest.sum(Table.hold, key, Field.expires, this.expiresMs(slot), sign);
    // Zero is taken as "not there", so that directories of earlier releases keep their digest.
    if (this.flags(slot) !== 0) digest.sum(Table.hold, key, Field.flags, this.flags(slot), sign);
  }

  #take(): number {
    if (this.#loaded) this.#listFree();
    if (this.#free > 0) {
      const slot = this.#free - 1;
      this.#free = this.account(slot);
      return slot;
    }
    const slot = this.#slots;
    this.#data.reserve(slot);
    this.#slots = slot + 1;
    return slot;
  }

  #setFree(slot: number): void {
    this.#data.setU32(slot, ACCOUNT, this.#free);
    this.#free = slot + 1;
  }

  /** After a load: every empty slot is free, also those of blocks that the checkpoint does not have. */
  #listFree(): void {
    this.#loaded = false;
    this.#free = 0;
    for (let slot = this.#slots - 1; slot >= 0; slot--) if (this.sequence(slot) === 0) this.#setFree(slot);
  }
}
