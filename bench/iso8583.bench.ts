/**
 * Codec: decode and encode of single messages on one thread, without sockets and rings. The messages differ in content
 * and place, so that neither the branch predictor nor the cache sees the same bytes every time. A sample is a batch of
 * 1 000 messages; the npm codec `iso_8583` runs beside it on the same content (its ASCII form) as a yardstick.
 */
import { createRequire } from 'node:module';
import { Bench } from 'tinybench';
import { Decoder } from '#src/iso8583/decoder.js';
import { type DialectName, dialect } from '#src/iso8583/dialects.js';
import { Encoder } from '#src/iso8583/encoder.js';
import { defaultFraming, FrameReader, frameOverhead, writeFrame } from '#src/iso8583/framing.js';
import { type Fields, pack } from '#src/iso8583/message.js';
import type { BenchRow } from './row.js';

const BATCH = 1000;
const MESSAGES = 64;

/** Message number `i`: 20 fields as a shop sends them. */
function purchase(i: number): Fields {
  const number = String(180_000 + i * 7);
  return {
    0: '0100',
    2: `99999900000${String(i).padStart(5, '0')}`,
    3: '000000',
    4: String(1000 + i * 37).padStart(12, '0'),
    7: '1122140300',
    11: number,
    12: '140300',
    13: '1122',
    14: '3012',
    18: '5411',
    19: '076',
    22: '051',
    25: '00',
    32: '12345',
    37: `326514${number}`,
    41: `TERM${String(i).padStart(4, '0')}`,
    42: 'ACCEPTOR0000001',
    43: 'CORNER SHOP            SAO PAULO     BRA',
    48: '2001E61011',
    49: '986',
    63: `326514${number}001`,
  };
}

/** Encoded messages one behind the other in one buffer, as in a ring. */
class Messages {
  readonly buf: Uint8Array;
  readonly start = new Uint32Array(MESSAGES);
  readonly end = new Uint32Array(MESSAGES);

  constructor(name: DialectName) {
    const list = Array.from({ length: MESSAGES }, (_, i) => pack(name, purchase(i)));
    this.buf = new Uint8Array(new SharedArrayBuffer(MESSAGES * 512));
    for (const [i, bytes] of list.entries()) {
      this.start[i] = i * 512;
      this.end[i] = i * 512 + bytes.length;
      this.buf.set(bytes, i * 512);
    }
  }
}

const APPROVED = Uint8Array.of(0x30, 0x30);

function reply(decoder: Decoder, encoder: Encoder, target: Uint8Array, at: number): number {
  encoder.begin(target, at, 110, false);
  encoder.echoBelow(decoder, 38);
  encoder.putDigits(38, 123_456);
  encoder.putText(39, APPROVED, 0, 2);
  encoder.echoRest(decoder);
  return encoder.finish();
}

/** What a decision reads from a purchase. The sum keeps the compiler from dropping it. */
function normalize(decoder: Decoder, text: Uint8Array): number {
  let sum = decoder.mti;
  for (let field = 3; field <= 25; field++) if (decoder.has(field)) sum += decoder.digits(field);
  sum += decoder.digits(49) + decoder.digits(32);
  let at = decoder.copyText(2, text, 0);
  for (let field = 37; field <= 43; field++) at += decoder.copyText(field, text, at);
  return sum + at;
}

/** Takes every result, so that the compiler cannot drop the work. An array: a plain number would be boxed each time. */
const sink = new Float64Array(1);

/** Operations by name: each runs one message, the i-th of the batch. */
function operations(): Record<string, (i: number) => void> {
  const table: Record<string, (i: number) => void> = {};
  for (const name of ['iso87-bcd', 'iso87-ascii', 'iso87-ascii-bin'] as const) {
    const messages = new Messages(name);
    const decoder = new Decoder(dialect(name));
    const encoder = new Encoder(dialect(name));
    const target = new Uint8Array(new SharedArrayBuffer(4096));
    const text = new Uint8Array(512);
    const decode = (i: number): void => {
      const n = i % MESSAGES;
      if (!decoder.decode(messages.buf, messages.start[n]!, messages.end[n]!)) throw new Error(decoder.errorText());
    };
    decode(0);
    table[`decode 0100, 20 fields, ${name}`] = decode;
    table[`encode 0110 by echo, ${name}`] = (i) => {
      sink[0]! += reply(decoder, encoder, target, i & 63);
    };
    table[`decode + normalize + encode, ${name}`] = (i) => {
      decode(i);
      sink[0]! += normalize(decoder, text);
      sink[0]! += reply(decoder, encoder, target, i & 63);
    };
  }
  table['frame reader, len2, 16 frames per chunk'] = framesPerChunk();
  return table;
}

