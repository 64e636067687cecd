/**
 * Requests (0100, 0200) behind the duplicate check: purchases and cash, increments and replacements, credits, balance
 * inquiries and account verifications. A 0100 holds, a 0200 posts; the decision is the same.
 */

import { MATCHABLE_MS } from '../limits.js';
import { APPROVAL_CODES } from './approval-code.js';
import { moreCash } from './authorization-fold.js';
import { isPastExpiry } from './calendar.js';
import { AccountStatus, CardStatus, ElementKind, Reason, Response, Step, Verdict } from './codes.js';
import { answerChip, passesCryptography } from './cryptography.js';
import { currencyExponent } from './currencies.js';
import { giveBackTo } from './decide-reversal.js';
import { type DecisionContext, policyOf } from './decision-context.js';
import type { MessageEvent } from './events.js';
import { HoldFlag } from './hold-table.js';
import { fullReversalOf } from './lookups.js';
import { classOf, type MessageInput } from './message.js';
import { approves, findContinued, findTombstone, isChange, isSentLater, rootOf } from './originals.js';
import { decline, refuseFormat } from './outcome.js';
import type { Policy } from './program/policy.js';
import { isWorthNothing } from './reply-facts.js';
import type { ShardState } from './shard-state.js';
import { owedForPurchases, Standing } from './standing.js';
import {
  billedAmount,
  cashPart,
  isForeign,
  lacksCashBack,
  mayBePartial,
  TransactionType,
  transactionType,
} from './transaction.js';

const standing = new Standing();
const nothing = new Standing();

/** DE54. */
const ADDITIONAL_AMOUNTS = 54;

/** Decides the request in `out`, whose head is filled. */
export function decideAuthorization(context: DecisionContext, out: MessageEvent): void {
  if (wasReversed(context, out)) {
    refuseAsReversed(out);
    return;
  }
  out.verdict(Step.tombstone, Verdict.notFound);
  if (out.cardSlot < 0) {
    if (isChange(out)) out.element = ElementKind.authorization;
    out.verdict(Step.cardKnown, Verdict.fail);
    decline(out, Response.invalidCard, Reason.unknownCard);
    return;
  }
  if (isChange(out) && !findHold(context, out)) {
    if (out.elementSequence > 0) {
      refuseAsReversed(out);
      return;
    }
    if (lacksCashBack(out.input)) {
      out.verdict(Step.original, Verdict.fail);
      refuseFormat(out, ADDITIONAL_AMOUNTS, 1);
      return;
    }
    out.verdict(Step.original, Verdict.notFound);
    out.element = ElementKind.authorization;
  }
  const { checks } = context;
  const policy = policyOf(context, out.accountSlot);
  out.programRevision = policy.revision;
  beginChecks(context, policy, out);
  if (!decideRequest(context, policy, out)) {
    checks.countDecline(out);
    out.response = policy.response(out.reason, out.input.dialect, out.response);
    answerChip(context, policy, out);
    return;
  }
  if (out.holdDelta < 0) giveBackTo(context, out.originalSequence, out.authorizedAfter, out.changes);
  else if (movesFunds(out)) {
    checks.countApproval(out, out.element === ElementKind.authorization ? out.approvedAmount : out.holdDelta);
    if (out.changes.count > 0 && out.holdDelta > 0) out.holdFlags |= HoldFlag.counted;
  }
  out.approvalCode = approvalCodeFor(context, out);
  out.verdict(Step.approve, Verdict.pass);
  answerChip(context, policy, out);
}

/** What it asks for was reversed before it came. */
function refuseAsReversed(out: MessageEvent): void {
  out.verdict(Step.tombstone, Verdict.fail);
  decline(out, Response.lateOrReversed, Reason.reversedBeforeArrival);
}

/**
 * The next code of the card, but none that the network gave to an advice of it: then one from the other end of the count, which the
 * card would come to after half a million approvals. Most cards never had such an advice, and then nothing is searched.
 */
function approvalCodeFor({ state, history, keys }: DecisionContext, out: MessageEvent): number {
  const { cards, approvalCodes } = state;
  const { cardSlot } = out;
  const count = cards.approvals(cardSlot);
  const code = approvalCodes.of(cardSlot, count);
  if (!cards.hasNetworkCode(cardSlot)) return code;
  keys.forCard(cardSlot, out.fingerprint).approvalKey(code);
  const isTaken = history.find(keys.high, keys.low, out.timeMs - MATCHABLE_MS).count > 0;
  return isTaken ? approvalCodes.of(cardSlot, APPROVAL_CODES - 1 - (count % APPROVAL_CODES)) : code;
}

