/** What `verify` finds in an audit log that somebody changed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SYSTEM_SHARD } from '#src/journal/frame.js';
import { SystemJournal } from '#src/journal/system-journal.js';
import { type AuditMark, verifyAuditLog } from '#src/journal/verify.js';
import { openLmdbStore } from '#src/store/lmdb-store.js';
import type { Store } from '#src/store/port.js';
import { keyOfFrame } from './frames.js';

let folder: string;
let marks: AuditMark[];
beforeEach(async () => {
  folder = join(mkdtempSync(join(tmpdir(), 'holdfast-audit.')), 'audit');
  marks = await write(6, 'before');
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true }));

/** A log of so many frames; the heads after each. */
async function write(frames: number, what: string): Promise<AuditMark[]> {
  const journal = SystemJournal.open(folder);
  const heads: AuditMark[] = [];
  for (let i = 0; i < frames; i++) {
    journal.append({ type: 'action', what, i });
    const { sequence, hash } = journal.head();
    heads.push({ sequence, hash: Buffer.from(hash).toString('hex') });
  }
  await journal.close();
  return heads;
}

async function change(edit: (store: Store, key: (sequence: number) => Uint8Array) => void): Promise<void> {
  const store = openLmdbStore(folder);
  edit(store, (sequence) => keyOfFrame(store, SYSTEM_SHARD, sequence));
  await store.close();
}

const verdict = () => verifyAuditLog(folder, marks).catch((error: { code: string; message: string }) => error);

describe('verify of the audit log', () => {
  it('takes a log that has every head that is known of it, and goes on behind the last', async () => {
    marks = marks.slice(1, 3);
    expect(await verdict()).toEqual({ sequence: 6, hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(await verifyAuditLog(join(folder, 'none'), [])).toEqual({ sequence: 0, hash: '0'.repeat(64) });
  });

  it('names the first bad sequence of an edited, removed or moved record', async () => {
    const whole: Uint8Array[] = [];
    await change((store, key) => {
      for (let at = 1; at <= 6; at++) whole.push(store.get(key(at))!.slice());
      const bytes = whole[2]!.slice();
      bytes[bytes.length - 3]! ^= 1;
      store.commit((writer) => writer.put(key(3), bytes));
    });
    expect(await verdict()).toMatchObject({
      code: 'frame_corrupt',
      message: expect.stringMatching(/sequence 3 .*checksum/),
    });
    await change((store, key) => {
      const at = key(3);
      store.commit((writer) => writer.remove(at));
    });
    expect(await verdict()).toMatchObject({ code: 'chain_broken', message: expect.stringMatching(/sequence 3/) });
    await change((store, key) => {
      // The third where the fourth was, and nothing where it was itself.
      const at = key(4);
      store.commit((writer) => writer.put(at, whole[2]!));
    });
    expect(await verdict()).toMatchObject({ code: expect.stringMatching(/chain_broken|frame_corrupt/) });
  });

  it('misses an end that was cut off, and a log that was written anew, by the heads in the system journal', async () => {
    await change((store, key) => {
      const [fifth, sixth] = [key(5), key(6)];
      store.commit((writer) => {
        writer.remove(fifth);
        writer.remove(sixth);
      });
    });
    expect(await verdict()).toMatchObject({
      code: 'chain_broken',
      message: expect.stringMatching(/sequence 5: its end/),
    });
    rmSync(folder, { recursive: true });
    expect(await verdict()).toMatchObject({ code: 'chain_broken', message: expect.stringMatching(/it is missing/) });
    await write(6, 'after');
    expect(await verdict()).toMatchObject({
      code: 'chain_broken',
      message: expect.stringMatching(/sequence 1: it was written anew/),
    });
    rmSync(folder, { recursive: true });
    const journal = SystemJournal.open(folder);
    journal.appendAll(Array.from({ length: 6 }, (_, i) => ({ type: 'action', i })));
    await journal.close();
    marks = marks.slice(0, 5);
    expect(await verdict()).toMatchObject({ message: expect.stringMatching(/no frame ends where/) });
  });
});
