import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecentIndex } from '#src/journal/recent-index.js';
import { type Entry, expected, word } from './index-support.js';

const found = (index: RecentIndex, high: number, low: number, room = 1000): number[] => {
  const out = new Float64Array(room);
  return [...out.subarray(0, index.find(high, low, out))];
};

describe('RecentIndex', () => {
  it('answers every key with its sequences, newest first, through random additions and drops', () => {
    const action = fc.oneof(
      {
        weight: 12,
        arbitrary: fc.record({ add: fc.nat(9), same: fc.boolean(), word: fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1) }),
      },
      { weight: 1, arbitrary: fc.record({ drop: fc.integer({ min: 0, max: 100 }) }) },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 400 }), (actions) => {
        const index = new RecentIndex({ generationBits: 4 });
        const entries: Entry[] = [];
        let sequence = 0;
        let dropped = 0;
        for (const step of actions) {
          if ('drop' in step) {
            dropped = Math.max(dropped, Math.floor((sequence * step.drop) / 100));
            index.dropThrough(dropped);
          } else {
            if (!step.same) sequence++;
            const entry = { high: step.word, low: step.add, sequence };
            if (sequence === 0) continue;
            entries.push(entry);
            index.add(entry.high, entry.low, entry.sequence);
          }
        }
        expect(index.coveredAfter).toBeLessThanOrEqual(dropped);
        for (const high of [0, 1, 2 ** 31, 2 ** 32 - 1])
          for (let low = 0; low < 11; low++) {
            const answer = found(index, high, low);
            const all = expected(entries, high, low).reverse();
            // Everything after the covered point is there; what is older may be gone, and nothing else is ever there.
            expect(answer.filter((s) => s > index.coveredAfter)).toEqual(all.filter((s) => s > index.coveredAfter));
            expect(all).toEqual(expect.arrayContaining(answer));
          }
        for (const high of [0, 1, 2 ** 31, 2 ** 32 - 1]) {
          const out = new Float64Array(1000);
          const answer = [...out.subarray(0, index.findPrefix(high, out))];
          const all = [...new Set(entries.filter((e) => e.high === high).map((e) => e.sequence))].reverse();
          expect(answer.filter((s) => s > index.coveredAfter)).toEqual(all.filter((s) => s > index.coveredAfter));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('drops whole generations only, and counts what is left', () => {
    const index = new RecentIndex({ generationBits: 4 });
    for (let i = 1; i <= 40; i++) index.add(1, i, i);
    expect([index.size, index.generations]).toEqual([40, 3]); // 15 + 15 + 10 (the third could hold 31)
    index.dropThrough(14);
    expect(index.size).toBe(40);
    index.dropThrough(15);
    expect([index.size, index.coveredAfter]).toEqual([25, 15]);
    index.dropThrough(40);
    expect([index.size, index.coveredAfter]).toEqual([0, 40]);
    expect(found(index, 1, 40)).toEqual([]);
    index.add(1, 41, 41);
    expect(found(index, 1, 41)).toEqual([41]);
    expect(found(index, 1, 3)).toEqual([]); // a table that is used again has forgotten
  });

  it('keeps sequences up to 2^48, also far apart', () => {
    const index = new RecentIndex();
    const sequences = [1, 2 ** 32, 2 ** 32 + 1, 2 ** 40, 2 ** 48];
    for (const sequence of sequences) index.add(7, 7, sequence);
    expect(found(index, 7, 7)).toEqual([...sequences].reverse());
  });

  it('says when older sequences did not fit the output', () => {
    const index = new RecentIndex();
    for (let i = 1; i <= 10; i++) index.add(3, 4, i);
    expect(found(index, 3, 4, 3)).toEqual([10, 9, 8]);
    expect(index.truncated).toBe(true);
    expect(found(index, 3, 4, 10)).toHaveLength(10);
    expect(index.truncated).toBe(false);
  });

  it('refuses a sequence that goes back', () => {
    const index = new RecentIndex();
    index.add(1, 1, 5);
    index.add(1, 2, 5);
    expect(() => index.add(1, 3, 4)).toThrow(/sequence 4 after 5/);
  });

  it('is full at its bound and keeps what is added nevertheless', () => {
    const index = new RecentIndex({ entriesMax: 3 });
    for (let i = 1; i <= 3; i++) index.add(1, i, i);
    expect(index.full).toBe(true);
    index.add(1, 4, 4);
    expect(found(index, 1, 4)).toEqual([4]);
    index.dropThrough(4);
    expect(index.full).toBe(false);
  });

  it('takes 100 000 equal keys as easily as different ones', () => {
    // An addition never looks at what is in its bucket, so the work is the same; with a walk per addition this would be
    // 5 000 000 000 steps and the test would not end in its time.
    const index = new RecentIndex();
    for (let i = 1; i <= 100_000; i++) index.add(0xdead, 0xbeef, i);
    expect(found(index, 0xdead, 0xbeef, 3)).toEqual([100_000, 99_999, 99_998]);
    expect(found(index, 0xdead, 0xbee0)).toEqual([]);
  });

  it('needs 20 bytes per entry in full generations, and stays below 30 at two million', () => {
    const one = new RecentIndex({ generationBits: 12 });
    for (let i = 1; i < 2 ** 12; i++) one.add(word(i), i, i);
    expect(one.memoryBytes / one.size).toBeLessThan(20.1);
    const index = new RecentIndex();
    const entries = 2_000_000;
    for (let i = 1; i <= entries; i++) index.add(word(i), i, i);
    expect(index.memoryBytes / entries).toBeLessThan(30);
    expect(index.generations).toBeLessThan(10);
  });
});
