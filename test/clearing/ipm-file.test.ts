import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EncodingName, encoding, encodingNames } from '#src/clearing/encoding.js';
import { elementsOf, encodeMessage } from '#src/clearing/ipm/encoder.js';
import { IpmMessage } from '#src/clearing/ipm/message.js';
import { ipmProfile } from '#src/clearing/ipm/profile.js';
import { type IpmData, IpmFileWriter } from '#src/clearing/ipm/writer.js';
import { clearingInput } from '#src/clearing/posting.js';
import { RdwReader } from '#src/clearing/rdw-reader.js';
import { RdwWriter } from '#src/clearing/rdw-writer.js';
import { chooseOptions, clearingRecords, detectClearing, readClearing } from '#src/clearing/reader.js';
import { emptyRecord } from '#src/clearing/record.js';
import { sharedPath } from '../support/shared.js';
import {
  chargeback,
  DAY,
  FILE_ID,
  ipmFile,
  position,
  purchase,
  readFile,
  refund,
  settlement,
  someRecords,
} from './files.js';

const containers = encodingNames.flatMap((name) => [false, true].map((blocked) => [name, blocked] as const));

/** The file in another encoding and container, by way of the elements of its messages. */
function reencode(
  file: Uint8Array,
  from: readonly [EncodingName, boolean],
  to: readonly [EncodingName, boolean],
): Buffer {
  const reader = new RdwReader(from[1]);
  const message = new IpmMessage(ipmProfile, encoding(from[0]));
  const pieces: Uint8Array[] = [];
  const writer = new RdwWriter(to[1], (bytes) => pieces.push(bytes));
  const target = new Uint8Array(6000);
  reader.push(file);
  while (reader.next()) {
    expect(message.decode(reader.bytes, reader.start, reader.end)).toBe(true);
    writer.record(target, 0, encodeMessage(ipmProfile, encoding(to[0]), elementsOf(message), target));
  }
  writer.finish();
  return Buffer.concat(pieces);
}

