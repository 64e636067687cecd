/** A clearing record as the API shows it: what the file said, what it was matched by, and what it posted. */
import { ClearingFlag, ClearingSort, MatchRung } from '../domain/clearing/codes.js';
import type { ClearingPosted } from '../domain/events.js';
import type { ControlContext } from './context.js';
import { currencyCode } from './currencies.js';
import { eventId } from './ids.js';
import { legObjects } from './legs.js';
import { codeName, snakeCase, time } from './views.js';

export const clearingTypes = [
  'clearing',
  'clearing_reversal',
  'refund',
  'refund_reversal',
  'second_presentment',
  'second_presentment_reversal',
] as const;
export type ClearingType = (typeof clearingTypes)[number];

/** What a record is in the life of an authorization and of an account. */
export function clearingType({ sort, input }: ClearingPosted): ClearingType {
  const takesBack = input.reversal === 1;
  if (sort === ClearingSort.credit) return takesBack ? 'refund_reversal' : 'refund';
  if (sort === ClearingSort.secondPresentment) return takesBack ? 'second_presentment_reversal' : 'second_presentment';
  return takesBack ? 'clearing_reversal' : 'clearing';
}

export const clearingRungs = Object.keys(MatchRung).map(snakeCase);
export const clearingFlags = Object.keys(ClearingFlag).map(snakeCase);

/** Where the record stands and how it was matched. */
export function clearingPlace(context: ControlContext, shard: number, event: ClearingPosted): Record<string, unknown> {
  const { file, input, rung, flags, relatedSequence } = event;
  return {
    file,
    record: input.record,
    matched_by: codeName(MatchRung, rung),
    flags: Object.entries(ClearingFlag).flatMap(([name, bit]) => ((flags & bit) === 0 ? [] : [snakeCase(name)])),
    arn: orNull(input.arn),
    related: relatedSequence === 0 ? null : eventId(context, 'elem', shard, relatedSequence),
  };
}

/** @param owner account and its currency; undefined when the card is unknown */
export function clearingObject(
  context: ControlContext,
  shard: number,
  event: ClearingPosted,
  owner: { readonly id: string; readonly currency: number } | undefined,
): Record<string, unknown> {
  const { input, cardSlot, tokenSlot, originalSequence } = event;
  return {
    object: 'clearing',
    id: eventId(context, 'elem', shard, event.sequence),
    type: clearingType(event),
    account: owner?.id ?? null,
    card: cardSlot < 0 ? null : context.ids.encode('card', shard, cardSlot),
    token: tokenSlot < 0 ? null : context.ids.encode('alias', shard, tokenSlot),
    authorization: originalSequence === 0 ? null : context.ids.encode('auth', shard, originalSequence),
    ...clearingPlace(context, shard, event),
    amount: event.posted,
    currency: owner === undefined ? null : currencyCode(owner.currency),
    authorized_after: event.authorizedAfter,
    hold_change: event.holdDelta,
    merchant_amount: input.amount,
    merchant_currency: currencyCode(input.currency),
    settlement_amount: input.settlementCurrency < 0 ? null : input.settlementAmount,
    settlement_currency: input.settlementCurrency < 0 ? null : currencyCode(input.settlementCurrency),
    merchant: {
      name: orNull(input.acceptorName),
      id: orNull(input.acceptor),
      terminal: orNull(input.terminal),
      mcc: input.mcc < 0 ? null : String(input.mcc).padStart(4, '0'),
      country: input.country < 0 ? null : String(input.country).padStart(3, '0'),
    },
    network: {
      mti: String(input.mti).padStart(4, '0'),
      function_code: input.functionCode < 0 ? null : String(input.functionCode).padStart(3, '0'),
      processing_code: String(input.processingCode).padStart(6, '0'),
      rrn: orNull(input.rrn),
      transaction_id: orNull(input.networkId),
      approval_code: orNull(input.approvalCode),
      acquirer: orNull(input.acquirer),
    },
    postings: legObjects(event.legs),
    created_at: time(event.timeMs),
  };
}

const orNull = (text: string): string | null => (text === '' ? null : text);
