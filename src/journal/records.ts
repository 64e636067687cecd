/**
 * Records: one journal event as a MessagePack array `[kind, version, ...]`, with its results, so that a replay is a fold.
 * The sequence is not in the record: it is the frame's first sequence plus the record's index.
 *
 * If you change a record: give it the next version, keep the old reader in `readers`, and never reuse a kind. Every
 * version that was ever released stays readable.
 */
import type { ClearingFee, ClearingInput } from '../domain/clearing/input.js';
import { EventKind } from '../domain/codes.js';
import type { FieldValue } from '../domain/compare-totals.js';
import type {
  ClearingPosted,
  DisputedCharge,
  EntryLeg,
  EntryPosted,
  Fingerprint,
  HoldExpired,
  MessageEvent,
  PlainEvent,
  Posting,
} from '../domain/events.js';
import type { EntryKind } from '../domain/ledger/entry-kinds.js';
import type { Counted, Total } from '../domain/totals.js';
import { readMessage, writeMessage } from './message-record.js';
import { MsgpackError, type MsgpackReader, type MsgpackWriter } from './msgpack.js';

export { writeMessage };

const FIRST_VERSION = 1;

/** Appends the record of a plain event (without length prefix) to `out`. */
export function writePlain(out: MsgpackWriter, event: PlainEvent): void {
  switch (event.kind) {
    case EventKind.accountCreated:
      head(out, event, 9);
      out.integer(event.accountSlot);
      out.text(event.id);
      numbers(out, event.program, event.currency, event.creditLimit, event.type);
      break;
    case EventKind.accountUpdated:
      head(out, event, 7);
      numbers(out, event.accountSlot, event.creditLimit, event.status, event.previousOfAccount);
      break;
    case EventKind.cardCreated:
      head(out, event, 18, 2);
      numbers(out, event.cardSlot, event.accountSlot, ...event.fingerprint, event.bin, event.last4, event.panLength);
      numbers(out, event.expiry, event.cardSequence, event.serviceCode, event.status, event.replacesSlot);
      numbers(out, event.aliasOfSlot, event.previousOfAccount);
      break;
    case EventKind.cardUpdated:
      head(out, event, 9, 2);
      numbers(out, event.cardSlot, event.accountSlot, event.status, event.pinTries);
      numbers(out, event.previousOfCard, event.previousOfAccount);
      break;
    case EventKind.notDelivered:
      head(out, event, 14, 4);
      numbers(out, event.accountSlot, event.cardSlot, event.originalSequence, event.authorizationSequence);
      numbers(out, event.authorizedAfter, event.holdDelta);
      counted(out, event.counted);
      postings(out, event.postings);
      out.binary(event.changes);
      numbers(out, event.previousOfAccount, event.previousOfCard);
      break;
    case EventKind.holdExpired:
      holdExpired(out, event);
      break;
    case EventKind.payment:
      head(out, event, 9);
      numbers(out, event.accountSlot, event.amount, event.currency);
      out.text(event.reference);
      postings(out, event.postings);
      numbers(out, event.previousOfAccount);
      break;
    case EventKind.entryPosted:
      if (event.disputed?.charge !== undefined) head(out, event, 24, 4);
      else if (event.disputed !== undefined) head(out, event, 17, 2);
      else if (event.ended !== undefined) head(out, event, 16, 3);
      else head(out, event, 14);
      numbers(out, event.entry, event.accountSlot, event.cardSlot, event.day);
      out.text(event.reference);
      numbers(out, event.relatedSequence);
      out.text(event.note);
      numbers(out, event.carry);
      entryLegs(out, event.legs);
      numbers(out, event.previousOfAccount, event.previousOfCard);
      if (event.disputed !== undefined) {
        numbers(out, event.disputed.posted);
        out.text(event.disputed.arn);
        out.text(event.disputed.reasonCode);
        if (event.disputed.charge !== undefined) disputedCharge(out, event.disputed.charge);
      } else if (event.ended !== undefined) {
        numbers(out, event.ended.posted, event.ended.kept);
      }
      break;
    case EventKind.clearingPosted:
      head(out, event, 27, 3);
      numbers(out, event.accountSlot, event.cardSlot, event.tokenSlot, ...event.fingerprint);
      out.text(event.file);
      clearingInput(out, event.input);
      numbers(out, event.sort, event.rung, event.flags, event.originalSequence, event.relatedSequence, event.posted);
      numbers(out, event.authorizedAfter, event.holdDelta, event.holdFlags, event.programRevision);
      out.binary(event.changes);
      entryLegs(out, event.legs);
      numbers(out, event.previousOfAccount, event.previousOfCard, event.disputeSequence, event.windowLagMs);
      break;
    case EventKind.accrualMarked:
      head(out, event, 5);
      numbers(out, event.day, event.nextSlot);
      break;
    case EventKind.statementClosed:
      head(out, event, 9);
      numbers(out, event.accountSlot, event.day, event.balance, event.minimumDue, event.dueDay);
      numbers(out, event.previousOfAccount);
      break;
    case EventKind.totalsCompared:
      head(out, event, 13);
      numbers(out, event.mti, event.link, event.acquirer, event.day, event.currency, event.transmission, event.stan);
      numbers(out, event.equal);
      fieldValues(out, event.theirs);
      fieldValues(out, event.ours);
      break;
    case EventKind.poison:
      head(out, event, 6);
      numbers(out, event.hashHigh, event.hashLow);
      out.text(event.error);
      break;
    case EventKind.unknownCardCount:
      head(out, event, 4);
      numbers(out, event.count);
      break;
    case EventKind.programApplied:
      head(out, event, 6);
      numbers(out, event.program, event.revision);
      out.text(event.text);
      break;
    case EventKind.controlsSet:
      head(out, event, 8);
      numbers(out, event.accountSlot, event.cardSlot);
      out.text(event.text);
      numbers(out, event.previousOfAccount, event.previousOfCard);
      break;
    case EventKind.pinReferenceSet:
      head(out, event, 8);
      numbers(out, event.accountSlot, event.cardSlot);
      out.binary(event.sealed);
      numbers(out, event.previousOfAccount, event.previousOfCard);
      break;
    case EventKind.fingerprintChanged:
      head(out, event, 9);
      numbers(out, event.cardSlot, ...event.fingerprint);
      out.binary(event.sealed);
      numbers(out, event.previousOfCard);
      break;
    case EventKind.idempotency:
      head(out, event, 6);
      out.binary(event.keyHash);
      out.binary(event.bodyHash);
      out.binary(event.outcome);
      break;
  }
}

