/** Events of one account among very many of others: found by its back pointers, and the same as a walk over all. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FeedEvent } from '#src/control/events/event-object.js';
import { FEED_FOLLOW_RECORDS, LIST_SCAN_MAX } from '#src/limits.js';
import { type Harness, makeHarness } from './harness.js';

const SHARD = 0;

/** Payments to an account, straight to its shard. */
async function paid(h: Harness, account: string, from: number, count: number): Promise<void> {
  for (let first = from; first < from + count; first += 500) {
    const last = Math.min(first + 500, from + count);
    const one = (n: number) =>
      h.engine.command(SHARD, { op: 'payment', account, amount: 1, currency: 986, reference: `r${first + n}` });
    await Promise.all(Array.from({ length: last - first }, (_, n) => one(n)));
  }
}

/** All events of an account, a page after the other, and how many records were looked at. */
async function readAll(h: Harness, account: string, limit = 100): Promise<{ events: FeedEvent[]; looked: number }> {
  const events: FeedEvent[] = [];
  let looked = 0;
  const { run, readMessage } = h.engine;
  h.engine.run = (shard, sequence, visit) =>
    run.call(h.engine, shard, sequence, (...record) => {
      looked++;
      return visit(...record);
    });
  h.engine.readMessage = (...place) => {
    looked++;
    return readMessage.apply(h.engine, place);
  };
  for (let after = 'beginning', more = true; more; ) {
    const { body } = await h.call('GET', `/v1/events?limit=${limit}&account=${account}&after=${after}`);
    events.push(...(body.data as unknown as FeedEvent[]));
    [after, more] = [body.next_cursor, body.has_more];
  }
  Object.assign(h.engine, { run, readMessage });
  return { events, looked };
}

const references = (events: readonly FeedEvent[]): unknown[] => events.map(({ data }) => data.reference ?? data.object);

describe('events of one account', () => {
  it('cost what the account has, not what its shard has', async () => {
    const h = makeHarness({ shards: 1 });
    for (const id of ['mine', 'other']) await h.call('POST', '/v1/accounts', { id });
    await paid(h, 'mine', 0, 3);
    await paid(h, 'other', 0, 4 * FEED_FOLLOW_RECORDS);
    await paid(h, 'mine', 3, 2);
    const { events, looked } = await readAll(h, 'mine');
    expect(references(events)).toEqual(['account', 'r0', 'r1', 'r2', 'r3', 'r4']);
    expect(looked).toBeLessThan(100);
    const paged = await readAll(h, 'mine', 2);
    expect(references(paged.events)).toEqual(references(events));
  }, 60_000);

  it('are those of a walk over all, wherever it begins and whatever the account did', async () => {
    const deed = fc.constantFrom('pay', 'buy', 'reverse', 'decline', 'token', 'card', 'account', 'controls', 'unknown');
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { minLength: 4, maxLength: 12 }), fc.nat(20), async (deeds, skipped) => {
        const h = makeHarness({ shards: 1 });
        for (const id of ['mine', 'other']) await h.call('POST', '/v1/accounts', { id, credit_limit: 1000 });
        const card = (await h.call('POST', '/v1/cards', { account: 'mine', expiry: '2912' })).body.id;
        let bought = '';
        const doing: Record<string, (n: number) => Promise<unknown>> = {
          pay: (n) => paid(h, 'mine', n, 1),
          buy: async () => {
            bought = (await h.call('POST', '/v1/simulate/authorization', { card, amount: 5 })).body.authorization.id;
          },
          reverse: async () => bought && h.call('POST', '/v1/simulate/reversal', { authorization: bought }),
          decline: () => h.call('POST', '/v1/simulate/authorization', { card, amount: 5000 }),
          token: () => h.call('POST', `/v1/cards/${card}/aliases`, {}),
          card: (n) => h.call('PATCH', `/v1/cards/${card}`, { status: n % 2 === 0 ? 'paused' : 'active' }),
          account: (n) => h.call('PATCH', '/v1/accounts/mine', { credit_limit: 1000 + n }),
          controls: (n) => h.call('PATCH', `/v1/cards/${card}`, { controls: { per_transaction: 100 + n } }),
          unknown: () => h.call('POST', '/v1/simulate/network_message', { fields: unknownCard }),
        };
        for (const [n, one] of deeds.entries()) await doing[one]!(n);
        await paid(h, 'other', 0, FEED_FOLLOW_RECORDS);
        const ofAll = h.feed.reader([skipped]);
        const wanted: string[] = [];
        while (await ofAll.read(({ event }) => event.account !== 'mine' || wanted.push(event.id) > 0));
        const followed = h.feed.reader([skipped], { account: await h.feed.accountPlace('mine') });
        const found: string[] = [];
        while (await followed.read(({ event }) => found.push(event.id) % 3 > 0));
        expect(found).toEqual(wanted);
        expect(followed.positions).toEqual(h.feed.now());
      }),
      { numRuns: 5 },
    );
  }, 120_000);

  it('are passed one by one while the account has too many to be found', async () => {
    const h = makeHarness({ shards: 1 });
    await h.call('POST', '/v1/accounts', { id: 'mine' });
    await paid(h, 'mine', 0, LIST_SCAN_MAX + 50);
    const reader = h.feed.reader([0], { account: await h.feed.accountPlace('mine') });
    let events = 0;
    while (await reader.read(() => ++events > 0));
    expect(events).toBe(LIST_SCAN_MAX + 51);
    expect(reader.positions).toEqual(h.feed.now());
  }, 60_000);
});

const unknownCard = {
  ...{ 0: '0100', 2: '9999990000000002', 3: '000000', 4: '000000000100', 7: '1123120000', 11: '000001', 32: '1' },
  ...{ 41: 'T', 49: '986' },
};
