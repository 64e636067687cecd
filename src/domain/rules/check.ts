/**
 * The static check of a tree, however it came: names, types (value-types.ts), ranges, depth and cost. What passes can be
 * printed, compiled and evaluated without any further check, in a time that its cost bounds.
 */
import { RULE_COST_MAX, RULE_DEPTH_MAX, RULE_LIST_MAX, RULE_WINDOW_NAME_MAX } from '../../limits.js';
import { calculate } from './arithmetic.js';
import type {
  Arithmetic,
  Comparison,
  Condition,
  Counter,
  FieldRef,
  Item,
  Junction,
  Match,
  Membership,
  NumberLiteral,
  Presence,
  Rule,
  TextLiteral,
  Value,
} from './ast.js';
import { costOf } from './cost.js';
import { type Field, fields } from './fields.js';
import { checkNumberLiteral, checkTextLiteral } from './literals.js';
import { checkOutcome } from './outcome-check.js';
import { Refusal, unknownName } from './rule-error.js';
import {
  checkDivisor,
  joinTypes,
  kinds,
  literalType,
  named,
  numeric,
  productType,
  type RuleSchema,
  type Typed,
} from './value-types.js';

export interface CheckedRule {
  readonly rule: Rule;
  /** Units of the worst case, see RULE_COST_MAX. */
  readonly cost: number;
  /** Fields and windows that it reads, in the order of their first mention: what a trace has to show. */
  readonly fields: readonly string[];
  readonly windows: readonly string[];
}

/** @throws Refusal naming the node at fault */
export function checkRule(rule: Rule, schema: RuleSchema): CheckedRule {
  const check = new Check(schema);
  check.condition(rule.when, 1);
  checkOutcome(rule.outcome);
  return { rule, cost: check.cost, fields: [...check.fields], windows: [...check.windows] };
}

class Check {
  cost = 0;
  readonly fields = new Set<string>();
  readonly windows = new Set<string>();
  readonly #schema: RuleSchema;

  constructor(schema: RuleSchema) {
    this.#schema = schema;
  }

  condition(node: Condition, depth: number): void {
    this.#deep(node, depth);
    switch (node.kind) {
      case 'constant':
        this.#spend(node);
        break;
      case 'and':
      case 'or':
        this.#junction(node, depth);
        break;
      case 'not':
        this.condition(node.operand, depth + 1);
        break;
      case 'compare':
        this.#compare(node, depth);
        break;
      case 'in':
        this.#membership(node, depth);
        break;
      case 'starts_with':
      case 'contains':
        this.#match(node, depth);
        break;
      case 'present':
      case 'absent':
        this.#presence(node);
        break;
      case 'field':
        this.#flag(node);
        break;
    }
  }

