/**
 * The shards of a thread, in service and out of it.
 *
 *   in service --takeDown--> rebuilding --rebuild, some records per turn--> in service
 *                                |
 *                                '--too often, or no room for more poison--> down, until a restart
 *
 * A shard that throws goes out of service: what it had appended before is complete and is committed, its requests get 91, and
 * it is rebuilt from the journal while the others go on. The message that stopped it is answered 96 and set aside. The old
 * instance stays until its replies are out, because it owns their queue.
 */
import { Response } from '../domain/codes.js';
import { HoldfastError } from '../errors.js';
import type { JournalReader } from '../journal/reader.js';
import { isSegmentDamage } from '../journal/segment-format.js';
import type { JournalLane } from '../journal/types.js';
import { REBUILD_RECORDS_PER_TURN, REBUILDS_MAX, REBUILDS_WITHIN_MS } from '../limits.js';
import { maskDigits } from '../pan-mask.js';
import { type ControlBlock, ShardState } from '../ring/control-block.js';
import { RequestKind } from '../ring/kinds.js';
import { ShardCounter } from '../shard-instruments.js';
import type { CheckpointFeed } from './checkpoint-feed.js';
import type { LogicalShard, RollBack } from './logical-shard.js';
import { type Parked, type WireEntry, wipeParked } from './parking.js';
import { type CheckpointSource, ShardRecovery } from './recovery.js';
import type { ThreadContext } from './thread-context.js';

export interface RosterOptions {
  readonly context: ThreadContext;
  readonly shards: readonly LogicalShard[];
  readonly lane: JournalLane;
  readonly reader: JournalReader;
  readonly control: ControlBlock;
  readonly checkpoint: CheckpointSource | undefined;
  readonly feed: CheckpointFeed | undefined;
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

export class ShardRoster {
  /** By shard number; undefined for shards of other threads and shards out of service. */
  readonly inService: (LogicalShard | undefined)[] = [];
  /** Every shard of this thread whose replies wait, in service or not. */
  readonly all: LogicalShard[];
  readonly #o: RosterOptions;
  readonly #rebuilds: Rebuild[] = [];
  readonly #failures: { shard: number; atMs: number }[] = [];

  constructor(options: RosterOptions) {
    this.#o = options;
    this.all = [...options.shards];
    for (const shard of options.shards) this.inService[shard.number] = shard;
  }

  /** True while a shard of this thread is being rebuilt, or stays down. */
  get rebuilding(): boolean {
    return this.#rebuilds.length > 0;
  }

  /** The old instance of a shard that is being rebuilt or down: it still owns the queue of replies. */
  outOfService(number: number): LogicalShard {
    const shard = this.all.find((one) => one.number === number);
    if (shard === undefined) throw new HoldfastError('internal', `shard ${number} is not hosted by this thread`);
    return shard;
  }

  /** Answers a request that is not taken, even one whose refusal cannot be written. `counter`: of messages shed for this. */
  refuse(shard: LogicalShard, client: number, entry: WireEntry, response: number, counter?: number): void {
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

  /** Takes the shard out of service. `hash`: of the message that stopped it, zeros for none; `running`: that message, when it was parked. */
  takeDown(shard: LogicalShard, hash: Uint32Array, error: unknown, running?: Parked): void {
    const { context, control } = this.#o;
    // It goes into the journal, and nobody knows what the error quotes.
    const text = maskDigits(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    context.ports.log('error', 'a shard stopped; it is rebuilt from the journal', {
      shard: shard.number,
      sequence: shard.journal.sequence,
      error: text,
      stack: error instanceof Error ? maskDigits(error.stack ?? '') : '',
    });
    this.inService[shard.number] = undefined;
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

  /** Rebuilds the first of those that are down, a few records of its journal; true while there is more to do. */
  rebuild(): boolean {
    const { context, control, reader, checkpoint, lane } = this.#o;
    const job = this.#rebuilds.find((one) => control.shardState(one.shard) === ShardState.rebuilding);
    if (job === undefined) return false;
    const place = this.all.findIndex((one) => one.number === job.shard);
    const old = this.all[place]!;
    // The new shard continues behind everything the old one appended, and takes its place when its replies are out.
    // Until then there is nothing to do: `turn` looks again after a millisecond.
    if (lane.durable(job.shard) < old.journal.sequence || old.held.size > 0) return false;
    job.recovery ??= new ShardRecovery(context, reader.head(job.shard), checkpoint);
    if (!job.recovery.step(REBUILD_RECORDS_PER_TURN)) return true;
    const shard = job.recovery.shard;
    this.all[place] = shard;
    this.inService[job.shard] = shard;
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

  /** Nothing has happened of what waits: its network says it again. */
  #giveBackParked(shard: LogicalShard, running: Parked | undefined): void {
    for (const parked of shard.parking?.takeAll() ?? []) {
      if (parked === running) continue;
      this.refuse(shard, parked.client, parked, Response.unavailable, ShardCounter.shedDown);
      wipeParked(parked);
    }
  }

  /** Keeps a roll-back until the shard can do it; a shard that stays down never will, and says so. */
  #postpone(shard: LogicalShard, rollBack: RollBack): void {
    if (this.inService[shard.number] !== undefined) {
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
}
