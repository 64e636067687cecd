/** A peer's server as a child process: found, started as a user without rights, waited for, counted and ended by its pid. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  accessSync,
  chownSync,
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSecondsWithChildrenOf } from '../process-cpu.js';

const READY_MS_MAX = 20_000;
const READY_POLL_MS = 20;
/** A server that does not end by its signal within this time is killed. */
const STOP_MS_MAX = 10_000;
const LOG_CHARACTERS_SHOWN = 600;

interface User {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The user that servers run as: PostgreSQL refuses root, and none of them needs it. undefined when this process is not root.
 * @param names accounts to look for, best first; `nobody` is everywhere
 */
export function unprivileged(...names: readonly string[]): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of [...names, 'nobody']) {
    const user = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(readFileSync('/etc/passwd', 'utf8'));
    if (user !== null) return { uid: Number(user[1]), gid: Number(user[2]) };
  }
  throw new Error('there is no account "nobody" in /etc/passwd to run the server as');
}

/** The first folder that has all of these programs: of PATH, then of `more`. */
export function folderWith(programs: readonly string[], more: readonly string[]): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...more];
  return folders.find((folder) => folder !== '' && programs.every((program) => isExecutable(join(folder, program))));
}

/** Folders of PostgreSQL's programs, newest version first: Debian keeps initdb out of PATH. */
export function postgresFolders(): string[] {
  const base = '/usr/lib/postgresql';
  try {
    const versions = readdirSync(base).sort((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(base, version, 'bin'));
  } catch {
    return []; // not Debian, or no server
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Gives a folder to the user of the server. */
export function handOver(folder: string, user: User | undefined): void {
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
}

/** Runs a program to its end as that user. @throws Error with what it printed when it fails */
export function runAs(user: User | undefined, cwd: string, program: string, args: readonly string[]): void {
  try {
    execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...user });
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new Error(`${program} failed: ${stderr?.trim() || message}`);
  }
}

/** Servers that run now. */
const running = new Set<ServerProcess>();

/** Tells every server that was started and still runs to end; for a signal to this process, when nothing can be waited for. */
export function endServers(): void {
  for (const server of running) server.signal();
}

export interface ServerOptions {
  readonly program: string;
  /** @param sockets folder for its Unix socket */
  readonly args: (sockets: string) => readonly string[];
  /** Where it starts, and where its log goes. */
  readonly folder: string;
  readonly user: User | undefined;
  /** Ends it at once: its files are not needed any more. */
  readonly stopSignal: NodeJS.Signals;
  /** Resolves true when it answers; called again and again until then. */
  readonly isReady: (sockets: string) => Promise<boolean>;
}

export class ServerProcess {
  /** Where its Unix socket lies: the path of one has at most 107 bytes, which the measured folder may be too deep for. */
  readonly sockets: string;
  readonly #child: ChildProcess;
  readonly #stopSignal: NodeJS.Signals;
  readonly #ended: Promise<void>;
  /** Why it does not run; '' while it does. */
  #failure = '';

  private constructor(options: ServerOptions, log: string) {
    const { folder, user } = options;
    this.sockets = mkdtempSync(join(tmpdir(), 'holdfast-peer-'));
    handOver(this.sockets, user);
    const file = openSync(log, 'a');
    const stdio = ['ignore', file, file] as const;
    this.#child = spawn(options.program, options.args(this.sockets), { cwd: folder, stdio: [...stdio], ...user });
    closeSync(file);
    this.#stopSignal = options.stopSignal;
    running.add(this);
    this.#ended = new Promise((resolve) => {
      const onEnd = (why: string): void => {
        this.#failure ||= why;
        running.delete(this);
        rmSync(this.sockets, { recursive: true, force: true });
        resolve();
      };
      this.#child.once('error', (error) => onEnd(error.message));
      this.#child.once('exit', (status, signal) => onEnd(`ended with ${signal ?? `status ${status}`}`));
    });
  }

  /** @throws Error with the end of its log when it ends, or is not ready within 20 s */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const log = join(options.folder, 'server.log');
    const server = new ServerProcess(options, log);
    const until = performance.now() + READY_MS_MAX;
    while (server.#failure === '' && !(await options.isReady(server.sockets))) {
      if (performance.now() > until) server.#failure = `was not ready within ${READY_MS_MAX / 1000} s`;
      else await sleep(READY_POLL_MS);
    }
    if (server.#failure === '') return server;
    const text = `${options.program} ${server.#failure}: ${readFileSync(log, 'utf8').slice(-LOG_CHARACTERS_SHOWN)}`;
    await server.stop();
    throw new Error(text);
  }

  /** CPU of the process and all of its children so far, seconds; undefined without /proc. */
  cpuSeconds(): number | undefined {
    return cpuSecondsWithChildrenOf(this.#child.pid!);
  }

  /** Its end, without waiting for it. */
  signal(): void {
    this.#child.kill(this.#stopSignal);
    rmSync(this.sockets, { recursive: true, force: true });
  }

  /** Ends it and waits for that. */
  async stop(): Promise<void> {
    if (!running.has(this)) return;
    this.#child.kill(this.#stopSignal);
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS_MAX);
    await this.#ended;
    clearTimeout(killer);
  }
}
