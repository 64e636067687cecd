import { describe, expect, test } from 'vitest';
import { StateDigest } from '#src/domain/digest.js';

const of = (...fields: [number, number, number, number][]): string => {
  const digest = new StateDigest();
  for (const [table, key, field, value] of fields) digest.add(table, key, field, value);
  return `${digest.high} ${digest.low}`;
};

describe('state digest', () => {
  test('tells table, key, field and value apart, small, negative and beyond 32 bits', () => {
    const values = [0, 1, -1, 255, 2 ** 31, 2 ** 32, 2 ** 32 + 1, -(2 ** 32), 2 ** 52, 1_779_278_400_000];
    const all: string[] = [];
    for (const value of values) {
      all.push(of([1, 5, 3, value]), of([2, 5, 3, value]), of([1, 6, 3, value]), of([1, 5, 4, value]));
      all.push(of([1, 5 + 2 ** 32, 3, value]));
    }
    expect(new Set(all).size).toBe(all.length);
  });

  test('the two lanes are not one: no lane alone repeats over many fields', () => {
    const high = new Set<number>();
    const low = new Set<number>();
    for (let i = 0; i < 20_000; i++) {
      const digest = new StateDigest();
      digest.add(1, i, 4, i * 1000);
      high.add(digest.high);
      low.add(digest.low);
      expect(digest.high).toBe(digest.high >>> 0);
    }
    // 20 000 of 2^32 collide about 0.05 times by chance.
    expect(high.size).toBeGreaterThan(19_995);
    expect(low.size).toBeGreaterThan(19_995);
  });

  test('does not depend on the order, and what goes out leaves nothing', () => {
    expect(of([1, 1, 1, 7], [1, 2, 1, 8])).toBe(of([1, 2, 1, 8], [1, 1, 1, 7]));
    expect(of([1, 1, 1, 7], [1, 2, 1, 8])).not.toBe(of([1, 1, 1, 8], [1, 2, 1, 7]));
    const digest = new StateDigest();
    digest.add(1, 1, 1, 7);
    digest.change(1, 1, 1, 7, -9);
    digest.remove(1, 1, 1, -9);
    expect([digest.high, digest.low]).toEqual([0, 0]);
  });
});
