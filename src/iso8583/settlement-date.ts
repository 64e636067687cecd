/** DE15, the settlement date: MMDD without a year. */
import { dateDay } from '../domain/calendar.js';
import type { Decoder } from './decoder.js';

const SETTLEMENT_DATE = 15;

/** No DE15 in the message; its content is no date. */
export const NO_DATE = -1;
export const BAD_DATE = -2;

/** DE15 of a decoded message in the year that puts it nearest to the day `near`: days since 1970, NO_DATE or BAD_DATE. */
export function settlementDay(decoder: Decoder, near: number): number {
  if (!decoder.has(SETTLEMENT_DATE)) return NO_DATE;
  const day = dateDay(decoder.digits(SETTLEMENT_DATE), near);
  return day < 0 ? BAD_DATE : day;
}
