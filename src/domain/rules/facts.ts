/**
 * What rules are asked about: one message, its card, its account and its velocity counters, as numbers in one buffer. One
 * instance is filled anew for every message of a shard.
 *
 * Absent is NaN: every comparison with it is false and everything computed from it is NaN again, which is exactly what the
 * language says about absent fields, and costs nothing. Texts are not copied: they are read from the message.
 *
 * Nothing is allocated per message. A double that is handed to a function, or comes back from one, is put into an object
 * unless the compiler happens to inline the call; so large numbers go from array to array here, and what is called with a
 * value takes and returns small integers.
 */
import { RULE_DEPTH_MAX, RULE_WINDOWS_MAX } from '../../limits.js';
import { countryOfLetters } from '../countries.js';
import { MessageInput, Text } from '../message.js';
import { channels, messageFunctions, Slot, transactionTypes, weekdays } from './fields.js';

const NONE = Number.NaN;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Slots behind the counters: intermediate results of the evaluation. */
export const FIRST_TEMPORARY = Slot.counters + 2 * RULE_WINDOWS_MAX;
/** Is never filled: the counter of a window that the rules do not know. */
export const NEVER_FILLED = FIRST_TEMPORARY + RULE_DEPTH_MAX;
const SLOTS = NEVER_FILLED + 1;

type TransactionType = (typeof transactionTypes)[number];
type Channel = (typeof channels)[number];
const typeNumber = (word: TransactionType): number => transactionTypes.indexOf(word);
const channelNumber = (word: Channel): number => channels.indexOf(word);

const VERIFICATION = typeNumber('verification');
const CASH = typeNumber('cash');
const CASH_DISBURSEMENT = typeNumber('cash_disbursement');

function table(size: number, rows: readonly (readonly [code: number, value: number])[]): Int8Array {
  const values = new Int8Array(size).fill(-1);
  for (const [code, value] of rows) values[code] = value;
  return values;
}

/** By the first two digits of DE3 (section 2 of the domain rules); -1 = none of the types. */
const typeOfCode = table(100, [
  [0, typeNumber('purchase')],
  [1, CASH],
  [9, typeNumber('cash_back')],
  [10, typeNumber('account_funding')],
  [11, typeNumber('quasi_cash')],
  [17, CASH_DISBURSEMENT],
  [20, typeNumber('refund')],
  [26, typeNumber('credit')],
  [28, typeNumber('credit')],
  [30, typeNumber('inquiry')],
  [31, typeNumber('inquiry')],
  [38, VERIFICATION],
]);

/** By the first two digits of DE22 (section 4). */
const channelOfEntryMode = table(100, [
  [1, channelNumber('manual')],
  [2, channelNumber('magstripe')],
  [5, channelNumber('chip')],
  [7, channelNumber('contactless')],
  // Credential on file: the cardholder bought at a shop that keeps the card.
  [10, channelNumber('ecommerce')],
  // A chip card that fell back to its stripe.
  [80, channelNumber('magstripe')],
  [81, channelNumber('ecommerce')],
  [90, channelNumber('magstripe')],
  // Contactless in magnetic stripe mode; a chip whose data may be unreliable.
  [91, channelNumber('contactless')],
  [95, channelNumber('chip')],
]);

/** By the letters of DE48 tag 20: N, E, F, I, R. */
const functionOfCode = table(
  128,
  messageFunctions.map((name, i) => [name.toUpperCase().charCodeAt(0), i] as const),
);

/** 1970-01-01 was a Thursday. */
const EPOCH_WEEKDAY = weekdays.indexOf('thursday');

/** Of a small number, -1 = absent. */
const known = (value: number): number => (value < 0 ? NONE : value);

/** What rules ask about a card (card-table.ts). */
export interface CardSource {
  /** CardStatus. */
  status(slot: number): number;
  bin(slot: number): number;
  /** Puts the time of its creation, ms since 1970 UTC, to a place: a number that is handed on is an object on the heap. */
  putCreated(slot: number, into: Float64Array, at: number): void;
}

