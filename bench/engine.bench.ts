/**
 * The engine as its users meet it: a real server process on a real directory, the load generator beside it on the same
 * cores. Every answer counted here was on disk before it left; money is verified after each run, or the figure is void.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EngineProcess } from './engine-process.js';
import { CLOSED, type LimitFigures, measureLimits, ONE_BY_ONE } from './limits.js';
import { loadRun, type RunFigures } from './load-run.js';

export interface EngineOptions {
  /** Folder for the data directories: the disk that is measured. */
  folder: string;
  closedSeconds: number;
  openSeconds: number;
  openRate: number;
  say: (text: string) => void;
}

export interface EngineFigures {
  closed: RunFigures;
  closedEcho: RunFigures;
  closedWs: RunFigures;
  /** One connection, one message at a time, over TCP; results of older revisions have none. */
  one?: RunFigures;
  mixed: RunFigures;
  open: RunFigures;
  /** What the machine allows, measured in the same minutes; results of older revisions have none. */
  limits?: LimitFigures;
}

const WARMUP_SECONDS = 5;

export async function benchEngine(options: EngineOptions): Promise<EngineFigures> {
  const { say, closedSeconds, openSeconds, openRate } = options;
  const folder = mkdtempSync(join(options.folder, 'holdfast-bench-'));
  const dataDir = join(folder, 'data');
  const engine = await EngineProcess.start(dataDir);
  const own = ['--admin', `http://${engine.admin}`, '--token-file', join(dataDir, 'admin.token')];
  const flags = ['--accounts', '10000', '--verify', ...own];
  const closedTimes = ['-d', `${closedSeconds}s`, '--warmup', `${WARMUP_SECONDS}s`];
  const closedLoop = [...CLOSED, ...closedTimes];
  try {
    const tcp = `iso8583+tcp://${engine.tcp}`;
    say(`closed loop, 16 connections x 128 in flight, ${closedSeconds} s`);
    const closed = await loadRun([tcp, ...closedLoop, ...flags]);
    const { limits, echoTcp } = await measureLimits(folder, {
      ...{ seconds: closedSeconds, warmupSeconds: WARMUP_SECONDS },
      say,
    });
    say('the same over WebSocket');
    const closedWs = await loadRun([`ws://${engine.ws}/iso8583`, ...closedLoop, ...flags]);
    say('one message at a time');
    const one = await loadRun([tcp, ...ONE_BY_ONE, ...closedTimes, ...flags]);
    say('closed loop with reversals and repeats');
    const mixedLoop = closedLoop.map((one) => (one === 'auth:100' ? 'auth:91,reversal:7,repeat:2' : one));
    const mixed = await loadRun([tcp, ...mixedLoop, '--distribution', 'zipfian', ...flags]);
    say(`open loop, ${openRate}/s, ${openSeconds} s`);
    const openLoop = [
      '-R',
      String(openRate),
      '-c',
      '16',
      '-d',
      `${openSeconds}s`,
      '--warmup',
      '5s',
      '--mix',
      'auth:100',
    ];
    const open = await loadRun([tcp, ...openLoop, ...flags]);
    return { closed, closedEcho: echoTcp, closedWs, one, mixed, open, limits };
  } finally {
    await engine.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
