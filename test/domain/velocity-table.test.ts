/** The table of counters: what it holds, forgets, refuses, costs. */
import { describe, expect, test } from 'vitest';
import { RowCursor } from '#src/domain/columns.js';
import { StateDigest } from '#src/domain/digest.js';
import { accountOwner, CounterChanges, cardOwner } from '#src/domain/velocity/counter-changes.js';
import { giveBack } from '#src/domain/velocity/give-back.js';
import { VelocityTable } from '#src/domain/velocity/velocity-table.js';
import { fixedShape, trailingBucket, WindowUnit, windowKey } from '#src/domain/velocity/windows.js';
import { VELOCITY_ROW_BYTES_MAX, VELOCITY_ROW_COUNTERS_MAX } from '#src/limits.js';

const NOW = Date.UTC(2026, 4, 20, 12);
const TODAY = 20_594;
const DAY = 86_400_000;
const day = windowKey(fixedShape(WindowUnit.day, 0), 'all');
const lifetime = (name: string): number => windowKey(fixedShape(WindowUnit.lifetime, 0), name);
const hour = windowKey(3600, 'all');

class Harness {
  readonly digest = new StateDigest();
  readonly table = new VelocityTable(this.digest, 9);
  sequence = 0;

  apply(
    entries: [owner: number, key: number, bucket: number, amount: number, uses: number][],
    timeMs = NOW,
  ): CounterChanges {
    const changes = new CounterChanges();
    for (const entry of entries) changes.add(...entry);
    changes.sort();
    this.table.apply(changes, timeMs, ++this.sequence);
    return changes;
  }

  value(owner: number, key: number, bucket: number): [amount: number, count: number, bucket: number] {
    const buckets = Float64Array.of(bucket);
    const amounts = Float64Array.of(-1);
    const counts = Float64Array.of(-1);
    this.table.read(owner, Float64Array.of(key), buckets, amounts, counts);
    return [amounts[0]!, counts[0]!, buckets[0]!];
  }
}

