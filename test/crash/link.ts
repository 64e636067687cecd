/** One TCP connection of a test's client: frames out, decoded replies in. */
import { connect, type Socket } from 'node:net';
import { defaultFraming, FrameReader, frameOverhead, writeFrame } from '#src/iso8583/framing.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';

const DIALECT = 'iso87-bcd';

export class Link {
  readonly #socket: Socket;
  readonly closed: Promise<void>;
  open = true;

  private constructor(socket: Socket, onReply: (reply: Fields) => void) {
    this.#socket = socket;
    const reader = new FrameReader(defaultFraming);
    socket.on('data', (chunk) => {
      reader.push(chunk, (bytes, start, end) => onReply(unpack(DIALECT, bytes.slice(start, end))));
    });
    // A killed server resets its connections: that is what these tests are about.
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.open = false;
        resolve();
      });
    });
  }

  static async to(address: string, onReply: (reply: Fields) => void): Promise<Link> {
    const at = address.lastIndexOf(':');
    const socket = connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)), noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new Link(socket, onReply);
  }

  send(fields: Fields): void {
    const body = pack(DIALECT, fields);
    const overhead = frameOverhead(defaultFraming);
    const frame = new Uint8Array(overhead + body.length);
    writeFrame(defaultFraming, frame, 0, body.length);
    frame.set(body, overhead);
    this.#socket.write(frame);
  }

  close(): void {
    this.#socket.destroy();
  }
}
