/** Deliveries over TLS: certificates that are not trusted, and receivers that hang, trickle, flood, redirect or close. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttps, type Server as HttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { rootCertificates } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AddressRule } from '#src/control/webhooks/address.js';
import { Sender } from '#src/control/webhooks/sender.js';
import { WEBHOOK_ANSWER_BYTES_MAX, WEBHOOK_ATTEMPTS_MAX } from '#src/limits.js';
import { hasOpenssl, makeCertificate } from '../support/certificates.js';
import { makeHarness } from './harness.js';

const rule = new AddressRule(true);
const TIMEOUT_MS = 400;

let folder = '';
let close: (() => void)[] = [];
const file = (name: string): Buffer => readFileSync(join(folder, name));

async function listening(server: Server | HttpsServer): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  close.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}

/** A receiver with a certificate of its own; counts what came to it. */
async function secure(name: string, answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const asked: string[] = [];
  const server = createHttps({ cert: file(`${name}.pem`), key: file(`${name}.key`) }, (request, response) => {
    asked.push(request.url!);
    response.on('error', () => undefined);
    request.resume().on('end', () => answer(request, response));
  });
  server.on('tlsClientError', () => undefined);
  return { url: await listening(server), asked };
}

async function post(url: string, ca?: Buffer) {
  const sender = new Sender(url, rule, TIMEOUT_MS, ca === undefined ? undefined : [ca.toString(), ...rootCertificates]);
  const startedMs = performance.now();
  const attempt = await sender.post({}, '{}');
  sender.close();
  return { ...attempt, ms: performance.now() - startedMs };
}

describe.skipIf(!hasOpenssl)('a delivery over TLS (needs the openssl command)', () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-hook-'));
    makeCertificate(folder, 'right');
    makeCertificate(folder, 'other', 'DNS:other.example');
  });
  afterEach(() => {
    for (const one of close) one();
    close = [];
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('goes only to a receiver whose certificate is trusted and names it', async () => {
    const right = await secure('right', (_request, response) => response.end());
    const other = await secure('other', (_request, response) => response.end());
    expect(await post(right.url, file('right.pem'))).toMatchObject({ status: 200, error: '' });
    expect((await post(right.url)).error).toMatch(/^DEPTH_ZERO_SELF_SIGNED_CERT: /);
    expect((await post(right.url, file('other.pem'))).error).toMatch(/^DEPTH_ZERO_SELF_SIGNED_CERT: /);
    expect((await post(other.url, file('other.pem'))).error).toMatch(/^ERR_TLS_CERT_ALTNAME_INVALID: /);
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    try {
      expect((await post(right.url)).error).toMatch(/^DEPTH_ZERO_SELF_SIGNED_CERT: /);
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    }
    expect([right.asked.length, other.asked.length]).toEqual([1, 0]);
  });

  it('to a certificate that is not trusted is tried again, and a dead letter in the end', async () => {
    const { url, asked } = await secure('right', (_request, response) => response.end());
    const h = makeHarness({ nowMs: Date.now, webhooks: { pace: 0.000001, flushMs: 20 } });
    h.webhooks.start();
    await h.call('POST', '/v1/accounts', { id: 'a' });
    const { id } = (await h.call('POST', '/v1/webhooks', { url, events: ['account.updated'] })).body;
    await h.call('PATCH', '/v1/accounts/a', { status: 'frozen' });
    const letters = async () => (await h.call('GET', `/v1/webhooks/${id}/dead-letters`)).body.data;
    for (let wait = 0; (await letters()).length === 0 && wait < 4000; wait++) await sleep(5);
    expect(await letters()).toMatchObject([
      { attempts: WEBHOOK_ATTEMPTS_MAX, last_status: null, last_error: expect.stringMatching(/SELF_SIGNED/) },
    ]);
    await h.webhooks.stop();
    expect(asked).toEqual([]);
  });

  it('gives up in time where there is no TLS, or no end of it', async () => {
    const said: Record<string, (socket: Socket) => void> = {
      silent: () => undefined,
      plain: (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'),
      // The first bytes of a record, and then one now and then.
      trickle: (socket) => {
        socket.write(Buffer.from([0x16, 0x03, 0x03, 0x3f, 0xff, 0x02]));
        const drip = setInterval(() => socket.write(Buffer.from([0])), 20);
        socket.on('close', () => clearInterval(drip));
      },
      closing: (socket) => void socket.destroy(),
    };
    for (const [name, say] of Object.entries(said)) {
      const attempt = await post(
        await listening(createServer((socket) => socket.on('data', () => undefined) && say(socket))),
      );
      expect([name, attempt.status, attempt.error === '']).toEqual([name, 0, false]);
      expect(attempt.ms).toBeLessThan(TIMEOUT_MS + 2000);
    }
  });

  it('takes the status and little more of an answer without end, and no redirect', async () => {
    let sent = 0;
    const flood = await secure('right', (_request, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && sent < 1e10) {
          sent += 65_536;
          if (!response.write(Buffer.alloc(65_536))) break;
        }
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    });
    const before = process.memoryUsage().rss;
    expect(await post(flood.url, file('right.pem'))).toMatchObject({ status: 200 });
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
    // What is on its way between the two: buffers of sockets, not the body.
    expect(sent).toBeLessThan(WEBHOOK_ANSWER_BYTES_MAX + 32 * 1024 * 1024);
    const headers = await secure('right', (_request, response) => {
      response.socket!.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}`);
    });
    expect((await post(headers.url, file('right.pem'))).error).toMatch(/HPE_HEADER_OVERFLOW/);
    const interim = await secure('right', (_request, response) => {
      const drip = setInterval(() => response.writeProcessing(), 5);
      response.on('close', () => clearInterval(drip));
    });
    expect((await post(interim.url, file('right.pem'))).error).toBe(`no answer within ${TIMEOUT_MS} ms`);
    const moved = await secure('right', (_request, response) => response.writeHead(308, { location: '/other' }).end());
    expect((await post(moved.url, file('right.pem'))).status).toBe(308);
    expect(moved.asked).toEqual(['/hook']);
  });
});
