/**
 * A journal record as an event of the API. Everything in it comes from the record and from what never changes about its account
 * and card, so an event has the same contents whenever it is read: what is delivered twice is the same twice.
 */
import { AccountStatus, AccountType, EventKind } from '../../domain/codes.js';
import type {
  CardCreated,
  ControlsSet,
  EntryPosted,
  MessageEvent,
  PaymentPosted,
  PlainEvent,
} from '../../domain/events.js';
import { postedChange } from '../../domain/ledger/chart.js';
import { EntryKind } from '../../domain/ledger/entry-kinds.js';
import { asDecided, asRecorded, authorizationObject, elementObject, ownerOf } from '../authorizations.js';
import { clearingObject } from '../clearing-object.js';
import type { ControlContext } from '../context.js';
import { currencyCode } from '../currencies.js';
import type { JournalRecord } from '../history.js';
import { eventId } from '../ids.js';
import { legObjects } from '../legs.js';
import type { AccountParty } from '../parties.js';
import { statementHead } from '../statements.js';
import { aliasObject, cardObject, codeName, time } from '../views.js';
import { type EventType, messageType, plainType } from './event-types.js';

export interface FeedEvent {
  readonly object: 'event';
  readonly id: string;
  readonly type: EventType;
  readonly account: string | null;
  readonly card: string | null;
  readonly sequence: number;
  readonly created_at: string;
  readonly data: Record<string, unknown>;
}

/** Slot of the account that the record belongs to; -1 when it belongs to none. */
export function accountSlotOf({ message, event }: JournalRecord): number {
  if (message !== undefined) return message.accountSlot;
  return event !== undefined && 'accountSlot' in event ? event.accountSlot : -1;
}

/** True when everything about the record's account and card is at hand; else it is noted as missing (parties.ts). */
export function isKnown({ parties }: ControlContext, record: JournalRecord): boolean {
  const { shard, event } = record;
  const slot = accountSlotOf(record);
  const account = slot < 0 || parties.account(shard, slot) !== undefined;
  const card = event?.kind !== EventKind.cardUpdated || parties.card(shard, event.cardSlot) !== undefined;
  return account && card;
}

/** Type of a known record; undefined when it is no event. */
export function typeOf({ parties }: ControlContext, { shard, message, event }: JournalRecord): EventType | undefined {
  return message !== undefined ? messageType(message) : plainType(event!, isToken(parties, shard, event!));
}

/** The event of a known record. */
export function eventObject(context: ControlContext, record: JournalRecord, type: EventType): FeedEvent {
  const { shard, sequence, timeMs, message, event } = record;
  const slot = accountSlotOf(record);
  const cardSlot = cardSlotOf(record);
  const account = slot < 0 ? undefined : context.parties.account(shard, slot);
  return {
    object: 'event',
    id: context.ids.encode('evt', shard, sequence),
    type,
    account: account?.id ?? null,
    card: cardSlot < 0 ? null : context.ids.encode('card', shard, cardSlot),
    sequence,
    created_at: time(timeMs),
    data:
      message !== undefined
        ? messageData(context, { ...record, message }, account)
        : plainData(context, record, event!, account!),
  };
}

function cardSlotOf({ message, event }: JournalRecord): number {
  if (message !== undefined) return message.cardSlot;
  return event !== undefined && 'cardSlot' in event ? event.cardSlot : -1;
}

function isToken(parties: ControlContext['parties'], shard: number, event: PlainEvent): boolean {
  if (event.kind === EventKind.cardCreated) return event.aliasOfSlot >= 0;
  return event.kind === EventKind.cardUpdated && parties.card(shard, event.cardSlot)!.aliasOfSlot >= 0;
}

/** A decision that stands by itself is an authorization as it was decided, anything later is an element of one. */
function messageData(
  context: ControlContext,
  record: JournalRecord & { message: MessageEvent },
  account: AccountParty | undefined,
): Record<string, unknown> {
  const { originalSequence, authorizedAfter } = record.message;
  if (originalSequence === 0)
    return authorizationObject(context, asDecided(record, account && ownerOf(context, account)));
  return elementData(context, record, account, originalSequence, authorizedAfter);
}

function elementData(
  context: ControlContext,
  record: JournalRecord,
  account: AccountParty | undefined,
  authorization: number,
  authorizedAfter: number,
): Record<string, unknown> {
  return {
    ...elementObject(context, asRecorded(record, account && ownerOf(context, account)), record),
    authorization: context.ids.encode('auth', record.shard, authorization),
    authorized_after: authorizedAfter,
  };
}

