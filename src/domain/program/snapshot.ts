/**
 * The snapshot of a program: one JSON text per revision, which is all that a shard has of it. It holds the tables with their
 * defaults filled in, the default controls, and the rules that are evaluated, in their order.
 *
 *   {"format":1,"revision":4,"id":"gold","currency":"BRL","product":"credit","sandbox":false,
 *    "tables":{...},"controls":{...},"rules":[{"id":"rule_x","version":2,"state":"active","text":"..."}]}
 *
 * A snapshot is checked where it is made. Whoever reads one takes it for right: what does not fit is a broken invariant.
 */
import { assert } from '../../errors.js';
import { PROGRAM_SNAPSHOT_BYTES_MAX } from '../../limits.js';
import type { ControlProblem } from '../controls/json-reader.js';
import { parseControls } from '../controls/parse.js';
import { ControlLevel, type ControlsSpec } from '../controls/spec.js';
import { parseTables, type TablesContext } from './parse.js';
import { printTables } from './print.js';
import type { ProgramTables } from './tables.js';

const FORMAT = 1;
const encoder = new TextEncoder();

/** A rule as the shards evaluate it: drafts and retired rules are in no snapshot. */
export interface SnapshotRule {
  readonly id: string;
  readonly version: number;
  readonly state: 'active' | 'shadow';
  /** In the rules' language. */
  readonly text: string;
}

/** A program as somebody sets it. */
export interface ProgramSource {
  readonly id: string;
  /** ISO 4217 letters. */
  readonly currency: string;
  readonly product: string;
  readonly sandbox: boolean;
  /** Parsed JSON: tables that differ from the defaults. */
  readonly tables: unknown;
  /** Parsed JSON: default controls of its cards and accounts. */
  readonly controls: unknown;
  readonly rules: readonly SnapshotRule[];
}

export interface SnapshotContext extends TablesContext {
  /** True for a time zone of the IANA database. */
  knowsZone(zone: string): boolean;
}

export interface Snapshot {
  readonly revision: number;
  readonly tables: ProgramTables;
  readonly controls: ControlsSpec;
  readonly rules: readonly SnapshotRule[];
}

export type MadeSnapshot =
  | { readonly ok: true; readonly text: string; readonly tables: ProgramTables }
  /** Pointers into the program: `/tables/fuel/amount`, `/controls/velocity/0`. */
  | { readonly ok: false; readonly problems: readonly ControlProblem[] };

/** Checks a program and writes its snapshot. */
export function makeSnapshot(program: ProgramSource, revision: number, context: SnapshotContext): MadeSnapshot {
  const { id, currency, product, sandbox, controls, rules } = program;
  const parsed = parseTables(program.tables, context);
  const mccGroups = parsed.ok ? parsed.tables.mccGroups : parsed.mccGroups;
  const problems = parsed.ok ? [] : below('/tables', parsed.problems);
  // Without its groups nobody knows which the controls may name.
  const checked = mccGroups === undefined ? undefined : readControls(controls, { mccGroups }, context);
  if (checked?.ok === false) problems.push(...below('/controls', checked.problems));
  if (!parsed.ok || problems.length > 0) return { ok: false, problems };
  const { tables } = parsed;
  const text = JSON.stringify({
    format: FORMAT,
    revision,
    id,
    currency,
    product,
    sandbox,
    tables: printTables(tables),
    controls,
    rules,
  });
  const bytes = encoder.encode(text).length;
  if (bytes > PROGRAM_SNAPSHOT_BYTES_MAX) {
    const detail = `the program has ${bytes} bytes with its tables, controls and rules, at most ${PROGRAM_SNAPSHOT_BYTES_MAX}`;
    return { ok: false, problems: [{ pointer: '', detail }] };
  }
  return { ok: true, text, tables };
}

/** Reads the text of `makeSnapshot`. @throws HoldfastError `invariant_violated` */
export function readSnapshot(text: string, context: TablesContext): Snapshot {
  const value = JSON.parse(text) as Snapshot & { format: number };
  assert(value.format === FORMAT, `the snapshot of a program has format ${value.format}, which is of a newer release`);
  const { revision, rules } = value;
  // Older releases took response codes that are refused now.
  const parsed = parseTables(value.tables, { ...context, recorded: 'all' });
  assert(parsed.ok, 'the tables of a snapshot were checked before it was recorded');
  // Another ICU may know other zones; what was accepted once is accepted.
  const checked = readControls(value.controls, parsed.tables, { knowsZone: () => true });
  assert(checked.ok, 'the controls of a snapshot were checked before it was recorded');
  return { revision, tables: parsed.tables, controls: checked.controls, rules };
}

function readControls(
  controls: unknown,
  { mccGroups }: Pick<ProgramTables, 'mccGroups'>,
  { knowsZone }: Pick<SnapshotContext, 'knowsZone'>,
) {
  return parseControls(controls, { level: ControlLevel.program, groups: mccGroups, knowsZone });
}

function below(pointer: string, problems: readonly ControlProblem[]): ControlProblem[] {
  return problems.map((problem) => ({ pointer: pointer + problem.pointer, detail: problem.detail }));
}
