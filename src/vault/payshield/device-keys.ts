/**
 * Keys of a device: enciphered under its local master key, kept by us under handles and sent along with each command. What a key is
 * for is checked here, too, before the device is asked: its answer would only be an error code.
 *
 * Keys are key blocks (scheme S of the device). Keys in the older variant form (U, T) bind no usage to the key, which PCI PIN 18-3
 * has outlawed; they are taken only where a migration says so.
 */
import { type KeyInfo, type KeyRole, roleFault } from '../hsm/key-policy.js';
import { failed, type HsmVerdict, type KeyHandle } from '../hsm/port.js';

export interface DeviceKey extends KeyInfo {
  /** The key as the device knows it: its scheme and the enciphered key. */
  readonly wrapped: string;
}

/** Longest key block that a command carries. */
const WRAPPED_CHARS_MAX = 1024;

export class DeviceKeys {
  readonly #keys = new Map<KeyHandle, DeviceKey>();
  readonly #allowVariants: boolean;

  /** @param allowVariants takes keys of schemes U and T: for a migration to key blocks */
  constructor({ allowVariants = false }: { readonly allowVariants?: boolean } = {}) {
    this.#allowVariants = allowVariants;
  }

  add(key: DeviceKey): HsmVerdict {
    if (this.#keys.has(key.id)) return failed('not_allowed', `there is a key ${key.id}: keys are not replaced`);
    const scheme = key.wrapped[0] ?? '';
    const variant = 'UT'.includes(scheme) && /^.([0-9A-F]{32}|[0-9A-F]{48})$/.test(key.wrapped);
    const block = scheme === 'S' && /^S.[0-9]{4}[0-9A-Z]/.test(key.wrapped) && key.wrapped.length <= WRAPPED_CHARS_MAX;
    if (!variant && !block) return failed('bad_request', `key ${key.id} is no key block of a device`);
    if (variant && !this.#allowVariants)
      return failed('not_allowed', `key ${key.id} is no key block: variant keys are for migrations only`);
    this.#keys.set(key.id, key);
    return { outcome: 'ok', key: infoOf(key) };
  }

  /** The key when it may play the role, else the verdict that says why not. */
  find(id: KeyHandle, role: KeyRole): DeviceKey | HsmVerdict {
    const key = this.#keys.get(id);
    if (key === undefined) return failed('key_not_usable', `there is no key ${id}`);
    const fault = roleFault(key, role);
    return fault === undefined ? key : failed('key_not_usable', fault);
  }

  /** All keys without their key blocks. */
  get infos(): readonly KeyInfo[] {
    return Array.from(this.#keys.values(), infoOf);
  }

  describe(id: KeyHandle): HsmVerdict {
    const key = this.#keys.get(id);
    if (key === undefined) return failed('key_not_usable', `there is no key ${id}`);
    return { outcome: 'ok', key: infoOf(key) };
  }
}

function infoOf({ wrapped: _wrapped, ...info }: DeviceKey): KeyInfo {
  return info;
}

/** Whether a key was found. */
export const isDeviceKey = (found: DeviceKey | HsmVerdict): found is DeviceKey => !('outcome' in found);
