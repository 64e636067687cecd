/**
 * The store of the fingerprint segments. Segments are derived data, so no damage to them is worth more than a rebuild:
 *
 * - A read that the database refuses (a page of it is damaged) is `segment_corrupt`, like a value that fails its checksum.
 *   Whoever meets it discards the segments of that shard, and they are built from the journal again.
 * - What cannot even be discarded in place is marked, and the next start removes the whole folder before anybody maps it. So
 *   it does with a data file whose pages are not there or do not fit together.
 */
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '../errors.js';
import { SEGMENT_MAP_BYTES, STRUCTURE_PAGES_AT_START } from '../limits.js';
import { openLmdbStore } from '../store/lmdb-store.js';
import type { Store, StoreRange, StoreWriter } from '../store/port.js';
import { assertSoundEnvironment } from '../store/sound-environment.js';
import { segmentCorrupt, shardOfKey } from './segment-format.js';

/** Store of the segments, as `openSegmentStore` gives it. */
export type SegmentStore = Store;

/** A file in the folder that asks the next start to remove everything in it. */
const MARK = 'discard';

/** Opens the segments' environment, for the task and for every shard thread alike: all must ask for the same map. */
export function openSegmentStore(segmentsDir: string): SegmentStore {
  return new DamageTellingStore(openLmdbStore(segmentsDir, { mapBytes: SEGMENT_MAP_BYTES }));
}

/** Leaves a mark: these segments could not be discarded in place. */
export function markSegments(segmentsDir: string): void {
  writeFileSync(join(segmentsDir, MARK), '');
}

/**
 * Empties the folder when it was marked, or when its data file is cut short or damaged. Only before anybody has opened it.
 * @returns why, or undefined when the folder stays as it is
 */
export function removeUnusableSegments(segmentsDir: string): string | undefined {
  const why = existsSync(join(segmentsDir, MARK)) ? 'they could not be discarded in place' : defectOf(segmentsDir);
  if (why === undefined) return undefined;
  // The mark goes last: a crash in between leaves it, and the next start goes on.
  for (const name of readdirSync(segmentsDir)) if (name !== MARK) rmSync(join(segmentsDir, name), { recursive: true });
  rmSync(join(segmentsDir, MARK), { force: true });
  return why;
}

function defectOf(segmentsDir: string): string | undefined {
  try {
    assertSoundEnvironment(segmentsDir, STRUCTURE_PAGES_AT_START);
    return undefined;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return error.message;
  }
}

/** A store whose failing reads are damage of the segments. */
export class DamageTellingStore implements Store {
  readonly #inner: Store;

  constructor(inner: Store) {
    this.#inner = inner;
  }

  commit(write: (writer: StoreWriter) => void): void {
    this.#inner.commit(write);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    try {
      return this.#inner.get(key);
    } catch (error) {
      throw unreadable(error, key);
    }
  }

  scan(range: StoreRange, visit: (key: Uint8Array, value: Uint8Array) => boolean | undefined): void {
    let thrown: { error: unknown } | undefined;
    try {
      this.#inner.scan(range, (key, value) => {
        try {
          return visit(key, value);
        } catch (error) {
          thrown = { error };
          return false;
        }
      });
    } catch (error) {
      throw unreadable(error, range.start);
    }
    // The visitor's own error is not one of the store.
    if (thrown !== undefined) throw thrown.error;
  }

  refresh(): void {
    this.#inner.refresh();
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }
}

function unreadable(error: unknown, key: Uint8Array | undefined): HoldfastError {
  const text = error instanceof Error ? error.message : String(error);
  return segmentCorrupt(`the store cannot be read: ${text}`, key === undefined ? 0 : shardOfKey(key), 0);
}
