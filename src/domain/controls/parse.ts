/**
 * Reads a `controls` object of a program, an account or a card. All or nothing: either the whole object is understood, or
 * the caller gets every problem with its JSON pointer and nothing else.
 */
import {
  AMOUNT_MAX,
  CONTROL_CASH_WINDOWS_MAX,
  CONTROL_WINDOWS_MAX,
  CREDIT_LIMIT_MAX,
  RULE_WINDOW_NAME_MAX,
} from '../../limits.js';
import { TRAILING_SECONDS_MAX, TRAILING_SECONDS_MIN, WindowUnit } from '../velocity/windows.js';
import { type ControlProblem, JsonReader } from './json-reader.js';
import type { MccGroups } from './mcc-groups.js';
import { type ListReaders, listReaders, readList, readSelectors } from './parse-lists.js';
import { type CashSpec, ControlLevel, type ControlsSpec, counterKey, type WindowSpec } from './spec.js';

/** Largest count of a window: far above what any card does, and a bucket's count stays small. */
const COUNT_MAX = 1_000_000;

const CONTROLS = ['mcc', 'countries', 'merchants', 'channels', 'per_transaction', 'cash', 'velocity'] as const;
const CASH = ['per_transaction', 'velocity'] as const;
const SELECTORS = ['mcc', 'countries', 'merchants', 'channels'] as const;
const WINDOW = [
  'window',
  'seconds',
  'zone',
  'starts_on',
  'amount',
  'count',
  'counts',
  'per',
  'name',
  ...SELECTORS,
] as const;
const UNITS = ['day', 'week', 'month', 'year', 'lifetime', 'trailing'] as const;
const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;
/** Days of a month in a leap year: 29 February may be a start day. */
const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;
const FIRST_OF_YEAR = 1 * 32 + 1;

export interface ControlsContext {
  readonly level: ControlLevel;
  /** Category groups of the program. */
  readonly groups: MccGroups;
  /** True for a time zone of the IANA database (`WindowClock.knows`). */
  knowsZone(zone: string): boolean;
}

export type ParsedControls =
  | { readonly ok: true; readonly controls: ControlsSpec }
  | { readonly ok: false; readonly problems: readonly ControlProblem[] };

/** @param value parsed JSON. */
export function parseControls(value: unknown, context: ControlsContext): ParsedControls {
  const reader = new JsonReader();
  const controls = readControls(reader, value, context);
  return reader.problems.length === 0 ? { ok: true, controls } : { ok: false, problems: reader.problems };
}

function readControls(reader: JsonReader, value: unknown, context: ControlsContext): ControlsSpec {
  const members = reader.members(value, '', CONTROLS) ?? {};
  const readers = listReaders(context.groups);
  const { mcc, countries, merchants, channels, per_transaction: most, cash, velocity } = members;
  const controls: ControlsSpec = {
    ...(mcc === undefined ? {} : { mcc: readList(reader, mcc, '/mcc', readers.mcc) }),
    ...(countries === undefined ? {} : { countries: readList(reader, countries, '/countries', readers.countries) }),
    ...(merchants === undefined ? {} : { merchants: readList(reader, merchants, '/merchants', readers.merchants) }),
    ...(channels === undefined
      ? {}
      : { channels: readList(reader, channels, '/channels', readers.channels, ['deny']) }),
    ...(most === undefined ? {} : { perTransaction: readLimit(reader, most, '/per_transaction') }),
    ...(cash === undefined ? {} : { cash: readCash(reader, cash, context, readers) }),
    ...(velocity === undefined
      ? {}
      : { velocity: readWindows(reader, velocity, '/velocity', context, readers, false) }),
  };
  if (reader.problems.length === 0) checkNames(reader, controls);
  return controls;
}

/** A rule that reads a window by its name must find one. */
function checkNames(reader: JsonReader, { velocity, cash }: ControlsSpec): void {
  const names = new Set<string>();
  for (const [list, windows] of [
    ['/velocity', velocity],
    ['/cash/velocity', cash?.velocity],
  ] as const) {
    for (const [i, { name }] of (windows ?? []).entries()) {
      if (name === undefined) continue;
      if (names.has(name)) reader.fail(`${list}/${i}/name`, 'another window has this name');
      names.add(name);
    }
  }
}

/** A limit per transaction; null for none, written as null or, where null takes away (a patch), as "none". */
function readLimit(reader: JsonReader, value: unknown, pointer: string): number | null {
  return value === null || value === 'none' ? null : (reader.integer(value, pointer, 1, AMOUNT_MAX) ?? null);
}

function readCash(reader: JsonReader, value: unknown, context: ControlsContext, readers: ListReaders): CashSpec {
  const { per_transaction: most, velocity } = reader.members(value, '/cash', CASH) ?? {};
  const limit = most === undefined ? undefined : reader.integer(most, '/cash/per_transaction', 1, AMOUNT_MAX);
  const windows = velocity === undefined ? [] : readWindows(reader, velocity, '/cash/velocity', context, readers, true);
  return { ...(limit === undefined ? {} : { perTransaction: limit }), velocity: windows };
}

function readWindows(
  reader: JsonReader,
  value: unknown,
  pointer: string,
  context: ControlsContext,
  readers: ListReaders,
  cash: boolean,
): WindowSpec[] {
  const entries = reader.entries(value, pointer, cash ? CONTROL_CASH_WINDOWS_MAX : CONTROL_WINDOWS_MAX) ?? [];
  const windows: WindowSpec[] = [];
  const seen = new Map<string, number>();
  for (const [i, entry] of entries.entries()) {
    const at = `${pointer}/${i}`;
    const window = readWindow(reader, entry, at, context, readers, cash);
    if (window === undefined) continue;
    windows.push(window);
    const counter = `${counterKey(window, cash)} ${window.perAccount}`;
    const first = seen.get(counter);
    if (first === undefined) seen.set(counter, i);
    else reader.fail(at, `counts the same as ${pointer}/${first}: one window may limit both amount and count`);
  }
  return windows;
}

