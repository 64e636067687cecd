/** One run of one seed, and what it found. */
import { AuditFailure, type Observer } from './observation.js';
import { nameOf, type PlanOptions, planOf } from './plan.js';
import { World, type WorldOptions, type WorldStats } from './world.js';

export interface RunOptions extends PlanOptions, Pick<WorldOptions, 'onLine' | 'sabotage'> {
  /** Made anew for each run. */
  readonly observer?: () => Observer;
}

export interface Failure {
  readonly message: string;
  readonly evidence: Readonly<Record<string, unknown>>;
  readonly stack: string;
  /** Found by who looks for broken promises; else it is an error that nobody expected. */
  readonly isAudit: boolean;
}

export interface RunResult {
  readonly seed: number;
  /** SHA-256 of everything that happened. */
  readonly traceHash: string;
  readonly stats: WorldStats;
  readonly realSeconds: number;
  /** Of the processor, user and system. */
  readonly cpuSeconds: number;
  readonly failure: Failure | undefined;
  /** The last lines before it. */
  readonly lastLines: readonly string[];
  /** Numbers of the steps of the plan. */
  readonly steps: readonly number[];
  /** What they are. */
  readonly names: readonly string[];
  /** How many were taken before it ended. */
  readonly stepsTaken: number;
  /** Not the whole plan of the seed. */
  readonly stepsKept: ReadonlySet<number> | undefined;
  /** Faults that the plan may have. */
  readonly faults: readonly string[];
}

/** Sees nothing. */
const blind: Observer = {
  sent: () => undefined,
  answered: () => undefined,
  commanded: () => undefined,
  resulted: () => undefined,
  durable: () => undefined,
  crashed: () => undefined,
  logged: () => undefined,
  restarted: () => undefined,
  state: () => undefined,
  ended: () => undefined,
};

export async function runSeed(seed: number, options: RunOptions): Promise<RunResult> {
  const began = performance.now();
  const cpuBefore = process.cpuUsage();
  const plan = planOf(seed, options);
  const world = new World(plan, { ...options, observer: options.observer?.() ?? blind });
  let failure: Failure | undefined;
  try {
    await world.run();
  } catch (error) {
    failure = failureOf(error);
  }
  return {
    ...{ seed, failure, traceHash: world.trace.digest, stats: world.stats, lastLines: world.trace.last(40) },
    realSeconds: (performance.now() - began) / 1000,
    cpuSeconds: cpuSince(cpuBefore),
    steps: plan.steps.map(({ id }) => id),
    names: plan.steps.map(nameOf),
    ...{ stepsTaken: world.stepsTaken, stepsKept: options.keep, faults: plan.faults },
  };
}

function failureOf(error: unknown): Failure {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  if (error instanceof AuditFailure) return { message: error.message, evidence: error.evidence, stack, isAudit: true };
  return { message: error instanceof Error ? error.message : String(error), evidence: {}, stack, isAudit: false };
}

function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000_000;
}
