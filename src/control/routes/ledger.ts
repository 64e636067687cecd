/** The books: entries of an account with running balance, and the trial balance. */
import { z } from 'zod';
import { ElementKind, EventKind } from '../../domain/codes.js';
import type { AccountView } from '../../domain/commands.js';
import type { EntryPosted, PaymentPosted, PlainEvent, Posting } from '../../domain/events.js';
import { glName, postedChange } from '../../domain/ledger/chart.js';
import { EntryKind } from '../../domain/ledger/entry-kinds.js';
import { settlementOf } from '../../domain/ledger/sub-account.js';
import { Text } from '../../domain/message.js';
import { LIST_SCAN_MAX } from '../../limits.js';
import { legsOf } from '../authorization-totals.js';
import { originalOf } from '../authorizations.js';
import { clearingType } from '../clearing-object.js';
import type { ControlContext } from '../context.js';
import { currencyCode } from '../currencies.js';
import { exactJson } from '../exact-json.js';
import { catchUp, type JournalRecord, readRecord, Slices, walkChain } from '../history.js';
import { eventId, eventPlace } from '../ids.js';
import { legObjects } from '../legs.js';
import { badCursor, type Cursor, cursorOf, listAnswer, listQuery, Page, type PageQuery } from '../list.js';
import { ApiError } from '../problem.js';
import { type Answer, type Route, route } from '../route.js';
import { journalRead, shardRead } from '../route-errors.js';
import * as schemas from '../schemas.js';
import { entryList, trialBalance } from '../schemas-authorizations.js';
import { codeName, refused, time } from '../views.js';
import { requireAccount } from './accounts.js';

export function ledgerRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'listEntries',
      method: 'GET',
      path: '/v1/accounts/{id}/entries',
      tag: 'ledger',
      summary: 'Ledger entries of an account with running balance, newest first',
      access: 'read',
      idempotency: 'none',
      params: z.object({ id: schemas.chosenId }),
      query: listQuery({}),
      errors: [...journalRead, 'capacity_exceeded'],
      answers: { 200: { description: 'A page of entries', schema: entryList } },
      async handle({ params, query }) {
        return entries(context, params.id, query);
      },
    }),
    route({
      id: 'trialBalance',
      method: 'GET',
      path: '/v1/ledger/trial-balance',
      tag: 'ledger',
      summary: 'Sums of every account of the chart, per currency, over all shards',
      access: 'read',
      idempotency: 'none',
      errors: [...shardRead],
      answers: { 200: { description: 'The trial balance', schema: trialBalance } },
      async handle() {
        const body = exactJson(await trial(context));
        return { status: 200, body, contentType: 'application/json; charset=utf-8' };
      },
    }),
  ];
}

const DAY_MS = 86_400_000;

interface Booked {
  record: JournalRecord;
  legs: readonly Posting[];
  change: number;
  /** Sum of the changes by the newer entries that were met before it. */
  passed: number;
}

/**
 * A page of entries with the balance after each: the newest balance met, less what was passed since. From the newest entry on
 * that is the account's posted balance. Behind `starting_after` it comes from below: every decision knows the posted balance
 * it saw, so the first one that is met gives it; at the beginning of the account it was 0.
 */
async function entries(context: ControlContext, id: string, query: PageQuery): Promise<Answer> {
  const account = await requireAccount(context, id);
  const shard = context.placement(id);
  await catchUp(context, shard, account.newestSequence);
  const cursor = cursorOf(query);
  const place = cursor === undefined ? 0 : placeOf(context, shard, account.slot, cursor);
  const behind = cursor?.param === 'starting_after';
  const page = new Page<Booked>(query);
  const slices = new Slices();
  let newest = behind ? undefined : account.posted;
  let passed = 0;
  let stopped: JournalRecord | undefined;
  for (const record of walkChain(context, shard, behind ? place : account.newestSequence, 'account')) {
    if (record.sequence === place) {
      if (behind) continue;
      break;
    }
    await slices.step();
    const legs = postedLegs(record);
    const change = postedChange(legs);
    if (record.message !== undefined) newest ??= record.message.postedBefore + change + passed;
    if (legs.length > 0) page.add({ record, legs, change, passed });
    passed += change;
    if (slices.total >= LIST_SCAN_MAX) stopped = record;
    if (stopped !== undefined || (page.hasMore && cursor?.param !== 'ending_before' && newest !== undefined)) break;
  }
  if (stopped === undefined) newest ??= passed;
  if (newest === undefined || (stopped !== undefined && cursor?.param === 'ending_before')) throw tooFar(cursor);
  const balance = newest;
  const data = page.items.map((booked) => entryObject(context, account, booked, balance - booked.passed));
  const early = stopped !== undefined && !page.hasMore;
  return listAnswer(data, page.hasMore || early, early ? eventId(context, 'entry', shard, stopped!.sequence) : null);
}

