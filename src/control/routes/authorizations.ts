/** Authorizations: search, read, explain. */
import { z } from 'zod';
import { isApproval } from '../../domain/lookups.js';
import { isAdvice, Text } from '../../domain/message.js';
import type { CardView } from '../../domain/party-commands.js';
import { LIST_SCAN_MAX, SEARCH_CANDIDATES_MAX } from '../../limits.js';
import { type AuthorizationStatus, authorizationStatuses } from '../authorization-totals.js';
import {
  type AuthorizationDetails,
  assemble,
  authorizationObject,
  type FoundRecord,
  findRecord,
  isAuthorization,
  isMessage,
  type MessageRecord,
  originalOf,
} from '../authorizations.js';
import type { ControlContext } from '../context.js';
import { explainLimits } from '../explain-limits.js';
import { explanation, stageTimes } from '../explanation.js';
import {
  catchUp,
  isRecorded,
  type JournalRecord,
  newestFirst,
  type Position,
  readRecord,
  Slices,
  Walk,
  walkAll,
  walkChain,
} from '../history.js';
import { badCursor, type Cursor, cursorOf, listAnswer, listQuery, Page } from '../list.js';
import { ApiError } from '../problem.js';
import { type Route, route } from '../route.js';
import { journalRead } from '../route-errors.js';
import * as schemas from '../schemas.js';
import { authorization, authorizationList, explanationSchema } from '../schemas-authorizations.js';
import { refused } from '../views.js';
import { readAccount } from './accounts.js';
import { readAlias } from './aliases.js';
import { readCard, readCardAt } from './cards.js';

const searchQuery = listQuery({
  card: z.string().max(64).optional().describe('Id of the card, or of a network token: what came with its number.'),
  account: schemas.chosenId.optional(),
  rrn: z
    .string()
    .regex(/^[\x21-\x7e]{1,12}$/, '1 to 12 printable characters')
    .optional()
    .describe('Retrieval reference number (DE37).'),
  stan: z
    .string()
    .regex(/^\d{1,6}$/, 'up to 6 digits')
    .transform(Number)
    .optional()
    .describe('System trace audit number (DE11).'),
  status: z.enum(authorizationStatuses).optional(),
  since: schemas.instant.optional().describe('Inclusive, RFC 3339.'),
  until: schemas.instant.optional().describe('Exclusive, RFC 3339.'),
});
type SearchQuery = z.output<typeof searchQuery>;

const idParams = z.object({ id: z.string().max(64) });

export function authorizationRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'listAuthorizations',
      method: 'GET',
      path: '/v1/authorizations',
      tag: 'authorizations',
      summary: 'Search authorizations, newest first',
      description:
        'Filters combine. A search looks at a bounded number of records; when it ends early, `has_more` is true and `next_cursor` goes on where it stopped.',
      access: 'read',
      idempotency: 'none',
      query: searchQuery,
      errors: [...journalRead],
      answers: { 200: { description: 'A page of authorizations', schema: authorizationList } },
      async handle({ query }) {
        const { page, stopped, droppedMs } = await search(context, query);
        const data: object[] = [];
        for (const { record, details } of page.items)
          data.push(authorizationObject(context, details ?? (await assemble(context, record))));
        const next = stopped === undefined ? null : context.ids.encode('auth', stopped.shard, stopped.sequence);
        return listAnswer(data, page.hasMore || stopped !== undefined, next, droppedMs);
      },
    }),
    route({
      id: 'getAuthorization',
      method: 'GET',
      path: '/v1/authorizations/{id}',
      tag: 'authorizations',
      summary: 'Read an authorization with its elements and totals',
      description: 'The id of an element (`elem_...`) gives the authorization that the element belongs to.',
      access: 'read',
      idempotency: 'none',
      params: idParams,
      errors: [...journalRead],
      answers: { 200: { description: 'The authorization', schema: authorization } },
      async handle({ params }) {
        const { details } = await requireRecord(context, params.id);
        return { status: 200, body: authorizationObject(context, details) };
      },
    }),
    route({
      id: 'explainAuthorization',
      method: 'GET',
      path: '/v1/authorizations/{id}/explain',
      tag: 'authorizations',
      summary: 'Why was it answered as it was?',
      description:
        'Read from the record of the decision: the verdict of every step in order, and the balances it saw. The id of an element (`elem_...`) explains that message; `linked` are the other records of its authorization. Stage times are taken of one message in 16 and kept in memory for the most recent of them.',
      access: 'read',
      idempotency: 'none',
      params: idParams,
      errors: [...journalRead],
      answers: { 200: { description: 'The explanation', schema: explanationSchema } },
      async handle({ params }) {
        const { record, details } = await requireRecord(context, params.id);
        if (!isMessage(record)) throw new ApiError('not_found', 'This element is no message: nothing was decided.');
        const explained = explanation(context, details, record, await stageTimes(context, record));
        return { status: 200, body: { ...explained, ...(await explainLimits(context, record)) } };
      },
    }),
  ];
}

