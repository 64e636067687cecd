/**
 * One large clearing file through the whole engine: how much memory the process takes for it. The file is written to the disk first, and
 * sent from there piece by piece. Its records name no authorization, each has a reference of its own, and its cards are known.
 *
 * Memory is that of the whole process (resident, without mapped files): at rest with its accounts; behind a first file of 20 MB, when the
 * engine has the buffers that any traffic makes it take (the index of recent records above all); and the most while the large file was
 * taken, held against its rules and posted. It is read every 20 ms, so a peak between two looks is not seen. What the large file takes
 * is the difference of the last two: what its size adds.
 */
import { createReadStream, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { IpmFileWriter } from '#src/clearing/ipm/writer.js';
import { accounts, type Call, caller, type FileAnswer, POLL_MS, presentment } from './clearing-files.bench.js';
import { EngineProcess } from './engine-process.js';
import { inTemporaryFolder } from './temporary-folder.js';

/** What the process may take for the file at the most, bytes: above what it has behind the first file. */
export const LARGE_FILE_MEMORY_MAX = 300e6;
const FIRST_BYTES = 20e6;
/** Bytes that are kept before they go to the disk. */
const PIECE_BYTES = 1 << 20;
/** Presentments that differ in more than their names; as many as the numbers of cards allow for. */
const MODELS = 100_000;

export interface LargeFileResult {
  readonly bytes: number;
  readonly records: number;
  readonly restBytes: number;
  readonly warmBytes: number;
  readonly mostBytes: number;
  /** From the first byte of the upload until everything is posted, and the posting alone. */
  readonly seconds: number;
  readonly postingSeconds: number;
}

/** @param bytes that the file has at least @throws Error when not every record is posted, or memory cannot be read here */
export function benchLargeFile(folder: string, bytes: number, say: (text: string) => void): Promise<LargeFileResult> {
  return inTemporaryFolder(folder, async (temporary) => {
    const file = join(temporary, 'large.ipm');
    const first = join(temporary, 'first.ipm');
    say(`writing ${Math.ceil(bytes / 1e6)} MB`);
    const firstRecords = writeFile(first, FIRST_BYTES, 8, 0);
    const records = writeFile(file, bytes, 9, firstRecords);
    const dataDir = join(temporary, 'data');
    const engine = await EngineProcess.start(dataDir, '--cards-max', '100000');
    try {
      const call = caller(engine.admin, readFileSync(join(dataDir, 'admin.token'), 'utf8').trim());
      await call('POST', '/v1/bulk/accounts', 'application/x-ndjson', accounts());
      const restBytes = memoryOf(engine);
      say(`posting ${firstRecords} records, and then ${records}`);
      await post(engine, call, first, firstRecords);
      const warmBytes = memoryOf(engine);
      const posted = await post(engine, call, file, records);
      return { bytes: statSync(file).size, records, restBytes, warmBytes, ...posted };
    } finally {
      await engine.stop();
    }
  });
}

function memoryOf(engine: EngineProcess): number {
  const bytes = engine.residentBytes();
  if (bytes === undefined) throw new Error('the memory of a process cannot be read on this machine');
  return bytes;
}

async function post(engine: EngineProcess, call: Call, file: string, records: number) {
  let mostBytes = memoryOf(engine);
  let isOver = false;
  const watch = (async () => {
    for (; !isOver; await sleep(POLL_MS)) mostBytes = Math.max(mostBytes, engine.residentBytes() ?? 0);
  })();
  const startMs = performance.now();
  let postingMs = startMs;
  let answer: FileAnswer;
  try {
    answer = await call(
      'POST',
      '/v1/clearing-files',
      'application/octet-stream',
      Readable.toWeb(createReadStream(file)),
    );
    while (answer.status === 'processing') {
      if (answer.progress?.phase !== 'posting') postingMs = performance.now();
      await sleep(POLL_MS * 5);
      answer = await call('GET', `/v1/clearing-files/${answer.id}`);
    }
  } finally {
    isOver = true;
    await watch;
  }
  if (answer.posted !== records) throw new Error(`${answer.status}: ${answer.posted} of ${records} records posted`);
  const endMs = performance.now();
  return { mostBytes, seconds: (endMs - startMs) / 1000, postingSeconds: (endMs - postingMs) / 1000 };
}

/** @param number of the file, a digit @param from number of the first presentment @returns how many presentments it has */
function writeFile(file: string, bytes: number, number: number, from: number): number {
  const to = openSync(file, 'w', 0o600);
  let piece: Uint8Array[] = [];
  let [kept, written] = [0, 0];
  const flush = (): void => {
    writeSync(to, Buffer.concat(piece));
    written += kept;
    [piece, kept] = [[], 0];
  };
  const options = { encoding: 'cp500', blocked: true, fileId: `001261126000009999990000${number}`, mode: 'P' } as const;
  const writer = new IpmFileWriter(options, (part) => {
    piece.push(part.slice());
    kept += part.length;
    if (kept >= PIECE_BYTES) flush();
  });
  let records = 0;
  for (; written + kept < bytes; records++) {
    const text = String(from + records).padStart(12, '0');
    const names = { networkId: `N${text}`, rrn: text, approvalCode: '', arn: `0999999638${text}0` };
    writer.write({ ...presentment(records % MODELS, number), ...names });
  }
  writer.finish();
  flush();
  return records;
}

/** What the process took for the file. */
export const grownBytes = ({ warmBytes, mostBytes }: LargeFileResult): number => mostBytes - warmBytes;

/** As text, with the bound and whether it was kept. */
export function renderLargeFile(result: LargeFileResult): string {
  const { bytes, records, restBytes, warmBytes, mostBytes, seconds, postingSeconds } = result;
  const mb = (of: number): string => `${Math.round(of / 1e6)} MB`;
  const grown = grownBytes(result);
  return [
    `clearing file of ${mb(bytes)}, ${records} records`,
    `memory of the engine's process: ${mb(restBytes)} at rest, ${mb(warmBytes)} behind a first file of ${mb(FIRST_BYTES)}, ${mb(mostBytes)} at the most`,
    `from upload to posted ${seconds.toFixed(1)} s, of it posting ${postingSeconds.toFixed(1)} s, ${Math.round(records / postingSeconds)} records/s`,
    `${mb(grown)} for the file, at most ${mb(LARGE_FILE_MEMORY_MAX)}: ${grown <= LARGE_FILE_MEMORY_MAX ? 'kept' : 'NOT kept'}`,
  ].join('\n');
}
