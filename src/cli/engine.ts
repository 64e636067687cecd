/**
 * The composition of the engine: opens the data directory and the keys, starts the threads, joins them by rings, and ends
 * them in the right order.
 *
 *   main thread      ingress (TCP, WebSocket), supervision, disk guard
 *   control thread   HTTP API, vault, system journal
 *   shard threads    decisions and the journal (piscina)
 *   batch threads    fingerprint segments, checkpoint rows (piscina, a pool of its own)
 *
 * Start: directory and lock -> keys -> shared memory -> shard threads recover -> control plane -> ingress -> ready.
 * Stop:  ingress (finishes what is in flight) -> control plane -> shard threads (last checkpoint) -> batch (last segments) -> lock.
 * A fatal stop (74 journal, 76 books, 70 defect) sets the stop word; the threads leave after their commit and the process
 * ends within two seconds, or kills itself.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { monotonicUs } from '../clock.js';
import { type ErrorCode, ExitStatus, HoldfastError } from '../errors.js';
import { faultsFromEnvironment, plantedFaults, taskFaultFromEnvironment } from '../faults.js';
import { Ingress } from '../ingress/ingress.js';
import { shardOfFingerprint } from '../journal/placement.js';
import { createSegmentBoard } from '../journal/segment-board.js';
import { removeUnusableSegments } from '../journal/segment-store.js';
import { FATAL_STOP_MS, STOP_MARGIN_MS } from '../limits.js';
import type { Log } from '../log.js';
import { ControlBlock } from '../ring/control-block.js';
import { createDirectory } from '../ring/directory.js';
import type { DeviceDesk } from '../shard/device-desk.js';
import type { ShardThreadResult } from '../shard/shard-thread.js';
import { DataDirectory } from '../store/data-directory.js';
import { approvalKeyOf } from '../vault/approval-key.js';
import type { Kek } from '../vault/kek.js';
import { type Keys, loadKeys } from '../vault/keys.js';
import { deviceOps } from '../vault/payshield/commands.js';
import type { PayShieldHsm } from '../vault/payshield/payshield-hsm.js';
import { pinReferenceKeyOf } from '../vault/pin-references.js';
import { openCardCryptography } from './card-cryptography.js';
import { DiskGuard } from './disk-guard.js';
import { BatchTasks } from './engine-batch.js';
import { ControlPlane } from './engine-control.js';
import { ShardThreadFailure, ShardThreads } from './engine-threads.js';
import type { EngineConfig, RunningEngine, StartEngine } from './engine-types.js';
import { openDesk } from './hsm-devices.js';
import { KEK_VARIABLE, kekOf } from './kek-source.js';
import { openFilesLimit, socketsAllowed } from './open-files.js';
import { assertSoundData } from './sound-data.js';
import { packageFile } from './version.js';

/** Bytes of one card's row in the vault, at least: how many cards a directory may hold is estimated from the file's size. */
const VAULT_ROW_BYTES = 100;
const PLAIN_KEYS =
  'the key file holds its keys as they are: for cards of people wrap them by a key-encrypting key (holdfast keys wrap)';

export const startEngine: StartEngine = async (config, log) => {
  const began = performance.now();
  // Asked before there are threads: the report would ask each of them as well.
  const socketsMax = socketsAllowed(openFilesLimit());
  const faults = plantedFaults(process.env);
  if (faults.length > 0) log.warn({ faults }, 'faults are planted by the environment: never in production');
  const data = await DataDirectory.open(config.dataDir, {
    create: true,
    engine: packageFile().version,
    ...(config.shardsGiven ? { shards: config.shards } : {}),
  });
  try {
    const { kek, keys } = await keysOf(data, config);
    if (kek === undefined) log.warn({ key_file: config.keyFile }, PLAIN_KEYS);
    return await new Engine(config, log, data, keys, kek, socketsMax, began).start();
  } catch (error) {
    // The cause of the failed start is what is told, whatever else fails on the way out.
    await data.close().catch((later: unknown) => log.error({ err: later }, 'the data directory cannot be closed'));
    throw error;
  }
};

