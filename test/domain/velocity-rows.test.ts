/** The parts below the table: memory of rows, bytes of counters, packed changes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CounterChanges, chainRoot } from '#src/domain/velocity/counter-changes.js';
import {
  CounterBuckets,
  CounterReader,
  KEY,
  NEWEST,
  putUint,
  takeUint,
  widthOf,
  writeAddition,
} from '#src/domain/velocity/counter-codec.js';
import { RowHeads } from '#src/domain/velocity/row-heads.js';
import { CONTENTS_BYTES_MAX, contentsHash, RowStore } from '#src/domain/velocity/row-store.js';
import { ByteCursor, VARINT_BYTES_MAX } from '#src/domain/velocity/varint.js';
import { fixedShape, TRAILING_BUCKETS, trailingShape, WindowUnit, windowKey } from '#src/domain/velocity/windows.js';
import { VELOCITY_ROW_BYTES_MAX } from '#src/limits.js';

/** Contents that say whose and which they are. */
function contents(slot: number, version: number, length: number): Uint32Array {
  const words = new Uint32Array(CONTENTS_BYTES_MAX / 4);
  const bytes = new Uint8Array(words.buffer);
  for (let i = 0; i < length; i++) bytes[i] = slot * 31 + version * 7 + i;
  return words;
}

describe('memory of rows', () => {
  const write = fc.record({
    slot: fc.nat({ max: 300 }),
    length: fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 8184 })),
  });

  test('every row keeps its own contents through growing, shrinking and moving', () => {
    fc.assert(
      fc.property(fc.array(write, { minLength: 200, maxLength: 2500, size: 'max' }), (writes) => {
        const store = new RowStore();
        const known = new Map<number, { version: number; length: number }>();
        for (let slot = 0; slot <= 300; slot++) expect(store.create(slot * 3)).toBe(slot);
        writes.forEach(({ slot, length }, version) => {
          store.write(slot, contents(slot, version, length), length, -version);
          known.set(slot, { version, length });
        });
        for (let slot = 0; slot <= 300; slot++) {
          const { version, length } = known.get(slot) ?? { version: 0, length: 0 };
          expect(store.owner(slot)).toBe(slot * 3);
          expect(store.open(slot)).toBe(length > 0);
          expect(store.length).toBe(length);
          expect(store.hash(slot)).toBe(-version | 0);
          const expected = new Uint8Array(contents(slot, version, length).buffer, 0, length);
          expect(Buffer.compare(store.bytes.subarray(store.start, store.start + length), expected)).toBe(0);
        }
      }),
      { numRuns: 25 },
    );
  });

  test('a population that grows in step leaves little behind', () => {
    const store = new RowStore();
    const rows = 20_000;
    for (let slot = 0; slot < rows; slot++) store.create(slot);
    const words = contents(1, 1, 600);
    for (let length = 24; length <= 600; length += 24) {
      for (let slot = 0; slot < rows; slot++) store.write(slot, words, length, 0);
    }
    const needed = rows * (600 + 8 + 20);
    expect(store.memoryBytes).toBeLessThan(needed * 1.35);
    // And it stays so while rows come and go.
    for (let i = 0; i < 200_000; i++) {
      const slot = (Math.imul(i, 0x9e3779b1) >>> 0) % rows;
      store.write(slot, words, 8 + ((Math.imul(i, 0x85ebca6b) >>> 0) % 592), 0);
    }
    expect(store.memoryBytes).toBeLessThan(needed * 1.35);
  });

  test('a block is kept for contents that become longer or shorter, up to its end and down to four fifths of it', () => {
    const store = new RowStore();
    const slot = store.create(7);
    // Eleven units: one for the head, ten of eight bytes.
    store.write(slot, contents(slot, 1, 80), 80, 0);
    store.open(slot);
    const room = [80, 81, 57, 56, 0].map((length) => store.hasRoom(length, length));
    expect(room).toEqual([true, false, true, false, false]);
    expect([store.hasRoom(64, 80), store.hasRoom(64, 81)]).toEqual([true, false]);
    store.setLength(61);
    expect([store.length, ...store.bytes.subarray(store.start + 61, store.start + 64)]).toEqual([61, 0, 0, 0]);
    store.length = 0;
    expect([store.open(slot), store.length, store.hasRoom(80, 80)]).toEqual([true, 61, true]);
  });

  test('sequences are exact to 53 bits', () => {
    const store = new RowStore();
    const slot = store.create(7);
    expect(store.newest(slot)).toBe(0);
    for (const sequence of [1, 2 ** 31, 2 ** 40 + 3, Number.MAX_SAFE_INTEGER]) {
      store.setNewest(slot, sequence);
      expect([store.newest(slot), store.owner(slot)]).toEqual([sequence, 7]);
    }
  });

  test('the longest row fits into a block', () => {
    expect(VELOCITY_ROW_BYTES_MAX).toBeLessThanOrEqual(CONTENTS_BYTES_MAX);
    const store = new RowStore();
    expect(() => store.write(store.create(1), contents(0, 0, 8), CONTENTS_BYTES_MAX + 1, 0)).toThrow(/too long/);
  });

  test('the hash sees every bit of every word, and the length', () => {
    const words = contents(3, 1, 60);
    const seen = new Set([contentsHash(1, words, 0, 60), contentsHash(2, words, 0, 60), contentsHash(1, words, 0, 56)]);
    for (let bit = 0; bit < 60 * 8; bit++) {
      words[bit >> 5] = words[bit >> 5]! ^ (1 << (bit & 31));
      seen.add(contentsHash(1, words, 0, 60));
      words[bit >> 5] = words[bit >> 5]! ^ (1 << (bit & 31));
    }
    expect(seen.size).toBe(3 + 60 * 8);
  });
});