function head(out: MsgpackWriter, event: PlainEvent, fields: number, version = FIRST_VERSION): void {
  out.arrayHeader(fields);
  out.reserve(3 * 9);
  out.integer(event.kind);
  out.integer(version);
  out.integer(event.timeMs);
}

function disputedCharge(out: MsgpackWriter, charge: DisputedCharge): void {
  numbers(out, charge.amount, charge.cash, charge.markup, charge.fee, charge.back, charge.markupBack, charge.feeBack);
}

/** The one plain event that comes by the million, in the sweep: written without a list of its numbers. */
function holdExpired(out: MsgpackWriter, event: HoldExpired): void {
  head(out, event, 11);
  out.reserve(5 * 9);
  out.integer(event.accountSlot);
  out.integer(event.cardSlot);
  out.integer(event.originalSequence);
  out.integer(event.authorizedAfter);
  out.integer(event.holdDelta);
  out.binary(event.changes);
  out.reserve(2 * 9);
  out.integer(event.previousOfAccount);
  out.integer(event.previousOfCard);
}

function postings(out: MsgpackWriter, legs: readonly Posting[]): void {
  out.arrayHeader(legs.length * 2);
  for (const leg of legs) numbers(out, leg.glAccount, leg.amount);
}

function entryLegs(out: MsgpackWriter, legs: readonly EntryLeg[]): void {
  out.arrayHeader(legs.length * 4);
  for (const leg of legs) numbers(out, leg.glAccount, leg.currency, leg.sub, leg.amount);
}

