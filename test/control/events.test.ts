import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor } from '#src/control/events/cursor.js';
import type { FeedEvent } from '#src/control/events/event-object.js';
import { EventStream } from '#src/control/events/event-stream.js';
import { messageType } from '#src/control/events/event-types.js';
import { event as eventSchema } from '#src/control/schemas-events.js';
import { CardStatus, ElementKind, Response } from '#src/domain/codes.js';
import { MessageEvent } from '#src/domain/events.js';
import { DelayedLane } from '#src/journal/lanes.js';
import { EVENT_STREAMS_MAX } from '#src/limits.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { TestEngine } from './engine.js';
import { type Harness, makeHarness, restart, START_MS } from './harness.js';

/** An account with a card, an approval, its reversal, a decline and a payment. */
async function life(h: Harness, id: string): Promise<string> {
  await h.call('POST', '/v1/accounts', { id, credit_limit: 1000 });
  const card = (await h.call('POST', '/v1/cards', { account: id, expiry: '2912' })).body.id;
  const made = await h.call('POST', '/v1/simulate/authorization', { card, amount: 300 });
  await h.call('POST', '/v1/simulate/reversal', { authorization: made.body.authorization.id });
  await h.call('POST', '/v1/simulate/authorization', { card, amount: 5000 });
  await pay(h, id, `pay-${id}`);
  await h.call('PATCH', `/v1/cards/${card}`, { status: 'paused' });
  await h.call('PATCH', `/v1/accounts/${id}`, { credit_limit: 2000 });
  return card;
}

function pay(h: Harness, account: string, reference: string) {
  const body = { account, amount: 50, currency: 'BRL', reference };
  return h.call('POST', '/v1/payments', body, { 'idempotency-key': reference });
}

const TYPES = [
  'account.created',
  'card.created',
  'authorization.approved',
  'authorization.reversed',
  'authorization.declined',
  'payment.posted',
  'card.updated',
  'account.updated',
];

async function readAll(h: Harness, query = '', limit = 100): Promise<FeedEvent[]> {
  const events: FeedEvent[] = [];
  for (let after = 'beginning'; ; ) {
    const { body, status } = await h.call('GET', `/v1/events?limit=${limit}&after=${after}${query}`);
    expect(status).toBe(200);
    events.push(...feed(body));
    after = body.next_cursor;
    if (!body.has_more) return events;
  }
}

/** The events of a page of the feed. */
const feed = (page: object): FeedEvent[] => (page as { data: FeedEvent[] }).data;
const typesOf = (events: readonly FeedEvent[]): string[] => events.map(({ type }) => type);

