/** A harness around one ingress: a scripted shard on the other side of the rings, clients, and captured log lines. */
import { connect, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { pack as packMsg, unpack as unpackMsg } from 'msgpackr';
import { WebSocket } from 'ws';
import { monotonicUs } from '#src/clock.js';
import { Ingress } from '#src/ingress/ingress.js';
import { type LinkProfile, linkDefaults } from '#src/ingress/links.js';
import type { IngressAddresses, IngressOptions } from '#src/ingress/options.js';
import type { DialectName } from '#src/iso8583/dialects.js';
import { FrameReader, type FramingName, writeFrame } from '#src/iso8583/framing.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';
import { MESSAGE_BYTES_MAX } from '#src/limits.js';
import type { ClientRings } from '#src/ring/client.js';
import { ControlBlock, createControlBlock, ShardState } from '#src/ring/control-block.js';
import { CardDirectory, createDirectory } from '#src/ring/directory.js';
import { ReplyKind, RequestKind } from '#src/ring/kinds.js';
import { createRing, RingConsumer, RingProducer } from '#src/ring/ring.js';
import { createWake, Waker } from '#src/ring/wake.js';
import { WIRE_HEADER_BYTES } from '#src/ring/wire-entry.js';
import { PanFingerprinter } from '#src/vault/fingerprint.js';
import { cleanUpAfterTest } from '../support/clean-up.js';

export const PAN = '9999990000000017';
export const FINGERPRINT_KEY = Buffer.alloc(32, 0x5a);

/** An authorization request that every echo rule has something to do with. */
export function request(stan: number, more: Fields = {}): Fields {
  return {
    '0': '0100',
    '2': PAN,
    '3': '000000',
    '4': '000000010000',
    '7': '1123024500',
    '11': String(stan).padStart(6, '0'),
    '12': '024500',
    '13': '1123',
    '14': '2912',
    '22': '051',
    '25': '00',
    '32': '123456',
    '37': `RRN${String(stan).padStart(9, '0')}`,
    '41': 'TERM0001',
    '42': 'MERCHANT0000001',
    '49': '986',
    '63': 'NETID0000000001',
    ...more,
  };
}

/** A request as the scripted shard sees it. */
export interface Seen {
  readonly kind: number;
  readonly shard: number;
  readonly token: number;
  readonly receivedUs: number;
  /** Deadline of a wire request, sequence of a roll-back. */
  readonly b: number;
  readonly card: number;
  readonly fingerprint: readonly [number, number, number];
  readonly dialect: number;
  readonly hasPan: number;
  readonly link: number;
  readonly businessDay: number;
  readonly message: Uint8Array;
}

export interface Answered {
  readonly fields?: Fields;
  readonly bytes?: Uint8Array;
  readonly flag?: number;
  readonly kind?: number;
  readonly token?: number;
  /** Sequence behind the reply; the next one when left out. */
  b?: number;
}

/** What the shard does with a wire request: an answer, or nothing (answer later by `reply`). */
export type Script = (seen: Seen, fields: Fields) => Answered | undefined;

const DIALECTS: readonly DialectName[] = ['iso87-bcd', 'iso87-ascii', 'iso87-ascii-bin'];

export function echoReply(fields: Fields, code: string, more: Fields = {}): Fields {
  const reply: Fields = { '0': `${fields['0']!.slice(0, 2) + String(Number(fields['0']![2]) + 1)}0`, '39': code };
  for (const field of [3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 63]) {
    if (fields[field] !== undefined) reply[field] = fields[field];
  }
  return { ...reply, ...more };
}

export const approve: Script = (_seen, fields) =>
  fields['0'] === undefined
    ? { fields: { '0': '0110', '39': '30' } }
    : { fields: echoReply(fields, '00', { '38': 'A00001' }), flag: 1 };

export class FakeShards {
  readonly seen: Seen[] = [];
  script: Script = approve;
  /** What reads and commands are answered with; nothing when undefined. */
  call: (seen: Seen, call: Record<string, unknown>) => object | undefined = () => undefined;
  /** Answers roll-backs at once. */
  rollsBack = true;
  sequence = 0;
  paused = false;
  readonly rings: ClientRings;
  readonly #requests: RingConsumer;
  readonly #replies: RingProducer;
  readonly #waker: Waker;
  #timer: NodeJS.Immediate | undefined;
  #stopped = false;

  constructor(shards: number, ringBytes: number) {
    const pair = { requests: createRing(ringBytes), replies: createRing(ringBytes) };
    const clientWake = createWake();
    this.rings = {
      pairs: [pair],
      threadWakes: [createWake()],
      clientWake,
      threadOfShard: new Array<number>(shards).fill(0),
    };
    this.#requests = new RingConsumer(pair.requests);
    this.#replies = new RingProducer(pair.replies);
    this.#waker = new Waker(clientWake);
    const poll = (): void => {
      if (this.#stopped) return;
      if (!this.paused) this.turn();
      this.#timer = setImmediate(poll);
    };
    poll();
  }

  get wire(): Seen[] {
    return this.seen.filter((seen) => seen.kind === RequestKind.wire);
  }

  get rollBacks(): Seen[] {
    return this.seen.filter((seen) => seen.kind === RequestKind.notDelivered);
  }

  turn(): void {
    const entry = this.#requests;
    let some = false;
    while (entry.next()) {
      some = true;
      const view = Buffer.from(entry.bytes.slice(entry.payloadAt, entry.payloadAt + entry.payloadLength));
      const isWire = entry.kind === RequestKind.wire;
      const seen: Seen = {
        kind: entry.kind,
        shard: entry.shard,
        token: entry.token,
        receivedUs: entry.timeUs,
        b: entry.b,
        card: isWire ? view.readUInt32LE(0) : 0,
        fingerprint: isWire ? [view.readUInt32LE(4), view.readUInt32LE(8), view.readUInt32LE(12)] : [0, 0, 0],
        dialect: isWire ? view[16]! : 0,
        hasPan: isWire ? view[17]! : 0,
        link: isWire ? view.readUInt16LE(18) : 0,
        businessDay: isWire ? view.readUInt32LE(20) : 0,
        message: Uint8Array.from(view.subarray(isWire ? WIRE_HEADER_BYTES : 0)),
      };
      entry.consume();
      this.seen.push(seen);
      if (isWire) {
        let fields: Fields = {};
        try {
          fields = unpack(DIALECTS[seen.dialect]!, seen.message);
        } catch {
          fields = {};
        }
        const answer = this.script(seen, fields);
        if (answer !== undefined) this.reply(seen, answer);
      } else if (seen.kind === RequestKind.read || seen.kind === RequestKind.command) {
        const result = this.call(seen, unpackMsg(seen.message) as Record<string, unknown>);
        if (result !== undefined) this.reply(seen, { kind: ReplyKind.result, bytes: packMsg(result) });
      } else if (seen.kind === RequestKind.notDelivered && this.rollsBack)
        this.reply(seen, { kind: ReplyKind.rolledBack });
    }
    if (some) entry.release();
    this.#waker.signal();
  }

  reply(seen: Seen, answer: Answered): void {
    const bytes =
      answer.bytes ?? (answer.fields === undefined ? new Uint8Array(0) : pack(DIALECTS[seen.dialect]!, answer.fields));
    const token = answer.token ?? seen.token;
    const ok = this.#replies.push(
      answer.kind ?? ReplyKind.wire,
      answer.flag ?? 0,
      seen.shard,
      token,
      0,
      monotonicUs(),
      // A roll-back is confirmed with the sequence it undid; a decision has one of its own.
      answer.b ?? (answer.kind === ReplyKind.rolledBack ? seen.b : ++this.sequence),
      bytes,
    );
    if (!ok) throw new Error('reply ring is full');
    this.#waker.signal();
  }

  stop(): void {
    this.#stopped = true;
    clearImmediate(this.#timer);
  }
}

export interface Harness {
  readonly ingress: Ingress;
  readonly shards: FakeShards;
  readonly addresses: IngressAddresses;
  readonly control: ControlBlock;
  readonly directory: CardDirectory;
  readonly log: string[];
  readonly print: PanFingerprinter;
}

export interface HarnessOptions {
  readonly link?: Partial<LinkProfile>;
  readonly links?: readonly LinkProfile[];
  readonly shards?: number;
  readonly ringBytes?: number;
  readonly ingress?: Partial<IngressOptions>;
}

const running: { ingress: Ingress; shards: FakeShards; graceMs: number }[] = [];
const clients: { destroy(): void }[] = [];

cleanUpAfterTest(async () => {
  for (const client of clients.splice(0)) client.destroy();
  for (const { ingress, shards, graceMs } of running.splice(0)) {
    await ingress.stop(graceMs);
    shards.stop();
  }
});

export function tcpLink(more: Partial<LinkProfile> = {}): LinkProfile {
  return { ...linkDefaults, name: 'tcp', number: 1, transport: 'tcp', host: '127.0.0.1', port: 0, ...more };
}

export async function harness(options: HarnessOptions = {}): Promise<Harness> {
  const shardCount = options.shards ?? 4;
  const shards = new FakeShards(shardCount, options.ringBytes ?? 1 << 20);
  const controlBuffer = createControlBlock();
  const control = new ControlBlock(controlBuffer);
  for (let shard = 0; shard < shardCount; shard++) control.setShardState(shard, ShardState.up);
  const directoryBuffer = createDirectory({ expected: 1000, maximum: 10_000 });
  const log: string[] = [];
  const line = (fields: object, text: string): void => void log.push(`${text} ${inspect(fields, { depth: 9 })}`);
  const ingress = new Ingress({
    links: options.links ?? [tcpLink(options.link)],
    rings: shards.rings,
    directory: directoryBuffer,
    control: controlBuffer,
    fingerprintKey: FINGERPRINT_KEY,
    log: { debug: line, info: line, warn: line, error: line },
    keepCutover: async () => -1,
    keepLinkKey: async () => undefined,
    shardOfFingerprint: (f0, count) => f0 & (count - 1),
    ...options.ingress,
  });
  running.push({ ingress, shards, graceMs: 50 });
  const addresses = await ingress.start();
  return {
    ingress,
    shards,
    addresses,
    control,
    directory: new CardDirectory(directoryBuffer),
    log,
    print: new PanFingerprinter(FINGERPRINT_KEY),
  };
}

/** Waits for a condition, at most `ms`. */
export async function until(what: string, holds: () => boolean, ms = 5000): Promise<void> {
  const end = performance.now() + ms;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`did not happen within ${ms} ms: ${what}`);
    await sleep(1);
  }
}

