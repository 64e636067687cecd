/**
 * Card verification values. One algorithm, told apart by the service code: CVV / CVC on the stripe (the card's own code), CVV2 /
 * CVC2 printed on the card (000), iCVV in the chip's track data (999). dCVV and CVC3 are its contactless kin: they depend on the
 * card's transaction counter.
 */
import type { TdesKey } from './block-key.js';
import { decimalise, digitsOf, outsideHeap, packDigits, putNibble, wipe, xorInto } from './bytes.js';
import { pad, retailMac } from './mac.js';

/** Digits of a CVV. */
export const CVV_DIGITS = 3;
/** PAN 19, expiry 4 and service code 3 in 32 nibbles. */
const INPUT_BYTES = 16;
/** Scratch memory, zero between calls: making a buffer costs a fifth of a CVV. */
const input = outsideHeap(INPUT_BYTES);
const firstHalf = input.subarray(0, 8);
const secondHalf = input.subarray(8);

/**
 * CVV of `pan` (12 to 19 ASCII digits), `expiry` (4 digits in the issuer's order: on the stripe YYMM) and `serviceCode`
 * (3 digits): 3 ASCII digits.
 */
export function cvv(key: TdesKey, pan: Uint8Array, expiry: string, serviceCode: string): Buffer {
  let at = packDigits(pan, 0, pan.length, input, 0);
  for (let i = 0; i < expiry.length; i++) putNibble(input, at++, expiry.charCodeAt(i) & 15);
  for (let i = 0; i < serviceCode.length; i++) putNibble(input, at++, serviceCode.charCodeAt(i) & 15);
  return finish(key);
}

function finish(key: TdesKey): Buffer {
  const chained = key.left.encrypt(firstHalf);
  xorInto(chained, secondHalf);
  const block = key.encrypt(chained);
  const digits = decimalise(block, CVV_DIGITS);
  wipe(input, chained, block);
  return digits;
}

/**
 * dCVV of a contactless stripe transaction: the four nibbles of `atc` (2 bytes) take the place of the first four digits of the
 * PAN, and the key is the card's own, derived from the issuer's key for cryptograms.
 */
export function dynamicCvv(
  cardKey: TdesKey,
  pan: Uint8Array,
  expiry: string,
  serviceCode: string,
  atc: Uint8Array,
): Buffer {
  input.set(atc);
  let at = packDigits(pan, 4, pan.length - 4, input, 4);
  for (const text of [expiry, serviceCode])
    for (let i = 0; i < text.length; i++) putNibble(input, at++, text.charCodeAt(i) & 15);
  return finish(cardKey);
}

/** IVCVC3: the last two bytes of the retail MAC over the card's static track data. */
export function staticTrackIv(cardKey: TdesKey, track: Uint8Array): Buffer {
  const mac = retailMac(cardKey, track, 2);
  const iv = Buffer.from(mac.subarray(6));
  wipe(mac);
  return iv;
}

/**
 * CVC3 of a contactless stripe transaction: five ASCII digits with leading zeros (00000 to 65535), of which a card sends the
 * last ones.
 * @param iv IVCVC3, 2 bytes
 * @param un unpredictable number, 4 bytes
 * @param atc transaction counter, 2 bytes
 */
export function cvc3(cardKey: TdesKey, iv: Uint8Array, un: Uint8Array, atc: Uint8Array): Buffer {
  const values = pad(Buffer.concat([iv, un, atc]), 1, 8);
  const block = cardKey.encrypt(values);
  const digits = digitsOf(String(block.readUInt16BE(6)).padStart(5, '0'));
  wipe(values, block);
  return digits;
}
