/**
 * A rule as a tree. The tree is plain data and is its own JSON form: what the API stores and answers, what the printer
 * writes and the compiler reads. A tree that came from outside is trusted only after `checkRule`.
 *
 * Nothing here holds positions: where a node stood in a text, or in a JSON document, is kept beside the tree (places.ts), so
 * that two rules which say the same are equal.
 */

export interface Rule {
  readonly when: Condition;
  readonly outcome: Outcome;
}

/** What an active rule does when its condition holds. A rule can never force an approval. */
export interface Outcome {
  readonly action: 'decline';
  /** DE39: two characters. */
  readonly response: string;
  /** The name that the trace, the API and the statistics show: lower_snake. */
  readonly reason: string;
}

/** True, false or, where it reads something absent, unknown. */
export type Condition = Constant | Junction | Not | Comparison | Membership | Match | Presence | FieldRef;

/** A number or a text, or absent. */
export type Value = NumberLiteral | TextLiteral | FieldRef | Counter | Arithmetic | Negation;

export interface Constant {
  readonly kind: 'constant';
  readonly value: boolean;
}

/** At least two terms. */
export interface Junction {
  readonly kind: 'and' | 'or';
  readonly terms: readonly Condition[];
}

export interface Not {
  readonly kind: 'not';
  readonly operand: Condition;
}

export type CompareOperator = '==' | '!=' | '<' | '<=' | '>' | '>=';

export interface Comparison {
  readonly kind: 'compare';
  readonly op: CompareOperator;
  readonly left: Value;
  readonly right: Value;
}

export interface Membership {
  readonly kind: 'in';
  readonly value: Value;
  readonly items: readonly Item[];
}

export type Item = NumberLiteral | TextLiteral | Range;

/** Both ends belong to it. */
export interface Range {
  readonly kind: 'range';
  readonly from: NumberLiteral;
  readonly to: NumberLiteral;
}

/** Holds when any of the texts is the beginning, or a part, of the field. */
export interface Match {
  readonly kind: 'starts_with' | 'contains';
  readonly value: Value;
  readonly texts: readonly TextLiteral[];
}

export interface Presence {
  readonly kind: 'present' | 'absent';
  readonly value: FieldRef | Counter;
}

/** A field by name. As a condition on its own it must be a flag. */
export interface FieldRef {
  readonly kind: 'field';
  readonly name: string;
}

/** What a velocity window holds before this message: how many, or how much. */
export interface Counter {
  readonly kind: 'count' | 'spent';
  readonly window: string;
}

export interface NumberLiteral {
  readonly kind: 'number';
  /** A safe integer. */
  readonly value: number;
  /** Digits behind the underscore of a money literal: `500_00` has 2. For the reader; the value counts. */
  readonly decimals?: number;
}

export interface TextLiteral {
  readonly kind: 'text';
  readonly value: string;
}

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%';

/** `/` rounds down, `%` is the rest of that; both have a positive literal on the right. */
export interface Arithmetic {
  readonly kind: 'arithmetic';
  readonly op: ArithmeticOperator;
  readonly left: Value;
  readonly right: Value;
}

export interface Negation {
  readonly kind: 'negate';
  readonly operand: Value;
}

export type RuleNode = Condition | Value | Item;

/** Kinds of nodes that are conditions and never values; a field may be either. */
export const conditionKinds: readonly string[] = [
  'constant',
  'and',
  'or',
  'not',
  'compare',
  'in',
  'starts_with',
  'contains',
  'present',
  'absent',
] satisfies Exclude<Condition['kind'], 'field'>[];
