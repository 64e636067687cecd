/** What peers hear at a stop: DESIGN of the stop is "finish what is in flight, sign links off, close". */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type LinkProfile, linkDefaults } from '#src/ingress/links.js';
import { wsAdapterNames } from '#src/ingress/ws.js';
import { loadUws } from '#src/ingress/ws-uws.js';
import { dialectNames } from '#src/iso8583/dialects.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';
import { SIGN_OFF_WAIT_MS } from '#src/limits.js';
import { echoReply, harness, request, serverSockets, tcpClient, until, wsClient } from './support.js';

const signOn: Fields = { '0': '0800', '7': '1123024500', '11': '000009', '70': '001' };

/** What every sign-off has, and nothing else. */
const signOff = {
  '0': '0800',
  '7': expect.stringMatching(/^(0[1-9]|1[0-2])[0-3]\d[0-2]\d[0-5]\d[0-5]\d$/),
  '11': expect.stringMatching(/^\d{6}$/),
  '70': '002',
};

/** A wait so long that a test which has to sit it out fails. */
const patient = { ingress: { tuning: { signOffWaitMs: 60_000 } } };

const answered = (message: Fields, more: Fields = {}): Fields => ({ ...message, '0': '0810', '39': '00', ...more });

describe('TCP peers at a stop', () => {
  it('those that signed on are sent an 0800 with DE70 002; their 0810 ends the wait and is not answered', async () => {
    const test = await harness();
    const [a, b, never, left] = await Promise.all([1, 2, 3, 4].map(() => tcpClient(test)));
    for (const client of [a!, b!, left!]) expect(await client.ask(signOn)).toMatchObject({ '39': '00' });
    await never!.ask(request(1));
    await left!.ask({ ...signOn, '70': '002' });
    const stopping = test.ingress.stop(60_000);
    await until('the sign-offs', () => a!.replies.length === 2 && b!.replies.length === 2);
    expect([a!.fields(1), b!.fields(1)]).toEqual([signOff, signOff]);
    expect(a!.fields(1)['11']).not.toBe(b!.fields(1)['11']);
    expect(Math.abs(transmitted(a!.fields(1)) - Date.now())).toBeLessThan(3_600_000);
    // One answers in full, one without DE70.
    a!.send(answered(a!.fields(1)));
    const { '70': _code, ...short } = answered(b!.fields(1));
    b!.send(short);
    await stopping;
    await until('the closes', () => [a!, b!, never!, left!].every((client) => client.closed));
    expect([a!, b!, never!, left!].map((client) => client.replies.length)).toEqual([2, 2, 1, 2]);
    expect(test.ingress.stats()).toMatchObject({ signOffs: 2, signOffsAnswered: 2, errors: { unmatched_request: 0 } });
    expect(test.log.filter((line) => line.startsWith('links signed off'))).toEqual([
      'links signed off { peers: 2, answered: 2 }',
    ]);
  });

  it('an 0810 that answers something else is counted as unmatched, and a sign-on is refused by then', async () => {
    const test = await harness();
    const client = await tcpClient(test);
    await client.ask(signOn);
    const stopping = test.ingress.stop(60_000);
    await until('the sign-off', () => client.replies.length === 2);
    const sent = client.fields(1);
    client.send(answered(sent, { '11': '999999' }));
    client.send(answered(sent, { '70': '301' }));
    expect(await client.ask(signOn)).toMatchObject({ '0': '0810', '39': '91' });
    client.send(answered(sent));
    client.send(answered(sent));
    await stopping;
    expect(test.ingress.stats()).toMatchObject({ signOffs: 1, signOffsAnswered: 1 });
    expect(test.ingress.stats().errors.unmatched_request).toBeGreaterThanOrEqual(2);
    expect(client.replies).toHaveLength(3);
  });

  it('a peer that does not answer is waited for SIGN_OFF_WAIT_MS, and not beyond the time of the stop', async () => {
    for (const [graceMs, waitMs, atLeast] of [
      [60_000, SIGN_OFF_WAIT_MS, SIGN_OFF_WAIT_MS],
      [100, 60_000, 100],
      [0, 60_000, 0],
    ] as const) {
      const test = await harness({ ingress: { tuning: { signOffWaitMs: waitMs } } });
      const client = await tcpClient(test);
      await client.ask(signOn);
      const began = performance.now();
      await test.ingress.stop(graceMs);
      const took = performance.now() - began;
      expect(took).toBeGreaterThanOrEqual(atLeast);
      expect(took).toBeLessThan(30_000);
      await until('the close', () => client.closed);
      expect(client.fields(1)).toEqual(signOff);
    }
  });

  it('a peer that leaves after it is not waited for', async () => {
    const test = await harness(patient);
    const client = await tcpClient(test);
    await client.ask(signOn);
    const stopping = test.ingress.stop(60_000);
    await until('the sign-off', () => client.replies.length === 2);
    client.socket.end();
    const began = performance.now();
    await stopping;
    expect(performance.now() - began).toBeLessThan(30_000);
    expect(test.ingress.stats()).toMatchObject({ signOffs: 1, signOffsAnswered: 0 });
  });

  it('a peer that takes no bytes gets none and holds nothing up', async () => {
    const test = await harness(patient);
    const big = 'X'.repeat(900);
    test.shards.script = (_seen, fields) => ({ fields: echoReply(fields, '51', { '63': big }) });
    const slow = await tcpClient(test);
    await slow.ask(signOn);
    slow.socket.pause();
    await until('the connection', () => serverSockets(test.addresses.tcp).length === 1);
    const server = serverSockets(test.addresses.tcp)[0]!;
    for (let sent = 0; !server.isPaused(); sent += 100) {
      expect(sent).toBeLessThan(100_000);
      slow.socket.write(Buffer.concat(Array.from({ length: 100 }, (_, i) => slow.framed(request(i)))));
      await until('the replies', () => server.isPaused() || test.ingress.stats().replies === sent + 101);
    }
    await until('nothing in flight', () => test.ingress.stats().inFlight === 0);
    const began = performance.now();
    await test.ingress.stop(60_000);
    expect(performance.now() - began).toBeLessThan(30_000);
    expect(test.ingress.stats().signOffs).toBe(0);
  });

  it('what is in flight is answered first', async () => {
    const test = await harness();
    test.shards.script = () => undefined;
    const client = await tcpClient(test);
    await client.ask(signOn);
    client.send(request(1));
    await until('the request at the shard', () => test.shards.wire.length === 1);
    const stopping = test.ingress.stop(60_000);
    await sleep(50);
    expect(client.replies).toHaveLength(1);
    test.shards.reply(test.shards.wire[0]!, { fields: echoReply(request(1), '00', { '38': 'A00001' }), flag: 1 });
    await until('both', () => client.replies.length === 3);
    expect(client.fields(1)).toMatchObject({ '0': '0110', '39': '00' });
    expect(client.fields(2)).toEqual(signOff);
    expect(await client.ask(request(2))).toMatchObject({ '39': '91' });
    client.send(answered(client.fields(2)));
    await stopping;
  });

  it.each([
    ['always', true, [1, 2]],
    ['auto', true, [0, 2]],
    ['never', false, [0, 1]],
  ] as const)('sign-off: %s', async (rule, sends, replies) => {
    const test = await harness({ link: { signOff: rule } });
    const [quiet, spoke] = [await tcpClient(test), await tcpClient(test)];
    await spoke.ask(signOn);
    await test.ingress.stop(200);
    await until('the closes', () => quiet.closed && spoke.closed);
    expect([quiet.replies.length, spoke.replies.length]).toEqual(replies);
    expect(test.ingress.stats().signOffs > 0).toBe(sends);
  });

  it('a link that requires sign-on sends none to who has not signed on, whatever its rule', async () => {
    const test = await harness({ link: { signOff: 'always', signOnRequired: true } });
    const client = await tcpClient(test);
    await client.ask({ ...signOn, '70': '301' });
    await test.ingress.stop(200);
    await until('the close', () => client.closed);
    expect(client.replies).toHaveLength(1);
  });

  it.each(dialectNames)('is readable in %s', async (dialect) => {
    const test = await harness({ link: { dialect } });
    const client = await tcpClient(test, { dialect });
    await client.ask(signOn);
    await test.ingress.stop(50);
    await until('the close', () => client.closed);
    expect(client.fields(1)).toEqual(signOff);
  });

  it('carries the header of the sign-on, with the addresses of a TPDU swapped', async () => {
    const test = await harness({ link: { headerBytes: 5 } });
    const client = await tcpClient(test, { headerBytes: 5 });
    client.send(signOn, Uint8Array.of(0x60, 0, 1, 0, 2));
    await until('the answer', () => client.replies.length === 1);
    client.send(request(1), Uint8Array.of(0x60, 0, 7, 0, 8));
    await until('the reply', () => client.replies.length === 2);
    await test.ingress.stop(50);
    await until('the close', () => client.closed);
    expect(client.fields(2)).toEqual(signOff);
    expect([...client.headers[2]!]).toEqual([0x60, 0, 2, 0, 1]);
  });
});

