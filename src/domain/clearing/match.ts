/**
 * The ladder by which a clearing record finds its authorization (section 8 of the domain rules), best rung first:
 *
 *   network id -> approval code + currency + date -> RRN + terminal or merchant -> merchant + amount of an open hold
 *
 * The amount never excludes on the first three: of several that fit it prefers one. Each rung is asked of the card and then of
 * the cards that it replaces, because an authorization of yesterday stands on yesterday's card. A payment by a network token is
 * recorded on the token's card, so it makes no difference which of the two numbers the file names.
 *
 * The network id names a payment and no card. So it is asked of the other cards of the account too: the record posts to the card
 * that it names, the hold of the authorization is released, and the match says that the cards differ.
 */
import {
  CHAIN_CARDS_MAX,
  CLEARING_ACCOUNT_CARDS_MAX,
  CLEARING_DAYS_AFTER_MAX,
  CLEARING_DAYS_BEFORE_MAX,
  CLEARING_WALK_RECORDS_MAX,
} from '../../limits.js';
import { approvalCodeOf } from '../approval-code.js';
import { ElementKind } from '../codes.js';
import type { DecisionContext } from '../decision-context.js';
import type { ClearingPosted, MessageEvent } from '../events.js';
import { MessageInput, Text } from '../message.js';
import { approves, endedOfLate, isMatchable as isInTime, rootOf } from '../originals.js';
import type { ShardState } from '../shard-state.js';
import { sameText, textSize } from '../texts.js';
import { billedAmount, Sort, sortOf } from '../transaction.js';
import { ClearingSort, MatchRung } from './codes.js';
import { familyOf } from './history.js';

const DAY_MS = 86_400_000;

/** The record's texts in the form that messages have them. */
const named = new MessageInput();

export interface Match {
  /** Sequence of the authorization, 0 for none. */
  root: number;
  /** Of the message that was found: the authorization, or an element of it; 0 where a walk found it. */
  sequence: number;
  rung: MatchRung;
  /** True when the authorization is of another card of the account. */
  otherCard?: boolean;
}

type Subject = Pick<ClearingPosted, 'cardSlot' | 'accountSlot' | 'timeMs' | 'input' | 'sort'>;

/** @param amount of the record in the account's currency, minor units */
export function findAuthorization(context: DecisionContext, subject: Subject, amount: number): Match {
  takeTexts(subject);
  const { keys } = context;
  const code = approvalCodeOf(named, Text.approval);
  const rungs: readonly (readonly [MatchRung, boolean, () => void])[] = [
    [MatchRung.networkId, textSize(named, Text.networkId) > 0, () => keys.networkKey(named, Text.networkId)],
    [MatchRung.approvalCode, code >= 0, () => keys.approvalKey(code)],
    [MatchRung.rrn, textSize(named, Text.rrn) > 0, () => keys.rrnKey(named)],
  ];
  for (const [rung, isAsked, makeKey] of rungs) {
    if (!isAsked) continue;
    let sequence = 0;
    const root = ofChain(context, subject.cardSlot, (card) => {
      keys.forCard(card, NO_FINGERPRINT);
      makeKey();
      const best = bestAmong(context, subject, rung, card, amount);
      ({ sequence } = best);
      return best.root;
    });
    if (root > 0) return { root, sequence, rung };
    if (rung !== MatchRung.networkId) continue;
    const other = byNetworkIdOfOthers(context, subject, amount);
    if (other !== undefined) return other;
  }
  return walkCards(context, subject, amount);
}

