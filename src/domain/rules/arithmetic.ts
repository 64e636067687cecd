/**
 * Arithmetic of the rules: on safe integers, and absent (NaN) once a result is none. A wrong number must never decide about
 * money, and a rule must never stop a shard, so what cannot be computed is unknown, like a field that was not sent.
 */

import type { ArithmeticOperator } from './ast.js';

const MAX = Number.MAX_SAFE_INTEGER;

/** The number itself, or NaN when it has left the safe range. A product that is too large is rounded, but never back into it. */
function safe(value: number): number {
  return value <= MAX && value >= -MAX ? value : Number.NaN;
}

/**
 * a / b rounded down, for a safe integer or NaN and b > 0. Exact: what is below 2^53 in size has a quotient that lies at least 1 / b
 * from the next integer, and that is more than by what it is rounded.
 */
function floorDivide(a: number, b: number): number {
  return Math.floor(a / b);
}

/** The rest of `floorDivide`: 0 to b - 1. */
function floorRemainder(a: number, b: number): number {
  if (a < 0) {
    const n = -1 - a;
    return b - 1 - (n - Math.floor(n / b) * b);
  }
  return a - Math.floor(a / b) * b;
}

/** The result of an operation on two constants, NaN when it is no safe integer. */
export function calculate(op: ArithmeticOperator, a: number, b: number): number {
  switch (op) {
    case '+':
      return safe(a + b);
    case '-':
      return safe(a - b);
    case '*':
      return safe(a * b);
    case '/':
      return floorDivide(a, b);
    case '%':
      return floorRemainder(a, b);
  }
}
