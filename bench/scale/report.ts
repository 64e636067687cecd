/** The tables and charts of docs/internals/scale.md, generated from the newest results in bench/results/scale: never typed. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchHeader, conditions } from '../report.js';
import type { Missing, ScaleFigures, ScalePart } from '../scale.bench.js';
import type { SizeFigures } from './accounts.js';
import { type Chart, chartsSvg, type Point } from './charts.js';
import type { PointFigures } from './journal.js';
import type { LoadWindow } from './load-watch.js';
import { asBuilt, type MessageCosts, oneCommitAtATime, type PaperRow, withLoops } from './paper.js';
import type { StartFigures } from './stage.js';
import type { ThreadsFigures } from './threads.js';

export interface ScaleResult extends BenchHeader {
  scale: ScaleFigures;
}

/** Targets. A report says whether they were met; it never fails by them. */
const ACCOUNT_BYTES_MAX = 300;
/** With fewer the difference of two processes is more than the accounts. */
const ACCOUNT_BYTES_FROM = 1_000_000;
const READY_SECONDS_MAX = 30;
/** Of so many accounts. */
const READY_ACCOUNTS = 10_000_000;
const REPLAY_PER_S_AND_CORE_MIN = 1_000_000;
/** Below so many records the fixed part of a start decides. */
const REPLAY_RECORDS_MIN = 1_000_000;

const PAPER_CORES = [2, 8, 16, 32, 64];

interface Source<P extends ScalePart> {
  readonly file: string;
  readonly result: ScaleResult;
  readonly figures: NonNullable<ScaleFigures[P]>;
}

/** Each part from the newest result that has it: a part may be run alone. */
export type Sources = { readonly [P in ScalePart]: Source<P> | undefined };

interface Named {
  readonly file: string;
  readonly result: ScaleResult;
}

/** The full results, with their file names. */
export function scaleResults(root: string): Named[] {
  const folder = join(root, 'bench', 'results', 'scale');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((file) => ({ file, result: JSON.parse(readFileSync(join(folder, file), 'utf8')) as ScaleResult }));
}

/** @param results in any order */
export function sourcesOf(results: readonly Named[]): Sources {
  const newest = [...results].sort((a, b) => (a.result.date > b.result.date ? -1 : 1));
  const of = <P extends ScalePart>(part: P): Source<P> | undefined => {
    for (const { file, result } of newest) {
      const figures = result.scale[part];
      if (figures !== undefined) return { file, result, figures };
    }
    return undefined;
  };
  return { accounts: of('accounts'), journal: of('journal'), shards: of('shards') };
}

export const scalePage = (root: string): string => join(root, 'docs', 'internals', 'scale.md');
const CHARTS = 'figures/scale.svg';
export const scaleCharts = (root: string): string => join(root, 'docs', 'internals', CHARTS);

export function writeScaleReport(root: string): string {
  const sources = sourcesOf(scaleResults(root));
  const page = scalePage(root);
  writeFileSync(page, withScale(readFileSync(page, 'utf8'), sources));
  const svg = renderCharts(sources);
  if (svg === undefined) rmSync(scaleCharts(root), { force: true });
  else writeFileSync(scaleCharts(root), svg);
  return page;
}

const START = '<!-- figures:start -->';
const END = '<!-- figures:end -->';

/** The page with its figures. @throws Error when the place for them is missing */
export function withScale(page: string, sources: Sources): string {
  const start = page.indexOf(START);
  const end = page.indexOf(END);
  if (start < 0 || end < start) throw new Error(`the page has no ${START} ... ${END}`);
  return `${page.slice(0, start + START.length)}\n${renderScale(sources)}\n${page.slice(end)}`;
}

const NOT_RUN = 'Not run yet: it takes a machine that does nothing else.';

export function renderScale(sources: Sources): string {
  const { accounts, journal, shards } = sources;
  return [
    '## Accounts and cards',
    ...(accounts === undefined ? [NOT_RUN] : [source(accounts), ...accountsText(accounts.figures)]),
    '## A long journal',
    ...(journal === undefined ? [NOT_RUN] : [source(journal), ...journalText(journal.figures)]),
    '## Shard threads',
    ...(shards === undefined ? [NOT_RUN] : [source(shards), ...shardsText(shards.figures)]),
  ].join('\n\n');
}

function source({ file, result }: Named): string {
  return `From \`bench/results/scale/${file}\`.\n\n${conditions(result)}`;
}

// ---- accounts

