/**
 * One simulated process of the engine: the real ingress, shard hosts, journal, checkpoint and segment writers, put together as
 * src/cli/engine.ts does it, in one thread. Everything that is not deterministic there is the simulator's here: clocks, wake-ups,
 * timers, sockets, stores.
 *
 *   peers <- streams -> Ingress -> rings -> ShardHost (one per thread) -> lane -> disk
 *                 control calls -> rings ->     |-> checkpoint ring -> RingWriter -> disk
 *                                         SegmentIndexer <- reader <- disk
 */
import { pack, unpack } from 'msgpackr';
import { cutOver } from '#src/control/cutover.js';
import type { SystemRecord } from '#src/control/system-log.js';
import { SystemState } from '#src/control/system-state.js';
import type { Command, CommandResult } from '#src/domain/commands.js';
import type { Read, ReadResult } from '#src/domain/reads.js';
import { ExitStatus, HoldfastError } from '#src/errors.js';
import { Ingress } from '#src/ingress/ingress.js';
import type { IngressLog, Link, Listener } from '#src/ingress/link.js';
import type { LinkProfile } from '#src/ingress/links.js';
import type { Runtime } from '#src/ingress/runtime.js';
import { acceptTcp } from '#src/ingress/tcp.js';
import type { CheckpointStore } from '#src/journal/checkpoint.js';
import { shardOfFingerprint } from '#src/journal/placement.js';
import { createSegmentBoard } from '#src/journal/segment-board.js';
import { SystemJournal } from '#src/journal/system-journal.js';
import type { JournalLane, ShardHead } from '#src/journal/types.js';
import type { CutoverRequest } from '#src/link-requests.js';
import { type ClientRings, RingClient } from '#src/ring/client.js';
import { ControlBlock, createControlBlock } from '#src/ring/control-block.js';
import { createDirectory } from '#src/ring/directory.js';
import { ReplyKind, RequestKind } from '#src/ring/kinds.js';
import { createRing } from '#src/ring/ring.js';
import { createWake, type Signal, type Sleep } from '#src/ring/wake.js';
import type { LogicalShard } from '#src/shard/logical-shard.js';
import type { ShardRecovery } from '#src/shard/recovery.js';
import { Background } from './background.js';
import type { SimDisk } from './disk.js';
import type { SimStream } from './network.js';
import { Life, type ProcessEnd } from './process.js';
import type { Random } from './random.js';
import type { Scheduler } from './scheduler.js';
import { ShardThread } from './shard-thread.js';

export interface EngineShape {
  readonly shards: number;
  readonly threads: number;
  readonly links: readonly LinkProfile[];
  /** Requests in flight over all links, a power of two. */
  readonly inFlight: number;
  /** Typical delay of the acknowledgements of the journal's lane, ms; 0: the embedded one, which acknowledges at once. */
  readonly laneDelayMs: number;
  /** Bytes after which a lane begins its next folder. */
  readonly environmentBytes: number;
  /** Records that wait before a segment is built, and the pause between two looks, us. */
  readonly segmentRecords: number;
  readonly segmentPollUs: number;
  /** Typical time from a signal until the thread runs, us. */
  readonly wakeUs: number;
}

/** What the world lets the engine see of time. */
export interface EngineClock {
  readonly monotonicUs: () => number;
  readonly wallMs: () => number;
}

export interface EngineOptions {
  readonly shape: EngineShape;
  readonly disk: SimDisk;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly clock: EngineClock;
  readonly log: (level: string, text: string, fields: object) => void;
  readonly onEnd: (end: ProcessEnd) => void;
  /** Called at every place at which a crash may come. */
  readonly onPoint: (engine: SimEngine) => void;
  /** Its shards have recovered; nothing was taken yet. */
  readonly onRecovered: () => void;
  /** It listens. */
  readonly onUp: () => void;
}

const RING_BYTES = 1 << 17;
export const FINGERPRINT_KEY = new Uint8Array(32).fill(0x5a);
/** A fatal stop ends the process within this time, us. */
const FATAL_STOP_US = 2_000_000;
const FINAL_CHECKPOINT_US = 2_000_000;
const STOP_POLL_US = 1000;

type Answer = CommandResult | ReadResult;

/** Where a canary may reach in; nothing is here otherwise. */
export interface Planted {
  lane?: (lane: JournalLane) => JournalLane;
  recovery?: (recovery: ShardRecovery, head: ShardHead) => void;
  /** Each shard once it has recovered. */
  shard?: (shard: LogicalShard, thread: ShardThread) => void;
  rows?: (store: CheckpointStore) => void;
}

