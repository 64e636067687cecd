import { beforeEach, describe, expect, it } from 'vitest';
import { type Fields, pack } from '#src/iso8583/message.js';
import { READ_CATCH_UP_MS } from '#src/limits.js';
import { WIRE_HEADER_BYTES } from '#src/ring/wire-entry.js';
import { type Harness, makeHarness, restart } from './harness.js';

let h: Harness;
let account: string;
let card: string;
let pan: string;
beforeEach(async () => {
  h = makeHarness();
  account = (await h.call('POST', '/v1/accounts', { id: 'acc', credit_limit: 100_000 })).body.id;
  ({ id: card, pan } = (await h.call('POST', '/v1/cards', { account, expiry: '2912' })).body);
});

async function authorize(body: object = {}, headers: Record<string, string> = {}) {
  return h.call('POST', '/v1/simulate/authorization', { card, amount: 2500, ...body }, headers);
}

describe('the simulator', () => {
  it('decides on the wire path and shows both messages, masked', async () => {
    const answer = await authorize({ rrn: '632700000001', stan: '000042', mcc: '5411', merchant: { name: 'ACME' } });
    expect(answer.status).toBe(201);
    const { authorization, iso } = answer.body;
    expect(authorization).toMatchObject({
      object: 'authorization',
      account,
      card,
      type: 'authorization',
      status: 'pending',
      approved: true,
      amount: 2500,
      approved_amount: 2500,
      currency: 'BRL',
      response_code: '00',
      decline_reason: null,
      hold: { remaining: 2500 },
      totals: { authorized: 2500, incremented: 0, reversed: 0, expired: 0, cleared: 0, refunded: 0, held: 2500 },
      merchant: { name: 'ACME', mcc: '5411' },
      network: { mti: '0100', rrn: '632700000001', stan: '000042' },
    });
    const { transmission, transmitted_at: transmittedAt } = authorization.network;
    expect(new Date(transmittedAt).toISOString().replace(/\D/g, '').slice(0, 14)).toBe(`2026${transmission}`);
    expect(authorization.approval_code).toMatch(/^\d{6}$/);
    expect(iso.request.decoded.mti).toBe('0100');
    expect(iso.reply.decoded.mti).toBe('0110');
    expect(iso.request.hex).toMatch(/^0100[0-9A-F]+$/);
    expect(iso.request.hex).toContain(`${pan.slice(0, 6)}000000${pan.slice(-4)}`);
    expect(answer.text).not.toContain(pan);
    expect(h.logged()).not.toContain(pan);
    expect((await h.call('GET', `/v1/accounts/${account}`)).body.balances).toEqual({
      posted: 0,
      held: 2500,
      available: 97_500,
    });
    expect((await h.call('GET', `/v1/authorizations/${authorization.id}`)).body).toEqual(authorization);
  });

  it('shows a decline as an authorization, never as an HTTP error', async () => {
    const answer = await authorize({ amount: 100_001 });
    expect(answer.status).toBe(201);
    expect(answer.body.authorization).toMatchObject({
      status: 'declined',
      approved: false,
      response_code: '51',
      decline_reason: 'insufficient_funds',
      hold: null,
      approved_amount: 0,
    });
  });

  it('reverses in part and in full', async () => {
    const { id } = (await authorize()).body.authorization;
    const part = await h.call('POST', '/v1/simulate/reversal', { authorization: id, remaining: 1000 });
    expect(part.status).toBe(201);
    expect(part.body.iso.reply.decoded.mti).toBe('0410');
    expect(part.body.authorization).toMatchObject({
      status: 'pending',
      totals: { authorized: 2500, reversed: 1500, held: 1000 },
      elements: [{ type: 'authorization' }, { type: 'reversal', hold_change: -1500, response_code: '00' }],
    });
    const full = await h.call('POST', '/v1/simulate/reversal', { authorization: id, advice: true });
    expect(full.body.iso.reply.decoded.mti).toBe('0430');
    expect(full.body.authorization).toMatchObject({
      status: 'reversed',
      hold: null,
      totals: { authorized: 2500, reversed: 2500, expired: 0, held: 0 },
    });
    expect((await h.call('GET', `/v1/accounts/${account}`)).body.balances.held).toBe(0);
  });

  it('approves in part when the terminal can', async () => {
    const { body } = await authorize({ amount: 150_000, partial_approval: true });
    expect(body.authorization).toMatchObject({ response_code: '10', approved_amount: 100_000, approved: true });
  });

  it('asks for the billing amount of a foreign purchase', async () => {
    const without = await authorize({ currency: 'USD' });
    expect([without.status, without.body.param]).toEqual([422, '/billing_amount']);
    const { body } = await authorize({ currency: 'USD', billing_amount: 12_345 });
    expect(body.authorization).toMatchObject({
      amount: 12_345,
      currency: 'BRL',
      merchant_amount: 2500,
      merchant_currency: 'USD',
      totals: { held: 12_345 },
    });
  });

  it('is refused for a live program', async () => {
    await h.call('POST', '/v1/programs', { id: 'live', currency: 'BRL', bins: ['400000'] });
    await h.call('POST', '/v1/accounts', { id: 'real', program: 'live' });
    const real = await h.call('POST', '/v1/cards', { account: 'real', expiry: '2912' });
    const answer = await h.call('POST', '/v1/simulate/authorization', { card: real.body.id, amount: 1 });
    expect([answer.status, answer.body.code]).toEqual([403, 'not_sandbox']);
  });

  it('sends one message per key, with the first answer again', async () => {
    const key = { 'idempotency-key': 'sim-1' };
    const first = await authorize({}, key);
    const again = await authorize({}, key);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(again.text).toBe(first.text);
    expect((await h.call('GET', `/v1/accounts/${account}`)).body.balances.held).toBe(2500);
    expect((await authorize({ amount: 1 }, key)).body.code).toBe('idempotency_mismatch');
  });

  it('sends the very same message again when the process died before the answer was kept', async () => {
    const key = { 'idempotency-key': 'sim-2' };
    h.engine.before = (command) => {
      if (command.op === 'keep_answer') throw new Error('the process died');
    };
    expect((await authorize({}, key)).status).toBe(500);
    const [first] = (await h.call('GET', '/v1/authorizations')).body.data;
    h.engine.nowMs += 60_000;
    const restarted = restart(h);
    const again = await restarted.call('POST', '/v1/simulate/authorization', { card, amount: 2500 }, key);
    expect(again.status).toBe(201);
    expect(again.body.authorization).toEqual(first);
    expect((await restarted.call('GET', `/v1/accounts/${account}`)).body.balances.held).toBe(2500);
    const third = await restarted.call('POST', '/v1/simulate/authorization', { card, amount: 2500 }, key);
    expect([third.headers['idempotent-replayed'], third.text]).toEqual(['true', again.text]);
  });
});

