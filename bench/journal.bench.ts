/**
 * The journal's benchmarks: what a record costs on its way to the disk and back. The commits are real (fdatasync and the
 * write of the meta page, in the folder that is measured), so their figures say as much about the disk as about the engine.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { Response } from '#src/domain/codes.js';
import { MessageEvent } from '#src/domain/events.js';
import { Text } from '#src/domain/message.js';
import { openLane } from '#src/journal/lane-directory.js';
import { emptyHead, JournalReader } from '#src/journal/reader.js';
import { ShardJournal } from '#src/journal/shard-journal.js';
import type { BenchRow } from './row.js';
import { inTemporaryFolder } from './temporary-folder.js';

const BATCH = 256;
const digest = { high: 1, low: 2 };

/** An approved purchase as a processor sends it. */
function purchase(): MessageEvent {
  const event = new MessageEvent();
  event.timeMs = 1_790_000_000_000;
  event.accountSlot = 123_456;
  event.cardSlot = 234_567;
  event.response = Response.approved;
  event.approvalCode = 481_516;
  event.approvedAmount = 12_345;
  event.holdDelta = 12_345;
  event.holdExpiresMs = 1_790_604_800_000;
  event.creditLimitBefore = 500_000;
  event.postedBefore = 70_000;
  event.heldBefore = 33_000;
  event.previousOfAccount = 1_000_000;
  event.previousOfCard = 1_000_000;
  for (let step = 1; step <= 13; step++) event.verdict(step, 1);
  const { input } = event;
  Object.assign(input, {
    link: 1,
    mti: 100,
    processingCode: 0,
    amount: 12_345,
    currency: 986,
    transmission: 1_123_021_500,
  });
  Object.assign(input, { stan: 424_242, localTime: 231_500, localDate: 1122, expiry: 2912, mcc: 5411, country: 76 });
  Object.assign(input, { entryMode: 51, cardSequence: 1, condition: 0, carried: 9 });
  input.setText(Text.acquirer, '012345');
  input.setText(Text.rrn, '632712345678');
  input.setText(Text.terminal, 'TERM0001');
  input.setText(Text.acceptor, 'MERCHANT0000001');
  input.setText(Text.acceptorName, 'BAKERY CENTRAL           SAO PAULO    BR');
  input.setText(Text.networkId, 'MCC0123456789  ');
  return event;
}

function row(name: string, operations: number, elapsedMs: number, bytes?: number): BenchRow {
  const nsPerOp = (elapsedMs * 1e6) / operations;
  const measured = bytes === undefined ? {} : { bytesPerOp: Math.max(0, bytes / operations) };
  return { room: 'journal', name, opsPerSec: 1e9 / nsPerOp, nsPerOp, ...measured };
}

/** Best of a few rounds: the others measure the neighbours of this process. */
function best(rounds: number, run: () => BenchRow): BenchRow {
  let least = run();
  for (let i = 1; i < rounds; i++) {
    const next = run();
    if (next.nsPerOp < least.nsPerOp) least = next;
  }
  return least;
}

function appendOnly(): BenchRow {
  const journal = new ShardJournal(0, emptyHead(0));
  const event = purchase();
  const count = 200_000;
  const heap = process.memoryUsage().heapUsed;
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    journal.appendMessage(event);
    if (journal.pending === 2048) journal.seal(1, digest);
  }
  return row('append and seal, per record', count, performance.now() - start, process.memoryUsage().heapUsed - heap);
}

function decodeOnly(folder: string): BenchRow {
  const reader = JournalReader.open(folder);
  let records = 0;
  const start = performance.now();
  const scan = reader.scan(0, 1);
  scan.onMessage = (event) => {
    records += event.input.mti === 100 ? 1 : 0;
  };
  while (scan.step(50_000));
  const elapsed = performance.now() - start;
  void reader.close();
  return row('replay: verify and decode, per record', records, elapsed);
}

function pointReads(folder: string, records: number): BenchRow {
  const reader = JournalReader.open(folder);
  const event = new MessageEvent();
  const count = 5000;
  const start = performance.now();
  for (let i = 0; i < count; i++) reader.readMessage(0, 1 + ((i * 7919) % records), event);
  const elapsed = performance.now() - start;
  void reader.close();
  return row(`point read at random, frames of ${BATCH} records`, count, elapsed);
}

/** Commits for about `limitMs` to a journal in `folder`; the rows are per record and per commit. */
export async function commits(
  folder: string,
  batch: number,
  limitMs: number,
): Promise<{ rows: BenchRow[]; records: number }> {
  const lane = openLane(folder, 0);
  const reader = JournalReader.open(folder);
  const journal = new ShardJournal(0, reader.head(0));
  await reader.close();
  const event = purchase();
  let count = 0;
  const start = performance.now();
  do {
    for (let i = 0; i < batch; i++) journal.appendMessage(event);
    lane.append([journal.seal(1, digest)]);
    count++;
  } while (performance.now() - start < limitMs);
  const elapsed = performance.now() - start;
  await lane.close();
  const rows = [
    row(`append, seal and commit ${batch} records, per record`, count * batch, elapsed),
    row(`append, seal and commit ${batch} records, per commit`, count, elapsed),
  ];
  return { rows, records: journal.sequence };
}

/** Runs the room's benchmarks; about 8 s. Files go to a folder below `parent` and are removed. */
export function benchJournal(parent: string): Promise<BenchRow[]> {
  return inTemporaryFolder(parent, async (folder) => {
    const append = best(5, appendOnly);
    await turn();
    const small = await commits(folder, BATCH, 2000);
    await turn();
    const reads = pointReads(folder, small.records);
    const large = await commits(folder, 2048, 2000);
    await turn();
    const replay = best(3, () => decodeOnly(folder));
    return [append, ...small.rows, ...large.rows, replay, reads];
  });
}
