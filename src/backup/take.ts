/**
 * A backup of a data directory, beside the server that writes it or without one.
 *
 *   1  bulk     every environment is copied as it is, at a bounded rate
 *   2  cut      one snapshot of all environments that is of one moment: no environment was committed to between the first look
 *               and the last (a double collect). So it is a state that a crash at that moment could have left: no system record
 *               without what it speaks of, no effect without its claim, no card without its number
 *   3  delta    what changed meanwhile; each snapshot is given up as soon as its own changes are copied, those of the journal last
 *   4  files    unfinished clearing files, opened before the cut so that none is gone, files for the network, and the anchor that the
 *               journal begins behind when an old part of it was dropped
 *   5  proof    pages of the copies fit together; heads of all chains; checksums; manifest
 *   6  name     the folder `<target>.part-<process>` becomes `<target>`
 *
 * Killed at any moment it leaves that folder, which no restore takes and the next backup removes. Keys are never read: what the
 * copy holds of card numbers is encrypted.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { wallMs } from '../clock.js';
import { HoldfastError } from '../errors.js';
import { newestAnchor } from '../journal/anchor.js';
import { SYSTEM_SHARD } from '../journal/frame.js';
import { listLaneFolders } from '../journal/lane-directory.js';
import { JournalReader } from '../journal/reader.js';
import type { ShardHead } from '../journal/types.js';
import { headOf } from '../journal/verify.js';
import { BACKUP_CUT_ATTEMPTS, DISK_RESERVE_BYTES, LANE_MAP_BYTES, STORE_MAP_BYTES } from '../limits.js';
import { directoryPaths, readDirectoryDocument } from '../store/data-directory.js';
import { storeDamaged } from '../store/lmdb-file.js';
import { openLmdbStore, syncDirectory } from '../store/lmdb-store.js';
import { structureDefect } from '../store/lmdb-structure.js';
import { vaultKeyFile } from '../vault/pan-vault.js';
import { checksum, syncTree } from './durable-file.js';
import { EnvironmentCopy } from './environment-copy.js';
import {
  BACKUP_DATA,
  BACKUP_FORMAT,
  type BackupFile,
  type BackupHead,
  type BackupManifest,
  writeManifest,
} from './manifest.js';
import { PacedCopy } from './pace.js';

export interface BackupOptions {
  readonly dataDir: string;
  /** Folder of the backup; it must not be there yet. */
  readonly target: string;
  /** Version of the engine. */
  readonly engine: string;
  /** Bytes per second. */
  readonly rate: number;
  readonly onProgress: (bytes: number) => void;
}

/** Pause after so many cuts that a commit came between: a busy server must not be pinned again and again. */
const CUTS_WITHOUT_PAUSE = 16;
/** Drops that may come between reading of an anchor and opening it: they are minutes apart at least. */
const ANCHOR_ATTEMPTS = 3;

/**
 * Makes a backup; it is complete and durable when this resolves.
 * @throws HoldfastError `backup_failed` (nothing is left of it), `store_damaged` and others of a damaged source, `data_dir_unusable`
 */
export async function takeBackup(options: BackupOptions): Promise<BackupManifest> {
  const target = resolve(options.target);
  const part = `${target}.part-${process.pid}`;
  const document = readDirectoryDocument(options.dataDir);
  if (existsSync(target))
    throw failed(`${target} is there already`, 'name a folder that does not exist: each backup has its own');
  try {
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    removeLeftovers(target);
    mkdirSync(part, { mode: 0o700 });
    assertRoom(options.dataDir, dirname(target));
    const backup = new Backup(options, part);
    const cut = await backup.copy();
    const manifest: BackupManifest = { ...(await backup.prove(document.shards)), ...cut, directory: document };
    writeManifest(part, manifest);
    syncTree(part);
    renameSync(part, target);
    syncDirectory(dirname(target));
    return manifest;
  } catch (error) {
    rmSync(part, { recursive: true, force: true });
    throw asFailure(error, target);
  }
}

