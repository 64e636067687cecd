/**
 * The adapter on node:http and ws: works wherever Node does. The HTTP server does not listen: it is given the sockets that
 * passed the listener's checks, decrypted already where the link has TLS.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { WS_PAYLOAD_BYTES_MAX } from '../limits.js';
import type { Link, Listener } from './link.js';
import { plainAddress } from './links.js';
import { cutLater, endSoon, StreamListener } from './stream-listener.js';
import { gate, statusLine, WS_PATH, WsConnection, type WsSocket } from './ws-connection.js';

const PING_US = 60_000_000;

export function wsListener(link: Link): Listener {
  const upgrades = new Upgrades(link);
  return new StreamListener(link, (socket, remote) => upgrades.take(socket, remote));
}

/** Sockets on their way from HTTP to WebSocket. */
class Upgrades {
  readonly #link: Link;
  readonly #http: Server;
  readonly #webSockets: WebSocketServer;
  /** Time limits of the sockets that are not upgraded yet. */
  readonly #limits = new WeakMap<Duplex, NodeJS.Timeout>();

  constructor(link: Link) {
    this.#link = link;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: WS_PAYLOAD_BYTES_MAX,
    });
    this.#webSockets.on('wsClientError', (error, socket, request) => {
      link.report('bad_request', plainAddress(request.socket.remoteAddress ?? ''), error.message);
      refuse(socket, 400, error.message);
    });
    this.#http = createServer((request, response) => {
      response.writeHead(request.url?.split('?')[0] === WS_PATH ? 426 : 404, { connection: 'close' });
      response.end('ISO 8583 over WebSocket is served at /iso8583');
    });
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#http.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
      // A reset is no request. Anything else is somebody who does not speak HTTP, such as a peer of a TCP link.
      if (error.code !== 'ECONNRESET') {
        link.report('bad_request', plainAddress((socket as Socket).remoteAddress ?? ''), error.code ?? 'no HTTP');
      }
      refuse(socket, 400, 'no HTTP request');
    });
  }

  /** Waits for the upgrade request, as long as a frame may take (`frameMs` of the link). */
  take(socket: Socket, remote: string): void {
    const { frameMs } = this.#link.profile;
    const limit = setTimeout(() => {
      this.#link.report('slow_frame', remote, `no upgrade within ${frameMs} ms`);
      socket.destroy();
    }, frameMs).unref();
    this.#limits.set(socket, limit);
    socket.on('close', () => clearTimeout(limit));
    this.#http.emit('connection', socket);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    clearTimeout(this.#limits.get(socket));
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const remote = plainAddress(request.socket.remoteAddress ?? '');
    const { host = '', origin = '' } = request.headers;
    const verdict = gate(this.#link, { path, query, host, origin }, remote);
    if ('status' in verdict) {
      refuse(socket, verdict.status, verdict.text);
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
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

/** Says why over HTTP and ends the socket: after an upgrade request no timer of the HTTP server looks after it. */
function refuse(socket: Duplex, status: Parameters<typeof statusLine>[0], text: string): void {
  if (socket.writable) {
    socket.write(
      `HTTP/1.1 ${statusLine(status)}\r\nconnection: close\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
    );
  }
  endSoon(socket as Socket);
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

  get takenBytes(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength;
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
    cutLater(this.#socket);
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
