/**
 * A rule as text, in the one form that the project shows: parsing it gives the same tree. Terms of the outermost `and` or `or`
 * stand on lines of their own; brackets appear only where the grammar needs them; codes have their digits (mcc 0742).
 */
import type { CompareOperator, Condition, Item, Match, Rule, Value } from './ast.js';
import { fields } from './fields.js';

/** @param rule a tree that has passed the check */
export function printRule({ when, outcome }: Rule): string {
  const response = /^\d\d$/.test(outcome.response) ? outcome.response : quoted(outcome.response);
  return `when ${outermost(when)}\nthen decline ${response} reason ${quoted(outcome.reason)}`;
}

function outermost(node: Condition): string {
  return node.kind === 'and' || node.kind === 'or' ? node.terms.map(term).join(`\n  ${node.kind} `) : condition(node);
}

/** A condition as a part of another: only `and` and `or` need brackets there. */
function term(node: Condition): string {
  return node.kind === 'and' || node.kind === 'or' ? `(${condition(node)})` : condition(node);
}

function condition(node: Condition): string {
  switch (node.kind) {
    case 'constant':
      return String(node.value);
    case 'and':
    case 'or':
      return node.terms.map(term).join(` ${node.kind} `);
    case 'not':
      return negation(node.operand);
    case 'compare':
      return comparison(node.op, node.left, node.right);
    case 'in':
      return `${value(node.value)} in ${list(node.value, node.items)}`;
    case 'starts_with':
    case 'contains':
      return `${value(node.value)} ${node.kind} ${texts(node)}`;
    case 'present':
    case 'absent':
      return `${node.kind}(${value(node.value)})`;
    case 'field':
      return node.name;
  }
}

/** `mcc not in [...]` reads better than `not mcc in [...]`; a comparison gets brackets, so that nobody doubts what is negated. */
function negation(operand: Condition): string {
  switch (operand.kind) {
    case 'in':
      return `${value(operand.value)} not in ${list(operand.value, operand.items)}`;
    case 'starts_with':
    case 'contains':
      return `${value(operand.value)} not ${operand.kind} ${texts(operand)}`;
    case 'and':
    case 'or':
    case 'compare':
      return `not (${condition(operand)})`;
    default:
      return `not ${condition(operand)}`;
  }
}

function comparison(op: CompareOperator, left: Value, right: Value): string {
  return `${beside(left, right)} ${op} ${beside(right, left)}`;
}

/** A value next to another: a number beside a code has the code's digits. */
function beside(node: Value, other: Value): string {
  return node.kind === 'number' ? number(node.value, node.decimals, digitsOf(other)) : value(node);
}

function list(of: Value, items: readonly Item[]): string {
  const digits = digitsOf(of);
  const item = (one: Item): string => {
    if (one.kind === 'text') return quoted(one.value);
    if (one.kind === 'number') return number(one.value, one.decimals, digits);
    return `${number(one.from.value, one.from.decimals, digits)}..${number(one.to.value, one.to.decimals, digits)}`;
  };
  return `[${items.map(item).join(', ')}]`;
}

function texts({ texts }: Match): string {
  const [first, ...more] = texts.map((text) => quoted(text.value));
  return more.length === 0 ? first! : `[${[first, ...more].join(', ')}]`;
}

function digitsOf(node: Value): number {
  const field = node.kind === 'field' ? fields.get(node.name) : undefined;
  return field?.type === 'code' ? field.width : 1;
}

const strength = { '+': 1, '-': 1, '*': 2, '/': 2, '%': 2 } as const;

function value(node: Value): string {
  switch (node.kind) {
    case 'number':
      return number(node.value, node.decimals, 1);
    case 'text':
      return quoted(node.value);
    case 'field':
      return node.name;
    case 'count':
    case 'spent':
      return `${node.kind}(${quoted(node.window)})`;
    case 'negate':
      // A sign right before a digit would belong to the number.
      return ['field', 'count', 'spent', 'negate'].includes(node.operand.kind)
        ? `-${value(node.operand)}`
        : `-(${value(node.operand)})`;
    case 'arithmetic':
      return `${operand(node.left, strength[node.op])} ${node.op} ${operand(node.right, strength[node.op] + 1)}`;
  }
}

function operand(node: Value, least: number): string {
  return node.kind === 'arithmetic' && strength[node.op] < least ? `(${value(node)})` : value(node);
}

function number(amount: number, decimals: number | undefined, digits: number): string {
  const sign = amount < 0 ? '-' : '';
  const written = String(Math.abs(amount)).padStart(decimals === undefined ? digits : decimals + 1, '0');
  if (decimals === undefined) return sign + written;
  return `${sign}${written.slice(0, -decimals)}_${written.slice(-decimals)}`;
}

function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}
