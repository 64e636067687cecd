/**
 * Clearing files through the whole engine: uploaded over HTTP, spooled, held against their rules, posted, durable. Nothing else
 * happens meanwhile. The records name no authorization, so every rung of the match is tried; each card has a few of them. What a
 * record costs that finds its authorization is among the rows of posting (posting.bench.ts).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type IpmData, IpmFileWriter } from '#src/clearing/ipm/writer.js';
import { panOfNumber } from '#src/vault/pan.js';
import { EngineProcess } from './engine-process.js';
import type { BenchRow } from './row.js';
import { inTemporaryFolder } from './temporary-folder.js';

const CARDS = 20_000;
const RECORDS = 60_000;
const POLL_MS = 20;
const BRL = 986;
const DAY = 20_781;

const panAt = (n: number): string => panOfNumber('999999', n);

export function benchClearingFiles(folder: string): Promise<BenchRow[]> {
  return inTemporaryFolder(folder, async (temporary) => {
    const dataDir = join(temporary, 'data');
    const engine = await EngineProcess.start(dataDir, '--cards-max', '100000');
    try {
      const call = caller(engine.admin, readFileSync(join(dataDir, 'admin.token'), 'utf8').trim());
      await call('POST', '/v1/bulk/accounts', 'application/x-ndjson', accounts());
      const file = clearingFile();
      const startMs = performance.now();
      let answer = await call('POST', '/v1/clearing-files', 'application/octet-stream', file);
      let postingMs = startMs;
      while (answer.status === 'processing') {
        if (answer.progress?.phase !== 'posting') postingMs = performance.now();
        await sleep(POLL_MS);
        answer = await call('GET', `/v1/clearing-files/${answer.id}`);
      }
      const endMs = performance.now();
      if (answer.posted !== RECORDS) throw new Error(`${answer.status}: ${answer.posted} of ${RECORDS} records posted`);
      return [
        row('clearing file, from upload to posted', endMs - startMs),
        row('the same, its posting alone', endMs - postingMs),
      ];
    } finally {
      await engine.stop();
    }
  });
}

function row(name: string, ms: number): BenchRow {
  return {
    room: 'clearing',
    name,
    opsPerSec: Math.round((RECORDS * 1000) / ms),
    nsPerOp: Math.round((ms * 1e6) / RECORDS),
  };
}

interface FileAnswer {
  readonly id: string;
  readonly status: string;
  readonly posted: number;
  readonly progress: { readonly phase: string } | null;
}

function caller(admin: string, token: string) {
  return async (method: string, path: string, type?: string, body?: string | Buffer): Promise<FileAnswer> => {
    const headers = { authorization: `Bearer ${token}`, ...(type === undefined ? {} : { 'content-type': type }) };
    const answer = await fetch(`http://${admin}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as FileAnswer;
  };
}

function accounts(): string {
  let rows = '';
  for (let n = 0; n < CARDS; n++) {
    const account = { id: `bench-${n}`, currency: 'BRL', credit_limit: 1_000_000, type: 'credit' };
    rows += `${JSON.stringify({ account, card: { pan: panAt(n), expiry: '3512', status: 'active' } })}\n`;
  }
  return rows;
}

function clearingFile(): Buffer {
  const parts: Uint8Array[] = [];
  const options = { encoding: 'cp500', blocked: true, fileId: '0012611250000009999901001', mode: 'P' } as const;
  const writer = new IpmFileWriter(options, (bytes) => parts.push(bytes.slice()));
  for (let i = 0; i < RECORDS; i++) writer.write(presentment(i));
  writer.finish();
  return Buffer.concat(parts);
}

function presentment(i: number): IpmData {
  const number = String(i).padStart(6, '0');
  const amount = 1000 + (i % 5000);
  return {
    kind: 'first_presentment',
    pan: panAt(Math.imul(i, 7919) % CARDS),
    processingCode: '000000',
    ...{ amount, currency: BRL, settlementAmount: amount, settlementCurrency: BRL },
    ...{ billingAmount: amount, billingCurrency: BRL },
    approvalCode: number,
    rrn: `632900${number}`,
    arn: `09999996328${number}000000`,
    networkId: `TST${number}1124`,
    lifeCycle: '1',
    terminal: 'TERM0001',
    merchant: 'SHOP00000000042',
    merchantName: 'BAKER & SON',
    mcc: 5462,
    localDay: DAY,
    localSeconds: i % 86_400,
    fees: [
      {
        ...{ type: '00', code: '00', settlementFlag: '00', sign: '' as const, currency: BRL, amount: 10 },
        ...{ settlementCurrency: BRL, settlementAmount: 10 },
      },
    ],
    elements: { 14: '3012', 22: '510101513134' },
  };
}
