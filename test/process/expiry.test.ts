/**
 * Holds that end in the real program: while it was down, across kills in the middle of the sweep, and not while its clocks
 * differ. The wall clock of the shard threads is set wrong by the environment (faults.ts).
 */
import { describe, expect, test } from 'vitest';
import { demoAccount } from '#src/cli/demo-program.js';
import { purchase } from '../support/iso-client.js';
import { type Json, run, Server, until } from '../support/server.js';

const DAY = 86_400_000;
const HOLDS = 3000;

const metric = async (server: Server, name: string): Promise<number> => {
  const { text } = await server.get('/metrics');
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
};

/** Held amount of all accounts that were used. */
async function held(server: Server): Promise<number> {
  const accounts = Array.from({ length: 20 }, (_, i) => server.get(`/v1/accounts/${demoAccount(i + 1)}`));
  return (await Promise.all(accounts)).reduce((sum, { body }) => sum + (body.balances.held as number), 0);
}

describe('holds that came due while the server was down', () => {
  test('end after the start, once each, although it is killed while it ends them', async () => {
    const first = await Server.start();
    const { dataDir } = first;
    const client = await first.connect();
    for (let sent = 0; sent < HOLDS; sent += 500) {
      const batch = Array.from({ length: 500 }, (_, i) => purchase({ card: 1 + (i % 20), amount: 1 }));
      for (const reply of await client.batch(batch)) expect(reply[39]).toBe('00');
    }
    expect(await held(first)).toBe(HOLDS);
    const dryRun = await run([
      'inspect',
      'expiry',
      '--until',
      new Date(Date.now() + 6 * DAY).toISOString(),
      '--admin',
      first.ready.admin!,
      '--token-file',
      `${dataDir}/admin.token`,
    ]);
    const totals = JSON.parse(dryRun.out.trimEnd().split('\n').at(-1)!) as Json;
    expect(totals).toMatchObject({ paused: false, totals: [{ currency: 'BRL', holds: HOLDS, amount: HOLDS }] });
    await first.kill();

    const later = { HOLDFAST_FAULT_WALL: String(6 * DAY) };
    for (const kill of ['append-release:1', 'before-append:2', 'append-release:2']) {
      const environment = { ...later, HOLDFAST_FAULT_KILL: kill };
      const killed = await run(
        ['serve', '--data-dir', dataDir, '--tcp-port', '0', '--ws-port', '0', '--admin-port', '0'],
        environment,
      );
      expect(killed.signal).toBe('SIGKILL');
    }

    const server = await Server.start({ dataDir, environment: later, demo: false });
    await until('every hold has ended', async () => (await metric(server, 'holdfast_holds_open')) === 0);
    expect(await held(server)).toBe(0);
    const ended = await metric(server, 'holdfast_holds_expired_total');
    expect(ended).toBeGreaterThan(0);
    expect(ended).toBeLessThan(HOLDS);
    const { body } = await server.get('/v1/authorizations?status=expired&limit=1');
    expect(body.data[0]).toMatchObject({ status: 'expired', totals: { authorized: 1, expired: 1, held: 0 } });
    expect((await server.stop()).status).toBe(0);

    const verified = await run(['verify', '--data-dir', dataDir]);
    expect(verified.out).toMatch(/^verify ok /);
    const journal = await run([
      'inspect',
      'journal',
      '--data-dir',
      dataDir,
      '--kind',
      'hold_expired',
      '--limit',
      String(2 * HOLDS),
    ]);
    const records = journal.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Json);
    const originals = new Set(records.map(({ shard, original_sequence }) => `${shard}/${original_sequence}`));
    expect([records.length, originals.size]).toEqual([HOLDS, HOLDS]);
  });
});

describe('clocks that differ', () => {
  test('pause the end of holds, are seen, and are accepted by an operator', async () => {
    // Right when the hold is placed, a week wrong soon after.
    const server = await Server.start({ environment: { HOLDFAST_FAULT_WALL: `${7 * DAY}:1500` } });
    const client = await server.connect();
    const reply = await client.request(purchase({ card: 1, amount: 700 }));
    expect(reply[39]).toBe('00');
    const warnings = async (): Promise<Json[]> => (await server.get('/readyz')).body.warnings;
    await until('the pause is seen', async () => (await warnings()).length > 0);
    expect(await warnings()).toEqual([
      { check: 'clock', detail: expect.stringContaining('hold expiry and window roll-over are paused') },
    ]);
    expect((await server.get('/readyz')).body.status).toBe('ready');
    expect(await metric(server, 'holdfast_clock_paused')).toBe(1);
    const flags = ['--admin', server.ready.admin!, '--token-file', `${server.dataDir}/admin.token`];
    expect((await run(['clock', 'show', ...flags])).out).toMatch(/^clock paused .* difference_s=6048\d\d/);
    const line = server.logged(
      'the wall clock and the monotonic clock differ: hold expiry and window roll-over are paused',
    );
    expect(line.length).toBeGreaterThan(0);
    // Messages are decided meanwhile, and nothing ends.
    expect((await client.request(purchase({ card: 1, amount: 50 })))[39]).toBe('00');
    expect(await held(server)).toBe(750);
    expect((await run(['clock', 'accept', ...flags])).out).toMatch(/^clock accepted /);
    await until('the clocks agree', async () => (await warnings()).length === 0);
    expect(await metric(server, 'holdfast_clock_paused')).toBe(0);
    expect((await run(['clock', 'accept', ...flags])).out).toMatch(/^clock agrees /);
    expect((await run(['clock', 'show', ...flags])).out).toMatch(/^clock agrees .* accepted_by=admin \(tok_/);
    expect((await server.stop()).status).toBe(0);
  });
});
