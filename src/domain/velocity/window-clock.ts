/**
 * Which instance of a fixed window a moment belongs to, in the window's time zone.
 *
 * The rules of time zones are no part of the domain: they come through the port `ZoneCalendar` and change with every
 * release of the tz database. Two things keep a replay independent of them: an event holds the bucket numbers that it
 * touched, and a bucket number is the local calendar's (2026-05-20 is day 20 593 in every zone and under every rule), so
 * new rules move the edges of an instance but never rename it.
 *
 * An instance begins at the first moment whose local date is its first day or later. So a day without midnight begins when
 * the clocks have jumped, a repeated midnight begins a day once, and a date that a zone skipped is empty. Weeks, months
 * and years begin with their first day, so one question to the calendar is enough: when does a local day begin.
 *
 * The calendar is asked only when a zone's local day ends. In between a window knows until when its bucket is today's
 * (`CurrentBucket`): two comparisons.
 */
import { assert } from '../../errors.js';
import { civilOfDay } from '../calendar.js';
import { grown } from '../columns.js';
import { firstDay, fixedBucket, trailingBucket, trailingStart, unitOfShape, utcDayOf, WindowUnit } from './windows.js';

const DAY_MS = 86_400_000;

/** Rules of time zones. Implemented outside of the domain (src/intl-zone-calendar.ts). */
export interface ZoneCalendar {
  /** True for a name of the IANA database; upper and lower case are one. */
  knows(zone: string): boolean;
  /** The first moment, in ms since 1970 UTC, whose local date in the zone is `day` (days since 1970-01-01) or later. */
  startOfDay(zone: string, day: number): number;
}

/** Number of the zone UTC in every clock. */
export const UTC_ZONE = 0;
const UTC_NAMES = ['utc', 'etc/utc', 'etc/uct', 'zulu', 'etc/zulu', 'uct'];

/** One spelling per zone name: what definitions of windows are compared by. */
export function zoneKey(zone: string): string {
  const key = zone.toLowerCase();
  return UTC_NAMES.includes(key) ? 'utc' : key;
}

/** An instance of a fixed window: [startMs, endMs), ms since 1970 UTC. A lifetime has neither end. */
export interface WindowBounds {
  startMs: number;
  endMs: number;
}

/** Local days of the zones in use. One per thread: zones are few and their number is bounded by the IANA database. */
export class WindowClock {
  readonly #calendar: ZoneCalendar;
  readonly #unknownZone: (zone: string) => void;
  readonly #names: string[] = ['UTC'];
  readonly #numbers = new Map<string, number>([['utc', UTC_ZONE]]);
  /** Current local day of each zone: [start, end) in ms, days since 1970-01-01, and the date (`civilOfDay`). */
  #start = new Float64Array(8);
  #end = new Float64Array(8);
  #day = new Int32Array(8);
  #civil = new Int32Array(8);

  /** @param unknownZone told, once, of a zone that the calendar does not know: its windows follow UTC */
  constructor(calendar: ZoneCalendar, unknownZone: (zone: string) => void = () => undefined) {
    this.#calendar = calendar;
    this.#unknownZone = unknownZone;
  }

  knows(zone: string): boolean {
    return zoneKey(zone) === 'utc' || this.#calendar.knows(zone);
  }

  /**
   * Number of a zone; the same for every spelling. Controls are checked before they are recorded, but by the tz database of
   * then: another Node may lack a name. A window that begins some hours off limits still; a shard that stops decides nothing.
   */
  zone(name: string): number {
    const key = zoneKey(name);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    if (!this.#calendar.knows(name)) {
      this.#numbers.set(key, UTC_ZONE);
      this.#unknownZone(name);
      return UTC_ZONE;
    }
    const zone = this.#names.length;
    this.#names.push(name);
    this.#numbers.set(key, zone);
    if (zone === this.#start.length) {
      this.#start = grown(this.#start, zone * 2);
      this.#end = grown(this.#end, zone * 2);
      this.#day = grown(this.#day, zone * 2);
      this.#civil = grown(this.#civil, zone * 2);
    }
    return zone;
  }

