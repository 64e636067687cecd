/** Whatever the parser is given, it answers, with a rule or with a place in the text; it never throws. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fields } from '#src/domain/rules/fields.js';
import { printRule } from '#src/domain/rules/printer.js';
import { parseRule, ruleFromJson } from '#src/domain/rules/rule.js';
import { renderRuleError } from '#src/domain/rules/rule-error.js';
import { RULE_TEXT_LENGTH_MAX } from '#src/limits.js';
import { rule } from './arbitraries.js';

/** Parses, and checks what must be true of every answer. */
function check(text: string): void {
  const read = parseRule(text);
  if (read.ok) {
    expect(parseRule(printRule(read.checked.rule))).toEqual(read);
    return;
  }
  const { line, column, offset, length } = read.error.at;
  expect(offset + length).toBeLessThanOrEqual(text.length);
  expect(offset).toBeGreaterThanOrEqual(0);
  const lines = text.split('\n');
  expect(lines.slice(0, line - 1).join('\n').length + (line > 1 ? 1 : 0) + column - 1).toBe(offset);
  expect(read.error.message).toMatch(/^[\x20-\x7e]+$/);
  expect(renderRuleError(text, read.error).split('\n')).toHaveLength(3);
}

const words = [
  ...['when', 'then', 'decline', 'reason', 'and', 'or', 'not', 'in', 'starts_with', 'contains', 'present', 'absent'],
  ...['count', 'spent', 'true', 'false', '==', '!=', '<', '<=', '>', '>=', '+', '-', '*', '/', '%', '(', ')', '[', ']'],
  ...[
    ',',
    '..',
    '"',
    '""',
    '"day"',
    '"BR"',
    '59',
    '5411',
    '500_00',
    '0',
    '9007199254740991',
    '#',
    '\n',
    '\\',
    '.',
    '_',
  ],
  ...fields.keys(),
];

const runs = { numRuns: 1000 };

describe('the parser', () => {
  test('answers for any characters', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), check), runs);
  });

  test('answers for any words of the language', () => {
    const soup = fc.array(fc.constantFrom(...words), { maxLength: 60 }).map((list) => list.join(' '));
    fc.assert(fc.property(soup, check), runs);
  });

  test('answers for rules with a part cut out, doubled, or replaced', () => {
    const mutated = fc
      .tuple(
        rule.map(printRule),
        fc.nat(),
        fc.nat({ max: 12 }),
        fc.constantFrom(...words, '', '\u0000', '\ud83d'),
        fc.boolean(),
      )
      .map(([text, at, length, put, doubled]) => {
        const from = at % text.length;
        const part = text.slice(from, from + length);
        return text.slice(0, from) + (doubled ? part + part : put) + text.slice(from + length);
      });
    fc.assert(fc.property(mutated, check), runs);
  });

  test.each(['(', '-', 'not ', '[', '"', '#', 'a.', '1', '1_', 'when ', 'hour + ', 'x', '\\', '\n'])(
    'answers for nothing but %j, as long as a rule can be',
    (piece) => {
      const text = `when ${piece.repeat(RULE_TEXT_LENGTH_MAX / piece.length)}`;
      check(text.slice(0, RULE_TEXT_LENGTH_MAX));
    },
  );
});

describe('the reader of JSON', () => {
  test('answers for any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        const read = ruleFromJson(json);
        expect(!read.ok && read.error.code).toBe('bad_json');
      }),
      runs,
    );
  });

  test('answers for rules with a value replaced, at a place that exists', () => {
    const replacement = fc.oneof(
      fc.jsonValue({ maxDepth: 1 }),
      fc.constantFrom(
        'amount',
        'mcc',
        '==',
        '+',
        'number',
        'text',
        'field',
        'and',
        'in',
        -1,
        1e300,
        2 ** 53,
        '59',
        undefined,
      ),
    );
    fc.assert(
      fc.property(rule, fc.nat(), replacement, (tree, at, put) => {
        const json = JSON.parse(JSON.stringify(tree)) as object;
        replace(json, at, put);
        const read = ruleFromJson(json);
        if (read.ok) expect(parseRule(printRule(read.checked.rule))).toEqual(read);
        else expect(leadsTo(json, read.error.at.pointer)).toBe(true);
      }),
      runs,
    );
  });

  test('takes nothing over that it does not know', () => {
    const json = JSON.parse('{"when":{"kind":"constant","value":true,"__proto__":{"x":1}},"outcome":{}}') as unknown;
    const read = ruleFromJson(json);
    expect(!read.ok && read.error).toEqual({
      code: 'bad_json',
      message: 'there is no property __proto__ here',
      at: { pointer: '/when' },
    });
  });
});

/** Replaces the value number `at` of the document, counted in the order of its properties. */
function replace(json: object, at: number, put: unknown): void {
  const places: [Record<string, unknown>, string][] = [];
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const key of Object.keys(node)) {
      places.push([node as Record<string, unknown>, key]);
      walk((node as Record<string, unknown>)[key]);
    }
  };
  walk(json);
  const [owner, key] = places[at % places.length]!;
  owner[key] = put;
}

/** True when the pointer leads to a value of the document. */
function leadsTo(json: unknown, pointer: string): boolean {
  let node = json;
  for (const key of pointer.split('/').slice(1)) {
    if (typeof node !== 'object' || node === null || !(key in node)) return false;
    node = (node as Record<string, unknown>)[key];
  }
  return true;
}
