import { describe, expect, it } from 'vitest';
import { ShardState } from '#src/ring/control-block.js';
import { ReplyKind } from '#src/ring/kinds.js';
import { harness, PAN, request, type TcpClient, tcpClient, until } from './support.js';

describe('admission', () => {
  it('the refusal has the reply MTI, 39 = 91 and the echoed fields, and nothing secret', async () => {
    const test = await harness();
    test.control.refuse = true;
    const client = await tcpClient(test);
    const secrets = { '35': `${PAN}=29121011234`, '52': 'hex:1122334455667788', '48': '9203123', '55': 'hex:9f260801' };
    const { '0': _mti, '2': _pan, '14': _expiry, '22': _entry, '25': _condition, ...echoed } = request(1);
    expect(await client.ask(request(1, secrets))).toEqual({ '0': '0110', '39': '91', ...echoed });
    for (const [mti, reply] of [
      ['0101', '0110'],
      ['0120', '0130'],
      ['0121', '0130'],
      ['0200', '0210'],
      ['0220', '0230'],
      ['0302', '0312'],
      ['0400', '0410'],
      ['0421', '0430'],
      ['0500', '0510'],
    ]) {
      expect(await client.ask(request(2, { '0': mti! }))).toMatchObject({ '0': reply, '39': '91', '11': '000002' });
    }
    expect(test.ingress.stats().shed.disk).toBe(10);
    expect(test.shards.seen).toHaveLength(0);
    test.control.refuse = false;
    expect(await client.ask(request(3))).toMatchObject({ '39': '00' });
  });

  it('above the in-flight limit of the link: 91 at once, over all its connections', async () => {
    const test = await harness({ link: { inFlightMax: 3 } });
    test.shards.script = () => undefined;
    const [a, b] = [await tcpClient(test), await tcpClient(test)];
    for (const stan of [1, 2]) a.send(request(stan));
    b.send(request(3));
    await until('three at the shard', () => test.shards.wire.length === 3);
    expect(await b.ask(request(4))).toMatchObject({ '11': '000004', '39': '91' });
    expect(test.ingress.stats()).toMatchObject({ inFlight: 3, shed: { in_flight: 1 } });
    for (const seen of test.shards.wire) test.shards.reply(seen, { kind: ReplyKind.dropped });
    await until('room again', () => test.ingress.stats().inFlight === 0);
    b.send(request(5));
    await until('served', () => test.shards.wire.length === 4);
    expect(a.replies).toHaveLength(0);
  });

  it('new requests leave an eighth of the limit to what must not be starved, and all of it is used', async () => {
    const test = await harness({ link: { inFlightMax: 16 } });
    test.shards.script = () => undefined;
    const clients: TcpClient[] = [];
    const answered = (): number => clients.reduce((sum, { replies }) => sum + replies.length, 0);
    // Twelve for anybody, of which one connection may have eleven; two for connections that have nothing in flight.
    for (const inFlight of [11, 12, 13, 14, 14]) {
      const client = await tcpClient(test);
      const refused = answered() + 20 - inFlight + test.ingress.stats().inFlight;
      clients.push(client);
      client.socket.write(Buffer.concat(Array.from({ length: 20 }, (_, i) => client.framed(request(i)))));
      await until('refusals', () => answered() === refused);
      expect(test.ingress.stats()).toMatchObject({ inFlight, shed: { in_flight: refused } });
    }
    for (const [n, mti] of ['0400', '0121'].entries()) clients[n]!.send(request(99, { '0': mti }));
    await until('both at the shard', () => test.shards.wire.length === 16);
    expect(answered()).toBe(86);
    expect(await clients[1]!.ask(request(100, { '0': '0420' }))).toMatchObject({ '0': '0430', '39': '91' });
    for (const seen of test.shards.wire) test.shards.reply(seen, { kind: ReplyKind.dropped });
    await until('room again', () => test.ingress.stats().inFlight === 0);
  });

  it('a connection that floods leaves room for the others of its link', async () => {
    const test = await harness({ link: { inFlightMax: 160 } });
    test.shards.script = () => undefined;
    const [flood, other] = [await tcpClient(test), await tcpClient(test)];
    flood.socket.write(Buffer.concat(Array.from({ length: 500 }, (_, i) => flood.framed(request(i)))));
    await until('the flood is read', () => test.ingress.stats().messages === 500);
    // Twenty are kept for what must not be starved, twenty for others; of the rest eight ninths to the one.
    expect(test.ingress.stats().inFlight).toBe(107);
    flood.socket.write(Buffer.concat(Array.from({ length: 500 }, (_, i) => flood.framed(request(i, { '0': '0400' })))));
    await until('reversals, too', () => test.ingress.stats().messages === 1000);
    expect(test.ingress.stats().inFlight).toBe(137);
    for (let stan = 1; stan <= 3; stan++) other.send(request(stan));
    await until('the other is served', () => test.shards.wire.length === 140);
    expect(other.replies).toHaveLength(0);
    expect(test.ingress.stats().shed.in_flight).toBe(1000 - 137);
    for (const seen of test.shards.wire) test.shards.reply(seen, { kind: ReplyKind.dropped });
    await until('room again', () => test.ingress.stats().inFlight === 0);
    other.send(request(7));
    await until('counted back', () => test.ingress.stats().inFlight === 1);
  });

  it('a full table of requests in flight counts like the limit', async () => {
    const test = await harness({ ingress: { tuning: { inFlight: 4 } } });
    test.shards.script = () => undefined;
    const client = await tcpClient(test);
    for (let stan = 1; stan <= 4; stan++) client.send(request(stan));
    expect(await client.ask(request(5))).toMatchObject({ '11': '000005', '39': '91' });
  });

  it('a full ring: 91 for what does not fit, an answer for what does, and service goes on', async () => {
    const test = await harness({ ringBytes: 4096 });
    test.shards.paused = true;
    const client = await tcpClient(test);
    client.socket.write(Buffer.concat(Array.from({ length: 60 }, (_, i) => client.framed(request(i)))));
    await until('refusals', () => client.replies.length > 20);
    const refused = client.replies.length;
    expect(test.ingress.stats().shed.ring_full).toBe(refused);
    expect(test.ingress.stats().inFlight).toBe(60 - refused);
    test.shards.paused = false;
    await until('all answered', () => client.replies.length === 60);
    const codes = client.replies.map((_, i) => client.fields(i)['39']);
    expect(codes.filter((code) => code === '91')).toHaveLength(refused);
    expect(codes.filter((code) => code === '00')).toHaveLength(60 - refused);
    expect(await client.ask(request(99))).toMatchObject({ '39': '00' });
  });

  it('a ring keeps an eighth of its room for what must not be starved', async () => {
    const test = await harness({ ringBytes: 4096 });
    test.shards.paused = true;
    const client = await tcpClient(test);
    client.socket.write(Buffer.concat(Array.from({ length: 60 }, (_, i) => client.framed(request(i)))));
    await until('refusals', () => test.ingress.stats().messages === 60);
    const { inFlight } = test.ingress.stats();
    client.send(request(61, { '0': '0400' }));
    await until('room for a reversal', () => test.ingress.stats().inFlight === inFlight + 1);
    expect(await client.ask(request(62))).toMatchObject({ '0': '0110' });
    expect(test.ingress.stats().shed.ring_full).toBe(60 - inFlight + 1);
    test.shards.paused = false;
    await until('all answered', () => client.replies.length === 62);
    expect(client.replies.map((_, i) => client.fields(i)).filter((reply) => reply['0'] === '0410')).toHaveLength(1);
  });

  it.each([ShardState.starting, ShardState.rebuilding, ShardState.down])(
    'a shard in state %i: 91 for its cards, the others are served',
    async (state) => {
      const test = await harness();
      const print = test.print.of(PAN);
      test.directory.insert(print.f0, print.f1, print.f2, 2, 1);
      const other = test.print.of('4000000000000002');
      test.directory.insert(other.f0, other.f1, other.f2, 1, 1);
      test.control.setShardState(2, state);
      const client = await tcpClient(test);
      expect(await client.ask(request(1))).toMatchObject({ '39': '91' });
      expect(await client.ask(request(2, { '2': '4000000000000002' }))).toMatchObject({ '39': '00' });
      expect(test.ingress.stats().shed.shard_down).toBe(1);
      test.control.setShardState(2, ShardState.up);
      expect(await client.ask(request(3))).toMatchObject({ '39': '00' });
    },
  );

  it('a fatal stop of the process: 91', async () => {
    const test = await harness();
    const client = await tcpClient(test);
    test.control.requestStop(74);
    expect(await client.ask(request(1))).toMatchObject({ '39': '91' });
    expect(test.ingress.stats().shed.stopping).toBe(1);
  });

  it('a message of a later version of the standard gets 12, its replies nothing', async () => {
    const test = await harness();
    const client = await tcpClient(test);
    client.send(request(1, { '0': '1110' }));
    expect(await client.ask(request(2, { '0': '1100' }))).toMatchObject({ '0': '1110', '11': '000002', '39': '12' });
    expect(client.replies).toHaveLength(1);
  });

  it.each([
    ['an origin', '0108', '0118'],
    ['an odd origin', '0127', '0136'],
    ['a function', '0160', '0170'],
    ['a function and an origin', '0788', '0798'],
    ['a class', '0900', '0910'],
  ])('%s that the standard has not got gets 12: %s', async (_what, mti, reply) => {
    const test = await harness();
    const client = await tcpClient(test);
    expect(await client.ask(request(3, { '0': mti }))).toMatchObject({ '0': reply, '11': '000003', '39': '12' });
  });
});
