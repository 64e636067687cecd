import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Harness, makeHarness, START_MS } from './harness.js';

let h: Harness;
beforeEach(() => {
  h = makeHarness();
});

async function account(body: object = {}): Promise<string> {
  const answer = await h.call('POST', '/v1/accounts', {
    currency: 'BRL',
    credit_limit: 500_000,
    type: 'credit',
    ...body,
  });
  expect(answer.status).toBe(201);
  return answer.body.id;
}

describe('accounts', () => {
  it('are created, read and changed', async () => {
    const created = await h.call('POST', '/v1/accounts', {
      id: 'acc-1',
      currency: 'BRL',
      credit_limit: 500_000,
      type: 'credit',
    });
    expect(created.status).toBe(201);
    expect(created.body).toEqual({
      object: 'account',
      id: 'acc-1',
      program: 'prog_sandbox',
      currency: 'BRL',
      credit_limit: 500_000,
      type: 'credit',
      status: 'open',
      balances: { posted: 0, held: 0, available: 500_000 },
      controls: null,
      created_at: new Date(START_MS + 1).toISOString(),
    });
    expect((await h.call('GET', '/v1/accounts/acc-1')).body).toEqual(created.body);
    const changed = await h.call('PATCH', '/v1/accounts/acc-1', { credit_limit: 100, status: 'frozen' });
    expect(changed.status).toBe(200);
    expect(changed.body).toMatchObject({ credit_limit: 100, status: 'frozen', balances: { available: 100 } });
    expect((await h.call('GET', '/v1/accounts/acc-1')).body).toEqual(changed.body);
  });

  it('take the defaults of their program', async () => {
    const { body } = await h.call('POST', '/v1/accounts', {});
    expect(body).toMatchObject({ program: 'prog_sandbox', currency: 'BRL', type: 'credit', credit_limit: 0 });
    expect(body.id).toMatch(/^acct_[a-z2-7]{26}$/);
  });

  it('keep to the currency of a live program', async () => {
    await h.call('POST', '/v1/programs', { id: 'live', currency: 'USD', bins: ['400000'] });
    const answer = await h.call('POST', '/v1/accounts', { program: 'live', currency: 'BRL' });
    expect([answer.status, answer.body.code, answer.body.param]).toEqual([422, 'currency_mismatch', '/currency']);
    expect((await h.call('POST', '/v1/accounts', { program: 'live' })).body.currency).toBe('USD');
  });

  it('know yen and dinar', async () => {
    for (const currency of ['JPY', 'KWD'])
      expect((await h.call('POST', '/v1/accounts', { currency })).body.currency).toBe(currency);
  });

  it('list newest first over all shards, in pages both ways', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 23; i++) ids.unshift(await account({ id: `acc-${i}` }));
    const seen: string[] = [];
    let url = '/v1/accounts?limit=7';
    for (;;) {
      const { body } = await h.call('GET', url);
      const page = body.data.map((row: { id: string }) => row.id);
      seen.push(...page);
      if (!body.has_more) break;
      url = `/v1/accounts?limit=7&starting_after=${page.at(-1)}`;
    }
    expect(seen).toEqual(ids);
    const before = await h.call('GET', `/v1/accounts?limit=5&ending_before=${ids[12]}`);
    expect(before.body.data.map((row: { id: string }) => row.id)).toEqual(ids.slice(7, 12));
    expect(before.body.has_more).toBe(true);
    const first = await h.call('GET', `/v1/accounts?limit=5&ending_before=${ids[3]}`);
    expect(first.body.data.map((row: { id: string }) => row.id)).toEqual(ids.slice(0, 3));
    expect(first.body.has_more).toBe(false);
  });
});

