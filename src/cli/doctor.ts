/**
 * `holdfast doctor`: what on this machine decides whether the engine runs and how fast: Node, the C library, the WebSocket
 * add-on, file limit, clocks, and the disk under the data directory. Every check is bounded; the disk check writes at most
 * 200 blocks of 4 KiB for at most 3 s into one file that it removes.
 */

import { spawnSync } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { monotonicUs } from '../clock.js';
import { ExitStatus, HoldfastError } from '../errors.js';
import { FILES_RESERVED_MAX, LINK_CONNECTIONS_DEFAULT } from '../limits.js';
import { directoryPaths } from '../store/data-directory.js';
import { keyFileFacts, rotatedUsages } from '../vault/keys.js';
import { rotationProgress } from '../vault/pan-vault.js';
import { newCommand, type Run, setAction } from './command.js';
import { devices } from './doctor-devices.js';
import type { HsmDevices } from './hsm-addresses.js';
import { hsmDevicesIn, hsmOptions } from './hsm-options.js';
import { keyFileOf } from './kek-source.js';
import { rotationsOf } from './keys.js';
import { openFilesLimit, reportFacts, socketsAllowed } from './open-files.js';
import { newestPrograms } from './program-records.js';
import { paint, type Terminal } from './terminal.js';

export interface Finding {
  check: string;
  verdict: 'ok' | 'warning' | 'fail';
  text: string;
  /** Measured values for --json. */
  values: Record<string, string | number | boolean | null>;
}

const NODE_MIN: readonly [number, number] = [20, 19];
/** The connections of one listener, and what the engine needs itself. */
const OPEN_FILES_WANTED = LINK_CONNECTIONS_DEFAULT + FILES_RESERVED_MAX;
/** A commit waits for two flushes; at 5 ms each an answer needs more than 10 ms. */
const FLUSH_P99_WANTED_US = 5000;
const DISK_SAMPLES = 200;
const DISK_BUDGET_MS = 3000;
const BLOCK_BYTES = 4096;

export function addDoctor(program: Command, run: Run): void {
  const command = newCommand(
    program,
    'doctor',
    'check Node, add-ons, limits, clocks, keys and the disk of the data directory',
    [
      'doctor',
      'doctor --data-dir /var/lib/holdfast --json',
      'doctor --hsm 10.0.0.11:1500 --hsm-keys /etc/holdfast/hsm-keys.json',
    ],
  )
    .option('--data-dir <path>', 'directory whose disk is measured', './data')
    .option('--key-file <path>', 'keys of the vault (<data-dir>.keys)')
    .option('--json', 'one JSON object');
  hsmOptions(command);
  setAction(command, run, async (options) => {
    const { dataDir, keyFile } = options as { dataDir: string; keyFile?: string };
    const hsm = hsmDevicesIn(options);
    const findings = await examine(dataDir, keyFile ?? keyFileOf(dataDir));
    if (hsm !== undefined) findings.push(...(await deviceFindings(hsm, dataDir)));
    const failed = findings.some(({ verdict }) => verdict === 'fail');
    if (options.json === true) run.terminal.out(JSON.stringify({ ok: !failed, findings }, null, 2));
    else for (const finding of findings) run.terminal.out(line(finding, run.terminal));
    return failed ? ExitStatus.unavailable : ExitStatus.ok;
  });
}

/** What devices say, of the keys that the programs of the data directory name as well, where there is one. */
async function deviceFindings(hsm: HsmDevices, dataDir: string): Promise<Finding[]> {
  const { system } = directoryPaths(dataDir);
  try {
    return await devices(hsm, existsSync(join(system, 'data.mdb')) ? await newestPrograms(system) : []);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const text = `the programs of ${dataDir} cannot be read: ${error.message}. ${error.next}`;
    return [{ check: 'hsm', verdict: 'fail', text, values: { device: null } }];
  }
}

const colours = { ok: 'green', warning: 'yellow', fail: 'red' } as const;

function line({ check, verdict, text }: Finding, terminal: Terminal): string {
  return `${paint(terminal, colours[verdict], verdict.padEnd(7))}  ${check.padEnd(10)}  ${text}`;
}

export async function examine(dataDir: string, keyFile: string): Promise<Finding[]> {
  return [
    nodeVersion(process.versions.node),
    cLibrary(),
    webSocketAdapter(),
    openFiles(),
    await clocks(),
    clockSource(),
    keys(keyFile),
    ...(await rotations(dataDir, keyFile)),
    freeSpace(dataDir),
    disk(dataDir),
  ];
}

