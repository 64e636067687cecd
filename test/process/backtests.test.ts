/** Backtests of the real server: traffic over the wire path, a draft that is judged by it, and what is left after a restart. */
import { expect, test } from 'vitest';
import { demoAccount } from '#src/cli/demo-program.js';
import { Server, until } from '../support/server.js';

const AMOUNTS = Array.from({ length: 120 }, (_, n) => 1000 + n * 10);
const LARGE = 'when amount > 20_00 then decline 59 reason "large"';
const wanted = AMOUNTS.filter((amount) => amount > 2000);

test('a draft is judged by the traffic of a period, while there is more; results end with the process', async () => {
  const since = new Date(Date.now() - 60_000).toISOString();
  let server = await Server.start();
  const { dataDir } = server;
  const pay = async (amount: number, n: number): Promise<string> => {
    const card = (await server.get(`/v1/cards?limit=1&account=${demoAccount(1 + (n % 5))}`)).body.data[0].id;
    const { status, body } = await server.api('POST', '/v1/simulate/authorization', { card, amount });
    expect([status, body.authorization.response_code]).toEqual([201, '00']);
    return body.authorization.id;
  };
  const paid: string[] = [];
  for (const [n, amount] of AMOUNTS.entries()) paid.push(await pay(amount, n));

  const made = await server.api('POST', '/v1/rules', { program: 'prog_sandbox', text: LARGE });
  expect([made.status, made.body.state]).toEqual([201, 'draft']);
  const path = `/v1/rules/${made.body.id}/backtests`;
  const period = { since, until: new Date(Date.now() + 60_000).toISOString() };
  const begun = await server.api('POST', path, period);
  expect([begun.status, begun.body.number]).toEqual([202, 1]);
  // Requests are decided meanwhile, and by no draft.
  await pay(9900, 0);
  await until('the end', async () => (await server.get(`${path}/1`)).body.status === 'done');
  const { body } = await server.get(`${path}/1`);
  const { would_decline: found, ...rest } = body.result;
  // The payment that came meanwhile may be a part of the period or not.
  const late = found.count - wanted.length;
  expect([0, 1]).toContain(late);
  const sum = wanted.reduce((total, amount) => total + amount, 9900 * late);
  expect(found).toEqual({ count: wanted.length + late, amounts: [{ currency: 'BRL', amount: String(sum) }] });
  expect(rest).toMatchObject({
    evaluated: AMOUNTS.length + late,
    would_no_longer_decline: { count: 0 },
    would_decline_otherwise: { count: 0 },
    decisions_left_out: 0,
  });
  expect(body.progress).toEqual({ records: body.progress.read, read: body.progress.read, percent: 100 });
  const listed: string[] = [];
  for (let after = '', more = true; more; ) {
    const page = (await server.get(`${path}/1/decisions?limit=50${after}`)).body;
    for (const row of page.data) {
      listed.push(row.authorization);
      expect([row.kind, row.before.response_code, row.after]).toEqual([
        'would_decline',
        '00',
        { response_code: '59', reason: 'large' },
      ]);
    }
    after = `&starting_after=${page.data.at(-1)!.id}`;
    more = page.has_more;
  }
  const large = paid.filter((_, n) => AMOUNTS[n]! > 2000);
  expect(listed).toHaveLength(found.count);
  expect(large.filter((id) => !listed.includes(id))).toEqual([]);

  expect((await server.api('POST', path, period)).body.number).toBe(2);
  expect((await server.api('DELETE', `${path}/2`)).status).toBe(204);
  expect((await server.get(`${path}/2`)).status).toBe(404);
  // One that runs does not hold up the end.
  expect((await server.api('POST', path, period)).status).toBe(202);
  expect(await server.stop()).toEqual({ status: 0, signal: null });

  server = await Server.start({ dataDir, demo: false });
  expect((await server.get(path)).body).toMatchObject({ data: [], has_more: false });
  expect((await server.get(`/v1/rules/${made.body.id}`)).body).toMatchObject({ state: 'draft', text: LARGE });
  expect((await server.api('POST', path, period)).body.number).toBe(1);
  expect(await server.stop()).toEqual({ status: 0, signal: null });
});
