/** The network in a box: its file is one that posts, the same seed makes the same bytes, and the plan tells what was planted. */
import { describe, expect, it, test } from 'vitest';
import { type BoxDay, boxFileId, writeDay } from '#src/clearing/box/day.js';
import { checkShares, type DayPlan, type Extra, type Shares, type Treatment } from '#src/clearing/box/shares.js';
import { type ClearingReport, clearingRecords, readClearing } from '#src/clearing/reader.js';
import { type ClearingRecord, copyRecord } from '#src/clearing/record.js';
import { authorizationOf, BRL, DAY } from './box-data.js';

const authorizations = Array.from({ length: 3000 }, (_, n) => authorizationOf(n));
const everything: Shares = {
  ...{ missing: 0.03, late: 0.03, unknownCard: 0.02, alteredAmount: 0.02, alteredCurrency: 0.02, splits: 0.05 },
  ...{ tips: 0.2, cash: 0.04, duplicates: 0.01, refunds: 0.03, forced: 0.02 },
  ...{ strayReversals: 0.01, presentedAgain: 0.012, invalid: 0.014 },
};
const shape = { encoding: 'cp500', blocked: true, mode: 'T' } as const;

type Counts = Record<Treatment | Extra | 'plain', number>;

interface Made {
  readonly bytes: Buffer;
  readonly plan: DayPlan;
}

function made(over: Partial<BoxDay> = {}): Made {
  const parts: Uint8Array[] = [];
  const day = { authorizations, seed: 7, shares: everything, day: DAY, cycle: 1, ...over };
  const plan = writeDay(day, shape, (bytes) => parts.push(bytes.slice()));
  return { bytes: Buffer.concat(parts), plan };
}

const reading = { format: 'ipm', ...shape } as const;
const checked = ({ bytes }: Made): Promise<ClearingReport> => readClearing([bytes], reading);

async function recordsOf({ bytes }: Made): Promise<ClearingRecord[]> {
  const records: ClearingRecord[] = [];
  for await (const record of clearingRecords([bytes], reading)) records.push(copyRecord(record));
  return records;
}

describe('the file of a day', () => {
  it('keeps every rule of clearing files', async () => {
    const day = made();
    const report = await checked(day);
    expect(report.findings).toEqual([]);
    expect(report.accepted).toBe(true);
    expect(report.fileId).toBe(day.plan.fileId);
    const again = day.plan.counts.presentedAgain!;
    expect([report.messages['1240/200'], report.messages['1240/205']]).toEqual([day.plan.presentments - again, again]);
  });

  it('has totals of the network that are those of its records', async () => {
    const day = made();
    const records = await recordsOf(day);
    const rows = records.filter(({ kind }) => kind === 'financial_position').map(({ totals }) => totals!);
    const names = rows.map(
      ({ messages, processingCode, reversalFlag }) => `${messages} ${processingCode} ${reversalFlag}`,
    );
    expect([...names].sort()).toEqual([
      ...['1240200 00 O', '1240200 00 R', '1240200 01 O', '1240200 19 O', '1240200 20 O', '1240205 00 O'],
    ]);
    const [settled] = (await checked(day)).settlements;
    const net = rows.reduce((sum, { netAmount }) => sum + netAmount, 0);
    expect(BigInt(net)).toBe(settled!.credits - settled!.debits);
    expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(day.plan.presentments);
    for (const { netAmount, netFee, netTotal } of rows) expect(netTotal).toBe(netAmount + netFee);
    // Purchases earn, cash and refunds cost.
    const signs = rows.map(({ netAmount, netFee }) => [Math.sign(netAmount), Math.sign(netFee)]);
    expect(Object.fromEntries(names.map((name, n) => [name, signs[n]]))).toEqual({
      ...{ '1240200 00 O': [-1, 1], '1240205 00 O': [-1, 1], '1240200 19 O': [-1, 1] },
      ...{ '1240200 00 R': [1, -1], '1240200 01 O': [-1, -1], '1240200 20 O': [1, -1] },
    });
    expect(rows.reduce((sum, { netFee }) => sum + netFee, 0)).toBe(Number(settled!.earned));
  });

  it('is the same for the same seed, and another for another', () => {
    const first = made();
    const again = made();
    expect(again.bytes.equals(first.bytes)).toBe(true);
    expect(JSON.stringify(again.plan)).toBe(JSON.stringify(first.plan));
    expect(made({ seed: 8 }).bytes.equals(first.bytes)).toBe(false);
  });

  it('decides about an authorization whatever the others are', () => {
    const half = authorizations.filter((_, n) => n % 2 === 0);
    const ofHalf = new Set(half.map(({ id }) => id));
    const names = ({ plan }: Made): string[] =>
      plan.breaks.filter(({ authorization }) => ofHalf.has(authorization)).map((b) => `${b.type} ${b.authorization}`);
    expect(names(made({ authorizations: half })).sort()).toEqual(names(made()).sort());
  });
});

