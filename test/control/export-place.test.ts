import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isWithin } from '#src/control/journal/export-place.js';
import { temporaryFolder } from '../support/server.js';

test('the data directory is no place for an export, by whatever path, and one beside it is', () => {
  const folder = temporaryFolder('place');
  const root = join(folder, 'data');
  mkdirSync(join(root, 'journal'), { recursive: true });
  symlinkSync(root, join(folder, 'link'));
  symlinkSync(join(root, 'journal'), join(folder, 'deep'));
  for (const path of ['data', 'data/journal', 'data/new/more', 'x/../data', 'link', 'link/new', 'deep', 'deep/new'])
    expect(isWithin(root, `${folder}/${path}`), path).toBe(true);
  for (const path of ['', 'data2', 'exports', 'exports/data', 'link/../exports', 'data/../exports', '..data'])
    expect(isWithin(root, `${folder}/${path}`), path).toBe(false);
  expect(isWithin(join(folder, 'link'), join(root, 'journal'))).toBe(true);
  expect(isWithin(root, join(root, '..data'))).toBe(true);
});
