/**
 * Asks the devices of card cryptography for the shard threads, which have no event loop. It runs in the main thread as a client of
 * theirs: takes questions from the rings, and writes each verdict into the ring of the shard that asked.
 */
import { pack, unpack } from 'msgpackr';
import type { RingClient } from '../ring/client.js';
import { ReplyKind, RequestKind } from '../ring/kinds.js';
import type { RingConsumer } from '../ring/ring.js';
import { type Hsm, type HsmRequest, type HsmVerdict, wipeRequest } from '../vault/hsm/port.js';

/** Between attempts to write verdicts into a ring that is full, ms. */
const RETRY_MS = 1;

interface Answer {
  readonly shard: number;
  readonly token: number;
  readonly bytes: Uint8Array;
}

export class DeviceDesk {
  readonly #client: RingClient;
  readonly #hsm: Hsm;
  readonly #monotonicUs: () => number;
  /** Verdicts for a ring that is full. */
  #waiting: Answer[] = [];
  #isSignalDue = false;
  #isClosed = false;

  constructor(client: RingClient, hsm: Hsm, monotonicUs: () => number) {
    this.#client = client;
    this.#hsm = hsm;
    this.#monotonicUs = monotonicUs;
  }

  /** Begins to take questions. */
  start(): void {
    this.#take();
  }

  /** Ends the connections. Only when the shard threads have ended: nothing waits then. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#hsm.close();
  }

  readonly #take = (): void => {
    if (this.#isClosed) return;
    do this.#client.drain(this.#ask);
    while (!this.#client.arm(this.#take));
  };

  readonly #ask = (entry: RingConsumer): void => {
    if (entry.kind !== ReplyKind.question) return;
    const { shard, token, payloadAt, payloadLength } = entry;
    const bytes = entry.bytes.slice(payloadAt, payloadAt + payloadLength);
    const request = unpack(bytes) as HsmRequest;
    entry.bytes.fill(0, payloadAt, payloadAt + payloadLength);
    const budgetMs = Math.max(1, (entry.b - this.#monotonicUs()) / 1000);
    void this.#hsm.submit(request, budgetMs).then((verdict) => {
      wipeRequest(request);
      bytes.fill(0);
      this.#answer(shard, token, verdict);
    });
  };

  #answer(shard: number, token: number, verdict: HsmVerdict): void {
    const answer = { shard, token, bytes: pack(verdict) };
    if (this.#waiting.length > 0 || !this.#write(answer)) this.#wait(answer);
    // Answers come in trains: the threads are woken once for what one turn of the event loop brought.
    if (this.#isSignalDue) return;
    this.#isSignalDue = true;
    setImmediate(() => {
      this.#isSignalDue = false;
      this.#client.signal();
    });
  }

  #write({ shard, token, bytes }: Answer): boolean {
    return this.#client.producer(shard).push(RequestKind.verdict, 0, shard, token, 0, 0, 0, bytes);
  }

  #wait(answer: Answer): void {
    this.#waiting.push(answer);
    if (this.#waiting.length === 1) setTimeout(() => this.#retry(), RETRY_MS);
  }

  #retry(): void {
    while (this.#waiting.length > 0 && this.#write(this.#waiting[0]!)) this.#waiting.shift();
    this.#client.signal();
    if (this.#waiting.length > 0 && !this.#isClosed) setTimeout(() => this.#retry(), RETRY_MS);
  }
}
