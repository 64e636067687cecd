/** Every message type that four digits can say, over a connection: to a shard, answered here, or counted and dropped. */
import { expect, it } from 'vitest';
import { harness, request, tcpClient, until } from './support.js';

/** What the ingress does with a message type. */
function wayOf(mti: string): 'shard' | 'here' | 'dropped' {
  const [version, group, kind, origin] = [...mti].map(Number) as [number, number, number, number];
  if (kind % 2 === 1 || kind === 4) return 'dropped';
  const isKnown = version === 0 && group >= 1 && group <= 8 && kind <= 2 && origin <= 5;
  if (!isKnown || group === 8 || ['0500', '0501', '0520', '0521'].includes(mti)) return 'here';
  return 'shard';
}

it('each has one way, and the connection stays open', async () => {
  const test = await harness();
  const client = await tcpClient(test);
  const ways = { shard: [] as string[], here: [] as string[], dropped: [] as string[] };
  for (let first = 0; first < 10_000; first += 200) {
    for (let mti = first; mti < first + 200; mti++) {
      const text = String(mti).padStart(4, '0');
      ways[wayOf(text)].push(text);
      client.send(request(mti, { '0': text, '70': '301' }));
    }
    await until('the answers', () => client.replies.length >= ways.shard.length + ways.here.length);
  }
  // What comes behind everything else shows that nothing is on its way any more.
  expect(await client.ask(request(999_999))).toMatchObject({ '39': '00' });
  expect(client.replies).toHaveLength(ways.shard.length + ways.here.length + 1);
  expect(test.shards.wire).toHaveLength(ways.shard.length + 1);
  expect(test.ingress.stats().errors).toMatchObject({ unmatched_request: ways.dropped.length, internal: 0 });
  const answered = new Map(client.replies.map((_, i) => [client.fields(i)[11], client.fields(i)]));
  for (const mti of ways.here) {
    const code = mti.startsWith('08') ? /^(00|12|30)$/ : mti.startsWith('05') ? /^(12|30)$/ : /^12$/;
    expect(answered.get(mti.padStart(6, '0'))?.[39], mti).toMatch(code);
  }
});
