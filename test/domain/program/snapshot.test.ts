/** Snapshots of programs: what is in one, and the policies that shards make of them. */
import { describe, expect, test } from 'vitest';
import { applyEvent } from '#src/domain/apply.js';
import type { PlainEvent } from '#src/domain/events.js';
import { applyProgram } from '#src/domain/program/apply-program.js';
import { Policies, PolicyBook } from '#src/domain/program/policy.js';
import { type MadeSnapshot, makeSnapshot, type ProgramSource, readSnapshot } from '#src/domain/program/snapshot.js';
import { defaultProgramTables } from '#src/domain/program/tables.js';
import { ShardState } from '#src/domain/shard-state.js';
import { IntlZoneCalendar } from '#src/intl-zone-calendar.js';
import { PROGRAM_SNAPSHOT_BYTES_MAX } from '#src/limits.js';
import { dialects } from './arbitraries.js';

const calendar = new IntlZoneCalendar();
const context = { dialects, knowsZone: (zone: string) => calendar.knows(zone) };
const gold: ProgramSource = {
  id: 'gold',
  currency: 'BRL',
  product: 'credit',
  sandbox: false,
  tables: {},
  controls: {},
  rules: [],
};

function make(more: Partial<ProgramSource>, revision = 1): MadeSnapshot {
  return makeSnapshot({ ...gold, ...more }, revision, context);
}

function text(more: Partial<ProgramSource>, revision = 1): string {
  const made = make(more, revision);
  if (!made.ok) throw new Error(JSON.stringify(made.problems));
  return made.text;
}

describe('a snapshot', () => {
  test('has the defaults filled in', () => {
    // Part of the journal: a reader of every release must understand it.
    expect(JSON.parse(text({ tables: { pin: { tries: 4 }, fuel: { amount: 10_000 } } }, 7))).toEqual({
      format: 1,
      revision: 7,
      id: 'gold',
      currency: 'BRL',
      product: 'credit',
      sandbox: false,
      tables: {
        hold_life: [
          { name: 'automated fuel', days: 2, mcc: ['5542', '5552'] },
          { name: 'lodging, car rental, cruise', days: 30, mcc: ['lodging', 'car_rental', 'cruise'] },
          { name: 'estimated amount', days: 30, functions: ['E'] },
          { name: 'pre-authorization', days: 30, conditions: ['06'] },
          { name: 'merchant-initiated', days: 5, entry_modes: ['10'], except_conditions: ['59'] },
          { name: 'card not present, electronic commerce', days: 10, entry_modes: ['81', '10'] },
          { name: 'card present', days: 5, entry_modes: ['02', '05', '07', '90', '91', '95'] },
          { name: 'card not present', days: 10, conditions: ['01', '08', '15', '59'] },
          { name: 'anything else', days: 7 },
        ],
        tolerance: { restaurants: 20, lodging: 15, car_rental: 15 },
        clearing: { release_rest: true, markup_basis_points: 0 },
        fuel: { mcc: ['5542'], status_check: 1, amount: 10_000, when_short: 'hold_available', minimum: 100 },
        mcc_groups: expect.objectContaining({ lodging: ['3501-3999', '7011'], taxes: ['9311'] }),
        responses: {},
        forbidden: [],
        partial_approval: true,
        pin: { tries: 4 },
        cryptography: {},
        fees: { cash: { flat: 0, basis_points: 0, minimum: 0 }, late: 0, returned_payment: 0 },
        interest: { purchases: 0, cash: 0, fees: 0, grace: false },
        statement: {
          ...{ day: 'none', due_days: 20, minimum_basis_points: 1000, minimum_amount: 0, monthly_fee: 0 },
        },
      },
      controls: {},
      rules: [],
    });
  });

  test('is read as it was made', () => {
    const rules = [
      { id: 'r', version: 3, state: 'active', text: 'when amount > 5 then decline 61 reason "r"' },
    ] as const;
    const controls = { velocity: [{ window: 'day', zone: 'America/Sao_Paulo', count: 3 }] };
    const snapshot = readSnapshot(text({ controls, rules }, 9), { dialects });
    expect(snapshot).toMatchObject({ revision: 9, rules, tables: defaultProgramTables });
    expect(snapshot.controls.velocity).toMatchObject([{ zone: 'America/Sao_Paulo', count: 3 }]);
  });

  test('of an earlier release is read with codes that are refused now, and a change may keep them', () => {
    const tables = { responses: { all: { card_paused: '05', card_lost: '08' } } };
    const old = text({}).replace('"responses":{}', `"responses":${JSON.stringify(tables.responses)}`);
    expect(readSnapshot(old, { dialects }).tables.responses).toEqual(tables.responses);
    expect(make({ tables })).toMatchObject({
      ok: false,
      problems: [{ pointer: '/tables/responses/all/card_paused' }, { pointer: '/tables/responses/all/card_lost' }],
    });
    const recorded = { all: { card_paused: '05', card_lost: '05' } };
    expect(makeSnapshot({ ...gold, tables }, 2, { ...context, recorded })).toMatchObject({
      ok: false,
      problems: [{ pointer: '/tables/responses/all/card_lost' }],
    });
  });

  test.each<[pointer: string, program: Partial<ProgramSource>]>([
    ['/tables', { tables: [] }],
    ['/tables/fuel/amount', { tables: { fuel: { amount: '1' } } }],
    ['/controls', { controls: null }],
    ['/controls/velocity/0/zone', { controls: { velocity: [{ window: 'day', zone: 'Mars/Base', count: 1 }] } }],
    ['/controls/mcc/deny/0', { controls: { mcc: { deny: ['toys'] } } }],
  ])('is not made of a program with a problem at %s', (pointer, program) => {
    expect(make(program)).toEqual({ ok: false, problems: [{ pointer, detail: expect.any(String) }] });
  });

  test('is not made, and tells what is wrong with tables and controls together; without its groups no controls', () => {
    const controls = { mcc: { deny: ['toys'] }, per_transaction: 0.5 };
    const pointers = (tables: object): string[] => {
      const made = make({ tables, controls });
      return made.ok ? [] : made.problems.map(({ pointer }) => pointer);
    };
    const tables = { pin: { tries: 99 }, mcc_groups: { toys: ['5945'] } };
    expect(pointers(tables)).toEqual(['/tables/pin/tries', '/controls/per_transaction']);
    expect(pointers({ ...tables, mcc_groups: { toys: ['x'] } })).toEqual([
      '/tables/mcc_groups/toys/0',
      '/tables/pin/tries',
    ]);
  });

  test('controls may name groups of the program', () => {
    expect(make({ tables: { mcc_groups: { toys: ['5945'] } }, controls: { mcc: { deny: ['toys'] } } }).ok).toBe(true);
  });

  test('is bounded', () => {
    const rule = { id: 'r', version: 1, state: 'active', text: 'x'.repeat(16_000) } as const;
    const made = make({ rules: Array(20).fill(rule) });
    expect(made).toEqual({
      ok: false,
      problems: [{ pointer: '', detail: expect.stringContaining(`at most ${PROGRAM_SNAPSHOT_BYTES_MAX}`) }],
    });
  });

  test('of another format is refused', () => {
    expect(() => readSnapshot(text({}).replace('"format":1', '"format":2'), { dialects })).toThrow(/format 2/);
  });
});

