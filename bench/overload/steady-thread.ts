/** The traffic that must not suffer: an open loop at a fixed rate, in a thread of its own. Latency counts from the due time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Decoder } from '#src/iso8583/decoder.js';
import { dialect } from '#src/iso8583/dialects.js';
import { Link } from '../../loadtest/link.js';
import { Code, type SteadyRows, type SteadyTask, type Transport } from './case.js';
import { PurchaseFrames } from './purchase-frames.js';

/** What is not answered by then is lost, ms. */
const LAST_ANSWERS_MS = 2500;

const { tcp, ws, connections, rate, startMs, endMs } = workerData as SteadyTask;
const count = Math.floor(((endMs - startMs) * rate) / 1000);
const dueMs = Float64Array.from({ length: count }, (_, n) => startMs + (n * 1000) / rate);
const latencyMs = new Float64Array(count).fill(Number.NaN);
const code = new Uint8Array(count);
const decoder = new Decoder(dialect('iso87-bcd'));
let reconnects = 0;
const nowMs = (): number => performance.timeOrigin + performance.now();

function answered(bytes: Uint8Array, start: number, end: number): void {
  if (!decoder.decode(bytes, start, end) || decoder.mti !== 110) return;
  const number = Number(decoder.text(37));
  latencyMs[number] = nowMs() - dueMs[number]!;
  const response = decoder.digits(39);
  code[number] = response === 0 ? Code.approved : response === 91 ? Code.shed : Code.other;
}

function open(transport: Transport): { link: Link; frames: PurchaseFrames } {
  const [host, port] = (transport === 'tcp' ? tcp : ws).split(':') as [string, string];
  const target = { transport, host, port: Number(port), path: '/iso8583', text: '' };
  const options = {
    target,
    framing: 'len2',
    headerBytes: 0,
    dialect: 'iso87-bcd',
    caFile: undefined,
    insecure: false,
  } as const;
  const nothing = (): void => undefined;
  const events = {
    onFrame: answered,
    onChunk: nothing,
    onBatch: nothing,
    onLost: nothing,
    onReconnected: () => void reconnects++,
  };
  return { link: new Link(options, events), frames: new PurchaseFrames(transport, 'STEADY01') };
}

const peers = Array.from({ length: connections }, (_, n) => open(n % 2 === 0 ? 'tcp' : 'ws'));
for (const { link } of peers) await link.open();
await sleep(Math.max(0, startMs - nowMs()));
for (let next = 0; next < count; ) {
  const now = nowMs();
  for (; next < count && dueMs[next]! <= now; next++) {
    const { link, frames } = peers[next % peers.length]!;
    // What cannot be sent stays without an answer.
    if (!link.writable) continue;
    const frame = frames.frame(next);
    link.room(frame.length);
    link.out.set(frame, link.at);
    link.at += frame.length;
  }
  for (const { link } of peers) link.flush();
  await sleep(1);
}
const until = nowMs() + LAST_ANSWERS_MS;
while (nowMs() < until && latencyMs.some((one) => Number.isNaN(one))) await sleep(20);
for (const { link } of peers) link.end();
const rows: SteadyRows = { dueMs, latencyMs, code, reconnects };
parentPort!.postMessage(rows);
