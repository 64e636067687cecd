/**
 * Reference values of PINs (PVV or offset), sealed for the journal and the state: whoever has those alone, or the keys of the issuer
 * alone, cannot try PINs. Bound to the card's fingerprint: moved to another card it does not open.
 *
 *   plain   method (1 PVV, 2 offset) · key index · number of digits · digits (12, zero-filled)
 *
 * The key is derived from the token key, which never rotates, with a label of its own. A seal that cannot be opened is an error, never
 * a wrong PIN.
 */
import { createHmac } from 'node:crypto';
import type { Fingerprint } from './fingerprint.js';
import type { VaultKey } from './keys.js';
import { SecretBox } from './secret-box.js';

const Method = { pvv: 1, offset: 2 } as const;
const DIGITS_AT = 3;
const PLAIN_BYTES = 15;

export interface PinReference {
  readonly method: 'pvv' | 'offset';
  /** PVKI of a PVV; 0 of an offset. */
  readonly keyIndex: number;
  /** ASCII digits, 4 of a PVV, 4 to 12 of an offset. Whoever has them overwrites them. */
  readonly digits: Uint8Array;
}

/** The key of the seals, for the threads that need no other secret. */
export function pinReferenceKeyOf(tokenKey: Pick<VaultKey, 'bytes'>): Uint8Array {
  return createHmac('sha256', tokenKey.bytes).update('holdfast PIN references v1').digest();
}

export class PinReferences {
  readonly #box: SecretBox;

  /** @param key of `pinReferenceKeyOf` */
  constructor(key: Uint8Array) {
    this.#box = new SecretBox({ bytes: key });
  }

  /** 44 bytes. */
  seal(fingerprint: Fingerprint, { method, keyIndex, digits }: PinReference): Uint8Array {
    if (digits.length > PLAIN_BYTES - DIGITS_AT) throw new RangeError('a PIN reference has at most 12 digits');
    const plain = Buffer.alloc(PLAIN_BYTES);
    plain[0] = Method[method];
    plain[1] = keyIndex;
    plain[2] = digits.length;
    plain.set(digits, DIGITS_AT);
    const sealed = this.#box.seal(nameOf(fingerprint), plain);
    plain.fill(0);
    return sealed;
  }

  /** @throws Error when it is damaged, or of another card or another key file. */
  open(fingerprint: Fingerprint, sealed: Uint8Array): PinReference {
    const plain = this.#box.open(nameOf(fingerprint), sealed);
    const digits = plain.subarray(DIGITS_AT, DIGITS_AT + plain[2]!);
    return { method: plain[0] === Method.pvv ? 'pvv' : 'offset', keyIndex: plain[1]!, digits };
  }
}

const nameOf = ({ f0, f1, f2 }: Fingerprint): string => `pin/${f0}/${f1}/${f2}`;
