/**
 * The loop of one shard thread: drain, decide, append, release, timers. `turn` does one round and says how long the thread
 * may sleep; everything it touches (clocks, rings, lane, stores) is handed in, so a simulator can run the same code.
 *
 *   rings of requests --> logical shards --> frames of all shards --> lane.append: one commit
 *                                                                         |
 *   rings of replies  <-- replies whose sequence is durable  <------------+
 *
 * Group commit needs no timer: what arrives while a commit is under way waits in the rings and is the next batch.
 *
 * A shard that throws is taken out of service and rebuilt while the others go on: shard-roster.ts.
 */
import { getHeapStatistics } from 'node:v8';
import { copyBytes } from '../bytes.js';
import { Response } from '../domain/codes.js';
import type { ShardState as DomainState } from '../domain/shard-state.js';
import { HoldfastError } from '../errors.js';
import { KillPoint } from '../faults.js';
import { isSegmentDamage } from '../journal/segment-format.js';
import type { SealedFrame } from '../journal/types.js';
import { MEMORY_LOOK_MS, TURN_MESSAGES_MAX } from '../limits.js';
import { BackgroundTask } from '../ring/control-block.js';
import { RequestKind } from '../ring/kinds.js';
import type { RingConsumer, RingProducer } from '../ring/ring.js';
import { packTurnTimes } from '../ring/turn-times.js';
import type { Signal } from '../ring/wake.js';
import { cardOfWireEntry } from '../ring/wire-entry.js';
import { ShardCounter } from '../shard-instruments.js';
import { ClockWatch } from './clock-watch.js';
import { handleCommand } from './commands.js';
import type { DeviceLink } from './device-link.js';
import { ExpirySweep } from './expiry-sweep.js';
import { CARD_SLOT_MASK, entryHash, type LogicalShard } from './logical-shard.js';
import type { Parked, WireEntry } from './parking.js';
import { readVerdict } from './questions.js';
import { handleRead } from './reads.js';
import type { ShardClock } from './shard-clock.js';
import { type RosterOptions, ShardRoster } from './shard-roster.js';
import { ThreadProfiler } from './thread-profiler.js';

/** One client of this thread: the ingress, the control plane, the supervisor. */
export interface HostClient {
  readonly requests: RingConsumer;
  readonly replies: RingProducer;
  readonly waker: Signal;
}

export interface HostOptions extends RosterOptions {
  readonly clients: readonly HostClient[];
  readonly clock: ShardClock;
  readonly wallMs: () => number;
  /** Takes the JSON text of a .cpuprofile; empty when there is none. */
  readonly onProfile: (profile: string) => void;
}

const IDLE_MS = 250;
/** Messages whose rows are fetched together: more would not be fetched side by side (some ten cache lines are in flight). */
const FETCH_AHEAD = 16;
const SHARDS_NONE = -1;
const NO_HASH = new Uint32Array(2);

