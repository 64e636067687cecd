/** A network token from the API to the wire: decided on its card's account, with a status of its own, over a restart. */
import { expect, test } from 'vitest';
import { run, Server } from '../support/server.js';

test('a token is sent by its number, paused alone, and kept', async () => {
  let server = await Server.start({ demo: false });
  const { dataDir } = server;
  await server.api('POST', '/v1/accounts', { id: 'acc', currency: 'BRL', credit_limit: 10_000 });
  const card = await server.api('POST', '/v1/cards', { account: 'acc', expiry: '2912' });
  const token = await server.api('POST', `/v1/cards/${card.body.id}/aliases`, { expiry: '3012' });
  expect([card.status, token.status]).toEqual([201, 201]);
  const send = async (pan: string): Promise<string> => {
    const to = ['iso', 'send', '--to', server.tcp, '--pan', pan, '--amount', '1000', '--currency', '986', '--json'];
    const { status, out, err } = await run(to);
    expect([status, err]).toEqual([0, '']);
    expect(out).not.toContain(pan);
    return JSON.parse(out).response_code;
  };
  const held = async (): Promise<unknown> => (await server.get('/v1/accounts/acc')).body.balances.held;

  expect(await send(token.body.pan)).toBe('00');
  expect(await held()).toBe(1000);
  await server.api('PATCH', `/v1/aliases/${token.body.id}`, { status: 'paused' });
  expect(await send(token.body.pan)).toBe('62');
  expect(await send(card.body.pan)).toBe('00');
  expect(await held()).toBe(2000);

  await server.kill();
  server = await Server.start({ dataDir, demo: false });
  expect(await send(token.body.pan)).toBe('62');
  await server.api('PATCH', `/v1/aliases/${token.body.id}`, { status: 'active' });
  expect(await send(token.body.pan)).toBe('00');
  expect(await held()).toBe(3000);
  const { body } = await server.get(`/v1/authorizations?card=${card.body.id}`);
  const tokens = body.data.map((one: { token: string | null }) => one.token);
  expect(tokens).toEqual([token.body.id, token.body.id, null, token.body.id, token.body.id]);
  expect((await server.get('/v1/cards?account=acc')).body.data).toHaveLength(1);
  await server.stop();
  expect(await run(['verify', '--data-dir', dataDir])).toMatchObject({ status: 0, err: '' });
});
