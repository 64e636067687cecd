/** Runs of the load generator as a process of its own, against the engine or the bare echo server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runCommand } from './engine-process.js';

/** What one load run tells. */
export interface RunFigures {
  achievedPerS: number;
  offered: number;
  dropped: number;
  errors: number;
  /** Results of older revisions have none. */
  declined?: number;
  latencyUs: Record<string, number>;
  /** CPU of the engine process per message that it answered, microseconds, generator and verification excluded. */
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
  declined: number;
  latency_us: Record<string, number>;
  server_cpu_us: number | null;
  verify: { ok: boolean } | null;
  client: { cpu_cores: number };
}

/** @param args flags of the load test @param signal kills it */
export async function loadRun(args: readonly string[], signal?: AbortSignal): Promise<RunFigures> {
  const text = await runCommand(['loadtest', ...args, '--json', '--quiet'], [0, 99], signal);
  const result = JSON.parse(text) as LoadResult;
  return {
    achievedPerS: result.achieved_per_s,
    offered: result.offered,
    dropped: result.dropped,
    errors: result.errors,
    declined: result.declined,
    latencyUs: result.latency_us,
    ...(result.server_cpu_us === null ? {} : { cpuUsPerMessage: result.server_cpu_us }),
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
    return await loadRun([target, ...args, '--echo']);
  } finally {
    child.kill('SIGTERM');
  }
}
