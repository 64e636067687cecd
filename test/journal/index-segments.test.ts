import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IndexKeys } from '#src/domain/index-keys.js';
import { MessageInput, Text } from '#src/domain/message.js';
import { HoldfastError } from '#src/errors.js';
import { planMerge } from '#src/journal/segment-builder.js';
import { FILTERED_KINDS, filterLines, isFiltered, SegmentFilter } from '#src/journal/segment-filter.js';
import {
  BLOCK_ENTRIES,
  blockKey,
  catalogKey,
  decodeCatalog,
  decodeMeta,
  encodeCatalog,
  encodeMeta,
  filterKey,
  metaKey,
  SegmentBlock,
} from '#src/journal/segment-format.js';
import { EntryColumns } from '#src/journal/segment-sort.js';
import { SegmentSet } from '#src/journal/segments.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { builderOf, type Entry, expected, publish, smallBounds, word } from './index-support.js';

const STAN = 1 << 29;
const RRN = 2 << 29;

const found = (set: SegmentSet, high: number, low: number, sinceMs = 0): number[] => {
  const out = new Float64Array(10_000);
  return [...out.subarray(0, set.find(high, low, out, 0, sinceMs))];
};

/** One stored value with one bit turned. */
function damage(store: MemoryStore, key: Uint8Array, at: number): void {
  const value = new Uint8Array(store.get(key)!);
  value[at < 0 ? value.length + at : at]! ^= 4;
  store.commit((writer) => writer.put(key, value));
}

