/** One hostile case, in a thread of its own until its time is over; tells what it did. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { DEMO_CARDS, demoPan } from '#src/cli/demo-program.js';
import { Decoder } from '#src/iso8583/decoder.js';
import { dialect } from '#src/iso8583/dialects.js';
import { FrameReader } from '#src/iso8583/framing.js';
import { luhnCheckDigit } from '#src/vault/pan.js';
import { WebSocketReader } from '../../loadtest/websocket-reader.js';
import type { CaseFigures, CaseName, CaseTask } from './case.js';
import { framed, PurchaseFrames } from './purchase-frames.js';

const UPGRADE =
  'GET /iso8583 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: aG9sZGZhc3QgaG9zdGlsZQ==\r\n\r\n';
/** A sender rests while this much is with its socket. */
const UNSENT_BYTES_MAX = 512 * 1024;
const FLOOD_CONNECTIONS = 8;
const OPENING_AT_A_TIME = 64;

const task = workerData as CaseTask;
const { transport, address, rate, untilMs } = task;
const [host, port] = address.split(':') as [string, string];
const figures: CaseFigures = { opened: 0, refused: 0, closed: 0, sent: 0, answered: 0, shed: 0, bytesSent: 0 };
const sockets = new Set<Socket>();
/** Ended by this side. */
const dropped = new WeakSet<Socket>();
const nowMs = (): number => performance.timeOrigin + performance.now();
const over = (): boolean => nowMs() >= untilMs;
let finished = false;

/** A connection, without a word; undefined when it is refused. */
function dial(): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port), noDelay: true });
    socket.once('connect', () => {
      figures.opened++;
      sockets.add(socket);
      resolve(socket);
    });
    socket.on('error', () => undefined);
    socket.once('close', () => {
      if (!sockets.delete(socket)) {
        figures.refused++;
        resolve(undefined);
      } else if (!finished && !dropped.has(socket)) figures.closed++;
    });
  });
}

function drop(socket: Socket, how: 'destroy' | 'reset' = 'destroy'): void {
  dropped.add(socket);
  if (how === 'reset') socket.resetAndDestroy();
  else socket.destroy();
}

/** A connection that may send messages; over WebSocket the upgrade is done. Answers are counted when `reads`. */
async function join(reads: boolean): Promise<Socket | undefined> {
  const socket = await dial();
  if (socket === undefined) return undefined;
  if (transport === 'ws') {
    socket.write(UPGRADE);
    const ok = await new Promise<boolean>((resolve) => {
      socket.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1').startsWith('HTTP/1.1 101')));
      socket.once('close', () => resolve(false));
    });
    if (!ok) return undefined;
  }
  if (reads) countAnswers(socket);
  else socket.pause();
  return socket;
}

function countAnswers(socket: Socket): void {
  const decoder = new Decoder(dialect('iso87-bcd'));
  const reader =
    transport === 'ws' ? new WebSocketReader() : new FrameReader({ framing: 'len2', headerBytes: 0, maxBytes: 4096 });
  socket.on('data', (chunk: Buffer) =>
    reader.push(chunk, (bytes, start, end) => {
      figures.answered++;
      if (decoder.decode(bytes, start, end) && decoder.digits(39) === 91) figures.shed++;
    }),
  );
}

async function joinAll(count: number, reads: boolean): Promise<Socket[]> {
  const all: Socket[] = [];
  while (all.length < count && !over()) {
    const some = Math.min(OPENING_AT_A_TIME, count - all.length);
    const opened = await Promise.all(Array.from({ length: some }, () => join(reads)));
    const there = opened.filter((socket): socket is Socket => socket !== undefined);
    all.push(...there);
    if (there.length === 0) await sleep(50);
  }
  return all;
}

/** Sends messages at the rate, over connections that take turns; closed ones are opened again when `again`. */
async function send(
  peers: Socket[],
  frame: (number: number) => Uint8Array,
  again = false,
  reads = true,
): Promise<void> {
  const beganMs = nowMs();
  let due = 0;
  let number = Math.floor(Math.random() * 1e9);
  while (!over()) {
    const want = Math.floor(((nowMs() - beganMs) * rate) / 1000);
    for (const [at, socket] of peers.entries()) {
      const share = Math.ceil((want - due) / (peers.length - at));
      due += share;
      if (socket.destroyed && again) {
        peers[at] = (await join(reads)) ?? socket;
        continue;
      }
      if (socket.destroyed || socket.writableLength > UNSENT_BYTES_MAX) continue;
      const burst = Array.from({ length: share }, () => frame(number++));
      const bytes = Buffer.concat(burst);
      figures.sent += share;
      figures.bytesSent += bytes.length;
      if (bytes.length > 0) socket.write(bytes);
    }
    await sleep(1);
  }
}

