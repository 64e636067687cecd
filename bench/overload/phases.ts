/** The steady traffic before, during and after something: percentiles of each phase, and how long it took until all was as before. */
import { Code, type SteadyRows } from './case.js';

/** Windows that are looked at for the time back to normal, ms, and how many must be normal in a row. */
const WINDOW_MS = 100;
const NORMAL_WINDOWS = 5;

export interface PhaseFigures {
  offered: number;
  approved: number;
  shed: number;
  other: number;
  unanswered: number;
  /** From the due time to the answer, ms; null without answers. */
  p50: number | null;
  p99: number | null;
  max: number | null;
}

/** The messages that were due from `fromMs` on and before `toMs`. */
export function phase(rows: SteadyRows, fromMs: number, toMs: number): PhaseFigures {
  const codes = [0, 0, 0, 0];
  const latencies: number[] = [];
  for (let n = 0; n < rows.dueMs.length; n++) {
    if (rows.dueMs[n]! < fromMs || rows.dueMs[n]! >= toMs) continue;
    codes[rows.code[n]!]!++;
    if (rows.code[n] !== Code.none) latencies.push(rows.latencyMs[n]!);
  }
  latencies.sort((a, b) => a - b);
  return {
    offered: codes.reduce((sum, count) => sum + count, 0),
    approved: codes[Code.approved]!,
    shed: codes[Code.shed]!,
    other: codes[Code.other]!,
    unanswered: codes[Code.none]!,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    max: percentile(latencies, 1),
  };
}

/**
 * Time from `endMs` until half a second begins in which every window of 100 ms is as it was before `startMs`: all approved, and the
 * slowest no slower than the slowest of any window then. Null when that does not come.
 */
export function backToNormalMs(rows: SteadyRows, startMs: number, endMs: number): number | null {
  const first = rows.dueMs[0]!;
  const last = rows.dueMs.at(-1)!;
  const slowestBefore = phase(rows, first, startMs).max ?? 0;
  let normalSince = endMs;
  for (let at = endMs; at + WINDOW_MS <= last; at += WINDOW_MS) {
    const window = phase(rows, at, at + WINDOW_MS);
    if (window.approved < window.offered || (window.max ?? 0) > slowestBefore) normalSince = at + WINDOW_MS;
    else if (at + WINDOW_MS - normalSince >= NORMAL_WINDOWS * WINDOW_MS) return normalSince - endMs;
  }
  return null;
}

function percentile(sorted: readonly number[], share: number): number | null {
  if (sorted.length === 0) return null;
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]!;
}