/** The network id under the other cards of the account: those that replace this one before strangers, then the best of all. */
function byNetworkIdOfOthers(context: DecisionContext, subject: Subject, amount: number): Match | undefined {
  const { state, keys } = context;
  const { cards, accounts } = state;
  const { cardSlot, accountSlot } = subject;
  const rung = MatchRung.networkId;
  const family = familyOf(cards, cardSlot);
  let best: Match | undefined;
  let bestRank = -1;
  let newest = 0;
  let link = accounts.firstCard(accountSlot);
  for (let asked = 0; link > 0 && asked < CLEARING_ACCOUNT_CARDS_MAX; asked++) {
    const card = link - 1;
    link = cards.nextOfAccount(card);
    if (card === cardSlot) continue;
    keys.forCard(card, NO_FINGERPRINT).networkKey(named, Text.networkId);
    const { root, sequence, rank: ofCard } = bestAmong(context, subject, rung, card, amount);
    if (root === 0) continue;
    const isFamily = family.includes(card);
    const rank = ofCard + (isFamily ? RANKS : 0);
    if (rank < bestRank || (rank === bestRank && sequence < newest)) continue;
    best = { root, sequence, rung, otherCard: !isFamily };
    bestRank = rank;
    newest = sequence;
  }
  return best;
}

const NO_FINGERPRINT = [0, 0, 0];

function takeTexts({ input }: Subject): void {
  named.clear();
  named.setText(Text.networkId, input.networkId);
  named.setText(Text.approval, input.approvalCode);
  named.setText(Text.rrn, input.rrn);
  named.setText(Text.terminal, input.terminal);
  named.setText(Text.acceptor, input.acceptor);
}

/** Asks the card and then those that it replaces, until one answers with more than 0. */
function ofChain({ state }: DecisionContext, cardSlot: number, ask: (card: number) => number): number {
  let card = cardSlot;
  for (let asked = 0; card >= 0 && asked < CHAIN_CARDS_MAX; asked++) {
    const root = ask(card);
    if (root > 0) return root;
    card = state.cards.replaces(card);
  }
  return 0;
}

/** The best authorization under the key last made, by `rankOf` and then the newest: its root (0 for none), and the record itself. */
function bestAmong(
  context: DecisionContext,
  subject: Subject,
  rung: MatchRung,
  card: number,
  amount: number,
): { root: number; sequence: number; rank: number } {
  const { history, keys } = context;
  const found = history.find(keys.high, keys.low);
  const { count } = found;
  let { sequences } = found;
  const best = { root: 0, sequence: 0, rank: -1 };
  for (let i = count - 1; i >= 0; i--) {
    const sequence = sequences[i]!;
    if (!history.isMessage(sequence)) continue;
    let event = history.read(sequence);
    if (event.cardSlot !== card || !isPayment(subject, event) || !confirms(rung, subject, event)) continue;
    if (rootOf(event) <= history.floor) continue;
    if (!isInTime(context.state, subject, event)) {
      // Another look-up, which takes the place of this one.
      sequences = sequences.slice(0, count);
      if (!endedOfLate(context, subject, rootOf(event))) continue;
      event = history.read(sequence);
    }
    const rank = rankOf(context, subject, event, amount);
    if (rank <= best.rank) continue;
    best.root = event.originalSequence > 0 ? event.originalSequence : sequence;
    best.sequence = sequence;
    best.rank = rank;
  }
  return best;
}

/** An approved payment, or announced credit, in the direction of the record. */
function isPayment(subject: Subject, event: MessageEvent): boolean {
  switch (event.element) {
    case ElementKind.authorization:
    case ElementKind.refundAuthorization:
    case ElementKind.increment:
    case ElementKind.replacement:
    case ElementKind.advice:
    case ElementKind.completion:
      break;
    default:
      return false;
  }
  if (!approves(event)) return false;
  return (sortOf(event.input) === Sort.credit) === (subject.sort === ClearingSort.credit);
}

function confirms(rung: MatchRung, { input }: Subject, event: MessageEvent): boolean {
  const past = event.input;
  switch (rung) {
    case MatchRung.networkId:
      return sameText(named, Text.networkId, past, Text.networkId);
    case MatchRung.approvalCode:
      return (
        approvalCodeOf(named, Text.approval) === event.approvalCode &&
        input.currency === past.currency &&
        isNear(input.localDay, event.timeMs)
      );
    case MatchRung.rrn:
      return sameText(named, Text.rrn, past, Text.rrn) && (isSame(past, Text.terminal) || isSame(past, Text.acceptor));
    default:
      return false;
  }
}

/** Equal and there. */
const isSame = (past: MessageInput, which: Text): boolean =>
  textSize(named, which) > 0 && sameText(named, which, past, which);

