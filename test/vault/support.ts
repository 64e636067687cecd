import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Store, StoreRange, StoreWriter } from '#src/store/port.js';
import { cleanUpAfterTest } from '../support/clean-up.js';

const folders: string[] = [];
cleanUpAfterTest(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A folder of its own for one test, removed after it. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  folders.push(folder);
  return folder;
}

/** The smallest Store: a sorted map that reuses its value buffer, so that a caller who keeps a value is found out. */
export class MapStore implements Store {
  readonly rows = new Map<string, Uint8Array>();
  commits = 0;
  failNext = false;
  #last: Uint8Array | undefined;

  commit(write: (writer: StoreWriter) => void): void {
    const staged = new Map(this.rows);
    write({
      put: (key, value) => void staged.set(Buffer.from(key).toString('hex'), Uint8Array.from(value)),
      remove: (key) => void staged.delete(Buffer.from(key).toString('hex')),
    });
    if (this.failNext) {
      this.failNext = false;
      throw new Error('commit failed');
    }
    this.rows.clear();
    for (const [key, value] of staged) this.rows.set(key, value);
    this.commits++;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const row = this.rows.get(Buffer.from(key).toString('hex'));
    this.#last?.fill(0xee);
    this.#last = row === undefined ? undefined : Uint8Array.from(row);
    return this.#last;
  }

  scan(range: StoreRange, visit: (key: Uint8Array, value: Uint8Array) => boolean | undefined): void {
    const start = range.start === undefined ? '' : Buffer.from(range.start).toString('hex');
    const end = range.end === undefined ? 'g' : Buffer.from(range.end).toString('hex');
    for (const key of [...this.rows.keys()].sort()) {
      if (key < start || key >= end) continue;
      if (visit(Buffer.from(key, 'hex'), Uint8Array.from(this.rows.get(key)!)) === false) return;
    }
  }

  refresh(): void {
    // one process, one map: always current
  }
  async close(): Promise<void> {
    // nothing to close
  }
}
