import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSegmentBoard, SegmentBoard } from '#src/journal/segment-board.js';
import type { SegmentBuilder } from '#src/journal/segment-builder.js';
import { type IndexAnswer, ShardIndex } from '#src/journal/shard-index.js';
import { INDEX_FIND_MAX } from '#src/limits.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { builderOf, type Entry, expected } from './index-support.js';

const highs = [1 << 29, (1 << 29) | 1, 2 << 29, (4 << 29) >>> 0, (5 << 29) >>> 0];
const list = ({ count, sequences }: IndexAnswer): number[] => [...sequences.subarray(0, count)];

/**
 * A shard, its journal and the task beside it, each step chosen at random: the index must answer like a list that never
 * forgets, through builds, merges, sweeps, partial refreshes, crashes of the builder and restarts of the shard.
 */
class World {
  readonly store = new MemoryStore();
  readonly board = new SegmentBoard(createSegmentBoard());
  /** The journal: all records with their keys. A restart forgets those that were not durable. */
  journal: Entry[] = [];
  sequence = 0;
  durable = 0;
  nowMs = 0;
  builder: SegmentBuilder = builderOf(this.store);
  index: ShardIndex = this.open();

  open(): ShardIndex {
    const index = ShardIndex.open(this.store, 0, { headSequence: this.durable, generationBits: 4, board: this.board });
    for (const { high, low, sequence } of this.journal)
      if (sequence > index.completeThrough) index.add(high, low, sequence);
    return index;
  }

  record(keys: readonly (readonly [number, number])[]): void {
    this.sequence++;
    for (const [high, low] of keys) {
      const entry = { high: highs[high]!, low, sequence: this.sequence };
      this.journal.push(entry);
      this.index.add(entry.high, entry.low, entry.sequence);
    }
  }

  flush(): void {
    this.durable = this.sequence;
  }

  build(most: number): void {
    const through = Math.min(this.durable, this.builder.completeThrough + most);
    for (const { high, low, sequence } of this.journal)
      if (sequence > this.builder.completeThrough && sequence <= through)
        this.builder.add(high, low, sequence, sequence * 1000);
    this.builder.advance(through);
    this.builder.publish();
    this.board.setVersion(0, this.builder.version);
  }

  upkeep(): void {
    this.nowMs += 400;
    this.builder.maintain(this.nowMs);
    this.board.setVersion(0, this.builder.version);
  }

  /** The builder dies in the middle of its next commit and is started again. */
  builderCrash(): void {
    this.store.faults = { failCommit: this.store.commits + 1 };
    try {
      this.build(1000);
    } catch {
      // what the crash leaves is what the next builder finds
    }
    this.store.crash();
    this.builder = builderOf(this.store);
    this.board.setVersion(0, this.builder.version);
  }

  restart(): void {
    this.sequence = this.durable;
    this.journal = this.journal.filter((entry) => entry.sequence <= this.durable);
    this.index = this.open();
  }

  check(): void {
    for (const high of highs) {
      for (let low = 0; low < 5; low++)
        expect(list(this.index.find(high, low))).toEqual(expected(this.journal, high, low));
      const all = this.journal.filter((entry) => entry.high === high).map((entry) => entry.sequence);
      const newest = [...new Set(all)].reverse().slice(0, 7);
      expect(list(this.index.findPrefix(high, 7))).toEqual(newest);
    }
  }
}