describe('cards', () => {
  it('are refused while the directory of cards is full, before anything is journaled', async () => {
    const id = await account();
    h.engine.full = true;
    const refused = await h.call('POST', '/v1/cards', { account: id, expiry: '2912' });
    expect(refused.status).toBe(503);
    expect(refused.body).toMatchObject({ code: 'capacity_exceeded' });
    h.engine.full = false;
    expect((await h.call('POST', '/v1/cards', { account: id, expiry: '2912' })).status).toBe(201);
  });

  it('are issued from the BIN of the program, with a check digit, and shown once', async () => {
    const id = await account();
    const created = await h.call('POST', '/v1/cards', { account: id, expiry: '2912' });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({
      object: 'card',
      account: id,
      bin: '999999',
      status: 'active',
      expiry: '2912',
      replaces: null,
      pan_available: true,
    });
    const { pan } = created.body;
    expect(pan).toMatch(/^999999\d{10}$/);
    expect(luhn(pan)).toBe(true);
    expect(created.body.masked_pan).toBe(`999999******${pan.slice(-4)}`);
    expect([...h.vault.pans.values()]).toEqual([pan]);
    const read = await h.call('GET', `/v1/cards/${created.body.id}`);
    expect(read.body).not.toHaveProperty('pan');
    expect(read.text).not.toContain(pan);
    expect(h.logged()).not.toContain(pan);
  });

  it('put the number into the vault before the command', async () => {
    const id = await account();
    h.engine.before = (command) => {
      if (command.op === 'create_card') expect(h.vault.pans.size).toBe(1);
    };
    expect((await h.call('POST', '/v1/cards', { account: id, expiry: '2912' })).status).toBe(201);
    expect.assertions(3);
  });

  it('register a number that is brought along, once in the whole installation', async () => {
    const one = await account({ id: 'one' });
    const two = await account({ id: 'two' });
    expect(h.engine.placement('one')).not.toBe(h.engine.placement('two'));
    const created = await h.call('POST', '/v1/cards', {
      account: one,
      pan: '4000000000000002',
      expiry: '3001',
      status: 'inactive',
    });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({
      bin: '400000',
      last4: '0002',
      masked_pan: '400000******0002',
      status: 'inactive',
    });
    expect(created.body).not.toHaveProperty('pan');
    const again = await h.call('POST', '/v1/cards', { account: two, pan: '4000000000000002', expiry: '3001' });
    expect([again.status, again.body.code]).toEqual([409, 'card_exists']);
    expect(again.text).not.toContain('4000000000000002');
  });

  it('register one number only once even at the same moment', async () => {
    const ids = [await account({ id: 'one' }), await account({ id: 'two' })];
    h.engine.before = () => new Promise((resolve) => setTimeout(resolve, 20));
    const answers = await Promise.all(
      ids.map((id) => h.call('POST', '/v1/cards', { account: id, pan: '4000000000000002', expiry: '3001' })),
    );
    expect(answers.map((answer) => answer.status).sort()).toEqual([201, 409]);
  });

  it('keep to BIN and check digit in a live program', async () => {
    await h.call('POST', '/v1/programs', { id: 'live', currency: 'BRL', bins: ['400000'] });
    const id = await account({ program: 'live' });
    for (const pan of ['9999990000000000', '4000000000000003']) {
      const answer = await h.call('POST', '/v1/cards', { account: id, pan, expiry: '2912' });
      expect([answer.status, answer.body.param]).toEqual([422, '/pan']);
    }
    expect((await h.call('POST', '/v1/cards', { account: id, pan: '4000000000000002', expiry: '2912' })).status).toBe(
      201,
    );
  });

  it('name the card they replace, of the same account only', async () => {
    const [mine, other] = [await account({ id: 'mine' }), await account({ id: 'other' })];
    const old = (await h.call('POST', '/v1/cards', { account: mine, expiry: '2912' })).body.id;
    const next = await h.call('POST', '/v1/cards', { account: mine, expiry: '3112', replaces: old });
    expect(next.body.replaces).toBe(old);
    const again = await h.call('POST', '/v1/cards', { account: mine, expiry: '3112', replaces: old });
    expect([again.status, again.body.code, again.body.param]).toEqual([409, 'card_replaced', '/replaces']);
    const wrong = await h.call('POST', '/v1/cards', { account: other, expiry: '3112', replaces: old });
    expect([wrong.status, wrong.body.param]).toEqual([422, '/replaces']);
  });

  it('are replaced once: what replaces a replacement names that one', async () => {
    const mine = await account({ id: 'mine' });
    const create = (replaces?: string, key?: string) =>
      h.call(
        'POST',
        '/v1/cards',
        { account: mine, expiry: '3112', ...(replaces === undefined ? {} : { replaces }) },
        {
          ...(key === undefined ? {} : { 'idempotency-key': key }),
        },
      );
    const old = (await create()).body.id;
    const next = await create(old, 'k-1');
    const again = await create(old);
    expect([again.status, again.body.code, again.body.param]).toEqual([409, 'card_replaced', '/replaces']);
    expect((await create(old, 'k-1')).body.id).toBe(next.body.id);
    expect((await create(next.body.id)).status).toBe(201);
  });

  it('change status until it is final', async () => {
    const id = await account();
    const card = (await h.call('POST', '/v1/cards', { account: id, expiry: '2912' })).body.id;
    expect((await h.call('PATCH', `/v1/cards/${card}`, { status: 'paused' })).body.status).toBe('paused');
    expect((await h.call('PATCH', `/v1/cards/${card}`, { status: 'stolen' })).body.status).toBe('stolen');
    const after = await h.call('PATCH', `/v1/cards/${card}`, { status: 'active' });
    expect([after.status, after.body.code]).toEqual([409, 'card_status_final']);
  });

  it('list by account', async () => {
    const id = await account();
    await account();
    const cards: string[] = [];
    for (let i = 0; i < 3; i++)
      cards.unshift((await h.call('POST', '/v1/cards', { account: id, expiry: '2912' })).body.id);
    const { body } = await h.call('GET', `/v1/cards?account=${id}&limit=2`);
    expect(body.data.map((card: { id: string }) => card.id)).toEqual(cards.slice(0, 2));
    const rest = await h.call('GET', `/v1/cards?account=${id}&limit=2&starting_after=${cards[1]}`);
    expect(rest.body).toMatchObject({ has_more: false, data: [{ id: cards[2] }] });
  });
});

