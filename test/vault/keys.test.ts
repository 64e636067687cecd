import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/errors.js';
import { keyCheckValue, keyUsages, loadKeys, rotatePanKey } from '../../src/vault/keys.js';
import { temporaryFolder } from './support.js';

function failure(run: () => unknown): HoldfastError {
  try {
    run();
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error('expected a HoldfastError');
}

describe('key file', () => {
  it('is created once, for its owner only, with different random keys, and read back the same', () => {
    const path = join(temporaryFolder(), 'holdfast.keys');
    const first = loadKeys(path, { directory: 'dir-1' });
    expect(first.created).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const again = loadKeys(path, { directory: 'dir-1', create: false });
    expect(again.created).toBe(false);
    const all = [first.panKey, first.fingerprintKey, first.idKey, first.indexKey, first.tokenKey];
    expect(all.map((key) => key.usage).sort()).toEqual([...keyUsages].sort());
    expect(new Set(all.map((key) => Buffer.from(key.bytes).toString('hex'))).size).toBe(5);
    for (const key of all) expect(key.bytes.length).toBe(32);
    expect(Buffer.from(again.panKey.bytes)).toEqual(Buffer.from(first.panKey.bytes));
    expect(again.fingerprintKey.id).toBe(first.fingerprintKey.id);
    expect(readdirSync(join(path, '..'))).toEqual(['holdfast.keys']);
  });

  it('is not created beside existing data', () => {
    const path = join(temporaryFolder(), 'missing.keys');
    const error = failure(() => loadKeys(path, { directory: 'dir-1', create: false }));
    expect(error.code).toBe('key_file_unreadable');
    expect(error.exitStatus).toBe(73);
    expect(error.message).toContain(path);
    expect(existsSync(path)).toBe(false);
  });

  it.each([0o640, 0o604, 0o620, 0o660, 0o644])('is refused with mode %o', (mode) => {
    const path = join(temporaryFolder(), 'holdfast.keys');
    loadKeys(path);
    chmodSync(path, mode);
    const error = failure(() => loadKeys(path));
    expect(error.code).toBe('key_file_unreadable');
    expect(error.next).toContain('chmod 600');
  });

  it('of another data directory is refused', () => {
    const path = join(temporaryFolder(), 'holdfast.keys');
    loadKeys(path, { directory: 'dir-1' });
    const error = failure(() => loadKeys(path, { directory: 'dir-2', create: false }));
    expect(error.code).toBe('key_file_mismatch');
    expect(error.message).toContain('dir-1');
    expect(error.next).toMatch(/^point --key-file at/);
  });

  it('of a data directory that is gone is refused: keep it for the data, or move it for a fresh start', () => {
    const path = join(temporaryFolder(), 'holdfast.keys');
    const { fileId } = loadKeys(path, { directory: 'dir-1' });
    const error = failure(() => loadKeys(path, { directory: 'dir-2' }));
    expect(error.code).toBe('key_file_mismatch');
    expect(error.message).toContain('dir-1');
    expect(error.message).not.toContain('dir-2');
    expect(error.next).toMatch(/keep the key file, and restore .* --data-dir; to begin afresh .* mv /);
    expect(error.next).toContain(`mv ${path} ${path}.${fileId}`);
    expect(loadKeys(path, { directory: 'dir-1' }).fileId).toBe(fileId);
  });

  it('that cannot be created says where and what to do', () => {
    const error = failure(() => loadKeys(join(temporaryFolder(), 'no', 'such', 'folder.keys')));
    expect(error.code).toBe('key_file_unreadable');
    expect(error.next).toContain('--key-file');
    const folder = join(temporaryFolder(), 'folder');
    mkdirSync(folder);
    expect(failure(() => loadKeys(folder)).message).toContain('no regular file');
  });

  const damage: [string, (text: string) => string][] = [
    ['not JSON', (text) => text.slice(0, -20)],
    ['null', () => 'null'],
    ['empty', () => ''],
    ['unknown format', (text) => text.replace('"format": 1', '"format": 9')],
    ['missing usage', (text) => text.replace('"usage": "token"', '"usage": "index"')],
    ['unknown usage', (text) => text.replace('"usage": "token"', '"usage": "pin"')],
    ['short key', (text) => text.replace(/"key": "[^"]{8}/, '"key": "')],
    [
      'a flipped key bit',
      (text) => text.replace(/"key": "(.)/, (_all, c: string) => `"key": "${c === 'A' ? 'B' : 'A'}`),
    ],
  ];
  it.each(damage)('that is damaged (%s) is refused without quoting a key', (_name, change) => {
    const path = join(temporaryFolder(), 'holdfast.keys');
    const keys = loadKeys(path);
    writeFileSync(path, change(readFileSync(path, 'utf8')));
    const error = failure(() => loadKeys(path));
    expect(error.code).toBe('key_file_unreadable');
    expect(error.message).toContain('malformed');
    expect(`${error.stack}${error.next}`).not.toContain(Buffer.from(keys.panKey.bytes).toString('base64').slice(4, 20));
  });

  it('check values are CMAC for AES keys and HMAC for the others (values from `openssl mac`, key 0b..0b)', () => {
    const key = Buffer.alloc(32, 0x0b);
    expect(keyCheckValue('pan', key)).toBe('9746846456');
    expect(keyCheckValue('id', key)).toBe('9746846456');
    for (const usage of ['fingerprint', 'index', 'token'] as const)
      expect(keyCheckValue(usage, key)).toBe('7d45cd196b');
  });

  it('never shows its bytes when printed or serialized', () => {
    const keys = loadKeys(join(temporaryFolder(), 'holdfast.keys'));
    const secret = Buffer.from(keys.panKey.bytes);
    for (const text of [inspect(keys, { depth: 9 }), JSON.stringify(keys), String(keys.panKey)]) {
      expect(text).not.toContain(secret.toString('hex').slice(0, 16));
      expect(text).not.toContain(secret.toString('base64').slice(0, 16));
    }
  });

  it('rotates the PAN key only, and keeps the old one', () => {
    const path = join(temporaryFolder(), 'holdfast.keys');
    const before = loadKeys(path, { directory: 'd' });
    const after = rotatePanKey(path);
    expect(after.panKey.id).not.toBe(before.panKey.id);
    expect(after.panKeys.map((key) => key.id)).toEqual([after.panKey.id, before.panKey.id]);
    expect(after.fingerprintKey.id).toBe(before.fingerprintKey.id);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(loadKeys(path, { directory: 'd' }).panKey.id).toBe(after.panKey.id);
  });
});
