/** Clearing records in suspense: the list, and how one is resolved. */
import { z } from 'zod';
import { listDay } from '../../domain/index-keys.js';
import type { ControlContext } from '../context.js';
import { inTurn } from '../in-turn.js';
import { dayOf } from '../legs.js';
import { listAnswer, listQuery, pageOf } from '../list.js';
import { type Route, route } from '../route.js';
import { journalRead, shardWrite } from '../route-errors.js';
import { listOf } from '../schemas.js';
import * as shapes from '../schemas-suspense.js';
import { requireItem, resolve, suspenseItems, suspenseObject } from '../suspense.js';
import { subOf } from './settlements.js';

/** Days that a list goes back without `since`: as a reconciliation. */
const DAYS = 60;
const params = z.object({ id: z.string().max(64) });

export function suspenseRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'listSuspense',
      method: 'GET',
      path: '/v1/suspense',
      tag: 'clearing',
      summary: 'List clearing records in suspense, newest first',
      access: 'read',
      idempotency: 'none',
      query: listQuery({
        status: z
          .enum([...shapes.suspenseStatuses, 'any'])
          .default('open')
          .describe('open: what is resolving, too.'),
        since: z.iso.date().optional().describe('Posted on that date, by UTC, or later. 60 days when absent.'),
      }),
      errors: ['capacity_exceeded', ...journalRead],
      answers: { 200: { description: 'A page of items', schema: listOf(shapes.suspenseItem, 'SuspenseItemList') } },
      async handle({ query }) {
        const { status, since } = query;
        const today = listDay(context.nowMs());
        const items = await suspenseItems(context, since === undefined ? today - DAYS : dayOf(since), today + 1);
        const wanted = items.filter(
          (item) => status === 'any' || item.status === status || (status === 'open' && item.status === 'resolving'),
        );
        const page = pageOf(wanted, query);
        return listAnswer(page.items.map(suspenseObject), page.hasMore);
      },
    }),
    route({
      id: 'resolveSuspense',
      method: 'POST',
      path: '/v1/suspense/{id}/resolve',
      tag: 'clearing',
      summary: 'Take a clearing record out of suspense, once',
      description:
        'To a card: it is posted to its account as the record would have been, without touching a hold. As a loss: 5200. Or back to the network, with its interchange. The same request again does what is missing of it.',
      access: 'write',
      idempotency: 'answer',
      approval: 'suspense',
      params,
      body: shapes.suspenseResolve,
      errors: [
        'already_resolved',
        'suspense_amount',
        'card_not_found',
        'currency_mismatch',
        'amount_out_of_range',
        ...shardWrite,
        ...journalRead,
      ],
      answers: { 200: { description: 'The item', schema: shapes.suspenseItem } },
      async handle({ params: { id }, body }) {
        const { to, card = '', amount = 0, settlement, note = '' } = body;
        const sub = settlement === undefined ? 0 : subOf(settlement);
        return inTurn(context, id, async () => {
          await resolve(context, await requireItem(context, id), { to, card, amount, sub, note });
          return { status: 200, body: suspenseObject(await requireItem(context, id)) };
        });
      },
    }),
  ];
}
