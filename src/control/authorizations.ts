/**
 * An authorization as the API shows it: the record of its decision, the elements that came later (reversals, roll-backs, the
 * expiry),
 * and totals and status *derived* from them. Nothing here is stored: the journal is the only source.
 */
import { transmissionMs } from '../domain/calendar.js';
import { ElementKind, EventKind, Reason, Response, responseText, Step, Verdict } from '../domain/codes.js';
import type { StageTimesView } from '../domain/commands.js';
import type { HoldExpired, MessageEvent, NotDelivered } from '../domain/events.js';
import { ABSENT, Carried, Text } from '../domain/message.js';
import { ELEMENTS_SHOWN_MAX } from '../limits.js';
import type { ControlContext } from './context.js';
import { currencyCode } from './currencies.js';
import { catchUp, headOf, type JournalRecord, readRecord } from './history.js';
import { eventId } from './ids.js';
import { codeName, refused, snakeCase, time } from './views.js';

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

/**
 * A record that stands by itself: every decision about a message, but not a reversal with an original, which is an element of
 * that. A reversal whose original is unknown and a message that was refused have nothing else that would show them.
 */
export function isAuthorization(record: JournalRecord): record is JournalRecord & { message: MessageEvent } {
  return record.message !== undefined && record.message.originalSequence === 0;
}

export function isApproved(message: MessageEvent): boolean {
  const { response } = message;
  return response === Response.approved || response === Response.partial || response === Response.verified;
}

export interface AuthorizationDetails {
  readonly record: JournalRecord & { message: MessageEvent };
  readonly owner: { id: string; currency: number } | undefined;
  readonly elements: readonly JournalRecord[];
  readonly hold: { remaining: number; expiresMs: number };
  readonly status: AuthorizationStatus;
  readonly totals: Totals;
}

interface Totals {
  authorized: number;
  incremented: number;
  reversed: number;
  expired: number;
  cleared: number;
  refunded: number;
  held: number;
}

/** Account and currency of a slot never change: remembered, the oldest forgotten first. */
const OWNERS_MAX = 10_000;
const owners = new WeakMap<ControlContext, Map<string, { id: string; currency: number }>>();

async function ownerOf(
  context: ControlContext,
  shard: number,
  slot: number,
): Promise<{ id: string; currency: number } | undefined> {
  if (slot < 0) return undefined;
  let known = owners.get(context);
  if (known === undefined) {
    known = new Map();
    owners.set(context, known);
  }
  const key = `${shard}/${slot}`;
  const hit = known.get(key);
  if (hit !== undefined) return hit;
  const result = await context.shards.read(shard, { op: 'account_slot', slot });
  if (!result.ok) throw refused(result.code);
  if (!('account' in result)) throw new TypeError('the shard answered no account');
  const owner = { id: result.account.id, currency: result.account.currency };
  known.set(key, owner);
  if (known.size > OWNERS_MAX) known.delete(known.keys().next().value!);
  return owner;
}

/** Everything about one authorization. */
export async function assemble(
  context: ControlContext,
  record: JournalRecord & { message: MessageEvent },
): Promise<AuthorizationDetails> {
  const owner = await ownerOf(context, record.shard, record.message.accountSlot);
  const { element, approvedAmount } = record.message;
  const nothingHeld = { remaining: 0, expiresMs: 0 };
  if (element === ElementKind.refused || element === ElementKind.reversal)
    return derive(record, owner, [], nothingHeld);
  // A verification or a decline holds nothing, but reversals of it are accepted and belong to it.
  if (!isApproved(record.message) || approvedAmount === 0)
    return derive(record, owner, await readElements(context, record), nothingHeld);
  // Hold and elements are two reads: a reversal in between shows as a difference, and one more look settles it.
  let details: AuthorizationDetails;
  for (let attempt = 0; ; attempt++) {
    const hold = await readHold(context, record);
    details = derive(record, owner, await readElements(context, record), hold);
    const { held, authorized, reversed, expired } = details.totals;
    const settled = held === 0 || held === authorized - reversed - expired;
    if (settled || attempt === 2) return details;
  }
}

