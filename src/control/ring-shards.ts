/**
 * The shard port over rings: every call becomes one entry with a token of its own, every reply entry finds its caller by
 * that token. Many calls that arrive in one turn of the event loop share one wake-up of the shard threads.
 *
 * A full ring makes the caller wait (the control plane is never in a hurry), and only after a while refuse: then nothing
 * was handed over. A call that was handed over and not answered in time has an unknown outcome, and says so.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Packr } from 'msgpackr';
import { monotonicUs } from '../clock.js';
import type { Command, CommandResult } from '../domain/commands.js';
import type { ImportRows } from '../domain/party-commands.js';
import type { Read, ReadResult } from '../domain/reads.js';
import { COMMAND_BYTES_MAX, CONTROL_IN_FLIGHT_MAX, CONTROL_RING_WAIT_MS, CONTROL_TIMEOUT_MS } from '../limits.js';
import type { RingClient } from '../ring/client.js';
import { ReplyKind, RequestKind } from '../ring/kinds.js';
import type { RingConsumer } from '../ring/ring.js';
import { ShardError, type ShardErrorKind, type ShardPort, type WireReply } from './ports.js';

interface Waiting {
  readonly shard: number;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: ShardError) => void;
  readonly deadlineUs: number;
  /** What to say when the time is over: reads and simulated messages had no effect that anybody waits for. */
  readonly onTimeout: ShardErrorKind;
}

interface Reply {
  readonly kind: number;
  readonly payload: Uint8Array;
  /** Field b of the entry: the journal sequence behind a wire reply. */
  readonly b: number;
}

export interface RingShardsOptions {
  timeoutMs?: number;
  ringWaitMs?: number;
  /** Deadline that a simulated message gets, ms. */
  deadlineMs: number;
  /** True while no new work is taken (the disk is nearly full); reads go on. */
  refuses?: () => boolean;
}

const SWEEP_MS = 250;
const RETRY_MS = 2;

export class RingShards implements ShardPort {
  readonly #client: RingClient;
  readonly #options: Required<RingShardsOptions>;
  readonly #packr = new Packr({ useRecords: false });
  readonly #waiting = new Map<number, Waiting>();
  readonly #sweep: NodeJS.Timeout;
  #token = 0;
  #signalling = false;
  #closed = false;

  constructor(client: RingClient, options: RingShardsOptions) {
    this.#client = client;
    const standard = { timeoutMs: CONTROL_TIMEOUT_MS, ringWaitMs: CONTROL_RING_WAIT_MS, refuses: () => false };
    this.#options = { ...standard, ...options };
    this.#sweep = setInterval(() => this.#expire(), SWEEP_MS);
    this.#sweep.unref();
    this.#pump();
  }

  get shards(): number {
    return this.#client.shards;
  }

  /** Calls that wait for an answer. */
  get inFlight(): number {
    return this.#waiting.size;
  }

  async command(shard: number, command: Command): Promise<CommandResult> {
    const payload = this.#packr.pack(command);
    if (payload.length > COMMAND_BYTES_MAX && command.op === 'import') return this.#halves(shard, command);
    const reply = await this.#call(shard, RequestKind.command, payload, 'timeout');
    return this.#packr.unpack(reply.payload) as CommandResult;
  }

  async read(shard: number, read: Read): Promise<ReadResult> {
    const reply = await this.#call(shard, RequestKind.read, this.#packr.pack(read), 'busy');
    return this.#packr.unpack(reply.payload) as ReadResult;
  }

  async wire(shard: number, header: Uint8Array, message: Uint8Array): Promise<WireReply> {
    const payload = Buffer.concat([header, message]);
    try {
      const reply = await this.#call(shard, RequestKind.wire, payload, 'timeout');
      if (reply.kind === ReplyKind.dropped) throw new ShardError('dropped', shard);
      return { message: reply.payload, sequence: reply.b };
    } finally {
      payload.fill(0); // it held a card number
    }
  }

