/**
 * The decision about one wire message: state + message + history -> an event with its results. Nothing is changed here
 * and, unless cryptography is asked, nothing is allocated; `apply.ts` does what the event says, live and in every replay.
 *
 * Order of a request (0100, 0200), first failure wins, each step leaving a verdict in the event:
 *   format (30) -> message type and processing code (12) -> repeat -> tombstone of an early reversal (68)
 *   -> card known (14), its status, its expiry, the account's status -> cryptography -> controls (57) -> rules
 *   -> funds (10, 51) -> approval: hold or postings, approval code
 * Advices, reversals and file
 * updates part from it behind the repeat, each in a file of its own.
 *
 * A currency that does not fit the account is a format error, so it is found at the first step when the card is known.
 * What was answered 30 or 12 is recorded, but is no decision that a later message could repeat.
 */

import { isDateOfSomeYear, isExpiry, isTimeOfDay, isTransmission } from './calendar.js';
import { ElementKind, Reason, Response, Step, Verdict } from './codes.js';
import { currencyExponent } from './currencies.js';
import { decideAdvice } from './decide-advice.js';
import { decideAuthorization } from './decide-authorization.js';
import { badListingField, decideFileUpdate } from './decide-file-update.js';
import { decideReversal } from './decide-reversal.js';
import { type DecisionContext, policyOf } from './decision-context.js';
import type { MessageEvent } from './events.js';
import { findRepeated, isApproval, Undone, undoneBy } from './lookups.js';
import { ABSENT, classOf, isAdvice, isServed, type MessageInput } from './message.js';
import { isAmount } from './money.js';
import { INCREMENT, isRequest, REPLACEMENT } from './originals.js';
import { decline, refuseFormat } from './outcome.js';
import type { ShardState } from './shard-state.js';
import { copyInput } from './texts.js';
import { lacksCashBack, Sort, sortOf, transactionType } from './transaction.js';

/**
 * What to do with the message. `DECIDED` (0): `out` is a new event: append it, apply it, answer from it. Positive: the
 * message repeats the decision recorded at that sequence: answer from that record, append and apply nothing.
 */
export type Decision = number;
export const DECIDED: Decision = 0;

/**
 * Decides a message and fills `out` (but for its sequence; after a repeat its contents mean nothing).
 *
 * @param cardSlot slot of the card or of a network token of it, -1 when the directory does not know it; then the caller has put the PAN's fingerprint
 *   into `out.fingerprint` (zeros when the message carries no PAN).
 * @param nowMs shard time, ms since 1970 UTC.
 * @param windowLagMs how far behind it velocity windows count, ms: 0 unless the clocks differ
 * @param out the event to fill; `out.input` may be `input` itself, which saves a copy.
 */
export function decideMessage(
  context: DecisionContext,
  input: MessageInput,
  cardSlot: number,
  nowMs: number,
  windowLagMs: number,
  out: MessageEvent,
): Decision {
  const { state, history, keys } = context;
  begin(state, input, cardSlot, nowMs, out);
  out.windowLagMs = windowLagMs;
  if (!checkFormat(state, out) || !checkMessageType(context, out)) return DECIDED;

  const repeated = findRepeated(history, keys, out, state.duplicateWindowMs);
  if (repeated < 0) {
    out.verdict(Step.duplicate, Verdict.fail);
    decline(out, Response.duplicate, Reason.duplicateOtherAmount);
    return DECIDED;
  }
  if (repeated > 0) {
    if (!isUndoneApproval(context, out.element, repeated)) return repeated;
    out.verdict(Step.duplicate, Verdict.fail);
    decline(out, Response.lateOrReversed, Reason.originalUndone);
    return DECIDED;
  }
  out.verdict(Step.duplicate, Verdict.notFound);
  switch (out.element) {
    case ElementKind.reversal:
      decideReversal(context, out);
      break;
    case ElementKind.advice:
      decideAdvice(context, out);
      break;
    case ElementKind.fileUpdate:
      decideFileUpdate(state, out);
      break;
    default:
      decideAuthorization(context, out);
      break;
  }
  return DECIDED;
}

/**
 * True when a request would repeat an approval that does not stand any more: reversed, rolled back, or of an authorization that was
 * reversed as a whole. To the repeat of an advice it was no approval of ours: it is answered as it was.
 * @param repeat element of the message that repeats
 */
