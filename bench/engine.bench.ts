/**
 * The engine as its users meet it: a real server process on a real directory, the load generator beside it on the same
 * cores. Every answer counted here was on disk before it left; money is verified after each run, or the figure is void.
 */
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { panOfNumber } from '#src/vault/pan.js';
import { EngineProcess, runCommand } from './engine-process.js';
import { echoRun, loadRun, type RunFigures } from './load-run.js';

export interface EngineOptions {
  /** Folder for the data directories: the disk that is measured. */
  folder: string;
  closedSeconds: number;
  openSeconds: number;
  openRate: number;
  /** Accounts of the scale part. */
  accounts: number;
  say: (text: string) => void;
}

export interface ScaleFigures {
  accounts: number;
  importSeconds: number;
  bytesPerAccount: number;
  restartMs: number;
  restartRecords: number;
  replayMs: number;
  replayRecords: number;
}

export interface EngineFigures {
  closed: RunFigures;
  closedEcho: RunFigures;
  closedWs: RunFigures;
  mixed: RunFigures;
  open: RunFigures;
  scale: ScaleFigures;
}

export async function benchEngine(options: EngineOptions): Promise<EngineFigures> {
  const load = await loadFigures(options);
  return { ...load, scale: await scaleFigures(options) };
}

async function loadFigures(options: EngineOptions): Promise<Omit<EngineFigures, 'scale'>> {
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

/** Import, memory, restart and replay with many accounts. */
async function scaleFigures(options: EngineOptions): Promise<ScaleFigures> {
  const { accounts, say } = options;
  const folder = mkdtempSync(join(options.folder, 'holdfast-scale-'));
  const dataDir = join(folder, 'data');
  const rows = join(folder, 'accounts.ndjson');
  try {
    await writeRows(rows, accounts);
    let engine = await EngineProcess.start(dataDir);
    const empty = engine.residentBytes() ?? 0;
    say(`import of ${accounts} accounts with cards`);
    const began = performance.now();
    await runCommand([
      'import',
      rows,
      '--admin',
      `http://${engine.admin}`,
      '--token-file',
      join(dataDir, 'admin.token'),
      '--json',
    ]);
    const importSeconds = (performance.now() - began) / 1000;
    await engine.stop();
    say('restart from the checkpoint');
    engine = await EngineProcess.start(dataDir);
    const { readyMs: restartMs, recovered: restartRecords } = engine;
    const bytesPerAccount = ((engine.residentBytes() ?? 0) - empty) / accounts;
    await engine.stop();
    say('restart from the journal alone');
    rmSync(join(dataDir, 'state'), { recursive: true });
    engine = await EngineProcess.start(dataDir);
    const { readyMs: replayMs, recovered: replayRecords } = engine;
    await engine.stop();
    return { accounts, importSeconds, bytesPerAccount, restartMs, restartRecords, replayMs, replayRecords };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function writeRows(file: string, accounts: number): Promise<void> {
  const out = createWriteStream(file);
  for (let i = 0; i < accounts; i++) {
    const account = { id: `acct-${i}`, currency: 'BRL', credit_limit: 500_000, type: 'credit' };
    const card = { pan: panOfNumber('999999', i), expiry: '3512', status: 'active' };
    if (!out.write(`${JSON.stringify({ account, card })}\n`)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'finish');
}
