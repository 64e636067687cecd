/**
 * Exports a lane folder that nothing is appended to any more: a copy of its data, checked frame by frame against the seal of the
 * folder, with that seal beside it. Done again it finds its own work, checks it again and changes nothing.
 *
 *   <to>/lane-0-000001.new/    being written, or left behind by a process that ended
 *   <to>/lane-0-000001/        data.mdb, manifest.json: whole
 */
import { closeSync, copyFileSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { HoldfastError } from '../errors.js';
import { syncDirectory } from '../store/lmdb-store.js';
import { writeDurably } from './anchor-writer.js';
import { inspectFolder, type LaneManifest, manifestText, readManifest, sealFolder } from './lane-manifest.js';

/**
 * @param folder of the journal @param to folder that takes the copy; made when it is missing
 * @throws HoldfastError `frame_corrupt`, `chain_broken` of the folder, `bad_input_file` when another folder of this name is there
 */
export async function exportFolder(
  folder: string,
  to: string,
  onProgress: (records: number) => void,
): Promise<LaneManifest> {
  const manifest = await sealFolder(folder, onProgress);
  const target = join(to, basename(folder));
  if (existsSync(target)) {
    assertSame(target, readManifest(target), manifest);
    assertSame(target, await inspectFolder(target, onProgress), manifest);
    return manifest;
  }
  mkdirSync(to, { recursive: true, mode: 0o700 });
  const draft = `${target}.new`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  const copy = join(draft, 'data.mdb');
  copyFileSync(join(folder, 'data.mdb'), copy);
  flush(copy);
  const { name } = manifest;
  assertSame(draft, { ...(await inspectFolder(draft, onProgress)), name }, manifest);
  // What reading left; the copy is opened again by whoever needs it.
  rmSync(join(draft, 'lock.mdb'), { force: true });
  writeDurably(join(draft, 'manifest.json'), manifestText(manifest));
  syncDirectory(draft);
  renameSync(draft, target);
  syncDirectory(to);
  syncDirectory(dirname(to));
  return manifest;
}

function assertSame(path: string, found: LaneManifest | undefined, wanted: LaneManifest): void {
  if (JSON.stringify(found) === JSON.stringify(wanted)) return;
  throw new HoldfastError(
    'bad_input_file',
    `${path} is not a copy of ${wanted.name}: it has other frames`,
    'export to an empty folder',
  );
}

function flush(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
