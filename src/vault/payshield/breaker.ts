/**
 * Circuit breaker of one device: when half of its latest answers fail, nothing more is sent to it until an echo comes back, so
 * that messages are answered at once instead of each waiting for its time-out. Pure: time is given.
 *
 *   closed ---- failures ----> open ---- after `openMs` ----> probing ---- echo ok ----> closed
 *                               ^                                |
 *                               +--------- echo failed ----------+
 */
export interface BreakerSettings {
  /** Answers that are looked back at, at most 31. */
  readonly window: number;
  /** Failures among them that open it, when they are at least half of them. */
  readonly failures: number;
  readonly openMs: number;
}

export type BreakerState = 'closed' | 'open' | 'probing';

export class Breaker {
  readonly #settings: BreakerSettings;
  #state: BreakerState = 'closed';
  /** Latest answers, the newest in the lowest bit: 1 = failed. */
  #answers = 0;
  #count = 0;
  #openedMs = 0;

  constructor(settings: BreakerSettings) {
    this.#settings = settings;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** An answer of the device, good or bad. True when it opens the breaker. */
  record(failed: boolean, nowMs: number): boolean {
    if (this.#state !== 'closed') return false;
    const { window, failures } = this.#settings;
    this.#answers = ((this.#answers << 1) | (failed ? 1 : 0)) & (2 ** window - 1);
    this.#count = Math.min(this.#count + 1, window);
    let bad = 0;
    for (let rest = this.#answers; rest !== 0; rest &= rest - 1) bad++;
    if (!failed || bad < failures || bad * 2 < this.#count) return false;
    this.#open(nowMs);
    return true;
  }

  /** True when it is time for an echo; the caller sends it and tells `probed`. */
  mayProbe(nowMs: number): boolean {
    if (this.#state !== 'open' || nowMs - this.#openedMs < this.#settings.openMs) return false;
    this.#state = 'probing';
    return true;
  }

  /** The answer to the echo. */
  probed(failed: boolean, nowMs: number): void {
    if (this.#state !== 'probing') return;
    if (failed) this.#open(nowMs);
    else {
      this.#state = 'closed';
      this.#answers = 0;
      this.#count = 0;
    }
  }

  #open(nowMs: number): void {
    this.#state = 'open';
    this.#openedMs = nowMs;
  }
}
