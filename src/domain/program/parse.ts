/**
 * Reads the `tables` of a program. All or nothing: either every table is understood, and what is left out has its default,
 * or the caller gets every problem with its JSON pointer and nothing else.
 */
import {
  AMOUNT_MAX,
  CONTROL_LIST_MAX,
  HOLD_LIFE_DAYS_MAX,
  HOLD_LIFE_ROWS_MAX,
  PROGRAM_MCC_GROUPS_MAX,
} from '../../limits.js';
import { type ControlProblem, isObject, JsonReader, memberPointer } from '../controls/json-reader.js';
import {
  defaultMccGroups,
  MCC_GROUP_NAME,
  type MccCodes,
  type MccEntry,
  type MccGroups,
} from '../controls/mcc-groups.js';
import { readMcc } from '../controls/parse-lists.js';
import type { HoldLifeRow } from '../hold-life.js';
import { readCryptography } from './parse-cryptography.js';
import { ALL_DIALECTS, codeProblem, type Responses, reasonProblem } from './responses.js';
import {
  type CashFee,
  type ClearingTable,
  defaultProgramTables,
  type FuelTable,
  type InterestRates,
  type InterestTable,
  NO_MAXIMUM,
  NO_STATEMENTS,
  type ProgramTables,
  SPREAD,
  type StatementTable,
  tableNames,
} from './tables.js';

const HOLD_LIFE = ['name', 'days', 'mcc', 'functions', 'entry_modes', 'conditions', 'except_conditions'] as const;
const FUEL = ['mcc', 'status_check', 'amount', 'when_short', 'minimum'] as const;
const CLEARING = ['release_rest', 'markup_basis_points'] as const;
const FEES = ['cash', 'late', 'returned_payment'] as const;
const CASH_FEE = ['flat', 'basis_points', 'minimum', 'maximum'] as const;
const STATEMENT = ['day', 'due_days', 'minimum_basis_points', 'minimum_amount', 'monthly_fee'] as const;
/** A thousand percent a year. */
const INTEREST_BASIS_POINTS_MAX = 100_000;
const DUE_DAYS_MAX = 60;
/** Letters of DE48 tag 20. */
const FUNCTIONS = ['N', 'E', 'F', 'I', 'R'] as const;
/** Most major units that a pump asks as a status check. */
const STATUS_CHECK_MAX = 1000;
const PIN_TRIES_MAX = 15;
const ROW_NAME = /^[\x20-\x7e]{1,60}$/;
/** Two digits each: there are no more of them. */
const TWO_DIGITS_MAX = 100;

export interface TablesContext {
  /** Names of the dialects, by index. */
  readonly dialects: readonly string[];
  /** Response tables that the program has already: their mappings stay, whatever is asked of new ones. `all`: everything is recorded. */
  readonly recorded?: Responses | 'all';
}

export type ParsedTables =
  | { readonly ok: true; readonly tables: ProgramTables }
  | {
      readonly ok: false;
      readonly problems: readonly ControlProblem[];
      /** The category groups, unless something is wrong with them: what else names them can be checked all the same. */
      readonly mccGroups: MccGroups | undefined;
    };

type Members = Readonly<Record<string, unknown>>;

/** @param value parsed JSON: only the tables that differ from the defaults. */
export function parseTables(value: unknown, context: TablesContext): ParsedTables {
  const reader = new JsonReader();
  const tables = readTables(reader, value, context);
  const { problems } = reader;
  if (problems.length === 0) return { ok: true, tables };
  const hasGroups = problems.every(({ pointer }) => pointer !== '' && !pointer.startsWith('/mcc_groups'));
  return { ok: false, problems, mccGroups: hasGroups ? tables.mccGroups : undefined };
}

function readTables(reader: JsonReader, value: unknown, context: TablesContext): ProgramTables {
  const given: Members = reader.members(value, '', tableNames) ?? {};
  const standard = defaultProgramTables;
  const mccGroups = given.mcc_groups === undefined ? standard.mccGroups : readGroups(reader, given.mcc_groups);
  const read = <T>(name: (typeof tableNames)[number], otherwise: T, how: (value: unknown, pointer: string) => T): T =>
    given[name] === undefined ? otherwise : how(given[name], `/${name}`);
  return {
    holdLife: read('hold_life', standard.holdLife, (rows, at) => readHoldLife(reader, rows, at, mccGroups)),
    tolerance: read('tolerance', standard.tolerance, (rows, at) => readTolerance(reader, rows, at, mccGroups)),
    clearing: read('clearing', standard.clearing, (table, at) => readClearing(reader, table, at)),
    fuel: read('fuel', standard.fuel, (fuel, at) => readFuel(reader, fuel, at, mccGroups)),
    mccGroups,
    responses: read('responses', standard.responses, (table, at) => readResponses(reader, table, at, context)),
    forbidden: read('forbidden', standard.forbidden, (types, at) => readTwoDigits(reader, types, at)),
    partialApproval: read('partial_approval', standard.partialApproval, (flag, at) => readFlag(reader, flag, at)),
    pinTries: read('pin', standard.pinTries, (pin, at) => readPin(reader, pin, at)),
    cryptography: read('cryptography', standard.cryptography, (table, at) => readCryptography(reader, table, at)),
    ...read('fees', feesOf(standard), (fees, at) => readFees(reader, fees, at)),
    interest: read('interest', standard.interest, (rates, at) => readInterest(reader, rates, at)),
    statement: read('statement', standard.statement, (table, at) => readStatement(reader, table, at)),
  };
}