/** Members of a clearing record that are numbers and texts, in the order of the format. */
const clearingNumbers = [
  'record',
  'mti',
  'functionCode',
  'processingCode',
  'amount',
  'currency',
  'settlementAmount',
  'settlementCurrency',
  'billingAmount',
  'billingCurrency',
  'network',
  'sub',
  'businessDay',
  'mcc',
  'country',
  'localDay',
  'localSeconds',
  'partial',
  'sequence',
  'count',
  'reversal',
  'originalDay',
] as const satisfies (keyof ClearingInput)[];
const clearingTexts = [
  'arn',
  'networkId',
  'rrn',
  'approvalCode',
  'acquirer',
  'terminal',
  'acceptor',
  'acceptorName',
] as const satisfies (keyof ClearingInput)[];

function clearingInput(out: MsgpackWriter, input: ClearingInput): void {
  out.arrayHeader(clearingNumbers.length + clearingTexts.length + 2);
  out.reserve(clearingNumbers.length * 9);
  for (const name of clearingNumbers) out.integer(input[name]);
  for (const name of clearingTexts) out.text(input[name]);
  out.arrayHeader(input.fees.length * 3);
  for (const { amount, currency, sign } of input.fees) numbers(out, amount, currency, sign);
  out.integer(input.cashBack);
}

function fieldValues(out: MsgpackWriter, fields: readonly FieldValue[]): void {
  out.arrayHeader(fields.length * 2);
  for (const { field, value } of fields) numbers(out, field, value);
}

function counted(out: MsgpackWriter, message: Counted | undefined): void {
  out.arrayHeader(message === undefined ? 0 : 7);
  if (message === undefined) return;
  const { link, acquirer, day, currency, total, amount, number } = message;
  numbers(out, link, acquirer, day, currency, total, amount, number);
}

function numbers(out: MsgpackWriter, ...values: number[]): void {
  out.reserve(values.length * 9);
  for (const value of values) out.integer(value);
}

type PlainReader = (reader: MsgpackReader, sequence: number, timeMs: number) => PlainEvent;
interface PlainForm {
  fields: number;
  read: PlainReader;
}

/** Readers of plain records by kind and version. */
const readers = new Map<number, PlainForm>();
const form = (kind: number, version: number, fields: number, read: PlainReader): void => {
  readers.set(kind * 256 + version, { fields, read });
};

