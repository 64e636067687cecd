/** One run: generators are placed, connected, started together, watched, and their counters merged. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { monotonicUs } from '#src/clock.js';
import type { Options } from './arguments.js';
import { Block, Counter, codeText, SHED, State } from './counters.js';
import { Generator, type GeneratorConfig, type GeneratorResult } from './generator.js';
import { LatencyHistogram } from './histogram.js';
import { kinds, requestMti } from './kinds.js';
import type { SampledAnswer } from './model.js';
import { type Stage, totalUs } from './schedule.js';
import type { WorkerOrder, WorkerReport } from './worker-thread.js';

/** The server could not be reached, or a generator failed. Ends with status 2. */
export class RunError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RunError';
  }
}

/** Time between "all connected" and the first due message, us: the order to start reaches every thread before it. */
const START_DELAY_US = 20_000;

/** One generator, in a thread or (tests) in this one. */
interface Host {
  readonly connected: Promise<void>;
  readonly done: Promise<GeneratorResult>;
  start(startUs: number): void;
  stop(): void;
  close(): void;
}

function threadHost(config: GeneratorConfig): Host {
  const worker = new Worker(new URL('./worker-thread.js', import.meta.url), {
    workerData: config,
    execArgv: [], // the thread's file is plain JavaScript whatever flags the process was started with
  });
  let finished = false;
  const order = (message: WorkerOrder) => worker.postMessage(message);
  let connected: () => void;
  let failed: (error: Error) => void;
  const whenConnected = new Promise<void>((resolve, reject) => {
    connected = resolve;
    failed = reject;
  });
  const done = new Promise<GeneratorResult>((resolve, reject) => {
    const fail = (error: Error) => {
      failed(error);
      reject(error);
    };
    worker.on('message', (message: WorkerReport) => {
      if (message.report === 'connected') connected();
      else if (message.report === 'failed') fail(new RunError(message.reason));
      else {
        finished = true;
        resolve(message.result);
      }
    });
    worker.on('error', fail);
    worker.on('exit', (status) => {
      if (!finished) fail(new RunError(`a generator thread ended early with status ${status}`));
    });
  });
  done.catch(() => undefined); // reported through `connected` or where the run waits for all
  whenConnected.catch(() => undefined);
  return {
    connected: whenConnected,
    done,
    start: (startUs) => order({ order: 'start', startUs }),
    stop: () => order({ order: 'stop' }),
    close: () => void worker.terminate(),
  };
}

function inlineHost(config: GeneratorConfig): Host {
  const generator = new Generator(config);
  return {
    connected: generator.connect(),
    done: generator.done,
    start: (startUs) => generator.start(startUs),
    stop: () => generator.stop(),
    close: () => generator.close(),
  };
}

/** Merged figures of a run. Counts are of the measured time; what went wrong counts from the warm-up on. */
export interface Outcome {
  readonly startedAt: string;
  /** Length of the measured window, seconds. */
  readonly seconds: number;
  readonly offered: number;
  readonly dropped: number;
  /** Decisions per second that arrived inside the measured window. */
  readonly achievedPerS: number;
  readonly offeredPerS: number;
  readonly answered: number;
  readonly shed: number;
  readonly approved: number;
  readonly declined: number;
  readonly timeouts: number;
  readonly late: number;
  readonly errorsBy: Readonly<Record<string, number>>;
  readonly errors: number;
  readonly unmatched: number;
  readonly duplicates: number;
  readonly reconnects: number;
  readonly substituted: number;
  /** Answers that prove a verified cryptogram. */
  readonly chip: number;
  readonly latency: LatencyHistogram;
  readonly latencyBy: readonly LatencyHistogram[];
  /** Of `latency`, those of messages with chip data. */
  readonly chipLatency: LatencyHistogram;
  readonly service: LatencyHistogram;
  readonly lag: LatencyHistogram;
  readonly byCode: Readonly<Record<string, number>>;
  readonly byMti: Readonly<Record<string, number>>;
  readonly byKind: Readonly<Record<string, { sent: number; answered: number }>>;
  /** Busiest generator's share of its time, 0 to 1. */
  readonly utilization: number;
  /** CPU seconds per second of the whole client process. */
  readonly cpu: number;
  readonly interrupted: boolean;
  readonly problems: readonly string[];
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly sample: readonly SampledAnswer[];
  /** The course of the run, warm-up included. */
  readonly series: readonly SeriesPoint[];
}

