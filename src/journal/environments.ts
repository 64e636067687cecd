/**
 * The environments a journal reader joins: one per lane folder. A shard's frames may lie in several of them, one stretch
 * after the other, because another number of threads, or a grown folder, moves the shard to another environment. Only the
 * newest folder of a lane still grows; for the others the first and last sequence of each shard are known once and for all.
 *
 * What an anchor says is dropped (anchor.ts) is not there, whether or not its folder is. A reader of the engine lets go of such a
 * folder when it looks again; a tool beside the engine keeps what it has opened, and the anchor that it began with, to its end.
 */
import { readdirSync } from 'node:fs';
import { HoldfastError } from '../errors.js';
import { LANE_MAP_BYTES } from '../limits.js';
import { openLmdbStore } from '../store/lmdb-store.js';
import type { Store } from '../store/port.js';
import { type Anchor, anchorNumbers, newestAnchor } from './anchor.js';
import {
  commitKey,
  commitOfKey,
  FrameHeader,
  frameSequences,
  frameWallMs,
  INDEX_SHARD,
  parseFrame,
  shardOfKey,
} from './frame.js';
import { corrupt } from './frame-cursor.js';
import { type LaneFolder, listLaneFolders } from './lane-directory.js';
import { INDEX_COMMITS, indexEntry, type LaneEntry, lastCommitOf, readLaneTable, rowDefect } from './lane-index.js';
import type { FolderExtent } from './retention-plan.js';

/** A frame found in an environment. `bytes` belong to the store: valid until its next read. */
export interface FoundFrame {
  readonly environment: Environment;
  readonly commit: number;
  /** As its header says, unchecked. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly bytes: Uint8Array;
}

export class Environment {
  readonly path: string;
  readonly store: Store;
  /** Where the shards stand, once nothing is added any more. */
  #extents: ReadonlyMap<number, LaneEntry> | undefined;
  /** Commit of the frame that was found last, by shard: the next one is mostly right behind it. */
  readonly #found = new Map<number, number>();
  readonly #key = new Uint8Array(10);

  constructor(path: string, store: Store) {
    this.path = path;
    this.store = store;
  }

