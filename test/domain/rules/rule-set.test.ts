import { describe, expect, test } from 'vitest';
import { parseRule } from '#src/domain/rules/rule.js';
import { RuleSet, ruleSetProblem, type SetRule } from '#src/domain/rules/rule-set.js';
import { RULE_SET_COST_MAX, RULE_WINDOWS_MAX, RULES_PER_SET_MAX } from '#src/limits.js';
import { bytesPerCall } from '../../support/allocation.js';
import { factsOf, usual, usualAccount, WINDOWS } from './situations.js';

function setRule(condition: string, state: SetRule['state'] = 'active', counter = 0): SetRule {
  const read = parseRule(`when ${condition} then decline 59 reason "x"`);
  if (!read.ok) throw new Error(read.error.message);
  return { checked: read.checked, state, counter };
}

const facts = factsOf({ ...usual, windows: { day: { count: 3, spent: 900_00 } } });

describe('a set of rules', () => {
  test('declines by the first active rule that matches; a shadow rule in front of it is only recorded', () => {
    const set = new RuleSet([
      setRule('hour == 14', 'shadow'),
      setRule('hour == 15'),
      setRule('amount > 100_00'),
      setRule('true'),
      setRule('amount > 500_00', 'shadow'),
      setRule('true', 'shadow'),
    ]);
    expect(set.evaluate(facts)).toBe(2);
    expect([0, 1, 2, 3, 4, 5].map((i) => set.hasMatched(i))).toEqual([true, false, true, true, false, true]);
    expect([...set.matched]).toEqual([0b101101]);
    expect(set.rule(2).checked.rule.outcome).toEqual({ action: 'decline', response: '59', reason: 'x' });
  });

  test('declines nothing when only shadow rules match', () => {
    expect(new RuleSet([setRule('true', 'shadow'), setRule('false')]).evaluate(facts)).toBe(-1);
  });

  test('may be empty', () => {
    const set = new RuleSet([]);
    expect([set.size, set.evaluate(facts)]).toEqual([0, -1]);
  });

  test('forgets what matched before', () => {
    const set = new RuleSet([setRule('amount > 100_00')]);
    expect(set.evaluate(facts)).toBe(0);
    expect(set.evaluate(factsOf({ ...usual, amount: 1 }))).toBe(-1);
    expect(set.hasMatched(0)).toBe(false);
  });

  test('has as many rules as its bound, in more than one word', () => {
    const rules = Array.from({ length: RULES_PER_SET_MAX }, (_, i) =>
      setRule(i % 31 === 0 ? 'hour == 14' : 'hour == 3'),
    );
    const set = new RuleSet(rules);
    expect(set.evaluate(facts)).toBe(0);
    const matched = rules.map((_, i) => i).filter((i) => set.hasMatched(i));
    expect(matched).toEqual([0, 31, 62, 93, 124]);
    expect(set.matched).toHaveLength(4);
  });

  test('reads the windows in the order it was given', () => {
    const rules = [setRule('count("day") == 3'), setRule('spent("day") == 900_00'), setRule('absent(count("week"))')];
    const set = new RuleSet(rules, WINDOWS);
    set.evaluate(facts);
    expect([...set.matched]).toEqual([0b111]);
  });

  test('adds to the statistics of each rule at its own place', () => {
    const evaluated = new Float64Array(5);
    const matched = new Float64Array(5);
    const set = new RuleSet([
      setRule('hour == 14', 'active', 4),
      setRule('hour == 15', 'shadow', 0),
      setRule('true', 'shadow', 2),
    ]);
    for (let i = 0; i < 3; i++) {
      set.evaluate(facts);
      set.count(evaluated, matched);
    }
    expect([...evaluated]).toEqual([3, 0, 3, 0, 3]);
    expect([...matched]).toEqual([0, 0, 3, 0, 3]);
  });

  test('counts matches in every word', () => {
    const set = new RuleSet(Array.from({ length: 70 }, (_, i) => setRule(i % 2 === 0 ? 'true' : 'false', 'shadow', i)));
    const evaluated = new Float64Array(70);
    const matched = new Float64Array(70);
    set.evaluate(facts);
    set.count(evaluated, matched);
    expect([...matched]).toEqual(Array.from({ length: 70 }, (_, i) => 1 - (i % 2)));
    expect([...evaluated]).toEqual(Array(70).fill(1));
  });
});