/** One second of a run, for the live line. */
export interface Second {
  readonly elapsedS: number;
  readonly offered: number;
  readonly achieved: number;
  readonly inFlight: number;
  readonly latency: LatencyHistogram;
  readonly approvedShare: number;
  readonly errors: number;
  readonly timeouts: number;
  readonly dropped: number;
  readonly lag: LatencyHistogram;
  readonly utilization: number;
  readonly warmingUp: boolean;
}

/** A step of the run's course: SERIES_MIN_MS long, or longer where there would be more than SERIES_POINTS of them. */
export interface SeriesPoint {
  /** Of its end, seconds after the start of the run. */
  readonly at_s: number;
  readonly offered_per_s: number;
  readonly achieved_per_s: number;
  readonly dropped: number;
  readonly in_flight: number;
  /** Response times of what was answered in it, microseconds; null when nothing was. */
  readonly p50_us: number | null;
  readonly p99_us: number | null;
  readonly max_us: number | null;
  readonly warming_up: boolean;
}

const SERIES_MIN_MS = 500;
/** Twice as many are kept of a run that has no planned end; what comes later is not in the series. */
const SERIES_POINTS = 300;

export interface RunOptions {
  readonly options: Options;
  readonly stages: readonly Stage[];
  readonly pans: Uint8Array;
  /** DE14 of all cards, YYMM. */
  readonly expiry: string;
  /** Number of this run: part of every RRN. */
  readonly run: number;
  /** Generators in this thread instead of their own. */
  readonly inline: boolean;
  readonly onSecond: ((second: Second) => void) | undefined;
  /** Hands out a function that stops the run early. */
  readonly onStoppable: (stop: () => void) => void;
}

function configOf(run: RunOptions, worker: number, block: SharedArrayBuffer): GeneratorConfig {
  const { options } = run;
  const workers = options.workers;
  const share = (total: number) => Math.floor(total / workers) + (worker < total % workers ? 1 : 0);
  const warmup: Stage[] = options.warmupUs > 0 ? [{ ...run.stages[0]!, durationUs: options.warmupUs }] : [];
  const connections: number[] = [];
  for (let number = worker; number < options.connections; number += workers) connections.push(number);
  return {
    target: options.target,
    mode: options.mode,
    stages: [...warmup, ...run.stages],
    arrival: options.arrival,
    warmupUs: options.warmupUs,
    durationUs: options.mode === 'closed' ? options.durationUs : totalUs(run.stages),
    requests: Number.isFinite(options.requests) ? share(options.requests) : Number.POSITIVE_INFINITY,
    mix: options.mix,
    accounts: options.accounts,
    distribution: options.distribution,
    amount: options.amount,
    seed: options.seed,
    worker,
    workers,
    connections,
    inFlight: options.inFlight,
    timeoutMs: options.timeoutMs,
    dialect: options.dialect,
    framing: options.framing,
    headerBytes: options.headerBytes,
    echo: options.echo,
    // Spinning needs a core for every generator beside what the engine uses: ingress, one shard, the journal's disk.
    spin: options.pace === 'spin' || (options.pace === 'auto' && availableParallelism() >= workers + 4),
    caFile: options.caFile,
    insecure: options.insecure,
    run: run.run,
    block,
    pans: run.pans,
    chip: options.chip,
    chipPercent: options.chip?.percent ?? 0,
    allConnections: options.connections,
    expiry: run.expiry,
  };
}

