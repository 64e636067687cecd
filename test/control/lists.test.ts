import { beforeAll, describe, expect, it } from 'vitest';
import { type Harness, makeHarness } from './harness.js';

/** Objects in every list. */
const COUNT = 9;

let h: Harness;
const cards: string[] = [];
/** List by name: its URL, and an id that no list has although an object of another list may. */
const urls: Record<string, () => string> = {
  programs: () => '/v1/programs',
  tokens: () => '/v1/tokens',
  accounts: () => '/v1/accounts',
  cards: () => '/v1/cards',
  'cards of an account': () => '/v1/cards?account=acc',
  authorizations: () => '/v1/authorizations',
  'authorizations of a card': () => `/v1/authorizations?card=${cards[0]}`,
  'authorizations with a status': () => '/v1/authorizations?account=acc&status=declined',
  'authorizations by RRN': () => '/v1/authorizations?rrn=ABCDEF000001',
  entries: () => '/v1/accounts/acc/entries',
};
const with_ = (url: string, query: string): string => `${url}${url.includes('?') ? '&' : '?'}${query}`;
const ids = (data: { id: string }[]): string[] => data.map(({ id }) => id);

beforeAll(async () => {
  h = makeHarness();
  await h.call('POST', '/v1/accounts', { id: 'acc', credit_limit: 100 });
  for (let i = 1; i <= COUNT; i++) {
    await h.call('POST', '/v1/accounts', { id: `other-${i}` });
    await h.call('POST', '/v1/programs', { id: `program-${i}`, currency: 'BRL', bins: [`99999${i}`] });
    h.token('read');
    cards.push((await h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912' })).body.id);
    // Other accounts of the same shard leave gaps between the cards of this one.
    for (let n = 0; n < 4; n++)
      await h.call('POST', '/v1/cards', { account: `other-${Math.ceil((n * i) / 4) || 1}`, expiry: '2912' });
    const amount = i % 2 === 0 ? 900 : 1;
    await h.call('POST', '/v1/simulate/authorization', { card: cards[0], amount, rrn: 'ABCDEF000001' });
    await h.call('POST', '/v1/simulate/authorization', { card: cards[0], amount: 900 });
    const payment = { account: 'acc', amount: i, currency: 'BRL', reference: `r${i}` };
    await h.call('POST', '/v1/payments', payment, { 'idempotency-key': `p${i}` });
  }
});

describe.each(Object.keys(urls))('the list of %s', (name) => {
  const url = (query = ''): string => with_(urls[name]!(), query);
  const page = async (query: string): Promise<{ data: { id: string }[]; has_more: boolean }> => {
    const { status, body } = await h.call('GET', url(query));
    expect(status).toBe(200);
    expect(body.object).toBe('list');
    return body;
  };

  it('is walked in pages of any size, backwards and forwards', async () => {
    const whole = await page('limit=100');
    expect(whole.has_more).toBe(false);
    expect(whole.data.length).toBeGreaterThanOrEqual(COUNT);
    const all = ids(whole.data);
    expect(new Set(all).size).toBe(all.length);
    const times = whole.data.map((one) => (one as unknown as { created_at: string }).created_at);
    expect(times).toEqual([...times].sort().reverse());
    for (const limit of [1, 2, 4, all.length - 1, all.length]) {
      const older: { id: string }[] = [];
      for (let next = await page(`limit=${limit}`); ; ) {
        expect(next.data.length).toBeLessThanOrEqual(limit);
        older.push(...next.data);
        expect(next.has_more).toBe(older.length < all.length);
        if (!next.has_more) break;
        next = await page(`limit=${limit}&starting_after=${older.at(-1)!.id}`);
      }
      // The objects themselves, not only their order: a running balance must not depend on the page.
      expect(older).toEqual(whole.data);
      const newer: { id: string }[] = [whole.data.at(-1)!];
      for (;;) {
        const next = await page(`limit=${limit}&ending_before=${newer[0]!.id}`);
        newer.unshift(...next.data);
        expect(next.has_more).toBe(newer.length < all.length);
        if (!next.has_more) break;
        expect(next.data).toHaveLength(limit);
      }
      expect(newer).toEqual(whole.data);
    }
    expect((await page(`limit=5&ending_before=${all[0]}`)).data).toEqual([]);
    expect((await page(`limit=5&starting_after=${all.at(-1)}`)).data).toEqual([]);
  });

  it('has ten objects to a page', async () => {
    const { data, has_more } = await page('');
    const whole = await page('limit=100');
    expect(ids(data)).toEqual(ids(whole.data.slice(0, 10)));
    expect(has_more).toBe(whole.data.length > 10);
  });

  const bad: [query: string, param: string][] = [
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=ten', 'limit'],
    ['limit=', 'limit'],
    ['starting_after=nobody', 'starting_after'],
    ['starting_after=', 'starting_after'],
    ['ending_before=nobody', 'ending_before'],
    ['starting_after=acct_aaaaaaaaaaaaaaaaaaaaaaaaaa', 'starting_after'],
    ['ending_before=entry_00000000000000000000000000', 'ending_before'],
    ['starting_after=acc&ending_before=acc', 'ending_before'],
    ['page=2', 'page'],
  ];
  it.each(bad)('refuses %s', async (query, param) => {
    const { status, body } = await h.call('GET', url(query));
    expect([status, body.code, body.param]).toEqual([400, 'invalid_query', param]);
  });
});

describe('a cursor of another list', () => {
  it('is refused', async () => {
    await h.call(
      'POST',
      '/v1/payments',
      { account: 'other-1', amount: 1, currency: 'BRL', reference: 'x' },
      {
        'idempotency-key': 'other',
      },
    );
    const [card] = (await h.call('GET', '/v1/cards?account=other-1')).body.data;
    for (const cursor of ['starting_after', 'ending_before']) {
      const answer = await h.call('GET', `/v1/cards?account=acc&${cursor}=${card.id}`);
      expect([answer.status, answer.body.param]).toEqual([400, cursor]);
    }
    const [entry] = (await h.call('GET', '/v1/accounts/other-1/entries')).body.data;
    for (const cursor of ['starting_after', 'ending_before']) {
      const answer = await h.call('GET', `/v1/accounts/acc/entries?${cursor}=${entry.id}`);
      expect([answer.status, answer.body.param]).toEqual([400, cursor]);
    }
  });
});
