/** What happened in a run, line by line: a hash of all of it, and the last lines themselves. */
import { createHash } from 'node:crypto';

const LINES_KEPT = 400;
const FLUSH_CHARACTERS = 16_384;

export class Trace {
  /** Lines so far. */
  count = 0;
  readonly #hash = createHash('sha256');
  readonly #last: string[] = [];
  readonly #onLine: ((line: string) => void) | undefined;
  #buffer = '';

  constructor(onLine?: (line: string) => void) {
    this.#onLine = onLine;
  }

  add(us: number, text: string): void {
    const line = `${(us / 1_000_000).toFixed(6)} ${text}`;
    this.count++;
    this.#onLine?.(line);
    this.#last[this.count % LINES_KEPT] = line;
    this.#buffer += `${line}\n`;
    if (this.#buffer.length < FLUSH_CHARACTERS) return;
    this.#hash.update(this.#buffer);
    this.#buffer = '';
  }

  /** Hash of every line until now. */
  get digest(): string {
    return this.#hash.copy().update(this.#buffer).digest('hex');
  }

  /** The last lines, oldest first. */
  last(count: number): string[] {
    const lines: string[] = [];
    for (let i = Math.max(1, this.count - Math.min(count, LINES_KEPT) + 1); i <= this.count; i++)
      lines.push(this.#last[i % LINES_KEPT]!);
    return lines;
  }
}
