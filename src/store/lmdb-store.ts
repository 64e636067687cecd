/**
 * The store port on LMDB. What is fixed here, and why:
 *
 * - `transactionSync` only. It runs on the calling thread and returns after the data flush and the write of the meta page;
 *   the promise of an asynchronous put is documented in two ways, and its queue would live behind our back.
 * - `overlappingSync: false`: with it on, a failed flush still *shows* the value to readers. `safeRestore: true`: after a
 *   crash only what was flushed comes back. Never `useWritemap`, `mapAsync`; `noSync` only for rebuildable data.
 * - An explicit, large map size: address space is free, growing a map under readers is not.
 * - Any error of a commit is `commit_failed`, and the caller ends the process: Linux reports a lost write once, whatever is
 *   read or written afterwards says nothing about the disk.
 *
 * Reads go through one read transaction that this store owns. It is renewed by itself at the first read after `refresh()`
 * and reset by it, so a thread that never turns its event loop neither reads an old snapshot nor piles up the timers with
 * which lmdb would end its own read transactions. Call `refresh()` after a burst of reads: a snapshot that is kept keeps
 * the writer from reusing pages.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as lmdb from 'lmdb';
import { assert, HoldfastError } from '../errors.js';
import { STORE_MAP_BYTES, STORE_READERS_MAX } from '../limits.js';
import { assertWholeDataFile, storeDamaged } from './lmdb-file.js';
import type { Store, StoreOptions, StoreRange, StoreWriter } from './port.js';

/** What the package exports but does not declare: the native read transaction and its reset. */
interface ReadTransaction extends lmdb.Transaction {
  readonly address: number;
}
const native = (lmdb as unknown as { nativeAddon: { resetTxn(address: number): void } }).nativeAddon;

type Database = lmdb.RootDatabase<Uint8Array, Uint8Array> & {
  lastSize: number;
  getBinaryFast(key: Uint8Array, options: { transaction: lmdb.Transaction }): Buffer | undefined;
};

/** Range bounds stay below this: keys in use are at most 80 bytes, LMDB's own bound is 1978. */
const LOWEST_KEY = new Uint8Array([0]);

/**
 * Opens (and creates) the environment in `directory`.
 *
 * Within one process an environment is one object shared by all threads: open it `readOnly` only when no thread of the
 * process writes it (tools beside a running server), else the writer would inherit the read-only mode.
 * @throws HoldfastError `store_truncated`, `data_dir_unusable`.
 */
export function openLmdbStore(directory: string, options: StoreOptions = {}): Store {
  const file = join(directory, 'data.mdb');
  if (!existsSync(file) && options.readOnly)
    throw new HoldfastError(
      'data_dir_unusable',
      `${file} does not exist`,
      'name a data directory that was created before',
    );
  try {
    if (!existsSync(directory)) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      // The entry itself must survive a power cut before anything in it is answered for.
      syncDirectory(dirname(directory));
    }
    const created = !existsSync(file);
    assertWholeDataFile(file);
    const database = lmdb.open<Uint8Array, Uint8Array>({
      path: directory,
      noSubdir: false,
      encoding: 'binary',
      keyEncoding: 'binary',
      overlappingSync: false,
      safeRestore: true,
      noSync: options.rebuildable === true,
      readOnly: options.readOnly === true,
      mapSize: options.mapBytes ?? STORE_MAP_BYTES,
      maxReaders: STORE_READERS_MAX,
    } as lmdb.RootDatabaseOptionsWithPath) as Database;
    if (created) syncDirectory(directory);
    return new LmdbStore(database, directory, options);
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw new HoldfastError(
      'data_dir_unusable',
      `cannot open the environment ${directory}: ${(error as Error).message}`,
      'check owner, permissions and free space of the directory',
      { cause: error },
    );
  }
}

/** Makes new entries of a directory durable. */
export function syncDirectory(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

class LmdbStore implements Store {
  readonly #database: Database;
  readonly #directory: string;
  readonly #readOnly: boolean;
  readonly #transaction: ReadTransaction;
  readonly #reading: { transaction: lmdb.Transaction };
  readonly #writer: StoreWriter;
  #open = true;
  /** LMDB would go on after a failed flush as if nothing had happened. This store does not. */
  #failed = false;

  constructor(database: Database, directory: string, options: StoreOptions) {
    this.#database = database;
    this.#directory = directory;
    this.#readOnly = options.readOnly === true;
    this.#transaction = database.useReadTransaction() as ReadTransaction;
    // From here on the transaction is ours alone: lmdb neither resets nor hands it out again.
    (database as unknown as { resetReadTxn(): void }).resetReadTxn();
    native.resetTxn(this.#transaction.address);
    this.#reading = { transaction: this.#transaction };
    this.#writer = {
      put: (key, value) => this.#write(() => void database.put(key, value)),
      remove: (key) => this.#write(() => void database.remove(key)),
    };
  }

  commit(write: (writer: StoreWriter) => void): void {
    assert(this.#open, `commit on a closed store: ${this.#directory}`);
    assert(!this.#readOnly, `commit on a read-only store: ${this.#directory}`);
    if (this.#failed) throw this.#commitFailed(new Error('an earlier commit failed'));
    let staged = false;
    try {
      this.#database.transactionSync(() => {
        write(this.#writer);
        staged = true;
      });
    } catch (error) {
      // Before the commit began, nothing was written: an error of the caller's own code stays what it is.
      if (!staged && !this.#failed) throw error;
      this.#failed = true;
      throw error instanceof HoldfastError ? error : this.#commitFailed(error as Error);
    }
    native.resetTxn(this.#transaction.address);
  }

  /** A full map or disk shows itself here already. */
  #write(operation: () => void): void {
    try {
      operation();
    } catch (error) {
      this.#failed = true;
      throw this.#commitFailed(error as Error);
    }
  }

  #commitFailed(cause: Error): HoldfastError {
    return new HoldfastError(
      'commit_failed',
      `commit to ${this.#directory} failed: ${cause.message}`,
      'check the disk and its free space, then start again; what was answered before is on disk',
      { cause },
    );
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const bytes = this.#database.getBinaryFast(key, this.#reading);
    if (bytes === undefined) return undefined;
    // lmdb hands out one reusable buffer with an overridden `length`: take a plain view of what this value fills.
    return new Uint8Array(bytes.buffer, bytes.byteOffset, this.#database.lastSize);
  }

  scan(range: StoreRange, visit: (key: Uint8Array, value: Uint8Array) => boolean | undefined): void {
    const start = range.start ?? LOWEST_KEY;
    // Both bounds are always given: lmdb's own default bounds leave out keys that begin with a byte below 5.
    const bounds = range.reverse
      ? { start: range.end, end: start, exclusiveStart: range.end !== undefined, inclusiveEnd: true, reverse: true }
      : { start, end: range.end };
    const limit = range.limit === undefined ? {} : { limit: range.limit };
    const keys = this.#database.getRange({
      ...bounds,
      ...limit,
      values: false,
      transaction: this.#transaction,
    } as object);
    for (const key of keys as unknown as Iterable<Uint8Array>) {
      const value = this.get(key);
      if (value === undefined) {
        const defect = 'a key stands where no search finds it';
        throw storeDamaged(join(this.#directory, 'data.mdb'), defect);
      }
      if (visit(key, value) === false) return;
    }
  }

  refresh(): void {
    if (this.#open) native.resetTxn(this.#transaction.address);
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    (this.#transaction as unknown as { done(): void }).done();
    await this.#database.close();
  }
}