/** The built-in groups, and those of the program beside them or in their place. */
function readGroups(reader: JsonReader, value: unknown): MccGroups {
  const pointer = '/mcc_groups';
  const groups: Record<string, MccCodes> = { ...defaultMccGroups };
  for (const [name, entries] of namedMembers(reader, value, pointer)) {
    if (!MCC_GROUP_NAME.test(name)) {
      reader.fail(
        memberPointer(pointer, name),
        'a group has a name of 1 to 40 small letters, digits and "_", a letter first',
      );
      continue;
    }
    const at = `${pointer}/${name}`;
    groups[name] = readEntries(reader, entries, at, CONTROL_LIST_MAX, (entry, place) =>
      readCodes(reader, entry, place),
    );
  }
  if (Object.keys(groups).length > PROGRAM_MCC_GROUPS_MAX) {
    reader.fail(pointer, `more than ${PROGRAM_MCC_GROUPS_MAX} groups, the built-in ones included`);
  }
  return groups;
}

/** A code or a range: groups do not contain groups. */
function readCodes(reader: JsonReader, value: unknown, pointer: string): MccCodes[number] | undefined {
  if (typeof value === 'string' && MCC_GROUP_NAME.test(value))
    return reader.fail(pointer, 'a group holds no other groups');
  const entry = readMcc(reader, value, pointer, {});
  return typeof entry === 'string' ? undefined : entry;
}

function readHoldLife(reader: JsonReader, value: unknown, pointer: string, groups: MccGroups): HoldLifeRow[] {
  const rows = readEntries(reader, value, pointer, HOLD_LIFE_ROWS_MAX, (row, at) => readRow(reader, row, at, groups));
  const fitsAll = rows.findIndex((row) => Object.keys(row).length === 2);
  // A row with a problem may have lost its conditions by it.
  if (reader.problems.length > 0) return rows;
  if (fitsAll < 0) reader.fail(pointer, 'the last row must have no conditions, so that every message fits one');
  else if (fitsAll < rows.length - 1) {
    reader.fail(`${pointer}/${fitsAll}`, 'a row without conditions must be the last: no message comes behind it');
  }
  return rows;
}

function readRow(reader: JsonReader, value: unknown, pointer: string, groups: MccGroups): HoldLifeRow | undefined {
  const members = reader.members(value, pointer, HOLD_LIFE);
  if (members === undefined) return undefined;
  const { name, days, mcc, functions, entry_modes: modes, conditions, except_conditions: except } = members;
  const digits = (list: unknown, member: string): number[] => readTwoDigits(reader, list, `${pointer}/${member}`, true);
  if (typeof name !== 'string' || !ROW_NAME.test(name)) {
    reader.fail(`${pointer}/name`, 'must be 1 to 60 printable ASCII characters');
  }
  return {
    name: String(name),
    days: reader.integer(days, `${pointer}/days`, 1, HOLD_LIFE_DAYS_MAX) ?? 0,
    ...(mcc === undefined ? {} : { mcc: readMccList(reader, mcc, `${pointer}/mcc`, groups) }),
    ...(functions === undefined ? {} : { functions: readFunctions(reader, functions, `${pointer}/functions`) }),
    ...(modes === undefined ? {} : { entryModes: digits(modes, 'entry_modes') }),
    ...(conditions === undefined ? {} : { conditions: digits(conditions, 'conditions') }),
    ...(except === undefined ? {} : { exceptConditions: digits(except, 'except_conditions') }),
  };
}

function readFunctions(reader: JsonReader, value: unknown, pointer: string): string {
  const letters = readEntries(reader, value, pointer, FUNCTIONS.length, (letter, at) =>
    reader.oneOf(letter, at, FUNCTIONS),
  );
  notEmpty(reader, value, pointer);
  return letters.join('');
}

function readMccList(reader: JsonReader, value: unknown, pointer: string, groups: MccGroups): MccEntry[] {
  notEmpty(reader, value, pointer);
  return readEntries(reader, value, pointer, CONTROL_LIST_MAX, (entry, at) => readMcc(reader, entry, at, groups));
}

