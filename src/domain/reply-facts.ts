/**
 * What a reply says beyond the echoed fields, derived from the recorded event alone: so the answer to a repeat is the
 * answer that was given, whatever has happened since.
 */
import { Check, CheckOutcome, ElementKind, Response } from './codes.js';
import type { MessageEvent } from './events.js';
import type { MessageInput } from './message.js';
import { mulDivFloor } from './money.js';
import type { ShardState } from './shard-state.js';

export class ReplyFacts {
  /** DE39 as two ASCII bytes. */
  response = 0;
  /** DE38 of our own, 0-999999; -1 without, and anything of an advice, whose reply copies DE38. */
  approvalCode = -1;
  /** True with 10: DE4 and DE6 carry what was approved, DE54 the original amount (type 57). */
  partial = false;
  /** DE4 of a partial approval, minor units of DE49. */
  partialAmount = 0;
  /**
   * DE6 of a partial approval, minor units of DE51. -1 when there is nothing to say: no partial approval, or DE49 is the
   * account's currency and DE51 is not, so that DE6 had no part in the decision. Then the reply has no DE6: the one of the
   * request would contradict the approved DE4.
   */
  partialBillingAmount = -1;
  /** DE54 amount of type 57 with a partial approval: the requested DE4, in DE49. */
  originalAmount = 0;
  /** True for a balance inquiry: DE54 carries ledger (01) and available (02) in `currency`. */
  balances = false;
  /** Minor units; negative = D, what the cardholder owes. */
  ledgerBalance = 0;
  /** Minor units; negative = D, overdrawn. */
  availableBalance = 0;
  /** DE44 and DE48 tag 87: the character of M (match), N (no match) or P (not processed); 0 when no CVV2 was checked. */
  cvv2Result = 0;
  /** Currency of the account, 0 when the card is unknown. */
  currency = 0;
}

/** The approved DE4 of a request in a foreign currency: floor(DE4 * approved / DE6), `approved` in the account's currency. */
export function inMerchantCurrency(input: MessageInput, approved: number): number {
  return mulDivFloor(input.amount, approved, input.billingAmount);
}

/** True when the approved part of a foreign amount would not be one minor unit of the merchant's currency. */
export function isWorthNothing(input: MessageInput, approved: number): boolean {
  return inMerchantCurrency(input, approved) === 0;
}

const LETTER_M = 0x4d;
const LETTER_N = 0x4e;
const LETTER_P = 0x50;

function cvv2Result(outcome: number): number {
  if (outcome <= CheckOutcome.notChecked) return 0;
  if (outcome === CheckOutcome.passed) return LETTER_M;
  return outcome === CheckOutcome.wrong ? LETTER_N : LETTER_P;
}

/** Fills `into` from an event, new or read back from the journal. */
export function replyFacts(state: ShardState, event: MessageEvent, into: ReplyFacts): void {
  const { input } = event;
  const currency = event.accountSlot < 0 ? 0 : state.accounts.currency(event.accountSlot);
  into.currency = currency;
  into.response = event.response;
  into.approvalCode = event.approvalCode;
  into.partial = event.response === Response.partial;
  into.partialBillingAmount = -1;
  into.cvv2Result = event.checked === 0 ? 0 : cvv2Result(event.checks[Check.cvv2]!);
  if (into.partial) {
    const foreign = input.currency !== currency;
    into.partialAmount = foreign ? inMerchantCurrency(input, event.approvedAmount) : event.approvedAmount;
    into.partialBillingAmount = foreign || input.billingCurrency === currency ? event.approvedAmount : -1;
    into.originalAmount = input.amount;
  }
  into.balances = event.element === ElementKind.balanceInquiry && event.response === Response.approved;
  if (into.balances) {
    into.ledgerBalance = 0 - event.postedBefore;
    into.availableBalance = event.creditLimitBefore - event.postedBefore - event.heldBefore;
  }
}
