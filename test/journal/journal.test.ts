import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MessageEvent, type PlainEvent } from '#src/domain/events.js';
import { commitKey, FrameHeader, frameHash, parseFrame } from '#src/journal/frame.js';
import { openLane } from '#src/journal/lane-directory.js';
import { DelayedLane, EmbeddedLane } from '#src/journal/lanes.js';
import { JournalReader } from '#src/journal/reader.js';
import { ShardJournal } from '#src/journal/shard-journal.js';
import type { SealedFrame } from '#src/journal/types.js';
import { MemoryStore } from '#src/store/memory-store.js';
import { keyOfFrame, removeFrame } from './frames.js';
import { codeOf, contentOf, digestAt, empty, sampleMessage, samplePlain } from './samples.js';

function frameOf(journal: ShardJournal, records: number): SealedFrame {
  for (let i = 0; i < records; i++) journal.appendMessage(sampleMessage(journal.sequence + 1));
  return journal.seal(1_790_000_000_000, digestAt(journal.sequence));
}

function replay(reader: JournalReader, shard: number, from = 1, step = 100): { sequences: number[]; end: boolean } {
  const scan = reader.scan(shard, from);
  const sequences: number[] = [];
  scan.onMessage = (event) => {
    expect(event.input.stan).toBe(event.sequence % 1_000_000);
    sequences.push(event.sequence);
  };
  scan.onEvent = (event) => sequences.push(event.sequence);
  while (scan.step(step));
  return { sequences, end: true };
}

const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** A store with `frames` frames of `records` records for shard 2. */
function filled(frames = 5, records = 4): { store: MemoryStore; journal: ShardJournal } {
  const store = new MemoryStore();
  const lane = new EmbeddedLane(store);
  const journal = new ShardJournal(2, empty(2));
  for (let i = 0; i < frames; i++) lane.append([frameOf(journal, records)]);
  return { store, journal };
}

describe('a frame', () => {
  it('golden bytes of the header and the chain hash', () => {
    const journal = new ShardJournal(3, empty(3));
    for (const event of samplePlain()) journal.appendEvent(event);
    const frame = journal.seal(1_790_000_000_999, { high: 1, low: 2 });
    expect(Buffer.from(frame.bytes.subarray(0, 88)).toString('hex')).toMatchInlineSnapshot(
      `"48464a3100010003000000010000001600000000000000010000000000000016000001a0c4506fe700000000000000000000000000000000000000000000000000000000000000000000000100000002000006b000000000"`,
    );
    expect(Buffer.from(frame.bytes.subarray(-4)).toString('hex')).toMatchInlineSnapshot(`"73951c7a"`);
    expect(Buffer.from(journal.hash).toString('hex')).toMatchInlineSnapshot(
      `"1d2f0d6aac4484d9ed0c2a5b057f1f6d1b3395342d7a3301733333d1d606695f"`,
    );
    expect(Buffer.from(commitKey(2 ** 40 + 7, 3)).toString('hex')).toBe('0000010000000007' + '0003');
  });

  it('says in whole seconds how far velocity windows were behind, and the head of the shard has it', async () => {
    const store = new MemoryStore();
    const journal = new ShardJournal(3, empty(3));
    journal.appendEvent(samplePlain()[0]!);
    const frame = journal.seal(1_790_000_000_999, { high: 1, low: 2 }, 4_294_969_999);
    expect(Buffer.from(frame.bytes.subarray(84, 88)).toString('hex')).toBe('00418939');
    new EmbeddedLane(store).append([frame]);
    journal.appendEvent(samplePlain()[0]!);
    const reader = JournalReader.ofStore(store, 'memory');
    expect(reader.head(3)).toMatchObject({ wallMs: 1_790_000_000_999, windowLagS: 4_294_969 });
    new EmbeddedLane(store).append([journal.seal(1_790_000_001_000, { high: 1, low: 2 })]);
    expect(reader.head(3)).toMatchObject({ wallMs: 1_790_000_001_000, windowLagS: 0 });
    await reader.close();
  });

  it('every flipped bit is detected', () => {
    const journal = new ShardJournal(0, empty(0));
    journal.appendEvent(samplePlain()[0]!);
    const { bytes } = journal.seal(1, digestAt(1));
    const header = new FrameHeader();
    expect(parseFrame(bytes, header)).toBeUndefined();
    for (let at = 0; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        bytes[at]! ^= 1 << bit;
        expect(parseFrame(bytes, header), `bit ${bit} of byte ${at}`).toBeDefined();
        bytes[at]! ^= 1 << bit;
      }
    }
    for (let length = 0; length < bytes.length; length++)
      expect(parseFrame(bytes.subarray(0, length), header)).toBeDefined();
  });

  it('grows with its records and stays whole', () => {
    const journal = new ShardJournal(0, empty(0));
    const frame = frameOf(journal, 3000);
    expect(frame.bytes.length).toBeGreaterThan(500_000);
    expect(parseFrame(frame.bytes, new FrameHeader())).toBeUndefined();
  });

  it('a record that throws half-way leaves the frame as it was', () => {
    const journal = new ShardJournal(0, empty(0));
    journal.appendMessage(sampleMessage(1));
    const bad = sampleMessage(2);
    bad.input.badFieldMissing = Number.NaN;
    expect(() => journal.appendMessage(bad)).toThrow(/safe integers/);
    expect(journal.sequence).toBe(1);
    journal.appendMessage(sampleMessage(2));
    const store = new MemoryStore();
    new EmbeddedLane(store).append([journal.seal(1, digestAt(2))]);
    expect(replay(JournalReader.ofStore(store, 'memory'), 0).sequences).toEqual([1, 2]);
  });

  it('an empty frame is never sealed', () => {
    expect(() => new ShardJournal(0, empty(0)).seal(1, digestAt(0))).toThrow(/empty frame/);
  });
});

