/** The tables of docs/internals/overload.md, generated from the newest result in bench/results/overload: never typed. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostileFigures, LoadFigures, OverloadFigures } from '../overload.bench.js';
import type { BenchHeader } from '../report.js';
import { caseTexts } from './case.js';
import type { PhaseFigures } from './phases.js';

export interface OverloadResult extends BenchHeader {
  overload: OverloadFigures;
}

const START = '<!-- figures:start -->';
const END = '<!-- figures:end -->';

/** The newest full result, and its file name. */
export function newestOverload(root: string): { file: string; result: OverloadResult } | undefined {
  const folder = join(root, 'bench', 'results', 'overload');
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((file) => ({ file, result: JSON.parse(readFileSync(join(folder, file), 'utf8')) as OverloadResult }))
    .sort((a, b) => (a.result.date < b.result.date ? -1 : 1))
    .at(-1);
}

export function overloadPage(root: string): string {
  return join(root, 'docs', 'internals', 'overload.md');
}

export function writeOverloadReport(root: string): string {
  const newest = newestOverload(root);
  if (newest === undefined)
    throw new Error('no result in bench/results/overload: run `npm run bench -- --overload` first');
  const file = overloadPage(root);
  writeFileSync(file, withFigures(readFileSync(file, 'utf8'), newest.file, newest.result));
  return file;
}

/** The page with its figures. @throws Error when the place for them is missing */
export function withFigures(page: string, file: string, result: OverloadResult): string {
  const start = page.indexOf(START);
  const end = page.indexOf(END);
  if (start < 0 || end < start) throw new Error(`the page has no ${START} ... ${END}`);
  const note = `Generated from \`bench/results/overload/${file}\` by \`npm run bench -- --report\`.`;
  return `${page.slice(0, start + START.length)}\n${note}\n\n${renderOverload(result)}\n${page.slice(end)}`;
}

export function renderOverload(result: OverloadResult): string {
  const { environment: env, overload } = result;
  const disk = Object.entries(env.disk).map(([name, value]) => `${name} ${String(value)}`);
  const { capped, uncapped, capacityPerS } = overload;
  const loads =
    capped === undefined || uncapped === undefined || capacityPerS === undefined
      ? []
      : [loadTable(overload, capped, uncapped, capacityPerS)];
  const conditions = [
    `- Run: \`${result.command}\`, ${result.date}, commit ${result.commit}${result.dirty ? ' with local changes' : ''}`,
    `- Machine: ${env.cores} cores (${env.cpu}), ${Math.round(env.memoryBytes / 2 ** 30)} GiB, Linux ${env.kernel}, Node ${env.node}, load average ${env.loadAverageAtStart.toFixed(1)} at the start`,
    `- Disk of the data directory: ${disk.join(', ')}`,
    '- Load, hostile peers and steady traffic run on the same cores as the engine: what they take is in every figure.',
  ];
  if (env.loadAverageAtStart > env.cores) {
    const load = env.loadAverageAtStart.toFixed(0);
    conditions.push(
      `- **The machine was busy with other work** (load average ${load} on ${env.cores} cores, and the run at a low priority): the times show that nothing breaks, not how fast it is.`,
    );
  }
  return [conditions.join('\n'), ...loads, ...idleLines(overload), steadyTable(overload), serverTable(overload)].join(
    '\n\n',
  );
}

function idleLines({ idle, idleBytes }: OverloadFigures): string[] {
  if (idleBytes === undefined) return [];
  const each = Object.entries(idleBytes).map(([transport, bytes]) =>
    bytes === null
      ? `${transport} skipped: too few open files are allowed`
      : `${(bytes / 1024).toFixed(1)} KiB each over ${transport}`,
  );
  return [`${count(idle)} idle connections: ${each.join(', ')}.`];
}

