/**
 * Card directory in shared memory: 96-bit PAN fingerprint -> (shard, card slot). Every ingress thread reads it for every
 * message, shard threads insert when a card is created or recovered; nothing is ever removed (a closed card keeps its
 * entry, its status answers).
 *
 *   header (Int32): [0] levels in use · [1] bits of level 0 · [2] levels at most · [3] cards at most · [4] entries of before · [16 + i] entries
 *   in level i
 *   level i: 2^(bits + i) slots of 16 bytes, in the last level as many as in the one before; open addressing with linear probing, at most half full
 *   slot: value u32 (0 = free, 0xFFFFFFFF = being written, else 1 + (shard << 24 | card slot)), fingerprint 3 x u32
 *
 * While the fingerprint key is rotated a card gets a second entry, and the one of before is never taken back. There is room for two
 * entries of every card, and a start has one of each again.
 *
 * Growth adds a level of double size instead of moving entries, so readers need no lock. The address space for all levels
 * is reserved at the start; the operating system gives memory only to touched pages. A start with N known cards begins
 * with a level that fits them all, so a look-up normally probes one level.
 *
 * Memory order: an inserter claims a slot by compare-exchange of the value word from 0 to BUSY, stores the fingerprint
 * with plain stores, then publishes by Atomics.store of the value. A reader loads the value with Atomics.load; any other
 * value than 0 and BUSY was published after the fingerprint. A card is usable when its creation is answered, and the
 * answer leaves after the insert, so skipping a BUSY slot never hides a card that somebody may already use.
 */

import { CARDS_IN_FLIGHT_MAX, CARDS_PER_SHARD_MAX } from '../limits.js';

const HEADER_WORDS = 64;
const BUSY = 0xffffffff | 0;
const LEVELS_MAX = 16;

/** Not in the directory. */
export const UNKNOWN_CARD = -1;

export interface DirectoryOptions {
  /** Cards known at the start; the first level is sized for twice as many. */
  expected: number;
  /** Most cards ever; bounds the reserved address space (48 bytes each, up to twice as much). */
  maximum: number;
}

export function createDirectory(options: DirectoryOptions): SharedArrayBuffer {
  const firstBits = Math.max(16, Math.ceil(Math.log2(Math.max(1, options.expected) * 2)));
  const maximumBits = Math.max(firstBits, Math.ceil(Math.log2(Math.max(1, options.maximum) * 2)));
  const cardLevels = Math.min(LEVELS_MAX - 1, maximumBits - firstBits + 1);
  // One level more, as large as the last one: with the others it has room for two entries of every card.
  const slots = 2 ** firstBits * (2 ** cardLevels - 1) + 2 ** (firstBits + cardLevels - 1);
  const buffer = new SharedArrayBuffer(HEADER_WORDS * 4 + slots * 16);
  const words = new Int32Array(buffer);
  // Plain stores: no other thread has the buffer yet, and handing it over orders them.
  words[0] = 1;
  words[1] = firstBits;
  words[2] = cardLevels + 1;
  words[3] = slots / 4;
  return buffer;
}

export class CardDirectory {
  readonly #words: Int32Array;
  readonly #levelsMax: number;
  /** By level: slots - 1, and the index of its first word. */
  readonly #masks: number[] = [];
  readonly #bases: number[] = [];

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    // Plain reads: never written again after `createDirectory`.
    const firstBits = this.#words[1]!;
    this.#levelsMax = this.#words[2]!;
    for (let level = 0; level < this.#levelsMax; level++) {
      const bits = firstBits + Math.min(level, this.#levelsMax - 2);
      this.#masks.push(2 ** bits - 1);
      // Levels lie behind each other: 2^b + 2^(b+1) + ... = 2^b * (2^level - 1) slots before this one.
      this.#bases.push(HEADER_WORDS + 2 ** firstBits * (2 ** level - 1) * 4);
    }
  }

