/**
 * Checked rules to a program (program.ts). Conditions become branches: each node is emitted with the address to go to when it
 * holds and the address when it does not, backwards, so that both exist already. A `not` is pushed down to the tests, where it
 * turns operators round; unknown goes where "does not hold" goes, on both sides of a `not`, which is Kleene's logic exactly.
 */
import { assert } from '../../errors.js';
import { calculate } from './arithmetic.js';
import type {
  Arithmetic,
  ArithmeticOperator,
  CompareOperator,
  Comparison,
  Condition,
  Item,
  Match,
  Membership,
  Presence,
  Value,
} from './ast.js';
import { costOf } from './cost.js';
import { FIRST_TEMPORARY, NEVER_FILLED } from './facts.js';
import { type Field, fields, hasBitMap, isInstitution, Slot } from './fields.js';
import { textValue } from './literals.js';
import { Op, type Program } from './program.js';
import { byLengthThenBytes, disjoint, ProgramData } from './program-data.js';
import { INSTITUTION } from './text-match.js';

export interface ProgramRule {
  readonly when: Condition;
  readonly active: boolean;
}

/**
 * @param rules conditions that have passed `checkRule`, in the order of their numbers.
 * @param windows names of the velocity windows, in the order in which the facts are filled. A window that is not among them
 *   is absent.
 */
export function compileProgram(rules: readonly ProgramRule[], windows: readonly string[]): Program {
  const emitter = new Emitter(windows);
  let next = emitter.emit(Op.halt, 0, 0);
  for (let i = rules.length - 1; i >= 0; i--) {
    const { when, active } = rules[i]!;
    const match = emitter.emit(active ? Op.matchActive : Op.matchShadow, i, next);
    next = emitter.condition(when, true, match, next);
  }
  return emitter.finish(next);
}

