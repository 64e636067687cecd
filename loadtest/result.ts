/** The result of a run: what --json prints (schema_version 1), what thresholds read, and what decides the exit status. */
import type { Options } from './arguments.js';
import { SHED } from './counters.js';
import type { Environment } from './environment.js';
import { histogramBase64, LatencyHistogram } from './histogram.js';
import { kinds } from './kinds.js';
import type { Outcome, SeriesPoint } from './run.js';
import type { StageTimes } from './server-stages.js';
import { evaluate, type Measured, type ThresholdOutcome } from './thresholds.js';
import type { VerifyResult } from './verify.js';

/** Exit statuses of the load test. */
export const LoadtestExit = { pass: 0, errors: 2, thresholds: 99, flags: 104, interrupted: 105 } as const;

/** The client is the bottleneck, or close to it, above this share of its time. */
const CLIENT_BOUND = 0.85;
/** A send lag p99 above this (us) says that the generator, not the server, shaped the traffic. */
const LAG_WARNING_US = 1000;

/** Who verifies cryptograms for the engine; unknown when its metrics cannot be read. */
export type Cryptography = 'software' | 'devices' | 'unknown';

/** Whole microseconds; null without samples. */
export interface LatencySummary {
  readonly count: number;
  readonly p50: number | null;
  readonly p75: number | null;
  readonly p90: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly p9999: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  readonly stddev: number | null;
}

export interface FindMaxStep {
  readonly rate: number;
  readonly passed: boolean;
  readonly achieved_per_s: number;
  readonly p99_us: number | null;
  readonly broken: readonly string[];
}

/** The JSON document. Names ending in _us are microseconds, in _s seconds, in _per_s per second; amounts are counts. */
export interface LoadtestResult {
  readonly schema_version: 1;
  readonly target: string;
  readonly mode: 'open' | 'closed';
  readonly arrival: string;
  readonly started_at: string;
  readonly duration_s: number;
  readonly warmup_s: number;
  readonly seed: number;
  readonly connections: number;
  readonly workers: number;
  readonly accounts: number;
  readonly distribution: string;
  readonly mix: Readonly<Record<string, number>>;
  readonly dialect: string;
  readonly framing: string;
  readonly offered: number;
  readonly offered_per_s: number;
  readonly answered: number;
  readonly achieved_per_s: number;
  readonly dropped: number;
  readonly errors: number;
  readonly errors_by: Readonly<Record<string, number>>;
  readonly timeouts: number;
  readonly late: number;
  readonly shed: number;
  readonly approved: number;
  readonly declined: number;
  readonly reconnects: number;
  /** Reversals, repeats and increments sent as auth, because no original was at hand. */
  readonly substituted: number;
  readonly latency_us: LatencySummary;
  readonly service_us: LatencySummary;
  /** Latency of answers 91 and 96, which are not in latency_us. */
  readonly shed_us: LatencySummary;
  readonly by_response_code: Readonly<Record<string, number>>;
  /** Answers by the MTI of their request. */
  readonly by_mti: Readonly<Record<string, number>>;
  readonly by_kind: Readonly<Record<string, { sent: number; answered: number; latency_us: LatencySummary }>>;
  readonly client: {
    readonly utilization: number;
    readonly cpu_cores: number;
    readonly send_lag_p50_us: number | null;
    readonly send_lag_p99_us: number | null;
    readonly send_lag_max_us: number | null;
  };
  /** CPU of the server per message that it answered, warm-up included, verification not; null when it does not say. */
  readonly server_cpu_us: number | null;
  readonly server_stages_us: Readonly<Record<string, StageTimes>>;
  readonly series: readonly SeriesPoint[];
  readonly verify: VerifyResult;
  readonly thresholds: readonly ThresholdOutcome[];
  readonly find_max?: { readonly best_per_s: number | null; readonly steps: readonly FindMaxStep[] };
  /** Of a run with chip data: `verified` auths were approved with an answer to the chip (ARPC), by software in the engine or by devices. */
  readonly chip?: {
    readonly percent: number;
    readonly verified: number;
    readonly verified_per_s: number;
    readonly cryptography: Cryptography;
    /** Of `latency_us`: messages with chip data, repeats of them included, and all others, which ask nobody about a cryptogram. */
    readonly latency_us: LatencySummary;
    readonly others_latency_us: LatencySummary;
  };
  readonly env: Environment;
  readonly warnings: readonly string[];
  readonly problems: readonly string[];
  readonly interrupted: boolean;
  readonly passed: boolean;
  readonly exit_status: number;
  readonly reproduce: string;
  readonly histogram_base64: string;
}