describe('counters', () => {
  test('of a card and of an account with one slot are two rows', () => {
    const own = new Harness();
    own.apply([
      [cardOwner(7), day, TODAY, 10, 1],
      [accountOwner(7), day, TODAY, 30, 1],
    ]);
    expect(own.value(cardOwner(7), day, TODAY)).toEqual([10, 1, TODAY]);
    expect(own.value(accountOwner(7), day, TODAY)).toEqual([30, 1, TODAY]);
    expect(own.value(cardOwner(8), day, TODAY)).toEqual([0, 0, TODAY]);
    expect([own.table.rows, own.table.exists(cardOwner(7)), own.table.exists(cardOwner(8))]).toEqual([2, true, false]);
  });

  test('that are added to where they stand have the bytes and the digest of a row that was written at once', () => {
    const minute = windowKey(60, 'all');
    const short = trailingBucket(60, NOW);
    const keys: [key: number, bucket: number][] = [
      [minute, short],
      [hour, trailingBucket(3600, NOW)],
      [day, TODAY],
    ];
    const row = ({ table, digest }: Harness): unknown => {
      const bytes = new Uint8Array(200);
      const cursor = new RowCursor().attach(bytes, 0);
      table.writeRow(2, cursor);
      return [[...bytes.subarray(0, cursor.at)], digest.high, digest.low];
    };
    // Widths that are passed on the way: a count of 2, an amount of 256 and of 65 536; and a use without an amount.
    const steps = new Harness();
    let sum = 0;
    for (const [i, amount] of [100, 100, 55, 1, 0, 65_279, 1, 7].entries()) {
      sum += amount;
      steps.apply(keys.map(([key, bucket]) => [2, key, bucket, amount, 1]));
      const anew = new Harness();
      anew.sequence = i;
      anew.apply(keys.map(([key, bucket]) => [2, key, bucket, sum, i + 1]));
      expect(row(steps), `after ${i + 1}`).toEqual(row(anew));
    }
    // An untouched counter stays as long as it is live, and goes with the event that finds it past.
    const later = NOW + 60_000;
    steps.apply([[2, day, TODAY, 1, 1]], later);
    expect(steps.value(2, minute, short)).toEqual([sum, 8, short]);
    steps.apply([[2, day, TODAY, 1, 1]], later + 60_000);
    expect(steps.value(2, minute, short)).toEqual([0, 0, short]);
    expect(steps.value(2, day, TODAY)).toEqual([sum + 2, 10, TODAY]);
  });

  test('are not taken for what stood at their place in memory before', () => {
    const own = new Harness();
    own.apply([[2, day, TODAY, 10, 1]]);
    const first = trailingBucket(3600, NOW);
    own.apply([[4, hour, first, 300, 1]]);
    for (let i = 1; i <= 20; i++) {
      own.apply([[2, day, TODAY + i, 10, 1]]);
      // The row was written anew where it stood, as long as before.
      expect(own.value(2, day, TODAY + i)).toEqual([10, 1, TODAY + i]);
      own.apply([[4, hour, first + i, 300, 1]]);
      expect([own.value(2, day, TODAY + i), own.value(4, hour, first + i)]).toEqual([
        [10, 1, TODAY + i],
        [300 * Math.min(16, i + 1), Math.min(16, i + 1), first + i],
      ]);
    }
  });

  test('are read side by side, with those that are not there', () => {
    const own = new Harness();
    const keys = [3600, 60, 86_400, 7200].map((seconds) => windowKey(seconds, 'x')).sort((a, b) => a - b);
    own.apply(keys.map((key, i) => [2, key, trailingBucket(Math.floor(key / 2 ** 30), NOW), (i + 1) * 10, 1]));
    const asked = Float64Array.from([windowKey(30, 'none'), ...keys, day]);
    const buckets = Float64Array.from(asked, (key) => trailingBucket(Math.floor(key / 2 ** 30), NOW));
    const amounts = new Float64Array(6).fill(-1);
    own.table.read(2, asked, buckets, amounts, new Float64Array(6));
    expect([...amounts]).toEqual([0, 10, 20, 30, 40, 0]);
  });

  test('a bucket newer than the clock says is today: the rules of a zone changed under it', () => {
    const own = new Harness();
    own.apply([[2, day, TODAY + 1, 70, 1]]);
    expect(own.value(2, day, TODAY)).toEqual([70, 1, TODAY + 1]);
    own.apply([[2, day, TODAY + 1, 5, 1]]);
    expect(own.value(2, day, TODAY + 1)).toEqual([75, 2, TODAY + 1]);
  });

  test('an event that a row includes is not applied again', () => {
    const own = new Harness();
    const changes = own.apply([[2, day, TODAY, 10, 1]]);
    const { high, low } = own.digest;
    own.table.apply(changes, NOW, 1);
    expect([own.digest.high, own.digest.low]).toEqual([high, low]);
    expect(own.value(2, day, TODAY)).toEqual([10, 1, TODAY]);
  });

  test('what nobody counts any more leaves nothing but its row', () => {
    const own = new Harness();
    const rowBytes = (): number => {
      const cursor = new RowCursor().attach(new Uint8Array(VELOCITY_ROW_BYTES_MAX), 0);
      own.table.writeRow(2, cursor);
      return cursor.at;
    };
    own.apply([
      [2, hour, trailingBucket(3600, NOW), 10, 1],
      [2, day, TODAY, 10, 1],
    ]);
    expect(rowBytes()).toBe(9 + 1 + (7 + 1 + 3 + 2 + 1) + (7 + 1 + 2 + 1));
    // Two days later another counter is touched: both are past, wherever on earth the day was.
    own.apply([[2, lifetime('a'), 1, 5, 1]], NOW + 2 * DAY);
    expect(rowBytes()).toBe(9 + 1 + (7 + 1 + 1 + 1));
    own.apply([[2, lifetime('a'), 1, -5, -1]], NOW + 3 * DAY);
    expect(rowBytes()).toBe(9);
    expect(own.value(2, lifetime('a'), 1)).toEqual([0, 0, 1]);
  });

  test('what is past is not told of', () => {
    const own = new Harness();
    own.apply([
      [2, hour, trailingBucket(3600, NOW), 10, 1],
      [2, day, TODAY, 20, 1],
      [2, lifetime('a'), 1, 30, 1],
    ]);
    const told = (timeMs: number): unknown[] => {
      const list: unknown[] = [];
      own.table.counters(2, timeMs, (key, bucket, amount, count) => list.push([key, bucket, amount, count]));
      return list;
    };
    const ever = [lifetime('a'), 1, 30, 1];
    const today = [day, TODAY, 20, 1];
    expect(told(NOW)).toEqual([[hour, trailingBucket(3600, NOW), 10, 1], today, ever].sort((a, b) => a[0]! - b[0]!));
    expect(told(NOW + 2 * 3_600_000)).toEqual([today, ever].sort((a, b) => a[0]! - b[0]!));
    expect(told(NOW + 3 * DAY)).toEqual([ever]);
  });

  test('a row that an event changes where it stands is one for the checkpoint', () => {
    const own = new Harness();
    const taken: number[] = [];
    const take = (): number => own.table.takeDirty(9, (owner) => taken.push(owner));
    // The third use finds a count that has a byte of its own.
    for (let use = 1; use <= 2; use++) own.apply([[2, day, TODAY, 10, 1]]);
    expect([take(), own.table.dirtyCount]).toEqual([1, 0]);
    own.apply([[2, day, TODAY, 10, 1]]);
    expect([own.table.dirtyCount, take(), own.table.dirtyCount]).toEqual([1, 1, 0]);
    expect(taken).toEqual([2, 2]);
  });

  test('a use that is given back without an amount leaves the bytes of one that never was', () => {
    const rowOf = (own: Harness): unknown => {
      const bytes = new Uint8Array(200);
      const cursor = new RowCursor().attach(bytes, 0);
      own.table.writeRow(2, cursor);
      return [[...bytes.subarray(0, cursor.at)], own.digest.high, own.digest.low];
    };
    const given = new Harness();
    for (const uses of [1, 1, -1]) given.apply([[2, day, TODAY, uses === -1 ? 0 : 5, uses]]);
    const anew = new Harness();
    anew.sequence = 2;
    anew.apply([[2, day, TODAY, 10, 1]]);
    expect(rowOf(given)).toEqual(rowOf(anew));
  });

  test('changes out of order are a defect', () => {
    const own = new Harness();
    const changes = new CounterChanges();
    changes.add(2, day, TODAY, 1, 1);
    changes.add(2, hour, trailingBucket(3600, NOW), 1, 1);
    expect(() => own.table.apply(changes, NOW, 1)).toThrow(/in order/);
  });

  test('more given back than was counted is a defect', () => {
    const own = new Harness();
    own.apply([[2, day, TODAY, 10, 1]]);
    expect(() => own.apply([[2, day, TODAY, -11, 0]])).toThrow(/more given back/);
  });
});

