/**
 * Small secrets that the engine must be able to use again (signing secrets of webhooks), encrypted for the system journal:
 *
 *   format 1 · nonce (12, random) · ciphertext · tag (16)          AAD "holdfast/secret/1" · name
 *
 * The key is derived from the token key, which never rotates, with a label, so that neither says anything about the other. The
 * name of the owner is bound to the secret: moved to another owner it does not decrypt. Random 96-bit nonces are safe for 2^32
 * secrets; an installation makes some dozens.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { assert } from '../errors.js';
import type { VaultKey } from './keys.js';

const FORMAT = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const PLAIN_AT = 1 + NONCE_BYTES;

export class SecretBox {
  readonly #key: Buffer;

  constructor(tokenKey: Pick<VaultKey, 'bytes'>) {
    this.#key = createHmac('sha256', tokenKey.bytes).update('holdfast secrets v1').digest();
  }

  seal(name: string, secret: Uint8Array): Uint8Array {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce);
    cipher.setAAD(aad(name));
    const text = Buffer.concat([cipher.update(secret), cipher.final()]);
    return Buffer.concat([Buffer.of(FORMAT), nonce, text, cipher.getAuthTag()]);
  }

  /** @throws Error when it is damaged, or was sealed with another key or for another name. */
  open(name: string, sealed: Uint8Array): Buffer {
    assert(sealed[0] === FORMAT && sealed.length >= PLAIN_AT + TAG_BYTES, 'a sealed secret has format 1');
    const end = sealed.length - TAG_BYTES;
    const decipher = createDecipheriv('aes-256-gcm', this.#key, sealed.subarray(1, PLAIN_AT));
    decipher.setAAD(aad(name));
    decipher.setAuthTag(sealed.subarray(end));
    return Buffer.concat([decipher.update(sealed.subarray(PLAIN_AT, end)), decipher.final()]);
  }
}

function aad(name: string): Buffer {
  return Buffer.from(`holdfast/secret/1${name}`);
}
