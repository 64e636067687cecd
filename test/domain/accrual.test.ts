import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { DomainFold } from '#src/cli/verify-fold.js';
import { applyEvent } from '#src/domain/apply.js';
import { AccountType, CardStatus, EventKind } from '#src/domain/codes.js';
import { RowCursor } from '#src/domain/columns.js';
import { decideAccrual, isStatementDay, minimumDue } from '#src/domain/decide-accrual.js';
import type { AccruedSlice } from '#src/domain/entry-commands.js';
import type { EntryPosted, PlainEvent, StatementClosed } from '#src/domain/events.js';
import { component } from '#src/domain/ledger/chart.js';
import type { AccountBalances } from '#src/domain/ledger/entries.js';
import { EntryKind } from '#src/domain/ledger/entry-kinds.js';
import { INTEREST_UNITS, interestOfDay } from '#src/domain/ledger/interest.js';
import { defaultTables, Policy } from '#src/domain/program/policy.js';
import { SPREAD } from '#src/domain/program/tables.js';
import { ShardState } from '#src/domain/shard-state.js';
import { Table } from '#src/domain/tables.js';
import { ACCRUAL_READS_MAX, CYCLE_RECORDS_MAX } from '#src/limits.js';
import { clearingInput } from '../table/clearing-lines.js';
import { Book } from './book.js';

const DAY_MS = 86_400_000;
/** 2026-11-26. */
const DAY = 20_783;
const BRL = 986;
const rates = { purchases: 3650, cash: 7300, fees: 0, grace: false };
/** Statements on the 28th. */
const statement = { day: 28, dueDays: 20, minimumBasisPoints: 1000, minimumAmount: 500, monthlyFee: 0 };
const policy = (more: object = {}): Policy => new Policy(1, { ...defaultTables, interest: rates, statement, ...more });

let book: Book;
const at = (day: number): number => day * DAY_MS + 3_600_000;

function open(id: string, day = DAY - 40, type: AccountType = AccountType.credit): void {
  book.command({ op: 'create_account', id, program: 1, currency: BRL, creditLimit: 1000, type }, at(day));
}
const fee = (account: string, amount: number, reference = 'f', day = DAY - 1): void => {
  expect(book.command({ op: 'fee', account, currency: BRL, amount, reference, note: '' }, at(day)).ok).toBe(true);
};
function slice(day: number, limit = 100, nowDay = day): AccruedSlice {
  const result = book.accrue(day, limit, at(nowDay));
  if (!result.ok || !('accrued' in result)) throw new Error(result.ok ? 'no accrual' : result.code);
  return result.accrued;
}
const part = (slot: number, gl: number): number => book.state.accounts.component(slot, component(gl));
const entries = (kind: EntryKind): EntryPosted[] =>
  book.history.events.filter(
    (event) => event.kind === EventKind.entryPosted && (event as EntryPosted).entry === kind,
  ) as EntryPosted[];
const statements = (): StatementClosed[] =>
  book.history.events.filter((event) => event.kind === EventKind.statementClosed) as StatementClosed[];

beforeEach(() => {
  book = new Book(policy({ interest: { ...rates, fees: 3650 } }));
});

