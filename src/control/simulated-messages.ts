/** The fields of the messages that the simulator sends, without the card number. */
import { approvalCodeText } from '../domain/approval-code.js';
import type { MessageEvent } from '../domain/events.js';
import { Text } from '../domain/message.js';
import { mulDivHalfUp } from '../domain/money.js';
import type { AccountView } from '../domain/party-commands.js';
import type { Fields } from '../iso8583/message.js';
import { AmountType, originalData, PrivateTag, replacementAmounts } from '../iso8583/private-data.js';
import { currencyCode, currencyOfCode } from './currencies.js';
import { ApiError } from './problem.js';
import type { FoundCard } from './routes/cards.js';
import type { Transaction } from './schemas-simulate.js';

/** References of a message that its sender makes. */
export interface References {
  stan: string;
  rrn: string;
  /** DE7, DE12 and DE13. */
  transmission: string;
  /** DE38 of an advice. */
  approvalCode: string;
}

export type Tags = (readonly [tag: number, value: string])[];

/** First two digits of DE3. */
export const processingTypes = {
  purchase: '00',
  cash: '01',
  account_funding: '10',
  quasi_cash: '11',
  balance_inquiry: '30',
  verification: '38',
} as const;

export function amount12(value: number): string {
  return String(value).padStart(12, '0');
}

function number3(value: number): string {
  return String(value).padStart(3, '0');
}

/** One tag of DE54 for cash back: account type 00, amount type 40, credit. */
export function cashBackGroup(fields: Fields, amount: number): string {
  return `00${AmountType.cashBack}${fields[49]}C${amount12(amount)}`;
}

/** A message about a new payment of the card. @throws ApiError `currency_mismatch` */
export function transactionFields(
  body: Transaction & { amount: number },
  { card, account }: FoundCard,
  refs: References,
): Fields {
  const currency = body.currency === undefined ? account.currency : currencyOfCode(body.currency)!;
  const foreign = currency !== account.currency;
  if (foreign && body.billing_amount === undefined && body.amount > 0)
    throw new ApiError('currency_mismatch', `Say billing_amount in ${currencyCode(account.currency)} as well.`, {
      param: '/billing_amount',
    });
  return {
    4: amount12(body.amount),
    ...(foreign && body.billing_amount !== undefined
      ? { 6: amount12(body.billing_amount), 51: number3(account.currency) }
      : {}),
    ...ownReferences(refs),
    14: body.expiry ?? String(card.expiry).padStart(4, '0'),
    18: body.mcc,
    19: body.country,
    22: body.entry_mode,
    25: '00',
    32: body.acquirer,
    37: refs.rrn,
    41: (body.merchant.terminal ?? 'SIM00001').padEnd(8),
    42: (body.merchant.id ?? 'SIMULATOR').padEnd(15),
    43: (body.merchant.name ?? 'HOLDFAST SIMULATOR').padEnd(40),
    49: number3(currency),
    ...(body.network_id === undefined ? {} : { 63: body.network_id }),
  };
}

function ownReferences(refs: References): Fields {
  const { stan, transmission } = refs;
  return { 7: transmission, 11: stan, 12: transmission.slice(4), 13: transmission.slice(0, 4) };
}

/** A later message about the payment of `original`: its merchant and references, and where it is found (DE48.63, DE90). */
export function continuedFields({ input }: MessageEvent, refs: References): { fields: Fields; tags: Tags } {
  const optional = (field: number, which: Text, width: number): Fields => {
    const text = input.textOf(which);
    return text === '' ? {} : { [field]: text.padEnd(width) };
  };
  const digitsOf = (field: number, value: number, width: number): Fields =>
    value < 0 ? {} : { [field]: String(value).padStart(width, '0') };
  const networkId = input.textOf(Text.networkId);
  const acquirer = Number(input.textOf(Text.acquirer) || 0);
  return {
    fields: {
      ...digitsOf(3, input.processingCode, 6),
      ...digitsOf(4, input.amount, 12),
      ...digitsOf(6, input.billingAmount, 12),
      ...ownReferences(refs),
      ...digitsOf(18, input.mcc, 4),
      ...digitsOf(19, input.country, 3),
      ...digitsOf(22, input.entryMode, 3),
      ...digitsOf(25, input.condition, 2),
      ...optional(32, Text.acquirer, 0),
      ...optional(37, Text.rrn, 0),
      ...optional(41, Text.terminal, 8),
      ...optional(42, Text.acceptor, 15),
      ...optional(43, Text.acceptorName, 40),
      ...digitsOf(49, input.currency, 3),
      ...digitsOf(51, input.billingCurrency, 3),
      90: originalData(input.mti, Math.max(0, input.stan), Math.max(0, input.transmission), acquirer),
    },
    tags: networkId === '' ? [] : [[PrivateTag.originalNetworkId, networkId]],
  };
}

/** DE4, and DE6 where the account has another currency: as given, or at the rate of the original. */
export function continuedAmount(
  body: { amount: number; billing_amount?: number | undefined },
  { input }: MessageEvent,
  account: AccountView,
): Fields {
  const fields: Fields = { 4: amount12(body.amount) };
  if (input.currency === account.currency) return fields;
  if (!(input.amount > 0) || !(input.billingAmount > 0))
    throw new ApiError('not_simulatable', 'The authorization has no amount in the currency of its account.', {
      param: '/authorization',
    });
  const billing = body.billing_amount ?? mulDivHalfUp(body.amount, input.billingAmount, input.amount);
  return { ...fields, 6: amount12(billing), 51: number3(account.currency) };
}

/** DE95 of a partial reversal. */
export function remainingAmount(remaining: number | undefined): Fields {
  return remaining === undefined ? {} : { 95: replacementAmounts(remaining) };
}

/** DE38 of a reversal: the code of what it reverses. */
export function codeOf({ approvalCode }: MessageEvent): Fields {
  return approvalCode < 0 ? {} : { 38: approvalCodeText(approvalCode) };
}
