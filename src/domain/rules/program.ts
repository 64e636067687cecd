/**
 * The form in which rules are evaluated: one graph of instructions for a whole set, in typed arrays.
 *
 *   instruction  [ op, a, b, c, holds, fails, unknown ]     a test goes on at the address of its outcome
 *   computation  [ op, to, a, b, next ]                     numbers[to] = numbers[a] op numbers[b]
 *
 * Code is emitted backwards, so every address in an instruction is smaller than its own: whatever a rule says, the evaluation
 * visits each instruction at most once and ends at address 0. There are no jumps to patch, no stack, and `not` costs nothing:
 * it exchanges the branches. A comparison with an absent number (NaN) is neither true nor false; it takes the branch of
 * `fails`, and the compiler turns the operator round under a `not`, so that the branch is the right one there too.
 *
 * Why this form and no closures: docs/decisions/0013-rules-as-a-branch-graph.md.
 */
import type { RuleFacts } from './facts.js';
import {
  containsText,
  equalsText,
  FAILS,
  HOLDS,
  hasText,
  inTexts,
  startsWithText,
  type TextPool,
  UNKNOWN,
} from './text-match.js';

/** `C` operations take b from the constants. */
export const Op = {
  halt: 0,
  matchActive: 1,
  matchShadow: 2,
  equalC: 3,
  unequalC: 4,
  lessC: 5,
  lessEqualC: 6,
  greaterC: 7,
  greaterEqualC: 8,
  equal: 9,
  unequal: 10,
  less: 11,
  lessEqual: 12,
  /** numbers[a] is known. */
  present: 13,
  /** A bit of b is set in the message's carried data. */
  carried: 14,
  /** Bit numbers[a] of the map that begins at word b; c = highest bit. */
  inBits: 15,
  /** numbers[a] in one of c sorted, disjoint ranges at constant b. */
  inRanges: 16,
  hasText: 17,
  textEquals: 18,
  inTexts: 19,
  startsWith: 20,
  contains: 21,
  load: 22,
  add: 23,
  subtract: 24,
  multiply: 25,
  addC: 26,
  multiplyC: 27,
  divideC: 28,
  remainderC: 29,
} as const;
export type Op = (typeof Op)[keyof typeof Op];

/** Words of an instruction in front of the branches, and of the longest instruction. */
export const BRANCHES = 4;

export interface Program extends TextPool {
  readonly code: Int32Array;
  readonly entry: number;
  readonly constants: Float64Array;
  readonly bits: Uint32Array;
}

/**
 * Runs a program. The labels are numbers because V8 makes a jump table of those only, which is a fifth of the time; `satisfies`
 * holds them to their names.
 * Sets bit i of `matched` for each rule i whose condition holds (the caller has cleared it).
 *
 * @returns the number of the first active rule that matched, -1 when none did.
 */
