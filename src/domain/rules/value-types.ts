/**
 * The types of values and how they combine. Amounts in the account's currency, amounts in the merchant's currency and plain
 * numbers never mix; a number literal takes the type it stands next to, and with an underscore (500_00) it can only be an
 * amount.
 */
import type { Arithmetic, NumberLiteral, Value } from './ast.js';
import type { Field, FieldType } from './fields.js';
import { Refusal } from './rule-error.js';

/** What the check has to know about the place the rule is written for. */
export interface RuleSchema {
  /** Names of the velocity windows; without it any name is taken. */
  readonly windows?: readonly string[];
  /** Decimals of the account's currency: `500_00` fits 2. Without it any are taken. */
  readonly decimals?: number;
}

/** Type of a value; `literal` is a number or text that has not met its type. */
export interface Typed {
  readonly type: FieldType | 'literal' | 'literal text';
  /** The value of literals and of what is computed from them alone. */
  readonly constant?: number;
  readonly decimals?: number;
  /** Set when the value is a field itself. */
  readonly field?: Field;
}

export const kinds: Readonly<Record<Typed['type'], string>> = {
  money: "an amount in the account's currency",
  transaction_money: "an amount in the merchant's currency",
  number: 'a plain number',
  code: 'a code',
  country: 'a country',
  currency: 'a currency',
  word: 'a word',
  text: 'a text',
  flag: 'a flag',
  data: 'data of which only the presence is known',
  literal: 'a number',
  'literal text': 'a text',
};
export const numeric = new Set<string>(['money', 'transaction_money', 'number', 'literal']);
export const named = new Set<string>(['word', 'country', 'currency', 'text']);

/** @throws Refusal `bad_number` when its underscore separates no minor units */
export function literalType(node: NumberLiteral): Typed {
  const { value: constant, decimals } = node;
  if (decimals === undefined) return { type: 'literal', constant };
  if (decimals < 2 || decimals > 4) {
    throw new Refusal('bad_number', { node }, 'the underscore separates 2, 3 or 4 digits of minor units, as in 500_00');
  }
  return { type: 'literal', constant, decimals };
}

/** An amount times a plain number; never an amount times an amount. */
export function productType(node: Arithmetic, left: Typed, right: Typed, schema: RuleSchema): Typed {
  const isAmount = ({ type, decimals }: Typed): boolean =>
    type === 'money' || type === 'transaction_money' || decimals !== undefined;
  if (isAmount(left) && isAmount(right)) {
    throw new Refusal(
      'wrong_type',
      { node: node.right },
      'an amount is multiplied by a plain number, not by an amount',
    );
  }
  const [amount, factor] = isAmount(right) ? [right, left] : [left, right];
  if (!isAmount(amount)) return left.type === 'literal' ? right : left;
  // An amount that was written down becomes one of the account's currency as soon as it depends on anything.
  if (amount.type !== 'literal' || factor.type === 'literal') return amount;
  return joinTypes(amount, { type: 'money' }, node, schema);
}

/** What stands behind `/` and `%` is known and positive, so that neither can fail. */
export function checkDivisor(node: Arithmetic, right: Typed): void {
  if (right.constant === undefined || right.constant <= 0) {
    throw new Refusal('wrong_type', { node: node.right }, `the right side of "${node.op}" is a number above 0`);
  }
  if (node.op === '/' && right.decimals !== undefined) {
    throw new Refusal('wrong_type', { node: node.right }, 'an amount is divided by a plain number, not by an amount');
  }
}

/** The common type of two numbers. */
export function joinTypes(left: Typed, right: Typed, node: Value, schema: RuleSchema): Typed {
  if (left.type !== 'literal' && right.type !== 'literal') {
    if (left.type === right.type) return { type: left.type };
    throw mixed(left, right, node);
  }
  if (left.type === 'literal' && right.type === 'literal') {
    if (left.decimals === undefined || right.decimals === undefined || left.decimals === right.decimals) {
      return left.decimals === undefined ? right : left;
    }
    throw new Refusal('wrong_type', { node }, 'two amounts with different decimals are not of one currency');
  }
  const [literal, other] = left.type === 'literal' ? [left, right] : [right, left];
  if (literal.decimals === undefined || other.type === 'transaction_money') return { type: other.type };
  if (other.type !== 'money') throw mixed(other, { type: 'money' }, node);
  const { decimals } = schema;
  if (decimals === undefined || decimals === literal.decimals) return { type: 'money' };
  const what = `the account's currency has ${decimals} decimals, not ${literal.decimals}: amounts are in minor units`;
  throw new Refusal('wrong_type', { node }, what);
}

function mixed(left: Typed, right: Typed, node: Value): Refusal {
  return new Refusal('wrong_type', { node }, `${kinds[left.type]} and ${kinds[right.type]} do not mix`);
}
