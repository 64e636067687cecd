import { describe, expect, it } from 'vitest';
import { approvalKeyOf } from '#src/vault/approval-key.js';
import { VaultKey } from '#src/vault/keys.js';

const key = (fill: number): VaultKey => new VaultKey('00'.repeat(8), 'index', Buffer.alloc(32, fill));

describe('the key of the approval codes', () => {
  it('follows from the index key and shows nothing of it', () => {
    const words = approvalKeyOf(key(7));
    // Part of the installation: codes given before an update must not come back after it.
    expect(words).toEqual([0xb5e6eb6c, 0x1489ff11, 0x848a06b7, 0x8b5a1f0b]);
    expect(approvalKeyOf(key(7))).toEqual(words);
    expect(approvalKeyOf(key(8))).not.toEqual(words);
    expect(words).not.toContain(0x07070707);
  });
});