/** True for what takes money, and so counts in velocity. */
const movesFunds = (out: MessageEvent): boolean => out.element === ElementKind.authorization || isChange(out);

/** Steps 4 to 8; false when one of them declined. */
function decideRequest(context: DecisionContext, policy: Policy, out: MessageEvent): boolean {
  const { state, checks } = context;
  if (!checkCard(state, out) || !checkAccount(state, out) || !passesCryptography(context, policy, out)) return false;
  return checks.passesControls(out) && checks.passesRules(out) && decideMoney(context, policy, out);
}

/** Hands the request to controls and rules: what it asks for, and what it adds to. */
function beginChecks(context: DecisionContext, policy: Policy, out: MessageEvent): void {
  const { state, checks } = context;
  const { input, accountSlot, element } = out;
  if (!movesFunds(out)) {
    checks.begin(policy, out, 0, 0, -1);
    return;
  }
  const currency = state.accounts.currency(accountSlot);
  const cash = cashPart(input, currency);
  if (element === ElementKind.authorization) {
    const amount = isFinancial(input) ? billedAmount(input, currency) : holdAmount(policy, input, currency);
    checks.begin(policy, out, amount, cash, -1);
    return;
  }
  const authorized = out.authorizedAfter;
  const amount = billedAmount(input, currency);
  const added = element === ElementKind.increment ? amount : Math.max(0, amount - authorized);
  // A replacement that lowers the amount is, as a whole, what it names.
  const before = element === ElementKind.increment ? authorized : amount - added;
  // What of a replaced amount was cash has been counted.
  const more = element === ElementKind.increment ? cash : moreCash(context, out.originalSequence, cash);
  checks.begin(policy, out, added, Math.min(more, added), before);
}

/** A known card remembers when its newest tombstone was laid: most cards never had one, and then nothing is searched. */
export function wasReversed({ state, history, keys }: DecisionContext, out: MessageEvent): boolean {
  if (out.cardSlot >= 0) {
    const newestMs = state.cards.tombstoneS(out.cardSlot) * 1000;
    if (newestMs === 0 || out.timeMs - newestMs > state.duplicateWindowMs) return false;
  }
  // Whoever asks why sees the reversal.
  out.elementSequence = findTombstone(history, keys, out, state.duplicateWindowMs);
  return out.elementSequence > 0;
}

/**
 * True when there is an open hold that the increment or the replacement belongs to. Without one it is decided as a new authorization,
 * and must carry what that must; but when all of its authorization was reversed by what was sent behind it, that reversal is noted.
 */
function findHold(context: DecisionContext, out: MessageEvent): boolean {
  const { state, history, keys } = context;
  const named = findContinued(context, out);
  if (named === 0) return false;
  const event = history.read(named);
  const root = rootOf(event);
  const hold = state.holds.find(root);
  if (approves(event) && hold >= 0 && (state.holds.flags(hold) & HoldFlag.refund) === 0) {
    out.verdict(Step.original, Verdict.matched);
    out.originalSequence = root;
    out.authorizedAfter = state.holds.authorized(hold);
    return true;
  }
  const reversal = hold < 0 ? fullReversalOf(history, keys, root) : 0;
  if (reversal > 0 && !isSentLater(out.input, history.read(reversal).input)) out.elementSequence = reversal;
  return false;
}

function checkCard(state: ShardState, out: MessageEvent): boolean {
  const { cards } = state;
  const { cardSlot, tokenSlot } = out;
  out.verdict(Step.cardKnown, Verdict.pass);
  if (tokenSlot >= 0 && !checkToken(state, out)) return false;
  if (!checkStatus(Step.cardStatus, cards.status(cardSlot), cardRefusals, out)) return false;
  out.verdict(Step.cardStatus, Verdict.pass);
  // The expiry that the message shows is that of the number it shows: a token's has been looked at.
  const given = out.input.expiry;
  const expiry = cards.expiry(cardSlot);
  const mismatch = tokenSlot < 0 && given >= 0 && given !== expiry;
  if (mismatch || isPastExpiry(expiry, out.timeMs)) {
    out.verdict(Step.expiryDate, Verdict.fail);
    decline(out, Response.expired, mismatch ? Reason.expiryMismatch : Reason.cardExpired);
    return false;
  }
  out.verdict(Step.expiryDate, given >= 0 ? Verdict.pass : Verdict.notPresent);
  return true;
}

