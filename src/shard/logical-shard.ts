/**
 * One logical shard: a single writer of its accounts, cards and holds. It turns requests into events and replies and
 * keeps the replies until the journal says that they are durable. The thread around it (shard-host.ts) drains rings,
 * commits and releases; a shard never sees another one.
 *
 *   wire message -> decode -> normalize -> decide -> encode the reply -> apply -> append -> reply held back
 *                                           |
 *                                           +- repeat: reply from the stored event, nothing applied
 *
 * The order matters. Decide changes nothing, and a reply that cannot be written stops there. Apply comes before append, so that an exception in either leaves no record of
 * a half-applied event: what was appended before is complete, is committed as usual, and the shard is rebuilt from it.
 */
import { pack } from 'msgpackr';
import { applyEvent, applyMessage } from '../domain/apply.js';
import { decideAsUnknown, decideClearing } from '../domain/clearing/decide-clearing.js';
import type { ClearingAnswer, ClearingEntry } from '../domain/clearing/input.js';
import { ElementKind, EventKind, Response } from '../domain/codes.js';
import type { CompareTotals, Refusal } from '../domain/commands.js';
import { LimitsReader } from '../domain/controls/limits-view.js';
import { decideExpiry, firstDue, newExpiry } from '../domain/decide-expiry.js';
import { DECIDED, decideMessage } from '../domain/decide-message.js';
import { decideNotDelivered } from '../domain/decide-reversal.js';
import type { DecisionContext } from '../domain/decision-context.js';
import type { ClearingPosted, MessageEvent, PlainEvent } from '../domain/events.js';
import { keysOfEvent } from '../domain/index-keys.js';
import { Text } from '../domain/message.js';
import { isRequest } from '../domain/originals.js';
import { Policies } from '../domain/program/policy.js';
import { RequestChecks } from '../domain/request-checks.js';
import { ShardState } from '../domain/shard-state.js';
import type { Table } from '../domain/tables.js';
import type { Decoder } from '../iso8583/decoder.js';
import { asksForApproval, replyMti } from '../iso8583/mti.js';
import { type IndexChange, ShardIndex } from '../journal/shard-index.js';
import { ShardJournal } from '../journal/shard-journal.js';
import type { ShardHead } from '../journal/types.js';
import { REPLY_BYTES_MAX, UNKNOWN_ADVICES_PER_SECOND } from '../limits.js';
import { ReplyKind, RequestKind } from '../ring/kinds.js';
import { businessDayOfWireEntry, WIRE_HEADER_BYTES } from '../ring/wire-entry.js';
import { ShardCounter } from '../shard-instruments.js';
import { CardChecks } from './card-checks.js';
import { HeldReplies } from './held-replies.js';
import { ShardHistory } from './history.js';
import { datesOf, normalize } from './normalize.js';
import { noteDevices, type Parked, Parking, type WireEntry } from './parking.js';
import { messageHash, Poisons } from './poison.js';
import type { Questions } from './questions.js';
import { writeRefusal, writeReply } from './reply.js';
import { StageTimes } from './stage-times.js';
import { STAGE_FIRST, STAGE_SAMPLE, type ThreadContext } from './thread-context.js';
import { RatePerSecond, UnknownCardRate } from './unknown-card-rate.js';

export const CARD_SLOT_MASK = 0xffffff;

/** A roll-back that waits. */
export interface RollBack {
  readonly client: number;
  readonly token: number;
  /** Of the approval. */
  readonly sequence: number;
}

/** Route of a card that the directory does not know, as `wordAt` reads it. */
const NO_ROUTE = -1;

/** Four bytes, the lowest first, as a signed number. */
const wordAt = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);

export class LogicalShard {
  readonly number: number;
  readonly state: ShardState;
  readonly journal: ShardJournal;
  readonly index: ShardIndex;
  readonly history: ShardHistory;
  readonly held = new HeldReplies();
  readonly poisons: Poisons;
  readonly stageTimes: StageTimes;
  readonly limits: LimitsReader;
  /** Messages that wait for devices; undefined without devices. */
  readonly parking: Parking | undefined;
  /** Digest of the state after the last whole record: an exception half-way through the next one does not change it. */
  readonly digest = { high: 0, low: 0 };
  readonly #context: ThreadContext;
  readonly decisions: DecisionContext;
  readonly #cardChecks: CardChecks;
  readonly #unknownCards = new UnknownCardRate();
  readonly #unknownAdvices = new RatePerSecond(UNKNOWN_ADVICES_PER_SECOND);
  /** Roll-backs that came while the index was incomplete. */
  readonly #postponed: RollBack[] = [];
  /** Reused: a record is in the journal's buffer before the next one is decided. */
  readonly #expiry = newExpiry();
  readonly #visitKey: (high: number, low: number) => void;

