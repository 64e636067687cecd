import { describe, expect, it } from 'vitest';
import type { DialectName } from '#src/iso8583/dialects.js';
import type { Fields } from '#src/iso8583/message.js';
import type { CutoverRequest } from '#src/link-requests.js';
import { harness, request, tcpClient, tcpLink, until } from './support.js';

const DAY = 20_784;

function cutover(stan: number, more: Fields = {}): Fields {
  return { '0': '0800', '7': '1126235959', '11': String(stan).padStart(6, '0'), '15': '1127', '70': '201', ...more };
}

/** A keeper that a test answers by hand. */
class Keeper {
  readonly asked: CutoverRequest[] = [];
  readonly #waiting: { resolve: (day: number) => void; reject: (error: Error) => void }[] = [];
  readonly keep = (asked: CutoverRequest): Promise<number> => {
    this.asked.push(asked);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  };
  answer(day: number): void {
    this.#waiting.shift()!.resolve(day);
  }
  fail(): void {
    this.#waiting.shift()!.reject(new Error('no journal'));
  }
}

describe('a cutover', () => {
  it.each<DialectName>(['iso87-bcd', 'iso87-ascii', 'iso87-ascii-bin'])(
    'is answered when it is durable, and counts for every connection of its link from then on (%s)',
    async (dialect) => {
      const keeper = new Keeper();
      const links = [tcpLink({ dialect, headerBytes: 2 }), tcpLink({ name: 'other', number: 7, dialect })];
      const test = await harness({ links, ingress: { keepCutover: keeper.keep } });
      const options = { dialect, headerBytes: 2, link: 'tcp' };
      const [a, b] = [await tcpClient(test, options), await tcpClient(test, options)];
      const other = await tcpClient(test, { dialect, link: 'other' });
      const header = Uint8Array.of(1, 2);
      a.send(cutover(1), header);
      await until('the keeper is asked', () => keeper.asked.length === 1);
      expect(keeper.asked[0]).toEqual({
        link: 1,
        name: 'tcp',
        settlementDate: 1127,
        transmission: 1126235959,
        stan: 1,
      });
      b.send(request(2), header);
      await until('an answer', () => b.replies.length === 1);
      expect([test.shards.wire[0]!.businessDay, a.replies.length]).toEqual([0, 0]);
      keeper.answer(DAY);
      await until('an answer', () => a.replies.length === 1);
      expect(a.fields(0)).toEqual({ '0': '0810', '7': '1126235959', '11': '000001', '39': '00', '70': '201' });
      expect([...a.headers[0]!]).toEqual([1, 2]);
      b.send(request(3), header);
      await other.ask(request(4));
      await until('an answer', () => b.replies.length === 2);
      expect(test.shards.wire.map((seen) => [seen.link, seen.businessDay])).toEqual([
        [1, 0],
        [1, DAY],
        [7, 0],
      ]);
      expect(test.ingress.stats().businessDays).toEqual({ tcp: DAY, other: 0 });
    },
  );

  it('without DE7 or DE11 is answered 30 at once; a failed one 91; a date that cannot be 30 with a line in the log', async () => {
    const keeper = new Keeper();
    const test = await harness({ ingress: { keepCutover: keeper.keep } });
    const client = await tcpClient(test);
    for (const field of ['7', '11']) {
      const { [field]: _, ...rest } = cutover(1);
      expect((await client.ask(rest))['39']).toBe('30');
    }
    expect(test.log.filter((line) => line.includes('answered 30')).map((line) => /DE\d+/.exec(line)?.[0])).toEqual([
      'DE7',
      'DE11',
    ]);
    expect(keeper.asked).toEqual([]);
    const ask = async (answer: () => void): Promise<string | undefined> => {
      const index = client.replies.length;
      client.send(cutover(2));
      await until('the keeper is asked', () => keeper.asked.length > 0);
      keeper.asked.length = 0;
      answer();
      await until('an answer', () => client.replies.length > index);
      return client.fields(index)['39'];
    };
    expect(await ask(() => keeper.fail())).toBe('91');
    expect(await ask(() => keeper.answer(-1))).toBe('30');
    expect(test.log.filter((line) => line.includes('was refused'))).toHaveLength(1);
    expect(test.ingress.stats().businessDays).toEqual({ tcp: 0 });
  });

  it('that is not durable by the deadline is answered 91 once, and counts when it is', async () => {
    const keeper = new Keeper();
    const test = await harness({ link: { deadlineMs: 20 }, ingress: { keepCutover: keeper.keep } });
    const client = await tcpClient(test);
    expect((await client.ask(cutover(1)))['39']).toBe('91');
    keeper.answer(DAY);
    await until('the date', () => test.ingress.stats().businessDays.tcp === DAY);
    expect((await client.ask(request(2)))['11']).toBe('000002');
    expect(client.replies).toHaveLength(2);
  });

  it('is waited for by a stop', async () => {
    const keeper = new Keeper();
    const test = await harness({ ingress: { keepCutover: keeper.keep } });
    const client = await tcpClient(test);
    client.send(cutover(1));
    await until('the keeper is asked', () => keeper.asked.length === 1);
    const stopped = test.ingress.stop(5000);
    keeper.answer(DAY);
    await stopped;
    await until('an answer', () => client.replies.length === 1);
    expect(client.fields(0)['39']).toBe('00');
  });
});