export function nodeVersion(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor, wantedMinor] = NODE_MIN;
  const fits = major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
  const abi = process.versions.modules;
  const text = fits ? `${version} (abi ${abi})` : `${version}: needs ${wantedMajor}.${wantedMinor} or newer`;
  return { check: 'node', verdict: fits ? 'ok' : 'fail', text, values: { version, abi: Number(abi) } };
}

function cLibrary(): Finding {
  const glibc = reportFacts().header.glibcVersionRuntime ?? null;
  const text = glibc === null ? 'not glibc: prebuilt add-ons may be missing' : `glibc ${glibc}`;
  return { check: 'libc', verdict: glibc === null ? 'warning' : 'ok', text, values: { glibc } };
}

/** Loads the add-on in a child process, so a broken binary cannot take this one down. */
function webSocketAdapter(): Finding {
  let url: string;
  try {
    url = import.meta.resolve('uWebSockets.js');
  } catch {
    return { check: 'uws', verdict: 'warning', text: 'not installed; ws serves instead', values: { loads: false } };
  }
  const script = `import(${JSON.stringify(url)}).then((m) => process.exit(typeof (m.App ?? m.default?.App) === 'function' ? 0 : 1), (e) => { console.error(e.message); process.exit(1); })`;
  const child = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 10_000 });
  const loads = child.status === 0;
  const reason = child.stderr.split('\n').find((text) => text.trim() !== '') ?? `status ${child.status}`;
  const text = loads ? 'uWebSockets.js loads' : `uWebSockets.js does not load (${reason}); ws serves instead`;
  return { check: 'uws', verdict: loads ? 'ok' : 'warning', text, values: { loads } };
}

function openFiles(): Finding {
  const open = openFilesLimit();
  const enough = open !== undefined && open >= OPEN_FILES_WANTED;
  const sockets = socketsAllowed(open);
  const has = `${open ?? 'unknown'} open files, ${sockets} of them for connections`;
  const text = enough ? has : `${has}; want ${OPEN_FILES_WANTED}: raise the hard limit (ulimit -Hn, LimitNOFILE)`;
  const value = (count: number | undefined): number | null =>
    count === undefined ? null : Math.min(count, Number.MAX_SAFE_INTEGER);
  const values = { open_files: value(open), connections: value(open === undefined ? undefined : sockets) };
  return { check: 'ulimit', verdict: enough ? 'ok' : 'warning', text, values };
}

/** Wall and monotonic clock side by side for a quarter of a second. */
async function clocks(): Promise<Finding> {
  const wall = Date.now();
  const steady = performance.now();
  await sleep(250);
  const driftMs = Date.now() - wall - (performance.now() - steady);
  const year = new Date().getUTCFullYear();
  const values = { utc: new Date().toISOString(), drift_ms: Math.round(driftMs * 100) / 100 };
  if (year < 2025) return { check: 'clock', verdict: 'fail', text: `wall clock says ${values.utc}: set it`, values };
  // Date.now() has whole milliseconds: up to 2 ms of difference is rounding.
  const steadyWith = Math.abs(driftMs) <= 5;
  const text = `${values.utc}, wall against monotonic ${values.drift_ms} ms in 250 ms`;
  return { check: 'clock', verdict: steadyWith ? 'ok' : 'warning', text, values };
}

function clockSource(): Finding {
  let source: string | null = null;
  try {
    source = readFileSync('/sys/devices/system/clocksource/clocksource0/current_clocksource', 'utf8').trim();
  } catch {
    // Not Linux, or /sys is hidden: the cost below still tells.
  }
  const calls = 20_000;
  const start = performance.now();
  for (let i = 0; i < calls; i++) monotonicUs();
  const ns = Math.round(((performance.now() - start) / calls) * 1e6);
  const text = `${source ?? 'source unknown'}, ${ns} ns per reading${ns > 1000 ? ' (slow: choose tsc or kvm-clock)' : ''}`;
  return { check: 'clocksrc', verdict: ns > 1000 ? 'warning' : 'ok', text, values: { source, ns_per_call: ns } };
}

/** What the key file says of itself; none of its keys is opened. */
export function keys(path: string): Finding {
  if (!existsSync(path))
    return { check: 'keys', verdict: 'ok', text: `no key file ${path} yet`, values: { file: null } };
  try {
    const { fileId, kek, keys: entries } = keyFileFacts(path);
    const retired = entries.filter(({ state }) => state === 'retired').length;
    const values = { file: fileId, kek: kek ?? null, keys: entries.length, retired };
    const more = retired === 0 ? '' : `, ${retired} retired`;
    return kek === undefined
      ? { check: 'keys', verdict: 'warning', text: `${fileId} holds its keys as they are: holdfast keys wrap`, values }
      : { check: 'keys', verdict: 'ok', text: `${fileId} is wrapped by the key ${kek}${more}`, values };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return { check: 'keys', verdict: 'fail', text: `${error.message}. ${error.next}`, values: { file: null } };
  }
}

