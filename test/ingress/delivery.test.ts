import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Fields } from '#src/iso8583/message.js';
import { ShardState } from '#src/ring/control-block.js';
import { ReplyKind } from '#src/ring/kinds.js';
import { echoReply, harness, request, type Seen, tcpClient, tcpLink, until } from './support.js';

/** A shard that keeps its requests until the test answers them. */
async function holding(deadlineMs: number, more: Parameters<typeof harness>[0] = {}) {
  const test = await harness({ ...more, link: { deadlineMs, ...more.link } });
  const fields = new Map<Seen, Fields>();
  test.shards.script = (seen, decoded) => {
    fields.set(seen, decoded);
    return undefined;
  };
  const client = await tcpClient(test);
  const arrived = async (count: number): Promise<Seen> => {
    await until(`request ${count} at the shard`, () => test.shards.wire.length === count);
    return test.shards.wire[count - 1]!;
  };
  const approval = (seen: Seen, extra: Fields = {}): Fields =>
    echoReply(fields.get(seen)!, '00', { '38': 'A00001', ...extra });
  return { test, client, arrived, approval };
}

describe('delivery', () => {
  it('an approval after its deadline is never sent: rolled back first, then 91', async () => {
    const { test, client, arrived, approval } = await holding(60);
    test.shards.rollsBack = false;
    client.send(request(1));
    const seen = await arrived(1);
    await sleep(250);
    expect(test.ingress.stats().timeouts).toBe(1);
    test.shards.reply(seen, { fields: approval(seen), flag: 1 });
    const sequence = test.shards.sequence;
    await until('the roll-back', () => test.shards.rollBacks.length === 1);
    expect(test.shards.rollBacks[0]).toMatchObject({ shard: seen.shard, token: seen.token, b: sequence });
    await sleep(30);
    expect(client.replies).toHaveLength(0);
    expect(test.ingress.stats()).toMatchObject({ notDelivered: 1, rolledBack: 0, inFlight: 1 });
    test.shards.reply(test.shards.rollBacks[0]!, { kind: ReplyKind.rolledBack });
    await until('the refusal', () => client.replies.length === 1);
    const { '0': _mti, '2': _pan, '14': _expiry, '22': _entry, '25': _condition, ...echoed } = request(1);
    expect(client.fields(0)).toEqual({ '0': '0110', '39': '91', ...echoed });
    expect(test.ingress.stats()).toMatchObject({ rolledBack: 1, inFlight: 0, timeouts: 1, shed: { deadline: 1 } });
  });

  it('the refusal after a late partial approval carries the requested amount', async () => {
    const { test, client, arrived, approval } = await holding(20);
    client.send(request(1));
    const seen = await arrived(1);
    await sleep(60);
    const partial = { '4': '000000004000', '39': '10', '54': '0057986C000000010000' };
    test.shards.reply(seen, { fields: approval(seen, partial), flag: 1 });
    await until('the refusal', () => client.replies.length === 1);
    expect(client.fields(0)).toMatchObject({ '4': '000000010000', '39': '91' });
    expect(client.fields(0)['54']).toBeUndefined();
    expect(client.fields(0)['38']).toBeUndefined();
  });

  it('the repeat of an approval whose roll-back is under way is not told the approval', async () => {
    const { test, client, arrived, approval } = await holding(100);
    test.shards.rollsBack = false;
    client.send(request(1));
    const original = await arrived(1);
    await sleep(150);
    // Both are in the shard before it hears of the roll-back: it answers the repeat from the record of the first.
    client.send({ ...request(1), '0': '0101' });
    const repeat = await arrived(2);
    test.shards.reply(original, { fields: approval(original), flag: 1 });
    const sequence = test.shards.sequence;
    await until('the roll-back', () => test.shards.rollBacks.length === 1);
    test.shards.reply(repeat, { fields: approval(repeat), flag: 0, b: sequence });
    await sleep(50);
    // A crash now would leave the hold: nobody may be told yet that there is none.
    expect(client.replies.length).toBe(0);
    test.shards.reply(test.shards.rollBacks[0]!, { kind: ReplyKind.rolledBack, b: sequence });
    await until('both refusals', () => client.replies.length === 2);
    for (const index of [0, 1]) {
      expect(client.fields(index)).toMatchObject({ '39': '91' });
      expect(client.fields(index)['38']).toBeUndefined();
    }
    expect(test.ingress.stats()).toMatchObject({ inFlight: 0 });
  });

  it('the repeat of an approval whose roll-back is given up is told nothing, as its original', async () => {
    const { test, client, arrived, approval } = await holding(100);
    test.shards.rollsBack = false;
    client.send(request(1));
    const original = await arrived(1);
    await sleep(150);
    client.send({ ...request(1), '0': '0101' });
    const repeat = await arrived(2);
    test.shards.reply(original, { fields: approval(original), flag: 1 });
    const sequence = test.shards.sequence;
    await until('the roll-back', () => test.shards.rollBacks.length === 1);
    test.shards.reply(repeat, { fields: approval(repeat), flag: 0, b: sequence });
    test.shards.reply(test.shards.rollBacks[0]!, { kind: ReplyKind.dropped, b: sequence });
    await until('the end of both', () => test.ingress.stats().inFlight === 0);
    expect(client.replies.length).toBe(0);
    expect(test.ingress.stats().errors.not_rolled_back).toBe(1);
  });

  it('an approval in time is sent once and never rolled back', async () => {
    const { test, client, arrived, approval } = await holding(5000);
    client.send(request(1));
    const seen = await arrived(1);
    test.shards.reply(seen, { fields: approval(seen), flag: 1 });
    await until('the approval', () => client.replies.length === 1);
    client.socket.destroy();
    await sleep(150);
    expect(test.shards.rollBacks).toHaveLength(0);
    expect(test.ingress.stats()).toMatchObject({ notDelivered: 0, timeouts: 0, replies: 1 });
  });

  it('a late decline may be sent', async () => {
    const { test, client, arrived, approval } = await holding(20);
    client.send(request(1));
    const seen = await arrived(1);
    await sleep(60);
    test.shards.reply(seen, { fields: { ...approval(seen), '38': '      ', '39': '51' } });
    await until('the decline', () => client.replies.length === 1);
    expect(client.fields(0)).toMatchObject({ '39': '51' });
    expect(test.shards.rollBacks).toHaveLength(0);
  });

  const withoutHold: [name: string, more: Fields, reply: Fields][] = [
    ['the stored approval of a repeat', { '0': '0101' }, { '38': 'A00001' }],
    [
      'the stored partial approval of a repeat',
      { '0': '0101' },
      {
        '4': '000000004000',
        '38': 'A00001',
        '39': '10',
        '54': '0057986C000000010000',
      },
    ],
    ['an account verification', { '3': '380000', '4': '000000000000' }, { '39': '85' }],
    ['a balance inquiry', { '3': '310000', '4': '000000000000' }, { '38': 'A00001', '54': '0001986D000000000100' }],
  ];
  it.each(withoutHold)(
    '%s that comes too late is answered 91 at once; nothing is rolled back',
    async (_name, more, reply) => {
      const { test, client, arrived, approval } = await holding(20);
      client.send(request(1, more));
      const seen = await arrived(1);
      await sleep(60);
      test.shards.reply(seen, { fields: { ...approval(seen), '38': '', ...reply }, flag: 0 });
      await until('the refusal', () => client.replies.length === 1);
      const { '2': _pan, '14': _expiry, '22': _entry, '25': _condition, ...echoed } = request(1, more);
      expect(client.fields(0)).toEqual({ ...echoed, '0': '0110', '39': '91' });
      expect(test.shards.rollBacks).toHaveLength(0);
      expect(test.ingress.stats()).toMatchObject({ inFlight: 0, timeouts: 1, shed: { deadline: 1 }, replies: 1 });
    },
  );

  it('a late approval without a hold for a connection that is gone is counted, not rolled back', async () => {
    const { test, client, arrived, approval } = await holding(20);
    client.send(request(1, { '0': '0101' }));
    const seen = await arrived(1);
    client.socket.destroy();
    await until('the close', () => test.ingress.stats().connections.tcp.signed_on === 0);
    await sleep(60);
    test.shards.reply(seen, { fields: approval(seen), flag: 0 });
    await until('the count', () => test.ingress.stats().errors.undeliverable === 1);
    expect(test.shards.rollBacks).toHaveLength(0);
    expect(test.ingress.stats()).toMatchObject({ inFlight: 0, shed: { deadline: 0 } });
  });

  it('an approval for a connection that is gone is rolled back, a decline is counted', async () => {
    const { test, client, arrived, approval } = await holding(5000);
    client.send(request(1));
    client.send(request(2));
    await arrived(2);
    client.socket.destroy();
    await until('the close', () => test.ingress.stats().connections.tcp.signed_on === 0);
    const [first, second] = test.shards.wire;
    test.shards.reply(first!, { fields: approval(first!), flag: 1 });
    const sequence = test.shards.sequence;
    test.shards.reply(second!, { fields: { ...approval(second!), '39': '51' }, flag: 0 });
    await until('the roll-back', () => test.ingress.stats().rolledBack === 1);
    expect(test.shards.rollBacks).toHaveLength(1);
    expect(test.shards.rollBacks[0]!.b).toBe(sequence);
    expect(test.ingress.stats()).toMatchObject({ notDelivered: 1, inFlight: 0, errors: { undeliverable: 1 } });
  });

  it('a connection that dies while its roll-back is under way gets nothing, and the entry is freed', async () => {
    const { test, client, arrived, approval } = await holding(20);
    test.shards.rollsBack = false;
    client.send(request(1));
    const seen = await arrived(1);
    await sleep(60);
    test.shards.reply(seen, { fields: approval(seen), flag: 1 });
    await until('the roll-back', () => test.shards.rollBacks.length === 1);
    client.socket.destroy();
    await until('the close', () => test.ingress.stats().connections.tcp.signed_on === 0);
    test.shards.reply(test.shards.rollBacks[0]!, { kind: ReplyKind.rolledBack });
    await until('freed', () => test.ingress.stats().inFlight === 0);
  });

  it('replies go to the connection that asked, in any order, and a second reply for a token goes nowhere', async () => {
    const { test, client, arrived, approval } = await holding(5000);
    const other = await tcpClient(test);
    client.send(request(1));
    await arrived(1);
    other.send(request(2));
    await arrived(2);
    const [first, second] = test.shards.wire;
    test.shards.reply(second!, { fields: approval(second!), flag: 1 });
    test.shards.reply(first!, { fields: approval(first!), flag: 1 });
    await until('both', () => client.replies.length === 1 && other.replies.length === 1);
    expect(client.fields(0)['11']).toBe('000001');
    expect(other.fields(0)['11']).toBe('000002');
    test.shards.reply(first!, { fields: approval(first!), flag: 1 });
    // Nobody waits for it: an approval that nobody saw is undone.
    await until('the roll-back', () => test.shards.rollBacks.length === 1);
    expect(client.replies).toHaveLength(1);
    expect(test.ingress.stats().errors.unmatched_reply).toBe(1);
  });

  it('an entry whose shard never speaks is given up; its late approval is rolled back and the slot is not confused', async () => {
    const { test, client, arrived, approval } = await holding(20, {
      ingress: { tuning: { reclaimMs: 100, inFlight: 1 } },
    });
    client.send(request(1));
    const seen = await arrived(1);
    await until('given up', () => test.ingress.stats().errors.reclaimed === 1);
    client.send(request(2));
    const next = await arrived(2);
    expect(next.token & 0xffff).toBe(seen.token & 0xffff);
    expect(next.token).not.toBe(seen.token);
    test.shards.reply(seen, { fields: approval(seen), flag: 1 });
    await until('the roll-back', () => test.shards.rollBacks.length === 1);
    expect(client.replies).toHaveLength(0);
    test.shards.reply(next, { fields: { ...approval(next), '39': '51' } });
    await until('the answer', () => client.replies.length === 1);
    expect(client.fields(0)).toMatchObject({ '11': '000002', '39': '51' });
  });

  it('roll-backs that find the ring full are sent when there is room', async () => {
    const { test, client, arrived, approval } = await holding(30, { ringBytes: 4096 });
    for (let stan = 1; stan <= 8; stan++) client.send(request(stan));
    await arrived(8);
    await sleep(80);
    test.shards.paused = true;
    client.socket.write(Buffer.concat(Array.from({ length: 40 }, (_, i) => client.framed(request(100 + i)))));
    await until('a full ring', () => test.ingress.stats().shed.ring_full > 0);
    for (const seen of test.shards.wire) test.shards.reply(seen, { fields: approval(seen), flag: 1 });
    await until('all late', () => test.ingress.stats().notDelivered === 8);
    test.shards.script = () => ({ kind: ReplyKind.dropped });
    test.shards.paused = false;
    await until('all rolled back', () => test.ingress.stats().rolledBack === 8);
    await until('all refused', () => client.replies.length === test.ingress.stats().shed.ring_full + 8);
    expect(client.replies.every((_, i) => client.fields(i)['39'] === '91')).toBe(true);
    expect(test.shards.rollBacks).toHaveLength(8);
  });

  it('a roll-back waits for a shard that is out of service, and does not hold up those of other shards', async () => {
    const { test, client, arrived, approval } = await holding(20);
    const print = test.print.of('4000000000000002');
    test.directory.insert(print.f0, print.f1, print.f2, 1, 7);
    const known = test.print.of('9999990000000017');
    test.directory.insert(known.f0, known.f1, known.f2, 2, 7);
    client.send(request(1));
    client.send(request(2, { '2': '4000000000000002' }));
    await arrived(2);
    await sleep(60);
    test.control.setShardState(2, ShardState.rebuilding);
    for (const seen of test.shards.wire) test.shards.reply(seen, { fields: approval(seen), flag: 1 });
    await until('the other one', () => test.ingress.stats().rolledBack === 1);
    await sleep(150);
    expect(test.shards.rollBacks.map((seen) => seen.shard)).toEqual([1]);
    test.control.setShardState(2, ShardState.up);
    await until('both', () => test.ingress.stats().rolledBack === 2);
    await until('both refused', () => client.replies.length === 2);
  });

  it('roll-backs of a shard that stays down are given up, their peers hear nothing, and the stop does not wait', async () => {
    const { test, client, arrived, approval } = await holding(20);
    client.send(request(1));
    const seen = await arrived(1);
    await sleep(60);
    test.control.setShardState(seen.shard, ShardState.rebuilding);
    test.shards.reply(seen, { fields: approval(seen), flag: 1 });
    await until('the roll-back waits', () => test.ingress.stats().notDelivered === 1);
    expect(test.ingress.stats()).toMatchObject({ inFlight: 1, errors: { not_rolled_back: 0 } });
    test.control.setShardState(seen.shard, ShardState.down);
    await until('it is given up', () => test.ingress.stats().errors.not_rolled_back === 1);
    expect(test.ingress.stats()).toMatchObject({ inFlight: 0, rolledBack: 0 });
    expect(test.log.filter((line) => line.includes('roll-backs given up'))).toHaveLength(1);
    expect(client.replies).toHaveLength(0);
    expect(test.shards.rollBacks).toHaveLength(0);
    const began = performance.now();
    await test.ingress.stop(20_000);
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it('a roll-back that the shard gives up ends its entry; the stored approval is the truth then', async () => {
    const patient = tcpLink({ name: 'patient', number: 2, deadlineMs: 60_000 });
    const { test, client, arrived, approval } = await holding(20, { links: [tcpLink({ deadlineMs: 20 }), patient] });
    test.shards.rollsBack = false;
    client.send(request(1));
    const seen = await arrived(1);
    await sleep(60);
    test.shards.reply(seen, { fields: approval(seen), flag: 1 });
    const sequence = test.shards.sequence;
    await until('the roll-back', () => test.shards.rollBacks.length === 1);
    test.shards.reply(test.shards.rollBacks[0]!, { kind: ReplyKind.dropped, b: sequence });
    await until('the end of its entry', () => test.ingress.stats().inFlight === 0);
    expect(test.ingress.stats()).toMatchObject({ rolledBack: 0, errors: { not_rolled_back: 1, unmatched_reply: 0 } });
    expect(client.replies).toHaveLength(0);
    const other = await tcpClient(test, { link: 'patient' });
    other.send({ ...request(1), '0': '0101' });
    const repeat = await arrived(2);
    test.shards.reply(repeat, { fields: approval(repeat), flag: 0, b: sequence });
    await until('an answer', () => other.replies.length === 1);
    expect(other.fields(0)).toMatchObject({ '38': 'A00001', '39': '00' });
  });

  it('a stop waits for roll-backs that nobody else waits for', async () => {
    const { test, client, arrived, approval } = await holding(5000);
    test.shards.rollsBack = false;
    client.send(request(1));
    const seen = await arrived(1);
    test.shards.reply(seen, { fields: approval(seen), flag: 1 });
    await until('the approval', () => client.replies.length === 1);
    // A second copy, for which there is no entry any more: undone, and only the shard knows when.
    test.shards.reply(seen, { fields: approval(seen), flag: 1 });
    const sequence = test.shards.sequence;
    await until('the roll-back', () => test.shards.rollBacks.length === 1);
    let stopped = false;
    const stopping = test.ingress.stop(20_000).then(() => {
      stopped = true;
    });
    await sleep(100);
    expect(stopped).toBe(false);
    test.shards.reply(test.shards.rollBacks[0]!, { kind: ReplyKind.rolledBack, b: sequence });
    await stopping;
    expect(test.ingress.stats().rolledBack).toBe(1);
  });

  it('measures route, write and the whole', async () => {
    const test = await harness();
    const client = await tcpClient(test);
    for (let i = 0; i < 20; i++) await client.ask(request(i));
    const { route, write, authorization } = test.ingress.instruments;
    expect([route.count, write.count, authorization.count]).toEqual([20, 20, 20]);
    expect(authorization.sumUs).toBeGreaterThanOrEqual(route.sumUs);
  });
});
