/**
 * Ids of things that are one journal record: payments, ledger entries, disputes, statements, elements of authorizations. They are the encrypted
 * position of the record (vault/public-ids.ts) under a prefix of their own.
 */
import type { ControlContext } from './context.js';

export type EventPrefix = 'pay' | 'entry' | 'disp' | 'stmt' | 'elem';

export function eventId(context: ControlContext, prefix: EventPrefix, shard: number, sequence: number): string {
  return prefix + context.ids.encode('evt', shard, sequence).slice('evt'.length);
}

export function eventPlace(
  context: ControlContext,
  prefix: EventPrefix,
  id: string,
): { shard: number; number: number } | undefined {
  if (!id.startsWith(`${prefix}_`)) return undefined;
  const place = context.ids.decode('evt', `evt${id.slice(prefix.length)}`);
  return place === undefined || place.shard >= context.shards.shards ? undefined : place;
}