describe('a row without room', () => {
  const full = (): Harness => {
    const own = new Harness();
    for (let i = 0; i < VELOCITY_ROW_COUNTERS_MAX; i++) own.apply([[2, lifetime(`old ${i}`), 1, 10, 1]]);
    return own;
  };

  test('drops a counter that the event does not touch, and only then', () => {
    const own = full();
    const names = Array.from({ length: VELOCITY_ROW_COUNTERS_MAX }, (_, i) => `old ${i}`);
    const [lowest, second, ...others] = names.map(lifetime).sort((a, b) => a - b) as [number, number, ...number[]];
    const kept = (): number => names.filter((name) => own.value(2, lifetime(name), 1)[0] > 0).length;
    expect(kept()).toBe(VELOCITY_ROW_COUNTERS_MAX);
    own.apply([
      [2, lowest, 1, 1, 1],
      [2, lifetime('new'), 1, 7, 1],
    ]);
    expect(kept()).toBe(VELOCITY_ROW_COUNTERS_MAX - 1);
    expect(own.value(2, lowest, 1)).toEqual([11, 2, 1]);
    expect(own.value(2, lifetime('new'), 1)).toEqual([7, 1, 1]);
    expect(own.value(2, second, 1)).toEqual([0, 0, 1]);
    for (const key of others) expect(own.value(2, key, 1)).toEqual([10, 1, 1]);
  });

  test('gives nothing back to what was counted before the drop, everything to what came after', () => {
    const own = full();
    const before = own.apply([[2, lifetime('old 3'), 1, 40, 1]]);
    own.apply([[2, lifetime('new'), 1, 7, 1]]);
    const dropped = own.sequence;
    const after = own.apply([[2, lifetime('old 3'), 1, 50, 1]]);
    const out = new CounterChanges();
    giveBack(own.table, before, dropped - 1, 40, 0, true, out);
    expect(out.count).toBe(0);
    giveBack(own.table, after, dropped + 1, 50, 0, true, out);
    expect([out.count, out.amount[0], out.uses[0]]).toEqual([1, -50, -1]);
    // The mark survives the checkpoint.
    const bytes = new Uint8Array(VELOCITY_ROW_BYTES_MAX);
    const cursor = new RowCursor().attach(bytes, 0);
    own.table.writeRow(2, cursor);
    const digest = new StateDigest();
    const again = new VelocityTable(digest, 9);
    const { at } = cursor;
    again.readRow(2, cursor.attach(bytes, 0), at);
    expect([digest.high, digest.low]).toEqual([own.digest.high, own.digest.low]);
    expect(again.takesBack(2, lifetime('old 3'), 1, dropped)).toBe(false);
    expect(again.takesBack(2, lifetime('old 3'), 1, dropped + 1)).toBe(true);
  });
});

