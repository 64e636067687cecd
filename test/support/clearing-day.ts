/** A day for a server: authorizations over the wire, and the clearing file that follows from them. */
import type { EncodingName } from '#src/clearing/encoding.js';
import { type IpmData, IpmFileWriter } from '#src/clearing/ipm/writer.js';
import { emptyRecord } from '#src/clearing/record.js';
import { demoPan } from '#src/cli/demo-program.js';
import { panOfNumber } from '#src/vault/pan.js';
import { purchase } from './iso-client.js';
import type { Server } from './server.js';

const BRL = 986;
const today = Math.floor(Date.now() / 86_400_000);
/** Nobody's: a number of the test range that no account of a server has. */
const UNKNOWN_PAN = panOfNumber('999999', 987_654_321);

/** PDS0105 of a file of today. @param sequence 0 to 99 */
export function fileIdOf(sequence: number): string {
  const date = new Date(today * 86_400_000).toISOString().slice(2, 10).replaceAll('-', '');
  return `001${date}0000999990101${String(sequence).padStart(2, '0')}1`.padEnd(25, '0').slice(0, 25);
}

/** @param n makes its references unique */
export function presentment(n: number, card: number | undefined, amount: number, more: Partial<IpmData> = {}): IpmData {
  return {
    ...emptyRecord,
    kind: 'first_presentment',
    pan: card === undefined ? UNKNOWN_PAN : demoPan(card),
    processingCode: '000000',
    transactionType: 0,
    ...{ amount, currency: BRL, settlementAmount: amount, settlementCurrency: BRL },
    ...{ billingAmount: amount, billingCurrency: BRL },
    arn: `0999999${String(today % 10_000).padStart(4, '0')}${String(n).padStart(11, '0')}0`,
    acquirer: '999901',
    terminal: 'TERM0001',
    merchant: 'MERCHANT0000001',
    merchantName: 'HOLDFAST TEST SHOP',
    merchantCity: 'SAO PAULO',
    merchantCountry: 'BRA',
    mcc: 5411,
    localDay: today,
    localSeconds: 3600,
    fees: [
      {
        ...{ type: '00', code: '00', settlementFlag: '00', sign: '' as const },
        ...{ currency: BRL, amount: 10, settlementCurrency: BRL, settlementAmount: 10 },
      },
    ],
    settlement: {
      ...{ transferAgent: '99999', account: 'ACCOUNT9', level: '1', serviceId: 'BR00000009', fxClass: 'N' },
      ...{ reconciliationDay: today, reconciliationCycle: 1, settlementDay: today + 1, settlementCycle: 1 },
    },
    businessDay: today,
    businessCycle: 1,
    ...more,
  };
}

export interface FileShape {
  readonly sequence?: number;
  readonly encoding?: EncodingName;
  readonly blocked?: boolean;
  readonly mode?: 'P' | 'T';
}

export function fileOf(records: readonly IpmData[], shape: FileShape = {}): Buffer {
  const parts: Uint8Array[] = [];
  const { sequence = 1, encoding = 'cp500', blocked = true, mode = 'P' } = shape;
  const options = { encoding, blocked, mode, fileId: fileIdOf(sequence) };
  const writer = new IpmFileWriter(options, (bytes) => parts.push(bytes.slice()));
  for (const record of records) writer.write(record);
  writer.finish();
  return Buffer.concat(parts);
}

/** Purchases of `count` demo cards that the server approved, as presentments that name them by approval code and RRN. */
export async function clearedPurchases(server: Server, count: number): Promise<IpmData[]> {
  const client = await server.connect();
  const requests = Array.from({ length: count }, (_, i) => purchase({ card: 1 + (i % 1000), amount: 1000 + (i % 7) }));
  const records: IpmData[] = [];
  for (let from = 0; from < count; from += 200) {
    const part = requests.slice(from, from + 200);
    const replies = await client.batch(part);
    for (const [i, reply] of replies.entries()) {
      if (reply[39] !== '00') throw new Error(`declined ${reply[39]}`);
      const n = from + i;
      const { 37: rrn = '' } = part[i]!;
      records.push(
        presentment(n, 1 + (n % 1000), 1000 + (n % 7), { rrn: rrn.trim(), approvalCode: (reply[38] ?? '').trim() }),
      );
    }
  }
  return records;
}
