/** A TCP client that speaks ISO 8583 by the engine's own codec: replies are matched by STAN and terminal. */
import { connect, type Socket } from 'node:net';
import { demoPan } from '#src/cli/demo-program.js';
import type { DialectName } from '#src/iso8583/dialects.js';
import {
  FrameReader,
  type FramingName,
  type FramingOptions,
  frameOverhead,
  keepAliveFrame,
  writeFrame,
} from '#src/iso8583/framing.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';
import { MESSAGE_BYTES_MAX } from '#src/limits.js';

/** A reply that takes longer is lost; generous, because the machine may be busy. */
const REPLY_MS = 20_000;

export interface IsoClientOptions {
  readonly dialect?: DialectName;
  readonly framing?: FramingName;
  /** Fixed header of every request. */
  readonly header?: Uint8Array;
}

interface Waiting {
  readonly resolve: (fields: Fields) => void;
  readonly reject: (error: Error) => void;
}

export class IsoClient {
  readonly socket: Socket;
  /** Replies nobody waited for. */
  readonly unexpected: Fields[] = [];
  keepAlives = 0;
  /** Header of the newest reply. */
  header: Buffer | undefined;
  closed = false;
  readonly ended: Promise<void>;
  readonly #dialect: DialectName;
  readonly #framing: FramingOptions;
  readonly #header: Uint8Array | undefined;
  readonly #waiting = new Map<string, Waiting>();

  private constructor(socket: Socket, options: IsoClientOptions) {
    const { header } = options;
    this.socket = socket;
    this.#dialect = options.dialect ?? 'iso87-bcd';
    this.#header = header;
    this.#framing = {
      framing: options.framing ?? 'len2',
      headerBytes: header?.length ?? 0,
      maxBytes: MESSAGE_BYTES_MAX,
    };
    const reader = new FrameReader(this.#framing);
    reader.onKeepAlive = () => {
      this.keepAlives++;
    };
    socket.on('data', (chunk) =>
      reader.push(chunk, (bytes, start, end, replyHeader) => {
        this.header = replyHeader === undefined ? undefined : Buffer.from(replyHeader);
        this.#take(unpack(this.#dialect, bytes.slice(start, end)));
      }),
    );
    socket.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      socket.once('close', () => {
        this.closed = true;
        for (const waiting of this.#waiting.values()) waiting.reject(new Error('the connection was closed'));
        this.#waiting.clear();
        resolve();
      });
    });
  }

  static connect(host: string, port: number, options: IsoClientOptions = {}): Promise<IsoClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new IsoClient(socket, options));
      });
    });
  }

  #take(fields: Fields): void {
    const key = keyOf(fields);
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (waiting === undefined) this.unexpected.push(fields);
    else waiting.resolve(fields);
  }

  /** The bytes of a request with its frame. */
  frame(fields: Fields): Buffer {
    const body = pack(this.#dialect, fields);
    const overhead = frameOverhead(this.#framing);
    const bytes = Buffer.alloc(overhead + body.length);
    writeFrame(this.#framing, bytes, 0, body.length, this.#header, false);
    bytes.set(body, overhead);
    return bytes;
  }

  /** Sends bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  keepAlive(): void {
    this.raw(keepAliveFrame(this.#framing));
  }

  /** The reply to a request that is on its way. */
  expect(fields: Fields): Promise<Fields> {
    const key = keyOf(fields);
    const reply = new Promise<Fields>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(key);
        reject(new Error(`no reply to ${fields[0]} STAN ${fields[11]} within ${REPLY_MS} ms`));
      }, REPLY_MS);
      this.#waiting.set(key, {
        resolve: (found) => {
          clearTimeout(timer);
          resolve(found);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
    reply.catch(() => undefined);
    return reply;
  }

  /** Sends a request and resolves with its reply. */
  request(fields: Fields): Promise<Fields> {
    if (this.closed) return Promise.reject(new Error('the connection was closed'));
    const reply = this.expect(fields);
    this.raw(this.frame(fields));
    return reply;
  }

  /** Sends all in one write; the replies in the order of the requests. */
  batch(requests: readonly Fields[]): Promise<Fields[]> {
    const replies = requests.map((fields) => this.expect(fields));
    this.raw(Buffer.concat(requests.map((fields) => this.frame(fields))));
    return Promise.all(replies);
  }

  close(): void {
    this.socket.destroy();
  }
}

function keyOf(fields: Fields): string {
  return `${fields[11]} ${fields[41] ?? ''}`;
}

let stans = 0;

/** An STAN that no other message of this test file has. */
export function nextStan(): string {
  return String(++stans % 1_000_000).padStart(6, '0');
}

export interface PurchaseOptions {
  /** Number of the demo card (1 to 1000). */
  readonly card?: number;
  readonly amount?: number;
  /** Further or other fields; an empty text removes one. */
  readonly fields?: Fields;
}

/** DE7 of now. */
export function transmission(now: Date = new Date()): string {
  return now.toISOString().replace(/\D/g, '').slice(4, 14);
}

/** A purchase with a demo card, 0100. */
export function purchase(options: PurchaseOptions = {}): Fields {
  const stan = options.fields?.[11] ?? nextStan();
  const now = transmission();
  const fields: Fields = {
    0: '0100',
    2: demoPan(options.card ?? 1),
    3: '000000',
    4: String(options.amount ?? 1000).padStart(12, '0'),
    7: now,
    11: stan,
    12: now.slice(4),
    13: now.slice(0, 4),
    14: '3512',
    18: '5411',
    19: '076',
    22: '051',
    25: '00',
    32: '999901',
    37: `R${stan.padStart(11, '0')}`,
    41: 'TERM0001',
    42: 'MERCHANT0000001',
    43: 'HOLDFAST TEST SHOP       SAO PAULO    BR',
    49: '986',
    ...options.fields,
  };
  for (const [field, value] of Object.entries(fields)) if (value === '') delete fields[field];
  return fields;
}

/** The repeat (xxx1) of a request. */
export function repeat(fields: Fields): Fields {
  return { ...fields, 0: `${fields[0]!.slice(0, 3)}1` };
}

/** A full reversal of the request by DE90; partial with what remains. */
export function reversal(fields: Fields, remaining?: number): Fields {
  const pad = (text: string | undefined): string => (text ?? '').padStart(11, '0');
  const { 48: _private, 55: _chip, ...kept } = fields;
  return {
    ...kept,
    0: '0400',
    11: nextStan(),
    90: `${fields[0]}${fields[11]}${fields[7]}${pad(fields[32])}${pad(fields[33])}`,
    ...(remaining === undefined ? {} : { 95: `${String(remaining).padStart(12, '0')}${'0'.repeat(30)}` }),
  };
}
