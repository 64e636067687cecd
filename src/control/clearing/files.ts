/**
 * Clearing files from upload to posted books. A file is spooled (encrypted, durable), registered in the system journal, held
 * against its rules as a whole, and then posted record by record. One file is worked on at a time, in the order of arrival.
 *
 *   upload   unknown content                        received
 *            content of an unfinished file          joins that file
 *            content of a posted file               duplicate, with that file's outcome
 *   pass 1   a rule is broken, or another file has
 *            posted under the network's id          quarantined: nothing of it is posted
 *            else                                   posting
 *   pass 2   every record has an answer             posted
 *
 * Each state is durable before anything acts on it. Killed at any moment, the next start goes on with every unfinished file from
 * its spool; the shards know the records that were posted, so the outcome is that of a run without a kill.
 */
import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { type Finding, findingSpecs } from '../../clearing/findings.js';
import type { FileMode } from '../../clearing/ipm/rules.js';
import { chooseOptions, type WantedOptions } from '../../clearing/reader.js';
import { HoldfastError } from '../../errors.js';
import { CLEARING_RETRY_MS_MAX, CLEARING_UPLOAD_CHECK_BYTES } from '../../limits.js';
import type { FromPass, PassResult, ToPass } from '../clearing-task.js';
import { base32of } from '../idempotency.js';
import type { ClearingStats } from '../metrics.js';
import { ShardError, type ShardPort } from '../ports.js';
import { ApiError } from '../problem.js';
import type { ClearingFileRecord, ClearingFileState } from '../system-log.js';
import type { SystemState } from '../system-state.js';
import type { CheckedFile, Routing } from './passes.js';
import { ClearingPoster, recordOutcomes, Stopping, type TrafficPort } from './poster.js';
import { isUnfinished } from './registry.js';
import type { SpoolFolder } from './spool-folder.js';

/** The passes, in threads of their own. */
export interface ClearingPasses {
  check(port: MessagePort, path: string, options: ClearingFileRecord['options']): Promise<PassResult<CheckedFile>>;
  batches(
    port: MessagePort,
    path: string,
    options: ClearingFileRecord['options'],
    routing: Pick<Routing, 'file' | 'cards'>,
  ): Promise<PassResult<undefined>>;
  close(): Promise<void>;
}

export interface ClearingFilesOptions {
  readonly system: SystemState;
  readonly shards: ShardPort;
  readonly traffic: TrafficPort;
  readonly spool: SpoolFolder;
  readonly passes: ClearingPasses;
  /** Largest file that is taken, bytes. */
  readonly bytesMax: number;
  /** What headers must say; `auto`: production, unless every program is a sandbox. */
  readonly mode: FileMode | 'auto';
  /** True while the disk is nearly full. */
  readonly refuses: () => boolean;
  readonly nowMs: () => number;
  readonly log: { info(data: object, text: string): void; warn(data: object, text: string): void };
  /** A write whose outcome is unknown: the process must end. */
  readonly onFatal: (error: HoldfastError) => void;
}

export const clearingPhases = ['queued', 'validating', 'posting', 'stalled'] as const;

/** How the file that is worked on stands. */
export interface ClearingProgress {
  phase: (typeof clearingPhases)[number];
  /** Why it does not go on: the code of a shard, or `spool_unreadable`; '' when it does. */
  reason: string;
  /** Bytes while validating, records while posting. */
  done: number;
  total: number;
  /** Done units per second since the phase began. */
  perSecond: number;
}

const queued: ClearingProgress = { phase: 'queued', reason: '', done: 0, total: 0, perSecond: 0 };
const DISK = 'The disk is nearly full: no new work is taken; nothing was kept.';

export class ClearingFiles {
  /** Records by outcome, since the start of the process. */
  readonly counted = Object.fromEntries(recordOutcomes.map((name) => [name, 0])) as Record<
    (typeof recordOutcomes)[number],
    number
  >;
  readonly #o: ClearingFilesOptions;
  /** Files that cannot go on before something is done about them, with the reason. */
  readonly #stalled = new Map<string, string>();
  #current: { readonly id: string; progress(): ClearingProgress; stop(): void } | undefined;
  #loop: Promise<void> | undefined;
  readonly #stopRequested = new AbortController();

