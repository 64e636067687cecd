/**
 * Metrics in the Prometheus text format. The hot threads count in shared memory (instruments.ts, shard-instruments.ts); here
 * the cells are read at scrape time and rendered. prom-client serves the process metrics and the text format.
 *
 * Every name of `metricNames` is in every answer, zero-valued where a feature has nothing to say yet, so that a dashboard or an
 * alert never watches a series that does not exist. No label ever names a card, account, merchant or RRN.
 */
import { getHeapStatistics } from 'node:v8';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { Reason, Response, responseText } from '../domain/codes.js';
import { classOf, isAdvice } from '../domain/message.js';
import type { ShardStats } from '../domain/reads.js';
import type { SharedHistogram } from '../instruments.js';
import type { TlsState } from '../server-tls.js';
import { ShardCounter } from '../shard-instruments.js';
import { GC_KINDS, type ThreadVitals } from '../thread-vitals.js';
import type { DeviceStats } from '../vault/payshield/device.js';
import { metricNames } from './metric-table.js';
import { Page } from './metrics-page.js';
import { shardThreadName } from './profiles.js';
import type { ReconStats } from './recon/runs.js';
import { codeName } from './views.js';
import type { WebhookStats } from './webhooks/webhooks.js';
import type { WrongTokenCounts } from './wrong-tokens.js';

/** What a shard thread counts (shard-instruments.ts). */
export interface ThreadInstruments {
  readonly decode: SharedHistogram;
  readonly queue: SharedHistogram;
  readonly decide: SharedHistogram;
  readonly journal: SharedHistogram;
  readonly encode: SharedHistogram;
  /** Records per commit. */
  readonly batch: SharedHistogram;
  /** A counter of `ShardCounter`. */
  counter(counter: number): number;
  eachOutcome(visit: (mti: number, response: number, reason: number, count: number) => void): void;
}

/** What the ingress counts; plain numbers, asked for at scrape time. */
export interface IngressSnapshot {
  readonly connections: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly shed: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  /** Business day of each link by its name, days since 1970; 0 before its first cutover. */
  readonly businessDays?: Readonly<Record<string, number>>;
  /** Free space of the data directory and the reserve, as the disk guard last saw them. */
  readonly disk?: { readonly freeBytes: number; readonly reserveBytes: number };
  /** Lines of the process's log that nobody read in time. */
  readonly logLinesDropped?: number;
  /** Certificates of the links. */
  readonly tls?: readonly TlsState[];
  /** JavaScript memory of the main thread, bytes. */
  readonly memory?: ThreadMemory;
  /** Devices of card cryptography. */
  readonly devices?: readonly DeviceStats[];
}

export interface ThreadMemory {
  readonly heapBytes: number;
  readonly externalBytes: number;
}

/** JavaScript memory of the calling thread. */
export function threadMemory(): ThreadMemory {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return { heapBytes: used_heap_size, externalBytes: external_memory };
}

/** The shards' indexes, from the board of the segments. */
export interface IndexStates {
  /** Shards whose index is full, and shards whose segments are being built anew. */
  readonly full: number;
  readonly rebuilding: number;
  /** Times that the segments of a shard were discarded since the start. */
  readonly discarded: number;
}

export interface TaskState {
  readonly name: string;
  readonly runs: boolean;
  readonly restarts: number;
}

export interface MetricsSources {
  /** By thread index. */
  readonly threads: readonly ThreadInstruments[];
  /** By the name of the thread: main, control, shard-<n>. */
  readonly vitals: readonly (readonly [string, ThreadVitals])[];
  readonly ingress:
    | { readonly route: SharedHistogram; readonly write: SharedHistogram; readonly authorization: SharedHistogram }
    | undefined;
  /** Undefined when the ingress did not answer in time. */
  ingressSnapshot(): Promise<IngressSnapshot | undefined>;
  /** Logical shards of the data directory. */
  readonly shards: number;
  /** One per shard that answered. */
  shardStats(): Promise<readonly ShardStats[]>;
  /** Bytes that wait in the request rings of a thread. */
  queueBytes(thread: number): number;
  /** Debits minus credits over all currencies, as a sum of absolute differences. */
  ledgerImbalance(): Promise<number>;
  indexes(): IndexStates;
  /** Whole seconds by which the wall clock is ahead of the monotonic clock, worst shard; 0 while they agree. */
  clockDifference(): number;
  /** The background tasks. */
  tasks(): readonly TaskState[];
  /** Wrong bearer tokens since the start. */
  wrongTokens(): WrongTokenCounts;
  /** Certificate of the HTTP API, if it has one. */
  tls(): readonly TlsState[];
  events(): EventStats;
  clearing(): ClearingStats;
  recon(): ReconStats;
  /** The newest rotation of each key that can be replaced. */
  rotations(): readonly RotationStats[];
  readonly build: { readonly version: string; readonly node: string };
}