describe('the list of events', () => {
  it('has every record of an account once, in its order, with what the record says', async () => {
    const h = makeHarness();
    const card = await life(h, 'one');
    await life(h, 'two');
    const all = await readAll(h);
    for (const event of all) expect(eventSchema.safeParse(event).error).toBeUndefined();
    for (const id of ['one', 'two']) {
      const own = all.filter(({ account }) => account === id);
      expect(typesOf(own)).toEqual(TYPES);
      const sequences = own.map(({ sequence }) => sequence);
      expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b));
    }
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    const [created, issued, approved, reversed, declined, payment, paused, raised] = all.filter(
      ({ account }) => account === 'one',
    );
    expect(created!.data).toMatchObject({ object: 'account', id: 'one', credit_limit: 1000, status: 'open' });
    expect(issued).toMatchObject({ card, data: { object: 'card', id: card, status: 'active' } });
    expect(approved!.data).toMatchObject({ object: 'authorization', status: 'pending', approved_amount: 300 });
    expect(approved!.data.hold).toMatchObject({ remaining: 300 });
    expect(reversed!.data).toMatchObject({
      object: 'authorization_element',
      authorization: approved!.data.id,
      hold_change: -300,
      authorized_after: 0,
    });
    expect(declined!.data).toMatchObject({ status: 'declined', response_code: '51', hold: null });
    expect(payment!.data).toMatchObject({ object: 'payment', amount: 50, reference: 'pay-one' });
    expect(paused!.data).toMatchObject({ object: 'card', id: card, status: 'paused' });
    expect(raised!.data).toMatchObject({ object: 'account', credit_limit: 2000 });
    // The same objects by their own calls: an event names what the API knows.
    expect((await h.call('GET', `/v1/authorizations/${approved!.data.id}`)).body.status).toBe('reversed');
    expect((await h.call('GET', `/v1/payments/${payment!.data.id}`)).body).toMatchObject({ reference: 'pay-one' });
  });

  it('goes on from a cursor of any page, also in the next process, and never shows a card number', async () => {
    const h = makeHarness();
    for (const id of ['a', 'b', 'c', 'd', 'e']) await life(h, id);
    const all = await readAll(h);
    expect(await readAll(h, '', 3)).toEqual(all);
    const { body } = await h.call('GET', '/v1/events?limit=7');
    const next = restart(h);
    const rest = await next.call('GET', `/v1/events?limit=100&after=${body.next_cursor}`);
    expect([...body.data, ...rest.body.data]).toEqual(all);
    await pay(next, 'a', 'later');
    const { body: last } = await next.call('GET', `/v1/events?after=${rest.body.next_cursor}`);
    expect(typesOf(feed(last))).toEqual(['payment.posted']);
    // Whatever happens later, and whoever reads it: an event stays what it is.
    const card = all.find(({ type, account }) => type === 'card.created' && account === 'a')!.card;
    await next.call('PATCH', `/v1/cards/${card}`, { status: 'active', controls: { channels: { deny: ['atm'] } } });
    await next.call('PATCH', '/v1/accounts/a', { credit_limit: 7 });
    expect((await readAll(next)).slice(0, all.length)).toEqual(all);
    expect((await readAll(restart(next))).slice(0, all.length)).toEqual(all);
    for (const pan of h.vault.pans.values()) expect(JSON.stringify(all)).not.toContain(pan);
  });

  it('asks its shard once for an account, whoever shows it', async () => {
    const h = makeHarness();
    await life(h, 'one');
    const read = h.engine.read.bind(h.engine);
    let asked = 0;
    h.engine.read = (shard, question) => {
      if (question.op === 'account_slot') asked++;
      return read(shard, question);
    };
    const fresh = makeHarness({ log: h.log, engine: h.engine });
    await readAll(fresh);
    const [paid] = (await fresh.call('GET', '/v1/events?types=payment.posted')).body.data;
    const [made] = (await fresh.call('GET', '/v1/authorizations')).body.data;
    expect((await fresh.call('GET', `/v1/authorizations/${made.id}/explain`)).body.account).toBe('one');
    expect((await fresh.call('GET', `/v1/payments/${paid.data.id}`)).body.account).toBe('one');
    expect(asked).toBe(1);
  });

  it('filters by account and type, and begins now when asked', async () => {
    const h = makeHarness();
    await life(h, 'one');
    await life(h, 'two');
    expect(typesOf(await readAll(h, '&account=two'))).toEqual(TYPES);
    expect(typesOf(await readAll(h, '&types=payment.posted,authorization.declined', 1)).sort()).toEqual(
      ['authorization.declined', 'payment.posted', 'authorization.declined', 'payment.posted'].sort(),
    );
    const { body } = await h.call('GET', '/v1/events?after=now');
    expect(body).toMatchObject({ data: [], has_more: false });
    await pay(h, 'one', 'p9');
    expect((await h.call('GET', `/v1/events?after=${body.next_cursor}`)).body.data).toMatchObject([
      { type: 'payment.posted', account: 'one', data: { reference: 'p9' } },
    ]);
  });

  it('refuses what is no place, an unknown account, and a cursor that is ahead of the journal', async () => {
    const h = makeHarness();
    await life(h, 'one');
    const ahead = encodeCursor([1000, 0, 0, 0]);
    const cases: [string, number, string][] = [
      ['after=nowhere', 400, 'after'],
      [`after=${ahead}`, 400, 'after'],
      [`after=${encodeCursor([0, 0])}`, 400, 'after'],
      ['account=nobody', 404, 'account'],
      ['types=payment.lost', 400, 'types.0'],
      ['wait=31', 400, 'wait'],
      ['limit=0', 400, 'limit'],
    ];
    for (const [query, status, param] of cases) {
      const answer = await h.call('GET', `/v1/events?${query}`);
      expect([query, answer.status, answer.body.param]).toEqual([query, status, param]);
    }
  });

  it('shows nothing that the journal holds but nobody has acknowledged', async () => {
    let acknowledgedMs = 0;
    const store = new MemoryStore();
    const engine = new TestEngine(
      2,
      START_MS,
      store,
      (lane) => new DelayedLane(lane, { now: () => acknowledgedMs, delayMs: 5 }),
    );
    const h = makeHarness({ engine });
    const creating = h.call('POST', '/v1/accounts', { id: 'late' });
    const shard = engine.placement('late');
    while (engine.head(shard).sequence === 0) await sleep(1);
    expect((await h.call('GET', '/v1/events')).body.data).toEqual([]);
    acknowledgedMs = 5;
    expect((await creating).status).toBe(201);
    expect(typesOf(feed((await h.call('GET', '/v1/events')).body))).toEqual(['account.created']);
  });

  it('waits for the first event, no longer than asked, and lets no more wait than the bound', async () => {
    const h = makeHarness();
    await life(h, 'one');
    const place = (await h.call('GET', '/v1/events?after=now')).body.next_cursor;
    const waiting = h.call('GET', `/v1/events?wait=30&after=${place}`);
    while (h.feed.listeners === 0) await sleep(1);
    await pay(h, 'one', 'awaited');
    expect(typesOf(feed((await waiting).body))).toEqual(['payment.posted']);
    expect(h.feed.listeners).toBe(0);
    expect((await h.call('GET', '/v1/events?wait=1&after=now')).body.data).toEqual([]);

    const places = Array.from({ length: EVENT_STREAMS_MAX }, () => h.feed.admit());
    const refused = await h.call('GET', '/v1/events?wait=1&after=now');
    expect([refused.status, refused.body.code, refused.headers['retry-after']]).toEqual([
      503,
      'too_many_listeners',
      '5',
    ]);
    for (const release of places) release();
    expect((await h.call('GET', '/v1/events?wait=1')).status).toBe(200);
  });

  it('ends what waits when the engine stops', async () => {
    const h = makeHarness();
    const waiting = h.call('GET', '/v1/events?wait=30&after=now');
    while (h.feed.listeners === 0) await sleep(1);
    h.feed.close();
    expect((await waiting).body.data).toEqual([]);
    expect((await h.call('GET', '/v1/events?wait=1')).body.code).toBe('stopping');
  });
});

