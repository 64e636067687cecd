/**
 * The disk of a simulated machine: environments of rows by path, which outlive the process, and the handles by which one process
 * reads and writes them. A commit behaves as the LMDB adapter promises: all of it or nothing, visible when it is safe.
 *
 *   commit -> [the process dies: nothing is there] -> flush -> [dies, or an error: there or not] -> visible, told to the observer
 *
 * What the disk does wrong is drawn by whoever made it (`DiskFaults`). A handle whose commit failed takes no other, and a handle of
 * a process that is gone does nothing any more: the machine gave its sockets and files back.
 */
import { HoldfastError } from '#src/errors.js';
import type { Store, StoreRange, StoreWriter } from '#src/store/port.js';

/** What becomes of a commit. */
export type CommitFate = 'done' | 'failed' | 'failed although done' | 'crash before' | 'crash after';

export interface DiskFaults {
  /** Called before the flush of each commit; may take simulated time. */
  fateOf(path: string): CommitFate;
}

/** The process that a handle belongs to. */
export interface SimProcess {
  readonly isGone: boolean;
  /** Ends the process at this very instant. Always throws. */
  die(why: string): never;
}

/** Key (one character per byte, so that text order is memcmp order) and the new value; undefined removes it. */
type Change = readonly [key: string, value: Uint8Array | undefined];

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/** One environment. */
class Rows {
  readonly values = new Map<string, Uint8Array>();
  readonly keys: string[] = [];
  /** How to take commits back that no flush has made safe, oldest first. */
  readonly unsynced: Change[][] = [];

  /** @returns what takes the changes back */
  apply(changes: readonly Change[]): Change[] {
    const undo: Change[] = [];
    for (const [key, value] of changes) {
      const before = this.values.get(key);
      undo.push([key, before]);
      if (value === undefined) {
        if (before !== undefined) this.keys.splice(this.place(key), 1);
        this.values.delete(key);
        continue;
      }
      if (before === undefined) this.#insert(key);
      this.values.set(key, value);
    }
    return undo.reverse();
  }

  /** First place whose key is not before this one. */
  place(key: string): number {
    let low = 0;
    let high = this.keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #insert(key: string): void {
    const last = this.keys.at(-1);
    if (last === undefined || last < key) this.keys.push(key);
    else this.keys.splice(this.place(key), 0, key);
  }
}

export class SimDisk {
  /** Told of every row that became safe, in the order of the keys of a commit. */
  onDurable: (path: string, key: Uint8Array, value: Uint8Array) => void = () => undefined;
  /** Commits that this process sees and a crash takes back: a flush that was left out, or a disk that lies. Only canaries have them. */
  loses: 'nothing' | 'what it has not flushed' | 'what it says is safe' = 'nothing';
  readonly #rows = new Map<string, Rows>();
  readonly #faults: DiskFaults;
  /** Rows that are there although the process was never told: it learns of them when it reads its journal again. */
  #untold: { path: string; changes: readonly Change[] }[] = [];

  constructor(faults: DiskFaults) {
    this.#faults = faults;
  }

