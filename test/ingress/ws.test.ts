import { request as httpRequest } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { HoldfastError } from '#src/errors.js';
import { type LinkProfile, linkDefaults } from '#src/ingress/links.js';
import { wsAdapterNames } from '#src/ingress/ws.js';
import { loadUws } from '#src/ingress/ws-uws.js';
import type { DialectName } from '#src/iso8583/dialects.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';
import { echoReply, type HarnessOptions, harness, portOf, request, until, wsClient } from './support.js';

function wsLink(more: Partial<LinkProfile> = {}): LinkProfile {
  return { ...linkDefaults, name: 'ws', number: 2, transport: 'ws', host: '127.0.0.1', port: 0, ...more };
}

const missing = loadUws();

describe.each(wsAdapterNames)('WebSocket link, adapter %s', (adapter) => {
  // A machine without the binary says so instead of passing silently.
  const test = it.skipIf(adapter === 'uws' && typeof missing === 'string');
  const start = (link: Partial<LinkProfile> = {}, options: HarnessOptions = {}) =>
    harness({ ...options, links: [wsLink(link)], ingress: { wsAdapter: adapter, ...options.ingress } });
  const body = (fields: Fields, dialect: DialectName = 'iso87-bcd') => pack(dialect, fields);

  test('is the adapter that runs', async () => {
    expect((await start()).addresses).toMatchObject({ wsAdapter: adapter });
  });

  test('answers one binary message with one, many in a burst, none lost or mixed', async () => {
    const engine = await start();
    const client = await wsClient(engine);
    for (let i = 0; i < 300; i++) client.socket.send(body(request(i)));
    await until('300 replies', () => client.replies.length === 300);
    const replies = client.replies.map((bytes) => unpack('iso87-bcd', bytes));
    expect(new Set(replies.map((reply) => reply['11'])).size).toBe(300);
    expect(replies.every((reply) => reply['0'] === '0110' && reply['39'] === '00')).toBe(true);
    expect(engine.shards.wire.every((seen, i) => Buffer.compare(seen.message, body(request(i))) === 0)).toBe(true);
    expect(engine.shards.wire[0]).toMatchObject({ link: 2, hasPan: 1 });
    expect(engine.ingress.stats()).toMatchObject({ accepted: { ws: 1 }, connections: { ws: { signed_on: 1 } } });
  });

  test('speaks the dialect the client asks for, and the link’s without', async () => {
    const engine = await start({ dialect: 'iso87-ascii' });
    for (const [query, dialect] of [
      ['', 'iso87-ascii'],
      ['?dialect=iso87-bcd', 'iso87-bcd'],
      ['?x=1&dialect=iso87-ascii-bin', 'iso87-ascii-bin'],
    ] as const) {
      const client = await wsClient(engine, `/iso8583${query}`);
      client.socket.send(body(request(5), dialect));
      await until('the reply', () => client.replies.length === 1);
      expect(unpack(dialect, client.replies[0]!)).toMatchObject({ '0': '0110', '11': '000005' });
    }
  });

  test('sign-on state is per connection, network messages are answered, empty messages too', async () => {
    const engine = await start({ signOnRequired: true });
    const client = await wsClient(engine);
    client.socket.send(body(request(1)));
    client.socket.send(Buffer.alloc(0));
    client.socket.send(body({ '0': '0800', '7': '1123024500', '11': '000002', '70': '001' }));
    await until('three', () => client.replies.length === 3);
    client.socket.send(body(request(3)));
    await until('four', () => client.replies.length === 4);
    expect(unpack('iso87-bcd', client.replies[0]!)).toMatchObject({ '39': '91' });
    expect(client.replies[1]).toHaveLength(0);
    expect(unpack('iso87-bcd', client.replies[2]!)).toMatchObject({ '0': '0810', '39': '00', '70': '001' });
    expect(unpack('iso87-bcd', client.replies[3]!)).toMatchObject({ '39': '00' });
  });

  const bad: [string, (socket: WebSocket) => void, number, string][] = [
    ['a text message', (socket) => socket.send('{"mti":"0100"}'), 1003, 'text_message'],
    ['a message above the maximum', (socket) => socket.send(Buffer.alloc(4097, 1)), 1009, 'too_long'],
    ['bytes without an MTI', (socket) => socket.send(Buffer.from([0xaa, 0xbb, 1, 2, 3])), 1007, 'not_iso8583'],
    ['half a bitmap', (socket) => socket.send(Buffer.from('010072380000', 'hex')), 1007, 'not_iso8583'],
  ];
  test.each(bad)('%s closes that connection only, with its close code', async (_name, send, code, kind) => {
    const engine = await start();
    const good = await wsClient(engine);
    const client = await wsClient(engine);
    send(client.socket);
    await until('the close', () => client.closeCode !== 0);
    expect(client.closeCode).toBe(code);
    expect(engine.ingress.stats().errors[kind as 'too_long']).toBe(1);
    expect(engine.log).toHaveLength(1);
    good.socket.send(body(request(1)));
    await until('the reply', () => good.replies.length === 1);
    expect(engine.ingress.stats().connections.ws.signed_on).toBe(1);
  });

  test('a message beyond what the library takes ends the connection and nothing else', async () => {
    const engine = await start();
    const [good, client] = [await wsClient(engine), await wsClient(engine)];
    client.socket.send(Buffer.alloc(70_000, 1));
    await until('the close', () => client.closeCode !== 0);
    good.socket.send(body(request(1)));
    await until('the reply', () => good.replies.length === 1);
  });

  test('refuses wrong paths, unknown dialects, strangers and one too many before the upgrade', async () => {
    const engine = await start({ connectionsMax: 1 });
    const status = (path: string, on = engine, origin?: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const headers = origin === undefined ? {} : { origin };
        const socket = new WebSocket(`ws://127.0.0.1:${portOf(on.addresses.ws)}${path}`, { headers });
        socket.on('unexpected-response', (_request, response) => {
          resolve(response.statusCode ?? 0);
          response.resume();
          socket.terminate();
        });
        socket.on('open', () => {
          socket.terminate();
          resolve(101);
        });
        socket.on('error', reject);
      });
    expect(await status('/other')).toBe(404);
    expect(await status('/iso8583?dialect=iso93')).toBe(400);
    // A page that an operator's browser shows may not speak to the engine on its machine; a client that names this host may.
    const own = `127.0.0.1:${portOf(engine.addresses.ws)}`;
    for (const origin of ['https://shop.example', 'null', 'http://127.0.0.1', 'not a url'])
      expect([origin, await status('/iso8583', engine, origin)]).toEqual([origin, 403]);
    expect(await status('/iso8583', engine, `http://${own}`)).toBe(101);
    await until('it is gone', () => engine.ingress.stats().connections.ws.signed_on === 0);
    await wsClient(engine);
    expect(await status('/iso8583')).toBe(503);
    const walled = await start({ allow: ['10.0.0.0/8'] });
    expect(await status('/iso8583', walled)).toBe(403);
    expect(engine.ingress.stats().errors).toMatchObject({ bad_request: 2, not_allowed: 4, too_many_connections: 1 });
  });

  test('plain HTTP gets 426 on the path and 404 elsewhere', async () => {
    const engine = await start();
    const get = (path: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const url = { host: '127.0.0.1', port: portOf(engine.addresses.ws), path, agent: false };
        const ask = httpRequest(url, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
        ask.on('error', reject);
        ask.end();
      });
    expect(await get('/iso8583')).toBe(426);
    expect(await get('/')).toBe(404);
  });

  /** An upgrade request by hand, on a socket that its client never ends. */
  const byHand = async (engine: Awaited<ReturnType<typeof start>>, path: string, key = 'dGhlIHNhbXBsZSBub25jZQ==') => {
    const socket = connect({ host: '127.0.0.1', port: portOf(engine.addresses.ws), allowHalfOpen: true });
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    await new Promise((resolve) => socket.once('connect', resolve));
    const headers = ['host: x', 'connection: upgrade', 'upgrade: websocket', 'sec-websocket-version: 13'];
    socket.write([`GET ${path} HTTP/1.1`, ...headers, `sec-websocket-key: ${key}`, '', ''].join('\r\n'));
    return { socket, text: () => text };
  };

  test('a refused peer that never closes does not keep its socket', async () => {
    const engine = await start();
    const { socket, text } = await byHand(engine, '/other');
    await until('the refusal', () => text().startsWith('HTTP/1.1 404'));
    // Writing to a socket that nobody has any more is answered by a reset.
    await until('the end of the socket', () => {
      if (!socket.destroyed) socket.write('x');
      return socket.destroyed;
    });
    expect(engine.ingress.stats().connections.ws.signed_on).toBe(0);
  });

  test('an approval for a closed connection is rolled back', async () => {
    const engine = await start();
    engine.shards.script = () => undefined;
    const client = await wsClient(engine);
    client.socket.send(body(request(1)));
    await until('the request', () => engine.shards.wire.length === 1);
    client.socket.terminate();
    await until('the close', () => engine.ingress.stats().connections.ws.signed_on === 0);
    engine.shards.reply(engine.shards.wire[0]!, { fields: echoReply(request(1), '00'), flag: 1 });
    await until('the roll-back', () => engine.ingress.stats().rolledBack === 1);
  });

  test('an approval for a connection in its closing handshake is rolled back', async () => {
    const engine = await start();
    engine.shards.script = () => undefined;
    const client = await wsClient(engine);
    client.socket.send(body(request(1)));
    await until('the request', () => engine.shards.wire.length === 1);
    client.socket.close(1000);
    await until('the close', () => client.closeCode === 1000);
    engine.shards.reply(engine.shards.wire[0]!, { fields: echoReply(request(1), '00'), flag: 1 });
    await until('the roll-back', () => engine.ingress.stats().rolledBack === 1);
    expect(client.replies).toHaveLength(0);
    expect(engine.ingress.stats().connections.ws.signed_on).toBe(0);
  });

  test('a peer that takes no replies is closed, the others go on', async () => {
    const engine = await start({}, { ingress: { tuning: { writeStallMs: 300 } } });
    const big = 'X'.repeat(900);
    engine.shards.script = (_seen, fields) => ({ fields: { '0': '0110', '11': fields['11']!, '39': '51', '63': big } });
    const [good, slow] = [await wsClient(engine), await wsClient(engine)];
    slow.socket.pause();
    for (let i = 0; i < 300 && engine.ingress.stats().errors.slow_reader === 0; i++) {
      for (let k = 0; k < 100; k++) slow.socket.send(body(request(k)));
      await sleep(1);
    }
    await until('the close', () => engine.ingress.stats().errors.slow_reader === 1);
    good.socket.send(body(request(1)));
    await until('the reply', () => good.replies.length === 1);
    expect(engine.ingress.stats().errors.internal).toBe(0);
    await until('gone', () => engine.ingress.stats().connections.ws.signed_on === 1);
  });

  test('a busy port is an error, and does not share the port silently', async () => {
    const first = await start();
    const port = portOf(first.addresses.ws);
    const error = (await start({ port, portSetting: '--ws-port' }).catch(
      (failure: unknown) => failure,
    )) as HoldfastError;
    expect(error.code).toBe('port_in_use');
    expect(error.message).toContain(`127.0.0.1:${port}`);
    expect(error.next).toContain('--ws-port');
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const other = (taken.address() as { port: number }).port;
    expect(((await start({ port: other }).catch((failure: unknown) => failure)) as HoldfastError).code).toBe(
      'port_in_use',
    );
    taken.close();
  });

  test('stop closes with 1001 after what is in flight was answered', async () => {
    const engine = await start();
    engine.shards.script = () => undefined;
    const client = await wsClient(engine);
    client.socket.send(body(request(1)));
    await until('the request', () => engine.shards.wire.length === 1);
    const stopping = engine.ingress.stop(2000);
    await sleep(10);
    engine.shards.reply(engine.shards.wire[0]!, { fields: echoReply(request(1), '00'), flag: 1 });
    await stopping;
    await until('the close', () => client.closeCode !== 0);
    expect(client.closeCode).toBe(1001);
    expect(unpack('iso87-bcd', client.replies[0]!)).toMatchObject({ '39': '00' });
    await expect(wsClient(engine)).rejects.toThrow();
  });
});

