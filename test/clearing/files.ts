/** Clearing files for tests, made of typed records, and what a reader says of them. */
import type { EncodingName } from '#src/clearing/encoding.js';
import { type IpmData, IpmFileWriter } from '#src/clearing/ipm/writer.js';
import { type ClearingReport, openClearing, type ReadOptions } from '#src/clearing/reader.js';
import { type ClearingRecord, copyRecord, emptyRecord } from '#src/clearing/record.js';

export const FILE_ID = '0012611250000009999901001';
/** 2026-11-24 and the days after it. */
export const DAY = 20_781;

export const settlement = {
  transferAgent: '99999',
  account: 'ACCOUNT9',
  level: '1',
  serviceId: 'US00000009',
  fxClass: 'N',
  reconciliationDay: DAY + 1,
  reconciliationCycle: 3,
  settlementDay: DAY + 2,
  settlementCycle: 3,
};

/** A purchase in euros, settled and billed in dollars. */
export const purchase: IpmData = {
  ...emptyRecord,
  kind: 'first_presentment',
  messageType: 1240,
  functionCode: 200,
  pan: '9999990000000014',
  processingCode: '000000',
  transactionType: 0,
  amount: 4200,
  currency: 978,
  settlementAmount: 4536,
  settlementCurrency: 840,
  billingAmount: 4536,
  billingCurrency: 840,
  settlementRate: { digits: 1_080_000, decimals: 6 },
  billingRate: { digits: 1_080_000, decimals: 6 },
  approvalCode: '04A7Q1',
  rrn: '632900000042',
  arn: '09999996328000000000017',
  networkId: 'TST0000421124',
  lifeCycle: '1',
  acquirer: '999999',
  terminal: 'TERM1',
  merchant: 'SHOP00000000042',
  merchantName: 'BAKER & SON',
  merchantCity: 'GRAZ',
  merchantCountry: 'AUT',
  mcc: 5462,
  localDay: DAY,
  localSeconds: 8 * 3600 + 61,
  fees: [
    {
      type: '00',
      code: '00',
      settlementFlag: '00',
      sign: '',
      currency: 840,
      amount: 54,
      settlementCurrency: 840,
      settlementAmount: 54,
    },
  ],
  settlement,
  businessDay: DAY + 1,
  businessCycle: 3,
};

export const refund: IpmData = {
  ...purchase,
  processingCode: '200000',
  transactionType: 20,
  amount: 1000,
  settlementAmount: 1080,
  billingAmount: 1080,
  arn: '09999996328000000000025',
};

export const reversed: IpmData = { ...purchase, reversal: true, originalDay: DAY, arn: '09999996328000000000033' };

export const chargeback: IpmData = {
  ...purchase,
  kind: 'chargeback_full',
  messageType: 1442,
  functionCode: 450,
  reasonCode: '4837',
  originalAmount: 4200,
  originalCurrency: 978,
  originalSettlementAmount: 4536,
  originalSettlementCurrency: 840,
  fees: [],
};

export const feeCollection: IpmData = {
  ...emptyRecord,
  kind: 'fee_collection',
  messageType: 1740,
  functionCode: 700,
  processingCode: '190000',
  transactionType: 19,
  amount: 2500,
  currency: 840,
  settlementAmount: 2500,
  settlementCurrency: 840,
  reasonCode: '7800',
  settlement,
  text: 'MONTHLY BILLING',
};

export const position: IpmData = {
  ...emptyRecord,
  kind: 'financial_position',
  messageType: 1644,
  functionCode: 685,
  currency: 840,
  settlementCurrency: 840,
  totals: {
    fileId: FILE_ID,
    messages: '1240200',
    processingCode: '00',
    reversalFlag: 'O',
    netAmount: -4536,
    netFee: 54,
    netTotal: -4482,
    count: 1,
  },
};

export const someRecords: readonly IpmData[] = [purchase, refund, reversed, chargeback, feeCollection, position];

/** The file of these records. */
export function ipmFile(
  records: readonly IpmData[] = someRecords,
  name: EncodingName = 'ascii',
  blocked = false,
  mode: 'P' | 'T' = 'T',
): Buffer {
  const pieces: Uint8Array[] = [];
  const writer = new IpmFileWriter({ encoding: name, blocked, mode, fileId: FILE_ID }, (bytes) => pieces.push(bytes));
  for (const record of records) writer.write(record);
  writer.finish();
  return Buffer.concat(pieces);
}

export interface ReadFile {
  readonly report: ClearingReport;
  /** Copies of the readable ones. */
  readonly records: readonly ClearingRecord[];
  /** Codes of the findings, in order. */
  readonly codes: readonly string[];
}

/** Reads all of a file, in chunks of this size. */
export function readFile(file: Uint8Array, options: Partial<ReadOptions> = {}, chunkBytes = 1 << 16): ReadFile {
  const reader = openClearing({ format: 'ipm', encoding: 'ascii', blocked: false, mode: 'any', ...options });
  const records: ClearingRecord[] = [];
  for (let at = 0; at < file.length; at += chunkBytes) {
    reader.push(file.subarray(at, at + chunkBytes));
    while (reader.next()) if (reader.readable) records.push(copyRecord(reader.record));
  }
  const report = reader.finish();
  return { report, records, codes: report.findings.map(({ code }) => code) };
}
