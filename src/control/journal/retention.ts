/**
 * Exports and drops of old parts of the journal in a running server (decision 0039), one at a time:
 *
 *   drop   plan -> draft of the anchor (a process of its own) -> format of the directory -> rename: the anchor counts
 *          -> record of the system journal -> the threads let go -> folders unlinked -> older anchors removed
 *
 * Everything behind the rename is done again at the next start when it did not come about.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { HoldfastError } from '../../errors.js';
import { type Anchor, type AnchorDocument, type DroppedFolder, newestAnchor } from '../../journal/anchor.js';
import { commitAnchor, removeDrafts, removeOldAnchors } from '../../journal/anchor-writer.js';
import { CheckpointStore } from '../../journal/checkpoint.js';
import { closeIdleLanes } from '../../journal/lane-directory.js';
import type { LaneManifest } from '../../journal/lane-manifest.js';
import type { JournalReader } from '../../journal/reader.js';
import { type DropPlan, type FolderExtent, planDrop } from '../../journal/retention-plan.js';
import { JOURNAL_JOBS_KEPT_MAX, RETENTION_DAYS_MIN } from '../../limits.js';
import type { Log } from '../../log.js';
import type { ControlBlock } from '../../ring/control-block.js';
import { type DirectoryPaths, raiseFormat } from '../../store/data-directory.js';
import type { ControlContext } from '../context.js';
import { base32of } from '../idempotency.js';
import { ApiError } from '../problem.js';
import type { DeliveryStore } from '../webhooks/delivery-store.js';
import { boundsOf } from './bounds.js';
import { isWithin } from './export-place.js';
import { JournalTask } from './task.js';

const DAY_MS = 86_400_000;

/** Steps of a drop behind which tests kill the process. */
export const dropSteps = ['drafted', 'raised', 'anchored', 'recorded', 'unlinked'] as const;
export type DropStep = (typeof dropSteps)[number];

export interface JournalJob {
  readonly id: string;
  readonly kind: 'export' | 'drop';
  readonly startedMs: number;
  status: 'running' | 'done' | 'failed';
  finishedMs: number;
  /** Records that were read. */
  records: number;
  /** Folders that were exported or dropped. */
  folders: readonly string[];
  /** Of a drop: the folders that stay, and why. */
  kept: DropPlan['kept'];
  /** Why it failed, for people; '' when it did not. */
  failure: string;
}

/** A folder of the journal as it stands. */
export interface FolderState extends FolderExtent {
  /** Where it was exported to; '' when it was not. */
  readonly exported: string;
}

export interface RetentionOptions {
  readonly context: ControlContext;
  readonly paths: DirectoryPaths;
  readonly reader: JournalReader;
  readonly deliveries: DeliveryStore;
  readonly control: ControlBlock;
  /** Threads of shards: lanes from this number on grow no more. */
  readonly threads: number;
  /** File of the task (cli/journal-task.ts). */
  readonly task: string;
  readonly log: Log;
  readonly onFatal: (error: HoldfastError) => void;
  /** Told of every step, for the tests that kill the process there. */
  readonly reach: (step: DropStep) => void;
}

