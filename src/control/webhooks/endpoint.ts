/**
 * Delivers the feed to one endpoint: reads ahead a little, sends what is due, a few at a time and one per account, and tells
 * what became of it. An endpoint that fails again and again is left alone for a while and then asked with one delivery at a
 * time, so that one that is down costs one connection a minute.
 */
import { WEBHOOK_IN_FLIGHT_MAX, WEBHOOK_READ_AHEAD, WEBHOOK_WAITING_MAX } from '../../limits.js';
import type { ControlContext } from '../context.js';
import type { EventFeed } from '../events/event-feed.js';
import { eventAt, type FeedFilter, type FeedReader } from '../events/feed-reader.js';
import { pauseMs, retryMs } from './backoff.js';
import { Deliveries, type Delivery } from './deliveries.js';
import type { DeadRow, DeliveryChanges, DeliveryState, WaitingRow } from './delivery-store.js';
import { type Attempt, isDelivered } from './sender.js';
import { signedHeaders } from './signature.js';

/** Status with which a receiver says that it is gone for good (Standard Webhooks). */
const GONE = 410;

/** Time after which a journal or a shard that could not be read is asked again, ms. */
const READ_AGAIN_MS = 1000;

/** Time after which the allowance is asked for again, ms. */
const STARVED_MS = 5;

/** Longest sleep, ms: everything else wakes. */
const IDLE_MS = 60_000;

export interface EndpointOptions {
  readonly id: string;
  readonly context: ControlContext;
  readonly feed: EventFeed;
  readonly filter: FeedFilter;
  readonly state: DeliveryState;
  readonly waiting: readonly WaitingRow[];
  readonly dead: readonly DeadRow[];
  readonly sender: { post(headers: Readonly<Record<string, string>>, body: string): Promise<Attempt>; close(): void };
  /** Signing secrets in force at a time, the newest first. */
  readonly secrets: (nowMs: number) => readonly Uint8Array[];
  readonly userAgent: string;
  /** The receiver is gone, or nothing was delivered for WEBHOOK_DISABLE_MS. */
  readonly onHopeless: (why: 'gone' | 'failing') => void;
  readonly onOutcome: (outcome: 'delivered' | 'failed' | 'dead') => void;
  readonly onReadError: (error: unknown) => void;
  /** An event that waited is not in the journal any more. */
  readonly onLost: (event: string) => void;
  readonly disableMs: number;
  /** The allowance that all endpoints share. */
  readonly allowed: () => boolean;
  /** Factor on every pause and time between attempts; 1 but in tests. */
  readonly pace: number;
}

export class Endpoint {
  readonly #o: EndpointOptions;
  readonly #deliveries: Deliveries;
  readonly #reader: FeedReader;
  #failingSinceMs: number;
  /** Failures in a row. */
  #failures = 0;
  #pausedUntilMs = 0;
  #sending = 0;
  /** Something is due that the allowance of all endpoints does not cover. */
  #starved = false;
  #last: (Attempt & { atMs: number }) | undefined;
  #stopped = false;
  #wake: () => void = () => undefined;
  #stored: string;
  readonly #ended: Promise<void>;

  constructor(options: EndpointOptions) {
    this.#o = options;
    const { state, waiting, dead, feed, filter } = options;
    this.#deliveries = new Deliveries(state.positions, waiting, dead);
    this.#failingSinceMs = state.failingSinceMs;
    this.#stored = JSON.stringify(state);
    this.#reader = feed.reader(state.positions, filter);
    this.#ended = this.#run();
  }

  /** Durable records that this endpoint has not come to. */
  get lag(): number {
    return this.#reader.lag;
  }

  get deliveries(): Pick<Deliveries, 'fresh' | 'waiting' | 'dead'> {
    return this.#deliveries;
  }

  /** How it stands, for whoever owns it. */
  get health(): { failingSinceMs: number; pausedUntilMs: number; last: (Attempt & { atMs: number }) | undefined } {
    return { failingSinceMs: this.#failingSinceMs, pausedUntilMs: this.#pausedUntilMs, last: this.#last };
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const readAgainMs = await this.#read();
      this.#send();
      await this.#sleep(readAgainMs);
    }
  }

