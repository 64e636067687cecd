/**
 * A growing set of 64-bit hashes, each with the journal sequence that brought it: references of payments, idempotency
 * keys of the API. 20 to 24 bytes an entry. Entries are never removed. Two different keys with the same 64 bits are met
 * once in 2^64 / n^2 * 2: at a million keys, a chance of 3 in 10^8; for idempotency keys a hit is confirmed on the record.
 */
import { assert } from '../errors.js';
import { capacityFor, grown, type RowCursor } from './columns.js';
import type { StateDigest } from './digest.js';
import { SlotIndex } from './slot-index.js';

const ROW_VERSION = 1;
const ROW_BYTES = 1 + 4 * 2 + 8;

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

  constructor(digest: StateDigest, table: number) {
    this.#digest = digest;
    this.#table = table;
  }

  get count(): number {
    return this.#index.count;
  }

  /** Sequence of the event that brought the key, 0 when it is not in the set. */
  find(high: number, low: number): number {
    const index = this.#index;
    for (let p = index.start(high ^ low); ; p = index.next(p)) {
      const place = index.slotAt(p);
      if (place < 0) return 0;
      if (this.#high[place] === high && this.#low[place] === low) return this.#sequence[place]!;
    }
  }

  /** Adds a key; nothing happens when it is there already. */
  add(high: number, low: number, sequence: number): void {
    if (this.find(high, low) === 0) this.#put(this.#count, high, low, sequence);
  }

  get dirtyCount(): number {
    return this.#count - this.#dirtyFrom;
  }

  /** Hands out up to `limit` places that are not in the checkpoint yet and forgets them. */
  takeDirty(limit: number, visit: (place: number) => void): number {
    const end = Math.min(this.#count, this.#dirtyFrom + limit);
    const taken = end - this.#dirtyFrom;
    for (; this.#dirtyFrom < end; this.#dirtyFrom++) visit(this.#dirtyFrom);
    return taken;
  }

  /** Begins a pass over the places that are not in the checkpoint now. */
  startPass(): void {
    this.#passEnd = this.#count;
  }

  get passDone(): boolean {
    return this.#dirtyFrom >= this.#passEnd;
  }

  writeRow(place: number, cursor: RowCursor): void {
    cursor.putU8(ROW_VERSION);
    cursor.putU32(this.#high[place]!);
    cursor.putU32(this.#low[place]!);
    cursor.putF64(this.#sequence[place]!);
  }

  readRow(place: number, cursor: RowCursor, length: number): void {
    assert(cursor.u8() === ROW_VERSION, `key row ${place} has a version this release does not know`);
    assert(length === ROW_BYTES, `key row ${place} has ${length} bytes`);
    const high = cursor.u32();
    const low = cursor.u32();
    // A gap before this place was not in the checkpoint; the replay brings its key again, behind the others.
    this.#put(place, high, low, cursor.f64());
    this.#dirtyFrom = Math.max(this.#dirtyFrom, this.#count);
  }

  has(place: number): boolean {
    return place < this.#count && this.#sequence[place] !== 0;
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
