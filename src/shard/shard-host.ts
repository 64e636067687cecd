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
 * A shard that throws is taken out of service: what it had appended before is complete and is committed, its requests get
 * 91, and it is rebuilt from the journal a few records per turn while the others go on. The message that stopped it is
 * answered 96 and set aside.
 */
import { getHeapStatistics } from 'node:v8';
import { copyBytes } from '../bytes.js';
import { Response } from '../domain/codes.js';
import type { ShardState as DomainState } from '../domain/shard-state.js';
import { HoldfastError } from '../errors.js';
import type { JournalReader } from '../journal/reader.js';
import { isSegmentDamage } from '../journal/segment-format.js';
import type { JournalLane, SealedFrame } from '../journal/types.js';
import {
  MEMORY_LOOK_MS,
  REBUILD_RECORDS_PER_TURN,
  REBUILDS_MAX,
  REBUILDS_WITHIN_MS,
  TURN_MESSAGES_MAX,
} from '../limits.js';
import { maskDigits } from '../pan-mask.js';
import { BackgroundTask, type ControlBlock, ShardState } from '../ring/control-block.js';
import { RequestKind } from '../ring/kinds.js';
import type { RingConsumer, RingProducer } from '../ring/ring.js';
import { packTurnTimes } from '../ring/turn-times.js';
import type { Signal } from '../ring/wake.js';
import { cardOfWireEntry } from '../ring/wire-entry.js';
import { ShardCounter } from '../shard-instruments.js';
import type { CheckpointFeed } from './checkpoint-feed.js';
import { ClockWatch } from './clock-watch.js';
import { handleCommand } from './commands.js';
import type { DeviceLink } from './device-link.js';
import { ExpirySweep } from './expiry-sweep.js';
import { KillPoint } from './faults.js';
import { CARD_SLOT_MASK, entryHash, type LogicalShard, type RollBack } from './logical-shard.js';
import { type Parked, type WireEntry, wipeParked } from './parking.js';
import { readVerdict } from './questions.js';
import { handleRead } from './reads.js';
import { type CheckpointSource, ShardRecovery } from './recovery.js';
import type { ShardClock } from './shard-clock.js';
import type { ThreadContext } from './thread-context.js';
import { ThreadProfiler } from './thread-profiler.js';

/** One client of this thread: the ingress, the control plane, the supervisor. */
export interface HostClient {
  readonly requests: RingConsumer;
  readonly replies: RingProducer;
  readonly waker: Signal;
}

export interface HostOptions {
  readonly context: ThreadContext;
  readonly clients: readonly HostClient[];
  readonly shards: readonly LogicalShard[];
  readonly lane: JournalLane;
  readonly reader: JournalReader;
  readonly control: ControlBlock;
  readonly clock: ShardClock;
  readonly wallMs: () => number;
  readonly checkpoint: CheckpointSource | undefined;
  readonly feed: CheckpointFeed | undefined;
  /** Takes the JSON text of a .cpuprofile; empty when there is none. */
  readonly onProfile: (profile: string) => void;
}

/** A shard out of service. */
interface Rebuild {
  readonly shard: number;
  /** Undefined until everything it appended before is durable, and for a shard that stays down. */
  recovery: ShardRecovery | undefined;
  readonly hashHigh: number;
  readonly hashLow: number;
  readonly error: string;
  /** Roll-backs that came meanwhile: answered when the shard is back, because until then nothing was undone. */
  readonly rollBacks: RollBack[];
}

const IDLE_MS = 250;
/** Messages whose rows are fetched together: more would not be fetched side by side (some ten cache lines are in flight). */
const FETCH_AHEAD = 16;
const SHARDS_NONE = -1;
const NO_HASH = new Uint32Array(2);

export class ShardHost {
  readonly #o: HostOptions;
  /** By shard number; undefined for shards of other threads and shards out of service. */
  readonly #shards: (LogicalShard | undefined)[] = [];
  /** Every shard of this thread whose replies wait, in service or not. */
  readonly #all: LogicalShard[];
  readonly #rebuilds: Rebuild[] = [];
  readonly #failures: { shard: number; atMs: number }[] = [];
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
    if (!isSegmentDamage(error)) this.#takeDown(shard, NO_HASH, error);
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
    this.#all = [...options.shards];
    for (const shard of options.shards) {
      this.#shards[shard.number] = shard;
      options.context.ports.board.setDurable(shard.number, options.lane.durable(shard.number));
    }
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
        this.#takeDown(shard, NO_HASH, error);
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

