/** Small real file systems, full and broken as a disk can be. They need root and the right to mount. */
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync, statfsSync } from 'node:fs';
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
    remount(this.path, `size=${bytes}`);
  }

  /** Lets go of it, whoever still has a file open there. */
  unmount(): void {
    spawnSync('umount', ['-l', this.path]);
  }
}

function remount(path: string, options: string): void {
  const refused = mount('-o', `remount,${options}`, path);
  if (refused !== undefined) throw new Error(`remount: ${refused}`);
}

/** Why there is no ext4 in a file here; undefined when there is. */
export function whyNoImage(): string | undefined {
  const refused = whyNoMount();
  if (refused !== undefined) return refused;
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-image-'));
  try {
    new ImageDisk(folder, 2 ** 24).unmount();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** An ext4 of its own in a file: data are on a disk, and an error makes it read-only for good. */
export class ImageDisk {
  readonly path: string;
  readonly #image: string;

  constructor(folder: string, bytes: number) {
    this.#image = join(folder, 'image');
    this.path = join(folder, 'mounted');
    mkdirSync(this.path, { recursive: true });
    const file = openSync(this.#image, 'w');
    ftruncateSync(file, bytes);
    closeSync(file);
    const { status, stderr, error } = spawnSync('mkfs.ext4', ['-q', this.#image], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`mkfs.ext4: ${error?.message ?? stderr}`);
    this.mount();
  }

  mount(): void {
    const refused = mount('-o', 'loop,errors=remount-ro', this.#image, this.path);
    if (refused !== undefined) throw new Error(`mount: ${refused}`);
  }

  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /** What the kernel does when the disk fails: from now on nothing can be written, however it was opened. */
  fail(): void {
    remount(this.path, 'abort');
  }

  unmount(): void {
    spawnSync('umount', ['-l', this.path]);
  }
}
