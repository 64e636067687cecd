/** The table of the targets, generated from the newest result in bench/results/targets: never typed. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunFigures } from '../load-run.js';
import type { BenchHeader } from '../report.js';
import type { TargetsFigures } from '../targets.bench.js';

export interface TargetsResult extends BenchHeader {
  targets: TargetsFigures;
}

/** The newest full result, and its file name. */
export function newestTargets(root: string): { file: string; result: TargetsResult } | undefined {
  const folder = join(root, 'bench', 'results', 'targets');
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((file) => ({ file, result: JSON.parse(readFileSync(join(folder, file), 'utf8')) as TargetsResult }))
    .sort((a, b) => (a.result.date < b.result.date ? -1 : 1))
    .at(-1);
}

const CLOSED_PER_S = 120_000;
const CPU_US = 9;
const ONE_TIMES_FLUSH = 2.5;
const OPEN_P99_US = 4000;
const OPEN_P999_US = 12_000;
const OPEN_MAX_US = 60_000;
const OPEN_SECONDS = 600;
const GC_RATE = 50_000;
const GC_P999_US = 2000;
const BESIDE_TIMES_QUIET = 2;

interface Line {
  readonly figure: string;
  readonly measured: string;
  readonly target: string;
  /** Undefined: no target, or the run was too short or too slow to say. */
  readonly isMet: boolean | undefined;
}

const us = (run: RunFigures, name: string): number => run.latencyUs[name] ?? Number.NaN;

/** A load run whose figure counts. */
const isSound = (run: RunFigures): boolean => run.errors === 0 && run.verified !== false;

function linesOf(figures: TargetsFigures): Line[] {
  const { closed, echo, one, fdatasyncUs, open, openRate, openSeconds, gc, beside } = figures;
  const cpu = closed.cpuUsPerMessage ?? Number.NaN;
  const times = us(one, 'p50') / fdatasyncUs;
  const isLong = openSeconds >= OPEN_SECONDS;
  const openLine = (figure: string, name: string, most: number): Line => ({
    figure: `${figure}, open loop at half of the maximum (${count(openRate)}/s, ${count(openSeconds)} s)`,
    measured: time(us(open, name)),
    target: `under ${time(most)}`,
    isMet: isLong ? isSound(open) && us(open, name) < most : undefined,
  });
  const shards = gc.filter(({ thread }) => thread.startsWith('shard'));
  const major = shards.filter(({ kind }) => kind === 'major' || kind === 'incremental');
  const majors = major.reduce((sum, one) => sum + one.count, 0);
  const pauses = shards.filter((one) => one.count > 0);
  const isGcRun = isLong && openRate >= GC_RATE;
  const worst = Math.max(0, ...pauses.map(({ p999Us }) => p999Us));
  return [
    {
      figure: 'closed loop, 16 x 128 in flight, durable',
      measured: `${count(closed.achievedPerS)}/s, p99 ${time(us(closed, 'p99'))}`,
      target: `${count(CLOSED_PER_S)}/s`,
      isMet: isSound(closed) && closed.achievedPerS >= CLOSED_PER_S,
    },
    {
      figure: 'the same as a share of the bare echo',
      measured: `${((closed.achievedPerS / echo.achievedPerS) * 100).toFixed(0)} %`,
      target: '',
      isMet: undefined,
    },
    {
      figure: 'engine CPU per authorization in it',
      measured: `${cpu.toFixed(1)} us (the generator: ${(closed.clientCpuUsPerMessage ?? Number.NaN).toFixed(1)} us)`,
      target: `at most ${CPU_US} us`,
      isMet: cpu <= CPU_US,
    },
    {
      figure: 'one request at a time, p50 over the bare fdatasync',
      measured: `${times.toFixed(1)} x (${time(us(one, 'p50'))} over ${time(fdatasyncUs)})`,
      target: `at most ${ONE_TIMES_FLUSH} x`,
      isMet: isSound(one) && times <= ONE_TIMES_FLUSH,
    },
    openLine('p99', 'p99', OPEN_P99_US),
    openLine('p99.9', 'p999', OPEN_P999_US),
    openLine('max', 'max', OPEN_MAX_US),
    {
      figure: 'dropped, errors in it',
      measured: `${count(open.dropped)}, ${count(open.errors)}`,
      target: '0, 0',
      isMet: isLong ? open.dropped === 0 && isSound(open) : undefined,
    },
    {
      figure: 'major collections of the shards in it',
      measured: String(majors),
      target: `none at ${count(GC_RATE)}/s`,
      isMet: isGcRun ? majors === 0 : undefined,
    },
    {
      figure: 'pauses of the shards by their collectors in it, p99.9',
      measured: pauses.length === 0 ? 'no pause' : `at most ${time(worst)} (${pausesText(pauses)})`,
      target: `under ${time(GC_P999_US)}`,
      isMet: isGcRun ? worst < GC_P999_US : undefined,
    },
    ...beside.map(({ what, workSeconds, quiet, beside: run }): Line => {
      const ratio = us(run, 'p999') / us(quiet, 'p999');
      return {
        figure: `p99.9 at ${count(figures.besideRate)}/s beside ${what} (${workSeconds.map((s) => s.toFixed(1)).join(', ')} s)`,
        measured: `${ratio.toFixed(1)} x the quiet one (${time(us(run, 'p999'))} over ${time(us(quiet, 'p999'))})`,
        target: `at most ${BESIDE_TIMES_QUIET} x`,
        isMet: isSound(quiet) && isSound(run) && ratio <= BESIDE_TIMES_QUIET,
      };
    }),
  ];
}

const pausesText = (pauses: TargetsFigures['gc']): string =>
  pauses.map(({ thread, kind, count: number }) => `${thread}: ${number} ${kind}`).join(', ');

export function renderTargets(figures: TargetsFigures): string {
  const lines = linesOf(figures).map(
    ({ figure, measured, target, isMet }) =>
      `| ${figure} | ${measured} | ${target} | ${isMet === undefined ? '' : isMet ? 'met' : 'NOT met'} |`,
  );
  return [
    `Every card has ${figures.windows} velocity windows, every request meets ${figures.rules} active rules; the rounds of the checkpoint (every 30 s) and the segments of the search run in all of them, the quiet ones too.`,
    '',
    '| figure | measured | target | |',
    '|---|---|---|---|',
    ...lines,
  ].join('\n');
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** @param value microseconds */
function time(value: number): string {
  return value < 1000 ? `${value.toFixed(0)} us` : `${(value / 1000).toFixed(1)} ms`;
}
