/**
 * Totals of an acquirer's business date (0500, 0520 and their repeats): asked of every shard by the same rings as the link's
 * messages, so that all it has sent before is in, added up, and compared and journaled by one of them before the answer leaves.
 *
 *   0500 -> read of each shard -> sum -> compare_totals (the shard of link and acquirer) -> 0510: 39 = 00 or 95, our totals
 *                                    -> a shard that cannot answer, or too late: 91
 *
 * Reads and commands are those of the control plane (domain/reads.ts, commands.ts); a room further in knows their meaning.
 */
import { pack, unpack } from 'msgpackr';
import type { Decoder } from '../iso8583/decoder.js';
import { badTimeField, settlementDay } from '../iso8583/times.js';
import type { RingClient } from '../ring/client.js';
import { type ControlBlock, ShardState } from '../ring/control-block.js';
import { RequestKind } from '../ring/kinds.js';
import type { RingConsumer } from '../ring/ring.js';
import type { Connection } from './connection.js';
import type { InFlightTable } from './in-flight.js';
import { Answer, type Codecs, type TotalsField } from './local-reply.js';
import type { Runtime } from './runtime.js';
import type { Counters, ShedCause } from './stats.js';

const DAY_MS = 86_400_000;
const TRANSMISSION = 7;
const STAN = 11;
const ACQUIRER = 32;
const CURRENCY = 49;
const SETTLEMENT_CURRENCY = 50;
const FIRST_TOTAL = 74;
const LAST_TOTAL = 89;
const NET = 97;
const LETTER_D = 0x44;

/** What an acquirer asks about. */
interface Question {
  readonly mti: number;
  readonly link: number;
  /** DE32 without leading zeros. */
  readonly acquirer: number;
  /** Days since 1970. */
  readonly day: number;
  readonly currency: number;
  readonly transmission: number;
  readonly stan: number;
  /** The date was in the message. */
  readonly dated: boolean;
  readonly theirs: readonly TotalsField[];
}

interface Pending {
  readonly question: Question;
  readonly message: Uint8Array;
  /** Shards that have not answered. */
  left: number;
  failed: boolean;
  /** Some shard has no totals of that date. */
  unknownDate: boolean;
  compares: boolean;
  readonly sums: number[];
}

type Result =
  | { ok: true; values?: number[]; compared?: { equal: boolean; day: number; ours: TotalsField[] } }
  | { ok: false; code: string };

export class Reconciliations {
  readonly #table: InFlightTable;
  readonly #rings: RingClient;
  readonly #control: ControlBlock;
  readonly #codecs: Codecs;
  readonly #counters: Counters;
  readonly #runtime: Runtime;
  /** By token of the in-flight table, which bounds them. */
  readonly #pending = new Map<number, Pending>();

  constructor(
    table: InFlightTable,
    rings: RingClient,
    control: ControlBlock,
    codecs: Codecs,
    counters: Counters,
    runtime: Runtime,
  ) {
    this.#table = table;
    this.#rings = rings;
    this.#control = control;
    this.#codecs = codecs;
    this.#counters = counters;
    this.#runtime = runtime;
  }

  /** Begins the comparison that the decoded request asks for: why it cannot be, an answer at once, or neither. */
  begin(
    connection: Connection,
    request: Decoder,
    header: Uint8Array | undefined,
    receivedUs: number,
  ): ShedCause | Answer | undefined {
    const { link } = connection;
    const badField = badFieldOf(request);
    if (badField !== 0) {
      link.tellFormatError(connection, request.mti, badField);
      return Answer.formatError;
    }
    const question = questionOf(request, connection, this.#runtime.wallMs());
    const { shards } = this.#rings;
    for (let shard = 0; shard < shards; shard++) {
      if (this.#control.shardState(shard) !== ShardState.up) return 'shard_down';
    }
    const deadlineUs = receivedUs + link.profile.deadlineMs * 1000;
    const slot = this.#table.take(connection, false, receivedUs, deadlineUs, header);
    if (slot < 0) return 'in_flight';
    const token = this.#table.tokenOf(slot);
    const { acquirer, day, currency } = question;
    const payload = pack({ op: 'acquirer_totals', link: question.link, acquirer, day, currency });
    const pending: Pending = {
      question,
      message: request.copy(),
      left: 0,
      failed: false,
      unknownDate: false,
      compares: false,
      sums: [],
    };
    for (let shard = 0; shard < shards; shard++) {
      if (this.#send(RequestKind.read, shard, token, payload)) pending.left++;
      else pending.failed = true;
    }
    if (pending.left === 0) {
      this.#table.free(slot);
      return 'ring_full';
    }
    this.#pending.set(token, pending);
    return undefined;
  }

  /**
   * Takes an answer of a shard. True when the entry of the table has come to its end: the reply to it, if it has a connection,
   * is queued.
   */
  take(reply: RingConsumer, slot: number, token: number): boolean {
    const pending = this.#pending.get(token);
    if (pending === undefined) return false;
    const { payloadAt, payloadLength } = reply;
    const result = unpack(reply.bytes.slice(payloadAt, payloadAt + payloadLength)) as Result;
    if (pending.compares) {
      this.#answer(pending, slot, token, result);
      return true;
    }
    pending.left--;
    if (!result.ok) pending.failed = true;
    else if (result.values === undefined) pending.unknownDate = true;
    else for (const [i, value] of result.values.entries()) add(pending.sums, i, value);
    if (pending.left > 0) return false;
    if (!pending.failed && !pending.unknownDate && !this.#isLate(slot) && this.#compare(pending, token)) return false;
    this.#refuse(
      pending,
      slot,
      token,
      pending.unknownDate && !pending.failed ? Answer.formatError : Answer.unavailable,
    );
    return true;
  }

  /** The entry was given up. */
  forget(token: number): void {
    this.#pending.delete(token);
  }

  #compare(pending: Pending, token: number): boolean {
    pending.compares = true;
    const { link, acquirer } = pending.question;
    const payload = pack({ op: 'compare_totals', ...pending.question, sums: pending.sums });
    const shard = homeOf(link, acquirer) & (this.#rings.shards - 1);
    return this.#send(RequestKind.command, shard, token, payload);
  }

  #answer(pending: Pending, slot: number, token: number, result: Result): void {
    if (!result.ok || result.compared === undefined || this.#isLate(slot)) {
      this.#refuse(pending, slot, token, Answer.unavailable);
      return;
    }
    const { equal, day, ours } = result.compared;
    const answer = equal ? Answer.approved : Answer.outOfBalance;
    this.#reply(pending, slot, token, (codec) => codec.totals(answer, day, ours));
  }

  #refuse(pending: Pending, slot: number, token: number, answer: Answer): void {
    if (answer === Answer.unavailable) this.#counters.shed[this.#isLate(slot) ? 'deadline' : 'shard_down']++;
    this.#reply(pending, slot, token, (codec) => codec.refuse(answer));
  }

  #reply({ message }: Pending, slot: number, token: number, build: (codec: ReturnType<Codecs['of']>) => number): void {
    this.#pending.delete(token);
    const connection = this.#table.connection[slot]!;
    const { transport, headerBytes } = connection.link.profile;
    const header = this.#table.headerOf(slot, transport === 'tcp' ? headerBytes : 0);
    const codec = this.#codecs.of(connection.dialect);
    codec.request.decode(message, 0, message.length);
    if (connection.queue(header, codec.bytes, 0, build(codec))) this.#counters.replies++;
    else this.#counters.errors.undeliverable++;
  }

