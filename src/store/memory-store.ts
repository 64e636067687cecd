/**
 * The store port in memory, with the faults a disk can have. It keeps two pictures: what readers of this process see, and
 * what a crash would leave behind. Tests and the simulator use it; it is not meant for speed.
 */
import { HoldfastError } from '../errors.js';
import type { Store, StoreRange, StoreWriter } from './port.js';

export interface MemoryFaults {
  /** The commit with this number (1 is the first) throws and leaves nothing behind. */
  failCommit?: number;
  /** The commit with this number throws although all of it reached the disk: an unknown outcome. */
  failAfterApplied?: number;
  /** Commits from this number on are seen by readers and lost by `crash()`: a disk that lies about its flushes. */
  unsyncedFrom?: number;
}

type Rows = Map<string, Uint8Array>;

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');

export class MemoryStore implements Store {
  faults: MemoryFaults = {};
  /** Commits attempted so far. */
  commits = 0;
  #visible: Rows = new Map();
  #durable: Rows = new Map();
  #sorted: string[] | undefined;
  #failed = false;

  commit(write: (writer: StoreWriter) => void): void {
    if (this.#failed) throw commitFailed('an earlier commit failed');
    const changes: [string, Uint8Array | undefined][] = [];
    write({
      put: (key, value) => void changes.push([toHex(key), value.slice()]),
      remove: (key) => void changes.push([toHex(key), undefined]),
    });
    this.commits++;
    if (this.commits === this.faults.failCommit) {
      this.#failed = true;
      throw commitFailed('injected before the commit');
    }
    this.#apply(this.#visible, changes);
    this.#sorted = undefined;
    if (this.commits < (this.faults.unsyncedFrom ?? Number.POSITIVE_INFINITY)) this.#apply(this.#durable, changes);
    if (this.commits === this.faults.failAfterApplied) {
      this.#failed = true;
      throw commitFailed('injected after the commit');
    }
  }

  #apply(rows: Rows, changes: [string, Uint8Array | undefined][]): void {
    for (const [key, value] of changes) {
      if (value === undefined) rows.delete(key);
      else rows.set(key, value);
    }
  }

  /** Ends this process's view and comes back with what was durable, as a restart would. Faults are cleared. */
  crash(): void {
    this.#visible = new Map(this.#durable);
    this.#sorted = undefined;
    this.#failed = false;
    this.faults = {};
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#visible.get(toHex(key));
  }

  scan(range: StoreRange, visit: (key: Uint8Array, value: Uint8Array) => boolean | undefined): void {
    this.#sorted ??= [...this.#visible.keys()].sort();
    const start = range.start === undefined ? '' : toHex(range.start);
    const end = range.end === undefined ? undefined : toHex(range.end);
    const keys = this.#sorted.filter((key) => key >= start && (end === undefined || key < end));
    if (range.reverse) keys.reverse();
    for (const key of keys.slice(0, range.limit)) {
      if (visit(Buffer.from(key, 'hex'), this.#visible.get(key)!) === false) return;
    }
  }

  refresh(): void {
    // Every commit is visible at once.
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function commitFailed(why: string): HoldfastError {
  return new HoldfastError('commit_failed', `commit to memory failed: ${why}`, 'this store is for tests');
}
