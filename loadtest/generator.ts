/**
 * The sending loop of one generator thread.
 *
 * Open loop: a tick sends everything that is due, one write per connection, then waits for the next due time. A timer
 * of Node is a millisecond coarse, so waits below 2 ms are made of naps (Atomics.wait, which gives the CPU to the engine on
 * a small machine) or of spinning (exact, but takes a core). While it naps an answer lies in the socket: that much is added
 * to its latency, never taken away. Whatever the loop comes late is the send lag, which is reported. A nap ends at the next
 * due time at the latest, where sends are rare. Where they are not it lasts for several of them: most of the cost is that of a
 * write, a wake-up and a turn of the loop, which messages of one tick share.
 *
 * Closed loop: each answer makes room for the next request of its connection. Latency then counts from the actual send, and
 * a stall of the server hides the requests that were not made: good for finding a maximum, not for percentiles.
 */
import { performance } from 'node:perf_hooks';
import { monotonicUs } from '#src/clock.js';
import type { DialectName } from '#src/iso8583/dialects.js';
import type { FramingName } from '#src/iso8583/framing.js';
import type { Target } from './arguments.js';
import { ChipCards } from './chip.js';
import { Connection, type Shared } from './connection.js';
import { Block, Counter, State } from './counters.js';
import { Model, type SampledAnswer } from './model.js';
import { Random } from './random.js';
import { type Arrival, Schedule, type Stage } from './schedule.js';
import { Workload, type WorkloadPlan } from './workload.js';

/** Everything a generator needs; plain data, so that it can be handed to a thread. */
export interface GeneratorConfig extends WorkloadPlan {
  readonly target: Target;
  readonly mode: 'open' | 'closed';
  /** Open loop: the warm-up stage first, if there is one. */
  readonly stages: readonly Stage[];
  readonly arrival: Arrival;
  readonly warmupUs: number;
  /** Measured time; Infinity when only `requests` ends the run. */
  readonly durationUs: number;
  /** Measured sends of this worker; Infinity for no limit. */
  readonly requests: number;
  readonly workers: number;
  /** Numbers of this worker's connections: unique in the run, part of DE41 and DE37. */
  readonly connections: readonly number[];
  readonly inFlight: number;
  readonly timeoutMs: number;
  readonly dialect: DialectName;
  readonly framing: FramingName;
  readonly headerBytes: number;
  readonly echo: boolean;
  readonly spin: boolean;
  readonly caFile: string | undefined;
  readonly insecure: boolean;
  /** Makes the RRNs of this run unlike those of the runs before it. */
  readonly run: number;
  readonly block: SharedArrayBuffer;
  readonly pans: Uint8Array;
  /** DE14 of all cards, YYMM. */
  readonly expiry: string;
  /** Where chip data are signed. */
  readonly chip: { readonly keyFile: string; readonly key: string } | undefined;
  /** Connections of the whole run. */
  readonly allConnections: number;
}

/** What a generator knows at its end beside its block. */
export interface GeneratorResult {
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly sample: readonly SampledAnswer[];
  /** End of the measured window, us after the start. */
  readonly windowEndUs: number;
  readonly lastAnswerUs: number;
  readonly problems: readonly string[];
}

/** Sends per tick at most, so that answers are read in between. */
const TICK_SENDS_MAX = 1024;
/** Messages that one connection takes in a row: a write of several messages costs little more than one of one. */
const RUN_LENGTH = 16;
const NAP_US = 50;
/** From a mean interval below this on naps are long. */
const FREQUENT_US = 100;
const LONG_NAP_US = 250;
/** Waits above this are left to a timer, which may come a millisecond late: it is set that much earlier. */
const TIMER_WAIT_US = 2500;
/** After an interruption, ms to wait for what is in flight. */
const INTERRUPTED_DRAIN_MS = 1000;

export class Generator {
  readonly #config: GeneratorConfig;
  readonly #block: Block;
  readonly #shared: Shared;
  readonly #connections: readonly Connection[];
  readonly #workload: Workload;
  readonly #schedule: Schedule;
  readonly #napCell = new Int32Array(new SharedArrayBuffer(4));
  #nextDueUs = 0;
  #measuredLeft: number;
  #turn = 0;
  #inTurn = 0;
  #sending = false;
  #idleUs = 0;
  #loopEndUs = 0;
  #second = 0;
  #sweep: NodeJS.Timeout | undefined;
  #drain: NodeJS.Timeout | undefined;
  /** End of a closed loop by time. */
  #closedEnd: NodeJS.Timeout | undefined;
  #drainUntilMs = Number.POSITIVE_INFINITY;
  #loopStart = performance.eventLoopUtilization();
  #finish: (result: GeneratorResult) => void = () => undefined;
  /** Settles when everything was sent and answered or given up. */
  readonly done: Promise<GeneratorResult>;

