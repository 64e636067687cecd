/** What is refused, and by which code: one row per way in which a file can be wrong. */
import { describe, expect, it } from 'vitest';
import { type EncodingName, encoding } from '#src/clearing/encoding.js';
import { type FindingCode, findingSpecs } from '#src/clearing/findings.js';
import { encodeMessage, type IpmElements } from '#src/clearing/ipm/encoder.js';
import { ipmProfile } from '#src/clearing/ipm/profile.js';
import { ipmElements } from '#src/clearing/ipm/writer.js';
import { RdwReader } from '#src/clearing/rdw-reader.js';
import { RdwWriter } from '#src/clearing/rdw-writer.js';
import type { ReadOptions } from '#src/clearing/reader.js';
import { CLEARING_FINDINGS_MAX } from '#src/limits.js';
import { chargeback, FILE_ID, ipmFile, purchase, readFile, refund, someRecords } from './files.js';

const seen = new Set<FindingCode>();

/** The findings of a file, which is refused; their codes are noted. */
function refused(file: Uint8Array, options: Partial<ReadOptions> = {}) {
  const { report } = readFile(file, options);
  expect(report.accepted).toBe(false);
  expect(report.errors).toBeGreaterThan(0);
  for (const { code } of report.findings) seen.add(code);
  return report.findings;
}

/** Messages as their elements: a file of the writer, before and after a change. */
type Messages = IpmElements[];

function messages(): Messages {
  const pds = { 122: 'P' };
  const body = [purchase, refund, chargeback].map((data, i) => ipmElements(data, i + 2));
  const sums = { 301: String(4200 + 1000 + 4200).padStart(16, '0'), 306: '00000005' };
  return [
    ipmElements({ kind: 'header', fileId: FILE_ID, pds }, 1),
    ...body,
    ipmElements({ kind: 'trailer', fileId: FILE_ID, pds: sums }, 5),
  ];
}

function pack(list: readonly (IpmElements | Uint8Array)[], name: EncodingName = 'ascii', blocked = false): Buffer {
  const pieces: Uint8Array[] = [];
  const writer = new RdwWriter(blocked, (bytes) => pieces.push(bytes));
  const target = new Uint8Array(6000);
  for (const one of list) {
    if (one instanceof Uint8Array) writer.record(one);
    else writer.record(target, 0, encodeMessage(ipmProfile, encoding(name), one, target));
  }
  writer.finish();
  return Buffer.concat(pieces);
}

function bytesOf(elements: IpmElements): Buffer {
  const target = new Uint8Array(6000);
  return Buffer.from(target.subarray(0, encodeMessage(ipmProfile, encoding('ascii'), elements, target)));
}

/** Offset of the `n`th record. */
function offsetOf(file: Uint8Array, n: number, blocked = false): number {
  const reader = new RdwReader(blocked);
  reader.push(file);
  for (let i = 0; i < n; i++) reader.next();
  return reader.offset;
}

/** Elements with the private data of the file id, sums and mode changed as text. */
function replaced(elements: IpmElements, from: string, to: string): IpmElements {
  expect(elements[48]).toContain(from);
  return { ...elements, 48: elements[48]!.replace(from, to) };
}

const set = (list: Messages, index: number, more: Record<number, string>): Messages =>
  list.map((one, i) => (i === index ? { ...one, ...more } : one));
const without = (list: Messages, index: number, field: number): Messages =>
  list.map((one, i) =>
    i === index ? Object.fromEntries(Object.entries(one).filter(([key]) => key !== `${field}`)) : one,
  );
const swap = (list: Messages, index: number, from: string, to: string): Messages =>
  list.map((one, i) => (i === index ? replaced(one, from, to) : one));

describe('the file that the rows below change', () => {
  it('is accepted', () => {
    expect(readFile(pack(messages()), { mode: 'P' })).toMatchObject({ codes: [], report: { accepted: true } });
  });
});