form(EventKind.accountCreated, 1, 9, (r, sequence, timeMs) => ({
  kind: EventKind.accountCreated,
  sequence,
  timeMs,
  accountSlot: r.integer(),
  id: r.text(),
  program: r.integer(),
  currency: r.integer(),
  creditLimit: r.integer(),
  type: r.integer() as 1,
}));
form(EventKind.accountUpdated, 1, 7, (r, sequence, timeMs) => ({
  kind: EventKind.accountUpdated,
  sequence,
  timeMs,
  accountSlot: r.integer(),
  creditLimit: r.integer(),
  status: r.integer() as 1,
  previousOfAccount: r.integer(),
}));
/** Version 1 knew no network tokens. */
for (const version of [1, 2]) {
  form(EventKind.cardCreated, version, 16 + version, (r, sequence, timeMs) => ({
    kind: EventKind.cardCreated,
    sequence,
    timeMs,
    cardSlot: r.integer(),
    accountSlot: r.integer(),
    fingerprint: [r.integer(), r.integer(), r.integer()] satisfies Fingerprint,
    bin: r.integer(),
    last4: r.integer(),
    panLength: r.integer(),
    expiry: r.integer(),
    cardSequence: r.integer(),
    serviceCode: r.integer(),
    status: r.integer() as 1,
    replacesSlot: r.integer(),
    aliasOfSlot: version === 1 ? -1 : r.integer(),
    previousOfAccount: r.integer(),
  }));
  /** Nor failed PINs. */
  form(EventKind.cardUpdated, version, 7 + version, (r, sequence, timeMs) => ({
    kind: EventKind.cardUpdated,
    sequence,
    timeMs,
    cardSlot: r.integer(),
    accountSlot: r.integer(),
    status: r.integer() as 1,
    pinTries: version === 1 ? -1 : r.integer(),
    previousOfCard: r.integer(),
    previousOfAccount: r.integer(),
  }));
}
/** Until version 2 nothing but whole authorizations could be rolled back, and they did no more than hold. */
form(EventKind.notDelivered, 1, 9, (r, sequence, timeMs) => {
  const accountSlot = r.integer();
  const cardSlot = r.integer();
  const originalSequence = r.integer();
  return {
    kind: EventKind.notDelivered,
    sequence,
    timeMs,
    accountSlot,
    cardSlot,
    originalSequence,
    authorizationSequence: originalSequence,
    authorizedAfter: 0,
    holdDelta: r.integer(),
    counted: undefined,
    postings: [],
    changes: new Uint8Array(0),
    previousOfAccount: r.integer(),
    previousOfCard: r.integer(),
  };
});
/** Version 2 knew no totals, version 3 took nothing out of an amount alone. */
for (const version of [2, 3, 4]) {
  form(EventKind.notDelivered, version, version === 2 ? 13 : 14, (r, sequence, timeMs) => ({
    kind: EventKind.notDelivered,
    sequence,
    timeMs,
    accountSlot: r.integer(),
    cardSlot: r.integer(),
    originalSequence: r.integer(),
    authorizationSequence: r.integer(),
    authorizedAfter: r.integer(),
    holdDelta: r.integer(),
    counted: version === 2 ? undefined : readCounted(r),
    postings: readPostings(r),
    changes: r.binary(),
    previousOfAccount: r.integer(),
    previousOfCard: r.integer(),
  }));
}
form(EventKind.holdExpired, 1, 11, (r, sequence, timeMs) => ({
  kind: EventKind.holdExpired,
  sequence,
  timeMs,
  accountSlot: r.integer(),
  cardSlot: r.integer(),
  originalSequence: r.integer(),
  authorizedAfter: r.integer(),
  holdDelta: r.integer(),
  changes: r.binary(),
  previousOfAccount: r.integer(),
  previousOfCard: r.integer(),
}));
form(EventKind.payment, 1, 9, (r, sequence, timeMs) => ({
  kind: EventKind.payment,
  sequence,
  timeMs,
  accountSlot: r.integer(),
  amount: r.integer(),
  currency: r.integer(),
  reference: r.text(),
  postings: readPostings(r),
  previousOfAccount: r.integer(),
}));
/** The fields of version 1, with which every later one begins. */
const entryPosted = (r: MsgpackReader, sequence: number, timeMs: number): EntryPosted => ({
  kind: EventKind.entryPosted,
  sequence,
  timeMs,
  entry: r.integer() as EntryKind,
  accountSlot: r.integer(),
  cardSlot: r.integer(),
  day: r.integer(),
  reference: r.text(),
  relatedSequence: r.integer(),
  note: r.text(),
  carry: r.integer(),
  legs: readEntryLegs(r),
  previousOfAccount: r.integer(),
  previousOfCard: r.integer(),
});
form(EventKind.entryPosted, 1, 14, entryPosted);
/** Version 2: of a dispute. */
form(EventKind.entryPosted, 2, 17, (r, sequence, timeMs) => {
  const event = entryPosted(r, sequence, timeMs);
  event.disputed = { posted: r.integer(), arn: r.text(), reasonCode: r.text() };
  return event;
});
/** Version 4: of a provisional credit, with what it is about. */
form(EventKind.entryPosted, 4, 24, (r, sequence, timeMs) => {
  const event = entryPosted(r, sequence, timeMs);
  const named = { posted: r.integer(), arn: r.text(), reasonCode: r.text() };
  const charge = { amount: r.integer(), cash: r.integer(), markup: r.integer(), fee: r.integer() };
  const back = { back: r.integer(), markupBack: r.integer(), feeBack: r.integer() };
  event.disputed = { ...named, charge: { ...charge, ...back } };
  return event;
});
/** Version 3: the end of a dispute. */
form(EventKind.entryPosted, 3, 16, (r, sequence, timeMs) => {
  const event = entryPosted(r, sequence, timeMs);
  event.ended = { posted: r.integer(), kept: r.integer() };
  return event;
});
const clearingPosted = (r: MsgpackReader, sequence: number, timeMs: number): ClearingPosted => ({
  kind: EventKind.clearingPosted,
  sequence,
  timeMs,
  accountSlot: r.integer(),
  cardSlot: r.integer(),
  tokenSlot: r.integer(),
  fingerprint: [r.integer(), r.integer(), r.integer()] satisfies Fingerprint,
  file: r.text(),
  input: readClearingInput(r),
  sort: r.integer() as 1,
  rung: r.integer() as 1,
  flags: r.integer(),
  originalSequence: r.integer(),
  relatedSequence: r.integer(),
  disputeSequence: 0,
  windowLagMs: 0,
  posted: r.integer(),
  authorizedAfter: r.integer(),
  holdDelta: r.integer(),
  holdFlags: r.integer(),
  programRevision: r.integer(),
  changes: r.binary(),
  legs: readEntryLegs(r),
  previousOfAccount: r.integer(),
  previousOfCard: r.integer(),
});
/** Version 1 knew no disputes, version 2 not how far windows were behind. */
form(EventKind.clearingPosted, 1, 25, clearingPosted);
form(EventKind.clearingPosted, 2, 26, (r, sequence, timeMs) => {
  const event = clearingPosted(r, sequence, timeMs);
  event.disputeSequence = r.integer();
  return event;
});
form(EventKind.clearingPosted, 3, 27, (r, sequence, timeMs) => {
  const event = clearingPosted(r, sequence, timeMs);
  event.disputeSequence = r.integer();
  event.windowLagMs = r.integer();
  return event;
});
form(EventKind.accrualMarked, 1, 5, (r, sequence, timeMs) => ({
  kind: EventKind.accrualMarked,
  sequence,
  timeMs,
  day: r.integer(),
  nextSlot: r.integer(),
}));
form(EventKind.statementClosed, 1, 9, (r, sequence, timeMs) => ({
  kind: EventKind.statementClosed,
  sequence,
  timeMs,
  accountSlot: r.integer(),
  day: r.integer(),
  balance: r.integer(),
  minimumDue: r.integer(),
  dueDay: r.integer(),
  previousOfAccount: r.integer(),
}));
form(EventKind.totalsCompared, 1, 13, (r, sequence, timeMs) => ({
  kind: EventKind.totalsCompared,
  sequence,
  timeMs,
  mti: r.integer(),
  link: r.integer(),
  acquirer: r.integer(),
  day: r.integer(),
  currency: r.integer(),
  transmission: r.integer(),
  stan: r.integer(),
  equal: r.integer(),
  theirs: readFieldValues(r),
  ours: readFieldValues(r),
}));
form(EventKind.poison, 1, 6, (r, sequence, timeMs) => ({
  kind: EventKind.poison,
  sequence,
  timeMs,
  hashHigh: r.integer(),
  hashLow: r.integer(),
  error: r.text(),
}));
form(EventKind.unknownCardCount, 1, 4, (r, sequence, timeMs) => ({
  kind: EventKind.unknownCardCount,
  sequence,
  timeMs,
  count: r.integer(),
}));
form(EventKind.idempotency, 1, 6, (r, sequence, timeMs) => ({
  kind: EventKind.idempotency,
  sequence,
  timeMs,
  keyHash: r.binary(),
  bodyHash: r.binary(),
  outcome: r.binary(),
}));

