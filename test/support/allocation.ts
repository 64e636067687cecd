/** Blocks of one group: their median leaves out the few in which the measuring itself or the compiler allocates. */
const GROUP = 10;
const GROUPS_MAX = 60;

/**
 * Bytes of heap that one of `calls` calls takes once the code is compiled. Until then intermediate numbers are objects, and how long
 * that lasts depends on the machine; so blocks are measured in groups until one group's median is below `bound`. What allocates
 * always is above it in every group.
 * @param block makes `calls` calls; so few that a single object per call shows before the collector gets to it
 * @returns the least median of a group, bytes per call
 */
export function bytesPerCall(calls: number, bound: number, block: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let group = 0; group < GROUPS_MAX && least >= bound; group++) {
    const growth: number[] = [];
    for (let i = 0; i < GROUP; i++) {
      const before = process.memoryUsage().heapUsed;
      block();
      const grown = process.memoryUsage().heapUsed - before;
      // Less than before: something was collected.
      if (grown >= 0) growth.push(grown / calls);
    }
    growth.sort((a, b) => a - b);
    if (growth.length > GROUP / 2) least = Math.min(least, growth[growth.length >> 1]!);
  }
  return least;
}
