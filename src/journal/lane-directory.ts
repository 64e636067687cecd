/**
 * The folders of the lanes: `journal/lane-<thread>-<number>/`, each one environment. Thread k appends to the folder with
 * the highest number of its lane and begins the next one when that has grown large. With another number of threads a shard
 * continues in another lane; readers join all folders by sequence.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LANE_MAP_BYTES } from '../limits.js';
import { openLmdbStore } from '../store/lmdb-store.js';
import { lastCommitOf } from './lane-index.js';
import { EmbeddedLane, type EmbeddedLaneOptions } from './lanes.js';

const NAME = /^lane-(\d+)-(\d+)$/;

export interface LaneFolder {
  readonly thread: number;
  /** From 1, counting up within the lane. */
  readonly number: number;
  readonly name: string;
  readonly path: string;
}

export function laneFolder(journalDir: string, thread: number, number: number): LaneFolder {
  const name = `lane-${thread}-${String(number).padStart(6, '0')}`;
  return { thread, number, name, path: join(journalDir, name) };
}

/** All lane folders that hold a data file, by thread and number. */
export function listLaneFolders(journalDir: string): LaneFolder[] {
  const folders: LaneFolder[] = [];
  for (const name of readdirSync(journalDir)) {
    const match = NAME.exec(name);
    if (match === null || !existsSync(join(journalDir, name, 'data.mdb'))) continue;
    folders.push({ thread: Number(match[1]), number: Number(match[2]), name, path: join(journalDir, name) });
  }
  return folders.sort((a, b) => a.thread - b.thread || a.number - b.number);
}

/** Bytes of all lanes' data files: what the journal takes on the disk. */
export function laneBytes(journalDir: string): number {
  let bytes = 0;
  for (const { path } of listLaneFolders(journalDir))
    bytes += statSync(join(path, 'data.mdb'), { throwIfNoEntry: false })?.size ?? 0;
  return bytes;
}

/**
 * Closes the lanes that no thread appends to any more, because there were more threads once: each gets an empty folder behind its
 * newest one. Done again it does nothing.
 * @param threads that append now: lanes 0 to threads - 1 are theirs
 */
export function closeIdleLanes(journalDir: string, threads: number): void {
  const newest = new Map(listLaneFolders(journalDir).map((folder) => [folder.thread, folder]));
  for (const { thread, number, path } of newest.values()) {
    if (thread < threads) continue;
    const store = openLmdbStore(path, { mapBytes: LANE_MAP_BYTES });
    const isEmpty = lastCommitOf(store) === 0;
    store.close().catch(() => undefined);
    if (isEmpty) continue;
    const next = openLmdbStore(laneFolder(journalDir, thread, number + 1).path, { mapBytes: LANE_MAP_BYTES });
    next.close().catch(() => undefined);
  }
}

export interface OpenLaneOptions extends Pick<EmbeddedLaneOptions, 'heads' | 'environmentBytes'> {
  /** Commits do not wait for the disk: a fault that tests plant. Holds for folders that this process is the first to open. */
  noSync?: boolean;
}

/**
 * Opens the lane of thread `thread` (from 0) for appending: its newest folder, or the first one.
 * @throws HoldfastError `store_truncated`, `data_dir_unusable`.
 */
export function openLane(journalDir: string, thread: number, options: OpenLaneOptions = {}): EmbeddedLane {
  const newest = listLaneFolders(journalDir).findLast((folder) => folder.thread === thread);
  let folder = newest ?? laneFolder(journalDir, thread, 1);
  const open = () => openLmdbStore(folder.path, { mapBytes: LANE_MAP_BYTES, rebuildable: options.noSync === true });
  const bytesAtStart = newest ? statSync(join(newest.path, 'data.mdb')).size : 0;
  return new EmbeddedLane(open(), {
    ...options,
    bytesAtStart,
    next: () => {
      folder = laneFolder(journalDir, thread, folder.number + 1);
      return open();
    },
  });
}
