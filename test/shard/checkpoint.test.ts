/**
 * A restart from checkpoint rows, through the real feed and the real writing task: what a shard knows beside its money must
 * be in the rows too.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ShardState as DomainState } from '#src/domain/shard-state.js';
import { Table } from '#src/domain/tables.js';
import { CheckpointStore } from '#src/journal/checkpoint.js';
import { JournalReader } from '#src/journal/reader.js';
import { BackgroundTask, ShardState } from '#src/ring/control-block.js';
import { createRing, RingConsumer, RingProducer } from '#src/ring/ring.js';
import { createWake, Waker } from '#src/ring/wake.js';
import { CheckpointEntry, CheckpointFeed } from '#src/shard/checkpoint-feed.js';
import { checkpointSource, checkpointTask } from '#src/shard/checkpoint-task.js';
import type { CheckpointSource } from '#src/shard/recovery.js';
import { openLmdbStore } from '#src/store/lmdb-store.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { damage } from '../journal/index-support.js';
import { Harness, purchase } from './harness.js';

const POISON = '000000066600';
const poison = (stan: number): ReturnType<typeof purchase> => purchase(stan, 100, { 37: POISON });
const faults = { throwRrn: POISON };

let stateDir = '';
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'holdfast-rows-'));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

/** Writes all changed rows, as a stop does. */
async function checkpoint(h: Harness, ring: SharedArrayBuffer): Promise<void> {
  h.host.beginFinalCheckpoint();
  while (h.host.checkpointStep());
  const stop = new SharedArrayBuffer(4);
  new Int32Array(stop)[0] = 1;
  const { rounds } = await checkpointTask({ stateDir, rings: [ring], wake: createWake(), stop });
  expect(rounds).toBeGreaterThan(0);
}

/** A new engine on what the old one left: journal and rows. The stores are closed after it has recovered. */
async function restart(journal: MemoryStore): Promise<{ h: Harness; replayFrom: number }> {
  const store = CheckpointStore.open(stateDir);
  const { replayFrom } = store.meta(0)!;
  const h = new Harness({ journal, faults, checkpoint: checkpointSource(store) });
  await store.close();
  expect(h.logs).toEqual([]);
  return { h, replayFrom };
}

function settle(h: Harness): void {
  for (let i = 0; i < 5; i++) h.turn();
  expect(h.control.shardState(0)).toBe(ShardState.up);
}

const stops = (h: Harness): number => h.logs.filter((line) => line.includes('a shard stopped')).length;

describe('a message that stopped a shard, after a restart that replays nothing', () => {
  it('is known from its row: 96 at once, for the repeat as well, and the shard stays up', async () => {
    const journal = new MemoryStore();
    const ring = createRing(1 << 20);
    const h = new Harness({ journal, faults, checkpointRing: ring });
    const card = h.open(0, 1);
    expect(h.ask(card, purchase(1, 250))[39]).toBe('00');
    expect(h.ask(card, poison(2))[39]).toBe('96');
    settle(h);
    expect(stops(h)).toBe(1);
    await checkpoint(h, ring);

    const { h: again, replayFrom } = await restart(journal);
    // The record that set it aside lies before the replay.
    expect(replayFrom).toBe(JournalReader.ofStore(journal, 'memory').head(0).sequence + 1);
    expect(again.ask(card, poison(2))[39]).toBe('96');
    expect(again.ask(card, { ...poison(2), 0: '0101' })[39]).toBe('96');
    expect(stops(again)).toBe(0);
    expect(again.control.shardState(0)).toBe(ShardState.up);
    expect(again.balances(0, card.account).held).toBe(250);
    expect(again.ask(card, purchase(3, 50))[39]).toBe('00');
  });

  it('is known beside one that was set aside after the checkpoint', async () => {
    const journal = new MemoryStore();
    const ring = createRing(1 << 20);
    const h = new Harness({ journal, faults, checkpointRing: ring });
    const card = h.open(0, 1);
    h.ask(card, poison(2));
    settle(h);
    await checkpoint(h, ring);
    h.ask(card, poison(3));
    settle(h);
    expect(stops(h)).toBe(2);

    const { h: again } = await restart(journal);
    for (const stan of [2, 3]) expect(again.ask(card, poison(stan))[39]).toBe('96');
    expect(stops(again)).toBe(0);
    // One that was never seen still stops the shard: the planted fault is there.
    again.ask(card, poison(4));
    settle(again);
    expect(stops(again)).toBe(1);
  });
});

describe('the last round of a stop', () => {
  it('covers records that change no row, so that nothing is replayed', async () => {
    const journal = new MemoryStore();
    const ring = createRing(1 << 20);
    const h = new Harness({ journal, faults, checkpointRing: ring });
    const card = h.open(0, 1);
    h.ask(card, purchase(1, 250));
    await checkpoint(h, ring);
    // An unknown card: recorded, and in no row.
    expect(h.ask(undefined, purchase(3, 10))[39]).toBe('14');
    await checkpoint(h, ring);
    const { replayFrom } = await restart(journal);
    expect(replayFrom).toBe(JournalReader.ofStore(journal, 'memory').head(0).sequence + 1);
  });

  it('is not waited for when nobody takes the rows any more', () => {
    const ring = createRing(1 << 20);
    const h = new Harness({ checkpointRing: ring });
    h.open(0, 1);
    const pending = new RingConsumer(ring).pendingBytes;
    h.control.setTaskEnded(BackgroundTask.checkpoint);
    h.host.beginFinalCheckpoint();
    expect(h.host.checkpointStep()).toBe(false);
    expect(new RingConsumer(ring).pendingBytes).toBe(pending);
  });
});

