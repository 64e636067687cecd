/**
 * Decision rules as text and as JSON. Held against every input: an answer, with a rule or with a place that exists in the input; never an
 * exception. A rule that was read is the same when it is printed, or written as JSON, and read again.
 */

import { isDeepStrictEqual } from 'node:util';
import { fields } from '#src/domain/rules/fields.js';
import { printRule } from '#src/domain/rules/printer.js';
import { parseRule, type RuleResult, ruleFromJson } from '#src/domain/rules/rule.js';
import { type JsonPlace, renderRuleError } from '#src/domain/rules/rule-error.js';
import { RULE_TEXT_LENGTH_MAX } from '#src/limits.js';
import type { Random } from '../../crash/random.js';
import { mutateJson } from '../json-mutator.js';
import { type FuzzTarget, must, utf8, type Verdict } from '../target.js';

const rules = [
  'when amount > 500_00 and mcc in [5411, 5812] and country != "BR" and count("trailing 1h") >= 3 then decline 59 reason "far"',
  '# A comment.\nwhen card.age_days < 7 and amount * 100 > account.limit * 80 then decline 59 reason "new_card"',
  'when atm and (hour in [1..4] or spent("day") + amount > 1500_00) then decline 61 reason "cash_limit"',
  'when channel == "ecommerce" and absent(cvv2) and (absent(three_d_secure) or three_d_secure not in [210, 211]) then decline 59 reason "x"',
  'when merchant in ["BADSHOP00000001"] or terminal starts_with ["FRD", "TST"] or acquirer == "45678" then decline 57 reason "blocked"',
  'when amount % 100_00 == 0 and weekday in ["saturday", "sunday"] and not partial_allowed then decline "N7" reason "round"',
  'when transaction_currency != account.currency and not (country in ["US", "GB"] or present(pin)) then decline 57 reason "foreign"',
];

/** Judges a rule as text. */
export function text(input: Uint8Array): Verdict {
  const source = Buffer.from(input).toString('utf8');
  const read = parseRule(source);
  if (read.ok) {
    const again = parseRule(printRule(read.checked.rule));
    must(
      isDeepStrictEqual(again, read),
      () => `printed and read again it is another rule: ${printRule(read.checked.rule)}`,
    );
    const json = ruleFromJson(JSON.parse(JSON.stringify(read.checked.rule)));
    must(isDeepStrictEqual(json, read), () => 'as JSON it is another rule');
    return 'accepted';
  }
  const { line, column, offset, length } = read.error.at;
  must(
    offset >= 0 && length >= 0 && offset + length <= source.length,
    () => `place ${offset} + ${length} of ${source.length}`,
  );
  const before =
    source
      .split('\n')
      .slice(0, line - 1)
      .join('\n').length + (line > 1 ? 1 : 0);
  must(before + column - 1 === offset, () => `line ${line} column ${column} is not offset ${offset}`);
  must(/^[\x20-\x7e]+$/.test(read.error.message), () => `message: ${read.error.message}`);
  must(renderRuleError(source, read.error).split('\n').length === 3, () => 'the error is not shown in three lines');
  return 'refused';
}

function json(input: Uint8Array): Verdict {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(input).toString('utf8'));
  } catch {
    return 'refused';
  }
  const before = JSON.stringify(value);
  const read: RuleResult<JsonPlace> = ruleFromJson(value);
  must(JSON.stringify(value) === before, () => 'the input was changed');
  if (!read.ok) {
    must(leadsTo(value, read.error.at.pointer), () => `no such place: ${read.error.at.pointer}`);
    return 'refused';
  }
  const again = parseRule(printRule(read.checked.rule));
  must(
    isDeepStrictEqual(again, read),
    () => `printed and read again it is another rule: ${printRule(read.checked.rule)}`,
  );
  return 'accepted';
}

/** True when the pointer leads to a value of the document. */
export function leadsTo(value: unknown, pointer: string): boolean {
  let node = value;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, key)) return false;
    node = (node as Record<string, unknown>)[key];
  }
  return true;
}

