/** What is in suspense leaves it once: to a card of any shard, as a loss, or back to the network. */
import { describe, expect, it, vi } from 'vitest';
import { panOfNumber } from '#src/vault/pan.js';
import { fileOf, presentment } from '../support/clearing-day.js';
import { type AnswerBody, type Harness, makeHarness, restart } from './harness.js';
import { posted, WITHIN } from './upload.js';

const NOBODY = panOfNumber('999999', 987_654_321);
const PAN = panOfNumber('999999', 1);

const of = (n: number, amount: number, more: object = {}) =>
  presentment(n, undefined, amount, { pan: NOBODY, ...more });

/** Accounts of several shards with a card each, and a file of records of a number that nobody has. */
async function harness(records: ReturnType<typeof of>[]): Promise<{ h: Harness; cards: string[] }> {
  const h = makeHarness();
  const cards: string[] = [];
  for (let n = 0; n < 4; n++) {
    await h.call('POST', '/v1/accounts', { id: `a${n}`, currency: 'BRL', credit_limit: 100_000 });
    const { body } = await h.call('POST', '/v1/cards', {
      ...{ account: `a${n}`, pan: panOfNumber('999999', n + 1), expiry: '3512' },
    });
    cards.push(body.id);
  }
  expect((await posted(h, fileOf(records))).suspense).toBe(records.length);
  return { h, cards };
}

const items = async (h: Harness, query = ''): Promise<AnswerBody[]> => {
  const { body } = await h.call('GET', `/v1/suspense${query}`);
  return body.data;
};
const resolve = (h: Harness, id: string, body: object) => h.call('POST', `/v1/suspense/${id}/resolve`, body);
const balance = async (h: Harness, n: number): Promise<number> =>
  (await h.call('GET', `/v1/accounts/a${n}`)).body.balances.posted;

async function gl(h: Harness): Promise<Record<string, number>> {
  const { body } = await h.call('GET', '/v1/ledger/trial-balance');
  expect(body.balanced).toBe(true);
  const accounts: { account: string; balance: number }[] = body.currencies[0].accounts;
  return Object.fromEntries(accounts.filter((one) => one.balance !== 0).map((one) => [one.account, one.balance]));
}

async function suspenseBreaks(h: Harness): Promise<number> {
  const { body } = await h.call('POST', '/v1/recon/runs', { date: '2026-11-23' });
  await vi.waitFor(
    async () => expect((await h.call('GET', `/v1/recon/runs/${body.id}`)).body.status).toBe('done'),
    WITHIN,
  );
  return (await h.call('GET', '/v1/recon/breaks?type=card_mismatch')).body.data.length;
}

