import { describe, expect, it } from 'vitest';
import { Response } from '#src/domain/codes.js';
import { bucketUpperUs, HISTOGRAM_BUCKETS, SharedHistogram } from '#src/instruments.js';
import { createShardInstruments, ShardCounter, ShardInstruments } from '#src/shard-instruments.js';

describe('shared histogram', () => {
  it('puts a value into the bucket whose bounds hold it', () => {
    for (const us of [1, 2, 3, 7, 8, 9, 15, 16, 17, 100, 999, 1000, 123_456, 66_999_999]) {
      const histogram = new SharedHistogram(new SharedArrayBuffer(SharedHistogram.bytes), 0);
      histogram.record(us);
      let bucket = -1;
      for (let i = 0; i < HISTOGRAM_BUCKETS; i++) if (histogram.bucket(i) === 1) bucket = i;
      expect(us).toBeLessThan(bucketUpperUs(bucket));
      expect(us).toBeGreaterThanOrEqual(bucketUpperUs(bucket) / 1.13 - 1);
      expect([histogram.count, histogram.sumUs]).toEqual([1, us]);
    }
  });

  it('puts parts of a microsecond, and both sides of every bound, where they belong', () => {
    const bounds = Array.from({ length: 25 * 8 }, (_, i) => bucketUpperUs(i));
    for (const us of bounds.flatMap((bound) => [bound, bound * 1.01, bound - 1e-6])) {
      const histogram = new SharedHistogram(new SharedArrayBuffer(SharedHistogram.bytes), 0);
      histogram.record(us);
      const buckets = Array.from({ length: HISTOGRAM_BUCKETS }, (_, i) => histogram.bucket(i));
      const bucket = buckets.indexOf(1);
      expect([us, us < bucketUpperUs(bucket)]).toEqual([us, true]);
      expect([us, us >= (bucket === 0 ? 1 : bucketUpperUs(bucket - 1))]).toEqual([us, true]);
    }
  });

  it('counts and sums beyond 32 bits', () => {
    const buffer = new SharedArrayBuffer(SharedHistogram.bytes);
    const histogram = new SharedHistogram(buffer, 0);
    const cells = new Float64Array(buffer);
    cells.fill(0xffffffff, 0, HISTOGRAM_BUCKETS + 1);
    cells[HISTOGRAM_BUCKETS + 1] = 0xfffffff0;
    histogram.record(100);
    expect(histogram.count).toBe(2 ** 32);
    expect(histogram.sumUs).toBe(0xfffffff0 + 100);
    const buckets = Array.from({ length: HISTOGRAM_BUCKETS }, (_, i) => histogram.bucket(i));
    expect(Math.max(...buckets)).toBe(2 ** 32);
    expect(Math.min(...buckets)).toBe(2 ** 32 - 1);
  });
});

describe('shard instruments', () => {
  it('count outcomes beyond 32 bits, each apart', () => {
    const buffer = createShardInstruments();
    const instruments = new ShardInstruments(buffer);
    const seen = (): string[] => {
      const lines: string[] = [];
      instruments.eachOutcome((...outcome) => lines.push(outcome.join(' ')));
      return lines.sort();
    };
    instruments.outcome(100, Response.approved, 0);
    const cells = new Float64Array(buffer);
    cells[cells.indexOf(1)] = 2 ** 32 - 1;
    for (let i = 0; i < 2; i++) instruments.outcome(100, Response.approved, 0);
    instruments.outcome(101, Response.formatError, 2);
    expect(seen()).toEqual([`100 ${Response.approved} 0 ${2 ** 32 + 1}`, `101 ${Response.formatError} 2 1`]);
    instruments.count(ShardCounter.records, 2 ** 32);
    instruments.count(ShardCounter.records);
    expect(instruments.counter(ShardCounter.records)).toBe(2 ** 32 + 1);
  });
});