/** The keys of the directory. Without them a directory that this start made is taken back. */
async function keysOf(
  data: DataDirectory,
  { keyFile, kekFile, hsmDevices }: EngineConfig,
): Promise<{ keys: Keys; kek?: Kek }> {
  try {
    const kek = await kekOf({ path: kekFile, keyFile, environment: process.env, devices: hsmDevices });
    // No process and no thread that this one begins inherits it.
    delete process.env[KEK_VARIABLE];
    const keys = loadKeys(keyFile, { directory: data.document.id, create: data.unused, kek });
    return kek === undefined ? { keys } : { keys, kek };
  } catch (error) {
    await data.abandon();
    throw error;
  }
}

class Engine {
  readonly #config: EngineConfig;
  readonly #log: Log;
  readonly #data: DataDirectory;
  readonly #threads: ShardThreads;
  readonly #batch: BatchTasks;
  readonly #plane: ControlPlane;
  readonly #ingress: Ingress;
  readonly #guard: DiskGuard;
  readonly #hsm: PayShieldHsm | undefined;
  readonly #desk: DeviceDesk | undefined;
  readonly #block: ControlBlock;
  readonly #began: number;
  #stopping: Promise<void> | undefined;
  #fatalStop = false;
  #end: (status: ExitStatus) => void = () => undefined;
  readonly #closed = new Promise<ExitStatus>((resolve) => {
    this.#end = resolve;
  });

  constructor(
    config: EngineConfig,
    log: Log,
    data: DataDirectory,
    keys: Keys,
    kek: Kek | undefined,
    socketsMax: number,
    began: number,
  ) {
    this.#config = config;
    this.#log = log;
    this.#data = data;
    this.#began = began;
    const threads = Math.min(config.threads, data.shards);
    const directory = createDirectory({ expected: expectedCards(data), maximum: config.cardsMax });
    const board = createSegmentBoard();
    const seeds = new DataView(keys.indexKey.bytes.buffer, keys.indexKey.bytes.byteOffset);
    const indexSeeds = [seeds.getUint32(0), seeds.getUint32(4)] as const;
    const cryptography = openCardCryptography(config, log);
    this.#hsm = cryptography.devices;
    this.#threads = new ShardThreads({
      threads,
      shards: data.shards,
      paths: data.paths,
      directory,
      board,
      indexSeeds,
      duplicateWindowMs: config.duplicateWindowMs,
      journalFolderBytes: config.journalFolderBytes,
      approvalKey: approvalKeyOf(keys.indexKey),
      pinKey: pinReferenceKeyOf(keys.tokenKey),
      softHsm: cryptography.softHsm,
      deviceOps: this.#hsm && [...deviceOps],
      faults: faultsFromEnvironment(process.env),
      log,
    });
    this.#block = new ControlBlock(this.#threads.control);
    this.#desk = this.#hsm && openDesk(this.#threads.devices!, this.#hsm);
    this.#batch = new BatchTasks({
      paths: data.paths,
      shards: data.shards,
      board,
      indexSeeds,
      checkpoint: this.#threads.checkpoint,
      control: this.#block,
      fault: taskFaultFromEnvironment(process.env),
      log,
    });
    this.#guard = new DiskGuard({
      root: data.paths.root,
      journalDir: data.paths.journal,
      reserveBytes: config.diskReserveBytes,
      control: this.#block,
      log,
    });
    this.#ingress = new Ingress({
      links: config.links,
      rings: this.#threads.rings('ingress'),
      directory,
      control: this.#threads.control,
      fingerprintKey: keys.fingerprintKey.bytes,
      log,
      shardOfFingerprint: (f0) => shardOfFingerprint(f0, data.shards),
      wsAdapter: config.wsAdapter,
      socketsMax,
      rateMax: config.admissionRateMax,
      ...(cryptography.macs === undefined ? {} : { macs: cryptography.macs }),
      keepCutover: (request) => this.#plane.cutOver(request),
      keepLinkKey: (key) => this.#plane.keepLinkKey(key),
    });
    this.#plane = new ControlPlane({
      config,
      data,
      kek,
      threads: this.#threads,
      directory,
      board,
      indexSeeds,
      ingress: this.#ingress,
      guard: this.#guard,
      hsm: this.#hsm,
      cardKeys: cryptography.infos,
      log,
    });
  }

  async start(): Promise<RunningEngine> {
    let admin: string;
    let recovered: number;
    let addresses: Awaited<ReturnType<Ingress['start']>>;
    // A throw on the main loop must not end the process beside threads that commit: it leaves in order, with 70.
    process.on('uncaughtException', this.#onUncaught);
    try {
      assertSoundData(this.#data.paths, (folder, why) =>
        this.#log.error({ folder, why }, 'a damaged checkpoint was removed; its shard is built from the journal'),
      );
      this.#dropUnusableSegments();
      this.#batch.start();
      recovered = await this.#recover();
      this.#desk?.start();
      this.#watch();
      this.#guard.start();
      admin = await this.#plane.start();
      this.#plane.onFailure((error) => {
        if (this.#stopping === undefined) this.#fatal(error.exitStatus, error.message);
      });
      addresses = await this.#ingress.start(this.#plane.linkDays, this.#plane.linkKeys);
    } catch (error) {
      await this.#abandon();
      throw error;
    }
    this.#logListeners(addresses.links);
    const inMs = performance.now() - this.#began;
    this.#log.info({ recovered, in_ms: Math.round(inMs) }, 'ready');
    return {
      addresses: { tcp: addresses.tcp ?? '-', ws: addresses.ws ?? '-', admin, links: addresses.links },
      threads: this.#threads.threadOfShard.length === 0 ? 0 : Math.max(...this.#threads.threadOfShard) + 1,
      shards: this.#data.shards,
      recovered,
      inMs,
      closed: this.#closed,
      reloadTls: () => {
        this.#plane.reloadTls();
        return this.#ingress.reloadTls();
      },
      stop: () => this.#stop(),
    };
  }

  /** One line per listener: what it speaks is what a peer that cannot talk to it must know. */
  #logListeners(addresses: Readonly<Record<string, string>>): void {
    for (const { name, transport, framing, headerBytes, dialect, tls, signOnRequired } of this.#config.links) {
      const frames = transport === 'tcp' ? { framing, header_bytes: headerBytes } : {};
      const speaks = { transport, ...frames, dialect, tls: tls !== undefined, sign_on_required: signOnRequired };
      this.#log.info({ link: name, address: addresses[name], ...speaks }, 'listening');
    }
  }

  async #recover(): Promise<number> {
    try {
      return await this.#threads.start();
    } catch (error) {
      if (!(error instanceof ShardThreadFailure)) throw error;
      // The first thread to end may be one that only saw the stop word of the thread that failed.
      const results = await this.#threads.ended();
      const result = results.find((one) => one.error !== undefined) ?? error.result;
      const message = result.error?.message ?? error.message;
      throw new HoldfastError(codeOf(result), message, result.error?.next ?? '', { cause: error });
    }
  }

  /** Segments that nobody could read are worth less than none: these are built again from the journal. */
  #dropUnusableSegments(): void {
    const why = removeUnusableSegments(this.#data.paths.segments);
    if (why !== undefined)
      this.#log.error({ why }, 'the fingerprint segments were removed; they are built anew from the journal');
  }

  /** A start that failed half-way: ends whatever it had begun, or the process would never end. */
  async #abandon(): Promise<void> {
    this.#stopping ??= Promise.resolve();
    this.#guard.stop();
    try {
      await this.#ingress.stop(0);
      await this.#plane.stop();
      await this.#stopThreads(() => 0);
    } catch (error) {
      // The cause of the failed start is what is told.
      this.#log.error({ err: error }, 'the failed start cannot be taken back in order');
    }
    process.off('uncaughtException', this.#onUncaught);
  }

  /** A shard thread that ends without having been asked to is fatal. */
  #watch(): void {
    void this.#threads.firstEnd().then((result) => {
      if (this.#stopping === undefined)
        this.#fatal(result.exitStatus || ExitStatus.internal, result.error?.message ?? '');
    });
  }

  readonly #onUncaught = (error: Error): void => {
    if (this.#fatalStop) this.#log.fatal({ err: error }, 'one more failure in the fatal stop');
    else this.#fatal(ExitStatus.internal, error.stack ?? error.message);
  };

  /**
   * Ends the process with this status. The timer stays armed until the process has ended: whatever keeps it from ending is
   * killed with it.
   */
  #fatal(status: number, message: string): void {
    this.#fatalStop = true;
    this.#stopping = Promise.resolve();
    this.#block.requestStop(status);
    this.#threads.wakeAll();
    this.#log.fatal({ exit_status: status, error: message }, 'fatal stop');
    setTimeout(() => {
      this.#log.fatal({ exit_status: ExitStatus.forced }, 'threads did not leave in time; the process kills itself');
      process.kill(process.pid, 'SIGKILL');
    }, FATAL_STOP_MS).unref();
    this.#guard.stop();
    this.#leave(status, message)
      .catch((error: unknown) => this.#log.fatal({ err: error }, 'the fatal stop is not in order'))
      .finally(() => this.#end(status as ExitStatus));
  }

  /** The rest of a fatal stop: waits for the threads and closes what they leave. */
  async #leave(status: number, message: string): Promise<void> {
    const results = await this.#threads.ended();
    const causes = results.flatMap((result) => (result.error === undefined ? [] : [result.error.message]));
    if (message === '' && causes.length > 0) this.#log.fatal({ exit_status: status, error: causes[0] }, 'cause');
    await Promise.all([this.#ingress.stop(0), this.#plane.stop(), this.#batch.stop(), this.#desk?.close()]);
    await this.#threads.close();
    await this.#data.close();
  }

  #stop(): Promise<void> {
    this.#stopping ??= this.#stopInOrder();
    return this.#stopping;
  }

  async #stopInOrder(): Promise<void> {
    const { stopLimitMs } = this.#config;
    const end = performance.now() + stopLimitMs - Math.min(STOP_MARGIN_MS, stopLimitMs / 4);
    this.#guard.stop();
    await this.#ingress.stop(Math.floor(stopLimitMs / 2));
    await this.#plane.stop();
    const status = await this.#stopThreads(() => Math.max(0, end - performance.now()));
    await this.#data.close();
    this.#log.info('stopped');
    process.off('uncaughtException', this.#onUncaught);
    this.#end(status);
  }

  /** The last checkpoint may take half of the time that is left, the last segments what is left then. */
  async #stopThreads(leftMs: () => number): Promise<ExitStatus> {
    await this.#threads.requestStop(monotonicUs() + (leftMs() / 2) * 1000);
    const results = await this.#threads.ended();
    await this.#desk?.close();
    const failed = results.find((result) => result.exitStatus !== 0);
    if (failed !== undefined)
      this.#log.error(
        { exit_status: failed.exitStatus, error: failed.error?.message },
        'a shard thread did not end in order',
      );
    await this.#batch.stop(failed === undefined ? leftMs() : 0);
    await this.#threads.close();
    return (failed?.exitStatus ?? ExitStatus.ok) as ExitStatus;
  }
}

function expectedCards(data: DataDirectory): number {
  try {
    return Math.ceil(statSync(join(data.paths.vault, 'data.mdb')).size / VAULT_ROW_BYTES);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

/** Code under which the failure of a shard thread is reported at the start. */
function codeOf({ exitStatus, error }: ShardThreadResult): ErrorCode {
  if (error?.code !== undefined) return error.code;
  return exitStatus === ExitStatus.journal ? 'commit_failed' : 'internal';
}
