/** Shard time of a scratch host that goes by itself and leaps when it is told to. */
import { monotonicUs } from '#src/clock.js';
import { SCRATCH_NOW_MS } from '#src/shard/scratch-host.js';
import { lastTimesOf, ShardClock } from '#src/shard/shard-clock.js';

/** Both clocks leap together, and shard time with them. */
export class LeapingClock extends ShardClock {
  leapMs = 0;
  readonly #startUs: number;
  /** For the host that has this clock. */
  readonly wallMs = (): number => SCRATCH_NOW_MS + (monotonicUs() - this.#startUs) / 1000;

  constructor() {
    const startUs = monotonicUs();
    super(lastTimesOf([]), SCRATCH_NOW_MS, startUs);
    this.#startUs = startUs;
  }

  override now(wallMs: number, nowUs: number): number {
    return super.now(wallMs + this.leapMs, nowUs + this.leapMs * 1000);
  }
}
