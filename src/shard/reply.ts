/**
 * Builds the reply of a decision from the request and the event alone, so that a repeat gets the same answer: what was
 * decided (38, 39, 54, approved amounts) comes from the event, what is echoed from the request at hand.
 *
 * Which fields are echoed says the dialect (iso8583/dialects.ts). With 10 the reply has an amount of its own in DE4, and in
 * DE6 where the request had one. The wire wants fields in ascending order, so the code is one straight line in that order,
 * and what is echoed fills the gaps between what was decided.
 */
import type { MessageEvent } from '../domain/events.js';
import { isApproval } from '../domain/lookups.js';
import { classOf, isAdvice } from '../domain/message.js';
import { ReplyFacts, replyFacts } from '../domain/reply-facts.js';
import type { ShardState } from '../domain/shard-state.js';
import type { Decoder } from '../iso8583/decoder.js';
import type { Encoder } from '../iso8583/encoder.js';
import { replyMti } from '../iso8583/mti.js';
import { AmountType, PrivateTag, writeAmountGroup, writeTagByte } from '../iso8583/private-data.js';
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
  if (facts.partial) {
    encoder.echoBelow(request, 4);
    encoder.putDigits(4, facts.partialAmount);
  }
  if (facts.partialBillingAmount >= 0 && request.has(6)) {
    encoder.echoBelow(request, 6);
    encoder.putDigits(6, facts.partialBillingAmount);
  }
  encoder.echoBelow(request, 38);
  putApprovalCode(encoder, request);
  scratch[0] = facts.response >> 8;
  scratch[1] = facts.response & 0xff;
  encoder.putText(39, scratch, 0, 2);
  if (facts.cvv2Result > 0) putCvv2Result(encoder, request);
  encoder.echoBelow(request, 54);
  const amounts = writeAmounts(event);
  if (amounts > 0) encoder.putText(54, scratch, 0, amounts);
  if (event.checked === 1 && event.issuerDataLength > 0) putIssuerData(encoder, request, event);
  encoder.echoRest(request);
  return encoder.finish() - at;
}

/** DE44 and DE48 tag 87. */
function putCvv2Result(encoder: Encoder, request: Decoder): void {
  encoder.echoBelow(request, 44);
  scratch[0] = facts.cvv2Result;
  encoder.putText(44, scratch, 0, 1);
  encoder.echoBelow(request, 48);
  encoder.putText(48, scratch, 0, writeTagByte(scratch, 0, PrivateTag.cvv2Result, facts.cvv2Result));
}

/** Issuer authentication data (EMV Book 3). */
const ISSUER_DATA_TAG = 0x91;

/** DE55 for the chip: what the record has, so that a repeat gets the same. */
function putIssuerData(encoder: Encoder, request: Decoder, { issuerData, issuerDataLength }: MessageEvent): void {
  encoder.echoBelow(request, 55);
  scratch[0] = ISSUER_DATA_TAG;
  scratch[1] = issuerDataLength;
  scratch.set(issuerData.subarray(0, issuerDataLength), 2);
  encoder.putText(55, scratch, 0, issuerDataLength + 2);
}

/** DE38 of what is approved. Of an advice it is the network's own, as it came. */
function putApprovalCode(encoder: Encoder, request: Decoder): void {
  if (!isApproval(facts.response)) return;
  if (isAdvice(request.mti) && classOf(request.mti) <= 2 && request.has(38)) {
    encoder.copy(request, 38);
  } else if (facts.approvalCode >= 0) {
    putDecimal(scratch, 0, 6, facts.approvalCode);
    encoder.putText(38, scratch, 0, 6);
  }
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
  encoder.echoBelow(request, 39);
  scratch[0] = response >> 8;
  scratch[1] = response & 0xff;
  encoder.putText(39, scratch, 0, 2);
  encoder.echoRest(request);
  return encoder.finish() - at;
}

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
