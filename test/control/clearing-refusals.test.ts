/**
 * Files that break a rule, as uploads: each is refused whole with the code of its rule, and nothing of it is posted. Behind them
 * the same file without the fault, which posts once whatever is sent after it.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { panOfNumber } from '#src/vault/pan.js';
import { fileOf, presentment } from '../support/clearing-day.js';
import { type AnswerBody, type Harness, makeHarness } from './harness.js';
import { WITHIN } from './upload.js';

const PAN = panOfNumber('999999', 1);
const PATH = '/v1/clearing-files';
const own = (n: number, amount = 100) => presentment(n, undefined, amount, { pan: PAN });
const day = [own(1), own(2, 250), own(3, 70)];
const plain = fileOf(day, { encoding: 'ascii', blocked: false });
const ebcdic = fileOf(day, { encoding: 'cp500', blocked: false });
const blocked = fileOf(day, { encoding: 'ascii', blocked: true });

let h: Harness | undefined;
afterEach(() => vi.restoreAllMocks());

async function harness(): Promise<Harness> {
  const made = makeHarness({ shards: 2 });
  await made.call('POST', '/v1/accounts', { id: 'a', currency: 'BRL', credit_limit: 100_000 });
  await made.call('POST', '/v1/cards', { account: 'a', pan: PAN, expiry: '3512' });
  return made;
}

async function finished(on: Harness, file: Buffer, query = ''): Promise<AnswerBody> {
  const type = { 'content-type': 'application/octet-stream' };
  const { id } = (await on.call('POST', PATH + query, file, type)).body;
  return vi.waitFor(async () => {
    const { body } = await on.call('GET', `${PATH}/${id}`);
    expect(body.status).not.toBe('processing');
    return body;
  }, WITHIN);
}

const balance = async (on: Harness) => (await on.call('GET', '/v1/accounts/a')).body.balances.posted;

/** Records of an unblocked file, without their lengths. */
function split(file: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; file.readUInt32BE(at) > 0; at += 4 + file.readUInt32BE(at))
    records.push(file.subarray(at + 4, at + 4 + file.readUInt32BE(at)));
  return records;
}

function join(records: readonly Buffer[]): Buffer {
  const parts = records.flatMap((record) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(record.length);
    return [length, record];
  });
  return Buffer.concat([...parts, Buffer.alloc(4)]);
}

/** The file with one record changed by a text that is in it once. */
function edited(place: number, from: string, to: string): Buffer {
  const records = split(plain);
  const at = records.at(place)!.indexOf(from);
  expect(at, from).toBeGreaterThan(0);
  const record = Buffer.from(records.at(place)!);
  record.write(to, at, 'latin1');
  return join(records.with(place, record));
}

/** A four-byte length of the file, by the number of its record from 0. */
function withLength(place: number, change: (length: number) => number): Buffer {
  const file = Buffer.from(plain);
  let at = 0;
  for (let i = 0; i < place; i++) at += 4 + file.readUInt32BE(at);
  file.writeUInt32BE(change(file.readUInt32BE(at)), at);
  return file;
}

/** Bit 127 of the bitmap, whose element the record has not. */
function withBit127(): Buffer {
  const records = split(plain);
  const record = Buffer.from(records[2]!);
  record[4 + 15]! |= 0x02;
  return join(records.with(2, record));
}

const fileId = /0105025(\d{25})/.exec(plain.toString('latin1'))![1]!;
const otherId = `${fileId.slice(0, -1)}${(Number(fileId.at(-1)) + 1) % 10}`;

describe('a broken file', () => {
  it.each<[string, Buffer, string, string, number]>([
    ['its last byte cut', plain.subarray(0, -1), '', 'record_truncated', 6],
    ['the last byte of its blocks cut', blocked.subarray(0, -1), '?blocked=true', 'block_truncated', 0],
    ['a length one too many', withLength(2, (length) => length + 1), '', 'record_length_wrong', 3],
    ['a length of 0x40404040', withLength(2, () => 0x40404040), '', 'length_is_filler', 3],
    ['its trailer gone', join(split(plain).slice(0, -1)), '', 'trailer_missing', 4],
    ['a number of a message (DE71) twice', edited(2, '00000003', '00000002'), '', 'number_order', 3],
    ['its count (PDS0306) one off', edited(-1, '030600800000005', '030600800000006'), '', 'count_mismatch', 5],
    ['its sum (PDS0301) one off', edited(-1, '0000000000000420', '0000000000000421'), '', 'amount_sum_mismatch', 5],
    ['another id (PDS0105) in its trailer', edited(-1, fileId, otherId), '', 'file_id_mismatch', 5],
    ['a bit of a bitmap without data', withBit127(), '', 'field_truncated', 3],
    ['blocks, read as one without', blocked, '?blocked=false', 'blocked_as_unblocked', 0],
    ['no blocks, read as one of blocks', plain, '?blocked=true', 'unblocked_as_blocked', 0],
    ['EBCDIC, declared ASCII', ebcdic, '?encoding=ascii', 'ebcdic_as_ascii', 1],
    ['ASCII, declared EBCDIC', plain, '?encoding=cp500', 'ascii_as_ebcdic', 1],
  ])('with %s is refused whole', async (_, file, query, code, record) => {
    h ??= await harness();
    const body = await finished(h, file, query);
    expect(body).toMatchObject({ status: 'quarantined', posted: 0, errors: expect.toSatisfy((n: number) => n > 0) });
    const [first] = body.findings as object[];
    expect(first).toMatchObject({ code, record, severity: 'error' });
    expect(await balance(h)).toBe(0);
    expect(h.engine.commands.filter(({ op }) => op === 'clear')).toEqual([]);
  });

  it('leaves no trace: the right one posts, once, and nothing else under its id', async () => {
    h ??= await harness();
    const first = await finished(h, plain);
    expect(first).toMatchObject({ status: 'posted', posted: 3 });
    const { id, created_at: _, finished_at: __, ...outcome } = first;
    const again = await finished(h, plain);
    expect(again).toMatchObject({ ...outcome, status: 'duplicate', duplicate_of: id });
    const other = await finished(h, fileOf([own(1), own(4)], { encoding: 'ascii', blocked: false }));
    expect(other).toMatchObject({ status: 'quarantined', conflicts_with: id, findings: [{ code: 'file_id_posted' }] });
    expect(await balance(h)).toBe(420);
    const taken = { ...day[1]!, reversal: true, originalDay: day[1]!.localDay! };
    expect(await finished(h, fileOf([taken], { sequence: 2 }))).toMatchObject({
      ...{ status: 'posted', posted: 1, duplicates: 0, matched_by: { arn: 1 } },
    });
    expect(await balance(h)).toBe(170);
    expect(await finished(h, fileOf([taken], { sequence: 3 }))).toMatchObject({ posted: 0, duplicates: 1 });
    expect(await balance(h)).toBe(170);
  });
});
