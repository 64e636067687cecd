/**
 * The table of totals against a naive sum, over days that come and go, and from checkpoints whose rows have different ages.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EventKind } from '#src/domain/codes.js';
import { RowCursor } from '#src/domain/columns.js';
import { StateDigest } from '#src/domain/digest.js';
import { isKept, TOTAL_AMOUNTS, TOTAL_COUNTS, type Total, type TotalsKey } from '#src/domain/totals.js';
import { TOTAL_VALUES, TotalsTable } from '#src/domain/totals-table.js';
import { TOTALS_DAYS_KEPT } from '#src/limits.js';
import { Player } from './histories.js';
import { operation } from './operations.js';

const DAY_MS = 86_400_000;
const FIRST_DAY = 20_000;
const ROW_BYTES = 200;

interface Step {
  readonly key: TotalsKey;
  readonly total: Total;
  readonly number: number;
  readonly amount: number;
  readonly sign: 1 | -1;
  readonly timeMs: number;
  readonly sequence: number;
}

/** Steps of a table: each counts a message of a day near to its own, or takes the last one that counted out again. */
const steps = fc
  .array(
    fc.record({
      link: fc.integer({ min: 0, max: 1 }),
      acquirer: fc.constantFrom(0, 7, 99_999_999_999),
      offset: fc.constantFrom(0, 0, -1, 1, 7, -TOTALS_DAYS_KEPT + 1, -TOTALS_DAYS_KEPT),
      total: fc.integer({ min: 0, max: TOTAL_COUNTS - 1 }),
      amount: fc.integer({ min: 0, max: 999_999_999_999 }),
      later: fc.constantFrom(0, 0, 0, 1, 2, 20, 50),
      out: fc.integer({ min: 0, max: 4 }),
    }),
    { minLength: 1, maxLength: 60, size: 'max' },
  )
  .map((list): Step[] => {
    let day = FIRST_DAY;
    const done: Step[] = [];
    for (const { link, acquirer, offset, total, amount, later, out } of list) {
      day += later;
      const at = { timeMs: day * DAY_MS, sequence: done.length + 1 };
      const last = done.at(-1);
      if (out === 0 && last?.sign === 1) done.push({ ...last, sign: -1, ...at });
      else {
        const key = { link, acquirer, day: day + offset, currency: 986 };
        // Every seventh corrects an amount.
        const number = total < TOTAL_AMOUNTS && amount % 7 === 0 ? 0 : 1;
        done.push({ key, total: total as Total, number, amount: total < TOTAL_AMOUNTS ? amount : 0, sign: 1, ...at });
      }
    }
    return done;
  });

function run(table: TotalsTable, { key, number, amount, total, sign, timeMs, sequence }: Step): void {
  table.add({ ...key, number, amount }, total, sign, { timeMs, sequence });
}

const textOf = ({ link, acquirer, day, currency }: TotalsKey): string => `${link} ${acquirer} ${day} ${currency}`;

/** The sums by key of the days that are kept after the last step. */
function naive(done: readonly Step[]): Map<string, number[]> {
  const last = Math.floor(done.at(-1)!.timeMs / DAY_MS);
  const sums = new Map<string, number[]>();
  for (const { key, total, number, amount, sign } of done) {
    if (key.day < last - TOTALS_DAYS_KEPT) continue;
    const row = sums.get(textOf(key)) ?? new Array<number>(TOTAL_VALUES).fill(0);
    row[total] = row[total]! + sign * number;
    if (total < TOTAL_AMOUNTS) row[TOTAL_COUNTS + total] = row[TOTAL_COUNTS + total]! + sign * amount;
    sums.set(textOf(key), row);
  }
  return sums;
}

function read(table: TotalsTable, key: TotalsKey): number[] {
  const values = new Float64Array(TOTAL_VALUES);
  table.read(key, values);
  return [...values];
}

function expectNaive(table: TotalsTable, done: readonly Step[]): void {
  const sums = naive(done);
  expect(table.count).toBe(sums.size);
  for (const { key } of done) {
    expect(read(table, key)).toEqual(sums.get(textOf(key)) ?? new Array<number>(TOTAL_VALUES).fill(0));
  }
}

