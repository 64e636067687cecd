/** Programs as the API and the file of programs give them: checked as a whole before anything is written. */
import type { ControlProblem } from '../domain/controls/json-reader.js';
import { defaultMccGroups, type MccGroups } from '../domain/controls/mcc-groups.js';
import {
  makeSnapshot,
  readSnapshot,
  type Snapshot,
  type SnapshotContext,
  type SnapshotRule,
} from '../domain/program/snapshot.js';
import { parseRule } from '../domain/rules/rule.js';
import { IntlZoneCalendar } from '../intl-zone-calendar.js';
import { dialectNames } from '../iso8583/dialects.js';
import { maskDigits } from '../pan-mask.js';
import { ApiError } from './problem.js';
import type { ProgramDefinition } from './system-log.js';

type JsonObject = Readonly<Record<string, unknown>>;

const calendar = new IntlZoneCalendar();
const context: SnapshotContext = { dialects: dialectNames, knowsZone: (zone) => calendar.knows(zone) };

/** A table that is named takes the place of the old one, whole; null takes it back to its default. `null`: all of them. */
export function mergedTables(tables: JsonObject, changes: JsonObject | null): Record<string, unknown> {
  if (changes === null) return {};
  return Object.fromEntries(Object.entries({ ...tables, ...changes }).filter(([, table]) => table !== null));
}

/**
 * Snapshot of a revision for the shards.
 * @param before snapshot of the revision before, if there is one @param rules in the order of their evaluation
 * @throws ApiError `validation_failed` with a JSON pointer for every problem
 */
export function snapshotOf(
  program: ProgramDefinition,
  revision: number,
  before?: string,
  rules: readonly SnapshotRule[] = [],
): string {
  const recorded = before === undefined ? {} : snapshotParts(before).tables.responses;
  const made = makeSnapshot({ ...program, rules }, revision, { ...context, recorded });
  if (!made.ok) throw invalid(made.problems);
  assertWindows(rules, before, made.text);
  const lost = Object.keys(groupsOf(before)).find((name) => !Object.hasOwn(made.tables.mccGroups, name));
  if (lost === undefined) return made.text;
  const detail = `must keep the group ${maskDigits(lost)}, which controls may name; an empty list takes its codes away`;
  throw invalid([{ pointer: '/tables/mcc_groups', detail }]);
}

/**
 * Two live programs cannot have a range of card numbers in common: whose a number is could not be told from it. Ranges that a program
 * has already stay, as do those of sandboxes, where any number goes.
 * @param before ranges of the revision before
 */
export function problemsOfBins(
  { id, bins, sandbox }: ProgramDefinition,
  others: readonly ProgramDefinition[],
  before: readonly string[] = [],
): readonly ControlProblem[] {
  if (sandbox) return [];
  const live = others.filter((other) => !other.sandbox && other.id !== id);
  return bins.flatMap((bin, i) => {
    if (before.includes(bin)) return [];
    const owner = live.find((other) => other.bins.some((one) => one.startsWith(bin) || bin.startsWith(one)));
    if (owner === undefined) return [];
    return [{ pointer: `/bins/${i}`, detail: `shares card numbers with program ${owner.id}, which is live as well` }];
  });
}

/** @throws ApiError `validation_failed` for ranges that another live program has */
export function assertBins(
  program: ProgramDefinition,
  others: readonly ProgramDefinition[],
  before?: readonly string[],
): void {
  const problems = problemsOfBins(program, others, before);
  if (problems.length > 0) throw invalid(problems);
}

/** What is wrong with tables and default controls, of whatever program; pointers as in one. */
export function problemsOfTables(tables: JsonObject, controls: JsonObject): readonly ControlProblem[] {
  const source = {
    id: '',
    currency: '',
    product: '',
    sandbox: false,
    tables: mergedTables({}, tables),
    controls,
    rules: [],
  };
  const made = makeSnapshot(source, 1, context);
  return made.ok ? [] : made.problems;
}

/** A rule whose window has gone would go on without ever being true, and nobody would know. */
function assertWindows(rules: readonly SnapshotRule[], before: string | undefined, after: string): void {
  if (before === undefined || rules.length === 0) return;
  const left = new Set(windowsOf(after));
  const dropped = windowsOf(before).filter((name) => !left.has(name));
  if (dropped.length === 0) return;
  for (const { id, state, text } of rules) {
    const parsed = parseRule(text);
    const name = parsed.ok ? dropped.find((one) => parsed.checked.windows.includes(one)) : undefined;
    if (name === undefined) continue;
    const detail = `must keep the window "${name}", which the ${state} rule ${id} counts by: change or retire the rule first`;
    throw invalid([{ pointer: '/controls/velocity', detail }]);
  }
}

/** Names that rules may use, of all windows of the default controls. */
export function windowsOf(snapshot: string): string[] {
  const { velocity = [], cash } = snapshotParts(snapshot).controls;
  return [...velocity, ...(cash?.velocity ?? [])].flatMap(({ name }) => name ?? []);
}

/** Category groups that controls of the program's cards and accounts may name. */
export function groupsOf(snapshot: string | undefined): MccGroups {
  return snapshot === undefined ? defaultMccGroups : snapshotParts(snapshot).tables.mccGroups;
}

/** A snapshot that this control plane made. */
export function snapshotParts(text: string): Snapshot {
  return readSnapshot(text, context);
}

/** A refusal with every problem. */
export function invalid(problems: readonly ControlProblem[]): ApiError {
  // A reason repeats nothing of what it refuses; its bounds have as many digits as a card number.
  const errors = problems.map(({ pointer, detail }) => ({ pointer: maskDigits(pointer), detail }));
  return new ApiError(
    'validation_failed',
    errors.map(({ pointer, detail }) => `${pointer === '' ? 'body' : pointer}: ${detail}`).join('; '),
    { param: errors[0]?.pointer ?? '', errors },
  );
}
