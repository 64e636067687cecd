/**
 * The deterministic simulation: seeds that once failed, fresh seeds for a while, and planted bugs that must be found.
 * HOLDFAST_SIM_SECONDS: real seconds for fresh seeds. HOLDFAST_SIM_SEED: where they begin, to do a run again.
 */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { simSeed } from '../support/sim-seed.js';
import { Auditor } from './auditor/auditor.js';
import { canaries } from './canaries.js';
import { catchCanary } from './canary.js';
import { failureText, parseRanges, ranges, Totals } from './report.js';
import { type RunOptions, type RunResult, runSeed } from './run.js';
import { shrink } from './shrink.js';

interface PastSeed {
  readonly seed: number;
  readonly seconds: number;
  /** Without the auditor. */
  readonly blind?: boolean;
  /** Steps that the plan did not have when it failed. */
  readonly without?: readonly string[];
  readonly found: string;
  readonly fixed: string;
}

const past = JSON.parse(readFileSync(new URL('./seeds.json', import.meta.url), 'utf8')) as PastSeed[];
const freshSeconds = Number(process.env.HOLDFAST_SIM_SECONDS ?? 40);
const freshBase = simSeed ?? randomInt(2 ** 31);
const FRESH_SIMULATED_SECONDS = 300;
const SHRINK_MS = 30_000;
const observer = (): Auditor => new Auditor();

/** With the auditor, or blind: what the world itself finds. */
const audited = (seconds: number): RunOptions => ({ seconds, observer });
const blind = (seconds: number): RunOptions => ({ seconds });

/** Fails with all that is known of a failing seed. */
async function mustPass(seed: number, options: RunOptions): Promise<RunResult> {
  const result = await runSeed(seed, options);
  if (result.failure === undefined) return result;
  const { result: shortest } = await shrink(result, options, performance.now() + SHRINK_MS);
  const flags = options.observer === undefined ? ['--blind'] : [];
  throw new Error(failureText(shortest, options.seconds, result.steps.length, flags));
}

describe('a simulated world', () => {
  it.each([3, 103, 120])('seed %i does the same twice, to the last byte of its trace', async (seed) => {
    const [first, second] = [await runSeed(seed, { seconds: 120 }), await runSeed(seed, { seconds: 120 })];
    expect(second.traceHash).toBe(first.traceHash);
    expect(second.stats).toEqual(first.stats);
    const other = await runSeed(seed + 1, { seconds: 120 });
    expect(other.traceHash).not.toBe(first.traceHash);
  });

  it('the auditor changes nothing', async () => {
    const { observer: _auditor, ...without } = audited(120);
    const [unseen, seen] = [await runSeed(5, without), await runSeed(5, audited(120))];
    expect(seen.failure).toBeUndefined();
    expect(seen.traceHash).toBe(unseen.traceHash);
  });

  it('a plan without some of its steps is a plan, named by the numbers of the others', async () => {
    const whole = await runSeed(8, { seconds: 120 });
    const some = whole.steps.filter((_, i) => i % 3 === 0);
    const part = await runSeed(8, { seconds: 120, keep: parseRanges(ranges(some)) });
    expect(part.steps).toEqual(some);
    expect(part.failure).toBeUndefined();
  });

  it.each(past)(
    'seed $seed, which found: $found',
    { timeout: 120_000 },
    async ({ seed, seconds, blind: isBlind = false, without = [] }) => {
      await mustPass(seed, { ...(isBlind ? blind : audited)(seconds), without });
    },
  );

  it(`fresh seeds from ${freshBase}`, { timeout: (freshSeconds + 120) * 1000 }, async () => {
    const totals = new Totals();
    const until = performance.now() + freshSeconds * 1000;
    for (let i = 0; totals.seeds === 0 || performance.now() < until; i++) {
      totals.add(await mustPass(freshBase + i, (i % 2 === 0 ? audited : blind)(FRESH_SIMULATED_SECONDS)));
    }
    console.log(`simulation: base seed ${freshBase}: ${totals.line}`);
    expect(totals.sums.messages).toBeGreaterThan(0);
  });
});

describe('a planted bug is found', () => {
  const clean = new Set<number>();

  it.each(canaries)('$name: $harm', { timeout: 60_000 }, async (canary) => {
    const caught = await catchCanary(canary, observer);
    expect(caught?.failure, `not caught within ${canary.seeds} seeds`).toBeDefined();
    for (let { seed } = canary; seed <= caught!.seed; seed++) {
      if (clean.has(seed)) continue;
      clean.add(seed);
      const without = await runSeed(seed, { seconds: canary.seconds, observer });
      expect(without.failure, `seed ${seed} fails without the planted bug`).toBeUndefined();
    }
  });

  it('and its shortest plan finds it again', async () => {
    const canary = canaries.find(({ name }) => name === 'increment counted twice')!;
    const caught = (await catchCanary(canary, observer))!;
    const options = { seconds: canary.seconds, observer, sabotage: canary.plant };
    const { result } = await shrink(caught, options, performance.now() + 5000);
    expect(result.steps.length).toBeLessThan(caught.steps.length);
    const again = await runSeed(result.seed, { ...options, keep: new Set(result.steps) });
    expect(again.failure?.message).toBe(result.failure?.message);
    expect(again.traceHash).toBe(result.traceHash);
  });
});
