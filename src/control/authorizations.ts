/**
 * An authorization as the API shows it: the record of its decision, the elements that came later (increments, advices,
 * reversals, roll-backs, the end of its hold, clearing records), and totals and status *derived* from them. Nothing here is stored: the journal
 * is the only source.
 */
import { approvalCodeText } from '../domain/approval-code.js';
import { transmissionMs } from '../domain/calendar.js';
import { CardStatus, ElementKind, EventKind, responseText } from '../domain/codes.js';
import type { MessageEvent } from '../domain/events.js';
import { ABSENT, Text } from '../domain/message.js';
import { ELEMENTS_SHOWN_MAX } from '../limits.js';
import { effectAlone, type Folded, foldElements, holdChangeOf, legsOf } from './authorization-totals.js';
import { clearingPlace, clearingType } from './clearing-object.js';
import type { ControlContext } from './context.js';
import { currencyCode } from './currencies.js';
import { catchUp, isRecorded, type JournalRecord, readRecord } from './history.js';
import { eventId, eventPlace } from './ids.js';
import { legObjects } from './legs.js';
import { declineReason } from './matched-rules.js';
import type { AccountParty } from './parties.js';
import { codeName, refused, time } from './views.js';

/** A record of a message. */
export type MessageRecord = JournalRecord & { readonly message: MessageEvent };

export function isMessage(record: JournalRecord): record is MessageRecord {
  return record.message !== undefined;
}

/**
 * A record that stands by itself: every decision about a message that is no element of an earlier one. A reversal or an
 * advice whose original is unknown and a message that was refused have nothing else that would show them.
 */
export function isAuthorization(record: JournalRecord): record is MessageRecord {
  return isMessage(record) && record.message.originalSequence === 0;
}

/** Sequence of the authorization that an element belongs to; 0 for none. */
export function originalOf({ message, event }: JournalRecord): number {
  if (message !== undefined) return message.originalSequence;
  if (event?.kind === EventKind.notDelivered) return event.authorizationSequence;
  const isElement = event?.kind === EventKind.holdExpired || event?.kind === EventKind.clearingPosted;
  return isElement ? event.originalSequence : 0;
}

export interface AuthorizationDetails extends Folded {
  readonly record: MessageRecord;
  readonly owner: Owner | undefined;
  readonly elements: readonly JournalRecord[];
  readonly hold: Hold;
}

interface Hold {
  remaining: number;
  expiresMs: number;
}

const NO_HOLD: Hold = { remaining: 0, expiresMs: 0 };

/** Account, its currency (ISO 4217 numeric) and the id of its program. */
export interface Owner {
  readonly id: string;
  readonly currency: number;
  readonly program: string | undefined;
}

/** An account as the objects of authorizations show it. */
export function ownerOf({ system }: ControlContext, { id, currency, program }: AccountParty): Owner {
  return { id, currency, program: system.programAt(program)?.program.id };
}

async function ownerAt(context: ControlContext, shard: number, slot: number): Promise<Owner | undefined> {
  return slot < 0 ? undefined : ownerOf(context, await context.parties.accountAt(shard, slot));
}

/** Everything about one authorization. */
export async function assemble(context: ControlContext, record: MessageRecord): Promise<AuthorizationDetails> {
  const owner = await ownerAt(context, record.shard, record.message.accountSlot);
  if (hasNoElements(record.message)) return { record, owner, elements: [], hold: NO_HOLD, ...foldElements(record, []) };
  // Elements and hold are two reads: one more look settles what happened in between.
  for (let attempt = 0; ; attempt++) {
    const elements = await readElements(context, record);
    const folded = foldElements(record, elements);
    const hold = folded.totals.held > 0 ? await readHold(context, record) : NO_HOLD;
    if (hold.remaining === folded.totals.held || attempt === 2) return { record, owner, elements, hold, ...folded };
  }
}

/** An authorization as its own record has it, before anything else happened to it. */
export function asDecided(record: MessageRecord, owner: AuthorizationDetails['owner']): AuthorizationDetails {
  const { holdDelta, holdExpiresMs } = record.message;
  const hold = { remaining: Math.max(0, holdDelta), expiresMs: holdExpiresMs };
  return { record, owner, elements: [], hold, ...foldElements(record, []) };
}

/** What is needed to show an element: whose it is, and what it did. */
export type ElementContext = Pick<AuthorizationDetails, 'owner' | 'effects'>;

/** The same for an element that is looked at by itself. */
export function asRecorded(record: JournalRecord, owner: AuthorizationDetails['owner']): ElementContext {
  return { owner, effects: new Map([[record.sequence, effectAlone(record)]]) };
}

