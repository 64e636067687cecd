/**
 * Advices (0120, 0220) behind the duplicate check: the network has decided for us, or tells the final amount. A well-formed
 * advice is always accepted, whatever the card, the account and the balance look like; the question is only what it changes.
 *
 *   stand-in declined (DE48 tag 84 = D)       recorded
 *   its reversal came first                   recorded
 *   of an authorization that was reversed     recorded
 *   of an authorization that we approved      0120: the hold becomes its amount (at a fuel pump once)
 *                                             0220: posted, and the hold is released
 *   of an increment (DE48 tag 20 = I)         0120: the hold grows by its amount, unless we had approved it
 *   of one that posted (0200, 0220)           0220: the difference is posted
 *   of one that we declined or do not know    decided as the network did, even above the limit: held, or posted
 */
import { ElementKind, Reason, Response, Step, Verdict } from './codes.js';
import { wasReversed } from './decide-authorization.js';
import { giveBackTo } from './decide-reversal.js';
import { type DecisionContext, policyOf } from './decision-context.js';
import type { MessageEvent } from './events.js';
import { HoldFlag } from './hold-table.js';
import { isApproval, Undone, undoneBy } from './lookups.js';
import { classOf, Text } from './message.js';
import { findContinued, rootOf } from './originals.js';
import type { Policy } from './program/policy.js';
import { owedForPurchases, readStanding, Standing } from './standing.js';
import { textNumber, textSize } from './texts.js';
import { billedAmount, cashPart, Sort, sortOf } from './transaction.js';

const DECLINED_FOR_US = 'D'.charCodeAt(0);
const INCREMENT = 'I'.charCodeAt(0);

const before = new Standing();
const after = new Standing();

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
  const named = findContinued(context.history, context.keys, out);
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
  if (textSize(input, Text.approval) === 6) out.approvalCode = textNumber(input, Text.approval);
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
  const cash = cashPart(input, state.accounts.currency(accountSlot));
  checks.begin(policy, out, added, Math.min(cash, added), total > 0 ? total : -1);
  checks.countApproval(out, added);
  if (out.changes.count > 0 && out.holdDelta !== 0) out.holdFlags |= HoldFlag.counted;
}

/** Links the advice to the authorization of the message that it names; 0 when we know none. */
function linkTo({ state, history }: DecisionContext, named: number, out: MessageEvent): number {
  out.verdict(Step.original, named > 0 ? Verdict.matched : Verdict.notFound);
  if (named === 0) return 0;
  const root = rootOf(history.read(named));
  const slot = state.holds.find(root);
  out.originalSequence = root;
  if (slot >= 0) out.authorizedAfter = state.holds.authorized(slot);
  return root;
}

/** 0120: what is held becomes the amount of the advice. False when it changes nothing. */
function hold(context: DecisionContext, policy: Policy, out: MessageEvent, root: number, named: number): boolean {
  const { state, history, keys } = context;
  const { input } = out;
  if (root > 0 && undoneBy(history, keys, root) === Undone.reversed) return false;
  const isCredit = sortOf(input) === Sort.credit;
  const amount = billedAmount(input, state.accounts.currency(out.accountSlot));
  const slot = root > 0 ? state.holds.find(root) : -1;
  if (slot >= 0) {
    const flags = state.holds.flags(slot);
    const once = policy.isFuelPump(history.read(root).input.mcc);
    if (isCredit || (flags & HoldFlag.refund) !== 0 || (once && (flags & HoldFlag.completed) !== 0)) return false;
    const isIncrement = input.functionCode === INCREMENT;
    if (isIncrement && named !== root && stands(context, named)) return false;
    const remaining = state.holds.remaining(slot);
    const cleared = state.holds.cleared(slot);
    out.authorizedAfter = Math.max(cleared, isIncrement ? cleared + remaining + amount : amount);
    out.holdDelta = out.authorizedAfter - cleared - remaining;
    out.holdFlags = isIncrement ? 0 : HoldFlag.completed;
    return true;
  }
  if (root > 0 && readStanding(history, keys, root, before).total > 0) return false;
  // Unknown, declined, rolled back, or its hold has come to its end.
  out.authorizedAfter = amount;
  out.holdPlaced = root > 0 ? 1 : 0;
  out.holdDelta = isCredit ? 0 : amount;
  out.holdFlags = isCredit ? HoldFlag.refund : root > 0 ? HoldFlag.completed : 0;
  if (amount > 0) out.holdExpiresMs = out.timeMs + policy.holdLifeMs(root > 0 ? history.read(root).input : input);
  return amount > 0;
}

/** True for an increment that we approved and that nothing has taken back. */
function stands({ history, keys }: DecisionContext, named: number): boolean {
  const { element, response } = history.read(named);
  if (element !== ElementKind.increment && element !== ElementKind.replacement) return false;
  return isApproval(response) && undoneBy(history, keys, named) === Undone.no;
}

/** 0220: the postings become those of the advice, and the hold is released. False when it changes nothing. */
function post(context: DecisionContext, policy: Policy, out: MessageEvent, root: number): boolean {
  const { state, history, keys } = context;
  const { input, accountSlot } = out;
  before.clear();
  if (root > 0) {
    const posted = history.read(root).postings.count > 0;
    if (posted && undoneBy(history, keys, root) === Undone.reversed) return false;
    readStanding(history, keys, root, before);
  }
  const amount = billedAmount(input, state.accounts.currency(accountSlot));
  if (sortOf(input) === Sort.credit) {
    after.setCredit(amount, owedForPurchases(state, accountSlot) - Math.min(0, before.purchases));
  } else {
    const cash = cashPart(input, state.accounts.currency(accountSlot));
    after.setDebit(amount, cash, cash > 0 ? policy.cashFee(cash) : 0);
  }
  after.legsFrom(before, out.postings);
  out.authorizedAfter = amount;
  const slot = root > 0 ? state.holds.find(root) : -1;
  if (slot < 0) return true;
  out.holdDelta = 0 - state.holds.remaining(slot);
  // The announced refund has come.
  if ((state.holds.flags(slot) & HoldFlag.refund) !== 0) out.authorizedAfter = 0;
  return true;
}
