/** Where the key-encrypting key comes from: a file of another user, or the environment; never an argument. */
import { statSync } from 'node:fs';
import { HoldfastError } from '../errors.js';
import { type Kek, kekOfText, readKekFile } from '../vault/kek.js';
import { openSealedKek, readSealedKek } from '../vault/sealed-kek.js';
import type { HsmDevices } from './hsm-addresses.js';
import { askDevices } from './hsm-devices.js';

export const KEK_VARIABLE = 'HOLDFAST_KEK';
/** Of `keys rewrap`: the key that takes the place of the one in `HOLDFAST_KEK`. */
export const NEW_KEK_VARIABLE = 'HOLDFAST_NEW_KEK';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The key that was named, or undefined when none was.
 * @param keyFile its owner must not own the file of the key-encrypting key
 * @throws HoldfastError `kek_unusable`, also when it is named twice
 */
export function kekOf(
  path: string | undefined,
  keyFile: string,
  environment: Environment,
  variable: string = KEK_VARIABLE,
  flag = '--kek-file',
): Kek | undefined {
  const text = environment[variable] ?? '';
  if (text !== '' && path !== undefined)
    throw new HoldfastError(
      'kek_unusable',
      `the key-encrypting key is named twice: ${path} and ${variable}`,
      `leave out ${flag}, or the variable`,
    );
  if (path !== undefined && readSealedKek(path) !== undefined)
    throw new HoldfastError(
      'kek_unusable',
      `the key-encrypting key in ${path} is sealed by a device, which only a server with --hsm opens`,
      `hand the key itself over in ${variable}, or make it of its components once more`,
    );
  if (path !== undefined) return readKekFile(path, ownerOf(keyFile));
  return text === '' ? undefined : kekOfText(text, variable);
}

/**
 * The same for a server, which has a key that is sealed by a device opened there.
 * @throws HoldfastError `kek_unusable`, also when there are no devices, or none that opens it
 */
export async function kekOfServer(
  path: string | undefined,
  keyFile: string,
  environment: Environment,
  devices: HsmDevices | undefined,
): Promise<Kek | undefined> {
  const sealed = path === undefined || (environment[KEK_VARIABLE] ?? '') !== '' ? undefined : readSealedKek(path);
  if (path === undefined || sealed === undefined) return kekOf(path, keyFile, environment);
  if (devices === undefined)
    throw new HoldfastError(
      'kek_unusable',
      `the key-encrypting key in ${path} is sealed by a device, and no device is named`,
      'name the devices with --hsm and their keys with --hsm-keys',
    );
  return askDevices(devices, (hsm) => openSealedKek(path, sealed, hsm));
}

/** The user who owns the key file, or would when this process makes it. */
function ownerOf(keyFile: string): number {
  return statSync(keyFile, { throwIfNoEntry: false })?.uid ?? process.geteuid!();
}

/** Where the key file of a data directory lies when nothing else is said. */
export function keyFileOf(dataDir: string): string {
  return `${dataDir.replace(/(?<=.)\/+$/, '')}.keys`;
}
