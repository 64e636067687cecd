/**
 * A listener at work: its profile, its connections and its in-flight count. Transports call it; it calls the ingress.
 */
import { LINK_LOG_LINES_PER_SECOND } from '../limits.js';
import { maskDigits } from '../pan-mask.js';
import { ServerTls } from '../server-tls.js';
import { type Connection, errorText } from './connection.js';
import { LinkMac, type MacPort } from './link-mac.js';
import { allowList, type LinkProfile } from './links.js';
import { RateCap, type RateShare } from './rate-cap.js';
import type { Runtime } from './runtime.js';
import type { Counters, ErrorKind } from './stats.js';

/** The part of pino's interface that is used here. Objects carry no message content. */
export interface IngressLog {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** What a transport hands to the ingress. */
export interface MessageSink {
  /** One message: `bytes[start, end)` and the header before it are valid during the call only. */
  message(
    connection: Connection,
    bytes: Uint8Array,
    start: number,
    end: number,
    header: Uint8Array | undefined,
    receivedUs: number,
  ): void;
  /** All messages of one read were handed over: wake the shards, flush what was answered here. */
  endOfRead(): void;
  /** The connection's outbox got its first reply since the last flush. */
  dirty(connection: Connection): void;
}

/** A listening transport. */
export interface Listener {
  /** `host:port` it listens on. @throws HoldfastError `port_in_use`. */
  listen(): Promise<string>;
  /** Accepts nobody any more; open connections live on. */
  stopAccepting(): void;
  /** Resolves when the transport holds no handle any more. Every connection was closed before. */
  close(): Promise<void>;
}

/** Sockets of all listeners together. Beyond `max` none is accepted: files of the journal need descriptors too. */
export class SocketBudget {
  readonly max: number;
  open = 0;

  constructor(max: number) {
    this.max = max;
  }
}

export class Link {
  readonly profile: LinkProfile;
  readonly sockets: SocketBudget;
  readonly sink: MessageSink;
  readonly counters: Counters;
  readonly runtime: Runtime;
  /** Its certificate; undefined: plain. */
  readonly tls: ServerTls | undefined;
  /** Authenticates its messages; undefined: nothing does. */
  readonly mac: LinkMac | undefined;
  readonly connections = new Set<Connection>();
  /** Business day of all its connections, days since 1970; 0 before its first cutover: then the UTC day counts. */
  businessDay = 0;
  /** Requests of this link that wait for a shard, and those of them that are urgent (admission.ts). */
  inFlight = 0;
  urgentInFlight = 0;
  /** Cap on its requests per second, and what its new requests and others are entitled to of that and of the cap of all links. */
  readonly cap: RateCap;
  readonly ownShare: RateShare;
  share: RateShare | undefined = undefined;
  readonly #log: IngressLog;
  readonly #allows: (address: string) => boolean;
  /** Second of the last log line, lines in it, and how many were left out. */
  #second = 0;
  #lines = 0;
  #leftOut = 0;

  constructor(
    profile: LinkProfile,
    sink: MessageSink,
    counters: Counters,
    sockets: SocketBudget,
    log: IngressLog,
    runtime: Runtime,
    macs?: MacPort,
  ) {
    this.profile = profile;
    this.sockets = sockets;
    this.sink = sink;
    this.counters = counters;
    this.runtime = runtime;
    this.tls = profile.tls === undefined ? undefined : new ServerTls(profile.name, profile.tls);
    this.mac =
      profile.mac === undefined
        ? undefined
        : new LinkMac(profile.name, profile.mac, macs, () => runtime.monotonicUs() / 1000);
    this.#log = log;
    this.#allows = allowList(profile);
    this.cap = new RateCap(profile.rateMax);
    this.ownShare = this.cap.share(1);
  }

  /** Undefined when a peer at this address may connect now; else why not (counted and logged). */
  refuses(remote: string): 'not_allowed' | 'too_many_connections' | undefined {
    if (!this.#allows(remote)) {
      this.report('not_allowed', remote, 'the address is not on the allow list of the link');
      return 'not_allowed';
    }
    const { connectionsMax } = this.profile;
    if (this.connections.size < connectionsMax) return undefined;
    this.report('too_many_connections', remote, `${connectionsMax} are open, the most that connections-max allows`);
    return 'too_many_connections';
  }

