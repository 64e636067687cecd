/**
 * The keys of the software adapter: a JSON file that only its owner may read, named at the start (`--hsm-keys`).
 *
 *   { "format": 1, "keys": [
 *       { "id": "kbpk", "usage": "K1", "algorithm": "A", "mode": "D", "key": "<hex>", "kcv": "<hex>" },
 *       { "id": "cvk-1", "protection": "kbpk", "block": "D0112..." } ] }
 *
 * A key comes as bytes with what it is for, or as a key block (X9.143, versions B and D) under one that stands before it. Errors name
 * keys and members, never a value.
 */
import type { HoldfastError } from '../../errors.js';
import { type OwnFile, readOwnFile, unreadableFile } from '../own-file.js';
import type { HsmVerdict } from './port.js';
import { SoftKeys } from './soft-keys.js';

const FORMAT = 1;
const KEYS_MAX = 1000;
const hsmKeyFile: OwnFile = {
  name: 'file of HSM keys',
  flag: '--hsm-keys',
  bytesMax: 1 << 20,
  missing: ['is missing', 'name its place with --hsm-keys'],
};

/**
 * Reads the file.
 * @throws HoldfastError `key_file_unreadable`: missing, usable by others than its owner, malformed, a key that is none
 */
export function loadHsmKeys(path: string): SoftKeys {
  const keys = new SoftKeys();
  try {
    readHsmKeyEntries(path, (entry, index) => {
      const verdict = takeKey(keys, entry);
      if (verdict === undefined) throw malformedHsmKeys(path, `keys[${index}] is neither a key nor a key block`);
      if (verdict.outcome === 'ok') return;
      throw malformedHsmKeys(path, `keys[${index}]: ${verdict.outcome === 'failed' ? verdict.detail : 'is none'}`);
    });
    return keys;
  } catch (error) {
    keys.clear();
    throw error;
  }
}

/**
 * Reads a file of keys, of whichever adapter, and hands over its entries one by one.
 * @throws HoldfastError `key_file_unreadable`, and what `take` throws
 */
export function readHsmKeyEntries(path: string, take: (entry: Record<string, unknown>, index: number) => void): void {
  const bytes = readOwnFile(hsmKeyFile, path);
  try {
    entriesOf(path, bytes).forEach(take);
  } finally {
    bytes.fill(0);
  }
}

function entriesOf(path: string, bytes: Buffer): Record<string, unknown>[] {
  let document: { format?: unknown; keys?: unknown } | null;
  try {
    document = JSON.parse(bytes.toString('utf8')) as typeof document;
  } catch {
    // The error of the parser quotes the text.
    throw malformedHsmKeys(path, 'it is no JSON');
  }
  if (typeof document !== 'object' || document?.format !== FORMAT)
    throw malformedHsmKeys(path, `format is not ${FORMAT}`);
  const { keys } = document;
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > KEYS_MAX)
    throw malformedHsmKeys(path, `keys is no list of 1 to ${KEYS_MAX}`);
  if (keys.some((entry) => typeof entry !== 'object' || entry === null))
    throw malformedHsmKeys(path, 'keys has no objects');
  return keys as Record<string, unknown>[];
}

/** Undefined when the entry has not the members of either kind. */
function takeKey(keys: SoftKeys, entry: Record<string, unknown>): HsmVerdict | undefined {
  const { id, usage, algorithm, mode, exportability, kcv, key, protection, block } = entry;
  if (typeof id !== 'string') return undefined;
  if (typeof protection === 'string' && typeof block === 'string') return keys.open(protection, block, id);
  if (typeof usage !== 'string' || typeof mode !== 'string' || typeof key !== 'string') return undefined;
  if (algorithm !== 'T' && algorithm !== 'A') return undefined;
  if (kcv !== undefined && typeof kcv !== 'string') return undefined;
  if (exportability !== undefined && typeof exportability !== 'string') return undefined;
  if (!/^([0-9A-Fa-f]{2})+$/.test(key)) return undefined;
  const clear = Buffer.from(key, 'hex');
  const purpose = {
    usage,
    algorithm: algorithm as 'T' | 'A',
    mode,
    ...(kcv === undefined ? {} : { kcv }),
    ...(exportability === undefined ? {} : { exportability }),
  };
  const verdict = keys.add(id, purpose, clear);
  clear.fill(0);
  return verdict;
}

export const malformedHsmKeys = (path: string, what: string): HoldfastError =>
  unreadableFile(hsmKeyFile, path, `is malformed: ${what}`, 'see docs/guides/card-cryptography.md');
