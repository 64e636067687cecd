/** Card numbers as text: the Luhn check and issuing. How they are shown: pan-mask.ts. */
import { randomInt } from 'node:crypto';
import { PAN_LENGTH_MAX, PAN_LENGTH_MIN } from '../pan-mask.js';

/** Check digit that makes `digits` + check digit pass the Luhn formula. */
export function luhnCheckDigit(digits: string): number {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    let digit = digits.charCodeAt(digits.length - 1 - i) - 0x30;
    if (i % 2 === 0) {
      digit *= 2;
      if (digit > 9) digit -= 9;
    }
    sum += digit;
  }
  return (10 - (sum % 10)) % 10;
}

/** True for 13 to 19 digits whose last one is the Luhn check digit. */
export function isPan(pan: string): boolean {
  return /^\d{13,19}$/.test(pan) && luhnCheckDigit(pan.slice(0, -1)) === pan.charCodeAt(pan.length - 1) - 0x30;
}

/**
 * A card number of the BIN with random account digits and a valid check digit. Uniqueness is the caller's: look it up in the
 * card directory and issue again on a hit.
 * @param random uniform integer in [0, below); the default is the system's CSPRNG.
 * @throws RangeError when the BIN is no run of digits that leaves room for an account number.
 */
export function issuePan(bin: string, length = 16, random: (below: number) => number = randomInt): string {
  if (length < PAN_LENGTH_MIN || length > PAN_LENGTH_MAX) throw new RangeError(`PAN length ${length} is not 13 to 19`);
  if (!/^\d{6,11}$/.test(bin) || bin.length > length - 2) throw new RangeError('a BIN has 6 to 11 digits');
  let digits = bin;
  while (digits.length < length - 1) digits += String(random(10));
  return digits + String(luhnCheckDigit(digits));
}

/** The `number`-th card number of a BIN, for demo programs and load tests: same arguments, same number. */
export function panOfNumber(bin: string, number: number, length = 16): string {
  const account = String(number).padStart(length - 1 - bin.length, '0');
  if (!Number.isSafeInteger(number) || number < 0 || bin.length + account.length !== length - 1) {
    throw new RangeError(`card ${number} does not fit into ${length - 1 - bin.length} digits behind the BIN`);
  }
  return bin + account + String(luhnCheckDigit(bin + account));
}
