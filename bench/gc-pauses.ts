/** Pauses by the garbage collectors of the engine's threads between two scrapes of its metrics. */
import { type Scrape, Span } from '#src/cli/scrape.js';
import { GC_KINDS } from '#src/thread-vitals.js';

/** What the collector of one kind did in one thread. */
export interface GcPauses {
  readonly thread: string;
  /** minor, major, incremental or weak. */
  readonly kind: string;
  readonly count: number;
  /** Upper bound of the bucket in which a percentile lies, us; Infinity above the last bucket. */
  readonly p999Us: number;
  readonly maxUs: number;
}

const METRIC = 'holdfast_gc_pause_seconds';

/** @throws Error when the metrics have no such histogram: no pause would look like none */
export function gcPausesBetween(before: Scrape, after: Scrape): GcPauses[] {
  const span = new Span(before, after);
  const threads = [...after.by(`${METRIC}_bucket`, 'thread').keys()];
  if (threads.length === 0) throw new Error(`the metrics have no ${METRIC}`);
  const us = (seconds: number | undefined): number => Math.round((seconds ?? 0) * 1e6);
  return threads.flatMap((thread) =>
    GC_KINDS.map((kind): GcPauses => {
      const pauses = span.histogram(METRIC, { thread, kind });
      return { thread, kind, count: pauses.count, p999Us: us(pauses.quantile(0.999)), maxUs: us(pauses.quantile(1)) };
    }),
  );
}
