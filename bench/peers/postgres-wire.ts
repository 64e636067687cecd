/**
 * A client of PostgreSQL, as much of protocol 3.0 as the job needs: start-up without a password, simple queries, and one prepared
 * statement in binary form. Written for the benchmark, so that the client's own cost is small and like that of the other peers.
 * An answer counts at ReadyForQuery: rows may come before the commit, that message does not.
 */
import { connect, type Socket } from 'node:net';

const PROTOCOL = 196_608;
/** Object ids of types (pg_type.dat). */
export const Oid = { int8: 20, int8Array: 1016, uuid: 2950, uuidArray: 2951 } as const;

/** One message: its letter ('' for the first of a connection), its length, its body. */
function message(letter: string, ...body: readonly Buffer[]): Buffer {
  const length = body.reduce((sum, part) => sum + part.length, 4);
  const head = Buffer.alloc(letter.length + 4);
  head.write(letter, 0, 'latin1');
  head.writeInt32BE(length, letter.length);
  return Buffer.concat([head, ...body]);
}

const text = (value: string): Buffer => Buffer.from(`${value}\0`);

function int16(...values: readonly number[]): Buffer {
  const out = Buffer.alloc(values.length * 2);
  for (const [i, value] of values.entries()) out.writeInt16BE(value, i * 2);
  return out;
}

function int32(...values: readonly number[]): Buffer {
  const out = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) out.writeInt32BE(value, i * 4);
  return out;
}

/** A bigint in binary form. */
export function int8(value: bigint): Buffer {
  const out = Buffer.allocUnsafe(8);
  out.writeBigInt64BE(value);
  return out;
}

/** An array of one dimension in binary form. */
export function arrayOf(element: number, values: readonly Buffer[]): Buffer {
  const parts = [int32(1, 0, element, values.length, 1)];
  for (const value of values) parts.push(int32(value.length), value);
  return Buffer.concat(parts);
}

/** What the server said since the last ReadyForQuery. */
interface Turn {
  /** First column of each row, as it came. */
  readonly rows: Buffer[];
  error: string;
}

export class PostgresConnection {
  readonly #socket: Socket;
  #held: Buffer = Buffer.alloc(0);
  #turn: Turn = { rows: [], error: '' };
  /** The first columns of the rows of one query, whose transaction has been committed. */
  onRows: (rows: readonly Buffer[]) => void = () => undefined;
  onFailure: (error: Error) => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', (error) => this.onFailure(error));
    socket.on('close', () => this.onFailure(new Error('postgres: the server closed the connection')));
  }

  /** @param path of the Unix socket @throws Error when nobody listens there, or the server refuses */
  static open(path: string, user: string, database: string): Promise<PostgresConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      const connection = new PostgresConnection(socket);
      connection.onFailure = reject;
      connection.onRows = () => resolve(connection);
      const settings = [text('user'), text(user), text('database'), text(database), Buffer.alloc(1)];
      socket.write(message('', int32(PROTOCOL), ...settings));
    });
  }

  /** Runs statements in one transaction and resolves with the first columns of the last one's rows, as text. @throws Error with the server's words */
  query(sql: string): Promise<string[]> {
    return this.#ask(message('Q', text(sql)), (rows) => rows.map((row) => row.toString()));
  }

  /** Prepares the statement that `execute` runs. */
  prepare(sql: string, types: readonly number[]): Promise<void> {
    const parse = message('P', text(STATEMENT), text(sql), int16(types.length), int32(...types));
    return this.#ask(Buffer.concat([parse, SYNC]), () => undefined);
  }

  /** Runs the prepared statement with these parameters, all in binary form, as a transaction of its own; `onRows` gets its rows. */
  execute(values: readonly Buffer[]): void {
    const bind = [text(''), text(STATEMENT), int16(1, 1, values.length)];
    for (const value of values) bind.push(int32(value.length), value);
    this.#socket.write(Buffer.concat([message('B', ...bind, int16(1, 1)), EXECUTE, SYNC]));
  }

  close(): void {
    this.onFailure = () => undefined;
    this.#socket.destroy();
  }

  #ask<T>(bytes: Buffer, result: (rows: readonly Buffer[]) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.onFailure = reject;
      this.onRows = (rows) => resolve(result(rows));
      this.#socket.write(bytes);
    });
  }

  #read(chunk: Buffer): void {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    let at = 0;
    while (bytes.length - at >= 5) {
      const end = at + 1 + bytes.readInt32BE(at + 1);
      if (bytes.length < end) break;
      this.#message(bytes[at]!, bytes.subarray(at + 5, end));
      at = end;
    }
    this.#held = bytes.subarray(at);
  }

  #message(letter: number, body: Buffer): void {
    switch (letter) {
      case 0x44: // D, a row: number of columns, then each with its length
        this.#turn.rows.push(body.subarray(6, 6 + body.readInt32BE(2)));
        break;
      case 0x45: // E, an error: fields of a letter and a text
        this.#turn.error = `postgres: ${/\0M([^\0]*)/.exec(`\0${body.toString()}`)?.[1] ?? 'an error'}`;
        // An error at start-up is the last message of the connection; of a query, ReadyForQuery follows.
        this.onFailure(new Error(this.#turn.error));
        break;
      case 0x52: // R, authentication: 0 is done
        if (body.readInt32BE(0) !== 0) this.onFailure(new Error('postgres: the server wants a password'));
        break;
      case 0x5a: {
        // Z, ready for the next query
        const { rows, error } = this.#turn;
        this.#turn = { rows: [], error: '' };
        if (error === '') this.onRows(rows);
        break;
      }
      default: // parameters, notices, completions: nothing to learn from
    }
  }
}

const STATEMENT = 'authorize';
const EXECUTE = message('E', text(''), int32(0));
const SYNC = message('S');
