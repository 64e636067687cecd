/** Controls through the API: set, merged, refused, shown, counted and explained, with real shards behind. */
import { beforeEach, describe, expect, it } from 'vitest';
import { effectiveControls as effectiveSchema, velocity as velocitySchema } from '#src/control/schemas-controls.js';
import { type Harness, makeHarness, restart, START_MS } from './harness.js';

let h: Harness;
beforeEach(() => {
  h = makeHarness();
});

const day = new Date(START_MS).toISOString().slice(0, 10);
const DAY = { window: 'day', amount: 1000 };

async function account(body: object = {}): Promise<string> {
  const answer = await h.call('POST', '/v1/accounts', { id: 'acc', credit_limit: 100_000, ...body });
  expect(answer.status).toBe(201);
  return answer.body.id;
}

async function card(body: object = {}): Promise<string> {
  const answer = await h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912', ...body });
  expect(answer.status).toBe(201);
  return answer.body.id;
}

async function buy(
  id: string,
  amount: number,
  more: object = {},
): Promise<{ id: string; code: string; reason: string }> {
  const { status, body } = await h.call('POST', '/v1/simulate/authorization', { card: id, amount, ...more });
  expect(status).toBe(201);
  const { response_code: code, decline_reason: reason, id: authorization } = body.authorization;
  return { id: authorization, code, reason };
}

const controlsOf = async (path: string): Promise<unknown> => (await h.call('GET', path)).body.controls;

describe('controls of cards and accounts', () => {
  it('are kept as they were set, shown, and in force', async () => {
    const controls = { velocity: [DAY], mcc: { deny: ['gambling'] } };
    await account();
    const created = await h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912', controls });
    expect(created.body.controls).toEqual(controls);
    const { id } = created.body;
    expect((await h.call('GET', `/v1/cards/${id}`)).body.controls).toEqual(controls);
    expect([(await buy(id, 1001)).code, (await buy(id, 1000)).code, (await buy(id, 1)).reason]).toEqual([
      '61',
      '00',
      'velocity_amount',
    ]);
  });

  it('of an account hold over all its cards', async () => {
    await account({ controls: { velocity: [{ window: 'day', count: 2 }] } });
    const [one, other] = [await card(), await card()];
    const codes = [await buy(one, 1), await buy(other, 1), await buy(one, 1)].map(({ code, reason }) => [code, reason]);
    expect(codes).toEqual([
      ['00', null],
      ['00', null],
      ['65', 'velocity_count'],
    ]);
  });

  it('are null without: absent, null and an object without members are one', async () => {
    await account({ controls: {} });
    expect(await controlsOf('/v1/accounts/acc')).toBeNull();
    expect(await controlsOf(`/v1/cards/${await card({ controls: null })}`)).toBeNull();
    expect(await controlsOf(`/v1/cards/${await card()}`)).toBeNull();
  });

  it('are in lists as in the single object, also when they were taken away', async () => {
    await account({ controls: { velocity: [DAY] } });
    const ids = [
      await card(),
      await card({ controls: { per_transaction: 5 } }),
      await card({ controls: { velocity: [DAY] } }),
    ];
    await h.call('PATCH', `/v1/cards/${ids[1]}`, { controls: null });
    const cards = await Promise.all(ids.map((id) => h.call('GET', `/v1/cards/${id}`)));
    const { body: accounts } = await h.call('GET', '/v1/accounts');
    expect(accounts.data).toEqual([(await h.call('GET', '/v1/accounts/acc')).body]);
    expect(accounts.data[0].controls).toEqual({ velocity: [DAY] });
    for (const path of ['/v1/cards', '/v1/cards?account=acc']) {
      const { body } = await h.call('GET', path);
      expect(body.data).toEqual(cards.map((one) => one.body).reverse());
      expect(body.data.map(({ controls }) => controls)).toEqual([{ velocity: [DAY] }, null, null]);
    }
  });

  it('survive a restart, with what was counted', async () => {
    await account();
    const id = await card({ controls: { velocity: [DAY] } });
    await buy(id, 600);
    h = restart(h);
    expect(await controlsOf(`/v1/cards/${id}`)).toEqual({ velocity: [DAY] });
    expect((await buy(id, 401)).code).toBe('61');
  });
});