describe('the table of totals', () => {
  test('is the naive sum of what is kept, whatever comes and goes', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const table = new TotalsTable(new StateDigest());
        list.forEach((step, index) => {
          run(table, step);
          expectNaive(table, list.slice(0, index + 1));
        });
      }),
      { numRuns: 100 },
    );
  });

  test('comes back from rows of any mix of ages, crash after crash, with the same digest', () => {
    let dropped = 0;
    const plan = fc.array(fc.record({ rows: fc.integer({ min: 0, max: 3 }), crash: fc.integer({ min: 0, max: 5 }) }), {
      minLength: 60,
      maxLength: 60,
    });
    fc.assert(
      fc.property(steps, plan, (list, turns) => {
        const live = new StateDigest();
        const liveTable = new TotalsTable(live);
        let table = new TotalsTable(new StateDigest());
        const rows = new Map<number, Uint8Array>();
        let replayFrom = 1;
        let passAt = 0;
        list.forEach((step, index) => {
          const before = liveTable.count;
          run(liveTable, step);
          run(table, step);
          if (liveTable.count < before) dropped++;
          const { rows: limit, crash } = turns[index]!;
          if (limit > 0) {
            if (passAt === 0) {
              table.dirty.startPass();
              passAt = step.sequence;
            }
            table.dirty.take(limit, (place) => {
              const cursor = new RowCursor().attach(new Uint8Array(ROW_BYTES), 0);
              table.writeRow(place, cursor);
              rows.set(place, cursor.bytes.slice(0, cursor.at));
            });
            if (table.dirty.passDone) {
              replayFrom = passAt + 1;
              passAt = 0;
            }
          }
          if (crash > 0) return;
          passAt = 0;
          const digest = new StateDigest();
          table = new TotalsTable(digest);
          for (const [place, bytes] of rows) table.readRow(place, new RowCursor().attach(bytes, 0));
          for (const done of list.slice(replayFrom - 1, index + 1)) run(table, done);
          expect([digest.high, digest.low]).toEqual([live.high, live.low]);
          expectNaive(table, list.slice(0, index + 1));
        });
      }),
      { numRuns: 400 },
    );
    expect(dropped).toBeGreaterThan(100);
  });

  test('an amount beyond 2^53 stays there, and a row of another version is refused', () => {
    const table = new TotalsTable(new StateDigest());
    const key = { link: 1, acquirer: 7, day: FIRST_DAY, currency: 986 };
    const full = { ...key, number: 1, amount: Number.MAX_SAFE_INTEGER };
    for (const sequence of [1, 2]) table.add(full, 0, 1, { sequence, timeMs: FIRST_DAY * DAY_MS });
    expect(read(table, key)[TOTAL_COUNTS]).toBe(Number.MAX_SAFE_INTEGER);
    const row = new RowCursor().attach(new Uint8Array(ROW_BYTES), 0);
    table.writeRow(0, row);
    row.bytes[0] = 9;
    expect(() => new TotalsTable(new StateDigest()).readRow(0, row.attach(row.bytes, 0))).toThrow(/version/);
  });
});

test('over random histories every approval is counted once, and taken out when it was not delivered', () => {
  let counted = 0;
  for (const ops of fc.sample(fc.array(operation, { maxLength: 60, size: 'max' }), { numRuns: 200, seed: 7 })) {
    const player = new Player();
    player.play(ops);
    const { history, state } = player.book;
    const authorizations = new Map<string, number>();
    const keys = new Map<string, TotalsKey>();
    const add = (key: TotalsKey, by: number): void => {
      keys.set(textOf(key), key);
      authorizations.set(textOf(key), (authorizations.get(textOf(key)) ?? 0) + by);
    };
    // Authorizations of requests alone: what the network decided is a matter of the table scenarios.
    for (const event of history.events) {
      if (event.kind === EventKind.notDelivered) {
        if (event.counted?.total === 5) add(event.counted, -1);
        continue;
      }
      if (event.kind !== EventKind.message) continue;
      const { input, element, accountSlot } = event;
      if (input.mti > 199 || accountSlot < 0 || !isKept(input.businessDay, event.timeMs)) continue;
      const code = String.fromCharCode(event.response >> 8, event.response & 0xff);
      const isAdvice = input.mti >= 120;
      if (element === 3 || (isAdvice ? event.approvedAmount === 0 : !['00', '10', '85'].includes(code))) continue;
      const acquirer = Number(input.textOf(0)) || 0;
      add({ link: input.link, acquirer, day: input.businessDay, currency: input.currency }, 1);
      counted++;
    }
    const today = Math.floor(player.nowMs / DAY_MS);
    for (const [text, key] of keys) {
      if (key.day < today - TOTALS_DAYS_KEPT) continue;
      const values = new Float64Array(TOTAL_VALUES);
      state.totals.read(key, values);
      expect([text, values[5]]).toEqual([text, authorizations.get(text)]);
    }
  }
  expect(counted).toBeGreaterThan(200);
});
