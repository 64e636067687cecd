import { spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HoldfastError } from '#src/errors.js';
import { assertWholeDataFile } from '#src/store/lmdb-file.js';
import { openLmdbStore } from '#src/store/lmdb-store.js';
import { MemoryStore } from '#src/store/memory-store.js';
import type { Store, StoreRange } from '#src/store/port.js';

import { built } from '../support/built.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-store.'));
});
afterEach(() => rmSync(root, { recursive: true }));

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return `${(error as HoldfastError).code}: ${(error as Error).message}`;
  }
  return 'no error';
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function rowsIn(store: Store, range: StoreRange = {}): string[] {
  const rows: string[] = [];
  store.scan(range, (key, value) => {
    rows.push(`${hex(key)}=${hex(value)}`);
    return true;
  });
  return rows;
}

describe('both adapters behave alike', () => {
  const key = fc.uint8Array({ minLength: 1, maxLength: 3 }).map((bytes) => bytes.map((byte) => byte % 6));
  const bound = fc.option(key, { nil: undefined });
  const operation = fc.oneof(
    fc.record({ op: fc.constant('put' as const), key, value: fc.uint8Array({ maxLength: 20 }) }),
    fc.record({ op: fc.constant('remove' as const), key, value: fc.constant(new Uint8Array(0)) }),
  );
  const range = fc.record({
    start: bound,
    end: bound,
    reverse: fc.boolean(),
    limit: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
  });

  it('commits, gets and scans', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(operation, { maxLength: 8 }), { maxLength: 6 }),
        fc.array(range, { maxLength: 5 }),
        async (commits, ranges) => {
          const lmdb = openLmdbStore(join(root, `run-${run++}`), { mapBytes: 2 ** 24 });
          const memory = new MemoryStore();
          const keys: Uint8Array[] = [];
          for (const commit of commits) {
            for (const store of [lmdb, memory])
              store.commit((writer) => {
                for (const one of commit) {
                  if (one.op === 'put') writer.put(one.key, one.value);
                  else writer.remove(one.key);
                  keys.push(one.key);
                }
              });
            for (const one of keys) expect(lmdb.get(one)?.slice()).toEqual(memory.get(one)?.slice());
          }
          for (const { start, end, reverse, limit } of ranges) {
            const asked = { ...(start && { start }), ...(end && { end }), reverse, ...(limit && { limit }) };
            expect(rowsIn(lmdb, asked)).toEqual(rowsIn(memory, asked));
          }
          await lmdb.close();
        },
      ),
      { numRuns: 25 },
    );
  });

  it('a visitor ends a scan with false', async () => {
    const lmdb = openLmdbStore(join(root, 'stop'));
    for (const store of [lmdb, new MemoryStore()]) {
      store.commit((writer) => {
        for (let i = 0; i < 10; i++) writer.put(Uint8Array.of(i), Uint8Array.of(i));
      });
      let visits = 0;
      store.scan({}, () => ++visits < 3);
      expect(visits).toBe(3);
    }
    await lmdb.close();
  });
});

