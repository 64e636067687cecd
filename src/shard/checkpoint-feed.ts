/**
 * Writes changes behind: hands entries (blocks of rows mostly, see domain/shard-state.ts) to the checkpoint task through a
 * ring, off the reply path and only when everything they include is durable.
 *
 * One shard after the other, in rounds. A round begins by noting the durable sequence S and the keys of all entries changed
 * since the last round; then it sends those, a few per turn, each as it is at that moment; at the end it sends "replay
 * from S + 1": every event up to S is in some entry that was sent. What changes meanwhile enters the next round.
 *
 * The task is woken when the ring is well filled, not for each entry: it commits what it finds, and every commit is a flush
 * beside those of the journal.
 *
 * The pace is bounded (limits.ts): a checkpoint shortens the next start, no authorization may wait for it.
 */
import type { ShardState } from '../domain/shard-state.js';
import type { Table } from '../domain/tables.js';
import { assert } from '../errors.js';
import type { JournalLane } from '../journal/types.js';
import {
  CHECKPOINT_ENTRIES_PER_MS,
  CHECKPOINT_ENTRIES_PER_TURN,
  CHECKPOINT_ROUND_MS,
  CHECKPOINT_WRITE_BYTES,
} from '../limits.js';
import type { RingProducer } from '../ring/ring.js';
import type { Signal } from '../ring/wake.js';
import type { LogicalShard } from './logical-shard.js';

/**
 * Kinds of messages in the checkpoint ring: `a` = table, `b` = key, time = the sequence the entry includes. `meta`: the round is
 * whole, b = first sequence to replay. `clear`: what is stored of the shard is wrong and goes.
 */
export const CheckpointEntry = { entry: 1, meta: 3, clear: 4 } as const;

class Keys {
  values = new Float64Array(1024);
  count = 0;
  sent = 0;

  push(table: number, key: number): void {
    if (this.count * 2 === this.values.length) {
      const larger = new Float64Array(this.values.length * 2);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.count * 2] = table;
    this.values[this.count * 2 + 1] = key;
    this.count++;
  }
}

export class CheckpointFeed {
  readonly #ring: RingProducer;
  readonly #waker: Signal;
  readonly #monotonicUs: () => number;
  readonly #keys = new Keys();
  /** Shard whose round is under way, -1 between rounds. */
  #shard = -1;
  #replayFrom = 0;
  /** What was promised last, by shard: `replayFrom` of its last whole round. */
  readonly #promised: number[] = [];
  /** Shards whose stored rows must go before anything new is written, in the order in which that was found out. */
  readonly #discards: number[] = [];
  #sequence = 0;
  #next = 0;
  #roundsBeganMs: number;
  #budget = 0;
  #unsignalledBytes = 0;
  #lastMs: number;

  constructor(ring: RingProducer, waker: Signal, monotonicUs: () => number) {
    this.#ring = ring;
    this.#waker = waker;
    this.#monotonicUs = monotonicUs;
    this.#lastMs = monotonicUs() / 1000;
    this.#roundsBeganMs = this.#lastMs;
  }

  /** What is stored of the shard is not to be believed: it goes before anything new is written. */
  discard(shard: number): void {
    this.#discards.push(shard);
    this.#sendDiscards();
  }

  /** False while the ring has no room: they are tried again with every step, ahead of all entries. */
  #sendDiscards(): boolean {
    while (this.#discards.length > 0) {
      if (this.#ring.reserve(0) < 0) return false;
      const shard = this.#discards.shift()!;
      this.#ring.commit(CheckpointEntry.clear, 0, shard, 0, 0, 0, 0, 0);
      this.#promised[shard] = 1;
      this.#waker.signal();
    }
    return true;
  }

