/** Times and dates of the messages that no shard reads: network management and totals. MMDD and MMDDhhmmss have no year. */
import { dateDay, isDateOfSomeYear, isTimeOfDay, isTransmission } from '../domain/calendar.js';
import type { Decoder } from './decoder.js';

const TRANSMISSION = 7;
const LOCAL_TIME = 12;
const LOCAL_DATE = 13;
const SETTLEMENT_DATE = 15;

/** Number of the first of DE7, 12, 13 and 15 that is there and can be no time or date; 0 when there is none. */
export function badTimeField(decoder: Decoder): number {
  if (decoder.has(TRANSMISSION) && !isTransmission(decoder.digits(TRANSMISSION))) return TRANSMISSION;
  if (decoder.has(LOCAL_TIME) && !isTimeOfDay(decoder.digits(LOCAL_TIME))) return LOCAL_TIME;
  if (decoder.has(LOCAL_DATE) && !isDateOfSomeYear(decoder.digits(LOCAL_DATE))) return LOCAL_DATE;
  if (decoder.has(SETTLEMENT_DATE) && !isDateOfSomeYear(decoder.digits(SETTLEMENT_DATE))) return SETTLEMENT_DATE;
  return 0;
}

/** DE15 of a decoded message in the year that puts it nearest to the day `near`: days since 1970; -1 when it is absent or no date. */
export function settlementDay(decoder: Decoder, near: number): number {
  return decoder.has(SETTLEMENT_DATE) ? dateDay(decoder.digits(SETTLEMENT_DATE), near) : -1;
}
