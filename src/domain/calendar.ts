/**
 * The few calendar questions of the domain, by integer arithmetic: no Date object per message, no clock, no time zone.
 * Days are counted from 1970-01-01, the calendar is the proleptic Gregorian one (algorithm of days from civil).
 */

const DAY_MS = 86_400_000;

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** Days since 1970-01-01 of a date (month 1-12, day 1-31). */
export function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** The date of a day since 1970-01-01 in one integer: (year * 12 + month - 1) * 32 + day of the month. */
export function civilOfDay(day: number): number {
  const z = day + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return (year * 12 + month - 1) * 32 + dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
}

/** A day since 1970-01-01 as YYYY-MM-DD. */
export function dayText(day: number): string {
  const civil = civilOfDay(day);
  const month = civil >> 5;
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${Math.floor(month / 12)}-${two((month % 12) + 1)}-${two(civil & 31)}`;
}

/** Year and month of a time as year * 12 + (month - 1). */
export function monthNumber(timeMs: number): number {
  return Math.floor(civilOfDay(Math.floor(timeMs / DAY_MS)) / 32);
}

/** Days of a month given as year * 12 + (month - 1). */
export function daysInMonth(month: number): number {
  const ofYear = month % 12;
  return ofYear === 1 && !isLeap(Math.floor(month / 12)) ? 28 : MONTH_DAYS[ofYear]!;
}

/** True when a card with this expiry (YYMM, valid to the end of the month, UTC) is past it at `timeMs`. */
export function isPastExpiry(expiry: number, timeMs: number): boolean {
  const year = 2000 + Math.floor(expiry / 100);
  return monthNumber(timeMs) > year * 12 + (expiry % 100) - 1;
}

/** True when an expiry (DE14, YYMM as an integer) names a month. */
export function isExpiry(expiry: number): boolean {
  return expiry % 100 >= 1 && expiry % 100 <= 12;
}

/** True when MMDD as an integer is a date of some year: 29 February is, 31 April is not. */
export function isDateOfSomeYear(date: number): boolean {
  const month = Math.floor(date / 100);
  return month >= 1 && month <= 12 && date % 100 >= 1 && date % 100 <= MONTH_DAYS[month - 1]!;
}

/** True when hhmmss as an integer is a time of the day: hour 24 and second 60 are not. */
export function isTimeOfDay(time: number): boolean {
  return time >= 0 && time < 240_000 && time % 10_000 < 6000 && time % 100 < 60;
}

/** True when DE7 (MMDDhhmmss as an integer, UTC) is a time of some year. */
export function isTransmission(transmission: number): boolean {
  return isDateOfSomeYear(Math.floor(transmission / 1_000_000)) && isTimeOfDay(transmission % 1_000_000);
}

/**
 * DE7 (MMDDhhmmss as an integer, UTC) as ms since 1970: the year that puts it nearest to `nowMs`, the earlier one on a
 * tie. -1 when it is no date in any of the years around now.
 */
export function transmissionMs(transmission: number, nowMs: number): number {
  if (!isTransmission(transmission)) return -1;
  const month = Math.floor(transmission / 100_000_000);
  const day = Math.floor(transmission / 1_000_000) % 100;
  const hour = Math.floor(transmission / 10_000) % 100;
  const minute = Math.floor(transmission / 100) % 100;
  const second = transmission % 100;
  const thisYear = Math.floor(monthNumber(nowMs) / 12);
  const timeOfDay = ((hour * 60 + minute) * 60 + second) * 1000;
  // 29 February exists in one year of four (of eight around 1900, 2100): then the nearest leap year is meant.
  const reach = month === 2 && day === 29 ? 8 : 1;
  let best = -1;
  for (let year = thisYear - reach; year <= thisYear + reach; year++) {
    if (month === 2 && day === 29 && !isLeap(year)) continue;
    const time = daysFromCivil(year, month, day) * DAY_MS + timeOfDay;
    if (best < 0 || Math.abs(time - nowMs) < Math.abs(best - nowMs)) best = time;
  }
  return best;
}

/**
 * DE15 (MMDD as an integer) as a day since 1970-01-01: the year that puts it nearest to the day `near`, the earlier one on a
 * tie. -1 when it is no date in any of the years around it.
 */
export function dateDay(monthDay: number, near: number): number {
  const time = transmissionMs(monthDay * 1_000_000, near * DAY_MS);
  return time < 0 ? -1 : time / DAY_MS;
}
