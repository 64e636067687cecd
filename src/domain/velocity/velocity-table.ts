/**
 * Velocity counters of a shard: one row per card chain or account that ever counted anything, with all its counters, so that
 * a check of ten windows reads one place of memory.
 *
 *   row      counters (bits 0-5), bit 7: a counter was dropped | if so: at which sequence (7 bytes) | counters by rising key
 *   counter  counter-codec.ts; the memory of rows: row-store.ts
 *
 * A row is rewritten whole by each event that touches it, from the row and the event alone: what is past at the event's
 * time goes, empty counters go. (An event that only adds to newest buckets or begins some does so where they stand, which gives
 * the same bytes.) So its bytes are the same in every replay, and one hash over them is its share of the digest. Rows themselves are never freed: the sequence in an empty one (20 bytes) is the tombstone that keeps a replay of
 * older events out.
 *
 * Counters of windows that no controls name any more stay until they are past: what an earlier event counted can be given
 * back, and the window may come again. Only when a row has no room for a new counter is one dropped that the event does
 * not touch. From then on give-backs to authorizations up to that moment go nowhere in this row (`takesBack`): a counter
 * that begins anew must not be reduced by what it never held.
 *
 * For whoever wires it into the shard's state:
 *   - `new VelocityTable(digest, <a new number of Table>)`; `takeDirty`, `startPass`, `passDone`, `writeRow`, `readRow` as in
 *     the other tables. A checkpoint entry is one row, its key the owner, its length at most `VELOCITY_ROW_BYTES_MAX`.
 *   - The decision reads (through controls/controls-check.ts) and puts `CounterChanges` into the event; the record carries
 *     them packed (counter-changes.ts); `apply` folds them, live and in every replay.
 */
import { assert } from '../../errors.js';
import { VELOCITY_ROW_BYTES_MAX, VELOCITY_ROW_COUNTERS_MAX } from '../../limits.js';
import { DirtyList, type RowCursor } from '../columns.js';
import type { StateDigest } from '../digest.js';
import { mixInteger } from '../hash.js';
import { SlotIndex } from '../slot-index.js';
import type { CounterChanges } from './counter-changes.js';
import {
  CounterBuckets,
  CounterReader,
  isFixed,
  KEY,
  NEWEST,
  putUint,
  takeUint,
  writeAddition,
  writeSurvivors,
} from './counter-codec.js';
import { RowHeads } from './row-heads.js';
import { contentsHash, RowStore } from './row-store.js';
import { oldestLive, TRAILING_BUCKETS } from './windows.js';

/** The one field of a row in the digest: its hash, which takes in the sequence that the row includes. */
const ROW_FIELD = 1;
const ROW_VERSION = 1;
const ROW_HEAD_BYTES = 9;
const DROPPED = 0x80;
const SEQUENCE_BYTES = 7;
const ROW_SEED = 0x1f83d9ab;

/** Signed 32 bits: an unsigned integer beyond 2^31 would be an object on the heap. */
function hashOfOwner(owner: number): number {
  const h = Math.imul(owner ^ (owner >>> 15), 0x9e3779b1);
  return h ^ (h >>> 15);
}

/** Where the entries of the key at `i` end, before `end`. */
function endOfKey(keys: Float64Array, i: number, end: number): number {
  let last = i + 1;
  while (last < end && keys[last]! - keys[i]! === 0) last++;
  assert(last === end || keys[last]! - keys[i]! > 0, 'counter changes of an owner are in order');
  return last;
}

export class VelocityTable {
  readonly #store = new RowStore();
  readonly #index = new SlotIndex((slot) => hashOfOwner(this.#store.owner(slot)), 6);
  readonly #digest: StateDigest;
  readonly #table: number;
  /** Slots of rows whose latest contents are not in the checkpoint yet. */
  readonly #dirty = new DirtyList();

  readonly #reader = new CounterReader();
  readonly #heads = new RowHeads();
  readonly #oldest = new Float64Array(1);
  readonly #buckets = new CounterBuckets();
  /** A row being rewritten: room for its counters and those of one event, and where each begins. */
  readonly #words = new Uint32Array(VELOCITY_ROW_BYTES_MAX / 2);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  readonly #startOf = new Uint16Array(VELOCITY_ROW_COUNTERS_MAX * 2 + 1);
  readonly #touched = new Uint8Array(VELOCITY_ROW_COUNTERS_MAX * 2);
  #counters = 0;
  #end = 0;
  #foundOwner = -1;
  #foundSlot = -1;

  constructor(digest: StateDigest, table: number) {
    this.#digest = digest;
    this.#table = table;
  }

  get rows(): number {
    return this.#store.rows;
  }

  exists(owner: number): boolean {
    return this.#find(owner) >= 0;
  }

