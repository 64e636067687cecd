/**
 * What more cores would carry, computed from costs that were measured on few. It leaves out what it cannot know: caches and memory
 * that cores share, a disk that slows down, a network.
 */

/** Per message, microseconds. */
export interface MessageCosts {
  /** CPU of the ingress. */
  ingressUs: number;
  /** CPU of the shard threads. */
  shardUs: number;
  /** CPU of everything else in the process. */
  otherUs: number;
  /** Time of the commits: a shard thread waits for its own. What of it is CPU counts in `shardUs` once more. */
  commitUs: number;
}

export type LimitingPart = 'ingress' | 'shard threads' | 'cores';

export interface PaperRow {
  cores: number;
  ingressLoops: number;
  shardThreads: number;
  perS: number;
  limitedBy: LimitingPart;
}

/** Shard threads that a data directory can feed: as many as logical shards, of which there are 256 at most (--shards). */
const SHARD_THREADS_MAX = 256;

/** @param costs all above 0, but `otherUs` and `commitUs`, which may be 0 @param loops and threads from 1 */
export function onPaper(costs: MessageCosts, cores: number, loops: number, threads: number): PaperRow {
  const parts: readonly (readonly [LimitingPart, number])[] = [
    ['ingress', (loops * 1e6) / costs.ingressUs],
    ['shard threads', (threads * 1e6) / (costs.shardUs + costs.commitUs)],
    ['cores', (cores * 1e6) / (costs.ingressUs + costs.shardUs + costs.otherUs)],
  ];
  const [limitedBy, perS] = parts.reduce((least, part) => (part[1] < least[1] ? part : least));
  return { cores, ingressLoops: loops, shardThreads: threads, perS, limitedBy };
}

/** As the engine is built: one loop of the ingress, and a shard thread on each of the other cores, at least one. */
export function asBuilt(costs: MessageCosts, cores: number): PaperRow {
  return onPaper(costs, cores, 1, Math.min(SHARD_THREADS_MAX, Math.max(1, cores - 1)));
}

/** With as many loops of the ingress as carry most: the cores are divided between loops and shard threads. @param cores at least 2 */
export function withLoops(costs: MessageCosts, cores: number): PaperRow {
  let best = asBuilt(costs, cores);
  for (let loops = 2; loops < cores; loops++) {
    const row = onPaper(costs, cores, loops, Math.min(SHARD_THREADS_MAX, cores - loops));
    if (row.perS > best.perS) best = row;
  }
  return best;
}

/** Messages per second when the disk takes one commit at a time, whatever the cores. */
export function oneCommitAtATime({ commitUs }: MessageCosts): number {
  return 1e6 / commitUs;
}
