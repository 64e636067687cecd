/**
 * What one message adds to the totals of its acquirer's business date, told from the event alone, so that it is the same in
 * every replay (docs/decisions/0021-business-dates-and-totals.md).
 *
 *   0200, 0220 approved   credit or debit: one more, and its amount; an inquiry or a verification: one more inquiry; a 0220 that
 *                         tells another amount of what is counted: that amount in the place of the other, and none more
 *   0400, 0420            that posted back: one more reversal of its sort, and its amount
 *   0100, 0120 approved   an inquiry: one more inquiry; anything else: one more authorization
 *
 * Amounts are those of the acquirer: DE4 in DE49, of a partial approval the approved DE4. All reversals of a posting together
 * take back what stands and no more: a partial one what stood less what stays (DE95), a full one what stood. A message of a
 * date outside of what is kept counts nowhere.
 */
import { TOTALS_DAYS_AHEAD, TOTALS_DAYS_KEPT } from '../limits.js';
import { ElementKind, EventKind, Response } from './codes.js';
import type { MessageEvent, Posting } from './events.js';
import type { History } from './history.js';
import type { IndexKeys } from './index-keys.js';
import { Gl } from './ledger/chart.js';
import { classOf, type MessageInput, Text } from './message.js';
import { mulDivHalfUp } from './money.js';
import { approves, isChange, isStandIn } from './originals.js';
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

/** What is added to totals. */
export interface Counted extends TotalsKey {
  /** Minor units of `currency`; 0 for what has no amount. */
  readonly amount: number;
  /** It corrects the amount of what is counted, by this much, up or down. */
  readonly isCorrection?: boolean;
}

/** One message in the totals. */
export interface CountedMessage extends TotalsKey {
  total: Total;
  /** Minor units of `currency`; 0 for what has no amount. */
  amount: number;
}

/** What a message counts; reused. */
export class Contribution implements TotalsKey {
  link = 0;
  acquirer = 0;
  day = 0;
  currency = 0;
  /** -1: the message counts nowhere. */
  total: Total | -1 = -1;
  /** Minor units of `currency`; 0 for what has no amount. */
  amount = 0;
  isCorrection = false;

  /** As plain data; undefined when the message counts nowhere. Cold paths only. */
  toMessage(): CountedMessage | undefined {
    const { link, acquirer, day, currency, total, amount } = this;
    return total === -1 ? undefined : { link, acquirer, day, currency, total, amount };
  }

  /** Fills it from an event. `accountCurrency`: of the event's account, for a reversal that names none. */
  read(event: MessageEvent, accountCurrency: number): this {
    const { input } = event;
    this.total = event.accountSlot < 0 || !isKept(input.businessDay, event.timeMs) ? -1 : totalOf(event);
    if (this.total === -1) return this;
    this.link = input.link;
    this.acquirer = Math.max(0, textNumber(input, Text.acquirer));
    this.day = input.businessDay;
    this.currency = input.currency >= 0 ? input.currency : accountCurrency;
    this.amount = this.total < TOTAL_AMOUNTS ? amountOf(event, accountCurrency) : 0;
    this.isCorrection = event.element === ElementKind.completion && event.takenBack > 0;
    if (this.isCorrection) this.amount -= event.takenBack;
    return this;
  }
}

function totalOf(event: MessageEvent): Total | -1 {
  const { input } = event;
  const sort = sortOf(input);
  const messageClass = classOf(input.mti);
  if (messageClass === REVERSAL) {
    return reversalOf(event);
  }
  if (messageClass > FINANCIAL) return -1;
  if (sort === Sort.inquiry) return event.response === Response.approved ? Total.inquiry : -1;
  if (!approves(event) && event.takenBack <= 0) return -1;
  if (messageClass !== FINANCIAL) return Total.authorization;
  if (tellsOfCounted(event)) return -1;
  if (sort === Sort.verification || (input.amount === 0 && event.takenBack <= 0)) return Total.inquiry;
  return sort === Sort.credit ? Total.credit : Total.debit;
}

/** A 0220 of stand-in that posted nothing: it tells of a 0200 that is counted. */
const tellsOfCounted = ({ element, input, postings }: MessageEvent): boolean =>
  element === ElementKind.completion && isStandIn(input) && postings.count === 0;

/** True when a 0220 that is not counted itself tells of the single message at `root`, or corrects its amount. */
export function isTold(history: History, keys: IndexKeys, root: number): boolean {
  keys.elementsKey(root);
  const found = history.find(keys.high, keys.low);
  for (let i = 0; i < found.count; i++) {
    if (!history.isMessage(found.sequences[i]!)) continue;
    const event = history.read(found.sequences[i]!);
    if (event.originalSequence !== root || classOf(event.input.mti) !== FINANCIAL) continue;
    if (event.element === ElementKind.completion && event.takenBack > 0) return true;
    if (approves(event) && tellsOfCounted(event)) return true;
  }
  return false;
}

