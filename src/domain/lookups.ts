/**
 * The questions a decision asks of the past about the message itself: is it a repeat, and was what it repeats undone. Each
 * takes candidates from the index, newest first, and confirms them on the record (originals.ts asks which authorization a
 * message names). `History.read` hands out one reused event: nothing here holds two of them.
 */
import { REPEAT_WITHOUT_DE7_MS } from '../limits.js';
import { ElementKind, EventKind, Response } from './codes.js';
import type { MessageEvent } from './events.js';
import type { Found, History } from './history.js';
import type { IndexKeys } from './index-keys.js';
import { classOf, isAdvice, isMarkedRepeat, type MessageInput, Text } from './message.js';
import { sameInstitution, sameText } from './texts.js';

/** What the look-ups need to know of the message in hand: an event being filled has it all. */
export interface Subject {
  readonly input: MessageInput;
  readonly cardSlot: number;
  /** Of the PAN, when the card is unknown. */
  readonly fingerprint: Uint32Array;
  /** Shard time of the decision, ms. */
  readonly timeMs: number;
}

export function isApproval(response: number): boolean {
  return response === Response.approved || response === Response.verified || response === Response.partial;
}

export function sameCard(subject: Subject, event: MessageEvent): boolean {
  if (subject.cardSlot >= 0 || event.cardSlot >= 0) return subject.cardSlot === event.cardSlot;
  const a = subject.fingerprint;
  const b = event.fingerprint;
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2];
}

// ---- repeats ----

/**
 * Sequence of the decision that this message repeats: positive when the amounts are the same, negative when the key is
 * the same and an amount is not, 0 when the message is new. A repeat is told by class, card, DE11, DE7, DE32, DE37 and
 * DE41 within the duplicate window (`windowMs`); one that says it is a repeat (xxx1) is tried again without DE7 within 10 minutes.
 */
export function findRepeated(history: History, keys: IndexKeys, subject: Subject, windowMs: number): number {
  const { input, timeMs } = subject;
  keys.forCard(subject.cardSlot, subject.fingerprint).stanKey(input.stan, input.transmission);
  const known = history.find(keys.high, keys.low, timeMs - windowMs);
  const own = repeatedAmong(history, known, subject, true, windowMs);
  const advice = repeatedAdvice;
  // What we decided ourselves comes first: an advice with the same numbers tells what the network did about it.
  if (own !== 0 || !isMarkedRepeat(input.mti)) return own === 0 ? advice : own;
  keys.rrnKey(input);
  const near = history.find(keys.high, keys.low, timeMs - REPEAT_WITHOUT_DE7_MS);
  const other = repeatedAmong(history, near, subject, false, REPEAT_WITHOUT_DE7_MS);
  if (other !== 0) return other;
  return advice === 0 ? repeatedAdvice : advice;
}

/** What a request that was looked for last repeats of advices, as `findRepeated` tells it. */
let repeatedAdvice = 0;

/** What is repeated of the subject's own kind, advices or not; `repeatedAdvice` has the rest. */
function repeatedAmong(
  history: History,
  found: Found,
  subject: Subject,
  withTransmission: boolean,
  windowMs: number,
): number {
  repeatedAdvice = 0;
  let otherAmount = 0;
  for (let i = found.count - 1; i >= 0; i--) {
    const sequence = found.sequences[i]!;
    if (!history.isMessage(sequence)) continue;
    const event = history.read(sequence);
    if (subject.timeMs - event.timeMs > windowMs) continue;
    if (withTransmission && event.input.transmission !== subject.input.transmission) continue;
    if (!isSameMessage(subject, event)) continue;
    const isOwn = tellsDecision(event.input.mti) === tellsDecision(subject.input.mti);
    if (sameAmounts(subject.input, event.input)) {
      if (isOwn) return sequence;
      if (repeatedAdvice <= 0) repeatedAdvice = sequence;
    } else if (isOwn) otherAmount = otherAmount === 0 ? sequence : otherAmount;
    else if (repeatedAdvice === 0) repeatedAdvice = -sequence;
  }
  return -otherAmount;
}

/**
 * Everything of the duplicate key but DE7. What was answered 30 or 12 is no decision that could be repeated, and an advice
 * repeats no request, though it may carry the same numbers: it tells what the network did about that request. A request repeats
 * an advice by which something was held or posted, and no other: one that tells of a decline, or came behind its reversal, has decided nothing.
 */
