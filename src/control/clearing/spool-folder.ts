/**
 * The folder of spooled clearing files. A file is written under a name of its own and renamed when it is whole and durable; what
 * an upload that was cut off leaves is removed at once, or at the next start.
 */
import { createHash } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ClearingDetector, type DetectedFile } from '../../clearing/reader.js';
import { type SpoolKey, SpoolWriter } from '../../vault/spool.js';

const PART = '.part';

export interface SpooledFile {
  readonly sha256: string;
  readonly bytes: number;
  readonly detected: DetectedFile;
}

/** Keys that may change while the server runs (vault/pan-key-ring.ts): the one for new files first. */
export interface SpoolKeys {
  readonly all: readonly SpoolKey[];
}

export class SpoolFolder {
  readonly #folder: string;
  readonly #ring: SpoolKeys;

  constructor(folder: string, ring: SpoolKeys) {
    this.#folder = folder;
    this.#ring = ring;
  }

  /** The key for new files first. */
  get keys(): readonly SpoolKey[] {
    return this.#ring.all;
  }

  path(id: string): string {
    return join(this.#folder, id);
  }

  /**
   * Spools a stream. Nothing is left of it when it fails.
   * @param accept looks at every chunk before it is written, with the bytes so far; it throws to refuse the file
   * @throws what the stream, `accept` and the file system throw
   */
  async take(
    id: string,
    stream: AsyncIterable<Uint8Array>,
    accept: (bytes: number, chunk: Uint8Array) => void,
  ): Promise<SpooledFile> {
    const hash = createHash('sha256');
    const detector = new ClearingDetector();
    const part = this.path(id) + PART;
    let bytes = 0;
    const writer = await SpoolWriter.create(part, this.keys[0]!);
    try {
      try {
        for await (const chunk of stream) {
          bytes += chunk.length;
          accept(bytes, chunk);
          hash.update(chunk);
          detector.push(chunk);
          await writer.write(chunk);
        }
        await writer.finish();
      } finally {
        await writer.close();
      }
      await rename(part, this.path(id));
      await this.#sync();
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
    return { sha256: hash.digest('hex'), bytes, detected: detector.finish() };
  }

  async has(id: string): Promise<boolean> {
    try {
      await stat(this.path(id));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }

  async remove(id: string): Promise<void> {
    await rm(this.path(id), { force: true });
  }

  /** Gives the content of one to another, whose own is lost. */
  async move(from: string, to: string): Promise<void> {
    await rename(this.path(from), this.path(to));
    await this.#sync();
  }

  /** Removes everything that belongs to no file of these; gives how many. */
  clean(kept: ReadonlySet<string>): number {
    const names = readdirSync(this.#folder).filter((name) => !kept.has(name));
    for (const name of names) rmSync(join(this.#folder, name), { force: true });
    return names.length;
  }

  /** Makes the names in the folder durable. */
  async #sync(): Promise<void> {
    const folder = await open(this.#folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}
