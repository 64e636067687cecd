/** The devices of card cryptography that `--hsm` names: their connections and who asks them. */
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { monotonicUs } from '../clock.js';
import { HoldfastError } from '../errors.js';
import { HSM_CONNECT_MS } from '../limits.js';
import type { Log } from '../log.js';
import type { ClientRings } from '../ring/client.js';
import { RingClient } from '../ring/client.js';
import { DeviceDesk } from '../shard/device-desk.js';
import type { DeviceKeys } from '../vault/payshield/device-keys.js';
import { loadDeviceKeys } from '../vault/payshield/key-file.js';
import { PayShieldHsm } from '../vault/payshield/payshield-hsm.js';
import type { HsmDevices, HsmTls } from './hsm-addresses.js';

/**
 * Begins to connect to the devices. It does not wait for them: messages that need one are answered 91 until it is there.
 * @param keys of the file that the devices' keys are in
 * @throws HoldfastError `config_invalid` for a certificate that cannot be read
 */
export function connectDevices(devices: HsmDevices, keys: DeviceKeys, log: Log): PayShieldHsm {
  const { addresses, tls } = devices;
  if (tls === undefined && addresses.some(({ host }) => !isThisMachine(host)))
    log.warn('HSM: the way to the devices is not encrypted (no hsm-ca-file): PIN blocks and card numbers go over it');
  return adapterOf(devices, keys, (line) => log.warn(line));
}

/**
 * Asks the devices once, when one is there; lines about them are not told.
 * @throws HoldfastError `key_file_unreadable`, and as `connectDevices`
 */
export async function askDevices<T>(devices: HsmDevices, ask: (hsm: PayShieldHsm) => Promise<T>): Promise<T> {
  const hsm = adapterOf(devices, loadDeviceKeys(devices.keyFile), () => undefined);
  try {
    // Any of them will do: the port asks one that is up.
    const until = monotonicUs() + HSM_CONNECT_MS * 1000;
    while (hsm.stats.every(({ connectionsUp }) => connectionsUp === 0) && monotonicUs() < until)
      await new Promise((resolve) => setTimeout(resolve, 5));
    return await ask(hsm);
  } finally {
    await hsm.close();
  }
}

function adapterOf({ addresses, tls }: HsmDevices, keys: DeviceKeys, say: (line: string) => void): PayShieldHsm {
  const secured = tls === undefined ? {} : { tls: tlsOf(tls) };
  const devices = addresses.map(({ host, port }) => ({ name: `${host}:${port}`, host, port, ...secured }));
  return new PayShieldHsm({ devices, keys, say });
}

export const openDesk = (rings: ClientRings, hsm: PayShieldHsm): DeviceDesk =>
  new DeviceDesk(new RingClient(rings), hsm, monotonicUs);

const isThisMachine = (host: string): boolean => /^(localhost|127\.|::1$)/.test(host);

/** @throws HoldfastError `config_invalid` for a file that cannot be read */
export function tlsOf({ caFile, certFile, keyFile }: HsmTls): ConnectionOptions {
  const read = (path: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new HoldfastError('config_invalid', `HSM: ${path} cannot be read: ${code}`, 'name a PEM file', {
        cause: error,
      });
    }
  };
  const own = certFile === undefined || keyFile === undefined ? {} : { cert: read(certFile), key: read(keyFile) };
  return { ca: read(caFile), ...own };
}
