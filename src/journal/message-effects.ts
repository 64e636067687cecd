/**
 * The last member of a message record: what only some messages have, so that the others pay two bytes for it. A bin of
 * sections, each a number and its content as MessagePack; the page docs/internals/journal-format.md lists them.
 *
 * If you add a section: give it the next number, read it here, extend the page. A reader refuses a section that it does not
 * know, because what it would leave out is part of the state.
 */
import { CHECK_COUNT, ElementKind } from '../domain/codes.js';
import { ISSUER_DATA_BYTES_MAX, type MessageEvent, READINGS_MAX, RULE_BITS_BYTES } from '../domain/events.js';
import { POSTINGS_MAX } from '../domain/ledger/postings.js';
import { MsgpackError, type MsgpackReader, type MsgpackWriter, putInteger } from './msgpack.js';

const Section = {
  links: 1,
  input: 2,
  finding: 3,
  rules: 4,
  changes: 5,
  readings: 6,
  postings: 7,
  windowLag: 8,
  /** Of earlier releases. */
  takenBack: 9,
  checks: 10,
  device: 11,
  counted: 12,
} as const;

/** Most bytes of the sections but the counter changes: numbers of 9 bytes, the bit map of the rules, and lengths. */
const BYTES_MAX =
  (7 + 5 + 4 + 7 + 2 + 2 + READINGS_MAX * 2 + 1 + POSTINGS_MAX * 2 + 2 + 3 + 6 + 3) * 9 +
  RULE_BITS_BYTES +
  CHECK_COUNT +
  ISSUER_DATA_BYTES_MAX +
  16;

/** Appends the member, straight to where it belongs: most messages have few bytes, and copying cost more than writing them. */
export function writeEffects(out: MsgpackWriter, event: MessageEvent): void {
  out.reserve(BYTES_MAX + event.changes.packedMax);
  const start = out.beginBinary();
  writeLinks(out, event);
  writeInput(out, event);
  writeFinding(out, event);
  writeRules(out, event);
  writeReadings(out, event);
  writePostings(out, event);
  writeWindowLag(out, event);
  writeCounted(out, event);
  writeChecks(out, event);
  writeDevice(out, event);
  writeChanges(out, event);
  out.endBinary(start);
}

function writeLinks(out: MsgpackWriter, event: MessageEvent): void {
  const { elementSequence, tokenSlot, holdPlaced, holdFlags, cardStatusAfter } = event;
  if (elementSequence === 0 && tokenSlot === -1 && holdPlaced === 0 && holdFlags === 0 && cardStatusAfter === 0) return;
  out.integer(Section.links);
  out.integer(elementSequence);
  out.integer(tokenSlot);
  out.integer(holdPlaced);
  out.integer(holdFlags);
  out.integer(cardStatusAfter);
}

function writeInput(out: MsgpackWriter, { input }: MessageEvent): void {
  if (input.cashBack === -1 && input.adviceReason === 0 && input.fileAction === 0 && input.fileCode === -1) return;
  out.integer(Section.input);
  out.integer(input.cashBack);
  out.integer(input.adviceReason);
  out.integer(input.fileAction);
  out.integer(input.fileCode);
}

function writeFinding(out: MsgpackWriter, event: MessageEvent): void {
  if (event.findingCount === 0) return;
  out.integer(Section.finding);
  out.integer(event.findingCount);
  for (let i = 0; i < event.findingCount; i++) out.integer(event.finding[i]!);
}

function writeRules(out: MsgpackWriter, event: MessageEvent): void {
  if (event.rulesAsked === 0) return;
  out.integer(Section.rules);
  out.integer(event.rulesAsked);
  out.integer(event.decidingRule);
  out.binaryOf(event.ruleBits, 0, (event.rulesAsked + 7) >> 3);
}

function writeReadings(out: MsgpackWriter, event: MessageEvent): void {
  const windows = event.cardReadings + event.accountReadings;
  if (windows === 0) return;
  out.integer(Section.readings);
  out.integer(event.cardReadings);
  out.integer(event.accountReadings);
  const { bytes, view } = out;
  const { readings } = event;
  let { at } = out;
  for (let i = 0; i < windows * 2; i++) at = putInteger(bytes, view, at, readings[i]!);
  out.at = at;
}

function writePostings(out: MsgpackWriter, { postings }: MessageEvent): void {
  if (postings.count === 0) return;
  out.integer(Section.postings);
  out.integer(postings.count);
  for (let i = 0; i < postings.count; i++) {
    out.integer(postings.glAccount[i]!);
    out.integer(postings.amount[i]!);
  }
}

/** Only while the clocks differ, or after shard time was led astray. */
function writeWindowLag(out: MsgpackWriter, { windowLagMs }: MessageEvent): void {
  if (windowLagMs === 0) return;
  out.integer(Section.windowLag);
  out.integer(windowLagMs);
}

function writeCounted(out: MsgpackWriter, { countedNumber, countedAmount }: MessageEvent): void {
  if (countedNumber === -1) return;
  out.integer(Section.counted);
  out.integer(countedNumber);
  out.integer(countedAmount);
}

/** Outcomes of card cryptography, what they change, and the answer to the chip; never what was checked. */
function writeChecks(out: MsgpackWriter, event: MessageEvent): void {
  if (event.checked === 0) return;
  out.integer(Section.checks);
  out.binaryOf(event.checks, 0, CHECK_COUNT);
  out.integer(event.pinTriesAfter);
  out.integer(event.counter);
  out.integer(event.counterBefore);
  out.binaryOf(event.issuerData, 0, event.issuerDataLength);
}