async function requireRecord(context: ControlContext, id: string): Promise<FoundRecord> {
  const found = await findRecord(context, id);
  if (found === undefined) throw new ApiError('not_found', 'There is no such authorization.');
  return found;
}

type Filter = (record: MessageRecord) => boolean;

interface Found {
  record: MessageRecord;
  /** Set when the filter had to know them. */
  details: AuthorizationDetails | undefined;
}

interface Searched {
  readonly page: Page<Found>;
  /** Where a search that ended early goes on. */
  readonly stopped?: Position;
  /** It ended where the journal begins (list.ts). */
  readonly droppedMs?: number;
}

async function search(context: ControlContext, query: SearchQuery): Promise<Searched> {
  const cursor = cursorOf(query);
  const place = cursor === undefined ? undefined : await placeOf(context, cursor);
  const after = cursor?.param === 'starting_after' ? place : undefined;
  const { source, filter } = await sourceOf(context, query, after);
  const until = query.until ?? Number.POSITIVE_INFINITY;
  const since = query.since ?? Number.NEGATIVE_INFINITY;
  const slices = new Slices();
  const page = new Page<Found>(query);
  let last: Position | undefined;
  for (const record of source) {
    if (slices.total >= LIST_SCAN_MAX) return { page, stopped: tooFar(cursor, last) };
    await slices.step();
    if (record.timeMs < since) break;
    const order = place === undefined ? 1 : newestFirst(record, place);
    if (cursor?.param === 'ending_before' && order >= 0) break;
    last = record;
    if (order <= 0 && cursor?.param === 'starting_after') continue;
    if (record.timeMs >= until || !isAuthorization(record) || !filter(record)) continue;
    let details: AuthorizationDetails | undefined;
    if (query.status !== undefined) {
      if (!couldBe(record, query.status)) continue;
      details = await assemble(context, record);
      if (details.status !== query.status) continue;
    }
    if (!page.add({ record, details })) break;
  }
  const droppedMs = source instanceof Walk ? source.droppedMs : undefined;
  return droppedMs === undefined || page.hasMore || since > droppedMs ? { page } : { page, droppedMs };
}

function tooFar(cursor: Cursor | undefined, last: Position | undefined): Position {
  if (cursor?.param === 'ending_before' || last === undefined)
    throw new ApiError('invalid_query', 'Too many records between the newest and ending_before: use starting_after.', {
      param: 'ending_before',
    });
  return last;
}

/** Cheap part of the status filter, before the elements are read. What we declined the network may have approved. */
function couldBe({ message }: MessageRecord, status: AuthorizationStatus): boolean {
  return status !== 'declined' || !isApproval(message.response) || isAdvice(message.input.mti);
}

/** Where the cursor stands. An early end of a search gives the id of any record, so every message is accepted. */
async function placeOf(context: ControlContext, cursor: Cursor): Promise<Position> {
  const place = context.ids.decode('auth', cursor.id);
  if (place === undefined || place.shard >= context.shards.shards || place.number < 1) throw badCursor(cursor);
  const { shard, number } = place;
  const record = (await isRecorded(context, shard, number)) ? readRecord(context, shard, number) : undefined;
  if (record === undefined) throw badCursor(cursor);
  return record;
}

