/**
 * The record of a message event: the one the engine writes for every wire message, so it is written and read by hand, in a
 * fixed order, with no allocation. Field list in docs/internals/journal-format.md.
 *
 * The numbers go through a staging array, gathered by name and then encoded in one loop: the encoder is inlined there,
 * where fifty calls in a row are not. Measured: 0.3 us for a record against 0.58 us with calls.
 *
 * If you add a field to MessageEvent or MessageInput: raise MESSAGE_VERSION, add it at the end of its group here, keep the
 * old reader in the table of records.ts, extend the page. A test fails as long as a field does not survive.
 */
import { Views } from '../bytes.js';
import { EventKind } from '../domain/codes.js';
import { type MessageEvent, VERDICTS_MAX } from '../domain/events.js';
import { ABSENT, type MessageInput, TEXT_COUNT } from '../domain/message.js';
import { assert } from '../errors.js';
import { readEffects, writeEffects } from './message-effects.js';
import {
  MsgpackError,
  type MsgpackReader,
  type MsgpackWriter,
  putInteger,
  putShortBytes,
  takeIntegers,
} from './msgpack.js';

export const MESSAGE_VERSION = 2;
/** Numbers of the decision, and of the input. */
const DECISION_NUMBERS = 22;
const INPUT_NUMBERS = 30;
/** Members of the array: kind, version, numbers of the decision, verdicts, numbers of the input, texts, effects. */
export const MESSAGE_FIELDS = 2 + DECISION_NUMBERS + 1 + INPUT_NUMBERS + TEXT_COUNT + 1;
/** Version 1 had two numbers of the decision less, one of the input, one text, and no effects. */
const DECISION_NUMBERS_V1 = DECISION_NUMBERS - 2;
const INPUT_NUMBERS_V1 = INPUT_NUMBERS - 1;
const TEXT_COUNT_V1 = 11;
const MESSAGE_FIELDS_V1 = 2 + DECISION_NUMBERS_V1 + 1 + INPUT_NUMBERS_V1 + TEXT_COUNT_V1;
/** 3 bytes of array head, numbers of at most 9 bytes, one byte string of verdicts and 12 texts of at most 255 bytes. */
const MESSAGE_BYTES_BOUND =
  3 + (2 + DECISION_NUMBERS + INPUT_NUMBERS) * 9 + 2 + VERDICTS_MAX * 2 + TEXT_COUNT * (2 + 255);

/** Staging of the numbers; a thread encodes or decodes one record at a time. */
const staged = new Float64Array(DECISION_NUMBERS + INPUT_NUMBERS);

const verdictViews = new Views();
const textViews = new Views();

/** Appends the record (without length prefix) to `out`. */
export function writeMessage(out: MsgpackWriter, event: MessageEvent): void {
  assert(event.verdictCount <= VERDICTS_MAX, 'verdicts fit their array');
  out.reserve(MESSAGE_BYTES_BOUND);
  gatherDecision(staged, event);
  gatherInput(staged, event.input);
  const { bytes, view } = out;
  let at = out.at;
  bytes[at] = 0xdc;
  bytes[at + 1] = MESSAGE_FIELDS >> 8;
  bytes[at + 2] = MESSAGE_FIELDS & 0xff;
  bytes[at + 3] = EventKind.message;
  bytes[at + 4] = MESSAGE_VERSION;
  at += 5;
  at = putStaged(bytes, view, at, 0, DECISION_NUMBERS);
  at = putShortBytes(view, at, verdictViews.of(event.verdicts), 0, event.verdictCount * 2);
  at = putStaged(bytes, view, at, DECISION_NUMBERS, staged.length);
  out.at = putTexts(view, at, event.input);
  writeEffects(out, event);
}

function putStaged(bytes: Uint8Array, view: DataView, start: number, first: number, end: number): number {
  let at = start;
  for (let i = first; i < end; i++) at = putInteger(bytes, view, at, staged[i]!);
  return at;
}

function putTexts(view: DataView, start: number, input: MessageInput): number {
  const { textAt, textLength } = input;
  const source = textViews.of(input.text);
  let at = start;
  for (let i = 0; i < TEXT_COUNT; i++) at = putShortBytes(view, at, source, textAt[i]!, textLength[i]!);
  return at;
}

function gatherDecision(n: Float64Array, event: MessageEvent): void {
  n[0] = event.timeMs;
  n[1] = event.element;
  n[2] = event.accountSlot;
  n[3] = event.cardSlot;
  n[4] = event.fingerprint[0]!;
  n[5] = event.fingerprint[1]!;
  n[6] = event.fingerprint[2]!;
  n[7] = event.response;
  n[8] = event.reason;
  n[9] = event.approvalCode;
  n[10] = event.approvedAmount;
  n[11] = event.holdDelta;
  n[12] = event.holdExpiresMs;
  n[13] = event.originalSequence;
  n[14] = event.tombstone;
  n[15] = event.creditLimitBefore;
  n[16] = event.postedBefore;
  n[17] = event.heldBefore;
  n[18] = event.previousOfAccount;
  n[19] = event.previousOfCard;
  n[20] = event.authorizedAfter;
  n[21] = event.programRevision;
}

