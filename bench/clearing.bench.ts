/**
 * Clearing files: an IPM file of presentments in memory, read in chunks of 64 KiB on one thread. Parsing finds the records and
 * the place of every element and subelement; validation adds the rules of the file, its totals and its hash; writing makes a
 * record out of typed data. What posting does with a record is not in these figures.
 */
import { type EncodingName, encoding } from '#src/clearing/encoding.js';
import { IpmMessage } from '#src/clearing/ipm/message.js';
import { ipmProfile } from '#src/clearing/ipm/profile.js';
import { type IpmData, IpmFileWriter } from '#src/clearing/ipm/writer.js';
import { RdwReader } from '#src/clearing/rdw-reader.js';
import { openClearing } from '#src/clearing/reader.js';
import type { BenchRow } from './row.js';

const RECORDS = 20_000;
const RUNS = 7;
const CHUNK_BYTES = 64 * 1024;
const FILE_ID = '0012611250000009999901001';

/** Presentment number `i`. */
function presentment(i: number): IpmData {
  const number = String(i).padStart(6, '0');
  return {
    kind: 'first_presentment',
    pan: `999999000${number}0`,
    processingCode: i % 5 === 0 ? '010000' : '000000',
    amount: 1000 + (i % 5000) * 37,
    currency: 978,
    settlementAmount: 1080 + (i % 5000) * 40,
    settlementCurrency: 840,
    billingAmount: 1080 + (i % 5000) * 40,
    billingCurrency: 840,
    settlementRate: { digits: 1_080_000, decimals: 6 },
    billingRate: { digits: 1_080_000, decimals: 6 },
    approvalCode: number,
    rrn: `632900${number}`,
    arn: `09999996328${number}000000`.slice(0, 23).padEnd(23, '0'),
    networkId: `TST${number}1124`,
    lifeCycle: '1',
    terminal: 'TERM0001',
    merchant: 'SHOP00000000042',
    merchantName: 'BAKER & SON',
    merchantCity: 'GRAZ',
    merchantCountry: 'AUT',
    mcc: 5462,
    localDay: 20_781,
    localSeconds: i % 86_400,
    businessDay: 20_782,
    businessCycle: 3,
    settlement: {
      transferAgent: '99999',
      account: 'ACCOUNT9',
      level: '1',
      serviceId: 'US00000009',
      fxClass: 'N',
      reconciliationDay: 20_782,
      reconciliationCycle: 3,
      settlementDay: 20_783,
      settlementCycle: 3,
    },
    elements: { 14: '3012', 22: '510101513134', 40: '201', 93: '99999', 94: '999999', 100: '99999' },
  };
}

function file(name: EncodingName, blocked: boolean, records: readonly IpmData[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const writer = new IpmFileWriter({ encoding: name, blocked, fileId: FILE_ID, mode: 'T' }, (bytes) =>
    chunks.push(bytes),
  );
  for (const record of records) writer.write(record);
  writer.finish();
  return chunks;
}

/** The median of some runs. @param work handles all records and returns how many */
function row(name: string, work: () => number): BenchRow {
  const perRecord: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    const count = work();
    perRecord.push(((performance.now() - start) * 1e6) / count);
  }
  perRecord.sort((a, b) => a - b);
  const nsPerOp = perRecord[RUNS >> 1]!;
  return { room: 'clearing', name, opsPerSec: Math.round(1e9 / nsPerOp), nsPerOp: Math.round(nsPerOp) };
}

export function benchClearing(): BenchRow[] {
  const records = Array.from({ length: RECORDS }, (_, i) => presentment(i));
  const rows: BenchRow[] = [];
  for (const [name, blocked, title] of [
    ['ascii', false, 'ASCII'],
    ['cp500', true, 'EBCDIC in blocks'],
  ] as const) {
    const whole = Buffer.concat(file(name, blocked, records));
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < whole.length; at += CHUNK_BYTES) chunks.push(whole.subarray(at, at + CHUNK_BYTES));
    rows.push(
      row(`parse a presentment, ${title}`, () => {
        const reader = new RdwReader(blocked);
        const message = new IpmMessage(ipmProfile, encoding(name));
        for (const chunk of chunks) {
          reader.push(chunk);
          while (reader.next()) {
            if (!message.decode(reader.bytes, reader.start, reader.end)) throw new Error(message.error);
          }
        }
        return reader.record;
      }),
      row(`validate a presentment, totals and SHA-256, ${title}`, () => {
        const reader = openClearing({ format: 'ipm', encoding: name, blocked, mode: 'any' });
        for (const chunk of chunks) {
          reader.push(chunk);
          while (reader.next());
        }
        const report = reader.finish();
        if (!report.accepted) throw new Error(report.findings[0]?.text);
        return report.records;
      }),
      row(`write a presentment from typed data, ${title}`, () => {
        file(name, blocked, records);
        return RECORDS;
      }),
    );
  }
  return rows;
}
