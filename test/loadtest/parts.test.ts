import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { build } from 'hdr-histogram-js';
import { describe, expect, it } from 'vitest';
import { DEMO_EXPIRY, demoAccount, demoPan } from '#src/cli/demo-program.js';
import { demoCards, ownCards, panTable } from '../../loadtest/cards.js';
import { codeIndex, codeText } from '../../loadtest/counters.js';
import { measureDisk } from '../../loadtest/environment.js';
import { cellOf, cellUpperUs, HISTOGRAM_CELLS, LatencyHistogram, MAX_US } from '../../loadtest/histogram.js';
import { Model } from '../../loadtest/model.js';
import { Schedule, type SchedulePlan } from '../../loadtest/schedule.js';
import { serverCpuUs, stageTimes } from '../../loadtest/server-stages.js';
import { evaluate, type Measured, parseThreshold } from '../../loadtest/thresholds.js';
import { Workload, type WorkloadPlan } from '../../loadtest/workload.js';

describe('cards', () => {
  it('of the demo program are numbered from 1', () => {
    const demo = demoCards(1000);
    expect([demo.pan(0), demo.account(0), demo.expiry]).toEqual([demoPan(1), demoAccount(1), DEMO_EXPIRY]);
    expect(demo.pan(0)).toBe('9999990000000014');
  });

  it('never meet the demo cards, and belong to the seed', () => {
    const one = ownCards(1, 5);
    expect([0, 1].map((card) => one.pan(card).slice(0, 15))).toEqual(['999999110000000', '999999110000001']);
    expect(one.account(3)).toBe('load-1-0000003');
    expect(ownCards(91, 5).pan(0)).toBe(one.pan(0));
    expect(ownCards(2, 5).pan(0)).not.toBe(one.pan(0));
    expect(String.fromCharCode(...panTable(one).subarray(16, 32))).toBe(one.pan(1));
  });
});

