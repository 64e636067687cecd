/**
 * Frames lie in the order of their commits; these tests look them up by shard and sequence, in environments with busy and idle
 * shards, across restarts of the writer, and with damaged index rows.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Environments } from '#src/journal/environments.js';
import { commitKey, INDEX_SHARD } from '#src/journal/frame.js';
import { INDEX_COMMITS } from '#src/journal/lane-index.js';
import { EmbeddedLane } from '#src/journal/lanes.js';
import { JournalReader } from '#src/journal/reader.js';
import { ShardJournal } from '#src/journal/shard-journal.js';
import type { SealedFrame } from '#src/journal/types.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { codeOf, digestAt, empty, sampleMessage } from './samples.js';

const SHARDS = 4;

class Writer {
  readonly store = new MemoryStore();
  /** First and last sequence of every frame, by shard. */
  readonly frames: [number, number][][] = Array.from({ length: SHARDS }, () => []);
  #journals = Array.from({ length: SHARDS }, (_, shard) => new ShardJournal(shard, empty(shard)));
  #lane = new EmbeddedLane(this.store);

  /** One commit with so many records per shard. */
  commit(records: readonly number[]): void {
    const sealed: SealedFrame[] = [];
    records.forEach((count, shard) => {
      const journal = this.#journals[shard]!;
      const first = journal.sequence + 1;
      for (let i = 0; i < count; i++) journal.appendMessage(sampleMessage(journal.sequence + 1));
      if (count === 0) return;
      this.frames[shard]!.push([first, journal.sequence]);
      sealed.push(journal.seal(1, digestAt(journal.sequence)));
    });
    this.#lane.append(sealed);
  }

  /** A new process goes on where the old one ended. */
  restart(): void {
    const heads = JournalReader.ofStore(this.store, 'memory').heads(SHARDS);
    this.#journals = heads.map((head) => new ShardJournal(head.shard, head));
    this.#lane = new EmbeddedLane(this.store, { heads });
  }
}

/** What a commit adds: mostly shard 0, seldom the others, so that some are idle for a long time. */
const commit = fc.tuple(
  fc.integer({ min: 1, max: 3 }),
  fc.integer({ min: 0, max: 1 }),
  fc.oneof({ weight: 30, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(2) }),
  fc.oneof({ weight: 60, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) }),
);