function gatherInput(n: Float64Array, input: MessageInput): void {
  n[22] = input.dialect;
  n[23] = input.link;
  n[24] = input.mti;
  n[25] = input.processingCode;
  n[26] = input.amount;
  n[27] = input.currency;
  n[28] = input.billingAmount;
  n[29] = input.billingCurrency;
  n[30] = input.transmission;
  n[31] = input.stan;
  n[32] = input.localTime;
  n[33] = input.localDate;
  n[34] = input.expiry;
  n[35] = input.settlementDate;
  n[36] = input.mcc;
  n[37] = input.country;
  n[38] = input.entryMode;
  n[39] = input.cardSequence;
  n[40] = input.condition;
  n[41] = input.originalMti;
  n[42] = input.originalStan;
  n[43] = input.originalTransmission;
  n[44] = input.replacementAmount;
  n[45] = input.functionCode;
  n[46] = input.partialSupported;
  n[47] = input.threeDSecureLevel;
  n[48] = input.carried;
  n[49] = input.badField;
  n[50] = input.badFieldMissing;
  n[51] = input.businessDay;
}

/**
 * Fills `into` from a record of either version; the reader stands behind kind and version. The texts are not copied:
 * `into.input.text` is the frame itself. The caller sets `into.sequence`.
 * @throws MsgpackError
 */
export function readMessage(reader: MsgpackReader, version: number, fields: number, into: MessageEvent): void {
  const isFirst = version === 1;
  if (!isFirst && version !== MESSAGE_VERSION)
    throw new MsgpackError(`no reader for version ${version} of a message record`);
  const expected = isFirst ? MESSAGE_FIELDS_V1 : MESSAGE_FIELDS;
  if (fields !== expected) throw new MsgpackError(`a message record has ${expected} fields, not ${fields}`);
  into.clearEffects();
  clearExtras(into.input);
  reader.at = takeIntegers(reader, staged, 0, isFirst ? DECISION_NUMBERS_V1 : DECISION_NUMBERS);
  readVerdicts(reader, into);
  reader.at = takeIntegers(reader, staged, DECISION_NUMBERS, isFirst ? INPUT_NUMBERS_V1 : INPUT_NUMBERS);
  if (isFirst) stageWhatFollows();
  scatterDecision(staged, into);
  scatterInput(staged, into.input);
  readTexts(reader, into.input, isFirst ? TEXT_COUNT_V1 : TEXT_COUNT);
  if (!isFirst) readEffects(reader, into);
  reader.check();
}

/** What version 1 did not say follows from what there was: no increments, so the authorized total is what was approved. */
function stageWhatFollows(): void {
  staged[20] = staged[10]!;
  staged[21] = 0;
  staged[51] = ABSENT;
}

/** The members of the input that stand among the effects. */
function clearExtras(input: MessageInput): void {
  input.cashBack = ABSENT;
  input.adviceReason = 0;
  input.fileAction = 0;
  input.fileCode = ABSENT;
}

function readVerdicts(reader: MsgpackReader, into: MessageEvent): void {
  const verdictBytes = reader.bytesHeader();
  if (verdictBytes > VERDICTS_MAX * 2) throw new MsgpackError(`${verdictBytes} bytes of verdicts`);
  const at = reader.at;
  for (let i = 0; i < verdictBytes; i++) into.verdicts[i] = reader.bytes[at + i]!;
  into.verdictCount = verdictBytes >> 1;
  reader.at = at + verdictBytes;
}

function readTexts(reader: MsgpackReader, input: MessageInput, count: number): void {
  const { textAt, textLength } = input;
  input.text = reader.bytes;
  for (let i = count; i < TEXT_COUNT; i++) textLength[i] = 0;
  for (let i = 0; i < count; i++) {
    const length = reader.bytesHeader();
    textAt[i] = reader.at;
    textLength[i] = length;
    reader.at += length;
  }
}

function scatterDecision(n: Float64Array, into: MessageEvent): void {
  into.timeMs = n[0]!;
  into.element = n[1]! as MessageEvent['element'];
  into.accountSlot = n[2]!;
  into.cardSlot = n[3]!;
  into.fingerprint[0] = n[4]!;
  into.fingerprint[1] = n[5]!;
  into.fingerprint[2] = n[6]!;
  into.response = n[7]!;
  into.reason = n[8]! as MessageEvent['reason'];
  into.approvalCode = n[9]!;
  into.approvedAmount = n[10]!;
  into.holdDelta = n[11]!;
  into.holdExpiresMs = n[12]!;
  into.originalSequence = n[13]!;
  into.tombstone = n[14]!;
  into.creditLimitBefore = n[15]!;
  into.postedBefore = n[16]!;
  into.heldBefore = n[17]!;
  into.previousOfAccount = n[18]!;
  into.previousOfCard = n[19]!;
  into.authorizedAfter = n[20]!;
  into.programRevision = n[21]!;
}

function scatterInput(n: Float64Array, input: MessageInput): void {
  input.dialect = n[22]!;
  input.link = n[23]!;
  input.mti = n[24]!;
  input.processingCode = n[25]!;
  input.amount = n[26]!;
  input.currency = n[27]!;
  input.billingAmount = n[28]!;
  input.billingCurrency = n[29]!;
  input.transmission = n[30]!;
  input.stan = n[31]!;
  input.localTime = n[32]!;
  input.localDate = n[33]!;
  input.expiry = n[34]!;
  input.settlementDate = n[35]!;
  input.mcc = n[36]!;
  input.country = n[37]!;
  input.entryMode = n[38]!;
  input.cardSequence = n[39]!;
  input.condition = n[40]!;
  input.originalMti = n[41]!;
  input.originalStan = n[42]!;
  input.originalTransmission = n[43]!;
  input.replacementAmount = n[44]!;
  input.functionCode = n[45]!;
  input.partialSupported = n[46]!;
  input.threeDSecureLevel = n[47]!;
  input.carried = n[48]!;
  input.badField = n[49]!;
  input.badFieldMissing = n[50]!;
  input.businessDay = n[51]!;
}