describe('explain', () => {
  it('lists the verdicts in order with the balances before and after', async () => {
    await authorize({ amount: 60_000 });
    const approved = (await authorize({ amount: 2500 })).body.authorization.id;
    const { status, body } = await h.call('GET', `/v1/authorizations/${approved}/explain`);
    expect(status).toBe(200);
    expect(body.balances).toEqual({
      currency: 'BRL',
      before: { credit_limit: 100_000, posted: 0, held: 60_000, available: 40_000 },
      after: { credit_limit: 100_000, posted: 0, held: 62_500, available: 37_500 },
    });
    const steps = body.verdicts.map((one: { step: string; verdict: string }) => one.step);
    expect(steps.indexOf('card_known')).toBeLessThan(steps.indexOf('funds'));
    expect(body.journal.position).toMatch(/^\d+-\d+-\d+$/);
    const declined = (await authorize({ amount: 99_999 })).body.authorization.id;
    const why = (await h.call('GET', `/v1/authorizations/${declined}/explain`)).body;
    expect(why).toMatchObject({ response_code: '51', decline_reason: 'insufficient_funds' });
    expect(why.verdicts.at(-1)).toMatchObject({ step: 'funds', verdict: 'fail' });
  });

  it('shows the stage times of every message of a quiet engine, and says why there are none', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push((await authorize({ amount: 1 })).body.authorization.id);
    const times = async (harness: Harness, id: string) => {
      const { body } = await harness.call('GET', `/v1/authorizations/${id}/explain`);
      return [body.stage_times_us, body.stage_times_missing];
    };
    const taken = { queue: expect.any(Number), decode: expect.any(Number), decide: expect.any(Number) };
    const whole = { ...taken, encode: expect.any(Number), journal: expect.any(Number) };
    // Each came in a turn of its own.
    for (const id of ids) expect(await times(h, id)).toEqual([whole, null]);
    expect(await times(restart(h), ids[0]!)).toEqual([null, 'not_kept']);
  });

  it('links the reversal', async () => {
    const { id } = (await authorize()).body.authorization;
    await h.call('POST', '/v1/simulate/reversal', { authorization: id });
    const { body } = await h.call('GET', `/v1/authorizations/${id}/explain`);
    expect(body.linked).toMatchObject([{ type: 'reversal', hold_change: -2500 }]);
  });

  it('links the reversal of what holds nothing: a verification is reversed by it, a decline stays one', async () => {
    for (const [body, status] of [
      [{ kind: 'verification', amount: 0 }, 'reversed'],
      [{ amount: 999_999 }, 'declined'],
    ] as const) {
      const { id } = (await authorize(body)).body.authorization;
      const reversal = await h.call('POST', '/v1/simulate/reversal', { authorization: id, stan: '000778' });
      expect(reversal.body.authorization).toMatchObject({ id, status, elements: [{}, { type: 'reversal' }] });
      const { linked } = (await h.call('GET', `/v1/authorizations/${id}/explain`)).body;
      expect(linked).toMatchObject([{ type: 'reversal', hold_change: 0, stan: '000778' }]);
    }
  });

  it('links the reversal that came before what it reverses', async () => {
    const place = h.context.ids.decode('card', card)!;
    const header = new Uint8Array(WIRE_HEADER_BYTES);
    new DataView(header.buffer).setUint32(0, ((place.shard << 24) | place.number) >>> 0, true);
    const common = {
      2: pan,
      3: '000000',
      4: '000000002500',
      7: '1123120000',
      37: 'RRN000000009',
      41: 'TERM0001',
      49: '986',
    };
    for (const fields of [
      { 0: '0420', 11: '000009' },
      { 0: '0100', 11: '000008' },
    ])
      await h.engine.wire(place.shard, header, pack('iso87-bcd', { ...common, ...fields }));
    const { data } = (await h.call('GET', `/v1/authorizations?rrn=${common[37]}`)).body;
    const [late, reversal] = data as { id: string }[];
    const why = (await h.call('GET', `/v1/authorizations/${late!.id}/explain`)).body;
    expect(why).toMatchObject({ response_code: '68', decline_reason: 'reversed_before_arrival' });
    expect(why.linked).toMatchObject([{ type: 'reversal', stan: '000009' }]);
    const laid = (await h.call('GET', `/v1/authorizations/${reversal!.id}/explain`)).body;
    expect(laid.verdicts.at(-1)).toMatchObject({ step: 'tombstone', verdict: 'laid' });
  });

  it('shows a reversal without an original and what was refused, found by their RRN', async () => {
    const sent = async (fields: Fields): Promise<string> => {
      const place = h.context.ids.decode('card', card)!;
      const header = new Uint8Array(WIRE_HEADER_BYTES);
      new DataView(header.buffer).setUint32(0, ((place.shard << 24) | place.number) >>> 0, true);
      const common = { 3: '000000', 4: '000000002500', 7: '1123120000', 41: 'TERM0001', 49: '986' };
      await h.engine.wire(place.shard, header, pack('iso87-bcd', { 2: pan, ...common, ...fields }));
      const { body } = await h.call('GET', `/v1/authorizations?rrn=${fields[37]}`);
      expect(body.data).toHaveLength(1);
      return body.data[0].id;
    };
    const found: [Fields, object, object][] = [
      [{ 0: '0100', 37: 'RRN000000001' }, { type: 'refused', status: 'declined' }, { bad_field: 'DE11' }],
      [{ 0: '0400', 37: 'RRN000000002' }, { type: 'refused', status: 'declined' }, { bad_field: 'DE11' }],
      [{ 0: '0620', 37: 'RRN000000003' }, { type: 'refused' }, { decline_reason: 'unsupported_message' }],
      [{ 0: '0420', 11: '000009', 37: 'RRN000000004' }, { type: 'reversal', status: 'completed' }, { linked: [] }],
    ];
    for (const [fields, shown, explained] of found) {
      const id = await sent(fields);
      expect((await h.call('GET', `/v1/authorizations/${id}`)).body).toMatchObject(shown);
      expect((await h.call('GET', `/v1/authorizations/${id}/explain`)).body).toMatchObject(explained);
      const answer = await h.call('POST', '/v1/simulate/reversal', { authorization: id });
      expect([answer.status, answer.body.code]).toEqual([422, 'not_simulatable']);
    }
    expect((await h.call('GET', `/v1/authorizations?card=${card}`)).body.data).toHaveLength(found.length);
  });
});