describe('rules of the file', () => {
  type Row = readonly [string, (list: Messages) => Messages, FindingCode, record: number, field: string];
  const rows: readonly Row[] = [
    ['no header', (list) => set(list.slice(1), 0, { 71: '00000001' }), 'header_missing', 1, ''],
    ['a second header', (list) => set(list, 2, { ...list[0], 71: '00000003' }), 'header_repeated', 3, ''],
    ['the trailer gone', (list) => list.slice(0, -1), 'trailer_missing', 4, ''],
    [
      'a message behind the trailer',
      (list) => [...list, { ...list[2], 71: '00000006' }],
      'record_after_trailer',
      6,
      '',
    ],
    ['DE71 repeated', (list) => set(list, 2, { 71: '00000002' }), 'number_order', 3, 'DE71'],
    ['DE71 falling', (list) => set(list, 3, { 71: '00000001' }), 'number_order', 4, 'DE71'],
    ['DE71 of the header', (list) => set(list, 0, { 71: '00000000' }), 'number_first', 1, 'DE71'],
    ['DE71 missing', (list) => without(list, 1, 71), 'number_missing', 2, 'DE71'],
    ['another file id in the trailer', (list) => swap(list, 4, '01001', '01002'), 'file_id_mismatch', 5, 'PDS0105'],
    ['no file id', (list) => swap(list, 0, `0105025${FILE_ID}`, ''), 'file_id_malformed', 1, 'PDS0105'],
    ['a short file id', (list) => swap(list, 4, `025${FILE_ID}`, '00300X'), 'file_id_malformed', 5, 'PDS0105'],
    ['PDS0306 off by one', (list) => swap(list, 4, '00000005', '00000006'), 'count_mismatch', 5, 'PDS0306'],
    ['no PDS0306', (list) => swap(list, 4, '030600800000005', ''), 'count_malformed', 5, 'PDS0306'],
    ['PDS0301 off by one', (list) => swap(list, 4, '9400', '9401'), 'amount_sum_mismatch', 5, 'PDS0301'],
    ['PDS0301 no number', (list) => swap(list, 4, '00009400', '0000940X'), 'amount_sum_malformed', 5, 'PDS0301'],
    ['a test file', (list) => swap(list, 0, '0122001P', '0122001T'), 'mode_mismatch', 1, 'PDS0122'],
    ['neither test nor production', (list) => swap(list, 0, '0122001P', '0122001X'), 'mode_malformed', 1, 'PDS0122'],
    ['no card number', (list) => without(list, 1, 2), 'pan_missing', 2, 'DE2'],
    ['an empty card number', (list) => set(list, 1, { 2: '' }), 'pan_missing', 2, 'DE2'],
    ['a chargeback without one', (list) => without(list, 3, 2), 'field_missing', 4, 'DE2'],
    ['a function code that is none', (list) => set(list, 1, { 24: '299' }), 'function_unknown', 2, 'DE24'],
    ['no function code', (list) => without(list, 3, 24), 'function_unknown', 4, 'DE24'],
    ['no ARN', (list) => without(list, 2, 31), 'field_missing', 3, 'DE31'],
    ['no currency', (list) => without(list, 2, 50), 'amount_without_currency', 3, 'DE50'],
    ['a currency that is none', (list) => set(list, 1, { 51: '000' }), 'amount_without_currency', 2, 'DE51'],
    ['a day that is none', (list) => set(list, 1, { 12: '260230120000' }), 'date_malformed', 2, 'DE12'],
    ['an hour that is none', (list) => set(list, 1, { 12: '260228240000' }), 'date_malformed', 2, 'DE12'],
    [
      'a settlement day that is none',
      (list) => swap(list, 1, '261126', '261326'),
      'date_malformed',
      2,
      'PDS0159 settlement_date',
    ],
    ['fees of another length', (list) => swap(list, 1, '0146036', '0146035'), 'pds_malformed', 2, 'DE48'],
    [
      'a fee that is no number',
      (list) => swap(list, 1, '000000840', '00000084X'),
      'pds_content',
      2,
      'PDS0146 currency',
    ],
    ['private data that are none', (list) => set(list, 1, { 62: 'nothing' }), 'pds_malformed', 2, 'DE62'],
    ['private data twice', (list) => set(list, 1, { 62: '0146000' }), 'pds_repeated', 2, 'DE62 PDS0146'],
    ['a date that is half there', (list) => set(list, 1, { 62: '0025003R26' }), 'pds_content', 2, 'PDS0025'],
  ];

  it.each(rows)('%s', (_, change, code, record, field) => {
    for (const [name, blocked] of [
      ['ascii', false],
      ['cp500', true],
    ] as const) {
      const file = pack(change(messages()), name, blocked);
      const [first] = refused(file, { mode: 'P', encoding: name, blocked });
      expect(first).toMatchObject({ code, record, ...(code === 'pds_malformed' ? {} : { field }) });
      expect(first!.field.startsWith(field)).toBe(true);
      expect(first!.rule).toBe(findingSpecs[code].rule);
      const from = offsetOf(file, record, blocked);
      expect(first!.offset).toBeGreaterThanOrEqual(from);
      expect(first!.offset).toBeLessThan(from + 700);
    }
  });

  it('production is refused where a test is asked for, and either is taken where it does not matter', () => {
    expect(refused(pack(messages()), { mode: 'T' })[0]).toMatchObject({ code: 'mode_mismatch' });
    expect(readFile(pack(messages()), { mode: 'any' }).report).toMatchObject({ accepted: true, mode: 'P' });
  });

  it('all that is wrong is found, not the first alone', () => {
    const list = set(without(without(messages(), 1, 2), 2, 31), 3, { 71: '00000001' });
    expect(refused(pack(list)).map(({ code, record }) => [code, record])).toEqual([
      ['pan_missing', 2],
      ['field_missing', 3],
      ['number_order', 4],
    ]);
  });

  it('of many findings the first ones are kept and all are counted', () => {
    const many = Array.from({ length: 2 * CLEARING_FINDINGS_MAX }, () => ({ ...purchase, pan: '' }));
    const { report } = readFile(ipmFile(many));
    expect(report).toMatchObject({ errors: 2 * CLEARING_FINDINGS_MAX, accepted: false });
    expect(report.findings).toHaveLength(CLEARING_FINDINGS_MAX);
  });
});

