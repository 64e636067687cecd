/**
 * Tokens to a tree, by recursive descent. The grammar is in docs/reference/rules.md; the names of the methods are its names.
 * Values and conditions share one grammar, so that a bracket needs no look-ahead; what may stand where is checked as soon as
 * it is known, and the types in check.ts.
 *
 * Bounds: a text has at most RULE_TEXT_LENGTH_MAX characters (checked by the caller), a list RULE_LIST_MAX items, and
 * brackets, `not` and signs nest at most RULE_DEPTH_MAX deep, so that the parser's own stack is bounded too.
 */
import { RULE_DEPTH_MAX, RULE_LIST_MAX } from '../../limits.js';
import { hint } from '../../suggest.js';
import {
  type ArithmeticOperator,
  type CompareOperator,
  type Condition,
  conditionKinds,
  type Item,
  type NumberLiteral,
  type Outcome,
  type Rule,
  type RuleNode,
  type TextLiteral,
  type Value,
} from './ast.js';
import { type Token, tokens } from './lexer.js';
import { Refusal, type Span, shown } from './rule-error.js';

const keywords = [
  'when',
  'then',
  'decline',
  'reason',
  'and',
  'or',
  'not',
  'in',
  'starts_with',
  'contains',
  'present',
  'absent',
  'count',
  'spent',
  'true',
  'false',
] as const;
type Keyword = (typeof keywords)[number];
const isKeyword = (word: string): boolean => (keywords as readonly string[]).includes(word);

const comparisons = ['==', '!=', '<', '<=', '>', '>='];
const sums = ['+', '-'];
const products = ['*', '/', '%'];

/** Where nodes and some of their properties stood in the text. */
export class Spans {
  readonly #nodes = new Map<object, Map<string, Span>>();

  note(node: object, span: Span, key = ''): void {
    const parts = this.#nodes.get(node) ?? new Map<string, Span>();
    parts.set(key, span);
    this.#nodes.set(node, parts);
  }

  of(node: object, key = ''): Span {
    const parts = this.#nodes.get(node);
    return parts?.get(key) ?? parts?.get('') ?? { offset: 0, length: 0 };
  }
}

/** The tree of a text. @throws Refusal with the span of what could not be understood */
export function parseTree(source: string): { rule: Rule; spans: Spans } {
  const parser = new Parser(tokens(source));
  return { rule: parser.rule(), spans: parser.spans };
}

class Parser {
  readonly spans = new Spans();
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(list: readonly Token[]) {
    this.#tokens = list;
  }

