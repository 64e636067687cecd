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
import { listAnswer } from '../list.js';
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
      query: z.strictObject({ limit: schemas.limit.optional(), starting_after: z.string().max(64).optional() }),
      errors: [...journalRead, 'capacity_exceeded'],
      answers: { 200: { description: 'A page of statements', schema: shapes.statementList } },
      handle({ params, query }) {
        return statements(context, params.id, query.limit ?? STATEMENTS_SHOWN, query.starting_after);
      },
    }),
  ];
}

const STATEMENTS_SHOWN = 10;

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
      const result = await context.shards.command(shard, { op: 'accrue', day, limit: ACCRUAL_SLICE_ACCOUNTS });
      if (!result.ok) throw refused(result.code, result.code === 'day_out_of_range' ? { param: '/date' } : {});
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

async function statements(
  context: ControlContext,
  id: string,
  limit: number,
  after: string | undefined,
): Promise<Answer> {
  const account = await requireAccount(context, id);
  const shard = context.placement(id);
  await catchUp(context, shard, account.newestSequence);
  const from = after === undefined ? account.newestSequence : placeOf(context, shard, account.slot, after);
  const found: { record: StatementRecord; sums: StatementSums }[] = [];
  const slices = new Slices();
  for (const record of walkChain(context, shard, from, 'account')) {
    if (after !== undefined && record.sequence === from) continue;
    await slices.step();
    const open = found.at(-1);
    if (isStatement(record)) found.push({ record, sums: new StatementSums() });
    else open?.sums.add(record);
    if (found.length > limit) break;
    if (slices.total < LIST_SCAN_MAX) continue;
    // The last one may have entries that were not met.
    if (found.length < 2) throw new ApiError('capacity_exceeded', 'Too many entries between two statements.');
    found.length = Math.min(found.length, limit + 1);
    break;
  }
  const hasMore = found.length > limit || slices.total >= LIST_SCAN_MAX;
  const shown = hasMore ? found.slice(0, -1) : found;
  const data = shown.map(({ record, sums }) => statementObject(context, account, record, sums));
  return listAnswer(data, hasMore, hasMore ? eventId(context, 'stmt', shard, shown.at(-1)!.record.sequence) : null);
}

function placeOf(context: ControlContext, shard: number, accountSlot: number, id: string): number {
  const place = eventPlace(context, 'stmt', id);
  const record = place?.shard === shard ? readRecord(context, shard, place.number) : undefined;
  if (record !== undefined && isStatement(record) && accountSlotOf(record) === accountSlot) return record.sequence;
  throw new ApiError('invalid_query', 'The cursor is not the id of a statement of the account.', {
    param: 'starting_after',
  });
}
