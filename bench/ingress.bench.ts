/**
 * The ingress's share of a message, on one thread, without sockets: fingerprint, directory look-up, and the whole route from
 * message bytes to ring entry (decode, find the PAN, fingerprint, look-up, write). The consumer of the ring only steps over
 * the entries. `createHmac` runs beside the fingerprint as a yardstick. Messages, cards and places differ from one operation
 * to the next. A row is the median of nine samples.
 */
import { createHmac } from 'node:crypto';
import { DialectCodec } from '#src/ingress/local-reply.js';
import { Router } from '#src/ingress/router.js';
import { dialect } from '#src/iso8583/dialects.js';
import { pack } from '#src/iso8583/message.js';
import { RingClient } from '#src/ring/client.js';
import { CardDirectory, createDirectory } from '#src/ring/directory.js';
import { createRing, RingConsumer } from '#src/ring/ring.js';
import { createWake } from '#src/ring/wake.js';
import { PanFingerprinter } from '#src/vault/fingerprint.js';
import { panOfNumber } from '#src/vault/pan.js';
import type { BenchRow } from './row.js';

const CARDS = 200_000;
const MESSAGES = 4096;
const SAMPLES = 9;
const SHARDS = 16;
const KEY = Buffer.alloc(32, 7);

interface Scene {
  readonly router: Router;
  readonly codec: DialectCodec;
  readonly print: PanFingerprinter;
  readonly directory: CardDirectory;
  readonly prints: Uint32Array;
  readonly pans: Uint8Array[];
  readonly messages: Uint8Array[];
  /** Takes everything off the ring. */
  readonly drain: () => void;
}

function scene(): Scene {
  const print = new PanFingerprinter(KEY);
  const directoryBuffer = createDirectory({ expected: CARDS, maximum: CARDS });
  const directory = new CardDirectory(directoryBuffer);
  const prints = new Uint32Array(CARDS * 3);
  for (let card = 0; card < CARDS; card++) {
    const { f0, f1, f2 } = print.of(panOfNumber('999999', card));
    prints.set([f0, f1, f2], card * 3);
    directory.insert(f0, f1, f2, card % SHARDS, Math.floor(card / SHARDS));
  }
  const pair = { requests: createRing(1 << 22), replies: createRing(1 << 16) };
  const rings = new RingClient({
    pairs: [pair],
    threadWakes: [createWake()],
    clientWake: createWake(),
    threadOfShard: new Array<number>(SHARDS).fill(0),
  });
  const consumer = new RingConsumer(pair.requests);
  const numbers = Array.from({ length: MESSAGES }, (_, i) => panOfNumber('999999', (i * 48_271) % CARDS));
  return {
    router: new Router(rings, directory, print, (f0, shards) => f0 & (shards - 1)),
    codec: new DialectCodec(dialect('iso87-bcd')),
    print,
    directory,
    prints,
    pans: numbers.map((pan) => Buffer.from(pan, 'latin1')),
    messages: numbers.map((pan, i) => pack('iso87-bcd', authorization(pan, i))),
    drain: () => {
      while (consumer.next()) consumer.consume();
      consumer.release();
    },
  };
}

function authorization(pan: string, i: number): Record<string, string> {
  const stan = String(i).padStart(6, '0');
  return {
    '0': '0100',
    '2': pan,
    '3': '000000',
    '4': String(1000 + i).padStart(12, '0'),
    '7': '1122140300',
    '11': stan,
    '12': '140300',
    '13': '1122',
    '14': '3012',
    '18': '5411',
    '19': '076',
    '22': '051',
    '25': '00',
    '32': '12345',
    '37': `326514${stan}`,
    '41': `TERM${String(i % 10_000).padStart(4, '0')}`,
    '42': 'ACCEPTOR0000001',
    '43': 'CORNER SHOP            SAO PAULO     BRA',
    '48': '2001E61011',
    '49': '986',
    '63': `326514${stan}001`,
  };
}

/** Median ns per operation over the samples, and heap bytes per operation where no collection came between. */
function row(
  name: string,
  count: number,
  operation: (i: number) => void,
  between: () => void = () => undefined,
): BenchRow {
  const times: number[] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (let sample = -2; sample < SAMPLES; sample++) {
    between();
    const heap = process.memoryUsage().heapUsed;
    const start = process.hrtime.bigint();
    for (let i = 0; i < count; i++) operation(i);
    const ns = Number(process.hrtime.bigint() - start) / count;
    const grown = (process.memoryUsage().heapUsed - heap) / count;
    if (sample < 0) continue; // warm-up
    times.push(ns);
    if (grown >= 0) bytes = Math.min(bytes, grown);
  }
  const nsPerOp = times.sort((a, b) => a - b)[SAMPLES >> 1]!;
  return {
    room: 'ingress',
    name,
    opsPerSec: Math.round(1e9 / nsPerOp),
    nsPerOp: Math.round(nsPerOp * 10) / 10,
    ...(Number.isFinite(bytes) ? { bytesPerOp: Math.round(bytes) } : {}),
  };
}

/** Runs the ingress's benchmarks, about two seconds. */
export function benchIngress(): Promise<BenchRow[]> {
  const { router, codec, print, directory, prints, pans, messages, drain } = scene();
  const mask = MESSAGES - 1;
  let found = 0;
  const rows = [
    row('fingerprint of a PAN', 20_000, (i) => print.compute(pans[i & mask]!, 0, 16)),
    row('the same with createHmac (yardstick)', 20_000, (i) => {
      createHmac('sha256', KEY)
        .update(pans[i & mask]!)
        .digest();
    }),
    row(`directory look-up among ${CARDS} cards`, 100_000, (i) => {
      const at = ((i * 48_271) % CARDS) * 3;
      if (directory.find(prints[at]!, prints[at + 1]!, prints[at + 2]!) >= 0) found++;
    }),
    row('decode an authorization', 20_000, (i) => {
      const message = messages[i & mask]!;
      codec.request.decode(message, 0, message.length);
    }),
    row(
      'route: decode, PAN, fingerprint, look-up, ring entry',
      8192,
      (i) => {
        const message = messages[i & mask]!;
        codec.request.decode(message, 0, message.length);
        router.route(codec.request);
        if (!router.send(message, 0, message.length, 0, 1, 0, i, 1, 2, false)) throw new Error('the ring is full');
      },
      drain,
    ),
    row('refusal 91 built from a decoded request', 20_000, () => {
      codec.refuse(91);
    }),
  ];
  if (found === 0) throw new Error('the directory found nothing');
  return Promise.resolve(rows);
}
