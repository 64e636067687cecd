/**
 * Bad peers against the real server, while a good client is served on another connection all the time: only the bad
 * connection suffers, with one log line, and memory is bounded. The good client's answers are the proof.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { demoAccount } from '#src/cli/demo-program.js';
import { socketsAllowed } from '#src/cli/open-files.js';
import { pack } from '#src/iso8583/message.js';
import { type IsoClient, purchase } from '../support/iso-client.js';
import { Server, temporaryFolder, until } from '../support/server.js';

/** Idle connections of one test: raise it (with the open-files limit of both processes) to look at more. */
const IDLE_CONNECTIONS = Number(process.env.HOLDFAST_TEST_CONNECTIONS ?? 2000);

const MIB = 2 ** 20;

let server: Server;
let good: IsoClient;
/** Answers of the good client since the test began. */
let served = 0;
let failed: unknown;
let running = true;
/** Response codes of the good client, and whether it may be shed (a flood): then 91 is an answer too. */
let shedAllowed = false;
let shed = 0;
let background: Promise<void>;

beforeAll(async () => {
  const links = join(temporaryFolder('links'), 'links.yaml');
  writeFileSync(links, `- { name: tcp, port: 0, connections-max: ${IDLE_CONNECTIONS + 10} }\n`);
  server = await Server.start({ flags: ['--links', links] });
  good = await server.connect();
  background = (async () => {
    while (running) {
      const reply = await good.request(purchase({ card: 1 + (served % 500), amount: 1 }));
      if (reply[39] === '91' && shedAllowed) shed++;
      else if (reply[39] !== '00') throw new Error(`the good client got ${reply[39]}`);
      served++;
      await sleep(2);
    }
  })().catch((error: unknown) => {
    failed = error;
  });
});

afterAll(async () => {
  running = false;
  await background;
  expect(await server.stop()).toEqual({ status: 0, signal: null });
});

afterEach(async () => {
  // Whatever a test did: the good client is answered before and after.
  const before = served;
  await until('the good client is answered', () => served >= before + 5 || failed !== undefined);
  expect(failed).toBeUndefined();
  expect(good.closed).toBe(false);
});

interface Peer {
  readonly socket: Socket;
  readonly received: Buffer[];
  readonly closed: Promise<void>;
}

/** A connection that sends what it likes. */
async function peer(): Promise<Peer> {
  const [host, port] = server.tcp.split(':');
  const socket = connect({ host: host!, port: Number(port), noDelay: true });
  const received: Buffer[] = [];
  socket.on('data', (chunk) => received.push(chunk));
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  return { socket, received, closed };
}

function len2(length: number, ...rest: number[]): Buffer {
  return Buffer.from([length >>> 8, length & 0xff, ...rest]);
}

const refusals = (): number => server.logged('connection closed').length;

/** What was in flight is answered or given up; from then on nobody is shed any more. */
async function floodIsOver(): Promise<void> {
  await until('the flood is over', async () => {
    const [shedBefore, servedBefore] = [shed, served];
    await sleep(300);
    return shed === shedBefore && served > servedBefore;
  });
  shedAllowed = false;
}

function random(count: number, seed: number): Buffer {
  const bytes = Buffer.alloc(count);
  let x = seed;
  for (let i = 0; i < count; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    bytes[i] = x >>> 24;
  }
  return bytes;
}

describe('bytes that are no frames', () => {
  const message = Buffer.from(pack('iso87-bcd', purchase()));
  const cases: [string, Buffer][] = [
    ['random bytes', Buffer.concat([Buffer.from([0xff]), random(5000, 7)])],
    ['a length beyond the maximum', len2(4097)],
    ['the largest length', Buffer.concat([len2(0xffff), random(100, 3)])],
    ['a frame of random bytes', Buffer.concat([len2(64), random(64, 5)])],
    ['a message of one byte', len2(1, 0x01)],
    ['a message in another dialect', frame(Buffer.from(pack('iso87-ascii', purchase())))],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['a length that lies: the next frame begins inside', Buffer.concat([len2(message.length - 7), message, message])],
  ];
  test.each(cases)('%s: that connection is closed, with one line', async (_what, bytes) => {
    const before = refusals();
    const bad = await peer();
    bad.socket.write(bytes);
    await bad.closed;
    await until('a line about it', () => refusals() > before);
    expect(refusals()).toBe(before + 1);
  });

  test('a truncated frame waits for its rest and holds nobody up', async () => {
    const bad = await peer();
    const whole = frame(message);
    bad.socket.write(whole.subarray(0, whole.length - 1));
    await sleep(200);
    expect(bad.received).toEqual([]);
    // The last byte makes it a message after all.
    bad.socket.write(whole.subarray(whole.length - 1));
    await until('the reply', () => bad.received.length > 0);
    bad.socket.destroy();
  });

  test('garbage behind a good message: answered, or its hold is rolled back', async () => {
    const bad = await peer();
    const request = Buffer.from(pack('iso87-bcd', purchase({ card: 710, amount: 4321 })));
    bad.socket.write(Buffer.concat([frame(request), len2(0xfff0)]));
    await bad.closed;
    const expected = Buffer.concat(bad.received).length > 0 ? 4321 : 0;
    await until(`${expected} is held`, async () => {
      const { body } = await server.get(`/v1/accounts/${demoAccount(710)}`);
      return body.balances.held === expected;
    });
  });
});

