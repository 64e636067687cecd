/**
 * A spooled file: a stream that holds card numbers and has to wait on the disk, encrypted. It is written once from its
 * beginning to its end, and read the same way, in constant memory.
 *
 *   header   "HFSP" · format 1 · id of the PAN key (8 bytes) · salt (16, random)
 *   chunk    ciphertext (65 536 bytes, fewer in the last one) · tag (16)
 *
 *   key      HMAC-SHA256(PAN key, "holdfast/spool/1" · salt): one for each file, so counters are safe nonces
 *   nonce    number of the chunk (8 bytes) · 0 0 0 · 1 for the last chunk, else 0
 *   AAD      the header
 *
 * The last chunk says that it is the last (it may be empty), so a file that lost its end does not decrypt as a shorter one. The
 * key is named by its id: a file outlives a rotation of the PAN key as long as the key file still has the old key.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { VaultKey } from './keys.js';

const MAGIC = Buffer.from('HFSP\x01', 'latin1');
const KEY_ID_BYTES = 8;
const SALT_BYTES = 16;
const HEADER_BYTES = MAGIC.length + KEY_ID_BYTES + SALT_BYTES;
const CHUNK_BYTES = 65_536;
const TAG_BYTES = 16;

/** The parts of a key that a spool needs; plain data, so that it can go to another thread. */
export interface SpoolKey {
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** The file cannot be read: it is damaged, cut off, or of a key that is not there. */
export class SpoolError extends Error {
  constructor(what: string) {
    super(`the spooled file ${what}`);
    this.name = 'SpoolError';
  }
}

function fileKey(key: SpoolKey, salt: Uint8Array): Buffer {
  return createHmac('sha256', key.bytes).update('holdfast/spool/1').update(salt).digest();
}

function nonceOf(chunk: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(chunk));
  nonce[11] = last ? 1 : 0;
  return nonce;
}

export class SpoolWriter {
  readonly #file: FileHandle;
  readonly #key: Buffer;
  readonly #header: Buffer;
  readonly #plain = Buffer.alloc(CHUNK_BYTES);
  #filled = 0;
  #chunk = 0;

  private constructor(file: FileHandle, key: Buffer, header: Buffer) {
    this.#file = file;
    this.#key = key;
    this.#header = header;
  }

  /** Makes the file, readable for its owner only. @throws what the file system throws, EEXIST when it is there */
  static async create(path: string, key: Pick<VaultKey, 'id' | 'bytes'>): Promise<SpoolWriter> {
    const salt = randomBytes(SALT_BYTES);
    const header = Buffer.concat([MAGIC, Buffer.from(key.id, 'hex'), salt]);
    const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    const writer = new SpoolWriter(file, fileKey(key, salt), header);
    try {
      await writer.#put(header);
    } catch (error) {
      await file.close();
      throw error;
    }
    return writer;
  }

  /** @throws what the file system throws, such as ENOSPC */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#filled === CHUNK_BYTES) await this.#flush(false);
      const take = Math.min(CHUNK_BYTES - this.#filled, bytes.length - at);
      this.#plain.set(bytes.subarray(at, at + take), this.#filled);
      this.#filled += take;
      at += take;
    }
  }

  /** Writes the end; the file is durable when it resolves (its name in the folder is the caller's). */
  async finish(): Promise<void> {
    await this.#flush(true);
    await this.#file.sync();
  }

  /** Gives the file up, finished or not. */
  async close(): Promise<void> {
    this.#plain.fill(0);
    this.#key.fill(0);
    await this.#file.close();
  }

  async #flush(last: boolean): Promise<void> {
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonceOf(this.#chunk++, last));
    cipher.setAAD(this.#header);
    const text = cipher.update(this.#plain.subarray(0, this.#filled));
    cipher.final();
    this.#filled = 0;
    await this.#put(Buffer.concat([text, cipher.getAuthTag()]));
  }

  async #put(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, at, bytes.length - at);
      at += bytesWritten;
    }
  }
}

/**
 * The content of a spooled file, chunk by chunk.
 * @throws SpoolError, and what the file system throws (ENOENT)
 */
export async function* readSpool(path: string, keys: readonly SpoolKey[]): AsyncGenerator<Buffer> {
  const file = await open(path, constants.O_RDONLY);
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    if ((await readInto(file, header, 0)) < HEADER_BYTES || !header.subarray(0, MAGIC.length).equals(MAGIC))
      throw new SpoolError('is none, or of a newer engine');
    const id = header.toString('hex', MAGIC.length, MAGIC.length + KEY_ID_BYTES);
    const key = keys.find((one) => one.id === id);
    if (key === undefined) throw new SpoolError(`needs the key ${id}, which the key file does not have`);
    const secret = fileKey(key, header.subarray(HEADER_BYTES - SALT_BYTES));
    // One byte more than a chunk tells whether it is the last.
    const sealed = Buffer.alloc(CHUNK_BYTES + TAG_BYTES + 1);
    let filled = await readInto(file, sealed, 0);
    for (let chunk = 0; ; chunk++) {
      const last = filled < sealed.length;
      yield opened(secret, header, chunk, sealed.subarray(0, last ? filled : filled - 1), last);
      if (last) return;
      sealed[0] = sealed[filled - 1]!;
      filled = await readInto(file, sealed, 1);
    }
  } finally {
    await file.close();
  }
}

function opened(key: Buffer, header: Buffer, chunk: number, sealed: Buffer, last: boolean): Buffer {
  if (sealed.length < TAG_BYTES) throw new SpoolError('is cut off');
  const end = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(chunk, last));
  decipher.setAAD(header);
  decipher.setAuthTag(sealed.subarray(end));
  const plain = decipher.update(sealed.subarray(0, end));
  try {
    decipher.final();
  } catch {
    plain.fill(0);
    throw new SpoolError(`is damaged or cut off at chunk ${chunk}`);
  }
  return plain;
}

/** Fills `bytes` from `at` on as far as there is something to read; gives how far they are filled. */
async function readInto(file: FileHandle, bytes: Buffer, at: number): Promise<number> {
  let filled = at;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}