/** Numbers of the segments that have any value in the store, named by a catalog or not. */
function storedSegments(store: MemoryStore): number[] {
  const stored = new Set<number>();
  store.scan({ start: new Uint8Array([2]), end: new Uint8Array([5]) }, (key) => {
    stored.add(new DataView(key.buffer, key.byteOffset).getUint32(3));
    return true;
  });
  return [...stored].sort((a, b) => a - b);
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('the kinds in the filters', () => {
  it('are those that are asked for all the time: by a message, by a clearing record', () => {
    const keys = new IndexKeys(1, 2);
    const highs: number[] = [];
    keys.forCard(3, [0, 0, 0]).stanKey(4, 5);
    highs.push(keys.high);
    keys.clearingKey('79999990000000000000013', 'F1', 1);
    highs.push(keys.high);
    keys.clearingKey('', 'F1', 1);
    highs.push(keys.high);
    keys.networkKey(new MessageInput(), Text.networkId);
    highs.push(keys.high);
    keys.elementsKey(9);
    highs.push(keys.high);
    keys.approvalKey(7);
    highs.push(keys.high);
    expect(highs.map((high) => isFiltered(high, FILTERED_KINDS))).toEqual([true, true, true, true, true, false]);
  });
});

describe('the bytes of segments', () => {
  it('keys order by kind, shard, segment and block', () => {
    expect([catalogKey(3), metaKey(3, 9), filterKey(258, 9, 1), blockKey(3, 0x01020304, 5)].map(hex)).toEqual([
      '010003',
      '02000300000009',
      '0301020000000900000001',
      '0400030102030400000005',
    ]);
  });

  it('a block is header, three columns and a checksum', () => {
    const block = new SegmentBlock();
    block.layOut(2);
    block.high.set([0x20000001, 0xffffffff]);
    block.low.set([5, 6]);
    block.delta.set([0, 0x01020304]);
    const bytes = block.seal(3, 9, 1);
    expect(hex(bytes)).toBe(
      `01000300 09000000 01000000 02000000 ${hex(bytes.subarray(16, 20))} 01000020 ffffffff 05000000 06000000 00000000 04030201`.replaceAll(
        ' ',
        '',
      ),
    );
    const copy = new SegmentBlock();
    copy.load(bytes.slice(), 3, 9, 1);
    expect([...copy.high, ...copy.low, ...copy.delta]).toEqual([0x20000001, 0xffffffff, 5, 6, 0, 0x01020304]);
    for (let at = 0; at < bytes.length; at++) {
      const broken = bytes.slice();
      broken[at]! ^= 1;
      expect(() => copy.load(broken, 3, 9, 1)).toThrow(/segment 9 of shard 3: block 1/);
    }
    for (const [shard, segment, number] of [
      [4, 9, 1],
      [3, 8, 1],
      [3, 9, 2],
    ] as const)
      expect(() => copy.load(bytes.slice(), shard, segment, number)).toThrow(/belongs elsewhere/);
  });

  it('catalog and meta come back as they were, and no bit of them may change', () => {
    const catalog = {
      version: 7,
      generation: 2,
      nextSegment: 12,
      completeThrough: 2 ** 40,
      keyCheck: 0xcafe,
      live: [3, 9, 11],
      retired: [{ segment: 4, atMs: 1.7e12 }],
    };
    const bytes = encodeCatalog(catalog);
    expect(hex(bytes)).toMatchInlineSnapshot(
      `"01000000070000000c000000feca0000000000000000704203000000010000000200000003000000090000000b0000000400000000008056febc7842be42cdff"`,
    );
    expect(decodeCatalog(bytes, 0)).toEqual(catalog);
    const meta = {
      segment: 9,
      firstSequence: 2 ** 40,
      lastSequence: 2 ** 40 + 5,
      firstTimeMs: 1.7e12,
      lastTimeMs: 1.7e12 + 1,
      entries: 3,
      filterLines: 1,
      filterKeys: 2,
      filterKinds: 6,
      fenceHigh: Uint32Array.of(1, 0xffffffff),
      fenceLow: Uint32Array.of(2, 3),
    };
    const metaBytes = encodeMeta(meta);
    expect(hex(metaBytes)).toMatchInlineSnapshot(
      `"01000000090000000000000000007042005000000000704200008056febc784200108056febc784203000000020000000100000002000000060000000000000001000000ffffffff020000000300000068942e72"`,
    );
    // Stored bytes need not be aligned, and a Buffer's slice is no copy.
    const shifted = Buffer.concat([Buffer.from([0]), metaBytes]).subarray(1);
    const decoded = decodeMeta(shifted, 0, 9);
    shifted.fill(0);
    expect(decoded).toEqual(meta);
    for (let at = 0; at < bytes.length; at++)
      expect(() =>
        decodeCatalog(
          bytes.map((byte, i) => (i === at ? byte ^ 128 : byte)),
          0,
        ),
      ).toThrow(HoldfastError);
    for (let at = 0; at < metaBytes.length; at++)
      expect(() =>
        decodeMeta(
          metaBytes.map((byte, i) => (i === at ? byte ^ 128 : byte)),
          0,
          9,
        ),
      ).toThrow(HoldfastError);
  });
});

describe('the radix sort', () => {
  it('orders by both words and keeps the order of equal keys', () => {
    const wordArbitrary = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 0xffffffff }));
    fc.assert(
      fc.property(fc.array(fc.tuple(wordArbitrary, wordArbitrary), { maxLength: 300 }), (keys) => {
        const columns = new EntryColumns(300);
        for (const [i, [high, low]] of keys.entries()) columns.push(high, low, i);
        columns.sort();
        const sorted = keys.map(([high, low], i) => [high, low, i] as const);
        sorted.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
        expect(sorted.map((_, i) => [columns.high[i], columns.low[i], columns.delta[i]])).toEqual(sorted);
      }),
    );
  });

  it('refuses more than its capacity', () => {
    const columns = new EntryColumns(1);
    columns.push(1, 1, 1);
    expect(() => columns.push(1, 1, 1)).toThrow(RangeError);
  });
});

