/**
 * Tells everybody when the clocks of a shard thread differ, and takes the word of an operator that the wall clock is right.
 * The state stands in the control block, where readiness and metrics see it; a change is a line in the log.
 */
import type { ControlBlock } from '../ring/control-block.js';
import type { ShardClock } from './shard-clock.js';
import type { ThreadContext } from './thread-context.js';

const seconds = (ms: number): number => Math.round(ms / 1000);

export class ClockWatch {
  readonly #clock: ShardClock;
  readonly #context: ThreadContext;
  readonly #control: ControlBlock;
  /** Numbers of the thread's shards: each has a word of the control block. */
  readonly #shards: readonly number[];
  /** Acceptances that this thread has followed. */
  #accepted: number;
  /** Seconds that the control block shows. */
  #shown = 0;

  constructor(clock: ShardClock, context: ThreadContext, control: ControlBlock, shards: readonly number[]) {
    this.#clock = clock;
    this.#context = context;
    this.#control = control;
    this.#shards = shards;
    this.#accepted = control.clockAcceptances;
  }

  /** Once per turn, after the clock was read. */
  look(): void {
    const clock = this.#clock;
    const context = this.#context;
    const acceptances = this.#control.clockAcceptances;
    if (acceptances !== this.#accepted) {
      this.#accepted = acceptances;
      clock.accept();
    }
    const { paused } = clock;
    const difference = paused ? seconds(clock.differenceMs) : 0;
    if (difference !== this.#shown) {
      this.#shown = difference;
      for (const shard of this.#shards) this.#control.setClockDifference(shard, difference);
    }
    if (paused === context.clockPaused) return;
    context.clockPaused = paused;
    if (paused) {
      context.ports.log(
        'error',
        'the wall clock and the monotonic clock differ: hold expiry and window roll-over are paused',
        { difference_s: difference, next: 'set the clock right, or run `holdfast clock accept` if it is right now' },
      );
    } else {
      context.ports.log('warn', 'the clocks agree: hold expiry and window roll-over go on', {});
    }
  }
}
