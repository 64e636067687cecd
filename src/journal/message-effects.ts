/**
 * The last member of a message record: what only some messages have, so that the others pay two bytes for it. A bin of
 * sections, each a number and its content as MessagePack; the page docs/internals/journal-format.md lists them.
 *
 * If you add a section: give it the next number, read it here, extend the page. A reader refuses a section that it does not
 * know, because what it would leave out is part of the state.
 */
import { type MessageEvent, READINGS_MAX, RULE_BITS_BYTES } from '../domain/events.js';
import { POSTINGS_MAX } from '../domain/ledger/postings.js';
import { MsgpackError, type MsgpackReader, MsgpackWriter } from './msgpack.js';

const Section = {
  links: 1,
  input: 2,
  finding: 3,
  rules: 4,
  changes: 5,
  readings: 6,
  postings: 7,
  windowLag: 8,
  takenBack: 9,
} as const;

/** Most bytes of the sections but the counter changes: numbers of 9 bytes, and the bit map of the rules. */
const BYTES_MAX = (7 + 5 + 4 + 7 + 2 + 2 + READINGS_MAX * 2 + 1 + POSTINGS_MAX * 2 + 2 + 2) * 9 + RULE_BITS_BYTES + 16;

const scratch = new MsgpackWriter(4096);
let packed = new Uint8Array(1024);

/** Appends the member. */
export function writeEffects(out: MsgpackWriter, event: MessageEvent): void {
  scratch.at = 0;
  scratch.reserve(BYTES_MAX);
  writeLinks(event);
  writeInput(event);
  writeFinding(event);
  writeRules(event);
  writeReadings(event);
  writePostings(event);
  writeWindowLag(event);
  writeTakenBack(event);
  writeChanges(event);
  out.binaryOf(scratch.bytes, 0, scratch.at);
}

function writeLinks(event: MessageEvent): void {
  const { elementSequence, tokenSlot, holdPlaced, holdFlags, cardStatusAfter } = event;
  if (elementSequence === 0 && tokenSlot === -1 && holdPlaced === 0 && holdFlags === 0 && cardStatusAfter === 0) return;
  scratch.integer(Section.links);
  scratch.integer(elementSequence);
  scratch.integer(tokenSlot);
  scratch.integer(holdPlaced);
  scratch.integer(holdFlags);
  scratch.integer(cardStatusAfter);
}

function writeInput({ input }: MessageEvent): void {
  if (input.cashBack === -1 && input.adviceReason === 0 && input.fileAction === 0 && input.fileCode === -1) return;
  scratch.integer(Section.input);
  scratch.integer(input.cashBack);
  scratch.integer(input.adviceReason);
  scratch.integer(input.fileAction);
  scratch.integer(input.fileCode);
}

function writeFinding(event: MessageEvent): void {
  if (event.findingCount === 0) return;
  scratch.integer(Section.finding);
  scratch.integer(event.findingCount);
  for (let i = 0; i < event.findingCount; i++) scratch.integer(event.finding[i]!);
}

function writeRules(event: MessageEvent): void {
  if (event.rulesAsked === 0) return;
  scratch.integer(Section.rules);
  scratch.integer(event.rulesAsked);
  scratch.integer(event.decidingRule);
  scratch.binaryOf(event.ruleBits, 0, (event.rulesAsked + 7) >> 3);
}

function writeReadings(event: MessageEvent): void {
  const windows = event.cardReadings + event.accountReadings;
  if (windows === 0) return;
  scratch.integer(Section.readings);
  scratch.integer(event.cardReadings);
  scratch.integer(event.accountReadings);
  for (let i = 0; i < windows * 2; i++) scratch.integer(event.readings[i]!);
}

function writePostings({ postings }: MessageEvent): void {
  if (postings.count === 0) return;
  scratch.integer(Section.postings);
  scratch.integer(postings.count);
  for (let i = 0; i < postings.count; i++) {
    scratch.integer(postings.glAccount[i]!);
    scratch.integer(postings.amount[i]!);
  }
}

/** Only while the clocks differ, or after shard time was led astray. */
function writeWindowLag({ windowLagMs }: MessageEvent): void {
  if (windowLagMs === 0) return;
  scratch.integer(Section.windowLag);
  scratch.integer(windowLagMs);
}

function writeTakenBack({ takenBack }: MessageEvent): void {
  if (takenBack === -1) return;
  scratch.integer(Section.takenBack);
  scratch.integer(takenBack);
}

function writeChanges({ changes }: MessageEvent): void {
  if (changes.count === 0) return;
  if (packed.length < changes.packedMax) packed = new Uint8Array(changes.packedMax * 2);
  const length = changes.pack(packed, 0);
  scratch.reserve(length + 16);
  scratch.integer(Section.changes);
  scratch.binaryOf(packed, 0, length);
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
      into.findingCount = reader.integer();
      check(into.findingCount <= into.finding.length, 'numbers of a finding');
      for (let i = 0; i < into.findingCount; i++) into.finding[i] = reader.integer();
      return;
    case Section.rules:
      readRules(reader, into);
      return;
    case Section.readings:
      into.cardReadings = reader.integer();
      into.accountReadings = reader.integer();
      check((into.cardReadings + into.accountReadings) * 2 <= into.readings.length, 'counter readings');
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
    case Section.takenBack:
      into.takenBack = reader.integer();
      return;
    default:
      throw new MsgpackError(`no reader for section ${section} of a message record`);
  }
}

function readRules(reader: MsgpackReader, into: MessageEvent): void {
  into.rulesAsked = reader.integer();
  into.decidingRule = reader.integer();
  const length = reader.bytesHeader();
  check(length === (into.rulesAsked + 7) >> 3 && length <= into.ruleBits.length, 'bits of matched rules');
  for (let i = 0; i < length; i++) into.ruleBits[i] = reader.bytes[reader.at + i]!;
  reader.at += length;
}

function readPostings(reader: MsgpackReader, into: MessageEvent): void {
  const count = reader.integer();
  check(count <= POSTINGS_MAX, 'legs');
  for (let i = 0; i < count; i++) {
    const glAccount = reader.integer();
    into.postings.add(glAccount, reader.integer());
  }
}

function check(fits: boolean, what: string): void {
  if (!fits) throw new MsgpackError(`a message record has more ${what} than there is room for`);
}
