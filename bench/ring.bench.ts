/**
 * Ring hop between two real threads: what one message costs at depth, and what a single round trip takes when both sides
 * sleep. The client blocks like a shard does; the ingress wakes by its event loop and pays more per wake-up.
 */
import { Worker } from 'node:worker_threads';
import { createRing, RingConsumer, RingProducer } from '#src/ring/ring.js';
import { createWake, Sleeper, Waker } from '#src/ring/wake.js';
import type { BenchRow } from './row.js';

const PAYLOAD = new Uint8Array(180).fill(0x31);
const PIPELINED = 200_000;
const DEPTH = 256;
const ROUND_TRIPS = 5_000;

export async function benchRing(): Promise<BenchRow[]> {
  return [sameThread(), ...(await twoThreads())];
}

function sameThread(): BenchRow {
  const buffer = createRing(1 << 20);
  const producer = new RingProducer(buffer);
  const consumer = new RingConsumer(buffer);
  const rounds = 4_000;
  const run = (): void => {
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < DEPTH; i++) producer.push(1, 0, 0, i, 0, 0, 0, PAYLOAD);
      while (consumer.next()) consumer.consume();
      consumer.release();
    }
  };
  run();
  const start = performance.now();
  run();
  return row('push and consume 180 bytes, one thread', ((performance.now() - start) * 1e6) / (rounds * DEPTH));
}

/** ns of a round trip over two threads with DEPTH in flight. */
export async function pipelinedRing(): Promise<number> {
  return withEcho((client) => warmAndMeasure(client));
}

async function twoThreads(): Promise<BenchRow[]> {
  return withEcho((client) => {
    const perMessage = warmAndMeasure(client);
    const trips = client.roundTrips(ROUND_TRIPS);
    return [
      row(`round trip over two threads, ${DEPTH} in flight`, perMessage),
      row('round trip over two threads, one at a time, p50', trips.p50),
      row('round trip over two threads, one at a time, p99', trips.p99),
    ];
  });
}

function warmAndMeasure(client: EchoClient): number {
  client.pipelined(PIPELINED / 4, DEPTH);
  return client.pipelined(PIPELINED, DEPTH);
}

/** Runs `work` with a client of a thread that sends everything back. */
async function withEcho<T>(work: (client: EchoClient) => T): Promise<T> {
  const channel = {
    requests: createRing(1 << 20),
    replies: createRing(1 << 20),
    wake: createWake(),
    clientWake: createWake(),
  };
  const worker = new Worker(new URL('./ring-echo-thread.js', import.meta.url), { workerData: channel });
  await new Promise((resolve) => worker.once('online', resolve));
  const client = new EchoClient(channel);
  const result = work(client);
  client.stop();
  await new Promise((resolve) => worker.once('exit', resolve));
  return result;
}

class EchoClient {
  readonly #out: RingProducer;
  readonly #in: RingConsumer;
  readonly #waker: Waker;
  readonly #sleeper: Sleeper;

  constructor(channel: Record<'requests' | 'replies' | 'wake' | 'clientWake', SharedArrayBuffer>) {
    this.#out = new RingProducer(channel.requests);
    this.#in = new RingConsumer(channel.replies);
    this.#waker = new Waker(channel.wake);
    this.#sleeper = new Sleeper(channel.clientWake);
  }

  /** ns per message. */
  pipelined(count: number, depth: number): number {
    const start = performance.now();
    let sent = 0;
    let received = 0;
    while (received < count) {
      // Refilled by halves, as sockets deliver: one by one, both sides would wake each other for every single message.
      if (sent - received <= depth / 2) {
        while (sent < count && sent - received < depth) this.#out.push(1, 0, 0, sent++, 0, 0, 0, PAYLOAD);
        this.#waker.signal();
      }
      const got = this.#drain();
      received += got;
      if (got === 0) this.#wait();
    }
    return ((performance.now() - start) * 1e6) / count;
  }

  roundTrips(count: number): { p50: number; p99: number } {
    const times = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const start = performance.now();
      this.#out.push(1, 0, 0, i, 0, 0, 0, PAYLOAD);
      this.#waker.signal();
      while (this.#drain() === 0) this.#wait();
      times[i] = (performance.now() - start) * 1e6;
    }
    times.sort();
    return { p50: times[Math.floor(count / 2)]!, p99: times[Math.floor(count * 0.99)]! };
  }

  stop(): void {
    this.#out.push(9, 0, 0, 0, 0, 0, 0, PAYLOAD);
    this.#waker.signal();
  }

  #drain(): number {
    let got = 0;
    while (this.#in.next()) {
      this.#in.consume();
      got++;
    }
    this.#in.release();
    return got;
  }

  #wait(): void {
    this.#sleeper.block(1000, () => this.#in.pendingBytes > 0);
  }
}

function row(name: string, nsPerOp: number): BenchRow {
  return { room: 'ring', name, nsPerOp, opsPerSec: 1e9 / nsPerOp };
}
