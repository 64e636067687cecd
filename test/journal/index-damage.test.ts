/**
 * Damaged segments: whoever meets them says so, nobody takes them for a miss, and they are built anew from the journal while
 * the shard refuses what it could only guess.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MessageEvent } from '#src/domain/events.js';
import { createSegmentBoard, IndexState, SegmentBoard } from '#src/journal/segment-board.js';
import { blockKey, catalogKey, filterKey, isSegmentDamage, metaKey } from '#src/journal/segment-format.js';
import { type JournalFollower, type KeysOfEvent, SegmentIndexer } from '#src/journal/segment-indexer.js';
import {
  DamageTellingStore,
  markSegments,
  openSegmentStore,
  removeUnusableSegments,
} from '#src/journal/segment-store.js';
import { SegmentSet } from '#src/journal/segments.js';
import { ShardIndex, type ShardIndexOptions } from '#src/journal/shard-index.js';
import { MemoryStore } from '#src/store/memory-store.js';
import type { Store } from '#src/store/port.js';
import { builderOf, damage, smallBounds } from './index-support.js';

const STAN = 1 << 29;

/** Journals of messages 1 to `lengths[shard]`, each with the key (STAN, its sequence). */
function journal(lengths: number[]) {
  return {
    heads: (shards: number) => Array.from({ length: shards }, (_, shard) => ({ sequence: lengths[shard]! })),
    scan(shard: number, from: number): JournalFollower {
      let next = from;
      const event = new MessageEvent();
      const follower: JournalFollower = {
        onMessage: () => undefined,
        onEvent: () => undefined,
        step(most) {
          for (let left = most; left > 0; left--) {
            if (next > lengths[shard]!) return false;
            event.sequence = next++;
            event.timeMs = event.sequence;
            follower.onMessage(event);
          }
          return true;
        },
      };
      return follower;
    },
  };
}

const oneKey: KeysOfEvent = (event, visit) => visit(STAN, event.sequence);

function world(lengths: number[], options: Partial<ShardIndexOptions> = {}) {
  const store: Store = new MemoryStore();
  const board = new SegmentBoard(createSegmentBoard());
  const discarded: [number, string][] = [];
  const changes: string[] = [];
  return {
    ...{ store, board, discarded, changes, lengths },
    newIndexer: () =>
      new SegmentIndexer(journal(lengths), store, oneKey, {
        ...smallBounds,
        shards: lengths.length,
        board,
        buildRecords: 10,
        buildMs: 1e9,
        onDiscard: (shard, why) => void discarded.push([shard, why]),
      }),
    /** The index of shard 0 after a start: it has the keys that it asks for. */
    open(): ShardIndex {
      const index = ShardIndex.open(store, 0, {
        ...{ generationBits: 4, board, headSequence: lengths[0]!, onChange: (change) => void changes.push(change) },
        ...options,
      });
      for (let sequence = index.coveredAfter + 1; sequence <= lengths[0]!; sequence++)
        index.add(STAN, sequence, sequence);
      return index;
    },
  };
}

const found = (index: ShardIndex, sequence: number): number[] => {
  const { count, sequences } = index.find(STAN, sequence);
  return [...sequences.subarray(0, count)];
};

/** Shard 0 with 100 records, all of them in one segment and forgotten by the memory. */
function covered(options: Partial<ShardIndexOptions> = {}) {
  const one = world([100, 50], options);
  const indexer = one.newIndexer();
  indexer.round(0, true);
  const index = one.open();
  expect([index.completeThrough, index.coveredAfter, one.board.indexState(0)]).toEqual([100, 100, IndexState.usable]);
  return { ...one, indexer, index };
}

