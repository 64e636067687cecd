/**
 * A key-encrypting key that lies enciphered by a device (HSM): of no use without the device and the key in it. The device deciphers it at
 * a start, over the Hsm port; from then on the process has it, as one of a file. Whoever takes the device away, or its right to use the
 * key, has ended that for the next start.
 *
 *   { "format": 1, "key": "<name in the file of the devices' keys>", "kcv": "<10 hex>", "iv": "<32 hex>", "sealed": "<64 hex>" }
 *
 * AES-CBC has no integrity of its own: what comes back must have the check value, and the key file is authenticated with it.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { HoldfastError } from '../errors.js';
import type { Hsm, HsmVerdict } from './hsm/port.js';
import { KEY_BYTES, Kek } from './kek.js';

export interface SealedKek {
  /** Of the device's key that deciphers it. */
  readonly key: string;
  /** Check value of the key-encrypting key. */
  readonly kcv: string;
  readonly iv: Buffer;
  readonly sealed: Buffer;
}

const FILE_BYTES_MAX = 4096;
const IV_BYTES = 16;
const isHex = (value: unknown, bytes: number): value is string =>
  typeof value === 'string' && value.length === bytes * 2 && /^[0-9a-f]+$/i.test(value);

const unusable = (path: string, what: string, next: string, cause?: unknown): HoldfastError =>
  new HoldfastError('kek_unusable', `file of the key-encrypting key ${path} ${what}`, next, { cause });

/**
 * The sealed key of a file; undefined when there is none in it (a file of a key as it is, or no file).
 * @throws HoldfastError `kek_unusable` for one that is malformed, or that others can write
 */
export function readSealedKek(path: string): SealedKek | undefined {
  let handle: number;
  try {
    handle = openSync(path, 'r');
  } catch {
    // Whoever reads it as a key tells why it cannot be opened.
    return undefined;
  }
  try {
    const { mode, size } = fstatSync(handle);
    if (size > FILE_BYTES_MAX) return undefined;
    const text = readFileSync(handle);
    const isSealed = text.toString('latin1', 0, 1) === '{';
    const sealed = isSealed ? parse(text.toString('utf8')) : undefined;
    text.fill(0);
    if (!isSealed) return undefined;
    if ((mode & 0o022) !== 0)
      throw unusable(path, 'can be written by others than its owner', `run: chmod go-w ${path}`);
    if (sealed === undefined) throw unusable(path, 'is no sealed key', 'make it with holdfast keys seal');
    return sealed;
  } finally {
    closeSync(handle);
  }
}

function parse(text: string): SealedKek | undefined {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    return undefined;
  }
  const { format, key, kcv, iv, sealed } = value;
  if (format !== 1 || typeof key !== 'string' || !isHex(kcv, 5)) return undefined;
  if (!isHex(iv, IV_BYTES) || !isHex(sealed, KEY_BYTES)) return undefined;
  return { key, kcv: kcv.toUpperCase(), iv: Buffer.from(iv, 'hex'), sealed: Buffer.from(sealed, 'hex') };
}

/**
 * Has a key sealed by a key of the device.
 * @returns the file's text
 * @throws HoldfastError `kek_unusable` when the device does not do it
 */
export async function sealKek(kek: Kek, key: string, hsm: Hsm): Promise<string> {
  const iv = randomBytes(IV_BYTES);
  const data = Buffer.from(kek.bytes);
  const verdict = await hsm.submit({ op: 'encipher_kek', key, iv: Buffer.from(iv), data });
  data.fill(0);
  const value = valueIn(verdict, `key ${key} of the device does not seal it`);
  return `${JSON.stringify({ format: 1, key, kcv: kek.kcv, iv: iv.toString('hex'), sealed: Buffer.from(value).toString('hex') })}\n`;
}

/** @throws HoldfastError `kek_unusable` when the device does not do it, or gives another key */
export async function openSealedKek(path: string, { key, kcv, iv, sealed }: SealedKek, hsm: Hsm): Promise<Kek> {
  const verdict = await hsm.submit({ op: 'decipher_kek', key, iv: Buffer.from(iv), data: Buffer.from(sealed) });
  const value = valueIn(verdict, `file of the key-encrypting key ${path} is not opened by key ${key} of the device`);
  const kek = new Kek(value);
  value.fill(0);
  const [found, given] = [Buffer.from(kek.kcv.toUpperCase()), Buffer.from(kcv)];
  if (found.length === given.length && timingSafeEqual(found, given)) return kek;
  throw unusable(
    path,
    `does not have its check value ${kcv} when the device has opened it`,
    'seal it anew: holdfast keys seal',
  );
}

function valueIn(verdict: HsmVerdict, what: string): Uint8Array {
  if (verdict.outcome === 'ok' && verdict.value?.length === KEY_BYTES) return verdict.value;
  const why = verdict.outcome === 'failed' ? `${verdict.failure}: ${verdict.detail}` : 'it answered something else';
  throw new HoldfastError(
    'kek_unusable',
    `${what} (${why})`,
    'ask the device: holdfast doctor --hsm ... --hsm-keys ...; where none can be reached, hand the key, made of its components, over in HOLDFAST_KEK',
  );
}
