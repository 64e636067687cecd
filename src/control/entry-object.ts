/** Ledger entries as the API shows them: records that post to the books. */
import { ElementKind, EventKind } from '../domain/codes.js';
import type { EntryPosted, PaymentPosted, PlainEvent, Posting } from '../domain/events.js';
import { postedChange } from '../domain/ledger/chart.js';
import { EntryKind } from '../domain/ledger/entry-kinds.js';
import { Text } from '../domain/message.js';
import type { LedgerTotal } from '../domain/reads.js';
import { legsOf } from './authorization-totals.js';
import { originalOf } from './authorizations.js';
import { clearingType } from './clearing-object.js';
import type { ControlContext } from './context.js';
import { currencyCode } from './currencies.js';
import { catchUp, type JournalRecord, readRecord } from './history.js';
import { eventId, eventPlace } from './ids.js';
import { dateOf, legObjects } from './legs.js';
import { codeName, refused, time } from './views.js';

/** An entry without an account is one with a network. */
export function entryObject(
  context: ControlContext,
  account: { id: string; currency: number } | undefined,
  record: JournalRecord,
  balanceAfter: number | null,
): Record<string, unknown> {
  const { event } = record;
  const legs = postedLegs(record);
  const entry = event?.kind === EventKind.entryPosted ? event : undefined;
  // What a dispute is about is an authorization: its object names that.
  const related = entry === undefined || entry.entry === EntryKind.provisionalCredit ? 0 : entry.relatedSequence;
  return {
    object: 'entry',
    id: eventId(context, 'entry', record.shard, record.sequence),
    account: account?.id ?? null,
    type: entryType(record),
    amount: postedChange(legs),
    currency: currencyCode(account?.currency ?? entry?.legs[0]?.currency ?? 0),
    balance_after: balanceAfter,
    reference: referenceOf(event),
    date: entry === undefined ? null : dateOf(entry.day),
    note: entry === undefined || entry.note === '' ? null : entry.note,
    related: related === 0 ? null : eventId(context, 'entry', record.shard, related),
    source: sourceOf(context, record),
    postings: legObjects(legs),
    created_at: time(record.timeMs),
  };
}

/** The plain entry behind the id of one, of these kinds; undefined when there is none. */
export async function findEntry(
  context: ControlContext,
  prefix: Parameters<typeof eventPlace>[1],
  id: string,
): Promise<JournalRecord | undefined> {
  const place = eventPlace(context, prefix, id);
  if (place === undefined) return undefined;
  await catchUp(context, place.shard, place.number);
  return readRecord(context, place.shard, place.number);
}

/** Legs of a record; none when it posts nothing. */
export function postedLegs(record: JournalRecord): readonly Posting[] {
  if (record.event?.kind === EventKind.payment) return record.event.postings;
  return record.event?.kind === EventKind.entryPosted ? record.event.legs : legsOf(record);
}

/** The ledger of each shard, with all records up to `sequence` and no other. */
export async function shardLedgers(context: ControlContext): Promise<{ totals: LedgerTotal[]; sequence: number }[]> {
  const shards = Array.from({ length: context.shards.shards }, (_, shard) => shard);
  const results = await Promise.all(shards.map((shard) => context.shards.read(shard, { op: 'totals' })));
  return results.map((result) => {
    if (!result.ok) throw refused(result);
    if (!('totals' in result)) throw new TypeError('the shard answered no totals');
    return { totals: result.totals, sequence: result.sequence };
  });
}

/** Every row of the ledger, of all shards. */
export async function ledgerTotals(context: ControlContext): Promise<LedgerTotal[]> {
  return (await shardLedgers(context)).flatMap(({ totals }) => totals);
}

function entryType({ message, event }: JournalRecord): string {
  if (message !== undefined)
    return message.element === ElementKind.reversal ? 'single_message_reversal' : 'single_message';
  if (event?.kind === EventKind.entryPosted) return codeName(EntryKind, event.entry);
  if (event?.kind === EventKind.clearingPosted) return clearingType(event);
  return event?.kind === EventKind.payment ? 'payment' : 'roll_back';
}

/** The reference that names the entry; of a clearing record the acquirer's. */
function referenceOf(event: PlainEvent | undefined): string | null {
  if (event?.kind === EventKind.clearingPosted) return event.input.arn === '' ? null : event.input.arn;
  return isNamed(event) && event.reference !== '' ? event.reference : null;
}

/** A clearing record that belongs to no authorization. */
const isForced = ({ event }: JournalRecord): boolean =>
  event?.kind === EventKind.clearingPosted && event.originalSequence === 0;

/** Entries that a reference names, not a message. */
function isNamed(event: PlainEvent | undefined): event is PaymentPosted | EntryPosted {
  return event?.kind === EventKind.payment || event?.kind === EventKind.entryPosted;
}

/** The message or clearing record behind an entry; null where there is none. */
function sourceOf(context: ControlContext, record: JournalRecord): Record<string, unknown> | null {
  if (isNamed(record.event)) return null;
  const { shard, sequence, message } = record;
  const cleared = record.event?.kind === EventKind.clearingPosted ? record.event.input : undefined;
  const rrn = message?.input.textOf(Text.rrn) ?? cleared?.rrn ?? '';
  const mti = message?.input.mti ?? cleared?.mti;
  return {
    authorization: isForced(record) ? null : context.ids.encode('auth', shard, originalOf(record) || sequence),
    element: eventId(context, 'elem', shard, sequence),
    mti: mti === undefined ? null : String(mti).padStart(4, '0'),
    rrn: rrn === '' ? null : rrn,
    stan: message === undefined ? null : String(message.input.stan).padStart(6, '0'),
  };
}
