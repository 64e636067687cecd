/**
 * Reversals (0400, 0420) behind the duplicate check, and the roll-back of an approval that was not delivered.
 *
 * A reversal is always accepted. Full: everything that remains is released, and what a single message posted is posted back.
 * Partial (DE95 above zero): DE95 is what stays authorized, so the authorized total becomes the smaller of the two and never
 * grows, and the hold keeps what of it has not been cleared. A full reversal that names an increment takes back that
 * increment, once, and one that names a part that was posted takes back that part, or brings it down to DE95. Without an original it stands as a
 * tombstone against the late original; so it does when DE37 and DE41 alone led to one of which nothing is left.
 *
 * In the event of a reversal `approvedAmount` is the authorized total *after* it, in the account's currency: 0 = the
 * authorization is fully reversed.
 */

import { AuthorizationFold } from './authorization-fold.js';
import { AcquirerMoney } from './authorization-money.js';
import { presentedTotal } from './clearing/history.js';
import { ElementKind, EventKind, Response, Step, Verdict } from './codes.js';
import { CountedSoFar, noteTakenBack } from './counted.js';
import { CountedElements } from './counted-elements.js';
import { type DecisionContext, policyOf } from './decision-context.js';
import { keptByDisputes } from './dispute-fees.js';
import type { MessageEvent, NotDelivered, Posting } from './events.js';
import type { History } from './history.js';
import { HoldFlag } from './hold-table.js';
import type { IndexKeys } from './index-keys.js';
import { Postings } from './ledger/postings.js';
import { isApproval, isRolledBack, Undone, undoneBy } from './lookups.js';
import { classOf, type MessageInput } from './message.js';
import {
  approves,
  findOriginal,
  isChange,
  isChangeOfUnknown,
  isNamedByRrnAlone,
  isNamedByRrnOf,
  isRequest,
  rootOf,
} from './originals.js';
import { readStanding, Standing } from './standing.js';
import { Contribution, type Counted, isKept } from './totals.js';
import { CounterChanges } from './velocity/counter-changes.js';

const counted = new CountedElements();
const soFar = new CountedSoFar();
const fold = new AuthorizationFold();
const foldOfAcquirer = new AuthorizationFold(new AcquirerMoney());
const contribution = new Contribution();
const changes = new CounterChanges();
const before = new Standing();
const after = new Standing();