describe('a damaged block', () => {
  it('is an error and no miss; the index refuses until the segments are built anew, and then knows everything', () => {
    const { store, board, indexer, index, changes, discarded, lengths } = covered();
    damage(store, blockKey(0, 1, 0));
    expect(() => found(index, 7)).toThrow(/block 0 fails its checksum/);
    expect([index.incomplete, index.refusing, index.completeThrough]).toEqual([true, true, 0]);
    expect(changes).toEqual(['damaged', 'incomplete']);
    index.maintain();
    expect(board.indexState(0)).toBe(IndexState.incomplete);
    // What is recorded meanwhile (commands) is known, and what comes after it is sure to be found.
    index.add(STAN, 101, 101);
    lengths[0] = 101;
    expect([index.covers(99), index.covers(100), found(index, 101)]).toEqual([false, true, [101]]);

    while (indexer.round(1));
    expect(discarded).toEqual([[0, 'the shard refused them']]);
    expect([board.discarded, board.discardWanted(0)]).toEqual([1, -1]);
    for (let turn = 0; turn < 5; turn++) index.maintain();
    expect([index.incomplete, index.refusing, board.indexState(0)]).toEqual([false, false, IndexState.usable]);
    expect(changes).toEqual(['damaged', 'incomplete', 'complete']);
    for (let sequence = 1; sequence <= 101; sequence++) expect(found(index, sequence)).toEqual([sequence]);
    // The other shard kept its segments.
    expect(SegmentSet.open(store, 1).generation).toBe(0);
  });

  it('costs no service while the memory has every record', () => {
    const one = world([100]);
    const index = one.open();
    one.newIndexer().round(0, true);
    damage(one.store, filterKey(0, 1, 0));
    for (let turn = 0; turn < 5; turn++) index.maintain();
    expect(one.changes).toEqual(['damaged']);
    expect([index.refusing, found(index, 7)]).toEqual([false, [7]]);
  });

  it('is found by a merge, which discards the shard and goes on with the others', () => {
    const { store, board, indexer, index, discarded, lengths } = covered();
    damage(store, blockKey(0, 1, 0));
    for (let n = 1; n <= 2; n++) {
      lengths[0] = 100 + n * 20;
      lengths[1] = 50 + n * 20;
      indexer.round(n);
    }
    while (indexer.round(3));
    expect(discarded).toEqual([[0, expect.stringMatching(/block 0 fails its checksum/)]]);
    expect(board.discarded).toBe(1);
    expect([board.lag(0), board.lag(1)]).toEqual([0, 0]);
    // The shard learns of it from the catalog.
    for (let sequence = 101; sequence <= 140; sequence++) index.add(STAN, sequence, sequence);
    for (let turn = 0; turn < 5; turn++) index.maintain();
    expect([index.incomplete, found(index, 7), found(index, 140)]).toEqual([false, [7], [140]]);
  });

  it('is no miss for a reader that comes upon the discarding in its look-up', () => {
    const { store, index, changes } = covered();
    // Another builder's discarding; the reader has not looked at the catalog since.
    builderOf(store).discardAll();
    expect(() => found(index, 7)).toThrow(/discarded while it was asked/);
    expect([index.incomplete, changes]).toEqual([true, ['incomplete']]);
  });

  it('in a search by prefix is an error as well', () => {
    const { store, index } = covered();
    damage(store, blockKey(0, 1, 0));
    expect(() => index.findPrefix(STAN, 10)).toThrow(/checksum/);
    expect(index.incomplete).toBe(true);
  });

  it('in what is published next makes the index incomplete in the turn that takes it in', () => {
    const { store, indexer, index, changes, lengths } = covered();
    lengths[0] = 130;
    for (let sequence = 101; sequence <= 130; sequence++) index.add(STAN, sequence, sequence);
    indexer.round(1);
    damage(store, metaKey(0, 2));
    for (let turn = 0; turn < 5; turn++) index.maintain();
    expect([index.incomplete, changes]).toEqual([true, ['damaged', 'incomplete']]);
    while (indexer.round(2));
    for (let turn = 0; turn < 5; turn++) index.maintain();
    expect([index.incomplete, found(index, 7), found(index, 130)]).toEqual([false, [7], [130]]);
  });
});

describe('damage that a start meets', () => {
  const keys: [string, Uint8Array][] = [
    ['the catalog', catalogKey(0)],
    ['a meta', metaKey(0, 1)],
    ['a filter', filterKey(0, 1, 0)],
  ];

  it.each(keys)('in %s: the shard takes the keys into memory and refuses nothing', (_name, key) => {
    const { store, board, indexer, changes, open } = covered();
    damage(store, key);
    const index = open();
    expect(changes).toEqual(['damaged']);
    expect([index.coveredAfter, index.refusing, found(index, 7)]).toEqual([0, false, [7]]);
    while (indexer.round(1));
    for (let turn = 0; turn < 5; turn++) index.maintain();
    expect([index.completeThrough, index.coveredAfter, board.discarded]).toEqual([100, 100, 1]);
    for (let sequence = 1; sequence <= 100; sequence++) expect(found(index, sequence)).toEqual([sequence]);
  });

  it.each(keys)('in %s, with more records than the memory may take: the shard waits for the segments', (_name, key) => {
    const { store, board, open, changes } = covered({ replayRecordsMax: 99 });
    damage(store, key);
    const index = open();
    expect(changes).toEqual(['damaged', 'incomplete']);
    expect([index.coveredAfter, index.refusing, board.indexState(0)]).toEqual([100, true, IndexState.incomplete]);
  });

  it.each(keys)('in %s: the builder discards the segments of that shard and builds them anew', (name, key) => {
    const one = covered();
    damage(one.store, key);
    const indexer = one.newIndexer();
    // A filter is not read by the builder: it is the shard that asks for the discarding.
    if (name === 'a filter') one.open();
    else expect(one.discarded).toEqual([[0, expect.stringMatching(/fails its checksum/)]]);
    while (indexer.round(1, true));
    expect(one.discarded).toHaveLength(1);
    const set = SegmentSet.open(one.store, 0);
    const out = new Float64Array(4);
    expect([set.completeThrough, set.find(STAN, 100, out), out[0]]).toEqual([100, 1, 100]);
    expect(SegmentSet.open(one.store, 1).generation).toBe(0);
  });

  it('of segments that are only missing: above the bound the shard waits, at it the keys are taken into memory', () => {
    for (const [max, refusing] of [
      [100, false],
      [99, true],
    ] as const) {
      const one = world([100], { replayRecordsMax: max });
      const index = one.open();
      expect([index.refusing, index.coveredAfter]).toEqual([refusing, refusing ? 100 : 0]);
      one.newIndexer().round(0, true);
      for (let turn = 0; turn < 5; turn++) index.maintain();
      expect([index.refusing, found(index, 7)]).toEqual([false, [7]]);
    }
  });
});

