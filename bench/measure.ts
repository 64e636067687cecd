/** CPU time and heap of one operation. */
import type { BenchRow } from './row.js';

const BLOCKS = 11;

/**
 * Runs operations 0 to `operations` - 1. CPU time, so that other work of the machine does not count: the median of ten blocks
 * after one to warm up; bytes of heap over the counted blocks, where the collector can be called.
 */
export function measure(room: string, name: string, operations: number, run: (i: number) => void): BenchRow {
  const size = Math.floor(operations / BLOCKS);
  const times: number[] = [];
  let done = 0;
  let heap = 0;
  for (let block = 0; block < BLOCKS; block++) {
    if (block === 1) {
      globalThis.gc?.();
      heap = process.memoryUsage().heapUsed;
    }
    const started = process.cpuUsage();
    for (let i = 0; i < size; i++) run(done++);
    const { user, system } = process.cpuUsage(started);
    times.push(((user + system) * 1000) / size);
  }
  // Table growth is outside the heap, so what is left is what the calls themselves allocate.
  const bytesPerOp = Math.max(0, process.memoryUsage().heapUsed - heap) / (size * (BLOCKS - 1));
  for (; done < operations; done++) run(done);
  const nsPerOp = times.slice(1).sort((a, b) => a - b)[(BLOCKS - 1) >> 1]!;
  return {
    room,
    name,
    opsPerSec: Math.round(1e9 / nsPerOp),
    nsPerOp: Math.round(nsPerOp * 10) / 10,
    ...(globalThis.gc === undefined ? {} : { bytesPerOp: Math.round(bytesPerOp * 10) / 10 }),
  };
}

/** `i` scattered over 0 to `count` - 1, so that rows are not in the caches. */
export const scattered = (i: number, count: number): number => (Math.imul(i, 0x9e3779b1) >>> 0) % count;
