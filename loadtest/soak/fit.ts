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
  /** Lifetimes of the process that have samples. */
  readonly lives: number;
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
  const counts = { samples: samples.length, lives: lives.size };
  if (freedom < 1 || tt === 0) return { ...counts, perHour: 0, error: Number.POSITIVE_INFINITY, ...ends };
  const perHour = ty / tt;
  const error = Math.sqrt(Math.max(0, yy - perHour * ty) / freedom / tt);
  return { ...counts, perHour, error, ...ends };
}

export type Verdict = 'within' | 'above' | 'unknown' | 'too short';

/** Below this a slope is what a process does after its start: tables fill, code is compiled, the heap finds its size. */
const SPAN_HOURS_MIN = 0.2;

/** What may grow per hour, and how much more each lifetime may while it fills what it was given at its start. */
export interface Bound {
  readonly perHour: number;
  readonly warmUp: number;
}

/** The largest slope per hour that a warm-up explains: it is spread over the settled part of a lifetime. Infinity without a span. */
export function slopeMax({ lives, spanHours }: Slope, { perHour, warmUp }: Bound): number {
  return spanHours === 0 ? Number.POSITIVE_INFINITY : perHour + (warmUp * lives) / spanHours;
}

/**
 * `above`: more than twice its error above the bound; in a run of less than twelve settled minutes, above what a warm-up explains.
 * `within`: at least twice its error below the bound. `unknown`: the noise is too large to tell. `too short`: a warm-up may hide what grows.
 */
export function judge(slope: Slope, bound: Bound): Verdict {
  const { perHour, error, spanHours } = slope;
  const isShort = spanHours < SPAN_HOURS_MIN;
  if (perHour - 2 * error > (isShort ? slopeMax(slope, bound) : bound.perHour)) return 'above';
  if (isShort) return 'too short';
  return perHour + 2 * error <= bound.perHour ? 'within' : 'unknown';
}
