/** What the seal of a lane folder says of the frames in it. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { frameHash } from '#src/journal/frame.js';
import { listLaneFolders, openLane } from '#src/journal/lane-directory.js';
import { readManifest, sealFolder } from '#src/journal/lane-manifest.js';
import { ShardJournal } from '#src/journal/shard-journal.js';
import type { SealedFrame } from '#src/journal/types.js';
import { digestAt, empty, sampleMessage } from './samples.js';

it('counts frames, records and bytes, and names first, last and hash of every shard', async () => {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-manifest.'));
  try {
    const heads = [empty(0), empty(2)];
    const lane = openLane(root, 0, { heads });
    const journals = heads.map((head) => new ShardJournal(head.shard, head));
    const hashes = ['', ''];
    let bytes = 0;
    const seal = (at: number, records: number, wallMs: number): SealedFrame => {
      const journal = journals[at]!;
      for (let i = 0; i < records; i++) journal.appendMessage(sampleMessage(journal.sequence + 1));
      const frame = journal.seal(wallMs, digestAt(journal.sequence));
      bytes += frame.bytes.length;
      hashes[at] = Buffer.from(frameHash(frame.bytes)).toString('hex');
      return { ...frame, bytes: frame.bytes.slice() };
    };
    lane.append([seal(0, 3, 500), seal(1, 1, 400)]);
    lane.append([seal(0, 2, 900)]);
    await lane.close();

    const [name] = readdirSync(root);
    const progress: number[] = [];
    const manifest = await sealFolder(join(root, name!), (records) => progress.push(records));
    expect(manifest).toEqual({
      ...{ format: 1, name, frames: 3, records: 6, bytes, fromMs: 400, toMs: 900 },
      shards: [
        { shard: 0, first: 1, last: 5, hash: hashes[0] },
        { shard: 2, first: 1, last: 1, hash: hashes[1] },
      ],
    });
    expect(progress).toEqual([6]);
    expect(readManifest(join(root, name!))).toEqual(manifest);
  } finally {
    rmSync(root, { recursive: true });
  }
});

it('a folder is one of a lane by its name and its data file', () => {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-lanes.'));
  try {
    for (const name of [
      'lane-1-000002',
      'lane-0-000010',
      'lane-0-000009',
      'lane-0-000011',
      'lane-x-000001',
      'anchor-1',
    ])
      mkdirSync(join(root, name));
    for (const name of ['lane-1-000002', 'lane-0-000010', 'lane-0-000009', 'lane-x-000001'])
      writeFileSync(join(root, name, 'data.mdb'), '');
    writeFileSync(join(root, 'lane-0-000012'), '');
    expect(listLaneFolders(root).map(({ name, thread, number }) => [name, thread, number])).toEqual([
      ['lane-0-000009', 0, 9],
      ['lane-0-000010', 0, 10],
      ['lane-1-000002', 1, 2],
    ]);
  } finally {
    rmSync(root, { recursive: true });
  }
});
