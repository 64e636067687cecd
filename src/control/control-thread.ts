/**
 * Entry of the control thread: the HTTP API with an event loop of its own, so that an upload or a slow search never sits in
 * front of an authorization. It owns the vault's and the system journal's stores, reads the shards' journals, and speaks
 * to the shards by rings. It is asked to stop and never terminated: it owns LMDB environments.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { FileMode } from '../clearing/ipm/rules.js';
import { monotonicUs } from '../clock.js';
import { IndexKeys } from '../domain/index-keys.js';
import { ExitStatus, HoldfastError } from '../errors.js';
import { type FaultOptions, Faults } from '../faults.js';
import type { DialectName } from '../iso8583/dialects.js';
import { DurableHeads } from '../journal/durable-heads.js';
import { shardOfAccount } from '../journal/placement.js';
import { JournalReader } from '../journal/reader.js';
import { SegmentBoard } from '../journal/segment-board.js';
import { SystemJournal } from '../journal/system-journal.js';
import { DEADLINE_MS } from '../limits.js';
import type { CutoverRequest, LinkKey } from '../link-requests.js';
import { listenError } from '../listen-error.js';
import { createLog, type LogFormat, type LogLevel } from '../log.js';
import { type ClientRings, RingClient } from '../ring/client.js';
import { ControlBlock } from '../ring/control-block.js';
import { CardDirectory } from '../ring/directory.js';
import { ServerTls, type TlsFiles, TlsWatch } from '../server-tls.js';
import type { SlowRequest } from '../slow-request.js';
import { directoryPaths } from '../store/data-directory.js';
import { openLmdbStore } from '../store/lmdb-store.js';
import { createThreadVitals, ThreadVitals, watchEventLoop } from '../thread-vitals.js';
import type { KeyInfo } from '../vault/hsm/key-policy.js';
import { Kek } from '../vault/kek.js';
import { loadKeys } from '../vault/keys.js';
import { LiveFingerprints } from '../vault/live-fingerprints.js';
import { PanKeyRing } from '../vault/pan-key-ring.js';
import { PanVault } from '../vault/pan-vault.js';
import { PinReferences, pinReferenceKeyOf } from '../vault/pin-references.js';
import { PublicIds } from '../vault/public-ids.js';
import { SecretBox } from '../vault/secret-box.js';
import { buildApp } from './app.js';
import type { ApprovalPolicy } from './approval-kinds.js';
import { Approvals } from './approvals.js';
import { AuditLog } from './audit/audit-log.js';
import { Backtests } from './backtests.js';
import { Backups } from './backups.js';
import { cardKeysPort, missingKeys } from './card-keys.js';
import { settleCreations } from './card-numbers.js';
import { ClearingFiles } from './clearing/files.js';
import { clearingPool } from './clearing/pool.js';
import { SpoolFolder } from './clearing/spool-folder.js';
import type { ControlContext, LinkInfo } from './context.js';
import { cutOver, type LinkDay } from './cutover.js';
import { clockPort, healthPort, metricsSources, trafficPort } from './engine-view.js';
import { EventFeed } from './events/event-feed.js';
import { IdempotencyKeys } from './idempotency.js';
import { Retention } from './journal/retention.js';
import { FingerprintRotation } from './keys/fingerprint-rotation.js';
import { KeyRotation, rotationStats } from './keys/rotation.js';
import { type IngressSnapshot, Metrics } from './metrics.js';
import { Oidc, type OidcSettings } from './oidc.js';
import { OutgoingFiles } from './outgoing/files.js';
import { Parties } from './parties.js';
import type { JournalPort, SearchKeysPort } from './ports.js';
import { profiles } from './profiles.js';
import { ProgramFeed } from './program-feed.js';
import { applyPrograms } from './program-file.js';
import { ReconRuns } from './recon/runs.js';
import { RingShards } from './ring-shards.js';
import { allRoutes } from './routes/index.js';
import type { ProgramDefinition, SystemRecord } from './system-log.js';
import { SystemState } from './system-state.js';
import { Tokens } from './tokens.js';
import { AddressRule } from './webhooks/address.js';
import { DeliveryStore } from './webhooks/delivery-store.js';
import { Webhooks } from './webhooks/webhooks.js';
import { WrongTokens } from './wrong-tokens.js';

/** What the composition hands over as workerData. */
export interface ControlThreadData {
  readonly dataDir: string;
  readonly keyFile: string;
  /** The key-encrypting key; undefined: the keys lie in their file as they are. */
  readonly kek: Uint8Array | undefined;
  /** Id of the data directory, checked against the key file. */
  readonly directoryId: string;
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly tls: TlsFiles | undefined;
  readonly oidc: OidcSettings | undefined;
  /** Planted by tests: of the wall clock. */
  readonly faults: FaultOptions;
  readonly rings: ClientRings;
  /** Control block, card directory, board of the segments. */
  readonly control: SharedArrayBuffer;
  readonly directory: SharedArrayBuffer;
  readonly board: SharedArrayBuffer;
  /** Seeds of the index keys, the same as the shard threads have. */
  readonly indexSeeds: readonly [number, number];
  /** Instruments of the shard threads, by thread index. */
  readonly threadInstruments: readonly SharedArrayBuffer[];
  /** Vital signs of the other threads. */
  readonly vitals: { readonly main: SharedArrayBuffer; readonly shards: readonly SharedArrayBuffer[] };
  /** Three histograms of the ingress: route, write, authorization. */
  readonly ingressInstruments?: SharedArrayBuffer;
  /** Request rings of every client by thread index, for the queue depth. */
  readonly requestRings: readonly (readonly SharedArrayBuffer[])[];
  readonly deadlineMs: number;
  /** Keys of card cryptography, as far as they are no secret; none without --hsm-keys. */
  readonly cardKeys: readonly KeyInfo[];
  /** Programs of the file given with --programs. */
  readonly programs: readonly ProgramDefinition[];
  /** Webhooks may go to private addresses, and without TLS to this machine. */
  readonly webhooksAllowPrivate: boolean;
  readonly clearingFileBytesMax: number;
  readonly clearingMode: FileMode | 'auto';
  /** Where backups go; undefined: nowhere. */
  readonly backupDir: string | undefined;
  /** File of the task that reads and folds the journal in a process of its own. */
  readonly journalTask: string;
  /** Step of a drop at which a test kills the process; '' for none. */
  readonly killAtDropStep: string;
  readonly links: readonly LinkInfo[];
  readonly approvals: ApprovalPolicy;
  /** Step of an approval at which a test kills the process; '' for none. */
  readonly killAtApprovalStep: string;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly version: string;
}

