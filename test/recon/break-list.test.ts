/** What a run lists of its breaks, and what it only counts; and how many authorizations it compares. */
import { expect, test } from 'vitest';
import { EventKind } from '#src/domain/codes.js';
import { MessageEvent } from '#src/domain/events.js';
import { BreakList, ReconTooLarge, without } from '#src/recon/break-list.js';
import { type Break, type BreakType, breakOf } from '#src/recon/breaks.js';
import { SettlementSums } from '#src/recon/settlements.js';
import { ShardComparison } from '#src/recon/shard.js';
import { SuspenseItems } from '#src/recon/standing.js';
import { ResolvedSuspense } from '#src/recon/suspense.js';

const AS_OF = 100;
const SINCE = 40;

function one(type: BreakType, day: number, record = 1, settled = 0): Break {
  const settlement = { network: 1, day: settled, cycle: 1, currency: 986 };
  return breakOf(type, 'same', { amount: 5, currency: 986, day }, AS_OF, {
    clearing: { file: 'F', record },
    settlement,
  });
}

test('breaks behind the first ones are counted and not listed; sums are always listed', () => {
  const list = new BreakList(SINCE, 2);
  for (let record = 1; record <= 5; record++) list.add(one('card_mismatch', 99, record));
  list.addSum(one('missing_file', 90));
  expect(list.sorted.map(({ type, clearing }) => [type, clearing!.record])).toEqual([
    ...['card_mismatch', 'card_mismatch'].map((type) => [type, expect.any(Number)]),
    ['missing_file', 1],
  ]);
  expect(new Set(list.sorted.map(({ clearing }) => clearing!.record))).toEqual(new Set([1, 2]));
  expect(list.leftOut).toBe(3);
  const counts = [
    { type: 'card_mismatch', age: '0-1', count: 5 },
    { type: 'missing_file', age: '6-10', count: 1 },
  ];
  expect(list.counts).toEqual(counts);
  // Less one of them and the other one, which is the last of its kind.
  expect(without(list.counts, [one('card_mismatch', 99), one('missing_file', 90)])).toEqual([
    { type: 'card_mismatch', age: '0-1', count: 4 },
  ]);
});

test('what is older than a run looks back, or of an older settlement, is not even counted', () => {
  const list = new BreakList(SINCE);
  list.add(one('card_mismatch', SINCE - 1));
  list.addSum(one('settlement_not_file', 99, 1, SINCE - 1));
  expect([list.sorted, list.counts, list.leftOut]).toEqual([[], [], 0]);
  list.add(one('card_mismatch', SINCE));
  list.addSum(one('settlement_not_file', 99, 1, SINCE));
  expect(list.sorted.length).toBe(2);
});

test('what is none after all is taken back, and is counted no more', () => {
  const list = new BreakList(SINCE);
  list.add(one('card_mismatch', SINCE));
  list.add(one('amount_mismatch', SINCE));
  list.drop(({ type }) => type === 'card_mismatch');
  expect(list.sorted.map(({ type }) => type)).toEqual(['amount_mismatch']);
  expect(list.counts).toMatchObject([{ type: 'amount_mismatch', count: 1 }]);
});

test('what is none after all is counted no more when it was not listed, either', () => {
  const list = new BreakList(SINCE, 1);
  for (const type of ['amount_mismatch', 'card_mismatch', 'card_mismatch', 'currency_mismatch'] as const)
    list.addUncertain(one(type, SINCE));
  list.add(one('card_mismatch', SINCE));
  expect(list.leftOut).toBe(4);
  let asked = 0;
  list.drop(({ type }) => type === 'card_mismatch' && ++asked <= 2);
  expect(list.sorted.map(({ type }) => type)).toEqual(['amount_mismatch']);
  expect([list.leftOut, list.counts.map(({ type, count }) => [type, count])]).toEqual([
    2,
    [
      ['amount_mismatch', 1],
      ['currency_mismatch', 1],
      ['card_mismatch', 1],
    ],
  ]);
});

test('a shard with more authorizations than a run may compare ends it', () => {
  const shared = {
    ...{ sums: new SettlementSums(AS_OF, SINCE), breaks: new BreakList(SINCE) },
    ...{ resolved: new ResolvedSuspense(), suspense: new SuspenseItems(SINCE) },
  };
  const records = new ShardComparison(3, AS_OF, shared, 2);
  const authorization = (sequence: number): MessageEvent =>
    Object.assign(new MessageEvent(), { kind: EventKind.message, sequence, holdDelta: 10, authorizedAfter: 10 });
  records.message(authorization(1));
  records.message(authorization(2));
  // One that is given back whole needs no room.
  records.message(Object.assign(authorization(4), { originalSequence: 2, holdDelta: -10, authorizedAfter: 0 }));
  records.message(authorization(5));
  expect(() => records.message(authorization(6))).toThrow(ReconTooLarge);
  expect(() => records.message(authorization(6))).toThrow(/^shard 3 has more than/);
});