describe('interest of a day', () => {
  const of = (parts: Partial<Record<number, number>>): AccountBalances => ({
    currency: BRL,
    balance: (gl) => parts[gl] ?? 0,
  });
  test.each([
    // 36.5 % a year is a thousandth a day.
    [{ 1100: 1000 }, 0, { amount: 1, carry: 0 }],
    [{ 1100: 999 }, 0, { amount: 0, carry: 999 * 3650 }],
    [{ 1100: 1 }, INTEREST_UNITS - 3650, { amount: 1, carry: 0 }],
    [{ 1100: 1000, 1110: 1000, 1120: 5000, 1130: 5000 }, 0, { amount: 3, carry: 0 }],
    // What is in credit covers interest and fees before cash, cash before purchases.
    [{ 1110: 1000, 1130: 50, 2200: -550 }, 0, { amount: 1, carry: 0 }],
    [{ 1100: 1000, 2200: -1000 }, 7, { amount: 0, carry: 7 }],
    [{ 2200: -1000 }, 7, { amount: 0, carry: 7 }],
    [{ 1100: 1e15 }, 0, { amount: 1e12, carry: 0 }],
  ])('%j with a carry of %i', (parts, carry, expected) => {
    expect(interestOfDay(of(parts), rates, carry)).toMatchObject(expected);
  });

  test.each([
    // 0.1 % of 2 000 purchases, 0.2 % of 1 500 cash.
    [{ 1100: 2000, 1110: 1500 }, 0, { amount: 5, cash: 3, carry: 0 }],
    // 1.5 of purchases and 0.5 of cash: 2, of which cash is no whole unit.
    [{ 1100: 1500, 1110: 250 }, 0, { amount: 2, cash: 0, carry: 0 }],
    // The carry counts as cash where there is any, and never without.
    [{ 1100: 1500, 1110: 250 }, INTEREST_UNITS / 2, { amount: 2, cash: 1, carry: INTEREST_UNITS / 2 }],
    [{ 1100: 1500 }, INTEREST_UNITS / 2, { amount: 2, cash: 0, carry: 0 }],
    [{ 1110: 750 }, INTEREST_UNITS / 2, { amount: 2, cash: 2, carry: 0 }],
    // All of it disputed (decision 0060): what is billed and owed in fees beside it is covered first.
    [{ 1110: 2000, 2200: -2000 }, 0, { amount: 0, cash: 0, carry: 0 }],
    [{ 1110: 2000, 1130: 500, 2200: -2000 }, 0, { amount: 1, cash: 1, carry: 0 }],
    [{ 1110: 2000, 1120: 500, 2200: -2000 }, 0, { amount: 1, cash: 1, carry: 0 }],
  ])('of cash apart: %j with a carry of %i', (parts, carry, expected) => {
    expect(interestOfDay(of(parts), rates, carry)).toEqual(expected);
  });

  test('loses nothing over any row of days', () => {
    const day = fc.record({ 1100: fc.integer({ min: 0, max: 1e9 }), 1110: fc.integer({ min: 0, max: 1e9 }) });
    fc.assert(
      fc.property(fc.array(day, { maxLength: 60 }), (days) => {
        let carry = 0;
        let posted = 0;
        let earned = 0n;
        for (const owed of days) {
          const today = interestOfDay(of(owed), { purchases: 1234, cash: 4321, fees: 0 }, carry);
          posted += today.amount;
          carry = today.carry;
          expect(carry).toBeLessThan(INTEREST_UNITS);
          earned += BigInt(owed[1100]) * 1234n + BigInt(owed[1110]) * 4321n;
        }
        expect(BigInt(posted) * BigInt(INTEREST_UNITS) + BigInt(carry)).toBe(earned);
      }),
    );
  });
});

