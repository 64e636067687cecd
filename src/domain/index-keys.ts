/**
 * Keys under which the past is found again (see history.ts for the layout). Both words are seeded hashes: whoever sends
 * messages cannot aim at one key. A card is its slot when it is known, else the first words of its PAN fingerprint.
 * Candidates are always confirmed on the record, so a collision costs a read and never an answer.
 */
import { IN_SUSPENSE } from './clearing/codes.js';
import { EventKind } from './codes.js';
import type { ClearingPosted, EntryPosted, MessageEvent, NotDelivered, PlainEvent, TotalsCompared } from './events.js';
import { finishHash, mixBytes, mixInteger, mixString, mixWord } from './hash.js';
import { KeyKind } from './history.js';
import { EntryKind } from './ledger/entry-kinds.js';
import { type MessageInput, Text } from './message.js';
import { textSize } from './texts.js';

/** Stands for "card known by its slot" in the place of a fingerprint's second word. */
const KNOWN_CARD = 0x51075107;

const NO_CARD = [0, 0, 0] as const;
/** In the place of a file's name; none has a blank. */
const DISPUTES = ' disputes';
const STATEMENTS = ' statements';

/** Records of a shard that are looked for by their day, in the place of a file's name. */
export const DayList = {
  /** Chargebacks, and those that were taken back: what a network has to be told. */
  chargebacks: ' chargebacks',
  /** Clearing records in suspense. */
  suspense: ' suspense',
} as const;
export type DayList = (typeof DayList)[keyof typeof DayList];

/** The day of a record in its list. */
export const listDay = (timeMs: number): number => Math.floor(timeMs / 86_400_000);

/** Bytes of a search term, which is ASCII: any other character gives a key that nothing has. */
function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** What names a comparison of totals: its repeat has the same. */
type ComparisonName = Pick<TotalsCompared, 'link' | 'acquirer' | 'stan' | 'transmission'>;

export class IndexKeys {
  /** The key last made: two unsigned 32-bit words. */
  high = 0;
  low = 0;
  readonly #seedHigh: number;
  readonly #seedLow: number;
  #card0 = 0;
  #card1 = 0;

  /** Two secret 32-bit seeds; fixed for the life of the data directory. */
  constructor(seedHigh: number, seedLow: number) {
    this.#seedHigh = seedHigh | 0;
    this.#seedLow = seedLow | 0;
  }

  /** Chooses the card that the next keys speak of: its slot, or with -1 the fingerprint of an unknown card. */
  forCard(cardSlot: number, fingerprint: ArrayLike<number>): this {
    this.#card0 = cardSlot >= 0 ? cardSlot : fingerprint[0]! | 0;
    this.#card1 = cardSlot >= 0 ? KNOWN_CARD : fingerprint[1]! | 0;
    return this;
  }

