/** The page of the rules' language holds: its examples parse, its errors are those, its tables have everything. */
import { describe, expect, test } from 'vitest';
import { type Field, fields } from '#src/domain/rules/fields.js';
import { printRule } from '#src/domain/rules/printer.js';
import { parseRule, ruleFromJson } from '#src/domain/rules/rule.js';
import { renderRuleError, ruleErrorCodes } from '#src/domain/rules/rule-error.js';
import * as limits from '#src/limits.js';
import { Page } from './pages.js';

const page = new Page('docs/reference/rules.md');
const texts = (language: string): string[] =>
  page.blocks.filter((block) => block.language === language).map(({ lines }) => lines.join('\n'));
const schema = { windows: ['trailing 1h', 'day'], decimals: 2 };

/** Cells of the table rows below a heading that begin with a name in backticks. */
function rows(heading: string): string[][] {
  const section = page.text.split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!;
  return [...section.matchAll(/^\| `([\w.]+)`(.*)\|$/gm)].map((row) => [
    row[1]!,
    ...row[2]!
      .split('|')
      .slice(1)
      .map((cell) => cell.trim()),
  ]);
}

describe('docs/reference/rules.md', () => {
  const examples = texts('rule');

  test('has examples', () => {
    expect(examples.length).toBeGreaterThan(8);
  });

  test.each(examples)('example: %s', (text) => {
    const read = parseRule(text, schema);
    expect(read.ok ? '' : renderRuleError(text, read.error)).toBe('');
  });

  test.each(texts('rule_error'))('error: %s', (shown) => {
    const text = shown.split('\n')[0]!;
    const read = parseRule(text, schema);
    expect(read.ok ? 'no error' : renderRuleError(text, read.error)).toBe(shown);
  });

  test('the first example is in the printed form, and the JSON document is the same rule', () => {
    const read = ruleFromJson(JSON.parse(texts('json')[0]!), schema);
    expect(read.ok && printRule(read.checked.rule)).toBe(examples[0]);
  });

  test('lists every error code in its order', () => {
    expect(rows('Errors').map(([code]) => code)).toEqual([...ruleErrorCodes]);
  });

  test('lists every field with its type, its words and whether it is optional', () => {
    const typeOf = ({ type, width }: Field): string => {
      if (type === 'code') return `code, ${width} digits`;
      return type === 'text' ? `text, ${width}` : type.replace('_', ' ');
    };
    const listed = rows('Fields').map(([name, type, optional, about]) => {
      const words = fields.get(name!)?.type === 'word' ? [...about!.matchAll(/`"(\w+)"`/g)].map((word) => word[1]) : [];
      return [name, type, optional, words];
    });
    const known = [...fields.values()].map((field) => [
      field.name,
      typeOf(field),
      field.optional ? 'yes' : 'no',
      [...field.words],
    ]);
    expect(listed.sort()).toEqual(known.sort());
  });

  test('names every bound with its value', () => {
    const bounds = Object.entries(limits).filter(([name]) => name.startsWith('RULE'));
    expect(bounds.length).toBeGreaterThan(8);
    for (const [name, value] of bounds) {
      const said = new RegExp(`\`${name}\`[^|]*\\b${value.toLocaleString('en-US')}\\b`);
      expect(page.text).toMatch(said);
    }
  });

  test('lists the kinds of nodes', () => {
    const kinds = page.text.split('| kind | properties |')[1]!.match(/^\| (`\w+`(?:, )?)+ \|/gm)!;
    expect(kinds.join(' ').match(/\w+/g)).toEqual(
      'constant and or not compare in range starts_with contains present absent field count spent number text arithmetic negate'.split(
        ' ',
      ),
    );
  });
});
