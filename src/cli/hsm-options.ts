/** Flags of commands that ask devices of card cryptography, by the names of the settings of `serve`. */
import type { Command } from 'commander';
import { loadConfig } from './config.js';
import type { HsmDevices } from './hsm-addresses.js';
import { KEK_VARIABLE } from './kek-source.js';

export function hsmOptions(command: Command): Command {
  return command
    .option('--hsm <addresses>', 'devices of card cryptography, host:port,...')
    .option('--hsm-keys <path>', 'keys of the devices')
    .option('--hsm-ca-file <path>', 'authorities of certificates of the devices (PEM): TLS')
    .option('--hsm-cert-file <path>', 'certificate that is shown to the devices (PEM)')
    .option('--hsm-key-file <path>', 'private key of hsm-cert-file (PEM)');
}

/** Flags of a command that opens a key file: where the key-encrypting key is, and the devices that open one that is sealed. */
export function kekOptions(command: Command): Command {
  return hsmOptions(
    command.option(
      '--kek-file <path>',
      `file of the key-encrypting key, the key or sealed by devices; ${KEK_VARIABLE} has the key itself`,
    ),
  );
}

/** The devices that are named. @throws HoldfastError `config_invalid` */
export function hsmDevicesIn(options: Readonly<Record<string, unknown>>): HsmDevices | undefined {
  const names = { hsm: 'hsm', hsmKeys: 'hsm-keys', hsmCaFile: 'hsm-ca-file', hsmCertFile: 'hsm-cert-file' };
  const given = Object.entries({ ...names, hsmKeyFile: 'hsm-key-file' }).flatMap(([option, name]) =>
    typeof options[option] === 'string' ? [[name, options[option]] as const] : [],
  );
  return loadConfig({ flags: Object.fromEntries(given), environment: {}, terminal: false }).config.hsmDevices;
}
