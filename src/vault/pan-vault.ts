/**
 * The vault: PAN ciphertexts by fingerprint, in a store of their own outside the journal's chain (rows can be re-encrypted in
 * place). A row is durable before the card's record that names the fingerprint, so a crash between the two leaves an
 * orphan row, which harms nobody, and never a card without its number.
 *
 *   key    'p' · fingerprint (12 bytes, big-endian)
 *   value  format 1 · key id (8 bytes) · nonce (12, random) · ciphertext (20) · tag (16)
 *   plain  number of digits · digits (19 bytes, zero-filled): every row has the same length
 *   AAD    "holdfast/pan/1" · fingerprint · key id: a row moved under another card's key does not decrypt
 *
 *   key 'k' holds what the fingerprints and rows were made with; other keys are refused at the start.
 *   key 'r' holds how far the newest rotation of the PAN key is, as JSON; written with the rows that it has encrypted anew.
 *   key 'f' holds the same of the fingerprint key; written when rows under names of before go.
 *
 * Random 96-bit nonces are safe for 2^32 rows under one key; a program has at most 2^32 cards (16 M per shard, 256 shards).
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { assert, HoldfastError } from '../errors.js';
import type { Store } from '../store/port.js';
import type { Fingerprint } from './fingerprint.js';
import type { Keys, RotatedUsage } from './keys.js';
import { PanKeyRing } from './pan-key-ring.js';

export interface PanRow {
  readonly fingerprint: Fingerprint;
  /** 1 to 19 digits. */
  readonly pan: string;
}

/** How far the newest rotation of a key is. */
export interface KeyRotationState {
  /** Id of the key that everything moves to. */
  readonly key: string;
  /** ms since 1970 UTC; `finishedMs` is 0 while it goes on. */
  readonly startedMs: number;
  readonly finishedMs: number;
  /** Rows that were encrypted anew, or got another name. */
  readonly rows: number;
  /** Name (fingerprint) of the row up to which every row is under the key, in hexadecimal; '' at the beginning. */
  readonly at: string;
}

const FORMAT = 1;
const KEY_ID_AT = 1;
const NONCE_AT = KEY_ID_AT + 8;
const CIPHERTEXT_AT = NONCE_AT + 12;
const PLAIN_BYTES = 20;
const TAG_AT = CIPHERTEXT_AT + PLAIN_BYTES;
const ROW_BYTES = TAG_AT + 16;
const ROW_KEY_BYTES = 13;
const ROWS = 0x70;
const META_KEY = Buffer.from('k');
const ROTATION_KEYS = { pan: Buffer.from('r'), fingerprint: Buffer.from('f') } as const;
const AAD = Buffer.concat([Buffer.from('holdfast/pan/1'), Buffer.alloc(20)]);
const AAD_FINGERPRINT_AT = AAD.length - 20;

export class PanVault {
  readonly #store: Store;
  readonly #ring: PanKeyRing;
  readonly #keyFile: string;

  /**
   * @param ring the PAN keys, which a rotation changes; those of `keys` when none is given
   * @throws HoldfastError `key_file_mismatch` when the rows of this store were made with other keys.
   */
  constructor(store: Store, keys: Keys, ring: PanKeyRing = new PanKeyRing(keys.panKeys)) {
    this.#store = store;
    this.#ring = ring;
    this.#keyFile = keys.fileId;
    this.#checkKeys(keys);
  }

  /**
   * Stores card numbers in one durable commit; when it returns they are on disk. A number that is there already is kept.
   * @throws HoldfastError `invariant_violated` when another number has the same fingerprint, `commit_failed` from the store.
   */
  put(batch: readonly PanRow[]): void {
    const rows = new Map<string, [key: Buffer, value: Buffer, pan: string]>();
    for (const { fingerprint, pan } of batch) {
      const key = rowKey(fingerprint);
      const name = key.toString('latin1');
      const known = rows.get(name)?.[2] ?? this.reveal(fingerprint);
      if (known === undefined) rows.set(name, [key, this.#seal(key, pan), pan]);
      else assert(known === pan, 'two card numbers have one fingerprint');
    }
    if (rows.size === 0) return;
    this.#store.commit((writer) => {
      for (const [key, value] of rows.values()) writer.put(key, value);
    });
  }

