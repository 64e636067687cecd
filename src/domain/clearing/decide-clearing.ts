/**
 * The decision about one record of a clearing file: state + record + history -> an event with its results, or the answer that
 * nothing is to be posted. Limits, status and rules play no part: a valid presentment posts, and balances may go negative.
 *
 *   posted before: this record, or the same thing      already, duplicate
 *   no card of ours, or no amount in its currency      suspense
 *   takes an earlier record back                       its mirror
 *   presented again after a chargeback                 the next step of its dispute; of none: suspense
 *   an authorization that a single message posted      duplicate
 *   an authorization                                   posted, and its hold released
 *   none                                               force post, or a refund of its own
 */
import { CLEARED_BALANCE_MAX } from '../../limits.js';
import { EventKind } from '../codes.js';
import { giveBackTo } from '../decide-reversal.js';
import { type DecisionContext, policyOf } from '../decision-context.js';
import { disputeCharged, disputeStanding } from '../disputes.js';
import { type ClearingPosted, MessageEvent, type Posting } from '../events.js';
import { HoldFlag } from '../hold-table.js';
import { disputedSide, type Interchange, type Owed, presentmentLegs, suspenseLegs } from '../ledger/presentment.js';
import { Undone, undoneBy } from '../lookups.js';
import { Text } from '../message.js';
import { mulDivFloor } from '../money.js';
import type { Policy } from '../program/policy.js';
import { readStanding, Standing } from '../standing.js';
import { TransactionType } from '../transaction.js';
import { CounterChanges } from '../velocity/counter-changes.js';
import { giveBack } from '../velocity/give-back.js';
import { ClearingFlag, ClearingSort, IN_SUSPENSE, MatchRung } from './codes.js';
import { type ClearedLife, clearedLife, findPosted, originalOfReversal, type Posted } from './history.js';
import {
  badValue,
  type ClearingAnswer,
  type ClearingEntry,
  type ClearingInput,
  clearingSort,
  hasSameAmounts,
  isCashRecord,
  isCreditRecord,
  isOneOfSeveral,
  SECOND_PRESENTMENT_PARTIAL,
} from './input.js';
import { findAuthorization, type Match } from './match.js';
import { postedByMessages } from './posted-by-messages.js';
import { amountIn, cashBackIn, presentedSide, sideBack } from './sides.js';

/** Printable ASCII without blanks. */
const FILE_NAME = /^[\x21-\x7e]{1,64}$/;
const NOTHING = new Uint8Array(0);
const NO_FINGERPRINT = [0, 0, 0] as const;

const changes = new CounterChanges();
const counted = new CounterChanges();
const standing = new Standing();
/** Stands for the record where velocity is counted. */
const counting = new MessageEvent();

/**
 * Decides one record. An event is to be appended and applied; an answer means that nothing is.
 * @param file names the file: with the number of the record it is unique
 * @param nowMs shard time @param windowLagMs how far behind it velocity windows count
 */
export function decideClearing(
  context: DecisionContext,
  file: string,
  entry: ClearingEntry,
  nowMs: number,
  windowLagMs: number,
): ClearingPosted | ClearingAnswer {
  const { input } = entry;
  const field = FILE_NAME.test(file) ? badValue(input) : 'file';
  if (field !== undefined) return { outcome: 'invalid', sequence: 0, rung: MatchRung.none, flags: 0, field };
  const event = begin(context, file, entry, nowMs, windowLagMs);
  const posted = findPosted(context.history, context.keys, context.state.cards, event, input, file);
  if (posted.itself !== undefined) return answerOf('already', posted.itself);
  if (posted.same !== undefined) return duplicateOf(posted.same, event);
  const amount = event.accountSlot < 0 ? -1 : amountIn(input, context.state.accounts.currency(event.accountSlot));
  if (amount < 0) {
    event.flags |= event.accountSlot < 0 ? ClearingFlag.unknownCard : ClearingFlag.otherCurrency;
  }
  const duplicate =
    input.reversal === 1 ? takeBack(context, event, posted, amount) : present(context, event, posted, amount);
  return duplicate ?? event;
}

/**
 * Decides one record whose number was unknown until lately, at the shard of the number: it belongs here when it is in suspense
 * here, or when what it takes back is. Otherwise it is `elsewhere`: with its card.
 */
