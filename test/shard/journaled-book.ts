/**
 * A `Book` whose records lie in a real journal: frames of a lane, the index and the history of a shard, the checkpoint's feed and
 * writer, and recovery from what is durable. The stores are in memory, and forget what was not synced when the process dies.
 */
import { noCryptography } from '#src/domain/cryptography.js';
import type { MessageEvent, PlainEvent } from '#src/domain/events.js';
import { MessageEvent as Message } from '#src/domain/events.js';
import { IndexKeys } from '#src/domain/index-keys.js';
import { Faults, noFaults } from '#src/faults.js';
import { CheckpointStore } from '#src/journal/checkpoint.js';
import { commitKey } from '#src/journal/frame.js';
import { readLaneTable } from '#src/journal/lane-index.js';
import { EmbeddedLane } from '#src/journal/lanes.js';
import { JournalReader } from '#src/journal/reader.js';
import { createSegmentBoard, SegmentBoard } from '#src/journal/segment-board.js';
import { CardDirectory, createDirectory } from '#src/ring/directory.js';
import { createRing, RingConsumer, RingProducer } from '#src/ring/ring.js';
import { createWake, Waker } from '#src/ring/wake.js';
import { CheckpointFeed } from '#src/shard/checkpoint-feed.js';
import { checkpointSource, RingWriter } from '#src/shard/checkpoint-task.js';
import type { LogicalShard } from '#src/shard/logical-shard.js';
import { type CheckpointSource, ShardRecovery } from '#src/shard/recovery.js';
import { ThreadContext } from '#src/shard/thread-context.js';
import { createShardInstruments, ShardInstruments } from '#src/shard-instruments.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { Book, copyMessageEvent } from '../domain/book.js';
import type { Mortal } from '../domain/histories.js';
import { pinReferences } from '../support/card-keys.js';

const SHARD = 0;
const RING_BYTES = 1 << 20;

/** Defects that a test of the test plants. */
export interface Planted {
  /** The last commit of a process that dies is gone, although it was acknowledged. */
  lastCommitIsLost?: boolean;
  /** Rows of this table of the state (domain/tables.ts) are not restored from the checkpoint. */
  tableNotRestored?: number;
  /** Messages that are read back are not entered into the index: repeats are not known after a start. */
  indexNotRefilled?: boolean;
}

/** What lives as long as a process. */
interface Process {
  readonly context: ThreadContext;
  readonly shard: LogicalShard;
  readonly lane: EmbeddedLane;
  readonly feed: CheckpointFeed;
  readonly writer: RingWriter;
}

export class JournaledBook extends Book implements Mortal {
  /** Processes that were started on a checkpoint. */
  fromCheckpoint = 0;
  readonly #planted: Planted;
  readonly #journal = new MemoryStore();
  readonly #rows = new MemoryStore();
  #process: Process;

  constructor(planted: Planted = {}) {
    super();
    this.#planted = planted;
    this.#process = this.#start();
  }

  /** A stop in order, and a start. */
  override restart(): void {
    this.flush();
    this.kill();
  }

  flush(): void {
    const { context, shard, lane } = this.#process;
    if (shard.journal.pending === 0) return;
    lane.append([shard.journal.seal(context.nowMs, shard.digest)]);
  }

  kill(): void {
    this.#journal.crash();
    if (this.#planted.lastCommitIsLost) {
      const last = commitKey(readLaneTable(this.#journal).commit, SHARD, new Uint8Array(10));
      this.#journal.commit((writer) => writer.remove(last));
    }
    this.#rows.crash();
    this.#process = this.#start();
  }

  checkpoint(written: boolean): void {
    this.flush();
    const { shard, lane, feed, writer } = this.#process;
    feed.beginFinalRound();
    let more = true;
    while (more) {
      more = feed.step([shard], lane, true);
      if (written) while (writer.write());
    }
  }

  protected override keep(event: MessageEvent): MessageEvent {
    const { context, shard } = this.#process;
    if (shard.journal.full) this.flush();
    context.nowMs = event.timeMs;
    event.sequence = shard.journal.sequence + 1;
    shard.replayMessage(event, true);
    shard.journal.appendMessage(event);
    shard.digest.high = shard.state.digest.high;
    shard.digest.low = shard.state.digest.low;
    return event;
  }

  protected override stored(sequence: number): MessageEvent {
    return copyMessageEvent(this.#process.shard.history.read(sequence), new Message());
  }

  protected override commit(event: PlainEvent): void {
    const { context, shard } = this.#process;
    if (shard.journal.full) this.flush();
    context.nowMs = event.timeMs;
    shard.record(event);
  }

  /** @throws Error when the checkpoint is not believed: nothing here damages one */
  #start(): Process {
    const reader = JournalReader.ofStore(this.#journal, 'memory');
    const head = reader.head(SHARD);
    const logs: string[] = [];
    const context = new ThreadContext({
      reader,
      segments: new MemoryStore(),
      board: new SegmentBoard(createSegmentBoard()),
      keys: new IndexKeys(0x1234567, 0x89abcde),
      keyCheck: 7,
      duplicateWindowMs: this.state.duplicateWindowMs,
      approvalKey: [1, 2, 3, 4],
      cardKeys: { hsm: undefined, pins: pinReferences },
      directory: new CardDirectory(createDirectory({ expected: 16, maximum: 1 << 12 })),
      faults: new Faults(noFaults),
      instruments: new ShardInstruments(createShardInstruments()),
      monotonicUs: () => 0,
      log: (level, message, data) => void logs.push(`${level} ${message} ${JSON.stringify(data ?? {})}`),
    });
    const store = CheckpointStore.over(() => this.#rows);
    const recovery = new ShardRecovery(context, head, this.#source(store));
    const { shard } = recovery;
    if (this.#planted.indexNotRefilled) shard.index.add = () => undefined;
    while (!recovery.step(1000));
    if (recovery.discardCheckpoint) throw new Error(`the checkpoint is not believed: ${logs.join('; ')}`);
    if (this.#planted.indexNotRefilled) Reflect.deleteProperty(shard.index, 'add');
    this.state = shard.state;
    this.context = { ...shard.decisions, cryptography: noCryptography };
    const ring = createRing(RING_BYTES);
    return {
      ...{ context, shard, lane: new EmbeddedLane(this.#journal, { heads: [head] }) },
      feed: new CheckpointFeed(new RingProducer(ring), new Waker(createWake()), () => 0),
      writer: new RingWriter(store, new RingConsumer(ring), (message, _shard, why) => {
        throw new Error(`${message}: ${why}`);
      }),
    };
  }

  #source(store: CheckpointStore): CheckpointSource {
    const { load } = checkpointSource(store);
    return {
      load: (shard, visit) => {
        const meta = load(shard, (table, key, entry) => {
          if (table !== this.#planted.tableNotRestored) visit(table, key, entry);
        });
        if (meta !== undefined) this.fromCheckpoint++;
        return meta;
      },
    };
  }
}
