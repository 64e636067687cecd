/**
 * The demo program of `serve --demo`: one thousand accounts with a card each, the same on every machine, so that a command
 * can name a demo card without its number being looked up, typed or logged. 9999 99 is a test range that no scheme issues.
 */
import { luhnCheckDigit } from '../vault/pan.js';

export const DEMO_CARDS = 1000;
export const DEMO_BIN = '999999';
/** YYMM. */
export const DEMO_EXPIRY = '3512';
/** ISO 4217 numeric of BRL. */
export const DEMO_CURRENCY = '986';
/** Minor units: 5 000.00. */
export const DEMO_CREDIT_LIMIT = 500_000;

/** Card number of demo card `n`, 1 to DEMO_CARDS. */
export function demoPan(n: number): string {
  const digits = `${DEMO_BIN}${String(n).padStart(9, '0')}`;
  return `${digits}${luhnCheckDigit(digits)}`;
}

/** Id of the account of demo card `n`. */
export function demoAccount(n: number): string {
  return `demo-${String(n).padStart(4, '0')}`;
}
