/** What the parts of the scale benchmark share: servers and commands under a time limit, the disk, and restarts. */
import { readdirSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { EngineProcess } from '../engine-process.js';

/** One part under way. */
export interface Stage {
  /** Folder of its own, on the disk that is measured. */
  readonly folder: string;
  /** Kills what was started: the time is over, or the benchmark was interrupted. */
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/** A start of the engine. */
export interface StartFigures {
  readyMs: number;
  /** Records replayed. */
  records: number;
  /** CPU of the process until it was ready, seconds; null without /proc. */
  cpuSeconds: number | null;
}

/** Records may wait, and so may the last round of the checkpoint: a stop takes as long as it needs. */
const FLAGS = ['--stop-limit-ms', '600000'];

export const startEngine = (stage: Stage, dataDir: string, ...flags: string[]): Promise<EngineProcess> =>
  EngineProcess.startUntil(stage.signal, dataDir, ...FLAGS, ...flags);

export function startFigures(engine: EngineProcess): StartFigures {
  return { readyMs: engine.readyMs, records: engine.recovered, cpuSeconds: engine.cpuSeconds() ?? null };
}

/** Stops the engine. @throws Error when it ends with another status than 0 */
export async function stopEngine(engine: EngineProcess): Promise<void> {
  const status = await engine.stop();
  if (status !== 0) throw new Error(`the server ended with status ${status}`);
}

/** Runs `work` with a server on the directory; afterwards the server is stopped, or killed when the work failed. */
export async function withEngine<T>(
  stage: Stage,
  dataDir: string,
  flags: readonly string[],
  work: (engine: EngineProcess) => Promise<T>,
): Promise<T> {
  const engine = await startEngine(stage, dataDir, ...flags);
  let result: T;
  try {
    result = await work(engine);
  } catch (error) {
    await engine.kill();
    throw error;
  }
  await stopEngine(engine);
  return result;
}

/** A start without the checkpoint, which lies beside the directory meanwhile and is put back: the next start is a usual one. */
export async function journalAlone(stage: Stage, dataDir: string, flags: readonly string[]): Promise<StartFigures> {
  const [state, kept] = [join(dataDir, 'state'), `${dataDir}-state`];
  renameSync(state, kept);
  const engine = await startEngine(stage, dataDir, ...flags);
  const figures = startFigures(engine);
  // Nothing was asked of it: what it writes is the checkpoint that goes away.
  await engine.kill();
  rmSync(state, { recursive: true, force: true });
  renameSync(kept, state);
  return figures;
}

/** Bytes on the disk: blocks that are taken, not lengths, because the stores' files have holes. */
export function diskBytes(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true }))
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).blocks * 512;
  return bytes;
}

export interface Needs {
  readonly diskBytes: number;
  readonly memoryBytes: number;
}

/** Why it does not fit on this machine now, or undefined. @param folder whose disk counts */
export function lackOf(needs: Needs, folder: string): string | undefined {
  const { bavail, bsize } = statfsSync(folder);
  return lackIn(needs, { diskBytes: bavail * bsize, memoryBytes: freemem() });
}

/** The same for what is free. */
export function lackIn(needs: Needs, free: Needs): string | undefined {
  const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  const lack = (what: string, need: number, have: number): string[] =>
    need <= have ? [] : [`${what}: ${gib(need)} needed, ${gib(have)} free`];
  const lacks = [
    ...lack('disk', needs.diskBytes, free.diskBytes),
    ...lack('memory', needs.memoryBytes, free.memoryBytes),
  ];
  return lacks.length === 0 ? undefined : lacks.join('; ');
}
