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
  const lost = Object.keys(groupsOf(before)).find((name) => !Object.hasOwn(made.tables.mccGroups, name));
  if (lost === undefined) return made.text;
  const detail = `must keep the group ${lost}, which controls may name; an empty list takes its codes away`;
  throw invalid([{ pointer: '/tables/mcc_groups', detail }]);
}

/** Category groups that controls of the program's cards and accounts may name. */
export function groupsOf(snapshot: string | undefined): MccGroups {
  return snapshot === undefined ? defaultMccGroups : snapshotParts(snapshot).tables.mccGroups;
}

/** A snapshot that this control plane made. */
export function snapshotParts(text: string): Snapshot {
  return readSnapshot(text, context);
}

function invalid(problems: readonly ControlProblem[]): ApiError {
  const errors = problems.map(({ pointer, detail }) => ({ pointer: maskDigits(pointer), detail: maskDigits(detail) }));
  return new ApiError(
    'validation_failed',
    errors.map(({ pointer, detail }) => `${pointer === '' ? 'body' : pointer}: ${detail}`).join('; '),
    { param: errors[0]?.pointer ?? '', errors },
  );
}
