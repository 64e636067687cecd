/**
 * Advices (0120, 0220) behind the duplicate check: the network has decided for us, or tells the final amount. A well-formed
 * advice is always accepted, whatever the card, the account and the balance look like; the question is only what it changes.
 *
 *   stand-in declined (DE48 tag 84 = D)       recorded
 *   its reversal came first                   recorded
 *   of an authorization that was reversed     0120: recorded; 0220: posted, unless it was a single message
 *   of an authorization that we approved      0120: the hold becomes its amount (completed at a fuel pump once)
 *                                             0220: posted, and the hold is released
 *   stand-in approved (tag 84 = S) of one     as above, in so far as the network approved another amount than we did: what
 *   that we approved as well                  has become of the authorization since then stays as it is
 *   of an increment (DE48 tag 20 = I)         0120: the hold grows by its amount and lives anew, unless we had approved it
 *                                             0220: its amount is posted on top of what is, and releases as much of the hold
 *   of one that posted (0200, 0220)           0220: the difference is posted
 *   of one that we declined or do not know    decided as the network did, even above the limit: held, or posted
 *
 * An authorization is continued in its own direction only: a credit that names a purchase is a credit of its own.
 */
import { approvalCodeOf } from './approval-code.js';
import { AuthorizationFold, moreCash, type Supposed } from './authorization-fold.js';
import { AcquirerMoney } from './authorization-money.js';
import { presentedTotal } from './clearing/history.js';
import { ElementKind, Reason, Response, Step, Verdict } from './codes.js';
import { CountedSoFar, noteCorrection } from './counted.js';
import { wasReversed } from './decide-authorization.js';
import { giveBackTo } from './decide-reversal.js';
import { type DecisionContext, policyOf } from './decision-context.js';
import { keptByDisputes } from './dispute-fees.js';
import type { MessageEvent } from './events.js';
import { HoldFlag } from './hold-table.js';
import { Gl } from './ledger/chart.js';
import { classOf, type MessageInput, Text } from './message.js';
import {
  approves,
  findContinued,
  findTold,
  INCREMENT,
  isChange,
  isChangeOfUnknown,
  isNamedExactly,
  isRequest,
  isStandIn,
  REPLACEMENT,
  rootOf,
  STAND_IN,
} from './originals.js';
import type { Policy } from './program/policy.js';
import { feeOf, NOTHING_KEPT, owedForPurchases, readStanding, Standing } from './standing.js';
import { textSize } from './texts.js';
import { billedAmount, cashPart, Sort, sortOf } from './transaction.js';

const DECLINED_FOR_US = 'D'.charCodeAt(0);

const before = new Standing();
const after = new Standing();
const fold = new AuthorizationFold();
const foldOfAcquirer = new AuthorizationFold(new AcquirerMoney());
const soFar = new CountedSoFar();

/** Decides the advice in `out`, whose head is filled. */
export function decideAdvice(context: DecisionContext, out: MessageEvent): void {
  const { input } = out;
  out.response = Response.approved;
  if (wasReversed(context, out)) {
    out.verdict(Step.tombstone, Verdict.fail);
    return;
  }
  out.verdict(Step.tombstone, Verdict.notFound);
  if (out.cardSlot < 0) {
    out.verdict(Step.cardKnown, Verdict.fail);
    out.reason = Reason.unknownCard;
    return;
  }
  out.verdict(Step.cardKnown, Verdict.pass);
  const sort = sortOf(input);
  const named = findContinued(context, out);
  const root = linkTo(context, named, out);
  if (input.adviceReason === DECLINED_FOR_US || sort === Sort.inquiry || sort === Sort.verification) return;
  if (input.amount === 0 && root === 0) return;
  const policy = policyOf(context, out.accountSlot);
  out.programRevision = policy.revision;
  const ofHold = out.authorizedAfter;
  before.clear();
  const changes = classOf(input.mti) === 2 ? post(context, policy, out, root) : hold(context, policy, out, root, named);
  if (!changes) return;
  if (root > 0) out.element = ElementKind.completion;
  out.approvedAmount = billedAmount(input, context.state.accounts.currency(out.accountSlot));
  if (sort !== Sort.credit) count(context, policy, out, root, Math.max(ofHold, before.total));
  // The code that the network gave stays the code of the authorization.
  out.approvalCode = approvalCodeOf(input, Text.approval);
  out.verdict(Step.approve, Verdict.pass);
}

