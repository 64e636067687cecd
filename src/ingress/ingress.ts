/**
 * The ingress: links in, rings out, on one event loop.
 *
 *   read -> decode -> network management answered here
 *                  -> admission (91 at once) -> route -> ring entry, token = slot of the in-flight table
 *   ring reply -> in-flight table -> outbox of its connection -> one write per connection and batch
 *
 * What may be answered with an approval: `ReplyKind.wire` is durable, so the only questions here are time and peer. Too late,
 * or peer gone, and the shard says it can be undone (flag 1): a `notDelivered` request goes back, and only when the roll-back
 * is durable the peer, if it is still there, gets 91. Once bytes were handed to the socket the approval counts as delivered
 * and nothing here takes it back. A reply that finds no entry any more is rolled back the same way: nobody saw it.
 *
 * Rest: under load each round of the loop begins with a rest of up to half a millisecond, as network cards moderate their
 * interrupts. Without it a round finds one or two messages, and the system calls around them cost more than the messages;
 * replies end the rest, so they lose nothing.
 *
 * Waking: the shards' replies wake this loop by Atomics.waitAsync (70-90 us). While replies keep coming it looks again on the
 * next turns of the loop (setImmediate) before it arms the wake-up, and every read from a socket looks too.
 */
import { monotonicUs } from '../clock.js';
import { type Dialect, dialectNames } from '../iso8583/dialects.js';
import { classOf, isReply, MessageClass, replyMti } from '../iso8583/mti.js';
import { IN_FLIGHT_MAX, IN_FLIGHT_RECLAIM_MS, SHARDS_MAX, WRITE_STALL_MS } from '../limits.js';
import { type ClientRings, RingClient } from '../ring/client.js';
import { ControlBlock, ShardState } from '../ring/control-block.js';
import { CardDirectory } from '../ring/directory.js';
import { ReplyKind, RequestKind } from '../ring/kinds.js';
import type { RingConsumer } from '../ring/ring.js';
import { PanFingerprinter } from '../vault/fingerprint.js';
import type { Connection } from './connection.js';
import { InFlightState, InFlightTable, NO_TOKEN } from './in-flight.js';
import { type IngressLog, Link, type Listener, type MessageSink } from './link.js';
import { checkLinks, type LinkProfile } from './links.js';
import { Answer, DialectCodec } from './local-reply.js';
import { Router, type ShardOfFingerprint } from './router.js';
import { Counters, createInstruments, type IngressInstruments, type IngressStats, type ShedCause } from './stats.js';
import { TcpListener } from './tcp.js';
import { createWsListener, type WsAdapterName, type WsAdapterSetting } from './ws.js';

const SWEEP_MS = 100;
/** Empty looks on the next turns of the loop before the wake-up is armed. Measured with commits of 1 ms: 0, 3 and 50 looks give
 * the same rate and latency within the noise, 50 cost half as much processor again at low load. */
const LOOKS_BEFORE_ARMING = 3;
/** Above this rate, messages per ms, the loop rests between its rounds: below it a round rarely finds two messages to share. */
const REST_FROM_PER_MS = 8;
/** The rate is taken anew this often, us. */
const RATE_WINDOW_US = 2000;
/** Longest rest, ms; replies end it. */
const REST_MS = 0.5;
/** Replies whose times are noted before a flush is forced. */
const BATCH_REPLIES_MAX = 4096;
const SIGN_ON = 1;
const SIGN_OFF = 2;
const ECHO_TEST = 301;
const NETWORK_CODE = 70;

export interface IngressOptions {
  readonly links: readonly LinkProfile[];
  readonly rings: ClientRings;
  /** The card directory (ring/directory.ts). */
  readonly directory: SharedArrayBuffer;
  /** The control block (ring/control-block.ts). */
  readonly control: SharedArrayBuffer;
  /** 32 secret bytes: `Keys.fingerprintKey.bytes`. */
  readonly fingerprintKey: Uint8Array;
  readonly log: IngressLog;
  readonly shardOfFingerprint: ShardOfFingerprint;
  /** `auto` (default) takes uWebSockets.js when its binary loads here, else ws. */
  readonly wsAdapter?: WsAdapterSetting;
  /** For tests: times in ms and sizes that production takes from limits.ts. */
  readonly tuning?: { readonly writeStallMs?: number; readonly reclaimMs?: number; readonly inFlight?: number };
}

