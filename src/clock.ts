/**
 * Clocks of the process. `monotonicUs` is comparable between the threads of one process: each thread's performance.now()
 * counts from its own start, so the offset to the process-wide hrtime is taken once per thread.
 */
const offsetUs = Number(process.hrtime.bigint() / 1000n) - performance.now() * 1000;

/** Microseconds of the system's monotonic clock, with sub-microsecond fraction; about 40 ns per call. */
export function monotonicUs(): number {
  return performance.now() * 1000 + offsetUs;
}

/** Wall clock, ms since 1970 UTC. */
export function wallMs(): number {
  return Date.now();
}
