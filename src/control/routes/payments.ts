/** Cardholder payments. */
import { z } from 'zod';
import { EventKind } from '../../domain/codes.js';
import type { ControlContext } from '../context.js';
import { currencyCode, currencyOfCode } from '../currencies.js';
import { isRecorded } from '../history.js';
import { eventId, eventPlace } from '../ids.js';
import { ApiError } from '../problem.js';
import { type Route, route } from '../route.js';
import { journalRead, shardWrite } from '../route-errors.js';
import * as schemas from '../schemas.js';
import { refused } from '../views.js';

export function paymentRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'createPayment',
      method: 'POST',
      path: '/v1/payments',
      tag: 'payments',
      summary: 'Post a payment of the cardholder',
      description: 'Needs an Idempotency-Key. `reference` is unique per account.',
      access: 'write',
      idempotency: 'shard_required',
      approval: 'payments',
      body: schemas.paymentCreate,
      errors: [...shardWrite, 'account_not_found', 'currency_mismatch', 'reference_exists', 'amount_out_of_range'],
      answers: { 201: { description: 'The payment', schema: schemas.payment } },
      async handle({ body, idempotency }) {
        const shard = context.placement(body.account);
        const result = await context.shards.command(shard, {
          op: 'payment',
          account: body.account,
          amount: body.amount,
          currency: currencyOfCode(body.currency)!,
          reference: body.reference,
          ...(idempotency === undefined ? {} : { idempotency: idempotency.tag }),
        });
        if (!result.ok) throw refused(result, { param: paramOf[result.code] ?? '/account' });
        const balanceAfter = 'balanceAfter' in result ? result.balanceAfter : undefined;
        return {
          status: 201,
          body: paymentObject(context, shard, result.sequence, body, balanceAfter ?? null),
          replayed: 'replayed' in result && result.replayed === true,
        };
      },
    }),
    route({
      id: 'getPayment',
      method: 'GET',
      path: '/v1/payments/{id}',
      tag: 'payments',
      summary: 'Read a payment',
      access: 'read',
      idempotency: 'none',
      params: z.object({ id: z.string().max(64) }),
      errors: [...journalRead],
      answers: { 200: { description: 'The payment', schema: schemas.payment } },
      async handle({ params }) {
        const place = eventPlace(context, 'pay', params.id);
        if (place === undefined) throw new ApiError('not_found', 'There is no such payment.');
        const recorded = await isRecorded(context, place.shard, place.number);
        const event = recorded ? context.journal.readEvent(place.shard, place.number) : undefined;
        if (event?.kind !== EventKind.payment) throw new ApiError('not_found', 'There is no such payment.');
        const owner = await context.parties.accountAt(place.shard, event.accountSlot);
        const { amount, reference } = event;
        const fields = { account: owner.id, amount, currency: currencyCode(event.currency), reference };
        return { status: 200, body: paymentObject(context, place.shard, place.number, fields, null) };
      },
    }),
  ];
}

const paramOf: Partial<Record<string, string>> = {
  currency_mismatch: '/currency',
  reference_exists: '/reference',
  amount_out_of_range: '/amount',
};

function paymentObject(
  context: ControlContext,
  shard: number,
  sequence: number,
  fields: { account: string; amount: number; currency: string; reference: string },
  balanceAfter: number | null,
): Record<string, unknown> {
  return {
    object: 'payment',
    id: eventId(context, 'pay', shard, sequence),
    account: fields.account,
    amount: fields.amount,
    currency: fields.currency,
    reference: fields.reference,
    balance_after: balanceAfter,
  };
}
