/**
 * Clearing files through the whole engine: uploaded over HTTP, spooled, held against their rules, posted, durable. First records
 * that name no authorization, so that every rung of the match is tried; then records whose authorizations came over the wire
 * before, found by network id (half), approval code and RRN (a quarter each); then such a file beside an open loop of
 * authorizations, whose latency is measured alone and beside it.
 *
 * CPU is that of the engine's process per record, everything included. Memory is what the process has more of its own (resident,
 * without mapped files) at the highest than before the file came.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type IpmData, IpmFileWriter } from '#src/clearing/ipm/writer.js';
import { panOfNumber } from '#src/vault/pan.js';
import { EngineProcess, runCommand } from './engine-process.js';
import type { BenchRow } from './row.js';
import { inTemporaryFolder } from './temporary-folder.js';
import { authorize } from './wire-client.js';

const CARDS = 20_000;
const RECORDS = 60_000;
/** Of the file beside authorizations: more than is posted while they are measured. */
const RECORDS_BESIDE = 200_000;
const RATE = 10_000;
const SECONDS = 10;
export const POLL_MS = 20;
const BRL = 986;
const TODAY = Math.floor(Date.now() / 86_400_000);
const CREDIT_LIMIT = 100_000_000;
const MCC = '5462';
const TERMINAL = 'TERM0001';
const MERCHANT = 'SHOP00000000042';

const panAt = (n: number): string => panOfNumber('999999', n);

export function benchClearingFiles(folder: string): Promise<BenchRow[]> {
  return inTemporaryFolder(folder, async (temporary) => {
    const dataDir = join(temporary, 'data');
    const engine = await EngineProcess.start(dataDir, '--cards-max', '100000');
    try {
      const call = caller(engine.admin, readFileSync(join(dataDir, 'admin.token'), 'utf8').trim());
      await call('POST', '/v1/bulk/accounts', 'application/x-ndjson', accounts());
      const none = await postFile(engine, call, clearingFile(1, 0, RECORDS, []));
      const codes = await authorize(engine.tcp, RECORDS + RECORDS_BESIDE, authorization);
      const all = await postFile(engine, call, clearingFile(2, 0, RECORDS, codes));
      const unmatched = all.matched_by.none! + none.posted - none.matched_by.none!;
      if (unmatched > 0) throw new Error(`${unmatched} records were matched otherwise than they were made`);
      return [
        ...rowsOf('clearing file that matches nothing', none),
        ...rowsOf('clearing file that matches authorizations', all),
        ...(await beside(engine, dataDir, call, clearingFile(3, RECORDS, RECORDS_BESIDE, codes))),
      ];
    } finally {
      await engine.stop();
    }
  });
}

interface PostedFile extends FileAnswer {
  readonly wholeMs: number;
  readonly postingMs: number;
  readonly cpuUs: number;
  readonly grownBytes: number;
}

/** @throws Error when not every record is posted */
async function postFile(engine: EngineProcess, call: Call, file: Buffer): Promise<PostedFile> {
  const idleBytes = engine.residentBytes() ?? 0;
  const cpuSeconds = engine.cpuSeconds() ?? 0;
  let mostBytes = idleBytes;
  const startMs = performance.now();
  let answer = await call('POST', '/v1/clearing-files', 'application/octet-stream', file);
  let postingMs = startMs;
  while (answer.status === 'processing') {
    if (answer.progress?.phase !== 'posting') postingMs = performance.now();
    mostBytes = Math.max(mostBytes, engine.residentBytes() ?? 0);
    await sleep(POLL_MS);
    answer = await call('GET', `/v1/clearing-files/${answer.id}`);
  }
  const endMs = performance.now();
  if (answer.posted !== RECORDS) throw new Error(`${answer.status}: ${answer.posted} of ${RECORDS} records posted`);
  const cpuUs = ((engine.cpuSeconds() ?? 0) - cpuSeconds) * 1e6;
  return {
    ...answer,
    ...{ wholeMs: endMs - startMs, postingMs: endMs - postingMs, cpuUs, grownBytes: mostBytes - idleBytes },
  };
}

function rowsOf(what: string, { wholeMs, postingMs, cpuUs, grownBytes }: PostedFile): BenchRow[] {
  const grown = Math.round(grownBytes / 2 ** 20);
  return [
    row(`${what}, from upload to posted (the process grew by ${grown} MiB)`, wholeMs / RECORDS),
    row('the same, its posting alone', postingMs / RECORDS),
    row("the same, CPU of the engine's process", cpuUs / 1000 / RECORDS),
  ];
}

