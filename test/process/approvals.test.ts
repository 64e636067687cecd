/** Dual control on the real server: a kill -9 between the confirmation and the call, or behind the call, and it happened once. */
import { expect, test } from 'vitest';
import { demoAccount } from '#src/cli/demo-program.js';
import { Server, until } from '../support/server.js';

const flags = ['--approvals', 'all', '--approvals-from', '100'];

test.each(['confirmed', 'executed'])(
  'a kill behind the step %s: the call is made once, by the next start',
  async (step) => {
    const server = await Server.start({ flags, environment: { HOLDFAST_FAULT_APPROVAL: step } });
    const people = new Map<string, { authorization: string }>();
    for (const name of ['Ana', 'Ben']) {
      const { body } = await server.api('POST', '/v1/tokens', { name, role: 'ledger' });
      people.set(name, { authorization: `Bearer ${String(body.token)}` });
    }
    const payment = { account: demoAccount(1), amount: 700, currency: 'BRL', reference: 'by-hand' };
    const proposed = await server.api('POST', '/v1/payments', payment, {
      'idempotency-key': 'k1',
      ...people.get('Ana'),
    });
    expect(proposed.status).toBe(202);
    const { id } = proposed.body;
    await expect(server.api('POST', `/v1/approvals/${id}/confirm`, undefined, people.get('Ben'))).rejects.toThrow();
    expect(await server.end()).toEqual({ status: null, signal: 'SIGKILL' });

    let dataDir = server.dataDir;
    for (let start = 0; start < 2; start++) {
      const next = await Server.start({ dataDir, flags });
      await until('the call is made', async () => (await next.get(`/v1/approvals/${id}`)).body.status === 'done');
      const { body } = await next.get(`/v1/approvals/${id}`);
      expect(body.answer).toMatchObject({ status: 201, body: { amount: 700 } });
      const entries = await next.get(`/v1/accounts/${demoAccount(1)}/entries`);
      expect(entries.body.data).toHaveLength(1);
      expect((await next.get(`/v1/accounts/${demoAccount(1)}`)).body.balances.posted).toBe(-700);
      expect(await next.stop()).toEqual({ status: 0, signal: null });
      ({ dataDir } = next);
    }
  },
);
