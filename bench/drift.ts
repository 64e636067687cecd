/**
 * `npm run bench:check`: has the engine become slower than the committed baseline says? Ratios of one short run, so that a machine's
 * speed cancels out as far as it can, each with the drift that is no news. Nothing here decides about a change by time: CI prints it.
 */

/**
 * Each figure, which way is better, the relative difference from the baseline up to which it counts as equal, and whether it may be
 * held against one of another processor.
 */
export const CHECKED = {
  ours_per_echo: { title: 'closed loop, as a share of the bare echo', better: 'higher', tolerance: 0.25, anyCpu: true },
  ours_per_commit: {
    title: 'closed loop, as a share of the journal alone',
    better: 'higher',
    tolerance: 0.25,
    anyCpu: true,
  },
  engine_cpu_us: { title: 'CPU of the engine per authorization, us', better: 'lower', tolerance: 0.25, anyCpu: false },
  turn_cpu_us: { title: 'CPU of a shard per message, us', better: 'lower', tolerance: 0.2, anyCpu: false },
  turn_bytes: { title: 'bytes allocated in a shard per message', better: 'lower', tolerance: 0.4, anyCpu: true },
} as const satisfies Record<string, { title: string; better: 'higher' | 'lower'; tolerance: number; anyCpu: boolean }>;

export type CheckedName = keyof typeof CHECKED;
export type CheckFigures = Readonly<Record<CheckedName, number>>;

/** What makes figures of two machines worth comparing. */
export interface MachineShape {
  readonly cpu: string;
  readonly cores: number;
  /** Major version. */
  readonly node: number;
}

/** bench/baseline.json */
export interface Baseline {
  readonly schema_version: 1;
  readonly date: string;
  readonly commit: string;
  readonly machine: MachineShape;
  /** Of the last minute, before the run: above the number of cores the figures that take time say little. */
  readonly load_average: number;
  /** A figure may be missing: it is then shown and not judged. */
  readonly figures: Partial<CheckFigures>;
}

export interface Drift {
  readonly name: CheckedName;
  readonly before: number | undefined;
  readonly now: number;
  /** (now - before) / before; undefined without a baseline. */
  readonly change: number | undefined;
  readonly verdict: 'same' | 'better' | 'worse' | 'not compared';
}

export interface Comparison {
  readonly drifts: readonly Drift[];
  /** Why nothing, or not all, was compared; '' when all was. */
  readonly note: string;
}

export function compareFigures(baseline: Baseline | undefined, now: CheckFigures, machine: MachineShape): Comparison {
  const other = baseline === undefined ? '' : differenceOf(baseline.machine, machine);
  const otherCpu = other === '' && baseline !== undefined && baseline.machine.cpu !== machine.cpu;
  const drifts = (Object.keys(CHECKED) as CheckedName[]).map((name): Drift => {
    const isComparable = other === '' && (!otherCpu || CHECKED[name].anyCpu);
    const before = isComparable ? baseline?.figures[name] : undefined;
    if (before === undefined) return { name, before, now: now[name], change: undefined, verdict: 'not compared' };
    const change = (now[name] - before) / before;
    return { name, before, now: now[name], change, verdict: verdictOf(name, change) };
  });
  const missing = drifts.filter(({ name }) => baseline?.figures[name] === undefined).map(({ name }) => name);
  let note = '';
  if (baseline === undefined) note = 'there is no baseline: bench/baseline.json is missing';
  else if (other !== '') note = `the baseline is of another machine: ${other}`;
  else if (otherCpu)
    note = `the baseline is of another processor (${baseline.machine.cpu}): CPU times are not compared`;
  else if (missing.length > 0) note = `the baseline has no ${missing.join(', ')}`;
  return { drifts, note };
}

function verdictOf(name: CheckedName, change: number): Drift['verdict'] {
  const { better, tolerance } = CHECKED[name];
  if (Math.abs(change) <= tolerance) return 'same';
  return change > 0 === (better === 'higher') ? 'better' : 'worse';
}

function differenceOf(before: MachineShape, now: MachineShape): string {
  const words: string[] = [];
  if (before.cores !== now.cores) words.push(`${before.cores} cores, here ${now.cores}`);
  if (before.node !== now.node) words.push(`Node ${before.node}, here ${now.node}`);
  return words.join('; ');
}

/** A table, and what to do. @param load load average at the start of the run @param cores of the machine */
export function renderComparison({ drifts, note }: Comparison, load: number, cores: number): string {
  const lines = ['| figure | baseline | now | change | tolerance | |', '|---|---:|---:|---:|---:|---|'];
  for (const { name, before, now, change, verdict } of drifts) {
    const { title, tolerance } = CHECKED[name];
    const sign = change !== undefined && change > 0 ? '+' : '';
    const percent = change === undefined ? '' : `${sign}${(change * 100).toFixed(0)} %`;
    const was = before === undefined ? '' : shown(before);
    lines.push(`| ${title} | ${was} | ${shown(now)} | ${percent} | ${(tolerance * 100).toFixed(0)} % | ${verdict} |`);
  }
  const worse = drifts.filter(({ verdict }) => verdict === 'worse').length;
  const better = drifts.filter(({ verdict }) => verdict === 'better').length;
  const words = [lines.join('\n'), ''];
  if (note !== '') words.push(`${note}; take one on a machine that does nothing else: npm run bench:check -- --update`);
  if (load > cores) words.push(`load average ${load.toFixed(1)} on ${cores} cores: what takes time says little`);
  if (worse > 0) words.push(`drift: ${worse} of ${drifts.length} figures are worse than the baseline`);
  if (better > 0) words.push(`${better} are better: if that was meant, renew the baseline`);
  if (worse + better === 0 && note === '') words.push('no drift');
  return words.join('\n');
}

function shown(value: number): string {
  return value < 1 ? value.toFixed(3) : value < 100 ? value.toFixed(2) : value.toFixed(0);
}
