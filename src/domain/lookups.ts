/**
 * The questions a decision asks of the past: is this message a repeat, was it reversed before it came, which
 * authorization does this reversal name. Each takes candidates from the index, newest first, and confirms them on the
 * record. `History.read` hands out one reused event: nothing here holds two of them.
 */
import { MATCHABLE_MS, REPEAT_WITHOUT_DE7_MS } from '../limits.js';
import { ElementKind, Reason, Response } from './codes.js';
import type { MessageEvent } from './events.js';
import type { Found, History } from './history.js';
import type { IndexKeys } from './index-keys.js';
import { classOf, isMarkedRepeat, type MessageInput, Text } from './message.js';
import { sameInstitution, sameText, textNumber, textSize } from './texts.js';

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

function sameCard(subject: Subject, event: MessageEvent): boolean {
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
  const found = repeatedAmong(history, known, subject, true, windowMs);
  if (found !== 0 || !isMarkedRepeat(input.mti)) return found;
  keys.rrnKey(input);
  const near = history.find(keys.high, keys.low, timeMs - REPEAT_WITHOUT_DE7_MS);
  return repeatedAmong(history, near, subject, false, REPEAT_WITHOUT_DE7_MS);
}

function repeatedAmong(
  history: History,
  found: Found,
  subject: Subject,
  withTransmission: boolean,
  windowMs: number,
): number {
  let otherAmount = 0;
  for (let i = found.count - 1; i >= 0; i--) {
    const sequence = found.sequences[i]!;
    if (!history.isMessage(sequence)) continue;
    const event = history.read(sequence);
    if (subject.timeMs - event.timeMs > windowMs) continue;
    if (withTransmission && event.input.transmission !== subject.input.transmission) continue;
    if (!isSameMessage(subject, event)) continue;
    if (sameAmounts(subject.input, event.input)) return sequence;
    if (otherAmount === 0) otherAmount = sequence;
  }
  return -otherAmount;
}

/** Everything of the duplicate key but DE7. What was answered 30 or 12 is no decision that could be repeated. */
function isSameMessage(subject: Subject, event: MessageEvent): boolean {
  const { input } = subject;
  const past = event.input;
  return (
    event.element !== ElementKind.refused &&
    past.stan === input.stan &&
    classOf(past.mti) === classOf(input.mti) &&
    sameCard(subject, event) &&
    sameInstitution(past, Text.acquirer, input, Text.acquirer) &&
    sameText(past, Text.rrn, input, Text.rrn) &&
    sameText(past, Text.terminal, input, Text.terminal)
  );
}

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

/** True when the approval at `sequence` was rolled back as not delivered or fully reversed. */
export function isUndone(history: History, keys: IndexKeys, sequence: number): boolean {
  keys.elementsKey(sequence);
  const found = history.find(keys.high, keys.low);
  for (let i = 0; i < found.count; i++) {
    const element = found.sequences[i]!;
    if (!history.isMessage(element)) return true;
    const event = history.read(element);
    const belongs = event.element === ElementKind.reversal && event.originalSequence === sequence;
    if (belongs && event.approvedAmount === 0) return true;
  }
  return false;
}

/** True when a roll-back of the approval at `sequence` is recorded. */
export function isRolledBack(history: History, keys: IndexKeys, sequence: number): boolean {
  keys.elementsKey(sequence);
  const found = history.find(keys.high, keys.low);
  for (let i = 0; i < found.count; i++) if (!history.isMessage(found.sequences[i]!)) return true;
  return false;
}

// ---- reversals and their originals ----
// The ways by which a reversal names its original, best first. The same four tell whether a late original is the one that
// a tombstone speaks of, so that it makes no difference in which order the two arrive.

function namedByNetworkId(reversal: MessageInput, original: MessageInput): boolean {
  if (textSize(reversal, Text.originalNetworkId) === 0) return false;
  return sameText(reversal, Text.originalNetworkId, original, Text.networkId);
}

