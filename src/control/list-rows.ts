/**
 * Lists of accounts and cards over all shards, newest first. Rows of one shard are numbered in the order of their creation
 * and never move, so a page is a merge of the shards' newest rows, and the place of a cursor in another shard is found by
 * halving over its slots. The order is (creation time, shard, slot), descending.
 */
import { badCursor, cursorOf, Page, type PageQuery } from './list.js';
import type { ShardPort } from './ports.js';

interface Row {
  readonly slot: number;
  readonly createdMs: number;
}

export interface RowSource<R extends Row> {
  /** Up to `limit` rows with slots below `before` (-1: no bound), the newest of them, newest first. */
  read(shard: number, before: number, limit: number): Promise<R[]>;
  /** Up to `limit` rows with slots from `from` on, the oldest of them, newest first. */
  readNewer(shard: number, from: number, limit: number): Promise<R[]>;
  /** Where the object with this id lives. */
  locate(id: string): Promise<Placed<R> | undefined>;
}

/**
 * A source of all rows of a table. The next newer ones are found by counting slots; where some are no rows of the list (those of
 * network tokens among cards) it counts on.
 */
export function wholeTable<R extends Row>(read: RowSource<R>['read']): Pick<RowSource<R>, 'read' | 'readNewer'> {
  return {
    read,
    readNewer: async (shard, from, limit) => {
      const [newest] = await read(shard, -1, 1);
      const rows: R[] = [];
      for (let low = from; newest !== undefined && low <= newest.slot && rows.length < limit; low += limit)
        rows.unshift(...(await read(shard, low + limit, limit)).filter(({ slot }) => slot >= low));
      return rows.slice(-limit);
    },
  };
}

/** A row and its shard. */
export interface Placed<R> {
  shard: number;
  row: R;
}

export async function listRows<R extends Row>(
  port: ShardPort,
  query: PageQuery,
  source: RowSource<R>,
): Promise<Page<Placed<R>>> {
  const page = new Page<Placed<R>>(query);
  const shards = Array.from({ length: port.shards }, (_, shard) => shard);
  const cursor = cursorOf(query);
  const least = query.limit + 1;
  if (cursor === undefined) {
    const rows = await Promise.all(shards.map((shard) => tagged(shard, source.read(shard, -1, least))));
    return page.addAll(rows.flat().sort(newestFirst));
  }
  const place = await source.locate(cursor.id);
  if (place === undefined) throw badCursor(cursor);
  const bounds = await Promise.all(shards.map((shard) => firstNotOlder(source, shard, place)));
  const rows = await Promise.all(
    shards.map((shard) => {
      const bound = bounds[shard]!;
      if (cursor.param === 'starting_after') return tagged(shard, source.read(shard, bound, least));
      return tagged(shard, source.readNewer(shard, shard === place.shard ? bound + 1 : bound, least));
    }),
  );
  return page.addAll(rows.flat().sort(newestFirst));
}

/**
 * The rows of a page as single views have them. Rows come without controls, because a page of them might not fit the ring: those that
 * ever had some of their own are read one by one.
 */
export async function withControls<R extends Row & { readonly controlsSequence: number }>(
  items: readonly Placed<R>[],
  readOne: (item: Placed<R>) => Promise<R>,
): Promise<Placed<R & { controls?: string }>[]> {
  return Promise.all(
    items.map(async (item) => ({
      shard: item.shard,
      row: item.row.controlsSequence === 0 ? { ...item.row, controls: '' } : await readOne(item),
    })),
  );
}

async function tagged<R extends Row>(shard: number, rows: Promise<R[]>): Promise<Placed<R>[]> {
  return (await rows).map((row) => ({ shard, row }));
}

/** Smallest slot of the shard that is not older than the cursor: everything below it stands behind the cursor. */
async function firstNotOlder<R extends Row>(source: RowSource<R>, shard: number, cursor: Placed<R>): Promise<number> {
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

function newestFirst(a: Placed<Row>, b: Placed<Row>): number {
  return b.row.createdMs - a.row.createdMs || b.shard - a.shard || b.row.slot - a.row.slot;
}