describe('the policies of a thread', () => {
  /** Two shards of a thread. */
  function thread(): { states: ShardState[]; policies: Policies[]; send(shard: number, revision: number): number } {
    const book = new PolicyBook(dialects);
    const states = [new ShardState(0), new ShardState(1)];
    const policies = states.map((state) => new Policies(state.programs, book));
    let sequence = 0;
    const send = (shard: number, revision: number): number => {
      const state = states[shard]!;
      const command = {
        op: 'apply_program',
        program: 3,
        revision,
        text: text({ tables: { pin: { tries: revision } } }, revision),
      } as const;
      const result = applyProgram(state, command, 1000, (event: PlainEvent) => {
        event.sequence = ++sequence;
        applyEvent(state, event);
      });
      return result.ok ? result.sequence : -1;
    };
    return { states, policies, send };
  }

  test('are the defaults until a snapshot comes', () => {
    const { policies, send } = thread();
    expect(policies[0]!.of(3)).toMatchObject({ revision: 0, tables: { pinTries: 3 } });
    send(0, 5);
    expect(policies[0]!.of(3)).toMatchObject({ revision: 5, tables: { pinTries: 5 } });
    expect(policies[0]!.of(2).revision).toBe(0);
    expect(policies[1]!.of(3).revision).toBe(0);
  });

  test('follow the newest revision; an older one or the same again changes nothing', () => {
    const { policies, send } = thread();
    expect([send(0, 5), send(0, 5), send(0, 4), send(0, 6)]).toEqual([1, 0, 0, 2]);
    expect(policies[0]!.of(3).revision).toBe(6);
  });

  test('are compiled once for all shards', () => {
    const { policies, send } = thread();
    send(0, 5);
    send(1, 5);
    expect(policies[0]!.of(3)).toBe(policies[1]!.of(3));
    send(0, 6);
    const [newer, older] = [policies[0]!.of(3), policies[1]!.of(3)];
    expect([newer.revision, older.revision]).toEqual([6, 5]);
    expect([policies[0]!.of(3), policies[1]!.of(3)]).toEqual([newer, older]);
    send(1, 6);
    expect(policies[1]!.of(3)).toBe(newer);
  });

  test('have controls, groups and rules', () => {
    const state = new ShardState(0);
    const policies = new Policies(state.programs, new PolicyBook(dialects));
    const program = {
      tables: { mcc_groups: { toys: ['5945'] } },
      controls: { mcc: { deny: ['toys'] } },
      rules: [
        { id: 'a', version: 1, state: 'shadow', text: 'when amount > 5 then decline 61 reason "r"' },
        { id: 'b', version: 2, state: 'active', text: 'when count("often") > 2 then decline 62 reason "s"' },
      ],
    } as const;
    state.programs.set(0, text(program), 1, 1);
    const { limits } = policies.of(0);
    expect(limits.controls).toEqual({ mcc: { deny: ['toys'] } });
    expect(limits.groups.toys).toEqual([5945]);
    expect(limits.windows).toEqual(['often']);
    expect([limits.rules?.size, limits.rules?.rule(0).state, limits.rules?.rule(1).state]).toEqual([
      2,
      'shadow',
      'active',
    ]);
    state.programs.set(1, text({}), 1, 2);
    expect(policies.of(1).limits).toMatchObject({ controls: undefined, rules: undefined, windows: [] });
  });
});
