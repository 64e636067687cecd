/**
 * TCP links on node:net. One `data` event is one read: all frames in it are handed over, then the shards are woken once and
 * what was answered here goes out in one write.
 *
 * A peer that sends more than a buffer at a time waits for its turn: each socket is read once in a round of the loop.
 *
 * A peer that does not read: above SOCKET_HIGH_WATER_BYTES nothing more is read from it, at SOCKET_UNSENT_BYTES_MAX or after
 * WRITE_STALL_MS without progress it is closed. A peer's FIN counts as gone: hosts of this trade do not half-close, and an
 * approval for somebody who left is better rolled back than sent into the void.
 */
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { copyBytes } from '../bytes.js';
import { dialect } from '../iso8583/dialects.js';
import {
  FrameReader,
  FramingError,
  type FramingOptions,
  frameOverhead,
  keepAliveFrame,
  writeFrame,
} from '../iso8583/framing.js';
import { MESSAGE_BYTES_MAX, SOCKET_HIGH_WATER_BYTES } from '../limits.js';
import { Connection, errorText } from './connection.js';
import type { Link, Listener } from './link.js';
import type { ErrorKind } from './stats.js';
import { endLingering, endSoon, StreamListener } from './stream-listener.js';

/** A listener whose sockets are connections from their first byte on. */
export function tcpListener(link: Link): Listener {
  return new StreamListener(link, (socket, remote) => acceptTcp(link, socket, remote));
}

/** Makes an accepted socket a connection of the link. */
export function acceptTcp(link: Link, socket: Socket, remote: string): void {
  link.opened(new TcpConnection(link, socket, remote));
}

/**
 * Where plain sockets read into: a chunk is used up before the next one is read, whichever connection it is from, and is overwritten
 * with zeros then, because it holds card numbers.
 */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * The socket that hands what it reads to `onRead`, in a buffer that is overwritten by the next read.
 *
 * A socket that emits `data` allocates 64 KiB for every read and gives back what it did not need; reading into one buffer
 * (the public option `onread`) takes a quarter off the cost of a read and nearly all of its garbage. The option exists for
 * sockets that one makes oneself, so the accepted connection's handle moves over to such a socket. The two are destroyed
 * together: the first owner is what the server counts. TLS sockets have no such handle. What `onRead` returns says whether to go
 * on reading.
 */
function readingIntoBuffer(accepted: Socket, onRead: (chunk: Buffer, length: number) => boolean): Socket {
  const owner = accepted as Socket & { _handle?: unknown };
  const handle = owner._handle;
  if (accepted instanceof TLSSocket || handle === undefined || handle === null) {
    accepted.on('data', (chunk: Buffer) => void onRead(chunk, chunk.length));
    accepted.resume();
    return accepted;
  }
  owner._handle = null;
  const callback = (length: number): boolean => onRead(readBuffer, length);
  const options = { handle, onread: { buffer: readBuffer, callback } };
  const socket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
  socket.once('close', () => accepted.destroy());
  accepted.once('close', () => socket.destroy());
  return socket;
}

class TcpConnection extends Connection {
  readonly #socket: Socket;
  readonly #framing: FramingOptions;
  readonly #overhead: number;
  readonly #reader: FrameReader;
  readonly #onFrame: (bytes: Uint8Array, start: number, end: number, header: Uint8Array | undefined) => void;
  #receivedUs = 0;
  /** A frame was completed in this read. */
  #progress = false;