  /** Called when a newer folder of the same lane exists. */
  freeze(): void {
    if (this.#extents !== undefined) return;
    this.store.refresh();
    this.#extents = this.#checked(() => readLaneTable(this.store).table.entries);
    this.store.refresh();
  }

  /** What is in it. `toMs`: wall time of the newest frame, ms since 1970 UTC; 0 when it is empty. */
  extent(): Pick<FolderExtent, 'toMs' | 'shards'> {
    const entries = this.#extents ?? this.#checked(() => readLaneTable(this.store).table.entries);
    let toMs = 0;
    for (const shard of entries.keys()) {
      const found = this.last(shard);
      if (found !== undefined) toMs = Math.max(toMs, frameWallMs(found.bytes));
    }
    this.store.refresh();
    return { toMs, shards: [...entries].map(([shard, { first, last }]) => ({ shard, first, last })) };
  }

  /** True when nothing is appended any more. */
  get frozen(): boolean {
    return this.#extents !== undefined;
  }

  /** False only when the sequence certainly is not here. */
  mayHold(shard: number, sequence: number): boolean {
    if (this.#extents === undefined) return true;
    const extent = this.#extents.get(shard);
    return extent !== undefined && sequence >= extent.first && sequence <= extent.last;
  }

  /** The frame that begins at the sequence. */
  exact(shard: number, firstSequence: number): FoundFrame | undefined {
    const hint = this.#found.get(shard);
    if (hint !== undefined) {
      for (let commit = hint + 1; commit <= hint + INDEX_COMMITS; commit++) {
        const next = this.#frame(commit, shard);
        if (next === undefined) continue;
        if (next.firstSequence === firstSequence) return this.#remember(shard, next);
        break;
      }
    }
    const found = this.floor(shard, firstSequence);
    return found?.firstSequence === firstSequence ? this.#remember(shard, found) : undefined;
  }

  /** The last frame that begins at or before the sequence. */
  floor(shard: number, sequence: number): FoundFrame | undefined {
    const lastCommit = lastCommitOf(this.store);
    // Index rows 1 to `below` speak of sequences before the one that is looked for, rows from `above` on of it or later ones.
    let below = 0;
    let above = Math.floor(lastCommit / INDEX_COMMITS) + 1;
    while (above - below > 1) {
      const middle = (below + above) >> 1;
      const entry = this.#entry(middle, shard);
      if (entry === undefined || entry.last < sequence) below = middle;
      else above = middle;
    }
    const end = above * INDEX_COMMITS;
    const newest = end <= lastCommit ? this.#entry(above, shard)!.commit : lastCommit;
    for (let commit = newest; commit > below * INDEX_COMMITS; commit--) {
      const found = this.#frame(commit, shard);
      if (found !== undefined && found.firstSequence <= sequence) return found;
    }
    const before = below === 0 ? undefined : this.#entry(below, shard);
    if (before === undefined) return undefined;
    const found = this.#frame(before.commit, shard);
    if (found === undefined)
      throw this.#damaged(`the frame that ends at sequence ${before.last} of shard ${shard} is missing`);
    return found;
  }

  /** The shard's last frame here, by its place: what its header says of its sequence is unchecked. */
  last(shard: number): FoundFrame | undefined {
    return this.floor(shard, Number.POSITIVE_INFINITY);
  }

  /** @throws HoldfastError `frame_corrupt` when a row lies where nobody looks for it */
  assertRowsInPlace(shards: number): void {
    let before = 0;
    this.store.scan({}, (key, bytes) => {
      const commit = commitOfKey(key);
      const shard = shardOfKey(key);
      const isKnown = shard < shards || shard === INDEX_SHARD;
      const defect = isKnown
        ? rowDefect(commit, shard, bytes, before)
        : `commit ${commit} has a frame of shard ${shard}`;
      if (defect !== undefined) throw this.#damaged(defect);
      before = commit;
      return true;
    });
  }

  #frame(commit: number, shard: number): FoundFrame | undefined {
    const bytes = this.store.get(commitKey(commit, shard, this.#key));
    if (bytes === undefined) return undefined;
    const { first, last } = frameSequences(bytes);
    return { environment: this, commit, firstSequence: first, lastSequence: last, bytes };
  }

  /** Entry of the shard in the index row with this number (1 is that of commit INDEX_COMMITS). */
  #entry(number: number, shard: number): LaneEntry | undefined {
    const commit = number * INDEX_COMMITS;
    const bytes = this.store.get(commitKey(commit, INDEX_SHARD, this.#key));
    if (bytes === undefined) throw this.#damaged(`the index row of commit ${commit} is missing`);
    return this.#checked(() => indexEntry(bytes, commit, shard), `the index row of commit ${commit}: `);
  }

  #remember(shard: number, found: FoundFrame): FoundFrame {
    this.#found.set(shard, found.commit);
    return found;
  }

  #checked<T>(read: () => T, what = ''): T {
    try {
      return read();
    } catch (error) {
      throw this.#damaged(what + (error as Error).message);
    }
  }

  #damaged(what: string): HoldfastError {
    return new HoldfastError(
      'frame_corrupt',
      `${this.path}: ${what}`,
      'run `holdfast verify` on the data directory and restore it from a backup',
    );
  }
}

/** Where the lane folders of a journal are: on the disk, or in a simulator's memory. */
export interface LaneFolders {
  /** What to call the journal in an error. */
  readonly path: string;
  /** By thread and number. */
  list(): readonly LaneFolder[];
  /** @throws HoldfastError `store_truncated`, `data_dir_unusable` */
  open(folderPath: string): Store;
}

/** A journal on the disk, where a part may have been dropped. */
interface OnDisk {
  readonly journalDir: string;
  readonly readOnly: boolean;
  /** Exported folders that are read as if they had never gone. */
  readonly exported: readonly string[];
}

/** How often a tool looks again when a folder went while it was being opened. */
const OPEN_ATTEMPTS = 5;

/** The environments of a journal folder, opened as they appear. */
export class Environments {
  readonly #folders: LaneFolders | undefined;
  readonly #disk: OnDisk | undefined;
  #list: Environment[];
  readonly #header = new FrameHeader();
  readonly #byPath = new Map<string, Environment>();
  #anchor: Anchor | undefined;

  private constructor(folders: LaneFolders | undefined, list: Environment[], disk?: OnDisk) {
    this.#folders = folders;
    this.#disk = disk;
    this.#list = list;
  }

  /** @param exported folders to which dropped parts were exported: with them the journal begins at its first record again */
  static ofFolder(journalDir: string, readOnly: boolean, exported: readonly string[] = []): Environments {
    const folders = {
      path: journalDir,
      list: () => listLaneFolders(journalDir),
      open: (path: string) => openLmdbStore(path, { readOnly, mapBytes: LANE_MAP_BYTES }),
    };
    const environments = new Environments(folders, [], { journalDir, readOnly, exported });
    environments.#openAll();
    return environments;
  }

  static of(folders: LaneFolders): Environments {
    const environments = new Environments(folders, []);
    environments.rescan();
    return environments;
  }

