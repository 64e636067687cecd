import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FeedEvent } from '#src/control/events/event-object.js';
import * as shapes from '#src/control/schemas-events.js';
import { pauseMs, retryMs } from '#src/control/webhooks/backoff.js';
import { WEBHOOK_ATTEMPTS_MAX, WEBHOOK_RETRY_MS_MAX, WEBHOOK_RETRY_MS_MIN, WEBHOOKS_MAX } from '#src/limits.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { type Harness, type HarnessOptions, makeHarness } from './harness.js';

interface Got {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly event: FeedEvent;
}

/** A receiver that does with every delivery what the test says. */
class Receiver {
  readonly got: Got[] = [];
  answer: (got: Got, response: ServerResponse) => void = (_got, response) => response.end();
  readonly #server: Server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      const got = { path: request.url!, headers: request.headers, body, event: JSON.parse(body) as FeedEvent };
      this.got.push(got);
      this.answer(got, response);
    });
  });

  async start(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  references(path = '/hook'): string[] {
    return this.got.filter((one) => one.path === path).map(({ event }) => String(event.data.reference));
  }
}

let receiver: Receiver;
let running: Harness[];
let store: MemoryStore;

beforeEach(async () => {
  receiver = new Receiver();
  await receiver.start();
  running = [];
  store = new MemoryStore();
});

afterEach(async () => {
  await Promise.all(running.map((h) => h.webhooks.stop()));
  receiver.stop();
});

/** Pauses and the times between attempts are a thousandth: the first is 5 ms. */
const PACE = 0.001;

function begin(options: HarnessOptions = {}): Harness {
  const h = makeHarness({
    webhookStore: store,
    nowMs: Date.now,
    ...options,
    webhooks: { pace: PACE, flushMs: 20, timeoutMs: 5000, ...options.webhooks },
  });
  running.push(h);
  h.webhooks.start();
  return h;
}

/** The next process over what is durable. `clean`: the last one was stopped, and not killed. */
async function next(h: Harness, clean: boolean): Promise<Harness> {
  if (clean) await h.webhooks.stop();
  else {
    // A kill leaves no time to store anything: what the old process does from here on is lost.
    const durable = store;
    store = new MemoryStore();
    durable.scan({}, (key, value) => {
      const copy = [key.slice(), value.slice()] as const;
      store.commit((writer) => writer.put(...copy));
      return true;
    });
    await h.webhooks.stop();
  }
  running.splice(running.indexOf(h), 1);
  return begin({ log: h.log, vault: h.vault, engine: h.engine.restarted() });
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await sleep(5);
  }
}

async function account(h: Harness, id: string): Promise<void> {
  await h.call('POST', '/v1/accounts', { id });
}

async function pay(h: Harness, id: string, reference: string): Promise<void> {
  const body = { account: id, amount: 1, currency: 'BRL', reference };
  const { status } = await h.call('POST', '/v1/payments', body, { 'idempotency-key': `${id} ${reference}` });
  expect(status).toBe(201);
}

const payments = { events: ['payment.posted'] };

async function hook(h: Harness, more: object = payments, path = '/hook') {
  const { body, status } = await h.call('POST', '/v1/webhooks', { url: receiver.url + path, ...more });
  expect(status).toBe(201);
  expect(shapes.webhook.safeParse(body).error).toBeUndefined();
  return body;
}

/** The receiver's side of the standard, from its text. */
function verify(secret: string, { headers, body }: Got): boolean[] {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const expected = createHmac('sha256', key).update(signed).digest('base64');
  return String(headers['webhook-signature'])
    .split(' ')
    .map((one) => one === `v1,${expected}`);
}

const deliveries = async (h: Harness, id: string) => (await h.call('GET', `/v1/webhooks/${id}`)).body.deliveries;

