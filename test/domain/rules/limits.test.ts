/** Rules at the limits, each of them; random texts and documents are the business of the fuzz target (test/fuzz/targets/rules.ts). */
import { describe, expect, test } from 'vitest';
import { ruleFromJson } from '#src/domain/rules/rule.js';
import { RULE_TEXT_LENGTH_MAX } from '#src/limits.js';
import { text as judge } from '../../fuzz/targets/rules.js';

describe('the parser', () => {
  test.each(['(', '-', 'not ', '[', '"', '#', 'a.', '1', '1_', 'when ', 'hour + ', 'x', '\\', '\n'])(
    'answers for nothing but %j, as long as a rule can be',
    (piece) => {
      const text = `when ${piece.repeat(RULE_TEXT_LENGTH_MAX / piece.length)}`.slice(0, RULE_TEXT_LENGTH_MAX);
      expect(judge(Buffer.from(text))).toBe('refused');
    },
  );
});

describe('the reader of JSON', () => {
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