describe('programs', () => {
  it('exist as a sandbox after the first start and survive a restart', async () => {
    const { body } = await h.call('GET', '/v1/programs/prog_sandbox');
    expect(body).toMatchObject({ object: 'program', id: 'prog_sandbox', bins: ['999999'], sandbox: true, revision: 1 });
    await h.call('POST', '/v1/programs', {
      id: 'gold',
      currency: 'USD',
      bins: ['400000', '40000012'],
      tables: { pin: { tries: 4 } },
    });
    await h.call('PATCH', '/v1/programs/gold', { controls: { per_transaction: 10_000 } });
    const restarted = makeHarness({ log: h.log });
    expect((await restarted.call('GET', '/v1/programs/gold')).body).toMatchObject({
      revision: 2,
      tables: { pin: { tries: 4 } },
      controls: { per_transaction: 10_000 },
      currency: 'USD',
    });
    expect((await restarted.call('GET', '/v1/programs')).body.data.map((row: { id: string }) => row.id)).toEqual([
      'gold',
      'prog_sandbox',
    ]);
  });

  it('exist once', async () => {
    const body = { id: 'gold', currency: 'USD', bins: ['400000'] };
    expect((await h.call('POST', '/v1/programs', body)).status).toBe(201);
    const again = await h.call('POST', '/v1/programs', body);
    expect([again.status, again.body.code]).toEqual([409, 'program_exists']);
  });
});