/** Messages to the control thread. */
export type ToControl =
  | { type: 'stop' }
  | { type: 'reload_tls' }
  | { type: 'cutover'; id: number; request: CutoverRequest }
  | { type: 'link_key'; id: number; key: LinkKey }
  | { type: 'answer'; id: number; ok: true; value: unknown }
  | { type: 'answer'; id: number; ok: false; error: string };

/** A message of the simulator that the listener answers. */
export interface Exchange {
  readonly what: 'exchange';
  readonly dialect: DialectName;
  readonly message: Uint8Array;
}

/** The fingerprint keys that are live, the newest first. */
export interface FingerprintKeys {
  readonly what: 'fingerprint_keys';
  readonly keys: readonly Uint8Array[];
}

/** Messages from the control thread. Main answers `ask` with an `answer` of the same id. */
export type FromControl =
  | { type: 'ready'; address: string; linkDays: LinkDay[]; linkKeys: readonly LinkKey[] }
  /** Answer to `cutover`: the day, -1 when it was refused; undefined when it failed. To `link_key`: 0, or undefined. */
  | { type: 'kept'; id: number; value: number | undefined }
  | { type: 'failed'; code: string; message: string; next: string; exitStatus: number }
  /**
   * `what` profile: CPU profile of the main thread (JSON text); ingress: an IngressSnapshot; slowest: SlowRequest[]; exchange: the reply;
   * fingerprint_keys: nothing, the ingress has them.
   */
  | { type: 'ask'; id: number; what: 'profile'; thread: string; seconds: number }
  | { type: 'ask'; id: number; what: 'ingress' | 'slowest' }
  | ({ type: 'ask'; id: number } & Exchange)
  | ({ type: 'ask'; id: number } & FingerprintKeys)
  /** A finished line for the log of the process, with its end. */
  | { type: 'log'; line: string; fatal: boolean }
  | { type: 'stopped' };

const ASK_TIMEOUT_MS = 1000;
/** Beyond the deadline of a request, after which it is answered in any case. */
const EXCHANGE_TIMEOUT_MS = DEADLINE_MS + ASK_TIMEOUT_MS;
const STOP_WAIT_MS = 5000;
const STOP_POLL_MS = 100;

/** Questions to the main thread. */
class Main {
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #id = 0;
  /** Set once there is a system journal. @throws HoldfastError */
  keep: (message: Extract<ToControl, { type: 'cutover' | 'link_key' }>) => number | undefined = () => undefined;
  /** Set once there is an API. */
  reloadTls: () => Promise<void> = () => Promise.resolve();