function framesPerChunk(): (i: number) => void {
  const overhead = frameOverhead(defaultFraming);
  const frames = Array.from({ length: 16 }, (_, i) => {
    const body = pack('iso87-bcd', purchase(i));
    const frame = new Uint8Array(overhead + body.length);
    frame.set(body, writeFrame(defaultFraming, frame, 0, body.length));
    return frame;
  });
  const chunk = new Uint8Array(Buffer.concat(frames));
  const reader = new FrameReader(defaultFraming);
  const onFrame = (_buf: Uint8Array, start: number, end: number): void => {
    sink[0]! += end - start;
  };
  return (i) => {
    if (i % 16 === 0) reader.push(chunk, onFrame);
  };
}

interface Peer {
  getBufferMessage(): Buffer;
  getIsoJSON(bytes: Buffer): Record<string, string>;
}

function peerOperations(): Record<string, (i: number) => void> {
  const PeerMessage = createRequire(import.meta.url)('iso_8583') as new (fields?: Fields) => Peer;
  const fields = Array.from({ length: MESSAGES }, (_, i) => purchase(i));
  const wires = fields.map((list) => new PeerMessage(list).getBufferMessage());
  return {
    'npm iso_8583 getIsoJSON': (i) => {
      sink[0]! += Object.keys(new PeerMessage().getIsoJSON(wires[i % MESSAGES]!)).length;
    },
    'npm iso_8583 getBufferMessage': (i) => {
      sink[0]! += new PeerMessage(fields[i % MESSAGES]!).getBufferMessage().length;
    },
  };
}

/** Bytes left to the collector per operation: the median over blocks in which no collection got in between. */
function bytesPerOp(operation: (i: number) => void, count: number): number {
  const perBlock: number[] = [];
  for (let block = 0; block < 10; block++) {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < count / 10; i++) operation(i);
    const grown = process.memoryUsage().heapUsed - before;
    if (grown >= 0) perBlock.push(grown / (count / 10));
  }
  perBlock.sort((a, b) => a - b);
  return perBlock[perBlock.length >> 1] ?? Number.NaN;
}

async function measure(
  room: string,
  table: Record<string, (i: number) => void>,
  batch: number,
  counted: number,
): Promise<BenchRow[]> {
  const bench = new Bench({ time: 250, warmupTime: 100 });
  for (const [name, operation] of Object.entries(table)) {
    bench.add(name, () => {
      for (let i = 0; i < batch; i++) operation(i);
    });
  }
  await bench.run();
  const rows: BenchRow[] = [];
  for (const task of bench.tasks) {
    const result = task.result;
    if (result.state !== 'completed') throw new Error(`${task.name} did not complete: ${result.state}`);
    const nsPerOp = (result.latency.p50 * 1e6) / batch;
    const bytes = bytesPerOp(table[task.name]!, counted);
    rows.push({
      room,
      name: task.name,
      opsPerSec: Math.round(1e9 / nsPerOp),
      nsPerOp: Math.round(nsPerOp * 10) / 10,
      ...(Number.isNaN(bytes) ? {} : { bytesPerOp: Math.round(bytes * 100) / 100 }),
    });
  }
  return rows;
}

/** Runs the codec's benchmarks, about six seconds. The median batch counts. */
export async function benchIso8583(): Promise<BenchRow[]> {
  const rows = await measure('iso8583', operations(), BATCH, 100_000);
  rows.push(...(await measure('peer', peerOperations(), 20, 100)));
  if (!Number.isFinite(sink[0])) throw new Error('the operations computed nothing');
  return rows;
}