describe('reading', () => {
  it('replays what was written, from any sequence, in any step', () => {
    const { store } = filled(7, 5);
    const reader = JournalReader.ofStore(store, 'memory');
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 36 }), fc.integer({ min: 1, max: 50 }), (from, step) => {
        expect(replay(reader, 2, from, step).sequences).toEqual(from > 35 ? [] : upTo(35, from));
      }),
    );
  });

  it('the head of a scan is that of an empty journal until something was handed out', () => {
    const { store } = filled(2);
    const reader = JournalReader.ofStore(store, 'memory');
    for (const shard of [2, 3]) expect(reader.scan(shard, 1).head()).toEqual(empty(shard));
    const nothing = reader.scan(3, 1);
    while (nothing.step(10));
    expect(nothing.head()).toEqual(empty(3));
  });

  it('follows a writer: a scan that came to its end goes on later', () => {
    const { store, journal } = filled(1, 3);
    const scan = JournalReader.ofStore(store, 'memory').scan(2, 1);
    const seen: number[] = [];
    scan.onMessage = (event) => void seen.push(event.sequence);
    expect(scan.step(100)).toBe(false);
    expect(scan.head().sequence).toBe(3);
    new EmbeddedLane(store).append([frameOf(journal, 2)]);
    expect(scan.step(100)).toBe(false);
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    expect(scan.head()).toMatchObject({ sequence: 5, hash: journal.hash, digest: digestAt(5) });
  });

  it('reads single records of any age and kind', () => {
    const store = new MemoryStore();
    const lane = new EmbeddedLane(store);
    const journal = new ShardJournal(1, empty(1));
    const written = new Map<number, PlainEvent | Record<string, unknown>>();
    const perFrame = samplePlain().length + 1;
    const last = 30 * perFrame;
    for (let frame = 0; frame < 30; frame++) {
      for (const event of samplePlain()) written.set(journal.appendEvent(event), event);
      const message = sampleMessage(frame);
      written.set(journal.appendMessage(message), contentOf(message));
      lane.append([journal.seal(1, digestAt(journal.sequence))]);
    }
    const reader = JournalReader.ofStore(store, 'memory');
    const into = new MessageEvent();
    fc.assert(
      fc.property(fc.integer({ min: 1, max: last }), (sequence) => {
        const isMessage = reader.readMessage(1, sequence, into);
        expect(isMessage).toBe(sequence % perFrame === 0);
        if (isMessage) expect(contentOf(into)).toEqual(written.get(sequence));
        expect(reader.readEvent(1, sequence)).toEqual(isMessage ? undefined : written.get(sequence));
      }),
      { numRuns: 400 },
    );
    expect(codeOf(() => reader.readMessage(1, last + 1, into))).toMatch(
      new RegExp(`record_unreadable: shard 1 sequence ${last + 1}`),
    );
    expect(codeOf(() => reader.readMessage(9, 1, into))).toMatch(/record_unreadable/);
  });

  it('finds the heads of all shards', () => {
    const store = new MemoryStore();
    const lane = new EmbeddedLane(store);
    const journals = [0, 1, 2].map((shard) => new ShardJournal(shard, empty(shard)));
    lane.append([frameOf(journals[0]!, 3), frameOf(journals[2]!, 1)]);
    lane.append([frameOf(journals[0]!, 2)]);
    const heads = JournalReader.ofStore(store, 'memory').heads(4);
    expect(heads.map((head) => head.sequence)).toEqual([5, 0, 1, 0]);
    expect(heads[0]).toMatchObject({ hash: journals[0]!.hash, digest: digestAt(5), epoch: 1 });
    expect(heads[1]!.hash).toEqual(new Uint8Array(32));
    const next = new ShardJournal(0, heads[0]!);
    lane.append([frameOf(next, 1)]);
    expect(replay(JournalReader.ofStore(store, 'memory'), 0).sequences).toEqual(upTo(6));
  });
});