/** Runs once. Throws RunError when the target cannot be reached. */
export async function runOnce(run: RunOptions): Promise<Outcome> {
  const { options } = run;
  const blocks = Array.from({ length: options.workers }, () => new Block());
  const hosts = blocks.map((block, worker) => {
    const config = configOf(run, worker, block.buffer);
    return run.inline ? inlineHost(config) : threadHost(config);
  });
  try {
    await Promise.all(hosts.map((host) => host.connected));
  } catch (error) {
    for (const host of hosts) host.close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new RunError(`cannot connect to ${options.target.text}: ${reason}; is the engine running there?`);
  }
  const startedAt = new Date().toISOString();
  const cpuBefore = process.cpuUsage();
  const startUs = monotonicUs() + START_DELAY_US;
  let interruptedUs = Number.NaN;
  for (const host of hosts) host.start(startUs);
  run.onStoppable(() => {
    if (!Number.isNaN(interruptedUs)) return;
    interruptedUs = Math.max(0, monotonicUs() - startUs);
    for (const host of hosts) host.stop();
  });
  const live = run.onSecond ? watch(blocks, startUs, options, 1000, run.onSecond) : undefined;
  const series: SeriesPoint[] = [];
  const course = watch(blocks, startUs, options, seriesStepMs(options), (step) => {
    if (series.length < 2 * SERIES_POINTS) series.push(pointOf(step));
  });
  try {
    const results = await Promise.all(hosts.map((host) => host.done));
    const cpu = process.cpuUsage(cpuBefore);
    const wallUs = monotonicUs() - startUs;
    return merge(options, blocks, results, startedAt, (cpu.user + cpu.system) / wallUs, interruptedUs, series);
  } catch (error) {
    for (const host of hosts) host.close();
    throw error;
  } finally {
    clearInterval(live);
    clearInterval(course);
  }
}

function merge(
  options: Options,
  blocks: readonly Block[],
  results: readonly GeneratorResult[],
  startedAt: string,
  cpu: number,
  interruptedUs: number,
  series: readonly SeriesPoint[],
): Outcome {
  const measured = (counter: Counter) => sum(blocks, (block) => block.measured.numbers[counter]!);
  const whole = (counter: Counter) => measured(counter) + sum(blocks, (block) => block.warm.numbers[counter]!);
  const interrupted = !Number.isNaN(interruptedUs);
  const endUs = interrupted ? interruptedUs : Math.max(...results.map((result) => result.windowEndUs));
  const seconds = Math.max(1e-6, (endUs - options.warmupUs) / 1_000_000);
  const latencyBy = Array.from({ length: kinds.length + 1 }, (_, number) => {
    const merged = new LatencyHistogram();
    for (const block of blocks) merged.add(block.measured.latency[number]!);
    return merged;
  });
  const latency = new LatencyHistogram();
  for (let kind = 0; kind < kinds.length; kind++) latency.add(latencyBy[kind]!);
  const service = new LatencyHistogram();
  const lag = new LatencyHistogram();
  const chipLatency = new LatencyHistogram();
  for (const block of blocks) {
    chipLatency.add(block.measured.chip);
    service.add(block.measured.service);
    lag.add(block.measured.lag);
  }
  const errorsBy = {
    malformed: whole(Counter.malformed),
    unmatched: whole(Counter.unmatched),
    duplicates: whole(Counter.duplicates),
    unexpected_codes: whole(Counter.unexpected),
    chip_unanswered: whole(Counter.chipUnanswered),
    repeat_mismatches: whole(Counter.repeatMismatch),
    connections_lost: whole(Counter.connectionErrors),
    requests_lost: whole(Counter.lost),
  };
  const byCode: Record<string, number> = {};
  const byMti: Record<string, number> = {};
  const byKind: Record<string, { sent: number; answered: number }> = {};
  for (let index = 0; index < 36 * 36; index++) {
    const count = sum(blocks, (block) => block.measured.codes[index]!);
    if (count > 0) byCode[codeText(index)] = count;
  }
  kinds.forEach((kind, number) => {
    const sent = sum(blocks, (block) => block.measured.sent[number]!);
    const answered = sum(blocks, (block) => block.measured.answered[number]!);
    if (sent === 0 && answered === 0) return;
    byKind[kind] = { sent, answered };
    const mti = requestMti[number]!;
    byMti[mti] = (byMti[mti] ?? 0) + answered;
  });
  const low = new Float64Array(options.accounts);
  const high = new Float64Array(options.accounts);
  for (const result of results) {
    for (let card = 0; card < options.accounts; card++) {
      low[card]! += result.low[card]!;
      high[card]! += result.high[card]!;
    }
  }
  const offered = measured(Counter.offered);
  return {
    startedAt,
    seconds,
    offered,
    dropped: measured(Counter.dropped),
    offeredPerS: offered / seconds,
    achievedPerS: measured(Counter.inWindow) / seconds,
    answered: Object.values(byKind).reduce((total, one) => total + one.answered, 0),
    shed: measured(Counter.shed),
    approved: measured(Counter.approved),
    declined: measured(Counter.declined),
    timeouts: whole(Counter.timeouts),
    late: whole(Counter.late),
    errorsBy,
    errors: Object.values(errorsBy).reduce((total, one) => total + one, 0),
    unmatched: errorsBy.unmatched,
    duplicates: errorsBy.duplicates,
    reconnects: whole(Counter.reconnects),
    substituted: measured(Counter.substituted),
    chip: measured(Counter.chip),
    latency,
    latencyBy,
    chipLatency,
    service,
    lag,
    byCode,
    byMti,
    byKind,
    utilization: Math.max(...blocks.map(utilizationOf)),
    cpu,
    interrupted,
    problems: results.flatMap((result) => result.problems),
    low,
    high,
    // Interleaved, so that a cut of the sample still holds answers of every worker.
    sample: interleave(results.map((result) => result.sample)),
    series,
  };
}

