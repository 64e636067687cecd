/** One line of the benchmark table and of its JSON. */
export interface BenchRow {
  room: string;
  name: string;
  opsPerSec: number;
  nsPerOp: number;
  /** Heap bytes allocated per operation, where it was measured. */
  bytesPerOp?: number;
  /** CPU as a multiple of that of the plain operation, in the same run. */
  timesPlain?: number;
}

/** Name of the row of everything that an authorization can run through; rows of variants of it begin with it. */
export const FULL_PIPELINE = 'full pipeline (10 windows, 25 rules)';

/** CPU that the full pipeline should cost at most, as a multiple of the plain message. A run tells whether it did; it never fails by it. */
export const FULL_PIPELINE_TIMES_PLAIN_MAX = 1.5;