  constructor(options: ClearingFilesOptions) {
    this.#o = options;
  }

  /** Removes what belongs to nobody from the spool, and goes on with what is unfinished. */
  start(): void {
    const { system, spool, log } = this.#o;
    const unfinished = system.clearingFiles.rows.filter(({ state }) => isUnfinished(state)).map(({ id }) => id);
    const removed = spool.clean(new Set(unfinished));
    if (removed > 0) log.info({ removed }, 'removed what uploads that were cut off had left in the spool');
    if (unfinished.length > 0) log.info({ files: unfinished }, 'going on with unfinished clearing files');
    this.#wake();
  }

  /** Ends the work on files; they go on at the next start. */
  async stop(): Promise<void> {
    this.#stopRequested.abort();
    this.#current?.stop();
    await this.#loop;
    await this.#o.passes.close();
  }

  /** For metrics: every file that was ever received by its state, and how the unfinished ones stand. */
  stats(): ClearingStats {
    const { system, nowMs } = this.#o;
    const files: Record<ClearingFileState, number> = {
      received: 0,
      posting: 0,
      posted: 0,
      duplicate: 0,
      quarantined: 0,
    };
    let oldest: string | undefined;
    for (const { id, state } of system.clearingFiles.rows) {
      files[state]++;
      if (isUnfinished(state)) oldest ??= id;
    }
    const sinceMs = oldest === undefined ? nowMs() : system.clearingFiles.file(oldest)!.receivedMs;
    const waits = this.#current?.progress().phase === 'stalled' ? 1 : 0;
    return {
      ...{ records: this.counted, files, stalled: this.#stalled.size + waits },
      waitingSeconds: Math.max(0, Math.floor((nowMs() - sinceMs) / 1000)),
    };
  }

  /** How an unfinished file stands. */
  progress(id: string): ClearingProgress {
    if (this.#current?.id === id) return this.#current.progress();
    const reason = this.#stalled.get(id);
    return reason === undefined ? queued : { ...queued, phase: 'stalled', reason };
  }

  /**
   * Takes an upload.
   * @param onChunk is shown every chunk
   * @returns id of the file: of the unfinished one with the same content when there is one
   * @throws ApiError `disk_full`, `payload_too_large`, `bad_request` (cut off); nothing is kept then
   */
  async receive(
    stream: Readable,
    wanted: Omit<WantedOptions, 'mode'>,
    onChunk: (chunk: Uint8Array) => void = () => undefined,
  ): Promise<string> {
    const { spool, system, refuses, bytesMax, nowMs } = this.#o;
    const id = `file_${base32of(randomBytes(17))}`;
    const full = (): ApiError => new ApiError('disk_full', DISK, { retryAfterSeconds: 60 });
    if (this.#stopRequested.signal.aborted)
      throw new ApiError('stopping', 'The engine is stopping; nothing was kept.', { retryAfterSeconds: 5 });
    if (refuses()) throw full();
    let looked = 0;
    const { sha256, bytes, detected } = await this.#spooled(id, stream, (so, chunk) => {
      onChunk(chunk);
      if (so > bytesMax)
        throw new ApiError(
          'payload_too_large',
          `A clearing file may have ${bytesMax} bytes: raise clearing-file-bytes-max, or send it as several files.`,
        );
      if (so - looked < CLEARING_UPLOAD_CHECK_BYTES) return;
      looked = so;
      if (refuses()) throw full();
    });
    const known = system.clearingFiles.ofContent(sha256);
    if (known !== undefined && isUnfinished(known.state)) return this.#join(id, known.id);
    const record: ClearingFileRecord = {
      type: 'clearing_file',
      ...{ id, sha256, bytes },
      state: known === undefined ? 'received' : 'duplicate',
      options: chooseOptions({ ...wanted, mode: this.#mode() }, detected),
      fileId: known?.fileId ?? '',
      checked: null,
      outcome: null,
      other: known?.id ?? '',
      receivedMs: nowMs(),
      atMs: nowMs(),
    };
    this.#write(record);
    if (known === undefined) this.#wake();
    else await spool.remove(id);
    return id;
  }

  async #spooled(id: string, stream: Readable, accept: (bytes: number, chunk: Uint8Array) => void) {
    try {
      return await this.#o.spool.take(id, stream, accept);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG')
        throw new ApiError('disk_full', DISK, { retryAfterSeconds: 60 });
      if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ABORT_ERR')
        throw new ApiError('bad_request', 'The connection ended before the file did; nothing was kept.');
      throw error;
    }
  }

  /** The same content again while a file is unfinished: it has its spool, or gets this one. */
  async #join(from: string, to: string): Promise<string> {
    const { spool, system } = this.#o;
    if ((await spool.has(to)) && !this.#stalled.has(to)) {
      await spool.remove(from);
      return to;
    }
    await spool.move(from, to);
    // It may have come to its end meanwhile.
    if (!isUnfinished(system.clearingFiles.row(to)!.state)) await spool.remove(to);
    this.#stalled.delete(to);
    this.#wake();
    return to;
  }

  #mode(): FileMode {
    const { mode, system } = this.#o;
    if (mode !== 'auto') return mode;
    return system.programs.every(({ program }) => program.sandbox) ? 'any' : 'P';
  }