describe('the filter', () => {
  it('never denies a key it holds and rarely admits another', () => {
    const keys = 20_000;
    const filter = new SegmentFilter(filterLines(keys));
    for (let i = 0; i < keys; i++) filter.add(word(i), word(i + 1e6));
    let admitted = 0;
    for (let i = 0; i < keys; i++) {
      expect(filter.mayContain(word(i), word(i + 1e6))).toBe(true);
      if (filter.mayContain(word(i), word(i + 2e6))) admitted++;
    }
    expect(admitted / keys).toBeLessThan(0.02); // about 0.006
    expect(filter.bytes.length / keys).toBeLessThan(1.6);
  });

  it('sets the bits that the stored filters of earlier builds have', () => {
    // If this changes, stored filters deny keys that they hold. Raise SEGMENT_FORMAT instead of accepting the new bytes.
    const filter = new SegmentFilter(2);
    filter.add(0x20000001, 5);
    filter.add(0x3fffffff, 0xffffffff);
    expect(hex(filter.bytes)).toMatchInlineSnapshot(
      `"0000000000000001000000400000000000000400000000000000000000800000000000200000000000000000000000040000000000020000000000000000100000000000020000000000000000000010000000000000000400800000000000000000000400000000000080000000000000000000000800000000001000000000"`,
    );
  });

  it('holds its rate for keys that differ in few bits (one STAN, many cards and the reverse)', () => {
    const filter = new SegmentFilter(filterLines(20_000));
    for (let i = 0; i < 10_000; i++) {
      filter.add(STAN | 77, i);
      filter.add(STAN | i, 77);
    }
    let admitted = 0;
    for (let i = 10_000; i < 20_000; i++) {
      if (filter.mayContain(STAN | 77, i)) admitted++;
      if (filter.mayContain(STAN | i, 77)) admitted++;
    }
    expect(admitted / 20_000).toBeLessThan(0.03);
  });
});

describe('segments', () => {
  it('find every entry over many blocks, runs of equal keys across blocks included', () => {
    const store = new MemoryStore();
    const builder = builderOf(store);
    const entries: Entry[] = [];
    for (let sequence = 1; sequence <= 4 * BLOCK_ENTRIES; sequence++) {
      entries.push({ high: STAN | (sequence % 7), low: word(sequence), sequence });
      // A run longer than a block, and one that ends exactly at a block's end is likely among the many.
      if (sequence % 2 === 0) entries.push({ high: RRN, low: 42, sequence });
    }
    publish(builder, entries);
    const set = SegmentSet.open(store, 0);
    expect(set.size).toBe(entries.length);
    expect(set.completeThrough).toBe(4 * BLOCK_ENTRIES);
    expect(found(set, RRN, 42)).toEqual(expected(entries, RRN, 42).reverse());
    for (let i = 0; i < entries.length; i += 13) {
      const { high, low } = entries[i]!;
      if (high !== RRN) expect(found(set, high, low)).toEqual(expected(entries, high, low).reverse());
    }
    expect(found(set, RRN, 41)).toEqual([]);
    expect(found(set, RRN, 43)).toEqual([]);
    expect(found(set, 0, 0)).toEqual([]);
    expect(found(set, 0xffffffff, 0xffffffff)).toEqual([]);
    const out = new Float64Array(5);
    expect([set.find(RRN, 42, out), set.truncated, out[0], out[4]]).toEqual([5, true, 5448, 5440]);
    const prefix = new Float64Array(10_000);
    const count = set.findPrefix(STAN | 3, prefix);
    expect([...prefix.subarray(0, count)]).toEqual(
      entries
        .filter((e) => e.high === (STAN | 3))
        .map((e) => e.sequence)
        .reverse(),
    );
  });

  it('answer absent filtered keys without reading a block', () => {
    const store = new MemoryStore();
    const builder = builderOf(store);
    publish(
      builder,
      Array.from({ length: 5000 }, (_, i) => ({ high: STAN | 5, low: word(i), sequence: i + 1 })),
    );
    const set = SegmentSet.open(store, 0);
    let maybe = 0;
    for (let i = 5000; i < 15_000; i++) {
      const may = set.mayContain(STAN | 5, word(i));
      if (may) maybe++;
      expect(found(set, STAN | 5, word(i))).toEqual([]);
    }
    expect(set.blocksRead).toBeLessThanOrEqual(maybe);
    expect(maybe).toBeLessThan(300);
    const without = SegmentSet.open(store, 0, { filterBytesMax: 0 });
    expect(without.mayContain(STAN | 5, word(5000))).toBe(true);
    expect(found(without, STAN | 5, word(77))).toEqual([78]);
    expect(found(without, STAN | 5, word(5000))).toEqual([]);
  });

  it('skip segments that are older than the question', () => {
    const store = new MemoryStore();
    const builder = builderOf(store);
    publish(builder, [{ high: STAN, low: 1, sequence: 1 }]); // at 1 000 ms
    publish(builder, [{ high: STAN, low: 1, sequence: 2 }]); // at 2 000 ms
    const set = SegmentSet.open(store, 0);
    expect(found(set, STAN, 1)).toEqual([2, 1]);
    expect(found(set, STAN, 1, 1000)).toEqual([2, 1]);
    expect(found(set, STAN, 1, 1001)).toEqual([2]);
    expect(set.mayContain(STAN, 1, 2001)).toBe(false);
  });

  it('keep shards apart', () => {
    const store = new MemoryStore();
    publish(builderOf(store, 0), [{ high: STAN, low: 1, sequence: 1 }]);
    publish(builderOf(store, 256), [{ high: STAN, low: 1, sequence: 8 }]);
    expect(found(SegmentSet.open(store, 0), STAN, 1)).toEqual([1]);
    expect(found(SegmentSet.open(store, 256), STAN, 1)).toEqual([8]);
    expect(found(SegmentSet.open(store, 1), STAN, 1)).toEqual([]);
  });

  it('advance over records without keys without making a segment', () => {
    const store = new MemoryStore();
    const builder = builderOf(store);
    builder.advance(10);
    expect(builder.publish()).toBe(true);
    expect(builder.publish()).toBe(false);
    const set = SegmentSet.open(store, 0);
    expect([set.completeThrough, set.segmentCount]).toEqual([10, 0]);
  });
});