describe('payments', () => {
  const key = { 'idempotency-key': 'pay-1' };

  it('lower the posted balance and need a key', async () => {
    const id = await account();
    const body = { account: id, amount: 2500, currency: 'BRL', reference: 'r1' };
    const without = await h.call('POST', '/v1/payments', body);
    expect([without.status, without.body.code]).toEqual([400, 'idempotency_key_missing']);
    const paid = await h.call('POST', '/v1/payments', body, key);
    expect(paid.status).toBe(201);
    expect(paid.body).toMatchObject({
      object: 'payment',
      account: id,
      amount: 2500,
      currency: 'BRL',
      reference: 'r1',
      balance_after: -2500,
    });
    expect((await h.call('GET', `/v1/accounts/${id}`)).body.balances).toEqual({
      posted: -2500,
      held: 0,
      available: 502_500,
    });
    const read = await h.call('GET', `/v1/payments/${paid.body.id}`);
    expect(read.body).toEqual({ ...paid.body, balance_after: null });
  });

  it('refuse a reference twice, another currency, an unknown account', async () => {
    const id = await account();
    const body = { account: id, amount: 2500, currency: 'BRL', reference: 'r1' };
    await h.call('POST', '/v1/payments', body, key);
    const table: [object, number, string, string][] = [
      [{ ...body }, 409, 'reference_exists', '/reference'],
      [{ ...body, reference: 'r2', currency: 'USD' }, 422, 'currency_mismatch', '/currency'],
      [{ ...body, account: 'nobody' }, 422, 'account_not_found', '/account'],
    ];
    for (const [index, [wrong, status, code, param]] of table.entries()) {
      const answer = await h.call('POST', '/v1/payments', wrong, { 'idempotency-key': `other-${index}` });
      expect([answer.status, answer.body.code, answer.body.param]).toEqual([status, code, param]);
    }
  });
});