describe('messages that cannot be read', () => {
  const good = messages();
  const broken = (change: (bytes: Buffer) => Uint8Array): Buffer =>
    pack([good[0]!, change(bytesOf(good[1]!)), good[2]!, good[3]!, good[4]!]);
  const patch =
    (at: number, ...bytes: number[]) =>
    (record: Buffer) => {
      for (const [i, byte] of bytes.entries()) record[at + i] = byte;
      return record;
    };
  const flip = (field: number) => (record: Buffer) => {
    record[4 + ((field - 1) >> 3)]! ^= 0x80 >> ((field - 1) & 7);
    return record;
  };

  it.each([
    ['a letter in the message type', patch(1, 0x41), 'mti_malformed', 'MTI', 4],
    ['a bitmap without its second half', patch(4, 0x7c), 'bitmap_malformed', 'bitmap', 8],
    ['an element that there is none', flip(7), 'field_unknown', 'DE7', undefined],
    ['a bit without data', flip(127), 'field_truncated', 'DE127', undefined],
    ['data without a bit', flip(71), 'bytes_left_over', '', undefined],
    ['a length of letters', patch(20, 0x41, 0x41), 'field_length', 'DE2', 24],
    ['a length above the longest', patch(20, 0x32, 0x30), 'field_too_long', 'DE2', 24],
    ['a letter in an amount', patch(44, 0x41), 'field_content', 'DE4', 48],
    [
      'a byte too many',
      (record: Buffer) => Buffer.concat([record, Buffer.from('0')]),
      'bytes_left_over',
      '',
      undefined,
    ],
    ['a byte too few', (record: Buffer) => record.subarray(0, -1), 'field_truncated', 'DE71', undefined],
  ] as const)('%s', (_, change, code, field, at) => {
    const file = broken(change);
    const findings = refused(file);
    expect(findings[0]).toMatchObject({ code, record: 2, field });
    const start = offsetOf(file, 2);
    if (at !== undefined) expect(findings[0]!.offset).toBe(start + at);
    // The rest is read all the same, and the sums are not held against what could not be read.
    expect(findings).toHaveLength(1);
  });

  it('the offset counts the ends of blocks that lie before it', () => {
    const list = messages().map((one) => ({ ...one, 72: 'x'.repeat(400) }));
    const wrong = set(list, 2, { 12: '999999999999' });
    const plain = pack(wrong, 'cp037', false);
    const blocked = pack(wrong, 'cp037', true);
    const at = refused(plain, { encoding: 'cp037' })[0]!.offset;
    expect(refused(blocked, { encoding: 'cp037', blocked: true })[0]!.offset).toBe(at + 2 * Math.floor(at / 1012));
    expect(at).toBeGreaterThan(1012);
    expect(encoding('cp037').text(plain, at, at + 12)).toBe('999999999999');
  });
});

