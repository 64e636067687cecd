import { describe, expect, it } from 'vitest';
import { bucketUpperUs, HISTOGRAM_BUCKETS, SharedHistogram } from '../src/instruments.js';

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

  it('counts and sums beyond 32 bits', () => {
    const buffer = new SharedArrayBuffer(SharedHistogram.bytes);
    const histogram = new SharedHistogram(buffer, 0);
    const words = new Uint32Array(buffer);
    words[HISTOGRAM_BUCKETS] = 0xffffffff;
    words[HISTOGRAM_BUCKETS + 2] = 0xfffffff0;
    histogram.record(100);
    expect(histogram.count).toBe(2 ** 32);
    expect(histogram.sumUs).toBe(0xfffffff0 + 100);
  });
});
