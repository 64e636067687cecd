import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { calculate } from '#src/domain/rules/arithmetic.js';
import type { Rule } from '#src/domain/rules/ast.js';
import type { CheckedRule } from '#src/domain/rules/check.js';
import { RuleFacts } from '#src/domain/rules/facts.js';
import { printRule } from '#src/domain/rules/printer.js';
import { parseRule, ruleFromJson } from '#src/domain/rules/rule.js';
import { RuleSet } from '#src/domain/rules/rule-set.js';
import { condition, rule } from './arbitraries.js';
import { matches } from './reference.js';
import { factsOf, fillFacts, situation, usual, usualAccount, WINDOWS } from './situations.js';

/** Random trees may exceed the bound of cost; those say nothing here. */
function checkedOrSkipped(tree: Rule): CheckedRule {
  const read = ruleFromJson(tree, { windows: WINDOWS });
  if (!read.ok) {
    fc.pre(read.error.code !== 'too_costly');
    throw new Error(`${read.error.at.pointer}: ${read.error.message}`);
  }
  return read.checked;
}

describe('random rules', () => {
  test('printed and parsed are the same tree, at the same cost', () => {
    fc.assert(
      fc.property(rule, (tree) => {
        const checked = checkedOrSkipped(tree);
        const parsed = parseRule(printRule(tree), { windows: WINDOWS });
        expect(parsed).toEqual({ ok: true, checked });
        expect(printRule(checked.rule)).toBe(printRule(tree));
      }),
      { numRuns: 1000 },
    );
  });

  test('survive JSON', () => {
    fc.assert(
      fc.property(rule, (tree) => {
        checkedOrSkipped(tree);
        const read = ruleFromJson(JSON.parse(JSON.stringify(tree)));
        expect(read.ok && read.checked.rule).toEqual(tree);
      }),
      { numRuns: 500 },
    );
  });

  test('match exactly where the reference says so, alone and in a set, active and shadow', () => {
    // One buffer for all situations: what one message leaves behind must not reach the next.
    const facts = new RuleFacts();
    const entry = fc.record({ tree: rule, active: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(entry, { minLength: 1, maxLength: 12, size: 'max' }),
        fc.array(situation, { minLength: 1, maxLength: 12 }),
        (entries, list) => {
          const rules = entries.map(({ tree, active }) => ({
            checked: checkedOrSkipped(tree),
            state: active ? ('active' as const) : ('shadow' as const),
            counter: 0,
          }));
          const set = new RuleSet(rules, WINDOWS);
          for (const one of list) {
            const first = set.evaluate(fillFacts(facts, one));
            const expected = entries.map(({ tree }) => matches(tree.when, one));
            expect(entries.map((_, i) => set.hasMatched(i))).toEqual(expected);
            expect(first).toBe(entries.findIndex(({ active }, i) => active && expected[i]));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('hold, do not hold and are unknown about as often: the properties are not empty', () => {
    let held = 0;
    let negated = 0;
    const count = 2000;
    const samples = fc.sample(fc.tuple(condition, situation), { numRuns: count, seed: 11 });
    for (const [when, one] of samples) {
      if (matches(when, one)) held++;
      if (matches({ kind: 'not', operand: when }, one)) negated++;
    }
    for (const share of [held, negated, count - held - negated]) expect(share).toBeGreaterThan(count / 10);
  });
});

describe('division and its rest', () => {
  test('are exact for every safe integer, live and among constants', () => {
    const dividend = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -1000, max: 1000 }));
    const divisor = fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
    fc.assert(
      fc.property(dividend, divisor, (a, b) => {
        const rest = ((BigInt(a) % BigInt(b)) + BigInt(b)) % BigInt(b);
        const quotient = (BigInt(a) - rest) / BigInt(b);
        expect(BigInt(calculate('/', a, b))).toBe(quotient);
        expect(BigInt(calculate('%', a, b))).toBe(rest);
        const read = parseRule(
          `when account.posted / ${b} == ${quotient} and account.posted % ${b} == ${rest} then decline 59 reason "x"`,
        );
        if (!read.ok) throw new Error(read.error.message);
        const facts = factsOf(usual);
        facts.account(usualAccount, 2, { timeMs: 0, creditLimitBefore: 0, postedBefore: a, heldBefore: 0 });
        expect(new RuleSet([{ checked: read.checked, state: 'active', counter: 0 }]).evaluate(facts)).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });
});