describe('controls of a release with another database of time zones', () => {
  it('hold by UTC where a zone is not known, and the shard says so', async () => {
    await account();
    const id = await card();
    const place = h.context.ids.decode('card', id)!;
    const controls = JSON.stringify({ velocity: [{ window: 'day', zone: 'Atlantis/Capital', amount: 100 }] });
    await h.engine.command(place.shard, { op: 'update_card', cardSlot: place.number, controls });
    expect([(await buy(id, 60)).code, (await buy(id, 60)).reason]).toEqual(['00', 'velocity_amount']);
    expect(h.engine.logged.filter((line) => line.includes('follows UTC'))).toHaveLength(1);
    const { body } = await h.call('GET', `/v1/cards/${id}/velocity`);
    expect(body.windows).toMatchObject([{ amount: { used: 60 }, starts_at: `${day}T00:00:00.000Z` }]);
  });
});

describe('a PATCH', () => {
  const before = { mcc: { deny: ['gambling'] }, per_transaction: 500, velocity: [DAY] };
  const table: [string, unknown, unknown][] = [
    ['an object is merged', { mcc: { allow: ['fuel'] } }, { ...before, mcc: { ...before.mcc, allow: ['fuel'] } }],
    ['a list replaces the old one whole', { mcc: { deny: ['fuel'] } }, { ...before, mcc: { deny: ['fuel'] } }],
    ['null takes half of a list away', { mcc: { deny: null } }, { ...before, mcc: {} }],
    ['an empty object changes nothing', { mcc: {} }, before],
    ['an empty object that is new lifts the default', { countries: {} }, { ...before, countries: {} }],
    [
      'null in what is new is left out',
      { cash: { per_transaction: null, velocity: [] } },
      { ...before, cash: { velocity: [] } },
    ],
    ['a limit can be lifted', { per_transaction: 'none' }, { ...before, per_transaction: 'none' }],
    ['null takes a member away', { per_transaction: null }, { mcc: before.mcc, velocity: before.velocity }],
    ['null takes away what is not there', { countries: null }, before],
    ['no member changes nothing', {}, before],
    ['null takes all away', null, null],
    ['every member at once', { mcc: null, per_transaction: null, velocity: null }, null],
  ];
  it.each(table)('%s', async (_, controls, after) => {
    await account({ controls: before });
    const id = await card({ controls: before });
    for (const path of ['/v1/accounts/acc', `/v1/cards/${id}`]) {
      const patched = await h.call('PATCH', path, { controls });
      expect([patched.status, patched.body.controls]).toEqual([200, after]);
      expect(await controlsOf(path)).toEqual(after);
    }
  });

  it('takes one limit of cash away and leaves the other', async () => {
    const velocity = [{ window: 'day', count: 3 }];
    await account();
    const id = await card({ controls: { cash: { per_transaction: 100, velocity } } });
    const { body } = await h.call('PATCH', `/v1/cards/${id}`, { controls: { cash: { per_transaction: null } } });
    expect(body.controls).toEqual({ cash: { velocity } });
  });

  it('is a merge patch of the controls of a program, too', async () => {
    await h.call('POST', '/v1/programs', {
      ...{ id: 'gold', currency: 'BRL', bins: ['999998'], sandbox: true },
      controls: { per_transaction: 500, mcc: { deny: ['fuel'] } },
    });
    const patched = async (controls: object | null) =>
      (await h.call('PATCH', '/v1/programs/gold', { controls })).body.controls;
    expect(await patched({ per_transaction: null })).toEqual({ mcc: { deny: ['fuel'] } });
    expect(await patched({ mcc: { allow: ['5411'] } })).toEqual({ mcc: { deny: ['fuel'], allow: ['5411'] } });
    expect(await patched(null)).toEqual({});
  });

  it('can lift the limit of the program, and take the lifting back', async () => {
    await h.call('PATCH', '/v1/programs/prog_sandbox', { controls: { per_transaction: 500 } });
    await account();
    const id = await card();
    const patch = (controls: object) => h.call('PATCH', `/v1/cards/${id}`, { controls });
    expect((await buy(id, 501)).reason).toBe('transaction_limit');
    expect((await patch({ per_transaction: 'none' })).body.controls).toEqual({ per_transaction: 'none' });
    expect((await buy(id, 501)).code).toBe('00');
    expect((await patch({ per_transaction: null })).body.controls).toBeNull();
    expect((await buy(id, 501)).reason).toBe('transaction_limit');
  });

  it('keeps a null that lifts the limit of the program', async () => {
    await account();
    const id = await card({ controls: { per_transaction: null } });
    await h.call('PATCH', `/v1/cards/${id}`, { controls: { mcc: { deny: ['7995'] } } });
    expect(await controlsOf(`/v1/cards/${id}`)).toEqual({ per_transaction: null, mcc: { deny: ['7995'] } });
  });

  it('changes status and controls together, or nothing', async () => {
    await account();
    const id = await card();
    const both = await h.call('PATCH', `/v1/cards/${id}`, { status: 'paused', controls: { velocity: [DAY] } });
    expect(both.body).toMatchObject({ status: 'paused', controls: { velocity: [DAY] } });
    const refused = await h.call('PATCH', `/v1/cards/${id}`, { status: 'active', controls: { velocity: [{}] } });
    expect([refused.status, refused.body.code]).toEqual([422, 'validation_failed']);
    expect((await h.call('GET', `/v1/cards/${id}`)).body).toMatchObject({
      status: 'paused',
      controls: { velocity: [DAY] },
    });
    await h.call('PATCH', `/v1/cards/${id}`, { status: 'lost' });
    const final = await h.call('PATCH', `/v1/cards/${id}`, { status: 'active', controls: null });
    expect([final.status, final.body.code]).toEqual([409, 'card_status_final']);
    expect(await controlsOf(`/v1/cards/${id}`)).toEqual({ velocity: [DAY] });
  });

  it('loses nothing to another one at the same time', async () => {
    await account();
    const id = await card();
    const limits = [
      { per_transaction: 5 },
      { mcc: { deny: ['7995'] } },
      { countries: { deny: ['US'] } },
      { velocity: [DAY] },
    ];
    await Promise.all(
      [`/v1/cards/${id}`, '/v1/accounts/acc'].flatMap((path) =>
        limits.map((controls) => h.call('PATCH', path, { controls })),
      ),
    );
    const all = Object.assign({}, ...limits);
    expect([await controlsOf(`/v1/cards/${id}`), await controlsOf('/v1/accounts/acc')]).toEqual([all, all]);
  });

  it('goes on after one that failed', async () => {
    await account();
    const answers = await Promise.all(
      [{ velocity: [{}] }, { per_transaction: 5 }].map((controls) => h.call('PATCH', '/v1/accounts/acc', { controls })),
    );
    expect(answers.map(({ status }) => status)).toEqual([422, 200]);
  });

  it('answers a repeat as the first time, even if it could not be merged any more', async () => {
    await account();
    const named = { velocity: [{ ...DAY, name: 'spend' }] };
    const patch = () => h.call('PATCH', '/v1/accounts/acc', { controls: named }, { 'idempotency-key': 'once' });
    const first = await patch();
    const later = { velocity: null, cash: named };
    expect((await h.call('PATCH', '/v1/accounts/acc', { controls: later })).status).toBe(200);
    const again = await patch();
    expect([again.status, again.headers['idempotent-replayed']]).toEqual([200, 'true']);
    expect(again.body).toEqual(first.body);
    expect(await controlsOf('/v1/accounts/acc')).toEqual({ cash: named });
  });

  it('of nobody is answered 404', async () => {
    for (const path of ['/v1/accounts/nobody', '/v1/cards/card_x'])
      expect((await h.call('PATCH', path, { controls: null })).status).toBe(404);
  });
});