/** What the network approved counts as what we approve: what it raised the total by, or what it lowered it by. */
function count(context: DecisionContext, policy: Policy, out: MessageEvent, root: number, total: number): void {
  const { state, checks } = context;
  const { authorizedAfter, accountSlot, input } = out;
  if (authorizedAfter < total) {
    if (root > 0) giveBackTo(context, root, authorizedAfter, out.changes);
    return;
  }
  const added = authorizedAfter - total;
  if (added === 0) return;
  const told = cashPart(input, state.accounts.currency(accountSlot));
  const supposed = supposedBy(out);
  const cash = supposed === undefined && isPart(input) ? told : moreCash(context, root, told, supposed);
  checks.begin(policy, out, added, Math.min(cash, added), total > 0 ? total : -1);
  checks.countApproval(out, added);
  if (out.changes.count > 0 && out.holdDelta !== 0) out.holdFlags |= HoldFlag.counted;
}

/** What it tells of a decision that was made before; undefined when it is a word of its own. */
function supposedBy({ input, elementSequence }: MessageEvent): Supposed | undefined {
  if (isStandIn(input)) return { inStandIn: input };
  return elementSequence > 0 ? { told: { of: elementSequence, by: input } } : undefined;
}

/** Links the advice to the authorization of the message that it names; 0 when we know none. */
function linkTo({ state, history }: DecisionContext, named: number, out: MessageEvent): number {
  const continues = named > 0 && isCredit(history.read(named).input) === isCredit(out.input);
  out.verdict(Step.original, continues ? Verdict.matched : Verdict.notFound);
  if (!continues) return 0;
  const root = rootOf(history.read(named));
  if (isOtherAttempt(out.input, history.read(root))) return 0;
  const slot = state.holds.find(root);
  out.originalSequence = root;
  if (slot >= 0) out.authorizedAfter = state.holds.authorized(slot);
  return root;
}

/** True when both tell what the network approved in stand-in, and DE37 alone says that they belong together: a second attempt has it as well. */
const isOtherAttempt = (input: MessageInput, { element, input: known }: MessageEvent): boolean =>
  isStandIn(input) &&
  element === ElementKind.advice &&
  isStandIn(known) &&
  !isNamedExactly(input, known) &&
  textSize(input, Text.holdReference) === 0;

const isCredit = (input: MessageInput): boolean => sortOf(input) === Sort.credit;

/** 0120: what is held becomes the amount of the advice. False when it changes nothing. */
function hold(context: DecisionContext, policy: Policy, out: MessageEvent, root: number, named: number): boolean {
  const { state, history } = context;
  const { input } = out;
  const { amount } = wordOf(context, out);
  if (root === 0) return place(context, policy, out, 0, amount);
  if (policy.isFuelPump(history.read(root).input.mcc) && isCompleted(context, root)) return false;
  const slot = state.holds.find(root);
  out.elementSequence = toldChange(context, out, root, named);
  const supposed = supposedBy(out);
  const isRetold = supposed !== undefined;
  fold.read(context, root, supposed);
  if (fold.isReversed) {
    out.elementSequence = 0;
    return false;
  }
  const isOnTop = isPart(input);
  if (slot < 0) {
    const total = isRetold ? fold.total : isOnTop ? fold.total + amount : amount;
    return place(context, policy, out, root, total, isRetold);
  }
  const cleared = state.holds.cleared(slot);
  const authorized = cleared + state.holds.remaining(slot);
  const total = isRetold ? fold.total : isOnTop ? authorized + amount : amount;
  out.authorizedAfter = Math.max(cleared, total);
  // Nothing is held for a refund.
  if ((state.holds.flags(slot) & HoldFlag.refund) !== 0) return true;
  out.holdDelta = out.authorizedAfter - authorized;
  const lives = out.holdDelta !== 0 && out.authorizedAfter > 0;
  if (isOnTop && lives) out.holdExpiresMs = out.timeMs + policy.holdLifeMs(history.read(root).input);
  return true;
}

