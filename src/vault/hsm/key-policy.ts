/**
 * One purpose per key (PCI PIN 19, PCI DSS 3.7): every operation names the usages, the cipher and the modes of use that its key
 * must have, and no adapter asks a key for anything else. Usages and modes are those of key blocks (X9.143, 6).
 */
import type { KeyHandle } from './port.js';

export type KeyAlgorithm = 'T' | 'A';

/** What is known of a key, none of it secret. */
export interface KeyInfo {
  readonly id: KeyHandle;
  /** C0 card verification, V2 PVV, V1 IBM 3624, P0 PIN encipherment, E0 / E1 / E2 / E4 issuer master keys, B0 base derivation, D0 data, ... */
  readonly usage: string;
  readonly algorithm: KeyAlgorithm;
  readonly mode: string;
  readonly exportability: string;
  readonly bits: number;
  /** Key check value, upper-case hexadecimal: 3 bytes of a TDES key, 5 of an AES key. */
  readonly kcv: string;
}

interface Role {
  readonly usages: readonly string[];
  readonly algorithms: readonly KeyAlgorithm[];
  readonly modes: string;
}

const tdes = ['T'] as const;
const aes = ['A'] as const;
const both = ['T', 'A'] as const;

/** N means "no special restrictions" in a key block; X derives keys. */
export const keyRoles = {
  verify_cvv: { usages: ['C0'], algorithms: tdes, modes: 'CVN' },
  generate_cvv: { usages: ['C0'], algorithms: tdes, modes: 'CGN' },
  /** Contactless stripe values: the issuer's key for cryptograms or that for dynamic numbers. */
  verify_dcvv: { usages: ['E0', 'E4'], algorithms: tdes, modes: 'XN' },
  verify_cvc3: { usages: ['E4'], algorithms: tdes, modes: 'XN' },
  verify_pvv: { usages: ['V2'], algorithms: tdes, modes: 'CVN' },
  generate_pvv: { usages: ['V2'], algorithms: tdes, modes: 'CGN' },
  verify_ibm3624: { usages: ['V1'], algorithms: tdes, modes: 'CVN' },
  generate_ibm3624: { usages: ['V1'], algorithms: tdes, modes: 'CGN' },
  decipher_pin: { usages: ['P0'], algorithms: both, modes: 'DBN' },
  encipher_pin: { usages: ['P0'], algorithms: both, modes: 'EBN' },
  derive_dukpt: { usages: ['B0'], algorithms: both, modes: 'XN' },
  cryptogram: { usages: ['E0'], algorithms: tdes, modes: 'XN' },
  script_confidentiality: { usages: ['E1'], algorithms: tdes, modes: 'XN' },
  script_integrity: { usages: ['E2'], algorithms: tdes, modes: 'XN' },
  generate_retail_mac: { usages: ['M3'], algorithms: tdes, modes: 'CGN' },
  verify_retail_mac: { usages: ['M3'], algorithms: tdes, modes: 'CVN' },
  generate_cbc_mac: { usages: ['M1'], algorithms: both, modes: 'CGN' },
  verify_cbc_mac: { usages: ['M1'], algorithms: both, modes: 'CVN' },
  generate_cmac_mac: { usages: ['M6'], algorithms: both, modes: 'CGN' },
  verify_cmac_mac: { usages: ['M6'], algorithms: both, modes: 'CVN' },
  encipher_kek: { usages: ['D0'], algorithms: aes, modes: 'EBN' },
  decipher_kek: { usages: ['D0'], algorithms: aes, modes: 'DBN' },
  unwrap_key: { usages: ['K0', 'K1'], algorithms: both, modes: 'DBN' },
  wrap_key: { usages: ['K0', 'K1'], algorithms: aes, modes: 'EBN' },
} as const satisfies Record<string, Role>;
export type KeyRole = keyof typeof keyRoles;

const knownUsages: ReadonlySet<string> = new Set(Object.values(keyRoles).flatMap((role) => role.usages));
/** The algorithms of all other usages are defined over two halves. */
const tripleUsages: ReadonlySet<string> = new Set(['K0', 'K1', 'P0', 'M1', 'M6']);
const knownModes = 'BCDEGVXN';
const knownExportabilities = 'ENS';

/** Why a key cannot play a role, or undefined when it can. Names the key and its usage: neither is secret. */
export function roleFault(info: KeyInfo, role: KeyRole): string | undefined {
  const { usages, algorithms, modes }: Role = keyRoles[role];
  if (!usages.includes(info.usage)) return `key ${info.id} of usage ${info.usage} is none for ${role}`;
  if (!algorithms.includes(info.algorithm)) return `key ${info.id} of algorithm ${info.algorithm} is none for ${role}`;
  if (!modes.includes(info.mode)) return `key ${info.id} of mode ${info.mode} is none for ${role}`;
  return undefined;
}

/**
 * Why a key must not be taken in, or undefined. Single DES, also in the clothes of a longer key (equal halves), is refused for
 * every usage, not only for PINs (PCI PIN 2-3).
 */
export function materialFault(
  info: Pick<KeyInfo, 'usage' | 'mode' | 'exportability'> & { readonly algorithm: string },
  bytes: Uint8Array,
): string | undefined {
  if (!knownUsages.has(info.usage)) return `no operation has keys of usage ${info.usage}`;
  if (info.mode.length !== 1 || !knownModes.includes(info.mode)) return 'mode of use is unknown';
  if (info.exportability.length !== 1 || !knownExportabilities.includes(info.exportability))
    return 'exportability is unknown';
  if (info.algorithm === 'A')
    return [16, 24, 32].includes(bytes.length) ? undefined : 'an AES key has 16, 24 or 32 bytes';
  if (info.algorithm !== 'T') return 'algorithm is neither TDES nor AES';
  if (bytes.length === 24 && !tripleUsages.has(info.usage)) return 'a TDES key of this usage has 16 bytes';
  if (bytes.length !== 16 && bytes.length !== 24) return 'a TDES key has 16 or 24 bytes: single DES is refused';
  return isSingleDes(bytes) ? 'the parts of the key are equal: single DES is refused' : undefined;
}

/** Two neighbouring parts that are the same key, parity bits aside, cancel each other out. */
function isSingleDes(bytes: Uint8Array): boolean {
  for (let part = 8; part < bytes.length; part += 8) {
    let difference = 0;
    for (let i = 0; i < 8; i++) difference |= (bytes[part - 8 + i]! ^ bytes[part + i]!) & 0xfe;
    if (difference === 0) return true;
  }
  return false;
}