export class SimEngine {
  readonly life: Life;
  readonly options: EngineOptions;
  readonly board: SharedArrayBuffer = createSegmentBoard();
  readonly directory: SharedArrayBuffer;
  readonly control: ControlBlock;
  readonly threads: ShardThread[] = [];
  readonly background: Background;
  readonly ingress: Ingress;
  /** True while something waits for promises: the loop around the scheduler turns the real event loop then. */
  promises = 0;
  isUp = false;
  /** Asked to end in order. */
  isStopping = false;
  planted: Planted = {};
  readonly #links: Link[] = [];
  readonly #client: RingClient;
  readonly #calls = new Map<number, (answer: Answer) => void>();
  readonly #wakes: Random;
  #system: SystemState | undefined;
  #token = 0;

  constructor(options: EngineOptions) {
    this.options = options;
    const { scheduler, shape } = options;
    this.life = new Life(scheduler, options.onEnd);
    this.#wakes = options.random.fork('wakes');
    this.directory = createDirectory({ expected: 16, maximum: 1 << 14 });
    const controlBuffer = createControlBlock();
    this.control = new ControlBlock(controlBuffer);
    for (let thread = 0; thread < shape.threads; thread++) this.threads.push(new ShardThread(this, thread));
    this.background = new Background(this);
    const sleep = new SimSleep(this);
    const drain: Signal = { signal: () => void this.life.after(this.wakeUs(), () => this.#drainCalls()) };
    const ingressRings = this.#rings(sleep);
    this.#client = new RingClient(this.#rings(drain), this.#wakesOf(sleep));
    this.ingress = new Ingress({
      links: shape.links,
      rings: ingressRings,
      directory: this.directory,
      control: controlBuffer,
      fingerprintKey: FINGERPRINT_KEY,
      log: this.#log(),
      shardOfFingerprint: (f0) => shardOfFingerprint(f0, shape.shards),
      keepCutover: (request) => this.#keepCutover(request),
      keepLinkKey: () => Promise.reject(new Error('no link has MACs')),
      runtime: this.#runtime(),
      wakes: this.#wakesOf(sleep),
      tcpListener: (link) => this.#listener(link),
      tuning: { inFlight: shape.inFlight },
    });
  }

  /** Nothing waits for a commit or for a reply. */
  get isSettled(): boolean {
    return this.threads.every((thread) => thread.isSettled);
  }

  /** Time until a signalled thread runs, us. */
  wakeUs(): number {
    return this.#wakes.latency(this.options.shape.wakeUs);
  }

  /** Recovers and begins to listen. Ends the process when it cannot. */
  start(): void {
    const { disk, clock } = this.options;
    this.life.enter(() => {
      const journal = SystemJournal.over(disk.open('system', this.life), { now: clock.wallMs });
      this.#system = new SystemState({
        append: (records) => journal.appendAll(records),
        replay: (visit) => void journal.replay((record, sequence) => visit(record as SystemRecord, sequence)),
        read: (sequence) => journal.read(sequence) as SystemRecord,
      });
      this.background.start();
      for (const thread of this.threads) {
        thread.start();
        for (const shard of thread.live) this.planted.shard?.(shard, thread);
      }
      this.options.onRecovered();
      this.promises++;
      const days = this.#system.cutovers.map(({ link, day }) => ({ link, day }));
      this.ingress.start(days).then(
        () => {
          this.promises--;
          this.isUp = true;
          this.options.onUp();
        },
        (error: unknown) => this.life.enter(() => this.life.fail(error)),
      );
    });
  }

  /** A fatal stop: everybody is asked to leave, the ingress answers 91, and in a moment the process is gone. */
  fatal(error: unknown): void {
    const status = error instanceof HoldfastError ? error.exitStatus : ExitStatus.internal;
    this.options.log('error', 'a fatal stop', { error: error instanceof Error ? (error.stack ?? '') : String(error) });
    this.control.requestStop(status);
    const why = error instanceof Error ? error.message : String(error);
    this.life.after(this.#wakes.int(1, FATAL_STOP_US), () => this.life.end({ status, why, error }));
  }

  /** A stop in order: ends the process with 0 when everything is written. */
  stop(graceMs: number): void {
    this.isStopping = true;
    this.promises++;
    this.#stop(graceMs).catch((error: unknown) => this.life.enter(() => this.life.fail(error)));
  }

  async #stop(graceMs: number): Promise<void> {
    const { clock } = this.options;
    await this.ingress.stop(graceMs);
    this.isUp = false;
    const untilUs = clock.monotonicUs() + FINAL_CHECKPOINT_US;
    for (const thread of this.threads) {
      this.#client
        .producer(thread.shards[0]!)
        .push(RequestKind.stop, 0, 0, 0, 0, clock.monotonicUs(), untilUs, new Uint8Array(0));
    }
    this.#client.signal();
    while (!this.threads.every((thread) => thread.isFinished)) await this.#pause(STOP_POLL_US);
    this.life.enter(() => {
      this.background.writeRows();
      this.background.finish();
      this.life.end({ status: this.control.stop, why: 'a stop', error: undefined });
    });
  }

