/**
 * Copies bytes at a bounded rate, and flushes them as it goes: a copy that is written as fast as the disk takes it would stand in
 * the way of every commit on that disk, and so would a flush of gigabytes at its end.
 */
import { statfsSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../errors.js';
import { BACKUP_CHUNK_BYTES, BACKUP_FLUSH_BYTES } from '../limits.js';

export interface PaceOptions {
  /** Bytes per second. */
  readonly rate: number;
  /** Free bytes that the file system of the target must keep. */
  readonly reserve: number;
  /** Told how many bytes have been copied. */
  readonly onProgress: (bytes: number) => void;
}

export class PacedCopy {
  /** Copied so far. */
  bytes = 0;
  readonly #o: PaceOptions;
  readonly #beganMs = performance.now();
  readonly #chunk = Buffer.alloc(BACKUP_CHUNK_BYTES);
  #unflushed = 0;

  constructor(options: PaceOptions) {
    this.#o = options;
  }

  /**
   * Copies a range to the same place of another file; gives where it ended, which is earlier than `end` where the source does.
   * @throws HoldfastError `backup_failed` when the target is nearly full, and what the file system throws
   */
  async range(from: FileHandle, to: FileHandle, start: number, end: number, path: string): Promise<number> {
    let at = start;
    while (at < end) {
      const { bytesRead } = await from.read(this.#chunk, 0, Math.min(this.#chunk.length, end - at), at);
      if (bytesRead === 0) break;
      for (let written = 0; written < bytesRead; )
        written += (await to.write(this.#chunk, written, bytesRead - written, at + written)).bytesWritten;
      at += bytesRead;
      await this.#account(bytesRead, to, path);
    }
    return at;
  }

  async #account(bytes: number, to: FileHandle, path: string): Promise<void> {
    this.bytes += bytes;
    this.#unflushed += bytes;
    if (this.#unflushed >= BACKUP_FLUSH_BYTES) {
      this.#unflushed = 0;
      await to.datasync();
      this.#assertRoom(path);
      this.#o.onProgress(this.bytes);
    }
    const aheadMs = (this.bytes / this.#o.rate) * 1000 - (performance.now() - this.#beganMs);
    if (aheadMs > 5) await sleep(aheadMs);
  }

  #assertRoom(path: string): void {
    const { bavail, bsize } = statfsSync(path);
    if (bavail * bsize < this.#o.reserve)
      throw new HoldfastError(
        'backup_failed',
        `the file system of ${path} has ${bavail * bsize} bytes left, ${this.#o.reserve} are kept for the server`,
        'name a target on another disk, or make room',
      );
  }
}
