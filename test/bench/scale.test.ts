import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunFigures } from '../../bench/load-run.js';
import type { SizeFigures } from '../../bench/scale/accounts.js';
import { chartsSvg } from '../../bench/scale/charts.js';
import type { PointFigures } from '../../bench/scale/journal.js';
import { type LoadWindow, type Look, windowOf } from '../../bench/scale/load-watch.js';
import { asBuilt, type MessageCosts, oneCommitAtATime, onPaper, withLoops } from '../../bench/scale/paper.js';
import {
  costsOf,
  renderCharts,
  renderScale,
  type ScaleResult,
  scaleCharts,
  scalePage,
  scaleResults,
  sourcesOf,
  withScale,
} from '../../bench/scale/report.js';
import { lackIn } from '../../bench/scale/stage.js';
import type { ThreadsFigures } from '../../bench/scale/threads.js';
import { type Missing, type ScaleFigures, Steps } from '../../bench/scale.bench.js';
import { Scrape } from '../../src/cli/scrape.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

const load: RunFigures = {
  ...{ achievedPerS: 9990, offered: 100, dropped: 0, errors: 0, cpuUsPerMessage: 20, verified: true },
  latencyUs: { p50: 1000, p99: 5000, p999: 9000, max: 12_000 },
};
const window: LoadWindow = {
  ...{ seconds: 10, messages: 1000, majorCollections: 0, majorPauseMaxUs: null, searchLagMax: 7 },
  cpu: { ingressUs: 4, shardUs: 6, otherUs: 2 },
  commits: { count: 10, records: 1000, perMessageUs: 2, p50Us: 768, p99Us: 3072 },
};

const size = (accounts: number, more: Partial<SizeFigures> = {}): SizeFigures => ({
  ...{ accounts, importSeconds: accounts / 20_000, diskBytes: accounts * 500 },
  memory: { emptyBytes: 1e8, loadedBytes: 1e8 + accounts * 280, afterLoadBytes: 1e8 + accounts * 280 + 50 * 2 ** 20 },
  empty: { readyMs: 1000, records: 0, cpuSeconds: 1 },
  restart: { readyMs: 1000 + accounts / 1000, records: 0, cpuSeconds: 2 },
  journalAlone: { readyMs: 1000 + accounts / 250, records: accounts * 2, cpuSeconds: 1 + accounts / 1e6 },
  ...{ load, window },
  ...more,
});

const point = (wanted: number, more: Partial<PointFigures> = {}): PointFigures => ({
  ...{ wanted, records: wanted + 5, load, window, catchUpSeconds: 0.2, verifySeconds: 10, diskBytes: wanted * 300 },
  recovery: { readyMs: 2000, records: 300, cpuSeconds: 2 },
  journalAlone: { readyMs: 4000, records: wanted, cpuSeconds: 8 },
  ...more,
});

const run = (shardThreads: number, more: Partial<LoadWindow> = {}): ThreadsFigures => ({
  ...{ shardThreads, load },
  window: { ...window, ...more },
});

const header = {
  ...{ schema_version: 1 as const, commit: 'abc', dirty: false, quick: false, command: 'npm run bench -- --scale' },
  environment: {
    ...{ node: 'v20', kernel: '6', cpu: 'test', cores: 2, memoryBytes: 2 ** 34, loadAverageAtStart: 0 },
    disk: { fdatasync_p50_us: 100 },
  },
};
const result = (date: string, scale: ScaleFigures): ScaleResult => ({ ...header, date, scale });

const accountsPart = (sizes: SizeFigures[], planned: number[], missing = [] as { what: number; why: string }[]) => ({
  accounts: { planned, rate: 10_000, loadSeconds: 60, sizes, missing },
});
const rendered = (scale: ScaleFigures): string =>
  renderScale(sourcesOf([{ file: 'a.json', result: result('2026-01-01', scale) }]));
const rowOf = (text: string, label: string): string[] => {
  const line = text.split('\n').find((one) => one.startsWith(`| ${label} |`));
  return (line ?? '').split(' | ').map((cell) => cell.replace(/^\| | \|$/g, ''));
};