/** DE90 names MTI, STAN, DE7 and the acquirer; the forwarder only where there was one. */
function isOriginalDataComplete(reversal: MessageInput): boolean {
  return (
    reversal.originalStan >= 0 && reversal.originalTransmission >= 0 && textSize(reversal, Text.originalAcquirer) > 0
  );
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

/** As `namedByRrn`; a DE38 of the reversal must be the code of that approval. */
function namedByRrnAndCode(reversal: MessageInput, original: MessageInput, approvalCode: number): boolean {
  if (!namedByRrn(reversal, original)) return false;
  return textSize(reversal, Text.approval) === 0 || textNumber(reversal, Text.approval) === approvalCode;
}

/** DE90 without the acquirer (or an original without one), else the reversal's own DE11 and DE7. */
function namedByStan(reversal: MessageInput, original: MessageInput): boolean {
  if (reversal.originalStan >= 0 && reversal.originalTransmission >= 0) {
    const comparable = textSize(reversal, Text.originalAcquirer) > 0 && textSize(original, Text.acquirer) > 0;
    if (!comparable && matchesOriginalStan(reversal, original)) return true;
  }
  return reversal.stan === original.stan && reversal.transmission === original.transmission;
}

const Rung = { networkId: 0, originalData: 1, rrn: 2, stan: 3 } as const;
type Rung = (typeof Rung)[keyof typeof Rung];

/** Sequence of the authorization that the reversal names, 0 when there is none. */
export function findOriginal(history: History, keys: IndexKeys, subject: Subject): number {
  const { input } = subject;
  keys.forCard(subject.cardSlot, subject.fingerprint);
  let sequence = 0;
  if (textSize(input, Text.originalNetworkId) > 0) {
    keys.networkKey(input, Text.originalNetworkId);
    sequence = originalAmong(history, history.find(keys.high, keys.low), subject, Rung.networkId);
    if (sequence > 0) return sequence;
  }
  const namesStan = input.originalStan >= 0 && input.originalTransmission >= 0;
  if (isOriginalDataComplete(input)) {
    keys.stanKey(input.originalStan, input.originalTransmission);
    sequence = originalAmong(history, history.find(keys.high, keys.low), subject, Rung.originalData);
    if (sequence > 0) return sequence;
  }
  if (textSize(input, Text.rrn) > 0) {
    keys.rrnKey(input);
    sequence = originalAmong(history, history.find(keys.high, keys.low), subject, Rung.rrn);
    if (sequence > 0) return sequence;
  }
  if (namesStan) {
    keys.stanKey(input.originalStan, input.originalTransmission);
    sequence = originalAmong(history, history.find(keys.high, keys.low), subject, Rung.stan);
    if (sequence > 0) return sequence;
  }
  keys.stanKey(input.stan, input.transmission);
  return originalAmong(history, history.find(keys.high, keys.low), subject, Rung.stan);
}

/**
 * The best of the candidates that the rung confirms: an approval before a decline, then one whose DE37 and DE41 are the
 * reversal's as well (acquirers do send one STAN twice within a second), then the newest.
 */
function originalAmong(history: History, found: Found, subject: Subject, rung: Rung): number {
  let best = 0;
  let bestRank = -1;
  for (let i = found.count - 1; i >= 0; i--) {
    const sequence = found.sequences[i]!;
    if (!history.isMessage(sequence)) continue;
    const event = history.read(sequence);
    if (subject.timeMs - event.timeMs > MATCHABLE_MS || !isOriginal(subject, event)) continue;
    if (!confirms(rung, subject.input, event)) continue;
    const rank = (isApproval(event.response) ? 2 : 0) + (namedByRrn(subject.input, event.input) ? 1 : 0);
    if (rank <= bestRank) continue;
    best = sequence;
    bestRank = rank;
  }
  return best;
}

/** A decision about a payment of this card; not a refusal, nor the answer to a repeat. */
function isOriginal(subject: Subject, event: MessageEvent): boolean {
  if (event.element === ElementKind.reversal || event.element === ElementKind.refused) return false;
  if (event.reason === Reason.duplicateOtherAmount || event.reason === Reason.originalUndone) return false;
  return sameCard(subject, event);
}

function confirms(rung: Rung, reversal: MessageInput, original: MessageEvent): boolean {
  switch (rung) {
    case Rung.networkId:
      return namedByNetworkId(reversal, original.input);
    case Rung.originalData:
      return namedByOriginalData(reversal, original.input);
    case Rung.rrn:
      return namedByRrnAndCode(reversal, original.input, original.approvalCode);
    case Rung.stan:
      return namedByStan(reversal, original.input);
  }
}

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
    // The late original has no approval code yet, so a DE38 of the reversal says nothing here.
    if (namedByNetworkId(input, subject.input) || namedByOriginalData(input, subject.input)) return sequence;
    if (namedByRrn(input, subject.input) || namedByStan(input, subject.input)) return sequence;
  }
  return 0;
}