describe('the list', () => {
  const ids = (answer: { body: { data: { id: string }[] } }): string[] => answer.body.data.map((one) => one.id);

  it('is newest first, pages both ways, and filters', async () => {
    await h.call('POST', '/v1/accounts', { id: 'other', credit_limit: 5000 });
    const second = (await h.call('POST', '/v1/cards', { account: 'other', expiry: '2912' })).body.id;
    const made: string[] = [];
    for (let i = 0; i < 12; i++) {
      const answer = await authorize({ card: i % 3 === 0 ? second : card, amount: i % 4 === 3 ? 900_000 : 100 });
      made.unshift(answer.body.authorization.id);
      h.engine.nowMs += 1000;
    }
    const times = new Map<string, string>();
    const all = await h.call('GET', '/v1/authorizations?limit=100');
    for (const one of all.body.data) times.set(one.id, one.created_at);
    expect(ids(all)).toEqual(made);
    for (const filter of ['', `&card=${card}`, `&account=other`, '&status=declined', '&status=pending']) {
      const whole = ids(await h.call('GET', `/v1/authorizations?limit=100${filter}`));
      const seen: string[] = [];
      let cursor = '';
      for (;;) {
        const page = await h.call('GET', `/v1/authorizations?limit=2${filter}${cursor}`);
        seen.push(...ids(page));
        if (!page.body.has_more) break;
        cursor = `&starting_after=${seen.at(-1)}`;
      }
      expect(seen).toEqual(whole);
      const back = await h.call('GET', `/v1/authorizations?limit=1${filter}&ending_before=${whole[2]}`);
      expect(ids(back)).toEqual([whole[1]]);
      expect(back.body.has_more).toBe(true);
    }
    expect(ids(await h.call('GET', `/v1/authorizations?account=other`))).toHaveLength(4);
    expect(ids(await h.call('GET', `/v1/authorizations?status=declined`))).toHaveLength(3);
    const since = times.get(made[4]!)!;
    const until = times.get(made[1]!)!;
    const between = await h.call('GET', `/v1/authorizations?since=${since}&until=${until}`);
    expect(ids(between)).toEqual(made.slice(2, 5));
  });

  it('finds by RRN and STAN, also through a reversal, and confirms on the record', async () => {
    const one = (await authorize({ rrn: 'ABCDEF000001', stan: '000001' })).body.authorization.id;
    await authorize({ rrn: 'ABCDEF000002', stan: '000002' });
    await h.call('POST', '/v1/simulate/reversal', { authorization: one, stan: '000777' });
    expect(ids(await h.call('GET', '/v1/authorizations?rrn=ABCDEF000001'))).toEqual([one]);
    expect(ids(await h.call('GET', '/v1/authorizations?stan=1'))).toEqual([one]);
    expect(ids(await h.call('GET', '/v1/authorizations?stan=777'))).toEqual([one]);
    expect(ids(await h.call('GET', '/v1/authorizations?rrn=ABCDEF000009'))).toEqual([]);
    expect(ids(await h.call('GET', '/v1/authorizations?rrn=ABCDEF000001&status=reversed'))).toEqual([one]);
    expect(ids(await h.call('GET', '/v1/authorizations?rrn=ABCDEF000001&status=pending'))).toEqual([]);
    expect(ids(await h.call('GET', `/v1/authorizations?rrn=ABCDEF000001&card=${card}`))).toEqual([one]);
  });

  it('finds nothing under an id from ahead of the journal, which a restore has left behind', async () => {
    const { id } = (await authorize()).body.authorization;
    const { shard, number } = h.context.ids.decode('auth', id)!;
    const lost = h.context.ids.encode('auth', shard, number + 1000);
    const startedMs = performance.now();
    const event = h.context.ids.encode('evt', shard, number + 1000);
    for (const path of [lost, `${lost}/explain`, event.replace('evt', 'elem')])
      expect((await h.call('GET', `/v1/authorizations/${path}`)).status).toBe(404);
    expect((await h.call('GET', `/v1/payments/${event.replace('evt', 'pay')}`)).status).toBe(404);
    const list = await h.call('GET', `/v1/authorizations?starting_after=${lost}`);
    expect([list.status, list.body.param]).toEqual([400, 'starting_after']);
    expect(performance.now() - startedMs).toBeLessThan(READ_CATCH_UP_MS);
  });

  it('explains with the epoch of the record, and not that of today', async () => {
    const { id } = (await authorize()).body.authorization;
    const { shard, number } = h.context.ids.decode('auth', id)!;
    const at = async () => (await h.call('GET', `/v1/authorizations/${id}/explain`)).body.journal.position;
    expect(await at()).toBe(`${shard}-1-${number}`);
    h.engine.epochOf = (_shard, sequence) => sequence + 1;
    expect(await at()).toBe(`${shard}-${number + 1}-${number}`);
  });

  it('answers index_behind when the journal does not catch up within a second', async () => {
    await authorize();
    const restarted = makeHarness({ log: h.log, engine: h.engine, vault: h.vault });
    h.engine.lag = Number.POSITIVE_INFINITY;
    const answer = await restarted.call('GET', `/v1/authorizations?card=${card}`);
    expect([answer.status, answer.body.code, answer.headers['retry-after']]).toEqual([503, 'index_behind', '1']);
    h.engine.lag = 3;
    expect((await restarted.call('GET', `/v1/authorizations?card=${card}`)).status).toBe(200);
  });

  const bad: [string, number, string][] = [
    ['?status=open', 400, 'invalid_query'],
    ['?since=yesterday', 400, 'invalid_query'],
    ['?stan=12345678', 400, 'invalid_query'],
    ['?rrn=1234567890123', 400, 'invalid_query'],
    ['?starting_after=auth_x', 400, 'invalid_query'],
    ['/auth_x', 404, 'not_found'],
    ['/auth_x/explain', 404, 'not_found'],
  ];
  it.each(bad)('refuses %s', async (rest, status, code) => {
    const answer = await h.call('GET', `/v1/authorizations${rest}`);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });
});

