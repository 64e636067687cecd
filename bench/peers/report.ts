/** The tables of the peers, generated from the newest result in bench/results/peers: never typed. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LimitFigures } from '../limits.js';
import type { RunFigures } from '../load-run.js';
import type { OurFigures, PeersFigures, PeersRound } from '../peers.bench.js';
import type { BenchHeader } from '../report.js';
import type { PeerRun } from './closed-loop.js';

export interface PeersResult extends BenchHeader {
  peers: PeersFigures;
}

/** The newest full result, and its file name. */
export function newestPeers(root: string): { file: string; result: PeersResult } | undefined {
  const folder = join(root, 'bench', 'results', 'peers');
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((file) => ({ file, result: JSON.parse(readFileSync(join(folder, file), 'utf8')) as PeersResult }))
    .sort((a, b) => (a.result.date < b.result.date ? -1 : 1))
    .at(-1);
}

/** p50 of one message at a time should be at most so many bare flushes. A report says whether; it never fails by it. */
const ONE_BY_ONE_TIMES_FLUSH_MAX = 2.5;

/** A median with the least and the most of the rounds. */
interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** @throws Error for no values */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) throw new Error('a spread of nothing');
  const median = sorted.length % 2 === 1 ? upper : (sorted[middle - 1]! + upper) / 2;
  return { median, least: sorted[0]!, most: sorted.at(-1)! };
}

export function renderPeers(figures: PeersFigures): string {
  const { rounds, seconds, accounts } = figures;
  const conditions =
    `Medians of ${rounds.length} rounds of ${seconds} s each, in brackets the least and the most of them; ` +
    `${count(accounts)} accounts with a card each, uniform. CPU is user and system time of the processes, per authorization.`;
  return [conditions, jobTable(figures), ...limitTable(rounds), notes(figures)].join('\n\n');
}

function jobTable({ rounds, cases, skipped }: PeersFigures): string {
  const ours = rounds.flatMap((round) => (round.ours === undefined ? [] : [round.ours]));
  const lines = [
    '| the same job | authorizations/s | p50 | p99 | CPU of the server | CPU of its client | ours / it | verified |',
    '|---|---:|---:|---:|---:|---:|---|---|',
  ];
  if (ours.length > 0) {
    const tcp = ours.map((one) => one.tcp);
    lines.push(line('**Holdfast**, TCP, 16 x 128 in flight', tcp, ''));
    lines.push(
      line(
        '**Holdfast**, WebSocket, 16 x 128 in flight',
        ours.map((one) => one.ws),
        '',
      ),
    );
  }
  for (const { name, title, target, connections, inFlight } of cases) {
    const runs = rounds.map((round) => round.peers[name]!);
    const label = `${title}, ${connections} x ${inFlight} in flight`;
    lines.push(line(label, runs, ours.length === 0 ? '' : ratio(rounds, name, target)));
  }
  for (const { title, install } of skipped) lines.push(`| ${title} | not installed: \`${install}\` | | | | | | |`);
  return lines.join('\n');
}

function line(label: string, runs: readonly PeerRun[], times: string): string {
  const perS = spreadOf(runs.map((run) => run.perS));
  const cells = [
    label,
    `${count(perS.median)} (${count(perS.least)} to ${count(perS.most)})`,
    duration(spreadOf(runs.map((run) => run.p50Us)).median),
    duration(spreadOf(runs.map((run) => run.p99Us)).median),
    serverCpu(runs),
    duration(spreadOf(runs.map((run) => run.clientCpuUs)).median),
    times,
    runs.every((run) => run.verified) ? 'yes' : 'NO: void',
  ];
  return `| ${cells.join(' | ')} |`;
}

function serverCpu(runs: readonly PeerRun[]): string {
  const known = runs.flatMap((run) => (run.serverCpuUs === null ? [] : [run.serverCpuUs]));
  return known.length === 0 ? 'in its client' : duration(spreadOf(known).median);
}