  /** rule = "when" condition "then" outcome */
  rule(): Rule {
    this.#keyword('when');
    const when = this.#condition(this.#junction());
    if (!this.#isWord('then')) {
      const more = when.kind === 'field' ? 'a comparison, "and", "or" or "then"' : '"and", "or" or "then"';
      throw this.#expected(more, ['and', 'or', 'then', 'in', 'starts_with', 'contains']);
    }
    this.#at++;
    const outcome = this.#outcome();
    if (this.#token.kind !== 'end') throw this.#expected('the end of the rule');
    return { when, outcome };
  }

  /** outcome = "decline" response "reason" text */
  #outcome(): Outcome {
    if (!this.#isWord('decline')) throw this.#expected('"decline" (a rule never approves)', ['decline']);
    this.#at++;
    const code = this.#token;
    if (code.kind !== 'number' && code.kind !== 'text') {
      throw this.#expected('a response code: two digits, or a text such as "N7"');
    }
    this.#at++;
    this.#keyword('reason');
    const name = this.#token;
    if (name.kind !== 'text') throw this.#expected('the reason as a text, such as "suspected_fraud"');
    this.#at++;
    const outcome: Outcome = { action: 'decline', response: code.text, reason: name.text };
    this.spans.note(outcome, code, 'response');
    this.spans.note(outcome, name, 'reason');
    return outcome;
  }

  /** junction = negation { "and" negation } | negation { "or" negation }: never both, so that nobody has to know which binds first */
  #junction(): RuleNode {
    const first = this.#negation();
    const word = this.#isWord('and') ? 'and' : 'or';
    if (!this.#isWord(word)) return first;
    const terms: Condition[] = [this.#condition(first)];
    while (this.#isWord(word)) {
      this.#at++;
      terms.push(this.#condition(this.#negation()));
    }
    if (this.#isWord('and') || this.#isWord('or')) {
      const what = '"and" and "or" are mixed: write ( ) around what belongs together';
      throw new Refusal('mixed_and_or', this.#token, what);
    }
    return this.#node({ kind: word, terms }, first);
  }

  /** negation = "not" negation | comparison */
  #negation(): RuleNode {
    const token = this.#token;
    if (!this.#isWord('not')) return this.#comparison();
    this.#at++;
    this.#deeper(token);
    const operand = this.#condition(this.#negation());
    this.#depth--;
    return this.#node({ kind: 'not', operand }, token);
  }

  /** comparison = sum [ operator sum | ["not"] ( "in" list | "starts_with" texts | "contains" texts ) ] */
  #comparison(): RuleNode {
    const left = this.#sum();
    const token = this.#token;
    if (this.#isSymbol(comparisons)) return this.#compare(left);
    const negated = this.#isWord('not');
    const word = negated ? this.#tokens[this.#at + 1]! : token;
    if (word.kind !== 'name' || !['in', 'starts_with', 'contains'].includes(word.text)) {
      if (negated) throw this.#refuseNext('"in", "starts_with" or "contains" behind "not"');
      return left;
    }
    this.#at += negated ? 2 : 1;
    const value = this.#value(left);
    const test = this.#node(this.#membership(word.text, value), left);
    return negated ? this.#node({ kind: 'not', operand: test }, left) : test;
  }

  #compare(left: RuleNode): RuleNode {
    const token = this.#token;
    this.#at++;
    if (token.text === '<' && this.#isSymbol(['>'])) {
      throw new Refusal('unexpected', { offset: token.offset, length: 2 }, 'write "!=" for "not equal"');
    }
    const right = this.#value(this.#sum());
    const node = this.#node(
      { kind: 'compare', op: token.text as CompareOperator, left: this.#value(left), right },
      left,
    );
    if (this.#isSymbol(comparisons)) {
      const what = 'comparisons do not chain: write one for each side and join them with "and"';
      throw new Refusal('unexpected', this.#token, what);
    }
    return node;
  }

  #membership(word: string, value: Value): Condition {
    if (word === 'in') return { kind: 'in', value, items: this.#list() };
    const items = this.#token.kind === 'text' ? [this.#text()] : this.#list();
    const texts = items.map((item) => {
      if (item.kind !== 'text') throw new Refusal('wrong_type', this.spans.of(item), `"${word}" looks for texts`);
      return item;
    });
    return { kind: word === 'contains' ? 'contains' : 'starts_with', value, texts };
  }

  /** list = "[" item { "," item } [ "," ] "]" */
  #list(): Item[] {
    if (!this.#isSymbol(['['])) throw this.#expected('a list in [ ]');
    this.#at++;
    const items: Item[] = [];
    while (!this.#isSymbol([']'])) {
      if (items.length === RULE_LIST_MAX) {
        throw new Refusal('list_too_long', this.#token, `a list has at most ${RULE_LIST_MAX} items`);
      }
      items.push(this.#item());
      if (this.#isSymbol([','])) this.#at++;
      else if (!this.#isSymbol([']'])) throw this.#expected('"," or "]"');
    }
    if (items.length === 0) throw this.#expected('at least one item in the list');
    this.#at++;
    return items;
  }

  /** item = text | number [ ".." number ] */
  #item(): Item {
    if (this.#token.kind === 'text') return this.#text();
    const from = this.#number();
    if (!this.#isSymbol(['..'])) return from;
    this.#at++;
    return this.#node({ kind: 'range', from, to: this.#number() }, from) as Item;
  }

  /** sum = product { ("+" | "-") product } */
  #sum(): RuleNode {
    return this.#chain(sums, () => this.#chain(products, () => this.#factor()));
  }

  #chain(operators: readonly string[], operand: () => RuleNode): RuleNode {
    let left = operand();
    while (this.#isSymbol(operators)) {
      const op = this.#token.text as ArithmeticOperator;
      this.#at++;
      const right = this.#value(operand());
      left = this.#node({ kind: 'arithmetic', op, left: this.#value(left), right }, left);
    }
    return left;
  }

  /** factor = "-" factor | "(" junction ")" | number | text | "true" | "false" | test | counter | field */
  #factor(): RuleNode {
    const token = this.#token;
    if (this.#isSymbol(['-'])) return this.#signed(token);
    if (this.#isSymbol(['('])) return this.#bracket(token);
    if (token.kind === 'number') return this.#number();
    if (token.kind === 'text') return this.#text();
    if (token.kind !== 'name') throw this.#expected('a field, a number, a text or "("');
    if (token.text === 'true' || token.text === 'false') {
      this.#at++;
      return this.#node({ kind: 'constant', value: token.text === 'true' }, token);
    }
    if (token.text === 'present' || token.text === 'absent') return this.#presence(token.text);
    return this.#reference('a field, a number, a text or "("');
  }

  #signed(token: Token): RuleNode {
    this.#at++;
    // The sign belongs to a number right behind it, so that -5 is a literal and prints as one.
    if (this.#token.kind === 'number') {
      const literal = this.#number();
      return this.#node({ ...literal, value: 0 - literal.value }, token);
    }
    this.#deeper(token);
    const operand = this.#value(this.#factor());
    this.#depth--;
    return this.#node({ kind: 'negate', operand }, token);
  }

  #bracket(token: Token): RuleNode {
    this.#at++;
    this.#deeper(token);
    const inner = this.#junction();
    this.#depth--;
    if (!this.#isSymbol([')'])) throw this.#expected('")"');
    this.#at++;
    return inner;
  }

  #presence(kind: 'present' | 'absent'): RuleNode {
    const token = this.#token;
    this.#at++;
    this.#symbol('(');
    const value = this.#reference('a field, count("...") or spent("...")');
    this.#symbol(')');
    if (value.kind !== 'field' && value.kind !== 'count' && value.kind !== 'spent') throw this.#expected('a field');
    return this.#node({ kind, value }, token);
  }

  /** counter = ("count" | "spent") "(" text ")"; field = name */
  #reference(what: string): RuleNode {
    const token = this.#token;
    if (token.kind !== 'name') throw this.#expected(what);
    if (token.text === 'count' || token.text === 'spent') {
      this.#at++;
      this.#symbol('(');
      const window = this.#token;
      if (window.kind !== 'text') throw this.#expected('the name of a velocity window as a text');
      this.#at++;
      this.#symbol(')');
      const counter = this.#node({ kind: token.text, window: window.text }, token);
      this.spans.note(counter, window, 'window');
      return counter;
    }
    if (isKeyword(token.text)) throw this.#expected(what);
    this.#at++;
    return this.#node({ kind: 'field', name: token.text }, token);
  }

  #text(): TextLiteral {
    const token = this.#token;
    this.#at++;
    return this.#node({ kind: 'text', value: token.text }, token) as TextLiteral;
  }

  /** number = [ "-" ] digits [ "_" digits ]; the sign is read here only for the items of lists. */
  #number(): NumberLiteral {
    const first = this.#token;
    const negative = this.#isSymbol(['-']);
    if (negative) this.#at++;
    const token = this.#token;
    if (token.kind !== 'number') throw this.#expected('a number');
    this.#at++;
    const digits = token.text.replace('_', '');
    const value = Number(digits);
    if (!Number.isSafeInteger(value)) {
      throw new Refusal('bad_number', token, `a number is at most ${Number.MAX_SAFE_INTEGER}`);
    }
    const underscore = token.text.indexOf('_');
    const decimals = underscore < 0 ? {} : { decimals: token.text.length - underscore - 1 };
    return this.#node({ kind: 'number', value: negative ? 0 - value : value, ...decimals }, first) as NumberLiteral;
  }

  #condition(node: RuleNode): Condition {
    if (conditionKinds.includes(node.kind) || node.kind === 'field') return node as Condition;
    const what = `expected a condition, found ${node.kind === 'text' ? 'a text' : 'a value'}: compare it with something`;
    throw new Refusal('wrong_type', this.spans.of(node), what);
  }

  #value(node: RuleNode): Value {
    if (!conditionKinds.includes(node.kind)) return node as Value;
    const what = node.kind === 'constant' ? 'write the condition alone, or "not" before it' : 'expected a value';
    throw new Refusal('wrong_type', this.spans.of(node), `a condition cannot be compared or computed with: ${what}`);
  }

  /** Notes where a node stands: from `start` to the token before the current one. */
  #node<T extends RuleNode>(node: T, start: Span | RuleNode): T {
    const { offset } = 'offset' in start ? start : this.spans.of(start);
    const last = this.#tokens[this.#at - 1]!;
    this.spans.note(node, { offset, length: last.offset + last.length - offset });
    return node;
  }

