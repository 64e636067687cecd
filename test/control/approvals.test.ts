/** Dual control: what waits for a second person, who that may be, and that what was confirmed happens once. */
import { describe, expect, it } from 'vitest';
import { approvalKinds } from '#src/control/approval-kinds.js';
import { APPROVAL_TTL_MS, APPROVALS_OPEN_MAX } from '#src/limits.js';
import { type Harness, type HarnessOptions, makeHarness, restart } from './harness.js';

const all = { approvals: { kinds: approvalKinds, fromAmount: 0 } };
const fee = { amount: 500, currency: 'BRL', reference: 'fee-1', note: 'by hand' };

interface Desk {
  readonly h: Harness;
  /** Calls of two people of the role `ledger`, and of somebody else. */
  readonly ana: Caller;
  readonly ben: Caller;
  as(name: string, role: Parameters<Harness['roleToken']>[0]): Caller;
}

type Caller = (
  method: 'GET' | 'POST',
  url: string,
  body?: unknown,
  headers?: Record<string, string>,
) => ReturnType<Harness['call']>;

function callerOf(h: Harness, secret: string): Caller {
  return (method, url, body, headers = {}) =>
    h.call(method, url, body, { authorization: `Bearer ${secret}`, ...headers });
}

async function desk(options: HarnessOptions = all): Promise<Desk> {
  const h = makeHarness(options);
  const as: Desk['as'] = (name, role) => callerOf(h, h.personToken(name, { role }));
  await h.call('POST', '/v1/accounts', { id: 'acc-1', currency: 'BRL', credit_limit: 100_000, type: 'credit' });
  return { h, as, ana: as('Ana', 'ledger'), ben: as('Ben', 'ledger') };
}

async function balance(h: Harness): Promise<number> {
  return (await h.call('GET', '/v1/accounts/acc-1')).body.balances.posted;
}

const confirm = (id: string): string => `/v1/approvals/${id}/confirm`;
const reject = (id: string): string => `/v1/approvals/${id}/reject`;

