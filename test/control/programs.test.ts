/** Programs through the API, into the system journal, and on to real shards. */
import { beforeEach, describe, expect, it } from 'vitest';
import { ShardError } from '#src/control/ports.js';
import { applyPrograms, readProgram } from '#src/control/program-file.js';
import { SANDBOX_PROGRAM } from '#src/control/system-state.js';
import { EventKind } from '#src/domain/codes.js';
import type { Command } from '#src/domain/commands.js';
import { printTables } from '#src/domain/program/print.js';
import { defaultProgramTables } from '#src/domain/program/tables.js';
import { PROGRAM_RETRY_MS } from '#src/limits.js';
import { type Harness, makeHarness, restart, START_MS } from './harness.js';

const SHARDS = [0, 1, 2, 3];
const gold = { id: 'gold', currency: 'BRL', bins: ['400000'], sandbox: true };

let h: Harness;
beforeEach(() => {
  h = makeHarness();
});

/** Revision of the program in every shard; 0 where it has none. */
async function inShards(on: Harness, id: string): Promise<number[]> {
  const { index } = on.context.system.program(id)!;
  return Promise.all(
    SHARDS.map(async (shard) => {
      const read = await on.engine.read(shard, { op: 'programs' });
      if (!read.ok || !('programs' in read)) throw new Error('no programs');
      return read.programs.find(({ program }) => program === index)?.revision ?? 0;
    }),
  );
}

const isApply = (command: Command): boolean => command.op === 'apply_program';