  #write(record: ClearingFileRecord): void {
    this.#o.system.write([{ ...record, atMs: this.#o.nowMs() }]);
  }

  #wake(): void {
    if (this.#stopRequested.signal.aborted) return;
    this.#loop ??= this.#run().finally(() => {
      this.#loop = undefined;
    });
  }

  /** Works on unfinished files, the oldest first, until there is none that can go on. Never rejects. */
  async #run(): Promise<void> {
    const { system, log, onFatal } = this.#o;
    for (;;) {
      const row = system.clearingFiles.rows.find(({ id, state }) => isUnfinished(state) && !this.#stalled.has(id));
      if (row === undefined || this.#stopRequested.signal.aborted) return;
      try {
        await this.#work(row.id);
      } catch (err) {
        if (err instanceof HoldfastError && err.code === 'commit_failed') return onFatal(err);
        if (!(err instanceof Stopping)) {
          log.warn({ err, file: row.id }, 'the work on a clearing file failed and is begun again');
          await this.#pause();
        }
      } finally {
        this.#current = undefined;
      }
    }
  }

  /** Before another try; a stop ends it. */
  async #pause(): Promise<void> {
    const { signal } = this.#stopRequested;
    try {
      await sleep(CLEARING_RETRY_MS_MAX, undefined, { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #work(id: string): Promise<void> {
    const { system, spool, log } = this.#o;
    let file = system.clearingFiles.file(id)!;
    if (file.state === 'received') {
      const checked = await this.#check(file);
      if (checked === undefined) return;
      file = this.#judged(file, checked);
      if (file.state === 'posting') file.cards = await this.#countCards(0);
      this.#write(file);
    }
    if (file.state === 'posting') {
      const outcome = await this.#post(file);
      if (outcome === undefined) return;
      file = { ...file, state: 'posted', outcome };
      this.#write(file);
    }
    await spool.remove(id);
    const { state, fileId, outcome, checked } = file;
    log.info({ file: id, fileId, state, errors: checked?.report.errors, ...outcome }, 'a clearing file is finished');
  }

  /** What follows from the first pass. */
  #judged(file: ClearingFileRecord, checked: CheckedFile): ClearingFileRecord {
    const { report } = checked;
    const next = { ...file, fileId: report.file_id, checked };
    if (!report.accepted) return { ...next, state: 'quarantined' };
    const other = report.file_id === '' ? undefined : this.#o.system.clearingFiles.ofFileId(report.file_id);
    if (other === undefined || other.id === file.id) return { ...next, state: 'posting' };
    const { rule, severity, text } = findingSpecs.file_id_posted;
    const code = 'file_id_posted';
    const finding: Finding = { code, rule, severity, record: 1, offset: 0, field: 'PDS0105', text };
    const errors = report.errors + 1;
    const refused = { ...report, accepted: false, errors, findings: [finding, ...report.findings] };
    return { ...next, state: 'quarantined', other: other.id, checked: { ...checked, report: refused } };
  }

  /** The first pass; undefined when the spool cannot be read. */
  async #check(file: ClearingFileRecord): Promise<CheckedFile | undefined> {
    const pace = new Pace(file.bytes);
    const { port1, port2 } = new MessageChannel();
    port1.on('message', (message: FromPass) => {
      if (message.type === 'bytes') pace.done = message.bytes;
    });
    this.#current = {
      id: file.id,
      progress: () => pace.progress('validating', ''),
      stop: () => port1.postMessage('stop' satisfies ToPass),
    };
    try {
      return this.#result(file.id, await this.#o.passes.check(port2, this.#o.spool.path(file.id), file.options));
    } finally {
      port1.close();
    }
  }

  /** Cards of each shard. @param otherwise of a shard that does not say it */
  #countCards(otherwise: number): Promise<number[]> {
    const { shards } = this.#o;
    const count = async (shard: number): Promise<number> => {
      try {
        const result = await shards.read(shard, { op: 'stats' });
        return result.ok && 'stats' in result ? result.stats.cards : otherwise;
      } catch (error) {
        if (!(error instanceof ShardError)) throw error;
        if (error.kind === 'stopped') throw new Stopping();
        return otherwise;
      }
    };
    return Promise.all(Array.from({ length: shards.shards }, (_, shard) => count(shard)));
  }

  /** The second pass; undefined when the spool cannot be read. */
  async #post(file: ClearingFileRecord): Promise<ClearingFileRecord['outcome'] | undefined> {
    const { shards, traffic, passes, spool, system } = this.#o;
    const known = system.clearingFiles.cardsKnown(shards.shards);
    const now = await this.#countCards(Number.POSITIVE_INFINITY);
    const { port1, port2 } = new MessageChannel();
    const say = (message: ToPass): void => port1.postMessage(message);
    const name = shardNameOf(file);
    const poster = new ClearingPoster(shards, traffic, name, this.counted, say);
    const pace = new Pace(file.checked!.postings);
    port1.on('message', (message: FromPass) => {
      if (message.type === 'batch') poster.add(message);
    });
    // Closed by the pass behind its last batch.
    const heard = new Promise<void>((resolve) => port1.once('close', resolve));
    this.#current = {
      id: file.id,
      progress: () => {
        pace.done = poster.answered;
        return pace.progress('posting', poster.stalled);
      },
      stop: () => poster.stop(),
    };
    let result: PassResult<undefined>;
    try {
      result = await passes.batches(port2, spool.path(file.id), file.options, { file: name, cards: { known, now } });
    } catch (error) {
      // Its thread is gone.
      poster.stop();
      port1.close();
      throw error;
    }
    await heard;
    await poster.settled();
    if (!result.ok) return this.#result(file.id, result);
    return poster.outcome;
  }

  #result<T>(id: string, result: PassResult<T>): T | undefined {
    if (result.ok) return result.value;
    if (result.code === 'stopped') throw new Stopping();
    if (result.code === 'failed') throw new Error(result.message);
    this.#stalled.set(id, 'spool_unreadable');
    this.#o.log.warn({ file: id, error: result.message }, 'a clearing file cannot go on: send the same file again');
    return undefined;
  }
}

/** By what the shards know the file: with the number of a record it is unique for ever. */
export function shardNameOf({ fileId, sha256 }: Pick<ClearingFileRecord, 'fileId' | 'sha256'>): string {
  return fileId === '' ? `sha256-${sha256.slice(0, 40)}` : fileId;
}

/** Progress of one phase. */
class Pace {
  done = 0;
  readonly #total: number;
  readonly #sinceMs = performance.now();

  constructor(total: number) {
    this.#total = total;
  }

  progress(phase: ClearingProgress['phase'], reason: string): ClearingProgress {
    const seconds = Math.max((performance.now() - this.#sinceMs) / 1000, 0.001);
    return { phase, reason, done: this.done, total: this.#total, perSecond: this.done / seconds };
  }
}
