/** The auditor's sums of acquirers: what lies within what shards had between question and record passes, and nothing else does. */
import { describe, expect, it } from 'vitest';
import { nothing } from '../domain/reference/totals.js';
import type { TotalsCompared } from '../sim/auditor/records.js';
import { type AuditedTotals, TotalsAudit } from '../sim/auditor/totals.js';

const DAY = 20_600;
const FIELDS = [74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 97];
const QUESTION = { 0: '0500', 7: '0527120000', 11: '000007', 15: '0527', 32: '00123', 50: '986' };
const ASKED = { ...QUESTION, 76: '0000000002', 97: `D${'30'.padStart(16, '0')}` };

/** A shard that had debits of this amount, so many. */
function shardOf(shard: number, debits: number, amount: number): AuditedTotals & { debits: number } {
  const one = {
    ...{ shard, debits, timeMs: DAY * 86_400_000 },
    model: {
      totals: () => {
        const sums = { ...nothing(), debits: { number: one.debits, amount: one.debits * amount } };
        const others = { ...nothing(), debits: { number: 9, amount: 900 } };
        return new Map([
          [`1 123 ${DAY} 986`, sums],
          [`2 123 ${DAY} 986`, others],
          [`1 124 ${DAY} 986`, others],
          [`1 123 ${DAY - 1} 986`, others],
          [`1 123 ${DAY} 840`, others],
        ]);
      },
    },
  };
  return one;
}

const figures = (debits: number, amount: number, net: number): number[] =>
  FIELDS.flatMap((field) => [field, { 76: debits, 88: amount, 97: net }[field] ?? 0]);

const record = (over: Partial<TotalsCompared> = {}): TotalsCompared => ({
  ...{ kind: 'totals compared', sequence: 9, atMs: DAY * 86_400_000, mti: 500, link: 1, acquirer: 123, day: DAY },
  ...{ currency: 986, transmission: 527_120_000, stan: 7, equal: 1, theirs: [76, 2, 97, -30] },
  ours: figures(2, 30, -30),
  ...over,
});

/** Shard 0 has one debit of 10, shard 1 one of 20. */
function asked(fields = ASKED): { audit: TotalsAudit; shards: ReturnType<typeof shardOf>[] } {
  const shards = [shardOf(0, 1, 10), shardOf(1, 1, 20)];
  const audit = new TotalsAudit(() => shards);
  audit.asked(1, fields);
  return { audit, shards };
}

const other = figures(3, 40, -40);

describe('a comparison of totals', () => {
  it('passes when it tells the sum of all shards, and its answer says the same', () => {
    const { audit } = asked();
    audit.compared(record());
    const answer = Object.fromEntries(FIELDS.map((field) => [field, '0']));
    const told = { ...answer, 39: '00', 66: '1', 76: '2', 88: '30', 97: 'D30' };
    const question = { link: 1, mti: 501, stan: 7, de7: 527_120_000 };
    audit.answered(question, told, () => ({}));
    for (const wrong of [{ 39: '95' }, { 66: '2' }, { 88: '31' }, { 97: 'C30' }])
      expect(() => audit.answered(question, { ...told, ...wrong }, () => ({}))).toThrow(/^totals: /);
    expect(() => audit.answered({ ...question, stan: 8 }, told, () => ({}))).toThrow(/^reply before durable: /);
    // A refusal rests on nothing.
    audit.answered({ ...question, stan: 8 }, { 39: '91' }, () => ({}));
  });

  it.each([
    ['a figure that no shard had', { ours: figures(2, 31, -31), equal: 0 }, /DE88 is the sum/],
    ['a figure without its net', { ours: figures(2, 30, -29), equal: 0 }, /DE97 is/],
    ['of another day', { day: DAY - 1 }, /the date/],
    ['for another acquirer', { acquirer: 124 }, /acquirer and currency/],
    ['in another currency', { currency: 840 }, /acquirer and currency/],
    ['with other figures of theirs', { theirs: [76, 2] }, /figures of the acquirer/],
    ['that says equal when it is not', { ours: other }, /equal is/],
    ['that says unequal when it is', { equal: 0 }, /equal is/],
    ['without all figures', { ours: [76, 2, 97, -30] }, /figures that we tell/],
    ['of a question that nobody sent', { stan: 8 }, /a question that was sent/],
  ])('fails with one %s', (_, over, rule) => {
    const { audit } = asked();
    expect(() => audit.compared(record(over))).toThrow(rule);
  });

  it('may tell what a shard had before or behind a record in the meantime, also when that was taken back', () => {
    for (const ours of [figures(2, 30, -30), other]) {
      const { audit, shards } = asked();
      shards[0]!.debits++;
      audit.moved(shards[0]!);
      shards[0]!.debits--;
      audit.moved(shards[0]!);
      audit.compared(record({ ours, equal: ours === other ? 0 : 1 }));
    }
  });

  it('is not of what came before the question or behind the record', () => {
    const { audit, shards } = asked();
    expect(() => audit.compared(record({ ours: other, equal: 0 }))).toThrow(/DE76 is the sum/);
    shards[0]!.debits++;
    audit.moved(shards[0]!);
    audit.asked(1, { ...ASKED, 11: '000010' });
    expect(() => audit.compared(record({ stan: 10 }))).toThrow(/DE76 is the sum/);
  });

  it('takes a row that begins while the question is open for nothing until then', () => {
    const shards: AuditedTotals[] = [];
    const audit = new TotalsAudit(() => shards);
    audit.asked(1, ASKED);
    audit.moved(shardOf(0, 2, 15));
    audit.compared(record({ ours: figures(0, 0, 0), equal: 0 }));
    audit.asked(1, { ...ASKED, 11: '000010' });
    audit.moved(shardOf(0, 2, 15));
    audit.compared(record({ stan: 10 }));
  });

  it('comes once for a question and its repeats, and of no question of a process that is gone', () => {
    const { audit } = asked();
    audit.asked(1, { ...ASKED, 0: '0501' });
    audit.compared(record());
    expect(() => audit.compared(record({ mti: 501 }))).toThrow(/compared once/);
    audit.asked(1, { ...ASKED, 11: '000012' });
    audit.restarted();
    expect(() => audit.compared(record({ stan: 12 }))).toThrow(/a question that was sent/);
  });
});
