/** Rules through the API, into the system journal, the snapshots of programs, and the decisions of real shards. */
import { beforeEach, describe, expect, it } from 'vitest';
import { ShardError } from '#src/control/ports.js';
import { snapshotParts } from '#src/control/program-check.js';
import { REVISION_STATS_PER_READ, RULE_SET_COST_MAX, RULES_PER_SET_MAX } from '#src/limits.js';
import { type Harness, makeHarness, restart } from './harness.js';

const program = 'gold';
const large = 'when amount > 500_00 then decline 59 reason "large"';
const bets = 'when mcc == 7995 then decline 57 reason "no_bets"';

let h: Harness;
let card: string;
beforeEach(async () => {
  h = makeHarness();
  const controls = { velocity: [{ window: 'day', name: 'day', count: 100 }] };
  await h.call('POST', '/v1/programs', { id: program, currency: 'BRL', bins: ['999999'], sandbox: true, controls });
  await h.call('POST', '/v1/accounts', { id: 'acc', program, credit_limit: 10_000_000 });
  card = (await h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912' })).body.id;
});

const create = async (body: object): Promise<string> =>
  (await h.call('POST', '/v1/rules', { program, ...body })).body.id;
const evaluated = (on = h) => snapshotParts(on.context.system.program(program)!.snapshot!).rules;
const revision = (): number => h.context.system.program(program)!.revision;

async function answer(amount: number, mcc = '5411'): Promise<string> {
  const { body } = await h.call('POST', '/v1/simulate/authorization', { card, amount, mcc });
  return body.authorization.response_code;
}

describe('a rule', () => {
  it('shows its text, its tree and what it reads', async () => {
    const text = '# busy\nwhen amount > 500_00 and count("day") >= 3 then decline 65 reason "busy"';
    const created = await h.call('POST', '/v1/rules', { program, text, name: 'Busy cards' });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({
      object: 'rule',
      id: expect.stringMatching(/^rule_[a-z2-7]{26}$/),
      program,
      name: 'Busy cards',
      state: 'draft',
      priority: 100,
      version: 1,
      text,
      response_code: '65',
      reason: 'busy',
      fields: ['amount'],
      windows: ['day'],
    });
    expect((await h.call('GET', `/v1/rules/${created.body.id}`)).body).toEqual({ ...created.body, statistics: [] });
    const { when, outcome } = created.body.json;
    const again = await h.call('POST', '/v1/rules', { program, json: { when, outcome } });
    expect(again.body.json).toEqual(created.body.json);
    expect(again.body.text).toBe('when amount > 500_00\n  and count("day") >= 3\nthen decline 65 reason "busy"');
  });

  it('decides with the answer that makes it active, and no longer with the one that takes it away', async () => {
    const id = await create({ text: large });
    const to = async (state: string): Promise<unknown> => {
      const { status, body } = await h.call('PATCH', `/v1/rules/${id}`, { state });
      return [status, body.state, await answer(500_01), revision()];
    };
    expect([await answer(500_01), revision()]).toEqual(['00', 1]);
    expect(await to('shadow')).toEqual([200, 'shadow', '00', 2]);
    expect(await to('active')).toEqual([200, 'active', '59', 3]);
    expect(await to('active')).toEqual([200, 'active', '59', 3]);
    expect(await to('draft')).toEqual([200, 'draft', '00', 4]);
    expect(await to('active')).toEqual([200, 'active', '59', 5]);
    h = restart(h);
    expect(await answer(500_01)).toBe('59');
    expect(await to('retired')).toEqual([200, 'retired', '00', 6]);
    const dead = await h.call('PATCH', `/v1/rules/${id}`, { state: 'active' });
    expect([dead.status, dead.body.code]).toEqual([409, 'rule_retired']);
  });

  it('keeps every version; a change of an active one decides at once', async () => {
    const id = await create({ text: large, state: 'active' });
    const first = (await h.call('GET', `/v1/rules/${id}/versions`)).body.data[0];
    h.engine.nowMs += 1000;
    const text = 'when amount > 900_00 then decline 61 reason "larger"';
    expect((await h.call('PATCH', `/v1/rules/${id}`, { text })).body).toMatchObject({ version: 2, state: 'active' });
    expect(await Promise.all([answer(500_01), answer(900_01)])).toEqual(['00', '61']);
    expect((await h.call('PATCH', `/v1/rules/${id}`, { text, name: 'x' })).body).toMatchObject({
      version: 2,
      name: 'x',
    });
    for (const on of [h, restart(h)]) {
      const { data } = (await on.call('GET', `/v1/rules/${id}/versions`)).body;
      expect(data.map((row: { text: string }) => row.text)).toEqual([text, large]);
      expect(data[1]).toEqual(first);
      const page = await on.call('GET', `/v1/rules/${id}/versions?limit=1&starting_after=2`);
      expect(page.body).toMatchObject({ data: [{ version: 1 }], has_more: false });
    }
  });

  it('is asked by priority, then by age, and stays when its program changes', async () => {
    const late = await create({ text: large, state: 'active', priority: 200 });
    const one = await create({ text: bets, state: 'active' });
    const two = await create({ text: 'when atm then decline 57 reason "no_cash"', state: 'shadow' });
    await create({ text: large });
    expect(evaluated().map(({ id }) => id)).toEqual([one, two, late]);
    await h.call('PATCH', `/v1/rules/${late}`, { priority: 1 });
    await h.call('PATCH', `/v1/programs/${program}`, { name: 'Gold' });
    expect(evaluated().map(({ id, state, version }) => [id, state, version])).toEqual([
      [late, 'active', 1],
      [one, 'active', 1],
      [two, 'shadow', 1],
    ]);
    expect(await answer(600_00, '7995')).toBe('59');
    const before = revision();
    await h.call('PATCH', `/v1/rules/${late}`, { name: 'first' });
    expect(revision()).toBe(before);
  });

  it('is listed by program and state', async () => {
    const a = await create({ text: large });
    const b = await create({ text: bets, state: 'shadow' });
    const c = (await h.call('POST', '/v1/rules', { program: 'prog_sandbox', text: bets })).body.id;
    const ids = async (query: string): Promise<unknown> =>
      (await h.call('GET', `/v1/rules${query}`)).body.data.map((row: { id: string }) => row.id);
    expect(await ids('')).toEqual([c, b, a]);
    expect(await ids(`?program=${program}`)).toEqual([b, a]);
    expect(await ids('?state=draft')).toEqual([c, a]);
    expect(await ids(`?state=draft&program=${program}`)).toEqual([a]);
    expect(await ids(`?limit=1&starting_after=${c}`)).toEqual([b]);
  });

  it('is created once under an Idempotency-Key', async () => {
    const post = () =>
      h.call('POST', '/v1/rules', { program, text: large, state: 'active' }, { 'idempotency-key': 'r' });
    const first = await post();
    expect((await post()).body).toEqual(first.body);
    expect([evaluated().length, revision()]).toEqual([1, 2]);
  });

  it('is changed once under an Idempotency-Key', async () => {
    const { id } = (await h.call('POST', '/v1/rules', { program, text: large, state: 'draft' })).body;
    const patch = () => h.call('PATCH', `/v1/rules/${id}`, { state: 'active' }, { 'idempotency-key': 'p' });
    const first = await patch();
    const again = await patch();
    expect([again.text, again.headers['idempotent-replayed']]).toEqual([first.text, 'true']);
    expect([evaluated().length, revision()]).toEqual([1, 2]);
  });

  it('that a shard did not confirm is answered as unknown, and is there', async () => {
    h.engine.before = (command) => {
      if (command.op === 'apply_program') throw new ShardError('timeout', 0);
    };
    const { status, body } = await h.call('POST', '/v1/rules', { program, text: large, state: 'active' });
    expect([status, body.code]).toEqual([504, 'outcome_unknown']);
    h.engine.before = () => undefined;
    await h.context.programs.settle();
    expect(await answer(500_01)).toBe('59');
  });
});

describe('the statistics of a rule', () => {
  const statistics = async (id: string) => (await h.call('GET', `/v1/rules/${id}`)).body.statistics;

  it('are sums over shards and revisions, by version', async () => {
    const first = await create({ text: large, state: 'active' });
    const id = await create({ text: 'when amount > 100_00 then decline 57 reason "more"', state: 'shadow' });
    await answer(50_00);
    await answer(200_00);
    await answer(600_00);
    expect(await statistics(id)).toEqual([{ version: 1, asked: 3, matched: 2, declined: 0 }]);
    expect(await statistics(first)).toEqual([{ version: 1, asked: 3, matched: 1, declined: 1 }]);
    await h.call('PATCH', `/v1/rules/${id}`, { state: 'active' });
    // Accounts of every shard.
    for (let i = 0; i < 8; i++) {
      await h.call('POST', '/v1/accounts', { id: `acc${i}`, program, credit_limit: 10_000_000 });
      const other = (await h.call('POST', '/v1/cards', { account: `acc${i}`, expiry: '2912' })).body.id;
      await h.call('POST', '/v1/simulate/authorization', { card: other, amount: 200_00, mcc: '5411' });
    }
    await h.call('PATCH', `/v1/rules/${id}`, { text: bets });
    // Another place: the lower priority is asked first.
    await h.call('PATCH', `/v1/rules/${id}`, { priority: 1 });
    await answer(600_00, '7995');
    const wanted = [
      { version: 2, asked: 1, matched: 1, declined: 1 },
      { version: 1, asked: 11, matched: 10, declined: 8 },
    ];
    expect(await statistics(id)).toEqual(wanted);
    h = restart(h);
    expect(await statistics(id)).toEqual(wanted);
    expect(await statistics(first)).toEqual([{ version: 1, asked: 12, matched: 2, declined: 1 }]);
  });

  it('are read in parts when there are many revisions', async () => {
    const id = await create({ text: large, state: 'active' });
    for (let i = 0; i < REVISION_STATS_PER_READ + 2; i++) {
      await answer(1_00);
      await h.call('PATCH', `/v1/programs/${program}`, { name: `name ${i}` });
    }
    expect(await statistics(id)).toEqual([{ version: 1, asked: REVISION_STATS_PER_READ + 2, matched: 0, declined: 0 }]);
  });
});

describe('an explanation', () => {
  it('names the rules that matched as they were, and the one that declined', async () => {
    const last = await create({ text: 'when amount > 100_00 then decline 61 reason "more"', state: 'active' });
    const shadow = await create({ text: bets, state: 'shadow', priority: 1 });
    const first = await create({ text: large, state: 'active', priority: 2 });
    const paid = (await h.call('POST', '/v1/simulate/authorization', { card, amount: 50_00 })).body.authorization;
    const { body } = await h.call('POST', '/v1/simulate/authorization', { card, amount: 600_00, mcc: '7995' });
    expect(body.authorization).toMatchObject({ response_code: '59', decline_reason: 'large' });
    const explain = (id: string) => h.call('GET', `/v1/authorizations/${id}/explain`);
    expect((await explain(paid.id)).body).toMatchObject({ decline_reason: null, matched_rules: [] });
    const wanted = {
      decline_reason: 'large',
      matched_rules: [
        { id: shadow, version: 1, state: 'shadow', decided: false, response_code: '57', reason: 'no_bets' },
        { id: first, version: 1, state: 'active', decided: true, response_code: '59', reason: 'large' },
        { id: last, version: 1, state: 'active', decided: false, response_code: '61', reason: 'more' },
      ],
    };
    expect((await explain(body.authorization.id)).body).toMatchObject(wanted);
    await h.call('PATCH', `/v1/rules/${first}`, { text: 'when atm then decline 57 reason "no_cash"' });
    await h.call('PATCH', `/v1/rules/${shadow}`, { state: 'retired' });
    h = restart(h);
    expect((await explain(body.authorization.id)).body).toMatchObject(wanted);
    const listed = (await h.call('GET', '/v1/authorizations')).body.data;
    expect(listed[0]).toMatchObject({ id: body.authorization.id, decline_reason: 'large' });
  });
});

describe('a rule is refused', () => {
  it.each<[what: string, body: object, param: string, more: object]>([
    [
      'a name',
      { text: 'when\n  amout > 5 then decline 59 reason "x"' },
      '/text',
      { code: 'unknown_field', line: 2, column: 3, offset: 7, length: 5 },
    ],
    [
      'a window',
      { text: 'when count("week") > 5 then decline 59 reason "x"' },
      '/text',
      { code: 'unknown_window', line: 1 },
    ],
    [
      'a bound, which has as many digits as a card number',
      { text: 'when account.held > -5 then decline 59 reason "x"' },
      '/text',
      { detail: 'account.held is 0 to 9007199254740991, never -5' },
    ],
    [
      'a number that may be one of a card',
      { text: 'when amount > 1000000000018 then decline 59 reason "x"' },
      '/text',
      { detail: 'amount is 0 to 999999999999, never 100000***0018' },
    ],
    [
      'decimals',
      { text: 'when amount > 5_000 then decline 59 reason "x"' },
      '/text',
      { code: 'wrong_type', offset: 14 },
    ],
    [
      'a tree',
      { json: { when: { kind: 'field', name: 'amout' }, outcome: { action: 'decline', response: '59', reason: 'x' } } },
      '/json/when',
      { code: 'unknown_field' },
    ],
    ['a card number', { text: `# 9999990000000006\n${large}` }, '/text', { detail: 'must not contain a card number' }],
    ['two forms', { text: large, json: {} }, '/json', {}],
    ['no form', { name: 'x' }, '/text', {}],
    ['a retired one', { text: large, state: 'retired' }, '/state', {}],
  ])('for %s, with the place', async (_, body, param, more) => {
    const records = h.log.records.length;
    const answered = await h.call('POST', '/v1/rules', { program, ...body });
    expect([answered.status, answered.body.code, answered.body.param]).toEqual([422, 'validation_failed', param]);
    expect(answered.body.errors).toMatchObject([{ pointer: expect.stringContaining(param), ...more }]);
    expect(h.log.records.length).toBe(records);
  });

  it('for a program that does not exist', async () => {
    const { status, body } = await h.call('POST', '/v1/rules', { program: 'none', text: large });
    expect([status, body.code, body.param]).toEqual([422, 'program_not_found', '/program']);
    expect((await h.call('GET', '/v1/rules/none')).status).toBe(404);
    expect((await h.call('PATCH', '/v1/rules/none', { state: 'active' })).status).toBe(404);
  });

  it('when it becomes active and its window has gone', async () => {
    const id = await create({ text: 'when count("day") > 5 then decline 59 reason "x"' });
    await h.call('PATCH', `/v1/programs/${program}`, { controls: null });
    const { status, body } = await h.call('PATCH', `/v1/rules/${id}`, { state: 'active' });
    expect([status, body.param, body.errors[0].code]).toEqual([422, '/text', 'unknown_window']);
  });

  it('no program that drops or renames the window of a rule in effect: the rule is named', async () => {
    const named = (name: string, more: object = {}) => ({ window: 'day', count: 5, name, ...more });
    const set = (controls: object | null) => h.call('PATCH', `/v1/programs/${program}`, { controls });
    expect((await set({ velocity: [named('a')], cash: { velocity: [named('b')] } })).status).toBe(200);
    const active = await create({ text: 'when count("a") > 5 then decline 59 reason "x"', state: 'active' });
    const shadow = await create({ text: 'when count("b") > 5 then decline 59 reason "x"', state: 'shadow' });
    const draft = await create({ text: 'when count("a") > 9 then decline 59 reason "x"' });
    const rows: [controls: object | null, window: string, rule: string][] = [
      [null, '"a"', `active rule ${active}`],
      [{ velocity: null }, '"a"', `active rule ${active}`],
      [{ velocity: [named('c')] }, '"a"', `active rule ${active}`],
      [{ cash: null }, '"b"', `shadow rule ${shadow}`],
    ];
    for (const [controls, window, rule] of rows) {
      const { status, body } = await set(controls);
      expect([status, body.code, body.param]).toEqual([422, 'validation_failed', '/controls/velocity']);
      expect(body.detail).toContain(`the window ${window}, which the ${rule} `);
      expect(body.detail).not.toContain(draft);
    }
    // It may move, and have other limits.
    const moved = [named('a', { count: 7 }), named('b', { window: 'month' })];
    expect((await set({ velocity: moved, cash: null })).status).toBe(200);
    await h.call('PATCH', `/v1/rules/${active}`, { state: 'retired' });
    expect((await set({ velocity: [named('b')] })).status).toBe(200);
    await h.call('PATCH', `/v1/rules/${shadow}`, { text: 'when amount > 5 then decline 59 reason "x"' });
    expect((await set(null)).status).toBe(200);
  });

  it('when the rules of the program would be too many or cost too much together', async () => {
    const rules = h.context.system.rules;
    const parts = Array.from({ length: 35 }, (_, i) => `merchant == "M${i}"`).join(' or ');
    const text = `when ${parts} then decline 59 reason "x"`;
    const id = await create({ text });
    const { cost } = (await h.call('GET', `/v1/rules/${id}`)).body;
    for (let n = 0; n < Math.floor(RULE_SET_COST_MAX / cost); n++) await create({ text, state: 'shadow' });
    const costly = await h.call('PATCH', `/v1/rules/${id}`, { state: 'active' });
    expect([costly.status, costly.body.param]).toEqual([422, '/state']);
    expect(costly.body.detail).toContain(`at most ${RULE_SET_COST_MAX}`);
    for (const rule of rules.all)
      if (rule.state === 'shadow') await h.call('PATCH', `/v1/rules/${rule.id}`, { state: 'retired' });
    for (let n = 0; n < RULES_PER_SET_MAX; n++) await create({ text: bets, state: 'shadow' });
    const many = await h.call('POST', '/v1/rules', { program, text: bets, state: 'active' });
    expect([many.status, many.body.param]).toEqual([422, '/state']);
    expect(many.body.detail).toContain(`at most ${RULES_PER_SET_MAX}`);
    expect(evaluated().length).toBe(RULES_PER_SET_MAX);
  });
});