/** The feed's listeners and the deliveries of webhooks. */
export interface EventStats extends WebhookStats {
  readonly listeners: number;
}

export interface RotationStats {
  readonly usage: string;
  /** Share of the rows that are under the key, 0 to 1; 1 when it is done, or there was none. */
  readonly progress: number;
  /** It stands still until the next start. */
  readonly isStalled: boolean;
}

/** Records of clearing files by outcome, since the start, and files by state. */
export interface ClearingStats {
  readonly records: Readonly<Record<string, number>>;
  readonly files: Readonly<Record<string, number>>;
  /** Files that do not go on, and for how long the oldest unfinished one has been there, whole seconds; 0 when there is none. */
  readonly stalled: number;
  readonly waitingSeconds: number;
}

/** Upper bounds in microseconds, 48 us x 2^n to 1.6 s. Each is the bound of a cell, so no cell is split. */
const boundsUs = Array.from({ length: 16 }, (_, n) => 48 * 2 ** n);
/** Every other of them for pauses: 96 us x 4^n. */
const pauseBoundsUs = boundsUs.filter((_, n) => n % 2 === 1);
/** Records per commit: 2^n - 1 is the largest whole number of a cell. */
const batchBounds = [1, 2, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 2047, 4095];

/** Counters of the shard threads that are a metric of their own. */
const counters = {
  holdfast_repeats_total: ShardCounter.repeats,
  holdfast_set_aside_total: ShardCounter.poisoned,
  holdfast_shard_rebuilds_total: ShardCounter.rebuilds,
  holdfast_holds_expired_total: ShardCounter.holdsExpired,
  holdfast_outcomes_uncounted_total: ShardCounter.outcomesLost,
  holdfast_parked_total: ShardCounter.parked,
  holdfast_parked_timeouts_total: ShardCounter.parkTimeouts,
  holdfast_parked_messages: ShardCounter.parkedNow,
} as const;

/** Causes for which a shard answers 91 without a decision. `shard_down` is one of the listeners, too. */
const shardSheds = {
  queue_deadline: ShardCounter.shedDeadline,
  index_full: ShardCounter.shedFull,
  index_rebuilding: ShardCounter.shedIncomplete,
  unknown_advice: ShardCounter.shedAdvice,
  shard_down: ShardCounter.shedDown,
  parking_full: ShardCounter.shedParked,
} as const;

export class Metrics {
  readonly #sources: MetricsSources;
  readonly #registry = new Registry();