/** What rules ask about an account (account-table.ts). */
export interface AccountSource {
  /** AccountStatus, AccountType. */
  status(slot: number): number;
  type(slot: number): number;
  putCreated(slot: number, into: Float64Array, at: number): void;
}

/** What the event of the message says: shard time, ms since 1970 UTC, and the balances before it in minor units. */
export interface EventFacts {
  readonly timeMs: number;
  readonly creditLimitBefore: number;
  readonly postedBefore: number;
  readonly heldBefore: number;
}

export class RuleFacts {
  /** By `Slot`; NaN = absent. Every other value is a safe integer. */
  readonly numbers = new Float64Array(SLOTS).fill(NONE);
  /** Where the texts are read. */
  input: MessageInput = new MessageInput();
  /** Windows that have been filled since the last message. */
  #windows = 0;

  /**
   * Takes a message; the counters become absent until they are filled.
   *
   * @param accountCurrency ISO 4217 numeric; decides which of the message's amounts is `amount`.
   */
  message(input: MessageInput, accountCurrency: number, event: Pick<EventFacts, 'timeMs'>): void {
    const { numbers } = this;
    this.input = input;
    this.#time(event);
    this.#amounts(input, accountCurrency);
    numbers[Slot.transactionCurrency] = known(input.currency);
    numbers[Slot.accountCurrency] = accountCurrency;
    numbers[Slot.mti] = input.mti;
    const type = typeOf(input);
    numbers[Slot.type] = known(type);
    numbers[Slot.mcc] = known(input.mcc);
    numbers[Slot.country] = known(input.country >= 0 ? input.country : countryOfName(input));
    const entryMode = input.entryMode < 0 ? -1 : (input.entryMode / 10) | 0;
    numbers[Slot.entryMode] = known(entryMode);
    numbers[Slot.channel] = known(channelOfEntryMode[entryMode] ?? -1);
    numbers[Slot.atm] = type === CASH || type === CASH_DISBURSEMENT ? 1 : 0;
    numbers[Slot.condition] = known(input.condition);
    numbers[Slot.function] = known(input.functionCode < 128 ? functionOfCode[input.functionCode]! : -1);
    numbers[Slot.threeDSecure] = known(input.threeDSecureLevel);
    numbers[Slot.partialAllowed] = input.partialSupported;
    numbers[Slot.localHour] = input.localTime < 0 ? NONE : (input.localTime / 10_000) | 0;
    for (let at = Slot.counters; at < Slot.counters + 2 * this.#windows; at++) numbers[at] = NONE;
    this.#windows = 0;
  }

  #time({ timeMs: nowMs }: Pick<EventFacts, 'timeMs'>): void {
    const { numbers } = this;
    const hours = Math.floor(nowMs / HOUR_MS);
    const days = Math.floor(hours / 24);
    const weekday = days + EPOCH_WEEKDAY;
    numbers[Slot.now] = nowMs;
    numbers[Slot.hour] = hours - 24 * days;
    numbers[Slot.weekday] = weekday - 7 * Math.floor(weekday / 7);
  }

