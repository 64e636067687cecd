/**
 * The webhooks of the installation: definitions and sealed secrets in the system journal, the state of the deliveries in a
 * store of its own, and an endpoint at work for each that is enabled. A change of a webhook ends its endpoint and begins
 * another from what is stored: what was under way goes out once more, which a receiver must be ready for anyway.
 */
import { HoldfastError } from '../../errors.js';
import {
  WEBHOOK_DISABLE_MS,
  WEBHOOK_FLUSH_MS,
  WEBHOOK_STARTS_AT_ONCE,
  WEBHOOK_STARTS_PER_SECOND,
  WEBHOOK_TIMEOUT_MS,
} from '../../limits.js';
import type { Log } from '../../log.js';
import type { SecretBox } from '../../vault/secret-box.js';
import type { ControlContext } from '../context.js';
import type { EventFeed } from '../events/event-feed.js';
import { eventTypes } from '../events/event-types.js';
import type { FeedFilter } from '../events/feed-reader.js';
import { ApiError } from '../problem.js';
import type { SystemRecord, WebhookDefinition } from '../system-log.js';
import type { WebhookRow } from '../system-state.js';
import type { AddressRule } from './address.js';
import type { DeadRow, DeliveryChanges, DeliveryState, DeliveryStore, WaitingRow } from './delivery-store.js';
import { Endpoint } from './endpoint.js';
import { Pace } from './pace.js';
import { Sender } from './sender.js';

export interface WebhookOptions {
  readonly context: ControlContext;
  readonly feed: EventFeed;
  readonly store: DeliveryStore;
  readonly box: SecretBox;
  readonly rule: AddressRule;
  readonly log: Log;
  /** A commit failed: the process must end. */
  readonly onFatal: (error: HoldfastError) => void;
  readonly timeoutMs?: number;
  readonly flushMs?: number;
  readonly disableMs?: number;
  /** Factor on pauses and on the times between attempts. */
  readonly pace?: number;
}

export interface WebhookStats {
  readonly delivered: number;
  readonly failed: number;
  /** Given up since the start. */
  readonly dead: number;
  readonly enabled: number;
  readonly disabled: number;
  /** Durable records that the slowest endpoint has not come to. */
  readonly lag: number;
  /** Events that wait for another attempt, or behind one. */
  readonly waiting: number;
  readonly deadLetters: number;
}

/** Records of a change, and the webhook as it is then. */
export interface WebhookChange {
  readonly records: readonly SystemRecord[];
  readonly object: object;
}

/** How the deliveries of a webhook stand. */
export interface DeliveryHealth {
  readonly lag: number;
  readonly waiting: number;
  readonly deadLetters: number;
  readonly failingSinceMs: number;
  readonly pausedUntilMs: number;
  readonly lastStatus: number;
  readonly lastError: string;
}

export class Webhooks {
  readonly #o: Required<WebhookOptions>;
  readonly #pace = new Pace(WEBHOOK_STARTS_PER_SECOND, WEBHOOK_STARTS_AT_ONCE, performance.now());
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #counts = { delivered: 0, failed: 0, dead: 0 };
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  /** Changes of webhooks happen one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: WebhookOptions) {
    const standard = {
      timeoutMs: WEBHOOK_TIMEOUT_MS,
      flushMs: WEBHOOK_FLUSH_MS,
      disableMs: WEBHOOK_DISABLE_MS,
      pace: 1,
    };
    this.#o = { ...standard, ...options };
  }

  /** Begins to deliver. */
  start(): void {
    this.#timer = setInterval(() => this.#flushByTimer(), this.#o.flushMs);
    for (const { webhook } of this.#o.context.system.webhooks) if (webhook.enabled) this.#open(webhook.id);
  }

  /** Ends the deliveries and stores where they stand. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#turn;
    await Promise.all([...this.#endpoints.values()].map((endpoint) => endpoint.stop()));
    this.#flush();
    this.#endpoints.clear();
  }

  #exclusive<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(change);
    this.#turn = result.catch((error: unknown) => {
      if (error instanceof ApiError) return;
      this.#o.log.error({ err: error }, 'a webhook was not changed');
      if (error instanceof HoldfastError && error.code === 'commit_failed') this.#o.onFatal(error);
    });
    return result;
  }

  /**
   * Writes what `make` makes of a webhook, as it is when its turn has come, to the system journal, and lets its deliveries
   * follow. Gives the object of the change. @throws what `make` throws, and nothing has changed
   */
  change(id: string, make: (row: WebhookRow | undefined) => WebhookChange): Promise<object> {
    return this.#exclusive(async () => {
      const { records, object } = make(this.#o.context.system.webhook(id));
      this.#o.context.system.write(records);
      await this.#reopen(id);
      return object;
    });
  }

