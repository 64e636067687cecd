/**
 * DE95 of a reversal in the account's currency. It is in the reversal's DE49, or without one in that of the authorization, of which it
 * speaks as a whole whichever element is named: an amount in the account's currency is taken as it is, one in the authorization's at the rate of that, and one in a third currency at the reversal's
 * own (DE6 / DE4); without a rate nothing is taken back. Half a minor unit is rounded up. The approved DE4 of a partial approval was
 * rounded down, so its way back would give less than what is held: from it on at least what was approved stays.
 */
import { AMOUNT_MAX } from '../limits.js';
import type { MessageEvent } from './events.js';
import type { MessageInput } from './message.js';
import { mulDivFloor, mulDivHalfUp } from './money.js';

const MONEY_MAX = Number.MAX_SAFE_INTEGER;

type Rate = Pick<MessageInput, 'amount' | 'billingAmount' | 'billingCurrency'>;

/** What an original says of the amounts of its reversals; a copy, for events are read into one that is reused. */
export class OriginalRate {
  readonly #rate = { amount: 0, billingAmount: 0, billingCurrency: 0 };
  #account = 0;
  #currency = 0;
  #approved = 0;

  /** @param account currency of its account, ISO 4217 numeric */
  take({ input, approvedAmount }: MessageEvent, account: number): this {
    this.#rate.amount = input.amount;
    this.#rate.billingAmount = input.billingAmount;
    this.#rate.billingCurrency = input.billingCurrency;
    this.#account = account;
    this.#currency = input.currency;
    this.#approved = approvedAmount;
    return this;
  }

  /** What stays authorized by a partial reversal, minor units of the account's currency. */
  staying({ replacementAmount, currency: told, amount, billingAmount, billingCurrency }: MessageInput): number {
    const currency = told >= 0 ? told : this.#currency;
    if (currency === this.#account) return replacementAmount;
    if (currency !== this.#currency)
      return converted(replacementAmount, { amount, billingAmount, billingCurrency }, this.#account);
    const staying = converted(replacementAmount, this.#rate, this.#account);
    if (staying >= AMOUNT_MAX) return staying;
    const approved = mulDivFloor(this.#rate.amount, this.#approved, this.#rate.billingAmount);
    return replacementAmount < approved ? staying : Math.max(staying, this.#approved);
  }
}

/** An amount in DE49 at a rate; more than any amount when there is none, or the result would be no amount. */
function converted(
  replacementAmount: number,
  { amount, billingAmount, billingCurrency }: Rate,
  account: number,
): number {
  if (!(amount > 0) || !(billingAmount > 0) || billingCurrency !== account) return AMOUNT_MAX;
  if ((replacementAmount / amount) * billingAmount > MONEY_MAX / 2) return MONEY_MAX;
  return mulDivHalfUp(replacementAmount, billingAmount, amount);
}
