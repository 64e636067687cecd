/** The adapter on node:http and ws: works wherever Node does. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { WS_PAYLOAD_BYTES_MAX } from '../limits.js';
import type { Link, Listener } from './link.js';
import { plainAddress, tlsOptions } from './links.js';
import { listenError } from './tcp.js';
import { gate, statusLine, WS_PATH, WsConnection, type WsSocket } from './ws-connection.js';

const PING_US = 60_000_000;
/** How long a closing handshake may take at the stop, ms. */
const CLOSE_MS = 300;

export class WsListener implements Listener {
  readonly #link: Link;
  readonly #server: Server | TlsServer;
  readonly #sockets: WebSocketServer;
  readonly #open = new Set<Socket>();

  constructor(link: Link) {
    this.#link = link;
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: WS_PAYLOAD_BYTES_MAX,
    });
    const { profile } = link;
    const refuse: RequestListener = (request, response) => {
      response.writeHead(request.url?.split('?')[0] === WS_PATH ? 426 : 404, { connection: 'close' });
      response.end('ISO 8583 over WebSocket is served at /iso8583');
    };
    if (profile.tls === undefined) this.#server = createServer({ noDelay: true }, refuse);
    else {
      this.#server = createTlsServer({ noDelay: true, ...tlsOptions(profile, profile.tls) }, refuse);
      this.#server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: Socket) => {
        link.report('tls', plainAddress(socket.remoteAddress ?? ''), error.code ?? 'handshake failed');
        socket.destroy();
      });
    }
    this.#server.on('connection', (socket: Socket) => {
      this.#open.add(socket);
      socket.on('close', () => this.#open.delete(socket));
    });
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  listen(): Promise<string> {
    const { host, port, name, portSetting } = this.#link.profile;
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => reject(listenError(error, name, host, port, portSetting));
      this.#server.once('error', failed);
      this.#server.listen({ host, port, backlog: 4096 }, () => {
        this.#server.off('error', failed);
        this.#server.on('error', (error) => this.#link.report('socket', 'listener', error.message));
        const address = this.#server.address();
        resolve(`${host}:${typeof address === 'object' && address !== null ? address.port : port}`);
      });
    });
  }

  stopAccepting(): void {
    if (this.#server.listening) this.#server.close();
  }

  async close(): Promise<void> {
    this.stopAccepting();
    const until = Date.now() + CLOSE_MS;
    while (this.#open.size > 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 5));
    for (const socket of this.#open) socket.destroy();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const remote = plainAddress(request.socket.remoteAddress ?? '');
    const verdict = gate(this.#link, path, query, remote);
    if ('status' in verdict) {
      const { text } = verdict;
      socket.end(
        `HTTP/1.1 ${statusLine(verdict.status)}\r\nconnection: close\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
      );
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const peer = new WsPeer(webSocket, request.socket);
      const connection = new WsConnection(this.#link, verdict.dialect, remote, peer);
      webSocket.on('message', (data: RawData, binary: boolean) => connection.received(data as Buffer, binary));
      webSocket.on('close', () => connection.gone());
      webSocket.on('error', (error: Error & { code?: string }) => {
        const kind = error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ? 'too_long' : 'socket';
        this.#link.fail(connection, kind, error.code ?? error.message);
      });
      webSocket.on('pong', () => peer.alive());
      request.socket.on('drain', () => connection.drained());
    });
  }
}

class WsPeer implements WsSocket {
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  #pingedUs = 0;
  #answered = true;

  constructor(webSocket: WebSocket, socket: Socket) {
    this.#webSocket = webSocket;
    this.#socket = socket;
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  get writable(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN && this.#socket.writable;
  }

  send(bytes: Uint8Array, ends: readonly number[]): void {
    // The library keeps a reference until the bytes are written: one copy for the burst.
    const copy = Buffer.from(bytes);
    let from = 0;
    this.#socket.cork();
    for (let i = 0; i < ends.length; i++) {
      this.#webSocket.send(copy.subarray(from, ends[i]), { binary: true, compress: false });
      from = ends[i]!;
    }
    this.#socket.uncork();
  }

  close(code: number, reason: string): void {
    this.#webSocket.resume();
    this.#webSocket.close(code, reason);
  }

  terminate(): void {
    this.#webSocket.terminate();
  }

  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  alive(): void {
    this.#answered = true;
  }

  /** Pings now and then; a peer that did not answer the last ping is gone. */
  tick(nowUs: number): void {
    if (this.#pingedUs === 0) this.#pingedUs = nowUs;
    if (nowUs - this.#pingedUs < PING_US) return;
    this.#pingedUs = nowUs;
    if (!this.#answered) {
      this.#webSocket.terminate();
      return;
    }
    this.#answered = false;
    this.#webSocket.ping();
  }
}