/** Sequence of the cursor in the account's chain. An early end gives the id of any record, so it need not be an entry. */
function placeOf(context: ControlContext, shard: number, accountSlot: number, cursor: Cursor): number {
  const place = eventPlace(context, 'entry', cursor.id);
  const record = place?.shard === shard ? readRecord(context, shard, place.number) : undefined;
  if (record === undefined || accountSlotOf(record) !== accountSlot) throw badCursor(cursor);
  return record.sequence;
}

function tooFar(cursor: Cursor | undefined): ApiError {
  if (cursor?.param === 'ending_before')
    return new ApiError('invalid_query', 'Too many records between the newest and ending_before: use starting_after.', {
      param: 'ending_before',
    });
  return new ApiError('capacity_exceeded', 'Too many entries without a decision in between: start from the newest.');
}

function entryObject(
  context: ControlContext,
  account: AccountView,
  { record, legs, change }: Booked,
  balanceAfter: number,
): Record<string, unknown> {
  return {
    object: 'entry',
    id: eventId(context, 'entry', record.shard, record.sequence),
    account: account.id,
    type: entryType(record),
    amount: change,
    currency: currencyCode(account.currency),
    balance_after: balanceAfter,
    reference: referenceOf(record.event),
    source: sourceOf(context, record),
    postings: legObjects(legs),
    created_at: time(record.timeMs),
  };
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
  return isNamed(event) ? event.reference : null;
}

/** Entries that a reference names, not a message. */
function isNamed(event: PlainEvent | undefined): event is PaymentPosted | EntryPosted {
  return event?.kind === EventKind.payment || event?.kind === EventKind.entryPosted;
}

function postedLegs(record: JournalRecord): readonly Posting[] {
  if (record.event?.kind === EventKind.payment) return record.event.postings;
  return record.event?.kind === EventKind.entryPosted ? record.event.legs : legsOf(record);
}

/** A clearing record that belongs to no authorization. */
const isForced = ({ event }: JournalRecord): boolean =>
  event?.kind === EventKind.clearingPosted && event.originalSequence === 0;

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

function accountSlotOf(record: JournalRecord): number {
  if (record.message !== undefined) return record.message.accountSlot;
  const event = record.event!;
  return 'accountSlot' in event ? event.accountSlot : -1;
}

interface Turnover {
  debit: bigint;
  credit: bigint;
}

/** An account of the chart, and what of it belongs to each sub-account. */
interface BookAccount extends Turnover {
  subs: Map<number, Turnover>;
}
type Book = Map<number, BookAccount>;

function addTurnover(to: Turnover, { debit, credit }: Turnover): void {
  to.debit += debit;
  to.credit += credit;
}

/** Turnovers only grow and may exceed 2^53: they are summed and written as the integers they are. */
async function trial(context: ControlContext): Promise<Record<string, unknown>> {
  const shards = Array.from({ length: context.shards.shards }, (_, shard) => shard);
  const results = await Promise.all(shards.map((shard) => context.shards.read(shard, { op: 'totals' })));
  const books = new Map<number, Book>();
  for (const result of results) {
    if (!result.ok) throw refused(result.code);
    if (!('totals' in result)) throw new TypeError('the shard answered no totals');
    for (const { currency, glAccount, sub, debit, credit } of result.totals) {
      const book = books.get(currency) ?? (new Map() satisfies Book);
      books.set(currency, book);
      const account = book.get(glAccount) ?? { debit: 0n, credit: 0n, subs: new Map<number, Turnover>() };
      book.set(glAccount, account);
      const moved = { debit: BigInt(debit), credit: BigInt(credit) };
      addTurnover(account, moved);
      if (sub === 0) continue;
      const part = account.subs.get(sub) ?? { debit: 0n, credit: 0n };
      account.subs.set(sub, part);
      addTurnover(part, moved);
    }
  }
  const currencies = [...books].sort(([a], [b]) => a - b).map(([currency, book]) => bookObject(currency, book));
  return { object: 'trial_balance', balanced: currencies.every(({ difference }) => difference === 0n), currencies };
}

function bookObject(
  currency: number,
  book: Book,
): { currency: string; debits: bigint; credits: bigint; difference: bigint; accounts: object[] } {
  let debits = 0n;
  let credits = 0n;
  const accounts = [...book]
    .sort(([a], [b]) => a - b)
    .map(([account, { debit, credit, subs }]) => {
      debits += debit;
      credits += credit;
      const sums = { debit, credit, balance: debit - credit };
      return { account: String(account), name: glName(account), ...sums, sub_accounts: subAccountObjects(subs) };
    });
  return { currency: currencyCode(currency), debits, credits, difference: debits - credits, accounts };
}

function subAccountObjects(subs: ReadonlyMap<number, Turnover>): object[] {
  return [...subs]
    .sort(([a], [b]) => a - b)
    .map(([sub, { debit, credit }]) => {
      const { network, day, cycle } = settlementOf(sub);
      const settlement_date = time(day * DAY_MS).slice(0, 10);
      return { network, settlement_date, cycle, debit, credit, balance: debit - credit };
    });
}
