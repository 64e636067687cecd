/**
 * Slope per hour by least squares over several lifetimes of a process: each lifetime has a level of its own, the slope is common.
 *
 *   y = level(lifetime) + slope x t + noise          slope = S(t - t')(y - y') / S(t - t')^2, means per lifetime
 *
 * The uncertainty is the standard error of the slope from the residuals, as if samples were independent. They are not (memory moves in
 * saw teeth), so it is a lower bound: a verdict asks for more than twice of it.
 */

/** One sample: lifetime of the process, hours since it began, value. */
export interface Sample {
  readonly life: number;
  readonly hours: number;
  readonly value: number;
}

export interface Slope {
  readonly samples: number;
  /** From the first to the last sample of each lifetime, added up. */
  readonly spanHours: number;
  /** Value per hour, and its standard error; 0 and Infinity with too few samples. */
  readonly perHour: number;
  readonly error: number;
  readonly first: number;
  readonly last: number;
  readonly max: number;
}

export function fitSlope(samples: readonly Sample[]): Slope {
  const lives = new Map<number, Sample[]>();
  for (const sample of samples) lives.set(sample.life, [...(lives.get(sample.life) ?? []), sample]);
  let spanHours = 0;
  let tt = 0;
  let ty = 0;
  let yy = 0;
  for (const one of lives.values()) {
    const meanT = one.reduce((sum, { hours }) => sum + hours, 0) / one.length;
    const meanY = one.reduce((sum, { value }) => sum + value, 0) / one.length;
    spanHours += one.at(-1)!.hours - one[0]!.hours;
    for (const { hours, value } of one) {
      tt += (hours - meanT) ** 2;
      ty += (hours - meanT) * (value - meanY);
      yy += (value - meanY) ** 2;
    }
  }
  const freedom = samples.length - lives.size - 1;
  const values = samples.map(({ value }) => value);
  const ends = { spanHours, first: values[0] ?? 0, last: values.at(-1) ?? 0, max: Math.max(0, ...values) };
  if (freedom < 1 || tt === 0) return { samples: samples.length, perHour: 0, error: Number.POSITIVE_INFINITY, ...ends };
  const perHour = ty / tt;
  const error = Math.sqrt(Math.max(0, yy - perHour * ty) / freedom / tt);
  return { samples: samples.length, perHour, error, ...ends };
}

export type Verdict = 'within' | 'above' | 'unknown' | 'too short';

/** Below this a slope is what a process does after its start: tables fill, code is compiled, the heap finds its size. */
const SPAN_HOURS_MIN = 0.2;

/**
 * `above`: more than twice its error above the bound. `within`: no more than twice its error below it, or the error is small against
 * the bound. `unknown`: the noise is too large to tell.
 */
export function judge({ perHour, error, spanHours }: Slope, boundPerHour: number): Verdict {
  if (spanHours < SPAN_HOURS_MIN) return 'too short';
  if (perHour - 2 * error > boundPerHour) return 'above';
  return perHour + 2 * error <= boundPerHour ? 'within' : 'unknown';
}
