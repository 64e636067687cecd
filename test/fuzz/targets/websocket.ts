/**
 * What a socket of a WebSocket listener may bring: HTTP requests, upgrades and frames, whole and broken, by both adapters. The first byte
 * of an input says where the stream is cut, and whether the client waits for answers as it should. Held against every input: the server ends the connection once its peer has; what it
 * sent is an HTTP answer, and behind an upgrade whole frames of its own (binary ones are replies or keep-alives); another connection is
 * served all the while and no socket is left over; the log shows no defect and no card number.
 */
import { connect } from 'node:net';
import { linkDefaults } from '#src/ingress/links.js';
import type { WsAdapterName } from '#src/ingress/ws.js';
import { loadUws } from '#src/ingress/ws-uws.js';
import { IsoError, pack, unpack } from '#src/iso8583/message.js';
import type { Random } from '../../crash/random.js';
import { type Harness, harness, portOf, request, until, type WsClient, wsClient } from '../../ingress/support.js';
import { joined, mutateBytes } from '../mutators.js';
import { type FuzzTarget, latin1, must, type OpenTarget, type Verdict } from '../target.js';
import { repeats } from './issuer-json.js';

/** A peer that is not let go within this time hangs, on a busy machine too. */
const HANG_MS = 20_000;
const INPUTS_PER_CHECK = 10;
/** An upgrade and a reply take less; without an answer the next piece goes out all the same. */
const PATIENCE_MS = 20;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The request, and what is behind it cut in two; one input in four is cut anywhere. */
function pieces(stream: Uint8Array, how: number): Uint8Array[] {
  const end = Buffer.from(stream).indexOf('\r\n\r\n');
  const head = end < 0 || (how & 6) === 0 ? 0 : end + 4;
  const cut = head + Math.floor(((stream.length - head) * how) / 256);
  return [stream.subarray(0, head), stream.subarray(head, cut), stream.subarray(cut)].filter(
    ({ length }) => length > 0,
  );
}

class SocketTarget implements OpenTarget {
  readonly #h: Harness;
  readonly #healthy: WsClient;
  #inputs = 0;

  constructor(h: Harness, healthy: WsClient) {
    this.#h = h;
    this.#healthy = healthy;
  }

  async run(input: Uint8Array): Promise<Verdict> {
    const how = input[0] ?? 0;
    const stream = input.subarray(1);
    const received = await this.#exchange(pieces(stream, how), (how & 1) === 1);
    const text = received.toString('latin1');
    const verdict = this.#judge(received, text);
    const log = this.#h.log.splice(0).join('\n');
    must(!repeats(log, Buffer.from(stream).toString('latin1')), () => `the log repeats a number: ${log}`);
    must(!/\binternal\b/.test(log), () => `the log shows a defect: ${log}`);
    if (this.#inputs++ % INPUTS_PER_CHECK === 0) await this.#others();
    return verdict;
  }

  /**
   * Sends the pieces and the end; gives what came back when the server has ended as well.
   * @param patient waits for an answer before the second piece and before the end, as a client does that knows how
   */
  async #exchange(list: readonly Uint8Array[], patient: boolean): Promise<Buffer> {
    const received: Buffer[] = [];
    const socket = connect({ host: '127.0.0.1', port: portOf(this.#h.addresses.ws), noDelay: true });
    let closed = false;
    socket.on('data', (piece) => received.push(piece));
    // A reset is one way to end it.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      closed = true;
    });
    for (const piece of list) {
      if (closed || socket.destroyed) break;
      const before = received.length;
      socket.write(piece);
      const end = performance.now() + (patient ? PATIENCE_MS : 0);
      do await turn();
      while (!closed && received.length === before && performance.now() < end);
    }
    socket.end();
    const hang = performance.now() + HANG_MS;
    while (!closed) {
      await turn();
      if (performance.now() < hang) continue;
      socket.destroy();
      throw new Error(`the server kept the connection for ${HANG_MS} ms after its peer had ended it`);
    }
    return Buffer.concat(received);
  }

  #judge(received: Buffer, text: string): Verdict {
    if (received.length === 0) return 'refused';
    const head = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n(?:[!-9;-~]+: ?[\x20-\x7e]*\r\n)*\r\n/.exec(text);
    must(head !== null, () => `no HTTP: ${text.slice(0, 200)}`);
    if (head[1] !== '101') {
      must(
        ['200', '400', '403', '404', '414', '426', '431', '501', '503', '505'].includes(head[1]!),
        () => `status ${head[1]}`,
      );
      return 'refused';
    }
    let replies = 0;
    for (let at = head[0].length; at < received.length; ) {
      const frame = frameAt(received, at);
      if (frame === undefined) break;
      must(
        frame.first === 0x82 || frame.first === 0x88 || frame.first === 0x89 || frame.first === 0x8a,
        () => `frame ${frame.first}`,
      );
      if (frame.first === 0x82) {
        replies++;
        if (frame.payload.length > 0) this.#isReply(frame.payload);
      }
      at = frame.end;
    }
    return replies > 0 ? 'accepted' : 'refused';
  }

