/**
 * Business dates and totals in the real program, over shards on two threads: an acquirer asks for its totals in balance and
 * out of it, cuts over, reverses on the next date, and finds all of it again after a kill.
 */
import { describe, expect, test } from 'vitest';
import type { Fields } from '#src/iso8583/message.js';
import { nextStan, purchase, reversal, transmission } from '../support/iso-client.js';
import { type Json, run, Server } from '../support/server.js';

const DAY_MS = 86_400_000;

function monthDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().replace(/\D/g, '').slice(4, 8);
}

/** A 0500 of the acquirer; `more` are its totals, and fields to replace. */
function totals(more: Fields): Fields {
  return { 0: '0500', 7: transmission(), 11: nextStan(), 32: '999901', 50: '986', ...more };
}

const number = (value: number): string => String(value).padStart(10, '0');
const amount = (value: number): string => String(value).padStart(16, '0');

describe('an acquirer and its business date', () => {
  test('compares its totals, cuts over, reverses on the next date, and finds all of it after a kill', async () => {
    const first = await Server.start({ flags: ['--threads', '2'] });
    const { dataDir } = first;
    let client = await first.connect();
    // The date that the link begins with; named, because the test may run at midnight UTC.
    const day = Math.floor(Date.now() / DAY_MS) + 1;
    const date = { 15: monthDay(day) };
    const cutover = { 0: '0800', 7: transmission(), 11: nextStan(), 70: '201', ...date };
    expect((await client.request(cutover))[39]).toBe('00');

    const sales = Array.from({ length: 40 }, (_, i) =>
      purchase({ card: 1 + i, amount: 100 + i, fields: { 0: '0200' } }),
    );
    const sum = sales.reduce((total, sale) => total + Number(sale[4]), 0);
    const others = [
      purchase({ card: 1, amount: 500, fields: { 0: '0200', 3: '200000' } }),
      purchase({ card: 2, amount: 700 }),
      purchase({ card: 3, amount: 9_999_999, fields: { 0: '0200' } }),
      purchase({ card: 4, amount: 0, fields: { 0: '0200', 3: '300000' } }),
      purchase({ card: 5, amount: 60, fields: { 0: '0200', 32: '77' } }),
    ];
    // In one write: the question stands behind all of them on the wire.
    const right = totals({
      ...date,
      74: number(1),
      76: number(40),
      80: number(1),
      81: number(1),
      86: amount(500),
      88: amount(sum),
      97: `D${amount(sum - 500)}`,
    });
    const replies = await client.batch([...sales, ...others, right]);
    expect(replies.slice(0, 40).every((reply) => reply[39] === '00')).toBe(true);
    expect(replies.slice(40, 45).map((reply) => reply[39])).toEqual(['00', '00', '51', '00', '00']);
    const answer = replies[45]!;
    const ours = { 74: number(1), 76: number(40), 80: number(1), 81: number(1), 86: amount(500), 88: amount(sum) };
    const rest = { 75: number(0), 77: number(0), 82: '000000000000', 87: amount(0), 89: amount(0) };
    const all = { ...ours, ...rest, 97: `D${amount(sum - 500)}` };
    expect(answer).toMatchObject({ 0: '0510', ...date, 39: '00', 66: '1', 50: '986', ...all });

    const wrong = totals({ ...date, 76: number(41) });
    const outOfBalance = await client.request(wrong);
    expect(outOfBalance).toMatchObject({ 0: '0510', 39: '95', 66: '2', ...all });

    // The next date, once; its repeat, the date again, and a cutover without one just behind it change nothing.
    const next = { 0: '0800', 7: transmission(), 11: nextStan(), 15: monthDay(day + 1), 70: '201' };
    const { 15: _, ...dateless } = { ...next, 11: nextStan() };
    for (const message of [next, next, { ...next, 0: '0801' }, { ...next, 11: nextStan() }, dateless]) {
      expect((await client.request(message))[39]).toBe('00');
    }
    expect((await client.request({ ...next, 11: nextStan(), ...date }))[39]).toBe('30');
    expect((await client.request(reversal(sales[0]!)))[39]).toBe('00');
    const after = totals({ 77: number(1), 89: amount(100) });
    const onNext = { 0: '0510', 15: monthDay(day + 1), 39: '00', 76: number(0), 97: `C${amount(100)}` };
    expect(await client.request(after)).toMatchObject(onNext);
    const links = (await first.get('/v1/links')).body.data as Json[];
    const shown = new Date((day + 1) * DAY_MS).toISOString().slice(0, 10);
    expect(links.map(({ name, business_date }) => [name, business_date])).toEqual([
      ['tcp', shown],
      ['ws', null],
    ]);
    expect((await first.get('/metrics')).text).toContain(
      `holdfast_link_business_date_seconds{link="tcp"} ${((day + 1) * DAY_MS) / 1000}`,
    );
    await first.kill();

    const server = await Server.start({ dataDir, demo: false, flags: ['--threads', '1'] });
    client = await server.connect();
    // Repeats get what was answered, and the totals are what they were.
    expect(await client.request({ ...wrong, 0: '0501' })).toEqual(outOfBalance);
    expect(await client.request(right)).toEqual(answer);
    expect(await client.request(totals({ ...date, 76: number(40) }))).toMatchObject({ 39: '00', ...all });
    expect((await client.request(purchase({ card: 9, amount: 8, fields: { 0: '0220', 11: nextStan() } })))[39]).toBe(
      '00',
    );
    expect(await client.request(totals({ 0: '0520', 76: number(1), 88: amount(8) }))).toMatchObject({
      ...onNext,
      0: '0530',
      76: number(1),
      97: `C${amount(92)}`,
    });
    expect((await server.get('/metrics')).text).toContain('holdfast_responses_total{code="95"} 1');
    expect((await server.stop()).status).toBe(0);

    expect((await run(['verify', '--data-dir', dataDir])).out).toMatch(/^verify ok /);
    const journal = await run(['inspect', 'journal', '--data-dir', dataDir, '--kind', 'totals_compared']);
    const records = journal.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Json);
    expect(records.map(({ mti, equal }) => [mti, equal]).sort()).toEqual([
      [500, 0],
      [500, 1],
      [500, 1],
      [500, 1],
      [520, 1],
    ]);
  });
});