  constructor(config: GeneratorConfig) {
    this.#config = config;
    this.#block = new Block(config.block);
    this.#shared = {
      config,
      block: this.#block,
      model: new Model(config.accounts),
      sampleRandom: new Random(config.seed, config.worker * 8 + 4),
      pans: config.pans,
      chips: config.chip && new ChipCards(config.chip.keyFile, config.chip.key, config.pans),
      startUs: 0,
      de7: 0,
      windowEndUs: config.warmupUs + config.durationUs,
      lastAnswerUs: 0,
      active: false,
      problems: [],
    };
    this.#workload = new Workload(config);
    this.#schedule = new Schedule(config);
    this.#measuredLeft = config.requests;
    this.#connections = config.connections.map(
      (number) => new Connection(this.#shared, number, (connection) => this.#answered(connection)),
    );
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** Opens all connections; rejects with the first failure. */
  async connect(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.link.open()));
    this.#block.state[State.connected] = this.#connections.length;
  }

  /** Starts sending at `startUs` of the system's monotonic clock. */
  start(startUs: number): void {
    this.#shared.startUs = startUs;
    this.#sending = true;
    this.#stamp();
    this.#loopStart = performance.eventLoopUtilization();
    const everyMs = Math.min(250, Math.max(5, this.#config.timeoutMs / 10));
    this.#sweep = setInterval(() => this.#expire(), everyMs);
    const waitMs = Math.max(0, (startUs - monotonicUs()) / 1000);
    this.#loopEndUs = 0;
    setTimeout(() => {
      if (this.#config.mode === 'open') {
        this.#nextDueUs = this.#schedule.next();
        this.#tick();
      } else this.#startClosed();
    }, waitMs);
  }

  /** Stops sending; what is in flight gets a short time to be answered. */
  stop(): void {
    this.#drainUntilMs = performance.now() + Math.min(INTERRUPTED_DRAIN_MS, this.#config.timeoutMs);
    if (this.#sending) this.#endSending(this.#nowUs());
  }

  /** Closes the connections; needed when `connect` failed half-way. */
  close(): void {
    clearInterval(this.#sweep);
    clearInterval(this.#drain);
    for (const connection of this.#connections) connection.link.end();
  }

  #nowUs(): number {
    return monotonicUs() - this.#shared.startUs;
  }

  /** DE7 of the present second, UTC. */
  #stamp(): void {
    const ms = Date.now();
    const second = Math.floor(ms / 1000);
    if (second === this.#second) return;
    this.#second = second;
    const now = new Date(ms);
    const date = (now.getUTCMonth() + 1) * 100 + now.getUTCDate();
    const time = now.getUTCHours() * 10_000 + now.getUTCMinutes() * 100 + now.getUTCSeconds();
    this.#shared.de7 = date * 1_000_000 + time;
  }

  // ---- open loop

  readonly #tick = (): void => {
    if (!this.#sending) return;
    let now = this.#nowUs();
    const idle = !this.#shared.active && this.#nextDueUs > now;
    if (idle) this.#idleUs += now - this.#loopEndUs;
    this.#shared.active = false;
    if (this.#nextDueUs <= now) {
      this.#stamp();
      this.#sendDue(now);
      now = this.#nowUs();
    }
    this.#block.state[State.elapsedUs] = now;
    if (this.#nextDueUs === Number.POSITIVE_INFINITY) {
      this.#endSending(now);
      return;
    }
    this.#loopEndUs = now;
    this.#wait(this.#nextDueUs - now);
  };

  #sendDue(nowUs: number): void {
    const config = this.#config;
    this.#turnTo(this.#turn + 1);
    for (let sends = 0; sends < TICK_SENDS_MAX && this.#nextDueUs <= nowUs; sends++) {
      const due = this.#nextDueUs;
      const set = due >= config.warmupUs ? 1 : 0;
      this.#sendOne(set, due, nowUs);
      this.#nextDueUs = set === 1 && --this.#measuredLeft <= 0 ? this.#end(due) : this.#schedule.next();
    }
    for (const connection of this.#connections) connection.link.flush();
  }

  /** The run ends by count: the window closes one mean interval after the last due time. */
  #end(lastDueUs: number): number {
    const last = this.#config.stages.at(-1);
    const intervalUs = last ? 1_000_000 / last.rate : 0;
    this.#shared.windowEndUs = Math.min(this.#shared.windowEndUs, lastDueUs + intervalUs);
    return Number.POSITIVE_INFINITY;
  }

  #sendOne(set: 0 | 1, dueUs: number, nowUs: number): void {
    const counters = set === 1 ? this.#block.measured : this.#block.warm;
    counters.numbers[Counter.offered]!++;
    this.#workload.useMix(this.#schedule.mix);
    this.#workload.draw();
    if (this.#inTurn >= RUN_LENGTH) this.#turnTo(this.#turn + 1);
    for (let tried = 0; tried < this.#connections.length; tried++) {
      const connection = this.#connections[this.#turn]!;
      if (connection.ready && connection.send(this.#workload, set, dueUs, nowUs)) {
        this.#inTurn++;
        return;
      }
      this.#turnTo(this.#turn + 1);
    }
    counters.numbers[Counter.dropped]!++;
  }

  #turnTo(turn: number): void {
    this.#turn = turn >= this.#connections.length ? 0 : turn;
    this.#inTurn = 0;
  }

  #wait(waitUs: number): void {
    if (waitUs > TIMER_WAIT_US) {
      this.#shared.active = true; // the time in the timer is counted as idle by the event loop itself
      setTimeout(this.#tick, Math.floor(waitUs / 1000) - 1);
      return;
    }
    if (!this.#config.spin && waitUs > 1) {
      const isFrequent = this.#schedule.intervalUs < FREQUENT_US;
      Atomics.wait(this.#napCell, 0, 0, (isFrequent ? LONG_NAP_US : Math.min(NAP_US, waitUs)) / 1000);
      const now = this.#nowUs();
      this.#idleUs += now - this.#loopEndUs;
      this.#loopEndUs = now;
    }
    setImmediate(this.#tick);
  }

  // ---- closed loop

  readonly #startClosed = (): void => {
    if (!this.#sending) return;
    // A timer may come a millisecond early. What is sent before the start would count as warm-up.
    if (this.#nowUs() < 0) {
      setImmediate(this.#startClosed);
      return;
    }
    const totalMs = (this.#config.warmupUs + this.#config.durationUs) / 1000;
    const end = (): void => {
      if (this.#sending) this.#endSending(this.#nowUs());
    };
    // Before the first messages, which may be all.
    if (Number.isFinite(totalMs)) this.#closedEnd = setTimeout(end, totalMs);
    for (const connection of this.#connections) this.#refill(connection);
  };

  #answered(connection: Connection): void {
    if (this.#config.mode === 'closed') this.#refill(connection);
  }

  #refill(connection: Connection): void {
    const config = this.#config;
    const now = this.#nowUs();
    this.#block.state[State.elapsedUs] = now;
    this.#stamp();
    while (this.#sending && connection.ready) {
      const set = now >= config.warmupUs ? 1 : 0;
      if (set === 1 && this.#measuredLeft <= 0) {
        // Ended by count, before its time: the window closes with the last answer, as without a time.
        this.#shared.windowEndUs = Number.POSITIVE_INFINITY;
        this.#endSending(now);
        break;
      }
      this.#workload.draw();
      if (!connection.send(this.#workload, set, now, now)) break;
      const counters = set === 1 ? this.#block.measured : this.#block.warm;
      counters.numbers[Counter.offered]!++;
      if (set === 1) this.#measuredLeft--;
    }
    connection.link.flush();
  }

  // ---- end

  #expire(): void {
    const before = this.#nowUs() - this.#config.timeoutMs * 1000;
    let inFlight = 0;
    for (const connection of this.#connections) {
      if (connection.expire(before) > 0 && this.#config.mode === 'closed') this.#refill(connection);
      inFlight += connection.slots.inFlight;
    }
    this.#block.state[State.inFlight] = inFlight;
    this.#busy();
  }

  /** Busy time so far: all but naps, empty turns of the loop, and the time it slept in the kernel. */
  #busy(): void {
    const sleptUs = performance.eventLoopUtilization(this.#loopStart).idle * 1000;
    const elapsed = this.#block.state[State.elapsedUs]!;
    this.#block.state[State.busyUs] = Math.max(0, elapsed - this.#idleUs - sleptUs);
  }

  #endSending(nowUs: number): void {
    this.#sending = false;
    clearTimeout(this.#closedEnd);
    this.#block.state[State.elapsedUs] = nowUs;
    this.#busy();
    if (nowUs < this.#shared.windowEndUs && this.#drainUntilMs !== Number.POSITIVE_INFINITY) {
      this.#shared.windowEndUs = nowUs; // interrupted
    }
    for (const connection of this.#connections) connection.link.flush();
    this.#drain = setInterval(() => this.#drained(), 2);
  }

  #drained(): void {
    const waiting = this.#connections.some((connection) => connection.slots.inFlight > 0);
    if (waiting && performance.now() < this.#drainUntilMs) return;
    for (const connection of this.#connections) connection.expire(Number.POSITIVE_INFINITY);
    this.#block.state[State.inFlight] = 0;
    this.close();
    const { model, windowEndUs, lastAnswerUs, problems } = this.#shared;
    this.#finish({
      low: model.low,
      high: model.high,
      sample: model.sample,
      windowEndUs: Number.isFinite(windowEndUs) ? windowEndUs : lastAnswerUs,
      lastAnswerUs,
      problems,
    });
  }
}