describe('balances', () => {
  test('of a record take the place of those of the account', () => {
    const set = new RuleSet([
      setRule('account.available == 300_00 and account.utilization == 70 and account.held == 0'),
    ]);
    const past = factsOf(usual);
    expect(set.evaluate(past)).toBe(-1);
    past.account(usualAccount, 2, { timeMs: 0, creditLimitBefore: 1000_00, postedBefore: 700_00, heldBefore: 0 });
    expect(set.evaluate(past)).toBe(0);
  });
});

describe('the bounds of a set', () => {
  const many = (count: number): SetRule[] => Array(count).fill(setRule('hour == 14')) as SetRule[];

  test('are said before it is made', () => {
    expect(ruleSetProblem(many(RULES_PER_SET_MAX), [])).toBeUndefined();
    expect(ruleSetProblem(many(RULES_PER_SET_MAX + 1), [])).toBe('129 rules, at most 128 can be evaluated');
    const costly = setRule(Array(256).fill('hour == 14').join(' or '));
    expect(ruleSetProblem(Array<SetRule>(RULE_SET_COST_MAX / 256).fill(costly), [])).toBeUndefined();
    expect(ruleSetProblem([...Array<SetRule>(RULE_SET_COST_MAX / 256).fill(costly), setRule('true')], [])).toBe(
      'the rules cost 4097 units together, at most 4096',
    );
    const windows = Array.from({ length: RULE_WINDOWS_MAX + 1 }, (_, i) => `w${i}`);
    expect(ruleSetProblem([], windows)).toBe('65 velocity windows, at most 64');
  });

  test('hold when nobody asked', () => {
    expect(() => new RuleSet(many(RULES_PER_SET_MAX + 1))).toThrow('129 rules');
  });
});

const CALLS = 2500;
/** A handful of bytes is the measuring itself; one boxed number per evaluation is 12 and more. */
const BOUND = 6;

describe('an evaluation', () => {
  test('allocates nothing, whatever the rules do', () => {
    const set = new RuleSet(
      [
        'amount * 37 / 3 % 1000 > account.limit - spent("day") * 2',
        '-amount + 5_00 < account.available * 90000',
        'account.limit * 1000000000000 > 1',
        'merchant in ["A", "MERCHANT0000001"] and merchant_name contains "PAULO" and acquirer starts_with "123"',
        'amount in [1..5, 100_00..150_00] and mcc in [5411, 5812] and country not in ["US"]',
        'present(pin) and absent(three_d_secure) and not partial_allowed and transaction_currency == account.currency',
      ].map((condition, i) => setRule(condition, i % 2 === 0 ? 'active' : 'shadow', i)),
      WINDOWS,
    );
    const evaluated = new Float64Array(set.size);
    const matched = new Float64Array(set.size);
    const { input } = facts;
    const times = Float64Array.of(1_700_000_000_000, 1_690_000_000_000);
    const limits = Float64Array.of(5000_00, 99_999_999_999_999);
    const posted = Float64Array.of(1000_00, -7_777_777_777_777);
    const held = Float64Array.of(250_00, 5_555_555_555_555);
    const putCreated = (slot: number, into: Float64Array, at: number): void => {
      into[at] = times[slot]!;
    };
    const cards = { status: () => 2, bin: () => 999_999, putCreated };
    const accounts = { status: () => 1, type: () => 1, putCreated };
    const events = [0, 1].map((i) => ({
      ...{ timeMs: 1_780_000_000_000, creditLimitBefore: limits[i]!, postedBefore: posted[i]!, heldBefore: held[i]! },
    }));
    const places = Int16Array.of(1);
    const declines = new Uint8Array(1);
    const readings = Float64Array.of(900_00, 7, 4_444_444_444_444, 3);
    let declined = 0;
    let calls = 0;
    const bytes = bytesPerCall(CALLS, BOUND, () => {
      for (let i = 0; i < CALLS; i++) {
        input.amount = 1 + ((i * 7919) & 0xffff);
        const event = events[i & 1]!;
        facts.message(input, 986, event);
        facts.card(cards, i & 1);
        facts.account(accounts, i & 1, event);
        facts.windows(places, declines, readings, i & 1);
        if (set.evaluate(facts) >= 0) declined++;
        set.count(evaluated, matched);
      }
      calls += CALLS;
    });
    expect(evaluated[0]).toBe(calls);
    expect(declined).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(BOUND);
  });

  test('the measure sees one boxed number per call', () => {
    let last: object | undefined;
    const bytes = bytesPerCall(CALLS, BOUND, () => {
      for (let i = 0; i < CALLS; i++) last = { i };
    });
    expect(last).toEqual({ i: CALLS - 1 });
    expect(bytes).toBeGreaterThan(BOUND);
  });
});