describe('containers', () => {
  const plain = ipmFile(someRecords);
  const blocked = ipmFile(someRecords, 'cp500', true);
  const long = ipmFile([...someRecords, ...someRecords, ...someRecords], 'cp500', true);
  const changed = (file: Buffer, at: number, value: number): Buffer => {
    const copy = Buffer.from(file);
    copy.writeUInt32BE(value, at);
    return copy;
  };
  const second = offsetOf(plain, 2);
  const length = plain.readUInt32BE(second);
  const last = offsetOf(plain, 8);
  const ebcdic = { encoding: 'cp500', blocked: true } as const;

  it.each([
    ['nothing', Buffer.alloc(0), {}, 'empty_file', 0],
    ['only an end', Buffer.alloc(4), {}, 'empty_file', 0],
    ['last byte cut', plain.subarray(0, -1), {}, 'record_truncated', 9],
    ['cut inside a record', plain.subarray(0, second + 100), {}, 'record_truncated', 2],
    ['last byte of blocks cut', blocked.subarray(0, -1), ebcdic, 'block_truncated', 0],
    ['length + 1', changed(plain, second, length + 1), {}, 'record_length_wrong', 2],
    ['length - 1', changed(plain, second, length - 1), {}, 'record_length_wrong', 2],
    ['length + 1 of the last', changed(plain, last, plain.readUInt32BE(last) + 1), {}, 'record_length_wrong', 8],
    ['a length of 0x40404040', changed(plain, second, 0x40404040), {}, 'length_is_filler', 2],
    ['the same in blocks', changed(blocked, second, 0x40404040), ebcdic, 'length_is_filler', 2],
    ['a length of 7', changed(plain, second, 7), {}, 'record_too_short', 2],
    ['a length of a gigabyte', changed(plain, second, 1 << 30), {}, 'record_too_long', 2],
    ['blocks read as none', blocked, { encoding: 'cp500' }, 'blocked_as_unblocked', 0],
    ['many blocks read as none', long, { encoding: 'cp500' }, 'blocked_as_unblocked', 0],
    ['no blocks read as blocks', plain, { blocked: true }, 'unblocked_as_blocked', 0],
    ['EBCDIC declared ASCII', blocked, { blocked: true }, 'ebcdic_as_ascii', 1],
    ['ASCII declared EBCDIC', plain, { encoding: 'cp037' }, 'ascii_as_ebcdic', 1],
    ['blocked EBCDIC declared unblocked ASCII', ipmFile([], 'cp500'), {}, 'ebcdic_as_ascii', 1],
  ] as const)('%s', (_, file, options, code, record) => {
    expect(refused(file, options)[0]).toMatchObject({ code, record });
    // However it comes, and however much of it at a time.
    for (const size of [1, 1013]) expect(readFile(file, options, size).codes[0]).toBe(code);
  });

  it('a block whose end is damaged', () => {
    const copy = Buffer.from(long);
    copy[1014 + 1012] = 0;
    expect(refused(copy, ebcdic)).toMatchObject([{ code: 'block_filler', offset: 1014 + 1012 }]);
  });

  it('a block whose end is damaged is no sign of a file without blocks, and the reverse', () => {
    const copy = Buffer.from(long);
    copy[1013] = 0;
    expect(refused(copy, ebcdic)).toMatchObject([{ code: 'block_filler', offset: 1013 }]);
    const flat = ipmFile([...someRecords, ...someRecords, ...someRecords], 'cp500', false);
    flat.fill(0x40, 1012, 1014);
    expect(refused(flat, ebcdic)).toMatchObject([{ code: 'unblocked_as_blocked' }]);
  });

  it('a wrong length is told first, and other faults of the record before are not taken for it', () => {
    const wrong = changed(plain, second, length + 1);
    expect(refused(wrong).map(({ code, record }) => [code, record])).toEqual([
      ['record_length_wrong', 2],
      ['record_too_long', 3],
    ]);
    const list = pack(set(messages(), 1, { 2: '' }));
    const third = offsetOf(list, 3);
    expect(refused(list.subarray(0, third + 50)).map(({ code, record }) => [code, record])).toEqual([
      ['pan_missing', 2],
      ['record_truncated', 3],
    ]);
  });

  it('what is told and does no harm', () => {
    const open = readFile(plain.subarray(0, -4));
    expect(open).toMatchObject({ codes: ['end_missing'], report: { accepted: true, warnings: 1, errors: 0 } });
    const more = readFile(Buffer.concat([plain, Buffer.from('rest')]));
    expect(more).toMatchObject({ codes: ['bytes_after_end'], report: { accepted: true } });
    expect(more.report.findings[0]!.offset).toBe(plain.length);
    const cycle = { ...purchase, settlement: { ...purchase.settlement!, settlementCycle: 16 } };
    const other = readFile(ipmFile([purchase, cycle]));
    expect(other).toMatchObject({ codes: ['settlement_cycle'], report: { accepted: true, warnings: 1 } });
    expect(other.report.findings[0]).toMatchObject({ record: 3, field: 'PDS0159 settlement_cycle' });
    for (const code of [...open.codes, ...more.codes, ...other.codes]) seen.add(code as FindingCode);
  });
});

it('every code of an IPM file was met above', () => {
  // Of CTF files, and of the files that were posted before (test/control/clearing-files.test.ts).
  const others: readonly string[] = ['line_length', 'component_order', 'file_id_posted'];
  const missing = Object.keys(findingSpecs).filter((code) => !seen.has(code as FindingCode) && !others.includes(code));
  expect(missing).toEqual([]);
});
