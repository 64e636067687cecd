import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SYSTEM_SHARD } from '#src/journal/frame.js';
import { SystemJournal, type SystemRecord } from '#src/journal/system-journal.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { keyOfFrame } from './frames.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-system.'));
});
afterEach(() => rmSync(root, { recursive: true }));

function all(journal: SystemJournal, from = 1): [number, number, SystemRecord][] {
  const seen: [number, number, SystemRecord][] = [];
  journal.replay((record, sequence, timeMs) => seen.push([sequence, timeMs, record]), from);
  return seen;
}

describe('system journal', () => {
  it('keeps records in order, across restarts, with their time', async () => {
    let nowMs = 1000;
    const open = () => SystemJournal.open(join(root, 'system'), { now: () => nowMs++ });
    const journal = open();
    expect(journal.sequence).toBe(0);
    expect(all(journal)).toEqual([]);
    expect(journal.append({ type: 'program', id: 'default', currency: 986, bins: ['999999'], big: 2 ** 50 })).toBe(1);
    expect(
      journal.appendAll([
        { type: 'token', hash: Uint8Array.of(1, 2) },
        { type: 'token_revoked', at: null, deep: { a: [true] } },
      ]),
    ).toBe(3);
    expect(journal.appendAll([])).toBe(3);
    await journal.close();
    const again = open();
    expect(again.sequence).toBe(3);
    expect(again.append({ type: 'four' })).toBe(4);
    const seen = all(again);
    expect(seen.map(([sequence, timeMs]) => [sequence, timeMs])).toEqual([
      [1, 1000],
      [2, 1001],
      [3, 1001],
      [4, 1002],
    ]);
    expect(seen[0]![2]).toEqual({ type: 'program', id: 'default', currency: 986, bins: ['999999'], big: 2 ** 50 });
    expect(seen[1]![2]).toEqual({ type: 'token', hash: Uint8Array.of(1, 2) });
    expect(all(again, 3).map(([sequence]) => sequence)).toEqual([3, 4]);
    await again.close();
    const tool = SystemJournal.open(join(root, 'system'), { readOnly: true });
    expect(all(tool).length).toBe(4);
    expect(() => tool.append({ type: 'x' })).toThrow(/read-only/);
    await tool.close();
  });

  it('a record that was answered survives a crash, a failed commit is fatal', () => {
    const store = new MemoryStore();
    const journal = SystemJournal.over(store);
    journal.append({ type: 'one' });
    store.faults = { failCommit: 2 };
    expect(() => journal.append({ type: 'two' })).toThrow(/commit/);
    store.crash();
    const again = SystemJournal.over(store);
    expect(all(again).map(([, , record]) => record.type)).toEqual(['one']);
  });

  it('gives one record by its sequence, wherever it stands in its frame', () => {
    const journal = SystemJournal.over(new MemoryStore());
    journal.append({ type: 'one' });
    journal.appendAll([{ type: 'two' }, { type: 'three', answer: 'x'.repeat(5000) }, { type: 'four' }]);
    journal.append({ type: 'five' });
    expect([1, 2, 3, 4, 5].map((sequence) => journal.read(sequence).type)).toEqual([
      ...['one', 'two', 'three', 'four', 'five'],
    ]);
    expect(journal.read(3)).toEqual({ type: 'three', answer: 'x'.repeat(5000) });
    expect(() => journal.read(6)).toThrow(/system record 6 is not in/);
    expect(() => journal.read(9)).toThrow(/sequence 9/);
  });

  it('damage is found and named', () => {
    const store = new MemoryStore();
    const journal = SystemJournal.over(store);
    for (let i = 0; i < 4; i++) journal.append({ type: 'record', i });
    const key = keyOfFrame(store, SYSTEM_SHARD, 2);
    const bytes = store.get(key)!.slice();
    store.commit((writer) => writer.remove(key));
    expect(() => all(journal)).toThrow(/shard 65535 breaks at sequence 2 in the system journal/);
    bytes[100]! ^= 1;
    store.commit((writer) => writer.put(key, bytes));
    expect(() => all(journal)).toThrow(/shard 65535 sequence 2 .*checksum/);
  });
});