  constructor(sources: MetricsSources) {
    this.#sources = sources;
    collectDefaultMetrics({ register: this.#registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async render(): Promise<string> {
    const { ingress, build } = this.#sources;
    const [process, snapshot, stats, imbalance] = await Promise.all([
      this.#registry.metrics(),
      this.#sources.ingressSnapshot(),
      this.#sources.shardStats(),
      this.#sources.ledgerImbalance(),
    ]);
    const page = new Page(metricNames);
    this.#outcomes(page);
    this.#threads(page);
    this.#vitals(page);
    if (ingress !== undefined) {
      for (const stage of ['route', 'write'] as const)
        page.histogram('holdfast_stage_duration_seconds', { stage, shard: 'ingress' }, ingress[stage], boundsUs, 1e6);
      page.histogram('holdfast_authorization_duration_seconds', {}, ingress.authorization, boundsUs, 1e6);
    }
    this.#ingress(page, snapshot);
    for (const device of snapshot?.devices ?? []) this.#device(page, device);
    this.#shards(page, stats);
    this.#background(page);
    const { denied, limited } = this.#sources.wrongTokens();
    page.sample('holdfast_api_wrong_tokens_total', { status: '401' }, denied);
    page.sample('holdfast_api_wrong_tokens_total', { status: '429' }, limited);
    this.#tls(page, [...this.#sources.tls(), ...(snapshot?.tls ?? [])]);
    this.#events(page);
    const { records, files, stalled, waitingSeconds } = this.#sources.clearing();
    for (const [outcome, count] of Object.entries(records))
      page.sample('holdfast_clearing_records_total', { outcome }, count);
    for (const [state, count] of Object.entries(files)) page.sample('holdfast_clearing_files', { state }, count);
    page.sample('holdfast_clearing_stalled_files', {}, stalled);
    page.sample('holdfast_clearing_waiting_seconds', {}, waitingSeconds);
    const { breaks, newestMs, failed } = this.#sources.recon();
    for (const { type, age, count } of breaks) page.sample('holdfast_recon_breaks', { type, age }, count);
    page.sample('holdfast_recon_newest_run_seconds', {}, Math.floor(newestMs / 1000));
    page.sample('holdfast_recon_runs_failed_total', {}, failed);
    for (const { usage, progress, isStalled } of this.#sources.rotations()) {
      page.sample('holdfast_key_rotation_progress_ratio', { usage }, progress);
      page.sample('holdfast_key_rotation_stalled', { usage }, isStalled ? 1 : 0);
    }
    page.sample('holdfast_ledger_imbalance', {}, imbalance);
    page.sample('holdfast_build_info', { version: build.version, node: build.node }, 1);
    return `${page.text()}${process}`;
  }

  /** What lies in the cells of the shard threads. `shard` is the thread: it queues and commits for all its shards at once. */
  #threads(page: Page): void {
    const { threads } = this.#sources;
    for (const [thread, instruments] of threads.entries()) {
      const shard = shardThreadName(thread);
      for (const stage of ['decode', 'queue', 'decide', 'journal', 'encode'] as const)
        page.histogram('holdfast_stage_duration_seconds', { stage, shard }, instruments[stage], boundsUs, 1e6);
      page.histogram('holdfast_journal_commit_duration_seconds', { shard }, instruments.journal, boundsUs, 1e6);
      page.sample('holdfast_shard_queue_depth', { shard }, this.#sources.queueBytes(thread));
    }
    for (const [thread, instruments] of threads.entries()) {
      const heapBytes = instruments.counter(ShardCounter.heapBytes);
      this.#memory(page, shardThreadName(thread), {
        heapBytes,
        externalBytes: instruments.counter(ShardCounter.externalBytes),
      });
    }
    this.#memory(page, 'control', threadMemory());
    const batches = threads.map(({ batch }) => batch);
    page.mergedHistogram('holdfast_journal_batch_records', batches, batchBounds);
    for (const [name, counter] of Object.entries(counters)) page.sample(name, {}, this.#counted(counter));
  }

  #vitals(page: Page): void {
    for (const [thread, { gc, delay, busyUs }] of this.#sources.vitals) {
      for (const kind of GC_KINDS)
        page.histogram('holdfast_gc_pause_seconds', { thread, kind }, gc[kind], pauseBoundsUs, 1e6);
      page.histogram('holdfast_loop_delay_seconds', { thread }, delay, pauseBoundsUs, 1e6);
      page.sample('holdfast_thread_busy_seconds_total', { thread }, busyUs / 1e6);
    }
  }