export interface IngressAddresses {
  /** `host:port` of the first link of each transport, and of every link by name. */
  readonly tcp?: string;
  readonly ws?: string;
  readonly links: Readonly<Record<string, string>>;
  /** The WebSocket adapter in use; undefined without a WebSocket link. */
  readonly wsAdapter?: WsAdapterName;
}

/** One number per (shard, sequence): sequences stay below 2^45. */
function undoingKey(shard: number, sequence: number): number {
  return sequence * SHARDS_MAX + shard;
}

interface RollBack {
  readonly shard: number;
  readonly token: number;
  readonly sequence: number;
}

export class Ingress implements MessageSink {
  readonly instruments: IngressInstruments = createInstruments();
  readonly #options: IngressOptions;
  readonly #rings: RingClient;
  readonly #control: ControlBlock;
  readonly #router: Router;
  readonly #table: InFlightTable;
  readonly #counters = new Counters();
  readonly #links: Link[];
  readonly #listeners: Listener[] = [];
  readonly #codecs: (DialectCodec | undefined)[] = dialectNames.map(() => undefined);
  readonly #dirty: Connection[] = [];
  /** Late approvals whose roll-back is under way, by token: the reply, to answer 91 from. */
  readonly #kept = new Map<number, Uint8Array>();
  /** Authorizations whose roll-back has begun and is not durable yet, by `undoingKey`. */
  readonly #undoing = new Set<number>();
  /** Roll-backs that found the ring full or their shard out of service. */
  #waitingRollBacks: RollBack[] = [];
  /** Times of the replies since the last flush. */
  readonly #receivedUs = new Float64Array(BATCH_REPLIES_MAX);
  readonly #releasedUs = new Float64Array(BATCH_REPLIES_MAX);
  #batch = 0;
  #looks = 0;
  #scheduled = false;
  /** Messages per ms over the last rate window. */
  #ratePerMs = 0;
  #rateSinceUs = 0;
  #rateSinceMessages = 0;
  #stopping = false;
  #stopped = false;
  #sweep: NodeJS.Timeout | undefined;

