/** CTF files that we write: what a reader says of them is what they were written from, and their trailers are right. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CtfData, type CtfFileOptions, CtfFileWriter, CtfWriteError } from '#src/clearing/ctf/writer.js';
import { DAY, readFile } from './files.js';

const options: CtfFileOptions = { bin: '999999', day: DAY, number: 7, mode: 'T' };

/** @param batch transactions of a batch */
function written(records: readonly CtfData[], batch = 1000, more: Partial<CtfFileOptions> = {}): Buffer {
  const lines: Uint8Array[] = [];
  const writer = new CtfFileWriter({ ...options, ...more }, (bytes) => lines.push(bytes));
  for (const [place, record] of records.entries()) {
    if (place > 0 && place % batch === 0) writer.endBatch();
    writer.write(record);
  }
  writer.finish();
  return Buffer.concat(lines);
}

const read = (file: Uint8Array) => readFile(file, { format: 'ctf' });

const sale = {
  kind: 'first_presentment',
  ...{ pan: '9999990000000014', processingCode: '000000', transactionType: 0 },
  ...{ amount: 4200, currency: 978, settlementAmount: 4536, settlementCurrency: 840 },
  ...{ arn: '29999996328000000000017', localDay: DAY, businessDay: DAY + 1 },
} as const satisfies CtfData;

/** Printable ASCII that neither begins nor ends with a blank. */
const text = (maxLength: number) =>
  fc
    .string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)), maxLength })
    .map((one) => one.trim());
const amount = fc.integer({ min: 0, max: 999_999_999_999 });
const currency = fc.constantFrom(840, 978, 986, 392);
const digitsOf = (length: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: length, maxLength: length }).map((list) => list.join(''));
const when = fc
  .tuple(fc.integer({ min: -300, max: 300 }), fc.integer({ min: 0, max: 150 }))
  .map(([processed, before]) => ({ businessDay: DAY + processed, localDay: DAY + processed - before }));

const draft = fc
  .record({
    kind: fc.constantFrom(
      'first_presentment',
      'second_presentment_full',
      'chargeback_full',
      'arbitration_chargeback_full',
    ),
    processingCode: fc.constantFrom('000000', '200000', '010000'),
    reversal: fc.boolean(),
    pan: fc.constantFrom('9999990000000014', '9999990000009', '999999000000001412', '9999990000000014123'),
    ...{ amount, currency, settlementAmount: amount, settlementCurrency: currency },
    when,
    arn: digitsOf(23),
    approvalCode: text(6),
    merchantName: text(25),
    merchantCity: text(13),
    merchantCountry: fc.constantFrom('', 'AT', 'BR'),
    mcc: fc.integer({ min: -1, max: 9999 }),
    reasonCode: digitsOf(2),
    ...{ text: text(50), merchant: text(15), terminal: text(8), networkId: text(15) },
    cashBack: fc.constantFrom(-1, 1, 999_999_999),
    sequence: fc.integer({ min: 0, max: 99 }),
    sequenceCount: fc.integer({ min: 0, max: 99 }),
    fee: fc.option(
      fc.record({ value: fc.integer({ min: 1, max: 9_999_999_999_999 }), sign: fc.constantFrom('C', 'D', '') }),
    ),
  })
  .map(({ when: dates, fee, ...record }) => {
    const { settlementCurrency } = record;
    const type = Number(record.processingCode.slice(0, 2));
    const fees =
      fee === null
        ? []
        : [
            {
              ...{ type: '', code: '', settlementFlag: '', sign: fee.sign as 'C' | 'D' | '' },
              ...{ currency: settlementCurrency, amount: fee.value },
              ...{ settlementCurrency, settlementAmount: fee.value },
            },
          ];
    return { ...record, ...dates, transactionType: type, fees } as CtfData;
  });

const fee = fc
  .record({
    kind: fc.constant('fee_collection' as const),
    transactionType: fc.constantFrom(19, 29),
    pan: fc.constantFrom('', '9999990000000014'),
    ...{ amount, currency, settlementAmount: amount, settlementCurrency: currency },
    when,
    ...{ reasonCode: digitsOf(4), text: text(70), networkId: text(15) },
  })
  .map(({ when: dates, ...record }): CtfData => ({ ...record, ...dates }));

describe('a written CTF file', () => {
  it('is accepted, and says what it was written from', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(draft, fee), { maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        (records, batch) => {
          const { codes, records: said, report } = read(written(records, batch));
          expect(codes).toEqual([]);
          expect(report).toMatchObject({ accepted: true, mode: 'T' });
          const found = said.filter(({ transactionType }) => transactionType >= 0);
          expect(found).toHaveLength(records.length);
          for (const [place, wanted] of records.entries()) {
            // A reader of records gives a copy: every property is its own.
            expect(found[place]).toMatchObject(wanted);
          }
          expect(said.filter(({ kind }) => kind === 'batch_trailer')).toHaveLength(
            Math.max(1, Math.ceil(records.length / batch)),
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  it('counts lines and transactions with its trailers, and says which file it is', () => {
    const file = written([sale, { ...sale, terminal: 'TERM1', networkId: '466329000000042' }], 1).toString('latin1');
    const lines = file.split('\n');
    expect(lines.map((line) => line.slice(0, 4))).toEqual([
      '9099',
      '0500',
      '9100',
      '0500',
      '0501',
      '0505',
      '9100',
      '9200',
      '',
    ]);
    expect(lines.slice(0, -1).every((line) => line.length === 168)).toBe(true);
    const counts = lines.filter((line) => /^9[12]/.test(line)).map((line) => line.slice(30, 83).replaceAll(' ', ''));
    expect(counts).toEqual([
      '000000000001000001000000000002000000002',
      '000000000001000002000000000004000000002',
      '000000000002000002000000000007000000005',
    ]);
    const { report } = read(Buffer.from(file));
    expect(report).toMatchObject({ accepted: true, fileId: '99999926328007', amountSum: 8400n, mode: 'T' });
    expect(read(written([], 1, { mode: 'P' })).report).toMatchObject({ accepted: true, mode: 'P' });
  });

  it.each<[string, Partial<CtfData>, string]>([
    ['an amount too long', { amount: 1_000_000_000_000 }, 'source_amount'],
    ['no amount', { settlementAmount: -1 }, 'destination_amount'],
    ['a name too long', { merchantName: 'X'.repeat(26) }, 'merchant_name'],
    ['a letter beyond ASCII', { merchantCity: 'S\u00c3O PAULO' }, 'merchant_city'],
    ['a number that ends in three zeros', { pan: '9999990000000014000' }, 'account_number_extension'],
    ['a kind without a code', { kind: 'addendum' }, 'transaction code'],
    ['a type without a code', { processingCode: '090000' }, 'transaction code'],
    ['a field that there is none', { fields: { street: 'X' } }, 'street'],
  ])('takes no record with %s, and names the field', (_, over, field) => {
    const lines: Uint8Array[] = [];
    const writer = new CtfFileWriter(options, (bytes) => lines.push(bytes));
    expect(() => writer.write({ ...sale, ...over })).toThrow(CtfWriteError);
    expect(() => writer.write({ ...sale, ...over })).toThrow(field);
    // What is refused leaves nothing.
    writer.finish();
    expect(read(Buffer.concat(lines)).report).toMatchObject({ accepted: true });
  });
});
