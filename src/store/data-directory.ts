/**
 * The data directory: one format document, one lock, nine folders.
 *
 *   holdfast.json   what made this directory: format version, number of shards, random id, time and engine of creation
 *   lock            listening socket of the process that has it open (directory-lock.ts)
 *   journal/        lanes of frames: the truth          state/     checkpoint rows, rebuildable
 *   segments/       fingerprint segments, rebuildable    vault/     encrypted PANs
 *   system/         the system journal: programs, tokens, configuration versions, webhooks
 *   audit/          the audit log: who did or saw what by the HTTP API
 *   webhooks/       where the deliveries of webhooks stand
 *   spool/          clearing files that are not finished, encrypted
 *   outgoing/       files for the network, encrypted
 *
 * The document is written first and atomically, the folders after it: folders without a document are a damaged directory.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  type Dirent,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { wallMs } from '../clock.js';
import { HoldfastError } from '../errors.js';
import { SHARDS_DEFAULT, SHARDS_MAX } from '../limits.js';
import { type DirectoryLock, LOCK_NAME, lockDirectory } from './directory-lock.js';
import { syncDirectory } from './lmdb-store.js';

/** Newest format of the directory that this engine reads. From 3 on the journal may begin behind an anchor (journal/anchor.ts). */
export const DIRECTORY_FORMAT = 3;
/** Format of a new directory: the release before reads it too, until something is dropped. */
const FIRST_FORMAT = 2;

/** Written first into a new directory, and placed last by a restore: without it there is no data directory. */
export const DOCUMENT = 'holdfast.json';
export const DATA_FOLDERS = [
  'journal',
  'state',
  'segments',
  'vault',
  'system',
  'audit',
  'webhooks',
  'spool',
  'outgoing',
] as const;
/** Where a restore works until its data is whole: while it is there, nothing else begins in the directory. */
export const RESTORE_FOLDER = '.restore';
/** What may lie in a directory that has no document yet: what a start that was killed left, and what a mount or a restore
 * brings. Hidden entries and the sockets of the lock may as well. */
const HARMLESS: readonly string[] = [`${DOCUMENT}.new`, 'ballast', 'admin.token', 'lost+found'];

/** Contents of holdfast.json. */
export interface DirectoryDocument {
  format: number;
  /** Random id of the directory (UUID): tells a restored copy from another server's data. */
  id: string;
  /** Logical shards, a power of two, fixed for ever. */
  shards: number;
  /** RFC 3339, UTC. */
  created: string;
  /** Engine version that created it. */
  engine: string;
}

export interface DirectoryPaths {
  readonly root: string;
  readonly journal: string;
  readonly state: string;
  readonly segments: string;
  readonly vault: string;
  readonly system: string;
  readonly audit: string;
  readonly webhooks: string;
  readonly spool: string;
  readonly outgoing: string;
}

export interface OpenDirectoryOptions {
  /** Number of shards; left out: what the directory has, or the default when it is created. */
  shards?: number;
  /** Create the directory when it does not exist or is empty. */
  create?: boolean;
  /** Version of the engine, kept in the document of a new directory. */
  engine?: string;
}

/** Where everything is in the data directory `root`. */
export function directoryPaths(root: string): DirectoryPaths {
  const path = resolve(root);
  return {
    root: path,
    journal: join(path, 'journal'),
    state: join(path, 'state'),
    segments: join(path, 'segments'),
    vault: join(path, 'vault'),
    system: join(path, 'system'),
    audit: join(path, 'audit'),
    webhooks: join(path, 'webhooks'),
    spool: join(path, 'spool'),
    outgoing: join(path, 'outgoing'),
  };
}

/**
 * Reads the document without taking the lock: for tools beside a running server.
 * @throws HoldfastError `data_dir_unusable`, `data_dir_newer`.
 */
export function readDirectoryDocument(root: string): DirectoryDocument {
  const path = join(resolve(root), DOCUMENT);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw unusable(
        `${resolve(root)} is no Holdfast data directory (no ${DOCUMENT})`,
        'name another directory with --data-dir',
      );
    throw unusable(`cannot read ${path}: ${(error as Error).message}`, 'check owner and permissions', error);
  }
  return parseDocument(path, text);
}

