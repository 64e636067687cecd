/**
 * Peers that mean harm, over TCP and WebSocket, while good clients are served on both: theirs are the only connections that suffer,
 * and neither memory nor the log grows with what they send. peers.test.ts has those that merely do not behave. Nothing here is about
 * speed; HOLDFAST_LONG makes it longer.
 */
import { readdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DEMO_CREDIT_LIMIT, demoAccount } from '#src/cli/demo-program.js';
import { pack } from '#src/iso8583/message.js';
import { FILES_RESERVED_MIN, LINK_LOG_LINES_PER_SECOND, UNKNOWN_CARDS_PER_SECOND } from '#src/limits.js';
import { purchase } from '../support/iso-client.js';
import { framed, LoadClient, plainSocket, type Sent, type Transport } from '../support/load-client.js';
import { long } from '../support/long.js';
import { run, Server, until } from '../support/server.js';

const MIB = 2 ** 20;
const TRANSPORTS: readonly Transport[] = ['tcp', 'ws'];
const UPGRADE =
  'GET /iso8583 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: aG9sZGZhc3QgaG9zdGlsZQ==\r\n\r\n';

let server: Server;
let good: LoadClient[];
let running = true;
let failed: unknown;
let background: Promise<void>;
let began: number;
let residentAtStart: number;

/** One request at a time per good client; each must be approved, whatever the others do. */
async function serve(client: LoadClient, card: number): Promise<void> {
  while (running) {
    const sent = client.send(purchase({ card, amount: 1 }));
    await until('a good client is answered', () => sent.answers.length > 0 || client.closed, 60_000);
    if (sent.answers.length !== 1 || sent.answers[0]![39] !== '00')
      throw new Error(`answered ${JSON.stringify(sent.answers)}`);
    await sleep(2);
  }
}

beforeAll(async () => {
  server = await Server.start();
  good = await Promise.all(TRANSPORTS.map((transport) => LoadClient.open(server, transport)));
  background = Promise.all(good.map((client, n) => serve(client, 901 + n))).then(
    () => undefined,
    (error: unknown) => {
      failed = error;
    },
  );
  began = performance.now();
  await sleep(200);
  residentAtStart = server.residentBytes();
});

afterEach(async () => {
  const before = good.map(({ answered }) => answered);
  await until(
    'the good clients are answered',
    () => failed !== undefined || good.every(({ answered }, n) => answered >= before[n]! + 5),
  );
  expect(failed).toBeUndefined();
  expect(server.residentBytes() - residentAtStart).toBeLessThan(250 * MIB);
});

afterAll(async () => {
  running = false;
  await background;
  for (const [n, client] of good.entries()) {
    const { body } = await server.get(`/v1/accounts/${demoAccount(901 + n)}`);
    expect(body.balances.held).toBe(client.answered);
    client.close();
  }
  const seconds = (performance.now() - began) / 1000;
  // Two links, and a line now and then of what was left out.
  expect(server.stderr.split('\n').length).toBeLessThan(2 * (LINK_LOG_LINES_PER_SECOND + 1) * (seconds + 1) + 100);
  expect(await server.stop()).toEqual({ status: 0, signal: null });
  const { status, out } = await run(['verify', '--data-dir', server.dataDir]);
  expect([status, out]).toEqual([0, expect.stringContaining('verify ok')]);
});

const addressOf = (transport: Transport): string => (transport === 'tcp' ? server.tcp : server.ready.ws!);

/** A socket that may send messages: over WebSocket upgraded by hand, so that it can send any bytes. */
async function peer(transport: Transport): Promise<Socket> {
  const socket = await plainSocket(addressOf(transport));
  if (transport === 'tcp') return socket;
  socket.write(UPGRADE);
  await new Promise((resolve) => socket.once('data', resolve));
  return socket;
}

/** The bytes of a message on the wire of its transport; a WebSocket mask of zeros leaves them as they are. */
function wire(transport: Transport, body: Uint8Array): Buffer {
  if (transport === 'tcp') return framed(body);
  const head = body.length < 126 ? [0x82, 0x80 | body.length] : [0x82, 0xfe, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), body]);
}

const message = (options: Parameters<typeof purchase>[0] = {}): Uint8Array => pack('iso87-bcd', purchase(options));

async function metric(name: string): Promise<number> {
  const { text } = await server.get('/metrics');
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? Number.NaN);
}

const closed = (socket: Socket): Promise<void> =>
  socket.destroyed ? Promise.resolve() : new Promise((resolve) => void socket.resume().once('close', () => resolve()));

