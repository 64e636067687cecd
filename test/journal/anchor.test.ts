/** Reading a journal whose old part was dropped: where it begins, what is said of the rest, and anchors that cannot be believed. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MessageEvent } from '#src/domain/events.js';
import { type AnchorDocument, type AnchorShard, newestAnchor } from '#src/journal/anchor.js';
import { beginAnchor, commitAnchor, finishDraft, removeOldAnchors, StateWriter } from '#src/journal/anchor-writer.js';
import { frameHash } from '#src/journal/frame.js';
import { closeIdleLanes, listLaneFolders, openLane } from '#src/journal/lane-directory.js';
import { exportFolder } from '#src/journal/lane-export.js';
import { inspectFolder, sealFolder } from '#src/journal/lane-manifest.js';
import { JournalReader } from '#src/journal/reader.js';
import { ShardJournal } from '#src/journal/shard-journal.js';
import { codeOf, digestAt, empty, sampleMessage } from './samples.js';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-anchor.'));
  mkdirSync(join(dir, 'journal'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const journal = (): string => join(dir, 'journal');
const names = (): string[] => listLaneFolders(journal()).map(({ name }) => name);

/** Frames of 10 records, so many in each folder of lane 0, in turns of both shards. */
async function write(framesPerFolder: readonly number[]): Promise<void> {
  const journals = [0, 1].map((shard) => new ShardJournal(shard, empty(shard)));
  for (const [index, frames] of framesPerFolder.entries()) {
    if (index > 0) closeIdleLanes(journal(), 0);
    const lane = openLane(journal(), 0);
    for (let frame = 0; frame < frames; frame++) {
      const one = journals[frame % 2]!;
      for (let i = 0; i < 10; i++) one.appendMessage(sampleMessage(one.sequence + 1));
      lane.append([one.seal(1000 * (index + 1) + frame, digestAt(one.sequence), 7999)]);
    }
    await lane.close();
  }
}

/** Drops the folders behind an anchor whose state has these entries. */
async function drop(number: number, folders: readonly string[], entries = 3): Promise<void> {
  const reader = JournalReader.open(journal(), { readOnly: true });
  const draft = beginAnchor(journal(), number);
  const going = reader.folders().filter(({ name }) => folders.includes(name));
  const shards = [0, 1].map((shard): AnchorShard => {
    const sequence = Math.max(
      0,
      ...going.flatMap(({ shards }) => shards.filter((one) => one.shard === shard)).map(({ last }) => last),
    );
    const writer = new StateWriter(draft, shard);
    for (let i = 0; i < entries; i++) writer.add(i + 1, i * 1e9, new Uint8Array(i * 300_000).fill(i));
    let end = { epoch: 1, hash: '', wallMs: 0, windowLagS: 0 };
    reader.frames(shard, sequence, ({ epoch, wallMs, windowLagS }, bytes) => {
      end = { epoch, wallMs, windowLagS, hash: Buffer.from(frameHash(bytes)).toString('hex') };
      return false;
    });
    return { ...end, shard, sequence, digest: digestAt(sequence), timeMs: 5000 + shard, ...writer.finish() };
  });
  await reader.close();
  const dropped = await Promise.all(
    folders.map(async (name) => ({
      ...(await sealFolder(join(journal(), name), () => undefined)),
      exported: '/mnt/x',
    })),
  );
  const document: AnchorDocument = { format: 1, number, createdMs: 1, shards, balances: [], dropped };
  finishDraft(draft, document);
  expect(newestAnchor(journal())?.document.number ?? 0).toBe(number - 1);
  commitAnchor(journal(), number);
}

