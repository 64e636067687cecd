/**
 * A few words of shared memory that every thread looks at: the stop word, the shed flag and the state of each shard.
 *
 *   [0] stop word: 0 run, else the exit status of a fatal stop   [1] 1 while new work must be refused (no disk space)
 *   [2 + task] 1 when the background task has ended and is not started again   [4 + task] how often it was started again
 *   [6] how often an operator accepted the wall clock
 *   [16 + shard] ShardState   [16 + 256 + shard] whole seconds by which the wall clock is ahead of the monotonic clock in the
 *   shard's thread, 0 while they agree
 *
 * Single words with no order between them: nobody concludes from one word what another has, or what lies in other memory. They
 * are Atomics all the same, because a plain load in a loop may be taken out of it by the compiler, and a plain store may stay
 * with its thread for long. What is more than that, is said where it stands.
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
    // A thread that sees 0 does one turn more, which is as good as the stop having come a turn later.
    return Atomics.load(this.#words, STOP);
  }

  /** Asks every thread to leave after its commit; the first status stays. */
  requestStop(exitStatus: number): void {
    // In one step: of two threads that fail at once one status stays, and everybody sees the same one.
    Atomics.compareExchange(this.#words, STOP, 0, exitStatus);
  }

  /** True while new work must be answered 91 because disk space is below the reserve. */
  get refuse(): boolean {
    // Single writer (the disk guard); a message more or less is refused.
    return Atomics.load(this.#words, REFUSE) === 1;
  }

  set refuse(value: boolean) {
    // Publishes nothing but itself.
    Atomics.store(this.#words, REFUSE, value ? 1 : 0);
  }

  /** False once the task has ended for good: what it keeps falls behind until the next start. */
  taskRuns(task: BackgroundTask): boolean {
    // Goes from 0 to 1 once; readiness shows it at its next look.
    return Atomics.load(this.#words, TASK_ENDED + task) === 0;
  }

  setTaskEnded(task: BackgroundTask): void {
    // Publishes nothing but itself.
    Atomics.store(this.#words, TASK_ENDED + task, 1);
  }

  taskRestarts(task: BackgroundTask): number {
    // A figure to be shown.
    return Atomics.load(this.#words, TASK_RESTARTS + task);
  }

  countTaskRestart(task: BackgroundTask): void {
    // In one step, although only the supervisor counts.
    Atomics.add(this.#words, TASK_RESTARTS + task, 1);
  }

  /** How often the wall clock was accepted since the start: each thread that sees a new number follows. */
  get clockAcceptances(): number {
    // A thread acts when the number differs from the one it knows, and then reads the clock itself.
    return Atomics.load(this.#words, CLOCK_ACCEPTANCES);
  }

  acceptClock(): void {
    // In one step: two operators at once are two acceptances.
    Atomics.add(this.#words, CLOCK_ACCEPTANCES, 1);
  }

  /** Seconds by which the shard's wall clock is ahead; 0 while the clocks agree. */
  clockDifference(shard: number): number {
    // A figure to be shown.
    return Atomics.load(this.#words, CLOCK_DIFFERENCES + shard);
  }

  setClockDifference(shard: number, seconds: number): void {
    const shown = Math.max(-DIFFERENCE_MAX_S, Math.min(seconds, DIFFERENCE_MAX_S));
    // Single writer (the shard's thread); publishes nothing but itself.
    Atomics.store(this.#words, CLOCK_DIFFERENCES + shard, shown);
  }

  shardState(shard: number): ShardState {
    // A message that is routed by an old state is answered 91 by the thread, or a message earlier than it need be.
    return Atomics.load(this.#words, STATES + shard) as ShardState;
  }

  setShardState(shard: number, state: ShardState): void {
    // Single writer (the shard's thread); a shard that is up has its cards in the directory, whose own words publish them.
    Atomics.store(this.#words, STATES + shard, state);
  }
}