export function summarize(histogram: LatencyHistogram): LatencySummary {
  const count = histogram.count;
  const at = (p: number) => (count === 0 ? null : histogram.percentile(p, count));
  const rounded = (value: number) => (count === 0 ? null : Math.round(value * 10) / 10);
  return {
    count,
    p50: at(50),
    p75: at(75),
    p90: at(90),
    p95: at(95),
    p99: at(99),
    p999: at(99.9),
    p9999: at(99.99),
    max: count === 0 ? null : histogram.max,
    mean: rounded(histogram.mean),
    stddev: rounded(histogram.deviation),
  };
}

/** The view of an outcome that thresholds are evaluated against. */
export function measuredOf(outcome: Outcome): Measured {
  const counts: Record<Parameters<Measured['count']>[0], number> = {
    errors: outcome.errors,
    timeouts: outcome.timeouts,
    dropped: outcome.dropped,
    late: outcome.late,
    unmatched: outcome.unmatched,
    duplicates: outcome.duplicates,
    shed: outcome.shed,
    declined: outcome.declined,
    approved: outcome.approved,
    achieved: outcome.answered - outcome.shed,
  };
  return {
    latencyUs(metric, measure) {
      const histogram =
        metric === 'latency'
          ? outcome.latency
          : metric === 'service'
            ? outcome.service
            : metric === 'send_lag'
              ? outcome.lag
              : outcome.latencyBy[kinds.indexOf(metric.replace('_latency', '') as (typeof kinds)[number])]!;
      if (measure === 'max') return histogram.max;
      return measure === 'mean' ? histogram.mean : histogram.percentile(measure);
    },
    count: (metric) => counts[metric],
    rate(metric) {
      if (metric === 'achieved') return outcome.achievedPerS / outcome.offeredPerS;
      if (metric === 'approved' || metric === 'declined') return counts[metric] / outcome.answered;
      return counts[metric] / outcome.offered;
    },
    perSecond: (metric) => (metric === 'achieved' ? outcome.achievedPerS : counts[metric] / outcome.seconds),
  };
}

export interface ResultParts {
  readonly options: Options;
  readonly argv: readonly string[];
  readonly outcome: Outcome;
  readonly verify: VerifyResult;
  readonly stages: Readonly<Record<string, StageTimes>>;
  readonly serverCpuUs: number | null;
  readonly env: Environment;
  readonly cryptography: Cryptography;
  readonly findMax: { readonly best_per_s: number | null; readonly steps: readonly FindMaxStep[] } | undefined;
}