  get #mayRead(): boolean {
    return this.#deliveries.fresh < WEBHOOK_READ_AHEAD && this.#deliveries.waiting < WEBHOOK_WAITING_MAX;
  }

  /** Fills up what is read ahead. Gives the time after which to try again when that failed, ms. */
  async #read(): Promise<number> {
    if (!this.#mayRead || this.#reader.lag === 0) return IDLE_MS;
    try {
      await this.#reader.read((placed, positions) => {
        if (this.#stopped) return false;
        this.#deliveries.add(placed, JSON.stringify(placed.event));
        this.#deliveries.readUpTo(positions);
        return this.#mayRead;
      });
      if (!this.#stopped) this.#deliveries.readUpTo(this.#reader.positions);
      return IDLE_MS;
    } catch (error) {
      this.#o.onReadError(error);
      return READ_AGAIN_MS;
    }
  }

  #send(): void {
    const nowMs = this.#o.context.nowMs();
    if (nowMs < this.#pausedUntilMs) return;
    const most = this.#pausedUntilMs > 0 ? 1 : WEBHOOK_IN_FLIGHT_MAX;
    this.#starved = false;
    while (this.#sending < most) {
      const due = this.#deliveries.dueMs;
      if (due === undefined || due > nowMs) return;
      this.#starved = !this.#o.allowed();
      if (this.#starved) return;
      const delivery = this.#deliveries.next(nowMs);
      if (delivery === undefined) return;
      this.#sending++;
      void this.#deliver(delivery);
    }
  }

  async #deliver(delivery: Delivery): Promise<void> {
    let attempt: Attempt | 'lost' | undefined;
    try {
      attempt = await this.#attempt(delivery);
    } catch (error) {
      this.#o.onReadError(error);
      delivery.dueMs = this.#o.context.nowMs() + READ_AGAIN_MS;
    }
    this.#sending--;
    if (this.#stopped) return;
    if (attempt === undefined) this.#deliveries.untouched(delivery);
    else if (attempt === 'lost') this.#deliveries.delivered(delivery);
    else this.#settle(delivery, attempt);
    this.#wake();
  }

  /** 'lost': the journal was restored from an older backup and does not have the event. */
  async #attempt({ body, shard, sequence }: Delivery): Promise<Attempt | 'lost'> {
    const { context, sender, secrets, userAgent } = this.#o;
    const id = context.ids.encode('evt', shard, sequence);
    const event = body === undefined ? await eventAt(context, shard, sequence) : undefined;
    const text = body ?? (event && JSON.stringify(event));
    if (text === undefined) {
      this.#o.onLost(id);
      return 'lost';
    }
    const nowMs = context.nowMs();
    const signed = signedHeaders(secrets(nowMs), id, nowMs, text);
    return sender.post({ ...signed, 'content-type': 'application/json', 'user-agent': userAgent }, text);
  }

  #settle(delivery: Delivery, attempt: Attempt): void {
    const atMs = this.#o.context.nowMs();
    this.#last = { ...attempt, atMs };
    if (isDelivered(attempt)) {
      this.#failures = 0;
      this.#failingSinceMs = 0;
      this.#pausedUntilMs = 0;
      this.#deliveries.delivered(delivery);
      this.#o.onOutcome('delivered');
      return;
    }
    const { pace, disableMs, onHopeless, onOutcome } = this.#o;
    this.#failures++;
    this.#failingSinceMs ||= atMs;
    const pause = pauseMs(this.#failures) * pace;
    if (pause > 0) this.#pausedUntilMs = atMs + pause;
    // eslint-disable-next-line no-restricted-syntax -- spreads attempts over time, and is no secret
    const wait = retryMs(delivery.attempts + 1, Math.random()) * pace;
    const dead = this.#deliveries.failed(delivery, { ...attempt, atMs, retryMs: wait });
    onOutcome(dead ? 'dead' : 'failed');
    if (attempt.status === GONE) onHopeless('gone');
    else if (atMs - this.#failingSinceMs >= disableMs) onHopeless('failing');
  }

  /** Until something is due, something has come, or a delivery has ended. */
  async #sleep(readAgainMs: number): Promise<void> {
    if (this.#stopped) return;
    const nowMs = this.#o.context.nowMs();
    const due = this.#deliveries.dueMs;
    const full = this.#sending >= WEBHOOK_IN_FLIGHT_MAX;
    const dueIn = due === undefined || full ? IDLE_MS : Math.max(due, this.#pausedUntilMs) - nowMs;
    const busy = this.#pausedUntilMs > 0 && this.#sending > 0;
    const ms = this.#starved ? STARVED_MS : Math.max(1, Math.min(readAgainMs, IDLE_MS, busy ? IDLE_MS : dueIn));
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const timer = setTimeout(this.#wake, ms);
    const listens = this.#mayRead && readAgainMs === IDLE_MS && !this.#o.feed.closed;
    const news = listens ? this.#o.feed.news(this.#reader, ms) : undefined;
    void news?.arrived.then(this.#wake);
    await woken;
    clearTimeout(timer);
    news?.giveUp();
  }

  /** What has changed since the last call, to be stored; undefined when nothing has. */
  takeChanges(): DeliveryChanges | undefined {
    const state = { positions: this.#deliveries.positions, failingSinceMs: this.#failingSinceMs };
    const rows = this.#deliveries.takeChanges();
    const text = JSON.stringify(state);
    const same = text === this.#stored && Object.values(rows).every((list: readonly unknown[]) => list.length === 0);
    if (same) return undefined;
    this.#stored = text;
    return { state, ...rows };
  }

  /** Ends it; what is under way has no outcome and is sent again by the next one. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    this.#o.sender.close();
    await this.#ended;
  }
}
