/**
 * The keys of one data directory. They lie in a file of their own (key-document.ts) that only its owner may read, apart from the
 * data on purpose: a copy of the data alone reveals no card number, and losing the file means losing the cards. Therefore it is
 * created only together with a new data directory (`create`), never over an old one: fresh keys beside existing data would turn
 * every known card into an unknown one without any error.
 *
 * With a key-encrypting key (kek.ts) the file holds wrapped keys only, and is worth nothing without that key. A file that is
 * wrapped is never taken without it, and one with keys in the clear never where a key-encrypting key is named.
 *
 * Every key has one usage, an id that is stored with what it protects, and a key check value (KCV) that is compared when
 * the file is loaded, so that a damaged or mixed-up key is found before it is used. Two keys can be replaced
 * (`rotateKey`): the PAN encryption key and the fingerprint key. The one before stays in the file as `retired`. The seeds of the index
 * keys identify messages for ever and do not rotate.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { closeSync, constants, openSync } from 'node:fs';
import { inspect } from 'node:util';
import { HoldfastError } from '../errors.js';
import { aesCheckValue, hmacCheckValue } from './check-value.js';
import { KEY_BYTES, type Kek } from './kek.js';
import {
  changeKeyDocument,
  createKeyDocument,
  type KeyDocument,
  type KeyEntry,
  type KeyUsage,
  keyUsages,
  malformedKeyFile,
  readKeyDocument,
  storedBytes,
} from './key-document.js';

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
  /** Every fingerprint key, the active one first, then the newest: the vault says which of them its rows are named by. */
  readonly fingerprintKeys: readonly VaultKey[];
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
  /** Key-encrypting key: the file must be wrapped by it, and is made so. Without one the keys lie there as they are. */
  kek?: Kek | undefined;
}

/**
 * Loads the key file, creating it with random keys when it is missing and `create` allows it.
 * @throws HoldfastError `key_file_unreadable` (missing, unreadable, readable by others, malformed, KCV differs),
 * `key_file_mismatch` (the keys of another data directory), `key_file_plain`, `kek_unusable` and `kek_mismatch` (the file and
 * the key-encrypting key do not go together).
 */
export function loadKeys(path: string, options: LoadKeysOptions = {}): Keys {
  let created = false;
  if (options.create !== false && isMissing(path))
    created = createKeyDocument(path, newDocument(options.directory ?? '', options.kek));
  const document = readKeyDocument(path);
  const expected = options.directory;
  if (expected !== undefined && document.directory !== '' && document.directory !== expected) {
    throw options.create === false ? ofOtherData(path, document, expected) : ofLostData(path, document);
  }
  return keysOf(path, document, options.kek, created);
}

/** What a key file says of itself without its keys. */
export interface KeyFileFacts {
  readonly fileId: string;
  readonly directory: string;
  /** Check value of the key-encrypting key; undefined when the keys lie there as they are. */
  readonly kek: string | undefined;
  readonly keys: readonly Readonly<Pick<KeyEntry, 'id' | 'usage' | 'state' | 'kcv'> & { created: string }>[];
}

