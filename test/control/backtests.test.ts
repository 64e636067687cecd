/** Backtests through the API, over the journals of real shards. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { KnownCards } from '#src/control/backtest.js';
import type { CardFacts } from '#src/control/backtest-judge.js';
import { LIST_SCAN_SLICE } from '#src/limits.js';
import { type Harness, makeHarness, START_MS } from './harness.js';

const program = 'gold';
const day = new Date(START_MS).toISOString().slice(0, 10);
const whole = { since: `${day}T00:00:00Z`, until: `${day}T23:59:59Z` };
const large = 'when amount > 500_00 then decline 59 reason "large"';
const busy = 'when count("day") >= 2 and spent("day") > 250_00 then decline 65 reason "busy"';

let h: Harness;
const cards: string[] = [];
beforeEach(async () => prepare());

async function prepare(): Promise<void> {
  h = makeHarness();
  cards.length = 0;
  const controls = {
    velocity: [
      { window: 'month', count: 1000 },
      { window: 'day', name: 'day', count: 100, amount: 100_000_00 },
      { window: 'week', name: 'all', count: 100, per: 'account' },
    ],
  };
  await ok('POST', '/v1/programs', { id: program, currency: 'BRL', bins: ['999999'], sandbox: true, controls });
  for (let i = 0; i < 5; i++) {
    await ok('POST', '/v1/accounts', { id: `acc${i}`, program, credit_limit: 2_000_00 });
    cards.push((await ok('POST', '/v1/cards', { account: `acc${i}`, expiry: '2912' })).id);
  }
}

async function ok(method: 'POST' | 'GET' | 'PATCH' | 'DELETE', url: string, body?: unknown) {
  const answer = await h.call(method, url, body);
  if (answer.status >= 300) throw new Error(`${method} ${url} ${answer.status}: ${answer.text}`);
  return answer.body;
}

const create = async (body: object): Promise<string> => (await ok('POST', '/v1/rules', { program, ...body })).id;

async function pay(which: number, amount: number, mcc = '5411') {
  return (await ok('POST', '/v1/simulate/authorization', { card: cards[which], amount, mcc })).authorization;
}

/** Runs a backtest to its end. */
async function run(id: string, body: object = {}) {
  h.engine.nowMs += 1000;
  const started = await ok('POST', `/v1/rules/${id}/backtests`, { ...whole, ...body });
  for (;;) {
    const state = await ok('GET', `/v1/rules/${id}/backtests/${started.number}`);
    if (state.status !== 'running') return state;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const none = { count: 0, amounts: [] };

describe('a backtest', () => {
  it('is begun once under an Idempotency-Key', async () => {
    const id = await create({ text: large });
    const begin = () => h.call('POST', `/v1/rules/${id}/backtests`, whole, { 'idempotency-key': 'b' });
    const first = await begin();
    const again = await begin();
    expect([again.status, again.text, again.headers['idempotent-replayed']]).toEqual([202, first.text, 'true']);
  });

  it('lists what a draft would have declined, and changes nothing', async () => {
    const id = await create({ text: large });
    await pay(0, 100_00);
    const first = await pay(0, 600_00);
    const second = await pay(1, 700_00);
    const poor = await pay(1, 1_900_00);
    expect(poor.response_code).toBe('51');
    const done = await run(id);
    expect(done).toMatchObject({
      object: 'backtest',
      rule: id,
      number: 1,
      version: 1,
      text: large,
      status: 'done',
      account: null,
      progress: { percent: 100, records: done.progress.read },
      result: {
        evaluated: 4,
        would_decline: { count: 2, amounts: [{ currency: 'BRL', amount: '130000' }] },
        would_no_longer_decline: none,
        would_decline_otherwise: { count: 1, amounts: [{ currency: 'BRL', amount: '190000' }] },
        windows_unknown: 0,
        decisions_listed: 3,
        decisions_left_out: 0,
      },
    });
    expect(done.progress.read).toBeGreaterThan(10);
    const url = `/v1/rules/${id}/backtests/1/decisions`;
    const approved = (await ok('GET', `${url}?kind=would_decline`)).data;
    expect(new Set(approved.map((row: { authorization: string }) => row.authorization))).toEqual(
      new Set([first.id, second.id]),
    );
    expect(approved[0]).toMatchObject({
      object: 'backtest_decision',
      kind: 'would_decline',
      currency: 'BRL',
      before: { response_code: '00', reason: null },
      after: { response_code: '59', reason: 'large' },
    });
    const otherwise = (await ok('GET', `${url}?kind=would_decline_otherwise`)).data;
    expect(otherwise).toMatchObject([
      { authorization: poor.id, amount: 190_000, before: { response_code: '51', reason: 'insufficient_funds' } },
    ]);
    const page = await ok('GET', `${url}?limit=2`);
    const rest = await ok('GET', `${url}?limit=2&starting_after=${page.data[1].id}`);
    expect([page.has_more, rest.has_more, rest.data.length]).toEqual([true, false, 1]);
    expect((await pay(2, 600_00)).response_code).toBe('00');
  });

  it('says what an active rule with another text would no longer decline, and what another one declines then', async () => {
    const id = await create({ text: large, state: 'active' });
    await create({ text: 'when amount > 900_00 then decline 61 reason "larger"', state: 'active', priority: 200 });
    await pay(0, 600_00);
    await pay(1, 1_000_00);
    await pay(2, 100_00);
    const text = 'when amount > 50_00 and amount < 200_00 then decline 57 reason "odd"';
    expect((await run(id, { text })).result).toMatchObject({
      evaluated: 3,
      would_decline: { count: 1, amounts: [{ currency: 'BRL', amount: '10000' }] },
      would_no_longer_decline: { count: 1, amounts: [{ currency: 'BRL', amount: '60000' }] },
      would_decline_otherwise: { count: 1, amounts: [{ currency: 'BRL', amount: '100000' }] },
    });
    const { data } = await ok('GET', `/v1/rules/${id}/backtests/1/decisions`);
    const after = Object.fromEntries(data.map((row: { kind: string; after: object }) => [row.kind, row.after]));
    expect(after).toEqual({
      would_decline: { response_code: '57', reason: 'odd' },
      would_no_longer_decline: { response_code: null, reason: null },
      would_decline_otherwise: { response_code: '61', reason: 'larger' },
    });
    expect(await ok('GET', `/v1/rules/${id}`)).toMatchObject({ version: 1, text: large });
  });

  it('reads balances and windows as they were', async () => {
    const balance = await create({ text: 'when account.held >= 300_00 then decline 59 reason "held"' });
    const id = await create({ text: busy });
    const ids: string[] = [];
    for (let i = 0; i < 4; i++) ids.push((await pay(0, 150_00)).id);
    for (const paid of ids) await ok('POST', '/v1/simulate/reversal', { authorization: paid });
    expect((await run(id)).result).toMatchObject({ would_decline: { count: 2 }, windows_unknown: 0 });
    const { data } = await ok('GET', `/v1/rules/${id}/backtests/1/decisions`);
    expect(data.map((row: { authorization: string }) => row.authorization)).toEqual([ids[3], ids[2]]);
    expect((await run(balance)).result.would_decline.count).toBe(2);
  });

  it('takes windows for absent where the controls have been set since, and says so', async () => {
    const id = await create({ text: busy });
    for (const which of [0, 1]) for (let i = 0; i < 4; i++) await pay(which, 150_00);
    const place = h.context.ids.decode('card', cards[0]!)!;
    const controls = JSON.stringify({ velocity: [{ window: 'year', name: 'day', count: 9 }] });
    await h.engine.command(place.shard, { op: 'update_card', cardSlot: place.number, controls });
    for (let i = 0; i < 2; i++) await pay(0, 150_00);
    expect((await run(id)).result).toMatchObject({
      evaluated: 10,
      // Two of the other card; the year of this one began to count with its first purchase.
      would_decline: { count: 2 },
      windows_unknown: 4,
    });
  });

  it('keeps to its period and its account', async () => {
    const id = await create({ text: large });
    await pay(0, 600_00);
    h.engine.nowMs += 60_000;
    const since = new Date(h.engine.nowMs).toISOString();
    await pay(0, 600_00);
    await pay(1, 600_00);
    h.engine.nowMs += 60_000;
    const until = new Date(h.engine.nowMs).toISOString();
    await pay(1, 600_00);
    const count = async (body: object): Promise<number> => (await run(id, body)).result.would_decline.count;
    expect(await count({})).toBe(4);
    expect(await count({ since })).toBe(3);
    expect(await count({ since, until })).toBe(2);
    expect(await count({ account: 'acc1' })).toBe(2);
    expect(await count({ account: 'acc1', since, until })).toBe(1);
    const list = await ok('GET', `/v1/rules/${id}/backtests?limit=2`);
    expect([list.data.map((row: { number: number }) => row.number), list.has_more]).toEqual([[5, 4], true]);
  });

  it('leaves out cards of other programs', async () => {
    const id = (await ok('POST', '/v1/rules', { program: 'prog_sandbox', text: large })).id;
    await pay(0, 600_00);
    expect((await run(id)).result).toMatchObject({ evaluated: 0, would_decline: none });
  });

  it('runs alone, and can be stopped', async () => {
    const id = await create({ text: large });
    for (let i = 0; i < 3; i++) await pay(0, 600_00);
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const read = h.engine.read.bind(h.engine);
    h.engine.read = async (shard, question) => {
      if (question.op === 'card') await gate;
      return read(shard, question);
    };
    expect((await ok('POST', `/v1/rules/${id}/backtests`, whole)).status).toBe('running');
    const second = await h.call('POST', `/v1/rules/${id}/backtests`, whole);
    expect([second.status, second.body.code]).toEqual([409, 'backtest_running']);
    const removed = h.call('DELETE', `/v1/rules/${id}/backtests/1`);
    release();
    expect((await removed).status).toBe(204);
    expect((await h.call('GET', `/v1/rules/${id}/backtests/1`)).status).toBe(404);
    expect((await run(id)).number).toBe(2);
  });

  it('lets other work go on between its parts, and reads no more of a stopped one', async () => {
    const id = await create({ text: large });
    for (let first = 0; first < 4 * LIST_SCAN_SLICE; first += 256) {
      const one = (n: number) =>
        h.engine.command(h.engine.placement('acc0'), {
          ...{ op: 'payment', account: 'acc0', amount: 1, currency: 986, reference: `r${first + n}` },
        });
      await Promise.all(Array.from({ length: 256 }, (_, n) => one(n)));
    }
    const readMessage = h.engine.readMessage.bind(h.engine);
    let inTurn = 0;
    let most = 0;
    let all = 0;
    h.engine.readMessage = (...place) => {
      most = Math.max(most, ++inTurn);
      all++;
      return readMessage(...place);
    };
    const turns = setInterval(() => {
      inTurn = 0;
    }, 0);
    try {
      const done = await run(id);
      expect(done).toMatchObject({ status: 'done', progress: { percent: 100 } });
      expect(all).toBeGreaterThanOrEqual(4 * LIST_SCAN_SLICE);
      // A part, and the search for its begin.
      expect(most).toBeLessThan(LIST_SCAN_SLICE + 100);
      const second = await ok('POST', `/v1/rules/${id}/backtests`, whole);
      await ok('DELETE', `/v1/rules/${id}/backtests/${second.number}`);
      const stopped = all;
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(all).toBe(stopped);
    } finally {
      clearInterval(turns);
    }
  });

  it('remembers cards within bounds of their number and of their controls', () => {
    const facts = (controls: string): CardFacts => ({ card: { controls }, account: {} }) as CardFacts;
    const cards = new KnownCards(3, 100);
    const known = (): number[] => [0, 1, 2, 3, 4].filter((slot) => cards.of(0, slot) !== undefined);
    for (let slot = 0; slot < 4; slot++) cards.add(0, slot, facts(''));
    expect(known()).toEqual([1, 2, 3]);
    cards.add(0, 4, facts('x'.repeat(60)));
    cards.add(0, 0, facts('x'.repeat(60)));
    expect(known()).toEqual([0]);
  });

  it('that fails says so', async () => {
    const id = await create({ text: large });
    await pay(0, 600_00);
    h.engine.readMessage = () => {
      throw new Error('unreadable');
    };
    expect(await run(id)).toMatchObject({ status: 'failed', result: { evaluated: 0 } });
  });

  it.each<[body: object, status: number, code: string, param: string]>([
    [{ since: whole.until, until: whole.since }, 422, 'validation_failed', '/until'],
    [{ since: 'yesterday' }, 422, 'validation_failed', '/since'],
    [{ account: 'nobody' }, 422, 'account_not_found', '/account'],
    [{ text: 'when amout > 5 then decline 59 reason "x"' }, 422, 'validation_failed', '/text'],
  ])('is refused with %j', async (body, status, code, param) => {
    const id = await create({ text: large });
    const answer = await h.call('POST', `/v1/rules/${id}/backtests`, { ...whole, ...body });
    expect([answer.status, answer.body.code, answer.body.param]).toEqual([status, code, param]);
    expect((await h.call('GET', `/v1/rules/${id}/backtests/1`)).status).toBe(404);
  });
});

describe('the active rules themselves', () => {
  const texts = [
    large,
    busy,
    'when count("all") >= 4 then decline 65 reason "week"',
    'when mcc in [7995, 5812] and amount >= 100_00 then decline 57 reason "category"',
    'when account.utilization >= 40 then decline 61 reason "used"',
    'when account.available - amount < 500_00 and not atm then decline 61 reason "short"',
    'when absent(country) or hour < 6 then decline 59 reason "somewhere"',
    'when card.bin == 999999 and card.age_days < 1 and amount % 7 == 0 then decline 62 reason "sevens"',
    'when merchant starts_with "DEMO" and weekday == "monday" then decline 59 reason "demo"',
  ];
  const rules = fc.uniqueArray(
    fc.record({
      text: fc.constantFrom(...texts),
      state: fc.constantFrom('active', 'active', 'shadow'),
      priority: fc.integer({ min: 0, max: 3 }),
    }),
    { minLength: 2, maxLength: 5, selector: ({ text }) => text },
  );
  const payments = fc.array(
    fc.record({
      which: fc.integer({ min: 0, max: 4 }),
      amount: fc.integer({ min: 1, max: 700_00 }),
      mcc: fc.constantFrom('5411', '5812', '7995'),
    }),
    { minLength: 10, maxLength: 20 },
  );

  it('would change nothing', async () => {
    await fc.assert(
      fc.asyncProperty(rules, payments, async (drawn, paid) => {
        await prepare();
        const active: string[] = [];
        for (const rule of drawn) {
          const id = await create(rule);
          if (rule.state === 'active') active.push(id);
        }
        for (const { which, amount, mcc } of paid) await pay(which, amount, mcc);
        for (const id of active) {
          const { status, result } = await run(id);
          expect([status, result.evaluated]).toEqual(['done', paid.length]);
          expect(result).toMatchObject({
            would_decline: none,
            would_no_longer_decline: none,
            would_decline_otherwise: none,
          });
        }
      }),
      { numRuns: 5, endOnFailure: true },
    );
  }, 60_000);
});
