import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HoldfastError } from '#src/errors.js';
import { type CheckpointRow, CheckpointStore } from '#src/journal/checkpoint.js';
import { MemoryStore } from '#src/store/memory-store.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-state.'));
});
afterEach(() => rmSync(root, { recursive: true }));

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function loaded(store: CheckpointStore, shard: number) {
  const rows = new Map<string, string>();
  const meta = store.load(shard, (table, key, row, sequence) => {
    rows.set(`${table}/${hex(key)}`, `${hex(row)}@${sequence}`);
  });
  return { meta, rows: Object.fromEntries([...rows].sort()) };
}

const anyRow: fc.Arbitrary<CheckpointRow> = fc.record({
  table: fc.integer({ min: 0, max: 3 }),
  key: fc.uint8Array({ maxLength: 4 }),
  row: fc.option(fc.uint8Array({ maxLength: 600 }), { nil: undefined }),
  sequence: fc.integer({ min: 0, max: 2 ** 50 }),
});

describe('checkpoint', () => {
  it('an empty one loads as undefined', async () => {
    const store = CheckpointStore.open(root);
    expect(loaded(store, 3)).toEqual({ meta: undefined, rows: {} });
    await store.close();
  });

  it('holds what a plain map would hold after any writes, per shard, across restarts', async () => {
    let run = 0;
    const writes = fc.array(
      fc.record({ shard: fc.integer({ min: 0, max: 2 }), rows: fc.array(anyRow, { maxLength: 12 }) }),
      { maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(writes, async (all) => {
        const path = join(root, `run-${run++}`);
        const model = [0, 1, 2].map(() => ({ meta: undefined as unknown, rows: new Map<string, string>() }));
        const store = CheckpointStore.open(path);
        all.forEach(({ shard, rows }, i) => {
          const meta = { replayFrom: i + 1, ledger: [[986, 1000, i, i - 7]] };
          store.write(shard, rows, meta);
          model[shard]!.meta = meta;
          for (const { table, key, row, sequence } of rows) {
            const name = `${table}/${hex(key)}`;
            if (row === undefined) model[shard]!.rows.delete(name);
            else model[shard]!.rows.set(name, `${hex(row)}@${sequence}`);
          }
        });
        await store.close();
        const again = CheckpointStore.open(path);
        for (const shard of [0, 1, 2]) {
          const { meta, rows } = model[shard]!;
          expect(loaded(again, shard)).toEqual({ meta, rows: Object.fromEntries([...rows].sort()) });
          expect(again.meta(shard)).toEqual(meta);
        }
        await again.close();
      }),
      { numRuns: 15 },
    );
  });

  it('takes one row object again and again, as a generator hands it out', async () => {
    const store = CheckpointStore.open(root);
    function* rows(): Generator<CheckpointRow> {
      const row: CheckpointRow = { table: 1, key: new Uint8Array(4), row: new Uint8Array(8), sequence: 0 };
      for (let i = 0; i < 1000; i++) {
        new DataView(row.key.buffer).setUint32(0, i);
        new DataView(row.row!.buffer).setFloat64(0, i * i);
        row.sequence = i;
        yield row;
      }
    }
    store.write(0, rows(), { replayFrom: 5 });
    let next = 0;
    store.load(0, (table, key, row, sequence) => {
      const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset);
      expect([table, view(key).getUint32(0), view(row).getFloat64(0), sequence]).toEqual([1, next, next * next, next]);
      next++;
    });
    expect(next).toBe(1000);
    await store.close();
  });

  it('rows and meta change together or not at all', () => {
    const memory = new MemoryStore();
    const store = CheckpointStore.over(() => memory);
    const row = (value: number): CheckpointRow => ({
      table: 0,
      key: Uint8Array.of(1),
      row: Uint8Array.of(value),
      sequence: value,
    });
    store.write(0, [row(1)], { replayFrom: 1 });
    memory.faults = { failCommit: 2 };
    expect(() => store.write(0, [row(2)], { replayFrom: 2 })).toThrow(/commit/);
    memory.crash();
    expect(loaded(store, 0)).toEqual({ meta: { replayFrom: 1 }, rows: { '0/01': '01@1' } });
  });

  it('a flipped bit in any row or in the meta is found', () => {
    const memory = new MemoryStore();
    const store = CheckpointStore.over(() => memory);
    store.write(7, [{ table: 2, key: Uint8Array.of(9, 9), row: Uint8Array.of(1, 2, 3), sequence: 42 }], {
      replayFrom: 43,
    });
    const values: [Uint8Array, Uint8Array][] = [];
    memory.scan({}, (key, value) => {
      values.push([key.slice(), value.slice()]);
      return true;
    });
    expect(values.length).toBe(2);
    for (const [key, value] of values) {
      for (let at = 0; at < value.length; at++) {
        const bad = value.slice();
        bad[at]! ^= 0x10;
        memory.commit((writer) => writer.put(key, bad));
        try {
          loaded(store, 7);
          expect.fail(`byte ${at} of ${hex(key)} went unnoticed`);
        } catch (error) {
          expect((error as HoldfastError).code).toBe('checkpoint_corrupt');
        }
      }
      memory.commit((writer) => writer.put(key, value));
    }
    expect(loaded(store, 7).meta).toEqual({ replayFrom: 43 });
  });

  it('can be dropped, one shard at a time', async () => {
    const store = CheckpointStore.open(root);
    for (const shard of [0, 1]) store.write(shard, [], { replayFrom: 1 });
    await store.drop(0);
    expect(store.meta(0)).toBeUndefined();
    expect(store.meta(1)).toEqual({ replayFrom: 1 });
    store.write(0, [], { replayFrom: 9 });
    expect(store.meta(0)).toEqual({ replayFrom: 9 });
    await store.close();
    const memory = CheckpointStore.over(() => new MemoryStore());
    memory.write(0, [], { replayFrom: 1 });
    await memory.drop(0);
    expect(memory.meta(0)).toBeUndefined();
  });

  it('commits nothing to clear what is empty', () => {
    const memory = new MemoryStore();
    const store = CheckpointStore.over(() => memory);
    store.clear(0);
    expect(memory.commits).toBe(0);
    store.write(0, [], { replayFrom: 1 });
    store.clear(0);
    store.clear(0);
    expect([memory.commits, store.meta(0)]).toEqual([2, undefined]);
  });

  it('refuses what it could not read back', () => {
    const store = CheckpointStore.over(() => new MemoryStore());
    const row = { table: 0, key: new Uint8Array(2), row: new Uint8Array(1), sequence: 1 };
    expect(() => store.write(0, [{ ...row, table: 255 }], { replayFrom: 1 })).toThrow(/tables/);
    expect(() => store.write(0, [{ ...row, key: new Uint8Array(65) }], { replayFrom: 1 })).toThrow(/key/);
    expect(() => store.write(0, [row], { replayFrom: 0 })).toThrow(/replayFrom/);
    expect(store.meta(0)).toBeUndefined();
  });
});