describe('merging and expiring', () => {
  const one = (i: number): Entry[] => [
    { high: STAN | 1, low: i % 3, sequence: 2 * i + 1 },
    { high: RRN | 1, low: i, sequence: 2 * i + 2 },
  ];

  it('keeps the number of segments small and every answer the same', () => {
    const store = new MemoryStore();
    const builder = builderOf(store);
    const set = SegmentSet.open(store, 0);
    const entries: Entry[] = [];
    for (let i = 0; i < 200; i++) {
      publish(builder, one(i));
      entries.push(...one(i));
      while (builder.maintain(i * 1000));
      set.refresh(1000);
      expect(set.segmentCount).toBeLessThan(3 * smallBounds.fanIn);
      for (let low = 0; low < 3; low++)
        expect(found(set, STAN | 1, low)).toEqual(expected(entries, STAN | 1, low).reverse());
    }
    expect(set.size).toBe(entries.length);
    // Whatever was merged is gone after the grace time.
    while (builder.maintain(1e6));
    expect(storedSegments(store)).toEqual(builder.segments.map((meta) => meta.segment));
  });

  it('a reader that has not refreshed is served during the grace time, and finds its way after it', () => {
    const store = new MemoryStore();
    const builder = builderOf(store);
    for (let i = 0; i < 3; i++) publish(builder, one(i));
    const set = SegmentSet.open(store, 0);
    expect(set.segmentCount).toBe(3);
    expect(builder.maintain(0)).toBe(true); // merges
    expect(found(set, RRN | 1, 0)).toEqual([2]);
    expect(set.segmentCount).toBe(3);
    expect(builder.maintain(2000)).toBe(true); // removes the inputs
    expect(found(set, RRN | 1, 1)).toEqual([4]);
    expect(set.segmentCount).toBe(1);
  });

  it('a refresh in small steps answers from the former set until the new one is complete', () => {
    const store = new MemoryStore();
    const builder = builderOf(store);
    publish(builder, one(0));
    const set = SegmentSet.open(store, 0);
    publish(builder, one(1));
    publish(builder, one(2));
    let steps = 0;
    while (!set.refresh(1)) {
      steps++;
      expect(set.completeThrough).toBe(2);
      expect(found(set, RRN | 1, 1)).toEqual([]);
    }
    expect(steps).toBeGreaterThan(2);
    expect(set.completeThrough).toBe(6);
    expect(found(set, RRN | 1, 2)).toEqual([6]);
    expect(set.refresh()).toBe(false);
  });

  it('drops what is older than the retention, oldest first', () => {
    const store = new MemoryStore();
    const builder = builderOf(store, 0, { ...smallBounds, fanIn: 100, retentionMs: 10_000 });
    for (let i = 0; i < 5; i++) publish(builder, one(i)); // records of 2, 4, 6, 8 and 10 seconds
    expect(builder.maintain(10_000)).toBe(false);
    expect(builder.maintain(14_001)).toBe(true);
    expect(builder.segments.map((meta) => meta.lastTimeMs)).toEqual([6000, 8000, 10_000]);
    const set = SegmentSet.open(store, 0);
    expect(found(set, RRN | 1, 0)).toEqual([]);
    expect(found(set, RRN | 1, 2)).toEqual([6]);
    expect(set.completeThrough).toBe(10);
  });

  it('chooses the smallest class whose run is long enough', () => {
    const sizes = (...entries: number[]) => entries.map((n, i) => ({ entries: n, firstSequence: i, lastSequence: i }));
    const options = { fanIn: 3, class0Entries: 10, entriesMax: 1000 };
    expect(planMerge([], options)).toEqual([0, 0]);
    expect(planMerge(sizes(1, 1), options)).toEqual([0, 0]);
    expect(planMerge(sizes(1, 1, 1), options)).toEqual([0, 3]);
    expect(planMerge(sizes(50, 1, 1, 1), options)).toEqual([1, 4]);
    expect(planMerge(sizes(50, 50, 1), options)).toEqual([0, 3]);
    expect(planMerge(sizes(50, 50, 900, 1), options)).toEqual([0, 0]);
    expect(planMerge(sizes(600, 600, 600), options)).toEqual([0, 0]);
  });

  it('an abandoned merge leaves the old segments and its number is not used again', () => {
    const store = new MemoryStore();
    const builder = builderOf(store, 0, { ...smallBounds, fanIn: 2, class0Entries: 1e5 });
    for (let part = 0; part < 2; part++)
      publish(
        builder,
        Array.from({ length: 50_000 }, (_, i) => ({ high: STAN | i, low: part, sequence: part * 50_000 + i + 1 })),
      );
    expect(builder.maintain(0, () => true)).toBe(false);
    expect(builder.segments).toHaveLength(2);
    expect(found(SegmentSet.open(store, 0), STAN | 7, 1)).toEqual([50_008]);
    expect(builder.maintain(0)).toBe(true);
    expect(builder.segments.map((meta) => meta.segment)).toEqual([4]);
    expect(found(SegmentSet.open(store, 0), STAN | 7, 1)).toEqual([50_008]);
  });
});