  /** Nothing has happened of what waits: its network says it again. */
  #giveBackParked(shard: LogicalShard, running: Parked | undefined): void {
    for (const parked of shard.parking?.takeAll() ?? []) {
      if (parked === running) continue;
      this.#refuse(shard, parked.client, parked, Response.unavailable, ShardCounter.shedDown);
      wipeParked(parked);
    }
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
      this.#refuse(this.#outOfService(entry.shard), client, entry, Response.unavailable, ShardCounter.shedDown);
      return;
    }
    try {
      this.#handle(shard, client, entry, parked);
      if (shard.journal.full) this.#commit();
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'commit_failed') throw error;
      // A look-up changes nothing: the shard is whole, and takes no new work until its index is.
      if (isSegmentDamage(error)) {
        this.#refuse(shard, client, entry, Response.unavailable, ShardCounter.shedIncomplete);
        return;
      }
      // A roll-back is not set aside: it is no more than a row that is looked up, and must not be forgotten.
      const hash = entry.kind === RequestKind.notDelivered ? NO_HASH : entryHash(entry, this.#o.context);
      this.#takeDown(shard, hash, error, parked);
      this.#refuse(shard, client, entry, Response.systemError);
    }
  }

  /** The old instance of a shard that is being rebuilt or down: it still owns the queue of replies. */
  #outOfService(number: number): LogicalShard {
    const shard = this.#all.find((one) => one.number === number);
    if (shard === undefined) throw new HoldfastError('internal', `shard ${number} is not hosted by this thread`);
    return shard;
  }

  /** Answers a request that is not taken, even one whose refusal cannot be written. `counter`: of messages shed for this. */
  #refuse(shard: LogicalShard, client: number, entry: WireEntry, response: number, counter?: number): void {
    const { instruments, log } = this.#o.context.ports;
    try {
      if (entry.kind === RequestKind.wire) {
        if (counter !== undefined) instruments.count(counter);
        shard.refuse(client, entry, response);
      } else if (entry.kind === RequestKind.notDelivered) {
        this.#postpone(shard, { client, token: entry.token, sequence: entry.b });
      } else {
        shard.refuseCall(client, entry.token);
      }
    } catch (error) {
      log('error', 'a request that is refused cannot be answered', {
        shard: shard.number,
        error: maskDigits(String(error)),
      });
      shard.drop(client, entry.token);
    }
  }

  /** Keeps a roll-back until the shard can do it; a shard that stays down never will, and says so. */
  #postpone(shard: LogicalShard, rollBack: RollBack): void {
    if (this.#shards[shard.number] !== undefined) {
      shard.postpone(rollBack);
      return;
    }
    const down = this.#o.control.shardState(shard.number) === ShardState.down;
    const job = down ? undefined : this.#rebuilds.find((one) => one.shard === shard.number);
    if (job === undefined) this.#giveUp(shard, rollBack);
    else job.rollBacks.push(rollBack);
  }

  /** The hold stays, and nobody got the approval: the network's reversal after its time-out releases it. */
  #giveUp(shard: LogicalShard, rollBack: RollBack): void {
    this.#o.context.ports.log(
      'error',
      'an approval that was not delivered cannot be rolled back; its hold stays until it is reversed',
      { shard: shard.number, sequence: rollBack.sequence },
    );
    shard.drop(rollBack.client, rollBack.token, rollBack.sequence);
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

  /** Takes the shard out of service. `hash`: of the message that stopped it, zeros for none; `running`: that message, when it was parked. */
  #takeDown(shard: LogicalShard, hash: Uint32Array, error: unknown, running?: Parked): void {
    const { context, control } = this.#o;
    // It goes into the journal, and nobody knows what the error quotes.
    const text = maskDigits(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    context.ports.log('error', 'a shard stopped; it is rebuilt from the journal', {
      shard: shard.number,
      sequence: shard.journal.sequence,
      error: text,
      stack: error instanceof Error ? maskDigits(error.stack ?? '') : '',
    });
    this.#shards[shard.number] = undefined;
    control.setShardState(shard.number, ShardState.rebuilding);
    context.ports.instruments.count(ShardCounter.rebuilds);
    this.#giveBackParked(shard, running);
    this.#failures.push({ shard: shard.number, atMs: context.nowMs });
    const recent = this.#failures.filter(
      (one) => one.shard === shard.number && context.nowMs - one.atMs < REBUILDS_WITHIN_MS,
    );
    const rollBacks = shard.takePostponed();
    this.#rebuilds.push({
      shard: shard.number,
      recovery: undefined,
      hashHigh: hash[0]!,
      hashLow: hash[1]!,
      error: text,
      rollBacks,
    });
    if (recent.length >= REBUILDS_MAX || shard.poisons.full) {
      control.setShardState(shard.number, ShardState.down);
      context.ports.log(
        'error',
        'a shard stopped too often and stays down; restart after looking at its last messages',
        { shard: shard.number },
      );
      for (const rollBack of rollBacks.splice(0)) this.#giveUp(shard, rollBack);
    }
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
        if (!isSegmentDamage(error)) this.#takeDown(shard, NO_HASH, error);
      }
    }
    this.#letGoOfDropped();
    this.#measureMemory();
    const profile = this.#profiler.take(this.#o.context.nowUs);
    if (profile !== undefined) this.#o.onProfile(profile);
    const rebuilding = this.#rebuild();
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
    if (drops === this.#drops || this.#rebuilds.length > 0) return;
    this.#drops = drops;
    reader.refresh();
  }

  /** Ends holds that are due; true when records wait for the next commit. */
  #expire(): boolean {
    const { clock, context, control } = this.#o;
    if (this.#stopping || context.clockPaused || control.refuse) return false;
    return this.#sweep.step(this.#shards, clock.dueMs, this.#sweepFailed);
  }

  /** A roll-back that waited for the rebuild. One that throws again is given up. */
  #rollBackAgain(shard: LogicalShard, rollBack: RollBack): void {
    try {
      shard.rollBack(rollBack.client, rollBack.token, rollBack.sequence);
    } catch (error) {
      if (isSegmentDamage(error)) {
        shard.postpone(rollBack);
        return;
      }
      this.#o.context.ports.log('error', 'a roll-back failed twice', {
        shard: shard.number,
        error: maskDigits(String(error)),
      });
      this.#giveUp(shard, rollBack);
    }
  }

  #rebuild(): boolean {
    const { context, control, reader, checkpoint, lane } = this.#o;
    const job = this.#rebuilds.find((one) => control.shardState(one.shard) === ShardState.rebuilding);
    if (job === undefined) return false;
    const place = this.#all.findIndex((one) => one.number === job.shard);
    const old = this.#all[place]!;
    // The new shard continues behind everything the old one appended, and takes its place when its replies are out.
    // Until then there is nothing to do: `turn` looks again after a millisecond.
    if (lane.durable(job.shard) < old.journal.sequence || old.held.size > 0) return false;
    job.recovery ??= new ShardRecovery(context, reader.head(job.shard), checkpoint);
    if (!job.recovery.step(REBUILD_RECORDS_PER_TURN)) return true;
    const shard = job.recovery.shard;
    this.#all[place] = shard;
    this.#shards[job.shard] = shard;
    this.#rebuilds.splice(this.#rebuilds.indexOf(job), 1);
    if (job.hashHigh !== 0 || job.hashLow !== 0) shard.setAside(job.hashHigh, job.hashLow, job.error);
    shard.recordUnknownCards(old.takeUnknownCards());
    for (const rollBack of job.rollBacks) this.#rollBackAgain(shard, rollBack);
    this.#o.feed?.restart(job.shard);
    if (job.recovery.discardCheckpoint) this.#o.feed?.discard(job.shard);
    control.setShardState(job.shard, ShardState.up);
    context.ports.log('info', 'a shard is back', { shard: job.shard, records: job.recovery.records });
    return true;
  }
}