  /** An empty shard that continues behind `head`; recovery.ts fills it. */
  constructor(context: ThreadContext, head: ShardHead) {
    this.#context = context;
    this.number = head.shard;
    this.state = new ShardState(head.shard, context.ports.duplicateWindowMs, context.ports.approvalKey);
    this.poisons = new Poisons(this.state.poisons);
    this.journal = new ShardJournal(head.shard, head);
    this.stageTimes = new StageTimes(head.sequence);
    const { segments, board, keyCheck, reader } = context.ports;
    this.index = ShardIndex.open(segments, head.shard, {
      board,
      keyCheck,
      headSequence: head.sequence,
      floor: () => reader.floor(head.shard),
      onChange: (change, detail) => this.#logIndex(change, detail),
    });
    this.history = new ShardHistory(head.shard, this.index, this.journal, reader);
    const { state, history } = this;
    const checks = new RequestChecks(state, context.controlBook);
    const policies = new Policies(state.programs, context.policyBook);
    const cryptography = new CardChecks(context.ports.cardKeys, state, context.ports.log);
    this.#cardChecks = cryptography;
    const { devices } = context.ports.cardKeys;
    this.parking = devices && new Parking(head.shard, devices, context.ports.instruments);
    this.decisions = { state, history, keys: context.ports.keys, policies, checks, cryptography };
    this.limits = new LimitsReader(state, context.controlBook, policies);
    this.#visitKey = (high, low) => this.index.add(high, low, this.#keySequence);
  }

  #keySequence = 0;

  /** Takes in a durable event: recovery and rebuild. `apply` is false when every row includes it and only the index wants it. */
  replayMessage(event: MessageEvent, apply: boolean): void {
    if (apply) applyMessage(this.state, event);
    if (event.sequence > this.index.coveredAfter) this.#addKeys(event);
  }

  replayEvent(event: PlainEvent, apply: boolean): void {
    if (apply) applyEvent(this.state, event);
    if (event.sequence > this.index.coveredAfter) this.#addKeys(event);
  }

  /** Takes one entry of a checkpoint into the empty state. */
  loadEntry(table: number, key: number, entry: Uint8Array): void {
    this.state.readEntry(table as Table, key, entry, 0, entry.length);
  }

  /** The state is whole: its cards are found from here on, by the fingerprints that they have now. */
  enlistCards(): void {
    const { cards } = this.state;
    for (let slot = 0; slot < cards.count; slot++) if (cards.exists(slot)) this.#enlist(slot);
  }

