/** Disputes: a provisional credit and the steps behind it, each a ledger entry. */
import { z } from 'zod';
import { EventKind } from '../../domain/codes.js';
import { disputedAmount } from '../../domain/disputes.js';
import type { EntryPosted } from '../../domain/events.js';
import { type StepTaken, statusAfter } from '../../domain/ledger/dispute-steps.js';
import { EntryKind } from '../../domain/ledger/entry-kinds.js';
import { LIST_SCAN_MAX } from '../../limits.js';
import { findRecord, isAuthorization } from '../authorizations.js';
import type { ControlContext } from '../context.js';
import { currencyCode, currencyOfCode } from '../currencies.js';
import { entryObject, findEntry, postedLegs } from '../entry-object.js';
import { accountSlotOf } from '../events/event-object.js';
import { catchUp, type JournalRecord, readRecord, readUnlessDropped, Slices, walkChain } from '../history.js';
import { eventId, eventPlace } from '../ids.js';
import { badCursor, cursorOf, listAnswer, listQuery, Page, type PageQuery } from '../list.js';
import { ApiError } from '../problem.js';
import { type Answer, type Route, route } from '../route.js';
import { journalRead } from '../route-errors.js';
import * as schemas from '../schemas.js';
import * as shapes from '../schemas-entries.js';
import { refused, time } from '../views.js';
import { requireAccount } from './accounts.js';
import { done, entryWrite, ownerOfRecord, run } from './entries.js';
import { subOf } from './settlements.js';

const params = z.object({ id: z.string().max(64) });

export function disputeRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'createDispute',
      method: 'POST',
      path: '/v1/disputes',
      tag: 'disputes',
      summary: 'Open a dispute with a provisional credit',
      access: 'write',
      idempotency: 'shard',
      approval: 'adjustments',
      body: shapes.disputeCreate,
      errors: [...entryWrite, 'authorization_not_found', 'currency_mismatch', 'reference_exists'],
      answers: { 201: { description: 'The dispute', schema: shapes.dispute } },
      async handle({ body, idempotency }) {
        const { amount, reference, reason: note } = body;
        const disputed = await disputedRecord(context, body);
        const { shard, sequence } = disputed;
        const account = (await ownerOfRecord(context, disputed))!;
        const result = await run(
          context,
          shard,
          {
            op: 'open_dispute',
            ...{ account: account.id, amount, currency: currencyOfCode(body.currency)!, reference },
            ...{ relatedSequence: sequence, note },
          },
          idempotency,
        );
        const { sequence: opened, replayed } = done(result);
        return { status: 201, body: await disputeAt(context, shard, opened, []), replayed: replayed === true };
      },
    }),
    route({
      id: 'stepDispute',
      method: 'POST',
      path: '/v1/disputes/{id}/steps',
      tag: 'disputes',
      summary: 'Take the next step of a dispute',
      access: 'write',
      idempotency: 'shard',
      approval: 'adjustments',
      params,
      body: shapes.disputeStep,
      errors: [...entryWrite, 'dispute_step_refused', 'given_back', 'currency_mismatch'],
      answers: { 201: { description: 'The dispute after the step', schema: shapes.dispute } },
      async handle({ params: { id }, body, idempotency }) {
        const { shard, sequence } = await requireDispute(context, id);
        const { step, settlement, amount, reason_code: reasonCode, note = '' } = body;
        const settled =
          settlement === undefined
            ? undefined
            : {
                sub: subOf(settlement),
                currency: currencyOfCode(settlement.currency)!,
                ...{ amount: settlement.amount, interchange: settlement.interchange },
              };
        const result = await run(
          context,
          shard,
          {
            ...{ op: 'dispute_step', sequence, step, note },
            ...(settled === undefined ? {} : { settled }),
            ...(amount === undefined ? {} : { amount }),
            ...(reasonCode === undefined ? {} : { reasonCode }),
          },
          idempotency,
        );
        const posted = done(result, '/settlement/amount');
        // As it was then: a repeat of the request gets the same answer when other steps came since.
        const steps = (await stepsTaken(context, shard, sequence)).filter((taken) => taken.sequence <= posted.sequence);
        const dispute = await disputeAt(context, shard, sequence, steps);
        return { status: 201, body: dispute, replayed: posted.replayed === true };
      },
    }),
    route({
      id: 'getDispute',
      method: 'GET',
      path: '/v1/disputes/{id}',
      tag: 'disputes',
      summary: 'Read a dispute with its entries',
      access: 'read',
      idempotency: 'none',
      params,
      errors: [...journalRead],
      answers: { 200: { description: 'The dispute', schema: shapes.dispute } },
      async handle({ params: { id } }) {
        const { shard, sequence } = await requireDispute(context, id);
        const steps = await stepsTaken(context, shard, sequence);
        return { status: 200, body: await disputeAt(context, shard, sequence, steps) };
      },
    }),
    route({
      id: 'listDisputes',
      method: 'GET',
      path: '/v1/disputes',
      tag: 'disputes',
      summary: 'Disputes of an account, newest first',
      access: 'read',
      idempotency: 'none',
      query: listQuery({ account: schemas.chosenId }),
      errors: [...journalRead, 'not_found'],
      answers: { 200: { description: 'A page of disputes', schema: shapes.disputeList } },
      handle({ query }) {
        return disputesOf(context, query.account, query);
      },
    }),
  ];
}