  /** A folder may be dropped between the look into the journal's folder and its opening: then the anchor is newer as well. */
  #openAll(): void {
    for (let attempt = 1; ; attempt++) {
      try {
        this.rescan();
        return;
      } catch (error) {
        const isOutdated = this.#anchorNumber() !== (this.#anchor?.document.number ?? 0);
        if (!isOutdated || attempt === OPEN_ATTEMPTS) throw error;
        this.#forget();
      }
    }
  }

  #forget(): void {
    this.#anchor = undefined;
    for (const environment of this.#byPath.values()) letGo(environment);
    this.#byPath.clear();
  }

  /** The anchor behind which the journal begins. */
  get anchor(): Anchor | undefined {
    return this.#disk !== undefined && this.#disk.exported.length > 0 ? undefined : this.#anchor;
  }

  /** The anchor of the directory, also where exported folders go back behind it. */
  get passedAnchor(): Anchor | undefined {
    return this.#anchor;
  }

  static ofStore(store: Store, path: string): Environments {
    return new Environments(undefined, [new Environment(path, store)]);
  }

  /** What to call the journal in an error. */
  get path(): string {
    return this.#folders?.path ?? this.#list[0]!.path;
  }

  get list(): readonly Environment[] {
    return this.#list;
  }

  /** Opens folders that appeared, lets go of those that were dropped, and freezes those that have a successor. */
  rescan(): void {
    this.refresh();
    if (this.#folders === undefined) return;
    this.#takeAnchor();
    const folders = this.#present(this.#folders);
    if (this.#disk?.readOnly !== true) this.#letGoOfDropped(folders);
    for (const folder of folders) {
      if (this.#byPath.has(folder.path)) continue;
      this.#byPath.set(folder.path, new Environment(folder.path, this.#folders.open(folder.path)));
    }
    const there = folders.map((folder) => this.#byPath.get(folder.path)!);
    for (let i = 0; i + 1 < folders.length; i++) if (folders[i]!.thread === folders[i + 1]!.thread) there[i]!.freeze();
    // What a tool has opened it reads to the end, though it was unlinked meanwhile.
    const gone = this.#disk?.readOnly === true ? this.#list.filter((environment) => !there.includes(environment)) : [];
    for (const environment of gone) environment.freeze();
    this.#list = [...gone, ...there];
  }

  /** Lane folders of the journal that were not dropped, and those that were exported, by thread and number. */
  #present(folders: LaneFolders): LaneFolder[] {
    const own = folders.list().filter(({ name }) => this.#anchor?.isDropped(name) !== true);
    // What was exported and is not dropped is there twice, and is one.
    const exported = (this.#disk?.exported ?? [])
      .flatMap(listLaneFolders)
      .filter(({ name }) => !own.some((one) => one.name === name));
    return [...exported, ...own].sort((a, b) => a.thread - b.thread || a.number - b.number);
  }

  /** A tool keeps the anchor that it began with. */
  #takeAnchor(): void {
    if (this.#disk === undefined || (this.#disk.readOnly && this.#list.length > 0)) return;
    const number = this.#anchorNumber();
    if (number === (this.#anchor?.document.number ?? 0)) return;
    this.#anchor = newestAnchor(this.#disk.journalDir);
  }

  #anchorNumber(): number {
    return this.#disk === undefined ? 0 : (anchorNumbers(readdirSync(this.#disk.journalDir)).at(-1) ?? 0);
  }

  #letGoOfDropped(folders: readonly LaneFolder[]): void {
    for (const [path, environment] of this.#byPath) {
      if (folders.some((folder) => folder.path === path)) continue;
      this.#byPath.delete(path);
      letGo(environment);
    }
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

  /**
   * The shard's last frame over all environments. Each is checked before it is compared: a damaged header would hide the end of the
   * chain, and what was answered with it.
   * @throws HoldfastError `frame_corrupt`
   */
  last(shard: number): FoundFrame | undefined {
    let best: FoundFrame | undefined;
    for (const environment of this.#list) {
      const found = environment.last(shard);
      if (found === undefined) continue;
      const wrong = parseFrame(found.bytes, this.#header);
      if (wrong !== undefined) throw corrupt(shard, found.firstSequence, environment.path, wrong);
      if (best === undefined || found.firstSequence > best.firstSequence)
        best = { ...found, bytes: found.bytes.slice() };
    }
    return best;
  }

  async close(): Promise<void> {
    await Promise.all(this.#list.map((environment) => environment.store.close()));
  }
}

/** An environment that nothing writes is closed when this returns; what fails here keeps a file open and harms nothing else. */
function letGo(environment: Environment): void {
  environment.store.close().catch(() => undefined);
}
