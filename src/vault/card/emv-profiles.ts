/**
 * Cryptogram versions as data: which keys, which input, which padding, which answer. The version is a byte of the issuer
 * application data (tag 9F10) that the card sends; which network's table it is read by is known from the card product.
 *
 * The common part of the input is 9F02 9F03 9F1A 95 5F2A 9A 9C 9F37 82 9F36; Visa's version 17 (contactless) signs 9F02 9F37
 * 9F36 alone. A part of the application data, or all of it, follows.
 */
import type { MasterKeyOption } from './emv-keys.js';
import type { MacPadding } from './mac.js';

export interface CryptogramProfile {
  readonly masterKey: MasterKeyOption;
  /** Key of the card's cryptogram: its master key, the common session key, or M/Chip's with the unpredictable number. */
  readonly session: 'none' | 'common' | 'mchip';
  readonly padding: MacPadding;
  /** Tags of the input before the issuer application data. */
  readonly tags: readonly EmvTag[];
  /** Parts of the issuer application data that end the input, each its first byte and its length; all of it without. */
  readonly tail?: readonly (readonly [start: number, length: number])[];
  /** 1: ARPC over a response code; 2: over a card status update. */
  readonly arpc: 1 | 2;
  readonly arpcKey: 'master' | 'session';
  /** Keys of scripts: Visa's from the ATC, or the common session key of the ARQC. */
  readonly scripts: 'visa' | 'common';
  /** PIN block and encipherment of a PIN change script. */
  readonly pinChange: 'visa' | 'mchip';
}

/** Data elements that a card signs, with their bytes. */
const tagBytes = {
  '9F02': 6,
  '9F03': 6,
  '9F1A': 2,
  '95': 5,
  '5F2A': 2,
  '9A': 3,
  '9C': 1,
  '9F37': 4,
  '82': 2,
  '9F36': 2,
} as const;
export type EmvTag = keyof typeof tagBytes;

const common: readonly EmvTag[] = ['9F02', '9F03', '9F1A', '95', '5F2A', '9A', '9C', '9F37', '82', '9F36'];
const contactless: readonly EmvTag[] = ['9F02', '9F37', '9F36'];

const visa = { scripts: 'visa', pinChange: 'visa', tags: common } as const;
const visaMaster = { ...visa, masterKey: 'A', session: 'none', padding: 1, arpc: 1, arpcKey: 'master' } as const;
const visaSession = { ...visa, masterKey: 'B', session: 'common', padding: 2, arpc: 2, arpcKey: 'session' } as const;
const mchip = { masterKey: 'A', padding: 2, arpc: 1, scripts: 'common', pinChange: 'mchip', tags: common } as const;
const mchipSkd = { ...mchip, session: 'mchip', arpcKey: 'master' } as const;
const mchipCsk = { ...mchip, session: 'common', arpcKey: 'session' } as const;
/** Bytes of M/Chip's application data: key index 1, version 1, card verification results 6, dynamic number 2, counters 8. */
const mchipResults = [2, 6] as const;
const mchipCounters = [10, 8] as const;

export const cryptogramProfiles = {
  visa_cvn10: { ...visaMaster, tail: [[3, 4]] },
  visa_cvn17: { ...visaMaster, tags: contactless, tail: [[4, 1]] },
  visa_cvn18: visaSession,
  visa_cvn22: { ...visaSession, scripts: 'common' },
  mchip_cvn16: { ...mchipSkd, tail: [mchipResults] },
  mchip_cvn17: { ...mchipSkd, tail: [mchipResults, mchipCounters] },
  mchip_cvn20: { ...mchipCsk, tail: [mchipResults] },
  mchip_cvn21: { ...mchipCsk, tail: [mchipResults, mchipCounters] },
} as const satisfies Record<string, CryptogramProfile>;

export type CryptogramVersion = keyof typeof cryptogramProfiles;
export const cryptogramVersions = Object.keys(cryptogramProfiles) as CryptogramVersion[];

/** The profile as the interface sees it. */
export const profileOf = (version: CryptogramVersion): CryptogramProfile => cryptogramProfiles[version];

/** Issuer application data is at most 32 bytes (EMV Book 3). */
const APPLICATION_DATA_BYTES_MAX = 32;
/** Length byte of Visa's second format, whose version is the byte behind it. */
const VISA_FORMAT_2 = 0x1f;

const visaVersions: Readonly<Record<number, CryptogramVersion>> = {
  10: 'visa_cvn10',
  17: 'visa_cvn17',
  18: 'visa_cvn18',
  34: 'visa_cvn22',
};
const mchipVersions: Readonly<Record<number, CryptogramVersion>> = {
  16: 'mchip_cvn16',
  17: 'mchip_cvn17',
  20: 'mchip_cvn20',
  21: 'mchip_cvn21',
};

/**
 * The version that a card names in tag 9F10, or undefined when the table has none for it.
 * Visa writes length, key index, version; in its second format (length 1F) length, version, key index, with version 22 as
 * hexadecimal 22. M/Chip writes key index, version.
 */
export function versionOf(scheme: 'visa' | 'mchip', applicationData: Uint8Array): CryptogramVersion | undefined {
  if (scheme === 'mchip') return mchipVersions[applicationData[1] ?? 0];
  return visaVersions[applicationData[applicationData[0] === VISA_FORMAT_2 ? 1 : 2] ?? 0];
}

/**
 * What the card signed: the profile's tags and its part of the application data, not padded. Undefined when an element is
 * missing or has another length.
 */
export function cryptogramInput(
  version: CryptogramVersion,
  tags: Readonly<Partial<Record<EmvTag, Uint8Array>>>,
  applicationData: Uint8Array,
): Buffer | undefined {
  const profile = profileOf(version);
  const parts: Uint8Array[] = [];
  for (const tag of profile.tags) {
    const value = tags[tag];
    if (value?.length !== tagBytes[tag]) return undefined;
    parts.push(value);
  }
  if (applicationData.length > APPLICATION_DATA_BYTES_MAX) return undefined;
  for (const [start, length] of profile.tail ?? [[0, applicationData.length]]) {
    if (applicationData.length < start + length) return undefined;
    parts.push(applicationData.subarray(start, start + length));
  }
  return Buffer.concat(parts);
}
