import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { idPrefixes, PublicIds } from '#src/vault/public-ids.js';

const ids = new PublicIds(Buffer.alloc(32, 3));

describe('public ids', () => {
  it('come back as they went, for every kind, shard and number', () => {
    fc.assert(
      fc.property(fc.constantFrom(...idPrefixes), fc.nat(65_535), fc.maxSafeNat(), (prefix, shard, number) => {
        const id = ids.encode(prefix, shard, number);
        expect(id).toMatch(new RegExp(`^${prefix}_[0-9a-hjkmnp-tv-z]{26}$`));
        expect(ids.decode(prefix, id)).toEqual({ shard, number });
      }),
    );
  });

  it('a changed character, another kind, another key or another spelling is no id', () => {
    const id = ids.encode('card', 3, 77);
    expect(ids.decode('auth', id.replace('card', 'auth'))).toBeUndefined();
    expect(new PublicIds(Buffer.alloc(32, 4)).decode('card', id)).toBeUndefined();
    expect(ids.decode('card', id.toUpperCase())).toBeUndefined();
    for (const text of ['', 'card_', `${id}0`, id.slice(1), id.slice(0, -1), `${id.slice(0, -1)}ü`]) {
      expect(ids.decode('card', text)).toBeUndefined();
    }
    for (let at = 5; at < id.length; at++) {
      for (const c of '0123456789abcdefghjkmnpqrstvwxyz') {
        if (c === id[at]) continue;
        expect(ids.decode('card', id.slice(0, at) + c + id.slice(at + 1))).toBeUndefined();
      }
    }
  });

  it('are stable: the format does not change under a key', () => {
    expect(ids.encode('card', 1, 2)).toBe(ids.encode('card', 1, 2));
    expect(ids.encode('card', 0, 0)).not.toBe(ids.encode('acct', 0, 0).replace('acct', 'card'));
    expect(() => ids.encode('card', 0, -1)).toThrow(RangeError);
    expect(() => ids.encode('card', 65_536, 0)).toThrow(RangeError);
    expect(() => ids.encode('card', 0, 2 ** 53)).toThrow(RangeError);
  });
});