describe('what is in suspense', () => {
  it('goes to the card that it belongs to, in whatever shard that is, once', async () => {
    const { h, cards } = await harness([of(1, 1000), of(2, 2000), of(3, 3000), of(4, 4000)]);
    expect(await suspenseBreaks(h)).toBe(4);
    const list = await items(h);
    expect(list.map((one) => one.amount).sort()).toEqual([1000, 2000, 3000, 4000]);
    expect(list[0]).toMatchObject({
      ...{ object: 'suspense_item', status: 'open', type: 'clearing', reasons: ['unknown_card'], currency: 'BRL' },
      ...{ resolution: null, merchant: 'HOLDFAST TEST SHOP' },
    });
    for (const [n, { id, amount }] of list.entries()) {
      const done = await resolve(h, id, { to: 'card', card: cards[n], note: 'a new plastic' });
      expect(done.status).toBe(200);
      expect(done.body).toMatchObject({
        ...{ id, status: 'resolved', resolution: { to: 'card', card: cards[n], note: 'a new plastic' } },
      });
      expect(await balance(h, n)).toBe(amount);
      // Again for the same card it is what it was; for another one it is refused.
      expect((await resolve(h, id, { to: 'card', card: cards[n] })).body).toEqual(done.body);
      expect((await resolve(h, id, { to: 'card', card: cards[(n + 1) % 4] })).body.code).toBe('already_resolved');
      expect((await resolve(h, id, { to: 'loss' })).body.code).toBe('already_resolved');
      expect(await balance(h, n)).toBe(amount);
    }
    // 10 earned on each of the four.
    expect(await gl(h)).toEqual({ 1100: 10_000, 2100: -9960, 4100: -40 });
    expect(await items(h)).toEqual([]);
    expect((await items(h, '?status=resolved')).length).toBe(4);
    expect(await suspenseBreaks(h)).toBe(0);
  });

  it('killed half-way is finished by the same request, and by no other', async () => {
    const { h, cards } = await harness([of(1, 1000)]);
    const [item] = await items(h);
    const ask = h.engine.command.bind(h.engine);
    const killed = vi.spyOn(h.engine, 'command').mockImplementation(async (shard, command) => {
      if (command.op === 'take_from_suspense' && !command.dry) throw new Error('killed');
      return ask(shard, command);
    });
    expect((await resolve(h, item!.id, { to: 'card', card: cards[0] })).status).toBe(500);
    killed.mockRestore();
    const next = restart(h);
    expect(await items(next)).toEqual([
      expect.objectContaining({ status: 'resolving', resolution: { to: 'card', card: cards[0], note: null } }),
    ]);
    expect(await suspenseBreaks(next)).toBe(1);
    expect((await resolve(next, item!.id, { to: 'loss' })).body.code).toBe('already_resolved');
    expect((await resolve(next, item!.id, { to: 'card', card: cards[0] })).body.status).toBe('resolved');
    expect(await gl(next)).toEqual({ 1100: 1000, 2100: -990, 4100: -10 });
  });

  it('is lost, or goes back to the network with its interchange', async () => {
    const { h } = await harness([of(1, 1000), of(2, 2000)]);
    const [first, second] = (await items(h)).sort((a, b) => a.amount - b.amount);
    expect((await resolve(h, first!.id, { to: 'loss', note: 'nobody' })).body).toMatchObject({
      ...{ status: 'resolved', resolution: { to: 'loss', card: null, note: 'nobody' } },
    });
    const settlement = { network: 1, settlement_date: '2026-11-30', cycle: 3 };
    const back = await resolve(h, second!.id, { to: 'network', settlement });
    expect(back.body).toMatchObject({ status: 'resolved', resolution: { to: 'network' } });
    // 1 000 lost and owed but for the 10 of interchange; of the other nothing is left but on its two settlements.
    expect(await gl(h)).toEqual({ 5200: 1000, 2100: -990, 4100: -10 });
    const { body } = await h.call('GET', '/v1/ledger/trial-balance');
    const payable = body.currencies[0].accounts.find((one: AnswerBody) => one.account === '2100')!;
    expect(payable.sub_accounts.map((one: AnswerBody) => one.balance)).toEqual([-2980, 1990]);
  });

  it('cash, credits and what takes something back are posted as what they are', async () => {
    const cash = { processingCode: '010000', transactionType: 1 };
    const credit = { processingCode: '200000', transactionType: 20 };
    const { h, cards } = await harness([of(1, 1000, cash), of(2, 300, credit), of(3, 400, { reversal: true })]);
    for (const one of await items(h)) await resolve(h, one.id, { to: 'card', card: cards[0] });
    expect(await balance(h, 0)).toBe(1000 - 300 - 400);
    const left = await gl(h);
    expect([left[1390], left[1110]]).toEqual([undefined, 1000]);
  });

  it('that is taken back in suspense is no open item, and cannot be resolved', async () => {
    const { h, cards } = await harness([of(1, 1000), of(1, 1000, { reversal: true })]);
    expect(await items(h)).toEqual([]);
    const both = await items(h, '?status=offset');
    expect(both.map((one) => one.amount).sort()).toEqual([-1000, 1000]);
    for (const { id } of both)
      expect((await resolve(h, id, { to: 'card', card: cards[0] })).body.code).toBe('already_resolved');
  });

  it('needs an amount where the record has none in the currency of the account', async () => {
    const dollars = { currency: 840, settlementCurrency: 840, billingCurrency: 840 };
    const { h, cards } = await harness([of(1, 200, dollars)]);
    const [item] = await items(h);
    expect((await resolve(h, item!.id, { to: 'card', card: cards[0] })).body).toMatchObject({
      ...{ code: 'currency_mismatch', param: '/amount' },
    });
    expect((await items(h))[0]?.status).toBe('open');
    expect((await resolve(h, item!.id, { to: 'card', card: cards[0], amount: 1100 })).body.status).toBe('resolved');
    expect(await balance(h, 0)).toBe(1100);
    expect((await h.call('GET', '/v1/ledger/trial-balance')).body.balanced).toBe(true);
  });

  it('a request says what it needs', async () => {
    const { h, cards } = await harness([of(1, 1000)]);
    const { id } = (await items(h))[0]!;
    const refusal = async (body: object) => {
      const answer = await resolve(h, id, body);
      return [answer.body.code, answer.body.param];
    };
    expect(await refusal({ to: 'card' })).toEqual(['validation_failed', '/card']);
    expect(await refusal({ to: 'loss', card: cards[0] })).toEqual(['validation_failed', '/card']);
    expect(await refusal({ to: 'loss', amount: 1 })).toEqual(['validation_failed', '/amount']);
    const settlement = { network: 1, settlement_date: '2026-11-30' };
    expect(await refusal({ to: 'loss', settlement })).toEqual(['validation_failed', '/settlement']);
    expect(await refusal({ to: 'card', card: cards[0], amount: 999 })).toEqual(['suspense_amount', '/amount']);
    expect(await refusal({ to: 'card', card: 'card_x' })).toEqual(['card_not_found', '/card']);
    expect((await resolve(h, 'elem_x', { to: 'loss' })).status).toBe(404);
    const own = await posted(h, fileOf([presentment(7, undefined, 500, { pan: PAN })], { sequence: 2 }));
    expect(own.posted).toBe(1);
  });
});