  #isReply(payload: Uint8Array): void {
    const read = (['iso87-bcd', 'iso87-ascii', 'iso87-ascii-bin'] as const).some((name) => {
      try {
        return /^\d\d[13579][02468]$/.test(unpack(name, payload)[0]!);
      } catch (error) {
        if (error instanceof IsoError) return false;
        throw error;
      }
    });
    must(read, () => `no reply: ${Buffer.from(payload).toString('hex')}`);
  }

  /** The other connection is served, and nothing is left of those that ended. */
  async #others(): Promise<void> {
    const before = this.#healthy.replies.length;
    this.#healthy.socket.send(pack('iso87-bcd', request(this.#inputs % 1_000_000)));
    await until('a reply on another connection', () => this.#healthy.replies.length > before, HANG_MS);
    const { signed_on: on, signed_off: off } = this.#h.ingress.stats().connections.ws as Record<string, number>;
    must((on ?? 0) + (off ?? 0) <= 3, () => `${on} + ${off} connections are open`);
    this.#healthy.replies.length = 0;
    this.#h.shards.seen.length = 0;
  }

  async close(): Promise<void> {
    this.#healthy.socket.terminate();
    await this.#h.ingress.stop(50);
    this.#h.shards.stop();
  }
}

/** A frame of a server: never masked, its length in the shortest form. Undefined when it is cut off. */
function frameAt(bytes: Buffer, at: number): { first: number; payload: Buffer; end: number } | undefined {
  if (bytes.length < at + 2) return undefined;
  const short = bytes[at + 1]!;
  must(short < 127, () => `length ${short} of a server's frame`);
  const from = at + (short === 126 ? 4 : 2);
  if (bytes.length < from) return undefined;
  const length = short === 126 ? bytes.readUInt16BE(at + 2) : short;
  must(short !== 126 || length > 125, () => 'a length that is longer than it need be');
  if (bytes.length < from + length) return undefined;
  return { first: bytes[at]!, payload: bytes.subarray(from, from + length), end: from + length };
}