  /** True when the process has no socket left for a peer (counted and logged). */
  outOfSockets(remote: string): boolean {
    const { open, max } = this.sockets;
    if (open < max) return false;
    this.report('too_many_connections', remote, `${open} sockets are open, the most that the open-files limit allows`);
    return true;
  }

  opened(connection: Connection): void {
    this.connections.add(connection);
    this.counters.accepted[this.profile.transport]++;
  }

  /** The transport's last word on a connection; may be called more than once. */
  closed(connection: Connection): void {
    connection.open = false;
    this.connections.delete(connection);
  }

  /** Closes one connection for a reason of its peer's making: one line, one count. */
  fail(connection: Connection, kind: ErrorKind, detail: string): void {
    if (!connection.open) return;
    connection.open = false;
    this.report(kind, connection.remote, detail);
    try {
      connection.close(kind);
    } catch (error) {
      this.report('internal', connection.remote, errorText(error));
    }
  }

  /**
   * One count and one log line (in a flood the first LINK_LOG_LINES_PER_SECOND of each second, then how many were left out).
   * `detail` never contains bytes of a message.
   */
  report(kind: ErrorKind, remote: string, detail: string): void {
    this.counters.errors[kind]++;
    if (!this.#mayLog()) return;
    const fields = { link: this.profile.name, remote, kind, detail: maskDigits(detail) };
    if (kind === 'idle') this.#log.info(fields, 'connection closed');
    else if (kind === 'internal') this.#log.error(fields, 'connection closed by a defect of the ingress');
    else this.#log.warn(fields, 'connection closed');
  }

  /**
   * A message that is answered 30 here, where no record can name the field: one log line, in a flood as few as those of `report`.
   * @param field number of the first field that is missing or malformed; 1 is the bitmap
   */
  tellFormatError({ remote }: Connection, mti: number, field: number): void {
    if (!this.#mayLog()) return;
    const fields = { link: this.profile.name, remote, mti: String(mti).padStart(4, '0'), field: `DE${field}` };
    this.#log.warn(fields, 'a message was answered 30: a field is missing or malformed');
  }

  /** A message without the MAC that it should have: counted, and one log line, in a flood as few as those of `report`. */
  tellBadMac({ remote }: Connection, mti: number): void {
    this.counters.errors.mac++;
    if (!this.#mayLog()) return;
    const fields = { link: this.profile.name, remote, mti: String(mti).padStart(4, '0') };
    this.#log.warn(fields, 'a message was not taken: its MAC is missing or wrong');
  }

  /** A port that was closed for want of files is open again. */
  tellOpen(): void {
    if (this.#mayLog()) this.#log.info({ link: this.profile.name }, 'the port is open again');
  }

  #mayLog(): boolean {
    this.#countLines(this.runtime.monotonicUs());
    if (++this.#lines <= LINK_LOG_LINES_PER_SECOND) return true;
    this.#leftOut++;
    return false;
  }

  /** Begins a new second of the log; says how many lines of the last one were left out. */
  #countLines(nowUs: number): void {
    const second = Math.floor(nowUs / 1_000_000);
    if (second === this.#second) return;
    if (this.#leftOut > 0) {
      this.#log.warn({ link: this.profile.name, lines: this.#leftOut }, 'lines about peers left out');
    }
    this.#second = second;
    this.#lines = 0;
    this.#leftOut = 0;
  }

  /** Closes connections that are idle, send a frame too slowly, or take no replies. */
  tick(nowUs: number, writeStallMs: number): void {
    if (this.#leftOut > 0) this.#countLines(nowUs);
    for (const connection of this.connections) {
      try {
        this.#lookAt(connection, nowUs, writeStallMs);
      } catch (error) {
        this.fail(connection, 'internal', errorText(error));
      }
    }
  }

  #lookAt(connection: Connection, nowUs: number, writeStallMs: number): void {
    const { idleMs, frameMs } = this.profile;
    connection.tick(nowUs);
    if (connection.frameSinceUs !== 0 && nowUs - connection.frameSinceUs > frameMs * 1000) {
      this.fail(connection, 'slow_frame', `a frame is incomplete after ${frameMs} ms`);
    } else if (connection.stalledSinceUs !== 0 && nowUs - connection.stalledSinceUs > writeStallMs * 1000) {
      this.fail(connection, 'slow_reader', `no reply was taken for ${writeStallMs} ms`);
    } else if (nowUs - connection.lastReadUs > idleMs * 1000) {
      this.fail(connection, 'idle', `nothing came for ${idleMs} ms`);
    }
  }
}
