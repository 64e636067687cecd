/** docs/benchmarks.md, generated from the newest result in bench/results: never typed. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineFigures } from './engine.bench.js';
import type { RunFigures } from './load-run.js';
import { asPeerRun, limitTable, newestPeers, renderPeers } from './peers/report.js';
import { type BenchRow, FULL_PIPELINE, FULL_PIPELINE_TIMES_PLAIN_MAX } from './row.js';
import { newestTargets, renderTargets } from './targets/report.js';

/** What every result says of itself. */
export interface BenchHeader {
  schema_version: 1;
  date: string;
  commit: string;
  /** True when the working tree had changes that are not in the commit. */
  dirty: boolean;
  quick: boolean;
  command: string;
  environment: {
    node: string;
    kernel: string;
    cpu: string;
    cores: number;
    memoryBytes: number;
    loadAverageAtStart: number;
    /** fdatasync times of the measured folder's disk, as `holdfast doctor` takes them. */
    disk: Record<string, unknown>;
  };
}

export interface BenchResult extends BenchHeader {
  rooms: BenchRow[];
  engine?: EngineFigures;
}

export function renderRows(rows: readonly BenchRow[]): string {
  const ratios = rows.filter(({ timesPlain }) => timesPlain !== undefined);
  return [table(rows), ...(ratios.length === 0 ? [] : [ratioTable(ratios)])].join('\n\n');
}

function ratioTable(rows: readonly BenchRow[]): string {
  const lines = ['| CPU as a multiple of the plain operation in the same run | | target |', '|---|---:|---|'];
  for (const { name, timesPlain = Number.NaN } of rows)
    lines.push(`| ${name} / plain | ${timesPlain.toFixed(2)} | ${target(name, timesPlain)} |`);
  return lines.join('\n');
}

/** The target of a ratio and whether it was met; by the ratio itself, not as it is rounded. */
function target(name: string, timesPlain: number): string {
  if (!name.startsWith(FULL_PIPELINE)) return '';
  const isMet = timesPlain <= FULL_PIPELINE_TIMES_PLAIN_MAX;
  return `at most ${FULL_PIPELINE_TIMES_PLAIN_MAX.toFixed(2)}: ${isMet ? 'met' : 'NOT met'}`;
}

function table(rows: readonly BenchRow[]): string {
  const lines = ['| room | operation | per operation | per second | bytes allocated |', '|---|---|---:|---:|---:|'];
  for (const { room, name, nsPerOp, opsPerSec, bytesPerOp } of rows) {
    const bytes = bytesPerOp === undefined ? '' : bytesPerOp.toFixed(bytesPerOp < 10 ? 1 : 0);
    lines.push(`| ${room} | ${name} | ${duration(nsPerOp)} | ${count(opsPerSec)} | ${bytes} |`);
  }
  return lines.join('\n');
}

/** The newest full result, and its file name. */
export function newestResult(root: string): { file: string; result: BenchResult } | undefined {
  const folder = join(root, 'bench', 'results');
  const results = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((file) => ({ file, result: JSON.parse(readFileSync(join(folder, file), 'utf8')) as BenchResult }))
    .filter(({ result }) => !result.quick)
    .sort((a, b) => (a.result.date < b.result.date ? -1 : 1));
  return results.at(-1);
}

export function writeReport(root: string): string {
  const newest = newestResult(root);
  if (newest === undefined) throw new Error('no result in bench/results: run `npm run bench` first');
  const file = join(root, 'docs', 'benchmarks.md');
  writeFileSync(file, renderReport(newest.file, newest.result, newestPeers(root), newestTargets(root)));
  const readme = join(root, 'README.md');
  writeFileSync(readme, withFigure(readFileSync(readme, 'utf8'), newest.result));
  return file;
}

const FIGURE_START = '<!-- figure:start -->';
const FIGURE_END = '<!-- figure:end -->';

