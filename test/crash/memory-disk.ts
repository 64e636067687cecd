/** A small real file system, in memory: full and read-only as a disk is. It needs root and the right to mount. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

function mount(...args: string[]): string | undefined {
  const { status, stderr, error } = spawnSync('mount', args, { encoding: 'utf8' });
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}

/** Why there is none here; undefined when there is. */
export function whyNoMount(): string | undefined {
  if (process.platform !== 'linux') return 'mount needs Linux';
  if (process.getuid?.() !== 0) return 'mount needs root';
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-mount-'));
  const refused = mount('-t', 'tmpfs', '-o', 'size=64k', 'none', folder);
  if (refused === undefined) spawnSync('umount', [folder]);
  rmdirSync(folder);
  return refused === undefined ? undefined : `mount is refused: ${refused}`;
}

export class MemoryDisk {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** @param bytes of the whole file system */
  static mount(path: string, bytes: number): MemoryDisk {
    mkdirSync(path, { recursive: true });
    const refused = mount('-t', 'tmpfs', '-o', `size=${bytes}`, 'none', path);
    if (refused !== undefined) throw new Error(`mount: ${refused}`);
    return new MemoryDisk(path);
  }

  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  resize(bytes: number): void {
    this.#remount(`size=${bytes}`);
  }

  /** What the kernel does when a disk fails: nothing can be written any more, however it was opened. */
  readOnly(): void {
    this.#remount('ro');
  }

  #remount(options: string): void {
    const refused = mount('-o', `remount,${options}`, this.path);
    if (refused !== undefined) throw new Error(`remount: ${refused}`);
  }

  /** Lets go of it, whoever still has a file open there. */
  unmount(): void {
    spawnSync('umount', ['-l', this.path]);
  }
}