/** Opens connections as fast as they come and go, so many at a time. */
async function churn(lanes: number, one: () => Promise<void>): Promise<void> {
  const lane = async (): Promise<void> => {
    while (!over()) await one();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** A connection that says something which ends it. */
async function provoke(bytes: Uint8Array): Promise<void> {
  const socket = await join(false);
  if (socket === undefined) {
    await sleep(20);
    return;
  }
  socket.resume();
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.write(bytes);
  figures.bytesSent += bytes.length;
  await Promise.race([closed, sleep(Math.max(1, Math.min(2000, untilMs - nowMs())))]);
  if (!socket.destroyed) drop(socket);
}

/** Sends the bytes again and again, one per write. */
async function drip(peers: readonly Socket[], bytes: (peer: number) => Uint8Array, everyMs: number): Promise<void> {
  const texts = peers.map((_, n) => bytes(n));
  for (let at = 0; !over(); at++) {
    for (const [n, socket] of peers.entries()) {
      if (socket.destroyed) continue;
      const text = texts[n]!;
      socket.write(text.subarray(at % text.length, (at % text.length) + 1));
      figures.bytesSent++;
      if (at % text.length === text.length - 1) {
        figures.sent++;
        texts[n] = bytes(n);
      }
    }
    await sleep(everyMs);
  }
}

function unknownPans(): string[] {
  return Array.from({ length: 997 }, () => {
    const digits = `999998${String(Math.floor(Math.random() * 1e9)).padStart(9, '0')}`;
    return `${digits}${luhnCheckDigit(digits)}`;
  });
}

const randomBytes = (count: number): Buffer =>
  Buffer.from(Array.from({ length: count }, () => 0xff - Math.floor(Math.random() * 64)));
const terminal = `H${String(Math.floor(Math.random() * 1e7)).padStart(7, '0')}`;

const floodOf =
  (frames: () => PurchaseFrames): (() => Promise<void>) =>
  async () => {
    const one = frames();
    await send(await joinAll(FLOOD_CONNECTIONS, true), (number) => one.frame(number), true);
  };

const cases: Readonly<Record<CaseName, () => Promise<void>>> = {
  flood: floodOf(() => new PurchaseFrames(transport, terminal)),
  'hot account': floodOf(() => new PurchaseFrames(transport, terminal, [demoPan(DEMO_CARDS)])),
  'unknown cards': floodOf(() => new PurchaseFrames(transport, terminal, unknownPans())),
  'reply flood': floodOf(() => new PurchaseFrames(transport, terminal, undefined, '0110')),
  async 'never reading'() {
    const frames = new PurchaseFrames(transport, terminal);
    await send(await joinAll(16, false), (number) => frames.frame(number), true, false);
  },
  async garbage() {
    // Over WebSocket inside of whole frames too: else only the library's parser would be met.
    const bytes = [randomBytes(4000), framed(transport, randomBytes(1000))];
    let n = 0;
    await churn(32, () => provoke(bytes[n++ % 2]!));
  },
  async 'giant frames'() {
    const bytes =
      transport === 'ws'
        ? [framed('ws', Buffer.alloc(65_000)), giantWebSocketFrame(1_048_576)]
        : [
            Buffer.concat([Buffer.from([0xff, 0xff]), Buffer.alloc(65_535)]),
            Buffer.concat([Buffer.from([0x10, 0x01]), Buffer.alloc(2 ** 20)]),
          ];
    let n = 0;
    await churn(16, () => provoke(bytes[n++ % 2]!));
  },
  async slowloris() {
    const peers: Socket[] = [];
    while (peers.length < 1000 && !over()) {
      const some = await Promise.all(Array.from({ length: OPENING_AT_A_TIME }, dial));
      peers.push(...some.filter((socket): socket is Socket => socket !== undefined));
    }
    // Over WebSocket the upgrade is what never ends.
    const whole = transport === 'ws' ? Buffer.from(UPGRADE) : new PurchaseFrames('tcp', terminal).frame(1);
    await drip(peers, () => whole, 1000);
  },
  async 'byte by byte'() {
    const frames = new PurchaseFrames(transport, terminal);
    let number = Math.floor(Math.random() * 1e9);
    await drip(await joinAll(20, true), () => frames.frame(number++), 1);
  },
  async 'half open'() {
    const frames = new PurchaseFrames(transport, terminal);
    let number = Math.floor(Math.random() * 1e9);
    await churn(OPENING_AT_A_TIME, async () => {
      const socket = await join(false);
      if (socket === undefined) return await sleep(20).then(() => undefined);
      const frame = frames.frame(number++);
      figures.sent++;
      await new Promise<void>((resolve) => socket.write(frame, () => resolve()));
      drop(socket, 'reset');
    });
  },
  async 'connect storm'() {
    await churn(OPENING_AT_A_TIME, async () => {
      const socket = await dial();
      if (socket === undefined) await sleep(20);
      else drop(socket);
    });
  },
  async idle() {
    const peers = await joinAll(task.idle, false);
    for (const socket of peers) socket.resume();
    await sleep(Math.max(0, untilMs - nowMs()));
  },
};

function giantWebSocketFrame(length: number): Uint8Array {
  const frame = Buffer.alloc(14 + length);
  frame[0] = 0x82;
  frame[1] = 0x80 | 127;
  frame.writeBigUInt64BE(BigInt(length), 2);
  return frame;
}

await cases[task.name]();
finished = true;
for (const socket of sockets) drop(socket);
parentPort!.postMessage(figures);
