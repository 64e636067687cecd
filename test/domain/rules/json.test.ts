import { describe, expect, test } from 'vitest';
import { printRule } from '#src/domain/rules/printer.js';
import { ruleFromJson } from '#src/domain/rules/rule.js';
import { RULE_DEPTH_MAX, RULE_LIST_MAX } from '#src/limits.js';

const outcome = { action: 'decline', response: '59', reason: 'x' };
const number = (value: unknown): unknown => ({ kind: 'number', value });
const field = (name: unknown): unknown => ({ kind: 'field', name });
const compare = (left: unknown, right: unknown): unknown => ({ kind: 'compare', op: '>', left, right });

/** The pointer, the code and the message; the rule as text when it is one. */
function reading(json: unknown): string {
  const read = ruleFromJson(json);
  if (read.ok) return printRule(read.checked.rule);
  const { code, message, at } = read.error;
  return `${at.pointer} ${code}: ${message}`;
}

const reads = (when: unknown): string => reading({ when, outcome });

function nested(levels: number): unknown {
  let node: unknown = { kind: 'constant', value: true };
  for (let i = 1; i < levels; i++) node = { kind: 'not', operand: node };
  return node;
}

describe('a JSON document that is no rule is refused with its pointer', () => {
  test.each<[string, unknown, string]>([
    ['no object', 5, ' bad_json: expected an object'],
    ['a list', [], ' bad_json: expected an object'],
    ['nothing', null, ' bad_json: expected an object'],
    ['no outcome', { when: nested(1) }, ' bad_json: the property outcome is missing'],
    ['more', { when: nested(1), outcome, wen: 1 }, ' bad_json: there is no property wen here (did you mean when?)'],
    [
      'an approval',
      { when: nested(1), outcome: { ...outcome, action: 'approve' } },
      '/outcome/action bad_json: expected one of decline',
    ],
    [
      'a response that is a number',
      { when: nested(1), outcome: { ...outcome, response: 59 } },
      '/outcome/response bad_json: expected a text',
    ],
    [
      'a refused response',
      { when: nested(1), outcome: { ...outcome, response: '00' } },
      '/outcome/response bad_response: 00 approves, and a rule can only decline',
    ],
    [
      'a reason with capitals',
      { when: nested(1), outcome: { ...outcome, reason: 'Fraud' } },
      '/outcome/reason bad_reason: a reason is a name of at most 40 small letters, digits and underscores, such as suspected_fraud',
    ],
  ])('%s', (_, json, expected) => {
    expect(reading(json)).toBe(expected);
  });

  test.each<[unknown, string]>([
    [5, '/when bad_json: expected an object with a property kind'],
    [{}, '/when bad_json: expected an object with a property kind'],
    [
      { kind: 'adn' },
      `/when/kind bad_json: expected one of constant, and, or, not, compare, in, starts_with, contains, present, absent, field (did you mean and?)`,
    ],
    [
      { kind: 'number', value: 5 },
      `/when/kind bad_json: expected one of constant, and, or, not, compare, in, starts_with, contains, present, absent, field`,
    ],
    [{ kind: 'constant', value: 1 }, '/when/value bad_json: expected true or false'],
    [{ kind: 'and', terms: [nested(1)] }, '/when/terms bad_json: expected at least 2 of them'],
    [{ kind: 'or', terms: {} }, '/when/terms bad_json: expected a list'],
    [
      { kind: 'and', terms: [nested(1), field('hour')] },
      '/when/terms/1 wrong_type: hour is a plain number, no condition: compare it with something',
    ],
    [
      { kind: 'not', operand: { kind: 'compare', op: '=', left: 1, right: 2 } },
      '/when/operand/op bad_json: expected one of ==, !=, <, <=, >, >=',
    ],
    [compare(field('amout'), number(5)), '/when/left unknown_field: there is no field amout (did you mean amount?)'],
    [compare(field(5), number(5)), '/when/left/name bad_json: expected a text'],
    [compare(field('hour'), number(5.5)), '/when/right/value bad_json: expected a whole number within 2^53 - 1'],
    [compare(field('hour'), number('5')), '/when/right/value bad_json: expected a whole number within 2^53 - 1'],
    [compare(field('hour'), number(24)), '/when/right out_of_range: hour is 0 to 23, never 24'],
    [
      compare(field('amount'), { kind: 'number', value: 5, decimals: 1 }),
      '/when/right bad_number: the underscore separates 2, 3 or 4 digits of minor units, as in 500_00',
    ],
    [
      compare(field('amount'), { kind: 'number', value: 5, decimals: 'x' }),
      '/when/right/decimals bad_json: expected a whole number',
    ],
    [
      compare(field('amount'), { kind: 'arithmetic', op: '^', left: number(1), right: number(1) }),
      '/when/right/op bad_json: expected one of +, -, *, /, %',
    ],
    [
      compare(field('amount'), { kind: 'negate', operand: { kind: 'text', value: 5 } }),
      '/when/right/operand/value bad_json: expected a text',
    ],
    [{ kind: 'in', value: field('mcc'), items: [] }, '/when/items bad_json: expected at least 1 of them'],
    [
      { kind: 'in', value: field('mcc'), items: [number(1), { kind: 'range', from: number(5), to: field('mcc') }] },
      '/when/items/1/to bad_json: there is no property name here',
    ],
    [
      { kind: 'in', value: field('mcc'), items: [field('mcc')] },
      '/when/items/0/kind bad_json: expected one of number, text, range',
    ],
    [
      { kind: 'in', value: field('mcc'), items: Array(RULE_LIST_MAX + 1).fill(number(1)) },
      '/when/items list_too_long: a list has at most 500 items here',
    ],
    [
      { kind: 'contains', value: field('merchant'), texts: [{ kind: 'text', value: '' }] },
      '/when/texts/0 out_of_range: merchant is never empty: write absent(...) for a field that was not sent',
    ],
    [{ kind: 'present', value: number(5) }, '/when/value bad_json: expected a field, a count or a spent'],
    [
      { kind: 'absent', value: { kind: 'count', window: '' } },
      "/when/value/window unknown_window: a window's name has 1 to 40 printable ASCII characters",
    ],
    [
      nested(RULE_DEPTH_MAX + 1),
      `/when${'/operand'.repeat(RULE_DEPTH_MAX)} too_deep: a rule nests at most 24 levels deep`,
    ],
  ])('%j', (when, expected) => {
    expect(reads(when)).toBe(expected);
  });
});