describe('the LMDB adapter', () => {
  it('reopens with everything that was committed', async () => {
    const path = join(root, 'a folder', 'named.x');
    const store = openLmdbStore(path);
    for (let i = 0; i < 50; i++)
      store.commit((writer) => writer.put(Uint8Array.of(0, i), new Uint8Array(i * 500).fill(i)));
    const rows = rowsIn(store);
    await store.close();
    const again = openLmdbStore(path, { readOnly: true });
    expect(rowsIn(again)).toEqual(rows);
    expect(() => again.commit((writer) => writer.put(Uint8Array.of(1), Uint8Array.of(1)))).toThrow(/read-only/);
    await again.close();
  });

  it('keeps one snapshot until refresh, then sees the newest commit', async () => {
    const writer = openLmdbStore(join(root, 'a'));
    const reader = openLmdbStore(join(root, 'a'));
    const key = Uint8Array.of(0);
    const put = (value: number) => writer.commit((to) => to.put(key, Uint8Array.of(value)));
    put(1);
    expect(reader.get(key)?.[0]).toBe(1);
    put(2);
    expect(reader.get(key)?.[0]).toBe(1);
    expect(writer.get(key)?.[0]).toBe(2);
    reader.refresh();
    expect(reader.get(key)?.[0]).toBe(2);
    // The writer's own store may close first: the environment lives as long as someone has it.
    await writer.close();
    reader.refresh();
    expect(reader.get(key)?.[0]).toBe(2);
    await reader.close();
  });

  it('does not grow under endless commits and reads of a thread that never turns its event loop', async () => {
    const store = openLmdbStore(join(root, 'busy'));
    const key = Uint8Array.of(0);
    const turn = (count: number) => {
      for (let i = 0; i < count; i++) {
        store.commit((to) => to.put(key, new Uint8Array(9000).fill(i)));
        expect(store.get(key)?.[0]).toBe(i & 0xff);
        store.refresh();
      }
    };
    turn(30);
    const size = statSync(join(root, 'busy', 'data.mdb')).size;
    const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    turn(150);
    expect(statSync(join(root, 'busy', 'data.mdb')).size).toBeLessThanOrEqual(size * 2);
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBe(timers);
    await store.close();
  });

  it('a write that fails is commit_failed, shows nothing, and stays failed', async () => {
    // The limit on the size of files makes pwrite fail inside the commit, as a full disk would.
    const child = `
      import { openLmdbStore } from ${JSON.stringify(built('store/lmdb-store.js'))};
      const store = openLmdbStore(process.argv[1]);
      const said = [];
      let committed = 0;
      for (let i = 1; i < 100 && said.length < 2; i++) {
        try {
          store.commit((to) => to.put(Uint8Array.of(i), new Uint8Array(30_000).fill(i)));
          committed++;
        } catch (error) {
          said.push(error.code + ' ' + error.message);
        }
      }
      let rows = 0;
      store.scan({}, () => { rows++; return true; });
      console.log(JSON.stringify({ committed, rows, said }));`;
    const shell = 'trap \'\' XFSZ; ulimit -f 1000; exec "$0" "$@"';
    const args = ['-c', shell, process.execPath, '--input-type=module', '-e', child, join(root, 'limited')];
    const result = spawnSync('bash', args, { encoding: 'utf8', timeout: 20_000 });
    expect(result.stderr).toBe('');
    const { committed, rows, said } = JSON.parse(result.stdout) as { committed: number; rows: number; said: string[] };
    expect(committed).toBeGreaterThan(5);
    expect(rows).toBe(committed);
    expect(said[0]).toMatch(/^commit_failed commit to .*limited failed: Input\/output error/);
    expect(said[1]).toMatch(/^commit_failed .*an earlier commit failed/);
    const survived = openLmdbStore(join(root, 'limited'));
    expect(rowsIn(survived).length).toBe(committed);
    await survived.close();
  });

  it('grows beyond the address space it was given', async () => {
    const store = openLmdbStore(join(root, 'small'), { mapBytes: 1 << 17 });
    for (let i = 1; i <= 40; i++) store.commit((to) => to.put(Uint8Array.of(i), new Uint8Array(30_000).fill(i)));
    expect(rowsIn(store).length).toBe(40);
    await store.close();
  });

  it('an error of the caller inside the transaction leaves nothing behind and does no harm', async () => {
    const store = openLmdbStore(join(root, 'throws'));
    expect(() =>
      store.commit((to) => {
        to.put(Uint8Array.of(1), Uint8Array.of(1));
        throw new Error('mine');
      }),
    ).toThrow('mine');
    expect(store.get(Uint8Array.of(1))).toBeUndefined();
    store.commit((to) => to.put(Uint8Array.of(2), Uint8Array.of(2)));
    expect(rowsIn(store)).toEqual(['02=02']);
    await store.close();
  });

  it('says which file is damaged when a key is out of its order', async () => {
    const folder = join(root, 'order');
    const store = openLmdbStore(folder);
    store.commit((writer) => {
      for (const name of ['key-a', 'key-b', 'key-c', 'key-d']) writer.put(Buffer.from(name), Buffer.from('value'));
    });
    await store.close();
    const file = join(folder, 'data.mdb');
    const bytes = readFileSync(file);
    for (let at = bytes.indexOf('key-b'); at >= 0; at = bytes.indexOf('key-b', at + 1)) bytes[at] = 0x7a;
    writeFileSync(file, bytes);
    const damaged = openLmdbStore(folder, { readOnly: true });
    expect(codeOf(() => rowsIn(damaged))).toBe(
      `store_damaged: ${file} is damaged: a key stands where no search finds it`,
    );
    await damaged.close();
  });

  it('refuses to open read-only what is not there, and what cannot be an environment', () => {
    expect(codeOf(() => openLmdbStore(join(root, 'none'), { readOnly: true }))).toMatch(
      /^data_dir_unusable: .*does not exist/,
    );
    writeFileSync(join(root, 'file'), 'x');
    expect(codeOf(() => openLmdbStore(join(root, 'file', 'below')))).toMatch(/^data_dir_unusable/);
    mkdirSync(join(root, 'garbage'));
    writeFileSync(join(root, 'garbage', 'data.mdb'), 'this is no database');
    expect(codeOf(() => openLmdbStore(join(root, 'garbage')))).toMatch(/^store_truncated: .*meta page/);
  });
});