function frame(message: Buffer): Buffer {
  return Buffer.concat([len2(message.length), message]);
}

describe('peers that speak but do not behave', () => {
  test('a malformed field is answered 30 and the connection goes on', async () => {
    const client = await server.connect();
    const fields = purchase();
    const bytes = client.frame(fields);
    const at = bytes.indexOf(Buffer.from('000000001000', 'hex'));
    bytes[at] = 0xff;
    const reply = client.expect(fields);
    client.raw(bytes);
    expect((await reply)[39]).toBe('30');
    expect((await client.request(purchase()))[39]).toBe('00');
    client.close();
  });

  test('a message type of our own replies is dropped, never answered', async () => {
    const client = await server.connect();
    const reply = { ...purchase(), 0: '0110', 39: '00' };
    client.raw(client.frame(reply));
    client.raw(client.frame({ ...reply, 0: '0810' }));
    expect((await client.request(purchase()))[39]).toBe('00');
    await sleep(50);
    expect(client.unexpected).toEqual([]);
    client.close();
  });

  test('keep-alives of length zero are answered in kind, in their place', async () => {
    const client = await server.connect();
    for (let n = 0; n < 100; n++) client.keepAlive();
    expect((await client.request(purchase()))[39]).toBe('00');
    await until('100 keep-alives', () => client.keepAlives === 100);
    client.close();
  });

  test('half-open connections: a peer that vanished in the middle of a request', async () => {
    for (let n = 0; n < 50; n++) {
      const bad = await peer();
      const whole = frame(Buffer.from(pack('iso87-bcd', purchase({ card: 700 }))));
      // Half of them after a whole request whose answer then has nobody to go to.
      bad.socket.write(n % 2 === 0 ? whole : whole.subarray(0, 20));
      bad.socket.resetAndDestroy();
    }
    await until('they are gone', async () => (await connections()) <= 2);
  });

  test('a byte at a time', async () => {
    const bad = await peer();
    for (const byte of frame(Buffer.from(pack('iso87-bcd', purchase({ card: 701 }))))) {
      bad.socket.write(Buffer.from([byte]));
      await sleep(1);
    }
    await until('the reply', () => bad.received.length > 0);
    bad.socket.destroy();
  });

  test('slow readers are held back, and what waits for them is bounded', async () => {
    const before = server.residentBytes();
    shedAllowed = true;
    const request = frame(Buffer.from(pack('iso87-bcd', purchase({ card: 702 }))));
    const burst = Buffer.concat(Array.from({ length: 500 }, () => request));
    const slow = await Promise.all(Array.from({ length: 10 }, peer));
    let gone = 0;
    for (const { socket, closed } of slow) {
      socket.pause();
      void closed.then(() => gone++);
    }
    // Generous: on a busy machine both sides take their time to fill the buffers.
    const end = Date.now() + 90_000;
    const held = (): boolean => slow.every(({ socket }) => socket.destroyed || socket.writableLength >= MIB);
    // Repeats of one request: answered without a limit of their own, far more than the system's buffers hold. On until
    // the server has taken nothing more from any of them at a hundred looks, half a second of them: time alone may pass while
    // neither side gets a turn.
    let looks = 0;
    try {
      while (looks < 100 && Date.now() < end) {
        for (const { socket } of slow) if (socket.writableLength < MIB && !socket.destroyed) socket.write(burst);
        looks = held() ? looks + 1 : 0;
        await sleep(5);
      }
      expect(server.residentBytes() - before).toBeLessThan(200 * MIB);
      // Nothing more is read from them: what they send stays with them.
      expect(looks).toBe(100);
    } finally {
      for (const { socket } of slow) socket.destroy();
    }
    await until('they are gone', async () => (await connections()) <= 2);
    expect(gone).toBe(slow.length);
    await floodIsOver();
  });

  test('one connection more than the link allows is refused, the others stay', async () => {
    const many: Peer[] = [];
    const refusedBefore = refusals();
    try {
      while (many.length < IDLE_CONNECTIONS + 10) many.push(...(await Promise.all(Array.from({ length: 90 }, peer))));
      await until('a refusal', () => refusals() > refusedBefore);
    } finally {
      for (const { socket } of many) socket.destroy();
    }
    await until('they are gone', async () => (await connections()) <= 2);
  });
});

