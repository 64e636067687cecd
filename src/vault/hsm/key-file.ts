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
  const bytes = readOwnFile(hsmKeyFile, path);
  try {
    takeIn(path, keys, bytes);
    return keys;
  } catch (error) {
    keys.clear();
    throw error;
  } finally {
    bytes.fill(0);
  }
}

function takeIn(path: string, keys: SoftKeys, bytes: Buffer): void {
  const entries = entriesOf(path, bytes);
  entries.forEach((entry, index) => {
    const verdict = takeKey(keys, entry);
    if (verdict === undefined) throw malformed(path, `keys[${index}] is neither a key nor a key block`);
    if (verdict.outcome === 'ok') return;
    throw malformed(path, `keys[${index}]: ${verdict.outcome === 'failed' ? verdict.detail : 'is none'}`);
  });
}

function entriesOf(path: string, bytes: Buffer): Record<string, unknown>[] {
  let document: { format?: unknown; keys?: unknown } | null;
  try {
    document = JSON.parse(bytes.toString('utf8')) as typeof document;
  } catch {
    // The error of the parser quotes the text.
    throw malformed(path, 'it is no JSON');
  }
  if (typeof document !== 'object' || document?.format !== FORMAT) throw malformed(path, `format is not ${FORMAT}`);
  const { keys } = document;
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > KEYS_MAX)
    throw malformed(path, `keys is no list of 1 to ${KEYS_MAX}`);
  if (keys.some((entry) => typeof entry !== 'object' || entry === null)) throw malformed(path, 'keys has no objects');
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

const malformed = (path: string, what: string): HoldfastError =>
  unreadableFile(hsmKeyFile, path, `is malformed: ${what}`, 'see docs/guides/card-cryptography.md');
