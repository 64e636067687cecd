/**
 * How each cost grows: with accounts, with the journal, with shard threads. Made for an unattended run of hours: each step has a time
 * limit, what does not fit or fails is told and left out, what was measured before is kept, files are removed whatever ends it.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { benchSize, needsOfAccounts, type SizeFigures, type SizeOptions, secondsOfSize } from './scale/accounts.js';
import {
  benchGrowth,
  type GrowthOptions,
  needsOfRecords,
  type PointFigures,
  secondsOfGrowth,
} from './scale/journal.js';
import { lackOf, type Needs, type Stage } from './scale/stage.js';
import { benchThreads, type ThreadsFigures } from './scale/threads.js';
import { inTemporaryFolder } from './temporary-folder.js';

export const scaleParts = ['accounts', 'journal', 'shards'] as const;
export type ScalePart = (typeof scaleParts)[number];

export interface ScaleOptions {
  /** Folder for the data directories: the disk that is measured. */
  folder: string;
  parts: readonly ScalePart[];
  /** Numbers of accounts, rising. */
  accounts: readonly number[];
  /** Records of the grown journal. */
  records: number;
  quick: boolean;
  say: (text: string) => void;
  /** Is told what there is after each step. */
  save: (figures: ScaleFigures) => void;
}

/** A step that has no figures: it did not fit, took too long, or failed. */
export interface Missing {
  /** Its number of accounts, records, or threads. */
  what: number;
  why: string;
}

export interface ScaleFigures {
  accounts?: {
    planned: readonly number[];
    rate: number;
    loadSeconds: number;
    sizes: SizeFigures[];
    missing: Missing[];
  };
  journal?: { planned: readonly number[]; accounts: number; points: PointFigures[]; missing: Missing[] };
  shards?: { planned: readonly number[]; loadSeconds: number; runs: ThreadsFigures[]; missing: Missing[] };
}

export const FULL_ACCOUNTS: readonly number[] = [10_000, 100_000, 1_000_000, 10_000_000];
export const QUICK_ACCOUNTS: readonly number[] = [1000, 5000];
export const FULL_RECORDS = 50_000_000;
export const QUICK_RECORDS = 50_000;
/** Points of the journal, as shares of its records. */
const POINTS = [1 / 50, 1 / 10, 1 / 2, 1];
const SHARD_THREADS = [1, 2, 4];
/** A step may take so many times of what it takes by the estimate, and some seconds more. */
const LIMIT_FACTOR = 4;
const LIMIT_EXTRA_SECONDS = 300;

const sizeOptions = (accounts: number, quick: boolean): SizeOptions => ({
  accounts,
  ...(quick
    ? { rate: 1000, loadSeconds: 2, warmupSeconds: 1, settleMs: 100 }
    : { rate: 10_000, loadSeconds: 60, warmupSeconds: 10, settleMs: 5000 }),
});

const growthOptions = (records: number, quick: boolean): GrowthOptions => ({
  points: [...new Set(POINTS.map((share) => Math.max(1, Math.round(records * share))))],
  // Their own records stay far fewer than those of the first point.
  accounts: Math.min(100_000, Math.max(quick ? 100 : 1000, Math.round(records / 500))),
  loadSecondsMax: 3600,
});

const threadsOptions = (quick: boolean) => ({
  accounts: quick ? 1000 : 10_000,
  ...(quick ? { loadSeconds: 2, warmupSeconds: 1 } : { loadSeconds: 30, warmupSeconds: 5 }),
});

const secondsOfThreads = (quick: boolean): number => (quick ? 10 : 50);

/** How long a run takes about, minutes. */
export function scaleMinutes({
  parts,
  accounts,
  records,
  quick,
}: Pick<ScaleOptions, 'parts' | 'accounts' | 'records' | 'quick'>): Readonly<Record<ScalePart, number>> {
  const of = (part: ScalePart, seconds: number): number => (parts.includes(part) ? Math.ceil(seconds / 60) : 0);
  return {
    accounts: of(
      'accounts',
      accounts.reduce((sum, one) => sum + secondsOfSize(sizeOptions(one, quick)), 0),
    ),
    journal: of('journal', secondsOfGrowth(growthOptions(records, quick))),
    shards: of('shards', SHARD_THREADS.length * secondsOfThreads(quick)),
  };
}

