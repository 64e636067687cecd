/**
 * One peer. The transport-independent half: session state, counters, and the outbox that collects the replies of a batch so
 * that a batch costs one write per peer (TCP) or one corked burst (WebSocket).
 *
 *   queue() copies a reply into the outbox        flush() hands the outbox to the socket: from then on it counts as sent
 *
 * A queued reply is always flushed before control goes back to the event loop, so nothing can happen to the connection
 * between the two: `queue` returning true is the moment an approval becomes delivered.
 */
import type { Dialect } from '../iso8583/dialects.js';
import { SOCKET_UNSENT_BYTES_MAX } from '../limits.js';
import type { Link } from './link.js';
import type { ErrorKind } from './stats.js';

const OUTBOX_KEEP_BYTES = 16_384;
const NOTHING = new Uint8Array(0);

export abstract class Connection {
  readonly link: Link;
  readonly dialect: Dialect;
  /** Address of the peer, for logs and the allow-list. */
  readonly remote: string;
  /** False as soon as the peer is gone or given up: nothing is queued any more. */
  open = true;
  /** Financial traffic is served. */
  signedOn: boolean;
  /** It signed on by a message (0800, DE70 001), and the frame header of that message, where its link has one. */
  saidSignOn = false;
  signOnHeader: Uint8Array | undefined = undefined;
  /** Its outbox waits for a flush. */
  dirty = false;
  /** When the last byte came (us), and since when a frame is incomplete (us, 0 = none is). */
  lastReadUs: number;
  frameSinceUs = 0;
  /** Since when its unsent bytes have not drained (us, 0 = they have); begins anew whenever the peer takes some. */
  stalledSinceUs = 0;
  /** Its requests that wait for a shard, and those of them that are urgent (admission.ts). */
  inFlight = 0;
  urgentInFlight = 0;
  /** `takenBytes` at the last tick. */
  #takenBytes = 0;

  protected outbox: Uint8Array = NOTHING;
  protected outboxBytes = 0;

  constructor(link: Link, dialect: Dialect, remote: string, nowUs: number) {
    this.link = link;
    this.dialect = dialect;
    this.remote = remote;
    this.signedOn = !link.profile.signOnRequired;
    this.lastReadUs = nowUs;
  }

  /**
   * Queues one reply (an ISO 8583 message without framing). False when the connection is gone, or when the peer reads too
   * slowly, and then it is closed: no byte of this reply was or will be sent.
   */
  queue(header: Uint8Array | undefined, bytes: Uint8Array, at: number, length: number): boolean {
    if (!this.open || !this.writable) return false;
    if (this.unsentBytes + this.outboxBytes + length > SOCKET_UNSENT_BYTES_MAX) {
      this.link.fail(this, 'slow_reader', `${this.unsentBytes} bytes of replies are not taken`);
      return false;
    }
    try {
      const { mac } = this.link;
      if (mac === undefined) this.append(header, bytes, at, length);
      else this.append(header, mac.bytes, 0, mac.seal(this.dialect, bytes, at, length));
    } catch (error) {
      // A message that cannot be framed must not cost more than its connection.
      this.link.fail(this, 'internal', errorText(error));
      return false;
    }
    return true;
  }

  /** One of its requests begins to wait for a shard. */
  began(urgent: boolean): void {
    this.inFlight++;
    this.link.inFlight++;
    if (!urgent) return;
    this.urgentInFlight++;
    this.link.urgentInFlight++;
  }

  /** One of them waits no more. */
  ended(urgent: boolean): void {
    this.inFlight--;
    this.link.inFlight--;
    if (!urgent) return;
    this.urgentInFlight--;
    this.link.urgentInFlight--;
  }

  /** Answers a keep-alive in kind. */
  abstract keepAlive(): void;

  /** Hands the outbox to the socket. */
  abstract flush(): void;

  /**
   * Closes at once; replies that are already with the socket are still sent if the peer takes them. `closed` of the link
   * follows.
   */
  abstract close(kind: ErrorKind | 'stop'): void;

  /**
   * The socket still takes bytes. False already between a failed write (or the peer's close frame) and the event that ends
   * the connection: what is written then is lost without a word.
   */
  protected abstract get writable(): boolean;

  /** Bytes handed to the socket that the system has not taken yet. */
  abstract get unsentBytes(): number;

  /** Bytes that the system has taken of everything handed to the socket; only its growth is looked at. */
  protected abstract get takenBytes(): number;

  /** Housekeeping, a few times per second. */
  tick(nowUs: number): void {
    if (this.stalledSinceUs === 0) return;
    const taken = this.takenBytes;
    if (taken > this.#takenBytes) this.stalledSinceUs = nowUs; // slow, but moving
    this.#takenBytes = taken;
  }

  protected abstract append(header: Uint8Array | undefined, bytes: Uint8Array, at: number, length: number): void;

  /** Makes room for `more` bytes behind the outbox's content. */
  protected reserve(more: number): void {
    const needed = this.outboxBytes + more;
    if (needed <= this.outbox.length) return;
    const grown = new Uint8Array(Math.max(needed, this.outbox.length * 2, 1024));
    grown.set(this.outbox.subarray(0, this.outboxBytes));
    this.outbox = grown;
  }

  /** After a flush: keeps a small buffer for the next batch. */
  protected cleared(): void {
    this.outboxBytes = 0;
    if (this.outbox.length > OUTBOX_KEEP_BYTES) this.outbox = NOTHING;
  }
}

/** Stack of a defect for the log. */
export function errorText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
