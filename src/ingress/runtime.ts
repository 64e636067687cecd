/**
 * What the ingress takes from the process around it: the clocks and the turns of its event loop. The process is the default; a
 * simulator gives its own, and then nothing of the ingress happens but when the simulator says so.
 */
import { monotonicUs, wallMs } from '../clock.js';

export interface Timer {
  cancel(): void;
}

export interface Runtime {
  /** Microseconds of the monotonic clock. */
  readonly monotonicUs: () => number;
  /** Wall clock, ms since 1970 UTC. */
  readonly wallMs: () => number;
  /** Calls on the next turn of the event loop. */
  readonly soon: (call: () => void) => void;
  /** Calls once, `ms` later. */
  readonly after: (ms: number, call: () => void) => Timer;
  /** Calls again and again, every `ms`; it alone does not keep the process alive. */
  readonly every: (ms: number, call: () => void) => Timer;
}

export const processRuntime: Runtime = {
  monotonicUs,
  wallMs,
  soon: (call) => void setImmediate(call),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return { cancel: () => clearTimeout(timer) };
  },
  every: (ms, call) => {
    const timer = setInterval(call, ms);
    timer.unref();
    return { cancel: () => clearInterval(timer) };
  },
};