describe('integers of few bytes', () => {
  const safe = fc.oneof(
    fc.maxSafeNat(),
    fc.nat(),
    fc.nat({ max: 300 }),
    fc.constantFrom(0, 255, 256, 2 ** 32 - 1, 2 ** 32),
  );

  test('survive in the fewest bytes that hold them', () => {
    const bytes = new Uint8Array(16).fill(0xee);
    fc.assert(
      fc.property(safe, (value) => {
        const width = widthOf(value);
        putUint(bytes, 3, width, value);
        expect(takeUint(bytes, 3, width)).toBe(value);
        expect(value < 256 ** width).toBe(true);
        expect(width === 0 || value >= 256 ** (width - 1)).toBe(true);
        putUint(bytes, 3, 7, value);
        expect(takeUint(bytes, 3, 7)).toBe(value);
      }),
    );
  });

  test('survive in sevens', () => {
    const cursor = new ByteCursor();
    const bytes = new Uint8Array(16);
    fc.assert(
      fc.property(safe, (value) => {
        cursor.attach(bytes, 1).put(value);
        expect(cursor.at - 1).toBeLessThanOrEqual(VARINT_BYTES_MAX);
        expect(cursor.attach(bytes, 1).take()).toBe(value);
      }),
    );
    expect(() => cursor.attach(bytes, 0).put(-1)).toThrow(/safe integer/);
    expect(() => cursor.attach(bytes, 0).put(2 ** 53)).toThrow(/safe integer/);
  });
});

const FIXED = windowKey(fixedShape(WindowUnit.day, 0), 'x');
const TRAILING = windowKey(trailingShape(3600), 'x');

