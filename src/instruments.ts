/**
 * Hot-path instruments: histograms and counters in shared memory, one block per thread, written by that thread only with
 * plain stores and read by the control plane at scrape time. A record costs about 10 ns; a scrape that is a few events behind
 * is no error. A cell is one aligned 64-bit float, which every platform of Node writes and reads in one piece: it counts
 * exactly to 2^53. (32 bits are full after half a day at 100 000 per second, and a cell that begins again at 0 makes a sum of
 * several cells fall, which Prometheus takes for a restart and counts all over again.)
 *
 * Histogram: log-linear, microseconds. Bucket of v: 8 linear steps per power of two, from 1 us to 2^26 us (67 s), so the
 * relative error is at most 12.5 %. Exact percentiles are the load test's business.
 */

const STEPS = 8;
const POWERS = 27;
export const HISTOGRAM_BUCKETS = POWERS * STEPS;
/** Buckets, then count and sum in us. */
const HISTOGRAM_CELLS = HISTOGRAM_BUCKETS + 2;

/** Upper bound of a bucket in microseconds. */
export function bucketUpperUs(bucket: number): number {
  const power = Math.floor(bucket / STEPS);
  return 2 ** power * (1 + ((bucket % STEPS) + 1) / STEPS);
}

export class SharedHistogram {
  readonly #cells: Float64Array;

  constructor(buffer: SharedArrayBuffer, byteOffset: number) {
    this.#cells = new Float64Array(buffer, byteOffset, HISTOGRAM_CELLS);
  }

  static readonly bytes = HISTOGRAM_CELLS * 8;

  record(us: number): void {
    const cells = this.#cells;
    const value = Math.max(1, Math.min(us, 67_000_000));
    const whole = value >>> 0;
    const power = 31 - Math.clz32(whole);
    // 8 to 15 steps from zero in whole numbers: a power of two as a floating number is a call into the C library.
    const steps = ((value * STEPS) >>> 0) >>> power;
    cells[power * STEPS + steps - STEPS]! += 1;
    cells[HISTOGRAM_BUCKETS]! += 1;
    cells[HISTOGRAM_BUCKETS + 1]! += whole;
  }

  get count(): number {
    return this.#cells[HISTOGRAM_BUCKETS]!;
  }

  get sumUs(): number {
    return this.#cells[HISTOGRAM_BUCKETS + 1]!;
  }

  bucket(index: number): number {
    return this.#cells[index]!;
  }
}
