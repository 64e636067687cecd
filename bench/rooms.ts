/**
 * The micro-benchmarks, each in a process of its own: what one room made the compiler believe of a function that several use (kinds
 * of objects, sizes, branches never taken) is not measured in another, as it is not in a server, whose threads have their own.
 *
 * This file is both sides: imported it names and starts the rooms, started with IPC it runs one.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { benchBacktest } from './backtest.bench.js';
import { benchClearing } from './clearing.bench.js';
import { benchClearingFiles } from './clearing-files.bench.js';
import { benchCrypto } from './crypto.bench.js';
import { benchDomain } from './domain.bench.js';
import { benchEventReaders } from './event-readers.bench.js';
import { benchExpiry } from './expiry.bench.js';
import { benchIndex } from './index.bench.js';
import { benchIngress } from './ingress.bench.js';
import { benchIso8583 } from './iso8583.bench.js';
import { benchJournal } from './journal.bench.js';
import { benchPosting } from './posting.bench.js';
import { benchRing } from './ring.bench.js';
import type { BenchRow } from './row.js';
import { benchRules } from './rules.bench.js';
import { benchShard } from './shard.bench.js';
import { benchVelocity } from './velocity.bench.js';

/** In the order a message meets them. */
const rooms: readonly (readonly [string, (folder: string) => Promise<BenchRow[]> | BenchRow[]])[] = [
  ['ingress', benchIngress],
  ['ring', benchRing],
  ['iso8583', benchIso8583],
  ['vault', benchCrypto],
  ['domain', benchDomain],
  ['rules', benchRules],
  ['velocity', benchVelocity],
  ['journal', benchJournal],
  ['index', benchIndex],
  ['shard', benchShard],
  ['expiry', benchExpiry],
  ['control', benchBacktest],
  ['events', benchEventReaders],
  ['clearing', benchClearing],
  ['clearing', benchPosting],
  ['clearing', benchClearingFiles],
];

export const roomNames: readonly string[] = rooms.map(([name]) => name);

/** Runs room number `index` on the disk of `folder`. @throws Error when its process fails; it has said why on stderr */
export function runRoom(index: number, folder: string): Promise<BenchRow[]> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), [String(index), folder]);
    let rows: BenchRow[] | undefined;
    child.once('message', (message) => {
      rows = message as BenchRow[];
    });
    child.once('error', reject);
    child.once('exit', (status, signal) => {
      if (status === 0 && rows !== undefined) resolve(rows);
      else reject(new Error(`the room ${roomNames[index]} ended with ${signal ?? status}`));
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.send !== undefined) {
  const [, run] = rooms[Number(process.argv[2])]!;
  const rows = await run(process.argv[3]!);
  process.send(rows, () => process.exit());
}
