import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { IndexKeys, keysOfEvent } from '#src/domain/index-keys.js';
import { openLane } from '#src/journal/lane-directory.js';
import { createSegmentBoard, SegmentBoard } from '#src/journal/segment-board.js';
import { openSegmentStore } from '#src/journal/segment-store.js';
import { segmentKeyCheck, segmentTask } from '#src/journal/segment-task.js';
import { ShardIndex } from '#src/journal/shard-index.js';
import { ShardJournal } from '#src/journal/shard-journal.js';
import { builderOf, expected, publish, word } from './index-support.js';
import { empty, noDigest, sampleMessage, samplePlain } from './samples.js';

const SEEDS = [0x12345678, 0x9abcdef0] as const;
let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-index-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

/**
 * Asks the task for a stop as soon as it has built so many segments, or after 10 s; from another thread, because the task
 * blocks the one it runs in.
 */
function stopWhenBuilt(board: SharedArrayBuffer, segments: number): Promise<void> {
  const worker = new Worker(
    `const { workerData: { board, segments } } = require('node:worker_threads');
     const words = new Int32Array(board);
     const started = Date.now();
     const timer = setInterval(() => {
       if (Atomics.load(words, 1) < segments && Date.now() - started < 10_000) return;
       clearInterval(timer);
       Atomics.store(words, 0, 1);
       Atomics.notify(words, 0);
     }, 5);`,
    { eval: true, workerData: { board, segments } },
  );
  return new Promise((resolve, reject) => {
    worker.on('exit', () => resolve());
    worker.on('error', reject);
  });
}

it('indexes a real journal, so that a shard finds every message by each of its keys after a restart', async () => {
  const journalDir = join(root, 'journal');
  const segmentsDir = join(root, 'segments');
  mkdirSync(journalDir);
  const lane = openLane(journalDir, 0);
  const shards = [new ShardJournal(0, empty(0)), new ShardJournal(1, empty(1))];
  for (let frame = 0; frame < 20; frame++) {
    for (const journal of shards) {
      for (let i = 0; i < 50; i++) journal.appendMessage(sampleMessage(journal.sequence + 1));
      for (const event of samplePlain()) journal.appendEvent(event);
    }
    lane.append(shards.map((journal) => journal.seal(1_790_000_000_000, noDigest)));
  }
  await lane.close();

  const board = createSegmentBoard();
  const stopped = stopWhenBuilt(board, 2);
  const [seedHigh, seedLow] = SEEDS;
  const result = await segmentTask({ journalDir, segmentsDir, shards: 2, seedHigh, seedLow, board, pollMs: 20 });
  await stopped;
  expect(result.built).toBe(2);
  expect([0, 1].map((shard) => new SegmentBoard(board).lag(shard))).toEqual([0, 0]);

  const store = openSegmentStore(segmentsDir);
  const keyCheck = segmentKeyCheck(seedHigh, seedLow);
  const head = shards[1]!.sequence;
  const index = ShardIndex.open(store, 1, { headSequence: head, keyCheck });
  expect(index.completeThrough).toBe(head);
  const keys = new IndexKeys(seedHigh, seedLow);
  let asked = 0;
  for (let sequence = 1; sequence <= 50; sequence++)
    keysOfEvent(sampleMessage(sequence), keys, (high, low) => {
      const { count, sequences } = index.find(high, low);
      expect([...sequences.subarray(0, count)]).toContain(sequence);
      asked++;
    });
  expect(asked).toBeGreaterThan(150);
  const other = ShardIndex.open(store, 1, { headSequence: head, keyCheck: segmentKeyCheck(seedHigh, seedLow + 1) });
  expect(other.completeThrough).toBe(0);
  await store.close();
});

it('keeps its answers on LMDB through builds, merges and the removal of what was merged', async () => {
  const store = openSegmentStore(join(root, 'segments'));
  const builder = builderOf(store);
  const index = ShardIndex.open(store, 0, { headSequence: 0 });
  const entries = Array.from({ length: 6000 }, (_, i) => ({
    high: (1 << 29) | (word(i) & 15),
    low: word(i) % 7,
    sequence: i + 1,
  }));
  for (const { high, low, sequence } of entries) index.add(high, low, sequence);
  for (let at = 0; at < entries.length; at += 300) {
    publish(builder, entries.slice(at, at + 300));
    while (builder.maintain(at * 1000));
    index.maintain();
    for (let i = 0; i < 3; i++) {
      const { high, low } = entries[(at * 7 + i) % entries.length]!;
      const { count, sequences } = index.find(high, low);
      expect([...sequences.subarray(0, count)]).toEqual(expected(entries, high, low));
    }
  }
  await store.close();
});
