/**
 * The feed as its clients share it: who waits for something new, and how many may wait at a time. Nobody is woken by the shards, which have better things to do: while somebody waits, a timer looks at their
 * durable sequences, which are words of shared memory.
 */
import { EVENT_STREAMS_MAX, FEED_POLL_MS } from '../../limits.js';
import type { ControlContext } from '../context.js';
import { ApiError } from '../problem.js';
import { refused } from '../views.js';
import { decodeCursor, encodeCursor, type Positions } from './cursor.js';
import type { FeedFilter } from './feed-reader.js';
import { FeedReader } from './feed-reader.js';

interface Waiter {
  readonly reader: Pick<FeedReader, 'lag'>;
  readonly untilMs: number;
  readonly done: (news: boolean) => void;
}

export class EventFeed {
  readonly #context: ControlContext;
  readonly #waiters = new Set<Waiter>();
  readonly #ends = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #listeners = 0;
  #closed = false;

  constructor(context: ControlContext) {
    this.#context = context;
  }

  /** Clients that hold a stream or a long poll. */
  get listeners(): number {
    return this.#listeners;
  }

  get closed(): boolean {
    return this.#closed;
  }

  reader(from: Positions, filter: FeedFilter = {}): FeedReader {
    return new FeedReader(this.#context, from, filter);
  }

  /** Where everything is that is durable now. */
  now(): Positions {
    return this.#each((shard) => this.#context.journal.durable(shard));
  }

  /** Before the first record that is there. */
  beginning(): Positions {
    return this.#each((shard) => this.#context.journal.floor(shard));
  }

  #each(position: (shard: number) => number): number[] {
    return Array.from({ length: this.#context.shards.shards }, (_, shard) => position(shard));
  }

  /**
   * The place that a client names: a cursor, `now`, or `beginning`.
   * @param param name of a query parameter, or pointer into a body
   * @throws ApiError `dropped`: what comes behind it is not in the journal any more; `invalid_query` or `validation_failed`: no cursor of this installation, or one from ahead of its journal (a restored backup).
   */
  place(text: string, param: string): Positions {
    if (text === 'now') return this.now();
    if (text === 'beginning') return this.beginning();
    const now = this.now();
    const place = decodeCursor(text, now.length);
    const wrong =
      place === undefined
        ? 'Not a cursor of this server: take next_cursor, or the id of a stream.'
        : 'The cursor is ahead of the journal: it was made before a restore.';
    if (place?.every((position, shard) => position <= now[shard]!) === true) {
      if (place.every((position, shard) => position >= this.#context.journal.floor(shard))) return place;
      const first = this.cursor(this.beginning());
      throw new ApiError(
        'dropped',
        `Events behind this cursor were dropped. The first ones that are there stand behind ${first}.`,
      );
    }
    throw new ApiError(param.startsWith('/') ? 'validation_failed' : 'invalid_query', wrong, { param });
  }

  /** Where the records of an account are. @throws ApiError `not_found`, `shard_unavailable`; ShardError. */
  async accountPlace(id: string): Promise<{ shard: number; slot: number }> {
    const shard = this.#context.placement(id);
    const result = await this.#context.shards.read(shard, { op: 'account', id });
    if (!result.ok && result.code === 'account_not_found')
      throw new ApiError('not_found', 'There is no account with this id.', { param: 'account' });
    if (!result.ok) throw refused(result);
    if (!('account' in result)) throw new TypeError('the shard answered no account');
    return { shard, slot: result.account.slot };
  }

  cursor(positions: Positions): string {
    return encodeCursor(positions);
  }

  /** Takes one of the places for listeners; the result gives it back. @throws ApiError `too_many_listeners`, `stopping`. */
  admit(): () => void {
    if (this.#closed)
      throw new ApiError('stopping', 'The engine is stopping; nothing was done.', { retryAfterSeconds: 5 });
    if (this.#listeners >= EVENT_STREAMS_MAX)
      throw new ApiError('too_many_listeners', `${EVENT_STREAMS_MAX} clients wait for events already.`, {
        retryAfterSeconds: 5,
      });
    this.#listeners++;
    let held = true;
    return () => {
      if (held) this.#listeners--;
      held = false;
    };
  }

  /** Waits until the reader has something to pass (true), for `ms` at most (false), or until the feed is closed (false). */
  news(reader: Pick<FeedReader, 'lag'>, ms: number): { arrived: Promise<boolean>; giveUp: () => void } {
    let giveUp = (): void => undefined;
    const arrived = new Promise<boolean>((resolve) => {
      if (this.#closed || reader.lag > 0) {
        resolve(!this.#closed);
        return;
      }
      const waiter = { reader, untilMs: performance.now() + ms, done: resolve };
      this.#waiters.add(waiter);
      this.#timer ??= setInterval(() => this.#look(), FEED_POLL_MS);
      giveUp = () => this.#end(waiter, false);
    });
    return { arrived, giveUp };
  }

  #look(): void {
    const nowMs = performance.now();
    for (const waiter of this.#waiters) {
      if (waiter.reader.lag > 0) this.#end(waiter, true);
      else if (nowMs >= waiter.untilMs) this.#end(waiter, false);
    }
  }

  #end(waiter: Waiter, news: boolean): void {
    this.#waiters.delete(waiter);
    waiter.done(news);
    if (this.#waiters.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Calls `end` when the feed is closed; the result takes that back. */
  onClose(end: () => void): () => void {
    this.#ends.add(end);
    return () => void this.#ends.delete(end);
  }

  /** Ends what waits. Call it before the server is closed, which waits for its requests. */
  close(): void {
    this.#closed = true;
    for (const waiter of this.#waiters) this.#end(waiter, false);
    for (const end of this.#ends) end();
    this.#ends.clear();
  }
}