export function benchScale(options: ScaleOptions): Promise<ScaleFigures> {
  const stopped = new AbortController();
  const work = async (folder: string): Promise<ScaleFigures> => {
    const figures: ScaleFigures = {};
    const run = new Steps(folder, options, stopped.signal, () => options.save(figures));
    const { parts, quick } = options;
    if (parts.includes('accounts')) await accountsPart(run, options, figures);
    if (parts.includes('journal')) await journalPart(run, options, figures);
    if (parts.includes('shards')) await shardsPart(run, quick, figures);
    return figures;
  };
  return inTemporaryFolder(options.folder, work, () => stopped.abort());
}

async function accountsPart(run: Steps, options: ScaleOptions, figures: ScaleFigures): Promise<void> {
  const { rate, loadSeconds } = sizeOptions(0, options.quick);
  const sizes: SizeFigures[] = [];
  const missing: Missing[] = [];
  figures.accounts = { planned: options.accounts, rate, loadSeconds, sizes, missing };
  for (const accounts of options.accounts) {
    const size = sizeOptions(accounts, options.quick);
    const step = { what: accounts, unit: 'accounts', needs: needsOfAccounts(accounts), seconds: secondsOfSize(size) };
    await run.step(step, missing, async (stage) => {
      sizes.push(await benchSize(stage, size));
    });
  }
}

async function journalPart(run: Steps, options: ScaleOptions, figures: ScaleFigures): Promise<void> {
  const growth = growthOptions(options.records, options.quick);
  const points: PointFigures[] = [];
  const missing: Missing[] = [];
  figures.journal = { planned: growth.points, accounts: growth.accounts, points, missing };
  const needs = needsOfRecords(options.records);
  const step = { what: options.records, unit: 'records', needs, seconds: secondsOfGrowth(growth) };
  await run.step(step, missing, (stage) =>
    benchGrowth(stage, growth, (point) => {
      points.push(point);
      run.save();
    }),
  );
}

async function shardsPart(run: Steps, quick: boolean, figures: ScaleFigures): Promise<void> {
  const threads = threadsOptions(quick);
  const runs: ThreadsFigures[] = [];
  const missing: Missing[] = [];
  figures.shards = { planned: SHARD_THREADS, loadSeconds: threads.loadSeconds, runs, missing };
  for (const count of SHARD_THREADS) {
    const needs = needsOfRecords(threads.loadSeconds * 200_000);
    await run.step(
      { what: count, unit: 'shard threads', needs, seconds: secondsOfThreads(quick) },
      missing,
      async (s) => {
        runs.push(await benchThreads(s, count, threads));
      },
    );
  }
}

export interface Step {
  readonly what: number;
  readonly unit: string;
  readonly needs: Needs;
  /** By the estimate. */
  readonly seconds: number;
}

/** Steps of a run: what one of them does not bring, the others do. */
export class Steps {
  readonly #folder: string;
  readonly #say: (text: string) => void;
  readonly #stopped: AbortSignal;
  readonly save: () => void;

  constructor(folder: string, { say }: Pick<ScaleOptions, 'say'>, stopped: AbortSignal, save: () => void) {
    this.#folder = folder;
    this.#say = say;
    this.#stopped = stopped;
    this.save = save;
  }

  /** Runs a step in a folder of its own, which goes with it. Why there are no figures is added to `missing`. */
  async step(step: Step, missing: Missing[], work: (stage: Stage) => Promise<void>): Promise<void> {
    const name = `${step.what.toLocaleString('en-US')} ${step.unit}`;
    const why = await this.#run(step, name, work);
    if (this.#stopped.aborted) return;
    if (why !== undefined) {
      this.#say(`${name}: no figures: ${why}`);
      missing.push({ what: step.what, why });
    }
    this.save();
  }

  async #run(step: Step, name: string, work: (stage: Stage) => Promise<void>): Promise<string | undefined> {
    const lack = lackOf(step.needs, this.#folder);
    if (lack !== undefined) return lack;
    const folder = join(this.#folder, 'step');
    mkdirSync(folder);
    const limitSeconds = Math.ceil(step.seconds * LIMIT_FACTOR + LIMIT_EXTRA_SECONDS);
    const limit = AbortSignal.timeout(limitSeconds * 1000);
    const began = performance.now();
    const say = (text: string): void => {
      const seconds = Math.round((performance.now() - began) / 1000);
      this.#say(`${name}, ${seconds} of about ${Math.round(step.seconds)} s: ${text}`);
    };
    try {
      await work({ folder, signal: AbortSignal.any([limit, this.#stopped]), say });
      return undefined;
    } catch (error) {
      if (limit.aborted) return `it took more than ${limitSeconds} s`;
      return error instanceof Error ? error.message : String(error);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
