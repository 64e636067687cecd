import { describe, expect, it } from 'vitest';
import { Pace } from '#src/control/webhooks/pace.js';

describe('the allowance of deliveries', () => {
  it('grows with time, and not beyond its bound', () => {
    const pace = new Pace(1000, 3, 0);
    const taken = (atMs: number): number => {
      let count = 0;
      while (pace.take(atMs)) count++;
      return count;
    };
    expect([taken(0), taken(0), taken(1), taken(1.5), taken(2), taken(1000), taken(1000)]).toEqual([
      3, 0, 1, 0, 1, 3, 0,
    ]);
  });
});
