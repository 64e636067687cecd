import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RowCursor } from '#src/domain/columns.js';
import { StateDigest } from '#src/domain/digest.js';
import { SUB_ACCOUNT_MAX, settlementOf, subAccount } from '#src/domain/ledger/sub-account.js';
import { LedgerTotals } from '#src/domain/ledger/totals.js';
import { MessageInput } from '#src/domain/message.js';
import { Book, heldTotal } from '../book.js';

interface Leg {
  currency: number;
  glAccount: number;
  sub: number;
  amount: number;
}

const leg: fc.Arbitrary<Leg> = fc.record({
  currency: fc.constantFrom(360, 704, 986),
  glAccount: fc.constantFrom(1100, 2100, 9100, 9199),
  sub: fc.constantFrom(0, 0, subAccount({ network: 1, day: 20_783, cycle: 0 }), SUB_ACCOUNT_MAX),
  amount: fc
    .oneof(
      fc.integer({ min: 0, max: 999_999_999_999 }),
      fc.constantFrom(2 ** 52, 2 ** 53 - 1, 2 ** 53 - 2, 1),
      fc.maxSafeNat(),
    )
    .chain((size) => fc.constantFrom(size, 0 - size)),
});

const ofTotals = (totals: LedgerTotals): Map<string, [bigint, bigint]> => {
  const rows = new Map<string, [bigint, bigint]>();
  totals.forEach(
    (currency, glAccount, debit, credit, sub) => void rows.set(`${currency} ${glAccount} ${sub}`, [debit, credit]),
  );
  return rows;
};

/** All rows through their checkpoint form into a new table. */
function restored(totals: LedgerTotals, digest: StateDigest): LedgerTotals {
  const into = new LedgerTotals(digest);
  const bytes = new Uint8Array(64);
  totals.dirty.take(1000, (row) => {
    const cursor = new RowCursor().attach(bytes, 0);
    totals.writeRow(row, cursor);
    const length = cursor.at;
    into.readRow(totals.keyOf(row), new RowCursor().attach(bytes, 0), length);
  });
  return into;
}

describe('turnovers of the ledger', () => {
  test('are exact at any size, also through a checkpoint, and the digest tells them apart', () => {
    fc.assert(
      fc.property(fc.array(leg, { minLength: 1, maxLength: 60 }), (legs) => {
        const digest = new StateDigest();
        const totals = new LedgerTotals(digest);
        const exact = new Map<string, [bigint, bigint]>();
        legs.forEach(({ currency, glAccount, sub, amount }, i) => {
          totals.post(totals.row(currency, glAccount, sub), amount, i + 1);
          const place = `${currency} ${glAccount} ${sub}`;
          const sum = exact.get(place) ?? [0n, 0n];
          sum[amount >= 0 ? 0 : 1] += BigInt(Math.abs(amount));
          exact.set(place, sum);
        });
        for (const [place, [debit, credit]] of exact) if (debit === 0n && credit === 0n) exact.delete(place);
        expect(ofTotals(totals)).toEqual(exact);
        const again = new StateDigest();
        const copy = restored(totals, again);
        expect(ofTotals(copy)).toEqual(exact);
        expect([again.high, again.low]).toEqual([digest.high, digest.low]);
        // 2^53 more, and units as before: only the carries differ.
        const { currency, glAccount } = legs[0]!;
        const row = totals.row(currency, glAccount);
        for (const half of [1, 2]) totals.post(row, 2 ** 52, legs.length + half);
        expect([digest.high, digest.low]).not.toEqual([again.high, again.low]);
      }),
      { numRuns: 300 },
    );
  });

  test('of a sub-account are apart from those of its chart account, and its number names one settlement', () => {
    const totals = new LedgerTotals(new StateDigest());
    const settlement = { network: 1, day: 20_783, cycle: 3 };
    const sub = subAccount(settlement);
    expect(settlementOf(sub)).toEqual(settlement);
    expect(settlementOf(SUB_ACCOUNT_MAX)).toEqual({ network: 255, day: 65_535, cycle: 15 });
    totals.post(totals.row(840, 2100, sub), -700, 1);
    totals.post(totals.row(840, 2100), -5, 2);
    expect(ofTotals(totals)).toEqual(
      new Map([
        ['840 2100 0', [0n, 5n]],
        [`840 2100 ${sub}`, [0n, 700n]],
      ]),
    );
    const place = totals.row(840, 2100, sub);
    expect(totals.rowOfKey(totals.keyOf(place))).toBe(place);
    for (const wrong of [
      { network: 0, day: 1, cycle: 0 },
      { network: 1, day: 65_536, cycle: 0 },
      { network: 1, day: 1, cycle: 16 },
    ]) {
      expect(() => subAccount(wrong)).toThrow(/make no sub-account/);
    }
  });

  test('of a row that was written before there were carries are read as they are', () => {
    const bytes = new Uint8Array(25);
    const view = new DataView(bytes.buffer);
    bytes[0] = 1;
    for (const [i, value] of [700, 300, 12].entries()) view.setFloat64(1 + i * 8, value, true);
    const digest = new StateDigest();
    const totals = new LedgerTotals(digest);
    totals.readRow(9_869_100, new RowCursor().attach(bytes, 0), 25);
    expect(ofTotals(totals)).toEqual(new Map([['986 9100 0', [700n, 300n]]]));
    totals.post(totals.row(986, 9100), 50, 12);
    expect(ofTotals(totals).get('986 9100 0')).toEqual([700n, 300n]);
    totals.post(totals.row(986, 9100), 50, 13);
    expect(ofTotals(totals).get('986 9100 0')).toEqual([750n, 300n]);
    expect(() => totals.readRow(9_869_199, new RowCursor().attach(bytes, 0), 24)).toThrow(/24 bytes/);
  });

  test('beyond 2^53 of ordinary traffic stop nothing: 9 100 of the largest purchases, each reversed', () => {
    const book = new Book();
    const now = Date.UTC(2026, 4, 20);
    const creditLimit = 1_000_000_000_000;
    book.command({ op: 'create_account', id: 'A', program: 0, currency: 360, creditLimit, type: 1 }, now);
    book.command(
      {
        ...{ op: 'create_card', account: 'A', fingerprint: [1, 2, 3], bin: 999999, last4: 1, panLength: 16 },
        ...{ expiry: 2912, cardSequence: 1, serviceCode: 201, status: 2, replacesSlot: -1 },
      },
      now,
    );
    const input = new MessageInput();
    input.processingCode = 0;
    input.amount = 999_999_999_999;
    input.currency = 360;
    for (let stan = 0; stan < 9100; stan++) {
      input.stan = stan;
      input.transmission =
        520_000_000 + Math.floor(stan / 3600) * 10_000 + (Math.floor(stan / 60) % 60) * 100 + (stan % 60);
      for (const mti of [100, 400]) {
        input.mti = mti;
        expect(book.message(input, 0, now).response).toBe('00');
      }
    }
    expect(heldTotal(book.state)).toBe(0);
    const turnover = 9100n * 999_999_999_999n;
    expect(ofTotals(book.state.ledger)).toEqual(
      new Map([
        ['360 9100 0', [turnover, turnover]],
        ['360 9199 0', [turnover, turnover]],
      ]),
    );
  });
});
