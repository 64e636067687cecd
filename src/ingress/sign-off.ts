/**
 * Signing links off at a stop: a request of our own, 0800 with DE70 002, to every peer that is signed on, so that it routes
 * elsewhere before its connection ends. The 0810 that answers it is counted and ends the wait for that peer; it gets no
 * answer itself. A peer that does not answer, or takes no bytes, holds nothing up: the caller waits for a bounded time.
 */
import type { Decoder } from '../iso8583/decoder.js';
import { STAN_MAX } from '../limits.js';
import type { Connection } from './connection.js';
import type { Link } from './link.js';
import { type Codecs, SIGN_OFF } from './local-reply.js';
import type { Counters } from './stats.js';

const STAN = 11;
const NETWORK_CODE = 70;
const NETWORK_RESPONSE = 810;

export class SignOffs {
  readonly #codecs: Codecs;
  readonly #counters: Counters;
  /** Peers whose 0810 has not come yet, with the STAN it must carry. */
  readonly #waiting = new Map<Connection, number>();
  #stan = 0;

  constructor(codecs: Codecs, counters: Counters) {
    this.#codecs = codecs;
    this.#counters = counters;
  }

  /** Queues the sign-off of every peer that its link's profile names; `nowMs` is the wall clock. The caller flushes. */
  begin(links: readonly Link[], nowMs: number): void {
    for (const link of links) {
      for (const connection of [...link.connections]) {
        if (takesSignOff(connection)) this.#send(connection, nowMs);
      }
    }
  }

  /** True when this message is the answer to the sign-off of its connection. */
  takes(connection: Connection, message: Decoder): boolean {
    const stan = this.#waiting.get(connection);
    if (stan === undefined || message.mti !== NETWORK_RESPONSE || message.digits(STAN) !== stan) return false;
    // An 0810 may leave DE70 out.
    if (message.has(NETWORK_CODE) && message.digits(NETWORK_CODE) !== SIGN_OFF) return false;
    this.#waiting.delete(connection);
    this.#counters.signOffsAnswered++;
    return true;
  }

  /** Peers that are still there and have not answered. */
  get open(): number {
    for (const connection of this.#waiting.keys()) if (!connection.open) this.#waiting.delete(connection);
    return this.#waiting.size;
  }

  #send(connection: Connection, nowMs: number): void {
    this.#stan = (this.#stan % STAN_MAX) + 1;
    const codec = this.#codecs.of(connection.dialect);
    const length = codec.signOff(this.#stan, nowMs);
    connection.signedOn = false;
    if (!connection.queue(connection.signOnHeader, codec.bytes, 0, length)) return;
    this.#counters.signOffs++;
    this.#waiting.set(connection, this.#stan);
  }
}

/** A peer that is signed on and, unless its link says otherwise, signed on by a message: then it knows the function. */
function takesSignOff(connection: Connection): boolean {
  const { signOff } = connection.link.profile;
  if (signOff === 'never' || !connection.signedOn || connection.stalledSinceUs !== 0) return false;
  return signOff === 'always' || connection.saidSignOn;
}
