/**
 * Reversals (0400, 0420) behind the duplicate check, and the roll-back of an approval that was not delivered.
 *
 * A reversal is always accepted. Full: everything that remains is released, and what a single message posted is posted back.
 * Partial (DE95 above zero): DE95 is what stays authorized, so the authorized total becomes the smaller of the two and never
 * grows, and the hold keeps what of it has not been cleared. A full reversal that names an increment takes back that
 * increment, once, and one that names a part that was posted takes back that part. Without an original it stands as a
 * tombstone against the late original; so it does when DE37 and DE41 alone led to one of which nothing is left.
 *
 * In the event of a reversal `approvedAmount` is the authorized total *after* it, in the account's currency: 0 = the
 * authorization is fully reversed.
 */

import { AMOUNT_MAX } from '../limits.js';
import { presentedTotal } from './clearing/history.js';
import { ElementKind, EventKind, Response, Step, Verdict } from './codes.js';
import { CountedElements } from './counted-elements.js';
import { type DecisionContext, policyOf } from './decision-context.js';
import type { MessageEvent, NotDelivered, Posting } from './events.js';
import type { History } from './history.js';
import { HoldFlag } from './hold-table.js';
import type { IndexKeys } from './index-keys.js';
import { Postings } from './ledger/postings.js';
import { isApproval, isRolledBack, Undone, undoneBy } from './lookups.js';
import { classOf, type MessageInput } from './message.js';
import { mulDivHalfUp } from './money.js';
import { approves, findOriginal, isChange, isNamedByRrnAlone, rootOf } from './originals.js';
import { inMerchantCurrency } from './reply-facts.js';
import type { ShardState } from './shard-state.js';
import { readStanding, Standing } from './standing.js';
import { Contribution, noteTakenBack, postedAmount, standingAmount } from './totals.js';
import { CounterChanges } from './velocity/counter-changes.js';

const MONEY_MAX = Number.MAX_SAFE_INTEGER;

const counted = new CountedElements();
const contribution = new Contribution();
const changes = new CounterChanges();
const before = new Standing();
const after = new Standing();

/** Decides the reversal in `out`, whose head is filled. */
export function decideReversal(context: DecisionContext, out: MessageEvent): void {
  const { state, history, keys } = context;
  out.response = Response.approved;
  const named = findOriginal(context, out);
  if (named === 0) {
    out.verdict(Step.original, Verdict.notFound);
    out.tombstone = 1;
    return;
  }
  out.verdict(Step.original, Verdict.matched);
  if (mayMeanAnother(context, named, out.input)) out.tombstone = 1;
  const isPartial = out.input.replacementAmount > 0;
  const added = isPartial ? -1 : addedBy(context, named);
  const original = history.read(named);
  const root = rootOf(original);
  out.originalSequence = root;
  if (original.accountSlot < 0) return;
  if (added >= 0) out.elementSequence = named;
  const stays = isPartial ? stayingAmount(state, original, out) : 0;
  if (original.postings.count > 0 || (classOf(original.input.mti) === 2 && approves(original))) {
    if (added < 0) reversePosted(context, out, root, stays);
    else reversePart(context, out, root, named, added);
    return;
  }
  const slot = state.holds.find(root);
  if (slot < 0) {
    // Expired, reversed, or never approved: nothing to release. Of what was approved and not reversed yet DE95 stays, and all
    // of it when only an increment is taken back.
    const { response, approvedAmount } = isIncrement(original) ? history.read(root) : original;
    const approved = isApproval(response) ? approvedAmount : 0;
    const left = added < 0 ? Math.min(stays, approved) : approved;
    out.approvedAmount = undoneBy(history, keys, root) === Undone.no ? left : 0;
    // What messages and files have posted for it stays, and so does what that has counted.
    out.authorizedAfter = postedTotal(history, keys, root);
    return;
  }
  const authorized = state.holds.authorized(slot);
  const cleared = state.holds.cleared(slot);
  const total = added < 0 ? Math.min(authorized, stays) : Math.max(0, authorized - added);
  out.approvedAmount = total;
  // What was cleared stays, whatever is said of the authorization.
  out.authorizedAfter = Math.max(cleared, total);
  const flags = state.holds.flags(slot);
  out.holdDelta = (flags & HoldFlag.refund) !== 0 ? 0 : out.authorizedAfter - cleared - state.holds.remaining(slot);
  if ((flags & HoldFlag.counted) !== 0) giveBackTo(context, root, out.authorizedAfter, out.changes);
}

