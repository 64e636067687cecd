/** The books: entries of an account with running balance, and the trial balance. */
import { z } from 'zod';
import { glName, postedChange } from '../../domain/ledger/chart.js';
import { LIST_SCAN_MAX } from '../../limits.js';
import type { ControlContext } from '../context.js';
import { currencyCode } from '../currencies.js';
import { entryObject, findEntry, ledgerTotals, postedLegs } from '../entry-object.js';
import { accountSlotOf } from '../events/event-object.js';
import { exactJson } from '../exact-json.js';
import { assertKeptSince, catchUp, type JournalRecord, readRecord, Slices, walkChain } from '../history.js';
import { eventId, eventPlace } from '../ids.js';
import { settlementObject } from '../legs.js';
import { badCursor, type Cursor, cursorOf, listAnswer, listQuery, Page, type PageQuery } from '../list.js';
import { ApiError } from '../problem.js';
import { type Answer, type Route, route } from '../route.js';
import { journalRead, shardRead } from '../route-errors.js';
import * as schemas from '../schemas.js';
import { entry, entryList, trialBalance } from '../schemas-authorizations.js';
import { requireAccount } from './accounts.js';
import { ownerOfRecord } from './entries.js';

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
      id: 'getEntry',
      method: 'GET',
      path: '/v1/entries/{id}',
      tag: 'ledger',
      summary: 'Read a ledger entry',
      access: 'read',
      idempotency: 'none',
      params: z.object({ id: z.string().max(64) }),
      errors: [...journalRead],
      answers: { 200: { description: 'The entry', schema: entry } },
      async handle({ params }) {
        const record = await findEntry(context, 'entry', params.id);
        if (record === undefined || postedLegs(record).length === 0)
          throw new ApiError('not_found', 'There is no such entry.');
        return { status: 200, body: entryObject(context, await ownerOfRecord(context, record), record, null) };
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

interface Booked {
  record: JournalRecord;
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
  const walk = walkChain(context, shard, behind ? place : account.newestSequence, 'account');
  for (const record of walk) {
    if (record.sequence === place) {
      if (behind) continue;
      break;
    }
    await slices.step();
    const legs = postedLegs(record);
    const change = postedChange(legs);
    if (record.message !== undefined) newest ??= record.message.postedBefore + change + passed;
    if (legs.length > 0) page.add({ record, passed });
    passed += change;
    if (slices.total >= LIST_SCAN_MAX) stopped = record;
    if (stopped !== undefined || (page.hasMore && cursor?.param !== 'ending_before' && newest !== undefined)) break;
  }
  // Without a decision behind the cursor nothing says what the balance was, where the records before are gone.
  if (walk.droppedMs !== undefined && newest === undefined) assertKeptSince(context, walk.droppedMs, [shard]);
  if (stopped === undefined) newest ??= passed;
  if (newest === undefined || (stopped !== undefined && cursor?.param === 'ending_before')) throw tooFar(cursor);
  const balance = newest;
  const data = page.items.map((booked) => entryObject(context, account, booked.record, balance - booked.passed));
  const early = stopped !== undefined && !page.hasMore;
  const next = early ? eventId(context, 'entry', shard, stopped!.sequence) : null;
  return listAnswer(data, page.hasMore || early, next, page.hasMore ? undefined : walk.droppedMs);
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
  const books = new Map<number, Book>();
  for (const { currency, glAccount, sub, debit, credit } of await ledgerTotals(context)) {
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
      return { ...settlementObject(sub), debit, credit, balance: debit - credit };
    });
}
