import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repositoryRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/**
 * Path of a file among the reference vectors that lie beside the repository (`../shared`, or the folder that
 * HOLDFAST_TEST_SHARED names), or undefined when it is not there: tests that need it then skip and say so.
 */
export function sharedPath(...parts: string[]): string | undefined {
  const root = process.env.HOLDFAST_TEST_SHARED ?? join(repositoryRoot, '..', 'shared');
  const path = join(root, ...parts);
  return existsSync(path) ? path : undefined;
}
