/**
 * The background task that writes the checkpoint: one long task of the batch pool. It drains the rings of the shard
 * threads and commits what belongs together; a flush here holds up nobody's reply.
 *
 * Entries of an unfinished round are committed under the `replayFrom` of the last whole one: newer rows than it promises are
 * harmless, because replay skips what a row includes.
 */
import type { MessagePort } from 'node:worker_threads';
import { HoldfastError } from '../errors.js';
import { type CheckpointRow, CheckpointStore } from '../journal/checkpoint.js';
import { CHECKPOINT_COMMIT_ENTRIES, CHECKPOINT_WRITE_BYTES } from '../limits.js';
import type { LogNote } from '../log.js';
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
  /** Takes `LogNote`s. */
  readonly port?: MessagePort;
}

const KEY_BYTES = 8;
/** How long a few waiting entries may wait for company, ms. */
const SLEEP_MS = 500;
const NOTHING: Uint8Array = new Uint8Array(0);

/** Entries by table and numeric key, as the shards know them. */
export function checkpointSource(store: CheckpointStore): CheckpointSource {
  return {
    load: (shard, visit) =>
      store.load(shard, (table, key, row) => {
        visit(table, new DataView(key.buffer, key.byteOffset, KEY_BYTES).getFloat64(0), row);
      }),
  };
}

/** Runs until told to stop; the shard threads have ended by then. @throws HoldfastError `commit_failed` */
export async function checkpointTask(data: CheckpointTaskData): Promise<{ entries: number; rounds: number }> {
  lowerThreadPriority(BATCH_NICE);
  const store = CheckpointStore.open(data.stateDir);
  const stop = new Int32Array(data.stop);
  const sleeper = new Sleeper(data.wake);
  const say = (message: string, shard: number, why: string): void =>
    data.port?.postMessage({ level: 'error', message, data: { shard, why } } satisfies LogNote);
  const writers = data.rings.map((ring) => new RingWriter(store, new RingConsumer(ring), say));
  const hasWork = (): boolean =>
    Atomics.load(stop, 0) !== 0 || writers.some((writer) => writer.pendingBytes >= CHECKPOINT_WRITE_BYTES);
  try {
    for (;;) {
      const last = Atomics.load(stop, 0) !== 0;
      for (const writer of writers) while (writer.write());
      if (last) break;
      sleeper.block(SLEEP_MS, hasWork);
    }
    return {
      entries: writers.reduce((sum, writer) => sum + writer.entries, 0),
      rounds: writers.reduce((sum, writer) => sum + writer.rounds, 0),
    };
  } finally {
    await store.close();
  }
}

/** Writes what waits in the ring of one thread. The task steps it, and so does a simulator. */
export class RingWriter {
  entries = 0;
  rounds = 0;
  readonly #store: CheckpointStore;
  readonly #ring: RingConsumer;
  readonly #say: (message: string, shard: number, why: string) => void;
  readonly #replayFrom = new Map<number, number>();
  /** Shards whose rows had to go: what their threads send is only what has changed since, and a whole round of it would promise more. */
  readonly #lost = new Set<number>();
  readonly #key = new Uint8Array(KEY_BYTES);
  readonly #keyView = new DataView(this.#key.buffer);
  readonly #row = { table: 0, key: this.#key, row: NOTHING, sequence: 0 };

  constructor(store: CheckpointStore, ring: RingConsumer, say: (message: string, shard: number, why: string) => void) {
    this.#store = store;
    this.#ring = ring;
    this.#say = say;
  }

  get pendingBytes(): number {
    return this.#ring.pendingBytes;
  }

  /** Commits up to CHECKPOINT_COMMIT_ENTRIES entries of one shard; false when there was nothing. */
  write(): boolean {
    if (!this.#ring.next()) return false;
    const { shard } = this.#ring;
    if (this.#ring.kind === CheckpointEntry.clear) {
      this.#store.clear(shard);
      this.#replayFrom.set(shard, 1);
      this.#lost.delete(shard);
      this.#ring.consume();
    } else if (this.#isLost(shard)) {
      this.#ring.consume();
    } else {
      // The entries are read from the ring inside the commit, and a round that ends among them moves `replayFrom` with it.
      const meta = { replayFrom: this.#replayFromOf(shard) };
      this.#store.write(shard, this.#take(shard, meta), meta);
      this.#replayFrom.set(shard, meta.replayFrom);
    }
    this.#ring.release();
    return true;
  }

  /** The shard's entries that wait, one object for all of them; `meta` gets the end of a round. */
  *#take(shard: number, meta: { replayFrom: number }): Iterable<CheckpointRow> {
    const ring = this.#ring;
    const row = this.#row;
    for (let count = 0; count < CHECKPOINT_COMMIT_ENTRIES && ring.next() && ring.shard === shard; count++) {
      if (ring.kind === CheckpointEntry.clear) return;
      if (ring.kind === CheckpointEntry.meta) {
        meta.replayFrom = ring.b;
        this.rounds++;
        ring.consume();
        return;
      }
      this.#keyView.setFloat64(0, ring.b);
      row.table = ring.a;
      row.row = ring.bytes.subarray(ring.payloadAt, ring.payloadAt + ring.payloadLength);
      row.sequence = ring.timeUs;
      yield row;
      this.entries++;
      ring.consume();
    }
  }

  #replayFromOf(shard: number): number {
    let from = this.#replayFrom.get(shard);
    if (from === undefined) {
      from = this.#store.meta(shard)?.replayFrom ?? 1;
      this.#replayFrom.set(shard, from);
    }
    return from;
  }

  /**
   * A promise that cannot be read is worth nothing, and the rows under it go with it: the next start replays from 1, and with
   * that every row is written again.
   */
  #isLost(shard: number): boolean {
    if (this.#lost.has(shard)) return true;
    try {
      this.#replayFromOf(shard);
      return false;
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'checkpoint_corrupt') throw error;
      const message =
        'the checkpoint of a shard is damaged and was removed; the next start replays the whole journal of it';
      this.#say(message, shard, error.message);
      this.#store.clear(shard);
      this.#lost.add(shard);
      return true;
    }
  }
}