describe('the daily accrual', () => {
  test('posts the interest of each account once a day, with what is left over for the next', () => {
    open('A');
    open('B');
    fee('A', 2500);
    expect(slice(DAY)).toEqual({ day: DAY, isDone: true, accounts: 2, entries: 1, statements: 0 });
    expect(entries(EntryKind.interestAccrued)).toMatchObject([
      {
        accountSlot: 0,
        day: DAY,
        reference: '',
        carry: INTEREST_UNITS / 2,
        legs: [
          { glAccount: 1131, amount: 2 },
          { glAccount: 4200, amount: -2 },
        ],
      },
    ]);
    const records = book.history.events.length;
    fee('B', 5000, 'late in the day', DAY);
    expect(slice(DAY)).toMatchObject({ isDone: true, accounts: 0, entries: 0 });
    expect(book.history.events.length).toBe(records + 1);
    slice(DAY + 1);
    expect([part(0, 1131), part(1, 1131), book.state.accounts.posted(0)]).toEqual([5, 5, 2500]);
    // Accruals leave no references behind, which would be kept for ever.
    expect(book.state.references.count).toBe(2);
    book.restart();
  });

  test('goes in slices, and on from the last one after a restart', () => {
    for (const id of ['A', 'B', 'C', 'D', 'E']) {
      open(id);
      fee(id, 1000);
    }
    expect(slice(DAY, 2)).toMatchObject({ isDone: false, accounts: 2, entries: 2 });
    book.restart();
    expect(book.state.accrual).toEqual({ day: DAY, nextSlot: 2 });
    expect(slice(DAY, 2)).toMatchObject({ isDone: false, accounts: 2 });
    expect(slice(DAY, 2)).toMatchObject({ isDone: true, accounts: 1 });
    expect([0, 1, 2, 3, 4].map((slot) => part(slot, 1131))).toEqual([1, 1, 1, 1, 1]);
  });

  test('finishes the days before first, without accounts that were not there yet', () => {
    open('A');
    open('B');
    fee('A', 1000);
    fee('B', 1000);
    slice(DAY, 1);
    open('C', DAY + 1);
    fee('C', 1000, 'f', DAY + 1);
    const days: number[] = [];
    for (let done = false; !done && days.length < 20; ) {
      const did = slice(DAY + 2, 3);
      days.push(did.day);
      done = did.isDone;
    }
    expect(days).toEqual([DAY, DAY + 1, DAY + 2]);
    // Billed: the last of the days is that of the statement.
    expect([0, 1, 2].map((slot) => part(slot, 1130))).toEqual([3, 3, 2]);
  });

  test('refuses days that are over, have not begun, or are too far behind', () => {
    open('A');
    const codeOf = (day: number, nowDay: number): string => {
      const result = book.accrue(day, 10, at(nowDay));
      return result.ok ? 'ok' : result.code;
    };
    expect(codeOf(DAY + 1, DAY)).toBe('day_out_of_range');
    expect(codeOf(DAY, DAY)).toBe('ok');
    expect(codeOf(DAY - 1, DAY)).toBe('day_out_of_range');
    expect(codeOf(DAY + 32, DAY + 32)).toBe('day_out_of_range');
    expect(codeOf(DAY + 31, DAY + 32)).toBe('ok');
  });

  test('says with a day that it refuses how to go on', () => {
    open('A');
    const told = (day: number, nowDay: number): string | undefined => {
      const result = book.accrue(day, 10, at(nowDay));
      return result.ok ? undefined : result.detail;
    };
    const text = (day: number): string => new Date(day * 86_400_000).toISOString().slice(0, 10);
    expect(told(DAY - 32, DAY)).toContain(`for ${text(DAY - 31)} or later`);
    expect(told(DAY + 1, DAY)).toContain(`today is ${text(DAY)}`);
    expect(book.state.accrual.day).toBe(0);
    // Another shard has done that day: all shards do the same days.
    const joins = { op: 'accrue', day: DAY - 40, limit: 10, isBegun: true } as const;
    expect(decideAccrual(book.context, joins, at(DAY), () => undefined).ok).toBe(true);
    expect(told(DAY - 40, DAY - 40)).toBeUndefined();
    expect(told(DAY, DAY)).toContain(`run it for ${text(DAY - 9)} first`);
    for (let day = DAY - 40; day < DAY - 9; day++) expect(told(DAY - 9, DAY)).toBeUndefined();
    for (let day = DAY - 9; day < DAY; day++) expect(told(DAY, DAY)).toBeUndefined();
    expect(told(DAY - 1, DAY)).toContain(`has done ${text(DAY)}`);
  });

  test('is in the checkpoint, and in the digest', () => {
    open('A');
    fee('A', 1500);
    slice(DAY);
    const copy = new ShardState(0);
    const bytes = new Uint8Array(1 << 20);
    book.state.takeDirty(1000, (table, key) => {
      const length = book.state.writeEntry(table, key, bytes, 0);
      if (length > 0) copy.readEntry(table, key, bytes, 0, length);
    });
    expect([copy.digest.high, copy.digest.low]).toEqual([book.state.digest.high, book.state.digest.low]);
    expect(copy.accrual).toEqual({ day: DAY, nextSlot: 1 });
    expect(copy.accounts.interestCarry(0)).toBe(INTEREST_UNITS / 2);
    const other = new ShardState(0);
    for (const event of book.history.events as PlainEvent[]) {
      applyEvent(other, event.kind === EventKind.accrualMarked ? { ...event, nextSlot: 2 } : event);
    }
    expect([other.digest.high, other.digest.low]).not.toEqual([copy.digest.high, copy.digest.low]);
  });

  test('a counters row of before has none', () => {
    const state = new ShardState(0);
    const bytes = new Uint8Array(17);
    const cursor = new RowCursor().attach(bytes, 0);
    cursor.putU8(1);
    cursor.putF64(3);
    cursor.putF64(9);
    state.readEntry(Table.counters, 0, bytes, 0, 17);
    expect([state.tombstones, state.accrual]).toEqual([3, { day: 0, nextSlot: 0 }]);
  });
});

