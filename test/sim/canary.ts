/** Planted bugs: a simulator that finds nothing may be blind. */
import type { SimEngine } from './engine.js';
import type { Observer } from './observation.js';
import { type RunResult, runSeed } from './run.js';

export interface Canary {
  readonly name: string;
  /** What a user would see. */
  readonly harm: string;
  /** Breaks a process that is about to start, from outside. */
  plant(engine: SimEngine): void;
  /** Within how many seeds from which it is caught, each of so many simulated seconds. */
  readonly seed: number;
  readonly seeds: number;
  readonly seconds: number;
}

/** The first run that catches it; undefined when none does. */
export async function catchCanary(canary: Canary, observer: () => Observer): Promise<RunResult | undefined> {
  for (let i = 0; i < canary.seeds; i++) {
    const sabotage = (engine: SimEngine): void => canary.plant(engine);
    const result = await runSeed(canary.seed + i, { seconds: canary.seconds, observer, sabotage });
    if (result.failure !== undefined) return result;
  }
  return undefined;
}
