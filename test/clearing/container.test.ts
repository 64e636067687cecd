import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BlockWatch } from '#src/clearing/blocks.js';
import { type RdwFault, RdwReader } from '#src/clearing/rdw-reader.js';
import { RdwWriter } from '#src/clearing/rdw-writer.js';
import { sharedPath } from '../support/shared.js';

/** The file of these records. */
function write(records: readonly Uint8Array[], blocked: boolean): Buffer {
  const pieces: Uint8Array[] = [];
  const writer = new RdwWriter(blocked, (bytes) => pieces.push(bytes));
  for (const record of records) writer.record(record);
  writer.finish();
  return Buffer.concat(pieces);
}

interface Outcome {
  records: string[];
  offsets: number[];
  fault: RdwFault | undefined;
  endSeen: boolean;
  afterEnd: number;
}

/** Reads a file in chunks of these sizes, round and round. */
function read(file: Uint8Array, blocked: boolean, sizes: readonly number[] = [file.length || 1]): Outcome {
  const reader = new RdwReader(blocked);
  const records: string[] = [];
  const offsets: number[] = [];
  for (let at = 0, i = 0; at < file.length; i++) {
    const size = sizes[i % sizes.length]!;
    // A copy, so that what the reader keeps of an earlier chunk is not by chance still there.
    const chunk = Uint8Array.from(file.subarray(at, at + size));
    reader.push(chunk);
    while (reader.next()) {
      records.push(Buffer.from(reader.bytes.subarray(reader.start, reader.end)).toString('hex'));
      offsets.push(reader.offset);
    }
    chunk.fill(0x99);
    at += size;
  }
  reader.finish();
  return { records, offsets, fault: reader.fault, endSeen: reader.endSeen, afterEnd: reader.afterEnd };
}

