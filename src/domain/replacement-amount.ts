/**
 * DE95 of a reversal in the account's currency: what stays of all of an authorization, or of one part of it that was posted, in the reversal's
 * DE49, or without one in that of the authorization. An amount in the account's currency is taken as it is, one in the authorization's at the
 * rate of what is named (DE6 / DE4 of the authorization, or of the part), whatever rate later words had: so as much as all of it, or more,
 * takes nothing back. One in a third currency is taken at the reversal's own rate; without a rate nothing is taken back. Half a minor unit is
 * rounded up; the approved DE4 of a partial approval was rounded down.
 */
import { AMOUNT_MAX } from '../limits.js';
import type { MessageInput } from './message.js';
import { mulDivFloor, mulDivHalfUp } from './money.js';

const MONEY_MAX = Number.MAX_SAFE_INTEGER;

/** One amount in both currencies, minor units. */
export interface Rated {
  /** In that of the authorization (DE49): what was asked for. */
  readonly asked: number;
  /** The same in the account's; 0 when it has no rate. */
  readonly billed: number;
  /** What of that was approved. */
  readonly approved: number;
}

const NOTHING: Rated = { asked: 0, billed: 0, approved: 0 };

/** How the word of an element takes part: in the place of all before it, on top of them, or beside them. */
export type RatePlace = 'whole' | 'onTop' | 'beside';

/** The words that an authorization amounts to, as its acquirer said them. */
export class Rates {
  readonly #words = new Map<number, Rated & { readonly place: RatePlace }>();
  #account = 0;
  #currency = 0;
  #own = NOTHING;

  /** @param account currency of the account, ISO 4217 numeric */
  begin(authorization: MessageInput, account: number): void {
    const billed = billedBy(authorization, account);
    this.#words.clear();
    this.#account = account;
    this.#currency = authorization.currency;
    this.#own = { asked: authorization.amount, billed, approved: billed };
  }

  /**
   * Of one in another currency than the authorization's the account's money alone counts, at the rate of the authorization.
   * @param approved minor units of the account's currency; all of it when undefined
   */
  of(input: MessageInput, approved = billedBy(input, this.#account)): Rated {
    const billed = billedBy(input, this.#account);
    if (input.currency === this.#currency) return { asked: input.amount, billed, approved };
    return { asked: this.#asked(billed), billed, approved };
  }

  /** @param at sequence of the element */
  put(at: number, { asked, billed, approved }: Rated, place: RatePlace): void {
    if (place === 'whole') for (const [of, word] of this.#words) if (word.place !== 'beside') this.#words.delete(of);
    this.#words.set(at, { asked, billed, approved, place });
  }

  /** What was reversed by name. */
  remove(at: number): void {
    this.#words.delete(at);
  }

  /** A partial reversal has left so much of all of it, minor units of the account's currency. */
  lowerTo(stays: number, { currency, replacementAmount }: MessageInput): void {
    const isOwn = currency < 0 || currency === this.#currency;
    this.put(0, { asked: isOwn ? replacementAmount : this.#asked(stays), billed: stays, approved: stays }, 'whole');
  }

  /** All of it was reversed. */
  clear(): void {
    this.put(0, NOTHING, 'whole');
  }

  /**
   * What stays by a partial reversal, minor units of the account's currency; more than any amount when nothing is taken back.
   * @param part sequence of the part that it is about; of all of it when undefined
   */
  staying(
    { replacementAmount, currency, amount, billingAmount, billingCurrency }: MessageInput,
    part?: number,
  ): number {
    const told = currency >= 0 ? currency : this.#currency;
    if (told === this.#account) return replacementAmount;
    if (told !== this.#currency)
      return converted(replacementAmount, billingCurrency === this.#account ? billingAmount : 0, amount);
    const ofPart = part === undefined ? undefined : this.#words.get(part);
    if (replacementAmount >= (ofPart === undefined ? this.#all() : askedOf(ofPart))) return MONEY_MAX;
    const { billed, asked } = ofPart ?? this.#own;
    return converted(replacementAmount, billed, asked);
  }

  /** What all of it amounts to in the acquirer's currency. */
  #all(): number {
    let all = 0;
    for (const word of this.#words.values()) if (word.place !== 'beside') all += askedOf(word);
    return all;
  }

  #asked(billed: number): number {
    const { asked, billed: own } = this.#own;
    return own > 0 && asked > 0 ? Math.min(AMOUNT_MAX, converted(billed, asked, own)) : 0;
  }
}

/** What of it was approved, in the acquirer's currency. */
const askedOf = ({ asked, billed, approved }: Rated): number =>
  approved === billed || !(billed > 0) ? asked : mulDivFloor(asked, approved, billed);

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
