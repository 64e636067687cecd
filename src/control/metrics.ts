/**
 * Metrics in the Prometheus text format. The hot threads count in shared memory (instruments.ts, shard-instruments.ts); here
 * the cells are read at scrape time and rendered. prom-client serves the process metrics and the text format.
 *
 * Every name of `metricNames` is in every answer, zero-valued where a feature has nothing to say yet, so that a dashboard or an
 * alert never watches a series that does not exist. No label ever names a card, account, merchant or RRN.
 */
import { collectDefaultMetrics, Registry } from 'prom-client';
import { Reason, Response, responseText } from '../domain/codes.js';
import type { ShardStats } from '../domain/commands.js';
import { bucketUpperUs, HISTOGRAM_BUCKETS, type SharedHistogram } from '../instruments.js';
import { codeName } from './views.js';

/** What a shard thread counts (shard-instruments.ts). */
export interface ThreadInstruments {
  readonly decode: SharedHistogram;
  readonly queue: SharedHistogram;
  readonly decide: SharedHistogram;
  readonly journal: SharedHistogram;
  readonly encode: SharedHistogram;
  /** Records per commit. */
  readonly batch: SharedHistogram;
  eachOutcome(visit: (mti: number, response: number, reason: number, count: number) => void): void;
}

/** What the ingress counts; plain numbers, asked for at scrape time. */
export interface IngressSnapshot {
  readonly connections: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly shed: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
}

export interface MetricsSources {
  /** By thread index. */
  readonly threads: readonly ThreadInstruments[];
  readonly ingress:
    | { readonly route: SharedHistogram; readonly write: SharedHistogram; readonly authorization: SharedHistogram }
    | undefined;
  /** Undefined when the ingress did not answer in time. */
  ingressSnapshot(): Promise<IngressSnapshot | undefined>;
  /** One per shard that answered. */
  shardStats(): Promise<readonly ShardStats[]>;
  /** Bytes that wait in the request rings of a thread. */
  queueBytes(thread: number): number;
  /** Debits minus credits over all currencies, as a sum of absolute differences. */
  ledgerImbalance(): Promise<number>;
  readonly build: { readonly version: string; readonly node: string };
}

type MetricType = 'counter' | 'gauge' | 'histogram';

/** Every metric of the engine, with its labels; docs/reference/metrics.md lists the same. */
export const metricNames: Readonly<Record<string, { type: MetricType; labels: readonly string[]; help: string }>> = {
  holdfast_authorizations_total: {
    type: 'counter',
    labels: ['mti', 'result'],
    help: 'Decisions by message type and result (approved, partial, declined).',
  },
  holdfast_declines_total: { type: 'counter', labels: ['reason'], help: 'Declined messages by reason.' },
  holdfast_responses_total: { type: 'counter', labels: ['code'], help: 'Answers by DE39.' },
  holdfast_stage_duration_seconds: {
    type: 'histogram',
    labels: ['stage', 'shard'],
    help: 'Time of each stage; decode, decide and encode are sampled.',
  },
  holdfast_authorization_duration_seconds: {
    type: 'histogram',
    labels: [],
    help: 'Last byte read to reply handed to the socket.',
  },
  holdfast_shard_queue_depth: {
    type: 'gauge',
    labels: ['shard'],
    help: 'Bytes that wait in the request rings of the thread.',
  },
  holdfast_journal_commit_duration_seconds: {
    type: 'histogram',
    labels: ['shard'],
    help: 'Time of a commit with its flush to the disk.',
  },
  holdfast_journal_batch_records: { type: 'histogram', labels: [], help: 'Records per commit.' },
  holdfast_connections: { type: 'gauge', labels: ['transport', 'state'], help: 'Connections of the listeners.' },
  holdfast_shed_total: { type: 'counter', labels: ['cause'], help: 'Requests answered 91 by the listeners.' },
  holdfast_link_errors_total: { type: 'counter', labels: ['kind'], help: 'Errors of peers and of replies.' },
  holdfast_accounts: { type: 'gauge', labels: [], help: 'Accounts of all shards.' },
  holdfast_cards: { type: 'gauge', labels: [], help: 'Cards of all shards.' },
  holdfast_holds_open: { type: 'gauge', labels: [], help: 'Open holds of all shards.' },
  holdfast_shards_answering: { type: 'gauge', labels: [], help: 'Shards that answered this scrape.' },
  holdfast_ledger_imbalance: {
    type: 'gauge',
    labels: [],
    help: 'Debits minus credits over the book, absolute, all currencies. Anything but 0 is an incident.',
  },
  holdfast_recon_breaks: {
    type: 'gauge',
    labels: ['type', 'age'],
    help: 'Open reconciliation breaks. Zero in this version, which does not reconcile.',
  },
  holdfast_search_lag_records: {
    type: 'gauge',
    labels: [],
    help: 'Records that the search cannot show yet, worst shard.',
  },
  holdfast_build_info: { type: 'gauge', labels: ['version', 'node'], help: 'Always 1.' },
};

