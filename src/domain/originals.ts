/**
 * Which earlier message a reversal, an increment or an advice names, and which early reversal names a late message. The ways
 * by which a message names its original are the same in both directions, so that it makes no difference in which order the two
 * arrive. Candidates come from the index, newest first, and are confirmed on the record.
 */
import { CHAIN_CARDS_MAX, MATCHABLE_AFTER_END_MS, MATCHABLE_MS } from '../limits.js';
import { approvalCodeOf } from './approval-code.js';
import { ElementKind, Reason } from './codes.js';
import type { DecisionContext } from './decision-context.js';
import type { MessageEvent } from './events.js';
import type { Found, History } from './history.js';
import type { IndexKeys } from './index-keys.js';
import { isApproval, type Subject, sameCard } from './lookups.js';
import { classOf, isAdvice, isMarkedRepeat, type MessageInput, Text } from './message.js';
import type { ShardState } from './shard-state.js';
import { sameInstitution, sameText, textNumber, textSize } from './texts.js';
import { Sort, sortOf } from './transaction.js';

function namedByNetworkId(reversal: MessageInput, original: MessageInput): boolean {
  if (textSize(reversal, Text.originalNetworkId) === 0) return false;
  return sameText(reversal, Text.originalNetworkId, original, Text.networkId);
}

/** DE90 names MTI, STAN, DE7 and the acquirer; the forwarder only where there was one. */
function isOriginalDataComplete(reversal: MessageInput): boolean {
  return namesMessage(reversal) && textSize(reversal, Text.originalAcquirer) > 0;
}

function namedByOriginalData(reversal: MessageInput, original: MessageInput): boolean {
  return (
    isOriginalDataComplete(reversal) &&
    sameInstitution(reversal, Text.originalAcquirer, original, Text.acquirer) &&
    matchesOriginalStan(reversal, original) &&
    (textSize(reversal, Text.originalForwarder) === 0 ||
      sameInstitution(reversal, Text.originalForwarder, original, Text.forwarder))
  );
}

function matchesOriginalStan(reversal: MessageInput, original: MessageInput): boolean {
  return (
    reversal.originalStan === original.stan &&
    reversal.originalTransmission === original.transmission &&
    (reversal.originalMti < 0 || classOf(reversal.originalMti) === classOf(original.mti))
  );
}

function namedByRrn(reversal: MessageInput, original: MessageInput): boolean {
  if (textSize(reversal, Text.rrn) === 0) return false;
  return sameText(reversal, Text.rrn, original, Text.rrn) && sameText(reversal, Text.terminal, original, Text.terminal);
}

const REVERSAL = 4;

/**
 * As `namedByRrn`; a DE38 of a reversal must be the code of that approval. That of an advice is the network's own. All messages of
 * a purchase may share DE37 and DE41, so a reversal whose DE90 names another of them does not mean this one (decision 0024): the
 * one it means was lost, or comes later.
 */
function namedByRrnAndCode(reversal: MessageInput, original: MessageInput, approvalCode: number): boolean {
  if (!namedByRrn(reversal, original)) return false;
  if (classOf(reversal.mti) !== REVERSAL) return true;
  if (textSize(reversal, Text.approval) === 0) return !namesAnother(reversal, original);
  return isCode(reversal, original, approvalCode) && !namesOtherClass(reversal, original);
}

/** True when DE38 is the code, of which some senders leave out the zeros in front, or what the advice itself had in DE38. */
function isCode(reversal: MessageInput, original: MessageInput, code: number): boolean {
  if (sameText(reversal, Text.approval, original, Text.approval)) return true;
  return (
    code >= 0 && (approvalCodeOf(reversal, Text.approval) === code || textNumber(reversal, Text.approval) === code)
  );
}

/** True when DE90 has STAN and DE7, and an MTI of another class. */
function namesOtherClass(reversal: MessageInput, original: MessageInput): boolean {
  return namesMessage(reversal) && reversal.originalMti >= 0 && classOf(reversal.originalMti) !== classOf(original.mti);
}

/** True when DE90 has STAN and DE7 and neither is the message's. One that was sent again may have got a new DE7. */
function namesOtherStan(reversal: MessageInput, original: MessageInput): boolean {
  return (
    namesMessage(reversal) &&
    reversal.originalStan !== original.stan &&
    reversal.originalTransmission !== original.transmission
  );
}