function interleave<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  const out: T[] = [];
  for (let i = 0; i < longest; i++) for (const list of lists) if (i < list.length) out.push(list[i]!);
  return out;
}

function sum(blocks: readonly Block[], of: (block: Block) => number): number {
  return blocks.reduce((total, block) => total + of(block), 0);
}

function utilizationOf(block: Block): number {
  const elapsed = block.state[State.elapsedUs]!;
  return elapsed > 0 ? Math.min(1, block.state[State.busyUs]! / elapsed) : 0;
}

function seriesStepMs({ warmupUs, durationUs }: Options): number {
  const plannedMs = (warmupUs + durationUs) / 1000;
  return Number.isFinite(plannedMs) ? Math.max(SERIES_MIN_MS, Math.ceil(plannedMs / SERIES_POINTS)) : SERIES_MIN_MS;
}

function pointOf(step: Second): SeriesPoint {
  const { latency } = step;
  const total = latency.count;
  const of = (us: number) => (total === 0 ? null : us);
  return {
    at_s: Math.round(step.elapsedS * 1000) / 1000,
    offered_per_s: Math.round(step.offered),
    achieved_per_s: Math.round(step.achieved),
    dropped: step.dropped,
    in_flight: step.inFlight,
    p50_us: of(latency.percentile(50, total)),
    p99_us: of(latency.percentile(99, total)),
    max_us: of(latency.max),
    warming_up: step.warmingUp,
  };
}

/** Differences of the shared counters, once in `everyMs`. */
function watch(
  blocks: readonly Block[],
  startUs: number,
  options: Options,
  everyMs: number,
  onSecond: (second: Second) => void,
): NodeJS.Timeout {
  const wrong = [
    Counter.malformed,
    Counter.unmatched,
    Counter.duplicates,
    Counter.unexpected,
    Counter.repeatMismatch,
    Counter.chipUnanswered,
  ];
  const snapshot = () => {
    const latency = new LatencyHistogram();
    const lag = new LatencyHistogram();
    const numbers = new Float64Array(blocks[0]!.measured.numbers.length);
    let answered = 0;
    for (const block of blocks) {
      for (const set of [block.warm, block.measured]) {
        for (let kind = 0; kind < SHED; kind++) latency.add(set.latency[kind]!);
        lag.add(set.lag);
        set.numbers.forEach((value, i) => {
          numbers[i]! += value;
        });
        for (const value of set.answered) answered += value;
      }
    }
    return { latency, lag, numbers, answered, atUs: monotonicUs() };
  };
  let last = snapshot();
  return setInterval(() => {
    const now = snapshot();
    const seconds = (now.atUs - last.atUs) / 1_000_000;
    const since = (counter: Counter) => now.numbers[counter]! - last.numbers[counter]!;
    const answered = now.answered - last.answered;
    onSecond({
      elapsedS: (now.atUs - startUs) / 1_000_000,
      offered: since(Counter.offered) / seconds,
      achieved: (answered - since(Counter.shed)) / seconds,
      inFlight: sum(blocks, (block) => block.state[State.inFlight]!),
      latency: new LatencyHistogram().add(now.latency, last.latency),
      approvedShare: answered === 0 ? Number.NaN : since(Counter.approved) / answered,
      errors: wrong.reduce((total, counter) => total + now.numbers[counter]!, 0),
      timeouts: now.numbers[Counter.timeouts]!,
      dropped: since(Counter.dropped),
      lag: new LatencyHistogram().add(now.lag, last.lag),
      utilization: Math.max(...blocks.map(utilizationOf)),
      warmingUp: now.atUs - startUs < options.warmupUs,
    });
    last = now;
  }, everyMs);
}