/**
 * Rotations of the vault that are not done, and whether the key file has their keys; nothing when all are done. A server that runs goes
 * on with them.
 */
export async function rotations(dataDir: string, keyFile: string): Promise<Finding[]> {
  const newest = await rotationsOf(dataDir);
  const held = existsSync(keyFile) ? keyIdsOf(keyFile) : undefined;
  return rotatedUsages.flatMap((usage): Finding[] => {
    const rotation = newest[usage];
    if (rotation === undefined) return [];
    const { key } = rotation;
    const progress = rotationProgress(rotation);
    const values = { usage, key, progress };
    if (held !== undefined && !held.has(key)) {
      const text = `rows are under ${usage} key ${key}, which ${keyFile} does not hold: it is a copy of the time before. Name the key file as the rotation left it`;
      return [{ check: 'rotation', verdict: 'fail', text, values }];
    }
    const text = `the ${usage} key is rotated, ${Math.floor(progress * 100)} % done: a server goes on with it. Keep every key of the file`;
    return progress < 1 ? [{ check: 'rotation', verdict: 'warning', text, values }] : [];
  });
}

/** Undefined when the file cannot be read, which `keys` tells. */
function keyIdsOf(keyFile: string): ReadonlySet<string> | undefined {
  try {
    return new Set(keyFileFacts(keyFile).keys.map(({ id }) => id));
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return undefined;
  }
}

/** The directory itself or its nearest parent that exists. */
function existingPlace(path: string): string {
  let place = resolve(path);
  while (statSync(place, { throwIfNoEntry: false }) === undefined) place = dirname(place);
  return place;
}

function freeSpace(dataDir: string): Finding {
  const { bavail, bsize } = statfsSync(existingPlace(dataDir));
  const bytes = bavail * bsize;
  const gib = (bytes / 2 ** 30).toFixed(1);
  const low = bytes < 2 ** 30;
  return { check: 'space', verdict: low ? 'warning' : 'ok', text: `${gib} GiB free`, values: { free_bytes: bytes } };
}

/** Writes and flushes blocks as a journal commit does. */
export function disk(dataDir: string): Finding {
  const place = existingPlace(dataDir);
  const file = join(place, `.holdfast-doctor-${process.pid}`);
  const values: Finding['values'] = { directory: place };
  let fd: number;
  try {
    accessSync(place, constants.W_OK);
    fd = openSync(file, 'wx', 0o600);
  } catch (error) {
    const text = `${place} is not writable: ${(error as NodeJS.ErrnoException).code}`;
    return { check: 'disk', verdict: 'fail', text, values };
  }
  try {
    const samples = flushTimes(fd);
    const p50 = Math.round(samples[Math.floor(samples.length * 0.5)]!);
    const p99 = Math.round(samples[Math.min(samples.length - 1, Math.floor(samples.length * 0.99))]!);
    Object.assign(values, { samples: samples.length, fdatasync_p50_us: p50, fdatasync_p99_us: p99 });
    const text = `fdatasync p50 ${p50} us, p99 ${p99} us over ${samples.length} blocks of 4 KiB in ${place}`;
    return { check: 'disk', verdict: p99 > FLUSH_P99_WANTED_US ? 'warning' : 'ok', text, values };
  } catch (error) {
    return { check: 'disk', verdict: 'fail', text: `${place}: ${(error as Error).message}`, values };
  } finally {
    closeSync(fd);
    rmSync(file, { force: true });
  }
}

/** Sorted times of write + fdatasync, us. The block is rewritten in place, as the pages of a journal mostly are. */
function flushTimes(fd: number): number[] {
  const block = Buffer.alloc(BLOCK_BYTES);
  const samples: number[] = [];
  const begin = monotonicUs();
  for (let i = 0; i < DISK_SAMPLES && monotonicUs() - begin < DISK_BUDGET_MS * 1000; i++) {
    block.writeUInt32LE(i, 0);
    const start = monotonicUs();
    writeSync(fd, block, 0, BLOCK_BYTES, (i % 64) * BLOCK_BYTES);
    fdatasyncSync(fd);
    samples.push(monotonicUs() - start);
  }
  return samples.sort((a, b) => a - b);
}
