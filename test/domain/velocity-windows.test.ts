/** Edges of windows as tables: which moments share an instance, how long an instance is, what a trailing bucket does. */
import { describe, expect, test } from 'vitest';
import { civilOfDay, daysFromCivil, daysInMonth } from '#src/domain/calendar.js';
import { CurrentBucket, CurrentBuckets, WindowClock, type ZoneCalendar } from '#src/domain/velocity/window-clock.js';
import {
  fixedShape,
  oldestLive,
  shapeOfKey,
  TRAILING_BUCKETS,
  trailingBucket,
  trailingShape,
  trailingStart,
  WindowUnit,
  windowKey,
} from '#src/domain/velocity/windows.js';
import { IntlZoneCalendar } from '#src/intl-zone-calendar.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const { day, week, month, year, lifetime } = WindowUnit;
const clock = new WindowClock(new IntlZoneCalendar());
const NY = 'America/New_York';
const at = (text: string): number => Date.parse(text);

function bucketAt(zone: string, shape: number, timeMs: number): number {
  return new CurrentBucket(clock, clock.zone(zone), shape).at(timeMs);
}

describe('instances of fixed windows', () => {
  const SP = 'America/Sao_Paulo';
  test.each([
    // what                     unit   start   zone    last moment before             first moment of the next
    ['day in UTC', day, 0, 'UTC', '2026-05-20T23:59:59.999Z', '2026-05-21T00:00:00Z'],
    ['day at UTC-3', day, 0, SP, '2026-05-21T02:59:59.999Z', '2026-05-21T03:00:00Z'],
    ['day at UTC+5:30', day, 0, 'Asia/Kolkata', '2026-05-20T18:29:59.999Z', '2026-05-20T18:30:00Z'],
    ['day without midnight', day, 0, SP, '2018-11-04T02:59:59.999Z', '2018-11-04T03:00:00Z'],
    ['day whose last hour came twice', day, 0, SP, '2018-02-18T02:59:59.999Z', '2018-02-18T03:00:00Z'],
    ['day before the skipped date', day, 0, 'Pacific/Apia', '2011-12-30T09:59:59.999Z', '2011-12-30T10:00:00Z'],
    ['day after 29 February', day, 0, 'UTC', '2024-02-29T23:59:59.999Z', '2024-03-01T00:00:00Z'],
    ['week from Monday', week, 1, 'UTC', '2026-05-24T23:59:59.999Z', '2026-05-25T00:00:00Z'],
    ['week from Sunday', week, 7, NY, '2026-03-08T04:59:59.999Z', '2026-03-08T05:00:00Z'],
    ['month', month, 1, 'UTC', '2026-02-28T23:59:59.999Z', '2026-03-01T00:00:00Z'],
    ['month of a leap year', month, 1, 'UTC', '2024-02-29T23:59:59.999Z', '2024-03-01T00:00:00Z'],
    ['month in another zone', month, 1, NY, '2026-03-01T04:59:59.999Z', '2026-03-01T05:00:00Z'],
    ['month from the 15th', month, 15, 'UTC', '2026-02-14T23:59:59.999Z', '2026-02-15T00:00:00Z'],
    ['month from the 31st: 31 January', month, 31, 'UTC', '2026-01-30T23:59:59.999Z', '2026-01-31T00:00:00Z'],
    ['month from the 31st: 28 February', month, 31, 'UTC', '2026-02-27T23:59:59.999Z', '2026-02-28T00:00:00Z'],
    ['month from the 31st: 29 February', month, 31, 'UTC', '2024-02-28T23:59:59.999Z', '2024-02-29T00:00:00Z'],
    ['month from the 31st: 30 April', month, 31, 'UTC', '2026-04-29T23:59:59.999Z', '2026-04-30T00:00:00Z'],
    ['year', year, 33, 'UTC', '2026-12-31T23:59:59.999Z', '2027-01-01T00:00:00Z'],
    ['year in another zone', year, 33, NY, '2027-01-01T04:59:59.999Z', '2027-01-01T05:00:00Z'],
    ['year from 1 April', year, 4 * 32 + 1, 'UTC', '2026-03-31T23:59:59.999Z', '2026-04-01T00:00:00Z'],
    ['year from 29 February: leap', year, 2 * 32 + 29, 'UTC', '2024-02-28T23:59:59.999Z', '2024-02-29T00:00:00Z'],
    ['year from 29 February: common', year, 2 * 32 + 29, 'UTC', '2026-02-27T23:59:59.999Z', '2026-02-28T00:00:00Z'],
  ] as const)('%s', (_what, unit, start, zone, last, first) => {
    const shape = fixedShape(unit, start);
    const before = bucketAt(zone, shape, at(last));
    expect(bucketAt(zone, shape, at(first))).toBeGreaterThan(before);
    expect(clock.bounds(clock.zone(zone), shape, bucketAt(zone, shape, at(first))).startMs).toBe(at(first));
    // The whole instance before is one, from its first to its last moment.
    const { startMs } = clock.bounds(clock.zone(zone), shape, before);
    expect(bucketAt(zone, shape, startMs)).toBe(before);
    expect(bucketAt(zone, shape, startMs - 1)).toBeLessThan(before);
  });

  test.each([
    ['23 h: clocks go forward', day, 0, NY, '2026-03-08T12:00:00Z', 23 * HOUR],
    ['25 h: clocks go back', day, 0, NY, '2026-11-01T12:00:00Z', 25 * HOUR],
    ['23.5 h', day, 0, 'Australia/Lord_Howe', '2026-10-04T00:00:00Z', 23.5 * HOUR],
    ['24.5 h', day, 0, 'Australia/Lord_Howe', '2026-04-05T00:00:00Z', 24.5 * HOUR],
    ['23 h without midnight', day, 0, SP, '2018-11-04T12:00:00Z', 23 * HOUR],
    ['25 h', day, 0, SP, '2018-02-17T12:00:00Z', 25 * HOUR],
    ['a week with a day of 23 h', week, 1, NY, '2026-03-08T12:00:00Z', 7 * DAY - HOUR],
    ['a week without its Friday', week, 1, 'Pacific/Apia', '2011-12-30T12:00:00Z', 6 * DAY],
    ['February', month, 1, 'UTC', '2026-02-10T00:00:00Z', 28 * DAY],
    ['February in a leap year', month, 1, 'UTC', '2024-02-10T00:00:00Z', 29 * DAY],
    ['from 31 January to 27 February', month, 31, 'UTC', '2026-02-10T00:00:00Z', 28 * DAY],
    ['from 28 February to 30 March', month, 31, 'UTC', '2026-03-10T00:00:00Z', 31 * DAY],
    ['a leap year', year, 33, 'UTC', '2024-05-01T00:00:00Z', 366 * DAY],
    ['a year in which the summers are alike', year, 33, NY, '2026-05-01T00:00:00Z', 365 * DAY],
  ] as const)('%s', (_what, unit, start, zone, moment, length) => {
    const shape = fixedShape(unit, start);
    const { startMs, endMs } = clock.bounds(clock.zone(zone), shape, bucketAt(zone, shape, at(moment)));
    expect(endMs - startMs).toBe(length);
    expect(startMs).toBeLessThanOrEqual(at(moment));
    expect(endMs).toBeGreaterThan(at(moment));
  });

  test('a lifetime has one instance', () => {
    const shape = fixedShape(lifetime, 0);
    expect(bucketAt('UTC', shape, 0)).toBe(1);
    expect(bucketAt('UTC', shape, at('2199-12-31T00:00:00Z'))).toBe(1);
    const { startMs, endMs } = clock.bounds(0, shape, 1);
    expect([startMs, endMs]).toEqual([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });

  test('numbers follow the local calendar, whatever the zone: new rules of a zone rename no instance', () => {
    const numbers = (zone: string): number[] =>
      [fixedShape(day, 0), fixedShape(week, 1), fixedShape(month, 1), fixedShape(year, 33)].map((shape) =>
        bucketAt(zone, shape, clock.bounds(clock.zone(zone), fixedShape(day, 0), 20_594).startMs),
      );
    // 20 May 2026: day 20 593 since 1970, week 2 942 from Monday, 29 December 1969, month 676, year 56; each plus one.
    for (const zone of ['UTC', 'Asia/Kolkata', NY, 'Pacific/Kiritimati']) {
      expect(numbers(zone), zone).toEqual([20_594, 2943, 677, 57]);
    }
  });

  test('every day of 400 years has the date that JavaScript gives it', () => {
    for (let d = daysFromCivil(1900, 1, 1); d < daysFromCivil(2300, 1, 1); d += 3) {
      const date = new Date(d * DAY);
      const monthNumber = date.getUTCFullYear() * 12 + date.getUTCMonth();
      expect(civilOfDay(d)).toBe(monthNumber * 32 + date.getUTCDate());
      expect(daysInMonth(monthNumber)).toBe(
        new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate(),
      );
    }
  });
});

describe('trailing windows', () => {
  test.each([10, 11, 59, 3600, 86_400, 31 * 86_400])(
    '%i s: an amount counts until its whole bucket has left',
    (seconds) => {
      const length = seconds * 1000;
      for (let i = 0; i < 2000; i++) {
        const then = 1_779_278_400_000 + Math.floor((i * length) / 131);
        const bucket = trailingBucket(seconds, then);
        const start = trailingStart(seconds, bucket);
        const end = trailingStart(seconds, bucket + 1);
        expect(start <= then && then < end, `${then}`).toBe(true);
        // The last moment at which it counts is the one before the end of its bucket is `length` ago.
        const counts = (now: number): boolean => trailingBucket(seconds, now) - bucket < TRAILING_BUCKETS;
        const lastMs = Math.ceil(((bucket + 1) * length) / 15 + length) - 1;
        expect(counts(then + length)).toBe(true);
        expect(counts(lastMs)).toBe(true);
        expect(counts(lastMs + 1)).toBe(false);
        expect(lastMs - then).toBeLessThanOrEqual((length * 16) / 15);
      }
    },
  );

  test('buckets of several windows kept together are those of each, forwards and back', () => {
    const shapes = [10, 3600, 86_400]
      .map(trailingShape)
      .concat(fixedShape(WindowUnit.day, 0), fixedShape(WindowUnit.month, 31));
    const zone = clock.zone(NY);
    const together = new CurrentBuckets(shapes.map((shape) => new CurrentBucket(clock, zone, shape)));
    const into = new Float64Array(shapes.length);
    let now = 1_779_278_400_000;
    for (let i = 0; i < 3000; i++) {
      together.put(Float64Array.of(now), into);
      expect([...into]).toEqual(shapes.map((shape) => new CurrentBucket(clock, zone, shape).at(now)));
      now += (i % 5 === 4 ? -1 : 1) * (1 + (i % 13) * (i % 17) * 700);
    }
  });

  test('a kept bucket is the computed one at every edge', () => {
    for (const seconds of [10, 11, 13, 86_399]) {
      const bucket = new CurrentBucket(clock, 0, trailingShape(seconds));
      let now = 1_779_278_400_000;
      for (let i = 0; i < 5000; i++, now += 1 + (i % 7) * (i % 11) * seconds) {
        for (const moment of [now, trailingStart(seconds, trailingBucket(seconds, now)) - 1, now + 1]) {
          expect(bucket.at(moment)).toBe(trailingBucket(seconds, moment));
        }
      }
    }
  });
});

describe('keys', () => {
  test('are safe integers that keep their shape, trailing below fixed ones', () => {
    const shapes = [10, 86_400, 31 * 86_400].map(trailingShape);
    const fixed = [day, week, month, year, lifetime].map((unit) => fixedShape(unit, unit === year ? 12 * 32 + 31 : 0));
    const keys = [...shapes, ...fixed].map((shape) => windowKey(shape, 'approvals|utc'));
    expect(keys.every(Number.isSafeInteger)).toBe(true);
    expect(keys.map(shapeOfKey)).toEqual([...shapes, ...fixed]);
    expect([...keys].sort((a, b) => a - b)).toEqual(keys);
    expect(windowKey(10, 'a')).not.toBe(windowKey(10, 'b'));
  });

  test('what may be live somewhere on earth is not called past', () => {
    const now = at('2026-03-01T10:30:00Z');
    for (const [unit, start] of [
      [day, 0],
      [week, 7],
      [month, 1],
      [month, 31],
      [year, 3 * 32 + 1],
      [lifetime, 0],
    ] as const) {
      const shape = fixedShape(unit, start);
      const oldest = oldestLive(windowKey(shape, ''), now);
      const everywhere = ['Etc/GMT+12', 'UTC', 'Pacific/Kiritimati'].map((zone) => bucketAt(zone, shape, now));
      expect(Math.min(...everywhere)).toBe(oldest);
    }
    expect(oldestLive(windowKey(60, ''), now)).toBe(trailingBucket(60, now) - 15);
  });
});

describe('the clock', () => {
  test('asks the calendar once per local day and zone', () => {
    let asked = 0;
    const inner = new IntlZoneCalendar();
    const counting: ZoneCalendar = {
      knows: (zone) => inner.knows(zone),
      startOfDay(zone, d) {
        asked++;
        return inner.startOfDay(zone, d);
      },
    };
    const own = new WindowClock(counting);
    const windows = [day, week, month].map((unit) => new CurrentBucket(own, own.zone(NY), fixedShape(unit, 1)));
    const start = at('2026-03-08T05:00:00Z');
    for (let now = start; now < start + 23 * HOUR; now += 60_000) for (const window of windows) window.at(now);
    expect(asked).toBeLessThanOrEqual(4);
    for (const window of windows) window.at(start + 23 * HOUR);
    expect(asked).toBeLessThanOrEqual(8);
    const before = asked;
    for (let now = start; now < start + 5 * DAY; now += HOUR) new CurrentBucket(own, 0, fixedShape(day, 0)).at(now);
    expect(asked).toBe(before);
  });

  test('goes back where time does', () => {
    const bucket = new CurrentBucket(clock, clock.zone(NY), fixedShape(day, 0));
    const noon = at('2026-11-01T17:00:00Z');
    const today = bucket.at(noon);
    expect(bucket.at(noon + DAY)).toBe(today + 1);
    expect(bucket.at(noon - DAY)).toBe(today - 1);
    expect(bucket.at(noon)).toBe(today);
  });

  test('gives a zone one number in every spelling', () => {
    expect(['UTC', 'utc', 'Etc/UTC', 'Zulu'].map((zone) => clock.zone(zone))).toEqual([0, 0, 0, 0]);
    expect(clock.zone('america/new_york')).toBe(clock.zone(NY));
    const told: string[] = [];
    const other = new WindowClock(new IntlZoneCalendar(), (zone) => void told.push(zone));
    // Recorded under another tz database: the windows follow UTC, and it is said once.
    expect([other.zone('Atlantis/Capital'), other.zone('atlantis/capital')]).toEqual([0, 0]);
    expect(told).toEqual(['Atlantis/Capital']);
    for (const zone of Intl.supportedValuesOf('timeZone'))
      expect(clock.bounds(clock.zone(zone), fixedShape(day, 0), 1)).toBeDefined();
  });
});
