/**
 * Controls and programs as JSON. Held against every input: a value, or problems, each with a place that exists and words that repeat
 * nothing of what they refuse; the input is not changed. What was accepted is the same when it is written and read again, and compiles.
 */
import { isDeepStrictEqual } from 'node:util';
import { checkControls, readControls, zoneClock } from '#src/control/controls.js';
import { ApiError } from '#src/control/problem.js';
import { snapshotOf, snapshotParts } from '#src/control/program-check.js';
import { programDefinition, readProgram } from '#src/control/program-file.js';
import { programLimits } from '#src/control/program-limits.js';
import { accountControls, cardControls } from '#src/domain/controls/compile.js';
import { defaultMccGroups } from '#src/domain/controls/mcc-groups.js';
import { ControlLevel } from '#src/domain/controls/spec.js';
import { compileTables } from '#src/domain/program/compile.js';
import { parseTables } from '#src/domain/program/parse.js';
import { printTables } from '#src/domain/program/print.js';
import { dialectNames } from '#src/iso8583/dialects.js';
import { mutateJson } from '../json-mutator.js';
import { type FuzzTarget, must, utf8, type Verdict } from '../target.js';
import { leadsTo } from './rules.js';

/** Bounds that are named in the words of a refusal. */
const bounds = ['100000000000000', '70368744177664', '9007199254740991'];

/** True when a text about an input has a number of it that is as long as a card number. */
export function repeats(text: string, input: string): boolean {
  return (text.match(/\d{13,}/g) ?? []).some((run) => !bounds.includes(run) && input.includes(run));
}

function parsed(input: Uint8Array): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(Buffer.from(input).toString('utf8')) };
  } catch {
    return undefined;
  }
}

/** The place exists, or its parent does: a member that is missing has no place of its own. */
function placeExists(value: unknown, pointer: string): boolean {
  return leadsTo(value, pointer) || leadsTo(value, pointer.replace(/\/[^/]*$/, ''));
}

function checkProblems(
  value: unknown,
  input: string,
  problems: readonly { readonly pointer: string; readonly detail: string }[],
): void {
  must(problems.length > 0, () => 'refused without a problem');
  for (const { pointer, detail } of problems) {
    must(placeExists(value, pointer), () => `no such place: ${pointer} (${detail})`);
    must(!repeats(detail, input), () => `a problem repeats its value: ${detail}`);
    must(/^[\x20-\x7e]+$/.test(detail), () => `a problem has characters of its value: ${detail}`);
  }
}

const levels = [ControlLevel.card, ControlLevel.account] as const;

function controls(input: Uint8Array): Verdict {
  const read = parsed(input);
  if (read === undefined) return 'refused';
  const { value } = read;
  const before = JSON.stringify(value);
  let accepted = false;
  for (const level of levels) {
    const made = readControls(value, level, programLimits(undefined));
    must(JSON.stringify(value) === before, () => 'the input was changed');
    if (!made.ok) checkProblems(value, before, made.problems);
    else {
      accepted = true;
      const again = readControls(JSON.parse(before), level, programLimits(undefined));
      must(isDeepStrictEqual(again, made), () => 'read again it is another');
      const context = { groups: defaultMccGroups, clock: zoneClock };
      if (level === ControlLevel.card) cardControls(made.controls, undefined, context);
      else accountControls(made.controls, undefined, context);
    }
    try {
      checkControls(value as Record<string, unknown>, { level, program: undefined, pointer: '/controls' });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      must(!repeats(error.message, before), () => `the error repeats a value: ${error.message}`);
    }
  }
  return accepted ? 'accepted' : 'refused';
}

function tables(input: Uint8Array): Verdict {
  const read = parsed(input);
  if (read === undefined) return 'refused';
  const before = JSON.stringify(read.value);
  const made = parseTables(read.value, { dialects: dialectNames });
  must(JSON.stringify(read.value) === before, () => 'the input was changed');
  if (!made.ok) {
    checkProblems(read.value, before, made.problems);
    return 'refused';
  }
  const printed = JSON.parse(JSON.stringify(printTables(made.tables))) as unknown;
  const again = parseTables(printed, { dialects: dialectNames });
  must(isDeepStrictEqual(again, made), () => `printed and read again they are others: ${JSON.stringify(printed)}`);
  compileTables(made.tables, dialectNames);
  return 'accepted';
}

function program(input: Uint8Array): Verdict {
  const read = parsed(input);
  if (read === undefined) return 'refused';
  const before = JSON.stringify(read.value);
  const made = readProgram(read.value);
  must(JSON.stringify(read.value) === before, () => 'the input was changed');
  if (!made.ok) {
    must(made.problems.length > 0, () => 'refused without a problem');
    for (const { detail } of made.problems)
      must(!repeats(detail, before), () => `a problem repeats its value: ${detail}`);
    return 'refused';
  }
  const again = readProgram(JSON.parse(JSON.stringify(made.program)));
  must(
    again.ok && isDeepStrictEqual(again.program, programDefinition(again.program, again.program.id)),
    () => 'another program',
  );
  must(isDeepStrictEqual(again.ok && again.program, made.program), () => 'read again it is another program');
  const snapshot = snapshotOf(made.program, 7);
  must(snapshotParts(snapshot).revision === 7, () => 'another revision');
  return 'accepted';
}