describe('a journal that begins behind an anchor', () => {
  it('shows what is behind it, and says of the rest where it went', async () => {
    await write([4, 3]);
    await drop(1, ['lane-0-000001']);
    const reader = JournalReader.open(journal(), { readOnly: true });
    expect([reader.floor(0), reader.floor(1)]).toEqual([20, 20]);
    const message = new MessageEvent();
    expect(reader.readMessage(0, 21, message)).toBe(true);
    expect(message.timeMs).toBe(sampleMessage(21).timeMs);
    const gone =
      'record_dropped: record 20 of shard 0 is not in the journal any more: it was exported to /mnt/x (lane-0-000001); the first one there is 21';
    expect(codeOf(() => reader.readMessage(0, 20, message))).toBe(gone);
    expect(codeOf(() => reader.scan(0, 20).step(1))).toBe(gone);
    const scan = reader.scan(0, 21);
    while (scan.step(1000));
    expect([scan.records, scan.head().sequence]).toEqual([20, 40]);
    expect(reader.head(0)).toEqual({ ...scan.head(), wallMs: 2002, windowLagS: 7 });
    await reader.close();
  });

  it('has the head of the anchor where nothing came since, and goes on behind it', async () => {
    await write([4, 1]);
    await drop(1, ['lane-0-000001']);
    const reader = JournalReader.open(journal());
    const head = reader.head(1);
    expect(head).toMatchObject({ shard: 1, epoch: 1, sequence: 20, digest: digestAt(20), wallMs: 1003, windowLagS: 7 });
    const scan = reader.scan(1, 21);
    expect(scan.step(10)).toBe(false);
    expect(scan.head()).toEqual(head);
    const next = new ShardJournal(1, head);
    next.appendMessage(sampleMessage(21));
    const lane = openLane(journal(), 0);
    lane.append([next.seal(9, digestAt(21))]);
    await lane.close();
    expect(scan.step(10)).toBe(false);
    expect(scan.head().sequence).toBe(21);
    await reader.close();
  });

  it('is broken when the first frame does not follow the dropped one', async () => {
    await write([4, 3]);
    await drop(1, ['lane-0-000001']);
    const path = join(journal(), 'anchor-000001', 'anchor.json');
    const { sha256: _, ...document } = JSON.parse(readFileSync(path, 'utf8')) as AnchorDocument & { sha256: string };
    const shards = document.shards.map((one) => ({ ...one, hash: 'ab'.repeat(32) }));
    rmSync(path);
    finishDraft(join(journal(), 'anchor-000001'), { ...document, shards });
    const reader = JournalReader.open(journal(), { readOnly: true });
    expect(codeOf(() => reader.scan(0, 21).step(1))).toMatch(/^chain_broken: .*sequence 21/);
    await reader.close();
  });

  it('is let go of by a reader of the engine', async () => {
    await write([4, 3]);
    const engine = JournalReader.open(journal());
    const message = new MessageEvent();
    expect(engine.readMessage(0, 1, message)).toBe(true);
    await drop(1, ['lane-0-000001']);
    rmSync(join(journal(), 'lane-0-000001'), { recursive: true });
    engine.refresh();
    expect(engine.floor(0)).toBe(20);
    expect(engine.folders().map(({ name }) => name)).toEqual(['lane-0-000002']);
    expect(codeOf(() => engine.scan(0, 1).step(1))).toMatch(/^record_dropped/);
    await engine.close();
  });

  it('is read to the end by a tool that began before', async () => {
    await write([4, 3]);
    const tool = JournalReader.open(journal(), { readOnly: true });
    const scan = tool.scan(0, 1);
    expect(scan.step(5)).toBe(true);
    await drop(1, ['lane-0-000001']);
    rmSync(join(journal(), 'lane-0-000001'), { recursive: true });
    while (scan.step(1000));
    expect([scan.records, tool.floor(0)]).toEqual([40, 0]);
    const other = tool.scan(1, 1);
    while (other.step(1000));
    expect(other.records).toBe(30);
    await tool.close();
  });

  it('can be dropped again: the newest anchor counts, and older ones go', async () => {
    await write([4, 4, 2]);
    await drop(1, ['lane-0-000001']);
    await drop(2, ['lane-0-000002']);
    removeOldAnchors(journal());
    expect(existsSync(join(journal(), 'anchor-000001'))).toBe(false);
    const reader = JournalReader.open(journal(), { readOnly: true });
    expect(reader.floor(0)).toBe(40);
    await reader.close();
  });

  it('begins at its first record again with what was exported, whether that went or not', async () => {
    await write([4, 3]);
    const to = join(dir, 'export');
    await exportFolder(join(journal(), 'lane-0-000001'), to, () => undefined);
    for (const isDropped of [false, true]) {
      if (isDropped) await drop(1, ['lane-0-000001']);
      const reader = JournalReader.open(journal(), { readOnly: true, exported: [to] });
      const scan = reader.scan(0, 1);
      while (scan.step(1000));
      expect(scan.records).toBe(40);
      expect([reader.floor(0), reader.passedAnchor?.floor(0) ?? 0]).toEqual([0, isDropped ? 20 : 0]);
      await reader.close();
    }
  });
});

