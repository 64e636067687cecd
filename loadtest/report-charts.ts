/** The charts of the HTML report: SVG text, drawn to one size, with colours that the page's style names. */
import type { LatencyHistogram } from './histogram.js';
import type { SeriesPoint } from './run.js';

const WIDTH = 900;
const HEIGHT = 300;
const LEFT = 76;
const RIGHT = 20;
const TOP = 16;
const BOTTOM = 34;
const BAR_HEIGHT = 26;
const BAR_LABEL = 130;

export const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** A line: class of its colour, and what it is called. */
interface Line {
  readonly style: string;
  readonly name: string;
}

const legend = (lines: readonly Line[]): string =>
  `<p class="legend">${lines.map(({ style, name }) => `<span class="${style}">&#9632;</span> ${escapeHtml(name)}`).join(' &nbsp; ')}</p>`;

const svg = (label: string, height: number, body: string): string =>
  `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(label)}">${body}</svg>`;

const place = (value: number): string => value.toFixed(1);
const text = (x: number, y: number, anchor: 'start' | 'middle' | 'end', words: string): string =>
  `<text x="${place(x)}" y="${place(y)}" text-anchor="${anchor}">${escapeHtml(words)}</text>`;
const level = (y: number): string => `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${place(y)}" y2="${place(y)}"/>`;
const upright = (x: number): string => `<line x1="${place(x)}" x2="${place(x)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>`;
const polyline = (style: string, points: readonly string[]): string =>
  points.length === 0 ? '' : `<polyline class="${style}" points="${points.join(' ')}"/>`;

/** A power of ten of microseconds. */
const decade = (us: number): string =>
  us < 1000 ? `${us}us` : us < 1_000_000 ? `${us / 1000}ms` : `${us / 1_000_000}s`;

/** The smallest of 1, 2 and 5 times a power of ten that divides `most` into five steps or fewer. */
export function roundStep(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most / 5));
  return [1, 2, 5, 10].map((one) => one * power).find((step) => most / step <= 5)!;
}

/** Vertical place of a latency by its logarithm, with the levels of the powers of ten up to `maxUs`. */
function logAxis(maxUs: number): { y: (us: number) => number; grid: string } {
  const top = Math.log10(Math.max(10, maxUs)) + 0.1;
  const y = (us: number): number => HEIGHT - BOTTOM - (Math.log10(Math.max(1, us)) / top) * (HEIGHT - BOTTOM - TOP);
  let grid = '';
  for (let us = 1; Math.log10(us) <= top; us *= 10) grid += level(y(us)) + text(LEFT - 8, y(us) + 4, 'end', decade(us));
  return { y, grid };
}

/** Horizontal place of a percentile: log of 1 / (1 - p), so that each nine has the same width. */
const nines = (p: number): number => -Math.log10(Math.max(1e-9, 1 - p / 100));
const PERCENTILES = [0, 90, 99, 99.9, 99.99, 99.999];

/** Response and service time by percentile, as far as there are samples beyond it. */
export function percentileChart(latency: LatencyHistogram, service: LatencyHistogram): string {
  const right = Math.max(1, Math.min(5, Math.log10(Math.max(10, latency.count))));
  const x = (p: number): number => LEFT + (nines(p) / right) * (WIDTH - LEFT - RIGHT);
  const { y, grid } = logAxis(Math.max(latency.max || 10, service.max || 10));
  const curve = (histogram: LatencyHistogram): string[] => {
    const total = histogram.count;
    if (total === 0) return [];
    return Array.from({ length: 201 }, (_, step) => {
      const p = 100 * (1 - 10 ** (-(step / 200) * right));
      return `${place(x(p))},${place(y(histogram.percentile(Math.max(p, 1e-6), total)))}`;
    });
  };
  const marks = PERCENTILES.filter((p) => nines(p) <= right).map(
    (p) => upright(x(p)) + text(x(p), HEIGHT - 14, 'middle', `${p} %`),
  );
  const body = grid + marks.join('') + polyline('grey', curve(service)) + polyline('blue', curve(latency));
  return (
    svg('Latency by percentile', HEIGHT, body) +
    legend([
      { style: 'blue', name: 'response time, from the scheduled send' },
      { style: 'grey', name: 'service time, from the actual send' },
    ])
  );
}

