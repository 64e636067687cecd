/** Backups over the API: what is refused, and how one that fails is told. Whole ones are made by real servers (test/crash). */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { takeBackup } from '#src/backup/take.js';
import { writeDirectory } from '../cli/directory.js';
import { makeHarness } from './harness.js';

const root = mkdtempSync(join(tmpdir(), 'holdfast-backups-'));
afterAll(() => rmSync(root, { recursive: true }));
const PATH = '/v1/backups';

describe('backups over the API', () => {
  it('are refused without a folder for them, but can be asked for', async () => {
    const h = makeHarness();
    const refused = await h.call('POST', PATH, { name: 'a' });
    expect([refused.status, refused.body.code]).toEqual([501, 'not_supported']);
    expect((await h.call('GET', PATH)).body).toEqual({ object: 'list', data: [], has_more: false });
    expect((await h.call('GET', `${PATH}/a`)).status).toBe(404);
  });

  it('are not told to be none when their folder cannot be read', async () => {
    const folder = join(root, 'a-file');
    writeFileSync(folder, '');
    expect((await makeHarness({ backupFolder: folder }).call('GET', PATH)).status).toBe(500);
  });

  it.each(['', '../a', 'a/b', '.a', 'a.part-1', 'x'.repeat(65)])('name no other folder: %j', async (name) => {
    const h = makeHarness({ backupFolder: join(root, 'names') });
    const refused = await h.call('POST', PATH, { name });
    expect([refused.status, refused.body.code]).toEqual([422, 'validation_failed']);
  });

  it('are made one at a time; one that fails says why, and leaves nothing', async () => {
    // The data directory of the harness is none.
    const folder = join(root, 'fails');
    const h = makeHarness({ backupFolder: folder });
    const begun = await h.call('POST', PATH, { name: 'a' });
    expect([begun.status, begun.body]).toEqual([
      202,
      expect.objectContaining({ id: 'a', status: 'running', head: null }),
    ]);
    const second = await h.call('POST', PATH, { name: 'b' });
    expect([second.status, second.body.code]).toEqual([409, 'backup_running']);
    const status = async (): Promise<string> => (await h.call('GET', `${PATH}/a`)).body.status;
    await expect.poll(status, { timeout: 30_000 }).toBe('failed');
    const { body } = await h.call('GET', `${PATH}/a`);
    expect(body).toMatchObject({ failure: expect.stringMatching(/is no Holdfast data directory/), head: null });
    expect(h.logged()).toContain('a backup failed');
  });

  it('lists the whole ones of earlier processes, the newest first', async () => {
    const folder = join(root, 'kept');
    const dataDir = join(root, 'data');
    await writeDirectory(dataDir);
    const made = ['one', 'two'].map(async (name, i) => {
      await new Promise((resolve) => setTimeout(resolve, i * 20));
      return takeBackup({
        dataDir,
        target: join(folder, name),
        rate: 2 ** 30,
        engine: 'test',
        onProgress: () => undefined,
      });
    });
    const [one, two] = [await made[0]!, await made[1]!];
    rmSync(join(folder, 'two', 'backup.json'));
    const h = makeHarness({ backupFolder: folder });
    const { body } = await h.call('GET', PATH);
    expect(body.data).toEqual([
      expect.objectContaining({ id: 'one', status: 'done', head: one.head, records: one.records, as_of: one.created }),
    ]);
    expect(two.head).toBe(one.head);
    const again = await h.call('POST', PATH, { name: 'one' });
    expect([again.status, again.body.code]).toEqual([409, 'backup_exists']);
  });

  it('are ended by a stop, and nothing of them stays', async () => {
    const folder = join(root, 'stopped');
    const h = makeHarness({ backupFolder: folder });
    await h.call('POST', PATH, { name: 'a' });
    await h.context.backups.stop();
    expect((await h.call('GET', `${PATH}/a`)).body).toMatchObject({ status: 'failed' });
    expect(readdirSync(root)).not.toContain('stopped');
  });
});
