/** What a generator can send, with the request's MTI, and what it counts. */

export const kinds = ['auth', 'increment', 'reversal', 'advice', 'repeat', 'inquiry'] as const;
export type Kind = (typeof kinds)[number];

/** Numbers of the kinds, as the slots and the counters hold them. */
export const AUTH = 0;
export const INCREMENT = 1;
export const REVERSAL = 2;
export const ADVICE = 3;
export const REPEAT = 4;
export const INQUIRY = 5;

/** MTI of each kind's request, by number. */
export const requestMti: readonly string[] = ['0100', '0100', '0400', '0120', '0101', '0100'];

/** Relative weights by kind number. */
export type Mix = readonly number[];

/** Draws kinds by weight: one uniform draw against the cumulative shares. */
export class KindPicker {
  readonly #upTo: Float64Array;

  constructor(mix: Mix) {
    const total = mix.reduce((sum, weight) => sum + weight, 0);
    this.#upTo = new Float64Array(mix.length);
    let sum = 0;
    mix.forEach((weight, kind) => {
      sum += weight;
      this.#upTo[kind] = sum / total;
    });
  }

  /** Kind number of a draw in [0, 1). */
  of(unit: number): number {
    for (let kind = 0; kind < this.#upTo.length; kind++) if (unit < this.#upTo[kind]!) return kind;
    return AUTH;
  }
}
