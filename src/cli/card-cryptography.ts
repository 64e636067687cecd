/** The card cryptography of a start, from one reading of the file of keys: what programs may name, and who computes. */
import type { Log } from '../log.js';
import type { SoftHsmTask } from '../shard/shard-thread.js';
import { loadHsmKeys } from '../vault/hsm/key-file.js';
import type { KeyInfo } from '../vault/hsm/key-policy.js';
import { SoftHsm } from '../vault/hsm/soft-hsm.js';
import { loadDeviceKeys } from '../vault/payshield/key-file.js';
import type { PayShieldHsm } from '../vault/payshield/payshield-hsm.js';
import type { EngineConfig } from './engine-types.js';
import { connectDevices } from './hsm-devices.js';

export interface CardCryptography {
  /** What programs may name. */
  readonly infos: readonly KeyInfo[];
  readonly devices: PayShieldHsm | undefined;
  /** For the shard threads, each of which makes the software adapter for itself. */
  readonly softHsm: SoftHsmTask | undefined;
  /** For links whose messages carry MACs, in this thread. A device is asked over a network, and messages do not wait for that. */
  readonly macs: SoftHsm | undefined;
}

type Config = Pick<EngineConfig, 'hsmKeys' | 'hsmDevices' | 'allowSoftwarePin' | 'links'>;

/**
 * Begins to connect to the devices where there are some; else the software adapter says what it is.
 * @throws HoldfastError `key_file_unreadable`, and as `connectDevices`
 */
export function openCardCryptography(
  { hsmKeys, hsmDevices, allowSoftwarePin, links }: Config,
  log: Log,
): CardCryptography {
  if (hsmDevices !== undefined) {
    const keys = loadDeviceKeys(hsmDevices.keyFile);
    return { infos: keys.infos, devices: connectDevices(hsmDevices, keys, log), softHsm: undefined, macs: undefined };
  }
  if (hsmKeys === undefined) return { infos: [], devices: undefined, softHsm: undefined, macs: undefined };
  const keys = loadHsmKeys(hsmKeys);
  const { infos } = keys;
  new SoftHsm(keys, { allowSoftwarePin, say: (line) => log.warn(line) });
  const wantsMacs = links.some(({ mac }) => mac !== undefined);
  if (!wantsMacs) keys.clear();
  // Never with PINs: MACs are all that it is for.
  const macs = wantsMacs ? new SoftHsm(keys, { say: () => undefined }) : undefined;
  const softHsm = { keyFile: hsmKeys, allowSoftwarePin };
  return { infos, devices: undefined, softHsm, macs };
}