describe('a program', () => {
  it('shows the tables that were set and those that are in effect', async () => {
    const created = await h.call('POST', '/v1/programs', { ...gold, tables: { pin: { tries: 5 } } });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ object: 'program', revision: 1, tables: { pin: { tries: 5 } }, controls: {} });
    expect(created.body.effective_tables).toEqual(
      JSON.parse(JSON.stringify(printTables({ ...defaultProgramTables, pinTries: 5 }))),
    );
    expect((await h.call('GET', '/v1/programs/gold')).body).toEqual(created.body);
  });

  it('is in every shard when it is answered, and so is every change', async () => {
    await h.call('POST', '/v1/programs', gold);
    expect(await inShards(h, 'gold')).toEqual([1, 1, 1, 1]);
    const changed = await h.call('PATCH', '/v1/programs/gold', { controls: { per_transaction: 500 } });
    expect(changed.body).toMatchObject({ revision: 2, controls: { per_transaction: 500 } });
    expect(await inShards(h, 'gold')).toEqual([2, 2, 2, 2]);
    const { index } = h.context.system.program('gold')!;
    for (const shard of SHARDS) {
      const { sequence } = h.engine.head(shard);
      expect(h.engine.readEvent(shard, sequence)).toMatchObject({
        kind: EventKind.programApplied,
        program: index,
        revision: 2,
        text: h.context.system.program('gold')!.snapshot,
      });
    }
  });

  it('takes the named tables of a change, whole, and null for the default', async () => {
    await h.call('POST', '/v1/programs', {
      ...gold,
      tables: { pin: { tries: 5 }, fuel: { amount: 20_000, minimum: 500 }, forbidden: ['11'] },
    });
    const patch = async (body: object): Promise<unknown> =>
      (await h.call('PATCH', '/v1/programs/gold', body)).body.tables;
    expect(await patch({ tables: { fuel: { amount: 30_000 } } })).toEqual({
      pin: { tries: 5 },
      fuel: { amount: 30_000 },
      forbidden: ['11'],
    });
    expect(await patch({ tables: { forbidden: null, fees: { cash: { flat: 100 } } } })).toEqual({
      pin: { tries: 5 },
      fuel: { amount: 30_000 },
      fees: { cash: { flat: 100 } },
    });
    const { body } = await h.call('PATCH', '/v1/programs/gold', { tables: null, controls: null, product: 'prepaid' });
    expect(body).toMatchObject({ revision: 4, tables: {}, controls: {}, product: 'prepaid' });
    expect(body.effective_tables).toEqual(JSON.parse(JSON.stringify(printTables(defaultProgramTables))));
  });

  it('keeps every revision, also across a restart', async () => {
    const first = (await h.call('POST', '/v1/programs', gold)).body;
    h.engine.nowMs += 1000;
    const second = (await h.call('PATCH', '/v1/programs/gold', { tables: { pin: { tries: 4 } } })).body;
    const third = (await h.call('PATCH', '/v1/programs/gold', { name: 'Gold' })).body;
    for (const on of [h, restart(h)]) {
      expect((await on.call('GET', '/v1/programs/gold?revision=1')).body).toEqual(first);
      expect((await on.call('GET', '/v1/programs/gold?revision=2')).body).toEqual(second);
      const whole = await on.call('GET', '/v1/programs/gold/revisions');
      expect(whole.body).toEqual({ object: 'list', data: [third, second, first], has_more: false });
      const page = await on.call('GET', '/v1/programs/gold/revisions?limit=1&starting_after=3');
      expect(page.body).toEqual({ object: 'list', data: [second], has_more: true });
      const none = await on.call('GET', '/v1/programs/gold?revision=4');
      expect([none.status, none.body.code]).toEqual([404, 'not_found']);
      const bad = await on.call('GET', '/v1/programs/gold?revision=0');
      expect([bad.status, bad.body.param]).toEqual([400, 'revision']);
      expect((await on.call('GET', '/v1/programs/silver/revisions')).status).toBe(404);
    }
  });

  it.each<[pointer: string, body: object]>([
    ['/tables/hold_life/0/days', { tables: { hold_life: [{ name: 'all', days: 40 }] } }],
    ['/tables/responses/all/card_closed', { tables: { responses: { all: { card_closed: '00' } } } }],
    ['/tables/responses/all/card_paused', { tables: { responses: { all: { card_paused: '68' } } } }],
    ['/tables/fees/cash/flat', { tables: { fees: { cash: { flat: -1 } } } }],
    ['/tables/colours', { tables: { colours: {} } }],
    ['/controls/velocity/0/zone', { controls: { velocity: [{ window: 'day', count: 1, zone: 'Mars/Base' }] } }],
    ['/controls/mcc/deny/0', { controls: { mcc: { deny: ['toys'] } } }],
    ['/tables', { tables: 5 }],
    ['/tables/__proto__', JSON.parse('{"tables":{"__proto__":{"pin":{"tries":5}}}}') as object],
    ['/controls/__proto__', JSON.parse('{"controls":{"__proto__":{"per_transaction":5}}}') as object],
    ['/tables/responses/all/__proto__', JSON.parse('{"tables":{"responses":{"all":{"__proto__":"57"}}}}') as object],
  ])('with a problem at %s is refused, and nothing is written', async (pointer, body) => {
    await h.call('POST', '/v1/programs', gold);
    const records = h.log.records.length;
    for (const answer of [
      await h.call('POST', '/v1/programs', { ...gold, id: 'other', ...body }),
      await h.call('PATCH', '/v1/programs/gold', { name: 'changed', ...body }),
    ]) {
      expect([answer.status, answer.body.code, answer.body.param]).toEqual([422, 'validation_failed', pointer]);
      expect(answer.body.errors).toMatchObject([{ pointer, detail: expect.any(String) }]);
    }
    expect(h.log.records.length).toBe(records);
    expect(await inShards(h, 'gold')).toEqual([1, 1, 1, 1]);
  });

  it('shares no range of card numbers with another live program, and names it', async () => {
    const create = (id: string, bins: string[], more: object = {}) =>
      h.call('POST', '/v1/programs', { id, currency: 'BRL', bins, ...more });
    expect((await create('one', ['999991', '99999200'])).status).toBe(201);
    for (const bins of [['999991'], ['99999100'], ['999992'], ['99999200']]) {
      const { status, body } = await create('two', ['999993', ...bins]);
      expect([status, body.code, body.param]).toEqual([422, 'validation_failed', '/bins/1']);
      expect(body.detail).toContain('program one');
    }
    expect((await create('two', ['99999201', '999993'])).status).toBe(201);
    expect((await create('sandbox', ['999991'], { sandbox: true })).status).toBe(201);
    const moved = await h.call('PATCH', '/v1/programs/two', { bins: ['99999200'] });
    expect([moved.status, moved.body.param]).toEqual([422, '/bins/0']);
    // What it gives up another one may have; what it has it keeps.
    await h.call('PATCH', '/v1/programs/one', { bins: ['999991'] });
    expect((await h.call('PATCH', '/v1/programs/two', { bins: ['99999200', '99999201'] })).status).toBe(200);
  });

  it('keeps response codes of an earlier release, and takes no others that mislead a network', async () => {
    await h.call('POST', '/v1/programs', { ...gold, tables: { responses: { all: { card_paused: 'X5' } } } });
    const { records } = h.log;
    records.forEach((record, at) => {
      records[at] = JSON.parse(JSON.stringify(record).replaceAll('X5', '05')) as (typeof records)[number];
    });
    h = restart(h);
    const renamed = await h.call('PATCH', '/v1/programs/gold', { name: 'Gold' });
    expect([renamed.status, renamed.body.tables]).toEqual([200, { responses: { all: { card_paused: '05' } } }]);
    const responses = { all: { card_paused: '05', card_lost: '05' } };
    const refused = await h.call('PATCH', '/v1/programs/gold', { tables: { responses } });
    expect([refused.status, refused.body.param]).toEqual([422, '/tables/responses/all/card_lost']);
    expect(refused.body.detail).toContain('says nothing');
  });

  it('never loses a category group, because controls of cards may name it', async () => {
    await h.call('POST', '/v1/programs', { ...gold, tables: { mcc_groups: { toys: ['5945'] } } });
    for (const groups of [null, {}, { pets: ['5995'] }]) {
      const answer = await h.call('PATCH', '/v1/programs/gold', { tables: { mcc_groups: groups } });
      expect([answer.status, answer.body.param]).toEqual([422, '/tables/mcc_groups']);
      expect(answer.body.detail).toContain('the group toys');
    }
    const kept = await h.call('PATCH', '/v1/programs/gold', { tables: { mcc_groups: { toys: [], pets: ['5995'] } } });
    expect(kept.body.effective_tables.mcc_groups).toMatchObject({ toys: [], pets: ['5995'], fuel: expect.anything() });
  });

  it('is asked by the decisions of its cards from the answer on', async () => {
    await h.call('POST', '/v1/programs', gold);
    await h.call('POST', '/v1/accounts', { id: 'acc', program: 'gold', credit_limit: 100_000 });
    const card = (await h.call('POST', '/v1/cards', { account: 'acc', expiry: '2912' })).body.id;
    const pay = async (): Promise<unknown> => {
      const { body } = await h.call('POST', '/v1/simulate/authorization', { card, amount: 5000 });
      return body.authorization.response_code;
    };
    expect(await pay()).toBe('00');
    await h.call('PATCH', '/v1/programs/gold', { controls: { per_transaction: 4999 } });
    expect(await pay()).toBe('61');
    await h.call('PATCH', '/v1/programs/gold', { tables: { responses: { all: { transaction_limit: '13' } } } });
    expect(await pay()).toBe('13');
    await h.call('PATCH', '/v1/programs/gold', { controls: null, tables: { forbidden: ['00'] } });
    expect(await pay()).toBe('57');
    h = restart(h);
    expect(await pay()).toBe('57');
  });
});

