/** A row that is changed where it stands has the bytes of one that is written anew, counter behind counter. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RowCursor } from '#src/domain/columns.js';
import { StateDigest } from '#src/domain/digest.js';
import { CounterChanges } from '#src/domain/velocity/counter-changes.js';
import {
  CounterBuckets,
  CounterReader,
  isFixed,
  KEY,
  NEWEST,
  writeAddition,
  writeSurvivors,
} from '#src/domain/velocity/counter-codec.js';
import { VelocityTable } from '#src/domain/velocity/velocity-table.js';
import {
  fixedShape,
  oldestLive,
  TRAILING_BUCKETS,
  trailingBucket,
  trailingStart,
  WindowUnit,
  windowKey,
} from '#src/domain/velocity/windows.js';
import { VELOCITY_ROW_BYTES_MAX } from '#src/limits.js';

/** Two rows: what one writes beyond its block would be found in the other. */
const OWNERS = [6, 8];
const TABLE = 9;
/** Version and sequence stand in front of the contents of a checkpoint's row. */
const ROW_HEAD_BYTES = 9;
/** The second lies before the 65 536th bucket of a trailing day, whose number needs a third byte from then on. */
const STARTS = [Date.UTC(2026, 4, 20, 12), trailingStart(86_400, 65_536) - 9 * 3_600_000];
const DAY = 86_400_000;
const trailing = [60, 600, 3600, 86_400].map((seconds) => ({ seconds, key: windowKey(seconds, 'x') }));
const day = windowKey(fixedShape(WindowUnit.day, 0), 'x');
const lifetime = windowKey(fixedShape(WindowUnit.lifetime, 0), 'x');
const keys = [...trailing.map(({ key }) => key), day, lifetime];

function bucketOf(key: number, timeMs: number): number {
  if (key === lifetime) return 1;
  if (key === day) return Math.floor(timeMs / DAY);
  return trailingBucket(trailing.find((one) => one.key === key)!.seconds, timeMs);
}

interface Step {
  readonly owner: number;
  readonly laterMs: number;
  readonly amount: number;
  readonly uses: number;
  /** By place in `keys`: whether the event counts in it. */
  readonly counted: readonly boolean[];
}

const laterMs = fc.oneof(
  fc.constant(0),
  fc.nat({ max: 10_000 }),
  fc.nat({ max: 900_000 }),
  fc.nat({ max: 2 * DAY }),
  fc.constantFrom(240_000, 3_600_000, 5_760_000, 86_400_000),
);
const step: fc.Arbitrary<Step> = fc.record({
  owner: fc.constantFrom(...OWNERS),
  laterMs,
  amount: fc.oneof(fc.nat({ max: 255 }), fc.nat({ max: 40_000 }), fc.nat({ max: 20_000_000 })),
  uses: fc.constantFrom(1, 1, 1, 0),
  counted: fc.array(fc.boolean(), { minLength: keys.length, maxLength: keys.length }),
});

/** The contents of the row after an event, from those before and the event: what the table does when it writes a row anew. */
function rewritten(before: Uint8Array, changes: CounterChanges, timeMs: number): Uint8Array {
  const out = new Uint8Array(VELOCITY_ROW_BYTES_MAX);
  const reader = new CounterReader();
  reader.attach(before, 1, before.length);
  let at = 1;
  let counters = 0;
  const put = (end: number): void => {
    if (end > at) counters++;
    at = end;
  };
  let more = before.length > 0 && reader.advance();
  for (let i = 0; more || i < changes.count; ) {
    const oldKey = more ? reader.numbers[KEY]! : Number.POSITIVE_INFINITY;
    const key = i < changes.count ? changes.key[i]! : Number.POSITIVE_INFINITY;
    if (oldKey < key) {
      const survivors = reader.survivors(reader.numbers[NEWEST]!, oldestLive(oldKey, timeMs));
      if (survivors > 0) put(writeSurvivors(reader, survivors, out, at));
    } else {
      const end = oldKey === key ? writeAddition(reader, changes, i, out, at) : -1;
      if (end >= 0) put(end);
      else {
        const buckets = new CounterBuckets();
        if (oldKey === key) buckets.load(reader);
        buckets.add(changes.bucket[i]!, changes.amount[i]!, changes.uses[i]!, isFixed(key));
        buckets.prune(oldestLive(key, timeMs));
        put(buckets.write(out, at, key));
      }
      i++;
    }
    if (oldKey <= key) more = reader.advance();
  }
  out[0] = counters;
  return counters === 0 ? new Uint8Array(0) : out.subarray(0, at);
}

