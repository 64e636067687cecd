/**
 * The environments a journal reader joins: one per lane folder. A shard's frames may lie in several of them, one stretch
 * after the other, because another number of threads, or a grown folder, moves the shard to another environment. Only the
 * newest folder of a lane still grows; for the others the first and last sequence of each shard are known once and for all.
 */
import { HoldfastError } from '../errors.js';
import { LANE_MAP_BYTES } from '../limits.js';
import { openLmdbStore } from '../store/lmdb-store.js';
import type { Store } from '../store/port.js';
import { frameKey, frameLastSequence, sequenceOfKey, shardOfKey } from './frame.js';
import { listLaneFolders } from './lane-directory.js';

interface Extent {
  first: number;
  last: number;
}

/** A frame found in an environment. `bytes` belong to the store: valid until its next read. */
export interface FoundFrame {
  readonly environment: Environment;
  readonly firstSequence: number;
  /** As its header says, unchecked. */
  readonly lastSequence: number;
  readonly bytes: Uint8Array;
}

export class Environment {
  readonly path: string;
  readonly store: Store;
  /** Extents of the shards in it, once nothing is added any more. */
  #extents: Map<number, Extent> | undefined;
  readonly #key = new Uint8Array(10);
  readonly #keyEnd = new Uint8Array(10);

  constructor(path: string, store: Store) {
    this.path = path;
    this.store = store;
  }

  /** Called when a newer folder of the same lane exists. */
  freeze(): void {
    if (this.#extents !== undefined) return;
    this.store.refresh();
    const extents = new Map<number, Extent>();
    for (const shard of this.shards()) {
      const last = this.last(shard)!;
      extents.set(shard, { first: this.firstSequence(shard), last: last.lastSequence });
    }
    this.#extents = extents;
    this.store.refresh();
  }

  /** Shards that have frames here. One seek each. */
  shards(): number[] {
    const shards: number[] = [];
    for (let from = 0; from <= 0xffff; ) {
      let found = 0x10000;
      this.store.scan({ start: frameKey(from, 0), limit: 1 }, (key) => {
        found = shardOfKey(key);
        return false;
      });
      if (found > 0xffff) break;
      shards.push(found);
      from = found + 1;
    }
    return shards;
  }

  /** First sequence of the shard here; 0 when it has none. */
  firstSequence(shard: number): number {
    let first = 0;
    this.store.scan({ start: frameKey(shard, 0, this.#key), limit: 1 }, (key) => {
      if (shardOfKey(key) === shard) first = sequenceOfKey(key);
      return false;
    });
    return first;
  }

  /** False only when the sequence certainly is not here. */
  mayHold(shard: number, sequence: number): boolean {
    if (this.#extents === undefined) return true;
    const extent = this.#extents.get(shard);
    return extent !== undefined && sequence >= extent.first && sequence <= extent.last;
  }

  /** The frame that begins at the sequence. */
  exact(shard: number, firstSequence: number): FoundFrame | undefined {
    const bytes = this.store.get(frameKey(shard, firstSequence, this.#key));
    return bytes === undefined ? undefined : this.#found(firstSequence, bytes);
  }

  /** The last frame that begins at or before the sequence. */
  floor(shard: number, sequence: number): FoundFrame | undefined {
    let found: FoundFrame | undefined;
    const range = { start: frameKey(shard, 0, this.#key), end: frameKey(shard, sequence + 1, this.#keyEnd) };
    this.store.scan({ ...range, reverse: true, limit: 1 }, (key, bytes) => {
      found = this.#found(sequenceOfKey(key), bytes);
      return false;
    });
    return found;
  }

  #found(firstSequence: number, bytes: Uint8Array): FoundFrame {
    return { environment: this, firstSequence, lastSequence: frameLastSequence(bytes), bytes };
  }

  /** The shard's last frame here. */
  last(shard: number): FoundFrame | undefined {
    return this.floor(shard, Number.MAX_SAFE_INTEGER - 1);
  }
}

/** The environments of a journal folder, opened as they appear. */
export class Environments {
  readonly #journalDir: string | undefined;
  readonly #readOnly: boolean;
  #list: Environment[];
  readonly #byPath = new Map<string, Environment>();

  private constructor(journalDir: string | undefined, readOnly: boolean, list: Environment[]) {
    this.#journalDir = journalDir;
    this.#readOnly = readOnly;
    this.#list = list;
  }

  static ofFolder(journalDir: string, readOnly: boolean): Environments {
    const environments = new Environments(journalDir, readOnly, []);
    environments.rescan();
    return environments;
  }

  static ofStore(store: Store, path: string): Environments {
    return new Environments(undefined, true, [new Environment(path, store)]);
  }

  /** What to call the journal in an error. */
  get path(): string {
    return this.#journalDir ?? this.#list[0]!.path;
  }

  get list(): readonly Environment[] {
    return this.#list;
  }

  /** Opens folders that appeared and freezes those that have a successor. */
  rescan(): void {
    this.refresh();
    if (this.#journalDir === undefined) return;
    const folders = listLaneFolders(this.#journalDir);
    for (const folder of folders) {
      if (this.#byPath.has(folder.path)) continue;
      const store = openLmdbStore(folder.path, { readOnly: this.#readOnly, mapBytes: LANE_MAP_BYTES });
      this.#byPath.set(folder.path, new Environment(folder.path, store));
    }
    this.#list = folders.map((folder) => this.#byPath.get(folder.path)!);
    for (let i = 0; i + 1 < folders.length; i++)
      if (folders[i]!.thread === folders[i + 1]!.thread) this.#list[i]!.freeze();
  }

  /** Ends the read snapshots: the next read sees the newest commits. */
  refresh(): void {
    for (const environment of this.#list) environment.store.refresh();
  }

  /**
   * The frame that begins at the sequence, in whichever environment it is.
   * @throws HoldfastError `chain_broken` when two environments hold one.
   */
  exact(shard: number, firstSequence: number): FoundFrame | undefined {
    let found: FoundFrame | undefined;
    for (const environment of this.#list) {
      if (!environment.mayHold(shard, firstSequence)) continue;
      const here = environment.exact(shard, firstSequence);
      if (here === undefined) continue;
      if (found !== undefined)
        throw new HoldfastError(
          'chain_broken',
          `shard ${shard} sequence ${firstSequence} is in ${found.environment.path} and in ${environment.path}`,
          'two histories were mixed in one directory: restore it from a backup',
        );
      // Stores of one thread share a buffer for what they hand out: look on with a copy in hand.
      found = { ...here, bytes: this.#list.length > 1 ? here.bytes.slice() : here.bytes };
    }
    return found;
  }

  /** The frame that holds the sequence. */
  holding(shard: number, sequence: number): FoundFrame | undefined {
    for (const environment of this.#list) {
      if (!environment.mayHold(shard, sequence)) continue;
      const found = environment.floor(shard, sequence);
      if (found !== undefined && found.lastSequence >= sequence) return found;
    }
    return undefined;
  }

  /** The shard's last frame over all environments. */
  last(shard: number): FoundFrame | undefined {
    let best: FoundFrame | undefined;
    for (const environment of this.#list) {
      const found = environment.last(shard);
      if (found === undefined) continue;
      if (best === undefined || found.firstSequence > best.firstSequence)
        best = { ...found, bytes: found.bytes.slice() };
    }
    return best;
  }

  async close(): Promise<void> {
    await Promise.all(this.#list.map((environment) => environment.store.close()));
  }
}