function accountsText(figures: NonNullable<ScaleFigures['accounts']>): string[] {
  const { sizes, rate, loadSeconds } = figures;
  const notRun = notRunLines(
    figures,
    sizes.map(({ accounts }) => accounts),
    'accounts',
  );
  if (sizes.length === 0) return notRun;
  return [
    ...notRun,
    `Open loop: ${count(rate)}/s for ${loadSeconds} s over all cards, each as likely.`,
    table([
      ['accounts with a card each', ...sizes.map(({ accounts }) => count(accounts))],
      ['import through the API', ...sizes.map(({ importSeconds }) => seconds(importSeconds))],
      ['accounts imported per second', ...sizes.map((one) => count(importPerS(one)))],
      ['memory each, after a restart', ...sizes.map((one) => bytes(bytesEach(one)))],
      ['memory that the load added, its open holds among it', ...sizes.map((one) => grownByLoad(one))],
      ['disk each, after the import', ...sizes.map((one) => bytes(one.diskBytes / one.accounts))],
      ['start without accounts', ...sizes.map((one) => startText(one.empty))],
      ['start from the checkpoint', ...sizes.map((one) => startText(one.restart))],
      ['start from the journal alone', ...sizes.map((one) => startText(one.journalAlone))],
      ['records replayed per second', ...sizes.map((one) => perS(replayPerS(one.journalAlone, one.empty)))],
      ['and per second of CPU', ...sizes.map((one) => perS(replayPerCpuS(one.journalAlone, one.empty)))],
      ['load: achieved per second', ...sizes.map(({ load }) => count(load.achievedPerS))],
      ...(['p50', 'p99', 'p999', 'max'] as const).map((key) => [
        `load: ${key === 'p999' ? 'p99.9' : key}`,
        ...sizes.map(({ load }) => us(load.latencyUs[key])),
      ]),
      ['load: dropped, errors', ...sizes.map(({ load }) => `${count(load.dropped)}, ${count(load.errors)}`)],
      ['engine CPU per message', ...sizes.map(({ load }) => us(load.cpuUsPerMessage))],
      ['major collections, longest pause at most', ...sizes.map((one) => collections(one.window))],
      ['money verified', ...sizes.map(({ load }) => verified(load.verified))],
    ]),
    targets(sizes),
    `![Bytes per account, restart, import and p99 by the number of accounts](${CHARTS})`,
  ];
}

function targets(sizes: readonly SizeFigures[]): string {
  const largest = sizes.at(-1)!;
  const each = bytesEach(largest);
  const full = sizes.find(({ accounts }) => accounts === READY_ACCOUNTS);
  const readyS = full === undefined ? undefined : full.restart.readyMs / 1000;
  const { journalAlone: alone } = largest;
  const replay = replayVerdict(alone, largest.empty);
  const memory =
    each === undefined
      ? 'Not measured'
      : largest.accounts < ACCOUNT_BYTES_FROM
        ? `Not measured: ${count(largest.accounts)} are too few`
        : `${bytes(each)} with ${count(largest.accounts)}: ${met(each <= ACCOUNT_BYTES_MAX)}`;
  return [
    `- memory: at most ${ACCOUNT_BYTES_MAX} bytes per account with a card. ${memory}`,
    `- ${count(READY_ACCOUNTS)} accounts to ready in less than ${READY_SECONDS_MAX} s. ${readyS === undefined ? 'Not measured' : `${seconds(readyS)}: ${met(readyS < READY_SECONDS_MAX)}`}`,
    `- ${replay}`,
  ].join('\n');
}

function replayVerdict(alone: StartFigures, empty: StartFigures | undefined): string {
  const wanted = `replay: ${count(REPLAY_PER_S_AND_CORE_MIN)} records per second and core at least.`;
  const each = replayPerCpuS(alone, empty);
  if (each === undefined) return `${wanted} Not measured`;
  if (alone.records < REPLAY_RECORDS_MIN)
    return `${wanted} Not measured: ${count(alone.records)} records are too few, the fixed part of the start decides`;
  return `${wanted} ${perS(each)} of ${count(alone.records)} records, by CPU: ${met(each >= REPLAY_PER_S_AND_CORE_MIN)}`;
}

const met = (is: boolean): string => (is ? 'met' : 'NOT met');

const importPerS = ({ accounts, importSeconds }: SizeFigures): number => accounts / importSeconds;

function bytesEach({ accounts, memory }: SizeFigures): number | undefined {
  return memory === null ? undefined : (memory.loadedBytes - memory.emptyBytes) / accounts;
}

function grownByLoad({ memory }: SizeFigures): string {
  return memory === null ? '' : `${count((memory.afterLoadBytes - memory.loadedBytes) / 2 ** 20)} MiB`;
}

/** Less the time of a start without accounts, where that is known and shorter. */
export function replayPerS(start: StartFigures, empty?: StartFigures): number | undefined {
  const ms = start.readyMs - (empty?.readyMs ?? 0);
  return ms > 0 ? (start.records * 1000) / ms : undefined;
}

