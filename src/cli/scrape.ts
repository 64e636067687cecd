/** One answer of /metrics in parts: samples by name and labels, and what happened between two of them. */
import { parseSample } from './metrics.js';

type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** What fell into a histogram between two scrapes. Percentiles are the upper bound of their cell, never an interpolation. */
export interface HistogramPart {
  readonly count: number;
  /** In the unit of the metric. */
  readonly sum: number;
  /** Undefined when nothing was counted; Infinity beyond the last bound. */
  quantile(q: number): number | undefined;
}

export class Scrape {
  readonly #samples = new Map<string, Sample[]>();
  /** Milliseconds of any clock that goes on evenly. */
  readonly atMs: number;

  constructor(text: string, atMs: number) {
    this.atMs = atMs;
    for (const line of text.split('\n')) {
      const sample = parseSample(line);
      if (sample === undefined) continue;
      const list = this.#samples.get(sample.name) ?? [];
      this.#samples.set(sample.name, list);
      // "none" stands for nothing to say.
      if (Object.values(sample.labels).includes('none')) continue;
      list.push({ labels: sample.labels, value: Number(sample.value) });
    }
  }

  has(name: string): boolean {
    return this.#samples.has(name);
  }

  /** Sum of the samples that have these labels; 0 when there are none. */
  sum(name: string, labels: Labels = {}): number {
    return this.#of(name, labels).reduce((total, { value }) => total + value, 0);
  }

  /** Sums by the value of a label, in the order of the page. */
  by(name: string, label: string, labels: Labels = {}): Map<string, number> {
    const sums = new Map<string, number>();
    for (const sample of this.#of(name, labels)) {
      const key = sample.labels[label] ?? '';
      sums.set(key, (sums.get(key) ?? 0) + sample.value);
    }
    return sums;
  }

  #of(name: string, labels: Labels): Sample[] {
    const wanted = Object.entries(labels);
    return (this.#samples.get(name) ?? []).filter((one) => wanted.every(([key, value]) => one.labels[key] === value));
  }
}

/** From one scrape to a later one of the same process. */
export class Span {
  readonly #before: Scrape;
  readonly #after: Scrape;

  constructor(before: Scrape, after: Scrape) {
    this.#before = before;
    this.#after = after;
  }

  get seconds(): number {
    return Math.max(0.001, (this.#after.atMs - this.#before.atMs) / 1000);
  }

  /** Per second. A counter that fell has begun anew: what it has now was counted since. */
  rate(name: string, labels: Labels = {}): number {
    return rise(this.#before.sum(name, labels), this.#after.sum(name, labels)) / this.seconds;
  }

  ratesBy(name: string, label: string): Map<string, number> {
    const before = this.#before.by(name, label);
    const rates = new Map<string, number>();
    for (const [key, value] of this.#after.by(name, label))
      rates.set(key, rise(before.get(key) ?? 0, value) / this.seconds);
    return rates;
  }

  histogram(name: string, labels: Labels = {}): HistogramPart {
    const before = this.#before.by(`${name}_bucket`, 'le', labels);
    const counts = [...this.#after.by(`${name}_bucket`, 'le', labels)]
      .map(([le, value]) => ({
        bound: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le),
        count: rise(before.get(le) ?? 0, value),
      }))
      .sort((one, other) => one.bound - other.bound);
    const count = counts.at(-1)?.count ?? 0;
    return {
      count,
      sum: rise(this.#before.sum(`${name}_sum`, labels), this.#after.sum(`${name}_sum`, labels)),
      quantile: (q) => (count === 0 ? undefined : counts.find((one) => one.count >= q * count)!.bound),
    };
  }
}

const rise = (before: number, after: number): number => (after < before ? after : after - before);
