/** A client of Redis: commands in RESP built into one buffer per write, replies parsed where they lie. */
import { connect, type Socket } from 'node:net';

export type RespValue = number | string | null | readonly RespValue[];

/** One command as its bytes. */
export function respCommand(...words: readonly (string | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === 'string' ? Buffer.from(word, 'latin1') : word;
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF);
  }
  return Buffer.concat(parts);
}

const CRLF = Buffer.from('\r\n');
const CR = 0x0d;

/** Replies out of a stream of chunks. */
export class RespReader {
  #held: Buffer = Buffer.alloc(0);
  #at = 0;

  /** Adds a chunk and returns the replies that are whole now. @throws Error for an error reply, and for bytes that are no RESP 2 */
  push(chunk: Buffer): RespValue[] {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const values: RespValue[] = [];
    let from = 0;
    for (;;) {
      this.#at = from;
      const value = this.#value();
      if (value === undefined) break;
      values.push(value);
      from = this.#at;
    }
    this.#held = this.#held.subarray(from);
    return values;
  }

  /** The value at `#at`, which moves behind it; undefined when its end has not come yet. */
  #value(): RespValue | undefined {
    const kind = this.#held[this.#at];
    const end = this.#held.indexOf(CR, this.#at);
    if (kind === undefined || end < 0 || end + 2 > this.#held.length) return undefined;
    const start = this.#at + 1;
    this.#at = end + 2;
    switch (kind) {
      case 0x3a: // :
        return this.#number(start, end);
      case 0x2b: // +
        return this.#held.toString('latin1', start, end);
      case 0x2d: // -
        throw new Error(`redis: ${this.#held.toString('latin1', start, end)}`);
      case 0x24: // $
        return this.#bulk(this.#number(start, end));
      case 0x2a: // *
        return this.#array(this.#number(start, end));
      default:
        throw new Error(`redis: a reply begins with byte ${kind}`);
    }
  }

  #bulk(length: number): string | null | undefined {
    if (length < 0) return null;
    const start = this.#at;
    if (start + length + 2 > this.#held.length) return undefined;
    this.#at = start + length + 2;
    return this.#held.toString('latin1', start, start + length);
  }

  #array(length: number): RespValue[] | undefined {
    const values: RespValue[] = [];
    for (let i = 0; i < length; i++) {
      const value = this.#value();
      if (value === undefined) return undefined;
      values.push(value);
    }
    return values;
  }

  #number(start: number, end: number): number {
    const bytes = this.#held;
    const negative = bytes[start] === 0x2d;
    let value = 0;
    for (let i = negative ? start + 1 : start; i < end; i++) value = value * 10 + bytes[i]! - 0x30;
    return negative ? -value : value;
  }
}

/** One connection. Replies come in the order of the commands. */
export class RespConnection {
  readonly #socket: Socket;
  readonly #reader = new RespReader();
  onReplies: (values: readonly RespValue[]) => void = () => undefined;
  onFailure: (error: Error) => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => {
      let values: RespValue[];
      try {
        values = this.#reader.push(chunk);
      } catch (error) {
        this.onFailure(error as Error);
        socket.destroy();
        return;
      }
      if (values.length > 0) this.onReplies(values);
    });
    socket.on('error', (error) => this.onFailure(error));
  }

  /** @throws Error when nobody listens there */
  static open(path: string): Promise<RespConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RespConnection(socket));
      });
    });
  }

  write(commands: Buffer): void {
    this.#socket.write(commands);
  }

  /** Sends commands and resolves with their replies; nothing else may be under way. @throws Error for an error reply */
  ask(commands: readonly Buffer[]): Promise<RespValue[]> {
    return new Promise((resolve, reject) => {
      const all: RespValue[] = [];
      this.onFailure = reject;
      this.onReplies = (values) => {
        all.push(...values);
        if (all.length >= commands.length) resolve(all);
      };
      this.write(Buffer.concat(commands));
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}
