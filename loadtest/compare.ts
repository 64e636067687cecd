/**
 * `loadtest compare before.json after.json`: what became of each figure, and which conditions were not the same. Two runs are compared
 * as they are told: a difference says something only when the conditions agree, and more than one pair of runs shows it.
 */
import { readFileSync } from 'node:fs';
import type { LatencySummary, LoadtestResult } from './result.js';
import { FlagError } from './units.js';

interface ComparedFigure {
  readonly figure: string;
  readonly before: number | null;
  readonly after: number | null;
  /** after / before; null when one of them is unknown or the first is 0. */
  readonly ratio: number | null;
}

interface Comparison {
  readonly figures: readonly ComparedFigure[];
  /** Conditions that differ: `name: before, after`. */
  readonly different: readonly string[];
  /** Why a run proves nothing: it failed, dropped, or was interrupted. */
  readonly doubts: readonly string[];
}

const help = `usage: holdfast loadtest compare <before.json> <after.json> [--json]

Compares two results of --json: each figure with its ratio after / before, conditions that differ, runs that prove nothing.
`;

/** What the command prints. @throws FlagError for anything but two readable results of schema 1 */
export function compareCommand(args: readonly string[]): string {
  const json = args.includes('--json');
  const files = args.filter((word) => word !== '--json');
  if (files.includes('--help') || files.includes('-h')) return help;
  const flag = files.find((word) => word.startsWith('-'));
  if (flag !== undefined) throw new FlagError(`compare knows no ${flag}`);
  const [before, after, ...rest] = files;
  if (before === undefined || after === undefined || rest.length > 0)
    throw new FlagError('compare takes two files: holdfast loadtest compare <before.json> <after.json>');
  const comparison = compareResults(readResult(before), readResult(after));
  return json ? `${JSON.stringify(comparison)}\n` : compareText(comparison);
}

function readResult(file: string): LoadtestResult {
  let result: Partial<LoadtestResult> | null;
  try {
    result = JSON.parse(readFileSync(file, 'utf8')) as Partial<LoadtestResult> | null;
  } catch (error) {
    throw new FlagError(`${file}: ${(error as Error).message}`);
  }
  if (result?.schema_version !== 1 || result.latency_us === undefined || result.env === undefined)
    throw new FlagError(`${file} is no result of the load test (--json, schema_version 1)`);
  return result as LoadtestResult;
}

const percentiles = ['p50', 'p90', 'p99', 'p999', 'max', 'mean'] as const satisfies readonly (keyof LatencySummary)[];

function compareResults(before: LoadtestResult, after: LoadtestResult): Comparison {
  const figures: ComparedFigure[] = [];
  const add = (figure: string, pick: (result: LoadtestResult) => number | null | undefined): void => {
    const [one, other] = [pick(before) ?? null, pick(after) ?? null];
    if (one === null && other === null) return;
    const ratio = one === null || other === null || one === 0 ? null : Math.round((other / one) * 1000) / 1000;
    figures.push({ figure, before: one, after: other, ratio });
  };
  for (const name of ['offered_per_s', 'achieved_per_s', 'dropped', 'errors', 'timeouts', 'shed'] as const)
    add(name, (result) => result[name]);
  add('find_max.best_per_s', (result) => result.find_max?.best_per_s);
  for (const block of ['latency_us', 'service_us'] as const)
    for (const name of percentiles) add(`${block}.${name}`, (result) => result[block][name]);
  for (const name of ['utilization', 'cpu_cores', 'send_lag_p99_us'] as const)
    add(`client.${name}`, (result) => result.client[name]);
  add('server_cpu_us', (result) => result.server_cpu_us);
  const stages = new Set([before, after].flatMap((result) => Object.keys(result.server_stages_us)));
  for (const stage of stages)
    for (const name of ['mean', 'p50', 'p99'] as const)
      add(`server_stages_us.${stage}.${name}`, (result) => result.server_stages_us[stage]?.[name]);
  return {
    figures,
    different: differences(before, after),
    doubts: [...doubts('before', before), ...doubts('after', after)],
  };
}

/** What must be the same for the figures to mean the same. The revision may differ: that is what is compared. */
function differences(before: LoadtestResult, after: LoadtestResult): string[] {
  const conditions = (result: LoadtestResult): Record<string, unknown> => ({
    transport: result.target.split('://')[0],
    mode: result.mode,
    arrival: result.arrival,
    duration_s: result.duration_s,
    warmup_s: result.warmup_s,
    connections: result.connections,
    workers: result.workers,
    accounts: result.accounts,
    distribution: result.distribution,
    mix: result.mix,
    dialect: result.dialect,
    framing: result.framing,
    node: result.env.node,
    cpu: result.env.cpu,
    cores: result.env.cores,
    same_host: result.env.same_host,
  });
  const [one, other] = [conditions(before), conditions(after)];
  return Object.keys(one).flatMap((name) => {
    const [left, right] = [JSON.stringify(one[name]), JSON.stringify(other[name])];
    return left === right ? [] : [`${name}: ${left}, ${right}`];
  });
}

function doubts(which: string, result: LoadtestResult): string[] {
  const found: string[] = [];
  if (result.interrupted) found.push(`${which}: interrupted`);
  if (result.errors > 0) found.push(`${which}: ${result.errors} errors`);
  if (result.dropped > 0) found.push(`${which}: ${result.dropped} messages dropped by the client`);
  if (result.verify.ok === false) found.push(`${which}: the verification failed, its figures are void`);
  if (result.verify.ok === null) found.push(`${which}: the money was not verified`);
  if (result.env.git_dirty === true) found.push(`${which}: changes that no commit holds`);
  return found;
}

function compareText({ figures, different, doubts: found }: Comparison): string {
  const cell = (value: number | null): string => (value === null ? '-' : String(value)).padStart(14);
  const lines = [
    `${'figure'.padEnd(30)}${['before', 'after', 'ratio'].map((head) => head.padStart(14)).join('')}`,
    ...figures.map(
      ({ figure, before, after, ratio }) =>
        `${figure.padEnd(30)}${cell(before)}${cell(after)}${(ratio === null ? '-' : ratio.toFixed(3)).padStart(14)}`,
    ),
    '',
    ...different.map((text) => `not the same: ${text}`),
    ...found.map((text) => `doubt: ${text}`),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}