describe('the report of the scale', () => {
  it('page and charts are what the newest results generate', () => {
    const sources = sourcesOf(scaleResults(root));
    const page = readFileSync(scalePage(root), 'utf8');
    expect(withScale(page, sources)).toBe(page);
    const svg = renderCharts(sources);
    expect(existsSync(scaleCharts(root))).toBe(svg !== undefined);
    if (svg !== undefined) expect(readFileSync(scaleCharts(root), 'utf8')).toBe(svg);
  });

  it('has a column per size, and says which targets were met', () => {
    const text = rendered(accountsPart([size(10_000), size(10_000_000)], [10_000, 10_000_000]));
    expect(rowOf(text, 'accounts with a card each').slice(1)).toEqual(['10,000', '10,000,000']);
    expect(rowOf(text, 'accounts imported per second').slice(1)).toEqual(['20,000', '20,000']);
    expect(rowOf(text, 'memory each, after a restart').slice(1)).toEqual(['280 bytes', '280 bytes']);
    expect(rowOf(text, 'memory that the load added, its open holds among it').slice(1)).toEqual(['50 MiB', '50 MiB']);
    // 2 records per account in 4 us of time and 1 us of CPU each, above the empty start.
    expect(rowOf(text, 'records replayed per second').slice(1)).toEqual(['500,000/s', '500,000/s']);
    expect(rowOf(text, 'and per second of CPU').slice(1)).toEqual(['2,000,000/s', '2,000,000/s']);
    expect(text).toContain('280 bytes with 10,000,000: met');
    expect(text).toContain('11.0 s: met');
    expect(text).toContain('of 20,000,000 records, by CPU: met');
    expect(text).not.toContain('Not run:');
  });

  it('says what was missed, and what is void', () => {
    const slow = size(10_000_000, {
      memory: { emptyBytes: 1e8, loadedBytes: 1e8 + 3.01e9, afterLoadBytes: 2e10 },
      restart: { readyMs: 30_000, records: 0, cpuSeconds: 2 },
      journalAlone: { readyMs: 60_000, records: 20_000_000, cpuSeconds: 22 },
      load: { ...load, verified: false },
    });
    const text = rendered(accountsPart([slow], [10_000_000]));
    expect(text).toContain('301 bytes with 10,000,000: NOT met');
    expect(text).toContain('30.0 s: NOT met');
    expect(text).toContain('952,381/s of 20,000,000 records, by CPU: NOT met');
    expect(rowOf(text, 'money verified')[1]).toBe('NO: void');
  });

  it('says what was not run and why, and judges no target by it', () => {
    const missing = [{ what: 1_000_000, why: 'disk: 9.0 GiB needed, 1.0 GiB free' }];
    const text = rendered(accountsPart([size(10_000)], [10_000, 1_000_000, 10_000_000], missing));
    expect(text).toContain('**Not run: 1,000,000 accounts**: disk: 9.0 GiB needed, 1.0 GiB free');
    expect(text).toContain('**Not run: 10,000,000 accounts**: the benchmark was interrupted');
    expect(text).toContain('to ready in less than 30 s. Not measured');
    expect(text).toContain('20,000 records are too few');
    expect(text).toContain('Not measured: 10,000 are too few');
    expect(text.split('Not run yet')).toHaveLength(3);
  });

  it('has the points of the journal; those that a failure took are told with its reason', () => {
    const points = [point(1_000_000), point(5_000_000, { catchUpSeconds: null })];
    const planned = [1_000_000, 5_000_000, 25_000_000, 50_000_000];
    const missing = [{ what: 50_000_000, why: 'verify ended with status 76' }];
    const text = rendered({ journal: { planned, accounts: 100_000, points, missing } });
    expect(rowOf(text, 'records').slice(1)).toEqual(['1,000,005', '5,000,005']);
    expect(rowOf(text, 'commit, p99 at most').slice(1)).toEqual(['3.1 ms', '3.1 ms']);
    expect(rowOf(text, 'index even again after').slice(1)).toEqual(['0.2 s', 'not within the time waited']);
    expect(rowOf(text, 'records verified per second').slice(1)).toEqual(['100,001/s', '500,001/s']);
    expect(text).toContain('**Not run: 25,000,000 records**: verify ended with status 76');
    expect(text).toContain('**Not run: 50,000,000 records**: verify ended with status 76');
    expect(text).toContain('625,000/s of 5,000,000 records, by CPU: NOT met');
  });

  it('takes each part from the newest result that has it', () => {
    const sources = sourcesOf([
      { file: 'old.json', result: result('2026-01-01', { ...accountsPart([size(10_000)], [10_000]) }) },
      { file: 'new.json', result: result('2026-02-01', { ...accountsPart([size(20_000)], [20_000]) }) },
      {
        file: 'newest.json',
        result: result('2026-03-01', { shards: { planned: [1], loadSeconds: 30, runs: [run(1)], missing: [] } }),
      },
    ]);
    expect([sources.accounts?.file, sources.journal, sources.shards?.file]).toEqual([
      ...['new.json', undefined, 'newest.json'],
    ]);
  });

  it('computes the paper from the run with fewest threads, and says when nothing was measured', () => {
    const shards = { planned: [1, 2, 4], loadSeconds: 30, runs: [run(2, { cpu: null }), run(1)], missing: [] };
    expect(costsOf(shards.runs)).toEqual({ ingressUs: 4, shardUs: 6, otherUs: 2, commitUs: 2 });
    const text = rendered({ shards });
    expect(rowOf(text, '8').slice(1, 4)).toEqual(['1 + 7', '250,000', 'ingress']);
    expect(text).toContain('**Not run: 4 shard threads**');
    expect(rendered({ shards: { ...shards, runs: [run(1, { cpu: null })] } })).toContain('Not computed');
  });

  it('draws one chart per cost, from the figures only', () => {
    const svg = renderCharts(
      sourcesOf([{ file: 'a', result: result('x', accountsPart([size(10_000), size(1_000_000)], [])) }]),
    )!;
    expect(svg.match(/<polyline/g)).toHaveLength(4);
    expect(svg.match(/<circle/g)).toHaveLength(8);
    expect(svg).toContain('<title>1,000,000: 280</title>');
    expect(svg).not.toMatch(/NaN|Infinity|href|url\(/);
    expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toContain('http');
    expect(renderCharts(sourcesOf([]))).toBeUndefined();
  });

  it('places a point by the logarithm of x and by y', () => {
    const circles = (points: { x: number; y: number }[]): number[][] =>
      [...chartsSvg([{ title: 'a < b', points }]).matchAll(/cx="([\d.]+)" cy="([\d.]+)"/g)].map((match) => [
        Number(match[1]),
        Number(match[2]),
      ]);
    const [a, b, c] = circles([
      { x: 10, y: 0 },
      { x: 100, y: 50 },
      { x: 1000, y: 100 },
    ]) as [number[], number[], number[]];
    expect(b[0]! - a[0]!).toBeCloseTo(c[0]! - b[0]!, 0);
    expect(a[1]! - b[1]!).toBeCloseTo(b[1]! - c[1]!, 0);
    expect(c[1]).toBeLessThan(a[1]!);
    expect(
      circles([{ x: 10_000, y: 0 }])
        .flat()
        .every(Number.isFinite),
    ).toBe(true);
    expect(chartsSvg([{ title: 'a < b', points: [] }])).toContain('a &lt; b');
  });
});

describe('more cores, on paper', () => {
  const costs: MessageCosts = { ingressUs: 4, shardUs: 6, otherUs: 2, commitUs: 4 };

  it.each([
    // cores loops threads  per s     limited by
    [2, 1, 1, 100_000, 'shard threads'],
    [2, 1, 2, 166_667, 'cores'],
    [8, 1, 7, 250_000, 'ingress'],
    [8, 3, 5, 500_000, 'shard threads'],
  ])('%i cores, %i + %i threads: %i/s, %s', (cores, loops, threads, perS, limitedBy) => {
    const row = onPaper(costs, cores, loops, threads);
    expect(Math.round(row.perS)).toBe(perS);
    expect(row.limitedBy).toBe(limitedBy);
  });

  it('as built there is one loop, and a shard thread on each other core', () => {
    expect(asBuilt(costs, 1)).toMatchObject({ ingressLoops: 1, shardThreads: 1 });
    expect(asBuilt(costs, 64)).toMatchObject({ ingressLoops: 1, shardThreads: 63, limitedBy: 'ingress' });
    expect(asBuilt(costs, 300).shardThreads).toBe(256);
  });

  it('more loops carry as much as the best division of the cores', () => {
    // 8 cores: 2 + 6 carry min(500, 600), 3 + 5 carry min(750, 500) thousand: the first of the best.
    expect(withLoops(costs, 8)).toMatchObject({ ingressLoops: 2, shardThreads: 6, perS: 500_000 });
    expect(withLoops(costs, 2)).toEqual(asBuilt(costs, 2));
    for (const cores of [4, 16, 64])
      expect(withLoops(costs, cores).perS).toBeGreaterThanOrEqual(asBuilt(costs, cores).perS);
  });

  it('one commit at a time is an end of its own', () => {
    expect(oneCommitAtATime(costs)).toBe(250_000);
  });
});

describe('the watch of a load', () => {
  const PID = 40;
  const looks = (responses: readonly number[], cpu: readonly (readonly number[])[], lag = 0): Look[] =>
    responses.map((count, i) => ({
      scrape: new Scrape(
        [
          `holdfast_responses_total{code="00"} ${count}`,
          `holdfast_search_lag_records ${i === 1 ? lag : 0}`,
          `holdfast_journal_commit_duration_seconds_bucket{shard="shard-0",le="0.001"} ${i}`,
          `holdfast_journal_commit_duration_seconds_bucket{shard="shard-0",le="+Inf"} ${i}`,
          `holdfast_journal_commit_duration_seconds_sum{shard="shard-0"} ${i * 0.0005}`,
        ].join('\n'),
        i * 1000,
      ),
      threads: new Map(cpu.map((seconds, thread) => [PID + thread, seconds[i]!])),
    }));

  it('leaves out the seconds before and after the load, and tells the threads apart', () => {
    const some = looks(
      [0, 0, 1000, 2000, 2010],
      [
        [0, 1, 1.01, 1.02, 2],
        [0, 1, 1.002, 1.004, 2],
        [0, 0, 0.03, 0.06, 0.06],
      ],
      99,
    );
    const figures = windowOf(some, PID, 1);
    expect(figures).toMatchObject({ seconds: 2, messages: 2000, searchLagMax: 99 });
    expect(figures.cpu!.ingressUs).toBeCloseTo(10);
    expect(figures.cpu!.shardUs).toBeCloseTo(30);
    expect(figures.cpu!.otherUs).toBeCloseTo(2);
    expect(figures.commits).toMatchObject({ count: 2, p50Us: 1000, p99Us: 1000 });
    expect(figures.commits.perMessageUs).toBeCloseTo(0.5);
  });

  it('has no figures per message of a load that was not', () => {
    const figures = windowOf(looks([5, 5], [[0, 1]]), PID, 1);
    expect(figures).toMatchObject({ messages: 0, cpu: null });
  });
});

describe('the steps of a run', () => {
  const none = { diskBytes: 0, memoryBytes: 0 };
  const step = { what: 1000, unit: 'accounts', needs: none, seconds: 1 };
  const stopped = new AbortController();
  let folder: string;
  const said: string[] = [];
  let saved = 0;
  const steps = (): Steps =>
    new Steps(folder, { say: (text) => said.push(text) }, stopped.signal, () => {
      saved++;
    });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-steps-'));
    said.length = saved = 0;
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('have a folder that goes with each of them, whatever ends it, and are saved', async () => {
    const missing: Missing[] = [];
    const run = steps();
    await run.step(step, missing, async (stage) => writeFileSync(join(stage.folder, 'data'), 'x'));
    expect([missing, readdirSync(folder), saved]).toEqual([[], [], 1]);
    await run.step(step, missing, async (stage) => {
      writeFileSync(join(stage.folder, 'data'), 'x');
      stage.say('load');
      throw new Error('the server ended with status 76');
    });
    expect(missing).toEqual([{ what: 1000, why: 'the server ended with status 76' }]);
    expect([readdirSync(folder), saved]).toEqual([[], 2]);
    expect(said).toEqual([
      ...['1,000 accounts, 0 of about 1 s: load', '1,000 accounts: no figures: the server ended with status 76'],
    ]);
  });

  it('are left out when they do not fit', async () => {
    const missing: Missing[] = [];
    let ran = false;
    await steps().step({ ...step, needs: { diskBytes: 2 ** 60, memoryBytes: 0 } }, missing, async () => {
      ran = true;
    });
    expect([ran, missing[0]?.why, saved]).toEqual([false, expect.stringContaining('disk: 1073741824.0 GiB needed'), 1]);
  });

  it('see the interruption of the whole run, and no reason is made of it', async () => {
    const missing: Missing[] = [];
    await steps().step(step, missing, async ({ signal }) => {
      stopped.abort();
      expect(signal.aborted).toBe(true);
      throw new Error('killed');
    });
    expect([missing, saved]).toEqual([[], 0]);
  });
});

describe('what a step needs', () => {
  it('names what is short', () => {
    const free = { diskBytes: 2 * 2 ** 30, memoryBytes: 2 ** 30 };
    expect(lackIn(free, free)).toBeUndefined();
    expect(lackIn({ ...free, diskBytes: 2 ** 31 + 1 }, free)).toBe('disk: 2.0 GiB needed, 2.0 GiB free');
    expect(lackIn({ diskBytes: 2 ** 32, memoryBytes: 2 ** 31 }, free)).toBe(
      'disk: 4.0 GiB needed, 2.0 GiB free; memory: 2.0 GiB needed, 1.0 GiB free',
    );
  });
});