/** A token's own status and expiry: whatever they refuse is refused before the card is looked at. */
function checkToken({ cards }: ShardState, out: MessageEvent): boolean {
  const { tokenSlot, input } = out;
  if (!checkStatus(Step.token, cards.status(tokenSlot), tokenRefusals, out)) return false;
  const expiry = cards.expiry(tokenSlot);
  const mismatch = input.expiry >= 0 && input.expiry !== expiry;
  if (!mismatch && !isPastExpiry(expiry, out.timeMs)) {
    out.verdict(Step.token, Verdict.pass);
    return true;
  }
  out.verdict(Step.token, Verdict.fail);
  decline(out, Response.expired, mismatch ? Reason.expiryMismatch : Reason.tokenExpired);
  return false;
}

/** What a status that does not allow payments is answered with. */
type Refusals = Readonly<Partial<Record<CardStatus, readonly [response: number, reason: Reason]>>>;

const cardRefusals: Refusals = {
  [CardStatus.inactive]: [Response.inactive, Reason.cardInactive],
  [CardStatus.paused]: [Response.restricted, Reason.cardPaused],
  [CardStatus.lost]: [Response.lost, Reason.cardLost],
  [CardStatus.stolen]: [Response.stolen, Reason.cardStolen],
  [CardStatus.closed]: [Response.invalidCard, Reason.cardClosed],
  [CardStatus.expired]: [Response.expired, Reason.cardExpired],
};

/** Whatever ended a token, it is closed to the merchant: how the card was lost is not the token's to tell. */
const tokenRefusals: Refusals = {
  [CardStatus.inactive]: [Response.inactive, Reason.tokenInactive],
  [CardStatus.paused]: [Response.restricted, Reason.tokenPaused],
  [CardStatus.lost]: [Response.invalidCard, Reason.tokenClosed],
  [CardStatus.stolen]: [Response.invalidCard, Reason.tokenClosed],
  [CardStatus.closed]: [Response.invalidCard, Reason.tokenClosed],
  [CardStatus.expired]: [Response.expired, Reason.tokenExpired],
};

/** False when the status refuses; what passes is the caller's to say. */
function checkStatus(step: Step, status: number, refusals: Refusals, out: MessageEvent): boolean {
  const refusal = refusals[status as CardStatus];
  if (refusal === undefined) return true;
  out.verdict(step, Verdict.fail);
  decline(out, refusal[0], refusal[1]);
  return false;
}

function checkAccount(state: ShardState, out: MessageEvent): boolean {
  const status = state.accounts.status(out.accountSlot);
  if (status === AccountStatus.open) {
    out.verdict(Step.accountStatus, Verdict.pass);
    return true;
  }
  out.verdict(Step.accountStatus, Verdict.fail);
  if (status === AccountStatus.frozen) decline(out, Response.restricted, Reason.accountFrozen);
  else decline(out, Response.invalidCard, Reason.accountClosed);
  return false;
}

/** The last step: what is approved, held or posted. */
function decideMoney(context: DecisionContext, policy: Policy, out: MessageEvent): boolean {
  switch (out.element) {
    case ElementKind.authorization:
      return decideDebit(context, policy, out);
    case ElementKind.increment:
    case ElementKind.replacement:
      return decideChange(context, policy, out);
    case ElementKind.refundAuthorization:
      decideCredit(context, policy, out);
      return true;
    default:
      out.verdict(Step.funds, Verdict.notApplicable);
      out.response = out.element === ElementKind.verification ? Response.verified : Response.approved;
      return true;
  }
}

const isFinancial = (input: MessageInput): boolean => classOf(input.mti) === 2;

