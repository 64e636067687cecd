/**
 * The key file as it lies on the disk. Format 1 holds the keys as they are, format 2 wrapped by a key-encrypting key (kek.ts):
 *
 *   { "format": 1, "id": "kf_...", "directory": "<id of the data directory>", "created": "2026-01-01T00:00:00.000Z",
 *     "keys": [ { "id": "16 hex", "usage": "pan", "state": "active" | "retired", "created": "...", "kcv": "10 hex",
 *                 "key": "base64" }, ... ] }
 *
 *   { "format": 2, ..., "kek": "<its check value>", "keys": [ { ..., "wrapped": "base64" }, ... ] }
 *
 * It is replaced whole: written beside, flushed, renamed. An error never quotes its content.
 */
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { HoldfastError } from '../errors.js';
import { KEY_BYTES, WRAPPED_BYTES } from './kek.js';
import { type OwnFile, readOwnFile, unreadableFile } from './own-file.js';

/** What each key is for; a key of one usage is never accepted for another. */
export const keyUsages = ['pan', 'fingerprint', 'id', 'index', 'token'] as const;
export type KeyUsage = (typeof keyUsages)[number];

const FILE_BYTES_MAX = 65_536;

export interface KeyEntry {
  /** 16 hexadecimal digits. */
  readonly id: string;
  readonly usage: KeyUsage;
  state: 'active' | 'retired';
  /** RFC 3339; keys of earlier releases have the time of the file. */
  readonly created?: string;
  readonly kcv: string;
  /** Base64 of the key. */
  readonly key?: string;
  /** Base64 of the wrapped key. */
  readonly wrapped?: string;
}

export interface KeyDocument {
  readonly format: 1 | 2;
  readonly id: string;
  readonly directory: string;
  readonly created: string;
  /** Check value of the key-encrypting key, of format 2. */
  readonly kek?: string;
  readonly keys: readonly KeyEntry[];
}

const keyFile: OwnFile = {
  name: 'key file',
  flag: '--key-file',
  bytesMax: FILE_BYTES_MAX,
  missing: [
    'is missing, and the data cannot be used without it',
    'restore it from its backup, or name its place with --key-file',
  ],
};

/** @throws HoldfastError `key_file_unreadable` (missing, unreadable, readable by others, malformed) */
export function readKeyDocument(path: string): KeyDocument {
  const text = readOwnFile(keyFile, path);
  try {
    return parse(path, text.toString('utf8'));
  } finally {
    text.fill(0);
  }
}

export function malformedKeyFile(path: string, what: string): HoldfastError {
  return unreadableFile(keyFile, path, `is malformed: ${what}`, 'restore it from its backup');
}

/** The stored bytes of an entry, memory of their own: the key itself (format 1), or the wrapped key. */
export function storedBytes({ key, wrapped }: KeyEntry): Buffer {
  const text = key ?? wrapped ?? '';
  const bytes = Buffer.alloc(Buffer.byteLength(text, 'base64'));
  bytes.write(text, 'base64');
  return bytes;
}

/** Checks the shape by hand: an error never quotes the content of the file. */
function parse(path: string, text: string): KeyDocument {
  const malformed = (what: string): HoldfastError => malformedKeyFile(path, what);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed('not JSON');
  }
  if (typeof value !== 'object' || value === null) throw malformed('not an object');
  const document = value as Partial<KeyDocument>;
  const wrapped = document.format === 2;
  if (!wrapped && document.format !== 1) throw malformed('format is neither 1 nor 2');
  if (typeof document.id !== 'string' || document.id === '') throw malformed('id is missing');
  if (typeof document.directory !== 'string') throw malformed('directory is missing');
  if (wrapped && (typeof document.kek !== 'string' || document.kek === '')) throw malformed('kek is missing');
  if (!Array.isArray(document.keys)) throw malformed('keys is no array');
  (document.keys as (Partial<KeyEntry> | null)[]).forEach((entry, index) => {
    const where = `keys[${index}]`;
    if (typeof entry !== 'object' || entry === null) throw malformed(`${where} is no object`);
    if (typeof entry.id !== 'string' || !/^[0-9a-f]{16}$/.test(entry.id)) throw malformed(`${where}.id`);
    if (!keyUsages.includes(entry.usage as KeyUsage)) throw malformed(`${where}.usage`);
    if (entry.state !== 'active' && entry.state !== 'retired') throw malformed(`${where}.state`);
    if (entry.created !== undefined && typeof entry.created !== 'string') throw malformed(`${where}.created`);
    if (typeof entry.kcv !== 'string') throw malformed(`${where}.kcv`);
    const secret: unknown = wrapped ? entry.wrapped : entry.key;
    if (typeof secret !== 'string' || (wrapped ? entry.key : entry.wrapped) !== undefined)
      throw malformed(`${where} has no ${wrapped ? 'wrapped' : 'key'}`);
    const bytes = storedBytes(entry as KeyEntry);
    const canonical = bytes.toString('base64') === secret;
    const length = bytes.length;
    bytes.fill(0);
    if (!canonical || length !== (wrapped ? WRAPPED_BYTES : KEY_BYTES))
      throw malformed(`${where}.${wrapped ? 'wrapped' : 'key'}`);
  });
  for (const usage of keyUsages) {
    const active = document.keys.filter((entry) => entry.usage === usage && entry.state === 'active').length;
    if (active !== 1) throw malformed(`${active} active keys of usage ${usage} instead of one`);
  }
  return document as KeyDocument;
}

