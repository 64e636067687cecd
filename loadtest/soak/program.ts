/** Processes of the soak: the server, and commands beside it. All of it by the built program, as a user has it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../../cli/main.js', import.meta.url));
const START_LIMIT_MS = 120_000;

/** Without settings of the shell: the tool's flags say what is measured, and a server refuses a variable of ours that is no setting. */
const bareEnvironment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_')),
);

export interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command to its end. */
export function command(args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: bareEnvironment });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, out, err }));
  });
}

/**
 * Flags of node for the server: every thread collects its garbage in full every few seconds (collector.ts). Otherwise V8 lets a heap of
 * these sizes grow for hours before it collects the old part of it for the first time.
 */
export const fullCollections: readonly string[] = [
  '--expose-gc',
  `--import=${new URL('./collector.js', import.meta.url).href}`,
];

/**
 * Blocks of the allocator from so many bytes on are mappings of their own, and gone when they are free. By itself glibc raises that bound to
 * 32 MiB with what is freed. LMDB allocates lists of 3.7 MB for each environment that it writes, of which it touches little; where they lie
 * in memory that was used before they count whole, so that memory goes on growing until all folders of the journal have been replaced.
 */
const allocation = { MALLOC_MMAP_THRESHOLD_: '262144' } as const;

/** Of descriptors: folders of the journal, the rest of the data directory, sockets, all others. */
type FileKind = 'journal' | 'data' | 'sockets' | 'others';

/** What a process and its data directory take at a moment. */
export interface Look {
  /** Memory of its own, without files that are mapped; bytes. */
  readonly anonBytes: number;
  readonly residentBytes: number;
  readonly files: Readonly<Record<FileKind, number>>;
  /** Folders of the journal that are open, or mapped, and gone from the directory. */
  readonly goneFolders: number;
  /** Folders of the journal in the directory. */
  readonly journalFolders: number;
  /** Bytes on the disk by folder of the data directory. */
  readonly diskBytes: Readonly<Record<string, number>>;
  /** By thread and kind, from the metrics. */
  readonly memory: Readonly<Record<string, number>>;
}

export class SoakServer {
  readonly #child: ChildProcess;
  readonly #dataDir: string;
  readonly #ended: Promise<number | NodeJS.Signals | null>;
  stderr = '';
  #stdout = '';
  admin = '';
  tcp = '';

  private constructor(
    dataDir: string,
    node: readonly string[],
    flags: readonly string[],
    environment: Record<string, string>,
  ) {
    this.#dataDir = dataDir;
    const ports = ['--tcp-port', '0', '--ws-port', '0', '--admin-port', '0'];
    const args = [...node, MAIN, 'serve', '--data-dir', dataDir, '--log-format', 'json', ...ports, ...flags];
    this.#child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...bareEnvironment, ...allocation, ...environment },
    });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-100_000);
    });
    this.#ended = new Promise((resolve) => this.#child.once('close', (code, signal) => resolve(signal ?? code)));
  }

  /** @param node flags of node itself. @param flags those of `serve` */
  static async start(
    dataDir: string,
    node: readonly string[],
    flags: readonly string[],
    environment: Record<string, string>,
  ): Promise<SoakServer> {
    const server = new SoakServer(dataDir, node, flags, environment);
    const until = Date.now() + START_LIMIT_MS;
    while (!server.#stdout.includes('\n')) {
      if (server.#child.exitCode !== null) throw new Error(`the server ended at its start: ${server.stderr}`);
      if (Date.now() > until) {
        server.#child.kill('SIGKILL');
        throw new Error('the server was not ready in time');
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const value = (name: string): string => new RegExp(` ${name}=(\\S+)`).exec(server.#stdout)?.[1] ?? '';
    server.admin = value('admin');
    server.tcp = value('tcp');
    return server;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ends it, and tells how it ended. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | NodeJS.Signals | null> {
    this.#child.kill(signal);
    return this.#ended;
  }

  /** Flags by which a command finds it. */
  get api(): string[] {
    return ['--admin', `http://${this.admin}`, '--token-file', join(this.#dataDir, 'admin.token')];
  }

  async look(): Promise<Look> {
    const { pid } = this.#child;
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kilobytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
    const maps = readFileSync(`/proc/${pid}/maps`, 'utf8');
    const journal = join(this.#dataDir, 'journal');
    const open = descriptorsOf(pid!);
    const lanes = [...open, ...maps.split('\n')].flatMap((text) => /\/journal\/lane-.* \(deleted\)$/.exec(text) ?? []);
    return {
      anonBytes: kilobytes('RssAnon') * 1024,
      residentBytes: kilobytes('VmRSS') * 1024,
      files: filesByKind(open, this.#dataDir),
      goneFolders: new Set(lanes).size,
      journalFolders: readdirSync(journal).filter((name) => name.startsWith('lane-')).length,
      diskBytes: bytesByFolder(this.#dataDir),
      memory: memoryOf(await (await fetch(`http://${this.admin}/metrics`)).text()),
    };
  }
}

/** What each open descriptor leads to. One that is closed meanwhile is left out. */
function descriptorsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((name) => {
    try {
      return [readlinkSync(join(folder, name))];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return [];
    }
  });
}

function filesByKind(open: readonly string[], dataDir: string): Record<FileKind, number> {
  const files: Record<FileKind, number> = { journal: 0, data: 0, sockets: 0, others: 0 };
  for (const path of open) files[kindOf(path, dataDir)]++;
  return files;
}

function kindOf(path: string, dataDir: string): FileKind {
  if (path.startsWith(join(dataDir, 'journal/'))) return 'journal';
  if (path.startsWith(`${dataDir}/`)) return 'data';
  return path.startsWith('socket:') ? 'sockets' : 'others';
}

/** Files that lie in the directory itself count as `files`. */
function bytesByFolder(path: string): Record<string, number> {
  const bytes: Record<string, number> = { files: 0 };
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const one = join(path, entry.name);
    if (entry.isDirectory()) bytes[entry.name] = bytesOf(one);
    else if (entry.name !== 'ballast') bytes.files! += bytesOfFile(one);
  }
  return bytes;
}

/** `shard-0 heap` and the like. */
function memoryOf(metrics: string): Record<string, number> {
  const memory: Record<string, number> = {};
  const line = /^holdfast_thread_memory_bytes\{thread="([^"]+)",kind="([^"]+)"\} (\S+)$/gm;
  for (const [, thread, kind, bytes] of metrics.matchAll(line)) memory[`${thread} ${kind}`] = Number(bytes);
  return memory;
}

/** Bytes on the disk, holes not counted. A file or folder that goes meanwhile counts for nothing. */
function bytesOf(path: string): number {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return 0;
  let bytes = 0;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const one = join(path, entry.name);
    bytes += entry.isDirectory() ? bytesOf(one) : bytesOfFile(one);
  }
  return bytes;
}

const bytesOfFile = (path: string): number => (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