/** The operator that holds exactly when `op` fails, for two known numbers; and the one with its sides exchanged. */
const opposite = { '==': '!=', '!=': '==', '<': '>=', '<=': '>', '>': '<=', '>=': '<' } as const;
const exchanged = { '==': '==', '!=': '!=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const;

const withConstant: Readonly<Record<CompareOperator, Op>> = {
  '==': Op.equalC,
  '!=': Op.unequalC,
  '<': Op.lessC,
  '<=': Op.lessEqualC,
  '>': Op.greaterC,
  '>=': Op.greaterEqualC,
};

class Emitter {
  readonly #windows: readonly string[];
  readonly #code: number[] = [];
  readonly #data = new ProgramData();

  constructor(windows: readonly string[]) {
    this.#windows = windows;
  }

  finish(entry: number): Program {
    return { entry, code: Int32Array.from(this.#code), ...this.#data.arrays() };
  }

  emit(...words: number[]): number {
    return this.#code.push(...words) - words.length;
  }

  /**
   * Emits `node`, or its negation when `wanted` is false.
   *
   * @returns the address to enter it: goes on at `yes` when it is certainly so, else at `no`.
   */
  condition(node: Condition, wanted: boolean, yes: number, no: number): number {
    switch (node.kind) {
      case 'constant':
        return node.value === wanted ? yes : no;
      case 'and':
      case 'or':
        return this.#junction(node.terms, (node.kind === 'and') === wanted, wanted, yes, no);
      case 'not':
        return this.condition(node.operand, !wanted, yes, no);
      case 'compare':
        return this.#compare(node, wanted, yes, no);
      case 'in':
        return this.#membership(node, wanted, yes, no);
      case 'starts_with':
      case 'contains':
        return this.#match(node, wanted, yes, no);
      case 'present':
        return this.#presence(node, wanted ? yes : no, wanted ? no : yes);
      case 'absent':
        return this.#presence(node, wanted ? no : yes, wanted ? yes : no);
      case 'field':
        return this.#test(wanted ? Op.equalC : Op.unequalC, fieldOf(node.name).at, this.#data.constant(1), 0, yes, no);
    }
  }

  /**
   * All of the terms, or any: the last one first, each leading to the one behind it. The cheap ones are asked first; the
   * order of the terms means nothing, and most messages are done after one.
   */
  #junction(terms: readonly Condition[], all: boolean, wanted: boolean, yes: number, no: number): number {
    let entry = all ? yes : no;
    for (const term of terms.toSorted((a, b) => costOf(a) - costOf(b)).reverse()) {
      entry = all ? this.condition(term, wanted, entry, no) : this.condition(term, wanted, yes, entry);
    }
    return entry;
  }

  #compare(node: Comparison, wanted: boolean, yes: number, no: number): number {
    const op = wanted ? node.op : opposite[node.op];
    const { left, right } = node;
    if (left.kind === 'field' && right.kind === 'text') {
      return this.#compareText(fieldOf(left.name), op, right.value, yes, no);
    }
    const rightConstant = constantOf(right);
    if (rightConstant !== undefined) return this.#compareConstant(left, op, rightConstant, yes, no);
    const leftConstant = constantOf(left);
    if (leftConstant !== undefined) return this.#compareConstant(right, exchanged[op], leftConstant, yes, no);
    const a = this.#slotOf(left, 0);
    const b = this.#slotOf(right, 1);
    const test = this.#compareSlots(op, a, b, yes, no);
    return this.#load(left, 0, this.#load(right, 1, test));
  }

  #compareText(field: Field, op: CompareOperator, text: string, yes: number, no: number): number {
    if (field.type !== 'text') {
      return this.#test(withConstant[op], field.at, this.#data.constant(textValue(field, text)), 0, yes, no);
    }
    return this.#sure(Op.textEquals, textField(field), this.#data.texts([text]), 0, op === '==', yes, no);
  }

  #compareConstant(value: Value, op: CompareOperator, constant: number, yes: number, no: number): number {
    const test = this.#test(withConstant[op], this.#slotOf(value, 0), this.#data.constant(constant), 0, yes, no);
    return this.#load(value, 0, test);
  }

  #compareSlots(op: CompareOperator, a: number, b: number, yes: number, no: number): number {
    switch (op) {
      case '==':
        return this.#test(Op.equal, a, b, 0, yes, no);
      case '!=':
        return this.#test(Op.unequal, a, b, 0, yes, no);
      case '<':
        return this.#test(Op.less, a, b, 0, yes, no);
      case '<=':
        return this.#test(Op.lessEqual, a, b, 0, yes, no);
      case '>':
        return this.#test(Op.less, b, a, 0, yes, no);
      case '>=':
        return this.#test(Op.lessEqual, b, a, 0, yes, no);
    }
  }

  #membership(node: Membership, wanted: boolean, yes: number, no: number): number {
    const { value, items } = node;
    const field = value.kind === 'field' ? fieldOf(value.name) : undefined;
    if (field?.type === 'text') {
      const texts = items.map((item) => (item.kind === 'text' ? item.value : '')).sort(byLengthThenBytes);
      const first = this.#data.texts(texts);
      return this.#sure(Op.inTexts, textField(field), first, texts.length, wanted, yes, no);
    }
    const ranges = disjoint(items.map((item) => rangeOf(item, field)));
    const test =
      field !== undefined && hasBitMap(field)
        ? this.#sure(Op.inBits, field.at, this.#data.bitMap(ranges, field.max), field.max, wanted, yes, no)
        : this.#sure(Op.inRanges, this.#slotOf(value, 0), this.#data.ranges(ranges), ranges.length, wanted, yes, no);
    return this.#load(value, 0, test);
  }

  /** Any of the texts; its negation is none of them. */
  #match(node: Match, wanted: boolean, yes: number, no: number): number {
    const field = textField(fieldOf(node.value.kind === 'field' ? node.value.name : ''));
    const op = node.kind === 'contains' ? Op.contains : Op.startsWith;
    let entry = wanted ? no : yes;
    for (const { value } of node.texts.toReversed()) {
      const text = this.#data.texts([value]);
      entry = wanted
        ? this.#sure(op, field, text, 0, true, yes, entry)
        : this.#sure(op, field, text, 0, false, entry, no);
    }
    return entry;
  }

  /** Is always either so or not so. */
  #presence(node: Presence, present: number, absent: number): number {
    const { value } = node;
    if (value.kind !== 'field') return this.#test(Op.present, this.#slotOf(value, 0), 0, 0, present, absent);
    const field = fieldOf(value.name);
    if (field.type === 'text') return this.#test(Op.hasText, textField(field), 0, 0, present, absent);
    if (field.type === 'data') return this.#test(Op.carried, 0, field.at, 0, present, absent);
    return this.#test(Op.present, field.at, 0, 0, present, absent);
  }

  /** A test that says "unknown" itself: the branches change places when it is not wanted. */
  #sure(op: Op, a: number, b: number, c: number, wanted: boolean, yes: number, no: number): number {
    return this.emit(op, a, b, c, wanted ? yes : no, wanted ? no : yes, no);
  }

  #test(op: Op, a: number, b: number, c: number, yes: number, no: number): number {
    return this.emit(op, a, b, c, yes, no);
  }

  /** Where a value lies once it is loaded. */
  #slotOf(value: Value, temporary: number): number {
    if (value.kind === 'field') return fieldOf(value.name).at;
    if (value.kind === 'count' || value.kind === 'spent') {
      const window = this.#windows.indexOf(value.window);
      if (window < 0) return NEVER_FILLED;
      return Slot.counters + 2 * window + (value.kind === 'spent' ? 1 : 0);
    }
    return FIRST_TEMPORARY + temporary;
  }

  /** Emits the computation of a value into its temporary, going on at `next`; nothing for what has a slot of its own. */
  #load(value: Value, temporary: number, next: number): number {
    const constant = constantOf(value);
    const to = FIRST_TEMPORARY + temporary;
    if (constant !== undefined) return this.emit(Op.load, to, 0, this.#data.constant(constant), next);
    if (value.kind === 'negate') {
      const scaled = this.emit(Op.multiplyC, to, this.#slotOf(value.operand, temporary), this.#data.constant(-1), next);
      return this.#load(value.operand, temporary, scaled);
    }
    return value.kind === 'arithmetic' ? this.#arithmetic(value, temporary, next) : next;
  }

  #arithmetic(node: Arithmetic, temporary: number, next: number): number {
    const { left, right, op } = node;
    const to = FIRST_TEMPORARY + temporary;
    const constant = constantOf(right);
    if (constant !== undefined) {
      const a = this.#slotOf(left, temporary);
      return this.#load(left, temporary, this.emit(...this.#step(op, to, a, constant), next));
    }
    const factor = constantOf(left);
    if (factor !== undefined && op !== '-') {
      const b = this.#slotOf(right, temporary);
      return this.#load(right, temporary, this.emit(...this.#step(op, to, b, factor), next));
    }
    const a = this.#slotOf(left, temporary);
    const b = this.#slotOf(right, temporary + 1);
    const code = op === '+' ? Op.add : op === '-' ? Op.subtract : Op.multiply;
    const step = this.emit(code, to, a, b, next);
    return this.#load(left, temporary, this.#load(right, temporary + 1, step));
  }

  /** An operation with a constant on the right; + and * are the same from both sides. */
  #step(op: ArithmeticOperator, to: number, a: number, constant: number): number[] {
    switch (op) {
      case '+':
        return [Op.addC, to, a, this.#data.constant(constant)];
      case '-':
        return [Op.addC, to, a, this.#data.constant(0 - constant)];
      case '*':
        return [Op.multiplyC, to, a, this.#data.constant(constant)];
      case '/':
        return [Op.divideC, to, a, this.#data.constant(constant)];
      case '%':
        return [Op.remainderC, to, a, this.#data.constant(constant)];
    }
  }
}

/** The value of what is computed from literals alone. */
function constantOf(value: Value): number | undefined {
  switch (value.kind) {
    case 'number':
      return value.value;
    case 'negate': {
      const operand = constantOf(value.operand);
      return operand === undefined ? undefined : 0 - operand;
    }
    case 'arithmetic': {
      const left = constantOf(value.left);
      const right = constantOf(value.right);
      return left === undefined || right === undefined ? undefined : calculate(value.op, left, right);
    }
    default:
      return undefined;
  }
}

function fieldOf(name: string): Field {
  const field = fields.get(name);
  assert(field !== undefined, `the rule was not checked: no field ${name}`);
  return field;
}

function textField(field: Field): number {
  return isInstitution(field) ? field.at | INSTITUTION : field.at;
}

function rangeOf(item: Item, field: Field | undefined): [number, number] {
  switch (item.kind) {
    case 'range':
      return [item.from.value, item.to.value];
    case 'number':
      return [item.value, item.value];
    case 'text': {
      assert(field !== undefined, 'the rule was not checked: a text in a list of numbers');
      const value = textValue(field, item.value);
      return [value, value];
    }
  }
}
