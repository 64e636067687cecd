import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Code, type SteadyRows } from '../../bench/overload/case.js';
import { backToNormalMs, phase } from '../../bench/overload/phases.js';
import { newestOverload, overloadPage, renderOverload, withFigures } from '../../bench/overload/report.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** One message per ms from 1 000 to 4 000; `slow` tells the latency of the one that is due then, or undefined for a refusal. */
function rows(slow: (dueMs: number) => number | undefined): SteadyRows {
  const dueMs = Float64Array.from({ length: 3000 }, (_, n) => 1000 + n);
  const latencyMs = dueMs.map((due) => slow(due) ?? 1);
  const code = Uint8Array.from(dueMs, (due) => (slow(due) === undefined ? Code.shed : Code.approved));
  return { dueMs, latencyMs, code, reconnects: 0 };
}

describe('figures of overload and hostile peers', () => {
  it('docs/internals/overload.md is what the newest result generates', () => {
    const newest = newestOverload(root);
    expect(newest).toBeDefined();
    const page = readFileSync(overloadPage(root), 'utf8');
    expect(withFigures(page, newest!.file, newest!.result)).toBe(page);
    expect(existsSync(overloadPage(root))).toBe(true);
  });

  it('names a void run, and what did not come back to normal', () => {
    const { result } = newestOverload(root)!;
    const { capped } = result.overload;
    const verifyFailures = ['account a1: its hold changed by 2', 'and more'];
    const wrong = {
      ...result.overload,
      capped: { ...capped!, verified: false, verifyFailures, backToNormalMs: null },
    };
    const text = renderOverload({ ...result, overload: wrong });
    expect(text).toContain('| money verified | NO: account a1: its hold changed by 2 |');
    expect(text).toContain('| back to normal after | not seen |');
    const environment = { ...result.environment, cores: 2 };
    const busy = (loadAverageAtStart: number): string =>
      renderOverload({ ...result, environment: { ...environment, loadAverageAtStart } });
    expect(busy(5)).toContain('busy with other work');
    expect(busy(1.5)).not.toContain('busy with other work');
  });

  it('a phase has the messages that were due in it, by their outcome, and their percentiles', () => {
    const some = rows((due) => (due < 2000 ? (due - 999) / 10 : undefined));
    expect(phase(some, 1000, 2000)).toEqual({
      ...{ offered: 1000, approved: 1000, shed: 0, other: 0, unanswered: 0 },
      ...{ p50: 50, p99: 99, max: 100 },
    });
    expect(phase(some, 1990, 2010)).toMatchObject({ offered: 20, approved: 10, shed: 10 });
    expect(phase(some, 5000, 6000)).toMatchObject({ offered: 0, p50: null, max: null });
  });

  it('back to normal is the begin of half a second as fast as before, all approved', () => {
    const before = (due: number): number | undefined => (due < 2000 ? 5 : due < 2500 ? 80 : undefined);
    expect(
      backToNormalMs(
        rows((due) => (due < 2500 ? before(due) : 4)),
        2000,
        2500,
      ),
    ).toBe(0);
    expect(
      backToNormalMs(
        rows((due) => (due < 2650 ? before(due) : 4)),
        2000,
        2500,
      ),
    ).toBe(200);
    // One slow message, or one that is refused, begins it anew.
    expect(
      backToNormalMs(
        rows((due) => (due === 2810 ? 6 : due < 2500 ? before(due) : 4)),
        2000,
        2500,
      ),
    ).toBe(400);
    expect(
      backToNormalMs(
        rows((due) => (due === 2810 || (due < 2500 && due > 2100) ? undefined : 4)),
        2000,
        2500,
      ),
    ).toBe(400);
    expect(
      backToNormalMs(
        rows(() => 5),
        2000,
        3700,
      ),
    ).toBeNull();
  });
});
