/** Controls without a history: reading the object, whose controls apply, what is refused with which figures. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { responseText } from '#src/domain/codes.js';
import { accountControls, type CompiledControls, cardControls } from '#src/domain/controls/compile.js';
import { ControlsCheck } from '#src/domain/controls/controls-check.js';
import { ControlFacts } from '#src/domain/controls/facts.js';
import { FilterVerdict, MerchantFilter, MerchantSet, merchantHash, RangeSet } from '#src/domain/controls/filters.js';
import { defaultMccGroups } from '#src/domain/controls/mcc-groups.js';
import { type ParsedControls, parseControls } from '#src/domain/controls/parse.js';
import { ControlLevel, type ControlsSpec } from '#src/domain/controls/spec.js';
import { controlPointer, defaultControlResponses } from '#src/domain/controls/verdict.js';
import { StateDigest } from '#src/domain/digest.js';
import { MessageInput, Text } from '#src/domain/message.js';
import { accountOwner, CounterChanges, cardOwner } from '#src/domain/velocity/counter-changes.js';
import { VelocityTable } from '#src/domain/velocity/velocity-table.js';
import { WindowClock } from '#src/domain/velocity/window-clock.js';
import { IntlZoneCalendar } from '#src/intl-zone-calendar.js';
import { CONTROL_CASH_WINDOWS_MAX, CONTROL_LIST_MAX, CONTROL_WINDOWS_MAX } from '#src/limits.js';

const NOW = Date.UTC(2026, 4, 20, 12);
const clock = new WindowClock(new IntlZoneCalendar());
const context = { groups: defaultMccGroups, clock };

function parse(json: unknown, level: ControlLevel = ControlLevel.card): ParsedControls {
  return parseControls(json, { level, groups: defaultMccGroups, knowsZone: (zone) => clock.knows(zone) });
}

function spec(json: unknown, level?: ControlLevel): ControlsSpec {
  const parsed = parse(json, level);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.controls;
}

const day = (more: object): object => ({ window: 'day', count: 1, ...more });

describe('reading the object', () => {
  test.each([
    // pointer, where in an object                      object
    ['', null],
    ['', []],
    ['', 'x'],
    ['/mcc', { mcc: ['5411'] }],
    ['/mcc/deny', { mcc: { deny: '5411' } }],
    ['/mcc/only', { mcc: { only: [] } }],
    ['/mcc/deny/0', { mcc: { deny: [10_000] } }],
    ['/mcc/deny/1', { mcc: { deny: ['5411', 541.1] } }],
    ['/mcc/deny/0', { mcc: { deny: ['4000-3000'] } }],
    ['/mcc/deny/0', { mcc: { deny: ['constructor'] } }],
    ['/mcc/deny/0', { mcc: { deny: [null] } }],
    ['/countries/allow/0', { countries: { allow: ['br'] } }],
    ['/countries/allow/0', { countries: { allow: ['000'] } }],
    ['/countries/allow/0', { countries: { allow: [76] } }],
    ['/merchants/deny/0', { merchants: { deny: ['   '] } }],
    ['/merchants/deny/0', { merchants: { deny: ['MERCHANT00000012'] } }],
    ['/merchants/deny/0', { merchants: { deny: ['CAF\u00c9'] } }],
    ['/channels/deny/0', { channels: { deny: ['web'] } }],
    ['/per_transaction', { per_transaction: 0 }],
    ['/per_transaction', { per_transaction: '100' }],
    ['/per_transaction', { per_transaction: 1e12 }],
    ['/cash', { cash: null }],
    ['/cash/amount', { cash: { amount: 1 } }],
    ['/cash/per_transaction', { cash: { per_transaction: -1 } }],
    ['/cash/velocity/0/counts', { cash: { velocity: [day({ counts: 'declines' })] } }],
    ['/velocity', { velocity: {} }],
    ['/velocity/0', { velocity: [7] }],
    ['/velocity/0/window', { velocity: [{ count: 1 }] }],
    ['/velocity/0/window', { velocity: [{ window: 'hour', count: 1 }] }],
    ['/velocity/0/count', { velocity: [{ window: 'day', count: -1 }] }],
    ['/velocity/0/count', { velocity: [{ window: 'day', count: 1_000_001 }] }],
    ['/velocity/0/amount', { velocity: [{ window: 'day', amount: 100_000_000_000_001 }] }],
    ['/velocity/0/seconds', { velocity: [{ window: 'trailing', count: 1 }] }],
    ['/velocity/0/seconds', { velocity: [{ window: 'trailing', count: 1, seconds: 2_678_401 }] }],
    ['/velocity/0/seconds', { velocity: [day({ seconds: 60 })] }],
    ['/velocity/0/zone', { velocity: [{ window: 'lifetime', count: 1, zone: 'UTC' }] }],
    ['/velocity/0/zone', { velocity: [{ window: 'trailing', seconds: 60, count: 1, zone: 'UTC' }] }],
    ['/velocity/0/zone', { velocity: [day({ zone: '+03:00' })] }],
    ['/velocity/0/zone', { velocity: [day({ zone: null })] }],
    ['/velocity/0/starts_on', { velocity: [day({ starts_on: 1 })] }],
    ['/velocity/0/starts_on', { velocity: [day({ window: 'week', starts_on: 1 })] }],
    ['/velocity/0/starts_on', { velocity: [day({ window: 'month', starts_on: 32 })] }],
    ['/velocity/0/starts_on', { velocity: [day({ window: 'year', starts_on: '02-30' })] }],
    ['/velocity/0/starts_on', { velocity: [day({ window: 'year', starts_on: '13-01' })] }],
    ['/velocity/0/starts_on', { velocity: [day({ window: 'year', starts_on: 1 })] }],
    ['/velocity/0/counts', { velocity: [day({ counts: 'all' })] }],
    ['/velocity/0/amount', { velocity: [day({ counts: 'declines', amount: 5 })] }],
    ['/velocity/0/mcc', { velocity: [day({ mcc: 'petrol' })] }],
    ['/velocity/0/mcc/0', { velocity: [day({ mcc: ['petrol'] })] }],
    ['/velocity/0/mcc', { velocity: [day({ mcc: [] })] }],
    ['/velocity/0/mcc/deny/0', { velocity: [day({ mcc: { deny: [-1] } })] }],
    ['/velocity/0/merchants', { velocity: [day({ merchants: 5 })] }],
    ['/velocity/0/limit', { velocity: [day({ limit: 5 })] }],
    ['/velocity/2', { velocity: [day({ mcc: ['5411', 'fuel'] }), day({}), day({ mcc: ['fuel', '5411'] })] }],
    ['/velocity/1', { velocity: [day({}), day({ zone: 'Etc/UTC' })] }],
    ['/velocity/0/per', { velocity: [day({ per: 'card' })] }],
    ['/velocity/0/name', { velocity: [day({ name: '' })] }],
    ['/velocity/0/name', { velocity: [day({ name: 'x'.repeat(41) })] }],
    ['/velocity/0/name', { velocity: [day({ name: 'a "day"' })] }],
    ['/velocity/1/name', { velocity: [day({ name: 'a' }), { window: 'week', count: 1, name: 'a' }] }],
    ['/cash/velocity/0/name', { velocity: [day({ name: 'a' })], cash: { velocity: [day({ name: 'a' })] } }],
  ] as const)('one problem, at %s', (pointer, json) => {
    const parsed = parse(json);
    expect(parsed).toMatchObject({ ok: false });
    if (!parsed.ok) expect(parsed.problems.map((problem) => problem.pointer)).toEqual([pointer]);
  });

  test('all problems at once, at most twenty, and no value in them', () => {
    const secret = '9999991234567890';
    const parsed = parse({
      [secret]: 1,
      mcc: { deny: [secret], allow: [secret] },
      countries: { deny: [secret] },
      merchants: { deny: [`${secret}0`] },
      channels: { deny: [secret] },
      per_transaction: secret,
      velocity: Array.from({ length: 16 }, () => ({ window: secret, zone: secret, [secret]: secret })),
    });
    expect(parsed).toMatchObject({ ok: false });
    if (parsed.ok) return;
    expect(parsed.problems.length).toBe(20);
    expect(parsed.problems.slice(0, 7).map(({ pointer }) => pointer)).toEqual([
      '',
      '/mcc/allow/0',
      '/mcc/deny/0',
      '/countries/deny/0',
      '/merchants/deny/0',
      '/channels/deny/0',
      '/per_transaction',
    ]);
    expect(JSON.stringify(parsed.problems)).not.toContain('999999123');
  });

  test('bounds of lists', () => {
    const codes = Array.from({ length: CONTROL_LIST_MAX + 1 }, (_, i) => i);
    const windows = (count: number): object[] =>
      Array.from({ length: count }, (_, i) => ({ window: 'trailing', seconds: 60 + i, count: 1 }));
    expect(parse({ mcc: { deny: codes.slice(1) }, velocity: windows(CONTROL_WINDOWS_MAX) })).toMatchObject({
      ok: true,
    });
    expect(parse({ mcc: { deny: codes } })).toMatchObject({ problems: [{ pointer: '/mcc/deny' }] });
    expect(parse({ velocity: windows(CONTROL_WINDOWS_MAX + 1) })).toMatchObject({
      problems: [{ pointer: '/velocity' }],
    });
    const cash = (count: number): ParsedControls => parse({ cash: { velocity: windows(count) } });
    expect(cash(CONTROL_CASH_WINDOWS_MAX)).toMatchObject({ ok: true });
    expect(cash(CONTROL_CASH_WINDOWS_MAX + 1)).toMatchObject({ problems: [{ pointer: '/cash/velocity' }] });
  });

  test('any JSON gives an answer', () => {
    const nearly = fc.record(
      { mcc: fc.anything(), velocity: fc.array(fc.anything()), cash: fc.anything(), per_transaction: fc.anything() },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), nearly), (json) => {
        const parsed = parse(json);
        expect(parsed.ok || parsed.problems.length > 0).toBe(true);
      }),
    );
  });

  test('a program may say which windows are per account; the same window for both is two', () => {
    const velocity = [day({}), day({ per: 'account' })];
    expect(parse({ velocity }, ControlLevel.program)).toMatchObject({ ok: true });
    expect(parse({ velocity: [...velocity, day({ per: 'card' })] }, ControlLevel.program)).toMatchObject({
      problems: [{ pointer: '/velocity/2' }],
    });
  });
});

/** One request at a time, with what refused it. */
class Asker {
  readonly table = new VelocityTable(new StateDigest(), 9);
  readonly check = new ControlsCheck(this.table, defaultControlResponses);
  readonly facts = new ControlFacts();
  readonly input = new MessageInput();
  card: CompiledControls | undefined;
  account: CompiledControls | undefined;

