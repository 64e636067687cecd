/**
 * What one message adds to the totals of its acquirer's business date, told from the event alone, so that it is the same in
 * every replay (docs/decisions/0021-business-dates-and-totals.md).
 *
 *   0200, 0220 approved   credit or debit: one more, and its amount; an inquiry or a verification: one more inquiry
 *   0220                  of what is counted: its amount in the place of that, and none more
 *   0400, 0420            that posted back: one more reversal of its sort, and its amount
 *   0100, 0120 approved   an inquiry: one more inquiry; anything else: one more authorization
 *
 * Amounts are those of the acquirer: DE4 in DE49, of a partial approval the approved DE4. Where the words of a message do not say what it
 * counts the event does (counted.ts). A message of a date outside of what is kept counts nowhere.
 */
import { TOTALS_DAYS_AHEAD, TOTALS_DAYS_KEPT } from '../limits.js';
import { ElementKind, Response } from './codes.js';
import type { MessageEvent } from './events.js';
import { Gl } from './ledger/chart.js';
import { classOf, type MessageInput, Text } from './message.js';
import { approves, isStandIn } from './originals.js';
import { inMerchantCurrency } from './reply-facts.js';
import { textNumber } from './texts.js';
import { Sort, sortOf } from './transaction.js';
import { utcDayOf } from './velocity/windows.js';

/** What is counted; the numbers are part of the formats. The first four have an amount as well. */
export const Total = {
  credit: 0,
  creditReversal: 1,
  debit: 2,
  debitReversal: 3,
  inquiry: 4,
  authorization: 5,
} as const;
export type Total = (typeof Total)[keyof typeof Total];
export const TOTAL_COUNTS = 6;
export const TOTAL_AMOUNTS = 4;

const REVERSAL = 4;
const FINANCIAL = 2;

/** Whose totals, of which date and in which currency. */
export interface TotalsKey {
  /** Number of the link, 0 to 65 535. */
  link: number;
  /** DE32 without leading zeros; 0 without one. */
  acquirer: number;
  /** Business day, days since 1970-01-01. */
  day: number;
  /** ISO 4217 numeric. */
  currency: number;
}

/** True when there are totals of this business day at this time (shard time, ms). */
export function isKept(day: number, timeMs: number): boolean {
  const today = utcDayOf(timeMs);
  return day >= today - TOTALS_DAYS_KEPT && day <= today + TOTALS_DAYS_AHEAD;
}

/** What is added to totals, or taken out. */
export interface Counted extends TotalsKey {
  total: Total;
  /** Messages: 1, or 0 when an amount is corrected. */
  number: number;
  /** Minor units of `currency`, below zero for a correction downwards; 0 for what has no amount. */
  amount: number;
}

/** What a message counts, on whatever date; reused. */
export class Contribution implements TotalsKey {
  link = 0;
  acquirer = 0;
  day = 0;
  currency = 0;
  /** -1: the message counts nowhere. */
  total: Total | -1 = -1;
  number = 0;
  amount = 0;

  /** As plain data; undefined when the message counts nowhere. Cold paths only. */
  toCounted(): Counted | undefined {
    const { link, acquirer, day, currency, total, number, amount } = this;
    return total === -1 ? undefined : { link, acquirer, day, currency, total, number, amount };
  }

  /** Fills it from an event. `accountCurrency`: of the event's account, for a reversal that names none. */
  read(event: MessageEvent, accountCurrency: number): this {
    const { input } = event;
    this.total = event.accountSlot < 0 ? -1 : totalOf(event);
    if (this.total === -1) return this;
    this.link = input.link;
    this.acquirer = Math.max(0, textNumber(input, Text.acquirer));
    this.day = input.businessDay;
    this.currency = input.currency >= 0 ? input.currency : accountCurrency;
    this.number = event.countedNumber < 0 ? 1 : event.countedNumber;
    this.amount = this.total < TOTAL_AMOUNTS ? amountOf(event, accountCurrency) : 0;
    return this;
  }
}

function totalOf(event: MessageEvent): Total | -1 {
  const { input } = event;
  const sort = sortOf(input);
  const messageClass = classOf(input.mti);
  if (messageClass === REVERSAL) return reversalOf(event);
  if (messageClass > FINANCIAL) return -1;
  if (sort === Sort.inquiry) return event.response === Response.approved ? Total.inquiry : -1;
  const isOfItsWords = event.countedNumber < 0;
  if (!approves(event) && isOfItsWords) return -1;
  if (messageClass !== FINANCIAL) return Total.authorization;
  if (isOfItsWords && tellsOfCounted(event)) return -1;
  if (sort === Sort.verification || (isOfItsWords && input.amount === 0)) return Total.inquiry;
  return sort === Sort.credit ? Total.credit : Total.debit;
}

/** A 0220 of stand-in that posted nothing: it tells of a 0200 that is counted. */
const tellsOfCounted = ({ element, input, postings }: MessageEvent): boolean =>
  element === ElementKind.completion && isStandIn(input) && postings.count === 0;

/** By what is posted back, whatever DE3 says, which a reversal may leave out: of a debit the network's leg is positive. */
function reversalOf({ postings }: MessageEvent): Total | -1 {
  for (let i = 0; i < postings.count; i++) {
    if (postings.glAccount[i] !== Gl.network) continue;
    return postings.amount[i]! > 0 ? Total.debitReversal : Total.creditReversal;
  }
  return -1;
}

/** What the words of a message say, or the event; minor units of DE49. */
function amountOf(event: MessageEvent, accountCurrency: number): number {
  if (event.countedNumber >= 0) return event.countedAmount;
  return classOf(event.input.mti) === REVERSAL ? toldBack(event.input) : approvedOf(event, accountCurrency);
}

/** DE4, of a partial approval the approved one; minor units of DE49. */
export function approvedOf({ input, response, approvedAmount }: MessageEvent, accountCurrency: number): number {
  if (response !== Response.partial) return input.amount;
  return input.currency === accountCurrency ? approvedAmount : inMerchantCurrency(input, approvedAmount);
}

/** What a reversal takes back by its own words, minor units of its DE49. */
export function toldBack({ amount, replacementAmount }: MessageInput): number {
  return replacementAmount > 0 ? Math.max(0, amount - replacementAmount) : Math.max(0, amount);
}
