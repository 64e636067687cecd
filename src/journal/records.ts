/**
 * Records: one journal event as a MessagePack array `[kind, version, ...]`, with its results, so that a replay is a fold.
 * The sequence is not in the record: it is the frame's first sequence plus the record's index.
 *
 * Written by plain-writer.ts and message-record.ts. If you change a record: give it the next version, keep the old reader in
 * `readers`, and never reuse a kind. Every version that was ever released stays readable.
 */
import { EventKind } from '../domain/codes.js';
import type { ClearingPosted, EntryPosted, Fingerprint, MessageEvent, PlainEvent } from '../domain/events.js';
import type { EntryKind } from '../domain/ledger/entry-kinds.js';
import { readMessage } from './message-record.js';
import { MsgpackError, type MsgpackReader } from './msgpack.js';
import { readClearingInput, readCounted, readEntryLegs, readFieldValues, readPostings } from './record-parts.js';

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
