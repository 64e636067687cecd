/**
 * The control thread, seen from the main thread: start, questions, stop. The demo program is created through its own API,
 * the same way as anybody else's accounts.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { ControlThreadData, FromControl, ToControl } from '../control/control-thread.js';
import type { LinkDay } from '../control/cutover.js';
import { type IngressSnapshot, threadMemory } from '../control/metrics.js';
import { profileThisThread } from '../control/profiles.js';
import { type ErrorCode, errorCodes, HoldfastError } from '../errors.js';
import { approvalFaultFromEnvironment, dropFaultFromEnvironment, faultsFromEnvironment } from '../faults.js';
import type { Ingress } from '../ingress/ingress.js';
import { shardOfAccount } from '../journal/placement.js';
import type { CutoverRequest, LinkKey } from '../link-requests.js';
import type { Log } from '../log.js';
import { stderrSink } from '../log-sink.js';
import type { DataDirectory } from '../store/data-directory.js';
import { createThreadVitals, ThreadVitals, watchEventLoop } from '../thread-vitals.js';
import type { KeyInfo } from '../vault/hsm/key-policy.js';
import type { Kek } from '../vault/kek.js';
import type { PayShieldHsm } from '../vault/payshield/payshield-hsm.js';
import { workerFile } from '../worker-file.js';
import { DEMO_CARDS, DEMO_CREDIT_LIMIT, DEMO_EXPIRY, demoAccount, demoPan } from './demo-program.js';
import type { DiskGuard } from './disk-guard.js';
import { CLIENTS, type ShardThreads } from './engine-threads.js';
import type { EngineConfig } from './engine-types.js';
import { packageFile } from './version.js';

export interface ControlPlaneOptions {
  readonly config: EngineConfig;
  readonly data: DataDirectory;
  readonly kek: Kek | undefined;
  readonly threads: ShardThreads;
  readonly directory: SharedArrayBuffer;
  readonly board: SharedArrayBuffer;
  readonly indexSeeds: readonly [number, number];
  readonly ingress: Ingress;
  readonly guard: DiskGuard;
  /** The devices; undefined without. */
  readonly hsm: PayShieldHsm | undefined;
  readonly cardKeys: readonly KeyInfo[];
  readonly log: Log;
}

export class ControlPlane {
  readonly #o: ControlPlaneOptions;
  /** Of the main thread. */
  readonly #vitals = createThreadVitals();
  #endWatch: () => void = () => undefined;
  #worker: Worker | undefined;
  #stopped: Promise<void> = Promise.resolve();
  #failed: (error: HoldfastError) => void = () => undefined;
  /** Cutovers and keys of links that the thread has not answered. */
  readonly #waiting = new Map<number, (value: number | undefined) => void>();
  #keptId = 0;
  /** Business days that the links had at the start, and the keys that their networks had sent. */
  linkDays: readonly LinkDay[] = [];
  linkKeys: readonly LinkKey[] = [];

  constructor(options: ControlPlaneOptions) {
    this.#o = options;
  }

  /** Called when the thread ends by itself after it was ready. */
  onFailure(failed: (error: HoldfastError) => void): void {
    this.#failed = failed;
  }

  /** Starts the thread; resolves with `host:port` once the API answers (and the demo program exists). */
  async start(): Promise<string> {
    const { threads, config, data, kek, ingress, directory, board, indexSeeds } = this.#o;
    const task: ControlThreadData = {
      dataDir: data.paths.root,
      keyFile: config.keyFile,
      kek: kek?.bytes,
      directoryId: data.document.id,
      host: config.host,
      port: config.adminPort,
      tls: config.adminTls,
      oidc: config.oidc,
      rings: threads.rings('control'),
      control: threads.control,
      directory,
      board,
      indexSeeds,
      threadInstruments: threads.instruments,
      ingressInstruments: ingress.instruments.buffer,
      vitals: { main: this.#vitals, shards: threads.vitals },
      requestRings: threads
        .rings('control')
        .pairs.map((_, thread) => CLIENTS.map((name) => threads.rings(name).pairs[thread]!.requests)),
      deadlineMs: config.deadlineMs,
      cardKeys: this.#o.cardKeys,
      programs: config.programs,
      webhooksAllowPrivate: config.webhooksAllowPrivate,
      clearingFileBytesMax: config.clearingFileBytesMax,
      clearingMode: config.clearingMode,
      backupDir: config.backupDir,
      journalTask: fileURLToPath(workerFile(import.meta.url, './journal-task.js')),
      approvals: config.approvals,
      faults: faultsFromEnvironment(process.env),
      killAtApprovalStep: approvalFaultFromEnvironment(process.env),
      killAtDropStep: dropFaultFromEnvironment(process.env),
      links: config.links.map(({ name, number, transport, dialect }) => ({ name, number, transport, dialect })),
      logLevel: config.logLevel,
      logFormat: config.logFormat,
      version: packageFile().version,
    };
    this.#endWatch = watchEventLoop(new ThreadVitals(this.#vitals));
    const worker = new Worker(workerFile(import.meta.url, '../control/control-thread.js'), { workerData: task });
    this.#worker = worker;
    const address = await new Promise<string>((resolve, reject) => {
      this.#stopped = new Promise((ended) => {
        worker.on('message', (message: FromControl) => this.#hear(message, resolve, reject));
        worker.once('error', (error) => {
          const failure = new HoldfastError('internal', `the control thread failed: ${error.message}`, '', {
            cause: error,
          });
          reject(failure);
          this.#failed(failure);
          ended();
        });
        worker.once('exit', () => {
          // It says so before it leaves in order: nothing is left to be told then.
          const gone = new HoldfastError('internal', 'the control thread ended without having been asked to');
          reject(gone);
          this.#failed(gone);
          ended();
        });
      });
    });
    if (config.demo) await this.#createDemo(`http://${address}`);
    return address;
  }

