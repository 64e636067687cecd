/** Files of keys: read only when nobody but their owner can use them. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { HoldfastError } from '../errors.js';

export interface OwnFile {
  /** What errors call it: `key file`. */
  readonly name: string;
  /** The flag that names it. */
  readonly flag: string;
  readonly bytesMax: number;
  /** What errors say of one that is not there, and what to do then. */
  readonly missing: readonly [what: string, next: string];
}

export function unreadableFile({ name }: OwnFile, path: string, what: string, next: string, cause?: unknown) {
  return new HoldfastError('key_file_unreadable', `${name} ${path} ${what}`, next, { cause });
}

/** @throws HoldfastError `key_file_unreadable` */
export function readOwnFile(file: OwnFile, path: string): Buffer {
  const unreadable = (what: string, next: string, cause?: unknown): HoldfastError =>
    unreadableFile(file, path, what, next, cause);
  let handle: number;
  try {
    handle = openSync(path, constants.O_RDONLY);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') throw unreadable(...file.missing, error);
    throw unreadable(`cannot be opened: ${code ?? String(error)}`, 'make it readable for this user only', error);
  }
  try {
    const stat = fstatSync(handle);
    if (!stat.isFile()) throw unreadable('is no regular file', `name a file with ${file.flag}`);
    if ((stat.mode & 0o077) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
      throw unreadable(`has mode ${mode}: others than its owner can use it`, `run: chmod 600 ${path}`);
    }
    if (stat.size > file.bytesMax) throw unreadable(`is ${stat.size} bytes long`, 'name the right file');
    return readFileSync(handle);
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw unreadable(`cannot be read: ${String((error as Error).message)}`, 'check the file system', error);
  } finally {
    closeSync(handle);
  }
}