export class Retention {
  readonly #o: RetentionOptions;
  #jobs: JournalJob[] = [];
  #task: JournalTask<unknown> | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(options: RetentionOptions) {
    this.#o = options;
  }

  /** At a start: does again what a drop that was cut off had not done. */
  begin(): void {
    const { journal } = this.#o.paths;
    removeDrafts(journal);
    const anchor = newestAnchor(journal);
    if (anchor !== undefined) this.#finishDrop(anchor);
  }

  get anchor(): Anchor | undefined {
    return this.#o.reader.anchor;
  }

  /** Newest first. */
  get jobs(): readonly JournalJob[] {
    return [...this.#jobs].reverse();
  }

  job(id: string): JournalJob | undefined {
    return this.#jobs.find((job) => job.id === id);
  }

  folders(): FolderState[] {
    const { exported } = this.#o.context.system.journal;
    return this.#o.reader.folders().map((folder) => ({ ...folder, exported: exported.get(folder.name)?.to ?? '' }));
  }

  /**
   * Copies folders that grow no more, all of them that were not copied yet when none is named, and records it.
   * @param to folder on the machine of the server
   * @throws ApiError `journal_busy`, `not_found`, `validation_failed`
   */
  export(to: string, folder: string | undefined): JournalJob {
    if (!isAbsolute(to)) throw new ApiError('validation_failed', 'Name an absolute path.', { param: '/to' });
    if (isWithin(this.#o.paths.root, to))
      throw new ApiError('validation_failed', 'The data directory is no place for an export.', { param: '/to' });
    this.#assertIdle();
    const closed = this.folders().filter((one) => one.closed);
    if (folder !== undefined && !closed.some(({ name }) => name === folder))
      throw new ApiError('not_found', 'There is no such folder, or records are appended to it.', { param: '/folder' });
    const names = closed
      .filter(({ name, exported }) => (folder === undefined ? exported === '' : name === folder))
      .map(({ name }) => name);
    return this.#start('export', async (job) => {
      for (const name of names) {
        const manifest = await this.#run<LaneManifest>(job, {
          do: 'export',
          folder: join(this.#o.paths.journal, name),
          to,
        });
        this.#recordExport(manifest, to);
        job.folders = [...job.folders, name];
      }
    });
  }

  #recordExport({ name, frames, records, shards }: LaneManifest, to: string): void {
    const heads = Object.fromEntries(shards.map(({ shard, hash }) => [String(shard), hash]));
    const { context } = this.#o;
    context.system.write([
      { type: 'journal_exported', folder: name, to, frames, records, heads, atMs: context.nowMs() },
    ]);
  }

  /**
   * Drops what is older than so many days of the journal's own time, was exported, and is not needed.
   * @param unexported also what was not exported
   * @throws ApiError `journal_busy`, `validation_failed`
   */
  drop(days: number, unexported: boolean): JournalJob {
    if (days < RETENTION_DAYS_MIN)
      throw new ApiError('validation_failed', `At least ${RETENTION_DAYS_MIN} days are kept.`, {
        param: '/older_than_days',
      });
    this.#assertIdle();
    return this.#start('drop', (job) => this.#drop(job, days, unexported));
  }

  async #drop(job: JournalJob, days: number, unexported: boolean): Promise<void> {
    const { context, paths, threads, reader } = this.#o;
    if (context.clock.difference() !== 0)
      throw new ApiError(
        'validation_failed',
        'The clocks differ: accept the wall clock first (holdfast clock accept).',
      );
    closeIdleLanes(paths.journal, threads);
    const plan = await this.#plan(days, unexported);
    job.kept = plan.kept;
    if (plan.folders.length === 0) return;
    const { exported } = context.system.journal;
    const folders: DroppedFolder[] = [];
    for (const name of plan.folders) {
      const manifest = await this.#run<LaneManifest>(job, { do: 'seal', folder: join(paths.journal, name) });
      folders.push({ ...manifest, exported: exported.get(name)?.to ?? '' });
    }
    const number = (reader.anchor?.document.number ?? 0) + 1;
    await this.#run<AnchorDocument>(job, {
      do: 'anchor',
      request: { journalDir: paths.journal, number, cuts: plan.cuts, folders, nowMs: context.nowMs() },
    });
    this.#o.reach('drafted');
    raiseFormat(paths.root);
    this.#o.reach('raised');
    commitAnchor(paths.journal, number);
    this.#o.reach('anchored');
    const anchor = newestAnchor(paths.journal);
    if (anchor?.document.number !== number) throw new TypeError(`anchor ${number} is not the newest`);
    this.#finishDrop(anchor);
    job.folders = plan.folders;
  }

  async #plan(days: number, unexported: boolean): Promise<DropPlan> {
    const { context, paths, reader, deliveries } = this.#o;
    const checkpoints = CheckpointStore.open(paths.state);
    try {
      const bounds = await boundsOf(context, checkpoints, deliveries);
      const heads = reader.heads(context.shards.shards);
      const nowMs = Math.max(...heads.map(({ wallMs }) => wallMs ?? 0));
      const floors = heads.map(({ shard }) => reader.floor(shard));
      const folders = this.folders().map((folder) => ({
        ...folder,
        ...(folder.exported === '' && !unexported ? { stays: 'it was not exported' } : {}),
      }));
      return planDrop(folders, floors, nowMs - days * DAY_MS, bounds);
    } finally {
      await checkpoints.close();
    }
  }

  /** Everything behind the commit of the anchor; can be done again. */
  #finishDrop(anchor: Anchor): void {
    const { context, paths, control, reader, log } = this.#o;
    const { number, shards, dropped } = anchor.document;
    if ((context.system.journal.dropped?.number ?? 0) < number) {
      const cuts = shards.map(({ sequence }) => sequence);
      const folders = dropped.map(({ name }) => name);
      const { sha256 } = anchor;
      context.system.write([{ type: 'journal_dropped', number, sha256, folders, cuts, atMs: context.nowMs() }]);
    }
    this.#o.reach('recorded');
    control.countJournalDrop();
    reader.refresh();
    const there = new Set(readdirSync(paths.journal));
    for (const { name } of dropped) if (there.has(name)) removeFolder(join(paths.journal, name));
    this.#o.reach('unlinked');
    removeOldAnchors(paths.journal);
    log.info({ anchor: number, folders: dropped.length }, 'the journal begins behind an anchor');
  }

  async #run<R>(job: JournalJob, request: unknown): Promise<R> {
    if (this.#stopped) throw new ApiError('stopping', 'The engine is stopping.');
    const task = new JournalTask<R>(this.#o.task, request);
    this.#task = task;
    const before = job.records;
    const timer = setInterval(() => {
      job.records = before + task.records;
    }, 250);
    try {
      return await task.done;
    } finally {
      clearInterval(timer);
      job.records = before + task.records;
      this.#task = undefined;
    }
  }

  #assertIdle(): void {
    if (this.#running !== undefined) throw new ApiError('journal_busy', 'One export or drop runs at a time.');
    if (this.#stopped) throw new ApiError('stopping', 'The engine is stopping.');
  }

  #start(kind: JournalJob['kind'], work: (job: JournalJob) => Promise<void>): JournalJob {
    const startedMs = this.#o.context.nowMs();
    const job: JournalJob = {
      ...{ id: `job_${base32of(randomBytes(17))}`, kind, startedMs, status: 'running', finishedMs: 0 },
      ...{ records: 0, folders: [], kept: [], failure: '' },
    };
    this.#jobs = [...this.#jobs.slice(1 - JOURNAL_JOBS_KEPT_MAX), job];
    this.#running = this.#work(job, work);
    return job;
  }

  /** Never rejects. */
  async #work(job: JournalJob, work: (job: JournalJob) => Promise<void>): Promise<void> {
    try {
      await work(job);
      job.status = 'done';
    } catch (error) {
      job.status = 'failed';
      job.failure = error instanceof Error ? error.message : String(error);
      this.#o.log.error({ err: error, job: job.kind }, 'a job on the journal failed');
      if (error instanceof HoldfastError && error.code === 'commit_failed') this.#o.onFatal(error);
    }
    job.finishedMs = this.#o.context.nowMs();
    this.#running = undefined;
  }

  /** Ends what runs: a drop whose anchor counts is finished, anything else counts for nothing. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#task?.kill();
    await this.#running;
  }
}

/** The data file first: a folder without it is none. */
function removeFolder(path: string): void {
  const data = join(path, 'data.mdb');
  if (existsSync(data)) rmSync(data);
  rmSync(path, { recursive: true, force: true });
}
