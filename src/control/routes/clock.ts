/** The clocks of the engine: whether they agree, and an operator's word that the wall clock is right. */

import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { READ_CATCH_UP_MS } from '../../limits.js';
import type { ControlContext } from '../context.js';
import { outcomeRecord } from '../once.js';
import { type Route, route } from '../route.js';
import * as schemas from '../schemas.js';
import type { ClockAcceptance } from '../system-log.js';
import { publicTokenId } from '../tokens.js';
import { time } from '../views.js';

const acceptance = z
  .object({
    accepted_at: schemas.timestamp,
    token: z.string().describe('Id of the token that said so.'),
    name: z.string().describe('Name of that token.'),
    difference_seconds: z.int().describe('By how much the wall clock was ahead.'),
  })
  .meta({ id: 'ClockAcceptance' });

const clock = z
  .object({
    object: z.literal('clock'),
    paused: z.boolean().describe('Hold expiry and window roll-over wait.'),
    difference_seconds: z
      .int()
      .describe('Wall clock minus monotonic clock while they differ by more than 5 s, worst shard; else 0.'),
    wall_time: schemas.timestamp,
    last_acceptance: acceptance.nullable(),
  })
  .meta({ id: 'Clock' });

const accepted = z
  .object({
    object: z.literal('clock_acceptance'),
    accepted: z.boolean().describe('False when the clocks agreed already: nothing was recorded.'),
    difference_seconds: z.int(),
    wall_time: schemas.timestamp,
  })
  .meta({ id: 'ClockAccepted' });

const POLL_MS = 10;

export function clockRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'getClock',
      method: 'GET',
      path: '/v1/clock',
      tag: 'operations',
      summary: 'Do wall and monotonic clock agree?',
      access: 'read',
      idempotency: 'none',
      answers: { 200: { description: 'The clocks', schema: clock } },
      handle() {
        const difference = context.clock.difference();
        const last = context.system.clockAcceptance;
        const body = {
          object: 'clock',
          paused: difference !== 0,
          difference_seconds: difference,
          wall_time: time(context.nowMs()),
          last_acceptance: last === undefined ? null : acceptanceObject(last),
        };
        return { status: 200, body };
      },
    }),
    route({
      id: 'acceptClock',
      method: 'POST',
      path: '/v1/clock/accept',
      tag: 'operations',
      summary: 'The wall clock is right as it is now',
      description:
        'Ends the pause of hold expiry and window roll-over: holds whose end has passed by the wall clock are released, which cannot be taken back. Who said so and when is in the system journal before it counts. While the clocks agree it does nothing.',
      access: 'admin',
      idempotency: 'system',
      body: z.strictObject({}),
      answers: { 200: { description: 'What was accepted', schema: accepted } },
      async handle({ idempotency, tokenId }) {
        const nowMs = context.nowMs();
        const difference = context.clock.difference();
        const body = {
          object: 'clock_acceptance',
          accepted: difference !== 0,
          difference_seconds: difference,
          wall_time: time(nowMs),
        };
        const outcome = outcomeRecord(idempotency, 200, body, nowMs);
        if (difference === 0) context.system.write(outcome);
        else {
          const token = tokenId ?? '';
          const row = context.system.tokens.find(({ id }) => publicTokenId(id) === token);
          const record: ClockAcceptance = {
            type: 'clock_accepted',
            token,
            name: row?.name ?? '',
            differenceSeconds: difference,
            atMs: nowMs,
          };
          context.system.write([record, ...outcome]);
          context.clock.accept();
          await followed(context);
        }
        return { status: 200, body };
      },
    }),
  ];
}

/** Waits, for a bounded time, until every shard thread has followed: an idle one wakes four times a second. */
async function followed(context: ControlContext): Promise<void> {
  const deadline = performance.now() + READ_CATCH_UP_MS;
  while (context.clock.difference() !== 0 && performance.now() < deadline) await sleep(POLL_MS);
}

function acceptanceObject({ atMs, token, name, differenceSeconds }: ClockAcceptance): z.input<typeof acceptance> {
  return { accepted_at: time(atMs), token, name, difference_seconds: differenceSeconds };
}
