/**
 * Entry of a shard thread: one long piscina task. It opens its lane, recovers its shards and runs turns until it is told to
 * stop. It never yields to its event loop while it runs and is never terminated while it owns an LMDB environment: a stop is
 * a ring message, a fatal stop the shared stop word.
 */
import type { MessagePort } from 'node:worker_threads';
import { monotonicUs, wallMs } from '../clock.js';
import type { ApprovalKey } from '../domain/approval-code.js';
import { IndexKeys } from '../domain/index-keys.js';
import { type ErrorCode, ExitStatus, HoldfastError } from '../errors.js';
import { type FaultOptions, Faults } from '../faults.js';
import { CheckpointStore } from '../journal/checkpoint.js';
import { openLane } from '../journal/lane-directory.js';
import { DelayedLane } from '../journal/lanes.js';
import { JournalReader } from '../journal/reader.js';
import { SegmentBoard } from '../journal/segment-board.js';
import { openSegmentStore } from '../journal/segment-store.js';
import { segmentKeyCheck } from '../journal/segment-task.js';
import type { JournalLane, ShardHead } from '../journal/types.js';
import { ControlBlock, ShardState } from '../ring/control-block.js';
import { CardDirectory } from '../ring/directory.js';
import { RingConsumer, RingProducer } from '../ring/ring.js';
import { Sleeper, Waker } from '../ring/wake.js';
import { ShardInstruments } from '../shard-instruments.js';
import { ThreadVitals, TurnWatch } from '../thread-vitals.js';
import { loadHsmKeys } from '../vault/hsm/key-file.js';
import type { HsmOp } from '../vault/hsm/port.js';
import { SoftHsm } from '../vault/hsm/soft-hsm.js';
import { PinReferences } from '../vault/pin-references.js';
import type { CardKeys } from './card-checks.js';
import { CheckpointFeed } from './checkpoint-feed.js';
import { checkpointSource } from './checkpoint-task.js';
import { DeviceLink } from './device-link.js';
import { logStartGap } from './expiry-sweep.js';
import { ShardRecovery } from './recovery.js';
import { lastTimesOf, ShardClock } from './shard-clock.js';
import { type HostClient, ShardHost } from './shard-host.js';
import { ThreadContext } from './thread-context.js';
import { warmUp } from './warm-up.js';

/** Rings of one client towards this thread. */
export interface ClientChannel {
  readonly requests: SharedArrayBuffer;
  readonly replies: SharedArrayBuffer;
  /** Wake words of the client. */
  readonly wake: SharedArrayBuffer;
}

export interface ShardThreadTask {
  readonly thread: number;
  /** Numbers of the logical shards of this thread. */
  readonly shards: readonly number[];
  readonly shardCount: number;
  readonly journalDir: string;
  readonly stateDir: string;
  readonly segmentsDir: string;
  readonly clients: readonly ClientChannel[];
  /** Wake words of this thread. */
  readonly wake: SharedArrayBuffer;
  readonly checkpointRing: SharedArrayBuffer;
  readonly checkpointWake: SharedArrayBuffer;
  readonly control: SharedArrayBuffer;
  readonly directory: SharedArrayBuffer;
  readonly board: SharedArrayBuffer;
  readonly instruments: SharedArrayBuffer;
  readonly vitals: SharedArrayBuffer;
  readonly indexSeeds: readonly [number, number];
  readonly duplicateWindowMs: number;
  readonly journalFolderBytes: number;
  readonly approvalKey: ApprovalKey;
  /** Key of the sealed PIN references. */
  readonly pinKey: Uint8Array;
  /** Keys of the software adapter; undefined without. */
  readonly softHsm: SoftHsmTask | undefined;
  /** Operations that the devices have; then the last of the clients is who asks them. Undefined without devices. */
  readonly deviceOps: readonly HsmOp[] | undefined;
  readonly faults: FaultOptions;
  readonly port: MessagePort;
}

export interface SoftHsmTask {
  readonly keyFile: string;
  readonly allowSoftwarePin: boolean;
}

/** What a shard thread tells the supervisor through its port. */
export type ShardThreadNote =
  | { type: 'log'; level: 'info' | 'warn' | 'error'; message: string; data: Record<string, string | number> }
  | { type: 'ready'; thread: number; recovered: number }
  /** JSON text of a .cpuprofile; empty when the thread was being profiled already. */
  | { type: 'profile'; profile: string };

export interface ShardThreadResult {
  readonly exitStatus: number;
  /** `code` when the failure was an expected one. */
  readonly error?: { message: string; next: string; code?: ErrorCode };
}

const REPLAY_STEP = 50_000;

/** Runs the thread until it stops. Never rejects: a failure is a result, and the stop word is set before it returns. */
export async function runShardThread(task: ShardThreadTask): Promise<ShardThreadResult> {
  const control = new ControlBlock(task.control);
  const closers: (() => Promise<void>)[] = [];
  let result: ShardThreadResult;
  try {
    result = run(task, control, closers);
  } catch (error) {
    result = failure(error instanceof HoldfastError ? error.exitStatus : ExitStatus.internal, error);
    control.requestStop(result.exitStatus);
  }
  // After a failed commit the environment is not touched again: the process is about to end.
  if (result.exitStatus === ExitStatus.journal) return result;
  for (const close of closers.reverse()) {
    try {
      await close();
    } catch (error) {
      if (result.exitStatus === ExitStatus.ok) result = failure(ExitStatus.internal, error);
    }
  }
  return result;
}

