/** The life of one simulated process: whatever it does goes through `enter`, and ends with it. */
import { ExitStatus, HoldfastError } from '#src/errors.js';
import type { SimProcess } from './disk.js';
import type { Scheduler, SimTimer } from './scheduler.js';

/** Thrown through the engine when its process ends in the middle of something. */
class ProcessGone extends Error {
  override readonly name = 'ProcessGone';
}

export interface ProcessEnd {
  /** Exit status; 137 for a kill or a power cut. */
  readonly status: number;
  readonly why: string;
  /** The error that ended it, when it was one. */
  readonly error: unknown;
}

/** The end of a process by an error that nobody handles. */
export function endBy(error: unknown): ProcessEnd {
  const status = error instanceof HoldfastError ? error.exitStatus : ExitStatus.internal;
  return { status, why: error instanceof Error ? error.message : String(error), error };
}

export class Life implements SimProcess {
  readonly scheduler: Scheduler;
  readonly #onEnd: (end: ProcessEnd) => void;
  #gone = false;

  constructor(scheduler: Scheduler, onEnd: (end: ProcessEnd) => void) {
    this.scheduler = scheduler;
    this.#onEnd = onEnd;
  }

  get isGone(): boolean {
    return this.#gone;
  }

  die(why: string): never {
    this.end({ status: ExitStatus.forced, why, error: undefined });
    throw new ProcessGone(why);
  }

  end(end: ProcessEnd): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#onEnd(end);
  }

  /** Runs a part of the process. An error that comes out of it is `onError`'s; by default it ends the process. */
  enter(call: () => void, onError?: (error: unknown) => void): void {
    if (this.#gone) return;
    try {
      call();
    } catch (error) {
      if (this.#gone) return;
      if (onError === undefined) this.fail(error);
      else onError(error);
    }
  }

  /** Ends the process as an error would that nobody handles. */
  fail(error: unknown): void {
    this.end(endBy(error));
  }

  after(us: number, call: () => void): SimTimer {
    return this.scheduler.after(us, () => this.enter(call));
  }
}