const namesAnother = (reversal: MessageInput, original: MessageInput): boolean =>
  namesOtherClass(reversal, original) || namesOtherStan(reversal, original);

const namesMessage = (reversal: MessageInput): boolean =>
  reversal.originalStan >= 0 && reversal.originalTransmission >= 0;

/** DE90 without the acquirer, or an original without one. */
function namedByGivenStan(reversal: MessageInput, original: MessageInput): boolean {
  if (!namesMessage(reversal)) return false;
  const comparable = textSize(reversal, Text.originalAcquirer) > 0 && textSize(original, Text.acquirer) > 0;
  return !comparable && matchesOriginalStan(reversal, original);
}

/** The reversal's own DE11 and DE7. */
const namedByOwnStan = (reversal: MessageInput, original: MessageInput): boolean =>
  reversal.stan === original.stan && reversal.transmission === original.transmission;

const namedByStan = (reversal: MessageInput, original: MessageInput): boolean =>
  namedByGivenStan(reversal, original) || namedByOwnStan(reversal, original);

const Rung = { holdReference: 0, networkId: 1, originalData: 2, rrn: 3, originalStan: 4, ownStan: 5 } as const;
type Rung = (typeof Rung)[keyof typeof Rung];

/** What the search for an original asks: the past, and the holds that are open. */
type Known = Pick<DecisionContext, 'state' | 'history' | 'keys'>;

/** Sequence of the message that the reversal names, 0 when there is none: an authorization, or an element of one. */
export function findOriginal(known: Known, subject: Subject): number {
  return findFrom(known, subject, Rung.networkId);
}

/**
 * Sequence of the message that an increment or an advice belongs to, 0 when there is none. These may also name it by the
 * reference that the acquirer gave the hold.
 */
export function findContinued(known: Known, subject: Subject): number {
  return findFrom(known, subject, Rung.holdReference);
}

/** Sequence of our newest decision about a request with all the numbers of the advice in hand, 0 without one; of the card, or of one that it replaces. */
export function findTold({ state, history, keys }: Known, subject: Subject): number {
  const { input } = subject;
  let card = subject.cardSlot;
  for (let asked = 0; card >= 0 && asked < CHAIN_CARDS_MAX; asked++) {
    keys.forCard(card, subject.fingerprint).stanKey(input.stan, input.transmission);
    const found = history.find(keys.high, keys.low);
    for (let i = found.count - 1; i >= 0; i--) {
      const sequence = found.sequences[i]!;
      if (!history.isMessage(sequence)) continue;
      const event = history.read(sequence);
      if (event.cardSlot !== card || !isRequest(event.element) || isRefusedRepeat(event)) continue;
      if (namedByOwnStan(input, event.input) && sameNumbers(input, event.input)) return sequence;
    }
    card = state.cards.replaces(card);
  }
  return 0;
}

/** DE32, DE37 and DE41. */
const sameNumbers = (a: MessageInput, b: MessageInput): boolean =>
  sameInstitution(a, Text.acquirer, b, Text.acquirer) &&
  sameText(a, Text.rrn, b, Text.rrn) &&
  sameText(a, Text.terminal, b, Text.terminal);

/** Each rung from `first` on, of the card and of those that it replaces: what was authorized yesterday stands on yesterday's card. */
function findFrom(known: Known, subject: Subject, first: Rung): number {
  const { cards } = known.state;
  for (let rung = first; rung <= Rung.ownStan; rung++) {
    if (!isAsked(rung as Rung, subject.input)) continue;
    best.sequence = 0;
    best.rank = -1;
    let card = subject.cardSlot;
    for (let asked = 0; asked < CHAIN_CARDS_MAX; asked++) {
      askCard(known, subject, card, rung as Rung);
      // Of an increment by the new number the authorization may stand on the old one.
      if (best.sequence > 0 && !best.isChange) break;
      card = card < 0 ? -1 : cards.replaces(card);
      if (card < 0) break;
    }
    if (best.sequence > 0) return best.sequence;
  }
  return 0;
}

/** The best candidate so far of the rung that is asked. */
const best = { sequence: 0, rank: -1, isChange: false };

