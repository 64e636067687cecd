/** A shard thread without a thread: the real host, lane and shards of src/shard/shard-thread.ts, turned by the scheduler. */
import { IndexKeys } from '#src/domain/index-keys.js';
import { Faults, type KillPoint, noFaults } from '#src/faults.js';
import { CheckpointStore } from '#src/journal/checkpoint.js';
import type { Environments } from '#src/journal/environments.js';
import { DelayedLane, EmbeddedLane } from '#src/journal/lanes.js';
import { JournalReader } from '#src/journal/reader.js';
import { SegmentBoard } from '#src/journal/segment-board.js';
import { segmentKeyCheck } from '#src/journal/segment-task.js';
import type { JournalLane, ShardHead } from '#src/journal/types.js';
import type { RingPair } from '#src/ring/client.js';
import { ShardState } from '#src/ring/control-block.js';
import { CardDirectory } from '#src/ring/directory.js';
import { createRing, RingConsumer, RingProducer } from '#src/ring/ring.js';
import type { Signal } from '#src/ring/wake.js';
import { CheckpointFeed } from '#src/shard/checkpoint-feed.js';
import { checkpointSource } from '#src/shard/checkpoint-task.js';
import type { LogicalShard } from '#src/shard/logical-shard.js';
import { ShardRecovery } from '#src/shard/recovery.js';
import { lastTimesOf, ShardClock } from '#src/shard/shard-clock.js';
import { type HostClient, ShardHost } from '#src/shard/shard-host.js';
import { ThreadContext } from '#src/shard/thread-context.js';
import { createShardInstruments, ShardInstruments } from '#src/shard-instruments.js';
import { noCardKeys } from '../support/card-keys.js';
import type { SimDisk, SimProcess } from './disk.js';
import type { SimEngine } from './engine.js';
import type { SimTimer } from './scheduler.js';

const INDEX_SEEDS = [0x1234567, 0x89abcde] as const;
export const KEY_CHECK = segmentKeyCheck(INDEX_SEEDS[0], INDEX_SEEDS[1]);
export const indexKeys = (): IndexKeys => new IndexKeys(INDEX_SEEDS[0], INDEX_SEEDS[1]);
const CHECKPOINT_RING_BYTES = 1 << 19;
const REPLAY_STEP = 200;
const DUPLICATE_WINDOW_MS = 86_400_000;

const NAME = /^journal\/lane-(\d+)-(\d+)$/;
const laneFolder = (thread: number, number: number): string =>
  `journal/lane-${thread}-${String(number).padStart(6, '0')}`;

/** The lane folders of a simulated disk. */
export function laneFolders(disk: SimDisk, process: SimProcess): Parameters<typeof Environments.of>[0] {
  return {
    path: 'journal',
    list: () =>
      disk.paths.flatMap((path) => {
        const match = NAME.exec(path);
        return match === null ? [] : [{ path, name: path, thread: Number(match[1]), number: Number(match[2]) }];
      }),
    open: (path) => disk.open(path, process),
  };
}

/** The kill points of the real host are places at which the simulator may end the process. */
class SimFaults extends Faults {
  readonly #onPoint: () => void;

  constructor(onPoint: () => void, throwRrn: string) {
    super({ ...noFaults, throwRrn });
    this.#onPoint = onPoint;
  }

  override reach(_point: KillPoint): void {
    this.#onPoint();
  }
}

/** DE37 of messages, and reference of payments, that stop a shard. */
export const POISON_RRN = '000000066600';