  /** Bucket of a fixed window at a time (ms since 1970 UTC, not negative). */
  bucket(zone: number, shape: number, timeMs: number): number {
    if (timeMs < this.#start[zone]! || timeMs >= this.#end[zone]!) this.#turn(zone, timeMs);
    return fixedBucket(shape, this.#day[zone]!, this.#civil[zone]!);
  }

  /** Begin and end in ms of the local day that `bucket` was asked about last. */
  dayStart(zone: number): number {
    return this.#start[zone]!;
  }

  dayEnd(zone: number): number {
    return this.#end[zone]!;
  }

  /** Edges of an instance of a fixed window. Asks the calendar: for answers to people, not for decisions. */
  bounds(zone: number, shape: number, bucket: number): WindowBounds {
    if (unitOfShape(shape) === WindowUnit.lifetime) {
      return { startMs: Number.NEGATIVE_INFINITY, endMs: Number.POSITIVE_INFINITY };
    }
    return {
      startMs: this.#startOfDay(zone, firstDay(shape, bucket)),
      endMs: this.#startOfDay(zone, firstDay(shape, bucket + 1)),
    };
  }

  /** Finds the local day of a time: the last one that has begun, at most one day away from UTC's. */
  #turn(zone: number, timeMs: number): void {
    let day = utcDayOf(timeMs) + 1;
    let start = this.#startOfDay(zone, day);
    let end = start;
    while (start > timeMs) {
      end = start;
      day--;
      start = this.#startOfDay(zone, day);
    }
    if (end <= timeMs) end = this.#startOfDay(zone, day + 1);
    assert(start <= timeMs && timeMs < end, `the calendar of ${this.#names[zone]} is in order around ${timeMs}`);
    this.#start[zone] = start;
    this.#end[zone] = end;
    this.#day[zone] = day;
    this.#civil[zone] = civilOfDay(day);
  }

  #startOfDay(zone: number, day: number): number {
    return zone === UTC_ZONE ? day * DAY_MS : this.#calendar.startOfDay(this.#names[zone]!, day);
  }
}

/** The bucket of one window, kept until time leaves it. */
export class CurrentBucket {
  readonly #clock: WindowClock;
  readonly #zone: number;
  readonly #shape: number;
  /** [from, until) in ms in which `#bucket` is right; of a fixed window at most one local day. */
  #from = Number.POSITIVE_INFINITY;
  #until = Number.NEGATIVE_INFINITY;
  #bucket = 0.5;

  constructor(clock: WindowClock, zone: number, shape: number) {
    this.#clock = clock;
    this.#zone = zone;
    this.#shape = shape;
  }

  /** [from, until) in ms in which the bucket that `at` gave last is right. */
  get from(): number {
    return this.#from;
  }

  get until(): number {
    return this.#until;
  }

  /** @param timeMs ms since 1970 UTC, not negative. */
  at(timeMs: number): number {
    if (timeMs < this.#from || timeMs >= this.#until) this.#move(timeMs);
    return this.#bucket;
  }

  /** Edges of an instance of a fixed window; undefined for a trailing one. Asks the calendar, as `WindowClock.bounds` does. */
  bounds(bucket: number): WindowBounds | undefined {
    if (unitOfShape(this.#shape) === WindowUnit.trailing) return undefined;
    return this.#clock.bounds(this.#zone, this.#shape, bucket);
  }

  #move(timeMs: number): void {
    if (unitOfShape(this.#shape) === WindowUnit.trailing) {
      this.#bucket = trailingBucket(this.#shape, timeMs);
      this.#from = trailingStart(this.#shape, this.#bucket);
      this.#until = trailingStart(this.#shape, this.#bucket + 1);
      return;
    }
    this.#bucket = this.#clock.bucket(this.#zone, this.#shape, timeMs);
    this.#from = this.#clock.dayStart(this.#zone);
    this.#until = this.#clock.dayEnd(this.#zone);
  }
}

/** The buckets of several windows, kept until time leaves the first of them. */
export class CurrentBuckets {
  readonly #windows: readonly CurrentBucket[];
  readonly #buckets: Float64Array;
  /** [from, until) in ms in which all of them are right. */
  readonly #span = Float64Array.of(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);

  constructor(windows: readonly CurrentBucket[]) {
    this.#windows = windows;
    this.#buckets = new Float64Array(windows.length);
  }

  /**
   * Puts the bucket of each window at a time into `into`.
   * @param now ms since 1970 UTC, in an array, because a time handed on is an object on the heap
   */
  put(now: Float64Array, into: Float64Array): void {
    if (now[0]! < this.#span[0]! || now[0]! >= this.#span[1]!) this.#move(now[0]!);
    const buckets = this.#buckets;
    for (let i = 0; i < buckets.length; i++) into[i] = buckets[i]!;
  }

  #move(timeMs: number): void {
    const span = this.#span;
    span[0] = Number.NEGATIVE_INFINITY;
    span[1] = Number.POSITIVE_INFINITY;
    for (const [i, window] of this.#windows.entries()) {
      this.#buckets[i] = window.at(timeMs);
      span[0] = Math.max(span[0], window.from);
      span[1] = Math.min(span[1], window.until);
    }
  }
}