  /** `DE39 pointer level/source` and the figures; undefined when everything passes. */
  ask(amount: number, more: Partial<MessageInput> = {}, cashBack = 0): string | undefined {
    Object.assign(this.input, { processingCode: 0, mcc: 5411, country: 76, entryMode: 51 }, more);
    this.facts.readRequest(this.input, amount, cashBack);
    this.check.begin(this.facts, this.card, cardOwner(1), this.account, accountOwner(1), NOW);
    if (this.check.passes()) return undefined;
    const { verdict } = this.check;
    const sides = `${verdict.level}/${verdict.source}`;
    const figures = `${verdict.limit} ${verdict.before} ${verdict.attempted}`;
    return `${responseText(verdict.response)} ${controlPointer(verdict)} ${sides} ${figures}`;
  }

  approve(amount: number): void {
    const changes = new CounterChanges();
    this.check.countApproval(changes, amount);
    this.table.apply(changes, NOW, this.table.rows + 1);
  }
}

const { program, account, card } = ControlLevel;

describe('whose controls apply', () => {
  const defaults = spec(
    {
      mcc: { deny: ['5411'] },
      per_transaction: 100,
      cash: { per_transaction: 10 },
      velocity: [day({ count: 0 }), day({ count: 0, per: 'account' })],
    },
    program,
  );
  const asker = (own: object | undefined, accountOwn?: object): Asker => {
    const one = new Asker();
    one.card = cardControls(own && spec(own), defaults, context);
    one.account = accountControls(accountOwn && spec(accountOwn, account), defaults, context);
    return one;
  };

  test.each([
    ['defaults of the program', undefined, undefined, `57 /mcc/deny ${card}/${program} 0 0 0`],
    ['the card lifts one', { mcc: {} }, undefined, `65 /velocity/0 ${card}/${program} 0 0 1`],
    ['the card replaces one', { mcc: {}, velocity: [] }, undefined, `65 /velocity/1 ${account}/${program} 0 0 1`],
    ['the account lifts its own', { mcc: {}, velocity: [] }, { velocity: [] }, undefined],
    [
      "the account cannot lift the card's",
      undefined,
      { mcc: {}, velocity: [] },
      `57 /mcc/deny ${card}/${program} 0 0 0`,
    ],
    [
      'the card cannot reach over the account',
      { mcc: {}, velocity: [], per_transaction: 1000 },
      { velocity: [], per_transaction: 20 },
      `61 /per_transaction ${account}/${account} 20 0 50`,
    ],
    [
      'the card first, then the account',
      { mcc: { deny: ['5400-5499'] } },
      { mcc: { allow: ['fuel'] } },
      `57 /mcc/deny ${card}/${card} 0 0 0`,
    ],
    [
      "the account's list, when the card's passes",
      { mcc: { allow: [5411] }, velocity: [] },
      { mcc: { allow: ['fuel'] } },
      `57 /mcc/allow ${account}/${account} 0 0 0`,
    ],
  ])('%s', (_what, own, accountOwn, expected) => {
    expect(asker(own, accountOwn).ask(50)).toBe(expected);
  });

  test('null lifts the limit per transaction, an empty cash the limits on cash', () => {
    const lifted = { mcc: {}, velocity: [] };
    const none = { velocity: [] };
    expect(asker(lifted, none).ask(101)).toBe(`61 /per_transaction ${card}/${program} 100 0 101`);
    expect(asker({ ...lifted, per_transaction: null }, none).ask(101)).toBe(undefined);
    expect(asker(lifted, none).ask(11, { processingCode: 10_000 })).toBe(
      `61 /cash/per_transaction ${card}/${program} 10 0 11`,
    );
    expect(asker({ ...lifted, cash: {} }, none).ask(11, { processingCode: 10_000 })).toBe(undefined);
  });

  test('nothing set is nothing to check', () => {
    const one = new Asker();
    one.card = cardControls(undefined, undefined, context);
    expect(one.card.windows.length).toBe(0);
    expect(one.ask(1e12 - 1)).toBe(undefined);
    one.card = undefined;
    expect(one.ask(1)).toBe(undefined);
    one.approve(1);
    expect(one.table.rows).toBe(0);
  });
});

