/**
 * The background task that keeps the fingerprint segments of all shards up to date: one long task of the batch pool, in a
 * thread of its own, beside the shards.
 *
 * It owns an LMDB environment, so its thread is never terminated: `SegmentBoard.requestStop` wakes it, it ends after the
 * commit it is in, closes its stores and returns. Segments are written with ordinary durable commits, although they could be
 * rebuilt: shards forget from memory what the segments hold, and an environment without flushes need not survive a power
 * cut.
 */
import { createHash } from 'node:crypto';
import { wallMs } from '../clock.js';
import { IndexKeys, keysOfEvent } from '../domain/index-keys.js';
import { SEGMENT_MAP_BYTES, SEGMENT_POLL_MS, SEGMENT_REST_RATIO } from '../limits.js';
import { openLmdbStore } from '../store/lmdb-store.js';
import type { Store } from '../store/port.js';
import { BATCH_NICE, lowerThreadPriority } from '../thread-priority.js';
import { JournalReader } from './reader.js';
import { SegmentBoard } from './segment-board.js';
import { SegmentIndexer } from './segment-indexer.js';

/** Raise it when an event gets other keys than before: all segments are then built anew. */
const KEYS_VERSION = 1;

/** What the task is started with: structured-cloneable. */
export interface SegmentTaskData {
  /** Folder of the journal's lanes. */
  journalDir: string;
  /** Folder of the segments' environment. */
  segmentsDir: string;
  shards: number;
  /** The seeds of the shards' IndexKeys. */
  seedHigh: number;
  seedLow: number;
  /** From `createSegmentBoard`. */
  board: SharedArrayBuffer;
  pollMs?: number;
}

/** Store of the segments, as `openSegmentStore` gives it. */
export type SegmentStore = Store;

export interface SegmentTaskResult {
  built: number;
  merged: number;
}

/** Opens the segments' environment, for the task and for every shard thread alike: all must ask for the same map. */
export function openSegmentStore(segmentsDir: string): Store {
  return openLmdbStore(segmentsDir, { mapBytes: SEGMENT_MAP_BYTES });
}

/** The mark under which segments of these seeds are stored. It does not tell the seeds. */
export function segmentKeyCheck(seedHigh: number, seedLow: number): number {
  const text = `holdfast segments ${KEYS_VERSION} ${seedHigh >>> 0} ${seedLow >>> 0}`;
  return createHash('sha256').update(text).digest().readUInt32LE(0);
}

/** Sleeps for a multiple of the time worked since the last rest. */
function resting(board: SegmentBoard): () => void {
  let woke = performance.now();
  return () => {
    board.sleep((performance.now() - woke) * SEGMENT_REST_RATIO);
    woke = performance.now();
  };
}

/**
 * Runs until the board says stop. Named export for piscina: `pool.run(data, { name: 'segmentTask' })`.
 * @throws HoldfastError `segment_corrupt`, `commit_failed` and the errors of the journal's reader
 */
export async function segmentTask(data: SegmentTaskData): Promise<SegmentTaskResult> {
  lowerThreadPriority(BATCH_NICE);
  const board = new SegmentBoard(data.board);
  const keys = new IndexKeys(data.seedHigh, data.seedLow);
  const store = openSegmentStore(data.segmentsDir);
  const reader = JournalReader.open(data.journalDir);
  try {
    const indexer = new SegmentIndexer(
      reader,
      store,
      (event, visit) => {
        keysOfEvent(event, keys, visit);
      },
      { shards: data.shards, board, keyCheck: segmentKeyCheck(data.seedHigh, data.seedLow), rest: resting(board) },
    );
    // What the last run left is built at once, whatever its size: the shards' memory gets it all at their start.
    for (let first = true; !board.stopping; first = false)
      if (!indexer.round(wallMs(), first)) board.sleep(data.pollMs ?? SEGMENT_POLL_MS);
    return { built: board.built, merged: board.merged };
  } finally {
    await reader.close();
    await store.close();
  }
}
