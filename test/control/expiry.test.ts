/** Expired holds as the API shows them, the dry run of the sweep, the simulator's expiry, and the operator's word on the clock. */
import { beforeEach, describe, expect, it } from 'vitest';
import { type Harness, makeHarness, restart } from './harness.js';

const DAY = 86_400_000;
let h: Harness;
let card: string;
beforeEach(async () => {
  h = makeHarness();
  await h.call('POST', '/v1/accounts', { id: 'acc', credit_limit: 100_000 });
  ({ id: card } = (await h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912' })).body);
});

async function authorized(amount: number, body: object = {}): Promise<{ id: string }> {
  const answer = await h.call('POST', '/v1/simulate/authorization', { card, amount, ...body });
  expect(answer.body.authorization.status).toBe('pending');
  return answer.body.authorization;
}

const get = async (id: string) => (await h.call('GET', `/v1/authorizations/${id}`)).body;
const held = async () => (await h.call('GET', '/v1/accounts/acc')).body.balances.held;

/** Lets the shards run some turns. */
async function turns(): Promise<void> {
  for (let i = 0; i < 3; i++) await held();
}

describe('a hold that the sweep ended', () => {
  it('shows as the status, an element and a total of its authorization, in its explanation and in lists', async () => {
    const short = await authorized(2500);
    const long = await authorized(700, { entry_mode: '812' });
    h.engine.nowMs += 6 * DAY;
    await turns();
    expect(await held()).toBe(700);
    const shown = await get(short.id);
    expect(shown).toMatchObject({
      status: 'expired',
      approved: true,
      hold: null,
      totals: { authorized: 2500, reversed: 0, expired: 2500, held: 0 },
    });
    expect(
      shown.elements.map(({ type, hold_change: change, mti, rrn }: Record<string, unknown>) => [
        type,
        change,
        mti,
        rrn,
      ]),
    ).toEqual([
      ['authorization', 2500, '0100', shown.network.rrn],
      ['expiry', -2500, null, null],
    ]);
    expect(Date.parse(shown.elements[1].created_at)).toBeGreaterThan(Date.parse(shown.created_at) + 5 * DAY - 1);
    expect(await get(long.id)).toMatchObject({ status: 'pending', totals: { expired: 0, held: 700 } });
    const explained = (await h.call('GET', `/v1/authorizations/${short.id}/explain`)).body;
    expect(explained.linked).toEqual([shown.elements[1]]);
    const list = async (query: string) =>
      (await h.call('GET', `/v1/authorizations?${query}`)).body.data.map(({ id }: { id: string }) => id);
    expect(await list('status=expired')).toEqual([short.id]);
    expect(await list('status=expired&account=acc')).toEqual([short.id]);
    expect(await list('status=pending')).toEqual([long.id]);
    // The expiry is the newest record of account and card: their lists go on behind it.
    expect(await list(`card=${card}`)).toEqual([long.id, short.id]);
    expect(await list('account=acc')).toEqual([long.id, short.id]);
  });

  it('stays expired when it is reversed later, and a repeat changes nothing', async () => {
    const { id } = await authorized(2500);
    h.engine.nowMs += 6 * DAY;
    await turns();
    const reversal = await h.call('POST', '/v1/simulate/reversal', { authorization: id });
    expect(reversal.body.iso.reply.decoded.mti).toBe('0410');
    expect(reversal.body.authorization).toMatchObject({
      status: 'expired',
      totals: { authorized: 2500, reversed: 0, expired: 2500, held: 0 },
    });
    expect(reversal.body.authorization.elements.map(({ type }: { type: string }) => type)).toEqual([
      'authorization',
      'expiry',
      'reversal',
    ]);
    expect(await held()).toBe(0);
  });

  it('is still expired after a restart', async () => {
    const { id } = await authorized(2500);
    h.engine.nowMs += 6 * DAY;
    await turns();
    const before = await get(id);
    const again = restart(h);
    expect((await again.call('GET', `/v1/authorizations/${id}`)).body).toEqual(before);
  });

  it('counts only what a partial reversal left', async () => {
    const { id } = await authorized(2500);
    await h.call('POST', '/v1/simulate/reversal', { authorization: id, remaining: 1000 });
    h.engine.nowMs += 6 * DAY;
    await turns();
    expect(await get(id)).toMatchObject({ status: 'expired', totals: { reversed: 1500, expired: 1000, held: 0 } });
  });
});

describe('POST /v1/simulate/expire', () => {
  it('ends the hold now', async () => {
    const { id } = await authorized(2500);
    const answer = await h.call('POST', '/v1/simulate/expire', { authorization: id });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ object: 'simulation', iso: null, authorization: { id, status: 'expired' } });
    expect(await held()).toBe(0);
    expect(answer.body.authorization).toEqual(await get(id));
  });

  it('happens once with a key, also when the first answer was lost', async () => {
    const { id } = await authorized(2500);
    const first = await h.call('POST', '/v1/simulate/expire', { authorization: id }, { 'idempotency-key': 'one' });
    const again = await h.call('POST', '/v1/simulate/expire', { authorization: id }, { 'idempotency-key': 'one' });
    expect([again.status, again.headers['idempotent-replayed'], again.body]).toEqual([201, 'true', first.body]);
    const other = await authorized(100);
    h.engine.before = async (command) => {
      if (command.op === 'keep_answer') throw new Error('the process dies here');
    };
    expect(
      (await h.call('POST', '/v1/simulate/expire', { authorization: other.id }, { 'idempotency-key': 'two' })).status,
    ).toBe(500);
    h.engine.before = () => undefined;
    const repeated = await h.call(
      'POST',
      '/v1/simulate/expire',
      { authorization: other.id },
      { 'idempotency-key': 'two' },
    );
    expect(repeated.status).toBe(201);
    expect(repeated.body.authorization.elements.length).toBe(2);
  });

  it('needs a sandbox, an authorization and an open hold', async () => {
    const expire = (authorization: string) => h.call('POST', '/v1/simulate/expire', { authorization });
    expect(await expire('auth_nothing')).toMatchObject({ status: 422, body: { code: 'authorization_not_found' } });
    const { id } = await authorized(2500);
    await h.call('POST', '/v1/simulate/reversal', { authorization: id });
    expect(await expire(id)).toMatchObject({ status: 422, body: { code: 'not_simulatable', param: '/authorization' } });
    expect((await get(id)).status).toBe('reversed');
    const verification = await h.call('POST', '/v1/simulate/authorization', { card, amount: 0, kind: 'verification' });
    expect(await expire(verification.body.authorization.id)).toMatchObject({ status: 422 });
  });

  it('is refused for a live program', async () => {
    const { id } = await authorized(2500);
    const row = h.context.system.programAt(0)!;
    h.context.system.write([h.context.system.programRecord({ ...row.program, sandbox: false }, 0)]);
    const answer = await h.call('POST', '/v1/simulate/expire', { authorization: id });
    expect([answer.status, answer.body.code]).toEqual([403, 'not_sandbox']);
    expect(await held()).toBe(2500);
  });
});

