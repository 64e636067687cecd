import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { disk, nodeVersion, rotations } from '#src/cli/doctor.js';
import { openFilesLimit, socketsAllowed } from '#src/cli/open-files.js';
import { openLmdbStore } from '#src/store/lmdb-store.js';
import { loadKeys, rotateKey } from '#src/vault/keys.js';
import { PanVault } from '#src/vault/pan-vault.js';
import { say } from './fake-terminal.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-doctor-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('doctor', () => {
  test('examines everything and leaves nothing behind', async () => {
    const { status, out } = await say(['doctor', '--data-dir', join(folder, 'not', 'yet'), '--json']);
    const { ok, findings } = JSON.parse(out);
    expect(status).toBe(ok ? 0 : 69);
    expect(findings.map(({ check }: { check: string }) => check)).toEqual([
      'node',
      'libc',
      'uws',
      'ulimit',
      'clock',
      'clocksrc',
      'keys',
      'space',
      'disk',
    ]);
    const flush = findings.at(-1).values;
    expect(flush.directory).toBe(folder);
    expect(flush.samples).toBeGreaterThan(0);
    expect(flush.samples).toBeLessThanOrEqual(200);
    expect(flush.fdatasync_p50_us).toBeLessThanOrEqual(flush.fdatasync_p99_us);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('one line per check as text', async () => {
    const { out } = await say(['doctor', '--data-dir', folder]);
    expect(out.trimEnd().split('\n')).toHaveLength(9);
    expect(out).toMatch(/^(ok|warning) +disk +fdatasync p50 \d+ us, p99 \d+ us over \d+ blocks/m);
  });

  test('a rotation that goes on is told, and a key file of the time before it', async () => {
    const dataDir = mkdtempSync(join(folder, 'rotated-'));
    const keyFile = `${dataDir}.keys`;
    const before = loadKeys(keyFile);
    const copy = readFileSync(keyFile);
    const { fingerprintKey } = rotateKey(keyFile, 'fingerprint');
    const store = openLmdbStore(join(dataDir, 'vault'));
    const vault = new PanVault(store, before);
    const at = { key: fingerprintKey.id, startedMs: 1, finishedMs: 0, rows: 7, at: '40000000ffffffffffffffff' };
    vault.noteFingerprints(at, []);
    await store.close();
    const values = { usage: 'fingerprint', key: fingerprintKey.id, progress: 0.25 };
    const running = { check: 'rotation', verdict: 'warning', text: expect.stringContaining('25 % done'), values };
    expect(await rotations(dataDir, keyFile)).toEqual([running]);
    const { out } = await say(['doctor', '--data-dir', dataDir]);
    expect(out).toMatch(/^warning +rotation +the fingerprint key is rotated, 25 % done/m);
    writeFileSync(keyFile, copy);
    const told = expect.stringContaining('Name the key file as the rotation left it');
    expect(await rotations(dataDir, keyFile)).toEqual([{ ...running, verdict: 'fail', text: told }]);
    // What is not there, or is no key file, the check of the keys tells.
    writeFileSync(keyFile, 'no key file');
    expect(await rotations(dataDir, keyFile)).toEqual([running]);
    rmSync(keyFile);
    expect(await rotations(dataDir, keyFile)).toEqual([running]);
  });

  test.each([
    ['18.20.0', 'fail'],
    ['20.18.9', 'fail'],
    ['20.19.0', 'ok'],
    ['22.0.0', 'ok'],
    ['24.1.0', 'ok'],
  ])('Node %s: %s', (version, verdict) => {
    expect(nodeVersion(version).verdict).toBe(verdict);
  });

  test('connections get what the engine leaves of the open files', () => {
    const rows: [openFiles: number | undefined, sockets: number][] = [
      [undefined, Number.POSITIVE_INFINITY],
      [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
      [1_048_576, 1_047_552],
      [20_000, 18_976],
      [4096, 3072],
      [2048, 1536],
      [1024, 640],
      [600, 216],
      [256, 0],
      [64, 0],
    ];
    expect(rows.map(([openFiles]) => socketsAllowed(openFiles))).toEqual(rows.map(([, sockets]) => sockets));
    expect(openFilesLimit()).toBeGreaterThan(0);
  });

  test.skipIf(process.getuid?.() === 0)(
    'a directory that cannot be written (skipped for root, who may write anywhere)',
    () => {
      const closed = mkdtempSync(join(folder, 'closed-'));
      chmodSync(closed, 0o500);
      expect(disk(closed).verdict).toBe('fail');
    },
  );
});