describe('changes at the same time', () => {
  it('are revisions one behind the other, and every shard ends with the last', async () => {
    await h.call('POST', '/v1/programs', gold);
    const tries = [4, 5, 6, 7, 8];
    const answers = await Promise.all(
      tries.map((count) => h.call('PATCH', '/v1/programs/gold', { tables: { pin: { tries: count } } })),
    );
    expect(answers.map(({ body }) => body.revision).sort()).toEqual([2, 3, 4, 5, 6]);
    expect(await inShards(h, 'gold')).toEqual([6, 6, 6, 6]);
    for (const { body } of answers) {
      const kept = await h.call('GET', `/v1/programs/gold?revision=${body.revision}`);
      expect(kept.body.tables).toEqual(body.tables);
    }
  });
});

describe('a write with an Idempotency-Key', () => {
  it('is done once', async () => {
    const key = { 'idempotency-key': 'k' };
    const first = await h.call('POST', '/v1/programs', gold, key);
    const again = await h.call('POST', '/v1/programs', gold, key);
    expect([again.status, again.body, again.headers['idempotent-replayed']]).toEqual([201, first.body, 'true']);
    const patch = (): ReturnType<Harness['call']> =>
      h.call('PATCH', '/v1/programs/gold', { name: 'x' }, { 'idempotency-key': 'p' });
    expect((await patch()).body.revision).toBe(2);
    expect((await patch()).body.revision).toBe(2);
    expect((await h.call('GET', '/v1/programs/gold')).body.revision).toBe(2);
  });

  it('that a shard did not confirm is not answered as done before every shard has it', async () => {
    const key = { 'idempotency-key': 'k' };
    h.engine.before = (command) => {
      if (isApply(command)) throw new ShardError('timeout', 0);
    };
    const failed = await h.call('POST', '/v1/programs', gold, key);
    expect([failed.status, failed.body.code]).toEqual([504, 'outcome_unknown']);
    expect((await h.call('POST', '/v1/programs', gold, key)).status).toBe(504);
    h.engine.before = () => undefined;
    const again = await h.call('POST', '/v1/programs', gold, key);
    expect([again.status, again.body.revision]).toEqual([201, 1]);
    expect(await inShards(h, 'gold')).toEqual([1, 1, 1, 1]);
  });
});