describe('the type of an event', () => {
  const ends: [element: keyof typeof ElementKind, mti: number, original: number, approved: string, declined: string][] =
    [
      ['authorization', 100, 0, 'authorization.approved', 'authorization.declined'],
      ['authorization', 200, 0, 'transaction.posted', 'transaction.declined'],
      ['verification', 100, 0, 'verification.approved', 'verification.declined'],
      ['balanceInquiry', 100, 0, 'balance_inquiry.approved', 'balance_inquiry.declined'],
      ['increment', 100, 7, 'authorization.incremented', 'authorization.increment_declined'],
      ['replacement', 100, 7, 'authorization.replaced', 'authorization.replacement_declined'],
      ['refundAuthorization', 100, 0, 'refund.approved', 'refund.declined'],
      ['advice', 120, 0, 'authorization.advised', 'message.refused'],
      ['advice', 220, 0, 'transaction.advised', 'message.refused'],
      ['completion', 120, 7, 'authorization.completed', 'message.refused'],
      ['completion', 220, 7, 'transaction.completed', 'message.refused'],
      ['reversal', 400, 7, 'authorization.reversed', 'message.refused'],
      ['reversal', 420, 0, 'reversal.unmatched', 'message.refused'],
      ['fileUpdate', 302, 0, 'card.listed', 'message.refused'],
      ['refused', 100, 0, 'message.refused', 'message.refused'],
    ];

  it.each(ends)('%s of %i, original %i: %s, %s', (element, mti, original, approved, declined) => {
    const message = new MessageEvent();
    message.element = ElementKind[element];
    message.input.mti = mti;
    message.originalSequence = original;
    const typeOf = (response: number): string => {
      message.response = response;
      return messageType(message);
    };
    expect([typeOf(Response.approved), typeOf(Response.insufficientFunds)]).toEqual([approved, declined]);
  });

  it('tells controls, expiries and network tokens', async () => {
    const h = makeHarness();
    await h.call('POST', '/v1/accounts', { id: 'one', credit_limit: 1000 });
    const card = (await h.call('POST', '/v1/cards', { account: 'one', expiry: '2912' })).body.id;
    const { shard, number: cardSlot } = h.context.ids.decode('card', card)!;
    const controls = JSON.stringify({ channels: { deny: ['atm'] } });
    await h.engine.command(shard, { op: 'update_card', cardSlot, controls });
    await h.engine.command(shard, { op: 'update_account', id: 'one', controls });
    await h.engine.command(shard, { op: 'update_account', id: 'one', controls: '' });
    const made = await h.call('POST', '/v1/simulate/authorization', { card, amount: 300 });
    const expired = await h.call('POST', '/v1/simulate/expire', { authorization: made.body.authorization.id });
    expect(expired.status).toBeLessThan(300);
    const added = await h.engine.command(shard, {
      ...{ op: 'create_alias', cardSlot, fingerprint: [1, 2, 3], bin: 999999, last4: 1234, panLength: 16 },
      ...{ expiry: 2912, status: CardStatus.active },
    });
    const token = added.ok && 'card' in added ? added.card!.slot : -1;
    await h.engine.command(shard, { op: 'update_card', cardSlot: token, status: CardStatus.paused });
    const all = await readAll(h, '&account=one');
    const events = all.slice(2).filter(({ type }) => type !== 'account.updated');
    expect(events.map(({ type, card: of, data }) => [type, of === card, data])).toMatchObject([
      ['card.controls_updated', true, { card, controls: { channels: { deny: ['atm'] } } }],
      ['account.controls_updated', false, { card: null, controls: { channels: { deny: ['atm'] } } }],
      ['account.controls_updated', false, { controls: null }],
      ['authorization.approved', true, {}],
      ['authorization.expired', true, { authorization: made.body.authorization.id, hold_change: -300 }],
      ['card.token_created', false, { object: 'alias', card, last4: '1234', status: 'active' }],
      ['card.token_updated', false, { object: 'alias', card, last4: '1234', status: 'paused' }],
    ]);
  });
});

