/**
 * Ends of the real server: a graceful one answers what is in flight, a second signal forces it, a kill at any instant is
 * safe; the next start has everything that was answered.
 */
import { cpSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { demoAccount } from '#src/cli/demo-program.js';
import { purchase, repeat, transmission } from '../support/iso-client.js';
import { Program, run, Server, serveArguments, temporaryFolder, until } from '../support/server.js';

/** A journal this slow keeps requests in flight for as long as a test needs. */
const late = (ms: number): Record<string, string> => ({ HOLDFAST_FAULT_LANE_DELAY_MS: String(ms) });

async function held(server: Server, card: number): Promise<number> {
  return (await server.get(`/v1/accounts/${demoAccount(card)}`)).body.balances.held as number;
}

const folder = temporaryFolder('stop');
const demo = join(folder, 'demo');

/** A directory with the demo program, made once without a delay. */
beforeAll(async () => {
  const server = await Server.start({ dataDir: demo });
  expect(await server.stop()).toEqual({ status: 0, signal: null });
});

let copies = 0;

function demoData(): string {
  const dataDir = join(folder, `copy-${++copies}`);
  cpSync(demo, dataDir, { recursive: true, filter: (path) => !path.endsWith('/ballast') });
  cpSync(`${demo}.keys`, `${dataDir}.keys`);
  return dataDir;
}

describe('SIGTERM', () => {
  test('what is in flight is answered, nothing new is taken, the next start has it all', async () => {
    const dataDir = demoData();
    const server = await Server.start({ dataDir, environment: late(400) });
    const client = await server.connect();
    const requests = Array.from({ length: 50 }, (_, n) => purchase({ card: 1 + n, amount: 100 }));
    const replies = client.batch(requests);
    const payment = { account: demoAccount(60), amount: 700, currency: 'BRL', reference: 'stop' };
    const paid = server.api('POST', '/v1/payments', payment, { 'idempotency-key': 'stop-1' });
    await sleep(150);
    server.child.kill('SIGTERM');
    await until('the stop begins', () => server.logged('stopping; a second signal forces it').length === 1);
    const [host, port] = server.tcp.split(':');
    await expect(
      new Promise((resolve, reject) => {
        const socket = connect({ host: host!, port: Number(port) }, () => resolve('connected'));
        socket.once('error', reject);
      }),
    ).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect((await replies).map((reply) => reply[39])).toEqual(requests.map(() => '00'));
    expect((await paid).status).toBe(201);
    expect(await server.end()).toEqual({ status: 0, signal: null });

    const next = await Server.start({ dataDir });
    expect(await Promise.all([1, 25, 50].map((card) => held(next, card)))).toEqual([100, 100, 100]);
    const again = await next.api('POST', '/v1/payments', payment, { 'idempotency-key': 'stop-1' });
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    const link = await next.connect();
    const first = (await replies)[0]!;
    expect((await link.request(repeat(requests[0]!)))[38]).toBe(first[38]);
    expect(await held(next, 1)).toBe(100);
    expect(await next.stop()).toEqual({ status: 0, signal: null });
  });

  test('under load all that was sent before it is answered, and what is not answered has no effect', async () => {
    const dataDir = demoData();
    const server = await Server.start({ dataDir });
    const clients = await Promise.all([1, 2, 3, 4].map(() => server.connect()));
    const sent: { card: number; code: string; late: boolean }[] = [];
    let signalled = false;
    await Promise.all(
      clients.map(async (client) => {
        for (let n = 0; !client.closed; n++) {
          if (n === 200 && !signalled) {
            signalled = true;
            server.child.kill('SIGTERM');
          }
          for (let i = 0; i < 4; i++) {
            const one = { card: 1 + (sent.length % 40), code: 'none', late: signalled };
            sent.push(one);
            const reply = client.request(purchase({ card: one.card, amount: 1 }));
            reply.then(
              (fields) => {
                one.code = fields[39]!;
              },
              () => undefined,
            );
          }
          await sleep(1);
        }
      }),
    );
    expect(await server.end()).toEqual({ status: 0, signal: null });
    expect(sent.filter(({ code, late }) => code === 'none' && !late)).toEqual([]);
    expect(new Set(sent.map(({ code }) => code)).has('00')).toBe(true);

    const next = await Server.start({ dataDir });
    for (let card = 1; card <= 40; card++) {
      const approved = sent.filter((one) => one.card === card && one.code === '00');
      expect(await held(next, card), `card ${card}`).toBe(approved.length);
    }
    expect(await next.stop()).toEqual({ status: 0, signal: null });
  });

  test('links are signed off: a peer that signed on is told, its 0810 is taken, the others just see the end', async () => {
    const server = await Server.start({ dataDir: demoData() });
    const [signedOn, plain] = [await server.connect(), await server.connect()];
    const message = { 0: '0800', 7: transmission(), 11: '000001', 70: '001' };
    expect((await signedOn.request(message))[39]).toBe('00');
    expect((await plain.request(purchase({ card: 1 })))[39]).toBe('00');
    server.child.kill('SIGTERM');
    await until('the sign-off', () => signedOn.unexpected.length === 1);
    const [signOff] = signedOn.unexpected;
    expect(signOff).toEqual({
      0: '0800',
      7: expect.stringMatching(/^\d{10}$/),
      11: expect.stringMatching(/^\d{6}$/),
      70: '002',
    });
    signedOn.raw(signedOn.frame({ ...signOff!, 0: '0810', 39: '00' }));
    expect(await server.end()).toEqual({ status: 0, signal: null });
    await Promise.all([signedOn.ended, plain.ended]);
    expect([signedOn.unexpected.length, plain.unexpected.length]).toEqual([1, 0]);
    expect(server.logged('links signed off')).toMatchObject([{ peers: 1, answered: 1 }]);
  });

  test('after a loaded server the restart replays nothing: checkpoint and segments hold it all', async () => {
    // Plenty of time: a busy machine must not make the last rows or segments miss it.
    const flags = ['--stop-limit-ms', '60000'];
    const server = await Server.start({ dataDir: demoData(), flags });
    const client = await server.connect();
    const early = purchase({ card: 400, amount: 1 });
    const approved = await client.request(early);
    for (let n = 0; n < 20; n++)
      await client.batch(Array.from({ length: 100 }, (_, i) => purchase({ card: 1 + i, amount: 1 })));
    for (let n = 0; n < 5; n++) await client.request(purchase({ card: 1, amount: 1 }));
    // Records that change no row, of which most are only counted until the second is over.
    const unknown = Array.from({ length: 500 }, () => purchase({ card: 1, fields: { 2: '9999991234567893' } }));
    expect((await client.batch(unknown)).map((reply) => reply[39])).toEqual(unknown.map(() => '14'));
    expect(await server.stop()).toEqual({ status: 0, signal: null });

    const next = await Server.start({ dataDir: server.dataDir, flags });
    expect(next.number('recovered')).toBe(0);
    expect(next.stderr).not.toContain('checkpoint');
    expect(await held(next, 1)).toBe(25);
    // The duplicates of before are found in the segments.
    const link = await next.connect();
    expect(await link.request(repeat(early))).toEqual(approved);
    expect(await held(next, 1)).toBe(25);
    expect(await next.stop()).toEqual({ status: 0, signal: null });
    // No unknown card is missing: each has a record, or is in a count.
    const records = async (kind: string): Promise<Record<string, number>[]> => {
      const more = ['--kind', kind, '--limit', '100000', '--data-dir', server.dataDir];
      const { out } = await run(['inspect', 'journal', ...more]);
      return out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, number>);
    };
    const counted = (await records('unknown_card_count')).reduce((sum, { count }) => sum + count!, 0);
    const messages = 1 + 20 * 100 + 5;
    expect((await records('message')).length - messages + counted).toBe(unknown.length);
    expect(counted).toBeGreaterThan(0);
  });

  test('a second one forces the end', async () => {
    const dataDir = demoData();
    const server = await Server.start({ dataDir, environment: late(3000) });
    const client = await server.connect();
    void client.request(purchase({ card: 10, amount: 90 })).catch(() => undefined);
    await sleep(100);
    server.child.kill('SIGTERM');
    await until('the stop begins', () => server.logged('stopping; a second signal forces it').length === 1);
    // The same signal at once is one signal that was delivered twice (by npm and by the terminal).
    await sleep(1000);
    server.child.kill('SIGTERM');
    expect(await server.end()).toEqual({ status: null, signal: 'SIGKILL' });
    expect(server.logged('second signal: forcing the end')).toHaveLength(1);
    const next = await Server.start({ dataDir });
    expect([0, 90]).toContain(await held(next, 10));
    expect(await next.stop()).toEqual({ status: 0, signal: null });
  });

  test('a stop that takes longer than its limit forces itself', async () => {
    const dataDir = demoData();
    const server = await Server.start({ dataDir, environment: late(5000), flags: ['--stop-limit-ms', '300'] });
    const client = await server.connect();
    void client.request(purchase({ card: 10, amount: 90 })).catch(() => undefined);
    await sleep(100);
    expect(await server.stop()).toEqual({ status: null, signal: 'SIGKILL' });
    expect(server.logged('graceful stop took too long; forcing the end')).toHaveLength(1);
  });

  test('during the start: no ready line, a clean end', async () => {
    const dataDir = join(temporaryFolder('early'), 'data');
    const program = new Program(serveArguments({ dataDir }));
    await until('the API listens', () => program.stderr.includes('Server listening') || !program.running);
    program.child.kill('SIGTERM');
    expect(await program.end()).toEqual({ status: 0, signal: null });
    expect(program.stdout).toBe('');
    // And the next start finishes what this one left.
    const next = await Server.start({ dataDir });
    expect((await (await next.connect()).request(purchase({ card: 1000 })))[39]).toBe('00');
    expect(await next.stop()).toEqual({ status: 0, signal: null });
  });
});

describe('kill -9', () => {
  test('everything that was answered is there, repeats get their first answers', async () => {
    const server = await Server.start();
    const client = await server.connect();
    const requests = Array.from({ length: 200 }, (_, n) => purchase({ card: 1 + (n % 40), amount: 10 }));
    const replies = await client.batch(requests);
    await server.kill();
    const next = await Server.start({ dataDir: server.dataDir });
    expect(next.number('recovered')).toBeGreaterThanOrEqual(200);
    for (let card = 1; card <= 40; card++) expect(await held(next, card)).toBe(50);
    const link = await next.connect();
    expect(await link.batch(requests.map(repeat))).toEqual(replies);
    for (let card = 1; card <= 40; card++) expect(await held(next, card)).toBe(50);
    expect(await next.stop()).toEqual({ status: 0, signal: null });
  });
});
