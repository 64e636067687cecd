import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { DomainFold } from '#src/cli/verify-fold.js';
import { applyEvent } from '#src/domain/apply.js';
import { AccountType, EventKind } from '#src/domain/codes.js';
import { RowCursor } from '#src/domain/columns.js';
import type { AccruedSlice } from '#src/domain/commands.js';
import { isStatementDay, minimumDue } from '#src/domain/decide-accrual.js';
import type { EntryPosted, PlainEvent, StatementClosed } from '#src/domain/events.js';
import { component } from '#src/domain/ledger/chart.js';
import type { AccountBalances } from '#src/domain/ledger/entries.js';
import { EntryKind } from '#src/domain/ledger/entry-kinds.js';
import { INTEREST_UNITS, interestOfDay } from '#src/domain/ledger/interest.js';
import { defaultTables, Policy } from '#src/domain/program/policy.js';
import { SPREAD } from '#src/domain/program/tables.js';
import { ShardState } from '#src/domain/shard-state.js';
import { Table } from '#src/domain/tables.js';
import { Book } from './book.js';

const DAY_MS = 86_400_000;
/** 2026-11-26. */
const DAY = 20_783;
const BRL = 986;
const rates = { purchases: 3650, cash: 7300, fees: 0 };
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
