/**
 * What controls ask about a message, taken from its normalized input. One instance is reused; nothing is allocated.
 */
import { countryOfLetters } from '../countries.js';
import { ABSENT, type MessageInput, Text } from '../message.js';
import { textSize } from '../texts.js';
import { Sort, sortOf, TransactionType, transactionType } from '../transaction.js';
import { merchantHash } from './filters.js';
import { Channel } from './spec.js';

/** Channel by entry mode, the first two digits of DE22; 0 where none is known. */
const channelOfMode = new Uint8Array(100);
for (const [channel, modes] of [
  [Channel.manual, [1]],
  // 80 is a chip card that fell back to its stripe.
  [Channel.magstripe, [2, 80, 90]],
  // 95 is a chip whose data may be unreliable.
  [Channel.chip, [5, 95]],
  // 91 is a contactless card in magnetic stripe mode.
  [Channel.contactless, [7, 91]],
  // Credential on file: the cardholder bought at a shop that keeps the card.
  [Channel.ecommerce, [10, 81]],
] as const) {
  for (const mode of modes) channelOfMode[mode] = channel;
}

export class ControlFacts {
  /** DE18, -1 when absent. */
  mcc = ABSENT;
  /** ISO 3166 numeric: DE19, else the letters at the end of DE43; -1 when there is neither. */
  country = ABSENT;
  /** Bits of `Channel`: how the card was read, and `atm` for cash. */
  channels = 0;
  /** What the request asks for, minor units of the account's currency; 0 for a verification. Of an increment: its delta. */
  amount = 0;
  /** The cash in it: everything of a withdrawal, the cash-back part of a purchase. */
  cash = 0;
  /** The transaction as a whole, with earlier increments: what a limit per transaction is held against. */
  total = 0;
  /** What an approval adds to counts: 1; 0 for an increment, a verification and a refund. */
  uses = 1;

  /** DE42 without padding, in the input's buffer. */
  merchant: Uint8Array = new Uint8Array(0);
  merchantAt = 0;
  merchantLength = 0;
  #merchantHash = -1;

  /**
   * Takes the facts of a request.
   * @param amount in the account's currency (DE6 for a foreign one), minor units; 0 for a verification.
   * @param cashBack cash part of a purchase (DE54 type 40), in the account's currency; 0 without.
   */
  readRequest(input: MessageInput, amount: number, cashBack: number): void {
    const type = transactionType(input);
    const isAtm = type === TransactionType.cash || type === TransactionType.cashDisbursement;
    this.mcc = input.mcc;
    this.country = input.country >= 0 ? input.country : countryOfName(input);
    const mode = input.entryMode < 0 ? 0 : Math.floor(input.entryMode / 10);
    this.channels = (channelOfMode[mode] ?? 0) | (isAtm ? Channel.atm : 0);
    this.amount = amount;
    this.cash = sortOf(input) === Sort.cash ? amount : cashBack;
    this.total = amount;
    this.uses = amount > 0 ? 1 : 0;
    this.merchant = input.text;
    this.merchantAt = input.textAt[Text.acceptor]!;
    this.merchantLength = textSize(input, Text.acceptor);
    this.#merchantHash = -1;
  }

  /** Makes the facts those of an increment: `amount` is the delta, and it counts as no further use. */
  asIncrement(authorizedBefore: number): void {
    this.total = authorizedBefore + this.amount;
    this.uses = 0;
  }

  /** Hash of the merchant for `MerchantFilter`; computed once per message, and only if somebody asks. */
  merchantHash(): number {
    if (this.#merchantHash < 0) {
      this.#merchantHash = merchantHash(this.merchant, this.merchantAt, this.merchantLength);
    }
    return this.#merchantHash;
  }
}

/** Country in the last two of the 40 characters of DE43. */
function countryOfName(input: MessageInput): number {
  if (input.textLength[Text.acceptorName] !== 40) return ABSENT;
  const end = input.textAt[Text.acceptorName]! + 40;
  return countryOfLetters(input.text[end - 2]!, input.text[end - 1]!);
}