  #hear(message: FromControl, ready: (address: string) => void, failed: (error: HoldfastError) => void): void {
    switch (message.type) {
      case 'ready':
        this.linkDays = message.linkDays;
        this.linkKeys = message.linkKeys;
        ready(message.address);
        return;
      case 'kept':
        this.#waiting.get(message.id)?.(message.value);
        this.#waiting.delete(message.id);
        return;
      case 'failed': {
        const code = message.code in errorCodes ? (message.code as ErrorCode) : 'internal';
        const error = new HoldfastError(code, message.message, message.next);
        failed(error);
        this.#failed(error);
        return;
      }
      case 'ask':
        void this.#answer(message);
        return;
      case 'log':
        stderrSink().write(message.line, message.fatal);
        return;
      case 'stopped':
        return;
    }
  }

  /** Makes a cutover durable in the system journal; gives the link's day, -1 when it is refused. */
  async cutOver(request: CutoverRequest): Promise<number> {
    const day = await this.#keep((id) => ({ type: 'cutover', id, request }));
    if (day === undefined) throw new HoldfastError('internal', 'the business date could not be kept');
    return day;
  }

  /** Makes a key that a network has sent durable in the system journal. */
  async keepLinkKey(key: LinkKey): Promise<void> {
    const kept = await this.#keep((id) => ({ type: 'link_key', id, key }));
    if (kept === undefined) throw new HoldfastError('internal', 'the key could not be kept');
  }

  #keep(messageOf: (id: number) => ToControl): Promise<number | undefined> {
    const id = ++this.#keptId;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#worker?.postMessage(messageOf(id));
    });
  }

  /** The API's certificate is read again. */
  reloadTls(): void {
    const message: ToControl = { type: 'reload_tls' };
    this.#worker?.postMessage(message);
  }

  async #answer(question: Extract<FromControl, { type: 'ask' }>): Promise<void> {
    const reply = (message: ToControl): void => this.#worker?.postMessage(message);
    try {
      reply({ type: 'answer', id: question.id, ok: true, value: await this.#valueOf(question) });
    } catch (error) {
      reply({ type: 'answer', id: question.id, ok: false, error: (error as Error).message });
    }
  }

  #valueOf(question: Extract<FromControl, { type: 'ask' }>): unknown {
    switch (question.what) {
      case 'ingress':
        return this.#snapshot();
      case 'slowest':
        return this.#o.ingress.slowest();
      case 'exchange':
        return this.#o.ingress.exchange(question.dialect, question.message);
      case 'fingerprint_keys':
        return this.#o.ingress.useFingerprintKeys(question.keys);
      case 'profile':
        return this.#profile(question);
    }
  }

  #snapshot(): IngressSnapshot {
    return {
      ...this.#o.ingress.stats(),
      disk: this.#o.guard.state,
      logLinesDropped: stderrSink().dropped,
      memory: threadMemory(),
      devices: this.#o.hsm?.stats ?? [],
    };
  }

  async #profile({ thread, seconds }: { thread: string; seconds: number }): Promise<string> {
    if (thread === 'main') return profileThisThread(seconds);
    const profile = await this.#o.threads.profile(Number(thread.slice('shard-'.length)), seconds);
    if (profile === '') throw new Error(`${thread} is being profiled already`);
    return profile;
  }

  /**
   * One thousand accounts and cards, once. A start that was cut short may have left some of them: each shard takes its rows
   * in order, so it has them all when it has its last one. What is there already is refused row by row.
   */
  async #createDemo(base: string): Promise<void> {
    const path = join(this.#o.data.paths.root, 'admin.token');
    if (!existsSync(path)) {
      // Its owner may have moved it, and a restored directory never had it: that is no reason not to serve.
      this.#o.log.warn({ path }, 'without admin.token the demo program is not looked after');
      return;
    }
    const token = readFileSync(path, 'utf8').trim();
    const headers = { authorization: `Bearer ${token}` };
    const last = new Map<number, string>();
    for (let n = 1; n <= DEMO_CARDS; n++) last.set(shardOfAccount(demoAccount(n), this.#o.data.shards), demoAccount(n));
    const there = await Promise.all(
      Array.from(last.values(), async (id) => (await fetch(`${base}/v1/accounts/${id}`, { headers })).ok),
    );
    if (there.every((one) => one)) return;
    let rows = '';
    for (let n = 1; n <= DEMO_CARDS; n++) {
      const account = { id: demoAccount(n), currency: 'BRL', credit_limit: DEMO_CREDIT_LIMIT, type: 'credit' };
      rows += `${JSON.stringify({ account, card: { pan: demoPan(n), expiry: DEMO_EXPIRY, status: 'active' } })}\n`;
    }
    const answer = await fetch(`${base}/v1/bulk/accounts`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/x-ndjson' },
      body: rows,
    });
    if (!answer.ok) {
      throw new HoldfastError(
        'internal',
        `the demo program could not be created: ${answer.status} ${await answer.text()}`,
        'start without --demo',
      );
    }
    this.#o.log.info({ accounts: DEMO_CARDS }, 'demo program created');
  }

  /** Asks the thread to finish its requests and end, and waits for it. */
  async stop(): Promise<void> {
    const stop: ToControl = { type: 'stop' };
    this.#failed = () => undefined;
    this.#endWatch();
    this.#worker?.postMessage(stop);
    await this.#stopped;
  }
}
