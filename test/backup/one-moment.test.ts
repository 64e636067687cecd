/**
 * A backup is of one moment, whatever is committed meanwhile: another process writes three environments in turn, in bursts without a
 * pause, with pages that come and go, and every backup has them as they were between two commits.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { EnvironmentCopy } from '#src/backup/environment-copy.js';
import { readManifest } from '#src/backup/manifest.js';
import { takeBackup } from '#src/backup/take.js';
import { laneFolder } from '#src/journal/lane-directory.js';
import { SystemJournal } from '#src/journal/system-journal.js';
import { directoryPaths } from '#src/store/data-directory.js';
import { openLmdbStore } from '#src/store/lmdb-store.js';
import { built } from '../support/built.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });
const folder = mkdtempSync(join(tmpdir(), 'holdfast-backup-'));
const children: ChildProcess[] = [];
afterEach(() => void vi.restoreAllMocks());
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const COUNT = Uint8Array.of(0, 1);
const rowKey = (n: number): Uint8Array => Uint8Array.of(1, n);

/** Commit n is one of the system journal, then one of the vault, then one of the webhooks. */
async function startWriter(dataDir: string): Promise<void> {
  const script = join(folder, 'writer.mjs');
  writeFileSync(
    script,
    `import { DataDirectory } from ${JSON.stringify(built('store/data-directory.js'))};
     import { SystemJournal } from ${JSON.stringify(built('journal/system-journal.js'))};
     import { openLmdbStore } from ${JSON.stringify(built('store/lmdb-store.js'))};
     const { paths } = await DataDirectory.open(process.argv[2], { shards: 2, create: true });
     const system = SystemJournal.open(paths.system);
     const stores = [openLmdbStore(paths.vault), openLmdbStore(paths.webhooks)];
     let random = 1;
     const next = (n) => (random = (Math.imul(random, 1103515245) + 12345) >>> 0) % n;
     const count = (n) => { const bytes = Buffer.alloc(8); bytes.writeDoubleBE(n); return bytes; };
     for (let n = 1; ; n++) {
       system.append({ type: 'count', n, padding: 'x'.repeat(next(3000)) });
       for (const store of stores)
         store.commit((to) => {
           to.put(Uint8Array.of(0, 1), count(n));
           for (let i = 0; i < 8; i++) {
             const key = Uint8Array.of(1, next(200));
             if (next(3) === 0) to.remove(key);
             else to.put(key, Buffer.concat([count(n), Buffer.alloc(next(12000), n)]));
           }
         });
       if (n === 50) console.log('goes');
       // Where a flush takes no time this would write 100 MB a second, and copies of gigabytes at a slow rate never end: no
       // server commits more often than a disk flushes.
       if (n % 4 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
     }`,
  );
  const child = spawn(process.execPath, [script, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', () => reject(new Error('the writer ended')));
  });
}

/** Between the snapshots of the first cut of a backup all three are committed to; tells how many cuts there were. */
function disturbCuts(dataDir: string): () => number {
  const { system, vault, webhooks } = directoryPaths(dataDir);
  const files = [system, vault, webhooks].map((path) => join(path, 'data.mdb'));
  const pin = EnvironmentCopy.prototype.pin;
  let cuts = 0;
  vi.spyOn(EnvironmentCopy.prototype, 'pin').mockImplementation(function (this: EnvironmentCopy) {
    pin.call(this);
    if (this.name === 'system' && cuts++ === 0) waitForWrites(files);
  });
  return () => cuts;
}

/** Until each file has been written to, without a turn of the event loop; a busy machine may leave the writer waiting. */
function waitForWrites(files: readonly string[]): void {
  const written = (): number[] => files.map((file) => statSync(file).mtimeMs);
  const before = written();
  for (let n = 0; n < 1000 && written().some((at, i) => at === before[i]); n++)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
}

/** How often the environments of a backup had been committed to. */
async function countsOf(backup: string): Promise<number[]> {
  const paths = directoryPaths(join(backup, 'data'));
  const system = SystemJournal.open(paths.system, { readOnly: true });
  const counts = [system.replay(() => undefined).sequence];
  await system.close();
  for (const path of [paths.vault, paths.webhooks]) {
    const store = openLmdbStore(path, { readOnly: true });
    const count = Buffer.from(store.get(COUNT)!).readDoubleBE();
    counts.push(count);
    for (let n = 0; n < 200; n++) {
      const row = store.get(rowKey(n));
      if (row === undefined) continue;
      const of = Buffer.from(row).readDoubleBE();
      // A row of a page that was copied at the wrong moment would be of another commit than its filling.
      expect(of).toBeLessThanOrEqual(count);
      expect(row.subarray(8).every((byte) => byte === of % 256)).toBe(true);
    }
    await store.close();
  }
  return counts;
}

describe('a backup beside a process that writes', () => {
  test('is of one moment, again and again', async () => {
    const dataDir = join(folder, 'data');
    await startWriter(dataDir);
    let before = 0;
    for (let n = 1; n <= 6; n++) {
      const target = join(folder, `backup-${n}`);
      // Slow enough that much is written between the first page and the cut.
      const rate = n % 2 === 0 ? 2 ** 23 : 2 ** 30;
      const cuts = disturbCuts(dataDir);
      const manifest = await takeBackup({ dataDir, target, rate, engine: 'test', onProgress: () => undefined });
      vi.restoreAllMocks();
      expect(readManifest(target)).toEqual(manifest);
      const [system, vault, webhooks] = (await countsOf(target)) as [number, number, number];
      expect(manifest.system.sequence).toBe(system);
      // In the order in which they are written: each as far as the one before it, or one commit behind.
      expect([system, system - 1]).toContain(vault);
      expect([vault, vault - 1]).toContain(webhooks);
      expect(system - webhooks).toBeLessThanOrEqual(1);
      expect(system).toBeGreaterThan(before);
      expect(cuts()).toBeGreaterThan(1);
      before = system;
    }
    expect(readdirSync(folder).filter((name) => name.includes('.part'))).toEqual([]);
  });

  test('pins each environment only for its own changes, the journal last', async () => {
    const dataDir = join(folder, 'data');
    await openLmdbStore(laneFolder(directoryPaths(dataDir).journal, 0, 1).path).close();
    const calls: string[] = [];
    for (const name of ['delta', 'release'] as const) {
      const method = EnvironmentCopy.prototype[name] as (this: EnvironmentCopy, ...args: unknown[]) => Promise<void>;
      vi.spyOn(EnvironmentCopy.prototype, name).mockImplementation(function (
        this: EnvironmentCopy,
        ...args: unknown[]
      ) {
        calls.push(`${name} ${this.name}`);
        return method.apply(this, args);
      });
    }
    await takeBackup({
      ...{ dataDir, target: join(folder, 'order'), rate: 2 ** 30, engine: 'test' },
      onProgress: () => undefined,
    });
    // Before them there may be snapshots that were not of one moment.
    expect(calls.slice(-8)).toEqual(
      ['webhooks', 'vault', 'system', 'journal/lane-0-000001'].flatMap((name) => [`delta ${name}`, `release ${name}`]),
    );
  });
});