  /** Shard << 24 | card slot, as an unsigned integer, or UNKNOWN_CARD. */
  find(f0: number, f1: number, f2: number): number {
    const words = this.#words;
    // Newest level first: with doubling levels half of all cards are there. The load is in the order of all Atomics: a card whose
    // insertion was told to this thread lies in a level that this number has. An old number hides only cards nobody may use yet.
    for (let level = Atomics.load(words, 0) - 1; level >= 0; level--) {
      const mask = this.#masks[level]!;
      const base = this.#bases[level]!;
      let slot = f0 & mask;
      for (;;) {
        const at = base + slot * 4;
        // Pairs with the store at the end of `insert`: behind a value that is neither 0 nor BUSY the three plain reads of the
        // fingerprint see all of it, and no slot is ever written twice.
        const value = Atomics.load(words, at);
        if (value === 0) break;
        if (value !== BUSY && words[at + 1] === (f0 | 0) && words[at + 2] === (f1 | 0) && words[at + 3] === (f2 | 0)) {
          return (value >>> 0) - 1;
        }
        slot = (slot + 1) & mask;
      }
    }
    return UNKNOWN_CARD;
  }

  /** Inserts a fingerprint that is not there yet. Throws RangeError when the directory is full. */
  insert(f0: number, f1: number, f2: number, shard: number, cardSlot: number): void {
    if (cardSlot < 0 || cardSlot >= CARDS_PER_SHARD_MAX)
      throw new RangeError(`card slot ${cardSlot} does not fit the directory`);
    const words = this.#words;
    for (;;) {
      // Orders nothing: an old number leads to a level that is full, and back here.
      const levels = Atomics.load(words, 0);
      const level = levels - 1;
      const mask = this.#masks[level]!;
      // Counts before it searches, in one step with other inserters: at most half of the slots are ever given out, so every probing
      // ends. Publishes nothing.
      if (Atomics.add(words, 16 + level, 1) >= (mask + 1) / 2) {
        // Takes the place back; until then others see a level that is fuller than it is, which it is anyway.
        Atomics.sub(words, 16 + level, 1);
        if (levels >= this.#levelsMax) throw new RangeError('card directory is full: start with a larger --cards-max');
        // Only one inserter's exchange succeeds; the others see the new level on their next round.
        Atomics.compareExchange(words, 0, levels, levels + 1);
        continue;
      }
      const base = this.#bases[level]!;
      let slot = f0 & mask;
      for (;;) {
        const at = base + slot * 4;
        // One inserter only gets the slot. Readers step over BUSY: whoever may know the card was told after the last store.
        if (Atomics.compareExchange(words, at, 0, BUSY) === 0) {
          // Plain stores: the slot is ours, and the store below publishes them.
          words[at + 1] = f0 | 0;
          words[at + 2] = f1 | 0;
          words[at + 3] = f2 | 0;
          // Publishes the fingerprint with the value.
          Atomics.store(words, at, (((shard << 24) | cardSlot) + 1) | 0);
          return;
        }
        slot = (slot + 1) & mask;
      }
    }
  }

  /**
   * True when no more cards should be created: what is in flight (a bulk import has some ten thousand rows) still fits.
   * An insertion behind a journaled record must not fail.
   */
  get full(): boolean {
    const cardsMax = this.#cardsMax;
    return this.cards >= cardsMax - Math.min(CARDS_IN_FLIGHT_MAX, cardsMax / 16);
  }

  /** False when not every card that there is or may come could get another entry: a start makes room. */
  get hasSecondRoom(): boolean {
    return this.size <= this.#cardsMax;
  }

  /** Tells that a card has an entry more than it needs. */
  countFormer(): void {
    // Orders nothing: near the truth is all that its readers need.
    Atomics.add(this.#words, 4, 1);
  }

  /** Cards that have entries, near the truth: one each, and those that a rotation of the fingerprint key has added. */
  get cards(): number {
    return this.size - Atomics.load(this.#words, 4);
  }

  get #cardsMax(): number {
    return this.#words[3]!;
  }

  /** Entries over all levels. */
  get size(): number {
    let total = 0;
    // A sum over words that others are counting up: near the truth, which is all that `full` and the metrics need.
    for (let level = 0; level < Atomics.load(this.#words, 0); level++) total += Atomics.load(this.#words, 16 + level);
    return total;
  }
}
