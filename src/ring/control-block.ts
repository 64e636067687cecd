/**
 * A few words of shared memory that every thread looks at: the stop word, the shed flag and the state of each shard.
 *
 *   [0] stop word: 0 run, else the exit status of a fatal stop   [1] 1 while new work must be refused (no disk space)
 *   [2 + task] 1 when the background task has ended and is not started again   [4 + task] how often it was started again
 *   [6] how often an operator accepted the wall clock
 *   [16 + shard] ShardState   [16 + 256 + shard] whole seconds by which the wall clock is ahead of the monotonic clock in the
 *   shard's thread, 0 while they agree
 *
 * All accesses are Atomics loads and stores: single words, each with one writer at a time, no order between them needed.
 */
import { SHARDS_MAX } from '../limits.js';

export const ShardState = { starting: 0, up: 1, rebuilding: 2, down: 3 } as const;
export type ShardState = (typeof ShardState)[keyof typeof ShardState];

/** The background tasks, by their number. */
export const BackgroundTask = { segments: 0, checkpoint: 1 } as const;
export type BackgroundTask = (typeof BackgroundTask)[keyof typeof BackgroundTask];

const STOP = 0;
const REFUSE = 1;
const TASK_ENDED = 2;
const TASK_RESTARTS = 4;
const CLOCK_ACCEPTANCES = 6;
const STATES = 16;
const CLOCK_DIFFERENCES = STATES + SHARDS_MAX;
/** A difference that is larger is shown as this much: 68 years. */
const DIFFERENCE_MAX_S = 2 ** 31 - 1;

export function createControlBlock(): SharedArrayBuffer {
  return new SharedArrayBuffer((CLOCK_DIFFERENCES + SHARDS_MAX) * 4);
}

export class ControlBlock {
  readonly #words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
  }

  /** Exit status of a fatal stop, 0 while running. */
  get stop(): number {
    return Atomics.load(this.#words, STOP);
  }

  /** Asks every thread to leave after its commit; the first status stays. */
  requestStop(exitStatus: number): void {
    Atomics.compareExchange(this.#words, STOP, 0, exitStatus);
  }

  /** True while new work must be answered 91 because disk space is below the reserve. */
  get refuse(): boolean {
    return Atomics.load(this.#words, REFUSE) === 1;
  }

  set refuse(value: boolean) {
    Atomics.store(this.#words, REFUSE, value ? 1 : 0);
  }

  /** False once the task has ended for good: what it keeps falls behind until the next start. */
  taskRuns(task: BackgroundTask): boolean {
    return Atomics.load(this.#words, TASK_ENDED + task) === 0;
  }

  setTaskEnded(task: BackgroundTask): void {
    Atomics.store(this.#words, TASK_ENDED + task, 1);
  }

  taskRestarts(task: BackgroundTask): number {
    return Atomics.load(this.#words, TASK_RESTARTS + task);
  }

  countTaskRestart(task: BackgroundTask): void {
    Atomics.add(this.#words, TASK_RESTARTS + task, 1);
  }

  /** How often the wall clock was accepted since the start: each thread that sees a new number follows. */
  get clockAcceptances(): number {
    return Atomics.load(this.#words, CLOCK_ACCEPTANCES);
  }

  acceptClock(): void {
    Atomics.add(this.#words, CLOCK_ACCEPTANCES, 1);
  }

  /** Seconds by which the shard's wall clock is ahead; 0 while the clocks agree. */
  clockDifference(shard: number): number {
    return Atomics.load(this.#words, CLOCK_DIFFERENCES + shard);
  }

  setClockDifference(shard: number, seconds: number): void {
    const shown = Math.max(-DIFFERENCE_MAX_S, Math.min(seconds, DIFFERENCE_MAX_S));
    Atomics.store(this.#words, CLOCK_DIFFERENCES + shard, shown);
  }

  shardState(shard: number): ShardState {
    return Atomics.load(this.#words, STATES + shard) as ShardState;
  }

  setShardState(shard: number, state: ShardState): void {
    Atomics.store(this.#words, STATES + shard, state);
  }
}