function portOf(address: string | undefined): number {
  return Number(address?.split(':')[1]);
}

/** The server's ends of the open sockets of a listener (node:net only), as the process has them. */
export function serverSockets(address: string | undefined): Socket[] {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles(): unknown[] };
  return handles
    .call(process)
    .filter((handle): handle is Socket => handle instanceof Socket && handle.localPort === portOf(address));
}

/** A plain TCP peer that frames and unframes. */
export class TcpClient {
  readonly replies: Uint8Array[] = [];
  readonly headers: Uint8Array[] = [];
  keepAlives = 0;
  closed = false;
  readonly socket: Socket;
  readonly #framing: { framing: FramingName; headerBytes: number; maxBytes: number };
  readonly #dialect: DialectName;

  constructor(socket: Socket, framing: FramingName, headerBytes: number, dialect: DialectName) {
    this.socket = socket;
    this.#framing = { framing, headerBytes, maxBytes: MESSAGE_BYTES_MAX };
    this.#dialect = dialect;
    const reader = new FrameReader(this.#framing);
    reader.onKeepAlive = () => void this.keepAlives++;
    socket.on('data', (chunk) =>
      reader.push(chunk, (bytes, start, end, header) => {
        this.replies.push(Uint8Array.from(bytes.subarray(start, end)));
        if (header !== undefined) this.headers.push(Uint8Array.from(header));
      }),
    );
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
    });
    clients.push(socket);
  }

  frame(body: Uint8Array, header?: Uint8Array): Buffer {
    const bytes = Buffer.alloc(body.length + 80);
    const at = writeFrame(this.#framing, bytes, 0, body.length, header, false);
    bytes.set(body, at);
    return bytes.subarray(0, at + body.length);
  }

  framed(fields: Fields, header?: Uint8Array): Buffer {
    return this.frame(pack(this.#dialect, fields), header);
  }

  send(fields: Fields, header?: Uint8Array): void {
    this.socket.write(this.framed(fields, header));
  }

  fields(index: number): Fields {
    return unpack(this.#dialect, this.replies[index]!);
  }

  /** Sends one request and waits for one more reply. */
  async ask(fields: Fields): Promise<Fields> {
    const index = this.replies.length;
    this.send(fields);
    await until('a reply', () => this.replies.length > index || this.closed);
    return this.fields(index);
  }
}

export async function tcpClient(
  test: Harness,
  options: { framing?: FramingName; headerBytes?: number; dialect?: DialectName; link?: string } = {},
): Promise<TcpClient> {
  const address = options.link === undefined ? test.addresses.tcp : test.addresses.links[options.link];
  const socket = connect({ host: '127.0.0.1', port: portOf(address), noDelay: true });
  const { framing = 'len2', headerBytes = 0, dialect = 'iso87-bcd' } = options;
  const client = new TcpClient(socket, framing, headerBytes, dialect);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return client;
}

/** A WebSocket peer. */
export class WsClient {
  readonly replies: Uint8Array[] = [];
  closeCode = 0;
  readonly socket: WebSocket;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => void this.replies.push(Uint8Array.from(data)));
    socket.on('close', (code) => {
      this.closeCode = code;
    });
    socket.on('error', () => undefined);
    clients.push({ destroy: () => socket.terminate() });
  }
}

export async function wsClient(test: Harness, path = '/iso8583'): Promise<WsClient> {
  const client = new WsClient(new WebSocket(`ws://127.0.0.1:${portOf(test.addresses.ws)}${path}`));
  await new Promise<void>((resolve, reject) => {
    client.socket.once('open', resolve);
    client.socket.once('error', reject);
  });
  return client;
}

export { portOf };