/** True when the message has what the rung needs. */
function isAsked(rung: Rung, input: MessageInput): boolean {
  switch (rung) {
    case Rung.holdReference:
      return textSize(input, Text.originalNetworkId) === 0 && textSize(input, Text.holdReference) > 0;
    case Rung.networkId:
      return textSize(input, Text.originalNetworkId) > 0;
    case Rung.originalData:
      return isOriginalDataComplete(input);
    case Rung.rrn:
      return textSize(input, Text.rrn) > 0;
    case Rung.originalStan:
      return namesMessage(input);
    case Rung.ownStan:
      return true;
  }
}

/** @param card slot of the subject's card, -1 for an unknown one, or of one that it replaces */
function askCard(known: Known, subject: Subject, card: number, rung: Rung): void {
  const { history, keys } = known;
  const { input } = subject;
  keys.forCard(card, subject.fingerprint);
  switch (rung) {
    case Rung.holdReference:
      keys.holdReferenceKey(input);
      break;
    case Rung.networkId:
      keys.networkKey(input, Text.originalNetworkId);
      break;
    case Rung.rrn:
      keys.rrnKey(input);
      break;
    case Rung.ownStan:
      keys.stanKey(input.stan, input.transmission);
      break;
    default:
      keys.stanKey(input.originalStan, input.originalTransmission);
      break;
  }
  takeBest(known, history.find(keys.high, keys.low), subject, card, rung);
}

/** The authorization that the event belongs to: itself, or the one it is an element of. */
export function rootOf(event: MessageEvent): number {
  return event.originalSequence > 0 ? event.originalSequence : event.sequence;
}

/** True for an event that approved money, or told that the network did. */
export function approves({ element, response, approvedAmount }: MessageEvent): boolean {
  if (!isApproval(response)) return false;
  return (element !== ElementKind.advice && element !== ElementKind.completion) || approvedAmount > 0;
}

/** DE48 tag 20 of an increment. */
export const INCREMENT = 'I'.charCodeAt(0);
/** And of a replacement. */
export const REPLACEMENT = 'R'.charCodeAt(0);
/** DE48 tag 84: the network has approved in stand-in. */
export const STAND_IN = 'S'.charCodeAt(0);

/** True for an advice of an authorization that the network approved in stand-in, and not of a change of one. Each credit is whole. */
export const isStandIn = (input: MessageInput): boolean =>
  input.adviceReason === STAND_IN &&
  ((input.functionCode !== INCREMENT && input.functionCode !== REPLACEMENT) || sortOf(input) === Sort.credit);

/** Decisions about requests, whose reply the network waits for; advices and reversals stand whether it hears us or not. */
export function isRequest(element: ElementKind): boolean {
  switch (element) {
    case ElementKind.authorization:
    case ElementKind.verification:
    case ElementKind.balanceInquiry:
    case ElementKind.refundAuthorization:
    case ElementKind.increment:
    case ElementKind.replacement:
      return true;
    default:
      return false;
  }
}

/**
 * True for an increment, a replacement or a part of an authorization that was not known when it came: it began one, and is what came on
 * top of what the network may still tell.
 */
export function isChangeOfUnknown({ element, originalSequence, input }: MessageEvent): boolean {
  if (originalSequence > 0 || (element !== ElementKind.authorization && element !== ElementKind.advice)) return false;
  return (input.functionCode === INCREMENT || input.functionCode === REPLACEMENT) && sortOf(input) !== Sort.credit;
}

/** True for a 0120 that told of an authorization or of a change of it. */
const isToldOf = ({ element, input }: MessageEvent): boolean =>
  element === ElementKind.completion && classOf(input.mti) === 1;

/** True for an increment or a replacement, and for an advice of an authorization that told of one or posted a part, whatever came of it. */
export function isChange({ element, originalSequence, input }: MessageEvent): boolean {
  if (element === ElementKind.completion || (element === ElementKind.advice && originalSequence > 0)) {
    const isOfChange =
      input.functionCode === INCREMENT || (input.functionCode === REPLACEMENT && classOf(input.mti) === 1);
    return isOfChange && sortOf(input) !== Sort.credit;
  }
  return element === ElementKind.increment || element === ElementKind.replacement;
}

