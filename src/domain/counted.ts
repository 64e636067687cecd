/**
 * What the messages of one authorization have counted in totals (totals.ts), in the currency of its acquirer, and what the next of them
 * counts. The rule: amounts less amounts of reversals are what stands posted, in the acquirer's money. So a reversal counts what it takes
 * back of what stood, whatever its words say, and a 0220 that tells of what is counted corrects the amount and counts no message more.
 */
import { AMOUNT_MAX } from '../limits.js';
import { ElementKind, EventKind } from './codes.js';
import type { MessageEvent } from './events.js';
import { foundAt, type History } from './history.js';
import type { IndexKeys } from './index-keys.js';
import { Gl } from './ledger/chart.js';
import { classOf } from './message.js';
import { mulDivHalfUp } from './money.js';
import { isChange, isChangeOfUnknown, isStandIn } from './originals.js';
import { Contribution, TOTAL_AMOUNTS, toldBack } from './totals.js';

export class CountedSoFar {
  /** DE49 of what is counted, ISO 4217 numeric; -1 while nothing is. */
  currency = -1;
  /**
   * True when a message is counted whose amount the next 0220 of the whole corrects, and no reversal or roll-back has left nothing since:
   * parts of a single message are messages of their own, and come on top of it.
   */
  isCounted = false;
  /** What those messages amount to, whatever was reversed: minor units. */
  whole = 0;
  /** What of all messages stands: minor units. */
  stands = 0;
  readonly #contribution = new Contribution();
  /** As `stands`, by the legs: minor units of the account's currency, below zero for a debit. */
  #posted = 0;
  #isSingle = false;

  /** Reads the authorization at `root` and its elements; overwrites what the history found and read before, and the keys. */
  read(history: History, keys: IndexKeys, root: number, accountCurrency: number): this {
    this.currency = -1;
    this.isCounted = false;
    this.whole = 0;
    this.stands = 0;
    this.#posted = 0;
    const authorization = history.read(root);
    this.#isSingle = classOf(authorization.input.mti) === 2;
    this.#take(authorization, accountCurrency);
    keys.elementsKey(root);
    for (const at of foundAt(history, keys)) {
      if (history.isMessage(at)) {
        const event = history.read(at);
        if (event.originalSequence === root) this.#take(event, accountCurrency);
      } else this.#takeOut(history, at, root);
    }
    this.stands = Math.max(0, this.stands);
    return this;
  }

  #take(event: MessageEvent, accountCurrency: number): void {
    const { total, number, amount, currency } = this.#contribution.read(event, accountCurrency);
    const posted = event.postings.on(Gl.network);
    const before = this.#posted;
    this.#posted += posted;
    if (total === -1 || total >= TOTAL_AMOUNTS) return;
    if (event.element === ElementKind.reversal) {
      if (currency === this.currency) this.stands -= amount;
      else this.#scale(before);
      if (this.stands <= 0) this.isCounted = false;
      return;
    }
    if (this.currency === -1) this.currency = currency;
    const isPart = this.#isSingle && (isChange(event) || isChangeOfUnknown(event));
    if (!isPart && number > 0) this.isCounted = true;
    if (currency !== this.currency) {
      this.#scale(before);
      return;
    }
    this.stands += amount;
    if (!isPart) this.whole += amount;
  }

  /** What was not delivered. */
  #takeOut(history: History, at: number, root: number): void {
    const event = history.readEvent(at);
    if (event?.kind !== EventKind.notDelivered || event.authorizationSequence !== root) return;
    const before = this.#posted;
    for (const { glAccount, amount } of event.postings) if (glAccount === Gl.network) this.#posted += amount;
    const { counted } = event;
    if (counted === undefined || counted.total >= TOTAL_AMOUNTS || counted.currency !== this.currency) {
      // What was on a date that has no totals goes as well.
      const stood = this.stands;
      this.#scale(before);
      const back = stood - this.stands;
      if (back > 0 && back === this.whole) this.isCounted = false;
      this.whole -= back;
      return;
    }
    if (counted.number > 0) this.isCounted = false;
    this.whole -= counted.amount;
    this.stands -= counted.amount;
  }

  /** By as much as what is posted has changed, where amounts cannot tell it. */
  #scale(before: number): void {
    if (before === 0) return;
    const stands = Math.max(0, this.stands);
    const after = Math.abs(this.#posted);
    const isTooMuch = (stands / Math.abs(before)) * after >= AMOUNT_MAX;
    this.stands = isTooMuch ? AMOUNT_MAX : mulDivHalfUp(stands, after, Math.abs(before));
  }
}

/**
 * Notes in a reversal what it takes back.
 * @param stood `CountedSoFar.stands` before it @param stays what of that stays, minor units of its DE49
 */
export function noteTakenBack(out: MessageEvent, stood: number, stays: number): void {
  const back = Math.max(0, stood - stays);
  if (back !== toldBack(out.input)) note(out, 1, back);
}

/**
 * Notes in a 0220 what it adds to what is counted of its authorization, in the same currency.
 * @param stands what stands posted with it, minor units of its DE49
 */
export function noteCorrection(out: MessageEvent, counted: CountedSoFar, stands: number): void {
  const amount = stands - counted.stands;
  const isNothing = amount === 0 && out.postings.count === 0 && isStandIn(out.input);
  const isSaid = !counted.isCounted && amount === out.input.amount;
  if (!isNothing && !isSaid) note(out, counted.isCounted ? 0 : 1, amount);
}

function note(out: MessageEvent, number: number, amount: number): void {
  out.countedNumber = number;
  out.countedAmount = amount;
}
