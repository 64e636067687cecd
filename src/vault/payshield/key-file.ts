/**
 * The keys of devices: the file that `--hsm-keys` names when `--hsm` names devices.
 *
 *   { "format": 1, "keys": [
 *       { "id": "cvk-1", "usage": "C0", "algorithm": "T", "mode": "V", "bits": 128, "kcv": "<hex>", "wrapped": "S1..." } ] }
 *
 * `wrapped` is the key block under the device's master key, as the device made it. What a key is for is written beside it, because
 * only the device can read the block.
 */
import type { HoldfastError } from '../../errors.js';
import { malformedHsmKeys, readHsmKeyEntries } from '../hsm/key-file.js';
import type { DeviceKey } from './device-keys.js';
import { DeviceKeys } from './device-keys.js';

/**
 * Reads the file.
 * @throws HoldfastError `key_file_unreadable`: missing, usable by others than its owner, malformed, a key that is none
 */
export function loadDeviceKeys(path: string): DeviceKeys {
  const keys = new DeviceKeys();
  readHsmKeyEntries(path, (entry, index) => {
    const verdict = keys.add(keyOf(path, entry, index));
    if (verdict.outcome !== 'ok')
      throw malformed(path, index, verdict.outcome === 'failed' ? verdict.detail : 'is none');
  });
  return keys;
}

function keyOf(path: string, entry: Record<string, unknown>, index: number): DeviceKey {
  const text = (name: string, pattern: RegExp): string => {
    const value = entry[name];
    if (typeof value !== 'string' || !pattern.test(value))
      throw malformed(path, index, `${name} is missing or is none`);
    return value;
  };
  const { bits, exportability } = entry;
  if (typeof bits !== 'number' || !Number.isInteger(bits) || bits < 112 || bits > 256)
    throw malformed(path, index, 'bits is no number from 112 to 256');
  if (exportability !== undefined && exportability !== 'N' && exportability !== 'S' && exportability !== 'E')
    throw malformed(path, index, 'exportability is not E, N or S');
  return {
    id: text('id', /^.{1,200}$/),
    usage: text('usage', /^[0-9A-Z]{2}$/),
    algorithm: text('algorithm', /^[TA]$/) as 'T' | 'A',
    mode: text('mode', /^[A-Z]$/),
    kcv: text('kcv', /^([0-9A-F]{2})+$/),
    wrapped: text('wrapped', /^[0-9A-Z]+$/),
    bits,
    exportability: exportability ?? 'N',
  };
}

const malformed = (path: string, index: number, what: string): HoldfastError =>
  malformedHsmKeys(path, `keys[${index}]: ${what}`);