describe('a statement', () => {
  test('makes what was accrued owed, with its minimum and its due date', () => {
    open('A');
    fee('A', 10_000);
    for (let day = DAY; day <= DAY + 2; day++) slice(day);
    expect([part(0, 1130), part(0, 1131), part(0, 1120)]).toEqual([30, 0, 10_000]);
    expect(entries(EntryKind.interestBilled)).toMatchObject([{ day: DAY + 2, note: '' }]);
    expect(statements()).toMatchObject([
      { accountSlot: 0, day: DAY + 2, balance: 10_030, minimumDue: 1003, dueDay: DAY + 22 },
    ]);
    const fold = new DomainFold(() => undefined);
    for (const event of book.history.events as PlainEvent[]) fold.applyEvent(0, event);
    expect(() => fold.finish(0, book.history.events.length)).not.toThrow();
    book.restart();
  });

  test('charges the monthly fee, except of closed accounts, and is not made of accounts without credit', () => {
    book = new Book(policy({ statement: { ...statement, monthlyFee: 700 } }));
    open('A');
    open('B');
    open('C', DAY - 40, AccountType.prepaid);
    fee('B', 100);
    book.command({ op: 'charge_off', account: 'B', reference: 'c', note: '' }, at(DAY));
    slice(DAY + 2);
    expect(entries(EntryKind.fee).slice(1)).toMatchObject([{ accountSlot: 0, note: 'monthly fee', reference: '' }]);
    expect(statements()).toMatchObject([{ accountSlot: 0, balance: 700, minimumDue: 500 }]);
  });

  test('has its day', () => {
    const on = (day: number, slot: number, today: number): boolean =>
      isStatementDay({ ...statement, day }, slot, today);
    expect([on(26, 9, DAY), on(27, 9, DAY), on(0, 9, DAY), on(0, 9, DAY + 4)]).toEqual([true, false, false, false]);
    expect([on(SPREAD, 25, DAY), on(SPREAD, 53, DAY), on(SPREAD, 26, DAY)]).toEqual([true, true, false]);
  });

  test('asks for a part of the balance', () => {
    const due = (balance: number): number => minimumDue(statement, balance);
    expect([-5, 0, 300, 500, 4999, 5009, 10_000].map(due)).toEqual([0, 0, 300, 500, 500, 500, 1000]);
  });
});