/** The day of a transaction is that of its authorization, or later: a hotel's is the day when the guest leaves. */
function isNear(localDay: number, timeMs: number): boolean {
  if (localDay < 0) return true;
  const days = localDay - Math.floor(timeMs / DAY_MS);
  return days >= 0 - CLEARING_DAYS_BEFORE_MAX && days <= CLEARING_DAYS_AFTER_MAX;
}

/** Ranks run from 0 to this less one. */
const RANKS = 8;

/** Something left on the hold weighs most, then the amount, then a hold at all; the newest wins among equals. */
function rankOf({ state }: DecisionContext, subject: Subject, event: MessageEvent, amount: number): number {
  const { holds } = state;
  const slot = holds.find(rootOf(event));
  const isOpen = slot >= 0 && (holds.remaining(slot) > 0 || subject.sort === ClearingSort.credit);
  const isEqual = hasAmount(state, subject, event, amount) || (slot >= 0 && holds.remaining(slot) === amount);
  return (isOpen ? 4 : 0) + (isEqual ? 2 : 0) + (slot >= 0 ? 1 : 0);
}

/** The amount of the merchant, or what was approved of it in the account's currency: of a partial approval the merchant presents that. */
function hasAmount(state: ShardState, { input, accountSlot }: Subject, event: MessageEvent, amount: number): boolean {
  const past = event.input;
  if (past.amount === input.amount && past.currency === input.currency) return true;
  const approved = event.approvedAmount;
  return (approved > 0 ? approved : billedAmount(past, state.accounts.currency(accountSlot))) === amount;
}

/**
 * What no key finds: the RRN with the merchant, where the terminal is another one, and the last rung, merchant and amount of an
 * open hold. Walks the newest records of the card, and only while it can have an open hold.
 */
function walkCards(context: DecisionContext, subject: Subject, amount: number): Match {
  const none = { root: 0, sequence: 0, rung: MatchRung.none };
  const { state } = context;
  if (textSize(named, Text.acceptor) === 0) return none;
  if (subject.sort !== ClearingSort.credit && state.accounts.held(subject.accountSlot) === 0) return none;
  let byAmount = 0;
  const byRrn = ofChain(context, subject.cardSlot, (card) => {
    const found = walkCard(context, subject, card, amount);
    if (byAmount === 0) byAmount = found.byAmount;
    return found.byRrn;
  });
  if (byRrn > 0) return { root: byRrn, sequence: 0, rung: MatchRung.rrn };
  return byAmount > 0 ? { root: byAmount, sequence: 0, rung: MatchRung.amount } : none;
}

function walkCard(
  context: DecisionContext,
  subject: Subject,
  card: number,
  amount: number,
): { byRrn: number; byAmount: number } {
  const { state, history } = context;
  const found = { byRrn: 0, byAmount: 0 };
  let sequence = state.cards.newest(card);
  for (let steps = 0; sequence > history.floor && steps < CLEARING_WALK_RECORDS_MAX; steps++) {
    const plain = history.readEvent(sequence);
    if (plain !== undefined) {
      sequence = 'previousOfCard' in plain ? plain.previousOfCard : 0;
      continue;
    }
    const event = history.read(sequence);
    const root = rootOf(event);
    const previous = event.previousOfCard;
    if (root > history.floor && isPayment(subject, event) && isSame(event.input, Text.acceptor)) {
      const inTime = isInTime(state, subject, event);
      const isNamed = textSize(named, Text.rrn) > 0 && sameText(named, Text.rrn, event.input, Text.rrn);
      if (isNamed && (inTime || endedOfLate(context, subject, root))) return { ...found, byRrn: root };
      const slot = inTime ? state.holds.find(root) : -1;
      const fits = slot >= 0 && (hasAmount(state, subject, event, amount) || state.holds.remaining(slot) === amount);
      const isOpen = fits && (state.holds.remaining(slot) > 0 || subject.sort === ClearingSort.credit);
      if (isOpen && found.byAmount === 0) found.byAmount = root;
    }
    sequence = previous;
  }
  return found;
}
