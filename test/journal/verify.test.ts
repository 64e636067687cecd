import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MessageEvent, PlainEvent } from '#src/domain/events.js';
import { HoldfastError } from '#src/errors.js';
import { commitOfKey } from '#src/journal/frame.js';
import { openLane } from '#src/journal/lane-directory.js';
import { EmbeddedLane } from '#src/journal/lanes.js';
import { shardOfAccount, shardOfFingerprint, shardOfKey } from '#src/journal/placement.js';
import { JournalReader } from '#src/journal/reader.js';
import { ShardJournal } from '#src/journal/shard-journal.js';
import { SystemJournal } from '#src/journal/system-journal.js';
import { headOf, type VerifyFold, verifyDirectory, verifyJournal } from '#src/journal/verify.js';
import { DataDirectory } from '#src/store/data-directory.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { removeFrame } from './frames.js';
import { empty, sampleMessage, samplePlain } from './samples.js';

/** A stand-in for the domain: the state is the sum of what was approved, the digest is that sum. */
class SumFold implements VerifyFold {
  readonly sums: number[];
  finished: [number, number][] = [];
  skew = 0;

  constructor(shards: number) {
    this.sums = new Array<number>(shards).fill(0);
  }

  applyMessage(shard: number, event: MessageEvent): void {
    this.sums[shard]! += event.approvedAmount;
  }

  applyEvent(shard: number, event: PlainEvent): void {
    this.sums[shard]! += event.kind;
  }

  digest(shard: number) {
    return { high: Math.floor(this.sums[shard]! / 2 ** 32), low: this.sums[shard]! >>> 0 };
  }

  finish(shard: number, sequence: number): void {
    this.finished.push([shard, sequence]);
  }

  totals() {
    const debits = this.sums.reduce((sum, one) => sum + one, 0);
    return { debits, credits: debits + this.skew };
  }
}

function fill(lane: { append: EmbeddedLane['append'] }, journals: ShardJournal[], fold: SumFold): void {
  for (let round = 0; round < 6; round++) {
    const frames = journals.map((journal) => {
      for (let i = 0; i < 5; i++) {
        const event = sampleMessage(round * 10 + i + journal.shard);
        journal.appendMessage(event);
        fold.applyMessage(journal.shard, event);
      }
      const plain = samplePlain()[round]!;
      journal.appendEvent(plain);
      fold.applyEvent(journal.shard, plain);
      return journal.seal(1, fold.digest(journal.shard));
    });
    lane.append(frames);
  }
}

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-verify.'));
});
afterEach(() => rmSync(root, { recursive: true }));

