/** The engine's own figures of the run: /metrics before and after, the difference as percentiles per stage, and CPU per message. */

export interface StageTimes {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
}

const METRIC = 'holdfast_stage_duration_seconds';

interface StageSums {
  /** Cumulative counts by upper bound in seconds, all shards together. */
  readonly buckets: Map<number, number>;
  count: number;
  sum: number;
}

function read(text: string): Map<string, StageSums> {
  const stages = new Map<string, StageSums>();
  for (const line of text.split('\n')) {
    const match = /^holdfast_stage_duration_seconds_(bucket|sum|count)\{([^}]*)\}\s+(\S+)/.exec(line);
    if (!match) continue;
    const labels = match[2]!;
    const stage = /(?:^|,)stage="([^"]*)"/.exec(labels)?.[1];
    const value = Number(match[3]);
    if (stage === undefined || !Number.isFinite(value)) continue;
    let sums = stages.get(stage);
    if (!sums) {
      sums = { buckets: new Map(), count: 0, sum: 0 };
      stages.set(stage, sums);
    }
    if (match[1] === 'count') sums.count += value;
    else if (match[1] === 'sum') sums.sum += value;
    else {
      const bound = Number((/(?:^|,)le="([^"]*)"/.exec(labels)?.[1] ?? '').replace('+Inf', 'Infinity'));
      sums.buckets.set(bound, (sums.buckets.get(bound) ?? 0) + value);
    }
  }
  return stages;
}

/** Microseconds per stage of what happened between two scrapes; empty when the server exports no stages. */
export function stageTimes(before: string | undefined, after: string | undefined): Record<string, StageTimes> {
  const result: Record<string, StageTimes> = {};
  if (after === undefined || !after.includes(METRIC)) return result;
  const earlier = read(before ?? '');
  for (const [stage, sums] of read(after)) {
    const old = earlier.get(stage);
    const count = sums.count - (old?.count ?? 0);
    if (count <= 0) continue;
    const bounds = [...sums.buckets.keys()].sort((a, b) => a - b);
    const quantile = (q: number): number => {
      for (const bound of bounds) {
        // A bucket that did not exist before had, cumulatively, what the next lower one had.
        if (sums.buckets.get(bound)! - cumulative(old, bound) >= q * count) return Math.round(bound * 1e7) / 10;
      }
      return Number.NaN;
    };
    const mean = Math.round(((sums.sum - (old?.sum ?? 0)) / count) * 1e7) / 10;
    result[stage] = { count, mean, p50: finite(quantile(0.5), mean), p99: finite(quantile(0.99), mean) };
  }
  return result;
}

/**
 * CPU of the server's process between two scrapes per message that it answered, microseconds: all that it did meanwhile, also for
 * others. Null when it does not say, or answered nothing.
 */
export function serverCpuUs(before: string | undefined, after: string | undefined): number | null {
  if (before === undefined || after === undefined) return null;
  const seconds = sumOf(after, 'process_cpu_seconds_total') - sumOf(before, 'process_cpu_seconds_total');
  const answers = sumOf(after, 'holdfast_responses_total') - sumOf(before, 'holdfast_responses_total');
  return answers > 0 && seconds > 0 ? Math.round((seconds * 1e8) / answers) / 100 : null;
}

function sumOf(text: string, name: string): number {
  let sum = 0;
  for (const line of text.split('\n')) {
    if (!line.startsWith(name)) continue;
    const value = Number(/^\w+(?:\{[^}]*\})?\s+(\S+)/.exec(line)?.[1]);
    if (Number.isFinite(value)) sum += value;
  }
  return sum;
}

function cumulative(sums: StageSums | undefined, bound: number): number {
  if (!sums) return 0;
  let best = 0;
  for (const [upper, value] of sums.buckets) if (upper <= bound && value > best) best = value;
  return best;
}

/** An open last bucket has no upper bound: the mean is the only figure then. */
function finite(value: number, otherwise: number): number {
  return Number.isFinite(value) ? value : otherwise;
}
