/** What the machine allows: disk, journal, ring and sockets, each alone, beside which our figures of the same minutes are set. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { disk as examineDisk } from '#src/cli/doctor.js';
import { commits } from './journal.bench.js';
import { echoRun, type RunFigures } from './load-run.js';
import { pipelinedRing } from './ring.bench.js';

export interface LimitFigures {
  /** A write of 4 KiB and fdatasync, alone, p50. */
  fdatasyncUs: number;
  /** A commit of one record to the journal's store, mean. */
  commitOneUs: number;
  /** Records per second in commits of COMMIT_RECORDS. */
  commitPerS: number;
  echoTcpPerS: number;
  echoWsPerS: number;
  /** One message at a time over TCP, p50. */
  echoOneUs: number;
  /** Round trips of a ring between two threads, 256 in flight. */
  ringPerS: number;
}

/** As our shard threads commit under load. */
const COMMIT_RECORDS = 2048;
const COMMIT_MS = 2000;
export const CLOSED: readonly string[] = ['--closed', '-c', '16', '-p', '128', '--mix', 'auth:100'];
export const ONE_BY_ONE: readonly string[] = ['--closed', '-c', '1', '-p', '1', '--mix', 'auth:100'];

/** @param seconds whole seconds of each run of the load test, and before it @returns the run over TCP, too */
export async function measureLimits(
  folder: string,
  options: { seconds: number; warmupSeconds: number; say: (text: string) => void },
): Promise<{ limits: LimitFigures; echoTcp: RunFigures }> {
  const { say } = options;
  const times = ['-d', `${options.seconds}s`, '--warmup', `${options.warmupSeconds}s`];
  say('disk, journal and ring');
  const { fdatasync_p50_us } = examineDisk(folder).values;
  const commit = async (records: number): Promise<number> => {
    const place = join(folder, `commits-${records}`);
    mkdirSync(place);
    const { rows } = await commits(place, records, COMMIT_MS);
    rmSync(place, { recursive: true });
    return rows[1]!.nsPerOp;
  };
  const commitOneNs = await commit(1);
  const commitNs = await commit(COMMIT_RECORDS);
  const ringNs = await pipelinedRing();
  say('bare echo');
  const echoTcp = await echoRun([...CLOSED, ...times]);
  const echoWs = await echoRun([...CLOSED, ...times], 'ws');
  const echoOne = await echoRun([...ONE_BY_ONE, ...times]);
  const limits = {
    fdatasyncUs: Number(fdatasync_p50_us),
    commitOneUs: commitOneNs / 1000,
    commitPerS: (COMMIT_RECORDS * 1e9) / commitNs,
    echoTcpPerS: echoTcp.achievedPerS,
    echoWsPerS: echoWs.achievedPerS,
    echoOneUs: echoOne.latencyUs.p50 ?? Number.NaN,
    ringPerS: 1e9 / ringNs,
  };
  return { limits, echoTcp };
}
