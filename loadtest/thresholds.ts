/**
 * Pass and fail lines: `metric:measure<operator>value`, for example `auth_latency:p(99)<5ms`, `errors:count==0`,
 * `dropped:rate<0.001`, `achieved:rate>=0.99`. A threshold that cannot be evaluated (no samples) fails: no data is no proof.
 */
import { FlagError, parseDuration, parseScaled, showUs } from './units.js';

const latencyMetrics = [
  'latency',
  'auth_latency',
  'increment_latency',
  'reversal_latency',
  'advice_latency',
  'repeat_latency',
  'inquiry_latency',
  'service',
  'send_lag',
] as const;
const countMetrics = [
  'errors',
  'timeouts',
  'dropped',
  'late',
  'unmatched',
  'duplicates',
  'shed',
  'declined',
  'approved',
  'achieved',
] as const;
type LatencyMetric = (typeof latencyMetrics)[number];
type CountMetric = (typeof countMetrics)[number];

const operators = ['<=', '>=', '==', '!=', '<', '>'] as const;
type Operator = (typeof operators)[number];

type Measure =
  | { readonly kind: 'percentile'; readonly p: number }
  | { readonly kind: 'max' | 'mean' | 'count' | 'rate' | 'per_s' };

export interface Threshold {
  /** As it was typed. */
  readonly text: string;
  readonly metric: LatencyMetric | CountMetric;
  readonly measure: Measure;
  readonly operator: Operator;
  /** Microseconds for latencies, else a plain number. */
  readonly value: number;
}

/** What the thresholds read. NaN = no samples. */
export interface Measured {
  latencyUs(metric: LatencyMetric, measure: 'max' | 'mean' | number): number;
  count(metric: CountMetric): number;
  /** Share of the offered messages; achieved: achieved rate / offered rate; approved, declined: share of the answers. */
  rate(metric: CountMetric): number;
  perSecond(metric: CountMetric): number;
}

export interface ThresholdOutcome {
  readonly threshold: string;
  readonly ok: boolean;
  /** Measured value in the unit of the threshold; null when there was nothing to measure. */
  readonly measured: number | null;
}

const isLatency = (metric: string): metric is LatencyMetric => (latencyMetrics as readonly string[]).includes(metric);
const isCount = (metric: string): metric is CountMetric => (countMetrics as readonly string[]).includes(metric);

/** Parses one --threshold text; FlagError (104) with the known names when it is not one. */
export function parseThreshold(text: string): Threshold {
  const match = /^\s*([a-z_]+)\s*:\s*([a-z_]+)(?:\(\s*([\d.]+)\s*\))?\s*(<=|>=|==|!=|<|>)\s*(\S+)\s*$/.exec(text);
  const bad = (why: string) =>
    new FlagError(`--threshold '${text}': ${why}; write for example auth_latency:p(99)<5ms or errors:count==0`);
  if (!match) throw bad('is not metric:measure<value');
  const [, metric, name, argument, operator, value] = match as unknown as [
    string,
    string,
    string,
    string,
    Operator,
    string,
  ];
  if (isLatency(metric)) {
    return { text, metric, measure: latencyMeasure(name, argument, bad), operator, value: durationUs(value) };
  }
  if (!isCount(metric))
    throw bad(`unknown metric '${metric}', one of ${[...latencyMetrics, ...countMetrics].join(', ')}`);
  if (argument !== undefined || (name !== 'count' && name !== 'rate' && name !== 'per_s')) {
    throw bad(`'${name}' does not fit ${metric}, one of count, rate, per_s`);
  }
  return { text, metric, measure: { kind: name }, operator, value: parseScaled('--threshold', value) };
}

function latencyMeasure(name: string, argument: string | undefined, bad: (why: string) => FlagError): Measure {
  if (name === 'p') {
    const p = Number(argument);
    if (!(p > 0 && p <= 100)) throw bad('p(..) wants a percentile from 0 to 100');
    return { kind: 'percentile', p };
  }
  if (argument === undefined) {
    if (name === 'med') return { kind: 'percentile', p: 50 };
    if (name === 'max') return { kind: 'max' };
    if (name === 'mean' || name === 'avg') return { kind: 'mean' };
  }
  throw bad(`'${name}' does not fit a latency, one of p(N), med, mean, max`);
}

/** A latency limit; without a unit it counts milliseconds, as in k6. */
function durationUs(text: string): number {
  const bare = /^\d+(\.\d+)?$/.test(text);
  return Math.round(parseDuration('--threshold', bare ? `${text}ms` : text) * 1000);
}

function compare(left: number, operator: Operator, right: number): boolean {
  switch (operator) {
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
    case '==':
      return left === right;
    case '!=':
      return left !== right;
  }
}

/** Evaluates one threshold. */
export function evaluate(threshold: Threshold, measured: Measured): ThresholdOutcome {
  const { metric, measure, text, operator, value } = threshold;
  let found: number;
  if (isLatency(metric)) {
    found = measured.latencyUs(
      metric,
      measure.kind === 'percentile' ? measure.p : measure.kind === 'max' ? 'max' : 'mean',
    );
  } else if (measure.kind === 'count') found = measured.count(metric);
  else if (measure.kind === 'rate') found = measured.rate(metric);
  else found = measured.perSecond(metric);
  return { threshold: text, ok: compare(found, operator, value), measured: Number.isNaN(found) ? null : found };
}

/** `5.3ms` for latencies, the number itself otherwise. */
export function showMeasured(threshold: Threshold, measured: number | null): string {
  if (measured === null) return 'no samples';
  if (isLatency(threshold.metric)) return showUs(measured);
  return Number.isInteger(measured) ? String(measured) : measured.toPrecision(4);
}