describe('give-backs', () => {
  test.each([
    // what                        before  after  undone   amount back  cash back  count back
    ['in full', 90, 0, true, 90, 30, 1],
    ['down to what is not cash', 90, 40, false, 50, 0, 0],
    ['down into the cash', 90, 20, false, 70, 10, 0],
    ['the rest of a part', 20, 0, true, 20, 20, 1],
    ['the rest, when some of it was cleared', 20, 0, false, 20, 20, 0],
    ['nothing', 90, 90, false, 0, 0, 0],
  ] as const)('%s', (_what, before, after, undone, amount, cash, count) => {
    const own = new Harness();
    const cashKey = windowKey(fixedShape(WindowUnit.day, 0), 'cash');
    const original = own.apply([
      [2, day, TODAY, 90, 1],
      [2, cashKey, TODAY, 30, 1],
    ]);
    const out = new CounterChanges();
    giveBack(own.table, original, 1, before, after, undone, out);
    const back = (key: number): number[] => {
      for (let i = 0; i < out.count; i++) if (out.key[i] === key) return [-out.amount[i]!, -out.uses[i]! + 0];
      return [0, 0];
    };
    expect([back(day), back(cashKey)]).toEqual([
      [amount, count],
      [cash, count],
    ]);
  });

  test.each([
    ['another owner', 4, day, TODAY],
    ['another counter', 2, lifetime('x'), 1],
    ['an earlier instance', 2, day, TODAY - 1],
    ['a later instance', 2, day, TODAY + 1],
    ['a bucket that left', 2, hour, trailingBucket(3600, NOW) - 16],
    ['a bucket that is empty', 2, hour, trailingBucket(3600, NOW) - 3],
  ])('%s takes nothing', (_what, owner, key, bucket) => {
    const own = new Harness();
    own.apply([
      [2, hour, trailingBucket(3600, NOW), 10, 1],
      [2, day, TODAY, 10, 1],
    ]);
    expect(own.table.takesBack(owner, key, bucket, 1)).toBe(false);
    expect(own.table.takesBack(2, day, TODAY, 1)).toBe(true);
  });
});

