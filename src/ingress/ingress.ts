/**
 * The ingress: links in, rings out, on one event loop.
 *
 *   read -> decode -> network management answered here
 *                  -> admission (91 at once) -> route -> ring entry, token = slot of the in-flight table
 *   ring reply -> in-flight table -> outbox of its connection -> one write per connection and batch
 *
 * Requests are here; what becomes of a reply is in replies.ts, roll-backs of what nobody got in roll-backs.ts, the batch of
 * writes in writes.ts.
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
import type { Decoder } from '../iso8583/decoder.js';
import { type DialectName, dialect as dialectOf } from '../iso8583/dialects.js';
import { asksForTotals, classOf, isNewRequest, isUnanswered, MessageClass, replyMti } from '../iso8583/mti.js';
import { badTimeField } from '../iso8583/times.js';
import { IN_FLIGHT_MAX, IN_FLIGHT_RECLAIM_MS, SIGN_OFF_WAIT_MS, WRITE_STALL_MS } from '../limits.js';
import type { LinkKey } from '../link-requests.js';
import { RingClient } from '../ring/client.js';
import { ControlBlock, ShardState } from '../ring/control-block.js';
import { CardDirectory } from '../ring/directory.js';
import { TlsWatch } from '../server-tls.js';
import type { SlowRequest } from '../slow-request.js';
import { PanFingerprinter } from '../vault/fingerprint.js';
import { Admission } from './admission.js';
import type { Connection } from './connection.js';
import { Cutovers } from './cutovers.js';
import { InFlightTable } from './in-flight.js';
import { KeyExchanges } from './key-exchanges.js';
import { LaterReplies } from './later-replies.js';
import { Link, type Listener, type MessageSink, SocketBudget } from './link.js';
import { checkLinks, type LinkProfile } from './links.js';
import { Answer, Codecs, type DialectCodec, SIGN_OFF } from './local-reply.js';
import { Loopback, simulatorLink } from './loopback.js';
import type { IngressAddresses, IngressOptions } from './options.js';
import { Reconciliations } from './reconciliations.js';
import { Replies } from './replies.js';
import { RollBacks } from './roll-backs.js';
import { Router } from './router.js';
import { processRuntime, type Runtime, type Timer } from './runtime.js';
import { ShedLog } from './shed-log.js';
import { SignOffs } from './sign-off.js';
import { Counters, createInstruments, type IngressInstruments, type IngressStats, type ShedCause } from './stats.js';
import { tcpListener } from './tcp.js';
import { Writes } from './writes.js';
import { createWsListener, type WsAdapterName } from './ws.js';

const SWEEP_MS = 100;
/** Rounds in which a stop reads what has come: 64 KiB each of every TCP connection, 2 MiB together. */
const READ_ROUNDS_MAX = 32;
/** Empty looks on the next turns of the loop before the wake-up is armed. Measured with commits of 1 ms: 0, 3 and 50 looks give
 * the same rate and latency within the noise, 50 cost half as much processor again at low load. */
const LOOKS_BEFORE_ARMING = 3;
/** Above this rate, messages per ms, the loop rests between its rounds: below it a round rarely finds two messages to share. */
const REST_FROM_PER_MS = 8;
/** The rate is taken anew this often, us. */
const RATE_WINDOW_US = 2000;
/** Longest rest, ms; replies end it. */
const REST_MS = 0.5;
const SIGN_ON = 1;
const KEY_EXCHANGE = 161;
const CUTOVER = 201;
const ECHO_TEST = 301;
const NETWORK_CODE = 70;

export class Ingress implements MessageSink {
  readonly instruments: IngressInstruments = createInstruments();
  readonly #options: IngressOptions;
  readonly #runtime: Runtime;
  readonly #rings: RingClient;
  readonly #control: ControlBlock;
  readonly #router: Router;
  readonly #table: InFlightTable;
  readonly #admission: Admission;
  readonly #counters = new Counters();
  readonly #links: Link[];
  /** Of messages that come by no socket: `exchange`. */
  readonly #simulator: Link;
  readonly #listeners: Listener[] = [];
  readonly #codecs = new Codecs();
  readonly #writes: Writes;
  readonly #rollBacks: RollBacks;
  readonly #replies: Replies;
  readonly #shedLog: ShedLog;
  readonly #signOffs = new SignOffs(this.#codecs, this.#counters);
  readonly #later: LaterReplies;
  readonly #cutovers: Cutovers;
  readonly #keyExchanges: KeyExchanges;
  readonly #reconciliations: Reconciliations;
  /** Certificates of the links. */
  readonly #tls: TlsWatch;
  #looks = 0;
  #scheduled = false;
  /** Messages per ms over the last rate window. */
  #ratePerMs = 0;
  #rateSinceUs = 0;
  #rateSinceMessages = 0;
  #stopping = false;
  #stopped = false;
  #sweep: Timer | undefined;

