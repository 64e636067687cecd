/**
 * Fingerprint index: additions and look-ups of the recent part and of the segments on LMDB, and what the background task
 * costs per authorization (4 keys each): sorting, writing and all merges up to a million authorizations, and apart from that
 * reading them from the journal and computing their keys. One thread, keys uniformly random; the journal's own writing is
 * excluded. Figures are CPU time (user and system), so waiting for the disk is excluded too.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { MessageEvent } from '#src/domain/events.js';
import { IndexKeys, keysOfEvent } from '#src/domain/index-keys.js';
import { openLane } from '#src/journal/lane-directory.js';
import { JournalReader } from '#src/journal/reader.js';
import { RecentIndex } from '#src/journal/recent-index.js';
import { createSegmentBoard, SegmentBoard } from '#src/journal/segment-board.js';
import { SegmentBuilder } from '#src/journal/segment-builder.js';
import { SegmentIndexer } from '#src/journal/segment-indexer.js';
import { EntryColumns } from '#src/journal/segment-sort.js';
import { openSegmentStore } from '#src/journal/segment-store.js';
import { SegmentSet } from '#src/journal/segments.js';
import { ShardJournal } from '#src/journal/shard-journal.js';
import type { BenchRow } from './row.js';
import { inTemporaryFolder } from './temporary-folder.js';

const KEYS = 4;
const BUILD_ENTRIES = 65_536;

/** Pseudo-random 32 bits of a counter. */
function word(i: number): number {
  let h = Math.imul(i + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}

/** Key `k` of authorization `i`: kinds 1 to 4, of which the first and the third are filtered. */
const high = (i: number, k: number): number => (((k + 1) << 29) | (word(i * KEYS + k) >>> 3)) >>> 0;
const low = (i: number, k: number): number => word(i * KEYS + k + 0x40000000);

const rows: BenchRow[] = [];

/** CPU time of this process per operation: wall time would count the machine's other work. */
function measure(name: string, operations: number, run: () => void): void {
  const started = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(started);
  const nsPerOp = ((user + system) * 1e3) / operations;
  rows.push({ room: 'journal', name, opsPerSec: 1e9 / nsPerOp, nsPerOp });
}

/** A sum that is returned, so that no look-up is optimized away. */
let sink = 0;

function benchRecent(entries: number): void {
  const label = entries >= 1e6 ? `${entries / 1e6} M entries` : `${entries / 1000} k entries`;
  const index = new RecentIndex();
  measure(`recent index: add, ${label}`, entries, () => {
    for (let i = 0; i < entries; i++) index.add(high(i >> 2, i & 3), low(i >> 2, i & 3), i >> 2);
  });
  const out = new Float64Array(16);
  const look = 500_000;
  measure(`recent index: miss, ${label}`, look, () => {
    for (let i = 0; i < look; i++) sink += index.find(high(i, 0), low(i, 1), out);
  });
  measure(`recent index: hit, ${label}`, look, () => {
    for (let i = 0; i < look; i++) {
      const n = word(i) % (entries >> 2);
      sink += index.find(high(n, 0), low(n, 0), out);
    }
  });
}

/**
 * The stall that additions bring by themselves: of three runs the shortest time at each addition, and of those the longest.
 * What the machine's other work adds falls on other additions in every run.
 */
function benchStall(entries: number): void {
  const shortest = new Float64Array(entries).fill(Number.POSITIVE_INFINITY);
  for (let run = 0; run < 3; run++) {
    const index = new RecentIndex();
    for (let i = 0; i < entries; i++) {
      const started = performance.now();
      index.add(word(i), i, i);
      shortest[i] = Math.min(shortest[i]!, performance.now() - started);
    }
  }
  const worstMs = shortest.reduce((worst, ms) => Math.max(worst, ms), 0);
  const name = `recent index: slowest addition of ${entries / 1e6} M`;
  rows.push({ room: 'journal', name, opsPerSec: 1e3 / worstMs, nsPerOp: worstMs * 1e6 });
}

function benchSegments(root: string, authorizations: number): void {
  const store = openSegmentStore(join(root, 'segments'));
  const builder = new SegmentBuilder(store, 0, new EntryColumns(BUILD_ENTRIES + 64));
  measure('segments: sort, write and merge, per authorization of 4 keys', authorizations, () => {
    for (let i = 0; i < authorizations; i++) {
      for (let k = 0; k < KEYS; k++) builder.add(high(i, k), low(i, k), i + 1, i);
      if (builder.room > 64 && i < authorizations - 1) continue;
      builder.advance(i + 1);
      builder.publish();
      while (builder.maintain(i));
    }
  });
  const set = SegmentSet.open(store, 0);
  const label = `${authorizations / 1e6} M authorizations in ${set.segmentCount} segments`;
  const out = new Float64Array(16);
  const misses = 300_000;
  const before = set.blocksRead;
  measure(`segments: miss of the duplicate key, ${label}`, misses, () => {
    for (let i = 0; i < misses; i++) sink += set.find(high(i, 0), low(i, 1), out);
  });
  const blockPercent = ((set.blocksRead - before) / misses) * 100;
  measure(`segments: filters only (${blockPercent.toFixed(1)} % of misses read a block)`, misses, () => {
    for (let i = 0; i < misses; i++) if (set.mayContain(high(i, 0), low(i, 1))) sink++;
  });
  const hits = 20_000;
  measure(`segments: hit of the duplicate key, ${label}`, hits, () => {
    for (let i = 0; i < hits; i++) {
      const n = word(i) % authorizations;
      sink += set.find(high(n, 0), low(n, 0), out);
    }
  });
  measure(`segments: hit of a key without filter, ${label}`, hits, () => {
    for (let i = 0; i < hits; i++) {
      const n = word(i) % authorizations;
      sink += set.find(high(n, 1), low(n, 1), out);
    }
  });
}

async function benchTask(root: string, authorizations: number): Promise<void> {
  const journalDir = join(root, 'journal');
  mkdirSync(journalDir);
  const lane = openLane(journalDir, 0);
  const journal = new ShardJournal(0, {
    shard: 0,
    epoch: 1,
    sequence: 0,
    hash: new Uint8Array(32),
    digest: { high: 0, low: 0 },
  });
  const event = new MessageEvent();
  event.input.mti = 100;
  for (let i = 0; i < authorizations; i++) {
    event.cardSlot = i % 100_000;
    event.input.stan = i % 1_000_000;
    event.input.transmission = 1_122_000_000 + (i % 86_400);
    event.approvalCode = i % 1_000_000;
    event.timeMs = i;
    journal.appendMessage(event);
    if (i % 500 === 499) lane.append([journal.seal(0, { high: 0, low: 0 })]);
  }
  await lane.close();
  const reader = JournalReader.open(journalDir);
  const keys = new IndexKeys(1, 2);
  const visit = (h: number, l: number): void => {
    sink += h ^ l;
  };
  const scan = reader.scan(0, 1);
  scan.onMessage = (message) => {
    keysOfEvent(message, keys, visit);
  };
  measure('segments: read the journal and compute the keys, per authorization', authorizations, () => {
    while (scan.step(4096));
  });
  const store = openSegmentStore(join(root, 'task-segments'));
  const board = new SegmentBoard(createSegmentBoard());
  const indexer = new SegmentIndexer(
    reader,
    store,
    (message, add) => {
      keysOfEvent(message, keys, add);
    },
    { shards: 1, board },
  );
  measure('segments: the whole task, per authorization of 3 keys', authorizations, () => {
    while (indexer.round(0));
  });
  await reader.close();
  await store.close();
}

/** About 20 s. Files go to a folder below `parent` and are removed. */
export async function benchIndex(parent: string): Promise<BenchRow[]> {
  rows.length = 0;
  await inTemporaryFolder(parent, async (root) => {
    benchRecent(100_000);
    benchRecent(2_000_000);
    benchStall(4_000_000);
    await turn();
    benchSegments(root, 1_000_000);
    await turn();
    await benchTask(root, 200_000);
  });
  if (!Number.isFinite(sink)) throw new Error('unreachable: keeps the results alive');
  return [...rows];
}
