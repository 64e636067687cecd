/** Webhooks of the real server: what was not delivered when it is killed is delivered by the next one, and nothing is lost. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createHttps, type Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { demoAccount } from '#src/cli/demo-program.js';
import { hasOpenssl, makeCertificate } from '../support/certificates.js';
import { Server, temporaryFolder, until } from '../support/server.js';

/** References of the payments that were delivered, by account, in the order of their coming. */
const got = new Map<string, string[]>();
let status = 200;
const receiver = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (chunk: string) => {
    body += chunk;
  });
  request.on('end', () => {
    const { account, data } = JSON.parse(body);
    if (status === 200) got.set(account, [...(got.get(account) ?? []), data.reference]);
    response.statusCode = status;
    response.end();
  });
});
afterAll(() => {
  receiver.closeAllConnections();
  receiver.close();
});

const ACCOUNTS = 5;
const ROUNDS = 20;

test('a kill repeats deliveries and loses none; the order of an account is kept', async () => {
  await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  const flags = ['--webhooks-allow-private'];
  let server = await Server.start({ flags });
  const { dataDir } = server;
  const made = await server.api('POST', '/v1/webhooks', { url, events: ['payment.posted'] });
  expect([made.status, made.body.secret]).toEqual([201, expect.stringMatching(/^whsec_/)]);
  const pay = (n: number, round: number) =>
    server.api(
      'POST',
      '/v1/payments',
      { account: demoAccount(n), amount: 1, currency: 'BRL', reference: `r${round}` },
      { 'idempotency-key': `${n} ${round}` },
    );
  // The receiver fails for a while, so that events wait for another attempt when the server is killed.
  for (let round = 0; round < ROUNDS; round++) {
    if (round === ROUNDS / 2) status = 503;
    for (let n = 1; n <= ACCOUNTS; n++) expect((await pay(n, round)).status).toBe(201);
  }
  expect(await server.kill()).toEqual({ status: null, signal: 'SIGKILL' });
  status = 200;

  server = await Server.start({ dataDir, demo: false, flags });
  const wanted = Array.from({ length: ROUNDS }, (_, round) => `r${round}`);
  const whole = (n: number): boolean => new Set(got.get(demoAccount(n))).size === ROUNDS;
  await until('everything', () => Array.from({ length: ACCOUNTS }, (_, n) => n + 1).every(whole), 60_000);
  for (let n = 1; n <= ACCOUNTS; n++) {
    const references = got.get(demoAccount(n))!;
    // Each for the first time in its order; what comes again comes from a place on, in order too.
    expect([...new Set(references)]).toEqual(wanted);
  }
  const [metric] = /^holdfast_webhook_lag_records .*/m.exec((await server.get('/metrics')).text)!;
  expect(metric).toBe('holdfast_webhook_lag_records 0');
  const secret = made.body.secret as string;
  expect(server.stderr).not.toContain(secret);
  expect(await server.stop()).toEqual({ status: 0, signal: null });
});

test.skipIf(!hasOpenssl)(
  'a certificate of an authority that the server was given is trusted, another is not',
  async () => {
    const folder = temporaryFolder('hook');
    const receivers: HttpsServer[] = [];
    const receive = async (name: string): Promise<{ url: string; types: string[] }> => {
      makeCertificate(folder, name);
      const [cert, key] = ['pem', 'key'].map((end) => readFileSync(join(folder, `${name}.${end}`)));
      const types: string[] = [];
      const one = createHttps({ cert, key }, (request, response) => {
        request.resume().on('end', () => {
          types.push(String(request.headers['webhook-id']));
          response.end();
        });
      });
      receivers.push(one);
      await new Promise<void>((done) => one.listen(0, '127.0.0.1', done));
      return { url: `https://127.0.0.1:${(one.address() as AddressInfo).port}/`, types };
    };
    const [known, unknown] = [await receive('known'), await receive('unknown')];
    const server = await Server.start({
      flags: ['--webhooks-allow-private'],
      environment: { NODE_EXTRA_CA_CERTS: join(folder, 'known.pem') },
    });
    const hook = async (url: string): Promise<string> =>
      (await server.api('POST', '/v1/webhooks', { url, events: ['account.updated'] })).body.id;
    const [, refused] = [await hook(known.url), await hook(unknown.url)];
    await server.api('PATCH', `/v1/accounts/${demoAccount(1)}`, { status: 'frozen' });
    await until('the delivery', () => known.types.length === 1);
    const failed = async () => (await server.get(`/v1/webhooks/${refused}`)).body.deliveries.last_error;
    await until('the refusal', async () => /SELF_SIGNED/.test(String(await failed())));
    expect(unknown.types).toEqual([]);
    expect(await server.stop()).toEqual({ status: 0, signal: null });
    for (const one of receivers) one.close();
  },
);

test('without the setting no URL of this machine is taken', async () => {
  const server = await Server.start({ demo: false });
  const answer = await server.api('POST', '/v1/webhooks', { url: 'http://127.0.0.1:9/' });
  expect([answer.status, answer.body.param]).toEqual([422, '/url']);
  expect(await server.stop()).toEqual({ status: 0, signal: null });
});

test('a stream and a long poll do not hold up the end of the server', async () => {
  const server = await Server.start({ demo: false });
  const headers = { authorization: `Bearer ${server.token}` };
  const base = `http://${server.ready.admin}/v1/events`;
  const stream = await fetch(base, { headers: { ...headers, accept: 'text/event-stream' } });
  expect(stream.headers.get('content-type')).toContain('text/event-stream');
  const poll = fetch(`${base}?wait=30&after=now`, { headers });
  await until('both wait', async () => (await server.get('/metrics')).text.includes('\nholdfast_event_listeners 2\n'));
  expect(await server.stop()).toEqual({ status: 0, signal: null });
  expect((await poll).status).toBe(200);
  expect(await stream.text()).toContain('retry: ');
});
