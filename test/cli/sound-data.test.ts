/** Damaged data files before a start: what can be made again is, anything else ends the start. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assertSoundData } from '#src/cli/sound-data.js';
import { CheckpointStore } from '#src/journal/checkpoint.js';
import { directoryPaths } from '#src/store/data-directory.js';
import { writeDirectory } from './directory.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-sound-'));
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(async () => {
  await writeDirectory(join(folder, 'whole'));
  const checkpoint = CheckpointStore.open(directoryPaths(join(folder, 'whole')).state);
  const row = { table: 1, key: Uint8Array.of(1), row: new Uint8Array(64), sequence: 1 };
  for (const shard of [0, 1]) checkpoint.write(shard, [row], { replayFrom: 2 });
  await checkpoint.close();
});

function copy(name: string): ReturnType<typeof directoryPaths> {
  const path = join(folder, name);
  cpSync(join(folder, 'whole'), path, { recursive: true });
  return directoryPaths(path);
}

/** No page of the trees says any more which one it is. */
function damage(file: string): void {
  const bytes = readFileSync(file);
  for (let page = 2 * 4096; page < bytes.length; page += 4096) bytes.writeUInt32LE(1, page);
  writeFileSync(file, bytes);
}

describe('data files before a start', () => {
  test('whole ones stay as they are', () => {
    const discarded: string[] = [];
    assertSoundData(copy('same'), (one) => discarded.push(one));
    expect(discarded).toEqual([]);
  });

  test.each([
    ['damaged', damage, /says that it is page 1/],
    ['cut short', (file: string) => truncateSync(file, 2 * 4096), /cut short/],
  ] as const)('a checkpoint that is %s is removed, the others stay', (name, harm, expected) => {
    const { state } = copy(name);
    harm(join(state, 'shard-1', 'data.mdb'));
    const told: string[][] = [];
    assertSoundData(directoryPaths(join(state, '..')), (...one) => told.push(one));
    expect(told).toEqual([[join(state, 'shard-1'), expect.stringMatching(expected)]]);
    expect(existsSync(join(state, 'shard-1'))).toBe(false);
    expect(existsSync(join(state, 'shard-0', 'data.mdb'))).toBe(true);
  });

  test.each(['journal/lane-0-000001', 'system', 'vault'])('a damaged %s ends the start with 76', (name) => {
    const paths = copy(`damaged ${name.replace('/', ' ')}`);
    damage(join(paths.root, name, 'data.mdb'));
    expect(() => assertSoundData(paths, () => undefined)).toThrow(
      expect.objectContaining({ code: 'store_damaged', exitStatus: 76, message: expect.stringContaining(name) }),
    );
  });
});