function readTolerance(reader: JsonReader, value: unknown, pointer: string, groups: MccGroups): Record<string, number> {
  const tolerance: Record<string, number> = {};
  for (const [name, percent] of namedMembers(reader, value, pointer)) {
    if (!Object.hasOwn(groups, name))
      reader.fail(memberPointer(pointer, name), 'there is no category group of this name');
    else tolerance[name] = reader.integer(percent, `${pointer}/${name}`, 0, 100) ?? 0;
  }
  return tolerance;
}

function readFuel(reader: JsonReader, value: unknown, pointer: string, groups: MccGroups): FuelTable {
  const standard = defaultProgramTables.fuel;
  const { mcc, status_check: check, amount, when_short: short, minimum } = reader.members(value, pointer, FUEL) ?? {};
  const integer = (member: unknown, name: string, least: number, most: number, otherwise: number): number =>
    member === undefined ? otherwise : (reader.integer(member, `${pointer}/${name}`, least, most) ?? otherwise);
  const granted = integer(amount, 'amount', 0, AMOUNT_MAX, standard.amount);
  const least = integer(minimum, 'minimum', 0, AMOUNT_MAX, standard.minimum);
  if (granted > 0 && least > granted) reader.fail(`${pointer}/minimum`, 'must not be above the amount');
  return {
    mcc: mcc === undefined ? standard.mcc : readMccList(reader, mcc, `${pointer}/mcc`, groups),
    statusCheck: integer(check, 'status_check', 1, STATUS_CHECK_MAX, standard.statusCheck),
    amount: granted,
    whenShort:
      short === undefined
        ? standard.whenShort
        : (reader.oneOf(short, `${pointer}/when_short`, ['decline', 'hold_available']) ?? standard.whenShort),
    minimum: least,
  };
}

function readResponses(
  reader: JsonReader,
  value: unknown,
  pointer: string,
  { dialects, recorded = {} }: TablesContext,
): Record<string, Record<string, string>> {
  const responses: Record<string, Record<string, string>> = {};
  const parts = [ALL_DIALECTS, ...dialects];
  for (const [part, codes] of namedMembers(reader, value, pointer)) {
    if (!parts.includes(part)) {
      reader.fail(memberPointer(pointer, part), `unknown part; known are ${parts.join(', ')}`);
      continue;
    }
    const table: Record<string, string> = {};
    for (const [reason, code] of namedMembers(reader, codes, `${pointer}/${part}`)) {
      const isRecorded = recorded === 'all' || recorded[part]?.[reason] === code;
      const wrong = reasonProblem(reason) ?? codeProblem(reason, code, isRecorded);
      if (wrong === undefined) table[reason] = code as string;
      else reader.fail(memberPointer(`${pointer}/${part}`, reason), wrong);
    }
    responses[part] = table;
  }
  return responses;
}

function readFlag(reader: JsonReader, value: unknown, pointer: string): boolean {
  if (typeof value !== 'boolean') reader.fail(pointer, 'must be true or false');
  return value === true;
}

function readPin(reader: JsonReader, value: unknown, pointer: string): number {
  const { pinTries } = defaultProgramTables;
  const { tries } = reader.members(value, pointer, ['tries']) ?? {};
  return tries === undefined ? pinTries : (reader.integer(tries, `${pointer}/tries`, 1, PIN_TRIES_MAX) ?? pinTries);
}

function readClearing(reader: JsonReader, value: unknown, pointer: string): ClearingTable {
  const { releaseRest, markupBasisPoints } = defaultProgramTables.clearing;
  const { release_rest: flag, markup_basis_points: points } = reader.members(value, pointer, CLEARING) ?? {};
  const at = `${pointer}/markup_basis_points`;
  return {
    releaseRest: flag === undefined ? releaseRest : readFlag(reader, flag, `${pointer}/release_rest`),
    markupBasisPoints:
      points === undefined ? markupBasisPoints : (reader.integer(points, at, 0, 10_000) ?? markupBasisPoints),
  };
}

type Fees = Pick<ProgramTables, 'cashFee' | 'lateFee' | 'returnedPaymentFee'>;
const feesOf = ({ cashFee, lateFee, returnedPaymentFee }: Fees): Fees => ({ cashFee, lateFee, returnedPaymentFee });

function readFees(reader: JsonReader, value: unknown, pointer: string): Fees {
  const { cash, late, returned_payment: returned } = reader.members(value, pointer, FEES) ?? {};
  const { cashFee, lateFee, returnedPaymentFee } = defaultProgramTables;
  const fee = (given: unknown, name: string, otherwise: number): number =>
    given === undefined ? otherwise : (reader.integer(given, `${pointer}/${name}`, 0, AMOUNT_MAX) ?? otherwise);
  return {
    cashFee: cash === undefined ? cashFee : readCashFee(reader, cash, `${pointer}/cash`),
    lateFee: fee(late, 'late', lateFee),
    returnedPaymentFee: fee(returned, 'returned_payment', returnedPaymentFee),
  };
}

