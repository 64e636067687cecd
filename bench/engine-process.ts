/**
 * A real server as a child process, for the benchmarks: start, CPU and memory from the operating system, stop. Linux only
 * (/proc); elsewhere CPU and memory are left out.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { cpuSecondsOf } from './process-cpu.js';

export const cliFile = fileURLToPath(new URL('../../cli/main.js', import.meta.url));

export class EngineProcess {
  readonly tcp: string;
  readonly ws: string;
  readonly admin: string;
  readonly recovered: number;
  readonly readyMs: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, facts: Record<string, string>) {
    this.#child = child;
    this.tcp = facts.tcp ?? '';
    this.ws = facts.ws ?? '';
    this.admin = facts.admin ?? '';
    this.recovered = Number(facts.recovered);
    this.readyMs = Number(facts.in_ms);
  }

  static start(dataDir: string, ...flags: string[]): Promise<EngineProcess> {
    return EngineProcess.#start('inherit', undefined, dataDir, flags);
  }

  /** `log`: an open file for what it says on stderr. */
  static startLogging(log: number, dataDir: string, ...flags: string[]): Promise<EngineProcess> {
    return EngineProcess.#start(log, undefined, dataDir, flags);
  }

  /** A server that `signal` kills, while it starts or later. Rejects when that happens before it is ready. */
  static startUntil(signal: AbortSignal, dataDir: string, ...flags: string[]): Promise<EngineProcess> {
    return EngineProcess.#start('inherit', signal, dataDir, flags);
  }

  static async #start(
    log: number | 'inherit',
    signal: AbortSignal | undefined,
    dataDir: string,
    flags: readonly string[],
  ): Promise<EngineProcess> {
    const args = [
      cliFile,
      'serve',
      '--data-dir',
      dataDir,
      '--tcp-port',
      '0',
      '--ws-port',
      '0',
      '--admin-port',
      '0',
      '--log-level',
      'warn',
      ...flags,
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', log], ...killedBy(signal) });
    const lines = createInterface({ input: child.stdout! });
    const ready = new Promise<string>((resolve, reject) => {
      lines.once('line', resolve);
      child.on('error', reject);
      child.once('exit', (code) => reject(new Error(`the server ended with status ${code} before it was ready`)));
    });
    const line = await ready;
    const facts = Object.fromEntries(
      line
        .split(' ')
        .filter((part) => part.includes('='))
        .map((part) => part.split('=') as [string, string]),
    );
    return new EngineProcess(child, facts);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** User and system CPU of the whole process so far, seconds; undefined without /proc. */
  cpuSeconds(): number | undefined {
    return cpuSecondsOf(this.pid);
  }

  /** Memory of its own, bytes: resident without mapped files (those are the page cache's); undefined without /proc. */
  residentBytes(): number | undefined {
    try {
      const kib = /RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1];
      return kib === undefined ? undefined : Number(kib) * 1024;
    } catch {
      return undefined;
    }
  }

  /** SIGTERM, without waiting. */
  signal(): void {
    this.#child.kill('SIGTERM');
  }

  /** SIGTERM and wait; resolves with the exit status. */
  stop(): Promise<number> {
    return this.#end('SIGTERM');
  }

  /** SIGKILL and wait. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  #end(signal: NodeJS.Signals): Promise<number> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode ?? 137);
    const ended = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 137)));
    child.kill(signal);
    return ended;
  }
}

function killedBy(signal: AbortSignal | undefined): { signal: AbortSignal; killSignal: 'SIGKILL' } | undefined {
  return signal && { signal, killSignal: 'SIGKILL' };
}

/**
 * Runs a command of the engine and returns what it prints on stdout. @throws Error when it ends with another status than those
 * (99: a load test whose threshold failed), as when `signal` kills it
 */
export async function runCommand(
  args: readonly string[],
  statuses: readonly number[] = [0, 99],
  signal?: AbortSignal,
): Promise<string> {
  const child = spawn(process.execPath, [cliFile, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...killedBy(signal),
  });
  // What the signal does is told by the status.
  if (signal !== undefined) child.once('error', () => undefined);
  let out = '';
  for await (const chunk of child.stdout) out += String(chunk);
  const isOver = child.exitCode !== null || child.signalCode !== null;
  if (!isOver) await new Promise((resolve) => child.once('exit', resolve));
  const status = child.exitCode ?? 137;
  if (!statuses.includes(status)) throw new Error(`${args[0]} ended with status ${status}`);
  return out;
}
