import { describe, expect, it } from 'vitest';
import { dialectNames } from '#src/iso8583/dialects.js';
import type { Fields } from '#src/iso8583/message.js';
import { ShardState } from '#src/ring/control-block.js';
import { RequestKind } from '#src/ring/kinds.js';
import { type FakeShards, type Harness, harness, request, tcpClient, until } from './support.js';

function totals(stan: number, more: Fields = {}): Fields {
  return {
    '0': '0500',
    '7': '1126235959',
    '11': String(stan).padStart(6, '0'),
    '15': '1126',
    '32': '00000123456',
    '50': '986',
    '76': '0000000003',
    '97': 'D0000000000000600',
    ...more,
  };
}

const ours = [
  { field: 76, value: 3 },
  { field: 88, value: 600 },
  { field: 97, value: -600 },
];

/** Each shard has one debit of its number and one more minor units. */
function answer(shards: FakeShards, compared: object): Record<string, unknown>[] {
  const asked: Record<string, unknown>[] = [];
  shards.call = (seen, call) => {
    asked.push({ shard: seen.shard, ...call });
    if (seen.kind === RequestKind.command) return { ok: true, sequence: 9, compared };
    return { ok: true, values: [0, 0, 1, 0, 0, 0, 0, 0, seen.shard + 1, 0] };
  };
  return asked;
}

const dayOf = (date: string): number => Date.parse(`${date}T00:00:00Z`) / 86_400_000;
const DAY = dayOf(`${new Date().getUTCFullYear()}-11-26`);

