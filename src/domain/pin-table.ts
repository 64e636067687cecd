/**
 * Reference values of the cards' PINs (PVV or offset), sealed by the vault: what is in them only who has its key knows. A row of 64
 * bytes per card slot, in chunks that exist only where a card has a PIN.
 *
 *   f64  0 newest record that set it
 *   u32  2-12 the sealed value, 44 bytes · 13 1 when there is one
 *
 * A row that was taken away stays, so that a replay of older events does not bring it back.
 */
import { assert } from '../errors.js';
import { DirtyList, type RowCursor } from './columns.js';
import type { StateDigest } from './digest.js';
import { finishHash, mixBytes } from './hash.js';
import { BLOCK_BITS, ROW_BYTES, Rows } from './rows.js';
import { Table } from './tables.js';

/** Bytes of a sealed value: format, nonce, 15 bytes of ciphertext, tag (vault/pin-references.ts). */
export const PIN_REFERENCE_BYTES = 44;
const SEALED = 2;
const WORDS = PIN_REFERENCE_BYTES / 4;
const PRESENT = 13;
const BLOCK_VERSION = 1;
const Field = { value: 1, newest: 2 } as const;
const HASH_SEED = 0x51ed270b;

export class PinTable {
  readonly #data = new Rows();
  #count = 0;
  readonly #digest: StateDigest;
  readonly #blockBits: number;
  readonly #scratch = new Uint8Array(PIN_REFERENCE_BYTES);
  readonly dirty: DirtyList;

  /** `blockBits`: a checkpoint block has 2 to that power rows. */
  constructor(digest: StateDigest, blockBits = BLOCK_BITS) {
    this.#digest = digest;
    this.#blockBits = blockBits;
    this.dirty = new DirtyList(blockBits);
  }

  has(cardSlot: number): boolean {
    return cardSlot < this.#count && this.#data.u32(cardSlot, PRESENT) === 1;
  }

  /** Copies the sealed value of a card that has one to `target`. */
  copy(cardSlot: number, target: Uint8Array): void {
    for (let word = 0; word < WORDS; word++) {
      const value = this.#data.u32(cardSlot, SEALED + word);
      for (let i = 0; i < 4; i++) target[word * 4 + i] = value >>> (8 * i);
    }
  }

  /** Sets the sealed value, or takes it away when it is empty, unless the row includes the event at `sequence`. */
  set(cardSlot: number, sealed: Uint8Array, sequence: number): void {
    assert(sealed.length === 0 || sealed.length === PIN_REFERENCE_BYTES, 'a sealed PIN reference has 44 bytes');
    this.#reserve(cardSlot);
    const data = this.#data;
    if (sequence <= data.f64(cardSlot, 0)) return;
    this.#sum(cardSlot, -1);
    data.setF64(cardSlot, 0, sequence);
    for (let word = 0; word < WORDS; word++) {
      let value = 0;
      for (let i = 0; i < 4; i++) value |= (sealed[word * 4 + i] ?? 0) << (8 * i);
      data.setU32(cardSlot, SEALED + word, value);
    }
    data.setU32(cardSlot, PRESENT, sealed.length === 0 ? 0 : 1);
    this.#sum(cardSlot, 1);
    this.dirty.pushRow(cardSlot);
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

  readBlock(block: number, cursor: RowCursor): void {
    assert(cursor.u8() === BLOCK_VERSION, `PIN block ${block} has a version this release does not know`);
    const rows = 1 << this.#blockBits;
    assert(cursor.at + rows * ROW_BYTES <= cursor.bytes.length, `PIN block ${block} is too short`);
    for (let i = 0; i < rows; i++) {
      const slot = (block << this.#blockBits) + i;
      this.#reserve(slot);
      this.#data.copyIn(slot, cursor.bytes, cursor.at);
      cursor.at += ROW_BYTES;
      this.#sum(slot, 1);
    }
  }

  get memoryBytes(): number {
    return this.#data.bytes + this.dirty.bytes;
  }

  /** A row that no event has set is not part of the state. */
  #sum(cardSlot: number, sign: number): void {
    const newest = this.#data.f64(cardSlot, 0);
    if (newest === 0) return;
    this.copy(cardSlot, this.#scratch);
    const hash = finishHash(mixBytes(HASH_SEED, this.#scratch, 0, PIN_REFERENCE_BYTES));
    this.#digest.sum(Table.pin, cardSlot, Field.value, hash, sign);
    this.#digest.sum(Table.pin, cardSlot, Field.newest, newest, sign);
  }

  #reserve(cardSlot: number): void {
    this.#data.reserve(cardSlot);
    if (cardSlot >= this.#count) this.#count = cardSlot + 1;
  }
}
