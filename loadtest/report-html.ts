/** One HTML file that needs no network: the percentile curve of response and service time, and the summary as text. */
import type { LatencyHistogram } from './histogram.js';
import type { LoadtestResult } from './result.js';
import { showUs } from './units.js';

const WIDTH = 900;
const HEIGHT = 420;
const LEFT = 80;
const BOTTOM = 40;
const ticks = [0, 90, 99, 99.9, 99.99, 99.999];

const escapeHtml = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Horizontal place of a percentile: log of 1 / (1 - p), so that each nine has the same width. */
const nines = (p: number) => -Math.log10(Math.max(1e-9, 1 - p / 100));

export function htmlReport(
  result: LoadtestResult,
  text: string,
  latency: LatencyHistogram,
  service: LatencyHistogram,
): string {
  const count = latency.count;
  const right = Math.max(1, Math.min(5, Math.log10(Math.max(10, count))));
  const top = Math.log10(Math.max(10, Number.isFinite(latency.max) ? latency.max : 10)) + 0.1;
  const x = (p: number) => LEFT + (nines(p) / right) * (WIDTH - LEFT - 20);
  const y = (us: number) => HEIGHT - BOTTOM - (Math.log10(Math.max(1, us)) / top) * (HEIGHT - BOTTOM - 20);
  const curve = (histogram: LatencyHistogram, colour: string) => {
    const total = histogram.count;
    if (total === 0) return '';
    const points: string[] = [];
    for (let step = 0; step <= 200; step++) {
      const p = 100 * (1 - 10 ** (-(step / 200) * right));
      points.push(`${x(p).toFixed(1)},${y(histogram.percentile(Math.max(p, 1e-6), total)).toFixed(1)}`);
    }
    return `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points.join(' ')}"/>`;
  };
  const grid = ticks
    .filter((p) => nines(p) <= right)
    .map(
      (p) =>
        `<line x1="${x(p)}" x2="${x(p)}" y1="20" y2="${HEIGHT - BOTTOM}"/><text x="${x(p)}" y="${HEIGHT - 18}" text-anchor="middle">${p} %</text>`,
    );
  for (let power = 0; power <= top; power++) {
    const us = 10 ** power;
    grid.push(
      `<line x1="${LEFT}" x2="${WIDTH - 20}" y1="${y(us)}" y2="${y(us)}"/><text x="${LEFT - 8}" y="${y(us) + 4}" text-anchor="end">${showUs(us)}</text>`,
    );
  }
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Load test ${escapeHtml(result.started_at)}</title>
<style>
body{font:15px system-ui,sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem;color:#1c2430;background:#fff}
svg{width:100%;height:auto}svg text{font-size:12px;fill:currentColor}svg line{stroke:currentColor;stroke-opacity:.15}
pre{overflow:auto;padding:1rem;border:1px solid #8884;border-radius:6px;font-size:12px}
@media (prefers-color-scheme:dark){body{color:#dde3ea;background:#12161c}}
</style>
<h1>${result.passed ? 'Passed' : `Exit status ${result.exit_status}`}</h1>
<p>${escapeHtml(result.target)} · ${escapeHtml(result.started_at)}</p>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Latency by percentile">
<g>${grid.join('')}</g>${curve(service, '#8a8f98')}${curve(latency, '#0b6bcb')}
</svg>
<p><span style="color:#0b6bcb">&#9632;</span> response time, from the scheduled send &nbsp; <span style="color:#8a8f98">&#9632;</span> service time, from the actual send</p>
<pre>${escapeHtml(text)}</pre>
<script type="application/json" id="result">${JSON.stringify(result).replaceAll('<', '\\u003c')}</script>
</html>
`;
}
