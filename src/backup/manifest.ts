/**
 * The manifest of a backup: what it is a backup of, up to where, and every file with its checksum. It is written last, into a
 * folder that gets its name after it: a folder without a manifest is no backup.
 *
 *   backup.json   one line of JSON, then one line with its SHA-256
 *   data/         laid out as a data directory: holdfast.json, journal/, system/, audit/, vault/, webhooks/, spool/, outgoing/
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '../errors.js';
import type { DirectoryDocument } from '../store/data-directory.js';
import { writeDurably } from './durable-file.js';

export const BACKUP_FORMAT = 1;
export const MANIFEST = 'backup.json';
/** Folder of a backup with the data. */
export const BACKUP_DATA = 'data';

export interface BackupFile {
  /** Below `data/`, with `/`. */
  readonly path: string;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** Where a chain ends: last sequence, and SHA-256 of its last frame (hex; zeros for an empty chain). */
export interface BackupHead {
  readonly sequence: number;
  readonly hash: string;
}

export interface BackupManifest {
  readonly format: number;
  /** RFC 3339, UTC: the moment of the cut. */
  readonly created: string;
  /** Engine that made the backup. */
  readonly engine: string;
  readonly directory: DirectoryDocument;
  /** Id of the key file that the data needs; '' when the vault was never used. It is not in the backup. */
  readonly keyFile: string;
  /** Of all shards. */
  readonly records: number;
  /** As `verify` prints it. */
  readonly head: string;
  readonly shards: readonly BackupHead[];
  readonly system: BackupHead;
  readonly files: readonly BackupFile[];
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Writes the manifest; it is durable when this returns. */
export function writeManifest(folder: string, manifest: BackupManifest): void {
  const text = JSON.stringify(manifest);
  writeDurably(join(folder, MANIFEST), `${text}\n${digest(text)}\n`);
}

/**
 * The manifest of the backup in a folder.
 * @throws HoldfastError `backup_damaged` (no backup, or a damaged one), `data_dir_newer` (of a newer engine)
 */
export function readManifest(folder: string): BackupManifest {
  const path = join(folder, MANIFEST);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw backupDamaged(`${folder} is no backup: it has no ${MANIFEST}`);
    throw backupDamaged(`${path} cannot be read: ${message}`, error);
  }
  const [document = '', sum, end, ...more] = text.split('\n');
  if (end !== '' || more.length > 0 || digest(document) !== sum)
    throw backupDamaged(`${path} is damaged: its checksum does not match`);
  const manifest = JSON.parse(document) as BackupManifest;
  if (manifest.format > BACKUP_FORMAT)
    throw new HoldfastError(
      'data_dir_newer',
      `${path} has format ${manifest.format}, this engine reads up to ${BACKUP_FORMAT}`,
      `restore it with an engine that is at least as new as ${manifest.engine}`,
    );
  return manifest;
}

export function backupDamaged(message: string, cause?: unknown): HoldfastError {
  return new HoldfastError('backup_damaged', message, 'restore another backup; nothing was put into place', { cause });
}
