import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SecretBox } from '#src/vault/secret-box.js';

describe('a sealed secret', () => {
  const key = { bytes: randomBytes(32) };
  const box = new SecretBox(key);
  const secret = randomBytes(32);

  it('opens with its key and name, in another instance too', () => {
    expect(new SecretBox(key).open('hook_a', box.seal('hook_a', secret))).toEqual(secret);
  });

  it('shows nothing of itself, and is another one each time', () => {
    const [one, two] = [box.seal('hook_a', secret), box.seal('hook_a', secret)];
    expect(Buffer.from(one).includes(secret.subarray(0, 8))).toBe(false);
    expect(one).not.toEqual(two);
  });

  it('does not open under another name or key, or with any bit changed', () => {
    const sealed = box.seal('hook_a', secret);
    expect(() => box.open('hook_b', sealed)).toThrow();
    expect(() => new SecretBox({ bytes: randomBytes(32) }).open('hook_a', sealed)).toThrow();
    for (let at = 0; at < sealed.length; at++) {
      const other = Uint8Array.from(sealed);
      other[at]! ^= 1;
      expect(() => box.open('hook_a', other)).toThrow();
    }
    expect(() => box.open('hook_a', sealed.subarray(0, 20))).toThrow();
  });
});
