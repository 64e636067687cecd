/**
 * One connection of a generator: an outbox that turns all messages of a tick into one write, a reader that cuts answers
 * out of the stream, and reconnection. The transport (TCP, TLS, WebSocket) only differs in how the socket is opened and
 * which reader it gets.
 */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { FrameReader, type FramingName, type OnFrame } from '#src/iso8583/framing.js';
import type { Target } from './arguments.js';
import { webSocketFrame } from './templates.js';
import { WebSocketReader } from './websocket-reader.js';

/** Bytes of one outbox: about 400 messages; a fuller tick makes more writes. */
const OUTBOX_BYTES = 65_536;
/** A socket with more than this unsent is not sendable: the peer has stopped reading. */
const BACKLOG_BYTES_MAX = 1_048_576;
/** Free outboxes kept per link. */
const FREE_OUTBOXES_MAX = 32;
const CONNECT_TIMEOUT_MS = 5000;
const RECONNECT_MS = 100;

export interface LinkOptions {
  readonly target: Target;
  readonly framing: FramingName;
  readonly headerBytes: number;
  readonly dialect: string;
  readonly caFile: string | undefined;
  readonly insecure: boolean;
}

export interface LinkEvents {
  onFrame: OnFrame;
  /** Before the answers of a chunk: the moment they arrived. */
  onChunk: () => void;
  /** After one chunk of answers. */
  onBatch: () => void;
  /** The connection is gone although nobody asked: requests in flight are lost. */
  onLost: (reason: string) => void;
  onReconnected: () => void;
}

export class Link {
  /** Where the next message goes: `out[at...]`. Call `room` first. */
  out: Buffer = Buffer.allocUnsafeSlow(OUTBOX_BYTES);
  at = 0;
  readonly #options: LinkOptions;
  readonly #events: LinkEvents;
  readonly #free: Buffer[] = [];
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(options: LinkOptions, events: LinkEvents) {
    this.#options = options;
    this.#events = events;
  }

  /** Opens the connection; rejects with a readable reason. */
  async open(): Promise<void> {
    const { target } = this.#options;
    const socket = await (target.transport === 'ws' ? this.#upgrade() : this.#dial());
    if (this.#ended) {
      socket.destroy();
      return;
    }
    this.#attach(socket);
  }

  get connected(): boolean {
    return this.#socket !== undefined;
  }

  /** True when a message may be put now. */
  get writable(): boolean {
    return this.#socket !== undefined && this.#socket.writableLength < BACKLOG_BYTES_MAX;
  }

  /** Makes room for a message of `bytes`. */
  room(bytes: number): void {
    if (this.at + bytes > OUTBOX_BYTES) this.flush();
  }

  /** Writes what the outbox holds. The buffer comes back once the socket has taken it over. */
  flush(): void {
    if (this.at === 0) return;
    const full = this.out;
    const bytes = this.at;
    this.at = 0;
    const socket = this.#socket;
    if (!socket) return;
    this.out = this.#free.pop() ?? Buffer.allocUnsafeSlow(OUTBOX_BYTES);
    socket.write(full.subarray(0, bytes), () => {
      if (this.#free.length < FREE_OUTBOXES_MAX) this.#free.push(full);
    });
  }

  /** Closes for good. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket && this.#options.target.transport === 'ws') socket.write(webSocketFrame(0x88, Uint8Array.of(3, 232)));
    socket?.end();
    socket?.destroySoon();
  }

  #dial(): Promise<Socket> {
    const { target, caFile, insecure } = this.#options;
    const { host, port } = target;
    return new Promise((resolve, reject) => {
      const tls = target.transport === 'tls';
      const socket = tls
        ? connectTls({ host, port, rejectUnauthorized: !insecure, ...(caFile ? { ca: readFileSync(caFile) } : {}) })
        : connectTcp({ host, port });
      const fail = (error: Error) => {
        socket.destroy();
        reject(error);
      };
      socket.setTimeout(CONNECT_TIMEOUT_MS, () => fail(new Error(`no connection within ${CONNECT_TIMEOUT_MS} ms`)));
      socket.once('error', fail);
      socket.once(tls ? 'secureConnect' : 'connect', () => {
        socket.setTimeout(0);
        socket.removeListener('error', fail);
        resolve(socket);
      });
    });
  }

  #upgrade(): Promise<Socket> {
    const { target, dialect } = this.#options;
    const path = target.path.includes('?') ? target.path : `${target.path}?dialect=${dialect}`;
    return new Promise((resolve, reject) => {
      const handshake = request({
        host: target.host,
        port: target.port,
        path,
        timeout: CONNECT_TIMEOUT_MS,
        headers: {
          Connection: 'Upgrade',
          Upgrade: 'websocket',
          'Sec-WebSocket-Version': '13',
          'Sec-WebSocket-Key': Buffer.from('holdfast loadtst').toString('base64'),
        },
      });
      handshake.on('upgrade', (_response, socket, head) => {
        if (head.length > 0) socket.unshift(head);
        resolve(socket as Socket);
      });
      handshake.on('response', (response) => {
        response.resume();
        reject(new Error(`the server refused the WebSocket upgrade with ${response.statusCode}`));
      });
      handshake.on('timeout', () => handshake.destroy(new Error(`no upgrade within ${CONNECT_TIMEOUT_MS} ms`)));
      handshake.on('error', reject);
      handshake.end();
    });
  }

  #attach(socket: Socket): void {
    const { onChunk, onFrame, onBatch } = this.#events;
    const { framing, headerBytes, target } = this.#options;
    let reader: FrameReader | WebSocketReader;
    let closed = '';
    if (target.transport === 'ws') {
      reader = new WebSocketReader();
      reader.onPing = (payload) => socket.write(webSocketFrame(0x8a, payload));
      reader.onClose = (code) => {
        closed = `the server closed the WebSocket with ${code}`;
      };
    } else reader = new FrameReader({ framing, headerBytes, maxBytes: 4096 });
    socket.setNoDelay(true);
    socket.setTimeout(0);
    this.at = 0;
    this.#socket = socket;
    let reason = '';
    const lost = () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.at = 0;
      if (this.#ended) return;
      this.#events.onLost(reason || closed || 'the server closed the connection');
      this.#reconnectLater();
    };
    socket.on('error', (error) => {
      reason = error.message;
    });
    socket.on('close', lost);
    socket.on('end', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      onChunk();
      try {
        reader.push(chunk, onFrame);
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error);
        socket.destroy();
        return;
      }
      onBatch();
      if (closed) socket.destroy();
    });
  }

  #reconnectLater(): void {
    this.#timer = setTimeout(() => {
      this.open().then(
        () => this.#events.onReconnected(),
        () => {
          if (!this.#ended) this.#reconnectLater();
        },
      );
    }, RECONNECT_MS);
  }
}
