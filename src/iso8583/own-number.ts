/** The account number of a message for the masking of its texts: DE2, else what stands before the separator of DE35. */
import type { TextMask } from '../pan-mask.js';
import type { Decoder } from './decoder.js';

/** Hands the digits of the message's own number to `mask`; none when it has no readable one. */
export function readOwnNumber(decoder: Decoder, mask: TextMask): void {
  mask.clear();
  const field = decoder.size(2) > 0 ? 2 : 35;
  const size = decoder.size(field);
  for (let i = 0; i < size && mask.addDigit(decoder.byteAt(field, i)); i++);
}
