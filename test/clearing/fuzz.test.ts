/**
 * Hostile bytes. Whatever a file holds, the outcome is a report, at once, in bounded memory, and it depends on the bytes of the
 * file alone: not on how it is cut into chunks, nor on what lies around a record.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encoding, encodingNames } from '../../src/clearing/encoding.js';
import { IpmMessage } from '../../src/clearing/ipm/message.js';
import { ipmProfile } from '../../src/clearing/ipm/profile.js';
import { RdwReader } from '../../src/clearing/rdw-reader.js';
import { RdwWriter } from '../../src/clearing/rdw-writer.js';
import { openClearing } from '../../src/clearing/reader.js';
import { reportJson } from '../../src/clearing/report-json.js';
import { ipmFile, purchase, readFile, someRecords } from './files.js';

const names = fc.constantFrom(...encodingNames);
/** What a decoder that reads too far would believe: digits of both encodings, filling, and neither. */
const poisons = [0x00, 0x31, 0x40, 0xf1, 0xff];

function records(file: Uint8Array, blocked: boolean): Uint8Array[] {
  const out: Uint8Array[] = [];
  const reader = new RdwReader(blocked);
  reader.push(file);
  while (reader.next()) out.push(reader.bytes.slice(reader.start, reader.end));
  return out;
}

/** All that a decoder says of a message. */
function outcome(message: IpmMessage, bytes: Uint8Array, before: number, poison: number): string {
  const place = new Uint8Array(bytes.length + 40).fill(poison);
  place.set(bytes, before);
  const good = message.decode(place, before, before + bytes.length);
  if (good !== (message.error === undefined)) throw new Error('result and error disagree');
  if (message.errorOffset < 0 || message.errorOffset > bytes.length) throw new Error('error out of bounds');
  let out = `${good} ${message.mti} ${message.error} ${message.errorField} ${message.errorOffset} ${message.errorTag}`;
  message.each((field) => {
    const start = message.start(field) - before;
    if (start < 0 || start + message.length(field) > bytes.length) throw new Error(`DE${field} reaches outside`);
    out += ` ${field}:${start}:${message.text(field)}:${message.number(field)}`;
  });
  for (let i = 0; i < message.pdsCount; i++) out += ` ${message.pdsTag(i)}=${message.pdsText(message.pdsTag(i))}`;
  return out;
}

/** Reads a file in several ways; they say the same, and every record can be described. */
function probe(file: Uint8Array, options: Parameters<typeof readFile>[1]): boolean {
  const whole = readFile(file, options);
  const cut = readFile(file, options, 61);
  expect(cut).toEqual(whole);
  expect(JSON.parse(JSON.stringify(reportJson(whole.report)))).toMatchObject({ bytes: file.length });
  const reader = openClearing({ format: 'ipm', encoding: 'ascii', blocked: false, mode: 'any', ...options });
  reader.push(file);
  while (reader.next())
    if (reader.readable) expect(JSON.stringify(reader.describe())).not.toContain('9999990000000014');
  reader.finish();
  return whole.report.accepted;
}

describe('hostile files', () => {
  it('of any bytes are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), names, fc.boolean(), (file, name, blocked) => {
        expect(probe(file, { encoding: name, blocked })).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  it('of records of any bytes are refused', () => {
    const record = fc.tuple(fc.constantFrom('1240', '1644', '1442'), fc.uint8Array({ minLength: 20, maxLength: 300 }));
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 6 }), names, fc.boolean(), (list, name, blocked) => {
        const pieces: Uint8Array[] = [];
        const writer = new RdwWriter(blocked, (bytes) => pieces.push(bytes));
        for (const [type, bytes] of list) {
          encoding(name).put(type, bytes, 0);
          bytes[4]! |= 0x80;
          writer.record(bytes);
        }
        writer.finish();
        expect(probe(Buffer.concat(pieces), { encoding: name, blocked })).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  it('that were good but for some bytes', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(names, fc.boolean(), changes, fc.nat(), (name, blocked, list, cut) => {
        const good = ipmFile(someRecords, name, blocked);
        const file = Buffer.from(good);
        for (const [place, byte] of list) file[place % file.length] = byte;
        probe(file, { encoding: name, blocked });
        // A file that was cut is never accepted, whatever else is right; but for the end, which may be missing.
        const end = good.length - (blocked ? 0 : 4);
        const part = good.subarray(0, cut % end);
        expect(probe(part, { encoding: name, blocked })).toBe(false);
      }),
      { numRuns: 200 },
    );
  });
});

describe('hostile messages', () => {
  it('are read by their own bytes alone', () => {
    const seeds = records(ipmFile(someRecords), false);
    const decoders = poisons.map(() => new IpmMessage(ipmProfile, encoding('ascii')));
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }),
        fc.nat({ max: 40 }),
        (seed, list, less) => {
          const bytes = seed.slice(0, Math.max(0, seed.length - less));
          for (const [place, byte] of list) if (bytes.length > 0) bytes[place % bytes.length] = byte;
          const outcomes = decoders.map((decoder, i) => outcome(decoder, bytes, 3 + i, poisons[i]!));
          for (const one of outcomes) expect(one).toBe(outcomes[0]);
        },
      ),
      { numRuns: 600 },
    );
  });
});

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
