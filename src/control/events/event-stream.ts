/**
 * The feed as server-sent events. The client's socket pulls: a page is read from the journal only when the last one has been
 * taken, so a stream holds one page at most, however far behind it is. Who takes nothing for EVENT_STALL_MS is dropped;
 * the last `id:` that reached him is a cursor to go on from.
 */
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  EVENT_HEARTBEAT_MS,
  EVENT_PAGE,
  EVENT_REST_MS_MAX,
  EVENT_REST_RATIO,
  EVENT_STALL_MS,
  EVENT_STREAM_MS_MAX,
} from '../../limits.js';
import { ShardError } from '../ports.js';
import { ApiError } from '../problem.js';
import type { EventFeed } from './event-feed.js';
import type { FeedReader } from './feed-reader.js';

export interface StreamTimes {
  readonly heartbeatMs: number;
  readonly stallMs: number;
  readonly lifeMs: number;
}

const standard: StreamTimes = {
  heartbeatMs: EVENT_HEARTBEAT_MS,
  stallMs: EVENT_STALL_MS,
  lifeMs: EVENT_STREAM_MS_MAX,
};

/** Time in ms that a client waits before it comes back, and that the stream waits for a shard that is out of service. */
const RETRY_MS = 1000;

export class EventStream extends Readable {
  readonly #feed: EventFeed;
  readonly #reader: FeedReader;
  readonly #times: StreamTimes;
  readonly #release: () => void;
  readonly #life: NodeJS.Timeout;
  readonly #forget: () => void;
  #stall: NodeJS.Timeout | undefined;
  #giveUp: () => void = () => undefined;
  #ended = false;

  /** @throws ApiError `too_many_listeners` when no more are taken. */
  constructor(feed: EventFeed, reader: FeedReader, times: StreamTimes = standard) {
    super({ highWaterMark: 1 });
    this.#feed = feed;
    this.#reader = reader;
    this.#times = times;
    this.#release = feed.admit();
    this.#life = setTimeout(() => this.#finish(), times.lifeMs);
    this.#forget = feed.onClose(() => this.#finish());
    this.push(`retry: ${RETRY_MS}\n\n`);
  }

  /** Called when everything pushed before was taken. */
  override _read(): void {
    clearTimeout(this.#stall);
    void this.#next();
  }

  async #next(): Promise<void> {
    try {
      const chunk = await this.#chunk();
      if (this.#ended || this.destroyed) return;
      this.#stall = setTimeout(() => this.destroy(), this.#times.stallMs);
      this.push(chunk);
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  /** The next page, or a sign of life with the place up to which there was nothing. */
  async #chunk(): Promise<string> {
    for (;;) {
      const chunk = await this.#page();
      if (chunk !== '') return chunk;
      const { arrived, giveUp } = this.#feed.news(this.#reader, this.#times.heartbeatMs);
      this.#giveUp = giveUp;
      if (!(await arrived)) return `: nothing new\nid: ${this.#feed.cursor(this.#reader.positions)}\n\n`;
    }
  }

  async #page(): Promise<string> {
    let chunk = '';
    let events = 0;
    const beganMs = performance.now();
    try {
      await this.#reader.read(({ event }, positions) => {
        chunk += `id: ${this.#feed.cursor(positions)}\ndata: ${JSON.stringify(event)}\n\n`;
        return ++events < EVENT_PAGE;
      });
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof ShardError)) throw error;
      // A shard is out of service: what was read before it is whole.
      if (chunk === '') await sleep(RETRY_MS);
    }
    if (events === EVENT_PAGE)
      await sleep(Math.min(EVENT_REST_MS_MAX, (performance.now() - beganMs) * EVENT_REST_RATIO));
    return chunk;
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#giveUp();
    this.push(null);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#ended = true;
    clearTimeout(this.#life);
    clearTimeout(this.#stall);
    this.#forget();
    this.#giveUp();
    this.#release();
    done(error);
  }
}
