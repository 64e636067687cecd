/**
 * Real servers for tests: the built program in a folder of its own on free ports, its ready line parsed, its output kept,
 * ended by its process id. Everything a test file started is killed and removed when the file is done.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, vi } from 'vitest';
import type { Answer } from './answer.js';
import { built } from './built.js';
import { IsoClient, type IsoClientOptions } from './iso-client.js';
import { long } from './long.js';

/** A start or an end that takes longer is a failure of the test; generous, because the machine may be busy. */
const LIMIT_MS = 60_000 * long;

// Several starts make a test, and a busy machine must not fail one.
vi.setConfig({ testTimeout: 180_000 * long, hookTimeout: 180_000 * long });

const children = new Set<ChildProcess>();
const folders: string[] = [];

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  const until = Date.now() + LIMIT_MS;
  while (children.size > 0 && Date.now() < until) await sleep(10);
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A folder of this test file, removed at its end. */
export function temporaryFolder(name = 'server'): string {
  const folder = mkdtempSync(join(tmpdir(), `holdfast-${name}-`));
  folders.push(folder);
  return folder;
}

/** How a process ended: exactly one of the two. */
export interface Exit {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process of ours and what it has said so far. */
export class Program {
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  stdout = '';
  stderr = '';

  /**
   * `environment` is added to a bare one: settings of the shell that runs the tests do not leak in. `openFiles` is the limit of
   * open files it starts with. `stderr`: an open file in place of the pipe that is read into `stderr`.
   */
  constructor(
    args: readonly string[],
    environment: Record<string, string> = {},
    cwd?: string,
    userId?: number,
    openFiles?: number,
    stderr: 'pipe' | number = 'pipe',
  ) {
    const { PATH = '', HOME = '', TMPDIR } = process.env;
    const env = { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }), NO_COLOR: '1', ...environment };
    const main = fileURLToPath(built('cli/main.js'));
    const command = [process.execPath, main, ...args];
    if (openFiles !== undefined) command.unshift('sh', '-c', `ulimit -n ${openFiles}; exec "$@"`, 'sh');
    this.child = spawn(command[0]!, command.slice(1), {
      env,
      stdio: ['ignore', 'pipe', stderr],
      ...(cwd === undefined ? {} : { cwd }),
      ...(userId === undefined ? {} : { uid: userId, gid: userId }),
    });
    children.add(this.child);
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.exited = new Promise((resolve) => {
      this.child.once('close', (status, signal) => {
        children.delete(this.child);
        resolve({ status, signal });
      });
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  get running(): boolean {
    return children.has(this.child);
  }

  /** The end, or a failure after the limit (the process is killed then). */
  async end(): Promise<Exit> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), LIMIT_MS);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  /** Resident memory, bytes. */
  residentBytes(): number {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'));
    return Number(match?.[1] ?? Number.NaN) * 1024;
  }
}

export interface Ran {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command of the program to its end. */
export async function run(
  args: readonly string[],
  environment: Record<string, string> = {},
  cwd?: string,
  userId?: number,
): Promise<Ran> {
  const program = new Program(args, environment, cwd, userId);
  const { status, signal } = await program.end();
  return { status, signal, out: program.stdout, err: program.stderr };
}

export interface ServerOptions {
  /** Default: a new temporary folder's `data`. */
  readonly dataDir?: string;
  /** Creates the demo program (default true). */
  readonly demo?: boolean;
  /** Further flags; a port given here replaces the free one. */
  readonly flags?: readonly string[];
  readonly environment?: Record<string, string>;
  /** Limit of open files (default: that of the tests). */
  readonly openFiles?: number;
  /** An open file for what it says on stderr (default: it is kept in `stderr`). */
  readonly stderr?: number;
}

/** The arguments that start a server on free ports. */
export function serveArguments(options: ServerOptions & { dataDir: string }): string[] {
  const flags = options.flags ?? [];
  const ports = ['--tcp-port', '--ws-port', '--admin-port'].filter((port) => !flags.includes(port));
  return [
    'serve',
    '--data-dir',
    options.dataDir,
    ...ports.flatMap((port) => [port, '0']),
    ...(options.demo === false ? [] : ['--demo']),
    ...flags,
  ];
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; undefined when it is none. */
  readonly body: Json;
}

export type Json = Answer;

/** A server that printed its ready line. */
export class Server extends Program {
  readonly dataDir: string;
  /** The values of the ready line. */
  ready: Record<string, string> = {};
  readonly #clients: IsoClient[] = [];
  #token = '';

