/**
 * Keys of block ciphers on node:crypto: TDES (8, 16 or 24 bytes) and AES.
 *
 * Making a cipher object costs twice as much as encrypting a block with it, so each key makes its objects at their first use
 * and keeps them. In ECB mode without padding an object has no state between calls as long as whole blocks go in, which is
 * asserted. A chaining object (CBC) keeps the last block of its output as the next initial value; what is chained next begins
 * with that block XORed away, so one object serves any number of MACs that each begin at zero.
 *
 * OpenSSL 3 without its legacy provider has no single DES. E(K||K||K) is the same function.
 */
import { type Cipher, createCipheriv, createDecipheriv, type Decipher } from 'node:crypto';
import { inspect } from 'node:util';
import { assert } from '../../errors.js';
import { xorInto } from './bytes.js';

/** CBC with an initial value of zero at each call, over one cipher object. */
class Chain {
  readonly #cipher: Cipher;
  readonly #last: Buffer;

  constructor(cipher: Cipher, blockBytes: number) {
    this.#cipher = cipher.setAutoPadding(false);
    this.#last = Buffer.alloc(blockBytes);
  }

  /** Last block of the chain; the first block of the input is changed on the way. */
  last(blocks: Uint8Array): Buffer {
    xorInto(blocks, this.#last);
    const out = this.#cipher.update(blocks);
    out.copy(this.#last, 0, out.length - this.#last.length);
    out.fill(0);
    return Buffer.from(this.#last);
  }
}

/** A key of a block cipher. Printing or serializing it shows nothing of it. */
export abstract class BlockKey {
  abstract readonly blockBytes: 8 | 16;
  /** Key bytes as given. */
  readonly bits: number;
  readonly #bytes: Buffer;
  #encryptor: Cipher | undefined;
  #decryptor: Decipher | undefined;
  #chain: Chain | undefined;
  #destroyed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.alloc(bytes.length);
    this.#bytes.set(bytes);
    this.bits = bytes.length * 8;
  }

  /** Name of the cipher in node:crypto and the key as it wants it. */
  protected abstract cipher(mode: 'ecb' | 'cbc', bytes: Buffer): readonly [name: string, key: Buffer];

  /** The key itself. Never log it, never keep it longer than needed. */
  get bytes(): Buffer {
    assert(!this.#destroyed, 'a destroyed key is not used');
    return this.#bytes;
  }

  /** Whole blocks, each for itself (ECB). */
  encrypt(blocks: Uint8Array): Buffer {
    assert(blocks.length > 0 && blocks.length % this.blockBytes === 0, 'whole blocks are encrypted');
    this.#encryptor ??= createCipheriv(...this.cipher('ecb', this.bytes), null).setAutoPadding(false);
    return this.#encryptor.update(blocks);
  }

  /** Whole blocks, each for itself (ECB). */
  decrypt(blocks: Uint8Array): Buffer {
    assert(blocks.length > 0 && blocks.length % this.blockBytes === 0, 'whole blocks are decrypted');
    this.#decryptor ??= createDecipheriv(...this.cipher('ecb', this.bytes), null).setAutoPadding(false);
    return this.#decryptor.update(blocks);
  }

  /** Last block of CBC from zero over whole blocks, of which the first is changed on the way. */
  chain(blocks: Uint8Array): Buffer {
    assert(blocks.length > 0 && blocks.length % this.blockBytes === 0, 'whole blocks are chained');
    this.#chain ??= new Chain(
      createCipheriv(...this.cipher('cbc', this.bytes), Buffer.alloc(this.blockBytes)),
      this.blockBytes,
    );
    return this.#chain.last(blocks);
  }

  /** CBC over whole blocks with an initial value. */
  encryptCbc(iv: Uint8Array, blocks: Uint8Array): Buffer {
    return createCipheriv(...this.cipher('cbc', this.bytes), iv)
      .setAutoPadding(false)
      .update(blocks);
  }

  /** The inverse of `encryptCbc`. */
  decryptCbc(iv: Uint8Array, blocks: Uint8Array): Buffer {
    return createDecipheriv(...this.cipher('cbc', this.bytes), iv)
      .setAutoPadding(false)
      .update(blocks);
  }

  /** Overwrites the key; what OpenSSL holds of it is overwritten there when the cipher objects are collected. */
  destroy(): void {
    this.#bytes.fill(0);
    this.#destroyed = true;
    this.#encryptor = undefined;
    this.#decryptor = undefined;
    this.#chain = undefined;
  }

  toJSON(): string {
    return `${this.constructor.name}(${this.bits})`;
  }

  [inspect.custom](): string {
    return this.toJSON();
  }
}

/** DES in its forms: 8 bytes single, 16 bytes K1 || K2 (|| K1), 24 bytes K1 || K2 || K3. Parity bits mean nothing. */
export class TdesKey extends BlockKey {
  readonly blockBytes = 8;
  #left: TdesKey | undefined;

  /** @throws RangeError when there are not 8, 16 or 24 bytes. */
  constructor(bytes: Uint8Array) {
    if (![8, 16, 24].includes(bytes.length)) throw new RangeError('a TDES key has 8, 16 or 24 bytes');
    super(bytes);
  }

  /** The single DES key of the first half. */
  get left(): TdesKey {
    this.#left ??= new TdesKey(this.bytes.subarray(0, 8));
    return this.#left;
  }

  override destroy(): void {
    this.#left?.destroy();
    this.#left = undefined;
    super.destroy();
  }

  protected override cipher(mode: 'ecb' | 'cbc', bytes: Buffer): readonly [string, Buffer] {
    if (bytes.length === 16) return [mode === 'ecb' ? 'des-ede' : 'des-ede-cbc', bytes];
    const key = bytes.length === 24 ? bytes : Buffer.concat([bytes, bytes, bytes]);
    return [mode === 'ecb' ? 'des-ede3' : 'des-ede3-cbc', key];
  }
}

/** AES with 16, 24 or 32 bytes. */
export class AesKey extends BlockKey {
  readonly blockBytes = 16;

  /** @throws RangeError when there are not 16, 24 or 32 bytes. */
  constructor(bytes: Uint8Array) {
    if (![16, 24, 32].includes(bytes.length)) throw new RangeError('an AES key has 16, 24 or 32 bytes');
    super(bytes);
  }

  protected override cipher(mode: 'ecb' | 'cbc', bytes: Buffer): readonly [string, Buffer] {
    return [`aes-${bytes.length * 8}-${mode}`, bytes];
  }
}

/** Sets the lowest bit of each byte so that the byte has an odd number of ones: the form in which DES keys are stored. */
export function setOddParity(key: Uint8Array): void {
  for (let i = 0; i < key.length; i++) {
    let ones = key[i]! >> 1;
    ones ^= ones >> 4;
    ones ^= ones >> 2;
    ones ^= ones >> 1;
    key[i] = (key[i]! & 0xfe) | (~ones & 1);
  }
}