  #isLate(slot: number): boolean {
    return this.#runtime.monotonicUs() > this.#table.deadlineUs[slot]!;
  }

  #send(kind: RequestKind, shard: number, token: number, payload: Uint8Array): boolean {
    return this.#rings.producer(shard).push(kind, 0, shard, token, 0, this.#runtime.monotonicUs(), 0, payload);
  }
}

/** Number of the first field that is missing or malformed, 0 when the request is a question. */
function badFieldOf(request: Decoder): number {
  const field = badTimeField(request);
  if (field !== 0) return field;
  if (request.digits(TRANSMISSION) < 0) return TRANSMISSION;
  if (request.digits(STAN) < 0) return STAN;
  if (request.digits(ACQUIRER) < 0) return ACQUIRER;
  if (currencyOf(request) < 0) return request.has(SETTLEMENT_CURRENCY) ? SETTLEMENT_CURRENCY : CURRENCY;
  // A figure that is left out is not compared; without any there is nothing to ask. The net alone says the most.
  return hasFigure(request) ? 0 : NET;
}

function hasFigure(request: Decoder): boolean {
  for (let field = FIRST_TOTAL; field <= LAST_TOTAL; field++) if (request.has(field)) return true;
  return request.has(NET);
}

function currencyOf(request: Decoder): number {
  return request.digitsAt(request.has(SETTLEMENT_CURRENCY) ? SETTLEMENT_CURRENCY : CURRENCY, 0, 3);
}

/** What a request asks about that has every field. */
function questionOf(request: Decoder, { link }: Connection, nowMs: number): Question {
  const today = Math.floor(nowMs / DAY_MS);
  const settlement = settlementDay(request, today);
  const dated = settlement >= 0;
  return {
    mti: request.mti,
    link: link.profile.number,
    acquirer: request.digits(ACQUIRER),
    day: dated ? settlement : link.businessDay > 0 ? link.businessDay : today,
    currency: currencyOf(request),
    transmission: request.digits(TRANSMISSION),
    stan: request.digits(STAN),
    dated,
    theirs: fieldsOf(request),
  };
}

/** DE74 to 89 and 97 of the request; a number beyond 2^53 equals nothing of ours. */
function fieldsOf(request: Decoder): TotalsField[] {
  const fields: TotalsField[] = [];
  const value = (digits: number): number => (digits < 0 ? Number.MAX_SAFE_INTEGER : digits);
  for (let field = FIRST_TOTAL; field <= LAST_TOTAL; field++) {
    if (request.has(field)) fields.push({ field, value: value(request.digits(field)) });
  }
  if (!request.has(NET)) return fields;
  const net = value(request.digitsAt(NET, 1, 16));
  fields.push({ field: NET, value: request.byteAt(NET, 0) === LETTER_D ? 0 - net : net });
  return fields;
}

/** Sums of shards; what would pass 2^53 stays there, as in a shard. */
function add(sums: number[], i: number, value: number): void {
  sums[i] = Math.min((sums[i] ?? 0) + value, Number.MAX_SAFE_INTEGER);
}

/** Where the comparisons of an acquirer are journaled; the same for the life of the data directory. */
function homeOf(link: number, acquirer: number): number {
  const hash = Math.imul(link ^ Math.imul(acquirer | 0, 0x9e3779b1) ^ Math.floor(acquirer / 2 ** 32), 0x85ebca6b);
  return (hash ^ (hash >>> 15)) >>> 0;
}
