/**
 * The batch pool: long background tasks beside the shards. Each owns an LMDB environment, so none is terminated: it is
 * asked to stop and awaited.
 */
import { Piscina } from 'piscina';
import { SegmentBoard } from '../journal/segment-board.js';
import type { SegmentTaskData } from '../journal/segment-task.js';
import type { Log } from '../log.js';
import { Waker } from '../ring/wake.js';
import type { CheckpointTaskData } from '../shard/checkpoint-task.js';
import { workerFile } from '../worker-file.js';
import type { CheckpointChannel } from './engine-threads.js';

export interface BatchTasksOptions {
  readonly paths: { readonly journal: string; readonly state: string; readonly segments: string };
  readonly shards: number;
  readonly board: SharedArrayBuffer;
  readonly indexSeeds: readonly [number, number];
  readonly checkpoint: CheckpointChannel;
  readonly log: Log;
}

export class BatchTasks {
  readonly #options: BatchTasksOptions;
  readonly #pool: Piscina;
  readonly #running: Promise<unknown>[] = [];
  readonly #stop = new SharedArrayBuffer(4);
  readonly #failures: Error[] = [];
  #failed: (error: Error) => void = (error) => void this.#failures.push(error);

  constructor(options: BatchTasksOptions) {
    this.#options = options;
    this.#pool = new Piscina({
      minThreads: 0,
      maxThreads: 4,
      concurrentTasksPerWorker: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      atomics: 'disabled',
    });
  }

  start(): void {
    const { paths, shards, board, indexSeeds, checkpoint } = this.#options;
    const rows: CheckpointTaskData = { stateDir: paths.state, ...checkpoint, stop: this.#stop };
    this.#run('../shard/checkpoint-task.js', 'checkpointTask', rows);
    const segments: SegmentTaskData = {
      journalDir: paths.journal,
      segmentsDir: paths.segments,
      shards,
      seedHigh: indexSeeds[0],
      seedLow: indexSeeds[1],
      board,
    };
    this.#run('../journal/segment-task.js', 'segmentTask', segments);
  }

  /** Called when a task ends with an error, and at once for those that did before. */
  onFailure(failed: (error: Error) => void): void {
    this.#failed = failed;
    for (const error of this.#failures.splice(0)) failed(error);
  }

  #run(file: string, name: string, data: unknown): void {
    const running = this.#pool.run(data, { filename: workerFile(import.meta.url, file).href, name });
    this.#running.push(running.catch((error: Error) => this.#failed(error)));
  }

  /** Asks the tasks to end after the commit they are in, and waits for them. */
  async stop(): Promise<void> {
    new SegmentBoard(this.#options.board).requestStop();
    Atomics.store(new Int32Array(this.#stop), 0, 1);
    new Waker(this.#options.checkpoint.wake).signal();
    await Promise.all(this.#running);
    await this.#pool.destroy();
  }
}
