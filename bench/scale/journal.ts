/** A journal that grows: at some points on the way, how it commits, comes back after a kill, verifies, and how its index follows. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EngineProcess, runCommand } from '../engine-process.js';
import { loadRun, type RunFigures } from '../load-run.js';
import { adminFlags } from './accounts.js';
import { LoadWatch, type LoadWindow, look, searchLag } from './load-watch.js';
import {
  diskBytes,
  journalAlone,
  type Needs,
  type Stage,
  type StartFigures,
  startEngine,
  startFigures,
  withEngine,
} from './stage.js';

export interface GrowthOptions {
  /** Records of the points, rising. */
  readonly points: readonly number[];
  readonly accounts: number;
  /** Length of the load up to a point at most, whole seconds: a slow machine ends earlier, with fewer records. */
  readonly loadSecondsMax: number;
}

export interface PointFigures {
  /** Records wanted, and there. */
  wanted: number;
  records: number;
  load: RunFigures;
  /** Of the load that led to this point. */
  window: LoadWindow;
  /** Start after the engine was killed behind the load: from the checkpoint as far as it had come. */
  recovery: StartFigures;
  /** Until the index had all records again, after that start, seconds. Null: longer than was waited for. */
  catchUpSeconds: number | null;
  journalAlone: StartFigures;
  verifySeconds: number;
  diskBytes: number;
}

/** Half of the purchases and more are reversed at once: holds stay fewer than records, as over weeks of traffic. */
const MIX = 'auth:52,reversal:48';
const CATCH_UP_SECONDS_MAX = 120;
const CATCH_UP_LOOK_MS = 200;

/** Journal 270 bytes, and as much again for pages that copying leaves, segments, checkpoint kept twice. */
const DISK_EACH = 900;
/** Open holds and the index of recent messages. */
const MEMORY_EACH = 60;
const ROOM_BYTES = 2 * 2 ** 30;

export const needsOfRecords = (records: number): Needs => ({
  diskBytes: records * DISK_EACH + ROOM_BYTES,
  memoryBytes: records * MEMORY_EACH + ROOM_BYTES,
});

/** Microseconds per record on two cores: load once, and at each point replay and verification of everything before it. */
const LOAD_EACH_US = 25;
const READ_EACH_US = 20;
const ESTIMATE_POINT_SECONDS = 40;

/** How long the growth takes about, seconds. */
export const secondsOfGrowth = ({ points }: GrowthOptions): number =>
  ((points.at(-1) ?? 0) * LOAD_EACH_US + points.reduce((sum, one) => sum + one, 0) * READ_EACH_US) / 1e6 +
  points.length * ESTIMATE_POINT_SECONDS;

/** @param reached is told each point as soon as it is measured */
export async function benchGrowth(
  stage: Stage,
  options: GrowthOptions,
  reached: (figures: PointFigures) => void,
): Promise<void> {
  const dataDir = join(stage.folder, 'data');
  let records = 0;
  for (const wanted of options.points) {
    stage.say(`growth to ${wanted.toLocaleString('en-US')} records`);
    const { point, loadSeconds } = await growTo(stage, dataDir, options, wanted, records);
    reached(point);
    records = point.records;
    // The next one would take the time again without coming nearer. Fewer records in less time: some messages were shed.
    if (loadSeconds >= options.loadSecondsMax && records < wanted)
      throw new Error(`${records} of ${wanted} records in the ${options.loadSecondsMax} s that the load may take`);
  }
}

async function growTo(
  stage: Stage,
  dataDir: string,
  options: GrowthOptions,
  wanted: number,
  records: number,
): Promise<{ point: PointFigures; loadSeconds: number }> {
  const { say } = stage;
  const grown = await startEngine(stage, dataDir);
  let loaded: { load: RunFigures; window: LoadWindow };
  const loadFrom = performance.now();
  try {
    loaded = await grow(stage, grown, dataDir, options, Math.max(1, wanted - records));
  } finally {
    await grown.kill();
  }
  const loadSeconds = (performance.now() - loadFrom) / 1000;
  say('recovery');
  const { recovery, catchUpSeconds } = await withEngine(stage, dataDir, [], async (engine) => ({
    recovery: startFigures(engine),
    catchUpSeconds: await catchUp(engine),
  }));
  say('start from the journal alone');
  const alone = await journalAlone(stage, dataDir, []);
  say('verification');
  const began = performance.now();
  const report = await runCommand(['verify', '--data-dir', dataDir, '--json'], [0], stage.signal);
  const point: PointFigures = {
    wanted,
    records: (JSON.parse(report) as { records: number }).records,
    ...loaded,
    ...{ recovery, catchUpSeconds, journalAlone: alone },
    verifySeconds: (performance.now() - began) / 1000,
    diskBytes: diskBytes(dataDir),
  };
  return { point, loadSeconds };
}

/** Closed loop for so many messages, one record each. */
async function grow(
  stage: Stage,
  engine: EngineProcess,
  dataDir: string,
  { accounts, loadSecondsMax }: GrowthOptions,
  messages: number,
): Promise<{ load: RunFigures; window: LoadWindow }> {
  const loop = ['--closed', '-c', '16', '-p', '128', '-n', String(messages), '-d', `${loadSecondsMax}s`, '--mix', MIX];
  const target = `iso8583+tcp://${engine.tcp}`;
  const own = ['--accounts', String(accounts), ...adminFlags(engine, dataDir)];
  // Makes the accounts, so that their records are not taken for the load's.
  await loadRun([target, '-R', '100', '-d', '1s', ...own], stage.signal);
  const watch = await LoadWatch.begin(engine);
  try {
    const load = await loadRun([target, ...loop, ...own, '--verify'], stage.signal);
    return { load, window: await watch.end() };
  } finally {
    watch.cancel();
  }
}

async function catchUp(engine: EngineProcess): Promise<number | null> {
  const began = performance.now();
  for (;;) {
    const isEven = searchLag(await look(engine)) === 0;
    const seconds = (performance.now() - began) / 1000;
    if (isEven) return seconds;
    if (seconds > CATCH_UP_SECONDS_MAX) return null;
    await sleep(CATCH_UP_LOOK_MS);
  }
}
