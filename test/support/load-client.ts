/**
 * A client that keeps every answer it gets, over TCP or WebSocket: for tests that count answers, where `IsoClient` waits for one.
 * What went over it is known afterwards by message: sent when, answered by what and when, or not at all.
 */
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { defaultFraming, FrameReader } from '#src/iso8583/framing.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';
import type { Server } from './server.js';

export type Transport = 'tcp' | 'ws';

/** A request and what came of it. */
export interface Sent {
  readonly fields: Fields;
  readonly answers: Fields[];
}

export class LoadClient {
  readonly sent: Sent[] = [];
  /** Answers that fit no request. */
  readonly strange: Fields[] = [];
  closed = false;
  answered = 0;
  readonly #waiting = new Map<string, Sent>();
  readonly #write: (body: Uint8Array) => void;
  readonly #destroy: () => void;
  readonly #unsent: () => number;

  private constructor(write: (body: Uint8Array) => void, destroy: () => void, unsent: () => number) {
    this.#write = write;
    this.#destroy = destroy;
    this.#unsent = unsent;
  }

  static open(server: Server, transport: Transport): Promise<LoadClient> {
    return transport === 'tcp' ? LoadClient.#tcp(server.tcp) : LoadClient.#ws(server.ready.ws!);
  }

  static async #tcp(address: string): Promise<LoadClient> {
    const socket = await plainSocket(address);
    const client = new LoadClient(
      (body) => void socket.write(framed(body)),
      () => socket.destroy(),
      () => socket.writableLength,
    );
    const reader = new FrameReader(defaultFraming);
    socket.on('data', (chunk) => reader.push(chunk, (bytes, start, end) => client.#take(bytes.slice(start, end))));
    socket.on('close', () => {
      client.closed = true;
    });
    return client;
  }

  static async #ws(address: string): Promise<LoadClient> {
    const socket = new WebSocket(`ws://${address}/iso8583`);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    const client = new LoadClient(
      (body) => socket.send(body),
      () => socket.terminate(),
      () => socket.bufferedAmount,
    );
    socket.on('message', (data: Buffer) => client.#take(data));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      client.closed = true;
    });
    return client;
  }

  #take(bytes: Uint8Array): void {
    const fields = unpack('iso87-bcd', bytes);
    const sent = this.#waiting.get(keyOf(fields));
    if (sent === undefined) this.strange.push(fields);
    else sent.answers.push(fields);
    this.answered++;
  }

  /** Each message of a client has a STAN of its own, or the same STAN and another type. */
  send(fields: Fields): Sent {
    const sent: Sent = { fields, answers: [] };
    this.sent.push(sent);
    this.#waiting.set(keyOf({ ...fields, 0: replyOf(fields[0]!) }), sent);
    this.#write(pack('iso87-bcd', fields));
    return sent;
  }

  /** Bytes that the socket has not taken. */
  get unsentBytes(): number {
    return this.#unsent();
  }

  close(): void {
    this.#destroy();
  }
}

function keyOf(fields: Fields): string {
  return `${fields[0]} ${fields[11]} ${fields[37]}`;
}

function replyOf(mti: string): string {
  return `${mti.slice(0, 2)}${Number(mti[2]) + 1}0`;
}

/** A message with its frame of two bytes. */
export function framed(body: Uint8Array): Buffer {
  const frame = Buffer.alloc(2 + body.length);
  frame.writeUInt16BE(body.length);
  frame.set(body, 2);
  return frame;
}

/** An open TCP connection whose errors are nobody's business. */
export function plainSocket(address: string): Promise<Socket> {
  const [host, port] = address.split(':');
  const socket = connect({ host: host!, port: Number(port), noDelay: true });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}