describe('a written file', () => {
  it.each(containers)('is accepted, and says what it was written from (%s, blocked %s)', (name, blocked) => {
    for (const size of [1 << 16, 1014, 37]) {
      const { report, records, codes } = readFile(
        ipmFile(someRecords, name, blocked),
        { encoding: name, blocked },
        size,
      );
      expect(codes).toEqual([]);
      expect(report).toMatchObject({ accepted: true, records: 8, fileId: FILE_ID, mode: 'T', encoding: name, blocked });
      expect(records[0]).toMatchObject({
        kind: 'header',
        messageNumber: 1,
        recordNumber: 1,
        offset: 0,
        fileId: FILE_ID,
      });
      expect(records[7]).toMatchObject({ kind: 'trailer', messageNumber: 8, fileId: FILE_ID });
      for (const [i, data] of someRecords.entries()) {
        const { recordNumber, messageNumber } = records[i + 1]!;
        expect([recordNumber, messageNumber]).toEqual([i + 2, i + 2]);
        const { recordNumber: _, offset: __, messageNumber: ___, ...said } = records[i + 1]!;
        const { recordNumber: _a, offset: _b, messageNumber: _c, ...wanted } = { ...emptyRecord, ...data };
        expect(said).toEqual(wanted);
      }
    }
  });

  it('gives posting the cash back and the country of a purchase', () => {
    const cash = { ...purchase, processingCode: '090000', cashBack: 1500 };
    const more = { ...cash, cashBack: -1, elements: { 54: `0002978C${'9'.repeat(12)}1040840C${'9'.repeat(12)}` } };
    const last = { ...more, elements: { 54: `0002978C${'9'.repeat(12)}1040978C000000000777` } };
    const { records } = readFile(ipmFile([cash, more, last, purchase]));
    const inputs = records.slice(1, -1).map((record) => clearingInput(record, 'ipm'));
    expect(inputs.map(({ cashBack }) => cashBack)).toEqual([1500, -1, 777, -1]);
    expect(inputs[0]).toMatchObject({ country: 40, processingCode: 90_000, amount: 4200 });
  });

  it('adds up', () => {
    const { report } = readFile(ipmFile());
    expect(report.messages).toEqual({
      '1240/200': 3,
      '1442/450': 1,
      '1644/685': 1,
      '1644/695': 1,
      '1644/697': 1,
      '1740/700': 1,
    });
    expect(report.amountSum).toBe(4200n + 1000n + 4200n + 4200n + 2500n);
    expect(report.sums).toEqual([
      { currency: 840, transaction: 2500n, settlement: 4536n * 3n + 1080n + 2500n, billing: 4536n * 3n + 1080n },
      { currency: 978, transaction: 4200n * 3n + 1000n, settlement: 0n, billing: 0n },
    ]);
    // Owed: purchase and fee. Owed to us: refund, reversal of a purchase, chargeback of a purchase.
    expect(report.settlements).toEqual([
      // Interchange: earned for the purchase, given back for its reversal, paid for the refund.
      { key: settlement, currency: 840, records: 5, debits: 4536n + 2500n, credits: 1080n + 4536n * 2n, earned: -54n },
    ]);
    const file = ipmFile();
    expect(report.bytes).toBe(file.length);
    expect(report.sha256).toBe(createHash('sha256').update(file).digest('hex'));
  });

  it('is exact beyond safe integers', () => {
    const large = { ...purchase, amount: 999_999_999_999 };
    const records = Array.from({ length: 9100 }, () => large);
    const { report } = readFile(ipmFile(records, 'cp500', true), { encoding: 'cp500', blocked: true });
    expect(report.amountSum).toBe(9100n * 999_999_999_999n);
    expect(report.amountSum > BigInt(Number.MAX_SAFE_INTEGER)).toBe(true);
    expect(report.accepted).toBe(true);
  });

  it('keeps settlements apart by key and currency', () => {
    const other = { ...purchase, settlement: { ...settlement, settlementCycle: 4 } };
    const { report } = readFile(ipmFile([purchase, other, { ...purchase, settlementCurrency: 978 }, purchase]));
    expect(report.settlements.map(({ key, currency, records }) => [key?.settlementCycle, currency, records])).toEqual([
      [3, 840, 2],
      [4, 840, 1],
      [3, 978, 1],
    ]);
  });

  it('comes back through the readers of whole files', async () => {
    const file = ipmFile(someRecords, 'cp037', true);
    const chunks = [file.subarray(0, 1000), file.subarray(1000)];
    const options = { format: 'ipm', encoding: 'cp037', blocked: true, mode: 'T' } as const;
    expect((await readClearing(chunks, options)).accepted).toBe(true);
    const kinds: string[] = [];
    for await (const record of clearingRecords(chunks, options)) kinds.push(record.kind);
    expect(kinds).toEqual(['header', ...someRecords.map(({ kind }) => kind), 'trailer']);
  });

  it.each(containers)('is recognized (%s, blocked %s)', async (name, blocked) => {
    const file = ipmFile(someRecords, name, blocked);
    const chunks = [file.subarray(0, 3), file.subarray(3, 6), file.subarray(6)];
    expect(await detectClearing(chunks)).toEqual({
      format: 'ipm',
      encoding: name === 'ascii' ? 'ascii' : 'cp500',
      blocked,
    });
  });

  it('is recognized when its last block was cut off, if it has enough of them', async () => {
    const long = ipmFile(
      Array.from({ length: 40 }, () => purchase),
      'cp500',
      true,
    );
    expect((await detectClearing([long.subarray(0, -1)])).blocked).toBe(true);
    expect((await detectClearing([long.subarray(0, 1014 * 8 - 1)])).blocked).toBe(false);
  });

  it('is chosen for by what is said, else by what it looks like', () => {
    const seen = { format: 'ipm', encoding: 'ascii', blocked: true } as const;
    const wanted = { format: 'auto', encoding: 'auto', blocked: 'auto', mode: 'P' } as const;
    expect(chooseOptions(wanted, seen)).toEqual({ ...seen, mode: 'P' });
    expect(chooseOptions({ ...wanted, encoding: 'ebcdic', blocked: false }, seen)).toEqual({
      format: 'ipm',
      encoding: 'cp500',
      blocked: false,
      mode: 'P',
    });
    expect(chooseOptions({ ...wanted, format: 'ctf' }, seen)).toMatchObject({ encoding: 'ascii', blocked: false });
  });

  it('refuses what does not fit', () => {
    const write = (data: IpmData) => () => ipmFile([data]);
    expect(write({ ...purchase, amount: 1_000_000_000_000 })).toThrow('DE4: not a whole number of 12 digits');
    expect(write({ ...purchase, amount: 1.5 })).toThrow('DE4');
    expect(write({ ...purchase, pan: '99999900000000000000' })).toThrow('DE2: 20 characters, at most 19');
    expect(write({ ...purchase, arn: '0999999632800000000001X' })).toThrow('DE31: not all digits');
    expect(write({ ...purchase, elements: { 11: '000001' } })).toThrow('DE11: no element of the profile');
    expect(write({ ...purchase, elements: { 22: '1' } })).toThrow('DE22: 1 characters, exactly 12');
    expect(write({ ...purchase, pds: { 2: 'x'.repeat(993) } })).toThrow('PDS0002: 993 characters');
    expect(write({ kind: 'other' })).toThrow('no message of the kind other');
    expect(
      () => new IpmFileWriter({ encoding: 'ascii', blocked: false, fileId: '1', mode: 'P' }, () => undefined),
    ).toThrow('25 characters');
  });

  it('carries private data in as many elements as they need, and walks them as one text', () => {
    const pds = Object.fromEntries([600, 601, 602, 603, 604, 605, 606].map((tag) => [tag, `${tag}`.repeat(150)]));
    const { records, codes } = readFile(ipmFile([{ ...purchase, pds }]));
    expect(codes).toEqual([]);
    expect(records[1]!.settlement).toEqual(settlement);
    const tooMany = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [600 + i, 'x'.repeat(490)]));
    expect(() => ipmFile([{ ...purchase, pds: tooMany }])).toThrow('no room');
  });

  it('reads a value that begins in one carrier and ends in the next', () => {
    const cut = '0158020TST2000009752611';
    const whole = `0146036${'0'.repeat(6)}840000000000054840000000000054`;
    const elements = { 48: whole + cut, 62: '2503', 123: '0165001M' };
    const { fees: _, settlement: __, businessDay: ___, currency: ____, ...rest } = purchase;
    const { records, codes } = readFile(ipmFile([{ ...rest, elements: { ...elements, 49: '978' } }]));
    expect(codes).toEqual([]);
    expect(records[1]).toMatchObject({ businessDay: DAY + 1, businessCycle: 3, fees: purchase.fees });
  });
});

