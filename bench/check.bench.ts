/**
 * The figures of `npm run bench:check`: half a minute, each the median of short rounds in which ours and its limits take turns. The
 * shard is measured in processes of its own: what it allocates depends on what the compiler made of it, and differs from one process
 * to the next by as much as a half.
 *
 * This file is both sides: imported it measures, started with IPC it is one of those processes.
 */
import { fork } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CheckFigures } from './drift.js';
import { EngineProcess } from './engine-process.js';
import { commits } from './journal.bench.js';
import { echoRun, loadRun } from './load-run.js';
import { plainShard } from './shard.bench.js';
import { inTemporaryFolder } from './temporary-folder.js';

const ROUNDS = 3;
const CLOSED = ['--closed', '-c', '16', '-p', '128', '--mix', 'auth:100', '-d', '2s', '--warmup', '1s'];
const COMMIT_RECORDS = 2048;
const COMMIT_MS = 500;

/** @param parent folder whose disk is measured @throws Error when the money is not right: the figures would be worth nothing */
export function benchCheck(parent: string, say: (text: string) => void): Promise<CheckFigures> {
  let engine: EngineProcess | undefined;
  const work = async (folder: string): Promise<CheckFigures> => {
    const dataDir = join(folder, 'data');
    say('engine, bare echo and journal in turns');
    engine = await EngineProcess.start(dataDir);
    const rounds: Pick<CheckFigures, 'ours_per_echo' | 'ours_per_commit' | 'engine_cpu_us'>[] = [];
    try {
      const flags = ['--accounts', '10000', '--admin', `http://${engine.admin}`];
      flags.push('--token-file', join(dataDir, 'admin.token'));
      const target = `iso8583+tcp://${engine.tcp}`;
      const { verified } = await loadRun([target, ...CLOSED, ...flags, '--verify']);
      if (verified !== true) throw new Error('the money of the first run is not verified');
      for (let round = 0; round < ROUNDS; round++) {
        const ours = await loadRun([target, ...CLOSED, ...flags]);
        const echo = await echoRun(CLOSED);
        const commitNs = await commitOf(join(folder, 'commits'));
        rounds.push({
          ours_per_echo: ours.achievedPerS / echo.achievedPerS,
          ours_per_commit: (ours.achievedPerS * commitNs) / (COMMIT_RECORDS * 1e9),
          engine_cpu_us: ours.cpuUsPerMessage ?? Number.NaN,
        });
      }
    } finally {
      await engine.stop();
      engine = undefined;
    }
    say('shard');
    const shards: ShardFigures[] = [];
    for (let round = 0; round < ROUNDS; round++) shards.push(await shardFigures());
    return {
      ours_per_echo: medianOf(rounds, (round) => round.ours_per_echo),
      ours_per_commit: medianOf(rounds, (round) => round.ours_per_commit),
      engine_cpu_us: medianOf(rounds, (round) => round.engine_cpu_us),
      turn_cpu_us: medianOf(shards, ({ cpuNs }) => cpuNs) / 1000,
      turn_bytes: medianOf(shards, ({ bytes }) => bytes),
    };
  };
  return inTemporaryFolder(parent, work, () => engine?.signal());
}

/** Of an odd number of rounds. */
function medianOf<T>(rounds: readonly T[], value: (round: T) => number): number {
  return rounds.map(value).sort((a, b) => a - b)[rounds.length >> 1]!;
}

type ShardFigures = ReturnType<typeof plainShard>;

function shardFigures(): Promise<ShardFigures> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url));
    child.once('message', (figures) => resolve(figures as ShardFigures));
    child.once('error', reject);
    child.once('exit', (status) => reject(new Error(`the shard's process ended with ${status}`)));
  });
}

/** ns of a commit. */
async function commitOf(folder: string): Promise<number> {
  mkdirSync(folder);
  const { rows } = await commits(folder, COMMIT_RECORDS, COMMIT_MS);
  rmSync(folder, { recursive: true });
  return rows[1]!.nsPerOp;
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.send !== undefined)
  process.send(plainShard(), () => process.exit());
