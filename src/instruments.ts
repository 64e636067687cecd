/**
 * Hot-path instruments: histograms and counters in shared memory, one block per thread, written by that thread only with
 * plain stores and read by the control plane at scrape time. A record costs about 10 ns; a torn read is impossible because
 * every cell is one aligned 32-bit word, and a scrape that is a few events behind is no error.
 *
 * Histogram: log-linear, microseconds. Bucket of v: 8 linear steps per power of two, from 1 us to 2^26 us (67 s), so the
 * relative error is at most 12.5 %. Exact percentiles are the load test's business.
 */

const STEPS = 8;
const POWERS = 27;
export const HISTOGRAM_BUCKETS = POWERS * STEPS;
/** Buckets, then count (low, high) and sum in us (low, high). */
const HISTOGRAM_WORDS = HISTOGRAM_BUCKETS + 4;

/** Upper bound of a bucket in microseconds. */
export function bucketUpperUs(bucket: number): number {
  const power = Math.floor(bucket / STEPS);
  return 2 ** power * (1 + ((bucket % STEPS) + 1) / STEPS);
}

export class SharedHistogram {
  readonly #words: Uint32Array;

  constructor(buffer: SharedArrayBuffer, byteOffset: number) {
    this.#words = new Uint32Array(buffer, byteOffset, HISTOGRAM_WORDS);
  }

  static readonly bytes = HISTOGRAM_WORDS * 4;

  record(us: number): void {
    const words = this.#words;
    const value = Math.max(1, Math.min(us, 67_000_000));
    const whole = value >>> 0;
    const power = 31 - Math.clz32(whole);
    const step = Math.min(STEPS - 1, Math.floor((value / 2 ** power - 1) * STEPS));
    words[power * STEPS + step]!++;
    const count = words[HISTOGRAM_BUCKETS]! + 1;
    words[HISTOGRAM_BUCKETS] = count;
    if (count > 0xffffffff) words[HISTOGRAM_BUCKETS + 1]!++;
    const low = words[HISTOGRAM_BUCKETS + 2]! + whole;
    words[HISTOGRAM_BUCKETS + 2] = low;
    if (low > 0xffffffff) words[HISTOGRAM_BUCKETS + 3]!++;
  }

  get count(): number {
    return this.#words[HISTOGRAM_BUCKETS + 1]! * 2 ** 32 + this.#words[HISTOGRAM_BUCKETS]!;
  }

  get sumUs(): number {
    return this.#words[HISTOGRAM_BUCKETS + 3]! * 2 ** 32 + this.#words[HISTOGRAM_BUCKETS + 2]!;
  }

  bucket(index: number): number {
    return this.#words[index]!;
  }
}
