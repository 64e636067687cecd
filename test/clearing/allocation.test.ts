import { describe, expect, it } from 'vitest';
import { encoding } from '../../src/clearing/encoding.js';
import { IpmMessage } from '../../src/clearing/ipm/message.js';
import { ipmProfile } from '../../src/clearing/ipm/profile.js';
import { IpmRecord } from '../../src/clearing/ipm/record.js';
import { RdwReader } from '../../src/clearing/rdw-reader.js';
import { ipmFile, purchase } from './files.js';

/** Blocks are so small that a single object per record would show before the collector gets to it; the first half warms up. */
const BLOCKS = 300;
const PER_BLOCK = 1000;

describe('parsing', () => {
  it('finds records, elements and amounts without allocation', () => {
    const file = ipmFile(
      Array.from({ length: PER_BLOCK }, () => purchase),
      'cp500',
    );
    const message = new IpmMessage(ipmProfile, encoding('cp500'));
    const record = new IpmRecord(message);
    const sums = new Float64Array(1);
    const growth: number[] = [];
    let records = 0;
    for (let i = 0; i < BLOCKS; i++) {
      const reader = new RdwReader(false);
      reader.push(file);
      const before = process.memoryUsage().heapUsed;
      while (reader.next()) {
        if (!message.decode(reader.bytes, reader.start, reader.end)) throw new Error(message.error);
        sums[0]! += Math.max(record.amount, 0) + record.currency + record.transactionType;
        records++;
      }
      const grown = process.memoryUsage().heapUsed - before;
      if (i >= BLOCKS / 2 && grown >= 0) growth.push(grown / PER_BLOCK);
    }
    expect(records).toBe(BLOCKS * (PER_BLOCK + 2));
    expect(sums[0]).toBe(BLOCKS * (PER_BLOCK * (4200 + 978) - 4));
    growth.sort((a, b) => a - b);
    expect(growth.length).toBeGreaterThan(3);
    // A handful of bytes is the measuring itself; a string or an object per record is 16 and more.
    expect(growth[growth.length >> 1]).toBeLessThan(12);
  });
});