describe('ShardIndex', () => {
  it('answers like a list that never forgets', () => {
    const keys = fc.uniqueArray(fc.tuple(fc.nat(highs.length - 1), fc.nat(4)), {
      maxLength: 4,
      selector: ([h, l]) => h * 9 + l,
    });
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.array(keys, { minLength: 1, maxLength: 12 }).map((records) => ({ records })) },
      { weight: 3, arbitrary: fc.nat(40).map((build) => ({ build })) },
      { weight: 3, arbitrary: fc.constantFrom('flush', 'upkeep', 'maintain') },
      { weight: 1, arbitrary: fc.constantFrom('restart', 'builderCrash') },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 80 }), (steps) => {
        const world = new World();
        for (const action of steps) {
          if (typeof action === 'object' && 'records' in action)
            for (const record of action.records) world.record(record);
          else if (typeof action === 'object') world.build(action.build);
          else if (action === 'maintain') world.index.maintain();
          else world[action]();
          world.check();
        }
      }),
      {
        numRuns: 80,
        // A question that takes in a newer catalog while it is answered told its newest record twice.
        examples: [
          [
            [
              { records: [[], [], []] },
              { records: [[], [], [], [], [], [], [], [], []] },
              { records: [[], [], [], [], [], [[0, 0]], [], [], [], [], [], []] },
              ...(['flush', { build: 18 }, 'restart'] as const),
              { records: [[[0, 0]], [[0, 0]], []] },
              ...(['flush', { build: 7 }, 'maintain', { build: 1 }, 'upkeep', 'upkeep', { build: 0 }] as const),
              ...(['flush', 'upkeep', 'upkeep'] as const),
              { records: [[]] },
              { records: [[]] },
              { records: [[]] },
            ],
          ],
        ],
      },
    );
  });

  it('forgets in memory what the segments hold, and not before', () => {
    const world = new World();
    for (let i = 0; i < 100; i++) world.record([[0, 1]]);
    world.flush();
    world.build(1000);
    expect(world.index.stats()).toMatchObject({ recentEntries: 100, segmentEntries: 0, completeThrough: 0 });
    while (world.index.completeThrough === 0) world.index.maintain();
    expect(world.index.stats()).toMatchObject({ recentEntries: 0, segmentEntries: 100, completeThrough: 100 });
    world.check();
  });

  it('is full when the segments do not follow, and takes new work again when they do', () => {
    const store = new MemoryStore();
    const index = ShardIndex.open(store, 0, { headSequence: 0, generationBits: 4, entriesMax: 50 });
    const builder = builderOf(store);
    for (let sequence = 1; sequence <= 50; sequence++) {
      expect(index.full).toBe(false);
      index.add(highs[0]!, sequence, sequence);
      builder.add(highs[0]!, sequence, sequence, 1);
    }
    expect(index.full).toBe(true);
    builder.advance(50);
    builder.publish();
    while (index.completeThrough < 50) index.maintain();
    expect(index.full).toBe(false);
    expect(list(index.find(highs[0]!, 1))).toEqual([1]);
  });

  it('gives the newest sequences of a key with very many, and says that there are more', () => {
    const store = new MemoryStore();
    const builder = builderOf(store);
    const index = ShardIndex.open(store, 0, { headSequence: 0 });
    const all = 100_000;
    for (let sequence = 1; sequence <= all; sequence++) {
      index.add(highs[0]!, 1, sequence);
      if (sequence <= all / 2) builder.add(highs[0]!, 1, sequence, 1);
    }
    const recent = index.find(highs[0]!, 1);
    expect([recent.count, recent.truncated]).toEqual([INDEX_FIND_MAX, true]);
    expect([recent.sequences[0], recent.sequences[recent.count - 1]]).toEqual([all - INDEX_FIND_MAX + 1, all]);
    builder.advance(all / 2);
    builder.publish();
    while (index.completeThrough === 0) index.maintain();
    const restarted = ShardIndex.open(store, 0, { headSequence: all });
    restarted.add(highs[0]!, 1, all);
    const older = restarted.find(highs[0]!, 1);
    expect([older.count, older.truncated, older.sequences[older.count - 1]]).toEqual([INDEX_FIND_MAX, true, all]);
    expect(older.sequences[0]).toBe(all / 2 - INDEX_FIND_MAX + 2);
    expect(list(restarted.findPrefix(highs[0]!, 3))).toEqual([all, all / 2, all / 2 - 1]);
  });

  it('asks for strange segments to be discarded', () => {
    const world = new World();
    for (let i = 0; i < 10; i++) world.record([[0, 1]]);
    world.flush();
    world.build(1000);
    expect(world.board.discardWanted(0)).toBe(-1);
    // The journal was restored from an older copy.
    world.durable = 4;
    world.restart();
    expect(world.index.completeThrough).toBe(0);
    expect(world.board.discardWanted(0)).toBe(world.builder.generation);
    world.check();
    world.builder.discardAll();
    world.build(1000);
    for (let i = 0; i < 3; i++) world.index.maintain();
    expect(world.index.completeThrough).toBe(4);
    world.check();
  });
});
