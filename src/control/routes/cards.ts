/** Cards: issue or register, read, list, change, unblock the PIN. */
import { z } from 'zod';
import { ControlLevel } from '../../domain/controls/spec.js';
import type { AccountView, CardView, UpdateCard } from '../../domain/party-commands.js';
import { digitsOf } from '../../vault/card/bytes.js';
import type { PinReference } from '../../vault/pin-references.js';
import { type CardDraft, createNumbered } from '../card-numbers.js';
import type { ControlContext } from '../context.js';
import { checkControls, patchControls } from '../controls.js';
import type { ClaimedKey } from '../idempotency.js';
import { effectiveControls, type Limits, readLimits, velocityObject } from '../limits-object.js';
import { listAnswer, listQuery } from '../list.js';
import { listRows, type RowSource, wholeTable, withControls } from '../list-rows.js';
import { ApiError } from '../problem.js';
import { type Route, route } from '../route.js';
import { shardRead, shardWrite } from '../route-errors.js';
import * as schemas from '../schemas.js';
import { expandQuery, velocity } from '../schemas-controls.js';
import { cardObject, cardStatusOf, refused } from '../views.js';
import { readAccount } from './accounts.js';

const idParams = z.object({ id: z.string().max(64) });

export function cardRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'createCard',
      method: 'POST',
      path: '/v1/cards',
      tag: 'cards',
      summary: 'Issue a card, or register one by its number',
      description:
        'Without `pan` a number is issued from the first BIN of the program and returned in full once, in this answer. A repeat with the same Idempotency-Key says `pan_available: false`.',
      access: 'write',
      reveals: 'card_numbers',
      idempotency: 'shard',
      body: schemas.cardCreate,
      errors: [...shardWrite, 'account_not_found', 'account_closed', 'card_not_found', 'card_exists', 'card_replaced'],
      answers: { 201: { description: 'The card', schema: schemas.card } },
      async handle({ body, idempotency }) {
        const account = await readAccount(context, body.account);
        if (account === undefined)
          throw new ApiError('account_not_found', 'There is no account with this id.', { param: '/account' });
        const shard = context.placement(body.account);
        const program = context.system.programAt(account.program);
        const draft: CardDraft = {
          op: 'create_card',
          account: body.account,
          expiry: Number(body.expiry),
          cardSequence: body.sequence,
          serviceCode: Number(body.service_code),
          status: cardStatusOf(body.status),
          replacesSlot: body.replaces === undefined ? -1 : await replacedSlot(context, body.replaces, account),
          ...(body.controls === undefined
            ? {}
            : checkControls(body.controls, { level: ControlLevel.card, program, pointer: '/controls' })),
          ...(idempotency === undefined ? {} : { idempotency: idempotency.tag }),
        };
        const made = await createNumbered(context, {
          ...{
            shard,
            program: account.program,
            draft,
            pan: body.pan,
            pin: pinOf(body.pin),
            key: idempotency,
            blame: { param: '/account' },
          },
        });
        const object = { ...cardObject(context, shard, made.card), ...made.number };
        return { status: 201, body: object, replayed: made.replayed };
      },
    }),
    route({
      id: 'listCards',
      method: 'GET',
      path: '/v1/cards',
      tag: 'cards',
      summary: 'List cards, newest first',
      access: 'read',
      idempotency: 'none',
      query: listQuery({ account: schemas.chosenId.optional().describe('Cards of one account.') }),
      errors: [...shardRead],
      answers: { 200: { description: 'A page of cards', schema: schemas.listOf(schemas.card, 'CardList') } },
      async handle({ query }) {
        const page = await listRows<CardView>(context.shards, query, {
          ...(query.account === undefined
            ? wholeTable<CardView>((shard, before, limit) => readCards(context, shard, before, limit))
            : cardsOfAccount(context, query.account)),
          locate: async (id) => {
            const found = await readCard(context, id);
            if (found === undefined || (query.account ?? found.account.id) !== found.account.id) return undefined;
            return { shard: found.shard, row: found.card };
          },
        });
        const items = await withControls(page.items, async ({ shard, row }) => {
          const found = await requireCardAt(context, { shard, number: row.slot });
          return found.card;
        });
        return listAnswer(
          items.map(({ shard, row }) => cardObject(context, shard, row)),
          page.hasMore,
        );
      },
    }),
    route({
      id: 'getCard',
      method: 'GET',
      path: '/v1/cards/{id}',
      tag: 'cards',
      summary: 'Read a card',
      access: 'read',
      idempotency: 'none',
      params: idParams,
      query: expandQuery,
      errors: [...shardRead, 'not_a_card'],
      answers: { 200: { description: 'The card', schema: schemas.card } },
      async handle({ params, query }) {
        if (query.expand === undefined) {
          const found = await requireCard(context, params.id);
          return { status: 200, body: cardObject(context, found.shard, found.card) };
        }
        const limits = await cardLimits(context, params.id);
        const effective = { effective_controls: effectiveControls(context, limits) };
        return { status: 200, body: { ...cardObject(context, limits.shard, limits.card), ...effective } };
      },
    }),
    route({
      id: 'getCardVelocity',
      method: 'GET',
      path: '/v1/cards/{id}/velocity',
      tag: 'cards',
      summary: 'Velocity windows of a card and of its account, with what they hold',
      description: 'A replacement goes on with the counters of the card that it replaces.',
      access: 'read',
      idempotency: 'none',
      params: idParams,
      errors: [...shardRead, 'not_a_card'],
      answers: { 200: { description: 'The windows', schema: velocity } },
      async handle({ params }) {
        return { status: 200, body: velocityObject(context, await cardLimits(context, params.id)) };
      },
    }),
    route({
      id: 'updateCard',
      method: 'PATCH',
      path: '/v1/cards/{id}',
      tag: 'cards',
      summary: 'Change status, controls or PIN of a card',
      access: 'write',
      idempotency: 'shard',
      params: idParams,
      body: schemas.cardUpdate,
      errors: [...shardWrite, 'card_status_final', 'not_a_card'],
      answers: { 200: { description: 'The card after the change', schema: schemas.card } },
      async handle({ params, body, idempotency }) {
        const { shard, number: slot } = requirePlace(context, params.id);
        const command: UpdateCard = {
          op: 'update_card',
          cardSlot: slot,
          ...(body.pin === undefined ? {} : await sealedPin(context, params.id, body.pin)),
          ...(body.status === undefined ? {} : { status: cardStatusOf(body.status) }),
          ...(idempotency === undefined ? {} : { idempotency: idempotency.tag }),
        };
        const result =
          body.controls === undefined
            ? await context.shards.command(shard, command)
            : await patchControls(context, {
                ...{
                  shard,
                  object: `card/${slot}`,
                  level: ControlLevel.card,
                  changes: body.controls,
                  key: idempotency,
                },
                read: async () => {
                  const { card, account } = await requireCard(context, params.id);
                  return { ...card, program: account.program };
                },
                write: (controls) => context.shards.command(shard, { ...command, ...controls }),
              });
        if (!result.ok) throw refused(result, { path: true, param: '/status' });
        if (!('card' in result) || result.card === undefined) throw new TypeError('the shard answered no card');
        return {
          status: 200,
          body: cardObject(context, shard, result.card),
          replayed: result.replayed === true,
        };
      },
    }),
    route({
      id: 'unblockPin',
      method: 'POST',
      path: '/v1/cards/{id}/pin/unblock',
      tag: 'cards',
      summary: 'Give a card its PIN tries back',
      description: 'Sets the count of failed PINs to 0. A card that was not blocked is answered as well.',
      access: 'write',
      idempotency: 'shard',
      params: idParams,
      body: z.strictObject({}),
      errors: [...shardWrite, 'not_a_card'],
      answers: { 200: { description: 'The card after the change', schema: schemas.card } },
      async handle({ params, idempotency }) {
        const place = context.ids.decode('card', params.id);
        const { shard, card, replayed } = await changeCard(context, place, { pinTries: 0 }, idempotency);
        return { status: 200, body: cardObject(context, shard, card), replayed };
      },
    }),
  ];
}

