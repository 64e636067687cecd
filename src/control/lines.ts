/** Splits a byte stream into lines with bounded memory. */
import { BULK_LINE_BYTES_MAX } from '../limits.js';

const NEWLINE = 0x0a;

export class LineSplitter {
  /** Number of the line that was delivered last, from 1. */
  line = 0;
  #rest: Uint8Array = new Uint8Array(0);
  #skipping = false;
  readonly #onLine: (bytes: Uint8Array, line: number) => void;
  readonly #onTooLong: (line: number) => void;

  /** `onLine` gets a view that is valid during the call, without the newline. */
  constructor(onLine: (bytes: Uint8Array, line: number) => void, onTooLong: (line: number) => void) {
    this.#onLine = onLine;
    this.#onTooLong = onTooLong;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, at);
      if (end < 0) break;
      this.#deliver(chunk.subarray(at, end));
      at = end + 1;
    }
    const tail = chunk.subarray(at);
    if (this.#skipping || tail.length === 0) return;
    if (this.#rest.length + tail.length > BULK_LINE_BYTES_MAX) {
      this.#rest = new Uint8Array(0);
      this.#skipping = true;
      return;
    }
    this.#rest = Buffer.concat([this.#rest, tail]);
  }

  /** The last line needs no newline. */
  end(): void {
    if (this.#skipping || this.#rest.length > 0) this.#deliver(new Uint8Array(0));
  }

  #deliver(piece: Uint8Array): void {
    this.line++;
    const whole = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const tooLong = this.#skipping || whole.length > BULK_LINE_BYTES_MAX;
    this.#rest = new Uint8Array(0);
    this.#skipping = false;
    if (tooLong) this.#onTooLong(this.line);
    else this.#onLine(whole, this.line);
  }
}