  #junction(node: Junction, depth: number): void {
    for (const term of node.terms) this.condition(term, depth + 1);
  }

  #flag(node: FieldRef): void {
    const field = this.#field(node);
    this.#spend(node);
    if (field.type === 'flag') return;
    const instead = field.type === 'data' ? `write present(${field.name})` : 'compare it with something';
    throw new Refusal('wrong_type', { node }, `${field.name} is ${kinds[field.type]}, no condition: ${instead}`);
  }

  #compare(node: Comparison, depth: number): void {
    const left = this.#value(node.left, depth + 1);
    const right = this.#value(node.right, depth + 1);
    this.#comparable(left, node.left);
    this.#comparable(right, node.right);
    const isEquality = node.op === '==' || node.op === '!=';
    this.#spend(node);
    if (numeric.has(left.type) && numeric.has(right.type)) {
      this.#numbers(node, left, right);
      return;
    }
    if (left.constant !== undefined || left.type === 'literal text') {
      throw new Refusal('wrong_type', { node: node.left }, 'write the field first, then what it is compared with');
    }
    if (!isEquality && !numeric.has(left.type)) {
      const what = `${kinds[left.type]} is no quantity: compare it with ==, != or in`;
      throw new Refusal('wrong_type', { node: node.left }, what);
    }
    if (left.type === 'currency' && right.type === 'currency') return;
    this.#literalOf(left, node.right, right);
  }

  /** Two numbers of one type; at least one of them is no constant. */
  #numbers(node: Comparison, left: Typed, right: Typed): void {
    if (left.type === 'literal' && right.type === 'literal') {
      throw new Refusal('wrong_type', { node }, 'this compares two constants: one side must be a field');
    }
    joinTypes(left, right, node.right, this.#schema);
    if (left.field !== undefined && node.right.kind === 'number') checkNumberLiteral(left.field, node.right);
    if (right.field !== undefined && node.left.kind === 'number') checkNumberLiteral(right.field, node.left);
  }

  /** A literal next to a code or to something with names. */
  #literalOf(left: Typed, node: Value | Item, right: Typed): void {
    const { field, type } = left;
    if (field !== undefined && type === 'code' && node.kind === 'number' && node.decimals === undefined) {
      checkNumberLiteral(field, node);
      return;
    }
    if (field !== undefined && named.has(type) && node.kind === 'text') {
      checkTextLiteral(field, node, true);
      return;
    }
    const wanted = named.has(type)
      ? 'a text in quotes'
      : type === 'code'
        ? 'its digits, without underscore'
        : 'a number';
    const what = field === undefined ? 'this' : field.name;
    throw new Refusal(
      'wrong_type',
      { node },
      `${what} is ${kinds[type]}: expected ${wanted}, found ${kinds[right.type]}`,
    );
  }

  #membership(node: Membership, depth: number): void {
    const left = this.#value(node.value, depth + 1);
    this.#comparable(left, node.value);
    if (left.constant !== undefined || left.type === 'literal text') {
      throw new Refusal('wrong_type', { node: node.value }, 'expected a field in front of "in"');
    }
    this.#list(node, node.items);
    this.#spend(node);
    for (const item of node.items) {
      if (item.kind !== 'range') this.#item(left, item);
      else this.#range(left, item.from, item.to);
    }
  }

  #range(left: Typed, from: NumberLiteral, to: NumberLiteral): void {
    this.#item(left, from);
    this.#item(left, to);
    if (from.value > to.value) {
      throw new Refusal('out_of_range', { node: from }, 'a range goes from the smaller to the larger number');
    }
  }

  #item(left: Typed, item: NumberLiteral | TextLiteral): void {
    const right = this.#value(item, 1);
    if (!numeric.has(left.type)) {
      this.#literalOf(left, item, right);
      return;
    }
    if (item.kind === 'text') throw new Refusal('wrong_type', { node: item }, 'expected a number in this list');
    joinTypes(left, right, item, this.#schema);
    if (left.field !== undefined) checkNumberLiteral(left.field, item);
  }

  #match(node: Match, depth: number): void {
    const left = this.#value(node.value, depth + 1);
    if (left.type !== 'text') {
      const what = `"${node.kind}" looks into texts such as merchant, and this is ${kinds[left.type]}`;
      throw new Refusal('wrong_type', { node: node.value }, what);
    }
    this.#list(node, node.texts);
    this.#spend(node);
    for (const text of node.texts) checkTextLiteral(left.field!, text, false);
  }

  #presence(node: Presence): void {
    this.#spend(node);
    if (node.value.kind !== 'field') {
      this.#window(node.value);
      return;
    }
    const field = this.#field(node.value);
    if (field.optional) return;
    throw new Refusal(
      'always_present',
      { node: node.value },
      `${field.name} is always there: it has no need of a test`,
    );
  }

  #value(node: Value, depth: number): Typed {
    this.#deep(node, depth);
    switch (node.kind) {
      case 'number':
        return literalType(node);
      case 'text':
        return { type: 'literal text' };
      case 'field': {
        const field = this.#field(node);
        return { type: field.type, field };
      }
      case 'count':
      case 'spent':
        this.#window(node);
        return { type: node.kind === 'count' ? 'number' : 'money' };
      case 'negate': {
        const inner = this.#quantity(node.operand, depth);
        return inner.constant === undefined ? { type: inner.type } : { ...inner, constant: 0 - inner.constant };
      }
      case 'arithmetic':
        return this.#arithmetic(node, depth);
    }
  }

  #arithmetic(node: Arithmetic, depth: number): Typed {
    const left = this.#quantity(node.left, depth);
    const right = this.#quantity(node.right, depth);
    let result: Typed;
    switch (node.op) {
      case '+':
      case '-':
        result = joinTypes(left, right, node.right, this.#schema);
        break;
      case '*':
        result = productType(node, left, right, this.#schema);
        break;
      case '/':
      case '%':
        checkDivisor(node, right);
        result = node.op === '%' ? joinTypes(left, right, node.right, this.#schema) : left;
        break;
    }
    const { type, decimals } = result;
    if (left.constant === undefined || right.constant === undefined) return { type };
    const constant = calculate(node.op, left.constant, right.constant);
    if (Number.isNaN(constant)) {
      throw new Refusal('out_of_range', { node }, 'this constant is beyond what numbers can hold');
    }
    return decimals === undefined ? { type, constant } : { type, constant, decimals };
  }

  /** A value that can be computed with. */
  #quantity(node: Value, depth: number): Typed {
    const typed = this.#value(node, depth + 1);
    if (numeric.has(typed.type)) return typed;
    throw new Refusal('wrong_type', { node }, `${kinds[typed.type]} cannot be computed with`);
  }

  /** Flags and data are never compared. */
  #comparable(typed: Typed, node: Value): void {
    const name = typed.field?.name ?? '';
    if (typed.type === 'flag') {
      throw new Refusal('wrong_type', { node }, `${name} is a flag: write ${name} or not ${name}`);
    }
    if (typed.type === 'data') {
      throw new Refusal('wrong_type', { node }, `${name} is ${kinds.data}: write present(${name}) or absent(${name})`);
    }
  }

  #field(node: FieldRef): Field {
    const field = fields.get(node.name);
    if (field === undefined) throw unknownName('unknown_field', { node }, 'field', node.name, fields.keys());
    this.fields.add(node.name);
    return field;
  }

  #window(node: Counter): void {
    const { window } = node;
    const where = { node, key: 'window' };
    const { windows } = this.#schema;
    if (window === '' || window.length > RULE_WINDOW_NAME_MAX || !/^[\x20-\x7e]*$/.test(window)) {
      const what = `a window's name has 1 to ${RULE_WINDOW_NAME_MAX} printable ASCII characters`;
      throw new Refusal('unknown_window', where, what);
    }
    if (windows !== undefined && !windows.includes(window)) {
      throw unknownName('unknown_window', where, 'velocity window', window, windows);
    }
    this.windows.add(window);
  }

  #list(node: object, items: readonly unknown[]): void {
    if (items.length > RULE_LIST_MAX) {
      throw new Refusal('list_too_long', { node }, `a list has at most ${RULE_LIST_MAX} items`);
    }
  }

  #deep(node: object, depth: number): void {
    if (depth <= RULE_DEPTH_MAX) return;
    throw new Refusal('too_deep', { node }, `a rule nests at most ${RULE_DEPTH_MAX} levels deep`);
  }

  /** Adds a condition that has no conditions in it. */
  #spend(node: Condition): void {
    this.cost += costOf(node);
    if (this.cost <= RULE_COST_MAX) return;
    const what = `up to here the rule costs ${this.cost} units of at most ${RULE_COST_MAX}: make it two rules`;
    throw new Refusal('too_costly', { node }, what);
  }
}
