/**
 * Which journal records are events of the feed, and what they are called. A record belongs to an account (or to a message that
 * found none) and has exactly one type; what belongs to no account (programs, counts, keys) is no event.
 * docs/reference/events.md says what each means; a test holds the two lists against each other.
 */
import { ClearingSort, IN_SUSPENSE } from '../../domain/clearing/codes.js';
import { ElementKind, EventKind } from '../../domain/codes.js';
import type { ClearingPosted, MessageEvent, PlainEvent } from '../../domain/events.js';
import { isApproval } from '../../domain/lookups.js';
import { classOf } from '../../domain/message.js';

export const eventTypes = [
  'account.created',
  'account.updated',
  'account.controls_updated',
  'authorization.advised',
  'authorization.approved',
  'authorization.completed',
  'authorization.declined',
  'authorization.expired',
  'authorization.increment_declined',
  'authorization.incremented',
  'authorization.not_delivered',
  'authorization.replaced',
  'authorization.replacement_declined',
  'authorization.reversed',
  'balance_inquiry.approved',
  'balance_inquiry.declined',
  'card.controls_updated',
  'card.created',
  'card.listed',
  'card.token_created',
  'card.token_updated',
  'card.updated',
  'entry.posted',
  'message.refused',
  'payment.posted',
  'refund.approved',
  'refund.cleared',
  'refund.clearing_reversed',
  'refund.declined',
  'reversal.unmatched',
  'statement.closed',
  'transaction.advised',
  'transaction.cleared',
  'transaction.clearing_reversed',
  'transaction.completed',
  'transaction.declined',
  'transaction.posted',
  'transaction.presented_again',
  'transaction.suspended',
  'verification.approved',
  'verification.declined',
] as const;
export type EventType = (typeof eventTypes)[number];

/** Type of a record of a message. */
export function messageType(message: MessageEvent): EventType {
  const approved = isApproval(message.response);
  const posts = classOf(message.input.mti) === 2;
  switch (message.element) {
    case ElementKind.authorization:
      if (posts) return approved ? 'transaction.posted' : 'transaction.declined';
      return approved ? 'authorization.approved' : 'authorization.declined';
    case ElementKind.verification:
      return approved ? 'verification.approved' : 'verification.declined';
    case ElementKind.balanceInquiry:
      return approved ? 'balance_inquiry.approved' : 'balance_inquiry.declined';
    case ElementKind.increment:
      return approved ? 'authorization.incremented' : 'authorization.increment_declined';
    case ElementKind.replacement:
      return approved ? 'authorization.replaced' : 'authorization.replacement_declined';
    case ElementKind.refundAuthorization:
      return approved ? 'refund.approved' : 'refund.declined';
    case ElementKind.refused:
      return 'message.refused';
    default:
      return approved ? networkType(message, posts) : 'message.refused';
  }
}

/** What the network tells instead of asking. */
function networkType({ element, originalSequence }: MessageEvent, posts: boolean): EventType {
  switch (element) {
    case ElementKind.advice:
      return posts ? 'transaction.advised' : 'authorization.advised';
    case ElementKind.completion:
      return posts ? 'transaction.completed' : 'authorization.completed';
    case ElementKind.fileUpdate:
      return 'card.listed';
    default:
      return originalSequence > 0 ? 'authorization.reversed' : 'reversal.unmatched';
  }
}

/** Type of any other record; undefined for what is no event of an account. `isToken`: its card is a network token. */
export function plainType(event: PlainEvent, isToken: boolean): EventType | undefined {
  switch (event.kind) {
    case EventKind.accountCreated:
      return 'account.created';
    case EventKind.accountUpdated:
      return 'account.updated';
    case EventKind.cardCreated:
      return isToken ? 'card.token_created' : 'card.created';
    case EventKind.cardUpdated:
      return isToken ? 'card.token_updated' : 'card.updated';
    case EventKind.controlsSet:
      return event.cardSlot < 0 ? 'account.controls_updated' : 'card.controls_updated';
    case EventKind.payment:
      return 'payment.posted';
    case EventKind.entryPosted:
      return event.accountSlot < 0 ? undefined : 'entry.posted';
    case EventKind.clearingPosted:
      return event.accountSlot < 0 ? undefined : clearingType(event);
    case EventKind.statementClosed:
      return 'statement.closed';
    case EventKind.notDelivered:
      return 'authorization.not_delivered';
    case EventKind.holdExpired:
      return 'authorization.expired';
    case EventKind.pinReferenceSet:
    case EventKind.fingerprintChanged:
    case EventKind.poison:
    case EventKind.unknownCardCount:
    case EventKind.idempotency:
    case EventKind.programApplied:
    case EventKind.totalsCompared:
    case EventKind.accrualMarked:
      return undefined;
  }
}

/** Type of a record of a clearing file about an account. */
function clearingType({ sort, flags, input }: ClearingPosted): EventType {
  if ((flags & IN_SUSPENSE) !== 0) return 'transaction.suspended';
  const takesBack = input.reversal === 1;
  if (sort === ClearingSort.credit) return takesBack ? 'refund.clearing_reversed' : 'refund.cleared';
  if (takesBack) return 'transaction.clearing_reversed';
  return sort === ClearingSort.secondPresentment ? 'transaction.presented_again' : 'transaction.cleared';
}
