/**
 * Vital signs of one thread of the engine, in shared memory: how long its garbage collector stopped it, how long what came had to
 * wait for it, how long it was at work. Written by the thread, read by the control plane at scrape time.
 *
 * The collector is asked, not listened to: a `PerformanceObserver` tells nothing in a thread that never yields to its event loop. A
 * `GCProfiler` keeps what happened until it is stopped. The next one is started before: a collection in between is told by both, one
 * that falls between two would be told by none.
 *
 * A profiler that was stopped goes on writing 3.5 kB at every collection, in memory that V8 knows nothing of, until it is collected
 * itself (seen with Node 20). One that has survived two collections lies among the old objects, which may take an hour: stopped once a second
 * at four collections per second, they took 130 MB in a minute, and 20 us of each pause, each. So a profiler is stopped behind the first collection that it has seen,
 * and goes with the next one. That something was collected shows by the heap: there is less of it than some ms before.
 */
import { performance } from 'node:perf_hooks';
import { GCProfiler, getHeapStatistics } from 'node:v8';
import { monotonicUs } from './clock.js';
import { SharedHistogram } from './instruments.js';
import { EVENT_LOOP_LOOK_MS, GC_LOOK_MS, GC_TAKE_MS } from './limits.js';

/** Kinds of collections by the names that Node gives them; `weak` are callbacks for what weak references had pointed to. */
export const GC_KINDS = ['minor', 'major', 'incremental', 'weak'] as const;
export type GcKind = (typeof GC_KINDS)[number];

const BUSY_BYTES = 8;
const HISTOGRAMS = GC_KINDS.length + 1;

export function createThreadVitals(): SharedArrayBuffer {
  return new SharedArrayBuffer(HISTOGRAMS * SharedHistogram.bytes + BUSY_BYTES);
}

/** The cells. */
export class ThreadVitals {
  /** Pauses by kind, microseconds. */
  readonly gc: Readonly<Record<GcKind, SharedHistogram>>;
  /**
   * Microseconds that the thread was not to be had: of a shard thread the length of each turn, of one with an event loop how late
   * a timer of EVENT_LOOP_LOOK_MS came.
   */
  readonly delay: SharedHistogram;
  readonly #busyUs: Float64Array;

  constructor(buffer: SharedArrayBuffer) {
    const histogram = (index: number): SharedHistogram => new SharedHistogram(buffer, index * SharedHistogram.bytes);
    this.gc = { minor: histogram(0), major: histogram(1), incremental: histogram(2), weak: histogram(3) };
    this.delay = histogram(GC_KINDS.length);
    this.#busyUs = new Float64Array(buffer, HISTOGRAMS * SharedHistogram.bytes, 1);
  }

  /** Microseconds that the thread was at work, that is, did not sleep, since its start. */
  get busyUs(): number {
    return this.#busyUs[0]!;
  }

  set busyUs(us: number) {
    this.#busyUs[0] = us;
  }
}

/** Takes the collections of the calling thread in. */
export class GcWatch {
  readonly #vitals: ThreadVitals;
  #running = new GCProfiler();
  #next = new GCProfiler();
  #usedBytes = 0;
  #dueUs = 0;

  constructor(vitals: ThreadVitals) {
    this.#vitals = vitals;
    this.#running.start();
  }

  /** Takes in what was collected if there is less in the heap than at the last look, or GC_TAKE_MS have passed. Below a microsecond when not, on a quiet machine. */
  look(nowUs: number): void {
    const { used_heap_size } = getHeapStatistics();
    const isLess = used_heap_size < this.#usedBytes;
    this.#usedBytes = used_heap_size;
    if (!isLess && nowUs < this.#dueUs) return;
    this.#dueUs = nowUs + GC_TAKE_MS * 1000;
    this.take();
  }

  /** Takes in what was collected since the last time: about 20 us for each collection, some 3 us without any. */
  take(): void {
    const ended = this.#running;
    this.#next.start();
    this.#running = this.#next;
    this.#next = ended;
    for (const { gcType, cost } of ended.stop().statistics) this.#vitals.gc[kindOf(gcType)].record(cost);
  }
}

/** @param gcType of V8: https://v8.github.io/api, `GCType` */
function kindOf(gcType: string): GcKind {
  switch (gcType) {
    case 'Scavenge':
    case 'MinorMarkCompact':
    case 'MinorMarkSweep':
      return 'minor';
    case 'IncrementalMarking':
      return 'incremental';
    case 'ProcessWeakCallbacks':
      return 'weak';
    default: // MarkSweepCompact, and All, which says no more
      return 'major';
  }
}

/** Vital signs of a thread that blocks between its turns. */
export class TurnWatch {
  readonly #vitals: ThreadVitals;
  readonly #gc: GcWatch;
  #sinceUs: number;
  #gcDueUs: number;

  /** @param nowUs monotonic clock */
  constructor(vitals: ThreadVitals, nowUs: number) {
    this.#vitals = vitals;
    this.#gc = new GcWatch(vitals);
    this.#sinceUs = nowUs;
    this.#gcDueUs = nowUs;
  }

  /** A turn has ended. */
  turned(nowUs: number): void {
    const us = nowUs - this.#sinceUs;
    this.#sinceUs = nowUs;
    this.#vitals.delay.record(us);
    this.#vitals.busyUs += us;
    if (nowUs < this.#gcDueUs) return;
    this.#gcDueUs = nowUs + GC_LOOK_MS * 1000;
    this.#gc.look(nowUs);
  }

  /** The thread had slept until now. */
  woke(nowUs: number): void {
    this.#sinceUs = nowUs;
  }
}

/** Vital signs of the calling thread, which has an event loop, from now on; it does not keep the thread. Returns what ends it. */
export function watchEventLoop(vitals: ThreadVitals): () => void {
  const gc = new GcWatch(vitals);
  let dueUs = monotonicUs() + EVENT_LOOP_LOOK_MS * 1000;
  const timer = setInterval(() => {
    const nowUs = monotonicUs();
    vitals.delay.record(nowUs - dueUs);
    dueUs = nowUs + EVENT_LOOP_LOOK_MS * 1000;
    vitals.busyUs = performance.eventLoopUtilization().active * 1000;
    gc.look(nowUs);
  }, EVENT_LOOP_LOOK_MS).unref();
  return () => clearInterval(timer);
}