/** The README with its one figure, generated. @throws Error when the place for it is missing */
export function withFigure(readme: string, result: BenchResult): string {
  const start = readme.indexOf(FIGURE_START);
  const end = readme.indexOf(FIGURE_END);
  if (start < 0 || end < start) throw new Error(`README.md has no ${FIGURE_START} ... ${FIGURE_END}`);
  return `${readme.slice(0, start + FIGURE_START.length)}\n${figure(result)}\n${readme.slice(end)}`;
}

/** The first number a reader sees, with its conditions. */
function figure(result: BenchResult): string {
  if (result.engine === undefined) return 'See [docs/benchmarks.md](docs/benchmarks.md).';
  const { closed, open } = result.engine;
  const disk = result.environment.disk;
  return [
    `**${count(closed.achievedPerS)} durable authorizations per second** (closed loop, 2 048 in flight), and at`,
    `${count(open.achievedPerS)}/s open loop p50 ${duration((open.latencyUs.p50 ?? Number.NaN) * 1000)}, p99`,
    `${duration((open.latencyUs.p99 ?? Number.NaN) * 1000)}: on ${result.environment.cores} shared virtual cores with the load generator on them, every answer`,
    `on disk before it left (fdatasync p50 ${String(disk.fdatasync_p50_us)} us, p99 ${String(disk.fdatasync_p99_us)} us), money verified after the run. No card`,
    'cryptography, no TLS. Conditions and raw figures: [docs/benchmarks.md](docs/benchmarks.md).',
  ].join('\n');
}

export function renderReport(
  file: string,
  result: BenchResult,
  peers: ReturnType<typeof newestPeers>,
  targets: ReturnType<typeof newestTargets>,
): string {
  return `# Benchmarks

Generated from \`bench/results/${file}\` by \`npm run bench -- --report\`. Do not edit.

${conditions(result)}
- The load generator runs on the same cores. Shared virtual machine: read ratios rather than absolutes.
- Every answer was durable (fdatasync and meta page) before it left. Latency counts from the scheduled send in the open loop.
- Not in the engine's figures: card cryptography, velocity windows, decision rules, clearing, TLS, a network between client and engine.
${result.engine === undefined ? '' : renderEngine(result.engine)}
## Targets

${TARGETS_TEXT}

${targets === undefined ? NO_FIGURES : `From \`bench/results/targets/${targets.file}\`.\n\n${conditions(targets.result)}\n\n${renderTargets(targets.result.targets)}`}

## Peers

${PEERS_TEXT}

${peers === undefined ? NO_FIGURES : `From \`bench/results/peers/${peers.file}\`.\n\n${conditions(peers.result)}\n\n${renderPeers(peers.result.peers)}`}

## Drift

${DRIFT_TEXT}

## Rooms

${renderRows(result.rooms)}
`;
}

const TARGETS_TEXT = `The engine with everything on: windows and rules for every request, duplicate check, journal, search, metrics; the load generator
on the same cores. \`npm run bench -- --targets\` takes a quarter of an hour.`;

const PEERS_TEXT = `What somebody would take instead, at the same job: duplicate check with a window of 24 hours, available check, hold, an answer that is
stored for repeats and durable before it leaves. One row per account and one per message; cards, amounts and accounts of the load test.
PostgreSQL does it in one PL/pgSQL function, Redis in one Lua script, SQLite in a transaction of the client's own process.

\`\`\`sh
apt-get install postgresql redis-server            # servers; nothing needs to run, the benchmark starts its own
npm install --no-save better-sqlite3@12            # SQLite, where Node is older than 22.5
npm run bench -- --peers --dir <folder on the disk to measure>
\`\`\`

About ten minutes on a machine that does nothing else; \`--quick\` for two, \`--only redis\` for one peer, and a peer that is not installed is
named and left out. Each round starts every server anew in a folder of its own, as a user without rights, reached by a Unix socket, and
measures the engine and what the machine allows (bare echo, ring, journal, flush) in the same minutes. After each run the money is
verified and some requests are repeated, or the figure is void.

The peers do less than the engine: no ISO 8583, PAN fingerprint, card status, controls, rules, hash chain or search. Their clients are
written for this (bench/peers), prepared and binary where the protocol allows, and reach them without TCP. The engine gets no such
favour. Not among them: jPOS, because it is built by Maven from a repository that not every machine reaches; it has no durable
authorization to compare with, and its message echo belongs beside the bare echo above.`;

