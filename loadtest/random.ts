/**
 * Seeded draws of the workload. The same seed, worker and flags give the same sequence of kinds, cards and amounts,
 * whatever the timing of the run: the generator never reads Math.random.
 */

/** sfc32: 128 bits of state, passes PractRand, about 2 ns per draw. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  /** Two streams of one seed never overlap in practice: seed and stream fill different words, then 15 rounds mix them. */
  constructor(seed: number, stream: number) {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 2 ** 32) | 0;
    this.#c = stream | 0;
    for (let i = 0; i < 15; i++) this.next32();
  }

  /** Unsigned 32 random bits. */
  next32(): number {
    const sum = (this.#a + this.#b + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  /** A double in [0, 1) with 32 bits. */
  unit(): number {
    return this.next32() / 4294967296;
  }

  /** A whole number in [0, bound), bound at most 2^31; the modulo bias is below bound / 2^32. */
  below(bound: number): number {
    return Math.floor(this.unit() * bound);
  }
}

/** Where the load falls: an index in [0, count). */
export interface Picker {
  next(): number;
}

export class UniformPicker implements Picker {
  constructor(
    readonly random: Random,
    readonly count: number,
  ) {}
  next(): number {
    return this.random.below(this.count);
  }
}

/**
 * Zipf with exponent 0.99 by the method of Gray et al. (SIGMOD 1994), the one YCSB uses: rank 0 is the hottest. Ranks are
 * scattered over the indexes by a fixed odd multiplier, so that the hot cards do not sit side by side in one shard's table.
 */
export class ZipfianPicker implements Picker {
  static readonly theta = 0.99;
  readonly #zetaN: number;
  readonly #alpha: number;
  readonly #eta: number;
  readonly #second: number;
  readonly #multiplier: number;

  constructor(
    readonly random: Random,
    readonly count: number,
  ) {
    const theta = ZipfianPicker.theta;
    let zetaN = 0;
    for (let i = 1; i <= count; i++) zetaN += 1 / i ** theta;
    const zeta2 = 1 + 0.5 ** theta;
    this.#zetaN = zetaN;
    this.#alpha = 1 / (1 - theta);
    this.#eta = count < 2 ? 0 : (1 - (2 / count) ** (1 - theta)) / (1 - zeta2 / zetaN);
    this.#second = zeta2;
    this.#multiplier = coprimeNear(Math.floor(count * 0.6180339887), count);
  }

  next(): number {
    const u = this.random.unit();
    const uz = u * this.#zetaN;
    let rank: number;
    if (uz < 1) rank = 0;
    else if (uz < this.#second) rank = Math.min(1, this.count - 1);
    else rank = Math.min(this.count - 1, Math.floor(this.count * (this.#eta * u - this.#eta + 1) ** this.#alpha));
    return (rank * this.#multiplier) % this.count;
  }
}

/** The first number at or above `start` that shares no factor with `count`: multiplying by it permutes the indexes. */
function coprimeNear(start: number, count: number): number {
  const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
  let candidate = Math.max(1, start);
  while (gcd(candidate, count) !== 1) candidate++;
  return candidate;
}