function writeDevice(out: MsgpackWriter, { deviceWaitUs, deviceFailure }: MessageEvent): void {
  if (deviceWaitUs === -1) return;
  out.integer(Section.device);
  out.integer(deviceWaitUs);
  out.integer(deviceFailure);
}

function writeChanges(out: MsgpackWriter, { changes }: MessageEvent): void {
  if (changes.count === 0) return;
  out.integer(Section.changes);
  const start = out.beginBinary();
  out.at = changes.pack(out.bytes, out.at);
  out.endBinary(start);
}

/** Fills `into`, whose effects were cleared, from the member at the reader. */
export function readEffects(reader: MsgpackReader, into: MessageEvent): void {
  const length = reader.bytesHeader();
  const end = reader.at + length;
  while (reader.at < end) readSection(reader, into);
  if (reader.at !== end) throw new MsgpackError(`the effects end at byte ${end}, reading came to ${reader.at}`);
}

function readSection(reader: MsgpackReader, into: MessageEvent): void {
  const section = reader.integer();
  switch (section) {
    case Section.links:
      into.elementSequence = reader.integer();
      into.tokenSlot = reader.integer();
      into.holdPlaced = reader.integer();
      into.holdFlags = reader.integer();
      into.cardStatusAfter = reader.integer();
      return;
    case Section.input:
      into.input.cashBack = reader.integer();
      into.input.adviceReason = reader.integer();
      into.input.fileAction = reader.integer();
      into.input.fileCode = reader.integer();
      return;
    case Section.finding:
      into.findingCount = countOf(reader, into.finding.length, 'numbers of a finding');
      for (let i = 0; i < into.findingCount; i++) into.finding[i] = reader.integer();
      return;
    case Section.rules:
      readRules(reader, into);
      return;
    case Section.readings:
      into.cardReadings = countOf(reader, into.readings.length / 2, 'counter readings');
      into.accountReadings = countOf(reader, into.readings.length / 2 - into.cardReadings, 'counter readings');
      for (let i = 0; i < (into.cardReadings + into.accountReadings) * 2; i++) into.readings[i] = reader.integer();
      return;
    case Section.postings:
      readPostings(reader, into);
      return;
    case Section.changes: {
      const length = reader.bytesHeader();
      reader.at += length;
      reader.check();
      into.changes.unpack(reader.bytes, reader.at - length, reader.at);
      return;
    }
    case Section.windowLag:
      into.windowLagMs = reader.integer();
      return;
    case Section.checks:
      readChecks(reader, into);
      return;
    case Section.device:
      into.deviceWaitUs = reader.integer();
      into.deviceFailure = reader.integer();
      return;
    case Section.takenBack:
      readTakenBack(reader.integer(), into);
      return;
    case Section.counted:
      into.countedNumber = reader.integer();
      into.countedAmount = reader.integer();
      return;
    default:
      throw new MsgpackError(`no reader for section ${section} of a message record`);
  }
}

/** Of a reversal what it took back, of a 0220 what of its DE4 was counted already. */
function readTakenBack(takenBack: number, into: MessageEvent): void {
  const isReversal = into.element === ElementKind.reversal;
  if (!isReversal && takenBack === 0) return;
  into.countedNumber = isReversal ? 1 : 0;
  into.countedAmount = isReversal ? takenBack : into.input.amount - takenBack;
}

function readChecks(reader: MsgpackReader, into: MessageEvent): void {
  into.checked = 1;
  readBytes(reader, into.checks, 'outcomes of checks');
  into.pinTriesAfter = reader.integer();
  into.counter = reader.integer();
  into.counterBefore = reader.integer();
  into.issuerDataLength = readBytes(reader, into.issuerData, 'bytes for a chip');
}

/** Copies a bin to the beginning of `target`; how many bytes. */
function readBytes(reader: MsgpackReader, target: Uint8Array, what: string): number {
  const length = reader.bytesHeader();
  check(length <= target.length, what);
  for (let i = 0; i < length; i++) target[i] = reader.bytes[reader.at + i]!;
  reader.at += length;
  return length;
}

function readRules(reader: MsgpackReader, into: MessageEvent): void {
  into.rulesAsked = countOf(reader, into.ruleBits.length * 8, 'rules');
  into.decidingRule = reader.integer();
  const length = reader.bytesHeader();
  check(length === (into.rulesAsked + 7) >> 3, 'bits of matched rules');
  for (let i = 0; i < length; i++) into.ruleBits[i] = reader.bytes[reader.at + i]!;
  reader.at += length;
}

function readPostings(reader: MsgpackReader, into: MessageEvent): void {
  const count = countOf(reader, POSTINGS_MAX, 'legs');
  for (let i = 0; i < count; i++) {
    const glAccount = reader.integer();
    into.postings.add(glAccount, reader.integer());
  }
}

/** A number of things that follow; a negative one is none. */
function countOf(reader: MsgpackReader, most: number, what: string): number {
  const count = reader.integer();
  check(count >= 0 && count <= most, what);
  return count;
}

function check(fits: boolean, what: string): void {
  if (!fits) throw new MsgpackError(`a message record cannot have so many ${what}`);
}