  /** The card number, or undefined when the vault has none. The caller audits who sees it. */
  reveal(fingerprint: Fingerprint): string | undefined {
    const key = rowKey(fingerprint);
    const row = this.#store.get(key);
    return row === undefined ? undefined : this.#open(key, row);
  }

  has(fingerprint: Fingerprint): boolean {
    return this.#store.get(rowKey(fingerprint)) !== undefined;
  }

  /** The newest rotation of the PAN key, when there was one. */
  rotation(): KeyRotationState | undefined {
    return vaultRotation(this.#store, 'pan');
  }

  /** The newest rotation of the fingerprint key, when there was one. */
  fingerprintRotation(): KeyRotationState | undefined {
    return vaultRotation(this.#store, 'fingerprint');
  }

  /** Id of the fingerprint key that rows are named by, but for those that a rotation has given another name. */
  get fingerprintKey(): string {
    return (JSON.parse(Buffer.from(this.#store.get(META_KEY)!).toString('utf8')) as { fingerprintKey: string })
      .fingerprintKey;
  }

  /** Notes, durably, that everything is to be under the active key. */
  beginRotation(nowMs: number): KeyRotationState {
    const rotation = { key: this.#ring.active.id, startedMs: nowMs, finishedMs: 0, rows: 0, at: '' };
    this.#store.commit((writer) => writer.put(ROTATION_KEYS.pan, Buffer.from(JSON.stringify(rotation))));
    return rotation;
  }

  /**
   * Looks at the next `limit` rows, encrypts those anew that are not under the active key, and notes how far it came in the same
   * commit. New rows are always under the active key, so one pass is enough. Behind the last row the rotation is finished.
   * @throws HoldfastError `record_unreadable` for a row that cannot be read; nothing of the step is written then
   */
  reencrypt(limit: number, nowMs: number): KeyRotationState {
    const before = this.rotation();
    assert(before !== undefined && before.key === this.#ring.active.id, 'a rotation goes to the active key');
    const activeId = Buffer.from(before.key, 'hex');
    const stale: [key: Buffer, row: Buffer][] = [];
    const { at, visited } = this.#visit(before.at, limit, (key, row) => {
      if (activeId.compare(row, KEY_ID_AT, NONCE_AT) !== 0) stale.push([Buffer.from(key), Buffer.from(row)]);
    });
    const sealed = stale.map(([key, row]): [Buffer, Buffer] => [key, this.#seal(key, this.#open(key, row))]);
    const finishedMs = visited < limit ? nowMs : 0;
    const rotation = { ...before, finishedMs, rows: before.rows + sealed.length, at };
    this.#store.commit((writer) => {
      for (const [key, row] of sealed) writer.put(key, row);
      writer.put(ROTATION_KEYS.pan, Buffer.from(JSON.stringify(rotation)));
    });
    return rotation;
  }

  /**
   * The next `limit` rows behind the one named `after` ('' for the first), and the name of the last of them.
   * @throws HoldfastError `record_unreadable` for a row that cannot be read
   */
  rowsAfter(after: string, limit: number): { rows: PanRow[]; at: string; isEnd: boolean } {
    const found: [key: Buffer, row: Buffer][] = [];
    const { at, visited } = this.#visit(after, limit, (key, row) => {
      found.push([Buffer.from(key), Buffer.from(row)]);
    });
    const rows = found.map(([key, row]) => ({ fingerprint: fingerprintOf(key), pan: this.#open(key, row) }));
    return { rows, at, isEnd: visited < limit };
  }

  /**
   * Notes, durably, how far the rotation of the fingerprint key is, and takes away rows that have another name by now. When it is
   * finished, rows are named by its key from here on.
   */
  noteFingerprints(rotation: KeyRotationState, superfluous: readonly Fingerprint[]): void {
    this.#store.commit((writer) => {
      for (const fingerprint of superfluous) writer.remove(rowKey(fingerprint));
      writer.put(ROTATION_KEYS.fingerprint, Buffer.from(JSON.stringify(rotation)));
      if (rotation.finishedMs !== 0) writer.put(META_KEY, metaOf(this.#keyFile, rotation.key));
    });
  }

  /** Visits up to `limit` rows behind the one named `after`; the visitor copies what it keeps. */
  #visit(
    after: string,
    limit: number,
    visitor: (key: Uint8Array, row: Uint8Array) => void,
  ): { at: string; visited: number } {
    // No key of a row is longer.
    const start =
      after === '' ? Buffer.of(ROWS) : Buffer.concat([Buffer.of(ROWS), Buffer.from(after, 'hex'), Buffer.of(0)]);
    let visited = 0;
    let at = after;
    this.#store.scan({ start, end: Buffer.of(ROWS + 1) }, (key, row) => {
      at = Buffer.from(key.subarray(1)).toString('hex');
      visitor(key, row);
      return ++visited < limit;
    });
    return { at, visited };
  }

  #seal(key: Uint8Array, pan: string): Buffer {
    if (!/^\d{1,19}$/.test(pan)) throw new RangeError('a PAN has 1 to 19 digits');
    const row = Buffer.alloc(ROW_BYTES);
    row[0] = FORMAT;
    const active = this.#ring.active;
    row.write(active.id, KEY_ID_AT, 'hex');
    const nonce = randomBytes(12);
    nonce.copy(row, NONCE_AT);
    const plain = Buffer.alloc(PLAIN_BYTES);
    plain[0] = pan.length;
    plain.write(pan, 1, 'latin1');
    const cipher = createCipheriv('aes-256-gcm', active.bytes, nonce);
    cipher.setAAD(aad(key, row));
    cipher.update(plain).copy(row, CIPHERTEXT_AT);
    cipher.final();
    cipher.getAuthTag().copy(row, TAG_AT);
    plain.fill(0);
    return row;
  }

  #open(key: Uint8Array, row: Uint8Array): string {
    const bytes = Buffer.from(row); // the store's bytes are valid only until its next call
    const unreadable = (why: string, cause?: unknown): HoldfastError =>
      new HoldfastError(
        'record_unreadable',
        `vault row ${Buffer.from(key.subarray(1)).toString('hex')} ${why}`,
        'restore the vault from a backup',
        { cause },
      );
    if (!wellFormed(bytes)) throw unreadable('has an unknown format');
    const keyId = bytes.toString('hex', KEY_ID_AT, NONCE_AT);
    const secret = this.#ring.find(keyId);
    if (secret === undefined) throw unreadable(`needs PAN key ${keyId}, which is not in the key file`);
    const decipher = createDecipheriv('aes-256-gcm', secret.bytes, bytes.subarray(NONCE_AT, CIPHERTEXT_AT));
    decipher.setAAD(aad(key, bytes));
    decipher.setAuthTag(bytes.subarray(TAG_AT));
    const plain = decipher.update(bytes.subarray(CIPHERTEXT_AT, TAG_AT));
    try {
      decipher.final();
    } catch (error) {
      throw unreadable('fails its authentication', error);
    }
    const pan = plain.toString('latin1', 1, 1 + plain[0]!);
    plain.fill(0);
    return pan;
  }

  #checkKeys(keys: Keys): void {
    const bytes = this.#store.get(META_KEY);
    if (bytes === undefined) {
      this.#store.commit((writer) => writer.put(META_KEY, metaOf(keys.fileId, keys.fingerprintKey.id)));
      return;
    }
    const stored = Buffer.from(bytes); // valid only until the store's next call
    const { key: panKey = '' } = this.rotation() ?? {};
    if (panKey !== '' && this.#ring.find(panKey) === undefined)
      throw new HoldfastError(
        'key_file_mismatch',
        `card numbers are under PAN key ${panKey}, which key file ${keys.fileId} does not hold: it is a copy of the time before a rotation`,
        'point --key-file at the key file as the rotation left it',
      );
    // A rotation that goes on names two keys: the one of the rows, and the one that they get.
    const rotation = this.fingerprintRotation();
    const target = rotation === undefined || rotation.finishedMs !== 0 ? keys.fingerprintKey.id : rotation.key;
    const isKnown = keys.fingerprintKeys.some(({ id }) => metaOf(keys.fileId, id).equals(stored));
    if (isKnown && keys.fingerprintKeys.some(({ id }) => id === target)) return;
    throw new HoldfastError(
      'key_file_mismatch',
      `the vault was made with other keys (${stored.toString('utf8')}) than key file ${keys.fileId} holds`,
      'point --key-file at the key file that was created together with this data directory',
    );
  }
}

/**
 * Whether a card's row is in a vault, for who has no keys (verification): undefined when it is there and has the shape of a
 * row, else what is wrong with it. Nothing is decrypted.
 */
export function panRowDefect(store: Store, fingerprint: Fingerprint): string | undefined {
  const row = store.get(rowKey(fingerprint));
  if (row === undefined) return 'is missing';
  return wellFormed(row) ? undefined : 'has an unknown format';
}

/** The newest rotation of a key in a vault, for who has no keys. */
export function vaultRotation(store: Store, usage: RotatedUsage): KeyRotationState | undefined {
  const stored = store.get(ROTATION_KEYS[usage]);
  return stored === undefined ? undefined : (JSON.parse(Buffer.from(stored).toString('utf8')) as KeyRotationState);
}

/** Share of the rows that a rotation has behind it, 0 to 1: names of rows are spread evenly, so the place reached is the share before it. */
export function rotationProgress({ finishedMs, at }: KeyRotationState): number {
  if (finishedMs !== 0) return 1;
  return at === '' ? 0 : Math.floor((Number.parseInt(at.slice(0, 8), 16) / 2 ** 32) * 1000) / 1000;
}

/** Id of the key file that a vault was made with, for who has no keys; '' when it was never used. */
export function vaultKeyFile(store: Store): string {
  const stored = store.get(META_KEY);
  if (stored === undefined) return '';
  const { keyFile } = JSON.parse(Buffer.from(stored).toString('utf8')) as { keyFile?: unknown };
  return typeof keyFile === 'string' ? keyFile : '';
}

function wellFormed(row: Uint8Array): boolean {
  return row.length === ROW_BYTES && row[0] === FORMAT;
}

function metaOf(keyFile: string, fingerprintKey: string): Buffer {
  return Buffer.from(JSON.stringify({ format: FORMAT, keyFile, fingerprintKey }));
}

function fingerprintOf(key: Buffer): Fingerprint {
  return { f0: key.readUInt32BE(1), f1: key.readUInt32BE(5), f2: key.readUInt32BE(9) };
}

/** Name of a row, as rotations tell it: 24 hexadecimal digits. */
export function rowName(fingerprint: Fingerprint): string {
  return rowKey(fingerprint).toString('hex', 1);
}

function rowKey(fingerprint: Fingerprint): Buffer {
  const key = Buffer.allocUnsafe(ROW_KEY_BYTES);
  key[0] = ROWS;
  key.writeUInt32BE(fingerprint.f0, 1);
  key.writeUInt32BE(fingerprint.f1, 5);
  key.writeUInt32BE(fingerprint.f2, 9);
  return key;
}

/** Additional authenticated data of a row: one buffer, used up at once by setAAD. */
function aad(key: Uint8Array, row: Uint8Array): Buffer {
  AAD.set(key.subarray(1, ROW_KEY_BYTES), AAD_FINGERPRINT_AT);
  AAD.set(row.subarray(KEY_ID_AT, NONCE_AT), AAD_FINGERPRINT_AT + 12);
  return AAD;
}
