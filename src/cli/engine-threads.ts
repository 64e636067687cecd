/**
 * The shard threads and their shared memory, seen from the main thread.
 *
 *   clients (ingress, control plane, supervisor)  --one ring pair each-->  shard thread 0 .. n-1 (piscina, one long task each)
 *   shard thread  --checkpoint ring-->  checkpoint task      journal  --reads--  segment task   (piscina, batch pool)
 *
 * A thread that owns an LMDB environment is never terminated: it is asked to stop by a ring message, or by the stop word
 * when something fatal happened, and main waits for it (engine.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { ApprovalKey } from '../domain/approval-code.js';
import { ExitStatus } from '../errors.js';
import type { FaultOptions } from '../faults.js';
import { CHECKPOINT_RING_BYTES, DEVICE_RING_BYTES, RING_BYTES, SUPERVISOR_RING_BYTES } from '../limits.js';
import type { Log } from '../log.js';
import { type ClientRings, RingClient } from '../ring/client.js';
import { ControlBlock, createControlBlock, ShardState } from '../ring/control-block.js';
import { RequestKind } from '../ring/kinds.js';
import { createRing } from '../ring/ring.js';
import { createWake, Waker } from '../ring/wake.js';
import type { ShardThreadNote, ShardThreadResult, ShardThreadTask, SoftHsmTask } from '../shard/shard-thread.js';
import { createShardInstruments } from '../shard-instruments.js';
import { createThreadVitals } from '../thread-vitals.js';
import type { HsmOp } from '../vault/hsm/port.js';
import { workerFile } from '../worker-file.js';

/** Clients of the shard threads, by their place in each thread's list. */
export const CLIENTS = ['ingress', 'control', 'supervisor'] as const;
export type ClientName = (typeof CLIENTS)[number];

const NOTHING = new Uint8Array(0);
const STOP_RETRY_MS = 5;
/** How long a thread may take to tell why it has stopped the others, ms: the process has two seconds. No graceful stop waits for it. */
const CAUSE_WAIT_MS = 300;

export interface ShardThreadsOptions {
  readonly threads: number;
  readonly shards: number;
  readonly paths: { readonly journal: string; readonly state: string; readonly segments: string };
  readonly directory: SharedArrayBuffer;
  readonly board: SharedArrayBuffer;
  readonly indexSeeds: readonly [number, number];
  readonly duplicateWindowMs: number;
  /** Size at which a folder of the journal is closed, bytes. */
  readonly journalFolderBytes: number;
  readonly approvalKey: ApprovalKey;
  /** Key of the sealed PIN references. */
  readonly pinKey: Uint8Array;
  readonly softHsm: SoftHsmTask | undefined;
  /** Operations of the devices; undefined without devices. */
  readonly deviceOps: readonly HsmOp[] | undefined;
  readonly faults: FaultOptions;
  readonly log: Log;
}

export interface CheckpointChannel {
  readonly rings: readonly SharedArrayBuffer[];
  readonly wake: SharedArrayBuffer;
}

export class ShardThreads {
  readonly control = createControlBlock();
  readonly instruments: readonly SharedArrayBuffer[];
  readonly vitals: readonly SharedArrayBuffer[];
  readonly threadOfShard: readonly number[];
  readonly checkpoint: CheckpointChannel;
  /** Rings of who asks the devices, the last client of each thread; undefined without devices. */
  readonly devices: ClientRings | undefined;
  readonly #options: ShardThreadsOptions;
  readonly #rings: Record<ClientName, ClientRings>;
  readonly #wakes: SharedArrayBuffer[];
  readonly #block: ControlBlock;
  readonly #pool: Piscina;
  readonly #running: Promise<ShardThreadResult>[] = [];
  readonly #ports: MessagePort[] = [];
  readonly #ready: Promise<number>[] = [];
  /** Who waits for the profile of a thread, by thread index. */
  readonly #profiled: (((profile: string) => void) | undefined)[] = [];
  #supervisor: RingClient | undefined;

