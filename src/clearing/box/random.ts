/**
 * Numbers that look random and follow from a seed and a name alone, so that what is decided about one authorization does not
 * depend on which others there are. Not for anything secret.
 */

/** Uniform in [0, 1): FNV-1a of the text, then the steps of mulberry32. */
export function randomOf(seed: number, name: string): () => number {
  let state = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < name.length; i++) state = Math.imul(state ^ name.charCodeAt(i), 0x01000193) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