/**
 * True when nothing is left to take back of what the reversal found, and it found it by what a second attempt has as well: the message
 * that it means may still be on its way.
 */
function mayMeanAnother({ history, keys }: DecisionContext, named: number, reversal: MessageInput): boolean {
  const found = history.read(named);
  if (!isNamedByRrnAlone(reversal, found.input)) return false;
  return !approves(found) || undoneBy(history, keys, rootOf(found)) === Undone.reversed;
}

/** True for an increment or a replacement of another message, and for a part that was posted of it. */
const isIncrement = (event: MessageEvent): boolean => isChange(event) && event.originalSequence > 0;

/**
 * What a full reversal of an increment (or a part) takes back: what it added, or nothing when that was declined or has gone
 * back already. -1 when the message at `named` is no increment, so that all of the authorization is meant.
 */
function addedBy({ history, keys }: DecisionContext, named: number): number {
  const event = history.read(named);
  if (!isIncrement(event)) return -1;
  const brought = classOf(event.input.mti) === 2 ? before.clear().addLegs(event.postings).total : event.holdDelta;
  const added = isApproval(event.response) ? Math.max(0, brought) : 0;
  return undoneBy(history, keys, named) === Undone.no ? added : 0;
}

/** The mirror of what single messages posted for the authorization, in full or down to what stays. */
function reversePosted(context: DecisionContext, out: MessageEvent, root: number, stays: number): void {
  const { state, history, keys } = context;
  readStanding(history, keys, root, before);
  readStanding(history, keys, root, after);
  after.reduceTo(Math.min(before.total, stays), policyOf(context, out.accountSlot));
  after.legsFrom(before, out.postings);
  if (out.postings.count > 0) {
    const stood = standingAmount(history, keys, root, state.accounts.currency(out.accountSlot));
    noteTakenBack(out, stood, Math.max(0, out.input.replacementAmount));
  }
  out.approvedAmount = after.total;
  out.authorizedAfter = after.total;
  const slot = state.holds.find(root);
  if (slot >= 0) {
    // What is held beside it: a later increment, or what the network decided after a roll-back.
    out.authorizedAfter = Math.max(after.total, Math.min(state.holds.authorized(slot), stays));
    out.approvedAmount = out.authorizedAfter;
    const isRefund = (state.holds.flags(slot) & HoldFlag.refund) !== 0;
    out.holdDelta = isRefund ? 0 : out.authorizedAfter - after.total - state.holds.remaining(slot);
  }
  giveBackTo(context, root, out.authorizedAfter + presentedBeside(context, slot, root), out.changes);
}

/** What files have charged for a single message, which has no hold that would count it: a reversal leaves it, and what it has counted. */
const presentedBeside = ({ history, keys }: DecisionContext, slot: number, root: number): number =>
  slot >= 0 ? 0 : presentedTotal(history, keys, root);

/** The mirror of what one advice posted as a part; the other parts and what is still held stay. */
function reversePart(context: DecisionContext, out: MessageEvent, root: number, named: number, added: number): void {
  const { state, history, keys } = context;
  const currency = state.accounts.currency(out.accountSlot);
  const stood = standingAmount(history, keys, root, currency);
  noteTakenBack(out, added > 0 ? Math.min(stood, postedAmount(history.read(named), currency)) : 0, 0);
  readStanding(history, keys, root, before);
  readStanding(history, keys, root, after);
  after.reduceTo(Math.max(0, before.total - added), policyOf(context, out.accountSlot));
  after.legsFrom(before, out.postings);
  const slot = state.holds.find(root);
  out.authorizedAfter = after.total + (slot >= 0 ? state.holds.remaining(slot) : 0);
  out.approvedAmount = out.authorizedAfter;
  giveBackTo(context, root, out.authorizedAfter + presentedBeside(context, slot, root), out.changes);
}

/** What messages and files have charged for the authorization and not taken back. */
function postedTotal(history: History, keys: IndexKeys, root: number): number {
  return readStanding(history, keys, root, before).total + presentedTotal(history, keys, root);
}

/** What the authorization gives back to velocity windows when its total becomes `total`. */
export function giveBackTo(
  { state, history, keys }: Pick<DecisionContext, 'state' | 'history' | 'keys'>,
  root: number,
  total: number,
  out: CounterChanges,
): void {
  counted.read(history, keys, root).giveBack(history, state.velocity, total, total === 0, out);
}