describe('a JSON document that is a rule', () => {
  test('is not followed deeper than that, however deep it is', () => {
    expect(reads(nested(100_000))).toBe(
      `/when${'/operand'.repeat(RULE_DEPTH_MAX)} too_deep: a rule nests at most 24 levels deep`,
    );
  });

  test('is not followed deeper into a value either', () => {
    const negated = (levels: number): unknown => {
      let node = field('account.posted');
      for (let i = 1; i < levels; i++) node = { kind: 'negate', operand: node };
      return compare(node, number(1));
    };
    const deepest = RULE_DEPTH_MAX - 1;
    expect(reads(negated(deepest))).toMatch(/^when -{22}account\.posted > 1\n/);
    for (const levels of [deepest + 1, 100_000])
      expect(reads(negated(levels))).toBe(
        `/when/left${'/operand'.repeat(deepest)} too_deep: a rule nests at most 24 levels deep`,
      );
  });

  test('has no more parentheses in its text than it needs', () => {
    const of = (op: string, left: unknown, right: unknown): unknown => ({ kind: 'arithmetic', op, left, right });
    const amount = field('amount');
    const when = (value: unknown): string => reads(compare(value, number(1))).split('\n')[0]!;
    expect(when(of('*', of('/', amount, number(2)), number(3)))).toBe('when amount / 2 * 3 > 1');
    expect(when(of('/', of('*', amount, number(2)), number(3)))).toBe('when amount * 2 / 3 > 1');
    expect(when(of('*', of('%', amount, number(2)), number(3)))).toBe('when amount % 2 * 3 > 1');
    expect(when(of('*', number(3), of('/', amount, number(2))))).toBe('when 3 * (amount / 2) > 1');
    expect(when(of('*', of('+', amount, number(2)), number(3)))).toBe('when (amount + 2) * 3 > 1');
    expect(when(of('-', amount, of('*', amount, number(3))))).toBe('when amount - amount * 3 > 1');
    expect(when(of('-', amount, of('+', amount, number(3))))).toBe('when amount - (amount + 3) > 1');
  });

  test('is read as deep as rules go', () => {
    expect(reads(nested(RULE_DEPTH_MAX))).toMatch(/^when (not ){23}true\n/);
  });

  test('says what its text says', () => {
    const when = {
      kind: 'and',
      terms: [
        {
          kind: 'not',
          operand: {
            kind: 'in',
            value: field('mcc'),
            items: [number(742), { kind: 'range', from: number(3000), to: number(3299) }],
          },
        },
        compare({ kind: 'negate', operand: number(5) }, { kind: 'spent', window: 'day' }),
        { kind: 'starts_with', value: field('merchant'), texts: [{ kind: 'text', value: 'A"\\' }] },
        compare(field('amount'), { kind: 'number', value: -5, decimals: 2 }),
      ],
    };
    // -0_05 is no amount that a message can have.
    expect(reads(when)).toBe('/when/terms/3/right out_of_range: amount is 0 to 999999999999, never -5');
    when.terms[3] = compare(field('account.posted'), { kind: 'number', value: -5, decimals: 2 });
    expect(reads(when)).toBe(
      [
        'when mcc not in [0742, 3000..3299]',
        '  and -(5) > spent("day")',
        '  and merchant starts_with "A\\"\\\\"',
        '  and account.posted > -0_05',
        'then decline 59 reason "x"',
      ].join('\n'),
    );
  });

  test('has no negative zero', () => {
    const read = ruleFromJson({ when: compare(field('account.posted'), number(-0)), outcome });
    expect(read.ok && read.checked.rule.when).toStrictEqual(compare(field('account.posted'), number(0)));
  });

  test('is copied: what the caller changes later changes no rule', () => {
    const items = [number(5411)];
    const read = ruleFromJson({ when: { kind: 'in', value: field('mcc'), items }, outcome });
    items.push(number(5812));
    expect(read.ok && printRule(read.checked.rule)).toContain('mcc in [5411]\n');
  });
});
