/**
 * One client connection that carries ISO 8583 messages one at a time: TCP or TLS with a framing, or WebSocket. For the
 * command line only; the load test has its own links.
 */

import { readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { HoldfastError } from '../errors.js';
import { FrameReader, type FramingOptions, frameOverhead, writeFrame } from '../iso8583/framing.js';
import { MESSAGE_BYTES_MAX } from '../limits.js';
import { systemError } from './terminal.js';

export interface Target {
  readonly transport: 'tcp' | 'tls' | 'ws';
  readonly host: string;
  readonly port: number;
  /** The URL of a WebSocket. */
  readonly url: string;
}

export interface IsoLink {
  /**
   * Sends a message and resolves with the next one that arrives and is a reply; the peer's own requests are not taken for
   * one. @throws HoldfastError `server_unreachable`
   */
  exchange(message: Uint8Array, timeoutMs: number, isReply: IsReply): Promise<Uint8Array>;
  close(): void;
}

export type IsReply = (message: Uint8Array) => boolean;

/** `host:port`, `iso8583+tcp://host:port`, `iso8583+tls://host:port` or `ws(s)://host:port/path`. */
export function parseTarget(text: string): Target {
  const wrong = (): HoldfastError =>
    new HoldfastError('usage', '--to is no target', 'give host:port, iso8583+tcp://, iso8583+tls://, ws:// or wss://');
  const full = text.includes('://') ? text : `iso8583+tcp://${text}`;
  if (!URL.canParse(full)) throw wrong();
  const url = new URL(full);
  if (url.hostname === '') throw wrong();
  const host = url.hostname.replace(/^\[|\]$/g, '');
  switch (url.protocol) {
    case 'iso8583+tcp:':
    case 'iso8583+tls:': {
      if (url.port === '') throw wrong();
      return { transport: url.protocol === 'iso8583+tcp:' ? 'tcp' : 'tls', host, port: Number(url.port), url: '' };
    }
    case 'ws:':
    case 'wss:':
      return { transport: 'ws', host, port: Number(url.port), url: url.href };
    default:
      throw wrong();
  }
}

interface Waiter {
  resolve(message: Uint8Array): void;
  reject(error: HoldfastError): void;
}

/** Messages that arrived, and whoever waits for the next one. */
class Inbox {
  readonly #messages: Uint8Array[] = [];
  #failure: HoldfastError | undefined;
  #waiter: Waiter | undefined;

  deliver(message: Uint8Array): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter === undefined) this.#messages.push(message);
    else waiter.resolve(message);
  }

  fail(error: HoldfastError): void {
    this.#failure ??= error;
    this.#waiter?.reject(this.#failure);
    this.#waiter = undefined;
  }

  /** The next message that passes; the others before it are dropped. */
  async next(timeoutMs: number, passes: IsReply): Promise<Uint8Array> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      const message = await this.#any(Math.max(0, end - performance.now()), timeoutMs);
      if (passes(message)) return message;
    }
  }

  #any(waitMs: number, timeoutMs: number): Promise<Uint8Array> {
    const ready = this.#messages.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiter = undefined;
        reject(
          new HoldfastError(
            'server_unreachable',
            `no reply within ${timeoutMs} ms`,
            'check dialect and framing of the listener, or give --timeout',
          ),
        );
      }, waitMs);
      this.#waiter = {
        resolve: (message) => {
          clearTimeout(timer);
          resolve(message);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
    });
  }
}

export interface TlsChoice {
  caFile?: string;
  insecure?: boolean;
}

/** @throws HoldfastError `server_unreachable` */
export async function openLink(
  target: Target,
  framing: FramingOptions,
  timeoutMs: number,
  tls: TlsChoice,
): Promise<IsoLink> {
  return target.transport === 'ws'
    ? openWebSocket(target, timeoutMs, tls)
    : openStream(target, framing, timeoutMs, tls);
}

const START_ONE = 'start one with `holdfast serve --demo`, or give --to';
/** Somebody is there: starting a server would not help. */
const OTHER_SIDE = 'check port, TLS, framing and dialect of the listener; its log says why it closed the connection';
const ISO_PORT = 'give the port of an ISO 8583 listener: `tcp=` or `ws=` of the line that `holdfast serve` prints';

/** Codes of a connection that nobody took. */
const NOBODY = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT'];

