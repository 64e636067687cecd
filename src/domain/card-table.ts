/**
 * Cards of a shard as columns; see account-table.ts for the manner and for what to do when a column is added. A card is
 * found by the keyed fingerprint of its PAN (create: is it there already?) or, on the hot path, by the slot that the
 * card directory gave.
 */
import { assert } from '../errors.js';
import { capacityFor, DirtyList, grown, type RowCursor } from './columns.js';
import type { StateDigest } from './digest.js';
import { SlotIndex } from './slot-index.js';
import { Table } from './tables.js';

const Field = {
  account: 1,
  f0: 2,
  f1: 3,
  f2: 4,
  number: 5,
  facts: 6,
  replaces: 7,
  approvals: 8,
  newest: 9,
  created: 10,
  tombstone: 11,
} as const;

const ROW_VERSION = 1;
const ROW_BYTES = 1 + 1 + 1 + 2 * 4 + 4 * 8 + 8 * 2;

export interface NewCard {
  cardSlot: number;
  accountSlot: number;
  fingerprint: readonly [number, number, number];
  bin: number;
  last4: number;
  panLength: number;
  expiry: number;
  cardSequence: number;
  serviceCode: number;
  status: number;
  replacesSlot: number;
}

export class CardTable {
  account = new Uint32Array(0);
  bin = new Uint32Array(0);
  last4 = new Uint16Array(0);
  panLength = new Uint8Array(0);
  /** YYMM. */
  expiry = new Uint16Array(0);
  cardSequence = new Uint16Array(0);
  serviceCode = new Uint16Array(0);
  /** CardStatus; 0 = the slot has no row. */
  status = new Uint8Array(0);
  /** Slot of the replaced card, -1 for none. */
  replaces = new Int32Array(0);
  /** Approval codes given so far. */
  approvals = new Uint32Array(0);
  /** Newest record that names the card; the row includes every event up to it. */
  newest = new Float64Array(0);
  createdMs = new Float64Array(0);
  /** When the card's newest tombstone (early reversal) was recorded, seconds since 1970; 0 for never. */
  tombstoneS = new Uint32Array(0);
  /** Next older linked card of the same account, slot + 1; derived, in no row. */
  nextOfAccount = new Uint32Array(0);

  #fingerprints = new Uint32Array(0);
  #dirtyMark = new Uint8Array(0);
  #count = 0;
  #rows = 0;
  // The fingerprint is a keyed hash already: the card directory uses its first word, this index the second.
  readonly #index = new SlotIndex((slot) => this.#fingerprints[slot * 3 + 1]!);
  readonly #digest: StateDigest;
  readonly dirty = new DirtyList();

  constructor(digest: StateDigest) {
    this.#digest = digest;
  }

  /** Slots given out: the slot of the next card. */
  get count(): number {
    return this.#count;
  }

  get rows(): number {
    return this.#rows;
  }

  exists(slot: number): boolean {
    return slot >= 0 && slot < this.#count && this.status[slot] !== 0;
  }

  /** Word 0-2 of the card's fingerprint. */
  fingerprint(slot: number, word: number): number {
    return this.#fingerprints[slot * 3 + word]!;
  }

  /** Slot of the card with this fingerprint in this shard, -1 when there is none. */
  find(f0: number, f1: number, f2: number): number {
    const index = this.#index;
    for (let p = index.start(f1); ; p = index.next(p)) {
      const slot = index.slotAt(p);
      if (slot < 0) return -1;
      const at = slot * 3;
      const words = this.#fingerprints;
      if (words[at] === f0 && words[at + 1] === f1 && words[at + 2] === f2) return slot;
    }
  }

  create(row: NewCard, createdMs: number, sequence: number): void {
    const slot = row.cardSlot;
    this.#reserve(slot);
    assert(this.status[slot] === 0, `card slot ${slot} is taken`);
    this.account[slot] = row.accountSlot;
    this.#fingerprints.set(row.fingerprint, slot * 3);
    this.bin[slot] = row.bin;
    this.last4[slot] = row.last4;
    this.panLength[slot] = row.panLength;
    this.expiry[slot] = row.expiry;
    this.cardSequence[slot] = row.cardSequence;
    this.serviceCode[slot] = row.serviceCode;
    this.status[slot] = row.status;
    this.replaces[slot] = row.replacesSlot;
    this.createdMs[slot] = createdMs;
    this.newest[slot] = sequence;
    this.#enter(slot);
    this.#touch(slot);
  }

  setStatus(slot: number, status: number): void {
    const before = this.#facts(slot);
    this.status[slot] = status;
    this.#digest.change(Table.card, slot, Field.facts, before, this.#facts(slot));
    this.#touch(slot);
  }

  /** Marks the row as including the event at `sequence`; false when it did already, and then nothing may be applied. */
  advance(slot: number, sequence: number): boolean {
    const before = this.newest[slot]!;
    if (sequence <= before) return false;
    this.#digest.change(Table.card, slot, Field.newest, before, sequence);
    this.newest[slot] = sequence;
    this.#touch(slot);
    return true;
  }

  countApproval(slot: number): void {
    const before = this.approvals[slot]!;
    this.approvals[slot] = before + 1;
    this.#digest.change(Table.card, slot, Field.approvals, before, this.approvals[slot]!);
    this.#touch(slot);
  }