describe('the plan', () => {
  it('counts what was done, about as often as asked', () => {
    const { plan } = made();
    const counts = plan.counts as Counts;
    const treated: Treatment[] = [
      'missing',
      'late',
      'unknownCard',
      'alteredAmount',
      'alteredCurrency',
      'splits',
      'tips',
      'cash',
    ];
    expect(treated.reduce((sum, name) => sum + counts[name], counts.plain)).toBe(3000);
    for (const [name, share] of Object.entries(everything) as [Treatment | Extra, number][]) {
      // A third of the merchants are tipped.
      const expected = 3000 * (name === 'tips' ? share / 3 : share);
      expect(counts[name], name).toBeGreaterThan(expected * 0.6);
      expect(counts[name], name).toBeLessThan(expected * 1.4);
    }
    expect(plan.heldBack.length).toBe(counts.late);
    const { missing, unknownCard, splits, refunds, forced, duplicates, late } = counts;
    const { strayReversals, presentedAgain, invalid } = counts;
    const more = splits + refunds + forced + duplicates + strayReversals + presentedAgain + invalid;
    expect(plan.presentments).toBe(3000 - missing - late + more);
    const types = new Map<string, number>();
    for (const { type } of plan.breaks) types.set(type, (types.get(type) ?? 0) + 1);
    expect(Object.fromEntries(types)).toEqual({
      authorized_not_cleared: missing + unknownCard,
      card_mismatch: unknownCard,
      amount_mismatch: counts.alteredAmount,
      currency_mismatch: counts.alteredCurrency,
      cleared_without_authorization: forced,
      duplicate_presentment: duplicates,
      reversal_without_original: strayReversals + presentedAgain,
      record_not_posted: invalid,
    });
  });

  it('names the record of every break that has one', async () => {
    const day = made();
    const records = new Map((await recordsOf(day)).map((record) => [record.recordNumber, record]));
    const first = new Map<string, number>();
    for (const { arn, recordNumber } of records.values()) if (!first.has(arn)) first.set(arn, recordNumber);
    const byId = new Map(authorizations.map((one) => [one.id, one]));
    for (const { type, record: number, authorization: id, amount } of day.plan.breaks) {
      const record = records.get(number);
      const authorization = byId.get(id);
      switch (type) {
        case 'authorized_not_cleared':
          expect([number, amount]).toEqual([0, authorization!.billingAmount]);
          break;
        case 'card_mismatch':
          expect(record!.pan).not.toBe(authorization!.pan);
          expect(record!.billingAmount).toBe(amount);
          break;
        case 'amount_mismatch':
          expect(record!.billingAmount - authorization!.billingAmount).toBe(amount);
          break;
        case 'currency_mismatch':
          expect([record!.currency, record!.billingCurrency]).toEqual([978, BRL]);
          break;
        case 'duplicate_presentment':
          expect(first.get(record!.arn)).toBeLessThan(number);
          break;
        case 'reversal_without_original':
          expect(record!.reversal).toBe(record!.kind === 'first_presentment');
          expect([first.get(record!.arn), record!.billingAmount, id]).toEqual([number, amount, '']);
          break;
        case 'record_not_posted':
          expect([record!.processingCode, record!.billingAmount]).toEqual(['190000', amount]);
          break;
        default:
          expect(type).toBe('cleared_without_authorization');
          expect([record!.approvalCode, record!.rrn, record!.networkId]).toEqual(['', '', '']);
      }
    }
    expect.hasAssertions();
  });

  it('has a file that never comes, and what that makes of the settlement, when asked', async () => {
    const day = made({ shares: {}, missingFile: true });
    const [{ amount }, ...others] = day.plan.breaks as [{ amount: number }, unknown];
    const planted = ['missing_file', 'trailer_mismatch', 'settlement_not_file'].map((type) => ({ type, amount }));
    expect([{ type: 'missing_file', amount }, ...others]).toMatchObject(planted);
    const records = await recordsOf(day);
    const named = records.filter(({ totals }) => totals?.fileId === boxFileId(DAY, 2));
    expect(named.map(({ totals, settlement }) => [totals!.netTotal, settlement!.settlementCycle])).toEqual([
      [0 - amount, 2],
    ]);
    expect((await checked(day)).accepted).toBe(true);
    expect(made({ shares: {} }).plan.breaks).toEqual([]);
    expect(() => made({ missingFile: true, cycle: 9 })).toThrow(RangeError);
  });

  it('presents what an earlier day kept back', () => {
    const { plan } = made({ authorizations: [], earlier: authorizations.slice(0, 5), shares: {}, cycle: 2 });
    expect(plan.breaks.map(({ type, record, authorization }) => [type, record, authorization])).toEqual(
      [0, 1, 2, 3, 4].map((n) => ['late_presentment', n + 2, `0-${n}`]),
    );
    expect(plan.fileId).toBe(boxFileId(DAY, 2));
  });
});

test.each<[string, Shares]>([
  ['missing', { missing: 1.1 }],
  ['refunds', { refunds: -0.1 }],
  ['tips', { tips: Number.NaN }],
  ['together', { missing: 0.6, cash: 0.6 }],
])('a share that cannot be is refused: %s', (name, shares) => {
  expect(() => checkShares(shares)).toThrow(RangeError);
  expect(() => checkShares(shares)).toThrow(name);
});

test('a cycle that no file id has room for is refused', () => {
  expect(() => made({ cycle: 10 })).toThrow(RangeError);
});
