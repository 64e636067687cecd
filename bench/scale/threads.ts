/** The same closed loop with more shard threads. */
import { join } from 'node:path';
import { loadRun, type RunFigures } from '../load-run.js';
import { adminFlags } from './accounts.js';
import { LoadWatch, type LoadWindow } from './load-watch.js';
import { type Stage, withEngine } from './stage.js';

export interface ThreadsOptions {
  readonly accounts: number;
  readonly loadSeconds: number;
  readonly warmupSeconds: number;
}

export interface ThreadsFigures {
  shardThreads: number;
  load: RunFigures;
  window: LoadWindow;
}

/** Closed loop, 16 connections x 128 in flight. */
export function benchThreads(stage: Stage, shardThreads: number, options: ThreadsOptions): Promise<ThreadsFigures> {
  const dataDir = join(stage.folder, 'data');
  return withEngine(stage, dataDir, ['--threads', String(shardThreads)], async (engine) => {
    const target = `iso8583+tcp://${engine.tcp}`;
    const own = ['--accounts', String(options.accounts), '--mix', 'auth:100', ...adminFlags(engine, dataDir)];
    await loadRun([target, '-R', '100', '-d', '1s', ...own], stage.signal);
    const times = ['-d', `${options.loadSeconds}s`, '--warmup', `${options.warmupSeconds}s`];
    const watch = await LoadWatch.begin(engine);
    try {
      const loop = ['--closed', '-c', '16', '-p', '128'];
      const load = await loadRun([target, ...loop, ...times, ...own, '--verify'], stage.signal);
      return { shardThreads, load, window: await watch.end() };
    } finally {
      watch.cancel();
    }
  });
}
