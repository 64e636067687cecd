import { describe, expect, it } from 'vitest';
import { counterVerdict, highestCounter } from '#src/domain/chip-counter.js';

describe('transaction counter of a chip', () => {
  it.each([
    [1, -1, 'fresh'],
    [60_000, -1, 'fresh'],
    [291, 290, 'fresh'],
    [390, 290, 'fresh'],
    [391, 290, 'jumped'],
    [290, 290, 'replayed'],
    [289, 290, 'behind'],
    [0, 65_535, 'behind'],
    [65_535, 65_535, 'replayed'],
  ] as const)('%i after %i: %s', (atc, highest, verdict) => expect(counterVerdict(atc, highest, 100)).toBe(verdict));

  it('the highest one never goes back', () => {
    let highest = -1;
    for (const [atc, kept] of [
      [5, 5],
      [3, 5],
      [9, 9],
      [9, 9],
    ] as const) {
      highest = highestCounter(atc, highest);
      expect(highest).toBe(kept);
    }
  });
});
