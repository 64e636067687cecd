/**
 * Time zones by the tz database inside Node's ICU: no data of our own, updated with the runtime. Slow (microseconds per
 * question), so the domain asks only when a local day ends (src/domain/velocity/window-clock.ts).
 */
import type { ZoneCalendar } from './domain/velocity/window-clock.js';

const DAY_MS = 86_400_000;
/** No zone has ever been farther from UTC than 16 hours; two more for a jump on the day itself. */
const REACH_MS = 18 * 3_600_000;
const STEP_MS = 1_800_000;

export class IntlZoneCalendar implements ZoneCalendar {
  /** One formatter per zone in use, about 50 KB each. Only names of the tz database get one, and there are some 600. */
  readonly #formats = new Map<string, Intl.DateTimeFormat>();

  knows(zone: string): boolean {
    return this.#format(zone) !== undefined;
  }

  /** @throws RangeError when the zone is not known. */
  startOfDay(zone: string, day: number): number {
    const format = this.#format(zone);
    if (format === undefined) throw new RangeError('the zone is not in the tz database');
    const midnight = day * DAY_MS;
    const before = offsetMs(format, midnight - REACH_MS);
    const start = midnight - before;
    if (
      before === offsetMs(format, midnight + REACH_MS) &&
      before === offsetMs(format, start) &&
      before === offsetMs(format, start - 1)
    ) {
      return start;
    }
    return searchStart(format, midnight);
  }

  #format(zone: string): Intl.DateTimeFormat | undefined {
    const key = zone.toLowerCase();
    let format = this.#formats.get(key);
    // Newer runtimes take offsets ("+05:30") and abbreviations of their own for zones; the database's names have letters.
    if (format !== undefined || !/^[a-z][a-z0-9_+-]*(\/[a-z0-9_+-]+)*$/.test(key)) return format;
    try {
      format = new Intl.DateTimeFormat('en-US', {
        timeZone: zone,
        calendar: 'gregory',
        numberingSystem: 'latn',
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      });
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
    this.#formats.set(key, format);
    return format;
  }
}

/**
 * The first moment with the local date of `midnight` or a later one, when the zone's offset changes around it: walks over
 * the stretches of one offset. In a stretch the date is reached at midnight minus offset, or has been reached at its begin.
 */
function searchStart(format: Intl.DateTimeFormat, midnight: number): number {
  const limit = midnight + REACH_MS;
  let from = midnight - REACH_MS;
  while (from < limit) {
    const offset = offsetMs(format, from);
    const until = endOfStretch(format, from, offset, limit);
    const start = Math.max(from, midnight - offset);
    if (start < until) return start;
    from = until;
  }
  throw new RangeError('a local day begins within 18 hours of UTC midnight');
}

/** The first moment after `from` at which the offset differs from `offset`, at most `limit`. */
function endOfStretch(format: Intl.DateTimeFormat, from: number, offset: number, limit: number): number {
  let same = from;
  let other = from;
  do {
    if (other >= limit) return limit;
    same = other;
    other = Math.min(limit, other + STEP_MS);
  } while (offsetMs(format, other) === offset);
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2);
    if (offsetMs(format, middle) === offset) same = middle;
    else other = middle;
  }
  return other;
}

/** Local time minus UTC at a moment, in ms. */
function offsetMs(format: Intl.DateTimeFormat, timeMs: number): number {
  const second = Math.floor(timeMs / 1000) * 1000;
  const local = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 };
  for (const { type, value } of format.formatToParts(second)) {
    if (type in local) local[type as keyof typeof local] = Number(value);
  }
  return Date.UTC(local.year, local.month - 1, local.day, local.hour, local.minute, local.second) - second;
}
