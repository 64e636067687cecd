/**
 * What one event does to velocity counters: the result that the event carries, so that replaying it needs neither the
 * controls nor the time zones of the day. Approvals and declines carry additions; reversals, expiries and roll-backs of what
 * was not delivered carry give-backs, made from the changes in their original's record.
 *
 * Entries of one owner stand together, by rising key. In a record they are packed bytes:
 *   group    owner (varint) | entries * 4 + uses + 1 (varint) | amount (varint, zigzag) | entries
 *   entry    key (7 bytes, least significant first) | bucket (varint)
 * A group is a run of entries with one owner, amount and uses: some ten bytes per counter, six more per group.
 */
import { assert } from '../../errors.js';
import { VELOCITY_ROW_COUNTERS_MAX } from '../../limits.js';
import { grown } from '../columns.js';
import { ByteCursor, VARINT_BYTES_MAX } from './varint.js';
import { TRAILING_BUCKETS } from './windows.js';

/** Every live bucket of every counter of a card and of its account. */
const ENTRIES_MAX = 2 * VELOCITY_ROW_COUNTERS_MAX * TRAILING_BUCKETS;
/** An entry alone in its group. */
const ENTRY_BYTES_MAX = 7 + 4 * VARINT_BYTES_MAX;

/** Owner of the counters of a card. `root` is the slot of the oldest card of its replacement chain. */
export const cardOwner = (root: number): number => root * 2;

export const accountOwner = (accountSlot: number): number => accountSlot * 2 + 1;

/**
 * Slot of the oldest card that `cardSlot` replaces, directly or not: the whole chain has the counters of that one.
 * @param cards the card table.
 */
export function chainRoot(cards: { replaces(slot: number): number }, cardSlot: number): number {
  let slot = cardSlot;
  for (let older = cards.replaces(slot); older >= 0; older = cards.replaces(slot)) {
    assert(older < slot, `card slot ${slot} replaces an older card`);
    slot = older;
  }
  return slot;
}

export class CounterChanges {
  count = 0;
  /** `cardOwner` or `accountOwner`. */
  owner = new Uint32Array(32);
  /** Key of the counter (windows.ts). */
  key = new Float64Array(32);
  bucket = new Float64Array(32);
  /** Change of the amount, minor units of the account's currency. */
  amount = new Float64Array(32);
  /** Change of the count: 1, 0 or -1. */
  uses = new Int8Array(32);
  readonly #cursor = new ByteCursor();

  clear(): void {
    this.count = 0;
  }

  add(owner: number, key: number, bucket: number, amount: number, uses: number): void {
    const at = this.count;
    if (at === this.key.length) this.#grow(at * 2);
    this.owner[at] = owner;
    this.key[at] = key;
    this.bucket[at] = bucket;
    this.amount[at] = amount;
    this.uses[at] = uses;
    this.count = at + 1;
  }

  /** Adds to the entry of the same counter and bucket, if there is one. */
  merge(owner: number, key: number, bucket: number, amount: number, uses: number): void {
    for (let i = 0; i < this.count; i++) {
      if (this.key[i] === key && this.bucket[i] === bucket && this.owner[i] === owner) {
        this.amount[i] = this.amount[i]! + amount;
        this.uses[i] = this.uses[i]! + uses;
        return;
      }
    }
    this.add(owner, key, bucket, amount, uses);
  }

  /** Puts the entries into their order. They nearly are: an insertion sort. */
  sort(): void {
    for (let i = 1; i < this.count; i++) {
      for (let j = i; j > 0 && this.#isBefore(j, j - 1); j--) this.#swap(j, j - 1);
    }
  }

  /** Most bytes that `pack` may write. */
  get packedMax(): number {
    return this.count * ENTRY_BYTES_MAX;
  }

  /** Writes the entries at `at` and returns where they end. Nothing is written when there are none. */
  pack(bytes: Uint8Array, at: number): number {
    const to = this.#cursor.attach(bytes, at);
    for (let i = 0; i < this.count; ) {
      let end = i + 1;
      while (end < this.count && this.#isAlike(i, end)) end++;
      const amount = this.amount[i]!;
      to.put(this.owner[i]!);
      to.put((end - i) * 4 + this.uses[i]! + 1);
      to.put(amount < 0 ? -2 * amount - 1 : 2 * amount);
      for (; i < end; i++) {
        to.putKey(this.key, i);
        to.put(this.bucket[i]!);
      }
    }
    return to.at;
  }

  /** Takes what `pack` wrote between `at` and `end`. */
  unpack(bytes: Uint8Array, at: number, end: number): void {
    this.clear();
    const from = this.#cursor.attach(bytes, at);
    while (from.at < end) {
      const owner = from.take();
      const head = from.take();
      const zigzag = from.take();
      const amount = zigzag % 2 === 1 ? -(zigzag + 1) / 2 : zigzag / 2;
      for (let left = head >>> 2; left > 0; left--) {
        const i = this.count;
        if (i === this.key.length) this.#grow(i * 2);
        from.takeKey(this.key, i);
        this.bucket[i] = from.take();
        assert(from.at <= end, 'packed counter changes end with an entry');
        this.owner[i] = owner;
        this.amount[i] = amount;
        this.uses[i] = (head & 3) - 1;
        this.count = i + 1;
      }
    }
  }

  #isAlike(a: number, b: number): boolean {
    return this.owner[a] === this.owner[b] && this.amount[a] === this.amount[b] && this.uses[a] === this.uses[b];
  }

  #isBefore(a: number, b: number): boolean {
    if (this.owner[a] !== this.owner[b]) return this.owner[a]! < this.owner[b]!;
    if (this.key[a] !== this.key[b]) return this.key[a]! < this.key[b]!;
    return this.bucket[a]! < this.bucket[b]!;
  }

  #swap(a: number, b: number): void {
    for (const column of [this.owner, this.key, this.bucket, this.amount, this.uses]) {
      const kept = column[a]!;
      column[a] = column[b]!;
      column[b] = kept;
    }
  }

  #grow(rows: number): void {
    assert(rows <= ENTRIES_MAX, 'an event touches at most every bucket of two owners');
    this.owner = grown(this.owner, rows);
    this.key = grown(this.key, rows);
    this.bucket = grown(this.bucket, rows);
    this.amount = grown(this.amount, rows);
    const uses = new Int8Array(rows);
    uses.set(this.uses);
    this.uses = uses;
  }
}
