/**
 * Checkpoint rows: the state as table rows, written behind the journal so that a restart replays only a tail. It is
 * rebuildable data: whatever is wrong with it, `drop` it and replay from the beginning.
 *
 * Every shard has an environment of its own (`state/shard-<n>/`), so that threads never wait for one another's flush and a
 * shard can move to another thread with its rows.
 *
 * The caller's rules:
 *   - A row is written only when the sequence it includes is durable in the journal. A checkpoint that is ahead of the
 *     journal after a crash would hold money that nobody recorded.
 *   - `replayFrom` is the lowest sequence that some row may lack. Replay begins there, and applying an event to a row that
 *     includes it already must change nothing.
 *   - A slot that was freed is removed only together with, or after, a `replayFrom` above the event that freed it.
 * One `write` is one transaction: rows and meta change together or not at all.
 *
 *   key    shard u16 | table u8 | row key            value   CRC-32 of key and rest u32 | sequence f64 | row
 *   meta   shard u16 | 0xff                           value   CRC-32 of key and rest u32 | 0.0 f64 | MessagePack map
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { pack, unpack } from 'msgpackr';
import { assert, HoldfastError } from '../errors.js';
import { CHECKPOINT_MAP_BYTES } from '../limits.js';
import { openLmdbStore } from '../store/lmdb-store.js';
import type { Store } from '../store/port.js';

const META_TABLE = 0xff;
const KEY_PREFIX = 3;
const VALUE_PREFIX = 12;
export const CHECKPOINT_FORMAT = 2;

export interface CheckpointRow {
  /** Number of the table, 0 to 254. */
  table: number;
  /** At most 64 bytes. */
  key: Uint8Array;
  /** The row's bytes; undefined removes it. */
  row: Uint8Array | undefined;
  /** Last journal sequence the row includes. */
  sequence: number;
}

/** What a checkpoint says about itself; the engine adds what it needs (ledger totals, counters). Plain data. */
export interface CheckpointMeta {
  /** First sequence to replay, from 1. */
  replayFrom: number;
  [more: string]: unknown;
}

export class CheckpointStore {
  readonly #stateDir: string | undefined;
  readonly #stores = new Map<number, Store>();
  readonly #openStore: (shard: number) => Store;
  #scratch = new Uint8Array(256);
  readonly #keys = new Uint8Array(KEY_PREFIX + 64);

  private constructor(stateDir: string | undefined, openStore: (shard: number) => Store) {
    this.#stateDir = stateDir;
    this.#openStore = openStore;
  }

  /** The checkpoints below `stateDir`. A shard's environment is opened at its first use, by the thread that hosts it. */
  static open(stateDir: string): CheckpointStore {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    return new CheckpointStore(stateDir, (shard) =>
      openLmdbStore(folder(stateDir, shard), { mapBytes: CHECKPOINT_MAP_BYTES }),
    );
  }

  /** On stores of the caller's choice (tests, simulator). */
  static over(openStore: (shard: number) => Store): CheckpointStore {
    return new CheckpointStore(undefined, openStore);
  }

