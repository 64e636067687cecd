/**
 * The simulator's expiry: the hold of an authorization ends now instead of at its time, by the record that the sweep would
 * make. A repeat of the call after a crash finds the hold ended and answers as the first would have.
 */
import { z } from 'zod';
import { EventKind } from '../../domain/codes.js';
import { type AuthorizationDetails, authorizationObject, findRecord } from '../authorizations.js';
import type { ControlContext } from '../context.js';
import { eventId } from '../ids.js';
import { ApiError } from '../problem.js';
import { type Route, route } from '../route.js';
import { journalRead, shardWrite } from '../route-errors.js';
import { simulation } from '../schemas-simulate.js';
import { assertSandbox } from '../simulator.js';
import { refused } from '../views.js';
import { readCard } from './cards.js';

const simulateExpiry = z.strictObject({ authorization: z.string().max(64) }).meta({ id: 'SimulateExpiry' });

export function simulateExpiryRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'simulateExpiry',
      method: 'POST',
      path: '/v1/simulate/expire',
      tag: 'simulator',
      summary: 'End the hold of an authorization now',
      description: 'The record is that of the sweep, which would come at the end of the hold. It cannot be taken back.',
      access: 'simulate',
      idempotency: 'answer',
      body: simulateExpiry,
      errors: [...shardWrite, ...journalRead, 'not_sandbox', 'authorization_not_found', 'not_simulatable'],
      answers: { 201: { description: 'The authorization after the expiry; `iso` is null', schema: simulation } },
      async handle({ body }) {
        const before = await requireAuthorization(context, body.authorization);
        const { shard, sequence, message } = before.record;
        const card = message.cardSlot < 0 ? undefined : context.ids.encode('card', shard, message.cardSlot);
        const found = card === undefined ? undefined : await readCard(context, card);
        if (found === undefined)
          throw new ApiError('not_simulatable', 'The authorization names no card of ours.', {
            param: '/authorization',
          });
        assertSandbox(context, found.account);
        const result = await context.shards.command(shard, { op: 'expire_hold', sequence });
        const after = await requireAuthorization(context, body.authorization);
        // A repeat after a crash: the first request had its effect, and the answer is the same.
        const expiry = after.elements.findLast(({ event }) => event?.kind === EventKind.holdExpired);
        if (!result.ok && !(result.code === 'hold_not_open' && expiry !== undefined))
          throw refused(result, { param: '/authorization' });
        const authorization = authorizationObject(context, after);
        const element = expiry === undefined ? null : eventId(context, 'elem', shard, expiry.sequence);
        return { status: 201, body: { object: 'simulation', authorization, element, iso: null } };
      },
    }),
  ];
}

async function requireAuthorization(context: ControlContext, id: string): Promise<AuthorizationDetails> {
  const found = await findRecord(context, id);
  if (found === undefined)
    throw new ApiError('authorization_not_found', 'There is no such authorization.', { param: '/authorization' });
  return found.details;
}
