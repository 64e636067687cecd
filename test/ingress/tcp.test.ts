import { once } from 'node:events';
import { connect, createServer, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { HoldfastError } from '#src/errors.js';
import { framingNames } from '#src/iso8583/framing.js';
import { pack } from '#src/iso8583/message.js';
import { PanFingerprinter } from '#src/vault/fingerprint.js';
import {
  approve,
  echoReply,
  FINGERPRINT_KEY,
  harness,
  PAN,
  portOf,
  request,
  serverSockets,
  TcpClient,
  tcpClient,
  tcpLink,
  until,
} from './support.js';

describe('TCP link', () => {
  it.each(framingNames.flatMap((framing) => [0, 5, 12].map((headerBytes) => ({ framing, headerBytes }))))(
    'answers with framing $framing and $headerBytes header bytes',
    async ({ framing, headerBytes }) => {
      const test = await harness({ link: { framing, headerBytes } });
      const client = await tcpClient(test, { framing, headerBytes });
      const header = headerBytes === 0 ? undefined : Uint8Array.from({ length: headerBytes }, (_, i) => 0x60 + i);
      client.send(request(1), header);
      await until('a reply', () => client.replies.length === 1);
      expect(client.fields(0)).toMatchObject({ '0': '0110', '11': '000001', '38': 'A00001', '39': '00' });
      const swapped = [0x60, 0x63, 0x64, 0x61, 0x62];
      if (headerBytes === 5) expect([...client.headers[0]!]).toEqual(swapped);
      else if (headerBytes > 0) expect(client.headers[0]).toEqual(header);
    },
  );

  it.each(['iso87-bcd', 'iso87-ascii', 'iso87-ascii-bin'] as const)('serves dialect %s', async (dialect) => {
    const test = await harness({ link: { dialect } });
    const client = await tcpClient(test, { dialect });
    expect(await client.ask(request(7))).toMatchObject({ '0': '0110', '11': '000007', '39': '00' });
  });

  it('reads a buffer of each connection in turn: one that floods holds nobody up', async () => {
    const test = await harness();
    const [flood, other] = [await tcpClient(test), await tcpClient(test)];
    const notAsked = flood.framed({ ...request(1), '0': '0110', '39': '00' });
    const before = test.ingress.stats().messages;
    let floodRead = Number.NaN;
    test.shards.script = (seen, fields) => {
      floodRead = test.ingress.stats().messages - before;
      return approve(seen, fields);
    };
    // Written at once, as far as the system takes it: far more than a buffer waits when the request comes behind it.
    flood.socket.write(Buffer.concat(Array.from({ length: 20_000 }, () => notAsked)));
    other.socket.write(other.framed(request(2)));
    await until('the request', () => other.replies.length === 1);
    expect(floodRead * notAsked.length).toBeLessThan(2.5 * 65_536);
    await until('the flood', () => test.ingress.stats().errors.unmatched_request === 20_000);
    expect(await flood.ask(request(3))).toMatchObject({ '39': '00' });
  });

  it('puts route, fingerprint, link, dialect and deadline into the ring entry', async () => {
    const test = await harness({ link: { number: 513, deadlineMs: 700 } });
    const print = new PanFingerprinter(FINGERPRINT_KEY).of(PAN);
    test.directory.insert(print.f0, print.f1, print.f2, 3, 42);
    const client = await tcpClient(test);
    await client.ask(request(1));
    await client.ask(request(2, { '2': '4000000000000002' }));
    const track2 = request(3, { '35': `${PAN}=29121011234` });
    delete track2['2'];
    await client.ask(track2);
    const noPan = request(4);
    delete noPan['2'];
    await client.ask(noPan);
    await client.ask({ ...noPan, '0': '0101' });
    const [known, unknown, track, none, repeat] = test.shards.wire;
    expect(known).toMatchObject({ card: (3 << 24) | 42, shard: 3, dialect: 0, hasPan: 1, link: 513 });
    expect(known!.fingerprint).toEqual([print.f0, print.f1, print.f2]);
    expect(known!.b - known!.receivedUs).toBe(700_000);
    expect(known!.message).toEqual(pack('iso87-bcd', request(1)));
    const other = new PanFingerprinter(FINGERPRINT_KEY).of('4000000000000002');
    expect(unknown).toMatchObject({ card: 0xffffffff, shard: other.f0 & 3, hasPan: 1 });
    expect(track).toMatchObject({ card: (3 << 24) | 42, shard: 3, hasPan: 1 });
    expect(none).toMatchObject({ card: 0xffffffff, hasPan: 0, fingerprint: [0, 0, 0] });
    expect(repeat!.shard).toBe(none!.shard);
  });

  it('finds a card by the former fingerprint key as long as there are two, and names an unknown number by the new one', async () => {
    const test = await harness();
    const other = Buffer.alloc(32, 0x3c);
    const former = new PanFingerprinter(FINGERPRINT_KEY).of(PAN);
    const moved = new PanFingerprinter(other).of('9999990000000025');
    test.directory.insert(former.f0, former.f1, former.f2, 3, 42);
    test.directory.insert(moved.f0, moved.f1, moved.f2, 2, 7);
    const client = await tcpClient(test);
    let stan = 0;
    const cards = async (...pans: string[]): Promise<number[]> => {
      for (const pan of pans) await client.ask(request(++stan, { '2': pan }));
      return test.shards.wire.slice(-pans.length).map(({ card }) => card);
    };
    const all = [PAN, '9999990000000025', '4000000000000002'];
    expect(await cards(...all)).toEqual([(3 << 24) | 42, 0xffffffff, 0xffffffff]);
    test.ingress.useFingerprintKeys([other, FINGERPRINT_KEY]);
    expect(await cards(...all)).toEqual([(3 << 24) | 42, (2 << 24) | 7, 0xffffffff]);
    const unknown = new PanFingerprinter(other).of('4000000000000002');
    expect(test.shards.wire.at(-1)).toMatchObject({
      ...{ shard: unknown.f0 & 3, fingerprint: [unknown.f0, unknown.f1, unknown.f2] },
    });
    test.ingress.useFingerprintKeys([other]);
    expect(await cards(...all)).toEqual([0xffffffff, (2 << 24) | 7, 0xffffffff]);
    expect(() => test.ingress.useFingerprintKeys([])).toThrow(RangeError);
  });

  it('takes frames split at every byte and frames coalesced in one read', async () => {
    const test = await harness();
    const client = await tcpClient(test);
    const bytes = client.framed(request(1));
    for (const byte of bytes.subarray(0, 40)) {
      client.socket.write(Buffer.of(byte));
      await sleep(0);
    }
    client.socket.write(bytes.subarray(40));
    await until('the reply', () => client.replies.length === 1);
    const many = Buffer.concat(Array.from({ length: 500 }, (_, i) => client.framed(request(i + 10))));
    client.socket.write(many.subarray(0, 12_345));
    client.socket.write(many.subarray(12_345));
    await until('500 replies', () => client.replies.length === 501);
    const stans = client.replies.slice(1).map((_, i) => client.fields(i + 1)['11']);
    expect(new Set(stans).size).toBe(500);
    expect(test.ingress.stats()).toMatchObject({ messages: 501, replies: 501, inFlight: 0 });
  });

  it('answers keep-alives in kind, also between messages', async () => {
    const test = await harness();
    const client = await tcpClient(test);
    client.socket.write(Buffer.concat([Buffer.alloc(2), client.framed(request(1)), Buffer.alloc(4)]));
    await until('all', () => client.replies.length === 1 && client.keepAlives === 3);
    expect(test.ingress.stats().keepAlives).toBe(3);
  });

  const garbage: [string, Buffer, string][] = [
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), 'too_long'],
    ['a length above the maximum', Buffer.from([0x10, 0x01]), 'too_long'],
    ['a message without an MTI', Buffer.from([0, 6, 0xaa, 0xbb, 1, 2, 3, 4]), 'not_iso8583'],
    ['an MTI of no class', Buffer.from([0, 3, 0x00, 0x00, 1]), 'not_iso8583'],
    ['one byte', Buffer.from([0, 1, 0x01]), 'not_iso8583'],
    ['an MTI without a bitmap', Buffer.from('00020100', 'hex'), 'not_iso8583'],
    ['a bitmap that is cut off', Buffer.from('0009010072380000000000', 'hex'), 'not_iso8583'],
    ['a secondary bitmap that is not there', Buffer.from('000a01008000000000000000', 'hex'), 'not_iso8583'],
    ['a secondary bitmap that is cut off', Buffer.from('00110400800000000000000000000000000000', 'hex'), 'not_iso8583'],
    ['a network message with half a bitmap', Buffer.from('0006080082200000', 'hex'), 'not_iso8583'],
    ['a reply with half a bitmap', Buffer.from('0006011072380000', 'hex'), 'not_iso8583'],
    ['bytes behind an empty bitmap', Buffer.from('000b0100000000000000000001', 'hex'), 'not_iso8583'],
  ];
  it.each(garbage)('%s closes that connection only, with one line', async (_name, bytes, kind) => {
    const test = await harness();
    const good = await tcpClient(test);
    const bad = await tcpClient(test);
    await good.ask(request(1));
    bad.socket.write(bytes);
    await until('the close', () => bad.closed);
    expect(test.log).toHaveLength(1);
    expect(test.log[0]).toContain(kind);
    expect(test.ingress.stats().errors).toMatchObject({ [kind]: 1 });
    expect(await good.ask(request(2))).toMatchObject({ '39': '00' });
    expect(test.ingress.stats().connections.tcp.signed_on).toBe(1);
  });

  it('a flood of bad peers is counted in full and logged in part', async () => {
    const test = await harness();
    for (let round = 0; round < 3; round++) {
      const peers = await Promise.all(Array.from({ length: 60 }, () => tcpClient(test)));
      for (const peer of peers) peer.socket.write(Buffer.from([0, 1, 0xff]));
    }
    await until('all counted', () => test.ingress.stats().errors.not_iso8583 === 180);
    expect(test.log.length).toBeLessThanOrEqual(180);
    const shown = test.log.filter((line) => line.includes('not_iso8583')).length;
    // At most 100 in each second that the flood took.
    expect(shown).toBeGreaterThanOrEqual(100);
    await sleep(1000);
    const last = await tcpClient(test);
    last.socket.write(Buffer.from([0, 1, 0xff]));
    await until('the close', () => last.closed);
    const leftOut = test.log
      .filter((line) => line.includes('left out'))
      .map((line) => Number(/lines: (\d+)/.exec(line)?.[1]));
    const total = test.log.filter((line) => line.includes('not_iso8583')).length;
    expect(total + leftOut.reduce((sum, lines) => sum + lines, 0)).toBe(181);
  });

  it('what a flood left out of the log is told when it is over, without another bad peer', async () => {
    const test = await harness();
    const peers = await Promise.all(Array.from({ length: 250 }, () => tcpClient(test)));
    for (const peer of peers) peer.socket.write(Buffer.from([0, 1, 0xff]));
    await until('all counted', () => test.ingress.stats().errors.not_iso8583 === 250);
    const shown = (): number => test.log.filter((line) => line.includes('not_iso8583')).length;
    const leftOut = (): number =>
      test.log.reduce((sum, line) => sum + Number(/^lines about .* lines: (\d+)/.exec(line)?.[1] ?? 0), 0);
    await until('the rest is told', () => shown() + leftOut() === 250);
  });

  it('random bytes never stop the ingress', async () => {
    const test = await harness({ link: { framing: 'ascii4', dialect: 'iso87-ascii' } });
    const good = await tcpClient(test, { framing: 'ascii4', dialect: 'iso87-ascii' });
    let seed = 12_345;
    const random = (): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
      return seed >>> 8;
    };
    for (let i = 0; i < 60; i++) {
      const bad = await tcpClient(test, { framing: 'ascii4', dialect: 'iso87-ascii' });
      const body = bad.framed(request(i));
      for (let flips = 0; flips < 1 + (i % 7); flips++) body[random() % body.length] = random() & 0xff;
      bad.socket.end(body);
    }
    expect(await good.ask(request(999))).toMatchObject({ '39': '00', '11': '000999' });
    expect(test.ingress.stats().errors.internal).toBe(0);
  });

  it('a message with a readable MTI that does not decode still reaches a shard', async () => {
    const test = await harness();
    test.shards.script = () => ({ fields: { '0': '0110', '39': '30' } });
    const client = await tcpClient(test);
    const bytes = client.framed(request(1));
    client.socket.write(Buffer.concat([Buffer.from([0, bytes.length - 2 - 9]), bytes.subarray(2, bytes.length - 9)]));
    await until('the reply', () => client.replies.length === 1);
    expect(client.fields(0)).toMatchObject({ '39': '30' });
    expect(test.shards.wire[0]).toMatchObject({ hasPan: 1 });
  });

  it('replies and notifications of the peer are counted and never answered', async () => {
    const test = await harness();
    const client = await tcpClient(test);
    for (const mti of ['0110', '0130', '0210', '0810', '0140']) client.send(request(1, { '0': mti }));
    expect(await client.ask(request(2))).toMatchObject({ '11': '000002' });
    expect(client.replies).toHaveLength(1);
    expect(test.shards.wire).toHaveLength(1);
    expect(test.ingress.stats().errors.unmatched_request).toBe(5);
  });

  it('a frame that does not become complete closes the connection; a busy one is not mistaken for it', async () => {
    const test = await harness({ link: { frameMs: 250 } });
    const slow = await tcpClient(test);
    const busy = await tcpClient(test);
    slow.socket.write(slow.framed(request(1)).subarray(0, 30));
    const tail = busy.framed(request(5));
    busy.socket.write(tail.subarray(0, 50));
    for (let i = 0; i < 12; i++) {
      await sleep(40);
      // Each write completes a frame and starts the next: there is always an incomplete one, but never an old one.
      busy.socket.write(Buffer.concat([tail.subarray(50), tail.subarray(0, 50)]));
    }
    await until('the close', () => slow.closed);
    expect(busy.closed).toBe(false);
    expect(busy.replies.length).toBeGreaterThan(8);
    expect(test.ingress.stats().errors.slow_frame).toBe(1);
  });

  it('an idle connection is closed', async () => {
    const test = await harness({ link: { idleMs: 150 } });
    const client = await tcpClient(test);
    await until('the close', () => client.closed);
    expect(test.ingress.stats().errors.idle).toBe(1);
    expect(test.ingress.stats().connections.tcp.signed_on).toBe(0);
  });

  it('a peer that takes no replies is read no further, then closed, and the others go on', async () => {
    const test = await harness({ ingress: { tuning: { writeStallMs: 300 } } });
    const big = 'X'.repeat(900);
    test.shards.script = (_seen, fields) => ({ fields: { '0': '0110', '11': fields['11']!, '39': '51', '63': big } });
    const good = await tcpClient(test);
    const slow = await tcpClient(test);
    slow.socket.pause();
    let written = 0;
    for (let i = 0; i < 400 && !slow.closed && !slow.socket.destroyed; i++) {
      const batch = Buffer.concat(Array.from({ length: 100 }, (_, k) => slow.framed(request(i * 100 + k))));
      written += 100;
      slow.socket.write(batch);
      await sleep(1);
    }
    expect(await good.ask(request(1))).toMatchObject({ '39': '51' });
    await until('the close', () => test.ingress.stats().errors.slow_reader === 1);
    expect(test.ingress.stats().messages).toBeLessThan(written);
    expect(await good.ask(request(2))).toMatchObject({ '39': '51' });
    expect(test.log.filter((line) => line.includes('slow_reader'))).toHaveLength(1);
  });

  it('serves 1 000 connections', async () => {
    const test = await harness();
    const peers: TcpClient[] = [];
    for (let i = 0; i < 1000; i += 100) {
      peers.push(...(await Promise.all(Array.from({ length: 100 }, () => tcpClient(test)))));
    }
    await until('all accepted', () => test.ingress.stats().connections.tcp.signed_on === 1000);
    peers.forEach((peer, i) => {
      peer.send(request(i));
    });
    await until('a reply for each', () => peers.every((peer) => peer.replies.length === 1));
    expect(peers.every((peer, i) => Number(peer.fields(0)['11']) === i)).toBe(true);
    for (const peer of peers) peer.socket.destroy();
    await until('all gone', () => test.ingress.stats().connections.tcp.signed_on === 0);
  });

  it('refuses the connection above the maximum and addresses off the list', async () => {
    const test = await harness({ link: { connectionsMax: 2 } });
    const first = await tcpClient(test);
    await tcpClient(test);
    const third = await tcpClient(test);
    await until('the refusal', () => third.closed);
    expect(test.ingress.stats().errors.too_many_connections).toBe(1);
    first.socket.destroy();
    await until('room', () => test.ingress.stats().connections.tcp.signed_on === 1);
    const fourth = await tcpClient(test);
    expect(await fourth.ask(request(4))).toMatchObject({ '39': '00' });

    const walled = await harness({ link: { allow: ['10.0.0.0/8', '192.0.2.7'] } });
    const outsider = await tcpClient(walled);
    await until('the refusal', () => outsider.closed);
    expect(walled.ingress.stats().errors.not_allowed).toBe(1);
    const open = await harness({ link: { allow: ['127.0.0.0/8'] } });
    expect(await (await tcpClient(open)).ask(request(1))).toMatchObject({ '39': '00' });
  });

  it('sockets of all links together have a bound of their own', async () => {
    const test = await harness({
      links: [tcpLink(), tcpLink({ name: 'other', number: 2 })],
      ingress: { socketsMax: 2 },
    });
    const other = await tcpClient(test, { link: 'other' });
    const first = await tcpClient(test);
    await until('both', () => test.ingress.stats().connections.tcp.signed_on === 2);
    const third = await tcpClient(test);
    await until('the refusal', () => third.closed);
    expect(test.ingress.stats().errors.too_many_connections).toBe(1);
    expect(test.log.at(-1)).toContain('2 sockets are open, the most that the open-files limit allows');
    other.socket.destroy();
    await until('room', () => test.ingress.stats().connections.tcp.signed_on === 1);
    const fourth = await tcpClient(test);
    expect(await fourth.ask(request(4))).toMatchObject({ '39': '00' });
    expect(await first.ask(request(5))).toMatchObject({ '39': '00' });
  });

  it('a peer that half-closes and takes no replies does not keep its socket', async () => {
    const test = await harness();
    const big = 'X'.repeat(900);
    test.shards.script = (_seen, fields) => ({ fields: echoReply(fields, '51', { '63': big }) });
    const client = await tcpClient(test);
    client.socket.pause();
    await until('the connection', () => serverSockets(test.addresses.tcp).length === 1);
    const server = serverSockets(test.addresses.tcp)[0]!;
    // Until the system takes no more for it: a little waits in the process then, too little to stop reading.
    for (let sent = 0; server.writableLength === 0; sent += 20) {
      expect(sent).toBeLessThan(100_000);
      client.socket.write(Buffer.concat(Array.from({ length: 20 }, (_, i) => client.framed(request(i)))));
      await until('the replies', () => test.ingress.stats().replies === sent + 20);
    }
    expect(server.isPaused()).toBe(false);
    client.socket.end();
    await until('the end', () => test.ingress.stats().connections.tcp.signed_on === 0);
    await until('the socket is cut', () => serverSockets(test.addresses.tcp).length === 0, 15_000);
    expect(test.ingress.stats().errors.slow_reader).toBe(0);
  });

  it('a reply that cannot be framed costs its connection only; an approval among them is rolled back', async () => {
    const test = await harness();
    const tooLong = new Uint8Array(5000);
    test.shards.script = (_seen, fields) =>
      fields['11'] === '000001' ? { bytes: tooLong, flag: 1 } : { fields: echoReply(fields, '00', { '38': 'A00001' }) };
    const [bad, good] = [await tcpClient(test), await tcpClient(test)];
    bad.send(request(1));
    await until('the close', () => bad.closed);
    await until('the roll-back', () => test.ingress.stats().rolledBack === 1);
    expect(bad.replies).toHaveLength(0);
    expect(await good.ask(request(2))).toMatchObject({ '39': '00' });
    expect(test.ingress.stats()).toMatchObject({ inFlight: 0, errors: { internal: 1 } });
    expect(test.log.filter((line) => line.includes('a defect of the ingress'))).toHaveLength(1);
  });

  it('a socket that throws costs its connection only', async () => {
    const test = await harness();
    const bad = await tcpClient(test);
    await bad.ask(request(1));
    serverSockets(test.addresses.tcp)[0]!.write = () => {
      throw new Error('planted');
    };
    const good = await tcpClient(test);
    bad.send(request(2));
    good.send(request(3));
    await until('the reply', () => good.replies.length === 1);
    await until('the end', () => test.ingress.stats().connections.tcp.signed_on === 1);
    expect(await good.ask(request(4))).toMatchObject({ '39': '00' });
    expect(test.ingress.stats().errors.internal).toBeGreaterThanOrEqual(1);
    expect(test.ingress.stats().inFlight).toBe(0);
    await until('its socket is closed', () => serverSockets(test.addresses.tcp).length === 1);
  });

  it('a busy port is an error that names address and setting, and nothing stays open', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const links = [
      tcpLink({ name: 'a', number: 1 }),
      tcpLink({ name: 'b', number: 2, port, portSetting: '--tcp-port' }),
    ];
    const error = (await harness({ links }).catch((failure: unknown) => failure)) as HoldfastError;
    taken.close();
    expect(error.code).toBe('port_in_use');
    expect(error.exitStatus).toBe(69);
    expect(error.message).toContain(`127.0.0.1:${port}`);
    expect(error.next).toContain('--tcp-port');
  });

  it('an address that is none of this machine is an error that speaks of the host, not of the port', async () => {
    for (const [host, why] of [
      ['203.0.113.7', /none of this machine/],
      ['nobody.invalid', /no host of this name|cannot be looked up/],
    ] as const) {
      const links = [tcpLink({ name: 'a', number: 1, host })];
      const error = (await harness({ links }).catch((failure: unknown) => failure)) as HoldfastError;
      expect(error.message).toMatch(why);
      expect(error.next).toContain('--host');
      expect(error.next).not.toContain('free the port');
    }
  });

  it('stop answers what is in flight, refuses what is new, and closes everything', async () => {
    const test = await harness();
    test.shards.script = () => undefined;
    const client = await tcpClient(test);
    client.send(request(1));
    await until('the request at the shard', () => test.shards.wire.length === 1);
    const stopping = test.ingress.stop(2000);
    await sleep(20);
    expect(await client.ask(request(2))).toMatchObject({ '11': '000002', '39': '91' });
    await expect(tcpClient(test)).rejects.toThrow();
    test.shards.reply(test.shards.wire[0]!, { fields: { '0': '0110', '11': '000001', '39': '00' }, flag: 1 });
    await stopping;
    await until('the close', () => client.closed);
    expect(client.fields(1)).toMatchObject({ '11': '000001', '39': '00' });
    expect(test.ingress.stats().shed.stopping).toBe(1);
  });
});

