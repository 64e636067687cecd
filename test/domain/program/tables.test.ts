/** Tables of programs: reading with pointers, defaults, printing, and what a decision asks of them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Reason, Response, responseCode, responseText } from '#src/domain/codes.js';
import { defaultMccGroups } from '#src/domain/controls/mcc-groups.js';
import { MessageInput } from '#src/domain/message.js';
import { compileTables } from '#src/domain/program/compile.js';
import { parseTables } from '#src/domain/program/parse.js';
import { Policy } from '#src/domain/program/policy.js';
import { printTables } from '#src/domain/program/print.js';
import { defaultProgramTables, type ProgramTables, tableNames } from '#src/domain/program/tables.js';
import { HOLD_LIFE_DAYS_MAX, HOLD_LIFE_ROWS_MAX, PROGRAM_MCC_GROUPS_MAX } from '#src/limits.js';
import { dialects, tablesJson } from './arbitraries.js';

const DAY = 86_400_000;

function read(json: unknown): ProgramTables {
  const parsed = parseTables(json, { dialects });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.tables;
}

const policy = (json: unknown): Policy => new Policy(1, compileTables(read(json), dialects));

/** A row beside one that fits everything. */
const row = (more: object): object => ({
  hold_life: [
    { name: 'x', days: 1, ...more },
    { name: 'rest', days: 7 },
  ],
});

