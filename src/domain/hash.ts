/**
 * 32-bit integer mixing in the manner of MurmurHash3: two multiplications and two rotations per word, no BigInt, no
 * allocation. Not a cryptographic hash: whoever may choose the input must not know the seed (index keys are seeded with a
 * secret key), and a hit is always confirmed on the record.
 */

/** Takes one 32-bit word into the running hash. */
export function mixWord(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  let h = hash ^ Math.imul(k, 0x1b873593);
  h = (h << 13) | (h >>> 19);
  return (Math.imul(h, 5) + 0xe6546b64) | 0;
}

/** Spreads every bit of the hash over the word; the result is unsigned. */
export function finishHash(hash: number): number {
  return spreadHash(hash) >>> 0;
}

/** As `finishHash`, signed: an unsigned word beyond 2^31 is an object on the heap wherever it is handed on. */
export function spreadHash(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Takes a safe integer into the running hash: low word, then high word. */
export function mixInteger(hash: number, value: number): number {
  return mixWord(mixWord(hash, value | 0), Math.floor(value / 4_294_967_296) | 0);
}

/** Takes bytes and then their count, four bytes a word. */
export function mixBytes(hash: number, bytes: Uint8Array, at: number, length: number): number {
  let h = hash;
  let i = at;
  const end = at + length;
  for (; i + 4 <= end; i += 4) {
    h = mixWord(h, bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
  }
  let tail = 0;
  for (let shift = 0; i < end; i++, shift += 8) tail |= bytes[i]! << shift;
  return mixWord(mixWord(h, tail), length);
}

/** As `mixBytes` over the characters of a string, each taken as two bytes' worth. Cold paths. */
export function mixString(hash: number, text: string): number {
  let h = hash;
  for (let i = 0; i < text.length; i++) h = mixWord(h, text.charCodeAt(i));
  return mixWord(h, text.length);
}