export function decideAsUnknown(
  context: DecisionContext,
  file: string,
  { fingerprint, input }: ClearingEntry,
  nowMs: number,
  windowLagMs: number,
): ClearingPosted | ClearingAnswer {
  const entry = { card: -1, fingerprint, input };
  const { history, keys, state } = context;
  const posted = findPosted(history, keys, state.cards, begin(context, file, entry, nowMs, windowLagMs), input, file);
  const takenBack = input.reversal === 1 ? originalOfReversal(posted, input) : undefined;
  if ((posted.itself ?? posted.same ?? takenBack) === undefined)
    return { outcome: 'elsewhere', sequence: 0, rung: MatchRung.none, flags: 0 };
  return decideClearing(context, file, entry, nowMs, windowLagMs);
}

/** What is answered of a record that is posted. */
export function answerOf(outcome: 'posted' | 'already', { sequence, rung, flags }: ClearingPosted): ClearingAnswer {
  return { outcome, sequence, rung, flags };
}

function duplicateOf(same: ClearingPosted, event: ClearingPosted): ClearingAnswer {
  const flags = hasSameAmounts(same.input, event.input) ? 0 : ClearingFlag.otherAmount;
  return { outcome: 'duplicate', sequence: same.sequence, rung: same.rung, flags };
}

/** Everything that is known before anything is looked up. */
function begin(
  { state }: DecisionContext,
  file: string,
  { card: named, fingerprint, input }: ClearingEntry,
  nowMs: number,
  windowLagMs: number,
): ClearingPosted {
  const { cards, accounts } = state;
  const isKnown = named >= 0 && cards.exists(named);
  const tokenSlot = isKnown && cards.isAlias(named) ? named : -1;
  const cardSlot = !isKnown ? -1 : tokenSlot < 0 ? named : cards.aliasOf(tokenSlot);
  const accountSlot = isKnown ? cards.account(cardSlot) : -1;
  return {
    kind: EventKind.clearingPosted,
    sequence: 0,
    timeMs: nowMs,
    accountSlot,
    cardSlot,
    tokenSlot,
    fingerprint: isKnown ? NO_FINGERPRINT : fingerprint,
    file,
    input,
    sort: clearingSort(input),
    rung: MatchRung.none,
    flags: 0,
    originalSequence: 0,
    relatedSequence: 0,
    disputeSequence: 0,
    windowLagMs,
    posted: 0,
    authorizedAfter: 0,
    holdDelta: 0,
    holdFlags: 0,
    programRevision: 0,
    changes: NOTHING,
    legs: [],
    previousOfAccount: isKnown ? accounts.newest(accountSlot) : 0,
    previousOfCard: isKnown ? cards.newest(cardSlot) : 0,
  };
}

// ---- presentments ----

/** @returns an answer when it is a duplicate, and nothing is posted */
function present(
  context: DecisionContext,
  event: ClearingPosted,
  posted: Posted,
  amount: number,
): ClearingAnswer | undefined {
  const isCredit = isCreditRecord(event.input);
  const charge = isCredit ? 0 - amount : amount;
  if (amount < 0 || !staysInRange(context, event, charge)) {
    postToSuspense(event, 1);
    return undefined;
  }
  const policy = policyOf(context, event.accountSlot);
  event.programRevision = policy.revision;
  if (event.sort === ClearingSort.secondPresentment) {
    presentAgain(context, event, posted, amount);
    return undefined;
  }
  const match = findAuthorization(context, event, amount);
  const { root, rung, otherCard } = match;
  if (otherCard === true) event.flags |= ClearingFlag.otherCard;
  event.rung = rung;
  event.originalSequence = root;
  event.posted = charge;
  if (root > 0) {
    const duplicate = belongTo(context, policy, event, match, amount);
    if (duplicate !== undefined) return duplicate;
    // Announced, and of a purchase all the same: whoever disputes that must know of it.
    if (isCredit) event.relatedSequence = purchaseOf(posted, event.input)?.sequence ?? 0;
  } else {
    if (isCredit) relateByReference(event, purchaseOf(posted, event.input));
    else event.changes = countedAs(context, policy, event, amount, cashOf(context, event, amount), -1);
  }
  const { state } = context;
  const cash = cashOf(context, event, amount);
  post(context, event, presentedSide(state, event.accountSlot, policy, event.sort, event.input, amount, cash), 1);
  return undefined;
}