function isSameMessage(subject: Subject, event: MessageEvent): boolean {
  const { input } = subject;
  const past = event.input;
  return (
    event.element !== ElementKind.refused &&
    past.stan === input.stan &&
    classOf(past.mti) === classOf(input.mti) &&
    (tellsDecision(past.mti) ? tellsDecision(input.mti) || event.approvedAmount > 0 : !tellsDecision(input.mti)) &&
    sameCard(subject, event) &&
    sameInstitution(past, Text.acquirer, input, Text.acquirer) &&
    sameText(past, Text.rrn, input, Text.rrn) &&
    sameText(past, Text.terminal, input, Text.terminal)
  );
}

/** True for 0120 and 0220. Of reversals 0400 and 0420 are one: both say the same. */
const tellsDecision = (mti: number): boolean => isAdvice(mti) && classOf(mti) <= 2;

/** DE4 and DE6, each with its currency, and DE95: an absent amount is as good as zero. */
function sameAmounts(a: MessageInput, b: MessageInput): boolean {
  if (Math.max(a.replacementAmount, 0) !== Math.max(b.replacementAmount, 0)) return false;
  return (
    sameMoney(a.amount, a.currency, b.amount, b.currency) &&
    sameMoney(a.billingAmount, a.billingCurrency, b.billingAmount, b.billingCurrency)
  );
}

function sameMoney(a: number, currencyOfA: number, b: number, currencyOfB: number): boolean {
  if (Math.max(a, 0) !== Math.max(b, 0)) return false;
  return a <= 0 || currencyOfA === currencyOfB;
}

/** What undid an approval. */
export const Undone = { no: 0, rolledBack: 1, reversed: 2 } as const;
export type Undone = (typeof Undone)[keyof typeof Undone];

/** How the approval at `sequence` (an authorization or an increment) was undone; a full reversal weighs most. */
export function undoneBy(history: History, keys: IndexKeys, sequence: number): Undone {
  keys.elementsKey(sequence);
  const found = history.find(keys.high, keys.low);
  let undone: Undone = Undone.no;
  for (let i = 0; i < found.count; i++) {
    const at = found.sequences[i]!;
    if (!history.isMessage(at)) {
      if (rollsBack(history, at, sequence)) undone = Undone.rolledBack;
      continue;
    }
    const event = history.read(at);
    if (event.element !== ElementKind.reversal) continue;
    const isWhole = event.originalSequence === sequence && isFullReversal(event);
    const isOfElement = event.elementSequence === sequence && event.input.replacementAmount <= 0;
    if (isWhole || isOfElement) return Undone.reversed;
  }
  return undone;
}

/** True for a reversal of all of an authorization: of nothing less by DE95, nor of one increment or part of it. */
export const isFullReversal = ({ element, elementSequence, input }: MessageEvent): boolean =>
  element === ElementKind.reversal && elementSequence === 0 && input.replacementAmount <= 0;

/** Sequence of the reversal that came before the authorization, whose elements it takes with it; 0 when none did. */
export const reversedBefore = ({ originalSequence, elementSequence }: MessageEvent): number =>
  originalSequence === 0 ? elementSequence : 0;

/** Sequence of the newest full reversal of the authorization at `root`, or of the one that came before it; 0 without one. */
export function fullReversalOf(history: History, keys: IndexKeys, root: number): number {
  const before = reversedBefore(history.read(root));
  if (before > 0) return before;
  keys.elementsKey(root);
  const found = history.find(keys.high, keys.low);
  for (let i = found.count - 1; i >= 0; i--) {
    const at = found.sequences[i]!;
    if (!history.isMessage(at)) continue;
    const event = history.read(at);
    if (event.originalSequence === root && isFullReversal(event)) return at;
  }
  return 0;
}

/** True when a roll-back of the approval at `sequence` is recorded. */
export function isRolledBack(history: History, keys: IndexKeys, sequence: number): boolean {
  keys.elementsKey(sequence);
  const found = history.find(keys.high, keys.low);
  for (let i = 0; i < found.count; i++) if (rollsBack(history, found.sequences[i]!, sequence)) return true;
  return false;
}

function rollsBack(history: History, at: number, sequence: number): boolean {
  const event = history.readEvent(at);
  return event?.kind === EventKind.notDelivered && event.originalSequence === sequence;
}