form(EventKind.programApplied, 1, 6, (r, sequence, timeMs) => ({
  kind: EventKind.programApplied,
  sequence,
  timeMs,
  program: r.integer(),
  revision: r.integer(),
  text: r.text(),
}));
form(EventKind.pinReferenceSet, 1, 8, (r, sequence, timeMs) => ({
  kind: EventKind.pinReferenceSet,
  sequence,
  timeMs,
  accountSlot: r.integer(),
  cardSlot: r.integer(),
  sealed: r.binary(),
  previousOfAccount: r.integer(),
  previousOfCard: r.integer(),
}));
form(EventKind.fingerprintChanged, 1, 9, (r, sequence, timeMs) => ({
  kind: EventKind.fingerprintChanged,
  sequence,
  timeMs,
  cardSlot: r.integer(),
  fingerprint: [r.integer(), r.integer(), r.integer()] satisfies Fingerprint,
  sealed: r.binary(),
  previousOfCard: r.integer(),
}));
form(EventKind.controlsSet, 1, 8, (r, sequence, timeMs) => ({
  kind: EventKind.controlsSet,
  sequence,
  timeMs,
  accountSlot: r.integer(),
  cardSlot: r.integer(),
  text: r.text(),
  previousOfAccount: r.integer(),
  previousOfCard: r.integer(),
}));