/** Time axis of a series: its places, and marks at round seconds; the warm-up is shaded. */
function timeAxis(series: readonly SeriesPoint[]): { x: (seconds: number) => number; grid: string } {
  const end = series.at(-1)!.at_s;
  const x = (seconds: number): number => LEFT + (seconds / end) * (WIDTH - LEFT - RIGHT);
  const step = [1, 2, 5, 10, 20, 60, 120, 300, 600, 1800, 3600].find((one) => end / one <= 10) ?? 7200;
  const warm = series.filter((point) => point.warming_up).at(-1);
  let grid =
    warm === undefined
      ? ''
      : `<rect class="warm" x="${LEFT}" y="${TOP}" width="${place(x(warm.at_s) - LEFT)}" height="${HEIGHT - TOP - BOTTOM}"/>`;
  for (let seconds = 0; seconds <= end; seconds += step)
    grid += upright(x(seconds)) + text(x(seconds), HEIGHT - 14, 'middle', `${seconds} s`);
  return { x, grid };
}

const TOO_SHORT = '<p class="legend">The run was too short for this.</p>';

/** Messages per second that were due, and decisions per second that came. */
export function throughputChart(series: readonly SeriesPoint[]): string {
  if (series.length === 0) return TOO_SHORT;
  const { x, grid } = timeAxis(series);
  const most = Math.max(1, ...series.flatMap((point) => [point.offered_per_s, point.achieved_per_s])) * 1.05;
  const y = (rate: number): number => HEIGHT - BOTTOM - (rate / most) * (HEIGHT - BOTTOM - TOP);
  const step = roundStep(most);
  let levels = '';
  for (let i = 0; i * step <= most; i++)
    levels += level(y(i * step)) + text(LEFT - 8, y(i * step) + 4, 'end', (i * step).toLocaleString('en-US'));
  const line = (of: (point: SeriesPoint) => number): string[] =>
    series.map((point) => `${place(x(point.at_s))},${place(y(of(point)))}`);
  const drops = series
    .filter((point) => point.dropped > 0)
    .map(
      (point) =>
        `<circle class="red" cx="${place(x(point.at_s))}" cy="${HEIGHT - BOTTOM}" r="4"><title>${point.dropped} dropped</title></circle>`,
    );
  const body =
    grid +
    levels +
    polyline(
      'grey',
      line((point) => point.offered_per_s),
    ) +
    polyline(
      'blue',
      line((point) => point.achieved_per_s),
    ) +
    drops.join('');
  return (
    svg('Throughput over time', HEIGHT, body) +
    legend([
      { style: 'blue', name: 'achieved per second' },
      { style: 'grey', name: 'offered per second' },
      { style: 'red', name: 'messages were dropped' },
    ])
  );
}

/** Response time over time: median, 99th percentile and the slowest of each step. */
export function latencyChart(series: readonly SeriesPoint[]): string {
  const answered = series.filter((point) => point.max_us !== null);
  if (answered.length === 0) return TOO_SHORT;
  const { x, grid } = timeAxis(series);
  const axis = logAxis(Math.max(...answered.map((point) => point.max_us!)));
  const line = (of: (point: SeriesPoint) => number): string[] =>
    answered.map((point) => `${place(x(point.at_s))},${place(axis.y(of(point)))}`);
  const body =
    grid +
    axis.grid +
    polyline(
      'red',
      line((point) => point.max_us!),
    ) +
    polyline(
      'orange',
      line((point) => point.p99_us!),
    ) +
    polyline(
      'blue',
      line((point) => point.p50_us!),
    );
  return (
    svg('Latency over time', HEIGHT, body) +
    legend([
      { style: 'blue', name: 'p50' },
      { style: 'orange', name: 'p99' },
      { style: 'red', name: 'slowest' },
    ])
  );
}

export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly label: string;
  readonly style: string;
}

/** Bars from the left, one below the other. */
export function barChart(label: string, bars: readonly Bar[]): string {
  const most = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
  const room = WIDTH - BAR_LABEL - 190;
  const body = bars.map(({ name, value, label: words, style }, i) => {
    const y = i * BAR_HEIGHT;
    const width = Math.max(1, (value / most) * room);
    return (
      text(BAR_LABEL - 8, y + 17, 'end', name) +
      `<rect class="${style}" x="${BAR_LABEL}" y="${y + 4}" width="${place(width)}" height="${BAR_HEIGHT - 8}"/>` +
      text(BAR_LABEL + width + 8, y + 17, 'start', words)
    );
  });
  return svg(label, Math.max(1, bars.length) * BAR_HEIGHT, body.join(''));
}
