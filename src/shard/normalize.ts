/**
 * From the wire to the domain: fills a `MessageInput` from a decoded message. After this nothing depends on the dialect.
 *
 * Mandatory fields (a missing one is answered 30 and named in the trace): of an authorization or a financial message the
 * PAN (DE2, or DE35), 3, 4 (inquiries may leave it out), 7, 11 and 49; of a reversal the PAN, 3, 4, 7 and 11; of a file update
 * the PAN, 7, 11 and 91. The rest is optional, because
 * real networks differ in what they send; a part of the duplicate key that is absent counts as empty. A type of message that
 * is not served need not carry anything: it is answered 12.
 *
 * The texts are kept for years: card numbers in them are masked here (docs/decisions/0014-card-numbers-in-texts.md). Matches
 * compare what is stored, so a repeat is masked like its original; a reply echoes the request and not these texts.
 */
import { dateDay, isExpiry } from '../domain/calendar.js';
import {
  ABSENT,
  Carried,
  classOf,
  isAdvice,
  isServed,
  type MessageInput,
  TEXT_COUNT,
  Text,
} from '../domain/message.js';
import { Sort, sortOf } from '../domain/transaction.js';
import { utcDayOf } from '../domain/velocity/windows.js';
import { ChipData } from '../iso8583/chip-data.js';
import type { Decoder } from '../iso8583/decoder.js';
import { readOwnNumber } from '../iso8583/own-number.js';
import { AMOUNT_GROUP_BYTES, AmountType, PrivateTag, TagWalker } from '../iso8583/private-data.js';
import { TextMask } from '../pan-mask.js';

const tags = new TagWalker();
const chip = new ChipData();
/** A text's length is one byte. */
const mask = new TextMask(255);

/** Texts copied from their own field, with that field's number and the characters kept. */
const TEXT_FIELDS: readonly (readonly [Text, number, number])[] = [
  [Text.acquirer, 32, 11],
  [Text.forwarder, 33, 11],
  [Text.rrn, 37, 12],
  [Text.approval, 38, 6],
  [Text.terminal, 41, 8],
  [Text.acceptor, 42, 15],
  [Text.acceptorName, 43, 40],
];

const NETWORK_ID_MAX = 15;
const HOLD_REFERENCE_MAX = 40;
/** Classes of messages. */
const FINANCIAL = 2;
const FILE_UPDATE = 3;
const REVERSAL = 4;

/**
 * @param decoded true when the decoder read the whole message; else its error becomes `badField`.
 */
export function normalize(
  decoder: Decoder,
  decoded: boolean,
  dialect: number,
  link: number,
  input: MessageInput,
): void {
  read(decoder, decoded, dialect, link, input);
  maskTexts(decoder, input);
}

/**
 * The business day of a normalized message: DE15 in the year nearest to now, else the day of its link, else the UTC day of the
 * shard's time. A DE15 that is no date is malformed.
 * @param linkDay days since 1970, 0 before the link's first cutover
 * @param nowMs shard time, ms since 1970 UTC
 */
export function datesOf(input: MessageInput, linkDay: number, nowMs: number): void {
  const today = utcDayOf(nowMs);
  if (input.settlementDate === ABSENT) {
    input.businessDay = linkDay > 0 ? linkDay : today;
    return;
  }
  const day = dateDay(input.settlementDate, today);
  if (day >= 0) input.businessDay = day;
  else if (input.badField === 0 && isServed(input.mti)) input.badField = 15;
}

/** Masks the message's own card number in every text, and any card number in DE43, which is free text. */
function maskTexts(decoder: Decoder, input: MessageInput): void {
  readOwnNumber(decoder, mask);
  for (let which = 0; which < TEXT_COUNT; which++) {
    mask.mask(input.text, input.textAt[which]!, input.textLength[which]!, which === Text.acceptorName);
  }
  mask.clear();
}