describe('verify', () => {
  it('a whole directory, beside the process that writes it', async () => {
    const directory = await DataDirectory.open(join(root, 'data'), { create: true, shards: 4 });
    const live = new SumFold(4);
    const journals = [0, 1, 3].map((shard) => new ShardJournal(shard, empty(shard)));
    const lane = openLane(directory.paths.journal, 0);
    fill(lane, journals, live);
    await lane.close();
    const system = SystemJournal.open(directory.paths.system);
    system.append({ type: 'one' });
    system.appendAll([{ type: 'two' }, { type: 'three' }]);
    await system.close();
    const progress: number[] = [];
    const fold = new SumFold(4);
    const result = await verifyDirectory(
      join(root, 'data'),
      (at) => progress.push(at.shard),
      () => fold,
    );
    const zeros = new Uint8Array(32);
    const hashes = [journals[0]!.hash, journals[1]!.hash, zeros, journals[2]!.hash];
    const head = createHash('sha256').update(Buffer.concat(hashes)).digest('hex');
    expect(result).toEqual({
      records: 108,
      dropped: 0,
      frames: 18,
      head,
      debits: live.totals().debits,
      credits: live.totals().debits,
      shards: hashes.map((hash, shard) => ({
        sequence: shard === 2 ? 0 : 36,
        hash: Buffer.from(hash).toString('hex'),
      })),
      system: { sequence: 3, hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
      audit: { sequence: 0, hash: '0'.repeat(64) },
    });
    expect(progress).toEqual([0, 1, 2, 3]);
    expect(fold.finished).toEqual([
      [0, 36],
      [1, 36],
      [2, 0],
      [3, 36],
    ]);
    const reader = JournalReader.open(directory.paths.journal);
    expect(headOf(reader.heads(4))).toBe(head);
    await reader.close();
    await directory.close();
  });

  const verifyCode = (store: MemoryStore, fold: SumFold): string => {
    try {
      verifyJournal(JournalReader.ofStore(store, 'memory'), 1, () => undefined, fold);
    } catch (error) {
      return `${(error as HoldfastError).code} ${(error as HoldfastError).exitStatus}: ${(error as Error).message}`;
    }
    return 'ok';
  };

  it('a state that differs from a digest, at the frame where it first does', () => {
    const store = new MemoryStore();
    fill(new EmbeddedLane(store), [new ShardJournal(0, empty(0))], new SumFold(1));
    expect(verifyCode(store, new SumFold(1))).toBe('ok');
    const wrong = new SumFold(1);
    wrong.applyEvent = function (shard, event) {
      this.sums[shard]! += event.sequence === 18 ? 999 : event.kind;
    };
    expect(verifyCode(store, wrong)).toMatch(/^digest_mismatch 76: shard 0: .*sequences 13 to 18/);
  });

  it('a record that the fold refuses, by its sequence', () => {
    const refusing = (error: Error): SumFold => {
      const fold = new SumFold(1);
      fold.applyMessage = (_shard, event) => {
        if (event.sequence === 14) throw error;
      };
      return fold;
    };
    const single = new MemoryStore();
    const journal = new ShardJournal(0, empty(0));
    for (let n = 1; n <= 20; n++) journal.appendMessage(sampleMessage(n));
    new EmbeddedLane(single).append([journal.seal(1, { high: 0, low: 0 })]);
    expect(verifyCode(single, refusing(new RangeError('no such slot')))).toBe(
      'record_unreadable 76: shard 0, sequence 14: the record contradicts the state: no such slot',
    );
    const broken = new HoldfastError('invariant_violated', 'slot 3 is taken');
    expect(verifyCode(single, refusing(broken))).toBe(
      'invariant_violated 76: shard 0, sequence 14: the record contradicts the state: slot 3 is taken',
    );
  });

  it('a store that fails while it is read, by the last good sequence', () => {
    const store = new MemoryStore();
    fill(new EmbeddedLane(store), [new ShardJournal(0, empty(0))], new SumFold(1));
    const { get } = store;
    let reads = 0;
    store.get = function (key) {
      // The search for the first frame looks at it as well.
      if (commitOfKey(key) === 4 && ++reads === 2) throw new Error('MDB_CORRUPTED');
      return get.call(this, key);
    };
    expect(verifyCode(store, new SumFold(1))).toBe(
      'record_unreadable 76: behind shard 0, sequence 18 reading failed: MDB_CORRUPTED',
    );
  });

  it('a store that fails behind a message, which was folded', () => {
    const store = new MemoryStore();
    const lane = new EmbeddedLane(store);
    const journal = new ShardJournal(0, empty(0));
    const fold = new SumFold(1);
    for (let commit = 0; commit < 2; commit++) {
      for (let n = 1; n <= 5; n++) {
        const event = sampleMessage(n);
        journal.appendMessage(event);
        fold.applyMessage(0, event);
      }
      lane.append([journal.seal(1, fold.digest(0))]);
    }
    const { get } = store;
    let reads = 0;
    store.get = function (key) {
      // The search for the first frame looks at it as well.
      if (commitOfKey(key) === 2 && ++reads === 2) throw new Error('MDB_CORRUPTED');
      return get.call(this, key);
    };
    expect(verifyCode(store, new SumFold(1))).toBe(
      'record_unreadable 76: behind shard 0, sequence 5 reading failed: MDB_CORRUPTED',
    );
  });

  it('a frame that is missing in the middle', () => {
    const store = new MemoryStore();
    fill(new EmbeddedLane(store), [new ShardJournal(0, empty(0))], new SumFold(1));
    removeFrame(store, 0, 13);
    expect(verifyCode(store, new SumFold(1))).toMatch(/^chain_broken 76: the chain of shard 0 breaks at sequence 13 /);
  });

  it('books that do not balance', () => {
    const store = new MemoryStore();
    fill(new EmbeddedLane(store), [new ShardJournal(0, empty(0))], new SumFold(1));
    const skewed = new SumFold(1);
    skewed.skew = 1;
    expect(verifyCode(store, skewed)).toMatch(/^invariant_violated 76: the ledger does not balance/);
  });
});

describe('placement is part of the format', () => {
  it.each([
    ['a', 16, 3],
    ['acct_0001', 16, 13],
    ['ACCT_0001', 256, 175],
    ['00000000-0000-4000-8000-000000000001', 16, 6],
  ])('golden: %s of %d shards is in %d', (id, shards, shard) => {
    expect(shardOfAccount(id, shards)).toBe(shard);
  });

  it('spreads ids that differ in their last digits, and halves stay together when shards double', () => {
    const counts = new Array<number>(16).fill(0);
    for (let i = 0; i < 16_000; i++) {
      const id = `account-${i}`;
      counts[shardOfAccount(id, 16)]!++;
      expect(shardOfAccount(id, 32) & 15).toBe(shardOfAccount(id, 16));
    }
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1150);
    expect(shardOfFingerprint(0xfffffff7, 16)).toBe(7);
    expect(shardOfAccount('x', 1)).toBe(0);
    const key = Uint8Array.from({ length: 32 }, (_, i) => 0xf0 + i);
    expect([1, 16, 256].map((shards) => shardOfKey(key, shards))).toEqual([0, 0xb, 0xfb]);
  });
});