describe('reading', () => {
  test.each<[pointer: string, detail: RegExp, tables: unknown]>([
    ['', /must be an object/, null],
    ['', /must be an object/, []],
    ['/holdLife', /unknown property; known are hold_life, tolerance/, { holdLife: [] }],
    ['', /unknown property/, { '4000': 1 }],
    ['/hold_life', /must be a list/, { hold_life: {} }],
    ['/hold_life', /last row must have no conditions/, { hold_life: [] }],
    ['/hold_life', /last row must have no conditions/, { hold_life: [{ name: 'x', days: 1, mcc: [1] }] }],
    [
      '/hold_life/0',
      /must be the last/,
      {
        hold_life: [
          { name: 'x', days: 1 },
          { name: 'y', days: 1, mcc: [1] },
        ],
      },
    ],
    ['/hold_life', /more than 64 entries/, { hold_life: Array(HOLD_LIFE_ROWS_MAX + 1).fill({ name: 'x', days: 1 }) }],
    ['/hold_life/0/name', /1 to 60/, row({ name: '' })],
    ['/hold_life/0/name', /1 to 60/, row({ name: undefined })],
    ['/hold_life/0/days', /from 1 to 31/, row({ days: 0, mcc: [1] })],
    ['/hold_life/0/days', /from 1 to 31/, row({ days: HOLD_LIFE_DAYS_MAX + 1, mcc: [1] })],
    ['/hold_life/0/days', /must be an integer/, row({ days: 1.5, mcc: [1] })],
    ['/hold_life/0/hours', /unknown property/, row({ hours: 1 })],
    ['/hold_life/0/mcc', /must be a list/, row({ mcc: 5542 })],
    ['/hold_life/0/mcc', /empty list fits no message/, row({ mcc: [] })],
    ['/hold_life/0/mcc/1', /from 0 to 9999/, row({ mcc: [1, 10_000] })],
    ['/hold_life/0/mcc/0', /ends before it begins/, row({ mcc: ['3999-3501'] })],
    ['/hold_life/0/mcc/0', /no category group/, row({ mcc: ['toys'] })],
    ['/hold_life/0/mcc/0', /no category group/, row({ mcc: ['constructor'] })],
    ['/hold_life/0/functions/0', /one of N, E, F, I, R/, row({ functions: ['X'] })],
    ['/hold_life/0/functions', /empty list/, row({ functions: [] })],
    ['/hold_life/0/entry_modes/0', /two digits in quotes/, row({ entry_modes: [81] })],
    ['/hold_life/0/conditions/0', /two digits in quotes/, row({ conditions: ['1'] })],
    ['/hold_life/0/except_conditions', /empty list/, row({ except_conditions: [] })],
    ['/tolerance', /must be an object/, { tolerance: [] }],
    ['/tolerance/toys', /no category group/, { tolerance: { toys: 1 } }],
    ['/tolerance', /no category group/, { tolerance: { 9999990000000014: 1 } }],
    ['/tolerance/lodging', /from 0 to 100/, { tolerance: { lodging: 101 } }],
    ['/fuel', /must be an object/, { fuel: 17_500 }],
    ['/fuel/mcc/0', /must be a category/, { fuel: { mcc: ['x y'] } }],
    ['/fuel/status_check', /from 1 to 1000/, { fuel: { status_check: 0 } }],
    ['/fuel/amount', /from 0 to/, { fuel: { amount: -1 } }],
    ['/fuel/when_short', /one of decline, hold_available/, { fuel: { when_short: 'no' } }],
    ['/fuel/minimum', /must not be above the amount/, { fuel: { amount: 99 } }],
    ['/fuel/maximum', /unknown property/, { fuel: { maximum: 1 } }],
    ['/mcc_groups', /must be an object/, { mcc_groups: [] }],
    ['/mcc_groups/Toys', /a name of 1 to 40/, { mcc_groups: { Toys: [] } }],
    ['/mcc_groups/toys', /must be a list/, { mcc_groups: { toys: 5945 } }],
    ['/mcc_groups/toys/0', /no other groups/, { mcc_groups: { toys: ['fuel'] } }],
    ['/mcc_groups/toys/0', /must be a category/, { mcc_groups: { toys: ['12345'] } }],
    [
      '/mcc_groups',
      /more than 256 groups/,
      { mcc_groups: Object.fromEntries(Array.from({ length: PROGRAM_MCC_GROUPS_MAX }, (_, i) => [`g${i}`, []])) },
    ],
    ['/responses', /must be an object/, { responses: 'all' }],
    ['/responses/visa', /known are all, iso87-bcd, iso87-ascii, iso87-ascii-bin/, { responses: { visa: {} } }],
    ['/responses/all', /must be an object/, { responses: { all: [] } }],
    ['/responses/all/no_money', /no such reason/, { responses: { all: { no_money: '51' } } }],
    ['/responses/all/none', /no such reason/, { responses: { all: { none: '00' } } }],
    ['/responses/all/unknown_card', /before the program is asked/, { responses: { all: { unknown_card: '15' } } }],
    ['/responses/all/rule', /a rule names its own response/, { responses: { all: { rule: '05' } } }],
    ['/responses/all/card_closed', /two digits or capital letters/, { responses: { all: { card_closed: '5' } } }],
    ['/responses/all/card_closed', /two digits or capital letters/, { responses: { all: { card_closed: 46 } } }],
    ['/responses/all/card_closed', /code of an approval/, { responses: { all: { card_closed: '00' } } }],
    ['/responses/iso87-bcd/card_closed', /code of an approval/, { responses: { 'iso87-bcd': { card_closed: '10' } } }],
    ['/responses/all/card_closed', /code of an approval/, { responses: { all: { card_closed: '85' } } }],
    [
      '/responses/all/insufficient_funds',
      /take the decline for one/,
      { responses: { all: { insufficient_funds: '08' } } },
    ],
    ['/responses/all/card_lost', /take the decline for one/, { responses: { all: { card_lost: '11' } } }],
    [
      '/responses/iso87-ascii/card_lost',
      /take the decline for one/,
      { responses: { 'iso87-ascii': { card_lost: '16' } } },
    ],
    ...['30', '68', '91', '94', '96'].map((code): [string, RegExp, object] => [
      '/responses/all/velocity_count',
      /acts upon: no decline/,
      { responses: { all: { velocity_count: code } } },
    ]),
    [
      '/responses/all/cryptography_fault',
      /acts upon: no decline/,
      { responses: { all: { cryptography_fault: '94' } } },
    ],
    [
      '/responses/all/card_paused',
      /says nothing; it is for wrong_cryptogram, /,
      { responses: { all: { card_paused: '05' } } },
    ],
    ['/forbidden', /must be a list/, { forbidden: '01' }],
    ['/forbidden/0', /two digits in quotes/, { forbidden: [1] }],
    ['/forbidden/0', /two digits in quotes/, { forbidden: ['011'] }],
    ['/partial_approval', /true or false/, { partial_approval: 'yes' }],
    ['/clearing/release_rest', /true or false/, { clearing: { release_rest: 1 } }],
    ['/clearing/markup_basis_points', /from 0 to 10000/, { clearing: { markup_basis_points: 10_001 } }],
    ['/clearing/rest', /unknown property/, { clearing: { rest: true } }],
    ['/pin/tries', /from 1 to 15/, { pin: { tries: 0 } }],
    ['/pin', /must be an object/, { pin: 3 }],
    ['/interest/interest', /unknown property/, { interest: { interest: 1 } }],
    ['/interest/cash', /from 0 to 100000/, { interest: { cash: -1 } }],
    ['/statement/day', /"spread" or "none"/, { statement: { day: 29 } }],
    ['/statement/day', /"spread" or "none"/, { statement: { day: '1' } }],
    ['/statement/due_days', /from 0 to 60/, { statement: { due_days: 61 } }],
    ['/statement/minimum_basis_points', /from 0 to 10000/, { statement: { minimum_basis_points: 10_001 } }],
    ['/statement/monthly_fee', /from 0 to/, { statement: { monthly_fee: 0.5 } }],
    ['/fees/late', /from 0 to/, { fees: { late: -1 } }],
    ['/fees/returned_payment', /from 0 to/, { fees: { returned_payment: '5' } }],
    ['/fees/cash/maximum', /below the minimum/, { fees: { cash: { minimum: 6, maximum: 5 } } }],
    ['/interest/grace', /true or false/, { interest: { grace: 1 } }],
    ['/fees/purchase', /unknown property/, { fees: { purchase: {} } }],
    ['/fees/cash/flat', /from 0 to/, { fees: { cash: { flat: 0.5 } } }],
    ['/fees/cash/basis_points', /from 0 to 10000/, { fees: { cash: { basis_points: 10_001 } } }],
    ['/fees/cash/maximum', /not be below the flat/, { fees: { cash: { flat: 100, maximum: 99 } } }],
  ])('refuses %s: %s', (pointer, detail, json) => {
    const parsed = parseTables(json, { dialects });
    expect(parsed.ok ? [] : parsed.problems).toEqual([{ pointer, detail: expect.stringMatching(detail) }]);
  });

  test('names every problem', () => {
    const parsed = parseTables({ fuel: { amount: -1 }, pin: { tries: 99 }, forbidden: ['1'] }, { dialects });
    expect(parsed.ok ? [] : parsed.problems.map(({ pointer }) => pointer)).toEqual([
      '/fuel/amount',
      '/forbidden/0',
      '/pin/tries',
    ]);
  });

  test('what is left out has its default, a table and a member of one', () => {
    expect(read({})).toEqual(defaultProgramTables);
    expect(read({ fuel: { amount: 10_000 } })).toEqual({
      ...defaultProgramTables,
      fuel: { ...defaultProgramTables.fuel, amount: 10_000 },
    });
  });

  test('groups stand beside the built-in ones, or in their place, and other tables may name them', () => {
    const tables = read({
      mcc_groups: { toys: ['5945'], fuel: [5541] },
      tolerance: { toys: 30 },
      ...row({ mcc: ['toys'] }),
    });
    expect(tables.mccGroups).toEqual({ ...defaultMccGroups, toys: [5945], fuel: [5541] });
  });
});