function contents(table: VelocityTable, owner: number): Uint8Array {
  if (!table.exists(owner)) return new Uint8Array(0);
  const bytes = new Uint8Array(VELOCITY_ROW_BYTES_MAX + ROW_HEAD_BYTES);
  const cursor = new RowCursor().attach(bytes, 0);
  table.writeRow(owner, cursor);
  return bytes.slice(ROW_HEAD_BYTES, cursor.at);
}

function changesOf({ owner, amount, uses, counted }: Step, timeMs: number): CounterChanges {
  const changes = new CounterChanges();
  keys.forEach((key, i) => {
    if (counted[i]) changes.add(owner, key, bucketOf(key, timeMs), amount, uses);
  });
  changes.sort();
  return changes;
}

function sameSums(table: VelocityTable, owner: number, timeMs: number): void {
  const buckets = Float64Array.from(keys, (key) => bucketOf(key, timeMs));
  const live = new Map<number, readonly number[]>();
  table.counters(owner, timeMs, (key, bucket, amount, count) => live.set(key, [bucket, amount, count]));
  const amounts = new Float64Array(keys.length);
  const counts = new Float64Array(keys.length);
  table.read(owner, Float64Array.from(keys), buckets, amounts, counts);
  keys.forEach((key, place) => {
    const [bucket, ...held] = live.get(key) ?? [buckets[place]!, 0, 0];
    if (bucket === buckets[place]) expect([amounts[place], counts[place]]).toEqual(held);
  });
}

test('has the bytes, the sums and the digest of the row written anew, whatever time passes between uses', () => {
  const stream = fc.array(step, { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(fc.constantFrom(...STARTS), stream, (start, steps) => {
      const digest = new StateDigest();
      const table = new VelocityTable(digest, TABLE);
      const expected = new Map<number, Uint8Array>();
      let timeMs = start;
      for (const [i, one] of steps.entries()) {
        timeMs += one.laterMs;
        const changes = changesOf(one, timeMs);
        if (changes.count === 0) continue;
        table.apply(changes, timeMs, i + 1);
        expected.set(one.owner, rewritten(expected.get(one.owner) ?? new Uint8Array(0), changes, timeMs));
        for (const [owner, bytes] of expected) expect([...contents(table, owner)], `event ${i}`).toEqual([...bytes]);
        sameSums(table, one.owner, timeMs);
      }
      // A table that takes the rows from a checkpoint hashes what it was given.
      const other = new StateDigest();
      const again = new VelocityTable(other, TABLE);
      for (const owner of expected.keys()) {
        const bytes = new Uint8Array(VELOCITY_ROW_BYTES_MAX + ROW_HEAD_BYTES);
        const cursor = new RowCursor().attach(bytes, 0);
        table.writeRow(owner, cursor);
        again.readRow(owner, new RowCursor().attach(bytes, 0), cursor.at);
      }
      expect([other.high, other.low]).toEqual([digest.high, digest.low]);
    }),
    { numRuns: 600 },
  );
});

test('a row that is longer for a moment, a counter growing before another shrinks, leaves its neighbour alone', () => {
  const [minute, , hour] = trailing;
  const much = 2 ** 50;
  const leaves = trailingStart(3600, trailingBucket(3600, STARTS[0]!) + TRAILING_BUCKETS);
  const first = STARTS[0]!;
  let exact = 0;
  // One of these widths of another counter makes the row end with its block.
  for (let width = 1; width <= 6; width++) {
    const table = new VelocityTable(new StateDigest(), TABLE);
    let sequence = 0;
    const event = (
      owner: number,
      timeMs: number,
      counted: readonly (readonly [key: number, amount: number])[],
    ): void => {
      const changes = new CounterChanges();
      for (const [key, amount] of counted) changes.add(owner, key, bucketOf(key, timeMs), amount, 1);
      changes.sort();
      table.apply(changes, timeMs, ++sequence);
    };
    for (const owner of OWNERS) event(owner, first, [[hour!.key, much]]);
    for (const owner of OWNERS) event(owner, first + 600_000, [[hour!.key, much]]);
    for (const owner of OWNERS) {
      event(owner, leaves - 10_000, [
        [minute!.key, much],
        [lifetime, 256 ** width - 1],
      ]);
    }
    const before = OWNERS.map((owner) => contents(table, owner));
    if (before[0]!.length % 8 === 0) exact++;
    event(OWNERS[0]!, leaves + 10_000, [[minute!.key, 5]]);
    expect(contents(table, OWNERS[0]!)).toHaveLength(before[0]!.length);
    expect([...contents(table, OWNERS[1]!)]).toEqual([...before[1]!]);
  }
  expect(exact).toBe(1);
});