async function readHold(
  context: ControlContext,
  record: JournalRecord,
): Promise<{ remaining: number; expiresMs: number }> {
  const result = await context.shards.read(record.shard, { op: 'hold', sequence: record.sequence });
  if (!result.ok) throw refused(result.code);
  if (!('remaining' in result)) throw new TypeError('the shard answered no hold');
  return { remaining: result.remaining, expiresMs: result.expiresMs };
}

async function readElements(context: ControlContext, record: JournalRecord): Promise<JournalRecord[]> {
  const { shard, sequence } = record;
  const { high, low } = context.search.elements(sequence);
  const result = await context.shards.read(shard, { op: 'index', high, low, limit: ELEMENTS_SHOWN_MAX });
  if (!result.ok) throw refused(result.code);
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

/** Sequence of the authorization that an element belongs to; 0 for none. */
export function originalOf(record: JournalRecord): number {
  if (record.message !== undefined) return record.message.originalSequence;
  return changeOfHold(record)?.originalSequence ?? 0;
}

function derive(
  record: JournalRecord & { message: MessageEvent },
  owner: AuthorizationDetails['owner'],
  elements: readonly JournalRecord[],
  hold: { remaining: number; expiresMs: number },
): AuthorizationDetails {
  const { message } = record;
  const authorized = message.approvedAmount;
  let reversed = 0;
  let expired = 0;
  for (const element of elements) {
    if (element.event?.kind === EventKind.holdExpired) expired -= element.event.holdDelta;
    else reversed -= holdDeltaOf(element);
  }
  const held = hold.remaining;
  const totals = { authorized, incremented: 0, reversed, expired, cleared: 0, refunded: 0, held };
  return { record, owner, elements, hold, totals, status: statusOf(message, elements.length, totals) };
}

function statusOf(message: MessageEvent, elements: number, totals: Totals): AuthorizationStatus {
  if (!isApproved(message)) return 'declined';
  // What holds nothing can only be reversed as a whole.
  if (message.approvedAmount === 0) return elements > 0 ? 'reversed' : 'completed';
  if (totals.reversed >= totals.authorized) return 'reversed';
  return totals.expired > 0 && totals.held === 0 ? 'expired' : 'pending';
}

function holdDeltaOf(element: JournalRecord): number {
  if (element.message !== undefined) return element.message.holdDelta;
  return changeOfHold(element)?.holdDelta ?? 0;
}

/** A record of the engine itself that belongs to an authorization. */
function changeOfHold({ event }: JournalRecord): NotDelivered | HoldExpired | undefined {
  return event?.kind === EventKind.notDelivered || event?.kind === EventKind.holdExpired ? event : undefined;
}

function elementType({ message, event }: JournalRecord): string {
  if (message !== undefined) return codeName(ElementKind, message.element);
  return event?.kind === EventKind.holdExpired ? 'expiry' : 'not_delivered';
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
    type: codeName(ElementKind, message.element),
    status: details.status,
    approved: isApproved(message),
    amount: requestedAmount(message, currency),
    approved_amount: message.approvedAmount,
    currency: currency === undefined ? null : currencyCode(currency),
    merchant_amount: input.amount === ABSENT ? null : input.amount,
    merchant_currency: input.currency === ABSENT ? null : currencyCode(input.currency),
    response_code: responseText(message.response),
    decline_reason: message.reason === Reason.none ? null : codeName(Reason, message.reason),
    approval_code: message.approvalCode < 0 ? null : String(message.approvalCode).padStart(6, '0'),
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
      mti: String(input.mti).padStart(4, '0'),
      processing_code: digits(input.processingCode, 6),
      rrn: orNull(input.textOf(Text.rrn)),
      stan: digits(input.stan, 6),
      transaction_id: orNull(input.textOf(Text.networkId)),
      acquirer: orNull(input.textOf(Text.acquirer)),
      transmission: digits(input.transmission, 10),
      transmitted_at: transmittedAt(message),
      entry_mode: digits(input.entryMode, 3),
    },
    elements: [record, ...details.elements].map((element) => elementObject(context, element)),
    created_at: time(message.timeMs),
  };
}

