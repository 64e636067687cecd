import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLmdbStore } from '#src/store/lmdb-store.js';
import { structureDefect } from '#src/store/lmdb-structure.js';
import { assertSoundEnvironment, environmentDefect } from '#src/store/sound-environment.js';

const PAGE = 4096;
const HEAD = 24;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-structure.'));
});
afterEach(() => rmSync(root, { recursive: true }));

const key = (n: number): Buffer => {
  const bytes = Buffer.alloc(10);
  bytes.writeUInt32BE(n);
  return bytes;
};

/** A store with a tree of two levels, values with pages of their own, and pages that are free. Gives its data file. */
async function filled(folder = join(root, 'filled')): Promise<string> {
  const store = openLmdbStore(folder, { mapBytes: 2 ** 28 });
  for (let round = 0; round < 30; round++) {
    store.commit((to) => {
      for (let n = 0; n < 40; n++) to.put(key(round * 40 + n), Buffer.alloc(n % 10 === 0 ? 9000 : 120, n));
      if (round % 7 === 6) for (let n = 0; n < 100; n++) to.remove(key((round - 5) * 40 + n));
    });
  }
  await store.close();
  return join(folder, 'data.mdb');
}

/** Offset of the meta page that counts. */
function metaAt(file: Buffer): number {
  const txn = (at: number): bigint => file.readBigUInt64LE(at + HEAD + 128);
  return txn(PAGE) > txn(0) ? PAGE : 0;
}

/** Offset of the root of the data. */
const rootAt = (file: Buffer): number => Number(file.readBigUInt64LE(metaAt(file) + HEAD + 112)) * PAGE;

/** Offset of the last child of a branch. */
function lastChildAt(file: Buffer, branch: number): number {
  const nodes = file.readUInt16LE(branch + 20) >> 1;
  const node = branch + HEAD + file.readUInt16LE(branch + HEAD + (nodes - 1) * 2);
  return file.readUInt32LE(node) * PAGE;
}

/** Offset of node i of a page. */
const nodeAt = (file: Buffer, page: number, i: number): number => page + HEAD + file.readUInt16LE(page + HEAD + i * 2);

