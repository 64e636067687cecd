import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '#src/errors.js';
import { Kek, kekOfText, readKekFile } from '#src/vault/kek.js';
import { keyUsages } from '#src/vault/key-document.js';
import { keyCheckValue, keyFileFacts, loadKeys, rewrapKeyFile, rotateKey, wrapKeyFile } from '#src/vault/keys.js';
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

  it('rotates the fingerprint key only, and keeps the old ones, the newest first', () => {
    const path = join(temporaryFolder(), 'holdfast.keys');
    const first = loadKeys(path);
    const second = rotateKey(path, 'fingerprint');
    const third = rotateKey(path, 'fingerprint');
    const ids = [third, second, first].map(({ fingerprintKey }) => fingerprintKey.id);
    expect(third.fingerprintKeys.map(({ id }) => id)).toEqual(ids);
    expect(loadKeys(path).fingerprintKeys.map(({ id }) => id)).toEqual(ids);
    expect([third.panKey.id, third.panKeys.length]).toEqual([first.panKey.id, 1]);
  });

  it('rotates the PAN key only, and keeps the old one', () => {
    const path = join(temporaryFolder(), 'holdfast.keys');
    const before = loadKeys(path, { directory: 'd' });
    const after = rotateKey(path, 'pan');
    expect(after.panKey.id).not.toBe(before.panKey.id);
    expect(after.panKeys.map((key) => key.id)).toEqual([after.panKey.id, before.panKey.id]);
    expect(after.fingerprintKey.id).toBe(before.fingerprintKey.id);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(loadKeys(path, { directory: 'd' }).panKey.id).toBe(after.panKey.id);
  });
});

