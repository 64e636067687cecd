/** The charts of the HTML report, from a course that is known. */
import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from '../../loadtest/histogram.js';
import { barChart, latencyChart, percentileChart, roundStep, throughputChart } from '../../loadtest/report-charts.js';
import type { SeriesPoint } from '../../loadtest/run.js';

const point = (at: number, changed: Partial<SeriesPoint> = {}): SeriesPoint => ({
  ...{ at_s: at, offered_per_s: 1000, achieved_per_s: 900, dropped: 0, in_flight: 3 },
  ...{ p50_us: 400, p99_us: 2000, max_us: 9000, warming_up: at <= 2 },
  ...changed,
});
const silent = { p50_us: null, p99_us: null, max_us: null, achieved_per_s: 0 };
const course = [point(1), point(2), point(3, { dropped: 17 }), point(4, silent)];

/** Points of each line, by the class of its colour. */
function linesOf(chart: string): Record<string, number[][]> {
  expect(chart).not.toMatch(/NaN|undefined|Infinity/);
  const lines = [...chart.matchAll(/<polyline class="(\w+)" points="([^"]+)"/g)];
  return Object.fromEntries(
    lines.map(([, style, points]) => [style, points!.split(' ').map((one) => one.split(',').map(Number))]),
  );
}

describe('charts', () => {
  it('draw throughput with the warm-up shaded and drops marked', () => {
    const chart = throughputChart(course);
    const { blue, grey } = linesOf(chart);
    expect([blue!.length, grey!.length]).toEqual([4, 4]);
    // What was achieved lies below what was offered, and nothing at the bottom.
    expect(blue!.map(([x]) => x)).toEqual(grey!.map(([x]) => x));
    for (const [i, [, y]] of blue!.entries()) expect(y).toBeGreaterThan(grey![i]![1]!);
    expect(blue![3]![1]).toBeGreaterThan(blue![2]![1]!);
    expect(chart.match(/<title>17 dropped<\/title>/g)).toHaveLength(1);
    const [, from, width] = /class="warm" x="([\d.]+)" y="16" width="([\d.]+)"/.exec(chart)!;
    expect(Number(from) + Number(width)).toBeCloseTo(blue![1]![0]!, 0);
  });

  it('have round figures at their levels', () => {
    const labels = (chart: string): string[] =>
      [...chart.matchAll(/text-anchor="end">([^<]+)</g)].map(([, one]) => one!);
    expect(labels(throughputChart(course))).toEqual(['0', '500', '1,000']);
    expect(labels(throughputChart([point(1, { offered_per_s: 120_000 })]))).toEqual(['0', '50,000', '100,000']);
    expect(labels(latencyChart([point(1, { max_us: 2_000_000 })]))).toEqual([
      ...['1us', '10us', '100us', '1ms', '10ms', '100ms', '1s'],
    ]);
    for (const most of [1, 1.05, 3, 7.9, 10.5, 4200, 99_999, 1e6]) {
      const steps = most / roundStep(most);
      expect(steps).toBeGreaterThanOrEqual(2);
      expect(steps).toBeLessThanOrEqual(5);
    }
  });

  it('leave out the latency of a step in which nothing was answered', () => {
    const { blue, orange, red } = linesOf(latencyChart(course));
    expect([blue!.length, orange!.length, red!.length]).toEqual([3, 3, 3]);
    expect(red![0]![1]).toBeLessThan(orange![0]![1]!);
    expect(orange![0]![1]).toBeLessThan(blue![0]![1]!);
  });

  it('say so when there is nothing to draw', () => {
    expect(throughputChart([])).toContain('too short');
    expect(latencyChart([point(1, silent)])).toContain('too short');
  });

  it('draw percentiles that rise to the right, as far as there are samples', () => {
    const latency = new LatencyHistogram();
    for (let us = 1; us <= 10_000; us++) latency.record(us);
    const { blue, grey } = linesOf(percentileChart(latency, latency));
    expect(blue).toEqual(grey);
    for (let i = 1; i < blue!.length; i++) expect(blue![i]![1]).toBeLessThanOrEqual(blue![i - 1]![1]!);
    expect(linesOf(percentileChart(new LatencyHistogram(), new LatencyHistogram()))).toEqual({});
  });

  it('draw bars as long as their values, with names that cannot break the page', () => {
    const bars = [
      { name: '<a>', value: 10, label: 'ten', style: 'blue' },
      { name: 'b', value: 5, label: 'five', style: 'red' },
    ];
    const chart = barChart('two', bars);
    const [long, short] = [...chart.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
    expect(long! / short!).toBeCloseTo(2, 1);
    expect(chart).toContain('&lt;a&gt;');
    expect(chart).not.toContain('<a>');
  });
});