  constructor(link: Link, socket: Socket, remote: string) {
    super(link, dialect(link.profile.dialect), remote, link.runtime.monotonicUs());
    const { framing, headerBytes } = link.profile;
    this.#socket = readingIntoBuffer(socket, (chunk, length) => {
      this.#read(chunk, length);
      chunk.fill(0, 0, length);
      return length < readBuffer.length || this.#letOthersRead();
    });
    this.#framing = { framing, headerBytes, maxBytes: MESSAGE_BYTES_MAX };
    this.#overhead = frameOverhead(this.#framing);
    this.#reader = new FrameReader(this.#framing);
    this.#reader.onKeepAlive = () => this.keepAlive();
    this.#onFrame = (bytes, start, end, header) => {
      this.#progress = true;
      link.sink.message(this, bytes, start, end, header, this.#receivedUs);
      // The message may have ended the connection: what follows it in this read is not looked at.
      if (!this.open) this.#reader.stop();
    };
    this.#socket.on('end', () => {
      this.#gone();
      // Replies that the peer never takes would keep the socket for ever, and no limit counts it any more.
      endSoon(this.#socket);
    });
    this.#socket.on('close', () => this.#gone());
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      if (this.open && error.code !== 'ECONNRESET' && error.code !== 'EPIPE') {
        link.report('socket', remote, error.code ?? error.message);
      }
      this.#gone();
    });
    this.#socket.on('drain', () => {
      this.stalledSinceUs = 0;
      if (this.#socket.isPaused()) this.#socket.resume();
    });
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  protected get takenBytes(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  protected get writable(): boolean {
    return this.#socket.writable;
  }

  keepAlive(): void {
    this.#progress = true;
    if (!this.open) return;
    this.link.counters.keepAlives++;
    const frame = keepAliveFrame(this.#framing);
    this.reserve(frame.length);
    this.outbox.set(frame, this.outboxBytes);
    this.outboxBytes += frame.length;
    this.#markDirty();
  }

  flush(): void {
    this.dirty = false;
    if (this.outboxBytes === 0) return;
    if (this.#socket.writable) {
      const bytes = Buffer.from(this.outbox.subarray(0, this.outboxBytes));
      // False: the system took only a part. Below the high water that is no reason to stop reading.
      if (!this.#socket.write(bytes) && this.#socket.writableLength > SOCKET_HIGH_WATER_BYTES) {
        if (this.stalledSinceUs === 0) this.stalledSinceUs = this.link.runtime.monotonicUs();
        this.#socket.pause();
      }
    }
    this.cleared();
  }

  close(kind: ErrorKind | 'stop'): void {
    this.open = false;
    this.#reader.stop();
    try {
      this.flush();
    } finally {
      // A slow reader would keep the rest for ever; anybody else gets what was written, then the end.
      if (kind === 'slow_reader') this.#socket.destroy();
      else if (kind === 'stop') endLingering(this.#socket);
      else endSoon(this.#socket);
      this.link.closed(this);
    }
  }

  protected append(header: Uint8Array | undefined, bytes: Uint8Array, at: number, length: number): void {
    this.reserve(this.#overhead + length);
    const to = this.outboxBytes + writeFrame(this.#framing, this.outbox, this.outboxBytes, length, header);
    copyBytes(bytes, at, this.outbox, to, length);
    this.outboxBytes = to + length;
    this.#markDirty();
  }

  #markDirty(): void {
    if (this.dirty) return;
    this.dirty = true;
    this.link.sink.dirty(this);
  }

  /**
   * More than a buffer had come: the rest waits for the next round of the loop. Without this the loop would read two mebibytes of one
   * socket before it looks at the next one. False: reading stops.
   */
  #letOthersRead(): boolean {
    this.link.runtime.soon(() => {
      // What comes after the end is read, and thrown away, as well.
      if (!this.open || this.stalledSinceUs === 0) this.#socket.resume();
    });
    return false;
  }

  /** Takes the first `length` bytes of the chunk. */
  #read(chunk: Buffer, length: number): void {
    if (!this.open) return;
    const now = this.link.runtime.monotonicUs();
    this.#receivedUs = now;
    this.#progress = false;
    this.lastReadUs = now;
    try {
      this.#reader.push(chunk, this.#onFrame, length);
    } catch (error) {
      if (error instanceof FramingError) {
        if (error.reason !== 'closed') {
          const kind = error.reason === 'too_long' ? 'too_long' : 'framing';
          this.link.fail(this, kind, `${error.reason} at byte ${error.offset} of the stream`);
        }
      } else {
        this.link.fail(this, 'internal', errorText(error));
      }
    }
    if (this.#reader.pendingBytes === 0) this.frameSinceUs = 0;
    else if (this.frameSinceUs === 0 || this.#progress) this.frameSinceUs = now;
    this.link.sink.endOfRead();
  }

  #gone(): void {
    this.open = false;
    // Half a frame that it sent is not kept.
    this.#reader.stop();
    this.link.closed(this);
  }
}