describe('wrapped key file', () => {
  const kek = new Kek(Buffer.alloc(32, 7));
  const other = new Kek(Buffer.alloc(32, 8));
  const secretsOf = (keys: ReturnType<typeof loadKeys>): Buffer[] =>
    [...keys.panKeys, keys.fingerprintKey, keys.idKey, keys.indexKey, keys.tokenKey].map(({ bytes }) =>
      Buffer.from(bytes),
    );
  const created = (): { path: string; keys: ReturnType<typeof loadKeys> } => {
    const path = join(temporaryFolder(), 'holdfast.keys');
    return { path, keys: loadKeys(path, { directory: 'dir-1', kek }) };
  };

  it('holds no key as it is, and opens with its key-encrypting key only', () => {
    const { path, keys } = created();
    const text = readFileSync(path, 'utf8');
    for (const secret of secretsOf(keys)) {
      expect(text).not.toContain(secret.toString('base64'));
      expect(text).not.toContain(secret.toString('hex'));
    }
    expect(secretsOf(loadKeys(path, { directory: 'dir-1', create: false, kek }))).toEqual(secretsOf(keys));
    const without = failure(() => loadKeys(path));
    expect(without.code).toBe('kek_unusable');
    expect(without.message).toContain(kek.kcv);
    expect(without.next).toMatch(/--kek-file.*HOLDFAST_KEK/);
    expect(failure(() => loadKeys(path, { kek: other })).code).toBe('kek_mismatch');
    expect(failure(() => rotateKey(path, 'pan')).code).toBe('kek_unusable');
    expect(failure(() => rotateKey(path, 'pan', other)).code).toBe('kek_mismatch');
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('a key-encrypting key that only says it is the right one opens nothing', () => {
    const { path } = created();
    writeFileSync(path, readFileSync(path, 'utf8').replace(kek.kcv, other.kcv));
    const error = failure(() => loadKeys(path, { kek: other }));
    expect(error.code).toBe('key_file_unreadable');
    expect(error.message).toContain('wrapped for another place');
  });

  it.each(['usage', 'id', 'file'])('a wrapped key under another %s does not open', (what) => {
    const { path } = created();
    const document = JSON.parse(readFileSync(path, 'utf8')) as {
      id: string;
      keys: { id: string; wrapped: string; kcv: string }[];
    };
    const [first, second] = document.keys as [(typeof document.keys)[0], (typeof document.keys)[0]];
    if (what === 'usage')
      [first.wrapped, second.wrapped, first.kcv, second.kcv] = [second.wrapped, first.wrapped, second.kcv, first.kcv];
    if (what === 'id') first.id = '0123456789abcdef';
    if (what === 'file') document.id = 'kf_0123456789abcdef';
    writeFileSync(path, JSON.stringify(document));
    expect(failure(() => loadKeys(path, { kek })).message).toContain('wrapped for another place');
  });

  it('every flipped byte of a wrapped key is noticed', () => {
    const { path } = created();
    const text = readFileSync(path, 'utf8');
    const { wrapped } = (JSON.parse(text) as { keys: [{ wrapped: string }] }).keys[0];
    for (let at = 0; at < 60; at++) {
      const bytes = Buffer.from(wrapped, 'base64');
      bytes[at]! ^= 1;
      writeFileSync(path, text.replace(wrapped, bytes.toString('base64')));
      expect(failure(() => loadKeys(path, { kek })).code).toBe('key_file_unreadable');
    }
  });

  it('is made of one with keys as they are; the keys stay', () => {
    const path = join(temporaryFolder(), 'holdfast.keys');
    const before = loadKeys(path, { directory: 'dir-1' });
    const plain = failure(() => loadKeys(path, { kek }));
    expect(plain.code).toBe('key_file_plain');
    expect(plain.next).toContain('holdfast keys wrap');
    expect(wrapKeyFile(path, kek)).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(secretsOf(loadKeys(path, { directory: 'dir-1', create: false, kek }))).toEqual(secretsOf(before));
    expect(wrapKeyFile(path, kek)).toBe(false);
    expect(failure(() => wrapKeyFile(path, other)).code).toBe('kek_mismatch');
    expect(readdirSync(join(path, '..'))).toEqual(['holdfast.keys']);
  });

  it('is wrapped by another key-encrypting key, and the one before opens it no more', () => {
    const { path, keys } = created();
    rotateKey(path, 'pan', kek);
    rewrapKeyFile(path, kek, other);
    const now = loadKeys(path, { kek: other });
    expect(now.panKeys).toHaveLength(2);
    expect(Buffer.from(now.panKeys[1]!.bytes)).toEqual(Buffer.from(keys.panKey.bytes));
    expect(failure(() => loadKeys(path, { kek })).code).toBe('kek_mismatch');
    expect(keyFileFacts(path)).toMatchObject({ kek: other.kcv, directory: 'dir-1' });
  });

  it('one change at a time; a lock of a process that is gone does not count', () => {
    const { path } = created();
    writeFileSync(`${path}.lock`, '1');
    const error = failure(() => rotateKey(path, 'pan', kek));
    expect(error.message).toContain('another process changes the key file');
    writeFileSync(`${path}.lock`, '999999999');
    // What that process had not renamed yet goes, and nothing else beside the file.
    writeFileSync(`${path}.0123456789ab.tmp`, '{}');
    writeFileSync(`${path}.before`, 'mine');
    expect(rotateKey(path, 'pan', kek).panKeys).toHaveLength(2);
    expect(readdirSync(join(path, '..')).sort()).toEqual(['holdfast.keys', 'holdfast.keys.before']);
  });

  it('tells its facts without any key', () => {
    const { path, keys } = created();
    const facts = keyFileFacts(path, 'dir-1');
    expect(facts.keys.map(({ usage }) => usage).sort()).toEqual([...keyUsages].sort());
    for (const secret of secretsOf(keys)) expect(JSON.stringify(facts)).not.toContain(secret.toString('base64'));
    expect(failure(() => keyFileFacts(path, 'dir-2')).code).toBe('key_file_mismatch');
  });
});

describe('file of the key-encrypting key', () => {
  const text = '0b'.repeat(32);
  const mine = process.geteuid!();
  const written = (content = text, mode = 0o440): string => {
    const path = join(temporaryFolder(), 'kek');
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  };

  it('is read when its owner is not that of the key file; the check value is CMAC', () => {
    for (const content of [text, `${text.toUpperCase()}\n`])
      expect(readKekFile(written(content), mine + 1).kcv).toBe('9746846456');
    const error = failure(() => readKekFile(written(), mine));
    expect(error.code).toBe('kek_unusable');
    expect(error.message).toContain('owns the key file as well');
    expect(error.next).toContain('chown');
  });

  it.skipIf(mine !== 0)('of another user beside a key file of ours opens it', () => {
    const path = written();
    chownSync(path, 65_534, 65_534);
    expect(readKekFile(path, mine).kcv).toBe('9746846456');
  });

  it.each([0o444, 0o460, 0o441, 0o666, 0o604])('is refused with mode %o', (mode) => {
    const error = failure(() => readKekFile(written(text, mode), mine + 1));
    expect(error.code).toBe('kek_unusable');
    expect(error.next).toContain('chmod 0440');
  });

  it.each([
    ['too short', text.slice(2)],
    ['not hexadecimal', `zz${text.slice(2)}`],
    ['all zeros', '00'.repeat(32)],
    ['empty', ''],
    ['too long', text.repeat(5)],
  ])('is refused when it is %s, without quoting it', (_name, content) => {
    const error = failure(() => readKekFile(written(content), mine + 1));
    expect(error.code).toBe('kek_unusable');
    expect(`${error.message}${error.next}`).not.toContain('0b0b');
  });

  it('that is missing or a folder is told by its name', () => {
    const folder = temporaryFolder();
    expect(failure(() => readKekFile(join(folder, 'none'), mine + 1)).message).toContain('is missing');
    expect(failure(() => readKekFile(folder, mine + 1)).message).toContain('no regular file');
  });

  it('never shows the key', () => {
    const kek = kekOfText(text, 'here');
    for (const shown of [inspect(kek, { depth: 9 }), JSON.stringify({ kek }), `${inspect({ kek })}`])
      expect(shown).not.toMatch(/0b0b|CwsL/);
  });
});
