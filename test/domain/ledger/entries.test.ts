import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EntryLeg, Posting } from '#src/domain/events.js';
import { CHART } from '#src/domain/ledger/chart.js';
import * as entries from '#src/domain/ledger/entries.js';
import { subAccount } from '#src/domain/ledger/sub-account.js';

const BRL = 986;
const USD = 840;
const SUB = subAccount({ network: 1, day: 20_783, cycle: 2 });

/** An account in reais by its parts, D positive. */
const account = (parts: Partial<Record<number, number>> = {}): entries.AccountBalances => ({
  currency: BRL,
  balance: (glAccount) => parts[glAccount] ?? 0,
});
const brl = (amount: number): entries.Money => ({ amount, currency: BRL });

/** `D 1100 500 · C 2100 500 @`; another currency than reais is named, a sub-account is an @. */
function text(legs: readonly (Posting | EntryLeg)[]): string {
  return legs
    .map((leg) => {
      const currency = 'currency' in leg && leg.currency !== BRL ? ` ${leg.currency}` : '';
      const sub = 'sub' in leg && leg.sub !== 0 ? ' @' : '';
      return `${leg.amount > 0 ? 'D' : 'C'} ${leg.glAccount} ${Math.abs(leg.amount)}${currency}${sub}`;
    })
    .join(' · ');
}

/** Everything that is owed of each kind, and nothing in credit. */
const debtor = account({ 1100: 1000, 1110: 300, 1120: 20, 1130: 7, 1131: 3 });
const settled = { amount: 100, currency: BRL, sub: SUB };
const abroad = { amount: 20, currency: USD, sub: SUB };
const TRANSIT = 'D 1310 2000 · C 2300 2000 · D 2300 2000';

describe('legs of', () => {
  const rows: [event: string, legs: readonly (Posting | EntryLeg)[], expected: string][] = [
    ['8 provisional credit', entries.provisionalCreditLegs(debtor, 400), 'D 1200 400 · C 1100 400'],
    ['8 of what is paid', entries.provisionalCreditLegs(account(), 400), 'D 1200 400 · C 2200 400'],
    [
      '8 of what is paid in part',
      entries.provisionalCreditLegs(account({ 1100: 150, 1110: 900 }), 400),
      'D 1200 400 · C 1100 150 · C 2200 250',
    ],
    ['9 chargeback', entries.chargebackLegs(brl(100), settled, 2), 'D 2100 100 @ · C 1200 100 · D 4100 2 · C 2100 2 @'],
    [
      '9 settled in dollars',
      entries.chargebackLegs(brl(100), abroad, 1),
      'D 2100 20 840 @ · C 1500 20 840 · D 1500 100 · C 1200 100 · D 4100 1 840 · C 2100 1 840 @',
    ],
    ['9 without interchange', entries.chargebackLegs(brl(100), settled, 0), 'D 2100 100 @ · C 1200 100'],
    [
      '10 second presentment',
      entries.secondPresentmentLegs(brl(100), settled, 2),
      'D 1200 100 · C 2100 100 @ · D 2100 2 @ · C 4100 2',
    ],
    [
      '10 settled in dollars',
      entries.secondPresentmentLegs(brl(100), abroad, 1),
      'D 1200 100 · C 2100 20 840 @ · D 1500 20 840 · C 1500 100 · D 2100 1 840 @ · C 4100 1 840',
    ],
    ['11 dispute lost', entries.disputeLostLegs(brl(100)), 'D 1100 100 · C 1200 100'],
    ['11 dispute absorbed', entries.disputeWrittenOffLegs(brl(100)), 'D 5200 100 · C 1200 100'],
    [
      '12 payment in waterfall order',
      entries.paymentLegs(debtor, 2000),
      `${TRANSIT} · C 1130 7 · C 1120 20 · C 1110 300 · C 1100 1000 · C 2200 673`,
    ],
    ['12 payment of less', entries.paymentLegs(debtor, 10), 'D 1310 10 · C 2300 10 · D 2300 10 · C 1130 7 · C 1120 3'],
    [
      '12 after a charge-off',
      entries.paymentLegs(account({ 1100: 5, 5300: 1900 }), 2000),
      `${TRANSIT} · C 1100 5 · C 5300 1900 · C 2200 95`,
    ],
    [
      '13 payment returned',
      entries.mirrorLegs(account({ 2200: -673 }), entries.paymentLegs(debtor, 2000)),
      'C 1310 2000 · D 2300 2000 · C 2300 2000 · D 1130 7 · D 1120 20 · D 1110 300 · D 1100 1000 · D 2200 673',
    ],
    [
      '13 of what was paid out since',
      entries.mirrorLegs(account({ 2200: -73 }), entries.paymentLegs(account(), 100)),
      'C 1310 100 · D 2300 100 · C 2300 100 · D 2200 73 · D 1100 27',
    ],
    ['14 fee', entries.feeLegs(brl(20)), 'D 1120 20 · C 4300 20'],
    ['14 waiver', entries.mirrorLegs(debtor, entries.feeLegs(brl(20))), 'C 1120 20 · D 4300 20'],
    [
      '14 waiver of what is paid in part',
      entries.mirrorLegs(account({ 1120: 15 }), entries.feeLegs(brl(20))),
      'C 1120 15 · C 2200 5 · D 4300 20',
    ],
    ['15 interest of a day', entries.interestAccruedLegs(brl(3)), 'D 1131 3 · C 4200 3'],
    ['15 interest billed', entries.interestBilledLegs(brl(3)), 'D 1130 3 · C 1131 3'],
    ['16 network fee', entries.networkFeeLegs({ ...settled, amount: 9 }), 'D 5100 9 · C 2100 9 @'],
    ['16 credited', entries.networkFeeLegs({ ...settled, amount: -9 }), 'C 5100 9 · D 2100 9 @'],
    ['17 settlement', entries.settlementLegs(settled, 0), 'D 2100 100 @ · C 1300 100'],
    ['17 that we get', entries.settlementLegs({ ...settled, amount: -100 }, 0), 'C 2100 100 @ · D 1300 100'],
    ['17 short by 2', entries.settlementLegs(settled, 2), 'D 2100 102 @ · C 1300 100 · C 5900 2'],
    ['17 over by 2', entries.settlementLegs(settled, -2), 'D 2100 98 @ · C 1300 100 · D 5900 2'],
    ['18 suspense lost', entries.suspenseLostLegs(brl(100)), 'D 5200 100 · C 1390 100'],
    ['19 credit refunded', entries.creditBalanceRefundedLegs(brl(100)), 'D 2200 100 · C 1310 100'],
    [
      '20 charge-off',
      entries.chargeOffLegs(debtor),
      'D 5300 1327 · C 1130 7 · C 1120 20 · C 1110 300 · C 1100 1000 · D 4200 3 · C 1131 3',
    ],
    [
      '20 with something in credit',
      entries.chargeOffLegs(account({ 1100: 1000, 2200: -400 })),
      'D 5300 600 · D 2200 400 · C 1100 1000',
    ],
    ['20 of nothing', entries.chargeOffLegs(account({ 1100: 400, 1131: 3, 2200: -400 })), ''],
    ['20 recovery', entries.recoveryLegs(brl(50)), 'D 1310 50 · C 5300 50'],
  ];
  test.each(rows)('%s', (_event, legs, expected) => {
    expect(text(legs)).toBe(expected);
  });
});

