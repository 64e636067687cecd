/**
 * The open holds of a shard in the order in which they end: a heap of their slots with four children per place, by the
 * time of their expiry and then the sequence of their authorization.
 *
 *   place        0
 *              / | | \
 *   places   1   2 3   4     children of place p: 4 p + 1 ... 4 p + 4, parent: (p - 1) >> 2
 *
 * Why a heap: a hold is placed and released a million times for each time that somebody asks which one ends first, and most
 * lives are of a few lengths, so a new hold usually ends after its parent and stays where it was appended. Why four children:
 * half the levels of two, and the four are neighbours in one cache line of the heap.
 *
 * Each row knows its place in a word of its own, so taking a hold out needs no search. Heap and places are derived: neither is
 * in a checkpoint or in the digest. While a state is being built nothing asks for the first, so the heap is a mere list until
 * `order` makes it one, in O(n); whoever only replays (`holdfast verify`) never pays for more.
 *
 * Memory: 4 bytes per slot, in chunks like those of the rows, so that nothing is copied when it grows.
 */
import type { Rows } from './rows.js';

/** Words of a hold's row that the queue reads, and the 4-byte one that it writes. */
export interface QueueWords {
  /** 8-byte words: end of the hold (ms), sequence of its authorization. */
  readonly expires: number;
  readonly sequence: number;
  /** 4-byte word: place in the heap. */
  readonly place: number;
}

const CHUNK_BITS = 12;
const CHUNK_SLOTS = 2 ** CHUNK_BITS;
const CHUNK_MASK = CHUNK_SLOTS - 1;
const CHILDREN = 4;

export class HoldQueue {
  readonly #rows: Rows;
  readonly #words: QueueWords;
  readonly #chunks: Uint32Array[] = [];
  #count = 0;
  #ordered = false;

  constructor(rows: Rows, words: QueueWords) {
    this.#rows = rows;
    this.#words = words;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#chunks.length * CHUNK_SLOTS * 4;
  }

  /** Makes a heap of the list, so that `first` can be asked. */
  order(): void {
    if (this.#ordered) return;
    this.#ordered = true;
    for (let place = (this.#count - 2) >> 2; place >= 0; place--) this.#sink(place, this.#at(place));
  }

  /** Slot of the hold that ends first, -1 when there is none. The first question after a load orders everything. */
  first(): number {
    this.order();
    return this.#count === 0 ? -1 : this.#at(0);
  }

  /** Takes a slot in, whose row is filled. */
  insert(slot: number): void {
    const place = this.#count++;
    if (place >> CHUNK_BITS >= this.#chunks.length) this.#chunks.push(new Uint32Array(CHUNK_SLOTS));
    if (this.#ordered) this.#rise(place, slot);
    else this.#set(place, slot);
  }

  /** Takes a slot out. */
  remove(slot: number): void {
    const place = this.#rows.u32(slot, this.#words.place);
    const last = this.#at(--this.#count);
    if (last !== slot) this.#put(place, last);
  }

  /** The hold in this slot ends at another time than before. */
  moved(slot: number): void {
    this.#put(this.#rows.u32(slot, this.#words.place), slot);
  }

  /** Puts a slot to a place that is free for it, or to where it belongs from there. */
  #put(place: number, slot: number): void {
    if (!this.#ordered) this.#set(place, slot);
    else if (place > 0 && this.#before(slot, this.#at((place - 1) >> 2))) this.#rise(place, slot);
    else this.#sink(place, slot);
  }

  #rise(from: number, slot: number): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 2;
      const above = this.#at(parent);
      if (!this.#before(slot, above)) break;
      this.#set(place, above);
      place = parent;
    }
    this.#set(place, slot);
  }

  #sink(from: number, slot: number): void {
    let place = from;
    for (;;) {
      const child = place * CHILDREN + 1;
      if (child >= this.#count) break;
      const end = Math.min(child + CHILDREN, this.#count);
      let best = child;
      let bestSlot = this.#at(child);
      for (let other = child + 1; other < end; other++) {
        const otherSlot = this.#at(other);
        if (!this.#before(otherSlot, bestSlot)) continue;
        best = other;
        bestSlot = otherSlot;
      }
      if (!this.#before(bestSlot, slot)) break;
      this.#set(place, bestSlot);
      place = best;
    }
    this.#set(place, slot);
  }

  /** True when the hold in slot `a` ends before the one in slot `b`. No two have the same sequence. */
  #before(a: number, b: number): boolean {
    const { expires, sequence } = this.#words;
    const endOfA = this.#rows.f64(a, expires);
    const endOfB = this.#rows.f64(b, expires);
    if (endOfA !== endOfB) return endOfA < endOfB;
    return this.#rows.f64(a, sequence) < this.#rows.f64(b, sequence);
  }

  #at(place: number): number {
    return this.#chunks[place >> CHUNK_BITS]![place & CHUNK_MASK]!;
  }

  #set(place: number, slot: number): void {
    this.#chunks[place >> CHUNK_BITS]![place & CHUNK_MASK] = slot;
    this.#rows.setU32(slot, this.#words.place, place);
  }
}