function parseDocument(path: string, text: string): DirectoryDocument {
  let found: Partial<DirectoryDocument>;
  try {
    found = JSON.parse(text) as Partial<DirectoryDocument>;
  } catch (error) {
    throw unusable(`${path} is not JSON`, 'restore it from a backup', error);
  }
  if (typeof found !== 'object' || found === null || !Number.isInteger(found.format))
    throw unusable(`${path} has no format version`, 'restore it from a backup');
  if (found.format! < FIRST_FORMAT)
    throw unusable(
      `${path} has format ${found.format} of a development version, this engine reads ${FIRST_FORMAT} and later ones`,
      'start with a new directory: no release ever wrote this format',
    );
  if (found.format! > DIRECTORY_FORMAT)
    throw new HoldfastError(
      'data_dir_newer',
      `${path} has format ${found.format}, this engine reads up to ${DIRECTORY_FORMAT}`,
      `start an engine that is at least as new as ${found.engine ?? 'the one that wrote it'}`,
    );
  if (!isShardCount(found.shards) || typeof found.id !== 'string')
    throw unusable(`${path} lacks a valid number of shards or an id`, 'restore it from a backup');
  return found as DirectoryDocument;
}

function isShardCount(shards: number | undefined): shards is number {
  return Number.isInteger(shards) && shards! >= 1 && shards! <= SHARDS_MAX && (shards! & (shards! - 1)) === 0;
}

function unusable(message: string, next: string, cause?: unknown): HoldfastError {
  return new HoldfastError('data_dir_unusable', message, next, { cause });
}

/** An open, locked data directory. */
export class DataDirectory {
  readonly paths: DirectoryPaths;
  readonly document: DirectoryDocument;
  /** True when this call created it. */
  readonly created: boolean;
  /**
   * True while nothing was ever stored in it. A crash may part the making of the directory from that of its keys: what has
   * no data yet needs no keys that are older than this start.
   */
  readonly unused: boolean;
  readonly #lock: DirectoryLock;
  /** True when this call made the directory itself. */
  readonly #madeRoot: boolean;
  #closing: Promise<void> | undefined;

  private constructor(
    paths: DirectoryPaths,
    document: DirectoryDocument,
    made: { document: boolean; root: boolean },
    lock: DirectoryLock,
  ) {
    this.paths = paths;
    this.document = document;
    this.created = made.document;
    this.#madeRoot = made.root;
    this.unused = DATA_FOLDERS.every((folder) => readdirSync(paths[folder]).length === 0);
    this.#lock = lock;
  }

  get shards(): number {
    return this.document.shards;
  }

  /**
   * Opens (and with `create` makes) the directory and takes its lock.
   * @throws HoldfastError `data_dir_unusable`, `data_dir_locked`, `data_dir_newer`, `shards_mismatch`, `usage` (a number of
   * shards that is no power of two from 1 to 256).
   */
  static async open(root: string, options: OpenDirectoryOptions = {}): Promise<DataDirectory> {
    if (options.shards !== undefined && !isShardCount(options.shards))
      throw new HoldfastError(
        'usage',
        `--shards ${options.shards} is no power of two from 1 to ${SHARDS_MAX}`,
        'for example 16',
      );
    const paths = directoryPaths(root);
    const madeRoot = prepare(paths.root, options.create === true);
    const lock = await lockDirectory(paths.root);
    try {
      const created = !existsSync(join(paths.root, DOCUMENT));
      if (created) createDocument(paths.root, options);
      const document = readDirectoryDocument(paths.root);
      if (options.shards !== undefined && options.shards !== document.shards)
        throw new HoldfastError(
          'shards_mismatch',
          `${paths.root} was created with ${document.shards} shards, not ${options.shards}`,
          `leave --shards out or say --shards ${document.shards}; the number is fixed when the directory is created`,
        );
      makeFolders(paths);
      return new DataDirectory(paths, document, { document: created, root: madeRoot }, lock);
    } catch (error) {
      await lock.release();
      if (error instanceof HoldfastError) throw error;
      throw unusable(
        `cannot use ${paths.root}: ${(error as Error).message}`,
        'check owner, permissions and free space',
        error,
      );
    }
  }

  /** Releases the lock, once. Close every store first. */
  close(): Promise<void> {
    this.#closing ??= this.#lock.release();
    return this.#closing;
  }

