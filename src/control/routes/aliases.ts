/** Network tokens of cards, as aliases: add, list, read, change. Each is a row of the shard's cards, beside its card. */
import { z } from 'zod';
import { type AliasDraft, createNumbered } from '../card-numbers.js';
import type { ControlContext } from '../context.js';
import { listAnswer, listQuery, pageOf } from '../list.js';
import { ApiError } from '../problem.js';
import { type Route, route } from '../route.js';
import { shardRead, shardWrite } from '../route-errors.js';
import * as schemas from '../schemas.js';
import { aliasObject, cardStatusOf, refused } from '../views.js';
import { changeCard, type FoundCard, readCardAt, requireCard } from './cards.js';

const idParams = z.object({ id: z.string().max(64) });

export function aliasRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'createAlias',
      method: 'POST',
      path: '/v1/cards/{id}/aliases',
      tag: 'cards',
      summary: 'Add a network token to a card',
      description:
        'A token is a number of its own that stands for the card. Without `pan` a number is issued from the first BIN of the program and returned in full once, in this answer. A repeat with the same Idempotency-Key says `pan_available: false`.',
      access: 'write',
      reveals: 'card_numbers',
      idempotency: 'shard',
      params: idParams,
      body: schemas.aliasCreate,
      errors: [...shardWrite, 'card_exists', 'card_status_final'],
      answers: { 201: { description: 'The network token', schema: schemas.alias } },
      async handle({ params, body, idempotency }) {
        const { shard, card, account } = await requireCard(context, params.id);
        const draft: AliasDraft = {
          op: 'create_alias',
          cardSlot: card.slot,
          expiry: body.expiry === undefined ? card.expiry : Number(body.expiry),
          status: cardStatusOf(body.status),
          ...(idempotency === undefined ? {} : { idempotency: idempotency.tag }),
        };
        const made = await createNumbered(context, {
          ...{ shard, program: account.program, draft, pan: body.pan, key: idempotency, blame: { path: true } },
        });
        const object = { ...aliasObject(context, shard, made.card), ...made.number };
        return { status: 201, body: object, replayed: made.replayed };
      },
    }),
    route({
      id: 'listAliases',
      method: 'GET',
      path: '/v1/cards/{id}/aliases',
      tag: 'cards',
      summary: 'List the network tokens of a card, newest first',
      access: 'read',
      idempotency: 'none',
      params: idParams,
      query: listQuery({}),
      errors: [...shardRead],
      answers: { 200: { description: 'A page of network tokens', schema: schemas.listOf(schemas.alias, 'AliasList') } },
      async handle({ params, query }) {
        const { shard, card } = await requireCard(context, params.id);
        const result = await context.shards.read(shard, { op: 'aliases', cardSlot: card.slot });
        if (!result.ok) throw refused(result, { path: true });
        if (!('cards' in result)) throw new TypeError('the shard answered no tokens');
        const rows = result.cards.map((row) => ({ id: context.ids.encode('alias', shard, row.slot), row }));
        const { items, hasMore } = pageOf(rows, query);
        return listAnswer(
          items.map(({ row }) => aliasObject(context, shard, row)),
          hasMore,
        );
      },
    }),
    route({
      id: 'getAlias',
      method: 'GET',
      path: '/v1/aliases/{id}',
      tag: 'cards',
      summary: 'Read a network token',
      access: 'read',
      idempotency: 'none',
      params: idParams,
      errors: [...shardRead],
      answers: { 200: { description: 'The network token', schema: schemas.alias } },
      async handle({ params }) {
        const found = await readAlias(context, params.id);
        if (found === undefined) throw new ApiError('not_found', 'There is no such network token.');
        return { status: 200, body: aliasObject(context, found.shard, found.card) };
      },
    }),
    route({
      id: 'updateAlias',
      method: 'PATCH',
      path: '/v1/aliases/{id}',
      tag: 'cards',
      summary: 'Change the status of a network token',
      description: 'The card and its other tokens keep theirs.',
      access: 'write',
      idempotency: 'shard',
      params: idParams,
      body: schemas.aliasUpdate,
      errors: [...shardWrite, 'card_status_final'],
      answers: { 200: { description: 'The network token after the change', schema: schemas.alias } },
      async handle({ params, body, idempotency }) {
        const place = context.ids.decode('alias', params.id);
        const status = cardStatusOf(body.status);
        const { shard, card, replayed } = await changeCard(context, place, { status }, idempotency);
        return { status: 200, body: aliasObject(context, shard, card), replayed };
      },
    }),
  ];
}

/** A network token with its account by its public id; undefined when there is none. */
export function readAlias(context: ControlContext, id: string): Promise<FoundCard | undefined> {
  return readCardAt(context, context.ids.decode('alias', id));
}
