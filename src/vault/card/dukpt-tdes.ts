/**
 * TDES DUKPT, the host's side (ANSI X9.24-1:2009): the key of one transaction of a terminal, from the base derivation key and the
 * key serial number (KSN, 10 bytes: key set and device 59 bits, counter 21 bits).
 */
import { TdesKey } from './block-key.js';
import { wipe, xorInto } from './bytes.js';

export const TDES_KSN_BYTES = 10;
const COUNTER_BITS = 21;
/** A counter has at most ten ones: a terminal skips the others, so that a host never derives more than ten times. */
const COUNTER_ONES_MAX = 10;
/** Makes the second half of a key from the first. */
const HALF = Buffer.from('C0C0C0C000000000C0C0C0C000000000', 'hex');

/** What a transaction's key is for; `request` is what the terminal sends, `response` what it gets. */
export type TdesDukptUse = 'pin' | 'mac_request' | 'mac_response';
/** Byte of both halves that FF is XORed into. */
const variantAt: Readonly<Record<TdesDukptUse, number>> = { pin: 7, mac_request: 6, mac_response: 4 };

const counterOf = (ksn: Uint8Array): number => ((ksn[7]! & 0x1f) << 16) | (ksn[8]! << 8) | ksn[9]!;

function ones(value: number): number {
  let count = 0;
  for (let rest = value; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** True for 10 bytes with a counter that a terminal uses: 1 to ten ones. */
export function isTdesKsn(ksn: Uint8Array): boolean {
  if (ksn.length !== TDES_KSN_BYTES) return false;
  const count = ones(counterOf(ksn));
  return count >= 1 && count <= COUNTER_ONES_MAX;
}

/** The key that a terminal was loaded with, 16 bytes. */
function initialKey(bdk: TdesKey, ksn: Uint8Array): Buffer {
  const serial = Buffer.from(ksn.subarray(0, 8));
  serial[7]! &= 0xe0;
  const left = bdk.encrypt(serial);
  const variant = Buffer.from(bdk.bytes);
  xorInto(variant, HALF);
  const other = new TdesKey(variant);
  const right = other.encrypt(serial);
  other.destroy();
  const key = Buffer.alloc(16);
  key.set(left);
  key.set(right, 8);
  wipe(variant, left, right);
  return key;
}

/** One step down the tree: single DES of `value` under the key's halves, once for each half of the child. */
function childKey(key: Uint8Array, value: Uint8Array): Buffer {
  const child = Buffer.alloc(16);
  const parent = Buffer.alloc(16);
  parent.set(key);
  for (const at of [8, 0]) {
    const input = Buffer.from(value);
    xorInto(input, parent.subarray(8));
    const left = new TdesKey(parent.subarray(0, 8));
    const half = left.encrypt(input);
    left.destroy();
    xorInto(half, parent.subarray(8));
    child.set(half, at);
    wipe(input, half);
    xorInto(parent, HALF);
  }
  wipe(parent);
  return child;
}

/** Key of the transaction that the KSN names, 16 bytes: no variant of it yet. */
export function tdesTransactionKey(bdk: TdesKey, ksn: Uint8Array): Buffer {
  const counter = counterOf(ksn);
  let key = initialKey(bdk, ksn);
  const value = Buffer.from(ksn.subarray(2));
  value[5]! &= 0xe0;
  value[6] = 0;
  value[7] = 0;
  for (let bit = COUNTER_BITS - 1; bit >= 0; bit--) {
    const mask = 1 << bit;
    if ((counter & mask) === 0) continue;
    value[5]! |= (mask >> 16) & 0xff;
    value[6]! |= (mask >> 8) & 0xff;
    value[7]! |= mask & 0xff;
    const next = childKey(key, value);
    wipe(key);
    key = next;
  }
  return key;
}

/** Key of the transaction for one use. */
export function tdesDukptKey(bdk: TdesKey, ksn: Uint8Array, use: TdesDukptUse): TdesKey {
  const bytes = tdesTransactionKey(bdk, ksn);
  bytes[variantAt[use]]! ^= 0xff;
  bytes[variantAt[use] + 8]! ^= 0xff;
  const key = new TdesKey(bytes);
  wipe(bytes);
  return key;
}