function read(decoder: Decoder, decoded: boolean, dialect: number, link: number, input: MessageInput): void {
  input.clear();
  input.dialect = dialect;
  input.link = link;
  input.mti = decoder.mti;
  input.processingCode = decoder.digits(3);
  input.amount = decoder.digits(4);
  input.billingAmount = decoder.digits(6);
  input.transmission = decoder.digits(7);
  input.stan = decoder.digits(11);
  input.localTime = decoder.digits(12);
  input.localDate = decoder.digits(13);
  input.expiry = decoder.digits(14);
  input.settlementDate = decoder.digits(15);
  input.mcc = decoder.digits(18);
  input.country = decoder.digits(19);
  input.entryMode = decoder.digits(22);
  input.cardSequence = decoder.digits(23);
  input.condition = decoder.digits(25);
  input.currency = decoder.digitsAt(49, 0, 3);
  input.billingCurrency = decoder.digitsAt(51, 0, 3);
  copyTexts(decoder, input);
  if (decoder.has(35)) input.carried |= Carried.track2;
  if (decoder.has(45)) input.carried |= Carried.track1;
  if (decoder.has(52)) input.carried |= Carried.pin;
  if (decoder.has(55)) input.carried |= Carried.chip;
  if (!decoded) {
    input.badField = decoder.errorField > 0 ? decoder.errorField : 1;
    return;
  }
  if (input.expiry === ABSENT && decoder.has(35)) readExpiryOfTrack2(decoder, input);
  if (decoder.has(48)) readPrivateData(decoder, input);
  if (decoder.has(54) && classOf(input.mti) <= FINANCIAL) readCashBack(decoder, input);
  if (decoder.has(55) && !chip.read(decoder.bytes, decoder.start(55), decoder.length(55))) input.badField = 55;
  if (decoder.has(90)) readOriginal(decoder, input);
  if (decoder.has(91)) input.fileAction = decoder.byteAt(91, 0);
  if (decoder.size(127) >= 2) input.fileCode = decoder.digitsAt(127, 0, 2);
  if (decoder.has(95)) {
    input.replacementAmount = decoder.digitsAt(95, 0, 12);
    if (input.replacementAmount === ABSENT) input.badField = 95;
  }
  // What lies inside the fields of a type that is not served is not for us to say: it is answered 12.
  if (!isServed(input.mti)) input.badField = 0;
  else if (input.badField === 0) requireFields(decoder, input);
}

function copyTexts(decoder: Decoder, input: MessageInput): void {
  let at = 0;
  for (let i = 0; i < TEXT_FIELDS.length; i++) {
    const row = TEXT_FIELDS[i]!;
    if (!decoder.has(row[1])) continue;
    const length = Math.min(row[2], decoder.copyText(row[1], input.text, at));
    input.textAt[row[0]] = at;
    input.textLength[row[0]] = length;
    at += length;
  }
  // DE63 may be up to 999 long: its first 15 characters are the network id, the rest is private to the network.
  const length = Math.min(NETWORK_ID_MAX, decoder.size(63));
  if (length === 0) return;
  for (let i = 0; i < length; i++) input.text[at + i] = decoder.byteAt(63, i);
  input.textAt[Text.networkId] = at;
  input.textLength[Text.networkId] = length;
}

/**
 * The cash part of the amount, minor units: the groups of DE54 with amount type 40 in the currency of DE4. A DE54 that is not made
 * of groups is malformed, and so is cash back that a request names in other currencies alone: nobody could hold it against a limit.
 */
function readCashBack(decoder: Decoder, input: MessageInput): void {
  const size = decoder.size(54);
  let isElsewhere = false;
  for (let at = 0; at < size; at += AMOUNT_GROUP_BYTES) {
    if (!isAmountGroup(decoder, at, size)) {
      input.badField = 54;
      return;
    }
    if (decoder.digitsAt(54, at + 2, 2) !== AmountType.cashBack) continue;
    if (decoder.digitsAt(54, at + 4, 3) !== input.currency) isElsewhere = true;
    else input.cashBack = Math.max(0, input.cashBack) + decoder.digitsAt(54, at + 8, 12);
  }
  if (isElsewhere && input.cashBack === ABSENT && !isAdvice(input.mti)) input.badField = 54;
}

const LETTER_C = 0x43;
const LETTER_D = 0x44;

/** True for 20 characters of which currency and amount are digits and the sign is C or D. */
function isAmountGroup(decoder: Decoder, at: number, size: number): boolean {
  if (at + AMOUNT_GROUP_BYTES > size || decoder.digitsAt(54, at + 4, 3) < 0) return false;
  const sign = decoder.byteAt(54, at + 7);
  return (sign === LETTER_C || sign === LETTER_D) && decoder.digitsAt(54, at + 8, 12) >= 0;
}

/** The expiry behind the track's separator, YYMM. One that names no month makes the track malformed. */
function readExpiryOfTrack2(decoder: Decoder, input: MessageInput): void {
  const size = decoder.size(35);
  for (let i = 12; i < size - 4; i++) {
    const code = decoder.byteAt(35, i);
    if (code !== 0x3d && code !== 0x44) continue;
    input.expiry = decoder.digitsAt(35, i + 1, 4);
    if (input.expiry === ABSENT || isExpiry(input.expiry)) return;
    input.expiry = ABSENT;
    input.badField = 35;
    return;
  }
}

/** Where the next text goes: behind the last one. */
function textEnd(input: MessageInput): number {
  let end = 0;
  for (let i = 0; i < input.textAt.length; i++) {
    if (input.textLength[i] !== 0) end = Math.max(end, input.textAt[i]! + input.textLength[i]!);
  }
  return end;
}

/**
 * DE48 is tag(2) length(2) value; one that is not is malformed. Of a repeated tag the last one counts, so that what a message puts
 * into the buffers does not grow with their number.
 */
