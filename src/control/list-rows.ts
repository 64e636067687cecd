/**
 * Lists of accounts and cards over all shards, newest first. Rows of one shard are numbered in the order of their creation
 * and never move, so a page is a merge of the shards' newest rows, and the place of a cursor in another shard is found by
 * halving over its slots. The order is (creation time, shard, slot), descending.
 */
import type { ShardPort } from './ports.js';
import { ApiError } from './problem.js';

interface Row {
  readonly slot: number;
  readonly createdMs: number;
}

export interface RowSource<R extends Row> {
  /** Newest rows first, with slots below `before` (-1: no bound). */
  read(shard: number, before: number, limit: number): Promise<R[]>;
  /** Where the object with this id lives. */
  locate(id: string): Promise<{ shard: number; row: R } | undefined>;
}

export interface Page<R> {
  rows: { shard: number; row: R }[];
  hasMore: boolean;
}

export interface PageQuery {
  limit: number;
  starting_after?: string | undefined;
  ending_before?: string | undefined;
}

export async function listRows<R extends Row>(
  port: ShardPort,
  query: PageQuery,
  source: RowSource<R>,
): Promise<Page<R>> {
  const cursorId = query.starting_after ?? query.ending_before;
  const shards = Array.from({ length: port.shards }, (_, shard) => shard);
  if (cursorId === undefined) {
    const rows = await Promise.all(shards.map((shard) => tagged(source, shard, -1, query.limit + 1)));
    return page(rows.flat().sort(newestFirst), query.limit);
  }
  const cursor = await source.locate(cursorId);
  if (cursor === undefined)
    throw new ApiError('invalid_query', 'The cursor is not the id of an object of this list.', {
      param: query.starting_after === undefined ? 'ending_before' : 'starting_after',
    });
  const bounds = await Promise.all(shards.map((shard) => firstNotOlder(source, shard, cursor)));
  if (query.ending_before === undefined) {
    const rows = await Promise.all(shards.map((shard) => tagged(source, shard, bounds[shard]!, query.limit + 1)));
    return page(rows.flat().sort(newestFirst), query.limit);
  }
  const newer = await Promise.all(
    shards.map((shard) => {
      const from = shard === cursor.shard ? cursor.row.slot + 1 : bounds[shard]!;
      return tagged(source, shard, from + query.limit + 1, query.limit + 1).then((rows) =>
        rows.filter(({ row }) => row.slot >= from),
      );
    }),
  );
  // The newer rows nearest to the cursor are the last ones of the order.
  const all = newer.flat().sort(newestFirst);
  return { rows: all.slice(-query.limit), hasMore: all.length > query.limit };
}

async function tagged<R extends Row>(
  source: RowSource<R>,
  shard: number,
  before: number,
  limit: number,
): Promise<{ shard: number; row: R }[]> {
  if (before === 0) return [];
  return (await source.read(shard, before, limit)).map((row) => ({ shard, row }));
}

/** Smallest slot of the shard that is not older than the cursor: everything below it stands behind the cursor. */
async function firstNotOlder<R extends Row>(
  source: RowSource<R>,
  shard: number,
  cursor: { shard: number; row: R },
): Promise<number> {
  if (shard === cursor.shard) return cursor.row.slot;
  const [newest] = await source.read(shard, -1, 1);
  let low = 0;
  let high = newest === undefined ? 0 : newest.slot + 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    const [row] = await source.read(shard, middle + 1, 1);
    if (row !== undefined && newestFirst({ shard, row }, cursor) > 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function newestFirst(a: { shard: number; row: Row }, b: { shard: number; row: Row }): number {
  return b.row.createdMs - a.row.createdMs || b.shard - a.shard || b.row.slot - a.row.slot;
}

function page<R>(rows: { shard: number; row: R }[], limit: number): Page<R> {
  return { rows: rows.slice(0, limit), hasMore: rows.length > limit };
}
