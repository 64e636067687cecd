/**
 * Builds the reply of a decision from the request and the event alone, so that a repeat gets the same answer: what was
 * decided (38, 39, 54, approved amounts) comes from the event, what is echoed from the request at hand.
 *
 * Echoed: 3, 4, 6 (with 10), 7, 11, 12, 13, 32, 33, 37, 41, 42, 49, 51, 63. Never echoed: 2, 35, 45, 52, 55. The wire wants
 * fields in ascending order, so the code is one straight line in that order.
 */
import { ElementKind, Response } from '../domain/codes.js';
import type { MessageEvent } from '../domain/events.js';
import type { Decoder } from '../iso8583/decoder.js';
import type { Encoder } from '../iso8583/encoder.js';
import { replyMti } from '../iso8583/mti.js';

const scratch = new Uint8Array(64);
const GROUP = 20;

/**
 * Writes the reply to `request` into `target` from `at` on and returns its length in bytes.
 * @param accountCurrency ISO 4217 numeric; 0 when the card is unknown.
 */
export function writeReply(
  encoder: Encoder,
  request: Decoder,
  event: MessageEvent,
  accountCurrency: number,
  target: Uint8Array,
  at: number,
): number {
  encoder.begin(target, at, replyMti(request.mti), false);
  const partial = event.response === Response.partial;
  encoder.copy(request, 3);
  if (partial) encoder.putDigits(4, partialAmount(event));
  else encoder.copy(request, 4);
  if (partial && request.has(6)) encoder.putDigits(6, event.approvedAmount);
  encoder.copy(request, 7);
  encoder.copy(request, 11);
  encoder.copy(request, 12);
  encoder.copy(request, 13);
  encoder.copy(request, 32);
  encoder.copy(request, 33);
  encoder.copy(request, 37);
  if (event.approvalCode >= 0) {
    putDecimal(scratch, 0, 6, event.approvalCode);
    encoder.putText(38, scratch, 0, 6);
  }
  scratch[0] = event.response >> 8;
  scratch[1] = event.response & 0xff;
  encoder.putText(39, scratch, 0, 2);
  encoder.copy(request, 41);
  encoder.copy(request, 42);
  encoder.copy(request, 49);
  encoder.copy(request, 51);
  if (event.element === ElementKind.balanceInquiry && event.response === Response.approved) {
    encoder.putText(54, scratch, 0, writeBalances(event, accountCurrency));
  } else if (partial) {
    encoder.putText(54, scratch, 0, writeOriginalAmount(event));
  }
  encoder.copy(request, 63);
  return encoder.finish() - at;
}

/** A reply without a decision: 91 of load shedding, 96 of a message set aside. */
export function writeRefusal(
  encoder: Encoder,
  request: Decoder,
  response: number,
  target: Uint8Array,
  at: number,
): number {
  encoder.begin(target, at, replyMti(request.mti), false);
  for (const field of ECHOED_BEFORE_39) encoder.copy(request, field);
  scratch[0] = response >> 8;
  scratch[1] = response & 0xff;
  encoder.putText(39, scratch, 0, 2);
  for (const field of ECHOED_AFTER_39) encoder.copy(request, field);
  return encoder.finish() - at;
}

const ECHOED_BEFORE_39 = [3, 4, 7, 11, 12, 13, 32, 33, 37];
const ECHOED_AFTER_39 = [41, 42, 49, 51, 63];

/** Approved part in the merchant's currency: floor(DE4 x approved billing / DE6); the product may exceed 2^53. */
function partialAmount(event: MessageEvent): number {
  const input = event.input;
  if (input.billingAmount <= 0 || input.billingCurrency === input.currency) return event.approvedAmount;
  return Number((BigInt(input.amount) * BigInt(event.approvedAmount)) / BigInt(input.billingAmount));
}

/** Ledger (01) and available (02) balance from the cardholder's side: what is owed is a debit. */
function writeBalances(event: MessageEvent, currency: number): number {
  const accountType = Math.floor(event.input.processingCode / 100) % 100;
  const ledger = -event.postedBefore;
  const available = event.creditLimitBefore - event.postedBefore - event.heldBefore;
  writeGroup(0, accountType, 1, currency, ledger);
  writeGroup(GROUP, accountType, 2, currency, available);
  return GROUP * 2;
}

/** Amount type 57: what was asked for when only a part is approved. */
function writeOriginalAmount(event: MessageEvent): number {
  writeGroup(0, Math.floor(event.input.processingCode / 100) % 100, 57, event.input.currency, event.input.amount);
  return GROUP;
}

/** One DE54 group: account type 2, amount type 2, currency 3, C or D, amount 12. */
function writeGroup(at: number, accountType: number, amountType: number, currency: number, amount: number): void {
  putDecimal(scratch, at, 2, accountType);
  putDecimal(scratch, at + 2, 2, amountType);
  putDecimal(scratch, at + 4, 3, currency);
  scratch[at + 7] = amount < 0 ? 0x44 : 0x43;
  putDecimal(scratch, at + 8, 12, Math.abs(amount));
}

function putDecimal(target: Uint8Array, at: number, width: number, value: number): void {
  let rest = value;
  for (let i = width - 1; i >= 0; i--) {
    target[at + i] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}
