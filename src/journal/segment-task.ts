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
import type { MessagePort } from 'node:worker_threads';
import { wallMs } from '../clock.js';
import { IndexKeys, keysOfEvent } from '../domain/index-keys.js';
import { SEGMENT_POLL_MS, SEGMENT_REST_MS_MAX, SEGMENT_REST_RATIO } from '../limits.js';
import type { LogNote } from '../log.js';
import { BATCH_NICE, lowerThreadPriority } from '../thread-priority.js';
import { JournalReader } from './reader.js';
import { SegmentBoard } from './segment-board.js';
import { isSegmentDamage } from './segment-format.js';
import { SegmentIndexer } from './segment-indexer.js';
import { markSegments, openSegmentStore, type SegmentStore } from './segment-store.js';

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
  /** Takes `LogNote`s. */
  port?: MessagePort;
}

export interface SegmentTaskResult {
  built: number;
  merged: number;
}

/** The mark under which segments of these seeds are stored. It does not tell the seeds. */
export function segmentKeyCheck(seedHigh: number, seedLow: number): number {
  const text = `holdfast segments ${KEYS_VERSION} ${seedHigh >>> 0} ${seedLow >>> 0}`;
  return createHash('sha256').update(text).digest().readUInt32LE(0);
}

/**
 * Rests of the task: each is a multiple of the time worked since the last one, up to a bound. Sleeping between two rounds
 * is no work.
 */
export class Rests {
  readonly #sleep: (ms: number) => void;
  readonly #now: () => number;
  #woke: number;

  /** @param sleep blocks for some ms @param now ms of a clock that does not go back */
  constructor(sleep: (ms: number) => void, now: () => number) {
    this.#sleep = sleep;
    this.#now = now;
    this.#woke = now();
  }

  rest(): void {
    this.sleep(Math.min(SEGMENT_REST_MS_MAX, (this.#now() - this.#woke) * SEGMENT_REST_RATIO));
  }

  sleep(ms: number): void {
    this.#sleep(ms);
    this.#woke = this.#now();
  }
}

/**
 * Runs until the board says stop.
 * @throws HoldfastError `segment_corrupt` when damage could not be discarded in place (the folder is marked then, and the next
 *   start empties it), `commit_failed` and the errors of the journal's reader
 */
export async function segmentTask(data: SegmentTaskData): Promise<SegmentTaskResult> {
  lowerThreadPriority(BATCH_NICE);
  const board = new SegmentBoard(data.board);
  const store = openSegmentStore(data.segmentsDir);
  try {
    const reader = JournalReader.open(data.journalDir);
    try {
      follow(data, board, reader, store);
    } finally {
      await reader.close();
    }
    return { built: board.built, merged: board.merged };
  } catch (error) {
    if (isSegmentDamage(error)) markSegments(data.segmentsDir);
    throw error;
  } finally {
    await store.close();
  }
}

function follow(data: SegmentTaskData, board: SegmentBoard, reader: JournalReader, store: SegmentStore): void {
  const keys = new IndexKeys(data.seedHigh, data.seedLow);
  const rests = new Rests(
    (ms) => board.sleep(ms),
    () => performance.now(),
  );
  const indexer = new SegmentIndexer(
    reader,
    store,
    (event, visit) => {
      keysOfEvent(event, keys, visit);
    },
    {
      shards: data.shards,
      board,
      keyCheck: segmentKeyCheck(data.seedHigh, data.seedLow),
      rest: () => rests.rest(),
      onDiscard: (shard, why) => {
        const message = 'the fingerprint segments of a shard were discarded; they are built anew from the journal';
        data.port?.postMessage({ level: 'warn', message, data: { shard, why } } satisfies LogNote);
      },
    },
  );
  // What the last run left is built at once, whatever its size: the shards' memory gets it all at their start.
  for (let first = true; !board.stopping; first = false)
    if (!indexer.round(wallMs(), first)) rests.sleep(data.pollMs ?? SEGMENT_POLL_MS);
  if (board.finishMs === 0) return;
  const until = performance.now() + board.finishMs;
  indexer.finish(() => board.stoppingNow || performance.now() >= until);
}
