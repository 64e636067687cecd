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
