/** The shortest plan found that fails in the same way: steps are left out, in ever smaller runs, while the failure stays. */
import { type RunOptions, type RunResult, runSeed } from './run.js';

export interface Shrunk {
  readonly result: RunResult;
  /** Runs that it took. */
  readonly runs: number;
}

/**
 * @param failed a run with a failure @param untilMs when to be content, ms of `performance.now()`
 * @returns the shortest failing run; it has fewer steps than `failed` or the same
 */
export async function shrink(failed: RunResult, options: RunOptions, untilMs: number): Promise<Shrunk> {
  let best = failed;
  let runs = 0;
  const tryWith = async (steps: readonly number[]): Promise<boolean> => {
    runs++;
    const result = await runSeed(failed.seed, { ...options, keep: new Set(steps) });
    if (result.failure === undefined || !isSame(result, failed)) return false;
    best = result;
    return true;
  };
  // What comes behind the failure did not cause it.
  const reached = failed.stepsTaken;
  if (reached < failed.steps.length) await tryWith(failed.steps.slice(0, reached));
  for (let size = best.steps.length >> 1; size >= 1; size = size === 1 ? 0 : (size + 1) >> 1) {
    for (let from = 0; from < best.steps.length && performance.now() < untilMs; ) {
      const without = [...best.steps.slice(0, from), ...best.steps.slice(from + size)];
      if (without.length === best.steps.length || !(await tryWith(without))) from += size;
    }
    if (performance.now() >= untilMs) break;
  }
  return { result: best, runs };
}

/** The same promise was broken: what stands before the first colon names it, numbers may differ. */
function isSame(a: RunResult, b: RunResult): boolean {
  const kind = ({ failure }: RunResult): string => (failure?.message ?? '').replace(/\d+/g, '#').split(':')[0]!;
  return kind(a) === kind(b);
}