const someControls = {
  mcc: { deny: ['gambling', '7273'] },
  countries: { allow: ['BR', 'AR'] },
  channels: { deny: ['manual'] },
  merchants: { allow: ['MERCHANT0000001'] },
  per_transaction: 200_000,
  cash: { per_transaction: 30_000, velocity: [{ window: 'day', amount: 50_000, count: 3 }] },
  velocity: [
    { window: 'day', zone: 'America/Sao_Paulo', amount: 500_000, count: 20 },
    { window: 'week', starts_on: 'sunday', amount: 150_000 },
    { window: 'month', starts_on: 31, amount: 1_000_000, mcc: ['groceries', '5912'] },
    { window: 'year', starts_on: '04-01', count: 500, countries: { deny: ['BR'] } },
    { window: 'lifetime', amount: 5_000_000, merchants: 'MERCHANT0000001' },
    { window: 'trailing', seconds: 3600, count: 3, counts: 'declines', name: 'declined 1h' },
    { window: 'trailing', seconds: 86_400, amount: 80_000, channels: ['ecommerce', 'manual'] },
  ],
};

const someTables = {
  hold_life: [
    { name: 'fuel pumps', days: 2, mcc: ['5542', '5552'] },
    { name: 'estimates', days: 30, functions: ['E'] },
    { name: 'standing orders', days: 5, entry_modes: ['10'], except_conditions: ['59'] },
    { name: 'anything else', days: 7 },
  ],
  tolerance: { restaurants: 20, lodging: 15 },
  clearing: { release_rest: true, markup_basis_points: 400 },
  fuel: { mcc: ['5542'], status_check: 1, amount: 25_000, when_short: 'hold_available', minimum: 2000 },
  mcc_groups: { cruise_lines: ['4411', '4722'], toys: ['5945', '5092-5094'] },
  responses: { all: { card_closed: '46' }, 'iso87-ascii': { velocity_declines: '75' } },
  forbidden: ['11'],
  partial_approval: true,
  pin: { tries: 3 },
  fees: { cash: { flat: 500, basis_points: 250, maximum: 10_000 }, late: 100 },
  interest: { purchases: 6570, cash: 9855, grace: true },
  statement: { day: 'spread', due_days: 20, minimum_basis_points: 1500, minimum_amount: 5000, monthly_fee: 990 },
};

const someProgram = {
  ...{ id: 'gold', name: 'Gold', currency: 'BRL', product: 'credit', bins: ['99999801'], sandbox: false },
  tables: { forbidden: ['11'], mcc_groups: { toys: ['5945'] } },
  controls: { mcc: { deny: ['gambling', 'toys'] }, per_transaction: 5 },
};

/** Each member alone as well, so that one problem does not hide the others. */
const withParts = (value: Record<string, unknown>): Uint8Array[] => [
  utf8(JSON.stringify(value)),
  ...Object.entries(value).map(([name, part]) => utf8(JSON.stringify({ [name]: part }))),
];

const memberNames = (value: unknown): string[] =>
  typeof value !== 'object' || value === null
    ? typeof value === 'string'
      ? [value]
      : []
    : Object.entries(value).flatMap(([name, inner]) => [
        ...(Array.isArray(value) ? [] : [name]),
        ...memberNames(inner),
      ]);

function target(
  name: string,
  reads: string,
  focus: readonly string[],
  seed: Record<string, unknown>,
  run: (input: Uint8Array) => Verdict,
  more: readonly Uint8Array[] = [],
): FuzzTarget {
  const words = [...new Set(memberNames(seed)), 'null', 'all', 'allow', '5411-5999', 'UTC', 'trailing'];
  return {
    ...{ name, reads, focus },
    inputsInCi: 2500,
    bytesMax: 20_000,
    work: { base: 60_000, perByte: 400 },
    seeds: () => [...withParts(seed), ...more],
    mutate: (random, input, other) => mutateJson(random, input, other, words),
    open: () => ({ run }),
  };
}

export const targets: readonly FuzzTarget[] = [
  target(
    'issuer-json-controls',
    'controls of cards and accounts',
    ['domain/controls/', 'control/controls'],
    someControls,
    controls,
  ),
  target(
    'issuer-json-tables',
    'tables of programs',
    ['domain/program/', 'domain/controls/parse', 'domain/controls/mcc'],
    someTables,
    tables,
  ),
  target(
    'issuer-json-program',
    'programs of the file of programs',
    ['domain/program/', 'control/program'],
    someProgram,
    program,
    // A part alone is no program: each stands in one that is.
    Object.entries({ ...someTables, ...someControls }).map(([name, part]) => {
      const { id, currency, bins } = someProgram;
      const place = name in someTables ? 'tables' : 'controls';
      return utf8(JSON.stringify({ id, currency, bins, [place]: { [name]: part } }));
    }),
  ),
];