describe('shards that miss a revision', () => {
  /** Shards in `down` are out of service. */
  function takeDown(on: Harness, down: Set<number>): void {
    const { command, read } = on.engine;
    on.engine.command = async (shard, one) =>
      down.has(shard) ? { ok: false, code: 'shard_unavailable' } : command.call(on.engine, shard, one);
    on.engine.read = async (shard, one) =>
      down.has(shard) ? { ok: false, code: 'shard_unavailable' } : read.call(on.engine, shard, one);
  }

  it('get it at the next start when the process died in between', async () => {
    await h.call('POST', '/v1/programs', gold);
    // The system journal has it, and one shard of four: the process ends here.
    h.engine.before = (command) => {
      if (isApply(command) && h.engine.commands.filter(isApply).length > 9) throw new ShardError('stopped', 1);
    };
    const cut = await h.call('PATCH', '/v1/programs/gold', { name: 'Gold' });
    expect([cut.status, cut.body.code]).toEqual([504, 'outcome_unknown']);
    const next = restart(h);
    expect((await next.call('GET', '/v1/programs/gold')).body.revision).toBe(2);
    expect([...(await inShards(next, 'gold'))].sort()).toEqual([1, 1, 1, 2]);
    await next.context.programs.start();
    expect(await inShards(next, 'gold')).toEqual([2, 2, 2, 2]);
    const heads = SHARDS.map((shard) => next.engine.head(shard).sequence);
    await next.context.programs.start();
    expect(SHARDS.map((shard) => next.engine.head(shard).sequence)).toEqual(heads);
  });

  it('get it when they are back in service; the write does not wait for them', async () => {
    const down = new Set([2]);
    takeDown(h, down);
    const created = await h.call('POST', '/v1/programs', gold);
    expect(created.status).toBe(201);
    down.clear();
    expect(await inShards(h, 'gold')).toEqual([1, 1, 0, 1]);
    await expect.poll(() => inShards(h, 'gold'), { timeout: 10 * PROGRAM_RETRY_MS }).toEqual([1, 1, 1, 1]);
  });

  it('are asked no more once the control plane stops', async () => {
    const down = new Set([2]);
    takeDown(h, down);
    await h.call('POST', '/v1/programs', gold);
    h.context.programs.stop();
    down.clear();
    await new Promise((resolve) => setTimeout(resolve, 1.5 * PROGRAM_RETRY_MS));
    expect(await inShards(h, 'gold')).toEqual([1, 1, 0, 1]);
  });
});