  setTombstone(slot: number, timeMs: number): void {
    const before = this.tombstoneS[slot]!;
    this.tombstoneS[slot] = Math.ceil(timeMs / 1000);
    this.#digest.change(Table.card, slot, Field.tombstone, before, this.tombstoneS[slot]!);
    this.#touch(slot);
  }

  clearDirty(slot: number): void {
    this.#dirtyMark[slot] = 0;
  }

  writeRow(slot: number, cursor: RowCursor): void {
    cursor.putU8(ROW_VERSION);
    cursor.putU8(this.status[slot]!);
    cursor.putU8(this.panLength[slot]!);
    cursor.putU16(this.last4[slot]!);
    cursor.putU16(this.expiry[slot]!);
    cursor.putU16(this.cardSequence[slot]!);
    cursor.putU16(this.serviceCode[slot]!);
    cursor.putU32(this.account[slot]!);
    cursor.putU32(this.bin[slot]!);
    for (let i = 0; i < 3; i++) cursor.putU32(this.fingerprint(slot, i));
    cursor.putU32(this.replaces[slot]! >>> 0);
    cursor.putU32(this.approvals[slot]!);
    cursor.putU32(this.tombstoneS[slot]!);
    cursor.putF64(this.newest[slot]!);
    cursor.putF64(this.createdMs[slot]!);
  }

  readRow(slot: number, cursor: RowCursor, length: number): void {
    assert(cursor.u8() === ROW_VERSION, `card row ${slot} has a version this release does not know`);
    assert(length === ROW_BYTES, `card row ${slot} has ${length} bytes`);
    this.#reserve(slot);
    assert(this.status[slot] === 0, `card slot ${slot} is taken`);
    this.status[slot] = cursor.u8();
    this.panLength[slot] = cursor.u8();
    this.last4[slot] = cursor.u16();
    this.expiry[slot] = cursor.u16();
    this.cardSequence[slot] = cursor.u16();
    this.serviceCode[slot] = cursor.u16();
    this.account[slot] = cursor.u32();
    this.bin[slot] = cursor.u32();
    for (let i = 0; i < 3; i++) this.#fingerprints[slot * 3 + i] = cursor.u32();
    this.replaces[slot] = cursor.u32() | 0;
    this.approvals[slot] = cursor.u32();
    this.tombstoneS[slot] = cursor.u32();
    this.newest[slot] = cursor.f64();
    this.createdMs[slot] = cursor.f64();
    this.#enter(slot);
  }

  get memoryBytes(): number {
    return this.status.length * (4 * 6 + 12 + 2 * 4 + 3 + 8 * 2) + this.#index.bytes + this.dirty.bytes;
  }

  #enter(slot: number): void {
    this.#index.insert(slot);
    this.#rows++;
    const digest = this.#digest;
    digest.add(Table.card, slot, Field.account, this.account[slot]!);
    digest.add(Table.card, slot, Field.f0, this.fingerprint(slot, 0));
    digest.add(Table.card, slot, Field.f1, this.fingerprint(slot, 1));
    digest.add(Table.card, slot, Field.f2, this.fingerprint(slot, 2));
    digest.add(
      Table.card,
      slot,
      Field.number,
      (this.bin[slot]! * 10_000 + this.last4[slot]!) * 256 + this.panLength[slot]!,
    );
    digest.add(Table.card, slot, Field.facts, this.#facts(slot));
    digest.add(Table.card, slot, Field.replaces, this.replaces[slot]!);
    digest.add(Table.card, slot, Field.approvals, this.approvals[slot]!);
    digest.add(Table.card, slot, Field.newest, this.newest[slot]!);
    digest.add(Table.card, slot, Field.created, this.createdMs[slot]!);
    digest.add(Table.card, slot, Field.tombstone, this.tombstoneS[slot]!);
  }

  /** Status, expiry, sequence number and service code as one number for the digest: 8 + 14 + 10 + 10 bits at most. */
  #facts(slot: number): number {
    return (
      ((this.status[slot]! * 16_384 + this.expiry[slot]!) * 1024 + this.cardSequence[slot]!) * 1024 +
      this.serviceCode[slot]!
    );
  }

  #touch(slot: number): void {
    if (this.#dirtyMark[slot] === 1) return;
    this.#dirtyMark[slot] = 1;
    this.dirty.push(slot);
  }

  #reserve(slot: number): void {
    if (slot >= this.status.length) this.#ensure(capacityFor(this.status.length, slot + 1));
    if (slot >= this.#count) this.#count = slot + 1;
  }

  #ensure(rows: number): void {
    this.account = grown(this.account, rows);
    this.bin = grown(this.bin, rows);
    this.last4 = grown(this.last4, rows);
    this.panLength = grown(this.panLength, rows);
    this.expiry = grown(this.expiry, rows);
    this.cardSequence = grown(this.cardSequence, rows);
    this.serviceCode = grown(this.serviceCode, rows);
    this.status = grown(this.status, rows);
    this.replaces = grown(this.replaces, rows);
    this.approvals = grown(this.approvals, rows);
    this.newest = grown(this.newest, rows);
    this.createdMs = grown(this.createdMs, rows);
    this.tombstoneS = grown(this.tombstoneS, rows);
    this.nextOfAccount = grown(this.nextOfAccount, rows);
    this.#fingerprints = grown(this.#fingerprints, rows * 3);
    this.#dirtyMark = grown(this.#dirtyMark, rows);
  }
}
