/**
 * The cutover of a link to its next business date (0800, DE70 201): decided and made durable here, where the system journal
 * has its one writer, before anybody is told. Decision: docs/decisions/0021-business-dates-and-totals.md.
 */

import { dateDay } from '../domain/calendar.js';
import { utcDayOf } from '../domain/velocity/windows.js';
import { CUTOVER_DAYS_MAX, CUTOVER_SAME_MS } from '../limits.js';
import type { CutoverRequest } from '../link-requests.js';
import type { SystemState } from './system-state.js';

/** Business date of a link: days since 1970. */
export interface LinkDay {
  readonly link: number;
  readonly day: number;
}

/**
 * The link's business day from now on (days since 1970), durable; -1 when the date that was asked for goes back, or more than
 * CUTOVER_DAYS_MAX beyond both the link's date and today, and nothing changes. Nor does it for a repeat, for the date that the link has
 * already, or without a date within CUTOVER_SAME_MS after it has moved: a network may say the same on each of its connections.
 * @throws HoldfastError `commit_failed`: fatal.
 */
export function cutOver(system: SystemState, request: CutoverRequest, nowMs: number): number {
  const { link, name, transmission, stan, settlementDate } = request;
  const last = system.cutover(link);
  if (last !== undefined && last.transmission === transmission && last.stan === stan) return last.day;
  if (last !== undefined && settlementDate < 0 && isSameCutover(last.atMs, nowMs)) return last.day;
  const today = utcDayOf(nowMs);
  const current = last?.day ?? today;
  const day = settlementDate < 0 ? current + 1 : dateDay(settlementDate, current);
  // Before its first cutover a link has no date of its own: it may be a day behind that of UTC.
  const first = last === undefined ? current - 1 : current;
  if (day < first || day > Math.max(current, today) + CUTOVER_DAYS_MAX) return -1;
  if (day !== last?.day) system.write([{ type: 'cutover', link, name, day, transmission, stan, atMs: nowMs }]);
  return day;
}

/** A clock that was set back says nothing: the date moves. */
const isSameCutover = (movedMs: number, nowMs: number): boolean =>
  nowMs >= movedMs && nowMs - movedMs < CUTOVER_SAME_MS;