export class ShardThread {
  readonly shards: readonly number[];
  readonly checkpointRing = createRing(CHECKPOINT_RING_BYTES);
  readonly signal: Signal = { signal: () => this.#wakeIn(this.#engine.wakeUs()) };
  /** Its shards as they were recovered. */
  live: LogicalShard[] = [];
  /** It has left its loop after a stop. */
  isFinished = false;
  recovered = 0;
  readonly #engine: SimEngine;
  readonly #thread: number;
  readonly #clients: HostClient[] = [];
  readonly #reader: JournalReader;
  readonly context: ThreadContext;
  readonly #checkpoints: CheckpointStore;
  #host: ShardHost | undefined;
  #feed: CheckpointFeed | undefined;
  #timer: SimTimer | undefined;
  #dueUs = Number.POSITIVE_INFINITY;

  constructor(engine: SimEngine, thread: number) {
    this.#engine = engine;
    this.#thread = thread;
    const { options, life } = engine;
    const { shape, disk } = options;
    this.shards = Array.from({ length: shape.shards }, (_, shard) => shard).filter(
      (shard) => shard % shape.threads === thread,
    );
    this.#reader = JournalReader.of(laneFolders(disk, life));
    this.#checkpoints = CheckpointStore.over((shard) => disk.open(`state/shard-${shard}`, life));
    this.context = new ThreadContext({
      reader: this.#reader,
      segments: disk.open('segments', life),
      board: new SegmentBoard(engine.board),
      keys: indexKeys(),
      keyCheck: KEY_CHECK,
      duplicateWindowMs: DUPLICATE_WINDOW_MS,
      approvalKey: [1, 2, 3, 4],
      cardKeys: noCardKeys,
      directory: new CardDirectory(engine.directory),
      faults: new SimFaults(() => options.onPoint(engine), POISON_RRN),
      instruments: new ShardInstruments(createShardInstruments()),
      monotonicUs: options.clock.monotonicUs,
      log: (level, text, data = {}) => options.log(level, text, data),
    });
  }

  addClient({ requests, replies }: RingPair, waker: Signal): void {
    this.#clients.push({ requests: new RingConsumer(requests), replies: new RingProducer(replies), waker });
  }

  get isSettled(): boolean {
    return this.live.every(({ held, journal }) => held.size === 0 && journal.pending === 0);
  }

  /** Recovers its shards; the process may end in the middle of it. @throws HoldfastError of the journal and the recovery */
  start(): void {
    const { options, control } = this.#engine;
    const { clock, shape } = options;
    const heads = this.shards.map((shard) => this.#reader.head(shard));
    const shardClock = new ShardClock(lastTimesOf(heads), clock.wallMs(), clock.monotonicUs());
    this.context.nowMs = shardClock.now(clock.wallMs(), clock.monotonicUs());
    const waker = { signal: () => this.#engine.background.rowsWait() };
    this.#feed = new CheckpointFeed(new RingProducer(this.checkpointRing), waker, clock.monotonicUs);
    const checkpoint = checkpointSource(this.#checkpoints);
    this.live = heads.map((head) => {
      const recovery = new ShardRecovery(this.context, head, checkpoint);
      this.#engine.planted.recovery?.(recovery, head);
      while (!recovery.step(REPLAY_STEP)) options.onPoint(this.#engine);
      this.recovered += recovery.records;
      if (recovery.discardCheckpoint) this.#feed!.discard(head.shard);
      return recovery.shard;
    });
    const lane = this.#lane(heads);
    this.#host = new ShardHost({
      context: this.context,
      clients: this.#clients,
      shards: this.live,
      lane: this.#engine.planted.lane?.(lane) ?? (shape.laneDelayMs === 0 ? lane : this.#delayed(lane)),
      reader: this.#reader,
      control,
      clock: shardClock,
      wallMs: clock.wallMs,
      checkpoint,
      feed: this.#feed,
      onProfile: () => undefined,
    });
    for (const shard of this.shards) control.setShardState(shard, ShardState.up);
    this.#wakeIn(1);
  }

  #lane(heads: readonly ShardHead[]): JournalLane {
    const { disk, shape } = this.#engine.options;
    const { life } = this.#engine;
    const own = laneFolders(disk, life)
      .list()
      .filter(({ thread }) => thread === this.#thread);
    let number = own.at(-1)?.number ?? 1;
    return new EmbeddedLane(disk.open(laneFolder(this.#thread, number), life), {
      heads,
      environmentBytes: shape.environmentBytes,
      next: () => disk.open(laneFolder(this.#thread, ++number), life),
    });
  }

  #delayed(lane: JournalLane): JournalLane {
    const { clock, random, shape } = this.#engine.options;
    const delays = random.fork('lane');
    return new DelayedLane(lane, {
      now: () => clock.monotonicUs() / 1000,
      delayMs: () => delays.real() * 2 * shape.laneDelayMs,
    });
  }

  #wakeIn(us: number): void {
    const dueUs = this.#engine.options.scheduler.nowUs + us;
    if (this.#host === undefined || this.isFinished || dueUs >= this.#dueUs) return;
    this.#timer?.cancel();
    this.#dueUs = dueUs;
    this.#timer = this.#engine.options.scheduler.at(dueUs, () => {
      this.#dueUs = Number.POSITIVE_INFINITY;
      this.#engine.life.enter(
        () => this.#turn(this.#host!),
        (error) => this.#engine.fatal(error),
      );
    });
  }

  #turn(host: ShardHost): void {
    const waitMs = host.turn();
    if (this.#engine.control.stop !== 0) {
      this.isFinished = true;
      return;
    }
    if (host.finished) {
      this.#leave(host);
      return;
    }
    if (waitMs === 0 || host.hasWork()) this.#wakeIn(1);
    else this.#wakeIn(waitMs * 1000);
  }

  /** The last checkpoint of a stop, as far as it gets until its time is over. */
  #leave(host: ShardHost): void {
    const { clock } = this.#engine.options;
    host.beginFinalCheckpoint();
    while (clock.monotonicUs() < host.checkpointUntilUs && host.checkpointStep()) this.#engine.background.writeRows();
    this.isFinished = true;
  }
}