describe('an anchor', () => {
  it('hands out the entries that were written, small and large', async () => {
    await write([4, 1]);
    await drop(1, ['lane-0-000001'], 4);
    const seen: unknown[] = [];
    newestAnchor(journal())!.load(1, (table, key, entry) => {
      seen.push([table, key, entry.length, entry.every((byte) => byte === table - 1)]);
    });
    expect(seen).toEqual(
      [
        [1, 0, 0, true],
        [2, 1e9, 300_000, true],
        [3, 2e9, 600_000, true],
        [4, 3e9, 900_000, true],
      ].slice(0, seen.length),
    );
    expect(seen.length).toBe(4);
  });

  it('has no entries of a shard of which nothing was dropped', async () => {
    await write([4, 1]);
    await drop(1, ['lane-0-000001'], 4);
    const anchor = newestAnchor(journal())!;
    const unused = anchor.document.shards.findIndex(({ sequence }) => sequence === 0);
    for (const shard of [unused, anchor.document.shards.length])
      anchor.load(shard, () => expect.unreachable(`an entry of shard ${shard}`));
  });

  it.each([
    ['a bit', (path: string) => flip(path, 40), /hash|entries|bytes/],
    ['its end', (path: string) => truncateSync(path, 30), /cut short/],
    ['what follows it', (path: string) => appendFileSync(path, 'x'), /bytes follow its end/],
    ['its shard', (path: string) => flip(path, 7), /another shard/],
    ['its magic', (path: string) => flip(path, 0), /no state file/],
    ['all of it', (path: string) => rmSync(path), /ENOENT/],
  ])('is not believed when its state is damaged: %s', async (_, damage, message) => {
    await write([4, 1]);
    await drop(1, ['lane-0-000001'], 2);
    const anchor = newestAnchor(journal())!;
    damage(join(anchor.path, 'shard-0.state'));
    const error = codeOf(() => anchor.load(0, () => undefined));
    expect(error).toMatch(/^anchor_corrupt: /);
    expect(error).toMatch(message);
  });

  it('is not believed when its document was changed, and is none while it is a draft', async () => {
    await write([4, 1]);
    await drop(1, ['lane-0-000001']);
    const path = join(journal(), 'anchor-000001', 'anchor.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"sequence":20', '"sequence":10'));
    expect(codeOf(() => newestAnchor(journal()))).toMatch(/^anchor_corrupt: .*its hash does not match/);
    beginAnchor(journal(), 2);
    expect(existsSync(join(journal(), 'anchor-000002.new'))).toBe(true);
    expect(codeOf(() => newestAnchor(journal()))).toMatch(/anchor-000001/);
  });
});

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 1;
  writeFileSync(path, bytes);
}

describe('a folder that grows no more', () => {
  it('has a seal, which is made once and says what is in it', async () => {
    await write([3, 1]);
    const folder = join(journal(), 'lane-0-000001');
    const seal = await sealFolder(folder, () => undefined);
    expect(seal).toMatchObject({ name: 'lane-0-000001', frames: 3, records: 30, fromMs: 1000, toMs: 1002 });
    expect(seal.shards.map(({ shard, first, last }) => [shard, first, last])).toEqual([
      [0, 1, 20],
      [1, 1, 10],
    ]);
    expect(await sealFolder(folder, () => undefined)).toEqual(seal);
    expect(await inspectFolder(folder, () => undefined)).toEqual(seal);
    writeFileSync(join(folder, 'manifest.json'), '{}');
    await expect(sealFolder(folder, () => undefined)).rejects.toThrow(/manifest.json is damaged/);
  });

  it('is exported once; a rest of an earlier export is replaced, other frames are refused', async () => {
    await write([3, 2, 1]);
    const to = join(dir, 'export');
    mkdirSync(join(to, 'lane-0-000001.new'), { recursive: true });
    writeFileSync(join(to, 'lane-0-000001.new', 'data.mdb'), 'half a copy');
    const first = await exportFolder(join(journal(), 'lane-0-000001'), to, () => undefined);
    expect(existsSync(join(to, 'lane-0-000001.new'))).toBe(false);
    expect(await exportFolder(join(journal(), 'lane-0-000001'), to, () => undefined)).toEqual(first);
    rmSync(join(to, 'lane-0-000001', 'data.mdb'));
    writeFileSync(join(to, 'lane-0-000001', 'data.mdb'), readFileSync(join(journal(), 'lane-0-000002', 'data.mdb')));
    await expect(exportFolder(join(journal(), 'lane-0-000001'), to, () => undefined)).rejects.toThrow(
      /it has other frames/,
    );
  });

  it('comes from a lane that no thread writes any more', async () => {
    await write([2]);
    closeIdleLanes(journal(), 1);
    expect(names()).toEqual(['lane-0-000001']);
    closeIdleLanes(journal(), 0);
    closeIdleLanes(journal(), 0);
    expect(names()).toEqual(['lane-0-000001', 'lane-0-000002']);
    const reader = JournalReader.open(journal());
    expect(reader.folders().map(({ closed, toMs }) => [closed, toMs])).toEqual([
      [true, 1001],
      [false, 0],
    ]);
    await reader.close();
  });
});