  private constructor(options: ServerOptions & { dataDir: string }) {
    super(serveArguments(options), options.environment, undefined, undefined, options.openFiles, options.stderr);
    this.dataDir = options.dataDir;
  }

  /** Starts a server and waits for its ready line. Fails with what it said when it ends before. */
  static async start(options: ServerOptions = {}): Promise<Server> {
    const dataDir = options.dataDir ?? join(temporaryFolder(), 'data');
    const server = new Server({ ...options, dataDir });
    await server.#untilReady();
    return server;
  }

  async #untilReady(): Promise<void> {
    const until = Date.now() + LIMIT_MS;
    while (!/^holdfast ready .*\n/m.test(this.stdout)) {
      if (!this.running) throw new Error(`the server ended before it was ready: ${this.stderr}`);
      if (Date.now() > until) {
        this.child.kill('SIGKILL');
        throw new Error(`no ready line within ${LIMIT_MS} ms: ${this.stderr}`);
      }
      await sleep(5);
    }
    const line = this.stdout.slice(0, this.stdout.indexOf('\n'));
    for (const match of line.matchAll(/(\w+)=("(?:[^"\\]|\\.)*"|\S+)/g)) {
      const value = match[2]!;
      this.ready[match[1]!] = value.startsWith('"') ? (JSON.parse(value) as string) : value;
    }
    this.#token = readFileSync(join(this.dataDir, 'admin.token'), 'utf8').trim();
  }

  /** Value of the ready line as a number. */
  number(key: 'threads' | 'shards' | 'recovered' | 'in_ms'): number {
    return Number(this.ready[key]);
  }

  /** `host:port`. */
  get tcp(): string {
    return this.ready.tcp!;
  }

  get token(): string {
    return this.#token;
  }

  /** One call of the HTTP API with the admin token. */
  async api(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<ApiAnswer> {
    const answer = await fetch(`http://${this.ready.admin}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined || typeof body === 'string' ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    const text = await answer.text();
    let json: Json | undefined;
    try {
      json = JSON.parse(text) as Json;
    } catch {
      json = undefined;
    }
    return { status: answer.status, headers: answer.headers, text, body: json as Json };
  }

  get(path: string): Promise<ApiAnswer> {
    return this.api('GET', path);
  }

  /** A TCP client of this server, closed when the server is stopped. */
  async connect(options: IsoClientOptions = {}): Promise<IsoClient> {
    const [host, port] = this.tcp.split(':');
    const client = await IsoClient.connect(host!, Number(port), options);
    this.#clients.push(client);
    return client;
  }

  /** SIGTERM, and the exit. */
  async stop(): Promise<Exit> {
    this.child.kill('SIGTERM');
    const exit = await this.end();
    this.#closeClients();
    return exit;
  }

  /** SIGKILL, and the exit. */
  async kill(): Promise<Exit> {
    this.child.kill('SIGKILL');
    const exit = await this.end();
    this.#closeClients();
    return exit;
  }

  #closeClients(): void {
    for (const client of this.#clients) client.close();
  }

  /** Log lines (JSON) whose message is this one. */
  logged(message: string): Record<string, unknown>[] {
    return this.stderr
      .split('\n')
      .map((line) => line.slice(Math.max(0, line.indexOf('{"level":'))))
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((entry) => entry.msg === message);
  }
}

/** Looks until the condition holds; fails after the limit with what was awaited. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, limitMs = 20_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await sleep(10);
  }
}