describe('totals of an acquirer', () => {
  it.each(dialectNames)(
    'are added up over the shards, compared by one, and answered with ours (%s)',
    async (dialect) => {
      const test = await harness({ link: { dialect, headerBytes: 2 }, shards: 4 });
      const asked = answer(test.shards, { equal: true, day: dayOf('2026-11-26'), ours });
      const client = await tcpClient(test, { dialect, headerBytes: 2 });
      client.send(totals(1, { '99': '7' }), Uint8Array.of(5, 6));
      await until('an answer', () => client.replies.length === 1);
      expect(client.fields(0)).toEqual({
        '0': '0510',
        '7': '1126235959',
        '11': '000001',
        '15': '1126',
        '32': '00000123456',
        '39': '00',
        '50': '986',
        '66': '1',
        '76': '0000000003',
        '88': '0000000000000600',
        '97': 'D0000000000000600',
        '99': '7',
      });
      expect([...client.headers[0]!]).toEqual([5, 6]);
      const key = { link: 1, acquirer: 123_456, currency: 986 };
      expect(asked.slice(0, 4)).toMatchObject([0, 1, 2, 3].map((shard) => ({ op: 'acquirer_totals', shard, ...key })));
      expect(asked).toHaveLength(5);
      expect(asked[4]).toMatchObject({
        op: 'compare_totals',
        ...key,
        mti: 500,
        transmission: 1126235959,
        stan: 1,
        dated: true,
        theirs: [
          { field: 76, value: 3 },
          { field: 97, value: -600 },
        ],
        sums: [0, 0, 4, 0, 0, 0, 0, 0, 10, 0],
      });
      expect(asked.every((call) => Math.abs((call.day as number) - DAY) <= 366)).toBe(true);
      expect(test.ingress.stats().inFlight).toBe(0);
    },
  );

  it('out of balance are answered 95 with DE66 2; 0520 gets 0530; DE49 does for DE50, and the date of the link for DE15', async () => {
    const test = await harness({ ingress: { keepCutover: async () => 20_800 } });
    await (await tcpClient(test)).ask({ '0': '0800', '7': '1126235959', '11': '000001', '70': '201' });
    const asked = answer(test.shards, { equal: false, day: dayOf('2026-12-13'), ours });
    const client = await tcpClient(test);
    const { '15': _, '50': __, ...rest } = totals(2, { '0': '0520', '49': '840' });
    const reply = await client.ask(rest);
    expect(reply).toMatchObject({ '0': '0530', '15': '1213', '39': '95', '66': '2', '49': '840' });
    expect(asked.at(-1)).toMatchObject({ mti: 520, day: 20_800, currency: 840, dated: false });
  });

  it.each<[string, string, Record<string, string | undefined>]>([
    ['DE7', 'DE7', { '7': undefined }],
    ['a DE7 that can be', 'DE7', { '7': '1326235959' }],
    ['DE11', 'DE11', { '11': undefined }],
    ['a DE12 that can be', 'DE12', { '12': '240000' }],
    ['a DE13 that can be', 'DE13', { '13': '0431' }],
    ['DE32', 'DE32', { '32': undefined }],
    ['a currency', 'DE49', { '50': undefined }],
    ['a currency of digits', 'DE50', { '50': 'BRL' }],
    ['any total', 'DE97', { '76': undefined, '97': undefined }],
    ['a date that is one', 'DE15', { '15': '1331' }],
  ])('without %s are answered 30, the log names %s, and nobody is asked', async (_what, field, without) => {
    const test = await harness();
    const client = await tcpClient(test);
    const fields = Object.fromEntries(Object.entries({ ...totals(1), ...without }).filter(([, value]) => value));
    expect(await client.ask(fields as Fields)).toMatchObject({ '0': '0510', '39': '30' });
    expect(test.shards.seen).toEqual([]);
    const lines = test.log.filter((line) => line.includes('answered 30'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`'${field}'`);
  });

  it('are compared as far as they are sent: one figure is enough', async () => {
    const test = await harness();
    const asked = answer(test.shards, { equal: true, day: DAY, ours });
    const client = await tcpClient(test);
    for (const one of [{ '80': '0000000000' }, { '97': 'C0000000000000000' }]) {
      const { '76': _, '97': __, ...rest } = totals(1, one);
      const reply = await client.ask(Object.fromEntries(Object.entries({ ...rest, ...one })) as Fields);
      expect(reply).toMatchObject({ '0': '0510', '39': '00', '66': '1' });
      expect(asked.at(-1)!.theirs).toEqual([{ field: Number(Object.keys(one)[0]), value: 0 }]);
    }
  });

  const refused: [string, (test: Harness) => void, string][] = [
    ['a shard is down', ({ control }) => control.setShardState(2, ShardState.down), '91'],
    [
      'a shard refuses',
      ({ shards }) => refuse(shards, 'acquirer_totals', { ok: false, code: 'shard_unavailable' }),
      '91',
    ],
    ['the comparison fails', ({ shards }) => refuse(shards, 'compare_totals', { ok: false, code: 'no' }), '91'],
    ['the date is not kept', ({ shards }) => refuse(shards, 'acquirer_totals', { ok: true }), '30'],
  ];
  function refuse(shards: FakeShards, op: string, result: object): void {
    answer(shards, { equal: true, day: 1, ours });
    const { call } = shards;
    shards.call = (seen, asked) => (asked.op === op && seen.shard % 4 < 4 ? result : call(seen, asked));
  }
  it.each(refused)('when %s the answer is a refusal, and the link goes on', async (_what, prepare, code) => {
    const test = await harness();
    prepare(test);
    const client = await tcpClient(test);
    expect((await client.ask(totals(1)))['39']).toBe(code);
    expect(test.ingress.stats().inFlight).toBe(0);
    test.control.setShardState(2, ShardState.up);
    expect((await client.ask(request(3)))['39']).toBe('00');
  });

  it('are refused late, and given up when a shard never answers', async () => {
    const test = await harness({ link: { deadlineMs: 20 }, ingress: { tuning: { reclaimMs: 50 } } });
    const client = await tcpClient(test);
    answer(test.shards, { equal: true, day: 1, ours });
    const { call } = test.shards;
    test.shards.paused = true;
    client.send(totals(1));
    await until('the deadline', () => test.ingress.stats().inFlight === 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    test.shards.paused = false;
    await until('an answer', () => client.replies.length === 1);
    expect(client.fields(0)['39']).toBe('91');
    test.shards.call = (seen, asked) => (seen.shard === 1 ? undefined : call(seen, asked));
    client.send(totals(2));
    await until('it is given up', () => test.ingress.stats().errors.reclaimed === 1);
    expect([test.ingress.stats().inFlight, client.replies.length]).toEqual([0, 1]);
  });
});
