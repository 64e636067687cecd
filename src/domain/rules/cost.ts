/**
 * What a condition costs at most, in units of one comparison of two numbers: what RULE_COST_MAX bounds, and the order in
 * which the compiler puts the terms of `and` and `or`. Measured, a unit is 2 to 5 ns; the units need to be right only within
 * such a factor.
 */
import type { Condition, Item, Value } from './ast.js';
import { fields, hasBitMap } from './fields.js';

/** One comparison of two identifiers of up to 40 characters. */
const TEXT = 6;
/** A search within a text of 40 characters. */
const CONTAINS = 32;

/** Cost of a condition that has no conditions in it, or of all that are in it. */
export function costOf(node: Condition): number {
  switch (node.kind) {
    case 'and':
    case 'or':
      return node.terms.reduce((sum, term) => sum + costOf(term), 0);
    case 'not':
      return costOf(node.operand);
    case 'compare':
      return valueCost(node.left) + valueCost(node.right) + (isText(node.left) ? TEXT : 1);
    case 'in':
      return valueCost(node.value) + listCost(node.value, node.items);
    case 'starts_with':
      return TEXT * node.texts.length;
    case 'contains':
      return CONTAINS * node.texts.length;
    case 'constant':
    case 'present':
    case 'absent':
    case 'field':
      return 1;
  }
}

/** Fields and literals lie ready; each operation is one step. */
function valueCost(node: Value): number {
  switch (node.kind) {
    case 'arithmetic':
      return 1 + valueCost(node.left) + valueCost(node.right);
    case 'negate':
      return 1 + valueCost(node.operand);
    default:
      return 0;
  }
}

/** A bit map where the field has one, else the halving of a sorted list. */
function listCost(value: Value, items: readonly Item[]): number {
  const field = value.kind === 'field' ? fields.get(value.name) : undefined;
  if (field !== undefined && hasBitMap(field)) return 1;
  const steps = Math.ceil(Math.log2(items.length + 1));
  return isText(value) ? TEXT * steps : 1 + steps;
}

function isText(value: Value): boolean {
  return value.kind === 'field' && fields.get(value.name)?.type === 'text';
}
