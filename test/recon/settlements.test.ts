/** What single messages post, by the currency of their account, and what their roll-back takes back. */
import { expect, test } from 'vitest';
import { EventKind } from '#src/domain/codes.js';
import { MessageEvent, type PlainEvent } from '#src/domain/events.js';
import { Gl } from '#src/domain/ledger/chart.js';
import { Reconciliation } from '#src/recon/report.js';
import { dueFrom } from '#src/recon/settlements.js';

const DAY = 20_783;
const DAY_MS = 86_400_000;
const [BRL, EUR] = [986, 978];

test('single messages of accounts of several currencies, and a roll-back that names none', () => {
  const inputs = { day: DAY + 1, since: DAY - 59, spans: [], files: [], unfinished: [], waiting: [], standing: [] };
  const run = new Reconciliation(inputs);
  const shard = run.shard(0);
  const buy = (sequence: number, accountSlot: number, currency: number, amount: number): void => {
    const event = Object.assign(new MessageEvent(), { sequence, accountSlot, timeMs: DAY * DAY_MS });
    event.input.currency = currency;
    event.postings.add(Gl.purchases, amount);
    event.postings.add(Gl.network, -amount);
    shard.message(event);
  };
  const rollBack = (accountSlot: number, amount: number): void => {
    const postings = [
      { glAccount: Gl.purchases, amount: -amount },
      { glAccount: Gl.network, amount },
    ];
    const event = { kind: EventKind.notDelivered, accountSlot, authorizationSequence: 1, holdDelta: 0, postings };
    shard.event({ ...event, timeMs: DAY * DAY_MS } as PlainEvent);
  };
  // Of a message before the first record: nothing was counted, so nothing is taken back.
  rollBack(3, 99);
  buy(1, 0, BRL, 100);
  buy(2, 1, EUR, 40);
  buy(3, 2, BRL, 7);
  rollBack(1, 40);
  rollBack(2, 7);
  run.finishShard(shard);
  const { settlements, balances } = run.finish();
  expect(settlements.map(({ name, entriesOwed }) => [name.currency, entriesOwed])).toEqual([
    [EUR, 0n],
    [BRL, 100n],
  ]);
  expect(balances).toEqual([
    { currency: EUR, debits: 80n, credits: 80n },
    { currency: BRL, debits: 114n, credits: 114n },
  ]);
});

test('a settlement is due as of the first working day behind it', () => {
  // A Thursday.
  const dates = Array.from({ length: 9 }, (_, n) => [DAY + n, dueFrom(DAY + n)]);
  expect(dates.map(([day, due]) => due! - day!)).toEqual([1, 3, 2, 1, 1, 1, 1, 1, 3]);
  for (const [day, due] of dates) {
    const weekday = (of: number): number => new Date(of * DAY_MS).getUTCDay();
    expect([0, 6]).not.toContain(weekday(due!));
    for (let between = day! + 1; between < due!; between++) expect([0, 6]).toContain(weekday(between));
  }
});

test('what names no settlement is due then, too, and since the day on which it was posted', () => {
  const movedOn = [DAY, DAY + 1, DAY + 2];
  const settlement = { network: 0, day: 0, cycle: 0, currency: BRL };
  const asOf = (day: number): unknown => {
    const standing = [{ glAccount: Gl.network, settlement, owed: 300n }];
    const run = new Reconciliation({
      day,
      since: day - 60,
      spans: [],
      files: [],
      unfinished: [],
      waiting: [],
      standing,
    });
    const shard = run.shard(0);
    for (const [n, on] of movedOn.entries()) {
      const event = Object.assign(new MessageEvent(), { sequence: n + 1, timeMs: on * DAY_MS });
      event.input.currency = BRL;
      event.postings.add(Gl.purchases, 100);
      event.postings.add(Gl.network, -100);
      shard.message(event);
    }
    run.finishShard(shard);
    return run.finish().breaks.map(({ reason, amount, day: since }) => [reason, amount, since]);
  };
  expect(asOf(DAY)).toEqual([]);
  for (const day of [DAY + 1, DAY + 2, DAY + 3]) expect(asOf(day)).toEqual([['not_settled', 100n, DAY]]);
  expect(asOf(DAY + 4)).toEqual([['not_settled', 300n, DAY]]);
});
