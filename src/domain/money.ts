/**
 * Money is a safe integer of minor units. Every sum is checked: a value beyond 2^53 would lose cents without a word, so it
 * stops the shard instead.
 */
import { HoldfastError } from '../errors.js';
import { AMOUNT_MAX } from '../limits.js';

/** a + b in minor units. @throws HoldfastError `invariant_violated` when the sum leaves the safe range. */
export function addMoney(a: number, b: number): number {
  const sum = a + b;
  if (!Number.isSafeInteger(sum)) {
    throw new HoldfastError(
      'invariant_violated',
      `money out of range: ${a} + ${b} is no safe integer of minor units`,
      'a balance or a total has grown beyond 9e15 minor units, or a value was no integer: verify the data directory',
    );
  }
  return sum;
}

/** True for what one message or command may carry: an integer from `least` to 12 digits. */
export function isAmount(value: number, least: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= AMOUNT_MAX;
}

/** What `isAmount` allows, as a refusal says it. */
export const amountText = (what: string, value: number, least: number): string =>
  `${what} is ${value}; allowed are ${least} to ${AMOUNT_MAX} minor units`;

/** floor(a * b / c) for non-negative safe integers and c > 0, exact for every product. */
export function mulDivFloor(a: number, b: number, c: number): number {
  const product = a * b;
  if (product <= Number.MAX_SAFE_INTEGER) return (product - (product % c)) / c;
  return checked((BigInt(a) * BigInt(b)) / BigInt(c), a, b, c);
}

/** a * b / c rounded half up for non-negative safe integers and c > 0, exact for every product. */
export function mulDivHalfUp(a: number, b: number, c: number): number {
  const product = a * b;
  if (product <= Number.MAX_SAFE_INTEGER) {
    const rest = product % c;
    return (product - rest) / c + (rest >= c - rest ? 1 : 0);
  }
  const divisor = BigInt(c);
  return checked((2n * BigInt(a) * BigInt(b) + divisor) / (2n * divisor), a, b, c);
}

/** Two amounts of 12 digits and a small divisor give more than 2^53: that is no amount of money any more. */
function checked(quotient: bigint, a: number, b: number, c: number): number {
  const value = Number(quotient);
  if (!Number.isSafeInteger(value)) {
    throw new HoldfastError(
      'invariant_violated',
      `money out of range: ${a} * ${b} / ${c} is no safe integer of minor units`,
      'the amounts of one message contradict each other: look at its DE4, DE6 and DE95',
    );
  }
  return value;
}