/** Of several purchases with the reference that of the same sequence, else one of the same amount, else the first. */
function purchaseOf({ all }: Posted, { sequence, amount, currency }: ClearingInput): ClearingPosted | undefined {
  const purchases = all.filter(({ input, sort }) => input.reversal === 0 && isCharge(sort));
  const bySequence = sequence === 0 ? undefined : purchases.find(({ input }) => input.sequence === sequence);
  const byAmount = ({ input }: ClearingPosted): boolean => input.amount === amount && input.currency === currency;
  return bySequence ?? purchases.find(byAmount) ?? purchases[0];
}

const creditOf = ({ all }: Posted): ClearingPosted | undefined =>
  all.find(({ input, sort }) => input.reversal === 0 && sort === ClearingSort.credit);

/** A credit or a second presentment names an earlier record by the acquirer's reference. */
function relateByReference(event: ClearingPosted, earlier: ClearingPosted | undefined): void {
  if (earlier === undefined) return;
  event.relatedSequence = earlier.sequence;
  event.rung = MatchRung.arn;
}

/**
 * What was charged back comes again and is disputed again: as much as was charged back, where the whole of it comes in another
 * currency of settlement (what the conversion makes of it is on the FX position), else what the record says. A credit has no dispute of
 * ours: presented again it is in suspense, and in the direction of the credit.
 */
function presentAgain(context: DecisionContext, event: ClearingPosted, posted: Posted, amount: number): void {
  const { input, accountSlot, cardSlot } = event;
  const isCredit = isCreditRecord(input);
  relateByReference(event, isCredit ? creditOf(posted) : purchaseOf(posted, input));
  const { relatedSequence: first } = event;
  const dispute = first === 0 || isCredit ? undefined : disputeCharged(context, first, cardSlot, amount);
  if (dispute === undefined) {
    event.flags |= ClearingFlag.disputeMissing;
    postToSuspense(event, 1);
    return;
  }
  event.disputeSequence = dispute.sequence;
  const { chargedBack } = disputeStanding(context, dispute);
  const isFull = input.functionCode !== SECOND_PRESENTMENT_PARTIAL;
  const isConverted = owedBy(event, 1).currency !== context.state.accounts.currency(accountSlot);
  const isOther = amount > chargedBack || (isFull && amount !== chargedBack);
  if (isOther && !(isFull && isConverted)) event.flags |= ClearingFlag.otherAmount;
  post(context, event, disputedSide(isFull && isConverted ? chargedBack : amount), 1);
}

const isCharge = (sort: ClearingSort): boolean => sort === ClearingSort.purchase || sort === ClearingSort.cash;

/**
 * What of the amount is cash, in the account's currency: all of a cash advance, and the cash back of a purchase as the record has
 * it, else, of a purchase with cash back, as its authorization has it.
 */
function cashOf({ history }: DecisionContext, event: ClearingPosted, amount: number): number {
  const { input, sort, originalSequence: root } = event;
  if (sort === ClearingSort.cash) return amount;
  if (sort !== ClearingSort.purchase) return 0;
  let { cashBack } = input;
  const type = Math.floor(input.processingCode / 10_000);
  if (cashBack < 0 && root > 0 && type === TransactionType.purchaseWithCashBack) {
    const past = history.read(root).input;
    if (past.currency === input.currency) cashBack = past.cashBack;
  }
  return cashBackIn(input, cashBack, amount);
}

/** What the record does to its authorization: hold, totals, velocity. An answer when a single message has posted it. */
function belongTo(
  context: DecisionContext,
  policy: Policy,
  event: ClearingPosted,
  match: Match,
  amount: number,
): ClearingAnswer | undefined {
  const { state, history, keys } = context;
  const { holds } = state;
  const { root } = match;
  const slot = holds.find(root);
  const remaining = slot < 0 ? 0 : holds.remaining(slot);
  const isRefund = event.sort === ClearingSort.credit;
  let life: ClearedLife | undefined;
  // A refund holds nothing: what of it is announced and has not come stays authorized.
  const held = isRefund && slot >= 0 ? holds.authorized(slot) : remaining;
  const posted = held > 0 && (isRefund || holds.cleared(slot) > 0) ? postedByMessages(context, match, amount, held) : 0;
  if (posted > 0) {
    const flags = posted === amount ? 0 : ClearingFlag.otherAmount;
    return { outcome: 'duplicate', sequence: match.sequence, rung: event.rung, flags };
  }
  if (slot < 0 || (remaining === 0 && !isRefund)) {
    const byMessages = readStanding(history, keys, root, standing);
    if (byMessages.total > 0) {
      const flags = byMessages.total === amount ? 0 : ClearingFlag.otherAmount;
      return { outcome: 'duplicate', sequence: root, rung: event.rung, flags };
    }
    life = clearedLife(history, keys, root);
    if (undoneBy(history, keys, root) !== Undone.no) event.flags |= ClearingFlag.afterReversal;
    else if (slot < 0 && life.expired) event.flags |= ClearingFlag.afterExpiry;
  }
  if (isRefund) {
    // What was announced has come, or a part of it.
    if (amount > held && slot >= 0) event.flags |= ClearingFlag.overCleared;
    event.authorizedAfter = isOneOfSeveral(event.input) ? Math.max(0, held - amount) : 0;
    return undefined;
  }
  const before = life === undefined || slot >= 0 ? holds.authorized(slot) : Math.abs(life.posted);
  const cleared = before - remaining + amount;
  const keepsRest = isOneOfSeveral(event.input) || (!policy.tables.clearing.releaseRest && !isLast(event));
  const released = keepsRest ? Math.min(amount, remaining) : remaining;
  event.holdDelta = 0 - released;
  event.authorizedAfter = cleared + remaining - released;
  flagExcess(context, policy, event, root, slot, cleared);
  count(context, policy, event, root, slot, before, amount);
  return undefined;
}