  /** `amount` is DE4, or DE6 when the purchase is in another currency than the account's. */
  #amounts(input: MessageInput, accountCurrency: number): void {
    const { numbers } = this;
    numbers[Slot.transactionAmount] = input.amount < 0 ? NONE : input.amount;
    if (input.amount === 0 || input.currency === accountCurrency) {
      numbers[Slot.amount] = input.amount < 0 ? NONE : input.amount;
    } else if (input.billingCurrency === accountCurrency && input.billingAmount >= 0) {
      numbers[Slot.amount] = input.billingAmount;
    } else {
      numbers[Slot.amount] = NONE;
    }
  }

  /** Takes the card; after `message`, whose time its age is counted to. */
  card(cards: CardSource, slot: number): void {
    const { numbers } = this;
    numbers[Slot.cardStatus] = cards.status(slot) - 1;
    numbers[Slot.cardBin] = cards.bin(slot);
    cards.putCreated(slot, numbers, Slot.cardAge);
    this.#age(Slot.cardAge);
  }

  /** Takes the account, and its balances as the event says; after `message`, whose time its age is counted to. */
  account(accounts: AccountSource, slot: number, event: EventFacts): void {
    const { numbers } = this;
    numbers[Slot.accountStatus] = accounts.status(slot) - 1;
    numbers[Slot.accountType] = accounts.type(slot) - 1;
    accounts.putCreated(slot, numbers, Slot.accountAge);
    this.#age(Slot.accountAge);
    numbers[Slot.accountLimit] = event.creditLimitBefore;
    numbers[Slot.accountPosted] = event.postedBefore;
    numbers[Slot.accountHeld] = event.heldBefore;
    this.#derive();
  }

  /** What follows from the balances: available; percent of the limit in use, rounded down, absent without a limit. */
  #derive(): void {
    const { numbers } = this;
    const limit = numbers[Slot.accountLimit]!;
    const used = numbers[Slot.accountPosted]! + numbers[Slot.accountHeld]!;
    const hundredfold = used > 0 ? used * 100 : 0;
    const isExact = limit > 0 && hundredfold <= Number.MAX_SAFE_INTEGER;
    const available = limit - used;
    numbers[Slot.accountAvailable] = Math.abs(available) <= Number.MAX_SAFE_INTEGER ? available : NONE;
    numbers[Slot.accountUtilization] = isExact ? Math.floor(hundredfold / limit) : NONE;
  }

  /** Whole days since the creation whose time is at a place, there. */
  #age(at: number): void {
    const { numbers } = this;
    const days = Math.floor((numbers[Slot.now]! - numbers[at]!) / DAY_MS);
    numbers[at] = Math.max(days, 0);
  }

  /**
   * Velocity windows as they are before this message; after `message`, which forgets those of the message before.
   *
   * @param places of each the place of its name in the list that the rules were compiled with, below RULE_WINDOWS_MAX; -1 when no rule
   *   names it. @param declines 1 for a window that counts declines: it adds up nothing, so what is spent in it is absent
   * @param readings what each amounts to (minor units; NaN when it does not add up) and its count (-1 when it does not count), from
   *   place `from` on, counted in windows
   */
  windows(places: Int16Array, declines: Uint8Array, readings: Float64Array, from: number): void {
    const { numbers } = this;
    let windows = this.#windows;
    for (let i = 0; i < places.length; i++) {
      const place = places[i]!;
      if (place < 0) continue;
      const at = Slot.counters + 2 * place;
      const count = readings[2 * (from + i) + 1]!;
      numbers[at] = count < 0 ? NONE : count;
      numbers[at + 1] = declines[i] === 1 ? NONE : readings[2 * (from + i)]!;
      if (place >= windows) windows = place + 1;
    }
    this.#windows = windows;
  }
}

/** An amount of zero makes a purchase or a withdrawal a verification, as in the decision. */
function typeOf(input: MessageInput): number {
  if (input.processingCode < 0) return -1;
  const code = (input.processingCode / 10_000) | 0;
  const isSpending = code === 0 || code === 1 || code === 17;
  return isSpending && input.amount === 0 ? VERIFICATION : (typeOfCode[code] ?? -1);
}

const NAME_LENGTH = 40;

/** The country in the last two of the 40 characters of DE43. */
function countryOfName(input: MessageInput): number {
  if (input.textLength[Text.acceptorName] !== NAME_LENGTH) return -1;
  const end = input.textAt[Text.acceptorName]! + NAME_LENGTH;
  return countryOfLetters(input.text[end - 2]!, input.text[end - 1]!);
}
