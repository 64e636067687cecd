/** The file of keys of the software adapter: what is taken, what is refused, and that no error shows a key. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { HoldfastError } from '#src/errors.js';
import { loadHsmKeys } from '#src/vault/hsm/key-file.js';
import { golden } from '../card/golden.js';
import { newKeys } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-hsm-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

function file(content: unknown, mode = 0o600): string {
  const path = join(folder, `${++files}.json`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content), { mode });
  chmodSync(path, mode);
  return path;
}

const cvk = { id: 'cvk', usage: 'C0', algorithm: 'T', mode: 'C', key: golden.keys.cvk };

function refusal(content: unknown, mode?: number): string {
  try {
    loadHsmKeys(file(content, mode));
  } catch (error) {
    expect(error).toBeInstanceOf(HoldfastError);
    expect((error as HoldfastError).code).toBe('key_file_unreadable');
    expect((error as Error).message).not.toContain(golden.keys.cvk);
    return (error as Error).message;
  }
  return 'taken';
}

describe('a file of HSM keys', () => {
  it('gives keys as bytes with what they are for, and as key blocks', () => {
    const kbpk = { id: 'kbpk', usage: 'K1', algorithm: 'A', mode: 'B', key: golden.keyBlocks[2][1] };
    const exporting = newKeys();
    exporting.add(
      'e',
      { usage: 'V2', algorithm: 'T', mode: 'C', exportability: 'E' },
      Buffer.from(golden.keys.pvk, 'hex'),
    );
    const wrapped = exporting.wrap('kbpk', 'e');
    if (wrapped.outcome !== 'ok') throw new Error(JSON.stringify(wrapped));
    const block = { id: 'pvk', protection: 'kbpk', block: wrapped.block };
    const keys = loadHsmKeys(file({ format: 1, keys: [{ ...cvk, kcv: golden.kcv.cvk }, kbpk, block] }));
    expect(keys.info('cvk')).toMatchObject({ usage: 'C0', kcv: golden.kcv.cvk, exportability: 'N' });
    expect(keys.info('pvk')).toMatchObject({ usage: 'V2', kcv: golden.kcv.pvk });
  });

  it.each([
    ['no JSON', `{"keys":["${golden.keys.cvk}"`, 'no JSON'],
    ['another format', { format: 2, keys: [cvk] }, 'format is not 1'],
    ['no keys', { format: 1, keys: [] }, 'no list'],
    ['a member that is missing', { format: 1, keys: [{ ...cvk, mode: undefined }] }, 'keys[0] is neither'],
    ['half a byte', { format: 1, keys: [{ ...cvk, key: golden.keys.cvk.slice(1) }] }, 'keys[0] is neither'],
    [
      'single DES',
      { format: 1, keys: [{ ...cvk, key: golden.keys.cvk.slice(16).repeat(2) }] },
      'single DES is refused',
    ],
    ['another check value', { format: 1, keys: [{ ...cvk, kcv: '000000' }] }, 'check value'],
    ['one name twice', { format: 1, keys: [cvk, cvk] }, 'keys[1]: there is a key cvk'],
    ['a block under nobody', { format: 1, keys: [{ id: 'a', protection: 'b', block: 'D' }] }, 'there is no key b'],
  ])('is refused with %s', (_what, content, message) => {
    expect(refusal(content)).toContain(message);
  });

  it('is refused when others can use it, when it is none, and when it is missing', () => {
    expect(refusal({ format: 1, keys: [cvk] }, 0o640)).toContain('has mode 0640');
    expect(() => loadHsmKeys(folder)).toThrow(/no regular file/);
    expect(() => loadHsmKeys(join(folder, 'nothing'))).toThrow(/is missing/);
  });
});
