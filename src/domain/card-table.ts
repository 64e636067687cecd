/**
 * Cards of a shard: a row of 64 bytes each; see account-table.ts for the manner and for what to do when a value is added.
 * A card is found by the keyed fingerprint of its PAN (create: is it there already?) or, on the hot path, by the slot that
 * the card directory gave.
 *
 *   f64  0 newest record · 1 created, ms
 *   u32  4 account's slot · 5 BIN | service code << 20 · 6 slot of the replaced card + 1, 0 = none; of a network token: of its card · 7 approval codes given · 8 newest tombstone, s
 *        9 next older card of the account, slot + 1 (derived) · 10-12 fingerprint
 *        13 own status | network's listing << 4 | length of the PAN << 8 | last four << 16 · 14 expiry | sequence number << 16 · 15 highest counter
 *        of its chip | 1 << 16 for a network token | 1 << 17 when an approval has a code of the network | 1 << 18 when a counter was seen
 *        | failed PINs << 24
 *
 * Until version 3 of a block the service code stood where the counter is.
 *
 * A network token is a row of its own, with its own number, expiry and status, that stands for a card.
 *
 * Whether a card may pay has two causes that know nothing of each other: its own status, which the issuer sets, and the network's
 * listing, which a file update sets and takes off (decide-file-update.ts).
 */
import { assert } from '../errors.js';
import { CardStatus } from './codes.js';
import { DirtyList, type RowCursor } from './columns.js';
import type { StateDigest } from './digest.js';
import { BLOCK_BITS, ROW_BYTES, Rows } from './rows.js';
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
  extras: 12,
  counter: 13,
} as const;

const FINGERPRINT_FIELDS = [Field.f0, Field.f1, Field.f2] as const;

/** 8-byte words of a row. */
const NEWEST = 0;
const CREATED = 1;
/** 4-byte words of a row. */
const ACCOUNT = 4;
const BIN = 5;
const REPLACES = 6;
const APPROVALS = 7;
const TOMBSTONE = 8;
const NEXT_OF_ACCOUNT = 9;
const FINGERPRINT = 10;
const STATUS = 13;
const EXPIRY = 14;
const EXTRAS = 15;

const BLOCK_VERSION = 3;
/** The oldest version that can be read. */
const BLOCK_VERSION_MIN = 2;
/** In the word of the status. */
const OWN_MASK = 0xf;
/** In the word of the BIN. */
const BIN_MASK = 0xfffff;
const SERVICE_SHIFT = 20;
/** In the word of the extras. */
const COUNTER_MASK = 0xffff;
const ALIAS = 1 << 16;
const NETWORK_CODE = 1 << 17;
const COUNTED = 1 << 18;
const PIN_SHIFT = 24;

const NONE: readonly number[] = [];

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
  /** Slot of the card that a network token stands for, -1 for a card. */
  aliasOfSlot: number;
}

export class CardTable {
  readonly #data = new Rows();
  #count = 0;
  #rows = 0;
  // The fingerprint is a keyed hash already: the card directory uses its first word, this index the second.
  readonly #index = new SlotIndex((slot) => this.fingerprint(slot, 1));
  /** Slots of the cards that replace a card; derived. Few cards are in it: a word of the row would be one for every card. */
  readonly #replacedBy = new Map<number, number[]>();
  readonly #digest: StateDigest;
  readonly dirty: DirtyList;
  readonly #blockBits: number;

  /** `blockBits`: a checkpoint block has 2 to that power rows, at most BLOCK_ROWS. */
  constructor(digest: StateDigest, blockBits = BLOCK_BITS) {
    this.#digest = digest;
    this.#blockBits = blockBits;
    this.dirty = new DirtyList(blockBits);
  }

  /** Slots given out: the slot of the next card. */
  get count(): number {
    return this.#count;
  }

  get rows(): number {
    return this.#rows;
  }

  exists(slot: number): boolean {
    return slot >= 0 && slot < this.#count && this.status(slot) !== 0;
  }

  /** Newest record that names the card; the row includes every event up to it. */
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

  account(slot: number): number {
    return this.#data.u32(slot, ACCOUNT);
  }

  bin(slot: number): number {
    return this.#data.u32(slot, BIN) & BIN_MASK;
  }

  /** Slot of the replaced card, -1 for none. */
  replaces(slot: number): number {
    return this.isAlias(slot) ? -1 : this.#data.u32(slot, REPLACES) - 1;
  }