async function answered(sent: readonly Sent[]): Promise<string[]> {
  await until('all are answered', () => sent.every(({ answers }) => answers.length > 0), 60_000);
  await sleep(100);
  return sent.map(({ answers }) => {
    expect(answers).toHaveLength(1);
    return answers[0]![39]!;
  });
}

/** So many requests over four connections, as fast as the sockets take them. */
async function flood(
  transport: Transport,
  count: number,
  options: (n: number) => Parameters<typeof purchase>[0],
): Promise<Sent[]> {
  const clients = await Promise.all(Array.from({ length: 4 }, () => LoadClient.open(server, transport)));
  for (let n = 0; n < count; n++) {
    clients[n % 4]!.send(purchase(options(n)));
    if (n % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const sent = clients.flatMap((client) => client.sent);
  await answered(sent);
  for (const client of clients) {
    expect(client.strange).toEqual([]);
    client.close();
  }
  return sent;
}

describe.each(TRANSPORTS)('over %s', (transport) => {
  test('one account with all the traffic: never overdrawn, each answered once', async () => {
    const card = transport === 'tcp' ? 801 : 802;
    const amount = DEMO_CREDIT_LIMIT / 1000;
    const codes = (await flood(transport, 3000 * long, () => ({ card, amount }))).map(
      ({ answers }) => answers[0]![39]!,
    );
    const approved = codes.filter((code) => code === '00').length;
    const { body } = await server.get(`/v1/accounts/${demoAccount(card)}`);
    expect([body.balances.held, approved]).toEqual([approved * amount, 1000]);
    expect(new Set(codes)).toEqual(new Set(['00', '51', ...(codes.includes('91') ? ['91'] : [])]));
  });

  test('a flood of unknown cards: declined, and journaled at a rate', async () => {
    const count = 4000 * long;
    const from = performance.now();
    const before = await metric('holdfast_search_lag_records');
    const sent = await flood(transport, count, (n) => ({ fields: { 2: `999998${String(n).padStart(10, '0')}` } }));
    expect(new Set(sent.map(({ answers }) => answers[0]![39]))).not.toContain('00');
    const shards = server.number('shards');
    const seconds = (performance.now() - from) / 1000 + 1;
    const grown = (await metric('holdfast_search_lag_records')) - before;
    expect(grown).toBeLessThan(shards * UNKNOWN_CARDS_PER_SECOND * seconds + 2000);
  });

  test('a flood of replies is dropped, and the connection goes on', async () => {
    const client = await LoadClient.open(server, transport);
    for (let n = 0; n < 5000 * long; n++) client.send({ ...purchase(), 0: '0110', 39: '00' });
    const question = client.send(purchase({ card: 803, amount: 1 }));
    expect(await answered([question])).toEqual(['00']);
    expect(client.answered).toBe(1);
    client.close();
  });

  test('peers that read nothing are held back or ended, and cost no more than their bound', async () => {
    const peers = await Promise.all(Array.from({ length: 8 }, () => peer(transport)));
    const burst = Buffer.concat(Array.from({ length: 200 }, () => wire(transport, message({ card: 804, amount: 1 }))));
    for (const socket of peers) socket.pause();
    const until = performance.now() + 3000 * long;
    while (performance.now() < until) {
      for (const socket of peers) if (!socket.destroyed && socket.writableLength < MIB) socket.write(burst);
      await sleep(5);
      expect(server.residentBytes() - residentAtStart).toBeLessThan(250 * MIB);
    }
    for (const socket of peers) socket.destroy();
  });

  test('garbage, again and again: each connection is ended, and the log is not filled', async () => {
    for (let n = 0; n < 150 * long; n++) {
      const some = await Promise.all([peer(transport), peer(transport)]);
      some[0]!.write(Buffer.alloc(3000, 0xfe));
      some[1]!.write(wire(transport, Buffer.alloc(500, 0xee)));
      await Promise.all(some.map(closed));
    }
  });

  test('frames that are too long: the connection is ended before they are taken', async () => {
    for (const length of [4097, 65_535, 50 * MIB]) {
      const socket = await peer(transport);
      const long = Buffer.alloc(10);
      long.set(transport === 'tcp' ? [0xff, 0xff] : length < 65_536 ? [0x82, 0xfe] : [0x82, 0xff]);
      if (transport === 'tcp') long.writeUInt16BE(Math.min(length, 0xffff));
      else if (length < 65_536) long.writeUInt16BE(length, 2);
      else long.writeBigUInt64BE(BigInt(length), 2);
      const bytes = Buffer.concat([
        transport === 'ws' && length < 65_536 ? long.subarray(0, 4) : long,
        Buffer.alloc(4),
      ]);
      socket.write(bytes);
      // It may go on as long as somebody takes it.
      for (let sent = 0; sent < length && !socket.destroyed; sent += 65_536) {
        if (!socket.write(Buffer.alloc(65_536))) await sleep(1);
      }
      await closed(socket);
    }
  });

  test('a byte at a time is a message in the end', async () => {
    const socket = await peer(transport);
    const received: Buffer[] = [];
    socket.on('data', (chunk) => received.push(chunk));
    for (const byte of wire(transport, message({ card: 805, amount: 1 }))) {
      socket.write(Buffer.from([byte]));
      await sleep(1);
    }
    await until('the answer', () => received.length > 0);
    socket.destroy();
  });

  test('peers that vanish in the middle of everything leave no connection and no half of an effect', async () => {
    const card = transport === 'tcp' ? 806 : 807;
    for (let n = 0; n < 100 * long; n++) {
      const socket = await peer(transport);
      const bytes = wire(transport, message({ card, amount: 3 }));
      socket.write(n % 2 === 0 ? bytes : bytes.subarray(0, bytes.length - 5));
      socket.resetAndDestroy();
    }
    await until('they are gone', async () => (await connections(transport)) <= 1);
    const { body } = await server.get(`/v1/accounts/${demoAccount(card)}`);
    expect((body.balances.held as number) % 3).toBe(0);
    expect(body.balances.held).toBeLessThanOrEqual(150 * long);
  });

  test('a storm of connections that say nothing', async () => {
    for (let n = 0; n < 40 * long; n++) {
      const some = await Promise.all(Array.from({ length: 32 }, () => plainSocket(addressOf(transport))));
      for (const socket of some) socket.destroy();
    }
    await until('they are gone', async () => (await connections(transport)) <= 1);
  });
});

/** Connections of the transport now, by the metrics. */
async function connections(transport: Transport): Promise<number> {
  const { text } = await server.get('/metrics');
  const matches = [...text.matchAll(/^holdfast_connections\{[^}]*transport="(\w+)"[^}]*\} (\d+)$/gm)];
  expect(matches.length).toBeGreaterThan(0);
  return matches.filter((match) => match[1] === transport).reduce((sum, match) => sum + Number(match[2]), 0);
}

