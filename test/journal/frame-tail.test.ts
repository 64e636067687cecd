import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameTail } from '#src/journal/frame-tail.js';

/** A frame body: records of the given lengths, each filled with the low byte of its sequence. */
function body(first: number, lengths: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + 4 + length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  lengths.forEach((length, i) => {
    view.setUint32(at, length);
    bytes.fill(first + i, at + 4, at + 4 + length);
    at += 4 + length;
  });
  return bytes;
}

describe('FrameTail', () => {
  it('gives back the newest records as they were, without a gap, and nothing that was overwritten', () => {
    const frames = fc.array(fc.array(fc.nat(60), { minLength: 1, maxLength: 6 }), { maxLength: 60 });
    fc.assert(
      fc.property(frames, fc.integer({ min: 400, max: 2000 }), (lists, capacity) => {
        const tail = new FrameTail(capacity);
        const lengths: number[] = [0];
        for (const list of lists) {
          const first = lengths.length;
          lengths.push(...list);
          const bytes = body(first, list);
          const shifted = new Uint8Array(bytes.length + 9);
          shifted.set(bytes, 5);
          tail.add(first, lengths.length - 1, shifted, 5, 5 + bytes.length);

          let kept = 0;
          for (let sequence = lengths.length - 1; sequence >= 1; sequence--) {
            if (!tail.locate(sequence)) break;
            kept++;
            expect(tail.end - tail.start).toBe(lengths[sequence]);
            const record = tail.bytes.slice(tail.start, tail.end);
            expect(record).toEqual(new Uint8Array(lengths[sequence]!).fill(sequence));
          }
          for (let sequence = lengths.length - 1 - kept; sequence >= 0; sequence--)
            expect(tail.locate(sequence)).toBe(false);
          // The frame just added is always there.
          expect(kept).toBeGreaterThanOrEqual(list.length);
        }
        expect(tail.locate(lengths.length)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('forgets everything at a frame larger than its room: what is older would leave a gap', () => {
    const tail = new FrameTail(300);
    const small = body(1, [10]);
    tail.add(1, 1, small, 0, small.length);
    expect(tail.locate(1)).toBe(true);
    const large = body(2, [400]);
    tail.add(2, 2, large, 0, large.length);
    expect(tail.locate(1)).toBe(false);
    expect(tail.locate(2)).toBe(false);
    tail.add(3, 3, body(3, [10]), 0, small.length);
    expect(tail.locate(3)).toBe(true);
  });
});