function pinOf(body: schemas.PinReferenceBody | undefined): PinReference | undefined {
  if (body === undefined) return undefined;
  return 'pvv' in body
    ? { method: 'pvv', keyIndex: body.key_index, digits: digitsOf(body.pvv) }
    : { method: 'offset', keyIndex: 0, digits: digitsOf(body.offset) };
}

/** Empty: the card has no PIN any more. */
async function sealedPin(
  context: ControlContext,
  id: string,
  body: schemas.PinReferenceBody | null,
): Promise<Pick<UpdateCard, 'pinReference' | 'sealedFor'>> {
  if (body === null) return { pinReference: new Uint8Array(0) };
  const { card } = await requireCard(context, id);
  const [f0, f1, f2] = card.fingerprint;
  return { pinReference: context.pins.seal({ f0, f1, f2 }, pinOf(body)!), sealedFor: card.fingerprint };
}

/**
 * Changes the card or network token in a slot of a shard.
 * @throws ApiError `not_found`, and what the shard refuses
 */
export async function changeCard(
  context: ControlContext,
  place: { shard: number; number: number } | undefined,
  change: Pick<UpdateCard, 'status' | 'pinTries'>,
  idempotency: ClaimedKey | undefined,
): Promise<{ shard: number; card: CardView; replayed: boolean }> {
  if (place === undefined || place.shard >= context.shards.shards)
    throw new ApiError('not_found', 'There is no such card.');
  const result = await context.shards.command(place.shard, {
    op: 'update_card',
    cardSlot: place.number,
    ...change,
    ...(idempotency === undefined ? {} : { idempotency: idempotency.tag }),
  });
  if (!result.ok) throw refused(result, { path: true, param: '/status' });
  if (!('card' in result) || result.card === undefined) throw new TypeError('the shard answered no card');
  return { shard: place.shard, card: result.card, replayed: result.replayed === true };
}

