/** A limit from the API to the wire and back, on a real server, over a restart. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { luhnCheckDigit } from '#src/vault/pan.js';
import { run, Server } from '../support/server.js';

const DIGITS = '999999314159265';
const PAN = `${DIGITS}${luhnCheckDigit(DIGITS)}`;

test('a limit refuses, explains itself, is lifted, and survives a restart', async () => {
  let server = await Server.start({ demo: false });
  const { dataDir } = server;
  const send = async (amount: number, rrn: string): Promise<string> => {
    const message = ['--pan', PAN, '--expiry', '2912', '--amount', String(amount), '--rrn', rrn];
    const { status, out } = await run(['iso', 'send', '--to', server.tcp, ...message, '--quiet']);
    expect(status).toBe(0);
    return /^0110 \w+ (\d\d)/.exec(out)![1]!;
  };
  const explain = async (rrn: string) => {
    const api = ['--admin', `http://${server.ready.admin}`, '--token-file', join(dataDir, 'admin.token')];
    const { status, out } = await run(['explain', rrn, '--json', ...api]);
    expect(status).toBe(0);
    return JSON.parse(out);
  };
  const limit = (window: string, amount: number) => ({ controls: { velocity: [{ window, amount }] } });
  const patch = (controls: object) => server.api('PATCH', `/v1/cards/${card.body.id}`, controls);
  const used = async () => (await server.api('GET', `/v1/cards/${card.body.id}/velocity`)).body.windows[0].amount.used;

  await server.api('POST', '/v1/accounts', { id: 'limited', credit_limit: 100_000 });
  // A lifetime and no day: midnight may come in between.
  const issued = { account: 'limited', pan: PAN, expiry: '2912', ...limit('lifetime', 1000) };
  const card = await server.api('POST', '/v1/cards', issued);
  expect(card.status).toBe(201);
  expect([await send(600, 'LIMIT0000001'), await send(500, 'LIMIT0000002')]).toEqual(['00', '61']);
  const { authorization, explanation } = await explain('LIMIT0000002');
  expect(authorization).toMatchObject({ status: 'declined', decline_reason: 'velocity_amount' });
  expect(explanation.control).toEqual({
    ...{ level: 'card', source: 'card', control: '/velocity/0' },
    ...{ limit: 1000, before: 600, attempted: 500 },
  });
  const metrics = await server.api('GET', '/metrics');
  expect(metrics.text).toContain('holdfast_declines_total{reason="velocity_amount"} 1\n');

  expect((await patch(limit('lifetime', 1100))).status).toBe(200);
  expect(await send(500, 'LIMIT0000003')).toBe('00');
  expect(await used()).toBe(1100);
  expect(await server.stop()).toEqual({ status: 0, signal: null });

  server = await Server.start({ dataDir, demo: false });
  expect(await used()).toBe(1100);
  expect([await send(1, 'LIMIT0000004'), (await explain('LIMIT0000004')).explanation.control.before]).toEqual([
    '61',
    1100,
  ]);
  expect((await patch(limit('day', 5))).status).toBe(200);
  expect(await send(1, 'LIMIT0000005')).toBe('00');
  expect(await server.stop()).toEqual({ status: 0, signal: null });
  const verified = await run(['verify', '--data-dir', dataDir]);
  expect([verified.status, verified.err]).toEqual([0, '']);
});
