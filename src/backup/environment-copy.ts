/**
 * The copy of one LMDB environment while somebody writes it.
 *
 *   bulk    the whole file as it is, page after page, without holding anything: pages change meanwhile
 *   pin     a snapshot: from here on no page that is in use now is written again
 *   delta   the pages of the snapshot that are of a transaction after the beginning of `bulk`, copied once more
 *
 * A page in use at the snapshot that is older than the bulk copy was in use all the time, so it did not change. LMDB gives a page that
 * changes another place, and with it every page above it: a page that is old has nothing new below it, and the walk ends there. So
 * the snapshot is held for as long as the changes of the bulk copy take, not for gigabytes: while it is held the writer cannot
 * use freed pages again, and its file grows.
 */
import { closeSync, mkdirSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type Meta, metasIn, newerOf, readMetas, storeDamaged } from '../store/lmdb-file.js';
import { openLmdbStore, syncDirectory } from '../store/lmdb-store.js';
import { changedPages, metaDefect } from '../store/lmdb-structure.js';
import type { Store } from '../store/port.js';
import type { PacedCopy } from './pace.js';

const PROBE = Uint8Array.of(0);
const META_PAGES = 2;

export class EnvironmentCopy {
  /** Folder of the environment below the data directory, with `/`. */
  readonly name: string;
  readonly #source: string;
  readonly #target: string;
  readonly #store: Store;
  readonly #file: number;
  #copy: FileHandle | undefined;
  /** Transaction at the beginning of `bulk`. */
  #since = -1n;
  /** Both meta pages of the snapshot. */
  #metas: Buffer | undefined;

  /** @throws HoldfastError `store_truncated`, `data_dir_unusable` */
  constructor(root: string, name: string, target: string, mapBytes: number) {
    this.name = name;
    const folder = join(root, name);
    this.#source = join(folder, 'data.mdb');
    this.#target = join(target, name);
    this.#store = openLmdbStore(folder, { readOnly: true, mapBytes });
    this.#file = openSync(this.#source, 'r');
  }

  /** Begins the copy with the file as it is. */
  async bulk(pace: PacedCopy): Promise<void> {
    this.#since = this.#newest().txn;
    const copy = await this.#open();
    const from = await open(this.#source, 'r');
    try {
      const { size } = await from.stat();
      await pace.range(from, copy, 0, size, this.#target);
    } finally {
      await from.close();
    }
  }

  async #open(): Promise<FileHandle> {
    if (this.#copy === undefined) {
      mkdirSync(this.#target, { recursive: true, mode: 0o700 });
      this.#copy = await open(join(this.#target, 'data.mdb'), 'wx', 0o600);
    }
    return this.#copy;
  }

  /** Bytes of both meta pages now: equal bytes, no commit between. */
  look(): Buffer {
    const { pageSize } = this.#newest();
    const bytes = Buffer.alloc(pageSize * META_PAGES);
    readSync(this.#file, bytes, 0, bytes.length, 0);
    return bytes;
  }

  /** Takes a snapshot, as new as what `look` would give now at the least. */
  pin(): void {
    this.#store.refresh();
    this.#store.get(PROBE);
  }

  /** The snapshot is the one of these meta pages. */
  keep(metas: Buffer): void {
    this.#metas = metas;
  }

  /** Gives the snapshot up. */
  release(): void {
    this.#store.refresh();
  }

  /**
   * Completes the copy to the snapshot; it is durable when this resolves.
   * @throws HoldfastError `store_damaged`
   */
  async delta(pace: PacedCopy): Promise<void> {
    const metas = this.#metas!;
    const copy = await this.#open();
    const pages = metasIn(metas, this.#source);
    const defect = metaDefect(pages);
    if (defect !== undefined) throw storeDamaged(this.#source, defect);
    const meta = newerOf(pages);
    const from = await open(this.#source, 'r');
    try {
      for (const { page, count } of changedPages(this.#file, meta, this.#since)) {
        const at = page * meta.pageSize;
        const end = at + count * meta.pageSize;
        const reached = await pace.range(from, copy, at, end, this.#target);
        if (reached < end) throw storeDamaged(this.#source, `page ${page} lies beyond the end of the file`);
      }
    } finally {
      await from.close();
    }
    await copy.write(metas, 0, metas.length, 0);
    // What lies behind the last page of the snapshot is of later commits.
    const { size } = await copy.stat();
    await copy.truncate(Math.min(size, (meta.lastPage + 1) * meta.pageSize));
    await copy.sync();
    syncDirectory(this.#target);
  }

  #newest(): Meta {
    return newerOf(readMetas(this.#file, this.#source)!);
  }

  async close(): Promise<void> {
    closeSync(this.#file);
    await this.#copy?.close();
    await this.#store.close();
  }
}