/** The last of several clearings, by its count. */
const isLast = ({ input }: ClearingPosted): boolean => input.count > 0 && input.sequence === input.count;

/** Above what was authorized and the program tolerates. Elements are read only where the hold by itself does not allow it. */
function flagExcess(
  { state, history, keys }: DecisionContext,
  policy: Policy,
  event: ClearingPosted,
  root: number,
  slot: number,
  cleared: number,
): void {
  if ((event.flags & ClearingFlag.afterReversal) !== 0) return;
  if (slot >= 0 && cleared <= state.holds.authorized(slot)) return;
  const mcc = event.input.mcc >= 0 ? event.input.mcc : history.read(root).input.mcc;
  const { authorized } = clearedLife(history, keys, root);
  const allowed = mulDivFloor(authorized, 100 + policy.tolerancePercent(mcc), 100);
  if (cleared > allowed) event.flags |= ClearingFlag.overCleared;
}

/** What was cleared above the authorized total counts as what we approve; what is released below it gives back. */
function count(
  context: DecisionContext,
  policy: Policy,
  event: ClearingPosted,
  root: number,
  slot: number,
  before: number,
  amount: number,
): void {
  const { authorizedAfter } = event;
  if (authorizedAfter > before) {
    const added = authorizedAfter - before;
    event.changes = countedAs(context, policy, event, added, cashOf(context, event, amount), before > 0 ? before : -1);
    if (slot >= 0 && event.changes.length > 0) event.holdFlags |= HoldFlag.counted;
    return;
  }
  if (authorizedAfter === before || slot < 0) return;
  if ((context.state.holds.flags(slot) & HoldFlag.counted) !== 0) {
    event.changes = givenBack(context, root, authorizedAfter);
  }
}

/**
 * What an amount counts in the windows of card and account.
 *
 * @param cash of the whole record: what comes on top of an authorization is cash as far as that goes, as with advices
 * @param before total that it adds to, -1 for one of its own
 */
function countedAs(
  context: DecisionContext,
  policy: Policy,
  event: ClearingPosted,
  amount: number,
  cash: number,
  before: number,
): Uint8Array {
  const { checks } = context;
  const { input } = event;
  counting.clear();
  counting.timeMs = event.timeMs;
  counting.windowLagMs = event.windowLagMs;
  counting.accountSlot = event.accountSlot;
  counting.cardSlot = event.cardSlot;
  const message = counting.input;
  message.clear();
  message.processingCode = input.processingCode;
  message.mcc = input.mcc;
  message.country = input.country;
  message.setText(Text.acceptor, input.acceptor);
  checks.begin(policy, counting, amount, Math.min(amount, cash), before);
  checks.countApproval(counting, amount);
  return packed(counting.changes);
}

function givenBack(context: DecisionContext, root: number, total: number): Uint8Array {
  changes.clear();
  giveBackTo(context, root, total, changes);
  return packed(changes);
}

function packed(from: CounterChanges): Uint8Array {
  if (from.count === 0) return NOTHING;
  const bytes = new Uint8Array(from.packedMax);
  return bytes.slice(0, from.pack(bytes, 0));
}

// ---- what takes back ----

