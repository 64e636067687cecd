/**
 * What a velocity window is, apart from what it selects and limits: its shape, the key of its counter, and the bucket that
 * a time falls into.
 *
 * Every counter is a row of buckets with rising numbers. A fixed window (day, week, month, year, lifetime) has one live
 * bucket, the current instance. A trailing window of S seconds cuts time into buckets of S/15 seconds and has 16 live
 * ones: an amount counts until its whole bucket has left the last S seconds, so for at least S and at most S * 16/15.
 *
 *   trailing, S = 15 min        bucket:  ... n-16 | n-15 | n-14 |  ...  | n-1 |  n  |
 *                                         left    |<-------- 16 x 1 min, live ------>|
 *
 * Bucket numbers are what events and rows hold, so their meaning is part of the journal's format:
 *   trailing   floor(ms since 1970 / (S * 1000 / 15))
 *   day        1 + days since 1970-01-01, of the local date in the window's zone
 *   week       1 + weeks since the first start day on or before 1970-01-01 (a Thursday)
 *   month      1 + months since January 1970, counted from the start day (31 = the month's last day)
 *   year       1 + years since 1970, counted from the start date (29 February = 28 in other years)
 *   lifetime   1
 */
import { civilOfDay, daysFromCivil, daysInMonth } from '../calendar.js';
import { finishHash, mixString } from '../hash.js';

export const WindowUnit = { trailing: 0, day: 1, week: 2, month: 3, year: 4, lifetime: 5 } as const;
export type WindowUnit = (typeof WindowUnit)[keyof typeof WindowUnit];

/** Live buckets of a trailing window. */
export const TRAILING_BUCKETS = 16;
/** Shortest and longest trailing window in seconds: 10 seconds and 31 days. */
export const TRAILING_SECONDS_MIN = 10;
export const TRAILING_SECONDS_MAX = 31 * 86_400;

const DAY_MS = 86_400_000;
const EPOCH_MONTH = 1970 * 12;
/** Shapes below are the seconds of trailing windows (22 bits); above, unit and start day of fixed ones. */
const FIXED_SHAPES = 2 ** 22;
const UNIT_STEP = 1024;
const HASH_RANGE = 2 ** 30;
const DEFINITION_SEED = 0x2c1b3c6d;
/** Upper 21 bits of a key from which on it is a fixed window's. */
export const FIXED_KEY_HIGH = (FIXED_SHAPES * HASH_RANGE) / 2 ** 32;

/** Shape of a trailing window of `seconds`, 10 to 2 678 400. */
export function trailingShape(seconds: number): number {
  return seconds;
}

/**
 * Shape of a fixed window.
 * @param start where its instances begin. Week: weekday, 1 Monday to 7 Sunday. Month: day 1-31. Year: month * 32 + day. Day
 *   and lifetime: 0.
 */
export function fixedShape(unit: WindowUnit, start: number): number {
  return FIXED_SHAPES + unit * UNIT_STEP + start;
}

export function unitOfShape(shape: number): WindowUnit {
  return shape < FIXED_SHAPES ? WindowUnit.trailing : (((shape - FIXED_SHAPES) >>> 10) as WindowUnit);
}

/**
 * Key of a counter: its shape in the upper 23 bits, 30 bits of a hash over everything else that decides what it counts. A
 * safe integer. Two windows of one owner whose shapes are equal share a key by chance once in 10^9.
 */
export function windowKey(shape: number, definition: string): number {
  return shape * HASH_RANGE + (finishHash(mixString(DEFINITION_SEED, definition)) >>> 2);
}

export const shapeOfKey = (key: number): number => Math.floor(key / HASH_RANGE);

/** Bucket of a trailing window that a time falls into. Exact: 3 * time stays far below 2^53. */
export function trailingBucket(seconds: number, timeMs: number): number {
  return Math.floor((timeMs * 3) / (seconds * 200));
}

/** The first whole ms of a bucket of a trailing window. */
export function trailingStart(seconds: number, bucket: number): number {
  return Math.ceil((bucket * seconds * 200) / 3);
}

/**
 * Bucket (instance) of a fixed window on a local day.
 * @param day days since 1970-01-01 of the local date.
 * @param civil the same date as `civilOfDay` gives it.
 */
export function fixedBucket(shape: number, day: number, civil: number): number {
  const start = (shape - FIXED_SHAPES) & (UNIT_STEP - 1);
  switch (unitOfShape(shape)) {
    case WindowUnit.day:
      return day + 1;
    case WindowUnit.week:
      return Math.floor((day + 4 - start) / 7) + 1;
    case WindowUnit.month: {
      const month = civil >> 5;
      const begun = (civil & 31) >= Math.min(start, daysInMonth(month));
      return month - EPOCH_MONTH + (begun ? 1 : 0);
    }
    case WindowUnit.year: {
      const year = Math.floor((civil >> 5) / 12);
      return year - 1970 + (civil >= yearStart(year, start) ? 1 : 0);
    }
    default:
      return 1;
  }
}

/** First local day, as days since 1970-01-01, of an instance of a day, week, month or year window. */
export function firstDay(shape: number, bucket: number): number {
  const start = (shape - FIXED_SHAPES) & (UNIT_STEP - 1);
  switch (unitOfShape(shape)) {
    case WindowUnit.day:
      return bucket - 1;
    case WindowUnit.week:
      return (bucket - 1) * 7 - 4 + start;
    case WindowUnit.month: {
      const month = EPOCH_MONTH + bucket - 1;
      return dayOf(month * 32 + Math.min(start, daysInMonth(month)));
    }
    case WindowUnit.year:
      return dayOf(yearStart(1970 + bucket - 1, start));
    default:
      throw new RangeError('only calendar windows have a first day');
  }
}

/**
 * The oldest bucket of a counter that can still be live in any time zone: whatever is below is past for certain. A local
 * date is never more than one day behind UTC's.
 */
export function oldestLive(key: number, timeMs: number): number {
  const shape = shapeOfKey(key);
  if (shape < FIXED_SHAPES) return trailingBucket(shape, timeMs) - (TRAILING_BUCKETS - 1);
  const dayBefore = utcDayOf(timeMs) - 1;
  return fixedBucket(shape, dayBefore, civilOfDay(dayBefore));
}

export const utcDayOf = (timeMs: number): number => Math.floor(timeMs / DAY_MS);

/** Start of a year's instance in the form of `civilOfDay`; a day that the month does not have is its last. */
function yearStart(year: number, start: number): number {
  const month = year * 12 + (start >> 5) - 1;
  return month * 32 + Math.min(start & 31, daysInMonth(month));
}

function dayOf(civil: number): number {
  const month = civil >> 5;
  return daysFromCivil(Math.floor(month / 12), (month % 12) + 1, civil & 31);
}
