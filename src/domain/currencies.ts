/**
 * ISO 4217: numeric code, letters and number of decimals (the exponent of the minor unit). Only currencies that a card
 * account or a purchase can have: no metals, test codes, bond units or drawing rights. Amounts in messages are minor units by this
 * table and never by a guess: 1000 is ten dinars of Sudan, one of Kuwait, and a thousand yen. The table is generated from a
 * package that follows the list of ISO: scripts/currencies.mjs.
 */
import { currencyTable } from './currency-table.js';

const NONE = 255;
const exponents = new Uint8Array(1000).fill(NONE);
const letters: string[] = [];
const numbers: Record<string, number> = {};
for (const [alpha, numeric, exponent] of currencyTable) {
  exponents[numeric] = exponent;
  letters[numeric] = alpha;
  numbers[alpha] = numeric;
}

/** Decimals of a currency by its numeric code (0, 2, 3 or 4); -1 when there is no such currency. */
export function currencyExponent(numeric: number): number {
  const exponent = exponents[numeric] ?? NONE;
  return exponent === NONE ? -1 : exponent;
}

/** Three letters of a numeric code, e.g. 986 -> BRL. */
export function currencyLetters(numeric: number): string | undefined {
  return letters[numeric];
}

/** Numeric code of three upper-case letters; -1 when there is no such currency. */
export function currencyNumber(alpha: string): number {
  return Object.hasOwn(numbers, alpha) ? numbers[alpha]! : -1;
}

/** Numeric codes of all currencies, ascending. */
export function currencyNumbers(): number[] {
  return Object.keys(letters).map(Number);
}
