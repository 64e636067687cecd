/**
 * The transaction counter of a chip (ATC, tag 9F36, 16 bits) against the highest one that was seen of the card. A cryptogram proves that the card made it; only the counter proves that it was not made before.
 */

/** `jumped`: further ahead than a card gets between two of its messages; for the issuer to judge, not proof of anything. */
export type CounterVerdict = 'fresh' | 'replayed' | 'behind' | 'jumped';

/**
 * @param atc counter of the message, 0 to 65535
 * @param highest highest counter seen, or -1 when there is none
 * @param jumpMax distance ahead that is ordinary: offline and unsent transactions count too
 */
export function counterVerdict(atc: number, highest: number, jumpMax: number): CounterVerdict {
  if (atc === highest) return 'replayed';
  if (atc < highest) return 'behind';
  return highest >= 0 && atc - highest > jumpMax ? 'jumped' : 'fresh';
}

/** The counter that the card's row keeps: it never goes back. */
export const highestCounter = (atc: number, highest: number): number => Math.max(atc, highest);