describe('a call that a second person must confirm', () => {
  it('is kept, does nothing, and is made when somebody else confirms it', async () => {
    const { h, ana, ben } = await desk();
    const before = await balance(h);
    const proposed = await ana('POST', '/v1/accounts/acc-1/fees', fee, { 'x-reason': 'card sent by courier' });
    expect(proposed.status).toBe(202);
    expect(proposed.body).toMatchObject({
      status: 'open',
      operation: 'chargeFee',
      body: fee,
      proposed_by: { name: 'Ana', role: 'ledger' },
      reason: 'card sent by courier',
      decided_by: null,
      answer: null,
    });
    expect(await balance(h)).toBe(before);
    const { id } = proposed.body;
    expect((await ben('GET', '/v1/approvals')).body.data).toEqual([proposed.body]);

    const done = await ben('POST', confirm(id), undefined, { 'x-reason': 'seen the slip' });
    expect(done.status).toBe(200);
    expect(done.body).toMatchObject({
      status: 'done',
      decided_by: { name: 'Ben', role: 'ledger' },
      decision_reason: 'seen the slip',
      answer: { status: 201, body: { object: 'entry', amount: 500 } },
    });
    expect(Math.abs((await balance(h)) - before)).toBe(500);
    expect((await ben('GET', '/v1/approvals')).body.data).toEqual([]);
    expect((await ben('GET', '/v1/approvals?status=done')).body.data).toEqual([done.body]);
    expect((await ben('GET', `/v1/approvals/${id}`)).body).toEqual(done.body);
    const rows = (await h.call('GET', '/v1/audit')).body.data as Record<string, unknown>[];
    const actions = rows
      .filter(({ type }) => type === 'action')
      .map(({ operation, name, target }) => [operation, name, target]);
    expect(actions).toContainEqual(['chargeFee', 'Ana', 'acc-1']);
    expect(actions).toContainEqual(['confirmApproval', 'Ben', id]);
  });

  it('is not confirmed by whoever proposed it, by another token of the same name, or by somebody who may not make the call', async () => {
    const { h, ana, as } = await desk();
    const { id } = (await ana('POST', '/v1/accounts/acc-1/fees', fee)).body;
    const before = await balance(h);
    for (const who of [ana, as('ana ', 'ledger'), as('Rec', 'recon'), as('Opa', 'operator')])
      expect((await who('POST', confirm(id))).body).toMatchObject({ code: 'forbidden' });
    for (const who of [as('Vic', 'viewer'), as('Aud', 'auditor')])
      expect((await who('POST', confirm(id))).status).toBe(403);
    for (const who of [as('Kay', 'key-custodian-a'), as('Kim', 'key-custodian-b')]) {
      expect((await who('POST', confirm(id))).status).toBe(404);
      expect((await who('GET', '/v1/approvals')).body.data).toEqual([]);
    }
    expect(await balance(h)).toBe(before);
    expect((await ana('GET', `/v1/approvals/${id}`)).body.status).toBe('open');
    const scoped = callerOf(h, h.personToken('Cron', { scopes: ['read'] }));
    expect((await scoped('POST', confirm(id))).status).toBe(403);
    expect((await callerOf(h, h.personToken('Job', { scopes: ['write'] }))('POST', confirm(id))).status).toBe(200);
  });

  it('is not confirmed by a person who was made for the purpose, nor when whoever proposed it has no access any more', async () => {
    const { h, ana, ben } = await desk();
    const made = async (name: string): Promise<{ id: string; token: string }> =>
      (await h.call('POST', '/v1/tokens', { name, role: 'ledger', ttl_seconds: 3600 })).body;
    const eve = await made('Eve');
    const asEve = callerOf(h, eve.token);
    const asFay = callerOf(h, (await made('Fay')).token);
    const of = async (who: Caller, reference: string): Promise<string> =>
      (await who('POST', '/v1/accounts/acc-1/fees', { ...fee, reference })).body.id;
    const [byAna, byEve, late] = [await of(ana, 'one'), await of(asEve, 'two'), await of(asFay, 'three')];
    const before = await balance(h);
    h.engine.nowMs += 1;
    const alias = callerOf(h, (await made('Nobody')).token);
    const refused = await alias('POST', confirm(byAna));
    expect(refused.body).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('after the proposal') });
    expect((await alias('POST', reject(byAna))).body).toMatchObject({ status: 'rejected' });

    expect((await h.call('DELETE', `/v1/tokens/${eve.id}`)).status).toBe(204);
    const revoked = await ben('POST', confirm(byEve));
    expect(revoked.body).toMatchObject({ code: 'approval_closed', detail: expect.stringContaining('token of Eve') });
    h.engine.nowMs += 3_600_000;
    expect((await ben('POST', confirm(late))).body).toMatchObject({ code: 'approval_closed' });
    expect((await ben('POST', reject(byEve))).body).toMatchObject({ status: 'rejected' });
    expect(await balance(h)).toBe(before);
  });

  it('is made once: by two people at once, by a repeat, and never behind a rejection or its end', async () => {
    const { h, ana, ben, as } = await desk();
    const before = await balance(h);
    const propose = async (reference: string): Promise<string> =>
      (await ana('POST', '/v1/accounts/acc-1/fees', { ...fee, reference })).body.id as string;
    const first = await propose('one');
    const both = await Promise.all([ben('POST', confirm(first)), as('Cai', 'ledger')('POST', confirm(first))]);
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    expect(both[0]!.body).toEqual(both[1]!.body);
    expect((await ben('POST', confirm(first))).body).toEqual(both[0]!.body);
    expect((await as('Dan', 'ledger')('POST', confirm(first))).body).toMatchObject({ code: 'approval_closed' });
    expect(Math.abs((await balance(h)) - before)).toBe(500);

    const second = await propose('two');
    expect((await ana('POST', reject(second))).body).toMatchObject({ status: 'rejected', decided_by: { name: 'Ana' } });
    const third = await propose('three');
    h.engine.nowMs += APPROVAL_TTL_MS;
    expect((await ben('GET', `/v1/approvals/${third}`)).body.status).toBe('expired');
    for (const id of [second, third])
      for (const path of [confirm(id), reject(id)])
        expect((await ben('POST', path)).body).toMatchObject({ code: 'approval_closed', status: 409 });
    expect((await ben('POST', confirm('apr_none'))).status).toBe(404);
    expect(Math.abs((await balance(h)) - before)).toBe(500);
  });

  it('keeps what it was refused with', async () => {
    const { ana, ben } = await desk();
    const { id } = (await ana('POST', '/v1/accounts/acc-9/fees', fee)).body;
    const done = (await ben('POST', confirm(id))).body;
    expect(done).toMatchObject({ status: 'done', answer: { status: 404, body: { code: 'not_found' } } });
    expect((await ben('POST', confirm(id))).body).toEqual(done);
  });

  it('is proposed once under an Idempotency-Key, and refused with another body', async () => {
    const { ana, ben, h } = await desk();
    const key = { 'idempotency-key': 'fee-by-hand-1' };
    const before = await balance(h);
    const first = await ana('POST', '/v1/accounts/acc-1/fees', fee, key);
    const again = await ana('POST', '/v1/accounts/acc-1/fees', fee, key);
    expect([again.status, again.body, again.headers['idempotent-replayed']]).toEqual([202, first.body, 'true']);
    expect((await ana('POST', '/v1/accounts/acc-1/fees', { ...fee, amount: 1 }, key)).status).toBe(422);
    expect((await ben('GET', '/v1/approvals')).body.data).toHaveLength(1);
    expect((await ben('POST', confirm(first.body.id))).status).toBe(200);
    expect((await ana('POST', '/v1/accounts/acc-1/fees', fee, key)).body).toEqual(first.body);
    expect(Math.abs((await balance(h)) - before)).toBe(500);
    expect(
      (await ana('POST', '/v1/payments', { account: 'acc-1', amount: 1, currency: 'BRL', reference: 'p' })).body,
    ).toMatchObject({
      code: 'idempotency_key_missing',
    });
  });

  it('is decided once under an Idempotency-Key, and the same answer comes again', async () => {
    const { ana, ben } = await desk();
    for (const decide of [confirm, reject]) {
      const { id } = (
        await ana('POST', '/v1/accounts/acc-1/fees', { ...fee, reference: decide === confirm ? 'c' : 'r' })
      ).body;
      const key = { 'idempotency-key': `of ${id}` };
      const first = await ben('POST', decide(id), undefined, key);
      const again = await ben('POST', decide(id), undefined, key);
      expect([first.status, again.status, again.headers['idempotent-replayed']]).toEqual([200, 200, 'true']);
      expect(again.text).toBe(first.text);
    }
  });

  it('finds what the same request did before there was dual control', async () => {
    const { h, ana } = await desk({});
    const key = { 'idempotency-key': 'before-1' };
    const made = await ana('POST', '/v1/accounts/acc-1/fees', fee, key);
    expect(made.status).toBe(201);
    const before = await balance(h);
    const later = restart(h, all);
    const again = await callerOf(later, later.personToken('Ana', { role: 'ledger' }))(
      'POST',
      '/v1/accounts/acc-1/fees',
      fee,
      key,
    );
    expect(again.status).toBe(202);
    const ben = callerOf(later, later.personToken('Ben', { role: 'ledger' }));
    const { answer } = (await ben('POST', confirm(again.body.id))).body;
    expect((answer as { body: { id: string } }).body.id).toBe(made.body.id);
    expect(await balance(later)).toBe(before);
  });

  it.each(['confirmed', 'executed'] as const)('happens once when the process ends behind the step %s', async (step) => {
    const { h, ana, ben } = await desk({
      ...all,
      atApproval: (reached) => {
        if (reached === step) throw new Error('the process ends here');
      },
    });
    const before = await balance(h);
    const { id } = (await ana('POST', '/v1/accounts/acc-1/fees', fee)).body;
    expect((await ben('POST', confirm(id))).status).toBe(500);
    const later = restart(h, all);
    later.context.approvals.start();
    const ask = callerOf(later, later.personToken('Vic', { role: 'viewer' }));
    await expect.poll(async () => (await ask('GET', `/v1/approvals/${id}`)).body.status).toBe('done');
    expect(Math.abs((await balance(later)) - before)).toBe(500);
    const next = restart(later, all);
    next.context.approvals.start();
    await next.context.approvals.stop();
    expect(Math.abs((await balance(next)) - before)).toBe(500);
  });
});

