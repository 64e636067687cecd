/**
 * Approval codes (DE38): unique per card, six digits, not a visible counter. The card's count of approvals is permuted
 * within 0-999999, so a code comes back only after a million approvals of that card, long after the authorization has
 * left the matchable window. The permutation is a four-round Feistel network over 20 bits keyed by the card's slot,
 * walked until it falls below a million (2^20 is 5 % more, so nearly always at once).
 */
import { finishHash, mixWord } from './hash.js';

const CODES = 1_000_000;
const HALF = 0x3ff;

/** The code of a card's approval number `count` (0 for its first), 0-999999. */
export function approvalCodeOf(cardSlot: number, count: number): number {
  let value = count % CODES;
  do {
    let left = value >>> 10;
    let right = value & HALF;
    for (let round = 0; round < 4; round++) {
      const mixed = finishHash(mixWord(mixWord(0x5bd1e995 + round, cardSlot), right)) & HALF;
      const next = left ^ mixed;
      left = right;
      right = next;
    }
    value = (left << 10) | right;
  } while (value >= CODES);
  return value;
}
