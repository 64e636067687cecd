/** What the instructions of a program refer to: numbers, sorted ranges, bit maps and texts, each in one array. */
import type { Program } from './program.js';

export type NumberRange = readonly [from: number, to: number];

export class ProgramData {
  readonly #constants: number[] = [];
  readonly #places = new Map<number, number>();
  readonly #bits: number[] = [];
  readonly #bytes: number[] = [];
  readonly #starts: number[] = [];

  arrays(): Omit<Program, 'code' | 'entry'> {
    return {
      constants: Float64Array.from(this.#constants),
      bits: Uint32Array.from(this.#bits),
      bytes: Uint8Array.from(this.#bytes),
      starts: Int32Array.from([...this.#starts, this.#bytes.length]),
    };
  }

  /** Place of a number; equal ones share it. */
  constant(value: number): number {
    const known = this.#places.get(value);
    if (known !== undefined) return known;
    const place = this.#constants.push(value) - 1;
    this.#places.set(value, place);
    return place;
  }

  /** Place of the first of sorted, disjoint ranges. */
  ranges(ranges: readonly NumberRange[]): number {
    const first = this.#constants.length;
    this.#constants.push(...ranges.flat());
    return first;
  }

  /** First word of a map with a bit for each number from 0 to `max`. */
  bitMap(ranges: readonly NumberRange[], max: number): number {
    const map = new Uint32Array((max >>> 5) + 1);
    for (const [from, to] of ranges) {
      for (let value = from; value <= to; value++) map[value >>> 5]! |= 1 << (value & 31);
    }
    const first = this.#bits.length;
    for (const word of map) this.#bits.push(word);
    return first;
  }

  /** Number of the first of these texts, which follow each other. */
  texts(texts: readonly string[]): number {
    const first = this.#starts.length;
    for (const text of texts) {
      this.#starts.push(this.#bytes.length);
      for (let i = 0; i < text.length; i++) this.#bytes.push(text.charCodeAt(i));
    }
    return first;
  }
}

/** The same integers as disjoint ranges, ascending. */
export function disjoint(ranges: readonly NumberRange[]): NumberRange[] {
  const merged: [number, number][] = [];
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** The order in which a text is looked up among others. */
export function byLengthThenBytes(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}
