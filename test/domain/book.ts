/**
 * A shard without threads, rings or disk: state, journal and index in memory, driven step by step by tests and
 * benchmarks. The history hands out one reused event and one reused result, as the real one does, so that code which
 * keeps either of them too long fails here too.
 */

import { applyEvent, applyMessage } from '#src/domain/apply.js';
import { approvalCodeText } from '#src/domain/approval-code.js';
import { answerOf, decideClearing } from '#src/domain/clearing/decide-clearing.js';
import type { ClearingAnswer, ClearingEntry } from '#src/domain/clearing/input.js';
import { EventKind } from '#src/domain/codes.js';
import type { Change, CommandResult } from '#src/domain/commands.js';
import { ControlBook } from '#src/domain/controls/control-book.js';
import { LimitsReader } from '#src/domain/controls/limits-view.js';
import { type CardCryptography, noCryptography } from '#src/domain/cryptography.js';
import { decideAccrual } from '#src/domain/decide-accrual.js';
import { decideCommand } from '#src/domain/decide-command.js';
import { decideExpiry, firstDue, newExpiry } from '#src/domain/decide-expiry.js';
import { DECIDED, decideMessage } from '#src/domain/decide-message.js';
import { decideNotDelivered } from '#src/domain/decide-reversal.js';
import type { DecisionContext } from '#src/domain/decision-context.js';
import { MessageEvent, type PlainEvent } from '#src/domain/events.js';
import type { Found, History } from '#src/domain/history.js';
import { IndexKeys, keysOfEvent } from '#src/domain/index-keys.js';
import type { MessageInput } from '#src/domain/message.js';
import { applyProgram } from '#src/domain/program/apply-program.js';
import { Policies, type Policy, PolicyBook } from '#src/domain/program/policy.js';
import { makeSnapshot, type SnapshotRule } from '#src/domain/program/snapshot.js';
import { ReplyFacts, replyFacts } from '#src/domain/reply-facts.js';
import { RequestChecks } from '#src/domain/request-checks.js';
import { ShardState } from '#src/domain/shard-state.js';
import { copyInput } from '#src/domain/texts.js';
import { WindowClock } from '#src/domain/velocity/window-clock.js';
import { IntlZoneCalendar } from '#src/intl-zone-calendar.js';
import { dialectNames } from '#src/iso8583/dialects.js';

export type Recorded = MessageEvent | PlainEvent;

export function copyMessageEvent(from: MessageEvent, to: MessageEvent): MessageEvent {
  copyInput(from.input, to.input);
  to.sequence = from.sequence;
  to.timeMs = from.timeMs;
  to.windowLagMs = from.windowLagMs;
  to.element = from.element;
  to.accountSlot = from.accountSlot;
  to.cardSlot = from.cardSlot;
  to.fingerprint.set(from.fingerprint);
  to.response = from.response;
  to.reason = from.reason;
  to.approvalCode = from.approvalCode;
  to.approvedAmount = from.approvedAmount;
  to.holdDelta = from.holdDelta;
  to.holdExpiresMs = from.holdExpiresMs;
  to.originalSequence = from.originalSequence;
  to.tombstone = from.tombstone;
  to.creditLimitBefore = from.creditLimitBefore;
  to.postedBefore = from.postedBefore;
  to.heldBefore = from.heldBefore;
  to.previousOfAccount = from.previousOfAccount;
  to.previousOfCard = from.previousOfCard;
  to.authorizedAfter = from.authorizedAfter;
  to.holdPlaced = from.holdPlaced;
  to.holdFlags = from.holdFlags;
  to.elementSequence = from.elementSequence;
  to.countedNumber = from.countedNumber;
  to.countedAmount = from.countedAmount;
  to.tokenSlot = from.tokenSlot;
  to.cardStatusAfter = from.cardStatusAfter;
  to.programRevision = from.programRevision;
  to.decidingRule = from.decidingRule;
  to.rulesAsked = from.rulesAsked;
  to.ruleBits.set(from.ruleBits);
  to.findingCount = from.findingCount;
  to.finding.set(from.finding);
  to.cardReadings = from.cardReadings;
  to.accountReadings = from.accountReadings;
  to.readings.set(from.readings);
  to.postings.setAll(from.postings.toList());
  to.changes.clear();
  for (let i = 0; i < from.changes.count; i++) {
    const { owner, key, bucket, amount, uses } = from.changes;
    to.changes.add(owner[i]!, key[i]!, bucket[i]!, amount[i]!, uses[i]!);
  }
  to.checked = from.checked;
  to.checks.set(from.checks);
  to.pinTriesAfter = from.pinTriesAfter;
  to.counter = from.counter;
  to.counterBefore = from.counterBefore;
  to.deviceWaitUs = from.deviceWaitUs;
  to.deviceFailure = from.deviceFailure;
  to.issuerDataLength = from.issuerDataLength;
  to.issuerData.set(from.issuerData);
  to.verdicts.set(from.verdicts);
  to.verdictCount = from.verdictCount;
  return to;
}

