/**
 * Backups of the running server, made in a process of their own: a damaged, memory-mapped file ends that process and not this one,
 * and all of its threads give way to those that answer. One at a time, each a folder below the setting `backup-dir`.
 */
import { fork } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BackupManifest, readManifest } from '../backup/manifest.js';
import { HoldfastError } from '../errors.js';
import { BACKUP_BYTES_PER_SECOND } from '../limits.js';
import { workerFile } from '../worker-file.js';
import { ApiError } from './problem.js';

/** A backup of this process, or one that lies in the folder. */
export interface BackupRow {
  readonly name: string;
  status: 'running' | 'done' | 'failed';
  /** Of one of this process; when it was cut, else. ms since 1970 UTC */
  readonly startedMs: number;
  /** Copied so far. */
  bytes: number;
  /** Why it failed, for people. */
  failure: string;
  manifest: BackupManifest | undefined;
}

export interface BackupsOptions {
  readonly dataDir: string;
  /** Where backups go; undefined: nowhere. */
  readonly folder: string | undefined;
  readonly nowMs: () => number;
  readonly log: { info(data: object, text: string): void; warn(data: object, text: string): void };
}

/** Messages of the process that makes a backup (cli/reading-process.ts). */
type FromBackup =
  | { kind: 'progress'; records: number }
  | { kind: 'suspicion'; text: string }
  | { kind: 'report'; report: BackupManifest }
  | { kind: 'failure'; message: string };

export class Backups {
  readonly #o: BackupsOptions;
  /** Of this process, the newest last. */
  readonly #rows: BackupRow[] = [];
  #running: { stop(): void; readonly end: Promise<void> } | undefined;

  constructor(options: BackupsOptions) {
    this.#o = options;
  }

  /** Begins a backup. @throws ApiError `not_supported`, `backup_running`, `backup_exists`, `stopping` */
  start(name: string): BackupRow {
    const { folder, nowMs } = this.#o;
    if (folder === undefined)
      throw new ApiError('not_supported', 'This server has no folder for backups: start it with --backup-dir.');
    if (this.#running !== undefined) throw new ApiError('backup_running', 'One backup is made at a time.');
    if (this.row(name)?.manifest !== undefined)
      throw new ApiError('backup_exists', 'There is a backup of this name.', { param: '/name' });
    const row: BackupRow = { name, status: 'running', startedMs: nowMs(), bytes: 0, failure: '', manifest: undefined };
    this.#rows.push(row);
    this.#running = this.#run(row, join(folder, name));
    return row;
  }

  #run(row: BackupRow, target: string): { stop(): void; readonly end: Promise<void> } {
    const task = fileURLToPath(workerFile(import.meta.url, '../cli/backup-task.js'));
    const args = [this.#o.dataDir, target, String(BACKUP_BYTES_PER_SECOND)];
    const child = fork(task, args, { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    child.on('message', (message: FromBackup) => {
      if (message.kind === 'progress') row.bytes = message.records;
      else if (message.kind === 'report') row.manifest = message.report;
      else if (message.kind === 'failure') row.failure = message.message;
    });
    const end = new Promise<void>((resolve) => {
      child.once('error', (error) => {
        row.failure = error.message;
        resolve();
      });
      child.once('close', (code, signal) => {
        if (row.manifest === undefined && row.failure === '')
          row.failure = `the process that makes the backup ended with ${signal ?? `status ${code}`}`;
        resolve();
      });
    }).then(() => {
      // A killed one leaves its work; nothing that looks like a backup.
      rmSync(`${target}.part-${child.pid}`, { recursive: true, force: true });
      this.#finish(row);
    });
    return { stop: () => child.kill('SIGKILL'), end };
  }

  #finish(row: BackupRow): void {
    this.#running = undefined;
    row.status = row.manifest === undefined ? 'failed' : 'done';
    const { name, bytes, failure, manifest } = row;
    if (manifest === undefined) this.#o.log.warn({ backup: name, bytes, error: failure }, 'a backup failed');
    else this.#o.log.info({ backup: name, records: manifest.records, head: manifest.head }, 'a backup is complete');
  }

  /** A backup by its name: of this process, or a whole one in the folder. */
  row(name: string): BackupRow | undefined {
    return this.rows.find((row) => row.name === name);
  }

  /** The newest first. */
  get rows(): BackupRow[] {
    const own = new Map(this.#rows.map((row) => [row.name, row]));
    const { folder } = this.#o;
    for (const name of folder === undefined ? [] : namesIn(folder)) {
      if (own.has(name)) continue;
      const manifest = manifestOf(join(folder!, name));
      if (manifest === undefined) continue;
      const startedMs = Date.parse(manifest.created);
      const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
      own.set(name, { name, status: 'done', startedMs, bytes, failure: '', manifest });
    }
    return [...own.values()].sort((a, b) => b.startedMs - a.startedMs || (a.name < b.name ? 1 : -1));
  }

  /** Ends the one that is made; nothing of it stays. */
  async stop(): Promise<void> {
    const running = this.#running;
    running?.stop();
    await running?.end;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !name.includes('.part-'));
  } catch (error) {
    // The folder is made by the first backup.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** What is no backup, or a damaged one, is not listed: the command that restores says what is wrong with it. */
function manifestOf(folder: string): BackupManifest | undefined {
  try {
    return readManifest(folder);
  } catch (error) {
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}
