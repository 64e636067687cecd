/**
 * The card network at the other end of a link: connections that come and go, messages that wait for their reply, and what a
 * network does when none comes: it repeats, it reverses, or it stands in for the issuer and tells it afterwards. Advices and
 * reversals are kept and sent again until they are answered.
 */
import type { LinkProfile } from '#src/ingress/links.js';
import { type Fields, pack, unpack } from '#src/iso8583/message.js';
import { digits, repeatOf, transmissionOf } from './messages.js';
import type { SimStream } from './network.js';
import type { SimConnection } from './observation.js';
import type { Random } from './random.js';
import type { SimTimer } from './scheduler.js';

/** What a peer needs of the world. */
export interface PeerWorld {
  readonly nowUs: number;
  readonly wallMs: number;
  after(us: number, call: () => void): SimTimer;
  /** A new stream to the engine's link, or undefined when nobody answers there. */
  connect(link: LinkProfile, begin: (stream: SimStream) => void): SimStream | undefined;
  count(fault: string): void;
  sent(connection: SimConnection, bytes: Uint8Array, fields: Fields | undefined): void;
  answered(connection: SimConnection, bytes: Uint8Array, fields: Fields | undefined): void;
}

export interface PeerFaults {
  /** Share of messages that are lost before they reach a connection. */
  drop: number;
  /** Share of messages that are sent twice, the second time on any connection. */
  duplicate: number;
}

/** A message that waits for its reply. */
export interface Exchange {
  fields: Fields;
  /** How often it was sent. */
  tries: number;
  /** Called once, with the reply, or with undefined when the network's patience is over. */
  readonly onEnd: (reply: Fields | undefined) => void;
  /** Sent again until it is answered. */
  readonly isKept: boolean;
  timer: SimTimer | undefined;
}

interface Line {
  readonly stream: SimStream;
  readonly connection: SimConnection;
  /** Ready for messages: signed on where the link wants that. */
  isReady: boolean;
  /** Messages on their way to the engine: how many bytes must have arrived for each, and its contents. */
  readonly onTheWay: { end: number; bytes: Uint8Array; fields: Fields | undefined }[];
  sentBytes: number;
  arrivedBytes: number;
  buffer: Uint8Array;
}

/** The one request that the engine makes: it signs off at a stop. */
const SIGN_OFF = '0800';
/** Reconnects after this time, us. */
const RECONNECT_US = 300_000;
/** A kept message is sent again after this time, us, and then ever more slowly. */
const RETRY_US = 2_000_000;
const RETRY_US_MAX = 30_000_000;

export class Peer {
  readonly link: LinkProfile;
  /** Messages that will be sent until they are answered. */
  kept = 0;
  readonly #world: PeerWorld;
  readonly #random: Random;
  readonly #faults: PeerFaults;
  readonly #lines: Line[] = [];
  readonly #wanted: number;
  readonly #waiting = new Map<string, Exchange>();
  #connections: { next: number };
  #stan: number;

  constructor(
    world: PeerWorld,
    link: LinkProfile,
    faults: PeerFaults,
    random: Random,
    connections: { next: number },
    wanted: number,
  ) {
    this.#world = world;
    this.link = link;
    this.#faults = faults;
    this.#random = random;
    this.#connections = connections;
    this.#wanted = wanted;
    this.#stan = link.number * 100_000;
  }

  /** Requests and advices without a reply. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Messages that have not reached the engine. */
  get onTheWay(): number {
    return this.#lines.reduce((sum, line) => sum + line.onTheWay.length, 0);
  }

  get isConnected(): boolean {
    return this.#lines.some(({ isReady }) => isReady);
  }

  nextStan(): number {
    this.#stan = (this.#stan % 999_999) + 1;
    return this.#stan;
  }