  #pause(us: number): Promise<void> {
    return new Promise((resolve) => {
      this.life.after(us, resolve);
    });
  }

  /** A peer connects. False when nobody listens. */
  accept(stream: SimStream, linkNumber: number): boolean {
    const link = this.#links.find(({ profile }) => profile.number === linkNumber);
    if (!this.isUp || link === undefined || link.refuses('192.0.2.1') !== undefined) return false;
    this.life.enter(() => acceptTcp(link, stream.socket.asSocket, '192.0.2.1'));
    return true;
  }

  /** Asks a shard by the rings of the control plane. `onAnswer` is never called when the process ends before. */
  call(shard: number, kind: 'command' | 'read', value: Command | Read, onAnswer: (answer: Answer) => void): void {
    this.life.enter(() => {
      const token = ++this.#token;
      const requestKind = kind === 'command' ? RequestKind.command : RequestKind.read;
      const nowUs = this.options.clock.monotonicUs();
      this.#calls.set(token, onAnswer);
      // A full ring: the caller asks again, as the control plane does.
      if (!this.#client.producer(shard).push(requestKind, 0, shard, token, 0, nowUs, 0, pack(value))) {
        this.#calls.delete(token);
        this.life.after(10_000, () => this.call(shard, kind, value, onAnswer));
      }
      this.#client.signal();
    });
  }

  #drainCalls(): void {
    this.#client.drain((entry) => {
      const onAnswer = this.#calls.get(entry.token);
      this.#calls.delete(entry.token);
      if (onAnswer === undefined || entry.kind !== ReplyKind.result) return;
      onAnswer(unpack(entry.bytes.slice(entry.payloadAt, entry.payloadAt + entry.payloadLength)) as Answer);
    });
  }

  #rings(waker: Signal): ClientRings {
    const { shape } = this.options;
    const pairs = this.threads.map((thread) => {
      const pair = { requests: createRing(RING_BYTES), replies: createRing(RING_BYTES) };
      thread.addClient(pair, waker);
      return pair;
    });
    return {
      pairs,
      threadWakes: this.threads.map(() => createWake()),
      clientWake: createWake(),
      threadOfShard: Array.from({ length: shape.shards }, (_, shard) => shard % shape.threads),
    };
  }

  #wakesOf(sleep: Sleep): { threads: readonly Signal[]; sleep: Sleep } {
    return { threads: this.threads.map((thread) => thread.signal), sleep };
  }

  async #keepCutover(request: CutoverRequest): Promise<number> {
    let day = -1;
    this.promises++;
    this.life.after(0, () => {
      this.promises--;
    });
    this.life.enter(
      () => {
        day = cutOver(this.#system!, request, this.options.clock.wallMs());
      },
      (error) => this.fatal(error),
    );
    if (this.life.isGone || this.control.stop !== 0) throw new Error('the engine is stopping');
    return day;
  }

  #runtime(): Runtime {
    const { clock, scheduler } = this.options;
    return {
      monotonicUs: clock.monotonicUs,
      wallMs: clock.wallMs,
      soon: (call) => void this.life.after(5, call),
      after: (ms, call) => this.life.after(ms * 1000, call),
      every: (ms, call) => {
        let timer = scheduler.after(ms * 1000, () => tick());
        const tick = (): void => {
          this.life.enter(call);
          timer = scheduler.after(ms * 1000, tick);
          if (this.life.isGone) timer.cancel();
        };
        return { cancel: () => timer.cancel() };
      },
    };
  }

  #listener(link: Link): Listener {
    return {
      listen: async () => {
        this.#links.push(link);
        return `${link.profile.name}:${link.profile.number}`;
      },
      stopAccepting: () => void this.#links.splice(this.#links.indexOf(link), 1),
      close: async () => undefined,
    };
  }

  #log(): IngressLog {
    const line =
      (level: string) =>
      (fields: object, text: string): void =>
        this.options.log(level, text, fields);
    return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  }
}

/** How the event loop of the ingress sleeps and is woken. */
class SimSleep implements Sleep, Signal {
  readonly #engine: SimEngine;
  #onWake: (() => void) | undefined;

  constructor(engine: SimEngine) {
    this.#engine = engine;
  }

  signal(): void {
    const onWake = this.#onWake;
    if (onWake === undefined) return;
    this.#onWake = undefined;
    this.#engine.life.after(this.#engine.wakeUs(), onWake);
  }

  /** The rest of a busy loop: others run meanwhile on real machines, here nobody does. */
  block(): void {
    // Nothing arrives within one event.
  }

  arm(hasWork: () => boolean, onWake: () => void): boolean {
    if (this.#onWake !== undefined) return true;
    if (hasWork()) return false;
    this.#onWake = onWake;
    return true;
  }
}