describe('what may be paid out', () => {
  test.each([
    [{}, 0],
    [{ 2200: -500 }, 500],
    [{ 2200: -500, 1100: 100, 1120: 50, 1131: 9 }, 350],
    [{ 2200: -500, 1100: 900 }, 0],
  ])('of %j is %i', (parts, expected) => {
    expect(entries.refundable(account(parts))).toBe(expected);
  });
});

test('every entry balances per currency, names accounts of the chart, has no leg of zero and takes no receivable below zero', () => {
  const some = fc.integer({ min: 0, max: 1_000_000 });
  const above = fc.integer({ min: 1, max: 1_000_000 });
  const parts = fc.record({ 1100: some, 1110: some, 1120: some, 1130: some, 1131: some, 5300: some, 2200: some });
  fc.assert(
    fc.property(parts, above, above, some, fc.constantFrom(BRL, USD), (owed, amount, paid, small, currency) => {
      const of = account({ ...owed, 2200: -owed[2200] });
      const sent = { amount: currency === BRL ? amount : paid, currency, sub: SUB };
      const payment = entries.paymentLegs(account({ 1100: small, 1120: small }), amount);
      const all: readonly (Posting | EntryLeg)[][] = [
        entries.provisionalCreditLegs(of, amount),
        entries.chargebackLegs(brl(amount), sent, small),
        entries.secondPresentmentLegs(brl(amount), sent, small),
        entries.paymentLegs(of, amount),
        entries.mirrorLegs(of, payment),
        entries.mirrorLegs(of, entries.feeLegs(brl(amount))),
        entries.mirrorLegs(of, entries.provisionalCreditLegs(account({ 1100: small }), amount)),
        entries.settlementLegs(sent, small - 500),
        entries.chargeOffLegs(of),
      ];
      for (const legs of all) {
        const sums = new Map<number, number>();
        const after = new Map<number, number>();
        for (const leg of legs) {
          expect(leg.amount).not.toBe(0);
          expect(CHART).toContain(leg.glAccount);
          const code = 'currency' in leg ? leg.currency : BRL;
          sums.set(code, (sums.get(code) ?? 0) + leg.amount);
          after.set(leg.glAccount, (after.get(leg.glAccount) ?? of.balance(leg.glAccount as 1100)) + leg.amount);
        }
        expect([...sums.values()].every((sum) => sum === 0)).toBe(true);
        for (const receivable of entries.WATERFALL) expect(after.get(receivable) ?? 0).toBeGreaterThanOrEqual(0);
        expect(after.get(2200) ?? 0).toBeLessThanOrEqual(0);
      }
    }),
  );
});