/** Latency of an open loop alone and beside a file, and what is posted of the file meanwhile. */
async function beside(engine: EngineProcess, dataDir: string, call: Call, file: Buffer): Promise<BenchRow[]> {
  const load = async (): Promise<Record<string, number>> => {
    const loop = ['-R', String(RATE), '-c', '4', '-d', `${SECONDS}s`, '--warmup', '2s', '--mix', 'auth:100'];
    const own = [
      '--accounts',
      '10000',
      '--admin',
      `http://${engine.admin}`,
      '--token-file',
      join(dataDir, 'admin.token'),
    ];
    const target = `iso8583+tcp://${engine.tcp}`;
    const text = await runCommand(['loadtest', target, ...loop, ...own, '--json', '--quiet']);
    return (JSON.parse(text) as { latency_us: Record<string, number> }).latency_us;
  };
  const alone = await load();
  const { id } = await call('POST', '/v1/clearing-files', 'application/octet-stream', file);
  const progress = async (): Promise<FileAnswer> => call('GET', `/v1/clearing-files/${id}`);
  while ((await progress()).progress?.phase !== 'posting') await sleep(POLL_MS);
  const posted: { atMs: number; done: number }[] = [];
  let isOver = false;
  const loading = load().finally(() => (isOver = true));
  while (!isOver) {
    const { progress: now } = await progress();
    if (now === null) break;
    posted.push({ atMs: performance.now(), done: now.done });
    await sleep(POLL_MS * 10);
  }
  const together = await loading;
  const [first, last] = [posted[0]!, posted.at(-1)!];
  const msPerRecord = (last.atMs - first.atMs) / Math.max(1, last.done - first.done);
  const covered = isOver && posted.length > 0 ? '' : '; the file was posted before the end';
  const rows = [row(`clearing file beside ${RATE / 1000} k authorizations/s, its posting${covered}`, msPerRecord)];
  for (const [label, key] of percentiles) {
    const name = `authorizations at ${RATE / 1000} k/s, open loop, ${label}`;
    rows.push(row(`${name}, alone`, alone[key]! / 1000), row(`${name}, beside a clearing file`, together[key]! / 1000));
  }
  return rows;
}

const percentiles = [
  ['p50', 'p50'],
  ['p99', 'p99'],
  ['p99.9', 'p999'],
] as const;

function row(name: string, ms: number): BenchRow {
  return { room: 'clearing', name, opsPerSec: Math.round(1000 / ms), nsPerOp: Math.round(ms * 1e6) };
}

export interface FileAnswer {
  readonly id: string;
  readonly status: string;
  readonly posted: number;
  readonly matched_by: Readonly<Record<string, number>>;
  readonly progress: { readonly phase: string; readonly done: number } | null;
}

export type Call = ReturnType<typeof caller>;

export function caller(admin: string, token: string) {
  return async (
    method: string,
    path: string,
    type?: string,
    body?: string | Buffer | ReadableStream,
  ): Promise<FileAnswer> => {
    const headers = { authorization: `Bearer ${token}`, ...(type === undefined ? {} : { 'content-type': type }) };
    const answer = await fetch(`http://${admin}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: Buffer.isBuffer(body) ? new Uint8Array(body) : body, duplex: 'half' }),
    } as RequestInit);
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as FileAnswer;
  };
}

export function accounts(): string {
  let rows = '';
  for (let n = 0; n < CARDS; n++) {
    const account = { id: `bench-${n}`, currency: 'BRL', credit_limit: CREDIT_LIMIT, type: 'credit' };
    rows += `${JSON.stringify({ account, card: { pan: panAt(n), expiry: '3512', status: 'active' } })}\n`;
  }
  return rows;
}

const numberText = (i: number): string => String(i).padStart(6, '0');
const amountOf = (i: number): number => 1000 + (i % 5000);
const cardOf = (i: number): number => Math.imul(i, 7919) % CARDS;
const rrnOf = (i: number): string => `632900${numberText(i)}`;
const networkIdOf = (i: number): string => `TST${numberText(i)}1124`;

function authorization(i: number): Record<string, string> {
  return {
    0: '0100',
    2: panAt(cardOf(i)),
    3: '000000',
    4: numberText(amountOf(i)).padStart(12, '0'),
    7: '1126120000',
    11: numberText(i),
    12: '120000',
    13: '1126',
    14: '3512',
    18: MCC,
    22: '051',
    25: '00',
    32: '999901',
    37: rrnOf(i),
    41: TERMINAL,
    42: MERCHANT,
    43: 'BAKER & SON            SAO PAULO     BRA',
    49: String(BRL),
    63: networkIdOf(i),
  };
}

/**
 * A file of presentments.
 * @param number of the file @param first, count which authorizations it is made of
 * @param codes their approval codes; none when there are no authorizations
 */
function clearingFile(number: number, first: number, count: number, codes: readonly string[]): Buffer {
  const parts: Uint8Array[] = [];
  const fileId = `001261126000009999990${String(number).padStart(4, '0')}`;
  const options = { encoding: 'cp500', blocked: true, fileId, mode: 'P' } as const;
  const writer = new IpmFileWriter(options, (bytes) => parts.push(bytes.slice()));
  for (let i = first; i < first + count; i++) writer.write({ ...presentment(i, number), ...namesOf(i, codes[i]) });
  writer.finish();
  return Buffer.concat(parts);
}

/** By what a record finds its authorization: network id, approval code or RRN. Without a code it names one that is not there. */
function namesOf(i: number, code: string | undefined): Partial<IpmData> {
  if (code === undefined)
    return { networkId: `NONE${numberText(i)}112`, rrn: `999900${numberText(i)}`, approvalCode: '' };
  if (i % 2 === 0) return { networkId: networkIdOf(i), rrn: rrnOf(i), approvalCode: code };
  return i % 4 === 1 ? { approvalCode: code } : { rrn: rrnOf(i) };
}

export function presentment(i: number, file: number): IpmData {
  const amount = amountOf(i);
  return {
    kind: 'first_presentment',
    pan: panAt(cardOf(i)),
    processingCode: '000000',
    ...{ amount, currency: BRL, settlementAmount: amount, settlementCurrency: BRL },
    ...{ billingAmount: amount, billingCurrency: BRL },
    arn: `099999963${file}8${numberText(i)}000000`,
    lifeCycle: '1',
    terminal: TERMINAL,
    merchant: MERCHANT,
    merchantName: 'BAKER & SON',
    mcc: Number(MCC),
    localDay: TODAY,
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