describe('a program of an earlier release', () => {
  it('goes on with the defaults until it is changed, then with its tables', async () => {
    const old = {
      type: 'program' as const,
      index: 1,
      version: 3,
      createdMs: START_MS,
      atMs: START_MS,
      program: { ...gold, name: 'Gold', product: 'credit' as const, tables: { hold_life: [] }, controls: {} },
    };
    h.context.system.write([old]);
    await h.context.programs.start();
    expect(await inShards(h, 'gold')).toEqual([0, 0, 0, 0]);
    const { body } = await h.call('GET', '/v1/programs/gold');
    expect(body).toMatchObject({ revision: 3, tables: { hold_life: [] } });
    expect(body.effective_tables).toEqual(JSON.parse(JSON.stringify(printTables(defaultProgramTables))));
    const refused = await h.call('PATCH', '/v1/programs/gold', { name: 'x' });
    expect([refused.status, refused.body.param]).toEqual([422, '/tables/hold_life']);
    const changed = await h.call('PATCH', '/v1/programs/gold', { tables: { hold_life: null } });
    expect(changed.body).toMatchObject({ revision: 4, tables: {} });
    expect(await inShards(h, 'gold')).toEqual([4, 4, 4, 4]);
  });
});

describe('the file of programs', () => {
  function program(value: object) {
    const read = readProgram({ bins: ['400000'], currency: 'BRL', ...value });
    if (!read.ok) throw new Error(JSON.stringify(read.problems));
    return read.program;
  }

  const revisions = (): [string, number][] =>
    h.context.system.programs.map((row) => [row.program.id, row.revision] as [string, number]);

  it('gives no live program card numbers of one that it does not name, and lets those that it names swap theirs', () => {
    const { system } = h.context;
    const [a, b] = [program({ id: 'a', bins: ['999991'] }), program({ id: 'b', bins: ['999992'] })];
    applyPrograms(system, [a, b], START_MS);
    const other = program({ id: 'c', bins: ['99999200'] });
    expect(() => applyPrograms(system, [a, other], START_MS)).toThrow(
      /program c: \/bins\/0: .* program b, which is live/,
    );
    applyPrograms(
      system,
      [
        { ...a, bins: b.bins },
        { ...b, bins: a.bins },
      ],
      START_MS,
    );
    expect(system.program('a')?.program.bins).toEqual(['999992']);
  });

  it('creates programs, changes those that differ, and leaves the others alone', () => {
    const { system } = h.context;
    const file = [program({ id: 'a' }), program({ id: 'b', tables: { pin: { tries: 4 } } })];
    applyPrograms(system, file, START_MS);
    applyPrograms(system, file, START_MS);
    expect(revisions()).toEqual([
      [SANDBOX_PROGRAM, 1],
      ['a', 1],
      ['b', 1],
    ]);
    applyPrograms(system, [program({ id: 'b' })], START_MS);
    expect(revisions()).toEqual([
      [SANDBOX_PROGRAM, 1],
      ['a', 1],
      ['b', 2],
    ]);
    expect(system.program('b')!.program.tables).toEqual({});
  });

  it('that cannot be applied changes nothing', () => {
    const { system } = h.context;
    applyPrograms(system, [program({ id: 'a', tables: { mcc_groups: { toys: [] } } })], START_MS);
    for (const [wrong, message] of [
      [program({ id: 'a', currency: 'USD', tables: { mcc_groups: { toys: [] } } }), /program a: \/currency: is fixed/],
      [program({ id: 'a', sandbox: true, tables: { mcc_groups: { toys: [] } } }), /program a: \/sandbox: is fixed/],
      [program({ id: 'a' }), /program a: \/tables\/mcc_groups: must keep the group toys/],
    ] as const) {
      const file = [program({ id: 'new' }), wrong];
      expect(() => applyPrograms(system, file, START_MS)).toThrow(
        expect.objectContaining({ code: 'bad_input_file', message: expect.stringMatching(message) }),
      );
    }
    expect(revisions()).toEqual([
      [SANDBOX_PROGRAM, 1],
      ['a', 1],
    ]);
  });
});
