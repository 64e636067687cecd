/**
 * Comparison of the identifiers of two messages, byte by byte and without making strings. Trailing spaces of fixed-width
 * fields are padding; institution ids are compared without leading zeros, because DE90 pads them to 11 digits.
 */
import type { MessageInput, Text } from './message.js';

const SPACE = 0x20;
const ZERO = 0x30;

/** Length of a text without its padding; 0 when absent or blank. */
export function textSize(input: MessageInput, which: Text): number {
  const at = input.textAt[which]!;
  let length = input.textLength[which]!;
  while (length > 0 && input.text[at + length - 1] === SPACE) length--;
  return length;
}

/** True when both texts are equal without padding; two absent texts are equal. */
export function sameText(a: MessageInput, whichA: Text, b: MessageInput, whichB: Text): boolean {
  const length = textSize(a, whichA);
  if (length !== textSize(b, whichB)) return false;
  const atA = a.textAt[whichA]!;
  const atB = b.textAt[whichB]!;
  for (let i = 0; i < length; i++) if (a.text[atA + i] !== b.text[atB + i]) return false;
  return true;
}

/** True when both institution ids are equal without leading zeros and padding; two absent ids are equal. */
export function sameInstitution(a: MessageInput, whichA: Text, b: MessageInput, whichB: Text): boolean {
  let atA = a.textAt[whichA]!;
  let atB = b.textAt[whichB]!;
  const endA = atA + textSize(a, whichA);
  const endB = atB + textSize(b, whichB);
  while (atA < endA && a.text[atA] === ZERO) atA++;
  while (atB < endB && b.text[atB] === ZERO) atB++;
  if (endA - atA !== endB - atB) return false;
  for (; atA < endA; atA++, atB++) if (a.text[atA] !== b.text[atB]) return false;
  return true;
}

/** A text of digits as an integer; -1 when absent, blank or not all digits. */
export function textNumber(input: MessageInput, which: Text): number {
  const size = textSize(input, which);
  if (size === 0 || size > 15) return -1;
  const at = input.textAt[which]!;
  let value = 0;
  for (let i = 0; i < size; i++) {
    const digit = input.text[at + i]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** Copies every field and text; `to` keeps its own buffer and needs room for the texts of `from`. */
export function copyInput(from: MessageInput, to: MessageInput): void {
  to.dialect = from.dialect;
  to.link = from.link;
  to.mti = from.mti;
  to.processingCode = from.processingCode;
  to.amount = from.amount;
  to.currency = from.currency;
  to.billingAmount = from.billingAmount;
  to.billingCurrency = from.billingCurrency;
  to.transmission = from.transmission;
  to.stan = from.stan;
  to.localTime = from.localTime;
  to.localDate = from.localDate;
  to.expiry = from.expiry;
  to.settlementDate = from.settlementDate;
  to.mcc = from.mcc;
  to.country = from.country;
  to.entryMode = from.entryMode;
  to.cardSequence = from.cardSequence;
  to.condition = from.condition;
  to.originalMti = from.originalMti;
  to.originalStan = from.originalStan;
  to.originalTransmission = from.originalTransmission;
  to.replacementAmount = from.replacementAmount;
  to.businessDay = from.businessDay;
  to.cashBack = from.cashBack;
  to.adviceReason = from.adviceReason;
  to.fileAction = from.fileAction;
  to.fileCode = from.fileCode;
  to.functionCode = from.functionCode;
  to.partialSupported = from.partialSupported;
  to.threeDSecureLevel = from.threeDSecureLevel;
  to.carried = from.carried;
  to.badField = from.badField;
  to.badFieldMissing = from.badFieldMissing;
  let end = 0;
  for (let i = 0; i < from.textLength.length; i++) {
    const length = from.textLength[i]!;
    const at = from.textAt[i]!;
    to.textAt[i] = end;
    to.textLength[i] = length;
    for (let j = 0; j < length; j++) to.text[end + j] = from.text[at + j]!;
    end += length;
  }
}