function readFieldValues(reader: MsgpackReader): FieldValue[] {
  const count = reader.arrayHeader() / 2;
  const fields: FieldValue[] = [];
  for (let i = 0; i < count; i++) fields.push({ field: reader.integer(), value: reader.integer() });
  return fields;
}

function readClearingInput(reader: MsgpackReader): ClearingInput {
  const members = reader.arrayHeader();
  // Records of earlier releases end with the fees.
  const known = clearingNumbers.length + clearingTexts.length + 2;
  if (members !== known && members !== known - 1)
    throw new MsgpackError(`a clearing record has ${known} members, not ${members}`);
  const input = { fees: [] as ClearingFee[] } as unknown as ClearingInput;
  for (const name of clearingNumbers) input[name] = reader.integer();
  for (const name of clearingTexts) input[name] = reader.text();
  const fees = reader.arrayHeader() / 3;
  for (let i = 0; i < fees; i++) {
    input.fees.push({ amount: reader.integer(), currency: reader.integer(), sign: reader.integer() });
  }
  input.cashBack = members === known ? reader.integer() : -1;
  return input;
}

function readEntryLegs(reader: MsgpackReader): EntryLeg[] {
  const count = reader.arrayHeader() / 4;
  const legs: EntryLeg[] = [];
  for (let i = 0; i < count; i++) {
    const glAccount = reader.integer();
    const currency = reader.integer();
    const sub = reader.integer();
    legs.push({ glAccount, currency, sub, amount: reader.integer() });
  }
  return legs;
}

function readCounted(reader: MsgpackReader): Counted | undefined {
  const length = reader.arrayHeader();
  if (length === 0) return undefined;
  return {
    link: reader.integer(),
    acquirer: reader.integer(),
    day: reader.integer(),
    currency: reader.integer(),
    total: reader.integer() as Total,
    amount: reader.integer(),
    number: length === 6 ? 1 : reader.integer(),
  };
}

function readPostings(reader: MsgpackReader): Posting[] {
  const count = reader.arrayHeader() / 2;
  const postings: Posting[] = [];
  for (let i = 0; i < count; i++) postings.push({ glAccount: reader.integer(), amount: reader.integer() });
  return postings;
}

/**
 * Reads records one by one. A message event goes into the reused `message`, anything else comes back as an object of its
 * own in `plain`.
 */
export class RecordReader {
  readonly reader: MsgpackReader;
  plain: PlainEvent | undefined;

  constructor(reader: MsgpackReader) {
    this.reader = reader;
  }

  /**
   * The reader is pointed at one record. Returns true when it was a message event (now in `message`), false when it is in
   * `this.plain`.
   * @throws MsgpackError when the record is not understood.
   */
  read(sequence: number, message: MessageEvent): boolean {
    const reader = this.reader;
    const fields = reader.arrayHeader();
    const kind = reader.integer();
    const version = reader.integer();
    if (kind === EventKind.message) {
      readMessage(reader, version, fields, message);
      message.sequence = sequence;
      this.#atEnd();
      return true;
    }
    const plainForm = readers.get(kind * 256 + version);
    if (plainForm === undefined) throw new MsgpackError(`no reader for kind ${kind} version ${version}`);
    if (fields !== plainForm.fields)
      throw new MsgpackError(`kind ${kind} version ${version} has ${plainForm.fields} fields, not ${fields}`);
    this.plain = plainForm.read(reader, sequence, reader.integer());
    reader.check();
    this.#atEnd();
    return false;
  }

  #atEnd(): void {
    const reader = this.reader;
    if (reader.at !== reader.end) throw new MsgpackError(`${reader.end - reader.at} bytes behind the last field`);
  }
}
