/** Key check values: they identify a key without helping to find it. */
import { createHmac } from 'node:crypto';
import { AesKey } from './card/block-key.js';
import { keyCheckValue } from './card/mac.js';

const CHECK_BYTES = 5;

/** Of an AES key: 10 hexadecimal digits, as X9.143 has it (`keyCheckValue`), in lower case. */
export function aesCheckValue(bytes: Uint8Array): string {
  const key = new AesKey(bytes);
  const value = keyCheckValue(key).toLowerCase();
  key.destroy();
  return value;
}

/** Of a key of HMAC or a seed: HMAC-SHA256 over 16 zero bytes, the first 5 bytes. */
export function hmacCheckValue(bytes: Uint8Array): string {
  return createHmac('sha256', bytes)
    .update(Buffer.alloc(16))
    .digest('hex')
    .slice(0, 2 * CHECK_BYTES);
}