  /** Removes a webhook and what it had to deliver. */
  remove(id: string): Promise<void> {
    return this.#exclusive(async () => {
      await this.#close(id);
      this.#o.context.system.write([{ type: 'webhook_removed', id, atMs: this.#o.context.nowMs() }]);
      this.#o.store.remove(id);
    });
  }

  /** Delivers everything behind a place again; what was waiting from before it still waits. */
  replayFrom(id: string, positions: readonly number[]): Promise<void> {
    return this.#exclusive(async () => {
      await this.#close(id);
      const settled = this.#o.store
        .waiting(id)
        .filter(({ shard, sequence }) => sequence > positions[shard]!)
        .map(({ shard, sequence }) => ({ shard, sequence }));
      const state = { ...this.#state(id), positions };
      this.#write(id, { state, settled, waiting: [], dead: [], revived: [] });
      await this.#reopen(id);
    });
  }

  /** Tries dead letters again: all, or those that `wanted` picks. Gives their number. */
  replayDead(id: string, wanted: (row: DeadRow) => boolean): Promise<number> {
    return this.#exclusive(async () => {
      await this.#close(id);
      const revived = this.#o.store.dead(id).filter(wanted);
      const waiting: WaitingRow[] = revived.map(({ shard, sequence, accountSlot }) => ({
        ...{ shard, sequence, accountSlot },
        ...{ attempts: 0, dueMs: 0 },
      }));
      this.#write(id, { waiting, revived, settled: [], dead: [] });
      await this.#reopen(id);
      return revived.length;
    });
  }

  /** Dead letters, oldest first. */
  deadLetters(id: string): readonly DeadRow[] {
    return this.#endpoints.get(id)?.deliveries.dead ?? this.#o.store.dead(id);
  }

  health(id: string): DeliveryHealth {
    const endpoint = this.#endpoints.get(id);
    const deadLetters = this.deadLetters(id).length;
    if (endpoint === undefined) {
      const { positions, failingSinceMs } = this.#state(id);
      const lag = this.#o.feed.reader(positions).lag;
      const waiting = this.#o.store.waiting(id).length;
      return { lag, waiting, deadLetters, failingSinceMs, pausedUntilMs: 0, lastStatus: 0, lastError: '' };
    }
    const { failingSinceMs, pausedUntilMs, last } = endpoint.health;
    const { waiting } = endpoint.deliveries;
    const { status: lastStatus = 0, error: lastError = '' } = last ?? {};
    return { lag: endpoint.lag, waiting, deadLetters, failingSinceMs, pausedUntilMs, lastStatus, lastError };
  }

  get stats(): WebhookStats {
    const endpoints = [...this.#endpoints.values()];
    const sum = (pick: (endpoint: Endpoint) => number): number =>
      endpoints.reduce((total, one) => total + pick(one), 0);
    const all = this.#o.context.system.webhooks;
    const enabled = all.filter(({ webhook }) => webhook.enabled).length;
    return {
      ...this.#counts,
      enabled,
      disabled: all.length - enabled,
      lag: Math.max(0, ...endpoints.map(({ lag }) => lag)),
      waiting: sum(({ deliveries }) => deliveries.waiting),
      deadLetters: sum(({ deliveries }) => deliveries.dead.length),
    };
  }

  #state(id: string): DeliveryState {
    const start = this.#o.context.system.webhook(id)?.webhook.start;
    const now = this.#o.feed.now();
    const { positions, failingSinceMs } = this.#o.store.state(id) ?? { positions: start ?? now, failingSinceMs: 0 };
    // Ahead of the journal: it was restored from an older backup. What it records from here on is delivered.
    return { positions: positions.map((position, shard) => Math.min(position, now[shard]!)), failingSinceMs };
  }

  async #reopen(id: string): Promise<void> {
    await this.#close(id);
    if (this.#o.context.system.webhook(id)?.webhook.enabled === true) this.#open(id);
  }

  async #close(id: string): Promise<void> {
    const endpoint = this.#endpoints.get(id);
    if (endpoint === undefined) return;
    await endpoint.stop();
    this.#flush();
    this.#endpoints.delete(id);
  }

  #open(id: string): void {
    const row = this.#o.context.system.webhook(id);
    if (row === undefined || this.#stopped) return;
    const { context, feed, store, rule, timeoutMs, disableMs, pace, log } = this.#o;
    const { webhook } = row;
    const endpoint = new Endpoint({
      ...{ id, context, feed, disableMs, pace },
      filter: this.#filterOf(webhook),
      state: this.#state(id),
      waiting: store.waiting(id),
      dead: store.dead(id),
      sender: new Sender(webhook.url, rule, timeoutMs),
      secrets: this.#secretsOf(webhook),
      userAgent: `Holdfast/${context.build.version}`,
      allowed: () => this.#pace.take(performance.now()),
      onHopeless: (why) => this.#disable(id, why),
      onOutcome: (outcome) => void this.#counts[outcome]++,
      onLost: (event) => log.warn({ webhook: id, event }, 'an event that waited is not in the journal any more'),
      onReadError: (error) => log.warn({ err: error, webhook: id }, 'an event cannot be read; it is tried again'),
    });
    this.#endpoints.set(id, endpoint);
  }

  #filterOf({ events, account, accountSlot }: WebhookDefinition): FeedFilter {
    const types = new Set(eventTypes.filter((type) => events.includes(type)));
    const place = { shard: this.#o.context.placement(account), slot: accountSlot };
    return { ...(events.includes('*') ? {} : { types }), ...(accountSlot < 0 ? {} : { account: place }) };
  }

  #secretsOf({ id, secrets }: WebhookDefinition): (nowMs: number) => readonly Uint8Array[] {
    const opened = secrets.map(({ sealed, untilMs }) => ({ untilMs, secret: this.#o.box.open(id, sealed) }));
    return (nowMs) => opened.filter(({ untilMs }) => untilMs === 0 || untilMs > nowMs).map(({ secret }) => secret);
  }

  #disable(id: string, disabled: 'failing' | 'gone'): void {
    const change = this.change(id, (row) => {
      if (row === undefined || !row.webhook.enabled) return { records: [], object: {} };
      this.#o.log.warn({ webhook: id, why: disabled }, 'a webhook was disabled');
      return { records: [disabledRecord(row, disabled, this.#o.context.nowMs())], object: {} };
    });
    // Whoever takes the turns has told of a failure.
    change.catch(() => undefined);
  }

  /** A failed commit has been told, and the process ends in order: thrown at a timer it would end this thread first, as a defect. */
  #flushByTimer(): void {
    try {
      this.#flush();
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'commit_failed') throw error;
    }
  }

  #flush(): void {
    const all = new Map<string, DeliveryChanges>();
    for (const [id, endpoint] of this.#endpoints) {
      const changes = endpoint.takeChanges();
      if (changes !== undefined) all.set(id, changes);
    }
    if (all.size > 0) this.#commit(all);
  }

  #write(id: string, changes: DeliveryChanges): void {
    this.#commit(new Map([[id, changes]]));
  }

  #commit(all: ReadonlyMap<string, DeliveryChanges>): void {
    try {
      this.#o.store.write(all);
    } catch (error) {
      if (error instanceof HoldfastError) this.#o.onFatal(error);
      throw error;
    }
  }
}

function disabledRecord(row: WebhookRow, disabled: 'failing' | 'gone', atMs: number): SystemRecord {
  return { type: 'webhook', createdMs: row.createdMs, atMs, webhook: { ...row.webhook, enabled: false, disabled } };
}
