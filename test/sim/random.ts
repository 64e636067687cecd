/** Numbers drawn from a seed: the same seed draws the same numbers, on every machine. */

/** FNV-1a with a final mix, 32 bits. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The generator sfc32. A stream is named by text, so that what one of them draws does not move what another one draws. */
export class Random {
  readonly #name: string;
  #a: number;
  #b: number;
  #c: number;
  #count = 1;

  constructor(name: string) {
    this.#name = name;
    this.#a = hash(`${name}/a`);
    this.#b = hash(`${name}/b`);
    this.#c = hash(`${name}/c`);
    for (let i = 0; i < 12; i++) this.#next();
  }

  /** A stream of its own. */
  fork(label: string | number): Random {
    return new Random(`${this.#name}/${label}`);
  }

  #next(): number {
    const t = (this.#a + this.#b + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t;
    return t >>> 0;
  }

  /** From 0, below 1. */
  real(): number {
    return this.#next() / 2 ** 32;
  }

  /** Whole, both ends included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.real() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.real() < probability;
  }

  pick<T>(list: readonly T[]): T {
    const one = list[this.int(0, list.length - 1)];
    if (one === undefined) throw new RangeError('nothing to pick from');
    return one;
  }

  /** Positive, mostly near `typical`, now and then many times as large. */
  latency(typical: number): number {
    const stretched = this.chance(0.02) ? 20 : 1;
    return Math.max(1, Math.round(-Math.log(1 - this.real()) * typical * stretched));
  }
}
