/**
 * WebSocket links: ws://host:port/iso8583, binary messages, one ISO 8583 message each, `?dialect=` chooses the dialect. An empty
 * binary message is a keep-alive and is answered in kind.
 *
 * Two adapters do the protocol, with the same behaviour and the same tests: uWebSockets.js where its binary loads, and ws
 * everywhere else. They accept or refuse the upgrade by `WsGate`, wrap a socket in `WsSocket`, and speak to `WsConnection`.
 */
import { copyBytes } from '../bytes.js';
import { monotonicUs } from '../clock.js';
import { type Dialect, dialect, dialectNames, isDialectName } from '../iso8583/dialects.js';
import { MESSAGE_BYTES_MAX, SOCKET_HIGH_WATER_BYTES } from '../limits.js';
import { Connection, errorText } from './connection.js';
import type { Link } from './link.js';
import type { ErrorKind } from './stats.js';

export const WS_PATH = '/iso8583';

/** What an adapter offers of one socket. Nothing is called after `close` or `terminate`. */
export interface WsSocket {
  /** Sends binary messages that lie behind each other in `bytes`, message i ending before `ends[i]`, as one burst. */
  send(bytes: Uint8Array, ends: readonly number[]): void;
  /** False once the peer's close frame came or the socket broke. */
  readonly writable: boolean;
  /** Bytes not yet taken by the system, and those it has taken (only the growth of the latter counts). */
  readonly unsentBytes: number;
  readonly takenBytes: number;
  /** Close frame with code and reason, then the end. */
  close(code: number, reason: string): void;
  /** The end without a close frame. */
  terminate(): void;
  /** Stops reading while the peer takes no replies, where the adapter can. */
  pause(): void;
  resume(): void;
  tick(nowUs: number): void;
}

/** Outcome of an upgrade request: the dialect, or an HTTP status with its text. */
export type WsGate = { readonly dialect: Dialect } | { readonly status: 400 | 403 | 404 | 503; readonly text: string };

/** What an upgrade request says of itself. */
export interface WsRequest {
  readonly path: string;
  readonly query: string;
  /** Headers, '' without. */
  readonly host: string;
  readonly origin: string;
}

/**
 * Decides about an upgrade; refusals are counted by the link. A browser lets every page open a WebSocket to every address that its
 * machine reaches, loopback included, and says in `Origin` whose page it is (RFC 6455, section 10.2): pages of others are refused.
 */
export function gate(link: Link, { path, query, host, origin }: WsRequest, remote: string): WsGate {
  if (path !== WS_PATH) {
    link.report('bad_request', remote, 'wrong path');
    return { status: 404, text: `ISO 8583 is served at ${WS_PATH}` };
  }
  const wanted = new URLSearchParams(query).get('dialect') ?? link.profile.dialect;
  if (!isDialectName(wanted)) {
    link.report('bad_request', remote, 'unknown dialect');
    return { status: 400, text: `unknown dialect: use one of ${dialectNames.join(', ')}` };
  }
  if (origin !== '' && hostOf(origin) !== host.toLowerCase()) {
    link.report('not_allowed', remote, 'a web page of another origin');
    return { status: 403, text: 'web pages of other origins may not connect' };
  }
  const why = link.refuses(remote);
  if (why === 'not_allowed') return { status: 403, text: 'this address may not connect' };
  if (why === 'too_many_connections') return { status: 503, text: 'too many connections' };
  return { dialect: dialect(wanted) };
}

/** Host and port of an origin; '' of one that has none (`null`). */
function hostOf(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).host : '';
}

/** HTTP status line of a refused upgrade. */
export function statusLine(status: 400 | 403 | 404 | 503): string {
  const texts = { 400: 'Bad Request', 403: 'Forbidden', 404: 'Not Found', 503: 'Service Unavailable' };
  return `${status} ${texts[status]}`;
}

const closeCodes: Partial<Record<ErrorKind | 'stop', number>> = {
  text_message: 1003,
  not_iso8583: 1007,
  too_long: 1009,
  internal: 1011,
  idle: 1001,
  stop: 1001,
};

export class WsConnection extends Connection {
  readonly #socket: WsSocket;
  readonly #ends: number[] = [];
  #ended = false;

  constructor(link: Link, wanted: Dialect, remote: string, socket: WsSocket) {
    super(link, wanted, remote, monotonicUs());
    this.#socket = socket;
    link.opened(this);
  }

  get unsentBytes(): number {
    return this.#ended ? 0 : this.#socket.unsentBytes;
  }

  protected get takenBytes(): number {
    return this.#ended ? 0 : this.#socket.takenBytes;
  }

  protected get writable(): boolean {
    return !this.#ended && this.#socket.writable;
  }

  /** One message of the peer; its bytes are valid during the call only, and zeros after it: they hold a card number. */
  received(bytes: Uint8Array, binary: boolean): void {
    if (this.open) this.#take(bytes, binary);
    bytes.fill(0);
  }

  #take(bytes: Uint8Array, binary: boolean): void {
    const now = monotonicUs();
    this.lastReadUs = now;
    const { link } = this;
    if (!binary) link.fail(this, 'text_message', 'a text message');
    else if (bytes.length > MESSAGE_BYTES_MAX) link.fail(this, 'too_long', `${bytes.length} bytes`);
    else if (bytes.length === 0) this.keepAlive();
    else {
      try {
        link.sink.message(this, bytes, 0, bytes.length, undefined, now);
      } catch (error) {
        link.fail(this, 'internal', errorText(error));
      }
    }
    link.sink.endOfRead();
  }

  /** The peer takes bytes again. */
  drained(): void {
    if (this.stalledSinceUs === 0 || this.unsentBytes > SOCKET_HIGH_WATER_BYTES) return;
    this.stalledSinceUs = 0;
    if (!this.#ended) this.#socket.resume();
  }

  /** The socket is closed, by whomever. */
  gone(): void {
    this.#ended = true;
    this.link.closed(this);
  }

  keepAlive(): void {
    if (this.queue(undefined, this.outbox, 0, 0)) this.link.counters.keepAlives++;
  }

  flush(): void {
    this.dirty = false;
    if (this.#ends.length > 0 && !this.#ended) {
      this.#socket.send(this.outbox.subarray(0, this.outboxBytes), this.#ends);
      if (!this.#ended && this.#socket.unsentBytes > SOCKET_HIGH_WATER_BYTES) {
        if (this.stalledSinceUs === 0) this.stalledSinceUs = monotonicUs();
        this.#socket.pause();
      }
    }
    this.#ends.length = 0;
    this.cleared();
  }

  close(kind: ErrorKind | 'stop'): void {
    this.open = false;
    if (this.#ended) return;
    try {
      this.flush();
    } finally {
      this.#end(kind);
    }
  }

  #end(kind: ErrorKind | 'stop'): void {
    if (!this.#ended) {
      this.#ended = true;
      if (kind === 'slow_reader') this.#socket.terminate();
      else this.#socket.close(closeCodes[kind] ?? 1008, kind);
    }
    this.link.closed(this);
  }

  override tick(nowUs: number): void {
    super.tick(nowUs);
    if (!this.#ended) this.#socket.tick(nowUs);
  }

  protected append(_header: Uint8Array | undefined, bytes: Uint8Array, at: number, length: number): void {
    this.reserve(length);
    copyBytes(bytes, at, this.outbox, this.outboxBytes, length);
    this.outboxBytes += length;
    this.#ends.push(this.outboxBytes);
    if (this.dirty) return;
    this.dirty = true;
    this.link.sink.dirty(this);
  }
}
