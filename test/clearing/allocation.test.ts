import { describe, expect, it } from 'vitest';
import { encoding } from '#src/clearing/encoding.js';
import { IpmMessage } from '#src/clearing/ipm/message.js';
import { ipmProfile } from '#src/clearing/ipm/profile.js';
import { IpmRecord } from '#src/clearing/ipm/record.js';
import { RdwReader } from '#src/clearing/rdw-reader.js';
import { bytesPerCall } from '../support/allocation.js';
import { ipmFile, purchase } from './files.js';

const RECORDS = 1000;
/** A handful of bytes is the measuring itself; a string or an object per record is 16 and more. */
const BOUND = 12;

describe('parsing', () => {
  it('finds records, elements and amounts without allocation', () => {
    const file = ipmFile(
      Array.from({ length: RECORDS }, () => purchase),
      'cp500',
    );
    const message = new IpmMessage(ipmProfile, encoding('cp500'));
    const record = new IpmRecord(message);
    const sums = new Float64Array(1);
    let records = 0;
    let files = 0;
    const bytes = bytesPerCall(RECORDS, BOUND, () => {
      const reader = new RdwReader(false);
      reader.push(file);
      while (reader.next()) {
        if (!message.decode(reader.bytes, reader.start, reader.end)) throw new Error(message.error);
        sums[0]! += Math.max(record.amount, 0) + record.currency + record.transactionType;
        records++;
      }
      files++;
    });
    expect(records).toBe(files * (RECORDS + 2));
    expect(sums[0]).toBe(files * (RECORDS * (4200 + 978) - 4));
    expect(bytes).toBeLessThan(BOUND);
  });
});