  /** A rebuilt shard begins a new round: its old keys mean nothing. */
  restart(shard: number): void {
    if (this.#shard === shard) this.#shard = -1;
  }

  /** Sends a few entries. `all` (a stop) ignores the pace and goes on until the ring is full. True when there is more to send. */
  step(shards: readonly (LogicalShard | undefined)[], lane: JournalLane, all = false): boolean {
    const nowMs = this.#monotonicUs() / 1000;
    this.#budget = Math.min(
      CHECKPOINT_ENTRIES_PER_TURN,
      this.#budget + (nowMs - this.#lastMs) * CHECKPOINT_ENTRIES_PER_MS,
    );
    this.#lastMs = nowMs;
    if (!this.#sendDiscards()) return all;
    if (this.#shard < 0 && !this.#begin(shards, lane, nowMs, all)) return false;
    const shard = shards[this.#shard];
    if (shard === undefined) {
      // It was taken out of service in its round: on with the next one.
      this.#shard = -1;
      return all;
    }
    // An entry may include events of this very turn: send it only while nothing waits for the lane.
    if (lane.durable(shard.number) < shard.journal.sequence) return false;
    this.#sequence = shard.journal.sequence;
    const more = this.#send(shard.state, all);
    if (all || this.#unsignalledBytes >= CHECKPOINT_WRITE_BYTES) {
      this.#unsignalledBytes = 0;
      this.#waker.signal();
    }
    return all && more;
  }

  #begin(shards: readonly (LogicalShard | undefined)[], lane: JournalLane, nowMs: number, all: boolean): boolean {
    while (this.#next < shards.length) {
      const shard = shards[this.#next++];
      if (shard === undefined || lane.durable(shard.number) < shard.journal.sequence) continue;
      // Records that change no row (unknown cards) are replayed all the same: a stop ends with a promise that covers them.
      const behind = all && this.#promised[shard.number] !== shard.journal.sequence + 1 && shard.journal.sequence > 0;
      if (shard.state.dirtyEntries === 0 && !behind) continue;
      this.#shard = shard.number;
      this.#replayFrom = shard.journal.sequence + 1;
      this.#keys.count = 0;
      this.#keys.sent = 0;
      shard.state.takeDirty(Number.MAX_SAFE_INTEGER, (table, key) => this.#keys.push(table, key));
      return true;
    }
    if (all) return false;
    if (nowMs - this.#roundsBeganMs < CHECKPOINT_ROUND_MS) return false;
    this.#roundsBeganMs = nowMs;
    this.#next = 0;
    return false;
  }

  /** How long a thread without other work may sleep, ms: while a round is under way, until a turn's share is due. */
  get waitMs(): number {
    return this.#shard < 0 ? Number.POSITIVE_INFINITY : CHECKPOINT_ENTRIES_PER_TURN / CHECKPOINT_ENTRIES_PER_MS;
  }

  /** Begins a last round over all shards, for a stop. */
  beginFinalRound(): void {
    this.#next = 0;
  }

  #send(state: ShardState, all: boolean): boolean {
    const { values } = this.#keys;
    while (this.#keys.sent < this.#keys.count) {
      if (!all && this.#budget < 1) return true;
      const table = values[this.#keys.sent * 2]! as Table;
      const key = values[this.#keys.sent * 2 + 1]!;
      const at = this.#ring.reserve(state.entryBytes(table, key));
      if (at < 0) return true;
      const length = state.writeEntry(table, key, this.#ring.bytes, at);
      assert(length > 0, `checkpoint: table ${table} has an entry ${key}`);
      this.#ring.commit(CheckpointEntry.entry, 0, state.shard, 0, table, this.#sequence, key, length);
      this.#unsignalledBytes += length;
      this.#keys.sent++;
      this.#budget--;
    }
    if (this.#ring.reserve(0) < 0) return true;
    this.#ring.commit(CheckpointEntry.meta, 0, state.shard, 0, 0, 0, this.#replayFrom, 0);
    this.#promised[state.shard] = this.#replayFrom;
    this.#shard = -1;
    return true;
  }
}
