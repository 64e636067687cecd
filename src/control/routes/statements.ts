/** The daily accrual, and the statements that it closes. */
import { z } from 'zod';
import { EventKind } from '../../domain/codes.js';
import type { StatementClosed } from '../../domain/events.js';
import { ACCRUAL_REQUEST_MS, ACCRUAL_SLICE_ACCOUNTS, LIST_SCAN_MAX } from '../../limits.js';
import type { ControlContext } from '../context.js';
import { accountSlotOf } from '../events/event-object.js';
import { catchUp, type JournalRecord, readRecord, Slices, walkChain } from '../history.js';
import { eventId, eventPlace } from '../ids.js';
import { dayOf } from '../legs.js';
import { badCursor, type Cursor, cursorOf, listAnswer, listQuery, Page, type PageQuery } from '../list.js';
import { ApiError } from '../problem.js';
import { type Answer, type Route, route } from '../route.js';
import { journalRead, shardWrite } from '../route-errors.js';
import * as schemas from '../schemas.js';
import * as shapes from '../schemas-entries.js';
import { StatementSums, statementObject } from '../statements.js';
import { refused } from '../views.js';
import { requireAccount } from './accounts.js';

export function statementRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'runAccrual',
      method: 'POST',
      path: '/v1/jobs/accrual',
      tag: 'ledger',
      summary: 'Accrue the interest of a day and close its statements',
      description:
        'Once per account and day, whatever is stopped or asked again. Works for 15 s at most: while `done` is false, ask again (without an Idempotency-Key, or with another one).',
      access: 'admin',
      idempotency: 'answer',
      body: shapes.accrualRun,
      errors: [...shardWrite, 'day_out_of_range'],
      answers: { 200: { description: 'What this request did', schema: shapes.accrual } },
      async handle({ body }) {
        return {
          status: 200,
          body: { object: 'accrual', date: body.date, ...(await accrue(context, dayOf(body.date))) },
        };
      },
    }),
    route({
      id: 'listStatements',
      method: 'GET',
      path: '/v1/accounts/{id}/statements',
      tag: 'ledger',
      summary: 'Statements of an account, newest first',
      access: 'read',
      idempotency: 'none',
      params: z.object({ id: schemas.chosenId }),
      query: listQuery({}),
      errors: [...journalRead, 'capacity_exceeded'],
      answers: { 200: { description: 'A page of statements', schema: shapes.statementList } },
      handle({ params, query }) {
        return statements(context, params.id, query);
      },
    }),
  ];
}

interface Done {
  done: boolean;
  accounts: number;
  entries: number;
  statements: number;
}

/** One shard after the other, slice by slice: each slice waits in the shard's ring between its messages. */
async function accrue(context: ControlContext, day: number): Promise<Done> {
  const sum: Done = { done: true, accounts: 0, entries: 0, statements: 0 };
  const deadline = performance.now() + ACCRUAL_REQUEST_MS;
  for (let shard = 0; shard < context.shards.shards; shard++) {
    for (let isDone = false; !isDone; ) {
      if (performance.now() > deadline) return { ...sum, done: false };
      const result = await context.shards.command(shard, {
        op: 'accrue',
        ...{ day, limit: ACCRUAL_SLICE_ACCOUNTS, isBegun: shard > 0 },
      });
      if (!result.ok) throw refused(result, result.code === 'day_out_of_range' ? { param: '/date' } : {});
      if (!('accrued' in result)) throw new TypeError('the shard answered no accrual');
      isDone = result.accrued.isDone;
      sum.accounts += result.accrued.accounts;
      sum.entries += result.accrued.entries;
      sum.statements += result.accrued.statements;
    }
  }
  return sum;
}

type StatementRecord = JournalRecord & { event: StatementClosed };

const isStatement = (record: JournalRecord): record is StatementRecord =>
  record.event?.kind === EventKind.statementClosed;

interface Found {
  readonly record: StatementRecord;
  /** Of the entries behind it, down to the statement before. */
  readonly sums: StatementSums;
}

/** A page of statements. Each is complete when the walk meets the one before it, or the beginning of the account. */
async function statements(context: ControlContext, id: string, query: PageQuery): Promise<Answer> {
  const account = await requireAccount(context, id);
  const shard = context.placement(id);
  await catchUp(context, shard, account.newestSequence);
  const cursor = cursorOf(query);
  const place = cursor === undefined ? 0 : placeOf(context, shard, account.slot, cursor);
  const behind = cursor?.param === 'starting_after';
  const page = new Page<Found>(query);
  const slices = new Slices();
  let open: Found | undefined;
  let isFull = false;
  const walk = walkChain(context, shard, behind ? place : account.newestSequence, 'account');
  for (const record of walk) {
    if (record.sequence === place) {
      if (behind) continue;
      break;
    }
    await slices.step();
    if (slices.total >= LIST_SCAN_MAX) return tooMany(context, account, page, cursor);
    if (!isStatement(record)) {
      open?.sums.add(record);
      continue;
    }
    isFull = open !== undefined && !page.add(open);
    if (isFull) break;
    open = { record, sums: new StatementSums() };
  }
  // Of a statement whose entries reach into the dropped part the sums would be wrong.
  if (open !== undefined && !isFull && walk.droppedMs === undefined) page.add(open);
  return listAnswer(
    page.items.map(({ record, sums }) => statementObject(context, account, record, sums)),
    page.hasMore,
    undefined,
    page.hasMore ? undefined : walk.droppedMs,
  );
}

/** The walk ended early: what is complete, and where to go on. */
function tooMany(
  context: ControlContext,
  account: { id: string; currency: number },
  page: Page<Found>,
  cursor: Cursor | undefined,
): Answer {
  if (cursor?.param === 'ending_before')
    throw new ApiError('invalid_query', 'Too many records between the newest and ending_before: use starting_after.', {
      param: 'ending_before',
    });
  const last = page.items.at(-1)?.record;
  if (last === undefined) throw new ApiError('capacity_exceeded', 'Too many entries between two statements.');
  const data = page.items.map(({ record, sums }) => statementObject(context, account, record, sums));
  return listAnswer(data, true, eventId(context, 'stmt', last.shard, last.sequence));
}

function placeOf(context: ControlContext, shard: number, accountSlot: number, cursor: Cursor): number {
  const place = eventPlace(context, 'stmt', cursor.id);
  const record = place?.shard === shard ? readRecord(context, shard, place.number) : undefined;
  if (record !== undefined && isStatement(record) && accountSlotOf(record) === accountSlot) return record.sequence;
  throw badCursor(cursor);
}