describe('GET /v1/holds/due', () => {
  it('counts per shard and currency what ends until a time, and changes nothing', async () => {
    await authorized(2500);
    await authorized(700, { entry_mode: '812' });
    await h.call('POST', '/v1/accounts', { id: 'yen', credit_limit: 100_000, currency: 'JPY' });
    const yen = (await h.call('POST', '/v1/cards', { account: 'yen', expiry: '2912' })).body.id;
    await h.call('POST', '/v1/simulate/authorization', { card: yen, amount: 300 });
    const due = async (days: number) => {
      const until = new Date(h.engine.nowMs + days * DAY).toISOString();
      return (await h.call('GET', `/v1/holds/due?until=${encodeURIComponent(until)}`)).body;
    };
    expect((await h.call('GET', '/v1/holds/due')).body).toMatchObject({ object: 'holds_due', totals: [], shards: [] });
    expect((await due(6)).totals).toEqual([
      { currency: 'JPY', holds: 1, amount: 300 },
      { currency: 'BRL', holds: 1, amount: 2500 },
    ]);
    const all = await due(11);
    expect(all).toMatchObject({ paused: false });
    expect(all.totals).toEqual([
      { currency: 'JPY', holds: 1, amount: 300 },
      { currency: 'BRL', holds: 2, amount: 3200 },
    ]);
    const home = h.engine.placement('acc');
    expect(
      all.shards.filter(({ shard, currency }: Record<string, unknown>) => shard === home && currency === 'BRL'),
    ).toEqual([{ shard: home, currency: 'BRL', holds: 2, amount: 3200 }]);
    expect(await held()).toBe(3200);
    expect((await h.call('GET', '/v1/holds/due?until=tomorrow')).status).toBe(400);
  });
});

describe('the clock', () => {
  it('agrees at first, and accepting it then records nothing', async () => {
    expect((await h.call('GET', '/v1/clock')).body).toMatchObject({
      object: 'clock',
      paused: false,
      difference_seconds: 0,
      last_acceptance: null,
    });
    const records = h.log.records.length;
    expect((await h.call('POST', '/v1/clock/accept', {})).body).toMatchObject({
      accepted: false,
      difference_seconds: 0,
    });
    expect(h.log.records.length).toBe(records);
  });

  it('pauses the sweep until an operator accepts it: journaled with who and when, once', async () => {
    const { id } = await authorized(2500);
    h.engine.setClockWrong(2 * DAY);
    h.engine.nowMs += 6 * DAY;
    await turns();
    expect(await held()).toBe(2500);
    expect((await h.call('GET', '/v1/clock')).body).toMatchObject({ paused: true, difference_seconds: 2 * 86_400 });
    expect((await h.call('GET', '/v1/holds/due')).body).toMatchObject({ paused: true });
    const headers = { 'idempotency-key': 'accept' };
    const accepted = await h.call('POST', '/v1/clock/accept', {}, headers);
    expect([accepted.status, accepted.body.accepted]).toEqual([200, true]);
    const again = await h.call('POST', '/v1/clock/accept', {}, headers);
    expect([again.headers['idempotent-replayed'], again.body]).toEqual(['true', accepted.body]);
    const acceptances = h.log.records.filter(({ type }) => type === 'clock_accepted');
    expect(acceptances).toMatchObject([
      { name: 'test', token: expect.stringMatching(/^tok_/), differenceSeconds: 2 * 86_400, atMs: expect.any(Number) },
    ]);
    await turns();
    expect((await get(id)).status).toBe('expired');
    const after = (await h.call('GET', '/v1/clock')).body;
    expect(after).toMatchObject({ paused: false, last_acceptance: { name: 'test', difference_seconds: 2 * 86_400 } });
    expect((await restart(h).call('GET', '/v1/clock')).body.last_acceptance).toEqual(after.last_acceptance);
  });

  it('is accepted by the scope admin alone', async () => {
    const authorization = `Bearer ${h.token('read', 'write', 'simulate')}`;
    expect((await h.call('POST', '/v1/clock/accept', {}, { authorization })).status).toBe(403);
    expect((await h.call('GET', '/v1/clock', undefined, { authorization })).status).toBe(200);
  });
});