describe('the structure of a data file', () => {
  it.each([0, PAGE])('is none where the page at %i does not say that it is a meta page', async (at) => {
    const file = await filled();
    const bytes = readFileSync(file);
    bytes[at + 18]! ^= 0x08;
    writeFileSync(file, bytes);
    expect(() => structureDefect(file)).toThrow(expect.objectContaining({ code: 'store_truncated' }));
  });

  it('is sound at every commit of a random life, beside readers of older moments too', async () => {
    let run = 0;
    const change = fc.record({
      n: fc.nat(400),
      bytes: fc.constantFrom(0, 30, 500, 3000, 9000, 40_000),
      remove: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(change, { maxLength: 40 }), { maxLength: 25 }), async (commits) => {
        const folder = join(root, `life-${run++}`);
        const store = openLmdbStore(folder, { mapBytes: 2 ** 28 });
        const file = join(folder, 'data.mdb');
        expect(structureDefect(file)).toBeUndefined();
        for (const [i, changes] of commits.entries()) {
          // A snapshot that is kept keeps freed pages from being used again.
          if (i % 5 === 0) store.get(key(1));
          store.commit((to) => {
            for (const { n, bytes, remove } of changes)
              remove ? to.remove(key(n)) : to.put(key(n), Buffer.alloc(bytes));
          });
          expect(structureDefect(file), `commit ${i} of run ${run}`).toBeUndefined();
        }
        await store.close();
        expect(structureDefect(file)).toBeUndefined();
      }),
      { numRuns: 40 },
    );
  });

  it('knows nothing wrong of no file and of an empty one', () => {
    expect(structureDefect(join(root, 'none'))).toBeUndefined();
    writeFileSync(join(root, 'empty'), '');
    expect(structureDefect(join(root, 'empty'))).toBeUndefined();
  });

  const meta = (file: Buffer, offset: number, change: (value: bigint) => bigint): void => {
    const at = metaAt(file) + HEAD + offset;
    file.writeBigUInt64LE(change(file.readBigUInt64LE(at)), at);
  };
  it.each<[string, (file: Buffer) => void, RegExp]>([
    ['the newest transaction is one lower', (f) => meta(f, 128, (txn) => txn - 1n), /meta pages have the transactions/],
    [
      'a flag of the file differs',
      (f) => f.writeUInt8(f.readUInt8(PAGE + HEAD + 29) ^ 0x20, PAGE + HEAD + 29),
      /what no commit changes/,
    ],
    [
      'a flag of the data differs',
      (f) => f.writeUInt8(f.readUInt8(HEAD + 76) ^ 4, HEAD + 76),
      /what no commit changes/,
    ],
    [
      'the newest transaction is far ahead',
      (f) => meta(f, 128, (txn) => txn + 1024n),
      /meta pages have the transactions/,
    ],
    ['the root is another page', (f) => meta(f, 112, (page) => page - 1n), /data/],
    ['the root lies beyond the last page', (f) => meta(f, 112, (page) => page + 65536n), /out of the range of pages/],
    ['an entry more is said', (f) => meta(f, 104, (count) => count + 1n), /entries, its meta page says/],
    ['a leaf less is said', (f) => meta(f, 88, (count) => count - 1n), /leaves, its meta page says/],
    ['the free list is said to be elsewhere', (f) => meta(f, 64, (page) => page ^ 1n), /free list/],
    [
      'the last page is said to be an earlier one',
      (f) => meta(f, 120, (page) => page >> 1n),
      /is the last|out of the range|the last one is/,
    ],
    ['the last page lies beyond the map', (f) => meta(f, 120, (page) => page | (1n << 40n)), /beyond its map/],
    [
      'a branch loses its last child',
      (f) => f.writeUInt16LE(f.readUInt16LE(rootAt(f) + 20) - 2, rootAt(f) + 20),
      /its meta page says/,
    ],
    [
      'a branch says another page',
      (f) => f.writeUInt32LE(f.readUInt32LE(nodeAt(f, rootAt(f), 1)) ^ 2, nodeAt(f, rootAt(f), 1)),
      /page/,
    ],
    [
      'a leaf loses its last entry',
      (f) => {
        const at = lastChildAt(f, rootAt(f));
        f.writeUInt16LE(f.readUInt16LE(at + 20) - 2, at + 20);
      },
      /entries, its meta page says/,
    ],
    ['a leaf is none', (f) => f.writeUInt16LE(4, lastChildAt(f, rootAt(f)) + 18), /no branch, no leaf/],
    [
      'a leaf is of the future',
      (f) => f.writeUInt32LE(99_999, lastChildAt(f, rootAt(f)) + 8),
      /is of transaction 99999/,
    ],
    ['a leaf is another page', (f) => f.writeUInt32LE(7, lastChildAt(f, rootAt(f))), /says that it is page 7/],
    [
      'a key is lower than the one before',
      (f) => f.writeUInt8(0xff, nodeAt(f, lastChildAt(f, rootAt(f)), 1) + 8),
      /do not rise/,
    ],
    [
      'a node lies outside of its page',
      (f) => f.writeUInt16LE(0xfff0, lastChildAt(f, rootAt(f)) + HEAD),
      /outside of its page/,
    ],
    [
      'a key lies outside of its page',
      (f) => f.writeUInt16LE(0x7fff, nodeAt(f, lastChildAt(f, rootAt(f)), 1) + 6),
      /outside of its page/,
    ],
    [
      'a value lies outside of its page',
      (f) => f.writeUInt16LE(1, nodeAt(f, lastChildAt(f, rootAt(f)), 1) + 2),
      /outside of its page/,
    ],
  ])('%s: told', async (_, damage, expected) => {
    const path = await filled();
    expect(structureDefect(path)).toBeUndefined();
    const file = readFileSync(path);
    damage(file);
    writeFileSync(path, file);
    expect(structureDefect(path)).toMatch(expected);
    await expect(environmentDefect(join(root, 'filled'))).resolves.toMatch(expected);
    expect(() => assertSoundEnvironment(join(root, 'filled'), 1000)).toThrow(
      expect.objectContaining({ code: 'store_damaged', exitStatus: 76 }),
    );
  });

  it('a page in use that is in the list of free pages: told, because the next commit would write over it', async () => {
    const path = await filled();
    const file = readFileSync(path);
    const free = Number(file.readBigUInt64LE(metaAt(file) + HEAD + 64)) * PAGE;
    const node = nodeAt(file, free, 0);
    const list = node + 8 + file.readUInt16LE(node + 6);
    expect(file.readBigInt64LE(list)).toBeGreaterThan(0n);
    let word = list + 8;
    while (file.readBigInt64LE(word) <= 0n) word += 8;
    file.writeBigInt64LE(BigInt(lastChildAt(file, rootAt(file)) / PAGE), word);
    writeFileSync(path, file);
    expect(structureDefect(path)).toMatch(/is in use and in the list of free pages/);
  });

  it('looks at the newest keys first when it is bounded', async () => {
    const path = await filled();
    const file = readFileSync(path);
    const newest = Buffer.from(file);
    newest.writeUInt16LE(4, lastChildAt(file, rootAt(file)) + 18);
    writeFileSync(path, newest);
    expect(structureDefect(path, { pagesMax: 2 })).toMatch(/no branch, no leaf/);
    const oldest = Buffer.from(file);
    const first = file.readUInt32LE(nodeAt(file, rootAt(file), 0)) * PAGE;
    oldest.writeUInt16LE(4, first + 18);
    writeFileSync(path, oldest);
    expect(structureDefect(path, { pagesMax: 2 })).toBeUndefined();
    expect(structureDefect(path)).toMatch(/no branch, no leaf/);
  });

  it('a data version that LMDB cannot read is refused before LMDB meets it', async () => {
    const path = await filled();
    const file = readFileSync(path);
    for (const at of [HEAD + 4, PAGE + HEAD + 4]) {
      const other = Buffer.from(file);
      other.writeUInt8(other.readUInt8(at) ^ 0x80, at);
      copyFileSync(path, join(root, 'copy'));
      writeFileSync(path, other);
      expect(() => openLmdbStore(join(root, 'filled'))).toThrow(expect.objectContaining({ code: 'store_truncated' }));
    }
  });
});
