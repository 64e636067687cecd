/** The whole life of an authorization as the API shows it: every kind of element, totals, status, links, entries. */
import { beforeEach, describe, expect, it } from 'vitest';
import { type AnswerBody, type Harness, makeHarness } from './harness.js';

let h: Harness;
let card: string;
beforeEach(async () => {
  h = makeHarness();
  await h.call('POST', '/v1/accounts', { id: 'acc', credit_limit: 100_000 });
  ({ id: card } = (await h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912' })).body);
});

const none = { authorized: 0, incremented: 0, reversed: 0, expired: 0, cleared: 0, refunded: 0, held: 0 };

async function simulate(kind: string, body: object): Promise<AnswerBody> {
  const answer = await h.call('POST', `/v1/simulate/${kind}`, body);
  expect(answer.status, answer.text).toBe(201);
  return answer.body;
}

async function authorize(amount: number, more: object = {}): Promise<string> {
  return (await simulate('authorization', { card, amount, ...more })).authorization.id;
}

async function read(id: string): Promise<AnswerBody> {
  return (await h.call('GET', `/v1/authorizations/${id}`)).body;
}

async function balances(): Promise<{ posted: number; held: number; available: number }> {
  return (await h.call('GET', '/v1/accounts/acc')).body.balances;
}

/** Rolls the approval behind an element back, as the ingress does when it could not send the reply. */
async function rollBack(element: string): Promise<void> {
  const place = h.context.ids.decode('evt', `evt${element.slice('elem'.length)}`)!;
  await h.engine.notDelivered(place.shard, place.number);
}

describe('increments and replacements', () => {
  it('add to the hold, and are elements of the authorization', async () => {
    const id = await authorize(10_000);
    const { authorization, element, iso } = await simulate('increment', { authorization: id, amount: 2500 });
    expect(iso.reply.decoded.mti).toBe('0110');
    expect(authorization).toMatchObject({
      id,
      status: 'pending',
      approved_amount: 10_000,
      totals: { ...none, authorized: 10_000, incremented: 2500, held: 12_500 },
      hold: { remaining: 12_500 },
      elements: [
        { type: 'authorization', amount: 10_000, hold_change: 10_000, undoes: null },
        { id: element, type: 'increment', amount: 2500, hold_change: 2500, response_code: '00', undoes: null },
      ],
    });
    expect(authorization.elements[1].approval_code).toMatch(/^\d{6}$/);
    expect((await balances()).held).toBe(12_500);
    // 12 500 become 9 000: 3 500 go back; then 15 000: 6 000 come on top.
    const down = await simulate('increment', { authorization: id, amount: 9000, replace: true });
    expect(down.authorization).toMatchObject({
      totals: { ...none, authorized: 10_000, incremented: 2500, reversed: 3500, held: 9000 },
      elements: [{}, {}, { type: 'replacement', amount: 9000, hold_change: -3500 }],
    });
    const up = await simulate('increment', { authorization: id, amount: 15_000, replace: true });
    expect(up.authorization.totals).toEqual({
      ...none,
      ...{ authorized: 10_000, incremented: 8500, reversed: 3500, held: 15_000 },
    });
  });

  it('a declined increment is an element that changes nothing', async () => {
    const id = await authorize(10_000);
    const { authorization } = await simulate('increment', { authorization: id, amount: 90_001 });
    expect(authorization).toMatchObject({
      id,
      status: 'pending',
      totals: { ...none, authorized: 10_000, held: 10_000 },
      elements: [{}, { type: 'increment', response_code: '51', decline_reason: 'insufficient_funds', hold_change: 0 }],
    });
  });

  it('the id of an element leads to its authorization, and explains that message', async () => {
    const id = await authorize(10_000);
    const { element } = await simulate('increment', { authorization: id, amount: 2500 });
    expect(await read(element)).toEqual(await read(id));
    const { status, body } = await h.call('GET', `/v1/authorizations/${element}/explain`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      authorization: id,
      element,
      response_code: '00',
      program_revision: null,
      balances: { before: { held: 10_000 }, after: { held: 12_500, available: 87_500 } },
      hold: { before: 10_000, after: 12_500, expires_at: expect.any(String) },
      postings: [],
      linked: [{ type: 'authorization', hold_change: 10_000 }],
    });
    expect(body.verdicts).toContainEqual({ order: expect.any(Number), step: 'original', verdict: 'matched' });
    const first = (await h.call('GET', `/v1/authorizations/${id}/explain`)).body;
    expect(first).toMatchObject({ hold: { before: 0, after: 10_000 }, linked: [{ id: element, type: 'increment' }] });
    // The list shows one payment, found by the STAN of either message.
    const { stan } = (await read(id)).elements[1];
    const found = (await h.call('GET', `/v1/authorizations?stan=${stan}`)).body.data;
    expect(found.map((one: { id: string }) => one.id)).toEqual([id]);
    expect((await h.call('GET', `/v1/authorizations?card=${card}`)).body.data).toHaveLength(1);
  });

  it('a reversal of one increment undoes that element, a reversal of the authorization the rest', async () => {
    const id = await authorize(10_000);
    const { element } = await simulate('increment', { authorization: id, amount: 2500 });
    const one = (await simulate('reversal', { authorization: element })).authorization;
    expect(one).toMatchObject({
      status: 'pending',
      totals: { ...none, authorized: 10_000, incremented: 2500, reversed: 2500, held: 10_000 },
      elements: [{}, {}, { type: 'reversal', amount: 2500, hold_change: -2500, undoes: element }],
    });
    const all = (await simulate('reversal', { authorization: id })).authorization;
    expect(all).toMatchObject({
      status: 'reversed',
      totals: { ...none, authorized: 10_000, incremented: 2500, reversed: 12_500 },
    });
    expect(all.elements[3]).toMatchObject({ amount: 10_000, undoes: all.elements[0].id });
  });

  it('the roll-back of an increment is an element, and takes back what it added', async () => {
    const id = await authorize(10_000);
    const { element } = await simulate('increment', { authorization: id, amount: 2500 });
    await rollBack(element);
    const shown = await read(id);
    expect(shown).toMatchObject({
      status: 'pending',
      totals: { ...none, authorized: 10_000, incremented: 2500, reversed: 2500, held: 10_000 },
      elements: [{}, {}, { type: 'not_delivered', mti: null, amount: 2500, hold_change: -2500, undoes: element }],
    });
    expect(await read(shown.elements[2].id)).toEqual(shown);
    // Nothing was decided there: nothing to explain.
    expect((await h.call('GET', `/v1/authorizations/${shown.elements[2].id}/explain`)).status).toBe(404);
  });
});

describe('advices', () => {
  it('a completion names the amount of the hold, up and down', async () => {
    const id = await authorize(10_000);
    const { authorization, iso } = await simulate('advice', {
      authorization: id,
      amount: 12_000,
      reason: 'completion',
    });
    expect(iso.reply.decoded.mti).toBe('0130');
    expect(authorization).toMatchObject({
      id,
      status: 'pending',
      totals: { ...none, authorized: 10_000, incremented: 2000, held: 12_000 },
      elements: [{}, { type: 'completion', advice_reason: 'completion', amount: 12_000, hold_change: 2000 }],
    });
    // The code of the authorization stays: the advice repeats it.
    expect(authorization.elements[1].approval_code).toBe(authorization.approval_code);
    const lower = await simulate('advice', { authorization: id, amount: 7000, reason: 'completion' });
    expect(lower.authorization.totals).toEqual({
      ...none,
      ...{ authorized: 10_000, incremented: 2000, reversed: 5000, held: 7000 },
    });
  });

  it('0220 over an authorization posts it and releases the hold, whatever it names', async () => {
    const id = await authorize(10_000);
    const more = { reason: 'completion', financial: true };
    const { authorization } = await simulate('advice', { authorization: id, amount: 12_000, ...more });
    expect(authorization).toMatchObject({
      status: 'cleared',
      hold: null,
      totals: { ...none, authorized: 10_000, incremented: 2000, cleared: 12_000 },
    });
    expect(authorization.elements[1]).toMatchObject({
      hold_change: -10_000,
      postings: [
        { account: '1100', debit: 12_000, credit: 0 },
        { account: '2100', debit: 0, credit: 12_000 },
      ],
    });
    expect(await balances()).toEqual({ posted: 12_000, held: 0, available: 88_000 });
    const after = await simulate('advice', { authorization: id, amount: 9000, ...more });
    expect(after.authorization.totals).toEqual({
      ...none,
      ...{ authorized: 10_000, incremented: 2000, reversed: 3000, cleared: 9000 },
    });
    // An increment of what was posted holds again, beside what is cleared.
    const partly = (await simulate('increment', { authorization: id, amount: 500 })).authorization;
    expect(partly).toMatchObject({ status: 'partially_cleared', hold: { remaining: 500 } });
    expect(partly.totals).toEqual({
      ...none,
      ...{ authorized: 10_000, incremented: 2500, reversed: 3000, cleared: 9000, held: 500 },
    });
    for (const status of ['partially_cleared', 'cleared', 'pending']) {
      const { data } = (await h.call('GET', `/v1/authorizations?status=${status}`)).body;
      expect(data, status).toHaveLength(status === 'partially_cleared' ? 1 : 0);
    }
  });

  it('stand-in of what we had declined: the answer stays, the authorization stands', async () => {
    const id = await authorize(100_001);
    expect(await read(id)).toMatchObject({ status: 'declined', approved: false });
    const { authorization } = await simulate('advice', {
      ...{ authorization: id, amount: 100_001, reason: 'stand_in_approved', approval_code: '777777' },
    });
    expect(authorization).toMatchObject({
      id,
      status: 'pending',
      approved: true,
      response_code: '51',
      approved_amount: 0,
      totals: { ...none, authorized: 100_001, held: 100_001 },
      elements: [{ response_code: '51' }, { type: 'completion', advice_reason: 'stand_in_approved' }],
    });
    expect(authorization.elements[1].approval_code).toBe('777777');
    expect(await balances()).toMatchObject({ held: 100_001, available: -1 });
    expect((await h.call('GET', '/v1/authorizations?status=pending')).body.data).toHaveLength(1);
    expect((await h.call('GET', '/v1/authorizations?status=declined')).body.data).toHaveLength(0);
  });

  it('stand-in of a payment that we do not know is an authorization of its own', async () => {
    const approved = (await simulate('advice', { card, amount: 150_000, reason: 'stand_in_approved' })).authorization;
    expect(approved).toMatchObject({
      type: 'advice',
      status: 'pending',
      approved: true,
      totals: { ...none, authorized: 150_000, held: 150_000 },
    });
    const declined = (await simulate('advice', { card, amount: 100, reason: 'stand_in_declined' })).authorization;
    expect(declined).toMatchObject({ type: 'advice', status: 'declined', approved: false, response_code: '00' });
    expect(declined.elements).toMatchObject([{ advice_reason: 'stand_in_declined', approval_code: null }]);
    expect((await h.call('GET', '/v1/authorizations?status=declined')).body.data).toHaveLength(1);
    const gone = (await simulate('reversal', { authorization: approved.id })).authorization;
    expect(gone).toMatchObject({ status: 'reversed', totals: { authorized: 150_000, reversed: 150_000, held: 0 } });
  });

  it('an advice about a card that nobody has is found by its RRN', async () => {
    const fields = {
      ...{ 0: '0120', 2: '9999990000009999', 3: '000000', 4: '000000001000', 7: '1123120000', 11: '000001' },
      ...{ 37: 'ADVICE000001', 49: '986' },
    };
    const sent = await simulate('network_message', { fields });
    expect(sent.iso.reply.decoded.fields.find(({ field }) => field === 39)!.value).toBe('00');
    const { data } = (await h.call('GET', '/v1/authorizations?rrn=ADVICE000001')).body;
    expect(data).toMatchObject([
      { type: 'advice', status: 'completed', decline_reason: 'unknown_card', account: null, totals: none },
    ]);
    expect(data[0].id).toBe(sent.authorization.id);
    expect((await h.call('GET', `/v1/authorizations/${data[0].id}/explain`)).body).toMatchObject({
      balances: null,
      hold: null,
    });
  });
});

describe('single messages', () => {
  it('count as cleared; a reversal posts back, in part or in full', async () => {
    const id = await authorize(10_000, { single_message: true });
    expect(await read(id)).toMatchObject({
      status: 'cleared',
      hold: null,
      totals: { ...none, authorized: 10_000, cleared: 10_000 },
      network: { mti: '0200' },
    });
    const part = (await simulate('reversal', { authorization: id, remaining: 4000 })).authorization;
    expect(part).toMatchObject({
      status: 'cleared',
      totals: { ...none, authorized: 10_000, reversed: 6000, cleared: 4000 },
      elements: [{}, { type: 'reversal', amount: 6000, hold_change: 0, postings: [{ credit: 6000 }, { debit: 6000 }] }],
    });
    const { body } = await h.call('GET', `/v1/authorizations/${part.elements[1].id}/explain`);
    expect(body).toMatchObject({
      balances: { before: { posted: 10_000 }, after: { posted: 4000, available: 96_000 } },
      postings: [{ account: '1100' }, { account: '2100' }],
    });
    const all = (await simulate('reversal', { authorization: id })).authorization;
    expect(all).toMatchObject({ status: 'reversed', totals: { ...none, authorized: 10_000, reversed: 10_000 } });
    expect(await balances()).toEqual({ posted: 0, held: 0, available: 100_000 });
  });

  it('force post: nobody asked us', async () => {
    const { authorization, iso } = await simulate('force_post', { card, amount: 120_000, approval_code: '123456' });
    expect(iso.reply.decoded.mti).toBe('0230');
    expect(authorization).toMatchObject({
      type: 'advice',
      status: 'cleared',
      approval_code: '123456',
      totals: { ...none, authorized: 120_000, cleared: 120_000 },
    });
    expect((await balances()).available).toBe(-20_000);
  });

  it('cash back is part of the amount', async () => {
    const id = await authorize(10_000, { single_message: true, cash_back: 3000 });
    const { elements, network } = await read(id);
    expect(network.processing_code).toBe('090000');
    expect(elements[0].postings).toMatchObject([
      { account: '1100', debit: 7000 },
      { account: '1110', debit: 3000 },
      { account: '2100', credit: 10_000 },
    ]);
  });
});

describe('refunds', () => {
  it('hold nothing, and are refunded only when posted', async () => {
    const announced = (await simulate('refund', { card, amount: 3000, announce: true })).authorization;
    expect(announced).toMatchObject({
      type: 'refund_authorization',
      status: 'pending',
      approved: true,
      hold: null,
      totals: { ...none, authorized: 3000 },
    });
    expect(await balances()).toEqual({ posted: 0, held: 0, available: 100_000 });
    const posted = (await simulate('refund', { authorization: announced.id, amount: 3000 })).authorization;
    expect(posted).toMatchObject({
      id: announced.id,
      status: 'cleared',
      totals: { ...none, authorized: 3000, refunded: 3000 },
    });
    expect((await balances()).posted).toBe(-3000);
    const reversed = (await simulate('reversal', { authorization: announced.id })).authorization;
    // It names the announcement, of which nothing is left: what was posted stays.
    expect(reversed).toMatchObject({ status: 'cleared', totals: { ...none, authorized: 3000, refunded: 3000 } });
  });

  it('an announced refund that is reversed was never refunded', async () => {
    const { id } = (await simulate('refund', { card, amount: 3000, announce: true })).authorization;
    const { authorization } = await simulate('reversal', { authorization: id });
    expect(authorization).toMatchObject({ status: 'reversed', totals: { ...none, authorized: 3000, reversed: 3000 } });
  });

  it('a single message credits at once; its reversal takes it back', async () => {
    const { authorization } = await simulate('refund', { card, amount: 3000 });
    expect(authorization).toMatchObject({
      status: 'cleared',
      network: { mti: '0200', processing_code: '200000' },
      totals: { ...none, authorized: 3000, refunded: 3000 },
    });
    const reversed = (await simulate('reversal', { authorization: authorization.id })).authorization;
    expect(reversed).toMatchObject({ status: 'reversed', totals: { ...none, authorized: 3000, reversed: 3000 } });
    expect((await balances()).posted).toBe(0);
  });
});

describe('controls', () => {
  it('an explanation names the control that refused, with its figures', async () => {
    const { shard, number } = h.context.ids.decode('card', card)!;
    const controls = JSON.stringify({ velocity: [{ window: 'day', amount: 5000 }] });
    await h.engine.command(shard, { op: 'update_card', cardSlot: number, controls });
    const approved = await authorize(3000);
    const refused = (await simulate('authorization', { card, amount: 2001 })).authorization;
    expect(refused).toMatchObject({ response_code: '61', decline_reason: 'velocity_amount', status: 'declined' });
    const explain = async (id: string) => (await h.call('GET', `/v1/authorizations/${id}/explain`)).body;
    expect(await explain(refused.id)).toMatchObject({
      control: { level: 'card', source: 'card', control: '/velocity/0', limit: 5000, before: 3000, attempted: 2001 },
      counters: { card: [{ amount: 3000, count: 1 }], account: [] },
      matched_rules: [],
    });
    expect(await explain(approved)).toMatchObject({ control: null, counters: { card: [{ amount: 0, count: 0 }] } });
  });
});

describe('file updates', () => {
  it('stand beside the own status of the card: what is set here does not take it off the list', async () => {
    const fields = { 0: '0302', 7: '1123120000', 37: 'LISTING00000' };
    const list = (stan: string, action: string) =>
      simulate('network_message', { card, fields: { ...fields, 11: stan, 91: action } });
    const shown = async () => {
      const { body } = await h.call('GET', `/v1/cards/${card}`);
      return [body.status, body.network_listing];
    };
    await list('000011', '1');
    expect(await shown()).toEqual(['paused', 'paused']);
    const set = await h.call('PATCH', `/v1/cards/${card}`, { status: 'active' });
    expect([set.status, set.body.status, set.body.network_listing]).toEqual([200, 'paused', 'paused']);
    const { authorization } = await list('000012', '3');
    expect(authorization.elements).toMatchObject([{ card_status: 'active' }]);
    expect(await shown()).toEqual(['active', null]);
  });

  it('are listed, and say what the card became', async () => {
    const fields = { 0: '0302', 7: '1123120000', 11: '000001', 37: 'LISTING00001', 91: '1', 127: '41' };
    const { authorization, iso } = await simulate('network_message', { card, fields });
    expect(iso.reply.decoded.mti).toBe('0312');
    expect(authorization).toMatchObject({ type: 'file_update', status: 'completed', totals: none });
    expect(authorization.elements).toMatchObject([{ card_status: 'lost' }]);
    expect((await h.call('GET', `/v1/cards/${card}`)).body.status).toBe('lost');
    const again = await h.call('POST', '/v1/simulate/reversal', { authorization: authorization.id });
    expect([again.status, again.body.code]).toEqual([422, 'not_simulatable']);
  });
});

describe('entries', () => {
  it('list what single messages post and post back, with running balance, source and legs', async () => {
    await h.call(
      'POST',
      '/v1/payments',
      { account: 'acc', amount: 500, currency: 'BRL', reference: 'p1' },
      { 'idempotency-key': 'p1' },
    );
    const bought = await authorize(10_000, { single_message: true, rrn: 'SINGLE000001', stan: '000041' });
    await authorize(700);
    const back = (await simulate('reversal', { authorization: bought, remaining: 4000, stan: '000042' })).element;
    const third = (await simulate('authorization', { card, amount: 250, single_message: true, rrn: 'SINGLE000003' }))
      .authorization.elements[0].id;
    await rollBack(third);
    const all = (await h.call('GET', '/v1/accounts/acc/entries')).body.data;
    const lines = all.map((one: { type: string; amount: number; balance_after: number }) => [
      ...[one.type, one.amount, one.balance_after],
    ]);
    expect(lines).toEqual([
      ['roll_back', -250, 3500],
      ['single_message', 250, 3750],
      ['single_message_reversal', -6000, 3500],
      ['single_message', 10_000, 9500],
      ['payment', -500, -500],
    ]);
    expect(all[0]).toMatchObject({ reference: null, source: { mti: null, rrn: null, stan: null } });
    expect(all[2].source).toEqual({
      ...{ authorization: bought, element: back, mti: '0400', rrn: 'SINGLE000001', stan: '000042' },
    });
    expect(all[3]).toMatchObject({
      source: { authorization: bought, mti: '0200', stan: '000041' },
      postings: [
        { account: '1100', name: 'receivable purchases', debit: 10_000, credit: 0 },
        { account: '2100', name: 'network settlement payable', debit: 0, credit: 10_000 },
      ],
    });
    expect(all[4]).toMatchObject({ source: null, reference: 'p1' });
    // Page by page the balances are the same: behind a cursor they come from what a decision saw.
    const seen: object[] = [];
    for (let cursor = ''; ; ) {
      const { body } = await h.call('GET', `/v1/accounts/acc/entries?limit=1${cursor}`);
      seen.push(...body.data);
      if (!body.has_more) break;
      cursor = `&starting_after=${body.data[0].id}`;
    }
    expect(seen).toEqual(all);
    const shown = await read(third);
    expect(shown).toMatchObject({ status: 'reversed', totals: { ...none, authorized: 250, reversed: 250 } });
    expect((await h.call('GET', '/v1/ledger/trial-balance')).body.balanced).toBe(true);
    expect((await balances()).posted).toBe(3500);
  });
});