describe('a checkpoint that must go', () => {
  it('goes when the ring has room again, ahead of every new row', () => {
    const ring = createRing(1 << 16);
    const h = new Harness();
    h.open(0, 1);
    const feed = new CheckpointFeed(new RingProducer(ring), new Waker(createWake()), () => h.us);
    const SHARDS = 3000;
    for (let shard = 0; shard < SHARDS; shard++) feed.discard(shard);
    const consumer = new RingConsumer(ring);
    const cleared: number[] = [];
    const take = (): void => {
      while (consumer.next()) {
        expect(consumer.kind).toBe(CheckpointEntry.clear);
        cleared.push(consumer.shard);
        consumer.consume();
      }
      consumer.release();
    };
    // The ring holds some 1 600 of them. Nothing else goes out before the rest.
    const shards = [h.shard(0)];
    expect(feed.step(shards, h.lane, true)).toBe(true);
    take();
    expect(cleared.length).toBeLessThan(SHARDS);
    for (let round = 0; round < 3; round++) {
      if (!feed.step(shards, h.lane, true) || cleared.length === SHARDS) break;
      const left = SHARDS - cleared.length;
      while (cleared.length < SHARDS && consumer.next()) {
        cleared.push(consumer.shard);
        consumer.consume();
      }
      consumer.release();
      expect(SHARDS - cleared.length).toBeLessThan(left);
    }
    expect(cleared).toEqual(Array.from({ length: SHARDS }, (_, shard) => shard));
    expect(consumer.next() && consumer.kind).toBe(CheckpointEntry.entry);
  });

  it('is cleared by the writing task when its own promise cannot be read', async () => {
    const store = CheckpointStore.open(stateDir);
    store.write(0, [{ table: 1, key: new Uint8Array(8), row: Uint8Array.of(1), sequence: 9 }], { replayFrom: 10 });
    await store.close();
    const damaged = openLmdbStore(join(stateDir, 'shard-0'));
    damage(damaged, Uint8Array.of(0, 0, 0xff));
    await damaged.close();
    // A round of what has changed since: without the rows that had to go it is not the whole shard.
    const ring = createRing(4096);
    const producer = new RingProducer(ring);
    producer.push(CheckpointEntry.entry, 0, 0, 0, 1, 12, 7, Uint8Array.of(3));
    producer.push(CheckpointEntry.meta, 0, 0, 0, 0, 0, 13, new Uint8Array(0));
    const stop = new SharedArrayBuffer(4);
    new Int32Array(stop)[0] = 1;
    const run = (): Promise<unknown> => checkpointTask({ stateDir, rings: [ring], wake: createWake(), stop });
    const stored = async (): Promise<unknown> => {
      const after = CheckpointStore.open(stateDir);
      const rows: number[] = [];
      const meta = after.load(0, (_table, _key, row) => rows.push(row[0]!));
      await after.close();
      return { rows, replayFrom: meta?.replayFrom };
    };
    expect(await run()).toEqual({ entries: 0, rounds: 0 });
    expect(await stored()).toEqual({ rows: [], replayFrom: undefined });
    // The shard was built anew from its first record, and sends everything.
    producer.push(CheckpointEntry.clear, 0, 0, 0, 0, 0, 0, new Uint8Array(0));
    producer.push(CheckpointEntry.entry, 0, 0, 0, 1, 12, 7, Uint8Array.of(4));
    producer.push(CheckpointEntry.meta, 0, 0, 0, 0, 0, 13, new Uint8Array(0));
    expect(await run()).toEqual({ entries: 1, rounds: 1 });
    expect(await stored()).toEqual({ rows: [4], replayFrom: 13 });
  });
});

describe('a checkpoint that contradicts the journal', () => {
  it('is thrown away, and the shard is built from its first record', () => {
    const journal = new MemoryStore();
    const before = new Harness({ journal });
    const card = before.open(0, 1);
    before.ask(card, purchase(1, 700));
    // A row of an account that the journal never created, under a promise that nothing needs to be replayed.
    const foreign = new DomainState(0);
    foreign.accounts.create(
      { slot: 0, id: 'stranger', program: 0, currency: 986, creditLimit: 1, type: 1, createdMs: 1 },
      1,
    );
    const row = new Uint8Array(foreign.entryBytes(Table.account, 0));
    const length = foreign.writeEntry(Table.account, 0, row, 0);
    const source: CheckpointSource = {
      load: (shard, visit) => {
        if (shard === 0) visit(Table.account, 0, row.subarray(0, length));
        return { replayFrom: shard === 0 ? 4 : 1 };
      },
    };
    const after = new Harness({ journal, checkpoint: source });
    expect(after.balances(0, card.account)).toEqual({ posted: 0, held: 700 });
    expect(after.logs.join('\n')).toContain('the checkpoint is not used');
    expect(after.discarded).toEqual([0]);
  });

  it('is thrown away also when it has no row, only its promise', () => {
    const journal = new MemoryStore();
    const before = new Harness({ journal });
    const card = before.open(0, 1);
    before.ask(card, purchase(1, 700));
    const source: CheckpointSource = { load: (shard) => ({ replayFrom: shard === 0 ? 4 : 1 }) };
    const after = new Harness({ journal, checkpoint: source });
    expect(after.balances(0, card.account)).toEqual({ posted: 0, held: 700 });
    expect(after.discarded).toEqual([0]);
  });
});