describe('the adapter ws', () => {
  const start = (link: Partial<LinkProfile> = {}) => harness({ links: [wsLink(link)], ingress: { wsAdapter: 'ws' } });
  const plain = async (engine: Awaited<ReturnType<typeof start>>): Promise<Socket> => {
    const socket = connect({ host: '127.0.0.1', port: portOf(engine.addresses.ws) });
    socket.on('error', () => undefined);
    socket.resume();
    await new Promise((resolve) => socket.once('connect', resolve));
    return socket;
  };

  it('a peer that sends no upgrade, or a slow one, is closed; one that came in time is not', async () => {
    const engine = await start({ frameMs: 300 });
    const [silent, slow] = [await plain(engine), await plain(engine)];
    slow.write('GET /iso8583 HTTP/1.1\r\nhost: x\r\n');
    const client = await wsClient(engine);
    await until('the close of both', () => silent.destroyed && slow.destroyed);
    expect(engine.ingress.stats().errors.slow_frame).toBe(2);
    client.socket.send(pack('iso87-bcd', request(1)));
    await until('the reply', () => client.replies.length === 1);
  });

  it('a peer that speaks no HTTP, or no WebSocket, is told so, closed and counted', async () => {
    const engine = await start();
    const iso = await plain(engine);
    iso.write(Buffer.concat([Buffer.from([0, 90]), pack('iso87-bcd', request(1))]));
    await until('the close', () => iso.destroyed);
    const http = await plain(engine);
    http.write('GET /iso8583 HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    await until('the close', () => http.destroyed);
    expect(engine.ingress.stats().errors.bad_request).toBe(2);
    expect(engine.ingress.stats().errors.internal).toBe(0);
  });
});

describe('the choice of the adapter', () => {
  it('auto takes uWebSockets.js when it loads, else ws', async () => {
    const engine = await harness({ links: [wsLink()] });
    expect(engine.addresses.wsAdapter).toBe(typeof missing === 'string' ? 'ws' : 'uws');
  });
});
