/**
 * Approval codes (DE38): six digits, unique per card among the authorizations that can still be matched, and telling nobody
 * which card or which of its approvals they stand for.
 *
 *   key of the installation, shard, card slot -> secret of the card  (one block of Even and Mansour over Chaskey's permutation)
 *   secret of the card, count of its approvals -> code               (a Feistel network over 20 bits, walked below a million)
 *
 * For one card the count is permuted within 0-999999, so a code comes back only after a million approvals, long after the
 * authorization has left the matchable window. Without the key the codes of one card say nothing about those of another: the
 * step that takes in the card is a keyed block of 128 bits. The rounds of the network are cheap mixing, so somebody who
 * collects many codes of one card may learn to foresee that card's next ones, as its holder can by using it.
 *
 * Only a decision makes codes. The event carries its code as a result, so a replay needs no key, and another key only means
 * other codes from then on.
 */
import { finishHash } from './hash.js';
import type { MessageInput, Text } from './message.js';
import { textNumber, textSize } from './texts.js';

/** Codes there are: 0 to 999 999. */
export const APPROVAL_CODES = 1_000_000;
const HALF_BITS = 10;
const HALF = 2 ** HALF_BITS - 1;
/** One round for each word of the card's secret. */
const FEISTEL_ROUNDS = 4;
/** As in Chaskey (Mouha et al., 2014). */
const PERMUTATION_ROUNDS = 8;

/** 128 secret bits as four 32-bit words, fixed for the life of the data directory. */
export type ApprovalKey = readonly [number, number, number, number];

/** Of a state that only replays, and of tests. */
export const NO_APPROVAL_KEY: ApprovalKey = [0, 0, 0, 0];

/** The codes of one shard's cards. */
export class ApprovalCodes {
  readonly #shard: number;
  readonly #k0: number;
  readonly #k1: number;
  readonly #k2: number;
  readonly #k3: number;
  /** Secret of the card that was asked for last, four words. */
  readonly #card = new Int32Array(4);

  constructor(key: ApprovalKey, shard: number) {
    this.#shard = shard;
    [this.#k0, this.#k1, this.#k2, this.#k3] = key;
  }

  /** The code of a card's approval number `count` (0 for its first), 0-999999. */
  of(cardSlot: number, count: number): number {
    this.#forCard(cardSlot);
    const card = this.#card;
    let value = count % APPROVAL_CODES;
    // 2^20 is 5 % more than a million: nearly always once.
    do {
      let left = value >>> HALF_BITS;
      let right = value & HALF;
      for (let round = 0; round < FEISTEL_ROUNDS; round++) {
        const next = left ^ (finishHash(card[round]! ^ right) & HALF);
        left = right;
        right = next;
      }
      value = (left << HALF_BITS) | right;
    } while (value >= APPROVAL_CODES);
    return value;
  }

  /** permute(block ^ key) ^ key, with the block (shard, slot, 0, 0). */
  #forCard(cardSlot: number): void {
    let v0 = this.#k0 ^ this.#shard;
    let v1 = this.#k1 ^ cardSlot;
    let v2 = this.#k2 | 0;
    let v3 = this.#k3 | 0;
    for (let round = 0; round < PERMUTATION_ROUNDS; round++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 13) | (v3 >>> 19)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 7) | (v1 >>> 25)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    const card = this.#card;
    card[0] = v0 ^ this.#k0;
    card[1] = v1 ^ this.#k1;
    card[2] = v2 ^ this.#k2;
    card[3] = v3 ^ this.#k3;
  }
}

/**
 * DE38 as a number: six digits are 0-999999 (every code of ours is one). A network's own may have letters and blanks (an6): from
 * 1000000 on, to 63^6 + 999999, in the order of 0-9, A-Z, a-z behind the blank. -1 when it is absent, blank or has other characters.
 */
export function approvalCodeOf(input: MessageInput, which: Text): number {
  const size = textSize(input, which);
  if (size === 0 || size > DIGITS) return -1;
  const digits = size === DIGITS ? textNumber(input, which) : -1;
  if (digits >= 0) return digits;
  const at = input.textAt[which]!;
  let value = 0;
  for (let i = 0; i < DIGITS; i++) {
    const symbol = i < size ? SYMBOLS.indexOf(String.fromCharCode(input.text[at + i]!)) : 0;
    if (symbol < 0) return -1;
    value = value * SYMBOLS.length + symbol;
  }
  return APPROVAL_CODES + value;
}

/** The six characters of DE38 (without the blanks at the end), of a number of `approvalCodeOf`; '' for -1. */
export function approvalCodeText(code: number): string {
  if (code < APPROVAL_CODES) return code < 0 ? '' : String(code).padStart(DIGITS, '0');
  let text = '';
  let rest = code - APPROVAL_CODES;
  for (let i = 0; i < DIGITS; i++) {
    text = SYMBOLS[rest % SYMBOLS.length]! + text;
    rest = Math.floor(rest / SYMBOLS.length);
  }
  return text.trimEnd();
}

const DIGITS = 6;
const SYMBOLS = ' 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