describe('bad input', () => {
  let shared: Harness;
  beforeAll(async () => {
    shared = makeHarness();
    await shared.call('POST', '/v1/accounts', { id: 'acc' });
  });
  afterAll(() => shared.app.close());

  // method, url, body, status, code, param
  const table: ['GET' | 'POST' | 'PATCH', string, unknown, number, string, string?][] = [
    ['POST', '/v1/accounts', { currency: 'XXX' }, 422, 'validation_failed', '/currency'],
    ['POST', '/v1/accounts', { currency: 'brl' }, 422, 'validation_failed', '/currency'],
    ['POST', '/v1/accounts', { credit_limit: -1 }, 422, 'validation_failed', '/credit_limit'],
    ['POST', '/v1/accounts', { credit_limit: 1.5 }, 422, 'validation_failed', '/credit_limit'],
    ['POST', '/v1/accounts', { credit_limit: '100' }, 422, 'validation_failed', '/credit_limit'],
    ['POST', '/v1/accounts', { creditLimit: 1 }, 422, 'validation_failed', '/creditLimit'],
    ['POST', '/v1/accounts', { id: 'a b' }, 422, 'validation_failed', '/id'],
    ['POST', '/v1/accounts', { id: '4000000000000002' }, 422, 'validation_failed', '/id'],
    ['POST', '/v1/accounts', { program: 'none' }, 422, 'program_not_found', '/program'],
    ['POST', '/v1/accounts', { id: 'acc' }, 409, 'account_exists', '/id'],
    ['POST', '/v1/accounts', [], 422, 'validation_failed', ''],
    ['POST', '/v1/accounts', undefined, 422, 'validation_failed', ''],
    ['GET', '/v1/accounts/nobody', undefined, 404, 'not_found'],
    ['GET', '/v1/accounts?limit=0', undefined, 400, 'invalid_query', 'limit'],
    ['GET', '/v1/accounts?limit=101', undefined, 400, 'invalid_query', 'limit'],
    ['GET', '/v1/accounts?page=2', undefined, 400, 'invalid_query', 'page'],
    ['GET', '/v1/accounts?starting_after=x', undefined, 400, 'invalid_query', 'starting_after'],
    ['GET', '/v1/accounts?starting_after=acc&ending_before=acc', undefined, 400, 'invalid_query'],
    ['GET', '/v1/accounts/acc?expand=cards', undefined, 400, 'invalid_query', 'expand'],
    ['PATCH', '/v1/accounts/acc', {}, 422, 'validation_failed'],
    ['PATCH', '/v1/accounts/acc', { currency: 'USD' }, 422, 'validation_failed', '/currency'],
    ['PATCH', '/v1/accounts/nobody', { status: 'frozen' }, 404, 'not_found'],
    ['POST', '/v1/cards', { account: 'acc', expiry: '2913' }, 422, 'validation_failed', '/expiry'],
    ['POST', '/v1/cards', { account: 'acc', expiry: '1229' }, 422, 'validation_failed', '/expiry'],
    ['POST', '/v1/cards', { account: 'acc', expiry: '2912', pan: '400' }, 422, 'validation_failed', '/pan'],
    ['POST', '/v1/cards', { account: 'acc', expiry: '2912', pan: 4000000000000002 }, 422, 'validation_failed', '/pan'],
    ['POST', '/v1/cards', { account: 'nobody', expiry: '2912' }, 422, 'account_not_found', '/account'],
    ['POST', '/v1/cards', { account: 'acc', expiry: '2912', status: 'stolen' }, 422, 'validation_failed', '/status'],
    ['POST', '/v1/cards', { account: 'acc', expiry: '2912', replaces: 'card_x' }, 422, 'card_not_found', '/replaces'],
    [
      'POST',
      '/v1/cards',
      { account: 'acc', expiry: '2912', controls: { per_transaction: 0 } },
      422,
      'validation_failed',
      '/controls/per_transaction',
    ],
    ['GET', '/v1/cards/card_x', undefined, 404, 'not_found'],
    ['PATCH', '/v1/cards/card_x', { status: 'paused' }, 404, 'not_found'],
    ['POST', '/v1/programs', { currency: 'BRL', bins: [] }, 422, 'validation_failed', '/bins'],
    ['POST', '/v1/programs', { currency: 'BRL', bins: ['12345'] }, 422, 'validation_failed', '/bins/0'],
    ['PATCH', '/v1/programs/prog_sandbox', { currency: 'USD' }, 422, 'validation_failed', '/currency'],
    ['GET', '/v1/payments/pay_x', undefined, 404, 'not_found'],
    ['POST', '/v1/tokens', { name: 'x', scopes: ['root'] }, 422, 'validation_failed', '/scopes/0'],
    ['GET', '/v1/nothing', undefined, 404, 'route_not_found'],
    ['POST', '/v1/accounts/acc', {}, 405, 'method_not_allowed'],
  ];
  it.each(table)('%s %s %j -> %i %s %s', async (method, url, body, status, code, param) => {
    const answer = await shared.call(method, url, body);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(answer.body).toMatchObject({ type: `/docs/errors#${code}`, status, instance: url.split('?')[0] });
    expect(answer.body.request_id).toBe(answer.headers['x-request-id']);
    if (param !== undefined) expect(answer.body.param).toBe(param);
  });

  it('refuses what is no JSON, too large or of another type', async () => {
    const json = { 'content-type': 'application/json' };
    expect((await shared.call('POST', '/v1/accounts', '{"id":', json)).body).toMatchObject({
      status: 400,
      code: 'invalid_json',
    });
    const large = JSON.stringify({ id: 'x'.repeat(1024 * 1024) });
    expect((await shared.call('POST', '/v1/accounts', large, json)).body).toMatchObject({
      status: 413,
      code: 'payload_too_large',
    });
    for (const type of ['text/xml', 'text/plain', 'application/x-www-form-urlencoded'])
      expect((await shared.call('POST', '/v1/accounts', 'a=b', { 'content-type': type })).body).toMatchObject({
        status: 415,
      });
  });

  it('never repeats a card number it refuses', async () => {
    const pan = '4000000000000002';
    const answers = [
      await shared.call('POST', '/v1/accounts', { id: pan }),
      await shared.call('POST', '/v1/accounts', { [pan]: 1 }),
      await shared.call('GET', `/v1/accounts/${pan}`),
      await shared.call('GET', `/v1/cards/${pan}`),
      await shared.call('GET', `/v1/${pan}`),
      await shared.call('GET', `/v1/accounts?${pan}=1`),
      await shared.call('GET', `/v1/accounts?starting_after=${pan}`),
      await shared.call('POST', '/v1/accounts', `{"pan":"${pan}"`, { 'content-type': 'application/json' }),
      await shared.call('POST', '/v1/cards', { account: 'acc', expiry: pan, pan: `${pan}9999999` }),
    ];
    for (const answer of answers) {
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.text).not.toContain(pan);
    }
    expect(shared.logged()).not.toContain(pan);
  });
});

function luhn(pan: string): boolean {
  let sum = 0;
  for (let i = 0; i < pan.length; i++) {
    const digit = Number(pan[pan.length - 1 - i]) * (i % 2 === 0 ? 1 : 2);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return sum % 10 === 0;
}
