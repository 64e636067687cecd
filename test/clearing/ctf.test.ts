import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ctfProfile, type Place } from '#src/clearing/ctf/profile.js';
import { CtfRecord } from '#src/clearing/ctf/record.js';
import { detectClearing, openClearing, type ReadOptions } from '#src/clearing/reader.js';
import { sharedPath } from '../support/shared.js';
import { DAY, readFile } from './files.js';

type Values = Readonly<Record<string, string | number>>;

/** A line: the code, and the fields of one component of a layout. Numbers are filled with zeros, texts with blanks. */
function line(code: number, layout: keyof typeof ctfProfile.layouts, component: number, values: Values): string {
  const chars = Array.from(`${String(code).padStart(2, '0')}${layout === 'header' ? '' : `0${component}`}`.padEnd(168));
  const places: Readonly<Record<string, Place>> = ctfProfile.layouts[layout];
  for (const [name, value] of Object.entries(values)) {
    const [of, from, length] = places[name]!;
    expect(of).toBe(component);
    const text = typeof value === 'number' ? String(value).padStart(length, '0') : value.padEnd(length);
    expect(text.length).toBe(length);
    for (const [i, char] of Array.from(text).entries()) chars[from - 1 + i] = char;
  }
  return chars.join('');
}

const header = line(90, 'header', 0, {
  processing_bin: '999999',
  file_date: '26329',
  test_option: 'TEST',
  file_number: '001',
});

const draft: Values = {
  account_number: '9999990000000014',
  account_number_extension: '000',
  acquirer_reference_number: '29999996328000000000017',
  purchase_date: '1124',
  destination_amount: 4536,
  destination_currency: 840,
  source_amount: 4200,
  source_currency: 978,
  merchant_name: 'BAKER & SON',
  merchant_city: 'GRAZ',
  merchant_country: 'AT',
  merchant_category: 5462,
  usage: '1',
  reason: '00',
  settlement_flag: '0',
  authorization_code: '04A7Q1',
  entry_mode: '05',
  processing_date: '6329',
};
const more: Values = { cash_back: 1500, text: 'A MESSAGE', card_acceptor: 'SHOP00000000042', terminal: 'TERM1' };
const payment: Values = {
  transaction_id: '466329000000042',
  authorized_amount: 4200,
  clearing_sequence: 1,
  clearing_count: 2,
  interchange_amount: 5450,
  interchange_sign: 'C',
};

/** Components of a transaction. */
const sale = (code = 5, values: Values = {}): string[] => [
  line(code, 'draft', 0, { ...draft, ...values }),
  line(code, 'draft', 1, more),
  line(code, 'draft', 5, payment),
];
const fee = line(10, 'fee', 0, {
  reason: '0350',
  purchase_date: '1124',
  account_number: '9999990000000014',
  destination_amount: 2500,
  destination_currency: 840,
  source_amount: 2500,
  source_currency: 840,
  text: 'MONTHLY BILLING',
  processing_date: '6329',
});

function trailer(
  code: 91 | 92,
  monetary: number,
  components: number,
  transactions: number,
  source: number,
  destination: number,
): string {
  return line(code, 'trailer', 0, {
    processing_bin: '999999',
    file_date: '26329',
    destination_sum: destination,
    monetary_count: monetary,
    batch_number: 1,
    component_count: components,
    transaction_count: transactions,
    source_sum: source,
  });
}

/** Two sales, one reversed, and a fee; 8 components and 4 transactions with money. */
const body = [...sale(), ...sale(25), line(6, 'draft', 0, draft), fee];
const good = [
  header,
  ...body,
  trailer(91, 4, 9, 5, 4200 * 3 + 2500, 4536 * 3 + 2500),
  trailer(92, 4, 10, 6, 15_100, 16_108),
];
const file = (lines: readonly string[], end = '\n'): Buffer =>
  Buffer.from(lines.map((one) => one + end).join(''), 'latin1');