describe('a webhook', () => {
  it('is delivered every event from its beginning on, in order, signed as Standard Webhooks says', async () => {
    const h = begin();
    await account(h, 'before');
    const { secret, id } = await hook(h, {});
    await account(h, 'a');
    for (let n = 0; n < 20; n++) await pay(h, 'a', `p${n}`);
    await until('all', () => receiver.got.length === 21);
    const list = (await h.call('GET', '/v1/events?limit=100&account=a')).body.data;
    expect(receiver.got.map(({ event }) => event)).toEqual(list);
    for (const got of receiver.got) {
      expect(verify(secret, got)).toEqual([true]);
      expect(got.headers['webhook-id']).toBe(got.event.id);
      expect(Math.abs(Number(got.headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(60);
      expect(got.headers['content-type']).toBe('application/json');
      expect(verify(`whsec_${Buffer.alloc(32).toString('base64')}`, got)).toEqual([false]);
    }
    await until('it has come to the end', async () => (await deliveries(h, id)).lag_records === 0);
  });

  it('tries again what failed, keeps the order of the account, and lets others go on', async () => {
    const h = begin();
    for (const id of ['bad', 'good']) await account(h, id);
    const { id } = await hook(h);
    let failing = true;
    receiver.answer = ({ event }, response) => {
      response.statusCode = failing && event.account === 'bad' ? 500 : 204;
      response.end();
    };
    for (let n = 0; n < 3; n++) {
      await pay(h, 'bad', `bad-${n}`);
      await pay(h, 'good', `good-${n}`);
    }
    await until('the others', () => receiver.references().filter((one) => one.startsWith('good')).length === 3);
    await until('an attempt again', () => receiver.references().filter((one) => one === 'bad-0').length > 2);
    expect(receiver.references()).not.toContain('bad-1');
    // The last answer to be noted may be one of the others'.
    await until('its answer is noted', async () => (await deliveries(h, id)).last_status === 500);
    expect(await deliveries(h, id)).toMatchObject({ waiting: 3 });
    failing = false;
    await until('the rest', () => receiver.references().includes('bad-2'));
    const rest = receiver.references().filter((one) => one.startsWith('bad'));
    expect([...new Set(rest)]).toEqual(['bad-0', 'bad-1', 'bad-2']);
    expect(rest.slice(-3)).toEqual(['bad-0', 'bad-1', 'bad-2']);
    await until('nothing waits', async () => (await deliveries(h, id)).waiting === 0);
    expect(await deliveries(h, id)).toMatchObject({ failing_since: null, dead_letters: 0 });
    expect(h.webhooks.stats.failed).toBeGreaterThan(2);
    expect(h.webhooks.stats.delivered).toBe(6);
  });

  it('gives up after the last attempt: a dead letter, which can be tried again', async () => {
    const h = begin({ webhooks: { pace: 0.000001 } });
    await account(h, 'a');
    const { id } = await hook(h);
    receiver.answer = ({ event }, response) => {
      response.statusCode = event.data.reference === 'poison' ? 400 : 200;
      response.end();
    };
    await pay(h, 'a', 'poison');
    await pay(h, 'a', 'after');
    await until('the dead letter', async () => (await deliveries(h, id)).dead_letters === 1);
    await until('the rest of the account', () => receiver.references().includes('after'));
    expect(receiver.references().filter((one) => one === 'poison')).toHaveLength(WEBHOOK_ATTEMPTS_MAX);
    const { body } = await h.call('GET', `/v1/webhooks/${id}/dead-letters`);
    expect(body.data).toMatchObject([
      { object: 'dead_letter', attempts: WEBHOOK_ATTEMPTS_MAX, last_status: 400, event: { type: 'payment.posted' } },
    ]);
    expect(body.data[0].id).toBe(body.data[0].event.id);
    expect(shapes.deadLetter.safeParse(body.data[0]).error).toBeUndefined();
    expect(h.webhooks.stats).toMatchObject({ dead: 1, deadLetters: 1 });

    receiver.got.length = 0;
    receiver.answer = (_got, response) => response.end();
    const none = await h.call('POST', `/v1/webhooks/${id}/replay`, { dead_letters: ['evt_other'] });
    expect(none.body).toEqual({ object: 'replay', webhook: id, dead_letters: 0 });
    const replayed = await h.call('POST', `/v1/webhooks/${id}/replay`, { dead_letters: 'all' });
    expect([replayed.status, replayed.body.dead_letters]).toEqual([202, 1]);
    await until('it is delivered', () => receiver.references().includes('poison'));
    await until('no dead letter is left', async () => (await deliveries(h, id)).dead_letters === 0);
  });

  it('keeps its dead letters and what waits through a restart and a kill, and repeats rather than loses', async () => {
    let h = begin({ webhooks: { pace: 0.000001 } });
    await account(h, 'a');
    await account(h, 'b');
    const { id } = await hook(h);
    receiver.answer = ({ event }, response) => {
      response.statusCode = event.account === 'a' ? 503 : 200;
      response.end();
    };
    await pay(h, 'a', 'dead');
    await until('the dead letter', async () => (await deliveries(h, id)).dead_letters === 1);
    await until('it is stored', () => store.commits > 1);
    h = await next(h, true);
    expect(await deliveries(h, id)).toMatchObject({ dead_letters: 1 });

    // The next one is slow to try again: its events wait when it is killed.
    for (const clean of [true, false]) {
      const slow = clean ? 'slow' : 'killed';
      await h.webhooks.stop();
      running.splice(running.indexOf(h), 1);
      h = begin({ log: h.log, vault: h.vault, engine: h.engine.restarted(), webhooks: { pace: 1 } });
      await pay(h, 'a', `${slow}-0`);
      await pay(h, 'a', `${slow}-1`);
      await pay(h, 'b', `${slow}-b`);
      await until('they wait', async () => (await deliveries(h, id)).waiting >= 2);
      await until('b has its own', () => receiver.references().includes(`${slow}-b`));
      receiver.got.length = 0;
      h = await next(h, clean);
      if (clean) expect((await deliveries(h, id)).waiting).toBe(2);
    }
    // 5 s later all of them are due.
    receiver.answer = (_got, response) => response.end();
    const all = ['slow-0', 'slow-1', 'killed-0', 'killed-1'];
    await until('what waited', () => all.every((one) => receiver.references().includes(one)));
    const ofA = receiver.references().filter((one) => !one.endsWith('b'));
    expect([...new Set(ofA)].slice(-4)).toEqual(all);
  });

  it('is delivered again from a place', async () => {
    const h = begin();
    await account(h, 'a');
    const { id } = await hook(h);
    for (const reference of ['p0', 'p1', 'p2']) await pay(h, 'a', reference);
    await until('all', () => receiver.got.length === 3);
    const { body } = await h.call('GET', '/v1/events?limit=2');
    receiver.got.length = 0;
    const answer = await h.call('POST', `/v1/webhooks/${id}/replay`, { after: body.next_cursor });
    expect([answer.status, answer.body.dead_letters]).toEqual([202, null]);
    await until('again', () => receiver.got.length === 2);
    expect(receiver.references()).toEqual(['p1', 'p2']);
    const wrong = await h.call('POST', `/v1/webhooks/${id}/replay`, { after: 'nowhere' });
    expect([wrong.status, wrong.body.param]).toEqual([422, '/after']);
    expect((await h.call('POST', `/v1/webhooks/${id}/replay`, {})).status).toBe(422);
  });

  it('rotates its secret: two signatures for a while, and one without an overlap', async () => {
    const h = begin();
    await account(h, 'a');
    const { id, secret: first } = await hook(h);
    const rotate = async (body: object) => (await h.call('POST', `/v1/webhooks/${id}/rotate-secret`, body)).body;
    const { secret: second, old_secret_valid_until: end } = await rotate({ overlap_hours: 1 });
    expect(Date.parse(String(end)) - Date.now()).toBeGreaterThan(3_500_000);
    await pay(h, 'a', 'two');
    await until('one', () => receiver.got.length === 1);
    expect(verify(second, receiver.got[0]!)).toEqual([true, false]);
    expect(verify(first, receiver.got[0]!)).toEqual([false, true]);
    const { secret: third, old_secret_valid_until: none } = await rotate({ overlap_hours: 0 });
    expect(none).toBeNull();
    await pay(h, 'a', 'one');
    await until('two', () => receiver.got.length === 2);
    expect(verify(third, receiver.got[1]!)).toEqual([true]);
  });

  it('shows its secret once, and keeps it in no record, answer or log line', async () => {
    const h = begin();
    await account(h, 'a');
    const key = { 'idempotency-key': 'hook-1' };
    const request = { url: `${receiver.url}/hook?token=of-the-receiver` };
    const created = await h.call('POST', '/v1/webhooks', request, key);
    const again = await h.call('POST', '/v1/webhooks', request, key);
    expect([again.status, again.headers['idempotent-replayed'], again.body.id]).toEqual([201, 'true', created.body.id]);
    expect(again.body).not.toHaveProperty('secret');
    await pay(h, 'a', 'p');
    await until('it is delivered', () => receiver.got.length > 0);
    const secret = Buffer.from(created.body.secret.slice('whsec_'.length), 'base64');
    const lists =
      (await h.call('GET', '/v1/webhooks')).text + (await h.call('GET', `/v1/webhooks/${created.body.id}`)).text;
    for (const text of [lists, h.logged()])
      for (const form of ['base64', 'hex', 'latin1'] as const) expect(text).not.toContain(secret.toString(form));
    expect(h.logged()).not.toContain('of-the-receiver');
    for (const record of h.log.records)
      if (record.type === 'webhook')
        expect(Buffer.from(record.webhook.secrets[0]!.sealed).includes(secret)).toBe(false);
    expect(h.log.records.filter(({ type }) => type === 'webhook')).toHaveLength(1);
  });

  it('is disabled by its owner, by a receiver that is gone, and by days without success; and goes on where it was', async () => {
    const h = begin({ webhooks: { disableMs: 50 } });
    await account(h, 'a');
    const { id } = await hook(h);
    const patch = async (body: object) => (await h.call('PATCH', `/v1/webhooks/${id}`, body)).body;
    expect(await patch({ enabled: false })).toMatchObject({ enabled: false, disabled_reason: 'request' });
    await pay(h, 'a', 'meanwhile');
    await sleep(50);
    expect(receiver.got).toEqual([]);
    expect(await deliveries(h, id)).toMatchObject({ lag_records: expect.any(Number) });
    expect(await patch({ enabled: true })).toMatchObject({ enabled: true, disabled_reason: null });
    await until('it goes on', () => receiver.references().includes('meanwhile'));
    const reason = async () => (await h.call('GET', `/v1/webhooks/${id}`)).body.disabled_reason;
    for (const [status, why] of [
      [410, 'gone'],
      [500, 'failing'],
    ] as const) {
      receiver.answer = (_got, response) => {
        response.statusCode = status;
        response.end();
      };
      await pay(h, 'a', why);
      await until(why, async () => (await reason()) === why);
      expect(h.webhooks.stats).toMatchObject({ enabled: 0, disabled: 1 });
      receiver.answer = (_got, response) => response.end();
      await patch({ enabled: true });
      await until('it goes on again', async () => (await deliveries(h, id)).waiting === 0);
      expect(receiver.references().at(-1)).toBe(why);
    }
  });

  it('takes only events of its account and types, and changes of its URL', async () => {
    const h = begin();
    for (const id of ['a', 'b']) await account(h, id);
    const { id } = await hook(h, { events: ['payment.posted', 'account.updated'], account: 'b' });
    for (const one of ['a', 'b']) {
      await pay(h, one, one);
      await h.call('PATCH', `/v1/accounts/${one}`, { status: 'frozen' });
    }
    await until('both', () => receiver.got.length === 2);
    expect(receiver.got.map(({ event }) => `${event.account} ${event.type}`)).toEqual([
      'b payment.posted',
      'b account.updated',
    ]);
    await h.call('PATCH', `/v1/webhooks/${id}`, { url: `${receiver.url}/other`, events: ['*'] });
    await h.call('PATCH', '/v1/accounts/b', { status: 'open' });
    await until('at the new place', () => receiver.got.at(-1)!.path === '/other');
    expect((await h.call('DELETE', `/v1/webhooks/${id}`)).status).toBe(204);
    expect((await h.call('GET', `/v1/webhooks/${id}`)).status).toBe(404);
    const before = receiver.got.length;
    await h.call('PATCH', '/v1/accounts/b', { status: 'frozen' });
    await sleep(100);
    expect(receiver.got.length).toBe(before);
    const unknown = await h.call('POST', '/v1/webhooks', { url: receiver.url, account: 'nobody' });
    expect([unknown.status, unknown.body.code]).toEqual([422, 'account_not_found']);
  });

  it('is changed once under an Idempotency-Key, and answered the same again', async () => {
    const h = begin();
    await account(h, 'a');
    const { id } = await hook(h);
    await pay(h, 'a', 'p');
    await until('it is delivered', () => receiver.got.length === 1);
    const changes: [method: 'PATCH' | 'POST', path: string, body: object][] = [
      ['PATCH', '', { description: 'mine' }],
      ['POST', '/rotate-secret', {}],
      ['POST', '/replay', { after: 'beginning' }],
    ];
    for (const [n, [method, path, body]] of changes.entries()) {
      const send = (what: object) =>
        h.call(method, `/v1/webhooks/${id}${path}`, what, { 'idempotency-key': `change-${n}` });
      const first = await send(body);
      const again = await send(body);
      expect([path, again.status, again.headers['idempotent-replayed']]).toEqual([path, first.status, 'true']);
      expect(again.body).toEqual({ ...first.body, secret: undefined });
      expect((await send({ ...body, more: 1 })).status).toBe(422);
    }
    await until('one more', () => receiver.got.length === 2);
    expect(h.log.records.filter(({ type }) => type === 'webhook')).toHaveLength(3);
    await sleep(50);
    expect(receiver.references()).toEqual(['p', 'p']);
  });

  it('loses no change to another one at the same time, and stays removed', async () => {
    const h = begin();
    const { id } = await hook(h);
    const [patched, rotated] = await Promise.all([
      h.call('PATCH', `/v1/webhooks/${id}`, { description: 'mine' }),
      h.call('POST', `/v1/webhooks/${id}/rotate-secret`, { overlap_hours: 0 }),
      h.call('PATCH', `/v1/webhooks/${id}`, { enabled: false }),
    ]);
    expect([patched.status, rotated.status]).toEqual([200, 200]);
    expect((await h.call('GET', `/v1/webhooks/${id}`)).body).toMatchObject({ description: 'mine', enabled: false });
    await h.call('PATCH', `/v1/webhooks/${id}`, { enabled: true });
    await account(h, 'a');
    await pay(h, 'a', 'p');
    await until('it is delivered', () => receiver.got.length === 1);
    expect(verify(rotated.body.secret, receiver.got[0]!)).toEqual([true]);
    const [removed, late] = await Promise.all([
      h.call('DELETE', `/v1/webhooks/${id}`),
      h.call('PATCH', `/v1/webhooks/${id}`, { description: 'late' }),
    ]);
    expect([removed.status, late.status]).toEqual([204, 404]);
    expect((await h.call('GET', '/v1/webhooks')).body.data).toEqual([]);
  });

  it('is one of no more than the bound, also when several are made at the same time', async () => {
    const h = begin();
    await account(h, 'a');
    const made = await Promise.all(
      Array.from({ length: WEBHOOKS_MAX + 3 }, () =>
        h.call('POST', '/v1/webhooks', { url: receiver.url, account: 'a', enabled: false }),
      ),
    );
    expect(made.filter(({ status }) => status === 201)).toHaveLength(WEBHOOKS_MAX);
    expect(made.filter(({ body }) => body.code === 'capacity_exceeded')).toHaveLength(3);
    expect(h.context.system.webhooks).toHaveLength(WEBHOOKS_MAX);
  });

  it('goes on with what happens when the journal was restored from before its place', async () => {
    const h = begin();
    await account(h, 'a');
    const { id } = await hook(h);
    await pay(h, 'a', 'seen');
    await until('one', () => receiver.got.length === 1);
    receiver.answer = (_got, response) => response.writeHead(500).end();
    for (let n = 0; n < 5; n++) await pay(h, 'a', `lost-${n}`);
    await until('they wait', async () => (await deliveries(h, id)).waiting === 5);
    await h.webhooks.stop();
    running.splice(running.indexOf(h), 1);
    // What it had under way may still arrive: before this.
    await fetch(receiver.url, { method: 'POST', body: '{}' });

    receiver.got.length = 0;
    receiver.answer = (_got, response) => response.end();
    // The journal is one without any of that; definitions and places of the webhooks are of later.
    const restored = begin({ log: h.log });
    expect(await deliveries(restored, id)).toMatchObject({ lag_records: 0 });
    await until('what is lost does not wait', async () => (await deliveries(restored, id)).waiting === 0);
    expect(restored.logged()).toContain('is not in the journal any more');
    await account(restored, 'b');
    await pay(restored, 'b', 'new');
    await until('it is delivered', () => receiver.references().includes('new'));
    expect(receiver.references()).toEqual(['new']);
  });

  it('refuses URLs that nobody may call, and says why', async () => {
    const h = begin();
    const urls: [url: string, why: RegExp][] = [
      ['nonsense', /^It is no URL: write all of it, such as https/],
      ['hooks.example/events', /^It is no URL/],
      ['ftp://hooks.example', /^The scheme is another one: it must be https \(http to this machine itself\)/],
      ['http://10.0.0.1/', /^The address is private: without TLS \(https\) only this machine itself is called/],
      ['https://169.254.169.254/', /it is never called/],
      ['https://u:p@x.example', /leave them out/],
      [`https://x.example/${' '.repeat(1000)}a`, /^It has 3019 characters with what must be escaped, at most 2048/],
    ];
    for (const [url, why] of urls) {
      const answer = await h.call('POST', '/v1/webhooks', { url });
      expect([url, answer.status, answer.body.param]).toEqual([url, 422, '/url']);
      expect(answer.body.errors).toEqual([{ pointer: '/url', detail: expect.stringMatching(why) }]);
      expect(answer.text).not.toContain(url);
    }
  });
});

describe('receivers that hang or lie', () => {
  it('cost nothing to others', async () => {
    const h = begin({ webhooks: { timeoutMs: 300 } });
    await account(h, 'a');
    const ids: Record<string, string> = {};
    for (const path of ['/hang', '/huge', '/drip', '/redirect', '/cut', '/good'])
      ids[path] = (await hook(h, payments, path)).id;
    receiver.answer = ({ path }, response) => {
      if (path === '/hang') return;
      if (path === '/cut') {
        response.socket!.destroy();
        return;
      }
      if (path === '/redirect') response.writeHead(302, { location: '/elsewhere' });
      if (path === '/huge') {
        response.writeHead(200);
        const more = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536)));
          if (!response.destroyed) response.once('drain', more);
        };
        more();
        return;
      }
      if (path === '/drip') {
        response.writeHead(200);
        const drip = setInterval(() => response.write('.'), 20);
        response.on('close', () => clearInterval(drip));
        return;
      }
      response.end();
    };
    for (let n = 0; n < 10; n++) await pay(h, 'a', `p${n}`);
    await until('the good one', () => receiver.references('/good').length === 10);
    await until('the long body counts by its status', () => new Set(receiver.references('/huge')).size === 10);
    await until('so does the slow one', () => new Set(receiver.references('/drip')).size === 10);
    for (const [path, error] of [
      ['/hang', /no answer within 300 ms/],
      ['/cut', /ECONNRESET/],
    ] as const)
      await until(path, async () => error.test(String((await deliveries(h, ids[path]!)).last_error)));
    expect(await deliveries(h, ids['/redirect']!)).toMatchObject({ last_status: 302, waiting: 10 });
    expect(receiver.references('/elsewhere')).toEqual([]);
  });
});

describe('the times between attempts', () => {
  it('grow from seconds to a day, and differ by chance', () => {
    const times = Array.from({ length: WEBHOOK_ATTEMPTS_MAX - 1 }, (_, n) => retryMs(n + 1, 0.5));
    expect(times[0]).toBe(WEBHOOK_RETRY_MS_MIN);
    expect(times.at(-1)).toBe(WEBHOOK_RETRY_MS_MAX);
    for (let n = 1; n < times.length; n++) expect(times[n]! / times[n - 1]!).toBeCloseTo(2.65, 1);
    expect(retryMs(1, 0)).toBe(4000);
    expect(retryMs(1, 1)).toBe(6000);
    expect([1, 4, 5, 6, 20].map(pauseMs)).toEqual([0, 0, 5000, 10_000, 60_000]);
  });
});