const missing = loadUws();

describe.each(wsAdapterNames)('WebSocket peers at a stop, adapter %s', (adapter) => {
  const test = it.skipIf(adapter === 'uws' && typeof missing === 'string');
  const link: LinkProfile = { ...linkDefaults, name: 'ws', number: 2, transport: 'ws', host: '127.0.0.1', port: 0 };

  test('are sent the 0800 before the close frame; an 0810 ends the wait', async () => {
    const engine = await harness({ links: [link], ingress: { wsAdapter: adapter } });
    const [client, quiet] = [await wsClient(engine), await wsClient(engine)];
    client.socket.send(pack('iso87-bcd', signOn));
    await until('the answer', () => client.replies.length === 1);
    const stopping = engine.ingress.stop(60_000);
    await until('the sign-off', () => client.replies.length === 2);
    const sent = unpack('iso87-bcd', client.replies[1]!);
    expect(sent).toEqual(signOff);
    expect(client.closeCode).toBe(0);
    client.socket.send(pack('iso87-bcd', answered(sent)));
    await stopping;
    await until('the closes', () => client.closeCode === 1001 && quiet.closeCode === 1001);
    expect(engine.ingress.stats()).toMatchObject({
      signOffs: 1,
      signOffsAnswered: 1,
      errors: { unmatched_request: 0 },
    });
    expect([client.replies.length, quiet.replies.length]).toEqual([2, 0]);
  });

  test('one that does not answer is closed after the wait', async () => {
    const engine = await harness({ links: [link], ingress: { wsAdapter: adapter } });
    const client = await wsClient(engine);
    client.socket.send(pack('iso87-bcd', signOn));
    await until('the answer', () => client.replies.length === 1);
    await engine.ingress.stop(100);
    await until('the close', () => client.closeCode === 1001);
    expect(unpack('iso87-bcd', client.replies[1]!)).toEqual(signOff);
  });
});

/** DE7 of a message in ms since 1970: the year that puts it nearest to now. */
function transmitted(message: Fields): number {
  const [month, day, hours, minutes, seconds] = message['7']!.match(/\d\d/g)!.map(Number);
  const year = new Date().getUTCFullYear();
  const candidates = [year - 1, year, year + 1].map((one) => Date.UTC(one, month! - 1, day, hours, minutes, seconds));
  return candidates.reduce((best, one) => (Math.abs(one - Date.now()) < Math.abs(best - Date.now()) ? one : best));
}
