/**
 * The key file: every secret of one data directory, in a JSON file of its own that only its owner may read.
 *
 *   { "format": 1, "id": "kf_...", "directory": "<id of the data directory>", "created": "2026-01-01T00:00:00.000Z",
 *     "keys": [ { "id": "16 hex", "usage": "pan", "state": "active" | "retired", "kcv": "10 hex", "key": "base64" }, ... ] }
 *
 * It is kept apart from the data on purpose: a copy of the data alone reveals no card number, and losing the file means
 * losing the cards. Therefore it is created only together with a new data directory (`create`), never over an old one:
 * fresh keys beside existing data would turn every known card into an unknown one without any error.
 *
 * Every key has one usage, an id that is stored with what it protects, and a key check value (KCV) that is compared when
 * the file is loaded, so that a damaged or mixed-up key is found before it is used. The only key that can be replaced is the
 * PAN encryption key (`rotatePanKey`): the old one stays in the file as `retired` until no row needs it. The fingerprint and
 * the index key identify cards and messages for ever and do not rotate.
 */
import { createCipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { closeSync, constants, fsyncSync, linkSync, openSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { inspect } from 'node:util';
import { HoldfastError } from '../errors.js';
import { type OwnFile, readOwnFile, unreadableFile } from './own-file.js';

/** What each key is for; a key of one usage is never accepted for another. */
export const keyUsages = ['pan', 'fingerprint', 'id', 'index', 'token'] as const;
export type KeyUsage = (typeof keyUsages)[number];

const KEY_BYTES = 32;
const FILE_FORMAT = 1;
const FILE_BYTES_MAX = 65_536;

/** One secret. Printing or serializing it shows id, usage and KCV, never the bytes. */
export class VaultKey {
  /** 16 hexadecimal digits, stored beside whatever this key protects. */
  readonly id: string;
  readonly usage: KeyUsage;
  /** Key check value, 10 hexadecimal digits. */
  readonly kcv: string;
  readonly #bytes: Uint8Array;

  constructor(id: string, usage: KeyUsage, bytes: Uint8Array) {
    this.id = id;
    this.usage = usage;
    this.#bytes = bytes;
    this.kcv = keyCheckValue(usage, bytes);
  }

  /** The 32 secret bytes. Never log, never copy longer than needed. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  toJSON(): { id: string; usage: KeyUsage; kcv: string } {
    return { id: this.id, usage: this.usage, kcv: this.kcv };
  }

  [inspect.custom](): string {
    return `VaultKey(${this.usage} ${this.id} kcv ${this.kcv})`;
  }
}

export interface Keys {
  /** Id of the key file. */
  readonly fileId: string;
  /** Id of the data directory the keys belong to; empty when the file was created without one. */
  readonly directory: string;
  /** True when this call created the file. */
  readonly created: boolean;
  /** AES-256-GCM key for new PAN rows. */
  readonly panKey: VaultKey;
  /** Every PAN key, the active one first: rows name the key they need by id. */
  readonly panKeys: readonly VaultKey[];
  /** HMAC-SHA256 key of the PAN fingerprints. */
  readonly fingerprintKey: VaultKey;
  /** AES-256 key of the public ids. */
  readonly idKey: VaultKey;
  /** Seeds of the index keys (duplicate and match windows). */
  readonly indexKey: VaultKey;
  /** HMAC-SHA256 key of the stored API tokens. */
  readonly tokenKey: VaultKey;
}

export interface LoadKeysOptions {
  /** Id of the data directory: must equal the file's when both are set. */
  directory?: string;
  /** Create the file when it is missing (default). Pass false when the data directory already has data: it alone decides
   * then which keys are the right ones. */
  create?: boolean;
}

/**
 * Loads the key file, creating it with random keys when it is missing and `create` allows it.
 * @throws HoldfastError `key_file_unreadable` (missing, unreadable, readable by others, malformed, KCV differs) and
 * `key_file_mismatch` (the keys of another data directory).
 */
export function loadKeys(path: string, options: LoadKeysOptions = {}): Keys {
  let created = false;
  if (options.create !== false) created = createKeyFile(path, options.directory ?? '');
  const document = parseKeyFile(path, readKeyFile(path));
  const expected = options.directory;
  if (expected !== undefined && document.directory !== '' && document.directory !== expected) {
    throw options.create === false ? ofOtherData(path, document, expected) : ofLostData(path, document);
  }
  return keysOf(document, created);
}

function ofOtherData(path: string, document: KeyDocument, expected: string): HoldfastError {
  return new HoldfastError(
    'key_file_mismatch',
    `key file ${path} (${document.id}) belongs to data directory ${document.directory}, not to ${expected}`,
    'point --key-file at the key file that was created together with this data directory',
  );
}

/**
 * There is a key file and no data: either the data is lost or elsewhere, and then the keys are what its backups need, or
 * somebody wants to begin afresh. Both are told what to do, and nobody to delete keys: the new name is one of its own.
 */
function ofLostData(path: string, document: KeyDocument): HoldfastError {
  return new HoldfastError(
    'key_file_mismatch',
    `key file ${path} (${document.id}) belongs to data directory ${document.directory}, and the data directory of this start has no data`,
    'if that data is lost or elsewhere, keep the key file, and restore the data directory from its backup or name its ' +
      `place with --data-dir; to begin afresh without that data, move the key file away: mv ${path} ${path}.${document.id}`,
  );
}

/**
 * Adds a new active PAN key and retires the present one; the file is replaced atomically. Rows move to the new key by
 * `PanVault.reencrypt`. A running server keeps its keys until its next start.
 */
export function rotatePanKey(path: string): Keys {
  const document = parseKeyFile(path, readKeyFile(path));
  for (const entry of document.keys) if (entry.usage === 'pan') entry.state = 'retired';
  document.keys.unshift(newEntry('pan'));
  const temporary = writeBeside(path, document);
  renameSync(temporary, path);
  syncDirectory(path);
  return keysOf(document, false);
}

interface KeyEntry {
  id: string;
  usage: KeyUsage;
  state: 'active' | 'retired';
  kcv: string;
  key: string;
}

interface KeyDocument {
  format: number;
  id: string;
  directory: string;
  created: string;
  keys: KeyEntry[];
}

function newEntry(usage: KeyUsage): KeyEntry {
  const bytes = randomBytes(KEY_BYTES);
  return {
    id: randomBytes(8).toString('hex'),
    usage,
    state: 'active',
    kcv: keyCheckValue(usage, bytes),
    key: bytes.toString('base64'),
  };
}

/** True when this call created it; false when it was there. Two processes that race both end with one file. */
function createKeyFile(path: string, directory: string): boolean {
  try {
    closeSync(openSync(path, constants.O_RDONLY));
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return false; // reading it reports the cause
  }
  const document: KeyDocument = {
    format: FILE_FORMAT,
    id: `kf_${randomBytes(8).toString('hex')}`,
    directory,
    created: new Date().toISOString(),
    keys: keyUsages.map(newEntry),
  };
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

function writeBeside(path: string, document: KeyDocument): string {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const handle = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
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

const keyFile: OwnFile = {
  name: 'key file',
  flag: '--key-file',
  bytesMax: FILE_BYTES_MAX,
  missing: [
    'is missing, and the data cannot be used without it',
    'restore it from its backup, or name its place with --key-file',
  ],
};

const unreadable = (path: string, what: string, next: string): HoldfastError =>
  unreadableFile(keyFile, path, what, next);

const readKeyFile = (path: string): string => readOwnFile(keyFile, path).toString('utf8');

/** Checks the shape by hand: an error never quotes the content of the file. */
function parseKeyFile(path: string, text: string): KeyDocument {
  const malformed = (what: string): HoldfastError =>
    unreadable(path, `is malformed: ${what}`, 'restore it from its backup');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed('not JSON');
  }
  if (typeof value !== 'object' || value === null) throw malformed('not an object');
  const document = value as Partial<KeyDocument>;
  if (document.format !== FILE_FORMAT) throw malformed(`format is not ${FILE_FORMAT}`);
  if (typeof document.id !== 'string' || document.id === '') throw malformed('id is missing');
  if (typeof document.directory !== 'string') throw malformed('directory is missing');
  if (!Array.isArray(document.keys)) throw malformed('keys is no array');
  document.keys.forEach((entry: Partial<KeyEntry> | null, index) => {
    const where = `keys[${index}]`;
    if (typeof entry !== 'object' || entry === null) throw malformed(`${where} is no object`);
    if (typeof entry.id !== 'string' || !/^[0-9a-f]{16}$/.test(entry.id)) throw malformed(`${where}.id`);
    if (!keyUsages.includes(entry.usage as KeyUsage)) throw malformed(`${where}.usage`);
    if (entry.state !== 'active' && entry.state !== 'retired') throw malformed(`${where}.state`);
    if (typeof entry.kcv !== 'string' || typeof entry.key !== 'string') throw malformed(`${where}.key`);
    const bytes = Buffer.from(entry.key, 'base64');
    if (bytes.length !== KEY_BYTES || bytes.toString('base64') !== entry.key) throw malformed(`${where}.key`);
    const kcv = Buffer.from(keyCheckValue(entry.usage as KeyUsage, bytes));
    const stored = Buffer.from(entry.kcv);
    if (stored.length !== kcv.length || !timingSafeEqual(stored, kcv)) {
      throw malformed(`${where} (${entry.usage} ${entry.id}) does not match its key check value`);
    }
  });
  for (const usage of keyUsages) {
    const active = document.keys.filter((entry) => entry.usage === usage && entry.state === 'active').length;
    if (active !== 1) throw malformed(`${active} active keys of usage ${usage} instead of one`);
  }
  return document as KeyDocument;
}

function keysOf(document: KeyDocument, created: boolean): Keys {
  const toKey = (entry: KeyEntry): VaultKey => new VaultKey(entry.id, entry.usage, Buffer.from(entry.key, 'base64'));
  const active = (usage: KeyUsage): VaultKey =>
    toKey(document.keys.find((entry) => entry.usage === usage && entry.state === 'active')!);
  const panKey = active('pan');
  const retired = document.keys.filter((entry) => entry.usage === 'pan' && entry.state === 'retired').map(toKey);
  return {
    fileId: document.id,
    directory: document.directory,
    created,
    panKey,
    panKeys: [panKey, ...retired],
    fingerprintKey: active('fingerprint'),
    idKey: active('id'),
    indexKey: active('index'),
    tokenKey: active('token'),
  };
}

/**
 * Key check value, 5 bytes in hexadecimal: AES keys by CMAC over 16 zero bytes (as X9.143 does), HMAC and seed keys by
 * HMAC-SHA256 over 16 zero bytes. It identifies a key without helping to find it.
 */
export function keyCheckValue(usage: KeyUsage, bytes: Uint8Array): string {
  const zeros = Buffer.alloc(16);
  if (usage !== 'pan' && usage !== 'id') {
    return createHmac('sha256', bytes).update(zeros).digest('hex').slice(0, 10);
  }
  const encrypt = (block: Uint8Array): Buffer => {
    const cipher = createCipheriv('aes-256-ecb', bytes, null);
    cipher.setAutoPadding(false);
    return cipher.update(block);
  };
  // CMAC of one full block: encrypt(block XOR K1), where K1 is encrypt(0) doubled in GF(2^128).
  const subkey = encrypt(zeros);
  const carry = subkey[0]! >>> 7;
  for (let i = 0; i < 16; i++) subkey[i] = ((subkey[i]! << 1) | (i < 15 ? subkey[i + 1]! >>> 7 : 0)) & 0xff;
  if (carry === 1) subkey[15]! ^= 0x87;
  return encrypt(subkey).toString('hex', 0, 5);
}
