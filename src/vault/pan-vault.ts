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
 *
 * Random 96-bit nonces are safe for 2^32 rows under one key; a program has at most 2^32 cards (16 M per shard, 256 shards).
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { assert, HoldfastError } from '../errors.js';
import type { Store } from '../store/port.js';
import type { Fingerprint } from './fingerprint.js';
import type { Keys, VaultKey } from './keys.js';

export interface PanRow {
  readonly fingerprint: Fingerprint;
  /** 1 to 19 digits. */
  readonly pan: string;
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
const AAD = Buffer.concat([Buffer.from('holdfast/pan/1'), Buffer.alloc(20)]);
const AAD_FINGERPRINT_AT = AAD.length - 20;

export class PanVault {
  readonly #store: Store;
  readonly #active: VaultKey;
  readonly #activeId: Buffer;
  readonly #keys = new Map<string, VaultKey>();
  #reencryptFrom: Uint8Array = Buffer.of(ROWS);

  /**
   * @throws HoldfastError `key_file_mismatch` when the rows of this store were made with other keys.
   */
  constructor(store: Store, keys: Keys) {
    this.#store = store;
    this.#active = keys.panKey;
    this.#activeId = Buffer.from(keys.panKey.id, 'hex');
    for (const key of keys.panKeys) this.#keys.set(key.id, key);
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

  /**
   * Encrypts up to `limit` rows anew that are not under the active key, in one commit, and returns how many it did: call until
   * it answers 0, then the retired keys may leave the key file. Each call goes on where the last one stopped; new rows are
   * always under the active key, so one pass is enough.
   */
  reencrypt(limit = 1000): number {
    const stale: [Buffer, string][] = [];
    this.#store.scan({ start: this.#reencryptFrom, end: Buffer.of(ROWS + 1) }, (key, row) => {
      if (this.#activeId.compare(row, KEY_ID_AT, NONCE_AT) !== 0) {
        const copy = Buffer.from(key);
        stale.push([copy, this.#open(copy, row)]);
      }
      return stale.length < limit;
    });
    if (stale.length === 0) return 0;
    this.#store.commit((writer) => {
      for (const [key, pan] of stale) writer.put(key, this.#seal(key, pan));
    });
    this.#reencryptFrom = stale[stale.length - 1]![0];
    return stale.length;
  }

  #seal(key: Uint8Array, pan: string): Buffer {
    if (!/^\d{1,19}$/.test(pan)) throw new RangeError('a PAN has 1 to 19 digits');
    const row = Buffer.alloc(ROW_BYTES);
    row[0] = FORMAT;
    this.#activeId.copy(row, KEY_ID_AT);
    const nonce = randomBytes(12);
    nonce.copy(row, NONCE_AT);
    const plain = Buffer.alloc(PLAIN_BYTES);
    plain[0] = pan.length;
    plain.write(pan, 1, 'latin1');
    const cipher = createCipheriv('aes-256-gcm', this.#active.bytes, nonce);
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
    const secret = this.#keys.get(keyId);
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
    const mine = Buffer.from(
      JSON.stringify({ format: FORMAT, keyFile: keys.fileId, fingerprintKey: keys.fingerprintKey.id }),
    );
    const stored = this.#store.get(META_KEY);
    if (stored === undefined) {
      this.#store.commit((writer) => writer.put(META_KEY, mine));
      return;
    }
    if (mine.equals(stored)) return;
    throw new HoldfastError(
      'key_file_mismatch',
      `the vault was made with other keys (${Buffer.from(stored).toString('utf8')}) than key file ${keys.fileId} holds`,
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