  /** @throws HoldfastError `config_invalid` for contradictory link profiles. */
  constructor(options: IngressOptions) {
    checkLinks(options.links);
    this.#options = options;
    const runtime = options.runtime ?? processRuntime;
    this.#runtime = runtime;
    this.#writes = new Writes(this.instruments, runtime);
    this.#rings = new RingClient(options.rings, options.wakes);
    this.#control = new ControlBlock(options.control);
    this.#router = new Router(
      this.#rings,
      new CardDirectory(options.directory),
      new PanFingerprinter(options.fingerprintKey),
      options.shardOfFingerprint,
    );
    this.#shedLog = new ShedLog(this.#counters, options.log);
    this.#rollBacks = new RollBacks(this.#rings, this.#control, this.#counters, options.log, runtime);
    const headerBytes = Math.max(0, ...options.links.map((link) => link.headerBytes));
    this.#table = new InFlightTable(options.tuning?.inFlight ?? IN_FLIGHT_MAX, headerBytes);
    this.#admission = new Admission(this.#table, this.#control, options.rateMax ?? 0);
    const parts = [this.#table, this.#rings, this.#control, this.#codecs, this.#counters, runtime] as const;
    this.#reconciliations = new Reconciliations(...parts);
    this.#replies = new Replies(
      this.#table,
      this.#rollBacks,
      this.#reconciliations,
      this.#codecs,
      this.#writes,
      this.#counters,
      runtime,
    );
    this.#later = new LaterReplies(this.#codecs, this.#writes, this.#counters, runtime);
    this.#cutovers = new Cutovers(this.#later, options.log, options.keepCutover);
    this.#keyExchanges = new KeyExchanges(this.#later, options.log, options.keepLinkKey);
    const sockets = new SocketBudget(options.socketsMax ?? Number.POSITIVE_INFINITY);
    const linkOf = (profile: LinkProfile): Link =>
      new Link(profile, this, this.#counters, sockets, options.log, runtime, options.macs);
    this.#links = options.links.map(linkOf);
    for (const { profile, mac } of this.#links)
      if (mac !== undefined) mac.onTaken = (offer) => this.#keyExchanges.taken(profile, offer);
    for (const link of this.#links) link.share = this.#admission.cap.share(this.#links.length);
    this.#simulator = linkOf(simulatorLink);
    this.#tls = new TlsWatch(
      this.#links.flatMap(({ tls }) => (tls === undefined ? [] : [tls])),
      options.log,
    );
  }

  /**
   * Listens on every link; when one cannot, none does.
   * @param days business days of the links that have one, days since 1970
   * @param keys that networks have sent, oldest first
   * @throws HoldfastError `port_in_use` naming address and setting, `config_invalid` for an unavailable adapter, or a key that does not open.
   */
  async start(
    days: readonly { link: number; day: number }[] = [],
    keys: readonly LinkKey[] = [],
  ): Promise<IngressAddresses> {
    const links = [...this.#links, this.#simulator];
    for (const { link, day } of days) {
      const known = links.find(({ profile }) => profile.number === link);
      if (known !== undefined) known.businessDay = day;
    }
    for (const { profile, mac } of links) mac?.restore(keys.filter(({ link }) => link === profile.number));
    const addresses: { tcp?: string; ws?: string; links: Record<string, string>; wsAdapter?: WsAdapterName } = {
      links: {},
    };
    try {
      for (const link of this.#links) {
        const { transport, name } = link.profile;
        let listener: Listener;
        if (transport === 'tcp') listener = (this.#options.tcpListener ?? tcpListener)(link);
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
    this.#tls.start();
    this.#sweep = this.#runtime.every(SWEEP_MS, () => this.#onSweep());
    this.#schedule();
    return addresses;
  }

  /**
   * Stops accepting, takes what had come before, answers new requests 91, waits for what is in flight, signs the links off, then
   * closes every connection. What is in flight and the answers to the sign-offs get `graceMs` together. Must have resolved before the process ends.
   */
  async stop(graceMs: number): Promise<void> {
    if (this.#stopped) return;
    for (const listener of this.#listeners) listener.stopAccepting();
    // On a busy machine the signal may be seen before requests that came before it: they are served.
    await this.#readAll();
    this.#stopping = true;
    const untilUs = this.#runtime.monotonicUs() + graceMs * 1000;
    while (
      (this.#table.used > 0 || this.#rollBacks.pending > 0 || this.#later.pending > 0) &&
      this.#runtime.monotonicUs() < untilUs
    )
      await this.#pause(2);
    if (this.#table.used > 0) {
      this.#options.log.warn({ inFlight: this.#table.used }, 'stopped with requests in flight: they stay unanswered');
    }
    await this.#signOff(untilUs);
    // Whoever has sent something since then is told 91; only what is on the wire now finds no reader any more.
    await this.#readAll();
    // A fatal stop may have overtaken this one.
    if (this.#stopped) return;
    this.#writes.flush();
    for (const link of this.#links) for (const connection of [...link.connections]) connection.close('stop');
    this.#stopped = true;
    this.#sweep?.cancel();
    await this.#tls.stop();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  /**
   * Reads what the sockets have received until now: the first round of the loop ends what it had begun, the second looks at every
   * socket; more follow while a socket has more than is read at a time.
   */
  async #readAll(): Promise<void> {
    for (
      let round = 0, before = -1;
      round < 2 || (round < READ_ROUNDS_MAX && this.#counters.messages > before);
      round++
    ) {
      before = this.#counters.messages;
      await new Promise<void>((resolve) => this.#runtime.soon(resolve));
    }
  }

  /** Tells the peers, and waits for their answers: SIGN_OFF_WAIT_MS at most, and not beyond `untilUs`. */
  async #signOff(untilUs: number): Promise<void> {
    this.#signOffs.begin(this.#links, this.#runtime.wallMs());
    this.#writes.flush();
    const { signOffs: peers } = this.#counters;
    if (peers === 0) return;
    const waitMs = this.#options.tuning?.signOffWaitMs ?? SIGN_OFF_WAIT_MS;
    const endUs = Math.min(untilUs, this.#runtime.monotonicUs() + waitMs * 1000);
    while (this.#signOffs.open > 0 && this.#runtime.monotonicUs() < endUs) await this.#pause(5);
    this.#options.log.info({ peers, answered: this.#counters.signOffsAnswered }, 'links signed off');
  }

  /** Reads the files of the links' certificates again; connections that are open keep what they have. */
  reloadTls(): Promise<void> {
    return this.#tls.look();
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
      signOffs: counters.signOffs,
      signOffsAnswered: counters.signOffsAnswered,
      inFlight: this.#table.used,
      timeouts: counters.timeouts,
      notDelivered: counters.notDelivered,
      rolledBack: counters.rolledBack,
      businessDays: Object.fromEntries(this.#links.map(({ profile, businessDay }) => [profile.name, businessDay])),
      shed: { ...counters.shed },
      errors: { ...counters.errors },
      tls: this.#tls.states(),
    };
  }

  /** The slowest requests of the last minute, slowest first. */
  slowest(): SlowRequest[] {
    return this.#writes.slow.slowest(this.#runtime.monotonicUs(), this.#runtime.wallMs());
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
    const codec = this.#codecs.of(connection.dialect);
    const wellFormed = codec.request.decode(bytes, start, end);
    const { mti } = codec.request;
    // Malformed in another version of the standard: its fields, if they are any, are not ours to read.
    if (!wellFormed && (!codec.request.isMessage || classOf(mti) < 0)) {
      connection.link.fail(connection, 'not_iso8583', codec.request.errorText());
      return;
    }
    const { mac } = connection.link;
    if (mac !== undefined && !mac.verifies(connection.dialect, bytes, start, end)) {
      connection.link.tellBadMac(connection, mti);
      if (!isUnanswered(mti)) this.#refuse(connection, header, codec, Answer.securityViolation);
      return;
    }
    if (isUnanswered(mti)) {
      if (this.#stopping && this.#signOffs.takes(connection, codec.request)) return;
      counters.errors.unmatched_request++;
      return;
    }
    // Another version or class, or a function or origin that the standard has not got.
    if (replyMti(mti) < 0) {
      this.#refuse(connection, header, codec, Answer.invalidTransaction);
      return;
    }
    if (classOf(mti) === MessageClass.networkManagement) {
      this.#network(connection, header, codec, wellFormed);
      return;
    }
    if (asksForTotals(mti)) {
      this.#totals(connection, header, codec, wellFormed, receivedUs);
      return;
    }
    const urgent = !isNewRequest(mti);
    let cause = this.#admit(connection, urgent, receivedUs);
    if (cause === undefined) {
      cause = this.#dispatch(connection, codec, bytes, start, end, header, receivedUs, urgent);
      if (cause === undefined) return;
      this.#admission.giveBack(connection);
    }
    counters.shed[cause]++;
    this.#refuse(connection, header, codec, Answer.unavailable);
  }

  /**
   * Takes a message that comes by no socket, as the one message of a connection (loopback.ts), and gives its reply.
   * @throws Error when the connection would have been closed: the bytes are no message
   */
  async exchange(dialect: DialectName, message: Uint8Array): Promise<Uint8Array> {
    const nowUs = this.#runtime.monotonicUs();
    return await new Promise((resolve, reject) => {
      const connection = new Loopback(this.#simulator, dialectOf(dialect), nowUs, resolve, reject);
      this.message(connection, message, 0, message.length, undefined, nowUs);
      this.endOfRead();
    });
  }

  /** Numbers have fingerprints under the first key from here on, and cards are found by any of them: one, or two while it is rotated. */
  useFingerprintKeys(keys: readonly Uint8Array[]): void {
    const [print, former] = keys.map((key) => new PanFingerprinter(key));
    if (print === undefined) throw new RangeError('there is no fingerprint key');
    this.#router.use(print, former);
  }

  endOfRead(): void {
    this.#rings.signal();
    if (this.#rings.hasReplies()) this.#drain();
    else this.#writes.flush();
    this.#schedule();
  }

  dirty(connection: Connection): void {
    this.#writes.dirty(connection);
  }

  /** Why no shard may be asked now, if so. */
  #admit(connection: Connection, urgent: boolean, nowUs: number): ShedCause | undefined {
    return this.#stopping ? 'stopping' : this.#admission.admit(connection, urgent, nowUs);
  }

  #dispatch(
    connection: Connection,
    codec: DialectCodec,
    bytes: Uint8Array,
    start: number,
    end: number,
    header: Uint8Array | undefined,
    receivedUs: number,
    urgent: boolean,
  ): ShedCause | undefined {
    const router = this.#router;
    router.route(codec.request);
    if (this.#control.shardState(router.shard) !== ShardState.up) return 'shard_down';
    const { link } = connection;
    const deadlineUs = receivedUs + link.profile.deadlineMs * 1000;
    const table = this.#table;
    const slot = table.take(connection, urgent, receivedUs, deadlineUs, header);
    if (slot < 0) return 'in_flight';
    const token = table.tokenOf(slot);
    const { index } = connection.dialect;
    const { number } = link.profile;
    if (!router.send(bytes, start, end, index, number, link.businessDay, token, receivedUs, deadlineUs, urgent)) {
      table.free(slot);
      return 'ring_full';
    }
    const routedUs = this.#runtime.monotonicUs();
    table.routedUs[slot] = routedUs;
    this.instruments.route.record(routedUs - receivedUs);
    return undefined;
  }

  /** Totals of an acquirer: all shards are asked, and the answer comes with the replies. */
  #totals(
    connection: Connection,
    header: Uint8Array | undefined,
    codec: DialectCodec,
    wellFormed: boolean,
    receivedUs: number,
  ): void {
    let begun: ShedCause | Answer | undefined = Answer.formatError;
    if (!wellFormed) connection.link.tellFormatError(connection, codec.request.mti, codec.request.errorField);
    else
      begun =
        this.#admit(connection, false, receivedUs) ??
        this.#reconciliations.begin(connection, codec.request, header, receivedUs);
    if (begun === undefined) return;
    if (typeof begun === 'string') this.#counters.shed[begun]++;
    this.#refuse(connection, header, codec, typeof begun === 'string' ? Answer.unavailable : begun);
  }

  #refuse(connection: Connection, header: Uint8Array | undefined, codec: DialectCodec, answer: Answer): void {
    if (connection.queue(header, codec.bytes, 0, codec.refuse(answer))) this.#counters.replies++;
  }

  /**
   * Sign-on, sign-off, echo test, and cutover and key exchange, which are answered when they are durable; any other code of class 8
   * means nothing here (12).
   */
  #network(connection: Connection, header: Uint8Array | undefined, codec: DialectCodec, wellFormed: boolean): void {
    const { request } = codec;
    const code = request.digits(NETWORK_CODE);
    let answer: Answer | undefined = Answer.approved;
    const badField = wellFormed ? badNetworkField(request) : request.errorField;
    // Advices of network management are not served: what they carry is not for us to say.
    if (request.mti > 801) answer = Answer.invalidTransaction;
    else if (badField !== 0) {
      connection.link.tellFormatError(connection, request.mti, badField);
      answer = Answer.formatError;
    } else if ((code === SIGN_ON || code === CUTOVER || code === KEY_EXCHANGE) && this.#stopping)
      answer = Answer.unavailable;
    else if (code === SIGN_ON) signOn(connection, header);
    else if (code === SIGN_OFF) connection.signedOn = false;
    else if (code === CUTOVER) answer = this.#cutovers.begin(connection, header, codec);
    else if (code === KEY_EXCHANGE) answer = this.#keyExchanges.begin(connection, header, codec);
    else if (code !== ECHO_TEST) answer = Answer.invalidTransaction;
    this.#counters.network++;
    if (answer === undefined) return;
    if (connection.queue(header, codec.bytes, 0, codec.network(answer))) this.#counters.replies++;
  }

  // ---- replies ----

  /** Sees to it that replies are looked for: soon while there is something to expect, else by a wake-up. */
  #schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    const soon = this.#looks < LOOKS_BEFORE_ARMING || this.#ratePerMs >= REST_FROM_PER_MS;
    if (soon && this.#table.used > 0) this.#runtime.soon(this.#look);
    else if (!this.#rings.arm(this.#look)) this.#runtime.soon(this.#look);
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
    const now = this.#runtime.monotonicUs();
    const elapsedUs = now - this.#rateSinceUs;
    if (elapsedUs < RATE_WINDOW_US) return;
    this.#ratePerMs = ((this.#counters.messages - this.#rateSinceMessages) * 1000) / elapsedUs;
    this.#rateSinceUs = now;
    this.#rateSinceMessages = this.#counters.messages;
  }

  #drain(): number {
    const count = this.#rings.drain(this.#replies.take);
    this.#replies.retryRollBacks();
    this.#rings.signal();
    this.#writes.flush();
    return count;
  }

  // ---- housekeeping ----

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#runtime.after(ms, resolve));
  }

  #onSweep(): void {
    const now = this.#runtime.monotonicUs();
    const { tuning } = this.#options;
    for (const link of this.#links) link.tick(now, tuning?.writeStallMs ?? WRITE_STALL_MS);
    this.#shedLog.look(now);
    this.#writes.slow.tick(now);
    this.#replies.sweep(now, (tuning?.reclaimMs ?? IN_FLIGHT_RECLAIM_MS) * 1000);
    this.#replies.retryRollBacks();
    this.#rings.signal();
    this.#writes.flush();
    this.#schedule();
  }
}

/** Number of the first field of a network message that is missing or malformed, 0 when all are there. */
function badNetworkField(request: Decoder): number {
  const field = badTimeField(request);
  return field === 0 && request.digits(NETWORK_CODE) < 0 ? NETWORK_CODE : field;
}

function signOn(connection: Connection, header: Uint8Array | undefined): void {
  connection.signedOn = true;
  connection.saidSignOn = true;
  // The header of a frame dies with its read; the one of a sign-on addresses what we send of our own. (`slice` of a Buffer,
  // which a header may be, would be a view.)
  connection.signOnHeader = header === undefined ? undefined : Uint8Array.from(header);
}