const read = (bytes: Uint8Array, options: Partial<ReadOptions> = {}, chunk?: number) =>
  readFile(bytes, { format: 'ctf', ...options }, chunk);

describe('a CTF file', () => {
  it.each(['\n', '\r\n'])('is read in chunks of any size, with line ends %j', (end) => {
    for (const size of [1, 7, 168, 169, 1 << 16]) {
      const { codes, records, report } = read(file(good, end), { mode: 'T' }, size);
      expect(codes).toEqual([]);
      expect(report).toMatchObject({ accepted: true, records: 11, fileId: '99999926329001', mode: 'T', format: 'ctf' });
      expect(records.map(({ kind, recordNumber, offset }) => [kind, recordNumber, offset])).toEqual(
        [
          ['header', 1],
          ['first_presentment', 2],
          ['first_presentment', 5],
          ['first_presentment', 8],
          ['fee_collection', 9],
          ['batch_trailer', 10],
          ['trailer', 11],
        ].map(([kind, number]) => [kind, number, (Number(number) - 1) * (168 + end.length)]),
      );
    }
  });

  it('may end without a line feed', () => {
    expect(read(file(good).subarray(0, -1))).toMatchObject({ codes: [], report: { accepted: true, records: 11 } });
  });

  it('says what a transaction is', () => {
    const { records } = read(file(good));
    expect(records[1]).toMatchObject({
      messageType: 5,
      functionCode: 0,
      pan: '9999990000000014',
      processingCode: '000000',
      transactionType: 0,
      amount: 4200,
      currency: 978,
      settlementAmount: 4536,
      settlementCurrency: 840,
      billingAmount: 4536,
      billingCurrency: 840,
      approvalCode: '04A7Q1',
      arn: '29999996328000000000017',
      acquirer: '999999',
      networkId: '466329000000042',
      terminal: 'TERM1',
      cashBack: 1500,
      merchant: 'SHOP00000000042',
      merchantName: 'BAKER & SON',
      merchantCity: 'GRAZ',
      merchantCountry: 'AT',
      mcc: 5462,
      localDay: DAY,
      businessDay: DAY + 1,
      partial: true,
      sequence: 1,
      sequenceCount: 2,
      reversal: false,
      fees: [{ sign: 'C', currency: 840, amount: 55, settlementAmount: 55 }],
      text: 'A MESSAGE',
    });
    expect(records[2]).toMatchObject({ reversal: true, processingCode: '000000', messageType: 25 });
    // The components of the one before are not its own.
    expect(records[3]).toMatchObject({ transactionType: 20, networkId: '', terminal: '', fees: [], sequence: 0 });
    expect(records[4]).toMatchObject({
      transactionType: 19,
      amount: 2500,
      text: 'MONTHLY BILLING',
      reasonCode: '0350',
    });
  });

  it.each([
    [5, '2', 'second_presentment_full', 0, false],
    [7, '1', 'first_presentment', 1, false],
    [15, '1', 'chargeback_full', 0, false],
    [16, '2', 'arbitration_chargeback_full', 20, false],
    [37, '1', 'chargeback_full', 1, true],
    [27, '1', 'first_presentment', 1, true],
    [48, '1', 'other', -1, false],
  ] as const)('code %i with usage %s is %s', (code, usage, kind, transactionType, reversal) => {
    const { records } = read(file([header, line(code, 'draft', 0, { ...draft, usage }), good.at(-1)!]));
    expect(records[1]).toMatchObject({ kind, transactionType, reversal });
  });

  it('adds up what is owed', () => {
    const { report } = read(file(good));
    // All of a central processing day; the format tells no settlement. Each fee has its sign.
    expect(report.settlements).toMatchObject([
      { currency: 840, records: 4, debits: 4536n + 2500n, credits: 4536n * 2n, earned: 55n * 2n },
    ]);
    expect(report.settlements[0]!.key).toMatchObject({ settlementDay: DAY + 1, settlementCycle: 0, account: '' });
    expect(report.amountSum).toBe(15_100n);
  });

  it('dates are of the year that fits', () => {
    const dates = (processing: string, bought: string) => {
      const sold = line(5, 'draft', 0, { ...draft, processing_date: processing, purchase_date: bought });
      const { businessDay, localDay } = read(file([header, sold, good.at(-1)!])).records[1]!;
      return [businessDay, localDay].map((day) => new Date(day * 86_400_000).toISOString().slice(0, 10));
    };
    expect(dates('6329', '1124')).toEqual(['2026-11-25', '2026-11-24']);
    expect(dates('7002', '1231')).toEqual(['2027-01-02', '2026-12-31']);
    expect(dates('5365', '1230')).toEqual(['2025-12-31', '2025-12-30']);
  });

  it('is recognized', async () => {
    expect(await detectClearing([file(good)])).toEqual({ format: 'ctf', encoding: 'ascii', blocked: false });
    const wrong = { format: 'ctf', encoding: 'cp500', blocked: false, mode: 'any' } as const;
    expect(() => openClearing(wrong)).toThrow(RangeError);
  });
});