/** The same by the CPU of the process: what one core does, however many threads had how much of which. */
export function replayPerCpuS(start: StartFigures, empty?: StartFigures): number | undefined {
  if (start.cpuSeconds === null) return undefined;
  const cpu = start.cpuSeconds - (empty?.cpuSeconds ?? 0);
  return cpu > 0 ? start.records / cpu : undefined;
}

/** The picture, when there is anything to draw. */
export function renderCharts({ accounts }: Sources): string | undefined {
  const sizes = accounts?.figures.sizes ?? [];
  if (sizes.length === 0) return undefined;
  const points = (y: (size: SizeFigures) => number | null | undefined): Point[] =>
    sizes.flatMap((size) => {
      const value = y(size);
      return value === undefined || value === null || !Number.isFinite(value)
        ? []
        : [{ x: size.accounts, y: Math.max(0, value) }];
    });
  const charts: Chart[] = [
    {
      title: 'bytes of memory per account with a card',
      points: points(bytesEach),
      target: { y: ACCOUNT_BYTES_MAX, label: `wanted: at most ${ACCOUNT_BYTES_MAX}` },
    },
    {
      title: 'restart to ready from the checkpoint, s',
      points: points(({ restart }) => restart.readyMs / 1000),
      target: { y: READY_SECONDS_MAX, label: `wanted: less than ${READY_SECONDS_MAX}` },
    },
    { title: 'accounts imported per second', points: points(importPerS) },
    {
      title: `p99 at ${count(accounts!.figures.rate)}/s, ms`,
      points: points(({ load }) => (load.latencyUs.p99 ?? Number.NaN) / 1000),
    },
  ];
  return chartsSvg(charts);
}

// ---- journal

function journalText(figures: NonNullable<ScaleFigures['journal']>): string[] {
  const { points, accounts } = figures;
  const notRun = notRunLines(
    figures,
    points.map(({ wanted }) => wanted),
    'records',
  );
  const last = points.at(-1);
  if (last === undefined) return notRun;
  return [
    ...notRun,
    `Grown by a closed loop of purchases, nine in ten of which are reversed, over ${count(accounts)} accounts. Each column is a point on the way: what the load up to it met, then a kill, a recovery, a start from the journal alone, a verification.`,
    table([
      ['records', ...points.map(({ records }) => count(records))],
      ['messages per second', ...points.map(({ load }) => count(load.achievedPerS))],
      ['commit, p50 at most', ...points.map(({ window }) => us(window.commits.p50Us))],
      ['commit, p99 at most', ...points.map(({ window }) => us(window.commits.p99Us))],
      ['records per commit', ...points.map(({ window }) => perCommit(window))],
      ['index behind by, at most', ...points.map(({ window }) => `${count(window.searchLagMax)} records`)],
      ['recovery after a kill', ...points.map(({ recovery }) => startText(recovery))],
      ['index even again after', ...points.map((one) => caughtUp(one))],
      ['start from the journal alone', ...points.map((one) => startText(one.journalAlone))],
      ['records replayed per second', ...points.map((one) => perS(replayPerS(one.journalAlone)))],
      ['and per second of CPU', ...points.map((one) => perS(replayPerCpuS(one.journalAlone)))],
      ['`holdfast verify`', ...points.map(({ verifySeconds }) => seconds(verifySeconds))],
      ['records verified per second', ...points.map((one) => perS(one.records / one.verifySeconds))],
      ['data directory per record', ...points.map((one) => bytes(one.diskBytes / one.records))],
      ['money verified', ...points.map(({ load }) => verified(load.verified))],
    ]),
    `- ${replayVerdict(last.journalAlone, undefined)}`,
  ];
}

function caughtUp({ catchUpSeconds }: PointFigures): string {
  return catchUpSeconds === null ? 'not within the time waited' : seconds(catchUpSeconds);
}

function perCommit({ commits }: LoadWindow): string {
  return commits.count === 0 ? '' : count(commits.records / commits.count);
}

// ---- shard threads

function shardsText(figures: NonNullable<ScaleFigures['shards']>): string[] {
  const { runs, loadSeconds } = figures;
  const notRun = notRunLines(
    figures,
    runs.map(({ shardThreads }) => shardThreads),
    'shard threads',
  );
  if (runs.length === 0) return notRun;
  const cpu = (of: (window: LoadWindow) => number | undefined): string[] => runs.map(({ window }) => us(of(window)));
  return [
    ...notRun,
    `Closed loop, 16 connections x 128 in flight, ${loadSeconds} s, the load generator on the same cores.`,
    table([
      ['shard threads', ...runs.map(({ shardThreads }) => String(shardThreads))],
      ['achieved per second', ...runs.map(({ load }) => count(load.achievedPerS))],
      ['p50', ...runs.map(({ load }) => us(load.latencyUs.p50))],
      ['p99', ...runs.map(({ load }) => us(load.latencyUs.p99))],
      ['CPU per message: ingress', ...cpu(({ cpu: one }) => one?.ingressUs)],
      ['CPU per message: shard threads', ...cpu(({ cpu: one }) => one?.shardUs)],
      ['CPU per message: all other threads', ...cpu(({ cpu: one }) => one?.otherUs)],
      ['time of commits per message', ...cpu(({ commits }) => commits.perMessageUs)],
      ['records per commit', ...runs.map(({ window }) => perCommit(window))],
      ['money verified', ...runs.map(({ load }) => verified(load.verified))],
    ]),
    '### On paper',
    ...paperText(runs),
  ];
}

