/** What a soak says: slopes with their bounds and verdicts, as JSON and as a table. */

import { type Bound, fitSlope, judge, type Sample, type Slope, type Verdict } from './fit.js';
import type { SoakOptions } from './options.js';
import type { Look } from './program.js';

const MIB = 2 ** 20;

/** Files that the engine keeps open of each folder of the journal: its data, its lock, and the data once more for the meta pages. */
const FILES_PER_FOLDER = 3;

/** A leak of a kilobyte per message would be 700 MiB an hour at 200 messages per second. */
const bounds = {
  files: { perHour: 2, warmUp: 8 },
  heap: { perHour: 4 * MIB, warmUp: 8 * MIB },
  external: { perHour: 16 * MIB, warmUp: 16 * MIB },
} as const satisfies Record<string, Bound>;

/**
 * The fingerprint filters and the tables of keys grow with what they hold: 200 messages/s are some MiB an hour. A start leaves to be
 * filled: 8 MiB of the newest records per shard, 20 MiB of rings, and up to 3.5 MiB of lists that LMDB keeps per environment, of which
 * there are ten folders of the journal and more; the rest is compiled code.
 */
const ownMemoryBound = (shards: number): Bound => ({ perHour: 32 * MIB, warmUp: (80 + 8 * shards) * MIB });

export interface Taken extends Look {
  readonly life: number;
  readonly hours: number;
}

export interface Row extends Slope {
  readonly name: string;
  readonly unit: string;
  /** The largest slope per hour that is no growth; null: only told. */
  readonly bound: number | null;
  readonly verdict: Verdict | 'told';
}

/** `open`: nothing failed, and not everything that could grow was shown not to. */
export type SoakVerdict = 'pass' | 'open' | 'fail';

export function verdictOf(defects: readonly string[], rows: readonly Row[]): SoakVerdict {
  if (defects.length > 0) return 'fail';
  return rows.every(({ verdict }) => verdict === 'within' || verdict === 'told') ? 'pass' : 'open';
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
  readonly gone_folders_max: number;
  /** Of the reconciliation that found most. */
  readonly breaks_max: number;
  readonly rows: readonly Row[];
  readonly verify: { readonly part: string; readonly whole: string };
  readonly defects: readonly string[];
  readonly verdict: SoakVerdict;
  readonly environment: { readonly node: string; readonly cpus: number };
}

/** Slopes of everything that was looked at. @param shards logical shards of the server */
export function rowsOf(taken: readonly Taken[], shards: number): Row[] {
  const of = (name: string, unit: string, bound: Bound | null, value: (look: Taken) => number | undefined): Row => {
    const samples = taken.flatMap((look): Sample[] => {
      const one = value(look);
      return one === undefined ? [] : [{ life: look.life, hours: look.hours, value: one }];
    });
    const slope = fitSlope(samples);
    if (bound === null) return { name, unit, ...slope, bound, verdict: 'told' };
    return { name, unit, ...slope, bound: bound.perHour, verdict: judge(slope, bound) };
  };
  const threads = [...new Set(taken.flatMap(({ memory }) => Object.keys(memory)))].sort();
  const folders = [...new Set(taken.flatMap(({ diskBytes }) => Object.keys(diskBytes)))].sort();
  return [
    of('own memory of the process', 'MiB', ownMemoryBound(shards), ({ anonBytes }) => anonBytes),
    of('resident, mapped files too', 'MiB', null, ({ residentBytes }) => residentBytes),
    of(
      'open files: journal, beyond its folders',
      '',
      bounds.files,
      ({ files, journalFolders }) => files.journal - journalFolders * FILES_PER_FOLDER,
    ),
    ...(['data', 'sockets', 'others'] as const).map((kind) =>
      of(`open files: ${kind}`, '', bounds.files, ({ files }) => files[kind]),
    ),
    of('dropped folders still open', '', bounds.files, ({ goneFolders }) => goneFolders),
    of('folders of the journal', '', null, ({ journalFolders }) => journalFolders),
    ...threads.map((name) =>
      of(name, 'MiB', name.endsWith(' heap') ? bounds.heap : bounds.external, ({ memory }) => memory[name]),
    ),
    ...folders.map((name) => of(`${name} on the disk`, 'MiB', null, ({ diskBytes }) => diskBytes[name])),
  ];
}

const shown = (value: number, unit: string): string => {
  if (!Number.isFinite(value)) return '?';
  return unit === 'MiB' ? (value / MIB).toFixed(1) : value.toFixed(1);
};

/** The table of the page, and of the terminal. */
export function tableOf(result: SoakResult): string {
  const { rows, starts, p99_us: p99 } = result;
  const messagesPerHour = result.messages / result.hours;
  const head =
    '| what | first | last | max | slope per hour | bound per hour | bytes per message | verdict |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |';
  const lines = rows.map(({ name, unit, first, last, max, perHour, error, bound, verdict }) => {
    const slope = `${shown(perHour, unit)} ± ${shown(2 * error, unit)}`;
    const cells = [shown(first, unit), shown(last, unit), shown(max, unit), slope];
    const most = bound === null ? '' : shown(bound, unit);
    const each = unit === 'MiB' ? Math.round(perHour / messagesPerHour) : '';
    return `| ${name}${unit === '' ? '' : `, ${unit}`} | ${cells.join(' | ')} | ${most} | ${each} | ${verdict} |`;
  });
  const told = [
    `${result.hours.toFixed(2)} hours, ${result.simulated_days} simulated days, ${result.messages} messages at ${result.options.rate} per second, ${result.errors} errors; Node ${result.environment.node}, ${result.environment.cpus} cores.`,
    `${starts.stopped} stops and ${starts.killed} kills; ${result.posted} clearing records posted, ${result.reconciliations} reconciliations with at most ${result.breaks_max} breaks; ${result.drops} drops of ${result.folders_dropped} folders; at most ${result.gone_folders_max} dropped folders still open.`,
    `p99 of a day's answers: first ${(p99.first / 1000).toFixed(1)} ms, last ${(p99.last / 1000).toFixed(1)} ms, largest ${(p99.max / 1000).toFixed(1)} ms; slope ${(p99.perHour / 1000).toFixed(1)} ± ${((2 * p99.error) / 1000).toFixed(1)} ms per hour.`,
    `Verify behind the anchor: \`${result.verify.part}\`; with the exports: \`${result.verify.whole}\`.`,
    `Verdict: **${result.verdict}**${result.defects.length === 0 ? '' : ` (${result.defects.join('; ')})`}.`,
  ];
  return [...told, '', head, ...lines].join('\n').replace(/\n\n/, '\n\n');
}