describe('what rules read', () => {
  test('every window by its name, as it was before the request, whether or not it looks at it', () => {
    const one = new Asker();
    const velocity = [
      { window: 'day', amount: 100, name: 'today' },
      { window: 'day', count: 9, mcc: ['fuel'], name: 'fuel today' },
      { window: 'week', count: 9 },
    ];
    one.card = cardControls(spec({ velocity }), undefined, context);
    one.ask(70, { mcc: 5541 });
    one.approve(70);
    one.ask(20);
    const { controls, amounts, counts, selected } = one.check.card;
    const held = controls!.windows.map(({ name }, i) => [name ?? '', amounts[i], counts[i], selected[i]]);
    expect(held.sort()).toEqual([
      ['', 70, 1, 1],
      ['fuel today', 70, 1, 0],
      ['today', 70, 1, 1],
    ]);
  });
});

describe('what is refused', () => {
  test('figures of a window: limit, before, attempted', () => {
    const one = new Asker();
    one.card = cardControls(
      spec({
        velocity: [
          { window: 'week', count: 9 },
          { window: 'day', amount: 100 },
        ],
      }),
      undefined,
      context,
    );
    expect(one.ask(70)).toBe(undefined);
    one.approve(70);
    expect(one.ask(31)).toBe(`61 /velocity/1 ${card}/${card} 100 70 31`);
    expect(one.ask(30)).toBe(undefined);
  });

  test('windows in the order in which they were written, amounts before counts, cash last', () => {
    const windows = [
      { window: 'lifetime', count: 0 },
      { window: 'trailing', seconds: 600, amount: 0 },
      { window: 'month', amount: 0 },
      { window: 'trailing', seconds: 60, amount: 0 },
    ];
    const one = new Asker();
    const asks = (velocity: object[], cash: object[] = []): string | undefined => {
      one.card = cardControls(spec({ velocity, cash: { velocity: cash } }), undefined, context);
      return one.ask(5, { processingCode: 10_000 })?.split(' ')[1];
    };
    expect(asks(windows)).toBe('/velocity/1');
    expect(asks([windows[2]!, windows[3]!])).toBe('/velocity/0');
    expect(asks([windows[0]!], windows.slice(1))).toBe('/velocity/0');
    expect(asks([], [windows[0]!, windows[2]!])).toBe('/cash/velocity/1');
  });

  test.each([
    ['a chip at a shop', { entryMode: 51 }, undefined],
    ['a chip at an ATM', { entryMode: 51, processingCode: 10_000 }, '57 /channels/deny'],
    ['cash over the counter', { entryMode: 51, processingCode: 170_000 }, '57 /channels/deny'],
    ['a purchase with cash back', { entryMode: 51, processingCode: 90_000 }, undefined],
    ['electronic commerce', { entryMode: 812 }, '57 /channels/deny'],
    ['a card on file', { entryMode: 100 }, '57 /channels/deny'],
    ['an unknown entry mode', { entryMode: 999 }, undefined],
    ['no entry mode', { entryMode: -1 }, undefined],
  ])('channels: %s', (_what, more, expected) => {
    const one = new Asker();
    one.card = cardControls(spec({ channels: { deny: ['atm', 'ecommerce'] } }), undefined, context);
    expect(one.ask(5, more, 1)?.slice(0, 17)).toBe(expected);
  });

  test.each([
    ['DE19 allowed', { country: 76 }, 'A SHOP', undefined],
    ['DE19 not allowed, whatever DE43 says', { country: 840 }, 'A SHOP BR', '62 /countries/allow'],
    ['DE43 allowed', { country: -1 }, 'A SHOP BR', undefined],
    ['DE43 not allowed', { country: -1 }, 'A SHOP US', '62 /countries/allow'],
    ['neither', { country: -1 }, 'A SHOP ??', '62 /countries/allow'],
  ])('countries: %s', (_what, more, name, expected) => {
    const one = new Asker();
    one.card = cardControls(spec({ countries: { allow: ['BR', '032'] } }), undefined, context);
    one.input.setText(Text.acceptorName, name.slice(0, 6).padEnd(38) + (name.slice(7) || '  '));
    expect(one.ask(5, more)?.slice(0, 19)).toBe(expected);
  });

  test('of a withdrawal that was approved in part, the part counts, on both sides', () => {
    const one = new Asker();
    const cash = { cash: { velocity: [{ window: 'day', amount: 100 }] } };
    one.card = cardControls(spec(cash), undefined, context);
    one.account = accountControls(spec(cash, account), undefined, context);
    expect(one.ask(80, { processingCode: 10_000 })).toBe(undefined);
    one.approve(30);
    expect(one.ask(71, { processingCode: 10_000 })).toBe(`61 /cash/velocity/0 ${card}/${card} 100 30 71`);
    one.card = undefined;
    expect(one.ask(71, { processingCode: 10_000 })).toBe(`61 /cash/velocity/0 ${account}/${account} 100 30 71`);
  });

  test('an increment is held against the limit per transaction with what was authorized before', () => {
    const one = new Asker();
    one.card = cardControls(spec({ per_transaction: 100, velocity: [day({ count: 0 })] }), undefined, context);
    one.ask(40);
    one.facts.asIncrement(60);
    one.check.begin(one.facts, one.card, 2, undefined, 3, NOW);
    expect(one.check.passes()).toBe(true);
    one.facts.readRequest(one.input, 41, 0);
    one.facts.asIncrement(60);
    one.check.begin(one.facts, one.card, 2, undefined, 3, NOW);
    expect([one.check.passes(), one.check.verdict.attempted]).toEqual([false, 101]);
  });
});

