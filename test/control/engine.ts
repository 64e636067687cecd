/**
 * Real shards without threads: host, domain, journal and index over stores in memory, behind the real rings and the real
 * ring client. Whenever a call waits, turns are run on this event loop.
 */

import { monotonicUs } from '#src/clock.js';
import { clockPort } from '#src/control/engine-view.js';
import type {
  ClockPort,
  DirectoryPort,
  JournalPort,
  SearchKeysPort,
  ShardPort,
  WireReply,
} from '#src/control/ports.js';
import { RingShards } from '#src/control/ring-shards.js';
import type { Command, CommandResult } from '#src/domain/commands.js';
import type { MessageEvent, PlainEvent } from '#src/domain/events.js';
import { IndexKeys } from '#src/domain/index-keys.js';
import type { Read, ReadResult } from '#src/domain/reads.js';
import { HoldfastError } from '#src/errors.js';
import { Faults, noFaults } from '#src/faults.js';
import { DurableHeads } from '#src/journal/durable-heads.js';
import { EmbeddedLane } from '#src/journal/lanes.js';
import { shardOfAccount } from '#src/journal/placement.js';
import { JournalReader, type RecordVisitor } from '#src/journal/reader.js';
import { createSegmentBoard, SegmentBoard } from '#src/journal/segment-board.js';
import type { JournalLane } from '#src/journal/types.js';
import { RingClient } from '#src/ring/client.js';
import { ControlBlock, createControlBlock, ShardState } from '#src/ring/control-block.js';
import { CardDirectory, createDirectory } from '#src/ring/directory.js';
import { RequestKind } from '#src/ring/kinds.js';
import { createRing, RingConsumer, RingProducer } from '#src/ring/ring.js';
import { createWake, Waker } from '#src/ring/wake.js';
import { ShardRecovery } from '#src/shard/recovery.js';
import { lastTimesOf, ShardClock } from '#src/shard/shard-clock.js';
import { ShardHost } from '#src/shard/shard-host.js';
import { ThreadContext } from '#src/shard/thread-context.js';
import { createShardInstruments, ShardInstruments } from '#src/shard-instruments.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { noCardKeys } from '../support/card-keys.js';

/** The monotonic clock goes with the wall clock of the test, which moves it in leaps; `jumpMs` sets the wall clock wrong. */
class SteadyClock extends ShardClock {
  jumpMs = 0;

  override now(wallMs: number): number {
    return super.now(wallMs + this.jumpMs, wallMs * 1000);
  }
}

export class TestEngine implements ShardPort, JournalPort, DirectoryPort {
  readonly shards: number;
  readonly commands: Command[] = [];
  /** What the shards have logged. */
  readonly logged: string[] = [];
  readonly instruments = createShardInstruments();
  nowMs: number;
  /** Runs before each command: tests inject failures and delays. */
  before: (command: Command) => Promise<void> | void = () => undefined;
  /** Records that the journal does not show yet. */
  lag = 0;
  readonly control = new ControlBlock(createControlBlock());
  readonly #clock: SteadyClock;
  readonly #client: RingShards;
  readonly #rings: RingClient;
  readonly #host: ShardHost;
  readonly #reader: JournalReader;
  readonly #durable: DurableHeads;
  readonly #directory = new CardDirectory(createDirectory({ expected: 16, maximum: 1 << 20 }));
  readonly #keys = new IndexKeys(0x1234567, 0x89abcde);
  /** The journal: what survives a restart. */
  readonly #store: MemoryStore;
  #turning = false;
  readonly hasSecondRoom = true;
  #stopped = false;

