/** Runs of the load generator as a process of its own, against the engine or the bare echo server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type EngineProcess, runCommand } from './engine-process.js';

/** What one load run tells. */
export interface RunFigures {
  achievedPerS: number;
  offered: number;
  dropped: number;
  errors: number;
  latencyUs: Record<string, number>;
  /** CPU of the engine process per answered message, microseconds, generator excluded. */
  cpuUsPerMessage?: number;
  /** CPU of the load generator per answered message, microseconds; results of older revisions have none. */
  clientCpuUsPerMessage?: number;
  verified: boolean | null;
}

/** Result of `holdfast loadtest --json`, as far as it is used. */
interface LoadResult {
  offered: number;
  achieved_per_s: number;
  dropped: number;
  errors: number;
  latency_us: Record<string, number>;
  by_mti: Record<string, number>;
  verify: { ok: boolean } | null;
  client: { cpu_cores: number };
}

/** @param args flags of the load test; `-d` and `--warmup` are among them, in whole seconds */
export async function loadRun(args: readonly string[], engine: EngineProcess | undefined): Promise<RunFigures> {
  const before = engine?.cpuSeconds();
  const result = JSON.parse(await runCommand(['loadtest', ...args, '--json', '--quiet'])) as LoadResult;
  const after = engine?.cpuSeconds();
  const answered = Object.values(result.by_mti).reduce((sum, count) => sum + count, 0);
  const seconds = Number(/^(\d+)s$/.exec(args[args.indexOf('-d') + 1]!)?.[1]);
  const warmup = Number(/^(\d+)s$/.exec(args[args.indexOf('--warmup') + 1]!)?.[1]);
  // The process's CPU covers warm-up and verification too; the messages of the warm-up are estimated at the same rate.
  const messages = answered * ((seconds + warmup) / seconds);
  return {
    achievedPerS: result.achieved_per_s,
    offered: result.offered,
    dropped: result.dropped,
    errors: result.errors,
    latencyUs: result.latency_us,
    ...(before === undefined || after === undefined || messages === 0
      ? {}
      : { cpuUsPerMessage: ((after - before) * 1e6) / messages }),
    clientCpuUsPerMessage: result.achieved_per_s === 0 ? 0 : (result.client.cpu_cores * 1e6) / result.achieved_per_s,
    verified: result.verify?.ok ?? null,
  };
}

/** The same against the bare echo server, started for this run. @param transport of the server and of its client */
export async function echoRun(args: readonly string[], transport: 'tcp' | 'ws' = 'tcp'): Promise<RunFigures> {
  const file = fileURLToPath(new URL('./echo-server.js', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [file, ...(transport === 'ws' ? ['--ws'] : [])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
    const address = /(?:tcp|ws)=(\S+)/.exec(line)![1]!;
    const target = transport === 'ws' ? `ws://${address}/iso8583` : `iso8583+tcp://${address}`;
    return await loadRun([target, ...args, '--echo'], undefined);
  } finally {
    child.kill('SIGTERM');
  }
}
