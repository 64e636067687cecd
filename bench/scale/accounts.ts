/**
 * What one size costs: import through the API, memory and disk of each account, starts, and a load over all of its cards. Each in a
 * directory of its own.
 */
import { once } from 'node:events';
import { createWriteStream, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CREDIT_LIMIT } from '../../loadtest/admin.js';
import { ownCards } from '../../loadtest/cards.js';
import { type EngineProcess, runCommand } from '../engine-process.js';
import { loadRun, type RunFigures } from '../load-run.js';
import { LoadWatch, type LoadWindow } from './load-watch.js';
import {
  diskBytes,
  journalAlone,
  type Needs,
  type Stage,
  type StartFigures,
  startFigures,
  withEngine,
} from './stage.js';

export interface SizeOptions {
  readonly accounts: number;
  /** Of the load, per second; its length and that before it, whole seconds. */
  readonly rate: number;
  readonly loadSeconds: number;
  readonly warmupSeconds: number;
  /** Between a start or a load and the look at the memory. */
  readonly settleMs: number;
}

export interface SizeFigures {
  accounts: number;
  importSeconds: number;
  /** Anonymous resident memory: of an engine without accounts, with them after a restart, and after the load. */
  memory: { emptyBytes: number; loadedBytes: number; afterLoadBytes: number } | null;
  /** Blocks of the data directory after the import and a stop, less those of the empty directory. */
  diskBytes: number;
  /** Start of an engine without accounts. */
  empty: StartFigures;
  /** From the checkpoint. */
  restart: StartFigures;
  journalAlone: StartFigures;
  load: RunFigures;
  window: LoadWindow;
}

/** Cards of this seed: the load test finds them by it. */
const SEED = 1;
/** Cards that the engine has room for by itself. The load test sends the last rows again, which takes room for a moment. */
const CARDS_ROOM = 9_900_000;

/** What an account takes at most, generously: rows to import, journal with the pages that copying leaves, vault, state kept twice. */
const DISK_EACH = 3000;
/** Engine 350 bytes, after a replay with garbage twice that; load test 100 bytes. */
const MEMORY_EACH = 800;
const ROOM_BYTES = 2 * 2 ** 30;

export const needsOfAccounts = (accounts: number): Needs => ({
  diskBytes: accounts * DISK_EACH + ROOM_BYTES,
  memoryBytes: accounts * MEMORY_EACH + ROOM_BYTES / 2,
});

/** Microseconds per account on two cores: rows, import, checkpoint, three starts, and the load test's own tables. */
const ESTIMATE_EACH_US = 80;
const ESTIMATE_STARTS_SECONDS = 30;

/** How long a size takes about, seconds. */
export const secondsOfSize = ({ accounts, loadSeconds, warmupSeconds }: SizeOptions): number =>
  (accounts * ESTIMATE_EACH_US) / 1e6 + loadSeconds + warmupSeconds + ESTIMATE_STARTS_SECONDS;

export async function benchSize(stage: Stage, options: SizeOptions): Promise<SizeFigures> {
  const { accounts, settleMs } = options;
  const { folder, say } = stage;
  const dataDir = join(folder, 'data');
  const rows = join(folder, 'accounts.ndjson');
  const flags = accounts > CARDS_ROOM ? ['--cards-max', String(accounts + 1_000_000)] : [];
  say('rows');
  await writeRows(rows, accounts, stage.signal);
  const { empty, emptyBytes, importSeconds } = await withEngine(stage, dataDir, flags, async (engine) => {
    const first = startFigures(engine);
    await sleep(settleMs);
    const bytes = engine.residentBytes();
    say('import');
    const began = performance.now();
    await runCommand(['import', rows, ...adminFlags(engine, dataDir), '--json'], [0], stage.signal);
    return { empty: first, emptyBytes: bytes, importSeconds: (performance.now() - began) / 1000 };
  });
  rmSync(rows);
  const bytesOnDisk = diskBytes(dataDir) - (await emptyDiskBytes(stage, flags));
  say('start from the journal alone');
  const alone = await journalAlone(stage, dataDir, flags);
  say('start from the checkpoint, and load');
  return withEngine(stage, dataDir, flags, async (engine) => {
    const restart = startFigures(engine);
    await sleep(settleMs);
    const loadedBytes = engine.residentBytes();
    const { load, window } = await steadyLoad(stage, engine, dataDir, options);
    await sleep(settleMs);
    const afterLoadBytes = engine.residentBytes();
    const memory =
      emptyBytes === undefined || loadedBytes === undefined || afterLoadBytes === undefined
        ? null
        : { emptyBytes, loadedBytes, afterLoadBytes };
    return {
      ...{ accounts, importSeconds, memory, diskBytes: bytesOnDisk, empty, restart, journalAlone: alone },
      ...{ load, window },
    };
  });
}

/** Open loop over all cards, each as likely. */
async function steadyLoad(
  stage: Stage,
  engine: EngineProcess,
  dataDir: string,
  { accounts, rate, loadSeconds, warmupSeconds }: SizeOptions,
): Promise<{ load: RunFigures; window: LoadWindow }> {
  const loop = ['-R', String(rate), '-c', '16', '-d', `${loadSeconds}s`, '--warmup', `${warmupSeconds}s`];
  const cards = ['--mix', 'auth:100', '--seed', String(SEED), '--accounts', String(accounts), '--verify'];
  const watch = await LoadWatch.begin(engine);
  try {
    const target = `iso8583+tcp://${engine.tcp}`;
    const load = await loadRun([target, ...loop, ...cards, ...adminFlags(engine, dataDir)], stage.signal);
    return { load, window: await watch.end() };
  } finally {
    watch.cancel();
  }
}

export const adminFlags = (engine: EngineProcess, dataDir: string): string[] => [
  ...['--admin', `http://${engine.admin}`],
  ...['--token-file', join(dataDir, 'admin.token')],
];

/** What a directory takes before it has anything. */
async function emptyDiskBytes(stage: Stage, flags: readonly string[]): Promise<number> {
  const dataDir = join(stage.folder, 'empty');
  await withEngine(stage, dataDir, flags, async () => undefined);
  const bytes = diskBytes(dataDir);
  rmSync(dataDir, { recursive: true });
  return bytes;
}

/** The cards of the load test, as rows of `holdfast import`. */
async function writeRows(file: string, count: number, signal: AbortSignal): Promise<void> {
  const cards = ownCards(SEED, count);
  const out = createWriteStream(file);
  for (let i = 0; i < count; i++) {
    const account = { id: cards.account(i), currency: 'BRL', credit_limit: CREDIT_LIMIT, type: 'credit' };
    const card = { pan: cards.pan(i), expiry: cards.expiry, status: 'active' };
    if (!out.write(`${JSON.stringify({ account, card })}\n`)) await once(out, 'drain', { signal });
  }
  out.end();
  await once(out, 'finish', { signal });
}
