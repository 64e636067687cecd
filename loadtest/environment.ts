/** Where a run took place: a figure without its conditions is no figure. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, networkInterfaces, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Target } from './arguments.js';

export interface Environment {
  readonly git_sha: string | null;
  /** True when the working tree has changes that no commit holds; null when unknown. */
  readonly git_dirty: boolean | null;
  readonly version: string | null;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memory_mb: number;
  readonly os: string;
  /** Client and server share this machine, and so its cores. */
  readonly same_host: boolean;
  /** The disk of the engine's data directory, when it is on this machine: what one flush costs there, whoever asks. */
  readonly disk: Disk | null;
  /** What the server's /version says; null when it was not asked or did not answer. */
  readonly engine: Record<string, unknown> | null;
}

/** The package's folder: the nearest one above this file with a package.json. */
function packageRoot(): string | undefined {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    const parent = dirname(folder);
    if (parent === folder) return undefined;
    folder = parent;
  }
}

function git(root: string, ...args: string[]): string | undefined {
  try {
    return execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined; // no git or no repository: the sha is then null
  }
}

/** True when the host name or address is one of this machine's. */
function isLocal(host: string): boolean {
  if (host === 'localhost' || host.startsWith('127.') || host === '::1') return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((one) => one.address === host));
}

export interface Disk {
  readonly directory: string;
  readonly fdatasync_p50_us: number;
  readonly fdatasync_p99_us: number;
}

/** Measures the disk under a data directory as `holdfast doctor` does; null when `directory` is not one of this machine. */
export async function measureDisk(directory: string): Promise<Disk | null> {
  if (!existsSync(join(directory, 'holdfast.json'))) return null;
  const { disk } = await import('#src/cli/doctor.js');
  const { fdatasync_p50_us: p50, fdatasync_p99_us: p99 } = disk(directory).values;
  return typeof p50 === 'number' && typeof p99 === 'number'
    ? { directory, fdatasync_p50_us: p50, fdatasync_p99_us: p99 }
    : null;
}

type Client = Omit<Environment, 'same_host' | 'engine' | 'disk'>;
let known: Client | undefined;

/** What does not change while the process lives; asked for once, because git takes some 50 ms. */
function client(): Client {
  if (known !== undefined) return known;
  const root = packageRoot();
  const status = root === undefined ? undefined : git(root, 'status', '--porcelain');
  const own =
    root === undefined
      ? undefined
      : (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version?: string });
  known = {
    git_sha: (root === undefined ? undefined : git(root, 'rev-parse', '--short=12', 'HEAD')) ?? null,
    git_dirty: status === undefined ? null : status !== '',
    version: own?.version ?? null,
    node: process.version,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory_mb: Math.round(totalmem() / 1_048_576),
    os: `${process.platform} ${release()}`,
  };
  return known;
}

export function environment(
  target: Target,
  engine: Record<string, unknown> | undefined,
  disk: Disk | null,
): Environment {
  return { ...client(), same_host: isLocal(target.host), disk, engine: engine ?? null };
}
