/** The whole life of authorizations through the commands of the built program, and `verify` over what it left. */
import { expect, test } from 'vitest';
import { run, Server } from '../support/server.js';

test('simulate, explain, inspect and verify speak of the same payments', { timeout: 240_000 }, async () => {
  const server = await Server.start({});
  const api = ['--admin', `http://${server.ready.admin}`, '--token-file', `${server.dataDir}/admin.token`];
  const holdfast = async (...args: string[]): Promise<string> => {
    const { status, out, err } = await run([...args, ...api]);
    expect({ status, err }, args.join(' ')).toEqual({ status: 0, err: '' });
    return out;
  };
  const simulate = async (kind: string, body: object) => {
    const answer = await server.api('POST', `/v1/simulate/${kind}`, body);
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    return (answer.body as { authorization: { id: string; totals: object } }).authorization;
  };
  const cards = (await server.api('GET', '/v1/cards?account=demo-0001')).body as { data: { id: string }[] };
  const card = cards.data[0]!.id;

  const told0110 = await holdfast(
    ...['simulate', 'authorization', '--account', 'demo-0001', '--amount', '10000', '--rrn', 'HOTEL0000001'],
  );
  const hotel = /^authorization (auth_\w+) status=pending authorized=10000 /m.exec(told0110)![1]!;
  await simulate('increment', { authorization: hotel, amount: 2500 });
  const final = await simulate('advice', { authorization: hotel, amount: 11_000, reason: 'completion' });
  expect(final.totals).toMatchObject({ authorized: 10_000, incremented: 2500, reversed: 1500, held: 11_000 });
  const posted = await simulate('authorization', { card, amount: 700, single_message: true });
  await simulate('reversal', { authorization: posted.id, remaining: 200 });
  await simulate('refund', { card, amount: 50, announce: true });
  await simulate('force_post', { card, amount: 30 });
  const cleared = await simulate('authorization', { card, amount: 4000 });
  await simulate('advice', { authorization: cleared.id, amount: 4000, reason: 'completion', financial: true });
  const listing = ['--field', '0=0302', '--field', '7=1123120000', '--field', '11=000001', '--field', '91=1'];
  const told0312 = await holdfast(
    ...['simulate', 'network-message', '--account', 'demo-0002', ...listing, '--field', '127=41'],
  );
  expect(told0312).toMatch(/^0312 accepted 00\nauthorization auth_\w+ status=completed /);

  // The listener answers these, on a link of the simulator's own.
  const network = async (...fields: string[]): Promise<string> =>
    await holdfast('simulate', 'network-message', ...fields.flatMap((field) => ['--field', field]));
  expect(await network('0=0800', '7=1123120000', '11=2', '70=301')).toMatch(/^0810 accepted 00\n/);
  expect(await network('0=0800', '7=1123120000', '11=3', '70=201')).toMatch(/^0810 accepted 00\n/);
  expect(await network('0=0800', '7=1123120000', '11=4', '70=161')).toMatch(/^0810 refused 40 /);
  expect(await network('0=0500', '7=1123120000', '11=5', '32=999901', '49=986', `76=${'0'.repeat(10)}`)).toMatch(
    /^0510 .* 00\n/,
  );

  const told = await holdfast('explain', 'HOTEL0000001');
  expect(told).toMatch(/^id=auth_\w+ status=pending /);
  expect(told).toMatch(/type=increment mti=0100 amount=2500 hold_change=2500 /);
  expect(told).toMatch(/type=completion mti=0120 amount=11000 hold_change=-1500 .*advice_reason=completion/);
  const [hold, ...elements] = (await holdfast('inspect', 'hold', hotel)).trimEnd().split('\n');
  expect(JSON.parse(hold!)).toMatchObject({ authorization: hotel, hold: { remaining: 11_000 } });
  expect(elements.map((line) => JSON.parse(line).type)).toEqual(['authorization', 'increment', 'completion']);
  const entries = (await holdfast('inspect', 'account', 'demo-0001')).trimEnd().split('\n').slice(1);
  expect(entries.map((line) => JSON.parse(line)).map(({ amount, balance_after }) => [amount, balance_after])).toEqual([
    [4000, 4230],
    [30, 230],
    [-500, 200],
    [700, 700],
  ]);
  const counted = await holdfast('metrics', '--filter', 'holdfast_authorizations_total');
  for (const [mti, result] of [
    ['0100', 'approved'],
    ['0120', 'accepted'],
    ['0200', 'approved'],
    ['0220', 'accepted'],
    ['0302', 'accepted'],
    ['0400', 'accepted'],
  ])
    expect(counted).toMatch(
      new RegExp(`^holdfast_authorizations_total\\{mti="${mti}",result="${result}"\\} [1-9]`, 'm'),
    );

  expect(await server.stop()).toEqual({ status: 0, signal: null });
  // The hold that was posted in full and the announced refund wait for their end and hold nothing.
  const verified = await run(['verify', '--data-dir', server.dataDir]);
  expect({ status: verified.status, err: verified.err }).toEqual({ status: 0, err: '' });
  expect(verified.out).toMatch(/^verify ok /);
  const journal = await run(['inspect', 'journal', '--data-dir', server.dataDir, '--kind', 'message']);
  expect(journal.out).toContain('"element":"file_update"');
  expect(journal.out).toContain('"postings":[{"gl_account":1100,"amount":-500},{"gl_account":2100,"amount":500}]');
});
