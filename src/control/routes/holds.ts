/** Holds that are due: what the sweep has to do, or will have until a time. Nothing is changed. */
import { z } from 'zod';
import type { DueSum } from '../../domain/reads.js';
import type { ControlContext } from '../context.js';
import { currencyCode } from '../currencies.js';
import { exactJson } from '../exact-json.js';
import { type Route, route } from '../route.js';
import { shardRead } from '../route-errors.js';
import * as schemas from '../schemas.js';
import { refused, time } from '../views.js';

const sums = {
  currency: z.string(),
  holds: z.int(),
  amount: z.any().meta({ type: 'integer', description: 'What remains on them, minor units; may exceed 2^53.' }),
};

const holdsDue = z
  .object({
    object: z.literal('holds_due'),
    until: schemas.timestamp,
    paused: z.boolean().describe('The sweep waits because wall and monotonic clock differ.'),
    totals: z.array(z.object(sums)),
    shards: z.array(z.object({ shard: z.int(), ...sums })),
  })
  .meta({ id: 'HoldsDue' });

export function holdRoutes(context: ControlContext): Route[] {
  return [
    route({
      id: 'holdsDue',
      method: 'GET',
      path: '/v1/holds/due',
      tag: 'operations',
      summary: 'Which holds would expire until a time?',
      description:
        'A dry run of the sweep: number and remaining amount of the open holds that end until then, per shard and currency. It is counted in parts beside the traffic, so holds that come and go meanwhile may or may not be in it.',
      access: 'read',
      idempotency: 'none',
      query: z.strictObject({ until: schemas.instant.optional().describe('Inclusive, RFC 3339. Default: now.') }),
      errors: [...shardRead],
      answers: { 200: { description: 'What is due', schema: holdsDue } },
      async handle({ query }) {
        const untilMs = query.until ?? context.nowMs();
        const numbers = Array.from({ length: context.shards.shards }, (_, shard) => shard);
        const shards = (await Promise.all(numbers.map((shard) => dueOf(context, shard, untilMs)))).flat();
        const body = exactJson({
          object: 'holds_due',
          until: time(untilMs),
          paused: context.clock.difference() !== 0,
          totals: added(shards).map(shown),
          shards: shards.map(({ shard, ...sum }) => ({ shard, ...shown(sum) })),
        });
        return { status: 200, body, contentType: 'application/json; charset=utf-8' };
      },
    }),
  ];
}

interface Sum {
  currency: number;
  count: number;
  amount: bigint;
}

/** One shard, part after part. */
async function dueOf(context: ControlContext, shard: number, untilMs: number): Promise<(Sum & { shard: number })[]> {
  const parts: DueSum[] = [];
  for (let from = 0; from >= 0; ) {
    const result = await context.shards.read(shard, { op: 'holds_due', untilMs, from });
    if (!result.ok) throw refused(result);
    if (!('due' in result)) throw new TypeError('the shard answered no sums');
    parts.push(...result.due);
    from = result.next;
  }
  return added(parts.map((part) => ({ ...part, amount: BigInt(part.amount) }))).map((sum) => ({ shard, ...sum }));
}

/** One sum per currency, by its number. */
function added(parts: readonly Sum[]): Sum[] {
  const sums = new Map<number, Sum>();
  for (const { currency, count, amount } of parts) {
    const sum = sums.get(currency) ?? { currency, count: 0, amount: 0n };
    sums.set(currency, { currency, count: sum.count + count, amount: sum.amount + amount });
  }
  return [...sums.values()].sort((a, b) => a.currency - b.currency);
}

function shown({ currency, count, amount }: Sum): { currency: string; holds: number; amount: bigint } {
  return { currency: currencyCode(currency), holds: count, amount };
}
