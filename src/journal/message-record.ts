/**
 * The record of a message event: the one the engine writes for every wire message, so it is written and read by hand,
 * field by field, in a fixed order, with no allocation. Field list in docs/internals/journal-format.md.
 *
 * If you add a field to MessageEvent or MessageInput: raise MESSAGE_VERSION, write it at the end of its group here, keep
 * the old reader in the table of records.ts, extend the page. A test fails as long as a field does not survive.
 */
import { EventKind } from '../domain/codes.js';
import { type MessageEvent, VERDICTS_MAX } from '../domain/events.js';
import { TEXT_COUNT } from '../domain/message.js';
import { assert } from '../errors.js';
import { MsgpackError, type MsgpackReader, type MsgpackWriter } from './msgpack.js';

export const MESSAGE_VERSION = 1;
/** Members of the array: kind, version, 20 numbers of the decision, verdicts, 29 numbers of the input, texts. */
export const MESSAGE_FIELDS = 2 + 20 + 1 + 29 + TEXT_COUNT;
/** 3 bytes of array head, numbers of at most 9 bytes, one byte string of verdicts and 11 texts of at most 255 bytes. */
const MESSAGE_BYTES_BOUND = 3 + 51 * 9 + 2 + VERDICTS_MAX * 2 + TEXT_COUNT * 257;

/** Appends the record (without length prefix) to `out`. */
export function writeMessage(out: MsgpackWriter, event: MessageEvent): void {
  out.reserve(MESSAGE_BYTES_BOUND);
  const at = out.at;
  out.bytes[at] = 0xdc;
  out.bytes[at + 1] = MESSAGE_FIELDS >> 8;
  out.bytes[at + 2] = MESSAGE_FIELDS & 0xff;
  out.at = at + 3;
  out.integer(EventKind.message);
  out.integer(MESSAGE_VERSION);
  out.integer(event.timeMs);
  out.integer(event.element);
  out.integer(event.accountSlot);
  out.integer(event.cardSlot);
  out.integer(event.fingerprint[0]!);
  out.integer(event.fingerprint[1]!);
  out.integer(event.fingerprint[2]!);
  out.integer(event.response);
  out.integer(event.reason);
  out.integer(event.approvalCode);
  out.integer(event.approvedAmount);
  out.integer(event.holdDelta);
  out.integer(event.holdExpiresMs);
  out.integer(event.originalSequence);
  out.integer(event.tombstone);
  out.integer(event.creditLimitBefore);
  out.integer(event.postedBefore);
  out.integer(event.heldBefore);
  out.integer(event.previousOfAccount);
  out.integer(event.previousOfCard);
  assert(event.verdictCount <= VERDICTS_MAX, 'verdicts fit their array');
  out.shortBytes(event.verdicts, 0, event.verdictCount * 2);
  writeInput(out, event);
}

function writeInput(out: MsgpackWriter, event: MessageEvent): void {
  const input = event.input;
  out.integer(input.dialect);
  out.integer(input.link);
  out.integer(input.mti);
  out.integer(input.processingCode);
  out.integer(input.amount);
  out.integer(input.currency);
  out.integer(input.billingAmount);
  out.integer(input.billingCurrency);
  out.integer(input.transmission);
  out.integer(input.stan);
  out.integer(input.localTime);
  out.integer(input.localDate);
  out.integer(input.expiry);
  out.integer(input.settlementDate);
  out.integer(input.mcc);
  out.integer(input.country);
  out.integer(input.entryMode);
  out.integer(input.cardSequence);
  out.integer(input.condition);
  out.integer(input.originalMti);
  out.integer(input.originalStan);
  out.integer(input.originalTransmission);
  out.integer(input.replacementAmount);
  out.integer(input.functionCode);
  out.integer(input.partialSupported);
  out.integer(input.threeDSecureLevel);
  out.integer(input.carried);
  out.integer(input.badField);
  out.integer(input.badFieldMissing);
  const text = input.text;
  for (let i = 0; i < TEXT_COUNT; i++) out.shortBytes(text, input.textAt[i]!, input.textLength[i]!);
}

/**
 * Fills `into` from the record; the reader stands behind kind and version. The texts are not copied: `into.input.text` is
 * the frame itself. The caller sets `into.sequence`.
 */
export function readMessageV1(reader: MsgpackReader, fields: number, into: MessageEvent): void {
  if (fields !== MESSAGE_FIELDS) throw new MsgpackError(`a message record has ${MESSAGE_FIELDS} fields, not ${fields}`);
  into.timeMs = reader.integer();
  into.element = reader.integer() as MessageEvent['element'];
  into.accountSlot = reader.integer();
  into.cardSlot = reader.integer();
  into.fingerprint[0] = reader.integer();
  into.fingerprint[1] = reader.integer();
  into.fingerprint[2] = reader.integer();
  into.response = reader.integer();
  into.reason = reader.integer() as MessageEvent['reason'];
  into.approvalCode = reader.integer();
  into.approvedAmount = reader.integer();
  into.holdDelta = reader.integer();
  into.holdExpiresMs = reader.integer();
  into.originalSequence = reader.integer();
  into.tombstone = reader.integer();
  into.creditLimitBefore = reader.integer();
  into.postedBefore = reader.integer();
  into.heldBefore = reader.integer();
  into.previousOfAccount = reader.integer();
  into.previousOfCard = reader.integer();
  const verdictBytes = reader.bytesHeader();
  if (verdictBytes > VERDICTS_MAX * 2) throw new MsgpackError(`${verdictBytes} bytes of verdicts`);
  const at = reader.at;
  for (let i = 0; i < verdictBytes; i++) into.verdicts[i] = reader.bytes[at + i]!;
  into.verdictCount = verdictBytes >> 1;
  reader.at = at + verdictBytes;
  readInput(reader, into);
  reader.check();
}

function readInput(reader: MsgpackReader, into: MessageEvent): void {
  const input = into.input;
  input.dialect = reader.integer();
  input.link = reader.integer();
  input.mti = reader.integer();
  input.processingCode = reader.integer();
  input.amount = reader.integer();
  input.currency = reader.integer();
  input.billingAmount = reader.integer();
  input.billingCurrency = reader.integer();
  input.transmission = reader.integer();
  input.stan = reader.integer();
  input.localTime = reader.integer();
  input.localDate = reader.integer();
  input.expiry = reader.integer();
  input.settlementDate = reader.integer();
  input.mcc = reader.integer();
  input.country = reader.integer();
  input.entryMode = reader.integer();
  input.cardSequence = reader.integer();
  input.condition = reader.integer();
  input.originalMti = reader.integer();
  input.originalStan = reader.integer();
  input.originalTransmission = reader.integer();
  input.replacementAmount = reader.integer();
  input.functionCode = reader.integer();
  input.partialSupported = reader.integer();
  input.threeDSecureLevel = reader.integer();
  input.carried = reader.integer();
  input.badField = reader.integer();
  input.badFieldMissing = reader.integer();
  input.text = reader.bytes;
  for (let i = 0; i < TEXT_COUNT; i++) {
    const length = reader.bytesHeader();
    input.textAt[i] = reader.at;
    input.textLength[i] = length;
    reader.at += length;
  }
}