describe('frames in the order of commits', () => {
  it('are found by sequence, forwards, backwards and at random, whatever the other shards did', () => {
    fc.assert(
      fc.property(
        fc.array(commit, { minLength: 1, maxLength: 90 }),
        fc.nat(89),
        fc.infiniteStream(fc.nat()),
        (commits, restartAt, random) => {
          const writer = new Writer();
          commits.forEach((records, i) => {
            if (i === restartAt) writer.restart();
            writer.commit(records);
          });
          const environments = Environments.ofStore(writer.store, 'memory');
          for (let shard = 0; shard < SHARDS; shard++) {
            const frames = writer.frames[shard]!;
            const last = frames.at(-1)?.[1] ?? 0;
            expect(environments.last(shard)?.lastSequence).toBe(last === 0 ? undefined : last);
            for (const [first, end] of frames) {
              expect(environments.exact(shard, first)).toMatchObject({ firstSequence: first, lastSequence: end });
              if (end > first) expect(environments.exact(shard, first + 1)).toBeUndefined();
            }
            for (let i = 0; i < 20 && last > 0; i++) {
              const sequence = 1 + ((random.next().value as number) % last);
              const [first, end] = frames.find(([, to]) => to >= sequence)!;
              expect(environments.holding(shard, sequence)).toMatchObject({ firstSequence: first, lastSequence: end });
            }
            expect(environments.exact(shard, last + 1)).toBeUndefined();
            expect(environments.holding(shard, last + 1)).toBeUndefined();
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are followed while the writer goes on', () => {
    const writer = new Writer();
    const scan = JournalReader.ofStore(writer.store, 'memory').scan(2, 1);
    const seen: number[] = [];
    scan.onMessage = (event) => void seen.push(event.sequence);
    for (let i = 1; i <= 100; i++) {
      writer.commit([1, 0, i % 40 === 0 ? 2 : 0, 0]);
      while (scan.step(10));
    }
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  it('an index row that is damaged or missing is told, never taken for the end of the journal', () => {
    const filled = (): MemoryStore => {
      const writer = new Writer();
      for (let i = 0; i < 3 * INDEX_COMMITS; i++) writer.commit([1, i === 0 ? 1 : 0, 0, 0]);
      return writer.store;
    };
    const row = commitKey(2 * INDEX_COMMITS, INDEX_SHARD);
    const length = filled().get(row)!.length;
    for (let at = 0; at < length; at += 5) {
      const store = filled();
      const bytes = store.get(row)!.slice();
      bytes[at]! ^= 4;
      store.commit((writer) => writer.put(row, bytes));
      expect(codeOf(() => JournalReader.ofStore(store, 'here').readMessage(0, 5, sampleMessage()))).toMatch(
        /^frame_corrupt: here: the index row of commit 32: /,
      );
    }
    const store = filled();
    store.commit((writer) => writer.remove(row));
    expect(codeOf(() => JournalReader.ofStore(store, 'here').readMessage(0, 5, sampleMessage()))).toMatch(
      /^frame_corrupt: here: the index row of commit 32 is missing/,
    );

    const last = commitKey(3 * INDEX_COMMITS, INDEX_SHARD);
    const tail = filled();
    tail.commit((writer) => writer.remove(last));
    expect(codeOf(() => new EmbeddedLane(tail))).toMatch(/^frame_corrupt: .*index row of commit 48 is missing/);
    // The frame that an index row names must be there: shard 1 has only the one of commit 1.
    const hollow = filled();
    hollow.commit((writer) => writer.remove(commitKey(1, 1)));
    expect(codeOf(() => JournalReader.ofStore(hollow, 'here').head(1))).toMatch(
      /^frame_corrupt: here: the frame that ends at sequence 1 of shard 1 is missing/,
    );
  });
});

describe('a frame behind the last index row', () => {
  it('with a flipped bit is told at the start: the next index row would repeat what it says', () => {
    const filled = (): MemoryStore => {
      const writer = new Writer();
      for (let i = 0; i < INDEX_COMMITS + 4; i++) writer.commit([1, i === INDEX_COMMITS ? 1 : 0, 0, 0]);
      return writer.store;
    };
    // The only frame of shard 1, and one of shard 0 that others follow: neither is the newest of its shard and place.
    for (const key of [commitKey(INDEX_COMMITS + 1, 1), commitKey(INDEX_COMMITS + 1, 0)]) {
      const length = filled().get(key)!.length;
      for (let at = 8; at < length; at += 3) {
        const store = filled();
        const bytes = store.get(key)!.slice();
        bytes[at]! ^= 4;
        store.commit((writer) => writer.put(key, bytes));
        expect(codeOf(() => new EmbeddedLane(store))).toMatch(/^frame_corrupt: .*in commit 17: the checksum does not/);
      }
    }
  });
});

describe('a row that lies where nobody looks for it', () => {
  /** Moves the row of the last commit to another key. */
  const move = (writer: Writer, shard: number, toCommit: number, toShard: number): void => {
    const from = commitKey(writer.frames[0]!.length, shard);
    const bytes = writer.store.get(from)!.slice();
    writer.store.commit((to) => {
      to.remove(from);
      to.put(commitKey(toCommit, toShard), bytes);
    });
  };
  const twenty = (): Writer => {
    const writer = new Writer();
    for (let n = 0; n < 20; n++) writer.commit([1, 1, 0, 0]);
    return writer;
  };

  it.each([
    ['of a shard that there is not', 20, SHARDS + 512, /shard 516/],
    ['of an idle shard', 20, 2, /belongs to shard 1/],
    ['in a commit that leaves one out', 22, 1, /commit 21 is missing/],
  ])('%s: neither a start nor a verification goes on without it', (_, toCommit, toShard, expected) => {
    const writer = twenty();
    const reader = JournalReader.ofStore(writer.store, 'memory');
    expect(() => reader.assertEveryRowIsRead(SHARDS)).not.toThrow();
    move(writer, 1, toCommit, toShard);
    expect(() => new EmbeddedLane(writer.store)).toThrow(expect.objectContaining({ code: 'frame_corrupt' }));
    expect(() => new EmbeddedLane(writer.store)).toThrow(expected);
    expect(() => reader.assertEveryRowIsRead(SHARDS)).toThrow(expect.objectContaining({ code: 'frame_corrupt' }));
  });

  it('behind a first commit that is gone is told', () => {
    const writer = new Writer();
    writer.commit([1, 0, 0, 0]);
    writer.commit([1, 0, 0, 0]);
    writer.store.commit((to) => to.remove(commitKey(1, 0)));
    const reader = JournalReader.ofStore(writer.store, 'memory');
    expect(() => reader.assertEveryRowIsRead(SHARDS)).toThrow(/commit 1 is missing, the next one is 2/);
  });
});