/** A purchase or cash withdrawal. A single message that costs a fee needs it as well. */
function decideDebit({ state }: DecisionContext, policy: Policy, out: MessageEvent): boolean {
  const { input, accountSlot } = out;
  const currency = state.accounts.currency(accountSlot);
  const cash = cashPart(input, currency);
  const fee = isFinancial(input) && cash > 0 ? policy.cashFee(cash) : 0;
  const amount = isFinancial(input) ? billedAmount(input, currency) : holdAmount(policy, input, currency);
  const approved = approvable(policy, out, currency, amount, cash, fee, state.accounts.available(accountSlot));
  if (approved === 0) {
    out.verdict(Step.funds, Verdict.fail);
    decline(out, Response.insufficientFunds, Reason.insufficientFunds);
    return false;
  }
  out.verdict(Step.funds, Verdict.pass);
  out.approvedAmount = approved;
  out.authorizedAfter = approved;
  if (isFinancial(input)) {
    const whole = out.response !== Response.partial;
    standing.setDebit(approved, whole ? cash : 0, whole ? fee : 0).legsFrom(nothing, out.postings);
  } else {
    out.holdDelta = approved;
    out.holdExpiresMs = out.timeMs + policy.holdLifeMs(input);
  }
  return true;
}

/** What a 0100 holds: the amount of the message, but at an automated fuel pump that asks for a status check the program's. */
function holdAmount(policy: Policy, input: MessageInput, currency: number): number {
  const { amount } = policy.tables.fuel;
  return amount > 0 && isFuelCheck(policy, input) ? amount : billedAmount(input, currency);
}

function isFuelCheck(policy: Policy, input: MessageInput): boolean {
  if (!policy.isFuelPump(input.mcc) || transactionType(input) !== TransactionType.purchase) return false;
  return input.amount === policy.tables.fuel.statusCheck * 10 ** Math.max(0, currencyExponent(input.currency));
}

/** What of `amount` can be approved, and with which code; 0 declines. */
function approvable(
  policy: Policy,
  out: MessageEvent,
  currency: number,
  amount: number,
  cash: number,
  fee: number,
  available: number,
): number {
  const { input } = out;
  out.response = Response.approved;
  if (available >= amount + fee) return amount;
  if (!isFinancial(input) && isFuelCheck(policy, input)) {
    const { whenShort, minimum } = policy.tables.fuel;
    return whenShort === 'hold_available' && available >= Math.max(1, minimum) ? Math.min(amount, available) : 0;
  }
  if (!policy.tables.partialApproval || !mayBePartial(input)) return 0;
  const part = Math.min(available, amount - cash);
  if (part <= 0 || (isForeign(input, currency) && isWorthNothing(input, part))) return 0;
  out.response = Response.partial;
  return part;
}

/** An increment (the amount is what comes on top) or a replacement (the new total): all of it or nothing. */
function decideChange({ state, history }: DecisionContext, policy: Policy, out: MessageEvent): boolean {
  const { input, accountSlot, originalSequence } = out;
  const hold = state.holds.find(originalSequence);
  const authorized = state.holds.authorized(hold);
  const cleared = state.holds.cleared(hold);
  const amount = billedAmount(input, state.accounts.currency(accountSlot));
  const total = Math.max(cleared, out.element === ElementKind.increment ? authorized + amount : amount);
  const delta = total - authorized;
  if (delta > 0 && state.accounts.available(accountSlot) < delta) {
    out.verdict(Step.funds, Verdict.fail);
    decline(out, Response.insufficientFunds, Reason.insufficientFunds);
    return false;
  }
  out.verdict(Step.funds, Verdict.pass);
  out.response = Response.approved;
  out.approvedAmount = amount;
  out.authorizedAfter = total;
  out.holdDelta = delta;
  out.holdExpiresMs = out.timeMs + policy.holdLifeMs(history.read(originalSequence).input);
  return true;
}

/** A credit to the card needs no funds. A 0100 announces it and moves nothing until it is cleared; a 0200 posts it. */
function decideCredit({ state }: DecisionContext, policy: Policy, out: MessageEvent): void {
  const { input, accountSlot } = out;
  out.verdict(Step.funds, Verdict.notApplicable);
  out.response = Response.approved;
  out.approvedAmount = billedAmount(input, state.accounts.currency(accountSlot));
  out.authorizedAfter = out.approvedAmount;
  if (isFinancial(input)) {
    standing.setCredit(out.approvedAmount, owedForPurchases(state, accountSlot)).legsFrom(nothing, out.postings);
    return;
  }
  out.holdFlags = HoldFlag.refund;
  out.holdExpiresMs = out.timeMs + policy.holdLifeMs(input);
}