describe('a replacement', () => {
  it('goes on under the controls and with the counters of the old card', async () => {
    await account();
    const old = await card({ controls: { velocity: [DAY] } });
    await buy(old, 700);
    const next = await card({ replaces: old });
    expect(await controlsOf(`/v1/cards/${next}`)).toEqual({ velocity: [DAY] });
    expect([(await buy(next, 301)).code, (await buy(next, 300)).code]).toEqual(['61', '00']);
    const { body } = await h.call('GET', `/v1/cards/${next}/velocity`);
    expect(body.windows[0].amount).toEqual({ used: 1000, limit: 1000, remaining: 0 });
  });

  it('has its own where it is given any, even none', async () => {
    await account();
    const old = await card({ controls: { velocity: [DAY] } });
    const next = await card({ replaces: old, controls: { per_transaction: 9 } });
    expect(await controlsOf(`/v1/cards/${next}`)).toEqual({ per_transaction: 9 });
    let last = next;
    for (const controls of [null, {}]) {
      last = await card({ replaces: last, controls });
      expect(await controlsOf(`/v1/cards/${last}`)).toBeNull();
    }
  });
});

describe('what is refused', () => {
  const bad = {
    velocity: [
      { window: 'day', amount: -1 },
      { window: 'day', zone: 'Mars/Olympus', count: 1 },
    ],
    mcc: { deny: ['petrol'] },
    limits: {},
  };
  const pointers = ['/limits', '/mcc/deny/0', '/velocity/0/amount', '/velocity/1/zone'];

  it('is named with every pointer and reason, and nothing is applied', async () => {
    await account({ controls: { per_transaction: 5 } });
    const id = await card({ controls: { per_transaction: 5 } });
    const calls: ['POST' | 'PATCH', string, object][] = [
      ['POST', '/v1/accounts', { id: 'other' }],
      ['PATCH', '/v1/accounts/acc', { credit_limit: 7 }],
      ['POST', '/v1/cards', { account: 'acc', expiry: '2912', pan: '9999990000000005' }],
      ['PATCH', `/v1/cards/${id}`, { status: 'paused' }],
    ];
    for (const [method, url, more] of calls) {
      const { status, body } = await h.call(method, url, { ...more, controls: bad });
      expect([url, status, body.code]).toEqual([url, 422, 'validation_failed']);
      const named = body.errors.map((error: { pointer: string }) => error.pointer);
      expect(named.sort()).toEqual(pointers.map((pointer) => `/controls${pointer}`));
      expect(body.param).toBe(body.errors[0].pointer);
      expect(body.detail).toContain('/controls/velocity/0/amount: must be an integer from 0 to');
    }
    expect((await h.call('GET', '/v1/accounts/other')).status).toBe(404);
    expect((await h.call('GET', '/v1/accounts/acc')).body).toMatchObject({
      credit_limit: 100_000,
      controls: { per_transaction: 5 },
    });
    expect((await h.call('GET', `/v1/cards/${id}`)).body).toMatchObject({
      status: 'active',
      controls: { per_transaction: 5 },
    });
    // The number that came along is free.
    await card({ pan: '9999990000000005' });
  });

  it('points to what a PATCH breaks together with what is there', async () => {
    await account({ controls: { velocity: [{ ...DAY, name: 'spend' }] } });
    const cash = { velocity: [{ window: 'day', count: 1, name: 'spend' }] };
    const { status, body } = await h.call('PATCH', '/v1/accounts/acc', { controls: { cash } });
    expect([status, body.param]).toEqual([422, '/controls/cash/velocity/0/name']);
  });

  it('is no object, is too large, or has what looks like a card number', async () => {
    await account();
    const merchants = (from: number) =>
      Array.from({ length: 256 }, (_, i) => `MERCHANT ${String(from + i).padStart(6, '0')}`);
    const window = (i: number) => ({ window: 'trailing', seconds: 60 + i, count: 1, merchants: merchants(i * 256) });
    const velocity = Array.from({ length: 16 }, (_, i) => window(i));
    const named = (name: string) => ({
      velocity: [{ ...DAY, name }],
      cash: { velocity: [{ ...DAY, name: `${name}c` }] },
    });
    const table: [unknown, string][] = [
      [7, '/controls'],
      [[], '/controls'],
      [{ velocity }, '/controls'],
      [named('4000000000000002'), '/controls/velocity/0/name'],
      [JSON.parse('{"__proto__":{"per_transaction":5}}'), '/controls/__proto__'],
      [JSON.parse('{"mcc":{"__proto__":["5411"]}}'), '/controls/mcc/__proto__'],
    ];
    for (const [controls, param] of table) {
      const { status, body, text } = await h.call('POST', '/v1/accounts', { controls });
      expect([status, body.code, body.param]).toEqual([422, 'validation_failed', param]);
      expect(text).not.toContain('4000000000000002');
      const patched = await h.call('PATCH', '/v1/accounts/acc', { controls });
      expect([patched.status, patched.body.code, patched.body.param]).toEqual([422, 'validation_failed', param]);
    }
    expect((await h.call('PATCH', '/v1/accounts/acc', { controls: named('spend') })).status).toBe(200);
    expect('per_transaction' in {}).toBe(false);
  });
});

