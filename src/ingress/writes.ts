/**
 * The write side of a batch: connections whose outbox waits for their socket, and the times of the replies in them. One
 * flush hands every outbox over, then notes how long each reply took: one look at the clock for all of them.
 */
import { type Connection, errorText } from './connection.js';
import type { Runtime } from './runtime.js';
import { SlowTraces } from './slow-traces.js';
import type { IngressInstruments } from './stats.js';

/** Replies whose times are noted before a flush is forced. */
const BATCH_REPLIES_MAX = 4096;

export class Writes {
  readonly slow = new SlowTraces();
  readonly #instruments: IngressInstruments;
  readonly #runtime: Runtime;
  readonly #dirty: Connection[] = [];
  /** Times of the replies since the last flush. */
  readonly #receivedUs = new Float64Array(BATCH_REPLIES_MAX);
  readonly #releasedUs = new Float64Array(BATCH_REPLIES_MAX);
  #batch = 0;

  constructor(instruments: IngressInstruments, runtime: Runtime) {
    this.#instruments = instruments;
    this.#runtime = runtime;
  }

  /** The connection's outbox got its first reply since the last flush. */
  dirty(connection: Connection): void {
    this.#dirty.push(connection);
  }

  /** Notes when the request of a queued reply was received and when its shard released the reply (us; 0 = not known). */
  note(receivedUs: number, releasedUs: number): void {
    this.#receivedUs[this.#batch] = receivedUs;
    this.#releasedUs[this.#batch] = releasedUs;
    if (++this.#batch === BATCH_REPLIES_MAX) this.flush();
  }

  /** Hands every outbox to its socket, then notes how long the replies took. */
  flush(): void {
    const dirty = this.#dirty;
    for (let i = 0; i < dirty.length; i++) this.#hand(dirty[i]!);
    dirty.length = 0;
    if (this.#batch === 0) return;
    const now = this.#runtime.monotonicUs();
    const { write, authorization } = this.#instruments;
    for (let i = 0; i < this.#batch; i++) {
      if (this.#releasedUs[i]! > 0) write.record(now - this.#releasedUs[i]!);
      authorization.record(now - this.#receivedUs[i]!);
    }
    this.#batch = 0;
    if (this.slow.waiting) this.slow.finish(now);
  }

  /** One outbox. A socket that throws costs its connection; its replies count as sent, since part of them may have been. */
  #hand(connection: Connection): void {
    try {
      connection.flush();
    } catch (error) {
      connection.link.fail(connection, 'internal', errorText(error));
    }
  }
}