const record = (length: number, byte = 0x58) => new Uint8Array(length).fill(byte);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('records and blocks', () => {
  const anyRecords = fc.array(fc.uint8Array({ minLength: 20, maxLength: 2500 }), { minLength: 1, maxLength: 12 });
  const anySizes = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 });

  it('come back as they were written, in chunks of any size, with their offsets', () => {
    fc.assert(
      fc.property(anyRecords, fc.boolean(), anySizes, (records, blocked, sizes) => {
        const file = write(records, blocked);
        const outcome = read(file, blocked, sizes);
        expect(outcome).toMatchObject({ fault: undefined, endSeen: true, afterEnd: -1 });
        expect(outcome.records).toEqual(records.map(hex));
        const plain = read(write(records, false), false).offsets;
        const inFile = (offset: number) => (blocked ? offset + 2 * Math.floor(offset / 1012) : offset);
        expect(outcome.offsets).toEqual(plain.map(inFile));
      }),
      { numRuns: 150 },
    );
  });

  it('are whole blocks, recognized by the end of each of them', () => {
    fc.assert(
      fc.property(anyRecords, anySizes, (records, sizes) => {
        for (const blocked of [true, false]) {
          const file = write(records, blocked);
          const watch = new BlockWatch();
          for (let at = 0, i = 0; at < file.length; i++) {
            const size = sizes[i % sizes.length]!;
            watch.push(file.subarray(at, at + size));
            at += size;
          }
          expect(watch.blocked).toBe(blocked);
          if (blocked) expect(file.length % 1014).toBe(0);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('a file of many blocks with one bad end in the middle is not blocked', () => {
    const file = write(
      Array.from({ length: 40 }, () => record(700)),
      true,
    );
    file[1014 * 17 + 1013] = 0x41;
    for (const size of [1, 1013, 1014, 1015, file.length]) {
      const watch = new BlockWatch();
      for (let at = 0; at < file.length; at += size) watch.push(file.subarray(at, at + size));
      expect(watch).toMatchObject({ blocked: false, looksBlocked: false, looksUnblocked: false, bad: 0.5 });
    }
    expect(read(file, true).fault).toEqual({ code: 'block_filler', record: 0, offset: 1014 * 17 + 1013 });
  });

  it('a stream that fills its last block has one of filling behind it', () => {
    const file = write([record(1004)], true);
    expect(file.length).toBe(2028);
    expect(file.subarray(1012).every((byte) => byte === 0x40)).toBe(true);
    expect(read(file, true)).toMatchObject({ fault: undefined, endSeen: true, afterEnd: -1 });
  });

  it('the longest record is read and the next longer one is not', () => {
    const file = write([record(6000)], false);
    expect(read(file, false, [1000]).records).toHaveLength(1);
    file.writeUInt32BE(6001);
    expect(read(file, false).fault).toEqual({ code: 'record_too_long', record: 1, offset: 0 });
    expect(() => write([record(6001)], false)).toThrow(RangeError);
    expect(() => write([record(0)], false)).toThrow(RangeError);
  });
});

describe('faults of the container', () => {
  const three = [record(500, 1), record(700, 2), record(40, 3)];
  const plain = write(three, false);
  const blocked = write(three, true);
  const patched = (file: Buffer, offset: number, value: number): Buffer => {
    const copy = Buffer.from(file);
    copy.writeUInt32BE(value, offset);
    return copy;
  };

  it.each([
    ['nothing', Buffer.alloc(0), false, 'empty_file', 0, 0],
    ['cut inside a record', plain.subarray(0, 900), false, 'record_truncated', 2, 504],
    ['cut inside a length', plain.subarray(0, 506), false, 'record_truncated', 2, 504],
    ['last byte cut', plain.subarray(0, -1), false, 'record_truncated', 4, 1252],
    ['a length of filling', patched(plain, 504, 0x40404040), false, 'length_is_filler', 2, 504],
    ['a length of filling in blocks', patched(blocked, 504, 0x40404040), true, 'length_is_filler', 2, 504],
    ['a length that no message has', patched(plain, 504, 19), false, 'record_too_short', 2, 504],
    ['a negative length', patched(plain, 504, 0xffffffff), false, 'record_too_long', 2, 504],
    ['a blocked file cut by a byte', blocked.subarray(0, -1), true, 'block_truncated', 0, 2027],
    ['a blocked file cut in its first block', blocked.subarray(0, 900), true, 'block_truncated', 0, 900],
    ['blocks read as none', blocked, false, 'blocked_as_unblocked', 0, 1012],
    ['one block read as none', write([record(50)], true), false, 'blocked_as_unblocked', 0, 1012],
    ['no blocks read as blocks', plain, true, 'unblocked_as_blocked', 0, 1012],
    ['no blocks read as blocks, short', write([record(50)], false), true, 'unblocked_as_blocked', 0, 58],
  ] as const)('%s', (_, file, asBlocked, code, number, offset) => {
    for (const sizes of [[file.length || 1], [1], [3, 700]]) {
      expect(read(file, asBlocked, sizes).fault).toEqual({ code, record: number, offset });
    }
  });

  it('a missing length of zero is no fault, in blocks neither', () => {
    const open = plain.subarray(0, -4);
    expect(read(open, false)).toMatchObject({ fault: undefined, endSeen: false });
    const filled = patched(blocked, 1252 + 2, 0x40404040);
    const outcome = read(filled, true, [5]);
    expect(outcome).toMatchObject({ fault: undefined, endSeen: false });
    expect(outcome.records).toHaveLength(3);
  });

  it('bytes behind the end are found, filling and zeros are not', () => {
    const behind = (...bytes: number[]) => read(Buffer.concat([plain, Buffer.from(bytes)]), false, [7]).afterEnd;
    expect(behind(0x40, 0x40, 0)).toBe(-1);
    expect(behind(0x40, 0x31, 0x31)).toBe(plain.length + 1);
  });

  it('memory does not grow with what a length promises', () => {
    const reader = new RdwReader(false);
    reader.push(Buffer.from('7fffffff', 'hex'));
    expect(reader.next()).toBe(false);
    expect(reader.fault?.code).toBe('record_too_long');
  });
});

const vectorPath = sharedPath('vectors', 'clearing.json');
interface Vector {
  id: string;
  inputs: { recordsHex?: string[]; records?: string; fileHex?: string };
  expected: { length?: number; sha256?: string };
}
const vectors = new Map<string, Vector>(
  vectorPath === undefined
    ? []
    : (JSON.parse(readFileSync(vectorPath, 'utf8')) as { vectors: Vector[] }).vectors.map((one) => [one.id, one]),
);

describe.skipIf(vectorPath === undefined)('reference vectors (skipped when ../shared is absent)', () => {
  it.each(['clearing-002', 'clearing-004'])('%s', (id) => {
    const { inputs, expected } = vectors.get(id)!;
    const records = inputs.recordsHex?.map((one) => Buffer.from(one, 'hex')) ?? [record(1004)];
    const file = write(records, true);
    expect(file.length).toBe(expected.length);
    expect(createHash('sha256').update(file).digest('hex')).toBe(expected.sha256);
    expect(read(file, true).records).toEqual(records.map(hex));
  });

  it('clearing-006', () => {
    const file = Buffer.from(vectors.get('clearing-006')!.inputs.fileHex!, 'hex');
    expect(read(file, false).fault).toEqual({ code: 'record_truncated', record: 1, offset: 0 });
  });
});