describe('the policy', () => {
  it('asks nobody by default, and only for amounts from its bound on', async () => {
    const without = await desk({});
    expect((await without.ana('POST', '/v1/accounts/acc-1/fees', fee)).status).toBe(201);
    const { ana } = await desk({ approvals: { kinds: ['adjustments'], fromAmount: 500 } });
    const charge = async (amount: number, reference: string): Promise<number> =>
      (await ana('POST', '/v1/accounts/acc-1/fees', { ...fee, amount, reference })).status;
    expect(await charge(499, 'below')).toBe(201);
    expect(await charge(500, 'at')).toBe(202);
    // What names no amount can be any.
    expect((await ana('POST', '/v1/accounts/acc-1/charge-off', { reference: 'loss' })).status).toBe(202);
    const key = { 'idempotency-key': 'pay' };
    const payment = { account: 'acc-1', amount: 9_000, currency: 'BRL', reference: 'p1' };
    expect((await ana('POST', '/v1/payments', payment, key)).status).toBe(201);
  });

  it('knows every call by which people move money', async () => {
    const { h } = await desk();
    const byKind = (kind: string): string[] => h.routes.filter(({ approval }) => approval === kind).map(({ id }) => id);
    expect(
      Object.fromEntries(['payments', 'adjustments', 'settlements', 'suspense'].map((kind) => [kind, byKind(kind)])),
    ).toEqual({
      payments: ['createPayment', 'returnPayment'],
      adjustments: [
        ...['chargeFee', 'waiveFee', 'refundCreditBalance', 'chargeOff', 'recover', 'createDispute', 'stepDispute'],
      ],
      settlements: ['settle', 'postNetworkFee'],
      suspense: ['resolveSuspense'],
    });
    const wild = h.routes.map((one) => ({ ...one, approval: 'keys' as const, idempotency: 'none' as const }));
    expect(() => h.context.approvals.serve(h.context, wild)).toThrow(/cannot be approved/);
  });

  it('bounds what is open', async () => {
    const { h, ana } = await desk();
    for (let n = 0; n < APPROVALS_OPEN_MAX; n++)
      h.context.approvals.propose(
        {
          route: h.routes.find(({ id }) => id === 'chargeFee')!,
          ...{ params: { id: 'acc-1' }, body: JSON.stringify(fee), path: '/', token: undefined, reason: '' },
        },
        undefined,
      );
    expect((await ana('POST', '/v1/accounts/acc-1/fees', fee)).body).toMatchObject({ code: 'capacity_exceeded' });
    h.engine.nowMs += APPROVAL_TTL_MS;
    expect((await ana('POST', '/v1/accounts/acc-1/fees', fee)).status).toBe(202);
  });
});