describe('printing', () => {
  test('names every table', () => {
    expect(Object.keys(printTables(defaultProgramTables))).toEqual(tableNames);
  });

  test('what is printed reads as what it was', () => {
    fc.assert(
      fc.property(tablesJson, (json) => {
        const tables = read(json);
        const printed = JSON.parse(JSON.stringify(printTables(tables)));
        expect(read(printed)).toEqual(tables);
      }),
    );
  });
});

describe('a policy', () => {
  function life(json: unknown, message: Partial<MessageInput>): number {
    return policy(json).holdLifeMs(Object.assign(new MessageInput(), message)) / DAY;
  }

  test.each<[days: number, message: Partial<MessageInput>]>([
    [2, { mcc: 5542, entryMode: 901 }],
    [2, { mcc: 5552 }],
    [30, { mcc: 7011 }],
    [30, { mcc: 3501 }],
    [30, { mcc: 3999 }],
    [30, { mcc: 7512 }],
    [30, { mcc: 3351 }],
    [30, { mcc: 3441 }],
    [30, { mcc: 4411 }],
    [30, { mcc: 5812, functionCode: 'E'.charCodeAt(0) }],
    [30, { mcc: 5812, condition: 6 }],
    [5, { entryMode: 100 }],
    [10, { entryMode: 100, condition: 59 }],
    [10, { entryMode: 812 }],
    [5, { entryMode: 51 }],
    [10, { condition: 8 }],
    [7, {}],
    [7, { mcc: 5411 }],
  ])('holds for %i days by default: %j', (days, message) => {
    expect(life({}, message)).toBe(days);
  });

  test('holds by the first row that fits', () => {
    const rows = {
      hold_life: [
        { name: 'estimates at hotels', days: 20, mcc: ['lodging'], functions: ['E', 'I'] },
        { name: 'not at a shop', days: 3, except_conditions: ['00'], entry_modes: ['81'] },
        { name: 'rest', days: 1 },
      ],
    };
    expect(life(rows, { mcc: 7011, functionCode: 'I'.charCodeAt(0) })).toBe(20);
    expect(life(rows, { mcc: 7011 })).toBe(1);
    expect(life(rows, { entryMode: 812, condition: 59 })).toBe(3);
    expect(life(rows, { entryMode: 812, condition: 0 })).toBe(1);
  });

  test('maps a reason for all dialects and otherwise for one', () => {
    const mapped = policy({
      responses: { all: { card_closed: '46', account_frozen: '57' }, 'iso87-ascii': { card_closed: 'Z9' } },
    });
    const code = (reason: number, dialect: number): number => mapped.response(reason, dialect, Response.invalidCard);
    expect([0, 1, 2].map((dialect) => code(Reason.cardClosed, dialect))).toEqual(['46', 'Z9', '46'].map(responseCode));
    expect(code(Reason.accountFrozen, 1)).toBe(responseCode('57'));
    expect(code(Reason.insufficientFunds, 1)).toBe(Response.invalidCard);
    expect(policy({}).response(Reason.cardClosed, 0, Response.invalidCard)).toBe(Response.invalidCard);
  });

  test('maps a chip that fails to 05, and what could not be checked to 91 or 96', () => {
    const all = {
      ...{ wrong_cryptogram: '05', counter_replayed: '05', counter_jumped: '05' },
      ...{ cryptography_unavailable: '96', cryptography_fault: '91' },
    };
    const mapped = policy({ responses: { all } });
    const reasons = [Reason.wrongCryptogram, Reason.counterJumped, Reason.cryptographyUnavailable];
    expect(reasons.map((reason) => responseText(mapped.response(reason, 0, 0)))).toEqual(['05', '05', '96']);
  });

  test('tolerates by group, the largest of several', () => {
    const standard = policy({});
    expect([5811, 5812, 5814, 7011, 3351, 5411, -1].map((mcc) => standard.tolerancePercent(mcc))).toEqual([
      0, 20, 20, 15, 15, 0, 0,
    ]);
    expect(policy({ tolerance: { lodging: 40, toys: 10 }, mcc_groups: { toys: [7011] } }).tolerancePercent(7011)).toBe(
      40,
    );
  });

  test('knows pumps, fees, forbidden types, partial approvals and PIN tries', () => {
    const own = policy({
      fuel: { mcc: ['fuel', '9000-9001'], amount: 5000 },
      fees: { cash: { flat: 100, basis_points: 250, maximum: 500 } },
      forbidden: ['01', '11'],
      partial_approval: false,
      pin: { tries: 5 },
      clearing: { release_rest: false, markup_basis_points: 350 },
      interest: { cash: 2500 },
      statement: { day: 'spread', monthly_fee: 90 },
    });
    expect(own.tables).toMatchObject({
      interest: { purchases: 0, cash: 2500, fees: 0 },
      statement: { day: -1, dueDays: 20, minimumBasisPoints: 1000, minimumAmount: 0, monthlyFee: 90 },
    });
    // At least 300, also where 250 basis points and the flat part are less.
    const least = policy({
      fees: { cash: { flat: 100, basis_points: 250, minimum: 300 }, late: 9, returned_payment: 8 },
    });
    expect([0, 8000, 10_000].map((amount) => least.cashFee(amount))).toEqual([300, 300, 350]);
    expect(least.tables).toMatchObject({ lateFee: 9, returnedPaymentFee: 8, interest: { grace: false } });
    expect(policy({ interest: { grace: true } }).tables.interest).toEqual({
      purchases: 0,
      cash: 0,
      fees: 0,
      grace: true,
    });
    expect([0, 100, 1000, 1_000_000].map((amount) => own.markup(amount))).toEqual([0, 4, 35, 35_000]);
    expect(own.tables.clearing.releaseRest).toBe(false);
    expect([5541, 5542, 9001, 5411, -1].map((mcc) => own.isFuelPump(mcc))).toEqual([true, true, true, false, false]);
    expect([0, 1000, 1020, 100_000].map((amount) => own.cashFee(amount))).toEqual([100, 125, 126, 500]);
    expect([0, 1, 11].map((type) => own.forbids(type))).toEqual([false, true, true]);
    expect(own.tables).toMatchObject({ partialApproval: false, pinTries: 5, fuel: { amount: 5000, minimum: 100 } });
  });
});