/** A record with the reversal mark: the cardholder's side is the mirror of the original's, the network's side its own. */
function takeBack(context: DecisionContext, event: ClearingPosted, posted: Posted, amount: number): undefined {
  const original = originalOfReversal(posted, event.input);
  if (original === undefined) event.flags |= ClearingFlag.originalMissing;
  else {
    event.rung = MatchRung.arn;
    event.relatedSequence = original.sequence;
    if (!hasSameAmounts(original.input, event.input)) event.flags |= ClearingFlag.otherAmount;
  }
  const back = isCreditRecord(event.input) ? amount : 0 - amount;
  const isDisputed = event.sort === ClearingSort.secondPresentment;
  if (isDisputed && original === undefined) event.flags |= ClearingFlag.disputeMissing;
  const wasSuspense = original !== undefined && (original.flags & IN_SUSPENSE) !== 0;
  if (wasSuspense) event.flags |= original.flags & IN_SUSPENSE;
  if (amount < 0 || (event.flags & IN_SUSPENSE) !== 0 || !staysInRange(context, event, back)) {
    postToSuspense(event, -1);
    return;
  }
  event.posted = isDisputed ? 0 : back;
  post(context, event, sideBack(context, event, original, amount), -1);
  if (original !== undefined && !isDisputed) undo(context, event, original, amount);
}

/** The authorization's total falls by what is taken back; its hold, which was released, does not come again. */
function undo(context: DecisionContext, event: ClearingPosted, original: ClearingPosted, amount: number): void {
  const { state, history, keys } = context;
  // Of an authorization that is not in the journal any more nothing is open: the record is taken back by itself.
  const root = original.originalSequence > history.floor ? original.originalSequence : 0;
  event.originalSequence = root;
  if (event.sort === ClearingSort.credit) {
    const slot = root > 0 ? state.holds.find(root) : -1;
    if (slot >= 0) event.authorizedAfter = state.holds.authorized(slot);
    return;
  }
  if (root === 0) {
    counted.clear();
    counted.unpack(original.changes, 0, original.changes.length);
    changes.clear();
    giveBack(
      state.velocity,
      counted,
      original.sequence,
      original.posted,
      Math.max(0, original.posted - amount),
      true,
      changes,
    );
    changes.sort();
    event.changes = packed(changes);
    return;
  }
  const slot = state.holds.find(root);
  const remaining = slot < 0 ? 0 : state.holds.remaining(slot);
  const cleared = slot < 0 ? clearedLife(history, keys, root).posted : state.holds.cleared(slot);
  event.authorizedAfter = Math.max(0, cleared - amount) + remaining;
  event.changes = givenBack(context, root, event.authorizedAfter);
}

// ---- legs ----

/** False when the account would leave what a balance can be. */
function staysInRange({ state }: DecisionContext, event: ClearingPosted, charge: number): boolean {
  if (Math.abs(state.accounts.posted(event.accountSlot) + charge) <= CLEARED_BALANCE_MAX) return true;
  event.flags |= ClearingFlag.outOfRange;
  return false;
}

/** @param direction 1 for a presentment, -1 for what takes one back */
function post({ state }: DecisionContext, event: ClearingPosted, side: readonly Posting[], direction: 1 | -1): void {
  const currency = state.accounts.currency(event.accountSlot);
  const owed = owedBy(event, direction);
  event.legs = presentmentLegs(side, currency, owed, interchangeOf(event, direction), isCashRecord(event.input));
}

function postToSuspense(event: ClearingPosted, direction: 1 | -1): void {
  event.legs = suspenseLegs(owedBy(event, direction), interchangeOf(event, direction), isCashRecord(event.input));
}

/** What is owed to the network: as settled, else as billed, else as the merchant has it. */
function owedBy({ input }: ClearingPosted, direction: 1 | -1): Owed {
  const sign = isCreditRecord(input) ? 0 - direction : direction;
  const { sub } = input;
  if (input.settlementCurrency >= 0)
    return { amount: sign * input.settlementAmount, currency: input.settlementCurrency, sub };
  if (input.billingCurrency >= 0) return { amount: sign * input.billingAmount, currency: input.billingCurrency, sub };
  return { amount: sign * input.amount, currency: input.currency, sub };
}

/** Interchange is earned on purchases and paid on cash and credits, unless the file says its direction. */
function interchangeOf({ input }: ClearingPosted, direction: 1 | -1): Interchange[] {
  const isEarned = !isCashRecord(input) && !isCreditRecord(input);
  const usual = isEarned ? direction : 0 - direction;
  return input.fees.map(({ amount, currency, sign }) => ({ amount: amount * (sign === 0 ? usual : sign), currency }));
}
