/** The table of the targets and what it is made of: what is met, what is not, and what a short run cannot say. */
import { describe, expect, it } from 'vitest';
import { Scrape } from '#src/cli/scrape.js';
import { gcPausesBetween } from '../../bench/gc-pauses.js';
import type { RunFigures } from '../../bench/load-run.js';
import { renderTargets } from '../../bench/targets/report.js';
import type { TargetsFigures } from '../../bench/targets.bench.js';

const run = (perS: number, latencyUs: Record<string, number> = {}): RunFigures => ({
  ...{ achievedPerS: perS, offered: perS, dropped: 0, errors: 0, declined: 0, verified: true },
  ...{ latencyUs: { p50: 200, p99: 1000, p999: 4000, max: 20_000, ...latencyUs }, cpuUsPerMessage: 8.9 },
});

const figures: TargetsFigures = {
  ...{ windows: 10, rules: 5, closed: run(120_000), echo: run(1_200_000), one: run(3000), fdatasyncUs: 80 },
  ...{ openRate: 60_000, openSeconds: 600, open: run(60_000) },
  gc: [
    { thread: 'shard-0', kind: 'minor', count: 50, p999Us: 1500, maxUs: 1500 },
    { thread: 'shard-0', kind: 'major', count: 0, p999Us: 0, maxUs: 0 },
    { thread: 'control', kind: 'major', count: 9, p999Us: 30_000, maxUs: 30_000 },
  ],
  ...{ besideRate: 10_000, beside: [{ what: 'a backup', workSeconds: [2, 3.04], quiet: run(1), beside: run(1) }] },
};

/** The last cell of the lines whose figure has the text. */
const verdicts = (text: string, of: TargetsFigures): string[] =>
  renderTargets(of)
    .split('\n')
    .filter((line) => line.startsWith('| ') && line.includes(text))
    .map((line) => line.split(' | ').at(-1)!.replace(/ ?\|$/, ''));

describe('the table of the targets', () => {
  it('says what is met', () => {
    for (const text of [
      'closed loop',
      'engine CPU',
      'one request',
      'p99,',
      'p99.9,',
      'max,',
      'dropped',
      'major',
      'pauses',
      'beside',
    ])
      expect(verdicts(text, figures), text).toEqual(['met']);
    expect(renderTargets(figures)).toContain('p99.9 at 10,000/s beside a backup (2.0, 3.0 s) | 1.0 x the quiet one');
    expect(renderTargets(figures)).toContain('| the same as a share of the bare echo | 10 % |');
  });

  it.each<[string, string, Partial<TargetsFigures>]>([
    ['a rate below it', 'closed loop', { closed: run(119_999) }],
    ['money that is not verified', 'closed loop', { closed: { ...run(130_000), verified: false } }],
    ['more CPU', 'engine CPU', { closed: { ...run(130_000), cpuUsPerMessage: 9.01 } }],
    ['a slower request', 'one request', { one: run(3000, { p50: 201 }) }],
    ['p99', 'p99,', { open: run(60_000, { p99: 4000 }) }],
    ['p99.9', 'p99.9,', { open: run(60_000, { p999: 12_000 }) }],
    ['max', 'max,', { open: run(60_000, { max: 60_000 }) }],
    ['a drop', 'dropped', { open: { ...run(60_000), dropped: 1 } }],
    [
      'a collection',
      'major collections',
      { gc: [{ thread: 'shard-1', kind: 'major', count: 1, p999Us: 100, maxUs: 100 }] },
    ],
    ['a pause', 'pauses', { gc: [{ thread: 'shard-1', kind: 'minor', count: 9, p999Us: 2000, maxUs: 2000 }] }],
    [
      'what is beside it',
      'beside',
      { beside: [{ what: 'a backup', workSeconds: [1], quiet: run(1), beside: run(1, { p999: 8001 }) }] },
    ],
  ])('says what is not: %s', (_name, text, change) => {
    expect(verdicts(text, { ...figures, ...change })).toEqual(['NOT met']);
  });

  it('says nothing where a run was too short, or too slow to be the one of the target', () => {
    const short = { ...figures, openSeconds: 599 };
    for (const text of ['p99,', 'p99.9,', 'max,', 'dropped', 'major collections', 'pauses'])
      expect(verdicts(text, short), text).toEqual(['']);
    for (const text of ['major collections', 'pauses'])
      expect(verdicts(text, { ...figures, openRate: 49_999 })).toEqual(['']);
  });
});

describe('pauses of the collectors', () => {
  const bucket = (thread: string, kind: string, le: string, count: number): string =>
    `holdfast_gc_pause_seconds_bucket{thread="${thread}",kind="${kind}",le="${le}"} ${count}`;
  const scrape = (minor: readonly number[]): Scrape =>
    new Scrape(['0.001', '0.002', '+Inf'].map((le, i) => bucket('shard-0', 'minor', le, minor[i]!)).join('\n'), 0);

  it('are those between two scrapes, by the bucket that has the percentile', () => {
    const [one] = gcPausesBetween(scrape([100, 110, 110]), scrape([1100, 1111, 1111]));
    expect(one).toEqual({ thread: 'shard-0', kind: 'minor', count: 1001, p999Us: 1000, maxUs: 2000 });
    const [more] = gcPausesBetween(scrape([0, 0, 0]), scrape([10, 10, 11]));
    expect(more).toMatchObject({ count: 11, p999Us: Number.POSITIVE_INFINITY });
  });

  it('of a thread that was not there before are all of them, and of one without any are none', () => {
    expect(gcPausesBetween(new Scrape('', 0), scrape([3, 3, 3]))[0]).toMatchObject({ count: 3, maxUs: 1000 });
    expect(gcPausesBetween(scrape([3, 3, 3]), scrape([3, 3, 3]))[0]).toMatchObject({ count: 0, p999Us: 0, maxUs: 0 });
  });

  it('that cannot be read are an error', () => {
    expect(() => gcPausesBetween(new Scrape('', 0), new Scrape('up 1', 1))).toThrow(/holdfast_gc_pause_seconds/);
  });
});