describe('a recent part that is full', () => {
  it('stands on the board until the segments have caught up', () => {
    const one = world([40], { entriesMax: 50 });
    const index = one.open();
    for (let sequence = 41; sequence <= 60; sequence++) index.add(STAN, sequence, sequence);
    one.lengths[0] = 60;
    index.maintain();
    expect([index.refusing, index.incomplete, one.board.indexState(0)]).toEqual([true, false, IndexState.full]);
    one.newIndexer().round(0, true);
    for (let turn = 0; turn < 5; turn++) index.maintain();
    expect([index.refusing, one.board.indexState(0)]).toEqual([false, IndexState.usable]);
  });
});

describe('the last building of a stop', () => {
  it('takes every record that waits, without upkeep, and stops when its time is up', () => {
    const one = world([9, 9, 9]);
    const indexer = one.newIndexer();
    let looks = 0;
    indexer.finish(() => ++looks > 2);
    expect([0, 1, 2].map((shard) => one.board.lag(shard))).toEqual([0, 0, 0]);
    expect([0, 1, 2].map((shard) => SegmentSet.open(one.store, shard).completeThrough)).toEqual([9, 9, 0]);
    indexer.finish(() => false);
    expect([0, 1, 2].map((shard) => SegmentSet.open(one.store, shard).completeThrough)).toEqual([9, 9, 9]);
  });
});

describe('the store of the segments', () => {
  it('tells a read that the database refuses as damage, with the shard, and lets other errors pass', () => {
    const inner = new MemoryStore();
    const store = new DamageTellingStore(inner);
    inner.get = () => {
      throw new Error('MDB_CORRUPTED: Located page was wrong type');
    };
    inner.scan = (_range, visit) => {
      visit(new Uint8Array(3), new Uint8Array(0));
      throw new Error('MDB_PAGE_NOTFOUND');
    };
    const thrown = (what: () => void): unknown => {
      try {
        what();
      } catch (error) {
        return error;
      }
      return undefined;
    };
    for (const error of [
      thrown(() => store.get(blockKey(258, 1, 0))),
      thrown(() => store.scan({ start: metaKey(258, 0) }, () => true)),
    ])
      expect([isSegmentDamage(error), String(error)]).toEqual([true, expect.stringMatching(/of shard 258: .*MDB_/)]);
    inner.scan = (_range, visit) => void visit(new Uint8Array(3), new Uint8Array(0));
    const own = new Error('of the visitor');
    expect(
      thrown(() =>
        store.scan({}, () => {
          throw own;
        }),
      ),
    ).toBe(own);
  });

  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-damage-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is emptied at a start when it was marked or its file is cut short, and only then', async () => {
    const segments = join(folder, 'segments');
    mkdirSync(segments);
    expect(removeUnusableSegments(segments)).toBeUndefined();
    const file = join(segments, 'data.mdb');
    const fill = async (): Promise<void> => {
      const store = openSegmentStore(segments);
      store.commit((writer) => {
        for (let part = 0; part < 200; part++) writer.put(blockKey(0, 1, part), new Uint8Array(1000));
      });
      await store.close();
    };
    await fill();
    expect(removeUnusableSegments(segments)).toBeUndefined();
    expect(existsSync(file)).toBe(true);
    markSegments(segments);
    expect(removeUnusableSegments(segments)).toMatch(/could not be discarded/);
    expect(existsSync(file)).toBe(false);
    expect(removeUnusableSegments(segments)).toBeUndefined();
    await fill();
    writeFileSync(file, readFileSync(file).subarray(0, 40_000));
    expect(removeUnusableSegments(segments)).toMatch(/cut short/);
    await fill();
    expect(removeUnusableSegments(segments)).toBeUndefined();
  });
});
