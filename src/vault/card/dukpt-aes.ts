/**
 * AES DUKPT, the host's side (ANSI X9.24-3:2017): the keys of one transaction of a terminal, from the base derivation key and the
 * key serial number (KSN, 12 bytes: id of the initial key 8, counter 4).
 */
import { AesKey } from './block-key.js';
import { wipe } from './bytes.js';

export const AES_KSN_BYTES = 12;
/** A counter has at most sixteen ones. */
const COUNTER_ONES_MAX = 16;

/** Key usage indicators of the derivation data. */
const usages = {
  derivation: 0x8000,
  initial: 0x8001,
  pin: 0x1000,
  mac_request: 0x2000,
  mac_response: 0x2001,
  data_request: 0x3000,
  data_response: 0x3001,
} as const;
/** What a transaction's key is for; `request` is what the terminal sends, `response` what it gets. */
export type AesDukptUse = 'pin' | 'mac_request' | 'mac_response' | 'data_request' | 'data_response';
export type AesBits = 128 | 192 | 256;

/** True for 12 bytes with a counter that a terminal uses: 1 to sixteen ones. */
export function isAesKsn(ksn: Uint8Array): boolean {
  if (ksn.length !== AES_KSN_BYTES) return false;
  let ones = 0;
  for (let i = 8; i < AES_KSN_BYTES; i++) for (let rest = ksn[i]!; rest !== 0; rest &= rest - 1) ones++;
  return ones >= 1 && ones <= COUNTER_ONES_MAX;
}

/** One derivation: as many blocks as the key has, over the derivation data with a block counter in its second byte. */
function derive(from: AesKey, usage: number, bits: AesBits, context: Uint8Array): Buffer {
  const blocks = bits === 128 ? 1 : 2;
  const data = Buffer.alloc(blocks * 16);
  for (let i = 0; i < blocks; i++) {
    data[i * 16] = 1;
    data[i * 16 + 1] = i + 1;
    data.writeUInt16BE(usage, i * 16 + 2);
    data.writeUInt16BE(bits / 64, i * 16 + 4);
    data.writeUInt16BE(bits, i * 16 + 6);
    data.set(context, i * 16 + 8);
  }
  const blocksOfKey = from.encrypt(data);
  const key = Buffer.alloc(bits / 8);
  key.set(blocksOfKey.subarray(0, key.length));
  wipe(blocksOfKey);
  return key;
}

/** The key that a terminal was loaded with: as many bytes as the base derivation key has. */
export function aesInitialKey(bdk: AesKey, initialKeyId: Uint8Array): Buffer {
  return derive(bdk, usages.initial, bdk.bits as AesBits, initialKeyId);
}

/** Context of a derivation under the initial key: the right half of its id and a counter. */
function contextOf(ksn: Uint8Array, counter: number): Buffer {
  const context = Buffer.alloc(8);
  context.set(ksn.subarray(4, 8));
  context.writeUInt32BE(counter, 4);
  return context;
}

/** The derivation key that the counter leads to: the parent of a transaction's keys. */
export function aesTransactionKey(bdk: AesKey, ksn: Uint8Array): Buffer {
  const counter = Buffer.from(ksn).readUInt32BE(8);
  const bits = bdk.bits as AesBits;
  let bytes = aesInitialKey(bdk, ksn.subarray(0, 8));
  let done = 0;
  for (let bit = 31; bit >= 0; bit--) {
    const mask = (1 << bit) >>> 0;
    if ((counter & mask) === 0) continue;
    done = (done | mask) >>> 0;
    const parent = new AesKey(bytes);
    wipe(bytes);
    bytes = derive(parent, usages.derivation, bits, contextOf(ksn, done));
    parent.destroy();
  }
  return bytes;
}

/** Key of the transaction for one use; by default as long as the base derivation key. */
export function aesDukptKey(bdk: AesKey, ksn: Uint8Array, use: AesDukptUse, bits?: AesBits): AesKey {
  const parentBytes = aesTransactionKey(bdk, ksn);
  const parent = new AesKey(parentBytes);
  const counter = Buffer.from(ksn).readUInt32BE(8);
  const bytes = derive(parent, usages[use], bits ?? (bdk.bits as AesBits), contextOf(ksn, counter));
  const key = new AesKey(bytes);
  parent.destroy();
  wipe(parentBytes, bytes);
  return key;
}