describe('a cycle', () => {
  /** The 28th of November, on which a statement is closed; it is due twenty days later, and the next one is closed on 28 December. */
  const FIRST = DAY + 2;
  const DUE = FIRST + 20;
  const SECOND = DAY + 32;
  const payments = (of: [day: number, amount: number][]): void => {
    for (const [day, amount] of of) paid(day, amount);
  };
  const paid = (day: number, amount: number): number => {
    const reference = `p${day}`;
    const result = book.command({ op: 'payment', account: 'A', currency: BRL, amount, reference }, at(day));
    return result.ok ? result.sequence : 0;
  };
  const clear = (record: number, amount: number, more: object, day: number): void => {
    const input = clearingInput({ record, amount, ...more });
    expect(book.clearing('F1', { card: 0, fingerprint: [0, 0, 0], input }, at(day)).outcome).toBe('posted');
  };
  const run = (from: number, to: number, before: (day: number) => void = () => undefined): void => {
    for (let day = from; day <= to; day++) {
      before(day);
      while (!slice(day).isDone);
    }
  };

  function openWithCard(tables: object): void {
    book = new Book(policy(tables));
    open('A');
    const card = { account: 'A', fingerprint: [1, 1, 1] as const, bin: 999_999, last4: 1, panLength: 16, expiry: 2912 };
    const more = { cardSequence: 1, serviceCode: 201, status: CardStatus.active, replacesSlot: -1 };
    expect(book.command({ op: 'create_card', ...card, ...more }, at(DAY - 40)).ok).toBe(true);
  }

  /** A purchase of 1 000.00 and cash of 500.00 on the 26th, before the accrual of that day. */
  function begin(tables: object): void {
    openWithCard(tables);
    clear(1, 100_000, { arn: 'A' }, DAY);
    clear(2, 50_000, { arn: 'B', processingCode: 10_000 }, DAY);
    run(DAY, FIRST);
  }
  const interest = { ...rates, grace: true };
  const billed = () => entries(EntryKind.interestBilled).map(({ legs }) => legs[0]!.amount);
  const waived = () => entries(EntryKind.interestWaived).map(({ legs }) => legs[0]!.amount);
  const lateFees = () => entries(EntryKind.fee).map(({ day, note, legs }) => [day, note, legs[0]!.amount]);

  describe('with grace', () => {
    beforeEach(() => begin({ interest }));

    test('begins free of interest on purchases; cash bears it from its first day', () => {
      // Three days (26, 27, 28): 0.1 % of 100 000 and 0.2 % of 50 000 are 100 and 100 a day.
      expect(entries(EntryKind.interestAccrued).map(({ note, legs }) => [note, legs[0]!.amount])).toEqual([
        ...['', 'cash', '', 'cash', '', 'cash'].map((note) => [note, 100]),
      ]);
      expect([waived(), billed()]).toEqual([[300], [300]]);
      // 100 000 + 50 000 + 300 of cash.
      expect(statements()).toMatchObject([{ day: FIRST, balance: 150_300, dueDay: DUE }]);
      expect(part(0, 1131)).toBe(0);
    });

    test('paid in full by the due date: what accrued on purchases is waived', () => {
      run(FIRST + 1, SECOND, (day) => payments(day === DUE ? [[DUE, 150_300]] : []));
      // 19 days from 29 November to 17 December, 100 and 100 each; on the 18th it was paid.
      expect([waived(), billed()]).toEqual([
        [300, 1900],
        [300, 1900],
      ]);
      expect(statements()[1]).toMatchObject({ day: SECOND, balance: 1900 });
      book.restart();
    });

    test('what accrued on cash is billed, also when it is not as much as what accrued on purchases', () => {
      clear(3, 100_000, { arn: 'C' }, FIRST + 1);
      run(FIRST + 1, SECOND, (day) => payments(day === DUE ? [[DUE, 150_300]] : []));
      // 19 days of 200 and 100; from the day of the payment on, 11 days of 100 for the purchase behind the statement.
      expect([waived(), billed()]).toEqual([
        [300, 4900],
        [300, 1900],
      ]);
    });

    test.each([
      ['by a cent too little', [[DUE, 150_299]]],
      ['a day late', [[DUE + 1, 150_300]]],
    ] as [string, [number, number][]][])('%s: nothing is waived', (_, of) => {
      run(FIRST + 1, SECOND, (day) => payments(of.filter(([on]) => on === day)));
      expect(waived()).toEqual([300]);
      // 19 days, or 20, of 200; what is left of it, at most a cent, earns nothing whole.
      expect(billed()).toEqual([300, of[0]![0] === DUE ? 3800 : 4000]);
    });

    test('a refund pays too, and a payment that was returned does not', () => {
      run(FIRST + 1, DUE - 1);
      clear(3, 300, { arn: 'A', processingCode: 200_000 }, DUE);
      const payment = paid(DUE, 150_000);
      run(DUE, SECOND - 1);
      expect(book.command({ op: 'return_payment', sequence: payment, fee: 0, note: '' }, at(SECOND - 1)).ok).toBe(true);
      run(SECOND, SECOND);
      expect(waived()).toEqual([300]);
    });
  });

  test('a statement that asked for nothing is paid in full, also when there are too many records to tell what was paid since', () => {
    openWithCard({ interest });
    run(DAY, FIRST);
    expect(statements()).toMatchObject([{ day: FIRST, balance: 0 }]);
    for (let n = 0; n < CYCLE_RECORDS_MAX; n++) clear(10 + n, 100, { arn: `X${n}` }, FIRST + 1);
    run(FIRST + 1, SECOND);
    // Thirty days of 0.1 % of 10 000.00.
    expect([waived(), billed()]).toEqual([[30_000], []]);
    expect(statements()[1]).toMatchObject({ day: SECOND, balance: 100 * CYCLE_RECORDS_MAX });
  });

  test('without grace all of it is billed', () => {
    begin({});
    expect([waived(), billed()]).toEqual([[], [600]]);
    expect(entries(EntryKind.interestAccrued).map(({ note }) => note)).toEqual(['', '', '']);
  });

  describe('with a late fee', () => {
    // Balance 150 600 with all interest; a tenth of it is due.
    const MINIMUM = 15_060;
    beforeEach(() => begin({ lateFee: 1500 }));

    test.each([
      ['the minimum on the due date', [[DUE, MINIMUM]], []],
      [
        'in parts',
        [
          [FIRST + 1, MINIMUM - 1],
          [DUE, 1],
        ],
        [],
      ],
      ['nothing', [], [[DUE + 1, 'late fee', 1500]]],
      ['a cent too little', [[DUE, MINIMUM - 1]], [[DUE + 1, 'late fee', 1500]]],
      ['a day late', [[DUE + 1, MINIMUM]], [[DUE + 1, 'late fee', 1500]]],
    ] as [string, [number, number][], unknown[]][])('paid %s', (_, of, fees) => {
      expect(statements()).toMatchObject([{ balance: 150_600, minimumDue: MINIMUM }]);
      run(FIRST + 1, DUE + 3, (day) => payments(of.filter(([on]) => on === day)));
      expect(lateFees()).toEqual(fees);
      expect(part(0, 1120)).toBe(fees.length * 1500);
    });

    test('a payment that was returned before the accrual is none', () => {
      run(FIRST + 1, DUE - 1);
      const payment = paid(DUE, MINIMUM);
      run(DUE, DUE);
      book.command({ op: 'return_payment', sequence: payment, fee: 0, note: '' }, at(DUE + 1));
      run(DUE + 1, DUE + 1);
      expect(lateFees()).toEqual([[DUE + 1, 'late fee', 1500]]);
    });

    test('is charged once, also when the run comes days later, and not to a closed account', () => {
      run(FIRST + 1, DUE);
      slice(DUE + 5, 100, DUE + 5);
      while (!slice(DUE + 5, 100, DUE + 5).isDone);
      expect(lateFees()).toEqual([[DUE + 1, 'late fee', 1500]]);
      begin({ lateFee: 1500 });
      book.command({ op: 'charge_off', account: 'A', reference: 'c', note: '' }, at(FIRST + 1));
      run(FIRST + 1, DUE + 3);
      expect(lateFees()).toEqual([]);
    });
  });

  test('a slice ends early when it has looked at many records', () => {
    begin({ interest });
    for (let n = 0; n < ACCRUAL_READS_MAX; n++) clear(10 + n, 1, { arn: `X${n}` }, FIRST + 1);
    open('B', DAY);
    run(FIRST + 1, SECOND - 1);
    expect(slice(SECOND)).toMatchObject({ accounts: 1, isDone: false });
    expect(slice(SECOND)).toMatchObject({ accounts: 1, isDone: true });
  });
});