/** Costs that the paper begins with: those of the run with fewest threads, which waited least for a core. */
export function costsOf(runs: readonly ThreadsFigures[]): MessageCosts | undefined {
  const [run] = [...runs].sort((a, b) => a.shardThreads - b.shardThreads);
  const cpu = run?.window.cpu;
  if (run === undefined || cpu == null || cpu.ingressUs <= 0 || cpu.shardUs <= 0) return undefined;
  return { ...cpu, commitUs: run.window.commits.perMessageUs };
}

function paperText(runs: readonly ThreadsFigures[]): string[] {
  const costs = costsOf(runs);
  if (costs === undefined) return ['Not computed: the CPU of the threads was not measured.'];
  const { ingressUs, shardUs, otherUs, commitUs } = costs;
  const row = (one: PaperRow): string =>
    `${one.ingressLoops} + ${one.shardThreads} | ${count(one.perS)} | ${one.limitedBy}`;
  return [
    `Computed, not measured, from the costs of the first column: ingress ${us(ingressUs)}, shard thread ${us(shardUs)} and its wait for commits ${us(commitUs)}, all else ${us(otherUs)} per message. Assumed: cores as fast as these, each thread on one of its own, the load generator elsewhere; caches and memory that the cores share cost nothing more; accounts spread evenly, logical shards as many as threads (\`--shards\` when the directory is created); the disk takes the commits of all threads side by side, each as fast as measured.`,
    [
      '| cores | as built: loops of the ingress + shard threads | per second | limited by | with more loops of the ingress, which are not built | per second | limited by |',
      '|---:|---|---:|---|---|---:|---|',
      ...PAPER_CORES.map((cores) => `| ${cores} | ${row(asBuilt(costs, cores))} | ${row(withLoops(costs, cores))} |`),
    ].join('\n'),
    commitUs > 0
      ? `A disk that takes one commit at a time, of the size measured, would end at ${perS(oneCommitAtATime(costs))} whatever the cores. Commits become larger under load.`
      : 'Commits took no time that was measured.',
  ];
}

// ---- common

/** What was planned and has no figures, with the reason. */
function notRunLines(
  { planned, missing }: { planned: readonly number[]; missing: readonly Missing[] },
  done: readonly number[],
  unit: string,
): string[] {
  const lines = planned
    .filter((one) => !done.includes(one))
    .map((one) => {
      // A step of several points fails as a whole: its reason is that of all points that are missing.
      const why = missing.find(({ what }) => what === one) ?? missing.find(({ what }) => what > one);
      return `- **Not run: ${count(one)} ${unit}**: ${why?.why ?? 'the benchmark was interrupted'}`;
    });
  return lines.length === 0 ? [] : [lines.join('\n')];
}

/** A table that has its names at the left: one column per size. */
function table(rows: readonly (readonly string[])[]): string {
  const [head, ...body] = rows;
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(head!),
    `|---|${head!
      .slice(1)
      .map(() => '---:|')
      .join('')}`,
    ...body.map(line),
  ].join('\n');
}

function startText({ readyMs, records }: StartFigures): string {
  return `${seconds(readyMs / 1000)}, ${count(records)} records`;
}

function collections({ majorCollections, majorPauseMaxUs }: LoadWindow): string {
  return majorCollections === 0 ? '0' : `${count(majorCollections)}, ${us(majorPauseMaxUs)}`;
}

function verified(is: boolean | null): string {
  return is === true ? 'yes' : 'NO: void';
}

function seconds(value: number): string {
  return `${value.toFixed(value < 100 ? 1 : 0)} s`;
}

function bytes(value: number | undefined): string {
  return value === undefined ? '' : `${count(value)} bytes`;
}

function perS(value: number | undefined): string {
  return value === undefined ? '' : `${count(value)}/s`;
}

function us(value: number | null | undefined): string {
  if (value === undefined || value === null) return '';
  return value < 1000 ? `${value.toFixed(1)} us` : `${(value / 1000).toFixed(1)} ms`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