/** Upper bounds in microseconds, 48 us x 2^n to 1.6 s. Each is the bound of a cell, so no cell is split. */
const boundsUs = Array.from({ length: 16 }, (_, n) => 48 * 2 ** n);
/** Records per commit: 2^n - 1 is the largest whole number of a cell. */
const batchBounds = [1, 2, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 2047, 4095];

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
    const { threads, ingress, build } = this.#sources;
    const [process, snapshot, stats, imbalance] = await Promise.all([
      this.#registry.metrics(),
      this.#sources.ingressSnapshot(),
      this.#sources.shardStats(),
      this.#sources.ledgerImbalance(),
    ]);
    const page = new Page();
    this.#outcomes(page);
    for (const [thread, instruments] of threads.entries()) {
      const shard = `thread-${thread}`;
      for (const stage of ['decode', 'queue', 'decide', 'journal', 'encode'] as const)
        page.histogram('holdfast_stage_duration_seconds', { stage, shard }, instruments[stage], boundsUs, 1e6);
      page.histogram('holdfast_journal_commit_duration_seconds', { shard }, instruments.journal, boundsUs, 1e6);
      page.sample('holdfast_shard_queue_depth', { shard }, this.#sources.queueBytes(thread));
    }
    if (ingress !== undefined) {
      for (const stage of ['route', 'write'] as const)
        page.histogram('holdfast_stage_duration_seconds', { stage, shard: 'ingress' }, ingress[stage], boundsUs, 1e6);
      page.histogram('holdfast_authorization_duration_seconds', {}, ingress.authorization, boundsUs, 1e6);
    }
    page.mergedHistogram(
      'holdfast_journal_batch_records',
      threads.map(({ batch }) => batch),
      batchBounds,
    );
    for (const [transport, states] of Object.entries(snapshot?.connections ?? {}))
      for (const [state, count] of Object.entries(states))
        page.sample('holdfast_connections', { transport, state }, count);
    for (const [cause, count] of Object.entries(snapshot?.shed ?? {}))
      page.sample('holdfast_shed_total', { cause }, count);
    for (const [kind, count] of Object.entries(snapshot?.errors ?? {}))
      page.sample('holdfast_link_errors_total', { kind }, count);
    const sum = (pick: (one: ShardStats) => number): number => stats.reduce((total, one) => total + pick(one), 0);
    page.sample(
      'holdfast_accounts',
      {},
      sum((one) => one.accounts),
    );
    page.sample(
      'holdfast_cards',
      {},
      sum((one) => one.cards),
    );
    page.sample(
      'holdfast_holds_open',
      {},
      sum((one) => one.holdsOpen),
    );
    page.sample('holdfast_shards_answering', {}, stats.length);
    page.sample('holdfast_ledger_imbalance', {}, imbalance);
    page.sample('holdfast_search_lag_records', {}, Math.max(0, ...stats.map((one) => one.sequence - one.durable)));
    page.sample('holdfast_build_info', { version: build.version, node: build.node }, 1);
    return `${page.text()}${process}`;
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
        add(results, `${String(mti).padStart(4, '0')} ${resultOf(response)}`, count);
        add(codes, responseText(response), count);
        if (reason !== Reason.none) add(reasons, codeName(Reason, reason), count);
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

function resultOf(response: number): string {
  if (response === Response.approved || response === Response.verified) return 'approved';
  return response === Response.partial ? 'partial' : 'declined';
}

/** Collects samples by name and writes them in the order of `metricNames`. */
class Page {
  readonly #lines = new Map<string, string[]>();

  sample(name: string, labels: Record<string, string>, value: number): void {
    this.#push(name, `${name}${labelText(labels)} ${value}`);
  }

  /** A histogram in seconds (or units, with `scale` 1) with the given upper bounds. */
  histogram(
    name: string,
    labels: Record<string, string>,
    histogram: SharedHistogram,
    bounds: readonly number[],
    scale: number,
  ): void {
    this.#cumulative(name, labels, [histogram], bounds, scale);
  }

  mergedHistogram(name: string, histograms: readonly SharedHistogram[], bounds: readonly number[]): void {
    this.#cumulative(name, {}, histograms, bounds, 1);
  }

  #cumulative(
    name: string,
    labels: Record<string, string>,
    histograms: readonly SharedHistogram[],
    bounds: readonly number[],
    scale: number,
  ): void {
    const counts = new Array<number>(bounds.length).fill(0);
    let total = 0;
    let sum = 0;
    for (const histogram of histograms) {
      sum += histogram.sumUs;
      for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        const count = histogram.bucket(bucket);
        if (count === 0) continue;
        // The total is the sum of the cells, so that +Inf never lies below a bucket while a thread counts on.
        total += count;
        // Units are whole numbers: the largest one in the cell counts.
        const upper = scale === 1 ? Math.ceil(bucketUpperUs(bucket)) - 1 : bucketUpperUs(bucket);
        for (let i = 0; i < bounds.length; i++) if (upper <= bounds[i]!) counts[i]! += count;
      }
    }
    for (let i = 0; i < bounds.length; i++)
      this.#push(name, `${name}_bucket${labelText({ ...labels, le: String(bounds[i]! / scale) })} ${counts[i]}`);
    this.#push(name, `${name}_bucket${labelText({ ...labels, le: '+Inf' })} ${total}`);
    this.#push(name, `${name}_sum${labelText(labels)} ${sum / scale}`);
    this.#push(name, `${name}_count${labelText(labels)} ${total}`);
  }

  #push(name: string, line: string): void {
    const lines = this.#lines.get(name) ?? [];
    this.#lines.set(name, lines);
    lines.push(line);
  }

  text(): string {
    let out = '';
    for (const [name, { type, help, labels }] of Object.entries(metricNames)) {
      out += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
      const lines = this.#lines.get(name) ?? emptySeries(name, type, labels);
      out += `${lines.join('\n')}\n`;
    }
    return out;
  }
}

/** A series at zero for a metric that has nothing to say yet. */
function emptySeries(name: string, type: MetricType, labels: readonly string[]): string[] {
  const none = labelText(Object.fromEntries(labels.map((label) => [label, 'none'])));
  if (type !== 'histogram') return [`${name}${none} 0`];
  const le = labelText({ ...Object.fromEntries(labels.map((label) => [label, 'none'])), le: '+Inf' });
  return [`${name}_bucket${le} 0`, `${name}_sum${none} 0`, `${name}_count${none} 0`];
}

function labelText(labels: Record<string, string>): string {
  const entries = Object.entries(labels);
  if (entries.length === 0) return '';
  const escaped = (value: string): string => value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
  return `{${entries.map(([name, value]) => `${name}="${escaped(value)}"`).join(',')}}`;
}