export function buildResult(parts: ResultParts): LoadtestResult {
  const { options, outcome, verify } = parts;
  const measured = measuredOf(outcome);
  const thresholds = options.thresholds.map((threshold) => evaluate(threshold, measured));
  const broken = thresholds.some((one) => !one.ok) || parts.findMax?.best_per_s === null;
  const errors = outcome.errors > 0 || outcome.timeouts > 0 || outcome.answered === 0;
  const status =
    verify.ok === false
      ? LoadtestExit.errors
      : outcome.interrupted
        ? LoadtestExit.interrupted
        : errors
          ? LoadtestExit.errors
          : broken
            ? LoadtestExit.thresholds
            : LoadtestExit.pass;
  const lag = summarize(outcome.lag);
  const byKind: Record<string, { sent: number; answered: number; latency_us: LatencySummary }> = {};
  for (const [kind, counts] of Object.entries(outcome.byKind)) {
    byKind[kind] = {
      ...counts,
      latency_us: summarize(outcome.latencyBy[kinds.indexOf(kind as (typeof kinds)[number])]!),
    };
  }
  return {
    schema_version: 1,
    target: options.target.text,
    mode: options.mode,
    arrival: options.mode === 'open' ? options.arrival : 'on-answer',
    started_at: outcome.startedAt,
    duration_s: outcome.seconds,
    warmup_s: options.warmupUs / 1_000_000,
    seed: options.seed,
    connections: options.connections,
    workers: options.workers,
    accounts: options.accounts,
    distribution: options.distribution,
    mix: Object.fromEntries(
      kinds.map((kind, number) => [kind, options.mix[number]!]).filter(([, weight]) => weight !== 0),
    ),
    dialect: options.dialect,
    framing: options.framing,
    offered: outcome.offered,
    offered_per_s: round(outcome.offeredPerS),
    answered: outcome.answered,
    achieved_per_s: round(outcome.achievedPerS),
    dropped: outcome.dropped,
    errors: outcome.errors,
    errors_by: outcome.errorsBy,
    timeouts: outcome.timeouts,
    late: outcome.late,
    shed: outcome.shed,
    approved: outcome.approved,
    declined: outcome.declined,
    reconnects: outcome.reconnects,
    substituted: outcome.substituted,
    latency_us: summarize(outcome.latency),
    service_us: summarize(outcome.service),
    shed_us: summarize(outcome.latencyBy[SHED]!),
    by_response_code: outcome.byCode,
    by_mti: outcome.byMti,
    by_kind: byKind,
    client: {
      utilization: round(outcome.utilization, 1000),
      cpu_cores: round(outcome.cpu, 1000),
      send_lag_p50_us: lag.p50,
      send_lag_p99_us: lag.p99,
      send_lag_max_us: lag.max,
    },
    server_cpu_us: parts.serverCpuUs,
    server_stages_us: parts.stages,
    series: outcome.series,
    verify,
    thresholds,
    ...(options.chip === undefined ? {} : { chip: chipOf(parts, options.chip.percent) }),
    ...(parts.findMax ? { find_max: parts.findMax } : {}),
    env: parts.env,
    warnings: warningsOf(parts, lag),
    problems: outcome.problems,
    interrupted: outcome.interrupted,
    passed: status === LoadtestExit.pass,
    exit_status: status,
    reproduce: reproduce(parts.argv, options),
    histogram_base64: histogramBase64(outcome.latency),
  };
}

function chipOf({ outcome, cryptography }: ResultParts, percent: number): NonNullable<LoadtestResult['chip']> {
  const { chip, chipLatency, latency, seconds } = outcome;
  return {
    ...{ percent, verified: chip, verified_per_s: round(chip / seconds), cryptography },
    latency_us: summarize(chipLatency),
    others_latency_us: summarize(new LatencyHistogram().add(latency, chipLatency)),
  };
}

function warningsOf(parts: ResultParts, lag: LatencySummary): string[] {
  const { outcome, env, options } = parts;
  const warnings: string[] = [];
  if (env.same_host) warnings.push('client and server share this machine: they compete for its cores');
  if (outcome.utilization > CLIENT_BOUND) {
    warnings.push(
      `the client was busy ${(outcome.utilization * 100).toFixed(0)} % of the time: its own speed may be what was measured; add --workers or cores`,
    );
  }
  if (options.mode === 'open' && (lag.p99 ?? 0) > LAG_WARNING_US) {
    warnings.push(`1 % of the sends came more than ${lag.p99} us late: that lag is part of the response times`);
  }
  if (options.mode === 'closed')
    warnings.push('closed loop: a stall of the server hides requests, read the percentiles with care');
  if (options.warmupUs === 0 && !options.echo)
    warnings.push('no --warmup: the first, slow seconds of both sides are in the figures');
  if (outcome.shed > 0)
    warnings.push(`${outcome.shed} requests were shed (91 or 96): they count neither as achieved nor in the latencies`);
  if (outcome.answered === 0) warnings.push('no request was answered: there is nothing to judge');
  if (options.echo) warnings.push('echo mode: answers were only matched, not judged');
  return warnings;
}

/** The command again, with the seed spelled out. */
function reproduce(argv: readonly string[], options: Options): string {
  const quoted = argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  const seeded = argv.some((word) => word === '--seed' || word.startsWith('--seed='));
  return ['holdfast loadtest', ...quoted, ...(seeded ? [] : [`--seed ${options.seed}`])].join(' ');
}

function round(value: number, factor = 100): number {
  return Number.isFinite(value) ? Math.round(value * factor) / factor : 0;
}
