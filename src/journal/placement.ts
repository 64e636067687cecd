/**
 * Which shard owns what. Part of the data format: a directory keeps its placement for ever, so these functions never
 * change.
 */

/**
 * Shard of an account: FNV-1a, 32 bits, over the bytes of its id (ASCII), finished by the mixing step of murmur3 so that
 * the low bits are as good as the high ones, then the lowest bits. `shards` is a power of two.
 */
export function shardOfAccount(id: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ (id.charCodeAt(i) & 0xff), 0x01000193);
  return mix(hash) & (shards - 1);
}

/** Shard of a card nobody knows: the lowest bits of the first word of its fingerprint, which is uniform already. */
export function shardOfFingerprint(f0: number, shards: number): number {
  return f0 & (shards - 1);
}

/**
 * Shard of an idempotency key, which is the one place that knows whether the key was used: the lowest bits of the third
 * word of its HMAC. (The first two words find it within the shard.)
 */
export function shardOfKey(keyHash: Uint8Array, shards: number): number {
  return keyHash[11]! & (shards - 1);
}

function mix(value: number): number {
  let hash = value ^ (value >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