/** What helps when no connection came about: a server, or, where somebody answered, another port or certificate. */
function nextOf(error: NodeJS.ErrnoException): string {
  return error.code === undefined || NOBODY.includes(error.code) ? START_ONE : OTHER_SIDE;
}

function unreachable(target: Target, error: unknown, next: string): HoldfastError {
  const place = target.url === '' ? `${target.host}:${target.port}` : target.url;
  return systemError('server_unreachable', `cannot talk to ${place}`, error, next);
}

/** How an answer of an HTTP server begins, such as that of the admin port. */
const HTTP = Buffer.from('HTTP/');

function isHttp(chunk: Buffer): boolean {
  return chunk.subarray(0, HTTP.length).equals(HTTP);
}

function tlsOptions({ caFile, insecure }: TlsChoice): { ca?: Buffer; rejectUnauthorized: boolean } {
  const rejectUnauthorized = insecure !== true;
  if (caFile === undefined) return { rejectUnauthorized };
  try {
    return { rejectUnauthorized, ca: readFileSync(caFile) };
  } catch (error) {
    throw systemError('bad_input_file', `--ca-file ${caFile}`, error, 'give a readable PEM file');
  }
}

async function openStream(
  target: Target,
  framing: FramingOptions,
  timeoutMs: number,
  tls: TlsChoice,
): Promise<IsoLink> {
  const { host, port, transport } = target;
  const socket: Socket =
    transport === 'tls' ? connectTls({ host, port, servername: host, ...tlsOptions(tls) }) : connectTcp({ host, port });
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => {
      socket.destroy();
      reject(unreachable(target, error, nextOf(error)));
    };
    socket.setTimeout(timeoutMs, () => fail(new Error(`no connection within ${timeoutMs} ms`)));
    socket.once('error', fail);
    socket.once(transport === 'tls' ? 'secureConnect' : 'connect', () => {
      socket.setTimeout(0);
      socket.off('error', fail);
      resolve();
    });
  });
  socket.setNoDelay(true);
  const inbox = new Inbox();
  const reader = new FrameReader(framing);
  socket.on('error', (error) => inbox.fail(unreachable(target, error, OTHER_SIDE)));
  socket.on('close', () => inbox.fail(unreachable(target, new Error('the server closed the connection'), OTHER_SIDE)));
  let first = true;
  socket.on('data', (chunk) => {
    if (first && isHttp(chunk)) {
      inbox.fail(unreachable(target, new Error('it speaks HTTP, not ISO 8583'), ISO_PORT));
      socket.destroy();
      return;
    }
    first = false;
    try {
      reader.push(chunk, (buf, start, end) => inbox.deliver(buf.slice(start, end)));
    } catch (error) {
      inbox.fail(unreachable(target, error, OTHER_SIDE));
      socket.destroy();
    }
  });
  const overhead = frameOverhead(framing);
  return {
    exchange: (message, limitMs, isReply) => {
      const frame = new Uint8Array(overhead + message.length);
      writeFrame(framing, frame, 0, message.length);
      frame.set(message, overhead);
      socket.write(frame);
      return inbox.next(limitMs, isReply);
    },
    close: () => socket.destroy(),
  };
}

async function openWebSocket(target: Target, timeoutMs: number, tls: TlsChoice): Promise<IsoLink> {
  // Every command loads this file, and few open a WebSocket.
  const { WebSocket } = await import('ws');
  const socket = new WebSocket(target.url, {
    handshakeTimeout: timeoutMs,
    maxPayload: MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
    ...(target.url.startsWith('wss:') ? tlsOptions(tls) : {}),
  });
  socket.binaryType = 'nodebuffer';
  const inbox = new Inbox();
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('unexpected-response', (_request, { statusCode }) => {
      reject(unreachable(target, new Error(`it answers HTTP status ${statusCode}, not a WebSocket`), ISO_PORT));
      socket.terminate();
    });
    socket.once('error', (error) => reject(unreachable(target, error, nextOf(error))));
  });
  socket.on('error', (error) => inbox.fail(unreachable(target, error, OTHER_SIDE)));
  socket.on('close', () => inbox.fail(unreachable(target, new Error('the server closed the connection'), OTHER_SIDE)));
  socket.on('message', (data) => inbox.deliver(new Uint8Array(data as Buffer)));
  return {
    exchange: (message, limitMs, isReply) => {
      socket.send(message);
      return inbox.next(limitMs, isReply);
    },
    close: () => socket.terminate(),
  };
}
