/**
 * The lock of a data directory: a listening Unix socket at `<directory>/lock`. The kernel closes it with the process, so a
 * lock left by `kill -9` is recognized by a refused connect, and the holder can say who it is.
 *
 * Taking it, so that two starters at the same moment cannot both win:
 *
 *   1. bind and listen under a name of our own          lock.<pid>.<random>
 *   2. link(own name, `lock`)                            atomic: only one link succeeds
 *   3. when `lock` exists: connect. Answered -> held. Refused -> stale:
 *      rename(`lock`, own stale name), which again only one starter can do; connect once more to what was moved:
 *      still refused -> remove it and go to 2; answered -> it was a fresh lock of a faster starter: link it back, held.
 *   4. after a short pause look whether `lock` still is our socket: covers the case that step 3 of a slow third starter
 *      moved it away.
 *
 * A socket path is limited to about 107 bytes. On Linux the directory is named through /proc/self/fd, which is short
 * whatever the directory is called.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, linkSync, lstatSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join, relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from '../errors.js';

/** Name of the lock in its directory; names of starters begin with it and a dot. */
export const LOCK_NAME = 'lock';
const PATH_BYTES_MAX = 100;
const ATTEMPTS = 20;
const CONNECT_MS = 1000;
const SETTLE_MS = 25;
const LEFTOVER_MS = 60_000;

export interface DirectoryLock {
  release(): Promise<void>;
}

type Probe = { state: 'free' } | { state: 'stale' } | { state: 'held'; holder: string };

/** Takes the lock or throws `data_dir_locked` (another process has it) or `data_dir_unusable` (no sockets or links there). */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  let handle: number;
  try {
    handle = openSync(directory, 'r');
  } catch (error) {
    throw cannotLock(directory, error);
  }
  const base = process.platform === 'linux' ? `/proc/self/fd/${handle}` : shortest(directory);
  const own = `${LOCK_NAME}.${process.pid}.${randomBytes(6).toString('hex')}`;
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(`process ${process.pid}`);
  });
  const abandon = async (): Promise<void> => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(join(directory, own), { force: true });
    closeSync(handle);
  };
  try {
    await listen(server, `${base}/${own}`);
    const inode = lstatSync(join(directory, own)).ino;
    await take(directory, base, own, inode);
    rmSync(join(directory, own));
    removeLeftovers(directory);
    server.unref();
    return { release: () => release(directory, server, inode, handle) };
  } catch (error) {
    await abandon();
    if (error instanceof HoldfastError) throw error;
    throw cannotLock(directory, error);
  }
}

function cannotLock(directory: string, error: unknown): HoldfastError {
  return new HoldfastError(
    'data_dir_unusable',
    `cannot lock ${directory}: ${(error as Error).message}`,
    'the directory must be writable and on a local file system that has Unix sockets and hard links',
    { cause: error },
  );
}

async function take(directory: string, base: string, own: string, inode: number): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (link(join(directory, own), join(directory, LOCK_NAME))) {
      await pause(SETTLE_MS);
      if (inodeOf(join(directory, LOCK_NAME)) === inode) return;
      continue;
    }
    const probe = await knock(`${base}/${LOCK_NAME}`);
    if (probe.state === 'held') throw held(directory, probe.holder);
    if (probe.state === 'free') continue;
    const moved = `${own}.stale`;
    if (!rename(join(directory, LOCK_NAME), join(directory, moved))) continue;
    const again = await knock(`${base}/${moved}`);
    if (again.state === 'held') link(join(directory, moved), join(directory, LOCK_NAME));
    rmSync(join(directory, moved), { force: true });
    if (again.state === 'held') throw held(directory, again.holder);
  }
  throw held(directory, 'other starting processes');
}

async function release(directory: string, server: Server, inode: number, handle: number): Promise<void> {
  try {
    if (inodeOf(join(directory, LOCK_NAME)) === inode) rmSync(join(directory, LOCK_NAME), { force: true });
  } catch {
    // A disk that has become read-only keeps the name. Nobody listens behind it any more: it holds nobody up.
  }
  await new Promise((resolve) => server.close(resolve));
  closeSync(handle);
}

function held(directory: string, holder: string): HoldfastError {
  return new HoldfastError(
    'data_dir_locked',
    `the data directory ${directory} is in use by ${holder}`,
    'stop that server first, or name another directory with --data-dir',
  );
}

function shortest(directory: string): string {
  const fromHere = relative(process.cwd(), directory) || '.';
  const path = fromHere.length < directory.length ? fromHere : directory;
  if (Buffer.byteLength(path) + 40 > PATH_BYTES_MAX)
    throw new HoldfastError(
      'data_dir_unusable',
      `the path of the data directory is too long for a Unix socket: ${directory}`,
      'start from inside the directory or choose a shorter path',
    );
  return path;
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Asks the socket at `path` who holds it. No answer in time counts as held: a busy server is still a server. */
function knock(path: string): Promise<Probe> {
  return new Promise((resolve, reject) => {
    let said = '';
    const socket = connect({ path });
    const done = (probe: Probe): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(probe);
    };
    const timer = setTimeout(() => done({ state: 'held', holder: 'a process that does not answer' }), CONNECT_MS);
    socket.on('data', (bytes) => {
      said += bytes.toString('latin1');
    });
    socket.on('end', () => done({ state: 'held', holder: said || 'another process' }));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOTSOCK') done({ state: 'stale' });
      else if (error.code === 'ENOENT') done({ state: 'free' });
      else if (error.code === 'ECONNRESET' || error.code === 'EPIPE')
        done({ state: 'held', holder: 'another process' });
      else {
        clearTimeout(timer);
        socket.destroy();
        reject(error);
      }
    });
  });
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function rename(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function inodeOf(path: string): number | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.ino;
}

/** Removes sockets of starters that were killed between their steps. */
function removeLeftovers(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(`${LOCK_NAME}.`)) continue;
    const path = join(directory, name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isSocket() && Date.now() - stat.ctimeMs > LEFTOVER_MS) rmSync(path, { force: true });
  }
}