  /** Puts a card into the directory that the ingress routes by. A rebuilt shard finds its cards there already. */
  #enlist(slot: number): void {
    const { directory } = this.#context.ports;
    const { cards } = this.state;
    const [f0, f1, f2] = [cards.fingerprint(slot, 0), cards.fingerprint(slot, 1), cards.fingerprint(slot, 2)];
    if (directory.find(f0, f1, f2) < 0) directory.insert(f0, f1, f2, this.number, slot);
  }

  /** What lives outside the state: the directory of cards. */
  #afterEvent(event: PlainEvent): void {
    if (event.kind === EventKind.cardCreated) this.#enlist(event.cardSlot);
    else if (event.kind === EventKind.fingerprintChanged) {
      // The card keeps its entry of before, which may be in use at this moment, and gets another one.
      this.#enlist(event.cardSlot);
      this.#context.ports.directory.countFormer();
    }
  }

  #addKeys(event: MessageEvent | PlainEvent): void {
    this.#keySequence = event.sequence;
    keysOfEvent(event, this.#context.ports.keys, this.#visitKey);
  }

  /** Applies and appends one plain event of a command or of the shard itself. */
  record(event: PlainEvent): void {
    event.timeMs = this.#context.nowMs;
    event.sequence = this.journal.sequence + 1;
    applyEvent(this.state, event);
    this.journal.appendEvent(event);
    this.#settle();
    this.#afterEvent(event);
    this.#addKeys(event);
  }

  /** Ends the hold that is due first at `untilMs` (shard time, ms); false when none is. */
  expireNext(untilMs: number): boolean {
    const slot = firstDue(this.state, untilMs);
    if (slot < 0) return false;
    this.expire(slot);
    return true;
  }

  /** Ends the hold in this slot of the table and returns the sequence of the record. */
  expire(slot: number): number {
    const event = this.#expiry;
    decideExpiry(this.decisions, slot, event);
    this.record(event);
    this.#context.ports.instruments.count(ShardCounter.holdsExpired);
    return event.sequence;
  }

  /** Posts one record of a clearing file, unless it was posted before. */
  clearing(file: string, entry: ClearingEntry, asUnknown = false): ClearingPosted | ClearingAnswer {
    const decide = asUnknown ? decideAsUnknown : decideClearing;
    const decided = decide(this.decisions, file, entry, this.#context.nowMs, this.#context.windowLagMs);
    if (!('outcome' in decided)) this.record(decided);
    return decided;
  }

  /**
   * The record is whole: from here on the frame carries the digest of the state with it. First of all, because what
   * follows (index, directory) may throw, and the record would be committed with the digest of the one before.
   */
  #settle(): void {
    this.digest.high = this.state.digest.high;
    this.digest.low = this.state.digest.low;
    this.#context.ports.instruments.count(ShardCounter.records);
  }

  /**
   * Decides a wire message and queues its reply, or parks it.
   * @param parked the same message when it was parked before and is decided again
   */
  handleWire(client: number, entry: WireEntry, parked?: Parked): void {
    const context = this.#context;
    const { instruments, monotonicUs } = context.ports;
    const at = entry.payloadAt;
    const bytes = entry.bytes;
    const decoder = context.decoders[bytes[at + 16]!]!;
    const sampled = context.messages++ % STAGE_SAMPLE === 0 || context.inTurn < STAGE_FIRST;
    context.inTurn++;
    const startUs = sampled ? monotonicUs() : 0;
    const messageAt = at + WIRE_HEADER_BYTES;
    const messageEnd = at + entry.payloadLength;
    const decoded = decoder.decode(bytes, messageAt, messageEnd);
    // A reply or a notification gets no answer, and is no request that could be decided. The ingress counts them and sends none.
    if (replyMti(decoder.mti) < 0) {
      this.drop(client, entry.token);
      return;
    }
    const { input } = context.event;
    normalize(decoder, decoded, bytes[at + 16]!, bytes[at + 18]! | (bytes[at + 19]! << 8), input);
    datesOf(input, businessDayOfWireEntry(bytes, at), context.nowMs);
    if (parked === undefined) instruments.queue.record(context.nowUs - entry.timeUs);
    const bodyAt = messageAt + decoder.dialect.mtiBytes;
    if (this.poisons.has(bytes, bodyAt, messageEnd - bodyAt)) {
      instruments.count(ShardCounter.poisoned);
      this.refuse(client, entry, Response.systemError);
      return;
    }
    // What tells of something that has happened is taken late rather than not at all: its sender only says it again.
    if (context.nowUs > entry.b && asksForApproval(decoder.mti)) {
      instruments.count(ShardCounter.shedDeadline);
      this.refuse(client, entry, Response.unavailable);
      return;
    }
    if (this.index.refusing) {
      instruments.count(this.index.incomplete ? ShardCounter.shedIncomplete : ShardCounter.shedFull);
      this.refuse(client, entry, Response.unavailable);
      return;
    }
    const decodedUs = sampled ? monotonicUs() : 0;
    this.#plantedFault();
    const before = sampled ? this.journal.sequence : 0;
    const encodeUs = this.#decide(client, entry, decoder, at, sampled, parked);
    if (sampled) {
      const decodeUs = decodedUs - startUs;
      const decideUs = monotonicUs() - decodedUs - encodeUs;
      instruments.decode.record(decodeUs);
      instruments.encode.record(encodeUs);
      instruments.decide.record(decideUs);
      const { sequence } = this.journal;
      // A repeat left no record that anybody could ask about.
      if (sequence > before) {
        this.stageTimes.add(sequence, context.nowUs - entry.timeUs, decodeUs, decideUs, encodeUs);
      }
    }
  }

  /** Returns the time the reply's encoding took, us; 0 when the message is not sampled. */
  #decide(
    client: number,
    entry: WireEntry,
    decoder: Decoder,
    at: number,
    sampled: boolean,
    parked: Parked | undefined,
  ): number {
    const context = this.#context;
    const event = context.event;
    const { bytes } = entry;
    const route = wordAt(bytes, at);
    event.fingerprint[0] = wordAt(bytes, at + 4);
    event.fingerprint[1] = wordAt(bytes, at + 8);
    event.fingerprint[2] = wordAt(bytes, at + 12);
    const cardSlot = route === NO_ROUTE ? -1 : route & CARD_SLOT_MASK;
    // The message was normalized into the event's own input: nothing is copied.
    const { input } = event;
    this.#cardChecks.begin(decoder, parked?.questions);
    const decision = decideMessage(this.decisions, input, cardSlot, context.nowMs, context.windowLagMs, event);
    this.#cardChecks.end();
    const mti = input.mti;
    const fresh = decision === DECIDED;
    const { questions } = this.#cardChecks;
    if (fresh && questions?.isOpen === true) {
      this.#park(client, entry, questions, parked);
      return 0;
    }
    if (fresh && parked !== undefined) noteDevices(event, parked, context.nowUs);
    if (fresh && event.cardSlot < 0 && event.element === ElementKind.advice) {
      // What the network decided is journaled or not accepted: 91 leaves it in the network's queue.
      if (!this.#unknownAdvices.take(context.nowMs)) {
        context.ports.instruments.count(ShardCounter.shedAdvice);
        this.refuse(client, entry, Response.unavailable);
        return 0;
      }
    }
    const answer = fresh ? event : this.history.read(decision);
    // Encoded before anything is kept: a reply that cannot be written must not leave a hold behind.
    const encoder = context.encoders[decoder.dialect.index]!;
    const startUs = sampled ? context.ports.monotonicUs() : 0;
    const length = writeReply(encoder, decoder, answer, this.state, this.held.buffer(), this.held.offset);
    const encodeUs = sampled ? context.ports.monotonicUs() - startUs : 0;
    if (fresh) this.#keep(event);
    else context.ports.instruments.count(ShardCounter.repeats);
    const undoable = fresh && isUndoable(event) ? 1 : 0;
    this.held.push(this.journal.sequence, client, ReplyKind.wire, undoable, entry.token, answer.sequence, length);
    context.ports.instruments.outcome(mti, answer.response, answer.reason);
    return encodeUs;
  }

  /** What was decided counts for nothing until the devices have answered. */
  #park(client: number, entry: WireEntry, questions: Questions, parked: Parked | undefined): void {
    const parking = this.parking!;
    const { event, nowUs, ports } = this.#context;
    if (parked !== undefined) parking.send(parked, nowUs);
    else if (!parking.park(client, entry, event.cardSlot, questions, nowUs)) {
      ports.instruments.count(ShardCounter.shedParked);
      this.refuse(client, entry, Response.unavailable);
    }
  }

  #keep(event: MessageEvent): void {
    if (event.cardSlot < 0 && event.element !== ElementKind.advice && !this.#unknownCards.take(this.#context.nowMs))
      return;
    event.sequence = this.journal.sequence + 1;
    applyMessage(this.state, event);
    this.journal.appendMessage(event);
    this.#settle();
    this.#addKeys(event);
  }

  /** Answers 91 or 96 without a decision. The request must have been decoded by its dialect's decoder. */
  refuse(client: number, entry: WireEntry, response: number): void {
    const dialect = entry.bytes[entry.payloadAt + 16]!;
    const decoder = this.#context.decoders[dialect]!;
    decoder.decode(entry.bytes, entry.payloadAt + WIRE_HEADER_BYTES, entry.payloadAt + entry.payloadLength);
    const length = writeRefusal(
      this.#context.encoders[dialect]!,
      decoder,
      response,
      this.held.buffer(),
      this.held.offset,
    );
    this.held.push(this.journal.sequence, client, ReplyKind.wire, 0, entry.token, 0, length);
    this.#context.ports.instruments.outcome(decoder.mti, response, 0);
  }

  /**
   * Rolls back an approval whose reply was not handed to its socket in time, and says so when that is durable. It waits while
   * the index cannot tell whether that was done before.
   */
  rollBack(client: number, token: number, sequence: number): void {
    if (!this.index.covers(sequence)) {
      this.postpone({ client, token, sequence });
      return;
    }
    const event = decideNotDelivered(this.decisions, sequence, this.#context.nowMs);
    if (event !== undefined) this.record(event);
    this.held.push(
      this.journal.sequence,
      client,
      ReplyKind.rolledBack,
      event === undefined ? 0 : 1,
      token,
      sequence,
      0,
    );
  }

  /** Queues a payload that is not an ISO message: the result of a command or a read. */
  queueResult(client: number, token: number, payload: Uint8Array): void {
    const target = this.held.buffer(Math.max(REPLY_BYTES_MAX, payload.length));
    target.set(payload, this.held.offset);
    this.held.push(this.journal.sequence, client, ReplyKind.result, 0, token, 0, payload.length);
  }

  /** Answers a command or a read while the shard is out of service. */
  refuseCall(client: number, token: number, code: Refusal = 'shard_unavailable'): void {
    this.queueResult(client, token, pack({ ok: false, code }));
  }

  /** Key of a comparison of totals in the index. */
  comparisonKey(command: CompareTotals): { high: number; low: number } {
    const { keys } = this.#context.ports;
    keys.comparisonKey(command);
    return { high: keys.high, low: keys.low };
  }

  /** Counts an answer that is none to a wire entry. */
  countOutcome(mti: number, response: number): void {
    this.#context.ports.instruments.outcome(mti, response, 0);
  }

  /** True for a command or a read that once stopped the shard; it has been refused then. */
  refusesAgain(client: number, entry: WireEntry): boolean {
    if (!this.poisons.has(entry.bytes, entry.payloadAt, entry.payloadLength)) return false;
    this.#context.ports.instruments.count(ShardCounter.poisoned);
    this.refuseCall(client, entry.token, 'set_aside');
    return true;
  }

  /** The planted fault of a test, in a command. */
  plantedCommandFault(reference: string): void {
    const { throwRrn } = this.#context.ports.faults;
    if (throwRrn !== '' && reference === throwRrn) throw new Error('planted fault');
  }

  /**
   * Gives a request back without an answer: even a refusal of it cannot be written. `sequence`: of the approval whose
   * roll-back is given up.
   */
  drop(client: number, token: number, sequence = 0): void {
    this.held.push(this.journal.sequence, client, ReplyKind.dropped, 0, token, sequence, 0);
  }

  /** Sets the message of the entry aside after it stopped the shard; the shard has been rebuilt meanwhile. */
  setAside(hashHigh: number, hashLow: number, error: string): void {
    this.record({ kind: EventKind.poison, sequence: 0, timeMs: 0, hashHigh, hashLow, error });
  }

  /** Keeps a roll-back for a later turn. */
  postpone(rollBack: RollBack): void {
    this.#postponed.push(rollBack);
  }

  /** The roll-backs that wait; they are the caller's from here on. */
  takePostponed(): RollBack[] {
    return this.#postponed.splice(0);
  }

  /** Small work once per turn: counts of unknown cards, segments that were published. */
  maintain(): void {
    this.index.maintain();
    if (this.#postponed.length > 0) this.#rollBackPostponed();
    this.recordUnknownCards(this.#unknownCards.due(this.#context.nowMs));
  }

  /** Unknown cards that are counted and in no record yet; the caller records them, here or in the shard that follows. */
  takeUnknownCards(): number {
    return this.#unknownCards.takeAll();
  }

  /** Records a count of unknown cards, if there are any. */
  recordUnknownCards(count: number): void {
    if (count > 0) this.record({ kind: EventKind.unknownCardCount, sequence: 0, timeMs: 0, count });
  }

  /** One that throws stays in the list: whoever takes the shard down takes it over. */
  #rollBackPostponed(): void {
    for (let left = this.#postponed.length; left > 0; left--) {
      const [first] = this.#postponed;
      const { client, token, sequence } = first!;
      this.rollBack(client, token, sequence);
      this.#postponed.shift();
    }
  }

  #logIndex(change: IndexChange, detail: string): void {
    const { log } = this.#context.ports;
    const data = { shard: this.number, detail };
    switch (change) {
      case 'damaged':
        log('error', 'the fingerprint segments of a shard are damaged; they are built anew from the journal', data);
        return;
      case 'incomplete':
        log('warn', 'the index of a shard is incomplete: new work is answered 91 until its segments are built', data);
        return;
      case 'complete':
        log('info', 'the index of a shard is complete again', data);
        return;
    }
  }

  #plantedFault(): void {
    const { throwRrn } = this.#context.ports.faults;
    if (throwRrn !== '' && this.#context.event.input.textOf(Text.rrn) === throwRrn) throw new Error('planted fault');
  }
}

/** Only the approval of a request with an effect can be rolled back when its reply cannot be sent in time. */
function isUndoable({ element, holdDelta, holdExpiresMs, postings, originalSequence }: MessageEvent): boolean {
  if (!isRequest(element)) return false;
  return holdDelta > 0 || postings.count > 0 || (holdExpiresMs > 0 && originalSequence === 0);
}

/** What a request is set aside by: of a wire message everything but its type, of a command or a read everything. */
export function entryHash(entry: WireEntry, context: ThreadContext): Uint32Array {
  if (entry.kind !== RequestKind.wire) return messageHash(entry.bytes, entry.payloadAt, entry.payloadLength);
  const { mtiBytes } = context.decoders[entry.bytes[entry.payloadAt + 16]!]!.dialect;
  const skipped = WIRE_HEADER_BYTES + mtiBytes;
  return messageHash(entry.bytes, entry.payloadAt + skipped, entry.payloadLength - skipped);
}
