/**
 * DE95 of a reversal in the account's currency: what stays of all of an authorization, or of one part of it that was posted, in the reversal's
 * DE49, or without one in that of the authorization. An amount in the account's currency is taken as it is, one in the authorization's at the
 * rate of the original (DE6 / DE4 of the authorization, of the 0220 that posted all of it, or of the part that is named), whatever rate other
 * words had; so as much as is authorized in the acquirer's currency, or more, takes nothing back. One in a third currency is taken at the
 * reversal's own rate; without a rate nothing is taken back. Half a minor unit is rounded up; the approved DE4 of a partial approval was rounded down.
 */
import { AMOUNT_MAX } from '../limits.js';
import type { MessageInput } from './message.js';
import { mulDivHalfUp } from './money.js';

const MONEY_MAX = Number.MAX_SAFE_INTEGER;

/** An amount in both currencies, minor units. */
export interface Rate {
  /** DE4. */
  readonly asked: number;
  /** The same in the account's currency; 0 without a rate. */
  readonly billed: number;
}

/** @param account currency of the account, ISO 4217 numeric */
export const rateOf = (input: MessageInput, account: number): Rate => ({
  asked: input.amount,
  billed: billedBy(input, account),
});

/** What a partial reversal is about. */
export interface Original {
  readonly rate: Rate;
  /** DE49 of the authorization, and the currency of its account. */
  readonly currency: number;
  readonly account: number;
  /** What stands of it in the acquirer's currency, minor units. */
  readonly authorized: number;
}

/** What stays by a partial reversal, minor units of the account's currency; more than any amount when nothing is taken back. */
export function stayingBy(
  { replacementAmount, currency, amount, billingAmount, billingCurrency }: MessageInput,
  original: Original,
): number {
  const told = currency >= 0 ? currency : original.currency;
  if (told === original.account) return replacementAmount;
  if (told !== original.currency)
    return converted(replacementAmount, billingCurrency === original.account ? billingAmount : 0, amount);
  if (replacementAmount >= original.authorized) return MONEY_MAX;
  return converted(replacementAmount, original.rate.billed, original.rate.asked);
}

/** DE4, or DE6 of a foreign one; 0 without a DE6 in the account's currency. */
function billedBy({ amount, currency, billingAmount, billingCurrency }: MessageInput, account: number): number {
  if (currency === account) return amount;
  return billingCurrency === account ? billingAmount : 0;
}

/** An amount at a rate; more than any amount when there is none, or the result would be no amount. */
function converted(amount: number, billed: number, asked: number): number {
  if (!(asked > 0) || !(billed > 0)) return AMOUNT_MAX;
  if ((amount / asked) * billed > MONEY_MAX / 2) return MONEY_MAX;
  return mulDivHalfUp(amount, billed, asked);
}