/**
 * Takes the best of the candidates that the rung confirms: one whose STAN and DE7 are named, or are the message's own, whatever was
 * decided about it; then one of its own direction, a credit or none, where it has DE3; then an approval before a decline, then one whose DE37 and DE41 are the message's as well (acquirers do send one
 * STAN twice within a second), then an authorization, or what posted the whole of it, before its increments and what was told of it (who
 * means the increment names it exactly), then one of the nearest card, then the newest.
 */
function takeBest(known: Known, found: Found, subject: Subject, card: number, rung: Rung): void {
  const { state, history } = known;
  const { count } = found;
  let { sequences } = found;
  for (let i = count - 1; i >= 0; i--) {
    const sequence = sequences[i]!;
    if (!history.isMessage(sequence)) continue;
    let event = history.read(sequence);
    if (!isOriginal(subject, card, event)) continue;
    // An element may outlive its authorization in the journal: what nothing is known of cannot be continued or taken back.
    if (rootOf(event) <= history.floor) continue;
    if (!confirms(rung, subject.input, event)) continue;
    if (rung === Rung.rrn && isSentBehind(event.input, subject.input)) continue;
    if (!isMatchable(state, subject, event)) {
      // Another look-up, which takes the place of this one.
      sequences = sequences.slice(0, count);
      if (!endedOfLate(known, subject, rootOf(event))) continue;
      event = history.read(sequence);
    }
    const rank =
      (namedByStan(subject.input, event.input) ? 16 : 0) +
      (isSameDirection(subject.input, event.input) ? 8 : 0) +
      (approves(event) ? 4 : 0) +
      (namedByRrn(subject.input, event.input) ? 2 : 0) +
      (isChange(event) || isToldOf(event) ? 0 : 1);
    if (rank <= best.rank) continue;
    best.sequence = sequence;
    best.rank = rank;
    best.isChange = (rank & 1) === 0;
  }
}

function isSameDirection(subject: MessageInput, original: MessageInput): boolean {
  const sort = sortOf(subject);
  return sort === Sort.unknown || (sort === Sort.credit) === (sortOf(original) === Sort.credit);
}

/** Increments may keep a hold alive for longer than any life: while it is open, what placed it can be named. */
export const isMatchable = ({ holds }: ShardState, { timeMs }: Pick<Subject, 'timeMs'>, event: MessageEvent): boolean =>
  timeMs - event.timeMs <= MATCHABLE_MS || holds.find(rootOf(event)) >= 0;

/**
 * True when the end that the hold of the authorization at `root` was last given by one of its elements is at most 90 days ago: increments
 * had kept it alive. Overwrites what the history found and read before, and the keys.
 */
export function endedOfLate(
  { history, keys }: Omit<Known, 'state'>,
  { timeMs }: Pick<Subject, 'timeMs'>,
  root: number,
): boolean {
  keys.elementsKey(root);
  const { count, sequences } = history.find(keys.high, keys.low, timeMs - MATCHABLE_MS);
  for (let i = count - 1; i >= 0; i--) {
    if (!history.isMessage(sequences[i]!)) continue;
    const { originalSequence, holdExpiresMs } = history.read(sequences[i]!);
    if (originalSequence === root && holdExpiresMs > 0) return timeMs - holdExpiresMs <= MATCHABLE_AFTER_END_MS;
  }
  return false;
}

/** A decision about a payment of the card; not a refusal, nor the answer to a repeat. */
function isOriginal(subject: Subject, card: number, event: MessageEvent): boolean {
  const { element } = event;
  if (element === ElementKind.reversal || element === ElementKind.refused || element === ElementKind.fileUpdate) {
    return false;
  }
  if (isRefusedRepeat(event)) return false;
  return card < 0 ? sameCard(subject, event) : event.cardSlot === card;
}

/** True for the answer to a repeat that was refused (94, 68). */
const isRefusedRepeat = ({ reason }: MessageEvent): boolean =>
  reason === Reason.duplicateOtherAmount || reason === Reason.originalUndone;

function confirms(rung: Rung, reversal: MessageInput, original: MessageEvent): boolean {
  switch (rung) {
    case Rung.networkId:
      return namedByNetworkId(reversal, original.input);
    case Rung.originalData:
      return namedByOriginalData(reversal, original.input);
    case Rung.rrn:
      return namedByRrnAndCode(reversal, original.input, original.approvalCode);
    case Rung.originalStan:
      return namedByGivenStan(reversal, original.input);
    case Rung.ownStan:
      return namedByOwnStan(reversal, original.input);
    case Rung.holdReference:
      return sameText(reversal, Text.holdReference, original.input, Text.holdReference);
  }
}

