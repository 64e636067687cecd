/** A benchmark that is interrupted leaves nothing behind, neither where it measures nor where it was started. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inTemporaryFolder } from '../../bench/temporary-folder.js';
import { built } from '../support/built.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-interrupted-'));
});
afterEach(() => rmSync(root, { recursive: true }));

describe('the folder of a benchmark', () => {
  it('is below the given one, and goes with the end of the work', async () => {
    const seen = await inTemporaryFolder(root, async (folder) => [folder, readdirSync(root)]);
    expect(seen).toEqual([join(root, (seen[1] as string[])[0]!), [expect.any(String)]]);
    expect(readdirSync(root)).toEqual([]);
  });

  it('goes with an error of the work, too', async () => {
    const work = inTemporaryFolder(root, async () => {
      throw new Error('no figures');
    });
    await expect(work).rejects.toThrow('no figures');
    expect(readdirSync(root)).toEqual([]);
    expect(process.listenerCount('SIGTERM')).toBe(0);
  });

  it('is removed by a signal after what else was started was told', async () => {
    const script = `import { existsSync, writeSync } from 'node:fs';
      import { inTemporaryFolder } from ${JSON.stringify(built('tools/bench/temporary-folder.js'))};
      let place;
      await inTemporaryFolder(${JSON.stringify(root)}, (folder) => {
        place = folder;
        setTimeout(() => process.kill(process.pid, 'SIGTERM'), 10);
        return new Promise(() => setInterval(() => {}, 1000));
      }, () => writeSync(1, 'told while it ' + (existsSync(place) ? 'is there' : 'is gone')));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (chunk) => {
      said += String(chunk);
    });
    expect(await new Promise((resolve) => child.once('close', (_status, by) => resolve(by)))).toBe('SIGTERM');
    expect([said, readdirSync(root)]).toEqual(['told while it is there', []]);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('of the journal is removed by %s', async (signal) => {
    const script = `import { benchJournal } from ${JSON.stringify(built('tools/bench/journal.bench.js'))};
      await benchJournal(${JSON.stringify(join(root, 'measured'))});`;
    const [measured, started] = [join(root, 'measured'), join(root, 'started')];
    for (const folder of [measured, started]) mkdirSync(folder);
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: started, stdio: 'inherit' });
    const ended = new Promise((resolve) => child.once('exit', (_status, by) => resolve(by)));
    while (readdirSync(measured).length === 0 && child.exitCode === null) await sleep(5);
    expect(readdirSync(started)).toEqual([]);
    child.kill(signal);
    expect(await ended).toBe(signal);
    expect([readdirSync(measured), readdirSync(started)]).toEqual([[], []]);
  });
});
