/**
 * What all lists of the API share: `{object: "list", data, has_more}`, newest first, a page of `limit` objects behind
 * `starting_after` (older) or before `ending_before` (newer). A list brings its objects, newest first; the page takes them.
 */
import { z } from 'zod';
import { ApiError } from './problem.js';
import type { Answer } from './route.js';
import { cursors } from './schemas.js';
import { time } from './views.js';

export interface PageQuery {
  limit: number;
  starting_after?: string | undefined;
  ending_before?: string | undefined;
}

/** Query of a list with filters of its own. */
export function listQuery<S extends z.ZodRawShape>(filters: S) {
  return z.strictObject({ ...cursors, ...filters }).refine((query) => !hasBothCursors(query as unknown as PageQuery), {
    message: 'starting_after and ending_before exclude each other',
    path: ['ending_before'],
  });
}

function hasBothCursors({ starting_after, ending_before }: PageQuery): boolean {
  return starting_after !== undefined && ending_before !== undefined;
}

export interface Cursor {
  readonly id: string;
  readonly param: 'starting_after' | 'ending_before';
}

export function cursorOf({ starting_after, ending_before }: PageQuery): Cursor | undefined {
  if (starting_after !== undefined) return { id: starting_after, param: 'starting_after' };
  if (ending_before !== undefined) return { id: ending_before, param: 'ending_before' };
  return undefined;
}

export function badCursor({ param }: Cursor): ApiError {
  return new ApiError('invalid_query', 'The cursor is not the id of an object of this list.', { param });
}

/**
 * One page. `add` takes objects newest first: those behind the cursor (or all) until it says that the page is full, or, with
 * `ending_before`, all those before the cursor, of which the last ones, the nearest to it, stay.
 */
export class Page<T> {
  readonly items: T[] = [];
  hasMore = false;
  readonly #limit: number;
  readonly #newer: boolean;

  constructor({ limit, ending_before }: PageQuery) {
    this.#limit = limit;
    this.#newer = ending_before !== undefined;
  }

  /** False: the page is full, and there is more. */
  add(item: T): boolean {
    if (this.items.length < this.#limit) {
      this.items.push(item);
      return true;
    }
    this.hasMore = true;
    if (!this.#newer) return false;
    this.items.shift();
    this.items.push(item);
    return true;
  }

  /** Takes a whole sequence, as far as it is needed. */
  addAll(items: Iterable<T>): this {
    for (const item of items) if (!this.add(item)) break;
    return this;
  }
}

/**
 * A page of objects that are all in memory, oldest first, of those that fit: only those from the cursor to the end of the page are
 * looked at.
 */
export function pageOf<T extends { readonly id: string }>(
  oldestFirst: readonly T[],
  query: PageQuery,
  fits: (row: T) => boolean = () => true,
): Page<T> {
  const page = new Page<T>(query);
  const cursor = cursorOf(query);
  if (cursor === undefined) return page.addAll(fitting(oldestFirst, oldestFirst.length - 1, -1, fits));
  const at = oldestFirst.findLastIndex(({ id }) => id === cursor.id);
  if (at < 0 || !fits(oldestFirst[at]!)) throw badCursor(cursor);
  if (cursor.param === 'starting_after') return page.addAll(fitting(oldestFirst, at - 1, -1, fits));
  // The nearest to the cursor, and one more when there is one.
  const newer: T[] = [];
  for (const row of fitting(oldestFirst, at + 1, 1, fits)) if (newer.push(row) > query.limit) break;
  return page.addAll(newer.reverse());
}

/** Rows that fit, from one on, in steps up or down. */
function* fitting<T>(rows: readonly T[], from: number, step: 1 | -1, fits: (row: T) => boolean): Generator<T> {
  for (let at = from; at >= 0 && at < rows.length; at += step) if (fits(rows[at]!)) yield rows[at]!;
}

/**
 * The answer. `nextCursor` is for searches that may end before they have looked at everything: the value for the next
 * `starting_after`, null when the page is whole. `droppedMs`: the list ended where the journal begins; time of the last dropped
 * record, ms since 1970 UTC.
 */
export function listAnswer(
  data: readonly unknown[],
  hasMore: boolean,
  nextCursor?: string | null,
  droppedMs?: number,
): Answer {
  const next = nextCursor === undefined ? {} : { next_cursor: nextCursor };
  const dropped = droppedMs === undefined ? {} : { dropped_before: time(droppedMs + 1) };
  return { status: 200, body: { object: 'list', data, has_more: hasMore, ...next, ...dropped } };
}
