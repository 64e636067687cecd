/**
 * Listening on node:net, for TCP links and for the WebSocket adapter ws alike: the port, TLS, who may connect, and the end
 * of every socket that was accepted.
 *
 *   accept -> address and number of connections -> TLS handshake -> the transport
 *
 * The checks come before the handshake: a stranger costs no cryptography, and peers that never finish their handshake
 * (TLS_HANDSHAKE_MS) or their upgrade cannot take more sockets than LINK_SOCKETS_SPARE beside the connections, and never more than a
 * quarter of those that all links may have: the other links need some.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { monotonicUs } from '../clock.js';
import { LINK_SOCKETS_SPARE } from '../limits.js';
import { listenError } from '../listen-error.js';
import type { ServerTls } from '../server-tls.js';
import type { Link, Listener } from './link.js';
import { plainAddress } from './links.js';

/** How long ended sockets may take for their last bytes at a stop before they are cut, ms. */
const CLOSE_MS = 500;

/** The same outside of a stop. */
const LINGER_MS = 5000;

/** Share of all sockets that those of one link may take which are no connection yet, or not any more. */
const SPARE_SHARE = 1 / 4;

/** Probes of a silent peer by the system begin after this time: a half-open connection is found within about a minute. */
const KEEP_ALIVE_PROBE_MS = 30_000;

/** Takes over an accepted socket, decrypted where the link has TLS. It has a handler for errors already. */
type OnSocket = (socket: Socket, remote: string) => void;

export class StreamListener implements Listener {
  readonly #link: Link;
  readonly #server: Server;
  readonly #tls: TlsServer | undefined;
  readonly #onSocket: OnSocket;
  /** Every accepted socket until it is closed, also those whose connection is over already or has not begun. */
  readonly #sockets = new Set<Socket>();

  constructor(link: Link, onSocket: OnSocket) {
    this.#link = link;
    this.#onSocket = onSocket;
    const { tls } = link;
    const { transport } = link.profile;
    this.#server = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
      // A plain TCP connection begins to read by itself, into a buffer of its own (tcp.ts).
      pauseOnConnect: transport === 'tcp' && tls === undefined,
    });
    this.#server.on('connection', (socket) => this.#accept(socket));
    if (tls !== undefined) this.#tls = this.#createTls(tls);
  }

  listen(): Promise<string> {
    const { host, port, name, portSetting } = this.#link.profile;
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void =>
        reject(listenError(error, `link ${name}`, host, port, portSetting));
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
    const until = monotonicUs() + CLOSE_MS * 1000;
    while (this.#sockets.size > 0 && monotonicUs() < until) await new Promise((resolve) => setTimeout(resolve, 5));
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    const remote = plainAddress(socket.remoteAddress ?? '');
    const admitted = this.#admits(remote);
    this.#hold(socket);
    if (!admitted) socket.destroy();
    else if (this.#tls !== undefined) this.#tls.emit('connection', socket);
    else this.#onSocket(socket, remote);
  }

  #hold(socket: Socket): void {
    const { sockets } = this.#link;
    this.#sockets.add(socket);
    sockets.open++;
    socket.on('close', () => {
      this.#sockets.delete(socket);
      sockets.open--;
    });
    // Without a handler an error of a refused socket would end the process.
    socket.on('error', () => socket.destroy());
  }

  /** Plain WebSocket peers are told by an HTTP status why they may not connect (`gate`); others are only cut off. */
  #admits(remote: string): boolean {
    const link = this.#link;
    const { transport, connectionsMax } = link.profile;
    if ((transport === 'tcp' || this.#tls !== undefined) && link.refuses(remote) !== undefined) return false;
    if (link.outOfSockets(remote)) return false;
    const spare = Math.min(LINK_SOCKETS_SPARE, Math.max(1, Math.floor(link.sockets.max * SPARE_SHARE)));
    // A plain TCP socket is a connection at once: what it has beside them is ending, and bounded by time.
    const atOnce = transport === 'tcp' && this.#tls === undefined;
    if (this.#sockets.size < (atOnce ? connectionsMax : link.connections.size) + spare) return true;
    link.report('too_many_connections', remote, `${spare} sockets are no connection yet, or not any more`);
    return false;
  }

  /** A TLS server that does not listen: it is given the sockets that passed the checks. */
  #createTls(tls: ServerTls): TlsServer {
    const server = createTlsServer(tls.options);
    tls.attach(server);
    server.on('secureConnection', (socket: TLSSocket) => {
      socket.on('error', () => socket.destroy());
      const remote = plainAddress(socket.remoteAddress ?? '');
      // The handshake took its time: others may have come first.
      if (this.#link.profile.transport === 'tcp' && this.#link.refuses(remote) !== undefined) socket.destroy();
      else this.#onSocket(socket, remote);
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      this.#link.report('tls', plainAddress(socket.remoteAddress ?? ''), error.code ?? 'handshake failed');
      socket.destroy();
    });
    return server;
  }
}

/** Sends what was written and then the end; a peer that does not take it is cut off. */
export function endSoon(socket: Socket): void {
  socket.destroySoon();
  cutLater(socket);
}

/**
 * Sends what was written and then the end, and takes what the peer sends until it ends too. To close a socket that has something
 * unread, or that something comes to, is a reset: it makes the peer throw away replies that it has not read yet.
 */
export function endLingering(socket: Socket): void {
  socket.end();
  socket.resume();
  cutLater(socket);
}

/** Cuts an ending socket off when its peer does not let it end within LINGER_MS: nothing else counts it any more. */
export function cutLater(socket: Socket): void {
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}