const DRIFT_TEXT = `\`npm run bench:check\` takes half a minute and holds five figures against \`bench/baseline.json\`: the closed loop as a share of the bare echo
and of the journal alone, CPU per authorization in the engine and in a shard, bytes allocated per message. Each has a tolerance of its
own; what differs by more is named as worse or better. CI prints it and fails by none of it; elsewhere the status is 1 when something is
worse. A baseline of another number of cores or Node version is not compared, one of another processor by its ratios and bytes only, and
\`npm run bench:check -- --update\`, on a machine that does nothing else, takes a new one.`;

const NO_FIGURES = 'No figures are published yet: they are taken on a machine that does nothing else.';

/** Who ran what where. */
export function conditions(header: BenchHeader): string {
  const { environment: env } = header;
  const disk =
    env.disk === null
      ? 'not measured'
      : Object.entries(env.disk)
          .map(([name, value]) => `${name} ${String(value)}`)
          .join(', ');
  return [
    `- Run: \`${header.command}\`, ${header.date}, commit ${header.commit}${header.dirty ? ' with local changes' : ''}`,
    `- Machine: ${env.cores} cores (${env.cpu}), ${Math.round(env.memoryBytes / 2 ** 30)} GiB, Linux ${env.kernel}, Node ${env.node}, load average ${env.loadAverageAtStart.toFixed(1)} at the start`,
    `- Disk of the data directory: ${disk}`,
  ].join('\n');
}

function renderEngine(engine: EngineFigures): string {
  const share = (part: RunFigures): string =>
    `${((part.achievedPerS / engine.closedEcho.achievedPerS) * 100).toFixed(0)} %`;
  const rows: readonly (readonly [string, RunFigures])[] = [
    ['closed loop, 16 x 128 in flight, TCP', engine.closed],
    ['the same, WebSocket', engine.closedWs],
    ['the same, TCP, 7 % reversals, 2 % repeats, Zipf', engine.mixed],
    ['the same against the bare echo server', engine.closedEcho],
    ...(engine.one === undefined ? [] : ([['one message at a time, TCP', engine.one]] as const)),
    ['open loop', engine.open],
  ];
  return `
## Engine

| run | achieved/s | p50 | p99 | p99.9 | max | dropped | errors | engine CPU per message | money verified |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---|
${rows.map(([name, run]) => runLine(name, run)).join('\n')}

Share of the bare echo's rate with the same client: TCP ${share(engine.closed)}, WebSocket ${share(engine.closedWs)}.
${engineLimits(engine)}
Many accounts, a long journal, and more shard threads: [scale](internals/scale.md).
`;
}

/** Ours beside what disk, journal, rings and sockets allow; nothing for a result that has no limits. */
function engineLimits({ closed, closedWs, one, limits }: EngineFigures): string {
  if (one === undefined || limits === undefined) return '';
  const ours = { tcp: asPeerRun(closed), ws: asPeerRun(closedWs), one: asPeerRun(one) };
  return ['', ...limitTable([{ ours, limits }]), ''].join('\n');
}

function runLine(name: string, run: RunFigures): string {
  const us = (key: string): string => duration((run.latencyUs[key] ?? Number.NaN) * 1000);
  const cpu = run.cpuUsPerMessage === undefined ? '' : `${run.cpuUsPerMessage.toFixed(1)} us`;
  const verified = run.verified === null ? '' : run.verified ? 'yes' : 'NO: void';
  return `| ${name} | ${count(run.achievedPerS)} | ${us('p50')} | ${us('p99')} | ${us('p999')} | ${us('max')} | ${count(run.dropped)} | ${count(run.errors)} | ${cpu} | ${verified} |`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function duration(ns: number): string {
  if (Number.isNaN(ns)) return '';
  if (ns < 1000) return `${ns.toFixed(0)} ns`;
  if (ns < 1e6) return `${(ns / 1000).toFixed(1)} us`;
  return `${(ns / 1e6).toFixed(1)} ms`;
}