function elementObject(context: ControlContext, element: JournalRecord): Record<string, unknown> {
  const { message } = element;
  return {
    object: 'authorization_element',
    id: eventId(context, 'elem', element.shard, element.sequence),
    type: elementType(element),
    mti: message === undefined ? null : String(message.input.mti).padStart(4, '0'),
    hold_change: holdDeltaOf(element),
    response_code: message === undefined ? null : responseText(message.response),
    rrn: message === undefined ? null : orNull(message.input.textOf(Text.rrn)),
    stan: message === undefined ? null : digits(message.input.stan, 6),
    created_at: time(element.timeMs),
  };
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

/** Times of the stages, of which only recent samples are known, and only while the process lives. */
export async function stageTimes(context: ControlContext, { shard, sequence }: JournalRecord): Promise<StageTimesView> {
  const result = await context.shards.read(shard, { op: 'stage_times', sequence });
  if (!result.ok) throw refused(result.code);
  if (!('stageTimes' in result)) throw new TypeError('the shard answered no stage times');
  return result.stageTimes;
}

/** Why the decision came out as it did, from the record alone: today's rules and balances play no part. */
export function explanation(
  context: ControlContext,
  details: AuthorizationDetails,
  times: StageTimesView,
): Record<string, unknown> {
  const { record, owner } = details;
  const { message } = record;
  const verdicts: Record<string, unknown>[] = [];
  for (let i = 0; i < message.verdictCount; i++) {
    verdicts.push({
      order: i + 1,
      step: codeName(Step, message.verdicts[i * 2]!),
      verdict: codeName(Verdict, message.verdicts[i * 2 + 1]!),
    });
  }
  const { creditLimitBefore: limit, postedBefore: posted, heldBefore: held } = message;
  const after = held + message.holdDelta;
  const known = message.accountSlot >= 0;
  return {
    object: 'explanation',
    authorization: context.ids.encode('auth', record.shard, record.sequence),
    account: owner?.id ?? null,
    response_code: responseText(message.response),
    decline_reason: message.reason === Reason.none ? null : codeName(Reason, message.reason),
    bad_field: message.input.badField === 0 ? null : `DE${message.input.badField}`,
    bad_field_missing: message.input.badField === 0 ? null : message.input.badFieldMissing === 1,
    verdicts,
    balances: known
      ? {
          currency: owner === undefined ? null : currencyCode(owner.currency),
          before: { credit_limit: limit, posted, held, available: limit - posted - held },
          after: { credit_limit: limit, posted, held: after, available: limit - posted - after },
        }
      : null,
    carried: carriedNames(message),
    journal: { position: positionOf(context, record), recorded_at: time(message.timeMs) },
    linked: details.elements.map((element) => elementObject(context, element)),
    stage_times_us: typeof times === 'string' ? null : times,
    stage_times_missing: typeof times === 'string' ? times : null,
  };
}

/** Position of a record: shard, epoch and sequence. Clients treat it as opaque; `holdfast inspect journal` reads it. */
function positionOf(context: ControlContext, record: JournalRecord): string {
  const { epoch } = headOf(context, record.shard);
  return `${record.shard}-${epoch}-${record.sequence}`;
}

function carriedNames(message: MessageEvent): string[] {
  return Object.entries(Carried)
    .filter(([, bit]) => (message.input.carried & bit) !== 0)
    .map(([name]) => snakeCase(name));
}
