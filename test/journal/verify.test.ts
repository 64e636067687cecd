import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MessageEvent, PlainEvent } from '../../src/domain/events.js';
import type { HoldfastError } from '../../src/errors.js';
import { type InspectedRecord, inspectJournal } from '../../src/journal/inspect.js';
import { openLane } from '../../src/journal/lane-directory.js';
import { EmbeddedLane } from '../../src/journal/lanes.js';
import { shardOfAccount, shardOfFingerprint } from '../../src/journal/placement.js';
import { JournalReader } from '../../src/journal/reader.js';
import { ShardJournal } from '../../src/journal/shard-journal.js';
import { headOf, type VerifyFold, verifyDirectory, verifyJournal } from '../../src/journal/verify.js';
import { DataDirectory } from '../../src/store/data-directory.js';
import { MemoryStore } from '../../src/store/memory-store.js';
import { empty, sampleMessage, samplePlain } from './samples.js';

/** A stand-in for the domain: the state is the sum of what was approved, the digest is that sum. */
class SumFold implements VerifyFold {
  readonly sums: number[];
  finished: number[] = [];
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

  finish(shard: number): void {
    this.finished.push(shard);
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
      shards: 4,
      records: 108,
      frames: 18,
      head,
      debits: live.totals().debits,
      credits: live.totals().debits,
      position: [36, 36, 0, 36],
    });
    expect(progress).toEqual([0, 1, 2, 3]);
    expect(fold.finished).toEqual([0, 1, 2, 3]);
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

  it('books that do not balance', () => {
    const store = new MemoryStore();
    fill(new EmbeddedLane(store), [new ShardJournal(0, empty(0))], new SumFold(1));
    const skewed = new SumFold(1);
    skewed.skew = 1;
    expect(verifyCode(store, skewed)).toMatch(/^invariant_violated 76: the ledger does not balance/);
  });
});

describe('inspect', () => {
  const store = new MemoryStore();
  const journal = new ShardJournal(0, empty(0));
  for (const event of samplePlain()) journal.appendEvent(event);
  const message = sampleMessage(7);
  journal.appendMessage(message);
  new EmbeddedLane(store).append([journal.seal(1, { high: 0, low: 0 })]);
  const records: InspectedRecord[] = [];
  inspectJournal(JournalReader.ofStore(store, 'memory'), 0, 1, (record) => {
    records.push(record);
    return true;
  });

  it('says every record in words', () => {
    expect(records.map((record) => `${record.sequence} ${record.kind}`)).toEqual([
      '1 account_created',
      '2 account_updated',
      '3 card_created',
      '4 card_updated',
      '5 not_delivered',
      '6 payment',
      '7 poison',
      '8 unknown_card_count',
      '9 idempotency',
      '10 message',
    ]);
    expect(records[0]).toMatchObject({
      id: 'acc_1.A-z',
      type: 'credit',
      credit_limit: 500_000,
      time: '2026-09-21T14:13:20.123Z',
    });
    expect(records[1]).toMatchObject({ status: 'frozen' });
    expect(records[3]).toMatchObject({ status: 'lost', previous_of_card: 3 });
    expect(records[9]).toMatchObject({
      element: 'authorization',
      response_code: '00',
      reason: 'none',
      approval_code: '000007',
      hold_expires: '2026-09-28T14:13:20.000Z',
      before: { credit_limit: 500_000, posted: -70_000, held: 33_000 },
      input: { mti: '0100', amount: 12_345, rrn: '000000000007', terminal: 'TERM0001', carried: ['track2', 'chip'] },
    });
    expect((records[9]!.verdicts as object[])[1]).toEqual({ step: 'message_type', verdict: 'pass' });
    expect(records[9]!.input).not.toHaveProperty('billing_amount');
  });

  it('is JSON and holds no fingerprint', () => {
    const text = JSON.stringify(records);
    expect(text).not.toContain('fingerprint');
    expect(JSON.parse(text)).toHaveLength(10);
  });

  it('ends when the visitor says so', () => {
    let visits = 0;
    inspectJournal(JournalReader.ofStore(store, 'memory'), 0, 3, (record) => {
      visits++;
      expect(record.sequence).toBe(2 + visits);
      return visits < 3;
    });
    expect(visits).toBe(3);
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
  });
});
