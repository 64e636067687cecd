/**
 * --find-max: the highest rate at which no threshold breaks. Doubles from -R until one does, then halves the gap between
 * the best passing and the lowest failing rate four times (to about 6 %). Every step is a run of its own, with its own
 * warm-up, and all of them count for the verification.
 */

import type { FindMaxStep } from './result.js';
import { measuredOf, summarize } from './result.js';
import type { Outcome } from './run.js';
import { evaluate, parseThreshold, type Threshold } from './thresholds.js';

const DOUBLINGS_MAX = 14;
const NARROWINGS = 4;

/** Always in force: a rate that is not really carried is no maximum. */
export const impliedThresholds: readonly Threshold[] = [
  'achieved:rate>=0.99',
  'dropped:rate<0.001',
  'errors:count==0',
  'timeouts:count==0',
  'shed:rate<0.001',
].map(parseThreshold);

export interface FindMaxResult {
  readonly best: Outcome | undefined;
  readonly bestRate: number | null;
  readonly last: Outcome;
  readonly steps: readonly FindMaxStep[];
}

/** Runs steps through `run` until the knee is known or a run was interrupted. */
export async function findMax(
  startRate: number,
  thresholds: readonly Threshold[],
  run: (rate: number) => Promise<Outcome>,
  onStep: (step: FindMaxStep) => void,
): Promise<FindMaxResult> {
  const all = [...thresholds, ...impliedThresholds];
  const steps: FindMaxStep[] = [];
  let best: { rate: number; outcome: Outcome } | undefined;
  let lowestFailing = Number.POSITIVE_INFINITY;
  let last: Outcome | undefined;
  const attempt = async (rate: number): Promise<boolean> => {
    const outcome = await run(rate);
    last = outcome;
    const measured = measuredOf(outcome);
    const broken = all.filter((threshold) => !evaluate(threshold, measured).ok).map((threshold) => threshold.text);
    const passed = broken.length === 0 && !outcome.interrupted;
    const step = {
      rate,
      passed,
      achieved_per_s: Math.round(outcome.achievedPerS),
      p99_us: summarize(outcome.latency).p99,
      broken,
    };
    steps.push(step);
    onStep(step);
    if (passed && rate > (best?.rate ?? 0)) best = { rate, outcome };
    if (!passed) lowestFailing = Math.min(lowestFailing, rate);
    return !outcome.interrupted;
  };
  let going = true;
  for (
    let i = 0, rate = startRate;
    going && i < DOUBLINGS_MAX && lowestFailing === Number.POSITIVE_INFINITY;
    i++, rate *= 2
  ) {
    going = await attempt(rate);
  }
  for (let i = 0; going && best && Number.isFinite(lowestFailing) && i < NARROWINGS; i++) {
    going = await attempt(Math.round((best.rate + lowestFailing) / 2));
  }
  return { best: best?.outcome, bestRate: best?.rate ?? null, last: last!, steps };
}
