/**
 * The engine beside what somebody would take instead (bench/peers), and beside what the disk, the sockets and the rings allow, all in
 * one run: rounds of everything in turn, so that whatever else the machine does meets each of them. Each server starts anew with
 * empty files in each round.
 */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { disk as examineDisk } from '#src/cli/doctor.js';
import { CREDIT_LIMIT } from '../loadtest/admin.js';
import { EngineProcess } from './engine-process.js';
import { commits } from './journal.bench.js';
import { echoRun, loadRun, type RunFigures } from './load-run.js';
import { peerCases } from './peers/cases.js';
import { type PeerRun, runPeer } from './peers/closed-loop.js';
import type { PeerCase } from './peers/job.js';
import { endServers } from './peers/server-process.js';
import { pipelinedRing } from './ring.bench.js';
import { inTemporaryFolder } from './temporary-folder.js';

export interface PeersOptions {
  /** Folder for all files: the disk that is measured. */
  folder: string;
  rounds: number;
  /** Whole seconds of each measured run, and before it. */
  seconds: number;
  warmupSeconds: number;
  accounts: number;
  /** Names of the peers to run; empty for all. Then the engine and the limits are measured, too. */
  only: readonly string[];
  say: (text: string) => void;
}

/** What the machine allows, measured in the same round. */
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

export interface OurFigures {
  tcp: PeerRun;
  ws: PeerRun;
  /** One connection, one message at a time, over TCP. */
  one: PeerRun;
}

export interface PeersRound {
  /** Missing when only peers were asked for. */
  ours?: OurFigures;
  limits?: LimitFigures;
  /** By the name of the case. */
  peers: Record<string, PeerRun>;
}

export interface PeersFigures {
  seconds: number;
  accounts: number;
  cases: Pick<PeerCase, 'name' | 'title' | 'note' | 'target' | 'connections' | 'inFlight'>[];
  /** Peers that are not installed, and how to install them. */
  skipped: { name: string; title: string; install: string }[];
  rounds: PeersRound[];
}

export const peerNames: readonly string[] = peerCases.map(({ name }) => name);

/** As our shard threads commit under load. */
const COMMIT_RECORDS = 2048;
const COMMIT_MS = 2000;
const CLOSED = ['--closed', '-c', '16', '-p', '128', '--mix', 'auth:100'];
const ONE_BY_ONE = ['--closed', '-c', '1', '-p', '1', '--mix', 'auth:100'];

export function benchPeers(options: PeersOptions): Promise<PeersFigures> {
  const chosen = peerCases.filter(({ name }) => options.only.length === 0 || options.only.includes(name));
  const missing = new Map(chosen.map((one) => [one, one.missing()]));
  const ready = chosen.filter((one) => missing.get(one) === undefined);
  const figures: PeersFigures = {
    seconds: options.seconds,
    accounts: options.accounts,
    cases: ready.map(({ name, title, note, target, connections, inFlight }) => ({
      ...{ name, title, note, connections, inFlight },
      ...(target === undefined ? {} : { target }),
    })),
    skipped: chosen
      .filter((one) => !ready.includes(one))
      .map((one) => ({ name: one.name, title: one.title, install: missing.get(one)! })),
    rounds: [],
  };
  for (const { name, install } of figures.skipped) options.say(`${name}: skipped, not installed (${install})`);
  let engine: EngineProcess | undefined;
  const interrupted = (): void => {
    endServers();
    engine?.signal();
  };
  const work = async (folder: string): Promise<PeersFigures> => {
    // The servers run as other users, and reach their folders through this one.
    chmodSync(folder, 0o711);
    for (let round = 1; round <= options.rounds; round++) {
      const one: PeersRound = { peers: {} };
      figures.rounds.push(one);
      const say = (text: string): void => options.say(`round ${round} of ${options.rounds}: ${text}`);
      if (options.only.length === 0) {
        one.limits = await limits(folder, { ...options, say });
        // Its key file lies beside its data directory.
        const place = join(folder, 'ours');
        const data = join(place, 'data');
        mkdirSync(place);
        say('ours');
        engine = await EngineProcess.start(data);
        try {
          one.ours = await ours(engine, data, options);
        } finally {
          await engine.stop();
          engine = undefined;
          rmSync(place, { recursive: true });
        }
      }
      for (const peer of ready) {
        say(peer.title);
        const place = join(folder, peer.name);
        mkdirSync(place);
        one.peers[peer.name] = await runPeer(peer, place, {
          ...{ cards: options.accounts, creditLimit: CREDIT_LIMIT },
          ...{ warmupMs: options.warmupSeconds * 1000, measuredMs: options.seconds * 1000 },
        });
        rmSync(place, { recursive: true });
      }
    }
    return figures;
  };
  return inTemporaryFolder(options.folder, work, interrupted);
}

async function limits(folder: string, options: PeersOptions): Promise<LimitFigures> {
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
  return {
    fdatasyncUs: Number(fdatasync_p50_us),
    commitOneUs: commitOneNs / 1000,
    commitPerS: (COMMIT_RECORDS * 1e9) / commitNs,
    echoTcpPerS: echoTcp.achievedPerS,
    echoWsPerS: echoWs.achievedPerS,
    echoOneUs: echoOne.latencyUs.p50 ?? Number.NaN,
    ringPerS: 1e9 / ringNs,
  };
}

async function ours(engine: EngineProcess, dataDir: string, options: PeersOptions): Promise<OurFigures> {
  const own = ['--admin', `http://${engine.admin}`, '--token-file', join(dataDir, 'admin.token')];
  const times = ['-d', `${options.seconds}s`, '--warmup', `${options.warmupSeconds}s`];
  const flags = ['--accounts', String(options.accounts), ...own];
  const [tcp, ws] = [`iso8583+tcp://${engine.tcp}`, `ws://${engine.ws}/iso8583`];
  // Creates the accounts, so that their import is in no figure.
  await loadRun([tcp, ...CLOSED, '-d', '1s', '--warmup', '0s', ...flags]);
  const run = async (target: string, loop: readonly string[]): Promise<PeerRun> =>
    asPeerRun(await loadRun([target, ...loop, ...times, ...flags, '--verify']));
  return { tcp: await run(tcp, CLOSED), ws: await run(ws, CLOSED), one: await run(tcp, ONE_BY_ONE) };
}

function asPeerRun(run: RunFigures): PeerRun {
  return {
    perS: run.achievedPerS,
    p50Us: run.latencyUs.p50 ?? Number.NaN,
    p99Us: run.latencyUs.p99 ?? Number.NaN,
    serverCpuUs: run.cpuUsPerMessage ?? null,
    clientCpuUs: run.clientCpuUsPerMessage ?? Number.NaN,
    verified: run.verified === true && run.errors === 0,
  };
}