/** A record, and the authorization that it stands for or belongs to. */
export interface FoundRecord {
  record: JournalRecord;
  details: AuthorizationDetails;
}

/** The record behind the id of an authorization or of one of its elements; undefined when there is none. */
export async function findRecord(context: ControlContext, id: string): Promise<FoundRecord | undefined> {
  const place = context.ids.decode('auth', id) ?? eventPlace(context, 'elem', id);
  if (place === undefined || place.shard >= context.shards.shards || place.number < 1) return undefined;
  return recordAt(context, place.shard, place.number);
}

/** The record at a sequence, with its authorization; undefined when it is of another kind or not there. */
export async function recordAt(
  context: ControlContext,
  shard: number,
  sequence: number,
): Promise<FoundRecord | undefined> {
  const record = (await isRecorded(context, shard, sequence)) ? readRecord(context, shard, sequence) : undefined;
  if (record === undefined) return undefined;
  const original = originalOf(record);
  const root = original > 0 ? readRecord(context, shard, original) : record;
  if (root === undefined || !isAuthorization(root)) return undefined;
  return { record, details: await assemble(context, root) };
}

/** True for what no later message can name. */
function hasNoElements({ element }: MessageEvent): boolean {
  return element === ElementKind.refused || element === ElementKind.reversal || element === ElementKind.fileUpdate;
}

async function readHold(context: ControlContext, record: JournalRecord): Promise<Hold> {
  const result = await context.shards.read(record.shard, { op: 'hold', sequence: record.sequence });
  if (!result.ok) throw refused(result);
  if (!('remaining' in result)) throw new TypeError('the shard answered no hold');
  return { remaining: result.remaining, expiresMs: result.expiresMs };
}

/** Elements of an authorization, oldest first. */
async function readElements(context: ControlContext, { shard, sequence }: JournalRecord): Promise<JournalRecord[]> {
  const { high, low } = context.search.elements(sequence);
  const result = await context.shards.read(shard, { op: 'index', high, low, limit: ELEMENTS_SHOWN_MAX });
  if (!result.ok) throw refused(result);
  if (!('sequences' in result)) throw new TypeError('the shard answered no sequences');
  const found = [...new Set(result.sequences)].sort((a, b) => a - b);
  const newest = found.at(-1);
  if (newest === undefined) return [];
  await catchUp(context, shard, newest);
  const elements: JournalRecord[] = [];
  for (const at of found) {
    const element = readRecord(context, shard, at);
    // The index answers candidates: the record decides.
    if (element !== undefined && originalOf(element) === sequence) elements.push(element);
  }
  return elements;
}

export function authorizationObject(context: ControlContext, details: AuthorizationDetails): Record<string, unknown> {
  const { record, owner, totals, hold } = details;
  const { message, shard } = record;
  const { input } = message;
  const currency = owner?.currency ?? (input.currency === ABSENT ? undefined : input.currency);
  return {
    object: 'authorization',
    id: context.ids.encode('auth', shard, record.sequence),
    account: owner?.id ?? null,
    card: message.cardSlot < 0 ? null : context.ids.encode('card', shard, message.cardSlot),
    token: message.tokenSlot < 0 ? null : context.ids.encode('alias', shard, message.tokenSlot),
    type: codeName(ElementKind, message.element),
    status: details.status,
    approved: details.approved,
    amount: requestedAmount(message, currency),
    approved_amount: message.approvedAmount,
    currency: currency === undefined ? null : currencyCode(currency),
    merchant_amount: input.amount === ABSENT ? null : input.amount,
    merchant_currency: input.currency === ABSENT ? null : currencyCode(input.currency),
    response_code: responseText(message.response),
    decline_reason: declineReason(context, message, owner?.program),
    approval_code: approvalCode(message),
    hold: hold.remaining > 0 ? { remaining: hold.remaining, expires_at: time(hold.expiresMs) } : null,
    totals,
    merchant: {
      name: orNull(input.textOf(Text.acceptorName)),
      id: orNull(input.textOf(Text.acceptor)),
      terminal: orNull(input.textOf(Text.terminal)),
      mcc: digits(input.mcc, 4),
      country: digits(input.country, 3),
    },
    network: {
      mti: digits(input.mti, 4),
      processing_code: digits(input.processingCode, 6),
      rrn: orNull(input.textOf(Text.rrn)),
      stan: digits(input.stan, 6),
      transaction_id: orNull(input.textOf(Text.networkId)),
      acquirer: orNull(input.textOf(Text.acquirer)),
      transmission: digits(input.transmission, 10),
      transmitted_at: transmittedAt(message),
      entry_mode: digits(input.entryMode, 3),
    },
    elements: [record, ...details.elements].map((element) => elementObject(context, details, element)),
    created_at: time(message.timeMs),
  };
}

