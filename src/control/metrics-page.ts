/** The Prometheus text format: samples and histograms of shared memory as lines, every metric of the table in every answer. */
import { bucketUpperUs, HISTOGRAM_BUCKETS, type SharedHistogram } from '../instruments.js';

type MetricType = 'counter' | 'gauge' | 'histogram';

export type MetricTable = Readonly<Record<string, { type: MetricType; labels: readonly string[]; help: string }>>;

/** Collects samples by name and writes them in the order of the table. */
export class Page {
  readonly #table: MetricTable;
  readonly #lines = new Map<string, string[]>();

  constructor(table: MetricTable) {
    this.#table = table;
  }

  sample(name: string, labels: Record<string, string>, value: number): void {
    this.#push(name, `${name}${labelText(labels)} ${value}`);
  }

  /** A histogram in seconds (or units, with `scale` 1) with the given upper bounds. */
  histogram(
    name: string,
    labels: Record<string, string>,
    histogram: SharedHistogram,
    bounds: readonly number[],
    scale: number,
  ): void {
    this.#cumulative(name, labels, [histogram], bounds, scale);
  }

  mergedHistogram(name: string, histograms: readonly SharedHistogram[], bounds: readonly number[]): void {
    this.#cumulative(name, {}, histograms, bounds, 1);
  }

  #cumulative(
    name: string,
    labels: Record<string, string>,
    histograms: readonly SharedHistogram[],
    bounds: readonly number[],
    scale: number,
  ): void {
    const counts = new Array<number>(bounds.length).fill(0);
    let total = 0;
    let sum = 0;
    for (const histogram of histograms) {
      sum += histogram.sumUs;
      for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        const count = histogram.bucket(bucket);
        if (count === 0) continue;
        // The total is the sum of the cells, so that +Inf never lies below a bucket while a thread counts on.
        total += count;
        // Units are whole numbers: the largest one in the cell counts.
        const upper = scale === 1 ? Math.ceil(bucketUpperUs(bucket)) - 1 : bucketUpperUs(bucket);
        for (let i = 0; i < bounds.length; i++) if (upper <= bounds[i]!) counts[i]! += count;
      }
    }
    for (let i = 0; i < bounds.length; i++)
      this.#push(name, `${name}_bucket${labelText({ ...labels, le: String(bounds[i]! / scale) })} ${counts[i]}`);
    this.#push(name, `${name}_bucket${labelText({ ...labels, le: '+Inf' })} ${total}`);
    this.#push(name, `${name}_sum${labelText(labels)} ${sum / scale}`);
    this.#push(name, `${name}_count${labelText(labels)} ${total}`);
  }

  #push(name: string, line: string): void {
    const lines = this.#lines.get(name) ?? [];
    this.#lines.set(name, lines);
    lines.push(line);
  }

  text(): string {
    let out = '';
    for (const [name, { type, help, labels }] of Object.entries(this.#table)) {
      out += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
      const lines = this.#lines.get(name) ?? emptySeries(name, type, labels);
      out += `${lines.join('\n')}\n`;
    }
    return out;
  }
}

/** A series at zero for a metric that has nothing to say yet. */
function emptySeries(name: string, type: MetricType, labels: readonly string[]): string[] {
  const none = labelText(Object.fromEntries(labels.map((label) => [label, 'none'])));
  if (type !== 'histogram') return [`${name}${none} 0`];
  const le = labelText({ ...Object.fromEntries(labels.map((label) => [label, 'none'])), le: '+Inf' });
  return [`${name}_bucket${le} 0`, `${name}_sum${none} 0`, `${name}_count${none} 0`];
}

function labelText(labels: Record<string, string>): string {
  const entries = Object.entries(labels);
  if (entries.length === 0) return '';
  const escaped = (value: string): string => value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
  return `{${entries.map(([name, value]) => `${name}="${escaped(value)}"`).join(',')}}`;
}