describe('the look at the data file before it is mapped', () => {
  async function filled(): Promise<string> {
    const path = join(root, 'whole');
    const store = openLmdbStore(path);
    for (let i = 0; i < 40; i++)
      store.commit((to) => to.put(Uint8Array.of(i), new Uint8Array(i % 3 === 0 ? 20_000 : 700).fill(i)));
    await store.close();
    return join(path, 'data.mdb');
  }

  it('accepts whole files, missing files and empty files', async () => {
    const file = await filled();
    assertWholeDataFile(file);
    assertWholeDataFile(join(root, 'no such file'));
    writeFileSync(join(root, 'empty'), '');
    assertWholeDataFile(join(root, 'empty'));
  });

  it('refuses a file cut anywhere, before LMDB can touch it', async () => {
    const file = await filled();
    const pages = statSync(file).size / 4096;
    for (const cut of [1, 2, 3, 5, 8, pages >> 1, pages - 3, pages - 2, pages - 1]) {
      const folder = join(root, `cut-${cut}`);
      mkdirSync(folder);
      copyFileSync(file, join(folder, 'data.mdb'));
      truncateSync(join(folder, 'data.mdb'), (pages - cut) * 4096);
      expect(
        codeOf(() => openLmdbStore(folder)),
        `${cut} of ${pages} pages cut`,
      ).toMatch(/^store_truncated: .*data\.mdb/);
    }
    const odd = join(root, 'odd');
    mkdirSync(odd);
    writeFileSync(join(odd, 'data.mdb'), readFileSync(file).subarray(0, -1));
    expect(codeOf(() => openLmdbStore(odd))).toMatch(/^store_truncated/);
  });

  it('accepts a file that is shorter than its last page number when nothing beyond its end is in use', async () => {
    const file = await filled();
    // The meta page with the higher transaction claims two pages more than there are, as after pages that were allocated
    // and given back within one transaction.
    const bytes = readFileSync(file);
    const at = [0, 4096].map((page) => page + 24 + 24 + 96);
    const newest = bytes.readBigUInt64LE(at[0]! + 8) > bytes.readBigUInt64LE(at[1]! + 8) ? at[0]! : at[1]!;
    const claim = Buffer.alloc(8);
    claim.writeBigUInt64LE(bytes.readBigUInt64LE(newest) + 2n);
    const handle = openSync(file, 'r+');
    writeSync(handle, claim, 0, 8, newest);
    closeSync(handle);
    assertWholeDataFile(file);
    truncateSync(file, statSync(file).size - 4096);
    expect(codeOf(() => assertWholeDataFile(file))).toMatch(/^store_truncated/);
  });
});

describe('the memory adapter', () => {
  it('loses what was not synced, and only that', () => {
    const store = new MemoryStore();
    store.faults = { unsyncedFrom: 3 };
    for (let i = 1; i <= 4; i++) store.commit((to) => to.put(Uint8Array.of(i), Uint8Array.of(i)));
    expect(rowsIn(store).length).toBe(4);
    store.crash();
    expect(rowsIn(store)).toEqual(['01=01', '02=02']);
  });
});

describe('a store that is closed', () => {
  const openFiles = (): string[] =>
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        const path = readlinkSync(`/proc/self/fd/${fd}`);
        return path.startsWith(root) ? [path] : [];
      } catch {
        // The descriptor of this reading.
        return [];
      }
    });

  // What holds the journal's files is let go of in many places, some of which cannot wait.
  it.runIf(process.platform === 'linux').each([false, true])(
    'has closed its files when the call returns (read-only: %s)',
    async (readOnly) => {
      const path = join(root, 'closed');
      const made = openLmdbStore(path);
      made.commit((writer) => writer.put(Buffer.from('a'), Buffer.from('b')));
      await made.close();
      const store = openLmdbStore(path, { readOnly });
      expect(Buffer.from(store.get(Buffer.from('a'))!)).toEqual(Buffer.from('b'));
      expect(openFiles()).not.toEqual([]);
      const closed = store.close();
      expect(openFiles()).toEqual([]);
      await closed;
    },
  );
});