describe('a cursor', () => {
  it('is read back as it was written, and as nothing else', () => {
    for (const positions of [[0], [1, 127, 128, 2 ** 32 + 5], Array.from({ length: 256 }, (_, n) => n * 2 ** 40)]) {
      const text = encodeCursor(positions);
      expect(decodeCursor(text, positions.length)).toEqual(positions);
      expect(decodeCursor(text, positions.length * 2)).toBeUndefined();
      const at = text.length >> 1;
      const other = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
      expect(decodeCursor(other, positions.length)).toBeUndefined();
    }
    for (const text of ['', 'evc_', 'evc_AAAA', 'now']) expect(decodeCursor(text, 4)).toBeUndefined();
  });
});

describe('the stream of events', () => {
  const servers: Harness[] = [];
  afterAll(async () => {
    for (const h of servers) {
      h.feed.close();
      await h.app.close();
    }
  });

  async function listening(): Promise<{ h: Harness; port: number }> {
    const h = makeHarness();
    servers.push(h);
    await h.app.listen({ host: '127.0.0.1', port: 0 });
    return { h, port: (h.app.server.address() as AddressInfo).port };
  }

  interface Listening {
    text(): string;
    status(): number;
    closed: Promise<void>;
    close(): void;
  }

  function listen(h: Harness, port: number, query: string, lastId?: string): Listening {
    const headers = {
      authorization: `Bearer ${h.token('read')}`,
      accept: 'text/event-stream',
      ...(lastId === undefined ? {} : { 'last-event-id': lastId }),
    };
    let text = '';
    let status = 0;
    const call = request({ port, path: `/v1/events${query}`, headers });
    const closed = new Promise<void>((resolve) => {
      call.on('response', (response) => {
        status = response.statusCode!;
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('close', () => resolve());
      });
      call.on('error', () => resolve());
    });
    call.end();
    return { text: () => text, status: () => status, closed, close: () => call.destroy() };
  }

  const parse = (text: string): { id: string; event: FeedEvent }[] =>
    [...text.matchAll(/^id: (\S+)\ndata: (.*)\n\n/gm)].map(([, id, data]) => ({
      id: id!,
      event: JSON.parse(data!) as FeedEvent,
    }));

  async function until(holds: () => boolean): Promise<void> {
    for (let n = 0; !holds(); n++) {
      if (n > 5000) throw new Error('it did not happen');
      await sleep(2);
    }
  }

  it('sends what was, then what happens, and goes on behind the last id', async () => {
    const { h, port } = await listening();
    await life(h, 'one');
    const first = listen(h, port, '');
    await until(() => parse(first.text()).length === TYPES.length);
    expect(first.status()).toBe(200);
    await pay(h, 'one', 'live');
    await until(() => parse(first.text()).length === TYPES.length + 1);
    const got = parse(first.text());
    expect(got.map(({ event }) => event)).toEqual(await readAll(h));
    first.close();
    await until(() => h.feed.listeners === 0);

    const second = listen(h, port, '?after=now', got[2]!.id);
    await until(() => parse(second.text()).length === TYPES.length - 2);
    expect(parse(second.text()).map(({ event }) => event)).toEqual(got.slice(3).map(({ event }) => event));
    second.close();
    await until(() => h.feed.listeners === 0);
  });

  it('ends when the engine stops', async () => {
    const { h, port } = await listening();
    const one = listen(h, port, '');
    await until(() => h.feed.listeners === 1);
    h.feed.close();
    await one.closed;
    expect(h.feed.listeners).toBe(0);
  });

  it('tells that it is alive with a place to go on from, and ends in time', async () => {
    const h = makeHarness();
    await life(h, 'one');
    const stream = new EventStream(h.feed, h.feed.reader(h.feed.now()), {
      heartbeatMs: 10,
      stallMs: 5000,
      lifeMs: 300,
    });
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    const signs = [...text.matchAll(/^: nothing new\nid: (\S+)\n\n/gm)];
    expect(signs.length).toBeGreaterThan(1);
    expect(decodeCursor(signs[0]![1]!, 4)).toEqual(h.feed.now());
    expect(h.feed.listeners).toBe(0);
  });

  it('drops a reader that takes nothing, and holds one page of it', async () => {
    const h = makeHarness();
    for (let n = 0; n < 30; n++) await life(h, `account-${n}`);
    const stream = new EventStream(h.feed, h.feed.reader(h.feed.beginning()), {
      heartbeatMs: 1000,
      stallMs: 50,
      lifeMs: 60_000,
    });
    const closed = new Promise((resolve) => stream.once('close', resolve));
    stream.read();
    await closed;
    expect(h.feed.listeners).toBe(0);
    expect(stream.readableLength).toBeLessThan(300_000);
  });
});
