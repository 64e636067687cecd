/**
 * How many deliveries may begin: an allowance that grows with time, for all endpoints together. A delivery costs the control
 * thread some 0.2 ms; a backlog must not take a core from the threads that answer.
 */
export class Pace {
  readonly #perMs: number;
  readonly #most: number;
  #allowed: number;
  #atMs: number;

  /** @param most deliveries that may begin at once after a pause @param nowMs of a clock that does not go back */
  constructor(perSecond: number, most: number, nowMs: number) {
    this.#perMs = perSecond / 1000;
    this.#most = most;
    this.#allowed = most;
    this.#atMs = nowMs;
  }

  /** True when one more may begin now; it is counted. */
  take(nowMs: number): boolean {
    this.#allowed = Math.min(this.#most, this.#allowed + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    if (this.#allowed < 1) return false;
    this.#allowed--;
    return true;
  }
}