/** By what is posted back, whatever DE3 says, which a reversal may leave out: of a debit the network's leg is positive. */
function reversalOf({ postings }: MessageEvent): Total | -1 {
  for (let i = 0; i < postings.count; i++) {
    if (postings.glAccount[i] !== Gl.network) continue;
    return postings.amount[i]! > 0 ? Total.debitReversal : Total.creditReversal;
  }
  return -1;
}

/** What the network gives (D) or gets by a roll-back, minor units of the account's currency. */
const rolledBackLeg = (postings: readonly Posting[]): number =>
  postings.find(({ glAccount }) => glAccount === Gl.network)?.amount ?? 0;

/** Minor units of DE49. */
function amountOf(event: MessageEvent, accountCurrency: number): number {
  const { input, response, approvedAmount } = event;
  if (classOf(input.mti) === REVERSAL) return event.takenBack >= 0 ? event.takenBack : toldBack(input);
  if (response !== Response.partial) return input.amount;
  return input.currency === accountCurrency ? approvedAmount : inMerchantCurrency(input, approvedAmount);
}

/** What a reversal takes back by its own words. */
function toldBack({ amount, replacementAmount }: MessageInput): number {
  return replacementAmount > 0 ? Math.max(0, amount - replacementAmount) : Math.max(0, amount);
}

/**
 * Notes in a reversal what it takes back, where its own words say something else: part was taken back before, DE4 is what was
 * asked for and not what was approved, or there is none.
 * @param stood `standingAmount` of its original before it @param stays what of that stays, minor units of DE49
 */
export function noteTakenBack(out: MessageEvent, stood: number, stays: number): void {
  const back = Math.max(0, stood - stays);
  out.takenBack = back === toldBack(out.input) ? -1 : back;
}

/** What stands posted for the authorization at `root` in the acquirer's currency (DE49), minor units: `Standing` is in the account's. */
export function standingAmount(history: History, keys: IndexKeys, root: number, accountCurrency: number): number {
  const authorization = history.read(root);
  let stood = postedAmount(authorization, accountCurrency);
  /** As `stood`, by the legs: minor units of the account's currency. */
  let posted = authorization.postings.on(Gl.network);
  const { currency } = authorization.input;
  keys.elementsKey(root);
  const found = history.find(keys.high, keys.low);
  for (let i = 0; i < found.count; i++) {
    const at = found.sequences[i]!;
    // An index may hand a sequence out twice.
    if (i > 0 && found.sequences[i - 1] === at) continue;
    if (!history.isMessage(at)) {
      const event = history.readEvent(at);
      if (event?.kind !== EventKind.notDelivered || event.authorizationSequence !== root) continue;
      const stands = posted + rolledBackLeg(event.postings);
      if (stands !== posted) stood = mulDivHalfUp(stood, Math.abs(stands), Math.abs(posted));
      posted = stands;
      continue;
    }
    const event = history.read(at);
    if (event.originalSequence !== root) continue;
    stood = standingAfter(event, stood, currency, accountCurrency);
    posted += event.postings.on(Gl.network);
  }
  return Math.max(0, stood);
}

/** What stands after one element of an authorization. */
function standingAfter(event: MessageEvent, stood: number, currency: number, accountCurrency: number): number {
  switch (event.element) {
    case ElementKind.reversal: {
      if (event.postings.count === 0) return stood;
      const told = event.input.currency;
      if (told < 0 || told === currency) return stood - amountOf(event, accountCurrency);
      // In another currency than what it reverses: by as much of it as went back of the account's.
      const back = Math.abs(event.postings.on(Gl.network));
      return mulDivHalfUp(stood, event.approvedAmount, event.approvedAmount + back);
    }
    case ElementKind.completion:
      // One that told of a decline or of what we had decided, or came after the reversal, has changed nothing.
      if (classOf(event.input.mti) !== FINANCIAL || event.postings.count === 0) return stood;
      // It takes the place of what stood, less what came of that since (`takenBack`), or comes on top.
      if (event.takenBack >= 0) return stood + event.input.amount - event.takenBack;
      return postedAmount(event, accountCurrency) + (isChange(event) ? stood : 0);
    default:
      return stood;
  }
}

/** What a single message posted in the acquirer's currency (DE49), 0 for any other. */
export function postedAmount(event: MessageEvent, accountCurrency: number): number {
  return classOf(event.input.mti) === FINANCIAL && approves(event) ? amountOf(event, accountCurrency) : 0;
}
