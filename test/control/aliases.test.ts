/** Network tokens and the PIN's tries over the API, on real shards. */
import { beforeEach, describe, expect, it } from 'vitest';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';
import { WIRE_HEADER_BYTES } from '#src/ring/wire-entry.js';
import { type Harness, makeHarness, restart } from './harness.js';

let h: Harness;
beforeEach(async () => {
  h = makeHarness();
  await h.call('POST', '/v1/accounts', { id: 'acc', credit_limit: 1000 });
});

async function newCard(body: object = {}): Promise<string> {
  const answer = await h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912', ...body });
  expect(answer.status).toBe(201);
  return answer.body.id;
}

async function simulated(card: string, body: object = {}): Promise<{ response_code: string; [key: string]: unknown }> {
  const answer = await h.call('POST', '/v1/simulate/authorization', { card, amount: 10, ...body });
  expect(answer.status).toBe(201);
  return answer.body.authorization;
}

/** Response code of a purchase with a PIN on the card. */
async function withPin(card: string, stan: number): Promise<unknown> {
  const place = h.context.ids.decode('card', card)!;
  const read = await h.engine.read(place.shard, { op: 'card', slot: place.number });
  if (!read.ok || !('card' in read)) throw new Error('no card');
  const [f0, f1, f2] = read.card.fingerprint;
  const header = Buffer.alloc(WIRE_HEADER_BYTES);
  header.writeUInt32LE(((place.shard << 24) | place.number) >>> 0, 0);
  for (const [index, word] of [f0, f1, f2].entries()) header.writeUInt32LE(word, 4 + index * 4);
  header[17] = 1;
  const fields: Fields = {
    0: '0100',
    2: h.vault.reveal({ f0, f1, f2 })!,
    3: '000000',
    4: '000000000001',
    7: '1123120000',
    11: String(stan).padStart(6, '0'),
    22: '051',
    32: '1',
    41: 'T',
    49: '986',
    52: 'hex:0123456789ABCDEF',
  };
  return unpack('iso87-bcd', (await h.engine.wire(place.shard, header, pack('iso87-bcd', fields))).message)[39];
}

