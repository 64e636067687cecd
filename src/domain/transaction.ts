/**
 * What a message wants to do with money: the transaction types (first two digits of DE3), and its amounts in the currency
 * of the account.
 */
import type { MessageInput } from './message.js';
import { mulDivHalfUp } from './money.js';

export const TransactionType = {
  purchase: 0,
  cash: 1,
  purchaseWithCashBack: 9,
  accountFunding: 10,
  quasiCash: 11,
  cashDisbursement: 17,
  refund: 20,
  credit: 26,
  /** The original credit of a money transfer. */
  paymentCredit: 28,
  balanceInquiry: 30,
  availableInquiry: 31,
  verification: 38,
} as const;
export type TransactionType = (typeof TransactionType)[keyof typeof TransactionType];

/** What a type is for a decision. */
export const Sort = { unknown: 0, debit: 1, cash: 2, credit: 3, inquiry: 4, verification: 5 } as const;
export type Sort = (typeof Sort)[keyof typeof Sort];

const sorts = new Uint8Array(100);
sorts[TransactionType.purchase] = Sort.debit;
sorts[TransactionType.purchaseWithCashBack] = Sort.debit;
sorts[TransactionType.accountFunding] = Sort.debit;
sorts[TransactionType.cash] = Sort.cash;
sorts[TransactionType.quasiCash] = Sort.cash;
sorts[TransactionType.cashDisbursement] = Sort.cash;
sorts[TransactionType.refund] = Sort.credit;
sorts[TransactionType.credit] = Sort.credit;
sorts[TransactionType.paymentCredit] = Sort.credit;
sorts[TransactionType.balanceInquiry] = Sort.inquiry;
sorts[TransactionType.availableInquiry] = Sort.inquiry;
sorts[TransactionType.verification] = Sort.verification;

/** First two digits of DE3; -1 when it is absent. */
export function transactionType(input: MessageInput): number {
  return input.processingCode < 0 ? -1 : Math.floor(input.processingCode / 10_000);
}

export function sortOf(input: MessageInput): Sort {
  const type = transactionType(input);
  return type < 0 || type > 99 ? Sort.unknown : (sorts[type] as Sort);
}

/** True for a message whose amount is in another currency than the account's, so that DE6 counts. */
export function isForeign(input: MessageInput, accountCurrency: number): boolean {
  return input.currency !== accountCurrency;
}

/** The amount in the account's currency, minor units: DE4, or DE6 of a foreign one. */
export function billedAmount(input: MessageInput, accountCurrency: number): number {
  return isForeign(input, accountCurrency) && input.amount !== 0 ? input.billingAmount : input.amount;
}

/**
 * What of `billed` is cash, minor units of the account's currency: all of a cash withdrawal, the cash back of a purchase
 * (DE54 type 40), converted at the message's own rate.
 */
export function cashPart(input: MessageInput, accountCurrency: number): number {
  const sort = sortOf(input);
  const billed = billedAmount(input, accountCurrency);
  if (sort === Sort.cash) return billed;
  // An advice of nothing may still say what of it was cash.
  if (sort !== Sort.debit || input.cashBack <= 0 || billed === 0) return 0;
  if (!isForeign(input, accountCurrency)) return input.cashBack;
  return Math.min(billed, mulDivHalfUp(input.cashBack, input.billingAmount, input.amount));
}

/** True for a purchase with cash back (DE3 09) that does not tell what of it is cash: that has limits and a fee of its own. */
export function lacksCashBack(input: MessageInput): boolean {
  return input.cashBack < 0 && transactionType(input) === TransactionType.purchaseWithCashBack;
}

/** Purchases may be approved in part, but never their cash back: it must be told what of the amount that is. */
export function mayBePartial(input: MessageInput): boolean {
  if (input.partialSupported !== 1) return false;
  const type = transactionType(input);
  return type === TransactionType.purchase || (type === TransactionType.purchaseWithCashBack && input.cashBack >= 0);
}
