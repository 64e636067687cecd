/**
 * The words and rings in shared memory under real threads (docs/internals/sharding-and-threads.md). The time of all scenarios together is
 * HOLDFAST_STRESS_SECONDS, a few seconds by default; hours of it find what is rare.
 */
import { describe, expect, test } from 'vitest';
import { defects } from './defects.js';
import { askScenario, boardScenario, directoryScenario, floodScenario, type RoleSpec, stress } from './stress.js';

const seconds = Number(process.env.HOLDFAST_STRESS_SECONDS ?? '7');
const long = process.env.HOLDFAST_STRESS_SECONDS !== undefined;
/** Nobody does anything for a minute: that is no busy machine. */
const HANG_MS = 60_000;

const scenarios: readonly (readonly [name: string, share: number, roles: () => RoleSpec[]])[] = [
  ['a ring that is full and wraps', 0.2, () => floodScenario(false)],
  ['a ring that is wiped before it is given back', 0.15, () => floodScenario(true)],
  ['a client and a thread that sleep and wake', 0.25, () => askScenario(1)],
  ['three clients and one thread', 0.2, () => askScenario(3)],
  ['insertions and look-ups in the card directory', 0.1, () => directoryScenario(200_000)],
  ['the watermark and the stop words', 0.1, () => boardScenario()],
];

describe('shared memory', () => {
  test.each(scenarios)(
    '%s',
    async (_name, share, roles) => {
      const end = performance.now() + seconds * share * 1000;
      let rounds = 0;
      // Anew every now and then: what is decided once per process (which thread is on which core) is decided again.
      do {
        const ms = Math.min(Math.max(end - performance.now(), 200), 60_000);
        const { wrong, done } = await stress(roles(), { ms, seed: ++rounds, hangMs: HANG_MS });
        expect(wrong).toBeUndefined();
        for (const one of done) expect(one).toBeGreaterThan(0);
      } while (performance.now() < end);
    },
    seconds * 1000 + 4 * HANG_MS,
  );
});

describe('a defect that is put in is found:', () => {
  const wanted = defects.filter(({ found }) => found === 'soon' || (long && found === 'in time'));

  test.each(wanted.map((one) => [one.name, one] as const))(
    '%s',
    async (_name, { defect, scenario }) => {
      // Until it is found; a machine that never shows it fails by the time limit of the test.
      for (let seed = 1; ; seed++) {
        const { wrong } = await stress(scenario(), { ms: 20_000, seed, hangMs: 3000, defect });
        if (wrong !== undefined) break;
      }
    },
    300_000,
  );
});