describe('network tokens', () => {
  it('are issued with a number of their own, shown once, in the shard of their card', async () => {
    const card = await newCard();
    const made = await h.call('POST', `/v1/cards/${card}/aliases`, {});
    expect(made.status).toBe(201);
    const { pan } = made.body;
    expect(pan).toMatch(/^999999\d{10}$/);
    expect(made.body).toEqual({
      object: 'alias',
      id: expect.stringMatching(/^alias_[0-9a-z]{26}$/),
      card,
      account: 'acc',
      bin: '999999',
      last4: pan.slice(-4),
      masked_pan: `999999******${pan.slice(-4)}`,
      expiry: '2912',
      status: 'active',
      network_listing: null,
      created_at: expect.any(String),
      pan,
      pan_available: true,
    });
    expect([...h.vault.pans.values()]).toContain(pan);
    const { f0, f1, f2 } = h.context.fingerprinter.of(pan);
    expect(h.context.directory.find(f0, f1, f2) >>> 24).toBe(h.engine.placement('acc'));
    const read = await h.call('GET', `/v1/aliases/${made.body.id}`);
    expect(read.body).not.toHaveProperty('pan');
    expect(read.text + h.logged()).not.toContain(pan);
  });

  it('are issued once under one key', async () => {
    const card = await newCard();
    const call = () => h.call('POST', `/v1/cards/${card}/aliases`, {}, { 'idempotency-key': 'token-1' });
    const first = await call();
    h = restart(h);
    const again = await call();
    expect([again.status, again.headers['idempotent-replayed']]).toEqual([201, 'true']);
    const { pan, ...masked } = first.body;
    expect(again.body).toEqual({ ...masked, pan_available: false });
    expect(again.text).not.toContain(pan);
    expect((await h.call('GET', `/v1/cards/${card}/aliases`)).body.data).toHaveLength(1);
    const key = { 'idempotency-key': 'token-2' };
    const pause = () => h.call('PATCH', `/v1/aliases/${first.body.id}`, { status: 'paused' }, key);
    await pause();
    expect((await pause()).headers['idempotent-replayed']).toBe('true');
  });

  it('have a number that no other card or token has', async () => {
    const card = await newCard();
    const body = { pan: '4000000000000002', expiry: '2806', status: 'inactive' };
    const made = await h.call('POST', `/v1/cards/${card}/aliases`, body);
    expect(made.body).toMatchObject({ masked_pan: '400000******0002', expiry: '2806', status: 'inactive' });
    expect(made.body).not.toHaveProperty('pan');
    const other = await h.call('POST', '/v1/accounts', {});
    const refusals = [
      await h.call('POST', `/v1/cards/${card}/aliases`, body),
      await h.call('POST', '/v1/cards', { account: other.body.id, expiry: '2912', pan: body.pan }),
    ];
    for (const { status, body } of refusals)
      expect([status, body.code, body.param]).toEqual([409, 'card_exists', '/pan']);
  });

  it('of a live program may be outside its BINs, with a right check digit', async () => {
    await h.call('POST', '/v1/programs', { id: 'live', currency: 'BRL', bins: ['400000'] });
    await h.call('POST', '/v1/accounts', { id: 'live-1', program: 'live' });
    const card = await newCard({ account: 'live-1' });
    const wrong = await h.call('POST', `/v1/cards/${card}/aliases`, { pan: '9999990000000002' });
    expect([wrong.status, wrong.body.param]).toEqual([422, '/pan']);
    expect((await h.call('POST', `/v1/cards/${card}/aliases`, { pan: '9999990000000006' })).status).toBe(201);
  });

  it('are listed below their card, newest first, and in no list of cards', async () => {
    const cards: string[] = [];
    const tokens: string[] = [];
    for (let i = 0; i < 4; i++) {
      cards.unshift(await newCard());
      for (let token = 0; token < 3; token++) {
        const made = await h.call('POST', `/v1/cards/${cards.at(-1)}/aliases`, {});
        tokens.unshift(made.body.id);
      }
    }
    const ids = async (url: string): Promise<string[]> =>
      (await h.call('GET', url)).body.data.map(({ id }: { id: string }) => id);
    const below = `/v1/cards/${cards.at(-1)}/aliases`;
    expect(await ids(`${below}?limit=100`)).toEqual(tokens);
    expect(await ids(`${below}?limit=2&starting_after=${tokens[3]}`)).toEqual(tokens.slice(4, 6));
    expect(await ids(`/v1/cards/${cards[0]}/aliases`)).toEqual([]);
    expect(await ids('/v1/cards?account=acc')).toEqual(cards);
    expect(await ids('/v1/cards')).toEqual(cards);
    const newer = await h.call('GET', `/v1/cards?limit=2&ending_before=${cards.at(-1)}`);
    expect(newer.body).toMatchObject({ has_more: true, data: [{ id: cards[1] }, { id: cards[2] }] });
  });

  it('have a status of their own, over a restart, until it is final', async () => {
    const card = await newCard();
    const token = (await h.call('POST', `/v1/cards/${card}/aliases`, {})).body.id;
    expect(await simulated(token)).toMatchObject({ response_code: '00', card, token });
    expect((await h.call('PATCH', `/v1/aliases/${token}`, { status: 'paused' })).body.status).toBe('paused');
    expect(await simulated(token)).toMatchObject({ response_code: '62', decline_reason: 'token_paused', card, token });
    expect(await simulated(card)).toMatchObject({ response_code: '00', card, token: null });
    h = restart(h);
    expect((await h.call('GET', `/v1/aliases/${token}`)).body.status).toBe('paused');
    await h.call('PATCH', `/v1/aliases/${token}`, { status: 'closed' });
    const after = await h.call('PATCH', `/v1/aliases/${token}`, { status: 'active' });
    expect([after.status, after.body.code]).toEqual([409, 'card_status_final']);
    expect((await h.call('GET', `/v1/cards/${card}`)).body.status).toBe('active');
  });

  it('are sent by the simulator with their own number, in reversals too', async () => {
    const card = await newCard();
    const made = await h.call('POST', `/v1/cards/${card}/aliases`, { expiry: '2806' });
    const sent = await h.call('POST', '/v1/simulate/authorization', { card: made.body.id, amount: 10 });
    const numberIn = {
      fields: expect.arrayContaining([expect.objectContaining({ field: 2, value: made.body.masked_pan })]),
    };
    expect(sent.body.iso.request.decoded).toMatchObject(numberIn);
    expect(sent.body.authorization).toMatchObject({ approved: true, account: 'acc' });
    const back = await h.call('POST', '/v1/simulate/reversal', { authorization: sent.body.authorization.id });
    expect(back.body.iso.request.decoded).toMatchObject(numberIn);
    expect(back.body.authorization).toMatchObject({ status: 'reversed', token: made.body.id });
  });

  it('find the authorizations that came with their number, and no others of the card', async () => {
    const card = await newCard();
    const [one, other] = [1, 2].map(() => h.call('POST', `/v1/cards/${card}/aliases`, {}));
    const [first, second] = [(await one!).body.id, (await other!).body.id];
    const paid: string[] = [];
    for (const id of [first, card, second, first]) paid.push(String((await simulated(id, { rrn: '632700000009' })).id));
    const found = async (query: string): Promise<string[]> =>
      (await h.call('GET', `/v1/authorizations?${query}`)).body.data.map(({ id }: { id: string }) => id);
    expect(await found(`card=${first}`)).toEqual([paid[3], paid[0]]);
    expect(await found(`card=${second}`)).toEqual([paid[2]]);
    expect(await found(`card=${card}`)).toEqual([...paid].reverse());
    expect(await found(`card=${first}&limit=1&starting_after=${paid[3]}`)).toEqual([paid[0]]);
    expect(await found(`card=${second}&rrn=632700000009`)).toEqual([paid[2]]);
    expect(await found(`card=${second.replace('alias', 'card')}`)).toEqual([]);
  });

  it('are refused for cards that are over, and under ids of other things', async () => {
    const card = await newCard();
    const token = (await h.call('POST', `/v1/cards/${card}/aliases`, {})).body.id;
    await h.call('PATCH', `/v1/cards/${card}`, { status: 'lost' });
    const table: ['GET' | 'POST' | 'PATCH', string, unknown, number, string][] = [
      ['POST', `/v1/cards/${card}/aliases`, {}, 409, 'card_status_final'],
      ['POST', `/v1/cards/${token}/aliases`, {}, 404, 'not_found'],
      ['POST', `/v1/cards/${card}/aliases`, { pan: '1' }, 422, 'validation_failed'],
      ['POST', `/v1/cards/${card}/aliases`, { status: 'lost' }, 422, 'validation_failed'],
      ['GET', `/v1/cards/${token}`, undefined, 404, 'not_found'],
      ['GET', `/v1/cards/${token}/aliases`, undefined, 404, 'not_found'],
      ['GET', `/v1/aliases/${card}`, undefined, 404, 'not_found'],
      ['PATCH', `/v1/aliases/${card}`, { status: 'paused' }, 404, 'not_found'],
      ['PATCH', `/v1/aliases/${token}`, {}, 422, 'validation_failed'],
      ['POST', `/v1/cards/${token}/pin/unblock`, {}, 404, 'not_found'],
    ];
    for (const [method, url, body, status, code] of table) {
      const answer = await h.call(method, url, body);
      expect([method, url, answer.status, answer.body.code]).toEqual([method, url, status, code]);
    }
  });
});

