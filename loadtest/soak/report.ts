/** What a soak says: slopes with their bounds and verdicts, as JSON and as a table. */

import { fitSlope, judge, type Sample, type Slope, type Verdict } from './fit.js';
import type { SoakOptions } from './options.js';
import type { Look } from './program.js';

const MIB = 2 ** 20;

/** Largest slopes per hour that are no growth. A leak of a kilobyte per message would be 700 MiB an hour at 200 messages per second. */
const bounds = {
  /** The fingerprint filters and the tables of keys grow with what they hold: 200 messages/s are some MiB an hour. */
  'own memory': 32 * MIB,
  files: 2,
  heap: 4 * MIB,
  external: 16 * MIB,
} as const;

export interface Taken extends Look {
  readonly life: number;
  readonly hours: number;
}

export interface Row extends Slope {
  readonly name: string;
  readonly unit: string;
  /** Per hour; null: only told. */
  readonly bound: number | null;
  readonly verdict: Verdict | 'told';
}

export interface SoakResult {
  readonly schema_version: 1;
  readonly options: SoakOptions;
  readonly started_at: string;
  readonly hours: number;
  readonly simulated_days: number;
  readonly starts: { readonly stopped: number; readonly killed: number };
  readonly messages: number;
  readonly errors: number;
  readonly posted: number;
  readonly reconciliations: number;
  readonly drops: number;
  readonly folders_dropped: number;
  readonly p99_us: Slope;
  readonly gone_files_max: number;
  readonly rows: readonly Row[];
  readonly verify: { readonly part: string; readonly whole: string };
  readonly defects: readonly string[];
  readonly verdict: 'pass' | 'fail';
  readonly environment: { readonly node: string; readonly cpus: number };
}

/** Slopes of everything that was looked at. */
export function rowsOf(taken: readonly Taken[]): Row[] {
  const of = (name: string, unit: string, bound: number | null, value: (look: Taken) => number | undefined): Row => {
    const samples = taken.flatMap((look): Sample[] => {
      const one = value(look);
      return one === undefined ? [] : [{ life: look.life, hours: look.hours, value: one }];
    });
    const slope = fitSlope(samples);
    return { name, unit, ...slope, bound, verdict: bound === null ? 'told' : judge(slope, bound) };
  };
  const threads = [...new Set(taken.flatMap(({ memory }) => Object.keys(memory)))].sort();
  return [
    of('own memory of the process', 'MiB', bounds['own memory'], ({ anonBytes }) => anonBytes),
    of('resident, mapped files too', 'MiB', null, ({ residentBytes }) => residentBytes),
    of('open files', '', bounds.files, ({ files }) => files),
    ...threads.map((name) =>
      of(name, 'MiB', name.endsWith(' heap') ? bounds.heap : bounds.external, ({ memory }) => memory[name]),
    ),
    of('journal on the disk', 'MiB', null, ({ journalBytes }) => journalBytes),
    of('data directory on the disk', 'MiB', null, ({ directoryBytes }) => directoryBytes),
  ];
}

const shown = (value: number, unit: string): string => {
  if (!Number.isFinite(value)) return '?';
  return unit === 'MiB' ? (value / MIB).toFixed(1) : value.toFixed(1);
};

/** The table of the page, and of the terminal. */
export function tableOf(result: SoakResult): string {
  const { rows, starts, p99_us: p99 } = result;
  const head =
    '| what | first | last | max | slope per hour | bound per hour | verdict |\n| --- | ---: | ---: | ---: | ---: | ---: | --- |';
  const lines = rows.map(({ name, unit, first, last, max, perHour, error, bound, verdict }) => {
    const slope = `${shown(perHour, unit)} ± ${shown(2 * error, unit)}`;
    const cells = [shown(first, unit), shown(last, unit), shown(max, unit), slope];
    return `| ${name}${unit === '' ? '' : `, ${unit}`} | ${cells.join(' | ')} | ${bound === null ? '' : shown(bound, unit)} | ${verdict} |`;
  });
  const told = [
    `${result.hours.toFixed(2)} hours, ${result.simulated_days} simulated days, ${result.messages} messages at ${result.options.rate} per second, ${result.errors} errors; Node ${result.environment.node}, ${result.environment.cpus} cores.`,
    `${starts.stopped} stops and ${starts.killed} kills; ${result.posted} clearing records posted, ${result.reconciliations} reconciliations; ${result.drops} drops of ${result.folders_dropped} folders; at most ${result.gone_files_max} dropped folders still mapped.`,
    `p99 of a day's answers: first ${(p99.first / 1000).toFixed(1)} ms, last ${(p99.last / 1000).toFixed(1)} ms, largest ${(p99.max / 1000).toFixed(1)} ms.`,
    `Verify behind the anchor: \`${result.verify.part}\`; with the exports: \`${result.verify.whole}\`.`,
    `Verdict: **${result.verdict}**${result.defects.length === 0 ? '' : ` (${result.defects.join('; ')})`}.`,
  ];
  return [...told, '', head, ...lines].join('\n').replace(/\n\n/, '\n\n');
}