  /**
   * What the counters of an owner hold at the given buckets: sums of live buckets. Changes nothing, allocates nothing.
   *
   * @param keys rising; `buckets[i]` is today's bucket of key `i`. If the row knows a newer bucket already (the rules of a
   *   time zone changed) that one is put there and counts as today's.
   * @param amounts minor units, and `counts`: filled for every key, 0 where there is no counter.
   */
  read(owner: number, keys: Float64Array, buckets: Float64Array, amounts: Float64Array, counts: Float64Array): void {
    const length = keys.length;
    for (let i = 0; i < length; i++) {
      amounts[i] = 0;
      counts[i] = 0;
    }
    const slot = this.#find(owner);
    if (slot < 0) return;
    this.#openHeads(slot);
    const heads = this.#heads;
    for (let i = 0, place = 0; place < heads.count; place++) {
      const key = heads.keys[place]!;
      while (i < length && keys[i]! < key) i++;
      if (i === length) return;
      if (keys[i] !== key) continue;
      if (heads.newest[place]! > buckets[i]!) buckets[i] = heads.newest[place]!;
      heads.sum(place, buckets, amounts, counts, i);
    }
  }

  /** Whether a give-back to a bucket of a counter has an effect: it is not past and holds what `originSequence` counted. */
  takesBack(owner: number, key: number, bucket: number, originSequence: number): boolean {
    const slot = this.#find(owner);
    if (slot < 0 || originSequence <= this.#open(slot)) return false;
    const reader = this.#reader;
    while (reader.advance()) {
      if (reader.numbers[KEY]! !== key) continue;
      const index = reader.numbers[NEWEST]! - bucket;
      return index >= 0 && index < TRAILING_BUCKETS && ((reader.mask >>> index) & 1) === 1;
    }
    return false;
  }

  /**
   * Folds an event's changes in. A row that includes the event already is left alone.
   * @param timeMs time by which its buckets were chosen: what is past then goes. 0 forgets nothing.
   */
  apply(changes: CounterChanges, timeMs: number, sequence: number): void {
    for (let from = 0; from < changes.count; ) {
      const owner = changes.owner[from]!;
      let end = from + 1;
      while (end < changes.count && changes.owner[end] === owner) end++;
      const found = this.#find(owner);
      const slot = found < 0 ? this.#create(owner) : found;
      if (sequence > this.#store.newest(slot) && !this.#addInPlace(slot, changes, from, end, timeMs, sequence)) {
        let dropped = this.#open(slot);
        this.#collect(changes, from, end, timeMs);
        if (this.#counters > VELOCITY_ROW_COUNTERS_MAX) {
          this.#dropUntouched();
          dropped = sequence;
        }
        this.#putHead(dropped);
        this.#write(slot, sequence, true);
      }
      from = end;
    }
  }

  /**
   * Every counter of an owner that is not past for certain at a time, by rising key: sums of its live buckets (minor units, and
   * how many) and the newest bucket (windows.ts).
   */
  counters(
    owner: number,
    timeMs: number,
    visit: (key: number, bucket: number, amount: number, count: number) => void,
  ): void {
    const slot = this.#find(owner);
    if (slot < 0) return;
    this.#open(slot);
    const reader = this.#reader;
    while (reader.advance()) {
      const key = reader.numbers[KEY]!;
      const bucket = reader.numbers[NEWEST]!;
      if (bucket < oldestLive(key, timeMs)) continue;
      const live = reader.survivors(bucket, oldestLive(key, timeMs));
      visit(key, bucket, reader.sumAmounts(live), reader.sumCounts(live));
    }
  }

  /** Rows whose latest contents are not in the checkpoint yet. */
  get dirtyCount(): number {
    return this.#dirty.count;
  }

  /** Hands out the owners of up to `limit` such rows, and forgets them. */
  takeDirty(limit: number, visit: (owner: number) => void): number {
    return this.#dirty.take(limit, (slot) => visit(this.#store.owner(slot)));
  }

  /** Begins a pass over the rows that are not in the checkpoint now. */
  startPass(): void {
    this.#dirty.startPass();
  }

  get passDone(): boolean {
    return this.#dirty.passDone;
  }

  writeRow(owner: number, cursor: RowCursor): void {
    const store = this.#store;
    const slot = this.#find(owner);
    cursor.putU8(ROW_VERSION);
    cursor.putF64(store.newest(slot));
    store.open(slot);
    for (let i = 0; i < store.length; i++) cursor.putU8(store.bytes[store.start + i]!);
  }

  readRow(owner: number, cursor: RowCursor, length: number): void {
    assert(cursor.u8() === ROW_VERSION, `velocity row ${owner} has a version this release does not know`);
    assert(length >= ROW_HEAD_BYTES && length <= VELOCITY_ROW_BYTES_MAX, `velocity row ${owner} has ${length} bytes`);
    assert(this.#find(owner) < 0, `velocity row ${owner} is there already`);
    const newest = cursor.f64();
    this.#end = length - ROW_HEAD_BYTES;
    for (let i = 0; i < this.#end; i++) this.#bytes[i] = cursor.u8();
    this.#checkRow(owner);
    this.#write(this.#create(owner), newest, false);
  }

  get memoryBytes(): number {
    return this.#store.memoryBytes + this.#index.bytes + this.#dirty.bytes;
  }

  /** Rows keep their slots: the one asked for last is asked for again when its event is applied. */
  #find(owner: number): number {
    if (owner === this.#foundOwner) return this.#foundSlot;
    const index = this.#index;
    for (let slot = index.first(hashOfOwner(owner)); slot >= 0; slot = index.next()) {
      if (this.#store.owner(slot) !== owner) continue;
      this.#foundOwner = owner;
      this.#foundSlot = slot;
      return slot;
    }
    return -1;
  }

  #create(owner: number): number {
    const slot = this.#store.create(owner);
    this.#index.insert(slot);
    return slot;
  }

  /** Puts the reader in front of a row's first counter. Gives the sequence of the row's last drop, 0 for none. */
  #open(slot: number): number {
    const store = this.#store;
    if (!store.open(slot)) {
      this.#reader.attach(store.bytes, 0, 0);
      return 0;
    }
    const { bytes, start, length } = store;
    const hasDropped = (bytes[start]! & DROPPED) !== 0;
    this.#reader.attach(bytes, start + 1 + (hasDropped ? SEQUENCE_BYTES : 0), start + length);
    return hasDropped ? takeUint(bytes, start + 1, SEQUENCE_BYTES) : 0;
  }

  /**
   * An event that adds to newest buckets or begins some, in a row that has all its counters and loses none: bytes change and
   * move within the row's block. They are those that writing the row anew would give. False, and nothing is changed, when it is
   * not like that.
   */
  #addInPlace(
    slot: number,
    changes: CounterChanges,
    first: number,
    end: number,
    timeMs: number,
    sequence: number,
  ): boolean {
    const store = this.#store;
    const heads = this.#heads;
    heads.clearStaged();
    this.#openHeads(slot);
    let i = first;
    for (let place = 0; place < heads.count; place++) {
      if (i < end && heads.keys[place] === changes.key[i]) {
        if (!heads.stage(place, changes, i)) return false;
        i++;
        continue;
      }
      this.#oldest[0] = oldestLive(heads.keys[place]!, timeMs);
      if (!heads.stageUntouched(place, this.#oldest)) return false;
    }
    // What is left has no counter yet, is a second change of one, or is not in order.
    if (i < end) return false;
    const { growth, growthMost } = heads;
    if (growthMost !== 0 || growth !== 0) {
      if (!store.hasRoom(store.length + growth, store.length + growthMost)) return false;
      heads.write();
      store.setLength(store.length + growth);
    } else heads.write();
    const { words, start, length } = store;
    const hash = contentsHash(mixInteger(ROW_SEED, sequence), words, start >>> 2, length);
    this.#digest.change(this.#table, store.owner(slot), ROW_FIELD, store.hash(slot), hash);
    store.setHash(slot, hash);
    store.setNewest(slot, sequence);
    this.#dirty.push(slot);
    return true;
  }

  /** As `#open`, for all counters at once. */
  #openHeads(slot: number): void {
    const store = this.#store;
    if (!store.open(slot)) {
      this.#heads.read(store.bytes, 0, 0);
      return;
    }
    const { bytes, start, length } = store;
    const hasDropped = (bytes[start]! & DROPPED) !== 0;
    this.#heads.read(bytes, start + 1 + (hasDropped ? SEQUENCE_BYTES : 0), start + length);
  }

  /** The opened row with the changes `first` to `end - 1`, as counters in the scratch. */
  #collect(changes: CounterChanges, first: number, end: number, timeMs: number): void {
    const reader = this.#reader;
    this.#end = 0;
    this.#counters = 0;
    let more = reader.advance();
    for (let i = first; more || i < end; ) {
      if (i === end || (more && reader.numbers[KEY]! < changes.key[i]!)) {
        this.#keep(timeMs);
        more = reader.advance();
        continue;
      }
      const last = endOfKey(changes.key, i, end);
      const exists = more && reader.numbers[KEY]! === changes.key[i];
      if (!exists || last > i + 1 || !this.#addTo(changes, i)) this.#change(changes, i, last, exists, timeMs);
      if (exists) more = reader.advance();
      i = last;
    }
  }

  /** Takes an untouched counter over, without what is past. */
  #keep(timeMs: number): void {
    const reader = this.#reader;
    const survivors = reader.survivors(reader.numbers[NEWEST]!, oldestLive(reader.numbers[KEY]!, timeMs));
    if (survivors > 0) this.#emitted(writeSurvivors(reader, survivors, this.#bytes, this.#end), 0);
  }

  /** The usual change, an addition to the newest bucket or to a newer one; false when it is none or needs other widths. */
  #addTo(changes: CounterChanges, i: number): boolean {
    const reader = this.#reader;
    if (changes.amount[i]! < 0 || changes.uses[i]! < 0 || changes.bucket[i]! < reader.numbers[NEWEST]!) return false;
    const at = writeAddition(reader, changes, i, this.#bytes, this.#end);
    if (at >= 0) this.#emitted(at, 1);
    return at >= 0;
  }

  /** Writes a counter with any changes, `first` to `end - 1`, which all are its own. */
  #change(changes: CounterChanges, first: number, end: number, exists: boolean, timeMs: number): void {
    const key = changes.key[first]!;
    const buckets = this.#buckets;
    if (exists) buckets.load(this.#reader);
    else buckets.clear();
    for (let i = first; i < end; i++) {
      buckets.add(changes.bucket[i]!, changes.amount[i]!, changes.uses[i]!, isFixed(key));
    }
    buckets.prune(oldestLive(key, timeMs));
    this.#emitted(buckets.write(this.#bytes, this.#end, key), 1);
  }

  /** Counts the counter that ends at `at`, if anything was written. */
  #emitted(at: number, touched: number): void {
    if (at === this.#end) return;
    this.#startOf[this.#counters] = this.#end;
    this.#touched[this.#counters++] = touched;
    this.#end = at;
  }

  /** Makes room: drops the counters with the lowest keys (the shortest trailing windows) that the event does not touch. */
  #dropUntouched(): void {
    const bytes = this.#bytes;
    this.#startOf[this.#counters] = this.#end;
    let surplus = this.#counters - VELOCITY_ROW_COUNTERS_MAX;
    this.#end = 0;
    for (let i = 0; i < this.#counters; i++) {
      if (surplus > 0 && this.#touched[i] === 0) {
        surplus--;
        continue;
      }
      bytes.copyWithin(this.#end, this.#startOf[i]!, this.#startOf[i + 1]!);
      this.#end += this.#startOf[i + 1]! - this.#startOf[i]!;
    }
    assert(surplus === 0, `an event touches at most ${VELOCITY_ROW_COUNTERS_MAX} counters of an owner`);
    this.#counters = VELOCITY_ROW_COUNTERS_MAX;
  }

  /** Puts the row's head in front of the collected counters. A row without any has no contents. */
  #putHead(dropped: number): void {
    if (this.#counters === 0 && dropped === 0) return;
    const bytes = this.#bytes;
    const size = dropped > 0 ? 1 + SEQUENCE_BYTES : 1;
    bytes.copyWithin(size, 0, this.#end);
    bytes[0] = this.#counters | (dropped > 0 ? DROPPED : 0);
    if (dropped > 0) putUint(bytes, 1, SEQUENCE_BYTES, dropped);
    this.#end += size;
  }

  /** Makes the scratch the contents of a row that includes events up to `sequence`, and takes it into the digest. */
  #write(slot: number, sequence: number, isChange: boolean): void {
    const store = this.#store;
    const owner = store.owner(slot);
    this.#heads.forget();
    for (let i = this.#end; (i & 7) !== 0; i++) this.#bytes[i] = 0;
    const hash = contentsHash(mixInteger(ROW_SEED, sequence), this.#words, 0, this.#end);
    // A row that was created just now is in no digest yet.
    if (store.newest(slot) > 0) this.#digest.change(this.#table, owner, ROW_FIELD, store.hash(slot), hash);
    else this.#digest.add(this.#table, owner, ROW_FIELD, hash);
    store.write(slot, this.#words, this.#end, hash);
    store.setNewest(slot, sequence);
    if (isChange) this.#dirty.push(slot);
  }

  /** @throws HoldfastError `invariant_violated` when the row in the scratch is none that `apply` writes. */
  #checkRow(owner: number): void {
    if (this.#end === 0) return;
    const head = this.#bytes[0]!;
    const start = 1 + ((head & DROPPED) !== 0 ? SEQUENCE_BYTES : 0);
    const reader = this.#reader;
    reader.attach(this.#bytes, start, this.#end);
    let counters = 0;
    for (let last = -1; reader.advance(); counters++) {
      const inside = reader.next <= this.#end;
      assert(
        inside && reader.numbers[KEY]! > last && reader.mask !== 0,
        `velocity row ${owner} is damaged at counter ${counters}`,
      );
      last = reader.numbers[KEY]!;
    }
    assert(counters === (head & 0x3f) && start <= this.#end, `velocity row ${owner} lacks counters that it names`);
  }
}