  /** Opens what is wanted, now and whenever a connection is lost. */
  start(): void {
    for (let i = 0; i < this.#wanted; i++) this.#connect();
  }

  #connect(): void {
    const line: { current?: Line } = {};
    const stream = this.#world.connect(this.link, (opened) => {
      const connection = { id: ++this.#connections.next, link: this.link.number, dialect: this.link.dialect };
      const made: Line = {
        ...{ stream: opened, connection, isReady: !this.link.signOnRequired, onTheWay: [] },
        ...{ sentBytes: 0, arrivedBytes: 0, buffer: new Uint8Array(0) },
      };
      line.current = made;
      this.#lines.push(made);
      opened.peer = { onBytes: (bytes) => this.#take(made, bytes), onClose: () => this.#lost(made) };
      opened.onEngineRead = (bytes) => this.#arrived(made, bytes.length);
      opened.onEngineWrite = (bytes) => this.#engineWrote(made, bytes);
    });
    if (stream === undefined) {
      this.#world.after(RECONNECT_US + this.#random.latency(RECONNECT_US), () => this.#connect());
      return;
    }
    if (this.link.signOnRequired && line.current !== undefined) this.#write(line.current, this.#network('001'));
  }

  #lost(line: Line): void {
    const at = this.#lines.indexOf(line);
    if (at < 0) return;
    this.#lines.splice(at, 1);
    this.#world.after(this.#random.latency(RECONNECT_US), () => this.#connect());
  }

  /** Breaks every connection; they come back. */
  breakAll(): void {
    for (const { stream } of [...this.#lines]) stream.break();
  }

  #network(code: string): Fields {
    const { wallMs } = this.#world;
    return { 0: '0800', 7: transmissionOf(wallMs), 11: digits(this.nextStan(), 6), 70: code };
  }

  /** An 0800 of this function on one connection; nobody waits for the answer but `onEnd`. */
  manage(code: string, more: Fields, onEnd: (reply: Fields | undefined) => void): void {
    this.send({ ...this.#network(code), ...more }, 5_000_000, onEnd);
  }

  /** Sends a request and waits for its reply for `patienceUs`. */
  send(fields: Fields, patienceUs: number, onEnd: (reply: Fields | undefined) => void): void {
    const exchange: Exchange = { fields, tries: 0, onEnd, isKept: false, timer: undefined };
    const key = keyOf(fields);
    // A network asks one thing under one number at a time.
    if (this.#waiting.has(key)) return;
    this.#waiting.set(key, exchange);
    exchange.timer = this.#world.after(patienceUs, () => {
      this.#waiting.delete(key);
      onEnd(undefined);
    });
    this.#transmit(exchange);
  }

  /** Sends an advice or a reversal until it is answered; repeats say so in their type. */
  keep(fields: Fields, onEnd: (reply: Fields) => void): void {
    const key = keyOf(fields);
    if (this.#waiting.has(key)) return;
    this.kept++;
    const exchange: Exchange = {
      ...{ fields, tries: 0, isKept: true, timer: undefined },
      onEnd: (reply) => {
        this.kept--;
        onEnd(reply ?? {});
      },
    };
    this.#waiting.set(key, exchange);
    this.#again(exchange);
  }

  #again(exchange: Exchange): void {
    this.#transmit(exchange);
    const pause = Math.min(RETRY_US * 2 ** Math.min(exchange.tries, 10), RETRY_US_MAX);
    exchange.timer = this.#world.after(pause + this.#random.latency(RETRY_US / 10), () => this.#again(exchange));
  }

  /** Hands the message to some connection, or loses it. */
  #transmit(exchange: Exchange): void {
    const fields = exchange.tries === 0 ? exchange.fields : repeatOf(exchange.fields);
    const ready = this.#lines.filter(({ isReady }) => isReady);
    // A message that was never handed to anybody is no repeat.
    if (ready.length === 0) return;
    exchange.tries++;
    if (this.#random.chance(this.#faults.drop)) {
      this.#world.count('message dropped');
      return;
    }
    this.#write(this.#random.pick(ready), fields);
    if (!this.#random.chance(this.#faults.duplicate)) return;
    this.#world.count('message duplicated');
    this.#write(this.#random.pick(ready), this.#random.chance(0.5) ? fields : repeatOf(fields));
  }

  /** Sends these bytes as one frame; what they are, nobody knows. */
  sendRaw(bytes: Uint8Array): void {
    const ready = this.#lines.filter(({ isReady }) => isReady);
    if (ready.length === 0 || bytes.length === 0) return;
    this.#writeBytes(this.#random.pick(ready), bytes, fieldsOf(this.link, bytes));
  }

  #write(line: Line, fields: Fields): void {
    this.#writeBytes(line, pack(this.link.dialect, fields), fields);
  }

  #writeBytes(line: Line, bytes: Uint8Array, fields: Fields | undefined): void {
    const frame = new Uint8Array(2 + bytes.length);
    frame[0] = bytes.length >> 8;
    frame[1] = bytes.length;
    frame.set(bytes, 2);
    line.sentBytes += frame.length;
    line.onTheWay.push({ end: line.sentBytes, bytes, fields });
    line.stream.toEngine(frame);
  }

  #arrived(line: Line, count: number): void {
    line.arrivedBytes += count;
    while (line.onTheWay.length > 0 && line.onTheWay[0]!.end <= line.arrivedBytes) {
      const { bytes, fields } = line.onTheWay.shift()!;
      this.#world.sent(line.connection, bytes, fields);
    }
  }

  /** The engine hands over whole frames. */
  #engineWrote(line: Line, bytes: Uint8Array): void {
    for (const message of framesOf(bytes).messages) {
      const fields = fieldsOf(this.link, message);
      if (fields?.[0] !== SIGN_OFF) this.#world.answered(line.connection, message, fields);
    }
  }

  #take(line: Line, bytes: Uint8Array): void {
    const joined = new Uint8Array(line.buffer.length + bytes.length);
    joined.set(line.buffer);
    joined.set(bytes, line.buffer.length);
    const { messages, rest } = framesOf(joined);
    line.buffer = rest;
    for (const message of messages) {
      const fields = fieldsOf(this.link, message);
      if (fields !== undefined) this.#takeMessage(line, fields);
    }
  }

  #takeMessage(line: Line, fields: Fields): void {
    if (fields[0] === SIGN_OFF) {
      // The engine signs off: nothing is sent on this connection any more.
      line.isReady = false;
      this.#write(line, { 0: '0810', 7: fields[7] ?? '', 11: fields[11] ?? '', 39: '00', 70: fields[70] ?? '002' });
      return;
    }
    if (fields[0] === '0810' && fields[70] === '001') line.isReady = true;
    const key = keyOf(fields);
    const exchange = this.#waiting.get(key);
    if (exchange === undefined) return;
    // Not taken now: what is kept is sent again later.
    if (exchange.isKept && fields[39] === '91') return;
    this.#waiting.delete(key);
    exchange.timer?.cancel();
    exchange.onEnd(fields);
  }
}

/** What a request and its reply have in common. */
function keyOf(fields: Fields): string {
  return `${(fields[0] ?? '').slice(0, 2)} ${fields[7]} ${fields[11]} ${fields[37] ?? ''}`;
}

function fieldsOf(link: LinkProfile, bytes: Uint8Array): Fields | undefined {
  try {
    return unpack(link.dialect, bytes);
  } catch {
    // Bytes that are no message of the dialect: whoever looks at them sees that.
    return undefined;
  }
}

function framesOf(bytes: Uint8Array): { messages: Uint8Array[]; rest: Uint8Array } {
  const messages: Uint8Array[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    const length = (bytes[at]! << 8) | bytes[at + 1]!;
    if (at + 2 + length > bytes.length) break;
    if (length > 0) messages.push(bytes.slice(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return { messages, rest: bytes.slice(at) };
}