describe('a CTF file is refused', () => {
  const at = (index: number, ...lines: string[]) => good.toSpliced(index, 1, ...lines);
  const cut = (index: number, from: number, text: string) =>
    at(index, good[index]!.slice(0, from - 1) + text + good[index]!.slice(from - 1 + text.length));

  it.each([
    ['empty', [], 'empty_file', 0, ''],
    ['without its header', good.slice(1), 'header_missing', 1, ''],
    ['with a second header', at(4, ...sale(), header), 'header_repeated', 8, ''],
    ['without its trailer', good.slice(0, -1), 'trailer_missing', 10, ''],
    ['with a line behind its trailer', [...good, good[7]!], 'record_after_trailer', 12, ''],
    ['with a line that is too short', at(2, good[2]!.slice(1)), 'line_length', 3, ''],
    ['with a line that is too long', at(2, `${good[2]} `), 'line_length', 3, ''],
    ['with an empty line', at(2, good[2]!, ''), 'line_length', 4, ''],
    ['with a code that is none', cut(7, 1, 'XX'), 'field_content', 8, 'transaction code'],
    ['with a component of another code', cut(2, 1, '07'), 'component_order', 3, 'TCR1'],
    ['with a component twice', at(2, good[2]!, good[2]!), 'component_order', 4, 'TCR1'],
    ['with components out of order', at(2, good[3]!, good[2]!), 'component_order', 4, 'TCR1'],
    ['with a component of nothing', at(0, header, good[2]!), 'component_order', 2, 'TCR1'],
    ['with too few monetary transactions', cut(9, 42, '3'), 'count_mismatch', 10, 'monetary_count'],
    ['with a component missing', good.toSpliced(3, 1), 'count_mismatch', 9, 'component_count'],
    ['with a wrong number of transactions', cut(10, 83, '7'), 'count_mismatch', 11, 'transaction_count'],
    ['with a count of letters', cut(10, 83, 'X'), 'count_malformed', 11, 'transaction_count'],
    ['with a wrong sum', cut(10, 116, '1'), 'amount_sum_mismatch', 11, 'source_sum'],
    ['with a sum of letters', cut(9, 30, 'X'), 'amount_sum_malformed', 10, 'destination_sum'],
    ['with a trailer of another file', cut(10, 5, '1'), 'file_id_mismatch', 11, 'processing_bin'],
    ['with no date in its header', cut(0, 9, '     '), 'file_id_malformed', 1, 'processing_bin, file_date'],
    ['with a day that is none in its header', cut(0, 9, '26366'), 'date_malformed', 1, 'file_date'],
    ['without a card number', cut(7, 5, ''.padEnd(16)), 'pan_missing', 8, 'account_number'],
    ['without an ARN', cut(7, 27, ''.padEnd(23)), 'field_missing', 8, 'acquirer_reference_number'],
    ['with an amount of letters', cut(7, 77, 'X'), 'field_content', 8, 'source_amount'],
    ['with a currency that is none', cut(7, 74, '000'), 'amount_without_currency', 8, 'destination_currency'],
    ['with a day that is none', cut(7, 58, '0230'), 'date_malformed', 8, 'purchase_date'],
    ['with a processing day that is none', cut(7, 164, '6366'), 'date_malformed', 8, 'processing_date'],
  ] as const)('%s', (_, lines, code, record, field) => {
    for (const size of [1 << 16, 50]) {
      const { report } = read(file(lines), {}, size);
      expect(report.accepted).toBe(false);
      expect(report.findings[0]).toMatchObject({ code, record, field });
    }
  });

  it('as a test file for production, and in EBCDIC', () => {
    expect(read(file(good), { mode: 'P' }).codes).toEqual(['mode_mismatch']);
    expect(read(Buffer.from('f9f0f9f9f9f9f9f9', 'hex')).codes).toEqual(['ebcdic_as_ascii']);
  });

  it('whatever its bytes: no input hangs, throws or is kept', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.integer({ min: 1, max: 300 }), (bytes, size) => {
        expect(read(bytes, {}, size).report.accepted).toBe(false);
      }),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: file(good).length - 1 }),
        fc.integer({ min: 0, max: 255 }),
        (place, byte) => {
          const changed = file(good);
          changed[place] = byte;
          const { report, records } = read(changed);
          expect(report.bytes).toBe(changed.length);
          expect(records.length).toBeLessThanOrEqual(9);
        },
      ),
    );
  });
});