const upgrade = (path = '/iso8583', more = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
  `Sec-WebSocket-Version: 13\r\n${more}\r\n`;

/** A frame of a client; `form` 126 or 127 says its length longer than need be. */
function frame(first: number, payload: Uint8Array, masked = true, form = 0): Buffer {
  const long =
    form === 127 || payload.length > 0xffff ? 127 : form === 126 || payload.length > 125 ? 126 : payload.length;
  const head = Buffer.alloc(2 + (long === 126 ? 2 : long === 127 ? 8 : 0) + (masked ? 4 : 0));
  head[0] = first;
  head[1] = (masked ? 0x80 : 0) | long;
  if (long === 126) head.writeUInt16BE(payload.length, 2);
  if (long === 127) head.writeBigUInt64BE(BigInt(payload.length), 2);
  // A mask of zeros leaves the payload as it is.
  return Buffer.concat([head, payload]);
}

const message = (stan: number): Uint8Array => pack('iso87-bcd', request(stan, { 2: '9999991234567893' }));

function mutate(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array {
  const end = Buffer.from(input).indexOf('\r\n\r\n');
  const head =
    end < 0 || random.chance(0.1)
      ? latin1(
          upgrade(
            random.pick([
              '/iso8583',
              '/',
              '/iso8583?dialect=iso87-ascii',
              '/iso8583?dialect=x',
              '/iso8583?a=%ff&dialect=iso87-bcd',
            ]),
            random.pick([
              '',
              'Sec-WebSocket-Extensions: permessage-deflate\r\n',
              'Sec-WebSocket-Protocol: a, b\r\n',
              `X: ${'y'.repeat(random.int(0, 3000))}\r\n`,
            ]),
          ),
        )
      : input.subarray(1, end + 4);
  const frames = end < 0 ? new Uint8Array(0) : input.subarray(end + 4);
  const payload = random.chance(0.5) ? message(random.int(1, 9)) : mutateBytes(random, message(1), other, [], 5000);
  const first = random.pick([
    0x82,
    0x82,
    0x82,
    0x81,
    0x80,
    0x00,
    0x02,
    0x88,
    0x89,
    0x8a,
    0xc2,
    0x83,
    0x8f,
    random.int(0, 255),
  ]);
  const content =
    first === 0x88
      ? Buffer.from([random.pick([3, 0]), random.int(0, 255), 0x78].slice(0, random.int(0, 3)))
      : (first & 8) !== 0
        ? payload.subarray(0, random.int(0, 130))
        : payload;
  const added = frame(
    first,
    random.chance(0.1) ? new Uint8Array(0) : content,
    !random.chance(0.05),
    random.pick([0, 0, 0, 126, 127]),
  );
  const kept = random.chance(0.5) ? frames : new Uint8Array(0);
  return joined(
    Uint8Array.of(random.int(0, 255)),
    joined(head, random.chance(0.5) ? joined(kept, added) : joined(added, kept)),
  );
}

function target(adapter: WsAdapterName): FuzzTarget {
  return {
    name: `websocket-${adapter}`,
    reads: `streams of the WebSocket listener, adapter ${adapter}`,
    focus: ['ingress/'],
    inputsInCi: 300,
    bytesMax: 9000,
    // The listener also polls and keeps time meanwhile, so this bound is only good against what runs away.
    work: { base: 2_000_000, perByte: 1000 },
    seeds: () => [
      joined(
        Uint8Array.of(1),
        Buffer.concat([
          latin1(upgrade()),
          frame(0x82, message(1)),
          frame(0x82, new Uint8Array(0)),
          frame(0x88, Buffer.of(3, 232)),
        ]),
      ),
      joined(
        Uint8Array.of(129),
        Buffer.concat([
          latin1(upgrade()),
          frame(0x02, message(1).subarray(0, 20)),
          frame(0x89, latin1('x')),
          frame(0x80, message(1).subarray(20)),
        ]),
      ),
      joined(Uint8Array.of(40), latin1('GET / HTTP/1.1\r\nHost: x\r\n\r\n')),
      joined(Uint8Array.of(0), joined(Uint8Array.of(0, 132), message(1))),
    ],
    words: () =>
      [
        'GET ',
        'POST ',
        '\r\n',
        '\r\n\r\n',
        'HTTP/1.0',
        'Sec-WebSocket-Key: ',
        'Content-Length: 5\r\n',
        'Transfer-Encoding: chunked\r\n',
        '9999991234567893',
        '%00',
      ].map(latin1),
    mutate,
    async open() {
      const link = { ...linkDefaults, name: 'ws', number: 2, transport: 'ws', host: '127.0.0.1', port: 0 } as const;
      const h = await harness({ links: [link], ingress: { wsAdapter: adapter } });
      return new SocketTarget(h, await wsClient(h));
    },
  };
}

/** Without a binary for this machine there is nothing of uWebSockets.js to try. */
export const targets: readonly FuzzTarget[] =
  typeof loadUws() === 'string' ? [target('ws')] : [target('ws'), target('uws')];