const language =
  'when then decline reason and or not in starts_with contains present absent count spent true false == != < <= > >= + - * / % ( ) [ ] , .. "" "day" "BR" 59 5411 500_00 9007199254740991 # \\ . _';
const tokens = (): string[] => [...language.split(' '), '\n', '\u0000', '\ud83d\ude00', ...fields.keys()];

const classes: readonly (readonly string[])[] = [
  ['==', '!=', '<', '<=', '>', '>='],
  ['and', 'or'],
  ['+', '-', '*', '/', '%'],
  ['amount', 'account.limit', 'account.available', 'account.posted', 'account.held'],
  ['hour', 'local_hour', 'card.age_days', 'account.age_days'],
  ['merchant', 'terminal', 'merchant_name', 'acquirer'],
  ['"BR"', '"US"', '"GB"', '"XX"'],
  ['"day"', '"week"', '"month"', '"trailing 1h"', '"lifetime"'],
];

/** One word in place of another of its kind, a number in place of a number: the rule most often stays one. */
function exchanged(random: Random, source: string): string {
  const found = [...source.matchAll(/\d[\d_]*|"[^"]*"|[a-z_.]+|[=!<>]=?|[-+*/%]/g)];
  if (found.length === 0) return source;
  const { 0: word, index } = random.pick(found);
  const others = classes.find((list) => list.includes(word));
  const number = random.pick([
    '0',
    '1',
    '59',
    '5411',
    '1_00',
    '100_00',
    '9007199254740991',
    '99999999',
    String(random.int(0, 9999)),
  ]);
  const put = others !== undefined ? random.pick(others) : /^\d/.test(word) ? number : word;
  return source.slice(0, index) + put + source.slice(index + word.length);
}

/** Exchanges, drops and adds words. */
function mutateText(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array {
  const source = Buffer.from(input).toString('utf8');
  if (random.chance(0.5)) return utf8(exchanged(random, source));
  const words = source.split(/(?<=[ ()[\],])/);
  const changes = random.int(1, 3);
  for (let i = 0; i < changes; i++) {
    const at = random.int(0, words.length);
    const kind = random.int(0, 4);
    const word = `${random.pick(tokens())}${random.pick([' ', ' ', ''])}`;
    if (kind === 0) words.splice(at, 1);
    else if (kind === 1) words.splice(at, 1, word);
    else if (kind === 2) words.splice(at, 0, word);
    else if (kind === 3) words.splice(at, 0, ...words.slice(at, at + random.int(1, 8)));
    else
      words.splice(
        at,
        random.int(0, 4),
        ...Buffer.from(other)
          .toString('utf8')
          .split(/(?<=[ ()])/)
          .slice(random.int(0, 8), 16),
      );
  }
  return utf8(words.join(''));
}

const jsonSeeds = (): Uint8Array[] =>
  rules.flatMap((rule) => {
    const read = parseRule(rule);
    return read.ok ? [utf8(JSON.stringify(read.checked.rule))] : [];
  });

export const targets: readonly FuzzTarget[] = [
  {
    name: 'rules-text',
    reads: 'decision rules as text',
    focus: ['domain/rules/'],
    inputsInCi: 3000,
    bytesMax: RULE_TEXT_LENGTH_MAX + 200,
    work: { base: 20_000, perByte: 400 },
    seeds: () => rules.map(utf8),
    words: () => tokens().map(utf8),
    mutate: mutateText,
    open: () => ({ run: text }),
  },
  {
    name: 'rules-json',
    reads: 'decision rules as JSON',
    focus: ['domain/rules/'],
    inputsInCi: 3000,
    bytesMax: 20_000,
    work: { base: 20_000, perByte: 400 },
    seeds: jsonSeeds,
    mutate: (random, input, other) =>
      mutateJson(random, input, other, [
        'amount',
        'mcc',
        '==',
        '+',
        'number',
        'text',
        'field',
        'and',
        'in',
        '59',
        'constant',
      ]),
    open: () => ({ run: json }),
  },
];