  /**
   * Closes the directory after a start that came to nothing, and takes back what this call made: a directory without keys
   * would only be in the way of the next start. Only empty folders go, so nothing that was stored can be lost; a directory
   * that was there before stays as it was.
   */
  async abandon(): Promise<void> {
    if (this.created) ifPossible(() => this.#unmake());
    await this.close();
    if (this.created && this.#madeRoot) ifPossible(() => rmdirSync(this.paths.root));
  }

  /** The document last: as long as it is there, the directory is a whole one. */
  #unmake(): void {
    for (const folder of DATA_FOLDERS) rmdirSync(this.paths[folder]);
    rmSync(join(this.paths.root, DOCUMENT));
  }
}

/** What cannot be taken back does no harm: the next start goes on with it. */
function ifPossible(undo: () => void): void {
  try {
    undo();
  } catch {
    // It is the failed start that is reported.
  }
}

/**
 * Makes sure the directory exists and may be ours: a document, or nothing in it but what belongs to the host. True when this
 * call made it.
 */
function prepare(root: string, create: boolean): boolean {
  if (existsSync(join(root, DOCUMENT))) return false;
  if (!create)
    throw unusable(`${root} is no Holdfast data directory (no ${DOCUMENT})`, 'start the server once to create it');
  let entries: Dirent[];
  const missing = !existsSync(root);
  try {
    if (missing) {
      makeWithParents(root);
      syncDirectory(dirname(root));
    }
    entries = readdirSync(root, { withFileTypes: true });
  } catch (error) {
    throw unusable(`cannot use ${root}: ${(error as Error).message}`, 'choose a directory you may write', error);
  }
  if (entries.some(({ name }) => name === RESTORE_FOLDER))
    throw unusable(`a restore into ${root} was not finished`, 'run `holdfast restore` again, into this directory');
  const ours = entries.find((entry) => entry.isDirectory() && (DATA_FOLDERS as readonly string[]).includes(entry.name));
  if (ours) throw unusable(`${root} has data in ${ours.name}/ but no ${DOCUMENT}`, `restore ${DOCUMENT} from a backup`);
  const foreign = entries.find((entry) => !harmlessEntry(entry));
  if (foreign) {
    const name = foreign.isDirectory() ? `${foreign.name}/` : foreign.name;
    throw unusable(`${root} is in use for something else (it holds ${name})`, 'name an empty directory');
  }
  return missing;
}

/**
 * Makes a directory and what is missing above it. Not by the option `recursive`: where the system answers ENOENT although
 * the parent is there (/proc), Node 20 tries for ever and no signal but SIGKILL ends it.
 */
function makeWithParents(path: string): void {
  if (existsSync(path)) return;
  makeWithParents(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another start made it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !existsSync(path)) throw error;
  }
}

/** True for what may lie in a directory that becomes a data directory. */
export function harmlessEntry(entry: Dirent): boolean {
  if (entry.isSocket() && (entry.name === LOCK_NAME || entry.name.startsWith(`${LOCK_NAME}.`))) return true;
  return entry.name.startsWith('.') || HARMLESS.includes(entry.name);
}

function createDocument(root: string, options: OpenDirectoryOptions): void {
  const document: DirectoryDocument = {
    format: FIRST_FORMAT,
    id: randomUUID(),
    shards: options.shards ?? SHARDS_DEFAULT,
    created: new Date(wallMs()).toISOString(),
    engine: options.engine ?? 'unknown',
  };
  writeDocument(root, document);
}

/** Raises the format of a directory to the newest, durably, before a part of its journal is dropped. Done again it does nothing. */
export function raiseFormat(root: string): void {
  const path = resolve(root);
  const document = readDirectoryDocument(path);
  if (document.format < DIRECTORY_FORMAT) writeDocument(path, { ...document, format: DIRECTORY_FORMAT });
}

function writeDocument(root: string, document: DirectoryDocument): void {
  const draft = join(root, `${DOCUMENT}.new`);
  const file = openSync(draft, 'w', 0o600);
  try {
    writeSync(file, `${JSON.stringify(document, null, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, join(root, DOCUMENT));
  syncDirectory(root);
}

function makeFolders(paths: DirectoryPaths): void {
  for (const folder of DATA_FOLDERS) mkdirSync(paths[folder], { recursive: true, mode: 0o700 });
  syncDirectory(paths.root);
}