  /** card + DE11 + DE7. */
  stanKey(stan: number, transmission: number): void {
    this.high = this.stanHigh(stan);
    this.low = finishHash(mixInteger(mixWord(this.#lowOf(KeyKind.stan), stan), transmission));
  }

  /** card + DE37 + DE41 of a message. */
  rrnKey(input: MessageInput): void {
    this.high = this.#textHigh(KeyKind.rrn, input, Text.rrn);
    let h = this.#mixText(this.#lowOf(KeyKind.rrn), input, Text.rrn);
    h = this.#mixText(h, input, Text.terminal);
    this.low = finishHash(h);
  }

  /** card + network transaction id, taken from DE63 (`Text.networkId`) or DE48.63 (`Text.originalNetworkId`). */
  networkKey(input: MessageInput, which: Text): void {
    this.high = this.#textHigh(KeyKind.networkId, input, which);
    this.low = finishHash(this.#mixText(this.#lowOf(KeyKind.networkId), input, which));
  }

  /** card + reference of a hold (DE48 tag 80). */
  holdReferenceKey(input: MessageInput): void {
    this.high = this.#textHigh(KeyKind.holdReference, input, Text.holdReference);
    this.low = finishHash(this.#mixText(this.#lowOf(KeyKind.holdReference), input, Text.holdReference));
  }

  /** card + approval code (approval-code.ts). */
  approvalKey(code: number): void {
    this.high = this.approvalHigh(code);
    this.low = finishHash(mixWord(this.#lowOf(KeyKind.approval), code));
  }

  /** Elements of the authorization at a sequence; no card. */
  elementsKey(sequence: number): void {
    this.high = this.#pack(KeyKind.elements, mixInteger(this.#highOf(KeyKind.elements), sequence));
    this.low = finishHash(mixInteger(this.#seedLow ^ KeyKind.elements, sequence));
  }

  /** Totals that were compared for an acquirer of a link: its DE11 and DE7; no card. */
  comparisonKey({ link, acquirer, stan, transmission }: ComparisonName): void {
    const { comparison } = KeyKind;
    this.high = this.#pack(comparison, mixInteger(mixWord(this.#highOf(comparison), stan), transmission));
    this.low = finishHash(mixInteger(mixWord(this.#seedLow ^ comparison, link), acquirer));
  }

  /** card + DE31 of a clearing record, or of one without card + file + number of the record. */
  clearingKey(arn: string, file: string, record: number): void {
    const { clearing } = KeyKind;
    const named = arn === '';
    const tail = (h: number): number => (named ? mixInteger(mixString(h, file), record) : mixString(h, arn));
    this.high = this.#pack(clearing, tail(this.#highOf(clearing)));
    this.low = finishHash(tail(this.#lowOf(clearing)));
  }

  /** Disputes of what the record at a sequence posted; of the card that was chosen. */
  disputesKey(posted: number): void {
    this.clearingKey('', DISPUTES, posted);
  }

  /** Statements of the account in a slot; no card. */
  statementsKey(accountSlot: number): void {
    this.forCard(-1, NO_CARD).clearingKey('', STATEMENTS, accountSlot);
  }

  /** What stands in a list under a day (days since 1970-01-01); no card. */
  dayKey(list: DayList, day: number): void {
    this.forCard(-1, NO_CARD).clearingKey('', list, day);
  }

  /** High word to search by DE11. */
  stanHigh(stan: number): number {
    return this.#pack(KeyKind.stan, mixWord(this.#highOf(KeyKind.stan), stan));
  }

  /** High word to search by DE37. */
  rrnHigh(rrn: string): number {
    return this.#stringHigh(KeyKind.rrn, rrn);
  }

  /** High word to search by network transaction id. */
  networkHigh(id: string): number {
    return this.#stringHigh(KeyKind.networkId, id);
  }

  /** High word to search by approval code. */
  approvalHigh(code: number): number {
    return this.#pack(KeyKind.approval, mixWord(this.#highOf(KeyKind.approval), code));
  }

  #highOf(kind: number): number {
    return this.#seedHigh ^ Math.imul(kind, 0x9e3779b1);
  }

  #lowOf(kind: number): number {
    return mixWord(mixWord(this.#seedLow ^ kind, this.#card0), this.#card1);
  }

  #pack(kind: number, hash: number): number {
    return ((kind << 29) | (finishHash(hash) >>> 3)) >>> 0;
  }

  #textHigh(kind: number, input: MessageInput, which: Text): number {
    return this.#pack(kind, this.#mixText(this.#highOf(kind), input, which));
  }

  #stringHigh(kind: number, text: string): number {
    const bytes = asciiBytes(text.trimEnd());
    return this.#pack(kind, mixBytes(this.#highOf(kind), bytes, 0, bytes.length));
  }

  #mixText(hash: number, input: MessageInput, which: Text): number {
    return mixBytes(hash, input.text, input.textAt[which]!, textSize(input, which));
  }
}

/** Visits every key under which an event must be found: what the recent index and the fingerprint segments store. */
export function keysOfEvent(
  event: MessageEvent | PlainEvent,
  keys: IndexKeys,
  visit: (high: number, low: number) => void,
): void {
  if (event.kind === EventKind.message) keysOfMessage(event, keys, visit);
  else if (event.kind === EventKind.notDelivered) keysOfRollBack(event, keys, visit);
  else if (event.kind === EventKind.holdExpired) {
    keys.elementsKey(event.originalSequence);
    visit(keys.high, keys.low);
  } else if (event.kind === EventKind.clearingPosted) keysOfClearing(event, keys, visit);
  else if (event.kind === EventKind.entryPosted) keysOfEntry(event, keys, visit);
  else if (event.kind === EventKind.statementClosed) {
    keys.statementsKey(event.accountSlot);
    visit(keys.high, keys.low);
  } else if (event.kind === EventKind.totalsCompared) {
    keys.comparisonKey(event);
    visit(keys.high, keys.low);
  }
}

function keysOfRollBack(event: NotDelivered, keys: IndexKeys, visit: (high: number, low: number) => void): void {
  keys.elementsKey(event.originalSequence);
  visit(keys.high, keys.low);
  if (event.authorizationSequence === event.originalSequence) return;
  keys.elementsKey(event.authorizationSequence);
  visit(keys.high, keys.low);
}

function keysOfEntry(event: EntryPosted, keys: IndexKeys, visit: (high: number, low: number) => void): void {
  const { entry, disputed, cardSlot, timeMs } = event;
  if (disputed === undefined) return;
  if (entry === EntryKind.provisionalCredit) keys.forCard(cardSlot, NO_CARD).disputesKey(disputed.posted);
  else keys.dayKey(DayList.chargebacks, listDay(timeMs));
  visit(keys.high, keys.low);
}

function keysOfClearing(event: ClearingPosted, keys: IndexKeys, visit: (high: number, low: number) => void): void {
  const { file, input, originalSequence, relatedSequence, flags, timeMs } = event;
  if ((flags & IN_SUSPENSE) !== 0) {
    keys.dayKey(DayList.suspense, listDay(timeMs));
    visit(keys.high, keys.low);
  }
  keys.forCard(event.cardSlot, event.fingerprint).clearingKey(input.arn, file, input.record);
  visit(keys.high, keys.low);
  if (originalSequence > 0) {
    keys.elementsKey(originalSequence);
    visit(keys.high, keys.low);
  }
  if (relatedSequence > 0) {
    keys.elementsKey(relatedSequence);
    visit(keys.high, keys.low);
  }
}

function keysOfMessage(event: MessageEvent, keys: IndexKeys, visit: (high: number, low: number) => void): void {
  const { input } = event;
  keys.forCard(event.cardSlot, event.fingerprint);
  if (input.stan >= 0) {
    keys.stanKey(input.stan, input.transmission);
    visit(keys.high, keys.low);
    // Without DE37 too: the repeat without DE7 is looked up by DE37 and DE41, which may both be absent.
    keys.rrnKey(input);
    visit(keys.high, keys.low);
  } else if (textSize(input, Text.rrn) > 0) {
    // Answered 30 for want of DE11: nothing repeats it, but whoever looks for the RRN wants to see it.
    keys.rrnKey(input);
    visit(keys.high, keys.low);
  }
  if (textSize(input, Text.networkId) > 0) {
    keys.networkKey(input, Text.networkId);
    visit(keys.high, keys.low);
  }
  if (event.approvalCode >= 0) {
    keys.approvalKey(event.approvalCode);
    visit(keys.high, keys.low);
  }
  if (textSize(input, Text.holdReference) > 0) {
    keys.holdReferenceKey(input);
    visit(keys.high, keys.low);
  }
  if (event.originalSequence > 0) {
    keys.elementsKey(event.originalSequence);
    visit(keys.high, keys.low);
  }
  if (event.elementSequence > 0) {
    keys.elementsKey(event.elementSequence);
    visit(keys.high, keys.low);
  }
  if (event.tombstone === 0) return;
  // A late original looks for the tombstone under its own keys: those that the reversal named it by.
  if (textSize(input, Text.originalNetworkId) > 0) {
    keys.networkKey(input, Text.originalNetworkId);
    visit(keys.high, keys.low);
  }
  if (namesOtherStan(input)) {
    keys.stanKey(input.originalStan, input.originalTransmission);
    visit(keys.high, keys.low);
  }
}

/** True when DE90 names a STAN and DE7 that are not the reversal's own. */
function namesOtherStan(input: MessageInput): boolean {
  if (input.originalStan < 0 || input.originalTransmission < 0) return false;
  return input.originalStan !== input.stan || input.originalTransmission !== input.transmission;
}
