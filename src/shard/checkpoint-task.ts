/**
 * The background task that writes checkpoint rows: one long task of the batch pool. It drains the rings of the shard
 * threads and commits what belongs together; a flush here holds up nobody's reply.
 *
 * Rows of an unfinished round are committed under the `replayFrom` of the last whole one: newer rows than it promises are
 * harmless, because replay skips what a row includes.
 */
import { type CheckpointRow, CheckpointStore } from '../journal/checkpoint.js';
import { CHECKPOINT_COMMIT_ROWS } from '../limits.js';
import { RingConsumer } from '../ring/ring.js';
import { Sleeper } from '../ring/wake.js';
import { BATCH_NICE, lowerThreadPriority } from '../thread-priority.js';
import { CheckpointEntry } from './checkpoint-feed.js';
import type { CheckpointSource } from './recovery.js';

/** What the task is started with: structured-cloneable. */
export interface CheckpointTaskData {
  readonly stateDir: string;
  readonly rings: readonly SharedArrayBuffer[];
  /** Wake words of this task. */
  readonly wake: SharedArrayBuffer;
  /** One word: 1 asks the task to write what is left and end. */
  readonly stop: SharedArrayBuffer;
}

const KEY_BYTES = 8;
const SLEEP_MS = 500;

/** Rows by table and numeric key, as the shards know them. */
export function checkpointSource(store: CheckpointStore): CheckpointSource {
  return {
    load: (shard, visit) =>
      store.load(shard, (table, key, row) => {
        visit(table, new DataView(key.buffer, key.byteOffset, KEY_BYTES).getFloat64(0), row);
      }),
  };
}

/** Runs until told to stop; the shard threads have ended by then. @throws HoldfastError `commit_failed` */
export async function checkpointTask(data: CheckpointTaskData): Promise<{ rows: number; rounds: number }> {
  lowerThreadPriority(BATCH_NICE);
  const store = CheckpointStore.open(data.stateDir);
  const stop = new Int32Array(data.stop);
  const sleeper = new Sleeper(data.wake);
  const writers = data.rings.map((ring) => new RingWriter(store, new RingConsumer(ring)));
  const hasWork = (): boolean => Atomics.load(stop, 0) !== 0 || writers.some((writer) => writer.pending);
  try {
    for (;;) {
      const last = Atomics.load(stop, 0) !== 0;
      let wrote = false;
      for (const writer of writers) wrote = writer.write() || wrote;
      if (!wrote && last) break;
      if (!wrote) sleeper.block(SLEEP_MS, hasWork);
    }
    return {
      rows: writers.reduce((sum, writer) => sum + writer.rows, 0),
      rounds: writers.reduce((sum, writer) => sum + writer.rounds, 0),
    };
  } finally {
    await store.close();
  }
}

class RingWriter {
  rows = 0;
  rounds = 0;
  readonly #store: CheckpointStore;
  readonly #ring: RingConsumer;
  readonly #replayFrom = new Map<number, number>();

  constructor(store: CheckpointStore, ring: RingConsumer) {
    this.#store = store;
    this.#ring = ring;
  }

  get pending(): boolean {
    return this.#ring.pendingBytes > 0;
  }

  /** Commits up to CHECKPOINT_COMMIT_ROWS rows of one shard; false when there was nothing. */
  write(): boolean {
    if (!this.#ring.next()) return false;
    const { shard } = this.#ring;
    if (this.#ring.kind === CheckpointEntry.clear) {
      this.#store.clear(shard);
      this.#replayFrom.set(shard, 1);
      this.#ring.consume();
    } else {
      const rows = this.#take(shard);
      this.#store.write(shard, rows, { replayFrom: this.#replayFromOf(shard) });
      this.rows += rows.length;
    }
    this.#ring.release();
    return true;
  }

  #take(shard: number): CheckpointRow[] {
    const ring = this.#ring;
    const rows: CheckpointRow[] = [];
    while (rows.length < CHECKPOINT_COMMIT_ROWS && ring.next() && ring.shard === shard) {
      if (ring.kind === CheckpointEntry.clear) break;
      if (ring.kind === CheckpointEntry.meta) {
        this.#replayFrom.set(shard, ring.b);
        this.rounds++;
        ring.consume();
        break;
      }
      const key = new Uint8Array(KEY_BYTES);
      new DataView(key.buffer).setFloat64(0, ring.b);
      const at = ring.payloadAt;
      const row = ring.kind === CheckpointEntry.removed ? undefined : ring.bytes.slice(at, at + ring.payloadLength);
      rows.push({ table: ring.a, key, row, sequence: ring.timeUs });
      ring.consume();
    }
    return rows;
  }

  #replayFromOf(shard: number): number {
    let from = this.#replayFrom.get(shard);
    if (from === undefined) {
      from = this.#store.meta(shard)?.replayFrom ?? 1;
      this.#replayFrom.set(shard, from);
    }
    return from;
  }
}
