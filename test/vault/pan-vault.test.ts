import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '#src/errors.js';
import { PanFingerprinter } from '#src/vault/fingerprint.js';
import { loadKeys, rotateKey } from '#src/vault/keys.js';
import { panOfNumber } from '#src/vault/pan.js';
import { PanVault, vaultRotation } from '#src/vault/pan-vault.js';
import { MapStore, temporaryFolder } from './support.js';

function setUp() {
  const path = join(temporaryFolder(), 'holdfast.keys');
  const keys = loadKeys(path);
  const store = new MapStore();
  const print = new PanFingerprinter(keys.fingerprintKey.bytes);
  const row = (pan: string) => ({ fingerprint: print.of(pan), pan });
  return { path, keys, store, print, row, vault: new PanVault(store, keys) };
}

/** All bytes of the store, keys included, as one latin1 text. */
function dump(store: MapStore): string {
  return [...store.rows]
    .map(([key, value]) => Buffer.from(key, 'hex').toString('latin1') + Buffer.from(value).toString('latin1'))
    .join('|');
}

describe('PAN vault', () => {
  it('gives back what was put, by fingerprint, with one commit per batch', () => {
    const { vault, store, row, print } = setUp();
    const before = store.commits;
    const pans = Array.from({ length: 50 }, (_, i) => panOfNumber('999999', i));
    vault.put(pans.map(row));
    expect(store.commits).toBe(before + 1);
    for (const pan of pans) {
      expect(vault.reveal(print.of(pan))).toBe(pan);
      expect(vault.has(print.of(pan))).toBe(true);
    }
    expect(vault.reveal(print.of('4000000000000002'))).toBeUndefined();
    expect(vault.has(print.of('4000000000000002'))).toBe(false);
  });

  it('keeps every length of 1 to 19 digits and hides the length', () => {
    const { vault, store, row, print } = setUp();
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9]{1,19}$/), (pan) => {
        vault.put([row(pan)]);
        expect(vault.reveal(print.of(pan))).toBe(pan);
      }),
      { numRuns: 60 },
    );
    const sizes = new Set([...store.rows].filter(([key]) => key.startsWith('70')).map(([, value]) => value.length));
    expect(sizes.size).toBe(1);
    expect(() => vault.put([row('9999990000000017x')])).toThrow(RangeError);
  });

  it('never stores the number, in text, in BCD or in part', () => {
    const { vault, store, row } = setUp();
    const pan = '9999990000000017';
    vault.put([row(pan)]);
    const bytes = dump(store);
    expect(bytes).not.toContain(pan);
    expect(bytes).not.toContain(pan.slice(0, 12));
    expect(bytes).not.toContain(Buffer.from(pan, 'hex').toString('latin1'));
  });

  it('a second put of the same number writes nothing; ciphertexts of one number differ', () => {
    const { vault, store, row } = setUp();
    vault.put([row('9999990000000017'), row('9999990000000017')]);
    const commits = store.commits;
    vault.put([row('9999990000000017')]);
    expect(store.commits).toBe(commits);
    const other = setUp();
    other.vault.put([other.row('9999990000000017')]);
    expect(dump(other.store)).not.toBe(dump(store));
  });

  it('another number under the same fingerprint stops the caller', () => {
    const { vault, row } = setUp();
    vault.put([row('9999990000000017')]);
    const forged = { fingerprint: row('9999990000000017').fingerprint, pan: '4000000000000002' };
    expect(() => vault.put([forged])).toThrow(/one fingerprint/);
    expect(() =>
      vault.put([row('4111111111111111'), { ...forged, fingerprint: row('4111111111111111').fingerprint }]),
    ).toThrow(/one fingerprint/);
  });

  it('two swapped rows do not decrypt, nor does a row with any flipped bit', () => {
    const { vault, store, row } = setUp();
    vault.put([row('9999990000000017'), row('4000000000000002')]);
    const names = [...store.rows.keys()].filter((key) => key.startsWith('70'));
    const [a, b] = [store.rows.get(names[0]!)!, store.rows.get(names[1]!)!];
    store.rows.set(names[0]!, b);
    store.rows.set(names[1]!, a);
    for (const pan of ['9999990000000017', '4000000000000002']) {
      expect(() => vault.reveal(row(pan).fingerprint)).toThrow(HoldfastError);
    }
    const fresh = setUp();
    fresh.vault.put([fresh.row('9999990000000017')]);
    const name = [...fresh.store.rows.keys()].find((key) => key.startsWith('70'))!;
    const good = fresh.store.rows.get(name)!;
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bad = Uint8Array.from(good);
      bad[bit >> 3]! ^= 1 << (bit & 7);
      fresh.store.rows.set(name, bad);
      expect(() => fresh.vault.reveal(fresh.row('9999990000000017').fingerprint)).toThrow(HoldfastError);
    }
  });

  it('a failed commit throws and leaves nothing', () => {
    const { vault, store, row } = setUp();
    store.failNext = true;
    expect(() => vault.put([row('9999990000000017')])).toThrow('commit failed');
    expect(vault.has(row('9999990000000017').fingerprint)).toBe(false);
  });

  it('refuses the keys of another directory, even when the key file says nothing about it', () => {
    const { store } = setUp();
    const other = loadKeys(join(temporaryFolder(), 'other.keys'));
    let code = '';
    try {
      new PanVault(store, other);
    } catch (error) {
      code = (error as HoldfastError).code;
    }
    expect(code).toBe('key_file_mismatch');
  });

  it('reads old rows after a rotation and re-encrypts them in bounded steps', () => {
    const { vault, store, path, row, keys } = setUp();
    const pans = Array.from({ length: 25 }, (_, i) => panOfNumber('999999', i));
    vault.put(pans.map(row));
    const rotated = rotateKey(path, 'pan');
    const next = new PanVault(store, rotated);
    next.put([row('4000000000000002')]);
    for (const pan of pans) expect(next.reveal(row(pan).fingerprint)).toBe(pan);
    expect(next.rotation()).toBeUndefined();
    const begun = { key: rotated.panKey.id, startedMs: 5, finishedMs: 0, rows: 0, at: '' };
    expect(next.beginRotation(5)).toEqual(begun);
    expect(() => vault.reencrypt(10, 6)).toThrow(/to the active key/);
    next.reencrypt(10, 6);
    expect(next.rotation()).toMatchObject({ finishedMs: 0 });
    // Whoever opens the vault next goes on where it stood; a step that fails leaves nothing.
    const { at, rows } = next.rotation()!;
    const again = new PanVault(store, rotated);
    store.failNext = true;
    expect(() => again.reencrypt(10, 7)).toThrow('commit failed');
    expect(again.rotation()).toMatchObject({ at, rows });
    again.reencrypt(10, 7);
    expect(again.reencrypt(10, 8)).toMatchObject({ finishedMs: 8, rows: 25 });
    expect(vaultRotation(store, 'pan')).toEqual(again.rotation());
    const onlyNew = new PanVault(store, { ...rotated, panKeys: [rotated.panKey] });
    for (const pan of pans) expect(onlyNew.reveal(row(pan).fingerprint)).toBe(pan);
    expect(() => new PanVault(store, keys)).toThrow(expect.objectContaining({ code: 'key_file_mismatch' }));
  });
});
