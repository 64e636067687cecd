/** What the engine counts while a load runs: a look each second at /metrics and at the CPU of its threads. */
import { Scrape, Span } from '#src/cli/scrape.js';
import type { EngineProcess } from '../engine-process.js';
import { cpuSecondsByThreadOf } from '../process-cpu.js';

const LOOK_MS = 1000;
/** Seconds at the begin and the end that carried less than this share of the busiest one are not part of the load. */
const BUSY_SHARE = 0.5;

/** One look. */
export interface Look {
  readonly scrape: Scrape;
  /** CPU seconds by thread id; undefined without /proc. */
  readonly threads: ReadonlyMap<number, number> | undefined;
}

/** CPU per message, microseconds. */
export interface CpuFigures {
  /** The main thread: reads, routes, writes. */
  ingressUs: number;
  /** The shard threads together. */
  shardUs: number;
  /** All others: control plane, background tasks, collector and compiler. */
  otherUs: number;
}

/** Of the busy part of a load. Times of a histogram are upper bounds of its cells, each of which is twice the one below. */
export interface LoadWindow {
  seconds: number;
  messages: number;
  cpu: CpuFigures | null;
  commits: {
    count: number;
    records: number;
    /** Time of all commits, of all threads, per message. */
    perMessageUs: number;
    p50Us: number | null;
    p99Us: number | null;
  };
  /** Major collections of all threads, and the longest pause by one. */
  majorCollections: number;
  majorPauseMaxUs: number | null;
  /** Records that the segments of the search index lag behind, at most. */
  searchLagMax: number;
}

export async function look(engine: EngineProcess): Promise<Look> {
  const text = await (await fetch(`http://${engine.admin}/metrics`)).text();
  return { scrape: new Scrape(text, performance.now()), threads: cpuSecondsByThreadOf(engine.pid) };
}

export const searchLag = ({ scrape }: Look): number => scrape.sum('holdfast_search_lag_records');

/** Watches from `begin` to `end`. */
export class LoadWatch {
  readonly #engine: EngineProcess;
  readonly #shardThreads: number;
  readonly #looks: Look[] = [];
  readonly #timer: NodeJS.Timeout;

  private constructor(engine: EngineProcess, shardThreads: number, first: Look) {
    this.#engine = engine;
    this.#shardThreads = shardThreads;
    this.#looks.push(first);
    this.#timer = setInterval(() => {
      // A server that does not answer ends the load, which says so.
      look(engine).then(
        (one) => this.#looks.push(one),
        () => undefined,
      );
    }, LOOK_MS);
  }

  static async begin(engine: EngineProcess): Promise<LoadWatch> {
    const first = await look(engine);
    const threads = first.scrape.by('holdfast_thread_busy_seconds_total', 'thread');
    return new LoadWatch(engine, [...threads.keys()].filter((name) => name.startsWith('shard-')).length, first);
  }

  /** Ends the looks without figures. */
  cancel(): void {
    clearInterval(this.#timer);
  }

  async end(): Promise<LoadWindow> {
    clearInterval(this.#timer);
    const last = await look(this.#engine);
    return windowOf([...this.#looks, last], this.#engine.pid, this.#shardThreads);
  }
}

const messagesOf = ({ scrape }: Look): number => scrape.sum('holdfast_responses_total');

/** Figures of the busy part. @param looks at least two, in order of time @param pid of the engine */
export function windowOf(looks: readonly Look[], pid: number, shardThreads: number): LoadWindow {
  const rates = looks.slice(1).map((one, i) => new Span(looks[i]!.scrape, one.scrape).rate('holdfast_responses_total'));
  const busy = rates.map((rate) => rate > 0 && rate >= BUSY_SHARE * Math.max(...rates));
  const first = Math.max(0, busy.indexOf(true));
  const last = Math.max(0, busy.lastIndexOf(true)) + 1;
  const [from, to] = [looks[first]!, looks[last]!];
  const span = new Span(from.scrape, to.scrape);
  const messages = messagesOf(to) - messagesOf(from);
  const commit = span.histogram('holdfast_journal_commit_duration_seconds');
  const batch = span.histogram('holdfast_journal_batch_records');
  const major = new Span(looks[0]!.scrape, looks.at(-1)!.scrape).histogram('holdfast_gc_pause_seconds', {
    kind: 'major',
  });
  const us = (seconds: number | undefined): number | null =>
    seconds === undefined || !Number.isFinite(seconds) ? null : Math.round(seconds * 1e6);
  return {
    seconds: span.seconds,
    messages,
    cpu: cpuOf(from, to, messages, pid, shardThreads),
    commits: {
      count: commit.count,
      records: batch.sum,
      perMessageUs: messages === 0 ? 0 : (commit.sum * 1e6) / messages,
      p50Us: us(commit.quantile(0.5)),
      p99Us: us(commit.quantile(0.99)),
    },
    majorCollections: major.count,
    majorPauseMaxUs: us(major.quantile(1)),
    searchLagMax: Math.max(...looks.map(searchLag)),
  };
}

/**
 * The main thread has the number of the process. Nothing outside of the process says which threads host shards: under load they are
 * those that take most of the rest.
 */
function cpuOf(from: Look, to: Look, messages: number, pid: number, shardThreads: number): CpuFigures | null {
  const before = from.threads;
  if (before === undefined || to.threads === undefined || messages === 0) return null;
  const each = [...to.threads].map(([thread, seconds]) => ({ thread, took: seconds - (before.get(thread) ?? 0) }));
  const us = (of: readonly { took: number }[]): number =>
    (of.reduce((sum, { took }) => sum + took, 0) * 1e6) / messages;
  const others = each.filter(({ thread }) => thread !== pid).sort((a, b) => b.took - a.took);
  return {
    ingressUs: us(each.filter(({ thread }) => thread === pid)),
    shardUs: us(others.slice(0, shardThreads)),
    otherUs: us(others.slice(shardThreads)),
  };
}
