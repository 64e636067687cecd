/** Names of the numbers of codes.ts as the API and the tables of programs write them. */

import { Check, CheckOutcome } from './codes.js';
import type { MessageEvent } from './events.js';

/** `cardLost` becomes `card_lost`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Name of a number of a table such as those of codes.ts; `code_<number>` of one that the table has not got. */
export function codeName(table: Readonly<Record<string, number>>, code: number): string {
  for (const [name, value] of Object.entries(table)) if (value === code) return snakeCase(name);
  return `code_${code}`;
}

/** How each check of card cryptography of a message ended, by its name; for a message that was checked. */
export function checkOutcomes({ checks }: Pick<MessageEvent, 'checks'>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(Check).map(([name, check]) => [snakeCase(name), codeName(CheckOutcome, checks[check]!)]),
  );
}
