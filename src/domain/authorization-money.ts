/**
 * The money that an authorization is told in: the account's, in which it is held and posted, or its acquirer's (DE49), in which totals
 * count it. Minor units.
 */
import { AMOUNT_MAX } from '../limits.js';
import { Response } from './codes.js';
import type { MessageEvent } from './events.js';
import type { MessageInput } from './message.js';
import { mulDivHalfUp } from './money.js';
import { type Original, stayingBy } from './replacement-amount.js';
import { approvedOf } from './totals.js';
import { billedAmount, cashPart } from './transaction.js';

export interface AuthorizationMoney {
  /** Of this authorization; reads it at once, for the history reuses events. @param currency of the account, ISO 4217 numeric */
  of(authorization: MessageEvent, currency: number): void;
  /** What the authorization asks for. */
  readonly asked: number;
  /** What an element approved. */
  approved(event: MessageEvent): number;
  /** What of that is cash. */
  cash(event: MessageEvent): number;
  /** What an advice tells. */
  told(advice: MessageInput): number;
  /** What of that is cash. */
  cashTold(advice: MessageInput): number;
  /** What stays by a reversal with DE95. */
  staying(reversal: MessageInput, original: Original): number;
  /** What 0220s have posted of a hold. @param legs in the account's currency @param told as they told it, less what went back */
  posted(legs: number, told: number): number;
  /** What files have charged, at most what a message can carry; from the account's currency. */
  converted(amount: number): number;
}

export class AccountMoney implements AuthorizationMoney {
  asked = 0;
  #currency = 0;

  of(authorization: MessageEvent, currency: number): void {
    this.#currency = currency;
    this.asked = billedAmount(authorization.input, currency);
  }

  approved({ approvedAmount }: MessageEvent): number {
    return approvedAmount;
  }

  /** No cash back is paid with a partial approval. */
  cash({ input, response, approvedAmount }: MessageEvent): number {
    return response === Response.partial ? 0 : Math.min(approvedAmount, cashPart(input, this.#currency));
  }

  told(advice: MessageInput): number {
    return billedAmount(advice, this.#currency);
  }

  cashTold(advice: MessageInput): number {
    return Math.min(this.told(advice), cashPart(advice, this.#currency));
  }

  staying(reversal: MessageInput, original: Original): number {
    return stayingBy(reversal, original);
  }

  posted(legs: number): number {
    return legs;
  }

  converted(amount: number): number {
    return amount;
  }
}

export class AcquirerMoney implements AuthorizationMoney {
  asked = 0;
  #currency = 0;
  #account = 0;
  #billed = 0;

  of(authorization: MessageEvent, currency: number): void {
    this.asked = authorization.input.amount;
    this.#currency = authorization.input.currency;
    this.#account = currency;
    this.#billed = billedAmount(authorization.input, currency);
  }

  approved(event: MessageEvent): number {
    return event.input.currency === this.#currency
      ? approvedOf(event, this.#account)
      : this.converted(event.approvedAmount);
  }

  /** Totals have no cash of their own. */
  cash(): number {
    return 0;
  }

  told(advice: MessageInput): number {
    return advice.currency === this.#currency ? advice.amount : this.converted(billedAmount(advice, this.#account));
  }

  cashTold(): number {
    return 0;
  }

  staying(reversal: MessageInput, original: Original): number {
    const { currency, replacementAmount } = reversal;
    if (currency < 0 || currency === this.#currency) return replacementAmount;
    return this.converted(stayingBy(reversal, original));
  }

  posted(_legs: number, told: number): number {
    return told;
  }

  converted(amount: number): number {
    const told = Math.max(0, amount);
    if (this.#billed <= 0 || (told / this.#billed) * this.asked >= AMOUNT_MAX) return Math.min(told, AMOUNT_MAX);
    return mulDivHalfUp(told, this.asked, this.#billed);
  }
}
