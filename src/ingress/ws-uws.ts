/**
 * The uWebSockets.js adapter. The package is loaded by its binary, past the JavaScript file in front of it, which would print
 * to the console and fall back to another library on its own.
 *
 * Rules of the library that shape this file: a message's ArrayBuffer dies with the callback; no call on a socket after its
 * close event; `end` calls the close event before it returns; the app must be closed before its thread ends, or the
 * process aborts. Reading cannot be paused in this version, so a peer that takes no replies runs into the bound of unsent
 * bytes or the stall time and is closed. Sockets before their upgrade are not seen here at all: the library ends each after
 * 10 to 12 seconds, however it drips, but does not bound their number; a guard closes the port before they take all files.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Dialect } from '../iso8583/dialects.js';
import { SOCKET_UNSENT_BYTES_MAX, WS_PAYLOAD_BYTES_MAX } from '../limits.js';
import { listenError } from '../listen-error.js';
import { AcceptGuard } from './accept-guard.js';
import type { Link, Listener } from './link.js';
import { plainAddress } from './links.js';
import { gate, statusLine, WsConnection, type WsGate, type WsSocket } from './ws-connection.js';

/** Seconds without traffic after which the library, having pinged in vain, ends a connection: finds half-open ones. */
const HALF_OPEN_S = 120;
/** LIBUS_LISTEN_EXCLUSIVE_PORT: without it two processes would share the port silently. */
const EXCLUSIVE_PORT = 1;
const SENT_DROPPED = 2;

interface UwsSocket {
  getUserData(): UserData;
  send(bytes: Uint8Array, binary: boolean, compress: boolean): number;
  cork(run: () => void): unknown;
  end(code: number, reason: string): void;
  close(): void;
  getBufferedAmount(): number;
}

interface UserData {
  readonly dialect: Dialect;
  readonly remote: string;
  connection: WsConnection | undefined;
}

interface UwsRequest {
  getUrl(): string;
  getQuery(): string;
  getHeader(name: string): string;
}

interface UwsResponse {
  getRemoteAddressAsText(): ArrayBuffer;
  writeStatus(status: string): UwsResponse;
  end(body: string, closeConnection?: boolean): UwsResponse;
  upgrade(data: UserData, key: string, protocol: string, extensions: string, context: unknown): void;
}

interface UwsApp {
  ws(
    pattern: string,
    behavior: {
      maxPayloadLength: number;
      maxBackpressure: number;
      idleTimeout: number;
      sendPingsAutomatically: boolean;
      upgrade(response: UwsResponse, request: UwsRequest, context: unknown): void;
      open(socket: UwsSocket): void;
      message(socket: UwsSocket, message: ArrayBuffer, binary: boolean): void;
      drain(socket: UwsSocket): void;
      close(socket: UwsSocket): void;
    },
  ): UwsApp;
  any(pattern: string, handler: (response: UwsResponse, request: UwsRequest) => void): UwsApp;
  listen(host: string, port: number, options: number, callback: (token: unknown) => void): UwsApp;
  close(): void;
}

export interface UwsModule {
  App(options: object): UwsApp;
  us_listen_socket_close(token: unknown): void;
  us_socket_local_port(token: unknown): number;
}

/** The native module, or why it cannot be used here. */
export function loadUws(): UwsModule | string {
  const require = createRequire(import.meta.url);
  let folder: string;
  try {
    folder = dirname(require.resolve('uWebSockets.js'));
  } catch {
    return 'the package is not installed';
  }
  const file = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
  const path = [join(folder, file), join(folder, '..', 'binaries', file)].find((candidate) => existsSync(candidate));
  if (path === undefined) return `the installed package has no binary for ${file.slice(4, -5)}`;
  try {
    return require(path) as UwsModule;
  } catch (error) {
    return error instanceof Error ? error.message.split('\n')[0]! : String(error);
  }
}

export class UwsListener implements Listener {
  readonly #link: Link;
  readonly #uws: UwsModule;
  readonly #app: UwsApp;
  #token: unknown;
  /** As bound, once it was. */
  #port: number | undefined;
  #guard: AcceptGuard | undefined;
  #closed = false;