  /** @throws HoldfastError `config_invalid` for contradictory link profiles. */
  constructor(options: IngressOptions) {
    checkLinks(options.links);
    this.#options = options;
    this.#rings = new RingClient(options.rings);
    this.#control = new ControlBlock(options.control);
    this.#router = new Router(
      this.#rings,
      new CardDirectory(options.directory),
      new PanFingerprinter(options.fingerprintKey),
      options.shardOfFingerprint,
    );
    const headerBytes = Math.max(0, ...options.links.map((link) => link.headerBytes));
    this.#table = new InFlightTable(options.tuning?.inFlight ?? IN_FLIGHT_MAX, headerBytes);
    this.#links = options.links.map((profile) => new Link(profile, this, this.#counters, options.log));
  }

  /**
   * Listens on every link; when one cannot, none does.
   * @throws HoldfastError `port_in_use` naming address and setting, `config_invalid` for an unavailable adapter.
   */
  async start(): Promise<IngressAddresses> {
    const addresses: { tcp?: string; ws?: string; links: Record<string, string>; wsAdapter?: WsAdapterName } = {
      links: {},
    };
    try {
      for (const link of this.#links) {
        const { transport, name } = link.profile;
        let listener: Listener;
        if (transport === 'tcp') listener = new TcpListener(link);
        else {
          const ws = await createWsListener(link, this.#options.wsAdapter ?? 'auto');
          addresses.wsAdapter = ws.adapter;
          listener = ws.listener;
        }
        this.#listeners.push(listener);
        const address = await listener.listen();
        addresses.links[name] = address;
        addresses[transport] ??= address;
      }
    } catch (error) {
      for (const listener of this.#listeners) await listener.close();
      throw error;
    }
    this.#sweep = setInterval(() => this.#onSweep(), SWEEP_MS);
    this.#sweep.unref();
    this.#schedule();
    return addresses;
  }

  /**
   * Stops accepting, answers new requests 91, waits up to `graceMs` for what is in flight, then closes every connection.
   * Must have resolved before the process ends.
   */
  async stop(graceMs: number): Promise<void> {
    if (this.#stopped) return;
    this.#stopping = true;
    for (const listener of this.#listeners) listener.stopAccepting();
    const until = monotonicUs() + graceMs * 1000;
    while ((this.#table.used > 0 || this.#waitingRollBacks.length > 0) && monotonicUs() < until) await pause(2);
    if (this.#table.used > 0) {
      this.#options.log.warn({ inFlight: this.#table.used }, 'stopped with requests in flight: they stay unanswered');
    }
    this.#flush();
    for (const link of this.#links) for (const connection of [...link.connections]) connection.close('stop');
    this.#stopped = true;
    clearInterval(this.#sweep);
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  stats(): IngressStats {
    const counters = this.#counters;
    const connections = { tcp: { signed_on: 0, signed_off: 0 }, ws: { signed_on: 0, signed_off: 0 } };
    for (const link of this.#links) {
      const states = connections[link.profile.transport];
      for (const connection of link.connections) states[connection.signedOn ? 'signed_on' : 'signed_off']++;
    }
    return {
      connections,
      accepted: { ...counters.accepted },
      messages: counters.messages,
      replies: counters.replies,
      network: counters.network,
      keepAlives: counters.keepAlives,
      inFlight: this.#table.used,
      timeouts: counters.timeouts,
      notDelivered: counters.notDelivered,
      rolledBack: counters.rolledBack,
      shed: { ...counters.shed },
      errors: { ...counters.errors },
    };
  }

  // ---- requests (called by the transports) ----

  message(
    connection: Connection,
    bytes: Uint8Array,
    start: number,
    end: number,
    header: Uint8Array | undefined,
    receivedUs: number,
  ): void {
    if (this.#stopped) return;
    const counters = this.#counters;
    counters.messages++;
    const codec = this.#codecOf(connection.dialect);
    const wellFormed = codec.request.decode(bytes, start, end);
    const { mti } = codec.request;
    if (classOf(mti) < 0) {
      if (!wellFormed) connection.link.fail(connection, 'not_iso8583', codec.request.errorText());
      else if (isResponseOfAnyVersion(mti)) counters.errors.unmatched_request++;
      else this.#refuse(connection, header, codec, Answer.invalidTransaction);
      return;
    }
    if (isReply(mti) || replyMti(mti) < 0) {
      counters.errors.unmatched_request++;
      return;
    }
    if (classOf(mti) === MessageClass.networkManagement) {
      this.#network(connection, header, codec, wellFormed);
      return;
    }
    const cause = this.#admit(connection) ?? this.#dispatch(connection, codec, bytes, start, end, header, receivedUs);
    if (cause === undefined) return;
    counters.shed[cause]++;
    this.#refuse(connection, header, codec, Answer.unavailable);
  }

  endOfRead(): void {
    this.#rings.signal();
    if (this.#rings.hasReplies()) this.#drain();
    else this.#flush();
    this.#schedule();
  }

  dirty(connection: Connection): void {
    this.#dirty.push(connection);
  }

  #codecOf(dialect: Dialect): DialectCodec {
    let codec = this.#codecs[dialect.index];
    if (codec === undefined) {
      codec = new DialectCodec(dialect);
      this.#codecs[dialect.index] = codec;
    }
    return codec;
  }

  /** Why no shard may be asked now, if so. */
  #admit(connection: Connection): ShedCause | undefined {
    if (this.#stopping || this.#control.stop !== 0) return 'stopping';
    if (!connection.signedOn) return 'signed_off';
    if (this.#control.refuse) return 'disk';
    if (connection.link.inFlight >= connection.link.profile.inFlightMax) return 'in_flight';
    return undefined;
  }

  #dispatch(
    connection: Connection,
    codec: DialectCodec,
    bytes: Uint8Array,
    start: number,
    end: number,
    header: Uint8Array | undefined,
    receivedUs: number,
  ): ShedCause | undefined {
    const router = this.#router;
    router.route(codec.request);
    if (this.#control.shardState(router.shard) !== ShardState.up) return 'shard_down';
    const { link } = connection;
    const deadlineUs = receivedUs + link.profile.deadlineMs * 1000;
    const table = this.#table;
    const slot = table.take(connection, receivedUs, deadlineUs, header);
    if (slot < 0) return 'in_flight';
    const token = table.tokenOf(slot);
    const { index } = connection.dialect;
    if (!router.send(bytes, start, end, index, link.profile.number, token, receivedUs, deadlineUs)) {
      table.free(slot);
      return 'ring_full';
    }
    link.inFlight++;
    this.instruments.route.record(monotonicUs() - receivedUs);
    return undefined;
  }

  #refuse(connection: Connection, header: Uint8Array | undefined, codec: DialectCodec, answer: Answer): void {
    if (connection.queue(header, codec.bytes, 0, codec.refuse(answer))) this.#counters.replies++;
  }

  /** Sign-on, sign-off and echo test; anything else of class 8 is refused. */
  #network(connection: Connection, header: Uint8Array | undefined, codec: DialectCodec, wellFormed: boolean): void {
    const { request } = codec;
    const code = request.digits(NETWORK_CODE);
    let answer: Answer = Answer.approved;
    if (!wellFormed || code < 0) answer = Answer.formatError;
    else if (request.mti > 801) answer = Answer.invalidTransaction;
    else if (code === SIGN_ON) connection.signedOn = true;
    else if (code === SIGN_OFF) connection.signedOn = false;
    else if (code !== ECHO_TEST) answer = Answer.invalidTransaction;
    this.#counters.network++;
    if (connection.queue(header, codec.bytes, 0, codec.network(answer))) this.#counters.replies++;
  }

  // ---- replies ----

  /** Sees to it that replies are looked for: soon while there is something to expect, else by a wake-up. */
  #schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    const soon = this.#looks < LOOKS_BEFORE_ARMING || this.#ratePerMs >= REST_FROM_PER_MS;
    if (soon && this.#table.used > 0) setImmediate(this.#look);
    else if (!this.#rings.arm(this.#look)) setImmediate(this.#look);
  }

  readonly #look = (): void => {
    this.#scheduled = false;
    if (this.#stopped) return;
    let replies = this.#drain();
    this.#measureRate();
    if (this.#ratePerMs >= REST_FROM_PER_MS && this.#table.used > 0) {
      this.#rings.rest(REST_MS);
      replies += this.#drain();
    }
    if (replies > 0) this.#looks = 0;
    else this.#looks++;
    this.#schedule();
  };

  #measureRate(): void {
    const now = monotonicUs();
    const elapsedUs = now - this.#rateSinceUs;
    if (elapsedUs < RATE_WINDOW_US) return;
    this.#ratePerMs = ((this.#counters.messages - this.#rateSinceMessages) * 1000) / elapsedUs;
    this.#rateSinceUs = now;
    this.#rateSinceMessages = this.#counters.messages;
  }

  #drain(): number {
    const count = this.#rings.drain(this.#onReply);
    this.#retryRollBacks();
    this.#rings.signal();
    this.#flush();
    return count;
  }

  readonly #onReply = (reply: RingConsumer): void => {
    const { token } = reply;
    const slot = this.#table.slotOf(token);
    if (slot < 0) {
      this.#onUnmatched(reply);
      return;
    }
    switch (reply.kind) {
      case ReplyKind.wire:
        this.#onWireReply(reply, slot, token);
        break;
      case ReplyKind.rolledBack:
        this.#undoing.delete(undoingKey(reply.shard, reply.b));
        this.#onRolledBack(slot, token);
        break;
      case ReplyKind.dropped:
        this.#release(slot);
        break;
      default:
        this.#counters.errors.unmatched_reply++;
    }
  };

  /** The entry was given up (or never was ours): an approval among them is undone, because nobody got it. */
  #onUnmatched(reply: RingConsumer): void {
    if (reply.kind === ReplyKind.rolledBack) {
      this.#undoing.delete(undoingKey(reply.shard, reply.b));
      this.#counters.rolledBack++;
    } else this.#counters.errors.unmatched_reply++;
    if (reply.kind === ReplyKind.wire && reply.flag === 1) this.#rollBack(reply.shard, NO_TOKEN, reply.b);
  }

  #onWireReply(reply: RingConsumer, slot: number, token: number): void {
    const connection = this.#table.connection[slot]!;
    const counters = this.#counters;
    const late = monotonicUs() > this.#table.deadlineUs[slot]!;
    if (late && this.#table.state[slot] === InFlightState.waiting) counters.timeouts++;
    const { payloadAt, payloadLength } = reply;
    if (reply.flag === 0 && this.#undoing.size > 0 && this.#refuseUndone(reply, slot)) return;
    if (connection.open && !late) {
      const header = this.#table.headerOf(slot, headerBytesOf(connection));
      if (connection.queue(header, reply.bytes, payloadAt, payloadLength)) {
        this.#noteReply(this.#table.receivedUs[slot]!, reply.timeUs);
        this.#release(slot);
        return;
      }
    }
    if (reply.flag === 1) {
      if (connection.open) this.#kept.set(token, reply.bytes.slice(payloadAt, payloadAt + payloadLength));
      this.#table.state[slot] = InFlightState.rollingBack;
      this.#rollBack(reply.shard, token, reply.b);
      return;
    }
    if (!connection.open) counters.errors.undeliverable++;
    else if (this.#codecOf(connection.dialect).isApproval(reply.bytes, payloadAt, payloadLength)) {
      // The stored approval of a repeat: too late to be an answer, and not ours to undo.
      counters.errors.late_dropped++;
    } else {
      const header = this.#table.headerOf(slot, headerBytesOf(connection));
      if (connection.queue(header, reply.bytes, payloadAt, payloadLength)) {
        this.#noteReply(this.#table.receivedUs[slot]!, reply.timeUs);
      } else counters.errors.undeliverable++;
    }
    this.#release(slot);
  }

  /**
   * The stored approval of a repeat whose original is being rolled back right now: it was decided before the shard heard of
   * the roll-back, and sending it would approve what is about to be undone. Answered 91; true when it was one.
   */
  #refuseUndone(reply: RingConsumer, slot: number): boolean {
    if (!this.#undoing.has(undoingKey(reply.shard, reply.b))) return false;
    const connection = this.#table.connection[slot]!;
    const codec = this.#codecOf(connection.dialect);
    const { payloadAt, payloadLength } = reply;
    if (!codec.isApproval(reply.bytes, payloadAt, payloadLength)) return false;
    if (connection.open) {
      const length = codec.refuseAfter(reply.bytes.slice(payloadAt, payloadAt + payloadLength), Answer.unavailable);
      const header = this.#table.headerOf(slot, headerBytesOf(connection));
      if (length > 0 && connection.queue(header, codec.bytes, 0, length)) {
        this.#counters.shed.deadline++;
        this.#counters.replies++;
      } else this.#counters.errors.undeliverable++;
    }
    this.#release(slot);
    return true;
  }

  #onRolledBack(slot: number, token: number): void {
    this.#counters.rolledBack++;
    const connection = this.#table.connection[slot]!;
    const approval = this.#kept.get(token);
    this.#kept.delete(token);
    if (connection.open && approval !== undefined) {
      const codec = this.#codecOf(connection.dialect);
      const length = codec.refuseAfter(approval, Answer.unavailable);
      const header = this.#table.headerOf(slot, headerBytesOf(connection));
      if (length > 0 && connection.queue(header, codec.bytes, 0, length)) {
        this.#counters.shed.deadline++;
        this.#counters.replies++;
      }
    }
    this.#release(slot);
  }

  #release(slot: number): void {
    this.#table.connection[slot]!.link.inFlight--;
    this.#table.free(slot);
  }

  #rollBack(shard: number, token: number, sequence: number): void {
    this.#counters.notDelivered++;
    this.#undoing.add(undoingKey(shard, sequence));
    if (!this.#sendRollBack(shard, token, sequence)) this.#waitingRollBacks.push({ shard, token, sequence });
  }

  /** False when it must be tried again: the ring is full, or the shard is being rebuilt and would only refuse. */
  #sendRollBack(shard: number, token: number, sequence: number): boolean {
    if (this.#control.shardState(shard) !== ShardState.up) return false;
    const producer = this.#rings.producer(shard);
    if (producer.reserve(0) < 0) return false;
    producer.commit(RequestKind.notDelivered, 0, shard, token, 0, monotonicUs(), sequence, 0);
    return true;
  }

  #retryRollBacks(): void {
    if (this.#waitingRollBacks.length === 0) return;
    this.#waitingRollBacks = this.#waitingRollBacks.filter(
      ({ shard, token, sequence }) => !this.#sendRollBack(shard, token, sequence),
    );
  }

  #noteReply(receivedUs: number, releasedUs: number): void {
    this.#counters.replies++;
    this.#receivedUs[this.#batch] = receivedUs;
    this.#releasedUs[this.#batch] = releasedUs;
    if (++this.#batch === BATCH_REPLIES_MAX) this.#flush();
  }

  /** Hands every outbox to its socket, then notes how long the replies took. */
  #flush(): void {
    const dirty = this.#dirty;
    for (let i = 0; i < dirty.length; i++) dirty[i]!.flush();
    dirty.length = 0;
    if (this.#batch === 0) return;
    const now = monotonicUs();
    const { write, authorization } = this.instruments;
    for (let i = 0; i < this.#batch; i++) {
      if (this.#releasedUs[i]! > 0) write.record(now - this.#releasedUs[i]!);
      authorization.record(now - this.#receivedUs[i]!);
    }
    this.#batch = 0;
  }

  // ---- housekeeping ----

  #onSweep(): void {
    const now = monotonicUs();
    for (const link of this.#links) link.tick(now, this.#options.tuning?.writeStallMs ?? WRITE_STALL_MS);
    this.#sweepInFlight(now);
    this.#retryRollBacks();
    this.#rings.signal();
    this.#flush();
    this.#schedule();
  }

  /** Counts what is overdue; gives up what no shard will ever answer. */
  #sweepInFlight(now: number): void {
    const table = this.#table;
    if (table.used === 0) return;
    const reclaimUs = (this.#options.tuning?.reclaimMs ?? IN_FLIGHT_RECLAIM_MS) * 1000;
    for (let slot = 0; slot < table.capacity; slot++) {
      const state = table.state[slot];
      if (state === InFlightState.free || now <= table.deadlineUs[slot]!) continue;
      if (state === InFlightState.waiting) {
        table.state[slot] = InFlightState.overdue;
        this.#counters.timeouts++;
      }
      if (now - table.deadlineUs[slot]! > reclaimUs) {
        this.#kept.delete(table.tokenOf(slot));
        this.#counters.errors.reclaimed++;
        this.#release(slot);
      }
    }
  }
}

function headerBytesOf(connection: Connection): number {
  const { transport, headerBytes } = connection.link.profile;
  return transport === 'tcp' ? headerBytes : 0;
}

/** 1110, 2130 and the like: replies of the later versions of the standard. */
function isResponseOfAnyVersion(mti: number): boolean {
  return (Math.floor(mti / 10) & 1) === 1;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