describe('re-encoding', () => {
  it.each(containers)(
    'a written file is byte-identical, and in every other form what is written so (%s, blocked %s)',
    (...from) => {
      const file = ipmFile(someRecords, ...from);
      for (const to of containers) expect(reencode(file, from, to).equals(ipmFile(someRecords, ...to))).toBe(true);
    },
  );

  const text = (max: number) =>
    fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
      minLength: 1,
      maxLength: max,
    });
  const digitsOf = (min: number, max: number) =>
    fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: min, maxLength: max });
  const given = (fields: Record<string, string | undefined>): Record<string, string> =>
    Object.fromEntries(
      Object.entries(fields).flatMap(([field, value]) => (value === undefined ? [] : [[field, value] as const])),
    );
  /** Any elements that the profile allows, in any combination, as long as the private data walk. */
  const anyElements = fc
    .record(
      Object.fromEntries(
        [...ipmProfile.fields.values()]
          .filter(({ field }) => !ipmProfile.carriers.includes(field) && field !== 71)
          .map(({ field, form, max, type }) => {
            const min = form === 'fixed' ? max : 0;
            if (type === 'n') return [field, digitsOf(min, max)];
            const one = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
            return [field, fc.string({ unit: one, minLength: min, maxLength: Math.min(max, 200) })];
          }),
      ),
      { requiredKeys: [] },
    )
    .chain((fields) =>
      fc
        .dictionary(fc.integer({ min: 1000, max: 9999 }).map(String), text(60), { maxKeys: 12 })
        .map((pds) => ({ fields: given(fields), pds })),
    );

  it('is the identity for messages of any content, in every form', () => {
    fc.assert(
      fc.property(
        fc.array(anyElements, { minLength: 1, maxLength: 6 }),
        fc.constantFrom(...containers),
        (messages, from) => {
          const records = messages.map(
            ({ fields, pds }): IpmData => ({
              kind: 'other',
              messageType: 1644,
              functionCode: 0,
              elements: fields as Record<number, string>,
              pds,
            }),
          );
          const file = ipmFile(records, ...from);
          for (const to of containers) {
            const other = reencode(file, from, to);
            expect(reencode(other, to, from).equals(file)).toBe(true);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

const folder = sharedPath('samples', 'ipm');
const samples = [
  { file: 'issuer_1000_1_ascii_vbs.ipm', form: ['ascii', false] },
  { file: 'issuer_1000_1_ebcdic_1014.ipm', form: ['cp500', true] },
] as const;

describe.skipIf(folder === undefined)('sample files (skipped when ../shared is absent)', () => {
  const read = (name: string) => readFileSync(sharedPath('samples', 'ipm', name)!);

  it.each(samples)('$file: accepted, with the totals of its oracle', async ({ file, form: [name, blocked] }) => {
    const totals = JSON.parse(read('issuer_1000_1.totals.json').toString()) as {
      messages: number;
      presentments: number;
      checksum_de4: number;
      file_id: string;
      by_kind: Record<string, { n: number; de5: number }>;
    };
    const { report, records, codes } = readFile(read(file), { encoding: name, blocked, mode: 'T' }, 4096);
    expect(codes).toEqual([]);
    expect(report).toMatchObject({ records: totals.messages, fileId: totals.file_id, accepted: true });
    expect(report.amountSum).toBe(BigInt(totals.checksum_de4));
    expect(report.messages['1240/200']).toBe(totals.presentments);
    const byKind: Record<string, { n: number; de5: number }> = {};
    for (const record of records) {
      const presented = record.kind === 'first_presentment';
      const type = record.transactionType === 20 ? 'refund' : record.transactionType === 1 ? 'cash' : 'purchase';
      const kind = presented ? `${type}${record.reversal ? '_rev' : ''}` : record.kind;
      byKind[kind] ??= { n: 0, de5: 0 };
      byKind[kind].n++;
      byKind[kind].de5 += Math.max(record.settlementAmount, 0);
    }
    expect(byKind).toEqual(totals.by_kind);
    expect(await detectClearing([read(file)])).toEqual({ format: 'ipm', encoding: name, blocked });
    const owed = report.settlements.reduce((sum, { debits, credits }) => sum + debits - credits, 0n);
    const kinds = totals.by_kind;
    expect(owed).toBe(BigInt(kinds.cash!.de5 + kinds.purchase!.de5 - kinds.purchase_rev!.de5 - kinds.refund!.de5));
  });

  it.each(samples)('$file: written again, byte for byte, by way of every form', ({ file, form }) => {
    const bytes = read(file);
    for (const to of containers) {
      const other = reencode(bytes, form, to);
      expect(reencode(other, to, form).equals(bytes)).toBe(true);
      expect(readFile(other, { encoding: to[0], blocked: to[1] }).codes).toEqual([]);
    }
  });
});

describe('the records of the writer', () => {
  it.each([
    ['partial', { ...purchase, partial: true }, { reasonCode: '1403', partial: true }],
    ['last of several', { ...purchase, reasonCode: '1404' }, { reasonCode: '1404', partial: false }],
    ['second presentment', { ...purchase, kind: 'second_presentment_full', functionCode: 205 }, { functionCode: 205 }],
    [
      'second presentment by its kind',
      { ...refund, kind: 'second_presentment_partial', functionCode: -1 },
      { functionCode: 282 },
    ],
    ['another acquirer', { ...purchase, acquirer: '123' }, { acquirer: '123' }],
    [
      'arbitration',
      { ...chargeback, kind: 'arbitration_chargeback_partial' },
      { functionCode: 454, messageType: 1442 },
    ],
    ['billing', { kind: 'fee_collection', functionCode: 783, messageType: 1740 }, { functionCode: 783 }],
    ['credit totals', { ...position, totals: { ...position.totals!, netAmount: 7, netFee: -1, netTotal: 6 } }, {}],
  ] as const)('%s', (_, data, said) => {
    const { records } = readFile(ipmFile([data as IpmData]));
    expect(records[1]).toMatchObject({ kind: data.kind, ...said });
    if ('totals' in data) expect(records[1]!.totals).toEqual(data.totals);
  });
});