  constructor(options: ShardThreadsOptions) {
    const { threads, shards } = options;
    this.#options = options;
    this.#block = new ControlBlock(this.control);
    this.#wakes = range(threads, createWake);
    this.instruments = range(threads, createShardInstruments);
    this.vitals = range(threads, createThreadVitals);
    this.threadOfShard = range(shards, (shard) => shard % threads);
    this.checkpoint = { rings: range(threads, () => createRing(CHECKPOINT_RING_BYTES)), wake: createWake() };
    const rings = (bytes: number): ClientRings => ({
      pairs: range(threads, () => ({ requests: createRing(bytes), replies: createRing(bytes) })),
      threadWakes: this.#wakes,
      clientWake: createWake(),
      threadOfShard: this.threadOfShard,
    });
    this.#rings = { ingress: rings(RING_BYTES), control: rings(RING_BYTES), supervisor: rings(SUPERVISOR_RING_BYTES) };
    this.devices = options.deviceOps && rings(DEVICE_RING_BYTES);
    this.#pool = new Piscina({
      filename: workerFile(import.meta.url, '../shard/shard-thread.js').href,
      name: 'runShardThread',
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      atomics: 'disabled',
    });
  }

  /** Rings of one client. Each client's rings have one owner. */
  rings(client: ClientName): ClientRings {
    return this.#rings[client];
  }

  /** Starts the threads; resolves with the records they read back once every shard is up. Rejects with the first failure. */
  async start(): Promise<number> {
    for (let thread = 0; thread < this.#options.threads; thread++) this.#startThread(thread);
    const failed = Promise.race(
      this.#running.map(async (running) => {
        const result = await running;
        throw new ShardThreadFailure(result);
      }),
    );
    failed.catch(() => undefined);
    const recovered = await Promise.race([Promise.all(this.#ready), failed]);
    return recovered.reduce((sum, one) => sum + one, 0);
  }

  #startThread(thread: number): void {
    const { shards, paths, directory, board, indexSeeds, faults, log } = this.#options;
    const { port1, port2 } = new MessageChannel();
    this.#ports.push(port1);
    port1.unref();
    this.#ready.push(
      new Promise((resolve) => {
        port1.on('message', (note: ShardThreadNote) => {
          if (note.type === 'ready') resolve(note.recovered);
          else if (note.type === 'profile') this.#onProfile(thread, note.profile);
          else log[note.level]({ thread, ...note.data }, note.message);
        });
      }),
    );
    const task: ShardThreadTask = {
      thread,
      shards: range(shards, (shard) => shard).filter((shard) => this.threadOfShard[shard] === thread),
      shardCount: shards,
      journalDir: paths.journal,
      stateDir: paths.state,
      segmentsDir: paths.segments,
      clients: [...CLIENTS.map((name) => this.#rings[name]), ...(this.devices === undefined ? [] : [this.devices])].map(
        ({ pairs, clientWake }) => ({ ...pairs[thread]!, wake: clientWake }),
      ),
      wake: this.#wakes[thread]!,
      checkpointRing: this.checkpoint.rings[thread]!,
      checkpointWake: this.checkpoint.wake,
      control: this.control,
      directory,
      board,
      instruments: this.instruments[thread]!,
      vitals: this.vitals[thread]!,
      indexSeeds,
      duplicateWindowMs: this.#options.duplicateWindowMs,
      journalFolderBytes: this.#options.journalFolderBytes,
      approvalKey: this.#options.approvalKey,
      pinKey: this.#options.pinKey,
      softHsm: this.#options.softHsm,
      deviceOps: this.#options.deviceOps,
      faults,
      port: port2,
    };
    const running = this.#pool.run(task, { transferList: [port2] }) as Promise<ShardThreadResult>;
    this.#running.push(running.catch(crashed));
  }

  /**
   * Resolves with the first result of any thread: after a stop all are 0, anything else is fatal. A thread that left because another
   * one failed may be there first, and does not know why: then the other is waited for, a moment at most.
   */
  async firstEnd(): Promise<ShardThreadResult> {
    const first = await Promise.race(this.#running);
    if (first.error !== undefined) return first;
    const telling = this.#running.map(async (running) => {
      const result = await running;
      return result.error === undefined ? new Promise<never>(() => undefined) : result;
    });
    return Promise.race([...telling, sleep(CAUSE_WAIT_MS, first, { ref: false })]);
  }

  /** Resolves when every thread has left its loop and closed its environments. */
  async ended(): Promise<ShardThreadResult[]> {
    return Promise.all(this.#running);
  }

  /** JSON text of a .cpuprofile of the thread; empty when it was being profiled already. */
  async profile(thread: number, seconds: number): Promise<string> {
    if (this.#profiled[thread] !== undefined) return '';
    const shard = this.threadOfShard.indexOf(thread);
    const supervisor = this.#client;
    if (!supervisor.producer(shard).push(RequestKind.profile, 0, shard, 0, 0, 0, seconds, NOTHING)) {
      throw new Error(`thread ${thread} does not take commands: its ring is full`);
    }
    supervisor.signal();
    return new Promise((resolve) => {
      this.#profiled[thread] = resolve;
    });
  }

  #onProfile(thread: number, profile: string): void {
    const waiting = this.#profiled[thread];
    this.#profiled[thread] = undefined;
    waiting?.(profile);
  }

  get #client(): RingClient {
    this.#supervisor ??= new RingClient(this.#rings.supervisor);
    return this.#supervisor;
  }

  /**
   * Asks every thread to finish what it has and leave. Only after the clients have stopped sending.
   * @param checkpointUntilUs until when the threads may write their last checkpoint, us of the monotonic clock
   */
  async requestStop(checkpointUntilUs: number): Promise<void> {
    const client = this.#client;
    for (let thread = 0; thread < this.#options.threads; thread++) {
      const shard = this.threadOfShard.indexOf(thread);
      // A full ring is emptied by the thread's next turn.
      while (!client.producer(shard).push(RequestKind.stop, 0, shard, 0, 0, 0, checkpointUntilUs, NOTHING)) {
        client.signal();
        if (this.#block.stop !== 0) return;
        await sleep(STOP_RETRY_MS);
      }
    }
    client.signal();
  }

  /** Wakes every thread so that it sees the stop word. */
  wakeAll(): void {
    for (const wake of this.#wakes) new Waker(wake).signal();
  }

  allUp(): boolean {
    return this.threadOfShard.every((_, shard) => this.#block.shardState(shard) === ShardState.up);
  }

  /** Ends the idle pool threads. Only after `ended`. */
  async close(): Promise<void> {
    for (const port of this.#ports) port.close();
    await this.#pool.destroy();
  }
}

/** The result of a thread that could not even report one. */
function crashed(error: unknown): ShardThreadResult {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { exitStatus: ExitStatus.internal, error: { message: `a shard thread crashed: ${message}`, next: '' } };
}

/** A shard thread ended before it was asked to. */
export class ShardThreadFailure extends Error {
  readonly result: ShardThreadResult;

  constructor(result: ShardThreadResult) {
    super(result.error?.message ?? `a shard thread ended with status ${result.exitStatus}`);
    this.name = 'ShardThreadFailure';
    this.result = result;
  }
}

function range<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