/** Removes what backups of this name left that were killed. */
function removeLeftovers(target: string): void {
  const prefix = `${basename(target)}.part-`;
  for (const name of readdirSync(dirname(target))) {
    if (!name.startsWith(prefix) || isRunning(Number(name.slice(prefix.length)))) continue;
    rmSync(join(dirname(target), name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** One that has ended and that nobody has asked about: its command line is gone. Without /proc nobody can tell. */
function isZombie(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`).length === 0;
  } catch {
    return false;
  }
}

function failed(message: string, next: string, cause?: unknown): HoldfastError {
  return new HoldfastError('backup_failed', message, next, { cause });
}

function asFailure(error: unknown, target: string): unknown {
  if (error instanceof HoldfastError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) return error;
  const next = code === 'ENOSPC' || code === 'EDQUOT' ? 'make room there' : 'check the target and its disk';
  return failed(`the backup ${target} could not be written: ${message}`, `${next}; nothing is left of it`, error);
}

/** Free bytes that must stay: a backup beside its data must not drive the server below its reserve. */
function reserveOf(dataDir: string, parent: string): number {
  return statSync(dataDir).dev === statSync(parent).dev ? DISK_RESERVE_BYTES : 0;
}

function assertRoom(dataDir: string, parent: string): void {
  const paths = directoryPaths(dataDir);
  const files = environmentNames(dataDir).map((name) => join(paths.root, name, 'data.mdb'));
  const needed = files.reduce((sum, file) => sum + statSync(file).size, reserveOf(dataDir, parent));
  const { bavail, bsize } = statfsSync(parent);
  if (bavail * bsize < needed)
    throw failed(
      `${parent} has ${bavail * bsize} bytes free, the backup needs ${needed}`,
      'make room, or name a target on another disk',
    );
}

/** Environments below the data directory that nothing else can be made of. */
function environmentNames(dataDir: string): string[] {
  const { journal, root } = directoryPaths(dataDir);
  const lanes = listLaneFolders(journal).map(({ path }) => path.slice(root.length + 1));
  return [...lanes, 'system', 'audit', 'vault', 'webhooks'].filter((name) => existsSync(join(root, name, 'data.mdb')));
}

interface Cut {
  readonly created: string;
}

class Backup {
  readonly #o: BackupOptions;
  readonly #root: string;
  readonly #data: string;
  readonly #pace: PacedCopy;
  readonly #environments: EnvironmentCopy[] = [];
  readonly #held = new Map<string, FileHandle>();

  constructor(options: BackupOptions, part: string) {
    this.#o = options;
    this.#root = directoryPaths(options.dataDir).root;
    this.#data = join(part, BACKUP_DATA);
    const reserve = reserveOf(options.dataDir, part);
    this.#pace = new PacedCopy({ rate: options.rate, reserve, onProgress: options.onProgress });
  }

  async copy(): Promise<Cut> {
    mkdirSync(this.#data, { mode: 0o700 });
    try {
      this.#openNew();
      for (const environment of this.#environments) await environment.bulk(this.#pace);
      await this.#openSpooled();
      await this.#cut();
      const created = new Date(wallMs()).toISOString();
      // The journal, which comes first, has most to copy: the others are not pinned as long. A file that is pinned grows with every commit.
      for (const environment of [...this.#environments].reverse()) {
        await environment.delta(this.#pace);
        environment.release();
      }
      await this.#openSpooled();
      await this.#openAnchor();
      await this.#copyFiles();
      return { created };
    } finally {
      for (const file of this.#held.values()) await file.close();
      for (const environment of this.#environments) await environment.close();
    }
  }

  /** Environments that appeared; true when there are. */
  #openNew(): boolean {
    const known = new Set(this.#environments.map(({ name }) => name));
    const names = environmentNames(this.#o.dataDir).filter((name) => !known.has(name));
    for (const name of names) {
      const mapBytes = name.startsWith('journal') ? LANE_MAP_BYTES : STORE_MAP_BYTES;
      this.#environments.push(new EnvironmentCopy(this.#root, name, this.#data, mapBytes));
    }
    return names.length > 0;
  }

  /** Snapshots of all environments that are of one moment. */
  async #cut(): Promise<void> {
    for (let attempt = 1; attempt <= BACKUP_CUT_ATTEMPTS; attempt++) {
      this.#openNew();
      const all = this.#environments;
      const before = all.map((environment) => environment.look());
      for (const environment of all) environment.pin();
      const after = all.map((environment) => environment.look());
      if (!this.#openNew() && before.every((bytes, i) => bytes.equals(after[i]!))) {
        for (const [i, environment] of all.entries()) environment.keep(after[i]!);
        return;
      }
      for (const environment of all) environment.release();
      if (attempt % CUTS_WITHOUT_PAUSE === 0) await sleep(1);
    }
    throw failed(
      `no moment between two commits was found in ${BACKUP_CUT_ATTEMPTS} tries`,
      'try again when there is less traffic',
    );
  }

  /** Files of the spool, held open: one that is finished meanwhile is removed from its folder, not from here. */
  async #openSpooled(): Promise<void> {
    for (const folder of ['spool', 'outgoing']) {
      const path = join(this.#root, folder);
      if (!existsSync(path)) continue;
      for (const entry of readdirSync(path)) {
        const name = `${folder}/${entry}`;
        if (entry.endsWith('.part') || this.#held.has(name)) continue;
        try {
          this.#held.set(name, await open(join(this.#root, name), 'r'));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        }
      }
    }
  }

  /**
   * The files of the newest anchor, which never change. One that came after the cut is right as well: it ends far below the records
   * of the cut, and folders that it has made superfluous may lie about.
   */
  async #openAnchor(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const anchor = newestAnchor(directoryPaths(this.#root).journal);
      if (anchor === undefined) return;
      const files: [string, FileHandle][] = [];
      try {
        for (const entry of readdirSync(anchor.path)) {
          const path = join(anchor.path, entry);
          files.push([relative(this.#root, path), await open(path, 'r')]);
        }
        for (const [name, file] of files) this.#held.set(name, file);
        return;
      } catch (error) {
        for (const [, file] of files) await file.close();
        // A newer one has taken its place meanwhile.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === ANCHOR_ATTEMPTS) throw error;
      }
    }
  }

  async #copyFiles(): Promise<void> {
    copyFileSync(join(this.#root, 'holdfast.json'), join(this.#data, 'holdfast.json'));
    for (const [name, from] of this.#held) {
      const path = join(this.#data, name);
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      const to = await open(path, 'wx', 0o600);
      try {
        await this.#pace.range(from, to, 0, (await from.stat()).size, path);
        await to.sync();
      } finally {
        await to.close();
      }
    }
  }

  /** Looks at what was copied: it must be what a start or a verification would take. */
  async prove(shards: number): Promise<Omit<BackupManifest, 'created' | 'directory'>> {
    for (const { name } of this.#environments) {
      const defect = structureDefect(join(this.#data, name, 'data.mdb'));
      if (defect !== undefined) throw storeDamaged(join(this.#root, name, 'data.mdb'), defect);
    }
    const { journal, system, vault } = directoryPaths(this.#data);
    mkdirSync(journal, { recursive: true, mode: 0o700 });
    const heads = await headsOf(JournalReader.open(journal, { readOnly: true }), (reader) => reader.heads(shards));
    const store = openLmdbStore(system, { readOnly: true });
    const [systemHead] = await headsOf(JournalReader.ofStore(store, system), (reader) => [reader.head(SYSTEM_SHARD)]);
    const keyFile = await this.#keyFile(vault);
    return {
      format: BACKUP_FORMAT,
      engine: this.#o.engine,
      keyFile,
      records: heads.reduce((sum, { sequence }) => sum + sequence, 0),
      head: headOf(heads),
      shards: heads.map(backupHead),
      system: backupHead(systemHead!),
      files: await this.#files(),
    };
  }

  async #keyFile(vault: string): Promise<string> {
    if (!existsSync(join(vault, 'data.mdb'))) return '';
    const store = openLmdbStore(vault, { readOnly: true });
    try {
      return vaultKeyFile(store);
    } finally {
      await store.close();
    }
  }

  /** Every file with its checksum. What reading made (lock.mdb) is no part of a backup. */
  async #files(): Promise<BackupFile[]> {
    const files: BackupFile[] = [];
    for (const name of readdirSync(this.#data, { recursive: true, encoding: 'utf8' }).sort()) {
      const path = join(this.#data, name);
      if (name.endsWith('lock.mdb')) rmSync(path);
      else if (statSync(path).isFile()) files.push({ path: name, ...(await checksum(path)) });
    }
    return files;
  }
}

function backupHead({ sequence, hash }: ShardHead): BackupHead {
  return { sequence, hash: Buffer.from(hash).toString('hex') };
}

async function headsOf(reader: JournalReader, read: (reader: JournalReader) => ShardHead[]): Promise<ShardHead[]> {
  try {
    return read(reader);
  } finally {
    await reader.close();
  }
}