describe('velocity', () => {
  it('shows what each window holds, where it was set, and when it ends', async () => {
    await account({ controls: { velocity: [{ window: 'month', amount: 9000, zone: 'America/Sao_Paulo' }] } });
    const id = await card({
      controls: {
        velocity: [
          { window: 'lifetime', count: 3, name: 'ever' },
          { window: 'day', amount: 1000, count: 5, zone: 'America/Sao_Paulo' },
          { window: 'trailing', seconds: 600, count: 1, counts: 'declines' },
        ],
        cash: { velocity: [{ window: 'week', amount: 400 }] },
      },
    });
    await buy(id, 300);
    await buy(id, 200);
    await buy(id, 501);
    const { status, body } = await h.call('GET', `/v1/cards/${id}/velocity`);
    expect(status).toBe(200);
    expect(velocitySchema.safeParse(body).error).toBeUndefined();
    const at = (day: string): string => new Date(Date.parse(day)).toISOString();
    const calendar = { seconds: null, zone: 'America/Sao_Paulo' };
    const none = { starts_at: null, ends_at: null, zone: null };
    expect(START_MS).toBe(Date.parse('2026-11-23T12:00:00Z'));
    expect(body).toEqual({
      object: 'velocity',
      card: id,
      account: 'acc',
      currency: 'BRL',
      windows: [
        {
          ...{ level: 'card', source: 'card', control: '/velocity/0', name: 'ever', window: 'lifetime', ...none },
          ...{ counts: 'approvals', seconds: null },
          amount: { used: 500, limit: null, remaining: null },
          count: { used: 2, limit: 3, remaining: 1 },
        },
        {
          ...{ level: 'card', source: 'card', control: '/velocity/1', name: null, window: 'day', ...calendar },
          ...{ counts: 'approvals', starts_at: at('2026-11-23T03:00Z'), ends_at: at('2026-11-24T03:00Z') },
          amount: { used: 500, limit: 1000, remaining: 500 },
          count: { used: 2, limit: 5, remaining: 3 },
        },
        {
          ...{ level: 'card', source: 'card', control: '/velocity/2', name: null, window: 'trailing', ...none },
          ...{ counts: 'declines', seconds: 600 },
          amount: { used: 0, limit: null, remaining: null },
          count: { used: 1, limit: 1, remaining: 0 },
        },
        {
          ...{ level: 'card', source: 'card', control: '/cash/velocity/0', name: null, window: 'week', ...calendar },
          ...{ counts: 'cash', zone: 'UTC', starts_at: at('2026-11-23T00:00Z'), ends_at: at('2026-11-30T00:00Z') },
          amount: { used: 0, limit: 400, remaining: 400 },
          count: { used: 0, limit: null, remaining: null },
        },
        {
          ...{ level: 'account', source: 'account', control: '/velocity/0', name: null, window: 'month', ...calendar },
          ...{ counts: 'approvals', starts_at: at('2026-11-01T03:00Z'), ends_at: at('2026-12-01T03:00Z') },
          amount: { used: 500, limit: 9000, remaining: 8500 },
          count: { used: 2, limit: null, remaining: null },
        },
      ],
    });
    const ofAccount = await h.call('GET', '/v1/accounts/acc/velocity');
    expect(ofAccount.body).toEqual({ ...body, card: null, windows: body.windows.slice(4) });
    h.engine.nowMs += 86_400_000;
    h = restart(h);
    const next = await h.call('GET', `/v1/cards/${id}/velocity`);
    expect(next.body.windows[1]).toMatchObject({ amount: { used: 0 }, starts_at: at('2026-11-24T03:00Z') });
  });

  it('of a card without windows is empty, and of nobody 404', async () => {
    await account();
    expect((await h.call('GET', `/v1/cards/${await card()}/velocity`)).body.windows).toEqual([]);
    for (const url of ['/v1/cards/card_x/velocity', '/v1/accounts/nobody/velocity'])
      expect((await h.call('GET', url)).status).toBe(404);
  });
});