function plainData(
  context: ControlContext,
  record: JournalRecord,
  event: PlainEvent,
  account: AccountParty,
): Record<string, unknown> {
  const { shard } = record;
  switch (event.kind) {
    case EventKind.accountCreated:
      return accountData(context, account, event.creditLimit, AccountStatus.open);
    case EventKind.accountUpdated:
      return accountData(context, account, event.creditLimit, event.status);
    case EventKind.cardCreated:
      return cardData(context, shard, createdCard(event, account, record.timeMs));
    case EventKind.cardUpdated:
      return cardData(context, shard, { ...context.parties.card(shard, event.cardSlot)!, status: event.status });
    case EventKind.controlsSet:
      return controlsData(context, shard, event, account);
    case EventKind.payment:
      return paymentData(context, record, event, account);
    case EventKind.entryPosted:
      return entryData(context, record, event, account);
    case EventKind.clearingPosted:
      return clearingObject(context, shard, event, account);
    case EventKind.statementClosed:
      return statementHead(context, record, event, account);
    case EventKind.notDelivered:
      return elementData(context, record, account, event.authorizationSequence, event.authorizedAfter);
    case EventKind.holdExpired:
      return elementData(context, record, account, event.originalSequence, event.authorizedAfter);
    default:
      throw new TypeError(`record of kind ${codeName(EventKind, event.kind)} is no event`);
  }
}

/** An account without its balances, which the record does not know. */
function accountData(
  context: ControlContext,
  { id, program, currency, type, createdMs }: AccountParty,
  creditLimit: number,
  status: number,
): Record<string, unknown> {
  return {
    object: 'account',
    id,
    program: context.system.programAt(program)?.program.id ?? `program_${program}`,
    currency: currencyCode(currency),
    credit_limit: creditLimit,
    type: codeName(AccountType, type),
    status: codeName(AccountStatus, status),
    created_at: time(createdMs),
  };
}

type CardParts = Parameters<typeof cardObject>[2];

/**
 * A card without its controls and the network's listing, which have events of their own, and without what the program makes of its
 * PIN tries. Its status is the one that was set.
 */
function cardData(
  context: ControlContext,
  shard: number,
  { controls: _controls, ...view }: CardParts,
): Record<string, unknown> {
  if (view.aliasOfSlot >= 0) {
    const { network_listing: _listing, ...alias } = aliasObject(context, shard, view);
    return alias;
  }
  const { pin: _pin, network_listing: _listing, ...card } = cardObject(context, shard, view);
  return card;
}

function createdCard(event: CardCreated, account: AccountParty, createdMs: number): CardParts {
  const { cardSlot: slot, fingerprint, bin, last4, panLength, expiry, cardSequence, serviceCode, status } = event;
  const { replacesSlot, aliasOfSlot, sequence: newestSequence } = event;
  const own = {
    slot,
    account: account.id,
    program: account.program,
    fingerprint,
    bin,
    last4,
    panLength,
    expiry,
    cardSequence,
    serviceCode,
  };
  return {
    ...own,
    status,
    listing: 0,
    replacesSlot,
    aliasOfSlot,
    pinTries: 0,
    pinSet: false,
    controlsSequence: 0,
    createdMs,
    newestSequence,
  };
}

function controlsData(
  context: ControlContext,
  shard: number,
  event: ControlsSet,
  account: AccountParty,
): Record<string, unknown> {
  return {
    object: 'controls',
    account: account.id,
    card: event.cardSlot < 0 ? null : context.ids.encode('card', shard, event.cardSlot),
    controls: event.text === '' ? null : (JSON.parse(event.text) as unknown),
  };
}

function entryData(
  context: ControlContext,
  { shard, sequence }: JournalRecord,
  { entry, legs, reference }: EntryPosted,
  account: AccountParty,
): Record<string, unknown> {
  return {
    object: 'entry',
    id: eventId(context, 'entry', shard, sequence),
    account: account.id,
    type: codeName(EntryKind, entry),
    amount: postedChange(legs),
    currency: currencyCode(account.currency),
    reference,
    postings: legObjects(legs),
  };
}

function paymentData(
  context: ControlContext,
  { shard, sequence }: JournalRecord,
  { amount, currency, reference }: PaymentPosted,
  account: AccountParty,
): Record<string, unknown> {
  return {
    object: 'payment',
    id: eventId(context, 'pay', shard, sequence),
    account: account.id,
    amount,
    currency: currencyCode(currency),
    reference,
  };
}
