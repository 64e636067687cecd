/** A history as a table of messages, for a reader of a failure: when, what was said, the answer, and the balances after it. */
import type { Message } from './reference/message.js';

interface Row {
  time: string;
  what: string;
  answer: string;
  balances: string;
}

export class Transcript {
  readonly #rows: Row[] = [];

  say(timeMs: number, what: string): void {
    const time = new Date(timeMs).toISOString().slice(0, 19).replace('T', ' ');
    this.#rows.push({ time, what, answer: '', balances: '' });
  }

  /** The answer to what was said last, or what else came of it. */
  answer(text: string): void {
    this.#rows.at(-1)!.answer = text;
  }

  balances(text: string): void {
    const row = this.#rows.at(-1);
    if (row) row.balances = text;
  }

  toString(): string {
    const widths = (['what', 'answer'] as const).map((column) =>
      Math.min(160, Math.max(...this.#rows.map((row) => row[column].length))),
    );
    return this.#rows
      .map(({ time, what, answer, balances }) =>
        [time, what.padEnd(widths[0]!), answer.padEnd(widths[1]!), balances].join(' | '),
      )
      .join('\n');
  }
}

/** `0100 a 00 1234 BRL...`: MTI, card, DE3 and amount, then whatever else the message has. */
export function lineOf(card: string, { mti, pc, amount, currency, ...rest }: Message): string {
  const parts = [String(mti).padStart(4, '0'), card];
  if (pc !== undefined) parts.push(String(pc).padStart(6, '0').slice(0, 2));
  if (amount !== undefined) parts.push(`${amount} in ${currency}`);
  for (const [name, value] of Object.entries(rest)) {
    parts.push(`${name}=${typeof value === 'object' ? Object.values(value).join('/') : value}`);
  }
  return parts.join(' ');
}
