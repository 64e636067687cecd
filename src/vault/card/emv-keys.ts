/**
 * Keys of a chip card, derived from the issuer's: EMV Book 2, annex A1.3 and A1.4, and the methods of the networks.
 */
import { createHash } from 'node:crypto';
import { setOddParity, TdesKey } from './block-key.js';
import { nibble, packDigits, putNibble, wipe, xorInto } from './bytes.js';

/**
 * How the card's master key comes from the issuer's: option A over the last 16 digits of PAN and sequence number; option B over
 * the SHA-1 of both for PANs longer than 16 digits and as A otherwise; `B_always` over the SHA-1 whatever the length, as some
 * issuers do for contactless stripe data.
 */
export type MasterKeyOption = 'A' | 'B' | 'B_always';

/** The card's master key, 16 bytes with odd parity. `pan` and `psn` (2) are ASCII digits. */
export function iccMasterKey(imk: TdesKey, pan: Uint8Array, psn: Uint8Array, option: MasterKeyOption): Buffer {
  const hashed = option === 'B_always' || (option === 'B' && pan.length > 16);
  const digits = Buffer.concat([pan, psn]);
  const input = Buffer.alloc(16);
  if (hashed) hashedDigits(digits, input);
  else {
    const count = Math.min(16, digits.length);
    packDigits(digits, digits.length - count, count, input, 16 - count);
  }
  for (let i = 0; i < 8; i++) input[8 + i] = ~input[i]!;
  const key = imk.encrypt(input);
  setOddParity(key);
  wipe(digits, input);
  return key;
}

/** Option B: 16 digits of the SHA-1 of the packed digits; where there are fewer, letters A to F count as 0 to 5. */
function hashedDigits(digits: Uint8Array, out: Uint8Array): void {
  const packed = Buffer.alloc((digits.length + 1) >> 1);
  packDigits(digits, 0, digits.length, packed, digits.length & 1);
  // eslint-disable-next-line no-restricted-syntax -- option B of EMV says SHA-1; it is wiped and kept nowhere
  const hash = createHash('sha1').update(packed).digest();
  let found = 0;
  for (let i = 0; i < 40 && found < 16; i++) if (nibble(hash, i) < 10) putNibble(out, found++, nibble(hash, i));
  for (let i = 0; i < 40 && found < 16; i++) if (nibble(hash, i) >= 10) putNibble(out, found++, nibble(hash, i) - 10);
  wipe(packed, hash);
}

/**
 * EMV common session key: the master key over `r` (8 bytes) with F0 and 0F in its third byte. With r = ATC || 0 it is the key
 * of cryptograms, with r = ATC || 0000 || UN that of M/Chip, with r = the ARQC that of scripts.
 */
export function sessionKey(master: TdesKey, r: Uint8Array): Buffer {
  const input = Buffer.alloc(16);
  input.set(r);
  input.set(r, 8);
  input[2] = 0xf0;
  input[10] = 0x0f;
  const key = master.encrypt(input);
  setOddParity(key);
  return key;
}

/** r of the common session key for cryptograms: ATC (2 bytes), zeros. */
export function counterValue(atc: Uint8Array): Buffer {
  const r = Buffer.alloc(8);
  r.set(atc);
  return r;
}

/** r of the M/Chip session key: ATC, two zero bytes, unpredictable number (4 bytes). */
export function mchipValue(atc: Uint8Array, un: Uint8Array): Buffer {
  const r = counterValue(atc);
  r.set(un, 4);
  return r;
}

/** Visa's key for scripts: the master key's halves with the ATC and its complement XORed into their last two bytes. */
export function visaScriptKey(master: Uint8Array, atc: Uint8Array): Buffer {
  const key = Buffer.alloc(16);
  key.set(master);
  for (let i = 0; i < 2; i++) {
    key[6 + i]! ^= atc[i]!;
    key[14 + i]! ^= ~atc[i]! & 0xff;
  }
  setOddParity(key);
  return key;
}

/**
 * Session key of the EMV2000 tree (EMV 4.1 Book 2, annex A1.3.1), withdrawn by EMV bulletin SU-46: for old cards only.
 * @param height levels, `branch` children per node, with branch ^ height >= 65536
 */
export function treeSessionKey(
  master: Uint8Array,
  atc: number,
  height: number,
  branch: number,
  iv: Uint8Array,
): Buffer {
  let older: Buffer = Buffer.alloc(16);
  let grandparent: Buffer = Buffer.from(iv);
  let parent: Buffer = Buffer.from(master);
  for (let level = 1; level <= height; level++) {
    const node = Math.floor(atc / branch ** (height - level));
    const child = treeNode(parent, grandparent, node % branch);
    older.fill(0);
    older = grandparent;
    grandparent = parent;
    parent = child;
  }
  xorInto(parent, older);
  wipe(older, grandparent);
  setOddParity(parent);
  return parent;
}

function treeNode(parent: Uint8Array, grandparent: Uint8Array, j: number): Buffer {
  const input = Buffer.from(grandparent);
  input[7]! ^= j;
  input[15]! ^= j ^ 0xf0;
  const key = new TdesKey(parent);
  const child = key.encrypt(input);
  key.destroy();
  wipe(input);
  return child;
}