/**
 * DE95 in the account's currency. It is in the reversal's DE49, or without one in that of the original: an amount in the account's
 * currency is taken as it is, one in the original's at the rate of the original, and one in a third currency at the reversal's own
 * (DE6 / DE4); without a rate nothing is taken back. Half a minor unit is rounded up. The approved DE4 of a partial approval was
 * rounded down, so its way back would give less than what is held: from it on at least what was approved stays.
 */
function stayingAmount(state: ShardState, original: MessageEvent, out: MessageEvent): number {
  const { replacementAmount } = out.input;
  const account = state.accounts.currency(original.accountSlot);
  const currency = out.input.currency >= 0 ? out.input.currency : original.input.currency;
  if (currency === account) return replacementAmount;
  const isOwn = currency !== original.input.currency;
  const rate = isOwn ? out.input : original.input;
  const staying = converted(replacementAmount, rate, account);
  // Of an element only the rate counts: DE95 speaks of the whole authorization.
  if (isOwn || original.originalSequence > 0) return staying;
  if (replacementAmount < inMerchantCurrency(original.input, original.approvedAmount)) return staying;
  return Math.max(staying, original.approvedAmount);
}

/** An amount in the message's DE49, at its rate; more than any amount when that is none, or the result would be no amount. */
function converted(
  replacementAmount: number,
  { amount, billingAmount, billingCurrency }: MessageInput,
  account: number,
): number {
  if (!(amount > 0) || !(billingAmount > 0) || billingCurrency !== account) return AMOUNT_MAX;
  if ((replacementAmount / amount) * billingAmount > MONEY_MAX / 2) return MONEY_MAX;
  return mulDivHalfUp(replacementAmount, billingAmount, amount);
}

/**
 * The roll-back of the approval at `sequence`, whose reply could not be sent in time: to be appended and applied.
 * `undefined` when there is nothing to roll back: no approval of a request, or rolled back already.
 */
export function decideNotDelivered(
  context: DecisionContext,
  sequence: number,
  nowMs: number,
): NotDelivered | undefined {
  const { state, history, keys } = context;
  if (!history.isMessage(sequence) || isRolledBack(history, keys, sequence)) return undefined;
  const approval = history.read(sequence);
  if (!isRequest(approval.element) || !isApproval(approval.response)) return undefined;
  const { accountSlot, cardSlot } = approval;
  const authorization = rootOf(approval);
  const posts = approval.postings.count > 0;
  const slot = state.holds.find(authorization);
  // The approval may have counted nowhere, and a later element of it somewhere.
  const isCounted = slot >= 0 && (state.holds.flags(slot) & HoldFlag.counted) !== 0;
  const counts = posts || isCounted || approval.changes.count > 0;
  const remaining = slot < 0 ? 0 : state.holds.remaining(slot);
  const cleared = slot < 0 ? 0 : state.holds.cleared(slot);
  const countedMessage = contribution.read(approval, state.accounts.currency(accountSlot)).toMessage();
  // Of an increment only what it added goes back, of an authorization everything.
  const added = addedBy(context, sequence);
  const back = added < 0 ? remaining : Math.min(remaining, added);
  // Without a hold what was posted stays; of an approval that posted itself only what files have posted.
  const posted = posts ? presentedTotal(history, keys, authorization) : postedTotal(history, keys, authorization);
  const stays = slot < 0 ? posted : cleared + remaining - back;
  return {
    kind: EventKind.notDelivered,
    sequence: 0,
    timeMs: nowMs,
    accountSlot,
    cardSlot,
    originalSequence: sequence,
    authorizationSequence: authorization,
    authorizedAfter: stays,
    counted: countedMessage,
    postings: posts ? postedBack(history, keys, authorization) : [],
    changes: counts ? packedGiveBack(context, authorization, stays) : new Uint8Array(0),
    holdDelta: 0 - back,
    previousOfAccount: state.accounts.newest(accountSlot),
    previousOfCard: state.cards.newest(cardSlot),
  };
}

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

/** Legs that take back whatever is posted for the authorization. */
function postedBack(history: History, keys: IndexKeys, authorization: number): Posting[] {
  const legs = new Postings();
  after.clear().legsFrom(readStanding(history, keys, authorization, before), legs);
  return legs.toList();
}

/** What the authorization gives back when its total becomes `total`, as a plain event carries it. */
export function packedGiveBack(
  context: Pick<DecisionContext, 'state' | 'history' | 'keys'>,
  root: number,
  total: number,
): Uint8Array {
  changes.clear();
  giveBackTo(context, root, total, changes);
  const bytes = new Uint8Array(changes.packedMax);
  return bytes.slice(0, changes.pack(bytes, 0));
}
