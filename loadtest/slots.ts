/**
 * Requests of one connection, by slot. A STAN belongs to exactly one slot (`(stan - 1) & mask`), so an answer finds its
 * request with one subtraction and one compare: DE11 gives the slot, the slot's own STAN and RRN number must agree. A slot
 * remembers its last message after the answer: that is how a second answer is told from a strange one, how a repeat can
 * resend the identical bytes, and how a reversal names its original.
 */
import { RRN_NUMBERS } from './templates.js';

export const SLOTS = 16_384;
/** STANs in use: the largest multiple of SLOTS below 999 999, so that the wrap keeps STAN and slot in step. */
const STANS = Math.floor(999_999 / SLOTS) * SLOTS;
/** Slots looked at for a free one before the connection counts as full. */
const PROBES = 64;

export const SlotState = { free: 0, inFlight: 1, answered: 2, timedOut: 3, lost: 4 } as const;

export class Slots {
  readonly state = new Uint8Array(SLOTS);
  /** Counter set of the message: 0 warm-up, 1 measured. */
  readonly set = new Uint8Array(SLOTS);
  readonly kind = new Uint8Array(SLOTS);
  readonly stan = new Int32Array(SLOTS);
  readonly card = new Int32Array(SLOTS);
  readonly rrn = new Int32Array(SLOTS);
  readonly de7 = new Float64Array(SLOTS);
  readonly amount = new Float64Array(SLOTS);
  readonly scheduledUs = new Float64Array(SLOTS);
  readonly sentUs = new Float64Array(SLOTS);
  /** Index of the answered DE39 (counters.ts), of the auth itself even after a repeat. */
  readonly code = new Int16Array(SLOTS);
  /** 1 once a reversal or an increment of this auth has been sent: it is no longer repeated or reversed. */
  readonly spent = new Uint8Array(SLOTS);
  /** Counter of the chip whose data an auth has; 0 without chip data. */
  readonly counter = new Uint16Array(SLOTS);
  inFlight = 0;
  #sequence = 0;
  #rrn = 0;

  /** A free slot with its next STAN; -1 when 64 in a row are taken. Its STAN is `stan[slot]`. */
  claim(): number {
    for (let probe = 0; probe < PROBES; probe++) {
      const index = this.#sequence;
      this.#sequence = index + 1 === STANS ? 0 : index + 1;
      const slot = index & (SLOTS - 1);
      if (this.state[slot] !== SlotState.inFlight) {
        this.stan[slot] = index + 1;
        return slot;
      }
    }
    return -1;
  }

  /** The next RRN number of the connection. */
  nextRrn(): number {
    const rrn = this.#rrn;
    this.#rrn = rrn + 1 === RRN_NUMBERS ? 0 : rrn + 1;
    return rrn;
  }

  static of(stan: number): number {
    return (stan - 1) & (SLOTS - 1);
  }
}

/**
 * Approved auths that a reversal, repeat or increment may refer to, newest last. A bounded ring: when it is full the
 * oldest are forgotten, which costs nothing but the chance to refer to them.
 */
export class Originals {
  static readonly capacity = 4096;
  readonly #slots = new Int32Array(Originals.capacity);
  readonly #stans = new Int32Array(Originals.capacity);
  #head = 0;
  #tail = 0;

  get size(): number {
    return this.#tail - this.#head;
  }

  push(slot: number, stan: number): void {
    if (this.size === Originals.capacity) this.#head++;
    const at = this.#tail++ % Originals.capacity;
    this.#slots[at] = slot;
    this.#stans[at] = stan;
  }

  /** Takes the oldest original that still lies in its slot, answered and not spent; -1 when there is none. */
  take(slots: Slots): number {
    while (this.size > 0) {
      const at = this.#head++ % Originals.capacity;
      const slot = this.#slots[at]!;
      if (usable(slots, slot, this.#stans[at]!)) return slot;
    }
    return -1;
  }

  /** The newest usable original, which stays; -1 when none of the last few is. */
  newest(slots: Slots): number {
    for (let back = 1; back <= Math.min(16, this.size); back++) {
      const at = (this.#tail - back) % Originals.capacity;
      const slot = this.#slots[at]!;
      if (usable(slots, slot, this.#stans[at]!)) return slot;
    }
    return -1;
  }
}

function usable(slots: Slots, slot: number, stan: number): boolean {
  return slots.state[slot] === SlotState.answered && slots.stan[slot] === stan && slots.spent[slot] === 0;
}
