/**
 * Secrets typed by people or piped in: lines of stdin. On a terminal nothing that is typed is shown.
 */
import type { ReadStream } from 'node:tty';
import { HoldfastError } from '../errors.js';
import type { Terminal } from './terminal.js';

const LINE_BYTES_MAX = 1024;
const [CTRL_C, CTRL_D, NEWLINE, RETURN, BACKSPACE, DELETE] = ['\x03', '\x04', '\n', '\r', '\b', '\x7f'];

export class HiddenInput {
  readonly #terminal: Terminal;
  readonly #tty: ReadStream | undefined;
  readonly #bytes: AsyncIterator<Buffer | string>;
  /** Read and not yet taken. */
  #rest = '';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    const { stdin } = terminal;
    this.#tty = (stdin as ReadStream).isTTY === true ? (stdin as ReadStream) : undefined;
    // Before the first prompt: what is typed ahead is not shown either.
    this.#tty?.setRawMode(true);
    this.#bytes = stdin[Symbol.asyncIterator]();
  }

  /**
   * The next line without its end. The prompt goes to stderr, and only on a terminal.
   * @throws HoldfastError `bad_input_file` at the end of the input, after Ctrl-C, and when a line is too long
   */
  async line(prompt: string): Promise<string> {
    if (this.#tty !== undefined) this.#terminal.progress(prompt);
    let text = '';
    for (;;) {
      while (this.#rest !== '') {
        const char = this.#rest[0]!;
        this.#rest = this.#rest.slice(1);
        if (char === NEWLINE || char === RETURN) {
          if (char === RETURN && this.#rest[0] === NEWLINE) this.#rest = this.#rest.slice(1);
          if (this.#tty !== undefined) this.#terminal.err('');
          return text;
        }
        if (this.#tty !== undefined && (char === CTRL_C || char === CTRL_D)) throw ended('was ended');
        if (char === BACKSPACE || char === DELETE) text = text.slice(0, -1);
        else text += char;
        if (text.length > LINE_BYTES_MAX) throw ended('has a line that is too long');
      }
      const { done, value } = await this.#bytes.next();
      if (done === true) {
        if (text === '') throw ended('ended before everything was there');
        return text;
      }
      this.#rest = value.toString('latin1');
    }
  }

  /** Gives the terminal back. */
  async close(): Promise<void> {
    this.#tty?.setRawMode(false);
    await this.#bytes.return?.();
  }
}

function ended(what: string): HoldfastError {
  return new HoldfastError('bad_input_file', `the input ${what}`, 'begin again; nothing was written');
}
