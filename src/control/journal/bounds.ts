/** What of the journal is still needed, by shard: nothing above these sequences is dropped (decision 0039). */
import type { CheckpointStore } from '../../journal/checkpoint.js';
import type { Bound } from '../../journal/retention-plan.js';
import type { ControlContext } from '../context.js';
import { refused } from '../views.js';
import type { DeliveryStore } from '../webhooks/delivery-store.js';

const ALL = Number.MAX_SAFE_INTEGER;

/** @throws ApiError of a shard that does not answer, ShardError, HoldfastError of a store */
export async function boundsOf(
  context: ControlContext,
  checkpoints: Pick<CheckpointStore, 'meta'>,
  deliveries: Pick<DeliveryStore, 'state' | 'waiting'>,
): Promise<Bound[]> {
  const shards = Array.from({ length: context.shards.shards }, (_, shard) => shard);
  return [
    // A shard without a checkpoint begins at the anchor.
    { by: 'the checkpoint', through: shards.map((shard) => (checkpoints.meta(shard)?.replayFrom ?? ALL) - 1) },
    {
      by: 'the fingerprint segments',
      through: await Promise.all(shards.map((shard) => indexedThrough(context, shard))),
    },
    { by: 'open authorizations', through: await Promise.all(shards.map((shard) => beforeOldestHold(context, shard))) },
    { by: 'webhooks', through: deliveredThrough(context, deliveries) },
    { by: 'the newest reconciliation', through: shards.map((shard) => reconciledBefore(context, shard)) },
  ];
}

async function indexedThrough(context: ControlContext, shard: number): Promise<number> {
  const result = await context.shards.read(shard, { op: 'stats' });
  if (!result.ok) throw refused(result);
  if (!('stats' in result)) throw new TypeError('the shard answered no statistics');
  return result.stats.indexedThrough;
}

async function beforeOldestHold(context: ControlContext, shard: number): Promise<number> {
  let oldest = ALL;
  for (let from = 0; from >= 0; ) {
    const result = await context.shards.read(shard, { op: 'oldest_hold', from });
    if (!result.ok) throw refused(result);
    if (!('oldestHold' in result)) throw new TypeError('the shard answered no hold');
    if (result.oldestHold > 0) oldest = Math.min(oldest, result.oldestHold);
    from = result.next;
  }
  return oldest - 1;
}

/** What every webhook has behind it, disabled ones too: they go on where they were. */
function deliveredThrough(
  { shards, system }: ControlContext,
  deliveries: Pick<DeliveryStore, 'state' | 'waiting'>,
): number[] {
  const through = Array.from({ length: shards.shards }, () => ALL);
  const need = (shard: number, last: number): void => {
    through[shard] = Math.min(through[shard] ?? ALL, last);
  };
  for (const { webhook } of system.webhooks) {
    const positions = deliveries.state(webhook.id)?.positions ?? webhook.start;
    for (const [shard, sequence] of positions.entries()) need(shard, sequence);
    for (const { shard, sequence } of deliveries.waiting(webhook.id)) need(shard, sequence - 1);
  }
  return through;
}

/** The newest run is done again after a start. */
function reconciledBefore({ system }: ControlContext, shard: number): number {
  const span = system.recon.runs.at(-1)?.spans.find((one) => one.shard === shard);
  return span === undefined ? ALL : span.from - 1;
}