/** The file was read at the start already, and what the adapter says of itself was said then. */
function cardKeysOf({ pinKey, softHsm, deviceOps }: ShardThreadTask, clients: readonly HostClient[]): CardKeys {
  const pins = new PinReferences(pinKey);
  if (deviceOps !== undefined) {
    const { replies, waker } = clients.at(-1)!;
    return { hsm: undefined, pins, devices: new DeviceLink(replies, waker, new Set(deviceOps)) };
  }
  if (softHsm === undefined) return { hsm: undefined, pins };
  const { keyFile, allowSoftwarePin } = softHsm;
  return { hsm: new SoftHsm(loadHsmKeys(keyFile), { allowSoftwarePin, say: () => undefined }), pins };
}

function failure(exitStatus: number, error: unknown): ShardThreadResult {
  if (error instanceof HoldfastError)
    return { exitStatus, error: { message: error.message, next: error.next, code: error.code } };
  return {
    exitStatus,
    error: { message: error instanceof Error ? (error.stack ?? error.message) : String(error), next: '' },
  };
}

function run(task: ShardThreadTask, control: ControlBlock, closers: (() => Promise<void>)[]): ShardThreadResult {
  const watch = new TurnWatch(new ThreadVitals(task.vitals), monotonicUs());
  const say = (note: ShardThreadNote): void => task.port.postMessage(note);
  const reader = JournalReader.open(task.journalDir);
  closers.push(async () => reader.close());
  const segments = openSegmentStore(task.segmentsDir);
  closers.push(() => segments.close());
  const checkpoints = CheckpointStore.open(task.stateDir);
  closers.push(() => checkpoints.close());
  const checkpoint = checkpointSource(checkpoints);
  const clients = task.clients.map((client) => ({
    requests: new RingConsumer(client.requests),
    replies: new RingProducer(client.replies),
    waker: new Waker(client.wake),
  }));
  const context = new ThreadContext({
    reader,
    segments,
    board: new SegmentBoard(task.board),
    keys: new IndexKeys(task.indexSeeds[0], task.indexSeeds[1]),
    keyCheck: segmentKeyCheck(task.indexSeeds[0], task.indexSeeds[1]),
    duplicateWindowMs: task.duplicateWindowMs,
    approvalKey: task.approvalKey,
    cardKeys: cardKeysOf(task, clients),
    directory: new CardDirectory(task.directory),
    faults: new Faults(task.faults),
    instruments: new ShardInstruments(task.instruments),
    monotonicUs,
    log: (level, message, data = {}) => say({ type: 'log', level, message, data }),
  });
  const heads = task.shards.map((shard) => reader.head(shard));
  const last = lastTimesOf(heads);
  const wall = context.ports.faults.wallClock(wallMs, monotonicUs);
  const clock = new ShardClock(last, wall(), monotonicUs());
  context.nowMs = clock.now(wall(), monotonicUs());
  const feed = new CheckpointFeed(new RingProducer(task.checkpointRing), new Waker(task.checkpointWake), monotonicUs);
  let recovered = 0;
  const shards = heads.map((head) => {
    const recovery = new ShardRecovery(context, head, checkpoint);
    while (!recovery.step(REPLAY_STEP)) if (control.stop !== 0) break;
    recovered += recovery.records;
    if (recovery.discardCheckpoint) feed.discard(head.shard);
    return recovery.shard;
  });
  if (control.stop !== 0) return { exitStatus: control.stop };
  logStartGap(shards, last.shardMs, wall(), context.ports.log);
  const lane = laneOf(task, heads);
  closers.push(() => lane.close());
  const host = new ShardHost({
    context,
    clients,
    shards,
    lane,
    reader,
    control,
    clock,
    wallMs: wall,
    checkpoint,
    feed,
    onProfile: (profile) => say({ type: 'profile', profile }),
  });
  // Before the thread is ready: what it costs is not paid by the first requests.
  const warmedFromUs = monotonicUs();
  const { messages } = warmUp({ monotonicUs });
  context.ports.log('info', 'warmed up', { messages, ms: Math.round((monotonicUs() - warmedFromUs) / 1000) });
  for (const shard of task.shards) control.setShardState(shard, ShardState.up);
  say({ type: 'ready', thread: task.thread, recovered });
  // What comes waits for turns, not for the start, whose collections count all the same.
  watch.woke(monotonicUs());
  loop(host, new Sleeper(task.wake), control, watch);
  return { exitStatus: control.stop };
}

/** The host's whole loop: everything else is in `turn`. */
function loop(host: ShardHost, sleeper: Sleeper, control: ControlBlock, watch: TurnWatch): void {
  const hasWork = (): boolean => host.hasWork();
  for (;;) {
    const waitMs = host.turn();
    if (control.stop !== 0) return;
    if (host.finished) break;
    watch.turned(monotonicUs());
    if (waitMs === 0) continue;
    sleeper.block(waitMs, hasWork);
    watch.woke(monotonicUs());
  }
  // The last checkpoint: what it does not get out in time is replayed at the next start.
  host.beginFinalCheckpoint();
  while (monotonicUs() < host.checkpointUntilUs && host.checkpointStep() && control.stop === 0)
    sleeper.block(1, () => false);
}

function laneOf(task: ShardThreadTask, heads: readonly ShardHead[]): JournalLane {
  const lane = openLane(task.journalDir, task.thread, {
    heads,
    noSync: task.faults.laneNoSync,
    environmentBytes: task.journalFolderBytes,
  });
  if (task.faults.laneDelayMs === 0) return lane;
  return new DelayedLane(lane, { now: () => monotonicUs() / 1000, delayMs: task.faults.laneDelayMs });
}