describe('a counter', () => {
  const amount = fc.oneof(fc.nat({ max: 70_000 }), fc.nat({ max: 20_000_000 }), fc.nat({ max: 1_000_000_000_000 }));
  const addition = fc.record({ by: fc.nat({ max: 20 }), back: fc.nat({ max: 20 }), amount, uses: fc.nat({ max: 1 }) });

  test('is in its bytes what it was outside, and an addition in place is the addition outside', () => {
    const reader = new CounterReader();
    const again = new CounterReader();
    fc.assert(
      fc.property(fc.boolean(), fc.array(addition, { minLength: 1, maxLength: 300 }), (isFixed, additions) => {
        const key = isFixed ? FIXED : TRAILING;
        const buckets = new CounterBuckets();
        const copy = new CounterBuckets();
        let number = 1_000_000;
        for (const one of additions) {
          number += one.by > 16 ? one.by : one.by > 8 ? 1 : 0;
          const bytes = new Uint8Array(512);
          const end = buckets.write(bytes, 5, key);
          if (end > 5) {
            reader.attach(bytes, 5, end);
            expect(reader.advance()).toBe(true);
            expect([reader.next, reader.numbers[KEY]]).toEqual([end, key]);
            copy.load(reader);
            expect([...copy.amounts, ...copy.counts, copy.newest]).toEqual([
              ...buckets.amounts,
              ...buckets.counts,
              buckets.newest,
            ]);
            const target = new Uint8Array(512);
            const changes = new CounterChanges();
            changes.add(0, key, number, one.amount, one.uses);
            const added = writeAddition(reader, changes, 0, target, 0);
            if (added >= 0) {
              again.attach(target, 0, added);
              again.advance();
              copy.add(number, one.amount, one.uses, isFixed);
              buckets.load(again);
              expect([...buckets.amounts, ...buckets.counts, buckets.newest]).toEqual([
                ...copy.amounts,
                ...copy.counts,
                copy.newest,
              ]);
              continue;
            }
          }
          buckets.add(number, one.amount, one.uses, isFixed);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('an addition to a newest bucket that was emptied is in it again', () => {
    const buckets = new CounterBuckets();
    buckets.add(10, 100, 1, false);
    buckets.add(11, 50, 1, false);
    buckets.add(11, -50, -1, false);
    const bytes = new Uint8Array(64);
    const reader = new CounterReader();
    reader.attach(bytes, 0, buckets.write(bytes, 0, TRAILING));
    reader.advance();
    expect([reader.numbers[NEWEST], reader.mask]).toEqual([11, 0b10]);
    const changes = new CounterChanges();
    changes.add(0, TRAILING, 11, 7, 1);
    const target = new Uint8Array(64);
    const again = new CounterReader();
    again.attach(target, 0, writeAddition(reader, changes, 0, target, 0));
    again.advance();
    expect([again.mask, again.amount(0), again.count(0), again.amount(1), again.count(1)]).toEqual([
      0b11, 7, 1, 100, 1,
    ]);
  });

  test('takes additions where it stands up to the last amount of its width', () => {
    for (let width = 1; width <= 7; width++) {
      const end = width === 7 ? 2 ** 53 : 256 ** width;
      for (const [sum, isInPlace] of [
        [end - 1, true],
        [end, false],
      ] as const) {
        const buckets = new CounterBuckets();
        const first = 256 ** (width - 1);
        buckets.add(10, first, 1, true);
        buckets.add(10, 0, 1, true);
        const bytes = new Uint8Array(64);
        const heads = new RowHeads();
        heads.read(bytes, 0, buckets.write(bytes, 0, FIXED));
        const changes = new CounterChanges();
        changes.add(0, FIXED, 10, sum - first, 1);
        expect(heads.stage(0, changes, 0), `${width} bytes, a sum of ${sum}`).toBe(isInPlace);
      }
    }
  });

  test('refuses to go below zero and beyond its range', () => {
    const buckets = new CounterBuckets();
    buckets.add(10, 100, 1, true);
    expect(() => buckets.add(10, -101, 0, true)).toThrow(/more given back than counted/);
    expect(() => buckets.add(10, -100, -2, true)).toThrow(/more given back than counted/);
    expect(() => buckets.add(10, Number.MAX_SAFE_INTEGER, 1, true)).toThrow(/in range/);
  });

  test('takes 45 bytes with 16 live buckets of small purchases, 21 with four, 14 when fixed', () => {
    const sizes = [16, 4].map((live) => {
      const buckets = new CounterBuckets();
      for (let i = 0; i < live; i++) buckets.add(7_413_600 + i, 65_535 - i, 1, false);
      return buckets.write(new Uint8Array(512), 0, TRAILING);
    });
    const fixed = new CounterBuckets();
    for (let i = 0; i < 5; i++) fixed.add(20_594, 1_000_000, 1, true);
    expect([...sizes, fixed.write(new Uint8Array(512), 0, FIXED)]).toEqual([45, 21, 14]);
    const largest = new CounterBuckets();
    for (let i = 0; i < TRAILING_BUCKETS; i++) {
      largest.add(2 ** 39 + i, Number.MAX_SAFE_INTEGER, 0, false);
      largest.counts[0] = 2 ** 32 - 1;
    }
    const bound = (VELOCITY_ROW_BYTES_MAX - 17) / 32;
    expect(largest.write(new Uint8Array(512), 0, TRAILING)).toBe(bound);
  });
});

describe('changes of an event', () => {
  const entry = fc.record({
    owner: fc.nat({ max: 2 ** 25 }),
    key: fc.maxSafeNat(),
    bucket: fc.nat(),
    amount: fc.integer({ min: -(10 ** 12), max: 10 ** 12 }),
    uses: fc.integer({ min: -1, max: 1 }),
  });

  test('survive packing, within the promised size', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 90 }), (entries) => {
        const changes = new CounterChanges();
        for (const { owner, key, bucket, amount, uses } of entries) changes.add(owner, key, bucket, amount, uses);
        const bytes = new Uint8Array(changes.packedMax + 4);
        const end = changes.pack(bytes, 4);
        const read = new CounterChanges();
        read.add(1, 1, 1, 1, 1);
        read.unpack(bytes, 4, end);
        const list = ({ count, owner, key, bucket, amount, uses }: CounterChanges): object[] =>
          Array.from({ length: count }, (_, i) => ({
            owner: owner[i],
            key: key[i],
            bucket: bucket[i],
            amount: amount[i],
            uses: uses[i],
          }));
        expect(list(read)).toEqual(entries);
      }),
    );
  });

  test('cost about ten bytes per window', () => {
    const changes = new CounterChanges();
    for (const [i, bucket] of [20_594, 2943, 677, 57, 1, 4_458_000, 741_360, 30_890, 4413, 1030].entries()) {
      changes.add(2_000_000, (2 ** 22 + i) * 2 ** 30 + 12_345, bucket, 12_345, 1);
    }
    const end = changes.pack(new Uint8Array(changes.packedMax), 0);
    expect(end).toBe(100);
  });

  test('are refused when they end in the middle of an entry', () => {
    const changes = new CounterChanges();
    changes.add(1, 5, 6, 7, 1);
    changes.add(1, 6, 6, 7, 1);
    const bytes = new Uint8Array(changes.packedMax);
    const end = changes.pack(bytes, 0);
    expect(() => new CounterChanges().unpack(bytes, 0, end - 1)).toThrow(/end with an entry/);
  });

  test('are put in order: owner, key, bucket', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 5 }), fc.nat({ max: 5 }), fc.nat())),
        (entries) => {
          const changes = new CounterChanges();
          const sums = new Map<string, number>();
          for (const [owner, key, bucket, amount] of entries) {
            changes.merge(owner, key, bucket, amount, 0);
            const name = `${owner} ${key} ${bucket}`;
            sums.set(name, (sums.get(name) ?? 0) + amount);
          }
          changes.sort();
          const names = Array.from(
            { length: changes.count },
            (_, i) => `${changes.owner[i]} ${changes.key[i]} ${changes.bucket[i]}`,
          );
          expect(names).toEqual([...sums.keys()].sort());
          expect(names.map((_, i) => changes.amount[i])).toEqual(names.map((name) => sums.get(name)));
        },
      ),
    );
  });
});

test('a chain of replaced cards has the oldest one as its root', () => {
  const cards = (older: number[]): { replaces(slot: number): number } => ({ replaces: (slot) => older[slot]! });
  const chain = cards([-1, 0, -1, 1, 3, 2]);
  expect([0, 1, 2, 3, 4, 5].map((card) => chainRoot(chain, card))).toEqual([0, 0, 2, 0, 0, 2]);
  expect(() => chainRoot(cards([1, 0]), 0)).toThrow(/replaces an older card/);
});