describe('lists', () => {
  test('ranges hold what is in one of them', () => {
    const range = fc
      .tuple(fc.nat({ max: 300 }), fc.nat({ max: 40 }))
      .map(([from, more]) => [from, from + more] as const);
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), (ranges) => {
        const set = new RangeSet(ranges);
        for (let value = 0; value <= 345; value++) {
          expect(set.has(value)).toBe(ranges.some(([from, to]) => from <= value && value <= to));
        }
      }),
    );
    expect(new RangeSet([[0, 9999]]).has(9999)).toBe(true);
  });

  test('merchants are found by their bytes, in any buffer', () => {
    const id = fc
      .string({ minLength: 1, maxLength: 15, unit: fc.constantFrom('A', 'B', '0', ' ') })
      .map((text) => `${text}x`.slice(0, 15));
    fc.assert(
      fc.property(fc.array(id, { maxLength: 60 }), fc.array(id, { maxLength: 20 }), (ids, asked) => {
        const set = new MerchantSet(ids);
        const filter = new MerchantFilter(set, undefined);
        for (const text of [...ids, ...asked]) {
          const bytes = Uint8Array.from(`??${text}??`, (character) => character.charCodeAt(0));
          const hash = merchantHash(bytes, 2, text.length);
          expect(set.has(hash, bytes, 2, text.length)).toBe(ids.includes(text));
          const verdict = ids.includes(text) ? FilterVerdict.pass : FilterVerdict.notAllowed;
          expect(filter.judge(hash, bytes, 2, text.length)).toBe(verdict);
        }
      }),
    );
  });
});
