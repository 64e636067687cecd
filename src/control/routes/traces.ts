/** The slowest requests of the last minute, with the times of their stages. */
import { z } from 'zod';
import { TRACES_KEPT } from '../../limits.js';
import { REQUEST_STAGES, type SlowRequest } from '../../slow-request.js';
import type { ControlContext } from '../context.js';
import { type Route, route } from '../route.js';
import * as schemas from '../schemas.js';
import { time } from '../views.js';

const microseconds = z.number().min(0);
const trace = z
  .object({
    received_at: schemas.timestamp,
    total_us: microseconds.describe('Last byte read to reply handed to the socket.'),
    stages_us: z
      .object(Object.fromEntries(REQUEST_STAGES.map((stage) => [stage, microseconds])))
      .describe(
        'One after the other, they add up to the total: ingress (read, decode, find the card), wait (in the ring, and for a device), decide (the turn that answers it), journal (the commits of that turn), reply.',
      ),
    shard: z.int().min(0),
    authorization: z
      .string()
      .nullable()
      .describe(
        'The authorization that its record is, or that it repeats; null for one that was refused without a record.',
      ),
  })
  .meta({ id: 'Trace' });

const traces = z.object({ object: z.literal('traces'), data: z.array(trace).max(TRACES_KEPT) }).meta({ id: 'Traces' });

export function traceRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'getTraces',
      method: 'GET',
      path: '/v1/traces',
      tag: 'operations',
      summary: 'The slowest requests of the last minute, and where their time went',
      description: `At most ${TRACES_KEPT}, slowest first. Kept in memory only. A request that was answered by the listeners themselves (91 before a shard, network messages) is not among them.`,
      access: 'read',
      idempotency: 'none',
      answers: { 200: { description: 'The slowest requests', schema: traces } },
      async handle() {
        const slowest = await context.slowestRequests();
        return { status: 200, body: { object: 'traces', data: slowest.map((one) => traceObject(context, one)) } };
      },
    }),
  ];
}

function traceObject({ ids }: ControlContext, one: SlowRequest): z.input<typeof trace> {
  const { receivedMs, totalUs, stages, shard, sequence } = one;
  return {
    received_at: time(receivedMs),
    total_us: rounded(totalUs),
    stages_us: Object.fromEntries(REQUEST_STAGES.map((stage) => [stage, rounded(stages[stage])])),
    shard,
    authorization: sequence === 0 ? null : ids.encode('auth', shard, sequence),
  };
}

/** Tenths of a microsecond: the clocks tell no more. */
const rounded = (us: number): number => Math.max(0, Math.round(us * 10) / 10);