export function run(program: Program, facts: RuleFacts, matched: Uint32Array): number {
  const { code, constants, bits } = program;
  const { numbers, input } = facts;
  let first = -1;
  let pc = program.entry;
  for (;;) {
    const a = code[pc + 1]!;
    const b = code[pc + 2]!;
    let outcome: number;
    switch (code[pc]) {
      case 0 satisfies typeof Op.halt:
        return first;
      case 1 satisfies typeof Op.matchActive:
        if (first < 0) first = a;
        matched[a >>> 5]! |= 1 << (a & 31);
        pc = b;
        continue;
      case 2 satisfies typeof Op.matchShadow:
        matched[a >>> 5]! |= 1 << (a & 31);
        pc = b;
        continue;
      case 3 satisfies typeof Op.equalC:
        outcome = numbers[a]! === constants[b]! ? HOLDS : FAILS;
        break;
      case 4 satisfies typeof Op.unequalC: {
        const value = numbers[a]!;
        const other = constants[b]!;
        outcome = value < other || value > other ? HOLDS : FAILS;
        break;
      }
      case 5 satisfies typeof Op.lessC:
        outcome = numbers[a]! < constants[b]! ? HOLDS : FAILS;
        break;
      case 6 satisfies typeof Op.lessEqualC:
        outcome = numbers[a]! <= constants[b]! ? HOLDS : FAILS;
        break;
      case 7 satisfies typeof Op.greaterC:
        outcome = numbers[a]! > constants[b]! ? HOLDS : FAILS;
        break;
      case 8 satisfies typeof Op.greaterEqualC:
        outcome = numbers[a]! >= constants[b]! ? HOLDS : FAILS;
        break;
      case 9 satisfies typeof Op.equal:
        outcome = numbers[a]! === numbers[b]! ? HOLDS : FAILS;
        break;
      case 10 satisfies typeof Op.unequal: {
        const value = numbers[a]!;
        const other = numbers[b]!;
        outcome = value < other || value > other ? HOLDS : FAILS;
        break;
      }
      case 11 satisfies typeof Op.less:
        outcome = numbers[a]! < numbers[b]! ? HOLDS : FAILS;
        break;
      case 12 satisfies typeof Op.lessEqual:
        outcome = numbers[a]! <= numbers[b]! ? HOLDS : FAILS;
        break;
      case 13 satisfies typeof Op.present: {
        const value = numbers[a]!;
        outcome = Number.isNaN(value) ? FAILS : HOLDS;
        break;
      }
      case 14 satisfies typeof Op.carried:
        outcome = (input.carried & b) !== 0 ? HOLDS : FAILS;
        break;
      case 15 satisfies typeof Op.inBits: {
        const value = numbers[a]!;
        if (!(value >= 0 && value <= code[pc + 3]!)) outcome = Number.isNaN(value) ? UNKNOWN : FAILS;
        else outcome = ((bits[b + (value >>> 5)]! >>> (value & 31)) & 1) === 1 ? HOLDS : FAILS;
        break;
      }
      case 16 satisfies typeof Op.inRanges:
        outcome = inRanges(numbers, a, constants, b, code[pc + 3]!);
        break;
      case 17 satisfies typeof Op.hasText:
        outcome = hasText(input, a) ? HOLDS : FAILS;
        break;
      case 18 satisfies typeof Op.textEquals:
        outcome = equalsText(input, a, program, b);
        break;
      case 19 satisfies typeof Op.inTexts:
        outcome = inTexts(input, a, program, b, code[pc + 3]!);
        break;
      case 20 satisfies typeof Op.startsWith:
        outcome = startsWithText(input, a, program, b);
        break;
      case 21 satisfies typeof Op.contains:
        outcome = containsText(input, a, program, b);
        break;
      default:
        pc = compute(code, pc, numbers, constants);
        continue;
    }
    pc = code[pc + BRANCHES + outcome]!;
  }
}

/**
 * One computation; returns the address of the next instruction. From array to array, so that no number is ever boxed
 * (facts.ts); the meaning is that of arithmetic.ts.
 */
function compute(code: Int32Array, pc: number, numbers: Float64Array, constants: Float64Array): number {
  const to = code[pc + 1]!;
  const a = code[pc + 2]!;
  const b = code[pc + 3]!;
  switch (code[pc]) {
    case 22 satisfies typeof Op.load:
      numbers[to] = constants[b]!;
      break;
    case 23 satisfies typeof Op.add:
      numbers[to] = numbers[a]! + numbers[b]!;
      break;
    case 24 satisfies typeof Op.subtract:
      numbers[to] = numbers[a]! - numbers[b]!;
      break;
    case 25 satisfies typeof Op.multiply:
      numbers[to] = numbers[a]! * numbers[b]!;
      break;
    case 26 satisfies typeof Op.addC:
      numbers[to] = numbers[a]! + constants[b]!;
      break;
    case 27 satisfies typeof Op.multiplyC:
      numbers[to] = numbers[a]! * constants[b]!;
      break;
    case 28 satisfies typeof Op.divideC:
      numbers[to] = Math.floor(numbers[a]! / constants[b]!);
      break;
    case 29 satisfies typeof Op.remainderC: {
      const value = numbers[a]!;
      const by = constants[b]!;
      const positive = value < 0 ? -1 - value : value;
      const rest = positive - Math.floor(positive / by) * by;
      numbers[to] = value < 0 ? by - 1 - rest : rest;
      break;
    }
    default:
      // The compiler emits nothing else; address 0 is the end of every program.
      return 0;
  }
  const result = numbers[to]!;
  // What has left the safe range is absent.
  if (result > Number.MAX_SAFE_INTEGER || result < -Number.MAX_SAFE_INTEGER) numbers[to] = Number.NaN;
  return code[pc + 4]!;
}

/** Halves `count` pairs (from, to) of constants. */
function inRanges(numbers: Float64Array, slot: number, constants: Float64Array, at: number, count: number): number {
  const value = numbers[slot]!;
  let low = 0;
  let high = count - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    if (value < constants[at + 2 * middle]!) high = middle - 1;
    else if (value > constants[at + 2 * middle + 1]!) low = middle + 1;
    else return Number.isNaN(value) ? UNKNOWN : HOLDS;
  }
  return FAILS;
}
