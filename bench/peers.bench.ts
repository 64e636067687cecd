/**
 * The engine beside what somebody would take instead (bench/peers), and beside what the disk, the sockets and the rings allow, all in
 * one run: rounds of everything in turn, so that whatever else the machine does meets each of them. Each server starts anew with
 * empty files in each round.
 */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CREDIT_LIMIT } from '../loadtest/admin.js';
import { EngineProcess } from './engine-process.js';
import { CLOSED, type LimitFigures, measureLimits, ONE_BY_ONE } from './limits.js';
import { loadRun } from './load-run.js';
import { peerCases } from './peers/cases.js';
import { type PeerRun, runPeer } from './peers/closed-loop.js';
import type { PeerCase } from './peers/job.js';
import { asPeerRun } from './peers/report.js';
import { endServers } from './peers/server-process.js';
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
        one.limits = (await measureLimits(folder, { ...options, say })).limits;
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