describe('damage is found and named', () => {
  const frameAt = (store: MemoryStore, first: number) => store.get(keyOfFrame(store, 2, first))!;
  const put = (store: MemoryStore, shard: number, first: number, bytes: Uint8Array) => {
    const key = keyOfFrame(store, shard, first);
    store.commit((writer) => writer.put(key, bytes));
  };
  const replayCode = (store: MemoryStore, from = 1) =>
    codeOf(() => replay(JournalReader.ofStore(store, 'the/folder'), 2, from));

  it('a flipped byte', () => {
    const { store } = filled();
    const bytes = frameAt(store, 9).slice();
    bytes[200]! ^= 1;
    put(store, 2, 9, bytes);
    expect(replayCode(store)).toMatch(/frame_corrupt: .*shard 2 sequence 9 in the\/folder/);
    const reader = JournalReader.ofStore(store, 'memory');
    expect(codeOf(() => reader.readMessage(2, 10, new MessageEvent()))).toMatch(/frame_corrupt: .*sequence 9/);
    expect(codeOf(() => reader.heads(3))).toBe('no error');
  });

  it('a damaged last frame, at the heads already', () => {
    const { store } = filled();
    const bytes = frameAt(store, 17).slice();
    bytes[bytes.length - 1]! ^= 1;
    put(store, 2, 17, bytes);
    expect(codeOf(() => JournalReader.ofStore(store, 'memory').heads(3))).toMatch(/frame_corrupt: .*sequence 17/);
  });

  it('any flipped bit of what the last frame says of its sequences, at the heads: it does not hide the frame', () => {
    for (let bit = 16 * 8; bit < 32 * 8; bit++) {
      const { store } = filled();
      const bytes = frameAt(store, 17).slice();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      put(store, 2, 17, bytes);
      const reader = JournalReader.ofStore(store, 'memory');
      expect(
        codeOf(() => reader.head(2)),
        `bit ${bit}`,
      ).toMatch(/frame_corrupt/);
      expect(replayCode(store), `bit ${bit}`).toMatch(/frame_corrupt|chain_broken/);
    }
  });

  it('a missing frame', () => {
    const { store } = filled();
    removeFrame(store, 2, 9);
    expect(replayCode(store)).toMatch(/chain_broken: .*shard 2 breaks at sequence 9 .*missing.*last one there is 20/);
    expect(replayCode(store, 9)).toMatch(/chain_broken: .*sequence 9/);
    expect(replayCode(store, 13)).toMatch(/chain_broken: .*sequence 12/);
  });

  it('a missing beginning, and a scan that begins beyond the end', () => {
    const { store } = filled();
    expect(replayCode(store, 22)).toMatch(/chain_broken: .*sequence 22 .*last one there is 20/);
    removeFrame(store, 2, 1);
    expect(replayCode(store)).toMatch(/chain_broken: .*sequence 1 /);
  });

  it('a frame of another history with a valid checksum', () => {
    const { store } = filled();
    const other = new ShardJournal(2, { ...empty(2), sequence: 8, hash: new Uint8Array(32).fill(7) });
    const { bytes } = frameOf(other, 4);
    put(store, 2, 9, bytes);
    expect(replayCode(store)).toMatch(/chain_broken: .*sequence 9 .*hash/);
    expect(replayCode(store, 10)).toMatch(/chain_broken: .*sequence 9 .*hash/);
  });

  it('a frame of another shard or under another key', () => {
    const { store } = filled();
    const foreign = new ShardJournal(1, { ...empty(1), sequence: 8 });
    put(store, 2, 9, frameOf(foreign, 4).bytes);
    expect(replayCode(store)).toMatch(/frame_corrupt: .*sequence 9.*belongs to shard 1/);
    const { store: second } = filled();
    put(second, 2, 9, frameAt(second, 5).slice());
    expect(replayCode(second)).toMatch(/chain_broken: .*shard 2 breaks at sequence 9 .*missing/);
  });

  it('an epoch that goes back', () => {
    const { store, journal } = filled();
    const lane = new EmbeddedLane(store);
    const later = new ShardJournal(2, { ...empty(2), sequence: 20, hash: journal.hash, epoch: 3 });
    lane.append([frameOf(later, 2)]);
    // A record has the epoch of its own frame, whatever the head's is.
    const reader = JournalReader.ofStore(store, 'memory');
    expect([19, 20, 21, 22].map((sequence) => reader.epochOf(2, sequence))).toEqual([1, 1, 3, 3]);
    expect(() => reader.epochOf(2, 23)).toThrow(/not in the journal/);
    const back = new ShardJournal(2, { ...empty(2), sequence: 22, hash: later.hash, epoch: 2 });
    lane.append([frameOf(back, 2)]);
    expect(replayCode(store)).toMatch(/chain_broken: .*sequence 23 .*epoch 2 comes after 3/);
  });

  it('a record of an unknown version', () => {
    const journal = new ShardJournal(2, empty(2));
    journal.appendMessage(sampleMessage(1));
    journal.appendRaw(Uint8Array.of(0x92, 5, 9));
    const store = new MemoryStore();
    new EmbeddedLane(store).append([journal.seal(1, digestAt(2))]);
    expect(replayCode(store)).toMatch(/record_unreadable: shard 2 sequence 2 in the\/folder: .*version 9/);
  });
});