class ReusedFound implements Found {
  count = 0;
  sequences = new Float64Array(4096);
}

export class MemoryHistory implements History {
  readonly events: Recorded[] = [];
  /** What is at or below it was dropped: whoever reads it has not looked. */
  floor = 0;
  readonly #index = new Map<string, number[]>();
  readonly #found = new ReusedFound();
  readonly #reused = new MessageEvent();

  add(event: Recorded, keys: IndexKeys): void {
    this.events.push(event);
    keysOfEvent(event, keys, (high, low) => {
      const key = `${high}:${low}`;
      const list = this.#index.get(key);
      // Two keys of one event may be the same key: an index keeps the sequence once or twice, both are allowed.
      if (list === undefined) this.#index.set(key, [event.sequence]);
      else list.push(event.sequence);
    });
  }

  at(sequence: number): Recorded {
    if (sequence <= this.floor) throw new Error(`record ${sequence} was dropped`);
    return this.events[sequence - 1]!;
  }

  /** Leaves out what is older than `sinceMs`, as an index whose old segments are not asked. */
  find(high: number, low: number, sinceMs = 0): Found {
    const all = (this.#index.get(`${high}:${low}`) ?? []).filter((sequence) => sequence > this.floor);
    const list = all.filter((sequence) => this.at(sequence).timeMs >= sinceMs);
    this.#found.count = list.length;
    this.#found.sequences.set(list);
    return this.#found;
  }

  read(sequence: number): MessageEvent {
    const event = this.at(sequence);
    if (event.kind !== EventKind.message) throw new Error(`record ${sequence} is no message`);
    return copyMessageEvent(event as MessageEvent, this.#reused);
  }

  isMessage(sequence: number): boolean {
    return this.at(sequence).kind === EventKind.message;
  }

  readEvent(sequence: number): PlainEvent | undefined {
    const event = this.at(sequence);
    return event.kind === EventKind.message ? undefined : (event as PlainEvent);
  }
}

/** What came out of one message. */
export interface Outcome {
  /** DE39. */
  response: string;
  /** Six digits, '' without. */
  approvalCode: string;
  /** Sequence of the record that answers: new, or the one that was repeated. */
  sequence: number;
  repeated: boolean;
  facts: ReplyFacts;
  event: MessageEvent;
}

const calendar = new IntlZoneCalendar();

/** Of a program: what decisions read. Tables and controls are JSON. */
interface GivenProgram {
  tables: unknown;
  controls: unknown;
  rules?: readonly SnapshotRule[];
}

/** Of a program: what decisions do not read. */
const UNUSED = { id: 'program', currency: 'BRL', product: 'credit', sandbox: true };

export class Book {
  state = new ShardState(0);
  readonly keys = new IndexKeys(0x12345678, 0x0badcafe);
  readonly history = new MemoryHistory();
  readonly #controls = new ControlBook(new WindowClock(calendar));
  context: DecisionContext;
  /** How far behind the given time velocity windows count, ms. */
  windowLagMs = 0;
  /** Who looks at what a message carries. */
  readonly cryptography: CardCryptography;
  #policy: Policy | undefined;
  readonly #out = new MessageEvent();

  /** @param policy of every program; without it each program's own */
  constructor(policy?: Policy, cryptography: CardCryptography = noCryptography) {
    this.#policy = policy;
    this.cryptography = cryptography;
    this.context = this.#contextOf(this.state);
  }

  /** From here on every program says this. */
  setPolicy(policy: Policy): void {
    this.#policy = policy;
    this.context = this.#contextOf(this.state);
  }

  /** Everything that was only in memory is gone; the state comes from the records again, and must be what it was. */
  restart(): void {
    const { high, low } = this.state.digest;
    this.state = new ShardState(0);
    for (const event of this.history.events) applyRecorded(this.state, event);
    if (this.state.digest.high !== high || this.state.digest.low !== low)
      throw new Error('a restart gave another state');
    this.context = this.#contextOf(this.state);
  }

  #contextOf(state: ShardState): DecisionContext {
    const { history, keys } = this;
    const policy = this.#policy;
    const policies =
      policy === undefined ? new Policies(state.programs, new PolicyBook(dialectNames)) : { of: () => policy };
    const checks = new RequestChecks(state, this.#controls);
    return { state, history, keys, policies, checks, cryptography: this.cryptography };
  }

  /** Decides a message of a card; with slot -1, of the unknown card with this fingerprint. */
  message(input: MessageInput, cardSlot: number, nowMs: number, fingerprint?: readonly number[]): Outcome {
    if (cardSlot < 0) this.#out.fingerprint.set(fingerprint ?? [0, 0, 0]);
    const decision = decideMessage(this.context, input, cardSlot, nowMs, this.windowLagMs, this.#out);
    const event =
      decision === DECIDED ? this.keep(copyMessageEvent(this.#out, new MessageEvent())) : this.stored(decision);
    const facts = new ReplyFacts();
    replyFacts(this.state, event, facts);
    return {
      response: String.fromCharCode(facts.response >> 8, facts.response & 0xff),
      approvalCode: approvalCodeText(facts.approvalCode),
      sequence: event.sequence,
      repeated: decision !== DECIDED,
      facts,
      event,
    };
  }

  command(command: Change, nowMs: number): CommandResult {
    return decideCommand(this.context, command, nowMs, (event) => this.commit(event));
  }

  /** The next slice of the daily accrual, of so many accounts. */
  accrue(day: number, limit: number, nowMs: number): CommandResult {
    return decideAccrual(this.context, { op: 'accrue', day, limit }, nowMs, (event) => this.commit(event));
  }

  /** Decides one record of a clearing file. */
  clearing(file: string, entry: ClearingEntry, nowMs: number, windowLagMs = 0): ClearingAnswer {
    const decided = decideClearing(this.context, file, entry, nowMs, windowLagMs);
    if ('outcome' in decided) return decided;
    this.commit(decided);
    return answerOf('posted', decided);
  }

  /**
   * Hands the shard a revision of a program.
   * @throws Error when it is not valid
   */
  applyProgram(program: number, revision: number, given: GivenProgram, nowMs: number): void {
    const made = makeSnapshot({ ...UNUSED, rules: [], ...given }, revision, {
      dialects: dialectNames,
      knowsZone: (zone) => calendar.knows(zone),
    });
    if (!made.ok) throw new Error(JSON.stringify(made.problems));
    const command = { op: 'apply_program', program, revision, text: made.text } as const;
    applyProgram(this.state, command, nowMs, (event) => this.commit(event));
  }

  /** What limits cards and accounts now. */
  get limits(): LimitsReader {
    return new LimitsReader(this.state, this.#controls, this.context.policies);
  }

  /** The reply of the approval at `sequence` was not delivered; false when there is nothing to roll back. */
  notDelivered(sequence: number, nowMs: number): boolean {
    const event = decideNotDelivered(this.context, sequence, nowMs);
    if (event === undefined) return false;
    this.commit(event);
    return true;
  }

  /** Ends every hold that is due, and returns how many those were. */
  expireDue(nowMs: number): number {
    let ended = 0;
    for (let slot = firstDue(this.state, nowMs); slot >= 0; slot = firstDue(this.state, nowMs)) {
      const event = newExpiry();
      event.timeMs = nowMs;
      decideExpiry(this.context, slot, event);
      this.commit(event);
      ended++;
    }
    return ended;
  }

  /** Takes in a decided message as the next record. */
  protected keep(event: MessageEvent): MessageEvent {
    event.sequence = this.history.events.length + 1;
    this.history.add(event, this.keys);
    applyMessage(this.state, event);
    return event;
  }

  /** The message that was recorded at the sequence. */
  protected stored(sequence: number): MessageEvent {
    return this.history.at(sequence) as MessageEvent;
  }

  protected commit(event: PlainEvent): void {
    event.sequence = this.history.events.length + 1;
    this.history.add(event, this.keys);
    applyEvent(this.state, event);
  }
}

/** Sum of held amounts over all accounts, whatever their currency. */
export function heldTotal({ accounts }: ShardState): number {
  let sum = 0;
  for (let slot = 0; slot < accounts.count; slot++) sum += accounts.held(slot);
  return sum;
}

/** Applies one record of either kind. */
export function applyRecorded(state: ShardState, event: Recorded): void {
  if (event.kind === EventKind.message) applyMessage(state, event as MessageEvent);
  else applyEvent(state, event as PlainEvent);
}
