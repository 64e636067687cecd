import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HoldfastError } from '#src/errors.js';
import { DataDirectory, DIRECTORY_FORMAT, readDirectoryDocument } from '#src/store/data-directory.js';
import { built } from '../support/built.js';

let root: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-dir.'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(root, { recursive: true });
});

async function refusal(open: Promise<unknown>): Promise<string> {
  try {
    await open;
  } catch (error) {
    if (error instanceof HoldfastError) return `${error.code} ${error.exitStatus}: ${error.message}; ${error.next}`;
    throw error;
  }
  return 'opened';
}

/** Opens the directory in a process of its own; resolves with its first line. */
function openInChild(path: string): Promise<{ child: ChildProcess; said: string }> {
  const script = `
    import { DataDirectory } from ${JSON.stringify(built('store/data-directory.js'))};
    try {
      await DataDirectory.open(process.argv[1], { create: true });
      console.log('open ' + process.pid);
      setInterval(() => undefined, 1000);
    } catch (error) {
      console.log(error.code + ' ' + error.exitStatus + ' ' + error.message);
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return new Promise((resolve) =>
    child.stdout!.once('data', (bytes: Buffer) => resolve({ child, said: bytes.toString() })),
  );
}

const exited = (child: ChildProcess) => new Promise((resolve) => child.once('exit', resolve));

describe('creation', () => {
  it('writes the document and the folders, and opens again with what it has', async () => {
    const path = join(root, 'data');
    const made = await DataDirectory.open(path, { create: true, shards: 4, engine: '0.1.0' });
    expect(made.created).toBe(true);
    expect(made.unused).toBe(true);
    expect(readdirSync(path).sort()).toEqual([
      'audit',
      'holdfast.json',
      'journal',
      'lock',
      'outgoing',
      'segments',
      'spool',
      'state',
      'system',
      'vault',
      'webhooks',
    ]);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    const document = JSON.parse(readFileSync(join(path, 'holdfast.json'), 'utf8')) as Record<string, unknown>;
    expect(Object.keys(document)).toEqual(['format', 'id', 'shards', 'created', 'engine']);
    expect(document).toMatchObject({ format: 2, shards: 4, engine: '0.1.0' });
    await made.close();
    expect(existsSync(join(path, 'lock'))).toBe(false);
    const again = await DataDirectory.open(path, { create: true });
    expect(again.created).toBe(false);
    expect(again.unused).toBe(true);
    expect(again.shards).toBe(4);
    expect(again.document).toEqual(document);
    expect(readDirectoryDocument(path)).toEqual(document);
    await again.close();
    mkdirSync(join(path, 'journal', 'lane-0-000001'));
    const used = await DataDirectory.open(path);
    expect(used.unused).toBe(false);
    await used.close();
  });

  it('takes a default number of shards', async () => {
    const made = await DataDirectory.open(root, { create: true });
    expect(made.shards).toBe(16);
    await made.close();
  });
});

const FOLDERS = ['audit', 'journal', 'outgoing', 'segments', 'spool', 'state', 'system', 'vault', 'webhooks'];

describe('abandoning', () => {
  it('takes back what the call made: the directory too, if it made it', async () => {
    const path = join(root, 'data');
    await (await DataDirectory.open(path, { create: true })).abandon();
    expect(existsSync(path)).toBe(false);
    mkdirSync(path);
    writeFileSync(join(path, '.hidden'), '');
    await (await DataDirectory.open(path, { create: true })).abandon();
    expect(readdirSync(path)).toEqual(['.hidden']);
  });

  it('touches nothing of a directory that was there', async () => {
    await (await DataDirectory.open(root, { create: true })).close();
    await (await DataDirectory.open(root, { create: true })).abandon();
    expect(readdirSync(root).sort()).toEqual(['holdfast.json', ...FOLDERS].sort());
  });

  it('removes no file of a folder, and leaves a directory that opens', async () => {
    const made = await DataDirectory.open(root, { create: true });
    writeFileSync(join(root, 'segments', 'one'), 'data');
    await made.abandon();
    expect(readFileSync(join(root, 'segments', 'one'), 'utf8')).toBe('data');
    const again = await DataDirectory.open(root);
    expect([again.document.id, again.unused]).toEqual([made.document.id, false]);
    await again.close();
  });
});

describe('refusals', () => {
  it.each([[0], [3], [512], [1.5]])('%d shards', async (shards) => {
    expect(await refusal(DataDirectory.open(join(root, 'new'), { create: true, shards }))).toMatch(/^usage 64: /);
    expect(existsSync(join(root, 'new'))).toBe(false);
  });

  it('another number of shards', async () => {
    await (await DataDirectory.open(root, { create: true, shards: 8 })).close();
    expect(await refusal(DataDirectory.open(root, { shards: 16 }))).toMatch(
      /^shards_mismatch 64: .*8 shards, not 16.*--shards 8/,
    );
    await (await DataDirectory.open(root, { shards: 8 })).close();
  });

  it('a newer format', async () => {
    await (await DataDirectory.open(root, { create: true })).close();
    const document = JSON.parse(readFileSync(join(root, 'holdfast.json'), 'utf8')) as object;
    writeFileSync(
      join(root, 'holdfast.json'),
      JSON.stringify({ ...document, format: DIRECTORY_FORMAT + 1, engine: '9.0.0' }),
    );
    expect(await refusal(DataDirectory.open(root))).toMatch(/^data_dir_newer 73: .*format 4.*9\.0\.0/);
    expect(existsSync(join(root, 'lock'))).toBe(false);
  });

  it.each([
    ['{', /is not JSON/],
    ['{}', /no format version/],
    ['{"format":2,"id":"x","shards":7}', /number of shards/],
    ['{"format":1,"id":"x","shards":16}', /format 1 of a development version/],
  ])('a damaged document: %s', async (text, why) => {
    writeFileSync(join(root, 'holdfast.json'), text);
    const said = await refusal(DataDirectory.open(root));
    expect(said).toMatch(/^data_dir_unusable 73: /);
    expect(said).toMatch(why);
  });

  it('a directory that is not there, without create', async () => {
    expect(await refusal(DataDirectory.open(join(root, 'none')))).toMatch(
      /^data_dir_unusable 73: .*no Holdfast data directory/,
    );
  });

  it('a directory that is used for something else, or has lost its document', async () => {
    mkdirSync(join(root, 'photos'));
    expect(await refusal(DataDirectory.open(root, { create: true }))).toMatch(/^data_dir_unusable .*photos/);
    mkdirSync(join(root, 'photos', 'journal'));
    expect(await refusal(DataDirectory.open(join(root, 'photos'), { create: true }))).toMatch(
      /^data_dir_unusable .*journal\/ but no/,
    );
  });

  const foreign: [name: string, make: (path: string) => void][] = [
    ['a.txt', (path) => writeFileSync(path, 'x')],
    ['journal', (path) => writeFileSync(path, 'x')],
    ['lock', (path) => writeFileSync(path, 'x')],
    ['lock.txt', (path) => writeFileSync(path, 'x')],
    ['a link', (path) => symlinkSync('/nowhere', path)],
  ];
  it.each(foreign)('a directory with a foreign entry that is no folder: %s', async (name, make) => {
    make(join(root, name));
    const said = await refusal(DataDirectory.open(root, { create: true }));
    expect(said).toMatch(/^data_dir_unusable 73: .* in use for something else/);
    expect(said).toContain(`(it holds ${name})`);
    expect(readdirSync(root)).toEqual([name]);
  });

  it('not a directory that holds what a killed start, a mount or a restore leaves', async () => {
    for (const name of ['.hidden', 'holdfast.json.new', 'ballast', 'admin.token']) writeFileSync(join(root, name), '');
    for (const name of ['.folder', 'lost+found']) mkdirSync(join(root, name));
    const { child } = await openInChild(root);
    child.kill('SIGKILL');
    await exited(child);
    // Killed between the lock and the document: the socket is all it left.
    for (const name of ['holdfast.json', ...FOLDERS]) rmSync(join(root, name), { recursive: true });
    expect(readdirSync(root)).toContain('lock');
    const made = await DataDirectory.open(root, { create: true });
    expect(made.created).toBe(true);
    await made.close();
  });

  it('a path that is a file', async () => {
    writeFileSync(join(root, 'file'), '');
    expect(await refusal(DataDirectory.open(join(root, 'file'), { create: true }))).toMatch(/^data_dir_unusable 73/);
    expect(await refusal(DataDirectory.open(join(root, 'file', 'below'), { create: true }))).toMatch(
      /^data_dir_unusable 73/,
    );
  });

  it('a path where the system makes no directory, and does not look for it for ever', () => {
    // In a process of its own: the failure would be a loop that nothing but SIGKILL ends.
    const script = `
      import { DataDirectory } from '${built('store/data-directory.js')}';
      await DataDirectory.open('/proc/holdfast/data', { create: true }).catch((error) => process.stdout.write(error.code));`;
    const { stdout, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      timeout: 10_000,
      killSignal: 'SIGKILL',
    });
    expect({ stdout, signal }).toEqual({ stdout: 'data_dir_unusable', signal: null });
  });

  it('no directory: what is missing above it is made as well, for its owner alone', async () => {
    const path = join(root, 'var', 'lib', 'holdfast');
    const made = await DataDirectory.open(path, { create: true });
    expect([path, join(root, 'var')].map((one) => statSync(one).mode & 0o777)).toEqual([0o700, 0o700]);
    await made.close();
  });

  it.skipIf(process.getuid?.() === 0)('a directory one may not write (skipped for root)', async () => {
    chmodSync(root, 0o500);
    expect(await refusal(DataDirectory.open(root, { create: true }))).toMatch(/^data_dir_unusable 73/);
    chmodSync(root, 0o700);
  });
});

describe('the lock', () => {
  it('refuses a second opener in this process and in another, and names the holder', async () => {
    const held = await DataDirectory.open(root, { create: true });
    expect(await refusal(DataDirectory.open(root))).toMatch(
      new RegExp(`^data_dir_locked 73: .*${root}.*process ${process.pid}.*stop that server`),
    );
    const { said } = await openInChild(root);
    expect(said).toMatch(/^data_dir_locked 73 /);
    await held.close();
    const next = await openInChild(root);
    expect(next.said).toBe(`open ${next.child.pid}\n`);
    expect(await refusal(DataDirectory.open(root))).toMatch(new RegExp(`data_dir_locked .*process ${next.child.pid}`));
  });

  it('takes over what a killed process left behind', async () => {
    const { child, said } = await openInChild(root);
    expect(said).toMatch(/^open/);
    child.kill('SIGKILL');
    await exited(child);
    expect(existsSync(join(root, 'lock'))).toBe(true);
    const next = await DataDirectory.open(root);
    expect(readdirSync(root).filter((name) => name.startsWith('lock'))).toEqual(['lock']);
    await next.close();
  });

  it('gives it to exactly one of many that start at once, over a stale lock too', async () => {
    const { child } = await openInChild(root);
    child.kill('SIGKILL');
    await exited(child);
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => DataDirectory.open(root)));
    const winners = results.filter((result) => result.status === 'fulfilled');
    expect(winners.length).toBe(1);
    for (const result of results)
      if (result.status === 'rejected') expect((result.reason as HoldfastError).code).toBe('data_dir_locked');
    await winners[0]!.value.close();
  });

  it('works below a path longer than a socket address', async () => {
    const deep = join(root, 'd'.repeat(90), 'e'.repeat(90));
    const held = await DataDirectory.open(deep, { create: true });
    expect((await openInChild(deep)).said).toMatch(/^data_dir_locked/);
    await held.close();
  });

  it('survives callers that hang up, and plain files in its place', async () => {
    const held = await DataDirectory.open(root, { create: true });
    for (let i = 0; i < 20; i++)
      connect({ path: join(root, 'lock') })
        .on('error', () => undefined)
        .destroy();
    expect(await refusal(DataDirectory.open(root))).toMatch(/^data_dir_locked/);
    await held.close();
    writeFileSync(join(root, 'lock'), '');
    const next = await DataDirectory.open(root);
    await next.close();
  });
});
