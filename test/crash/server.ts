/**
 * The real server as a child process, on a real data directory, for tests that kill it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { built } from '../support/built.js';

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const TMPFS = 0x0102_1994;
/** A start needs about a second; on a busy machine many times that. */
const READY_MS = 300_000;
const EXIT_MS = 120_000;

export interface ServerOptions {
  readonly dataDir: string;
  readonly threads?: number;
  readonly environment?: Record<string, string>;
  readonly flags?: readonly string[];
}

export interface ServerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The process ended while somebody waited for it. */
export class ServerGone extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'ServerGone';
  }
}

export interface Addresses {
  readonly tcp: string;
  readonly admin: string;
  readonly recovered: number;
}

/** A folder on a file system that keeps what it is told to sync; memory file systems only when there is no other. */
export function workFolder(): string {
  const places = [tmpdir(), '/var/tmp'].filter((place) => existsSync(place));
  const place = places.find((one) => statfsSync(one).type !== TMPFS) ?? places[0]!;
  return mkdtempSync(join(place, 'holdfast-crash-'));
}

/** Environment without whatever the caller's shell has set for the engine. */
export function cleanEnvironment(): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env))
    if (value !== undefined && !/^(HOLDFAST_|NODE_OPTIONS$|VITEST)/.test(name)) environment[name] = value;
  return environment;
}

export class Server {
  readonly pid: number;
  readonly dataDir: string;
  readonly ended: Promise<ServerEnd>;
  readonly ready: Promise<Addresses>;
  stderr = '';
  end: ServerEnd | undefined;
  readonly #child: ChildProcess;

  constructor(options: ServerOptions) {
    this.dataDir = options.dataDir;
    const main = fileURLToPath(built('cli/main.js'));
    const ports = ['--tcp-port', '0', '--ws-port', '0', '--admin-port', '0'];
    // Nothing here may depend on how fast the machine is: no request is late before half a minute.
    const flags = [
      '--demo',
      '--threads',
      String(options.threads ?? 1),
      '--log-format',
      'json',
      '--deadline-ms',
      '30000',
    ];
    const child = spawn(
      process.execPath,
      [main, 'serve', '--data-dir', options.dataDir, ...ports, ...flags, ...(options.flags ?? [])],
      { env: { ...cleanEnvironment(), ...options.environment }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#child = child;
    this.pid = child.pid!;
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        this.end = { code, signal };
        resolve(this.end);
      });
    });
    this.ready = this.#awaitReady();
    this.ready.catch(() => undefined);
  }

  #awaitReady(): Promise<Addresses> {
    return new Promise((resolve, reject) => {
      let text = '';
      const timer = setTimeout(
        () => reject(new Error(`no ready line within ${READY_MS} ms: ${this.stderr}`)),
        READY_MS,
      );
      this.#child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        const line = /^holdfast ready (.*)$/m.exec(text)?.[1];
        if (line === undefined) return;
        clearTimeout(timer);
        const facts = Object.fromEntries(line.split(' ').map((pair) => pair.split('=') as [string, string]));
        resolve({ tcp: facts.tcp!, admin: facts.admin!, recovered: Number(facts.recovered) });
      });
      void this.ended.then(({ code, signal }) => {
        clearTimeout(timer);
        reject(
          new ServerGone(`the server ended with ${signal ?? code} before it was ready: ${this.stderr.slice(-2000)}`),
        );
      });
    });
  }

  /** Lines of the log with this text. */
  logLines(part: string): string[] {
    return this.stderr.split('\n').filter((line) => line.includes(part));
  }

  /** The token of the API. */
  token(): string {
    return readFileSync(join(this.dataDir, 'admin.token'), 'utf8').trim();
  }

  signal(name: NodeJS.Signals): void {
    if (this.end === undefined) this.#child.kill(name);
  }

  /** SIGKILL, and waits until the process is gone. */
  async kill(): Promise<ServerEnd> {
    this.signal('SIGKILL');
    return this.ended;
  }

  /** Graceful stop; resolves with how it ended. */
  async stop(): Promise<ServerEnd> {
    this.signal('SIGTERM');
    return this.#within(EXIT_MS, 'after SIGTERM');
  }

  /** Waits until the process has ended by itself. */
  async exit(): Promise<ServerEnd> {
    return this.#within(EXIT_MS, 'by itself');
  }

  async #within(ms: number, how: string): Promise<ServerEnd> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the server did not end ${how} within ${ms} ms: ${this.stderr}`)), ms);
    });
    try {
      return await Promise.race([this.ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Servers and folders of one test file; nothing of them survives it. */
export class Scene {
  readonly folder = workFolder();
  readonly #servers: Server[] = [];

  get dataDir(): string {
    return join(this.folder, 'data');
  }

  start(options: Omit<ServerOptions, 'dataDir'> & { dataDir?: string } = {}): Server {
    const server = new Server({ dataDir: this.dataDir, ...options });
    this.#servers.push(server);
    return server;
  }

  async close(): Promise<void> {
    for (const server of this.#servers) await server.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** `holdfast verify` on the directory: its exit status and what it printed. */
export async function verify(dataDir: string): Promise<{ code: number | null; text: string }> {
  const main = fileURLToPath(built('cli/main.js'));
  const child = spawn(process.execPath, [main, 'verify', '--data-dir', dataDir], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, text };
}
