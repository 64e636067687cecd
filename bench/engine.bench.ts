/**
 * The engine as its users meet it: a real server process on a real directory, the load generator beside it on the same
 * cores. Every answer counted here was on disk before it left; money is verified after each run, or the figure is void.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EngineProcess } from './engine-process.js';
import { echoRun, loadRun, type RunFigures } from './load-run.js';

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
  mixed: RunFigures;
  open: RunFigures;
}

export async function benchEngine(options: EngineOptions): Promise<EngineFigures> {
  const { say, closedSeconds, openSeconds, openRate } = options;
  const folder = mkdtempSync(join(options.folder, 'holdfast-bench-'));
  const dataDir = join(folder, 'data');
  const engine = await EngineProcess.start(dataDir);
  const own = ['--admin', `http://${engine.admin}`, '--token-file', join(dataDir, 'admin.token')];
  const flags = ['--accounts', '10000', '--verify', ...own];
  const closedLoop = [
    '--closed',
    '-c',
    '16',
    '-p',
    '128',
    '-d',
    `${closedSeconds}s`,
    '--warmup',
    '5s',
    '--mix',
    'auth:100',
  ];
  try {
    const tcp = `iso8583+tcp://${engine.tcp}`;
    say(`closed loop, 16 connections x 128 in flight, ${closedSeconds} s`);
    const closed = await loadRun([tcp, ...closedLoop, ...flags]);
    say('the same against the bare echo');
    const closedEcho = await echoRun(closedLoop);
    say('the same over WebSocket');
    const closedWs = await loadRun([`ws://${engine.ws}/iso8583`, ...closedLoop, ...flags]);
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
    return { closed, closedEcho, closedWs, mixed, open };
  } finally {
    await engine.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
