/**
 * The lines of a CTF file, in chunks of any size: each 168 characters, with a line feed or both a carriage return and a line
 * feed behind it (the last one may have none). A line of another length is told with its length and never kept longer than a
 * line: memory does not depend on the file.
 */
import { CTF_LINE } from './profile.js';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export class LineReader {
  /** The line's characters, `length` of them; only those of a right line are all there. */
  readonly line = new Uint8Array(CTF_LINE + 1);
  length = 0;
  /** Number of the line, from 1, and the offset in the file of its first byte. */
  number = 0;
  offset = 0;
  /** Bytes of the file so far. */
  bytes = 0;

  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  #open = 0;
  #openOffset = 0;

  /** Takes the next chunk; `next` has said false about the one before. */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** Goes to the next line of the chunk that is whole. */
  next(): boolean {
    const chunk = this.#chunk;
    if (this.#at >= chunk.length) return false;
    const feed = chunk.indexOf(LINE_FEED, this.#at);
    this.#take(feed < 0 ? chunk.length : feed);
    if (feed < 0) return false;
    this.#at++;
    this.bytes++;
    this.#close();
    return true;
  }

  /** The file is at its end; true when a last line had no line feed. */
  finish(): boolean {
    if (this.#open === 0) return false;
    this.#close();
    return true;
  }

  #take(stop: number): void {
    const count = stop - this.#at;
    if (this.#open === 0) this.#openOffset = this.bytes;
    const room = this.line.length - this.#open;
    if (room > 0) this.line.set(this.#chunk.subarray(this.#at, this.#at + Math.min(count, room)), this.#open);
    this.#open += count;
    this.#at = stop;
    this.bytes += count;
  }

  #close(): void {
    const open = this.#open;
    const returned = open > 0 && open <= this.line.length && this.line[open - 1] === CARRIAGE_RETURN;
    this.length = returned ? open - 1 : open;
    this.offset = this.#openOffset;
    this.number++;
    this.#open = 0;
  }
}
