import { describe, expect, it } from 'vitest';
import { MessageEvent } from '#src/domain/events.js';
import { createSegmentBoard, SegmentBoard } from '#src/journal/segment-board.js';
import { type JournalFollower, type KeysOfEvent, SegmentIndexer } from '#src/journal/segment-indexer.js';
import { Rests } from '#src/journal/segment-task.js';
import { SegmentSet } from '#src/journal/segments.js';
import { ShardIndex } from '#src/journal/shard-index.js';
import { SEGMENT_REST_MS_MAX, SEGMENT_REST_RATIO } from '#src/limits.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { smallBounds } from './index-support.js';

const STAN = 1 << 29;

/** Journals of numbered records; every tenth one is a plain event without keys. Frames of seven records. */
class FakeJournal {
  readonly lengths: number[];
  scans = 0;

  constructor(...lengths: number[]) {
    this.lengths = lengths;
  }

  heads(shards: number): { sequence: number }[] {
    return Array.from({ length: shards }, (_, shard) => ({ sequence: this.lengths[shard]! }));
  }

  scan(shard: number, from: number): JournalFollower {
    this.scans++;
    let next = from;
    const event = new MessageEvent();
    const follower: JournalFollower = {
      onMessage: () => undefined,
      onEvent: () => undefined,
      step: (most) => {
        for (let left = Math.ceil(most / 7) * 7; left > 0; left--) {
          if (next > this.lengths[shard]!) return false;
          const sequence = next++;
          if (sequence % 10 === 0) follower.onEvent({ kind: 9, sequence, timeMs: sequence, count: 1 });
          else {
            event.sequence = sequence;
            event.timeMs = sequence;
            follower.onMessage(event);
          }
        }
        return true;
      },
    };
    return follower;
  }
}

const twoKeys: KeysOfEvent = (event, visit) => {
  if (!(event instanceof MessageEvent)) return;
  visit(STAN | 7, event.sequence);
  visit(2 << 29, event.sequence % 5);
};

function setUp(journal: FakeJournal, options = {}) {
  const store = new MemoryStore();
  const board = new SegmentBoard(createSegmentBoard());
  const open = (): SegmentIndexer =>
    new SegmentIndexer(journal, store, twoKeys, {
      ...smallBounds,
      shards: journal.lengths.length,
      board,
      buildRecords: 50,
      buildMs: 1000,
      sortEntries: 200,
      ...options,
    });
  return { store, board, open, indexer: open() };
}

const find = (set: SegmentSet, high: number, low: number): number[] => {
  const out = new Float64Array(1000);
  return [...out.subarray(0, set.find(high, low, out))];
};

describe('the indexing task', () => {
  it('builds when enough records wait, or when they have waited long enough, and reports the lag', () => {
    const journal = new FakeJournal(49, 50);
    const { store, board, indexer } = setUp(journal);
    indexer.round(0);
    expect([board.lag(0), board.lag(1)]).toEqual([49, 0]);
    expect(SegmentSet.open(store, 1).completeThrough).toBe(50);
    indexer.round(999);
    expect([board.lag(0), board.built]).toEqual([49, 1]);
    indexer.round(1000);
    expect([board.lag(0), board.built]).toEqual([0, 2]);
    journal.lengths[0] = 51;
    indexer.round(1500); // the wait begins with the first record that waits
    indexer.round(2499);
    expect(board.lag(0)).toBe(2);
    indexer.round(2500);
    expect(board.lag(0)).toBe(0);
    expect(find(SegmentSet.open(store, 0), STAN | 7, 51)).toEqual([51]);
  });

  it('cuts a long backlog into builds of a bounded size, at record ends', () => {
    const journal = new FakeJournal(1000);
    const { store, board, indexer } = setUp(journal, { fanIn: 1000 });
    indexer.round(0);
    expect(board.built).toBeGreaterThan(8);
    const set = SegmentSet.open(store, 0);
    expect([set.completeThrough, set.size]).toEqual([1000, 1800]);
    expect(find(set, 2 << 29, 3)).toHaveLength(200);
    for (let sequence = 1; sequence <= 1000; sequence++)
      expect(find(set, STAN | 7, sequence)).toEqual(sequence % 10 === 0 ? [] : [sequence]);
  });

  it('goes on after a restart without reading what it has, and merges as it goes', () => {
    const journal = new FakeJournal(0);
    const world = setUp(journal);
    let { indexer } = world;
    for (let i = 1; i <= 30; i++) {
      journal.lengths[0] = i * 60;
      while (indexer.round(i * 100));
      if (i % 10 === 0) indexer = world.open();
    }
    expect(journal.scans).toBe(3);
    expect(world.board.merged).toBeGreaterThan(3);
    const set = SegmentSet.open(world.store, 0);
    expect([set.completeThrough, set.size]).toEqual([1800, 3240]);
    expect(set.segmentCount).toBeLessThan(9);
  });

  it('tells the shard, which then forgets what the segments hold', () => {
    const journal = new FakeJournal(500);
    const { store, board, indexer } = setUp(journal);
    const index = ShardIndex.open(store, 0, { headSequence: 500, generationBits: 4, board });
    for (let sequence = 1; sequence <= 500; sequence++) index.add(STAN | 7, sequence, sequence);
    indexer.round(0);
    for (let turn = 0; turn < 10; turn++) index.maintain();
    expect(index.stats()).toMatchObject({ recentEntries: 0, completeThrough: 500 });
    expect([...index.find(STAN | 7, 77).sequences.subarray(0, 1)]).toEqual([77]);
  });

  it('builds anew when the journal is another one: shorter, or refused by the shard', () => {
    const journal = new FakeJournal(100);
    const { store, board, open, indexer } = setUp(journal);
    indexer.round(0);
    journal.lengths[0] = 60;
    const again = open();
    again.round(0);
    expect(SegmentSet.open(store, 0).completeThrough).toBe(60);
    board.requestDiscard(0, 1);
    journal.lengths[0] = 200;
    again.round(0);
    const set = SegmentSet.open(store, 0);
    expect([set.completeThrough, set.size, set.generation]).toEqual([200, 360, 2]);
    again.round(0); // the request stands, but it was for another generation
    expect(SegmentSet.open(store, 0).generation).toBe(2);
  });

  it('rests four times as long as it worked, however long it slept before', () => {
    let now = 0;
    const slept: number[] = [];
    const rests = new Rests(
      (ms) => {
        slept.push(ms);
        now += ms;
      },
      () => now,
    );
    const work = (ms: number): void => {
      now += ms;
      rests.rest();
    };
    work(3);
    work(5);
    rests.sleep(60_000); // nothing to do for a minute
    work(2);
    work(400); // something else had the processor
    expect(slept.pop()).toBe(SEGMENT_REST_MS_MAX);
    expect(slept).toEqual([3, 5, 60_000, 2].map((ms) => (ms === 60_000 ? ms : ms * SEGMENT_REST_RATIO)));
  });

  it('stops between shards when asked, and does not sleep then', () => {
    const { store, board, indexer } = setUp(new FakeJournal(100));
    board.requestStop();
    expect(indexer.round(0, true)).toBe(false);
    expect(SegmentSet.open(store, 0).completeThrough).toBe(0);
    board.sleep(60_000);
    expect(board.stopping).toBe(true);
  });
});
