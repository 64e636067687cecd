/**
 * One connection to a device. Many commands are under way at once and the answers come in any order: the header, which the device
 * echoes, says which one an answer belongs to. A number is not used again while its answer may still come, so an answer that is
 * late is dropped and never taken for another one's.
 *
 * What is no answer (another length, an unknown header, another command's code) ends the connection: from then on nothing in the
 * stream can be trusted.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { HSM_LATE_ANSWERS_MAX, HSM_RESPONSE_BYTES_MAX } from '../../limits.js';
import { outsideHeap } from '../card/bytes.js';
import { failed, type HsmVerdict } from '../hsm/port.js';
import { type Command, wipeCommand } from './commands.js';
import { verdictOfCode } from './error-codes.js';

export interface ConnectionTarget {
  readonly host: string;
  readonly port: number;
  /** Characters of the header, 1 to 8: the device's own setting, usually 4. */
  readonly headerChars: number;
  /** TLS 1.2 or newer with a verified certificate; none: plain TCP, for a device on the same host or behind a tunnel. */
  readonly tls?: ConnectionOptions;
}

export interface ConnectionEvents {
  up(): void;
  /** @param reason a few words: the system's code, or what is wrong with the stream */
  down(reason: string): void;
  /** An answer that came after its command was given up. */
  late(): void;
}

interface Pending {
  readonly command: Command;
  readonly resolve: (verdict: HsmVerdict) => void;
  readonly timer: NodeJS.Timeout;
}

const LENGTH_BYTES = 2;
const CODE_CHARS = 2;
const ERROR_CHARS = 2;
const down = failed('device_down', 'the connection ended before the answer came');
const noNumber = failed('device_busy', 'every number that the header has is under way');
const tooLate = failed('timeout', 'the device did not answer in time');
const garbage = failed('device_error', 'the device answered something else');

export class DeviceConnection {
  readonly #target: ConnectionTarget;
  readonly #events: ConnectionEvents;
  readonly #socket: Socket;
  readonly #pending = new Map<string, Pending>();
  /** Headers of commands that were given up. */
  readonly #late = new Set<string>();
  #rest: Buffer = Buffer.alloc(0);
  #next = 0;
  #up = false;
  #ended = false;

  constructor(target: ConnectionTarget, events: ConnectionEvents) {
    this.#target = target;
    this.#events = events;
    const { host, port, tls } = target;
    const options = { host, port, noDelay: true, keepAlive: true };
    this.#socket =
      tls === undefined
        ? connectTcp(options)
        : connectTls({ minVersion: 'TLSv1.2', ...tls, ...options, rejectUnauthorized: true });
    this.#socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      this.#up = true;
      events.up();
    });
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#end(error.code ?? 'error'));
    this.#socket.on('end', () => this.#end('closed by the device'));
    this.#socket.on('close', () => this.#end('closed'));
  }

  get isUp(): boolean {
    return this.#up && !this.#ended;
  }

  /** Commands under way. */
  get inFlight(): number {
    return this.#pending.size;
  }

  /** Sends a command; its verdict, or `timeout` or `device_down`. */
  send(command: Command, timeoutMs: number): Promise<HsmVerdict> {
    // Each command under way and each answer to come has a number of its own.
    const full = this.#pending.size + this.#late.size >= 16 ** this.#target.headerChars - 1;
    if (!this.isUp || full) {
      wipeCommand(command);
      return Promise.resolve(full ? noNumber : down);
    }
    const header = this.#newHeader();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#giveUp(header), timeoutMs);
      this.#pending.set(header, { command, resolve, timer });
      const frame = outsideHeap(LENGTH_BYTES + header.length + CODE_CHARS + command.fields.length);
      frame.writeUInt16BE(frame.length - LENGTH_BYTES);
      frame.write(header + command.code, LENGTH_BYTES, 'latin1');
      frame.set(command.fields, LENGTH_BYTES + header.length + CODE_CHARS);
      this.#socket.write(frame, () => frame.fill(0));
    });
  }

  close(): void {
    this.#end('closed here');
  }

  /** A number that no command under way and no answer to come has. */
  #newHeader(): string {
    const { headerChars } = this.#target;
    const modulus = 16 ** headerChars;
    for (;;) {
      this.#next = (this.#next + 1) % modulus;
      const header = this.#next.toString(16).toUpperCase().padStart(headerChars, '0');
      if (!this.#pending.has(header) && !this.#late.has(header)) return header;
    }
  }

  #giveUp(header: string): void {
    const pending = this.#pending.get(header);
    if (pending === undefined) return;
    this.#late.add(header);
    this.#settle(header, pending, tooLate);
    // A device that is silent for so many is not waited for: a new connection begins with none.
    if (this.#late.size > HSM_LATE_ANSWERS_MAX) this.#end('too many commands without an answer');
  }

  #settle(header: string, pending: Pending, verdict: HsmVerdict): void {
    this.#pending.delete(header);
    clearTimeout(pending.timer);
    wipeCommand(pending.command);
    pending.resolve(verdict);
  }

  #read(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest.fill(0);
    while (!this.#ended && bytes.length >= LENGTH_BYTES) {
      const length = bytes.readUInt16BE(0);
      const impossible =
        length > HSM_RESPONSE_BYTES_MAX || length < this.#target.headerChars + CODE_CHARS + ERROR_CHARS;
      if (impossible) this.#end('an answer of an impossible length');
      if (impossible || bytes.length < LENGTH_BYTES + length) break;
      const frame = bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
      bytes = bytes.subarray(LENGTH_BYTES + length);
      this.#answer(frame);
      frame.fill(0);
    }
    this.#rest = Buffer.from(bytes);
  }

  #answer(frame: Buffer): void {
    const { headerChars } = this.#target;
    const header = frame.toString('latin1', 0, headerChars);
    const pending = this.#pending.get(header);
    if (pending === undefined) {
      if (this.#late.delete(header)) this.#events.late();
      else this.#end('an answer to nothing that was asked');
      return;
    }
    const verdict = verdictIn(frame, headerChars, pending.command);
    this.#settle(header, pending, verdict ?? garbage);
    if (verdict === undefined) this.#end('an answer of another form');
  }

  #end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    this.#rest.fill(0);
    for (const [header, pending] of [...this.#pending]) this.#settle(header, pending, down);
    this.#events.down(reason);
  }
}

/** The verdict in an answer, or undefined when it is none to this command. */
function verdictIn(frame: Buffer, codeAt: number, { code, verifies, warnings, read }: Command): HsmVerdict | undefined {
  const errorAt = codeAt + CODE_CHARS;
  const fieldsAt = errorAt + ERROR_CHARS;
  const expected = code[0]! + String.fromCharCode(code.charCodeAt(1) + 1);
  if (frame.toString('latin1', codeAt, errorAt) !== expected) return undefined;
  const error = frame.toString('latin1', errorAt, fieldsAt);
  if (!/^[0-9A-Z]{2}$/.test(error)) return undefined;
  return error === '00' || warnings.includes(error) ? read(frame.subarray(fieldsAt)) : verdictOfCode(error, verifies);
}