function isUndoneApproval({ history, keys }: DecisionContext, repeat: ElementKind, sequence: number): boolean {
  const { response, originalSequence } = history.read(sequence);
  if (!isApproval(response) || !isRequest(repeat)) return false;
  if (undoneBy(history, keys, sequence) !== Undone.no) return true;
  return originalSequence > 0 && undoneBy(history, keys, originalSequence) === Undone.reversed;
}

/** Takes the input over and everything that is known before the first step. */
function begin(state: ShardState, input: MessageInput, cardSlot: number, nowMs: number, out: MessageEvent): void {
  if (out.input !== input) copyInput(input, out.input);
  out.sequence = 0;
  out.timeMs = nowMs;
  out.element = elementOf(input);
  const token = cardSlot >= 0 && state.cards.isAlias(cardSlot) ? cardSlot : -1;
  const card = token < 0 ? cardSlot : state.cards.aliasOf(token);
  out.cardSlot = card;
  out.response = 0;
  out.reason = Reason.none;
  out.approvalCode = -1;
  out.approvedAmount = 0;
  out.holdDelta = 0;
  out.holdExpiresMs = 0;
  out.clearEffects();
  out.tokenSlot = token;
  out.tombstone = 0;
  out.verdictCount = 0;
  if (card < 0) {
    out.accountSlot = -1;
    out.creditLimitBefore = 0;
    out.postedBefore = 0;
    out.heldBefore = 0;
    out.previousOfAccount = 0;
    out.previousOfCard = 0;
    return;
  }
  const { accounts, cards } = state;
  const account = cards.account(card);
  out.accountSlot = account;
  out.fingerprint.fill(0);
  out.creditLimitBefore = accounts.creditLimit(account);
  out.postedBefore = accounts.posted(account);
  out.heldBefore = accounts.held(account);
  out.previousOfAccount = accounts.newest(account);
  out.previousOfCard = cards.newest(card);
}

/** What the message asks for; `refused` for what is not served. */
function elementOf(input: MessageInput): ElementKind {
  const { mti, functionCode } = input;
  if (!isServed(mti)) return ElementKind.refused;
  const messageClass = classOf(mti);
  if (messageClass === 4) return ElementKind.reversal;
  if (messageClass === 3) return ElementKind.fileUpdate;
  const sort = sortOf(input);
  if (sort === Sort.unknown) return ElementKind.refused;
  if (isAdvice(mti)) return ElementKind.advice;
  if (sort === Sort.inquiry) return ElementKind.balanceInquiry;
  if (sort === Sort.verification || input.amount === 0) return ElementKind.verification;
  const isChange = functionCode === INCREMENT || functionCode === REPLACEMENT;
  // A single message posts: there is nothing that could be added to.
  if (isChange && (messageClass !== 1 || sort === Sort.credit)) return ElementKind.refused;
  if (isChange) return functionCode === INCREMENT ? ElementKind.increment : ElementKind.replacement;
  return sort === Sort.credit ? ElementKind.refundAuthorization : ElementKind.authorization;
}

/** True for what moves money, and so must name an amount that can be understood. */
function namesMoney({ element, input }: MessageEvent): boolean {
  switch (element) {
    case ElementKind.authorization:
    case ElementKind.increment:
    case ElementKind.replacement:
    case ElementKind.refundAuthorization:
      return true;
    case ElementKind.advice: {
      const sort = sortOf(input);
      return input.amount !== 0 && sort !== Sort.inquiry && sort !== Sort.verification;
    }
    default:
      return false;
  }
}

