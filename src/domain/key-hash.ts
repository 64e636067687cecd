/**
 * 64-bit hashes of what must be unique within a shard: payment references per account, idempotency keys. Cold paths.
 */
import { finishHash, mixString, mixWord } from './hash.js';

export interface Hash64 {
  high: number;
  low: number;
}

/** Hash of a payment reference with its account. */
export function hash64(accountSlot: number, reference: string): Hash64 {
  return {
    high: finishHash(mixString(mixWord(0x2f0b4a27, accountSlot), reference)),
    low: finishHash(mixString(mixWord(0x68e31da4, accountSlot), reference)),
  };
}

/** Hash of what names a ledger entry: its kind, its account (-1: none) and its reference. No payment's reference has a line break. */
export function entryHash({
  entry,
  accountSlot,
  reference,
}: {
  entry: number;
  accountSlot: number;
  reference: string;
}): Hash64 {
  return hash64(accountSlot, `${entry}\n${reference}`);
}

/** First 64 bits of an idempotency key's HMAC: the key of `ShardState.idempotency`. */
export function keyHash64(keyHash: Uint8Array): Hash64 {
  const view = new DataView(keyHash.buffer, keyHash.byteOffset, keyHash.byteLength);
  return { high: view.getUint32(0), low: view.getUint32(4) };
}