describe('effective controls', () => {
  it('are shown on request, each with the level that it comes from', async () => {
    await account({ controls: { countries: { allow: ['BR'] }, cash: { per_transaction: 50 } } });
    const id = await card({ controls: { per_transaction: 500, channels: { deny: ['manual'] }, velocity: [DAY] } });
    const { body } = await h.call('GET', `/v1/cards/${id}?expand=effective_controls`);
    const ofAccount = [
      { level: 'account', source: 'account', control: '/countries', value: { allow: ['BR'] } },
      { level: 'account', source: 'account', control: '/cash/per_transaction', value: 50 },
    ];
    expect(effectiveSchema.safeParse(body.effective_controls).error).toBeUndefined();
    expect(body.effective_controls).toEqual([
      { level: 'card', source: 'card', control: '/channels', value: { deny: ['manual'] } },
      { level: 'card', source: 'card', control: '/per_transaction', value: 500 },
      { level: 'card', source: 'card', control: '/velocity/0', value: DAY },
      ...ofAccount,
    ]);
    const own = await h.call('GET', '/v1/accounts/acc?expand=effective_controls');
    expect(own.body.effective_controls).toEqual(ofAccount);
    expect((await h.call('GET', `/v1/cards/${id}`)).body).not.toHaveProperty('effective_controls');
    expect((await h.call('GET', `/v1/cards/${id}?expand=account`)).body.param).toBe('expand');
  });
});

