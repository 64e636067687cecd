/** Where the key-encrypting key comes from: a file of another user, one that a device has sealed, or the environment; never an argument. */
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

/** Where a key-encrypting key is looked for. */
export interface KekSource {
  /** Its file: the key itself, or one that is sealed by a device; undefined when none is named. */
  readonly path: string | undefined;
  /** Whose owner must not own a file with the key itself. */
  readonly keyFile: string;
  readonly environment: Environment;
  /** Variable and flag of this key; of the present one unless said otherwise. */
  readonly variable?: string;
  readonly flag?: string;
  /** What opens a sealed one. */
  readonly devices: HsmDevices | undefined;
}

/**
 * The key that was named, or undefined when none was. Whoever opens a key file, a server or a command, comes by it here.
 * @throws HoldfastError `kek_unusable`, also when it is named twice, and when it is sealed and no device is named or opens it
 */
export async function kekOf(source: KekSource): Promise<Kek | undefined> {
  const { path, keyFile, environment, devices, variable = KEK_VARIABLE, flag = '--kek-file' } = source;
  const text = environment[variable] ?? '';
  if (text !== '' && path !== undefined)
    throw new HoldfastError(
      'kek_unusable',
      `the key-encrypting key is named twice: ${path} and ${variable}`,
      `leave out ${flag}, or the variable`,
    );
  if (path === undefined) return text === '' ? undefined : kekOfText(text, variable);
  const sealed = readSealedKek(path);
  if (sealed === undefined) return readKekFile(path, ownerOf(keyFile));
  if (devices === undefined)
    throw new HoldfastError(
      'kek_unusable',
      `the key-encrypting key in ${path} is sealed by a device, and no device is named`,
      'name the devices with --hsm and their keys with --hsm-keys, as for the server',
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