/** Decides the reversal in `out`, whose head is filled. */
export function decideReversal(context: DecisionContext, out: MessageEvent): void {
  const { state, history, keys } = context;
  out.response = Response.approved;
  const named = meantBy(context, findOriginal(context, out), out.input);
  if (named === 0) {
    out.verdict(Step.original, Verdict.notFound);
    layTombstone(out);
    return;
  }
  out.verdict(Step.original, Verdict.matched);
  if (mayMeanAnother(context, named, out.input)) layTombstone(out);
  const root = rootOf(history.read(named));
  out.originalSequence = root;
  if (history.read(named).accountSlot < 0) return;
  const isPartial = out.input.replacementAmount > 0;
  const added = takenBy(context, named, out.input);
  const stays = isPartial ? staying(context, root, out.input) : 0;
  const original = history.read(named);
  if (added >= 0) out.elementSequence = named;
  if (isOfPosted(original, root)) {
    if (added < 0) reversePosted(context, out, root, stays);
    else reversePart(context, out, root, named, added);
    return;
  }
  const slot = state.holds.find(root);
  if (slot < 0) {
    // Expired, reversed, or never approved: nothing to release. Of what was approved and not reversed yet DE95 stays, and all
    // of it when only an increment is taken back.
    const isRoot = named === root;
    const { response, approvedAmount } = isIncrement(original) ? history.read(root) : original;
    const approved = isApproval(response) ? approvedAmount : 0;
    const left = added < 0 ? Math.min(stays, approved) : isRoot ? 0 : approved;
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

/** DE95 in the account's currency, of all of the authorization. */
function staying(context: DecisionContext, root: number, reversal: MessageInput): number {
  const { state, history } = context;
  if (reversal.currency === state.accounts.currency(history.read(root).accountSlot)) return reversal.replacementAmount;
  return fold.read(context, root).staying(reversal);
}

/** True for a single message and what the network told of one, whatever has posted. */
function isOfPosted(event: MessageEvent, root: number): boolean {
  if (event.postings.count > 0) return true;
  const isDecided = event.sequence === root || event.element === ElementKind.completion || approves(event);
  return isDecided && classOf(event.input.mti) === 2;
}

function layTombstone(out: MessageEvent): void {
  out.tombstone = 1;
  out.verdict(Step.tombstone, Verdict.laid);
}

/** Of a change the authorization, when DE37 means that as well and nothing names the change; of an advice that tells of a change, that change. */
function meantBy({ history }: DecisionContext, named: number, reversal: MessageInput): number {
  if (named === 0) return 0;
  const event = history.read(named);
  const { element, elementSequence } = event;
  const told = element === ElementKind.completion && elementSequence > 0 ? elementSequence : named;
  const root = rootOf(event);
  const isPart = told !== named || isChange(event);
  if (!isPart || !isNamedByRrnAlone(reversal, event.input)) return told;
  return isNamedByRrnOf(reversal, history.read(root).input) ? root : told;
}

/**
 * True when nothing is left to take back of what the reversal found, and it found it by what a second attempt has as well: the message
 * that it means may still be on its way.
 */
function mayMeanAnother({ state, history, keys }: DecisionContext, named: number, reversal: MessageInput): boolean {
  const found = history.read(named);
  if (!isNamedByRrnAlone(reversal, found.input)) return false;
  const root = rootOf(found);
  if (found.accountSlot < 0) return true;
  const slot = state.holds.find(root);
  if (slot >= 0 && (state.holds.remaining(slot) > 0 || (state.holds.flags(slot) & HoldFlag.refund) !== 0)) return false;
  return readStanding(history, keys, root, before).total === 0;
}

/** True for an increment or a replacement of another message, known or not, and for a part that was posted of it. */
const isIncrement = (event: MessageEvent): boolean =>
  event.originalSequence > 0 ? isChange(event) : isChangeOfUnknown(event);

/**
 * What a reversal of an increment (or a part) takes back: what it added, or nothing when that was declined or has gone back already; of a
 * part all but DE95. -1 when all of the authorization is meant: the message at `named` is no increment, or DE95 says what stays of what is
 * held, whichever increment it names.
 */
function takenBy(context: DecisionContext, named: number, reversal: MessageInput): number {
  const event = context.history.read(named);
  if (!isIncrement(event)) return -1;
  // What the first of several began is known by DE37 like any authorization.
  if (event.originalSequence === 0 && isNamedByRrnAlone(reversal, event.input)) return -1;
  const isPartial = reversal.replacementAmount > 0;
  if (classOf(event.input.mti) === 2) return takenOfPart(fold.read(context, rootOf(event)), named, reversal);
  return isPartial ? -1 : fold.read(context, rootOf(event)).addedBy(named);
}

/** What a reversal takes back of the part at `named`, in the money of the fold. */
function takenOfPart(told: AuthorizationFold, named: number, reversal: MessageInput): number {
  const part = told.partOf(named);
  return reversal.replacementAmount > 0 ? part - Math.min(part, told.staying(reversal, named)) : part;
}

/**
 * The mirror of what single messages posted for the authorization, in full or down to what stays. What ended disputes have left to the
 * cardholder does not go back once more: the network's side of it is a loss less (decision 0056).
 */
function reversePosted(context: DecisionContext, out: MessageEvent, root: number, stays: number): void {
  const { state, history, keys } = context;
  readStanding(history, keys, root, before);
  readStanding(history, keys, root, after);
  const kept = keptByDisputes(context, root);
  after.reduceTo(Math.min(before.total, stays), policyOf(context, out.accountSlot), kept);
  after.legsFrom(before, out.postings);
  if (out.postings.count > 0) {
    const account = state.accounts.currency(out.accountSlot);
    const { currency, stands } = soFar.read(history, keys, root, account);
    const told = countedIn(out.input, account);
    if (told === currency) noteTakenBack(out, stands, Math.max(0, out.input.replacementAmount));
    else if (told === account) noteTakenBack(out, before.total, after.total);
  }
  out.approvedAmount = after.total;
  out.authorizedAfter = after.total;
  const slot = state.holds.find(root);
  if (slot >= 0) {
    // What is held beside it: a later increment, or what the network decided after a roll-back; and what files have charged.
    const cleared = after.total + presentedTotal(history, keys, root);
    out.authorizedAfter = Math.max(cleared, Math.min(state.holds.authorized(slot), stays));
    out.approvedAmount = out.authorizedAfter;
    const isRefund = (state.holds.flags(slot) & HoldFlag.refund) !== 0;
    out.holdDelta = isRefund ? 0 : out.authorizedAfter - cleared - state.holds.remaining(slot);
  }
  giveBackTo(context, root, out.authorizedAfter + presentedBeside(context, slot, root), out.changes);
}

/** The currency in which a reversal counts in totals: its DE49, or without one that of the account. */
const countedIn = ({ currency }: MessageInput, account: number): number => (currency >= 0 ? currency : account);

/** What files have charged for a single message, which has no hold that would count it: a reversal leaves it, and what it has counted. */
const presentedBeside = ({ history, keys }: DecisionContext, slot: number, root: number): number =>
  slot >= 0 ? 0 : presentedTotal(history, keys, root);

/** The mirror of what one advice posted as a part, in full or down to DE95; the other parts and what is still held stay. */
function reversePart(context: DecisionContext, out: MessageEvent, root: number, named: number, added: number): void {
  const { state, history, keys } = context;
  const currency = state.accounts.currency(out.accountSlot);
  const part = takenOfPart(foldOfAcquirer.read(context, root), named, out.input);
  const counts = soFar.read(history, keys, root, currency);
  readStanding(history, keys, root, before);
  readStanding(history, keys, root, after);
  const kept = keptByDisputes(context, root, named);
  after.reduceTo(Math.max(0, before.total - added), policyOf(context, out.accountSlot), kept);
  after.legsFrom(before, out.postings);
  const told = countedIn(out.input, currency);
  if (told === counts.currency) noteTakenBack(out, added > 0 ? Math.min(counts.stands, part) : 0, 0);
  else if (told === currency) noteTakenBack(out, before.total, after.total);
  const slot = state.holds.find(root);
  out.authorizedAfter =
    after.total + (slot >= 0 ? presentedTotal(history, keys, root) + state.holds.remaining(slot) : 0);
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
  const takenOut = takenOutOfTotals(context, approval, authorization);
  // What the network has told of it stays.
  const { total } = fold.read(context, authorization, { rolledBack: sequence });
  readStanding(history, keys, authorization, after);
  const postings = posts ? postedBack(context, accountSlot, authorization, fold) : [];
  // What is held beside a single message goes with it.
  const holdStays = slot < 0 ? 0 : Math.max(state.holds.cleared(slot), posts ? 0 : total);
  // Nothing is held for a refund.
  const isRefund = slot >= 0 && (state.holds.flags(slot) & HoldFlag.refund) !== 0;
  const back = slot < 0 || isRefund ? 0 : state.holds.cleared(slot) + state.holds.remaining(slot) - holdStays;
  const stays = slot < 0 ? after.total + presentedTotal(history, keys, authorization) : holdStays;
  return {
    kind: EventKind.notDelivered,
    sequence: 0,
    timeMs: nowMs,
    accountSlot,
    cardSlot,
    originalSequence: sequence,
    authorizationSequence: authorization,
    authorizedAfter: stays,
    counted: takenOut,
    postings,
    changes: counts ? packedGiveBack(context, authorization, stays) : new Uint8Array(0),
    holdDelta: 0 - back,
    previousOfAccount: state.accounts.newest(accountSlot),
    previousOfCard: state.cards.newest(cardSlot),
  };
}

/**
 * What of an approval that is rolled back goes out of the totals: of what it posted what the network has told of nowhere and no reversal has
 * counted. The message goes with the last of its amount.
 */
function takenOutOfTotals(context: DecisionContext, approval: MessageEvent, root: number): Counted | undefined {
  const { state, history, keys } = context;
  const { sequence, timeMs, postings } = approval;
  const currency = state.accounts.currency(approval.accountSlot);
  const out = contribution.read(approval, currency).toCounted();
  if (out === undefined || !isKept(out.day, timeMs)) return undefined;
  if (postings.count === 0) return out;
  const { total } = foldOfAcquirer.read(context, root, { rolledBack: sequence });
  const { stands, whole, isCounted } = soFar.read(history, keys, root, currency);
  out.amount = stands - Math.min(stands, total);
  out.number = isCounted && whole === out.amount ? 1 : 0;
  return out.amount === 0 ? undefined : out;
}

/** Legs that bring what is posted for the authorization, in `after`, down to what is left of it. */
function postedBack(
  context: DecisionContext,
  accountSlot: number,
  authorization: number,
  left: AuthorizationFold,
): Posting[] {
  const legs = new Postings();
  const policy = policyOf(context, accountSlot);
  readStanding(context.history, context.keys, authorization, before);
  const total = Math.min(before.total, left.total);
  const cash = Math.min(before.cash, left.cash, total);
  const disputes = keptByDisputes(context, authorization);
  if (before.network < 0 && disputes.kept === 0) after.becomeDebit(total, cash, policy, left.cashOfParts);
  else after.reduceTo(total, policy, disputes);
  after.legsFrom(before, legs);
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