  get #token(): Token {
    return this.#tokens[this.#at]!;
  }

  #isWord(word: Keyword): boolean {
    const { kind, text } = this.#token;
    return kind === 'name' && text === word;
  }

  #isSymbol(list: readonly string[]): boolean {
    const { kind, text } = this.#token;
    return kind === 'symbol' && list.includes(text);
  }

  #keyword(word: Keyword): void {
    if (!this.#isWord(word)) throw this.#expected(`"${word}"`, [word]);
    this.#at++;
  }

  #symbol(symbol: string): void {
    if (!this.#isSymbol([symbol])) throw this.#expected(`"${symbol}"`);
    this.#at++;
  }

  #deeper(token: Token): void {
    if (++this.#depth > RULE_DEPTH_MAX) {
      throw new Refusal('too_deep', token, `a rule nests at most ${RULE_DEPTH_MAX} levels deep`);
    }
  }

  #refuseNext(what: string): Refusal {
    this.#at++;
    return this.#expected(what);
  }

  /** What was expected and what stood there instead; a near word is named. */
  #expected(what: string, words: readonly string[] = []): Refusal {
    const { kind, text } = this.#token;
    const found =
      kind === 'end' ? 'the end of the rule' : kind === 'text' ? `the text "${shown(text)}"` : `"${shown(text)}"`;
    const near = kind === 'name' ? hint(text.toLowerCase(), words) : '';
    return new Refusal('unexpected', this.#token, `expected ${what}, found ${found}${near}`);
  }
}