describe('the program of a card', () => {
  const program = {
    id: 'gold',
    ...{ currency: 'BRL', bins: ['999999'], sandbox: true },
    tables: { mcc_groups: { toys: ['5945'] } },
    controls: { velocity: [DAY, { window: 'month', amount: 5000, per: 'account' }], mcc: { deny: ['toys'] } },
  };
  beforeEach(async () => {
    expect((await h.call('POST', '/v1/programs', program)).status).toBe(201);
    await account({ program: 'gold' });
  });

  it('brings the groups that controls may name', async () => {
    const id = await card({ controls: { mcc: { deny: ['toys', 'fuel'] } } });
    expect((await buy(id, 1, { mcc: '5945' })).reason).toBe('mcc_denied');
    const other = await h.call('POST', '/v1/accounts', { controls: { mcc: { deny: ['toys'] } } });
    expect([other.status, other.body.param]).toEqual([422, '/controls/mcc/deny/0']);
  });

  it('is the source of what neither card nor account sets', async () => {
    const id = await card({ controls: { mcc: {}, per_transaction: 900 } });
    expect((await buy(id, 800, { mcc: '5945' })).code).toBe('00');
    const refused = await buy(id, 300);
    const { body: read } = await h.call('GET', `/v1/cards/${id}?expand=effective_controls`);
    expect(read.controls).toEqual({ mcc: {}, per_transaction: 900 });
    expect(read.effective_controls).toEqual([
      { level: 'card', source: 'card', control: '/mcc', value: {} },
      { level: 'card', source: 'card', control: '/per_transaction', value: 900 },
      { level: 'card', source: 'program', control: '/velocity/0', value: DAY },
      { level: 'account', source: 'program', control: '/velocity/1', value: program.controls.velocity[1] },
    ]);
    const { body } = await h.call('GET', `/v1/cards/${id}/velocity`);
    expect(body.windows).toMatchObject([
      { level: 'card', source: 'program', control: '/velocity/0', amount: { used: 800, remaining: 200 } },
      { level: 'account', source: 'program', control: '/velocity/1', amount: { used: 800, remaining: 4200 } },
    ]);
    // The program has moved on; the explanation tells what was in force.
    await h.call('PATCH', '/v1/programs/gold', { controls: { velocity: [{ window: 'year', count: 1 }] } });
    const why = (await h.call('GET', `/v1/authorizations/${refused.id}/explain`)).body;
    expect(why.control).toMatchObject({ level: 'card', source: 'program', control: '/velocity/0', before: 800 });
    expect(why.counters).toMatchObject({
      card: [{ source: 'program', control: '/velocity/0', amount: 800, amount_limit: 1000 }],
      account: [{ source: 'program', control: '/velocity/1', amount: 800, amount_limit: 5000 }],
    });
  });

  it('is waited for: a shard that has not got its revision yet refuses controls that may name what it lacks', async () => {
    const shard = h.engine.placement('acc');
    const set = (controlsRevision: number) =>
      h.engine.command(shard, { op: 'update_account', id: 'acc', controls: '{"per_transaction":5}', controlsRevision });
    expect(await set(2)).toMatchObject({ ok: false, code: 'shard_unavailable' });
    expect(await controlsOf('/v1/accounts/acc')).toBeNull();
    expect(await set(1)).toMatchObject({ ok: true });
    const ahead = { controls: '{"per_transaction":5}', controlsRevision: 2 };
    const place = h.context.ids.decode('card', await card())!;
    const update = await h.engine.command(place.shard, { op: 'update_card', cardSlot: place.number, ...ahead });
    const row = { id: 'new', program: 1, currency: 986, creditLimit: 0, type: 1 as const, ...ahead };
    const create = await h.engine.command(shard, { op: 'create_account', ...row });
    expect([update, create]).toMatchObject([{ code: 'shard_unavailable' }, { code: 'shard_unavailable' }]);
  });
});

