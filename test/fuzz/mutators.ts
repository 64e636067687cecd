/** Changes of bytes that know nothing of what they mean, but for the words of the target. */
import type { Random } from '../crash/random.js';

const ends = [0, 1, 0x0f, 0x10, 0x20, 0x2f, 0x30, 0x31, 0x39, 0x3a, 0x40, 0x7f, 0x80, 0x99, 0x9a, 0xf0, 0xf9, 0xff];

/** One to some changes, most often few; the result is at most `bytesMax` long. */
export function mutateBytes(
  random: Random,
  input: Uint8Array,
  other: Uint8Array,
  words: readonly Uint8Array[],
  bytesMax: number,
): Uint8Array {
  let bytes = input;
  const changes = 1 + Math.floor(random.next() ** 3 * 8);
  for (let i = 0; i < changes; i++) bytes = change(random, bytes, other, words);
  return bytes.length > bytesMax ? bytes.subarray(0, bytesMax) : bytes;
}

function change(random: Random, bytes: Uint8Array, other: Uint8Array, words: readonly Uint8Array[]): Uint8Array {
  const at = random.int(0, bytes.length);
  const kind = random.int(0, words.length === 0 ? 10 : 13);
  if (bytes.length === 0 && kind < 6) return Uint8Array.of(random.int(0, 255));
  switch (kind) {
    case 0: {
      const out = bytes.slice();
      out[at % bytes.length]! ^= 1 << random.int(0, 7);
      return out;
    }
    case 1: {
      const out = bytes.slice();
      out[at % bytes.length] = random.chance(0.5) ? random.int(0, 255) : random.pick(ends);
      return out;
    }
    case 2:
      return removed(bytes, at, random.int(1, 4));
    case 3: {
      const out = bytes.slice();
      const to = random.int(0, bytes.length - 1);
      [out[at % bytes.length], out[to]] = [out[to]!, out[at % bytes.length]!];
      return out;
    }
    case 4:
      return digitsChanged(random, bytes);
    case 5:
      return bytes.slice(0, at);
    case 6:
      return inserted(bytes, at, Uint8Array.of(random.chance(0.5) ? random.int(0, 255) : random.pick(ends)));
    case 7:
      // What lies here once more, so that what may come once comes twice.
      return inserted(bytes, at, bytes.subarray(at, at + random.int(1, 40)));
    case 8:
      return removed(bytes, at, random.int(1, Math.max(1, bytes.length >> 1)));
    case 9:
      return joined(bytes.subarray(0, at), other.subarray(random.int(0, other.length)));
    case 10: {
      const out = bytes.slice();
      out.fill(random.pick(ends), at, at + random.int(1, 20));
      return out;
    }
    case 11:
      return inserted(bytes, at, random.pick(words));
    default: {
      const word = random.pick(words);
      const out = bytes.slice();
      out.set(word.subarray(0, bytes.length - at), at);
      return out;
    }
  }
}

/** Writes another number over a run of ASCII digits: a length, a count, an amount. */
function digitsChanged(random: Random, bytes: Uint8Array): Uint8Array {
  const from = random.int(0, bytes.length - 1);
  let at = from;
  while (at < bytes.length && (bytes[at]! < 0x30 || bytes[at]! > 0x39)) at++;
  let end = at;
  while (end < bytes.length && end < at + 20 && bytes[end]! >= 0x30 && bytes[end]! <= 0x39) end++;
  if (at === end) return inserted(bytes, from, Uint8Array.of(random.int(0x30, 0x39)));
  const out = bytes.slice();
  const length = Math.min(end - at, random.int(1, 4));
  for (let i = at; i < at + length; i++) out[i] = random.pick([0x30, 0x31, 0x39, random.int(0x30, 0x39)]);
  return out;
}

export function inserted(bytes: Uint8Array, at: number, piece: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + piece.length);
  out.set(bytes.subarray(0, at));
  out.set(piece, at);
  out.set(bytes.subarray(at), at + piece.length);
  return out;
}

export function removed(bytes: Uint8Array, at: number, count: number): Uint8Array {
  return joined(bytes.subarray(0, at), bytes.subarray(at + count));
}

export function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const out = new Uint8Array(first.length + second.length);
  out.set(first);
  out.set(second, first.length);
  return out;
}