function loadTable(overload: OverloadFigures, capped: LoadFigures, uncapped: LoadFigures, capacity: number): string {
  const runs = [capped, uncapped];
  const row = (name: string, cell: (run: LoadFigures) => string): string =>
    `| ${name} | ${runs.map(cell).join(' | ')} |`;
  const us = (value: number | null | undefined): string => ms(value == null ? null : value / 1000);
  return [
    `Closed loop, 1 024 in flight: ${count(capacity)}/s carried. Mix: 87 % purchases, 7 % reversals, 3 % advices, 3 % repeats.`,
    '',
    `| | cap ${count(overload.cap)}/s | no cap, three times of what it carries |`,
    '|---|---:|---:|',
    row('offered per second', ({ offeredPerS }) => count(offeredPerS)),
    row('decided per second', ({ goodputPerS }) => count(goodputPerS)),
    row('of the steady traffic beside it', ({ during, loadSeconds }) => count(decided(during) / loadSeconds)),
    row('of the cap', (run) =>
      run === capped ? share((run.goodputPerS + decided(run.during) / run.loadSeconds) / overload.cap) : '',
    ),
    row('answered 91', ({ shed }) => count(shed)),
    row('not sent: every connection was full', ({ dropped }) => count(dropped)),
    row('without an answer within 5 s', ({ timeouts }) => count(timeouts)),
    row('decisions, p50', ({ latencyUs }) => us(latencyUs.p50)),
    row('decisions, p99', ({ latencyUs }) => us(latencyUs.p99)),
    row('decisions, max', ({ latencyUs }) => us(latencyUs.max)),
    row('answers 91, p99', ({ shedUs }) => us(shedUs.p99)),
    row('shed by cause', ({ server }) => counts(server.shed)),
    row('memory before, peak', ({ server }) => `${mib(server.rssBefore)}, ${mib(server.rssPeak)}`),
    row('log written', ({ server }) => `${count(server.logBytes)} bytes`),
    row('back to normal after', ({ backToNormalMs }) => normal(backToNormalMs)),
    row('money verified', ({ verified, verifyFailures }) => (verified ? 'yes' : `NO: ${verifyFailures[0]}`)),
  ].join('\n');
}

function steadyTable({ cases, steadyRate, hostileRate }: OverloadFigures): string {
  return [
    `Steady traffic of ${count(steadyRate)}/s over four connections, two of each transport, beside each hostile peer (whole messages at`,
    `${count(hostileRate)}/s). Milliseconds from the due time; p50 / p99 / max:`,
    '',
    '| hostile peer | before | during | after | 91 | lost | normal after |',
    '|---|---:|---:|---:|---:|---:|---:|',
    ...cases.map(({ name, transport, before, during, after, backToNormalMs }) => {
      const lost = before.unanswered + during.unanswered + after.unanswered;
      const cells = [before, during, after].map(latencies);
      return `| ${name}, ${transport} | ${cells.join(' | ')} | ${count(during.shed)} | ${count(lost)} | ${normal(backToNormalMs)} |`;
    }),
  ].join('\n');
}

function serverTable({ cases }: OverloadFigures): string {
  return [
    'What the hostile side did, and what the server took for it, over the three phases:',
    '',
    '| hostile peer | connections (ended by the server) | sent | answered | 91 | memory before, peak | CPU | log | errors |',
    '|---|---:|---:|---:|---:|---:|---:|---:|---|',
    ...cases.map(serverLine),
    '',
    ...Object.entries(caseTexts).map(([name, text]) => `- **${name}**: ${text}.`),
  ].join('\n');
}

function serverLine({ name, transport, hostile, server }: HostileFigures): string {
  const cells = [
    `${name}, ${transport}`,
    `${count(hostile.opened)} (${count(hostile.closed)})`,
    count(hostile.sent),
    count(hostile.answered),
    count(hostile.shed),
    `${mib(server.rssBefore)}, ${mib(server.rssPeak)}`,
    `${server.cpuSeconds.toFixed(1)} s`,
    `${count(server.logBytes / 1024)} KiB`,
    counts(server.errors),
  ];
  return `| ${cells.join(' | ')} |`;
}

function latencies({ p50, p99, max }: PhaseFigures): string {
  return [p50, p99, max].map((one) => (one === null ? '-' : one.toFixed(1))).join(' / ');
}

function counts(named: Readonly<Record<string, number>>): string {
  return Object.entries(named)
    .map(([name, value]) => `${name} ${count(value)}`)
    .join(', ');
}

function decided({ approved, other }: PhaseFigures): number {
  return approved + other;
}

function share(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}

function normal(value: number | null): string {
  return value === null ? 'not seen' : `${(value / 1000).toFixed(1)} s`;
}

function ms(value: number | null): string {
  return value === null ? '-' : `${value.toFixed(1)} ms`;
}

function mib(bytes: number): string {
  return `${count(bytes / 2 ** 20)} MiB`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
