/**
 * A backtest of a rule over the records of a real server, rests included: how many records it passes per second beside an
 * engine that has nothing else to do.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineProcess, runCommand } from './engine-process.js';
import type { BenchRow } from './row.js';

/** Load before it: some 100 000 records on two cores. */
const LOAD = [
  '--closed',
  '-c',
  '4',
  '-p',
  '32',
  '-d',
  '5s',
  '--warmup',
  '1s',
  '--mix',
  'auth:100',
  '--accounts',
  '1000',
];

const RULE = {
  program: 'prog_sandbox',
  text: 'when amount > 100_00 and mcc in [5411, 5812] and country != "BR" then decline 59 reason "bench"',
};

export async function benchBacktest(folder: string): Promise<BenchRow[]> {
  const scratch = mkdtempSync(join(folder, 'holdfast-bench-'));
  const dataDir = join(scratch, 'data');
  const engine = await EngineProcess.start(dataDir);
  try {
    const tokenFile = join(dataDir, 'admin.token');
    const admin = `http://${engine.admin}`;
    const since = new Date(Date.now() - 60_000).toISOString();
    await runCommand(['loadtest', `iso8583+tcp://${engine.tcp}`, ...LOAD, '--admin', admin, '--token-file', tokenFile]);
    const call = caller(admin, readFileSync(tokenFile, 'utf8').trim());
    const { id } = await call('POST', '/v1/rules', RULE);
    const until = new Date(Date.now() + 60_000).toISOString();
    await call('POST', `/v1/rules/${String(id)}/backtests`, { since, until });
    for (;;) {
      const state = await call('GET', `/v1/rules/${String(id)}/backtests/1`);
      if (state.status === 'failed') throw new Error('the backtest failed');
      if (state.status === 'done') return [rowOf(state)];
      await sleep(100);
    }
  } finally {
    await engine.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}

type Json = Record<string, unknown>;

function caller(admin: string, token: string): (method: string, path: string, body?: object) => Promise<Json> {
  return async (method, path, body) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const answer = await fetch(
      admin + path,
      body === undefined ? { headers } : { method, headers, body: JSON.stringify(body) },
    );
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Json;
  };
}

function rowOf({ progress, created_at, finished_at }: Json): BenchRow {
  const { read } = progress as { read: number };
  const ms = Date.parse(String(finished_at)) - Date.parse(String(created_at));
  const nsPerOp = (ms * 1e6) / read;
  return { room: 'control', name: 'backtest, per record, its rests included', nsPerOp, opsPerSec: 1e9 / nsPerOp };
}
