/**
 * A backup into an empty folder.
 *
 *   copy      every file of the manifest into `<data dir>/.restore`, its length and checksum compared on the way
 *   (prove)   the caller verifies what was copied
 *   place     the folders move up, holdfast.json last: a start takes the directory when that is there, and not before
 *
 * The data directory is locked meanwhile, so that no server begins a new one in it. Killed at any moment it leaves no holdfast.json:
 * every start refuses (73), and the next restore begins anew.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { HoldfastError } from '../errors.js';
import { BACKUP_CHUNK_BYTES } from '../limits.js';
import { DATA_FOLDERS, DOCUMENT, harmlessEntry, RESTORE_FOLDER } from '../store/data-directory.js';
import { type DirectoryLock, lockDirectory } from '../store/directory-lock.js';
import { syncDirectory } from '../store/lmdb-store.js';
import { syncTree } from './durable-file.js';
import { BACKUP_DATA, type BackupFile, type BackupManifest, backupDamaged, readManifest } from './manifest.js';

export class Restore {
  readonly manifest: BackupManifest;
  /** Where the data lies until it is placed. */
  readonly folder: string;
  readonly #backup: string;
  readonly #root: string;
  readonly #lock: DirectoryLock;

  private constructor(backup: string, root: string, manifest: BackupManifest, lock: DirectoryLock) {
    this.#backup = backup;
    this.#root = root;
    this.manifest = manifest;
    this.folder = join(root, RESTORE_FOLDER);
    this.#lock = lock;
  }

  /**
   * Takes the data directory, which must be empty or what a restore that was killed left.
   * @throws HoldfastError `backup_damaged`, `data_dir_newer`, `data_dir_unusable`, `data_dir_locked`
   */
  static async begin(backup: string, dataDir: string): Promise<Restore> {
    const manifest = readManifest(backup);
    const root = resolve(dataDir);
    try {
      mkdirSync(root, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw unusable(`cannot use ${root}: ${(error as Error).message}`, 'name a directory that you may write', error);
    }
    const lock = await lockDirectory(root);
    try {
      clear(root);
      const restore = new Restore(resolve(backup), root, manifest, lock);
      mkdirSync(restore.folder, { mode: 0o700 });
      syncDirectory(root);
      return restore;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Copies every file. @throws HoldfastError `backup_damaged`, `data_dir_unusable` */
  async copy(onProgress: (bytes: number) => void): Promise<void> {
    let bytes = 0;
    for (const name of DATA_FOLDERS) mkdirSync(join(this.folder, name), { mode: 0o700 });
    for (const file of this.manifest.files) {
      await copyChecked(join(this.#backup, BACKUP_DATA, file.path), join(this.folder, file.path), file, (chunk) => {
        bytes += chunk;
        onProgress(bytes);
      });
    }
    syncTree(this.folder);
  }

  /** Puts the data into place; then a server can start on it. */
  place(): void {
    for (const name of DATA_FOLDERS) renameSync(join(this.folder, name), join(this.#root, name));
    syncDirectory(this.#root);
    renameSync(join(this.folder, DOCUMENT), join(this.#root, DOCUMENT));
    syncDirectory(this.#root);
    rmSync(this.folder, { recursive: true });
  }

  /** Leaves the directory as it was before. */
  abandon(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    await this.#lock.release();
  }
}

/** Refuses a directory that holds something; removes what a restore that was killed left. */
function clear(root: string): void {
  if (existsSync(join(root, DOCUMENT)))
    throw unusable(`${root} is a data directory already`, 'name an empty directory: a restore never writes over data');
  const entries = readdirSync(root, { withFileTypes: true });
  const begun = entries.some(({ name }) => name === RESTORE_FOLDER);
  const isOurs = (name: string): boolean => begun && (DATA_FOLDERS as readonly string[]).includes(name);
  const foreign = entries.find((entry) => !harmlessEntry(entry) && !isOurs(entry.name));
  if (foreign !== undefined)
    throw unusable(`${root} is in use for something else (it holds ${foreign.name})`, 'name an empty directory');
  // The mark goes last: a kill in between leaves it, and the next restore goes on.
  for (const { name } of entries) if (isOurs(name)) rmSync(join(root, name), { recursive: true });
  rmSync(join(root, RESTORE_FOLDER), { recursive: true, force: true });
}

async function copyChecked(
  from: string,
  to: string,
  { path, bytes, sha256 }: BackupFile,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const source = await open(from, 'r').catch((error: NodeJS.ErrnoException) => {
    throw backupDamaged(`the backup has no readable ${path}: ${error.code}`, error);
  });
  try {
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
    const target = await open(to, 'wx', 0o600);
    try {
      const hash = createHash('sha256');
      const chunk = Buffer.alloc(BACKUP_CHUNK_BYTES);
      let length = 0;
      for (;;) {
        const { bytesRead } = await source.read(chunk, 0, chunk.length, length);
        if (bytesRead === 0) break;
        hash.update(chunk.subarray(0, bytesRead));
        await target.writeFile(chunk.subarray(0, bytesRead));
        length += bytesRead;
        onBytes(bytesRead);
      }
      if (length !== bytes || hash.digest('hex') !== sha256)
        throw backupDamaged(`${path} of the backup is damaged: its checksum is not the one of the manifest`);
      await target.sync();
    } finally {
      await target.close();
    }
  } catch (error) {
    if (error instanceof HoldfastError || (error as NodeJS.ErrnoException).code === undefined) throw error;
    throw unusable(`${path} could not be restored: ${(error as Error).message}`, 'make room, or check the disk', error);
  } finally {
    await source.close();
  }
}

function unusable(message: string, next: string, cause?: unknown): HoldfastError {
  return new HoldfastError('data_dir_unusable', message, next, { cause });
}
