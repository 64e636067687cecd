/**
 * Cryptograms between a chip card and its issuer: the card's (ARQC, TC, AAC are one calculation), the issuer's answer (ARPC,
 * EMV Book 2, 8.2) and the MAC of scripts.
 */
import type { TdesKey } from './block-key.js';
import { wipe, xorInto } from './bytes.js';
import { type MacPadding, retailMac } from './mac.js';

/** The card's cryptogram over its data, 8 bytes. */
export const applicationCryptogram = (key: TdesKey, data: Uint8Array, padding: MacPadding): Buffer =>
  retailMac(key, data, padding);

/** ARPC by method 1: TDES of the ARQC with the response code (2 bytes) XORed into its beginning; 8 bytes. */
export function arpcMethod1(key: TdesKey, arqc: Uint8Array, responseCode: Uint8Array): Buffer {
  const input = Buffer.from(arqc);
  xorInto(input, responseCode);
  return key.encrypt(input);
}

/** ARPC by method 2: 4 bytes of the MAC over ARQC, card status update (4 bytes) and 0 to 8 bytes of the issuer's. */
export function arpcMethod2(key: TdesKey, arqc: Uint8Array, status: Uint8Array, proprietary: Uint8Array): Buffer {
  const mac = retailMac(key, Buffer.concat([arqc, status, proprietary]), 2);
  const arpc = Buffer.from(mac.subarray(0, 4));
  wipe(mac);
  return arpc;
}

/** MAC of a script command, 8 bytes: over its header, ATC, ARQC and its (enciphered) data. */
export const scriptMac = (
  key: TdesKey,
  header: Uint8Array,
  atc: Uint8Array,
  arqc: Uint8Array,
  data: Uint8Array,
): Buffer => retailMac(key, Buffer.concat([header, atc, arqc, data]), 2);
