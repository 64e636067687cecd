/**
 * The look at an environment before it is used: its file is whole, and its pages fit together (lmdb-file.ts, lmdb-structure.ts).
 * A start looks at a bounded part, the newest; a verification at all of it, beside a running server too.
 */
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { assertWholeDataFile, newerOf, readMetas, storeDamaged } from './lmdb-file.js';
import { openLmdbStore } from './lmdb-store.js';
import { structureDefect } from './lmdb-structure.js';

/**
 * @param pagesMax pages of each tree that are read
 * @throws HoldfastError `store_truncated`, `store_damaged`
 */
export function assertSoundEnvironment(folder: string, pagesMax: number): void {
  const path = join(folder, 'data.mdb');
  assertWholeDataFile(path);
  const defect = structureDefect(path, { pagesMax });
  if (defect !== undefined) throw storeDamaged(path, defect);
}

/**
 * What is wrong with the whole environment, undefined when nothing is. Another process may be writing it.
 * @throws HoldfastError `store_truncated`
 */
export async function environmentDefect(folder: string): Promise<string | undefined> {
  const path = join(folder, 'data.mdb');
  if (!existsSync(path)) return undefined;
  const before = newestTransaction(path);
  const defect = structureDefect(path);
  if (defect === undefined || newestTransaction(path) === before) return defect;
  // It was written meanwhile. A snapshot keeps the pages of this moment, and of every later one, from being reused.
  const store = openLmdbStore(folder, { readOnly: true });
  try {
    store.get(Uint8Array.of(0));
    return structureDefect(path);
  } finally {
    await store.close();
  }
}

function newestTransaction(path: string): bigint {
  const file = openSync(path, 'r');
  try {
    const metas = readMetas(file, path);
    return metas === undefined ? 0n : newerOf(metas).txn;
  } finally {
    closeSync(file);
  }
}
