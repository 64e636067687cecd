/**
 * The key-encrypting key (KEK): one AES-256 key that wraps the data keys of the key file, and is kept elsewhere: in a file of
 * another owner, or handed over in the environment by what starts the server. It encrypts nothing else, and never changes in a
 * running process.
 *
 *   wrapped   nonce (12, random) · ciphertext (32) · tag (16), AES-256-GCM
 *   AAD       "holdfast/wrapped-key/1" · id of the key file · usage · id of the key, each after a zero byte
 *
 * The additional data bind a wrapped key to its place: under another usage, another id or in another file it does not open.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { HoldfastError } from '../errors.js';
import { aesCheckValue } from './check-value.js';

export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
export const WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES;
const FILE_BYTES_MAX = 256;
/** A KEK, and a component of one, as it stands in a file: 64 hexadecimal digits. */
const KEY_TEXT = /^[0-9A-Fa-f]{64}$/;

/** What a wrapped key is bound to. */
export interface WrappedPlace {
  /** Id of the key file. */
  readonly fileId: string;
  readonly usage: string;
  /** Id of the key. */
  readonly id: string;
}

/** Printing or serializing it shows the check value, never the bytes. */
export class Kek {
  /** Key check value: 10 hexadecimal digits. */
  readonly kcv: string;
  readonly #bytes: Buffer;

  /** @param bytes 32 bytes, copied: the caller overwrites its own. */
  constructor(bytes: Uint8Array) {
    if (bytes.length !== KEY_BYTES) throw new RangeError('a key-encrypting key has 32 bytes');
    this.#bytes = Buffer.alloc(KEY_BYTES);
    this.#bytes.set(bytes);
    this.kcv = aesCheckValue(this.#bytes);
  }

  /** The 32 secret bytes, for another thread of this process. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  wrap(place: WrappedPlace, key: Uint8Array): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#bytes, nonce);
    cipher.setAAD(aad(place));
    const text = cipher.update(key);
    cipher.final();
    return Buffer.concat([nonce, text, cipher.getAuthTag()]);
  }

  /** The key, memory of its own; undefined when it was wrapped by another KEK or for another place, or is damaged. */
  unwrap(place: WrappedPlace, wrapped: Uint8Array): Buffer | undefined {
    if (wrapped.length !== WRAPPED_BYTES) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', this.#bytes, wrapped.subarray(0, NONCE_BYTES));
    decipher.setAAD(aad(place));
    decipher.setAuthTag(wrapped.subarray(NONCE_BYTES + KEY_BYTES));
    const key = decipher.update(wrapped.subarray(NONCE_BYTES, NONCE_BYTES + KEY_BYTES));
    try {
      decipher.final();
      return key;
    } catch {
      key.fill(0);
      return undefined;
    }
  }

  toJSON(): { kcv: string } {
    return { kcv: this.kcv };
  }

  [inspect.custom](): string {
    return `Kek(kcv ${this.kcv})`;
  }
}

function aad({ fileId, usage, id }: WrappedPlace): Buffer {
  return Buffer.from(['holdfast/wrapped-key/1', fileId, usage, id].join('\0'), 'latin1');
}

/** 32 bytes of 64 hexadecimal digits (white space around them does not count), or undefined. */
export function keyOfText(text: string): Buffer | undefined {
  const digits = text.trim();
  if (!KEY_TEXT.test(digits)) return undefined;
  const bytes = Buffer.alloc(KEY_BYTES);
  bytes.write(digits, 'hex');
  return bytes;
}

/** @param where what errors call it @throws HoldfastError `kek_unusable` when it is no key */
export function kekOfText(text: string, where: string): Kek {
  const bytes = keyOfText(text);
  if (bytes === undefined || bytes.every((byte) => byte === 0)) {
    bytes?.fill(0);
    const what = bytes === undefined ? 'is not 64 hexadecimal digits' : 'is all zeros';
    throw new HoldfastError(
      'kek_unusable',
      `the key-encrypting key in ${where} ${what}`,
      'holdfast keys components --help',
    );
  }
  const kek = new Kek(bytes);
  bytes.fill(0);
  return kek;
}

/**
 * Reads a KEK from a file that the server may read and not own.
 * @param keysOwner user id of the owner of the key file, who must be another
 * @throws HoldfastError `kek_unusable`: missing, no regular file, malformed, of the same owner as the key file, writable by
 * its group, open to others
 */
export function readKekFile(path: string, keysOwner: number): Kek {
  const unusable = (what: string, next: string, cause?: unknown): HoldfastError =>
    new HoldfastError('kek_unusable', `file of the key-encrypting key ${path} ${what}`, next, { cause });
  let handle: number;
  try {
    handle = openSync(path, constants.O_RDONLY);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const what = code === 'ENOENT' ? 'is missing' : `cannot be opened: ${code ?? String(error)}`;
    throw unusable(what, 'name its place with --kek-file, readable for the group of the server', error);
  }
  try {
    const stat = fstatSync(handle);
    const { mode, uid, size } = stat;
    if (!stat.isFile()) throw unusable('is no regular file', 'name a file with --kek-file');
    if ((mode & 0o037) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, '0');
      throw unusable(`has mode ${octal}: its group may only read it, others nothing`, `run: chmod 0440 ${path}`);
    }
    if (uid === keysOwner)
      throw unusable(
        `belongs to user ${uid}, who owns the key file as well`,
        `give it to another user, and to the group of the server: chown root ${path}; chmod 0440 ${path}`,
      );
    if (size > FILE_BYTES_MAX) throw unusable(`is ${size} bytes long`, 'name the right file');
    const text = readFileSync(handle);
    try {
      return kekOfText(text.toString('latin1'), path);
    } finally {
      text.fill(0);
    }
  } finally {
    closeSync(handle);
  }
}