/** The narrowest source of candidates for the filters, newest first, and what it does not check by itself. */
async function sourceOf(
  context: ControlContext,
  query: SearchQuery,
  after: Position | undefined,
): Promise<{ source: Iterable<JournalRecord>; filter: Filter }> {
  const filters: Filter[] = [];
  const card = query.card === undefined ? undefined : await cardOrToken(context, query.card);
  if (query.card !== undefined && card === undefined) return { source: [], filter: () => false };
  const account = query.account === undefined ? undefined : await readAccount(context, query.account);
  if (query.account !== undefined && account === undefined) return { source: [], filter: () => false };
  const home = account === undefined ? -1 : context.placement(account.id);
  if (card !== undefined)
    filters.push(
      ({ shard, message }) =>
        shard === card.shard &&
        message.cardSlot === card.card.slot &&
        (card.tokenSlot === undefined || message.tokenSlot === card.tokenSlot),
    );
  if (account !== undefined)
    filters.push(({ shard, message }) => shard === home && message.accountSlot === account.slot);
  const { rrn, stan } = query;
  if (rrn !== undefined) filters.push(({ message }) => message.input.textOf(Text.rrn).trim() === rrn);
  if (stan !== undefined) filters.push(({ message }) => message.input.stan === stan);
  const filter: Filter = (record) => filters.every((one) => one(record));
  if (rrn !== undefined || stan !== undefined) {
    const high = rrn === undefined ? context.search.stanHigh(stan!) : context.search.rrnHigh(rrn);
    const only = card?.shard ?? (account === undefined ? undefined : home);
    return candidates(context, high, only, filter);
  }
  if (card !== undefined) {
    const from = after !== undefined && after.shard === card.shard ? after.sequence : card.card.newestSequence;
    return { source: await chain(context, card.shard, from, card.card.newestSequence, 'card'), filter };
  }
  if (account !== undefined) {
    const from = after !== undefined && after.shard === home ? after.sequence : account.newestSequence;
    return { source: await chain(context, home, from, account.newestSequence, 'account'), filter };
  }
  return { source: walkAll(context, after), filter };
}

/** A card; or of a network token its card, in whose chain its messages are, and the slot that those carry. */
async function cardOrToken(
  context: ControlContext,
  id: string,
): Promise<{ shard: number; card: CardView; tokenSlot?: number } | undefined> {
  const token = await readAlias(context, id);
  if (token === undefined) return readCard(context, id);
  const { slot, aliasOfSlot } = token.card;
  const card = await readCardAt(context, { shard: token.shard, number: aliasOfSlot });
  return card && { ...card, tokenSlot: slot };
}

async function chain(
  context: ControlContext,
  shard: number,
  from: number,
  newest: number,
  kind: 'account' | 'card',
): Promise<Iterable<JournalRecord>> {
  await catchUp(context, shard, newest);
  return walkChain(context, shard, from, kind);
}

/**
 * Authorizations that have the RRN or STAN themselves, or an element that has it: a reversal found by its own STAN shows
 * the authorization it belongs to.
 */
async function candidates(
  context: ControlContext,
  high: number,
  only: number | undefined,
  filter: Filter,
): Promise<{ source: Iterable<JournalRecord>; filter: Filter }> {
  const shards = only === undefined ? Array.from({ length: context.shards.shards }, (_, shard) => shard) : [only];
  const lists = await Promise.all(
    shards.map(async (shard) => {
      const result = await context.shards.read(shard, { op: 'index', high, limit: SEARCH_CANDIDATES_MAX });
      if (!result.ok) throw refused(result);
      if (!('sequences' in result)) throw new TypeError('the shard answered no sequences');
      const newest = Math.max(0, ...result.sequences);
      if (newest > 0) await catchUp(context, shard, newest);
      return { shard, sequences: result.sequences };
    }),
  );
  const roots = new Map<string, JournalRecord>();
  const slices = new Slices();
  for (const { shard, sequences } of lists) {
    for (const sequence of new Set(sequences)) {
      await slices.step();
      const record = readRecord(context, shard, sequence);
      if (record === undefined || !isMessage(record) || !filter(record)) continue;
      const original = originalOf(record);
      // An element may outlive its authorization in the journal.
      if (original > 0 && original <= context.journal.floor(shard)) continue;
      const root = original > 0 ? readRecord(context, shard, original) : record;
      if (root !== undefined) roots.set(`${shard}/${root.sequence}`, root);
    }
  }
  // The filters held for the message that was found; its authorization may carry another RRN.
  return { source: [...roots.values()].sort(newestFirst), filter: () => true };
}
