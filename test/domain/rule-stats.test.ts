/** Statistics of rules: bounded by revisions, and the same from whatever rows of a checkpoint a replay begins. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowCursor } from '#src/domain/columns.js';
import { StateDigest } from '#src/domain/digest.js';
import { MessageEvent } from '#src/domain/events.js';
import { RuleStats } from '#src/domain/rule-stats.js';
import { RULE_STATS_REVISIONS_MAX, RULES_PER_SET_MAX } from '#src/limits.js';

const PROGRAM = 3;

interface Asked {
  revision: number;
  rules: number;
  /** Place of the rule that matched and declined; -1 for none. */
  decided: number;
}

function eventOf({ revision, rules, decided }: Asked, sequence: number): MessageEvent {
  const event = new MessageEvent();
  event.sequence = sequence;
  event.programRevision = revision;
  event.rulesAsked = rules;
  event.decidingRule = decided;
  if (decided >= 0) event.ruleBits[decided >> 3] = 1 << (decided & 7);
  return event;
}

function counted(asked: readonly Asked[]): { digest: StateDigest; stats: RuleStats } {
  const digest = new StateDigest();
  const stats = new RuleStats(digest);
  for (const [i, one] of asked.entries()) stats.count(PROGRAM, eventOf(one, i + 1));
  return { digest, stats };
}

/** Copies rows as they are. */
function copyRows(from: RuleStats, to: RuleStats, wanted: (key: number) => boolean): void {
  const cursor = new RowCursor();
  const bytes = new Uint8Array(32 + 16 * RULES_PER_SET_MAX);
  from.takeDirty(Number.MAX_SAFE_INTEGER, (key) => {
    if (!wanted(key)) return;
    cursor.attach(bytes, 0);
    from.writeRow(key, cursor);
    const length = cursor.at;
    to.readRow(key, cursor.attach(bytes, 0), length);
  });
}

const figures = (stats: RuleStats) => stats.of(PROGRAM, 0, 10_000);

describe('statistics of rules', () => {
  it('are kept of the newest revisions, in little memory', () => {
    const last = 4 * RULE_STATS_REVISIONS_MAX;
    const { stats } = counted(Array.from({ length: last }, (_, i) => ({ revision: i + 1, rules: 128, decided: 5 })));
    const kept = figures(stats);
    expect(kept.map(({ revision }) => revision)).toEqual(
      Array.from({ length: RULE_STATS_REVISIONS_MAX }, (_, i) => last - RULE_STATS_REVISIONS_MAX + 1 + i),
    );
    expect(kept[0]).toMatchObject({ asked: 1 });
    expect(stats.memoryBytes).toBeLessThan(RULE_STATS_REVISIONS_MAX * 128 * 16 + last * 200 + 100_000);
    const other = new RuleStats(new StateDigest());
    other.count(PROGRAM + 1, eventOf({ revision: 1, rules: 1, decided: 0 }, 1));
    other.count(PROGRAM, eventOf({ revision: 1000, rules: 1, decided: 0 }, 2));
    expect(other.of(PROGRAM + 1, 0, 10)).toHaveLength(1);
  });

  it('are the same in a replay that begins from any mixture of older and newer rows', () => {
    const step = fc.record({
      ahead: fc.constantFrom(0, 0, 1, 100, RULE_STATS_REVISIONS_MAX),
      rules: fc.integer({ min: 1, max: 20 }),
      decided: fc.integer({ min: -1, max: 19 }),
    });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 2, maxLength: 30 }),
        fc.nat(29),
        fc.array(fc.boolean()),
        (steps, n, newer) => {
          let revision = 1;
          const rulesOf = new Map<number, number>();
          const asked = steps.map(({ ahead, rules, decided }): Asked => {
            revision += ahead;
            const all = rulesOf.get(revision) ?? rules;
            rulesOf.set(revision, all);
            return { revision, rules: all, decided: Math.min(decided, all - 1) };
          });
          const whole = counted(asked);
          const from = Math.min(n, asked.length);
          const before = counted(asked.slice(0, from));
          // A checkpoint that a crash cut short: some rows are as at the end, the others as they were.
          const digest = new StateDigest();
          const stats = new RuleStats(digest);
          const isNewer = (key: number): boolean => newer[key % 30] === true;
          copyRows(whole.stats, stats, isNewer);
          copyRows(before.stats, stats, (key) => !isNewer(key));
          for (const [i, one] of asked.entries()) if (i >= from) stats.count(PROGRAM, eventOf(one, i + 1));
          expect(figures(stats)).toEqual(figures(whole.stats));
          expect([digest.high, digest.low]).toEqual([whole.digest.high, whole.digest.low]);
        },
      ),
      { numRuns: 300 },
    );
  });
});
