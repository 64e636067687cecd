/**
 * What the records of one authorization add up to: a fold over the decision and its elements, oldest first, that uses only
 * what each record did (change of the hold, legs), never today's rules.
 *
 * What stands for the cardholder is always the sum of four parts: what is held, what single messages and clearing records posted
 * as a charge, what they posted as a credit, and what a refund authorization announces. Each record moves that sum, and the total that the move
 * counts in follows from the kind of the record. So at any time, with `announced` for refunds that wait to be posted:
 *
 *   authorized + incremented - reversed - expired = held + cleared + refunded + announced
 */
import { ElementKind, EventKind } from '../domain/codes.js';
import type { MessageEvent, PlainEvent } from '../domain/events.js';
import { HoldFlag } from '../domain/hold-table.js';
import { Postings } from '../domain/ledger/postings.js';
import { approves } from '../domain/originals.js';
import { Standing } from '../domain/standing.js';

/** All in minor units of the account's currency, none below zero. */
export interface Totals {
  /** What was approved first: by us, or by the network when it approved what we had declined. */
  authorized: number;
  /** What later messages added: increments, replacements and advices that name more than stood. */
  incremented: number;
  /** What was taken back by reversals, roll-backs, and by replacements and advices that name less than stood. */
  reversed: number;
  /** What holds or announced refunds released at their end. */
  expired: number;
  /** What stands posted as a charge. */
  cleared: number;
  /** What stands posted as a credit. */
  refunded: number;
  held: number;
}

export const authorizationStatuses = [
  'pending',
  'declined',
  'reversed',
  'expired',
  'cleared',
  'partially_cleared',
  'completed',
] as const;
export type AuthorizationStatus = (typeof authorizationStatuses)[number];

/** A record as far as the fold looks at it. */
export interface ElementRecord {
  readonly sequence: number;
  readonly message?: MessageEvent;
  readonly event?: PlainEvent;
}

/** What one record did to its authorization: everything that stands, and the held part of it, before and after. */
export interface ElementEffect {
  readonly standingBefore: number;
  readonly standingAfter: number;
  readonly heldBefore: number;
  readonly heldAfter: number;
}

export interface Folded {
  readonly totals: Totals;
  readonly status: AuthorizationStatus;
  /** True when we approved it, or the network did. */
  readonly approved: boolean;
  /** By sequence. */
  readonly effects: ReadonlyMap<number, ElementEffect>;
}

/** Change of the account's held amount by a record, minor units. */
export function holdChangeOf({ message, event }: ElementRecord): number {
  if (message !== undefined) return message.holdDelta;
  switch (event?.kind) {
    case EventKind.notDelivered:
    case EventKind.holdExpired:
    case EventKind.clearingPosted:
      return event.holdDelta;
    default:
      return 0;
  }
}

/** Ledger legs of a record; none of most. */
export function legsOf({ message, event }: ElementRecord): { glAccount: number; amount: number }[] {
  if (message !== undefined) return message.postings.toList();
  if (event?.kind === EventKind.clearingPosted) return event.legs;
  return event?.kind === EventKind.notDelivered ? event.postings : [];
}

/** Legs of a single message, or of its roll-back. */
const messageLegsOf = (record: ElementRecord): { glAccount: number; amount: number }[] =>
  record.event?.kind === EventKind.clearingPosted ? [] : legsOf(record);

/** What a clearing record charged (negative: gave) the cardholder, minor units of the account's currency. */
const clearedBy = ({ event }: ElementRecord): number => (event?.kind === EventKind.clearingPosted ? event.posted : 0);

const DECLINED_FOR_US = 'D'.charCodeAt(0);

const isReversal = ({ message, event }: ElementRecord): boolean =>
  message?.element === ElementKind.reversal || event?.kind === EventKind.notDelivered;

/** Folds the decision about an authorization and its elements, which follow in the order of their sequences. */
export function foldElements(
  root: ElementRecord & { readonly message: MessageEvent },
  elements: readonly ElementRecord[],
): Folded {
  const totals: Totals = { authorized: 0, incremented: 0, reversed: 0, expired: 0, cleared: 0, refunded: 0, held: 0 };
  const effects = new Map<number, ElementEffect>();
  const posted = new Standing().clear();
  const legs = new Postings();
  let cleared = 0;
  let announced = 0;
  let endedBy: AuthorizationStatus = 'reversed';
  for (const record of [root, ...elements]) {
    const heldBefore = totals.held;
    const standingBefore = heldBefore + Math.abs(cleared - posted.network) + announced;
    totals.held += holdChangeOf(record);
    cleared += clearedBy(record);
    posted.addLegs(legs.setAll(messageLegsOf(record)));
    announced = announcedAfter(record, announced);
    const standingAfter = totals.held + Math.abs(cleared - posted.network) + announced;
    effects.set(record.sequence, { standingBefore, standingAfter, heldBefore, heldAfter: totals.held });
    const change = standingAfter - standingBefore;
    // What we declined and the network approved was authorized by the network.
    if (change > 0) totals[totals.authorized === 0 ? 'authorized' : 'incremented'] += change;
    if (change >= 0) continue;
    endedBy = record.event?.kind === EventKind.holdExpired ? 'expired' : 'reversed';
    totals[endedBy] -= change;
  }
  totals.cleared = Math.max(0, cleared - posted.network);
  totals.refunded = Math.max(0, posted.network - cleared);
  const approved = approves(root.message) || totals.authorized > 0;
  const open = totals.held + announced > 0;
  return { totals, approved, effects, status: statusOf(root.message, elements, totals, open, approved, endedBy) };
}

/** What a record did by itself, as far as it tells: what a refund had announced before it is not in it. */
export function effectAlone(record: ElementRecord): ElementEffect {
  const held = holdChangeOf(record);
  const posted = new Standing().clear();
  posted.addLegs(new Postings().setAll(messageLegsOf(record)));
  const standingAfter = held + Math.abs(clearedBy(record) - posted.network);
  return { standingBefore: 0, standingAfter, heldBefore: 0, heldAfter: held };
}

/** What a refund authorization announces after the record; it stays for as long as its row is open. */
function announcedAfter({ message, event }: ElementRecord, announced: number): number {
  if (message !== undefined && (message.holdFlags & HoldFlag.refund) !== 0) return message.authorizedAfter;
  if (announced === 0) return 0;
  if (message !== undefined) return message.authorizedAfter;
  const says = event?.kind === EventKind.notDelivered || event?.kind === EventKind.clearingPosted;
  return says ? event.authorizedAfter : 0;
}

function statusOf(
  message: MessageEvent,
  elements: readonly ElementRecord[],
  totals: Totals,
  open: boolean,
  approved: boolean,
  endedBy: AuthorizationStatus,
): AuthorizationStatus {
  if (totals.authorized === 0) {
    if (approved) return elements.some(isReversal) ? 'reversed' : 'completed';
    // An advice that was only recorded: the network declined for us, or there is nothing that it could change.
    const declined = message.element !== ElementKind.advice || message.input.adviceReason === DECLINED_FOR_US;
    return declined ? 'declined' : 'completed';
  }
  if (totals.cleared + totals.refunded > 0) return open ? 'partially_cleared' : 'cleared';
  return open ? 'pending' : endedBy;
}
