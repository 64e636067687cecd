/** What a failing seed is told by, and the file of a whole run. */
import type { RunResult } from './run.js';
import type { WorldStats } from './world.js';

/** The command that does exactly this again. @param flags of the run, such as `--calm` */
export function commandOf(result: RunResult, seconds: number, flags: readonly string[]): string {
  const keep = result.stepsKept === undefined ? '' : ` --keep ${ranges(result.steps)}`;
  return `npm run sim -- --seed ${result.seed} --seconds ${seconds}${flags.map((flag) => ` ${flag}`).join('')}${keep}`;
}

export function failureText(result: RunResult, seconds: number, stepsBefore: number, flags: readonly string[]): string {
  const { failure, seed, stats, names, lastLines, steps } = result;
  if (failure === undefined) throw new TypeError('nothing failed');
  return [
    `seed ${seed} fails: ${failure.message}`,
    `evidence: ${JSON.stringify(failure.evidence, null, 1).slice(0, 6000)}`,
    ...(failure.isAudit ? [] : [failure.stack]),
    `faults of the seed: ${result.faults.join(', ') || 'none'}`,
    `faults that happened: ${JSON.stringify(stats.faults)}`,
    `shortest plan found: ${steps.length} of ${stepsBefore} steps: ${names.join(', ')}`.slice(0, 3000),
    'the last of the trace:',
    ...lastLines.map((line) => `  ${line}`.slice(0, 400)),
    `again: ${commandOf(result, seconds, flags)}`,
  ].join('\n');
}

/** 1-4,7,9-12 */
export function ranges(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < numbers.length; ) {
    let end = i;
    while (numbers[end + 1] === numbers[end]! + 1) end++;
    parts.push(end === i ? `${numbers[i]}` : `${numbers[i]}-${numbers[end]}`);
    i = end + 1;
  }
  return parts.join(',');
}

/** @throws RangeError for a text that is no list of numbers and ranges */
export function parseRanges(text: string): Set<number> {
  const numbers = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match === null) throw new RangeError(`"${part}" is no number and no range`);
    for (let n = Number(match[1]); n <= Number(match[2] ?? match[1]); n++) numbers.add(n);
  }
  return numbers;
}

/** Sums over the seeds of a run. */
export class Totals {
  seeds = 0;
  failures = 0;
  realSeconds = 0;
  cpuSeconds = 0;
  readonly sums: Omit<WorldStats, 'faults'> = {
    ...{ simulatedSeconds: 0, skippedSeconds: 0, messages: 0, replies: 0, commands: 0, records: 0, crashes: 0 },
    ...{ restarts: 0, checks: 0 },
  };
  readonly faults: Record<string, number> = {};

  add({ stats, realSeconds, cpuSeconds, failure }: RunResult): void {
    this.seeds++;
    this.realSeconds += realSeconds;
    this.cpuSeconds += cpuSeconds;
    if (failure !== undefined) this.failures++;
    const { faults, ...numbers } = stats;
    for (const key of Object.keys(numbers) as (keyof typeof numbers)[]) this.sums[key] += numbers[key];
    for (const [fault, count] of Object.entries(faults)) this.faults[fault] = (this.faults[fault] ?? 0) + count;
  }

  /** Simulated seconds, without those that were skipped in one jump, per second of the processor. */
  get speed(): number {
    return Math.round((this.sums.simulatedSeconds - this.sums.skippedSeconds) / Math.max(this.cpuSeconds, 0.001));
  }

  get json(): object {
    const round = (seconds: number): number => Math.round(seconds * 10) / 10;
    return {
      seeds: this.seeds,
      failures: this.failures,
      ...{ ...this.sums, realSeconds: round(this.realSeconds), processorSeconds: round(this.cpuSeconds) },
      simulatedPerProcessorSecond: this.speed,
      faults: Object.fromEntries(Object.entries(this.faults).sort(([a], [b]) => (a < b ? -1 : 1))),
    };
  }

  get line(): string {
    const { simulatedSeconds, messages, records, crashes, checks } = this.sums;
    const faults = Object.values(this.faults).reduce((sum, count) => sum + count, 0);
    return (
      `${this.seeds} seeds, ${this.failures} failed: ${simulatedSeconds} simulated seconds, ${messages} messages, ` +
      `${records} records, ${faults} faults, ${crashes} ends of a process, ${checks} checks of all balances; ` +
      `${this.speed} simulated seconds per processor second`
    );
  }
}