export interface FoundCard {
  shard: number;
  card: CardView;
  account: AccountView;
}

/** A card with its account by its public id; undefined when there is none. */
export function readCard(context: ControlContext, id: string): Promise<FoundCard | undefined> {
  return readCardAt(context, context.ids.decode('card', id));
}

/** The card or network token in a slot of a shard, with its account; undefined when there is none. */
export async function readCardAt(
  context: ControlContext,
  place: { shard: number; number: number } | undefined,
): Promise<FoundCard | undefined> {
  if (place === undefined || place.shard >= context.shards.shards) return undefined;
  const result = await context.shards.read(place.shard, { op: 'card', slot: place.number });
  if (result.ok) {
    if (!('card' in result)) throw new TypeError('the shard answered no card');
    return { shard: place.shard, card: result.card, account: result.accountView };
  }
  if (result.code === 'card_not_found') return undefined;
  throw refused(result);
}

function requirePlace(context: ControlContext, id: string): { shard: number; number: number } {
  const place = context.ids.decode('card', id);
  if (place === undefined || place.shard >= context.shards.shards)
    throw new ApiError('not_found', 'There is no such card.');
  return place;
}

/** @throws ApiError `not_found` */
export function requireCard(context: ControlContext, id: string): Promise<FoundCard> {
  return requireCardAt(context, context.ids.decode('card', id));
}

async function requireCardAt(context: ControlContext, place: Parameters<typeof readCardAt>[1]): Promise<FoundCard> {
  const found = await readCardAt(context, place);
  if (found === undefined) throw new ApiError('not_found', 'There is no such card.');
  return found;
}

async function readCards(context: ControlContext, shard: number, before: number, limit: number): Promise<CardView[]> {
  const result = await context.shards.read(shard, { op: 'cards', before, limit });
  if (!result.ok) throw refused(result);
  return 'cards' in result ? result.cards : [];
}

/** Reads all cards of the account once: an account has a handful. */
function cardsOfAccount(context: ControlContext, account: string): Pick<RowSource<CardView>, 'read' | 'readNewer'> {
  const home = context.placement(account);
  let cards: Promise<CardView[]> | undefined;
  /** Newest first. */
  const all = (shard: number): Promise<CardView[]> | CardView[] => {
    if (shard !== home) return [];
    cards ??= context.shards.read(home, { op: 'cards_of_account', id: account }).then((result) => {
      if (!result.ok) {
        if (result.code === 'account_not_found') return [];
        throw refused(result);
      }
      return 'cards' in result ? [...result.cards].sort((a, b) => b.slot - a.slot) : [];
    });
    return cards;
  };
  return {
    read: async (shard, before, limit) =>
      (await all(shard)).filter((card) => before < 0 || card.slot < before).slice(0, limit),
    readNewer: async (shard, from, limit) => (await all(shard)).filter((card) => card.slot >= from).slice(-limit),
  };
}

async function replacedSlot(context: ControlContext, id: string, account: AccountView): Promise<number> {
  const found = await readCard(context, id);
  if (found === undefined || found.card.account !== account.id)
    throw new ApiError('card_not_found', 'The replaced card is not a card of this account.', { param: '/replaces' });
  return found.card.slot;
}

async function cardLimits(context: ControlContext, id: string): Promise<Limits & { card: CardView }> {
  const { shard, number: slot } = requirePlace(context, id);
  const { card, ...limits } = await readLimits(context, shard, { op: 'card_limits', slot });
  if (card === undefined) throw new TypeError('the shard answered no card');
  return { ...limits, card };
}
