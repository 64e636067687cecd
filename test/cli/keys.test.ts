import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { keys as keysFinding } from '#src/cli/doctor.js';
import { execute } from '#src/cli/program.js';
import { Kek } from '#src/vault/kek.js';
import { loadKeys } from '#src/vault/keys.js';
import { fakeTerminal, say } from './fake-terminal.js';

const root = mkdtempSync(join(tmpdir(), 'holdfast-keys-'));
afterAll(() => rmSync(root, { recursive: true }));
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(root, 'one-'));
});
const inFolder = (name: string): string => join(folder, name);

const FIRST = '0b'.repeat(32);
const SECOND = 'f0'.repeat(32);
const BOTH = 'fb'.repeat(32);
const kcvOf = (hex: string): string => new Kek(Buffer.from(hex, 'hex')).kcv;

function component(name: string, hex: string, mode = 0o600): string {
  const path = inFolder(name);
  writeFileSync(path, `${hex}\n`);
  chmodSync(path, mode);
  return path;
}

describe('keys components', () => {
  test('generate makes a file of its owner alone, and shows its check value only', async () => {
    const path = inFolder('ana.component');
    const { status, out, err } = await say(['keys', 'components', 'generate', path]);
    expect(status).toBe(0);
    const hex = readFileSync(path, 'latin1').trim();
    expect(hex).toMatch(/^[0-9a-f]{64}$/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(out).toBe(`component file=${path} kcv=${kcvOf(hex)}\n`);
    expect(out + err).not.toContain(hex.slice(0, 12));
    expect((await say(['keys', 'components', 'generate', path])).status).toBe(65);
    expect(readFileSync(path, 'latin1').trim()).toBe(hex);
    expect((await say(['keys', 'components', 'check', path])).out).toBe(`component kcv=${kcvOf(hex)}\n`);
  });

  test('combine of files makes the key, with the check value of each and of the key', async () => {
    const from = [component('a', FIRST), component('b', SECOND)];
    const to = inFolder('kek');
    const said = await say(['keys', 'components', 'combine', ...from.flatMap((path) => ['--from', path]), '--to', to]);
    expect(said.status).toBe(0);
    expect(said.out).toBe(
      `component 1 kcv=${kcvOf(FIRST)}\ncomponent 2 kcv=${kcvOf(SECOND)}\nkey-encrypting key file=${to} kcv=${kcvOf(BOTH)}\n`,
    );
    expect(said.err).toContain('files of one owner');
    expect(readFileSync(to, 'latin1')).toBe(`${BOTH}\n`);
    expect(statSync(to).mode & 0o777).toBe(0o440);
    for (const secret of [FIRST, SECOND, BOTH]) expect(said.out + said.err).not.toContain(secret.slice(0, 12));
  });

  test('combine of lines of stdin', async () => {
    const to = inFolder('kek');
    const { status, out, err } = await say(
      ['keys', 'components', 'combine', '--to', to, '--kcv', kcvOf(BOTH).toUpperCase()],
      {},
      `${FIRST}\r\n${SECOND.toUpperCase()}\n`,
    );
    expect(status).toBe(0);
    expect(readFileSync(to, 'latin1').trim()).toBe(BOTH);
    expect(`${out}${err}`).not.toMatch(/0b0b0b|f0f0f0|fbfbfb/i);
  });

  test('a component that is typed on a terminal is not shown, and can be corrected', async () => {
    const raw: boolean[] = [];
    const stdin = Object.assign(Readable.from([Buffer.from(`${FIRST}a`), Buffer.from(`\x7f\r${SECOND}\r`)]), {
      isTTY: true,
      setRawMode: (on: boolean) => raw.push(on),
    });
    const prompts: string[] = [];
    const terminal = { ...fakeTerminal(), stdin, progress: (text: string) => void prompts.push(text) };
    const to = inFolder('kek');
    expect(await execute(['keys', 'components', 'combine', '--to', to], terminal)).toBe(0);
    expect(readFileSync(to, 'latin1').trim()).toBe(BOTH);
    expect(raw).toEqual([true, false]);
    expect(prompts).toHaveLength(2);
    expect(terminal.said.err).toContain(`component 1 kcv=${kcvOf(FIRST)}`);
    expect(`${prompts.join()}${terminal.said.out}${terminal.said.err}`).not.toMatch(/0b0b0b|f0f0f0|fbfbfb/i);
  });

  test.each([
    ['Ctrl-C', `${FIRST}\r\x03`, 65],
    ['an end before the second', `${FIRST}\n`, 65],
    ['no component', `${FIRST}\n${SECOND.slice(1)}\n`, 65],
    ['a line without an end', `${'a'.repeat(2000)}`, 65],
  ])('%s leaves no file', async (name, typed, expected) => {
    const stdin = Object.assign(Readable.from([Buffer.from(typed)]), {
      isTTY: name === 'Ctrl-C',
      setRawMode: () => undefined,
    });
    const terminal = { ...fakeTerminal(), stdin };
    const to = inFolder('kek');
    expect(await execute(['keys', 'components', 'combine', '--to', to], terminal)).toBe(expected);
    expect(existsSync(to)).toBe(false);
    expect(`${terminal.said.out}${terminal.said.err}`).not.toMatch(/0b0b0b|f0f0f0/);
  });

  test('refuses another check value, files open to others, one component, and a file that is there', async () => {
    const [a, b] = [component('a', FIRST), component('b', SECOND)];
    const open = component('open', SECOND, 0o644);
    const to = inFolder('kek');
    const combine = (...from: string[]) => say(['keys', 'components', 'combine', ...from, '--to', to]);
    const wrong = await combine('--from', a, '--from', b, '--kcv', '0000000000');
    expect(wrong.status).toBe(65);
    expect(wrong.err).toContain(`has the check value ${kcvOf(BOTH)}`);
    expect((await combine('--from', a, '--from', open)).err).toContain('chmod 600');
    expect((await combine('--from', a)).status).toBe(65);
    expect((await combine('--from', a, '--from', a)).err).toContain('the same as an earlier one');
    expect(existsSync(to)).toBe(false);
    writeFileSync(to, 'mine');
    expect((await combine('--from', a, '--from', b)).status).toBe(65);
    expect(readFileSync(to, 'latin1')).toBe('mine');
  });
});

describe('keys status, wrap, rewrap', () => {
  test('from keys as they are to wrapped ones to another key-encrypting key', async () => {
    const path = inFolder('keys');
    const before = loadKeys(path, { directory: 'dir-1' });
    const status = async (...more: string[]) => (await say(['keys', 'status', '--key-file', path, ...more])).out;
    expect(await status()).toContain('wrapped=no');
    expect(keysFinding(path)).toMatchObject({ verdict: 'warning', values: { kek: null, retired: 0 } });

    const wrapped = await say(['keys', 'wrap', '--key-file', path], { HOLDFAST_KEK: FIRST });
    expect(wrapped.status).toBe(0);
    expect(wrapped.out).toBe(`wrapped key_file=${path} kek=${kcvOf(FIRST)}\n`);
    expect(wrapped.err).toContain('destroy them');
    expect(await status()).toContain(`wrapped=yes kek=${kcvOf(FIRST)} opened=no`);
    expect(keysFinding(path)).toMatchObject({ verdict: 'ok', values: { kek: kcvOf(FIRST) } });

    const environment = { HOLDFAST_KEK: FIRST, HOLDFAST_NEW_KEK: SECOND };
    expect((await say(['keys', 'rewrap', '--key-file', path], environment)).out).toContain(`kek=${kcvOf(SECOND)}`);
    const opened = await say(['keys', 'status', '--key-file', path, '--json'], { HOLDFAST_KEK: SECOND });
    const facts = JSON.parse(opened.out);
    expect(facts).toMatchObject({ key_file: before.fileId, wrapped: true, kek: kcvOf(SECOND), opened: true });
    expect(facts.keys).toHaveLength(5);
    expect((await say(['keys', 'status', '--key-file', path], { HOLDFAST_KEK: FIRST })).status).toBe(73);
    const after = loadKeys(path, { directory: 'dir-1', kek: new Kek(Buffer.from(SECOND, 'hex')) });
    expect(Buffer.from(after.panKey.bytes)).toEqual(Buffer.from(before.panKey.bytes));
  });

  test('wants the key-encrypting key once, another one to rewrap, and never as an argument', async () => {
    const path = inFolder('keys');
    loadKeys(path);
    const kek = component('kek', FIRST, 0o440);
    expect((await say(['keys', 'wrap', '--key-file', path])).status).toBe(64);
    const twice = await say(['keys', 'wrap', '--key-file', path, '--kek-file', kek], { HOLDFAST_KEK: FIRST });
    expect(twice.status).toBe(73);
    expect(twice.err).toContain('named twice');
    const same = await say(['keys', 'rewrap', '--key-file', path], { HOLDFAST_KEK: FIRST, HOLDFAST_NEW_KEK: FIRST });
    expect(same.status).toBe(64);
    const plain = await say(['keys', 'rewrap', '--key-file', path], { HOLDFAST_KEK: FIRST, HOLDFAST_NEW_KEK: SECOND });
    expect(plain.err).toContain('holds its keys as they are');
    // The file of the key-encrypting key belongs to whom the key file belongs to.
    const own = await say(['keys', 'wrap', '--key-file', path, '--kek-file', kek]);
    expect(own.status).toBe(73);
    expect(own.err).toContain('owns the key file as well');
    expect(loadKeys(path).fileId).toMatch(/^kf_/);
  });

  test('doctor says what is wrong with a key file, and that there is none', () => {
    expect(keysFinding(inFolder('none'))).toMatchObject({ verdict: 'ok', values: { file: null } });
    const path = inFolder('keys');
    writeFileSync(path, '{', { mode: 0o600 });
    expect(keysFinding(path)).toMatchObject({ verdict: 'fail' });
  });
});