export class ShardHost {
  readonly #o: HostOptions;
  readonly #roster: ShardRoster;
  /** Those of the roster that are in service, by shard number, and all whose replies wait. */
  readonly #shards: readonly (LogicalShard | undefined)[];
  readonly #all: readonly LogicalShard[];
  readonly #frames: SealedFrame[] = [];
  readonly #signalled: Uint8Array;
  readonly #deliver: Parameters<LogicalShard['held']['release']>[1];
  readonly #fetched = { accountSlots: new Uint32Array(FETCH_AHEAD), states: [] as DomainState[], sum: 0 };
  #delivering = SHARDS_NONE;
  /** When the replies of this turn were released, us: the ingress measures its writes from here. */
  #releaseUs = 0;
  /** Times of this turn for its replies (turn-times.ts), and the part that commits have taken so far, us. */
  #turnTimes = 0;
  #commitUs = 0;
  #stopping = false;
  #checkpointUntilUs = 0;
  readonly #devices: DeviceLink | undefined;
  readonly #profiler = new ThreadProfiler();
  readonly #sweep: ExpirySweep;
  readonly #clockWatch: ClockWatch;
  /** Drops of the journal that were taken in (control-block.ts). */
  #drops = 0;
  #memoryDueUs = 0;
  /** Damaged segments cost an expiry no more than time: the index has logged it, and the hold is still due. */
  readonly #sweepFailed = (shard: LogicalShard, error: unknown): void => {
    if (!isSegmentDamage(error)) this.#roster.takeDown(shard, NO_HASH, error);
  };

  constructor(options: HostOptions) {
    this.#o = options;
    const { context, clock, control, shards } = options;
    this.#sweep = new ExpirySweep(context.ports.monotonicUs);
    this.#clockWatch = new ClockWatch(
      clock,
      context,
      control,
      shards.map(({ number }) => number),
    );
    this.#devices = context.ports.cardKeys.devices;
    this.#roster = new ShardRoster(options);
    this.#shards = this.#roster.inService;
    this.#all = this.#roster.all;
    for (const { number } of shards) context.ports.board.setDurable(number, options.lane.durable(number));
    this.#signalled = new Uint8Array(options.clients.length);
    this.#deliver = (client, kind, flag, token, b, bytes, at, length) => {
      const replies = options.clients[client]!.replies;
      const payloadAt = replies.reserve(length);
      if (payloadAt < 0) return false;
      copyBytes(bytes, at, replies.bytes, payloadAt, length);
      replies.commit(kind, flag, this.#delivering, token, this.#turnTimes, this.#releaseUs, b, length);
      this.#signalled[client] = 1;
      return true;
    };
  }

  /** True once a stop was asked for, every reply is out and every record is durable. */
  get finished(): boolean {
    return this.#stopping && this.#all.every((shard) => this.#isSettled(shard));
  }

  #isSettled({ held, journal, number, parking }: LogicalShard): boolean {
    return (
      (parking?.size ?? 0) === 0 &&
      held.size === 0 &&
      journal.pending === 0 &&
      this.#o.lane.durable(number) >= journal.sequence
    );
  }

  /** True when a request waits: the last look before the thread sleeps. */
  hasWork(): boolean {
    for (const client of this.#o.clients) if (client.requests.pendingBytes > 0) return true;
    return this.#o.control.stop !== 0;
  }

  /** One round; returns how long the thread may sleep when nothing arrives, in ms. */
  turn(): number {
    const { clock, context, control, lane } = this.#o;
    context.nowUs = context.ports.monotonicUs();
    context.inTurn = 0;
    this.#commitUs = 0;
    context.clearingUs = 0;
    clock.now(this.#o.wallMs(), context.nowUs);
    // It may take an acceptance over, which moves shard time.
    this.#clockWatch.look();
    context.nowMs = clock.timeMs;
    context.windowLagMs = clock.windowLagMs;
    lane.poll();
    const handled = this.#drain();
    for (const client of this.#o.clients) client.requests.release();
    const parkedMs = this.#devices === undefined ? IDLE_MS : this.#decideParked(this.#devices);
    if (control.stop !== 0) return 0;
    if (this.#stopping) this.#recordCounts();
    this.#commit();
    this.#release();
    const busy = this.#afterRelease();
    if (handled > 0 || busy) return 0;
    return this.#waiting() ? 1 : Math.min(parkedMs, this.#o.feed?.waitMs ?? IDLE_MS);
  }

  /** Replies that wait for an acknowledgement of the lane or for room in a ring; in a stop records, too. */
  #waiting(): boolean {
    for (const shard of this.#all) if (shard.held.size > 0 || (this.#stopping && !this.#isSettled(shard))) return true;
    return false;
  }

  /** In a stop: what the shards only count so far goes into their last frames. */
  #recordCounts(): void {
    for (const shard of this.#shards) {
      if (shard === undefined) continue;
      try {
        shard.recordUnknownCards(shard.takeUnknownCards());
      } catch (error) {
        this.#roster.takeDown(shard, NO_HASH, error);
      }
    }
  }

  #drain(): number {
    let handled = 0;
    for (let client = 0; client < this.#o.clients.length; client++) {
      const { requests } = this.#o.clients[client]!;
      while (handled < TURN_MESSAGES_MAX && requests.next()) {
        if (handled % FETCH_AHEAD === 0) this.#fetch(requests);
        this.#dispatch(client, requests);
        requests.consume();
        handled++;
      }
      requests.wipeConsumed();
    }
    return handled;
  }

  /**
   * Reads a word of the rows that the next messages will need. Between two decisions the processor waits for each of them,
   * a tenth of a microsecond or more; asked for one behind the other they come side by side.
   */
  #fetch(requests: RingConsumer): void {
    const { accountSlots, states } = this.#fetched;
    requests.beginScouting();
    let count = 0;
    for (let looks = 0; looks < FETCH_AHEAD; looks++) {
      const at = requests.scout();
      if (at < 0) break;
      const card = cardOfWireEntry(requests.bytes, at);
      const shard = this.#shards[card >>> 24];
      if (requests.kindAt(at) === RequestKind.wire && shard?.state.cards.exists(card & CARD_SLOT_MASK)) {
        states[count] = shard.state;
        accountSlots[count] = shard.state.cards.account(card & CARD_SLOT_MASK);
        count++;
      }
    }
    for (let i = 0; i < count; i++) this.#fetched.sum += states[i]!.accounts.held(accountSlots[i]!);
  }

  /** Decides again what devices have answered, or will not answer in time. Returns how long until the next wait ends, ms. */
  #decideParked(devices: DeviceLink): number {
    const { nowUs } = this.#o.context;
    let waitMs = IDLE_MS;
    for (const shard of this.#shards) {
      const parking = shard?.parking;
      if (parking === undefined || parking.size === 0) continue;
      waitMs = Math.min(waitMs, Math.ceil(parking.expire(nowUs)));
      for (let parked = parking.takeReady(nowUs); parked !== undefined; parked = parking.takeReady(nowUs)) {
        this.#dispatch(parked.client, parked, parked);
        parking.settle(parked);
      }
    }
    devices.flush();
    return waitMs;
  }

  /** @param parked the entry itself when it was parked */
  #dispatch(client: number, entry: WireEntry, parked?: Parked): void {
    if (entry.kind === RequestKind.stop) {
      this.#stopping = true;
      this.#checkpointUntilUs = entry.b;
      return;
    }
    if (entry.kind === RequestKind.profile) {
      const { context } = this.#o;
      if (!this.#profiler.start(entry.b, context.nowUs)) this.#o.onProfile('');
      return;
    }
    const shard = this.#shards[entry.shard];
    if (shard === undefined) {
      if (entry.kind === RequestKind.verdict) return;
      this.#roster.refuse(
        this.#roster.outOfService(entry.shard),
        client,
        entry,
        Response.unavailable,
        ShardCounter.shedDown,
      );
      return;
    }
    try {
      this.#handle(shard, client, entry, parked);
      if (shard.journal.full) this.#commit();
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'commit_failed') throw error;
      // A look-up changes nothing: the shard is whole, and takes no new work until its index is.
      if (isSegmentDamage(error)) {
        this.#roster.refuse(shard, client, entry, Response.unavailable, ShardCounter.shedIncomplete);
        return;
      }
      // A roll-back is not set aside: it is no more than a row that is looked up, and must not be forgotten.
      const hash = entry.kind === RequestKind.notDelivered ? NO_HASH : entryHash(entry, this.#o.context);
      this.#roster.takeDown(shard, hash, error, parked);
      this.#roster.refuse(shard, client, entry, Response.systemError);
    }
  }

  #handle(shard: LogicalShard, client: number, entry: WireEntry, parked: Parked | undefined): void {
    switch (entry.kind) {
      case RequestKind.wire:
        shard.handleWire(client, entry, parked);
        return;
      case RequestKind.notDelivered:
        shard.rollBack(client, entry.token, entry.b);
        return;
      case RequestKind.command:
        if (shard.refusesAgain(client, entry)) return;
        handleCommand(shard, client, entry, this.#o.context, () => this.#isAwaited(client));
        return;
      case RequestKind.read:
        if (shard.refusesAgain(client, entry)) return;
        handleRead(shard, this.#o.lane.durable(shard.number), client, entry, this.#o.context);
        return;
      case RequestKind.verdict:
        shard.parking?.answer(entry.token, readVerdict(entry));
        return;
      default:
        throw new HoldfastError('internal', `ring entry of unknown kind ${entry.kind}`);
    }
  }

  /** True while messages of this turn wait for its end, or requests of other clients than this one for the next. */
  #isAwaited(client: number): boolean {
    if (this.#o.context.inTurn > 0) return true;
    for (let i = 0; i < this.#o.clients.length; i++) {
      if (i !== client && this.#o.clients[i]!.requests.pendingBytes > 0) return true;
    }
    return false;
  }

  /** Seals what was appended and makes it durable in one commit. */
  #commit(): void {
    const { context, lane } = this.#o;
    const frames = this.#frames;
    let records = 0;
    for (const shard of this.#all) {
      if (shard.journal.pending === 0) continue;
      records += shard.journal.pending;
      frames.push(shard.journal.seal(context.nowMs, shard.digest, context.windowLagMs));
    }
    if (frames.length === 0) return;
    const { faults, instruments, monotonicUs } = context.ports;
    faults.beginCommit();
    faults.reach(KillPoint.beforeAppend);
    const start = monotonicUs();
    lane.append(frames);
    const journalUs = monotonicUs() - start;
    instruments.journal.record(journalUs);
    this.#commitUs += journalUs;
    for (const shard of this.#all) shard.stageTimes.commit(journalUs);
    instruments.batch.record(records);
    instruments.count(ShardCounter.commits);
    frames.length = 0;
    faults.reach(KillPoint.betweenAppendAndRelease);
  }

  #release(): void {
    this.#releaseUs = this.#o.context.ports.monotonicUs();
    this.#turnTimes = packTurnTimes(this.#releaseUs - this.#o.context.nowUs, this.#commitUs);
    for (const shard of this.#all) {
      const durable = this.#o.lane.durable(shard.number);
      this.#o.context.ports.board.setDurable(shard.number, durable);
      if (shard.held.size === 0) continue;
      this.#delivering = shard.number;
      shard.held.release(durable, this.#deliver);
    }
    for (let client = 0; client < this.#signalled.length; client++) {
      if (this.#signalled[client] === 0) continue;
      this.#signalled[client] = 0;
      this.#o.clients[client]!.waker.signal();
    }
    this.#o.context.ports.faults.reach(KillPoint.afterRelease);
  }

  /** Until when the checkpoint of the stop may take, us of the monotonic clock; 0 before a stop was asked for. */
  get checkpointUntilUs(): number {
    return this.#checkpointUntilUs;
  }

  /** Begins the checkpoint of a stop. */
  beginFinalCheckpoint(): void {
    this.#o.feed?.beginFinalRound();
  }

  /** Sends rows of the last checkpoint; false when all are out, or nobody takes them any more. */
  checkpointStep(): boolean {
    if (!this.#o.control.taskRuns(BackgroundTask.checkpoint)) return false;
    return this.#o.feed?.step(this.#shards, this.#o.lane, true) ?? false;
  }

  /** Work that no reply waits for; true when there is more of it. */
  #afterRelease(): boolean {
    for (const shard of this.#shards) {
      if (shard === undefined) continue;
      try {
        shard.maintain();
      } catch (error) {
        // A roll-back met damaged segments (the index has logged it): it is tried again next turn.
        if (!isSegmentDamage(error)) this.#roster.takeDown(shard, NO_HASH, error);
      }
    }
    this.#letGoOfDropped();
    this.#measureMemory();
    const profile = this.#profiler.take(this.#o.context.nowUs);
    if (profile !== undefined) this.#o.onProfile(profile);
    const rebuilding = this.#roster.rebuild();
    const feeding = this.#o.feed?.step(this.#shards, this.#o.lane) ?? false;
    return this.#expire() || rebuilding || feeding;
  }

  /** Nobody else can ask a thread that never yields. */
  #measureMemory(): void {
    const { nowUs, ports } = this.#o.context;
    if (nowUs < this.#memoryDueUs) return;
    this.#memoryDueUs = nowUs + MEMORY_LOOK_MS * 1000;
    const { used_heap_size, external_memory } = getHeapStatistics();
    ports.instruments.set(ShardCounter.heapBytes, used_heap_size);
    ports.instruments.set(ShardCounter.externalBytes, external_memory);
  }

  /** Closes the folders of a part of the journal that was dropped. Not while a shard is being rebuilt: it may be reading one. */
  #letGoOfDropped(): void {
    const { control, reader } = this.#o;
    const drops = control.journalDrops;
    if (drops === this.#drops || this.#roster.rebuilding) return;
    this.#drops = drops;
    reader.refresh();
  }

  /** Ends holds that are due; true when records wait for the next commit. */
  #expire(): boolean {
    const { clock, context, control } = this.#o;
    if (this.#stopping || context.clockPaused || control.refuse) return false;
    return this.#sweep.step(this.#shards, clock.dueMs, this.#sweepFailed);
  }
}
