/** Time travel beside a running server: what replay tells of a moment is what the API told then. */
import { expect, test } from 'vitest';
import { type Json, run, Server } from '../support/server.js';

interface Replayed {
  readonly account: Json;
  readonly counters: Json[];
  readonly holds: Json[];
}

test('replay tells the account as the API did, with tokens, counters, controls and the revision of the program', async () => {
  const server = await Server.start({ demo: false });
  const { dataDir } = server;
  const window = {
    controls: {
      velocity: [
        { window: 'lifetime', amount: 9000 },
        { window: 'trailing', seconds: 3600, count: 50 },
      ],
    },
  };
  await server.api('PATCH', '/v1/programs/prog_sandbox', window);
  await server.api('POST', '/v1/accounts', { id: 'acc', currency: 'BRL', credit_limit: 10_000 });
  const card = (await server.api('POST', '/v1/cards', { account: 'acc', expiry: '2912' })).body.id;
  const token = (await server.api('POST', `/v1/cards/${card}/aliases`, {})).body;
  const moments: { position: string; balances: Json['balances']; recorded: string }[] = [];
  for (const amount of [1000, 2000]) {
    const made = await server.api('POST', '/v1/simulate/authorization', { card: token.id, amount });
    const explained = await server.get(`/v1/authorizations/${made.body.authorization.id}/explain`);
    const { position, recorded_at: recorded } = explained.body.journal;
    moments.push({ position, recorded, balances: (await server.get('/v1/accounts/acc')).body.balances });
  }
  await server.api('PATCH', '/v1/programs/prog_sandbox', { controls: {} });
  await server.api('PATCH', `/v1/cards/${card}`, { status: 'lost' });

  const replay = async (...args: string[]): Promise<Replayed> => {
    const { status, out, err } = await run(['replay', '--data-dir', dataDir, '--json', ...args]);
    expect([status, err]).toEqual([0, '']);
    expect(out).not.toContain(token.pan);
    return JSON.parse(out);
  };
  for (const [index, { position, balances, recorded }] of moments.entries()) {
    const told = await replay('--until', position);
    expect(told).toMatchObject({
      position,
      time: recorded,
      account: { id: 'acc', balances, program: { id: 'prog_sandbox', revision: 2 }, program_controls: window.controls },
      cards: [{ id: card, status: 'active', aliases: [{ id: token.id, masked_pan: token.masked_pan }] }],
    });
    expect(told.holds).toHaveLength(index + 1);
    const counters = told.counters.map(({ of, id, window, seconds, amount, count }: Json) => [
      of,
      id,
      window,
      seconds ?? 0,
      amount,
      count,
    ]);
    const amount = [1000, 3000][index];
    expect(counters).toEqual([
      ['card', card, 'trailing', 3600, amount, index + 1],
      ['card', card, 'lifetime', 0, amount, index + 1],
    ]);
  }
  const now = await replay('--until', '2100-01-01T00:00:00Z', '--card', card);
  expect(now).toMatchObject({
    account: { program: { revision: 3 }, program_controls: {} },
    cards: [{ status: 'lost' }],
  });
  expect(now.counters.map(({ window }: Json) => window)).toEqual(['lifetime']);
  await server.stop();
  expect((await replay('--until', moments[0]!.position, '--account', 'acc')).account.balances).toEqual(
    moments[0]!.balances,
  );
});
