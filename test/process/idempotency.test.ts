/** Idempotency keys of the real server: what they are bound to, and their first answers, survive a kill. */
import { expect, test } from 'vitest';
import { demoAccount } from '#src/cli/demo-program.js';
import { Server } from '../support/server.js';

const KEYS = 6;

test('a key is bound to its request and to its first answer, also after a kill', async () => {
  let server = await Server.start();
  const { dataDir } = server;
  const body = (n: number, account: number) => ({
    account: demoAccount(account),
    amount: 100,
    currency: 'BRL',
    reference: `ref-${n}`,
  });
  const pay = (n: number, account = n) =>
    server.api('POST', '/v1/payments', body(n, account), { 'idempotency-key': `pay-${n}` });
  const refuse = (id = 'nobody') =>
    server.api('PATCH', `/v1/accounts/${id}`, { status: 'frozen' }, { 'idempotency-key': 'refused' });
  const first = [];
  for (let n = 1; n <= KEYS; n++) first.push(await pay(n));
  expect(first.map(({ status }) => status)).toEqual(first.map(() => 201));
  const refused = await refuse();
  expect(refused.status).toBe(404);
  expect(await server.kill()).toEqual({ status: null, signal: 'SIGKILL' });

  server = await Server.start({ dataDir, demo: false });
  for (let n = 1; n <= KEYS; n++) {
    const other = await pay(n, n + KEYS);
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_mismatch']);
    const again = await pay(n);
    expect([again.status, again.text, again.headers.get('idempotent-replayed')]).toEqual([
      201,
      first[n - 1]!.text,
      'true',
    ]);
  }
  const again = await refuse();
  expect([again.status, again.text, again.headers.get('idempotent-replayed')]).toEqual([404, refused.text, 'true']);
  expect((await refuse(demoAccount(1))).body.code).toBe('idempotency_mismatch');
  const { balances } = (await server.get(`/v1/accounts/${demoAccount(1)}`)).body;
  expect(balances.posted).toBe(-100);
  expect(await server.stop()).toEqual({ status: 0, signal: null });
});