  say(message: FromControl): void {
    parentPort!.postMessage(message);
  }

  async ask<T>(
    question:
      | { what: 'ingress' | 'slowest' }
      | { what: 'profile'; thread: string; seconds: number }
      | Exchange
      | FingerprintKeys,
    timeoutMs: number,
  ): Promise<T> {
    const id = ++this.#id;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
        timer = setTimeout(() => reject(new Error(`the main thread did not answer: ${question.what}`)), timeoutMs);
        this.say({ type: 'ask', id, ...question });
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  answer(message: Extract<ToControl, { type: 'answer' }>): void {
    const waiting = this.#waiting.get(message.id);
    if (message.ok) waiting?.resolve(message.value);
    else waiting?.reject(new Error(message.error));
  }
}

async function start(data: ControlThreadData, main: Main): Promise<() => Promise<void>> {
  const sink = { write: (line: string, fatal: boolean) => main.say({ type: 'log', line, fatal }) };
  const log = createLog({ level: data.logLevel, format: data.logFormat, sink }).child({ thread: 'control' });
  const paths = directoryPaths(data.dataDir);
  const kek = data.kek === undefined ? undefined : new Kek(data.kek);
  data.kek?.fill(0);
  const oidc = data.oidc === undefined ? undefined : await Oidc.load(data.oidc, log);
  const keys = loadKeys(data.keyFile, { directory: data.directoryId, create: false, kek });
  const ring = new PanKeyRing(keys.panKeys);
  const control = new ControlBlock(data.control);
  const vaultStore = openLmdbStore(paths.vault);
  const systemJournal = SystemJournal.open(paths.system);
  const nowMs = new Faults(data.faults).wallClock(Date.now, monotonicUs);
  const system = new SystemState({
    append: (records) => systemJournal.appendAll(records),
    replay: (visit) => void systemJournal.replay((record, sequence) => visit(record as SystemRecord, sequence)),
    read: (sequence) => systemJournal.read(sequence) as SystemRecord,
  });
  const tokens = new Tokens(system, keys.tokenKey.bytes);
  system.ensureSandboxProgram(nowMs());
  tokens.ensureAdminToken(paths.root, nowMs());
  const auditJournal = SystemJournal.open(paths.audit);
  const audit = new AuditLog(auditJournal, nowMs, (err) => log.error({ err }, 'the audit log cannot be written'));
  const noteAuditHead = (): void => system.write([{ type: 'audit_head', ...audit.head(), atMs: nowMs() }]);
  audit.mark('started', data.version);
  noteAuditHead();
  const wrongTokens = new WrongTokens();
  const reader = JournalReader.open(paths.journal);
  const shards = new RingShards(new RingClient(data.rings), {
    deadlineMs: data.deadlineMs,
    refuses: () => control.refuse,
  });
  const programs = new ProgramFeed(shards, system, (message) => log.warn(message));
  const backtests = new Backtests((err) => log.warn({ err }, 'a backtest failed'));
  const onFatal = (error: HoldfastError): void => {
    log.fatal({ code: error.code }, error.message);
    control.requestStop(error.exitStatus);
  };
  const clearing = new ClearingFiles({
    system,
    shards,
    traffic: trafficPort(data.requestRings, data.rings.threadOfShard),
    spool: new SpoolFolder(paths.spool, ring),
    passes: clearingPool({
      ring,
      fingerprintKeys: () => fingerprintRotation.allKeys,
      directory: data.directory,
      shards: shards.shards,
    }),
    bytesMax: data.clearingFileBytesMax,
    mode: data.clearingMode,
    refuses: () => control.refuse,
    nowMs,
    log,
    onFatal,
  });
  const outgoing = new OutgoingFiles(new SpoolFolder(paths.outgoing, ring));
  const vault = new PanVault(vaultStore, keys, ring);
  const directory = new CardDirectory(data.directory);
  const fingerprinter = new LiveFingerprints([keys.fingerprintKey.bytes]);
  const fingerprintRotation = new FingerprintRotation({
    ...{ keyFile: data.keyFile, kek, vault, shards, directory, log, onFatal },
    keys: keys.fingerprintKeys,
    live: fingerprinter,
    tellIngress: (live) => main.ask({ what: 'fingerprint_keys', keys: live }, EXCHANGE_TIMEOUT_MS),
    isSettled: () => settleCreations(context),
    nowMs,
  });
  const rotation = new KeyRotation({ keyFile: data.keyFile, kek, ring, vault, nowMs, log, onFatal });
  const backups = new Backups({ dataDir: paths.root, folder: data.backupDir, nowMs, log });
  const recon = new ReconRuns((err) => log.warn({ err }, 'a reconciliation failed'));
  const tls = data.tls === undefined ? undefined : new ServerTls('admin', data.tls);
  const tlsWatch = new TlsWatch(tls === undefined ? [] : [tls], log);
  const build = { version: data.version, node: process.version };
  const board = new SegmentBoard(data.board);
  const ingressSnapshot = async (): Promise<IngressSnapshot | undefined> => {
    try {
      return await main.ask<IngressSnapshot>({ what: 'ingress' }, ASK_TIMEOUT_MS);
    } catch (error) {
      log.warn({ err: error }, 'metrics without the ingress');
      return undefined;
    }
  };
  const ownVitals = createThreadVitals();
  watchEventLoop(new ThreadVitals(ownVitals));
  const metrics = new Metrics(
    metricsSources(
      { ...data, vitals: { ...data.vitals, control: ownVitals }, build },
      {
        ...{ shards, control, board, ingressSnapshot, wrongTokens },
        tls: () => tlsWatch.states(),
        recon: () => recon.stats(),
        rotations: () => rotationStats({ pan: rotation, fingerprint: fingerprintRotation }),
        clearing: () => clearing.stats(),
        events: () => ({ ...webhooks.stats, listeners: feed.listeners }),
      },
    ),
  );
  const approvals = new Approvals({
    policy: data.approvals,
    ...{ log, onFatal },
    reach: (step) => {
      if (data.killAtApprovalStep === step) process.kill(process.pid, 'SIGKILL');
    },
  });
  const context: ControlContext = {
    shards,
    listener: {
      exchange: (dialect, message) => main.ask<Uint8Array>({ what: 'exchange', dialect, message }, EXCHANGE_TIMEOUT_MS),
    },
    journal: journalPort(reader, new DurableHeads(board, reader)),
    parties: new Parties(shards),
    vault,
    fingerprinter,
    pins: new PinReferences(pinReferenceKeyOf(keys.tokenKey)),
    directory,
    ids: new PublicIds(keys.idKey.bytes),
    search: searchKeys(new IndexKeys(data.indexSeeds[0], data.indexSeeds[1])),
    keys: { token: keys.tokenKey.bytes, id: keys.idKey.bytes },
    cardKeys: cardKeysPort(data.cardKeys),
    system,
    programs,
    backtests,
    backups,
    clearing,
    recon,
    outgoing,
    tokens,
    oidc,
    approvals,
    audit,
    wrongTokens,
    idempotency: new IdempotencyKeys(keys.tokenKey.bytes),
    health: healthPort(control, board, shards.shards, () => audit.failed),
    clock: clockPort(control, shards.shards),
    links: data.links,
    profiles: profiles({
      shardThreads: data.rings.pairs.length,
      ask: (thread, seconds) => main.ask<string>({ what: 'profile', thread, seconds }, seconds * 1000 + 10_000),
    }),
    slowestRequests: () => main.ask<SlowRequest[]>({ what: 'slowest' }, ASK_TIMEOUT_MS),
    metrics: { contentType: metrics.contentType, render: () => metrics.render() },
    placement: (id) => shardOfAccount(id, shards.shards),
    nowMs,
    build,
  };
  main.keep = (message) => {
    try {
      if (message.type === 'cutover') return cutOver(system, message.request, context.nowMs());
      system.keepLinkKey(message.key, context.nowMs());
      return 0;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      onFatal(error);
      return undefined;
    }
  };
  const feed = new EventFeed(context);
  const webhookStore = openLmdbStore(paths.webhooks);
  const box = new SecretBox(keys.tokenKey);
  const rule = new AddressRule(data.webhooksAllowPrivate);
  const store = new DeliveryStore(webhookStore);
  const webhooks = new Webhooks({ context, feed, store, box, rule, log, onFatal });
  const retention = new Retention({
    ...{ context, paths, reader, deliveries: store, control, log, onFatal },
    threads: data.rings.pairs.length,
    task: data.journalTask,
    reach: (step) => {
      if (data.killAtDropStep === step) process.kill(process.pid, 'SIGKILL');
    },
  });
  const routes = allRoutes(context, {
    feed,
    webhooks,
    box,
    rule,
    retention,
    rotations: { pan: rotation, fingerprint: fingerprintRotation },
  });
  const app = buildApp({ context, routes, logger: log, onFatal, ...(tls === undefined ? {} : { tls }) });
  main.reloadTls = () => tlsWatch.look();
  const close = async (): Promise<void> => {
    // After a fatal stop no shard answers any more: what waits for one fails now.
    if (control.stop !== 0) shards.close();
    await tlsWatch.stop();
    await approvals.stop();
    await retention.stop();
    await webhooks.stop();
    feed.close();
    // Requests in flight are finished; a connection that does not end in time is cut.
    const cut = setTimeout(() => app.server.closeAllConnections(), STOP_WAIT_MS);
    await app.close();
    clearTimeout(cut);
    rotation.stop();
    fingerprintRotation.stop();
    programs.stop();
    await backups.stop();
    await backtests.stop();
    await recon.stop();
    await clearing.stop();
    shards.close();
    await reader.close();
    audit.mark('stopped', data.version);
    if (control.stop === 0) noteAuditHead();
    await auditJournal.close();
    await systemJournal.close();
    await vaultStore.close();
    await webhookStore.close();
  };
  try {
    await fingerprintRotation.begin();
    applyPrograms(system, data.programs, nowMs());
    for (const missing of missingKeys(system, data.programs, context.cardKeys))
      log.error(missing, 'a program names a key that cannot be used: messages that need it are answered 96');
    retention.begin();
    await handOver(programs, shards, control);
    tlsWatch.start();
    const address = await listen(app, data.host, data.port);
    webhooks.start();
    clearing.start();
    approvals.start();
    outgoing.start(context);
    recon.begin(context);
    rotation.begin();
    const linkDays = system.cutovers.map(({ link, day }) => ({ link, day }));
    main.say({ type: 'ready', address, linkDays, linkKeys: system.linkKeys });
  } catch (error) {
    await close();
    throw error;
  }
  return close;
}

/** Hands the shards their programs. A fatal stop meanwhile ends the waiting: no shard answers any more. */
async function handOver(programs: ProgramFeed, shards: RingShards, control: ControlBlock): Promise<void> {
  const watch = setInterval(() => {
    if (control.stop !== 0) shards.close();
  }, STOP_POLL_MS);
  try {
    await programs.start();
  } finally {
    clearInterval(watch);
  }
}

async function listen(app: ReturnType<typeof buildApp>, host: string, port: number): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw listenError(error as NodeJS.ErrnoException, 'the HTTP API', host, port, '--admin-port');
  }
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new TypeError('the admin server has no port');
  return `${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}

function journalPort(reader: JournalReader, durable: DurableHeads): JournalPort {
  return {
    head: (shard) => reader.head(shard),
    epochOf: (shard, sequence) => reader.epochOf(shard, sequence),
    readMessage: (shard, sequence, into) => reader.readMessage(shard, sequence, into),
    readEvent: (shard, sequence) => reader.readEvent(shard, sequence),
    floor: (shard) => reader.floor(shard),
    floorMs: (shard) => reader.anchor?.floorMs(shard) ?? 0,
    durable: (shard) => durable.of(shard),
    run: (shard, sequence, visit) => reader.run(shard, sequence, visit),
  };
}

function searchKeys(keys: IndexKeys): SearchKeysPort {
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

/** Runs the thread. A failure is told to the main thread, which decides about the process. */
async function run(data: ControlThreadData): Promise<void> {
  const main = new Main();
  let stop: Promise<() => Promise<void>> | undefined;
  parentPort!.on('message', (message: ToControl) => {
    if (message.type === 'answer') main.answer(message);
    else if (message.type === 'cutover' || message.type === 'link_key')
      main.say({ type: 'kept', id: message.id, value: main.keep(message) });
    else if (message.type === 'reload_tls') void main.reloadTls();
    else void leave(main, stop);
  });
  try {
    stop = start(data, main);
    await stop;
  } catch (error) {
    main.say(failure(error));
    parentPort!.close();
  }
}

async function leave(main: Main, stop: Promise<() => Promise<void>> | undefined): Promise<void> {
  try {
    await (await stop)?.();
    main.say({ type: 'stopped' });
  } catch (error) {
    main.say(failure(error));
  }
  // Nothing is left that keeps the event loop going: the thread ends by itself.
  parentPort!.close();
}

function failure(error: unknown): FromControl {
  const known = error instanceof HoldfastError;
  return {
    type: 'failed',
    code: known ? error.code : 'internal',
    message: error instanceof Error ? error.message : String(error),
    next: known ? error.next : '',
    exitStatus: known ? error.exitStatus : ExitStatus.internal,
  };
}

if (parentPort !== null) await run(workerData as ControlThreadData);