describe('crashes and damage', () => {
  // More blocks than one commit takes: the first commit writes blocks, the second one the rest and the catalog.
  it.each([1, 2, 3])('a crash at commit %i of a build leaves the old state or the new one', (failing) => {
    const entries = Array.from({ length: 10 * BLOCK_ENTRIES }, (_, i) => ({
      high: STAN | (word(i) >>> 4),
      low: i,
      sequence: i + 1,
    }));
    const published = failing === 3;
    const store = new MemoryStore();
    publish(builderOf(store), entries.slice(0, 20));
    const builder = builderOf(store);
    store.faults = { failCommit: store.commits + failing };
    const build = (): void => {
      publish(builder, entries.slice(20));
    };
    if (published) build();
    else expect(build).toThrow(/injected before the commit/);
    store.crash();

    const set = SegmentSet.open(store, 0);
    expect(set.completeThrough).toBe(published ? entries.length : 20);
    expect(found(set, entries[3]!.high, 3)).toEqual([4]);
    expect(found(set, entries[25]!.high, 25)).toEqual(published ? [26] : []);
    expect(storedSegments(store)).toEqual(failing === 1 ? [1] : [1, 2]);
    // The next start sweeps away what was written without being published, and goes on.
    const next = builderOf(store);
    expect(storedSegments(store)).toEqual(published ? [1, 2] : [1]);
    if (!published) publish(next, entries.slice(20));
    expect(found(SegmentSet.open(store, 0), entries[25]!.high, 25)).toEqual([26]);
  });

  it('damage is found, named, and never answered as a miss', () => {
    const prepared = (): MemoryStore => {
      const store = new MemoryStore();
      publish(builderOf(store), [{ high: STAN, low: 1, sequence: 1 }]);
      return store;
    };
    const damaged: [string, Uint8Array, RegExp][] = [
      ['catalog', catalogKey(0), /catalog fails its checksum/],
      ['meta', metaKey(0, 1), /segment 1 of shard 0: meta fails its checksum/],
      ['filter', filterKey(0, 1, 0), /segment 1 of shard 0: filter fails its checksum/],
      ['block', blockKey(0, 1, 0), /segment 1 of shard 0: block 0 fails its checksum/],
    ];
    for (const [, key, message] of damaged) {
      const store = prepared();
      damage(store, key, -2);
      expect(() => found(SegmentSet.open(store, 0), STAN, 1)).toThrow(message);
      try {
        found(SegmentSet.open(store, 0), STAN, 1);
      } catch (error) {
        expect((error as HoldfastError).code).toBe('segment_corrupt');
        expect((error as HoldfastError).next).toMatch(/delete it.*rebuilt/);
      }
    }
    for (const key of [metaKey(0, 1), filterKey(0, 1, 0), blockKey(0, 1, 0)]) {
      const store = prepared();
      store.commit((writer) => writer.remove(key));
      expect(() => found(SegmentSet.open(store, 0), STAN, 1)).toThrow(/not stored|missing/);
    }
  });

  it('a published segment that is not stored is an error of the refresh, not an endless wait', () => {
    const store = new MemoryStore();
    const builder = builderOf(store);
    const set = SegmentSet.open(store, 0);
    publish(builder, [{ high: STAN, low: 1, sequence: 1 }]);
    store.commit((writer) => writer.remove(filterKey(0, 1, 0)));
    expect(() => set.refresh(1000)).toThrow(/names segments that are not stored/);
  });

  it('a merge stops at a damaged block instead of passing it on', () => {
    const store = new MemoryStore();
    const builder = builderOf(store);
    for (let i = 0; i < 3; i++) publish(builder, [{ high: STAN, low: i, sequence: i + 1 }]);
    damage(store, blockKey(0, 2, 0), -1);
    expect(() => builder.maintain(0)).toThrow(/segment 2 of shard 0: block 0 fails its checksum/);
  });

  it('segments of other key seeds are discarded by the builder and not believed by a reader', () => {
    const store = new MemoryStore();
    publish(builderOf(store, 0, { ...smallBounds, keyCheck: 1 }), [{ high: STAN, low: 1, sequence: 1 }]);
    const set = SegmentSet.open(store, 0, { keyCheck: 2 });
    expect([set.ignored, set.completeThrough, found(set, STAN, 1).length]).toEqual([true, 0, 0]);
    const builder = builderOf(store, 0, { ...smallBounds, keyCheck: 2 });
    expect(builder.completeThrough).toBe(0);
    publish(builder, [{ high: STAN, low: 9, sequence: 1 }]);
    set.refresh();
    expect([set.ignored, found(set, STAN, 9)]).toEqual([false, [1]]);
  });

  it('segments that reach past the journal are not believed until they are built anew', () => {
    const store = new MemoryStore();
    const builder = builderOf(store);
    publish(builder, [{ high: STAN, low: 1, sequence: 10 }]);
    const set = SegmentSet.open(store, 0, { headSequence: 9 });
    expect([set.ignored, set.completeThrough]).toEqual([true, 0]);
    publish(builder, [{ high: STAN, low: 1, sequence: 11 }]);
    set.refresh();
    expect([set.ignored, set.completeThrough]).toEqual([true, 0]);
    builder.discardAll();
    publish(builder, [{ high: STAN, low: 2, sequence: 12 }]); // the journal has grown meanwhile
    set.refresh();
    expect([set.ignored, set.completeThrough, found(set, STAN, 2), found(set, STAN, 1)]).toEqual([false, 12, [12], []]);
    expect(SegmentSet.open(store, 0, { headSequence: 12 }).ignored).toBe(false);
  });
});