/** The record that a new dispute names, of an account. @throws ApiError when there is none */
async function disputedRecord(
  context: ControlContext,
  named: { authorization?: string | undefined; entry?: string | undefined },
): Promise<JournalRecord> {
  const isEntry = named.entry !== undefined;
  const record = isEntry
    ? await findEntry(context, 'entry', named.entry!)
    : (await findRecord(context, named.authorization!))?.record;
  const fits =
    record !== undefined &&
    accountSlotOf(record) >= 0 &&
    (isEntry ? postedLegs(record).length > 0 : isAuthorization(record));
  if (fits) return record;
  throw new ApiError('authorization_not_found', 'There is nothing of an account that could be disputed.', {
    param: isEntry ? '/entry' : '/authorization',
  });
}

async function requireDispute(context: ControlContext, id: string): Promise<JournalRecord> {
  const record = await findEntry(context, 'disp', id);
  if (record === undefined || !isDispute(record)) throw new ApiError('not_found', 'There is no such dispute.');
  return record;
}

function isDispute(record: JournalRecord): record is JournalRecord & { event: EntryPosted } {
  return record.event?.kind === EventKind.entryPosted && record.event.entry === EntryKind.provisionalCredit;
}

async function stepsTaken(context: ControlContext, shard: number, sequence: number): Promise<StepTaken[]> {
  const record = readRecord(context, shard, sequence);
  if (record === undefined) throw new TypeError(`shard ${shard} has no record ${sequence}`);
  const result = await context.shards.read(shard, { op: 'dispute', accountSlot: accountSlotOf(record), sequence });
  if (!result.ok) throw refused(result);
  if (!('steps' in result)) throw new TypeError('the shard answered no steps');
  return result.steps;
}

/** The dispute that begins at the sequence, after these steps. */
async function disputeAt(
  context: ControlContext,
  shard: number,
  sequence: number,
  steps: readonly StepTaken[],
): Promise<Record<string, unknown>> {
  await catchUp(context, shard, Math.max(sequence, steps.at(-1)?.sequence ?? 0));
  const records = [sequence, ...steps.map((taken) => taken.sequence)].map((at) => readRecord(context, shard, at));
  const first = records[0];
  if (first === undefined || !isDispute(first)) throw new TypeError(`shard ${shard} has no dispute ${sequence}`);
  const { event } = first;
  const account = (await ownerOfRecord(context, first))!;
  const disputed = readUnlessDropped(context, shard, event.relatedSequence);
  const isMessage = disputed !== undefined && isAuthorization(disputed);
  const isEntry = disputed !== undefined && !isMessage;
  return {
    object: 'dispute',
    id: eventId(context, 'disp', shard, sequence),
    account: account.id,
    card: event.cardSlot < 0 ? null : context.ids.encode('card', shard, event.cardSlot),
    authorization: isMessage ? context.ids.encode('auth', shard, event.relatedSequence) : null,
    entry: isEntry ? eventId(context, 'entry', shard, event.relatedSequence) : null,
    status: statusAfter(steps),
    amount: disputedAmount(event),
    currency: currencyCode(account.currency),
    reason: event.note === '' ? null : event.note,
    reference: event.reference,
    entries: records.flatMap((record) => (record === undefined ? [] : [entryObject(context, account, record, null)])),
    created_at: time(first.timeMs),
  };
}

async function disputesOf(context: ControlContext, id: string, query: PageQuery): Promise<Answer> {
  const account = await requireAccount(context, id);
  const shard = context.placement(id);
  await catchUp(context, shard, account.newestSequence);
  const cursor = cursorOf(query);
  const place = cursor === undefined ? 0 : cursorPlace(context, shard, account.slot, cursor);
  const page = new Page<number>(query);
  const slices = new Slices();
  const behind = cursor?.param === 'starting_after';
  let stopped = 0;
  const walk = walkChain(context, shard, behind ? place : account.newestSequence, 'account');
  for (const record of walk) {
    if (record.sequence === place) {
      if (behind) continue;
      break;
    }
    await slices.step();
    if (isDispute(record) && !page.add(record.sequence)) break;
    if (slices.total < LIST_SCAN_MAX) continue;
    stopped = record.sequence;
    break;
  }
  const data = [];
  for (const at of page.items) data.push(await disputeAt(context, shard, at, await stepsTaken(context, shard, at)));
  const early = stopped > 0 && !page.hasMore;
  const next = early ? eventId(context, 'disp', shard, stopped) : null;
  return listAnswer(data, page.hasMore || early, next, page.hasMore ? undefined : walk.droppedMs);
}

/** A list that ended early gives the id of any record of the account. */
function cursorPlace(
  context: ControlContext,
  shard: number,
  accountSlot: number,
  cursor: NonNullable<ReturnType<typeof cursorOf>>,
): number {
  const place = eventPlace(context, 'disp', cursor.id);
  const record = place?.shard === shard ? readRecord(context, shard, place.number) : undefined;
  if (record === undefined || accountSlotOf(record) !== accountSlot) throw badCursor(cursor);
  return record.sequence;
}