describe('PIN tries', () => {
  it('are shown, answered 75 when they are used up, and given back', async () => {
    const card = await newCard();
    const place = h.context.ids.decode('card', card)!;
    const pin = async (): Promise<unknown> => (await h.call('GET', `/v1/cards/${card}`)).body.pin;
    expect(await pin()).toEqual({ set: false, tries_used: 0, tries_left: 3, blocked: false });
    const setTries = (pinTries: number) =>
      h.engine.command(place.shard, { op: 'update_card', cardSlot: place.number, pinTries });
    await setTries(2);
    expect(await pin()).toEqual({ set: false, tries_used: 2, tries_left: 1, blocked: false });
    expect(await withPin(card, 1)).toBe('00');
    await setTries(3);
    expect(await pin()).toEqual({ set: false, tries_used: 3, tries_left: 0, blocked: true });
    expect(await withPin(card, 2)).toBe('75');
    expect((await simulated(card)).response_code).toBe('00');
    const unblocked = await h.call('POST', `/v1/cards/${card}/pin/unblock`, {});
    expect([unblocked.status, unblocked.body.pin]).toEqual([
      200,
      { set: false, tries_used: 0, tries_left: 3, blocked: false },
    ]);
    h = restart(h);
    expect(await withPin(card, 3)).toBe('00');
  });

  it('are those of the program', async () => {
    await h.call('PATCH', '/v1/programs/prog_sandbox', { tables: { pin: { tries: 5 } } });
    const card = await newCard();
    const { body } = await h.call('GET', '/v1/cards');
    expect(body.data).toMatchObject([{ id: card, pin: { tries_used: 0, tries_left: 5, blocked: false } }]);
  });

  it('are given back once under one key', async () => {
    const card = await newCard();
    const place = h.context.ids.decode('card', card)!;
    const key = { 'idempotency-key': 'unblock-1' };
    await h.call('POST', `/v1/cards/${card}/pin/unblock`, {}, key);
    await h.engine.command(place.shard, { op: 'update_card', cardSlot: place.number, pinTries: 3 });
    const again = await h.call('POST', `/v1/cards/${card}/pin/unblock`, {}, key);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect((await h.call('GET', `/v1/cards/${card}`)).body.pin.blocked).toBe(true);
  });
});