const vectorPath = sharedPath('vectors', 'clearing.json');
interface Vector {
  id: string;
  algorithm: string;
  inputs: { record: string };
  expected: Record<string, string>;
}
const names: Record<string, string> = {
  'Account Number': 'account_number',
  'Acquirer Reference Number': 'acquirer_reference_number',
  'Purchase Date (MMDD)': 'purchase_date',
  'Destination Amount': 'destination_amount',
  'Destination Currency Code': 'destination_currency',
  'Source Amount': 'source_amount',
  'Source Currency Code': 'source_currency',
  'Merchant Name': 'merchant_name',
  'Merchant City': 'merchant_city',
  'Merchant Country Code': 'merchant_country',
  'Merchant Category Code': 'merchant_category',
  'Usage Code': 'usage',
  'Reason Code': 'reason',
  'Authorization Code': 'authorization_code',
  'POS Entry Mode': 'entry_mode',
  'Central Processing Date (YDDD)': 'processing_date',
  'Transaction Identifier': 'transaction_id',
  'Authorized Amount': 'authorized_amount',
  'Interchange Fee Amount': 'interchange_amount',
  'Interchange Fee Sign': 'interchange_sign',
  'Card Acceptor ID': 'card_acceptor',
  'Terminal ID': 'terminal',
};
const vectors =
  vectorPath === undefined
    ? []
    : (JSON.parse(readFileSync(vectorPath, 'utf8')) as { vectors: Vector[] }).vectors.filter(({ algorithm }) =>
        algorithm.includes('TCR'),
      );

describe.skipIf(vectorPath === undefined)('reference vectors (skipped when ../shared is absent)', () => {
  it.each(vectors)('$id', ({ inputs, expected }) => {
    const bytes = Buffer.from(inputs.record, 'latin1');
    const record = new CtfRecord();
    record.begin(bytes, 1, 0);
    record.add(Number(inputs.record[3]), bytes);
    const known = Object.keys(expected).filter((name) => names[name] !== undefined);
    for (const name of known) expect(record.field(names[name]!)).toBe(expected[name]);
    if (!inputs.record.startsWith('2507')) expect(known.length).toBeGreaterThan(1);
  });
});