  #device(
    page: Page,
    { name, breaker, connectionsUp, inFlight, answered, timeouts, late, lost, opened }: DeviceStats,
  ): void {
    const device = { device: name };
    page.sample('holdfast_hsm_connections', device, connectionsUp);
    page.sample('holdfast_hsm_breaker_open', device, breaker === 'closed' ? 0 : 1);
    page.sample('holdfast_hsm_in_flight', device, inFlight);
    for (const [outcome, count] of Object.entries({ answered, timeout: timeouts, late }))
      page.sample('holdfast_hsm_commands_total', { ...device, outcome }, count);
    page.sample('holdfast_hsm_connections_lost_total', device, lost);
    page.sample('holdfast_hsm_breaker_opened_total', device, opened);
  }

  #memory(page: Page, thread: string, { heapBytes, externalBytes }: ThreadMemory): void {
    page.sample('holdfast_thread_memory_bytes', { thread, kind: 'heap' }, heapBytes);
    page.sample('holdfast_thread_memory_bytes', { thread, kind: 'external' }, externalBytes);
  }

  #counted(counter: number): number {
    return this.#sources.threads.reduce((sum, thread) => sum + thread.counter(counter), 0);
  }

  /** What the listeners count, and what the shards refuse. */
  #ingress(page: Page, snapshot: IngressSnapshot | undefined): void {
    for (const [transport, states] of Object.entries(snapshot?.connections ?? {}))
      for (const [state, count] of Object.entries(states))
        page.sample('holdfast_connections', { transport, state }, count);
    const shed = new Map(Object.entries(snapshot?.shed ?? {}));
    for (const [cause, counter] of Object.entries(shardSheds))
      shed.set(cause, (shed.get(cause) ?? 0) + this.#counted(counter));
    for (const [cause, count] of shed) page.sample('holdfast_shed_total', { cause }, count);
    for (const [kind, count] of Object.entries(snapshot?.errors ?? {}))
      page.sample('holdfast_link_errors_total', { kind }, count);
    page.sample('holdfast_log_lines_dropped_total', {}, snapshot?.logLinesDropped ?? 0);
    if (snapshot?.memory !== undefined) this.#memory(page, 'main', snapshot.memory);
    for (const [link, day] of Object.entries(snapshot?.businessDays ?? {}))
      page.sample('holdfast_link_business_date_seconds', { link }, day * 86_400);
    if (snapshot?.disk === undefined) return;
    page.sample('holdfast_disk_free_bytes', {}, snapshot.disk.freeBytes);
    page.sample('holdfast_disk_reserve_bytes', {}, snapshot.disk.reserveBytes);
  }

  #tls(page: Page, states: readonly TlsState[]): void {
    for (const { listener, expirySeconds, taken, refused } of states) {
      page.sample('holdfast_tls_certificate_expiry_seconds', { listener }, expirySeconds);
      for (const [result, count] of Object.entries({ taken, refused }))
        page.sample('holdfast_tls_reloads_total', { listener, result }, count);
    }
  }

  #shards(page: Page, stats: readonly ShardStats[]): void {
    const sum = (pick: (one: ShardStats) => number): number => stats.reduce((total, one) => total + pick(one), 0);
    const lag = Math.max(0, ...stats.map(({ durable, indexedThrough }) => durable - indexedThrough));
    page.sample(
      'holdfast_accounts',
      {},
      sum(({ accounts }) => accounts),
    );
    page.sample(
      'holdfast_cards',
      {},
      sum(({ cards }) => cards),
    );
    page.sample(
      'holdfast_holds_open',
      {},
      sum(({ holdsOpen }) => holdsOpen),
    );
    page.sample('holdfast_shards', {}, this.#sources.shards);
    page.sample('holdfast_shards_answering', {}, stats.length);
    page.sample('holdfast_search_lag_records', {}, lag);
  }

  #background(page: Page): void {
    const { full, rebuilding, discarded } = this.#sources.indexes();
    page.sample('holdfast_shards_refusing', { cause: 'index_full' }, full);
    page.sample('holdfast_shards_refusing', { cause: 'index_rebuilding' }, rebuilding);
    page.sample('holdfast_segment_discards_total', {}, discarded);
    const difference = this.#sources.clockDifference();
    page.sample('holdfast_clock_paused', {}, difference === 0 ? 0 : 1);
    page.sample('holdfast_clock_difference_seconds', {}, difference);
    for (const { name: task, runs, restarts } of this.#sources.tasks()) {
      page.sample('holdfast_background_task_up', { task }, runs ? 1 : 0);
      page.sample('holdfast_background_task_restarts_total', { task }, restarts);
    }
  }

  #events(page: Page): void {
    const { listeners, enabled, disabled, delivered, failed, dead, lag, waiting, deadLetters } = this.#sources.events();
    page.sample('holdfast_event_listeners', {}, listeners);
    for (const [state, count] of Object.entries({ enabled, disabled }))
      page.sample('holdfast_webhooks', { state }, count);
    for (const [result, count] of Object.entries({ delivered, failed, dead }))
      page.sample('holdfast_webhook_deliveries_total', { result }, count);
    page.sample('holdfast_webhook_lag_records', {}, lag);
    page.sample('holdfast_webhook_waiting', {}, waiting);
    page.sample('holdfast_webhook_dead_letters', {}, deadLetters);
  }

  #outcomes(page: Page): void {
    const results = new Map<string, number>();
    const reasons = new Map<string, number>();
    const codes = new Map<string, number>();
    const add = (map: Map<string, number>, key: string, count: number): void => {
      map.set(key, (map.get(key) ?? 0) + count);
    };
    for (const thread of this.#sources.threads) {
      thread.eachOutcome((mti, response, reason, count) => {
        const result = resultOf(mti, response);
        add(results, `${String(mti).padStart(4, '0')} ${result}`, count);
        add(codes, responseText(response), count);
        // An advice that could change nothing has a reason, too, and is no decline.
        if (reason !== Reason.none && (result === 'declined' || result === 'refused'))
          add(reasons, codeName(Reason, reason), count);
      });
    }
    for (const [key, count] of [...results].sort()) {
      const [mti, result] = key.split(' ') as [string, string];
      page.sample('holdfast_authorizations_total', { mti, result }, count);
    }
    for (const [reason, count] of [...reasons].sort()) page.sample('holdfast_declines_total', { reason }, count);
    for (const [code, count] of [...codes].sort()) page.sample('holdfast_responses_total', { code }, count);
  }
}

/**
 * What we decide (requests of authorizations and financial messages) is approved, approved in part or declined. Advices,
 * reversals and file updates tell what has happened: taking note of one is no approval.
 */
function resultOf(mti: number, response: number): string {
  const good = response === Response.approved || response === Response.verified;
  const messageClass = classOf(mti);
  const decides = (messageClass === 1 || messageClass === 2) && !isAdvice(mti);
  if (!decides) return good ? 'accepted' : 'refused';
  if (response === Response.partial) return 'partial';
  return good ? 'approved' : 'declined';
}