  /** Fails what still waits. Call it when no request is being handled any more. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#sweep);
    // A write that was handed over may have happened: only what had no effect may say "stopped, nothing was done".
    for (const { shard, reject, onTimeout } of this.#waiting.values())
      reject(new ShardError(onTimeout === 'timeout' ? 'timeout' : 'stopped', shard));
    this.#waiting.clear();
  }

  /** An import that is too large for one entry goes in two, one after the other. */
  async #halves(shard: number, command: ImportRows): Promise<CommandResult> {
    const middle = command.rows.length >> 1;
    if (middle === 0) throw new RangeError(`one row of an import is larger than ${COMMAND_BYTES_MAX} bytes`);
    const first = await this.command(shard, { op: 'import', rows: command.rows.slice(0, middle) });
    if (!first.ok || !('imported' in first)) return first;
    const second = await this.command(shard, { op: 'import', rows: command.rows.slice(middle) });
    if (!second.ok || !('imported' in second)) return second;
    const refused = second.imported.refused.map(({ row, code }) => ({ row: row + middle, code }));
    return {
      ok: true,
      sequence: second.sequence,
      imported: {
        accounts: first.imported.accounts + second.imported.accounts,
        cards: first.imported.cards + second.imported.cards,
        refused: [...first.imported.refused, ...refused],
      },
    };
  }

  /** Puts the entry into the shard's ring, waiting for room for a bounded time, and then waits for its answer. */
  async #call(shard: number, kind: number, payload: Uint8Array, onTimeout: ShardErrorKind): Promise<Reply> {
    if (payload.length > COMMAND_BYTES_MAX) throw new RangeError(`a request of ${payload.length} bytes fits no ring`);
    if (kind !== RequestKind.read && this.#options.refuses()) throw new ShardError('refused', shard);
    const giveUpUs = monotonicUs() + this.#options.ringWaitMs * 1000;
    for (;;) {
      if (this.#closed) throw new ShardError('stopped', shard);
      const answer = this.#waiting.size < CONTROL_IN_FLIGHT_MAX && this.#offer(shard, kind, payload, onTimeout);
      if (answer !== false) return answer;
      // The ring may be full of what a sleeping thread has not been told about yet.
      this.#client.signal();
      if (monotonicUs() > giveUpUs) throw new ShardError('busy', shard);
      await sleep(RETRY_MS);
    }
  }

  /** Hands the entry over if there is room. Who waits is registered first: no answer can come before. */
  #offer(shard: number, kind: number, payload: Uint8Array, onTimeout: ShardErrorKind): Promise<Reply> | false {
    const token = this.#nextToken();
    const nowUs = monotonicUs();
    const answer = new Promise<Reply>((resolve, reject) => {
      this.#waiting.set(token, {
        ...{ shard, resolve, reject, onTimeout },
        deadlineUs: nowUs + this.#options.timeoutMs * 1000,
      });
    });
    const deadlineUs = nowUs + this.#options.deadlineMs * 1000;
    if (!this.#client.producer(shard).push(kind, 0, shard, token, 0, nowUs, deadlineUs, payload)) {
      this.#waiting.delete(token);
      return false;
    }
    this.#signalSoon();
    return answer;
  }

  #nextToken(): number {
    do {
      this.#token = (this.#token + 1) >>> 0;
    } while (this.#waiting.has(this.#token));
    return this.#token;
  }

  /** One wake-up for all entries of this turn of the event loop. */
  #signalSoon(): void {
    if (this.#signalling) return;
    this.#signalling = true;
    queueMicrotask(() => {
      this.#signalling = false;
      this.#client.signal();
    });
  }

  readonly #pump = (): void => {
    if (this.#closed) return;
    do this.#client.drain(this.#onReply);
    while (!this.#client.arm(this.#pump));
  };

  readonly #onReply = (entry: RingConsumer): void => {
    const waiting = this.#waiting.get(entry.token);
    // Nobody waits: the answer came after its time.
    if (waiting === undefined) return;
    this.#waiting.delete(entry.token);
    const { payloadAt, payloadLength, kind, b } = entry;
    waiting.resolve({ kind, payload: entry.bytes.slice(payloadAt, payloadAt + payloadLength), b });
  };

  #expire(): void {
    const nowUs = monotonicUs();
    for (const [token, { shard, deadlineUs, onTimeout, reject }] of this.#waiting) {
      if (deadlineUs > nowUs) continue;
      this.#waiting.delete(token);
      reject(new ShardError(onTimeout, shard));
    }
  }
}
