/**
 * A growing set of 64-bit hashes, each with the journal sequence that brought it: references of payments, idempotency
 * keys of the API. 20 to 24 bytes an entry. Entries are never removed. Two different keys with the same 64 bits are met
 * once in 2^64 / n^2 * 2: at a million keys, a chance of 3 in 10^8; for idempotency keys a hit is confirmed on the record.
 */
import { assert } from '../errors.js';
import { capacityFor, grown, type RowCursor } from './columns.js';
import type { StateDigest } from './digest.js';
import { BLOCK_BITS } from './rows.js';
import { SlotIndex } from './slot-index.js';

const BLOCK_VERSION = 2;

export class KeySet {
  #high = new Uint32Array(0);
  #low = new Uint32Array(0);
  /** 0 = the place is empty (its row was not in the checkpoint). */
  #sequence = new Float64Array(0);
  #count = 0;
  /** Places from here on are not in the checkpoint yet. */
  #dirtyFrom = 0;
  #passEnd = 0;
  readonly #index = new SlotIndex((place) => this.#high[place]! ^ this.#low[place]!, 6);
  readonly #digest: StateDigest;
  readonly #table: number;
  readonly #blockBits: number;

  /** `blockBits`: a checkpoint block has 2 to that power places, at most BLOCK_ROWS. */
  constructor(digest: StateDigest, table: number, blockBits = BLOCK_BITS) {
    this.#digest = digest;
    this.#table = table;
    this.#blockBits = blockBits;
  }

  get count(): number {
    return this.#index.count;
  }

  /** Sequence of the event that brought the key, 0 when it is not in the set. */
  find(high: number, low: number): number {
    const index = this.#index;
    for (let place = index.first(high ^ low); place >= 0; place = index.next()) {
      if (this.#high[place] === high && this.#low[place] === low) return this.#sequence[place]!;
    }
    return 0;
  }

  /** Adds a key; nothing happens when it is there already. */
  add(high: number, low: number, sequence: number): void {
    if (this.find(high, low) === 0) this.#put(this.#count, high, low, sequence);
  }

  /** Blocks with places that are not in the checkpoint yet. */
  get dirtyCount(): number {
    if (this.#dirtyFrom >= this.#count) return 0;
    return ((this.#count - 1) >> this.#blockBits) - (this.#dirtyFrom >> this.#blockBits) + 1;
  }

  /** Hands out up to `limit` blocks with places that are not in the checkpoint yet, and forgets them. */
  takeDirty(limit: number, visit: (block: number) => void): number {
    let taken = 0;
    for (; taken < limit && this.#dirtyFrom < this.#count; taken++) {
      const block = this.#dirtyFrom >> this.#blockBits;
      this.#dirtyFrom = Math.min(this.#count, (block + 1) << this.#blockBits);
      visit(block);
    }
    return taken;
  }

  /** Begins a pass over the places that are not in the checkpoint now. */
  startPass(): void {
    this.#passEnd = this.#count;
  }

  get passDone(): boolean {
    return this.#dirtyFrom >= this.#passEnd;
  }

  /** Writes a block of places at the cursor; false when it has none. */
  writeBlock(block: number, cursor: RowCursor): boolean {
    const first = block << this.#blockBits;
    if (first >= this.#count) return false;
    cursor.putU8(BLOCK_VERSION);
    for (let place = first; place < Math.min(first + (1 << this.#blockBits), this.#count); place++) {
      cursor.putU32(this.#high[place]!);
      cursor.putU32(this.#low[place]!);
      cursor.putF64(this.#sequence[place]!);
    }
    return true;
  }

  /** Takes a block of a checkpoint in. A place that is empty in it was not known then; the replay brings its key again. */
  readBlock(block: number, cursor: RowCursor, length: number): void {
    const end = cursor.at + length;
    assert(cursor.u8() === BLOCK_VERSION, `key block ${block} has a version this release does not know`);
    for (let place = block << this.#blockBits; cursor.at < end; place++) {
      const high = cursor.u32();
      const low = cursor.u32();
      const sequence = cursor.f64();
      if (sequence !== 0) this.#put(place, high, low, sequence);
    }
    this.#dirtyFrom = Math.max(this.#dirtyFrom, this.#count);
  }

  get memoryBytes(): number {
    return this.#sequence.length * 16 + this.#index.bytes;
  }

  #put(place: number, high: number, low: number, sequence: number): void {
    if (place >= this.#sequence.length) {
      const rows = capacityFor(this.#sequence.length, place + 1);
      this.#high = grown(this.#high, rows);
      this.#low = grown(this.#low, rows);
      this.#sequence = grown(this.#sequence, rows);
    }
    assert(this.#sequence[place] === 0, `key place ${place} is taken`);
    this.#high[place] = high;
    this.#low[place] = low;
    this.#sequence[place] = sequence;
    this.#count = Math.max(this.#count, place + 1);
    this.#index.insert(place);
    // The place takes no part: it depends on the path. The hash itself is the key of the digest's row.
    this.#digest.add(this.#table, high * 2 ** 20 + (low >>> 12), 1, low);
    this.#digest.add(this.#table, high, 2, sequence);
  }
}
