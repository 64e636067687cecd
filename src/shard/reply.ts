/**
 * Builds the reply of a decision from the request and the event alone, so that a repeat gets the same answer: what was
 * decided (38, 39, 54, approved amounts) comes from the event, what is echoed from the request at hand.
 *
 * Echoed: 3, 4, 6 (with 10, in the account's currency), 7, 11, 12, 13, 32, 33, 37, 41, 42, 49, 51, 63. Never echoed: 2, 35, 45, 52, 55. The wire wants
 * fields in ascending order, so the code is one straight line in that order.
 */
import type { MessageEvent } from '../domain/events.js';
import { classOf, isAdvice } from '../domain/message.js';
import { ReplyFacts, replyFacts } from '../domain/reply-facts.js';
import type { ShardState } from '../domain/shard-state.js';
import type { Decoder } from '../iso8583/decoder.js';
import type { Encoder } from '../iso8583/encoder.js';
import { replyMti } from '../iso8583/mti.js';
import { AmountType, writeAmountGroup } from '../iso8583/private-data.js';
import { AMOUNT_MAX } from '../limits.js';

const scratch = new Uint8Array(64);
const facts = new ReplyFacts();

/** Writes the reply to `request` into `target` from `at` on and returns its length in bytes. */
export function writeReply(
  encoder: Encoder,
  request: Decoder,
  event: MessageEvent,
  state: ShardState,
  target: Uint8Array,
  at: number,
): number {
  replyFacts(state, event, facts);
  encoder.begin(target, at, replyMti(request.mti), false);
  encoder.copy(request, 3);
  if (facts.partial) encoder.putDigits(4, facts.partialAmount);
  else encoder.copy(request, 4);
  if (facts.partialBillingAmount >= 0 && request.has(6)) encoder.putDigits(6, facts.partialBillingAmount);
  encoder.copy(request, 7);
  encoder.copy(request, 11);
  encoder.copy(request, 12);
  encoder.copy(request, 13);
  encoder.copy(request, 32);
  encoder.copy(request, 33);
  encoder.copy(request, 37);
  // Of an advice it is the network's own code.
  if (isAdvice(request.mti) && classOf(request.mti) <= 2) encoder.copy(request, 38);
  else if (facts.approvalCode >= 0) {
    putDecimal(scratch, 0, 6, facts.approvalCode);
    encoder.putText(38, scratch, 0, 6);
  }
  scratch[0] = facts.response >> 8;
  scratch[1] = facts.response & 0xff;
  encoder.putText(39, scratch, 0, 2);
  encoder.copy(request, 41);
  encoder.copy(request, 42);
  encoder.copy(request, 49);
  encoder.copy(request, 51);
  const amounts = writeAmounts(event);
  if (amounts > 0) encoder.putText(54, scratch, 0, amounts);
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

/** DE54 of an inquiry (ledger and available) or of a partial approval (what was asked for); bytes written. */
function writeAmounts(event: MessageEvent): number {
  const accountType = Math.floor(event.input.processingCode / 100) % 100;
  if (facts.balances) {
    const end = writeBalance(0, accountType, AmountType.ledger, facts.ledgerBalance);
    return writeBalance(end, accountType, AmountType.available, facts.availableBalance);
  }
  if (!facts.partial) return 0;
  return writeAmountGroup(scratch, 0, accountType, AmountType.original, event.input.currency, facts.originalAmount);
}

/**
 * One balance in the account's currency; returns the end. DE54 has twelve digits, an account may have more: such a balance
 * is left out, because a smaller number in its place would be a wrong one.
 */
function writeBalance(at: number, accountType: number, amountType: number, balance: number): number {
  if (Math.abs(balance) > AMOUNT_MAX) return at;
  return writeAmountGroup(scratch, at, accountType, amountType, facts.currency, balance);
}

function putDecimal(target: Uint8Array, at: number, width: number, value: number): void {
  let rest = value;
  for (let i = width - 1; i >= 0; i--) {
    target[at + i] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}
