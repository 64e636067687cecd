/**
 * Runs roles on real threads over shared memory until the time is over, one says what is wrong, or none makes progress any more.
 *
 * A lost wake-up does not show as an error: two threads sleep, each waiting for the other. So the watchdog counts what every role has
 * done; when nothing was done for a long time although nobody has stopped them, that is a finding.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import ts from 'typescript';
import { createSegmentBoard } from '#src/journal/segment-board.js';
import { createControlBlock } from '#src/ring/control-block.js';
import { createDirectory } from '#src/ring/directory.js';
import { createRing } from '#src/ring/ring.js';
import { createWake } from '#src/ring/wake.js';
import { built } from '../support/built.js';
import type { RoleData } from './roles.js';

const modulePaths = {
  ring: 'ring/ring.js',
  wake: 'ring/wake.js',
  directory: 'ring/directory.js',
  control: 'ring/control-block.js',
  board: 'journal/segment-board.js',
} as const;
export type ModuleName = keyof typeof modulePaths;

/** A change of a file: the text that is replaced must be there once. */
interface Edit {
  readonly replace: string;
  readonly by: string;
}

/** A defect that is put into a file. */
export interface Defect extends Edit {
  readonly module: ModuleName;
  /** What holds its window open, where that is at another place than the defect. */
  readonly window?: Edit;
}

export interface RoleSpec {
  readonly role: string;
  readonly buffers: Readonly<Record<string, SharedArrayBuffer>>;
  readonly options: Readonly<Record<string, number>>;
}

export interface StressResult {
  /** What is wrong; undefined when nothing is. */
  readonly wrong: string | undefined;
  /** What each role did. */
  readonly done: readonly number[];
}

export interface StressOptions {
  readonly ms: number;
  readonly seed: number;
  /** Without any progress for this long the roles hang. */
  readonly hangMs: number;
  readonly defect?: Defect;
}

/** The threads' code as JavaScript, and the file with the defect, in a folder that is removed afterwards. */
function prepare(folder: string, defect: Defect | undefined): { roles: string; modules: RoleData['modules'] } {
  const source = readFileSync(new URL('roles.ts', import.meta.url), 'utf8');
  const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext };
  const roles = join(folder, 'roles.mjs');
  writeFileSync(roles, ts.transpileModule(source, { compilerOptions }).outputText);
  const modules = Object.fromEntries(
    Object.entries(modulePaths).map(([name, path]) => [name, built(path)]),
  ) as RoleData['modules'];
  if (defect === undefined) return { roles, modules };
  let text = readFileSync(new URL(modules[defect.module]), 'utf8');
  for (const { replace, by } of defect.window === undefined ? [defect] : [defect, defect.window]) {
    const parts = text.split(replace);
    if (parts.length !== 2) throw new Error(`${defect.module} has ${parts.length - 1} times: ${replace}`);
    text = parts.join(by);
  }
  const file = join(folder, `${defect.module}.mjs`);
  const limits = built('limits.js');
  writeFileSync(file, text.replaceAll("'../limits.js'", `'${limits}'`));
  return { roles, modules: { ...modules, [defect.module]: pathToFileURL(file).href } };
}

export async function stress(specs: readonly RoleSpec[], options: StressOptions): Promise<StressResult> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-stress-'));
  const words = new SharedArrayBuffer((16 + 16 * specs.length) * 4);
  const view = new Int32Array(words);
  const done = (): number[] => specs.map((_, i) => Atomics.load(view, 16 + 16 * i) >>> 0);
  let wrong: string | undefined;
  let ended = 0;
  const { roles, modules } = prepare(folder, options.defect);
  const threads = specs.map((spec, index) => {
    const workerData: RoleData = { ...spec, modules, words, index, seed: options.seed * 31 + index };
    const thread = new Worker(pathToFileURL(roles), { workerData });
    thread.on('message', (message: { wrong?: string }) => {
      wrong ??= message.wrong;
      ended++;
    });
    thread.on('error', (error) => {
      wrong ??= String(error.stack);
      ended++;
    });
    return thread;
  });
  try {
    const hang = await watch(options, done, () => wrong !== undefined || ended === specs.length);
    wrong ??= hang;
  } finally {
    Atomics.store(view, 0, 1);
    // No store is open in these threads, so they may be ended by force: some of them sleep for ever by intention.
    await Promise.all(threads.map((thread) => thread.terminate()));
    rmSync(folder, { recursive: true });
  }
  return { wrong, done: done() };
}

/** Waits until the time is over or something is wrong; says so when no role makes progress. */
async function watch(
  { ms, hangMs }: StressOptions,
  done: () => number[],
  over: () => boolean,
): Promise<string | undefined> {
  const end = performance.now() + ms;
  let before = done().join();
  let since = performance.now();
  while (performance.now() < end && !over()) {
    await sleep(20);
    const now = done().join();
    if (now !== before) {
      before = now;
      since = performance.now();
    } else if (performance.now() - since > hangMs && !over()) return `no progress for ${hangMs} ms: done ${now}`;
  }
  return undefined;
}

/** A small ring, so that it is full and wraps all the time; the longest entry is half of it, above that one might never fit. */
const RING = 4096;
const MOST = RING / 2 - 64;

/** One fills, one empties, with and without wiping. */
export function floodScenario(wipe: boolean): RoleSpec[] {
  const buffers = { ring: createRing(RING), wake: createWake() };
  const options = { most: MOST, wipe: wipe ? 1 : 0 };
  return [
    { role: 'flood', buffers, options },
    { role: 'drain', buffers, options },
  ];
}

/** Clients that ask and wait, one thread that answers and waits: all of them sleep and wake all the time. */
export function askScenario(clients: number): RoleSpec[] {
  const threadWake = createWake();
  const options = { most: 200, clients };
  const pairs = Array.from({ length: clients }, () => ({
    requests: createRing(RING),
    replies: createRing(RING),
    clientWake: createWake(),
  }));
  const all = Object.fromEntries(
    pairs.flatMap((pair, i) => Object.entries(pair).map(([name, one]) => [`${name}${i}`, one] as const)),
  );
  return [
    ...pairs.map((pair) => ({ role: 'ask', buffers: { ...pair, threadWake }, options })),
    { role: 'answer', buffers: { ...all, threadWake }, options },
  ];
}

/** Two insert, two look up; the directory grows from its smallest level. */
export function directoryScenario(cards: number): RoleSpec[] {
  const buffers = {
    directory: createDirectory({ expected: 0, maximum: cards * 4 }),
    inserted: new SharedArrayBuffer(16 * 2 * 4),
  };
  const options = { cards, writers: 2 };
  return [0, 1].flatMap((who) => [
    { role: 'insert', buffers, options: { ...options, who } },
    { role: 'find', buffers, options },
  ]);
}

/** The watermark of a journal, and the stop words. */
export function boardScenario(): RoleSpec[] {
  const records = { board: createSegmentBoard(), journal: new SharedArrayBuffer(4 * 4_000_000) };
  const blocks = 64;
  const shared: Record<string, SharedArrayBuffer> = { statuses: new SharedArrayBuffer(4 * blocks) };
  for (let i = 0; i < blocks; i++) {
    shared[`control${i}`] = createControlBlock();
    shared[`board${i}`] = createSegmentBoard();
  }
  return [
    { role: 'commit', buffers: records, options: { shard: 3 } },
    { role: 'follow', buffers: records, options: { shard: 3 } },
    ...[0, 1].map((who) => ({ role: 'fail', buffers: shared, options: { who, blocks, rounds: blocks * 50 } })),
  ];
}
