/** Key check values: they identify a key without helping to find it. */
import { createCipheriv, createHmac } from 'node:crypto';

const CHECK_BYTES = 5;

/** Of an AES key: CMAC over 16 zero bytes (as X9.143 does), the first 5 bytes as 10 hexadecimal digits. */
export function aesCheckValue(bytes: Uint8Array): string {
  const encrypt = (block: Uint8Array): Buffer => {
    const cipher = createCipheriv('aes-256-ecb', bytes, null);
    cipher.setAutoPadding(false);
    return cipher.update(block);
  };
  // CMAC of one full block: encrypt(block XOR K1), where K1 is encrypt(0) doubled in GF(2^128).
  const subkey = encrypt(Buffer.alloc(16));
  const carry = subkey[0]! >>> 7;
  for (let i = 0; i < 16; i++) subkey[i] = ((subkey[i]! << 1) | (i < 15 ? subkey[i + 1]! >>> 7 : 0)) & 0xff;
  if (carry === 1) subkey[15]! ^= 0x87;
  return encrypt(subkey).toString('hex', 0, CHECK_BYTES);
}

/** Of a key of HMAC or a seed: HMAC-SHA256 over 16 zero bytes, the first 5 bytes. */
export function hmacCheckValue(bytes: Uint8Array): string {
  return createHmac('sha256', bytes)
    .update(Buffer.alloc(16))
    .digest('hex')
    .slice(0, 2 * CHECK_BYTES);
}
