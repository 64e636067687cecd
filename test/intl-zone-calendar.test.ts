/** Begins of local days by the tz database, against the local date of every minute around them. */
import { describe, expect, test } from 'vitest';
import { IntlZoneCalendar } from '#src/intl-zone-calendar.js';

const DAY = 86_400_000;
const calendar = new IntlZoneCalendar();
const dayOf = (date: string): number => Date.parse(`${date}T00:00:00Z`) / DAY;

/** The first minute whose local date is the given one or later, by asking for the date of every minute. */
function firstMinute(zone: string, date: string): number {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  });
  const midnight = Date.parse(`${date}T00:00:00Z`);
  for (let minute = midnight - 16 * 3_600_000; ; minute += 60_000) if (format.format(minute) >= date) return minute;
}

describe('begin of a local day', () => {
  test.each([
    ['UTC', '2026-05-20', '2026-05-20T00:00:00.000Z'],
    ['Asia/Kolkata', '2026-05-20', '2026-05-19T18:30:00.000Z'],
    ['Asia/Kathmandu', '2026-05-20', '2026-05-19T18:15:00.000Z'],
    // Clocks change at two in the night: the day begins as always, its length differs.
    ['America/New_York', '2026-03-08', '2026-03-08T05:00:00.000Z'],
    ['America/New_York', '2026-03-09', '2026-03-09T04:00:00.000Z'],
    ['America/New_York', '2026-11-01', '2026-11-01T04:00:00.000Z'],
    ['America/New_York', '2026-11-02', '2026-11-02T05:00:00.000Z'],
    // No midnight: at 24:00 it was one o'clock.
    ['America/Sao_Paulo', '2018-11-04', '2018-11-04T03:00:00.000Z'],
    ['America/Sao_Paulo', '2018-11-05', '2018-11-05T02:00:00.000Z'],
    // The last hour of the 17th came twice.
    ['America/Sao_Paulo', '2018-02-17', '2018-02-17T02:00:00.000Z'],
    ['America/Sao_Paulo', '2018-02-18', '2018-02-18T03:00:00.000Z'],
    // Brazil has had no summer time since 2019.
    ['America/Sao_Paulo', '2026-11-04', '2026-11-04T03:00:00.000Z'],
    // Half an hour of summer time.
    ['Australia/Lord_Howe', '2026-04-05', '2026-04-04T13:00:00.000Z'],
    ['Australia/Lord_Howe', '2026-04-06', '2026-04-05T13:30:00.000Z'],
    ['Australia/Lord_Howe', '2026-10-04', '2026-10-03T13:30:00.000Z'],
    ['Australia/Lord_Howe', '2026-10-05', '2026-10-04T13:00:00.000Z'],
    // The date that Samoa skipped begins when the next one does: it is empty.
    ['Pacific/Apia', '2011-12-29', '2011-12-29T10:00:00.000Z'],
    ['Pacific/Apia', '2011-12-30', '2011-12-30T10:00:00.000Z'],
    ['Pacific/Apia', '2011-12-31', '2011-12-30T10:00:00.000Z'],
    ['Pacific/Apia', '2012-01-01', '2011-12-31T10:00:00.000Z'],
    // One minute after midnight the clocks went back an hour: the first midnight begins the day.
    ['America/St_Johns', '2010-11-07', '2010-11-07T02:30:00.000Z'],
    // At one the clocks go back to midnight.
    ['America/Havana', '2026-11-01', '2026-11-01T04:00:00.000Z'],
    ['America/Havana', '2026-03-08', '2026-03-08T05:00:00.000Z'],
  ])('%s %s is %s', (zone, date, begins) => {
    const start = calendar.startOfDay(zone, dayOf(date));
    expect(new Date(start).toISOString()).toBe(begins);
    expect(start).toBe(firstMinute(zone, date));
  });

  test('fits the date of every minute around all changes of a year', () => {
    const zones = [
      'Africa/Cairo',
      'Africa/Casablanca',
      'America/Asuncion',
      'Asia/Beirut',
      'Atlantic/Azores',
      'Europe/Berlin',
      'Pacific/Chatham',
      'Pacific/Kiritimati',
    ];
    for (const zone of zones) {
      for (let day = dayOf('2024-01-01'); day < dayOf('2025-01-01'); day++) {
        const start = calendar.startOfDay(zone, day);
        const length = calendar.startOfDay(zone, day + 1) - start;
        if (length === DAY && day % 61 !== 0) continue;
        expect(start, zone).toBe(firstMinute(zone, new Date(day * DAY).toISOString().slice(0, 10)));
      }
    }
  });
});

describe('names of zones', () => {
  test.each([
    ['America/Sao_Paulo', true],
    ['america/sao_paulo', true],
    ['Etc/GMT+3', true],
    ['EST5EDT', true],
    ['Sao_Paulo', false],
    ['America/Atlantis', false],
    ['+05:30', false],
    ['', false],
    ['UTC; drop', false],
    ['9999990000000000', false],
  ])('%s: %s', (zone, known) => {
    expect(calendar.knows(zone)).toBe(known);
    if (!known) expect(() => calendar.startOfDay(zone, 0)).toThrow(RangeError);
  });
});