/**
 * Makes the file when nothing has its name. False when another process was first: its file is then the one to read.
 * @throws HoldfastError `key_file_unreadable`
 */
export function createKeyDocument(path: string, document: KeyDocument): boolean {
  let temporary = '';
  try {
    temporary = writeBeside(path, document);
    // link() fails when the name exists: the first process wins and the other reads the winner's file.
    linkSync(temporary, path);
    syncDirectory(path);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST') return false;
    throw new HoldfastError(
      'key_file_unreadable',
      `cannot create key file ${path}: ${code ?? String(error)}`,
      'create its folder, writable for this user, or name another place with --key-file',
      { cause: error },
    );
  } finally {
    if (temporary !== '') unlinkSync(temporary);
  }
}

/**
 * Changes the file: reads it, and replaces it in one step by what `change` makes of it; it keeps its owner. After a crash there is
 * the one or the other. Changes of several processes come one after the other: a key that one has added is never lost to another.
 * @throws HoldfastError `key_file_unreadable`, and what `change` throws
 */
export function changeKeyDocument(path: string, change: (document: KeyDocument) => KeyDocument): KeyDocument {
  const unlock = lock(`${path}.lock`);
  try {
    removeLeftovers(path);
    const document = change(readKeyDocument(path));
    replace(path, document);
    return document;
  } finally {
    unlock();
  }
}

function replace(path: string, document: KeyDocument): void {
  let temporary = '';
  try {
    const { uid, gid } = statSync(path);
    temporary = writeBeside(path, document);
    const mine = statSync(temporary);
    if (mine.uid !== uid || mine.gid !== gid) chownSync(temporary, uid, gid);
    renameSync(temporary, path);
    temporary = '';
    syncDirectory(path);
  } catch (error) {
    throw new HoldfastError(
      'key_file_unreadable',
      `cannot replace key file ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
      'make its folder writable for this user; the file is as it was',
      { cause: error },
    );
  } finally {
    if (temporary !== '') unlinkSync(temporary);
  }
}

/** What processes have written beside the file and were killed before they gave it its name: keys that nobody uses. */
function removeLeftovers(path: string): void {
  const folder = dirname(path);
  const start = `${basename(path)}.`;
  for (const name of readdirSync(folder))
    if (name.startsWith(start) && /^[0-9a-f]{12}\.tmp$/.test(name.slice(start.length))) unlinkSync(join(folder, name));
}

/** A file that names the process which has the lock; one of a process that is gone does not count. Gives the way out. */
function lock(path: string): () => void {
  for (let tries = 0; ; tries++) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx', mode: 0o600 });
      return () => unlinkSync(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST' && tries === 0 && isLeftBehind(path)) unlinkSync(path);
      else
        throw new HoldfastError(
          'key_file_unreadable',
          code === 'EEXIST'
            ? `another process changes the key file: ${path}`
            : `cannot make ${path}: ${code ?? String(error)}`,
          code === 'EEXIST'
            ? 'try again; remove it when no such process is there'
            : 'make its folder writable for this user',
          { cause: error },
        );
    }
  }
}

function isLeftBehind(path: string): boolean {
  const pid = Number(readFileSync(path, 'latin1'));
  if (!Number.isSafeInteger(pid) || pid <= 0 || pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    // Not allowed to signal it: it is there.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function writeBeside(path: string, document: KeyDocument): string {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const handle = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    // Whatever the umask takes away from the owner's own rights.
    fchmodSync(handle, 0o600);
    writeFileSync(handle, `${JSON.stringify(document, null, 2)}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  return temporary;
}

function syncDirectory(path: string): void {
  const handle = openSync(dirname(path), constants.O_RDONLY);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