function readCashFee(reader: JsonReader, value: unknown, at: string): CashFee {
  const { flat, basis_points: points, minimum, maximum } = reader.members(value, at, CASH_FEE) ?? {};
  const fee = {
    flat: flat === undefined ? 0 : (reader.integer(flat, `${at}/flat`, 0, AMOUNT_MAX) ?? 0),
    basisPoints: points === undefined ? 0 : (reader.integer(points, `${at}/basis_points`, 0, 10_000) ?? 0),
    minimum: minimum === undefined ? 0 : (reader.integer(minimum, `${at}/minimum`, 0, AMOUNT_MAX) ?? 0),
    maximum:
      maximum === undefined ? NO_MAXIMUM : (reader.integer(maximum, `${at}/maximum`, 0, AMOUNT_MAX) ?? NO_MAXIMUM),
  };
  if (fee.maximum < fee.flat) reader.fail(`${at}/maximum`, 'must not be below the flat part');
  if (fee.maximum < fee.minimum) reader.fail(`${at}/maximum`, 'must not be below the minimum');
  return fee;
}

function readInterest(reader: JsonReader, value: unknown, pointer: string): InterestTable {
  const standard = defaultProgramTables.interest;
  const { purchases, cash, fees, grace } = reader.members(value, pointer, ['purchases', 'cash', 'fees', 'grace']) ?? {};
  const rate = (given: unknown, name: keyof InterestRates): number =>
    given === undefined
      ? standard[name]
      : (reader.integer(given, `${pointer}/${name}`, 0, INTEREST_BASIS_POINTS_MAX) ?? standard[name]);
  return {
    ...{ purchases: rate(purchases, 'purchases'), cash: rate(cash, 'cash'), fees: rate(fees, 'fees') },
    grace: grace === undefined ? standard.grace : readFlag(reader, grace, `${pointer}/grace`),
  };
}

function readStatement(reader: JsonReader, value: unknown, pointer: string): StatementTable {
  const standard = defaultProgramTables.statement;
  const given = reader.members(value, pointer, STATEMENT) ?? {};
  const integer = (name: (typeof STATEMENT)[number], most: number, otherwise: number): number =>
    given[name] === undefined ? otherwise : (reader.integer(given[name], `${pointer}/${name}`, 0, most) ?? otherwise);
  return {
    day: given.day === undefined ? standard.day : readStatementDay(reader, given.day, `${pointer}/day`),
    dueDays: integer('due_days', DUE_DAYS_MAX, standard.dueDays),
    minimumBasisPoints: integer('minimum_basis_points', 10_000, standard.minimumBasisPoints),
    minimumAmount: integer('minimum_amount', AMOUNT_MAX, standard.minimumAmount),
    monthlyFee: integer('monthly_fee', AMOUNT_MAX, standard.monthlyFee),
  };
}

function readStatementDay(reader: JsonReader, value: unknown, pointer: string): number {
  if (value === 'none') return NO_STATEMENTS;
  if (value === 'spread') return SPREAD;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 28) return value;
  reader.fail(pointer, 'must be a day from 1 to 28, "spread" or "none"');
  return NO_STATEMENTS;
}

/** Members of an object whose names are data. */
function namedMembers(reader: JsonReader, value: unknown, pointer: string): [string, unknown][] {
  if (isObject(value)) return Object.entries(value);
  reader.fail(pointer, 'must be an object');
  return [];
}

function readEntries<T>(
  reader: JsonReader,
  value: unknown,
  pointer: string,
  most: number,
  read: (entry: unknown, pointer: string) => T | undefined,
): T[] {
  const found: T[] = [];
  for (const [i, one] of (reader.entries(value, pointer, most) ?? []).entries()) {
    const entry = read(one, `${pointer}/${i}`);
    if (entry !== undefined) found.push(entry);
  }
  return found;
}

/** Codes of two digits: `["07", "81"]`. */
function readTwoDigits(reader: JsonReader, value: unknown, pointer: string, some = false): number[] {
  if (some) notEmpty(reader, value, pointer);
  return readEntries(reader, value, pointer, TWO_DIGITS_MAX, (entry, at) =>
    typeof entry === 'string' && /^\d{2}$/.test(entry)
      ? Number(entry)
      : reader.fail(at, 'must be two digits in quotes'),
  );
}

function notEmpty(reader: JsonReader, value: unknown, pointer: string): void {
  if (Array.isArray(value) && value.length === 0) reader.fail(pointer, 'an empty list fits no message; leave it out');
}
