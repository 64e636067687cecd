/** Clearing records in the API: the simulator's call, and what authorizations, entries and events show of them. */
import { beforeEach, describe, expect, it } from 'vitest';
import { maskedClearing } from '#src/control/masked-clearing.js';
import { clearingInput } from '../table/clearing-lines.js';
import { type AnswerBody, type Harness, makeHarness } from './harness.js';

let h: Harness;
let card: string;
beforeEach(async () => {
  h = makeHarness();
  await h.call('POST', '/v1/accounts', { id: 'acc', credit_limit: 100_000 });
  ({ id: card } = (await h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912' })).body);
});

async function simulate(kind: string, body: object, key?: string): Promise<AnswerBody> {
  const answer = await h.call(
    'POST',
    `/v1/simulate/${kind}`,
    body,
    key === undefined ? {} : { 'idempotency-key': key },
  );
  expect(answer.status, answer.text).toBe(201);
  return answer.body;
}

const authorize = async (amount: number, more: object = {}): Promise<string> =>
  (await simulate('authorization', { card, amount, network_id: 'NET1', ...more })).authorization.id;

async function balances(): Promise<number[]> {
  const { posted, held, available } = (await h.call('GET', '/v1/accounts/acc')).body.balances;
  return [posted, held, available];
}

describe('clearing an authorization', () => {
  it('in parts: partially cleared, then cleared, with elements and totals', async () => {
    const authorization = await authorize(30_000);
    const first = await simulate('clearing', { authorization, amount: 10_000, partial: true });
    expect(first.clearing).toMatchObject({
      ...{ type: 'clearing', matched_by: 'network_id', flags: [], amount: 10_000, hold_change: -10_000 },
      ...{ authorization, account: 'acc', card, currency: 'BRL', record: 1 },
    });
    expect(first.authorization).toMatchObject({
      status: 'partially_cleared',
      totals: { authorized: 30_000, cleared: 10_000, held: 20_000 },
    });
    expect(await balances()).toEqual([10_000, 20_000, 70_000]);
    const { authorization: after, element, clearing } = await simulate('clearing', { authorization, amount: 15_000 });
    expect(after).toMatchObject({
      status: 'cleared',
      totals: { authorized: 30_000, reversed: 5000, cleared: 25_000, held: 0 },
    });
    expect(after.elements.at(-1)).toMatchObject({
      ...{ id: element, type: 'clearing', mti: '1240', amount: 15_000, hold_change: -20_000, response_code: null },
      clearing: {
        file: clearing.file,
        record: 1,
        matched_by: 'network_id',
        flags: [],
        arn: clearing.arn,
        related: null,
      },
    });
    expect(await balances()).toEqual([25_000, 0, 75_000]);
  });

  it('its reversal takes the newest one back and names it', async () => {
    const authorization = await authorize(30_000);
    const { element } = await simulate('clearing', { authorization, amount: 30_000 });
    const back = await simulate('clearing', { authorization, reversal: true });
    expect(back.clearing).toMatchObject({
      type: 'clearing_reversal',
      matched_by: 'arn',
      related: element,
      amount: -30_000,
    });
    expect(back.authorization.elements.at(-1)).toMatchObject({
      type: 'clearing_reversal',
      undoes: element,
      amount: 30_000,
    });
    expect(back.authorization).toMatchObject({ status: 'reversed', totals: { cleared: 0, reversed: 30_000 } });
    expect(await balances()).toEqual([0, 0, 100_000]);
    const none = await h.call('POST', '/v1/simulate/clearing', { authorization, reversal: true });
    expect([none.status, none.body.code]).toEqual([422, 'not_simulatable']);
  });

  it('of a single message is a duplicate', async () => {
    const authorization = await authorize(500, { single_message: true });
    const answer = await simulate('clearing', { authorization, amount: 500 });
    expect(answer).toMatchObject({ outcome: 'duplicate', clearing: null, authorization: { id: authorization } });
    expect(await balances()).toEqual([500, 0, 99_500]);
  });

  it('with a key again is the same record', async () => {
    const authorization = await authorize(500);
    const body = { authorization, amount: 500 };
    const first = await simulate('clearing', body, 'key-1');
    expect(await simulate('clearing', body, 'key-1')).toEqual(first);
    expect(await balances()).toEqual([500, 0, 99_500]);
  });

  it('is explained by its authorization, which links it', async () => {
    const authorization = await authorize(500);
    const { element } = await simulate('clearing', { authorization, amount: 500 });
    const explained = await h.call('GET', `/v1/authorizations/${authorization}/explain`);
    expect(explained.body.linked).toMatchObject([{ id: element, type: 'clearing' }]);
    expect((await h.call('GET', `/v1/authorizations/${element}`)).body.id).toBe(authorization);
    expect((await h.call('GET', `/v1/authorizations/${element}/explain`)).status).toBe(404);
  });
});

describe('without an authorization', () => {
  it('a force post, by either call', async () => {
    const { authorization, clearing, iso } = await simulate('clearing', { card, amount: 700 });
    expect([authorization, iso, clearing.matched_by, clearing.authorization]).toEqual([null, null, 'none', null]);
    const forced = await simulate('force_post', { card, amount: 300, kind: 'cash', clearing: true });
    expect(forced.clearing.postings.map(({ account }) => account)).toEqual(['1110', '2100']);
    expect(await balances()).toEqual([1000, 0, 99_000]);
  });

  it('a refund, announced or not', async () => {
    const { authorization } = await simulate('refund', { card, amount: 400, announce: true });
    const cleared = await simulate('refund', { authorization: authorization.id, amount: 400, clearing: true });
    expect(cleared.authorization).toMatchObject({ status: 'cleared', totals: { authorized: 400, refunded: 400 } });
    const own = await simulate('refund', { card, amount: 100, clearing: true });
    expect(own.clearing).toMatchObject({ type: 'refund', amount: -100, authorization: null });
    expect(await balances()).toEqual([-500, 0, 100_500]);
  });

  it('in another currency: billed, settled and interchange', async () => {
    const body = { card, amount: 1000, currency: 'EUR', billing_amount: 6200, interchange: 14 };
    const { clearing } = await simulate('clearing', { ...body, settlement: { amount: 1165, currency: 'USD' } });
    expect(clearing).toMatchObject({
      ...{ amount: 6200, currency: 'BRL', merchant_amount: 1000, merchant_currency: 'EUR' },
      ...{ settlement_amount: 1165, settlement_currency: 'USD' },
    });
    const { balanced, currencies } = (await h.call('GET', '/v1/ledger/trial-balance')).body;
    expect([balanced, currencies.map((one) => one.currency).sort()]).toEqual([true, ['BRL', 'USD']]);
    const refused = await h.call('POST', '/v1/simulate/clearing', { card, amount: 1000, currency: 'EUR' });
    expect([refused.status, refused.body.code]).toEqual([422, 'currency_mismatch']);
  });
});

describe('what shows it', () => {
  it('entries of the account, with their source and the running balance', async () => {
    const authorization = await authorize(500);
    await simulate('clearing', { authorization, amount: 500, arn: '79999991111111111111111' });
    await simulate('refund', { card, amount: 200, clearing: true });
    const { data } = (await h.call('GET', '/v1/accounts/acc/entries')).body;
    expect(data).toMatchObject([
      { type: 'refund', amount: -200, balance_after: 300, source: { authorization: null, mti: '1240' } },
      {
        type: 'clearing',
        amount: 500,
        balance_after: 500,
        reference: '79999991111111111111111',
        source: { authorization },
      },
    ]);
  });

  it('events of the account', async () => {
    const authorization = await authorize(500);
    const { clearing } = await simulate('clearing', { authorization, amount: 500 });
    await simulate('clearing', { authorization, reversal: true });
    await simulate('refund', { card, amount: 200, clearing: true });
    const { data } = (await h.call('GET', '/v1/events?account=acc&limit=100')).body;
    const types = data.map(({ type }: { type: string }) => type);
    expect(types.slice(-3)).toEqual(['transaction.cleared', 'transaction.clearing_reversed', 'refund.cleared']);
    expect(data.at(-3)!.data).toEqual(clearing);
  });
});

describe('card numbers in its texts', () => {
  it('are masked: its own everywhere, any in the name of the merchant', () => {
    const own = '9999990000000012';
    const other = '4111111111111111';
    const masked = maskedClearing(
      own,
      clearingInput({
        rrn: own.slice(0, 12),
        acceptor: `M${own.slice(2, 16)}`,
        acceptorName: `CARD ${other}`,
        arn: '1'.repeat(23),
      }),
    );
    expect(masked).toMatchObject({ rrn: '999999******', acceptorName: 'CARD 411111******1111', arn: '1'.repeat(23) });
    expect(masked.acceptor).toBe('M9999******0012');
  });
});