describe('the histogram', () => {
  const latency = fc.oneof(fc.nat(5000), fc.nat(MAX_US));

  it('puts every value into a cell that holds it, within a thousandth', () => {
    fc.assert(
      fc.property(latency, (us) => {
        const upper = cellUpperUs(cellOf(us));
        expect(upper).toBeGreaterThanOrEqual(us);
        expect(upper - us).toBeLessThanOrEqual(us / 1000);
      }),
    );
    expect(cellOf(MAX_US)).toBe(HISTOGRAM_CELLS - 1);
  });

  it('agrees with HdrHistogram on every percentile, mean and maximum', () => {
    fc.assert(
      fc.property(
        fc.array(latency, { minLength: 1, maxLength: 300 }),
        fc.double({ min: 0.1, max: 100, noNaN: true }),
        (values, p) => {
          const ours = new LatencyHistogram();
          const theirs = build({
            lowestDiscernibleValue: 1,
            highestTrackableValue: MAX_US + 1,
            numberOfSignificantValueDigits: 3,
          });
          for (const value of values) {
            ours.record(value);
            theirs.recordValue(value);
          }
          const copied = ours.toHdr();
          expect(copied.totalCount).toBe(values.length);
          for (const percentile of [50, 90, 99, 99.9, 100, p]) {
            expect(ours.percentile(percentile)).toBe(theirs.getValueAtPercentile(percentile));
            expect(copied.getValueAtPercentile(percentile)).toBe(theirs.getValueAtPercentile(percentile));
          }
          expect(cellOf(ours.max)).toBe(cellOf(theirs.maxValue));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('merges counts, and cuts what cannot be', () => {
    const a = new LatencyHistogram();
    const b = new LatencyHistogram();
    for (let i = 0; i < 99; i++) a.record(100);
    b.record(1_000_000);
    b.record(-5);
    b.record(1e12);
    const merged = new LatencyHistogram().add(a).add(b);
    expect(merged.count).toBe(102);
    expect(merged.percentile(50)).toBe(100);
    expect(merged.max).toBe(MAX_US);
    expect(new LatencyHistogram().add(merged, a).count).toBe(3);
    expect(new LatencyHistogram().percentile(99)).toBeNaN();
  });
});

describe('the schedule', () => {
  const plan: SchedulePlan = {
    stages: [{ durationUs: 1_000_000, rate: 100 }],
    arrival: 'constant',
    seed: 1,
    worker: 0,
    workers: 1,
  };
  const all = (of: SchedulePlan) => {
    const schedule = new Schedule(of);
    const times: number[] = [];
    for (let at = schedule.next(); Number.isFinite(at); at = schedule.next()) times.push(at);
    return times;
  };

  it('is evenly spaced and exact', () => {
    const times = all(plan);
    expect(times).toHaveLength(100);
    expect(times[0]).toBe(0);
    expect(times[99]).toBeCloseTo(990_000);
  });

  it('is one evenly spaced stream over all workers', () => {
    const together = [0, 1, 2].flatMap((worker) => all({ ...plan, workers: 3, worker })).sort((a, b) => a - b);
    expect(together).toHaveLength(100);
    for (const [i, at] of together.entries()) expect(at).toBeCloseTo(i * 10_000);
  });

  it('steps through stages', () => {
    const times = all({
      ...plan,
      stages: [
        { durationUs: 100_000, rate: 100 },
        { durationUs: 100_000, rate: 1000 },
      ],
    });
    expect(times.filter((at) => at < 100_000)).toHaveLength(10);
    expect(times.filter((at) => at >= 100_000)).toHaveLength(100);
  });

  it('has the rate and the spread of a Poisson process, the same for the same seed', () => {
    const poisson: SchedulePlan = { ...plan, arrival: 'poisson', stages: [{ durationUs: 10_000_000, rate: 1000 }] };
    const times = all(poisson);
    expect(times).toEqual(all(poisson));
    expect(times).not.toEqual(all({ ...poisson, seed: 2 }));
    expect(Math.abs(times.length - 10_000)).toBeLessThan(500); // 5 standard deviations
    const gaps = times.slice(1).map((at, i) => at - times[i]!);
    const mean = gaps.reduce((a, b) => a + b, 0) / gaps.length;
    const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
    expect(deviation / mean).toBeGreaterThan(0.9); // an exponential has 1
    expect(deviation / mean).toBeLessThan(1.1);
  });
});

describe('the workload', () => {
  const plan: WorkloadPlan = {
    mix: [85, 0, 10, 0, 5, 0],
    accounts: 1000,
    distribution: 'uniform',
    chipPercent: 0,
    amount: { low: 100, high: 199 },
    seed: 7,
    worker: 0,
  };
  const draw = (of: WorkloadPlan, count: number) => {
    const workload = new Workload(of);
    return Array.from({ length: count }, () => {
      workload.draw();
      return [workload.kind, workload.card, workload.amount] as const;
    });
  };

  it('is the same for the same seed and another for another', () => {
    expect(draw(plan, 500)).toEqual(draw(plan, 500));
    expect(draw(plan, 500)).not.toEqual(draw({ ...plan, seed: 8 }, 500));
    expect(draw(plan, 500)).not.toEqual(draw({ ...plan, worker: 1 }, 500));
  });

  it('keeps the ratios of the mix and the ranges', () => {
    const drawn = draw(plan, 20_000);
    const share = (kind: number) => drawn.filter(([one]) => one === kind).length / drawn.length;
    expect(share(0)).toBeCloseTo(0.85, 1);
    expect(share(2)).toBeCloseTo(0.1, 1);
    expect(share(4)).toBeCloseTo(0.05, 1);
    expect(share(1) + share(3) + share(5)).toBe(0);
    expect(Math.min(...drawn.map(([, , amount]) => amount))).toBe(100);
    expect(Math.max(...drawn.map(([, , amount]) => amount))).toBe(199);
    expect(new Set(drawn.map(([, card]) => card)).size).toBe(1000);
  });

  it('has a few hot cards when it is zipfian', () => {
    const counts = new Map<number, number>();
    for (const [, card] of draw({ ...plan, distribution: 'zipfian' }, 50_000))
      counts.set(card, (counts.get(card) ?? 0) + 1);
    const sorted = [...counts.values()].sort((a, b) => b - a);
    // P(rank 1) = 1 / zeta(1000, 0.99) = 0.1275; uniform would give 0.001.
    expect(sorted[0]! / 50_000).toBeGreaterThan(0.11);
    expect(sorted[0]! / 50_000).toBeLessThan(0.145);
    expect(sorted.slice(0, 100).reduce((a, b) => a + b, 0) / 50_000).toBeGreaterThan(0.6);
    expect(Math.max(...counts.keys())).toBeLessThan(1000);
  });

  it('works with one card', () => {
    expect(draw({ ...plan, accounts: 1, distribution: 'zipfian' }, 10).every(([, card]) => card === 0)).toBe(true);
  });
});

describe('thresholds', () => {
  const measured: Measured = {
    latencyUs: (metric, measure) =>
      metric === 'repeat_latency' ? Number.NaN : measure === 99 ? 4_200 : measure === 'max' ? 9_000 : 1_000,
    count: (metric) => (metric === 'errors' ? 3 : 0),
    rate: (metric) => (metric === 'achieved' ? 0.995 : 0),
    perSecond: () => 12_000,
  };
  it.each([
    ['auth_latency:p(99)<5ms', true, 4200],
    ['auth_latency:p(99)<4.2ms', false, 4200],
    ['auth_latency:p(99)<=4200us', true, 4200],
    ['auth_latency:p(99)<4', false, 4200], // without a unit: milliseconds
    ['latency:max<10ms', true, 9000],
    ['service:med<=1ms', true, 1000],
    ['repeat_latency:p(99)<1h', false, null], // no samples are no proof
    ['errors:count==0', false, 3],
    ['errors:count<5', true, 3],
    ['dropped:rate<0.001', true, 0],
    ['achieved:rate>=0.99', true, 0.995],
    ['achieved:rate>=0.999', false, 0.995],
    ['achieved:per_s>=10k', true, 12_000],
  ])('%s is %s', (text, ok, found) => {
    expect(evaluate(parseThreshold(text), measured)).toEqual({ threshold: text, ok, measured: found });
  });
});

describe('the model', () => {
  it('knows the hold exactly when everything was answered, and within bounds when not', () => {
    const model = new Model(2);
    model.add(0, 500);
    model.add(0, -200);
    expect([model.low[0], model.high[0]]).toEqual([300, 300]);
    model.maybe(0, 100); // an auth without an answer
    model.maybe(0, -300); // a reversal without an answer
    expect([model.low[0], model.high[0]]).toEqual([0, 400]);
    model.confirm(0, 100);
    model.refute(0, -300);
    expect([model.low[0], model.high[0]]).toEqual([400, 400]);
    expect([model.low[1], model.high[1]]).toEqual([0, 0]);
  });
});

describe('small things', () => {
  it('numbers every DE39', () => {
    for (const text of ['00', '05', '51', '91', '96', 'N7', 'ZZ']) {
      expect(codeText(codeIndex(text.charCodeAt(0), text.charCodeAt(1)))).toBe(text);
    }
    expect(codeIndex(32, 48)).toBe(-1);
  });

  it('reads the stages from two scrapes, all shards together', () => {
    const scrape = (low: number, high: number, sum: number) =>
      [0, 1]
        .map((shard) =>
          [
            `holdfast_stage_duration_seconds_bucket{stage="decide",shard="${shard}",le="0.00001"} ${low}`,
            `holdfast_stage_duration_seconds_bucket{stage="decide",shard="${shard}",le="0.001"} ${high}`,
            `holdfast_stage_duration_seconds_bucket{stage="decide",shard="${shard}",le="+Inf"} ${high}`,
            `holdfast_stage_duration_seconds_sum{stage="decide",shard="${shard}"} ${sum}`,
            `holdfast_stage_duration_seconds_count{stage="decide",shard="${shard}"} ${high}`,
          ].join('\n'),
        )
        .join('\n');
    expect(stageTimes(scrape(100, 100, 1), scrape(160, 200, 1.01))).toEqual({
      decide: { count: 200, mean: 100, p50: 10, p99: 1000 },
    });
    expect(stageTimes(undefined, 'other_metric 1')).toEqual({});
  });

  it('are CPU per answer of what both scrapes have', () => {
    const scrape = (cpu: number, ...answers: number[]) =>
      [
        `process_cpu_seconds_total ${cpu}`,
        ...answers.map((n, i) => `holdfast_responses_total{code="0${i}"} ${n}`),
      ].join('\n');
    // 3 s for 150 000 answers; a code that is new since counts from zero.
    expect(serverCpuUs(scrape(1.5, 50_000), scrape(4.5, 150_000, 50_000))).toBe(20);
    expect(serverCpuUs(scrape(1, 10), scrape(2, 10))).toBeNull();
    expect(serverCpuUs(undefined, scrape(2, 10))).toBeNull();
    expect(serverCpuUs('other 1', 'other 2')).toBeNull();
  });
});

describe('the disk', () => {
  it('is measured where an engine keeps its data, and nowhere else', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-loadtest-disk-'));
    try {
      expect(await measureDisk(folder)).toBeNull();
      writeFileSync(join(folder, 'holdfast.json'), '{}');
      const disk = await measureDisk(folder);
      expect(disk!.fdatasync_p50_us).toBeGreaterThan(0);
      expect(disk!.fdatasync_p99_us).toBeGreaterThanOrEqual(disk!.fdatasync_p50_us);
      expect(readdirSync(folder)).toEqual(['holdfast.json']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