  #store(shard: number): Store {
    let store = this.#stores.get(shard);
    if (store === undefined) {
      store = this.#openStore(shard);
      this.#stores.set(shard, store);
    }
    return store;
  }

  /**
   * Visits every row of the shard (valid during the visit) and returns the meta, or undefined when there is no checkpoint.
   * @throws HoldfastError `checkpoint_corrupt`: call `drop` and replay from the beginning.
   */
  load(
    shard: number,
    visit: (table: number, key: Uint8Array, row: Uint8Array, sequence: number) => void,
  ): CheckpointMeta | undefined {
    const store = this.#store(shard);
    const meta = this.#meta(shard, store);
    if (meta === undefined) return undefined;
    const view = (value: Uint8Array) => new DataView(value.buffer, value.byteOffset, value.length);
    const start = Uint8Array.of(shard >> 8, shard, 0);
    const end = Uint8Array.of(shard >> 8, shard, META_TABLE);
    store.scan({ start, end }, (key, value) => {
      check(shard, key, value);
      visit(key[2]!, key.subarray(KEY_PREFIX), value.subarray(VALUE_PREFIX), view(value).getFloat64(4));
      return true;
    });
    store.refresh();
    return meta;
  }

  /** The meta alone. */
  meta(shard: number): CheckpointMeta | undefined {
    const store = this.#store(shard);
    const meta = this.#meta(shard, store);
    store.refresh();
    return meta;
  }

  #meta(shard: number, store: Store): CheckpointMeta | undefined {
    const key = Uint8Array.of(shard >> 8, shard, META_TABLE);
    const value = store.get(key);
    if (value === undefined) return undefined;
    check(shard, key, value);
    const { format, meta } = unpack(value.slice(VALUE_PREFIX)) as { format: number; meta: CheckpointMeta };
    if (format !== CHECKPOINT_FORMAT) throw corruptCheckpoint(shard, `format ${format} is not known to this engine`);
    return meta;
  }

  /**
   * Writes rows and meta in one transaction, flushed when it returns. The iterable may hand out one row object again and
   * again.
   * @throws HoldfastError `commit_failed`.
   */
  write(shard: number, rows: Iterable<CheckpointRow>, meta: CheckpointMeta): void {
    assert(Number.isSafeInteger(meta.replayFrom) && meta.replayFrom >= 1, 'replayFrom is a sequence from 1');
    this.#store(shard).commit((writer) => {
      for (const { table, key, row, sequence } of rows) {
        assert(table >= 0 && table < META_TABLE, 'tables are numbered 0 to 254');
        const rowKey = this.#key(shard, table, key);
        if (row === undefined) writer.remove(rowKey);
        else writer.put(rowKey, this.#value(rowKey, row, sequence));
      }
      const metaKey = this.#key(shard, META_TABLE, new Uint8Array(0));
      writer.put(metaKey, this.#value(metaKey, pack({ format: CHECKPOINT_FORMAT, meta }), 0));
    });
  }

  #key(shard: number, table: number, key: Uint8Array): Uint8Array {
    const bytes = this.#keys;
    assert(key.length <= bytes.length - KEY_PREFIX, 'a row key has at most 64 bytes');
    bytes[0] = shard >> 8;
    bytes[1] = shard;
    bytes[2] = table;
    bytes.set(key, KEY_PREFIX);
    return bytes.subarray(0, KEY_PREFIX + key.length);
  }

  #value(key: Uint8Array, row: Uint8Array, sequence: number): Uint8Array {
    const length = VALUE_PREFIX + row.length;
    if (this.#scratch.length < length) this.#scratch = new Uint8Array(length * 2);
    const value = this.#scratch.subarray(0, length);
    const view = new DataView(value.buffer, 0, length);
    view.setFloat64(4, sequence);
    value.set(row, VALUE_PREFIX);
    view.setUint32(0, crc32(value.subarray(4), crc32(key)));
    return value;
  }

  /** Throws the shard's checkpoint away: the next start replays from the beginning. */
  async drop(shard: number): Promise<void> {
    const store = this.#stores.get(shard);
    if (this.#stateDir !== undefined) {
      this.#stores.delete(shard);
      await store?.close();
      rmSync(folder(this.#stateDir, shard), { recursive: true, force: true });
      return;
    }
    this.clear(shard);
  }

  /** Removes every row and the meta in one commit, beside threads that have the environment open. */
  clear(shard: number): void {
    const keys: Uint8Array[] = [];
    this.#store(shard).scan({}, (key) => {
      keys.push(key.slice());
      return true;
    });
    if (keys.length === 0) return;
    this.#store(shard).commit((writer) => {
      for (const key of keys) writer.remove(key);
    });
  }

  async close(): Promise<void> {
    const stores = [...this.#stores.values()];
    this.#stores.clear();
    await Promise.all(stores.map((store) => store.close()));
  }
}

function folder(stateDir: string, shard: number): string {
  return join(stateDir, `shard-${shard}`);
}

function check(shard: number, key: Uint8Array, value: Uint8Array): void {
  const valid =
    value.length >= VALUE_PREFIX &&
    crc32(value.subarray(4), crc32(key)) === new DataView(value.buffer, value.byteOffset, value.length).getUint32(0);
  if (!valid) throw corruptCheckpoint(shard, `the row ${Buffer.from(key).toString('hex')} fails its checksum`);
}

function corruptCheckpoint(shard: number, what: string): HoldfastError {
  return new HoldfastError(
    'checkpoint_corrupt',
    `the checkpoint of shard ${shard} is damaged: ${what}`,
    'remove the state/ folder while the server is stopped: the state is rebuilt from the journal',
  );
}