/** Median of the rounds' own ratios: each compares what ran in the same minutes. */
function ratio(rounds: readonly PeersRound[], name: string, target: number | undefined): string {
  const times = spreadOf(rounds.map((round) => round.ours!.tcp.perS / round.peers[name]!.perS));
  const text = `${times.median.toFixed(1)} x (${times.least.toFixed(1)} to ${times.most.toFixed(1)})`;
  if (target === undefined) return text;
  return `${text}, target ${target}: ${times.median >= target ? 'met' : 'NOT met'}`;
}

export function asPeerRun(run: RunFigures): PeerRun {
  return {
    perS: run.achievedPerS,
    p50Us: run.latencyUs.p50 ?? Number.NaN,
    p99Us: run.latencyUs.p99 ?? Number.NaN,
    serverCpuUs: run.cpuUsPerMessage ?? null,
    clientCpuUs: run.clientCpuUsPerMessage ?? Number.NaN,
    verified: run.verified === true && run.errors === 0,
  };
}

/** Nothing without a round that has both. @param rounds whatever measured ours and the limits in the same minutes */
export function limitTable(rounds: readonly { ours?: OurFigures; limits?: LimitFigures }[]): string[] {
  const both = rounds.flatMap(({ ours, limits }) =>
    ours === undefined || limits === undefined ? [] : [{ ours, limits }],
  );
  if (both.length === 0) return [];
  const of = (value: (round: (typeof both)[number]) => number): Spread => spreadOf(both.map(value));
  const rate = (name: string, limit: (l: LimitFigures) => number, own: 'tcp' | 'ws'): string => {
    const part = of((round) => (round.ours[own].perS / limit(round.limits)) * 100);
    const ourName = own === 'tcp' ? 'TCP' : 'WebSocket';
    return `| ${name} | ${count(of((round) => limit(round.limits)).median)}/s | ${ourName}: ${percent(part)} |`;
  };
  const time = (name: string, limit: (l: LimitFigures) => number, target?: number): string => {
    const times = of((round) => round.ours.one.p50Us / limit(round.limits));
    const verdict =
      target === undefined ? '' : `, target at most ${target}: ${times.median <= target ? 'met' : 'NOT met'}`;
    const text = `${times.median.toFixed(1)} x (${times.least.toFixed(1)} to ${times.most.toFixed(1)})`;
    return `| ${name} | ${duration(of((round) => limit(round.limits)).median)} | p50 of one at a time: ${text}${verdict} |`;
  };
  return [
    [
      '| what the machine allows | alone | ours as a share or multiple of it |',
      '|---|---:|---|',
      rate('bare echo over TCP, the same client', (l) => l.echoTcpPerS, 'tcp'),
      rate('bare echo over WebSocket, the same client', (l) => l.echoWsPerS, 'ws'),
      rate('ring between two threads, round trips', (l) => l.ringPerS, 'tcp'),
      rate('journal alone: append, seal and commit 2 048 records', (l) => l.commitPerS, 'tcp'),
      time('write of 4 KiB and fdatasync', (l) => l.fdatasyncUs, ONE_BY_ONE_TIMES_FLUSH_MAX),
      time('journal alone: commit of one record', (l) => l.commitOneUs),
      time('bare echo over TCP, one at a time', (l) => l.echoOneUs),
    ].join('\n'),
  ];
}

function notes({ cases }: PeersFigures): string {
  const seen = new Map<string, string[]>();
  for (const { name, note } of cases) seen.set(note, [...(seen.get(note) ?? []), name]);
  const lines = [...seen].map(([note, names]) => `- ${names.join(', ')}: ${note}`);
  return lines.join('\n');
}

function percent({ median, least, most }: Spread): string {
  return `${median.toFixed(0)} % (${least.toFixed(0)} to ${most.toFixed(0)})`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** @param us microseconds */
function duration(us: number): string {
  return us < 1000 ? `${us.toFixed(1)} us` : `${(us / 1000).toFixed(1)} ms`;
}