  constructor(link: Link, uws: UwsModule) {
    this.#link = link;
    this.#uws = uws;
    this.#app = uws.App({});
    this.#app.ws('/*', {
      maxPayloadLength: WS_PAYLOAD_BYTES_MAX,
      // Beyond our own bound, so that the library never drops a message by itself.
      maxBackpressure: SOCKET_UNSENT_BYTES_MAX * 2,
      idleTimeout: HALF_OPEN_S,
      sendPingsAutomatically: true,
      upgrade: (response, request, context) => this.#upgrade(response, request, context),
      open: (socket) => {
        const data = socket.getUserData();
        link.sockets.open++;
        data.connection = new WsConnection(link, data.dialect, data.remote, new UwsPeer(socket, link, data.remote));
      },
      message: (socket, message, binary) => socket.getUserData().connection?.received(new Uint8Array(message), binary),
      drain: (socket) => socket.getUserData().connection?.drained(),
      close: (socket) => {
        link.sockets.open--;
        socket.getUserData().connection?.gone();
      },
    });
    this.#app.any('/*', (response, request) => {
      const known = request.getUrl() === '/iso8583';
      response.writeStatus(known ? '426 Upgrade Required' : '404 Not Found');
      response.end('ISO 8583 over WebSocket is served at /iso8583', true);
    });
  }

  async listen(): Promise<string> {
    const address = await this.#bind();
    this.#guard = new AcceptGuard(this.#link, {
      close: () => this.#unbind(),
      open: async () => {
        await this.#bind();
        if (this.#closed) this.#unbind();
      },
    });
    return address;
  }

  #bind(): Promise<string> {
    const { host, name, portSetting } = this.#link.profile;
    const port = this.#port ?? this.#link.profile.port;
    return new Promise((resolve, reject) => {
      this.#app.listen(host, port, EXCLUSIVE_PORT, (token) => {
        if (token === false || token === undefined || token === null) {
          reject(
            listenError(
              Object.assign(new Error('in use'), { code: 'EADDRINUSE' }),
              `link ${name}`,
              host,
              port,
              portSetting,
            ),
          );
          return;
        }
        this.#token = token;
        this.#port = this.#uws.us_socket_local_port(token);
        resolve(`${host}:${this.#port}`);
      });
    });
  }

  stopAccepting(): void {
    this.#guard?.stop();
    this.#unbind();
  }

  #unbind(): void {
    if (this.#token === undefined) return;
    this.#uws.us_listen_socket_close(this.#token);
    this.#token = undefined;
  }

  /** Gives closing handshakes a turn of the loop to leave, then closes the app with whatever is left. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.stopAccepting();
    await new Promise((resolve) => setTimeout(resolve, 20));
    this.#app.close();
  }

  #upgrade(response: UwsResponse, request: UwsRequest, context: unknown): void {
    const remote = plainAddress(Buffer.from(response.getRemoteAddressAsText()).toString('latin1'));
    const wanted = {
      ...{ path: request.getUrl(), query: request.getQuery() },
      ...{ host: request.getHeader('host'), origin: request.getHeader('origin') },
    };
    const verdict: WsGate = this.#link.outOfSockets(remote)
      ? { status: 503, text: 'too many connections' }
      : gate(this.#link, wanted, remote);
    if ('status' in verdict) {
      response.writeStatus(statusLine(verdict.status)).end(verdict.text, true);
      return;
    }
    response.upgrade(
      { dialect: verdict.dialect, remote, connection: undefined },
      request.getHeader('sec-websocket-key'),
      request.getHeader('sec-websocket-protocol'),
      request.getHeader('sec-websocket-extensions'),
      context,
    );
  }
}

class UwsPeer implements WsSocket {
  readonly #socket: UwsSocket;
  readonly #link: Link;
  readonly #remote: string;
  #sentBytes = 0;

  constructor(socket: UwsSocket, link: Link, remote: string) {
    this.#socket = socket;
    this.#link = link;
    this.#remote = remote;
  }

  get unsentBytes(): number {
    return this.#socket.getBufferedAmount();
  }

  get takenBytes(): number {
    return this.#sentBytes - this.#socket.getBufferedAmount();
  }

  /** The library calls the close event at once, so that an open connection is always writable. */
  get writable(): boolean {
    return true;
  }

  send(bytes: Uint8Array, ends: readonly number[]): void {
    let dropped = 0;
    this.#sentBytes += bytes.length;
    this.#socket.cork(() => {
      let from = 0;
      for (let i = 0; i < ends.length; i++) {
        if (this.#socket.send(bytes.subarray(from, ends[i]), true, false) === SENT_DROPPED) dropped++;
        from = ends[i]!;
      }
    });
    if (dropped > 0) this.#link.report('internal', this.#remote, `the library dropped ${dropped} replies`);
  }

  close(code: number, reason: string): void {
    this.#socket.end(code, reason);
  }

  terminate(): void {
    this.#socket.close();
  }

  pause(): void {
    // not offered by this version: the bounds of unsent bytes and of stall time end such a peer
  }

  resume(): void {
    // see pause
  }

  tick(): void {
    // the library pings and times out by itself
  }
}