  /** @param laneOf wraps the lane: a test delays acknowledgements. */
  constructor(
    shards: number,
    nowMs: number,
    store = new MemoryStore(),
    laneOf: (lane: JournalLane) => JournalLane = (lane) => lane,
  ) {
    this.shards = shards;
    this.nowMs = nowMs;
    this.#store = store;
    const reader = JournalReader.ofStore(store, 'memory');
    const board = new SegmentBoard(createSegmentBoard());
    const context = new ThreadContext({
      reader,
      segments: new MemoryStore(),
      board,
      keys: new IndexKeys(0x1234567, 0x89abcde),
      keyCheck: 7,
      duplicateWindowMs: 86_400_000,
      approvalKey: [1, 2, 3, 4],
      cardKeys: noCardKeys,
      directory: this.#directory,
      faults: new Faults(noFaults),
      instruments: new ShardInstruments(this.instruments),
      monotonicUs,
      log: (level, message) => {
        this.logged.push(message);
        if (level === 'error' && !/^the (wall clock|time zone)/.test(message)) throw new Error(message);
      },
    });
    this.#reader = JournalReader.ofStore(store, 'memory');
    this.#durable = new DurableHeads(board, this.#reader);
    const heads = Array.from({ length: shards }, (_, shard) => reader.head(shard));
    const logical = heads.map((head) => {
      const recovery = new ShardRecovery(context, head, undefined);
      while (!recovery.step(1000));
      return recovery.shard;
    });
    const { control } = this;
    this.#clock = new SteadyClock(lastTimesOf([]), nowMs, nowMs * 1000);
    for (let shard = 0; shard < shards; shard++) control.setShardState(shard, ShardState.up);
    const [requests, replies] = [createRing(1 << 22), createRing(1 << 22)];
    const [threadWake, clientWake] = [createWake(), createWake()];
    this.#host = new ShardHost({
      context,
      clients: [
        { requests: new RingConsumer(requests), replies: new RingProducer(replies), waker: new Waker(clientWake) },
      ],
      shards: logical,
      lane: laneOf(new EmbeddedLane(store, { heads })),
      reader,
      control,
      clock: this.#clock,
      wallMs: () => this.nowMs,
      checkpoint: undefined,
      feed: undefined,
      onProfile: () => undefined,
    });
    const threadOfShard = Array.from({ length: shards }, () => 0);
    const rings = { pairs: [{ requests, replies }], threadWakes: [threadWake], clientWake, threadOfShard };
    this.#rings = new RingClient(rings);
    this.#client = new RingShards(this.#rings, { deadlineMs: 1500 });
  }

  get clock(): ClockPort {
    const port = clockPort(this.control, this.shards);
    return {
      difference: () => port.difference(),
      accept: () => {
        port.accept();
        this.#host.turn();
      },
    };
  }

  /** Sets the wall clock of the shards wrong by so much, ms. Later turns see it. */
  setClockWrong(ms: number): void {
    this.#clock.jumpMs = ms;
  }

  placement(id: string): number {
    return shardOfAccount(id, this.shards);
  }

  get search(): SearchKeysPort {
    const keys = this.#keys;
    return {
      rrnHigh: (rrn) => keys.rrnHigh(rrn),
      stanHigh: (stan) => keys.stanHigh(stan),
      elements(sequence) {
        keys.elementsKey(sequence);
        return { high: keys.high, low: keys.low };
      },
      day(list, day) {
        keys.dayKey(list, day);
        return { high: keys.high, low: keys.low };
      },
    };
  }

  /** Set by a test: no more cards. */
  full = false;

  find(f0: number, f1: number, f2: number): number {
    return this.#directory.find(f0, f1, f2);
  }

  async command(shard: number, command: Command): Promise<CommandResult> {
    this.commands.push(command);
    await this.before(command);
    this.nowMs += 1;
    return this.#during(this.#client.command(shard, command));
  }

  read(shard: number, read: Read): Promise<ReadResult> {
    return this.#during(this.#client.read(shard, read));
  }

  wire(shard: number, header: Uint8Array, message: Uint8Array): Promise<WireReply> {
    this.nowMs += 1;
    return this.#during(this.#client.wire(shard, header, message));
  }

  /** Tells the shard that the reply of an approval was not handed to its socket, as the ingress does. */
  async notDelivered(shard: number, sequence: number): Promise<void> {
    this.nowMs += 1;
    const producer = this.#rings.producer(shard);
    producer.push(RequestKind.notDelivered, 0, shard, 0, 0, monotonicUs(), sequence, new Uint8Array(0));
    // Whatever is asked next is answered behind it.
    await this.read(shard, { op: 'stats' });
  }

  head(shard: number): { sequence: number } {
    if (this.lag === 0) return this.#reader.head(shard);
    this.lag--;
    return { sequence: 0 };
  }

  epochOf(shard: number, sequence: number): number {
    return this.#reader.epochOf(shard, sequence);
  }

  readMessage(shard: number, sequence: number, into: MessageEvent): boolean {
    return this.#reader.readMessage(shard, sequence, into);
  }

  readEvent(shard: number, sequence: number): PlainEvent | undefined {
    return this.#reader.readEvent(shard, sequence);
  }

  floor(shard: number): number {
    return this.#reader.floor(shard);
  }

  floorMs(shard: number): number {
    return this.#reader.anchor?.floorMs(shard) ?? 0;
  }

  durable(shard: number): number {
    return this.#durable.of(shard);
  }

  run(shard: number, sequence: number, visit: RecordVisitor): void {
    this.#reader.run(shard, sequence, visit);
  }

  close(): void {
    this.#stopped = true;
    this.#client.close();
  }

  /** The shards of the next process, rebuilt from the journal. */
  restarted(): TestEngine {
    this.close();
    return new TestEngine(this.shards, this.nowMs, this.#store);
  }

  /** Runs turns while the call waits. */
  async #during<T>(call: Promise<T>): Promise<T> {
    this.#turn();
    return call;
  }

  #turn(): void {
    if (this.#turning) return;
    this.#turning = true;
    const step = (): void => {
      this.#host.turn();
      if (this.#client.inFlight > 0 && !this.#stopped) setImmediate(step);
      else this.#turning = false;
    };
    setImmediate(step);
  }
}

/** Makes the journal answer as if the records up to these sequences, by shard, were dropped. */
export function dropUpTo(engine: TestEngine, sequences: readonly number[]): void {
  const { readMessage, readEvent } = TestEngine.prototype;
  const present = (shard: number, sequence: number): void => {
    if (sequence <= sequences[shard]!)
      throw new HoldfastError(
        'record_dropped',
        `record ${sequence} of shard ${shard} is not in the journal any more`,
        '',
      );
  };
  engine.floor = (shard) => sequences[shard]!;
  engine.readMessage = (shard, sequence, into) => {
    present(shard, sequence);
    return readMessage.call(engine, shard, sequence, into);
  };
  engine.readEvent = (shard, sequence) => {
    present(shard, sequence);
    return readEvent.call(engine, shard, sequence);
  };
}
