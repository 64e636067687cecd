/** The two background tasks of a simulated process: checkpoint rows and fingerprint segments, stepped by the scheduler. */
import { keysOfEvent } from '#src/domain/index-keys.js';
import { HoldfastError } from '#src/errors.js';
import { CheckpointStore } from '#src/journal/checkpoint.js';
import { JournalReader } from '#src/journal/reader.js';
import { SegmentBoard } from '#src/journal/segment-board.js';
import { SegmentIndexer } from '#src/journal/segment-indexer.js';
import { BackgroundTask } from '#src/ring/control-block.js';
import { RingConsumer } from '#src/ring/ring.js';
import { RingWriter } from '#src/shard/checkpoint-task.js';
import type { SimEngine } from './engine.js';
import { indexKeys, KEY_CHECK, laneFolders } from './shard-thread.js';

const ROWS_US = 500_000;
const SORT_ENTRIES = 4096;
const RESTART_US = 1_000_000;

export class Background {
  readonly #engine: SimEngine;
  readonly #board: SegmentBoard;
  #writers: RingWriter[] = [];
  #indexer: SegmentIndexer | undefined;
  #isFirstRound = true;

  constructor(engine: SimEngine) {
    this.#engine = engine;
    this.#board = new SegmentBoard(engine.board);
  }

  start(): void {
    this.#startRows();
    this.#startSegments();
  }

  /** The ring of rows is well filled. */
  rowsWait(): void {
    this.#engine.life.after(50, () => this.writeRows());
  }

  /** Commits the rows that wait. */
  writeRows(): void {
    try {
      for (const writer of this.#writers) while (writer.write());
    } catch (error) {
      this.#taskFailed(BackgroundTask.checkpoint, error, () => this.#openRows());
    }
  }

  /** Builds the segments of every record, for a stop. */
  finish(): void {
    try {
      this.#indexer?.finish(() => false);
    } catch (error) {
      this.#taskFailed(BackgroundTask.segments, error, () => undefined);
    }
  }

  #startRows(): void {
    this.#openRows();
    const poll = (): void => {
      this.writeRows();
      this.#engine.life.after(ROWS_US, poll);
    };
    this.#engine.life.after(ROWS_US, poll);
  }

  #openRows(): void {
    const { options, life, threads } = this.#engine;
    const store = CheckpointStore.over((shard) => options.disk.open(`state/shard-${shard}`, life));
    this.#engine.planted.rows?.(store);
    const say = (text: string, shard: number, why: string): void => options.log('error', text, { shard, why });
    this.#writers = threads.map((thread) => new RingWriter(store, new RingConsumer(thread.checkpointRing), say));
  }

  #startSegments(): void {
    try {
      this.#openSegments();
    } catch (error) {
      this.#taskFailed(BackgroundTask.segments, error, () => this.#openSegments());
    }
    const poll = (): void => {
      this.#round();
      this.#engine.life.after(this.#engine.options.shape.segmentPollUs, poll);
    };
    this.#engine.life.after(1, poll);
  }

  #openSegments(): void {
    const { options, life } = this.#engine;
    const { disk, shape } = options;
    const keys = indexKeys();
    const reader = JournalReader.of(laneFolders(disk, life));
    this.#isFirstRound = true;
    this.#indexer = new SegmentIndexer(
      reader,
      disk.open('segments', life),
      (event, visit) => {
        keysOfEvent(event, keys, visit);
      },
      {
        shards: shape.shards,
        board: this.#board,
        keyCheck: KEY_CHECK,
        buildRecords: shape.segmentRecords,
        sortEntries: SORT_ENTRIES,
        onDiscard: (shard, why) => options.log('warn', 'segments were discarded', { shard, why }),
      },
    );
  }

  #round(): void {
    const { indexer, isFirst } = { indexer: this.#indexer, isFirst: this.#isFirstRound };
    if (indexer === undefined) return;
    try {
      for (
        let steps = 0;
        steps < 8 && indexer.round(this.#engine.options.clock.wallMs(), isFirst && steps === 0);
        steps++
      );
      this.#isFirstRound = false;
    } catch (error) {
      this.#indexer = undefined;
      this.#taskFailed(BackgroundTask.segments, error, () => this.#openSegments());
    }
  }

  /** As the batch pool of the real engine: started again, but not after a failed commit. */
  #taskFailed(task: BackgroundTask, error: unknown, startAgain: () => void): void {
    const { options, life, control } = this.#engine;
    if (life.isGone) throw error;
    const code = error instanceof HoldfastError ? error.code : 'internal';
    options.log('error', 'a background task failed', { task, code, error: String(error) });
    if (task === BackgroundTask.checkpoint) this.#writers = [];
    if (code === 'commit_failed' || code === 'segment_corrupt') control.setTaskEnded(task);
    else life.after(RESTART_US, startAgain);
  }
}
