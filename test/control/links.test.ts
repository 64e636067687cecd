import { describe, expect, it, test } from 'vitest';
import { cutOver } from '#src/control/cutover.js';
import { SystemState } from '#src/control/system-state.js';
import type { CutoverRequest } from '#src/link-requests.js';
import { MemoryLog, makeHarness, restart } from './harness.js';

const DAY_MS = 86_400_000;
const dayOf = (date: string): number => Date.parse(`${date}T00:00:00Z`) / DAY_MS;

const request = (stan: number, settlementDate = -1, more: Partial<CutoverRequest> = {}): CutoverRequest => ({
  link: 1,
  name: 'tcp',
  settlementDate,
  transmission: 1126235959,
  stan,
  ...more,
});

describe('the business date of a link', () => {
  const table: [now: string, current: string | undefined, de15: number, expected: string | undefined][] = [
    // Without DE15: the next day.
    ['2026-11-26T23:00:00Z', undefined, -1, '2026-11-27'],
    ['2026-11-26T23:00:00Z', '2026-11-27', -1, '2026-11-28'],
    ['2026-11-26T23:00:00Z', '2026-12-31', -1, '2027-01-01'],
    // With DE15: that day, in the year that is nearest.
    ['2026-11-26T23:00:00Z', '2026-11-26', 1127, '2026-11-27'],
    ['2026-11-27T23:00:00Z', '2026-11-27', 1130, '2026-11-30'],
    ['2026-12-31T23:00:00Z', '2026-12-31', 101, '2027-01-01'],
    // The date it has already.
    ['2026-11-26T23:00:00Z', '2026-11-27', 1127, '2026-11-27'],
    ['2026-11-26T23:00:00Z', undefined, 1126, '2026-11-26'],
    // Behind UTC by a day at most, and only the first time.
    ['2026-11-26T01:00:00Z', undefined, 1125, '2026-11-25'],
    ['2026-11-26T01:00:00Z', undefined, 1124, undefined],
    ['2026-11-26T01:00:00Z', '2026-11-26', 1125, undefined],
    // Seven days ahead at most; of a link that slept, seven days beyond today.
    ['2026-11-26T01:00:00Z', '2026-11-26', 1203, '2026-12-03'],
    ['2026-11-26T01:00:00Z', '2026-11-26', 1204, undefined],
    ['2026-11-26T01:00:00Z', '2026-10-01', 1127, '2026-11-27'],
    ['2026-11-26T01:00:00Z', '2026-11-26', 1131, undefined],
  ];
  it.each(table)('at %s, of a link at %s, DE15 %s gives %s', (now, current, de15, expected) => {
    const log = new MemoryLog();
    const nowMs = Date.parse(now);
    const old = { transmission: 1, stan: 1, atMs: nowMs - DAY_MS };
    if (current !== undefined) log.append([{ type: 'cutover', link: 1, name: 'tcp', day: dayOf(current), ...old }]);
    const system = new SystemState(log);
    const day = cutOver(system, request(2, de15), nowMs);
    expect(day).toBe(expected === undefined ? -1 : dayOf(expected));
    // What a restart finds.
    const kept = expected ?? current;
    expect(new SystemState(log).cutover(1)?.day).toBe(kept === undefined ? undefined : dayOf(kept));
  });

  test('a repeat changes nothing, whatever came of the first; another message and another link do', () => {
    const log = new MemoryLog();
    const system = new SystemState(log);
    const now = Date.parse('2026-11-26T23:00:00Z');
    const days = [
      request(1),
      request(1),
      request(1, 1128),
      request(2, 1128),
      request(2),
      request(2, 1129, { transmission: 1 }),
      request(2, -1, { link: 2 }),
    ].map((one) => cutOver(system, one, now) - dayOf('2026-11-26'));
    expect(days).toEqual([1, 1, 1, 2, 2, 3, 1]);
    expect(log.records).toHaveLength(4);
  });

  test('without DE15 it moves once in twelve hours, on however many connections it is said', () => {
    const log = new MemoryLog();
    const started = Date.parse('2026-11-26T23:00:00Z');
    const hours: [after: number, stan: number, de15: number, expected: number][] = [
      [0, 1, -1, 1],
      [0.01, 2, -1, 1],
      [11.99, 3, -1, 1],
      // The named date moves whenever it is named, and what comes without one just behind it is the same cutover.
      [11.995, 4, 1128, 2],
      [12, 5, -1, 2],
      [23.99, 6, -1, 2],
      [23.995, 7, -1, 3],
      [24, 8, -1, 3],
      // A clock that was set back says nothing about when that was.
      [23, 9, -1, 4],
    ];
    for (const [after, stan, de15, expected] of hours) {
      // A restart in between forgets nothing.
      const day = cutOver(new SystemState(log), request(stan, de15), started + after * 3_600_000);
      expect(day - dayOf('2026-11-26'), `${after} h`).toBe(expected);
    }
    expect(log.records).toHaveLength(4);
  });
});

test('GET /v1/links shows the dates, also after a restart', async () => {
  const h = makeHarness();
  const link = { object: 'link', id: 'tcp', name: 'tcp', number: 1, transport: 'tcp', dialect: 'iso87-bcd' };
  const before = await h.call('GET', '/v1/links');
  expect(before.body).toEqual({
    object: 'list',
    data: [{ ...link, business_date: null, cutover_at: null }],
    has_more: false,
  });
  const atMs = Date.parse('2026-11-26T23:00:00Z');
  cutOver(h.context.system, request(1), atMs);
  const shown = [{ ...link, business_date: '2026-11-27', cutover_at: '2026-11-26T23:00:00.000Z' }];
  expect((await h.call('GET', '/v1/links')).body.data).toEqual(shown);
  expect((await restart(h).call('GET', '/v1/links')).body.data).toEqual(shown);
});
