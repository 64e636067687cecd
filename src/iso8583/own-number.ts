/** The account number of a message for the masking of its texts: DE2, else what stands before the separator of DE35. */
import type { TextMask } from '../pan-mask.js';
import type { Decoder } from './decoder.js';

/** Hands the digits of the message's own number to `mask`; none when it has no readable one. */
export function readOwnNumber(decoder: Decoder, mask: TextMask): void {
  mask.clear();
  if (decoder.size(2) > 0) {
    mask.took(decoder.copyText(2, mask.own, 0));
    return;
  }
  const size = decoder.size(35);
  for (let i = 0; i < size && mask.addDigit(decoder.byteAt(35, i)); i++);
}
