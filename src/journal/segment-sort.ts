/**
 * Sorts entries by (high, low), keeping the order of equal keys, in linear time: a radix sort with 11-bit digits over three
 * parallel columns, six passes and no comparison function. About 50 ns per entry.
 */
const DIGIT_BITS = 11;
const BUCKETS = 1 << DIGIT_BITS;
const MASK = BUCKETS - 1;

/** Columns of entries not yet written, and the second copy that the sort needs. */
export class EntryColumns {
  readonly capacity: number;
  count = 0;
  high: Uint32Array;
  low: Uint32Array;
  delta: Uint32Array;
  #high: Uint32Array;
  #low: Uint32Array;
  #delta: Uint32Array;
  readonly #offsets = new Uint32Array(BUCKETS);

  constructor(capacity: number) {
    this.capacity = capacity;
    this.high = new Uint32Array(capacity);
    this.low = new Uint32Array(capacity);
    this.delta = new Uint32Array(capacity);
    this.#high = new Uint32Array(capacity);
    this.#low = new Uint32Array(capacity);
    this.#delta = new Uint32Array(capacity);
  }

  /** @throws RangeError when full. */
  push(high: number, low: number, delta: number): void {
    if (this.count === this.capacity) throw new RangeError(`more than ${this.capacity} entries to sort at once`);
    this.high[this.count] = high;
    this.low[this.count] = low;
    this.delta[this.count] = delta;
    this.count++;
  }

  sort(): void {
    for (let shift = 0; shift < 32; shift += DIGIT_BITS) this.#pass(false, shift);
    for (let shift = 0; shift < 32; shift += DIGIT_BITS) this.#pass(true, shift);
  }

  #pass(byHigh: boolean, shift: number): void {
    const { count, high, low, delta } = this;
    const digits = byHigh ? high : low;
    const offsets = this.#offsets.fill(0);
    for (let i = 0; i < count; i++) offsets[(digits[i]! >>> shift) & MASK]!++;
    let sum = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const size = offsets[bucket]!;
      if (size === count) return; // all digits equal: nothing moves
      offsets[bucket] = sum;
      sum += size;
    }
    const toHigh = this.#high;
    const toLow = this.#low;
    const toDelta = this.#delta;
    for (let i = 0; i < count; i++) {
      const to = offsets[(digits[i]! >>> shift) & MASK]!++;
      toHigh[to] = high[i]!;
      toLow[to] = low[i]!;
      toDelta[to] = delta[i]!;
    }
    this.#high = high;
    this.#low = low;
    this.#delta = delta;
    this.high = toHigh;
    this.low = toLow;
    this.delta = toDelta;
  }
}