describe('a stop', () => {
  it('serves what the sockets had received before it', async () => {
    const test = await harness();
    const clients = [await tcpClient(test), await tcpClient(test)];
    // In the buffers of the system when the stop begins: the loop has had no turn to read it.
    for (const [n, client] of clients.entries()) {
      const frames = Array.from({ length: 50 }, (_, i) => client.framed(request(1 + n * 50 + i)));
      client.socket.write(Buffer.concat(frames));
    }
    await test.ingress.stop(5000);
    await until('the end', () => clients.every((client) => client.closed));
    for (const client of clients)
      expect(client.replies.map((_, i) => client.fields(i)[39])).toEqual(Array.from({ length: 50 }, () => '00'));
  });

  it('ends a connection without a reset: a peer that still sends has its replies, and ends it', async () => {
    const test = await harness();
    const socket = connect({ host: '127.0.0.1', port: portOf(test.addresses.tcp), noDelay: true, allowHalfOpen: true });
    const errors: Error[] = [];
    let bytes = 0;
    let ended = false;
    socket.on('error', (error) => errors.push(error));
    socket.on('end', () => {
      ended = true;
    });
    await once(socket, 'connect');
    const client = new TcpClient(new Socket(), 'len2', 0, 'iso87-bcd');
    socket.write(client.framed(request(1)));
    await until('the request', () => test.ingress.stats().replies === 1);
    // Its replies wait in the system until it reads them; meanwhile it sends on, into the end of the connection.
    const stopping = test.ingress.stop(5000);
    // On a busy machine not all of them: half a second later the stop cuts who has not read.
    const until200Ms = performance.now() + 200;
    for (let i = 0; i < 20 && performance.now() < until200Ms; i++) {
      socket.write(client.framed(request(2 + i)));
      await sleep(5);
    }
    socket.on('data', (chunk) => {
      bytes += chunk.length;
    });
    await until('the end', () => ended);
    expect(bytes).toBeGreaterThan(0);
    expect(errors).toEqual([]);
    socket.end();
    await stopping;
    expect(errors).toEqual([]);
  });
});
