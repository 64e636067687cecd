/**
 * The environments of a data directory before a start uses them. A damaged one that holds the truth ends the start with a
 * diagnosis. A damaged checkpoint is removed: the shard is built from its journal.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '../errors.js';
import { listLaneFolders } from '../journal/lane-directory.js';
import { STRUCTURE_PAGES_AT_START } from '../limits.js';
import type { DirectoryPaths } from '../store/data-directory.js';
import { assertSoundEnvironment } from '../store/sound-environment.js';

/** Folders of environments that nothing else can be made of, with their data files. */
export function lastingEnvironments({ journal, system, audit, vault, webhooks }: DirectoryPaths): string[] {
  const lanes = existsSync(journal) ? listLaneFolders(journal).map(({ path }) => path) : [];
  return [...lanes, system, audit, vault, webhooks].filter((folder) => existsSync(join(folder, 'data.mdb')));
}

/**
 * Only before anybody has opened them.
 * @param onDiscarded is told of each checkpoint that was removed: its folder, and why
 * @throws HoldfastError `store_truncated`, `store_damaged`
 */
export function assertSoundData(paths: DirectoryPaths, onDiscarded: (folder: string, why: string) => void): void {
  for (const folder of lastingEnvironments(paths)) assertSoundEnvironment(folder, STRUCTURE_PAGES_AT_START);
  for (const name of readdirSync(paths.state)) {
    const folder = join(paths.state, name);
    try {
      assertSoundEnvironment(folder, STRUCTURE_PAGES_AT_START);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      rmSync(folder, { recursive: true });
      onDiscarded(folder, error.message);
    }
  }
}