  /** Slots of the cards that replace this one: none or one; an earlier release let a card be replaced twice. */
  replacedBy(slot: number): readonly number[] {
    return this.#replacedBy.get(slot) ?? NONE;
  }

  /** True for a network token. */
  isAlias(slot: number): boolean {
    return (this.#data.u32(slot, EXTRAS) & ALIAS) !== 0;
  }

  /** Slot of the card that a network token stands for, -1 for a card. */
  aliasOf(slot: number): number {
    return this.isAlias(slot) ? this.#data.u32(slot, REPLACES) - 1 : -1;
  }

  /** True when an advice brought an approval code of the network's own: one of ours might be the same. */
  hasNetworkCode(slot: number): boolean {
    return (this.#data.u32(slot, EXTRAS) & NETWORK_CODE) !== 0;
  }

  /** Failed PINs since the last right one, at most 255. */
  pinTries(slot: number): number {
    return this.#data.u32(slot, EXTRAS) >>> PIN_SHIFT;
  }

  /** Highest transaction counter (ATC) of its chip, -1 when none was seen. */
  counter(slot: number): number {
    const word = this.#data.u32(slot, EXTRAS);
    return (word & COUNTED) === 0 ? -1 : word & COUNTER_MASK;
  }

  /** Approval codes given so far. */
  approvals(slot: number): number {
    return this.#data.u32(slot, APPROVALS);
  }

  /** When the card's newest tombstone (early reversal) was recorded, seconds since 1970; 0 for never. */
  tombstoneS(slot: number): number {
    return this.#data.u32(slot, TOMBSTONE);
  }

  /** Next older linked card of the same account, slot + 1; derived, not part of the row's content. */
  nextOfAccount(slot: number): number {
    return this.#data.u32(slot, NEXT_OF_ACCOUNT);
  }

  setNextOfAccount(slot: number, link: number): void {
    this.#data.setU32(slot, NEXT_OF_ACCOUNT, link);
  }

  /** Word 0-2 of the card's fingerprint. */
  fingerprint(slot: number, word: number): number {
    return this.#data.u32(slot, FINGERPRINT + word);
  }

  /** The CardStatus that decides: its own, or of an active card the network's listing. 0 = the slot has no row. */
  status(slot: number): number {
    const both = this.#data.u32(slot, STATUS) & 0xff;
    return both >>> 4 === 0 || (both & OWN_MASK) !== CardStatus.active ? both & OWN_MASK : both >>> 4;
  }

  /** The status that the issuer gave it, or that ended it. */
  ownStatus(slot: number): number {
    return this.#data.u32(slot, STATUS) & OWN_MASK;
  }

  /** The CardStatus by which the network lists it: paused or expired, 0 when it is on no list. */
  listing(slot: number): number {
    return (this.#data.u32(slot, STATUS) >>> 4) & OWN_MASK;
  }

  panLength(slot: number): number {
    return (this.#data.u32(slot, STATUS) >>> 8) & 0xff;
  }

  last4(slot: number): number {
    return this.#data.u32(slot, STATUS) >>> 16;
  }

  /** YYMM. */
  expiry(slot: number): number {
    return this.#data.u32(slot, EXPIRY) & 0xffff;
  }

  cardSequence(slot: number): number {
    return this.#data.u32(slot, EXPIRY) >>> 16;
  }

  serviceCode(slot: number): number {
    return this.#data.u32(slot, BIN) >>> SERVICE_SHIFT;
  }

  /** Slot of the card with this fingerprint in this shard, -1 when there is none. */
  find(f0: number, f1: number, f2: number): number {
    const index = this.#index;
    for (let slot = index.first(f1); slot >= 0; slot = index.next()) {
      if (this.fingerprint(slot, 0) === f0 && this.fingerprint(slot, 1) === f1 && this.fingerprint(slot, 2) === f2)
        return slot;
    }
    return -1;
  }

  create(row: NewCard, createdMs: number, sequence: number): void {
    const slot = row.cardSlot;
    this.#reserve(slot);
    assert(this.status(slot) === 0, `card slot ${slot} is taken`);
    const data = this.#data;
    data.setF64(slot, NEWEST, sequence);
    data.setF64(slot, CREATED, createdMs);
    data.setU32(slot, ACCOUNT, row.accountSlot);
    data.setU32(slot, BIN, (row.bin | (row.serviceCode << SERVICE_SHIFT)) >>> 0);
    data.setU32(slot, REPLACES, (row.aliasOfSlot >= 0 ? row.aliasOfSlot : row.replacesSlot) + 1);
    for (let i = 0; i < 3; i++) data.setU32(slot, FINGERPRINT + i, row.fingerprint[i]!);
    data.setU32(slot, STATUS, row.status | (row.panLength << 8) | (row.last4 << 16));
    data.setU32(slot, EXPIRY, row.expiry | (row.cardSequence << 16));
    data.setU32(slot, EXTRAS, row.aliasOfSlot >= 0 ? ALIAS : 0);
    this.#enter(slot);
    this.dirty.pushRow(slot);
  }

  /** The card is found by this fingerprint from here on. */
  setFingerprint(slot: number, fingerprint: readonly [number, number, number]): void {
    this.#index.remove(slot);
    for (const [word, field] of FINGERPRINT_FIELDS.entries()) {
      const after = fingerprint[word]!;
      this.#digest.change(Table.card, slot, field, this.fingerprint(slot, word), after);
      this.#data.setU32(slot, FINGERPRINT + word, after);
    }
    this.#index.insert(slot);
    this.dirty.pushRow(slot);
  }

  /** Sets its own status; a listing stays. */
  setStatus(slot: number, status: number): void {
    this.#setCauses(slot, status, this.listing(slot));
  }

  /** @param listing 0: off the list */
  setListing(slot: number, listing: number): void {
    this.#setCauses(slot, this.ownStatus(slot), listing);
  }

  #setCauses(slot: number, own: number, listing: number): void {
    const before = this.#facts(slot);
    this.#data.setU32(slot, STATUS, (this.#data.u32(slot, STATUS) & ~0xff) | own | (listing << 4));
    this.#digest.change(Table.card, slot, Field.facts, before, this.#facts(slot));
    this.dirty.pushRow(slot);
  }

  setPinTries(slot: number, tries: number): void {
    this.#setExtras(slot, (this.#data.u32(slot, EXTRAS) & 0xffffff) | (tries << PIN_SHIFT));
  }

  /** @param counter 0 to 65535; the caller sees to it that it never goes back */
  setCounter(slot: number, counter: number): void {
    const before = this.counter(slot);
    this.#setExtras(slot, (this.#data.u32(slot, EXTRAS) & ~COUNTER_MASK) | COUNTED | counter);
    if (before >= 0) this.#digest.remove(Table.card, slot, Field.counter, before);
    this.#digest.add(Table.card, slot, Field.counter, counter);
  }

  setNetworkCode(slot: number): void {
    if (!this.hasNetworkCode(slot)) this.#setExtras(slot, this.#data.u32(slot, EXTRAS) | NETWORK_CODE);
  }

  #setExtras(slot: number, word: number): void {
    const before = this.#extras(slot);
    this.#data.setU32(slot, EXTRAS, word);
    this.#sumExtras(slot, before, -1);
    this.#sumExtras(slot, this.#extras(slot), 1);
    this.dirty.pushRow(slot);
  }

  /** Marks the row as including the event at `sequence`; false when it did already, and then nothing may be applied. */
  advance(slot: number, sequence: number): boolean {
    const before = this.newest(slot);
    if (sequence <= before) return false;
    this.#digest.change(Table.card, slot, Field.newest, before, sequence);
    this.#data.setF64(slot, NEWEST, sequence);
    this.dirty.pushRow(slot);
    return true;
  }

  countApproval(slot: number): void {
    const before = this.approvals(slot);
    this.#data.setU32(slot, APPROVALS, before + 1);
    this.#digest.change(Table.card, slot, Field.approvals, before, before + 1);
    this.dirty.pushRow(slot);
  }

  setTombstone(slot: number, timeMs: number): void {
    const before = this.tombstoneS(slot);
    const after = Math.ceil(timeMs / 1000);
    this.#data.setU32(slot, TOMBSTONE, after);
    this.#digest.change(Table.card, slot, Field.tombstone, before, after);
    this.dirty.pushRow(slot);
  }

  /** Writes a block of rows at the cursor; false when it has none. */
  writeBlock(block: number, cursor: RowCursor): boolean {
    const first = block << this.#blockBits;
    const rows = 1 << this.#blockBits;
    if (first >= this.#count) return false;
    cursor.putU8(BLOCK_VERSION);
    this.#data.copyOut(first, rows, cursor.bytes, cursor.at);
    cursor.at += rows * ROW_BYTES;
    return true;
  }

  /** Takes a block of a checkpoint into empty slots and calls `entered` for each row. */
  readBlock(block: number, cursor: RowCursor, entered: (slot: number) => void): void {
    const version = cursor.u8();
    const isKnown = version >= BLOCK_VERSION_MIN && version <= BLOCK_VERSION;
    assert(isKnown, `card block ${block} has a version this release does not know`);
    const rows = 1 << this.#blockBits;
    const rowsAt = cursor.at;
    cursor.at += rows * ROW_BYTES;
    assert(cursor.at <= cursor.bytes.length, `card block ${block} is too short`);
    for (let i = 0; i < rows; i++) {
      const slot = (block << this.#blockBits) + i;
      const rowAt = rowsAt + i * ROW_BYTES;
      if (cursor.bytes[rowAt + STATUS * 4] === 0) continue;
      this.#reserve(slot);
      assert(this.status(slot) === 0, `card slot ${slot} is taken`);
      this.#data.copyIn(slot, cursor.bytes, rowAt);
      if (version === 2) this.#moveServiceCode(slot);
      this.#enter(slot);
      entered(slot);
    }
  }

  get memoryBytes(): number {
    return this.#data.bytes + this.#index.bytes + this.dirty.bytes;
  }

  /** A row of version 2 has its service code in the place of the counter. */
  #moveServiceCode(slot: number): void {
    const extras = this.#data.u32(slot, EXTRAS);
    this.#data.setU32(slot, BIN, (this.#data.u32(slot, BIN) | ((extras & COUNTER_MASK) << SERVICE_SHIFT)) >>> 0);
    this.#data.setU32(slot, EXTRAS, (extras & ~COUNTER_MASK) >>> 0);
  }

  #enter(slot: number): void {
    this.#index.insert(slot);
    this.#rows++;
    const replaced = this.replaces(slot);
    if (replaced >= 0) this.#replacedBy.set(replaced, [...this.replacedBy(replaced), slot]);
    const digest = this.#digest;
    digest.add(Table.card, slot, Field.account, this.account(slot));
    digest.add(Table.card, slot, Field.f0, this.fingerprint(slot, 0));
    digest.add(Table.card, slot, Field.f1, this.fingerprint(slot, 1));
    digest.add(Table.card, slot, Field.f2, this.fingerprint(slot, 2));
    digest.add(
      Table.card,
      slot,
      Field.number,
      (this.bin(slot) * 10_000 + this.last4(slot)) * 256 + this.panLength(slot),
    );
    digest.add(Table.card, slot, Field.facts, this.#facts(slot));
    digest.add(Table.card, slot, Field.replaces, this.#data.u32(slot, REPLACES) - 1);
    this.#sumExtras(slot, this.#extras(slot), 1);
    if (this.counter(slot) >= 0) digest.add(Table.card, slot, Field.counter, this.counter(slot));
    digest.add(Table.card, slot, Field.approvals, this.approvals(slot));
    digest.add(Table.card, slot, Field.newest, this.newest(slot));
    digest.add(Table.card, slot, Field.created, this.createdMs(slot));
    digest.add(Table.card, slot, Field.tombstone, this.tombstoneS(slot));
  }

  /** Both causes, expiry, sequence number and service code as one number for the digest: 8 + 14 + 10 + 10 bits at most. */
  #facts(slot: number): number {
    return (
      (((this.#data.u32(slot, STATUS) & 0xff) * 16_384 + this.expiry(slot)) * 1024 + this.cardSequence(slot)) * 1024 +
      this.serviceCode(slot)
    );
  }

  /** What stands beside the counter. */
  #extras(slot: number): number {
    return this.#data.u32(slot, EXTRAS) >>> 16;
  }

  /** Zero is taken as "not there", so that directories of earlier releases keep their digest. */
  #sumExtras(slot: number, extras: number, sign: number): void {
    if (extras !== 0) this.#digest.sum(Table.card, slot, Field.extras, extras, sign);
  }

  #reserve(slot: number): void {
    this.#data.reserve(slot);
    if (slot >= this.#count) this.#count = slot + 1;
  }
}