/**
 * True when the reversal found the message only by what all messages of a purchase may share (DE37, DE41): of those it may as well mean
 * one that is still on its way.
 */
export function isNamedByRrnAlone(reversal: MessageInput, original: MessageInput): boolean {
  if (namesMessage(reversal) || textSize(reversal, Text.approval) > 0) return false;
  return !namedByNetworkId(reversal, original) && !namedByStan(reversal, original);
}

/** As `isNamedByRrnAlone`, of a message that may have a DE37 of its own. */
export const isNamedByRrnOf = (reversal: MessageInput, original: MessageInput): boolean =>
  isNamedByRrnAlone(reversal, original) && namedByRrn(reversal, original);

/** True when the message says more than DE37 of what it means: the other's STAN and DE7, in DE90 or as its own, or its network id. */
export const isNamedExactly = (input: MessageInput, original: MessageInput): boolean =>
  (namesMessage(input) && !namesAnother(input, original)) ||
  namedByNetworkId(input, original) ||
  namedByStan(input, original);

/** True for a message that was sent behind a reversal which names it by DE37 and DE41 alone: it is none that the reversal can mean. */
const isSentBehind = (message: MessageInput, reversal: MessageInput): boolean =>
  classOf(reversal.mti) === REVERSAL && isNamedByRrnAlone(reversal, message) && isSentLater(message, reversal);

/** True for a message that was sent later than the reversal by DE7, which one that is sent again (xxx1) may have got anew. */
export const isSentLater = (message: MessageInput, reversal: MessageInput): boolean =>
  !isMarkedRepeat(message.mti) && isLater(message.transmission, reversal.transmission);

/** DE7 has no year: the later of two that are less than half a year apart. */
function isLater(transmission: number, other: number): boolean {
  const ahead = transmission - other;
  return ahead > 0 ? ahead < HALF_A_YEAR : ahead < -HALF_A_YEAR;
}

/** Six months, as DE7 counts (MMDDhhmmss). */
const HALF_A_YEAR = 600_000_000;

/** Sequence of a reversal within the duplicate window that came before its original and names this message, else 0. */
export function findTombstone(history: History, keys: IndexKeys, subject: Subject, windowMs: number): number {
  const { input, timeMs } = subject;
  const sinceMs = timeMs - windowMs;
  keys.forCard(subject.cardSlot, subject.fingerprint).stanKey(input.stan, input.transmission);
  let sequence = tombstoneAmong(history, history.find(keys.high, keys.low, sinceMs), subject, windowMs);
  if (sequence > 0) return sequence;
  if (textSize(input, Text.networkId) > 0) {
    keys.networkKey(input, Text.networkId);
    sequence = tombstoneAmong(history, history.find(keys.high, keys.low, sinceMs), subject, windowMs);
    if (sequence > 0) return sequence;
  }
  if (textSize(input, Text.rrn) === 0) return 0;
  keys.rrnKey(input);
  return tombstoneAmong(history, history.find(keys.high, keys.low, sinceMs), subject, windowMs);
}

function tombstoneAmong(history: History, found: Found, subject: Subject, windowMs: number): number {
  for (let i = found.count - 1; i >= 0; i--) {
    const sequence = found.sequences[i]!;
    if (!history.isMessage(sequence)) continue;
    const event = history.read(sequence);
    if (event.tombstone !== 1 || subject.timeMs - event.timeMs > windowMs) continue;
    if (!sameCard(subject, event)) continue;
    const { input } = event;
    // It has found another message of the purchase. What the network told of one it does not stand against.
    if (event.originalSequence > 0 && isAdvice(subject.input.mti)) continue;
    if (namedByNetworkId(input, subject.input) || namedByOriginalData(input, subject.input)) return sequence;
    // The late original has no approval code yet, so a DE38 of the reversal says nothing here.
    const isNamed = namedByRrn(input, subject.input) && !namesAnother(input, subject.input);
    if (isNamed && !isSentBehind(subject.input, input)) return sequence;
    if (namedByStan(input, subject.input)) return sequence;
  }
  return 0;
}
