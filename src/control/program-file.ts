/**
 * The file of programs: what `serve --programs` brings to a start. The file says how a program is as a whole; one that
 * differs gets a next revision, one that does not exist is created, and one that the file does not name stays as it is.
 */
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { isObject } from '../domain/controls/json-reader.js';
import { HoldfastError } from '../errors.js';
import { PROGRAMS_MAX } from '../limits.js';
import { ApiError } from './problem.js';
import { mergedTables, problemsOfBins, problemsOfTables, snapshotOf } from './program-check.js';
import * as schemas from './schemas.js';
import type { ProgramDefinition, ProgramRecord } from './system-log.js';
import type { SystemState } from './system-state.js';

export interface ProgramFileProblem {
  /** Keys from the program on. */
  readonly path: readonly (string | number)[];
  readonly detail: string;
}

export type ReadProgram =
  | { readonly ok: true; readonly program: ProgramDefinition }
  | { readonly ok: false; readonly problems: readonly ProgramFileProblem[] };

/** A program of the API, its id given. */
export function programDefinition(body: z.output<typeof schemas.programCreate>, id: string): ProgramDefinition {
  return { ...body, id, name: body.name ?? id, tables: mergedTables({}, body.tables) };
}

/** Reads one entry of the file: the object that POST /v1/programs takes, with an id. */
export function readProgram(value: unknown): ReadProgram {
  const result = schemas.programCreate.safeParse(value);
  if (!result.success) return { ok: false, problems: [...issuesOf(result.error), ...tableProblems(value)] };
  const { id } = result.data;
  if (id === undefined)
    return { ok: false, problems: [{ path: ['id'], detail: 'is missing' }, ...tableProblems(value)] };
  const program = programDefinition(result.data, id);
  try {
    snapshotOf(program, 1);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { ok: false, problems: error.errors.map(atKeys) };
  }
  return { ok: true, program };
}

/** Ranges of card numbers that it has in common with programs before it in the file. */
export function rangeProblems(program: ProgramDefinition, others: readonly ProgramDefinition[]): ProgramFileProblem[] {
  return problemsOfBins(program, others).map(atKeys);
}

function issuesOf(error: z.ZodError): ProgramFileProblem[] {
  return error.issues.flatMap(({ code, path, message, ...issue }) =>
    code === 'unrecognized_keys'
      ? (issue as { keys: string[] }).keys.map((key) => ({ path: asKeys([...path, key]), detail: 'unknown property' }))
      : [{ path: asKeys(path), detail: message }],
  );
}

/** Of what else is wrong nothing is known here: the tables and the controls are looked at all the same. */
function tableProblems(value: unknown): ProgramFileProblem[] {
  const { tables = {}, controls = {} } = isObject(value) ? value : {};
  return isObject(tables) && isObject(controls) ? problemsOfTables(tables, controls).map(atKeys) : [];
}

const atKeys = ({ pointer, detail }: { pointer: string; detail: string }): ProgramFileProblem => ({
  path: keysOf(pointer),
  detail,
});

const asKeys = (path: readonly PropertyKey[]): (string | number)[] =>
  path.map((key) => (typeof key === 'number' ? key : String(key)));

/** Keys of a JSON pointer; the pointers of programs have no escaped characters. */
function keysOf(pointer: string): (string | number)[] {
  return pointer
    .split('/')
    .slice(1)
    .map((key) => (/^\d+$/.test(key) ? Number(key) : key));
}

/**
 * Writes what differs, when every program can become what the file says.
 * @throws HoldfastError `bad_input_file`
 */
export function applyPrograms(system: SystemState, programs: readonly ProgramDefinition[], nowMs: number): void {
  const differing = programs.filter((program) => !isDeepStrictEqual(system.program(program.id)?.program, program));
  for (const program of differing) {
    const known = system.program(program.id)?.program;
    if (known !== undefined) assertFixed(known, program);
    assertRanges(system, program, programs);
    recordOf(system, program, nowMs);
  }
  const added = differing.filter(({ id }) => system.program(id) === undefined);
  if (added.length > 0 && system.programs.length + added.length > PROGRAMS_MAX)
    throw refused(added[0]!.id, `there may be ${PROGRAMS_MAX} programs`);
  for (const program of differing) system.write([recordOf(system, program, nowMs)]);
}

function assertFixed(known: ProgramDefinition, { id, currency, sandbox }: ProgramDefinition): void {
  if (known.currency !== currency) throw refused(id, `/currency: is fixed, and was ${known.currency}`);
  if (known.sandbox !== sandbox) throw refused(id, `/sandbox: is fixed, and was ${known.sandbox}`);
}

/** Against programs that the file does not name: with each other its own were compared when it was read. */
function assertRanges(system: SystemState, program: ProgramDefinition, file: readonly ProgramDefinition[]): void {
  const others = system.programs.map((row) => row.program).filter(({ id }) => !file.some((one) => one.id === id));
  const [problem] = problemsOfBins(program, others, system.program(program.id)?.program.bins);
  if (problem !== undefined) throw refused(program.id, `${problem.pointer}: ${problem.detail}`);
}

function recordOf(system: SystemState, program: ProgramDefinition, nowMs: number): ProgramRecord {
  try {
    return system.programRecord(program, nowMs);
  } catch (error) {
    if (error instanceof ApiError) throw refused(program.id, error.message);
    throw error;
  }
}

function refused(id: string, what: string): HoldfastError {
  return new HoldfastError(
    'bad_input_file',
    `the file of programs, program ${id}: ${what}`,
    'change the file, or start without --programs',
  );
}
