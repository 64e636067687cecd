/** Dates of clearing files: no century, and in CTF no year. Days are days since 1970-01-01. */
import { civilOfDay, daysFromCivil, daysInMonth } from '../domain/calendar.js';

/** Day of YYMMDD as an integer, in this century; -1 when it is no date. */
export function dayOfDate(date: number): number {
  if (date < 0) return -1;
  const year = 2000 + Math.floor(date / 10_000);
  const month = Math.floor(date / 100) % 100;
  const day = date % 100;
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year * 12 + month - 1)) return -1;
  return daysFromCivil(year, month, day);
}

/** Six digits YYMMDD of a day. */
export function dateOfDay(day: number): string {
  const civil = civilOfDay(day);
  const month = civil >> 5;
  return pad2(Math.floor(month / 12) % 100) + pad2((month % 12) + 1) + pad2(civil & 31);
}

/** Seconds of the day of hhmmss as an integer; -1 when it is no time. */
export function secondsOfTime(time: number): number {
  const hours = Math.floor(time / 10_000);
  const minutes = Math.floor(time / 100) % 100;
  const seconds = time % 100;
  return time < 0 || hours > 23 || minutes > 59 || seconds > 59 ? -1 : hours * 3600 + minutes * 60 + seconds;
}

/** Six digits hhmmss. */
export function timeOfSeconds(seconds: number): string {
  return pad2(Math.floor(seconds / 3600)) + pad2(Math.floor(seconds / 60) % 60) + pad2(seconds % 60);
}

const pad2 = (value: number): string => String(value).padStart(2, '0');
