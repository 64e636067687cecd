/** The whole number of a card, for somebody who may see it and says why. */
import { z } from 'zod';
import type { ControlContext } from '../context.js';
import { type Route, route } from '../route.js';
import { shardRead } from '../route-errors.js';
import { addresseeOf } from '../simulator.js';
import { requireCard } from './cards.js';

const params = z.object({ id: z.string().max(64) });
const cardNumber = z
  .object({ object: z.literal('card_number'), card: z.string(), pan: z.string() })
  .meta({ id: 'CardNumber' });

export function cardNumberRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'revealCardNumber',
      method: 'GET',
      path: '/v1/cards/{id}/pan',
      tag: 'cards',
      summary: 'Read the whole number of a card, with a reason',
      description: 'Who asked and why is durable in the audit log before the number is read.',
      access: 'admin',
      idempotency: 'none',
      reveals: 'card_numbers',
      needsReason: true,
      params,
      errors: [...shardRead, 'not_a_card'],
      answers: { 200: { description: 'The number', schema: cardNumber } },
      async handle({ params: { id } }) {
        const { pan } = addresseeOf(context, await requireCard(context, id));
        return { status: 200, body: { object: 'card_number', card: id, pan } };
      },
    }),
  ];
}