describe('the ledger', () => {
  it('shows entries with running balance and a book that balances', async () => {
    for (let i = 1; i <= 5; i++) {
      const body = { account, amount: i * 100, currency: 'BRL', reference: `r${i}` };
      await h.call('POST', '/v1/payments', body, { 'idempotency-key': `p${i}` });
      if (i % 2 === 0) await authorize({ amount: 50 });
    }
    const balances = [-100, -300, -600, -1000, -1500].reverse();
    const seen: number[] = [];
    let url = `/v1/accounts/${account}/entries?limit=2`;
    for (;;) {
      const { body } = await h.call('GET', url);
      seen.push(...body.data.map((one: { balance_after: number }) => one.balance_after));
      for (const { postings } of body.data)
        expect(postings.reduce((sum, { debit, credit }) => sum + debit - credit, 0)).toBe(0);
      if (!body.has_more) break;
      url = `/v1/accounts/${account}/entries?limit=2&starting_after=${body.data.at(-1)!.id}`;
    }
    expect(seen).toEqual(balances);
    const { body } = await h.call('GET', '/v1/ledger/trial-balance');
    expect(body.balanced).toBe(true);
    const [book] = body.currencies;
    expect(book).toMatchObject({ currency: 'BRL', difference: 0 });
    expect(book.debits).toBe(book.credits);
    expect(book.accounts).toContainEqual(
      expect.objectContaining({ account: '2200', debit: 0, credit: 1500, balance: -1500 }),
    );
  });

  it('writes turnovers beyond 2^53 to the last digit', async () => {
    const { engine } = h;
    const turnover = { debit: '9007199254740993', credit: '30000000000000000001' };
    engine.read = async (shard) => ({
      ...{ ok: true, sequence: 1 },
      totals: [
        { currency: 360, glAccount: 9100, sub: 0, ...turnover },
        ...(shard === 0
          ? [{ currency: 360, glAccount: 9199, sub: 0, debit: turnover.credit, credit: turnover.debit }]
          : []),
      ],
    });
    const answer = await h.app.inject({
      method: 'GET',
      url: '/v1/ledger/trial-balance',
      headers: { authorization: `Bearer ${h.token('read')}` },
    });
    const shards = BigInt(engine.shards);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.payload).toContain(`"debits":${shards * 9007199254740993n + 30000000000000000001n},`);
    expect(answer.payload).toContain(
      `"debit":${shards * 9007199254740993n},"credit":${shards * 30000000000000000001n}`,
    );
    const difference = (shards - 1n) * (9007199254740993n - 30000000000000000001n);
    expect(answer.payload).toContain(`"difference":${difference},`);
    expect(JSON.parse(answer.payload).balanced).toBe(shards === 1n);
  });
});
