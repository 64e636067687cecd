/**
 * The batch pool: long background tasks beside the shards. Each owns an LMDB environment, so none is terminated: it is
 * asked to stop and awaited.
 *
 * A task that fails is started again a few times: it has closed its stores and kept nothing, so it begins where the disk and
 * the rings are. Not after a failed commit (the disk is in trouble), after damage that it could not discard (the next start
 * removes it), or when its thread crashed. When it has ended for good the control block says so: readiness is red and names
 * it. The journal is untouched in every case.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { TaskFault } from '../faults.js';
import { SegmentBoard } from '../journal/segment-board.js';
import type { SegmentTaskData } from '../journal/segment-task.js';
import { TASK_RESTART_DELAY_MS, TASK_RESTARTS_MAX, TASK_RESTARTS_WITHIN_MS } from '../limits.js';
import type { Log, LogNote } from '../log.js';
import { BackgroundTask, type ControlBlock } from '../ring/control-block.js';
import { Waker } from '../ring/wake.js';
import type { CheckpointTaskData } from '../shard/checkpoint-task.js';
import { workerFile } from '../worker-file.js';
import type { BackgroundResult } from './background-task.js';
import type { CheckpointChannel } from './engine-threads.js';

export interface BatchTasksOptions {
  readonly paths: { readonly journal: string; readonly state: string; readonly segments: string };
  readonly shards: number;
  readonly board: SharedArrayBuffer;
  readonly indexSeeds: readonly [number, number];
  readonly checkpoint: CheckpointChannel;
  readonly control: ControlBlock;
  readonly fault: TaskFault;
  readonly log: Log;
}

type TaskName = keyof typeof BackgroundTask;

/** Names of the entries in background-task.ts. */
const entries: Readonly<Record<TaskName, string>> = { segments: 'runSegments', checkpoint: 'runCheckpoint' };

/** Codes after which another start would meet the same. */
const lasting: readonly string[] = ['commit_failed', 'segment_corrupt', 'crashed'];

export class BatchTasks {
  readonly #options: BatchTasksOptions;
  readonly #pool: Piscina;
  readonly #running: Promise<void>[] = [];
  readonly #stop = new SharedArrayBuffer(4);
  readonly #stopRequested = new AbortController();

  constructor(options: BatchTasksOptions) {
    this.#options = options;
    this.#pool = new Piscina({
      filename: workerFile(import.meta.url, './background-task.js').href,
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
    const segments: SegmentTaskData = {
      journalDir: paths.journal,
      segmentsDir: paths.segments,
      shards,
      seedHigh: indexSeeds[0],
      seedLow: indexSeeds[1],
      board,
    };
    this.#running.push(this.#keepRunning('checkpoint', rows), this.#keepRunning('segments', segments));
  }

  /** Runs the task, again when it fails, until it is asked to stop or given up. Never rejects. */
  async #keepRunning(task: TaskName, data: object): Promise<void> {
    const { control, log, fault } = this.#options;
    let restarts: number[] = [];
    for (let start = 1; ; start++) {
      const failure = await this.#run(task, data, fault.task === task && start <= fault.starts);
      if (failure === undefined && this.#stopRequested.signal.aborted) return;
      const { code, message } = failure ?? { code: 'internal', message: 'it ended without having been asked to' };
      const now = performance.now();
      restarts = restarts.filter((at) => now - at < TASK_RESTARTS_WITHIN_MS);
      if (this.#stopRequested.signal.aborted || lasting.includes(code) || restarts.length >= TASK_RESTARTS_MAX) {
        control.setTaskEnded(BackgroundTask[task]);
        log.error({ task, code, error: message }, 'a background task ended; restart the server to have it back');
        return;
      }
      log.error({ task, code, error: message }, 'a background task failed and is started again');
      restarts.push(now);
      control.countTaskRestart(BackgroundTask[task]);
      if (!(await this.#pause())) return;
    }
  }

  /** One run of the task, to its end. */
  async #run(task: TaskName, data: object, fails: boolean): Promise<BackgroundResult> {
    const { port1, port2 } = new MessageChannel();
    port1.on('message', ({ level, message, data }: LogNote) => this.#options.log[level]({ task, ...data }, message));
    try {
      const options = { name: entries[task], transferList: [port2] };
      return (await this.#pool.run({ ...data, port: port2, fails }, options)) as BackgroundResult;
    } catch (error) {
      // Not the task's own failure, which is a result: its thread is gone.
      port1.close();
      return { code: 'crashed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
  }

  /** The pause before another start; false when a stop came meanwhile. */
  async #pause(): Promise<boolean> {
    const { signal } = this.#stopRequested;
    try {
      await sleep(TASK_RESTART_DELAY_MS, undefined, { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    return !signal.aborted;
  }

  /**
   * Asks the tasks to end, and waits for them. Rows that wait in the rings are written first.
   * @param finishMs time for building the segments of every record that waits; 0: they end after the commit they are in
   */
  async stop(finishMs = 0): Promise<void> {
    this.#stopRequested.abort();
    const board = new SegmentBoard(this.#options.board);
    if (finishMs > 0) board.requestFinish(finishMs);
    else board.requestStop();
    Atomics.store(new Int32Array(this.#stop), 0, 1);
    new Waker(this.#options.checkpoint.wake).signal();
    await Promise.all(this.#running);
    await this.#pool.destroy();
  }
}
