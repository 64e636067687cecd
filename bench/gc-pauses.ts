/** Pauses by the garbage collectors of the engine's threads between two scrapes of its metrics. */

/** What the collector of one kind did in one thread. */
export interface GcPauses {
  readonly thread: string;
  /** minor, major, incremental or weak. */
  readonly kind: string;
  readonly count: number;
  /** Upper bound of the bucket in which a percentile lies, us; Infinity above the last bucket. */
  readonly p999Us: number;
  readonly maxUs: number;
}

/** Cumulative counts by upper bound in us, of each thread and kind. */
type Histograms = Map<string, Map<number, number>>;

function read(metrics: string): Histograms {
  const all: Histograms = new Map();
  const line = /^holdfast_gc_pause_seconds_bucket\{thread="([^"]+)",kind="([^"]+)",le="([^"]+)"\} (\S+)$/gm;
  for (const [, thread, kind, le, count] of metrics.matchAll(line)) {
    const name = `${thread} ${kind}`;
    const one = all.get(name) ?? new Map<number, number>();
    one.set(le === '+Inf' ? Number.POSITIVE_INFINITY : Math.round(Number(le) * 1e6), Number(count));
    all.set(name, one);
  }
  return all;
}

/** @throws Error when the metrics have no such histogram: no pause would look like none */
export function gcPausesBetween(before: string, after: string): GcPauses[] {
  const [earlier, later] = [read(before), read(after)];
  if (later.size === 0) throw new Error('the metrics have no holdfast_gc_pause_seconds');
  return [...later].map(([name, buckets]) => {
    const [thread = '', kind = ''] = name.split(' ');
    const old = earlier.get(name);
    const bounds = [...buckets.keys()].sort((one, other) => one - other);
    const upTo = (bound: number): number => buckets.get(bound)! - (old?.get(bound) ?? 0);
    const count = bounds.length === 0 ? 0 : upTo(bounds.at(-1)!);
    const boundOf = (rank: number): number => (count === 0 ? 0 : bounds.find((bound) => upTo(bound) >= rank)!);
    return { thread, kind, count, p999Us: boundOf(Math.ceil(count * 0.999)), maxUs: boundOf(count) };
  });
}