/**
 * The hold of an authorization that is unknown, declined, rolled back, or whose hold has come to its end: what of `total` is not posted
 * yet, minor units of the account's currency.
 * @param isRetold the total is what all elements amount to
 */
function place(
  context: DecisionContext,
  policy: Policy,
  out: MessageEvent,
  root: number,
  total: number,
  isRetold = false,
): boolean {
  const { history, keys } = context;
  const { input } = out;
  if (root > 0) {
    const presented = presentedTotal(history, keys, root);
    // A file has posted it, and released the rest; of what is told of an earlier decision that is in the total.
    if (presented > 0 && fold.isReleased && !isRetold) return false;
    readStanding(history, keys, root, before);
    // What a single message has posted is not held as well.
    if (before.total > 0 && classOf(history.read(root).input.mti) === 2 && !isChangeOfUnknown(history.read(root)))
      return false;
    before.add(Gl.network, 0 - presented);
  }
  const remaining = total - before.total;
  if (remaining <= 0) {
    // It is no more than what is posted already, or was taken back since; but it is told.
    out.authorizedAfter = before.total;
    return root > 0 && input.amount > 0;
  }
  out.authorizedAfter = isCredit(input) ? remaining : total;
  out.holdPlaced = root > 0 ? 1 : 0;
  out.holdDelta = isCredit(input) ? 0 : remaining;
  out.holdFlags = isCredit(input) ? HoldFlag.refund : 0;
  out.holdExpiresMs = out.timeMs + policy.holdLifeMs(root > 0 ? history.read(root).input : input);
  return true;
}

/**
 * Sequence of the increment or replacement that the advice tells of, 0 when it tells of none that is known: a request with all its numbers,
 * whatever was decided about it, or the one that it names.
 */
function toldChange(context: DecisionContext, out: MessageEvent, root: number, named: number): number {
  const { history } = context;
  const { functionCode } = out.input;
  if (functionCode !== INCREMENT && functionCode !== REPLACEMENT) return 0;
  const own = findTold(context, out);
  if (own > 0 && rootOf(history.read(own)) === root && isOfSort(history.read(own), functionCode)) return own;
  const event = history.read(named);
  // All messages of a purchase share DE37.
  if (!isOfSort(event, functionCode) || !isNamedExactly(out.input, event.input)) return 0;
  // Of one that is told again, the one that was told.
  return event.element === ElementKind.completion && event.elementSequence > 0 ? event.elementSequence : named;
}

/** True for an increment (or a replacement) that a request asked for, or an advice told of. */
function isOfSort(event: MessageEvent, functionCode: number): boolean {
  if (isRequest(event.element)) return event.input.functionCode === functionCode;
  if (event.input.functionCode !== functionCode || classOf(event.input.mti) !== 1 || !approves(event)) return false;
  return isChange(event) || isChangeOfUnknown(event);
}

/** True when an advice has told the final amount; one that only tells of a decision in stand-in, or of a change, has not. */
function isCompleted({ history, keys }: DecisionContext, root: number): boolean {
  keys.elementsKey(root);
  const found = history.find(keys.high, keys.low);
  for (let i = 0; i < found.count; i++) {
    if (!history.isMessage(found.sequences[i]!)) continue;
    const event = history.read(found.sequences[i]!);
    if (event.originalSequence !== root || event.element !== ElementKind.completion || isChange(event)) continue;
    const tellsOfChange = event.elementSequence > 0 || event.input.functionCode === REPLACEMENT;
    if (!tellsOfChange && event.input.adviceReason !== STAND_IN) return true;
  }
  return false;
}

/** What the advice says by itself. */
function wordOf({ state }: DecisionContext, { input, accountSlot }: MessageEvent): { amount: number; cash: number } {
  const currency = state.accounts.currency(accountSlot);
  const amount = billedAmount(input, currency);
  return { amount, cash: Math.min(amount, cashPart(input, currency)) };
}