describe('a network token', () => {
  it('has the controls of its card and none of its own', async () => {
    await account();
    const { shard, number } = h.context.ids.decode('card', await card({ controls: { velocity: [DAY] } }))!;
    const made = await h.engine.command(shard, {
      ...{ op: 'create_alias', cardSlot: number, fingerprint: [1, 2, 3], bin: 999999, last4: 1234, panLength: 16 },
      ...{ expiry: 2912, status: 2 },
    });
    if (!made.ok || !('card' in made) || made.card === undefined) throw new Error('no token was made');
    const token = h.context.ids.encode('card', shard, made.card.slot);
    const answers = [
      await h.call('PATCH', `/v1/cards/${token}`, { controls: { velocity: [DAY] } }),
      await h.call('GET', `/v1/cards/${token}/velocity`),
      await h.call('GET', `/v1/cards/${token}?expand=effective_controls`),
    ];
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual(answers.map(() => [409, 'not_a_card']));
  });
});

describe('an explanation', () => {
  const explain = async (id: string) => (await h.call('GET', `/v1/authorizations/${id}/explain`)).body;

  it('shows the control that refused and what every window held, under the controls of that time', async () => {
    await account({ controls: { velocity: [{ window: 'month', count: 9 }] } });
    const week = { window: 'week', count: 7, name: 'weekly' };
    const id = await card({ controls: { velocity: [DAY, week] } });
    const first = await buy(id, 600);
    const refused = await buy(id, 500);
    await h.call('PATCH', `/v1/cards/${id}`, { controls: { velocity: [{ window: 'year', count: 1 }] } });
    await h.call('PATCH', '/v1/accounts/acc', { controls: null, status: 'open' });
    const why = await explain(refused.id);
    expect(why.control).toEqual({
      ...{ level: 'card', source: 'card', control: '/velocity/0' },
      ...{ limit: 1000, before: 600, attempted: 500 },
    });
    const reading = (source: string, control: string, more: object) => ({ source, control, name: null, ...more });
    const none = { amount_limit: null, count_limit: null };
    expect(why.counters).toEqual({
      card: [
        reading('card', '/velocity/0', { ...none, amount: 600, amount_limit: 1000, count: 1 }),
        reading('card', '/velocity/1', { ...none, name: 'weekly', amount: 600, count: 1, count_limit: 7 }),
      ],
      account: [reading('account', '/velocity/0', { ...none, amount: 600, count: 1, count_limit: 9 })],
    });
    expect(await explain(first.id)).toMatchObject({
      control: null,
      counters: { card: [{ amount: 0 }, { amount: 0 }], account: [{ amount: 0 }] },
    });
  });

  it('shows what windows held without their names when the journal does not tell any more', async () => {
    await account();
    const id = await card({ controls: { velocity: [DAY] } });
    await buy(id, 600);
    const refused = await buy(id, 500);
    h.engine.readEvent = () => undefined;
    expect((await explain(refused.id)).counters).toEqual({
      ...{ account: [] },
      card: [{ source: null, control: null, name: null, amount: 600, amount_limit: null, count: 1, count_limit: null }],
    });
  });

  it('names a list that refused, and has nothing to say without controls', async () => {
    await account();
    const id = await card({ controls: { mcc: { deny: ['gambling'] } } });
    const { id: listed, code } = await buy(id, 5, { mcc: '7995' });
    expect(code).toBe('57');
    expect(await explain(listed)).toMatchObject({
      decline_reason: 'mcc_denied',
      control: { level: 'card', source: 'card', control: '/mcc/deny' },
      counters: null,
    });
    await h.call('PATCH', `/v1/cards/${id}`, { controls: null });
    expect(await explain((await buy(id, 5)).id)).toMatchObject({ control: null, counters: null });
  });
});

describe('the authorizations of a card', () => {
  it('are listed across a change of its controls and of those of its account', async () => {
    await account();
    const id = await card();
    const before = await buy(id, 1);
    await h.call('PATCH', `/v1/cards/${id}`, { controls: { velocity: [DAY] } });
    await h.call('PATCH', '/v1/accounts/acc', { controls: { velocity: [DAY] } });
    const after = await buy(id, 2);
    for (const filter of [`card=${id}`, 'account=acc']) {
      const { body } = await h.call('GET', `/v1/authorizations?${filter}`);
      expect(body.data.map((one: { id: string }) => one.id)).toEqual([after.id, before.id]);
    }
  });
});
