/** The audit log of a real server: over a kill, in `holdfast audit`, `verify`, a backup and a restore. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { SYSTEM_SHARD } from '#src/journal/frame.js';
import { openLmdbStore } from '#src/store/lmdb-store.js';
import { keyOfFrame } from '../journal/frames.js';
import { run, Server } from '../support/server.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-audit.'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the audit log is kept, listed, verified, and taken along', async () => {
  let server = await Server.start({ demo: false });
  const { dataDir } = server;
  await server.api('POST', '/v1/accounts', { id: 'acc', currency: 'BRL' });
  await server.kill();
  server = await Server.start({ dataDir, demo: false });
  const to = ['--admin', `http://${server.ready.admin}`, '--token-file', join(dataDir, 'admin.token')];
  const listed = await run(['audit', ...to, '--json']);
  expect(listed).toMatchObject({ status: 0, err: '' });
  const entries = listed.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(entries.map(({ type }) => type)).toEqual(expect.arrayContaining(['started', 'action']));
  expect(entries.filter(({ type }) => type === 'started')).toHaveLength(2);
  expect(entries.find(({ operation }) => operation === 'createAccount')).toMatchObject({ name: 'admin', sequence: 2 });
  const [second] = (await run(['audit', ...to, '--after', '1', '--limit', '1'])).out.trim().split('\n');
  expect(second).toMatch(/^2 \S+ action POST \/v1\/accounts token=tok_\w+ name="admin" role=\S+ from=\S+ request=req_/);

  const backup = join(folder, 'backup');
  expect(await run(['backup', backup, '--data-dir', dataDir])).toMatchObject({ status: 0 });
  await server.stop();
  const verified = await run(['verify', '--data-dir', dataDir, '--json']);
  expect(verified).toMatchObject({ status: 0, err: '' });
  const { sequence } = JSON.parse(verified.out).audit;
  const restored = join(folder, 'restored');
  expect(await run(['restore', backup, '--data-dir', restored])).toMatchObject({ status: 0 });
  const again = await run(['verify', '--data-dir', restored, '--json']);
  expect(JSON.parse(again.out).audit.sequence).toBeGreaterThanOrEqual(5);
  expect(JSON.parse(again.out).audit.sequence).toBeLessThan(sequence);

  const store = openLmdbStore(join(dataDir, 'audit'));
  const key = keyOfFrame(store, SYSTEM_SHARD, 2);
  const bytes = store.get(key)!.slice();
  bytes[bytes.length - 3]! ^= 1;
  store.commit((writer) => writer.put(key, bytes));
  await store.close();
  const bad = await run(['verify', '--data-dir', dataDir]);
  expect(bad.status).toBe(76);
  expect(bad.err).toMatch(/sequence 2 .*audit/);
});