/** One record of an authorization, and what it did. */
export function elementObject(
  context: ControlContext,
  details: ElementContext,
  element: JournalRecord,
): Record<string, unknown> {
  const { message, event, shard, sequence } = element;
  const undone = undoneBy(element);
  const cleared = event?.kind === EventKind.clearingPosted ? event : undefined;
  return {
    object: 'authorization_element',
    id: eventId(context, 'elem', shard, sequence),
    type: elementType(element),
    mti: digits(message?.input.mti ?? cleared?.input.mti ?? ABSENT, 4),
    amount: elementAmount(details, element),
    hold_change: holdChangeOf(element),
    postings: legObjects(legsOf(element)),
    response_code: message === undefined ? null : responseText(message.response),
    decline_reason: message === undefined ? null : declineReason(context, message, details.owner?.program),
    approval_code: message === undefined ? null : approvalCode(message),
    advice_reason: message === undefined ? null : adviceReason(message),
    card_status: message === undefined || message.cardStatusAfter === 0 ? null : cardStatus(message),
    undoes: undone === 0 ? null : eventId(context, 'elem', shard, undone),
    rrn: message === undefined ? orNull(cleared?.input.rrn ?? '') : orNull(message.input.textOf(Text.rrn)),
    stan: message === undefined ? null : digits(message.input.stan, 6),
    clearing: cleared === undefined ? null : clearingPlace(context, shard, cleared),
    created_at: time(element.timeMs),
  };
}

function elementType({ message, event }: JournalRecord): string {
  if (message !== undefined) return codeName(ElementKind, message.element);
  if (event?.kind === EventKind.clearingPosted) return clearingType(event);
  return event?.kind === EventKind.holdExpired ? 'expiry' : 'not_delivered';
}

const cardStatus = (message: MessageEvent): string => codeName(CardStatus, message.cardStatusAfter);

/** Sequence of the element that a reversal or a roll-back takes back; 0 of all others. */
function undoneBy({ message, event }: JournalRecord): number {
  if (message?.element === ElementKind.reversal) return message.elementSequence || message.originalSequence;
  if (event?.kind === EventKind.clearingPosted) return event.input.reversal === 1 ? event.relatedSequence : 0;
  return event?.kind === EventKind.notDelivered ? event.originalSequence : 0;
}

/** What the message names, in the account's currency; of what takes back (reversal, roll-back, expiry) what it took. */
function elementAmount(details: ElementContext, { sequence, message, event }: JournalRecord): number | null {
  if (event?.kind === EventKind.clearingPosted) return Math.abs(event.posted);
  const takesBack = message === undefined || (message.element === ElementKind.reversal && message.originalSequence > 0);
  if (!takesBack) return requestedAmount(message, details.owner?.currency);
  const { standingBefore, standingAfter } = details.effects.get(sequence)!;
  return standingBefore - standingAfter;
}

const adviceReasons: Readonly<Record<string, string>> = {
  S: 'stand_in_approved',
  D: 'stand_in_declined',
  C: 'completion',
};

/** DE48 tag 84 in words; a letter that has none is shown as it is. */
function adviceReason({ input }: MessageEvent): string | null {
  if (input.adviceReason === 0) return null;
  const letter = String.fromCharCode(input.adviceReason);
  return adviceReasons[letter] ?? letter;
}

function approvalCode({ approvalCode: code }: MessageEvent): string | null {
  return code < 0 ? null : approvalCodeText(code);
}

/** What was asked for, in the currency of the account where the message says it. */
function requestedAmount(message: MessageEvent, accountCurrency: number | undefined): number | null {
  const { input } = message;
  if (input.currency === accountCurrency || input.billingCurrency !== accountCurrency)
    return input.amount === ABSENT ? null : input.amount;
  return input.billingAmount === ABSENT ? null : input.billingAmount;
}

function orNull(text: string): string | null {
  return text === '' ? null : text;
}

/** DE7 has no year: the one that puts it nearest to the decision is meant. */
function transmittedAt({ input, timeMs }: MessageEvent): string | null {
  const at = transmissionMs(input.transmission, timeMs);
  return at < 0 ? null : time(at);
}

function digits(value: number, width: number): string | null {
  return value === ABSENT ? null : String(value).padStart(width, '0');
}