/** True for an increment, and for one of several shipments, each of which has an advice of its own: DE4 comes on top. Of credits each is whole. */
const isPart = (input: MessageInput): boolean => input.functionCode === INCREMENT && !isCredit(input);

/** Totals count what is posted once, with the amount that it came to. @param isRetold a later word may stand in the place of its own */
function noteCounted(context: DecisionContext, out: MessageEvent, root: number, isRetold: boolean): void {
  const { state, history, keys } = context;
  const { input } = out;
  soFar.read(history, keys, root, state.accounts.currency(out.accountSlot));
  if (soFar.currency !== -1 && soFar.currency !== input.currency) return;
  const isSingle = classOf(history.read(root).input.mti) === 2;
  if (!isRetold) noteCorrection(out, soFar, input.amount);
  else if (!isSingle) noteCorrection(out, soFar, soFar.stands);
  else noteCorrection(out, soFar, foldOfAcquirer.read(context, root, supposedBy(out)).total);
}

/**
 * 0220: the postings become those of the advice, and the hold is released. One of a part (tag 20 = I) posts its amount on top, and
 * the hold keeps what is not posted yet. False when it changes nothing.
 */
function post(context: DecisionContext, policy: Policy, out: MessageEvent, root: number): boolean {
  const { state, history, keys } = context;
  const { input, accountSlot } = out;
  before.clear();
  let { amount, cash } = wordOf(context, out);
  let isRetold = false;
  if (root > 0) {
    const isSingle = classOf(history.read(root).input.mti) === 2;
    const isInStandIn = isStandIn(input);
    if (isSingle || isInStandIn) fold.read(context, root, supposedBy(out));
    if (isSingle && fold.isReversed) return false;
    // A file has posted it: a second posting would charge twice.
    if (presentedTotal(history, keys, root) > 0) return false;
    readStanding(history, keys, root, before);
    // What a single message posts may have been reversed in part, or corrected, since the network decided.
    isRetold = isInStandIn && (isSingle || (fold.isFinal && (before.total > 0 || !fold.isReversed)));
    // Of a hold whose final amount came since that stands as it is posted.
    if (isRetold) ({ total: amount, cash } = isSingle ? fold : before);
  }
  const isUnchanged = isRetold && amount === before.total;
  const disputes = before.charged > 0 ? keptByDisputes(context, root) : NOTHING_KEPT;
  const isOfCredit = sortOf(input) === Sort.credit;
  const isLower = amount <= before.total && !isPart(input);
  if (isLower && (disputes.kept > 0 || (isRetold && isOfCredit))) {
    readStanding(history, keys, root, after).reduceTo(amount, policy, disputes);
  } else if (isOfCredit) {
    after.setCredit(amount, owedForPurchases(state, accountSlot) - Math.min(0, before.purchases));
  } else {
    if (isPart(input)) after.setDebit(before.total + amount, before.cash + cash, before.fees + feeOf(cash, policy));
    else if (isRetold) readStanding(history, keys, root, after).becomeDebit(amount, cash, policy, fold.cashOfParts);
    else after.setDebit(amount, cash, feeOf(cash, policy));
    if (before.loss < 0) after.keepCharged(isPart(input) ? 0 - before.loss : Math.max(0, before.charged - amount));
  }
  after.legsFrom(before, out.postings);
  if (root > 0 && !isPart(input)) noteCounted(context, out, root, isRetold);
  out.authorizedAfter = after.total;
  const slot = root > 0 ? state.holds.find(root) : -1;
  if (slot < 0) return true;
  const remaining = state.holds.remaining(slot);
  const released = isPart(input) ? Math.min(remaining, amount) : isUnchanged ? 0 : remaining;
  out.holdDelta = 0 - released;
  out.authorizedAfter = after.total + remaining - released;
  // The announced refund has come.
  if ((state.holds.flags(slot) & HoldFlag.refund) !== 0)
    out.authorizedAfter = isUnchanged ? state.holds.authorized(slot) : 0;
  return true;
}
