/** Currencies as the API writes them: ISO 4217 letters. */
import { currencyLetters, currencyNumber } from '../domain/currencies.js';

/** Numeric code of three capital letters; undefined when there is no such currency. */
export function currencyOfCode(code: string): number | undefined {
  const numeric = currencyNumber(code);
  return numeric < 0 ? undefined : numeric;
}

/** Letters of a numeric code; the three digits themselves when the table does not know it. */
export function currencyCode(numeric: number): string {
  return currencyLetters(numeric) ?? String(numeric).padStart(3, '0');
}
