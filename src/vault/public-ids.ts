/**
 * Public ids: `card_` + 26 characters. The 16 bytes behind them are one AES-256 block over
 *
 *   [0] kind · [1..2] shard · [3..9] number · [10..15] zero
 *
 * so an id tells nobody where something lives or how many there are, is as long for the first as for the millionth, and cannot
 * be guessed: a made-up id decrypts to a block without the zeros and the right kind, but for one in 2^56. Encoding and
 * decoding keep one cipher object each (ECB of single blocks has no state between calls).
 */
import { type Cipher, createCipheriv, createDecipheriv, type Decipher } from 'node:crypto';

/** Kinds of ids. The position is part of every id ever handed out: append, never reorder. */
export const idPrefixes = ['card', 'auth', 'acct', 'evt', 'alias'] as const;
export type IdPrefix = (typeof idPrefixes)[number];

/** Crockford's alphabet in lower case: no i, l, o, u. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const VALUES = new Int8Array(128).fill(-1);
for (let i = 0; i < ALPHABET.length; i++) VALUES[ALPHABET.charCodeAt(i)] = i;

const BODY_LENGTH = 26;

export class PublicIds {
  readonly #cipher: Cipher;
  readonly #decipher: Decipher;
  readonly #block = Buffer.alloc(16);

  /** @param idKey 32 secret bytes. */
  constructor(idKey: Uint8Array) {
    this.#cipher = createCipheriv('aes-256-ecb', idKey, null);
    this.#cipher.setAutoPadding(false);
    this.#decipher = createDecipheriv('aes-256-ecb', idKey, null);
    this.#decipher.setAutoPadding(false);
  }

  /** @param shard 0 to 65 535 @param number 0 to 2^53 - 1: a slot or a journal sequence. */
  encode(prefix: IdPrefix, shard: number, number: number): string {
    if (!Number.isSafeInteger(number) || number < 0)
      throw new RangeError(`id number ${number} is no safe integer >= 0`);
    if (!Number.isInteger(shard) || shard < 0 || shard > 0xffff) throw new RangeError(`id shard ${shard}`);
    const block = this.#block;
    block[0] = idPrefixes.indexOf(prefix);
    block.writeUInt16BE(shard, 1);
    block.writeUIntBE(Math.floor(number / 2 ** 32), 3, 3);
    block.writeUInt32BE(number % 2 ** 32, 6);
    block.fill(0, 10);
    return `${prefix}_${toBase32(this.#cipher.update(block))}`;
  }

  /** The parts of an id, or undefined when it is not an id of this kind made with this key. */
  decode(prefix: IdPrefix, id: string): { shard: number; number: number } | undefined {
    if (id.length !== prefix.length + 1 + BODY_LENGTH || !id.startsWith(`${prefix}_`)) return undefined;
    if (!fromBase32(id, prefix.length + 1, this.#block)) return undefined;
    const block = this.#decipher.update(this.#block);
    if (block[0] !== idPrefixes.indexOf(prefix)) return undefined;
    for (let i = 10; i < 16; i++) if (block[i] !== 0) return undefined;
    const number = block.readUIntBE(3, 3) * 2 ** 32 + block.readUInt32BE(6);
    if (!Number.isSafeInteger(number)) return undefined;
    return { shard: block.readUInt16BE(1), number };
  }
}

/** 128 bits as 26 characters of 5 bits, most significant first; the last character carries 3 bits and two zeros. */
function toBase32(bytes: Uint8Array): string {
  let out = '';
  let bits = 0;
  let value = 0;
  for (let i = 0; i < 16; i++) {
    value = ((value << 8) | bytes[i]!) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += ALPHABET[(value >>> bits) & 31]!;
    }
  }
  return out + ALPHABET[(value << (5 - bits)) & 31]!;
}

function fromBase32(text: string, at: number, into: Uint8Array): boolean {
  let bits = 0;
  let value = 0;
  let byte = 0;
  for (let i = 0; i < BODY_LENGTH; i++) {
    const code = text.charCodeAt(at + i);
    const five = code < 128 ? VALUES[code]! : -1;
    if (five < 0) return false;
    value = ((value << 5) | five) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      if (byte < 16) into[byte++] = (value >>> bits) & 0xff;
    }
  }
  // One spelling per id: the two spare bits of the last character must be zero.
  return byte === 16 && (value & ((1 << bits) - 1)) === 0;
}