describe.each(['uws', 'ws'])('connections to the WebSocket port that never speak, adapter %s', (adapter) => {
  test('cannot take the files that the engine needs', async () => {
    const OPEN_FILES = 700;
    const small = await Server.start({ openFiles: OPEN_FILES, flags: ['--ws-adapter', adapter] });
    const { ws } = small.ready;
    const client = await small.connect();
    const silent: Socket[] = [];
    const storm = async (): Promise<void> => {
      for (let n = 0; n < 60; n++) {
        const some = await Promise.allSettled(Array.from({ length: 20 }, () => plainSocket(ws!)));
        for (const one of some) if (one.status === 'fulfilled') silent.push(one.value.resume());
        await sleep(5);
      }
    };
    await storm();
    expect(readdirSync(`/proc/${small.pid}/fd`).length).toBeLessThan(OPEN_FILES);
    expect(silent.filter((socket) => !socket.destroyed).length).toBeLessThan(OPEN_FILES - FILES_RESERVED_MIN / 2);
    // Everything that needs a file still works: a connection of the API, one of the other link, the background tasks.
    expect((await small.get('/readyz')).status).toBe(200);
    const other = await small.connect();
    for (const one of [client, other]) expect((await one.request(purchase({ card: 1 })))[39]).toBe('00');
    expect(small.logged('connection closed').some(({ kind }) => kind === 'too_many_connections')).toBe(true);
    expect(small.logged('a background task ended; restart the server to have it back')).toEqual([]);
    expect(small.logged('the free space of the data directory cannot be watched')).toEqual([]);
    for (const socket of silent) socket.destroy();
    await until('the port takes connections again', async () => {
      const next = await LoadClient.open(small, 'ws').catch(() => undefined);
      if (next === undefined) return false;
      const sent = next.send(purchase({ card: 2 }));
      await until('an answer', () => sent.answers.length > 0 || next.closed);
      next.close();
      return sent.answers.length === 1;
    });
    expect(await small.stop()).toEqual({ status: 0, signal: null });
  });
});