describe('rows of a checkpoint', () => {
  const row = (): { bytes: Uint8Array; length: number } => {
    const own = new Harness();
    own.apply([
      [2, hour, trailingBucket(3600, NOW), 1000, 1],
      [2, day, TODAY, 1000, 1],
    ]);
    const bytes = new Uint8Array(VELOCITY_ROW_BYTES_MAX + 8);
    const cursor = new RowCursor().attach(bytes, 0);
    own.table.writeRow(2, cursor);
    return { bytes, length: cursor.at };
  };
  const read = ({ bytes, length }: { bytes: Uint8Array; length: number }): void => {
    new VelocityTable(new StateDigest(), 9).readRow(2, new RowCursor().attach(bytes, 0), length);
  };

  test.each([
    ['another version', 0, 9, /version/],
    ['a count of counters that is wrong', 9, 3, /names/],
    ['a width that leads out of the row', 17, 0xff, /damaged|names/],
    ['keys that do not rise', 31, 0, /damaged|names/],
    ['an empty mask', 21, 0, /damaged|names/],
  ] as const)('%s is refused', (_what, at, value, message) => {
    const one = row();
    expect(() => read(one)).not.toThrow();
    one.bytes[at] = value;
    expect(() => read(one)).toThrow(message);
  });

  test('a row that is cut, too long or there already is refused', () => {
    const one = row();
    expect(() => read({ ...one, length: one.length - 1 })).toThrow(/damaged|names/);
    expect(() => read({ ...one, length: 8 })).toThrow(/has 8 bytes/);
    expect(() => read({ ...one, length: VELOCITY_ROW_BYTES_MAX + 1 })).toThrow(/bytes/);
    const table = new VelocityTable(new StateDigest(), 9);
    table.readRow(2, new RowCursor().attach(one.bytes, 0), one.length);
    expect(() => table.readRow(2, new RowCursor().attach(one.bytes, 0), one.length)).toThrow(/there already/);
  });

  test('what was read is in no list of changed rows, what changes then is', () => {
    const own = new Harness();
    const one = row();
    own.table.readRow(2, new RowCursor().attach(one.bytes, 0), one.length);
    expect(own.table.dirtyCount).toBe(0);
    own.sequence = 1;
    own.apply([[2, day, TODAY, 1, 1]]);
    own.apply([[2, day, TODAY, 1, 1]]);
    expect(own.table.dirtyCount).toBe(1);
  });
});

describe('what it costs', () => {
  /** Ten windows of a card, trailing ones with all sixteen buckets live. */
  function bytesPerWindow(windows: number, rounds: number, amount: (i: number) => number): number {
    const own = new Harness();
    const cards = 8192;
    const keys = Array.from({ length: windows }, (_, i) => windowKey(86_400, `${i}`)).sort((a, b) => a - b);
    const changes = new CounterChanges();
    for (let round = 0; round < rounds; round++) {
      const timeMs = NOW + round * 5_760_000;
      for (let card = 0; card < cards; card++) {
        changes.clear();
        for (const key of keys) {
          changes.add(cardOwner(card), key, trailingBucket(86_400, timeMs), amount(card + round), 1);
        }
        own.table.apply(changes, timeMs, ++own.sequence);
      }
    }
    while (own.table.takeDirty(65_536, () => undefined) > 0);
    return own.table.memoryBytes / (cards * windows);
  }

  test('at most 64 bytes per trailing window with all 16 buckets live', () => {
    const small = (i: number): number => 100 + ((Math.imul(i, 0x9e3779b1) >>> 0) % 65_000);
    expect(bytesPerWindow(10, 16, small)).toBeLessThanOrEqual(64);
  });

  test('also when one purchase in twenty is of up to 5 000.00, and the others are below 655.36', () => {
    const mixed = (i: number): number => {
      const hash = Math.imul(i, 0x9e3779b1) >>> 0;
      return hash % 20 === 0 ? 100_000 + (hash % 400_000) : 100 + (hash % 65_000);
    };
    expect(bytesPerWindow(10, 16, mixed)).toBeLessThanOrEqual(64);
  });

  test('and about 80 when every purchase is large', () => {
    const large = (i: number): number => 100_000 + ((Math.imul(i, 0x9e3779b1) >>> 0) % 10_000_000);
    expect(bytesPerWindow(10, 16, large)).toBeLessThan(84);
  });
});