/** Connections on TCP, by the metrics. */
async function connections(): Promise<number> {
  const { text } = await server.get('/metrics');
  let sum = 0;
  for (const match of text.matchAll(/^holdfast_connections\{[^}]*transport="tcp"[^}]*\} (\d+)$/gm))
    sum += Number(match[1]);
  expect(text).toContain('holdfast_connections{');
  return sum;
}

describe('many connections', () => {
  test(`${IDLE_CONNECTIONS} connections, idle and then all active at once, cost little and hold nobody up`, async () => {
    const before = server.residentBytes();
    const idle: Peer[] = [];
    try {
      while (idle.length < IDLE_CONNECTIONS) {
        idle.push(...(await Promise.all(Array.from({ length: Math.min(100, IDLE_CONNECTIONS - idle.length) }, peer))));
      }
      await until('all are accepted', async () => (await connections()) >= IDLE_CONNECTIONS);
      const grown = server.residentBytes() - before;
      // An idle connection is a socket and its objects: 64 KiB each would be a leak of buffers.
      expect(grown / IDLE_CONNECTIONS).toBeLessThan(64 * 1024);
      const from = served;
      await until('the good client is answered', () => served >= from + 20);
      // Each of them still works.
      const last = idle.at(-1)!;
      last.socket.write(len2(0));
      await until('a keep-alive', () => last.received.length > 0);
      last.received.length = 0;
      // And all of them at once: each is answered, if only with 91 where the link has too much in flight.
      shedAllowed = true;
      for (const { socket } of idle) {
        socket.write(frame(Buffer.from(pack('iso87-bcd', purchase({ card: 1 + (served % 500), amount: 1 })))));
      }
      await until('all are answered', () => idle.every(({ received }) => received.length > 0), 60_000);
      await floodIsOver();
      for (const { received } of idle) expect(Buffer.concat(received).readUInt16BE()).toBe(received[0]!.length - 2);
      expect((server.residentBytes() - before) / IDLE_CONNECTIONS).toBeLessThan(64 * 1024);
    } finally {
      for (const { socket } of idle) socket.destroy();
    }
    await until('they are gone', async () => (await connections()) <= 2);
  });

  test('they leave the open files that the engine needs, and the log says why one is refused', async () => {
    const OPEN_FILES = 600;
    const small = await Server.start({ openFiles: OPEN_FILES });
    const [host, port] = small.tcp.split(':');
    const client = await small.connect();
    let ended = 0;
    const many = Array.from({ length: OPEN_FILES }, () => {
      const socket = connect({ host: host!, port: Number(port) });
      socket.on('error', () => undefined);
      socket.on('close', () => ended++);
      return socket.resume();
    });
    const allowed = socketsAllowed(OPEN_FILES);
    await until('the others are refused', () => ended >= OPEN_FILES + 1 - allowed);
    expect(ended).toBe(OPEN_FILES + 1 - allowed);
    expect(readdirSync(`/proc/${small.pid}/fd`).length).toBeLessThan(OPEN_FILES);
    const [line] = small.logged('connection closed');
    expect(line).toMatchObject({ link: 'tcp', kind: 'too_many_connections' });
    expect(line!.detail).toBe(`${allowed} sockets are open, the most that the open-files limit allows`);
    expect((await client.request(purchase({ card: 1 })))[39]).toBe('00');
    expect((await small.get('/readyz')).status).toBe(200);
    for (const socket of many) socket.destroy();
    await until('there is room', async () => {
      const next = await small.connect();
      const reply = await next.request(purchase({ card: 2 })).catch(() => undefined);
      next.close();
      return reply?.[39] === '00';
    });
    expect(await small.stop()).toEqual({ status: 0, signal: null });
  });

  test('connections that come and go leave nothing behind', async () => {
    for (let n = 0; n < 300; n++) {
      const some = await Promise.all([peer(), peer(), peer(), peer()]);
      for (const { socket } of some) socket.destroy();
      if (n % 50 === 0) await until('the good client is answered', () => served > 0);
    }
    await until('they are gone', async () => (await connections()) <= 2);
  });
});