/** Step 1: what a served message must carry, and what can be understood of it. False when answered 30. */
function checkFormat(state: ShardState, out: MessageEvent): boolean {
  const { input } = out;
  let field = input.badField;
  let missing = input.badFieldMissing;
  let reason: Reason | undefined;
  // What another type of message must carry is not for this release to say: it is answered 12.
  const served = isServed(input.mti);
  if (field === 0 && served) {
    field = missingField(out);
    missing = 1;
  }
  if (field === 0 && served) {
    field = malformedField(input);
    missing = 0;
  }
  if (field === 0 && served) {
    field = badAmountField(out);
    if (field === 0 && namesMoney(out) && out.accountSlot >= 0) {
      field = badCurrencyField(input, state.accounts.currency(out.accountSlot));
      if (field !== 0) reason = Reason.currencyMismatch;
    }
    // An absent field (-1) is missing rather than malformed.
    if (field !== 0) missing = isAbsent(input, field) ? 1 : 0;
  }
  if (field === 0) {
    out.verdict(Step.format, Verdict.pass);
    return true;
  }
  out.verdict(Step.format, Verdict.fail);
  refuseFormat(out, field, missing, reason);
  return false;
}

/** Number of the first field that every served message must have and this one has not, 0 when all are there. */
function missingField(out: MessageEvent): number {
  const { input } = out;
  if (out.cardSlot < 0 && isZero(out.fingerprint)) return 2;
  if (input.transmission < 0) return 7;
  if (input.stan < 0) return 11;
  const messageClass = classOf(input.mti);
  return messageClass <= 2 && input.processingCode < 0 ? 3 : 0;
}

/** Number of the first field whose content cannot be what it says, 0 when all is well. */
function malformedField(input: MessageInput): number {
  const { transmission, localTime, localDate, expiry } = input;
  if (!isTransmission(transmission)) return 7;
  if (localTime !== ABSENT && !isTimeOfDay(localTime)) return 12;
  if (localDate !== ABSENT && !isDateOfSomeYear(localDate)) return 13;
  if (expiry !== ABSENT && !isExpiry(expiry)) return 14;
  if (input.currency >= 0 && currencyExponent(input.currency) < 0) return 49;
  return input.billingCurrency >= 0 && currencyExponent(input.billingCurrency) < 0 ? 51 : 0;
}

/** Number of the amount field that cannot be used, 0 when all is well. */
function badAmountField(out: MessageEvent): number {
  const { input } = out;
  if (out.element === ElementKind.fileUpdate) return badListingField(out);
  if (namesMoney(out)) {
    if (!isAmount(input.amount, 1)) return 4;
    if (input.currency < 0) return 49;
    // An increment adds to what was told.
    if (out.element === ElementKind.authorization && lacksCashBack(input)) return 54;
    return input.cashBack > input.amount ? 54 : 0;
  }
  if (input.amount > 0 && !isAmount(input.amount, 0)) return 4;
  if (input.replacementAmount > 0 && !isAmount(input.replacementAmount, 0)) return 95;
  return 0;
}

/** An amount in another currency needs DE6 in the account's (DE51). */
function badCurrencyField(input: MessageInput, accountCurrency: number): number {
  if (input.currency === accountCurrency) return 0;
  if (!isAmount(input.billingAmount, 1)) return 6;
  return input.billingCurrency === accountCurrency ? 0 : 51;
}

function isAbsent(input: MessageInput, field: number): boolean {
  switch (field) {
    case 4:
      return input.amount < 0;
    case 6:
      return input.billingAmount < 0;
    case 49:
      return input.currency < 0;
    case 51:
      return input.billingCurrency < 0;
    case 54:
      return input.cashBack < 0;
    case 91:
      return input.fileAction === 0;
    default:
      return false;
  }
}

function isZero(fingerprint: Uint32Array): boolean {
  return fingerprint[0] === 0 && fingerprint[1] === 0 && fingerprint[2] === 0;
}

/** Step 1, second half: message types and processing codes of this release. False when answered 12, or 57 by the program. */
function checkMessageType(context: DecisionContext, out: MessageEvent): boolean {
  if (out.element !== ElementKind.refused) {
    out.verdict(Step.messageType, Verdict.pass);
    return true;
  }
  out.verdict(Step.messageType, Verdict.fail);
  const { input, accountSlot } = out;
  if (!isServed(input.mti)) decline(out, Response.invalidTransaction, Reason.unsupportedMessage);
  else if (accountSlot >= 0 && policyOf(context, accountSlot).forbids(transactionType(input))) {
    const reason = Reason.transactionTypeForbidden;
    decline(out, policyOf(context, accountSlot).response(reason, input.dialect, Response.notPermitted), reason);
  } else decline(out, Response.invalidTransaction, Reason.unsupportedProcessingCode);
  return false;
}
