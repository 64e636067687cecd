/** A file that is longer than memory allows for: read piece by piece. Hostile files are the business of test/fuzz/targets/clearing.ts. */
import { describe, expect, it } from 'vitest';
import { encoding } from '#src/clearing/encoding.js';
import { IpmMessage } from '#src/clearing/ipm/message.js';
import { ipmProfile } from '#src/clearing/ipm/profile.js';
import { RdwReader } from '#src/clearing/rdw-reader.js';
import { openClearing } from '#src/clearing/reader.js';
import { ipmFile, purchase } from './files.js';

function records(file: Uint8Array, blocked: boolean): Uint8Array[] {
  const out: Uint8Array[] = [];
  const reader = new RdwReader(blocked);
  reader.push(file);
  while (reader.next()) out.push(reader.bytes.slice(reader.start, reader.end));
  return out;
}

/** Records of a file of `count` presentments, some hundred at a time, in one buffer that is written again and again. */
function* largeFile(count: number): Generator<Uint8Array> {
  const [head, model, tail] = records(ipmFile([{ ...purchase, amount: 100 }]), false);
  const framed = (record: Uint8Array, number: number): Buffer => {
    const out = Buffer.alloc(4 + record.length);
    out.writeUInt32BE(record.length);
    out.set(record, 4);
    const message = new IpmMessage(ipmProfile, encoding('ascii'));
    message.decode(out, 4, out.length);
    out.write(String(number).padStart(8, '0'), message.start(71));
    return out;
  };
  yield framed(head!, 1);
  const one = framed(model!, 0);
  const number = one.lastIndexOf('00000000');
  const batch = Buffer.alloc(500 * one.length);
  for (let i = 0; i < 500; i++) batch.set(one, i * one.length);
  for (let written = 0; written < count; written += 500) {
    for (let i = 0; i < 500; i++) batch.write(String(written + i + 2).padStart(8, '0'), i * one.length + number);
    yield batch;
  }
  const last = framed(tail!, count + 2);
  last.write(String(count * 100).padStart(16, '0'), last.indexOf('0301016') + 7);
  last.write(String(count + 2).padStart(8, '0'), last.indexOf('0306008') + 7);
  yield last;
  yield Buffer.alloc(4);
}

describe('a large file', () => {
  it('is read in memory that does not depend on its size', () => {
    const reader = openClearing({ format: 'ipm', encoding: 'ascii', blocked: false, mode: 'any' });
    const used = () => {
      const { heapUsed, external, arrayBuffers } = process.memoryUsage();
      return heapUsed + external + arrayBuffers;
    };
    const before = used();
    let most = 0;
    for (const chunk of largeFile(150_000)) {
      reader.push(chunk);
      while (reader.next());
      most = Math.max(most, used() - before);
    }
    const report = reader.finish();
    expect(report).toMatchObject({ accepted: true, records: 150_002, amountSum: 15_000_000n });
    expect(report.bytes).toBeGreaterThan(60e6);
    expect(most).toBeLessThan(48e6);
  });
});