/** @throws HoldfastError `key_file_unreadable`; `key_file_mismatch` when it belongs to another directory than this */
export function keyFileFacts(path: string, directory?: string): KeyFileFacts {
  const document = readKeyDocument(path);
  if (directory !== undefined && document.directory !== '' && document.directory !== directory)
    throw ofOtherData(path, document, directory);
  return {
    fileId: document.id,
    directory: document.directory,
    kek: document.kek,
    keys: document.keys.map(({ id, usage, state, kcv, created }) => ({
      ...{ id, usage, state, kcv },
      created: created ?? document.created,
    })),
  };
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

/** Usages whose keys can be replaced. */
export const rotatedUsages = ['pan', 'fingerprint'] as const;
export type RotatedUsage = (typeof rotatedUsages)[number];

/**
 * Adds a new active key of the usage and retires the present one; the file is replaced atomically. What is under the key before moves to
 * the new one step by step (control/keys).
 * @throws HoldfastError as `loadKeys`
 */
export function rotateKey(path: string, usage: RotatedUsage, kek?: Kek): Keys {
  const next = changeKeyDocument(path, (document) => {
    // Nothing is added to a file whose keys do not open.
    for (const { key } of opened(path, document, kek)) key.fill(0);
    const keys = document.keys.map(
      (entry): KeyEntry => (entry.usage === usage ? { ...entry, state: 'retired' } : entry),
    );
    return { ...document, keys: [newEntry(document.id, usage, kek), ...keys] };
  });
  return keysOf(path, next, kek, false);
}

/**
 * Wraps the keys of a file that has them as they are.
 * @throws HoldfastError `key_file_unreadable`, `kek_mismatch` when it is wrapped by another key-encrypting key
 * @returns false when it is wrapped by this one already
 */
export function wrapKeyFile(path: string, kek: Kek): boolean {
  const document = readKeyDocument(path);
  if (document.format === 2) {
    for (const { key } of opened(path, document, kek)) key.fill(0);
    return false;
  }
  changeKeyDocument(path, (plain) => wrappedAnew(plain, opened(path, plain, undefined), kek));
  return true;
}

/**
 * Wraps the keys by another key-encrypting key. The keys stay as they are, so nothing in the data directory changes.
 * @throws HoldfastError `key_file_plain`, and as `loadKeys`
 */
export function rewrapKeyFile(path: string, from: Kek, to: Kek): void {
  changeKeyDocument(path, (document) => wrappedAnew(document, opened(path, document, from), to));
}

function wrappedAnew(document: KeyDocument, keys: readonly OpenedKey[], kek: Kek): KeyDocument {
  const { id, directory, created } = document;
  const entries = keys.map(({ entry, key }): KeyEntry => {
    const { id: keyId, usage, state, kcv } = entry;
    const wrapped = kek.wrap({ fileId: id, usage, id: keyId }, key).toString('base64');
    key.fill(0);
    return { id: keyId, usage, state, created: entry.created ?? created, kcv, wrapped };
  });
  return { format: 2, id, directory, created, kek: kek.kcv, keys: entries };
}

interface OpenedKey {
  readonly entry: KeyEntry;
  readonly key: Buffer;
}

/** The keys of the file, each against its check value. */
function opened(path: string, document: KeyDocument, kek: Kek | undefined): OpenedKey[] {
  if (document.format === 1 && kek !== undefined)
    throw new HoldfastError(
      'key_file_plain',
      `key file ${path} holds its keys as they are, and a key-encrypting key is named`,
      `wrap them: holdfast keys wrap --key-file ${path} with the same --kek-file or HOLDFAST_KEK`,
    );
  if (document.format === 2 && kek === undefined)
    throw new HoldfastError(
      'kek_unusable',
      `key file ${path} is wrapped by the key-encrypting key with check value ${document.kek}, and none is named`,
      'name its file with --kek-file, or put it into HOLDFAST_KEK',
    );
  if (kek !== undefined && document.kek !== kek.kcv)
    throw new HoldfastError(
      'kek_mismatch',
      `key file ${path} is wrapped by the key-encrypting key with check value ${document.kek}, not by the one with ${kek.kcv}`,
      'name the right one; after a change of it: holdfast keys rewrap',
    );
  return document.keys.map((entry, index) => {
    const { id, usage } = entry;
    const stored = storedBytes(entry);
    const key = kek === undefined ? stored : kek.unwrap({ fileId: document.id, usage, id }, stored);
    if (key === undefined)
      throw malformedKeyFile(path, `keys[${index}] (${usage} ${id}) is damaged, or was wrapped for another place`);
    const kcv = Buffer.from(keyCheckValue(usage, key));
    const given = Buffer.from(entry.kcv);
    if (given.length !== kcv.length || !timingSafeEqual(given, kcv))
      throw malformedKeyFile(path, `keys[${index}] (${usage} ${id}) does not match its key check value`);
    return { entry, key };
  });
}

function newDocument(directory: string, kek: Kek | undefined): KeyDocument {
  const id = `kf_${randomBytes(8).toString('hex')}`;
  const created = new Date().toISOString();
  const keys = keyUsages.map((usage) => newEntry(id, usage, kek));
  return kek === undefined
    ? { format: 1, id, directory, created, keys }
    : { format: 2, id, directory, created, kek: kek.kcv, keys };
}

function newEntry(fileId: string, usage: KeyUsage, kek: Kek | undefined): KeyEntry {
  const bytes = randomBytes(KEY_BYTES);
  const id = randomBytes(8).toString('hex');
  const kcv = keyCheckValue(usage, bytes);
  const common = { id, usage, state: 'active', created: new Date().toISOString(), kcv } as const;
  const entry: KeyEntry =
    kek === undefined
      ? { ...common, key: bytes.toString('base64') }
      : { ...common, wrapped: kek.wrap({ fileId, usage, id }, bytes).toString('base64') };
  bytes.fill(0);
  return entry;
}

function isMissing(path: string): boolean {
  try {
    closeSync(openSync(path, constants.O_RDONLY));
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'; // reading it reports any other cause
  }
}

function keysOf(path: string, document: KeyDocument, kek: Kek | undefined, created: boolean): Keys {
  const all = opened(path, document, kek).map(({ entry, key }) => ({
    state: entry.state,
    key: new VaultKey(entry.id, entry.usage, key),
  }));
  const of = (usage: KeyUsage, state: KeyEntry['state']): VaultKey[] =>
    all.filter((one) => one.key.usage === usage && one.state === state).map(({ key }) => key);
  const active = (usage: KeyUsage): VaultKey => of(usage, 'active')[0]!;
  const panKey = active('pan');
  return {
    fileId: document.id,
    directory: document.directory,
    created,
    panKey,
    panKeys: [panKey, ...of('pan', 'retired')],
    fingerprintKey: active('fingerprint'),
    fingerprintKeys: [active('fingerprint'), ...of('fingerprint', 'retired')],
    idKey: active('id'),
    indexKey: active('index'),
    tokenKey: active('token'),
  };
}

/** Key check value, 5 bytes in hexadecimal: of AES keys by CMAC, of HMAC and seed keys by HMAC-SHA256 (check-value.ts). */
export function keyCheckValue(usage: KeyUsage, bytes: Uint8Array): string {
  return usage === 'pan' || usage === 'id' ? aesCheckValue(bytes) : hmacCheckValue(bytes);
}