describe('lanes', () => {
  it('the embedded lane is durable when append returns, for every shard of the call', () => {
    const store = new MemoryStore();
    const lane = new EmbeddedLane(store, { heads: [{ ...empty(5), sequence: 40 }] });
    expect(lane.durable(5)).toBe(40);
    expect(lane.durable(6)).toBe(0);
    const five = new ShardJournal(5, { ...empty(5), sequence: 40 });
    const six = new ShardJournal(6, empty(6));
    lane.append([frameOf(five, 2), frameOf(six, 3)]);
    expect([lane.durable(5), lane.durable(6)]).toEqual([42, 3]);
    expect(store.commits).toBe(1);
    lane.append([]);
    expect(store.commits).toBe(1);
  });

  it('rolls when an environment has all the bytes that it may have, and not a byte before', () => {
    const sizeOf = (records: number): number => frameOf(new ShardJournal(0, empty(0)), records).bytes.length;
    for (const [missing, rolls] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const opened: MemoryStore[] = [];
      const next = (): MemoryStore => {
        opened.push(new MemoryStore());
        return opened.at(-1)!;
      };
      const environmentBytes = 100 + sizeOf(2) + missing;
      const lane = new EmbeddedLane(new MemoryStore(), { next, environmentBytes, bytesAtStart: 100 });
      lane.append([frameOf(new ShardJournal(0, empty(0)), 2)]);
      expect(opened.length, `${missing} bytes missing`).toBe(rolls);
    }
  });

  it('refuses a frame at or below its watermark', () => {
    const lane = new EmbeddedLane(new MemoryStore(), { heads: [{ ...empty(5), sequence: 40 }] });
    expect(() => lane.append([frameOf(new ShardJournal(5, empty(5)), 1)])).toThrow(/appended once/);
  });

  it.each([['failCommit'], ['failAfterApplied']])('a failed commit (%s) is fatal and moves no watermark', (fault) => {
    const store = new MemoryStore();
    const lane = new EmbeddedLane(store);
    const journal = new ShardJournal(0, empty(0));
    lane.append([frameOf(journal, 2)]);
    store.faults = { [fault]: 2 };
    expect(codeOf(() => lane.append([frameOf(journal, 2)]))).toMatch(/^commit_failed/);
    expect(lane.durable(0)).toBe(2);
    expect(codeOf(() => lane.append([frameOf(journal, 2)]))).toMatch(/^commit_failed/);
    expect(lane.durable(0)).toBe(2);
    store.crash();
    const head = JournalReader.ofStore(store, 'memory').heads(1)[0]!;
    expect(head.sequence).toBe(fault === 'failCommit' ? 2 : 4);
  });

  it('the delayed lane acknowledges late, and shards may overtake one another', () => {
    let nowMs = 0;
    const lane = new DelayedLane(new EmbeddedLane(new MemoryStore()), {
      now: () => nowMs,
      delayMs: (frame) => (frame.shard === 0 ? 10 : 5),
    });
    const zero = new ShardJournal(0, empty(0));
    const one = new ShardJournal(1, empty(1));
    const watermarks = () => {
      lane.poll();
      return [lane.durable(0), lane.durable(1)];
    };
    lane.append([frameOf(zero, 1), frameOf(one, 1)]);
    expect(watermarks()).toEqual([0, 0]);
    expect(lane.nextDueMs).toBe(5);
    nowMs = 5;
    expect([lane.durable(0), lane.durable(1)]).toEqual([0, 0]);
    expect(watermarks()).toEqual([0, 1]);
    lane.append([frameOf(one, 2)]);
    nowMs = 9;
    expect(watermarks()).toEqual([0, 1]);
    nowMs = 10;
    expect(watermarks()).toEqual([1, 3]);
    expect(lane.nextDueMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('the delayed lane never acknowledges a frame before an earlier one of its shard', () => {
    let nowMs = 0;
    const delays = [50, 1];
    const lane = new DelayedLane(new EmbeddedLane(new MemoryStore()), {
      now: () => nowMs,
      delayMs: () => delays.shift()!,
    });
    const journal = new ShardJournal(0, empty(0));
    lane.append([frameOf(journal, 1)]);
    lane.append([frameOf(journal, 1)]);
    nowMs = 10;
    lane.poll();
    expect(lane.durable(0)).toBe(0);
    nowMs = 50;
    lane.poll();
    expect(lane.durable(0)).toBe(2);
  });

  it('a commit failure passes through the delayed lane', () => {
    const store = new MemoryStore();
    store.faults = { failCommit: 1 };
    const lane = new DelayedLane(new EmbeddedLane(store), { now: () => 0, delayMs: 0 });
    expect(codeOf(() => lane.append([frameOf(new ShardJournal(0, empty(0)), 1)]))).toMatch(/^commit_failed/);
    lane.poll();
    expect(lane.durable(0)).toBe(0);
  });
});

describe('lane folders', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'holdfast-journal.'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('joins folders after changes of the number of threads and after rolls', async () => {
    // Shard -> thread, as a start with 1, 2, 3 and again 1 thread would place four shards.
    const plans = [1, 2, 3, 1, 2];
    const expected = [0, 0, 0, 0];
    const outside = JournalReader.open(root);
    for (const threads of plans) {
      const starting = JournalReader.open(root);
      const heads = starting.heads(4);
      expect(heads.map((head) => head.sequence)).toEqual(expected);
      await starting.close();
      const lanes = Array.from({ length: threads }, (_, thread) =>
        openLane(root, thread, { heads, environmentBytes: 60_000 }),
      );
      const journals = heads.map((head) => new ShardJournal(head.shard, head));
      for (let commit = 0; commit < 40; commit++) {
        for (let thread = 0; thread < threads; thread++) {
          const mine = journals.filter((journal) => journal.shard % threads === thread);
          lanes[thread]!.append(mine.map((journal) => frameOf(journal, 1 + ((commit + journal.shard) % 3))));
        }
      }
      for (const journal of journals) {
        expected[journal.shard] = journal.sequence;
        expect(lanes[journal.shard % threads]!.durable(journal.shard)).toBe(journal.sequence);
      }
      for (const lane of lanes) await lane.close();
    }
    expect(readdirSync(root).length).toBeGreaterThan(6);
    for (let shard = 0; shard < 4; shard++) {
      expect(replay(outside, shard).sequences).toEqual(upTo(expected[shard]!));
      expect(replay(outside, shard, 77, 10).sequences).toEqual(upTo(expected[shard]!, 77));
    }
    const into = new MessageEvent();
    for (let shard = 0; shard < 4; shard++) {
      for (let sequence = expected[shard]!; sequence > 0; sequence -= 7) {
        expect(outside.readMessage(shard, sequence, into)).toBe(true);
        expect(into.input.stan).toBe(sequence);
      }
    }
    await outside.close();
  });

  it('a reader sees commits and new folders of a writer without being told', async () => {
    const reader = JournalReader.open(root);
    expect(reader.heads(1)[0]!.sequence).toBe(0);
    const lane = openLane(root, 0, { environmentBytes: 20_000 });
    const journal = new ShardJournal(0, empty(0));
    const into = new MessageEvent();
    const scan = reader.scan(0, 1);
    for (let i = 0; i < 100; i++) {
      lane.append([frameOf(journal, 3)]);
      expect(reader.readMessage(0, journal.sequence, into)).toBe(true);
      expect(into.sequence).toBe(journal.sequence);
      expect(scan.step(1000)).toBe(false);
      expect(scan.head().sequence).toBe(journal.sequence);
    }
    expect(readdirSync(root).length).toBeGreaterThan(3);
    await lane.close();
    await reader.close();
  });

  it('one sequence in two folders is a fork and refused', async () => {
    const first = openLane(root, 0);
    const second = openLane(root, 1);
    first.append([frameOf(new ShardJournal(0, empty(0)), 2)]);
    second.append([frameOf(new ShardJournal(0, empty(0)), 2)]);
    const reader = JournalReader.open(root);
    expect(codeOf(() => replay(reader, 0))).toMatch(
      /chain_broken: shard 0 sequence 1 is in .*lane-0-000001 and in .*lane-1-000001/,
    );
    await Promise.all([first.close(), second.close(), reader.close()]);
  });
});

describe('the chain', () => {
  it('hashes the whole frame', () => {
    const journal = new ShardJournal(0, empty(0));
    const first = frameOf(journal, 1);
    const copy = first.bytes.slice();
    expect(frameHash(copy)).toEqual(journal.hash);
    const second = frameOf(journal, 1);
    const header = new FrameHeader();
    parseFrame(second.bytes, header);
    expect(Buffer.from(header.previousHash).toString('hex')).toBe(Buffer.from(frameHash(copy)).toString('hex'));
  });
});