function readWindow(
  reader: JsonReader,
  value: unknown,
  pointer: string,
  context: ControlsContext,
  readers: ListReaders,
  cash: boolean,
): WindowSpec | undefined {
  const members = reader.members(value, pointer, WINDOW);
  if (members === undefined) return undefined;
  const before = reader.problems.length;
  const name = members.name === undefined ? undefined : readName(reader, members.name, `${pointer}/name`);
  const unit = reader.oneOf(members.window, `${pointer}/window`, UNITS);
  if (unit === undefined) return undefined;
  const window: WindowSpec = {
    ...(name === undefined ? {} : { name }),
    unit: WindowUnit[unit],
    seconds: readSeconds(reader, members.seconds, `${pointer}/seconds`, unit),
    start: readStart(reader, members.starts_on, `${pointer}/starts_on`, unit),
    zone: readZone(reader, members.zone, `${pointer}/zone`, unit, context),
    ...readLimits(reader, members, pointer),
    declines: readCounts(reader, members, pointer, cash),
    perAccount: readPer(reader, members.per, `${pointer}/per`, context),
    ...readSelectors(reader, members, pointer, readers),
  };
  return reader.problems.length === before ? window : undefined;
}

function readName(reader: JsonReader, value: unknown, pointer: string): string | undefined {
  const fits =
    typeof value === 'string' && value.length <= RULE_WINDOW_NAME_MAX && /^[A-Za-z0-9][A-Za-z0-9 _.-]*$/.test(value);
  if (fits) return value;
  return reader.fail(pointer, `must be 1 to ${RULE_WINDOW_NAME_MAX} letters, digits and signs of " _.-"`);
}

type UnitName = (typeof UNITS)[number];

function readSeconds(reader: JsonReader, value: unknown, pointer: string, unit: UnitName): number {
  if (unit === 'trailing') return reader.integer(value, pointer, TRAILING_SECONDS_MIN, TRAILING_SECONDS_MAX) ?? 0;
  if (value !== undefined) reader.fail(pointer, 'only a trailing window has a length in seconds');
  return 0;
}

/** Default: Monday, the first of the month, the first of January. */
function readStart(reader: JsonReader, value: unknown, pointer: string, unit: UnitName): number {
  switch (unit) {
    case 'week':
      return value === undefined ? 1 : WEEKDAYS.indexOf(reader.oneOf(value, pointer, WEEKDAYS) ?? 'monday') + 1;
    case 'month':
      return value === undefined ? 1 : (reader.integer(value, pointer, 1, 31) ?? 1);
    case 'year': {
      if (value === undefined) return FIRST_OF_YEAR;
      const date = typeof value === 'string' ? /^(\d{2})-(\d{2})$/.exec(value) : null;
      const month = Number(date?.[1]);
      const day = Number(date?.[2]);
      const most = MONTH_DAYS[month - 1] ?? 0;
      if (day >= 1 && day <= most) return month * 32 + day;
      reader.fail(pointer, 'must be a date of the year as MM-DD');
      return FIRST_OF_YEAR;
    }
    default:
      if (value !== undefined) reader.fail(pointer, 'only a week, month or year has a start to choose');
      return 0;
  }
}

function readZone(
  reader: JsonReader,
  value: unknown,
  pointer: string,
  unit: UnitName,
  context: ControlsContext,
): string {
  if (value === undefined) return 'UTC';
  if (unit === 'trailing' || unit === 'lifetime') {
    reader.fail(pointer, 'a trailing or lifetime window has no time zone');
  } else if (typeof value === 'string' && context.knowsZone(value)) {
    return value;
  } else {
    reader.fail(pointer, 'must be a time zone of the IANA database, such as America/Sao_Paulo');
  }
  return 'UTC';
}

function readLimits(
  reader: JsonReader,
  { amount, count }: Readonly<Record<string, unknown>>,
  pointer: string,
): { amount?: number; count?: number } {
  const most = amount === undefined ? undefined : reader.integer(amount, `${pointer}/amount`, 0, CREDIT_LIMIT_MAX);
  const often = count === undefined ? undefined : reader.integer(count, `${pointer}/count`, 0, COUNT_MAX);
  if (amount === undefined && count === undefined) reader.fail(pointer, 'limits nothing: give amount, count or both');
  return { ...(most === undefined ? {} : { amount: most }), ...(often === undefined ? {} : { count: often }) };
}

/** True for a window of declines. */
function readCounts(
  reader: JsonReader,
  { counts, amount }: Readonly<Record<string, unknown>>,
  pointer: string,
  cash: boolean,
): boolean {
  if (counts === undefined) return false;
  const declines = reader.oneOf(counts, `${pointer}/counts`, ['approvals', 'declines']) === 'declines';
  if (declines && cash) reader.fail(`${pointer}/counts`, 'a cash window counts approvals');
  if (declines && amount !== undefined) reader.fail(`${pointer}/amount`, 'a window of declines limits a count only');
  return declines;
}

/** True for a window that a program sets per account. */
function readPer(reader: JsonReader, value: unknown, pointer: string, { level }: ControlsContext): boolean {
  if (value === undefined) return false;
  const per = reader.oneOf(value, pointer, ['card', 'account']);
  if (level !== ControlLevel.program) {
    reader.fail(pointer, 'only windows of a program choose; those of a card or an account count for it');
  }
  return per === 'account';
}