  get paths(): string[] {
    return [...this.#rows.keys()].sort();
  }

  open(path: string, process: SimProcess): Store {
    let rows = this.#rows.get(path);
    if (rows === undefined) {
      rows = new Rows();
      this.#rows.set(path, rows);
    }
    return new Handle(this, path, rows, process);
  }

  remove(path: string): void {
    this.#rows.delete(path);
  }

  /** What a power cut leaves: commits without a flush go. */
  crash(): void {
    for (const rows of this.#rows.values()) {
      for (const undo of rows.unsynced.reverse()) rows.apply(undo);
      rows.unsynced.length = 0;
    }
  }

  /** Tells what the last process left without having been told that it was safe. */
  tellUntold(): void {
    for (const { path, changes } of this.#untold) this.#tell(path, changes);
    this.#untold = [];
  }

  /** Turns one bit of a stored value over. @returns how to turn it back; undefined when there is no such row */
  rot(path: string, at: number, bit: number): (() => void) | undefined {
    const rows = this.#rows.get(path);
    const key = rows?.keys[at];
    const value = key === undefined ? undefined : rows!.values.get(key);
    if (rows === undefined || key === undefined || value === undefined || value.length === 0) return undefined;
    const rotten = value.slice();
    rotten[(bit >> 3) % value.length]! ^= 1 << (bit & 7);
    rows.values.set(key, rotten);
    return () => {
      if (rows.values.get(key) === rotten) rows.values.set(key, value);
    };
  }

  rowsOf(path: string): number {
    return this.#rows.get(path)?.keys.length ?? 0;
  }

  commit(path: string, rows: Rows, changes: readonly Change[], process: SimProcess): void {
    const fate = this.#faults.fateOf(path);
    if (fate === 'crash before') process.die(`in a commit to ${path}, before it was safe`);
    if (fate === 'failed') throw commitFailed(path, 'the flush failed');
    const undo = rows.apply(changes);
    if (fate === 'crash after' || fate === 'failed although done') this.#untold.push({ path, changes });
    if (fate === 'crash after') process.die(`in a commit to ${path}, after it was safe`);
    if (fate === 'failed although done') throw commitFailed(path, 'the flush failed, and everything was written');
    if (this.loses !== 'nothing' && path.startsWith('journal')) {
      rows.unsynced.push(undo);
      // At most the last few: an operating system writes back by itself.
      if (rows.unsynced.length > 3) rows.unsynced.shift();
      if (this.loses === 'what it has not flushed') return;
    }
    this.#tell(path, changes);
  }

  #tell(path: string, changes: readonly Change[]): void {
    const written = changes.filter((change): change is readonly [string, Uint8Array] => change[1] !== undefined);
    for (const [key, value] of [...written].sort((a, b) => (a[0] < b[0] ? -1 : 1)))
      this.onDurable(path, bytesOf(key), value);
  }
}

class Handle implements Store {
  readonly #disk: SimDisk;
  readonly #path: string;
  readonly #rows: Rows;
  readonly #process: SimProcess;
  #failed = false;

  constructor(disk: SimDisk, path: string, rows: Rows, process: SimProcess) {
    this.#disk = disk;
    this.#path = path;
    this.#rows = rows;
    this.#process = process;
  }

  commit(write: (writer: StoreWriter) => void): void {
    this.#mustLive();
    if (this.#failed) throw commitFailed(this.#path, 'an earlier commit failed');
    const changes: Change[] = [];
    write({
      put: (key, value) => void changes.push([textOf(key), value.slice()]),
      remove: (key) => void changes.push([textOf(key), undefined]),
    });
    try {
      this.#disk.commit(this.#path, this.#rows, changes, this.#process);
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#mustLive();
    return this.#rows.values.get(textOf(key));
  }

  scan(range: StoreRange, visit: (key: Uint8Array, value: Uint8Array) => boolean | undefined): void {
    this.#mustLive();
    const { keys, values } = this.#rows;
    const from = range.start === undefined ? 0 : this.#rows.place(textOf(range.start));
    const to = range.end === undefined ? keys.length : this.#rows.place(textOf(range.end));
    const count = Math.min(to - from, range.limit ?? Number.POSITIVE_INFINITY);
    // The visitor may commit: what it visits is what was there when the scan began.
    const visited = range.reverse
      ? keys.slice(Math.max(from, to - count), to).reverse()
      : keys.slice(from, from + count);
    for (const key of visited) if (visit(bytesOf(key), values.get(key)!) === false) return;
  }

  refresh(): void {
    // Every commit is visible at once.
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #mustLive(): void {
    if (this.#process.isGone) this.#process.die('a process that is gone');
  }
}

function commitFailed(path: string, why: string): HoldfastError {
  return new HoldfastError('commit_failed', `commit to ${path} failed: ${why}`, 'a simulated disk');
}