function readPrivateData(decoder: Decoder, input: MessageInput): void {
  tags.reset(decoder.bytes, decoder.start(48), decoder.length(48));
  let networkIdAt = 0;
  let networkIdLength = 0;
  let referenceAt = 0;
  let referenceLength = 0;
  while (tags.next()) {
    const { length } = tags;
    switch (tags.tag) {
      case PrivateTag.function:
        input.functionCode = length === 1 ? tags.bytes[tags.at]! : 0;
        break;
      case PrivateTag.threeDSecure:
        input.threeDSecureLevel = length === 3 ? threeDigits() : ABSENT;
        input.carried |= Carried.threeDSecure;
        break;
      case PrivateTag.terminal:
        input.partialSupported = length > 0 && tags.bytes[tags.at]! === 0x31 ? 1 : 0;
        break;
      case PrivateTag.originalNetworkId:
        networkIdAt = tags.at;
        networkIdLength = length <= NETWORK_ID_MAX ? length : 0;
        break;
      case PrivateTag.holdReference:
        referenceAt = tags.at;
        referenceLength = length <= HOLD_REFERENCE_MAX ? length : 0;
        break;
      case PrivateTag.adviceReason:
        input.adviceReason = length === 1 ? tags.bytes[tags.at]! : 0;
        break;
      case PrivateTag.addressCheck:
        input.carried |= Carried.addressCheck;
        break;
      case PrivateTag.cvv2:
        input.carried |= Carried.cvv2;
        break;
      default:
        break;
    }
  }
  if (tags.broken) input.badField = 48;
  putTagText(input, Text.originalNetworkId, networkIdAt, networkIdLength);
  putTagText(input, Text.holdReference, referenceAt, referenceLength);
}

/** Copies a tag's value behind the other texts. */
function putTagText(input: MessageInput, which: Text, from: number, length: number): void {
  if (length === 0) return;
  const at = textEnd(input);
  for (let i = 0; i < length; i++) input.text[at + i] = tags.bytes[from + i]!;
  input.textAt[which] = at;
  input.textLength[which] = length;
}

function threeDigits(): number {
  let value = 0;
  for (let i = 0; i < 3; i++) {
    const digit = tags.bytes[tags.at + i]! - 0x30;
    if (digit < 0 || digit > 9) return ABSENT;
    value = value * 10 + digit;
  }
  return value;
}

/** DE90: MTI 4, STAN 6, DE7 10, DE32 11, DE33 11. A part of zeros is absent; institution ids lose leading zeros. */
function readOriginal(decoder: Decoder, input: MessageInput): void {
  const mti = decoder.digitsAt(90, 0, 4);
  const stan = decoder.digitsAt(90, 4, 6);
  const transmission = decoder.digitsAt(90, 10, 10);
  if (mti === ABSENT || stan === ABSENT || transmission === ABSENT) {
    input.badField = 90;
    return;
  }
  input.originalMti = mti === 0 ? ABSENT : mti;
  input.originalStan = stan === 0 && transmission === 0 ? ABSENT : stan;
  input.originalTransmission = transmission === 0 ? ABSENT : transmission;
  copyInstitution(decoder, input, 20, Text.originalAcquirer);
  copyInstitution(decoder, input, 31, Text.originalForwarder);
}

function copyInstitution(decoder: Decoder, input: MessageInput, from: number, which: Text): void {
  let first = from;
  while (first < from + 11 && decoder.byteAt(90, first) === 0x30) first++;
  const length = from + 11 - first;
  if (length === 0) return;
  const at = textEnd(input);
  for (let i = 0; i < length; i++) input.text[at + i] = decoder.byteAt(90, first + i);
  input.textAt[which] = at;
  input.textLength[which] = length;
}

function requireFields(decoder: Decoder, input: MessageInput): void {
  const messageClass = classOf(input.mti);
  const field = missingField(decoder, input, messageClass);
  if (field > 0) {
    missing(input, field);
    return;
  }
  // An inquiry without an amount asks about none.
  if (input.amount === ABSENT) input.amount = 0;
  // Letters, or spaces: there, but no number of a currency.
  if (decoder.has(49) && input.currency === ABSENT) input.badField = 49;
  else if (decoder.has(51) && input.billingCurrency === ABSENT) input.badField = 51;
}

/** Number of the first mandatory field that is not there, 0 when all are. */
function missingField(decoder: Decoder, input: MessageInput, messageClass: number): number {
  // A variable field of length zero is on the wire and says nothing.
  if (decoder.size(2) === 0 && decoder.size(35) === 0) return 2;
  if (messageClass !== FILE_UPDATE) {
    if (input.processingCode === ABSENT) return 3;
    if (input.amount === ABSENT && sortOf(input) !== Sort.inquiry) return 4;
  }
  if (input.transmission === ABSENT) return 7;
  if (input.stan === ABSENT) return 11;
  if (messageClass === FILE_UPDATE) return input.fileAction === 0 ? 91 : 0;
  return messageClass !== REVERSAL && decoder.size(49) === 0 ? 49 : 0;
}

function missing(input: MessageInput, field: number): void {
  input.badField = field;
  input.badFieldMissing = 1;
}
