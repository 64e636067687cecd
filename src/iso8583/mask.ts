/**
 * A message with zeros in place of everything that must not be seen, still a message of the same length: what may be shown as
 * bytes. It hides what `describe` hides: of card numbers all but the first six and last four digits, wholly the fields of tracks,
 * PIN and chip, and in DE48 the values of tags that are not shown.
 */
import { hiddenFields, maskedField, maskedTag, OwnNumber } from './describe.js';
import type { DialectName } from './dialects.js';
import { pack, unpack } from './message.js';

/**
 * @param bytes one well-formed message
 * @param pan the card number that it is about, hidden in every text
 * @throws IsoError when the message is malformed
 */
export function maskedBytes(name: DialectName, bytes: Uint8Array, pan: string): Uint8Array {
  const own = new OwnNumber(pan);
  const fields = unpack(name, bytes);
  for (const [key, value] of Object.entries(fields)) {
    const field = Number(key);
    if (hiddenFields.has(field)) fields[key] = zeros(value);
    else if (field === 2) fields[key] = maskedNumber(value);
    else if (field === 48) fields[key] = maskedTags(value, own);
    // Any other field has room for a card number too: fields of digits such as DE53, 86 or 90, and the hex digits of DE64.
    else if (field > 0) fields[key] = hidden(value, maskedField(field, value, own));
  }
  return pack(name, fields);
}

/** Zeros in place of the value; of a binary one (`hex:`) in place of its digits. */
function zeros(value: string): string {
  const prefix = value.startsWith('hex:') ? 'hex:' : '';
  return prefix + '0'.repeat(value.length - prefix.length);
}

function maskedNumber(digits: string): string {
  if (digits.length < 13) return zeros(digits);
  return digits.slice(0, 6) + '0'.repeat(digits.length - 10) + digits.slice(-4);
}

/** The value with zeros where `masked` hides a digit; all of it when there is nothing to show. */
function hidden(value: string, masked: string | undefined): string {
  if (masked === undefined) return zeros(value);
  let out = '';
  for (let i = 0; i < value.length; i++) out += masked[i] === value[i] ? value[i] : '0';
  return out;
}

/** Tags keep their numbers and lengths. Zeros when it is not made of tags, because then nobody knows what it holds. */
function maskedTags(text: string, own: OwnNumber): string {
  let out = '';
  for (let at = 0; at < text.length; ) {
    const head = text.slice(at, at + 4);
    const end = at + 4 + Number(head.slice(2));
    if (!/^\d{4}$/.test(head) || end > text.length) return zeros(text);
    const value = text.slice(at + 4, end);
    out += head + hidden(value, maskedTag(Number(head.slice(0, 2)), value, own));
    at = end;
  }
  return out;
}
